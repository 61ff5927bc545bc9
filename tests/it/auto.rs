//! `scope=auto`: silently first; the page is told how to ask for more, and decides.

use harness::{
    Answer, Result, Stack, Visitor,
    database::attribute,
    places::{AUTHORIZE, AUTHORIZE_PROFILE, CONSENT_PAGE, EXCHANGE, PROFILE},
    stack::{OFFICIAL_ACCOUNT, WEBSITE_APP, errcode},
};
use serde_json::Value;
use simulator::{Consent, Denial, Fault, Outcome};

use crate::desktop::desktop;
use crate::support::{allow, only_session, stack, visited};

const AUTO: &str = "https://login.example.com/authorize?scope=auto";

/// The scopes that WeChat was asked for, in order.
fn scopes(stack: &Stack) -> Vec<String> {
    let entries = stack.requests(CONSENT_PAGE);
    entries.iter().filter_map(|entry| entry.parameter("scope")).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_person_is_not_asked_until_the_page_wants_it() {
    let (stack, visitor) = visited().await.unwrap();
    let hops = visitor.log_in_at(AUTO).await.unwrap();
    assert_eq!((hops.len(), scopes(&stack)), (4, vec!["snsapi_base".to_owned()]));
    let before = visitor.shown().await.unwrap();
    assert_eq!(before["upgrade_url"], AUTHORIZE_PROFILE);
    assert_eq!((&before["scope"], &before["nickname"]), (&"snsapi_base".into(), &Value::Null));
    assert_eq!(before["openid"], stack.simulator().openid("lin", OFFICIAL_ACCOUNT));
    assert!(stack.requests(PROFILE).is_empty());

    // The page's button: now WeChat asks, and whoever agrees is not asked to upgrade any more.
    let asked = visitor.browser.follow(before["upgrade_url"].as_str().unwrap()).await.unwrap();
    assert_eq!(asked.last().unwrap().url.path(), CONSENT_PAGE);
    assert_eq!(stack.simulator().ledger().last().unwrap().outcome, Outcome::Consent);
    allow(&stack);
    visitor.log_in_at(before["upgrade_url"].as_str().unwrap()).await.unwrap();
    let after = visitor.shown().await.unwrap();
    assert_eq!((&after["nickname"], &after["upgrade_url"]), (&"小满🌾".into(), &Value::Null));
    assert_eq!((&after["scope"], &after["openid"]), (&"snsapi_userinfo".into(), &before["openid"]));
    only_session(&stack).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_declines_the_upgrade_stays_logged_in() {
    let (stack, visitor) = visited().await.unwrap();
    visitor.log_in_at(AUTO).await.unwrap();
    for denial in [Denial::None, Denial::StateOnly, Denial::Authdeny] {
        stack.simulator().knobs(|knobs| (knobs.consent, knobs.denial) = (Consent::Deny, denial));
        visitor.browser.follow(AUTHORIZE_PROFILE).await.unwrap();
        assert_eq!(visitor.shown().await.unwrap()["upgrade_url"], AUTHORIZE_PROFILE, "{denial:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_login_that_asked_for_it_is_offered_an_upgrade() {
    let stack = stack().await.unwrap();
    allow(&stack);
    for query in ["", "?scope=snsapi_base", "?scope=snsapi_userinfo"] {
        let visitor = stack.visitor("lin");
        visitor.log_in_at(&format!("{AUTHORIZE}{query}")).await.unwrap();
        assert_eq!(visitor.shown().await.unwrap().get("upgrade_url"), None, "{query}");
    }
    // A silent login after the upgrade is a silent login; one by `auto` is offered it again.
    let visitor = stack.visitor("lin");
    visitor.log_in_at(AUTHORIZE_PROFILE).await.unwrap();
    visitor.log_in().await.unwrap();
    assert_eq!(visitor.shown().await.unwrap().get("upgrade_url"), None);
    // Whose profile is known is offered none: a silent login takes nothing away.
    visitor.log_in_at(AUTO).await.unwrap();
    let shown = visitor.shown().await.unwrap();
    assert_eq!((shown.get("upgrade_url"), &shown["nickname"]), (None, &"小满🌾".into()));
    let other = stack.visitor("lin");
    other.log_in_at(AUTO).await.unwrap();
    assert_eq!(other.shown().await.unwrap()["upgrade_url"], AUTHORIZE_PROFILE);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_desktop_the_profile_comes_at_once() {
    let stack = stack().await.unwrap();
    let visitor = desktop(&stack);
    visitor.log_in_at(AUTO).await.unwrap();
    let profile = visitor.shown().await.unwrap();
    assert_eq!((&profile["nickname"], profile.get("upgrade_url")), (&"小满🌾".into(), None));
    assert_eq!(profile["openid"], stack.simulator().openid("lin", WEBSITE_APP));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_was_granted_and_is_out_of_reach_is_no_reason_to_ask_again() {
    let stack = stack().await.unwrap();
    let visitor = desktop(&stack);
    // Neither at the callback nor when the page asks.
    stack.script(PROFILE, Fault::Html { status: 502 }, 6);
    visitor.log_in_at(AUTO).await.unwrap();
    let without = visitor.shown().await.unwrap();
    assert_eq!((without.get("nickname"), without.get("upgrade_url")), (None, None), "{without}");
    assert_eq!(visitor.shown().await.unwrap()["nickname"], "小满🌾");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_the_profile_offers_the_same() {
    let (_stack, visitor) = visited().await.unwrap();
    visitor.log_in_at(AUTO).await.unwrap();
    let page = visitor.userinfo_page().await.unwrap().text();
    assert!(page.contains("href=\"/authorize?scope=snsapi_userinfo\""), "{page}");
}

/// Where the callback of a login leads whose code WeChat refuses.
async fn refused(stack: &Stack, visitor: &Visitor, query: &str) -> Result<Answer> {
    stack.script(EXCHANGE, errcode(40029), 1);
    visitor.open(&visitor.come_back(&format!("{AUTHORIZE}?{query}")).await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_login_asks_for_what_the_first_one_asked_for() {
    let stack = stack().await.unwrap();
    for (query, fresh) in [
        ("scope=auto", "scope=auto&attempt=2"),
        ("app=official_account", "app=official_account&attempt=2"),
        ("scope=auto&app=official_account", "scope=auto&app=official_account&attempt=2"),
        (
            "forceSnapShot=false&forcePopup=true&app=official_account&lang=en&return_to=%2Fcart&scope=snsapi_base",
            "return_to=https%3A%2F%2Flogin.example.com%2Fcart&lang=en&app=official_account&forcePopup=true\
             &attempt=2",
        ),
    ] {
        let visitor = stack.visitor("lin");
        let answer = refused(&stack, &visitor, query).await.unwrap();
        let expected = format!("{AUTHORIZE}?{fresh}");
        assert_eq!((answer.status, answer.location()), (303, Some(expected.as_str())), "{query}");
        visitor.browser.follow(&expected).await.unwrap();
        let session = visitor.shown().await.unwrap();
        assert_eq!(session["upgrade_url"].is_string(), query.contains("auto"), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_login_costs_a_tap_or_a_scan_a_page_comes_first() {
    let stack = stack().await.unwrap();
    allow(&stack);
    for (visitor, query) in [
        (desktop(&stack), "scope=auto&lang=en&app=website"),
        (stack.visitor("lin"), "scope=snsapi_userinfo&lang=en&forceSnapShot=true"),
    ] {
        for fault in [errcode(40163), errcode(-1), Fault::DropAfter] {
            stack.script(EXCHANGE, fault, 1);
            let callback = visitor.come_back(&format!("{AUTHORIZE}?{query}")).await.unwrap();
            let hops = crate::desktop::arrive(&visitor, &callback).await.unwrap();
            // Nobody is shown a second QR code, or asked again, without a word of why.
            let last = hops.last().unwrap();
            assert_eq!((last.url.path(), hops.len()), ("/error", 2));
            let link = format!("href=\"/authorize?{}\"", query.replace('&', "&#38;"));
            assert!(last.text().contains(&link), "{link} in {}", last.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_never_more_than_one_fresh_login() {
    let stack = stack().await.unwrap();
    for query in ["scope=auto", "scope=auto&app=official_account", "scope=snsapi_base"] {
        stack.script(EXCHANGE, errcode(40029), 10);
        let visitor = stack.visitor("lin");
        let before = stack.logins().unwrap().len();
        let hops = visitor.browser.follow(&format!("{AUTHORIZE}?{query}")).await.unwrap();
        let last = hops.last().unwrap();
        assert_eq!((last.status, last.url.path()), (200, "/error"), "{query}: {}", last.text());
        let begun = stack.logins().unwrap().split_off(0);
        let begun = begun.iter().filter(|item| attribute(item, "id").starts_with("login#")).count();
        assert!(begun <= before + 2, "{query}");
        assert_eq!(visitor.session(), None);
        stack.simulator().knobs(|knobs| knobs.next.clear());
        for item in stack.logins().unwrap() {
            stack.database().delete(stack.table("LoginsTable").unwrap(), attribute(&item, "id")).unwrap();
        }
    }
    assert_eq!(stack.requests(EXCHANGE).len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_who_is_logged_in_never_sends_anybody_anywhere() {
    let (stack, visitor) = visited().await.unwrap();
    visitor.log_in_at(AUTO).await.unwrap();
    stack.simulator().clear_ledger();
    for _ in 0..3 {
        let answer = visitor.userinfo().await.unwrap();
        assert_eq!((answer.status, answer.location()), (200, None));
    }
    assert!(stack.simulator().ledger().is_empty());
}
