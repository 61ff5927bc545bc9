//! The headers of every route and status: these, and no others.

use std::collections::BTreeMap;

use harness::{
    Answer, Options, Result, Stack, Visitor,
    browser::Visit,
    hand_off::{self, CHOICE, Waiting, scan},
    places::{ALWAYS, AUTHORIZE, LOGOUT, OPENER_POLICY, USERINFO},
    relying_party::{APP, asked, basic, code, form, lin, post, redeem, revoke, text, tokens_of},
    stack::{PAGE_ORIGIN, PUBLIC_URL},
    visitor::callback_of,
};
use http::Method;

use crate::{
    openid,
    support::{visited, without_tables},
};

const HOME: &str = "https://login.example.com/";
/// What the connection or the gateway adds.
const NOT_OURS: [&str; 4] = ["apigw-requestid", "content-length", "date", "x-correlation-id"];
/// Any value.
const ANY: &str = "*";

const NOTHING: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const STYLE: &str = "default-src 'none'; style-src 'sha256-[HASH]'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const FRAMED: &str =
    "default-src 'none'; style-src 'sha256-[HASH]'; base-uri 'none'; form-action 'none'; frame-ancestors *";
const FORM: &str = "default-src 'none'; style-src 'sha256-[HASH]'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const AVATAR: &str = "default-src 'none'; style-src 'sha256-[HASH]'; img-src https://*.qlogo.cn https://*.qpic.cn; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

type Extra<'a> = &'a [(&'a str, &'a str)];

const FRAMED_PAGE: Extra<'_> =
    &[("content-security-policy", FRAMED), ("content-type", "text/html; charset=utf-8")];
const PAGE: Extra<'_> = &[("content-security-policy", STYLE), ("content-type", "text/html; charset=utf-8")];
const BUSY_PAGE: Extra<'_> = &[
    ("content-security-policy", STYLE),
    ("content-type", "text/html; charset=utf-8"),
    ("retry-after", "10"),
];
const VARY: (&str, &str) = ("vary", "Origin, Accept, Accept-Language");
const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");
const PROBLEM: (&str, &str) = ("content-type", "application/problem+json; charset=utf-8");
const CREDENTIALS: (&str, &str) = ("access-control-allow-credentials", "true");
const ORIGIN: (&str, &str) = ("access-control-allow-origin", PAGE_ORIGIN);
const EXPOSED: (&str, &str) = ("access-control-expose-headers", "x-correlation-id");
const ALLOWED_HEADERS: (&str, &str) = ("access-control-allow-headers", "accept, content-type");
const MAX_AGE: (&str, &str) = ("access-control-max-age", "600");

/// Holds an answer against the headers that every answer carries and those of its own.
fn assert_headers(answer: &Answer, status: u16, extra: Extra<'_>) {
    let what = format!("{} {}", answer.status, answer.url);
    assert_eq!(answer.status, status, "{what}: {}", answer.text());
    let mut expected = BTreeMap::from(ALWAYS);
    expected.extend([("content-security-policy", NOTHING), ("referrer-policy", "no-referrer")]);
    expected.extend(extra.iter().copied());
    let is_page = extra.iter().any(|(_, value)| value.starts_with("text/html"));
    // Where a login goes on, a popup is not to be cut off from its opener.
    let is_end = answer.status == 200 && ["/", "/userinfo"].contains(&answer.url.path());
    expected.extend((is_page && is_end).then_some(OPENER_POLICY));
    let mut found = BTreeMap::new();
    for (name, value) in &answer.headers {
        let value = redacted(&String::from_utf8_lossy(value.as_bytes()));
        if !NOT_OURS.contains(&name.as_str()) {
            let value = if expected.get(name.as_str()) == Some(&ANY) { ANY.to_owned() } else { value };
            let before = found.insert(name.as_str(), value);
            assert!(before.is_none() || name == "set-cookie", "{what}: {name} twice");
        }
    }
    let expected: BTreeMap<_, _> =
        expected.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
    assert_eq!(found, expected, "{what}");
    let id = answer.header("x-correlation-id").unwrap_or_default();
    assert_eq!(id.len(), 36, "{what}: {id}");
}

