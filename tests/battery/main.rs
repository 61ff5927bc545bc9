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
mod duplicates;
mod row;

use std::process::ExitCode;

use arguments::Arguments;
use row::{Row, Run};

/// Every row, in the order in which they run.
const ROWS: &[Row] = &[Row {
    name: "B1",
    about: "duplicates at once, each in a process of its own",
    run: |run| Box::pin(duplicates::at_once(run)),
}];

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
    let chosen: Vec<_> = ROWS.iter().filter(|row| arguments.chooses(row.name)).collect();
    if chosen.is_empty() {
        eprintln!(
            "There is no such row; there are {}.",
            ROWS.iter().map(|row| row.name).collect::<Vec<_>>().join(", ")
        );
        return ExitCode::from(2);
    }
    let mut table = Vec::new();
    for row in chosen {
        let run = Run::new(row.name, arguments.is_full, seed);
        println!("{}  {}; seed {seed}", row.name, row.about);
        table.push(run.to_the_end(row).await);
    }
    row::print(&table, seed);
    if table.iter().all(row::Finished::is_clean) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
