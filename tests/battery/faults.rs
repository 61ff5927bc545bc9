//! B6: every fault that DynamoDB can have, at every call that a login makes of it.
//!
//! The matrix is 7 faults × 10 calls, and every field of it is a number of different flows: how often the fault
//! strikes, which kind of it, what sort of login it is, whether its callback comes more than once or in a foreign
//! browser, whether there is a second tab, whether WeChat repeats its codes (`case.rs`). Beside it stand DynamoDB's own
//! weaknesses, which its emulator does not have: every mixture of reasons for which a transaction is cancelled, at
//! every transaction, and reads that are as old as the transaction that they stand beside. In each flow a visitor does
//! what visitors do while the fault lasts, then the fault ends, and the visitor goes on with what the last answer
//! offers (`flow.rs`). All that was promised is looked for in every answer and in what is left in the tables, in
//! WeChat's ledger and in the browser (`oracle.rs`).
//!
//! A flow mostly waits, so many run side by side; each has a stack and a proxy of its own, because a
//! fault must strike its own flow only. The functions wait for DynamoDB as long as they do when deployed,
//! so a machine that is too busy is a fault that nobody ordered: a flow in which the SDK's time ran out
//! by itself counts for nothing, and is done again while all others rest.

mod case;
mod flow;
mod oracle;

use futures_util::future::try_join_all;
use harness::{
    Options, Result, Stack,
    places::{AUTHORIZE, LOGOUT, USERINFO},
    stack::PAGE_ORIGIN,
};
use simulator::Consent;
use tokio::sync::Semaphore;

use crate::row::Run;
use case::{CALLS, Case, FAULTS, LIES, weaknesses};
use flow::Flow;

/// How many flows a stack's processes live for. The SDK has only so many repetitions to spend in one
/// process, and no more once they are spent; that is a promise of its own, and not this row's subject.
const FLOWS_OF_A_PROCESS: usize = 16;

/// How often a flow is begun anew because the machine was too busy for it.
const MOST_TRIES: usize = 5;

/// B6.
pub async fn at_every_call(run: &Run) -> Result<String> {
    let (seeds, flows) = (run.size(1, 200), run.size(8, 32));
    let open = async || {
        let options = Options::default().proxied().with("PROFILE_LIFETIME_SECONDS", "0");
        let stack = run.stack(options).await?;
        stack.simulator().knobs(|knobs| knobs.consent = Consent::Allow);
        Ok(stack)
    };
    let stack = open().await?;
    would_see(run, &stack).await?;
    run.end(stack).await?;

    // One permit for a flow, all of them for one that has to be alone.
    let (permits, all) = (Semaphore::new(flows), u32::try_from(flows)?);
    let fields = FAULTS * CALLS.len() * seeds;
    let weak: Vec<_> = (0..seeds).flat_map(|_| weaknesses()).collect();
    let numbers = 0..fields + weak.len();
    run.share(flows, open, numbers, async |stack, before, number| {
        if before % FLOWS_OF_A_PROCESS == 0 {
            let _permit = permits.acquire().await?;
            stack.functions().stop().await;
            // What goes wrong here goes wrong in the flows too.
            let _ = warm_up(stack).await;
        }
        let random = run.random(number as u64);
        let case = match number.checked_sub(fields).and_then(|weakness| weak.get(weakness)) {
            Some(weakness) => Case::weak(number, *weakness, random),
            None => Case::new(number, random),
        };
        let mut violations = Vec::new();
        for attempt in 0..MOST_TRIES {
            let _permits = permits.acquire_many(if attempt == 0 { 1 } else { all }).await?;
            let flow = Flow::new(stack, &case);
            if let Err(failure) = flow.run().await {
                flow.violated(failure.to_string());
            }
            let is_undisturbed = flow.clear_up().await.unwrap_or_else(|failure| {
                flow.violated(failure.to_string());
                true
            });
            violations = flow.violations.take();
            if violations.is_empty() || is_undisturbed {
                break;
            }
        }
        for violation in violations {
            run.violated(format!("{case}: {violation}"));
        }
        Ok(())
    })
    .await?;
    Ok(format!("({FAULTS} × {} + {}) × {seeds}", CALLS.len(), weaknesses().count()))
}

/// Shows that a broken promise is seen, by breaking some.
async fn would_see(run: &Run, stack: &Stack) -> Result<()> {
    for (call, expected) in LIES {
        let case = Case::lie(call);
        let flow = Flow::new(stack, &case);
        // Where the lies lead to is of no interest.
        let _ = flow.run().await;
        let seen = flow.violations.take();
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
    try_join_all([browser.follow(AUTHORIZE), browser.follow(AUTHORIZE)]).await?;
    try_join_all([browser.fetch(USERINFO, PAGE_ORIGIN), browser.fetch(USERINFO, PAGE_ORIGIN)]).await?;
    browser.post_form(LOGOUT, PAGE_ORIGIN).await?;
    browser.get("https://login.example.com/error").await?;
    oracle::leave_nothing(stack)
}
