//! The search for texts that are known in advance, in one pass over what is written.
//!
//! A text is looked for as it is and in the ways in which programs write things down without meaning
//! to: percent-encoded, as JSON's escapes, in base64 wherever it may stand within the encoded whole, in
//! hexadecimal, and as the list of numbers that Rust prints for bytes.
//!
//! Texts become known while others are looked for, in a flood some with every request, and an automaton of all of them
//! takes seconds to make. So there are several, each at least twice as large as the next: what is new gets a small one,
//! which takes in those before it that are no larger than itself. Each pattern is made into an automaton a few times,
//! and a text is read by a few of them.

use std::{
    collections::HashSet,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use aho_corasick::AhoCorasick;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};

use super::Kind;

/// A shorter pattern could stand anywhere.
const LEAST: usize = 4;

/// Every pattern, and the automata that find them.
pub(super) struct Search {
    patterns: Vec<Pattern>,
    /// What the patterns look like, each once.
    written: HashSet<Vec<u8>>,
    /// Of all patterns, in their order, once there was something to be searched after they had changed.
    parts: Mutex<Vec<Part>>,
}

/// Some of the patterns, and the automaton that finds them all at once.
#[derive(Clone)]
struct Part {
    patterns: Range<usize>,
    automaton: Arc<AhoCorasick>,
}

/// One way in which a text may have been written.
pub(super) struct Pattern {
    bytes: Vec<u8>,
    pub(super) kind: Kind,
    /// What is looked for.
    pub(super) text: String,
    /// How it is written here.
    pub(super) encoding: &'static str,
}

impl AsRef<[u8]> for Pattern {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Search {
    pub(super) fn new() -> Self {
        Self { patterns: Vec::new(), written: HashSet::new(), parts: Mutex::default() }
    }

    /// Looks for this text too, in all its encodings. One that is too short to mean anything is left out.
    /// Says whether that is new.
    pub(super) fn add(&mut self, text: &str, kind: Kind) -> bool {
        let before = self.patterns.len();
        for (encoding, bytes) in encodings(text) {
            if bytes.len() >= LEAST && self.written.insert(bytes.clone()) {
                self.patterns.push(Pattern { bytes, kind, text: text.to_owned(), encoding });
            }
        }
        self.patterns.len() > before
    }

    /// Every place at which a pattern stands, also within another.
    pub(super) fn find(&self, text: &[u8], mut found: impl FnMut(usize, &Pattern)) {
        for Part { patterns, automaton } in self.parts() {
            let patterns = self.patterns.get(patterns).unwrap_or_default();
            for place in automaton.find_overlapping_iter(text) {
                if let Some(pattern) = patterns.get(place.pattern().as_usize()) {
                    found(place.start(), pattern);
                }
            }
        }
    }

    /// The automata, of all patterns that are there by now.
    #[expect(clippy::expect_used, reason = "fails only when the patterns take more than 2 GiB")]
    fn parts(&self) -> Vec<Part> {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let end = self.patterns.len();
        let mut first = parts.last().map_or(0, |last| last.patterns.end);
        if first < end {
            while let Some(small) = parts.pop_if(|last| last.patterns.len() < 2 * (end - first)) {
                first = small.patterns.start;
            }
            let automaton =
                AhoCorasick::new(&self.patterns[first..end]).expect("a few patterns of a few bytes");
            parts.push(Part { patterns: first..end, automaton: Arc::new(automaton) });
        }
        parts.clone()
    }
}

/// The ways in which a text may have been written.
fn encodings(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = text.as_bytes();
    let hexadecimal = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let numbers: Vec<_> = bytes.iter().map(u8::to_string).collect();
    let mut encodings = vec![
        ("as it is", bytes.to_vec()),
        ("in hexadecimal", hexadecimal.to_uppercase().into_bytes()),
        ("in hexadecimal", hexadecimal.into_bytes()),
        ("as a list of bytes", numbers.join(", ").into_bytes()),
    ];
    for before in 0..3 {
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            encodings.push(("in base64", within_base64(engine, before, bytes)));
        }
    }
    let percent: String = form_urlencoded::byte_serialize(bytes).collect();
    if percent != text {
        // Of letters only those of an encoding change their case.
        let lower = if text.is_ascii() { with_lower_encodings(&percent) } else { percent.to_lowercase() };
        encodings
            .extend([("percent-encoded", lower.into_bytes()), ("percent-encoded", percent.into_bytes())]);
    }
    if !text.is_ascii() {
        let escape = |unit: u16| format!("\\u{unit:04x}");
        let escaped = text.encode_utf16().map(escape).collect::<String>();
        encodings.push(("in JSON's escapes", escaped.into_bytes()));
    }
    encodings
}

