//! B1: the same callback many times at once, each in a process of its own.

use std::collections::HashSet;

use futures_util::future::try_join_all;
use harness::{Answer, Options, Result, places::AUTHORIZE, stack::DEFAULT_RETURN_TO};

use crate::{oracle::exchanges, row::Run};

/// B1.
pub async fn at_once(run: &Run) -> Result<String> {
    let (logins, copies) = (run.size(10, 200), 25_u64);
    let stack = run.stack(Options::default()).await?;
    for login in 1..=logins {
        let visitor = stack.visitor("lin");
        let callback = visitor.come_back(AUTHORIZE).await?;
        let duplicates = (0..copies).map(|_| visitor.browser.get(&callback));
        let seen = |answer: &Answer| (answer.location().map(str::to_owned), answer.set_cookies());
        let answers: HashSet<_> = try_join_all(duplicates).await?.iter().map(seen).collect();
        let is_one_login = answers.len() == 1
            && answers.iter().all(|(location, cookies)| {
                location.as_deref().is_some_and(|location| location.starts_with(DEFAULT_RETURN_TO))
                    && cookies.len() == 1
            });
        run.require(is_one_login, || format!("login {login} was answered {answers:?}"));
        let exchanges: usize = exchanges(&stack).values().sum();
        run.require(exchanges == login, || format!("{exchanges} exchanges after {login} logins"));
        let sessions = stack.sessions()?.len();
        run.require(sessions == login, || format!("{sessions} sessions after {login} logins"));
        run.progress(login, logins);
    }
    let processes = stack.functions().cold_starts("callback");
    run.require(processes >= copies, || format!("only {processes} processes raced"));
    run.end(stack).await?;
    Ok(format!("{logins} × {copies}"))
}
