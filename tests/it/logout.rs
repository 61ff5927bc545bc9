//! `POST /logout`.

use harness::{
    Browser, Options, Stack,
    browser::Visit,
    stack::{PAGE_ORIGIN, PUBLIC_URL},
};
use http::Method;
use tokio::net::TcpListener;

use crate::support::{
    BROWSER_COOKIE, EXCHANGE, FOREIGN_ORIGINS, LOGOUT, SESSION_CLEARED, SESSION_COOKIE, assert_secured,
    callback_of, event_without_origin, log_in, only_session, requests, sessions, stack, userinfo,
};

/// A script's `POST` that says it comes from here and brings this browser's cookies, whatever a
/// browser's own rules would be.
fn post(browser: &Browser, origin: Option<&str>) -> Visit {
    let cookie = |name: &str| format!("{name}={}", browser.cookie(name).unwrap_or_default());
    let visit = Visit::fetch(Method::POST, LOGOUT, PUBLIC_URL);
    let visit = visit.header("cookie", &format!("{}; {}", cookie(BROWSER_COOKIE), cookie(SESSION_COOKIE)));
    match origin {
        Some(origin) => visit.header("origin", origin),
        None => visit,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_ends_the_session_and_clears_its_cookie() {
    let stack = stack().await.unwrap();
    for origin in [PAGE_ORIGIN, PUBLIC_URL] {
        let browser = stack.browser();
        log_in(&browser).await.unwrap();
        assert_eq!(sessions(&stack).unwrap().len(), 1);
        let secret = browser.cookie(BROWSER_COOKIE);

        let answer = browser.send(Visit::fetch(Method::POST, LOGOUT, origin)).await.unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (204, ""));
        assert_secured(&answer.headers, origin);
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
        assert_eq!(answer.set_cookies(), [SESSION_CLEARED]);
        assert_eq!(browser.cookie(SESSION_COOKIE), None);
        assert_eq!(browser.cookie(BROWSER_COOKIE), secret);
        assert!(browser.rejected_cookies().is_empty());
        assert!(sessions(&stack).unwrap().is_empty());
        assert_eq!(userinfo(&browser).await.unwrap().status, 401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_cookie_opens_nothing_after_the_logout() {
    let stack = stack().await.unwrap();
    let browser = stack.browser();
    log_in(&browser).await.unwrap();
    let thief = browser.another();
    for cookie in browser.cookies() {
        thief.insert_cookie(cookie);
    }
    assert_eq!(userinfo(&thief).await.unwrap().status, 200);
    browser.post_form(LOGOUT, PAGE_ORIGIN).await.unwrap();
    assert_eq!(userinfo(&thief).await.unwrap().status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_is_sent_on_to_the_front_page() {
    let stack = stack().await.unwrap();
    for origin in [PUBLIC_URL, PAGE_ORIGIN] {
        let browser = stack.browser();
        log_in(&browser).await.unwrap();
        let answer = browser.post_form(LOGOUT, origin).await.unwrap();
        assert_eq!((answer.status, answer.location()), (303, Some("https://login.example.com/")));
        assert_eq!(answer.set_cookies(), [SESSION_CLEARED]);
        assert_secured(&answer.headers, origin);
        let home = browser.get("https://login.example.com/").await.unwrap();
        assert!(home.text().contains("你还没有登录"), "{}", home.text());
    }
    assert!(sessions(&stack).unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_foreign_page_logs_anybody_out() {
    let stack = stack().await.unwrap();
    let browser = stack.browser();
    log_in(&browser).await.unwrap();
    for origin in FOREIGN_ORIGINS {
        for accept in ["*/*", "text/html"] {
            let visit = post(&browser, Some(origin)).header("accept", accept);
            let answer = browser.send(visit).await.unwrap();
            assert_eq!(answer.status, 403, "{origin}");
            assert!(answer.set_cookies().is_empty(), "{origin}");
            assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}");
            assert_eq!(answer.header("access-control-allow-credentials"), None, "{origin}");
            assert_secured(&answer.headers, origin);
            let problem = answer.json().unwrap();
            assert_eq!(problem["type"], "urn:wechat-login:origin_refused", "{origin}");
        }
    }
    // No `Origin` at all is no browser that was told to, nor a page that may.
    let event = event_without_origin(&browser, "POST", "/logout");
    let answer = stack.gateway().invoke("logout", &event).await.unwrap();
    assert_eq!((&answer["statusCode"], &answer["cookies"]), (&403.into(), &serde_json::json!([])));
    assert_eq!(userinfo(&browser).await.unwrap().status, 200);
    assert_eq!(sessions(&stack).unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_method_logs_anybody_out() {
    let stack = stack().await.unwrap();
    let browser = stack.browser();
    log_in(&browser).await.unwrap();
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::PATCH] {
        let visit = Visit::fetch(method.clone(), LOGOUT, PAGE_ORIGIN);
        let answer = browser.send(visit).await.unwrap();
        assert_eq!(answer.status, 404, "{method}");
    }
    browser.get(LOGOUT).await.unwrap();
    browser.send(Visit::fetch(Method::OPTIONS, LOGOUT, PAGE_ORIGIN)).await.unwrap();
    assert_eq!(userinfo(&browser).await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_is_answered_for_exact_origins_only() {
    let stack = stack().await.unwrap();
    let browser = stack.browser();
    let preflight = |origin: &str| {
        Visit::fetch(Method::OPTIONS, LOGOUT, PAGE_ORIGIN)
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type")
    };
    for origin in [PAGE_ORIGIN, PUBLIC_URL] {
        let answer = browser.send(preflight(origin)).await.unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (204, ""));
        for (name, value) in [
            ("access-control-allow-origin", origin),
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-methods", "POST"),
            ("access-control-allow-headers", "accept, content-type"),
            ("access-control-max-age", "600"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name}");
        }
        assert!(answer.header("vary").unwrap().contains("Origin"));
        assert!(answer.set_cookies().is_empty());
    }
    for origin in FOREIGN_ORIGINS {
        let answer = browser.send(preflight(origin)).await.unwrap();
        assert_eq!(answer.status, 403, "{origin}");
        assert!(
            !answer.headers.keys().any(|name| name.as_str().starts_with("access-control-")),
            "{origin}: {:?}",
            answer.headers
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_browsers_session_stays() {
    let stack = stack().await.unwrap();
    let (one, other) = (stack.browser(), stack.browser());
    log_in(&one).await.unwrap();
    log_in(&other).await.unwrap();
    let cookie = other.cookie(SESSION_COOKIE).unwrap();
    one.post_form(LOGOUT, PAGE_ORIGIN).await.unwrap();
    assert_eq!(userinfo(&one).await.unwrap().status, 401);
    assert_eq!(userinfo(&other).await.unwrap().status, 200);
    only_session(&stack).unwrap();
    // Two session cookies name nobody, so nobody is logged out.
    let visit = post(&one, Some(PAGE_ORIGIN))
        .header("cookie", &format!("__Host-session={cookie}; __Host-session={cookie}"));
    assert_eq!(one.send(visit).await.unwrap().status, 204);
    only_session(&stack).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_logged_in_may_log_out() {
    let stack = stack().await.unwrap();
    let browser = stack.browser();
    for cookie in ["", "__Host-session=", "__Host-session=1234", "__Host-session=%22", "session=x"] {
        let visit = Visit::fetch(Method::POST, LOGOUT, PAGE_ORIGIN).header("cookie", cookie);
        let answer = browser.send(visit).await.unwrap();
        assert_eq!(answer.status, 204, "{cookie}");
        assert_eq!(answer.set_cookies(), [SESSION_CLEARED], "{cookie}");
    }
    assert!(stack.database().dump().unwrap().values().all(Vec::is_empty));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_callback_does_not_undo_a_logout() {
    let stack = stack().await.unwrap();
    let browser = stack.browser();
    let callback = callback_of(&log_in(&browser).await.unwrap()).unwrap();
    let before = only_session(&stack).unwrap();
    browser.post_form(LOGOUT, PAGE_ORIGIN).await.unwrap();

    let answer = browser.get(&callback).await.unwrap();
    assert_eq!(
        (answer.status, answer.location()),
        (303, Some("https://login.example.com/authorize?attempt=2"))
    );
    assert!(answer.set_cookies().is_empty());
    assert!(sessions(&stack).unwrap().is_empty());
    assert_eq!(requests(&stack, EXCHANGE).len(), 1);

    // The fresh login is another one, with a code and a session of its own.
    browser.follow(&callback).await.unwrap();
    assert_ne!(only_session(&stack).unwrap()["id"], before["id"]);
    let exchanges = requests(&stack, EXCHANGE);
    assert_eq!(exchanges.len(), 2);
    assert_ne!(exchanges[0].code, exchanges[1].code);
    assert_eq!(userinfo(&browser).await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_cannot_be_ended_keeps_its_cookie() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let options = Options::default().with("AWS_ENDPOINT_URL_DYNAMODB", &format!("http://{closed}"));
    let stack = Stack::start(options).await.unwrap();
    let cookie = format!("__Host-session={}", "5e5510fa".repeat(8));
    let visit = Visit::fetch(Method::POST, LOGOUT, PAGE_ORIGIN).header("cookie", &cookie);
    let answer = stack.browser().send(visit).await.unwrap();
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("retry-after"), Some("10"));
    assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE_ORIGIN));
    assert!(answer.set_cookies().is_empty());
    assert_eq!(answer.json().unwrap()["type"], "urn:wechat-login:service_unavailable");
    assert!(stack.stop().await.text().contains("\"level\":\"ERROR\""));
}
