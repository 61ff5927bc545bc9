//! Quick login on the desktop, as the programs that speak to WeChat's client saw it.

use serde_json::{Value, json};

use super::*;
use crate::QuickLogin;

const CHECK: &str = "/api/check-login";
const FAST: &str = "/api/authorize";

fn jsdata() -> Value {
    json!({ "appid": WEBSITE_APPID, "scope": "snsapi_login", "redirect_uri": CALLBACK, "state": "abc123" })
}

async fn ask(simulator: &Simulator, path: &str, apiname: &str, jsdata: Value) -> Reply {
    post(simulator, path, &json!({ "apiname": apiname, "jsdata": jsdata }).to_string()).await
}

async fn check(simulator: &Simulator) -> Reply {
    ask(simulator, CHECK, "qrconnectchecklogin", jsdata()).await
}

/// The person's answer to a login with something else in it.
async fn confirm(simulator: &Simulator, uuid: &Value, name: &str, value: &str) -> Reply {
    let mut jsdata = jsdata();
    jsdata[name] = json!(value);
    jsdata["authorize_uuid"] = uuid.clone();
    jsdata["data"] = json!(r#"{"x":780,"y":408.5}"#);
    ask(simulator, FAST, "qrconnectfastauthorize", jsdata).await
}

#[tokio::test]
async fn a_login_without_a_scan() {
    let simulator = wechat_with(|knobs| knobs.quick_login = QuickLogin::Allow);
    let checked = check(&simulator).await;
    assert_eq!(checked.header("access-control-allow-origin"), "*");
    let checked = checked.json();
    assert_eq!((&checked["errcode"], &checked["jsdata"]["nickname"]), (&json!(0), &json!("小满🌾")));
    assert!(checked["jsdata"]["headimgurl"].as_str().unwrap().starts_with("https://wx.qlogo.cn/"));
    let uuid = &checked["jsdata"]["authorize_uuid"];

    let confirmed = confirm(&simulator, uuid, "state", "abc123").await.json();
    let entry = last(&simulator);
    let code = entry.code.unwrap();
    assert_eq!(
        confirmed["jsdata"]["redirect_url"].as_str().unwrap(),
        format!("{CALLBACK}?code={code}&state=abc123")
    );
    assert_eq!(entry.openid, Some(simulator.openid("lin", WEBSITE_APPID)));
    let tokens = get(&simulator, &of_website(&exchange_url(&code))).await;
    assert_eq!(tokens.string("scope"), "snsapi_login");
    // Once.
    assert_eq!(confirm(&simulator, uuid, "state", "abc123").await.json()["errcode"], -1);
}

#[tokio::test]
async fn the_code_goes_before_a_fragment() {
    let simulator = wechat_with(|knobs| knobs.quick_login = QuickLogin::Allow);
    let redirect_uri = "https://login.example.com/#/p";
    let mut asked = jsdata();
    asked["redirect_uri"] = json!(redirect_uri);
    let checked = ask(&simulator, CHECK, "qrconnectchecklogin", asked).await.json();
    let uuid = &checked["jsdata"]["authorize_uuid"];
    let told = confirm(&simulator, uuid, "redirect_uri", redirect_uri).await.json();
    let code = last(&simulator).code.unwrap();
    assert_eq!(
        told["jsdata"]["redirect_url"],
        format!("https://login.example.com/?code={code}&state=abc123#/p")
    );
}

#[tokio::test]
async fn what_the_client_refuses() {
    let simulator = wechat_with(|knobs| knobs.quick_login = QuickLogin::Allow);
    let uuid = check(&simulator).await.json()["jsdata"]["authorize_uuid"].clone();
    let errcode = |reply: Reply| reply.json()["errcode"].clone();
    // Another login than the one that was shown, and an app that may not ask.
    assert_eq!(errcode(confirm(&simulator, &uuid, "state", "other").await), -1);
    assert_eq!(errcode(confirm(&simulator, &uuid, "appid", APPID).await), -1);
    assert_eq!(errcode(confirm(&simulator, &json!("unknown"), "state", "abc123").await), -1);
    assert_eq!(errcode(ask(&simulator, CHECK, "qrconnectfastauthorize", jsdata()).await), -11028);

    simulator.knobs(|knobs| knobs.quick_login = QuickLogin::Deny);
    assert_eq!(errcode(confirm(&simulator, &uuid, "state", "abc123").await), 10050);
    assert_eq!(last(&simulator).outcome, Outcome::Errcode { errcode: 10050 });
    simulator.knobs(|knobs| knobs.quick_login = QuickLogin::ScanOnly);
    assert_eq!(errcode(check(&simulator).await), 10057);
    // No client at all.
    simulator.knobs(|knobs| knobs.quick_login = QuickLogin::None);
    assert_eq!(check(&simulator).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_page_offers_it_where_there_is_a_client() {
    let simulator = wechat();
    let url = qr_url(WEBSITE_APPID);
    let offers = async |url: &str| get(&simulator, url).await.text().contains("微信快速登录");
    assert!(!offers(&url).await);
    simulator.knobs(|knobs| knobs.quick_login = QuickLogin::Allow);
    assert!(offers(&url).await);
    // An app may do without it, in the newer looks.
    assert!(offers(&format!("{url}&fast_login=0")).await);
    assert!(!offers(&format!("{url}&stylelite=1&fast_login=0")).await);
    // A browser asks first whether it may ask.
    let preflight = Request::builder().method("OPTIONS").uri(CHECK).body(Body::empty());
    let preflight = send(&simulator, preflight.unwrap()).await;
    assert_eq!(preflight.status, StatusCode::NO_CONTENT);
    assert_eq!(preflight.header("access-control-allow-private-network"), "true");
}
