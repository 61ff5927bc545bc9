//! The search for tokens that are not known when something is written.
//!
//! A token of ours is 32 random bytes in hexadecimal, or ends in 32 bytes in base64 that nobody can guess, and the
//! answer that hands it out is often seen only after the log line about it. So what is kept of a text is each window of
//! its long runs of hexadecimal digits, as a number of 64 bits; a token has been written down where one of its own two
//! numbers, that of its first and that of its last 16 digits, is among them. Half a token is found that way too. The
//! raw bytes of a token have the same numbers, and so has what a run of base64 holds.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};

/// The digits of one window.
const DIGITS: usize = 16;
/// A shorter run of base64 holds no token: 32 bytes take 43.
const LEAST_BASE64: usize = 40;

/// The bytes of a token in base64 that nobody can guess: before them may stand what everybody knows.
const SECRET_BYTES: usize = 32;

/// The numbers of a token: of its first digits, and of its last.
pub(super) fn keys_of(token: &str) -> Option<[u64; 2]> {
    in_hexadecimal(token).or_else(|| in_base64(token))
}

/// Of a code, a handle, or a signature: the numbers at either end of its last 32 bytes.
fn in_base64(token: &str) -> Option<[u64; 2]> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let secret = bytes.get(bytes.len().checked_sub(SECRET_BYTES)?..)?;
    let number = |bytes: Option<&[u8; 8]>| bytes.map(|bytes| u64::from_be_bytes(*bytes));
    Some([number(secret.first_chunk())?, number(secret.last_chunk())?])
}

fn in_hexadecimal(token: &str) -> Option<[u64; 2]> {
    let (first, last) = (token.get(..DIGITS)?, token.get(token.len().checked_sub(DIGITS)?..)?);
    Some([u64::from_str_radix(first, 16).ok()?, u64::from_str_radix(last, 16).ok()?])
}

/// The number of every window of every text that may be one of a token.
pub(super) fn of_text(text: &[u8], mut each: impl FnMut(u64)) {
    of_digits(text, &mut each);
    of_base64(text, true, &mut each);
}

/// Of what the runs of base64 in a text hold; and, where that is text again, of what its own runs hold.
fn of_base64(text: &[u8], is_outer: bool, each: &mut dyn FnMut(u64)) {
    let mut start = 0;
    for end in 0..=text.len() {
        let is_within = text.get(end).is_some_and(|byte| is_base64(*byte));
        if !is_within {
            let run = text.get(start..end).unwrap_or_default();
            if run.len() >= LEAST_BASE64 && !run.iter().all(u8::is_ascii_hexdigit) {
                // What is encoded begins anywhere in the run: a path's `/` is of the alphabet too.
                for start in 0..4 {
                    let decoded = decode(run.get(start..).unwrap_or_default());
                    of_bytes(&decoded, &mut *each);
                    of_digits(&decoded, &mut *each);
                    if is_outer {
                        of_base64(&decoded, false, &mut *each);
                    }
                }
            }
            start = end + 1;
        }
    }
}

/// The number of every window of bytes that are no text.
pub(super) fn of_bytes(bytes: &[u8], mut each: impl FnMut(u64)) {
    let mut key = 0_u64;
    for (index, byte) in bytes.iter().enumerate() {
        key = key << 8 | u64::from(*byte);
        if index >= 7 {
            each(key);
        }
    }
}

fn of_digits(text: &[u8], mut each: impl FnMut(u64)) {
    let (mut key, mut length) = (0_u64, 0);
    for byte in text {
        match char::from(*byte).to_digit(16) {
            Some(digit) => {
                key = key << 4 | u64::from(digit);
                length += 1;
                if length >= DIGITS {
                    each(key);
                }
            }
            None => length = 0,
        }
    }
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte)
}

/// What a run holds as far as it can be decoded, in either alphabet.
fn decode(run: &[u8]) -> Vec<u8> {
    let standard = |byte: &u8| match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => *other,
    };
    let whole: Vec<_> = run.iter().take(run.len() / 4 * 4).map(standard).collect();
    // All of it is of the alphabet, in whole groups: it decodes.
    STANDARD_NO_PAD.decode(whole).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "00112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210";

    fn bytes() -> Vec<u8> {
        (0..TOKEN.len()).step_by(2).map(|at| u8::from_str_radix(&TOKEN[at..at + 2], 16).unwrap()).collect()
    }

    fn holds(text: &[u8]) -> bool {
        let (keys, mut found) = (keys_of(TOKEN).unwrap(), false);
        of_text(text, |key| found |= keys.contains(&key));
        found
    }

    #[test]
    fn finds_a_token_whole_and_in_part() {
        for text in [
            format!("token={TOKEN}."),
            format!("abc{TOKEN}def"),
            TOKEN.to_uppercase(),
            TOKEN[..16].to_owned(),
            format!("…{}", &TOKEN[40..]),
            format!("sha256-{}", STANDARD_NO_PAD.encode(bytes())),
            format!("\"{}\"", STANDARD_NO_PAD.encode(TOKEN)),
        ] {
            assert!(holds(text.as_bytes()), "{text}");
        }
        for text in [&TOKEN[..15], &TOKEN[1..40], "", "0123456789abcdef-0123456789abcdef"] {
            assert!(!holds(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn finds_a_token_in_base64_by_what_nobody_can_guess() {
        let token = URL_SAFE_NO_PAD.encode([&[0xfb; 16][..], &bytes()].concat());
        let keys = keys_of(&token).unwrap();
        let holds = |text: &str| {
            let mut found = 0;
            of_text(text.as_bytes(), |key| found += usize::from(keys.contains(&key)));
            found > 0
        };
        for text in [
            format!("code={token}&state=a"),
            format!("request%3D{token}"),
            format!("a/{token}"),
            format!("r.{token}"),
            TOKEN.to_owned(),
            STANDARD_NO_PAD.encode(&token),
        ] {
            assert!(holds(&text), "{text}");
        }
        assert!(!holds(&token[..30]));
        assert_eq!(keys_of(&token[22..]), None);
    }

    #[test]
    fn finds_the_bytes_of_a_token() {
        let mut found = 0;
        of_bytes(&[&[1, 2, 3][..], &bytes(), &[4]].concat(), |key| {
            found += usize::from(keys_of(TOKEN).unwrap().contains(&key));
        });
        assert_eq!(found, 2);
        assert_eq!(keys_of("0123"), None);
        assert_eq!(keys_of(&"x".repeat(61)), None);
    }
}
