//! An authorization request while its person logs in with WeChat.
//!
//! The provider is a client of the login: it sends the browser to `/authorize`, with an address of its own to come back
//! to. Nothing of the request stands in that address but a handle; the request itself is stored, sealed under the
//! handle *and* a secret of the browser's. So what a client asked for in one browser is never answered in another:
//! whoever lures a browser to a handle of his own has it opened by nobody.

use std::fmt;
use std::ops::Not;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use login::Digest;
use login::pending::BrowserSecret;
use login::seal::{self, NonceBytes, Sealed};
use login::session::SessionId;
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
    pub not_session: Option<SessionId>,
    /// Whether nobody was logged in when it came: then whoever is there afterwards has just logged in.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub nobody_was_there: bool,
    /// Whether the login was to cost a tap: then one that WeChat granted silently does not answer it.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub needs_tap: bool,
    /// Whether a login lies behind that did not answer it. The second one is the last, whatever comes of it: each has a
    /// handle of its own, so it is the request that must remember.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub is_second: bool,
}

impl PendingRequest {
    /// One that no login lies behind.
    #[must_use]
    pub const fn new(request: AuthorizationRequest) -> Self {
        Self { request, not_session: None, nobody_was_there: false, needs_tap: false, is_second: false }
    }

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
    use login::time::Timestamp;

    /// As the version sealed it that had a text for each of these.
    const BEFORE: &str = r#"{"request":{"client":"web","redirect_uri":"https://app.example.org/","state":"canary","nonce":"n-0S6","challenge":"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM","scope":"openid orders","prompt":"Login","max_age":60,"hint":"e30.e30.e30","lang":"zh_TW","resource":"https://api.example.com"},"not_session":"5e55"}"#;
    const LEAST: &str = r#"{"request":{"client":"web","redirect_uri":"com.example.app:/cb","state":null,"nonce":null,"challenge":null,"scope":"openid","prompt":"Unsaid","max_age":null,"hint":null,"lang":null,"resource":null},"not_session":null}"#;

    #[test]
    fn the_form_inside_the_seal_stays() {
        let nobody = LEAST.replace("\"not_session\":null", "\"not_session\":null,\"nobody_was_there\":true");
        let all = nobody.replace("true}", "true,\"needs_tap\":true,\"is_second\":true}");
        assert!(serde_json::from_str::<PendingRequest>(&nobody).unwrap().nobody_was_there);
        for text in [BEFORE, LEAST, &nobody, &all] {
            let pending: PendingRequest = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&pending).unwrap(), text);
            let printed = format!("{pending:?}");
            assert!(!["canary", "n-0S6", "e30"].iter().any(|secret| printed.contains(secret)), "{printed}");
        }
    }

    #[test]
    fn another_browsers_request_does_not_open() {
        let pending: PendingRequest = serde_json::from_str(BEFORE).unwrap();
        let browser = |byte| BrowserSecret::new(Timestamp::from_epoch_seconds(1_700_000_000), [byte; 32]);
        let (handle, other) = (RequestHandle::new([1; 32]), RequestHandle::new([2; 32]));
        let sealed = pending.seal(&handle, &browser(1), [3; 12]).unwrap();
        let opened = PendingRequest::open(&handle, &browser(1), &sealed).unwrap();
        assert_eq!(opened.request.state.unwrap().expose(), "canary");
        assert!(PendingRequest::open(&handle, &browser(2), &sealed).is_none());
        assert!(PendingRequest::open(&other, &browser(1), &sealed).is_none());
        assert!(!sealed.as_bytes().windows(6).any(|window| window == b"canary"));
        assert_eq!(RequestHandle::parse(&handle.expose()).unwrap().key(), handle.key());
        assert_eq!(handle.key().as_str(), format!("request#{}", Digest::of(&[1; 32]).as_str()));
        assert_eq!(format!("{handle:?}"), "RequestHandle([redacted])");
        assert!(RequestHandle::parse(&format!("{}=", handle.expose())).is_none());
    }
}