/// A policy without the digest in it.
fn redacted(value: &str) -> String {
    match value.split_once("'sha256-").map(|(before, rest)| (before, rest.split_once('\''))) {
        Some((before, Some((_, after)))) => format!("{before}'sha256-[HASH]'{after}"),
        _ => value.to_owned(),
    }
}

async fn assert_visit(visitor: &Visitor, visit: Visit, status: u16, extra: Extra<'_>) -> Result<()> {
    assert_headers(&visitor.send(visit).await?, status, extra);
    Ok(())
}

fn open(url: &str) -> Visit {
    Visit::open(url)
}

fn fetch(method: Method, url: &str, origin: &str) -> Visit {
    Visit::fetch(method, url, origin)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_login_answers_with_these_headers() {
    let (stack, visitor) = visited().await.unwrap();
    let stranger = stack.visitor("lin");
    let sent_on: Extra<'_> = &[("location", ANY), ("set-cookie", ANY)];
    assert_visit(&visitor, open(AUTHORIZE), 302, sent_on).await.unwrap();
    for query in ["?return_to=//evil.example", "?scope=x", "?lang=x", "?attempt=x", "?scope=%zz"] {
        assert_visit(&visitor, open(&format!("{AUTHORIZE}{query}")), 400, PAGE).await.unwrap();
    }
    let picture = open(AUTHORIZE).header("sec-fetch-dest", "image");
    assert_visit(&visitor, picture, 403, FRAMED_PAGE).await.unwrap();

    let hops = visitor.log_in().await.unwrap();
    let callback = callback_of(&hops).unwrap();
    let arrived = hops.iter().find(|hop| hop.url.path() == "/callback").unwrap();
    assert_headers(arrived, 303, sent_on);
    assert_visit(&visitor, open(&callback), 303, sent_on).await.unwrap();
    let refused: Extra<'_> = &[("location", ANY)];
    for query in ["", "?state=1", "?code=1", &format!("?state={}", "ab".repeat(32))] {
        let url = format!("https://login.example.com/callback{query}");
        assert_visit(&visitor, open(&url), 303, refused).await.unwrap();
    }
    assert_visit(&stranger, open(&callback), 303, refused).await.unwrap();
    let framed = open(&callback).header("sec-fetch-dest", "iframe");
    assert_visit(&visitor, framed, 303, refused).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_answers_with_these_headers() {
    let stack = openid::stack().await;
    let (visitor, stranger) = (stack.visitor("lin").logged_in().await.unwrap(), stack.visitor("lin"));
    let ours: Extra<'_> = &[JSON, VARY, CREDENTIALS, ORIGIN, EXPOSED];
    let problem: Extra<'_> = &[PROBLEM, VARY, CREDENTIALS, ORIGIN, EXPOSED];
    let ask = |query: &str| openid::request(query, PAGE_ORIGIN);
    assert_visit(&visitor, ask(""), 200, ours).await.unwrap();
    assert_visit(&visitor, ask("?resource=x"), 400, problem).await.unwrap();
    assert_visit(&visitor, ask("?resource=x&resource=x"), 400, problem).await.unwrap();
    assert_visit(&stranger, ask(""), 401, problem).await.unwrap();
    let foreign = openid::request("", "https://evil.example");
    assert_visit(&visitor, foreign, 403, &[PROBLEM, VARY]).await.unwrap();
    let preflight = fetch(Method::OPTIONS, openid::ACCESS_TOKEN, PAGE_ORIGIN);
    let methods = ("access-control-allow-methods", "POST");
    let granted: Extra<'_> = &[VARY, CREDENTIALS, ORIGIN, EXPOSED, ALLOWED_HEADERS, MAX_AGE, methods];
    assert_visit(&visitor, preflight, 204, granted).await.unwrap();
    let public: Extra<'_> = &[
        JSON,
        ("access-control-allow-origin", "*"),
        ("cache-control", "public, max-age=3600"),
        ("cross-origin-resource-policy", "cross-origin"),
    ];
    for (path, kind) in [("login.js", "text/javascript"), ("login.d.ts", "application/typescript")] {
        let kind = format!("{kind}; charset=utf-8");
        let vary = ("vary", "Accept-Encoding");
        let script: Extra<'_> =
            &[("content-type", &*kind), ("etag", ANY), vary, public[1], public[2], public[3]];
        let known = open(&format!("{HOME}{path}")).header("if-none-match", "*");
        assert_visit(&stranger, open(&format!("{HOME}{path}")), 200, script).await.unwrap();
        assert_visit(&stranger, known, 304, &script[1..]).await.unwrap();
    }
    for path in ["jwks.json", "openid-configuration", "oauth-authorization-server"] {
        let visit = open(&format!("{HOME}.well-known/{path}"));
        assert_visit(&stranger, visit, 200, public).await.unwrap();
    }
}

/// What a browser opens for a client, and what only says that somebody is to go on.
#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_the_code_flow_answer_with_these_headers() {
    let (stack, visitor) = lin().await.unwrap();
    let (leads, cookie): (Extra<'_>, _) = (&[("location", ANY)], ("set-cookie", ANY));
    assert_visit(&visitor, open(&asked(&[])), 302, &[leads[0], cookie]).await.unwrap();
    let hint = text(&tokens_of(&stack, &visitor, &[]).await.unwrap(), "id_token");
    assert_visit(&visitor, open(&asked(&[])), 303, leads).await.unwrap();
    assert_visit(&visitor, open(&asked(&[("scope", "profile")])), 302, leads).await.unwrap();
    assert_visit(&stack.visitor("lin"), open(&asked(&[("prompt", "none")])), 303, leads).await.unwrap();
    assert_visit(&visitor, open(&asked(&[("client_id", "nobody")])), 400, PAGE).await.unwrap();
    let framed = open(&asked(&[])).header("sec-fetch-dest", "iframe");
    assert_visit(&visitor, framed, 403, FRAMED_PAGE).await.unwrap();
    let form = Visit::form("https://login.example.com/oauth2/authorize", APP, &[("client_id", "web")]);
    assert_visit(&visitor, form, 303, leads).await.unwrap();
    let go_on = format!("{HOME}oauth2/continue?request={}", "A".repeat(43));
    assert_visit(&visitor, open(&go_on), 400, PAGE).await.unwrap();
    let app = FORM.replace("form-action 'self'", "form-action 'self' com.example.app:");
    let page = [PAGE[1], ("referrer-policy", "same-origin")];
    let asks = open(&asked(&[("client_id", "phone"), ("redirect_uri", "com.example.app:/cb")]));
    let named = [&page[..], &[("content-security-policy", &*app), cookie]].concat();
    assert_visit(&visitor, asks, 200, &named).await.unwrap();

    let logout = format!("{HOME}oauth2/logout");
    let question = [&page[..], &[("content-security-policy", FORM)]].concat();
    assert_visit(&visitor, open(&logout), 200, &question).await.unwrap();
    assert_visit(&visitor, Visit::form(&logout, APP, &[]), 303, leads).await.unwrap();
    let hinted = format!("{logout}?id_token_hint={hint}");
    let elsewhere = open(&format!("{hinted}&post_logout_redirect_uri=https://evil.example/"));
    assert_visit(&visitor, elsewhere, 400, PAGE).await.unwrap();
    assert_visit(&visitor, open(&hinted), 303, &[leads[0], cookie]).await.unwrap();
}

/// What a client asks, and what the script of its page may read of it.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_asks_is_answered_with_these_headers() {
    let (stack, visitor) = lin().await.unwrap();
    let program = stack.visitor("lin");
    let code = code(&visitor, &[]).await.unwrap();
    let (origin, pragma) = (("access-control-allow-origin", APP), ("pragma", "no-cache"));
    let tokens: Extra<'_> = &[JSON, VARY, pragma];
    let answer = redeem(&stack, &code, &[]).await.unwrap();
    assert_headers(&answer, 200, tokens);
    let token = text(&answer.json().unwrap(), "access_token");
    assert_headers(&redeem(&stack, &code, &[]).await.unwrap(), 400, tokens);
    let unknown = form(&[("grant_type", "authorization_code")]);
    let answer = post(&stack, &unknown, Some(&basic("nobody", "canary"))).await.unwrap();
    let refused: Extra<'_> = &[JSON, VARY, pragma, ("www-authenticate", "Basic realm=\"token\"")];
    assert_headers(&answer, 401, refused);
    // However it showed who it is: in the form, or not at all.
    for changes in [&[("client_id", "admin"), ("client_secret", "canary")][..], &[("client_id", "nobody")]] {
        assert_headers(&redeem(&stack, &code, changes).await.unwrap(), 401, refused);
        assert_headers(&revoke(&stack, "canary", changes).await.unwrap(), 401, refused);
    }
    let [at, back, who] = ["token", "revoke", "userinfo"].map(|name| format!("{HOME}oauth2/{name}"));
    let script = |url: &str| fetch(Method::POST, url, APP);
    assert_visit(&program, script(&at), 400, &[JSON, VARY, pragma, origin, EXPOSED]).await.unwrap();
    assert_visit(&program, script(&back), 400, &[JSON, VARY, pragma, origin, EXPOSED]).await.unwrap();
    let given_back = revoke(&stack, "canary", &[]).await.unwrap();
    assert_headers(&given_back, 200, &[VARY]);

    let bearer = format!("Bearer {token}");
    let unauthorized = ("www-authenticate", "Bearer realm=\"userinfo\"");
    assert_visit(&program, open(&who), 401, &[VARY, unauthorized]).await.unwrap();
    let invalid = ("www-authenticate", "Bearer realm=\"userinfo\", error=\"invalid_token\"");
    let over = open(&who).header("authorization", &bearer);
    assert_visit(&program, over, 401, &[VARY, invalid]).await.unwrap();
    let token = text(&tokens_of(&stack, &visitor, &[]).await.unwrap(), "access_token");
    let shown = fetch(Method::GET, &who, APP).header("authorization", &format!("Bearer {token}"));
    assert_visit(&program, shown, 200, &[JSON, VARY, origin, EXPOSED]).await.unwrap();
    for (url, methods) in [(&at, "POST"), (&back, "POST"), (&who, "GET, POST")] {
        let methods = ("access-control-allow-methods", methods);
        let granted: Extra<'_> = &[VARY, origin, EXPOSED, ALLOWED_HEADERS, MAX_AGE, methods];
        assert_visit(&program, fetch(Method::OPTIONS, url, APP), 204, granted).await.unwrap();
        let foreign = fetch(Method::OPTIONS, url, "https://evil.example");
        assert_visit(&program, foreign, 403, &[PROBLEM, VARY]).await.unwrap();
    }
}

