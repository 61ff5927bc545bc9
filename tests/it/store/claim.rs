//! The claim of a login and its code, and what becomes of the code.

use login::pending::{CODE_LIFETIME, CodeId};
use serde_json::json;
use store::{Claimed, CodeOutcome, Error};

use super::{END, Fixture, LOGINS, NOW, before, browser, code, login, state};

/// What is asserted of a claim; the variants carry more.
fn name(claimed: &Claimed) -> &'static str {
    match claimed {
        Claimed::Now(_) => "now",
        Claimed::Before(..) => "before",
        Claimed::Elsewhere { .. } => "elsewhere",
        Claimed::Foreign(_) => "foreign",
        Claimed::Expired(_) => "expired",
        Claimed::Unread(_) => "unread",
        Claimed::Unknown => "unknown",
    }
}

#[tokio::test]
async fn the_first_claim_is_won_and_leaves_both_marks() {
    let fixture = Fixture::with_login().await.unwrap();
    let (id, code_id) = (state(1).login_id(), CodeId::of(&code("0canary")));
    let claimed =
        fixture.store.logins.claim(&id, &code_id, &browser(1), &fixture.attempt(1), NOW).await.unwrap();
    let Claimed::Now(claimed) = claimed else { panic!("{claimed:?}") };
    assert_eq!(claimed, login(1));
    assert_eq!(
        fixture.item(LOGINS, code_id.as_str()).unwrap(),
        json!({
            "id": { "S": code_id.as_str() },
            "login": { "S": id.as_str() },
            "browser": { "S": browser(1).as_str() },
            "outcome": { "S": "claimed" },
            "attempt_id": { "S": fixture.attempt(1).as_str() },
            "expires_at": { "N": NOW.plus(CODE_LIFETIME).epoch_seconds().to_string() },
        })
    );
    let item = fixture.item(LOGINS, id.as_str()).unwrap();
    assert_eq!(item["claimed_code"], json!({ "S": code_id.as_str() }));
    assert!(!fixture.dump().unwrap().to_string().contains("canary"));
    assert_eq!(fixture.store.logins.code_outcome(&code_id).await.unwrap(), Some(CodeOutcome::Claimed));
}

#[tokio::test]
async fn the_same_attempt_claims_twice_and_wins_both_times() {
    let fixture = Fixture::with_login().await.unwrap();
    let (id, code_id) = (state(1).login_id(), CodeId::of(&code("0a")));
    for _ in 0..2 {
        let claimed =
            fixture.store.logins.claim(&id, &code_id, &browser(1), &fixture.attempt(1), NOW).await.unwrap();
        assert_eq!(name(&claimed), "now");
    }
}

/// DynamoDB remembers a client request token for ten minutes; the guard remembers the attempt.
#[tokio::test]
async fn an_attempt_knows_its_own_mark_when_dynamodb_does_not() {
    let fixture = Fixture::with_login().await.unwrap();
    let (id, code_id) = (state(1).login_id(), CodeId::of(&code("0a")));
    let mut marked = fixture.item(LOGINS, id.as_str()).unwrap();
    marked["claimed_code"] = json!({ "S": code_id.as_str() });
    fixture.put(LOGINS, &marked).unwrap();
    let guard = json!({
        "id": { "S": code_id.as_str() }, "login": { "S": id.as_str() }, "browser": { "S": browser(1).as_str() },
        "outcome": { "S": "claimed" }, "attempt_id": { "S": fixture.attempt(7).as_str() }, "expires_at": { "N": "1" },
    });
    fixture.put(LOGINS, &guard).unwrap();
    let stored = fixture.dump().unwrap();
    for (number, expected) in [(7, "now"), (8, "before")] {
        let claimed = fixture
            .store
            .logins
            .claim(&id, &code_id, &browser(1), &fixture.attempt(number), NOW)
            .await
            .unwrap();
        assert_eq!(name(&claimed), expected);
        assert_eq!(fixture.dump().unwrap(), stored);
    }
}

