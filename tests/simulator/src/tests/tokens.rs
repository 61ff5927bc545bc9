//! §6.5, refreshing and verifying tokens.

use super::*;
use crate::{Action, AuthError};

fn auth_url(access_token: &str, openid: &str) -> String {
    format!("{AUTH}?access_token={access_token}&openid={openid}")
}

#[tokio::test]
async fn r1_a_live_token_is_prolonged() {
    let simulator = wechat();
    let issued = tokens(&simulator, "snsapi_userinfo").await;
    let (access_token, refresh_token) = (issued.string("access_token"), issued.string("refresh_token"));
    simulator.advance(7199);
    let refreshed = get(&simulator, &refresh_url(&refresh_token)).await;
    assert_eq!(refreshed.header("content-type"), "text/plain");
    assert_eq!(
        refreshed.text(),
        format!(
            r#"{{"openid":"{}","access_token":"{access_token}","expires_in":7200,"refresh_token":"{refresh_token}","scope":"snsapi_base,snsapi_userinfo,"}}"#,
            issued.string("openid")
        )
    );
    simulator.advance(7199);
    let profile = get(&simulator, &userinfo_url(&access_token, &issued.string("openid"))).await;
    assert_eq!(profile.string("nickname"), "小满🌾");
}

#[tokio::test]
async fn r2_h1_an_expired_token_is_replaced_by_one_that_stands() {
    let simulator = wechat();
    let issued = tokens(&simulator, "snsapi_base").await;
    simulator.advance(7200);
    let refreshed = get(&simulator, &refresh_url(&issued.string("refresh_token"))).await;
    assert_ne!(refreshed.string("access_token"), issued.string("access_token"));
    assert_eq!(refreshed.string("refresh_token"), issued.string("refresh_token"));
    assert_eq!(refreshed.string("scope"), "snsapi_base,");
    let verified =
        get(&simulator, &auth_url(&refreshed.string("access_token"), &issued.string("openid"))).await;
    assert_eq!(verified.header("content-type"), "text/plain");
    assert_eq!(verified.text(), r#"{"errcode":0,"errmsg":"ok"}"#);
}

#[tokio::test]
async fn r3_bad_expired_revoked_or_foreign() {
    const BAD: Failure = (40030, "invalid refresh_token,");
    let simulator = wechat();
    assert_error(&get(&simulator, &refresh_url("90_x")).await, BAD);

    let url = refresh_url(&tokens(&simulator, "snsapi_base").await.string("refresh_token"));
    assert_error(&get(&simulator, &url.replace(APPID, WEBSITE_APPID)).await, BAD);
    simulator.advance(30 * 24 * 3600);
    assert_error(&get(&simulator, &url).await, BAD);
    simulator.knobs(|knobs| knobs.expired_refresh_token_errcode = 42002);
    assert_error(&get(&simulator, &url).await, (42002, "refresh_token expired,"));

    let url = refresh_url(&tokens(&simulator, "snsapi_base").await.string("refresh_token"));
    simulator.act(&Action::RevokeRefreshTokens);
    assert_error(&get(&simulator, &url).await, BAD);
    let url = refresh_url(&tokens(&simulator, "snsapi_base").await.string("refresh_token"));
    simulator.act(&Action::ExpireRefreshTokens);
    assert_eq!(get(&simulator, &url).await.json()["errcode"], 42002);
}

#[tokio::test]
async fn r3_what_is_missing() {
    let simulator = wechat();
    let cases = [
        (REFRESH.to_owned(), 41002),
        (format!("{REFRESH}?appid=wx1"), 40013),
        (format!("{REFRESH}?appid={APPID}&refresh_token=x"), 40002),
        (refresh_url(""), 41003),
    ];
    for (url, errcode) in cases {
        assert_eq!(get(&simulator, &url).await.json()["errcode"], errcode, "{url}");
    }
}

#[tokio::test]
async fn a_refresh_may_replace_the_refresh_token() {
    let simulator = wechat_with(|knobs| knobs.refresh_rotates_refresh_token = true);
    let first = tokens(&simulator, "snsapi_base").await.string("refresh_token");
    let second = get(&simulator, &refresh_url(&first)).await.string("refresh_token");
    assert_ne!(first, second);
    assert_eq!(get(&simulator, &refresh_url(&first)).await.json()["errcode"], 40030);
    assert_ne!(get(&simulator, &refresh_url(&second)).await.string("refresh_token"), second);
}

#[tokio::test]
async fn a_changed_password_kills_everything() {
    let simulator = wechat();
    let (lin, zhou) =
        (tokens(&simulator, "snsapi_userinfo").await, tokens_of(&simulator, "zhou", "snsapi_userinfo").await);
    simulator.act(&Action::ChangePassword { person: "lin".to_owned() });
    let (access_token, openid) = (lin.string("access_token"), lin.string("openid"));
    let urls = [
        refresh_url(&lin.string("refresh_token")),
        userinfo_url(&access_token, &openid),
        auth_url(&access_token, &openid),
    ];
    for url in urls {
        assert_eq!(get(&simulator, &url).await.json()["errcode"], 42007, "{url}");
    }
    let other = profile_url(&zhou);
    assert_eq!(get(&simulator, &other).await.string("nickname"), "周远");
}

#[tokio::test]
async fn h2_auth_bad() {
    const OPENID: Failure = (40003, "invalid openid,");
    const TOKEN: Failure = (40014, "invalid access_token");
    let simulator = wechat();
    let issued = tokens(&simulator, "snsapi_base").await;
    let other_person = auth_url(&issued.string("access_token"), &simulator.openid("zhou", APPID));
    let unknown = auth_url("90_x", &issued.string("openid"));
    assert_error(&get(&simulator, &other_person).await, OPENID);
    assert_error(&get(&simulator, &unknown).await, TOKEN);
    simulator.knobs(|knobs| knobs.auth_error = AuthError::InvalidOpenid);
    assert_error(&get(&simulator, &unknown).await, OPENID);
    simulator.knobs(|knobs| knobs.auth_error = AuthError::InvalidAccessToken);
    assert_error(&get(&simulator, &other_person).await, TOKEN);
    simulator.act(&Action::ExpireAccessTokens);
    let expired = auth_url(&issued.string("access_token"), &issued.string("openid"));
    assert_error(&get(&simulator, &expired).await, TOKEN);
    assert_eq!(get(&simulator, AUTH).await.json()["errcode"], 41001);
    assert_eq!(get(&simulator, &auth_url("x", "")).await.json()["errcode"], 41009);
}
