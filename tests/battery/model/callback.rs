//! What the model's callback answers: the table of the design, from its top to its bottom.

use super::{
    links::{Link, Place},
    promises::DESKTOP,
    words::{Asked, Change, Scope, Twist},
    world::{Code, End, Guard, Login, Profile, Session, Token, World},
};

/// How often a login is begun before a person has to press a button.
const MOST_ATTEMPTS: u64 = 2;

/// How often a login begins once more at no attempt's cost.
const MOST_WAITS: u64 = 3;

/// How many codes a login marks as spent.
const MOST_MARKS: usize = 3;

/// Where an answer leads, and what it does to the cookies.
type Led = (Place, Vec<Change>);

/// Where an answer leads that leaves the cookies alone.
fn only(place: Place) -> Led {
    (place, Vec::new())
}

/// The page that says why a login did not go through, and offers it by a button.
fn page(reason: &str, begun: Option<&Login>) -> Place {
    let link = begun.map_or(Link::PLAIN, |begun| begun.link.by_hand());
    Place::Error { reason: reason.to_owned(), link }
}

/// Where the login was to end.
const fn target(begun: &Login) -> Place {
    Place::Target { target: begun.link.target, was_denied: false }
}

/// One automatic fresh login, if that costs nobody anything; else the page of this reason.
fn fresh(reason: &str, begun: Option<&Login>, is_free: bool) -> Place {
    let link = begun.map_or(Link::PLAIN, |begun| begun.link);
    if is_free && link.attempt < MOST_ATTEMPTS {
        Place::Fresh(Link { attempt: link.attempt + 1, ..link })
    } else {
        page(reason, begun)
    }
}

/// The link of the same login once more, if that costs nobody anything and did not happen too often.
fn once_more(begun: &Login) -> Option<Link> {
    let Link { waits, .. } = begun.link;
    (begun.is_silent() && waits < MOST_WAITS).then(|| Link { waits: waits + 1, ..begun.link })
}

impl Login {
    /// Whether it costs neither a tap nor a scan.
    pub fn is_silent(&self) -> bool {
        self.scope == Scope::Base
    }
}

