//! What the battery can be told on its command line.

use ::tests::{Failure, Result};

/// What `--help` prints.
pub const HELP: &str = "\
Every promise of the README under races, kills, faults, floods and hostile input.

Usage: battery [OPTIONS]

Options:
      --full          At full size; without it, a sample of each row
      --row <ROW>     Only this row, such as B6; may stand several times
      --seed <SEED>   The seed of everything random [default: another one each time]
  -h, --help          Print this help";

/// A command line.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Arguments {
    /// `--full`.
    pub is_full: bool,
    /// `--row`; none means all.
    pub rows: Vec<String>,
    /// `--seed`.
    pub seed: Option<u64>,
    /// `--help`.
    pub help: bool,
}

impl Arguments {
    /// Reads a command line without its program.
    pub fn read(arguments: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut read = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let (name, attached) = match argument.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (argument.as_str(), None),
            };
            let mut value = || {
                let value = attached.clone().or_else(|| arguments.next());
                value.ok_or_else(|| Failure::new(format!("{name} needs a value; see --help")))
            };
            match name {
                "--full" => read.is_full = true,
                "--row" => read.rows.push(value()?.to_uppercase()),
                "--seed" => {
                    let value = value()?;
                    let seed = value.parse().map_err(|_| Failure::new(format!("{value} is no seed")))?;
                    read.seed = Some(seed);
                }
                "--help" | "-h" => read.help = true,
                _ => return Err(Failure::new(format!("there is no option {argument}; see --help"))),
            }
        }
        Ok(read)
    }

    /// Whether a row is to run.
    pub fn chooses(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|chosen| chosen == row)
    }
}
