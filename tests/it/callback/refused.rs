//! Callbacks that are nobody's, over, declined or malformed: nothing is consumed, nothing exchanged.

use harness::{
    Options, Stack,
    browser::Visit,
    places::{ARRIVAL, AUTHORIZE, ERROR_PAGE, FRESH_LOGIN, ONCE_MORE},
};
use simulator::CallbackAdditions;
use url::Url;

use super::{arrive, begin, begun, change_login, exchanged, guards, location, openid, sessions};

use crate::support::{stack, visited};

fn is_untouched(stack: &Stack) {
    assert!(exchanged(stack).is_empty());
    assert!(guards(stack).is_empty());
    assert!(sessions(stack).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_browsers_login_is_not_consumed() {
    let stack = stack().await.unwrap();
    let (owner, attacker) = (stack.visitor("lin"), stack.visitor("lin"));
    let callback = begin(&owner, "return_to=%2Fcart").await;
    let own_code = begin(&attacker, "").await;
    let forged = with_code_of(&callback, &own_code);
    let answer = attacker.open(&forged).await.unwrap();
    assert_eq!(
        location(&answer),
        format!("{AUTHORIZE}?return_to=https%3A%2F%2Flogin.example.com%2Fcart&waits=1")
    );
    assert!(answer.set_cookies().is_empty());
    assert!(exchanged(&stack).is_empty());
    assert!(sessions(&stack).is_empty());
    assert_eq!(arrive(&owner, &callback).await, "https://login.example.com/cart#");
    assert!(openid(&owner).await.is_some());
    assert_eq!(openid(&attacker).await, None);
}

/// A code that another browser has shown is worth nothing to anybody any more: not in that browser's own
/// login, and its owner begins afresh.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_another_browser_has_shown_is_spent() {
    let stack = stack().await.unwrap();
    let (owner, attacker) = (stack.visitor("lin"), stack.visitor("lin"));
    let leaked = begin(&owner, "").await;
    let own = begin(&attacker, "").await;
    attacker.open(&leaked).await.unwrap();
    let [guard] = guards(&stack).try_into().unwrap();
    assert_eq!(guard["outcome"]["S"], "failed");
    let answer = attacker.open(&with_code_of(&own, &leaked)).await.unwrap();
    let waits = |page: &str| page.starts_with(&format!("{ERROR_PAGE}code_repeated&id="));
    assert!(waits(&location(&answer)) && answer.set_cookies().is_empty());
    assert!(exchanged(&stack).is_empty());
    // The owner, at the price of a wait and no try.
    let page = arrive(&owner, &leaked).await;
    assert!(waits(&page), "{page}");
    owner.follow(&page).await.unwrap();
    assert!(openid(&owner).await.is_some());
    assert_eq!((exchanged(&stack).len(), sessions(&stack).len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_pays_for_three_marks_of_spent_codes() {
    let stack = stack().await.unwrap();
    let (owner, attacker) = (stack.visitor("lin"), stack.visitor("lin"));
    let callback = begin(&owner, "").await;
    begin(&attacker, "").await;
    for number in 1..=5 {
        let own_code = format!("https://login.example.com/callback?code=0forged{number}&state=x");
        let answer = attacker.open(&with_code_of(&callback, &own_code)).await.unwrap();
        assert_eq!(location(&answer), ONCE_MORE);
        assert_eq!(guards(&stack).len(), number.min(3));
    }
    assert_eq!(arrive(&owner, &callback).await, ARRIVAL);
    assert!(openid(&owner).await.is_some());
}

/// WeChat's client adds parameters of its own to every address it opens, which say nothing here. A relay that doubles
/// the query says code and state twice: nobody guesses which are meant, and the login can still be finished.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_client_adds_to_a_callback_says_nothing_and_a_doubled_one_costs_nothing() {
    let stack = stack().await.unwrap();
    for additions in [CallbackAdditions::Share, CallbackAdditions::Client, CallbackAdditions::All] {
        stack.simulator().knobs(|knobs| knobs.callback_additions = additions);
        let visitor = stack.visitor("lin");
        let callback = begin(&visitor, "return_to=%2Fcart").await;
        assert!(callback.contains("&from=") || callback.contains("&pass_ticket="), "{callback}");
        assert_eq!(arrive(&visitor, &callback).await, "https://login.example.com/cart#");
        assert!(openid(&visitor).await.is_some());
    }
    let exchanges = exchanged(&stack).len();
    stack.simulator().knobs(|knobs| knobs.callback_query_doubled = true);
    let visitor = stack.visitor("lin");
    let callback = begin(&visitor, "return_to=%2Fcart").await;
    let page = arrive(&visitor, &callback).await;
    assert!(page.starts_with(&format!("{ERROR_PAGE}invalid_request&id=")), "{page}");
    assert_eq!(exchanged(&stack).len(), exchanges);
    let (once, _) = callback.rsplit_once("code=").unwrap();
    assert_eq!(arrive(&visitor, once.trim_end_matches(['&', '?'])).await, "https://login.example.com/cart#");
}

/// The callback with the code of another one in place of its own.
fn with_code_of(callback: &str, other: &str) -> String {
    let code = |url: &str| {
        let url = Url::parse(url).unwrap();
        url.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned()
    };
    callback.replace(&code(callback), &code(other))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_login_gives_another_browser_nothing() {
    let stack = stack().await.unwrap();
    let (owner, attacker) = (stack.visitor("lin"), stack.visitor("lin"));
    let callback = begin(&owner, "").await;
    arrive(&owner, &callback).await;
    begin(&attacker, "").await;
    let answer = attacker.open(&callback).await.unwrap();
    assert_eq!(location(&answer), ONCE_MORE);
    assert!(answer.set_cookies().is_empty());
    assert_eq!((exchanged(&stack).len(), sessions(&stack).len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_cookie_costs_one_silent_round() {
    let (stack, visitor, callback) = begun("lang=en&return_to=%2Fcart").await;
    visitor.browser.forget_cookies();
    let fresh = arrive(&visitor, &callback).await;
    assert_eq!(
        fresh,
        format!("{AUTHORIZE}?return_to=https%3A%2F%2Flogin.example.com%2Fcart&lang=en&attempt=2")
    );
    is_untouched(&stack);
    let hops = visitor.browser.follow(&fresh).await.unwrap();
    assert_eq!(hops.last().unwrap().url.path(), "/cart");
    assert!(openid(&visitor).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_keeps_no_cookie_ends_on_a_page() {
    let (stack, visitor, callback) = begun("return_to=%2Fcart").await;
    visitor.browser.forget_cookies();
    let fresh = arrive(&visitor, &callback).await;
    let again = begin(&visitor, fresh.split_once('?').unwrap().1).await;
    visitor.browser.forget_cookies();
    let answer = visitor.open(&again).await.unwrap();
    let id = answer.header("x-correlation-id").unwrap();
    let page = format!(
        "https://login.example.com/error?reason=cookie_missing&id={id}&return_to=https%3A%2F%2Flogin.example.com%2Fcart"
    );
    assert_eq!(location(&answer), page);
    let page = visitor.open(&page).await.unwrap();
    assert_eq!(page.status, 200);
    assert!(
        page.text().contains(id)
            && page.text().contains("/authorize?return_to=https%3A%2F%2Flogin.example.com%2Fcart"),
        "{}",
        page.text()
    );
    is_untouched(&stack);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_login_begins_anew() {
    let (stack, visitor) = visited().await.unwrap();
    begin(&visitor, "").await;
    let state = "0".repeat(64);
    let callback = format!("https://login.example.com/callback?code=0abc&state={state}");
    assert_eq!(arrive(&visitor, &callback).await, FRESH_LOGIN);
    is_untouched(&stack);
    assert!(stack.stop().await.text().contains(r#""outcome":"login_unknown""#));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_login_is_refused_though_its_item_is_still_there() {
    let (stack, visitor, callback) = begun("").await;
    change_login(&stack, |login| login["expires_at"]["N"] = "1000000000".into());
    assert_eq!(arrive(&visitor, &callback).await, FRESH_LOGIN);
    is_untouched(&stack);
    assert!(stack.stop().await.text().contains(r#""outcome":"login_expired""#));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_returns_to_the_page_in_every_form() {
    for form in ["state=", "code=authdeny&state=", "code=&state="] {
        let (stack, visitor, callback) =
            begun("return_to=https%3A%2F%2Fwww.example.com%2F%3Fa%3D1%23%2Fme").await;
        let state = callback.split_once("state=").unwrap().1;
        let denied = format!("https://login.example.com/callback?{form}{state}");
        let answer = visitor.open(&denied).await.unwrap();
        assert_eq!(location(&answer), "https://www.example.com/?a=1&error=access_denied#/me", "{form}");
        assert!(answer.set_cookies().is_empty());
        is_untouched(&stack);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_in_another_browser_goes_nowhere() {
    let stack = stack().await.unwrap();
    let callback = begin(&stack.visitor("lin"), "").await;
    let denied =
        format!("https://login.example.com/callback?state={}", callback.split_once("state=").unwrap().1);
    let other = stack.visitor("lin");
    for _ in ["without a cookie", "with a cookie of its own"] {
        let page = arrive(&other, &denied).await;
        assert!(page.starts_with("https://login.example.com/error?reason=access_denied&id="), "{page}");
        begin(&other, "").await;
    }
    is_untouched(&stack);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_inside_another_page_is_refused_and_still_good() {
    let (stack, visitor, callback) = begun("").await;
    for (mode, destination) in [("navigate", "iframe"), ("no-cors", "image")] {
        let visit =
            Visit::open(&callback).header("sec-fetch-mode", mode).header("sec-fetch-dest", destination);
        let page = location(&visitor.send(visit).await.unwrap());
        assert!(page.starts_with("https://login.example.com/error?reason=not_a_page&id="), "{page}");
    }
    is_untouched(&stack);
    assert_eq!(arrive(&visitor, &callback).await, ARRIVAL);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_no_longer_allowed_is_not_emitted() {
    let (stack, visitor, callback) = begun("").await;
    change_login(&stack, |login| login["return_to"]["S"] = "https://evil.com/".into());
    assert_eq!(arrive(&visitor, &callback).await, ARRIVAL);
    assert!(openid(&visitor).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_tables_nobody_is_asked_for_anything() {
    let (stack, visitor, callback) = begun("").await;
    let table = stack.table("LoginsTable").unwrap().to_owned();
    let broken =
        Stack::start(Options::default().with("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")).await;
    let broken = broken.unwrap();
    assert_eq!(broken.table("LoginsTable").unwrap(), table);
    let other = broken.visitor("lin");
    let cookie = format!("__Host-browser={}", visitor.secret().unwrap());
    let page = location(&other.send(Visit::open(&callback).header("cookie", &cookie)).await.unwrap());
    assert!(page.starts_with("https://login.example.com/error?reason=service_unavailable&id="), "{page}");
    let page = other.open(&page).await.unwrap();
    assert_eq!((page.status, page.header("retry-after")), (200, None));
    assert!(exchanged(&broken).is_empty());
}
