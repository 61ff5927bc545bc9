//! An app's global token, shared by every process of a deployment.
//!
//! WeChat's `cgi-bin` interfaces take a token of the app's own. It lives two hours, is fetched with the
//! app secret, and fetching it in a storm uses up quotas; so one process fetches it under a lease and
//! the others read it from the sessions table, where it lies sealed under a key from the app secret.
//!
//! ```text
//!   process A   read: none ── lease until +60 s ── stable_token ── store, lease given back
//!   process B   read: none ── lease is taken ── pause ── read again: A's token
//!   process C   read: none ── lease is taken ── pauses are over ── goes on without
//! ```
//!
//! The lease is given only over the state that was read: a process that read before A stored, and asks
//! for the lease after A gave it back, is sent to read again. A lease whose holder fails or dies stands
//! until its minute is over: a token that cannot be had, for instance because WeChat refuses the
//! address, is asked for once a minute and not once a login. Who fails leaves a mark on the lease, and
//! nobody waits for it; only for a holder that died is there something to wait for in vain.

use std::time::Duration;

use crate::seal::{self, NonceBytes, Sealed};
use crate::time::Timestamp;
use wechat::{AppId, AppSecret, GlobalToken};

/// How long a process may take to fetch a token, and how long a failure is not repeated.
pub const LEASE: Duration = Duration::from_mins(1);

/// How long before its end a token is no longer used.
pub const MARGIN: Duration = Duration::from_mins(2);

const INFO: &str = "seal of an app's global token";

/// The key of an app's token in the sessions table: `app-token#` and the appid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppTokenId(String);

impl AppTokenId {
    /// The key for an app.
    #[must_use]
    pub fn of(app: &AppId) -> Self {
        Self(format!("app-token#{app}"))
    }

    /// The key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Seals a token of this app. `None` only if the cipher refuses, which it does for no input.
    #[must_use]
    pub fn seal(&self, secret: &AppSecret, nonce: NonceBytes, token: &GlobalToken) -> Option<Sealed> {
        seal::seal(secret.expose().as_bytes(), INFO, &self.0, nonce, token.expose().as_bytes())
    }

    /// Opens a token of this app; `None` if it was sealed under another secret.
    #[must_use]
    pub fn open(&self, secret: &AppSecret, sealed: &Sealed) -> Option<GlobalToken> {
        let text = seal::open(secret.expose().as_bytes(), INFO, &self.0, sealed)?;
        String::from_utf8(text).ok().map(GlobalToken::new)
    }
}

/// A token as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAppToken {
    /// The sealed token.
    pub sealed: Sealed,
    /// When WeChat no longer takes it.
    pub expires_at: Timestamp,
}

impl StoredAppToken {
    /// Whether the token may still be used at `now`.
    #[must_use]
    pub fn is_good(&self, now: Timestamp) -> bool {
        now.plus(MARGIN) < self.expires_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_with_the_secret_of_its_own_app() {
        let id = |app| AppTokenId::of(&AppId::parse(app).unwrap());
        let secret = |text: &str| AppSecret::new(text.to_owned());
        let (one, other) = (id("wx0000000000000aaa"), id("wx0000000000000ddd"));
        let sealed = one.seal(&secret("s"), [3; 12], &GlobalToken::new("canary".to_owned())).unwrap();
        assert_eq!(one.open(&secret("s"), &sealed).unwrap().expose(), "canary");
        assert!(one.open(&secret("t"), &sealed).is_none());
        assert!(other.open(&secret("s"), &sealed).is_none());
    }

    #[test]
    fn a_token_near_its_end_is_not_used() {
        let now = Timestamp::from_epoch_seconds(1_000_000);
        let token = |seconds| StoredAppToken {
            sealed: Sealed::stored(Vec::new()),
            expires_at: now.plus(Duration::from_secs(seconds)),
        };
        assert!(token(121).is_good(now));
        assert!(!token(120).is_good(now));
    }
}
