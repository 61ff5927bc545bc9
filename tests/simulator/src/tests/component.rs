//! §1.12 and §2.3, a third-party platform that acts for an Official Account.

use serde_json::{Value, json};

use super::*;
use crate::{Action, Component, Snapshot};

const COMPONENT: &str = "wx0000000000000ddd";
const TOKEN: &str = "90_component0000000000000000000000000000";

/// V2, with a component.
fn url(scope: &str) -> String {
    format!("{}&component_appid={COMPONENT}", authorize_url(CALLBACK, scope, "abc123"))
}

fn component_exchange(code: &str) -> String {
    format!(
        "/sns/oauth2/component/access_token?appid={APPID}&code={code}&grant_type=authorization_code&component_appid={COMPONENT}&component_access_token={TOKEN}"
    )
}

fn component_refresh(refresh_token: &str) -> String {
    format!(
        "/sns/oauth2/component/refresh_token?appid={APPID}&grant_type=refresh_token&component_appid={COMPONENT}&component_access_token={TOKEN}&refresh_token={refresh_token}"
    )
}

async fn code(simulator: &Simulator, scope: &str) -> String {
    get_with(simulator, &url(scope), &[("x-simulator-consent", "allow")]).await.code()
}

#[tokio::test]
async fn v2_the_callback_names_the_account() {
    let simulator = wechat();
    let reply = get(&simulator, &url("snsapi_base")).await;
    assert_eq!(
        reply.header("location"),
        format!("{CALLBACK}?code={}&state=abc123&appid={APPID}", reply.code())
    );
}

#[tokio::test]
async fn v2_the_component_comes_last() {
    let simulator = wechat_with(|knobs| knobs.strict_param_order = true);
    let early = format!("{}&connect_redirect=1", url("snsapi_base"));
    refuses(&simulator, &early, "该链接无法访问").await;
    let in_wechat = format!("{}&uin=1&key=2&pass_ticket=3", url("snsapi_base"));
    assert_eq!(get(&simulator, &in_wechat).await.status, StatusCode::FOUND);
    simulator.knobs(|knobs| knobs.strict_param_order = false);
    assert_eq!(get(&simulator, &early).await.status, StatusCode::FOUND);
}

#[tokio::test]
async fn page_10015_not_authorized() {
    let simulator = wechat();
    let stranger = url("snsapi_base").replace(COMPONENT, "wx0000000000000eee");
    refuses(&simulator, &stranger, "错误码：10015").await;
    simulator.settings(|settings| settings.components[0].authorizers.clear());
    refuses(&simulator, &url("snsapi_base"), "错误码：10015").await;
}

#[tokio::test]
async fn a_platform_has_domains_of_its_own() {
    let simulator = wechat();
    let url = url("snsapi_base").replace("login.example.com", "platform.example");
    refuses(&simulator, &url, "错误码：10003").await;
    simulator.settings(|settings| {
        let domains = vec!["platform.example".to_owned()];
        settings.components[0] = Component { callback_domains: domains, ..settings.components[0].clone() };
    });
    assert_eq!(get(&simulator, &url).await.status, StatusCode::FOUND);
}

#[tokio::test]
async fn exchange_refresh_and_profile() {
    let simulator = wechat();
    let code = code(&simulator, "snsapi_userinfo").await;
    // It was issued to the platform, and not to the account.
    assert_eq!(get(&simulator, &exchange_url(&code)).await.json()["errcode"], 40029);
    let tokens = get(&simulator, &component_exchange(&code)).await;
    assert_eq!(tokens.header("content-type"), "text/plain");
    assert_eq!(tokens.string("openid"), simulator.openid("lin", APPID));
    let again = get(&simulator, &component_exchange(&code)).await;
    assert_error(&again, (40163, "code been used,"));

    let refresh_token = tokens.string("refresh_token");
    assert_eq!(get(&simulator, &refresh_url(&refresh_token)).await.json()["errcode"], 40030);
    let refreshed = get(&simulator, &component_refresh(&refresh_token)).await;
    assert_eq!(refreshed.string("scope"), "snsapi_base,snsapi_userinfo,");
    let url = profile_url(&refreshed);
    assert_eq!(get(&simulator, &url).await.string("nickname"), "小满🌾");

    let own = simulator.issue_code("lin", APPID, "snsapi_base").unwrap();
    assert_eq!(get(&simulator, &component_exchange(&own)).await.json()["errcode"], 40029);
}

