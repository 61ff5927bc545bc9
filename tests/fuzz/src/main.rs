//! Runs a target without a fuzzer: every seed, then as many changed ones as asked for.
//!
//! Usage: `fuzz <TARGET> <RUNS> <SEED>`. The same seed tries the same inputs. Standard output is the
//! functions' own log; what is to be told goes to standard error, in the end how many inputs were tried,
//! as libFuzzer says it. The exit code is 1 for a broken promise, whose input is printed.

#![expect(clippy::print_stderr, reason = "the person or the battery that started it reads it there")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use fastrand::Rng;
use fuzz::{TARGETS, Target};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((target, runs, seed)) = read(&arguments) else {
        let names = TARGETS.map(|target| target.name).join(", ");
        eprintln!("Usage: fuzz <TARGET> <RUNS> <SEED>; the targets are {names}");
        return ExitCode::from(2);
    };
    let seeds = match target.seeds() {
        Ok(seeds) if !seeds.is_empty() => seeds,
        Ok(_) => {
            eprintln!("{} has no seeds", target.name);
            return ExitCode::from(2);
        }
        Err(error) => {
            eprintln!("the seeds of {}: {error}", target.name);
            return ExitCode::from(2);
        }
    };
    let mut random = Rng::with_seed(seed);
    let mut inputs = seeds.iter().cloned().collect::<std::collections::VecDeque<_>>();
    for _ in 0..runs {
        let input = inputs.pop_front().unwrap_or_else(|| {
            let one = random.choice(&seeds).map(Vec::as_slice).unwrap_or_default();
            target.mutate(one, &seeds, &mut random)
        });
        if catch_unwind(AssertUnwindSafe(|| (target.run)(&input))).is_err() {
            eprintln!("{} breaks a promise for \"{}\"", target.name, input.escape_ascii());
            return ExitCode::FAILURE;
        }
    }
    eprintln!("stat::number_of_executed_units: {runs}");
    ExitCode::SUCCESS
}

fn read(arguments: &[String]) -> Option<(Target, usize, u64)> {
    let [target, runs, seed] = arguments else { return None };
    Some((Target::named(target)?, runs.parse().ok()?, seed.parse().ok()?))
}
