//! Proof Key for Code Exchange ([RFC 7636](https://www.rfc-editor.org/rfc/rfc7636)): who redeems a code is who asked
//! for it. `S256` and nothing else: `plain` proves nothing to whoever has read the request.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

/// `code_challenge`: 43 characters ([RFC 7636 §4.2](https://www.rfc-editor.org/rfc/rfc7636#section-4.2)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeChallenge(String);

impl CodeChallenge {
    /// Reads a challenge of the method `S256`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digest: [u8; 32] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        Some(Self(URL_SAFE_NO_PAD.encode(digest)))
    }

    /// The challenge.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether `verifier` is what a stored challenge was made of. A verifier that nobody asked for is refused too: somebody
/// took the challenge out of the request ([RFC 9700 §4.8.2](https://www.rfc-editor.org/rfc/rfc9700#section-4.8.2)).
#[must_use]
pub fn is_proved(challenge: Option<&CodeChallenge>, verifier: Option<&str>) -> bool {
    match (challenge, verifier) {
        (None, None) => true,
        (Some(challenge), Some(verifier)) => {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            (43..=128).contains(&verifier.len())
                && verifier.bytes().all(is_plain)
                && URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes())) == challenge.as_str()
        }
        (Some(_), None) | (None, Some(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn a_verifier_proves_its_challenge_only() {
        let [challenge, plain] = [CHALLENGE, VERIFIER].map(|text| CodeChallenge::parse(text).unwrap());
        assert!(is_proved(Some(&challenge), Some(VERIFIER)));
        assert!(is_proved(None, None));
        assert!(!is_proved(Some(&challenge), None));
        assert!(!is_proved(None, Some(VERIFIER)));
        assert!(!is_proved(Some(&challenge), Some(CHALLENGE)));
        // The method `plain`, under which they would be equal.
        assert!(!is_proved(Some(&plain), Some(VERIFIER)));
    }

    #[test]
    fn a_challenge_is_a_digest() {
        assert_eq!(CodeChallenge::parse(CHALLENGE).unwrap().as_str(), CHALLENGE);
        for text in ["", "E9Melhoa", &format!("{CHALLENGE}="), &CHALLENGE.replace('-', "+")] {
            assert_eq!(CodeChallenge::parse(text), None, "{text}");
        }
    }
}
