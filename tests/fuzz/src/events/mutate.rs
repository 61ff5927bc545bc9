//! Mutation of an event that leaves it JSON: one value of it changes at a time.

use fastrand::Rng;
use serde_json::{Map, Value, json};

/// What a text of an event may become, or have added.
const TEXTS: &[&str] = &[
    "",
    "\"",
    "<",
    " ",
    "\u{1}",
    "\u{85}",
    "\u{a0}",
    "世界",
    "%",
    "?",
    "#",
    "//",
    "/../",
    ",",
    ";",
    "&state=a",
    "&return_to=//evil.com",
    "return_to=https%3A%2F%2Fwww.example.com%2Fme",
    "app=shop",
    "https://www.example.com",
    "https://login.example.com",
    "null",
    "login.example.com",
    "a b",
    "[::1",
    "http",
    "__Host-browser=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
    "__Host-session=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
    "state=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff&code=0a1b",
    "text/html",
    "application/json",
    "en;q=0.5, zh",
    "navigate",
    "document",
    "prefetch",
    "MicroMessenger",
    "POST",
    "OPTIONS",
    "DELETE",
    "/callback",
    "/error",
    "/MP_verify_0123456789abcdef.txt",
    "reason=login_expired&id=<b>&return_to=/me",
];

/// The parts of an event that a visitor chooses.
const PLACES: &[&str] = &[
    "/rawQueryString",
    "/rawPath",
    "/cookies",
    "/headers",
    "/headers/host",
    "/headers/cookie",
    "/headers/origin",
    "/headers/accept",
    "/headers/accept-language",
    "/headers/user-agent",
    "/headers/sec-fetch-dest",
    "/headers/x-forwarded-proto",
    "/requestContext/http/method",
    "/requestContext/stage",
    "/requestContext/domainName",
    "/body",
];

/// Changes an event; `None` if it is no JSON. `text` changes a text as any fuzzer would.
pub fn mutate(event: &[u8], random: &mut Rng, mut text: impl FnMut(Vec<u8>) -> Vec<u8>) -> Option<Vec<u8>> {
    let mut event: Value = serde_json::from_slice(event).ok()?;
    let place = match random.choice(PLACES) {
        Some(place) if random.bool() => {
            provide(&mut event, place);
            (*place).to_owned()
        }
        _ => any(&event, random),
    };
    change(event.pointer_mut(&place)?, random, &mut text);
    serde_json::to_vec(&event).ok()
}

/// Puts an empty text where a place is missing.
fn provide(event: &mut Value, place: &str) {
    let mut value = event;
    for name in place.split('/').skip(1) {
        let Value::Object(fields) = value else { return };
        value = fields.entry(name).or_insert_with(|| if name == "cookies" { json!([]) } else { json!("") });
    }
}

/// The JSON pointer of some value in an event, however deep.
fn any(event: &Value, random: &mut Rng) -> String {
    let (mut value, mut pointer) = (event, String::new());
    loop {
        let children: Vec<(String, &Value)> = match value {
            Value::Object(fields) => fields.iter().map(|(name, child)| (name.clone(), child)).collect(),
            Value::Array(items) => {
                items.iter().enumerate().map(|(at, item)| (at.to_string(), item)).collect()
            }
            _ => Vec::new(),
        };
        match random.choice(children) {
            Some((name, child)) if random.u8(..) >= 16 => {
                pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
                value = child;
            }
            _ => return pointer,
        }
    }
}

fn change(value: &mut Value, random: &mut Rng, text: &mut impl FnMut(Vec<u8>) -> Vec<u8>) {
    let word = random.choice(TEXTS).copied().unwrap_or_default();
    if random.u8(..) < 8 {
        *value = match random.u8(..6) {
            0 => Value::Null,
            1 => json!(random.bool()),
            2 => json!(random.i64(..)),
            3 => json!([]),
            4 => Value::Object(Map::new()),
            _ => json!(word),
        };
        return;
    }
    match value {
        Value::String(old) => match random.u8(..4) {
            0 => word.clone_into(old),
            1 => old.push_str(word),
            _ => *old = String::from_utf8_lossy(&text(std::mem::take(old).into_bytes())).into_owned(),
        },
        Value::Array(items) => match random.u8(..3) {
            0 if !items.is_empty() => drop(items.remove(random.usize(..items.len()))),
            1 if !items.is_empty() => {
                items.push(items.get(random.usize(..items.len())).cloned().unwrap_or_default());
            }
            _ => items.push(json!(word)),
        },
        Value::Object(fields) => {
            let name = fields.keys().nth(random.usize(..fields.len().max(1))).cloned().unwrap_or_default();
            let old = if random.bool() { fields.remove(&name) } else { fields.get(&name).cloned() };
            if random.bool() {
                let name = if random.bool() { word.to_owned() } else { name };
                fields.insert(name, old.unwrap_or_else(|| json!(word)));
            }
        }
        other => *other = json!(word),
    }
}

/// Changes the first `size` bytes of `data`, which has room for `most`, as libFuzzer asks its targets
/// to; `bytes` is its own way. The new size.
pub fn in_place(
    data: &mut [u8],
    size: usize,
    most: usize,
    seed: u32,
    bytes: impl Fn(&mut [u8], usize, usize) -> usize,
) -> usize {
    let mut random = Rng::with_seed(seed.into());
    let input = data.get(..size).unwrap_or_default();
    let by_itself = |old: Vec<u8>| {
        let (size, most) = (old.len(), old.len() + 64);
        let mut text = old;
        text.resize(most, 0);
        let size = bytes(&mut text, size, most);
        text.truncate(size);
        text
    };
    match mutate(input, &mut random, by_itself).filter(|event| event.len() <= most) {
        Some(event) if random.u8(..) >= 8 => {
            let size = event.len();
            data.iter_mut().zip(event).for_each(|(byte, new)| *byte = new);
            size
        }
        _ => bytes(data, size, most),
    }
}