#[tokio::test]
async fn a_snapshot_is_flagged_here_too_or_not() {
    let simulator = wechat_with(|knobs| knobs.snapshot = Snapshot::On);
    let tokens = get(&simulator, &component_exchange(&code(&simulator, "snsapi_userinfo").await)).await;
    assert_eq!(tokens.json()["is_snapshotuser"], 1);
    simulator.knobs(|knobs| knobs.component_snapshot_flag = false);
    let tokens = get(&simulator, &component_exchange(&code(&simulator, "snsapi_userinfo").await)).await;
    assert!(tokens.json().get("is_snapshotuser").is_none());
    assert_ne!(tokens.string("openid"), simulator.openid("lin", APPID));
}

#[tokio::test]
async fn what_a_platform_is_refused() {
    let simulator = wechat();
    let global = format!("/cgi-bin/token?grant_type=client_credential&appid={APPID}&secret={SECRET}");
    let global = get(&simulator, &global).await.string("access_token");
    let whole = component_exchange("x");
    let cases = [
        (whole.replace(APPID, ""), 41002),
        (whole.replace(APPID, "wx1"), 40013),
        (whole.replace(COMPONENT, ""), 41018),
        (whole.replace(COMPONENT, "wx2"), 61011),
        (whole.replace(TOKEN, ""), 41021),
        (whole.replace(TOKEN, "90_x"), 40001),
        (whole.replace(TOKEN, &global), 61014),
        (whole.replace(APPID, WEBSITE_APPID), 61003),
        (whole.replace("authorization_code", "x"), 40002),
        (component_exchange(""), 41008),
        (whole, 40029),
        (component_refresh("x").replace(TOKEN, "90_x"), 40001),
        (component_refresh("x"), 40030),
    ];
    for (url, errcode) in cases {
        assert_eq!(get(&simulator, &url).await.json()["errcode"], errcode, "{url}");
    }
    let stranger = get(&simulator, &component_exchange("x").replace(APPID, WEBSITE_APPID)).await;
    assert_error(&stranger, (61003, "component is not authorized by this account,"));
}

async fn call(simulator: &Simulator, api: &str, body: &Value) -> Value {
    post(simulator, &format!("/cgi-bin/component/{api}"), &body.to_string()).await.json()
}

