//! A session is stored once, changed over the version it was made from, and over when it is over.

use std::time::Duration;

use login::Sealed;
use login::pending::CodeId;
use login::session::{SessionId, StoredSession};
use login::time::Timestamp;
use serde_json::{Value, json};
use store::{CodeOutcome, Error, Finished, Replaced, Saved};

use super::{END, Fixture, LOGINS, NOW, SESSIONS, before, browser, code, state, stored_session, token};

fn id(number: u8) -> SessionId {
    token(number).session_id()
}

fn session(sealed: &[u8]) -> StoredSession {
    stored_session(sealed, state(1).login_id())
}

/// A fixture whose login and code the first attempt has claimed.
async fn claimed() -> harness::Result<Fixture> {
    let fixture = Fixture::with_login().await?;
    let code_id = CodeId::of(&code("0a"));
    fixture.store.logins.claim(&state(1).login_id(), &code_id, &browser(1), &fixture.attempt(1), NOW).await?;
    Ok(fixture)
}

#[tokio::test]
async fn a_session_is_stored_together_with_the_outcome() {
    let fixture = claimed().await.unwrap();
    let code_id = CodeId::of(&code("0a"));
    // The same attempt may say so twice: the first answer may have been lost.
    for _ in 0..2 {
        fixture.store.finish(&code_id, &fixture.attempt(1), &id(1), &session(b"sealed"), None).await.unwrap();
    }
    assert_eq!(
        fixture.item(SESSIONS, id(1).as_str()).unwrap(),
        json!({
            "id": { "S": id(1).as_str() },
            "sealed": { "B": "c2VhbGVk" },
            "login": { "S": state(1).login_id().as_str() },
            "created_at": { "N": "1800000000" },
            "refreshed_at": { "N": "1800000000" },
            "version": { "N": "1" },
            "expires_at": { "N": "1800000600" },
        })
    );
    assert_eq!(fixture.store.logins.code_outcome(&code_id).await.unwrap(), Some(CodeOutcome::Done));
    // Done is the end of it.
    assert!(fixture.store.logins.fail_code(&code_id, &fixture.attempt(1), None).await.is_err());
    assert_eq!(fixture.store.logins.code_outcome(&code_id).await.unwrap(), Some(CodeOutcome::Done));
}

#[tokio::test]
async fn an_attempt_knows_that_it_has_finished_when_dynamodb_does_not() {
    let fixture = claimed().await.unwrap();
    let code_id = CodeId::of(&code("0a"));
    // Both items as this attempt's own write leaves them, without DynamoDB having seen its token.
    let mut guard = fixture.item(LOGINS, code_id.as_str()).unwrap();
    guard["outcome"] = json!({ "S": "done" });
    fixture.put(LOGINS, &guard).unwrap();
    fixture.put(SESSIONS, &json!({ "id": { "S": id(1).as_str() } })).unwrap();
    assert_eq!(
        fixture.store.finish(&code_id, &fixture.attempt(1), &id(1), &session(b"x"), None).await,
        Ok(Finished::Now)
    );
    let other = fixture.store.finish(&code_id, &fixture.attempt(2), &id(1), &session(b"x"), None).await;
    assert_eq!(other, Err(Error::Contended));
}

#[tokio::test]
async fn who_did_not_claim_the_code_stores_no_session() {
    let fixture = claimed().await.unwrap();
    let stored = fixture.dump().unwrap();
    for (text, number) in [("0a", 2), ("0b", 1)] {
        let code_id = CodeId::of(&code(text));
        let finished =
            fixture.store.finish(&code_id, &fixture.attempt(number), &id(1), &session(b"x"), None).await;
        assert_eq!(finished, Err(Error::Contended), "{text}");
        assert_eq!(fixture.dump().unwrap(), stored);
    }
    // Nor who gave up on it before.
    fixture.store.logins.fail_code(&CodeId::of(&code("0a")), &fixture.attempt(1), None).await.unwrap();
    let stored = fixture.dump().unwrap();
    let code_id = CodeId::of(&code("0a"));
    let finished = fixture.store.finish(&code_id, &fixture.attempt(1), &id(1), &session(b"x"), None).await;
    assert_eq!(finished, Err(Error::Contended));
    assert_eq!(fixture.dump().unwrap(), stored);
}

#[tokio::test]
async fn a_session_that_exists_is_never_written_over() {
    let fixture = claimed().await.unwrap();
    let before = json!({ "id": { "S": id(1).as_str() }, "sealed": { "B": "AA==" } });
    fixture.put(SESSIONS, &before).unwrap();
    let code_id = CodeId::of(&code("0a"));
    let finished = fixture.store.finish(&code_id, &fixture.attempt(1), &id(1), &session(b"x"), None).await;
    assert_eq!(finished, Err(Error::Contended));
    assert_eq!(fixture.item(SESSIONS, id(1).as_str()).unwrap(), before);
    assert_eq!(fixture.store.logins.code_outcome(&code_id).await.unwrap(), Some(CodeOutcome::Claimed));
}

