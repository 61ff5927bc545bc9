//! The claim as a model, every state of it. What is modelled, and what is not, is told in the crate `claim-model`.

use claim_model::{Bounds, Mutant, explore};
use harness::Result;

use crate::row::Run;

/// The worlds that are looked at, whole; the last of them only at full size.
const WORLDS: [Bounds; 4] = [
    Bounds { callbacks: 2, faults: 2, deaths: 1, logouts: 1 },
    Bounds { callbacks: 3, faults: 0, deaths: 1, logouts: 1 },
    Bounds { callbacks: 2, faults: 4, deaths: 2, logouts: 2 },
    Bounds { callbacks: 3, faults: 1, deaths: 1, logouts: 1 },
];

/// M1: no state breaks a promise, and every mutant does.
pub async fn every_state(run: &Run) -> Result<String> {
    let (mut states, mut steps) = (0, 0);
    let worlds = run.size(2, WORLDS.len());
    for (bounds, done) in WORLDS.into_iter().take(worlds).zip(1..) {
        let explored = tokio::task::spawn_blocking(move || explore(bounds, None, None)).await?;
        if let Some(broken) = explored.broken {
            run.violated(format!("{bounds:?}: {broken}"));
        }
        states += explored.states;
        steps += explored.steps;
        run.progress(done, worlds);
    }
    let mut caught = 0;
    for mutant in Mutant::HARMFUL {
        let mut is_caught = true;
        for property in mutant.breaks() {
            let search = move || explore(mutant.world(), Some(mutant), Some(*property));
            let broken = tokio::task::spawn_blocking(search).await?.broken;
            run.require(broken.is_some(), || format!("{mutant:?} keeps {property:?}"));
            is_caught &= broken.is_some();
        }
        caught += usize::from(is_caught);
    }
    for mutant in Mutant::HARMLESS {
        let world = mutant.world();
        let bounds = if worlds == WORLDS.len() { world } else { Bounds { faults: 1, ..world } };
        let broken = tokio::task::spawn_blocking(move || explore(bounds, Some(mutant), None)).await?.broken;
        if let Some(broken) = broken {
            run.violated(format!("{mutant:?}, a second line: {broken}"));
        }
    }
    Ok(format!("{states} states, {steps} steps, {caught} of {} mutants", Mutant::HARMFUL.len()))
}
