//! What `local` can be told on its command line.

use std::{num::NonZeroU16, path::PathBuf};

use harness::{Failure, Result};
use lexopt::{
    Arg::{Long, Short},
    Parser, ValueExt,
};

/// What `--help` prints.
pub const HELP: &str = "\
The whole login on this machine: the five functions under `cargo lambda watch`, a simulated WeChat,
and an embedded DynamoDB that is kept in a file.

Usage: local [OPTIONS]

Options:
      --port <PORT>             Where the login listens [default: 9000]
      --simulator-port <PORT>   Where the simulated WeChat listens [default: 9001]
      --database-port <PORT>    Where the embedded DynamoDB listens [default: 9002]
      --allow-origin <ORIGIN>   A page that may use the login, such as http://localhost:9300; may be repeated
      --set <NAME=VALUE>        A setting of the functions, such as SITE_NAME=Example; may be repeated
      --cargo-lambda <PATH>     The program cargo-lambda [default: the one on PATH]
      --check                   Send every file of events/ through `cargo lambda invoke`, then stop;
                                on free ports and with an empty database unless told otherwise
  -h, --help                    Print this help";

/// A command line, by the names of its options.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Arguments {
    pub(crate) port: Option<u16>,
    pub(crate) simulator_port: Option<u16>,
    pub(crate) database_port: Option<u16>,
    pub(crate) allow_origins: Vec<String>,
    pub(crate) set: Vec<(String, String)>,
    pub(crate) cargo_lambda: Option<PathBuf>,
    pub(crate) check: bool,
    pub(crate) help: bool,
}

impl Arguments {
    /// Reads a command line without its program.
    pub fn read(arguments: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut read = Self::default();
        let mut parser = Parser::from_args(arguments);
        let port = |parser: &mut Parser| Ok::<_, lexopt::Error>(parser.value()?.parse::<NonZeroU16>()?.get());
        while let Some(argument) = parser.next()? {
            match argument {
                Long("port") => read.port = Some(port(&mut parser)?),
                Long("simulator-port") => read.simulator_port = Some(port(&mut parser)?),
                Long("database-port") => read.database_port = Some(port(&mut parser)?),
                Long("allow-origin") => read.allow_origins.push(parser.value()?.string()?),
                Long("set") => read.set.push(setting(&parser.value()?.string()?)?),
                Long("cargo-lambda") => read.cargo_lambda = Some(parser.value()?.into()),
                Long("check") => read.check = true,
                Long("help") | Short('h') => read.help = true,
                _ => {
                    let failure = Failure::from(argument.unexpected());
                    return Err(Failure::new(format!("{failure}; ARGS=\"--help\" shows the options")));
                }
            }
        }
        Ok(read)
    }
}

/// A name and a value.
fn setting(text: &str) -> Result<(String, String)> {
    let pair = text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    pair.ok_or_else(|| Failure::new(format!("--set takes NAME=VALUE, not {text}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Result<Arguments> {
        Arguments::read(arguments.iter().map(|&argument| argument.to_owned()))
    }

    #[test]
    fn reads_a_command_line() {
        assert_eq!(read(&[]).unwrap(), Arguments::default());
        let expected = Arguments {
            port: Some(9100),
            simulator_port: Some(9101),
            allow_origins: vec!["http://localhost:9300".to_owned(), "http://localhost:9400".to_owned()],
            set: vec![("SITE_NAME".to_owned(), "a=b".to_owned())],
            cargo_lambda: Some("bin/cargo-lambda".into()),
            check: true,
            ..Arguments::default()
        };
        let line = "--port 9100 --simulator-port=9101 --check --allow-origin http://localhost:9300 \
                    --allow-origin=http://localhost:9400 --set SITE_NAME=a=b --cargo-lambda bin/cargo-lambda";
        assert_eq!(read(&line.split_whitespace().collect::<Vec<_>>()).unwrap(), expected);
    }

    #[test]
    fn names_what_it_does_not_understand() {
        for (line, word) in [
            (&["--porter"][..], "--porter"),
            (&["--port"], "--port"),
            (&["--port", "0"], "0"),
            (&["--port=many"], "many"),
            (&["--set", "SITE_NAME"], "NAME=VALUE"),
            (&["extra"], "extra"),
        ] {
            let failure = read(line).unwrap_err().to_string();
            assert!(failure.contains(word), "{failure}");
        }
    }
}
