//! §6.6, `cgi-bin`.

use serde_json::{Value, json};

use super::*;
use crate::{Action, NonFollower, ProfileEra, SuffixStyle};

const TOKEN: &str = "/cgi-bin/token";
const STABLE: &str = "/cgi-bin/stable_token";
const USER_INFO: &str = "/cgi-bin/user/info";
const BATCH: &str = "/cgi-bin/user/info/batchget";
const STALE: Failure = (
    40001,
    "invalid credential, access_token is invalid or not latest, could get access_token by getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r",
);

fn token_url() -> String {
    format!("{TOKEN}?grant_type=client_credential&appid={APPID}&secret={SECRET}")
}

async fn token(simulator: &Simulator) -> String {
    get(simulator, &token_url()).await.string("access_token")
}

async fn stable(simulator: &Simulator, force: bool) -> Reply {
    let body = json!({
        "grant_type": "client_credential", "appid": APPID, "secret": SECRET, "force_refresh": force,
    });
    post(simulator, STABLE, &body.to_string()).await
}

fn user_url(token: &str, openid: &str) -> String {
    format!("{USER_INFO}?access_token={token}&openid={openid}&lang=zh_CN")
}

async fn user(simulator: &Simulator, token: &str, person: &str) -> Reply {
    get(simulator, &user_url(token, &simulator.openid(person, APPID))).await
}

async fn batch(simulator: &Simulator, token: &str, list: &Value) -> Reply {
    post(simulator, &format!("{BATCH}?access_token={token}"), &json!({ "user_list": list }).to_string()).await
}

/// An error in this dialect: its own content type, and a space before the request id, which begins with the time.
fn assert_refused(reply: &Reply, failure: Failure) {
    let rid = assert_failed(reply, "application/json; encoding=utf-8", failure);
    let time = rid.split('-').next().and_then(|group| u64::from_str_radix(group, 16).ok());
    assert!(time.is_some_and(|time| (NOW..NOW + 24 * 3600).contains(&time)), "{rid}");
}

