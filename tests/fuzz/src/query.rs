//! Queries: every parameter that decides something is found in every spelling of its name, stands
//! once or is refused, and has the value that everybody else reads.
//!
//! The input is the query as it stands in the request line. Who finds the parameters is the
//! `form_urlencoded` crate, which browsers' forms and most servers agree with. It forgives what is
//! broken, which the product does not, so what is broken is told apart here.

use http::{Request, Uri};
use web::query::Query;
use web::query::QueryError;

/// Parameters that routes read; the others are read by the same lines.
const NAMES: [&str; 4] = ["code", "lang", "return_to", "state"];

/// What an input may be made of.
pub const WORDS: &[&str] = &[
    "state=",
    "code=",
    "return_to=",
    "&state=a",
    "st%61te",
    "s%74ate",
    "%72eturn_to",
    "return%5Fto",
    "return+to",
    "lang=zh_CN",
    "scope=snsapi_userinfo",
    "error=access_denied",
    "&",
    "&&",
    ";",
    "=",
    "==",
    "+",
    "%2B",
    "%20",
    "%",
    "%4",
    "%zz",
    "%00",
    "%ff",
    "%c0%af",
    "%ed%a0%80",
    "%E4%BD%A0",
    "%2525",
    "%26",
    "%3D",
    "[]",
    "#",
    "?",
];

/// Tries one query.
///
/// # Panics
///
/// When the product reads a parameter otherwise than the reference.
pub fn run(input: &[u8]) {
    let Ok(uri) = Uri::try_from([b"/?", input].concat()) else { return };
    let raw = uri.query().unwrap_or_default().to_owned();
    let Ok(request) = Request::get(uri).body(()) else { return };
    let query = Query::of(&request);
    // Empty pairs are no pairs to the crate; left out here, the two lists go side by side.
    let pairs = raw.split('&').filter(|pair| !pair.is_empty());
    let pairs: Vec<_> = pairs.zip(form_urlencoded::parse(raw.as_bytes())).collect();
    for name in NAMES {
        let mut named = pairs.iter().filter(|(_, (found, _))| found == name);
        let expected = match (named.next(), named.next()) {
            (None, _) => Ok(None),
            (Some((pair, (_, value))), None) => {
                let raw_value = pair.find('=').and_then(|at| pair.get(at + 1..)).unwrap_or_default();
                if is_whole(raw_value) {
                    // RFC 6749 §3.1: a parameter without a value counts as omitted.
                    Ok(Some(value.to_string()).filter(|value| !value.is_empty()))
                } else {
                    Err(QueryError::Encoding(name))
                }
            }
            (Some(_), Some(_)) => Err(QueryError::Duplicate(name)),
        };
        assert_eq!(query.one(name), expected, "{name} of {raw:?}");
    }

    // The same names in another spelling are the same query.
    if pairs.is_empty() {
        return;
    }
    let respelled = respell(&raw, raw.len() % 2);
    let Ok(request) = Request::get(format!("/?{respelled}")).body(()) else { return };
    for name in NAMES {
        let (one, other) = (query.one(name), Query::of(&request).one(name));
        assert_eq!(one, other, "{name} of {raw:?} and of {respelled:?}");
    }
}

/// The query with one letter of every name encoded, the first or the second; the second name, if there
/// is one, stays as it is, so that spellings mix.
fn respell(raw: &str, number: usize) -> String {
    let respelled = raw.split('&').enumerate().map(|(position, pair)| {
        let name = pair.split('=').next().unwrap_or_default();
        match name.as_bytes().get(number) {
            Some(byte) if byte.is_ascii_alphabetic() && !name.contains('%') && position != 1 => {
                let (before, after) = (pair.get(..number), pair.get(number + 1..));
                format!("{}%{byte:02x}{}", before.unwrap_or_default(), after.unwrap_or_default())
            }
            _ => pair.to_owned(),
        }
    });
    respelled.collect::<Vec<_>>().join("&")
}

/// Whether every `%` begins an encoding and all of them together are UTF-8.
pub(crate) fn is_whole(raw: &str) -> bool {
    let mut bytes = raw.as_bytes();
    let mut decoded = Vec::new();
    while let Some((first, rest)) = bytes.split_first() {
        bytes = rest;
        decoded.push(*first);
        if *first == b'%' {
            let Some((digits, rest)) = rest.split_first_chunk::<2>() else { return false };
            let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
            let (Some(high), Some(low)) = (high, low) else { return false };
            decoded.pop();
            decoded.extend(u8::try_from(high * 16 + low));
            bytes = rest;
        }
    }
    String::from_utf8(decoded).is_ok()
}
