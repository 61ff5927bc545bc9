//! Where a login may end: the one parameter that could make this stack an open redirect.
//!
//! A target is taken only if every parser that will ever see it agrees on what it means: ours, the browser's, the one
//! in a webview. So the rule is not "find what is dangerous" but "it must already be the canonical form": parsing it
//! with a WHATWG parser and writing it again must give the same bytes, and its origin must stand byte for byte in the
//! allow-list. Only `^` in the path is written as browsers write it since 2024, since those of before leave it as it
//! is. What canonicalisation leaves open in the path (encoded slashes, encoded dots, encoded controls) is refused by
//! name. Nothing in the query or the fragment can lead elsewhere, so whatever a browser leaves there passes: every
//! `location.href` is right as it is, with hash routes, nested addresses and a bare `%`.
//!
//! A target is checked when a login begins, stored as text, and checked again before it is emitted:
//! the allow-list may have been narrowed in between.

use percent_encoding::percent_decode;
use thiserror::Error;
use url::Url;

use crate::origin::Origin;

/// The longest target, in bytes behind its origin.
const LONGEST: usize = 2048;

/// First path segments on our own origin that a login may not end on: a login that ends on a route of
/// the login would run in circles.
const ROUTES: [&str; 11] = [
    ".well-known",
    "access-token",
    "authorize",
    "callback",
    "error",
    "handoff",
    "login.d.ts",
    "login.js",
    "logout",
    "oauth2",
    "userinfo",
];

/// Whether the login itself answers at this path of its own origin, the home page aside.
#[must_use]
pub fn is_route(path: &str) -> bool {
    let first = path.strip_prefix('/').unwrap_or(path);
    first.split(['/', ';', '?']).next().is_some_and(|name| names_a_route(name.as_bytes()))
}

fn names_a_route(segment: &[u8]) -> bool {
    ROUTES.iter().any(|route| segment.eq_ignore_ascii_case(route.as_bytes()))
}

/// A route that a login may end on: there the OpenID Provider goes on, by a handle of 43 characters.
pub const CONTINUE: &str = "/oauth2/continue?request=";

/// The other one: there a phone goes on that is to log another browser in, by a ticket of 122 that only its own browser
/// reads ([`HiddenTicket`](crate::handoff::HiddenTicket)).
pub const HAND_ON: &str = "/handoff?hidden=";

/// Whether this is exactly one of the two.
fn goes_on(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    [(CONTINUE, 43), (HAND_ON, 122)].into_iter().any(|(route, length)| {
        text.strip_prefix(route).is_some_and(|handle| handle.len() == length && handle.bytes().all(is_plain))
    })
}

/// Which targets are allowed, from the configuration.
#[derive(Debug, Clone)]
pub struct Targets {
    /// The origin of this stack, for targets that are a path.
    own_origin: Origin,
    /// Other origins, exactly as a browser writes them.
    allowed_origins: Vec<Origin>,
}

/// An absolute URL that a login may end on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnTo(Url);

/// A target as it is stored with a login: it was judged when the login began, and is judged again by
/// [`Targets::check_again`] before it is emitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReturnTo(String);

impl StoredReturnTo {
    /// Takes a target that was read back from a table.
    #[must_use]
    pub const fn stored(text: String) -> Self {
        Self(text)
    }

    /// The text, for the table; no redirect is made of it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&ReturnTo> for StoredReturnTo {
    fn from(target: &ReturnTo) -> Self {
        Self(target.as_str().to_owned())
    }
}

