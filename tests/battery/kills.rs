//! B5: `kill -9` at every await point, and then the visitor tries again.
//!
//! There are no fail points in the product, and none are needed. A process of ours waits for nothing but
//! the answers to its own calls: to DynamoDB, to WeChat, to the Runtime API, which takes its answer. What
//! the world can know of it are those calls. Between the moment in which one of them takes effect and the
//! moment in which the next one does, the tables, WeChat and the browser stay as they are, so it is the
//! same to die anywhere in between: while the answer is on its way, while it is looked at, during a pause
//! before a call is repeated, or while the next request has left and not arrived. Two points for each
//! call are therefore all there are, **its request sent and never carried out**, and **carried out and
//! never answered**; and one for the answer of the function itself, which leaves the process and reaches
//! nobody. In a sequence the second point of a call is the first of the next; where two calls are made
//! side by side, as the claim and the read of the login are, it is not, so both are always taken.
//!
//! A login makes six calls in two functions: 6 × 2 + 2 = 14 points. Each is met in a real process, by
//! holding the call in the proxy before DynamoDB or in the simulator; then the process is killed and the
//! gateway answers 500, as API Gateway does. Other visits lead to the calls that a login does not make:
//! whoever is refused, comes twice, comes with somebody else's callback, comes silently, stays, leaves.
//!
//! That the list is complete is checked and not assumed: each visit is made once without a death and makes the calls
//! that it is said to make, one by one; and whatever else happened, every call that reached the proxy or WeChat is in
//! the list, and every call of the list was made. Not in it: the read of the app secrets, which comes before the claim
//! and changes nothing, so a process that dies over it is one that never began.
//!
//! The visitor then reloads the address that failed, or begins again at the link, as the seed chooses. They must be
//! logged in as who they are, after **at most one automatic fresh login** if they reloaded and none if they began
//! again: two redirects to WeChat at the most, plus the waits for a code that WeChat does not repeat. Where a login
//! costs a tap, a page with a button stands for the automatic one; so it does for who loses two processes and reloads
//! twice. And whatever died: a code reaches WeChat at most once, a login gives at most one session, no cookie is set
//! without a stored session, a claim is never taken over, and nothing is stored without an end.

pub mod points;
pub mod promises;
pub mod trap;
mod visitor;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use harness::{Options, Result};
use simulator::Consent;

use crate::row::Run;
use points::{Plan, Point, Visit};

/// B5.
pub async fn everywhere(run: &Run) -> Result<String> {
    let login = Visit::Login.points();
    run.require(login.len() == 14, || format!("a login has {} points", login.len()));
    let alive: Vec<_> = Visit::all().map(|visit| Plan { visit, deaths: Vec::new() }).collect();
    let once: Vec<_> = login.iter().map(|point| Plan { visit: Visit::Login, deaths: vec![*point] }).collect();
    let twice = pairs(run, &login);
    let around = around(run, &login);
    let (times, times_around) = (run.size(1, 100), run.size(1, 10));
    let size = format!(
        "{} × {times}, {}, {} × {times_around} around it",
        once.len(),
        if run.is_full() { "14 × 14 twice".to_owned() } else { format!("{} twice", twice.len()) },
        around.len(),
    );
    let mut plans = [alive, twice].concat();
    plans.extend(once.iter().cycle().take(once.len() * times).cloned());
    plans.extend(around.iter().cycle().take(around.len() * times_around).cloned());
    let mut jobs: Vec<_> = plans.into_iter().zip(1..).collect();
    run.random(0).shuffle(&mut jobs);
    let open = async || {
        let options =
            Options::default().proxied().with("PROFILE_LIFETIME_SECONDS", "0").with("SILENT_UNIONID", "true");
        let stack = run.stack(options).await?;
        stack.simulator().knobs(|knobs| knobs.consent = Consent::Allow);
        // All at once, so many cold starts would take each other the time in which a table must answer.
        for function in ["authorize", "callback", "userinfo"] {
            stack.functions().warm(function).await?;
        }
        Ok(stack)
    };
    // Most of a visit is waiting for a process that is dead.
    let made = RefCell::new(BTreeSet::new());
    run.share(run.size(12, 20), open, jobs, async |stack, _, (plan, number)| {
        let report = visitor::visit(stack, plan, run.random(number)).await;
        made.borrow_mut().extend(report.made);
        report.broken.into_iter().for_each(|broken| run.violated(broken));
        Ok(())
    })
    .await?;

    let made = made.into_inner();
    let listed: BTreeSet<_> = Visit::all().flat_map(Visit::calls).collect();
    for call in made.difference(&listed) {
        run.violated(format!("a call that no point is at: {call:?}"));
    }
    for call in listed.difference(&made) {
        run.violated(format!("a point at a call that nobody makes: {call:?}"));
    }
    Ok(size)
}

/// Every first point with every second one; in a sample, every point in one pair.
fn pairs(run: &Run, login: &[Point]) -> Vec<Plan> {
    let pair = |first: &Point, second: &Point| Plan { visit: Visit::Login, deaths: vec![*first, *second] };
    if run.is_full() {
        let all = login.iter().flat_map(|first| login.iter().map(move |second| pair(first, second)));
        return all.collect();
    }
    let mut shuffled = login.to_vec();
    run.random(u64::MAX).shuffle(&mut shuffled);
    let (one, other) = shuffled.split_at(login.len() / 2);
    one.iter().zip(other).map(|(first, second)| pair(first, second)).collect()
}

/// Every point of every other visit; in a sample, one of the two at each call that a login does not make.
fn around(run: &Run, login: &[Point]) -> Vec<Plan> {
    let visits = Visit::all().filter(|visit| *visit != Visit::Login);
    let plans = visits
        .flat_map(|visit| visit.points().into_iter().map(move |point| Plan { visit, deaths: vec![point] }));
    if run.is_full() {
        return plans.collect();
    }
    let mut random = run.random(u64::MAX - 1);
    let mut chosen: BTreeMap<_, Plan> = BTreeMap::new();
    for plan in plans {
        for point in plan.deaths.iter().filter(|point| !login.contains(point)) {
            let call = (point.function, point.awaited);
            if random.bool() || !chosen.contains_key(&call) {
                chosen.insert(call, plan.clone());
            }
        }
    }
    chosen.into_values().collect()
}
