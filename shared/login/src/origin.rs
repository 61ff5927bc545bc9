//! An origin (RFC 6454 §4): scheme, host and port, spelled as a browser spells it.

/// An `http` or `https` origin in its one canonical spelling, without a trailing slash.
///
/// [RFC 6454 §6.2](https://www.rfc-editor.org/rfc/rfc6454#section-6.2) says how it is written. Two origins
/// are the same if they are the same text, so an `Origin` header is compared byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// Reads an origin; `None` if a browser would write it otherwise.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        settings::origin(text).map(|_| Self(text.to_owned()))
    }

    /// The origin of this stack: `https`, or `http` on `localhost`, which browsers trust as much.
    #[must_use]
    pub fn parse_public(text: &str) -> Option<Self> {
        let url = settings::origin(text)?;
        (url.scheme() == "https" || url.host_str() == Some("localhost")).then(|| Self(text.to_owned()))
    }

    /// The origin as a browser writes it, such as `https://www.example.com`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is `https`; only then may a cookie be `Secure` and `__Host-`.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.0.starts_with("https:")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_one_spelling() {
        for text in ["https://www.example.com", "https://shop.example.com:8443", "http://localhost:9000"] {
            assert_eq!(Origin::parse(text).map(|origin| origin.as_str().to_owned()), Some(text.to_owned()));
        }
        for text in [
            "",
            "null",
            "www.example.com",
            "https://www.example.com/",
            "https://www.example.com:443",
            "https://WWW.example.com",
            "https://user@www.example.com",
            "ftp://www.example.com",
        ] {
            assert_eq!(Origin::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_stack_is_reached_by_https_or_on_this_machine() {
        assert!(Origin::parse_public("https://auth.example.com").is_some_and(|origin| origin.is_secure()));
        assert!(Origin::parse_public("http://localhost:9000").is_some_and(|origin| !origin.is_secure()));
        for text in ["http://auth.example.com", "http://127.0.0.1:9000"] {
            assert_eq!(Origin::parse_public(text), None, "{text}");
        }
    }
}
