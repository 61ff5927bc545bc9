//! The simulator's own interface.

use serde_json::{Value, json};

use crate::Denial;

use super::*;

async fn call(simulator: &Simulator, method: &str, path: &str, body: &Value) -> Reply {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let request = Request::builder().method(method).uri(format!("/_simulator/{path}"));
    send(simulator, request.body(Body::from(body)).unwrap()).await
}

async fn look(simulator: &Simulator, path: &str) -> Reply {
    call(simulator, "GET", path, &Value::Null).await
}

#[tokio::test]
async fn the_ledger_is_read_narrowed_and_cleared() {
    let simulator = wechat();
    get(&simulator, &exchange_url("x")).await;
    get(&simulator, USERINFO).await;
    let entries = look(&simulator, "ledger").await.json();
    assert_eq!(entries.as_array().unwrap().len(), 2);
    assert_eq!(
        entries[0],
        json!({
            "sequence": 1, "time": NOW, "method": "GET", "path": EXCHANGE,
            "address": "127.0.0.1", "body": [],
            "query": [["appid", APPID], ["secret", SECRET], ["code", "x"], ["grant_type", "authorization_code"]],
            "user_agent": USER_AGENT, "appid": APPID, "code": "x", "person": null, "openid": null,
            "outcome": { "kind": "errcode", "errcode": 40029 }, "processed": true, "answered": true,
        })
    );
    for (filter, count) in
        [("path=/sns/userinfo", 1), ("code=x", 1), ("after=1", 1), ("after=2", 0), ("appid=y", 0)]
    {
        let entries = look(&simulator, &format!("ledger?{filter}")).await.json();
        assert_eq!(entries.as_array().unwrap().len(), count, "{filter}");
    }
    assert_eq!(look(&simulator, "ledger?a=b").await.status, StatusCode::BAD_REQUEST);

    assert_eq!(call(&simulator, "DELETE", "ledger", &Value::Null).await.status, StatusCode::NO_CONTENT);
    get(&simulator, USERINFO).await;
    assert_eq!(simulator.ledger()[0].sequence, 3);
}

#[tokio::test]
async fn knobs_are_read_patched_and_replaced() {
    let simulator = wechat();
    let patch = json!({ "denial": "authdeny", "delay_milliseconds": { USERINFO: 5 } });
    let knobs = call(&simulator, "PATCH", "knobs", &patch).await.json();
    assert_eq!((&knobs["denial"], &knobs["clock"]), (&json!("authdeny"), &json!(NOW)));
    assert_eq!(knobs["delay_milliseconds"][USERINFO], 5);

    for wrong in [json!({ "denail": "authdeny" }), json!({ "denial": "no" }), json!([])] {
        let reply = call(&simulator, "PATCH", "knobs", &wrong).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST);
        assert!(reply.json()["error"].is_string());
    }
    let knobs = call(&simulator, "PUT", "knobs", &json!({ "check_user_agent": false })).await.json();
    assert_eq!(
        (&knobs["denial"], &knobs["clock"], &knobs["check_user_agent"]),
        (&json!("none"), &json!(null), &json!(false))
    );
    assert_eq!(look(&simulator, "knobs").await.json(), knobs);
}

/// Whoever starts it for plain HTTP does not get WeChat's 43003 because somebody sets the knobs back.
#[tokio::test]
async fn knobs_are_put_back_to_what_they_were_at_the_start() {
    let simulator = wechat();
    simulator.default_knobs(|knobs| (knobs.api_requires_https, knobs.denial) = (false, Denial::StateOnly));
    call(&simulator, "PATCH", "knobs", &json!({ "denial": "none", "api_requires_https": true })).await;
    call(&simulator, "POST", "actions", &json!({ "action": "reset" })).await;
    let knobs = call(&simulator, "PUT", "knobs", &json!({ "consent_remembered": true })).await.json();
    assert_eq!(
        (&knobs["denial"], &knobs["api_requires_https"], &knobs["consent_remembered"]),
        (&json!("state_only"), &json!(false), &json!(true))
    );
}

