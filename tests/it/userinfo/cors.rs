//! Who may ask from another page's script.

use harness::{
    Answer, Visitor,
    browser::Visit,
    places::{BROWSER_COOKIE, SESSION_COOKIE, USERINFO},
    stack::{PAGE_ORIGIN, PUBLIC_URL},
};
use http::Method;

use crate::support::{FOREIGN_ORIGINS, assert_secured, logged_in, stack};

/// A request with this browser's cookies and this origin, whatever a browser's own rules would be.
fn from(visitor: &Visitor, method: Method, origin: &str) -> Visit {
    let cookie = |name: &str| format!("{name}={}", visitor.browser.cookie(name).unwrap_or_default());
    Visit::fetch(method, USERINFO, PAGE_ORIGIN)
        .header("origin", origin)
        .header("cookie", &format!("{}; {}", cookie(BROWSER_COOKIE), cookie(SESSION_COOKIE)))
}

/// What an answer lets a script of another page do.
fn allowances(answer: &Answer) -> Vec<(String, String)> {
    let headers = answer.headers.iter().filter(|(name, _)| name.as_str().starts_with("access-control-"));
    let mut found: Vec<_> = headers
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_page_may_read_the_answer() {
    let stack = stack().await.unwrap();
    let (visitor, stranger) = (stack.visitor("lin"), stack.visitor("lin"));
    visitor.log_in().await.unwrap();
    for origin in [PAGE_ORIGIN, PUBLIC_URL] {
        for (visitor, status) in [(&visitor, 200), (&stranger, 401)] {
            let answer = visitor.send(from(visitor, Method::GET, origin)).await.unwrap();
            assert_eq!(answer.status, status);
            assert_secured(&answer.headers, origin);
            assert_eq!(answer.header("vary"), Some("Origin, Accept, Accept-Language"));
            assert_eq!(
                allowances(&answer),
                [
                    ("access-control-allow-credentials", "true"),
                    ("access-control-allow-origin", origin),
                    ("access-control-expose-headers", "x-correlation-id"),
                ]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_page_learns_nothing() {
    let (_stack, visitor) = logged_in().await.unwrap();
    for origin in FOREIGN_ORIGINS {
        for accept in ["*/*", "text/html"] {
            let visit = from(&visitor, Method::GET, origin).header("accept", accept);
            let answer = visitor.send(visit).await.unwrap();
            assert_eq!(answer.status, 403, "{origin}");
            assert_secured(&answer.headers, origin);
            assert_eq!(allowances(&answer), [], "{origin}");
            assert_eq!(answer.header("vary"), Some("Origin, Accept, Accept-Language"), "{origin}");
            let problem = answer.json().unwrap();
            assert_eq!(problem["type"], "urn:wechat-login:origin_refused", "{origin}");
            assert!(problem.get("openid").is_none() && problem.get("authorize_url").is_none(), "{origin}");
        }
    }
    // Of its own accord a browser does not even bring the cookies along.
    let answer = visitor.browser.fetch(USERINFO, "https://evil.example").await.unwrap();
    assert_eq!((answer.status, allowances(&answer).len()), (403, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_names_no_origin_is_answered_without_allowances() {
    let (_stack, visitor) = logged_in().await.unwrap();
    let answer = visitor.send(Visit::open(USERINFO).header("accept", "*/*")).await.unwrap();
    assert_eq!((answer.status, allowances(&answer).len()), (200, 0));
    assert_eq!(answer.header("vary"), Some("Origin, Accept, Accept-Language"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_is_answered_for_exact_origins_only() {
    let (_stack, visitor) = logged_in().await.unwrap();
    for origin in [PAGE_ORIGIN, PUBLIC_URL] {
        let visit = from(&visitor, Method::OPTIONS, origin).header("access-control-request-method", "GET");
        let answer = visitor.send(visit).await.unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (204, ""));
        assert_secured(&answer.headers, origin);
        assert_eq!(
            allowances(&answer),
            [
                ("access-control-allow-credentials", "true"),
                ("access-control-allow-headers", "accept, content-type"),
                ("access-control-allow-methods", "GET, DELETE"),
                ("access-control-allow-origin", origin),
                ("access-control-expose-headers", "x-correlation-id"),
                ("access-control-max-age", "600"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }
    for origin in FOREIGN_ORIGINS {
        let visit = from(&visitor, Method::OPTIONS, origin).header("access-control-request-method", "GET");
        let answer = visitor.send(visit).await.unwrap();
        assert_eq!((answer.status, allowances(&answer).len()), (403, 0), "{origin}");
    }
}
