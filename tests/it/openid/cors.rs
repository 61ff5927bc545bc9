//! Whose scripts may ask what clients ask: those of a public client's own pages, and nobody else's
//! ([CORS](https://fetch.spec.whatwg.org/#http-cors-protocol)).

use std::time::Duration;

use futures_util::future::try_join_all;
use harness::{
    Answer, Result, Stack, Visitor,
    browser::Visit,
    proxy::{Fault, Kind, Rule},
    stack::{PAGE_ORIGIN, PUBLIC_URL},
};
use http::Method;
use serde_json::json;

use crate::support::{alarm, allowances, assert_problem, assert_secured, hasty_in};

use super::code_flow::{
    APP, REDIRECT_URI, SECRET_DIGEST, code, error_of, form, lin, options, redeem, redemption, refused, text,
    tokens_of, userinfo, visitor,
};

const TOKEN: &str = "https://login.example.com/oauth2/token";
const REVOKE: &str = "https://login.example.com/oauth2/revoke";
const USER_INFO: &str = "https://login.example.com/oauth2/userinfo";

/// The site of a client with a secret.
const ADMIN: &str = "https://admin.example.org";

/// Origins that are no public client's, however much some of them look like its own; the login itself trusts two.
const FOREIGN: [&str; 14] = [
    "null",
    "*",
    "",
    "https://evil.example",
    ADMIN,
    PAGE_ORIGIN,
    PUBLIC_URL,
    "http://app.example.org",
    "https://app.example.org/",
    "https://app.example.org:443",
    "https://APP.example.org",
    "https://sub.app.example.org",
    "https://app.example.org.evil.example",
    "https://app.example.org, https://app.example.org",
];

/// A public client and one with a secret, each at home somewhere else; and somebody who has not been there.
async fn two_sites() -> Result<(Stack, Visitor)> {
    let openid_connect = json!({ "subject": "openid", "clients": {
        "web": { "redirect_uris": [REDIRECT_URI], "origins": [APP], "refresh": true },
        "admin": { "redirect_uris": [format!("{ADMIN}/cb")], "secrets": [format!("sha256:{SECRET_DIGEST}")] },
    }});
    let options = options("openid")?.with("OPENID_CONNECT", &openid_connect.to_string());
    let stack = Stack::start(options).await?;
    let lin = visitor(&stack, "lin");
    Ok((stack, lin))
}

/// What a public client's page has in hand.
struct Held {
    /// A code that nobody has redeemed.
    unused: String,
    access: String,
    renewal: String,
}

async fn held(stack: &Stack, visitor: &Visitor) -> Result<Held> {
    let (unused, tokens) = (code(visitor, &[]).await?, tokens_of(stack, visitor, &[]).await?);
    let [access, renewal] = ["access_token", "refresh_token"].map(|name| text(&tokens, name));
    Ok(Held { unused, access, renewal })
}

/// A form that the script of a page of this origin sends.
fn script(url: &str, origin: &str, fields: &[(&str, &str)]) -> Visit {
    let visit = Visit::fetch(Method::POST, url, APP).header("origin", origin);
    visit.header("content-type", "application/x-www-form-urlencoded").body(form(fields))
}

/// The same, asking who it is.
fn asks(method: Method, origin: &str, token: &str) -> Visit {
    let visit = Visit::fetch(method, USER_INFO, APP).header("origin", origin);
    visit.header("authorization", &format!("Bearer {token}"))
}

fn preflight(url: &str, origin: &str) -> Visit {
    let visit = Visit::fetch(Method::OPTIONS, url, APP).header("origin", origin);
    visit.header("access-control-request-method", "POST")
}

/// What a public client's page may read: the answer, and no cookie comes along.
fn assert_readable(answer: &Answer) {
    let allowed =
        [("access-control-allow-origin", APP), ("access-control-expose-headers", "x-correlation-id")];
    assert_eq!(allowances(answer), allowed, "{}", answer.url);
    assert!(answer.header("vary").is_some_and(|vary| vary.contains("Origin")), "{}", answer.url);
}

#[tokio::test]
async fn the_page_of_a_public_client_reads_what_it_asks() -> Result<()> {
    let (stack, lin) = two_sites().await?;
    let code = code(&lin, &[]).await?;
    let answer = stack.browser().send(script(TOKEN, APP, &redemption(&code))).await?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_readable(&answer);
    let token = text(&answer.json()?, "access_token");
    let visits = [
        (asks(Method::GET, APP, &token), 200),
        (asks(Method::POST, APP, &token), 200),
        (asks(Method::GET, APP, "canary"), 401),
        (script(TOKEN, APP, &[]), 400),
        (script(REVOKE, APP, &[("token", &*token), ("client_id", "nobody")]), 401),
        (script(REVOKE, APP, &[("token", &*token), ("client_id", "web")]), 200),
    ];
    for (visit, status) in visits {
        let answer = stack.browser().send(visit).await?;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_readable(&answer);
    }
    for (url, methods) in [(TOKEN, "POST"), (REVOKE, "POST"), (USER_INFO, "GET, POST")] {
        let answer = stack.browser().send(preflight(url, APP)).await?;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, Some(APP)), "{url}");
        assert_eq!(answer.header("access-control-allow-methods"), Some(methods), "{url}");
        assert_eq!(answer.header("access-control-allow-credentials"), None, "{url}");
    }
    Ok(())
}

