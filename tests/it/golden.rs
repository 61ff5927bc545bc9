//! What an earlier release stored, read by this one.
//!
//! A deployment happens in the middle of logins: for a while the tables and the browsers hold what the version before
//! made. An attribute that is missing there must not turn every visitor away until his session ends. So each release
//! leaves what it stores in `tests/golden/<version>.json` (`make golden`, `tests/golden/write.rs`): a session with the
//! profile and the cookie that opens it, and a login that is under way. No later version may change such a file.

use std::{fs, path::Path, time::Duration};

use harness::{
    Failure, Options, Result, Stack,
    binaries::workspace,
    browser::Visit,
    database::with,
    places::{BROWSER_COOKIE, SESSION_COOKIE, USERINFO},
    stack::{PAGE_ORIGIN, WECHAT_OPEN_URL},
    time,
};
use http::Method;
use serde_json::{Value, json};

/// The items that stand in a file, of the table that it names so, with an end that is still to come.
fn items<'a>(golden: &'a Value, table: &str) -> Result<impl Iterator<Item = Value> + 'a> {
    let items = golden.get(table).and_then(Value::as_array);
    let items = items.ok_or_else(|| Failure::new(format!("no {table} in this file")))?;
    let end = time::now_seconds().saturating_add(Duration::from_mins(10).as_secs());
    Ok(items.iter().map(move |item| with(item.clone(), "expires_at", json!({ "N": end.to_string() }))))
}

fn text<'a>(golden: &'a Value, name: &str) -> Result<&'a str> {
    golden.get(name).and_then(Value::as_str).ok_or_else(|| Failure::new(format!("no {name} in this file")))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_every_release_stored_is_read() {
    let entries = fs::read_dir(workspace().join("tests/golden")).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    assert!(files.iter().any(|file| file.ends_with("0.1.0.json")), "{files:?}");
    for file in files {
        read(&file).await.unwrap_or_else(|failure| panic!("{}: {failure}", file.display()));
    }
}

async fn read(file: &Path) -> Result<()> {
    let golden: Value = serde_json::from_str(&fs::read_to_string(file)?)?;
    // What is at hand is fresh: WeChat here never gave these tokens to anybody.
    let stack = Stack::start(Options::default().with("PROFILE_LIFETIME_SECONDS", "9000000000")).await?;
    for table in ["LoginsTable", "SessionsTable"] {
        for item in items(&golden, table)? {
            stack.database().put(stack.table(table)?, &item)?;
        }
    }

    // Who was logged in still is.
    let visitor = stack.visitor("lin");
    let session = format!("{SESSION_COOKIE}={}", text(&golden, "session")?);
    let visit = || Visit::fetch(Method::GET, USERINFO, PAGE_ORIGIN).header("cookie", &session);
    let answer = visitor.send(visit()).await?;
    if answer.status != 200 || answer.json()?.get("nickname") != golden.get("nickname") {
        return Err(Failure::new(format!("/userinfo answers {} {}", answer.status, answer.text())));
    }

    // A login that is under way comes to its end.
    let callback = visitor.agree(text(&golden, "wechats_page")?).await?;
    let browser = format!("{BROWSER_COOKIE}={}", text(&golden, "browser")?);
    let arrival = visitor.send(Visit::link(&callback, WECHAT_OPEN_URL).header("cookie", &browser)).await?;
    if !arrival
        .location()
        .is_some_and(|location| location.starts_with(text(&golden, "return_to").unwrap_or("?")))
    {
        return Err(Failure::new(format!(
            "the callback answers {} {:?}",
            arrival.status,
            arrival.location()
        )));
    }
    // And who was logged in can log out.
    let logout = Visit::fetch(Method::DELETE, USERINFO, PAGE_ORIGIN).header("cookie", &session);
    let (erased, after) = (visitor.send(logout).await?.status, visitor.send(visit()).await?.status);
    if (erased, after) == (204, 401) { Ok(()) } else { Err(Failure::new(format!("{erased}, then {after}"))) }
}
