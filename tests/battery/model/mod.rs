//! B8: the implementation against a model of it.
//!
//! The model (`world.rs`, `promises.rs`, `callback.rs`) is the design in a few hundred lines: who may claim a
//! login, what becomes of a code, whose session a cookie opens, and when each of them is over. `proptest` draws
//! sequences of steps (`steps.rs`), some of which begin with a story (`stories.rs`): people log in, decline, come
//! back late, twice, in another browser, with another's code; time passes, cookies are lost. Two more take part:
//! somebody who has the browser's secret and the state, and tries to have the session for it, and a second person
//! who scans the same QR page. Each step is done to the model and to the real binaries (`player.rs`), and what is
//! seen of it must be equal (`words.rs`): status, where it leads, which cookies it sets, who `/userinfo` says it
//! is, how often WeChat was asked, and how much is stored.
//!
//! Some callbacks come twice at once; else one sequence has one request at a time. Races are the subject of
//! other rows. For time to pass, all that is stored is rewritten as if it had been written earlier, and
//! WeChat's clock and the browsers' go forward (`passing.rs`): the functions cannot tell that from having waited.
//!
//! Of the callbacks of a whole run, some of every kind must be there (`kinds.rs`): a duplicate after any
//! time, after a logout, of a login that DynamoDB has removed or has not; a foreign browser with a living
//! login, before its owner and after; another code for a login that is claimed, a code that was spent, a session
//! that somebody made himself.

mod callback;
mod jars;
mod kinds;
mod links;
mod passing;
mod player;
mod promises;
mod seen;
mod steps;
mod stories;
pub mod words;
mod world;

use std::{cell::RefCell, collections::BTreeMap};

use fastrand::Rng;
use harness::{Failure, Options, Result, Stack};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use crate::row::Run;
use kinds::Kind;
use player::Player;
use steps::Step;
use world::World;

/// How many sequences run at a time, each on a stack of its own.
const AT_ONCE: usize = 4;

/// How many steps may be tried again to find a shorter sequence that fails too.
const MOST_SHRINKS: u32 = 400;

/// What was played: how many steps, and how often each kind of callback came.
#[derive(Default)]
struct Played {
    steps: usize,
    kinds: BTreeMap<String, usize>,
}

/// B8: sequences of steps on the model and on the implementation.
pub async fn equal(run: &Run) -> Result<String> {
    // Every round has new stacks, so that logs and ledgers stay small. Half of them read a profile again on
    // every occasion, the others when it is ten minutes old.
    let (rounds, each) = (run.size(2, 10), run.size(30, 2_000));
    let kinds = Kind::all().iter().map(|kind| (format!("{kind:?}"), 0)).collect();
    let played = RefCell::new(Played { steps: 0, kinds });
    for round in 0..rounds {
        let lifetime = if round % 2 == 1 { 0 } else { 600 };
        let open = async || {
            let options = Options::default().with("PROFILE_LIFETIME_SECONDS", &lifetime.to_string());
            let stack = run.stack(options).await?;
            // What is over is removed by a step, and not while nobody looks.
            stack.database().keep_what_is_over().map(|()| stack)
        };
        run.share(AT_ONCE, open, round * each..(round + 1) * each, async |stack, _, sequence| {
            let random = run.random(u64::try_from(sequence)?);
            Box::pin(try_sequence(stack, random, lifetime, &played)).await
        })
        .await?;
    }
    let Played { steps, kinds } = played.into_inner();
    for (kind, times) in &kinds {
        println!("B8  {times} × {kind}");
        run.require(!run.is_full() || *times > 0, || format!("there was never a callback that is {kind}"));
    }
    let (all, rarest) = (kinds.len(), kinds.values().min().copied().unwrap_or_default());
    let met = kinds.into_values().filter(|times| *times > 0).count();
    Ok(format!(
        "{} sequences, {steps} steps, {met} of {all} kinds of callbacks, each at least {rarest} times",
        rounds * each
    ))
}

/// Plays one sequence; if it fails, an error with the shortest one found that fails too.
async fn try_sequence(
    stack: &Stack,
    mut random: Rng,
    profile_lifetime: u64,
    played: &RefCell<Played>,
) -> Result<()> {
    let seed: Vec<u8> = (0..32).map(|_| random.u8(..)).collect();
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    let mut sequence =
        steps::sequences().new_tree(&mut runner).map_err(|reason| Failure::new(reason.message()))?;
    let mut steps = sequence.current();
    let Err(mut failure) = play(stack, &steps, profile_lifetime, played).await else { return Ok(()) };
    let mut fails = true;
    for _ in 0..MOST_SHRINKS {
        if !(if fails { sequence.simplify() } else { sequence.complicate() }) {
            break;
        }
        let shorter = sequence.current();
        match play(stack, &shorter, profile_lifetime, &RefCell::default()).await {
            Ok(()) => fails = false,
            Err(found) => (fails, failure, steps) = (true, found, shorter),
        }
    }
    let steps: Vec<_> = steps.iter().map(|step| format!("  {step:?}")).collect();
    Err(Failure::new(format!("the shortest sequence found:\n{}\n{failure}", steps.join("\n"))))
}

/// Plays one sequence on both; an error at the first step after which they differ.
async fn play(stack: &Stack, steps: &[Step], profile_lifetime: u64, played: &RefCell<Played>) -> Result<()> {
    let mut world = World::new(profile_lifetime);
    let mut stage = Player::new(stack)?;
    for (number, step) in (1..).zip(steps) {
        let action = world.resolve(step);
        let what = || format!("step {number}, {step:?}, which meant {action:?}");
        let kinds = world.kinds(action);
        let predicted = world.act(action);
        let mut observed = stage.play(action).await.map_err(|failure| failure.during(what()))?;
        // Which of two copies that come at once is the first is nobody's to say.
        if predicted != observed {
            observed.reverse();
        }
        if predicted != observed {
            return Err(Failure::new(format!(
                "{}:\n  predicted {predicted:?}\n  observed  {observed:?}",
                what()
            )));
        }
        let mut played = played.borrow_mut();
        played.steps += 1;
        for kind in kinds {
            *played.kinds.entry(format!("{kind:?}")).or_default() += 1;
        }
    }
    Ok(())
}
