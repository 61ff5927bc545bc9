//! What must hold whatever was killed, read from WeChat's ledger, the tables and the visitor's browser.

#![expect(clippy::indexing_slicing, reason = "only JSON is indexed, where what is missing reads as null")]

use std::{collections::BTreeMap, fmt::Write};

use harness::{
    Answer, Result, Stack,
    stack::{DEFAULT_RETURN_TO, PUBLIC_URL},
    time,
};
use ring::digest;
use serde_json::Value;

use super::points::{EXCHANGE, Made};

/// What a session is called in the browser.
pub const SESSION_COOKIE: &str = "__Host-session";
/// The longest that anything is stored: a session, and an hour for clocks.
const LONGEST: u64 = 7 * 86_400 + 3_600;

/// The table of logins at the moment when a process had just been killed.
pub struct Remains(Vec<Value>);

impl Remains {
    pub fn of(stack: &Stack) -> Result<Self> {
        Ok(Self(stack.database().items(stack.table("LoginsTable")?)?))
    }
}

/// Every promise that is broken in a stack; `remains` are those of one visitor.
pub fn broken(stack: &Stack, remains: &[Remains]) -> Result<Vec<String>> {
    let mut broken = Vec::new();
    let ledger = stack.simulator().ledger();
    let exchanges = ledger.iter().filter(|entry| entry.path == EXCHANGE);
    for (code, times) in count(exchanges.filter_map(|entry| entry.code.clone())) {
        if times > 1 {
            broken.push(format!("{code} reached WeChat {times} times"));
        }
    }
    let logins = stack.database().items(stack.table("LoginsTable")?)?;
    let sessions = stack.database().items(stack.table("SessionsTable")?)?;
    for (login, times) in count(sessions.iter().filter_map(|item| text(item, "login").map(str::to_owned))) {
        if times > 1 {
            broken.push(format!("{login} has {times} sessions"));
        }
    }
    let now = time::now_seconds();
    for item in logins.iter().chain(&sessions) {
        let end = item["expires_at"]["N"].as_str().and_then(|end| end.parse::<u64>().ok());
        if !end.is_some_and(|end| (now - 3_600..now + LONGEST).contains(&end)) {
            broken.push(format!("{} expires at {end:?}", item["id"]));
        }
    }
    for Remains(items) in remains {
        for before in items {
            let id = text(before, "id").unwrap_or_default();
            let after = logins.iter().find(|item| text(item, "id") == Some(id)).unwrap_or(&Value::Null);
            // Whoever claimed it is dead or done, so nobody may change it any more.
            let is_kept = if id.starts_with("code#") {
                before == after
            } else {
                before["claimed_code"].is_null() || before["claimed_code"] == after["claimed_code"]
            };
            if !is_kept {
                broken.push(format!("a claim was taken over: {before} became {after}"));
            }
        }
    }
    Ok(broken)
}

/// What is wrong with the answers to a visit, of which a killed process may have cost the last one.
pub fn broken_by(stack: &Stack, answers: &[Answer]) -> Result<Vec<String>> {
    let mut broken = Vec::new();
    for (position, answer) in answers.iter().enumerate() {
        let is_ours = answer.url.as_str().starts_with(PUBLIC_URL);
        if is_ours && answer.header("x-correlation-id").is_none() {
            let is_death = has_died(answers) && position + 1 == answers.len();
            if !is_death || !answer.set_cookies().is_empty() {
                broken.push(format!("{} {} has no correlation id", answer.status, answer.url));
            }
        }
    }
    let cookies = answers.iter().flat_map(Answer::set_cookies);
    // The last one counts.
    let set = cookies.filter_map(|cookie| {
        let (name, rest) = cookie.split_once('=')?;
        let value = rest.split(';').next().unwrap_or_default();
        (name == SESSION_COOKIE && !value.is_empty()).then(|| value.to_owned())
    });
    if let Some(token) = set.reduce(|_, later| later)
        && !is_stored(stack, &token)?
    {
        broken.push(format!("a cookie was set whose session is not stored: {}", places(answers)));
    }
    Ok(broken)
}

/// Whether a session cookie opens something: the key of a session is the digest of what the cookie holds.
pub fn is_stored(stack: &Stack, token: &str) -> Result<bool> {
    let digest = digest::digest(&digest::SHA256, token.as_bytes());
    let mut id = String::new();
    for byte in digest.as_ref() {
        write!(id, "{byte:02x}")?;
    }
    let sessions = stack.database().items(stack.table("SessionsTable")?)?;
    Ok(sessions.iter().any(|item| text(item, "id") == Some(&id)))
}

/// Whether a visit ended with a killed process: all that is left is the gateway's own answer.
pub fn has_died(answers: &[Answer]) -> bool {
    answers.last().is_some_and(|last| last.status == 500 && last.header("x-correlation-id").is_none())
}

/// Whether a visit ended where logins end.
pub fn has_arrived(answers: &[Answer]) -> bool {
    answers.last().is_some_and(|last| last.url.as_str().starts_with(DEFAULT_RETURN_TO))
}

/// How many fresh logins were begun for the visitor: redirects from a callback to a new login.
pub fn fresh_logins(answers: &[Answer]) -> usize {
    let begins = |pair: &&[Answer]| match pair {
        [callback, next] => callback.url.path() == "/callback" && next.url.path() == "/authorize",
        _ => false,
    };
    answers.windows(2).filter(begins).count()
}

/// Every call of the functions to DynamoDB since the proxy last forgot, and to WeChat after so many
/// requests, in order of their words.
pub fn made(stack: &Stack, requests: usize) -> Result<Vec<Made>> {
    let mut made: Vec<_> = stack.proxy()?.calls().iter().map(Made::table).collect();
    let ledger = stack.simulator().ledger().into_iter().skip(requests);
    // The rest are pages that browsers open.
    made.extend(
        ledger.map(|entry| entry.path).filter(|path| !path.starts_with("/connect/")).map(Made::Wechat),
    );
    made.sort_unstable();
    Ok(made)
}

/// A visit, for a report.
pub fn places(answers: &[Answer]) -> String {
    let places: Vec<_> = answers.iter().map(|answer| format!("{} {}", answer.status, answer.url)).collect();
    places.join(", ")
}

fn count(keys: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for key in keys {
        *counts.entry(key).or_default() += 1;
    }
    counts
}

fn text<'a>(item: &'a Value, name: &str) -> Option<&'a str> {
    item[name]["S"].as_str()
}
