//! More than one brand in one deployment: `ACCOUNTS` adds named accounts, each with apps, secrets and
//! origins of its own, and `app=` names one.

#![expect(clippy::unwrap_used, reason = "the helpers of these tests fail as the tests do")]

use harness::{
    Options, Stack, Visitor,
    browser::Visit,
    database::attribute,
    places::{AUTHORIZE, EXCHANGE, LOGOUT, STABLE_TOKEN, USERINFO, authorize_to},
    stack::{OFFICIAL_ACCOUNT, PAGE_ORIGIN, PUBLIC_URL, WEBSITE_APP, errcode},
};
use http::Method;
use serde_json::Value;
use simulator::{App, AppKind, Settings, Simulator};

use web::reason::Reason;

use crate::desktop::desktop;
use crate::support::{LABELS, allow, assert_problem, button, title, title_unregistered};

const SHOP: &str = "https://shop.example.com";
const SHOP_ACCOUNT: &str = "wx0000000000000aa2";
const SHOP_WEBSITE: &str = "wx0000000000000bb2";
const KIOSK_ACCOUNT: &str = "wx0000000000000aa3";
/// The brands that a deployment has beside its own.
pub const ACCOUNTS: &str = r#"{
    "shop": {
        "official_account": "wx0000000000000aa2",
        "website": "wx0000000000000bb2",
        "allowed_origins": ["https://shop.example.com"],
        "default_return_to": "https://shop.example.com/me"
    },
    "kiosk": { "official_account": "wx0000000000000aa3" }
}"#;

/// WeChat with the other brands' apps too; the shop is bound to an Open Platform account of its own.
pub fn simulator() -> Simulator {
    let mut settings = Settings::example();
    for (appid, secret, kind, scopes, open_account) in [
        (SHOP_ACCOUNT, "5ec2e7aa2", AppKind::OfficialAccount, "snsapi_base,snsapi_userinfo", "shop"),
        (SHOP_WEBSITE, "5ec2e7bb2", AppKind::Website, "snsapi_login", "shop"),
        (KIOSK_ACCOUNT, "5ec2e7aa3", AppKind::OfficialAccount, "snsapi_base,snsapi_userinfo", "qinghe"),
    ] {
        settings.apps.push(App {
            appid: appid.to_owned(),
            secret: secret.to_owned(),
            kind,
            name: "青禾".to_owned(),
            callback_domains: Vec::new(),
            scopes: scopes.split(',').map(str::to_owned).collect(),
            open_account: Some(open_account.to_owned()),
            test_account: false,
        });
    }
    Simulator::new(settings)
}

async fn stack() -> Stack {
    let stack =
        Stack::start(Options::default().with("ACCOUNTS", ACCOUNTS).simulator(simulator())).await.unwrap();
    allow(&stack);
    stack
}

/// A visitor whose browser knows where the shop is.
fn at_the_shop(mut visitor: Visitor) -> Visitor {
    visitor.browser = visitor.browser.with_elsewhere(SHOP);
    visitor
}

fn phone(stack: &Stack) -> Visitor {
    at_the_shop(stack.visitor("lin"))
}

/// Who is logged in, as a script of this origin is told.
async fn shown(visitor: &Visitor, origin: &str) -> Value {
    let answer = visitor.browser.fetch(USERINFO, origin).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json().unwrap()
}

/// Where a login ended.
async fn end_of(visitor: &Visitor, link: &str) -> String {
    visitor.browser.follow(link).await.unwrap().pop().unwrap().url.into()
}

