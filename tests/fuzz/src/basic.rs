//! HTTP Basic, as OAuth means it: name and secret are encoded as in a form, joined by a colon, and encoded in base64.
//!
//! The input is the header's value. The reference decodes base64 with a table of its own, cuts at the first colon, and
//! has the `form_urlencoded` crate decode both halves.

use http::HeaderValue;
use token::basic as read;

use crate::query::is_whole;

/// What an input may be made of.
pub const WORDS: &[&str] = &[
    "Basic ",
    "basic ",
    "BASIC ",
    "Bearer ",
    "Basic  ",
    "\t",
    " ",
    "=",
    "==",
    "Og==",
    "d2ViOg==",
    "d2ViOnNlY3JldA==",
    "YWRtaW46Y2FuYXJ5JTNBK29mKyUyQithZG1pbiUyNQ==",
    "OnNlY3JldA==",
    "ZDo6",
    "JTAw",
    "JWZm",
    "JQ==",
    "KysrOisrKw==",
    "/w==",
    "-_",
    "+/",
];

/// Tries one header.
///
/// # Panics
///
/// When it is read otherwise than by the reference.
pub fn run(input: &[u8]) {
    let Ok(header) = HeaderValue::from_bytes(input) else { return };
    assert_eq!(read(&header), reference(input), "{:?}", input.escape_ascii().to_string());
}

/// Name and secret of a header.
pub(crate) fn reference(header: &[u8]) -> Option<(String, String)> {
    let text = header.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~')).then_some(header)?;
    let at = text.iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = text.split_at_checked(at)?;
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let decoded = String::from_utf8(base64(rest.trim_ascii())?).ok()?;
    let (name, secret) = decoded.split_once(':')?;
    Some((decode(name)?, decode(secret)?))
}

/// A value of a form.
fn decode(value: &str) -> Option<String> {
    let form = format!("a={}", value.replace('&', "%26"));
    let (_, decoded) = form_urlencoded::parse(form.as_bytes()).next()?;
    is_whole(value).then(|| decoded.into_owned())
}

/// RFC 4648 §4, with its padding, and with nothing in the bits that are left over.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let digits = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    if !text.len().is_multiple_of(4) || digits.contains(&b'=') {
        return None;
    }
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for digit in digits {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        (bits, count) = (bits << 6 | u32::from(value), count + 6);
        if count >= 8 {
            count -= 8;
            bytes.extend(u8::try_from(bits >> count & 0xff));
            bits &= (1 << count) - 1;
        }
    }
    // Padding is exactly what is missing of a group of four.
    let is_padded = text.len() - digits.len() == (4 - digits.len() % 4) % 4;
    (bits == 0 && is_padded).then_some(bytes)
}