#[tokio::test]
async fn the_clock_is_set_moved_and_let_go() {
    let simulator = wechat();
    let now =
        async |body: Value| call(&simulator, "POST", "clock", &body).await.json()["now"].as_u64().unwrap();
    assert_eq!(now(json!({ "set": 1000 })).await, 1000);
    assert_eq!(now(json!({ "advance": 301 })).await, 1301);
    let real = now(json!({ "run": true })).await;
    assert!(real > 1_700_000_000);
    assert!(now(json!({ "advance": 1_000_000 })).await >= real + 1_000_000);
    assert_eq!(
        call(&simulator, "POST", "clock", &json!({ "back": 1 })).await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn codes_scripts_and_actions() {
    let simulator = wechat();
    let wanted = json!({ "person": "zhou", "appid": APPID, "scope": "snsapi_userinfo" });
    let issued = call(&simulator, "POST", "code", &wanted).await;
    assert_eq!(issued.string("openid"), simulator.openid("zhou", APPID));
    let tokens = get(&simulator, &exchange_url(&issued.string("code"))).await;
    let nobody = json!({ "person": "nobody", "appid": APPID, "scope": "snsapi_base" });
    let reply = call(&simulator, "POST", "code", &nobody).await;
    assert_eq!(reply.string("error"), "there is no person \"nobody\"");

    let url = profile_url(&tokens);
    let script = json!({ "path": USERINFO, "answer": "errcode", "errcode": 45011, "times": 2 });
    let queue = call(&simulator, "POST", "next", &script).await.json();
    assert_eq!(queue[USERINFO][0]["times"], 2);
    for expected in [Some(45011), Some(45011), None] {
        assert_eq!(get(&simulator, &url).await.json()["errcode"].as_i64(), expected);
    }

    call(&simulator, "POST", "actions", &json!({ "action": "expire_access_tokens" })).await;
    assert_eq!(get(&simulator, &url).await.json()["errcode"], 42001);
    call(&simulator, "POST", "actions", &json!({ "action": "change_password", "person": "zhou" })).await;
    assert_eq!(get(&simulator, &url).await.json()["errcode"], 42007);
    call(&simulator, "POST", "actions", &json!({ "action": "reset" })).await;
    assert_eq!(simulator.ledger(), []);
    let unknown = call(&simulator, "POST", "actions", &json!({ "action": "explode" })).await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn every_fault_can_be_written_as_json() {
    let faults = [
        json!({ "answer": "none", "delay_milliseconds": 3000 }),
        json!({ "answer": "errcode", "errcode": -1, "processed": false }),
        json!({ "answer": "errcode", "errcode": 40029, "errmsg": "x" }),
        json!({ "answer": "raw", "status": 200, "content_type": "text/plain", "body": "{" }),
        json!({ "answer": "html", "status": 502 }),
        json!({ "answer": "redirect", "location": "http://localhost/" }),
        json!({ "answer": "truncated" }),
        json!({ "answer": "oversize", "bytes": 1 }),
        json!({ "answer": "duplicate_keys" }),
        json!({ "answer": "drop_before" }),
        json!({ "answer": "drop_after" }),
        json!({ "answer": "drop_half_way" }),
    ];
    let simulator = wechat();
    let patch = json!({ "next": { EXCHANGE: faults } });
    let knobs = call(&simulator, "PATCH", "knobs", &patch).await;
    assert_eq!(knobs.status, StatusCode::OK, "{}", knobs.text());
    assert_eq!(knobs.json()["next"][EXCHANGE].as_array().unwrap().len(), 12);
}

#[tokio::test]
async fn the_page_shows_and_sets_the_knobs() {
    let simulator = wechat();
    get(&simulator, &exchange_url("%3Cb%3E")).await;
    let page = get(&simulator, "/_simulator/").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text().contains("授权链接参数须按文档顺序") && page.text().contains("code=&#60;b&#62;"));

    let form = "strict_param_order=true&denial=state_only&clock=&clock_offset=0&current_person=zhou&hold=%5B%22%2Fsns%2Fauth%22%5D";
    assert_eq!(post(&simulator, "/_simulator/", form).await.status, StatusCode::SEE_OTHER);
    let knobs = simulator.knobs(|knobs| knobs.clone());
    assert!(knobs.strict_param_order && knobs.clock.is_none() && knobs.hold.contains(AUTH));
    assert_eq!(knobs.current_person.as_deref(), Some("zhou"));
    let wrong = post(&simulator, "/_simulator/", "hold=%5B").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert!(wrong.text().contains("role=\"alert\""));
    assert_eq!(simulator.ledger().len(), 1);
}

/// Saving the page as it was shown changes nothing.
#[tokio::test]
async fn the_page_saves_what_it_shows() {
    let simulator = wechat();
    let before = look(&simulator, "knobs").await.json();
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in before.as_object().unwrap() {
        let value = match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        form.append_pair(name, &value);
    }
    assert_eq!(post(&simulator, "/_simulator/", &form.finish()).await.status, StatusCode::SEE_OTHER);
    assert_eq!(look(&simulator, "knobs").await.json(), before);
}

#[tokio::test]
async fn qr_codes_are_listed_and_decided() {
    let simulator = wechat();
    get(&simulator, &qr_url(WEBSITE_APPID)).await;
    let listed = look(&simulator, "qrcodes").await.json();
    assert_eq!(listed[0]["progress"], json!({ "progress": "waiting" }));
    let uuid = &listed[0]["uuid"];
    let early = call(&simulator, "POST", "actions", &json!({ "action": "confirm", "uuid": uuid })).await;
    assert_eq!(early.status, StatusCode::BAD_REQUEST);
    call(&simulator, "POST", "actions", &json!({ "action": "scan", "uuid": uuid, "person": "zhou" })).await;
    call(&simulator, "POST", "actions", &json!({ "action": "confirm" })).await;
    let progress = &look(&simulator, "qrcodes").await.json()[0]["progress"];
    assert_eq!((&progress["progress"], &progress["person"]), (&json!("confirmed"), &json!("zhou")));
    assert!(progress["location"].as_str().unwrap().starts_with("https://login.example.com/callback?code=0"));
    let page = get(&simulator, "/_simulator/").await;
    assert!(page.text().contains("confirmed: zhou"));
    assert_eq!(simulator.ledger().len(), 1);
}

#[tokio::test]
async fn settings_are_shown_and_replaced_and_strangers_turned_away() {
    let simulator = wechat();
    let mut settings = look(&simulator, "settings").await.json();
    assert_eq!(settings["apps"][0]["secret"], SECRET);
    assert_eq!(settings["people"].as_array().unwrap().len(), 4);
    settings["apps"][0]["name"] = json!("青禾");
    let replaced = call(&simulator, "PUT", "settings", &settings).await;
    assert_eq!(replaced.json()["apps"][0]["name"], "青禾");
    settings["people"] = json!([]);
    let refused = call(&simulator, "PUT", "settings", &settings).await;
    assert_eq!(
        (refused.status, refused.string("error")),
        (StatusCode::BAD_REQUEST, "there has to be somebody in \"people\"".to_owned())
    );
    assert_eq!(simulator.settings(|settings| settings.people.len()), 4);
    assert_eq!(look(&simulator, "nothing").await.status, StatusCode::NOT_FOUND);
}
