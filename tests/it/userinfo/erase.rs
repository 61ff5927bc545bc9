//! `DELETE /userinfo`: a person's data goes at once, at the wish of an allowed page and of no other.

use harness::{
    Answer, Browser, Options, Result, Stack,
    browser::Visit,
    stack::{PAGE_ORIGIN, PUBLIC_URL},
};
use http::Method;
use simulator::Action;
use tokio::net::TcpListener;

use crate::support::{
    BROWSER_COOKIE, EXCHANGE, FOREIGN_ORIGINS, PROFILE, SESSION_CLEARED, SESSION_COOKIE, USERINFO, allow,
    assert_secured, callback_of, event_without_origin, log_in, log_in_with_profile, only_session, requests,
    sessions, stack, stack_that_reads_again, userinfo,
};

/// A script's `DELETE` that says it comes from here and brings this browser's cookies, whatever a
/// browser's own rules would be.
fn delete(browser: &Browser, origin: &str) -> Visit {
    let cookie = |name: &str| format!("{name}={}", browser.cookie(name).unwrap_or_default());
    Visit::fetch(Method::DELETE, USERINFO, PUBLIC_URL)
        .header("origin", origin)
        .header("cookie", &format!("{}; {}", cookie(BROWSER_COOKIE), cookie(SESSION_COOKIE)))
}

