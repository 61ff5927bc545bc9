//! A grant: that a person is logged in at a client. One item, from the code to the last token.
//!
//! ```text
//!   issued ──── redeemed ──── its session's end
//!     │             │
//!     │ 6 minutes   │ the code comes again, or another client brings it
//!     ▼             ▼
//!    over        revoked
//! ```
//!
//! What the grant says of the person is sealed under a key of its own (*DK*). That key is not stored: each code and each
//! token *wraps* it, together with the pepper of the session.
//!
//! ```text
//!   code ───────────┐
//!   access token ───┼─ HKDF with the pepper ─► wraps DK ─► opens the claims
//!   refresh token ──┘
//! ```
//!
//! So a copy of the table opens nothing; and when the session goes, its pepper goes with it, and no code and no token
//! opens what is left, though nobody can list the grants of a session.
//!
//! The id of the grant stands in every token as `sid`, which every API sees. It is therefore worth nothing: a code or a
//! token is compared by its digest before anything is written, and one that was never issued changes nothing.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use login::Digest;
use login::seal::{self, NonceBytes, Sealed};
use login::session::{Pepper, SessionId};
use login::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::jws::Token;

/// How long a code is good: one minute for the client, and five that two clocks may be apart.
pub const CODE_LIFETIME: Duration = Duration::from_mins(6);

const CLAIMS: &str = "seal of a grant";
const SUCCESSOR: &str = "seal of the refresh token that follows";

/// How long a refresh token that gave way to another one still leads to it.
pub const SUCCESSION: Duration = Duration::from_secs(30);

/// How many access tokens, and how many spent refresh tokens, a grant remembers.
pub const MOST_REMEMBERED: usize = 16;

/// How many ID tokens a grant remembers: the first one and the last three.
const MOST_ID_TOKENS: usize = 4;

/// The name of a grant: `sid` in its tokens
/// ([OpenID Connect Front-Channel Logout §3](https://openid.net/specs/openid-connect-frontchannel-1_0.html#OPLogout)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrantId([u8; 16]);

impl GrantId {
    /// Takes 16 random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Reads a `sid`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        decode(text).map(Self)
    }

    /// The `sid`, of 22 characters.
    #[must_use]
    pub fn to_sid(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// The key under which the grant is stored.
    #[must_use]
    pub fn key(self) -> GrantKey {
        GrantKey(format!("grant#{}", Digest::of(&self.0).as_str()))
    }
}

/// The key of a stored grant: `grant#` and the digest of its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantKey(String);

impl GrantKey {
    /// The key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An authorization code ([RFC 6749 §1.3.1](https://www.rfc-editor.org/rfc/rfc6749#section-1.3.1)) of ours: the id of
/// its grant and 32 random bytes.
#[derive(Clone)]
pub struct Code([u8; 48]);

impl Code {
    /// A code of a grant, of 32 random bytes.
    #[must_use]
    pub fn new(grant: GrantId, random: [u8; 32]) -> Self {
        let mut bytes = [0; 48];
        for (byte, value) in bytes.iter_mut().zip(grant.0.into_iter().chain(random)) {
            *byte = value;
        }
        Self(bytes)
    }

    /// Reads a code: 64 characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        decode(text).map(Self)
    }

    /// The code: for the wire, never for a log.
    #[must_use]
    pub fn expose(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// The grant that it says it is of.
    #[must_use]
    pub fn grant(&self) -> GrantId {
        let mut id = [0; 16];
        for (byte, value) in id.iter_mut().zip(self.0) {
            *byte = value;
        }
        GrantId(id)
    }

    /// What the table knows of it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Code([redacted])")
    }
}

/// A refresh token ([RFC 6749 §1.5](https://www.rfc-editor.org/rfc/rfc6749#section-1.5)) of ours, made as a code is. It is
/// written `r.` and 64 characters, so that whoever looks for leaked secrets can name it.
#[derive(Clone)]
pub struct RefreshToken(Code);

impl RefreshToken {
    /// A token of a grant, of 32 random bytes.
    #[must_use]
    pub fn new(grant: GrantId, random: [u8; 32]) -> Self {
        Self(Code::new(grant, random))
    }

