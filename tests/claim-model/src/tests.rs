//! The search itself, and every mutant. `cargo test -p claim-model -- --nocapture` prints the shortest way to
//! each broken promise.

#![expect(clippy::print_stdout, reason = "the counterexamples are for people")]

use super::*;

#[test]
fn every_mutant_breaks_what_it_is_said_to() {
    for mutant in Mutant::HARMFUL {
        for property in mutant.breaks() {
            let broken = explore(mutant.world(), Some(mutant), Some(*property)).broken;
            let broken = broken.unwrap_or_else(|| panic!("{mutant:?} keeps {property:?}"));
            assert_eq!(broken.property, *property);
            println!("{mutant:?}: {broken}");
        }
    }
}

/// A property that nothing can break says nothing.
#[test]
fn every_property_is_broken_by_a_mutant() {
    for property in Property::ALL {
        let breaks = |mutant: &Mutant| mutant.breaks().contains(&property);
        assert!(Mutant::HARMFUL.iter().any(breaks), "{property:?}");
    }
}

#[test]
fn the_protocol_keeps_every_promise_in_a_small_world() {
    let explored = explore(Bounds { callbacks: 2, faults: 1, deaths: 1, logouts: 1 }, None, None);
    assert!(explored.broken.is_none(), "{}", explored.broken.unwrap());
    // A search that ends early finds nothing either.
    assert!(explored.states > 50_000, "{}", explored.states);
}

#[test]
fn without_callbacks_little_happens() {
    let nothing = Bounds { callbacks: 0, faults: 9, deaths: 9, logouts: 9 };
    // Two beginnings, before and after the end of the logins.
    assert_eq!(explore(nothing, None, None).states, 4);
}

#[test]
fn a_counterexample_is_told_step_by_step() {
    let mutant = Mutant::MarkClaimsLogin;
    let broken = explore(mutant.world(), Some(mutant), Some(Property::AnUntouchedLoginGetsIn)).broken;
    assert_eq!(
        broken.map(|broken| broken.to_string()).unwrap_or_default(),
        "AnUntouchedLoginGetsIn is broken:\n  \
         1. callback 0 arrives with login 0 and code 0 from the stranger's browser\n  \
         2. DynamoDB decides on the claim of callback 0 and answers\n  \
         3. DynamoDB decides on the mark of callback 0 and answers"
    );
}
