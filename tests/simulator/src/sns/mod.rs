//! `api.weixin.qq.com/sns/*`: what an app calls on behalf of one person, [within
//! WeChat](https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html#1) and [from
//! a
//! website](https://developers.weixin.qq.com/doc/oplatform/Website_App/WeChat_Login/Authorized_Interface_Calling_UnionID.html).
//!
//! No success carries an `errcode`, except that of `/sns/auth`.

pub(crate) mod access_token;
pub(crate) mod auth;
pub(crate) mod component;
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
