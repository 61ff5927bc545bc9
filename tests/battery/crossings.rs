//! B4: codes and states that cross, in one browser and in two, and what somebody brings who knows too much.
//!
//! An arrangement is what is brought, by how many browsers, and in which order; there are 8 × 4 = 32:
//!
//! | Brought | by one browser | by two |
//! |---|---|---|
//! | one code with two states | WeChat gave two quick logins one code | it gave it to two devices of one person; in the order "first, then second" the second is a thief with a login of their own |
//! | two codes with one state | WeChat called back twice for one login | the second browser brings its own code with the first one's state |
//! | a code of his own, with the state and the browser's secret of somebody else | | he read them off an open page on a shared computer, or planted the secret |
//! | two people's codes with the state of one QR page | both scanned it | |
//! | two codes with two states, crossed | two logins in two tabs, mixed up | each browser brings its own code with the other's state |
//!
//! The orders are: first, then second; second, then first; both at once; both at once and each of them
//! twice, so that every arrival races its own duplicate as well.
//!
//! Left out is the one case that nothing can hold against: an *unused* code of one person, brought first
//! by another person's browser with that browser's own state. WeChat ties a code to no browser. The
//! README says so.

use std::collections::{HashMap, HashSet};

use fastrand::Rng;
use futures_util::future::try_join_all;
use harness::{
    Answer, Options, Result, Stack, Visitor,
    places::{AUTHORIZE, BROWSER_COOKIE, PEOPLE, callback, parameter},
    stack::{PAGE_ORIGIN, WEBSITE_APP},
};

use crate::{
    oracle::{begins_anew, exchanges, side_by_side},
    row::Run,
};

/// How many trials run at once; each has up to four callbacks in the air.
const AT_ONCE: usize = 2;

/// The second login.
const SECOND: &str = "https://login.example.com/authorize?return_to=%2Fsecond";

/// Which codes come with which states.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Brought {
    /// One code with two states.
    OneCode,
    /// Two codes with one state.
    OneState,
    /// Two codes with two states, each with the other's.
    Crossed,
    /// Two codes with one state and one browser's secret, which two browsers hold.
    SharedSecret,
    /// Two people's codes with the state of one QR page.
    TwoScans,
}

impl Brought {
    const ALL: [Self; 5] = [Self::OneCode, Self::OneState, Self::Crossed, Self::SharedSecret, Self::TwoScans];

    /// By how many browsers it can be brought: by two, or not.
    const fn browsers(self) -> &'static [bool] {
        match self {
            Self::OneCode | Self::OneState | Self::Crossed => &[false, true],
            Self::SharedSecret => &[true],
            Self::TwoScans => &[false],
        }
    }

    /// Whether there is one state, which takes one code to WeChat.
    const fn has_one_state(self) -> bool {
        matches!(self, Self::OneState | Self::SharedSecret | Self::TwoScans)
    }
}

/// In which order they come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Order {
    InTurn,
    TheOtherFirst,
    AtOnce,
    AtOnceTwice,
}

/// What is brought, by how many browsers, in which order.
#[derive(Clone, Copy, Debug)]
struct Arrangement {
    brought: Brought,
    by_two: bool,
    order: Order,
}

/// A callback, and who opens it.
#[derive(Clone)]
struct Arrival {
    visitor: Visitor,
    code: String,
    state: String,
    /// The state is another browser's, or the code was another's and has been used.
    gets_nothing: bool,
}

/// One arrangement, played.
struct Trial {
    arrangement: Arrangement,
    arrivals: [Arrival; 2],
    answers: Vec<(Arrival, Answer)>,
}

