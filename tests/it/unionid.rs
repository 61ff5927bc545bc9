//! `SILENT_UNIONID`: a silent login asks for the unionid with the app's own token.
//!
//! The oracle is the ledger: how often the token was fetched, by whom it was used, and how often WeChat
//! was asked for a person. Whatever goes wrong, the login does not.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the helpers of these tests fail as the tests do"
)]

mod token;
mod trouble;

use harness::{
    Options, Stack, Visitor,
    database::attribute,
    places::{AUTHORIZE, CONSENT_PAGE, EXCHANGE, FOLLOWER, STABLE_TOKEN},
    stack::{OFFICIAL_ACCOUNT, WEBSITE_APP},
};
use serde_json::Value;
use simulator::{NonFollower, Settings, Simulator, UnionidInExchange};

use crate::desktop::desktop;
use crate::support::stack;

async fn silent_unionid() -> Stack {
    Stack::start(Options::default().with("SILENT_UNIONID", "true")).await.unwrap()
}

/// How often the token was fetched, and how often a person was asked for.
fn calls(stack: &Stack) -> (usize, usize) {
    (stack.requests(STABLE_TOKEN).len(), stack.requests(FOLLOWER).len())
}

/// The unionid that a silent login of a person brings.
async fn unionid_of(stack: &Stack, person: &str) -> Option<String> {
    let visitor = stack.visitor(person);
    visitor.log_in().await.unwrap();
    let shown = visitor.shown().await.unwrap();
    assert_eq!(shown["openid"], visitor.openid());
    assert_eq!(shown["scope"], "snsapi_base");
    shown["unionid"].as_str().map(str::to_owned)
}

/// The unionid that everybody who knows better gives the person.
fn right(stack: &Stack, person: &str) -> Option<String> {
    stack.simulator().unionid(person, OFFICIAL_ACCOUNT)
}

/// The app's token as it is stored.
fn stored(stack: &Stack) -> Option<Value> {
    let items = stack.sessions().unwrap();
    items.into_iter().find(|item| attribute(item, "id").starts_with("app-token#"))
}

/// Stores it with a change.
fn store(stack: &Stack, item: &Value) {
    stack.database().put(stack.table("SessionsTable").unwrap(), item).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_is_known_by_unionid_without_being_asked() {
    let stack = silent_unionid().await;
    assert_eq!(unionid_of(&stack, "lin").await, right(&stack, "lin"));
    let paths: Vec<_> = stack.simulator().ledger().into_iter().map(|entry| entry.path).collect();
    assert_eq!(paths, [CONSENT_PAGE, EXCHANGE, STABLE_TOKEN, FOLLOWER]);
    let fetched = &stack.requests(STABLE_TOKEN)[0];
    assert_eq!((fetched.method.as_str(), fetched.query.len()), ("POST", 0));
    for (name, value) in [
        ("grant_type", "client_credential"),
        ("appid", OFFICIAL_ACCOUNT),
        ("secret", "5ec2e7aaaaaaaaaaaaaaaaaaaaaaaaaa"),
        ("force_refresh", "false"),
    ] {
        assert_eq!(fetched.parameter(name), Some(value));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_unionid_is_the_one_that_a_desktop_brings() {
    let stack = silent_unionid().await;
    let phone = unionid_of(&stack, "lin").await.unwrap();
    let desk = desktop(&stack);
    desk.log_in_at(AUTHORIZE).await.unwrap();
    let shown = desk.shown().await.unwrap();
    assert_eq!(shown["unionid"], phone);
    assert_eq!(shown["openid"], stack.simulator().openid("lin", WEBSITE_APP));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_follow_logs_in_without() {
    let stack = silent_unionid().await;
    for body in [NonFollower::Blank, NonFollower::TagList, NonFollower::Bare] {
        stack.simulator().knobs(|knobs| knobs.non_follower_body = body);
        assert_eq!(unionid_of(&stack, "zhou").await, None, "{body:?}");
    }
    assert_eq!(calls(&stack), (1, 3));
    // Nothing of it is a fault.
    assert!(!stack.logs().text().contains(r#""level":"ERROR""#), "{}", stack.logs().text());
    // Some accounts learned it all the same, years ago; then it is used.
    stack.simulator().knobs(|knobs| knobs.unionid_for_non_follower = true);
    assert_eq!(unionid_of(&stack, "zhou").await, right(&stack, "zhou"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_without_an_open_platform_knows_no_unionid() {
    let mut settings = Settings::example();
    settings.apps[0].open_account = None;
    let options = Options::default().with("SILENT_UNIONID", "true").simulator(Simulator::new(settings));
    let stack = Stack::start(options).await.unwrap();
    assert_eq!(unionid_of(&stack, "lin").await, None);
    assert_eq!(calls(&stack), (1, 1));
}

/// A login that must not concern the app's own token.
fn assert_untouched(stack: &Stack) {
    assert_eq!(calls(stack), (0, 0));
    assert_eq!(stored(stack), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_unless_it_is_switched_on() {
    for options in [Options::default(), Options::default().with("SILENT_UNIONID", "false")] {
        let stack = Stack::start(options).await.unwrap();
        assert_eq!(unionid_of(&stack, "lin").await, None);
        assert_untouched(&stack);
    }
    let stack = stack().await.unwrap();
    stack.visitor("lin").log_in().await.unwrap();
    assert_untouched(&stack);
}

async fn unionid(visitor: &Visitor) -> Value {
    visitor.shown().await.unwrap()["unionid"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_agreed_or_scanned_brings_it_along() {
    let stack = silent_unionid().await;
    let (phone, desk) = (stack.visitor("lin"), desktop(&stack));
    // Even if the exchange leaves it out, the profile has it.
    stack.simulator().knobs(|knobs| knobs.unionid_in_userinfo_exchange = UnionidInExchange::FollowersOnly);
    for person in ["lin", "zhou"] {
        phone.hand_to(person).log_in_with_profile().await.unwrap();
        assert_eq!(unionid(&phone).await, right(&stack, person).unwrap(), "{person}");
        desk.hand_to(person).log_in_at(AUTHORIZE).await.unwrap();
        assert_eq!(unionid(&desk).await, right(&stack, person).unwrap(), "{person}");
    }
    assert_untouched(&stack);
    // And if nobody has it, because the apps are bound to nothing, nobody else is asked.
    stack.simulator().settings(|settings| {
        for app in &mut settings.apps {
            app.open_account = None;
        }
    });
    phone.log_in_with_profile().await.unwrap();
    desk.log_in_at(AUTHORIZE).await.unwrap();
    assert_eq!((unionid(&phone).await, unionid(&desk).await), (Value::Null, Value::Null));
    assert_untouched(&stack);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unionid_that_comes_with_the_exchange_is_not_asked_for() {
    let stack = silent_unionid().await;
    stack.simulator().knobs(|knobs| knobs.base_exchange_unionid_after_prior_grant = true);
    let visitor = stack.visitor("lin").logged_in_with_profile().await.unwrap();
    visitor.log_in().await.unwrap();
    assert_eq!(unionid(&visitor).await, right(&stack, "lin").unwrap());
    assert_untouched(&stack);
}
