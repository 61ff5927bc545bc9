//! A login under way: what is remembered between `/authorize` and `/callback`.
//!
//! Two secrets tie the two requests together. The **state** travels through WeChat in the URL and
//! finds the stored login; the **browser secret** stays in the browser's cookie and proves that the
//! browser that comes back is the one that left. Either alone is not enough: a state can be sent to a
//! victim as a link (login CSRF), a cookie alone says nothing of which login came back. Both are 32
//! random bytes, and the table knows only their digests.
//!
//! They are a *binding*, never enough for a session: both can be read off an open page on a shared computer,
//! and a browser secret can be planted in an old webview. A session is derived from the code too, which only
//! the browser that receives it sees ([`SessionToken::derive`](crate::session::SessionToken::derive)); and a
//! browser secret lives a day, whatever happens, so that one that was learnt or planted is soon worth nothing.

use std::time::Duration;

use crate::account::RequestedApp;
use crate::return_to::StoredReturnTo;
use crate::secret::{Digest, from_hex, random_secret, to_hex};
use crate::time::Timestamp;
use wechat::{AppId, AuthorizationCode, Lang, Scope};

/// How long a person has from the link to the callback, inside WeChat.
const LOGIN_LIFETIME: Duration = Duration::from_mins(10);

/// How long a person has where the way leads over a QR code: it stays on a screen until somebody has found the
/// phone.
const WEBSITE_LOGIN_LIFETIME: Duration = Duration::from_mins(30);

/// How long a browser keeps its secret. A login does not put the end off.
const BROWSER_LIFETIME: Duration = Duration::from_hours(24);

/// How much of its day a browser secret must have left when a login begins: twice the longest login's life.
const BROWSER_RESERVE: Duration = Duration::from_hours(1);

/// How far the clocks of two processes may differ.
const CLOCK_SKEW: Duration = Duration::from_mins(1);

/// How long the use of a code is remembered: longer than WeChat could still take it, by far.
pub const CODE_LIFETIME: Duration = Duration::from_hours(24);

/// How many logins are begun for a visitor on our own account before a person has to press a button:
/// the first one, and one automatic fresh one.
pub const MOST_ROUNDS: u64 = 2;

/// How often a login may begin again because its code was spent here before, which is no round of its own.
pub const MOST_WAITS: u64 = 3;

random_secret! {
    /// The `state` of [RFC 6749 §4.1.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1): 32 random bytes, 64 hex
    /// digits on the wire
    /// ([WeChat](https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html#0)
    /// allows letters and digits, 128 at most). Names one login.
    State
}

/// How long a login lasts that asks for `scope`.
#[must_use]
pub const fn login_lifetime(scope: Scope) -> Duration {
    match scope {
        Scope::Base | Scope::UserInfo => LOGIN_LIFETIME,
        Scope::Login => WEBSITE_LOGIN_LIFETIME,
    }
}

/// How long a visitor is asked to wait, in seconds, before a login begins that is the `waits`th to do so: WeChat
/// gives the same code again to logins that follow each other within some seconds.
#[must_use]
pub const fn wait_seconds(waits: u64) -> u64 {
    match waits {
        0 | 1 => 3,
        2 => 6,
        _ => 12,
    }
}

/// The secret of one browser, shared by all its tabs; held in the browser cookie as `BIRTH.SECRET`, seconds since
/// the Unix epoch and 64 hex digits.
///
/// What a browser holds from version 0.1.0 is the secret alone. It is read, so that a login that is under way
/// during a deployment comes to its end, and the next login replaces it.
#[derive(Clone)]
pub struct BrowserSecret {
    born: Option<Timestamp>,
    secret: [u8; 32],
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
    /// A new secret, of 32 bytes from a cryptographic source of randomness.
    #[must_use]
    pub const fn new(now: Timestamp, bytes: [u8; 32]) -> Self {
        Self { born: Some(now), secret: bytes }
    }