    /// Reads a token.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Code::parse(text.strip_prefix("r.")?).map(Self)
    }

    /// The token: for the wire, never for a log.
    #[must_use]
    pub fn expose(&self) -> String {
        format!("r.{}", self.0.expose())
    }

    /// The grant that it says it is of.
    #[must_use]
    pub fn grant(&self) -> GrantId {
        self.0.grant()
    }

    /// What the table knows of it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.0.digest()
    }

    /// The token that takes its place, so that only who still holds this one can read it. Two tabs that renew at once
    /// then go on both.
    #[must_use]
    pub fn seal(&self, successor: &Self, key: &GrantKey, nonce: NonceBytes) -> Option<Sealed> {
        seal::seal(&self.0.0, SUCCESSOR, key.as_str(), nonce, &successor.0.0)
    }

    /// Opens the token that took its place.
    #[must_use]
    pub fn open(&self, key: &GrantKey, sealed: &Sealed) -> Option<Self> {
        seal::open(&self.0.0, SUCCESSOR, key.as_str(), sealed)?.try_into().ok().map(|bytes| Self(Code(bytes)))
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RefreshToken([redacted])")
    }
}

/// Exactly one spelling: the bits that base64 leaves over must be zero, which the decoder sees to.
fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// What opens the claims of one grant.
#[derive(Clone)]
pub struct DataKey([u8; 32]);

impl DataKey {
    /// Takes 32 random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Seals the claims of a grant.
    ///
    /// `None` only if they cannot be encoded, which no value of them can cause.
    #[must_use]
    pub fn seal(&self, key: &GrantKey, nonce: NonceBytes, granted: &Granted) -> Option<Sealed> {
        let text = serde_json::to_vec(granted).ok()?;
        seal::seal(&self.0, CLAIMS, key.as_str(), nonce, &text)
    }

    /// Opens the claims of a grant; `None` if they are another grant's or altered.
    #[must_use]
    pub fn open(&self, key: &GrantKey, sealed: &Sealed) -> Option<Granted> {
        serde_json::from_slice(&seal::open(&self.0, CLAIMS, key.as_str(), sealed)?).ok()
    }

    /// This key, so that only the holder of `wrapper` opens it, and only while the session is there.
    #[must_use]
    pub fn wrapped(
        &self,
        wrapper: Wrapper<'_>,
        pepper: &Pepper,
        key: &GrantKey,
        nonce: NonceBytes,
    ) -> Option<Sealed> {
        let (secret, purpose) = wrapper.of(pepper);
        seal::seal(&secret, purpose, key.as_str(), nonce, &self.0)
    }

    /// Unwraps a key.
    #[must_use]
    pub fn unwrapped(wrapper: Wrapper<'_>, pepper: &Pepper, key: &GrantKey, sealed: &Sealed) -> Option<Self> {
        let (secret, purpose) = wrapper.of(pepper);
        seal::open(&secret, purpose, key.as_str(), sealed)?.try_into().ok().map(Self)
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("DataKey([redacted])")
    }
}

/// Who can open a grant.
#[derive(Debug, Clone, Copy)]
pub enum Wrapper<'a> {
    /// Who holds the code.
    Code(&'a Code),
    /// Who holds an access token.
    AccessToken(&'a str),
    /// Who holds the refresh token.
    RefreshToken(&'a RefreshToken),
}

impl Wrapper<'_> {
    fn of(self, pepper: &Pepper) -> (Vec<u8>, &'static str) {
        let (secret, purpose) = match self {
            Self::Code(code) => (&code.0[..], "wrap of a grant by its code"),
            Self::AccessToken(token) => (token.as_bytes(), "wrap of a grant by an access token"),
            Self::RefreshToken(token) => (&token.0.0[..], "wrap of a grant by a refresh token"),
        };
        ([secret, pepper.bytes()].concat(), purpose)
    }
}

/// What a client was granted, and about whom: what was known at the login. Nothing of it lies open anywhere.
#[derive(Clone, Serialize, Deserialize)]
pub struct Granted {
    /// Who is logged in.
    pub sub: String,
    /// Where the code was sent; it must be redeemed with the same.
    pub redirect_uri: String,
    /// What the code must be proved with, by PKCE.
    pub challenge: Option<String>,
    /// What the client wants to find in the ID token.
    pub nonce: Option<String>,
    /// The scopes, separated by blanks.
    pub scope: String,
    /// The API that the access token is for; the provider itself, if `None`.
    pub resource: Option<String>,
    /// When the person logged in, in seconds since the Unix epoch.
    pub auth_time: u64,
    /// How.
    pub acr: Option<String>,
    /// The app the person logged in with.
    pub appid: String,
    /// The person within that app.
    pub openid: String,
    /// The person across apps, if that is known.
    pub unionid: Option<String>,
    /// Name and picture, if they are known and were asked for.
    pub profile: Option<GrantedProfile>,
}

/// Name and picture.
#[derive(Clone, Serialize, Deserialize)]
pub struct GrantedProfile {
    /// Empty if there is none.
    pub nickname: String,
    /// Empty if there is none.
    pub picture: String,
    /// WeChat's number: 1 male, 2 female, 0 not known.
    pub sex: i64,
    /// The language it was read in, as WeChat spells it.
    pub lang: Option<String>,
    /// When it was read, in seconds since the Unix epoch.
    pub read_at: u64,
}

impl fmt::Debug for Granted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Granted([redacted])")
    }
}