/// Both sides of a login by a phone.
#[tokio::test(flavor = "multi_thread")]
async fn the_login_by_a_phone_answers_with_these_headers() {
    let stack = Stack::start(Options::default().without("WEBSITE_APP_ID")).await.unwrap();
    let phone = stack.visitor("zhou").logged_in().await.unwrap();
    let computer = Waiting::begin(stack.visitor("lin").at_a_computer(), "").await.unwrap();
    let waits: Extra<'_> = &[("content-security-policy", ANY), PAGE[1]];
    assert_headers(&computer.open(None).await.unwrap(), 200, waits);
    let stage = fetch(Method::GET, &computer.url, PUBLIC_URL).header("accept", "application/json");
    assert_visit(&computer.visitor, stage, 200, &[JSON]).await.unwrap();
    let asked = scan(&phone, &computer.code).await.unwrap();
    // Its script is allowed by its hash, and its form posts to this stack alone.
    let question: Extra<'_> =
        &[("content-security-policy", ANY), PAGE[1], ("referrer-policy", "same-origin")];
    assert_headers(&asked, 200, question);
    let policy = asked.header("content-security-policy").unwrap_or_default();
    let without_script = policy.split("; ").filter(|part| !part.starts_with("script-src 'sha256-"));
    assert_eq!(redacted(&without_script.collect::<Vec<_>>().join("; ")), FORM);
    let number = computer.open(Some(CHOICE)).await.unwrap();
    assert_headers(&number, 200, &[waits[0], PAGE[1], ("set-cookie", ANY)]);
    let form = hand_off::form(&asked).unwrap();
    let number = hand_off::number(&number).unwrap().to_string();
    let fields = [("ticket", &*form.ticket), ("session", &*form.session), ("number", &*number)];
    let tap = |origin: &str| Visit::form(&format!("{HOME}handoff"), origin, &fields);
    assert_visit(&phone, tap("https://evil.example"), 403, PAGE).await.unwrap();
    assert_visit(&phone, tap(PUBLIC_URL), 303, &[("location", ANY)]).await.unwrap();
    let picked_up: Extra<'_> = &[("location", ANY), ("set-cookie", ANY)];
    assert_headers(&computer.open(None).await.unwrap(), 303, picked_up);
    for (visitor, path, url) in [
        (&phone, "handoff?ticket=x", &computer.code),
        (&computer.visitor, "handoff/wait?state=x", &computer.url),
    ] {
        assert_visit(visitor, open(&format!("{HOME}{path}")), 400, PAGE).await.unwrap();
        let framed = open(url).header("sec-fetch-dest", "iframe");
        assert_visit(visitor, framed, 403, FRAMED_PAGE).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_userinfo_answers_with_these_headers() {
    let stack = Stack::start(Options::default().with("PROFILE_LIFETIME_SECONDS", "0")).await.unwrap();
    let (visitor, stranger) = (stack.visitor("lin"), stack.visitor("lin"));
    visitor.log_in_with_profile().await.unwrap();
    let ours: Extra<'_> = &[JSON, VARY, CREDENTIALS, ORIGIN, EXPOSED];
    let problem: Extra<'_> = &[PROBLEM, VARY, CREDENTIALS, ORIGIN, EXPOSED];
    let get = |query: &str| fetch(Method::GET, &format!("{USERINFO}{query}"), PAGE_ORIGIN);
    assert_visit(&visitor, get(""), 200, ours).await.unwrap();
    assert_visit(&visitor, get("?lang=x"), 400, problem).await.unwrap();
    assert_visit(&stranger, get(""), 401, problem).await.unwrap();
    let unnamed = open(USERINFO).header("accept", "*/*");
    assert_visit(&visitor, unnamed.clone(), 200, &[JSON, VARY]).await.unwrap();
    assert_visit(&stranger, unnamed, 401, &[PROBLEM, VARY]).await.unwrap();
    let foreign = fetch(Method::GET, USERINFO, "https://evil.example");
    assert_visit(&visitor, foreign, 403, &[PROBLEM, VARY]).await.unwrap();

    let profile: Extra<'_> = &[
        ("content-security-policy", AVATAR),
        ("content-type", "text/html; charset=utf-8"),
        ("referrer-policy", "same-origin"),
        VARY,
    ];
    assert_visit(&visitor, open(USERINFO), 200, profile).await.unwrap();
    let page: Extra<'_> = &[PAGE[0], PAGE[1], VARY];
    assert_visit(&stranger, open(USERINFO), 401, page).await.unwrap();
    assert_visit(&stranger, open(&format!("{USERINFO}?lang=x")), 400, page).await.unwrap();

    let methods = ("access-control-allow-methods", "GET, DELETE");
    let preflight = fetch(Method::OPTIONS, USERINFO, PAGE_ORIGIN);
    let granted: Extra<'_> = &[VARY, CREDENTIALS, ORIGIN, EXPOSED, methods, ALLOWED_HEADERS, MAX_AGE];
    assert_visit(&visitor, preflight, 204, granted).await.unwrap();
    let foreign = fetch(Method::OPTIONS, USERINFO, "https://evil.example");
    assert_visit(&visitor, foreign, 403, &[PROBLEM, VARY]).await.unwrap();

    stack.simulator().knobs(|knobs| knobs.userinfo_answers_other_openid = true);
    assert_visit(&visitor, get(""), 403, problem).await.unwrap();
    assert_visit(&visitor, open(USERINFO), 403, page).await.unwrap();

    let erased: Extra<'_> = &[VARY, CREDENTIALS, ORIGIN, EXPOSED, ("set-cookie", ANY)];
    assert_visit(&visitor, fetch(Method::DELETE, USERINFO, PAGE_ORIGIN), 204, erased).await.unwrap();
    let foreign = fetch(Method::DELETE, USERINFO, "https://evil.example");
    assert_visit(&visitor, foreign, 403, &[PROBLEM, VARY]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_logout_answers_with_these_headers() {
    let (_stack, visitor) = visited().await.unwrap();
    let cleared = ("set-cookie", ANY);
    let script = fetch(Method::POST, LOGOUT, PAGE_ORIGIN);
    let ours: Extra<'_> = &[VARY, CREDENTIALS, ORIGIN, EXPOSED, cleared];
    assert_visit(&visitor, script, 204, ours).await.unwrap();
    let form = Visit::form(LOGOUT, PUBLIC_URL, &[]);
    let own = ("access-control-allow-origin", PUBLIC_URL);
    let home = ("location", HOME);
    assert_visit(&visitor, form, 303, &[VARY, CREDENTIALS, own, EXPOSED, cleared, home]).await.unwrap();
    for visit in [
        fetch(Method::POST, LOGOUT, "https://evil.example"),
        fetch(Method::OPTIONS, LOGOUT, "https://evil.example"),
    ] {
        assert_visit(&visitor, visit, 403, &[PROBLEM, VARY]).await.unwrap();
    }
    let form = Visit::form(LOGOUT, "https://evil.example", &[]);
    assert_visit(&visitor, form, 403, &[PAGE[0], PAGE[1], VARY]).await.unwrap();
    let methods = ("access-control-allow-methods", "POST");
    let preflight = fetch(Method::OPTIONS, LOGOUT, PAGE_ORIGIN);
    let granted: Extra<'_> = &[VARY, CREDENTIALS, ORIGIN, EXPOSED, methods, ALLOWED_HEADERS, MAX_AGE];
    assert_visit(&visitor, preflight, 204, granted).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_site_answers_with_these_headers() {
    let verification = "MP_verify_0123456789abcdef.txt=0123456789abcdef";
    let stack = Stack::start(Options::default().with("SITE_VERIFICATION", verification)).await.unwrap();
    let visitor = stack.visitor("lin");
    let home: Extra<'_> = &[
        ("content-security-policy", FORM),
        ("content-type", "text/html; charset=utf-8"),
        ("referrer-policy", "same-origin"),
        ("x-version", env!("CARGO_PKG_VERSION")),
    ];
    assert_visit(&visitor, open(HOME), 200, home).await.unwrap();
    for (reason, status, extra) in [
        ("login_expired", 200, PAGE),
        ("code_repeated", 200, PAGE),
        ("snapshot", 200, PAGE),
        ("not_a_page", 200, FRAMED_PAGE),
        ("unexpected", 200, PAGE),
        ("wechat_unavailable", 200, PAGE),
        ("<script>", 400, PAGE),
    ] {
        let url = format!("{HOME}error?reason={reason}");
        assert_visit(&visitor, open(&url), status, extra).await.unwrap();
    }
    let file: Extra<'_> = &[("content-type", "text/plain; charset=utf-8")];
    assert_visit(&visitor, open(&format!("{HOME}MP_verify_0123456789abcdef.txt")), 200, file).await.unwrap();
    assert_visit(&visitor, open(&format!("{HOME}favicon.ico")), 404, PAGE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_unavailable_answers_with_these_headers() {
    let stack = Stack::start(without_tables(Options::default())).await.unwrap();
    let visitor = stack.visitor("lin");
    assert_visit(&visitor, open(AUTHORIZE), 503, BUSY_PAGE).await.unwrap();
    let secret = "5e5510fa".repeat(8);
    let cookies = format!("__Host-browser={secret}; __Host-session={secret}");
    let callback = format!("https://login.example.com/callback?code=0a&state={secret}");
    let arrival = open(&callback).header("cookie", &cookies);
    assert_visit(&visitor, arrival, 303, &[("location", ANY)]).await.unwrap();
    let busy = ("retry-after", "10");
    let problem: Extra<'_> = &[PROBLEM, VARY, CREDENTIALS, ORIGIN, EXPOSED, busy];
    for (method, url) in [(Method::GET, USERINFO), (Method::POST, LOGOUT)] {
        let visit = fetch(method, url, PAGE_ORIGIN).header("cookie", &cookies);
        assert_visit(&visitor, visit, 503, problem).await.unwrap();
    }
    let page = open(USERINFO).header("cookie", &cookies);
    assert_visit(&visitor, page, 503, &[BUSY_PAGE[0], BUSY_PAGE[1], busy, VARY]).await.unwrap();
}