    /// Reads a secret in its one spelling; any other is `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let Some((born, secret)) = text.split_once('.') else {
            return Some(Self { born: None, secret: from_hex(text)? });
        };
        let seconds = born.parse().ok().filter(|seconds: &u64| seconds.to_string() == born)?;
        Some(Self { born: Some(Timestamp::from_epoch_seconds(seconds)), secret: from_hex(secret)? })
    }

    /// The text of the cookie: for the wire, never for a log.
    #[must_use]
    pub fn expose(&self) -> String {
        let secret = to_hex(&self.secret);
        match self.born {
            Some(born) => format!("{}.{secret}", born.epoch_seconds()),
            None => secret,
        }
    }

    /// What the table knows of the browser.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.expose().as_bytes())
    }

    /// Whether a login may still begin with it. One that claims to be born in the future could be kept for ever.
    #[must_use]
    pub fn may_begin_a_login(&self, now: Timestamp) -> bool {
        self.born.is_some_and(|born| {
            born <= now.plus(CLOCK_SKEW) && now.plus(BROWSER_RESERVE) <= born.plus(BROWSER_LIFETIME)
        })
    }

    /// How long a browser is to keep it from now on.
    #[must_use]
    pub fn time_left(&self, now: Timestamp) -> Duration {
        self.born.map_or(Duration::ZERO, |born| born.plus(BROWSER_LIFETIME).since(now).min(BROWSER_LIFETIME))
    }

    /// Whether it was made after `login` began, so that the browser may well be the login's own: it logged out
    /// meanwhile, or opened its first logins side by side.
    #[must_use]
    pub fn was_made_after(&self, login: &PendingLogin) -> bool {
        self.born.is_some_and(|born| born.plus(login_lifetime(login.scope)) > login.expires_at)
    }

    /// The 32 bytes, to derive the session token with.
    pub(crate) const fn bytes(&self) -> &[u8; 32] {
        &self.secret
    }
}

impl std::fmt::Debug for BrowserSecret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("BrowserSecret([redacted])")
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
    /// What the page asked for, for a fresh login.
    pub request: LoginRequest,
    /// Where the login ends.
    pub return_to: StoredReturnTo,
    /// Where in a chain of logins this one stands.
    pub turn: Turn,
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
    /// `app=`.
    pub app: RequestedApp,
    /// `lang=`, if it was given: the language the profile is read in.
    pub lang: Option<Lang>,
    /// `forcePopup` and `forceSnapShot`, where they are `true`.
    pub switches: RequestedSwitches,
    /// `via=handoff`: a phone is to log this browser in, whatever else could ([`handoff`](crate::handoff)).
    pub via_handoff: bool,
}

/// WeChat's switches that a link may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RequestedSwitches {
    /// `forcePopup`: ask for consent even where it was given before.
    pub force_popup: bool,
    /// `forceSnapShot`: show the page as a snapshot first.
    pub force_snap_shot: bool,
}

/// Where in a chain of logins one stands: a person began the first, the others followed by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// `attempt=`: 1 for a login a person began, one more for each automatic fresh one.
    pub round: u64,
    /// `waits=`: how often it began again, at no round's cost, because WeChat repeated a code.
    pub waits: u64,
}

impl Turn {
    /// The first one.
    pub const FIRST: Self = Self { round: 1, waits: 0 };

    /// The next automatic fresh login, if one may follow.
    #[must_use]
    pub const fn next_round(self) -> Option<Self> {
        if self.round < MOST_ROUNDS { Some(Self { round: self.round + 1, ..self }) } else { None }
    }

    /// The same login once more, if it has not waited too often.
    #[must_use]
    pub const fn next_wait(self) -> Option<Self> {
        if self.waits < MOST_WAITS { Some(Self { waits: self.waits + 1, ..self }) } else { None }
    }
}

impl Default for Turn {
    fn default() -> Self {
        Self::FIRST
    }
}