/// The same text, with the digits of each encoding in lower case.
fn with_lower_encodings(percent: &str) -> String {
    let mut parts = percent.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let (digits, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        format!("{text}%{}{rest}", digits.to_lowercase())
    })
}

/// What base64 surely holds of these bytes when so many others, modulo three, stand before them.
fn within_base64(engine: &impl Engine, before: usize, bytes: &[u8]) -> Vec<u8> {
    let whole: Vec<_> = std::iter::repeat_n(0, before).chain(bytes.iter().copied()).collect();
    let encoded = engine.encode(&whole).into_bytes();
    // Of six bits each: those that begin before these bytes, or reach beyond them, say something else.
    let (first, end) = ((before * 8).div_ceil(6), whole.len() * 8 / 6);
    encoded.get(first..end).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(search: &Search, text: &str) -> Vec<(usize, &'static str)> {
        let mut found = Vec::new();
        search.find(text.as_bytes(), |at, pattern| found.push((at, pattern.encoding)));
        found
    }

    #[test]
    fn what_becomes_known_between_searches_is_found_once_by_few_automata() {
        let mut search = Search::new();
        for count in 1..=300 {
            search.add(&format!("canary-{count:03}-"), Kind::Code);
            assert_eq!(finds(&search, &format!("a canary-{count:03}-")), [(2, "as it is")]);
            assert_eq!(finds(&search, "a canary-001-"), [(2, "as it is")]);
            let sizes: Vec<_> = search.parts().iter().map(|part| part.patterns.len()).collect();
            assert_eq!(sizes.iter().sum::<usize>(), search.patterns.len());
            assert!(sizes.windows(2).all(|pair| pair[0] >= 2 * pair[1]), "{sizes:?}");
        }
    }

    #[test]
    fn finds_a_text_however_it_is_written() {
        let mut search = Search::new();
        search.add("Canary", Kind::Code);
        search.add("小满🌾", Kind::Nickname);
        search.add("a+b/c", Kind::SigningKey);
        for (text, encoding) in [
            ("a Canary", "as it is"),
            ("43616e617279", "in hexadecimal"),
            ("43616E617279", "in hexadecimal"),
            ("[67, 97, 110, 97, 114, 121]", "as a list of bytes"),
            ("nickname=%E5%B0%8F%E6%BB%A1%F0%9F%8C%BE", "percent-encoded"),
            ("%e5%b0%8f%e6%bb%a1%f0%9f%8c%be", "percent-encoded"),
            (r#"{"nickname":"\u5c0f\u6ee1\ud83c\udf3e"}"#, "in JSON's escapes"),
            ("[小满🌾]", "as it is"),
            ("?a=a%2Bb%2Fc", "percent-encoded"),
            ("?a=a%2bb%2fc", "percent-encoded"),
        ] {
            let found: Vec<_> = finds(&search, text).into_iter().map(|(_, encoding)| encoding).collect();
            assert_eq!(found, [encoding], "{text}");
        }
        for before in ["", "1", "12", "123", "{\"code\":\"0"] {
            let text = STANDARD_NO_PAD.encode(format!("{before}CanaryAndMore"));
            assert_eq!(finds(&search, &text).len(), 1, "{before}");
        }
        assert_eq!(search.parts().len(), 1);
        assert_eq!(finds(&search, "CanaryCanary"), [(0, "as it is"), (6, "as it is")]);
        assert_eq!(finds(&search, "canary Canar y C"), []);
    }
}