/// The SDK sends a request again that gets no answer in time, and the first copy may come after the claim.
#[tokio::test]
async fn a_login_that_is_stored_once_more_stays_claimed() {
    let fixture = Fixture::with_login().await.unwrap();
    let (id, code_id) = (state(1).login_id(), CodeId::of(&code("0a")));
    fixture.store.logins.claim(&id, &code_id, &browser(1), &fixture.attempt(1), NOW).await.unwrap();
    let stored = fixture.dump().unwrap();
    fixture.store.logins.put_login(&id, &login(1)).await.unwrap();
    assert_eq!(fixture.dump().unwrap(), stored);
}

#[tokio::test]
async fn a_login_that_was_claimed_names_the_code_that_did_it() {
    let fixture = Fixture::with_login().await.unwrap();
    let id = state(1).login_id();
    let (first, second) = (CodeId::of(&code("0first")), CodeId::of(&code("0second")));
    fixture.store.logins.claim(&id, &first, &browser(1), &fixture.attempt(1), NOW).await.unwrap();
    let stored = fixture.dump().unwrap();
    for (number, code_id) in [(2, &first), (3, &second)] {
        let claimed = fixture
            .store
            .logins
            .claim(&id, code_id, &browser(1), &fixture.attempt(number), NOW)
            .await
            .unwrap();
        let Claimed::Before(claimed, by) = claimed else { panic!("{claimed:?}") };
        assert_eq!((claimed, by), (login(1), first.clone()));
        // Nothing changed: the second code is not spent.
        assert_eq!(fixture.dump().unwrap(), stored);
    }
}

#[tokio::test]
async fn a_code_that_was_used_elsewhere_leaves_this_login_alone() {
    let fixture = Fixture::with_login().await.unwrap();
    let (one, other) = (state(1).login_id(), state(2).login_id());
    fixture.store.logins.put_login(&other, &login(1)).await.unwrap();
    let code_id = CodeId::of(&code("0a"));
    fixture.store.logins.claim(&one, &code_id, &browser(1), &fixture.attempt(1), NOW).await.unwrap();
    let stored = fixture.dump().unwrap();
    let claimed =
        fixture.store.logins.claim(&other, &code_id, &browser(1), &fixture.attempt(2), NOW).await.unwrap();
    let Claimed::Elsewhere { login: claimed, used_for, used_in, has_failed } = claimed else {
        panic!("{claimed:?}")
    };
    assert_eq!((claimed, used_for, used_in, has_failed), (login(1), one, browser(1), false));
    assert_eq!(fixture.dump().unwrap(), stored);
    // Its own code still gets it.
    let own = CodeId::of(&code("0b"));
    let claimed =
        fixture.store.logins.claim(&other, &own, &browser(1), &fixture.attempt(3), NOW).await.unwrap();
    assert_eq!(name(&claimed), "now");
    // A code that gave no session is told from one that may have given one.
    fixture.store.logins.fail_code(&code_id, &fixture.attempt(1), None).await.unwrap();
    fixture.store.logins.put_login(&state(3).login_id(), &login(1)).await.unwrap();
    let third = state(3).login_id();
    let claimed =
        fixture.store.logins.claim(&third, &code_id, &browser(1), &fixture.attempt(4), NOW).await.unwrap();
    assert!(matches!(claimed, Claimed::Elsewhere { has_failed: true, .. }), "{claimed:?}");
}

#[tokio::test]
async fn another_browser_changes_nothing_and_its_owner_still_logs_in() {
    let fixture = Fixture::with_login().await.unwrap();
    let (id, code_id) = (state(1).login_id(), CodeId::of(&code("0a")));
    let stored = fixture.dump().unwrap();
    let claimed =
        fixture.store.logins.claim(&id, &code_id, &browser(2), &fixture.attempt(1), NOW).await.unwrap();
    let Claimed::Foreign(claimed) = claimed else { panic!("{claimed:?}") };
    assert_eq!(claimed, login(1));
    assert_eq!(fixture.dump().unwrap(), stored);
    let claimed =
        fixture.store.logins.claim(&id, &code_id, &browser(1), &fixture.attempt(2), NOW).await.unwrap();
    assert_eq!(name(&claimed), "now");
    // Afterwards too, and whatever else is wrong with it.
    for (code, now) in [("0a", NOW), ("0b", NOW), ("0a", END)] {
        let code_id = CodeId::of(&self::code(code));
        let claimed =
            fixture.store.logins.claim(&id, &code_id, &browser(2), &fixture.attempt(3), now).await.unwrap();
        assert_eq!(name(&claimed), "foreign", "{code}");
    }
}

