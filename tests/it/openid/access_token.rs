//! `POST /access-token`: who gets a token, and who does not.

use harness::{
    Options, Stack, Visitor,
    browser::Visit,
    database::with,
    places::{AUTHORIZE, LOGOUT},
    proxy::Kind,
    signing_key,
    stack::{OFFICIAL_ACCOUNT, PAGE_ORIGIN, PUBLIC_URL, WEBSITE_APP},
    time,
};
use http::Method;
use serde_json::json;
use simulator::Action;

use crate::support::{
    FOREIGN_ORIGINS, allowances, assert_problem, assert_secured, event_without_origin, forged, only_session,
    without_tables,
};

use super::{ACCESS_TOKEN, API, ask, logged_in, one_api, provider, request, stack_of, start, token};

/// Another page of the team's.
const SHOP: &str = "https://shop.example.com";

/// What an allowed page may read, beside the answer.
fn assert_readable(answer: &harness::Answer, origin: &str) {
    assert_eq!(
        allowances(answer),
        [
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-origin", origin),
            ("access-control-expose-headers", "x-correlation-id"),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_gets_a_token_for_its_api() {
    let (_stack, visitor) = logged_in().await;
    let answer = ask(&visitor, "").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert_secured(&answer.headers, "a token");
    assert_readable(&answer, PAGE_ORIGIN);
    assert!(answer.header("vary").unwrap().contains("Origin") && answer.set_cookies().is_empty());
    let mut told = answer.json().unwrap();
    let token = told["access_token"].take();
    assert!(token.as_str().is_some_and(|token| token.split('.').count() == 3), "{token}");
    assert_eq!(told, json!({ "access_token": null, "token_type": "Bearer", "expires_in": 600 }));
}

/// Whatever it says of itself, and whatever cookies come along.
#[tokio::test(flavor = "multi_thread")]
async fn no_foreign_page_gets_one() {
    let stack = start(provider(&one_api()).proxied()).await;
    let visitor = stack.visitor("lin").logged_in().await.unwrap();
    stack.proxy().unwrap().forget();
    for origin in FOREIGN_ORIGINS {
        for query in ["", "?resource=https%3A%2F%2Fapi.example.com"] {
            let visit = forged(&visitor, request(query, PAGE_ORIGIN), origin);
            let answer = visitor.send(visit).await.unwrap();
            assert_problem(&answer, 403, "origin_refused");
            assert_secured(&answer.headers, origin);
            assert_eq!(allowances(&answer), [], "{origin}");
        }
    }
    // Who does not say where the request comes from, or names two places.
    let mut event = event_without_origin(&visitor.browser, "POST", "/access-token");
    for origin in [None, Some(format!("{PAGE_ORIGIN},{PAGE_ORIGIN}")), Some(format!("{PAGE_ORIGIN}, {SHOP}"))]
    {
        if let Some(origin) = origin {
            event["headers"]["origin"] = origin.into();
        }
        let answer = stack.gateway().invoke("token", &event).await.unwrap();
        assert_eq!(answer["statusCode"], 403, "{answer}");
        assert!(answer["body"].as_str().unwrap().contains("urn:wechat-login:origin_refused"), "{answer}");
    }
    // Of its own accord a browser does not even bring the cookies along.
    let answer = visitor.send(request("", "https://evil.example")).await.unwrap();
    assert_eq!((answer.status, allowances(&answer).len()), (403, 0));
    // Nobody looked who it is.
    assert_eq!(stack.proxy().unwrap().count(Kind::Session), 0);
    assert_eq!(ask(&visitor, "").await.status, 200);
}

/// To be trusted by the login is not enough: an API says whose pages it is for.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_no_api_names_gets_none() {
    let (_stack, visitor) = logged_in().await;
    for query in ["", "?resource=https%3A%2F%2Fapi.example.com"] {
        let answer = visitor.send(forged(&visitor, request(query, PAGE_ORIGIN), PUBLIC_URL)).await.unwrap();
        assert_problem(&answer, 400, "invalid_target");
        assert_readable(&answer, PUBLIC_URL);
    }
}

/// HTTP clients add headers of their own to everything.
#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_is_answered_for_exact_origins_only() {
    let (_stack, visitor) = logged_in().await;
    let preflight = |origin: &str, headers: &str| {
        forged(&visitor, Visit::fetch(Method::OPTIONS, ACCESS_TOKEN, PAGE_ORIGIN), origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", headers)
    };
    for (asked, allowed) in [
        ("authorization,x-requested-with,traceparent", "authorization,x-requested-with,traceparent"),
        ("x<script>", "accept, content-type"),
    ] {
        for origin in [PAGE_ORIGIN, PUBLIC_URL] {
            let answer = visitor.send(preflight(origin, asked)).await.unwrap();
            assert_eq!((answer.status, answer.text().as_str()), (204, ""));
            assert_secured(&answer.headers, origin);
            assert_eq!(
                allowances(&answer),
                [
                    ("access-control-allow-credentials", "true"),
                    ("access-control-allow-headers", allowed),
                    ("access-control-allow-methods", "POST"),
                    ("access-control-allow-origin", origin),
                    ("access-control-expose-headers", "x-correlation-id"),
                    ("access-control-max-age", "600"),
                ]
            );
        }
    }
    for origin in FOREIGN_ORIGINS {
        let answer = visitor.send(preflight(origin, "authorization")).await.unwrap();
        assert_eq!((answer.status, allowances(&answer)), (403, vec![]), "{origin}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_resource_is_one_api_of_this_page() {
    let apis = json!({ "subject": "openid", "apis": {
        API: { "origins": [PAGE_ORIGIN] },
        "urn:example:orders": { "origins": [PAGE_ORIGIN, PUBLIC_URL] },
        "https://stock.example.com/v1": { "origins": [PUBLIC_URL] },
    }});
    let stack = stack_of(&apis).await;
    let visitor = stack.visitor("lin").logged_in().await.unwrap();
    for (query, api) in [
        ("?resource=https%3A%2F%2Fapi.example.com", API),
        ("?resource=https://api.example.com", API),
        ("?resource=urn:example:orders", "urn:example:orders"),
        // What is not known is left alone (RFC 6749 §3.2).
        ("?scope=admin&resource=urn:example:orders&audience=x", "urn:example:orders"),
    ] {
        assert_eq!(token(&stack, &visitor, query).await.claims["aud"], api, "{query}");
    }
    for (query, reason) in [
        // Of two, none is meant.
        ("", "invalid_target"),
        ("?resource=", "invalid_target"),
        ("?resource=https%3A%2F%2Fapi.example.com%2F", "invalid_target"),
        ("?resource=HTTPS%3A%2F%2Fapi.example.com", "invalid_target"),
        ("?resource=https%3A%2F%2Flogin.example.com", "invalid_target"),
        ("?resource=https%3A%2F%2Fevil.example", "invalid_target"),
        // Another page's.
        ("?resource=https%3A%2F%2Fstock.example.com%2Fv1", "invalid_target"),
        ("?resource=urn:example:orders%20https://api.example.com", "invalid_target"),
        ("?resource=urn:example:orders&resource=urn:example:orders", "invalid_target"),
        ("?resource=urn:example:orders&resource=https://api.example.com", "invalid_target"),
        ("?resource=%zz", "invalid_target"),
    ] {
        let answer = ask(&visitor, query).await;
        assert_problem(&answer, 400, reason);
        assert_readable(&answer, PAGE_ORIGIN);
    }
}

/// The answers to who is not logged in: each leads to the login.
async fn assert_not_logged_in(visitor: &Visitor, visit: Visit) {
    let answer = visitor.send(visit).await.unwrap();
    assert_problem(&answer, 401, "not_logged_in");
    assert_readable(&answer, PAGE_ORIGIN);
    assert_eq!(answer.json().unwrap()["authorize_url"], AUTHORIZE);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_logged_in_is_told_where_to() {
    let (stack, visitor) = logged_in().await;
    assert_not_logged_in(&stack.visitor("zhou"), request("", PAGE_ORIGIN)).await;
    let token = visitor.session().unwrap();
    for cookie in [
        format!("__Host-session={}", "0".repeat(64)),
        format!("__Host-session={token}; __Host-session={token}"),
        format!("__Host-session={token}; __Host-session=x"),
        format!("__Host-session={token}0"),
        format!("session={token}"),
        "__Host-session=".to_owned(),
    ] {
        assert_not_logged_in(&visitor, request("", PAGE_ORIGIN).header("cookie", &cookie)).await;
    }
    let answer =
        visitor.send(request("", PAGE_ORIGIN).header("cookie", &format!("__Host-session={token}"))).await;
    assert_eq!(answer.unwrap().status, 200);
    // A cookie that is there and opens nothing is told apart, for who reads the log.
    let unknown = format!("__Host-session={}", "f".repeat(64));
    assert_not_logged_in(&visitor, request("", PAGE_ORIGIN).header("cookie", &unknown)).await;
    let log = stack.stop().await.text();
    let times = |outcome: &str| log.matches(&format!(r#""outcome":"{outcome}""#)).count();
    assert_eq!((times("no_cookie"), times("no_session")), (6, 2));
}

/// DynamoDB deletes what is over late.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_over_or_refused_gives_none_though_its_item_is_there() {
    let (stack, visitor) = logged_in().await;
    let (table, session) = (stack.table("SessionsTable").unwrap(), only_session(&stack).unwrap());
    let now = time::now_seconds();
    for (name, value, is_good) in [
        ("expires_at", now - 1, false),
        ("expires_at", now, false),
        ("expires_at", now + 60, true),
        // WeChat said that the person has taken the grant back.
        ("refused_at", now - 60, false),
    ] {
        let item = with(session.clone(), name, json!({ "N": value.to_string() }));
        stack.database().put(table, &item).unwrap();
        if is_good {
            assert_eq!(ask(&visitor, "").await.status, 200, "{name} {value}");
        } else {
            assert_not_logged_in(&visitor, request("", PAGE_ORIGIN)).await;
        }
    }
    // One whose seal was made for another item.
    let other = stack.visitor("zhou").logged_in().await.unwrap();
    let sessions = stack.sessions().unwrap();
    let of_other = sessions.iter().find(|item| item["id"] != session["id"]).unwrap();
    let moved = with(of_other.clone(), "sealed", session["sealed"].clone());
    stack.database().put(table, &moved).unwrap();
    assert_not_logged_in(&other, request("", PAGE_ORIGIN)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_ends_it() {
    let (_stack, visitor) = logged_in().await;
    let thief = visitor.thief();
    assert_eq!(ask(&thief, "").await.status, 200);
    visitor.log_out().await.unwrap();
    assert_not_logged_in(&visitor, request("", PAGE_ORIGIN)).await;
    assert_not_logged_in(&thief, request("", PAGE_ORIGIN)).await;
    let erased = visitor.logged_in().await.unwrap();
    let thief = erased.thief();
    assert_eq!(erased.erase().await.unwrap().status, 204);
    assert_not_logged_in(&thief, request("", PAGE_ORIGIN)).await;
}

/// The person takes the grant back in WeChat, and `/userinfo` hears of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_was_taken_back_gives_none() {
    let stack = start(provider(&one_api()).with("PROFILE_LIFETIME_SECONDS", "0")).await;
    let visitor = stack.visitor("lin").logged_in_with_profile().await.unwrap();
    assert_eq!(ask(&visitor, "").await.status, 200);
    stack.simulator().act(&Action::ExpireAccessTokens);
    stack.simulator().act(&Action::RevokeRefreshTokens);
    assert_problem(&visitor.userinfo().await.unwrap(), 401, "not_logged_in");
    assert_not_logged_in(&visitor, request("", PAGE_ORIGIN)).await;
}

/// Two accounts of one deployment: the pages of one learn nothing of who is logged in to the other.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_another_account_gives_none() {
    let accounts = json!({ "shop": { "official_account": WEBSITE_APP.replace("bbb", "aa2"), "allowed_origins": [SHOP] } });
    let apis = json!({ "subject": "openid", "apis": { API: { "origins": [PAGE_ORIGIN, SHOP] } } });
    let stack = start(provider(&apis).with("ACCOUNTS", &accounts.to_string())).await;
    let visitor = stack.visitor("lin").logged_in().await.unwrap();
    let of_shop = forged(&visitor, request("", PAGE_ORIGIN), SHOP);
    let answer = visitor.send(of_shop).await.unwrap();
    assert_readable(&answer, SHOP);
    assert_eq!(ask(&visitor, "").await.status, 200);
    // Like whoever is not logged in at all, the person is sent to the page's own account.
    let nobody = stack.visitor("zhou").send(request("", SHOP)).await.unwrap();
    for answer in [answer, nobody] {
        assert_problem(&answer, 401, "not_logged_in");
        assert_eq!(answer.json().unwrap()["authorize_url"], format!("{AUTHORIZE}?app=shop"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_unionid_there_is_none_until_the_upgrade_brings_it() {
    let apis = json!({ "subject": "unionid", "apis": { API: { "origins": [PAGE_ORIGIN] } } });
    let stack = stack_of(&apis).await;
    let visitor = stack.visitor("lin").logged_in().await.unwrap();
    let answer = ask(&visitor, "").await;
    assert_problem(&answer, 403, "no_subject");
    assert_readable(&answer, PAGE_ORIGIN);
    let problem = answer.json().unwrap();
    assert!(problem.get("authorize_url").is_none(), "{problem}");
    visitor.log_in_at(problem["upgrade_url"].as_str().unwrap()).await.unwrap();
    let claims = token(&stack, &visitor, "").await.claims;
    assert_eq!(claims["sub"], stack.simulator().unionid("lin", OFFICIAL_ACCOUNT).unwrap());
    // Where no app is bound to the Open Platform there is no unionid, and never an openid in its place.
    stack.simulator().settings(|settings| settings.apps.iter_mut().for_each(|app| app.open_account = None));
    let visitor = stack.visitor("zhou").logged_in_with_profile().await.unwrap();
    assert_problem(&ask(&visitor, "").await, 403, "no_subject");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_session_is_taken_for_none_while_dynamodb_is_away() {
    let (_stack, visitor) = logged_in().await;
    let away = start(without_tables(provider(&one_api()))).await;
    let (cookie, stranger) = (format!("__Host-session={}", visitor.session().unwrap()), away.visitor("lin"));
    let answer = stranger.send(request("", PAGE_ORIGIN).header("cookie", &cookie)).await.unwrap();
    assert_problem(&answer, 503, "service_unavailable");
    assert_readable(&answer, PAGE_ORIGIN);
    crate::support::alarm(&away, "\"store_unavailable\"").await.unwrap();
    // What needs no table is there.
    assert_eq!(ask(&stranger, "").await.status, 401);
    assert_eq!(stranger.open(super::JWKS).await.unwrap().status, 200);
}

/// No other way of asking gives one, and nothing else is asked of this function.
#[tokio::test(flavor = "multi_thread")]
async fn only_a_post_is_answered() {
    let (stack, visitor) = logged_in().await;
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE] {
        let visit = forged(&visitor, Visit::fetch(method.clone(), ACCESS_TOKEN, PAGE_ORIGIN), PAGE_ORIGIN);
        assert_eq!(visitor.send(visit).await.unwrap().status, 404, "{method}");
    }
    for path in ["/access-token/", "/oauth2/tokens", "/.well-known/jwks.json/", "/"] {
        let event = event_without_origin(&visitor.browser, "POST", path);
        let answer = stack.gateway().invoke("token", &event).await.unwrap();
        assert_eq!(answer["statusCode"], 404, "{path}: {answer}");
    }
}

/// A deployment that is no provider says so, whoever asks.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_provider_there_is_nothing() {
    let stack = crate::support::stack().await.unwrap();
    let visitor = stack.visitor("lin").logged_in().await.unwrap();
    for visit in [
        request("", PAGE_ORIGIN),
        request("", "https://evil.example"),
        Visit::fetch(Method::OPTIONS, ACCESS_TOKEN, PAGE_ORIGIN),
        Visit::open(super::JWKS),
    ] {
        assert_problem(&visitor.send(visit).await.unwrap(), 404, "not_found");
    }
    // Nobody's login ends on one of its routes.
    for path in ["/access-token", "/.well-known/jwks.json"] {
        let link = harness::places::authorize_to(&format!("{PUBLIC_URL}{path}"));
        assert_eq!(stack.visitor("lin").open(&link).await.unwrap().status, 400, "{path}");
    }
    let answer = visitor.send(Visit::form(LOGOUT, PAGE_ORIGIN, &[])).await.unwrap();
    assert_eq!(answer.status, 303);
}

/// What is wrong is said at start, by its place; and nobody gets anything meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_provider_is_said_at_start() {
    let key = signing_key::of_this_process().unwrap();
    let right = one_api().to_string();
    let subject = r#"{"apis":{"https://api.example.com":{"origins":["https://www.example.com"]}}}"#;
    for (openid_connect, keys, said) in [
        (&*right, None, "SIGNING_KEYS is missing; "),
        (&right, Some("canary"), "SIGNING_KEYS is wrong; "),
        (subject, Some(key), "OPENID_CONNECT is wrong; subject: "),
        ("{", Some(key), "OPENID_CONNECT is wrong; "),
    ] {
        let options = Options::default().with("OPENID_CONNECT", openid_connect);
        let options = match keys {
            Some(keys) => options.with("SIGNING_KEYS", keys),
            None => options.without("SIGNING_KEYS"),
        };
        let stack = Stack::start(options).await.unwrap();
        let visitor = stack.visitor("lin");
        // The login itself goes on.
        visitor.log_in().await.unwrap();
        let answer = ask(&visitor, "").await;
        assert_eq!(answer.status, 503, "{said}: {}", answer.text());
        let printed = stack.logs().wait_for("\"wrong_configuration\"").await.unwrap();
        assert_eq!(printed.function, "token");
        assert!(printed.text.contains(&format!("\\n  {said}")), "{said}: {}", printed.text);
        assert!(!printed.text.contains("canary") && !printed.text.contains("PRIVATE"), "{}", printed.text);
    }
}
