//! A response that is signed as it is ([RFC 9421](https://www.rfc-editor.org/rfc/rfc9421)): the key set, for whoever
//! asks for it so, to see that the key signs.
//!
//! Anybody may ask, so what is signed must be worth nothing anywhere else. A key set signed as a JWT (OpenID
//! Federation's `signed_jwks_uri`) would be worth something: it names the issuer, has an end, and is signed by the key
//! of the tokens, and there are receivers that look at nothing else, load balancers and frameworks by their defaults
//! among them. What is signed here are lines of text, with quotation marks and without a dot
//! ([§2.5](https://www.rfc-editor.org/rfc/rfc9421#section-2.5)). No JWS has such an input
//! ([RFC 7515 §5.2](https://www.rfc-editor.org/rfc/rfc7515#section-5.2)), so no receiver can take it for a token,
//! however little it looks at.
//!
//! ```text
//! "@status": 200
//! "content-digest": sha-256=:…:
//! "@signature-params": ("@status" "content-digest");created=1800000000;keyid="…";alg="rsa-v1_5-sha256"
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use login::time::Timestamp;
use ring::digest::{SHA256, digest};

use crate::jwk::KeyId;

/// What asks for it: the one value of `Accept-Signature`
/// ([§5.1](https://www.rfc-editor.org/rfc/rfc9421#section-5.1)) that is heard. Any other asks for something that is not
/// signed here, and is as good as none.
pub const ACCEPTED: &str = r#"keys=("@status" "content-digest");created"#;

/// The header that asks.
pub const ACCEPT_SIGNATURE: &str = "accept-signature";
/// The header with the digest of the body ([RFC 9530 §2](https://www.rfc-editor.org/rfc/rfc9530#section-2)).
pub const CONTENT_DIGEST: &str = "content-digest";
/// The header that says what is signed, when and by which key.
pub const SIGNATURE_INPUT: &str = "signature-input";
/// The header with the signature.
pub const SIGNATURE: &str = "signature";

/// What a signature is called in the headers.
const LABEL: &str = "keys";
/// What it covers.
const COVERED: &str = r#"("@status" "content-digest")"#;
/// `RSASSA-PKCS1-v1_5` with SHA-256 ([§3.3.2](https://www.rfc-editor.org/rfc/rfc9421#section-3.3.2)), the algorithm of
/// the tokens by another name.
const ALGORITHM: &str = "rsa-v1_5-sha256";

/// The bytes that are signed of a response of status 200
/// ([§2.5](https://www.rfc-editor.org/rfc/rfc9421#section-2.5)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureBase {
    /// The value of `Content-Digest`.
    digest: String,
    /// What is covered, with the parameters.
    parameters: String,
    text: String,
}

/// The headers of a response that is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageSignature {
    /// `Content-Digest`.
    pub content_digest: String,
    /// `Signature-Input`.
    pub signature_input: String,
    /// `Signature`.
    pub signature: String,
}

/// What a response says of its signature.
#[derive(Debug, PartialEq, Eq)]
pub struct Signed {
    /// What was signed, if the body is the one that was.
    pub base: SignatureBase,
    /// The name of the key.
    pub key: String,
    /// When it was signed.
    pub created: Timestamp,
    /// The signature.
    pub signature: Vec<u8>,
}

impl SignatureBase {
    /// What the key of this name is to sign of a response with this body, at `created`.
    #[must_use]
    pub fn new(key: &KeyId, body: &[u8], created: Timestamp) -> Self {
        Self::of(body, created, key.as_str())
    }

