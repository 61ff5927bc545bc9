//! DynamoDB and time running out in the middle of a callback.

use harness::{
    Options, Stack,
    binaries::workspace,
    places::EXCHANGE,
    proxy::{Fault, Kind, Rule},
};
use simulator::Action;

use super::{arrive, begin, exchanged, openid, sessions};

use crate::support::alarm;

/// The code is spent by then, so the same address would bring nothing: the login begins afresh by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_cannot_be_stored_is_no_cookie_and_costs_one_round() {
    let stack = Stack::start(Options::default().proxied()).await.unwrap();
    let visitor = stack.visitor("lin");
    let callback = begin(&visitor, "return_to=%2Fcart").await;
    let fault = stack.proxy().unwrap().inject(Rule::at(Kind::Finish, Fault::InternalServerError));
    let fresh = arrive(&visitor, &callback).await;
    assert_eq!(
        fresh,
        "https://login.example.com/authorize?return_to=https%3A%2F%2Flogin.example.com%2Fcart&attempt=2"
    );
    assert_eq!(visitor.session(), None);
    assert!(sessions(&stack).is_empty());
    fault.remove();
    let hops = visitor.browser.follow(&fresh).await.unwrap();
    assert_eq!(hops.last().unwrap().url.path(), "/cart");
    assert!(openid(&visitor).await.is_some());
    assert_eq!(exchanged(&stack).len(), 2);
    let line = alarm(&stack, r#""outcome":"store_unavailable""#).await.unwrap().text;
    assert!(line.contains("could not be stored"), "{line}");
}

/// Lambda would end the process without a word; what stands before that is ours.
#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_takes_too_long_says_so_before_it_is_ended() {
    let template = std::fs::read_to_string(workspace().join("template.yaml")).unwrap();
    let hasty = template.replace("    Timeout: 10\n", "    Timeout: 2\n");
    assert_ne!(hasty, template);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("template.yaml");
    std::fs::write(&path, hasty).unwrap();
    let stack = Stack::start(Options::default().template(path)).await.unwrap();
    let visitor = stack.visitor("lin");
    let callback = begin(&visitor, "").await;
    stack.simulator().knobs(|knobs| knobs.hold.insert(EXCHANGE.to_owned()));
    let answer = visitor.open(&callback).await.unwrap();
    assert_eq!((answer.status, answer.set_cookies().len()), (503, 0));
    assert!(answer.text().contains(answer.header("x-correlation-id").unwrap()));
    assert!(answer.text().contains("/authorize"), "{}", answer.text());
    assert!(answer.header("retry-after").is_some());
    alarm(&stack, r#""outcome":"deadline""#).await.unwrap();
    // The process lives on.
    stack.simulator().act(&Action::Release);
    visitor.browser.follow(super::AUTHORIZE).await.unwrap();
    assert!(openid(&visitor).await.is_some());
    assert_eq!(stack.functions().cold_starts("callback"), 1);
}
