//! `/cgi-bin/token` ([获取 access
//! token](https://developers.weixin.qq.com/doc/offiaccount/Basic_Information/Get_access_token.html)): a global token
//! that ends the one before it.

use super::{Fields, app};
use crate::{
    api::{Found, require_method},
    receive::Received,
    wire::Object,
    world::World,
};

pub(crate) fn give(world: &mut World, received: &Received) -> Found {
    require_method(received, &["GET", "POST"])?;
    let fields = Fields {
        grant_type: received.parameter("grant_type"),
        appid: received.parameter("appid"),
        secret: received.parameter("secret"),
    };
    let appid = app(world, received, &fields)?;
    let token = world.give_token(&appid);
    Ok((body(world, &token, world.knobs.global_token_lifetime), None))
}

/// A token, and for how long.
pub(super) fn body(world: &World, token: &str, expires_in: u64) -> Vec<u8> {
    Object::new(world.knobs.unicode_escapes)
        .string("access_token", token)
        .number("expires_in", i64::try_from(expires_in).unwrap_or(i64::MAX))
        .finish()
}
