//! Callbacks that come more than once.

use std::collections::HashSet;

use ::tests::{Browser, Options, Result, stack::DEFAULT_RETURN_TO};

use crate::row::Run;

const AUTHORIZE: &str = "https://login.example.com/authorize";
const EXCHANGE: &str = "/sns/oauth2/access_token";

/// B1: the same callback many times at once, each in a process of its own.
pub async fn at_once(run: &Run) -> Result<String> {
    let (logins, copies) = (run.size(10, 200), 25);
    let stack = run.stack(Options::default()).await?;
    for login in 1..=logins {
        let browser = stack.browser();
        let callback = begin(&browser).await?;
        let duplicates: Vec<_> = (0..copies)
            .map(|_| {
                let (browser, callback) = (browser.clone(), callback.clone());
                tokio::spawn(async move { browser.get(&callback).await })
            })
            .collect();
        let mut answers = HashSet::new();
        for duplicate in duplicates {
            let answer = duplicate.await??;
            answers.insert((answer.location().map(str::to_owned), answer.set_cookies()));
        }
        let is_one_login = answers.len() == 1
            && answers.iter().all(|(location, cookies)| {
                location.as_deref().is_some_and(|location| location.starts_with(DEFAULT_RETURN_TO))
                    && cookies.len() == 1
            });
        run.require(is_one_login, || format!("login {login} was answered {answers:?}"));
        let exchanges = stack.simulator().ledger().iter().filter(|entry| entry.path == EXCHANGE).count();
        run.require(exchanges == login, || format!("{exchanges} exchanges after {login} logins"));
        let sessions = stack.database().items(stack.table("SessionsTable")?)?.len();
        run.require(sessions == login, || format!("{sessions} sessions after {login} logins"));
        run.progress(login, logins);
    }
    let processes = stack.functions().cold_starts("callback");
    run.require(processes >= copies as u64, || format!("only {processes} processes raced"));
    stack.stop().await;
    Ok(format!("{logins} × {copies}"))
}

/// Begins a login; the address under which WeChat would call back.
async fn begin(browser: &Browser) -> Result<String> {
    let began = browser.get(AUTHORIZE).await?;
    let wechat = browser.get(began.redirect()?.map(String::from).unwrap_or_default().as_str()).await?;
    Ok(wechat.redirect()?.map(String::from).unwrap_or_default())
}
