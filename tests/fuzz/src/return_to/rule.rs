//! The rule of where a login may end, written a second time and without a parser of URLs.
//!
//! It walks over the bytes once for what may stand where, and then takes the path apart once for every
//! time that somebody on the way might decode it. Which bytes a browser would rewrite is read off the
//! percent-encode sets of the URL Standard; a known origin with a path behind it leaves nothing else of
//! that standard to be followed, since dots and backslashes are refused before.

/// The origin of the stack.
pub const OWN: &str = "https://login.example.com";
/// The other origins that are allowed.
pub const ALLOWED: [&str; 6] = [
    "https://www.example.com",
    "https://shop.example.com:8443",
    "http://localhost:3000",
    "https://xn--fiq228c.example.com",
    "https://[2001:db8::1]",
    "https://login.example.com:8443",
];
/// What a login may not end on.
const ROUTES: [&[u8]; 11] = [
    b".well-known",
    b"access-token",
    b"authorize",
    b"callback",
    b"error",
    b"handoff",
    b"login.d.ts",
    b"login.js",
    b"logout",
    b"oauth2",
    b"userinfo",
];

/// What the rule says of a value.
#[derive(Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It is allowed, as this URL.
    Allowed(String),
    /// Nothing is wrong with it but that a browser would write this URL otherwise.
    NotCanonical(String),
    /// It is not allowed.
    Refused,
}

/// Where in a URL a byte stands.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Part {
    Path,
    Query,
    Fragment,
}

/// Judges a value that has been decoded once.
#[must_use]
pub fn judge(text: &str) -> Verdict {
    let is_printable = text.bytes().all(|byte| byte.is_ascii_graphic());
    let Some((origin, rest)) = locate(text).filter(|_| is_printable) else { return Verdict::Refused };
    let rest = &as_since_2024(rest);
    if rest.len() > 2048 {
        return Verdict::Refused;
    }
    let Some((path, is_canonical)) = walk(rest) else { return Verdict::Refused };
    if !is_harmless(path, origin == OWN && !is_handle(rest)) {
        return Verdict::Refused;
    }
    let slash = if rest.is_empty() { "/" } else { "" };
    let url = format!("{origin}{slash}{rest}");
    if is_canonical { Verdict::Allowed(url) } else { Verdict::NotCanonical(url) }
}

/// The same with every circumflex in the path encoded, as browsers write it since 2024; those of before leave it.
fn as_since_2024(rest: &str) -> String {
    let mut written = String::with_capacity(rest.len());
    let mut is_path = true;
    for letter in rest.chars() {
        is_path &= !matches!(letter, '?' | '#');
        if is_path && letter == '^' { written.push_str("%5E") } else { written.push(letter) }
    }
    written
}

/// The one address among the routes that a login comes back to.
fn is_handle(rest: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    let handle = rest.split_once("?request=").filter(|(path, _)| *path == "/oauth2/continue");
    handle.is_some_and(|(_, handle)| handle.len() == 43 && handle.chars().all(is_plain))
}

/// The origin of a value, and what follows it.
fn locate(text: &str) -> Option<(&'static str, &str)> {
    if text.as_bytes().first() == Some(&b'/') {
        return Some((OWN, text));
    }
    let end = text.match_indices('/').nth(2).map_or(text.len(), |(at, _)| at);
    let (before, rest) = text.split_at(end);
    [OWN].into_iter().chain(ALLOWED).find(|origin| *origin == before).map(|origin| (origin, rest))
}

/// The path, and whether a browser would leave every byte as it is; `None` if the path has a broken encoding, or one
/// that stands for what ends a line or a string, or a byte that no browser leaves in a path.
fn walk(rest: &str) -> Option<(&[u8], bool)> {
    let bytes = rest.as_bytes();
    let (mut part, mut path, mut is_canonical) = (Part::Path, bytes, true);
    for (at, byte) in bytes.iter().enumerate() {
        match (byte, part) {
            (b'#', Part::Path | Part::Query) | (b'?', Part::Path) => {
                path = if part == Part::Path { bytes.get(..at)? } else { path };
                part = if *byte == b'#' { Part::Fragment } else { Part::Query };
            }
            (b'\\' | b'"' | b'<' | b'>' | b'`', Part::Path) => return None,
            (b'%', Part::Path) => {
                let decoded = hex(*bytes.get(at + 1)?, *bytes.get(at + 2)?)?;
                if matches!(decoded, 0 | b'\n' | b'\r') {
                    return None;
                }
            }
            // Spaces are in these sets too, and never come this far.
            (b'{' | b'}', Part::Path)
            | (b'\'' | b'"' | b'<' | b'>', Part::Query)
            | (b'"' | b'<' | b'>' | b'`', Part::Fragment) => is_canonical = false,
            _ => {}
        }
    }
    Some((path, is_canonical))
}

/// Whether the path means the same to everybody, however often it is decoded on the way.
fn is_harmless(path: &[u8], is_own: bool) -> bool {
    let segments: Vec<&[u8]> = path.split(|byte| *byte == b'/').skip(1).collect();
    let Some((last, before)) = segments.split_last() else { return true };
    if before.iter().any(|segment| segment.is_empty()) {
        return false;
    }
    let is_harmless = |segment: &[u8], is_route: bool| {
        let mut segment = segment.to_vec();
        loop {
            let stem = segment.split(|byte| *byte == b';' || *byte == b'?').next().unwrap_or_default();
            if matches!(stem, b"." | b"..")
                || is_route && ROUTES.iter().any(|route| stem.eq_ignore_ascii_case(route))
            {
                return false;
            }
            let decoded = decode(&segment);
            if decoded == segment {
                return true;
            }
            if decoded.iter().any(|byte| matches!(byte, b'/' | b'\\') || byte.is_ascii_control()) {
                return false;
            }
            segment = decoded;
        }
    };
    let first = usize::from(!is_own);
    before.iter().chain([last]).enumerate().all(|(number, segment)| is_harmless(segment, number + first == 0))
}

/// Decodes every whole encoding once; what is broken stays.
fn decode(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        if let (b'%', [high, low, after @ ..]) = (first, after)
            && let Some(byte) = hex(*high, *low)
        {
            decoded.push(byte);
            rest = after;
        } else {
            decoded.push(*first);
            rest = after;
        }
    }
    decoded
}

fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}
