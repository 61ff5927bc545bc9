//! An app's token and the lease under which it is fetched: every outcome of its conditions.

use std::time::Duration;

use login::Sealed;
use login::app_token::{AppTokenId, LEASE, StoredAppToken};
use login::time::Timestamp;
use serde_json::{Value, json};
use store::Error;
use store::Lease;

use super::{END, Fixture, NOW, SESSIONS, before, login};

fn id() -> AppTokenId {
    AppTokenId::of(&login(1).app)
}

fn token(sealed: &[u8]) -> StoredAppToken {
    StoredAppToken { sealed: Sealed::stored(sealed.to_vec()), expires_at: END }
}

fn seconds(time: Timestamp) -> Value {
    json!({ "N": time.epoch_seconds().to_string() })
}

async fn lease(fixture: &Fixture, seen: Option<&StoredAppToken>, now: Timestamp) -> Result<Lease, Error> {
    fixture.store.sessions.lease_app_token(&id(), seen, now).await
}

#[tokio::test]
async fn a_token_is_read_back_as_it_was_stored_and_a_lease_is_none() {
    let fixture = Fixture::new().await.unwrap();
    assert_eq!(fixture.store.sessions.app_token(&id()).await, Ok(None));
    assert_eq!(lease(&fixture, None, NOW).await, Ok(Lease::Ours));
    assert_eq!(fixture.store.sessions.app_token(&id()).await, Ok(None));
    fixture.store.sessions.put_app_token(&id(), &token(b"one")).await.unwrap();
    assert_eq!(fixture.store.sessions.app_token(&id()).await, Ok(Some(token(b"one"))));
    // What is stored gives the lease back.
    let item = json!({ "id": { "S": id().as_str() }, "sealed": { "B": "b25l" }, "expires_at": seconds(END) });
    assert_eq!(fixture.item(SESSIONS, id().as_str()).unwrap(), item);
}

#[tokio::test]
async fn a_lease_is_one_processs_until_its_end() {
    let fixture = Fixture::new().await.unwrap();
    let end = NOW.plus(LEASE);
    for (now, expected) in [
        (NOW, Lease::Ours),
        (NOW, Lease::HeldElsewhere),
        (before(end), Lease::HeldElsewhere),
        (end, Lease::Ours),
    ] {
        assert_eq!(lease(&fixture, None, now).await, Ok(expected), "{now:?}");
    }
    let item = fixture.item(SESSIONS, id().as_str()).unwrap();
    // It goes with the first lease if no token ever comes, unless another one is stored.
    assert_eq!((&item["lease"], &item["expires_at"]), (&seconds(end.plus(LEASE)), &seconds(end)));
}

#[tokio::test]
async fn a_lease_is_given_over_the_token_that_was_seen() {
    let fixture = Fixture::new().await.unwrap();
    fixture.store.sessions.put_app_token(&id(), &token(b"one")).await.unwrap();
    let stored = fixture.dump().unwrap();
    for seen in [None, Some(&token(b"other"))] {
        assert_eq!(lease(&fixture, seen, NOW).await, Ok(Lease::HeldElsewhere), "{seen:?}");
        assert_eq!(fixture.dump().unwrap(), stored);
    }
    assert_eq!(lease(&fixture, Some(&token(b"one")), NOW).await, Ok(Lease::Ours));
    // The token stays while another one is fetched, and for as long as it did.
    assert_eq!(fixture.store.sessions.app_token(&id()).await, Ok(Some(token(b"one"))));
}

#[tokio::test]
async fn a_lease_that_was_seen_with_a_token_needs_the_token() {
    let fixture = Fixture::new().await.unwrap();
    assert_eq!(lease(&fixture, Some(&token(b"one")), NOW).await, Ok(Lease::HeldElsewhere));
    assert_eq!(fixture.item(SESSIONS, id().as_str()).unwrap(), Value::Null);
}

#[tokio::test]
async fn a_lease_that_brought_nothing_says_so_until_its_end() {
    let fixture = Fixture::new().await.unwrap();
    assert_eq!(lease(&fixture, None, NOW).await, Ok(Lease::Ours));
    fixture.store.sessions.fail_app_token(&id(), NOW).await.unwrap();
    let end = NOW.plus(LEASE);
    for (now, expected) in
        [(NOW, Lease::FailedElsewhere), (before(end), Lease::FailedElsewhere), (end, Lease::Ours)]
    {
        assert_eq!(lease(&fixture, None, now).await, Ok(expected), "{now:?}");
    }
    // The next lease is not in vain because the one before was.
    assert_eq!(lease(&fixture, None, end).await, Ok(Lease::HeldElsewhere));
}

#[tokio::test]
async fn only_the_lease_that_stands_can_fail() {
    let fixture = Fixture::new().await.unwrap();
    let refused =
        Error::Unavailable { operation: "UpdateItem", code: "ConditionalCheckFailedException".to_owned() };
    assert_eq!(fixture.store.sessions.fail_app_token(&id(), NOW).await, Err(refused.clone()));
    assert_eq!(fixture.item(SESSIONS, id().as_str()).unwrap(), Value::Null);
    assert_eq!(lease(&fixture, None, NOW).await, Ok(Lease::Ours));
    let later = NOW.plus(Duration::from_secs(1));
    assert_eq!(fixture.store.sessions.fail_app_token(&id(), later).await, Err(refused));
    assert_eq!(lease(&fixture, None, later).await, Ok(Lease::HeldElsewhere));
}
