//! Codes, tokens, openids and request ids, all derived from the seed.
//!
//! What belongs to a person is a function of the seed and the person alone, so it survives a restart. What is drawn
//! hangs on a counter and the simulated time: while the clock stands still, the same requests in the same order draw
//! the same values; while it runs, a restarted simulator does not issue yesterday's codes again.
//!
//! All that is issued as a secret or names a person holds [`MARKER`] and a letter for what it is, so that a search for
//! one text finds every one of them, wherever it was written down. Length and alphabet are WeChat's all the same.

use ring::hmac;

/// Stands in every code, token, openid and unionid, after what WeChat's begin with. The letter that follows says which
/// it is: `c`, `a`ccess, `r`efresh or `g`lobal, `p`latform, `o` or `u`.
pub const MARKER: &str = "Canary";

const LETTERS_AND_DIGITS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const WITH_DASHES: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";

/// Derives everything from one seed.
pub(crate) struct Identifiers {
    key: hmac::Key,
    draws: u64,
}

impl Identifiers {
    pub(crate) fn new(seed: u64) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, &seed.to_be_bytes()), draws: 0 }
    }

    /// The person as one app knows them: 28 characters that start with `o`.
    pub(crate) fn openid(&self, person: &str, appid: &str) -> String {
        format!("o{MARKER}o{}", self.text(&["openid", person, appid], WITH_DASHES, 20))
    }

    /// The person as every app of one Open Platform account knows them.
    pub(crate) fn unionid(&self, person: &str, open_account: &str) -> String {
        format!("o{MARKER}u{}", self.text(&["unionid", person, open_account], WITH_DASHES, 20))
    }

    /// A fresh code: 32 letters and digits that start with 0.
    pub(crate) fn draw_code(&mut self, now: u64) -> String {
        format!("0{MARKER}c{}", self.draw(now, "code", LETTERS_AND_DIGITS, 24))
    }

    /// A fresh `access_token` or `refresh_token`, by its label.
    pub(crate) fn draw_token(&mut self, now: u64, label: &str) -> String {
        let letter = label.get(..1).unwrap_or_default();
        format!("90_{MARKER}{letter}{}", self.draw(now, label, WITH_DASHES, 79))
    }

    /// A fresh global token.
    pub(crate) fn draw_global_token(&mut self, now: u64) -> String {
        format!("90_{MARKER}g{}", self.draw(now, "global_token", WITH_DASHES, 126))
    }

    /// A fresh code of what the owner of an account is asked or has answered.
    pub(crate) fn draw_authorization(&mut self, now: u64, label: &str) -> String {
        format!("{label}@@@{MARKER}p{}", self.draw(now, label, WITH_DASHES, 48))
    }

    /// What a third-party platform holds of an account that authorized it.
    pub(crate) fn authorizer_refresh_token(&self, component: &str, appid: &str) -> String {
        let rest = self.text(&["authorizer_refresh_token", component, appid], WITH_DASHES, 43);
        format!("refreshtoken@@@{MARKER}p{rest}")
    }

    /// A fresh name of a QR code.
    pub(crate) fn draw_uuid(&mut self, now: u64) -> String {
        self.draw(now, "uuid", WITH_DASHES, 16)
    }

    /// A number between 0 and 1.
    pub(crate) fn draw_chance(&mut self, now: u64) -> f64 {
        let digits = self.draw(now, "chance", b"0123456789", 6);
        format!("0.{digits}").parse().unwrap_or(0.0)
    }

    /// A fresh key for somebody who exists on a snapshot page only.
    pub(crate) fn draw_virtual_person(&mut self, now: u64) -> String {
        self.draw(now, "snapshot", LETTERS_AND_DIGITS, 16)
    }

    /// The request id of the current suffix: the time and two random groups, in hexadecimal.
    pub(crate) fn draw_rid(&mut self, now: u64) -> String {
        let random = self.draw(now, "rid", b"0123456789abcdef", 16);
        let (first, second) = random.split_at(8);
        format!("{:08x}-{first}-{second}", now & 0xffff_ffff)
    }

    /// The request id of the suffix until 2020.
    pub(crate) fn draw_req_id(&mut self, now: u64) -> String {
        self.draw(now, "req_id", LETTERS_AND_DIGITS, 14)
    }

    fn draw(&mut self, now: u64, label: &str, alphabet: &[u8], length: usize) -> String {
        self.draws += 1;
        self.text(&[label, &now.to_string(), &self.draws.to_string()], alphabet, length)
    }

    fn text(&self, parts: &[&str], alphabet: &[u8], length: usize) -> String {
        let mut text = String::with_capacity(length);
        for block in 0_u8.. {
            let mut context = hmac::Context::with_key(&self.key);
            for part in parts {
                context.update(part.as_bytes());
                context.update(&[0]);
            }
            context.update(&[block]);
            for byte in context.sign().as_ref() {
                if text.len() == length {
                    return text;
                }
                let letter = alphabet.iter().cycle().nth(usize::from(*byte));
                text.extend(letter.copied().map(char::from));
            }
        }
        text
    }
}