/// B4.
pub async fn in_every_order(run: &Run) -> Result<String> {
    let each = run.size(1, 50);
    let mut all = Vec::new();
    for brought in Brought::ALL {
        for order in [Order::InTurn, Order::TheOtherFirst, Order::AtOnce, Order::AtOnceTwice] {
            all.extend(brought.browsers().iter().map(|by_two| Arrangement {
                brought,
                by_two: *by_two,
                order,
            }));
        }
    }
    let stack = run.stack(Options::default()).await?;
    for (number, arrangement) in all.iter().enumerate() {
        let mut random = run.random(u64::try_from(number)?);
        let seeds: Vec<_> = (0..each).map(|_| random.fork()).collect();
        let trials = seeds.into_iter().map(|random| play(&stack, *arrangement, random));
        let trials = side_by_side(AT_ONCE, trials).await?;
        let exchanged = exchanges(&stack);
        for trial in &trials {
            judge(run, trial, &exchanged);
        }
        side_by_side(AT_ONCE, trials.iter().map(|trial| end(run, trial))).await?;
        let most = exchanges(&stack).into_values().max().unwrap_or_default();
        run.require(most <= 1, || format!("{arrangement:?}: a code was exchanged {most} times"));
        run.progress(number + 1, all.len());
    }
    run.end(stack).await?;
    Ok(format!("{} × {each}", all.len()))
}

/// Begins the two logins and lets the callbacks arrive.
async fn play(stack: &Stack, arrangement: Arrangement, mut random: Rng) -> Result<Trial> {
    let Arrangement { brought, by_two, order } = arrangement;
    let mut people = PEOPLE.iter().cycle().skip(random.usize(..PEOPLE.len()));
    let person = people.next().copied().unwrap_or_default();
    let one = stack.visitor(person);
    let one = if brought == Brought::TwoScans { one.at_a_computer() } else { one };
    let is_thief = brought != Brought::OneCode || order == Order::InTurn;
    let another = people.next().copied().filter(|_| is_thief).unwrap_or(person);
    let other = match (by_two, brought) {
        (true, _) => stack.visitor(another),
        (false, Brought::TwoScans) => one.hand_to(another),
        (false, _) => one.clone(),
    };
    let first = one.come_back(AUTHORIZE).await?;
    let second = other.come_back(SECOND).await?;
    if brought == Brought::SharedSecret {
        let secret = one.browser.cookies().into_iter().find(|cookie| cookie.name == BROWSER_COOKIE);
        if let Some(secret) = secret {
            other.browser.insert_cookie(secret);
        }
    }
    let arrival = |visitor: &Visitor, code_of: &str, state_of: &str, gets_nothing| Arrival {
        visitor: visitor.clone(),
        code: parameter(code_of, "code"),
        state: parameter(state_of, "state"),
        gets_nothing,
    };
    let arrivals = match brought {
        Brought::OneCode => {
            [arrival(&one, &first, &first, false), arrival(&other, &first, &second, by_two && is_thief)]
        }
        Brought::OneState => [arrival(&one, &first, &first, false), arrival(&other, &second, &first, by_two)],
        // Whoever shares the secret may plant a login of his own, and is never given another's.
        Brought::SharedSecret | Brought::TwoScans => {
            [arrival(&one, &first, &first, false), arrival(&other, &second, &first, false)]
        }
        Brought::Crossed => {
            [arrival(&one, &first, &second, by_two), arrival(&other, &second, &first, by_two)]
        }
    };
    let [mine, theirs] = arrivals.clone();
    let answers = match order {
        Order::InTurn => vec![open(mine).await?, open(theirs).await?],
        Order::TheOtherFirst => vec![open(theirs).await?, open(mine).await?],
        Order::AtOnce => try_join_all([mine, theirs].map(open)).await?,
        Order::AtOnceTwice => try_join_all([mine.clone(), theirs.clone(), theirs, mine].map(open)).await?,
    };
    Ok(Trial { arrangement, arrivals, answers })
}

async fn open(arrival: Arrival) -> Result<(Arrival, Answer)> {
    let answer = arrival.visitor.browser.get(&callback(&arrival.code, &arrival.state)).await?;
    Ok((arrival, answer))
}

