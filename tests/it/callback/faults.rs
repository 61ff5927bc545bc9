//! DynamoDB and time running out in the middle of a callback.

use std::time::Duration;

use harness::{
    Options, Stack,
    browser::Visit,
    places::{ARRIVAL, AUTH, ERROR_PAGE, EXCHANGE, PROFILE, REFRESH, SESSION_COOKIE, USERINFO},
    proxy::{Fault as DynamoFault, Kind, Mixture, Rule},
    stack::PAGE_ORIGIN,
};
use http::Method;
use simulator::{Action, Fault, Scripted};

use super::{arrive, begin, exchanged, location, openid, sessions};

use crate::support::{self, alarm, assert_problem, hasty};

/// The code is spent by then, so the same address would bring nothing: the login begins afresh by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_cannot_be_stored_is_no_cookie_and_costs_one_round() {
    let stack = Stack::start(Options::default().proxied()).await.unwrap();
    let visitor = stack.visitor("lin");
    let callback = begin(&visitor, "return_to=%2Fcart").await;
    let fault = stack.proxy().unwrap().inject(Rule::at(Kind::Finish, DynamoFault::InternalServerError));
    let fresh = arrive(&visitor, &callback).await;
    assert_eq!(
        fresh,
        "https://login.example.com/authorize?return_to=https%3A%2F%2Flogin.example.com%2Fcart&attempt=2"
    );
    assert_eq!(visitor.session(), None);
    assert!(sessions(&stack).is_empty());
    fault.remove();
    let hops = visitor.browser.follow(&fresh).await.unwrap();
    assert_eq!(hops.last().unwrap().url.path(), "/cart");
    assert!(openid(&visitor).await.is_some());
    assert_eq!(exchanged(&stack).len(), 2);
    let line = alarm(&stack, r#""outcome":"store_unavailable""#).await.unwrap().text;
    assert!(line.contains("could not be stored"), "{line}");
}

/// DynamoDB answers the claim, and never decides it: nothing was sent, and the page keeps the whole link.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_is_never_decided_keeps_the_link() {
    let stack = Stack::start(Options::default().proxied()).await.unwrap();
    let visitor = stack.visitor("lin");
    let callback = begin(&visitor, "return_to=%2Fcart&scope=snsapi_userinfo&lang=en").await;
    let link = "&return_to=https%3A%2F%2Flogin.example.com%2Fcart&scope=snsapi_userinfo&lang=en";
    for mixture in Mixture::ALL {
        let fault = stack.proxy().unwrap().inject(Rule::at(Kind::Claim, DynamoFault::Mixture(mixture)));
        let page = arrive(&visitor, &callback).await;
        assert!(page.starts_with(&format!("{ERROR_PAGE}service_unavailable&id=")), "{page}");
        assert!(page.ends_with(link), "{page}");
        fault.remove();
    }
    // Not even the login can be read: then the log says so, and the page leads to a login all the same.
    let away = DynamoFault::InternalServerError;
    let faults = [Kind::Claim, Kind::Login].map(|kind| stack.proxy().unwrap().inject(Rule::at(kind, away)));
    let page = arrive(&visitor, &callback).await;
    assert!(page.starts_with(&format!("{ERROR_PAGE}service_unavailable&id=")), "{page}");
    alarm(&stack, "the login could not be read: GetItem failed: InternalServerError").await.unwrap();
    for fault in faults {
        fault.remove();
    }
    assert!(exchanged(&stack).is_empty());
    assert_eq!(arrive(&visitor, &callback).await, "https://login.example.com/cart#");
}

