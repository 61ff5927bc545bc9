//! `GET /connect/l/qrconnect`: how far a QR code is, answered when that changes.

use axum::http::StatusCode;

use super::QrProgress;
use crate::{ledger::Outcome, receive::Received, wire::Answer, world::World};

/// Whether there is nothing to tell yet. What the page knows already is `last`.
pub(crate) fn waits(world: &World, received: &Received) -> bool {
    number(world, received).0 == 408
}

pub(crate) fn answer(world: &mut World, received: &Received) -> Answer {
    let (errcode, code) = number(world, received);
    let mut answer = script(errcode, code.as_deref().unwrap_or_default());
    let shown = world.qr_code(received.parameter("uuid")).ok();
    if let Some(QrProgress::Scanned { person } | QrProgress::Confirmed { person, .. }) =
        shown.map(|shown| &shown.progress)
    {
        let appid = shown.map_or("", |shown| shown.appid.as_str());
        answer.about = Some((person.clone(), world.openid(person, appid)));
    }
    answer.code = code;
    answer
}

/// JavaScript that the page runs.
pub(crate) fn script(errcode: i64, code: &str) -> Answer {
    let body = format!("window.wx_errcode={errcode};window.wx_code='{code}';");
    Answer::new(StatusCode::OK, "text/javascript", body.into_bytes(), Outcome::Polled { errcode })
}

/// WeChat's number for how far it is, and the code.
fn number(world: &World, received: &Received) -> (i64, Option<String>) {
    let uuid = received.parameter("uuid").unwrap_or_default();
    let Ok(shown) = world.qr_code(Some(uuid)) else {
        return (402, None);
    };
    match &shown.progress {
        _ if shown.is_expired(world) => (402, None),
        QrProgress::Waiting => (408, None),
        QrProgress::Scanned { .. } if received.parameter("last") == Some("404") => (408, None),
        QrProgress::Scanned { .. } => (404, None),
        QrProgress::Confirmed { code, .. } => (405, Some(code.clone())),
        QrProgress::Cancelled { .. } => (403, None),
    }
}
