//! What is in an item, attribute by attribute. The personal part of a session is one of them, and sealed.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;

use super::Error;
use login::account::RequestedApp;
use login::pending::{LoginId, LoginRequest, PendingLogin, RequestedScope, RequestedSwitches, Turn};
use login::return_to::StoredReturnTo;
use login::session::{Pepper, SessionId, StoredSession};
use login::time::Timestamp;
use login::{Digest, Sealed};
use wechat::{AppId, Lang, Scope};

pub(super) type Item = HashMap<String, AttributeValue>;

pub(super) fn login_to_item(id: &LoginId, login: &PendingLogin) -> Item {
    let mut item = Item::from([
        ("id".to_owned(), text(id.as_str())),
        ("browser".to_owned(), text(login.browser.as_str())),
        ("app".to_owned(), text(login.app.as_str())),
        ("scope".to_owned(), text(login.scope.as_str())),
        ("return_to".to_owned(), text(login.return_to.as_str())),
        ("attempt".to_owned(), number(login.turn.round)),
        ("expires_at".to_owned(), number(login.expires_at.epoch_seconds())),
    ]);
    item.extend(request_to_item(&login.request));
    item.extend((login.turn.waits > 0).then(|| ("waits".to_owned(), number(login.turn.waits))));
    item
}

/// What a page asked for, as a login's item has it, and that of the ticket which waits for a phone.
pub(super) fn request_to_item(request: &LoginRequest) -> Item {
    let LoginRequest { scope, app, lang, switches, via_handoff } = request;
    let set = |name: &str| (name.to_owned(), AttributeValue::Bool(true));
    let mut item = Item::from([("asked".to_owned(), text(scope.as_str()))]);
    item.extend(app.to_text().map(|app| ("asked_app".to_owned(), text(&app))));
    item.extend(lang.map(|lang| ("lang".to_owned(), text(lang.as_str()))));
    item.extend(switches.force_popup.then(|| set("force_popup")));
    item.extend(switches.force_snap_shot.then(|| set("force_snap_shot")));
    item.extend(via_handoff.then(|| ("via".to_owned(), text("handoff"))));
    item
}

/// `implied` is the scope where the item names none.
pub(super) fn request_from_item(item: &Item, implied: RequestedScope) -> LoginRequest {
    let word = |name: &str| item.get(name).and_then(|word| word.as_s().ok());
    LoginRequest {
        scope: word("asked").and_then(|asked| RequestedScope::parse(asked)).unwrap_or(implied),
        app: word("asked_app").and_then(|app| RequestedApp::parse(app)).unwrap_or_default(),
        lang: word("lang").and_then(|lang| Lang::parse(lang)),
        switches: RequestedSwitches {
            force_popup: item.contains_key("force_popup"),
            force_snap_shot: item.contains_key("force_snap_shot"),
        },
        via_handoff: item.contains_key("via"),
    }
}

pub(super) fn login_from_item(item: &Item) -> Result<PendingLogin, Error> {
    let scope = Scope::parse(attribute(item, "scope")?).ok_or(Error::Corrupt("scope"))?;
    // A login that was stored before there was more to ask for.
    let implied = if scope == Scope::UserInfo { RequestedScope::Profile } else { RequestedScope::Identity };
    Ok(PendingLogin {
        browser: Digest::stored(attribute(item, "browser")?.to_owned()),
        app: AppId::parse(attribute(item, "app")?).ok_or(Error::Corrupt("app"))?,
        scope,
        request: request_from_item(item, implied),
        return_to: StoredReturnTo::stored(attribute(item, "return_to")?.to_owned()),
        turn: Turn {
            round: count(item, "attempt")?,
            waits: if item.contains_key("waits") { count(item, "waits")? } else { 0 },
        },
        expires_at: moment(item, "expires_at")?,
    })
}

pub(super) fn session_to_item(id: &SessionId, session: &StoredSession) -> Item {
    let mut item = Item::from([
        ("id".to_owned(), text(id.as_str())),
        ("sealed".to_owned(), bytes(session.sealed.as_bytes())),
        ("login".to_owned(), text(session.login.as_str())),
        ("created_at".to_owned(), number(session.created_at.epoch_seconds())),
        ("refreshed_at".to_owned(), number(session.refreshed_at.epoch_seconds())),
        ("version".to_owned(), number(session.version)),
        ("expires_at".to_owned(), number(session.expires_at.epoch_seconds())),
    ]);
    item.extend(session.pepper.as_ref().map(|pepper| ("pepper".to_owned(), bytes(pepper.bytes()))));
    item
}

pub(super) fn session_from_item(item: &Item) -> Result<StoredSession, Error> {
    Ok(StoredSession {
        sealed: Sealed::stored(blob(item, "sealed")?.to_vec()),
        login: LoginId::stored(attribute(item, "login")?.to_owned()),
        created_at: moment(item, "created_at")?,
        refreshed_at: moment(item, "refreshed_at")?,
        version: count(item, "version")?,
        refused_at: if item.contains_key("refused_at") { Some(moment(item, "refused_at")?) } else { None },
        expires_at: moment(item, "expires_at")?,
        pepper: match item.get("pepper") {
            Some(_) => {
                Some(Pepper::new(blob(item, "pepper")?.try_into().map_err(|_| Error::Corrupt("pepper"))?))
            }
            None => None,
        },
    })
}

pub(super) fn bytes(value: &[u8]) -> AttributeValue {
    AttributeValue::B(Blob::new(value))
}

pub(super) fn blob<'a>(item: &'a Item, name: &'static str) -> Result<&'a [u8], Error> {
    item.get(name).and_then(|value| value.as_b().ok()).map(Blob::as_ref).ok_or(Error::Corrupt(name))
}

pub(super) fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

pub(super) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(super) fn attribute<'a>(item: &'a Item, name: &'static str) -> Result<&'a str, Error> {
    item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str).ok_or(Error::Corrupt(name))
}

pub(super) fn count(item: &Item, name: &'static str) -> Result<u64, Error> {
    item.get(name)
        .and_then(|value| value.as_n().ok())
        .and_then(|number| number.parse().ok())
        .ok_or(Error::Corrupt(name))
}

pub(super) fn moment(item: &Item, name: &'static str) -> Result<Timestamp, Error> {
    count(item, name).map(Timestamp::from_epoch_seconds)
}
