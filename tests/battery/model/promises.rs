//! What the model answers: the table of `/callback` from its top to its bottom, and the few lines that
//! the other routes need.

use super::{
    steps::{From, Question, Way},
    words::{App, Asked, Change, Details, Link, Place, Seen, Shown, Twist, Word, Wrong},
    world::{Action, Answered, Code, Cookie, Guard, Login, Profile, Session, UNIT, World},
};

/// How often a login is begun before a person has to press a button.
const MOST_ATTEMPTS: u64 = 2;

/// How many codes of a login are marked as spent that came in another browser.
const MOST_MARKS: usize = 3;

/// The browser that is not WeChat's.
const DESKTOP: usize = super::steps::BROWSERS - 1;

/// Where an answer leads, and what it does to the cookies.
type Led = (Place, Vec<Change>);

impl World {
    /// What is to be seen of an action.
    pub fn act(&mut self, action: Option<Action>) -> Seen {
        let answered = action.map_or_else(|| Answered::with(0), |action| self.answer(action));
        let Answered { status, place, changes, shown } = answered;
        Seen { status, place, changes, shown, counts: self.count(), oddities: Vec::new() }
    }

    fn answer(&mut self, action: Action) -> Answered {
        match action {
            Action::Authorize { browser, link } => return self.authorize(browser, link),
            Action::Refused { wrong, .. } => {
                return Answered::with(if wrong == Wrong::InFrame { 403 } else { 400 });
            }
            Action::Wechat { login, person, consent } => {
                let place = self.consent(login, person, consent).unwrap_or(Place::Nowhere);
                return Answered { place, ..Answered::with(0) };
            }
            // Copies of it that come at once are answered alike.
            Action::Callback { browser, login, code, twist, copies: _ } => {
                let (place, changes) = self.callback(browser, login, code, twist);
                if let (Place::Fresh(link), Some(visitor)) = (&place, self.browsers.get_mut(browser)) {
                    visitor.fresh = Some(*link);
                }
                self.keep(browser, &changes);
                return Answered { place, changes, ..Answered::with(303) };
            }
            Action::Userinfo { browser, question } => {
                let (status, shown) = self.userinfo(browser, question);
                return Answered { shown, ..Answered::with(status) };
            }
            Action::Leave { browser, way } => return self.leave(browser, way),
            Action::Pass { seconds } => {
                self.clock += seconds / UNIT;
                self.moments += seconds % UNIT;
            }
            Action::Remove => {
                let is_over: Vec<_> = self.logins.iter().map(|login| self.is_expired(login)).collect();
                for (login, is_over) in self.logins.iter_mut().zip(is_over) {
                    login.is_removed |= is_over;
                }
            }
            Action::Lose { browser, what } => self.lose(browser, what),
            Action::Borrow { from, to } => self.borrow(from, to),
        }
        Answered::with(0)
    }

    /// Puts what an answer sets into the browser's jar.
    fn keep(&mut self, browser: usize, changes: &[Change]) {
        let set_at = self.clock;
        let Some(visitor) = self.browsers.get_mut(browser) else { return };
        for change in changes {
            match *change {
                Change::Browser(number) => visitor.browser = Some(Cookie { number: Some(number), set_at }),
                Change::Session(number) => visitor.session = Some(Cookie { number: Some(number), set_at }),
                Change::SessionCleared => visitor.session = None,
                Change::Unknown(_) => {}
            }
        }
    }

    fn authorize(&mut self, browser: usize, link: Link) -> Answered {
        let secret = self.secret_of(browser).unwrap_or(self.secrets);
        self.secrets = self.secrets.max(secret + 1);
        let (app, scope) = Self::route(&link, browser != DESKTOP);
        let is_fresh = self.browsers.get(browser).is_some_and(|visitor| visitor.fresh == Some(link));
        self.logins.push(Login {
            secret,
            begun_in: browser,
            app,
            scope,
            link,
            begun_at: self.clock,
            claimed: None,
            is_fresh,
            is_removed: false,
            marks: 0,
            meetings: 0,
            met: None,
        });
        let lang = link.lang.filter(|_| app == App::Website).map(|lang| lang.of_the_qr_page().to_owned());
        let place = Place::Wechat { app, scope, lang, login: self.logins.len() - 1 };
        let changes = vec![Change::Browser(secret)];
        self.keep(browser, &changes);
        Answered { place, changes, ..Answered::with(302) }
    }

