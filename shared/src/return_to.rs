//! Where a login may end: the one parameter that could make this stack an open redirect.
//!
//! A target is taken only if every parser that will ever see it agrees on what it means: ours, the
//! browser's, the one in a webview. So the rule is not "find what is dangerous" but "it must already
//! be the canonical form": parsing it with a WHATWG parser and writing it again must give the same
//! bytes, and its origin must stand byte for byte in the allow-list. What canonicalisation leaves
//! open (encoded slashes, encoded dots, encoded controls) is refused by name. Hash routes and nested,
//! encoded query values are canonical and pass.
//!
//! A target is checked when a login begins, stored as text, and checked again before it is emitted:
//! the allow-list may have been narrowed in between.

use thiserror::Error;
use url::Url;

use crate::query::{Query, QueryError};

/// The longest target, in bytes.
const LONGEST: usize = 1024;

/// First path segments on our own origin that a login may not end on: a login that ends on a route of
/// the login would run in circles.
const ROUTES: [&str; 5] = ["authorize", "callback", "error", "logout", "userinfo"];

/// Which targets are allowed, from the configuration.
#[derive(Debug, Clone)]
pub struct Targets {
    /// The origin of this stack, for targets that are a path.
    own_origin: String,
    /// Other origins, exactly as a browser writes them.
    allowed_origins: Vec<String>,
}

/// An absolute URL that a login may end on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnTo(Url);

/// Why a target was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReturnToError {
    /// The parameter stands twice or is not encoded correctly.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Empty, longer than 1024 bytes, or with a byte outside printable ASCII or one of ``\ " < > ` ``.
    #[error("return_to has a length or a character that is not allowed")]
    Characters,
    /// Neither a path nor a URL on an allowed origin.
    #[error("return_to is on an origin that is not in ALLOWED_ORIGINS")]
    Origin,
    /// A broken or a dangerous percent-encoding.
    #[error("return_to has a percent-encoding that is not allowed")]
    Encoding,
    /// An empty or a dot segment in the path.
    #[error("return_to has a path segment that is not allowed")]
    Segment,
    /// A route of this stack.
    #[error("return_to is a route of the login itself")]
    OwnRoute,
    /// Not the form in which a browser would write the same URL.
    #[error("return_to is not in canonical form")]
    NotCanonical,
}

impl Targets {
    /// Targets on `own_origin` as paths, and anywhere on `allowed_origins`; all canonical origins,
    /// without a trailing slash.
    #[must_use]
    pub const fn new(own_origin: String, allowed_origins: Vec<String>) -> Self {
        Self { own_origin, allowed_origins }
    }

    /// The same own origin with other allowed ones.
    #[must_use]
    pub fn with_origins(&self, allowed_origins: Vec<String>) -> Self {
        Self { own_origin: self.own_origin.clone(), allowed_origins }
    }

    /// Whether `origin`, as an `Origin` header spells it, is one of the allowed ones or our own.
    #[must_use]
    pub fn is_trusted_origin(&self, origin: &str) -> bool {
        origin == self.own_origin || self.allowed_origins.iter().any(|allowed| allowed == origin)
    }

    /// Reads `return_to` from a query; `None` if it is absent.
    ///
    /// # Errors
    ///
    /// [`ReturnToError`], naming the first rule that is broken.
    pub fn from_query(&self, query: Query<'_>) -> Result<Option<ReturnTo>, ReturnToError> {
        query.one("return_to")?.map(|text| self.check(&text)).transpose()
    }

    /// Checks a target that has been decoded once.
    ///
    /// # Errors
    ///
    /// [`ReturnToError`], naming the first rule that is broken.
    pub fn check(&self, text: &str) -> Result<ReturnTo, ReturnToError> {
        let printable = |byte: u8| matches!(byte, 0x21..=0x7e) && !br#"\"<>`"#.contains(&byte);
        if text.is_empty() || text.len() > LONGEST || !text.bytes().all(printable) {
            return Err(ReturnToError::Characters);
        }
        let (origin, rest) = self.split(text).ok_or(ReturnToError::Origin)?;
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        check_encoding(rest, path)?;
        check_segments(path)?;
        if origin == self.own_origin && is_own_route(path) {
            return Err(ReturnToError::OwnRoute);
        }
        // A bare origin is the one spelling a person writes that a browser completes.
        let candidate = format!("{origin}{}", if rest.is_empty() { "/" } else { rest });
        let url = Url::parse(&candidate).map_err(|_| ReturnToError::NotCanonical)?;
        if url.as_str() != candidate
            || url.has_authority() && !(url.username().is_empty() && url.password().is_none())
        {
            return Err(ReturnToError::NotCanonical);
        }
        if url.origin().ascii_serialization() != origin {
            return Err(ReturnToError::Origin);
        }
        Ok(ReturnTo(url))
    }

