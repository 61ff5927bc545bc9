//! Events: whatever API Gateway hands over, each function gives one answer, and a safe one.
//!
//! The input is an event as JSON. It goes through the outer layer and the function whose route it names,
//! as they are deployed, up to the first thing that would have to be waited for: the deadline is over at once, and
//! who still waits then is answered 503. So no table and no network is needed, and everything that
//! the bytes of an event decide alone is run. What a conversion that panics is answered with is a
//! promise; a panic anywhere else is a defect, even if the outer layer catches that as well.

pub mod mutate;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Once};
use std::time::{Duration, SystemTime};

use authorize::Authorize;
use callback::Callback;
use handoff::Handoff;
use lambda as runtime;
use lambda::Function;
use lambda_http::{Context, LambdaEvent};
use logout::Logout;
use openid::Openid;
use serde_json::Value;
use settings::Settings;
use site::Site;
use template::{Route, Template};
use token::Token;
use tokio::runtime::Runtime;
use userinfo::Userinfo;

use crate::provider;

/// The name that Lambda gives the request.
const REQUEST_ID: &str = "8f5e6a0c-0000-4000-8000-000000000000";
/// When the request arrives.
const NOW: SystemTime = SystemTime::UNIX_EPOCH;
/// How long before a deadline the outer layer answers by itself; this is when it is at once.
const MARGIN: Duration = Duration::from_millis(1500);

/// Where an answer may send a browser.
const ORIGINS: [&str; 4] = [
    "https://login.example.com",
    "https://www.example.com",
    "https://open.weixin.qq.com",
    // A registered client's.
    "https://app.example.org",
];

/// What takes the session cookie away.
const SESSION_CLEARED: &str = "__Host-session=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax";

/// How a document is kept that never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// What every answer carries.
const HEADERS: [(&str, &str); 6] = [
    ("cache-control", "no-store"),
    ("cross-origin-resource-policy", "same-origin"),
    ("strict-transport-security", "max-age=63072000"),
    ("x-content-type-options", "nosniff"),
    ("x-correlation-id", REQUEST_ID),
    ("x-robots-tag", "noindex"),
];

/// Whether something panicked that may not.
static HAS_PANICKED: AtomicBool = AtomicBool::new(false);

/// Tries one event: with the function whose route it names, or else with any.
///
/// # Panics
///
/// When a function panics, gives no answer, or one that is not safe.
pub fn run(input: &[u8]) {
    static FUNCTIONS: LazyLock<Functions> = LazyLock::new(Functions::start);
    watch_panics();
    let Ok(event) = serde_json::from_slice::<Value>(input) else { return };
    let functions = &*FUNCTIONS;
    let path = event.get("rawPath").and_then(Value::as_str).unwrap_or_default();
    let named = functions.routes.iter().find(|route| route.path == path).map(|route| &route.binary);
    let all = &functions.names;
    match named.or_else(|| all.get(sum(input) % all.len().max(1))).map(String::as_str) {
        Some(Authorize::NAME) => functions.ask(&functions.authorize, &event),
        Some(Callback::NAME) => functions.ask(&functions.callback, &event),
        Some(Userinfo::NAME) => functions.ask(&functions.userinfo, &event),
        Some(Logout::NAME) => functions.ask(&functions.logout, &event),
        Some(Token::NAME) => functions.ask(&functions.token, &event),
        Some(Openid::NAME) => functions.ask(&functions.openid, &event),
        Some(Handoff::NAME) => functions.ask(&functions.handoff, &event),
        Some(Site::NAME) => functions.ask(&functions.site, &event),
        other => unreachable!("the template has {other:?}, which is not started here"),
    }
}

/// The sum of all bytes.
fn sum(input: &[u8]) -> usize {
    input.iter().map(|byte| usize::from(*byte)).sum()
}

/// Tells panics of the conversion, which are foreseen, from all others.
fn watch_panics() {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let file = panic.location().map_or("", |place| place.file());
            let is_conversion = file.contains("/lambda_http-") || file.contains("/aws_lambda_events-");
            if !is_conversion {
                HAS_PANICKED.store(true, Ordering::SeqCst);
                hook(panic);
            }
        }));
    });
}

/// The functions that answer, started.
struct Functions {
    /// The routes of the template, and the functions that answer them.
    routes: Vec<Route>,
    names: Vec<String>,
    runtime: Runtime,
    authorize: Authorize,
    callback: Callback,
    userinfo: Userinfo,
    logout: Logout,
    site: Site,
    token: Token,
    openid: Openid,
    handoff: Handoff,
}

impl Functions {
    fn start() -> Self {
        let endpoint = variable("AWS_ENDPOINT_URL_DYNAMODB").unwrap_or_default();
        assert!(
            endpoint.starts_with("http://127.0.0.1:"),
            "AWS_ENDPOINT_URL_DYNAMODB must name a port of this machine; `make fuzz` sees to it"
        );
        let runtime = must(tokio::runtime::Builder::new_current_thread().enable_all().build());
        let _entered = runtime.enter();
        let template = must(Template::of_the_project());
        Self {
            routes: template.routes(),
            names: template.answering().into_iter().map(|function| function.binary).collect(),
            authorize: start(&runtime),
            callback: start(&runtime),
            userinfo: start(&runtime),
            logout: start(&runtime),
            site: start(&runtime),
            token: start(&runtime),
            openid: start(&runtime),
            handoff: start(&runtime),
            runtime,
        }
    }