    /// The callback, in the order of its guards.
    fn callback(&mut self, browser: usize, login: usize, code: Option<Code>, twist: Twist) -> Led {
        let malformed = match twist {
            Twist::InFrame => return (Self::error("not_a_page", None), Vec::new()),
            Twist::NoState | Twist::MalformedState | Twist::TwoStates => true,
            // They need a code to be wrong about.
            Twist::TwoCodes | Twist::MalformedCode => code.is_some(),
            _ => false,
        };
        if malformed {
            return (Self::error("invalid_request", None), Vec::new());
        }
        let code = code.filter(|_| !matches!(twist, Twist::NoCode | Twist::EmptyCode | Twist::DeniedCode));
        let login = Some(login).filter(|_| twist != Twist::UnknownState);
        let begun = login.and_then(|login| self.logins.get(login).copied());
        let begun = begun.filter(|login| !login.is_removed);
        let secret = self.secret_of(browser);
        let Some(code) = code else {
            return (self.denied(begun.as_ref(), secret), Vec::new());
        };
        self.meet(browser, login, code);
        let link = begun.map(|begun| begun.link);
        let Some(secret) = secret else {
            return (fresh("cookie_missing", link.as_ref()), Vec::new());
        };
        let (Some(login), Some(begun)) = (login, begun) else {
            return (fresh("login_expired", None), Vec::new());
        };
        if begun.secret != secret {
            self.mark(login, code, secret);
            return (fresh("login_expired", Some(&begun.link)), Vec::new());
        }
        if self.is_expired(&begun) {
            return (fresh("login_expired", Some(&begun.link)), Vec::new());
        }
        if let Some(claimed) = begun.claimed {
            return self.repeat(login, &begun.link, claimed);
        }
        if let Some(guard) = self.guards.get(&code).copied() {
            return (self.join(browser, secret, &begun.link, guard), Vec::new());
        }
        self.exchange(browser, login, code)
    }

    /// Another browser comes with a login.
    fn meet(&mut self, browser: usize, login: Option<usize>, code: Code) {
        let (secret, Some(number)) = (self.secret_of(browser), login) else { return };
        let met = match code {
            Code::Issued(code) => self.meeting(browser, number, code),
            Code::MadeUp(_) => None,
        };
        if let Some(login) = self.logins.get_mut(number).filter(|login| secret != Some(login.secret)) {
            login.meetings += 1;
            login.met = met;
        }
    }

    /// The person declined, or it looks so.
    fn denied(&self, begun: Option<&Login>, secret: Option<usize>) -> Place {
        match begun {
            Some(begun) if secret == Some(begun.secret) && !self.is_expired(begun) => {
                Place::Target { target: begun.link.target, was_denied: true }
            }
            _ => Self::error("access_denied", begun.map(|begun| &begun.link)),
        }
    }

    /// A code was seen by a browser that was not to see it.
    fn mark(&mut self, login: usize, code: Code, secret: usize) {
        let is_over = self.logins.get(login).is_none_or(|begun| self.is_expired(begun));
        if is_over || self.guards.contains_key(&code) {
            return;
        }
        if let Some(begun) = self.logins.get_mut(login)
            && begun.marks < MOST_MARKS
        {
            begun.marks += 1;
            self.guards.insert(code, Guard { login, secret, is_done: false });
        }
    }

    /// The same login again: the same answer while its session is there.
    fn repeat(&self, login: usize, link: &Link, claimed: Code) -> Led {
        let is_done = self.guards.get(&claimed).is_some_and(|guard| guard.is_done);
        let session = self.sessions.iter().position(|session| session.login == login);
        match session.filter(|session| is_done && self.open(*session).is_some()) {
            Some(session) => {
                (Place::Target { target: link.target, was_denied: false }, vec![Change::Session(session)])
            }
            None => (fresh("login_expired", Some(link)), Vec::new()),
        }
    }

    /// The code of another login: good only where that one's session is.
    fn join(&self, browser: usize, secret: usize, link: &Link, guard: Guard) -> Place {
        let session = self.session_of(browser).and_then(|session| self.open(session));
        if guard.secret == secret && session.is_some_and(|session| session.login == guard.login) {
            Place::Target { target: link.target, was_denied: false }
        } else {
            fresh("login_expired", Some(link))
        }
    }

