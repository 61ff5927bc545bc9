//! What several rows look for: in an answer, in WeChat's ledger, in the tables.

use std::{collections::HashMap, fmt::Write, future::Future};

use futures_util::{StreamExt, stream::FuturesUnordered};
use harness::{
    Answer, Result, Stack,
    database::attribute,
    places::{AUTHORIZE, ERROR_PAGE, EXCHANGE, SESSION_COOKIE, parameter},
};
use ring::digest::SHA256;

/// Whether an answer is the way to one automatic fresh login, and gives nothing away.
pub fn is_fresh_login(answer: &Answer) -> bool {
    let location = answer.location().unwrap_or_default();
    answer.status == 303
        && location.starts_with(&format!("{AUTHORIZE}?"))
        && parameter(location, "attempt") == "2"
        && answer.set_cookies().is_empty()
}

/// Whether an answer is the way to begin anew, by itself or after a wait for another code, and gives nothing away.
pub fn begins_anew(answer: &Answer) -> bool {
    let location = answer.location().unwrap_or_default();
    let is_once_more = location.starts_with(&format!("{AUTHORIZE}?")) && parameter(location, "waits") == "1";
    let is_wait = location.starts_with(ERROR_PAGE) && parameter(location, "reason") == "code_repeated";
    is_fresh_login(answer)
        || answer.status == 303 && answer.set_cookies().is_empty() && (is_once_more || is_wait)
}

/// How often each code was sent to WeChat to be exchanged.
pub fn exchanges(stack: &Stack) -> HashMap<String, usize> {
    let mut exchanges = HashMap::new();
    for code in stack.requests(EXCHANGE).into_iter().filter_map(|entry| entry.code) {
        *exchanges.entry(code).or_default() += 1;
    }
    exchanges
}

/// The session tokens that an answer sets.
pub fn session_tokens(answer: &Answer) -> Vec<String> {
    let token = |cookie: &String| {
        let (name, rest) = cookie.split_once('=')?;
        let value = rest.split(';').next().unwrap_or_default();
        (name == SESSION_COOKIE && !value.is_empty()).then(|| value.to_owned())
    };
    answer.set_cookies().iter().filter_map(token).collect()
}

/// What the tables know of a secret: a stored session has the digest of its cookie as its key.
pub fn digest(secret: &str) -> String {
    hex(ring::digest::digest(&SHA256, secret.as_bytes()).as_ref())
}

/// Bytes as a cookie and a table spell them.
pub fn hex(bytes: &[u8]) -> String {
    let mut hex = String::new();
    for byte in bytes {
        // A text takes whatever is written into it.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// Whether a session cookie opens something.
pub fn is_stored(stack: &Stack, token: &str) -> Result<bool> {
    let id = digest(token);
    Ok(stack.sessions()?.iter().any(|item| attribute(item, "id") == id))
}

/// The link of the button on a page.
pub fn button(page: &Answer) -> Option<String> {
    let text = page.text();
    let (_, rest) = text.split_once(r#"<a class="button"#)?;
    let (_, rest) = rest.split_once("href=\"")?;
    let (href, _) = rest.split_once('"')?;
    Some(href.replace("&#38;", "&").replace("&amp;", "&"))
}

/// Does several things, so many of them at once; their results as they finish.
pub async fn side_by_side<T, F: Future<Output = Result<T>>>(
    at_once: usize,
    jobs: impl IntoIterator<Item = F>,
) -> Result<Vec<T>> {
    let mut waiting = jobs.into_iter();
    let mut running: FuturesUnordered<F> = waiting.by_ref().take(at_once).collect();
    let mut results = Vec::new();
    while let Some(result) = running.next().await {
        results.push(result?);
        running.extend(waiting.next());
    }
    Ok(results)
}
