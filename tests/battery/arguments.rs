//! What the battery can be told on its command line.

use harness::Result;
use lexopt::{
    Arg::{Long, Short},
    Parser, ValueExt,
};

/// What `--help` prints.
pub const HELP: &str = "\
Every promise of the README under races, kills, faults, floods and hostile input.

Usage: battery [OPTIONS]

Options:
      --full          At full size; without it, a sample of each row
      --row <ROW>     Only this row, such as B6; may stand several times
      --seed <SEED>   The seed of everything random [default: another one each time]
      --minutes <MINUTES>
                      How long row S1 lasts; it then draws its picture and writes what it saw into the documentation
  -h, --help          Print this help";

/// A command line, by the names of its options.
#[derive(Default)]
pub struct Arguments {
    pub is_full: bool,
    /// None means all.
    pub rows: Vec<String>,
    pub seed: Option<u64>,
    pub minutes: Option<u32>,
    pub help: bool,
}

impl Arguments {
    /// Reads a command line without its program.
    pub fn read(arguments: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut read = Self::default();
        let mut parser = Parser::from_args(arguments);
        while let Some(argument) = parser.next()? {
            match argument {
                Long("full") => read.is_full = true,
                Long("row") => read.rows.push(parser.value()?.string()?.to_uppercase()),
                Long("minutes") => read.minutes = Some(parser.value()?.parse()?),
                Long("seed") => read.seed = Some(parser.value()?.parse()?),
                Long("help") | Short('h') => read.help = true,
                _ => return Err(argument.unexpected().into()),
            }
        }
        Ok(read)
    }

    /// Whether a row is to run.
    pub fn chooses(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|chosen| chosen == row)
    }
}