#[tokio::test]
async fn t1_token_by_get_and_by_form() {
    let simulator = wechat();
    let reply = get(&simulator, &token_url()).await;
    assert_eq!(reply.header("content-type"), "application/json; encoding=utf-8");
    let token = reply.string("access_token");
    assert_eq!(reply.text(), format!(r#"{{"access_token":"{token}","expires_in":7200}}"#));
    assert!(token.starts_with("90_") && token.len() == 136, "{token}");

    let reply = post_form(&simulator, &token_url()).await;
    assert_ne!(reply.string("access_token"), token);
    let entry = last(&simulator);
    assert_eq!((entry.appid.as_deref(), entry.parameter("secret")), (Some(APPID), Some(SECRET)));
    assert!(entry.query.is_empty());
}

#[tokio::test]
async fn t2_bad_ip() {
    let simulator = wechat_with(|knobs| knobs.ip_allow_list = Some(vec!["198.51.100.7".to_owned()]));
    let from = async |address| get_with(&simulator, &token_url(), &[("x-simulator-address", address)]).await;
    assert_refused(
        &from("203.0.113.9").await,
        (40164, "invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist"),
    );
    assert_refused(
        &get(&simulator, &token_url()).await,
        (40164, "invalid ip 127.0.0.1 ipv6 ::ffff:127.0.0.1, not in whitelist"),
    );
    assert_eq!(from("198.51.100.7").await.json()["expires_in"], 7200);
    assert_eq!(from("::ffff:198.51.100.7").await.json()["expires_in"], 7200);
    assert_eq!(last(&simulator).address.to_string(), "::ffff:198.51.100.7");
    assert_eq!(stable(&simulator, false).await.json()["errcode"], 40164);

    // No other endpoint looks where a call comes from, and no other app.
    assert!(tokens(&simulator, "snsapi_base").await.json().get("errcode").is_none());
    assert_eq!(get(&simulator, &of_website(&token_url())).await.json()["expires_in"], 7200);
}

#[tokio::test]
async fn t2_in_the_words_of_2018_and_by_other_numbers() {
    let simulator = wechat_with(|knobs| {
        knobs.ip_allow_list = Some(Vec::new());
        knobs.suffix_style = SuffixStyle::Hints;
    });
    let reply = get(&simulator, &token_url()).await;
    let text = reply.text();
    assert!(
        text.starts_with(r#"{"errcode":40164,"errmsg":"invalid ip 127.0.0.1, not in whitelist hint: ["#),
        "{text}"
    );
    simulator.knobs(|knobs| knobs.suffix_style = SuffixStyle::Bare);
    for (errcode, text) in [
        (61004, "access clientip is not registered requestIP: 127.0.0.1"),
        (45035, "access clientip is not registered requestIP: 127.0.0.1"),
        (89503, "this ip has to be confirmed by the administrator"),
    ] {
        simulator.knobs(|knobs| knobs.unlisted_ip_errcode = errcode);
        let expected = json!({ "errcode": errcode, "errmsg": text });
        assert_eq!(get(&simulator, &token_url()).await.json(), expected);
    }
}

#[tokio::test]
async fn t3_t4_bad_secret_and_bad_appid_before_the_grant_type() {
    let simulator = wechat();
    let reply = get(&simulator, &token_url().replace(SECRET, "x")).await;
    assert_refused(&reply, (40125, "invalid appsecret"));
    let reply = get(&simulator, &format!("{TOKEN}?appid=wx1")).await;
    assert_refused(&reply, (40013, "invalid appid"));
    let cases = [
        (TOKEN.to_owned(), 41002),
        (format!("{TOKEN}?appid={APPID}"), 40002),
        (token_url().replace(SECRET, ""), 41004),
    ];
    for (url, errcode) in cases {
        assert_eq!(get(&simulator, &url).await.json()["errcode"], errcode, "{url}");
    }
    simulator.knobs(|knobs| knobs.banned_apps.insert(APPID.to_owned()));
    assert_eq!(get(&simulator, &token_url()).await.json()["errcode"], 50004);
}

#[tokio::test]
async fn t5_quota_of_the_day() {
    let simulator = wechat_with(|knobs| knobs.quota_per_day.insert(TOKEN.to_owned(), 2));
    for _ in 0..2 {
        assert_eq!(get(&simulator, &token_url()).await.json()["expires_in"], 7200);
    }
    assert_refused(
        &get(&simulator, &token_url()).await,
        (
            45009,
            "reach max api daily quota limit, could get access_token by getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r",
        ),
    );
    // Each app and each endpoint has its own, and each day, which begins at 16:00 UTC.
    assert_eq!(get(&simulator, &of_website(&token_url())).await.json()["expires_in"], 7200);
    assert_eq!(stable(&simulator, false).await.json()["expires_in"], 7200);
    let tomorrow = 24 * 3600 - (NOW + 8 * 3600) % (24 * 3600);
    simulator.advance(tomorrow - 1);
    assert_eq!(get(&simulator, &token_url()).await.json()["errcode"], 45009);
    simulator.advance(1);
    assert_eq!(get(&simulator, &token_url()).await.json()["expires_in"], 7200);
}

#[tokio::test]
async fn t6_a_newer_token_ends_the_older_after_its_grace() {
    let simulator = wechat();
    let first = token(&simulator).await;
    let second = token(&simulator).await;
    assert_ne!(first, second);
    simulator.advance(299);
    assert_eq!(user(&simulator, &first, "lin").await.json()["subscribe"], 1);
    simulator.advance(1);
    assert_refused(&user(&simulator, &first, "lin").await, STALE);
    assert_eq!(user(&simulator, &second, "lin").await.json()["subscribe"], 1);
    simulator.advance(6900);
    assert_refused(&user(&simulator, &second, "lin").await, (42001, "access_token expired"));
}

#[tokio::test]
async fn s1_stable_gives_the_same_token_until_shortly_before_its_end() {
    let simulator = wechat();
    let first = stable(&simulator, false).await;
    assert_eq!(first.json()["expires_in"], 7200);
    simulator.advance(6855);
    let second = stable(&simulator, false).await;
    assert_eq!(second.json()["expires_in"], 345);
    assert_eq!(second.string("access_token"), first.string("access_token"));
    simulator.advance(45);
    let third = stable(&simulator, false).await;
    assert_eq!(third.json()["expires_in"], 7200);
    assert_ne!(third.string("access_token"), first.string("access_token"));
    simulator.advance(299);
    assert_eq!(user(&simulator, &first.string("access_token"), "lin").await.json()["subscribe"], 1);
    simulator.advance(1);
    assert_eq!(user(&simulator, &first.string("access_token"), "lin").await.json()["errcode"], 42001);
}

#[tokio::test]
async fn s2_a_forced_token_kills_the_one_before() {
    let simulator = wechat();
    let first = stable(&simulator, false).await.string("access_token");
    let second = stable(&simulator, true).await.string("access_token");
    assert_ne!(first, second);
    assert_refused(&user(&simulator, &first, "lin").await, STALE);
    assert_eq!(stable(&simulator, false).await.string("access_token"), second);

    simulator.advance(29);
    assert_eq!(stable(&simulator, true).await.json()["errcode"], 45011);
    simulator.advance(1);
    for _ in 1..20 {
        assert_eq!(stable(&simulator, true).await.json()["expires_in"], 7200);
        simulator.advance(30);
    }
    assert_eq!(stable(&simulator, true).await.json()["errcode"], 45009);
    assert_eq!(stable(&simulator, false).await.json()["expires_in"], 7170);
    simulator.advance(24 * 3600);
    assert_eq!(stable(&simulator, true).await.json()["expires_in"], 7200);
}

#[tokio::test]
async fn s3_only_a_post_of_json() {
    let simulator = wechat();
    let reply = get(&simulator, &token_url().replace(TOKEN, STABLE)).await;
    assert_refused(&reply, (43002, "require POST method"));
    for (body, errcode) in [("", 44002), ("grant_type=client_credential", 47001), ("{}", 41002)] {
        assert_eq!(post(&simulator, STABLE, body).await.json()["errcode"], errcode, "{body}");
    }
    let silent = json!({ "grant_type": "client_credential", "appid": APPID, "secret": SECRET }).to_string();
    assert_eq!(post(&simulator, STABLE, &silent).await.json()["expires_in"], 7200);
    assert_eq!(last(&simulator).appid.as_deref(), Some(APPID));
    simulator.knobs(|knobs| knobs.stable_token_wants_force_refresh = true);
    assert_eq!(post(&simulator, STABLE, &silent).await.json()["errcode"], 41002);
    assert_eq!(stable(&simulator, false).await.json()["expires_in"], 7200);
}

#[tokio::test]
async fn s4_the_two_kinds_leave_each_other_alone() {
    let simulator = wechat();
    let plain = token(&simulator).await;
    let steady = stable(&simulator, false).await.string("access_token");
    stable(&simulator, true).await;
    simulator.advance(600);
    assert_eq!(user(&simulator, &plain, "lin").await.json()["subscribe"], 1);
    assert_refused(&user(&simulator, &steady, "lin").await, STALE);
    let steady = stable(&simulator, false).await.string("access_token");
    token(&simulator).await;
    simulator.advance(600);
    assert_eq!(user(&simulator, &steady, "lin").await.json()["subscribe"], 1);
}

#[tokio::test]
async fn c1_a_follower() {
    let simulator = wechat();
    let token = token(&simulator).await;
    let (openid, unionid) = (simulator.openid("lin", APPID), simulator.unionid("lin", APPID).unwrap());
    let reply = user(&simulator, &token, "lin").await;
    assert_eq!(reply.header("content-type"), "application/json; encoding=utf-8");
    assert_eq!(
        reply.text(),
        format!(
            r#"{{"subscribe":1,"openid":"{openid}","nickname":"","sex":0,"language":"zh_CN","city":"","province":"","country":"","headimgurl":"","subscribe_time":1596240000,"unionid":"{unionid}","remark":"","groupid":0,"tagid_list":[],"subscribe_scene":"ADD_SCENE_QR_CODE","qr_scene":0,"qr_scene_str":""}}"#
        )
    );
    assert_eq!(last(&simulator).person.as_deref(), Some("lin"));

    simulator.knobs(|knobs| knobs.user_profile_era = ProfileEra::Legacy);
    let reply = user(&simulator, &token, "lin").await;
    assert_eq!((reply.string("nickname"), reply.string("city")), ("小满🌾".to_owned(), "深圳".to_owned()));

    simulator.settings(|settings| settings.apps[0].test_account = true);
    assert!(user(&simulator, &token, "lin").await.json().get("unionid").is_none());
}

#[tokio::test]
async fn c1_somebody_who_does_not_follow() {
    let simulator = wechat();
    let token = token(&simulator).await;
    let (openid, unionid) = (simulator.openid("zhou", APPID), simulator.unionid("zhou", APPID).unwrap());
    let blank =
        r#""nickname":"","sex":0,"language":"zh_CN","city":"","province":"","country":"","headimgurl":"""#;
    let head = format!(r#"{{"subscribe":0,"openid":"{openid}""#);
    let cases = [
        (NonFollower::Blank, false, format!(r#"{head},{blank},"tagid_list":[]}}"#)),
        (NonFollower::Blank, true, format!(r#"{head},{blank},"unionid":"{unionid}","tagid_list":[]}}"#)),
        (NonFollower::TagList, false, format!(r#"{head},"tagid_list":[]}}"#)),
        (NonFollower::TagList, true, format!(r#"{head},"unionid":"{unionid}","tagid_list":[]}}"#)),
        (NonFollower::Bare, false, format!("{head}}}")),
    ];
    for (body, unionid, expected) in cases {
        simulator.knobs(|knobs| {
            knobs.non_follower_body = body;
            knobs.unionid_for_non_follower = unionid;
        });
        assert_eq!(user(&simulator, &token, "zhou").await.text(), expected);
    }
}

#[tokio::test]
async fn c1_many_at_once() {
    let simulator = wechat();
    let token = token(&simulator).await;
    let [lin, zhou] = ["lin", "zhou"].map(|person| simulator.openid(person, APPID));
    let list = json!([{ "openid": lin, "lang": "zh_CN" }, { "openid": zhou }]);
    let reply = batch(&simulator, &token, &list).await;
    let list = reply.json()["user_info_list"].as_array().unwrap().clone();
    assert_eq!((&list[0]["subscribe"], &list[1]["subscribe"]), (&json!(1), &json!(0)));
    assert!(reply.text().contains(user(&simulator, &token, "lin").await.text()));

    let foreign = json!([{ "openid": lin }, { "openid": simulator.openid("zhou", WEBSITE_APPID) }]);
    assert_eq!(batch(&simulator, &token, &foreign).await.json()["errcode"], 40003);
    for list in [json!(vec![json!({ "openid": lin }); 101]), json!([])] {
        assert_eq!(batch(&simulator, &token, &list).await.json()["errcode"], 40032);
    }
    assert_eq!(batch(&simulator, "x", &json!([{ "openid": lin }])).await.json()["errcode"], 40001);
    assert_eq!(get(&simulator, BATCH).await.json()["errcode"], 43002);
}

#[tokio::test]
async fn c2_stale_unknown_missing_and_expired() {
    let simulator = wechat();
    let first = token(&simulator).await;
    assert_refused(&user(&simulator, "90_x", "lin").await, STALE);
    simulator.knobs(|knobs| knobs.unknown_global_token_errcode = 40014);
    assert_refused(&user(&simulator, "90_x", "lin").await, (40014, "invalid access_token"));
    assert_refused(&get(&simulator, USER_INFO).await, (41001, "access_token missing"));
    simulator.act(&Action::ExpireGlobalTokens);
    assert_eq!(user(&simulator, &first, "lin").await.json()["errcode"], 42001);
    let steady = stable(&simulator, false).await.string("access_token");
    simulator.act(&Action::ForgetGlobalTokens);
    simulator.knobs(|knobs| knobs.unknown_global_token_errcode = 40001);
    assert_refused(&user(&simulator, &steady, "lin").await, STALE);
    assert_ne!(stable(&simulator, false).await.string("access_token"), steady);
}

#[tokio::test]
async fn c3_business_errors_carry_two_request_ids() {
    let simulator = wechat();
    let token = token(&simulator).await;
    let foreign = get(&simulator, &user_url(&token, &simulator.openid("lin", WEBSITE_APPID))).await;
    for (reply, errcode, text) in [
        (foreign, 40003, "invalid openid"),
        (get(&simulator, &user_url(&token, "")).await, 41009, "missing openid"),
        (get(&simulator, BATCH).await, 43002, "require POST method"),
    ] {
        let (before, after) = reply.text().split_once("hint: [").unwrap();
        assert_eq!(before, format!(r#"{{"errcode":{errcode},"errmsg":"{text} "#));
        let (req_id, rid) = after.split_once("] rid: ").unwrap();
        assert!(req_id.len() == 14 && rid.ends_with("\"}") && rid.len() == 28, "{after}");
    }
    // An endpoint that hands out tokens, and what is refused before any endpoint looks.
    assert_refused(&get(&simulator, STABLE).await, (43002, "require POST method"));
    assert_refused(&user(&simulator, "90_x", "lin").await, STALE);
}

#[tokio::test]
async fn c3_an_openid_of_another_app() {
    let simulator = wechat();
    let token = token(&simulator).await;
    let foreign = user_url(&token, &simulator.openid("lin", WEBSITE_APPID));
    assert_eq!(get(&simulator, &foreign).await.json()["errcode"], 40003);
    assert_eq!(get(&simulator, &user_url(&token, "")).await.json()["errcode"], 41009);
    simulator.knobs(|knobs| knobs.suffix_style = SuffixStyle::Transition);
    let reply = get(&simulator, &foreign).await;
    let (before, after) = reply.text().split_once("hint: [").unwrap();
    assert_eq!(before, r#"{"errcode":40003,"errmsg":"invalid openid "#);
    assert!(after.get(14..21) == Some("] rid: "), "{after}");
    // And in the other dialect, without the comma.
    assert!(get(&simulator, &exchange_url("x")).await.text().contains("invalid code rid: "));
}

#[tokio::test]
async fn c4_tokens_of_one_kind_are_nothing_to_the_other() {
    let simulator = wechat();
    let global = token(&simulator).await;
    let personal = tokens(&simulator, "snsapi_userinfo").await.string("access_token");
    assert_refused(&user(&simulator, &personal, "lin").await, STALE);
    let openid = simulator.openid("lin", APPID);
    assert_eq!(get(&simulator, &userinfo_url(&global, &openid)).await.json()["errcode"], 40001);
    // Nobody follows a website app.
    let website = get(&simulator, &of_website(&token_url())).await.string("access_token");
    let url = user_url(&website, &simulator.openid("lin", WEBSITE_APPID));
    assert_eq!(get(&simulator, &url).await.json()["errcode"], 48001);
}
