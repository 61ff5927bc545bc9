//! A grant is issued once, redeemed once, renewed over the version that was seen, and ended for good; a client's
//! request is stored once, and its login sent on once.

#![expect(clippy::unwrap_used, reason = "the helpers of these tests fail as the tests do")]

use std::time::Duration;

use login::Digest;
use login::Sealed;
use login::time::Timestamp;
use openid_connect::client::ClientName;
use openid_connect::grant::{
    GrantId, GrantKey, IssuedGrant, Redemption, RedemptionId, Renewal, SpentToken, StoredAccess,
    StoredRefresh,
};
use openid_connect::pending::RequestHandle;
use serde_json::{Value, json};
use store::Redeemed;

use super::{END, Fixture, LOGINS, NOW, SESSIONS, token};

fn key() -> GrantKey {
    GrantId::new([1; 16]).key()
}

fn sealed(text: &str) -> Sealed {
    Sealed::stored(text.as_bytes().to_vec())
}

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn issued(client: &str) -> IssuedGrant {
    IssuedGrant {
        client: ClientName::parse(client).unwrap(),
        session: token(1).session_id(),
        claims: sealed("claims"),
        code: digest("code"),
        code_key: sealed("code key"),
        created_at: NOW,
        expires_at: END,
    }
}

fn access(text: &str) -> StoredAccess {
    StoredAccess { digest: digest(text), key: sealed(text), expires_at: END }
}

fn refresh(text: &str) -> StoredRefresh {
    StoredRefresh { digest: digest(text), key: sealed(text), family: digest("family"), spent: vec![] }
}

/// One of several attempts to redeem the code, at a time.
fn redemption(attempt: u8, at: Timestamp) -> Redemption {
    Redemption {
        id: RedemptionId::new([attempt; 16]),
        access: access("access"),
        id_token: digest("id token"),
        refresh: Some(refresh("refresh")),
        at,
        expires_at: END.plus(Duration::from_mins(10)),
    }
}

fn renewal(version: u64, at: Timestamp) -> Renewal {
    Renewal {
        version,
        access: vec![access("access"), access("another")],
        id_tokens: vec![digest("id token")],
        refresh: refresh("another"),
        at,
    }
}

async fn with_grant() -> harness::Result<Fixture> {
    let fixture = Fixture::new().await?;
    fixture.store.sessions.put_grant(&key(), &issued("web")).await?;
    Ok(fixture)
}

async fn redeem(fixture: &Fixture, client: &str, code_key: &str, redemption: &Redemption) -> Redeemed {
    fixture.store.sessions.redeem(&key(), client, &sealed(code_key), redemption).await.unwrap()
}

fn stored(fixture: &Fixture) -> Value {
    fixture.item(SESSIONS, key().as_str()).unwrap()
}

#[tokio::test]
async fn a_grant_is_stored_once() {
    let fixture = with_grant().await.unwrap();
    let before = stored(&fixture);
    assert_eq!(before["client"], json!({ "S": "web" }));
    // A copy of the write that comes late undoes nothing.
    assert_eq!(redeem(&fixture, "web", "code key", &redemption(1, NOW)).await, Redeemed::Now);
    let redeemed = stored(&fixture);
    fixture.store.sessions.put_grant(&key(), &issued("other")).await.unwrap();
    assert_eq!(stored(&fixture), redeemed);
}

#[tokio::test]
async fn a_code_is_redeemed_once_and_an_attempt_knows_itself() {
    let fixture = with_grant().await.unwrap();
    assert_eq!(redeem(&fixture, "web", "code key", &redemption(1, NOW)).await, Redeemed::Now);
    let redeemed = stored(&fixture);
    assert!(redeemed.get("code_key").is_none());
    assert_eq!(redeemed["expires_at"], json!({ "N": "1800001200" }));
    // The same attempt, whose answer was lost; and another one.
    assert_eq!(redeem(&fixture, "web", "code key", &redemption(1, NOW)).await, Redeemed::Now);
    assert_eq!(redeem(&fixture, "web", "code key", &redemption(2, NOW)).await, Redeemed::Before);
    assert_eq!(stored(&fixture), redeemed);
}

/// That it was redeemed is enough, whatever else an item holds.
#[tokio::test]
async fn a_redeemed_grant_is_redeemed_whatever_is_left_of_it() {
    let fixture = with_grant().await.unwrap();
    let mut item = stored(&fixture);
    item["redeemed_at"] = json!({ "N": "1800000000" });
    item["redeemed_by"] = json!({ "S": "somebody" });
    fixture.put(SESSIONS, &item).unwrap();
    assert_eq!(redeem(&fixture, "web", "code key", &redemption(1, NOW)).await, Redeemed::Before);
    assert_eq!(stored(&fixture), item);
}

#[tokio::test]
async fn only_the_clients_own_living_code_is_redeemed() {
    let fixture = with_grant().await.unwrap();
    let before = stored(&fixture);
    let over = END;
    for (client, code_key, at) in
        [("other", "code key", NOW), ("web", "another key", NOW), ("web", "code key", over)]
    {
        let told = redeem(&fixture, client, code_key, &redemption(1, at)).await;
        assert_eq!(told, Redeemed::Over, "{client} {code_key} {at:?}");
        assert_eq!(stored(&fixture), before);
    }
    // A second before its end it is good; at its end nobody reads it any more.
    let last = Timestamp::from_epoch_seconds(END.epoch_seconds() - 1);
    assert!(fixture.store.sessions.grant(&key(), last).await.unwrap().is_some());
    assert!(fixture.store.sessions.grant(&key(), END).await.unwrap().is_none());
    assert_eq!(redeem(&fixture, "web", "code key", &redemption(1, last)).await, Redeemed::Now);
}

