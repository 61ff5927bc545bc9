//! Mutation of bytes, as simple as it goes: libFuzzer does better, this needs nothing.

use fastrand::Rng;

/// Changes a text in one place.
#[must_use]
pub fn text(mut text: Vec<u8>, words: &[&str], others: &[Vec<u8>], random: &mut Rng) -> Vec<u8> {
    let at = random.usize(..=text.len());
    let end = (at + random.usize(..=8)).min(text.len());
    let (at, end) = if random.u8(..) < 16 { (at, text.len()) } else { (at, end) };
    let put: Vec<u8> = match random.u8(..8) {
        // Nothing: a part goes.
        0 => Vec::new(),
        // One byte, sometimes with one bit changed.
        1 => vec![random.u8(..)],
        2 => vec![text.get(at).copied().unwrap_or_default() ^ (1 << random.u32(..8))],
        3 => vec![random.u8(b' '..=b'~')],
        // A part of this text or of another one.
        4 => text.get(at..end).unwrap_or_default().repeat(random.usize(1..=4)),
        5 => {
            let other = random.choice(others).map(Vec::as_slice).unwrap_or_default();
            let from = random.usize(..=other.len());
            let to = random.usize(from..=other.len());
            other.get(from..to).unwrap_or_default().to_vec()
        }
        _ => random.choice(words).copied().unwrap_or_default().into(),
    };
    let replaced = if random.bool() { at..end } else { at..at };
    text.splice(replaced, put);
    text
}
