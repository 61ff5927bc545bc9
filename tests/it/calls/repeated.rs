//! Calls that go wrong and are made again: as often as there is time, and always as the same one.

use std::{collections::BTreeSet, time::Duration};

use harness::{
    Options, Stack,
    places::{AUTHORIZE, AUTHORIZE_PROFILE, EXCHANGE},
    proxy::{Call, Fault, Kind, Rule, Throttle},
    stack::errcode,
};

use super::counted;

/// The calls of one kind.
fn calls(stack: &Stack, kind: Kind) -> Vec<Call> {
    let calls = stack.proxy().unwrap().calls();
    calls.into_iter().filter(|call| call.kind == kind).collect()
}

/// The one token under which all of these were made, each with the same content.
fn token(calls: &[Call]) -> String {
    let tokens: BTreeSet<_> = calls.iter().map(|call| call.token.clone().unwrap()).collect();
    assert_eq!(tokens.len(), 1, "{tokens:?}");
    assert!(calls.iter().all(|call| call.request == calls[0].request));
    tokens.into_iter().next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_repeated_under_its_own_token() {
    let stack = counted(Options::default()).await;
    let faults = [
        (Fault::DropBefore, 2),
        (Fault::DropAfter, 2),
        (Fault::Truncate, 2),
        (Fault::Delay(Duration::from_millis(950)), 1),
        (Fault::Throttle(Throttle::RequestLimitExceeded), 2),
        (Fault::Throttle(Throttle::Cancelled), 3),
        (Fault::Conflict, 3),
        (Fault::InternalServerError, 2),
        (Fault::Unavailable, 2),
    ];
    let mut tokens = BTreeSet::new();
    for (logins, (fault, times)) in (1..).zip(faults) {
        let visitor = stack.visitor("lin");
        let proxy = stack.proxy().unwrap();
        for kind in [Kind::Claim, Kind::Finish] {
            proxy.inject(Rule::at(kind, fault).times(times));
        }
        visitor.log_in().await.unwrap_or_else(|failure| panic!("{fault:?}: {failure}"));
        proxy.until(|calls| calls.iter().all(|call| call.answered.is_some())).await.unwrap();
        for kind in [Kind::Claim, Kind::Finish] {
            let made = calls(&stack, kind);
            assert_eq!(made.len(), times + 1, "{kind} after {fault:?}");
            assert!(tokens.insert(token(&made)), "a token of another transaction at {kind} after {fault:?}");
        }
        assert_eq!(visitor.userinfo().await.unwrap().status, 200);
        assert_eq!(stack.requests(EXCHANGE).len(), logins);
        assert_eq!(stack.sessions().unwrap().len(), logins);
        proxy.heal();
        proxy.forget();
    }
}

/// The pauses grow, and there are only so many: then the visitor is told, and nothing was exchanged.
#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_without_end_is_given_up() {
    let stack = counted(Options::default()).await;
    stack.proxy().unwrap().inject(Rule::at(Kind::Claim, Fault::Conflict));
    let visitor = stack.visitor("lin");
    let ended = visitor.browser.follow(AUTHORIZE).await.unwrap().pop().unwrap();
    assert_eq!((ended.url.path(), ended.status), ("/error", 200));
    assert!(ended.text().contains(r#"href="/authorize"#));
    let made = calls(&stack, Kind::Claim);
    assert_eq!(made.len(), 6);
    token(&made);
    assert!(stack.requests(EXCHANGE).is_empty());
    assert_eq!(visitor.session(), None);
}

/// The SDK takes a conflict of a single write for final, but what the other tab's transaction is doing
/// to the same session takes milliseconds.
#[tokio::test(flavor = "multi_thread")]
async fn a_single_write_that_meets_a_transaction_is_made_again() {
    let stack = counted(Options::default().with("PROFILE_LIFETIME_SECONDS", "0")).await;
    let proxy = stack.proxy().unwrap();
    for kind in [Kind::FailCode, Kind::SaveSession, Kind::DeleteSession] {
        proxy.inject(Rule::at(kind, Fault::Conflict).times(2));
    }
    let visitor = stack.visitor("lin");
    stack.script(EXCHANGE, errcode(40029), 1);
    // A login with consent begins anew by its page's button.
    visitor.browser.follow(AUTHORIZE_PROFILE).await.unwrap();
    visitor.log_in_with_profile().await.unwrap();
    assert_eq!(visitor.userinfo().await.unwrap().status, 200);
    assert_eq!(visitor.log_out().await.unwrap().status, 303);
    assert!(stack.sessions().unwrap().is_empty());
    for kind in [Kind::FailCode, Kind::SaveSession, Kind::DeleteSession] {
        let applied: Vec<_> = calls(&stack, kind).iter().map(|call| call.is_applied).collect();
        assert_eq!(applied, [false, false, true], "{kind}");
    }

    let lasting = proxy.inject(Rule::at(Kind::DeleteSession, Fault::Conflict));
    visitor.log_in().await.unwrap();
    let answer = visitor.log_out().await.unwrap();
    assert_eq!((answer.status, lasting.struck()), (503, 6));
    assert!(visitor.session().is_some());
}

/// A login that is put again after its answer was lost is the same login; and when the first copy of the
/// request arrives last of all, it does not undo the claim that was made in between.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_is_stored_late_undoes_no_claim() {
    let stack = counted(Options::default()).await;
    let proxy = stack.proxy().unwrap();
    let late = proxy.inject(Rule::at(Kind::PutLogin, Fault::HoldBefore).times(1));
    let visitor = stack.visitor("lin");
    let callback = visitor.come_back(AUTHORIZE).await.unwrap();
    visitor.open(&callback).await.unwrap();
    assert_eq!(visitor.userinfo().await.unwrap().status, 200);
    late.held().await.unwrap().release();
    proxy.until(|calls| calls.iter().all(|call| call.answered.is_some())).await.unwrap();

    let puts = calls(&stack, Kind::PutLogin);
    assert_eq!(puts.len(), 2);
    assert_eq!(puts[0].request, puts[1].request);
    let claimed = |login: &serde_json::Value| login.get("claimed_code").is_some();
    assert!(stack.logins().unwrap().iter().any(claimed));
    visitor.log_out().await.unwrap();
    let again = visitor.open(&callback).await.unwrap();
    assert!(again.set_cookies().is_empty(), "the login was claimed again");
}
