//! A third-party platform
//! ([第三方平台](https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/Before_Develop/Official_Accounts/official_account_website_authorization.html))
//! that acts for an Official Account.

use crate::{
    api::{Errcode, required},
    receive::Received,
    settings::Component,
    world::World,
};

/// The platform, if it is one, shows its token, and acts for this account; or why not.
pub(super) fn check<'a>(world: &World, received: &'a Received, appid: &str) -> Result<&'a str, Errcode> {
    let component_appid = required(received, "component_appid", 41018)?;
    let component = world.component(component_appid).ok_or(61011)?;
    check_token(world, component, required(received, "component_access_token", 41021)?)?;
    if !component.authorizers.iter().any(|authorizer| authorizer == appid) {
        return Err(61003);
    }
    Ok(component_appid)
}

/// Whether a token is the platform's: the one that is a setting, or one that it was given.
pub(crate) fn check_token(world: &World, component: &Component, token: &str) -> Result<(), Errcode> {
    if token == component.access_token {
        return Ok(());
    }
    let owner = world.global_tokens.check(token, world.now(), 40001)?;
    // A token, but one of an account.
    if owner == component.appid { Ok(()) } else { Err(61014) }
}