/// A mark needs another browser than the login's or another code than the one that claimed it, a login that is not
/// over, a code without a guard, and one of three marks that a login pays for.
#[tokio::test]
async fn a_code_is_spent_by_another_browser_or_beside_another_code_only() {
    // Unclaimed, a login's own browser spends nothing: the code may be the right one.
    let fixture = Fixture::with_login().await.unwrap();
    let (id, code_id) = (state(1).login_id(), CodeId::of(&code("0a")));
    let stored = fixture.dump().unwrap();
    fixture.store.logins.spend_code(&id, &code_id, &browser(1), &fixture.attempt(2), NOW).await.unwrap();
    assert_eq!(fixture.dump().unwrap(), stored);

    let fixture = Fixture::with_login().await.unwrap();
    let id = state(1).login_id();
    let used = CodeId::of(&code("0used"));
    fixture.store.logins.claim(&id, &used, &browser(1), &fixture.attempt(1), NOW).await.unwrap();
    let stored = fixture.dump().unwrap();
    let login = fixture.item(LOGINS, id.as_str()).unwrap();
    let refused = [
        (id.clone(), "0a", 2, END),
        (id.clone(), "0a", 1, END),
        (id.clone(), "0used", 2, NOW),
        (id.clone(), "0used", 1, NOW),
        (state(2).login_id(), "0a", 2, NOW),
    ];
    for (number, (login_id, text, by, now)) in (2..).zip(refused) {
        let code_id = CodeId::of(&code(text));
        fixture
            .store
            .logins
            .spend_code(&login_id, &code_id, &browser(by), &fixture.attempt(number), now)
            .await
            .unwrap();
        assert_eq!(fixture.dump().unwrap(), stored, "{text} by {by}");
    }
    for (number, (text, by)) in (10..).zip([("0a", 2), ("0b", 1), ("0b", 2), ("0c", 1), ("0d", 2)]) {
        let code_id = CodeId::of(&code(text));
        fixture
            .store
            .logins
            .spend_code(&id, &code_id, &browser(by), &fixture.attempt(number), before(END))
            .await
            .unwrap();
        let expected = (text != "0d").then_some(CodeOutcome::Failed(None));
        assert_eq!(fixture.store.logins.code_outcome(&code_id).await.unwrap(), expected, "{text}");
    }
    // The login is as it was, but for the count.
    let mut item = fixture.item(LOGINS, id.as_str()).unwrap();
    assert_eq!(item.as_object_mut().unwrap().remove("spent_codes"), Some(json!({ "N": "3" })));
    assert_eq!(item, login);
}

#[tokio::test]
async fn a_login_is_over_to_the_second_though_its_item_is_there() {
    for (now, expected) in [(before(END), "now"), (END, "expired"), (END.plus(CODE_LIFETIME), "expired")] {
        let fixture = Fixture::with_login().await.unwrap();
        let stored = fixture.dump().unwrap();
        let (id, code_id) = (state(1).login_id(), CodeId::of(&code("0a")));
        let claimed =
            fixture.store.logins.claim(&id, &code_id, &browser(1), &fixture.attempt(1), now).await.unwrap();
        assert_eq!(name(&claimed), expected);
        assert_eq!(fixture.dump().unwrap() == stored, expected == "expired");
        // It can still be read, for where it would have ended.
        assert_eq!(fixture.store.logins.login(&id).await.unwrap(), Some(login(1)));
    }
}

#[tokio::test]
async fn a_login_that_is_not_there_leaves_no_mark() {
    let fixture = Fixture::new().await.unwrap();
    let stored = fixture.dump().unwrap();
    let (id, code_id) = (state(1).login_id(), CodeId::of(&code("0a")));
    let claimed =
        fixture.store.logins.claim(&id, &code_id, &browser(1), &fixture.attempt(1), NOW).await.unwrap();
    assert_eq!(name(&claimed), "unknown");
    assert_eq!(fixture.dump().unwrap(), stored);
    assert_eq!(fixture.store.logins.code_outcome(&code_id).await.unwrap(), None);
}

