//! `/cgi-bin/component/*`: how a third-party platform
//! ([第三方平台](https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/ThirdParty/token/component_access_token.html))
//! comes to its own token, and to those of the accounts that authorize it.
//!
//! WeChat pushes a ticket to the platform every ten minutes, and the ticket becomes the `component_access_token`. With
//! that, a link to WeChat's page is made, on which the owner of an account says yes; the code that comes back becomes
//! the account's tokens. The ticket is a [setting](crate::Component), and the owner always says yes.

use serde_json::Value;

use super::json;
use crate::{
    api::{Errcode, Found},
    callback::at_the_end,
    pages::{Page, PageError},
    receive::Received,
    settings::Component,
    sns::component::check_token,
    wire::{Answer, Object},
    words,
    world::World,
};

/// Seconds an account's owner may take, and a platform to use what came of it.
const PREAUTH_LIFETIME: u64 = 1800;
const AUTH_CODE_LIFETIME: u64 = 3600;

/// What the owner of an account is asked, or has answered, and until when it is good.
pub(crate) struct Authorization {
    component: String,
    /// The account, once its owner has answered.
    authorizer: Option<String>,
    expires_at: u64,
}

/// `api_start_push_ticket`: the ticket is pushed from now on, to nowhere here.
pub(crate) fn start_push_ticket(world: &mut World, received: &Received) -> Found {
    let asked = json(received)?;
    secret(known(world, &asked)?, &asked, "component_secret")?;
    let object = Object::new(world.knobs.unicode_escapes).number("errcode", 0).message("errmsg", "ok");
    Ok((object.finish(), None))
}

/// `api_component_token`: the ticket becomes the platform's token.
pub(crate) fn component_token(world: &mut World, received: &Received) -> Found {
    let asked = json(received)?;
    let component = known(world, &asked)?;
    secret(component, &asked, "component_appsecret")?;
    if text(&asked, "component_verify_ticket") != Some(&component.verify_ticket) {
        return Err(61006.into());
    }
    let appid = component.appid.clone();
    let token = world.give_component_token(&appid);
    let object = Object::new(world.knobs.unicode_escapes).string("component_access_token", &token);
    Ok((lifetime(world, object).finish(), None))
}

/// `api_create_preauthcode`: what the link to the owner of an account carries.
pub(crate) fn create_preauthcode(world: &mut World, received: &Received) -> Found {
    let asked = json(received)?;
    let component = of_token(world, received, &asked)?.appid.clone();
    let code = authorization(world, component, None, PREAUTH_LIFETIME);
    let object = Object::new(world.knobs.unicode_escapes)
        .string("pre_auth_code", &code)
        .number("expires_in", i64::try_from(PREAUTH_LIFETIME).unwrap_or(i64::MAX));
    Ok((object.finish(), None))
}

/// `GET https://mp.weixin.qq.com/cgi-bin/componentloginpage`: the owner says yes, for `biz_appid` or else for the first
/// account that has authorized the platform.
pub(crate) fn login_page(world: &mut World, received: &Received) -> Page {
    let text = |name| received.parameter(name).unwrap_or_default();
    let now = world.now();
    let is_open = |asked: &Authorization| asked.authorizer.is_none() && now < asked.expires_at;
    let asked = world.authorizations.remove(text("pre_auth_code")).filter(is_open);
    let asked = asked.filter(|asked| asked.component == text("component_appid"));
    let component = asked.as_ref().and_then(|asked| world.component(&asked.component));
    let wanted = |appid: &&String| received.parameter("biz_appid").is_none_or(|wanted| wanted == *appid);
    let authorizer = component.and_then(|component| component.authorizers.iter().find(wanted)).cloned();
    let (Some(asked), Some(authorizer)) = (asked, authorizer) else {
        return Err(PageError::Text(words::UNREACHABLE_LINK));
    };
    let code = authorization(world, asked.component, Some(authorizer), AUTH_CODE_LIFETIME);
    let lifetime = AUTH_CODE_LIFETIME.to_string();
    Ok(Answer::redirect(at_the_end(
        text("redirect_uri"),
        &[("auth_code", code.as_str()), ("expires_in", lifetime.as_str())],
    )))
}

