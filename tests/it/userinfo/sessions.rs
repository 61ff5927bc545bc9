//! What opens a session, and what does not.

use harness::{
    Options, Stack, Visitor,
    browser::Visit,
    database::{attribute, number, with},
    places::{AUTHORIZE, BROWSER_COOKIE, LOGOUT, PROFILE, USERINFO},
    stack::{PAGE_ORIGIN, PUBLIC_URL},
    time,
    visitor::callback_of,
};
use http::Method;
use serde_json::json;

use crate::support::{
    LABELS, assert_problem, assert_secured, button, logged_in, logged_in_with_profile, only_session, stack,
    visited, without_tables,
};

/// The status for a request with this `Cookie` header.
async fn status(visitor: &Visitor, cookie: &str) -> u16 {
    let visit = Visit::fetch(Method::GET, USERINFO, PAGE_ORIGIN).header("cookie", cookie);
    visitor.send(visit).await.map_or(0, |answer| answer.status)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_logged_in_is_told_where_to() {
    let stack = stack().await.unwrap();
    let answer = stack.visitor("lin").userinfo().await.unwrap();
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("content-type"), Some("application/problem+json; charset=utf-8"));
    assert_secured(&answer.headers, "401");
    assert_eq!(
        answer.json().unwrap(),
        json!({
            "type": "urn:wechat-login:not_logged_in",
            "title": "You are not logged in",
            "status": 401,
            "detail": "You have not logged in, or your login has ended.",
            "correlation_id": answer.header("x-correlation-id"),
            "authorize_url": AUTHORIZE,
        })
    );
    let page = stack.visitor("lin").userinfo_page().await.unwrap();
    assert_eq!((page.status, page.header("content-type")), (401, Some("text/html; charset=utf-8")));
    assert!(
        page.text().contains("<a class=\"button\" href=\"/authorize\" target=\"_top\">"),
        "{}",
        page.text()
    );
    assert!(stack.simulator().ledger().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_session_token_itself_opens_the_session() {
    let (stack, visitor) = visited().await.unwrap();
    let callback = callback_of(&visitor.log_in().await.unwrap()).unwrap();
    let (_, state) = callback.split_once("state=").unwrap();
    let state = state.get(..64).unwrap();
    let token = visitor.session().unwrap();
    let secret = visitor.secret().unwrap();
    let session = only_session(&stack).unwrap();
    let id = attribute(&session, "id");
    assert_eq!(status(&visitor, &format!("__Host-session={token}")).await, 200);
    for cookie in [
        // What a copy of the tables, an address or the other cookie would give away.
        format!("__Host-session={id}"),
        format!("__Host-session={state}"),
        format!("__Host-session={secret}"),
        format!("__Host-session={}", "00".repeat(32)),
        // Other spellings of the right one.
        format!("__Host-session={}", token.to_uppercase()),
        format!("__Host-session=\"{token}\""),
        format!("__Host-session={token}0"),
        format!("__Host-session={token}; __Host-session={token}"),
        format!("__Host-session={token}; __Host-session=x"),
        format!("__host-session={token}"),
        format!("__Host%2Dsession={token}"),
        format!("__Secure-session={token}"),
        format!("session={token}"),
        "__Host-session=".to_owned(),
        String::new(),
    ] {
        assert_eq!(status(&visitor, &cookie).await, 401, "{cookie}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_cookie_of_somebody_else_makes_no_difference() {
    let stack = stack().await.unwrap();
    let (one, other) = (stack.visitor("lin"), stack.visitor("zhou"));
    one.log_in().await.unwrap();
    other.log_in().await.unwrap();
    let openid = async |visitor: &Visitor| visitor.logged_in_as().await.unwrap();
    let (lin, zhou) = (openid(&one).await, openid(&other).await);
    assert!(lin.is_some() && zhou.is_some() && lin != zhou);
    // The session is the session's cookie alone; a stolen browser cookie shows nobody.
    let thief = stack.visitor("lin");
    let stolen = one.browser.cookies().into_iter().find(|cookie| cookie.name == BROWSER_COOKIE).unwrap();
    thief.browser.insert_cookie(stolen);
    assert_eq!(thief.userinfo().await.unwrap().status, 401);
    assert_eq!((openid(&one).await, openid(&other).await), (lin, zhou));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_over_opens_nothing_though_its_item_is_there() {
    let (stack, visitor) = logged_in().await.unwrap();
    let table = stack.table("SessionsTable").unwrap();
    let session = only_session(&stack).unwrap();
    let now = time::now_seconds();
    for (expires_at, status) in [(now - 1, 401), (now, 401), (now + 60, 200), (0, 401), (now - 86_400, 401)] {
        let item = with(session.clone(), "expires_at", json!({ "N": expires_at.to_string() }));
        stack.database().put(table, &item).unwrap();
        assert_eq!(visitor.userinfo().await.unwrap().status, status, "{expires_at}");
    }
    assert_eq!(stack.sessions().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_lasts_as_long_as_it_is_set_to() {
    let stack = Stack::start(Options::default().with("SESSION_LIFETIME_SECONDS", "3600")).await.unwrap();
    let visitor = stack.visitor("lin");
    let before = time::now_seconds();
    let hops = visitor.log_in().await.unwrap();
    let after = time::now_seconds();
    let session = only_session(&stack).unwrap();
    let expires_at = number(&session, "expires_at").unwrap();
    assert!((before + 3600..=after + 3600).contains(&expires_at));
    let token = visitor.session().unwrap();
    let cookie = format!("__Host-session={token}; Path=/; Max-Age=3600; Secure; HttpOnly; SameSite=Lax");
    assert!(hops.iter().any(|hop| hop.set_cookies().contains(&cookie)), "{cookie}");
    // The browser throws the cookie away in time.
    visitor.browser.advance(std::time::Duration::from_secs(3601));
    assert_eq!(visitor.session(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seal_does_not_open_on_another_item() {
    let (stack, lin) = logged_in_with_profile().await.unwrap();
    let zhou = stack.visitor("zhou");
    let of_lin = only_session(&stack).unwrap();
    zhou.log_in_with_profile().await.unwrap();
    let table = stack.table("SessionsTable").unwrap();
    let all = stack.sessions().unwrap();
    let of_zhou = all.iter().find(|session| session["id"] != of_lin["id"]).unwrap().clone();

    // Whoever can write to the table cannot make one person another.
    let moved = with(of_zhou.clone(), "sealed", of_lin["sealed"].clone());
    stack.database().put(table, &moved).unwrap();
    assert_eq!(zhou.userinfo().await.unwrap().status, 401);
    let renamed = with(of_lin.clone(), "id", of_zhou["id"].clone());
    stack.database().put(table, &renamed).unwrap();
    assert_eq!(zhou.userinfo().await.unwrap().status, 401);
    // Nor read what it cannot read, nor break it.
    for sealed in [json!({ "B": "" }), json!({ "B": "AQ==" }), json!({ "B": "AgAAAAAAAAAAAAAAAAAA" })] {
        stack.database().put(table, &with(of_zhou.clone(), "sealed", sealed)).unwrap();
        assert_eq!(zhou.userinfo().await.unwrap().status, 401);
    }
    stack.database().put(table, &of_zhou).unwrap();
    assert_eq!(zhou.shown().await.unwrap()["nickname"], "周远");
    assert_eq!(lin.shown().await.unwrap()["nickname"], "小满🌾");
    assert_eq!(stack.requests(PROFILE).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_lacks_something_is_a_clear_failure() {
    let (stack, visitor) = logged_in().await.unwrap();
    let mut session = only_session(&stack).unwrap();
    session.as_object_mut().unwrap().remove("version");
    stack.database().put(stack.table("SessionsTable").unwrap(), &session).unwrap();
    let answer = visitor.userinfo().await.unwrap();
    assert_problem(&answer, 503, "service_unavailable");
    let logs = stack.stop().await.text();
    assert!(logs.contains("an item lacks version"), "{logs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_share_one_browser() {
    let stack = stack().await.unwrap();
    let tab = stack.visitor("lin");
    let other = tab.clone();
    tab.log_in().await.unwrap();
    assert_eq!(other.userinfo().await.unwrap().status, 200);
    // A new login ends the session that the browser came with.
    other.log_in().await.unwrap();
    only_session(&stack).unwrap();
    assert_eq!(tab.userinfo().await.unwrap().status, 200);
    other.browser.post_form(LOGOUT, PUBLIC_URL).await.unwrap();
    assert_eq!(tab.userinfo().await.unwrap().status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_table_is_away_nobody_is_logged_out() {
    let stack = Stack::start(without_tables(Options::default())).await.unwrap();
    let cookie = format!("__Host-session={}", "5e5510fa".repeat(8));
    let visit = Visit::fetch(Method::GET, USERINFO, PAGE_ORIGIN).header("cookie", &cookie);
    let answer = stack.visitor("lin").send(visit).await.unwrap();
    assert_problem(&answer, 503, "service_unavailable");
    assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE_ORIGIN));
    assert!(answer.set_cookies().is_empty());
    assert!(answer.json().unwrap().get("authorize_url").is_none());
    // No login failed, so none is offered: the page itself is opened once more.
    let visit = Visit::open(&format!("{USERINFO}?lang=en")).header("cookie", &cookie);
    let page = stack.visitor("lin").send(visit).await.unwrap();
    let again = Some((LABELS.try_again, String::new()));
    assert_eq!((page.status, button(&page)), (503, again), "{}", page.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_that_is_wrong_is_refused_before_anything_is_read() {
    let (stack, visitor) = logged_in_with_profile().await.unwrap();
    stack.simulator().clear_ledger();
    for query in [
        "lang=zh-CN",
        "lang=de",
        "lang=en&lang=en",
        "lang=%ff",
        "verify=1",
        "verify=TRUE",
        "verify=yes",
        "verify=true&verify=true",
    ] {
        let answer = visitor.browser.fetch(&format!("{USERINFO}?{query}"), PAGE_ORIGIN).await.unwrap();
        assert_problem(&answer, 400, "invalid_request");
        // A person who is logged in is not asked to log in.
        let page = visitor.open(&format!("{USERINFO}?{query}")).await.unwrap();
        assert_eq!((page.status, button(&page)), (400, Some((LABELS.go_home, "/".to_owned()))), "{query}");
    }
    assert!(stack.simulator().ledger().is_empty());
    for query in
        ["lang=en", "lang=&verify=", "verify=true", "verify=false", "lang=zh_TW&verify=true", "unknown=%zz"]
    {
        let answer = visitor.browser.fetch(&format!("{USERINFO}?{query}"), PAGE_ORIGIN).await.unwrap();
        assert_eq!(answer.status, 200, "{query}");
    }
}