/// Lambda would end the process without a word; what stands before that is ours.
#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_takes_too_long_says_so_before_it_is_ended() {
    let hasty = hasty(2).unwrap();
    let stack = Stack::start(Options::default().template(&hasty.path).proxied()).await.unwrap();
    let proxy = stack.proxy().unwrap();
    let visitor = stack.visitor("lin");
    let callback = begin(&visitor, "").await;
    let claim = proxy.inject(Rule::at(Kind::Claim, DynamoFault::HoldBefore).times(1));
    let answer = visitor.open(&callback).await.unwrap();
    // At an address without code and state, as always.
    let page = location(&answer);
    assert!(page.starts_with(&format!("{ERROR_PAGE}service_unavailable&id=")), "{page}");
    assert!(answer.set_cookies().is_empty());
    alarm(&stack, r#""outcome":"out_of_time""#).await.unwrap();
    claim.held().await.unwrap().release();
    // Once it is known which login it is, the page offers the same, whatever was still to be done for it.
    let callback = begin(&visitor, "lang=en").await;
    let spend = proxy.inject(Rule::at(Kind::SpendCode, DynamoFault::HoldBefore).times(1));
    let mallory = stack.visitor("mallory");
    begin(&mallory, "").await;
    let page = location(&mallory.open(&callback).await.unwrap());
    assert!(page.starts_with(&format!("{ERROR_PAGE}service_unavailable&id=")), "{page}");
    assert!(page.ends_with("&lang=en"), "{page}");
    spend.held().await.unwrap().release();

    // A script is answered as a script, from wherever it asks; a person with a page.
    let session = proxy.inject(Rule::at(Kind::Session, DynamoFault::HoldBefore).times(2));
    let cookie = format!("{SESSION_COOKIE}={}", "5e5510fa".repeat(8));
    let script = Visit::fetch(Method::GET, USERINFO, PAGE_ORIGIN).header("cookie", &cookie);
    let answer = visitor.send(script).await.unwrap();
    assert_problem(&answer, 503, "service_unavailable");
    assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE_ORIGIN));
    let page = visitor.send(Visit::open(USERINFO).header("cookie", &cookie)).await.unwrap();
    assert_eq!(page.status, 503);
    alarm(&stack, r#""outcome":"deadline""#).await.unwrap();
    assert!(page.text().contains(page.header("x-correlation-id").unwrap()));
    for _ in 0..2 {
        session.held().await.unwrap().release();
    }
    // The processes live on.
    assert_eq!(openid(&visitor).await, None);
    let denied = arrive(&visitor, &callback.replace("code=", "no_code=")).await;
    assert!(denied.contains("error=access_denied"), "{denied}");
    assert_eq!(
        (stack.functions().cold_starts("callback"), stack.functions().cold_starts("userinfo")),
        (1, 1)
    );
}

/// Every part at its own limit, and the sum of them is within Lambda's: the login is stored, and only the profile,
/// which it can do without, is given less time.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_slow_everywhere_still_ends_in_time() {
    let stack = Stack::start(Options::default().proxied()).await.unwrap();
    let visitor = stack.visitor("lin");
    let callback = begin(&visitor, "scope=snsapi_userinfo").await;
    let slow = DynamoFault::Delay(Duration::from_millis(800));
    for kind in [Kind::Claim, Kind::Login, Kind::Finish] {
        stack.proxy().unwrap().inject(Rule::at(kind, slow).times(1));
    }
    stack.simulator().knobs(|knobs| {
        knobs.script(EXCHANGE, Scripted { delay_milliseconds: 4500, ..Fault::None.into() });
        knobs.hold.insert(PROFILE.to_owned());
    });
    assert_eq!(arrive(&visitor, &callback).await, ARRIVAL);
    assert!(openid(&visitor).await.is_some());
    let line = stack.logs().wait_for(r#""outcome":"logged_in""#).await.unwrap().text;
    assert!(line.contains("the profile took too long"), "{line}");
}

