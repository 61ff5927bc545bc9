//! `api.weixin.qq.com/cgi-bin/*`: what an app calls in its own name, with a global token.

pub(crate) mod component;
pub(crate) mod stable_token;
pub(crate) mod token;
pub(crate) mod user_info;

use serde_json::Value;

use crate::{
    api::{Errcode, Refusal},
    knobs::Knobs,
    receive::Received,
    settings::{App, AppKind},
    world::World,
};

/// The app that asks for a global token, once everything about it is right.
///
/// That the appid comes before the grant type is known; the rest of the order is a guess.
fn app(world: &mut World, received: &Received, fields: &Fields<'_>) -> Result<String, Refusal> {
    let appid = fields.appid.filter(|text| !text.is_empty()).ok_or(41002)?;
    let app = world.app(appid).ok_or(40013)?;
    if fields.grant_type != Some("client_credential") {
        return Err(40002.into());
    }
    let secret = fields.secret.filter(|text| !text.is_empty()).ok_or(41004)?;
    if secret != app.secret {
        return Err(40125.into());
    }
    if world.knobs.banned_apps.contains(appid) {
        return Err(50004.into());
    }
    allow_address(&world.knobs, app, received)?;
    world.count(appid, &received.path)?;
    Ok(appid.to_owned())
}

/// What a request for a global token says, wherever it says it.
struct Fields<'a> {
    grant_type: Option<&'a str>,
    appid: Option<&'a str>,
    secret: Option<&'a str>,
}

/// The allow-list (IP 白名单), which is kept for Official Accounts only.
fn allow_address(knobs: &Knobs, app: &App, received: &Received) -> Result<(), Refusal> {
    let Some(allowed) = &knobs.ip_allow_list else {
        return Ok(());
    };
    let address = received.address.to_canonical();
    let listed = || allowed.iter().any(|listed| listed.parse() == Ok(address));
    if app.kind == AppKind::Website || listed() {
        return Ok(());
    }
    Err(Refusal::of_address(knobs.unlisted_ip_errcode, address, knobs.suffix_style))
}

/// The app whose global token a request carries.
fn token_owner(world: &mut World, received: &Received) -> Result<String, Errcode> {
    let token = received.query_parameter("access_token").filter(|text| !text.is_empty()).ok_or(41001)?;
    let unknown = world.knobs.unknown_global_token_errcode;
    let appid = world.global_tokens.check(token, world.now(), unknown)?.to_owned();
    world.count(&appid, &received.path)?;
    Ok(appid)
}

/// The JSON that a POST carries.
fn json(received: &Received) -> Result<Value, Errcode> {
    if received.method != "POST" {
        return Err(43002);
    }
    if received.body.is_empty() {
        return Err(44002);
    }
    serde_json::from_slice(&received.body).map_err(|_| 47001)
}
