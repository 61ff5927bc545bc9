//! What the tests of several routes share.

use harness::{
    Answer, Browser, Failure, Options, Result, Stack,
    stack::{PAGE_ORIGIN, PUBLIC_URL},
};
use http::HeaderMap;
use serde_json::Value;
use simulator::{Consent, Entry};

/// Where a login begins.
pub const AUTHORIZE: &str = "https://login.example.com/authorize";
/// Where a script asks who is logged in.
pub const USERINFO: &str = "https://login.example.com/userinfo";
/// Where a session ends.
pub const LOGOUT: &str = "https://login.example.com/logout";
/// WeChat's endpoints, by the paths under which the ledger has them.
pub const EXCHANGE: &str = "/sns/oauth2/access_token";
pub const REFRESH: &str = "/sns/oauth2/refresh_token";
pub const PROFILE: &str = "/sns/userinfo";
pub const AUTH: &str = "/sns/auth";
/// The two cookies.
pub const BROWSER_COOKIE: &str = "__Host-browser";
pub const SESSION_COOKIE: &str = "__Host-session";
/// What is sent for a cookie of these names that goes: the same attributes it was set with.
pub const SESSION_CLEARED: &str = "__Host-session=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax";

/// What every answer carries, whatever it is; the three that a page may choose are not among them.
pub const ALWAYS: [(&str, &str); 6] = [
    ("cache-control", "no-store"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("strict-transport-security", "max-age=63072000"),
    ("x-content-type-options", "nosniff"),
    ("x-robots-tag", "noindex"),
];

/// The usual stack.
pub async fn stack() -> Result<Stack> {
    Stack::start(Options::default()).await
}

/// A stack whose people allow everything at once, and profiles are read again on every occasion.
pub async fn stack_that_reads_again() -> Result<Stack> {
    let stack = Stack::start(Options::default().with("PROFILE_LIFETIME_SECONDS", "0")).await?;
    allow(&stack);
    Ok(stack)
}

/// Lets everybody agree without being asked.
pub fn allow(stack: &Stack) {
    stack.simulator().knobs(|knobs| knobs.consent = Consent::Allow);
}

/// Logs this browser in, silently.
pub async fn log_in(browser: &Browser) -> Result<Vec<Answer>> {
    log_in_at(browser, AUTHORIZE).await
}

/// Logs this browser in with its profile; the stack has to [`allow`] it.
pub async fn log_in_with_profile(browser: &Browser) -> Result<Vec<Answer>> {
    log_in_at(browser, "https://login.example.com/authorize?scope=snsapi_userinfo").await
}

/// Logs this browser in by this link; the answers, hop by hop.
pub async fn log_in_at(browser: &Browser, url: &str) -> Result<Vec<Answer>> {
    let hops = browser.follow(url).await?;
    let places: Vec<_> = hops.iter().map(|hop| format!("{} {}", hop.status, hop.url)).collect();
    let is_there = hops.last().is_some_and(|hop| hop.url.as_str().starts_with(PAGE_ORIGIN));
    if !is_there || browser.cookie(SESSION_COOKIE).is_none() {
        return Err(Failure::new(format!("no login:\n{}", places.join("\n"))));
    }
    Ok(hops)
}

/// Asks who is logged in, as a script on the team's page does.
pub async fn userinfo(browser: &Browser) -> Result<Answer> {
    browser.fetch(USERINFO, PAGE_ORIGIN).await
}

/// The address under which WeChat called back in this login.
pub fn callback_of(hops: &[Answer]) -> Result<String> {
    let callback = hops.iter().find(|hop| hop.url.path() == "/callback");
    let callback = callback.ok_or_else(|| Failure::new("nobody called back"))?;
    Ok(callback.url.to_string())
}

/// The requests to one of WeChat's endpoints, in order.
pub fn requests(stack: &Stack, path: &str) -> Vec<Entry> {
    stack.simulator().ledger().into_iter().filter(|entry| entry.path == path).collect()
}

/// The items of the table of logins.
pub fn logins(stack: &Stack) -> Result<Vec<Value>> {
    stack.database().items(stack.table("LoginsTable")?)
}

/// The items of the table of sessions.
pub fn sessions(stack: &Stack) -> Result<Vec<Value>> {
    stack.database().items(stack.table("SessionsTable")?)
}

/// The one session there is.
pub fn only_session(stack: &Stack) -> Result<Value> {
    let mut sessions = sessions(stack)?;
    match (sessions.pop(), sessions.len()) {
        (Some(session), 0) => Ok(session),
        (_, more) => Err(Failure::new(format!("{more} more sessions than one"))),
    }
}

/// The text of an attribute of an item, whatever its type.
pub fn attribute<'a>(item: &'a Value, name: &str) -> &'a str {
    let value = item.get(name).and_then(Value::as_object).and_then(|value| value.values().next());
    value.and_then(Value::as_str).unwrap_or_default()
}

