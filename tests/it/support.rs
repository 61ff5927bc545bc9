//! What the tests of several routes share.

use std::path::PathBuf;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::Credentials;
use harness::{
    Answer, Browser, Failure, Options, Result, Stack, Visitor,
    binaries::workspace,
    browser::Visit,
    logs::Line,
    places::{ALWAYS, BROWSER_COOKIE, OPENER_POLICY, REFRESH, SESSION_CLEARED, SESSION_COOKIE},
    stack::errcode,
};
use http::HeaderMap;
use serde_json::Value;
use simulator::{Action, Consent};
use tempfile::TempDir;
use web::{
    language::Language,
    reason::Reason,
    words::{self, Labels, elsewhere},
};

/// What stands on the pages of who does not say which language to use.
pub const LABELS: Labels = Labels::of(Language::Chinese);

/// The usual stack.
pub async fn stack() -> Result<Stack> {
    Stack::start(Options::default()).await
}

/// The usual stack, and somebody in WeChat who has not been there.
pub async fn visited() -> Result<(Stack, Visitor)> {
    let stack = stack().await?;
    let visitor = stack.visitor("lin");
    Ok((stack, visitor))
}

/// The usual stack, and somebody who has logged in silently.
pub async fn logged_in() -> Result<(Stack, Visitor)> {
    let (stack, visitor) = visited().await?;
    visitor.log_in().await?;
    Ok((stack, visitor))
}

/// The usual stack, and somebody who has logged in with the profile.
pub async fn logged_in_with_profile() -> Result<(Stack, Visitor)> {
    let (stack, visitor) = visited().await?;
    visitor.log_in_with_profile().await?;
    Ok((stack, visitor))
}

/// A stack whose people allow everything at once, and profiles are read again on every occasion.
pub async fn stack_that_reads_again() -> Result<Stack> {
    let stack = Stack::start(Options::default().with("PROFILE_LIFETIME_SECONDS", "0")).await?;
    allow(&stack);
    Ok(stack)
}

/// The same with a DynamoDB that is away.
pub fn without_tables(options: Options) -> Options {
    // A port that no program is given.
    options.with("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")
}

/// How the SDK reaches an AWS service on this machine.
pub async fn aws(endpoint: &str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "tests"))
        .endpoint_url(endpoint)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .load()
        .await
}

/// The template with a Lambda that waits a few seconds and no longer.
pub struct Hasty {
    /// Where it is, for as long as this lives.
    pub path: PathBuf,
    _directory: TempDir,
}

/// Makes one, in which no function waits longer.
pub fn hasty(seconds: u8) -> Result<Hasty> {
    in_haste(|template| template.replace("    Timeout: 10\n", &format!("    Timeout: {seconds}\n")))
}

/// Makes one in which these functions wait no longer, by their names there.
pub fn hasty_in(functions: &[&str], seconds: u8) -> Result<Hasty> {
    in_haste(|template| {
        functions.iter().fold(template.to_owned(), |template, function| {
            let role = format!("      Role: !GetAtt {function}Role.Arn\n");
            template.replace(&role, &format!("{role}      Timeout: {seconds}\n"))
        })
    })
}

fn in_haste(change: impl Fn(&str) -> String) -> Result<Hasty> {
    let template = std::fs::read_to_string(workspace().join("template.yaml"))?;
    let hasty = change(&template);
    if hasty == template {
        return Err(Failure::new("the template is not written as it was"));
    }
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("template.yaml");
    std::fs::write(&path, hasty)?;
    Ok(Hasty { path, _directory: directory })
}

/// Lets everybody agree without being asked.
pub fn allow(stack: &Stack) {
    stack.simulator().knobs(|knobs| knobs.consent = Consent::Allow);
}

/// A request that says it comes from here and brings this browser's cookies, whatever a browser's own rules
/// would be.
pub fn forged(visitor: &Visitor, visit: Visit, origin: &str) -> Visit {
    let cookies = [(BROWSER_COOKIE, visitor.secret()), (SESSION_COOKIE, visitor.session())];
    let cookies = cookies.map(|(name, value)| format!("{name}={}", value.unwrap_or_default()));
    visit.header("origin", origin).header("cookie", &cookies.join("; "))
}

/// What an answer lets a script of another page do: those of its headers, in order of their names.
pub fn allowances(answer: &Answer) -> Vec<(&str, &str)> {
    let headers = answer.headers.iter().filter(|(name, _)| name.as_str().starts_with("access-control-"));
    let mut found: Vec<_> =
        headers.map(|(name, value)| (name.as_str(), value.to_str().unwrap_or("?"))).collect();
    found.sort_unstable();
    found
}

/// Has lin's grant end in the way that WeChat tells by this errcode.
pub fn end_grant(stack: &Stack, cause: i64) {
    match cause {
        40030 => stack.simulator().act(&Action::RevokeRefreshTokens),
        42002 => {
            stack.simulator().knobs(|knobs| knobs.expired_refresh_token_errcode = 42002);
            stack.simulator().act(&Action::ExpireRefreshTokens);
        }
        42007 => stack.simulator().act(&Action::ChangePassword { person: "lin".to_owned() }),
        _ => stack.script(REFRESH, errcode(cause), 1),
    }
}

