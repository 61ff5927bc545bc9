//! What holds for every route: which headers leave in [`headers`], what is never written down in
//! [`canaries`], that no visitor meets another one in a process in [`interleaved`], and here, how a
//! configuration that is wrong ends.

mod canaries;
mod headers;
mod interleaved;

use std::collections::BTreeMap;

use harness::{Failure, Options, Result, Stack, functions::InvocationError};
use serde_json::{Value, json};
use settings::Need;

use crate::template::outcomes::functions;

/// What is wrong for every setting there is: none takes a blank and a semicolon.
const WRONG: &str = "canary; wrong %FF";

/// Every setting, and for each who reads it and whether that one cannot do without; by the names of the functions.
fn read_by(function: &str) -> BTreeMap<&'static str, Need> {
    let all = reference::settings().into_iter();
    let of_function = all.flat_map(|(setting, readers)| {
        readers
            .into_iter()
            .filter(|(reader, _)| *reader == function)
            .map(move |(_, need)| (setting.name, need))
    });
    of_function.collect()
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
    let all = || reference::settings().into_iter().map(|(setting, _)| setting.name);
    let options = all().fold(Options::default(), |options, name| options.with(name, WRONG));
    let stack = Stack::start(options).await.unwrap();
    for function in functions() {
        let (printed, line) = failed_start(&stack, function).await.unwrap();
        assert!(printed.contains("it ended (exit status: 1)"), "{printed}");
        assert_eq!((&line["level"], &line["outcome"]), (&json!("ERROR"), &json!("wrong_configuration")));
        assert_eq!(line["function"], function);
        let cause = line["cause"].as_str().unwrap();
        let read = read_by(function);
        for name in all() {
            // Whether it is a target is judged only against origins that are right.
            let named = cause.contains(&format!("\n  {name} is wrong; it must be "));
            let is_judged = name != "DEFAULT_RETURN_TO" && name != "ACCOUNTS" || function == "logout";
            assert_eq!(named, read.contains_key(name) && is_judged, "{function}, {name}: {cause}");
        }
        // What it was set to is not repeated: it may be a secret.
        assert!(!printed.contains("canary"), "{printed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_and_accounts_that_are_wrong_are_named_too() {
    for name in ["DEFAULT_RETURN_TO", "ACCOUNTS"] {
        let stack = Stack::start(Options::default().with(name, WRONG)).await.unwrap();
        for function in functions().into_iter().filter(|function| read_by(function).contains_key(name)) {
            let (_, line) = failed_start(&stack, function).await.unwrap();
            let cause = line["cause"].as_str().unwrap();
            assert!(cause.contains(&format!("\n  {name} is wrong; it must be ")), "{function}: {cause}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_configuration_all_that_must_be_there_is_named() {
    let all = || reference::settings().into_iter().map(|(setting, _)| setting.name);
    let options = all().fold(Options::default(), Options::without);
    let stack = Stack::start(options).await.unwrap();
    for function in functions() {
        let (_, line) = failed_start(&stack, function).await.unwrap();
        let cause = line["cause"].as_str().unwrap();
        let read = read_by(function);
        for name in all() {
            let named = cause.contains(&format!("\n  {name} is missing; it must be "));
            let is_required = match read.get(name) {
                Some(Need::Required) => true,
                // One of the two is named, and stands for both.
                Some(Need::OneOfTwo { is_required }) => *is_required && name.ends_with("_ARN"),
                Some(Need::Optional) | None => false,
            };
            assert_eq!(named, is_required, "{function}, {name}: {cause}");
        }
    }
}

/// What a function is not set to, it cannot reach.
#[test]
fn a_function_is_set_to_nothing_that_it_may_not_touch() {
    let reads = |function: &str, part: &str| read_by(function).keys().any(|name| name.contains(part));
    for (function, parts) in [
        ("site", &["TABLE", "SECRET", "TOKENS", "WECHAT"][..]),
        ("logout", &["LOGINS", "SECRET", "TOKENS", "WECHAT", "APP_ID"]),
        ("authorize", &["SESSIONS", "SECRET", "TOKENS", "WECHAT_API"]),
        ("userinfo", &["LOGINS", "SECRET", "WECHAT_OPEN"]),
    ] {
        for part in parts {
            assert!(!reads(function, part), "{function} reads {part}");
        }
        assert!(reads(function, "PUBLIC_URL"), "{function}");
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
