//! The search: every state, breadth first, so that what is found first is shortest.

use std::{
    collections::HashSet,
    fmt::{self, Display, Formatter},
    hash::{BuildHasherDefault, Hasher},
};

use crate::{
    Mutant, Property,
    protocol::Protocol,
    state::{CALLBACKS, STRANGER, State, VISITOR},
    step::{Price, Step},
};

/// How much may happen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bounds {
    /// How many callbacks arrive, at most 3.
    pub callbacks: u8,
    /// How many faults there are: lost and late answers, repetitions, requests that are given up, tokens
    /// that are forgotten, and WeChat's refusals and silences.
    pub faults: u8,
    /// How many callbacks die.
    pub deaths: u8,
    /// How many times a browser logs out.
    pub logouts: u8,
}

/// A shortest way to a broken promise.
#[derive(Clone, Debug)]
pub struct Counterexample {
    /// The promise.
    pub property: Property,
    /// What happened, in order.
    steps: Vec<Step>,
}

/// What a search came to.
#[derive(Clone, Debug)]
pub struct Explored {
    /// How many states were seen.
    pub states: usize,
    /// How many steps were taken between them.
    pub steps: usize,
    /// The first broken promise, if there was one; the search ends with it.
    pub broken: Option<Counterexample>,
}

/// A state that was reached: by which step, from which other.
struct Reached {
    from: usize,
    by: Option<Step>,
}

/// Looks at every state of the protocol within the bounds, whole or broken by a mutant, and at every
/// property, or at one alone.
#[must_use]
pub fn explore(bounds: Bounds, mutant: Option<Mutant>, alone: Option<Property>) -> Explored {
    let protocol = Protocol { mutant, callbacks: CALLBACKS.min(bounds.callbacks.into()) };
    let properties: Vec<_> =
        Property::ALL.into_iter().filter(|property| alone.is_none_or(|alone| alone == *property)).collect();
    let mut search = Search { protocol, properties, reached: Vec::new(), seen: HashSet::default(), steps: 0 };
    let starts = [VISITOR, STRANGER];
    let mut frontier: Vec<_> = starts
        .into_iter()
        .map(|owner| State::start(owner, bounds.faults, bounds.deaths, bounds.logouts))
        .map(|state| {
            search.seen.insert(state);
            (search.reach(0, None), state)
        })
        .collect();
    let mut broken = None;
    while broken.is_none() && !frontier.is_empty() {
        let mut next = Vec::new();
        for (number, state) in frontier {
            if let Err(found) = search.expand(number, &state, &mut next) {
                broken = Some(found);
                break;
            }
        }
        frontier = next;
    }
    Explored { states: search.reached.len(), steps: search.steps, broken }
}

struct Search {
    protocol: Protocol,
    properties: Vec<Property>,
    reached: Vec<Reached>,
    seen: HashSet<State, BuildHasherDefault<Mixer>>,
    steps: usize,
}

impl Search {
    fn reach(&mut self, from: usize, by: Option<Step>) -> usize {
        self.reached.push(Reached { from, by });
        self.reached.len() - 1
    }

    fn expand(
        &mut self,
        number: usize,
        state: &State,
        next: &mut Vec<(usize, State)>,
    ) -> Result<(), Counterexample> {
        let mut steps = Vec::new();
        self.protocol.steps(state, |step, price| steps.push((step, price)));
        self.judge_standstill(number, state, steps.iter().any(|(_, price)| *price == Price::Calm))?;
        for (step, price) in steps {
            let Some(paid) = pay(*state, price) else { continue };
            let after = self.protocol.after(&paid, step);
            self.steps += 1;
            let broken = self.properties.iter().find(|property| !property.is_kept_by(state, step, &after));
            if let Some(property) = broken {
                return Err(self.counterexample(*property, number, Some(step)));
            }
            if self.seen.insert(after) {
                next.push((self.reach(number, Some(step)), after));
            }
        }
        Ok(())
    }

    /// The properties of a state that is left to itself.
    fn judge_standstill(&self, number: usize, state: &State, goes_on: bool) -> Result<(), Counterexample> {
        for property in &self.properties {
            let is_kept = match property {
                Property::EveryCallbackEnds => goes_on || state.is_settled(),
                Property::AFreshLoginGetsIn => {
                    // It takes a place that the browser's cookie does not name.
                    let place = u8::from(state.cookies[usize::from(VISITOR)] == Some(0));
                    !state.is_settled() || self.protocol.gets_in(state, place, true)
                }
                Property::AnUntouchedLoginGetsIn => {
                    let mut logins = (0..).zip(&state.history.owner_came);
                    !state.is_settled()
                        || state.is_late
                        || logins.all(|(login, came)| *came || self.protocol.gets_in(state, login, false))
                }
                _ => true,
            };
            if !is_kept {
                return Err(self.counterexample(*property, number, None));
            }
        }
        Ok(())
    }

    fn counterexample(&self, property: Property, mut number: usize, last: Option<Step>) -> Counterexample {
        let mut steps: Vec<_> = last.into_iter().collect();
        while let Reached { from, by: Some(step) } = self.reached[number] {
            steps.push(step);
            number = from;
        }
        steps.reverse();
        Counterexample { property, steps }
    }
}

/// A quick hash. States are compared whole; that two of them share a hash costs time and nothing else.
#[derive(Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u8(*byte);
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(byte.into());
    }

    fn write_usize(&mut self, _length: usize) {
        // What precedes an array: always the same.
    }

    fn write_isize(&mut self, variant: isize) {
        self.write_u64(variant.cast_unsigned() as u64);
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }
}

/// The state with one less of what a step costs; `None` if there is no more of it.
fn pay(mut state: State, price: Price) -> Option<State> {
    let left = match price {
        Price::Calm | Price::Free => return Some(state),
        Price::Fault => &mut state.faults,
        Price::Death => &mut state.deaths,
        Price::Logout => &mut state.logouts,
    };
    *left = left.checked_sub(1)?;
    Some(state)
}

impl Display for Counterexample {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} is broken:", self.property)?;
        self.steps.iter().zip(1..).try_for_each(|(step, number)| write!(formatter, "\n  {number}. {step}"))
    }
}
