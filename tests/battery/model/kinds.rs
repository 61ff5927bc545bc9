//! The kinds of callbacks that a run must have played, each of them: a callback that comes once more, a
//! foreign browser that comes before the owner or after, the owner after that, two copies at once; another code
//! than the one that claimed the login, a code that was spent, somebody who shares the browser's secret.
//!
//! A foreign browser is one of three: without a cookie, with a secret of its own, logged in. It brings the
//! owner's whole callback (a leaked address), or the owner's state with a code of its own (login CSRF turned
//! around). It gets nothing by either, and keeps what it had; the owner logs in all the same. One order costs
//! a redirect more: a code that was shown by a foreign browser *with* a secret is spent, because that browser
//! could put it into a login of its own. The owner who comes second with it waits for another one.
//!
//! Who shares the secret is as good as the owner to all that the product can see, and so the code decides: with
//! the one that made the session he has it too, with any other one, or none, he has nothing.

use super::{
    words::{Brings, Has, Occasion, Offer, Twist, Whose, Word},
    world::{Action, Code, End, Login, Session, Token, World},
};

/// A kind of callback, or of what goes with one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// One that gave a session comes again, in the same browser.
    Again(Occasion),
    /// It comes in a foreign browser, before its owner or after.
    Foreign { is_first: bool, has: Has, brings: Brings },
    /// The owner comes for the first time, after one foreign browser.
    OwnerAfter { has: Has, brings: Brings },
    /// The owner comes for the first time, from the fresh login to which the browser was sent.
    Fresh,
    /// Two copies at once, in the owner's browser or in another.
    TwoAtOnce { is_owner: bool },
    /// Another code comes in the same browser for a login that is claimed, where a session is at hand or not.
    AnotherCode { is_silent: bool, has_session: bool, whose: Whose },
    /// A login that waited so often comes with a code that was spent.
    Spent { waits: u64 },
    /// The owner comes with a new secret.
    Renewed { by_logout: bool },
    /// A silent login comes where a session knows the profile, of the same person or of another one.
    Carried { is_same: bool },
    /// It comes in another browser that shares the secret, before its owner or after.
    Sharer { is_first: bool, offer: Offer },
    /// A browser that shares the secret makes itself the session that there is.
    Forged(Offer),
}

impl Kind {
    /// Every one.
    pub fn all() -> Vec<Self> {
        let either = [true, false];
        let mut all: Vec<_> = Occasion::ALL.iter().copied().map(Self::Again).collect();
        all.push(Self::Fresh);
        all.extend(either.map(|is_owner| Self::TwoAtOnce { is_owner }));
        for (has, brings) in Has::ALL.iter().flat_map(|has| Brings::ALL.iter().map(|brings| (*has, *brings)))
        {
            all.push(Self::OwnerAfter { has, brings });
            all.extend(either.map(|is_first| Self::Foreign { is_first, has, brings }));
        }
        for whose in Whose::ALL.iter().copied() {
            for is_silent in either {
                all.extend(either.map(|has_session| Self::AnotherCode { is_silent, has_session, whose }));
            }
        }
        all.extend((0..=3).map(|waits| Self::Spent { waits }));
        all.extend(either.map(|by_logout| Self::Renewed { by_logout }));
        all.extend(either.map(|is_same| Self::Carried { is_same }));
        for offer in [Offer::Right, Offer::Another] {
            all.extend(either.map(|is_first| Self::Sharer { is_first, offer }));
        }
        all.extend(Offer::ALL.iter().copied().map(Self::Forged));
        all
    }
}