/// A grant as it is stored when its code is issued.
#[derive(Debug, Clone)]
pub struct IssuedGrant {
    /// The name of the client.
    pub client: String,
    /// The session that it came from, and ends with.
    pub session: SessionId,
    /// The sealed [`Granted`].
    pub claims: Sealed,
    /// The digest of the code.
    pub code: Digest,
    /// The key of the claims, wrapped by the code.
    pub code_key: Sealed,
    /// When the code was issued.
    pub created_at: Timestamp,
    /// When the code is over.
    pub expires_at: Timestamp,
}

/// A grant as it is read back.
#[derive(Debug, Clone)]
pub struct StoredGrant {
    /// The name of the client.
    pub client: String,
    /// The session that it came from, and ends with.
    pub session: SessionId,
    /// The sealed [`Granted`].
    pub claims: Sealed,
    /// The digest of the code.
    pub code: Digest,
    /// The key of the claims, wrapped by the code; `None` once the code is redeemed.
    pub code_key: Option<Sealed>,
    /// The access tokens.
    pub access: Vec<StoredAccess>,
    /// The digests of ID tokens: the first one and the last ones.
    pub id_tokens: Vec<Digest>,
    /// Whose redemption it was.
    pub redeemed_by: Option<RedemptionId>,
    /// What renews its tokens, if it has any.
    pub refresh: Option<StoredRefresh>,
    /// Counts the changes since the redemption; a change is stored only over the version that it was made from.
    pub version: u64,
    /// Whether it was ended: a code or a token of it was seen by two, or its client wanted it.
    pub is_revoked: bool,
}

/// A refresh token as a grant remembers it.
#[derive(Debug, Clone)]
pub struct StoredRefresh {
    /// The digest of the token that is good.
    pub digest: Digest,
    /// The key of the claims, wrapped by it.
    pub key: Sealed,
    /// The digests of those before it, the last one at the end.
    pub spent: Vec<Digest>,
    /// The token, sealed by the one before it, and until when that one leads here.
    pub successor: Option<(Sealed, Timestamp)>,
}

/// What changes when tokens are renewed.
#[derive(Debug, Clone)]
pub struct Renewal {
    /// The version that it was made from.
    pub version: u64,
    /// The access tokens from now on.
    pub access: Vec<StoredAccess>,
    /// The ID tokens from now on.
    pub id_tokens: Vec<Digest>,
    /// The refresh token from now on.
    pub refresh: StoredRefresh,
    /// When.
    pub at: Timestamp,
}

impl StoredGrant {
    /// The access tokens that are not over, and one more.
    #[must_use]
    pub fn with_access(&self, access: StoredAccess, now: Timestamp) -> Vec<StoredAccess> {
        let mut all: Vec<_> = self.access.iter().filter(|access| access.expires_at > now).cloned().collect();
        all.push(access);
        let over = all.len().saturating_sub(MOST_REMEMBERED);
        all.split_off(over)
    }

    /// The ID tokens that hints may name: the first one, and the last ones with this one.
    #[must_use]
    pub fn with_id_token(&self, id_token: Digest) -> Vec<Digest> {
        let mut all = self.id_tokens.clone();
        all.push(id_token);
        if all.len() > MOST_ID_TOKENS {
            all.remove(1);
        }
        all
    }
}

/// The name of one attempt to redeem a code: by it an answer that was lost is told from somebody else's redemption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedemptionId(String);