#[tokio::test]
async fn the_session_that_the_browser_came_with_goes() {
    let code_id = CodeId::of(&code("0a"));
    for (came_with, left) in [(Some(2), vec![1, 3]), (Some(9), vec![1, 2, 3]), (None, vec![1, 2, 3])] {
        let fixture = claimed().await.unwrap();
        for number in [2, 3] {
            fixture.put(SESSIONS, &json!({ "id": { "S": id(number).as_str() } })).unwrap();
        }
        let replaced = came_with.map(|number| Replaced { id: id(number), carried_at_version: None });
        fixture
            .store
            .finish(&code_id, &fixture.attempt(1), &id(1), &session(b"x"), replaced.as_ref())
            .await
            .unwrap();
        for number in [1, 2, 3] {
            let is_there = !fixture.item(SESSIONS, id(number).as_str()).unwrap().is_null();
            assert_eq!(is_there, left.contains(&number), "{number} after {came_with:?}");
        }
    }
    // The session that is stored is not the one that goes, even if the browser came with its token.
    let fixture = claimed().await.unwrap();
    let itself = Replaced { id: id(1), carried_at_version: Some(1) };
    fixture.store.finish(&code_id, &fixture.attempt(1), &id(1), &session(b"x"), Some(&itself)).await.unwrap();
    assert!(!fixture.item(SESSIONS, id(1).as_str()).unwrap().is_null());
}

/// What is carried over from the session before is written only while that one is still what it was.
#[tokio::test]
async fn nothing_is_carried_over_from_a_session_that_ended_or_changed_meanwhile() {
    let code_id = CodeId::of(&code("0a"));
    let replaced = Replaced { id: id(2), carried_at_version: Some(3) };
    for (before, expected) in [
        (Some(json!({ "id": { "S": id(2).as_str() }, "version": { "N": "3" } })), Finished::Now),
        (Some(json!({ "id": { "S": id(2).as_str() }, "version": { "N": "4" } })), Finished::ReplacedChanged),
        (None, Finished::ReplacedChanged),
    ] {
        let fixture = claimed().await.unwrap();
        if let Some(before) = &before {
            fixture.put(SESSIONS, before).unwrap();
        }
        let stored = fixture.dump().unwrap();
        let finish = async |replaced| {
            fixture
                .store
                .finish(&code_id, &fixture.attempt(1), &id(1), &session(b"x"), Some(replaced))
                .await
                .unwrap()
        };
        assert_eq!(finish(&replaced).await, expected, "{before:?}");
        if expected == Finished::ReplacedChanged {
            assert_eq!(fixture.dump().unwrap(), stored);
            // The same claim finishes without it.
            assert_eq!(
                finish(&Replaced { carried_at_version: None, ..replaced.clone() }).await,
                Finished::Now
            );
        }
        assert!(!fixture.item(SESSIONS, id(1).as_str()).unwrap().is_null(), "{before:?}");
        assert!(fixture.item(SESSIONS, id(2).as_str()).unwrap().is_null(), "{before:?}");
    }
}

/// That a grant is gone is noted over the version that was asked about, is undone by tokens that were better, and ends
/// in a delete of just that version.
#[tokio::test]
async fn a_refused_session_is_marked_and_deleted_as_the_version_that_was_seen() {
    let fixture = claimed().await.unwrap();
    let code_id = CodeId::of(&code("0a"));
    fixture.store.finish(&code_id, &fixture.attempt(1), &id(1), &session(b"one"), None).await.unwrap();
    let sessions = &fixture.store.sessions;
    let stands = async || sessions.session(&id(1), NOW).await.unwrap().is_some();
    assert!(stands().await);
    assert_eq!(sessions.mark_refused(&id(1), 2, NOW).await.unwrap(), Saved::Outdated);
    assert_eq!(sessions.mark_refused(&id(1), 1, NOW).await.unwrap(), Saved::Now);
    // Once: of two that heard it at the same time, one counts.
    assert_eq!(
        sessions.mark_refused(&id(1), 1, NOW.plus(Duration::from_secs(1))).await.unwrap(),
        Saved::Outdated
    );
    assert!(!stands().await);
    assert_eq!(fixture.item(SESSIONS, id(1).as_str()).unwrap()["refused_at"], json!({ "N": "1800000000" }));
    // A slower request was given new tokens for the version that was refused: it knows better.
    let sealed = Sealed::stored(b"two".to_vec());
    assert_eq!(sessions.save_session(&id(1), &sealed, 1, NOW).await.unwrap(), Saved::Now);
    assert!(stands().await);
    assert_eq!(sessions.mark_refused(&id(1), 1, NOW).await.unwrap(), Saved::Outdated);
    sessions.delete_version(&id(1), 1).await.unwrap();
    assert!(stands().await);
    assert_eq!(sessions.mark_refused(&id(1), 2, NOW).await.unwrap(), Saved::Now);
    sessions.delete_version(&id(1), 2).await.unwrap();
    assert!(fixture.item(SESSIONS, id(1).as_str()).unwrap().is_null());
    assert_eq!(sessions.mark_refused(&id(1), 2, NOW).await.unwrap(), Saved::Outdated);
    sessions.delete_version(&id(1), 2).await.unwrap();
    assert!(fixture.item(SESSIONS, id(1).as_str()).unwrap().is_null());
}

