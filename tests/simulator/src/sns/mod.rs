//! `api.weixin.qq.com/sns/*`: what an app calls on behalf of one person.
//!
//! No success carries an `errcode`, except that of `/sns/auth`.

pub(crate) mod access_token;
pub(crate) mod auth;
mod component;
pub(crate) mod refresh_token;
pub(crate) mod userinfo;
