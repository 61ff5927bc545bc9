//! Who may ask from another page's script.

use harness::{
    Visitor,
    browser::Visit,
    places::{LOGOUT, USERINFO},
    stack::{PAGE_ORIGIN, PUBLIC_URL},
};
use http::Method;
use web::reason::Reason;

use crate::support::{FOREIGN_ORIGINS, allowances, assert_secured, forged, logged_in, stack, title};

/// The request of another page's script, with this visitor's cookies.
fn from(visitor: &Visitor, method: Method, origin: &str) -> Visit {
    forged(visitor, Visit::fetch(method, USERINFO, PAGE_ORIGIN), origin)
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
            if accept == "text/html" {
                assert!(answer.text().contains(title(Reason::OriginRefused)), "{}", answer.text());
                continue;
            }
            let problem = answer.json().unwrap();
            assert_eq!(problem["type"], "urn:wechat-login:origin_refused", "{origin}");
            assert!(problem.get("openid").is_none() && problem.get("authorize_url").is_none(), "{origin}");
        }
    }
    // Of its own accord a browser does not even bring the cookies along.
    let answer = visitor.browser.fetch(USERINFO, "https://evil.example").await.unwrap();
    assert_eq!((answer.status, allowances(&answer).len()), (403, 0));
}

/// Of every route that a script may ask.
#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_is_answered_for_exact_origins_only() {
    let (_stack, visitor) = logged_in().await.unwrap();
    for (url, method, methods) in
        [(USERINFO, "GET", "GET, DELETE"), (USERINFO, "DELETE", "GET, DELETE"), (LOGOUT, "POST", "POST")]
    {
        let preflight_of = |origin: &str, headers: &str| {
            let visit = forged(&visitor, Visit::fetch(Method::OPTIONS, url, PAGE_ORIGIN), origin)
                .header("access-control-request-method", method);
            if headers.is_empty() { visit } else { visit.header("access-control-request-headers", headers) }
        };
        let preflight = |origin: &str| preflight_of(origin, "authorization,x-requested-with,traceparent");
        // HTTP clients add headers of their own to everything; what is no list of names is not repeated.
        for (asked, allowed) in [
            ("", "accept, content-type"),
            ("x-requested-with, authorization", "x-requested-with, authorization"),
            ("x<script>", "accept, content-type"),
            (&"x".repeat(1025), "accept, content-type"),
        ] {
            let answer = visitor.send(preflight_of(PAGE_ORIGIN, asked)).await.unwrap();
            assert_eq!(answer.header("access-control-allow-headers"), Some(allowed), "{asked}");
        }
        for origin in [PAGE_ORIGIN, PUBLIC_URL] {
            let answer = visitor.send(preflight(origin)).await.unwrap();
            assert_eq!((answer.status, answer.text().as_str()), (204, ""));
            assert_secured(&answer.headers, origin);
            assert_eq!(
                allowances(&answer),
                [
                    ("access-control-allow-credentials", "true"),
                    ("access-control-allow-headers", "authorization,x-requested-with,traceparent"),
                    ("access-control-allow-methods", methods),
                    ("access-control-allow-origin", origin),
                    ("access-control-expose-headers", "x-correlation-id"),
                    ("access-control-max-age", "600"),
                ]
            );
            assert!(answer.header("vary").unwrap().contains("Origin"));
            assert!(answer.set_cookies().is_empty());
        }
        for origin in FOREIGN_ORIGINS {
            let answer = visitor.send(preflight(origin)).await.unwrap();
            assert_eq!((answer.status, allowances(&answer)), (403, vec![]), "{origin}");
        }
    }
    assert_eq!(visitor.userinfo().await.unwrap().status, 200);
}
