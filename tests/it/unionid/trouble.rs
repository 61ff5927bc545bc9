//! What may go wrong with the token or the question, and what it costs: never the login, and never more
//! than a call a minute.

use harness::{
    Options, Stack,
    database::{number, with},
    places::{FOLLOWER, STABLE_TOKEN},
    stack::errcode,
    time,
};
use serde_json::json;
use simulator::{Action, Fault};

use super::{calls, right, silent_unionid, store, stored, unionid_of};

/// The log's line about the login that went without.
async fn line(stack: &Stack, text: &str) -> String {
    stack.logs().wait_for(text).await.unwrap().text
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_not_allowed_costs_the_unionid_and_is_logged() {
    for code in [40164, 61004, 45035, 89503] {
        let stack = silent_unionid().await;
        stack.simulator().knobs(|knobs| {
            knobs.ip_allow_list = Some(vec!["203.0.113.9".to_owned()]);
            knobs.unlisted_ip_errcode = code;
        });
        assert_eq!(unionid_of(&stack, "lin").await, None, "{code}");
        let line = line(&stack, &format!(r#""errcode":{code}"#)).await;
        assert!(line.contains(r#""level":"ERROR""#), "{line}");
        assert!(line.contains(r#""outcome":"logged_in""#), "{line}");
        if [40164, 61004].contains(&code) {
            assert!(line.contains("allow 127.0.0.1"), "{line}");
        }
        // Whoever logs in within the minute does not ask again, whichever process it is.
        stack.functions().kill_all("callback").await;
        assert_eq!(unionid_of(&stack, "zhou").await, None, "{code}");
        assert_eq!(calls(&stack), (1, 0), "{code}");
        // It is mended; the next minute finds out.
        stack.simulator().knobs(|knobs| knobs.ip_allow_list = None);
        let item = stored(&stack).unwrap();
        let until = number(&item, "lease").unwrap() - time::now_seconds();
        assert!((50..=60).contains(&until), "{until}");
        store(&stack, &with(item, "lease", json!({ "N": time::now_seconds().to_string() })));
        assert_eq!(unionid_of(&stack, "lin").await, right(&stack, "lin"), "{code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_that_must_be_allowed_is_the_one_that_wechat_names() {
    let stack = silent_unionid().await;
    let errmsg =
        "invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist rid: 63cf14c3-1af7da21-37efbc86";
    stack.script(STABLE_TOKEN, Fault::Errcode { errcode: 40164, errmsg: Some(errmsg.to_owned()) }, 1);
    assert_eq!(unionid_of(&stack, "lin").await, None);
    let line = line(&stack, r#""errcode":40164"#).await;
    for part in ["203.0.113.9", "63cf14c3-1af7da21-37efbc86"] {
        assert!(line.contains(part), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_cannot_be_had_is_asked_for_once_a_minute() {
    for fault in [
        errcode(40125),
        errcode(-1),
        Fault::Html { status: 502 },
        Fault::DropAfter,
        Fault::Truncated,
        Fault::Redirect { location: "https://evil.example/".to_owned() },
    ] {
        let stack = silent_unionid().await;
        stack.script(STABLE_TOKEN, fault.clone(), 1);
        for person in ["lin", "mallory"] {
            assert_eq!(unionid_of(&stack, person).await, None, "{fault:?}");
        }
        assert_eq!(calls(&stack), (1, 0), "{fault:?}");
        // And the second one did not wait for what would not come.
        line(&stack, "the app's token could not be had a moment ago").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_takes_too_long_costs_no_login() {
    let stack = silent_unionid().await;
    stack.simulator().knobs(|knobs| knobs.hold.insert(STABLE_TOKEN.to_owned()));
    assert_eq!(unionid_of(&stack, "lin").await, None);
    assert!(line(&stack, "it took too long").await.contains(r#""outcome":"logged_in""#));
    stack.simulator().act(&Action::Release);
    assert_eq!(unionid_of(&stack, "lin").await, None);
    assert_eq!(calls(&stack), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_about_the_person_that_fails_costs_the_unionid_only() {
    for (fault, asked) in [
        (Fault::Html { status: 502 }, 3),
        (Fault::Truncated, 3),
        (errcode(45011), 3),
        (errcode(40003), 1),
        (errcode(48001), 1),
        (errcode(50005), 1),
        (errcode(46004), 1),
    ] {
        let stack = silent_unionid().await;
        stack.script(FOLLOWER, fault.clone(), asked);
        assert_eq!(unionid_of(&stack, "lin").await, None, "{fault:?}");
        assert_eq!(calls(&stack), (1, asked as usize), "{fault:?}");
        // The token was right, and stays.
        assert_eq!(unionid_of(&stack, "lin").await, right(&stack, "lin"), "{fault:?}");
        assert_eq!(calls(&stack), (1, asked as usize + 1), "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passing_failure_is_asked_again() {
    let stack = silent_unionid().await;
    stack.script(FOLLOWER, errcode(-1), 1);
    assert_eq!(unionid_of(&stack, "lin").await, right(&stack, "lin"));
    assert_eq!(calls(&stack), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_refused_again_is_not_replaced_again() {
    let stack = silent_unionid().await;
    stack.script(FOLLOWER, errcode(40001), 2);
    assert_eq!(unionid_of(&stack, "lin").await, None);
    assert_eq!(calls(&stack), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_stays_refused_is_fetched_once_a_minute() {
    let stack = silent_unionid().await;
    // WeChat has no other one to give.
    stack.script(FOLLOWER, errcode(40001), 4);
    for person in ["lin", "mallory", "lin"] {
        assert_eq!(unionid_of(&stack, person).await, None, "{person}");
    }
    assert_eq!(calls(&stack), (2, 4));
    // WeChat takes it again, and it is still there.
    assert_eq!(unionid_of(&stack, "lin").await, right(&stack, "lin"));
    assert_eq!(calls(&stack), (2, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_persons_answer_is_not_taken() {
    let stack = silent_unionid().await;
    let body = r#"{"subscribe":1,"openid":"oSomebodyElse","unionid":"uSomebodyElse"}"#.to_owned();
    let content_type = "application/json; encoding=utf-8".to_owned();
    stack.script(FOLLOWER, Fault::Raw { status: 200, content_type, body, latin1: false }, 3);
    assert_eq!(unionid_of(&stack, "lin").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_with_the_lease_holds_nobody_up_for_more_than_its_minute() {
    let stack = silent_unionid().await;
    // What it leaves behind: a lease, and no token.
    let lease = |until: u64| {
        json!({
            "id": { "S": "app-token#wx0000000000000aaa" },
            "lease": { "N": until.to_string() },
            "expires_at": { "N": until.to_string() },
        })
    };
    store(&stack, &lease(time::now_seconds() + 60));
    assert_eq!(unionid_of(&stack, "lin").await, None);
    assert_eq!(calls(&stack), (0, 0));
    store(&stack, &lease(time::now_seconds() - 1));
    assert_eq!(unionid_of(&stack, "lin").await, right(&stack, "lin"));
    assert_eq!(calls(&stack), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_legacy_answer_of_a_follower_is_understood() {
    let stack = silent_unionid().await;
    stack.simulator().knobs(|knobs| {
        knobs.user_profile_era = simulator::ProfileEra::Legacy;
        knobs.unicode_escapes = true;
        knobs.stable_token_wants_force_refresh = true;
    });
    assert_eq!(unionid_of(&stack, "lin").await, right(&stack, "lin"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_is_used_up_is_not_stormed() {
    let stack = Stack::start(Options::default().with("SILENT_UNIONID", "true")).await.unwrap();
    stack.simulator().knobs(|knobs| knobs.quota_per_day.insert(STABLE_TOKEN.to_owned(), 0));
    for _ in 0..2 {
        assert_eq!(unionid_of(&stack, "lin").await, None);
    }
    assert_eq!(calls(&stack), (1, 0));
    let line = line(&stack, r#""errcode":45009"#).await;
    assert!(line.contains(r#""level":"ERROR""#), "{line}");
}
