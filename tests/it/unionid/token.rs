//! The token that all processes share: fetched once, kept sealed, renewed when it must be.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use harness::{
    Stack,
    database::{attribute, number, with},
    places::{AUTHORIZE, FOLLOWER},
    time,
};
use serde_json::json;
use simulator::Action;

use super::{calls, right, silent_unionid, store, stored, unionid_of};

const TOGETHER: usize = 20;

/// The tokens that people were asked for with, in order.
fn used(stack: &Stack) -> Vec<String> {
    let entries = stack.requests(FOLLOWER);
    entries.iter().filter_map(|entry| entry.parameter("access_token")).map(str::to_owned).collect()
}

/// So many people come back from WeChat at the same moment, each to a process that waits for them.
///
/// What counts is how often the token is fetched. So many processes may be too many for a busy machine:
/// then some wait for the token longer than a login does, or for the table longer than the store does.
async fn arrive_together(stack: &Stack, count: usize) {
    let _alone = crate::support::CROWD.lock().await;
    let mut callbacks = Vec::new();
    for _ in 0..count {
        let visitor = stack.visitor("lin");
        let callback = visitor.come_back(AUTHORIZE).await.unwrap();
        callbacks.push((visitor, callback));
    }
    for _ in stack.functions().cold_starts("callback")..count as u64 {
        stack.functions().warm("callback").await.unwrap();
    }
    let arriving: Vec<_> = callbacks
        .into_iter()
        .map(|(visitor, callback)| {
            tokio::spawn(async move { (visitor.open(callback.as_str()).await.unwrap(), visitor) })
        })
        .collect();
    let expected = right(stack, "lin");
    let mut known = 0;
    for arrived in arriving {
        let (answer, visitor) = arrived.await.unwrap();
        if visitor.session().is_none() {
            assert!(answer.location().unwrap().contains("reason=service_unavailable"), "{answer:?}");
            continue;
        }
        let shown = visitor.shown().await.unwrap();
        if let Some(unionid) = shown["unionid"].as_str() {
            assert_eq!(Some(unionid), expected.as_deref());
            known += 1;
        }
    }
    // Nobody waited for a process, and somebody had the token.
    assert_eq!(stack.functions().cold_starts("callback"), count as u64);
    assert!(known > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_logins_at_once_fetch_one_token() {
    let stack = silent_unionid().await;
    arrive_together(&stack, TOGETHER).await;
    assert_eq!(calls(&stack).0, 1);
    // Nor does anybody after them.
    assert_eq!(unionid_of(&stack, "lin").await, right(&stack, "lin"));
    assert_eq!(calls(&stack).0, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_is_shared_with_every_process_to_come() {
    let stack = silent_unionid().await;
    for person in ["lin", "mallory", "lin"] {
        assert_eq!(unionid_of(&stack, person).await, right(&stack, person));
        assert_eq!(stack.functions().kill_all("callback").await, 1);
    }
    assert_eq!(calls(&stack), (1, 3));
    let used = used(&stack);
    assert!(used.iter().all(|token| *token == used[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_is_stored_sealed_and_without_its_lease() {
    let stack = silent_unionid().await;
    unionid_of(&stack, "lin").await;
    let item = stored(&stack).unwrap();
    assert_eq!(attribute(&item, "id"), "app-token#wx0000000000000aaa");
    let mut names: Vec<_> = item.as_object().unwrap().keys().cloned().collect();
    names.sort();
    assert_eq!(names, ["expires_at", "id", "sealed"]);
    let left = number(&item, "expires_at").unwrap() - time::now_seconds();
    assert!((7100..=7200).contains(&left), "{left}");

    let token = used(&stack).remove(0);
    let bytes = BASE64.decode(attribute(&item, "sealed")).unwrap();
    assert!(!bytes.windows(16).any(|part| token.as_bytes().windows(16).any(|of_token| of_token == part)));
    let dump = format!("{:?}", stack.database().dump().unwrap());
    assert!(!dump.contains(&token) && !dump.contains(&BASE64.encode(&token)));
    assert!(!stack.stop().await.text().contains(&token));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_near_its_end_is_fetched_anew() {
    let stack = silent_unionid().await;
    unionid_of(&stack, "lin").await;
    let item = stored(&stack).unwrap();
    for (left, fetched) in [(200, 1), (100, 2), (0, 3)] {
        let expires_at = json!({ "N": (time::now_seconds() + left).to_string() });
        store(&stack, &with(item.clone(), "expires_at", expires_at));
        assert_eq!(unionid_of(&stack, "lin").await, right(&stack, "lin"), "{left}");
        assert_eq!(calls(&stack).0, fetched, "{left}");
    }
    // The new one counts from now on.
    unionid_of(&stack, "lin").await;
    assert_eq!(calls(&stack), (3, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_does_not_open_is_fetched_anew() {
    let stack = silent_unionid().await;
    unionid_of(&stack, "lin").await;
    let item = stored(&stack).unwrap();
    let mut bytes = BASE64.decode(attribute(&item, "sealed")).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    let other = stack.sessions().unwrap().into_iter().find(|item| item.get("login").is_some()).unwrap();
    for sealed in [
        json!({ "B": BASE64.encode(&bytes) }),
        json!({ "B": attribute(&other, "sealed") }),
        json!({ "B": "" }),
    ] {
        store(&stack, &with(item.clone(), "sealed", sealed.clone()));
        let before = calls(&stack).0;
        assert_eq!(unionid_of(&stack, "lin").await, right(&stack, "lin"), "{sealed}");
        assert_eq!(calls(&stack).0, before + 1, "{sealed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_wechat_no_longer_takes_is_replaced_once() {
    for (errcode, action) in [
        (40001, Action::ForgetGlobalTokens),
        (40014, Action::ForgetGlobalTokens),
        (42001, Action::ExpireGlobalTokens),
    ] {
        let stack = silent_unionid().await;
        stack.simulator().knobs(|knobs| {
            knobs.unknown_global_token_errcode = if errcode == 42001 { 40001 } else { errcode }
        });
        unionid_of(&stack, "lin").await;
        stack.simulator().act(&action);
        assert_eq!(unionid_of(&stack, "lin").await, right(&stack, "lin"), "{errcode}");
        assert_eq!(calls(&stack), (2, 3), "{errcode}");
        let tokens = used(&stack);
        assert!(tokens[0] == tokens[1] && tokens[1] != tokens[2], "{errcode}");
        let refused = simulator::Outcome::Errcode { errcode };
        assert_eq!(stack.requests(FOLLOWER)[1].outcome, refused);
        // The new one is everybody's.
        stack.functions().kill_all("callback").await;
        assert_eq!(unionid_of(&stack, "mallory").await, right(&stack, "mallory"), "{errcode}");
        assert_eq!(calls(&stack), (2, 4), "{errcode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_logins_that_find_the_token_dead_replace_it_once() {
    let stack = silent_unionid().await;
    unionid_of(&stack, "lin").await;
    stack.simulator().act(&Action::ForgetGlobalTokens);
    arrive_together(&stack, 8).await;
    assert_eq!(calls(&stack).0, 2);
}
