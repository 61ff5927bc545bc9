//! The search that the three smaller models share: every state that can be reached, breadth first, so that the first
//! broken promise is told by its shortest way.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    hash::Hash,
};

/// What a search came to.
#[derive(Debug)]
pub struct Explored<Promise> {
    /// How many states were seen.
    pub states: usize,
    /// The first promise that was broken, and how.
    pub broken: Option<(Promise, Vec<String>)>,
}

/// Looks at every state that `steps` lead to from `start`, and at each step for the promises that it does not keep: for
/// all of them, or for one alone.
pub(crate) fn walk<State: Copy + Eq + Hash, Promise: Copy + PartialEq>(
    start: State,
    promises: &[Promise],
    alone: Option<Promise>,
    steps: impl Fn(State) -> Vec<(String, State)>,
    is_kept: impl Fn(Promise, &State, &State) -> bool,
) -> Explored<Promise> {
    let promises: Vec<_> =
        promises.iter().filter(|promise| alone.is_none_or(|alone| alone == **promise)).collect();
    let mut reached = HashMap::from([(start, None::<(State, String)>)]);
    let mut frontier = VecDeque::from([start]);
    while let Some(state) = frontier.pop_front() {
        for (step, after) in steps(state) {
            let broken = promises.iter().find(|promise| !is_kept(***promise, &state, &after));
            if let Entry::Vacant(place) = reached.entry(after) {
                place.insert(Some((state, step.clone())));
                frontier.push_back(after);
            }
            if let Some(promise) = broken {
                let mut way = vec![step];
                let mut at = state;
                while let Some(Some((before, step))) = reached.get(&at) {
                    way.push(step.clone());
                    at = *before;
                }
                way.reverse();
                return Explored { states: reached.len(), broken: Some((**promise, way)) };
            }
        }
    }
    Explored { states: reached.len(), broken: None }
}
