//! A login under way: what is remembered between `/authorize` and `/callback`.
//!
//! Two secrets tie the two requests together. The **state** travels through WeChat in the URL and
//! finds the stored login; the **browser secret** stays in the browser's cookie and proves that the
//! browser that comes back is the one that left. Either alone is not enough: a state can be sent to a
//! victim as a link (login CSRF), a cookie alone says nothing of which login came back. Both are 32
//! random bytes, and the table knows only their digests.

use std::time::Duration;

use crate::return_to::StoredReturnTo;
use crate::secret::{Digest, random_secret, to_hex};
use crate::time::Timestamp;
use wechat::{AppId, AuthorizationCode, Lang, Scope};

/// How long a person has from the link to the callback.
pub const LOGIN_LIFETIME: Duration = Duration::from_mins(10);

/// How long the use of a code is remembered: longer than WeChat could still take it, by far.
pub const CODE_LIFETIME: Duration = Duration::from_hours(24);

/// How many logins are begun for a visitor on our own account before a person has to press a button:
/// the first one, and one automatic fresh one.
pub const MOST_ROUNDS: u64 = 2;

random_secret! {
    /// The `state` of RFC 6749 §4.1.1: 32 random bytes, 64 hex digits on the wire (WeChat allows
    /// letters and digits, 128 at most). Names one login.
    State
}
random_secret! {
    /// The secret of one browser, shared by all its tabs; held in the browser cookie.
    BrowserSecret
}

impl State {
    /// The key under which the login is stored.
    #[must_use]
    pub fn login_id(&self) -> LoginId {
        LoginId(format!("login#{}", Digest::of(self.expose().as_bytes()).as_str()))
    }

    /// The 32 bytes, to derive the session token from.
    pub(crate) const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl BrowserSecret {
    /// What the table knows of the browser.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.expose().as_bytes())
    }

    /// The 32 bytes, to derive the session token with.
    pub(crate) const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The key of a stored login: `login#` and the digest of its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginId(String);

/// The key of a code guard: `code#` and the digest of the code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeId(String);

impl LoginId {
    /// Takes a key that was read back from a table.
    #[must_use]
    pub const fn stored(id: String) -> Self {
        Self(id)
    }

    /// The key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl CodeId {
    /// The key under which the use of a code is remembered.
    ///
    /// The app is not part of it: a code is exchanged with the app of the stored login, which is not
    /// known before the claim, and a code that turns up under two apps is no legitimate one.
    #[must_use]
    pub fn of(code: &AuthorizationCode) -> Self {
        Self(format!("code#{}", Digest::of(code.expose().as_bytes()).as_str()))
    }

    /// Takes a key that was read back from a table.
    #[must_use]
    pub const fn stored(id: String) -> Self {
        Self(id)
    }

    /// The key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One try to claim a login and its code; 16 random bytes as hex.
///
/// It is the client request token of the claim, and the guard remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimId(String);

impl ClaimId {
    /// Takes 16 random bytes.
    #[must_use]
    pub fn new(bytes: [u8; 16]) -> Self {
        Self(to_hex(&bytes))
    }

    /// The 32 hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A stored login. Nothing in it is secret, and nothing in it ever changes but the claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingLogin {
    /// The digest of the browser that began the login.
    pub browser: Digest,
    /// The app the person was sent to; the code is exchanged with this one, whatever the query says.
    pub app: AppId,
    /// What WeChat is asked for.
    pub scope: Scope,
    /// What the page asked for: `scope=` and `app=` as they came, for a fresh login.
    pub request: LoginRequest,
    /// The language the profile is read in.
    pub lang: Option<Lang>,
    /// Where the login ends.
    pub return_to: StoredReturnTo,
    /// 1 for a login a person began, one more for each automatic fresh one.
    pub round: u64,
    /// When the login is over.
    pub expires_at: Timestamp,
}

/// What a page may ask a login for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RequestedScope {
    /// `snsapi_base`: who it is, silently.
    #[default]
    Identity,
    /// `snsapi_userinfo`: name and picture too, after consent.
    Profile,
    /// `auto`: silently, and the page is told how to ask for more if the profile is not known.
    Auto,
}

impl RequestedScope {
    /// Reads `scope=`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "snsapi_base" => Some(Self::Identity),
            "snsapi_userinfo" => Some(Self::Profile),
            "auto" => Some(Self::Auto),
            _ => None,
        }
    }

    /// The value of `scope=`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "snsapi_base",
            Self::Profile => "snsapi_userinfo",
            Self::Auto => "auto",
        }
    }

    /// What an Official Account is asked for. A website app knows only [`Scope::Login`].
    #[must_use]
    pub const fn scope(self) -> Scope {
        match self {
            Self::Identity | Self::Auto => Scope::Base,
            Self::Profile => Scope::UserInfo,
        }
    }
}

/// What a page asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LoginRequest {
    /// `scope=`.
    pub scope: RequestedScope,
    /// `app=`, if it was given.
    pub app: Option<String>,
}

impl PendingLogin {
    /// Whether another automatic login may follow this one.
    #[must_use]
    pub const fn may_retry(&self) -> bool {
        self.round < MOST_ROUNDS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_hold_digests_only() {
        let state = State::new([0xab; 32]);
        let id = state.login_id();
        // printf '%s' abab…ab | sha256sum
        assert_eq!(id.as_str(), format!("login#{}", Digest::of("ab".repeat(32).as_bytes()).as_str()));
        assert!(!id.as_str().contains("abab"));
        let code = AuthorizationCode::parse("0canarycode".to_owned()).unwrap();
        let digest = Digest::of(b"0canarycode");
        assert_eq!(CodeId::of(&code).as_str(), format!("code#{}", digest.as_str()));
        assert_eq!(LoginId::stored("login#x".to_owned()).as_str(), "login#x");
        assert_eq!(CodeId::stored("code#x".to_owned()).as_str(), "code#x");
    }

    #[test]
    fn what_a_page_asks_for_has_one_spelling_and_one_scope() {
        for (text, requested, scope) in [
            ("snsapi_base", RequestedScope::Identity, Scope::Base),
            ("snsapi_userinfo", RequestedScope::Profile, Scope::UserInfo),
            ("auto", RequestedScope::Auto, Scope::Base),
        ] {
            assert_eq!(RequestedScope::parse(text), Some(requested));
            assert_eq!((requested.as_str(), requested.scope()), (text, scope));
        }
        for other in ["", "snsapi_login", "AUTO", "snsapi_base "] {
            assert_eq!(RequestedScope::parse(other), None, "{other}");
        }
    }

    #[test]
    fn one_automatic_login_may_follow_the_first() {
        let login = |round| PendingLogin {
            browser: BrowserSecret::new([1; 32]).digest(),
            app: AppId::parse("wx0000000000000aaa").unwrap(),
            scope: Scope::Base,
            request: LoginRequest::default(),
            lang: None,
            return_to: StoredReturnTo::stored("/".to_owned()),
            round,
            expires_at: Timestamp::from_epoch_seconds(0),
        };
        assert!(login(1).may_retry());
        assert!(!login(2).may_retry());
        assert!(!login(3).may_retry());
    }
}