impl World {
    /// The callback, in the order of its guards.
    pub fn callback(&mut self, browser: usize, number: usize, code: Option<Code>, twist: Twist) -> Led {
        let login = Some(number).filter(|_| twist != Twist::UnknownState);
        let begun = login.and_then(|login| self.logins.get(login).copied());
        let begun = begun.filter(|login| !login.is_removed);
        match twist {
            Twist::InFrame => return only(page("not_a_page", begun.as_ref())),
            Twist::NoState | Twist::EmptyState | Twist::MalformedState | Twist::TwoStates => {
                return only(page("invalid_request", None));
            }
            // They need a code to be wrong about.
            Twist::TwoCodes | Twist::MalformedCode if code.is_some() => {
                return only(page("invalid_request", begun.as_ref()));
            }
            _ => {}
        }
        let code = code.filter(|_| !matches!(twist, Twist::NoCode | Twist::EmptyCode | Twist::DeniedCode));
        // Of a login that is not known, only the browser can say what it would cost.
        let is_free = begun.as_ref().map_or(browser != DESKTOP, Login::is_silent);
        let secret = self.secret_of(browser);
        let Some(code) = code else {
            return only(self.denied(begun.as_ref(), secret));
        };
        self.meet(browser, login, code);
        let Some(secret) = secret else {
            return only(fresh("cookie_missing", begun.as_ref(), is_free));
        };
        let Some(begun) = begun else {
            return only(fresh("login_expired", None, is_free));
        };
        if begun.secret != secret {
            self.mark(number, code, secret);
            let again = once_more(&begun).map(Place::Fresh);
            return only(again.unwrap_or_else(|| page("login_expired", Some(&begun))));
        }
        if self.is_expired(&begun) {
            return only(fresh("login_expired", Some(&begun), is_free));
        }
        match (begun.claimed, self.guards.get(&code).copied()) {
            (Some(claimed), _) if claimed == code => self.repeat(browser, number, &begun, code),
            (Some(_), _) => only(self.another_code(browser, number, &begun, code)),
            (None, Some(guard)) => only(self.join(browser, secret, &begun, guard)),
            (None, None) => self.exchange(browser, number, secret, code),
        }
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
            _ => page("access_denied", begun),
        }
    }

    /// A code was seen by somebody who was not to see it, or came too late: nobody is to use it.
    fn mark(&mut self, login: usize, code: Code, secret: usize) {
        let is_over = self.logins.get(login).is_none_or(|begun| self.is_expired(begun));
        if is_over || self.guards.contains_key(&code) {
            return;
        }
        if let Some(begun) = self.logins.get_mut(login)
            && begun.marks < MOST_MARKS
        {
            begun.marks += 1;
            self.guards.insert(code, Guard { login, secret, is_done: false, is_snapshot: false });
        }
    }

    /// The whole request again: the same answer while its session is there, or another one is that took its
    /// place.
    fn repeat(&self, browser: usize, login: usize, begun: &Login, code: Code) -> Led {
        let is_done = self.guards.get(&code).is_some_and(|guard| guard.is_done);
        if self.guards.get(&code).is_some_and(|guard| guard.is_snapshot) {
            return only(page("snapshot", Some(begun)));
        }
        let token = self.seen(Token { secret: begun.secret, login, code: Some(code) });
        if let Some(token) = token.filter(|token| is_done && self.open(*token).is_some()) {
            (target(begun), vec![Change::Session(token)])
        } else if is_done && self.present(browser).is_some() {
            only(target(begun))
        } else {
            only(fresh("login_expired", Some(begun), begun.is_silent()))
        }
    }

    /// Another code than the one that claimed the login: perhaps another person's. It brings nobody a session.
    fn another_code(&mut self, browser: usize, login: usize, begun: &Login, code: Code) -> Place {
        self.mark(login, code, begun.secret);
        match self.present(browser) {
            Some(_) if begun.is_silent() => target(begun),
            Some(_) => page("already_logged_in", Some(begun)),
            None => fresh("login_expired", Some(begun), begun.is_silent()),
        }
    }

    /// A code that was spent here with another login: good only where the session is that it gave, and for nothing that
    /// the browser does not hold already.
    fn join(&self, browser: usize, secret: usize, begun: &Login, guard: Guard) -> Place {
        let is_at_hand = self.present(browser).is_some_and(|session| session.login == guard.login);
        if guard.is_done && guard.secret == secret && is_at_hand {
            return target(begun);
        }
        match once_more(begun) {
            Some(link) => Place::Error { reason: "code_repeated".to_owned(), link },
            None => page("login_expired", Some(begun)),
        }
    }

    fn exchange(&mut self, browser: usize, login: usize, secret: usize, code: Code) -> Led {
        let Some(begun) = self.logins.get_mut(login) else { return only(Place::Nowhere) };
        begun.claimed = Some(code);
        let begun = *begun;
        self.counts.exchanges += 1;
        self.counts.sent = Some(code);
        self.guards.insert(code, Guard { login, secret, is_done: false, is_snapshot: false });
        let number = match code {
            Code::Issued(number) => Some(number),
            Code::MadeUp(_) => None,
        };
        let issued = number.and_then(|number| self.codes.get(number).copied());
        let Some(issued) = issued.filter(|issued| self.is_good(issued, begun.app)) else {
            return only(fresh("login_expired", Some(&begun), begun.is_silent()));
        };
        if let Some(issued) = number.and_then(|number| self.codes.get_mut(number)) {
            issued.is_used = true;
        }
        if issued.is_snapshot {
            self.guards.insert(code, Guard { login, secret, is_done: false, is_snapshot: true });
            return only(page("snapshot", Some(&begun)));
        }
        self.guards.insert(code, Guard { login, secret, is_done: true, is_snapshot: false });
        // A person's grant is that of the code, whatever the login asked for.
        let has_profile = issued.scope.has_profile();
        self.counts.profiles += usize::from(has_profile);
        let read = has_profile.then_some(Profile {
            lang: begun.link.lang,
            read_at: self.clock,
            is_read_again: false,
        });
        // A login takes nothing away that the session before it knew of the same person, at the same app.
        let before = self.present(browser).copied();
        let before = before.filter(|before| (before.person, before.app) == (issued.person, issued.app));
        if let Some(replaced) = self.token_of(browser).and_then(|token| self.stored(token))
            && let Some(replaced) = self.sessions.get_mut(replaced)
        {
            replaced.ended = Some(End::Replaced);
        }
        let token = self.see(Token { secret, login, code: Some(code) });
        self.sessions.push(Session {
            token,
            login,
            person: issued.person,
            app: issued.app,
            scope: issued.scope,
            begun_at: self.clock,
            moments: self.moments,
            ended: None,
            token_at: self.clock,
            confirmed_at: None,
            profile: read.or(before.and_then(|before| before.profile)),
            has_unionid: has_profile || before.is_some_and(|before| before.has_unionid),
            wants_profile: begun.link.asked == Asked::Auto,
        });
        (target(&begun), vec![Change::Session(token)])
    }
}
