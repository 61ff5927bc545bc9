//! The model: what the design promises, as small as it can be said.
//!
//! No part of it is taken from what it judges. It knows one person's clock, no process ever dies, nothing
//! is sealed, and every write is one statement.

use std::collections::HashMap;

use super::{
    links::{Link, Place},
    steps::{BROWSERS, Question, Way},
    words::{App, Asked, Brings, Consent, Counts, Has, Lang, Lost, Person, Scope, Shown, Twist, Wrong},
};

/// How many seconds a unit of time is. No multiple of it is within a minute of the end of anything, so that
/// neither the moments nor the time that the sequence itself takes decide anything.
pub const UNIT: u64 = 235;

/// How many seconds may pass in moments.
pub const MOST_MOMENTS: u64 = 31;

const LOGIN_LIFETIME: u64 = 10 * 60;
const WEBSITE_LOGIN_LIFETIME: u64 = 30 * 60;
const SESSION_LIFETIME: u64 = 7 * 24 * 3600;
const ACCESS_TOKEN_LIFETIME: u64 = 7200;

/// How long a browser secret lives, and how much of that must be left when a login begins with it.
const BROWSER_LIFETIME: u64 = 24 * 3600;
const BROWSER_RESERVE: u64 = 3600;

/// How often WeChat is asked about a session at most, unless profiles are to be fresher than that: longer than
/// the moments and the sequence itself.
const SHORTEST_INTERVAL: u64 = 60;

/// Everything there is.
#[derive(Default)]
pub struct World {
    /// Units since the beginning.
    pub clock: u64,
    /// Seconds of moments that passed besides.
    pub moments: u64,
    /// For how many seconds a profile is served before it is read again.
    pub profile_lifetime: u64,
    pub browsers: [Visitor; BROWSERS],
    pub logins: Vec<Login>,
    pub guards: HashMap<Code, Guard>,
    pub sessions: Vec<Session>,
    pub codes: Vec<Issued>,
    /// The callbacks to which WeChat sent somebody.
    pub arrivals: Vec<(usize, Option<usize>)>,
    /// The browser secrets that there have been.
    pub secrets: Vec<Secret>,
    /// The session tokens that there have been, of each what it is made of.
    pub tokens: Vec<Token>,
    pub counts: Counts,
}

/// A browser.
#[derive(Clone, Copy, Default)]
pub struct Visitor {
    pub browser: Option<Cookie>,
    pub session: Option<Cookie>,
    /// The login to which it was sent last, or which the page offers that it was sent to.
    pub fresh: Option<Link>,
}

/// A cookie in a jar.
#[derive(Clone, Copy)]
pub struct Cookie {
    /// Which; `None` if it is malformed.
    pub number: Option<usize>,
    /// Since when its lifetime counts; `None` if it stays whatever happens.
    pub since: Option<u64>,
}

/// A browser secret.
#[derive(Clone, Copy)]
pub struct Secret {
    pub born_at: u64,
    /// Whether a logout made it, and no login.
    pub by_logout: bool,
}

/// All that a session token is made of: browser secret, login, code. One that somebody made without a code has
/// none, and opens nothing.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Token {
    pub secret: usize,
    pub login: usize,
    pub code: Option<Code>,
}

/// A login that was begun.
#[derive(Clone, Copy)]
pub struct Login {
    pub secret: usize,
    pub begun_in: usize,
    pub app: App,
    pub scope: Scope,
    pub link: Link,
    pub begun_at: u64,
    pub claimed: Option<Code>,
    /// Whether it was begun because the browser was sent there.
    pub is_fresh: bool,
    /// Whether it was removed from the table when it was over.
    pub is_removed: bool,
    /// How many codes were marked spent because they came to it in another browser, or too late.
    pub marks: usize,
    /// How often another browser came with it, and what the last one had and brought.
    pub meetings: usize,
    pub met: Option<(Has, Brings)>,
}

/// A code: WeChat's, or anybody's.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Code {
    Issued(usize),
    MadeUp(u8),
}

/// What is remembered of a code.
#[derive(Clone, Copy)]
pub struct Guard {
    pub login: usize,
    pub secret: usize,
    pub is_done: bool,
    /// Whether WeChat said that the visitor is on a snapshot page.
    pub is_snapshot: bool,
}