/// The apps that exchanges were made for, each with the secret it showed.
fn exchanges(stack: &Stack) -> Vec<(String, String)> {
    let of = |name: &str, entry: &simulator::Entry| entry.parameter(name).unwrap_or_default().to_owned();
    stack.requests(EXCHANGE).iter().map(|entry| (of("appid", entry), of("secret", entry))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_chooses_the_apps_the_secret_and_where_it_ends() {
    let stack = stack().await;
    for (query, appid, secret, end) in [
        ("", OFFICIAL_ACCOUNT, "5ec2e7aaaaaaaaaaaaaaaaaaaaaaaaaa", "https://www.example.com/me#"),
        ("?app=shop", SHOP_ACCOUNT, "5ec2e7aa2", "https://shop.example.com/me#"),
        ("?app=shop:official_account", SHOP_ACCOUNT, "5ec2e7aa2", "https://shop.example.com/me#"),
        (
            "?app=shop&return_to=https%3A%2F%2Fshop.example.com%2Fcart%23a",
            SHOP_ACCOUNT,
            "5ec2e7aa2",
            "https://shop.example.com/cart#a",
        ),
        ("?app=shop&return_to=%2Fown", SHOP_ACCOUNT, "5ec2e7aa2", "https://login.example.com/own#"),
        ("?app=kiosk", KIOSK_ACCOUNT, "5ec2e7aa3", "https://www.example.com/me#"),
    ] {
        let visitor = phone(&stack);
        assert_eq!(end_of(&visitor, &format!("{AUTHORIZE}{query}")).await, end, "{query}");
        let exchanged = exchanges(&stack).pop().unwrap();
        assert_eq!(exchanged, (appid.to_owned(), secret.to_owned()), "{query}");
        let origin = if query.contains("shop") { SHOP } else { PAGE_ORIGIN };
        let openid = shown(&visitor, origin).await["openid"].clone();
        assert_eq!(openid, stack.simulator().openid("lin", appid), "{query}");
    }
    for (query, appid, secret) in [
        ("", WEBSITE_APP, "5ec2e7bbbbbbbbbbbbbbbbbbbbbbbbbb"),
        ("?app=shop", SHOP_WEBSITE, "5ec2e7bb2"),
        ("?app=shop:website", SHOP_WEBSITE, "5ec2e7bb2"),
    ] {
        let visitor = at_the_shop(desktop(&stack)).hand_to("zhou");
        visitor.follow(&format!("{AUTHORIZE}{query}")).await.unwrap();
        assert_eq!(exchanges(&stack).pop().unwrap(), (appid.to_owned(), secret.to_owned()), "{query}");
        let origin = if query.is_empty() { PAGE_ORIGIN } else { SHOP };
        let unionid = shown(&visitor, origin).await["unionid"].clone();
        assert_eq!(unionid, stack.simulator().unionid("zhou", appid).unwrap(), "{query}");
    }
    // The brands share no Open Platform account, so they do not know each other's people.
    let unionid = |app| stack.simulator().unionid("lin", app);
    assert_eq!(unionid(SHOP_ACCOUNT), unionid(SHOP_WEBSITE));
    assert_ne!(unionid(SHOP_ACCOUNT), unionid(OFFICIAL_ACCOUNT));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_without_a_website_app_has_a_phone_log_its_people_in() {
    let stack = stack().await;
    let begun = desktop(&stack).open(&format!("{AUTHORIZE}?app=kiosk&scope=auto")).await.unwrap();
    assert_eq!(begun.redirect().unwrap().unwrap().path(), "/handoff/wait");
    let login = stack.logins().unwrap().pop().unwrap();
    assert_eq!((attribute(&login, "asked_app"), attribute(&login, "app")), ("kiosk", KIOSK_ACCOUNT));
    assert_eq!(desktop(&stack).open(&format!("{AUTHORIZE}?app=kiosk:website")).await.unwrap().status, 400);
    assert_eq!(stack.logins().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_nobody_has_is_refused() {
    let stack = stack().await;
    for app in ["unknown", "SHOP", "shop:", "shop:phone", ":website", "unknown:website", "wx0000000000000aa2"]
    {
        let url = format!("{AUTHORIZE}?app={app}");
        for visitor in [stack.visitor("lin"), desktop(&stack)] {
            let answer = visitor.open(&url).await.unwrap();
            assert_eq!(answer.status, 400, "{app}");
            assert!(answer.text().contains(title(Reason::InvalidRequest)), "{app}: {}", answer.text());
        }
    }
    assert!(stack.logins().unwrap().is_empty() && stack.simulator().ledger().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_ends_only_where_its_account_is_at_home() {
    let stack = stack().await;
    for (app, target, status) in [
        ("", "https://www.example.com/a", 302),
        ("", "https://shop.example.com/a", 400),
        ("&app=shop", "https://shop.example.com/a", 302),
        ("&app=shop", "https://www.example.com/a", 400),
        ("&app=shop", "https://shop.example.com.evil.example/a", 400),
        ("&app=shop", "/a", 302),
        // Who names no origins has the first account's.
        ("&app=kiosk", "https://www.example.com/a", 302),
        ("&app=kiosk", "https://shop.example.com/a", 400),
    ] {
        let answer = stack.visitor("lin").open(&format!("{}{app}", authorize_to(target))).await.unwrap();
        assert_eq!(answer.status, status, "{app} {target}: {}", answer.text());
        assert_eq!(answer.text().contains(title_unregistered()), status == 400, "{app} {target}");
    }
    assert_eq!(stack.logins().unwrap().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_told_to_pages_of_its_own_account_only() {
    let stack = stack().await;
    for (query, home, foreign, login) in
        [("", PAGE_ORIGIN, SHOP, "?app=shop"), ("?app=shop", SHOP, PAGE_ORIGIN, "")]
    {
        let visitor = phone(&stack);
        visitor.browser.follow(&format!("{AUTHORIZE}{query}")).await.unwrap();
        shown(&visitor, home).await;
        shown(&visitor, PUBLIC_URL).await;
        for url in [USERINFO.to_owned(), format!("{USERINFO}?verify=true")] {
            let refused = visitor.browser.fetch(&url, foreign).await.unwrap();
            // For this page nobody is logged in, and its login is its own account's.
            assert_problem(&refused, 401, "not_logged_in");
            assert_eq!(refused.json().unwrap()["authorize_url"], format!("{AUTHORIZE}{login}"));
            let openid = ["lin"].map(|person| stack.simulator().openid(person, OFFICIAL_ACCOUNT));
            assert!(!openid.iter().any(|openid| refused.text().contains(openid)));
        }
        // The session is untouched by it, and its own page still reads it.
        shown(&visitor, home).await;
        let evil = visitor.browser.fetch(USERINFO, "https://evil.example").await.unwrap();
        assert_eq!((evil.status, evil.header("access-control-allow-origin")), (403, None));
    }
    assert!(stack.stop().await.text().contains(r#""outcome":"foreign_account""#));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_account_s_pages_may_ask_and_log_out() {
    let stack = stack().await;
    for origin in [PAGE_ORIGIN, SHOP] {
        let visitor = phone(&stack);
        let preflight =
            Visit::fetch(Method::OPTIONS, USERINFO, origin).header("access-control-request-method", "GET");
        let answer = visitor.send(preflight).await.unwrap();
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, Some(origin)));
        assert_eq!(visitor.browser.fetch(USERINFO, origin).await.unwrap().status, 401);
    }
    let visitor = phone(&stack);
    visitor.browser.follow(&format!("{AUTHORIZE}?app=shop")).await.unwrap();
    let logout = Visit::fetch(Method::POST, LOGOUT, SHOP);
    assert_eq!(visitor.send(logout).await.unwrap().status, 204);
    assert!(stack.sessions().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_login_and_an_upgrade_stay_with_the_account() {
    let stack = stack().await;
    let visitor = phone(&stack);
    stack.script(EXCHANGE, errcode(40029), 1);
    let hops = visitor.browser.follow(&format!("{AUTHORIZE}?app=shop&scope=auto")).await.unwrap();
    let fresh = hops.iter().find(|hop| hop.status == 303).unwrap().location().unwrap();
    assert_eq!(fresh, format!("{AUTHORIZE}?scope=auto&app=shop&attempt=2"));
    assert_eq!(hops.last().unwrap().url.as_str(), "https://shop.example.com/me#");
    let before = shown(&visitor, SHOP).await;
    let upgrade = before["upgrade_url"].as_str().unwrap();
    assert_eq!(upgrade, format!("{AUTHORIZE}?scope=snsapi_userinfo&app=shop"));
    assert_eq!(end_of(&visitor, upgrade).await, "https://shop.example.com/me#");
    let after = shown(&visitor, SHOP).await;
    assert_eq!((&after["openid"], &after["nickname"]), (&before["openid"], &"小满🌾".into()));
    assert!(exchanges(&stack).iter().all(|(appid, _)| appid == SHOP_ACCOUNT));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_log_in_again_stays_with_the_account() {
    let stack = stack().await;
    let visitor = phone(&stack);
    // A login that fails: the button of the page begins the same one again.
    for query in ["?app=shop", "?app=shop&return_to=https%3A%2F%2Fshop.example.com%2Fcart"] {
        stack.script(EXCHANGE, errcode(50002), 1);
        let page = visitor.browser.follow(&format!("{AUTHORIZE}{query}")).await.unwrap().pop().unwrap();
        assert_eq!(page.url.path(), "/error");
        let page = page.text();
        let (_, rest) = page.split_once("class=\"button\" href=\"").unwrap();
        let (link, _) = rest.split_once('"').unwrap();
        let link = format!("{PUBLIC_URL}{}", link.replace("&#38;", "&"));
        let end = end_of(&visitor, &link).await;
        assert!(end.starts_with(SHOP), "{query}: {link} ends at {end}");
    }
    // A script of the shop's page is told where the shop's people log in.
    let told = phone(&stack).browser.fetch(USERINFO, SHOP).await.unwrap().json().unwrap();
    assert_eq!(told["authorize_url"], format!("{AUTHORIZE}?app=shop"));
    // And the profile page's own button adds the profile to this session.
    visitor.browser.follow(&format!("{AUTHORIZE}?app=shop")).await.unwrap();
    let page = visitor.userinfo_page().await.unwrap().text();
    assert!(page.contains("href=\"/authorize?scope=snsapi_userinfo&#38;app=shop\""), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_returns_to_the_account_s_page() {
    let stack = stack().await;
    let visitor = phone(&stack);
    stack.simulator().knobs(|knobs| {
        (knobs.consent, knobs.denial) = (simulator::Consent::Deny, simulator::Denial::Authdeny);
    });
    let end = end_of(&visitor, &format!("{AUTHORIZE}?app=shop&scope=snsapi_userinfo")).await;
    assert_eq!(end, "https://shop.example.com/me?error=access_denied#");
}

/// The home page begins logins itself, so it is told which one was declined.
#[tokio::test(flavor = "multi_thread")]
async fn the_home_page_offers_the_login_that_was_declined() {
    let stack = stack().await;
    stack.simulator().knobs(|knobs| {
        (knobs.consent, knobs.denial) = (simulator::Consent::Deny, simulator::Denial::Authdeny);
    });
    for asked in [
        "?return_to=https%3A%2F%2Flogin.example.com%2F&scope=snsapi_userinfo&lang=en&app=shop",
        "?return_to=https%3A%2F%2Flogin.example.com%2F%3Ftab%3D1&scope=snsapi_userinfo&forcePopup=true",
    ] {
        let visitor = phone(&stack);
        let page = visitor.browser.follow(&format!("{AUTHORIZE}{asked}")).await.unwrap().pop().unwrap();
        assert_eq!((page.url.path(), page.status), ("/", 200), "{asked}");
        let text = page.text();
        assert!(text.contains(LABELS.declined) && text.contains(LABELS.consent_purpose), "{text}");
        assert!(!text.contains(LABELS.log_in_with_profile), "{text}");
        assert_eq!(button(&page), Some((LABELS.log_in, format!("/authorize{asked}"))), "{asked}");
    }
}

/// Who is logged in and declined to share name and photo is not told that no login came of it, and can try again. That
/// the name is still to be added is not said, for it may be there.
#[tokio::test(flavor = "multi_thread")]
async fn the_home_page_offers_who_is_logged_in_what_he_declined() {
    let stack = stack().await;
    let visitor = phone(&stack).logged_in().await.unwrap();
    stack.simulator().knobs(|knobs| {
        (knobs.consent, knobs.denial) = (simulator::Consent::Deny, simulator::Denial::Authdeny);
    });
    let asked = "?return_to=https%3A%2F%2Flogin.example.com%2F&scope=snsapi_userinfo";
    let declined = visitor.browser.follow(&format!("{AUTHORIZE}{asked}")).await.unwrap().pop().unwrap();
    // As from a QR code, where a phone is asked for a login without a scope too.
    let cancelled = visitor.open("https://login.example.com/?error=access_denied&app=shop").await.unwrap();
    for (page, link, has_purpose) in [(declined, asked, true), (cancelled, "?app=shop", false)] {
        assert_eq!((page.url.path(), page.status), ("/", 200), "{link}");
        let text = page.text();
        assert!(text.contains(LABELS.cancelled) && !text.contains(LABELS.declined), "{text}");
        assert_eq!(text.contains(LABELS.consent_purpose), has_purpose, "{text}");
        let button = format!("href=\"/authorize{}\">{}</a>", link.replace('&', "&#38;"), LABELS.try_again);
        assert!(text.contains(&button) && !text.contains(LABELS.add_profile), "{text}");
    }
    assert!(visitor.session().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_has_one_session_whichever_account_it_is_of() {
    let stack = stack().await;
    let visitor = phone(&stack).logged_in().await.unwrap();
    visitor.browser.follow(&format!("{AUTHORIZE}?app=shop")).await.unwrap();
    assert_eq!(stack.sessions().unwrap().len(), 1);
    assert_eq!(shown(&visitor, SHOP).await["openid"], stack.simulator().openid("lin", SHOP_ACCOUNT));
    assert_eq!(visitor.userinfo().await.unwrap().status, 401);
}

/// A callback whose session gave way to another account's is not sent on: its pages would take the person for nobody.
#[tokio::test(flavor = "multi_thread")]
async fn another_accounts_session_does_not_stand_in_for_a_login() {
    let stack = stack().await;
    let visitor = phone(&stack);
    let callback = visitor.come_back(&format!("{AUTHORIZE}?app=shop")).await.unwrap();
    assert_eq!(visitor.open(&callback).await.unwrap().location(), Some("https://shop.example.com/me#"));
    visitor.log_in().await.unwrap();
    let again = visitor.open(&callback).await.unwrap();
    assert_eq!(again.location(), Some("https://login.example.com/authorize?app=shop&attempt=2"));
    visitor.browser.follow("https://login.example.com/authorize?app=shop&attempt=2").await.unwrap();
    assert_eq!(shown(&visitor, SHOP).await["openid"], stack.simulator().openid("lin", SHOP_ACCOUNT));
    // One of the same account does.
    visitor.browser.follow(&format!("{AUTHORIZE}?app=shop")).await.unwrap();
    let callback = visitor.come_back(&format!("{AUTHORIZE}?app=shop")).await.unwrap();
    visitor.open(&callback).await.unwrap();
    visitor.browser.follow(&format!("{AUTHORIZE}?app=shop")).await.unwrap();
    let again = visitor.open(&callback).await.unwrap();
    assert_eq!(again.location(), Some("https://shop.example.com/me#"));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_account_has_a_global_token_of_its_own() {
    let options = Options::default().with("ACCOUNTS", ACCOUNTS).with("SILENT_UNIONID", "true");
    let stack = Stack::start(options.simulator(simulator())).await.unwrap();
    stack.simulator().settings(|settings| settings.people[0].follows.push(SHOP_ACCOUNT.to_owned()));
    for (query, app, origin) in [("", OFFICIAL_ACCOUNT, PAGE_ORIGIN), ("?app=shop", SHOP_ACCOUNT, SHOP)] {
        let visitor = phone(&stack);
        visitor.browser.follow(&format!("{AUTHORIZE}{query}")).await.unwrap();
        let unionid = stack.simulator().unionid("lin", app).unwrap();
        assert_eq!(shown(&visitor, origin).await["unionid"], unionid, "{query}");
    }
    let stored = stack.sessions().unwrap();
    let tokens: Vec<_> =
        stored.iter().map(|item| attribute(item, "id")).filter(|id| id.starts_with("app-token#")).collect();
    assert_eq!(tokens, ["app-token#wx0000000000000aa2", "app-token#wx0000000000000aaa"]);
    assert_eq!(stack.requests(STABLE_TOKEN).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_no_longer_configured_shows_nobody_to_other_pages() {
    let stack = stack().await;
    let visitor = phone(&stack);
    visitor.browser.follow(&format!("{AUTHORIZE}?app=shop")).await.unwrap();
    let cookie = format!("__Host-session={}", visitor.session().unwrap());
    // The same tables under a deployment that has given the shop up.
    let options = Options::default().with("AWS_ENDPOINT_URL_DYNAMODB", &stack.database().url());
    let later = Stack::start(options).await.unwrap();
    let visit = Visit::fetch(Method::GET, USERINFO, PAGE_ORIGIN).header("cookie", &cookie);
    assert_eq!(later.visitor("lin").send(visit).await.unwrap().status, 401);
}

/// What is wrong with a variable is said when a function starts, by name.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_variable_is_named() {
    let accounts = |text: &str| text.replace("[A]", "wx0000000000000aa2");
    for (name, value) in [
        ("CONNECT_REDIRECT", "yes".to_owned()),
        ("SILENT_UNIONID", "1".to_owned()),
        ("COMPONENT_APP_ID", "wxCOMPONENT".to_owned()),
        ("COMPONENT_TOKENS", "[]".to_owned()),
        ("COMPONENT_TOKENS", r#"{"platform":"90_x"}"#.to_owned()),
        ("COMPONENT_TOKENS_ARN", "arn:aws:s3:::bucket".to_owned()),
        ("ACCOUNTS", "shop".to_owned()),
        ("ACCOUNTS", r#"{"shop":{}}"#.to_owned()),
        ("ACCOUNTS", accounts(r#"{"Shop":{"official_account":"[A]"}}"#)),
        ("ACCOUNTS", accounts(r#"{"website":{"official_account":"[A]"}}"#)),
        ("ACCOUNTS", r#"{"shop":{"official_account":"wx1"}}"#.to_owned()),
        ("ACCOUNTS", accounts(r#"{"shop":{"official_account":"[A]","secret":"x"}}"#)),
        (
            "ACCOUNTS",
            accounts(r#"{"shop":{"official_account":"[A]","allowed_origins":["https://a.example/"]}}"#),
        ),
        (
            "ACCOUNTS",
            accounts(r#"{"shop":{"official_account":"[A]","default_return_to":"https://a.example/"}}"#),
        ),
        ("ACCOUNTS", accounts(r#"{"shop":{"official_account":"[A]","website":"[A]"}}"#)),
        ("ACCOUNTS", r#"{"shop":{"official_account":"wx0000000000000aaa"}}"#.to_owned()),
    ] {
        let stack = Stack::start(Options::default().with(name, &value)).await.unwrap();
        let read = reference::settings().into_iter().find(|(setting, _)| setting.name == name);
        let (reader, _) = read.unwrap().1[0];
        stack.functions().warm(reader).await.unwrap();
        let printed = stack.logs().wait_for("\"wrong_configuration\"").await.unwrap().text;
        assert!(printed.contains(&format!("\\n  {name} is wrong; ")), "{value}: {printed}");
        // A value may be a secret.
        assert!(!value.contains("90_") || !printed.contains("90_x"), "{printed}");
    }
    let options = Options::default()
        .with("COMPONENT_TOKENS", "{}")
        .with("COMPONENT_TOKENS_ARN", "arn:aws:secretsmanager:us-east-1:123456789012:secret:x")
        .with("SILENT_UNIONID", "maybe")
        .with("ACCOUNTS", "maybe");
    let stack = Stack::start(options).await.unwrap();
    stack.functions().warm("callback").await.unwrap();
    let printed = stack.logs().wait_for("\"wrong_configuration\"").await.unwrap().text;
    for text in [
        "COMPONENT_TOKENS_ARN and COMPONENT_TOKENS are both set",
        "SILENT_UNIONID is wrong",
        "ACCOUNTS is wrong",
    ] {
        assert!(printed.contains(text), "{printed}");
    }
}
