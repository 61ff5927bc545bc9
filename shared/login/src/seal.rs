//! Sealing: what a table may hold without whoever copies it being able to read it.
//!
//! The key is derived (HKDF-SHA256) from a secret the table does not have, for one purpose, named by
//! `info`; the item's key is the associated data, so that a blob moved to another item does not open.
//! The blob is a version byte, the nonce, and AES-256-GCM's output.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf;

/// What sealing makes: a blob that is good for nothing without the secret it was sealed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// Takes a blob that was read back from a table.
    #[must_use]
    pub const fn stored(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, for the table.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Random bytes for one sealing; never used twice.
pub type NonceBytes = [u8; NONCE_LEN];

/// The first byte of a sealed blob: how it was sealed, for the day that changes.
const VERSION: u8 = 1;

/// Seals `text`. `None` only if the cipher refuses, which it does for no input of ours.
#[must_use]
pub fn seal(secret: &[u8], info: &str, id: &str, nonce: NonceBytes, text: &[u8]) -> Option<Sealed> {
    let mut sealed = text.to_vec();
    key(secret, info)?
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(id.as_bytes()), &mut sealed)
        .ok()?;
    Some(Sealed([&[VERSION][..], &nonce, &sealed].concat()))
}

/// Opens what [`seal`] made with the same secret, for the same purpose and item; else `None`.
#[must_use]
pub fn open(secret: &[u8], info: &str, id: &str, sealed: &Sealed) -> Option<Vec<u8>> {
    let (&VERSION, rest) = sealed.as_bytes().split_first()? else { return None };
    let (nonce, text) = rest.split_first_chunk::<NONCE_LEN>()?;
    let mut text = text.to_vec();
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let opened = key(secret, info)?.open_in_place(nonce, Aad::from(id.as_bytes()), &mut text).ok()?;
    Some(opened.to_vec())
}

fn key(secret: &[u8], info: &str) -> Option<LessSafeKey> {
    let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(secret);
    let info = [info.as_bytes()];
    let expanded = extracted.expand(&info, &AES_256_GCM).ok()?;
    Some(LessSafeKey::new(UnboundKey::from(expanded)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_opens_for_its_secret_purpose_and_item_only() {
        let sealed = seal(b"secret", "purpose", "item", [9; NONCE_LEN], b"Canary").unwrap();
        assert_eq!(open(b"secret", "purpose", "item", &sealed).as_deref(), Some(&b"Canary"[..]));
        assert_eq!(open(b"other", "purpose", "item", &sealed), None);
        assert_eq!(open(b"secret", "other", "item", &sealed), None);
        assert_eq!(open(b"secret", "purpose", "other", &sealed), None);
        assert!(!sealed.as_bytes().windows(6).any(|window| window == b"Canary"));
    }

    #[test]
    fn an_altered_seal_does_not_open() {
        let sealed = seal(b"secret", "purpose", "item", [9; NONCE_LEN], b"Canary").unwrap();
        let opens = |sealed: Vec<u8>| open(b"secret", "purpose", "item", &Sealed::stored(sealed)).is_some();
        for position in 0..sealed.as_bytes().len() {
            let mut altered = sealed.as_bytes().to_vec();
            altered[position] ^= 1;
            assert!(!opens(altered), "byte {position}");
            assert!(!opens(sealed.as_bytes()[..position].to_vec()), "first {position} bytes");
        }
    }
}