/// A session.
#[derive(Clone, Copy)]
pub struct Session {
    pub token: usize,
    pub login: usize,
    pub person: Person,
    pub app: App,
    pub scope: Scope,
    pub begun_at: u64,
    /// The moments that had passed by then.
    pub moments: u64,
    /// Why it is not stored any more, if it is not.
    pub ended: Option<End>,
    /// When its access token was issued.
    pub token_at: u64,
    /// When WeChat last said something of it since the login.
    pub confirmed_at: Option<u64>,
    pub profile: Option<Profile>,
    pub has_unionid: bool,
    pub wants_profile: bool,
}

/// How a session ends before its time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// The person ended it.
    Left,
    /// Another login came in the browser that had it.
    Replaced,
}

/// What a session knows of a person's profile: in which language it was asked for, if in one, when, and
/// whether after the login.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Profile {
    pub lang: Option<Lang>,
    pub read_at: u64,
    pub is_read_again: bool,
}

/// A code at WeChat.
#[derive(Clone, Copy)]
pub struct Issued {
    /// The login for which it was issued first.
    pub login: usize,
    pub person: Person,
    pub app: App,
    pub scope: Scope,
    /// Whether nobody was asked for it.
    pub is_silent: bool,
    /// Whether it is of a snapshot page, on which nobody real logs in.
    pub is_snapshot: bool,
    /// When it was issued.
    pub since: u64,
    pub is_used: bool,
}

/// A step, once it is known what it acts on.
#[derive(Clone, Copy, Debug)]
pub enum Action {
    /// A browser opens a link to a login, in which all it does not ask for may stand empty.
    Authorize { browser: usize, link: Link, has_empty: bool },
    /// A browser opens a link that begins no login.
    Refused { browser: usize, wrong: Wrong },
    /// WeChat's page for a login is answered.
    Wechat { login: usize, person: Person, consent: Consent },
    /// A callback is opened, by so many tabs at once.
    Callback { browser: usize, login: usize, code: Option<Code>, twist: Twist, copies: usize },
    /// Time passes: whole units of it, or a moment.
    Pass { seconds: u64 },
    /// DynamoDB removes every login that is past its time.
    Remove,
    /// A script or a person asks who is logged in.
    Userinfo { browser: usize, question: Question },
    /// A session is ended.
    Leave { browser: usize, way: Way },
    /// A cookie is lost, or spoiled.
    Lose { browser: usize, what: Lost },
    /// A browser presents the session of another one.
    Borrow { from: usize, to: usize },
    /// A browser comes by the secret of another one, or has it planted, and keeps it for ever.
    Share { from: usize, to: usize },
    /// A browser makes itself the session that its secret, the state and this code would lead to.
    Forge { browser: usize, login: usize, code: Option<Code> },
}

/// What came of a request, before anything is counted; status 0 where the product answers nothing.
pub struct Answered {
    pub status: u16,
    pub place: Place,
    pub changes: Vec<super::words::Change>,
    pub shown: Option<Shown>,
}

impl Answered {
    pub fn with(status: u16) -> Self {
        Self { status, place: Place::Nowhere, changes: Vec::new(), shown: None }
    }
}

impl World {
    pub fn new(profile_lifetime: u64) -> Self {
        Self { profile_lifetime, ..Self::default() }
    }

    /// Whether a lifetime is over that began at this time.
    pub fn is_over(&self, since: u64, lifetime: u64) -> bool {
        (self.clock - since) * UNIT >= lifetime
    }

    pub fn is_expired(&self, login: &Login) -> bool {
        let lifetime = match login.app {
            App::OfficialAccount => LOGIN_LIFETIME,
            App::Website => WEBSITE_LOGIN_LIFETIME,
        };
        self.is_over(login.begun_at, lifetime)
    }

    pub fn needs_new_token(&self, session: &Session) -> bool {
        self.is_over(session.token_at, ACCESS_TOKEN_LIFETIME)
    }

    /// Whether it was so short a time ago that WeChat is not asked again.
    pub fn is_recent(&self, then: u64) -> bool {
        !self.is_over(then, SHORTEST_INTERVAL.min(self.profile_lifetime))
    }

    /// Whether WeChat said a moment ago that the grant of this session stands.
    pub fn is_confirmed(&self, session: &Session) -> bool {
        session.confirmed_at.is_some_and(|confirmed_at| self.is_recent(confirmed_at))
    }

    /// Whether a code still becomes something at WeChat's, for this app.
    pub fn is_good(&self, issued: &Issued, app: App) -> bool {
        let lifetime = match issued.app {
            App::OfficialAccount => 5 * 60,
            App::Website => 10 * 60,
        };
        !issued.is_used && issued.app == app && !self.is_over(issued.since, lifetime)
    }

