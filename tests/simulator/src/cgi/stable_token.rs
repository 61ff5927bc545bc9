//! `POST /cgi-bin/stable_token`
//! ([获取稳定版接口调用凭据](https://developers.weixin.qq.com/doc/offiaccount/Basic_Information/getStableAccessToken.html)): the
//! same global token to everybody who asks, unless it is forced.

use serde_json::Value;

use super::{Fields, app, json, token::body};
use crate::{
    api::{Errcode, Found},
    receive::Received,
    world::World,
};

/// Seconds between two forced tokens, and how many there may be in a day.
const FORCED_APART: u64 = 30;
const FORCED_PER_DAY: usize = 20;

pub(crate) fn give(world: &mut World, received: &Received) -> Found {
    let asked = json(received)?;
    let text = |name| asked.get(name).and_then(Value::as_str);
    let fields = Fields { grant_type: text("grant_type"), appid: text("appid"), secret: text("secret") };
    let force = match asked.get("force_refresh") {
        None if world.knobs.stable_token_wants_force_refresh => return Err(41002.into()),
        None => false,
        Some(force) => force.as_bool().ok_or(47001)?,
    };
    let appid = app(world, received, &fields)?;
    let (token, left) = if force {
        allow_forced(world.global_tokens.forced(&appid), world.now())?;
        (world.force_stable_token(&appid), world.knobs.global_token_lifetime)
    } else {
        world.give_stable_token(&appid)
    };
    Ok((body(world, &token, left), None))
}

/// Which numbers these limits answer is not known; they are of the class that says to stop.
fn allow_forced(forced: &[u64], now: u64) -> Result<(), Errcode> {
    if forced.last().is_some_and(|last| now < last.saturating_add(FORCED_APART)) {
        return Err(45011);
    }
    let today = forced.iter().filter(|time| World::day(**time) == World::day(now)).count();
    if today >= FORCED_PER_DAY { Err(45009) } else { Ok(()) }
}
