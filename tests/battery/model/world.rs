//! The model: what the design promises, as small as it can be said.
//!
//! No part of it is taken from what it judges. It knows one person's clock, no process ever dies, nothing
//! is sealed, and every write is one statement.

use std::collections::HashMap;

use super::{
    steps::{Ago, BROWSERS, Question, Step, Way, WhichCode, Who},
    words::{
        App, Asked, Brings, Consent, Counts, Has, Lang, Link, Lost, Person, Place, Scope, Shown, Target,
        Twist, Wrong,
    },
};

/// How many seconds a unit of time is. No multiple of it is within a minute of the end of anything, so that
/// neither the moments nor the time that the sequence itself takes decide anything.
pub const UNIT: u64 = 230;

/// How many seconds may pass in moments.
const MOST_MOMENTS: u64 = 31;

const LOGIN_LIFETIME: u64 = 10 * 60;
const BROWSER_COOKIE_LIFETIME: u64 = 24 * 3600;
const SESSION_LIFETIME: u64 = 7 * 24 * 3600;
const ACCESS_TOKEN_LIFETIME: u64 = 7200;

/// Everything there is.
#[derive(Default)]
pub struct World {
    /// Units since the beginning.
    pub clock: u64,
    /// Seconds of moments that passed besides.
    pub moments: u64,
    /// Whether a profile is read again on every occasion.
    pub is_always_stale: bool,
    pub browsers: [Visitor; BROWSERS],
    pub logins: Vec<Login>,
    pub guards: HashMap<Code, Guard>,
    pub sessions: Vec<Session>,
    pub codes: Vec<Issued>,
    /// The callbacks to which WeChat sent somebody.
    pub arrivals: Vec<(usize, Option<usize>)>,
    /// How many browser secrets there have been.
    pub secrets: usize,
    pub counts: Counts,
}

/// A browser.
#[derive(Clone, Copy, Default)]
pub struct Visitor {
    pub browser: Option<Cookie>,
    pub session: Option<Cookie>,
    /// The fresh login to which it was sent last.
    pub fresh: Option<Link>,
}

/// A cookie in a jar.
#[derive(Clone, Copy)]
pub struct Cookie {
    /// Which; `None` if it is malformed.
    pub number: Option<usize>,
    /// When it was set; one that is malformed stays.
    pub set_at: u64,
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
    /// How many codes were marked spent because they came to it in another browser.
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
}

/// A session.
#[derive(Clone, Copy)]
pub struct Session {
    pub login: usize,
    pub person: Person,
    pub app: App,
    pub scope: Scope,
    pub begun_at: u64,
    /// The moments that had passed by then.
    pub moments: u64,
    pub is_stored: bool,
    /// Whether it was ended by the person.
    pub was_left: bool,
    /// When its access token was issued.
    pub token_at: u64,
    pub profile: Profile,
    pub wants_profile: bool,
}

/// What a session knows of a person's profile.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum Profile {
    Unknown,
    /// It was read, in the language that was asked for if one was.
    Read(Option<Lang>),
}

/// A code at WeChat.
#[derive(Clone, Copy)]
pub struct Issued {
    /// The login for which it was issued first.
    pub login: usize,
    pub person: Person,
    pub app: App,
    pub scope: Scope,
    /// When it was issued.
    pub since: u64,
    pub is_used: bool,
}

/// A step, once it is known what it acts on.
#[derive(Clone, Copy, Debug)]
pub enum Action {
    /// A browser opens a link to a login.
    Authorize { browser: usize, link: Link },
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
    pub fn new(is_always_stale: bool) -> Self {
        Self { is_always_stale, ..Self::default() }
    }

    /// Whether a lifetime is over that began at this time.
    pub fn is_over(&self, since: u64, lifetime: u64) -> bool {
        (self.clock - since) * UNIT >= lifetime
    }

    pub fn is_expired(&self, login: &Login) -> bool {
        self.is_over(login.begun_at, LOGIN_LIFETIME)
    }

    pub fn needs_new_token(&self, session: &Session) -> bool {
        self.is_over(session.token_at, ACCESS_TOKEN_LIFETIME)
    }

    /// Whether a code still becomes a session at WeChat's, for this app.
    pub fn is_good(&self, issued: &Issued, app: App) -> bool {
        let lifetime = match issued.app {
            App::OfficialAccount => 5 * 60,
            App::Website => 10 * 60,
        };
        !issued.is_used && issued.app == app && !self.is_over(issued.since, lifetime)
    }

    /// A session, if it can still be opened.
    pub fn open(&self, session: usize) -> Option<&Session> {
        let found = self.sessions.get(session)?;
        (found.is_stored && !self.is_over(found.begun_at, SESSION_LIFETIME)).then_some(found)
    }

    /// The browser secret that a browser sends; `None` if it sends none, or none that is well-formed.
    pub fn secret_of(&self, browser: usize) -> Option<usize> {
        let cookie = self.browsers.get(browser)?.browser?;
        cookie.number.filter(|_| !self.is_over(cookie.set_at, BROWSER_COOKIE_LIFETIME))
    }

    /// The session that a browser sends.
    pub fn session_of(&self, browser: usize) -> Option<usize> {
        let cookie = self.browsers.get(browser)?.session?;
        cookie.number.filter(|_| !self.is_over(cookie.set_at, SESSION_LIFETIME))
    }

