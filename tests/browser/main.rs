//! The pages in a real browser: Chromium, driven through `WebDriver`, in front of the real binaries.
//!
//! What a stand-in for a browser cannot show is here: that a person finds the way by reading and
//! pressing, that no page breaks its own policy, that other origins are held off by a browser's
//! rules and not by ours alone, and that nothing overflows on a phone. Every page that is met is
//! left behind as a picture, in `target/screenshots`, at two widths.

mod addresses;
mod code_flow;
mod console;
mod embedded;
mod examples;
mod frames;
mod handoff;
mod login;
mod login_js;
mod login_js_settings;
mod origins;
mod qr;
mod script;
mod team_page;
mod tls;
mod words;