/// DynamoDB removes expired items hours late, and a guard outlives its login. A code that is marked
/// stays so: whatever its age, it is never claimed again while the mark is there.
#[tokio::test]
async fn an_expired_mark_is_still_a_mark() {
    let fixture = Fixture::with_login().await.unwrap();
    let later = state(2).login_id();
    let late = END.plus(CODE_LIFETIME);
    fixture
        .store
        .logins
        .put_login(&later, &login::pending::PendingLogin { expires_at: late.plus(CODE_LIFETIME), ..login(1) })
        .await
        .unwrap();
    let code_id = CodeId::of(&code("0a"));
    fixture
        .store
        .logins
        .claim(&state(1).login_id(), &code_id, &browser(1), &fixture.attempt(1), NOW)
        .await
        .unwrap();
    let claimed =
        fixture.store.logins.claim(&later, &code_id, &browser(1), &fixture.attempt(2), late).await.unwrap();
    assert_eq!(name(&claimed), "elsewhere");
}

#[tokio::test]
async fn of_many_claims_at_once_one_is_won() {
    let fixture = Fixture::with_login().await.unwrap();
    let claims = (1..=20).map(|number| {
        let (store, attempt) = (fixture.store.clone(), fixture.attempt(number));
        tokio::spawn(async move {
            let (id, code_id) = (state(1).login_id(), CodeId::of(&code("0a")));
            let claimed = store.logins.claim(&id, &code_id, &browser(1), &attempt, NOW).await.unwrap();
            name(&claimed)
        })
    });
    let mut names = Vec::new();
    for claim in claims.collect::<Vec<_>>() {
        names.push(claim.await.unwrap());
    }
    names.sort_unstable();
    assert_eq!(names, [vec!["before"; 19], vec!["now"]].concat());
}

#[tokio::test]
async fn a_code_fails_by_its_own_attempt_only() {
    let fixture = Fixture::with_login().await.unwrap();
    let code_id = CodeId::of(&code("0a"));
    fixture
        .store
        .logins
        .claim(&state(1).login_id(), &code_id, &browser(1), &fixture.attempt(1), NOW)
        .await
        .unwrap();
    let refused =
        Error::Unavailable { operation: "UpdateItem", code: "ConditionalCheckFailedException".to_owned() };
    assert_eq!(
        fixture.store.logins.fail_code(&code_id, &fixture.attempt(2), None).await,
        Err(refused.clone())
    );
    assert_eq!(fixture.store.logins.code_outcome(&code_id).await.unwrap(), Some(CodeOutcome::Claimed));
    assert_eq!(fixture.store.logins.fail_code(&code_id, &fixture.attempt(1), None).await, Ok(()));
    assert_eq!(fixture.store.logins.code_outcome(&code_id).await.unwrap(), Some(CodeOutcome::Failed(None)));
    // Failed is the end of it, and a code that nobody claimed gets no mark by failing.
    assert_eq!(
        fixture.store.logins.fail_code(&code_id, &fixture.attempt(1), None).await,
        Err(refused.clone())
    );
    assert_eq!(
        fixture.store.logins.fail_code(&CodeId::of(&code("0b")), &fixture.attempt(1), None).await,
        Err(refused)
    );
    assert_eq!(fixture.store.logins.code_outcome(&CodeId::of(&code("0b"))).await.unwrap(), None);
}

#[tokio::test]
async fn an_outcome_of_another_version_is_an_error() {
    let fixture = Fixture::new().await.unwrap();
    let code_id = CodeId::of(&code("0a"));
    for item in [
        json!({ "id": { "S": code_id.as_str() } }),
        json!({ "id": { "S": code_id.as_str() }, "outcome": { "S": "pending" } }),
        json!({ "id": { "S": code_id.as_str() }, "outcome": { "N": "1" } }),
    ] {
        fixture.put(LOGINS, &item).unwrap();
        assert_eq!(fixture.store.logins.code_outcome(&code_id).await, Err(Error::Corrupt("outcome")));
    }
}
