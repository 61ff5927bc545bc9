//! An authorization request while its person logs in with WeChat.
//!
//! The provider is a client of the login: it sends the browser to `/authorize`, with an address of its own to come back
//! to. Nothing of the request stands in that address but a handle; the request itself is stored, sealed under the handle
//! *and* a secret of the browser's. So what a client asked for in one browser is never answered in another: whoever lures a
//! browser to a handle of his own has it opened by nobody.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use login::Digest;
use login::pending::BrowserSecret;
use login::seal::{self, NonceBytes, Sealed};
use serde::{Deserialize, Serialize};

use crate::authorization::AuthorizationRequest;

/// How long a request waits: two logins of thirty minutes, and a margin.
pub const REQUEST_LIFETIME: Duration = Duration::from_mins(70);

const INFO: &str = "seal of an authorization request";

/// What names a request in the address that the login comes back to: 32 random bytes.
#[derive(Clone)]
pub struct RequestHandle([u8; 32]);

impl RequestHandle {
    /// Takes 32 random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads a handle: 43 characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// The handle: for the wire, never for a log.
    #[must_use]
    pub fn expose(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// The key under which the request is stored.
    #[must_use]
    pub fn key(&self) -> RequestKey {
        RequestKey(format!("request#{}", self.digest().as_str()))
    }

    /// What may be told of it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }

    fn secret(&self, browser: &BrowserSecret) -> Vec<u8> {
        [browser.expose().as_bytes(), &self.0].concat()
    }
}

impl fmt::Debug for RequestHandle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RequestHandle([redacted])")
    }
}

/// The key of a stored request: `request#` and the digest of its handle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey(String);

impl RequestKey {
    /// The key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A request that waits for a login.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PendingRequest {
    /// What the client asked for.
    pub request: AuthorizationRequest,
    /// The key of the session that will not do, if only a new login does: no clock is asked whether a login is new.
    pub not_session: Option<String>,
}

impl PendingRequest {
    /// Seals it for the browser that it came with.
    ///
    /// `None` only if it cannot be encoded, which no value of it can cause.
    #[must_use]
    pub fn seal(&self, handle: &RequestHandle, browser: &BrowserSecret, nonce: NonceBytes) -> Option<Sealed> {
        let text = serde_json::to_vec(self).ok()?;
        seal::seal(&handle.secret(browser), INFO, handle.key().as_str(), nonce, &text)
    }

    /// Opens it; `None` in another browser.
    #[must_use]
    pub fn open(handle: &RequestHandle, browser: &BrowserSecret, sealed: &Sealed) -> Option<Self> {
        serde_json::from_slice(&seal::open(&handle.secret(browser), INFO, handle.key().as_str(), sealed)?)
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorization::Prompt;
    use login::time::Timestamp;

    #[test]
    fn another_browsers_request_does_not_open() {
        let pending = PendingRequest {
            request: AuthorizationRequest {
                client: "web".to_owned(),
                redirect_uri: "https://app.example.org/".to_owned(),
                state: Some("canary".to_owned()),
                nonce: None,
                challenge: None,
                scope: "openid".to_owned(),
                prompt: Prompt::Unsaid,
                max_age: None,
                hint: None,
                lang: None,
                resource: None,
            },
            not_session: None,
        };
        let browser = |byte| BrowserSecret::new(Timestamp::from_epoch_seconds(1_700_000_000), [byte; 32]);
        let (handle, other) = (RequestHandle::new([1; 32]), RequestHandle::new([2; 32]));
        let sealed = pending.seal(&handle, &browser(1), [3; 12]).unwrap();
        let opened = PendingRequest::open(&handle, &browser(1), &sealed).unwrap();
        assert_eq!(opened.request.state.as_deref(), Some("canary"));
        assert!(PendingRequest::open(&handle, &browser(2), &sealed).is_none());
        assert!(PendingRequest::open(&other, &browser(1), &sealed).is_none());
        assert!(!sealed.as_bytes().windows(6).any(|window| window == b"canary"));
        assert_eq!(RequestHandle::parse(&handle.expose()).unwrap().key(), handle.key());
        assert!(RequestHandle::parse(&format!("{}=", handle.expose())).is_none());
    }
}
