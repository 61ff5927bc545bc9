//! `/sns/oauth2/access_token`: a code becomes tokens, once. And `/sns/oauth2/component/access_token`, the same for a
//! third-party platform, which shows its own token instead of the app's secret.

use super::{appid, component};
use crate::{
    api::{Found, required},
    knobs::UnionidInExchange,
    receive::Received,
    wire::Object,
    world::{Code, World},
};

/// The order of the checks is WeChat's as far as it is known: the app first, the code last.
pub(crate) fn exchange(world: &mut World, received: &Received) -> Found {
    let appid = appid(world, received)?;
    let secret = required(received, "secret", 41004)?;
    if world.app(appid).is_none_or(|app| app.secret != secret) {
        return Err(40125.into());
    }
    redeem(world, received, appid, None)
}

/// The same for a third-party platform.
pub(crate) fn exchange_component(world: &mut World, received: &Received) -> Found {
    let appid = appid(world, received)?;
    let component = component::check(world, received, appid)?;
    redeem(world, received, appid, Some(component))
}

/// The code, by whoever it was issued for.
fn redeem(world: &mut World, received: &Received, appid: &str, component: Option<&str>) -> Found {
    if received.parameter("grant_type") != Some("authorization_code") {
        return Err(40002.into());
    }
    let text = required(received, "code", 41008)?;
    let fits = |code: &&Code| code.appid == appid && code.component.as_deref() == component;
    let code = world.codes.get(text).filter(fits).cloned().ok_or(40029)?;
    if code.used {
        return Err(world.knobs.used_code_errcode.into());
    }
    if world.is_expired(&code) {
        return Err(world.knobs.expired_code_errcode.into());
    }
    if let Some(code) = world.codes.get_mut(text) {
        code.used = true;
    }
    Ok((success(world, &code), Some(code.identity)))
}

fn success(world: &mut World, code: &Code) -> Vec<u8> {
    let identity = &code.identity;
    // Asked before the grant is made: an earlier one is meant.
    let unionid = world.unionid_of(identity, &code.appid).filter(|_| carries_unionid(world, code));
    let unionid = unionid.as_deref();
    let shown = code.component.is_none() || world.knobs.component_snapshot_flag;
    let flagged = world.flags_snapshot(identity, &code.appid) && shown;
    let grant = world.grant(code);
    let knobs = &world.knobs;
    let scope = knobs.scope_in_exchange.then_some(code.scope.as_str());
    let object = Object::new(knobs.unicode_escapes)
        .string("access_token", &grant.access_token)
        .number("expires_in", i64::try_from(knobs.access_token_lifetime).unwrap_or(i64::MAX))
        .string("refresh_token", &grant.refresh_token)
        .string("openid", &identity.openid)
        .optional_string("scope", scope);
    let object = match (flagged, knobs.unionid_before_snapshot_flag) {
        (false, _) => object.optional_string("unionid", unionid),
        (true, false) => object.number("is_snapshotuser", 1).optional_string("unionid", unionid),
        (true, true) => object.optional_string("unionid", unionid).number("is_snapshotuser", 1),
    };
    object.finish()
}

fn carries_unionid(world: &World, code: &Code) -> bool {
    let Code { appid, identity, .. } = code;
    match code.scope.as_str() {
        "snsapi_base" => {
            world.knobs.base_exchange_unionid_after_prior_grant
                && world.granted_profile_at(&identity.person, appid).is_some()
        }
        "snsapi_userinfo" => match world.knobs.unionid_in_userinfo_exchange {
            UnionidInExchange::Always => true,
            UnionidInExchange::FollowersOnly => world.follows(&identity.person, appid),
        },
        _ => true,
    }
}