    /// Hands an event to a function as Lambda does, and looks at the answer.
    fn ask<F: Function>(&self, function: &F, event: &Value) {
        let Ok(event) = serde_json::value::to_raw_value(event) else { return };
        let mut context = Context::default();
        REQUEST_ID.clone_into(&mut context.request_id);
        context.deadline = u64::try_from(MARGIN.as_millis()).unwrap_or_default();
        let event = LambdaEvent::new(event, context);
        let answer = self.runtime.block_on(runtime::answer(function, &Arc::default(), event, || NOW));
        assert!(!HAS_PANICKED.load(Ordering::SeqCst), "{} panicked", F::NAME);
        check(F::NAME, &serde_json::to_value(&answer).unwrap_or_default());
    }
}

/// What every answer has to be.
fn check(function: &str, answer: &Value) {
    let told = format!("{function} answered {answer}");
    let status = answer.get("statusCode").and_then(Value::as_u64).unwrap_or_default();
    assert!(matches!(status, 200 | 204 | 302 | 303 | 304 | 400 | 401 | 403 | 404 | 500 | 503), "{told}");
    let header =
        |name: &str| answer.get("headers").and_then(|headers| headers.get(name)).and_then(Value::as_str);
    // A document that says nothing of anybody is for everybody.
    let is_public = matches!(status, 200 | 304) && header("access-control-allow-origin") == Some("*");
    for (name, value) in HEADERS {
        let value = match name {
            // A script that is named by its version never changes.
            "cache-control" if is_public && header(name) == Some(FOR_EVER) => FOR_EVER,
            "cache-control" if is_public => "public, max-age=3600",
            "cross-origin-resource-policy" if is_public => "cross-origin",
            _ => value,
        };
        assert_eq!(header(name), Some(value), "{name}: {told}");
    }
    for name in ["content-security-policy", "referrer-policy"] {
        assert!(header(name).is_some(), "{name}: {told}");
    }
    assert_eq!(header("retry-after").is_some(), status == 503, "{told}");

    // Pages on which nothing goes on have a window of their own: anything else must not cut a popup off from its
    // opener.
    let is_page = header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
    let policy = header("cross-origin-opener-policy");
    assert!(policy.is_none_or(|policy| is_page && status == 200 && policy == "same-origin"), "{told}");

    let location = header("location");
    assert_eq!(location.is_some(), matches!(status, 302 | 303), "{told}");
    let leads_astray = location.is_some_and(|location| {
        let rest = ORIGINS.iter().find_map(|origin| location.strip_prefix(origin));
        !rest.is_some_and(|rest| rest.starts_with('/'))
    });
    assert!(!leads_astray, "{told}");

    // Nobody is logged in here. A cookie may be taken away, by a page that may.
    let cookies = answer.get("cookies").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    // The browser gets a new secret along with it.
    let is_secret =
        |cookie: &Value| cookie.as_str().is_some_and(|cookie| cookie.starts_with("__Host-browser="));
    let is_cleared =
        matches!(cookies, [session, browser] if session == SESSION_CLEARED && is_secret(browser));
    let is_allowed = is_cleared && header("access-control-allow-origin").is_some();
    assert!(cookies.is_empty() || is_allowed, "{told}");

    let body = answer.get("body").and_then(Value::as_str).unwrap_or_default();
    if is_page {
        // The one that these functions have: of a frame for which there is no QR code.
        let known = format!("<script>{}</script>", include_str!("../../../shared/web/templates/no_code.js"));
        let body = body.replace(&known, "").to_ascii_lowercase();
        assert!(!body.contains("<script") && !body.contains("javascript:"), "{told}");
    }
}

/// A function that is set to what all of them need.
fn start<F: Function>(runtime: &Runtime) -> F {
    let provider = provider::configuration();
    let variable = |name: &str| {
        let value = match name {
            "PUBLIC_URL" => "https://login.example.com",
            "ALLOWED_ORIGINS" => "https://www.example.com",
            "DEFAULT_RETURN_TO" => "https://www.example.com/me",
            "LOGINS_TABLE" => "logins",
            "SESSIONS_TABLE" => "sessions",
            "OFFICIAL_ACCOUNT_APP_ID" => "wx0000000000000aaa",
            "WEBSITE_APP_ID" => "wx0000000000000bbb",
            "ACCOUNTS" => r#"{"shop":{"official_account":"wx0000000000000ccc"}}"#,
            "APP_SECRETS" => {
                r#"{"wx0000000000000aaa":"a","wx0000000000000bbb":"b","wx0000000000000ccc":"c"}"#
            }
            "OPENID_CONNECT" => &provider,
            "SIGNING_KEYS" => "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-4000-8000-000000000000",
            "SITE_VERIFICATION" => "MP_verify_0123456789abcdef.txt=0123456789abcdef",
            // Nobody listens there either.
            "WECHAT_API_URL" => "http://127.0.0.1:9",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let mut settings = Settings::new(&variable);
    let config = F::configure(&mut settings);
    must(runtime.block_on(F::start(must(settings.checked(config)))))
}

/// Nothing can be tried if the functions do not start.
#[expect(clippy::expect_used, reason = "there is nobody to answer but the person who started this")]
fn must<T, E: std::fmt::Debug>(started: Result<T, E>) -> T {
    started.expect("the functions start")
}

#[expect(clippy::disallowed_methods, reason = "the SDK reads the same variable, and it must be right")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
