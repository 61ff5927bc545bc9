//! The profile that a login with consent brings: it costs no login, and it is the same person's.

use harness::{
    Stack,
    places::{ARRIVAL, PROFILE},
    stack::{errcode, raw},
};
use simulator::{DirtyJson, Fault};

use super::{arrive, begun, exchanged, sessions};

const QUERY: &str = "scope=snsapi_userinfo";

fn profiles_read(stack: &Stack) -> usize {
    stack.requests(PROFILE).len()
}

/// What is logged of the one login.
async fn logged_in_line(stack: Stack) -> String {
    let log = stack.stop().await.text();
    log.lines().find(|line| line.contains(r#""outcome":"logged_in""#)).unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_out_of_reach_costs_no_login() {
    for (fault, told) in [(Fault::DropBefore, r#""cause":"#), (errcode(45011), r#""errcode":45011"#)] {
        let (stack, visitor, callback) = begun(QUERY).await;
        stack.script(PROFILE, fault, 3);
        assert_eq!(arrive(&visitor, &callback).await, ARRIVAL);
        assert_eq!((profiles_read(&stack), exchanged(&stack).len(), sessions(&stack).len()), (3, 1, 1));
        // It follows as soon as somebody asks.
        let profile = visitor.shown().await.unwrap();
        assert!(profile["nickname"].is_string(), "{profile}");
        assert_eq!(profiles_read(&stack), 4);
        let line = logged_in_line(stack).await;
        assert!(line.contains(r#""level":"INFO""#) && line.contains(told), "{line}");
    }
}

/// The app's quota, a permission, a number that nobody knows: who it is is known all the same, and an operator is told.
#[tokio::test(flavor = "multi_thread")]
async fn no_errcode_about_the_app_costs_a_login_that_is_known() {
    for code in [45009, 48001, 40003, 61023, 98765] {
        let (stack, visitor, callback) = begun(QUERY).await;
        stack.script(PROFILE, errcode(code), 1);
        assert_eq!(arrive(&visitor, &callback).await, ARRIVAL, "{code}");
        assert_eq!(visitor.logged_in_as().await.unwrap(), Some(visitor.openid()), "{code}");
        let line = logged_in_line(stack).await;
        assert!(
            line.contains(r#""level":"ERROR""#) && line.contains(&format!(r#""errcode":{code}"#)),
            "{line}"
        );
    }
    // One about the person does.
    let (stack, visitor, callback) = begun(QUERY).await;
    stack.script(PROFILE, errcode(50002), 1);
    let page = arrive(&visitor, &callback).await;
    assert!(page.starts_with("https://login.example.com/error?reason=user_refused&id="), "{page}");
    assert!(sessions(&stack).is_empty());
}

/// An answer needs only what is used of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_without_a_refresh_token_lasts_as_long_as_its_access_token() {
    let (stack, visitor, callback) = begun(QUERY).await;
    let openid = visitor.openid();
    let body = format!(r#"{{"access_token":"90_A","openid":"{openid}","scope":"snsapi_userinfo"}}"#);
    stack.script(harness::places::EXCHANGE, raw(200, &body), 1);
    stack.script(PROFILE, raw(200, &format!(r#"{{"openid":"{openid}","nickname":"Lin"}}"#)), 1);
    assert_eq!(arrive(&visitor, &callback).await, ARRIVAL);
    assert_eq!(visitor.shown().await.unwrap()["nickname"], "Lin");
    // There is nothing to renew it with.
    assert_eq!(visitor.verify().await.unwrap().status, 401);
    assert!(stack.requests(harness::places::REFRESH).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_takes_too_long_costs_no_login() {
    let (stack, visitor, callback) = begun(QUERY).await;
    stack.simulator().knobs(|knobs| knobs.hold.insert(PROFILE.to_owned()));
    assert_eq!(arrive(&visitor, &callback).await, ARRIVAL);
    assert_eq!(sessions(&stack).len(), 1);
    let line = logged_in_line(stack).await;
    assert!(line.contains(r#""cause":"the profile took too long""#), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passing_error_is_asked_again() {
    let (stack, visitor, callback) = begun(QUERY).await;
    stack.script(PROFILE, errcode(-1), 1);
    assert_eq!(arrive(&visitor, &callback).await, ARRIVAL);
    assert_eq!(profiles_read(&stack), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_persons_profile_ends_the_login() {
    let (stack, visitor, callback) = begun(QUERY).await;
    stack.simulator().knobs(|knobs| knobs.userinfo_answers_other_openid = true);
    let page = arrive(&visitor, &callback).await;
    assert!(page.starts_with("https://login.example.com/error?reason=login_failed&id="), "{page}");
    assert!(sessions(&stack).is_empty());
    let log = stack.stop().await.text();
    let line = log.lines().find(|line| line.contains(r#""outcome":"foreign_profile""#)).unwrap();
    assert!(line.contains(r#""level":"ERROR""#), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_body_costs_no_login() {
    for dirt in [DirtyJson::ControlByte, DirtyJson::InvalidUtf8, DirtyJson::Both] {
        let (stack, visitor, callback) = begun(QUERY).await;
        stack.simulator().knobs(|knobs| {
            knobs.dirty_json = dirt;
            knobs.sex_as_string = true;
        });
        assert_eq!(arrive(&visitor, &callback).await, ARRIVAL, "{dirt:?}");
        let profile = visitor.shown().await.unwrap();
        assert!(profile["nickname"].is_string(), "{profile}");
        assert_eq!(profiles_read(&stack), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_login_never_asks_for_a_profile() {
    let (stack, visitor, callback) = begun("").await;
    arrive(&visitor, &callback).await;
    visitor.userinfo().await.unwrap();
    assert_eq!(profiles_read(&stack), 0);
}
