//! The error pages that have a number.

use super::*;
use crate::Fault;

fn base() -> String {
    authorize_url(CALLBACK, "snsapi_base", "abc123")
}

#[tokio::test]
async fn page_10004_banned() {
    let simulator = wechat_with(|knobs| knobs.banned_apps.insert(APPID.to_owned()));
    refuses(&simulator, &base(), "此公众号被封禁，错误码：10004").await;
}

#[tokio::test]
async fn the_texts_are_wechats_to_the_letter() {
    let blank = base().replace(APPID, "");
    let foreign = base().replace("login.example.com", "other.example");
    for (url, text) in [
        (&blank, "appid不能为空，错误码：10012"),
        (&foreign, "redirect_uri域名与后台配置不一致，错误码：10003"),
        (&base().replace("snsapi_base", "openid"), "此公众号并没有这些scope的权限，错误码：10005"),
        (
            &base().replace(APPID, WEBSITE_APPID),
            "不支持微信开放平台的Appid，请使用公众号Appid，错误码：10016",
        ),
    ] {
        let simulator = wechat();
        let page = get(&simulator, url).await;
        assert_page(&simulator, &page, text);
        assert!(page.text().contains(&format!("<h1>{text}</h1>")), "{}", page.text());
    }
    // A WeChat that is set to English.
    let simulator = wechat();
    let english = USER_AGENT.replace("Language/zh_CN", "Language/en");
    let reply = Request::get(&blank).header("user-agent", english).body(Body::empty()).unwrap();
    let reply = send(&simulator, reply).await;
    assert_page(&simulator, &reply, "&#34;appid&#34; cannot be left blank. Error code: 10012");
    assert!(reply.text().contains("<html lang=\"en\">"));
}

#[tokio::test]
async fn page_10039_another_scheme_than_registered() {
    let simulator = wechat();
    simulator.settings(|settings| {
        settings.apps[0].callback_domains =
            ["https://login.example.com", "http://h/app"].map(str::to_owned).into();
    });
    let page = "redirect_uri协议与后台配置不一致，错误码:10039";
    let url = |callback| authorize_url(callback, "snsapi_base", "abc123");
    refuses(&simulator, &url("http://login.example.com/callback"), page).await;
    refuses(&simulator, &url("https://h/app"), page).await;
    refuses(&simulator, &url("http://other.example/callback"), "错误码：10003").await;
    for callback in ["https://login.example.com/callback", "http://h/app/callback"] {
        assert_eq!(get(&simulator, &url(callback)).await.status, StatusCode::FOUND, "{callback}");
    }
}

#[tokio::test]
async fn page_10006_a_test_account_wants_followers() {
    let simulator = wechat();
    simulator.settings(|settings| settings.apps[0].test_account = true);
    let reply = get_as(&simulator, &base(), "zhou").await;
    assert_page(&simulator, &reply, "错误码：10006");
    assert_eq!(get(&simulator, &base()).await.status, StatusCode::FOUND);
}

#[tokio::test]
async fn page_10009_too_frequent() {
    let simulator = wechat_with(|knobs| knobs.authorize_per_minute = Some(2));
    for _ in 0..2 {
        assert_eq!(get(&simulator, &base()).await.status, StatusCode::FOUND);
    }
    let someone_else = get_as(&simulator, &base(), "zhou").await;
    assert_eq!(someone_else.status, StatusCode::FOUND);
    refuses(&simulator, &base(), "错误码：10009").await;
    simulator.advance(60);
    assert_eq!(get(&simulator, &base()).await.status, StatusCode::FOUND);
}

#[tokio::test]
async fn a_page_error_can_be_scripted() {
    let simulator = wechat_with(|knobs| {
        knobs.script(AUTHORIZE, Fault::Errcode { errcode: 10004, errmsg: None });
    });
    refuses(&simulator, &base(), "此公众号被封禁，错误码：10004").await;
    assert_eq!(get(&simulator, &base()).await.status, StatusCode::FOUND);
}