/// Neither a look-alike, nor a page that the login trusts, nor the site of a client that keeps a secret elsewhere. What
/// they send is not even looked at.
#[tokio::test]
async fn no_other_page_reads_anything_and_nothing_of_it_is_done() -> Result<()> {
    let (stack, lin) = two_sites().await?;
    let Held { unused, access, renewal } = held(&stack, &lin).await?;
    let renews = [("grant_type", "refresh_token"), ("refresh_token", &*renewal), ("client_id", "web")];
    let gives_back = [("token", &*renewal), ("client_id", "web")];
    for origin in FOREIGN {
        let visits = [
            ("redeem", script(TOKEN, origin, &redemption(&unused))),
            ("renew", script(TOKEN, origin, &renews)),
            ("give back", script(REVOKE, origin, &gives_back)),
            ("ask", asks(Method::GET, origin, &access)),
            ("ask by POST", asks(Method::POST, origin, &access)),
            ("may redeem", preflight(TOKEN, origin)),
            ("may give back", preflight(REVOKE, origin)),
            ("may ask", preflight(USER_INFO, origin)),
        ];
        for (what, visit) in visits {
            let what = format!("{what} from {origin:?}");
            let answer = stack.browser().send(visit).await?;
            assert_problem(&answer, 403, "origin_refused");
            assert_secured(&answer.headers, &what);
            assert_eq!(allowances(&answer), [], "{what}");
        }
    }
    assert_eq!(userinfo(&stack, &access).await?.status, 200);
    assert_eq!(redeem(&stack, &unused, &[]).await?.status, 200);
    Ok(())
}

/// What a browser opens as a page is no script's, not even a client's own: it learns neither a code nor that somebody
/// is logged in.
#[tokio::test]
async fn what_is_opened_as_a_page_is_read_by_no_script() -> Result<()> {
    let (stack, lin) = lin().await?;
    tokens_of(&stack, &lin, &[]).await?;
    let authorize = super::code_flow::asked(&[("prompt", "none")]);
    let logout = format!("{PUBLIC_URL}/oauth2/logout");
    let go_on = format!("{PUBLIC_URL}/oauth2/continue?request={}", "A".repeat(43));
    for origin in FOREIGN.into_iter().chain([APP]) {
        for url in [&authorize, &logout, &go_on] {
            let visit = Visit::fetch(Method::GET, url, APP).header("origin", origin);
            let answer = lin.send(visit).await?;
            assert_eq!((answer.status, answer.location()), (403, None), "{url} from {origin:?}");
            assert_eq!(allowances(&answer), [], "{url} from {origin:?}");
            assert_eq!(allowances(&lin.send(preflight(url, origin)).await?), [], "{url} from {origin:?}");
        }
    }
    assert!(lin.session().is_some());
    Ok(())
}

/// A script that is told nothing sees an error of the network, and cannot know that it is worth another try.
#[tokio::test(flavor = "multi_thread")]
async fn a_script_reads_that_the_time_was_over() -> Result<()> {
    let hasty = hasty_in(&["Token", "Userinfo"], 3)?;
    let stack = Stack::start(options("openid")?.template(&hasty.path).proxied()).await?;
    let lin = visitor(&stack, "lin");
    let Held { unused, access, renewal } = held(&stack, &lin).await?;
    let visits = [
        script(TOKEN, APP, &redemption(&unused)),
        script(REVOKE, APP, &[("token", &*renewal), ("client_id", "web")]),
        asks(Method::GET, APP, &access),
    ];
    // However often it is asked again.
    let late = stack.proxy()?.inject(Rule::at(Kind::Grant, Fault::Delay(Duration::from_secs(10))));
    let browser = stack.browser();
    for answer in try_join_all(visits.map(|visit| browser.send(visit))).await? {
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert_readable(&answer);
        assert!(answer.header("retry-after").is_some(), "{}", answer.url);
        if !answer.body.is_empty() {
            assert_eq!(error_of(&answer)?, (503, "temporarily_unavailable".to_owned()));
        }
    }
    alarm(&stack, r#""outcome":"deadline""#).await?;
    late.remove();
    // Nothing was spent.
    assert_eq!(redeem(&stack, &unused, &[]).await?.status, 200);
    assert_eq!(error_of(&redeem(&stack, &unused, &[]).await?)?, refused("invalid_grant"));
    Ok(())
}
