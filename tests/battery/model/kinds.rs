//! The kinds of callbacks that a run must have played, each of them: a callback that comes once more, a
//! foreign browser that comes before the owner or after, the owner after that, two copies at once.
//!
//! A foreign browser is one of three: without a cookie, with a secret of its own, logged in. It brings the
//! owner's whole callback (a leaked address), or the owner's state with a code of its own (login CSRF turned
//! around). It gets nothing by either, and keeps what it had; the owner logs in all the same. One order costs
//! a redirect more: a code that was shown by a foreign browser *with* a secret is spent, because that browser
//! could put it into a login of its own. The owner who comes second with it is sent to one fresh login.

use super::{
    words::{Brings, Has, Occasion, Twist, Word},
    world::{Action, Code, Login, World},
};

/// A kind of callback.
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
}

impl Kind {
    /// Every one.
    pub fn all() -> Vec<Self> {
        let mut all: Vec<_> = Occasion::ALL.iter().copied().map(Self::Again).collect();
        all.push(Self::Fresh);
        all.extend([true, false].map(|is_owner| Self::TwoAtOnce { is_owner }));
        for (has, brings) in Has::ALL.iter().flat_map(|has| Brings::ALL.iter().map(|brings| (*has, *brings)))
        {
            all.push(Self::OwnerAfter { has, brings });
            all.extend([true, false].map(|is_first| Self::Foreign { is_first, has, brings }));
        }
        all
    }
}

impl World {
    /// What kinds of a callback a step is, before it is done.
    pub fn kinds(&self, action: Option<Action>) -> Vec<Kind> {
        let Some(Action::Callback { browser, login: number, code: Some(Code::Issued(code)), twist, copies }) =
            action
        else {
            return Vec::new();
        };
        let (Some(login), Some(visitor)) = (self.logins.get(number), self.browsers.get(browser)) else {
            return Vec::new();
        };
        let mut cookies = [visitor.browser, visitor.session].into_iter().flatten();
        if twist != Twist::None || cookies.any(|cookie| cookie.number.is_none()) {
            return Vec::new();
        }
        let is_owner = self.secret_of(browser) == Some(login.secret);
        let two = (copies > 1).then_some(Kind::TwoAtOnce { is_owner });
        let kind = if is_owner {
            self.of_the_owner(number, login, code)
        } else {
            self.foreign(browser, number, code)
        };
        kind.into_iter().chain(two).collect()
    }

    fn of_the_owner(&self, number: usize, login: &Login, code: usize) -> Option<Kind> {
        let is_own = self.codes.get(code).is_some_and(|issued| issued.login == number);
        let Some(claimed) = login.claimed else {
            let is_good = self.codes.get(code).is_some_and(|issued| self.is_good(issued, login.app));
            return match (login.meetings, login.met) {
                _ if !is_own || !is_good || self.is_expired(login) => None,
                (0, _) => login.is_fresh.then_some(Kind::Fresh),
                (1, Some((has, brings))) => Some(Kind::OwnerAfter { has, brings }),
                _ => None,
            };
        };
        let session = self.sessions.iter().find(|session| session.login == number)?;
        let seconds = self.moments - session.moments;
        Some(Kind::Again(match self.clock - session.begun_at {
            _ if claimed != Code::Issued(code) => return None,
            _ if login.is_removed => Occasion::Removed,
            _ if self.is_expired(login) => Occasion::TooLate,
            _ if session.was_left => Occasion::LoggedOut,
            _ if !session.is_stored => return None,
            0 if seconds == 0 => Occasion::AtOnce,
            0 if seconds < 30 => Occasion::Moment,
            0 => Occasion::HalfMinute,
            _ => Occasion::Minutes,
        }))
    }

    /// What a foreign browser is that comes with a living login, and a code that is good.
    fn foreign(&self, browser: usize, number: usize, code: usize) -> Option<Kind> {
        let login = self.logins.get(number).filter(|login| !self.is_expired(login))?;
        if login.begun_in == browser {
            // It has lost its cookie.
            return None;
        }
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
        let session = self.session_of(browser).filter(|session| self.open(*session).is_some());
        let has = match (self.secret_of(browser), session) {
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
