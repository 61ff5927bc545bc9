//! §6.4, the exchange of a code.

use super::*;
use crate::{Fault, Snapshot, SuffixStyle, UnionidInExchange};

/// What every success begins with, as [`assert_shape`] sees it.
const HEAD: &str = r#"{"access_token":"A","expires_in":7200,"refresh_token":"R""#;

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
async fn e1_e2_e3_base_userinfo_and_login_of_a_website_app() {
    let simulator = wechat();
    let unionid = format!(r#","unionid":"{}""#, simulator.unionid("lin", APPID).unwrap());
    assert_ne!(simulator.openid("lin", WEBSITE_APPID), simulator.openid("lin", APPID));
    for (appid, secret, scope, unionid) in [
        (APPID, SECRET, "snsapi_base", ""),
        (APPID, SECRET, "snsapi_userinfo", &unionid),
        (WEBSITE_APPID, WEBSITE_SECRET, "snsapi_login", &unionid),
    ] {
        let url = exchange_url(&simulator.issue_code("lin", appid, scope).unwrap());
        let reply = get(&simulator, &url.replace(APPID, appid).replace(SECRET, secret)).await;
        let openid = simulator.openid("lin", appid);
        assert_shape(&reply, &format!(r#"{HEAD},"openid":"{openid}","scope":"{scope}"{unionid}}}"#));
        let entry = last(&simulator);
        assert_eq!((entry.outcome.clone(), entry.processed, entry.answered), (Outcome::Ok, true, true));
        assert_eq!(entry.parameter("secret"), Some(secret));
    }
}

#[tokio::test]
async fn e4_snapshot() {
    let simulator = wechat_with(|knobs| knobs.snapshot = Snapshot::On);
    let reply = tokens(&simulator, "snsapi_userinfo").await;
    let (openid, unionid) = (reply.string("openid"), reply.string("unionid"));
    assert_ne!(openid, simulator.openid("lin", APPID));
    assert_ne!(unionid, simulator.unionid("lin", APPID).unwrap());
    let openid = format!(r#""openid":"{openid}","scope":"snsapi_userinfo""#);
    assert_shape(&reply, &format!(r#"{HEAD},{openid},"is_snapshotuser":1,"unionid":"{unionid}"}}"#));

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
    let simulator = wechat_with(|knobs| knobs.snapshot = Snapshot::FlagMissingFirst);
    let first = tokens(&simulator, "snsapi_userinfo").await;
    assert!(first.json().get("is_snapshotuser").is_none());
    assert_ne!(first.string("openid"), simulator.openid("lin", APPID));
    assert_eq!(tokens(&simulator, "snsapi_userinfo").await.json()["is_snapshotuser"], 1);
}

#[tokio::test]
async fn e5_used_code() {
    let simulator = wechat();
    let url = fresh_exchange(&simulator, "snsapi_base");
    get(&simulator, &url).await;
    let again = get(&simulator, &url).await;
    assert_error(&again, (40163, "code been used,"));
    assert_eq!(last(&simulator).outcome, Outcome::Errcode { errcode: 40163 });
    simulator.knobs(|knobs| knobs.used_code_errcode = 40029);
    assert_error(&get(&simulator, &url).await, (40029, "invalid code,"));
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
        assert_error(&get(&simulator, &url(&late)).await, (40029, "invalid code,"));
        simulator.knobs(|knobs| knobs.expired_code_errcode = 42003);
        assert_error(&get(&simulator, &url(&late)).await, (42003, "code expired,"));
    }
}

/// One thing is wrong, and the code is not spent.
#[tokio::test]
async fn e6_to_e11_one_thing_is_wrong() {
    let simulator = wechat();
    let foreign = simulator.issue_code("lin", WEBSITE_APPID, "snsapi_login").unwrap();
    let url = fresh_exchange(&simulator, "snsapi_base");
    for (url, failure) in [
        // E6: an unknown code, and that of another app.
        (exchange_url("011111111111111111111111111111Ab"), (40029, "invalid code,")),
        (exchange_url(&foreign), (40029, "invalid code,")),
        // E7: no code.
        (exchange_url(""), (41008, "missing code,")),
        (exchange_url("").replace("&code=", ""), (41008, "missing code,")),
        // E8, E10: another appid, and none.
        (url.replace(APPID, "WX0000000000000AAA"), (40013, "invalid appid,")),
        (EXCHANGE.to_owned(), (41002, "appid missing,")),
        // E9: another secret, and none.
        (url.replace(SECRET, WEBSITE_SECRET), (40125, "invalid appsecret,")),
        (url.replace(SECRET, ""), (41004, "appsecret missing,")),
        // E11: another grant type, and none.
        (url.replace("authorization_code", "client_credential"), (40002, "invalid grant_type,")),
        (url.replace("&grant_type=authorization_code", ""), (40002, "invalid grant_type,")),
    ] {
        let reply = get(&simulator, &url).await;
        assert_error(&reply, failure);
        // The first group of the request id is the time.
        assert!(reply.text().contains("rid: 6553f100-"), "{}", reply.text());
    }
    assert_eq!(get(&simulator, &url).await.string("scope"), "snsapi_base");
}

#[tokio::test]
async fn e12_busy_and_the_code_is_spent_or_not() {
    for burn in [true, false] {
        let simulator = wechat_with(|knobs| {
            knobs.burn_code_on_system_error = burn;
            knobs.script(EXCHANGE, Fault::Errcode { errcode: -1, errmsg: None });
        });
        let url = fresh_exchange(&simulator, "snsapi_base");
        let busy = get(&simulator, &url).await;
        assert_error(&busy, (-1, "system error,"));
        assert_eq!(last(&simulator).processed, burn);
        let again = get(&simulator, &url).await;
        if burn {
            assert_error(&again, (40163, "code been used,"));
        } else {
            assert_eq!(again.string("scope"), "snsapi_base");
        }
    }
}

#[tokio::test]
async fn e13_legacy_and_bare_suffix() {
    let simulator = wechat_with(|knobs| knobs.suffix_style = SuffixStyle::Hints);
    let url = fresh_exchange(&simulator, "snsapi_base");
    get(&simulator, &url).await;
    let reply = get(&simulator, &url).await;
    let req_id =
        reply.text().strip_prefix(r#"{"errcode":40163,"errmsg":"code been used, hints: [ req_id: "#).unwrap();
    let req_id = req_id.strip_suffix(r#" ]"}"#).unwrap();
    assert!(req_id.len() == 14 && req_id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{req_id}");
    simulator.knobs(|knobs| knobs.suffix_style = SuffixStyle::Bare);
    let reply = get(&simulator, &url).await;
    assert_eq!(reply.text(), r#"{"errcode":40163,"errmsg":"code been used"}"#);
}

#[tokio::test]
async fn precedence_from_the_app_to_the_code() {
    let simulator = wechat();
    let all = format!("?appid={APPID}&secret={SECRET}&grant_type=authorization_code&code=x");
    for (query, errcode) in [
        ("", 41002),
        ("?appid=wx1&grant_type=x", 40013),
        (&format!("?appid={APPID}"), 41004),
        (&format!("?appid={APPID}&secret=x"), 40125),
        (&format!("?appid={APPID}&secret={SECRET}"), 40002),
        (all.trim_end_matches("&code=x"), 41008),
        (&all, 40029),
    ] {
        let refused = get(&simulator, &format!("{EXCHANGE}{query}")).await;
        assert_eq!(refused.json()["errcode"], errcode, "{query}");
    }
}

#[tokio::test]
async fn a_post_with_the_same_query_works() {
    let simulator = wechat();
    let url = fresh_exchange(&simulator, "snsapi_base");
    assert_eq!(post(&simulator, &url, "").await.string("scope"), "snsapi_base");
    assert_eq!(last(&simulator).method, "POST");
    assert_eq!(post(&simulator, USERINFO, "").await.json()["errcode"], 43001);
}

#[tokio::test]
async fn a_form_says_the_same_as_a_query() {
    let simulator = wechat();
    let code = simulator.issue_code("lin", APPID, "snsapi_userinfo").unwrap();
    let tokens = post_form(&simulator, &exchange_url(&code)).await;
    assert_eq!(tokens.string("scope"), "snsapi_userinfo");
    let entry = last(&simulator);
    assert_eq!((entry.appid.as_deref(), entry.code.as_ref()), (Some(APPID), Some(&code)));
    assert!(entry.query.is_empty());
    assert_eq!(entry.parameter("secret"), Some(SECRET));
    let refreshed = post_form(&simulator, &refresh_url(&tokens.string("refresh_token"))).await;
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
    let simulator = wechat_with(|knobs| {
        knobs.scope_in_exchange = false;
        knobs.errcode_as_string = true;
    });
    assert!(tokens(&simulator, "snsapi_base").await.json().get("scope").is_none());
    assert_error(&get(&simulator, &exchange_url("x")).await, ("\"40029\"", "invalid code,"));
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
    let issue = |simulator: &Simulator| fresh_exchange(simulator, "snsapi_base");
    assert_ne!(issue(&yesterday), issue(&today));
}
