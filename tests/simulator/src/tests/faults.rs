//! What can be made to go wrong with an answer, and what of it the ledger keeps.

use super::*;
use crate::{Fault, Scripted};

/// A fresh simulator with one scripted answer to an exchange, which spends the code or does not; and the answer.
async fn exchange_under(scripted: impl Into<Scripted>, spends: bool) -> (Simulator, Reply) {
    let simulator = wechat_with(|knobs| knobs.script(EXCHANGE, scripted));
    let url = fresh_exchange(&simulator, "snsapi_base");
    let reply = get(&simulator, &url).await;
    let entry = last(&simulator);
    let again = get(&simulator, &url).await;
    let spent = again.json()["errcode"] == 40163;
    assert_eq!((entry.processed, spent), (spends, spends));
    (simulator, reply)
}

#[tokio::test]
async fn errcode_with_any_text() {
    let errmsg = Some("api <b>limit</b> \"now\"".to_owned());
    let (_, reply) = exchange_under(Fault::Errcode { errcode: 45011, errmsg }, false).await;
    assert_eq!(reply.text(), r#"{"errcode":45011,"errmsg":"api <b>limit</b> \"now\""}"#);
}

#[tokio::test]
async fn raw_bytes_of_any_kind() {
    let body = "{\"openid\":\"\u{ff}\"}".to_owned();
    let raw =
        Fault::Raw { status: 503, content_type: "application/octet-stream".to_owned(), body, latin1: true };
    let (simulator, reply) = exchange_under(raw, false).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (503, "application/octet-stream"));
    assert_eq!(reply.body, b"{\"openid\":\"\xff\"}");
    assert_eq!(simulator.ledger()[0].outcome, Outcome::Fault { fault: "raw".to_owned() });
}

#[tokio::test]
async fn a_web_servers_html() {
    let (_, reply) = exchange_under(Fault::Html { status: 502 }, false).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (502, "text/html"));
    assert!(reply.text().contains("502 Bad Gateway"));
}

#[tokio::test]
async fn a_redirect() {
    let location = "http://169.254.169.254/".to_owned();
    let (_, reply) = exchange_under(Fault::Redirect { location: location.clone() }, false).await;
    assert_eq!((reply.status.as_u16(), reply.header("location")), (302, location.as_str()));
}

#[tokio::test]
async fn truncated_oversize_and_with_duplicate_keys() {
    let (_, truncated) = exchange_under(Fault::Truncated, true).await;
    assert!(truncated.text().starts_with("{\"access_token\":\"90_") && !truncated.text().ends_with('}'));

    let (_, oversize) = exchange_under(Fault::Oversize { bytes: 100_000 }, true).await;
    assert!(oversize.body.len() > 100_000);
    assert_eq!(oversize.string("scope"), "snsapi_base");

    let (_, duplicate) = exchange_under(Fault::DuplicateKeys, true).await;
    assert_eq!(duplicate.text().matches("\"openid\":").count(), 3);
    assert_eq!(duplicate.string("scope"), "snsapi_base");
}

