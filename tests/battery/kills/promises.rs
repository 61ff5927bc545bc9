//! What must hold whatever was killed, read from WeChat's ledger, the tables and the visitor's browser.

use std::collections::BTreeMap;

use harness::{
    Answer, Result, Stack,
    database::{attribute, number},
    stack::{DEFAULT_RETURN_TO, PUBLIC_URL},
    time,
};
use serde_json::Value;

use super::points::Made;
use crate::oracle::{exchanges, is_stored, session_tokens};

/// The longest that anything is stored: a session, and an hour for clocks.
const LONGEST: u64 = 7 * 86_400 + 3_600;

/// The table of logins at the moment when a process had just been killed.
pub struct Remains(Vec<Value>);

impl Remains {
    pub fn of(stack: &Stack) -> Result<Self> {
        Ok(Self(stack.logins()?))
    }
}

/// Every promise that is broken in a stack; `remains` are those of one visitor.
pub fn broken(stack: &Stack, remains: &[Remains]) -> Result<Vec<String>> {
    let mut broken = Vec::new();
    for (code, times) in exchanges(stack).into_iter().filter(|(_, times)| *times > 1) {
        broken.push(format!("{code} reached WeChat {times} times"));
    }
    let (logins, sessions) = (stack.logins()?, stack.sessions()?);
    let mut sessions_of = BTreeMap::new();
    for item in sessions.iter().filter(|item| item.get("login").is_some()) {
        *sessions_of.entry(attribute(item, "login")).or_insert(0) += 1;
    }
    for (login, times) in sessions_of.into_iter().filter(|(_, times)| *times > 1) {
        broken.push(format!("{login} has {times} sessions"));
    }
    let now = time::now_seconds();
    for item in logins.iter().chain(&sessions) {
        let end = number(item, "expires_at").ok();
        if !end.is_some_and(|end| (now - 3_600..now + LONGEST).contains(&end)) {
            broken.push(format!("{} expires at {end:?}", attribute(item, "id")));
        }
    }
    for Remains(items) in remains {
        for before in items {
            let id = attribute(before, "id");
            let after = logins.iter().find(|item| attribute(item, "id") == id).unwrap_or(&Value::Null);
            // Whoever claimed it is dead or done, so nobody may change it any more.
            let is_kept = if id.starts_with("code#") {
                before == after
            } else {
                let claimed = |item| attribute(item, "claimed_code");
                claimed(before).is_empty() || claimed(before) == claimed(after)
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
    // The last one counts.
    if let Some(token) = answers.iter().flat_map(session_tokens).last()
        && !is_stored(stack, &token)?
    {
        broken.push(format!("a cookie was set whose session is not stored: {}", places(answers)));
    }
    Ok(broken)
}

/// Whether a visit ended with a killed process: all that is left is the gateway's own answer.
pub fn has_died(answers: &[Answer]) -> bool {
    answers.last().is_some_and(|last| last.status == 500 && last.header("x-correlation-id").is_none())
}

/// Where a process died, and whether that was in a fresh login.
pub fn death(answers: &[Answer]) -> (String, bool) {
    let address = answers.last().map(|last| last.url.to_string()).unwrap_or_default();
    (address, fresh_logins(answers) > 0)
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
