//! A third-party platform that acts for the Official Account: it shows its own token where the account
//! would show its secret.

#![expect(clippy::unwrap_used, reason = "the helpers of these tests fail as the tests do")]

use harness::{
    Options, Result, Stack,
    places::{
        AUTHORIZE, COMPONENT_EXCHANGE, COMPONENT_REFRESH, EXCHANGE, FRESH_LOGIN, PROFILE, QR_PAGE, REFRESH,
        parameter,
    },
    secrets_manager::SecretsManager,
    stack::{OFFICIAL_ACCOUNT, WEBSITE_APP, errcode},
    visitor::callback_of,
};
use serde_json::Value;
use simulator::{Action, Entry, Snapshot};
use web::reason::Reason;

use crate::desktop::desktop;
use crate::support::{alarm, allow, assert_problem, title};

const COMPONENT: &str = "wx0000000000000ddd";
const TOKEN: &str = "90_component0000000000000000000000000000";
const TOKENS: &str = r#"{"wx0000000000000ddd":"90_component0000000000000000000000000000"}"#;
const MISCONFIGURED: &str = "https://login.example.com/error?reason=misconfigured&id=";

fn options() -> Options {
    Options::default().with("COMPONENT_APP_ID", COMPONENT).with("COMPONENT_TOKENS", TOKENS)
}

async fn stack() -> Stack {
    start(options()).await
}

async fn start(options: Options) -> Stack {
    let stack = Stack::start(options).await.unwrap();
    allow(&stack);
    stack
}

/// The names of a request's parameters, in order.
fn names(entry: &Entry) -> Vec<&str> {
    entry.query.iter().map(|(name, _)| name.as_str()).collect()
}

