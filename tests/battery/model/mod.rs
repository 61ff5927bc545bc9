//! B8: the implementation against a model of it.
//!
//! The model (`world.rs`, `promises.rs`) is the design in a few hundred lines: who may claim a login, what
//! becomes of a code, whose session a cookie opens, and when each of them is over. `proptest` draws
//! sequences of steps (`steps.rs`): people log in, decline, come back late, twice, in another browser, with
//! another's code; time passes, cookies are lost. Each step is done to the model and to the real binaries
//! (`player.rs`), and what is seen of it must be equal (`words.rs`): status, where it leads, which cookies
//! it sets, who `/userinfo` says it is, how often WeChat was asked, and how much is stored.
//!
//! Whoever waits is not part of it: one sequence has one request at a time. Races are the subject of other
//! rows.

mod player;
mod promises;
mod steps;
mod visits;
mod words;
mod world;

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use harness::{Failure, Options, Result, Stack};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use tokio::runtime::Handle;

use crate::{row::Run, wechat::workers};
use player::Player;
use steps::Step;
use world::World;

/// How many sequences run at a time, each on a stack of its own.
const WORKERS: usize = 4;

/// After so many sequences a worker begins with a new stack, so that logs and ledgers stay small.
const SEQUENCES_OF_A_STACK: usize = 500;

/// How many steps may be tried again to find a shorter sequence that fails too.
const MOST_SHRINKS: u32 = 400;

/// What all workers share.
struct Progress<'a> {
    run: &'a Run,
    sequences: usize,
    done: AtomicUsize,
    steps: AtomicUsize,
}

/// B8: sequences of steps on the model and on the implementation.
pub fn equal(run: &Run) -> String {
    let progress = Progress {
        run,
        sequences: run.size(60, 20_000),
        done: AtomicUsize::new(0),
        steps: AtomicUsize::new(0),
    };
    // proptest's runner is synchronous: it gets threads of its own, and blocks them.
    workers::at_once(run, WORKERS, |worker, handle| work(&progress, handle, worker));
    let (sequences, steps) = (progress.done.load(Ordering::SeqCst), progress.steps.load(Ordering::SeqCst));
    run.require(sequences >= progress.sequences, || format!("only {sequences} sequences were played"));
    format!("{sequences} sequences, {steps} steps")
}

/// The sequences of one worker.
fn work(progress: &Progress<'_>, handle: &Handle, worker: usize) -> Result<()> {
    let share = progress.sequences / WORKERS + usize::from(worker < progress.sequences % WORKERS);
    let mut random = progress.run.random(worker as u64);
    let seed: Vec<u8> = (0..32).map(|_| random.u8(..)).collect();
    let config = Config {
        cases: u32::try_from(share)?,
        failure_persistence: None,
        max_shrink_iters: MOST_SHRINKS,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    // Half of the workers read a profile again on every occasion, the others never.
    let is_always_stale = worker % 2 == 1;
    let stage = Mutex::new(Stage { stack: None, played: 0, trouble: None });
    let outcome = runner.run(&steps::sequences(), |sequence| {
        let steps: Vec<_> = sequence.into_iter().flatten().collect();
        let mut stage = stage.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(stack) = handle.block_on(stage.stack(progress.run, is_always_stale)) else {
            // Nothing can be played any more, and nothing is gained by a shorter sequence.
            return Ok(());
        };
        let played = handle.block_on(play(stack, &steps, is_always_stale));
        progress.steps.fetch_add(steps.len(), Ordering::SeqCst);
        let done = progress.done.fetch_add(1, Ordering::SeqCst) + 1;
        progress.run.progress(done, progress.sequences);
        played.map_err(|failure| TestCaseError::fail(failure.to_string()))
    });
    let stage = stage.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(stack) = stage.stack {
        handle.block_on(progress.run.end(stack))?;
    }
    if let Some(trouble) = stage.trouble {
        return Err(trouble);
    }
    match outcome {
        Ok(()) => Ok(()),
        Err(TestError::Abort(reason)) => Err(Failure::new(format!("given up: {reason}"))),
        Err(TestError::Fail(reason, sequence)) => {
            let steps: Vec<_> = sequence.into_iter().flatten().map(|step| format!("  {step:?}")).collect();
            Err(Failure::new(format!("the shortest sequence found:\n{}\n{reason}", steps.join("\n"))))
        }
    }
}

/// The stack that a worker plays on.
struct Stage {
    stack: Option<Stack>,
    played: usize,
    /// Why there is none.
    trouble: Option<Failure>,
}

impl Stage {
    async fn stack(&mut self, run: &Run, is_always_stale: bool) -> Option<&Stack> {
        self.played += 1;
        if self.trouble.is_none()
            && (self.stack.is_none() || self.played.is_multiple_of(SEQUENCES_OF_A_STACK))
            && let Err(trouble) = self.renew(run, is_always_stale).await
        {
            self.trouble = Some(trouble);
        }
        self.stack.as_ref().filter(|_| self.trouble.is_none())
    }

    async fn renew(&mut self, run: &Run, is_always_stale: bool) -> Result<()> {
        if let Some(old) = self.stack.take() {
            run.end(old).await?;
        }
        let lifetime = if is_always_stale { "0" } else { "604800" };
        let options = Options::default().with("PROFILE_LIFETIME_SECONDS", lifetime);
        self.stack = Some(run.stack(options).await?);
        Ok(())
    }
}

/// Plays one sequence on both; an error at the first step after which they differ.
async fn play(stack: &Stack, steps: &[Step], is_always_stale: bool) -> Result<()> {
    let mut world = World::new(is_always_stale);
    let mut player = Player::new(stack)?;
    for (number, step) in steps.iter().enumerate() {
        let action = world.resolve(step);
        let predicted = world.step(step);
        let observed = player.play(step, action).await.map_err(|failure| {
            failure.during(format!("step {}, {step:?}, which meant {action:?}", number + 1))
        })?;
        if predicted != observed {
            return Err(Failure::new(format!(
                "step {}, {step:?}, which meant {action:?}:\n  predicted {predicted:?}\n  observed  {observed:?}",
                number + 1
            )));
        }
    }
    Ok(())
}