impl World {
    /// What kinds of a callback a step is, before it is done.
    pub fn kinds(&self, action: Option<Action>) -> Vec<Kind> {
        match action {
            Some(Action::Callback { browser, login, code: Some(code), twist: Twist::None, copies }) => {
                self.of_a_callback(browser, login, code, copies > 1)
            }
            Some(Action::Forge { browser, login, code }) => {
                self.forged(browser, login, code).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    fn of_a_callback(&self, browser: usize, number: usize, code: Code, is_two: bool) -> Vec<Kind> {
        let (Some(login), Some(visitor)) = (self.logins.get(number), self.browsers.get(browser)) else {
            return Vec::new();
        };
        let mut cookies = [visitor.browser, visitor.session].into_iter().flatten();
        if cookies.any(|cookie| cookie.number.is_none()) {
            return Vec::new();
        }
        let is_owner = self.secret_of(browser) == Some(login.secret);
        let mut kinds: Vec<_> = is_two.then_some(Kind::TwoAtOnce { is_owner }).into_iter().collect();
        if !is_owner && login.begun_in == browser {
            kinds.extend(self.renewed(browser, number, login, code));
        } else if !is_owner {
            kinds.extend(self.foreign(browser, number, code));
        } else if login.begun_in != browser {
            kinds.extend(self.shared(browser, number, login, code));
        } else if login.claimed.is_some_and(|claimed| claimed != code) {
            kinds.extend(self.another_of(browser, number, login, code));
        } else if login.claimed.is_some() {
            kinds.extend(self.again(number, login, code));
        } else {
            kinds.extend(self.for_the_first_time(browser, number, login, code));
        }
        kinds
    }

    /// The session that a callback gave.
    fn given(&self, number: usize, code: Code) -> Option<&Session> {
        let secret = self.logins.get(number)?.secret;
        let token = self.seen(Token { secret, login: number, code: Some(code) })?;
        self.sessions.iter().find(|session| session.token == token)
    }

    fn for_the_first_time(&self, browser: usize, number: usize, login: &Login, code: Code) -> Vec<Kind> {
        let Code::Issued(code) = code else { return Vec::new() };
        let Some(issued) = self.codes.get(code).filter(|_| !self.is_expired(login)) else {
            return Vec::new();
        };
        if self.guards.contains_key(&Code::Issued(code)) && login.is_silent() && login.meetings == 0 {
            return vec![Kind::Spent { waits: login.link.waits }];
        }
        if issued.login != number || !self.is_good(issued, login.app) {
            return Vec::new();
        }
        let before = self.present(browser).filter(|before| before.profile.is_some() && login.is_silent());
        let is_same = before.map(|before| (before.person, before.app) == (issued.person, issued.app));
        let carried = is_same.map(|is_same| Kind::Carried { is_same });
        let kind = match (login.meetings, login.met) {
            (0, _) => login.is_fresh.then_some(Kind::Fresh),
            (1, Some((has, brings))) => Some(Kind::OwnerAfter { has, brings }),
            _ => None,
        };
        kind.into_iter().chain(carried).collect()
    }

    fn again(&self, number: usize, login: &Login, code: Code) -> Option<Kind> {
        let session = self.given(number, code)?;
        let seconds = self.moments - session.moments;
        Some(Kind::Again(match self.clock - session.begun_at {
            _ if login.is_removed => Occasion::Removed,
            _ if self.is_expired(login) => Occasion::TooLate,
            _ if session.ended == Some(End::Left) => return None,
            _ if session.ended == Some(End::Replaced) => Occasion::Replaced,
            0 if seconds == 0 => Occasion::AtOnce,
            0 if seconds < 30 => Occasion::Moment,
            0 => Occasion::HalfMinute,
            _ => Occasion::Minutes,
        }))
    }

    /// What it is that comes in the browser in which the login began, which has another secret by now.
    fn renewed(&self, browser: usize, number: usize, login: &Login, code: Code) -> Option<Kind> {
        let secret = self.secrets.get(self.secret_of(browser)?)?;
        let is_later = self.secret_of(browser)? > login.secret && !self.is_expired(login);
        let was_left = self.given(number, code).map(|session| session.ended == Some(End::Left));
        match (was_left.filter(|_| is_later), login.claimed) {
            (Some(was_left), _) => was_left.then_some(Kind::Again(Occasion::LoggedOut)),
            (None, None) if is_later => Some(Kind::Renewed { by_logout: secret.by_logout }),
            _ => None,
        }
    }

    /// What it is when another code comes for a login that is claimed.
    fn another_of(&self, browser: usize, number: usize, login: &Login, code: Code) -> Option<Kind> {
        let Some(Code::Issued(claimed)) = login.claimed.filter(|_| !self.is_expired(login)) else {
            return None;
        };
        let person = |code: usize| self.codes.get(code).map(|issued| issued.person);
        let whose = match code {
            Code::MadeUp(_) => Whose::Nobodys,
            Code::Issued(code) if self.codes.get(code)?.login != number => return None,
            Code::Issued(code) if person(code) == person(claimed) => Whose::Same,
            Code::Issued(_) => Whose::Another,
        };
        let has_session = self.present(browser).is_some();
        Some(Kind::AnotherCode { is_silent: login.is_silent(), has_session, whose })
    }

    /// What a browser is that shares the secret of a living login, and has no session.
    fn shared(&self, browser: usize, number: usize, login: &Login, code: Code) -> Option<Kind> {
        if self.is_expired(login) || self.present(browser).is_some() {
            return None;
        }
        let is_first = login.claimed.is_none();
        let is_own = matches!(code, Code::Issued(code) if self.codes.get(code)?.login == number);
        let is_right = login.claimed.map_or(is_own, |claimed| claimed == code);
        let offer = if is_right { Offer::Right } else { Offer::Another };
        Some(Kind::Sharer { is_first, offer })
    }

    /// What it is that somebody makes himself who shares the secret of a session.
    fn forged(&self, browser: usize, number: usize, code: Option<Code>) -> Option<Kind> {
        let login = self.logins.get(number)?;
        let (claimed, is_owner) = (login.claimed?, self.secret_of(browser) == Some(login.secret));
        let is_there = self.given(number, claimed).is_some_and(|session| session.ended.is_none());
        if !is_owner || !is_there || login.begun_in == browser {
            return None;
        }
        Some(Kind::Forged(match code {
            None => Offer::Nothing,
            Some(code) if code == claimed => Offer::Right,
            Some(_) => Offer::Another,
        }))
    }

    /// What a foreign browser is that comes with a living login, and a code that is good.
    fn foreign(&self, browser: usize, number: usize, code: Code) -> Option<Kind> {
        let Code::Issued(code) = code else { return None };
        let login = self.logins.get(number).filter(|login| !self.is_expired(login))?;
        let (has, brings) = self.meeting(browser, number, code)?;
        let is_first = login.claimed.is_none();
        let issued = self.codes.get(code)?;
        let is_right = match (brings, login.claimed) {
            (Brings::Owners, Some(claimed)) => claimed == Code::Issued(code),
            _ => !issued.is_used && !self.guards.contains_key(&Code::Issued(code)),
        };
        is_right.then_some(Kind::Foreign { is_first, has, brings })
    }

    /// What a foreign browser has and brings.
    pub fn meeting(&self, browser: usize, number: usize, code: usize) -> Option<(Has, Brings)> {
        let has = match (self.secret_of(browser), self.present(browser)) {
            (None, None) => Has::Nothing,
            (Some(_), None) => Has::Secret,
            (Some(_), Some(_)) => Has::Session,
            (None, Some(_)) => return None,
        };
        let issued_for = self.codes.get(code)?.login;
        let brings = match self.logins.get(issued_for)? {
            _ if issued_for == number => Brings::Owners,
            own if own.begun_in == browser => Brings::Own,
            _ => return None,
        };
        Some((has, brings))
    }
}
