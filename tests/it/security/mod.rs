//! What holds for every route: which headers leave in [`headers`], what is never written down in
//! [`canaries`], that no visitor meets another one in a process in [`interleaved`], and here, how a
//! configuration that is wrong ends.

mod canaries;
mod headers;
mod interleaved;

use std::collections::{BTreeMap, BTreeSet};

use harness::{Failure, Options, Result, Stack, events::Event, stack::PUBLIC_URL};
use serde_json::{Value, json};
use settings::Need;

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

/// The one line in which a function says why it cannot work, after it was sent every file of `events/` that is for it.
/// Each was answered with the page, or in JSON where JSON was asked, and with the id of its line.
#[expect(clippy::indexing_slicing, reason = "what is missing in JSON reads as null")]
async fn cannot_work(stack: &Stack, function: &str) -> Result<Value> {
    for event in Event::all()?.into_iter().filter(|event| event.function == function) {
        let answer = stack.gateway().invoke(function, &event.payload).await?;
        let (headers, body) = (&answer["headers"], answer["body"].as_str().unwrap_or_default());
        let id = headers["x-correlation-id"].as_str().unwrap_or("no id");
        // What cannot be read as a request is that, whatever the function is set to.
        if stack.logs().wait_for(id).await?.text.contains(r#""outcome":"event_unreadable""#) {
            continue;
        }
        let accepts = event.payload["headers"]["accept"].as_str().unwrap_or_default();
        let kind = if accepts.contains("text/html") { "text/html" } else { "application/problem+json" };
        let is_right = answer["statusCode"] == 503
            && headers["content-type"].as_str().is_some_and(|given| given.starts_with(kind))
            && body.contains(id)
            && (kind == "text/html" || body.contains("misconfigured"));
        if !is_right {
            return Err(Failure::new(format!("{}: {answer}", event.name)));
        }
    }
    let lines = lines(stack).into_iter().filter(|line| line["function"] == function);
    let (starts, requests): (Vec<_>, Vec<_>) = lines.partition(|line| line["message"] != "request");
    let outcomes: BTreeSet<_> = requests.iter().map(|line| line["outcome"].to_string()).collect();
    let is_short = requests.iter().all(|line| line["cause"] == Value::Null);
    let starts: Vec<_> = starts.into_iter().filter(|line| line["outcome"] != "event_unreadable").collect();
    match starts.as_slice() {
        [start] if is_short && outcomes.contains(&start["outcome"].to_string()) => Ok(start.clone()),
        _ => Err(Failure::new(format!("{starts:#?}, and of requests {outcomes:?}"))),
    }
}

/// What the functions printed so far.
fn lines(stack: &Stack) -> Vec<Value> {
    let lines = stack.logs().lines().into_iter().filter(|line| line.worker > 0);
    lines.filter_map(|line| serde_json::from_str(&line.text).ok()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_configuration_is_one_line_that_names_all_that_is_wrong_and_read() {
    let all = || reference::settings().into_iter().map(|(setting, _)| setting.name);
    let options = all().fold(Options::default(), |options, name| options.with(name, WRONG));
    let stack = Stack::start(options).await.unwrap();
    for function in stack.gateway().answering() {
        let line = cannot_work(&stack, function).await.unwrap();
        assert_eq!((&line["level"], &line["outcome"]), (&json!("ERROR"), &json!("wrong_configuration")));
        let cause = line["cause"].as_str().unwrap();
        let read = read_by(function);
        for name in all() {
            // Whether it is a target is judged only against origins that are right, and so is the provider.
            let named = cause.contains(&format!("\n  {name} is wrong; it must be "));
            let is_judged = match name {
                "DEFAULT_RETURN_TO" | "ACCOUNTS" => function == "logout",
                "OPENID_CONNECT" => false,
                _ => true,
            };
            assert_eq!(named, read.contains_key(name) && is_judged, "{function}, {name}: {cause}");
        }
    }
    // What it was set to is not repeated: it may be a secret.
    assert!(!stack.logs().text().contains("canary"), "{}", stack.logs().text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_and_accounts_that_are_wrong_are_named_too() {
    for name in ["DEFAULT_RETURN_TO", "ACCOUNTS"] {
        let stack = Stack::start(Options::default().with(name, WRONG)).await.unwrap();
        let answering = stack.gateway().answering().iter();
        for function in answering.filter(|function| read_by(function).contains_key(name)) {
            let line = cannot_work(&stack, function).await.unwrap();
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
    for function in stack.gateway().answering() {
        let line = cannot_work(&stack, function).await.unwrap();
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

/// Whoever opens a login again from the page opens the same one.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_cannot_begin_offers_the_link_that_was_opened() {
    let stack = Stack::start(Options::default().with("ALLOWED_ORIGINS", WRONG)).await.unwrap();
    let link = "/authorize?app=shop&return_to=https%3A%2F%2Fwww.example.com%2Fme";
    let page = stack.browser().get(&format!("{PUBLIC_URL}{link}")).await.unwrap();
    assert_eq!(page.status, 503);
    assert!(page.text().contains(&link.replace('&', "&#38;")), "{}", page.text());
}

/// The log says what runs, once for each process.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_begins_with_its_version() {
    let stack = Stack::start(Options::default()).await.unwrap();
    for _ in 0..2 {
        let home = stack.browser().get(&format!("{PUBLIC_URL}/")).await.unwrap();
        assert_eq!(home.header("x-version"), Some(env!("CARGO_PKG_VERSION")));
    }
    let lines = lines(&stack);
    let outcomes: Vec<_> = lines.iter().map(|line| line["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["started", "home", "home"]);
    assert_eq!(lines[0]["version"], env!("CARGO_PKG_VERSION"));
}

/// What a function is not set to, it cannot reach.
#[test]
fn a_function_is_set_to_nothing_that_it_may_not_touch() {
    let reads = |function: &str, part: &str| read_by(function).keys().any(|name| name.contains(part));
    for (function, parts) in [
        ("site", &["TABLE", "SECRET", "TOKENS", "WECHAT", "SIGNING"][..]),
        ("token", &["LOGINS", "SECRET", "TOKENS", "WECHAT"]),
        ("logout", &["LOGINS", "SECRET", "TOKENS", "WECHAT", "APP_ID", "SIGNING"]),
        ("authorize", &["SESSIONS", "SECRET", "TOKENS", "WECHAT_API", "SIGNING"]),
        ("userinfo", &["LOGINS", "SECRET", "WECHAT_OPEN", "SIGNING"]),
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
    let line = cannot_work(&stack, "callback").await.unwrap();
    assert!(line["cause"].as_str().unwrap().contains("APP_SECRETS_ARN is missing"), "{line}");
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
    let line = cannot_work(&stack, "callback").await.unwrap();
    let cause = line["cause"].as_str().unwrap();
    assert!(cause.contains("APP_SECRETS_ARN and APP_SECRETS are both set"), "{line}");
    let printed = stack.logs().text();
    assert!(!printed.contains("canary") && !printed.contains("5ec2e7"), "{printed}");
}
