//! §6.4, the exchange of a code.

use super::*;
use crate::{Fault, Outcome, Snapshot, SuffixStyle, UnionidInExchange};

fn assert_shape(reply: &Reply, expected: &str) {
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.header("content-type"), "text/plain");
    let json = reply.json();
    let text = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
    for token in [text("access_token"), text("refresh_token")] {
        assert!(token.starts_with("90_") && (88..=110).contains(&token.len()), "{token}");
    }
    assert!(text("openid").len() == 28 && text("openid").starts_with('o'));
    let body = reply.text().replace(&text("access_token"), "A");
    assert_eq!(body.replace(&text("refresh_token"), "R"), expected);
}

#[tokio::test]
async fn e1_base() {
    let simulator = wechat();
    let openid = simulator.openid("lin", APPID);
    assert_shape(
        &tokens(&simulator, "snsapi_base").await,
        &format!(
            r#"{{"access_token":"A","expires_in":7200,"refresh_token":"R","openid":"{openid}","scope":"snsapi_base"}}"#
        ),
    );
    let entry = last(&simulator);
    assert_eq!((entry.outcome.clone(), entry.processed, entry.answered), (Outcome::Ok, true, true));
    assert_eq!(entry.parameter("secret"), Some(SECRET));
}

#[tokio::test]
async fn e2_userinfo() {
    let simulator = wechat();
    let (openid, unionid) = (simulator.openid("lin", APPID), simulator.unionid("lin", APPID).unwrap());
    assert_shape(
        &tokens(&simulator, "snsapi_userinfo").await,
        &format!(
            r#"{{"access_token":"A","expires_in":7200,"refresh_token":"R","openid":"{openid}","scope":"snsapi_userinfo","unionid":"{unionid}"}}"#
        ),
    );
}

#[tokio::test]
async fn e3_login_of_a_website_app() {
    let simulator = wechat();
    let code = simulator.issue_code("lin", WEBSITE_APPID, "snsapi_login").unwrap();
    let url = exchange_url(&code).replace(APPID, WEBSITE_APPID).replace(SECRET, WEBSITE_SECRET);
    let openid = simulator.openid("lin", WEBSITE_APPID);
    let unionid = simulator.unionid("lin", APPID).unwrap();
    assert_ne!(openid, simulator.openid("lin", APPID));
    assert_shape(
        &get(&simulator, &url).await,
        &format!(
            r#"{{"access_token":"A","expires_in":7200,"refresh_token":"R","openid":"{openid}","scope":"snsapi_login","unionid":"{unionid}"}}"#
        ),
    );
}