fn ticket() -> Value {
    json!({
        "component_appid": COMPONENT,
        "component_appsecret": "5ec2e7dddddddddddddddddddddddddd",
        "component_verify_ticket": "ticket@@@0000000000000ddd",
    })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_ticket_becomes_a_token_that_logs_people_in() {
    let simulator = wechat();
    let given = call(&simulator, "api_component_token", &ticket()).await;
    assert_eq!(given["expires_in"], 7200);
    let token = text(&given["component_access_token"]);
    let exchange = |code: String| component_exchange(&code).replace(TOKEN, &token);
    let tokens = get(&simulator, &exchange(code(&simulator, "snsapi_base").await)).await;
    assert_eq!(tokens.string("openid"), simulator.openid("lin", APPID));
    // Not the only one.
    let other = call(&simulator, "api_component_token", &ticket()).await;
    assert_ne!(text(&other["component_access_token"]), token);
    let again = get(&simulator, &exchange(code(&simulator, "snsapi_base").await)).await;
    assert_eq!(again.json()["scope"], "snsapi_base");
    simulator.act(&Action::ExpireGlobalTokens);
    let late = get(&simulator, &exchange(code(&simulator, "snsapi_base").await)).await;
    assert_error(&late, (42001, "access_token expired,"));

    for (name, value, errcode) in [
        ("component_appid", "", 41018),
        ("component_appid", "wx2", 61011),
        ("component_appsecret", "", 41004),
        ("component_appsecret", "x", 40125),
        ("component_verify_ticket", "ticket@@@x", 61006),
    ] {
        let mut wrong = ticket();
        wrong[name] = json!(value);
        assert_eq!(call(&simulator, "api_component_token", &wrong).await["errcode"], errcode, "{name}");
    }
    assert_eq!(get(&simulator, "/cgi-bin/component/api_component_token").await.json()["errcode"], 43002);
    let push = json!({ "component_appid": COMPONENT, "component_secret": ticket()["component_appsecret"] });
    assert_eq!(call(&simulator, "api_start_push_ticket", &push).await["errcode"], 0);
}

#[tokio::test]
async fn an_owner_says_yes_and_the_platform_gets_the_accounts_tokens() {
    let simulator = wechat();
    let with_token = |api: &str| format!("{api}?component_access_token={TOKEN}");
    let asked = json!({ "component_appid": COMPONENT });
    let pre = call(&simulator, &with_token("api_create_preauthcode"), &asked).await;
    assert_eq!(pre["expires_in"], 1800);
    let page = format!(
        "/cgi-bin/componentloginpage?component_appid={COMPONENT}&pre_auth_code={}&redirect_uri={}&auth_type=1",
        text(&pre["pre_auth_code"]),
        encode("https://platform.example/authorized?a=1"),
    );
    let location = get(&simulator, &page).await.header("location").to_owned();
    let (_, code) = location.split_once("https://platform.example/authorized?a=1&auth_code=").unwrap();
    let code = form_urlencoded::parse(code.split_once("&expires_in=3600").unwrap().0.as_bytes())
        .next()
        .map(|(code, _)| code.into_owned())
        .unwrap();
    // A link is good once.
    assert_eq!(get(&simulator, &page).await.header("location"), "");

    let query = json!({ "component_appid": COMPONENT, "authorization_code": code });
    let info = call(&simulator, &with_token("api_query_auth"), &query).await["authorization_info"].clone();
    assert_eq!(info["authorizer_appid"], APPID);
    assert_eq!(call(&simulator, &with_token("api_query_auth"), &query).await["errcode"], 61009);

    let mut renew = json!({
        "component_appid": COMPONENT, "authorizer_appid": APPID,
        "authorizer_refresh_token": info["authorizer_refresh_token"],
    });
    let renewed = call(&simulator, &with_token("api_authorizer_token"), &renew).await;
    assert_eq!(renewed["authorizer_refresh_token"], info["authorizer_refresh_token"]);
    // Both work where the account's own token does.
    for token in [&info["authorizer_access_token"], &renewed["authorizer_access_token"]] {
        let openid = simulator.openid("lin", APPID);
        let url = format!("/cgi-bin/user/info?access_token={}&openid={openid}", text(token));
        assert_eq!(get(&simulator, &url).await.json()["subscribe"], 1);
    }

    renew["authorizer_refresh_token"] = json!("refreshtoken@@@x");
    assert_eq!(call(&simulator, &with_token("api_authorizer_token"), &renew).await["errcode"], 61023);
    renew["authorizer_appid"] = json!(WEBSITE_APPID);
    assert_eq!(call(&simulator, &with_token("api_authorizer_token"), &renew).await["errcode"], 61003);
    assert_eq!(call(&simulator, "api_authorizer_token", &renew).await["errcode"], 41021);
    let reply = call(&simulator, "api_query_auth?component_access_token=90_x", &query).await;
    assert_eq!(reply["errcode"], 40001);
}