/// The same as a page's script really sends it.
async fn erase(browser: &Browser) -> Result<Answer> {
    browser.send(Visit::fetch(Method::DELETE, USERINFO, PAGE_ORIGIN)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allowed_page_erases_the_session_at_once() {
    let stack = stack().await.unwrap();
    allow(&stack);
    for origin in [PAGE_ORIGIN, PUBLIC_URL] {
        let browser = stack.browser();
        log_in_with_profile(&browser).await.unwrap();
        assert_eq!(sessions(&stack).unwrap().len(), 1);
        let secret = browser.cookie(BROWSER_COOKIE);

        let answer = browser.send(Visit::fetch(Method::DELETE, USERINFO, origin)).await.unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (204, ""));
        assert_secured(&answer.headers, origin);
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
        assert_eq!(answer.header("vary"), Some("Origin, Accept, Accept-Language"));
        assert_eq!(answer.set_cookies(), [SESSION_CLEARED]);
        assert_eq!((browser.cookie(SESSION_COOKIE), browser.cookie(BROWSER_COOKIE)), (None, secret));
        assert!(browser.rejected_cookies().is_empty());
        assert!(sessions(&stack).unwrap().is_empty());
        assert_eq!(userinfo(&browser).await.unwrap().status, 401);
    }
    assert!(stack.stop().await.text().contains("\"outcome\":\"erased\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_foreign_page_erases_anybody() {
    let stack = stack().await.unwrap();
    let browser = stack.browser();
    log_in(&browser).await.unwrap();
    for origin in FOREIGN_ORIGINS {
        for accept in ["*/*", "text/html"] {
            let answer = browser.send(delete(&browser, origin).header("accept", accept)).await.unwrap();
            assert_eq!(answer.status, 403, "{origin}");
            assert!(answer.set_cookies().is_empty(), "{origin}");
            let allowances =
                answer.headers.keys().filter(|name| name.as_str().starts_with("access-control-"));
            assert_eq!(allowances.count(), 0, "{origin}");
            assert_secured(&answer.headers, origin);
            assert_eq!(
                answer.header("content-type"),
                Some("application/problem+json; charset=utf-8"),
                "{origin}"
            );
            assert_eq!(answer.json().unwrap()["type"], "urn:wechat-login:origin_refused", "{origin}");
        }
    }
    // No `Origin` at all, which a browser leaves out of no `DELETE`; a `GET` may do without.
    let visit = Visit::open(USERINFO).header("accept", "*/*");
    assert_eq!(browser.send(visit).await.unwrap().status, 200);
    let event = event_without_origin(&browser, "DELETE", "/userinfo");
    let answer = stack.gateway().invoke("userinfo", &event).await.unwrap();
    assert_eq!((&answer["statusCode"], &answer["cookies"]), (&403.into(), &serde_json::json!([])));
    assert_eq!(userinfo(&browser).await.unwrap().status, 200);
    only_session(&stack).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_lets_exact_origins_erase() {
    let stack = stack().await.unwrap();
    let browser = stack.browser();
    let preflight = |origin: &str| {
        Visit::fetch(Method::OPTIONS, USERINFO, PAGE_ORIGIN)
            .header("origin", origin)
            .header("access-control-request-method", "DELETE")
    };
    for origin in [PAGE_ORIGIN, PUBLIC_URL] {
        let answer = browser.send(preflight(origin)).await.unwrap();
        assert_eq!(answer.status, 204);
        assert_eq!(answer.header("access-control-allow-methods"), Some("GET, DELETE"));
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
    }
    for origin in FOREIGN_ORIGINS {
        let answer = browser.send(preflight(origin)).await.unwrap();
        assert_eq!((answer.status, answer.header("access-control-allow-methods")), (403, None), "{origin}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_logged_in_is_erased_already() {
    let stack = stack().await.unwrap();
    let browser = stack.browser();
    for cookie in ["", "__Host-session=", "__Host-session=1234", "__Host-session=%22", "session=x"] {
        let visit = Visit::fetch(Method::DELETE, USERINFO, PAGE_ORIGIN).header("cookie", cookie);
        let answer = browser.send(visit).await.unwrap();
        assert_eq!(
            (answer.status, answer.set_cookies()),
            (204, vec![SESSION_CLEARED.to_owned()]),
            "{cookie}"
        );
    }
    assert!(stack.database().dump().unwrap().values().all(Vec::is_empty));

    log_in(&browser).await.unwrap();
    let cookies = format!("{SESSION_COOKIE}={}", browser.cookie(SESSION_COOKIE).unwrap());
    for _ in 0..3 {
        let visit = Visit::fetch(Method::DELETE, USERINFO, PAGE_ORIGIN).header("cookie", &cookies);
        assert_eq!(browser.send(visit).await.unwrap().status, 204);
        assert!(sessions(&stack).unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_browsers_session_stays() {
    let stack = stack().await.unwrap();
    let (one, other) = (stack.browser(), stack.browser());
    log_in(&one).await.unwrap();
    log_in(&other).await.unwrap();
    let cookie = other.cookie(SESSION_COOKIE).unwrap();
    erase(&one).await.unwrap();
    assert_eq!(userinfo(&one).await.unwrap().status, 401);
    assert_eq!(userinfo(&other).await.unwrap().status, 200);
    // Two session cookies name nobody, so nobody is erased.
    let visit = delete(&one, PAGE_ORIGIN)
        .header("cookie", &format!("{SESSION_COOKIE}={cookie}; {SESSION_COOKIE}={cookie}"));
    assert_eq!(one.send(visit).await.unwrap().status, 204);
    only_session(&stack).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_cookie_opens_nothing_afterwards() {
    let stack = stack().await.unwrap();
    let browser = stack.browser();
    log_in(&browser).await.unwrap();
    let thief = browser.another();
    for cookie in browser.cookies() {
        thief.insert_cookie(cookie);
    }
    assert_eq!(userinfo(&thief).await.unwrap().status, 200);
    erase(&browser).await.unwrap();
    assert_eq!(userinfo(&thief).await.unwrap().status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_callback_does_not_bring_it_back() {
    let stack = stack().await.unwrap();
    let browser = stack.browser();
    let callback = callback_of(&log_in(&browser).await.unwrap()).unwrap();
    erase(&browser).await.unwrap();
    let answer = browser.get(&callback).await.unwrap();
    assert_eq!(
        (answer.status, answer.location()),
        (303, Some("https://login.example.com/authorize?attempt=2"))
    );
    assert!(answer.set_cookies().is_empty());
    assert!(sessions(&stack).unwrap().is_empty());
    assert_eq!(requests(&stack, EXCHANGE).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_is_being_read_is_not_stored_again() {
    let stack = stack_that_reads_again().await.unwrap();
    let browser = stack.browser();
    log_in_with_profile(&browser).await.unwrap();
    let read = requests(&stack, PROFILE).len();
    // The reading is held at WeChat until the erasure is through.
    stack.simulator().knobs(|knobs| knobs.hold.insert(PROFILE.to_owned()));
    let (slow, ()) = tokio::join!(userinfo(&browser), async {
        stack
            .until_wechat(|ledger| ledger.iter().filter(|entry| entry.path == PROFILE).count() > read)
            .await
            .unwrap();
        assert_eq!(erase(&browser).await.unwrap().status, 204);
        stack.simulator().act(&Action::Release);
    });
    assert_eq!(slow.unwrap().status, 401);
    assert!(sessions(&stack).unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_cannot_be_erased_keeps_its_cookie() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let options = Options::default().with("AWS_ENDPOINT_URL_DYNAMODB", &format!("http://{closed}"));
    let stack = Stack::start(options).await.unwrap();
    let cookie = format!("__Host-session={}", "5e5510fa".repeat(8));
    let visit = Visit::fetch(Method::DELETE, USERINFO, PAGE_ORIGIN).header("cookie", &cookie);
    let answer = stack.browser().send(visit).await.unwrap();
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("retry-after"), Some("10"));
    assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE_ORIGIN));
    assert!(answer.set_cookies().is_empty());
    assert_eq!(answer.json().unwrap()["type"], "urn:wechat-login:service_unavailable");
}