/// Why a target was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReturnToError {
    /// More than 2048 bytes behind the origin.
    #[error("return_to is longer than 2048 bytes")]
    TooLong,
    /// With a byte outside printable ASCII, or in the path one of ``\ " < > ` ``.
    #[error("return_to has a character that is not allowed")]
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
    /// Targets on `own_origin` as paths, and anywhere on `allowed_origins`.
    #[must_use]
    pub const fn new(own_origin: Origin, allowed_origins: Vec<Origin>) -> Self {
        Self { own_origin, allowed_origins }
    }

    /// The same own origin with other allowed ones.
    #[must_use]
    pub fn with_origins(&self, allowed_origins: Vec<Origin>) -> Self {
        Self { own_origin: self.own_origin.clone(), allowed_origins }
    }

    /// Whether `origin`, as an `Origin` header spells it, is one of the allowed ones or our own.
    #[must_use]
    pub fn is_trusted_origin(&self, origin: &str) -> bool {
        self.origins().any(|trusted| trusted == origin)
    }

    /// Checks a target that has been decoded once.
    ///
    /// # Errors
    ///
    /// [`ReturnToError`], naming the first rule that is broken.
    pub fn check(&self, text: &str) -> Result<ReturnTo, ReturnToError> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ReturnToError::Characters);
        }
        let (origin, rest) = self.split(text).ok_or(ReturnToError::Origin)?;
        let (path, behind) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
        // A bare origin is the one spelling a person writes that a browser completes.
        let path = if rest.is_empty() { "/".to_owned() } else { path.replace('^', "%5E") };
        if path.len() + behind.len() > LONGEST {
            return Err(ReturnToError::TooLong);
        }
        let is_own = origin == self.own_origin.as_str();
        check_path(&path, is_own && !goes_on(rest))?;
        let candidate = format!("{origin}{path}{behind}");
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

    /// Checks a target that a login was begun with, by today's rules.
    ///
    /// # Errors
    ///
    /// [`ReturnToError`], if the configuration has changed since.
    pub fn check_again(&self, stored: &StoredReturnTo) -> Result<ReturnTo, ReturnToError> {
        self.check(stored.as_str())
    }

    /// The origin a target stands on, and what follows it.
    fn split<'a>(&'a self, text: &'a str) -> Option<(&'a str, &'a str)> {
        if text.starts_with('/') {
            return Some((self.own_origin.as_str(), text));
        }
        self.origins().find_map(|origin| {
            let rest = text.strip_prefix(origin)?;
            (rest.is_empty() || rest.starts_with('/')).then_some((origin, rest))
        })
    }

    /// Our own origin, then the allowed ones.
    pub fn origins(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.own_origin).chain(&self.allowed_origins).map(Origin::as_str)
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

    /// Whether this is the home page of this stack, at this origin: the one page behind a login that begins another.
    #[must_use]
    pub fn is_home(&self, own_origin: &str) -> bool {
        self.0.origin().ascii_serialization() == own_origin && self.0.path() == "/"
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

/// Every `%` starts an encoding.
fn check_encoding(path: &str) -> Result<(), ReturnToError> {
    let is_right = |after: &str| after.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    if path.split('%').skip(1).all(is_right) { Ok(()) } else { Err(ReturnToError::Encoding) }
}

/// The path means the same to everybody, however often it is decoded on the way: API Gateway alone
/// decodes a path twice. `%252F` and `%25%32%46` are slashes to whoever decodes them often enough, so
/// every layer is looked at.
fn check_path(path: &str, is_own: bool) -> Result<(), ReturnToError> {
    if path.contains(['\\', '"', '<', '>', '`']) {
        return Err(ReturnToError::Characters);
    }
    check_encoding(path)?;
    if path.contains("//") {
        return Err(ReturnToError::Segment);
    }
    let mut layer = path.as_bytes().to_vec();
    loop {
        check_segments(&layer, is_own)?;
        let decoded: Vec<u8> = percent_decode(&layer).collect();
        if decoded == layer {
            return Ok(());
        }
        let slashes = |layer: &[u8]| layer.iter().filter(|byte| matches!(byte, b'/' | b'\\')).count();
        if slashes(&decoded) > slashes(&layer) || decoded.iter().any(u8::is_ascii_control) {
            return Err(ReturnToError::Encoding);
        }
        layer = decoded;
    }
}

/// No segment that some parser takes for `.` or `..`, and on our own origin none at the beginning that
/// is a route. Some servers cut a segment at a `;`, API Gateway at a `?` that decoding brings to light.
fn check_segments(path: &[u8], is_own: bool) -> Result<(), ReturnToError> {
    for (position, segment) in path.split(|byte| *byte == b'/').skip(1).enumerate() {
        let name = segment.split(|byte| matches!(byte, b';' | b'?')).next().unwrap_or_default();
        if matches!(name, b"." | b"..") {
            return Err(ReturnToError::Segment);
        }
        if is_own && position == 0 && names_a_route(name) {
            return Err(ReturnToError::OwnRoute);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets() -> Targets {
        let origin = |text| Origin::parse(text).unwrap();
        Targets::new(
            origin("https://auth.example.com"),
            vec![origin("https://www.example.com"), origin("https://shop.example.com:8443")],
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
            ("https://www.example.com/100%2525?a=^#^", "https://www.example.com/100%2525?a=^#^"),
            // A browser of before 2024, and one of today.
            ("/a^b^?c^#d^", "https://auth.example.com/a%5Eb%5E?c^#d^"),
            ("/a%5Eb", "https://auth.example.com/a%5Eb"),
            ("/p?q=100%", "https://auth.example.com/p?q=100%"),
            ("/p?q=%zz%0d%0aSet-Cookie#%00%", "https://auth.example.com/p?q=%zz%0d%0aSet-Cookie#%00%"),
            ("/p?q=\\`|{}^#\\|{}^'", "https://auth.example.com/p?q=\\`|{}^#\\|{}^'"),
            ("/p?next=//evil.com/../%2f", "https://auth.example.com/p?next=//evil.com/../%2f"),
        ] {
            assert_eq!(
                targets().check(text).map(|target| target.as_str().to_owned()),
                Ok(url.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn two_routes_end_a_login_by_their_handle_and_by_nothing_else() {
        let handle = |length: usize| "aZ09_-".chars().cycle().take(length).collect::<String>();
        for (route, length) in [(CONTINUE, 43), (HAND_ON, 122)] {
            let target = format!("{route}{}", handle(length));
            let checked = targets().check(&target).unwrap();
            assert_eq!(checked.as_str(), format!("https://auth.example.com{target}"));
            assert_eq!(StoredReturnTo::stored(target.clone()).as_str(), target);
            for other in [
                format!("{route}{}", handle(length - 1)),
                format!("{route}{}", handle(length + 1)),
                format!("{route}{}.", handle(length - 1)),
                format!("{target}&error=x"),
                format!("{target}#top"),
            ] {
                assert_eq!(targets().check(&other).err(), Some(ReturnToError::OwnRoute), "{other}");
            }
        }
    }

    #[test]
    fn home_is_the_root_of_this_stack_alone() {
        for (text, is_home) in [
            ("/", true),
            ("/?error=access_denied#top", true),
            ("https://auth.example.com", true),
            ("/me", false),
            ("https://www.example.com/", false),
        ] {
            assert_eq!(targets().check(text).unwrap().is_home("https://auth.example.com"), is_home, "{text}");
        }
    }

    #[test]
    fn fail_targets_that_lead_elsewhere() {
        use ReturnToError::{Characters, Encoding, NotCanonical, Origin, OwnRoute, Segment, TooLong};
        for (text, error) in [
            ("", Origin),
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
            ("/a/%252e%252e/b", Segment),
            ("/..;/b", Segment),
            ("/%2fevil.com", Encoding),
            ("/%5cevil.com", Encoding),
            ("/%252fevil.com", Encoding),
            ("/%25252Fevil.com", Encoding),
            ("/%25%32%46evil.com", Encoding),
            ("/%25%35%63evil.com", Encoding),
            ("/a%257f", Encoding),
            ("/a%09b", Encoding),
            ("/a%0d%0aSet-Cookie", Encoding),
            ("/a%00", Encoding),
            ("/a%", Encoding),
            ("/a%4", Encoding),
            ("/a%zz?b", Encoding),
            ("/oauth2/authorize", OwnRoute),
            ("/oauth2/continue", OwnRoute),
            ("/oauth2/continue?request=", OwnRoute),
            ("/oauth2/continue?request=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA&a=1", OwnRoute),
            ("/oauth2/continue?request=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA%41", OwnRoute),
            ("/OAuth2/continue?request=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", OwnRoute),
            ("/access-token", OwnRoute),
            ("/authorize", OwnRoute),
            ("https://auth.example.com/callback", OwnRoute),
            ("/callback?code=1", OwnRoute),
            ("/%63allback/x", OwnRoute),
            ("/LOGOUT", OwnRoute),
            ("/login.js?v=0.2.0", OwnRoute),
            ("/Login.D.ts", OwnRoute),
            ("/error;x", OwnRoute),
            ("/%2563allback", OwnRoute),
            ("/callback%3Fx", OwnRoute),
            ("/a?b='c'", NotCanonical),
            ("/a?b=\"", NotCanonical),
            ("/a#<b>", NotCanonical),
            ("/a#`", NotCanonical),
            ("/a`", Characters),
            ("/a|b{c}", NotCanonical),
        ] {
            assert_eq!(targets().check(text), Err(error), "{text}");
        }
        assert_eq!(targets().check(&format!("/{}", "a".repeat(LONGEST))), Err(TooLong));
        assert!(TooLong.to_string().contains(&LONGEST.to_string()));
    }

    #[test]
    fn what_is_accepted_is_accepted_again_as_it_is_stored() {
        let longest = format!("/{}", "a".repeat(LONGEST - 1));
        let handle = format!("{CONTINUE}{}", "A".repeat(43));
        let circumflexes = format!("/{}", "^".repeat((LONGEST - 1) / 3));
        for text in ["/me", "https://www.example.com", &longest, &handle, &circumflexes] {
            let target = targets().check(text).unwrap();
            assert_eq!(targets().check(target.as_str()), Ok(target), "{text}");
        }
        assert_eq!(targets().check(&format!("{longest}a")), Err(ReturnToError::TooLong));
        assert_eq!(targets().check(&format!("{circumflexes}^")), Err(ReturnToError::TooLong));
        let elsewhere = format!("https://www.example.com{longest}");
        assert!(targets().check(&elsewhere).is_ok() && targets().check(&format!("{elsewhere}a")).is_err());
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
