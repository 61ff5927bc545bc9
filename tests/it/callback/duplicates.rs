//! A callback that arrives again: the same answer for the same browser, and never a second exchange.

use std::time::Duration;

use harness::{
    Options, Stack,
    places::{ARRIVAL, AUTHORIZE, EXCHANGE, FRESH_LOGIN},
    proxy::{Fault, Kind, Rule},
    stack::OFFICIAL_ACCOUNT,
};
use simulator::Action;

use super::{arrive, begin, begun, exchanged, guards, location, openid, sessions};

use crate::support::{stack, visited};

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_is_answered_alike() {
    let (stack, visitor, callback) = begun("").await;
    let first = visitor.open(&callback).await.unwrap();
    let second = visitor.open(&callback).await.unwrap();
    assert_eq!(location(&first), ARRIVAL);
    assert_eq!(location(&second), ARRIVAL);
    assert_eq!(first.set_cookies(), second.set_cookies());
    assert_eq!((exchanged(&stack).len(), sessions(&stack).len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_code_for_the_same_state_is_answered_alike() {
    let (stack, visitor, callback) = begun("").await;
    let first = visitor.open(&callback).await.unwrap();
    let code = stack.simulator().issue_code("zhou", OFFICIAL_ACCOUNT, "snsapi_base").unwrap();
    let (address, state) = callback.split_once("&state=").unwrap();
    let (address, _) = address.split_once("code=").unwrap();
    let second = visitor.open(&format!("{address}code={code}&state={state}")).await.unwrap();
    assert_eq!(location(&second), ARRIVAL);
    assert_eq!(first.set_cookies(), second.set_cookies());
    assert_eq!(exchanged(&stack).len(), 1);
    assert_eq!(openid(&visitor).await, Some(stack.simulator().openid("lin", OFFICIAL_ACCOUNT)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_waits_for_the_one_at_work() {
    let (stack, visitor, callback) = begun("").await;
    stack.simulator().knobs(|knobs| knobs.hold.insert(EXCHANGE.to_owned()));
    let (winner, duplicate) = tokio::join!(async { visitor.open(&callback).await.unwrap() }, async {
        // The first one holds the claim as soon as WeChat has been asked.
        stack.until_wechat(|ledger| ledger.iter().any(|entry| entry.path == EXCHANGE)).await.unwrap();
        let waiting = tokio::spawn({
            let (visitor, callback) = (visitor.clone(), callback.clone());
            async move { visitor.open(&callback).await.unwrap() }
        });
        while stack.functions().busy("callback") < 2 {
            tokio::task::yield_now().await;
        }
        stack.simulator().act(&Action::Release);
        waiting.await.unwrap()
    });
    assert_eq!((location(&winner), location(&duplicate)), (ARRIVAL.to_owned(), ARRIVAL.to_owned()));
    assert_eq!(winner.set_cookies(), duplicate.set_cookies());
    assert_eq!((exchanged(&stack).len(), sessions(&stack).len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_whose_owner_died_is_never_taken_over() {
    let (stack, visitor, callback) = begun("return_to=%2Fcart").await;
    stack.simulator().knobs(|knobs| knobs.hold.insert(EXCHANGE.to_owned()));
    let (winner, ()) = tokio::join!(visitor.open(&callback), async {
        stack.until_wechat(|ledger| ledger.iter().any(|entry| entry.path == EXCHANGE)).await.unwrap();
        assert_eq!(stack.functions().kill_busy("callback").await, 1);
    });
    assert_eq!(winner.unwrap().status, 500);
    assert_eq!(guards(&stack)[0]["outcome"]["S"], "claimed");
    stack.simulator().act(&Action::Release);

    // Waits in vain, then begins anew; the fresh login succeeds with a code of its own.
    let fresh = arrive(&visitor, &callback).await;
    assert_eq!(fresh, format!("{AUTHORIZE}?return_to=https%3A%2F%2Flogin.example.com%2Fcart&attempt=2"));
    let hops = visitor.browser.follow(&fresh).await.unwrap();
    assert_eq!(hops.last().unwrap().url.path(), "/cart");
    assert!(openid(&visitor).await.is_some());
    let mut codes = exchanged(&stack);
    codes.dedup();
    assert_eq!((codes.len(), exchanged(&stack).len()), (2, 2));
}

/// The wait is five seconds of the visitor's time, and not so many looks: slow ones would take it to the end
/// of the function's own time, and a page without a way on.
#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_does_not_wait_longer_because_the_table_is_slow() {
    let stack = Stack::start(Options::default().proxied()).await.unwrap();
    let visitor = stack.visitor("lin");
    let callback = begin(&visitor, "").await;
    stack.simulator().knobs(|knobs| knobs.hold.insert(EXCHANGE.to_owned()));
    let (winner, ()) = tokio::join!(visitor.open(&callback), async {
        stack.until_wechat(|ledger| ledger.iter().any(|entry| entry.path == EXCHANGE)).await.unwrap();
        assert_eq!(stack.functions().kill_busy("callback").await, 1);
    });
    assert_eq!(winner.unwrap().status, 500);
    let slow = Fault::Delay(Duration::from_millis(700));
    let looks = stack.proxy().unwrap().inject(Rule::at(Kind::CodeOutcome, slow));
    assert_eq!(arrive(&visitor, &callback).await, FRESH_LOGIN);
    assert!((3..=8).contains(&looks.struck()), "{} looks", looks.struck());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_of_a_failed_callback_begins_anew_at_once() {
    let (stack, visitor, callback) = begun("").await;
    stack.script(EXCHANGE, simulator::Fault::DropAfter, 1);
    let fresh = FRESH_LOGIN;
    assert_eq!(arrive(&visitor, &callback).await, fresh);
    assert_eq!(guards(&stack)[0]["outcome"]["S"], "failed");
    assert_eq!(arrive(&visitor, &callback).await, fresh);
    assert_eq!(exchanged(&stack).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_code_for_two_logins_is_used_once() {
    let stack = stack().await.unwrap();
    stack.simulator().knobs(|knobs| knobs.reissue_code_seconds = 60);
    let visitor = stack.visitor("lin");
    let one = begin(&visitor, "return_to=%2Fone").await;
    let other = begin(&visitor, "return_to=%2Fother").await;
    assert_eq!(arrive(&visitor, &one).await, "https://login.example.com/one#");
    // The other login has the same code; the session it led to is at hand.
    let answer = visitor.open(&other).await.unwrap();
    assert_eq!(location(&answer), "https://login.example.com/other#");
    assert!(answer.set_cookies().is_empty());
    assert_eq!((exchanged(&stack).len(), sessions(&stack).len()), (1, 1));

    // Without it, there is nothing to go by.
    visitor.browser.forget_cookie("__Host-session");
    let fresh = format!("{AUTHORIZE}?return_to=https%3A%2F%2Flogin.example.com%2Fother&attempt=2");
    assert_eq!(arrive(&visitor, &other).await, fresh);
    assert_eq!(exchanged(&stack).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_session_does_not_stand_in_for_a_login_that_failed() {
    let (stack, visitor) = visited().await.unwrap();
    visitor.browser.follow(AUTHORIZE).await.unwrap();
    stack.simulator().knobs(|knobs| {
        knobs.reissue_code_seconds = 60;
        knobs.script(EXCHANGE, simulator::Fault::DropAfter);
    });
    // The first login's code is not given out again.
    stack.simulator().advance(120);
    // One code for both; the login it was used for gave no session.
    let one = begin(&visitor, "return_to=%2Fone").await;
    let other = begin(&visitor, "return_to=%2Fother").await;
    let fresh =
        |target| format!("{AUTHORIZE}?return_to=https%3A%2F%2Flogin.example.com%2F{target}&attempt=2");
    assert_eq!(arrive(&visitor, &one).await, fresh("one"));
    assert_eq!(arrive(&visitor, &other).await, fresh("other"));
    assert_eq!((exchanged(&stack).len(), sessions(&stack).len()), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_code_in_two_browsers_gives_the_second_nothing() {
    let stack = stack().await.unwrap();
    stack.simulator().knobs(|knobs| knobs.reissue_code_seconds = 60);
    let (victim, attacker) = (stack.visitor("lin"), stack.visitor("lin"));
    let callback = begin(&victim, "").await;
    let own = begin(&attacker, "").await;
    arrive(&victim, &callback).await;
    // The attacker's own state, the victim's code.
    let answer = attacker.open(&own).await.unwrap();
    assert_eq!(location(&answer), FRESH_LOGIN);
    assert!(answer.set_cookies().is_empty());
    assert_eq!((exchanged(&stack).len(), sessions(&stack).len()), (1, 1));
    assert_eq!(openid(&attacker).await, None);
}
