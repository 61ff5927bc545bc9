//! Cookies: a secret is read only from a cookie of exactly its name, and only if there is one.
//!
//! The input is one `Cookie` header a line. The reference does not split the header into pairs as the
//! product does, but looks for the name wherever it stands and asks what is around it (RFC 6265bis
//! §4.2.1: pairs are separated by `;`, a name ends at the first `=`, and only spaces and tabs around
//! either are not part of it).

use http::{HeaderMap, HeaderValue, header};
use login::origin::Origin;
use web::cookie::Cookies;

/// What an input may be made of.
pub const WORDS: &[&str] = &[
    "__Host-browser",
    "__Host-session",
    "__Host-browser=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
    "__Host-session=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
    "browser=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
    "session",
    "__host-",
    "__Secure-",
    "%5F",
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
    let read = |text: Option<String>| text.map(String::into_bytes);

    let at = |public_url: &str| {
        Cookies::of(&Origin::parse(public_url).unwrap_or_else(|| unreachable!("{public_url} is an origin")))
    };
    let deployed = at("https://login.example.com");
    let browser = read(deployed.browser(&map).map(|secret| secret.expose()));
    assert_eq!(browser, expect("__Host-browser"), "__Host-browser");
    let session = read(deployed.session(&map).map(|token| token.expose()));
    assert_eq!(session, expect("__Host-session"), "__Host-session");

    let local = at("http://localhost:9000");
    let browser = read(local.browser(&map).map(|secret| secret.expose()));
    assert_eq!(browser, expect("browser"), "browser");
    let session = read(local.session(&map).map(|token| token.expose()));
    assert_eq!(session, expect("session"), "session");
}

/// The value of the cookie `name`, if it stands exactly once in all headers.
fn only<'a>(headers: &'a [HeaderValue], name: &[u8]) -> Option<&'a [u8]> {
    let mut only = None;
    for header in headers {
        let header = header.as_bytes();
        for at in 0..header.len() {
            let (before, from) = header.split_at(at);
            let Some(after) = from.strip_prefix(name) else { continue };
            let starts = matches!(before.trim_ascii_blank_end().last(), None | Some(b';'));
            let Some(value) = after.trim_ascii_blank_start().strip_prefix(b"=").filter(|_| starts) else {
                continue;
            };
            if only.is_some() {
                return None;
            }
            let end = value.iter().position(|byte| *byte == b';').unwrap_or(value.len());
            only = value.get(..end).map(|value| value.trim_ascii_blank_start().trim_ascii_blank_end());
        }
    }
    only
}

/// A random secret as it is written: 64 lowercase hexadecimal digits.
fn is_secret(value: &[u8]) -> bool {
    value.len() == 64 && value.iter().all(|byte| b"0123456789abcdef".contains(byte))
}

/// Spaces and tabs, and nothing else, taken off.
trait Blanks {
    fn trim_ascii_blank_start(&self) -> &[u8];
    fn trim_ascii_blank_end(&self) -> &[u8];
}

impl Blanks for [u8] {
    fn trim_ascii_blank_start(&self) -> &[u8] {
        let blanks = self.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        self.get(blanks..).unwrap_or_default()
    }

    fn trim_ascii_blank_end(&self) -> &[u8] {
        let blanks = self.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        self.get(..self.len() - blanks).unwrap_or_default()
    }
}
