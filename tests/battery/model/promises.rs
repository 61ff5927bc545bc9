//! What the model answers: each action, and the few lines that the routes need besides `/callback`, whose
//! table is in `callback.rs`.

use super::{
    links::{Link, Place, Switches},
    steps::{From, Question, Way},
    words::{App, Change, Details, Lang, Seen, Shown, Word, Wrong},
    world::{Action, Answered, End, Login, Profile, Session, UNIT, World},
};

/// The browser that is not WeChat's.
pub const DESKTOP: usize = super::steps::BROWSERS - 1;

impl World {
    /// What is to be seen of an action: of a callback that comes several times at once, of each copy.
    pub fn act(&mut self, action: Option<Action>) -> Vec<Seen> {
        let answered = match action {
            Some(Action::Callback { browser, login, code, twist, copies }) => {
                // Every copy comes with the cookies that were there before.
                let led: Vec<_> = (0..copies).map(|_| self.callback(browser, login, code, twist)).collect();
                for (place, changes) in &led {
                    self.offer(browser, place);
                    self.keep(browser, changes);
                }
                let answer = |(place, changes)| Answered { place, changes, ..Answered::with(303) };
                led.into_iter().map(answer).collect()
            }
            action => vec![action.map_or_else(|| Answered::with(0), |action| self.answer(action))],
        };
        let counts = self.count();
        let seen = |Answered { status, place, changes, shown }| Seen {
            status,
            place,
            changes,
            shown,
            counts,
            oddities: Vec::new(),
        };
        answered.into_iter().map(seen).collect()
    }

    fn answer(&mut self, action: Action) -> Answered {
        match action {
            Action::Authorize { browser, link, has_empty: _ } => return self.authorize(browser, link),
            Action::Refused { wrong, .. } => {
                return Answered::with(if wrong == Wrong::InFrame { 403 } else { 400 });
            }
            Action::Wechat { login, person, consent } => {
                let place = self.consent(login, person, consent).unwrap_or(Place::Nowhere);
                return Answered { place, ..Answered::with(0) };
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
            Action::Share { from, to } => self.share(from, to),
            Action::Forge { browser, login, code } => self.forge(browser, login, code),
            // Above, for it may come several times.
            Action::Callback { .. } => {}
        }
        Answered::with(0)
    }

    /// Remembers the login to which a browser is sent, or which a page offers it.
    fn offer(&mut self, browser: usize, place: &Place) {
        if let (Place::Fresh(link) | Place::Error { link, .. }, Some(visitor)) =
            (place, self.browsers.get_mut(browser))
        {
            visitor.fresh = Some(*link);
        }
    }

    fn authorize(&mut self, browser: usize, link: Link) -> Answered {
        let secret = self.secret_of(browser).filter(|secret| self.is_young(*secret));
        let secret = secret.unwrap_or_else(|| self.new_secret(false));
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
        let (lang, switches) = match app {
            App::OfficialAccount => (None, link.switches),
            App::Website => (link.lang.map(|lang| lang.of_the_qr_page().to_owned()), Switches::default()),
        };
        let place = Place::Wechat { app, scope, lang, switches, login: self.logins.len() - 1 };
        let changes = vec![self.set_secret(secret)];
        self.keep(browser, &changes);
        Answered { place, changes, ..Answered::with(302) }
    }

    fn userinfo(&mut self, browser: usize, question: Question) -> (u16, Option<Shown>) {
        if question.from == From::Stranger {
            return (403, None);
        }
        let opened = self.token_of(browser).and_then(|token| self.open(token));
        let Some((number, mut session)) =
            opened.and_then(|number| Some((number, *self.sessions.get(number)?)))
        else {
            return (401, None);
        };
        if question.verify && !self.is_confirmed(&session) {
            self.counts.verifications += 1;
            if self.needs_new_token(&session) {
                self.renew(&mut session);
                self.counts.verifications += 1;
            }
            session.confirmed_at = Some(self.clock);
        }
        let lang = question.lang.or(session.profile.and_then(|profile| profile.lang));
        if session.scope.has_profile() && !self.is_at_hand(&session, lang) {
            self.counts.profiles += 1;
            if self.needs_new_token(&session) {
                self.renew(&mut session);
                self.counts.profiles += 1;
            }
            session.profile = Some(Profile { lang, read_at: self.clock, is_read_again: true });
            session.confirmed_at = Some(self.clock);
        }
        if let Some(kept) = self.sessions.get_mut(number) {
            *kept = session;
        }
        let has_profile = session.profile.is_some();
        let of = |is_known: bool| is_known.then_some(session.person);
        let details = Details {
            nickname_of: of(has_profile),
            unionid_of: of(session.has_unionid),
            scope: session.scope.as_str().to_owned(),
            has_upgrade_url: session.wants_profile && !has_profile && !session.scope.has_profile(),
            age: self.clock - session.begun_at,
        };
        let details = (question.from == From::Script).then_some(details);
        (200, Some(Shown { person: session.person, app: session.app, details }))
    }

    /// Whether the profile need not be read again: it is fresh and in this language, or was read again a moment ago.
    fn is_at_hand(&self, session: &Session, lang: Option<Lang>) -> bool {
        session.profile.is_some_and(|profile| {
            let is_fresh = profile.lang == lang && !self.is_over(profile.read_at, self.profile_lifetime);
            is_fresh || profile.is_read_again && self.is_recent(profile.read_at)
        })
    }

    fn renew(&mut self, session: &mut Session) {
        self.counts.refreshes += 1;
        session.token_at = self.clock;
    }

    /// The end of a session; whoever has the browser next is not known by its secret either.
    fn leave(&mut self, browser: usize, way: Way) -> Answered {
        let (status, place) = match way {
            Way::Logout(From::Stranger) | Way::Erase(From::Stranger) => {
                return Answered::with(403);
            }
            Way::Logout(From::Person) => (303, Place::Home),
            Way::Logout(From::Script) | Way::Erase(From::Script | From::Person) => (204, Place::Nowhere),
        };
        let left = self.token_of(browser).and_then(|token| self.stored(token));
        if let Some(session) = left.and_then(|number| self.sessions.get_mut(number)) {
            session.ended = Some(End::Left);
        }
        let secret = self.new_secret(true);
        let changes = vec![Change::SessionCleared, self.set_secret(secret)];
        self.keep(browser, &changes);
        Answered { place, changes, ..Answered::with(status) }
    }
}