    /// The origin a target stands on, and what follows it.
    fn split<'a>(&'a self, text: &'a str) -> Option<(&'a str, &'a str)> {
        if text.starts_with('/') {
            return Some((&self.own_origin, text));
        }
        std::iter::once(&self.own_origin).chain(&self.allowed_origins).find_map(|origin| {
            let rest = text.strip_prefix(origin.as_str())?;
            (rest.is_empty() || rest.starts_with('/')).then_some((origin.as_str(), rest))
        })
    }
}

impl ReturnTo {
    /// The absolute URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The absolute URL as a redirect emits it, with a fragment of its own, empty if it has none.
    ///
    /// A redirect without a fragment inherits the one of the page before (RFC 9110 §10.2.2), and a login
    /// comes from `#wechat_redirect`, which the router of a single-page app would take for a route.
    #[must_use]
    pub fn location(&self) -> String {
        with_fragment(self.0.clone())
    }

    /// The absolute URL with `error=<code>` (RFC 6749 §4.1.2.1) added to its query, as a redirect
    /// emits it.
    #[must_use]
    pub fn with_error(&self, code: &str) -> String {
        let mut url = self.0.clone();
        url.query_pairs_mut().append_pair("error", code);
        with_fragment(url)
    }
}

fn with_fragment(mut url: Url) -> String {
    if url.fragment().is_none() {
        url.set_fragment(Some(""));
    }
    url.into()
}

/// Every `%` starts an encoding; none of a control that ends a line or a string anywhere; in the path
/// none of a slash, a backslash or a control, nor one that a second decoding would turn into one.
fn check_encoding(rest: &str, path: &str) -> Result<(), ReturnToError> {
    for encoding in encodings(rest) {
        if matches!(encoding.ok_or(ReturnToError::Encoding)?, 0x00 | 0x0a | 0x0d) {
            return Err(ReturnToError::Encoding);
        }
    }
    // `%2525…2F` unfolds to a slash after enough decodings, so every layer of `%25` is peeled.
    let mut layer = path.to_owned();
    loop {
        if encodings(&layer).flatten().any(|byte| matches!(byte, b'/' | b'\\' | 0x00..=0x1f | 0x7f)) {
            return Err(ReturnToError::Encoding);
        }
        let peeled = layer.replace("%25", "%");
        if peeled == layer {
            return Ok(());
        }
        layer = peeled;
    }
}

/// The bytes that a text's percent-encodings stand for; `None` for one that is broken.
fn encodings(text: &str) -> impl Iterator<Item = Option<u8>> {
    text.split('%').skip(1).map(|after| {
        let digits = after.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        u8::from_str_radix(digits, 16).ok()
    })
}

/// No empty segment but the last, and none that some parser takes for `.` or `..`.
fn check_segments(path: &str) -> Result<(), ReturnToError> {
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        let is_dots =
            matches!(plain.as_str(), "." | "..") || plain.starts_with(".;") || plain.starts_with("..;");
        if is_dots || segment.is_empty() && segments.peek().is_some() {
            return Err(ReturnToError::Segment);
        }
    }
    Ok(())
}

