//! A ticket of the hand-off: each of its steps, at each of its stages, in time and too late, by whom it is for and by
//! another.

#![expect(clippy::unwrap_used, reason = "the helpers of these tests fail as the tests do")]

use login::Sealed;
use login::handoff::{
    Approved, End, Numbers, PICK_UP_LIFETIME, PickUpSalt, PickUpSecret, Scan, ScriptChoice, StoredTicket,
    Ticket, TicketId,
};
use login::pending::{LoginRequest, RequestedScope};
use login::session::{SessionId, StoredSession};
use login::time::Timestamp;
use wechat::AppId;

use super::{END, Fixture, LOGINS, NOW, SESSIONS, before, browser_secret, state, stored_session, token};

/// How far a ticket is, or where it was when it ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Made,
    Scanned,
    Given,
    Approved,
    PickedUp,
    EndedAtOnce,
    RefusedWhenScanned,
    RefusedWhenGiven,
    EndedWhenApproved,
    TakenBack,
}

use Stage::{
    Approved as WasApproved, EndedAtOnce, EndedWhenApproved, Given, Made, PickedUp, RefusedWhenGiven,
    RefusedWhenScanned, Scanned, TakenBack,
};

const STAGES: [Stage; 10] = [
    Made,
    Scanned,
    Given,
    WasApproved,
    PickedUp,
    EndedAtOnce,
    RefusedWhenScanned,
    RefusedWhenGiven,
    EndedWhenApproved,
    TakenBack,
];

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Step {
    Scan,
    Give,
    Refuse,
    Approve,
    End,
    TakeBack,
    PickUp,
}

/// Each step, and the stages at which it is made.
const STEPS: [(Step, &[Stage]); 7] = [
    (Step::Scan, &[Made]),
    (Step::Give, &[Scanned]),
    (Step::Refuse, &[Scanned, Given]),
    (Step::Approve, &[Given]),
    (Step::End, &[Made, Scanned, Given, WasApproved]),
    (Step::TakeBack, &[WasApproved]),
    (Step::PickUp, &[WasApproved]),
];

/// A ticket in a table of its own, with those whom its steps name.
struct One {
    fixture: Fixture,
    id: TicketId,
    attempts: u8,
}

fn phone(number: u8) -> SessionId {
    token(number).session_id()
}

const SALT: PickUpSalt = PickUpSalt::new([5; 32]);

fn pick_up(number: u8) -> PickUpSecret {
    PickUpSecret::derive(&browser_secret(1), &state(1), &ScriptChoice::new([number; 32]), &SALT)
}

fn session() -> StoredSession {
    stored_session(b"handed over", state(1).handoff_id())
}

impl One {
    async fn at(stage: Stage) -> Self {
        let id = Ticket::derive(&browser_secret(1), &state(1)).id();
        let mut one = Self { fixture: Fixture::new().await.unwrap(), id, attempts: 0 };
        let app = AppId::parse("wx0000000000000aaa").unwrap();
        let ticket = StoredTicket::new(app, LoginRequest::default(), String::new(), NOW, END);
        one.fixture.store.logins.put_ticket(&one.id, &ticket).await.unwrap();
        let way: &[Step] = match stage {
            Made => &[],
            Scanned => &[Step::Scan],
            Given => &[Step::Scan, Step::Give],
            WasApproved => &[Step::Scan, Step::Give, Step::Approve],
            PickedUp => &[Step::Scan, Step::Give, Step::Approve, Step::PickUp],
            EndedAtOnce => &[Step::End],
            RefusedWhenScanned => &[Step::Scan, Step::Refuse],
            RefusedWhenGiven => &[Step::Scan, Step::Give, Step::Refuse],
            EndedWhenApproved => &[Step::Scan, Step::Give, Step::Approve, Step::End],
            TakenBack => &[Step::Scan, Step::Give, Step::Approve, Step::TakeBack],
        };
        for step in way {
            assert!(one.makes(*step, 1, NOW).await, "{step:?} on the way to {stage:?}");
        }
        one
    }

    /// Makes a step, by the phone or the browser of this number; whether it is made.
    async fn makes(&mut self, step: Step, who: u8, now: Timestamp) -> bool {
        self.attempts += 1;
        let (store, id) = (&self.fixture.store, &self.id);
        let made = match step {
            Step::Scan => {
                let scan = Scan { session: phone(who), numbers: Numbers::draw([who; 8]) };
                store.logins.scan(id, &scan, now).await
            }
            Step::Give => store.logins.give(id, &pick_up(who).digest(), &SALT, now).await,
            Step::Refuse => store.logins.refuse(id, End::Refused, &phone(who), now).await,
            Step::Approve => {
                store.logins.approve(id, &phone(who), &Sealed::stored(b"sealed".to_vec()), now).await
            }
            Step::End => store.logins.end_ticket(id, now).await,
            Step::TakeBack => store.logins.take_back(id, &phone(who), now).await,
            Step::PickUp => {
                // Each time another session: what is looked at is the ticket.
                let session_id = phone(100 + self.attempts);
                let attempt = self.fixture.attempt(self.attempts);
                let of = (&session_id, &session());
                store.pick_up(id, &pick_up(who).digest(), of, None, &attempt, now).await
            }
        };
        made.unwrap()
    }

