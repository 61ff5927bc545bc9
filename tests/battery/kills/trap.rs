//! How exactly one process is killed at exactly one await point.

use std::pin::pin;

use harness::{
    Answer, Failure, Result, Stack,
    proxy::{Fault, Rule},
};
use simulator::Action;

use super::points::{Awaited, Point};

/// Does what a visitor does; if a process comes to the point meanwhile, that is the end of it.
///
/// One visitor at a time has a stack, so the process at work is the one that was met.
pub async fn kill(
    stack: &Stack,
    point: Point,
    visit: impl Future<Output = Result<Vec<Answer>>>,
) -> Result<Vec<Answer>> {
    match point.awaited {
        Awaited::Table(_) => kill_at_table(stack, point, visit).await,
        Awaited::Wechat(path) => kill_at_wechat(stack, point, path, visit).await,
        Awaited::Answer => {
            stack.functions().kill_at_answer(point.function);
            let answers = visit.await;
            // Whoever never came this way is not to meet it on another.
            stack.functions().spare_at_answer(point.function);
            answers
        }
    }
}

async fn kill_at_table(
    stack: &Stack,
    point: Point,
    visit: impl Future<Output = Result<Vec<Answer>>>,
) -> Result<Vec<Answer>> {
    let proxy = stack.proxy()?;
    let fault = if point.is_applied { Fault::HoldAfter } else { Fault::HoldBefore };
    let injection = proxy.inject(Rule::when(fault, move |call| {
        call.function == point.function && Awaited::Table(call.kind) == point.awaited
    }));
    let mut visit = pin!(visit);
    let answers = tokio::select! {
        biased;
        answers = &mut visit => answers,
        held = injection.held() => {
            let held = held?;
            kill_the_one(stack, point).await?;
            // What was not carried out never will be; what was is not answered.
            drop(held);
            proxy.heal();
            visit.await
        }
    };
    proxy.heal();
    drop(injection);
    // A call beside the one that was held may still be on its way.
    proxy.until(|calls| calls.iter().all(|call| call.answered.is_some())).await?;
    answers
}

async fn kill_at_wechat(
    stack: &Stack,
    point: Point,
    path: &'static str,
    visit: impl Future<Output = Result<Vec<Answer>>>,
) -> Result<Vec<Answer>> {
    let wechat = stack.simulator();
    let seen = wechat.ledger().last().map_or(0, |entry| entry.sequence);
    wechat.knobs(|knobs| {
        knobs.hold.insert(path.to_owned());
        if !point.is_applied {
            let scripted = knobs.next.entry(path.to_owned()).or_default();
            scripted.push_front(simulator::Fault::DropBefore.into());
        }
    });
    let met = wechat.until(|ledger| {
        ledger.iter().any(|entry| entry.path == path && entry.sequence > seen && !entry.answered)
    });
    let mut visit = pin!(visit);
    let answers = tokio::select! {
        biased;
        answers = &mut visit => answers,
        () = met => {
            kill_the_one(stack, point).await?;
            wechat.act(&Action::Release);
            visit.await
        }
    };
    wechat.act(&Action::Release);
    wechat.knobs(|knobs| knobs.next.remove(path));
    answers
}

async fn kill_the_one(stack: &Stack, point: Point) -> Result<()> {
    match stack.functions().kill_busy(point.function).await {
        1 => Ok(()),
        killed => Err(Failure::new(format!("{killed} processes were at work, {point}"))),
    }
}
