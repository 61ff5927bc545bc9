//! `scope=auto`: silently first; the page is told how to ask for more, and decides.

use harness::{
    Answer, Browser, Result, Stack,
    stack::{OFFICIAL_ACCOUNT, PAGE_ORIGIN, WEBSITE_APP},
};
use serde_json::Value;
use simulator::{Consent, Denial, Fault, Outcome, Scripted};

use crate::desktop::{desktop, log_in_by_qr, parameter};
use crate::support::{
    AUTHORIZE, EXCHANGE, PROFILE, SESSION_COOKIE, USERINFO, allow, attribute, log_in, log_in_at, logins,
    only_session, requests, stack, userinfo,
};

const AUTO: &str = "https://login.example.com/authorize?scope=auto";
const UPGRADE: &str = "https://login.example.com/authorize?scope=snsapi_userinfo";

async fn shown(browser: &Browser) -> Result<Value> {
    userinfo(browser).await?.json()
}

/// The scopes that WeChat was asked for, in order.
fn scopes(stack: &Stack) -> Vec<String> {
    let entries = requests(stack, "/connect/oauth2/authorize");
    entries.iter().filter_map(|entry| entry.parameter("scope")).map(str::to_owned).collect()
}

fn script(stack: &Stack, path: &str, errcode: i64, times: u32) {
    let fault = Fault::Errcode { errcode, errmsg: None };
    stack.simulator().knobs(|knobs| knobs.script(path, Scripted { times, ..fault.into() }));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_person_is_not_asked_until_the_page_wants_it() {
    let stack = stack().await.unwrap();
    let browser = stack.browser();
    let hops = log_in_at(&browser, AUTO).await.unwrap();
    assert_eq!((hops.len(), scopes(&stack)), (4, vec!["snsapi_base".to_owned()]));
    let before = shown(&browser).await.unwrap();
    assert_eq!(before["upgrade_url"], UPGRADE);
    assert_eq!((&before["scope"], &before["nickname"]), (&"snsapi_base".into(), &Value::Null));
    assert_eq!(before["openid"], stack.simulator().openid("lin", OFFICIAL_ACCOUNT));
    assert!(requests(&stack, PROFILE).is_empty());

    // The page's button: now WeChat asks, and whoever agrees is not asked to upgrade any more.
    let asked = browser.follow(before["upgrade_url"].as_str().unwrap()).await.unwrap();
    assert_eq!(asked.last().unwrap().url.path(), "/connect/oauth2/authorize");
    assert_eq!(stack.simulator().ledger().last().unwrap().outcome, Outcome::Consent);
    allow(&stack);
    log_in_at(&browser, before["upgrade_url"].as_str().unwrap()).await.unwrap();
    let after = shown(&browser).await.unwrap();
    assert_eq!((&after["nickname"], &after["upgrade_url"]), (&"小满🌾".into(), &Value::Null));
    assert_eq!((&after["scope"], &after["openid"]), (&"snsapi_userinfo".into(), &before["openid"]));
    only_session(&stack).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_declines_the_upgrade_stays_logged_in() {
    let stack = stack().await.unwrap();
    let browser = stack.browser();
    log_in_at(&browser, AUTO).await.unwrap();
    for denial in [Denial::None, Denial::StateOnly, Denial::Authdeny] {
        stack.simulator().knobs(|knobs| (knobs.consent, knobs.denial) = (Consent::Deny, denial));
        browser.follow(UPGRADE).await.unwrap();
        assert_eq!(shown(&browser).await.unwrap()["upgrade_url"], UPGRADE, "{denial:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_login_that_asked_for_it_is_offered_an_upgrade() {
    let stack = stack().await.unwrap();
    allow(&stack);
    for query in ["", "?scope=snsapi_base", "?scope=snsapi_userinfo"] {
        let browser = stack.browser();
        log_in_at(&browser, &format!("{AUTHORIZE}{query}")).await.unwrap();
        assert_eq!(shown(&browser).await.unwrap().get("upgrade_url"), None, "{query}");
    }
    // A silent login after the upgrade is a silent login; one by `auto` is offered it again.
    let browser = stack.browser();
    log_in_at(&browser, UPGRADE).await.unwrap();
    log_in(&browser).await.unwrap();
    assert_eq!(shown(&browser).await.unwrap().get("upgrade_url"), None);
    log_in_at(&browser, AUTO).await.unwrap();
    assert_eq!(shown(&browser).await.unwrap()["upgrade_url"], UPGRADE);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_desktop_the_profile_comes_at_once() {
    let stack = stack().await.unwrap();
    let browser = desktop(&stack);
    log_in_by_qr(&stack, &browser, AUTO, "lin").await.unwrap();
    let profile = shown(&browser).await.unwrap();
    assert_eq!((&profile["nickname"], profile.get("upgrade_url")), (&"小满🌾".into(), None));
    assert_eq!(profile["openid"], stack.simulator().openid("lin", WEBSITE_APP));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_was_granted_and_is_out_of_reach_is_no_reason_to_ask_again() {
    let stack = stack().await.unwrap();
    let browser = desktop(&stack);
    // Neither at the callback nor when the page asks.
    stack.simulator().knobs(|knobs| {
        knobs.script(PROFILE, Scripted { times: 6, ..Fault::Html { status: 502 }.into() });
    });
    log_in_by_qr(&stack, &browser, AUTO, "lin").await.unwrap();
    let without = shown(&browser).await.unwrap();
    assert_eq!((without.get("nickname"), without.get("upgrade_url")), (None, None), "{without}");
    assert_eq!(shown(&browser).await.unwrap()["nickname"], "小满🌾");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_the_profile_offers_the_same() {
    let stack = stack().await.unwrap();
    let browser = stack.browser();
    log_in_at(&browser, AUTO).await.unwrap();
    let page = browser.get(USERINFO).await.unwrap().text();
    assert!(page.contains("href=\"/authorize?scope=snsapi_userinfo\""), "{page}");
}

/// Where the callback of a login leads whose code WeChat refuses.
async fn refused(stack: &Stack, browser: &Browser, query: &str) -> Result<Answer> {
    script(stack, EXCHANGE, 40029, 1);
    let began = browser.get(&format!("{AUTHORIZE}?{query}")).await?;
    let wechat = began.redirect()?.map(String::from).unwrap_or_default();
    let callback = browser.get(&wechat).await?.redirect()?.map(String::from).unwrap_or_default();
    browser.get(&callback).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_login_asks_for_what_the_first_one_asked_for() {
    let stack = stack().await.unwrap();
    allow(&stack);
    for (query, fresh) in [
        ("scope=auto", "scope=auto&attempt=2"),
        ("app=official_account", "app=official_account&attempt=2"),
        ("scope=auto&app=official_account", "scope=auto&app=official_account&attempt=2"),
        (
            "app=official_account&lang=en&return_to=%2Fcart&scope=snsapi_userinfo",
            "return_to=https%3A%2F%2Flogin.example.com%2Fcart&scope=snsapi_userinfo&lang=en\
             &app=official_account&attempt=2",
        ),
    ] {
        let browser = stack.browser();
        let answer = refused(&stack, &browser, query).await.unwrap();
        let expected = format!("{AUTHORIZE}?{fresh}");
        assert_eq!((answer.status, answer.location()), (303, Some(expected.as_str())), "{query}");
        browser.follow(&expected).await.unwrap();
        let session = shown(&browser).await.unwrap();
        assert_eq!(session["upgrade_url"].is_string(), query.contains("auto"), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_login_by_qr_code_keeps_its_wishes_too() {
    let stack = stack().await.unwrap();
    let browser = desktop(&stack);
    script(&stack, EXCHANGE, 40163, 1);
    let link = format!("{AUTO}&app=website&lang=en");
    let callback = crate::desktop::scan(&stack, &browser, &link, "lin").await.unwrap();
    let hops = crate::desktop::arrive(&browser, &callback).await.unwrap();
    let fresh = format!("{AUTO}&lang=en&app=website&attempt=2");
    assert_eq!(hops[0].location(), Some(fresh.as_str()));
    // There it waits for another scan: no loop, nothing silent.
    let last = hops.last().unwrap();
    assert_eq!((last.url.path(), hops.len()), ("/connect/qrconnect", 3));
    assert_eq!(parameter(&last.url, "lang").unwrap(), "en");
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_never_more_than_one_fresh_login() {
    let stack = stack().await.unwrap();
    for query in ["scope=auto", "scope=auto&app=official_account", "scope=snsapi_base"] {
        script(&stack, EXCHANGE, 40029, 10);
        let browser = stack.browser();
        let before = logins(&stack).unwrap().len();
        let hops = browser.follow(&format!("{AUTHORIZE}?{query}")).await.unwrap();
        let last = hops.last().unwrap();
        assert_eq!((last.status, last.url.path()), (400, "/error"), "{query}: {}", last.text());
        let begun = logins(&stack).unwrap().split_off(0);
        let begun = begun.iter().filter(|item| attribute(item, "id").starts_with("login#")).count();
        assert!(begun <= before + 2, "{query}");
        assert_eq!(browser.cookie(SESSION_COOKIE), None);
        stack.simulator().knobs(|knobs| knobs.next.clear());
        for item in logins(&stack).unwrap() {
            stack.database().delete(stack.table("LoginsTable").unwrap(), attribute(&item, "id")).unwrap();
        }
    }
    assert_eq!(requests(&stack, EXCHANGE).len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_who_is_logged_in_never_sends_anybody_anywhere() {
    let stack = stack().await.unwrap();
    let browser = stack.browser();
    log_in_at(&browser, AUTO).await.unwrap();
    stack.simulator().clear_ledger();
    for _ in 0..3 {
        let answer = browser.fetch(USERINFO, PAGE_ORIGIN).await.unwrap();
        assert_eq!((answer.status, answer.location()), (200, None));
    }
    assert!(stack.simulator().ledger().is_empty());
}
