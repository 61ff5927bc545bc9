//! What the rehearsal can be told on its command line.

use std::{ffi::OsString, path::PathBuf};

use harness::{Failure, Result};
use lexopt::{
    Arg::{Long, Short, Value},
    Parser,
};

/// What `--help` prints.
pub const HELP: &str = "\
A deployment, rehearsed on an emulated AWS: checks of the transformed template, the real `sam deploy`,
logins by the domain, an update, another region, what goes wrong, and a look at all that was logged.

Usage: rehearsal [OPTIONS]
       rehearsal [OPTIONS] -- COMMAND [ARGUMENTS]

With a command it only starts an emulated AWS, and runs the command with AWS_ENDPOINT_URL and credentials that may do
anything; its status is the command's.

Options:
      --build <DIRECTORY>   What `sam build` left [default: .aws-sam/build]
      --sam <PATH>          The program sam [default: .venv-lint/bin/sam]
      --checks              Only the checks of the transformed template
      --without-iam         For a command: calls are neither authenticated nor refused
  -h, --help                Print this help";

/// A command line.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Arguments {
    pub build: Option<PathBuf>,
    pub sam: Option<PathBuf>,
    pub checks: bool,
    pub without_iam: bool,
    pub command: Vec<OsString>,
    pub help: bool,
}

impl Arguments {
    /// Reads a command line without its program.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self> {
        let mut read = Self::default();
        let mut parser = Parser::from_args(arguments);
        while let Some(argument) = parser.next()? {
            match argument {
                Long("build") => read.build = Some(parser.value()?.into()),
                Long("sam") => read.sam = Some(parser.value()?.into()),
                Long("checks") => read.checks = true,
                Long("without-iam") => read.without_iam = true,
                Long("help") | Short('h') => read.help = true,
                Value(program) => {
                    read.command.push(program);
                    read.command.extend(parser.raw_args()?);
                }
                _ => {
                    let failure = Failure::from(argument.unexpected());
                    return Err(Failure::new(format!("{failure}; ARGS=\"--help\" shows the options")));
                }
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Result<Arguments> {
        Arguments::read(arguments.iter().map(OsString::from))
    }

    #[test]
    fn reads_a_command_line() {
        assert_eq!(read(&[]).unwrap(), Arguments::default());
        let expected = Arguments { build: Some("x".into()), checks: true, ..Arguments::default() };
        assert_eq!(read(&["--build", "x", "--checks"]).unwrap(), expected);
        let command = ["make", "deploy", "--help"].map(OsString::from).into();
        let expected = Arguments { without_iam: true, command, ..Arguments::default() };
        assert_eq!(read(&["--without-iam", "--", "make", "deploy", "--help"]).unwrap(), expected);
        assert!(read(&["--unknown"]).is_err());
    }
}
