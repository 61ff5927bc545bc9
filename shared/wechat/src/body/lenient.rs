//! Reads what a strict reader refuses: bodies that are almost JSON, and values of a neighbouring kind.

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny};

/// The text of a body, as it stands or else repaired.
pub fn text(body: &[u8]) -> String {
    if serde_json::from_slice::<IgnoredAny>(body).is_ok()
        && std::str::from_utf8(body).is_ok()
        && !has_lone_surrogate(body)
    {
        String::from_utf8_lossy(body).into_owned()
    } else {
        repair(body)
    }
}

/// Makes a body that a strict parser refuses readable: a byte below 0x20 can only be white space in
/// JSON, so it becomes a space; broken UTF-8 and half surrogate pairs become U+FFFD.
fn repair(body: &[u8]) -> String {
    let spaced: Vec<u8> = body.iter().map(|byte| if *byte < 0x20 { b' ' } else { *byte }).collect();
    replace_lone_surrogates(&String::from_utf8_lossy(&spaced))
}

fn has_lone_surrogate(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    replace_lone_surrogates(&text) != text
}

/// Replaces each `\uD800`–`\uDFFF` escape that is not half of a pair.
fn replace_lone_surrogates(text: &str) -> String {
    let mut repaired = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(position) = rest.find('\\') {
        let (before, escape) = rest.split_at(position);
        repaired.push_str(before);
        let (length, replacement) = match (surrogate(escape), escape.get(6..).and_then(surrogate)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (12, None),
            (Some(_), _) => (6, Some("\\ufffd")),
            // Any other escape is two characters at least; `\\` must not lend its second half to `u`.
            (None, _) => (1 + escape.chars().nth(1).map_or(0, char::len_utf8), None),
        };
        let (escape, after) = escape.split_at(length);
        repaired.push_str(replacement.unwrap_or(escape));
        rest = after;
    }
    repaired.push_str(rest);
    repaired
}

/// The surrogate that a text's leading `\uXXXX` stands for, if it is one.
fn surrogate(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let unit = u32::from_str_radix(digits, 16).ok()?;
    (0xd800..=0xdfff).contains(&unit).then_some(unit)
}

pub const fn two_hours() -> u64 {
    7200
}

/// A string; empty or null counts as absent.
pub fn filled<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()))
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Integer {
    Number(i64),
    Text(String),
    Other(IgnoredAny),
}

impl Integer {
    fn value(self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Text(text) => text.trim().parse().ok(),
            Self::Other(IgnoredAny) => None,
        }
    }
}

/// A number, or a string that holds one.
pub fn errcode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Integer::deserialize(deserializer)?.value().map(Some).ok_or_else(|| D::Error::custom("not a number"))
}

/// A number, or a string that holds one; anything else is 0, for fields that decide little.
pub fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    Ok(Option::<Integer>::deserialize(deserializer)?.and_then(Integer::value).unwrap_or_default())
}

/// A number, or a string that holds one; anything else counts as absent.
pub fn optional_integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(Option::<Integer>::deserialize(deserializer)?.and_then(Integer::value))
}

/// A flag that is set unless it is absent, null, false or 0: nothing unclear counts as a no.
pub fn unless_denied<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Flag {
        Clear(bool),
        Counted(Integer),
    }
    Ok(match Option::<Flag>::deserialize(deserializer)? {
        None => false,
        Some(Flag::Clear(flag)) => flag,
        Some(Flag::Counted(integer)) => integer.value() != Some(0),
    })
}

pub fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Ok(u64::try_from(integer(deserializer)?).unwrap_or_else(|_| two_hours()))
}