    fn exchange(&mut self, browser: usize, login: usize, code: Code) -> Led {
        let secret = self.secret_of(browser).unwrap_or_default();
        let replaced = self.session_of(browser);
        let Some(begun) = self.logins.get_mut(login) else { return (Place::Nowhere, Vec::new()) };
        begun.claimed = Some(code);
        let begun = *begun;
        self.counts.exchanges += 1;
        self.counts.sent = Some(code);
        let number = match code {
            Code::Issued(number) => Some(number),
            Code::MadeUp(_) => None,
        };
        let issued = number.and_then(|number| self.codes.get(number).copied());
        let Some(issued) = issued.filter(|issued| self.is_good(issued, begun.app)) else {
            self.guards.insert(code, Guard { login, secret, is_done: false });
            return (fresh("login_expired", Some(&begun.link)), Vec::new());
        };
        if let Some(issued) = number.and_then(|number| self.codes.get_mut(number)) {
            issued.is_used = true;
        }
        // A person's grant is that of the code, whatever the login asked for.
        self.counts.profiles += usize::from(issued.scope.has_profile());
        self.guards.insert(code, Guard { login, secret, is_done: true });
        if let Some(replaced) = replaced.and_then(|number| self.sessions.get_mut(number)) {
            replaced.is_stored = false;
        }
        self.sessions.push(Session {
            login,
            person: issued.person,
            app: issued.app,
            scope: issued.scope,
            begun_at: self.clock,
            moments: self.moments,
            is_stored: true,
            was_left: false,
            token_at: self.clock,
            profile: if issued.scope.has_profile() {
                Profile::Read(begun.link.lang)
            } else {
                Profile::Unknown
            },
            wants_profile: begun.link.asked == Asked::Auto,
        });
        let place = Place::Target { target: begun.link.target, was_denied: false };
        (place, vec![Change::Session(self.sessions.len() - 1)])
    }

    fn userinfo(&mut self, browser: usize, question: Question) -> (u16, Option<Shown>) {
        if question.from == From::Stranger {
            return (403, None);
        }
        let Some(number) = self.session_of(browser) else { return (401, None) };
        let Some(mut session) = self.open(number).copied() else { return (401, None) };
        if question.verify {
            self.counts.verifications += 1;
            if self.needs_new_token(&session) {
                self.renew(&mut session);
                self.counts.verifications += 1;
            }
        }
        let known = match session.profile {
            Profile::Unknown => None,
            Profile::Read(lang) => lang,
        };
        let lang = question.lang.or(known);
        let is_at_hand = session.profile == Profile::Read(lang) && !self.is_always_stale;
        if session.scope.has_profile() && !is_at_hand {
            self.counts.profiles += 1;
            if self.needs_new_token(&session) {
                self.renew(&mut session);
                self.counts.profiles += 1;
            }
            session.profile = Profile::Read(lang);
        }
        if let Some(kept) = self.sessions.get_mut(number) {
            *kept = session;
        }
        let has_profile = session.profile != Profile::Unknown;
        let of = |is_known: bool| is_known.then_some(session.person);
        let details = Details {
            nickname_of: of(has_profile),
            unionid_of: of(session.scope.has_profile()),
            scope: session.scope.as_str().to_owned(),
            has_upgrade_url: session.wants_profile && !has_profile && !session.scope.has_profile(),
            age: self.clock - session.begun_at,
        };
        let details = (question.from == From::Script).then_some(details);
        (200, Some(Shown { person: session.person, app: session.app, details }))
    }

    fn renew(&mut self, session: &mut Session) {
        self.counts.refreshes += 1;
        session.token_at = self.clock;
    }

    fn leave(&mut self, browser: usize, way: Way) -> Answered {
        let (status, place) = match way {
            Way::Logout(From::Stranger) | Way::Erase(From::Stranger) => {
                return Answered::with(403);
            }
            Way::Logout(From::Person) => (303, Place::Home),
            Way::Logout(From::Script) | Way::Erase(From::Script | From::Person) => (204, Place::Nowhere),
        };
        if let Some(session) = self.session_of(browser).and_then(|number| self.sessions.get_mut(number)) {
            session.was_left |= session.is_stored;
            session.is_stored = false;
        }
        let changes = vec![Change::SessionCleared];
        self.keep(browser, &changes);
        Answered { place, changes, ..Answered::with(status) }
    }
}

/// One automatic fresh login, or the page of this reason if that was one already. Of a login that is
/// unknown nothing can be said but that it was the first.
fn fresh(reason: &str, link: Option<&Link>) -> Place {
    let again = *link.unwrap_or(&Link::PLAIN);
    match link {
        Some(link) if link.attempt >= MOST_ATTEMPTS => World::error(reason, Some(link)),
        _ => Place::Fresh(Link { attempt: again.attempt + 1, ..again }),
    }
}
