//! The link that begins a login, and the one place that writes it.
//!
//! Whoever meets a page of this stack on the way to a login is offered the login that he came for: the same
//! target, scope, app, language and switches. So every button, every automatic fresh login and every
//! `authorize_url` is written here, from what was asked, and the page at `/error` is told in the same words.

use form_urlencoded::Serializer;
use login::account::{Account, Accounts, RequestedApp};
use login::pending::{LoginRequest, MOST_ROUNDS, MOST_WAITS, RequestedScope, RequestedSwitches, Turn};
use login::return_to::ReturnTo;
use login::session::Session;
use wechat::Lang;

use crate::query::Query;

/// Where a login begins on this stack that asks for nothing in particular.
pub const AUTHORIZE: &str = "/authorize";

/// Where a form logs out.
const LOG_OUT: &str = "/logout";

/// A login as a link asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LoginLink {
    /// Where it ends; `None` for the default of the account.
    pub return_to: Option<ReturnTo>,
    /// What it asks for.
    pub request: LoginRequest,
    /// Where in a chain of logins it stands.
    pub turn: Turn,
}

impl LoginLink {
    /// What is well-formed of a link, for a page that says what is wrong with the rest. A person presses its
    /// button, so it begins a chain of its own.
    #[must_use]
    pub fn salvage(query: Query<'_>, accounts: &Accounts) -> Self {
        let text = |name| query.one(name).ok().flatten();
        let is_served =
            |choice: &RequestedApp| accounts.choose(choice).is_some_and(|account| account.serves(choice));
        let app = text("app").and_then(|app| RequestedApp::parse(&app)).filter(is_served).unwrap_or_default();
        let return_to = |account: &Account| account.targets.check(&text("return_to")?).ok();
        Self {
            return_to: accounts.choose(&app).and_then(return_to),
            request: LoginRequest {
                scope: text("scope").and_then(|scope| RequestedScope::parse(&scope)).unwrap_or_default(),
                app,
                lang: text("lang").and_then(|lang| Lang::parse(&lang)),
                switches: RequestedSwitches {
                    force_popup: text("forcePopup").as_deref() == Some("true"),
                    force_snap_shot: text("forceSnapShot").as_deref() == Some("true"),
                },
                via_handoff: text("via").as_deref() == Some("handoff"),
            },
            turn: Turn::FIRST,
        }
    }

    /// A login with consent, of the account that the session is of; by which of its apps is decided by the browser that
    /// opens it. A session that a phone handed over is renewed by a phone: a website app would know the person by
    /// another openid.
    #[must_use]
    pub fn with_consent(accounts: &Accounts, session: &Session) -> Self {
        let app = accounts.of(&session.app).map(Account::choice).unwrap_or_default();
        let via_handoff = session.is_handed_over();
        let request =
            LoginRequest { scope: RequestedScope::Profile, app, via_handoff, ..LoginRequest::default() };
        Self { request, ..Self::default() }
    }

    /// Where the login begins, on `public_url`; as a path if that is empty.
    #[must_use]
    pub fn on(&self, public_url: &str) -> String {
        let query = self.to_query();
        let join = if query.is_empty() { "" } else { "?" };
        format!("{public_url}{AUTHORIZE}{join}{query}")
    }

    /// Where a form logs out first: it leads to the home page, which offers this login to whoever is next. A login that
    /// is too long to be said in a `return_to` is not said; the home page offers the usual one.
    #[must_use]
    pub fn log_out_first(&self, accounts: &Accounts) -> String {
        let query = self.to_query();
        let home = format!("/?{query}");
        if query.is_empty() || accounts.first.targets.check(&home).is_err() {
            return LOG_OUT.to_owned();
        }
        let query = Serializer::new(String::new()).append_pair("return_to", &home).finish();
        format!("{LOG_OUT}?{query}")
    }

    /// Its query, in which what is usual is not mentioned.
    #[must_use]
    pub fn to_query(&self) -> String {
        let LoginRequest { scope, app, lang, switches, via_handoff } = &self.request;
        let Turn { round, waits } = self.turn;
        let mut query = Serializer::new(String::new());
        query.extend_pairs(self.return_to.as_ref().map(|target| ("return_to", target.as_str())));
        query.extend_pairs((*scope != RequestedScope::default()).then(|| ("scope", scope.as_str())));
        query.extend_pairs(lang.map(|lang| ("lang", lang.as_str())));
        query.extend_pairs(app.to_text().map(|app| ("app", app)));
        query.extend_pairs(switches.force_popup.then_some(("forcePopup", "true")));
        query.extend_pairs(switches.force_snap_shot.then_some(("forceSnapShot", "true")));
        query.extend_pairs(via_handoff.then_some(("via", "handoff")));
        query.extend_pairs((round > 1).then(|| ("attempt", round.to_string())));
        query.extend_pairs((waits > 0).then(|| ("waits", waits.to_string())));
        query.finish()
    }
}

/// Whether a link begins a login that asks for the profile: the page that offers it says what for.
#[must_use]
pub fn asks_for_profile(link: &str) -> bool {
    let Some((before, query)) = link.split_once('?') else { return false };
    let is_login = before.strip_suffix(AUTHORIZE).is_some_and(|origin| !origin.ends_with("/oauth2"));
    let asks = |(name, value): (_, _)| name == "scope" && value == RequestedScope::Profile.as_str();
    is_login && form_urlencoded::parse(query.as_bytes()).any(asks)
}

/// Reads `via=`.
#[must_use]
pub fn via_handoff(text: &str) -> Option<bool> {
    (text == "handoff").then_some(true)
}

/// Reads `attempt=`; set by `/callback`, so that fresh logins do not go on for ever.
#[must_use]
pub fn round(text: &str) -> Option<u64> {
    text.parse().ok().filter(|round| (1..=MOST_ROUNDS).contains(round))
}

/// Reads `waits=`, likewise.
#[must_use]
pub fn waits(text: &str) -> Option<u64> {
    text.parse().ok().filter(|waits| (0..=MOST_WAITS).contains(waits))
}
