//! Whether the session that is there answers what a client asks. Pure: one table for the first request and for the way
//! back from a login.
//!
//! `prompt=none` never leaves for WeChat, for WeChat ends its errors on pages of its own, and no answer would reach the
//! client. `scope=profile` asks nobody by itself: load balancers and libraries send it with every first request, and an
//! unasked consent is what WeChat answers with a snapshot. `prompt=consent` is the button that asks.
//!
//! Whether a login that came back is a *new* one is told by the session's id, or by there having been none; a clock
//! says only for how long: the way back can be opened once more an hour later, when the login is none that just took
//! place. Where it was to cost a tap, it is told by what WeChat granted: somebody can leave the way and log in silently
//! by a link of his own, which says whose WeChat it is and nothing of who holds the phone. Whether WeChat showed its
//! question although it need not have (`forcePopup`) nobody can tell afterwards.

use std::time::Duration;

use login::time::Timestamp;
use openid_connect::authorization::{AuthorizationError, Prompt};
use openid_connect::client::Client;
use openid_connect::pending::PendingRequest;
use openid_connect::subject::{Subject, SubjectKind};

use crate::Person;

/// For how long a login is the one that a request has led to, however slow the way back, or the tap on the page that
/// names a client. As long as a code is good.
const JUST_LOGGED_IN: Duration = Duration::from_mins(6);

/// What a request comes to.
#[derive(Debug)]
pub enum Decision {
    /// The session answers it.
    Issue(Subject),
    /// Only a login does.
    LogIn(LogIn),
    /// WeChat is asked once more who the person is, after a tap.
    AskWechat,
    /// The client is told why not.
    Tell(AuthorizationError),
}

/// A login to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogIn {
    /// Whether WeChat asks for name and picture.
    pub asks_profile: bool,
    /// Whether the session that is there will not do, whoever it is of.
    pub is_fresh: bool,
}

impl LogIn {
    /// Whether one that WeChat grants silently will not do.
    pub const fn needs_tap(self) -> bool {
        self.asks_profile && self.is_fresh
    }

    /// A login with consent.
    pub const fn consent() -> Self {
        Self { asks_profile: true, is_fresh: false }
    }
}

/// Whom the client expects; its `id_token_hint`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// It did not say.
    Unsaid,
    /// By a token that is none of ours, or is forgotten.
    Unknown,
    /// The person of this `sub`.
    Subject(Subject),
}

/// Who asks, and who is there: all that a decision depends on.
#[derive(Debug)]
pub struct Situation<'a> {
    /// What `sub` is.
    pub subject: SubjectKind,
    /// The client that asks.
    pub client: &'a Client,
    /// What it asks.
    pub pending: &'a PendingRequest,
    /// Who is logged in in the browser, by an app of the client's account.
    pub person: Option<&'a Person>,
    /// Whom the client expects.
    pub hint: &'a Hint,
    /// Whether a login lies behind.
    pub is_back: bool,
    /// When it asks.
    pub now: Timestamp,
}

/// Decides.
pub fn decide(situation: &Situation<'_>) -> Decision {
    let &Situation { subject, client, pending, person, hint, is_back, now } = situation;
    let asked = &pending.request;
    let may_ask = asked.prompt != Prompt::None;
    let asks_profile = asked.scope.has("profile") && client.asks_profile;
    let log_in = |asks_profile, is_fresh| {
        if may_ask {
            Decision::LogIn(LogIn { asks_profile, is_fresh })
        } else {
            Decision::Tell(AuthorizationError::LoginRequired)
        }
    };
    // The session that a new login was to replace is nobody's.
    let is_another = |person: &&Person| pending.not_session.as_ref() != Some(&person.id);
    let Some(person) = person.filter(is_another) else {
        let is_asked = matches!(asked.prompt, Prompt::Login | Prompt::Consent);
        return log_in(
            asks_profile || is_asked,
            asked.prompt == Prompt::Login || pending.not_session.is_some(),
        );
    };
    // Of a login by a phone the tap is the one on the phone.
    let cost_tap = person.session.scope.includes_profile() || person.session.is_handed_over();
    let age = now.since(person.stored.created_at);
    // What a new login was asked for has been answered by one, just now.
    let is_renewed = is_back
        && age < JUST_LOGGED_IN
        && (pending.not_session.is_some() || pending.nobody_was_there)
        && (cost_tap || !pending.needs_tap);
    // The clock has seconds: who asks for 0 asks for a new login.
    if !is_renewed && (asked.prompt == Prompt::Login || asked.max_age().is_some_and(|max| age >= max)) {
        return log_in(true, true);
    }
    let wants_consent = asked.prompt == Prompt::Consent || asks_profile;
    if !is_back && wants_consent && person.session.profile.is_none() {
        return if may_ask {
            Decision::LogIn(LogIn::consent())
        } else {
            Decision::Tell(AuthorizationError::ConsentRequired)
        };
    }
    let Some(subject) = subject.of(&person.session) else {
        // A login with consent brings the unionid, if there is one. One that lies before this request was perhaps made
        // when there was none yet: the apps can have been bound to an Open Platform account since.
        return match (may_ask, is_back && person.brings_unionid()) {
            (false, _) => Decision::Tell(AuthorizationError::InteractionRequired),
            (true, true) => Decision::Tell(AuthorizationError::NoUnionId),
            (true, false) => Decision::AskWechat,
        };
    };
    match hint {
        Hint::Unsaid => Decision::Issue(subject),
        Hint::Unknown if may_ask => Decision::Issue(subject),
        Hint::Subject(expected) if *expected == subject => Decision::Issue(subject),
        Hint::Unknown | Hint::Subject(_) if is_back => Decision::Tell(AuthorizationError::LoginRequired),
        Hint::Unknown | Hint::Subject(_) => log_in(false, true),
    }
}
