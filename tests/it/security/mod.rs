//! What holds for every route: which headers leave in [`headers`], what is never written down in
//! [`canaries`], that no visitor meets another one in a process in [`interleaved`], and here, how a
//! configuration that is wrong ends.

mod canaries;
mod headers;
mod interleaved;

use harness::{Failure, Options, Result, Stack, functions::InvocationError};
use serde_json::{Value, json};

const FUNCTIONS: [&str; 5] = ["authorize", "callback", "userinfo", "logout", "site"];

/// Every variable, and a value that is wrong for it; `None`: it is missing.
const WRONG: [(&str, Option<&str>); 13] = [
    ("PUBLIC_URL", Some("http://login.example.com")),
    ("ALLOWED_ORIGINS", Some("https://www.example.com/,https://canary.example")),
    ("DEFAULT_RETURN_TO", None),
    ("LOGINS_TABLE", Some("logins; canary")),
    ("SESSIONS_TABLE", None),
    ("OFFICIAL_ACCOUNT_APP_ID", Some("wxCanary")),
    ("SITE_VERIFICATION", Some("../canary.txt=1")),
    ("SESSION_LIFETIME_SECONDS", Some("soon, canary")),
    ("PROFILE_LIFETIME_SECONDS", Some("-1")),
    ("WECHAT_OPEN_URL", Some("http://canary.example")),
    ("WECHAT_API_URL", Some("https://api.weixin.qq.com/canary")),
    ("WECHAT_API_BACKUP_URL", Some("canary")),
    ("APP_SECRETS", Some("{\"wx0000000000000aaa\": canary}")),
];

/// Who reads which of them: a function is not held up by what it does not use.
fn reads(function: &str, name: &str) -> bool {
    match name {
        "PUBLIC_URL" | "ALLOWED_ORIGINS" => true,
        "DEFAULT_RETURN_TO" | "OFFICIAL_ACCOUNT_APP_ID" => function != "logout",
        "LOGINS_TABLE" => matches!(function, "authorize" | "callback"),
        "SESSIONS_TABLE" => matches!(function, "callback" | "userinfo" | "logout"),
        "WECHAT_API_URL" | "WECHAT_API_BACKUP_URL" => matches!(function, "callback" | "userinfo"),
        "WECHAT_OPEN_URL" => function == "authorize",
        "APP_SECRETS" | "SESSION_LIFETIME_SECONDS" => function == "callback",
        "PROFILE_LIFETIME_SECONDS" => function == "userinfo",
        "SITE_VERIFICATION" => function == "site",
        _ => unreachable!("{name} is not said to be read by anybody"),
    }
}

/// What a function printed that does not start: how it ended, and its one line.
async fn failed_start(stack: &Stack, function: &str) -> Result<(String, Value)> {
    let failure = match stack.gateway().invoke(function, &json!({})).await {
        Err(InvocationError::Start(failure)) => failure.to_string(),
        other => return Err(Failure::new(format!("{function} answered {other:?}"))),
    };
    let mut lines = failure.lines().filter(|line| line.starts_with('{'));
    let line = match (lines.next(), lines.next()) {
        (Some(line), None) => serde_json::from_str(line)?,
        _ => return Err(Failure::new(format!("not one line of JSON: {failure}"))),
    };
    // Besides that line, the test's own words and nothing of the function's.
    let is_nothing_else = failure.lines().filter(|line| !line.starts_with('{')).count() <= 1;
    if is_nothing_else {
        Ok((failure, line))
    } else {
        Err(Failure::new(format!("more than a line: {failure}")))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_configuration_is_one_line_that_names_all_that_is_wrong_and_read() {
    let options = WRONG.into_iter().fold(Options::default(), |options, (name, value)| match value {
        Some(value) => options.with(name, value),
        None => options.without(name),
    });
    let stack = Stack::start(options).await.unwrap();
    for function in FUNCTIONS {
        let (printed, line) = failed_start(&stack, function).await.unwrap();
        assert!(printed.contains("it ended (exit status: 1)"), "{printed}");
        assert_eq!((&line["level"], &line["outcome"]), (&json!("ERROR"), &json!("wrong_configuration")));
        assert_eq!(line["function"], function);
        let cause = line["cause"].as_str().unwrap();
        for (name, value) in WRONG {
            let problem = if value.is_some() { "wrong" } else { "missing" };
            let named = cause.contains(&format!("\n  {name} is {problem}; it must be "));
            assert_eq!(named, reads(function, name), "{function}, {name}: {cause}");
        }
        // What it was set to is not repeated: it may be a secret.
        assert!(!printed.to_lowercase().contains("canary"), "{printed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_configuration_all_that_must_be_there_is_named() {
    let required =
        ["PUBLIC_URL", "DEFAULT_RETURN_TO", "LOGINS_TABLE", "SESSIONS_TABLE", "OFFICIAL_ACCOUNT_APP_ID"];
    let options = WRONG.into_iter().fold(Options::default(), |options, (name, _)| options.without(name));
    let stack = Stack::start(options).await.unwrap();
    for function in FUNCTIONS {
        let (_, line) = failed_start(&stack, function).await.unwrap();
        let cause = line["cause"].as_str().unwrap();
        for (name, _) in WRONG {
            let named = cause.contains(&format!("\n  {name} is missing"));
            let is_required = required.contains(&name) && reads(function, name);
            let may_be_absent = name == "APP_SECRETS";
            assert!(named == is_required || may_be_absent, "{function}, {name}: {cause}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_without_secrets_says_so_and_the_others_need_none() {
    let stack = Stack::start(Options::default().without("APP_SECRETS")).await.unwrap();
    let (printed, _) = failed_start(&stack, "callback").await.unwrap();
    assert!(printed.contains("it ended (exit status: 1)"), "{printed}");
    assert!(printed.contains("APP_SECRETS_ARN is missing"), "{printed}");
    let browser = stack.browser();
    for (path, status) in [("authorize", 302), ("userinfo", 401), ("", 200)] {
        let answer = browser.get(&format!("https://login.example.com/{path}")).await.unwrap();
        assert_eq!(answer.status, status, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_places_of_secrets_are_one_too_many() {
    let arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:canary-AbCdEf";
    let stack = Stack::start(Options::default().with("APP_SECRETS_ARN", arn)).await.unwrap();
    let (printed, _) = failed_start(&stack, "callback").await.unwrap();
    assert!(printed.contains("APP_SECRETS_ARN and APP_SECRETS are both set"), "{printed}");
    assert!(!printed.contains("canary") && !printed.contains("5ec2e7"), "{printed}");
}
