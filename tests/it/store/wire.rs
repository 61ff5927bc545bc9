//! What the store says over the wire, and what it makes of answers that an embedded DynamoDB never
//! gives: each call is seen by the proxy, and some are struck.

use harness::{
    Result,
    proxy::{Call, Fault, Kind, Mixture, Proxy, Rule, Throttle},
};
use login::Sealed;
use login::app_token::AppTokenId;
use login::pending::CodeId;
use login::session::SessionToken;
use serde_json::{Value, json};
use store::{Claimed, CodeOutcome, Error, Saved, Store};

use super::{Fixture, LOGINS, NOW, aws, browser, code, login, names, state, stored_session, token};

/// A fixture whose store speaks to DynamoDB through a proxy.
async fn proxied() -> Result<(Fixture, Proxy)> {
    let fixture = Fixture::new().await?;
    let proxy = Proxy::before(&fixture.database.url()).await?;
    let store = Store::new(&aws(&proxy.url()).await, names(&fixture.tables)?);
    Ok((Fixture { store, ..fixture }, proxy))
}

/// The calls of one kind.
fn calls(proxy: &Proxy, kind: Kind) -> Vec<Call> {
    proxy.calls().into_iter().filter(|call| call.kind == kind).collect()
}

/// Stores the session of the first login.
async fn finish(fixture: &Fixture) -> Result<(), Error> {
    let session = stored_session(b"sealed", state(1).login_id());
    let id = token(1).session_id();
    fixture.store.finish(&CodeId::of(&code("0a")), &fixture.attempt(1), &id, &session, None).await.map(drop)
}

/// A replica that lags would show a login unclaimed, a code untouched, or a session that has ended.
#[tokio::test]
async fn every_read_is_consistent() {
    let (fixture, proxy) = proxied().await.unwrap();
    let token = SessionToken::new([1; 32]);
    fixture.store.logins.login(&state(1).login_id()).await.unwrap();
    fixture.store.logins.code_outcome(&CodeId::of(&code("0a"))).await.unwrap();
    fixture.store.sessions.session(&token.session_id(), NOW).await.unwrap();
    fixture.store.sessions.app_token(&AppTokenId::of(&login(1).app)).await.unwrap();
    let read = |kind| calls(&proxy, kind).into_iter().map(|call| call.request["ConsistentRead"].clone());
    for kind in [Kind::Login, Kind::CodeOutcome, Kind::Session, Kind::AppToken] {
        assert_eq!(read(kind).collect::<Vec<_>>(), [Value::Bool(true)], "{kind}");
    }
}

/// Every transaction has a token, each its own, and keeps it however often it is repeated.
#[tokio::test]
async fn a_transaction_that_is_repeated_is_the_same_one() {
    for fault in [
        Fault::DropAfter,
        Fault::DropBefore,
        Fault::InternalServerError,
        Fault::Conflict,
        Fault::Throttle(Throttle::Cancelled),
    ] {
        let (fixture, proxy) = proxied().await.unwrap();
        fixture.store.logins.put_login(&state(1).login_id(), &login(1)).await.unwrap();
        for kind in [Kind::Claim, Kind::Finish, Kind::SpendCode] {
            proxy.inject(Rule::at(kind, fault).times(1));
        }
        let (id, code_id) = (state(1).login_id(), CodeId::of(&code("0a")));
        let claimed =
            fixture.store.logins.claim(&id, &code_id, &browser(1), &fixture.attempt(1), NOW).await.unwrap();
        assert!(matches!(claimed, Claimed::Now(_)), "{fault:?}: {claimed:?}");
        finish(&fixture).await.unwrap();
        let other = CodeId::of(&code("0b"));
        fixture.store.logins.spend_code(&id, &other, &browser(2), &fixture.attempt(1), NOW).await.unwrap();
        let mut tokens = Vec::new();
        for kind in [Kind::Claim, Kind::Finish, Kind::SpendCode] {
            let mut of_kind: Vec<_> =
                calls(&proxy, kind).into_iter().map(|call| call.token.unwrap()).collect();
            assert_eq!(of_kind.len(), 2, "{kind} after {fault:?}");
            of_kind.dedup();
            // DynamoDB allows 36 characters.
            assert!(of_kind.iter().all(|token| (1..=36).contains(&token.len())), "{of_kind:?}");
            tokens.append(&mut of_kind);
        }
        tokens.sort_unstable();
        tokens.dedup();
        assert_eq!(tokens.len(), 3, "{fault:?}");
    }
}

