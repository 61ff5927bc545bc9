//! Keys that this process signs with itself.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openid_connect::jwk::PublicKey;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};

use crate::MOST_KEYS;

/// RSA private keys, at least one; the first one signs.
#[derive(Debug, Clone)]
pub struct LocalKeys {
    first: Arc<LocalKey>,
    others: Vec<Arc<LocalKey>>,
}

/// A private key and its public half.
pub(crate) struct LocalKey {
    pub public: PublicKey,
    pair: RsaKeyPair,
}

impl fmt::Debug for LocalKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "LocalKey({})", self.public.id())
    }
}

impl LocalKeys {
    /// Reads one to three keys in PEM ([RFC 7468](https://www.rfc-editor.org/rfc/rfc7468)), PKCS#8 or PKCS#1; `None` if
    /// there is anything else, or a key of less than 2048 bits.
    ///
    /// Line breaks may be missing, or be blanks or `\n`: consoles and environment files make that of them.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut keys = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (kind, body) = rest.strip_prefix("-----BEGIN ")?.split_once("-----")?;
            let (body, after) = body.split_once("-----END ")?;
            rest = after.strip_prefix(kind)?.strip_prefix("-----")?.trim_start_matches("\\n").trim();
            let body: String = body.replace("\\n", "").split_whitespace().collect();
            let der = STANDARD.decode(body).ok()?;
            keys.push(Arc::new(LocalKey::from_der(kind, &der)?));
        }
        let mut keys = keys.into_iter();
        let (first, others) = (keys.next()?, keys.collect::<Vec<_>>());
        (others.len() < MOST_KEYS).then_some(Self { first, others })
    }

    pub(crate) fn first(&self) -> &LocalKey {
        &self.first
    }

    pub(crate) fn public(&self) -> impl Iterator<Item = PublicKey> {
        std::iter::once(&self.first).chain(&self.others).map(|key| key.public.clone())
    }
}

impl LocalKey {
    fn from_der(kind: &str, der: &[u8]) -> Option<Self> {
        let pair = match kind {
            "PRIVATE KEY" => RsaKeyPair::from_pkcs8(der),
            "RSA PRIVATE KEY" => RsaKeyPair::from_der(der),
            _ => return None,
        };
        let pair = pair.ok()?;
        let numbers = ring::rsa::PublicKeyComponents::<Vec<u8>>::from(pair.public());
        let public = PublicKey::new(&numbers.n, &numbers.e)?;
        Some(Self { public, pair })
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).ok()?;
        Some(signature)
    }
}
