//! Values that must not leak: a redacted `Debug`, no `Display`, no `Serialize`, no `PartialEq`.
//!
//! Two shapes exist. *Random secrets* ([`State`](crate::pending::State), the browser secret, the
//! session token) are 32 bytes and travel as 64 lowercase hex digits. *Text secrets* are what WeChat
//! hands out or what names a person; they are opaque strings. Either is read by [`expose`], which is
//! searchable, and stored only as a [`Digest`] or inside a sealed blob.
//!
//! [`expose`]: wechat::AccessToken::expose

use std::fmt::Write as _;

use ring::digest::{SHA256, digest};
use ring::hmac;

/// Declares a random secret of 32 bytes.
macro_rules! random_secret {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Takes 32 bytes from a cryptographic source of randomness, or derived from one.
            #[must_use]
            pub const fn new(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// Reads 64 lowercase hex digits; any other spelling is `None`.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                crate::secret::from_hex(text).map(Self)
            }

            /// The 64 lowercase hex digits: for the wire, never for a log.
            #[must_use]
            pub fn expose(&self) -> String {
                crate::secret::to_hex(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(concat!(stringify!($name), "([redacted])"))
            }
        }
    };
}

pub(crate) use random_secret;

/// The SHA-256 of a secret, as 64 lowercase hex digits: what a table may know of it.
///
/// Comparing two digests is safe where comparing two secrets byte by byte is not: a difference in
/// time tells nothing of the preimage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest(String);

impl Digest {
    /// Digests `secret`.
    #[must_use]
    pub fn of(secret: &[u8]) -> Self {
        Self(to_hex(digest(&SHA256, secret).as_ref()))
    }

    /// Takes a digest that was read back from a table.
    #[must_use]
    pub const fn stored(text: String) -> Self {
        Self(text)
    }

    /// The 64 hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// HMAC-SHA256 of parts that are joined; the first says for what, and ends with a zero.
pub(crate) fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in parts {
        context.update(part);
    }
    let mut tag = [0; 32];
    for (byte, signed) in tag.iter_mut().zip(context.sign().as_ref()) {
        *byte = *signed;
    }
    tag
}

/// Writes bytes as lowercase hex.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing into a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Reads exactly so many bytes as lowercase hex digits. One spelling a value: an upper-case copy of a state would
/// otherwise be a second name for the same login.
pub(crate) fn from_hex<const BYTES: usize>(text: &str) -> Option<[u8; BYTES]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let digits = Some(text.as_bytes()).filter(|digits| digits.len() == 2 * BYTES)?;
    let mut bytes = [0; BYTES];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let &[high, low] = pair else { return None };
        *byte = (digit(high)? << 4) | digit(low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    random_secret!(Random);

    #[test]
    fn a_secret_prints_nothing_of_itself() {
        assert_eq!(format!("{:?}", Random::new([0xab; 32])), "Random([redacted])");
    }

    #[test]
    fn a_random_secret_has_one_spelling() {
        let text = "00ff".repeat(16);
        assert_eq!(Random::parse(&text).unwrap().expose(), text);
        for other in
            [text.to_uppercase(), text.replacen('0', " ", 1), text[1..].to_owned(), format!("{text}0")]
        {
            assert!(Random::parse(&other).is_none(), "{other}");
        }
    }

    #[test]
    fn a_digest_is_sha256() {
        // FIPS 180-4, the example of one block.
        assert_eq!(
            Digest::of(b"abc").as_str(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