/// At most one session for each code and each state, and at most one exchange of each code.
fn judge(run: &Run, trial: &Trial, exchanged: &HashMap<String, usize>) {
    let arrangement = trial.arrangement;
    let (mut by_code, mut by_state) = (HashMap::new(), HashMap::new());
    for (arrival, answer) in &trial.answers {
        for cookie in answer.set_cookies() {
            by_code.entry(&arrival.code).or_insert_with(HashSet::new).insert(cookie.clone());
            by_state.entry(&arrival.state).or_insert_with(HashSet::new).insert(cookie);
        }
        run.require(answer.status == 303, || format!("{arrangement:?}: a {}", answer.status));
        run.require(!arrival.gets_nothing || begins_anew(answer), || {
            format!("{arrangement:?}: what is another's led to {:?}", answer.location())
        });
    }
    let most = by_code.values().chain(by_state.values()).map(HashSet::len).max().unwrap_or_default();
    run.require(most <= 1, || format!("{arrangement:?}: {most} sessions for one code or state"));
    // A state that is claimed takes no second code to WeChat.
    let sent = |arrival: &Arrival| exchanged.get(&arrival.code).copied().unwrap_or_default();
    let sent: usize = trial.arrivals.iter().map(sent).sum();
    run.require(!arrangement.brought.has_one_state() || sent == 1, || {
        format!("{arrangement:?}: {sent} codes of one state were exchanged")
    });
    let is_vain = trial.arrivals.iter().all(|arrival| arrival.gets_nothing);
    run.require(by_code.is_empty() == is_vain, || {
        format!("{arrangement:?}: {} codes gave a session", by_code.len())
    });
}

/// Who is who now, and whether each browser gets in: at once or by one fresh login.
async fn end(run: &Run, trial: &Trial) -> Result<()> {
    let arrangement = trial.arrangement;
    if arrangement.brought == Brought::TwoScans {
        return end_of_scans(run, trial).await;
    }
    for Arrival { visitor, .. } in &trial.arrivals {
        let somebody = visitor.logged_in_as().await?;
        run.require(somebody.as_ref().is_none_or(|somebody| *somebody == visitor.openid()), || {
            format!("{arrangement:?}: {} was logged in as {somebody:?}", visitor.person)
        });
    }
    for (arrival, answer) in &trial.answers {
        let is_fresh = begins_anew(answer);
        let is_there = answer.location().is_some_and(|location| {
            location.starts_with(PAGE_ORIGIN) || location.starts_with("https://login.example.com/second")
        });
        run.require(is_fresh || is_there, || format!("{arrangement:?}: led to {:?}", answer.location()));
        if is_fresh {
            arrival.visitor.go_on(answer).await?;
        }
    }
    for Arrival { visitor, .. } in &trial.arrivals {
        let somebody = visitor.logged_in_as().await?;
        run.require(somebody == Some(visitor.openid()), || {
            format!("{arrangement:?}: {} ended as {somebody:?}", visitor.person)
        });
    }
    Ok(())
}

/// One of the two who scanned is logged in, in the browser whose page it is; nobody was answered with the other's
/// session.
async fn end_of_scans(run: &Run, trial: &Trial) -> Result<()> {
    let arrangement = trial.arrangement;
    let [one, other] = &trial.arrivals;
    let people = [one, other].map(|arrival| arrival.visitor.openid_at(WEBSITE_APP));
    let somebody = one.visitor.logged_in_as().await?;
    run.require(somebody.as_ref().is_some_and(|somebody| people.contains(somebody)), || {
        format!("{arrangement:?}: ended as {somebody:?}")
    });
    for (arrival, answer) in &trial.answers {
        let is_winner = Some(arrival.visitor.openid_at(WEBSITE_APP)) == somebody;
        let reason = parameter(answer.location().unwrap_or_default(), "reason");
        let is_told_why = ["already_logged_in", "login_expired"].contains(&reason.as_str());
        let is_right =
            if is_winner { reason.is_empty() } else { is_told_why && answer.set_cookies().is_empty() };
        run.require(is_right, || {
            format!("{arrangement:?}: {} was led to {:?}", arrival.visitor.person, answer.location())
        });
    }
    Ok(())
}
