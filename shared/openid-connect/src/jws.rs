//! Signed tokens in their compact form ([RFC 7515 §7.1](https://www.rfc-editor.org/rfc/rfc7515#section-7.1)): what is
//! signed, and what is sent.
//!
//! One algorithm, RS256, because two of those that receive our tokens take no other: API Gateway's HTTP APIs and load
//! balancers. There is no `none`, and no key that could be taken for a shared secret.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use crate::jwk::KeyId;

/// `RSASSA-PKCS1-v1_5` with SHA-256 ([RFC 7518 §3.3](https://www.rfc-editor.org/rfc/rfc7518#section-3.3)).
pub const ALGORITHM: &str = "RS256";

/// The longest signing input, in bytes: as much as KMS takes as it is.
pub const LONGEST_INPUT: usize = 4096;

/// The `typ` of a token ([RFC 7515 §4.1.9](https://www.rfc-editor.org/rfc/rfc7515#section-4.1.9)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Type {
    /// `at+jwt`: an access token ([RFC 9068 §2.1](https://www.rfc-editor.org/rfc/rfc9068#section-2.1)).
    #[default]
    AccessToken,
    /// `JWT`: an ID token, or an access token for whoever refuses the other word.
    Jwt,
}

impl Type {
    /// Reads a type as it is spelled in a header.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "at+jwt" => Some(Self::AccessToken),
            "JWT" => Some(Self::Jwt),
            _ => None,
        }
    }

    /// The type as it is spelled in a header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => "at+jwt",
            Self::Jwt => "JWT",
        }
    }
}

/// Header and claims, encoded: the bytes that are signed
/// ([RFC 7515 §5.1](https://www.rfc-editor.org/rfc/rfc7515#section-5.1)).
#[derive(Clone)]
pub struct SigningInput(String);

impl SigningInput {
    /// What is to be signed with the key of this name; `None` if it is longer than [`LONGEST_INPUT`].
    #[must_use]
    pub fn new<C: Serialize>(key: &KeyId, kind: Type, claims: &C) -> Option<Self> {
        #[derive(Serialize)]
        struct Header<'a> {
            alg: &'static str,
            kid: &'a str,
            typ: &'static str,
        }
        let header = Header { alg: ALGORITHM, kid: key.as_str(), typ: kind.as_str() };
        let [header, claims] = [serde_json::to_vec(&header).ok()?, serde_json::to_vec(claims).ok()?];
        let mut text = URL_SAFE_NO_PAD.encode(header);
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut text);
        (text.len() <= LONGEST_INPUT).then_some(Self(text))
    }

    /// The bytes to sign.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The token, with its signature.
    #[must_use]
    pub fn signed(self, signature: &[u8]) -> Token {
        let mut text = self.0;
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut text);
        Token(text)
    }
}

impl AsRef<[u8]> for SigningInput {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl fmt::Debug for SigningInput {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SigningInput([redacted])")
    }
}

/// A signed token: whoever holds it is believed, so it is a secret.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// The token: for the wire, never for a log.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwk::PublicKey;

    #[test]
    fn a_token_has_three_parts_and_prints_nothing_of_itself() {
        let key = PublicKey::new(&[0xff; 256], &[1, 0, 1]).unwrap().id();
        let input =
            SigningInput::new(&key, Type::AccessToken, &serde_json::json!({"sub": "canary"})).unwrap();
        let token = input.clone().signed(&[0xfb, 0xff]);
        let parts: Vec<_> = token.expose().split('.').collect();
        let decoded = |part: &str| -> serde_json::Value {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        };
        let [header, claims, signature] = parts[..] else { panic!("{parts:?}") };
        let expected = serde_json::json!({"alg": "RS256", "kid": key.as_str(), "typ": "at+jwt"});
        assert_eq!(decoded(header), expected);
        assert_eq!(decoded(claims), serde_json::json!({"sub": "canary"}));
        assert_eq!(signature, "-_8");
        assert_eq!(input.as_bytes(), format!("{header}.{claims}").as_bytes());
        assert!(!format!("{input:?} {token:?}").contains(claims));
    }

    #[test]
    fn what_kms_would_not_take_is_not_signed() {
        let key = PublicKey::new(&[0xff; 256], &[1, 0, 1]).unwrap().id();
        let input = |length| SigningInput::new(&key, Type::Jwt, &"a".repeat(length));
        assert!(input(2900).is_some_and(|input| input.as_bytes().len() <= LONGEST_INPUT));
        assert!(input(3000).is_none());
    }
}
