//! An origin (RFC 6454 §4): scheme, host and port, spelled as a browser spells it.

use url::{Host, Url};

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

    /// Whether a page on this origin can have the cookies that `stack` sets, by the rule of browsers ([RFC 6265bis
    /// §5.2](https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis#section-5.2)): both are of one site,
    /// which is the scheme and the registrable domain, one label below a public suffix.
    #[must_use]
    pub fn is_same_site(&self, stack: &Self) -> bool {
        match (Url::parse(&self.0), Url::parse(&stack.0)) {
            (Ok(one), Ok(other)) => one.scheme() == other.scheme() && site(&one) == site(&other),
            _ => false,
        }
    }

    /// Whether it is `https`; only then may a cookie be `Secure` and `__Host-`.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.0.starts_with("https:")
    }
}

/// Public suffixes of two labels, as far as they are likely here. What the whole Public Suffix List would add to each
/// function is in `docs/development/speed.md`; the doctor asks it.
const SUFFIXES: [&str; 10] =
    ["ac.cn", "com.cn", "edu.cn", "gov.cn", "net.cn", "org.cn", "com.hk", "com.mo", "com.tw", "github.io"];

/// The registrable domain of a host, or something above it: a suffix that is not known here is taken for a domain, so
/// two sites may look like one, and never one like two. The host itself where it has no domain, as `localhost` and IP
/// addresses.
fn site(url: &Url) -> Option<&str> {
    let Host::Domain(domain) = url.host()? else { return url.host_str() };
    let from = |labels: usize| match domain.rmatch_indices('.').nth(labels - 1) {
        Some((dot, _)) => domain.get(dot + 1..).unwrap_or(domain),
        None => domain,
    };
    Some(if SUFFIXES.contains(&from(2)) { from(3) } else { from(2) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_a_scheme_and_a_registrable_domain() {
        let is_same_site =
            |one, other| Origin::parse(one).unwrap().is_same_site(&Origin::parse(other).unwrap());
        for (page, stack) in [
            ("https://www.example.com", "https://auth.example.com"),
            ("https://example.com:8443", "https://auth.example.com"),
            ("https://a.b.example.com.cn", "https://login.example.com.cn"),
            ("http://localhost:3000", "http://localhost:9000"),
            ("https://203.0.113.9:8443", "https://203.0.113.9"),
        ] {
            assert!(is_same_site(page, stack), "{page} {stack}");
        }
        for (page, stack) in [
            ("https://www.other.org", "https://auth.example.com"),
            ("http://www.example.com", "https://auth.example.com"),
            ("https://www.other.com.cn", "https://auth.example.com.cn"),
            ("https://one.github.io", "https://other.github.io"),
            ("https://203.0.113.10", "https://203.0.113.9"),
            ("http://127.0.0.1:3000", "http://localhost:9000"),
        ] {
            assert!(!is_same_site(page, stack), "{page} {stack}");
        }
    }

    /// The oracle is the Public Suffix List.
    #[test]
    fn nothing_is_refused_that_browsers_take_for_one_site() {
        let hosts: Vec<String> = ["example", "other"]
            .iter()
            .flat_map(|name| {
                let suffixes =
                    SUFFIXES.iter().copied().chain(["com", "cn", "co.uk", "bj.cn", "com.au", "io"]);
                suffixes
                    .flat_map(move |suffix| ["", "www.", "a.b."].map(|sub| format!("{sub}{name}.{suffix}")))
            })
            .collect();
        let mut refused = 0;
        for one in &hosts {
            for other in &hosts {
                let [page, stack] =
                    [one, other].map(|host| Origin::parse(&format!("https://{host}")).unwrap());
                let is_one = psl::domain_str(one) == psl::domain_str(other);
                assert!(page.is_same_site(&stack) || !is_one, "{one} {other}");
                refused += usize::from(!page.is_same_site(&stack));
            }
        }
        assert!(refused > hosts.len(), "{refused}");
    }

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