#[tokio::test]
async fn a_grant_that_was_ended_is_neither_redeemed_nor_renewed() {
    let fixture = with_grant().await.unwrap();
    let mut item = stored(&fixture);
    item["revoked_at"] = json!({ "N": "1800000000" });
    fixture.put(SESSIONS, &item).unwrap();
    assert_eq!(redeem(&fixture, "web", "code key", &redemption(1, NOW)).await, Redeemed::Over);
    assert_eq!(stored(&fixture), item);
    item["version"] = json!({ "N": "1" });
    fixture.put(SESSIONS, &item).unwrap();
    assert!(!fixture.store.sessions.renew(&key(), &renewal(1, NOW)).await.unwrap());
    assert_eq!(stored(&fixture), item);
}

#[tokio::test]
async fn tokens_are_renewed_over_the_version_that_was_seen() {
    let fixture = with_grant().await.unwrap();
    let sessions = &fixture.store.sessions;
    assert!(!sessions.renew(&key(), &renewal(1, NOW)).await.unwrap(), "nothing is redeemed yet");
    redeem(&fixture, "web", "code key", &redemption(1, NOW)).await;
    let before = stored(&fixture);
    for (version, at) in [(0, NOW), (2, NOW), (1, END.plus(Duration::from_mins(10)))] {
        assert!(!sessions.renew(&key(), &renewal(version, at)).await.unwrap(), "{version} {at:?}");
        assert_eq!(stored(&fixture), before);
    }
    let last = END.plus(Duration::from_secs(599));
    assert!(sessions.renew(&key(), &renewal(1, last)).await.unwrap());
    let read = sessions.grant(&key(), NOW).await.unwrap().unwrap();
    assert_eq!((read.version, read.access.len(), read.is_revoked), (2, 2, false));
    // The one that comes second has to look again.
    assert!(!sessions.renew(&key(), &renewal(1, NOW)).await.unwrap());
}

#[tokio::test]
async fn tokens_that_gave_way_are_read_as_they_were_stored() {
    let fixture = with_grant().await.unwrap();
    let sessions = &fixture.store.sessions;
    redeem(&fixture, "web", "code key", &redemption(1, NOW)).await;
    let spent = |name: &str| SpentToken { digest: digest(name), successor: sealed(name), until: NOW };
    let refresh = StoredRefresh { spent: vec![spent("one"), spent("two")], ..refresh("three") };
    assert!(sessions.renew(&key(), &Renewal { refresh, ..renewal(1, NOW) }).await.unwrap());
    let known = sessions.grant(&key(), NOW).await.unwrap().unwrap().refresh.unwrap();
    assert_eq!((known.digest, known.family), (digest("three"), digest("family")));
    let found: Vec<_> = known.spent.into_iter().map(|one| (one.digest, one.successor, one.until)).collect();
    assert_eq!(found, ["one", "two"].map(|name| (digest(name), sealed(name), NOW)));
}

#[tokio::test]
async fn what_is_ended_leaves_nothing_that_opens_it() {
    let fixture = with_grant().await.unwrap();
    let sessions = &fixture.store.sessions;
    redeem(&fixture, "web", "code key", &redemption(1, NOW)).await;
    // Twice: whoever repeats it after a lost answer.
    for _ in 0..2 {
        sessions.revoke_grant(&key(), NOW).await.unwrap();
        let read = sessions.grant(&key(), NOW).await.unwrap().unwrap();
        assert!(
            read.is_revoked && read.access.is_empty() && read.refresh.is_none() && read.code_key.is_none()
        );
    }
    // What is not there does not come to be.
    let unknown = GrantId::new([2; 16]).key();
    sessions.revoke_grant(&unknown, NOW).await.unwrap();
    assert!(fixture.item(SESSIONS, unknown.as_str()).unwrap().is_null());
}

#[tokio::test]
async fn a_request_is_stored_once_and_its_login_sent_on_once() {
    let fixture = Fixture::new().await.unwrap();
    let logins = &fixture.store.logins;
    let key = RequestHandle::new([1; 32]).key();
    assert!(!logins.send_on_once(&key).await.unwrap(), "what is not there is not sent on");
    assert!(fixture.item(LOGINS, key.as_str()).unwrap().is_null());
    logins.put_request(&key, &sealed("request"), END).await.unwrap();
    assert!(logins.send_on_once(&key).await.unwrap());
    assert!(!logins.send_on_once(&key).await.unwrap());
    // A copy of the write that comes late does not forget that.
    logins.put_request(&key, &sealed("another"), END).await.unwrap();
    assert!(!logins.send_on_once(&key).await.unwrap());
    let read = logins.request(&key, NOW).await.unwrap().map(|sealed| sealed.as_bytes().to_vec());
    assert_eq!(read.as_deref(), Some(&b"request"[..]));
    assert!(logins.request(&key, END).await.unwrap().is_none());
}
