//! A mark tells others not to wait, or not to take a code. One that could not be written costs nobody the answer
//! that is due, and leaves its trace in the log.

use harness::{
    Browser, Options, Stack,
    proxy::{Fault, Kind, Rule},
};
use simulator::Fault as Refusal;

use crate::support::{AUTHORIZE, EXCHANGE, log_in};

async fn proxied() -> Stack {
    Stack::start(Options::default().proxied().with("SILENT_UNIONID", "true")).await.unwrap()
}

/// Where WeChat sends this browser with a code, not yet gone there.
async fn callback(browser: &Browser) -> String {
    let begun = browser.get(AUTHORIZE).await.unwrap().redirect().unwrap().unwrap();
    browser.get(begun.as_str()).await.unwrap().redirect().unwrap().unwrap().into()
}

/// The line of an outcome, which comes at its own level whatever became of the mark.
async fn line(stack: &Stack, outcome: &str) -> String {
    stack.logs().wait_for(&format!(r#""outcome":"{outcome}""#)).await.unwrap().text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_code_that_could_not_be_marked() {
    let stack = proxied().await;
    let fault = stack.proxy().unwrap().inject(Rule::at(Kind::FailCode, Fault::InternalServerError));
    stack
        .simulator()
        .knobs(|knobs| knobs.script(EXCHANGE, Refusal::Errcode { errcode: 40029, errmsg: None }));
    let browser = stack.browser();
    let address = callback(&browser).await;
    let answer = browser.get(&address).await.unwrap();
    assert!(answer.location().unwrap().ends_with("/authorize?attempt=2"), "{answer:?}");
    fault.remove();
    let line = line(&stack, "code_refused").await;
    assert!(line.contains("errcode 40029; the code could not be marked: UpdateItem failed: "), "{line}");
    assert!(line.contains(r#""level":"INFO""#) && line.contains(r#""errcode":40029"#), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_code_that_could_not_be_spent() {
    let stack = proxied().await;
    let fault = stack.proxy().unwrap().inject(Rule::at(Kind::SpendCode, Fault::InternalServerError));
    let (owner, stranger) = (stack.browser(), stack.browser());
    log_in(&stranger).await.unwrap();
    let address = callback(&owner).await;
    assert_eq!(stranger.get(&address).await.unwrap().status, 303);
    fault.remove();
    let line = line(&stack, "foreign_browser").await;
    assert!(line.contains("; the code could not be marked: TransactWriteItems failed: "), "{line}");
    // The code is as good as before, for the browser it belongs to.
    assert_eq!(owner.get(&address).await.unwrap().set_cookies().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_in_vain_that_could_not_be_marked() {
    let stack = proxied().await;
    let fault = stack.proxy().unwrap().inject(Rule::at(Kind::FailAppToken, Fault::InternalServerError));
    let refusal = Refusal::Errcode { errcode: 40164, errmsg: None };
    stack.simulator().knobs(|knobs| knobs.script("/cgi-bin/stable_token", refusal));
    log_in(&stack.browser()).await.unwrap();
    fault.remove();
    let line = line(&stack, "logged_in").await;
    assert!(line.contains("; the lease could not be marked: UpdateItem failed: "), "{line}");
    assert!(line.contains(r#""level":"ERROR""#) && line.contains(r#""errcode":40164"#), "{line}");
}
