//! What happens to the cookies of the model's browsers.

use super::{
    words::{Change, Lost},
    world::{Code, Cookie, Secret, Token, Visitor, World},
};

impl World {
    /// Puts what an answer sets into the browser's jar.
    pub fn keep(&mut self, browser: usize, changes: &[Change]) {
        let now = self.clock;
        for change in changes {
            let cookie = |number, since| Some(Cookie { number: Some(number), since: Some(since) });
            let Some(visitor) = self.browsers.get_mut(browser) else { return };
            match *change {
                // No answer puts its end off.
                Change::Browser { secret, age } => visitor.browser = cookie(secret, now - age),
                Change::Session(token) => visitor.session = cookie(token, now),
                Change::SessionCleared => visitor.session = None,
                Change::Unknown(_) => {}
            }
        }
    }

    /// What sets a browser secret.
    pub fn set_secret(&self, secret: usize) -> Change {
        let born_at = self.secrets.get(secret).map_or(self.clock, |secret| secret.born_at);
        Change::Browser { secret, age: self.clock - born_at }
    }

    /// A new browser secret.
    pub fn new_secret(&mut self, by_logout: bool) -> usize {
        self.secrets.push(Secret { born_at: self.clock, by_logout });
        self.secrets.len() - 1
    }

    /// A cookie goes, or goes bad.
    pub fn lose(&mut self, browser: usize, what: Lost) {
        let spoiled = Some(Cookie { number: None, since: None });
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
        let held = self.browsers.get(from).and_then(|visitor| visitor.session);
        if let (Some(_), Some(visitor)) = (self.token_of(from), self.browsers.get_mut(to)) {
            *visitor = Visitor { session: held, ..*visitor };
        }
    }

    /// A browser comes by the secret of another one, and keeps it as long as it likes.
    pub fn share(&mut self, from: usize, to: usize) {
        if let (Some(secret), Some(visitor)) = (self.secret_of(from), self.browsers.get_mut(to)) {
            visitor.browser = Some(Cookie { number: Some(secret), since: None });
        }
    }

    /// A browser makes itself a session.
    pub fn forge(&mut self, browser: usize, login: usize, code: Option<Code>) {
        let Some(secret) = self.secret_of(browser) else { return };
        let token = self.see(Token { secret, login, code });
        if let Some(visitor) = self.browsers.get_mut(browser) {
            visitor.session = Some(Cookie { number: Some(token), since: None });
        }
    }
}
