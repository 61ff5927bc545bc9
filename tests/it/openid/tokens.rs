//! What a token says, and for whom it is good.

use std::{collections::BTreeSet, time::Duration};

use harness::{
    Visitor,
    browser::WECHAT_USER_AGENT,
    database::with,
    places::{AUTHORIZE_PROFILE, PROFILE},
    proxy::{Fault, Kind, Rule},
    stack::{OFFICIAL_ACCOUNT, PAGE_ORIGIN, WEBSITE_APP},
    time,
};
use serde_json::{Value, json};

use crate::support::only_session;

use super::{API, ask, logged_in, one_api, provider, published, stack, stack_of, start, token, verify};

/// The names of an object's members.
fn names(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// One that opens an API for 16 bytes of chance.
fn is_random(text: &str) -> bool {
    text.len() == 22 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_says_this_and_no_more() {
    let (stack, visitor) = logged_in().await;
    let before = time::now_seconds();
    // A while ago, so that the login and the token are of different times.
    let authenticated = json!({ "N": (before - 1000).to_string() });
    let session = with(only_session(&stack).unwrap(), "created_at", authenticated);
    stack.database().put(stack.table("SessionsTable").unwrap(), &session).unwrap();
    let token = token(&stack, &visitor, "").await;
    let after = time::now_seconds();
    let keys = published(&stack).await;
    assert_eq!(token.header, json!({ "alg": "RS256", "kid": keys["keys"][0]["kid"], "typ": "at+jwt" }));
    let claims = token.claims;
    let issued = claims["iat"].as_u64().unwrap();
    assert!((before..=after).contains(&issued), "{before} {issued} {after}");
    assert!(is_random(claims["jti"].as_str().unwrap()), "{}", claims["jti"]);
    assert_eq!(
        claims,
        json!({
            "iss": "https://login.example.com",
            "aud": API,
            "sub": format!("{OFFICIAL_ACCOUNT}.{}", visitor.openid()),
            "client_id": PAGE_ORIGIN,
            "jti": claims["jti"],
            "iat": issued,
            "exp": issued + 600,
            "auth_time": before - 1000,
            "acr": "urn:wechat-login:snsapi_base",
        })
    );
    // Nothing that could be too early at a gateway with a slow clock, and nothing of the profile.
    let visitor = visitor.logged_in_with_profile().await.unwrap();
    let with_profile = super::token(&stack, &visitor, "").await.claims;
    assert_eq!(names(&with_profile), names(&claims));
}

/// With other members than RFC 9068 names it says only what the API is set up for.
#[tokio::test(flavor = "multi_thread")]
async fn an_api_is_told_what_it_asks_for() {
    let apis = json!({ "subject": "openid", "apis": {
        API: {
            "origins": [PAGE_ORIGIN],
            "typ": "JWT",
            "scopes": ["orders", "orders:write"],
            "claims": ["wechat_openid", "wechat_unionid", "wechat_appid"],
            "lifetime": 60,
        },
        "https://stock.example.com": { "origins": [PAGE_ORIGIN], "lifetime": 3600, "claims": ["wechat_openid"] },
    }});
    let stack = stack_of(&apis).await;
    let visitor = stack.visitor("lin").logged_in().await.unwrap();
    let query = format!("?resource={API}");
    let said = token(&stack, &visitor, &query).await;
    assert_eq!(said.header["typ"], "JWT");
    let claims = said.claims;
    assert_eq!(claims["scope"], "orders orders:write");
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 60);
    assert_eq!(
        (&claims["wechat_openid"], &claims["wechat_appid"]),
        (&visitor.openid().into(), &OFFICIAL_ACCOUNT.into())
    );
    assert!(claims.get("wechat_unionid").is_none(), "not known, so not told: {claims}");
    assert_eq!(ask(&visitor, &query).await.json().unwrap()["expires_in"], 60);
    let visitor = visitor.logged_in_with_profile().await.unwrap();
    let unionid = stack.simulator().unionid("lin", OFFICIAL_ACCOUNT).unwrap();
    assert_eq!(token(&stack, &visitor, &query).await.claims["wechat_unionid"], unionid);

    let other = token(&stack, &visitor, "?resource=https://stock.example.com").await;
    assert_eq!(other.header["typ"], "at+jwt");
    assert_eq!(other.claims["exp"].as_u64().unwrap() - other.claims["iat"].as_u64().unwrap(), 3600);
    let told: Vec<_> = names(&other.claims).into_iter().filter(|name| name.starts_with("wechat_")).collect();
    assert_eq!(told, ["wechat_openid"]);
    assert!(other.claims.get("scope").is_none());
}

/// One API, whatever was asked for and however many there are: what another one could use as well would be a token for
/// that one.
#[tokio::test(flavor = "multi_thread")]
async fn an_audience_is_never_more_than_was_granted() {
    let other = "https://stock.example.com";
    let api = json!({ "origins": [PAGE_ORIGIN], "scopes": ["orders"] });
    let stack =
        stack_of(&json!({ "subject": "openid", "apis": { API: api, other: { "origins": [PAGE_ORIGIN] } } }))
            .await;
    let visitor = stack.visitor("lin").logged_in().await.unwrap();
    for api in [API, other] {
        let claims = token(&stack, &visitor, &format!("?resource={api}&scope=admin")).await.claims;
        assert_eq!(claims["aud"], api);
        assert_eq!(claims.get("scope"), (api == API).then_some(&json!("orders")));
    }
}

/// Nor is one of two tokens a copy of the other.
#[tokio::test(flavor = "multi_thread")]
async fn every_token_has_a_name_of_its_own() {
    let (stack, visitor) = logged_in().await;
    let mut names = BTreeSet::new();
    for _ in 0..5 {
        names.insert(token(&stack, &visitor, "").await.claims["jti"].as_str().unwrap().to_owned());
    }
    assert_eq!(names.len(), 5, "{names:?}");
}

async fn subject(stack: &harness::Stack, visitor: &Visitor) -> String {
    token(stack, visitor, "").await.claims["sub"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_the_same_in_wechat_and_by_qr_code() {
    let apis = |subject| json!({ "subject": subject, "apis": { API: { "origins": [PAGE_ORIGIN] } } });
    let by_unionid = stack_of(&apis("unionid")).await;
    let [phone, desktop] = [by_unionid.visitor("lin"), by_unionid.visitor("lin").at_a_computer()];
    phone.log_in_with_profile().await.unwrap();
    desktop.log_in_at(AUTHORIZE_PROFILE).await.unwrap();
    let unionid = by_unionid.simulator().unionid("lin", OFFICIAL_ACCOUNT).unwrap();
    for visitor in [&phone, &desktop] {
        assert_eq!(subject(&by_unionid, visitor).await, unionid);
    }
    assert_ne!(
        subject(&by_unionid, &by_unionid.visitor("zhou").logged_in_with_profile().await.unwrap()).await,
        unionid
    );

    // An openid means nothing without its app, and stays one where the unionid is known.
    let by_openid = stack_of(&apis("openid")).await;
    let [phone, desktop] = [by_openid.visitor("lin"), by_openid.visitor("lin").at_a_computer()];
    phone.log_in().await.unwrap();
    let silently = subject(&by_openid, &phone).await;
    phone.log_in_with_profile().await.unwrap();
    desktop.log_in_at(AUTHORIZE_PROFILE).await.unwrap();
    assert_eq!(subject(&by_openid, &phone).await, silently);
    assert_eq!(silently, format!("{OFFICIAL_ACCOUNT}.{}", phone.openid()));
    assert_eq!(
        subject(&by_openid, &desktop).await,
        format!("{WEBSITE_APP}.{}", desktop.openid_at(WEBSITE_APP))
    );
}

/// A follower's unionid is known without a question.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_login_of_a_follower_has_a_subject() {
    let apis = json!({ "subject": "unionid", "apis": { API: { "origins": [PAGE_ORIGIN] } } });
    let stack = start(provider(&apis).with("SILENT_UNIONID", "true")).await;
    let visitor = stack.visitor("lin").logged_in().await.unwrap();
    assert_eq!(subject(&stack, &visitor).await, stack.simulator().unionid("lin", OFFICIAL_ACCOUNT).unwrap());
    assert_eq!(token(&stack, &visitor, "").await.claims["acr"], "urn:wechat-login:snsapi_base");
}

#[tokio::test(flavor = "multi_thread")]
async fn acr_is_what_this_login_was() {
    let stack = stack().await;
    let phone = stack.visitor("lin").logged_in_with_profile().await.unwrap();
    let acr = async |visitor: &Visitor| token(&stack, visitor, "").await.claims["acr"].clone();
    assert_eq!(acr(&phone).await, "urn:wechat-login:snsapi_userinfo");
    // The next one is silent. The profile is carried over, and what the person did for it is not.
    phone.log_in().await.unwrap();
    assert_eq!(phone.shown().await.unwrap()["nickname"], "小满🌾");
    assert_eq!(acr(&phone).await, "urn:wechat-login:snsapi_base");
    let desktop = stack.visitor("zhou").at_a_computer();
    desktop.log_in_at(AUTHORIZE_PROFILE).await.unwrap();
    assert_eq!(acr(&desktop).await, "urn:wechat-login:snsapi_login");
    // The other app's login in the same browser takes over nothing of it.
    let in_wechat = desktop.with_user_agent(WECHAT_USER_AGENT).logged_in().await.unwrap();
    assert_eq!(acr(&in_wechat).await, "urn:wechat-login:snsapi_base");
}

/// What `/userinfo` does with the session in between changes neither when the person logged in nor how.
#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_is_read_again_changes_no_login() {
    let stack = start(provider(&one_api()).with("PROFILE_LIFETIME_SECONDS", "0")).await;
    let visitor = stack.visitor("lin").logged_in_with_profile().await.unwrap();
    let before = token(&stack, &visitor, "").await.claims;
    stack.simulator().act(&simulator::Action::ExpireAccessTokens);
    visitor.shown().await.unwrap();
    assert_eq!(stack.requests(PROFILE).len(), 3);
    let after = token(&stack, &visitor, "").await.claims;
    for name in ["sub", "auth_time", "acr"] {
        assert_eq!(before[name], after[name], "{name}");
    }
}

/// Gateways allow no clock that is ahead: what a token says of its time is when it was asked for, however long it took.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_as_old_as_its_request() {
    let stack = start(provider(&one_api()).proxied()).await;
    let visitor = stack.visitor("lin").logged_in().await.unwrap();
    token(&stack, &visitor, "").await;
    let before = time::now_seconds();
    let late = stack.proxy().unwrap().inject(Rule::at(Kind::Session, Fault::HoldAfter).times(1));
    let waiting = async {
        let held = late.held().await.unwrap();
        // It came at this second or before. Until the clock shows a difference.
        let came = time::now_seconds();
        while time::now_seconds() == came {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        held.release();
        came
    };
    let (answer, came) = tokio::join!(ask(&visitor, ""), waiting);
    let answer = answer.json().unwrap();
    let said = verify(&published(&stack).await, answer["access_token"].as_str().unwrap()).unwrap().claims;
    let issued = said["iat"].as_u64().unwrap();
    assert!((before..=came).contains(&issued), "{before} {issued} {came}");
    assert_eq!(said["exp"].as_u64().unwrap(), issued + 600);
}

/// Every byte of a token is signed.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_changed_is_none() {
    let (stack, visitor) = logged_in().await;
    let keys = published(&stack).await;
    let answer = ask(&visitor, "").await.json().unwrap();
    let token = answer["access_token"].as_str().unwrap();
    assert!(verify(&keys, token).is_ok());
    for at in (0..token.len()).step_by(7) {
        let other = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
        let changed = format!("{}{other}{}", &token[..at], &token[at + 1..]);
        assert!(verify(&keys, &changed).is_err(), "{at}");
    }
}

/// The token that a page got is not one of the session: the login takes it for nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_nothing_of_the_login() {
    let (stack, visitor) = logged_in().await;
    let answer = ask(&visitor, "").await.json().unwrap();
    let token = answer["access_token"].as_str().unwrap();
    let stranger = stack.visitor("lin");
    for url in [harness::places::USERINFO, super::ACCESS_TOKEN] {
        for (name, value) in
            [("authorization", format!("Bearer {token}")), ("cookie", format!("__Host-session={token}"))]
        {
            let method = if url == super::ACCESS_TOKEN { http::Method::POST } else { http::Method::GET };
            let visit = harness::browser::Visit::fetch(method, url, PAGE_ORIGIN).header(name, &value);
            assert_eq!(stranger.send(visit).await.unwrap().status, 401, "{url} {name}");
        }
    }
}