/// Lambda's limit as it is deployed. All parts are as late as each of them may be, and the last one never comes: what
/// waits for the others leaves it its time, so that each function still answers for itself.
#[tokio::test(flavor = "multi_thread")]
async fn under_lambdas_own_limit_both_answer_for_themselves() {
    let stack = Stack::start(Options::default().proxied()).await.unwrap();
    let (visitor, reader) =
        (stack.visitor("lin"), stack.visitor("zhou").logged_in_with_profile().await.unwrap());
    let callback = begin(&visitor, "return_to=%2Fcart&scope=snsapi_userinfo&lang=en").await;
    let proxy = stack.proxy().unwrap();
    let late = DynamoFault::Delay(Duration::from_millis(1200));
    for kind in [Kind::Claim, Kind::Session] {
        proxy.inject(Rule::at(kind, late).times(1));
    }
    let writes = [Kind::Finish, Kind::SaveSession];
    let held = writes.map(|kind| proxy.inject(Rule::at(kind, DynamoFault::HoldBefore)));
    stack.simulator().act(&Action::ExpireAccessTokens);
    stack.simulator().knobs(|knobs| {
        for path in [EXCHANGE, REFRESH] {
            knobs.script(path, Scripted { delay_milliseconds: 4500, ..Fault::None.into() });
        }
        knobs.hold.insert(PROFILE.to_owned());
    });
    let (page, verified) = tokio::join!(arrive(&visitor, &callback), reader.verify());
    assert!(page.starts_with(&format!("{ERROR_PAGE}service_unavailable&id=")), "{page}");
    let link = "&return_to=https%3A%2F%2Flogin.example.com%2Fcart&scope=snsapi_userinfo&lang=en";
    assert!(page.ends_with(link), "{page}");
    alarm(&stack, r#""outcome":"store_unavailable""#).await.unwrap();
    let verified = verified.unwrap();
    assert_problem(&verified, 503, "wechat_unavailable");
    assert_eq!(verified.header("access-control-allow-origin"), Some(PAGE_ORIGIN));
    let unanswered = stack.gateway().unanswered();
    assert_eq!((unanswered, stack.functions().cold_starts("callback")), (0, 1));
    for write in held {
        write.remove();
    }
}

/// WeChat hangs, and hangs again: what is stored is shown, within two seconds the first time and at once from then on.
#[tokio::test(flavor = "multi_thread")]
async fn while_wechat_hangs_what_is_stored_is_shown() {
    let stack = Stack::start(Options::default().with("PROFILE_LIFETIME_SECONDS", "0")).await.unwrap();
    let visitor = stack.visitor("lin").logged_in_with_profile().await.unwrap();
    stack.simulator().knobs(|knobs| knobs.hold.extend([PROFILE.to_owned(), AUTH.to_owned()]));
    stack.simulator().clear_ledger();
    for _ in 0..3 {
        let answer = visitor.userinfo().await.unwrap();
        assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE_ORIGIN));
        assert_eq!(answer.json().unwrap()["nickname"], "小满🌾");
        assert_problem(&visitor.verify().await.unwrap(), 503, "wechat_unavailable");
    }
    assert_eq!(visitor.userinfo_page().await.unwrap().status, 200);
    // Only the first one asked; whoever comes within some seconds is served without.
    assert_eq!((stack.requests(PROFILE).len(), stack.requests(AUTH).len()), (1, 0));
}

/// The wait for a verification is as long as the pause after it, which counts from its end.
#[tokio::test(flavor = "multi_thread")]
async fn a_verification_that_waits_in_vain_is_not_waited_for_again_at_once() {
    let stack = support::stack().await.unwrap();
    let visitor = stack.visitor("lin").logged_in().await.unwrap();
    stack.simulator().knobs(|knobs| knobs.hold.extend([AUTH.to_owned()]));
    for _ in 0..3 {
        assert_problem(&visitor.verify().await.unwrap(), 503, "wechat_unavailable");
    }
    assert_eq!(stack.requests(AUTH).len(), 1);
}

/// The last write gets no answer: the page has the whole link, and nothing of code and state.
#[tokio::test(flavor = "multi_thread")]
async fn a_last_write_without_an_answer_keeps_the_link() {
    let hasty = hasty(6).unwrap();
    let stack = Stack::start(Options::default().template(&hasty.path).proxied()).await.unwrap();
    let visitor = stack.visitor("lin");
    let callback = begin(&visitor, "return_to=%2Fcart&scope=snsapi_userinfo&lang=en").await;
    let finish = stack.proxy().unwrap().inject(Rule::at(Kind::Finish, DynamoFault::HoldBefore));
    let page = arrive(&visitor, &callback).await;
    assert!(page.starts_with(&format!("{ERROR_PAGE}service_unavailable&id=")), "{page}");
    let link = "&return_to=https%3A%2F%2Flogin.example.com%2Fcart&scope=snsapi_userinfo&lang=en";
    assert!(page.ends_with(link), "{page}");
    finish.remove();
}