impl RedemptionId {
    /// Takes 16 random bytes.
    #[must_use]
    pub fn new(bytes: [u8; 16]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Takes one that was read back from a table.
    #[must_use]
    pub const fn stored(text: String) -> Self {
        Self(text)
    }

    /// The text, for the table.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a code is redeemed for.
#[derive(Debug, Clone)]
pub struct Redemption {
    /// Whose redemption it is.
    pub id: RedemptionId,
    /// The access token.
    pub access: StoredAccess,
    /// The digest of the ID token.
    pub id_token: Digest,
    /// The refresh token, if the client gets one.
    pub refresh: Option<StoredRefresh>,
    /// When.
    pub at: Timestamp,
    /// Until when the grant is kept: its session's end.
    pub expires_at: Timestamp,
}

/// An access token as a grant remembers it.
#[derive(Debug, Clone)]
pub struct StoredAccess {
    /// The digest of the token.
    pub digest: Digest,
    /// The key of the claims, wrapped by the token.
    pub key: Sealed,
    /// When the token is over.
    pub expires_at: Timestamp,
}

impl Token {
    /// What a table may know of it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.expose().as_bytes())
    }
}

/// The grant that a token says it is of, without asking whether it is right: whoever asks compares the whole token
/// with what the grant remembers.
#[must_use]
pub fn sid_of(token: &str) -> Option<GrantId> {
    GrantId::parse(&claims_of(token)?.sid)
}

/// The person that a token says it is about; as [`sid_of`].
#[must_use]
pub fn sub_of(token: &str) -> Option<String> {
    claims_of(token)?.sub
}

fn claims_of(token: &str) -> Option<UnprovedClaims> {
    let mut parts = token.split('.');
    let (_, claims) = (parts.next()?, parts.next()?);
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
}

#[derive(Deserialize)]
struct UnprovedClaims {
    sid: String,
    sub: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted() -> Granted {
        Granted {
            sub: "CanarySub".to_owned(),
            redirect_uri: "https://app.example.org/".to_owned(),
            challenge: None,
            nonce: None,
            scope: "openid".to_owned(),
            resource: None,
            auth_time: 1,
            acr: None,
            appid: String::new(),
            openid: String::new(),
            unionid: None,
            profile: None,
        }
    }

    #[test]
    fn a_code_has_one_spelling_and_names_its_grant() {
        let grant = GrantId::new([7; 16]);
        let code = Code::new(grant, [9; 32]);
        let text = code.expose();
        assert_eq!(text.len(), 64);
        assert_eq!(Code::parse(&text).unwrap().grant(), grant);
        assert_eq!(GrantId::parse(&grant.to_sid()), Some(grant));
        for other in ["", &text[1..], &format!("{text}="), &format!("{text}A"), &text.replacen('B', "+", 1)] {
            assert!(Code::parse(other).is_none(), "{other}");
        }
        assert_eq!(format!("{code:?}"), "Code([redacted])");
        // printf 07 (16 times) | xxd -r -p | sha256sum
        assert_eq!(grant.key().as_str().len(), "grant#".len() + 64);
    }

    #[test]
    fn claims_open_with_the_code_and_the_pepper_and_with_nothing_else() {
        let grant = GrantId::new([7; 16]);
        let (key, other_key) = (grant.key(), GrantId::new([8; 16]).key());
        let (code, pepper, data_key) =
            (Code::new(grant, [9; 32]), Pepper::new([1; 32]), DataKey::new([2; 32]));
        let claims = data_key.seal(&key, [3; 12], &granted()).unwrap();
        let wrapped = data_key.wrapped(Wrapper::Code(&code), &pepper, &key, [4; 12]).unwrap();
        let open = |wrapper, pepper: &Pepper, key: &GrantKey| {
            DataKey::unwrapped(wrapper, pepper, key, &wrapped)?.open(key, &claims)
        };
        assert_eq!(open(Wrapper::Code(&code), &pepper, &key).unwrap().sub, "CanarySub");
        let other_code = Code::new(grant, [8; 32]);
        assert!(open(Wrapper::Code(&other_code), &pepper, &key).is_none());
        assert!(open(Wrapper::Code(&code), &Pepper::new([0; 32]), &key).is_none());
        assert!(open(Wrapper::Code(&code), &pepper, &other_key).is_none());
        assert!(open(Wrapper::AccessToken(&code.expose()), &pepper, &key).is_none());
        assert!(!claims.as_bytes().windows(6).any(|window| window == b"Canary"));
        assert!(!format!("{:?} {:?}", granted(), data_key).contains("Canary"));
    }

    #[test]
    fn a_token_says_which_grant_it_is_of() {
        let sid = GrantId::new([7; 16]).to_sid();
        let token = |claims: String| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        assert_eq!(sid_of(&token(format!("{{\"sid\":\"{sid}\"}}"))), Some(GrantId::new([7; 16])));
        for text in ["", "a.b", "..", &token("{}".to_owned()), &token("{\"sid\":\"x\"}".to_owned())] {
            assert_eq!(sid_of(text), None, "{text}");
        }
    }
}
