//! `return_to`: whatever is accepted leads where it may, and whatever the rule allows is accepted.
//!
//! The input is the value as it stands after one decode. What the product says of it is held against
//! a second implementation of the rule ([`rule`]), in both directions, and what is emitted in the end
//! against a second parser. With libFuzzer that parser is Ada, which is the one of Node.js; the
//! product's is the `url` crate.

pub mod rule;

use std::sync::LazyLock;

use http::Request;
use login::origin::Origin;
use login::return_to::{ReturnTo, Targets};
use web::query::Query;

use rule::{ALLOWED, OWN, Verdict};

/// What an input may be made of.
pub const WORDS: &[&str] = &[
    "https://login.example.com",
    "https://www.example.com",
    "https://shop.example.com:8443",
    "http://localhost:3000",
    "https://xn--fiq228c.example.com",
    "https://[2001:db8::1]",
    "//",
    "/\\",
    "@",
    ":443",
    "?",
    "#",
    "#/",
    "..",
    "%2e",
    "%2E%2e",
    "..;",
    ".;",
    "%2f",
    "%5c",
    "%25",
    "%00",
    "%0a",
    "%0D",
    "%09",
    "%7f",
    "%C2%85",
    "authorize",
    "callback",
    "error",
    "logout",
    "userinfo",
    "%63allback",
    "'",
    "^",
    "{",
    "|",
    "error=access_denied",
];

/// Tries one value.
///
/// # Panics
///
/// When the product takes what it should not, refuses what it should take, or emits something else.
pub fn run(input: &[u8]) {
    static TARGETS: LazyLock<Targets> = LazyLock::new(|| {
        let origin = |text: &str| Origin::parse(text).unwrap_or_else(|| unreachable!("{text} is an origin"));
        Targets::new(origin(OWN), ALLOWED.map(origin).to_vec())
    });
    let Ok(text) = std::str::from_utf8(input) else { return };
    let said = TARGETS.check(text).ok();
    let verdict = rule::judge(text);
    #[cfg(feature = "libfuzzer")]
    whatwg::agrees(&verdict);
    let expected = match verdict {
        Verdict::Allowed(url) => Some(url),
        Verdict::NotCanonical(_) | Verdict::Refused => None,
    };
    assert_eq!(said.as_ref().map(ReturnTo::as_str), expected.as_deref(), "of {text:?}");
    let (Some(target), Some(url)) = (said, expected) else { return };

    // Checked again before it is emitted, and it is still the same.
    assert_eq!(TARGETS.check(&url).as_ref(), Ok(&target), "of {url:?}");
    assert_eq!(from_query(&TARGETS, text).as_ref(), Some(&target), "of {text:?} in a query");
    emitted(&target, &url);
}

/// The same value in the query of a request.
fn from_query(targets: &Targets, text: &str) -> Option<ReturnTo> {
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("return_to", text).finish();
    let request = Request::get(format!("/authorize?{query}")).body(()).ok()?;
    Query::of(&request).one("return_to").ok()?.map(|text| targets.check(&text)).transpose().ok()?
}

/// Both forms in which a target leaves, spliced together by hand.
fn emitted(target: &ReturnTo, url: &str) {
    let (before, fragment) = url.split_once('#').unwrap_or((url, ""));
    let location = format!("{before}#{fragment}");
    assert_eq!(target.location(), location);
    let join = match before.split_once('?') {
        None => "?",
        Some((_, "")) => "",
        Some(_) => "&",
    };
    let with_error = format!("{before}{join}error=access_denied#{fragment}");
    assert_eq!(target.with_error("access_denied"), with_error);
    #[cfg(feature = "libfuzzer")]
    for form in [&location, &with_error] {
        whatwg::agrees(&Verdict::Allowed(form.clone()));
    }
}

/// What a browser's parser says.
#[cfg(feature = "libfuzzer")]
mod whatwg {
    use ada_url::Url;

    use super::rule::{ALLOWED, OWN, Verdict};

    /// Holds the verdict against the parser: a target that is allowed is read as it stands and leads
    /// to an origin of the list, one that is not canonical is rewritten.
    pub fn agrees(verdict: &Verdict) {
        match verdict {
            Verdict::Allowed(candidate) => {
                let url = parse(candidate);
                assert_eq!(url.as_ref().map(Url::href), Some(candidate.as_str()));
                let origin = url.as_ref().map(Url::origin).unwrap_or_default();
                assert!(
                    origin == OWN || ALLOWED.contains(&origin.as_str()),
                    "{candidate:?} leads to {origin}"
                );
                let userinfo = url.as_ref().map(|url| (url.username(), url.password()));
                assert_eq!(userinfo, Some(("", "")), "{candidate:?} names a user");
            }
            Verdict::NotCanonical(candidate) => {
                let url = parse(candidate);
                assert_ne!(url.as_ref().map(Url::href), Some(candidate.as_str()));
            }
            Verdict::Refused => {}
        }
    }

    fn parse(candidate: &str) -> Option<Url> {
        Url::parse(candidate, None).ok()
    }
}
