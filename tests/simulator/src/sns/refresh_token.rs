//! `/sns/oauth2/refresh_token`: a living access token lives on, a dead one is replaced. No secret is asked for. And
//! `/sns/oauth2/component/refresh_token`, the same for a third-party platform.

use super::{appid, component};
use crate::{
    api::{Found, required},
    receive::Received,
    wire::Object,
    world::{AccessToken, Grant, World},
};

pub(crate) fn refresh(world: &mut World, received: &Received) -> Found {
    let appid = appid(world, received)?;
    renew(world, received, appid, None)
}

/// The same for a third-party platform.
pub(crate) fn refresh_component(world: &mut World, received: &Received) -> Found {
    let appid = appid(world, received)?;
    let component = component::check(world, received, appid)?;
    renew(world, received, appid, Some(component))
}

fn renew(world: &mut World, received: &Received, appid: &str, component: Option<&str>) -> Found {
    if received.parameter("grant_type") != Some("refresh_token") {
        return Err(40002.into());
    }
    let refresh_token = required(received, "refresh_token", 41003)?;
    let id = *world.refresh_tokens.get(refresh_token).ok_or(40030)?;
    let fits =
        |grant: &&Grant| grant.appid == appid && grant.component.as_deref() == component && !grant.revoked;
    let mut grant = world.grants.get(&id).filter(fits).cloned().ok_or(40030)?;
    if grant.password_changed {
        return Err(42007.into());
    }
    let now = world.now();
    if now >= grant.refresh_expires_at {
        return Err(world.knobs.expired_refresh_token_errcode.into());
    }

    let live = world.access_tokens.get(&grant.access_token).is_some_and(|token| now < token.expires_at);
    if !live {
        grant.access_token = world.identifiers.draw_token(now, "access_token");
    }
    if world.knobs.refresh_rotates_refresh_token {
        world.refresh_tokens.remove(refresh_token);
        grant.refresh_token = world.identifiers.draw_token(now, "refresh_token");
        world.refresh_tokens.insert(grant.refresh_token.clone(), id);
    }
    let expires_at = world.access_token_expiry();
    world.access_tokens.insert(grant.access_token.clone(), AccessToken { grant: id, expires_at });
    world.grants.insert(id, grant.clone());
    Ok((success(world, &grant), Some(grant.identity)))
}

/// Another order than the exchange's, and a scope that ends in a comma: as seen live.
fn success(world: &World, grant: &Grant) -> Vec<u8> {
    let scope = match grant.scope.as_str() {
        "snsapi_userinfo" => "snsapi_base,snsapi_userinfo,".to_owned(),
        scope => format!("{scope},"),
    };
    Object::new(world.knobs.unicode_escapes)
        .string("openid", &grant.identity.openid)
        .string("access_token", &grant.access_token)
        .number("expires_in", i64::try_from(world.knobs.access_token_lifetime).unwrap_or(i64::MAX))
        .string("refresh_token", &grant.refresh_token)
        .string("scope", &scope)
        .finish()
}
