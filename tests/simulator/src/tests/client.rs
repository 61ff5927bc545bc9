//! What becomes of the callback's address on its way through WeChat's client and through relays.

use super::*;
use crate::{CallbackAdditions, Consent, Denial};

const SHARE: &str = "&from=singlemessage&isappinstalled=0";
const CLIENT: &str = "&uin=MjE0NzQ4MzY0Nw%3D%3D&key=0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f6071&pass_ticket=pT0%2B%2FabcDEF123%3D%3D";

async fn callback(turn: impl FnOnce(&mut Knobs), redirect_uri: &str) -> String {
    let simulator = wechat_with(turn);
    let reply = get(&simulator, &authorize_url(redirect_uri, "snsapi_base", "abc123")).await;
    reply.header("location").replace(&reply.code(), "CODE")
}

#[tokio::test]
async fn s02_the_client_adds_its_own_parameters() {
    let own = format!("{CALLBACK}?code=CODE&state=abc123");
    for (additions, expected) in [
        (CallbackAdditions::None, own.clone()),
        (CallbackAdditions::Share, format!("{own}{SHARE}")),
        (CallbackAdditions::Client, format!("{own}{CLIENT}")),
        (CallbackAdditions::All, format!("{own}{SHARE}{CLIENT}")),
    ] {
        assert_eq!(callback(|knobs| knobs.callback_additions = additions, CALLBACK).await, expected);
    }
    let with_fragment =
        callback(|knobs| knobs.callback_additions = CallbackAdditions::Share, "https://h/x#/p");
    assert_eq!(with_fragment.await, format!("https://h/x?code=CODE&state=abc123{SHARE}#/p"));
}

#[tokio::test]
async fn s02_a_relay_doubles_the_query() {
    for (redirect_uri, expected) in [
        ("https://h/x", "https://h/x?code=CODE&state=abc123&code=CODE&state=abc123"),
        ("https://h/x?a=1#/p", "https://h/x?a=1&code=CODE&state=abc123&a=1&code=CODE&state=abc123#/p"),
    ] {
        assert_eq!(callback(|knobs| knobs.callback_query_doubled = true, redirect_uri).await, expected);
    }
}

#[tokio::test]
async fn s02_a_refusal_goes_the_same_way() {
    let simulator = wechat_with(|knobs| {
        (knobs.consent, knobs.denial) = (Consent::Deny, Denial::StateOnly);
        (knobs.callback_additions, knobs.callback_query_doubled) = (CallbackAdditions::Share, true);
    });
    let reply = get(&simulator, &authorize_url(CALLBACK, "snsapi_userinfo", "abc123")).await;
    let once = format!("state=abc123{SHARE}");
    assert_eq!(reply.header("location"), format!("{CALLBACK}?{once}&{once}"));
}

#[tokio::test]
async fn s03_a_unionid_appears_when_the_account_is_bound_while_people_are_logged_in() {
    let simulator = wechat();
    let bind = |account: Option<&str>| {
        simulator.settings(|settings| settings.apps[0].open_account = account.map(str::to_owned));
    };
    bind(None);
    let tokens = tokens(&simulator, "snsapi_userinfo").await;
    let code = simulator.issue_code("zhou", APPID, "snsapi_userinfo").unwrap();
    assert!(tokens.json().get("unionid").is_none());
    let url = profile_url(&tokens);
    assert!(get(&simulator, &url).await.json().get("unionid").is_none());

    bind(Some("qinghe"));
    let unionid = simulator.unionid("lin", APPID).unwrap();
    assert_eq!(get(&simulator, &url).await.string("unionid"), unionid);
    // A code that was issued before tells it as well, and so do tokens that were refreshed meanwhile.
    let exchanged = get(&simulator, &exchange_url(&code)).await;
    assert_eq!(exchanged.string("unionid"), simulator.unionid("zhou", APPID).unwrap());
    let refreshed = get(&simulator, &refresh_url(&tokens.string("refresh_token"))).await;
    assert_eq!(get(&simulator, &profile_url(&refreshed)).await.string("unionid"), unionid);
    // Bound to another account, it is another one.
    bind(Some("other"));
    assert_ne!(get(&simulator, &url).await.string("unionid"), unionid);
}