impl PendingLogin {
    /// Whether such a login costs its visitor nothing, neither a tap nor a scan.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.scope == Scope::Base
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_hold_digests_only() {
        let state = State::new([0xab; 32]);
        let id = state.login_id();
        // printf '%s' abab…ab | sha256sum; the code likewise.
        assert_eq!(id.as_str(), "login#271a413bd339c5709fdceaec41f14f11e9fbfb5042d72d331c65f32b284cd09a");
        assert!(!id.as_str().contains("abab"));
        let code = AuthorizationCode::parse("0canarycode".to_owned()).unwrap();
        assert_eq!(
            CodeId::of(&code).as_str(),
            "code#2e0ed21a7fe468ef7e9b0f83f757129112f0887a065f7a4e652d60b3ed45923f"
        );
        assert_eq!(LoginId::stored("login#x".to_owned()).as_str(), "login#x");
        assert_eq!(CodeId::stored("code#x".to_owned()).as_str(), "code#x");
        assert_eq!(ClaimId::new([0x0f; 16]).as_str(), "0f".repeat(16));
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
    fn one_automatic_login_and_three_waits_may_follow_the_first() {
        let second = Turn::FIRST.next_round().unwrap();
        assert_eq!((second.round, second.waits, second.next_round()), (2, 0, None));
        let waits: Vec<_> =
            std::iter::successors(Some(second), |turn| turn.next_wait()).map(|turn| turn.waits).collect();
        assert_eq!(waits, [0, 1, 2, 3]);
        assert_eq!([1, 2, 3].map(wait_seconds), [3, 6, 12]);
    }

    const BORN: Timestamp = Timestamp::from_epoch_seconds(1_700_000_000);

    fn after(minutes: u64) -> Timestamp {
        BORN.plus(Duration::from_mins(minutes))
    }

    #[test]
    fn a_browser_secret_has_one_spelling() {
        let text = format!("1700000000.{}", "00ff".repeat(16));
        assert_eq!(BrowserSecret::parse(&text).unwrap().expose(), text);
        for other in [
            text.to_uppercase(),
            format!("0{text}"),
            format!("+{text}"),
            format!("-{text}"),
            format!("{text}.1"),
            text.replace('.', ""),
            text.replacen("1700000000", "", 1),
            text.replacen("1700000000", "99999999999999999999", 1),
            text[..text.len() - 1].to_owned(),
        ] {
            assert!(BrowserSecret::parse(&other).is_none(), "{other}");
        }
        assert_eq!(format!("{:?}", BrowserSecret::parse(&text).unwrap()), "BrowserSecret([redacted])");
    }

    #[test]
    fn a_browser_secret_lives_a_day_and_begins_no_login_in_its_last_hour() {
        let browser = BrowserSecret::new(BORN, [1; 32]);
        for (minutes, may_begin, left) in
            [(0, true, 24 * 60), (23 * 60, true, 60), (23 * 60 + 1, false, 59), (25 * 60, false, 0)]
        {
            assert_eq!(browser.may_begin_a_login(after(minutes)), may_begin, "{minutes}");
            assert_eq!(browser.time_left(after(minutes)), Duration::from_mins(left), "{minutes}");
        }
        // Planted ones: born in the future, or without a birth as version 0.1.0 made them.
        let future = BrowserSecret::new(after(10), [1; 32]);
        assert!(!future.may_begin_a_login(BORN) && future.may_begin_a_login(after(9)));
        assert_eq!(future.time_left(BORN), Duration::from_hours(24));
        let old = BrowserSecret::parse(&"01".repeat(32)).unwrap();
        assert!(!old.may_begin_a_login(BORN) && old.time_left(BORN).is_zero());
        // It still finds the login that it began.
        assert_eq!(old.digest(), Digest::of("01".repeat(32).as_bytes()));
    }

    #[test]
    fn a_secret_is_younger_than_a_login_that_began_before_it() {
        let browser = BrowserSecret::new(after(5), [1; 32]);
        for (scope, began, expected) in [
            (Scope::Base, 4, true),
            (Scope::Base, 5, false),
            (Scope::Base, 6, false),
            (Scope::Login, 4, true),
            (Scope::Login, 6, false),
        ] {
            let login = PendingLogin {
                browser: browser.digest(),
                app: AppId::parse("wx0000000000000aaa").unwrap(),
                scope,
                request: LoginRequest::default(),
                return_to: StoredReturnTo::stored("/".to_owned()),
                turn: Turn::FIRST,
                expires_at: after(began).plus(login_lifetime(scope)),
            };
            assert_eq!(browser.was_made_after(&login), expected, "{scope:?} {began}");
            // Only a base scope asks for neither a tap nor a scan.
            assert_eq!(login.is_silent(), scope == Scope::Base, "{scope:?}");
        }
    }
}
