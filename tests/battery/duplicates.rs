//! B1 and B2: callbacks that come more than once, to the browser whose login it is.
//!
//! B2 does not wait. For time to pass, all that is stored is rewritten as if it had been written earlier,
//! and WeChat's clock and the browsers' go forward: the functions cannot tell that from having waited.

use std::{collections::HashSet, time::Duration};

use fastrand::Rng;
use harness::{
    Answer, Options, Result, Stack,
    stack::{DEFAULT_RETURN_TO, PAGE_ORIGIN},
    time::now_seconds,
};
use serde_json::Value;

use crate::{
    row::Run,
    visitors::{
        LOGOUT, PEOPLE, SESSION_COOKIE, Visitor, exchanges, is_fresh_login, parameter, sessions, side_by_side,
    },
};

/// How many visitors of B2 are served at once.
const AT_ONCE: usize = 4;
/// Where the logins of B2 end: by default, at home, and on the team's page with a query and a fragment.
const TARGETS: [(&str, &str); 3] = [
    ("", DEFAULT_RETURN_TO),
    ("return_to=%2Fcart", "https://login.example.com/cart"),
    (
        "return_to=https%3A%2F%2Fwww.example.com%2Forders%3Fpage%3D2%23last",
        "https://www.example.com/orders?page=2#last",
    ),
];
/// What happens in B2 between a callback and its duplicate.
const OCCASIONS: [Occasion; 5] = [
    Occasion::Later(Duration::ZERO),
    Occasion::Later(Duration::from_secs(1)),
    Occasion::Later(Duration::from_secs(30)),
    // Longer than a login lives: ten minutes.
    Occasion::Later(Duration::from_mins(11)),
    Occasion::LoggedOut,
];

/// B1: the same callback many times at once, each in a process of its own.
pub async fn at_once(run: &Run) -> Result<String> {
    let (logins, copies) = (run.size(10, 200), 25_u64);
    let stack = run.stack(Options::default()).await?;
    for login in 1..=logins {
        let visitor = Visitor::new(&stack, "lin");
        let callback = visitor.begin("").await?;
        let duplicates: Vec<_> = (0..copies)
            .map(|_| {
                let (browser, callback) = (visitor.browser.clone(), callback.clone());
                tokio::spawn(async move { browser.get(&callback).await })
            })
            .collect();
        let mut answers = HashSet::new();
        for duplicate in duplicates {
            let answer = duplicate.await??;
            answers.insert((answer.location().map(str::to_owned), answer.set_cookies()));
        }
        let is_one_login = answers.len() == 1
            && answers.iter().all(|(location, cookies)| {
                location.as_deref().is_some_and(|location| location.starts_with(DEFAULT_RETURN_TO))
                    && cookies.len() == 1
            });
        run.require(is_one_login, || format!("login {login} was answered {answers:?}"));
        let exchanges: usize = exchanges(&stack).values().sum();
        run.require(exchanges == login, || format!("{exchanges} exchanges after {login} logins"));
        let sessions = sessions(&stack)?;
        run.require(sessions == login, || format!("{sessions} sessions after {login} logins"));
        run.progress(login, logins);
    }
    let processes = stack.functions().cold_starts("callback");
    run.require(processes >= copies, || format!("only {processes} processes raced"));
    run.end(stack).await?;
    Ok(format!("{logins} × {copies}"))
}

/// What lies between a callback and its duplicate.
#[derive(Clone, Copy, Debug)]
enum Occasion {
    /// Time.
    Later(Duration),
    /// A logout.
    LoggedOut,
}

/// A login that was finished.
struct Finished {
    visitor: Visitor,
    callback: String,
    answer: Answer,
}

/// B2: a callback that has been answered, once more: at once, later, too late, and after a logout.
pub async fn one_after_another(run: &Run) -> Result<String> {
    let each = run.size(4, 200);
    for (number, occasion) in (0_u64..).zip(OCCASIONS) {
        let stack = run.stack(Options::default()).await?;
        repeat(run, &stack, occasion, each, &mut run.random(number)).await?;
        run.end(stack).await?;
        run.progress(usize::try_from(number + 1)? * each, OCCASIONS.len() * each);
    }
    Ok(format!("{} ({} occasions × {each})", OCCASIONS.len() * each, OCCASIONS.len()))
}