/// Waits for a line in the log that holds this, and is an alarm.
pub async fn alarm(stack: &Stack, text: &str) -> Result<Line> {
    let line = stack.logs().wait_for(text).await?;
    if line.text.contains(r#""level":"ERROR""#) { Ok(line) } else { Err(Failure::new(line.text)) }
}

/// The one session there is.
pub fn only_session(stack: &Stack) -> Result<Value> {
    let mut sessions = stack.sessions()?;
    match (sessions.pop(), sessions.len()) {
        (Some(session), 0) => Ok(session),
        (_, more) => Err(Failure::new(format!("{more} more sessions than one"))),
    }
}

/// Held by tests that start many processes at once: two such crowds on one small machine would time out
/// over each other, which is not what either is about.
pub static CROWD: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// What lets the page stand in a frame that says that the login was not opened as a page of its own.
pub const NOT_A_PAGE_FRAMES: &str = "frame-ancestors *";

/// Holds an answer against a problem document of this status and this type.
pub fn assert_problem(answer: &Answer, status: u16, reason: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/problem+json; charset=utf-8"));
    let kind = answer.json().ok().and_then(|problem| problem.get("type").cloned());
    assert_eq!(kind, Some(format!("urn:wechat-login:{reason}").into()));
    assert_eq!(answer.header("retry-after"), (status == 503).then_some("10"));
}

/// Holds an answer of ours against what every answer carries.
pub fn assert_secured(headers: &HeaderMap, what: &str) {
    assert_secured_but(headers, &[], what);
}

/// The same, but for these headers, which a public document sets itself.
pub fn assert_secured_but(headers: &HeaderMap, but: &[&str], what: &str) {
    for (name, value) in ALWAYS.into_iter().filter(|(name, _)| !but.contains(name)) {
        assert_eq!(text(headers, name), Some(value), "{name} of {what}");
    }
    let is_page = text(headers, "content-type").is_some_and(|kind| kind.starts_with("text/html"));
    let (name, value) = OPENER_POLICY;
    // On pages on which nothing goes on, and on no other: a popup is not to be cut off from its opener.
    assert!(text(headers, name).is_none_or(|found| is_page && found == value), "{name} of {what}");
    let policy = text(headers, "content-security-policy").unwrap_or_default();
    for part in ["default-src 'none'", "base-uri 'none'", "form-action '", "frame-ancestors "] {
        assert!(policy.contains(part), "{policy} of {what}");
    }
    // WeChat's avatars; and the one page that must show itself inside another to say why it must not.
    let known = policy.replace("https://*.qlogo.cn https://*.qpic.cn", "").replace(NOT_A_PAGE_FRAMES, "");
    assert!(!known.contains("unsafe") && !known.contains('*'), "{policy} of {what}");
    let referrer = text(headers, "referrer-policy");
    assert!(matches!(referrer, Some("no-referrer" | "same-origin")), "{referrer:?} of {what}");
    let id = text(headers, "x-correlation-id").unwrap_or_default();
    assert_eq!(id.len(), 36, "the correlation id {id:?} of {what}");
}

/// Holds the cookies of an answer against those of one that ended a session: its own goes, and the browser gets a new
/// secret for a day.
pub fn assert_left(answer: &Answer) {
    let cookies = answer.set_cookies();
    assert_eq!(cookies.first().map(String::as_str), Some(SESSION_CLEARED), "{cookies:?}");
    assert_eq!(cookies.len(), 2, "{cookies:?}");
    let browser = cookies.last().and_then(|cookie| cookie.strip_prefix("__Host-browser=")?.split_once("; "));
    let (secret, attributes) = browser.unwrap_or_default();
    assert_eq!(attributes, "Path=/; Max-Age=86400; Secure; HttpOnly; SameSite=Lax");
    assert!(is_browser_secret(secret), "{secret}");
}

/// Whether a text is what a browser's cookie holds: seconds since the Unix epoch and 64 hex digits.
pub fn is_browser_secret(text: &str) -> bool {
    let is_hex =
        |text: &str| text.len() == 64 && text.bytes().all(|byte| b"0123456789abcdef".contains(&byte));
    text.split_once('.').is_some_and(|(born, secret)| {
        born.len() == 10 && born.bytes().all(|byte| byte.is_ascii_digit()) && is_hex(secret)
    })
}

/// A header's value.
pub fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
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

/// The heading of the page of a reason, in the language of who names none.
pub const fn title(reason: Reason) -> &'static str {
    reason.words(Language::Chinese).title
}

/// The same, where nobody was logging in and what was opened can be opened once more.
pub const fn title_elsewhere(reason: Reason) -> &'static str {
    elsewhere::words(Language::Chinese, reason, true).title
}

/// The heading of the page of a login that would end on a page of nobody's.
pub const fn title_unregistered() -> &'static str {
    words::unregistered(Language::Chinese).title
}

/// The label of the button of a page that says why something did not go through, if it has one, and where it leads.
pub fn button(page: &Answer) -> Option<(&'static str, String)> {
    let text = page.text();
    let (_, rest) = text.split_once("<a class=\"button")?;
    let (_, rest) = rest.split_once("href=\"")?;
    let (href, rest) = rest.split_once('"')?;
    let (_, rest) = rest.split_once('>')?;
    let (label, _) = rest.split_once("</a>")?;
    let known = Labels::all(Language::Chinese).iter().find(|(_, known)| *known == label);
    known.map(|(_, label)| (*label, href.replace("&#38;", "&")))
}

/// What can be read on a page: its text, with apostrophes as they are seen.
pub fn read(page: &str) -> String {
    page.replace("&#39;", "'")
}
