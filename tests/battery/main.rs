//! The battery: every promise of the README under races, kills, faults, floods and hostile input.
//!
//! One row, one module; each runs at two sizes, a sample in `make test` and the whole in
//! `make battery`, and differs in nothing else. Whatever breaks a promise is a violation, and one is
//! enough to fail. The oracle is never the code under test: the simulator's ledger says what reached
//! WeChat, a dump of the tables what was stored, and each visitor's browser what a visitor saw.
//!
//! Everything random comes from the seed that stands in the table: `make battery ARGS="--row B6 --seed 7"`
//! runs one row again as it was.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what this program is for: a table, and the progress on the way to it"
)]

mod arguments;
mod canaries;
mod claim;
mod crossings;
mod duplicates;
mod faults;
mod flood;
mod foreigners;
mod fuzz;
mod kills;
mod model;
mod row;
mod visitors;
mod wechat;

use std::{process::ExitCode, sync::Arc};

use arguments::Arguments;
use canaries::Scans;
use row::{Row, Run};

/// Every row, in the order in which they run.
const ROWS: &[Row] = &[
    Row {
        name: "B1",
        about: "duplicates at once, each in a process of its own",
        run: |run| Box::pin(duplicates::at_once(run)),
    },
    Row {
        name: "B2",
        about: "duplicates one after another: soon, late, too late, after a logout",
        run: |run| Box::pin(duplicates::one_after_another(run)),
    },
    Row {
        name: "B3",
        about: "a foreign browser with a live state, before its owner and after",
        run: |run| Box::pin(foreigners::with_a_live_state(run)),
    },
    Row {
        name: "B4",
        about: "codes and states that cross, in one browser and in two, in every order",
        run: |run| Box::pin(crossings::in_every_order(run)),
    },
    Row {
        name: "B5",
        about: "kill -9 at every await point, once and twice, then the visitor tries again",
        run: |run| Box::pin(kills::everywhere(run)),
    },
    Row {
        name: "B6",
        about: "each fault of DynamoDB at each call",
        run: |run| Box::pin(faults::at_every_call(run)),
    },
    Row {
        name: "B7",
        about: "whatever WeChat may say, at every endpoint and in every scope",
        run: |run| Box::pin(async { Ok(wechat::scripts(run)) }),
    },
    Row {
        name: "B8",
        about: "sequences of steps, a model against the implementation",
        run: |run| Box::pin(async { Ok(model::equal(run)) }),
    },
    Row {
        name: "F1",
        about: "hostile input: return_to, cookies, events, WeChat's bodies, queries",
        run: |run| Box::pin(fuzz::hostile_input(run)),
    },
    Row {
        name: "M1",
        about: "every state of the claim, as a model; and every mutant of it",
        run: |run| Box::pin(claim::every_state(run)),
    },
    Row {
        name: "A1",
        about: "a flood of logins that nobody finishes, and of forged callbacks",
        run: |run| Box::pin(flood::of_requests(run)),
    },
    // The last one, whichever others are chosen: it is about all of them.
    Row {
        name: canaries::ROW,
        about: "canaries in all that the rows above printed, answered and stored",
        run: |run| Box::pin(canaries::everywhere(run)),
    },
];

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(failure) => {
            eprintln!("{failure}");
            return ExitCode::from(2);
        }
    };
    if arguments.help {
        println!("{}", arguments::HELP);
        return ExitCode::SUCCESS;
    }
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..u64::from(u32::MAX)));
    let mut chosen: Vec<_> = ROWS.iter().filter(|row| arguments.chooses(row.name)).collect();
    if !chosen.is_empty() && !arguments.chooses(canaries::ROW) {
        chosen.extend(ROWS.iter().find(|row| row.name == canaries::ROW));
    }
    if chosen.is_empty() {
        eprintln!(
            "There is no such row; there are {}.",
            ROWS.iter().map(|row| row.name).collect::<Vec<_>>().join(", ")
        );
        return ExitCode::from(2);
    }
    let scans = Arc::new(Scans::default());
    let mut table = Vec::new();
    for row in chosen {
        let run = Run::new(row.name, arguments.is_full, seed, &scans);
        println!("{}  {}; seed {seed}", row.name, row.about);
        table.push(run.finish(row).await);
    }
    row::print(&table, seed);
    if table.iter().all(row::Finished::is_clean) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
