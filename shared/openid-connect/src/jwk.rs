//! Public keys: read from DER, named by their thumbprint, published as a set.
//!
//! A key's name (`kid`) is computed from the key itself, so that it is the same wherever the private half lies, and
//! nobody has to make one up.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde::Serialize;

/// The least length of a modulus, in bytes: 2048 bits
/// ([RFC 7518 §3.3](https://www.rfc-editor.org/rfc/rfc7518#section-3.3)).
const LEAST_MODULUS: usize = 256;

/// An RSA public key ([RFC 8017 §3.1](https://www.rfc-editor.org/rfc/rfc8017#section-3.1)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// The modulus, big-endian without leading zeros.
    modulus: Vec<u8>,
    /// The exponent, likewise.
    exponent: Vec<u8>,
}

/// The name of a key: its thumbprint ([RFC 7638](https://www.rfc-editor.org/rfc/rfc7638)), 43 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyId(String);

impl KeyId {
    /// The name, as `kid` holds it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The keys that tokens are verified with ([RFC 7517 §5](https://www.rfc-editor.org/rfc/rfc7517#section-5)).
#[derive(Debug, Serialize)]
pub struct KeySet {
    keys: Vec<Key>,
}

/// One key of a set ([RFC 7518 §6.3](https://www.rfc-editor.org/rfc/rfc7518#section-6.3)).
#[derive(Debug, Serialize)]
struct Key {
    kty: &'static str,
    r#use: &'static str,
    alg: &'static str,
    kid: String,
    n: String,
    e: String,
}

impl PublicKey {
    /// A key of these big-endian numbers; `None` if the modulus has less than 2048 bits or the exponent is none.
    #[must_use]
    pub fn new(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let (modulus, exponent) = (without_zeros(modulus), without_zeros(exponent));
        let is_right = modulus.len() >= LEAST_MODULUS && !exponent.is_empty();
        is_right.then(|| Self { modulus: modulus.to_vec(), exponent: exponent.to_vec() })
    }

    /// Reads a `SubjectPublicKeyInfo` in DER ([RFC 5280 §4.1](https://www.rfc-editor.org/rfc/rfc5280#section-4.1)), as
    /// KMS gives it; `None` if it is not exactly one of an RSA key.
    #[must_use]
    pub fn from_spki(der: &[u8]) -> Option<Self> {
        let (info, rest) = element(SEQUENCE, der)?;
        let (algorithm, key) = element(SEQUENCE, info)?;
        let (key, after) = element(BIT_STRING, key)?;
        let is_rsa = algorithm == RSA_ENCRYPTION && rest.is_empty() && after.is_empty();
        // The first byte of a bit string counts the bits that its last one lacks.
        let key = key.strip_prefix(&[0]).filter(|_| is_rsa)?;
        let (numbers, rest) = element(SEQUENCE, key)?;
        let (modulus, exponent) = element(INTEGER, numbers)?;
        let (exponent, after) = element(INTEGER, exponent)?;
        if !rest.is_empty() || !after.is_empty() {
            return None;
        }
        Self::new(modulus, exponent)
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> KeyId {
        let [n, e] = self.encoded();
        // The members of RFC 7638 §3.2, in its order and without a blank.
        let members = format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#);
        KeyId(URL_SAFE_NO_PAD.encode(digest(&SHA256, members.as_bytes())))
    }

    fn encoded(&self) -> [String; 2] {
        [&self.modulus, &self.exponent].map(|number| URL_SAFE_NO_PAD.encode(number))
    }
}

/// Each key once: libraries refuse a token for which two keys have the right name, though RFC 7517 §4.5 has it that
/// names should differ, not that they do.
impl FromIterator<PublicKey> for KeySet {
    fn from_iter<I: IntoIterator<Item = PublicKey>>(keys: I) -> Self {
        let key = |key: PublicKey| {
            let [n, e] = key.encoded();
            Key { kty: "RSA", r#use: "sig", alg: crate::jws::ALGORITHM, kid: key.id().0, n, e }
        };
        let mut set: Vec<Key> = Vec::new();
        for key in keys.into_iter().map(key) {
            if set.iter().all(|known| known.kid != key.kid) {
                set.push(key);
            }
        }
        Self { keys: set }
    }
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;

/// The identifier 1.2.840.113549.1.1.1, `rsaEncryption`, and NULL
/// ([RFC 3279 §2.3.1](https://www.rfc-editor.org/rfc/rfc3279#section-2.3.1)).
const RSA_ENCRYPTION: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

/// The content of the first element of `der`, which must be of this kind, and what follows it.
fn element(kind: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x82 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    if found == kind { rest.split_at_checked(length) } else { None }
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of RFC 7638 §3.1.
    const MODULUS: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

    fn key() -> PublicKey {
        PublicKey::new(&URL_SAFE_NO_PAD.decode(MODULUS).unwrap(), &[1, 0, 1]).unwrap()
    }

    fn der(kind: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        let length = match length {
            [0, short @ 0..=0x7f] => vec![short],
            [0, long] => vec![0x81, long],
            [high, low] => vec![0x82, high, low],
        };
        [&[kind][..], &length, content].concat()
    }

    fn spki(key: &PublicKey) -> Vec<u8> {
        let numbers =
            [der(INTEGER, &[&[0], &key.modulus[..]].concat()), der(INTEGER, &key.exponent)].concat();
        let bits = [&[0][..], &der(SEQUENCE, &numbers)].concat();
        der(SEQUENCE, &[der(SEQUENCE, RSA_ENCRYPTION), der(BIT_STRING, &bits)].concat())
    }

    #[test]
    fn a_key_is_named_by_its_thumbprint() {
        assert_eq!(key().id().as_str(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn a_set_has_the_members_that_verifiers_ask_for() {
        let set = serde_json::to_value(KeySet::from_iter([key()])).unwrap();
        let expected = serde_json::json!({"keys": [{
            "kty": "RSA", "use": "sig", "alg": "RS256", "e": "AQAB", "n": MODULUS,
            "kid": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
        }]});
        assert_eq!(set, expected);
    }

    #[test]
    fn a_key_is_read_from_der_and_from_nothing_else() {
        let der = spki(&key());
        assert_eq!(PublicKey::from_spki(&der), Some(key()));
        for length in 0..der.len() {
            assert_eq!(PublicKey::from_spki(&der[..length]), None, "{length}");
        }
        assert_eq!(PublicKey::from_spki(&[&der[..], &[0]].concat()), None);
        // An elliptic curve's: the first bytes of its identifier are others.
        let mut other = der.clone();
        other[12] ^= 1;
        assert_eq!(PublicKey::from_spki(&other), None);
    }

    #[test]
    fn a_short_key_is_none() {
        assert_eq!(PublicKey::new(&[0xff; 128], &[1, 0, 1]), None);
        assert_eq!(PublicKey::new(&[&[0; 200][..], &[0xff; 128]].concat(), &[1, 0, 1]), None);
        assert_eq!(PublicKey::new(&[0xff; 256], &[0]), None);
    }
}