#[tokio::test]
async fn a_session_is_over_to_the_second_though_its_item_is_there() {
    let fixture = claimed().await.unwrap();
    let code_id = CodeId::of(&code("0a"));
    fixture.store.finish(&code_id, &fixture.attempt(1), &id(1), &session(b"sealed"), None).await.unwrap();
    let read = fixture.store.sessions.session(&id(1), before(END)).await.unwrap().unwrap();
    assert_eq!((read.sealed.as_bytes(), read.version, read.login), (&b"sealed"[..], 1, state(1).login_id()));
    assert_eq!((read.created_at, read.refreshed_at, read.expires_at), (NOW, NOW, END));
    assert!(fixture.store.sessions.session(&id(1), END).await.unwrap().is_none());
    assert!(fixture.store.sessions.session(&id(2), NOW).await.unwrap().is_none());
}

#[tokio::test]
async fn a_change_is_saved_over_the_version_it_was_made_from() {
    let fixture = claimed().await.unwrap();
    let code_id = CodeId::of(&code("0a"));
    fixture.store.finish(&code_id, &fixture.attempt(1), &id(1), &session(b"one"), None).await.unwrap();
    let later = Timestamp::from_epoch_seconds(NOW.epoch_seconds() + 60);
    let save = async |sealed: &[u8], version, now| {
        fixture
            .store
            .sessions
            .save_session(&id(1), &Sealed::stored(sealed.to_vec()), version, now)
            .await
            .unwrap()
    };
    assert_eq!(save(b"two", 1, later).await, Saved::Now);
    assert_eq!(save(b"other", 1, later).await, Saved::Outdated);
    assert_eq!(save(b"other", 3, later).await, Saved::Outdated);
    let read = fixture.store.sessions.session(&id(1), NOW).await.unwrap().unwrap();
    assert_eq!((read.sealed.as_bytes(), read.version), (&b"two"[..], 2));
    assert_eq!((read.created_at, read.refreshed_at, read.expires_at), (NOW, later, END));
    assert_eq!(save(b"three", 2, later).await, Saved::Now);
    // What is over is not changed, and what is gone is not brought back.
    assert_eq!(save(b"four", 3, END).await, Saved::Outdated);
    fixture.store.sessions.delete_session(&id(1)).await.unwrap();
    assert_eq!(save(b"four", 3, later).await, Saved::Outdated);
    assert_eq!(fixture.item(SESSIONS, id(1).as_str()).unwrap(), Value::Null);
}

#[tokio::test]
async fn ending_a_session_ends_that_one() {
    let fixture = Fixture::new().await.unwrap();
    for number in [1, 2] {
        fixture.put(SESSIONS, &json!({ "id": { "S": id(number).as_str() } })).unwrap();
    }
    for _ in 0..2 {
        fixture.store.sessions.delete_session(&id(1)).await.unwrap();
    }
    assert!(fixture.item(SESSIONS, id(1).as_str()).unwrap().is_null());
    assert!(!fixture.item(SESSIONS, id(2).as_str()).unwrap().is_null());
    // By the cookie that names it; a browser without one ends nothing.
    fixture.store.sessions.end_session(None).await.unwrap();
    assert!(!fixture.item(SESSIONS, id(2).as_str()).unwrap().is_null());
    fixture.store.sessions.end_session(Some(&token(2))).await.unwrap();
    assert!(fixture.item(SESSIONS, id(2).as_str()).unwrap().is_null());
}

#[tokio::test]
async fn a_session_of_another_shape_is_an_error_and_no_panic() {
    let fixture = claimed().await.unwrap();
    let code_id = CodeId::of(&code("0a"));
    fixture.store.finish(&code_id, &fixture.attempt(1), &id(1), &session(b"x"), None).await.unwrap();
    let item = fixture.item(SESSIONS, id(1).as_str()).unwrap();
    for name in ["sealed", "login", "created_at", "refreshed_at", "version", "expires_at"] {
        for value in [json!({ "BOOL": true }), json!({ "NULL": true }), json!({ "L": [] })] {
            let mut broken = item.clone();
            broken[name] = value;
            fixture.put(SESSIONS, &broken).unwrap();
            let read = fixture.store.sessions.session(&id(1), NOW).await;
            assert_eq!(read.map(drop).unwrap_err(), Error::Corrupt(name));
        }
    }
}
