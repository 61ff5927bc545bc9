//! Cookies: a secret is read only from a cookie of exactly its name, and only if there is one.
//!
//! The input is one `Cookie` header a line. The reference does not split the header into pairs as the
//! product does, but looks for the name wherever it stands and asks what is around it (RFC 6265bis
//! §4.2.1: pairs are separated by `;` and one space, a name ends at the first `=`, and nothing else around
//! either is left out).

use http::{HeaderMap, HeaderValue, header};
use login::origin::Origin;
use web::cookie::Cookies;

/// What an input may be made of.
pub const WORDS: &[&str] = &[
    "__Host-browser",
    "__Host-session",
    "__Host-browser=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
    "__Host-session=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
    "wechat-login-browser=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
    "wechat-login-session",
    "__host-",
    "__Secure-",
    "%5F",
    "1700000000.00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
    "0.",
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
    "; ",
    ";",
    "=",
    " ",
    "\t",
    "\n",
    "\"",
    "\u{85}",
    "\u{a0}",
    "\u{2000}",
    ",",
    "$Version=1",
];

/// Tries the cookies of one request.
///
/// # Panics
///
/// When the product reads another value than the reference, or none where it reads one.
pub fn run(input: &[u8]) {
    let headers: Vec<HeaderValue> =
        input.split(|byte| *byte == b'\n').filter_map(|line| HeaderValue::from_bytes(line).ok()).collect();
    let mut map = HeaderMap::new();
    for header in &headers {
        map.append(header::COOKIE, header.clone());
    }
    let expect =
        |name: &str| only(&headers, name.as_bytes()).filter(|value| is_secret(value)).map(<[u8]>::to_vec);
    let expect_browser = |name: &str| {
        only(&headers, name.as_bytes()).filter(|value| is_browser_secret(value)).map(<[u8]>::to_vec)
    };
    let read = |text: Option<String>| text.map(String::into_bytes);

    let at = |public_url: &str| {
        Cookies::of(&Origin::parse(public_url).unwrap_or_else(|| unreachable!("{public_url} is an origin")))
    };
    let deployed = at("https://login.example.com");
    let browser = read(deployed.browser(&map).map(|secret| secret.expose()));
    assert_eq!(browser, expect_browser("__Host-browser"), "__Host-browser");
    let session = read(deployed.session(&map).map(|token| token.expose()));
    assert_eq!(session, expect("__Host-session"), "__Host-session");

    let local = at("http://localhost:9000");
    let browser = read(local.browser(&map).map(|secret| secret.expose()));
    assert_eq!(browser, expect_browser("wechat-login-browser"), "wechat-login-browser");
    let session = read(local.session(&map).map(|token| token.expose()));
    assert_eq!(session, expect("wechat-login-session"), "wechat-login-session");
}

/// The value of the cookie `name`, if it stands exactly once in all headers.
fn only<'a>(headers: &'a [HeaderValue], name: &[u8]) -> Option<&'a [u8]> {
    let mut only = None;
    for header in headers {
        let header = header.as_bytes();
        for at in 0..header.len() {
            let (before, from) = header.split_at(at);
            let Some(after) = from.strip_prefix(name) else { continue };
            let starts = matches!(before, [] | [b' '] | [.., b';'] | [.., b';', b' ']);
            let Some(value) = after.strip_prefix(b"=").filter(|_| starts) else {
                continue;
            };
            if only.is_some() {
                return None;
            }
            let end = value.iter().position(|byte| *byte == b';').unwrap_or(value.len());
            only = value.get(..end);
        }
    }
    only
}

/// A random secret as it is written: 64 lowercase hexadecimal digits.
fn is_secret(value: &[u8]) -> bool {
    value.len() == 64 && value.iter().all(|byte| b"0123456789abcdef".contains(byte))
}

/// The secret of a browser: a number in its one spelling, a point and a random secret, or such a secret alone.
fn is_browser_secret(value: &[u8]) -> bool {
    let born = value.len().checked_sub(64).map_or(value, |at| value.split_at(at).0);
    let secret = value.strip_prefix(born).unwrap_or_default();
    let is_number = |born: &[u8]| {
        let is_plain = born == b"0" || !born.starts_with(b"0") && !born.is_empty();
        let largest = u64::MAX.to_string();
        let is_small =
            born.len() < largest.len() || born.len() == largest.len() && born <= largest.as_bytes();
        is_plain && is_small && born.iter().all(u8::is_ascii_digit)
    };
    is_secret(secret) && (born.is_empty() || born.strip_suffix(b".").is_some_and(is_number))
}