    fn of(body: &[u8], created: Timestamp, key: &str) -> Self {
        let digest = format!("sha-256=:{}:", STANDARD.encode(digest(&SHA256, body)));
        let created = created.epoch_seconds();
        let parameters = format!(r#"{COVERED};created={created};keyid="{key}";alg="{ALGORITHM}""#);
        let text =
            format!("\"@status\": 200\n\"content-digest\": {digest}\n\"@signature-params\": {parameters}");
        Self { digest, parameters, text }
    }

    /// The bytes to sign.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// The headers, with the signature.
    #[must_use]
    pub fn signed(self, signature: &[u8]) -> MessageSignature {
        MessageSignature {
            content_digest: self.digest,
            signature_input: format!("{LABEL}={}", self.parameters),
            signature: format!("{LABEL}=:{}:", STANDARD.encode(signature)),
        }
    }
}

impl AsRef<[u8]> for SignatureBase {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Signed {
    /// Reads the headers of a response of status 200 with this body, exactly as they are written here; `None` if they
    /// are otherwise. `Content-Digest` is not among them: the body itself has to be the one that was signed.
    #[must_use]
    pub fn read(signature_input: &str, signature: &str, body: &[u8]) -> Option<Self> {
        let parameters = signature_input.strip_prefix(LABEL)?.strip_prefix('=')?;
        let rest = parameters.strip_prefix(COVERED)?.strip_prefix(";created=")?;
        let (created, rest) = rest.split_once(";keyid=\"")?;
        let (key, _) = rest.split_once('"')?;
        let base = SignatureBase::of(body, Timestamp::from_epoch_seconds(created.parse().ok()?), key);
        let signature = signature.strip_prefix(LABEL)?.strip_prefix("=:")?.strip_suffix(':')?;
        let read = Self {
            key: key.to_owned(),
            created: Timestamp::from_epoch_seconds(created.parse().ok()?),
            signature: STANDARD.decode(signature).ok()?,
            base,
        };
        (read.base.parameters == parameters).then_some(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwk::PublicKey;

    fn key() -> KeyId {
        PublicKey::new(&[0xff; 256], &[1, 0, 1]).unwrap().id()
    }

    #[test]
    fn what_is_signed_is_written_as_the_rfc_has_it() {
        // The body of the RFC's examples (B.2), whose digest by SHA-512 stands there.
        let body = br#"{"hello": "world"}"#;
        let base = SignatureBase::new(&key(), body, Timestamp::from_epoch_seconds(1_618_884_473));
        let digest = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
        let input = format!(
            r#"("@status" "content-digest");created=1618884473;keyid="{}";alg="rsa-v1_5-sha256""#,
            key()
        );
        let text = format!("\"@status\": 200\n\"content-digest\": {digest}\n\"@signature-params\": {input}");
        assert_eq!(base.as_bytes(), text.as_bytes());
        let headers = base.signed(&[0xfb, 0xff]);
        assert_eq!(
            [headers.content_digest, headers.signature_input, headers.signature],
            [digest.to_owned(), format!("keys={input}"), "keys=:+/8=:".to_owned()]
        );
    }

    /// A token's input is two parts with a dot between them, and letters that none of this begins with.
    #[test]
    fn nothing_of_it_can_be_taken_for_a_token() {
        for seconds in [0, 1_800_000_000, u64::MAX] {
            for body in [&b""[..], b"a.b.c", b"eyJhbGciOiJSUzI1NiJ9.e30"] {
                let base = SignatureBase::new(&key(), body, Timestamp::from_epoch_seconds(seconds));
                assert!(!base.as_bytes().contains(&b'.'), "{base:?}");
                assert!(base.as_bytes().starts_with(b"\"@status\": 200\n"), "{base:?}");
            }
        }
    }

    #[test]
    fn what_was_written_is_read_and_nothing_else_is() {
        let created = Timestamp::from_epoch_seconds(1_800_000_000);
        let base = SignatureBase::new(&key(), b"{}", created);
        let headers = base.clone().signed(&[1, 2, 3]);
        let read = |input: &str, signature: &str| Signed::read(input, signature, b"{}");
        let (input, signature) = (&*headers.signature_input, &*headers.signature);
        let expected =
            Signed { base: base.clone(), key: key().as_str().to_owned(), created, signature: vec![1, 2, 3] };
        assert_eq!(read(input, signature), Some(expected));
        // Of another body it is the signature of something else.
        assert_ne!(Signed::read(input, signature, b"[]").unwrap().base, base);
        for other in [
            "",
            "keys=",
            &input.replace("keys", "sig1"),
            &input.replace(" \"content-digest\"", ""),
            &input.replace("rsa-v1_5-sha256", "rsa-pss-sha512"),
            &input.replace(";alg=\"rsa-v1_5-sha256\"", ""),
            &input.replace("created=1", "created=-1"),
            &format!("{input};nonce=\"a\""),
            &format!("{input}, other={COVERED}"),
        ] {
            assert_eq!(read(other, signature), None, "{other}");
        }
        for other in ["", "keys=", "keys=::x", "sig1=:AQID:", "keys=:AQI:", "AQID"] {
            assert_eq!(read(input, other), None, "{other}");
        }
    }
}
