//! What speed, size and memory the binaries have that are deployed.
//!
//! `make bench` builds them and runs this: it prints a table for each question, ratios first, and with `--write` puts
//! them into the page of the documentation where they stand. Nothing fails by a time: a busy machine is no defect. What
//! fails is a count: a login, cold or warm, that makes more round trips than its calls do, puts more bytes on the wire,
//! or takes more of its floor's instructions than it did. The calls are counted in `tests/it/calls`.

#![expect(clippy::print_stdout, reason = "the tables are the purpose")]
#![expect(clippy::disallowed_methods, reason = "what is measured is real time, in environments of its own")]

mod cold;
mod figures;
mod instructions;
mod line;
mod login;
mod machine;
mod page;
mod peers;
mod process;
mod scale;
mod share;
mod start;
mod tokens;
mod world;

use std::env;

use harness::{Failure, Result};
use lexopt::prelude::{Long, Value, ValueExt as _};
use world::World;

/// How often each binary is started; an argument replaces it. Of fewer than 100 there is no 99th percentile.
const RUNS: usize = 100;
/// In how many rounds the answers of warm processes are counted, at most.
const ROUNDS: usize = 20;

const HELP: &str = "\
Usage: make bench ARGS=\"[RUNS] [--only PART]… [--write]\"

  RUNS         how often each binary is started, 100 otherwise
  --only PART  start, login, instructions, peers, tokens, cold or scale
  --debug      take what the tests built: the same round trips and bytes, and figures of nothing that is deployed
  --write      put the tables into docs/development/speed.md";

/// The parts, by the names of their tables in the page.
const PARTS: [&str; 7] = ["start", "login", "instructions", "peers", "tokens", "cold", "scale"];

struct Arguments {
    runs: usize,
    only: Vec<String>,
    is_release: bool,
    is_to_write: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let Some(arguments) = arguments()? else {
        println!("{HELP}");
        return Ok(());
    };
    let world = World::open(arguments.is_release).await?;
    let machine = machine::description();
    println!("{machine}");
    let mut complaints = Vec::new();
    for part in PARTS {
        let is_asked = arguments.only.is_empty() || arguments.only.iter().any(|only| only == part);
        if !is_asked || part == "instructions" && !arguments.is_release {
            continue;
        }
        let text = match part {
            "start" => start::measure(&world, arguments.runs).await?,
            "login" => {
                let (text, over) = login::measure(&world, arguments.runs).await?;
                complaints.extend(over);
                text
            }
            "instructions" => {
                let Some((text, over)) = instructions::measure(&world).await? else {
                    if arguments.only.iter().any(|only| only == part) {
                        return Err(Failure::new(
                            "instructions are counted by valgrind, which is not on PATH",
                        ));
                    }
                    println!(
                        "Instructions: not measured, for valgrind is not on PATH; its table stays as it is.\n"
                    );
                    continue;
                };
                complaints.extend(over);
                text
            }
            "peers" => peers::measure(&world, arguments.runs).await?,
            "tokens" => tokens::measure(&world, arguments.runs.min(ROUNDS)).await?,
            "scale" => {
                let (text, differences) = scale::measure(&world, arguments.runs).await?;
                complaints.extend(differences);
                text
            }
            _ => cold::measure(&world, arguments.runs).await?,
        };
        let remark =
            if arguments.is_release { "" } else { "Not built for release: only counts mean anything.\n\n" };
        let text = format!("{machine}\n{remark}{text}");
        println!("{text}");
        if arguments.is_to_write {
            page::write(part, &text)?;
        }
    }
    if complaints.is_empty() { Ok(()) } else { Err(Failure::new(complaints.join("; "))) }
}

fn arguments() -> Result<Option<Arguments>> {
    let mut parser = lexopt::Parser::from_args(env::args_os().skip(1));
    let mut arguments = Arguments { runs: RUNS, only: Vec::new(), is_release: true, is_to_write: false };
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") => return Ok(None),
            // What Cargo says itself.
            Long("bench") => {}
            Long("only") => {
                let part = parser.value()?.string()?;
                if !PARTS.contains(&part.as_str()) {
                    return Err(Failure::new(format!("{part} is none of {}", PARTS.join(", "))));
                }
                arguments.only.push(part);
            }
            Long("debug") => arguments.is_release = false,
            Long("write") => arguments.is_to_write = true,
            Value(runs) => arguments.runs = runs.parse::<usize>()?.max(1),
            other => return Err(other.unexpected().into()),
        }
    }
    if arguments.is_to_write && !arguments.is_release {
        return Err(Failure::new("what is written is of what is deployed: --write or --debug"));
    }
    Ok(Some(arguments))
}