    /// The session that is stored for a token, over or not, by its place among all.
    pub fn stored(&self, token: usize) -> Option<usize> {
        self.sessions.iter().position(|session| session.token == token && session.ended.is_none())
    }

    /// The session that a token opens.
    pub fn open(&self, token: usize) -> Option<usize> {
        let found = self.stored(token)?;
        let begun_at = self.sessions.get(found)?.begun_at;
        (!self.is_over(begun_at, SESSION_LIFETIME)).then_some(found)
    }

    /// The session at hand in a browser.
    pub fn present(&self, browser: usize) -> Option<&Session> {
        self.sessions.get(self.open(self.token_of(browser)?)?)
    }

    /// The browser secret that a browser sends; `None` if it sends none, or none that is well-formed.
    pub fn secret_of(&self, browser: usize) -> Option<usize> {
        let cookie = self.browsers.get(browser)?.browser?;
        cookie.number.filter(|_| cookie.since.is_none_or(|since| !self.is_over(since, BROWSER_LIFETIME)))
    }

    /// Whether a login may still begin with a secret.
    pub fn is_young(&self, secret: usize) -> bool {
        let born_at = self.secrets.get(secret).map(|secret| secret.born_at);
        born_at.is_some_and(|born_at| !self.is_over(born_at, BROWSER_LIFETIME - BROWSER_RESERVE))
    }

    /// The session token that a browser sends.
    pub fn token_of(&self, browser: usize) -> Option<usize> {
        let cookie = self.browsers.get(browser)?.session?;
        cookie.number.filter(|_| cookie.since.is_none_or(|since| !self.is_over(since, SESSION_LIFETIME)))
    }

    /// The number of a session token that somebody has seen.
    pub fn seen(&self, token: Token) -> Option<usize> {
        self.tokens.iter().position(|known| *known == token)
    }

    /// The number of a session token that somebody sees now.
    pub fn see(&mut self, token: Token) -> usize {
        self.seen(token).unwrap_or_else(|| {
            self.tokens.push(token);
            self.tokens.len() - 1
        })
    }

    /// What is in the tables now, and what was asked of WeChat.
    pub fn count(&self) -> Counts {
        let done = self.guards.values().filter(|guard| guard.is_done).count();
        Counts {
            logins: self.logins.iter().filter(|login| !login.is_removed).count(),
            guards: [0, done, self.guards.len() - done],
            sessions: self.sessions.iter().filter(|session| session.ended.is_none()).count(),
            ..self.counts
        }
    }

    /// WeChat's page is answered.
    pub fn consent(&mut self, number: usize, person: Person, consent: Consent) -> Option<Place> {
        let Login { app, scope, link, .. } = *self.logins.get(number)?;
        // Nobody is asked on a snapshot page; and of those who are silent or scan, the simulator tells
        // nobody who refused.
        let is_snapshot = scope == Scope::UserInfo && link.switches.snapshot;
        let is_asked = scope == Scope::UserInfo && !is_snapshot;
        let is_silent = scope == Scope::Base || is_snapshot;
        let code = if is_asked && matches!(consent, Consent::Refused | Consent::RefusedInWords) {
            None
        } else {
            let issued = Issued {
                login: number,
                person,
                app,
                scope,
                is_silent,
                is_snapshot,
                since: self.clock,
                is_used: false,
            };
            let again = (is_silent && consent == Consent::GivenAgain).then(|| self.given_before(&issued));
            Some(again.flatten().unwrap_or_else(|| {
                self.codes.push(issued);
                self.codes.len() - 1
            }))
        };
        self.arrivals.push((number, code));
        Some(Place::Callback { login: number, code })
    }

    /// The code that this person was silently given a moment ago.
    fn given_before(&self, wanted: &Issued) -> Option<usize> {
        let of = |issued: &Issued| (issued.person, issued.app, issued.scope, issued.is_silent);
        let latest = self.codes.iter().rposition(|issued| of(issued) == of(wanted))?;
        self.codes.get(latest).filter(|issued| issued.since == self.clock).map(|_| latest)
    }

    /// What a link to a login asks WeChat for, and of which app.
    pub fn route(link: &Link, is_wechat: bool) -> (App, Scope) {
        let app = link.app.unwrap_or(if is_wechat { App::OfficialAccount } else { App::Website });
        let scope = match (app, link.asked) {
            (App::Website, _) => Scope::Login,
            (App::OfficialAccount, Asked::Profile) => Scope::UserInfo,
            (App::OfficialAccount, Asked::Identity | Asked::Auto) => Scope::Base,
        };
        (app, scope)
    }
}
