//! Visitors: a browser each, and a person whom WeChat takes it for.

use std::collections::HashMap;
use std::future::Future;

use futures_util::{StreamExt, stream::FuturesUnordered};
use harness::{
    Answer, Browser, Failure, Result, Stack,
    browser::Visit,
    stack::{OFFICIAL_ACCOUNT, PAGE_ORIGIN},
};
use serde_json::Value;
use simulator::Entry;

/// Where a login begins.
pub const AUTHORIZE: &str = "https://login.example.com/authorize";
/// Where a session ends.
pub const LOGOUT: &str = "https://login.example.com/logout";
/// Who is who is asked here.
pub const USERINFO: &str = "https://login.example.com/userinfo";
/// WeChat's exchange of a code, by the path under which the ledger has it.
pub const EXCHANGE: &str = "/sns/oauth2/access_token";
/// The two cookies.
pub const BROWSER_COOKIE: &str = "__Host-browser";
pub const SESSION_COOKIE: &str = "__Host-session";
/// People whom the simulator knows.
pub const PEOPLE: [&str; 3] = ["lin", "zhou", "mallory"];

/// A visitor.
#[derive(Clone)]
pub struct Visitor {
    /// Their browser.
    pub browser: Browser,
    /// Who they are, as the simulator calls them.
    pub person: &'static str,
}

impl Visitor {
    /// A new visitor without a cookie.
    pub fn new(stack: &Stack, person: &'static str) -> Self {
        Self { browser: stack.browser(), person }
    }

    /// Begins a login; the address under which WeChat would call back.
    pub async fn begin(&self, query: &str) -> Result<String> {
        let began = self.browser.get(&format!("{AUTHORIZE}?{query}")).await?;
        let wechat = began.redirect()?.ok_or_else(|| Failure::new(began.text()))?;
        let answer = self.browser.send(self.visit(wechat.as_str())).await?;
        let callback = answer.redirect()?.ok_or_else(|| Failure::new(answer.text()))?;
        Ok(callback.into())
    }

    /// Goes where an answer leads, to the end.
    pub async fn go_on(&self, from: &Answer) -> Result<()> {
        if let Some(target) = from.redirect()? {
            self.browser.walk(self.visit(target.as_str())).await?;
        }
        Ok(())
    }

    /// As whom the login knows this browser: an openid, or nobody.
    pub async fn is_logged_in_as(&self) -> Result<Option<String>> {
        let answer = self.browser.fetch(USERINFO, PAGE_ORIGIN).await?;
        match answer.status {
            200 => Ok(answer.json()?.get("openid").and_then(Value::as_str).map(str::to_owned)),
            401 => Ok(None),
            status => Err(Failure::new(format!("/userinfo answered {status} {}", answer.text()))),
        }
    }

    /// Whether this is who somebody was logged in as.
    pub fn is(&self, somebody: Option<&str>, stack: &Stack) -> bool {
        somebody == Some(stack.simulator().openid(self.person, OFFICIAL_ACCOUNT).as_str())
    }

    fn visit(&self, url: &str) -> Visit {
        Visit::open(url).header("x-simulator-person", self.person)
    }
}

/// The parameter of an address.
pub fn parameter(url: &str, name: &str) -> String {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let found = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name);
    found.map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// The address under which WeChat would call back with this code and state.
pub fn callback(code: &str, state: &str) -> String {
    format!("https://login.example.com/callback?code={code}&state={state}")
}

/// Whether an answer is the way to one automatic fresh login, and gives nothing away.
pub fn is_fresh_login(answer: &Answer) -> bool {
    let location = answer.location().unwrap_or_default();
    answer.status == 303
        && location.starts_with(&format!("{AUTHORIZE}?"))
        && parameter(location, "attempt") == "2"
        && answer.set_cookies().is_empty()
}

/// How often each code was sent to WeChat to be exchanged.
pub fn exchanges(stack: &Stack) -> HashMap<String, usize> {
    let mut exchanges = HashMap::new();
    for Entry { path, code, .. } in stack.simulator().ledger() {
        if let (EXCHANGE, Some(code)) = (path.as_str(), code) {
            *exchanges.entry(code).or_default() += 1;
        }
    }
    exchanges
}

/// How many sessions are stored.
pub fn sessions(stack: &Stack) -> Result<usize> {
    Ok(stack.database().items(stack.table("SessionsTable")?)?.len())
}

/// Does several things, so many of them at once; their results as they finish.
pub async fn side_by_side<T, F>(at_once: usize, jobs: Vec<F>) -> Result<Vec<T>>
where
    F: Future<Output = Result<T>>,
{
    let mut waiting = jobs.into_iter();
    let mut running: FuturesUnordered<F> = waiting.by_ref().take(at_once).collect();
    let mut results = Vec::new();
    while let Some(result) = running.next().await {
        results.push(result?);
        running.extend(waiting.next());
    }
    Ok(results)
}