/// Whether the first segment, in any spelling that a gateway might decode, is a route of this stack.
fn is_own_route(path: &str) -> bool {
    let mut first = path.split('/').nth(1).unwrap_or_default().to_ascii_lowercase();
    for byte in b'a'..=b'z' {
        first = first.replace(&format!("%{byte:02x}"), &char::from(byte).to_string());
        first = first.replace(&format!("%{:02x}", byte.to_ascii_uppercase()), &char::from(byte).to_string());
    }
    let first = first.split(';').next().unwrap_or_default();
    ROUTES.contains(&first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets() -> Targets {
        Targets::new(
            "https://auth.example.com".to_owned(),
            vec!["https://www.example.com".to_owned(), "https://shop.example.com:8443".to_owned()],
        )
    }

    #[test]
    fn pass_targets_that_every_parser_reads_alike() {
        for (text, url) in [
            ("/", "https://auth.example.com/"),
            ("/me?tab=1#top", "https://auth.example.com/me?tab=1#top"),
            ("https://auth.example.com/me", "https://auth.example.com/me"),
            ("https://www.example.com", "https://www.example.com/"),
            ("https://www.example.com/", "https://www.example.com/"),
            ("https://www.example.com/me/", "https://www.example.com/me/"),
            ("https://shop.example.com:8443/cart", "https://shop.example.com:8443/cart"),
            (
                "https://www.example.com/#/orders/7?from=wechat",
                "https://www.example.com/#/orders/7?from=wechat",
            ),
            (
                "https://www.example.com/go?next=https%3A%2F%2Fwww.example.com%2Fa%3Fb%3Dc%26d",
                "https://www.example.com/go?next=https%3A%2F%2Fwww.example.com%2Fa%3Fb%3Dc%26d",
            ),
            ("https://www.example.com/%E4%BD%A0%E5%A5%BD", "https://www.example.com/%E4%BD%A0%E5%A5%BD"),
            ("https://www.example.com/authorize", "https://www.example.com/authorize"),
            ("https://www.example.com/a;b=1/c.d/..e", "https://www.example.com/a;b=1/c.d/..e"),
            ("https://www.example.com/100%25", "https://www.example.com/100%25"),
        ] {
            assert_eq!(
                targets().check(text).map(|target| target.as_str().to_owned()),
                Ok(url.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn fail_targets_that_lead_elsewhere() {
        use ReturnToError::{Characters, Encoding, NotCanonical, Origin, OwnRoute, Segment};
        for (text, error) in [
            ("", Characters),
            ("/a b", Characters),
            ("/a\u{e9}", Characters),
            ("/\\evil.com", Characters),
            ("/a\nb", Characters),
            ("/<script>", Characters),
            ("https://evil.com/", Origin),
            ("https://www.example.com.evil.com/", Origin),
            ("https://www.example.com@evil.com/", Origin),
            ("https://www.example.com:443/", Origin),
            ("https://WWW.example.com/", Origin),
            ("http://www.example.com/", Origin),
            ("https:/www.example.com/", Origin),
            ("https:www.example.com", Origin),
            ("javascript:alert(1)", Origin),
            ("//evil.com", Segment),
            ("///evil.com", Segment),
            ("/.//evil.com", Segment),
            ("/a//b", Segment),
            ("/a/../b", Segment),
            ("/a/%2e%2E/b", Segment),
            ("/a/.%2e", Segment),
            ("/..;/b", Segment),
            ("/%2fevil.com", Encoding),
            ("/%5cevil.com", Encoding),
            ("/%252fevil.com", Encoding),
            ("/%25252Fevil.com", Encoding),
            ("/a%09b", Encoding),
            ("/a?b=%0d%0aSet-Cookie", Encoding),
            ("/a#%00", Encoding),
            ("/a%", Encoding),
            ("/a%4", Encoding),
            ("/a?b=%zz", Encoding),
            ("/authorize", OwnRoute),
            ("https://auth.example.com/callback", OwnRoute),
            ("/callback?code=1", OwnRoute),
            ("/%63allback/x", OwnRoute),
            ("/LOGOUT", OwnRoute),
            ("/error;x", OwnRoute),
            ("/a?b='c'", NotCanonical),
            ("/a|b{c}", NotCanonical),
        ] {
            assert_eq!(targets().check(text), Err(error), "{text}");
        }
        assert_eq!(targets().check(&format!("/{}", "a".repeat(LONGEST))), Err(Characters));
    }

    #[test]
    fn a_redirect_never_inherits_a_fragment() {
        for (text, location) in [
            ("/me", "https://auth.example.com/me#"),
            ("https://www.example.com/?a=1#", "https://www.example.com/?a=1#"),
            ("https://www.example.com/#/me", "https://www.example.com/#/me"),
        ] {
            assert_eq!(targets().check(text).unwrap().location(), location);
        }
        let target = targets().check("/me").unwrap();
        assert_eq!(target.with_error("access_denied"), "https://auth.example.com/me?error=access_denied#");
    }

    #[test]
    fn an_error_goes_before_the_fragment() {
        let target = targets().check("https://www.example.com/?a=1#/me").unwrap();
        assert_eq!(
            target.with_error("access_denied"),
            "https://www.example.com/?a=1&error=access_denied#/me"
        );
    }
}
