//! What names a grant, and what a client shows of it: the code, the refresh token, and `sid` in every other token.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use login::Digest;
use login::seal::{self, NonceBytes, Sealed};
use serde::Deserialize;

use crate::jws::Token;
use crate::parameter::ScopeList;
use crate::subject::Subject;

const SUCCESSOR: &str = "seal of the refresh token that follows";

/// How long a refresh token that gave way to another one still leads to it.
pub const SUCCESSION: Duration = Duration::from_secs(30);

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

/// How many bytes a refresh token has in common with all others of its grant: the id of the grant, and 16 that only who
/// holds one of them knows.
const FAMILY: usize = 32;

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

    /// What wraps a grant for whoever holds it.
    pub(super) const fn bytes(&self) -> &[u8] {
        &self.0
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

/// A refresh token ([RFC 6749 §1.5](https://www.rfc-editor.org/rfc/rfc6749#section-1.5)) of ours, made as a code is. It
/// is written `r.` and 64 characters, so that whoever looks for leaked secrets can name it.
///
/// The one that takes its place has the first 16 of the random bytes in common with it, and 16 new ones. So one that is
/// brought long after it gave way is known to have been issued, however many came after it, though no list holds it
/// ([RFC 9700 §4.14.2](https://www.rfc-editor.org/rfc/rfc9700#section-4.14.2)): nobody else can say those bytes. They
/// stand in no code and in no other token, and the table has a digest of them.
#[derive(Clone)]
pub struct ClientRefreshToken(Code);

impl ClientRefreshToken {
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

    /// What wraps a grant for whoever holds it.
    pub(super) const fn bytes(&self) -> &[u8] {
        self.0.bytes()
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

    /// What the table knows of all the tokens of its grant.
    #[must_use]
    pub fn family(&self) -> Digest {
        let (family, _) = self.0.0.split_at(FAMILY);
        Digest::of(family)
    }

    /// A token to take its place, with 16 new random bytes.
    #[must_use]
    pub fn successor(&self, random: [u8; 16]) -> Self {
        let mut bytes = self.0.0;
        for (byte, value) in bytes.iter_mut().skip(FAMILY).zip(random) {
            *byte = value;
        }
        Self(Code(bytes))
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

impl fmt::Debug for ClientRefreshToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClientRefreshToken([redacted])")
    }
}

/// Exactly one spelling: the bits that base64 leaves over must be zero, which the decoder sees to.
fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
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
pub fn sub_of(token: &str) -> Option<Subject> {
    claims_of(token)?.sub
}

/// Whom a token says it is for; as [`sid_of`].
#[must_use]
pub fn audience_of(token: &str) -> Option<String> {
    claims_of(token)?.aud
}

/// What a token says it shows; as [`sid_of`].
#[must_use]
pub fn scope_of(token: &str) -> Option<ScopeList> {
    claims_of(token)?.scope
}

fn claims_of(token: &str) -> Option<UnprovedClaims> {
    let mut parts = token.split('.');
    let (_, claims) = (parts.next()?, parts.next()?);
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
}

#[derive(Deserialize)]
struct UnprovedClaims {
    sid: String,
    sub: Option<Subject>,
    aud: Option<String>,
    scope: Option<ScopeList>,
}

#[cfg(test)]
mod tests {
    use super::*;

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

    /// What is common to the tokens of a grant is in none of another, and the rest of each is its own.
    #[test]
    fn a_token_is_of_the_family_of_the_one_before_it() {
        let grant = GrantId::new([7; 16]);
        let first = ClientRefreshToken::new(grant, [9; 32]);
        let second = first.successor([8; 16]);
        let third = second.successor([6; 16]);
        assert_eq!(
            [&first, &second, &third].map(ClientRefreshToken::family),
            [(); 3].map(|()| first.family())
        );
        assert_eq!(third.grant(), grant);
        assert_ne!(first.digest(), second.digest());
        assert_ne!(second.digest(), third.digest());
        assert_eq!(second.0.0, [[7; 16], [9; 16], [8; 16]].concat()[..]);
        for other in
            [ClientRefreshToken::new(grant, [8; 32]), ClientRefreshToken::new(GrantId::new([6; 16]), [9; 32])]
        {
            assert_ne!(other.family(), first.family());
        }
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