    /// What is in the tables now, and what was asked of WeChat.
    pub fn count(&self) -> Counts {
        let done = self.guards.values().filter(|guard| guard.is_done).count();
        Counts {
            logins: self.logins.iter().filter(|login| !login.is_removed).count(),
            guards: [0, done, self.guards.len() - done],
            sessions: self.sessions.iter().filter(|session| session.is_stored).count(),
            ..self.counts
        }
    }

    /// What a step acts on. A callback before there is any goes to WeChat first, and whoever wants to go to
    /// WeChat begins a login first.
    pub fn resolve(&self, step: &Step) -> Option<Action> {
        let begin = |browser| Action::Authorize { browser, link: Link::PLAIN };
        let consent = |login, person, consent| Action::Wechat { login, person, consent };
        Some(match *step {
            Step::Follow { browser } => {
                let link = self.browsers.get(browser)?.fresh;
                Action::Authorize { browser, link: link.unwrap_or(Link::PLAIN) }
            }
            Step::Wechat { login, person, consent: answer } => match back(self.logins.len(), login) {
                Some(login) => consent(login, person, answer),
                None => begin(0),
            },
            Step::Do(Action::Pass { seconds }) if seconds < UNIT => {
                Action::Pass { seconds: seconds.min(MOST_MOMENTS - self.moments) }
            }
            Step::Do(action) => action,
            Step::Callback { who, arrival, code, twist, copies } => {
                let Some(number) = back(self.arrivals.len(), arrival) else {
                    let browser = if let Who::Browser(browser) = who { browser } else { 0 };
                    let login = back(self.logins.len(), arrival);
                    return Some(login.map_or_else(
                        || begin(browser),
                        |login| consent(login, Person::Lin, Consent::Given),
                    ));
                };
                let (login, own) = *self.arrivals.get(number)?;
                let code = match code {
                    WhichCode::Own => own.map(Code::Issued),
                    WhichCode::OfAnother(ago) => back(self.codes.len(), ago).map(Code::Issued),
                    WhichCode::MadeUp(number) => Some(Code::MadeUp(number)),
                };
                let browser = match who {
                    Who::Owner => self.owner_of(login)?,
                    Who::Browser(browser) => browser,
                };
                Action::Callback { browser, login, code, twist, copies }
            }
        })
    }

    /// The browser whose login it is; the one in which it was begun if none has its secret any more.
    fn owner_of(&self, login: usize) -> Option<usize> {
        let login = self.logins.get(login)?;
        let owner = (0..BROWSERS).find(|browser| self.secret_of(*browser) == Some(login.secret));
        Some(owner.unwrap_or(login.begun_in))
    }

    /// A cookie goes, or goes bad.
    pub fn lose(&mut self, browser: usize, what: Lost) {
        let spoiled = Some(Cookie { number: None, set_at: self.clock });
        let Some(visitor) = self.browsers.get_mut(browser) else { return };
        match what {
            Lost::Browser => visitor.browser = None,
            Lost::Session => visitor.session = None,
            Lost::Both => (visitor.browser, visitor.session) = (None, None),
            Lost::BrowserSpoiled => visitor.browser = spoiled,
            Lost::SessionSpoiled => visitor.session = spoiled,
        }
    }

    /// A browser comes by the session of another one.
    pub fn borrow(&mut self, from: usize, to: usize) {
        let session = self.browsers.get(from).and_then(|visitor| visitor.session);
        let session = session
            .filter(|session| session.number.is_some() && !self.is_over(session.set_at, SESSION_LIFETIME));
        if let (Some(session), Some(visitor)) = (session, self.browsers.get_mut(to)) {
            visitor.session = Some(session);
        }
    }

    /// WeChat's page is answered.
    pub fn consent(&mut self, login: usize, person: Person, consent: Consent) -> Option<Place> {
        let (app, scope) = self.logins.get(login).map(|login| (login.app, login.scope))?;
        // Only the consent page asks; of the others, the simulator tells nobody who refused.
        let is_asked = scope == Scope::UserInfo;
        let code = if is_asked && matches!(consent, Consent::Refused | Consent::RefusedInWords) {
            None
        } else {
            let again = (scope == Scope::Base && consent == Consent::GivenAgain)
                .then(|| self.silent_code(person, app))
                .flatten();
            Some(again.unwrap_or_else(|| {
                self.codes.push(Issued { login, person, app, scope, since: self.clock, is_used: false });
                self.codes.len() - 1
            }))
        };
        self.arrivals.push((login, code));
        Some(Place::Callback { login, code })
    }

    /// The code that this person was silently given a moment ago.
    fn silent_code(&self, person: Person, app: App) -> Option<usize> {
        let same =
            |issued: &Issued| issued.person == person && issued.app == app && issued.scope == Scope::Base;
        let latest = self.codes.iter().rposition(same)?;
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

    /// The page that says why a login did not go through.
    pub fn error(reason: &str, link: Option<&Link>) -> Place {
        Place::Error {
            reason: reason.to_owned(),
            target: link.map_or(Target::Default, |link| link.target),
            app: link.and_then(|link| link.app),
        }
    }
}

/// What appeared so long ago, of so many.
fn back(many: usize, ago: Ago) -> Option<usize> {
    (many > 0).then(|| many - 1 - ago % many)
}