/// A cancellation that has more reasons than one decides nothing: a condition that failed beside another transaction
/// may hold a moment later. It is tried again, as the same transaction; in the end nothing is known, and nothing done.
#[tokio::test]
async fn a_mixture_of_reasons_decides_nothing() {
    for mixture in Mixture::ALL {
        let (fixture, proxy) = proxied().await.unwrap();
        let (id, code_id) = (state(1).login_id(), CodeId::of(&code("0a")));
        fixture.store.logins.put_login(&id, &login(1)).await.unwrap();
        for kind in [Kind::Claim, Kind::Finish, Kind::SpendCode] {
            proxy.inject(Rule::at(kind, Fault::Mixture(mixture)).times(5));
        }
        let claimed =
            fixture.store.logins.claim(&id, &code_id, &browser(1), &fixture.attempt(1), NOW).await.unwrap();
        assert!(matches!(claimed, Claimed::Now(_)), "{mixture:?}: {claimed:?}");
        finish(&fixture).await.unwrap();
        let other = CodeId::of(&code("0b"));
        fixture.store.logins.spend_code(&id, &other, &browser(2), &fixture.attempt(1), NOW).await.unwrap();
        for kind in [Kind::Claim, Kind::Finish, Kind::SpendCode] {
            let mut tokens: Vec<_> =
                calls(&proxy, kind).into_iter().map(|call| call.token.unwrap()).collect();
            assert_eq!(tokens.len(), 6, "{kind} after {mixture:?}");
            tokens.dedup();
            assert_eq!(tokens.len(), 1, "{kind} after {mixture:?}");
        }

        // Without an end, it is an error that names the passing reason, and nothing is written.
        let stored = fixture.dump().unwrap();
        proxy.inject(Rule::at(Kind::Claim, Fault::Mixture(mixture)));
        let last = CodeId::of(&code("0c"));
        let claimed =
            fixture.store.logins.claim(&id, &last, &browser(1), &fixture.attempt(2), NOW).await.map(drop);
        let code_of_it = mixture.passing.to_owned();
        let expected = Error::Unavailable { operation: "TransactWriteItems", code: code_of_it };
        assert_eq!(claimed, Err(expected), "{mixture:?}");
        assert_eq!(fixture.dump().unwrap(), stored);
    }
}

/// A claim that was made though the login beside it cannot be read: nobody else may exchange the code, and nobody will.
#[tokio::test]
async fn a_claim_without_its_login_is_one_all_the_same() {
    let (fixture, proxy) = proxied().await.unwrap();
    let (id, code_id) = (state(1).login_id(), CodeId::of(&code("0a")));
    fixture.store.logins.put_login(&id, &login(1)).await.unwrap();
    let throttled = proxy.inject(Rule::at(Kind::Login, Fault::Throttle(Throttle::RequestLimitExceeded)));
    let claimed =
        fixture.store.logins.claim(&id, &code_id, &browser(1), &fixture.attempt(1), NOW).await.unwrap();
    let unread = Error::Unavailable { operation: "GetItem", code: "RequestLimitExceeded".to_owned() };
    assert!(matches!(&claimed, Claimed::Unread(error) if *error == unread), "{claimed:?}");
    assert_eq!(fixture.store.logins.code_outcome(&code_id).await.unwrap(), Some(CodeOutcome::Claimed));
    throttled.remove();
    let again =
        fixture.store.logins.claim(&id, &code_id, &browser(1), &fixture.attempt(2), NOW).await.unwrap();
    assert!(matches!(again, Claimed::Before(..)), "{again:?}");
}

