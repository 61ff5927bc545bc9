//! A mark tells others not to wait, or not to take a code. One that could not be written costs nobody the answer
//! that is due, and leaves its trace in the log.

#![expect(clippy::unwrap_used, reason = "the helpers of these tests fail as the tests do")]

use harness::{
    Options, Stack,
    places::{AUTHORIZE, EXCHANGE},
    proxy::{Fault, Kind, Rule},
};
use simulator::Fault as Refusal;

async fn proxied() -> Stack {
    Stack::start(Options::default().proxied().with("SILENT_UNIONID", "true")).await.unwrap()
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
    let visitor = stack.visitor("lin");
    let answer = visitor.call_back(&visitor.come_back(AUTHORIZE).await.unwrap()).await.unwrap();
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
    let (owner, stranger) = (stack.visitor("lin"), stack.visitor("mallory"));
    stranger.log_in().await.unwrap();
    let callback = owner.come_back(AUTHORIZE).await.unwrap();
    assert_eq!(stranger.call_back(&callback).await.unwrap().status, 303);
    fault.remove();
    let line = line(&stack, "foreign_browser").await;
    assert!(line.contains("; the code could not be marked: TransactWriteItems failed: "), "{line}");
    // The code is as good as before, for the browser it belongs to.
    assert_eq!(owner.call_back(&callback).await.unwrap().set_cookies().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_in_vain_that_could_not_be_marked() {
    let stack = proxied().await;
    let fault = stack.proxy().unwrap().inject(Rule::at(Kind::FailAppToken, Fault::InternalServerError));
    let refusal = Refusal::Errcode { errcode: 40164, errmsg: None };
    stack.simulator().knobs(|knobs| knobs.script("/cgi-bin/stable_token", refusal));
    stack.visitor("lin").log_in().await.unwrap();
    fault.remove();
    let line = line(&stack, "logged_in").await;
    assert!(line.contains("; the lease could not be marked: UpdateItem failed: "), "{line}");
    assert!(line.contains(r#""level":"ERROR""#) && line.contains(r#""errcode":40164"#), "{line}");
}
