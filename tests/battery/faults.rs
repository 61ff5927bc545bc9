//! B6: every fault that DynamoDB can have, at every call that a login makes of it.
//!
//! The matrix is 7 faults × 9 calls, and every field of it is a number of different flows: how often the
//! fault strikes, which kind of it, what sort of login it is, whether its callback comes more than once
//! or in a foreign browser, whether there is a second tab (`case.rs`). In each flow a visitor does what
//! visitors do while the fault lasts, then the fault ends, and the visitor goes on with what the last
//! answer offers (`flow.rs`). All that was promised is looked for in every answer and in what is left in
//! the tables, in WeChat's ledger and in the browser (`oracle.rs`).
//!
//! A flow mostly waits, so many run side by side; each has a stack and a proxy of its own, because a
//! fault must strike its own flow only. The functions wait for DynamoDB as long as they do when deployed,
//! so a machine that is too busy is a fault that nobody ordered: a flow in which the SDK's time ran out
//! by itself counts for nothing, and is done again while all others rest.

mod case;
mod flow;
mod oracle;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use harness::{Options, Result, Stack, stack::PAGE_ORIGIN};
use simulator::Consent;
use tokio::sync::{Semaphore, mpsc};

use crate::{
    row::Run,
    visitors::{AUTHORIZE, LOGOUT, USERINFO},
};
use case::{CALLS, Case, FAULTS, LIES};
use flow::Flow;

/// How many flows a stack's processes live for. The SDK has only so many repetitions to spend in one
/// process, and no more once they are spent; that is a promise of its own, and not this row's subject.
const FLOWS_OF_A_PROCESS: usize = 16;

/// How often a flow is begun anew because the machine was too busy for it.
const MOST_TRIES: usize = 5;

/// What a worker tells the row.
enum Report {
    /// A promise was broken.
    Violation(String),
    /// One flow is over.
    Done,
}

/// What the workers share.
struct Shared {
    cases: Vec<Case>,
    next: AtomicUsize,
    /// One permit for a flow, all of them for one that has to be alone.
    permits: Semaphore,
    workers: u32,
}

/// B6.
pub async fn at_every_call(run: &Run) -> Result<String> {
    let seeds = run.size(1, 200);
    let workers = u32::try_from(run.size(8, 32))?;
    let cases = 0..FAULTS * CALLS.len() * seeds;
    let shared = Arc::new(Shared {
        cases: cases.map(|number| Case::new(number, run.random(number as u64))).collect(),
        next: AtomicUsize::new(0),
        permits: Semaphore::new(workers as usize),
        workers,
    });
    let (reports, mut received) = mpsc::unbounded_channel();
    let mut stacks = Vec::new();
    for _ in 0..workers {
        let options = Options::default().proxied().with("PROFILE_LIFETIME_SECONDS", "0");
        let stack = Arc::new(run.stack(options).await?);
        stack.simulator().knobs(|knobs| knobs.consent = Consent::Allow);
        if stacks.is_empty() {
            would_see(run, &stack).await?;
        }
        let worker = tokio::spawn(work(Arc::clone(&stack), Arc::clone(&shared), reports.clone()));
        stacks.push((stack, worker));
    }
    drop(reports);
    let (mut done, of) = (0, shared.cases.len());
    while let Some(report) = received.recv().await {
        match report {
            Report::Violation(what) => run.violated(what),
            Report::Done => {
                done += 1;
                run.progress(done, of);
            }
        }
    }
    for (stack, worker) in stacks {
        worker.await?;
        run.end(stack).await?;
    }
    run.require(done == of, || format!("{done} of {of} flows were done"));
    Ok(format!("{FAULTS} × {} × {seeds}", CALLS.len()))
}

/// Shows that a broken promise is seen, by breaking some.
async fn would_see(run: &Run, stack: &Stack) -> Result<()> {
    for (call, expected) in LIES {
        let case = Case::lie(call);
        let flow = Flow::new(stack, &case);
        // Where the lies lead to is of no interest.
        let _ = flow.run().await;
        let seen = flow.violations();
        run.require(seen.iter().any(|seen| seen.starts_with(expected)), || {
            format!("a lie about {call} was not seen through: {seen:?}")
        });
        flow.clear_up().await?;
    }
    Ok(())
}

/// Starts the processes that a flow will use and lets each make its first call, which takes longer than
/// all later ones; on a busy machine, longer than it waits for an answer.
async fn warm_up(stack: &Stack) -> Result<()> {
    let browser = stack.browser();
    let (first, second) = tokio::join!(browser.follow(AUTHORIZE), browser.follow(AUTHORIZE));
    first.and(second)?;
    let (first, second) =
        tokio::join!(browser.fetch(USERINFO, PAGE_ORIGIN), browser.fetch(USERINFO, PAGE_ORIGIN));
    first.and(second)?;
    browser.post_form(LOGOUT, PAGE_ORIGIN).await?;
    browser.get("https://login.example.com/error").await?;
    oracle::leave_nothing(stack)
}

/// Takes one case after the other until there is none left.
async fn work(stack: Arc<Stack>, shared: Arc<Shared>, reports: mpsc::UnboundedSender<Report>) {
    let mut flows = 0;
    while let Some(case) = shared.cases.get(shared.next.fetch_add(1, Ordering::SeqCst)) {
        if flows % FLOWS_OF_A_PROCESS == 0 {
            let _permit = shared.permits.acquire().await;
            stack.functions().stop().await;
            // What goes wrong here goes wrong in the flows too.
            let _ = warm_up(&stack).await;
        }
        flows += 1;
        let mut violations = Vec::new();
        for attempt in 0..MOST_TRIES {
            let permits = if attempt == 0 { 1 } else { shared.workers };
            let _permits = shared.permits.acquire_many(permits).await;
            let flow = Flow::new(&stack, case);
            if let Err(failure) = flow.run().await {
                flow.violated(failure.to_string());
            }
            let is_undisturbed = flow.clear_up().await.unwrap_or_else(|failure| {
                flow.violated(failure.to_string());
                true
            });
            violations = flow.violations();
            if violations.is_empty() || is_undisturbed {
                break;
            }
        }
        for violation in violations {
            // Without a row nobody is there to be told.
            let _ = reports.send(Report::Violation(format!("{case}: {violation}")));
        }
        let _ = reports.send(Report::Done);
    }
}