/// `api_query_auth`: that code becomes the account's tokens, once.
pub(crate) fn query_auth(world: &mut World, received: &Received) -> Found {
    let asked = json(received)?;
    let component = of_token(world, received, &asked)?.appid.clone();
    let code = text(&asked, "authorization_code").unwrap_or_default();
    let given = world.authorizations.get(code).filter(|given| given.component == component).ok_or(61009)?;
    let (authorizer, expires_at) = (given.authorizer.clone().ok_or(61009)?, given.expires_at);
    if world.now() >= expires_at {
        return Err(61010.into());
    }
    world.authorizations.remove(code);
    let info = Object::new(world.knobs.unicode_escapes).string("authorizer_appid", &authorizer);
    let info = tokens(world, info, &component, &authorizer).array("func_info", &[]).finish();
    let object = Object::new(world.knobs.unicode_escapes).raw("authorization_info", &info);
    Ok((object.finish(), None))
}

/// `api_authorizer_token`: another global token of the account, which works where the account's own does.
pub(crate) fn authorizer_token(world: &mut World, received: &Received) -> Found {
    let asked = json(received)?;
    let component = of_token(world, received, &asked)?;
    let authorizer = text(&asked, "authorizer_appid").ok_or(40013)?;
    if !component.authorizers.iter().any(|appid| appid == authorizer) {
        return Err(61003.into());
    }
    let component = component.appid.clone();
    let expected = world.identifiers.authorizer_refresh_token(&component, authorizer);
    if text(&asked, "authorizer_refresh_token") != Some(&expected) {
        return Err(61023.into());
    }
    let object = Object::new(world.knobs.unicode_escapes);
    Ok((tokens(world, object, &component, authorizer).finish(), None))
}

/// The account's tokens, as a platform gets them.
fn tokens(world: &mut World, object: Object, component: &str, authorizer: &str) -> Object {
    let token = world.give_authorizer_token(authorizer);
    let object = lifetime(world, object.string("authorizer_access_token", &token));
    object.string(
        "authorizer_refresh_token",
        &world.identifiers.authorizer_refresh_token(component, authorizer),
    )
}

fn lifetime(world: &World, object: Object) -> Object {
    object.number("expires_in", i64::try_from(world.knobs.global_token_lifetime).unwrap_or(i64::MAX))
}

/// Remembers what the owner of an account is asked or has answered, under a fresh code.
fn authorization(world: &mut World, component: String, authorizer: Option<String>, lifetime: u64) -> String {
    let now = world.now();
    let label = if authorizer.is_some() { "queryauthcode" } else { "preauthcode" };
    let code = world.identifiers.draw_authorization(now, label);
    let expires_at = now.saturating_add(lifetime);
    world.authorizations.insert(code.clone(), Authorization { component, authorizer, expires_at });
    code
}

/// A member of the JSON that is not empty.
fn text<'a>(asked: &'a Value, name: &str) -> Option<&'a str> {
    asked.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// The platform that asks.
fn known<'a>(world: &'a World, asked: &Value) -> Result<&'a Component, Errcode> {
    let appid = text(asked, "component_appid").ok_or(41018)?;
    world.component(appid).ok_or(61011)
}

fn secret(component: &Component, asked: &Value, name: &str) -> Result<(), Errcode> {
    let secret = text(asked, name).ok_or(41004)?;
    if secret == component.secret { Ok(()) } else { Err(40125) }
}

/// The platform that asks, if the token in the query is its own.
fn of_token<'a>(world: &'a World, received: &Received, asked: &Value) -> Result<&'a Component, Errcode> {
    let component = known(world, asked)?;
    let names = ["component_access_token", "access_token"];
    let token = names.iter().find_map(|name| received.query_parameter(name)).ok_or(41021)?;
    check_token(world, component, token)?;
    Ok(component)
}
