//! `api.weixin.qq.com/sns/*`: what an app calls on behalf of one person.
//!
//! No success carries an `errcode`, except that of `/sns/auth`.

pub(crate) mod access_token;
pub(crate) mod auth;
mod component;
pub(crate) mod refresh_token;
pub(crate) mod userinfo;

use crate::{
    api::{Errcode, require_method, required},
    receive::Received,
    world::World,
};

/// The app for which tokens are asked, whoever asks.
fn appid<'a>(world: &World, received: &'a Received) -> Result<&'a str, Errcode> {
    require_method(received, &["GET", "POST"])?;
    let appid = required(received, "appid", 41002)?;
    world.app(appid).ok_or(40013)?;
    Ok(appid)
}