#[tokio::test]
async fn e4_snapshot() {
    let simulator = wechat();
    simulator.knobs(|knobs| knobs.snapshot = Snapshot::On);
    let reply = tokens(&simulator, "snsapi_userinfo").await;
    let (openid, unionid) = (reply.string("openid"), reply.string("unionid"));
    assert_ne!(openid, simulator.openid("lin", APPID));
    assert_ne!(unionid, simulator.unionid("lin", APPID).unwrap());
    let head = r#"{"access_token":"A","expires_in":7200,"refresh_token":"R""#;
    let openid = format!(r#""openid":"{openid}","scope":"snsapi_userinfo""#);
    assert_shape(&reply, &format!(r#"{head},{openid},"is_snapshotuser":1,"unionid":"{unionid}"}}"#));

    simulator.knobs(|knobs| knobs.unionid_before_snapshot_flag = true);
    let reply = tokens(&simulator, "snsapi_userinfo").await;
    assert!(
        reply.text().ends_with(&format!(r#""unionid":"{}","is_snapshotuser":1}}"#, reply.string("unionid")))
    );

    // A base code is never one of a snapshot page.
    assert!(tokens(&simulator, "snsapi_base").await.json().get("is_snapshotuser").is_none());
}

#[tokio::test]
async fn e4_the_flag_may_be_missing_the_first_time() {
    let simulator = wechat();
    simulator.knobs(|knobs| knobs.snapshot = Snapshot::FlagMissingFirst);
    let first = tokens(&simulator, "snsapi_userinfo").await;
    assert!(first.json().get("is_snapshotuser").is_none());
    assert_ne!(first.string("openid"), simulator.openid("lin", APPID));
    assert_eq!(tokens(&simulator, "snsapi_userinfo").await.json()["is_snapshotuser"], 1);
}

#[tokio::test]
async fn e5_used_code() {
    let simulator = wechat();
    let code = simulator.issue_code("lin", APPID, "snsapi_base").unwrap();
    get(&simulator, &exchange_url(&code)).await;
    let again = get(&simulator, &exchange_url(&code)).await;
    assert_error(&again, r#"{"errcode":40163,"errmsg":"code been used, rid: R"}"#);
    assert_eq!(last(&simulator).outcome, Outcome::Errcode { errcode: 40163 });
    simulator.knobs(|knobs| knobs.used_code_errcode = 40029);
    assert_error(
        &get(&simulator, &exchange_url(&code)).await,
        r#"{"errcode":40029,"errmsg":"invalid code, rid: R"}"#,
    );
}

#[tokio::test]
async fn e6_bad_code_and_code_of_another_app() {
    let simulator = wechat();
    let unknown = get(&simulator, &exchange_url("011111111111111111111111111111Ab")).await;
    assert_error(&unknown, r#"{"errcode":40029,"errmsg":"invalid code, rid: R"}"#);
    let code = simulator.issue_code("lin", WEBSITE_APPID, "snsapi_login").unwrap();
    let foreign = get(&simulator, &exchange_url(&code)).await;
    assert_error(&foreign, r#"{"errcode":40029,"errmsg":"invalid code, rid: R"}"#);
}

#[tokio::test]
async fn e6_codes_expire_by_platform() {
    let cases = [(APPID, SECRET, "snsapi_base", 300), (WEBSITE_APPID, WEBSITE_SECRET, "snsapi_login", 600)];
    for (appid, secret, scope, lifetime) in cases {
        let simulator = wechat();
        let url = |code: &str| exchange_url(code).replace(APPID, appid).replace(SECRET, secret);
        let code = simulator.issue_code("lin", appid, scope).unwrap();
        let late = simulator.issue_code("lin", appid, scope).unwrap();
        simulator.advance(lifetime);
        assert_eq!(get(&simulator, &url(&code)).await.string("scope"), scope);
        simulator.advance(1);
        assert_error(
            &get(&simulator, &url(&late)).await,
            r#"{"errcode":40029,"errmsg":"invalid code, rid: R"}"#,
        );
        simulator.knobs(|knobs| knobs.expired_code_errcode = 42003);
        assert_error(
            &get(&simulator, &url(&late)).await,
            r#"{"errcode":42003,"errmsg":"code expired, rid: R"}"#,
        );
    }
}

#[tokio::test]
async fn e7_no_code() {
    let empty = get(&wechat(), &exchange_url("")).await;
    assert_error(&empty, r#"{"errcode":41008,"errmsg":"missing code, rid: R"}"#);
    let absent = get(&wechat(), &exchange_url("").replace("&code=", "")).await;
    assert_error(&absent, r#"{"errcode":41008,"errmsg":"missing code, rid: R"}"#);
}

#[tokio::test]
async fn e8_bad_appid() {
    let reply = get(&wechat(), &exchange_url("x").replace(APPID, "WX0000000000000AAA")).await;
    assert_error(&reply, r#"{"errcode":40013,"errmsg":"invalid appid, rid: R"}"#);
    // The first group of the request id is the time.
    assert!(reply.text().contains("rid: 6553f100-"), "{}", reply.text());
}

#[tokio::test]
async fn e9_bad_secret_does_not_spend_the_code() {
    let simulator = wechat();
    let code = simulator.issue_code("lin", APPID, "snsapi_base").unwrap();
    let reply = get(&simulator, &exchange_url(&code).replace(SECRET, WEBSITE_SECRET)).await;
    assert_error(&reply, r#"{"errcode":40125,"errmsg":"invalid appsecret, rid: R"}"#);
    let missing = get(&simulator, &exchange_url(&code).replace(SECRET, "")).await;
    assert_error(&missing, r#"{"errcode":41004,"errmsg":"appsecret missing, rid: R"}"#);
    assert_eq!(get(&simulator, &exchange_url(&code)).await.string("scope"), "snsapi_base");
}

#[tokio::test]
async fn e10_no_appid() {
    let reply = get(&wechat(), EXCHANGE).await;
    assert_error(&reply, r#"{"errcode":41002,"errmsg":"appid missing, rid: R"}"#);
}

#[tokio::test]
async fn e11_grant_type() {
    for url in [
        exchange_url("x").replace("authorization_code", "client_credential"),
        exchange_url("x").replace("&grant_type=authorization_code", ""),
    ] {
        assert_error(
            &get(&wechat(), &url).await,
            r#"{"errcode":40002,"errmsg":"invalid grant_type, rid: R"}"#,
        );
    }
}

#[tokio::test]
async fn e12_busy_and_the_code_is_spent_or_not() {
    for burn in [true, false] {
        let simulator = wechat();
        simulator.knobs(|knobs| {
            knobs.burn_code_on_system_error = burn;
            knobs.script(EXCHANGE, Fault::Errcode { errcode: -1, errmsg: None });
        });
        let code = simulator.issue_code("lin", APPID, "snsapi_base").unwrap();
        let busy = get(&simulator, &exchange_url(&code)).await;
        assert_error(&busy, r#"{"errcode":-1,"errmsg":"system error, rid: R"}"#);
        assert_eq!(last(&simulator).processed, burn);
        let again = get(&simulator, &exchange_url(&code)).await;
        if burn {
            assert_error(&again, r#"{"errcode":40163,"errmsg":"code been used, rid: R"}"#);
        } else {
            assert_eq!(again.string("scope"), "snsapi_base");
        }
    }
}

#[tokio::test]
async fn e13_legacy_and_bare_suffix() {
    let simulator = wechat();
    simulator.knobs(|knobs| knobs.suffix_style = SuffixStyle::Hints);
    let code = simulator.issue_code("lin", APPID, "snsapi_base").unwrap();
    get(&simulator, &exchange_url(&code)).await;
    let reply = get(&simulator, &exchange_url(&code)).await;
    let req_id =
        reply.text().strip_prefix(r#"{"errcode":40163,"errmsg":"code been used, hints: [ req_id: "#).unwrap();
    let req_id = req_id.strip_suffix(r#" ]"}"#).unwrap();
    assert!(req_id.len() == 14 && req_id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{req_id}");
    simulator.knobs(|knobs| knobs.suffix_style = SuffixStyle::Bare);
    let reply = get(&simulator, &exchange_url(&code)).await;
    assert_eq!(reply.text(), r#"{"errcode":40163,"errmsg":"code been used"}"#);
}

#[tokio::test]
async fn precedence_from_the_app_to_the_code() {
    let simulator = wechat();
    let mut expected = [41002, 40013, 41004, 40125, 40002, 41008, 40029].into_iter();
    let queries = [
        String::new(),
        "?appid=wx1&grant_type=x".to_owned(),
        format!("?appid={APPID}"),
        format!("?appid={APPID}&secret=x"),
        format!("?appid={APPID}&secret={SECRET}"),
        format!("?appid={APPID}&secret={SECRET}&grant_type=authorization_code"),
        format!("?appid={APPID}&secret={SECRET}&grant_type=authorization_code&code=x"),
    ];
    for query in queries {
        let reply = get(&simulator, &format!("{EXCHANGE}{query}")).await;
        assert_eq!(reply.json()["errcode"], expected.next().unwrap(), "{query}");
    }
}

#[tokio::test]
async fn a_post_with_the_same_query_works() {
    let simulator = wechat();
    let code = simulator.issue_code("lin", APPID, "snsapi_base").unwrap();
    assert_eq!(post(&simulator, &exchange_url(&code), "").await.string("scope"), "snsapi_base");
    assert_eq!(last(&simulator).method, "POST");
    assert_eq!(post(&simulator, USERINFO, "").await.json()["errcode"], 43001);
}

#[tokio::test]
async fn a_form_says_the_same_as_a_query() {
    let simulator = wechat();
    let code = simulator.issue_code("lin", APPID, "snsapi_userinfo").unwrap();
    let send_form = async |url: String| {
        let (path, form) = url.split_once('?').unwrap();
        let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        send(&simulator, request.body(Body::from(form.to_owned())).unwrap()).await
    };
    let tokens = send_form(exchange_url(&code)).await;
    assert_eq!(tokens.string("scope"), "snsapi_userinfo");
    let entry = last(&simulator);
    assert_eq!((entry.appid.as_deref(), entry.code.as_ref()), (Some(APPID), Some(&code)));
    assert!(entry.query.is_empty());
    assert_eq!(entry.parameter("secret"), Some(SECRET));
    let refreshed = send_form(refresh_url(&tokens.string("refresh_token"))).await;
    assert_eq!(refreshed.string("access_token"), tokens.string("access_token"));
}

#[tokio::test]
async fn unionid_by_scope_binding_and_knob() {
    let simulator = wechat();
    let has = |reply: Reply| reply.json().get("unionid").is_some();
    assert!(!has(tokens(&simulator, "snsapi_base").await));
    assert!(has(tokens(&simulator, "snsapi_userinfo").await));
    // Granted now, but the switch is off.
    assert!(!has(tokens(&simulator, "snsapi_base").await));
    simulator.knobs(|knobs| knobs.base_exchange_unionid_after_prior_grant = true);
    assert!(has(tokens(&simulator, "snsapi_base").await));
    assert!(!has(tokens_of(&simulator, "zhou", "snsapi_base").await));

    simulator.knobs(|knobs| knobs.unionid_in_userinfo_exchange = UnionidInExchange::FollowersOnly);
    assert!(has(tokens(&simulator, "snsapi_userinfo").await));
    assert!(!has(tokens_of(&simulator, "zhou", "snsapi_userinfo").await));

    let unbound = wechat();
    unbound.settings(|settings| settings.apps[0].open_account = None);
    assert!(!has(tokens(&unbound, "snsapi_userinfo").await));
}

#[tokio::test]
async fn scope_can_be_left_out_and_errcode_a_string() {
    let simulator = wechat();
    simulator.knobs(|knobs| {
        knobs.scope_in_exchange = false;
        knobs.errcode_as_string = true;
    });
    assert!(tokens(&simulator, "snsapi_base").await.json().get("scope").is_none());
    assert_error(
        &get(&simulator, &exchange_url("x")).await,
        r#"{"errcode":"40029","errmsg":"invalid code, rid: R"}"#,
    );
}

#[tokio::test]
async fn the_same_requests_draw_the_same_values() {
    let (one, two) = (wechat(), wechat());
    assert_eq!(tokens(&one, "snsapi_base").await.text(), tokens(&two, "snsapi_base").await.text());
    let mut settings = Settings::example();
    settings.seed = 2;
    let other = Simulator::new(settings);
    assert_ne!(one.openid("lin", APPID), other.openid("lin", APPID));

    // While the clock runs, a restart does not begin from the same codes again.
    let (yesterday, today) = (wechat(), wechat());
    today.advance(24 * 3600);
    let issue = |simulator: &Simulator| simulator.issue_code("lin", APPID, "snsapi_base").unwrap();
    assert_ne!(issue(&yesterday), issue(&today));
}