/// One occasion, for so many visitors.
async fn repeat(
    run: &Run,
    stack: &Stack,
    occasion: Occasion,
    visitors: usize,
    random: &mut Rng,
) -> Result<()> {
    let plans: Vec<_> = (0..visitors).map(|_| (random.choice(PEOPLE), random.choice(TARGETS))).collect();
    let firsts = plans.into_iter().map(|(person, target)| async move {
        let visitor = Visitor::new(stack, person.unwrap_or("lin"));
        let (query, place) = target.unwrap_or_default();
        let callback = visitor.begin(query).await?;
        let answer = visitor.browser.get(&callback).await?;
        let is_there = answer.location().is_some_and(|location| location.trim_end_matches('#') == place);
        run.require(is_there && visitor.browser.cookie(SESSION_COOKIE).is_some(), || {
            format!("{occasion:?}: no login: {:?}", answer.location())
        });
        Ok(Finished { visitor, callback, answer })
    });
    let finished = side_by_side(AT_ONCE, firsts.collect()).await?;
    let mut stored = sessions(stack)?;
    run.require(stored == visitors, || format!("{occasion:?}: {stored} sessions of {visitors} logins"));

    match occasion {
        Occasion::Later(time) => {
            pass(stack, time)?;
            for login in &finished {
                login.visitor.browser.advance(time);
            }
            collect_garbage(stack, random)?;
        }
        Occasion::LoggedOut => {
            let logouts = finished.iter().map(|login| login.visitor.browser.post_form(LOGOUT, PAGE_ORIGIN));
            side_by_side(AT_ONCE, logouts.collect()).await?;
            stored = 0;
        }
    }

    let again = finished.iter().map(|login| async move {
        let answer = login.visitor.browser.get(&login.callback).await?;
        if matches!(occasion, Occasion::Later(time) if time < Duration::from_mins(10)) {
            let is_repeated = answer.status == login.answer.status
                && answer.location() == login.answer.location()
                && answer.set_cookies() == login.answer.set_cookies();
            run.require(is_repeated, || format!("{occasion:?}: not repeated: {:?}", answer.location()));
        } else {
            run.require(is_fresh_login(&answer), || {
                format!("{occasion:?}: no fresh login: {:?} {:?}", answer.location(), answer.set_cookies())
            });
        }
        Ok((login, answer))
    });
    let again = side_by_side(AT_ONCE, again.collect()).await?;
    let (now, once) = (sessions(stack)?, is_each_exchanged_once(stack, &finished));
    run.require(now == stored, || format!("{occasion:?}: {now} sessions after the duplicates, not {stored}"));
    run.require(once, || format!("{occasion:?}: a duplicate was exchanged"));

    let ends = again.iter().map(|(login, answer)| async move {
        let visitor = &login.visitor;
        // A duplicate undoes no logout; going on is a login of its own.
        if matches!(occasion, Occasion::LoggedOut) {
            let somebody = visitor.is_logged_in_as().await?;
            run.require(somebody.is_none(), || "a duplicate undid a logout".to_owned());
        }
        visitor.go_on(answer).await?;
        let somebody = visitor.is_logged_in_as().await?;
        run.require(visitor.is(somebody.as_deref(), stack), || {
            format!("{occasion:?}: {} ended as {somebody:?}", visitor.person)
        });
        let rejected = visitor.browser.rejected_cookies();
        run.require(rejected.is_empty(), || format!("{occasion:?}: the browser refused {rejected:?}"));
        Ok(())
    });
    side_by_side(AT_ONCE, ends.collect()).await?;
    let once = is_each_exchanged_once(stack, &finished) && exchanges(stack).values().all(|count| *count == 1);
    run.require(once, || format!("{occasion:?}: a code was exchanged twice in the end"));
    let sessions = sessions(stack)?;
    run.require(sessions == visitors, || format!("{occasion:?}: {sessions} sessions in the end"));
    Ok(())
}

fn is_each_exchanged_once(stack: &Stack, finished: &[Finished]) -> bool {
    let exchanges = exchanges(stack);
    finished.iter().all(|login| exchanges.get(&parameter(&login.callback, "code")) == Some(&1))
}

/// Lets time pass: WeChat's clock goes forward, and what is stored becomes so much older.
fn pass(stack: &Stack, time: Duration) -> Result<()> {
    stack.simulator().advance(time.as_secs());
    for table in ["LoginsTable", "SessionsTable"] {
        let table = stack.table(table)?;
        for mut item in stack.database().items(table)? {
            for value in item.as_object_mut().into_iter().flat_map(|fields| fields.values_mut()) {
                if let Some(moment) = moment(value) {
                    *value = serde_json::json!({ "N": (moment - time.as_secs()).to_string() });
                }
            }
            stack.database().put(table, &item)?;
        }
    }
    Ok(())
}

/// DynamoDB may have removed an item that is past its time, or not yet.
fn collect_garbage(stack: &Stack, random: &mut Rng) -> Result<()> {
    let table = stack.table("LoginsTable")?;
    for item in stack.database().items(table)? {
        let is_over = item.get("expires_at").and_then(moment).is_some_and(|end| end <= now_seconds());
        let id = item.pointer("/id/S").and_then(Value::as_str);
        if let Some(id) = id.filter(|_| is_over && random.bool()) {
            stack.database().delete(table, id)?;
        }
    }
    Ok(())
}

/// The moment that an attribute holds, in seconds since 1970; a smaller number is a count.
fn moment(attribute: &Value) -> Option<u64> {
    let number = attribute.get("N")?.as_str()?.parse().ok()?;
    (number > 1_000_000_000).then_some(number)
}