/// The number of an attribute of an item.
pub fn number(item: &Value, name: &str) -> Result<u64> {
    let text = attribute(item, name);
    text.parse().map_err(|error| Failure::from(error).during(format!("{name} is {text:?}")))
}

/// The item with another value of one attribute.
pub fn with(mut item: Value, name: &str, value: Value) -> Value {
    if let Some(attributes) = item.as_object_mut() {
        attributes.insert(name.to_owned(), value);
    }
    item
}

/// Held by tests that start many processes at once: two such crowds on one small machine would time out
/// over each other, which is not what either is about.
pub static CROWD: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// What lets the page stand in a frame that says that the login was not opened as a page of its own.
pub const NOT_A_PAGE_FRAMES: &str = "frame-ancestors *";

/// Holds an answer of ours against what every answer carries.
pub fn assert_secured(headers: &HeaderMap, what: &str) {
    for (name, value) in ALWAYS {
        assert_eq!(text(headers, name), Some(value), "{name} of {what}");
    }
    let policy = text(headers, "content-security-policy").unwrap_or_default();
    for part in ["default-src 'none'", "base-uri 'none'", "form-action '", "frame-ancestors "] {
        assert!(policy.contains(part), "{policy} of {what}");
    }
    // WeChat's avatars; and the one page that must show itself inside another to say why it must not.
    let known = policy.replace("https://*.qlogo.cn", "").replace(NOT_A_PAGE_FRAMES, "");
    assert!(!known.contains("unsafe") && !known.contains('*'), "{policy} of {what}");
    let referrer = text(headers, "referrer-policy");
    assert!(matches!(referrer, Some("no-referrer" | "same-origin")), "{referrer:?} of {what}");
    let id = text(headers, "x-correlation-id").unwrap_or_default();
    assert_eq!(id.len(), 36, "the correlation id {id:?} of {what}");
}

/// A header's value.
pub fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The link to a login that ends here.
pub fn authorize_to(return_to: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("return_to", return_to).finish();
    format!("{PUBLIC_URL}/authorize?{query}")
}

/// Origins that no page of the team's has, however much some of them look like it.
pub const FOREIGN_ORIGINS: [&str; 12] = [
    "null",
    "*",
    "https://evil.example",
    "https://www.example.com.evil.example",
    "https://evil-www.example.com",
    "https://sub.www.example.com",
    "https://www.example.com/",
    "https://WWW.EXAMPLE.COM",
    "https://www.example.com:443",
    "http://www.example.com",
    "https://www.example.com, https://www.example.com",
    "www.example.com",
];

/// API Gateway's event of a script's request with this browser's cookies and without an `Origin`, which no
/// browser leaves out.
pub fn event_without_origin(browser: &Browser, method: &str, path: &str) -> Value {
    let cookies = browser
        .cookies()
        .iter()
        .map(|cookie| format!("{}={}", cookie.name, cookie.value))
        .collect::<Vec<_>>();
    serde_json::json!({
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": { "host": "login.example.com", "sec-fetch-site": "same-origin" },
        "cookies": cookies,
        "requestContext": {
            "domainName": "login.example.com",
            "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.9", "userAgent": "" },
            "stage": "$default", "timeEpoch": 0,
        },
        "isBase64Encoded": false,
    })
}
