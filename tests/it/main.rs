//! Whole logins, with the real binaries as separate processes. The tree follows the routes.

mod accounts;
mod authorize;
mod auto;
mod callback;
mod calls;
mod component;
mod desktop;
mod doctor;
mod events;
mod golden;
mod guards;
mod handoff;
mod leaving;
mod life;
mod marks;
mod openid;
mod privacy;
mod routing;
mod secrets;
mod security;
mod site;
mod store;
mod support;
mod template;
mod unionid;
mod userinfo;
