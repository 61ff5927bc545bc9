//! What a session's seal says of times, as if it had been sealed earlier: the functions read the clock of the machine.

use base64::{Engine, engine::general_purpose::STANDARD};
use harness::{
    Failure, Result,
    database::{self, attribute},
};
use login::{
    Sealed,
    session::{Session, SessionToken},
    time::Timestamp,
};
use serde_json::{Value, json};

/// The item of the session that this token opens, sealed again with everything in it so many seconds earlier.
pub fn aged(item: Value, token: &str, seconds: u64) -> Result<Value> {
    let lost = |what: &'static str| move || Failure::new(what);
    let token = SessionToken::parse(token).ok_or_else(lost("nobody's session"))?;
    let sealed = Sealed::stored(STANDARD.decode(attribute(&item, "sealed"))?);
    let mut session = Session::unseal(&token, &sealed).ok_or_else(lost("another's seal"))?;
    let earlier =
        |then: Timestamp| Timestamp::from_epoch_seconds(then.epoch_seconds().saturating_sub(seconds));
    session.confirmed_at = session.confirmed_at.map(earlier);
    if let Some(profile) = &mut session.profile {
        profile.read_at = earlier(profile.read_at);
    }
    for refused in [&mut session.refusals.profile, &mut session.refusals.grant].into_iter().flatten() {
        refused.at = earlier(refused.at);
    }
    let sealed = session.seal(&token, std::array::from_fn(|_| fastrand::u8(..)));
    let sealed = STANDARD.encode(sealed.ok_or_else(lost("cannot be sealed"))?.as_bytes());
    Ok(database::with(item, "sealed", json!({ "B": sealed })))
}