/// Two transactions that keep meeting are given up after a while, and nothing is written.
#[tokio::test]
async fn a_transaction_that_always_meets_another_is_given_up() {
    for (fault, code_of_it) in
        [(Fault::Conflict, "TransactionConflict"), (Fault::Throttle(Throttle::Cancelled), "ThrottlingError")]
    {
        let (fixture, proxy) = proxied().await.unwrap();
        fixture.store.logins.put_login(&state(1).login_id(), &login(1)).await.unwrap();
        let stored = fixture.dump().unwrap();
        proxy.inject(Rule::at(Kind::Claim, fault));
        let (id, code_id) = (state(1).login_id(), CodeId::of(&code("0a")));
        let claimed =
            fixture.store.logins.claim(&id, &code_id, &browser(1), &fixture.attempt(1), NOW).await.map(drop);
        let expected = Error::Unavailable { operation: "TransactWriteItems", code: code_of_it.to_owned() };
        assert_eq!(claimed, Err(expected));
        assert!(calls(&proxy, Kind::Claim).len() >= 6, "{fault:?}");
        assert_eq!(fixture.dump().unwrap(), stored);
    }
}

/// The first copy of a request may arrive when the SDK has long sent another: after the claim, it must
/// not make the login unclaimed again.
#[tokio::test]
async fn a_login_that_is_stored_late_undoes_no_claim() {
    let (fixture, proxy) = proxied().await.unwrap();
    let late = proxy.inject(Rule::at(Kind::PutLogin, Fault::HoldBefore).times(1));
    let (id, code_id) = (state(1).login_id(), CodeId::of(&code("0a")));
    fixture.store.logins.put_login(&id, &login(1)).await.unwrap();
    let late = late.held().await.unwrap();
    let claimed =
        fixture.store.logins.claim(&id, &code_id, &browser(1), &fixture.attempt(1), NOW).await.unwrap();
    assert!(matches!(claimed, Claimed::Now(_)), "{claimed:?}");
    let stored = fixture.dump().unwrap();
    late.release();
    proxy
        .until(|calls| {
            let mut copies = calls.iter().filter(|call| call.kind == Kind::PutLogin);
            copies.all(|call| call.answered.is_some())
        })
        .await
        .unwrap();
    assert_eq!(calls(&proxy, Kind::PutLogin).len(), 2);
    assert_eq!(fixture.dump().unwrap(), stored);
    let item = fixture.item(LOGINS, id.as_str()).unwrap();
    assert_eq!(item["claimed_code"], json!({ "S": code_id.as_str() }));
}

/// A single write that meets a transaction is refused as well, and tried again in the same way.
#[tokio::test]
async fn a_write_that_meets_a_transaction_is_tried_again_a_few_times() {
    let (fixture, proxy) = proxied().await.unwrap();
    let (id, code_id) = (state(1).login_id(), CodeId::of(&code("0a")));
    fixture.store.logins.put_login(&id, &login(1)).await.unwrap();
    fixture.store.logins.claim(&id, &code_id, &browser(1), &fixture.attempt(1), NOW).await.unwrap();
    let session = SessionToken::new([1; 32]).session_id();
    for (kind, times) in [(Kind::FailCode, 1), (Kind::DeleteSession, 1), (Kind::DeleteSession, 100)] {
        proxy.forget();
        let conflict = proxy.inject(Rule::at(kind, Fault::Conflict).times(times));
        let written = match kind {
            Kind::FailCode => fixture.store.logins.fail_code(&code_id, &fixture.attempt(1), None).await,
            _ => fixture.store.sessions.delete_session(&session).await,
        };
        conflict.remove();
        let tries = calls(&proxy, kind).len();
        if times == 1 {
            assert_eq!((written, tries), (Ok(()), 2), "{kind}");
        } else {
            let code = "TransactionConflictException".to_owned();
            assert_eq!(written, Err(Error::Unavailable { operation: "DeleteItem", code }));
            assert!((6..100).contains(&tries), "{tries}");
        }
    }
    // A condition that fails has decided, and is not tried again.
    proxy.forget();
    let saved = fixture.store.sessions.save_session(&session, &Sealed::stored(b"two".to_vec()), 1, NOW).await;
    assert_eq!((saved, calls(&proxy, Kind::SaveSession).len()), (Ok(Saved::Outdated), 1));
    // What could not be saved is not said to be outdated: nobody else saved anything.
    proxy.inject(Rule::at(Kind::SaveSession, Fault::Conflict));
    let saved = fixture.store.sessions.save_session(&session, &Sealed::stored(b"two".to_vec()), 1, NOW).await;
    let code = "TransactionConflictException".to_owned();
    assert_eq!(saved, Err(Error::Unavailable { operation: "UpdateItem", code }));
}
