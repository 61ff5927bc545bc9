//! `GET /sns/auth`: whether a token still stands. The one success with an `errcode`.

use crate::{
    api::{Found, require_method, required},
    knobs::AuthError,
    receive::Received,
    wire::Object,
    world::World,
};

pub(crate) fn verify(world: &mut World, received: &Received) -> Found {
    require_method(received, &["GET"])?;
    let access_token = required(received, "access_token", 41001)?;
    let openid = required(received, "openid", 41009)?;
    let (invalid_token, invalid_openid) = match world.knobs.auth_error {
        AuthError::ByCause => (40014, 40003),
        AuthError::InvalidOpenid => (40003, 40003),
        AuthError::InvalidAccessToken => (40014, 40014),
    };
    let token = world.access_tokens.get(access_token).ok_or(invalid_token)?;
    let grant = world.grants.get(&token.grant).ok_or(invalid_token)?;
    if grant.password_changed {
        return Err(42007.into());
    }
    if world.now() >= token.expires_at {
        return Err(invalid_token.into());
    }
    if grant.identity.openid != openid {
        return Err(invalid_openid.into());
    }
    let object = Object::new(world.knobs.unicode_escapes);
    let object = if world.knobs.errcode_as_string {
        object.string("errcode", "0")
    } else {
        object.number("errcode", 0)
    };
    Ok((object.message("errmsg", "ok").finish(), Some(grant.identity.clone())))
}
