//! The link that begins a login, and the one place that writes it.
//!
//! Whoever meets a page of this stack on the way to a login is offered the login that he came for: the same
//! target, scope, app, language and switches. So every button, every automatic fresh login and every
//! `authorize_url` is written here, from what was asked, and the page at `/error` is told in the same words. It is read
//! here too: `/authorize` takes a link that is right in every word, and a page that says what is wrong with one keeps
//! the words that are right.

use form_urlencoded::Serializer;
use login::account::{Account, Accounts, RequestedApp};
use login::pending::{LoginRequest, MOST_ROUNDS, MOST_WAITS, RequestedScope, RequestedSwitches, Turn};
use login::return_to::{ReturnTo, ReturnToError};
use login::session::Session;
use thiserror::Error;
use wechat::Lang;

use crate::cors::Caller;
use crate::query::{Query, QueryError};

/// Where a login begins on this stack that asks for nothing in particular.
pub const AUTHORIZE: &str = "/authorize";

/// Where a form logs out.
pub const LOG_OUT: &str = "/logout";

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

/// What is wrong with a link. Carries a parameter's name, never its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LinkError {
    /// A parameter stands twice or cannot be decoded.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// A parameter says something that we do not know; of `app`, what this deployment does not have.
    #[error("the parameter {0} has a value that is not allowed")]
    Value(&'static str),
    /// The login may not end there.
    #[error(transparent)]
    ReturnTo(#[from] ReturnToError),
}

impl LoginLink {
    /// The login that a link asks for.
    ///
    /// # Errors
    ///
    /// [`LinkError`] for the first parameter that is wrong. Parameters that nobody knows are passed over.
    pub fn read(query: Query<'_>, accounts: &Accounts) -> Result<Self, LinkError> {
        let mut words = Words { query, wrong: None };
        let link = words.link(accounts);
        words.wrong.map_or(Ok(link), Err)
    }

    /// What is well-formed of a link, for a page that says what is wrong with the rest. A person presses its
    /// button, so it begins a chain of its own.
    #[must_use]
    pub fn salvage(query: Query<'_>, accounts: &Accounts) -> Self {
        Self { turn: Turn::FIRST, ..Words { query, wrong: None }.link(accounts) }
    }

    /// The same, for the page that goes on by itself after a wait, and so has its place in a chain. If nothing says how
    /// often the login has waited, it was as often as it may.
    #[must_use]
    pub fn salvage_in_chain(query: Query<'_>, accounts: &Accounts) -> Self {
        let mut words = Words { query, wrong: None };
        let turn = Turn { round: words.round(), waits: words.waits().unwrap_or(MOST_WAITS) };
        Self { turn, ..Self::salvage(query, accounts) }
    }

    /// The usual login of the account whose pages the caller is one of.
    #[must_use]
    pub fn of_caller(accounts: &Accounts, caller: Caller<'_>) -> Self {
        let app = match caller {
            Caller::Trusted(origin) => accounts.choice_on(origin),
            Caller::NoOrigin | Caller::Foreign => RequestedApp::default(),
        };
        Self { request: LoginRequest { app, ..LoginRequest::default() }, ..Self::default() }
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
            return log_out(None);
        }
        log_out(Some(&home))
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

/// Where a form logs out, and then goes on to this `return_to`.
#[must_use]
pub fn log_out(return_to: Option<&str>) -> String {
    let Some(target) = return_to else { return LOG_OUT.to_owned() };
    let query = Serializer::new(String::new()).append_pair("return_to", target).finish();
    format!("{LOG_OUT}?{query}")
}

/// Whether a link begins a login that asks for the profile: the page that offers it says what for.
#[must_use]
pub fn asks_for_profile(link: &str) -> bool {
    let Some((before, query)) = link.split_once('?') else { return false };
    let is_login = before.strip_suffix(AUTHORIZE).is_some_and(|origin| !origin.ends_with("/oauth2"));
    let asks = |(name, value): (_, _)| name == "scope" && value == RequestedScope::Profile.as_str();
    is_login && form_urlencoded::parse(query.as_bytes()).any(asks)
}

/// The words of a link. One that is wrong counts as left out, and the first such is remembered.
struct Words<'a> {
    query: Query<'a>,
    wrong: Option<LinkError>,
}

impl Words<'_> {
    fn link(&mut self, accounts: &Accounts) -> LoginLink {
        let served = |choice: &RequestedApp| accounts.choose(choice).filter(|account| account.serves(choice));
        let app =
            self.word("app", |text| RequestedApp::parse(text).filter(|choice| served(choice).is_some()));
        let app = app.unwrap_or_default();
        let account = accounts.choose(&app).unwrap_or(&accounts.first);
        LoginLink {
            return_to: self.one("return_to", |text| Ok(account.targets.check(text)?)),
            request: LoginRequest {
                scope: self.word("scope", RequestedScope::parse).unwrap_or_default(),
                app,
                lang: self.word("lang", Lang::parse),
                switches: RequestedSwitches {
                    force_popup: self.word("forcePopup", settings::boolean).unwrap_or(false),
                    force_snap_shot: self.word("forceSnapShot", settings::boolean).unwrap_or(false),
                },
                via_handoff: self.word("via", |text| (text == "handoff").then_some(())).is_some(),
            },
            turn: Turn { round: self.round(), waits: self.waits().unwrap_or(0) },
        }
    }

    /// `attempt=`; set by `/callback`, so that fresh logins do not go on for ever.
    fn round(&mut self) -> u64 {
        let round = |text: &str| text.parse().ok().filter(|round| (1..=MOST_ROUNDS).contains(round));
        self.word("attempt", round).unwrap_or(1)
    }

    /// `waits=`, likewise.
    fn waits(&mut self) -> Option<u64> {
        self.word("waits", |text| text.parse().ok().filter(|waits| (0..=MOST_WAITS).contains(waits)))
    }

    /// A parameter that is one of a few words.
    fn word<T>(&mut self, name: &'static str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        self.one(name, |text| parse(text).ok_or(LinkError::Value(name)))
    }

    /// A parameter that may be absent.
    fn one<T>(&mut self, name: &'static str, parse: impl FnOnce(&str) -> Result<T, LinkError>) -> Option<T> {
        let value = self.query.one(name).map_err(LinkError::from);
        match value.and_then(|text| text.map(|text| parse(&text)).transpose()) {
            Ok(value) => value,
            Err(wrong) => {
                self.wrong.get_or_insert(wrong);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use login::account::Account;
    use login::origin::Origin;
    use login::return_to::Targets;
    use wechat::AppId;

    use super::*;

    fn accounts() -> Accounts {
        let targets = Targets::new(Origin::parse("https://login.example.com").unwrap(), Vec::new());
        let first = Account {
            name: None,
            official_account: AppId::parse("wx0000000000000aaa"),
            website: None,
            component: None,
            default_return_to: targets.check("/").unwrap(),
            targets,
        };
        Accounts { first, named: Vec::new() }
    }

    fn query(text: &str) -> http::Request<()> {
        http::Request::get(format!("/authorize?{text}")).body(()).unwrap()
    }

    /// What stands right of a link stays, whatever stands beside it, and the first thing that is wrong is named.
    #[test]
    fn a_link_is_right_in_every_word_or_keeps_those_that_are() {
        const RIGHT: [(&str, &str); 8] = [
            ("return_to", "https%3A%2F%2Flogin.example.com%2Fa"),
            ("scope", "snsapi_userinfo"),
            ("lang", "en"),
            ("app", "official_account"),
            ("forcePopup", "true"),
            ("via", "handoff"),
            ("attempt", "2"),
            ("waits", "1"),
        ];
        let write = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
        };
        let accounts = accounts();
        let whole = query(&write(&RIGHT));
        let link = LoginLink::read(Query::of(&whole), &accounts).unwrap();
        assert_eq!(link.to_query(), write(&RIGHT));

        for at in 0..RIGHT.len() {
            let (name, value) = RIGHT[at];
            for wrong in ["%ff", "nothing+known", &format!("{value}&{name}={value}")] {
                let mut pairs = RIGHT;
                pairs[at].1 = wrong;
                let damaged = query(&write(&pairs));
                let error = LoginLink::read(Query::of(&damaged), &accounts).unwrap_err().to_string();
                assert!(error.contains(name), "{error}: {damaged:?}");

                let kept: Vec<_> = RIGHT.into_iter().filter(|(kept, _)| *kept != name).collect();
                let salvaged = LoginLink::salvage_in_chain(Query::of(&damaged), &accounts).to_query();
                let expected =
                    if name == "waits" { format!("{}&waits=3", write(&kept)) } else { write(&kept) };
                assert_eq!(salvaged, expected, "{damaged:?}");
                let first = LoginLink::salvage(Query::of(&damaged), &accounts);
                assert_eq!(first.turn, Turn::FIRST);
            }
        }
        let of_another = query("app=website&scope=nothing");
        assert_eq!(LoginLink::read(Query::of(&of_another), &accounts), Err(LinkError::Value("app")));
    }
}
