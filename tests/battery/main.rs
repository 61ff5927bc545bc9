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

#[path = "../it/aged.rs"]
mod aged;
mod arguments;
mod canaries;
mod claim;
mod crossings;
mod duplicates;
mod faults;
mod flood;
mod fuzz;
mod handoff;
mod kills;
#[path = "../bench/machine.rs"]
mod machine;
mod model;
mod oracle;
#[path = "../bench/page.rs"]
mod page;
mod provider;
mod row;
mod soak;
mod wechat;

use std::{process::ExitCode, rc::Rc};

use arguments::Arguments;
use canaries::Scans;
use harness::Result;
use row::{Row, Run};

/// Every row, in the order in which they run.
const ROWS: [Row; 19] = [
    ("B1", "duplicates at once, each in a process of its own"),
    ("B4", "codes and states that cross, in one browser and in two, in every order"),
    ("B5", "kill -9 at every await point, once and twice, then the visitor tries again"),
    ("B6", "each fault of DynamoDB at each call"),
    ("B7", "whatever WeChat may say, at every endpoint and in every scope"),
    (
        "B8",
        "sequences of steps, duplicates and foreign browsers among them, a model against the implementation",
    ),
    ("F1", "hostile input: return_to, cookies, events, WeChat's bodies, queries"),
    (
        "H1",
        "a phone's login of another browser: rival scans, taps and pick-ups, and a second browser that waits",
    ),
    ("H2", "each fault of DynamoDB at each call of such a login"),
    ("H3", "kill -9 at every await point of such a login, once and twice"),
    ("O1", "one code of the OpenID Provider, redeemed by many processes at once"),
    ("O2", "kill -9 at every await point of the OpenID Provider, once and twice, then the client asks again"),
    ("O3", "each fault of DynamoDB and of KMS at each call that a relying party's login makes"),
    ("O4", "a signing key that gives way to another one, under load"),
    ("O5", "duplicate callbacks of WeChat, through a relying party"),
    ("M1", "every state of the claim, as a model; and every mutant of it"),
    ("A1", "a flood of logins that nobody finishes, of forged callbacks, and of guesses"),
    ("S1", "mixed logins, floods and kills for a long time, against one set of processes"),
    // The last one, whichever others are chosen: it is about all of them.
    (canaries::ROW, "canaries in all that the rows above printed, answered and stored"),
];

/// Does what a row does.
async fn work(name: &str, run: &Run) -> Result<String> {
    match name {
        "B1" => duplicates::at_once(run).await,
        "B4" => crossings::in_every_order(run).await,
        "B5" => kills::everywhere(run).await,
        "B6" => faults::at_every_call(run).await,
        "B7" => wechat::scripts(run).await,
        "B8" => model::equal(run).await,
        "F1" => fuzz::hostile_input(run).await,
        "H1" => handoff::rivals(run).await,
        "H2" => handoff::faults(run).await,
        "H3" => handoff::deaths(run).await,
        "O1" => provider::one_code(run).await,
        "O2" => provider::kills(run).await,
        "O3" => provider::at_every_call(run).await,
        "O4" => provider::under_load(run).await,
        "O5" => provider::duplicates(run).await,
        "M1" => claim::every_state(run).await,
        "A1" => flood::of_requests(run).await,
        "S1" => soak::over_time(run).await,
        _ => canaries::everywhere(run).await,
    }
}

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
    let mut chosen: Vec<_> = ROWS.iter().filter(|(name, _)| arguments.chooses(name)).collect();
    if !chosen.is_empty() && !arguments.chooses(canaries::ROW) {
        chosen.extend(ROWS.last());
    }
    if chosen.is_empty() {
        eprintln!("There is no such row; there are {}.", ROWS.map(|(name, _)| name).join(", "));
        return ExitCode::from(2);
    }
    let scans = Rc::new(Scans::default());
    let mut table = Vec::new();
    for row in chosen {
        let (name, about) = *row;
        println!("{name}  {about}; seed {seed}");
        let run = Run::new(name, arguments.is_full, arguments.minutes, seed, &scans);
        let size = Box::pin(work(name, &run)).await;
        table.push(run.finish(about, size));
    }
    // As it may stand in a Markdown file.
    println!("\n| Row | What | Size | Violations | Seconds | Seed |\n|---|---|---|---|---|---|");
    for (line, _) in &table {
        println!("{line}");
    }
    if table.iter().all(|(_, is_clean)| *is_clean) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