    async fn read(&self) -> StoredTicket {
        self.fixture.store.logins.ticket(&self.id).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn a_step_is_made_at_its_stage_and_at_no_other() {
    for (step, stages) in STEPS {
        for stage in STAGES {
            let mut one = One::at(stage).await;
            let item = one.fixture.item(LOGINS, one.id.as_str()).unwrap();
            let is_made = one.makes(step, 1, NOW).await;
            assert_eq!(is_made, stages.contains(&stage), "{step:?} at {stage:?}");
            let is_as_before = one.fixture.item(LOGINS, one.id.as_str()).unwrap() == item;
            assert_eq!(is_as_before, !is_made, "{step:?} at {stage:?}");
        }
    }
}

#[tokio::test]
async fn a_step_is_made_until_the_ticket_is_over() {
    for (step, stages) in STEPS {
        for stage in stages {
            // Who approves gives it a minute more, counted from then.
            let end = if *stage == WasApproved { NOW.plus(PICK_UP_LIFETIME) } else { END };
            for (now, is_made) in [(end, false), (before(end), true)] {
                let mut one = One::at(*stage).await;
                assert_eq!(one.makes(step, 1, now).await, is_made, "{step:?} at {stage:?}, {now:?}");
            }
        }
    }
}

/// Another phone neither says yes nor no nor takes a yes back, and another browser picks nothing up.
#[tokio::test]
async fn a_step_is_made_by_whom_it_is_for() {
    for (step, stage) in [
        (Step::Refuse, Given),
        (Step::Approve, Given),
        (Step::TakeBack, WasApproved),
        (Step::PickUp, WasApproved),
    ] {
        let mut one = One::at(stage).await;
        assert!(!one.makes(step, 2, NOW).await, "{step:?}");
        assert!(one.makes(step, 1, NOW).await, "{step:?}");
    }
}

#[tokio::test]
async fn what_was_approved_is_taken_back_or_picked_up() {
    for (steps, sessions) in [([Step::TakeBack, Step::PickUp], 0), ([Step::PickUp, Step::TakeBack], 1)] {
        let mut one = One::at(WasApproved).await;
        assert_eq!(one.read().await.approved, Some(Approved::Sealed(Sealed::stored(b"sealed".to_vec()))));
        assert!(one.makes(steps[0], 1, NOW).await && !one.makes(steps[1], 1, NOW).await, "{steps:?}");
        let found = one.fixture.database.items(one.fixture.table(SESSIONS).unwrap()).unwrap().len();
        assert_eq!(found, sessions, "{steps:?}");
        let item = one.fixture.item(LOGINS, one.id.as_str()).unwrap();
        assert!(item["sealed"].is_null(), "{item}");
        assert_eq!(one.read().await.ended, (sessions == 0).then_some(End::TakenBack));
    }
}

/// Whoever asks first, by one write of several at once.
#[tokio::test]
async fn a_ticket_is_stored_once_and_keeps_what_was_set() {
    let mut one = One::at(Scanned).await;
    let app = AppId::parse("wx0000000000000bbb").unwrap();
    let request = LoginRequest { scope: RequestedScope::Profile, ..LoginRequest::default() };
    let another = StoredTicket::new(app, request, String::new(), NOW, END);
    one.fixture.store.logins.put_ticket(&one.id, &another).await.unwrap();
    let scan = one.read().await.scan.unwrap();
    assert_eq!((scan.session, scan.numbers), (phone(1), Numbers::draw([1; 8])));
    assert!(one.makes(Step::Give, 1, NOW).await && !one.makes(Step::Give, 2, NOW).await);
    assert!(one.read().await.given.unwrap().is_to(&pick_up(1)));
}

/// A session that is there already is not written over, and then nothing is picked up; the one that the browser came
/// with goes in the same write.
#[tokio::test]
async fn a_pick_up_is_all_or_nothing() {
    let mut one = One::at(WasApproved).await;
    let (store, digest) = (one.fixture.store.clone(), pick_up(1).digest());
    let (id, stored) = (one.id.clone(), session());
    let mut older = StoredSession { sealed: Sealed::stored(b"older".to_vec()), ..session() };
    older.login = state(2).handoff_id();
    // The first ticket makes both sessions.
    let [own, came_with] = [phone(7), phone(8)];
    let mut first = One::at(WasApproved).await;
    let attempt = first.fixture.attempt(1);
    let picked = first.fixture.store.pick_up(&first.id, &digest, (&own, &older), None, &attempt, NOW).await;
    assert!(picked.unwrap());
    let item = first.fixture.item(SESSIONS, own.as_str()).unwrap();
    one.fixture.put(SESSIONS, &item).unwrap();
    let mut other = item.clone();
    other["id"] = serde_json::json!({ "S": came_with.as_str() });
    one.fixture.put(SESSIONS, &other).unwrap();

    let attempt = one.fixture.attempt(50);
    let refused = store.pick_up(&id, &digest, (&own, &stored), Some(&came_with), &attempt, NOW).await;
    assert!(!refused.unwrap_or_default());
    assert_eq!(one.fixture.item(SESSIONS, own.as_str()).unwrap(), item);
    assert_eq!(one.fixture.item(SESSIONS, came_with.as_str()).unwrap(), other);
    assert!(matches!(one.read().await.approved, Some(Approved::Sealed(_))));

    let attempt = one.fixture.attempt(51);
    let own = phone(9);
    assert!(store.pick_up(&id, &digest, (&own, &stored), Some(&came_with), &attempt, NOW).await.unwrap());
    assert!(one.fixture.item(SESSIONS, came_with.as_str()).unwrap().is_null());
    assert!(!one.fixture.item(SESSIONS, own.as_str()).unwrap().is_null());
    assert!(!one.makes(Step::PickUp, 1, NOW).await && !first.makes(Step::PickUp, 1, NOW).await);
}
