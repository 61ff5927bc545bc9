//! `redirect_uri`: an answer goes to the registered address, byte for byte, and nowhere else; of a loopback address the
//! port alone is free.
//!
//! The input is two lines: an address as it is registered, and one as a request asks for it. The reference cuts both by
//! hand. With libFuzzer, Ada, the parser of Node.js, says where a browser would go.

use openid_connect::client::{RedirectKind, RedirectUri};

/// What an input may be made of.
pub const WORDS: &[&str] = &[
    "https://app.example.org/callback",
    "https://app.example.org",
    "http://127.0.0.1/cb",
    "http://127.0.0.1:49152/cb",
    "http://[::1]/cb",
    "http://[::1]:80/cb",
    "http://localhost:3000/cb",
    "http://127.1/cb",
    "http://2130706433/cb",
    "com.example.app:/cb",
    "\n",
    ":443",
    ":80",
    ":0",
    ":65536",
    "@evil.example",
    "user@",
    ".evil.example",
    "\\",
    "//",
    "/../",
    "%2e%2e",
    "%2F",
    "?",
    "?a=1",
    "#",
    "&code=x",
    "HTTPS",
    "\u{ff0e}",
    "\u{5b57}",
    "\t",
    " ",
];

/// Tries one pair.
///
/// # Panics
///
/// When an address is taken for another one than it is, or what is registered is no place for an answer.
pub fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (registered, asked) = text.split_once('\n').unwrap_or((text, text));
    for is_local in [false, true] {
        let Some(uri) = RedirectUri::parse(registered, is_local) else { continue };
        assert_eq!(uri.as_str(), registered);
        assert!(is_place(registered), "{registered:?} is registered");
        assert_eq!(uri.kind() == RedirectKind::Web, is_web(registered, is_local), "{registered:?}");
        assert!(uri.matches(registered), "{registered:?} is not itself");
        let expected = asked == registered
            || uri.kind() == RedirectKind::Loopback && is_same_but_for_the_port(registered, asked);
        assert_eq!(uri.matches(asked), expected, "{asked:?} for {registered:?}");
        #[cfg(feature = "libfuzzer")]
        if expected {
            browser::goes_to_the_same_host(registered, asked);
        }
    }
}

/// Whether answers may go there: nothing that a browser would read otherwise, and no fragment that it would keep.
fn is_place(uri: &str) -> bool {
    let is_plain = uri.bytes().all(|byte| byte.is_ascii_graphic()) && !uri.contains(['#', '\\', '*']);
    let Some((scheme, rest)) = uri.split_once(':') else { return false };
    let is_known = ["https", "http"].contains(&scheme) && rest.starts_with("//") || scheme.contains('.');
    is_plain && is_known && !authority(uri).contains('@')
}

/// Whether an address proves somebody: by a certificate, or because all of it is on a developer's machine.
fn is_web(uri: &str, is_local: bool) -> bool {
    uri.starts_with("https://") || is_local && (host(uri) == "localhost" && uri.starts_with("http://"))
}

fn authority(uri: &str) -> &str {
    let rest = uri.split_once(':').and_then(|(_, rest)| rest.strip_prefix("//")).unwrap_or_default();
    rest.split(['/', '?']).next().unwrap_or_default()
}

/// The host, with the brackets that an IPv6 address has.
fn host(uri: &str) -> &str {
    let authority = authority(uri);
    match authority.rfind(']') {
        Some(end) => authority.get(..=end).unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    }
}

/// Whether both are the same address of this device, with any port that is written as a browser writes it.
pub(crate) fn is_same_but_for_the_port(registered: &str, asked: &str) -> bool {
    let cut = |uri: &str| {
        let host = host(uri).to_owned();
        let rest = uri.strip_prefix("http://")?.strip_prefix(&*host)?.to_owned();
        let is_address = host.starts_with("127.") || host == "[::1]";
        let digits = rest
            .strip_prefix(':')
            .map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
        let path = match &digits {
            None => rest.as_str(),
            Some(digits) => rest.get(digits.len() + 1..)?,
        };
        // As a browser writes it: no leading zero, in sixteen bits, and not the one that goes without saying.
        let is_port = |digits: &String| {
            digits.parse::<u16>().is_ok_and(|port| port != 80 && port.to_string() == *digits)
        };
        (is_address && digits.as_ref().is_none_or(is_port)).then(|| (host, path.to_owned()))
    };
    cut(registered).is_some_and(|registered| cut(asked) == Some(registered))
}

/// What a browser's parser says.
#[cfg(feature = "libfuzzer")]
mod browser {
    use ada_url::Url;

    /// Both addresses are of one host, over one scheme.
    pub fn goes_to_the_same_host(registered: &str, asked: &str) {
        let parse = |uri: &str| {
            Url::parse(uri, None).ok().map(|url| (url.protocol().to_owned(), url.hostname().to_owned()))
        };
        assert_eq!(parse(registered), parse(asked), "{asked:?} for {registered:?}");
    }
}