#[tokio::test]
async fn whether_it_has_its_effect_can_be_said() {
    exchange_under(Scripted { processed: Some(true), ..Fault::Html { status: 500 }.into() }, true).await;
    let oversize = Scripted { processed: Some(false), ..Fault::Oversize { bytes: 10 }.into() };
    let (_, reply) = exchange_under(oversize, false).await;
    assert_eq!(reply.text(), r#"{"padding":"xxxxxxxxxx","":0}"#);
}

#[tokio::test]
async fn scripts_play_in_order_and_repeat() {
    let simulator = wechat();
    let errcode = |errcode| Fault::Errcode { errcode, errmsg: None };
    simulator.knobs(|knobs| {
        knobs.script(USERINFO, Scripted { times: 2, ..errcode(-1).into() });
        knobs.script(USERINFO, Fault::None);
        knobs.script(USERINFO, errcode(50002));
    });
    for expected in [-1, -1, 41001, 50002, 41001] {
        assert_eq!(get(&simulator, USERINFO).await.json()["errcode"], expected);
    }
    assert!(simulator.knobs(|knobs| knobs.next.is_empty()));
}

#[tokio::test]
async fn quota_of_a_minute() {
    let simulator = wechat_with(|knobs| knobs.quota_per_minute = Some(1));
    assert_eq!(get(&simulator, USERINFO).await.json()["errcode"], 41001);
    assert_eq!(get(&simulator, USERINFO).await.json()["errcode"], 45011);
    assert_eq!(get(&simulator, AUTH).await.json()["errcode"], 41001);
    simulator.advance(60);
    assert_eq!(get(&simulator, USERINFO).await.json()["errcode"], 41001);
}

#[tokio::test]
async fn a_part_of_the_calls_fails_by_chance_and_by_seed() {
    let run = async || {
        let simulator = wechat_with(|knobs| knobs.http_5xx_rate = 0.3);
        let mut failed = Vec::new();
        for _ in 0..100 {
            let url = fresh_exchange(&simulator, "snsapi_base");
            let status = get(&simulator, &url).await.status;
            failed.push((status == StatusCode::BAD_GATEWAY, last(&simulator).processed));
        }
        failed
    };
    let failed = run().await;
    assert!((15..45).contains(&failed.iter().filter(|(failed, _)| *failed).count()), "{failed:?}");
    // Some of them had their effect.
    assert!(failed.contains(&(true, true)) && failed.contains(&(true, false)));
    assert_eq!(failed, run().await);
}

#[tokio::test]
async fn both_subsystems_fail_in_their_own_words() {
    let simulator = wechat_with(|knobs| {
        for path in [EXCHANGE, "/cgi-bin/token"] {
            knobs.script(path, Fault::Errcode { errcode: 40001, errmsg: None });
            knobs.script(path, Fault::Truncated);
        }
    });
    let sns = get(&simulator, EXCHANGE).await;
    assert!(sns.text().contains("not latest, rid: ") && sns.header("content-type") == "text/plain");
    let cgi = get(&simulator, "/cgi-bin/token").await;
    assert!(cgi.text().contains("/JtxxFh33r rid: "), "{}", cgi.text());
    for (path, content_type) in
        [(EXCHANGE, "text/plain"), ("/cgi-bin/token", "application/json; encoding=utf-8")]
    {
        assert_eq!(get(&simulator, path).await.header("content-type"), content_type);
    }
}

#[tokio::test]
async fn what_wechat_does_not_have_is_in_the_ledger_too() {
    let simulator = wechat();
    assert_eq!(get(&simulator, "/connect/nothing?x=%ff%00").await.status, StatusCode::NOT_FOUND);
    assert_eq!(last(&simulator).outcome, Outcome::NotFound);
    let reply = get(&simulator, "/cgi-bin/nothing").await;
    assert_failed(&reply, "application/json; encoding=utf-8", (40066, "invalid url"));
    assert_error(&get(&simulator, "/sns/nothing").await, (40066, "invalid url,"));
    assert_eq!(last(&simulator).outcome, Outcome::Errcode { errcode: 40066 });
}

#[tokio::test]
async fn a_held_answer_has_had_its_effect() {
    let simulator = wechat_with(|knobs| knobs.hold.insert(EXCHANGE.to_owned()));
    let url = fresh_exchange(&simulator, "snsapi_base");
    let asking = tokio::spawn({
        let (simulator, url) = (simulator.clone(), url);
        async move { get(&simulator, &url).await }
    });
    simulator.until(|entries| entries.iter().any(|entry| entry.outcome == Outcome::Ok)).await;
    assert!(!last(&simulator).answered);
    assert!(!asking.is_finished());

    simulator.act(&crate::Action::Release);
    assert_eq!(asking.await.unwrap().string("scope"), "snsapi_base");
    assert!(last(&simulator).answered);
}