/// Where the callback of a new visitor's login leads.
async fn leads_to(stack: &Stack) -> Result<String> {
    let visitor = stack.visitor("lin");
    let answer = visitor.open(&visitor.come_back(AUTHORIZE).await?).await?;
    Ok(answer.location().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_platform_is_named_last_and_exchanges_without_a_secret() {
    let stack = stack().await;
    let visitor = stack.visitor("lin");
    let hops = visitor.log_in_with_profile().await.unwrap();
    let location = hops[0].location().unwrap();
    assert!(
        location.ends_with("&connect_redirect=1&component_appid=wx0000000000000ddd#wechat_redirect"),
        "{location}"
    );
    // WeChat says whose person it is; nobody has to.
    assert_eq!(parameter(&callback_of(&hops).unwrap(), "appid"), OFFICIAL_ACCOUNT);

    assert!(stack.requests(EXCHANGE).is_empty());
    let [exchange] = stack.requests(COMPONENT_EXCHANGE).try_into().unwrap();
    assert_eq!(
        names(&exchange),
        ["appid", "code", "grant_type", "component_appid", "component_access_token"]
    );
    for (name, value) in [
        ("appid", OFFICIAL_ACCOUNT),
        ("grant_type", "authorization_code"),
        ("component_appid", COMPONENT),
        ("component_access_token", TOKEN),
    ] {
        assert_eq!(exchange.parameter(name), Some(value));
    }
    let shown = visitor.shown().await.unwrap();
    assert_eq!(shown["openid"], stack.simulator().openid("lin", OFFICIAL_ACCOUNT));
    assert_eq!(shown["unionid"], stack.simulator().unionid("lin", OFFICIAL_ACCOUNT).unwrap());
    assert_eq!((&shown["nickname"], stack.requests(PROFILE).len()), (&Value::from("小满🌾"), 1));

    let dump = format!("{:?}", stack.database().dump().unwrap());
    assert!(!dump.contains(TOKEN));
    assert!(!stack.stop().await.text().contains(TOKEN));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_switches_stand_before_the_platform() {
    let stack = stack().await;
    let query = "?scope=snsapi_userinfo&forceSnapShot=true&forcePopup=true";
    let answer = stack.visitor("lin").open(&format!("{AUTHORIZE}{query}")).await.unwrap();
    let location = answer.location().unwrap();
    let end = "&forcePopup=true&forceSnapShot=true&connect_redirect=1&component_appid=wx0000000000000ddd\
        #wechat_redirect";
    assert!(location.ends_with(end), "{location}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_callback_says_of_the_app_decides_nothing() {
    let stack = stack().await;
    for appid in ["", WEBSITE_APP, COMPONENT, "wx0000000000000fff"] {
        let visitor = stack.visitor("lin");
        let callback = visitor.come_back(AUTHORIZE).await.unwrap();
        let callback = callback.as_str().replace(OFFICIAL_ACCOUNT, appid);
        visitor.browser.follow(&callback).await.unwrap();
        assert!(visitor.session().is_some(), "{appid:?}");
    }
    let exchanges = stack.requests(COMPONENT_EXCHANGE);
    assert_eq!(exchanges.len(), 4);
    assert!(exchanges.iter().all(|entry| entry.appid.as_deref() == Some(OFFICIAL_ACCOUNT)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_website_app_acts_for_itself() {
    let stack = stack().await;
    let visitor = desktop(&stack);
    visitor.log_in_at(AUTHORIZE).await.unwrap();
    assert!(stack.requests(COMPONENT_EXCHANGE).is_empty());
    let [exchange] = stack.requests(EXCHANGE).try_into().unwrap();
    assert_eq!(names(&exchange), ["appid", "secret", "code", "grant_type"]);
    assert_eq!(stack.requests(QR_PAGE)[0].parameter("component_appid"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_is_nobodys_unless_it_is_configured() {
    // A token alone names no platform.
    for options in [Options::default(), Options::default().with("COMPONENT_TOKENS", TOKENS)] {
        let stack = start(options).await;
        let hops = stack.visitor("lin").log_in().await.unwrap();
        assert!(!hops[0].location().unwrap().contains("component"));
        assert!(stack.requests(COMPONENT_EXCHANGE).is_empty());
        assert_eq!(stack.requests(EXCHANGE).len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_login_of_a_platform_does_without_the_unionid() {
    let stack = start(options().with("SILENT_UNIONID", "true")).await;
    let visitor = stack.visitor("lin").logged_in().await.unwrap();
    assert_eq!(visitor.shown().await.unwrap().get("unionid"), None);
    let ledger = stack.simulator().ledger();
    assert!(ledger.iter().all(|entry| !entry.path.starts_with("/cgi-bin/")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_visitor_gets_no_session_here_either() {
    let stack = stack().await;
    stack.simulator().knobs(|knobs| knobs.snapshot = Snapshot::On);
    let visitor = stack.visitor("lin");
    let hops = visitor.browser.follow(&format!("{AUTHORIZE}?scope=snsapi_userinfo")).await.unwrap();
    assert!(hops.last().unwrap().text().contains(title(Reason::Snapshot)));
    assert!(stack.sessions().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_the_platform_ends_where_it_can_be_mended() {
    let stack = stack().await;
    for code in [61003, 61004, 61007, 61011, 61014, 61005, 61006, 61023, 41021] {
        stack.script(COMPONENT_EXCHANGE, errcode(code), 1);
        let page = leads_to(&stack).await.unwrap();
        assert!(page.starts_with(MISCONFIGURED), "{code}: {page}");
        let line = alarm(&stack, &format!(r#""errcode":{code}"#)).await.unwrap().text;
        assert!(line.contains("misconfigured"), "{line}");
    }
    for code in [61009, 61010, 40029, 40163] {
        stack.script(COMPONENT_EXCHANGE, errcode(code), 1);
        let fresh = leads_to(&stack).await.unwrap();
        assert_eq!(fresh, FRESH_LOGIN, "{code}");
    }
    assert!(stack.sessions().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_withdrew_from_the_platform_is_no_visitors_fault() {
    let stack = stack().await;
    // Between the page and the callback.
    let visitor = stack.visitor("lin");
    let callback = visitor.come_back(AUTHORIZE).await.unwrap();
    stack.simulator().settings(|settings| settings.components[0].authorizers.clear());
    let page = visitor.open(callback.as_str()).await.unwrap();
    assert!(page.location().unwrap().starts_with(MISCONFIGURED));
    assert!(stack.stop().await.text().contains(r#""errcode":61003"#));
}

/// With no place for its token no login inside WeChat could work, and the callback says so when it starts. What is
/// stored can still be shown.
#[tokio::test(flavor = "multi_thread")]
async fn a_platform_without_a_place_for_its_token_is_refused_at_start() {
    let shop = r#"{"shop":{"official_account":"wx0000000000000aa2","component":"wx0000000000000ddd"}}"#;
    for (name, value) in [("COMPONENT_APP_ID", COMPONENT), ("ACCOUNTS", shop)] {
        let stack = Stack::start(Options::default().with(name, value)).await.unwrap();
        for function in ["userinfo", "callback"] {
            stack.functions().warm(function).await.unwrap();
        }
        let line = stack.logs().wait_for("\"wrong_configuration\"").await.unwrap().text;
        assert!(line.contains("\\n  COMPONENT_TOKENS_ARN is missing; without"), "{name}: {line}");
        let lines = stack.stop().await.text();
        let wrong: Vec<_> = lines.lines().filter(|line| line.contains("\"wrong_configuration\"")).collect();
        assert!(wrong.len() == 1 && wrong[0].contains(r#""function":"callback""#), "{name}: {wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_missing_is_a_wrong_configuration() {
    for options in [
        options().with("COMPONENT_TOKENS", "{}"),
        options().with("COMPONENT_TOKENS", r#"{"wx0000000000000ddd":""}"#),
        options().with("COMPONENT_TOKENS", r#"{"wx0000000000000eee":"90_other"}"#),
    ] {
        let stack = start(options).await;
        let page = leads_to(&stack).await.unwrap();
        assert!(page.starts_with(MISCONFIGURED), "{page}");
        // Nothing was sent without it, and not with the secret of the account instead.
        assert!(stack.requests(COMPONENT_EXCHANGE).is_empty() && stack.requests(EXCHANGE).is_empty());
        assert!(stack.stop().await.text().contains(r#""outcome":"secrets_wrong""#));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_wechat_refuses_is_a_wrong_configuration() {
    let stack = start(options().with("COMPONENT_TOKENS", r#"{"wx0000000000000ddd":"90_stale"}"#)).await;
    let page = leads_to(&stack).await.unwrap();
    assert!(page.starts_with(MISCONFIGURED), "{page}");
    assert_eq!(stack.requests(COMPONENT_EXCHANGE).len(), 1);
    alarm(&stack, r#""errcode":40001"#).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_renewed_through_the_platform() {
    let stack = start(options().with("PROFILE_LIFETIME_SECONDS", "0")).await;
    let visitor = stack.visitor("lin").logged_in_with_profile().await.unwrap();
    stack.simulator().clear_ledger();
    stack.simulator().act(&Action::ExpireAccessTokens);
    let shown = visitor.shown().await.unwrap();
    assert_eq!((&shown["nickname"], &shown["scope"]), (&"小满🌾".into(), &"snsapi_userinfo".into()));
    assert!(stack.requests(REFRESH).is_empty());
    let [refresh] = stack.requests(COMPONENT_REFRESH).try_into().unwrap();
    assert_eq!(
        names(&refresh),
        ["appid", "grant_type", "component_appid", "component_access_token", "refresh_token"]
    );
    assert_eq!(refresh.parameter("appid"), Some(OFFICIAL_ACCOUNT));
    assert_eq!(refresh.parameter("component_access_token"), Some(TOKEN));
    assert_eq!(stack.requests(PROFILE).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_that_the_platform_cannot_make_costs_nobody_the_session() {
    let stack = start(options().with("PROFILE_LIFETIME_SECONDS", "0")).await;
    let visitor = stack.visitor("lin").logged_in_with_profile().await.unwrap();
    for code in [61003, 61004, 61014, 61023] {
        stack.simulator().act(&Action::ExpireAccessTokens);
        stack.script(COMPONENT_REFRESH, errcode(code), 1);
        // What was read before is shown, and an operator is told.
        let answer = visitor.userinfo().await.unwrap();
        assert_eq!(answer.status, 200, "{code}: {}", answer.text());
        assert_eq!(answer.json().unwrap()["nickname"], "小满🌾", "{code}");
        let line = alarm(&stack, &format!(r#""errcode":{code}"#)).await.unwrap().text;
        assert!(line.contains("shown_stale"), "{line}");
    }
    // But a grant that is gone is gone.
    stack.script(COMPONENT_REFRESH, errcode(42002), 1);
    assert_eq!(visitor.userinfo().await.unwrap().status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platforms_stale_token_costs_nobody_the_session() {
    let stack = start(options().with("PROFILE_LIFETIME_SECONDS", "0")).await;
    let visitor = stack.visitor("lin").logged_in_with_profile().await.unwrap();
    stack.simulator().act(&Action::ExpireAccessTokens);
    // The other system has replaced the token, and ours is the one before.
    stack.simulator().settings(|settings| settings.components[0].access_token = "90_newer".to_owned());
    assert_eq!(visitor.shown().await.unwrap()["nickname"], "小满🌾");
}

/// The platform's token cannot be had, at once or not in time: what was read before is shown, and an operator is told.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_platforms_token_what_is_stored_is_shown() {
    for hangs in [false, true] {
        let secrets = SecretsManager::start().await.unwrap();
        secrets.put(TOKENS);
        let options = options().with("PROFILE_LIFETIME_SECONDS", "0");
        let stack = start(secrets.hold(options, "COMPONENT_TOKENS")).await;
        let visitor = stack.visitor("lin").logged_in_with_profile().await.unwrap();
        stack.simulator().act(&Action::ExpireAccessTokens);
        secrets.take();
        secrets.hang(hangs);
        let answer = visitor.userinfo().await.unwrap();
        assert_eq!((answer.status, &answer.json().unwrap()["nickname"]), (200, &"小满🌾".into()), "{hangs}");
        let line = alarm(&stack, r#""outcome":"shown_stale""#).await.unwrap().text;
        assert!(line.contains("the secret could not be read"), "{line}");
        // Whether the grant stands, nothing else can say.
        assert_problem(&visitor.verify().await.unwrap(), 503, "service_unavailable");
        secrets.hang(false);
        secrets.put(TOKENS);
        if !hangs {
            assert_eq!(visitor.verify().await.unwrap().status, 200);
        }
    }
}

/// The platform replaces its token every two hours, in the secret; nobody is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_the_platform_replaced_is_read_again() {
    let secrets = SecretsManager::start().await.unwrap();
    secrets.put(r#"{"wx0000000000000ddd":"90_of_two_hours_ago"}"#);
    let stack = start(secrets.hold(options(), "COMPONENT_TOKENS")).await;
    assert!(leads_to(&stack).await.unwrap().starts_with(MISCONFIGURED));
    secrets.put(TOKENS);
    stack.visitor("lin").log_in().await.unwrap();
    assert!(stack.stop().await.text().contains(r#""outcome":"credentials_rotated""#));
}
