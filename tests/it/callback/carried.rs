//! What a silent login carries over from the session that it replaces. Any page can begin one by a plain link, so it
//! must take nothing away; and it must add nothing that is not the same person's in the same app.

use harness::{
    Options, Stack, Visitor,
    database::attribute,
    places::{AUTHORIZE, AUTHORIZE_PROFILE, PROFILE},
    proxy::{Fault, Kind, Rule},
};
use serde_json::Value;
use simulator::Action;

use super::{begin, openid, sessions};

use crate::support::{self, allow, assert_problem, stack};

const NICKNAME: &str = "小满🌾";

/// What of a profile is shown: nickname, scope, unionid.
async fn known(visitor: &Visitor) -> [Value; 3] {
    let shown = visitor.shown().await.unwrap();
    ["nickname", "scope", "unionid"].map(|name| shown[name].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_login_of_the_same_person_takes_nothing_away() {
    let stack = Stack::start(Options::default().with("PROFILE_LIFETIME_SECONDS", "0")).await.unwrap();
    let visitor = stack.visitor("lin").logged_in_with_profile().await.unwrap();
    let [nickname, _, unionid] = known(&visitor).await;
    for _ in 0..2 {
        visitor.log_in().await.unwrap();
        stack.simulator().clear_ledger();
        // What this login may do is its own: the profile is shown, and not read again until the person consents anew.
        assert_eq!(known(&visitor).await, [nickname.clone(), "snsapi_base".into(), unionid.clone()]);
        assert!(stack.requests(PROFILE).is_empty());
        assert_eq!(sessions(&stack).len(), 1);
    }
    visitor.log_in_with_profile().await.unwrap();
    assert_eq!(known(&visitor).await, [nickname, "snsapi_userinfo".into(), unionid]);
    assert_eq!(stack.requests(PROFILE).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_person_or_another_app_takes_nothing_over() {
    let stack = stack().await.unwrap();
    allow(&stack);
    for (first, second) in [
        // Another person at the same browser.
        (stack.visitor("lin"), "zhou"),
        // The same person by QR code before: another app, another openid.
        (stack.visitor("lin").at_a_computer(), "lin"),
    ] {
        first.log_in_at(AUTHORIZE_PROFILE).await.unwrap();
        assert_eq!(known(&first).await[0], NICKNAME);
        let next = first.with_user_agent(harness::browser::WECHAT_USER_AGENT).hand_to(second);
        next.log_in().await.unwrap();
        assert_eq!(openid(&next).await, Some(next.openid()));
        assert_eq!(known(&next).await, [Value::Null, "snsapi_base".into(), Value::Null], "{second}");
    }
}

/// The person logs out in another tab while the silent login is on its way: what he ended is not carried on.
#[tokio::test(flavor = "multi_thread")]
async fn a_logout_meanwhile_ends_what_would_have_been_carried() {
    let stack = Stack::start(Options::default().proxied()).await.unwrap();
    let visitor = stack.visitor("lin").logged_in_with_profile().await.unwrap();
    let callback = begin(&visitor, "").await;
    let finish = stack.proxy().unwrap().inject(Rule::at(Kind::Finish, Fault::HoldBefore).times(1));
    let (answer, ()) = tokio::join!(visitor.open(&callback), async {
        let held = finish.held().await.unwrap();
        for item in sessions(&stack) {
            stack.database().delete(stack.table("SessionsTable").unwrap(), attribute(&item, "id")).unwrap();
        }
        held.release();
    });
    assert_eq!(answer.unwrap().set_cookies().len(), 1);
    assert_eq!(known(&visitor).await, [Value::Null, "snsapi_base".into(), Value::Null]);
    assert_eq!(sessions(&stack).len(), 1);
}

/// The person has withdrawn the grant, and WeChat said so: a silent login keeps nothing of what was granted, and a
/// second login in the browser does not take the old session for a good one.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_granted_ends_with_the_grant() {
    let stack = Stack::start(Options::default().with("PROFILE_LIFETIME_SECONDS", "0")).await.unwrap();
    let visitor = stack.visitor("lin").logged_in_with_profile().await.unwrap();
    assert_eq!(known(&visitor).await[0], NICKNAME);
    stack.simulator().act(&Action::ExpireAccessTokens);
    stack.simulator().act(&Action::RevokeRefreshTokens);
    assert_problem(&visitor.userinfo().await.unwrap(), 401, "not_logged_in");
    assert_eq!(sessions(&stack).len(), 1);
    visitor.log_in().await.unwrap();
    assert_eq!(known(&visitor).await, [Value::Null, "snsapi_base".into(), Value::Null]);
    assert_eq!(sessions(&stack).len(), 1);
}

/// Whether the person follows the account is carried too, as of the login that read it.
#[tokio::test(flavor = "multi_thread")]
async fn who_follows_is_told_as_of_when_it_was_read() {
    let stack = Stack::start(Options::default().with("SILENT_UNIONID", "true")).await.unwrap();
    allow(&stack);
    for (person, follows) in [("lin", true), ("zhou", false)] {
        let visitor = stack.visitor(person).logged_in().await.unwrap();
        let shown = visitor.shown().await.unwrap();
        assert_eq!(shown["subscribe"], follows, "{shown}");
        let read_at = shown["subscribe_read_at"].as_u64().unwrap();
        assert!(read_at.abs_diff(harness::time::now_seconds()) < 60, "{shown}");
        // A login with consent has its unionid and asks for nothing else.
        visitor.log_in_with_profile().await.unwrap();
        let shown = visitor.shown().await.unwrap();
        assert_eq!((&shown["subscribe"], &shown["subscribe_read_at"]), (&follows.into(), &read_at.into()));
    }
    // Whom nobody asked about is not told of.
    let unasked = support::stack().await.unwrap();
    let shown = unasked.visitor("lin").logged_in().await.unwrap().shown().await.unwrap();
    assert!(shown.get("subscribe").is_none() && shown.get("subscribe_read_at").is_none(), "{shown}");
}

/// The session before cannot be read: the login does without it.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_before_that_cannot_be_read_costs_no_login() {
    let stack = Stack::start(Options::default().proxied()).await.unwrap();
    let visitor = stack.visitor("lin").logged_in_with_profile().await.unwrap();
    let fault = stack.proxy().unwrap().inject(Rule::at(Kind::Session, Fault::InternalServerError));
    visitor.browser.follow(AUTHORIZE).await.unwrap();
    fault.remove();
    assert_eq!(known(&visitor).await[1], "snsapi_base");
    assert_eq!(sessions(&stack).len(), 1);
}
