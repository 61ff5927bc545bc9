//! §6.5, the profile.

use super::*;
use crate::{Action, DirtyJson, OpenidMismatch, ProfileEra, Snapshot};

#[tokio::test]
async fn u1_ok() {
    let simulator = wechat();
    let reply = profile_of(&simulator, "lin").await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.header("content-type"), "text/plain");
    let (openid, unionid) = (simulator.openid("lin", APPID), simulator.unionid("lin", APPID).unwrap());
    assert_eq!(
        reply.text(),
        format!(
            r#"{{"openid":"{openid}","nickname":"小满🌾","sex":0,"language":"","city":"","province":"","country":"","headimgurl":"https:\/\/thirdwx.qlogo.cn\/mmopen\/vi_32\/Q0j4TwGTfTLinXiaoMan\/132","privilege":[],"unionid":"{unionid}"}}"#
        )
    );
    simulator.knobs(|knobs| knobs.unicode_escapes = true);
    let reply = profile_of(&simulator, "lin").await;
    assert!(reply.text().contains(r#""nickname":"\u5c0f\u6ee1\ud83c\udf3e","#), "{}", reply.text());
}

#[tokio::test]
async fn u2_u3_u4_base_scope_unknown_and_expired() {
    type Happening = fn(&Simulator);
    const UNKNOWN: Failure = (40001, "invalid credential, access_token is invalid or not latest,");
    const EXPIRED: Failure = (42001, "access_token expired,");
    let cases: [(&str, Happening, Failure); 4] = [
        ("snsapi_base", |_| {}, (48001, "api unauthorized,")),
        ("snsapi_userinfo", |simulator| simulator.act(&Action::ForgetAccessTokens), UNKNOWN),
        ("snsapi_userinfo", |simulator| simulator.advance(7200), EXPIRED),
        ("snsapi_userinfo", |simulator| simulator.act(&Action::ExpireAccessTokens), EXPIRED),
    ];
    let simulator = wechat();
    assert_error(&get(&simulator, &userinfo_url("90_x", "oX")).await, UNKNOWN);
    for (scope, happens, failure) in cases {
        let url = fresh_profile(&simulator, scope).await;
        happens(&simulator);
        assert_error(&get(&simulator, &url).await, failure);
    }
}

#[tokio::test]
async fn u3_a_newer_exchange_may_supersede_a_token() {
    let simulator = wechat();
    for (single, errcode) in [(false, None), (true, Some(40001))] {
        simulator.knobs(|knobs| knobs.sns_single_live_token = single);
        let older = tokens(&simulator, "snsapi_userinfo").await;
        let other_person = tokens_of(&simulator, "zhou", "snsapi_userinfo").await;
        let newer = tokens(&simulator, "snsapi_userinfo").await;
        let ask = async |issued: &Reply| {
            let url = profile_url(issued);
            get(&simulator, &url).await.json()["errcode"].as_i64()
        };
        assert_eq!(ask(&older).await, errcode);
        assert_eq!(ask(&other_person).await, None);
        assert_eq!(ask(&newer).await, None);
    }
}

#[tokio::test]
async fn u5_no_token_no_openid_another_openid() {
    let simulator = wechat();
    assert_error(&get(&simulator, USERINFO).await, (41001, "access_token missing,"));
    let issued = tokens(&simulator, "snsapi_userinfo").await;
    let access_token = issued.string("access_token");
    let missing = get(&simulator, &userinfo_url(&access_token, "")).await;
    assert_error(&missing, (41009, "missing openid,"));
    let other = userinfo_url(&access_token, &simulator.openid("zhou", APPID));
    assert_error(&get(&simulator, &other).await, (40003, "invalid openid,"));
    simulator.knobs(|knobs| knobs.userinfo_openid_mismatch = OpenidMismatch::Ignore);
    assert_eq!(get(&simulator, &other).await.string("openid"), issued.string("openid"));
}

#[tokio::test]
async fn u6_hostile_bytes() {
    let simulator = wechat();
    let contains =
        |reply: &Reply, bytes: &[u8]| reply.body.windows(bytes.len()).any(|window| window == bytes);
    simulator.knobs(|knobs| knobs.dirty_json = DirtyJson::ControlByte);
    for person in ["lin", "mallory", "gone"] {
        let reply = profile_of(&simulator, person).await;
        assert!(contains(&reply, b"\x14"), "{person}");
        assert!(serde_json::from_slice::<serde_json::Value>(&reply.body).is_err());
        // Repaired as a careful client would, it is JSON again.
        let repaired: Vec<u8> =
            reply.body.iter().map(|byte| if *byte < 0x20 { b' ' } else { *byte }).collect();
        assert!(serde_json::from_slice::<serde_json::Value>(&repaired).is_ok(), "{person}");
    }
    simulator.knobs(|knobs| knobs.dirty_json = DirtyJson::InvalidUtf8);
    let reply = profile_of(&simulator, "lin").await;
    assert!(contains(&reply, b"\"province\":\"\xe5\xb9\xbf\xff"));
    assert!(std::str::from_utf8(&reply.body).is_err());
    simulator.knobs(|knobs| knobs.dirty_json = DirtyJson::Both);
    let reply = profile_of(&simulator, "lin").await;
    assert!(contains(&reply, b"\x14") && std::str::from_utf8(&reply.body).is_err());
}

#[tokio::test]
async fn u6_a_hostile_nickname_survives_the_wire() {
    let reply = profile_of(&wechat(), "mallory").await;
    assert!(
        reply.text().contains(r#""nickname":"<script>alert(\"马洛\")<\/script>'\"&\\","#),
        "{}",
        reply.text()
    );
    assert_eq!(reply.string("nickname"), r#"<script>alert("马洛")</script>'"&\"#);
}

#[tokio::test]
async fn u7_unbound() {
    let simulator = wechat();
    simulator.settings(|settings| settings.apps[0].open_account = None);
    let reply = profile_of(&simulator, "lin").await;
    assert!(reply.text().ends_with(r#""privilege":[]}"#), "{}", reply.text());
}

#[tokio::test]
async fn u8_u9_a_deleted_user_without_avatar() {
    let reply = profile_of(&wechat(), "gone").await;
    assert!(reply.text().contains(r#""nickname":"用户已经注销","#));
    assert!(reply.text().contains(r#""headimgurl":"","#));
}

#[tokio::test]
async fn u10_legacy() {
    let simulator = wechat_with(|knobs| knobs.user_profile_era = ProfileEra::Legacy);
    let issued = tokens_of(&simulator, "zhou", "snsapi_userinfo").await;
    let url = profile_url(&issued);
    let reply = get(&simulator, &url.replace("&lang=zh_CN", "")).await;
    let expected = r#""nickname":"周远","sex":1,"language":"zh_CN","city":"Shenzhen","province":"Guangdong","country":"CN","headimgurl":"http:\/\/thirdwx.qlogo.cn\/mmopen\/DYAIOgq83eoZhouYuan\/0","privilege":[],"#;
    assert!(reply.text().contains(expected), "{}", reply.text());
    for (lang, city) in [("zh_CN", "深圳"), ("zh_TW", "深圳"), ("en", "Shenzhen")] {
        assert_eq!(get(&simulator, &url.replace("zh_CN", lang)).await.string("city"), city);
    }
    simulator.knobs(|knobs| knobs.sex_as_string = true);
    assert_eq!(get(&simulator, &url).await.string("sex"), "1");
}

#[tokio::test]
async fn a_snapshot_profile_is_nobodys() {
    let simulator = wechat_with(|knobs| knobs.snapshot = Snapshot::On);
    let reply = profile_of(&simulator, "lin").await;
    assert_eq!(reply.string("nickname"), "微信用户");
    assert!(reply.json().get("is_snapshotuser").is_none());
    simulator.knobs(|knobs| knobs.snapshot_userinfo_unauthorized = true);
    assert_eq!(profile_of(&simulator, "lin").await.json()["errcode"], 48001);
}

#[tokio::test]
async fn the_answer_may_be_about_somebody_else() {
    let simulator = wechat_with(|knobs| knobs.userinfo_answers_other_openid = true);
    let other = profile_of(&simulator, "lin").await.string("openid");
    assert_eq!(other.len(), 28);
    assert_ne!(other, simulator.openid("lin", APPID));
}
