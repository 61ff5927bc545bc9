//! What `local` can be told on its command line.

use std::{num::NonZeroU16, path::PathBuf};

use harness::{Failure, Result};
use lexopt::{
    Arg::{Long, Short},
    Parser, ValueExt,
};

/// What `--help` prints.
pub const HELP: &str = "\
The whole login on this machine: the functions under `cargo lambda watch`, a simulated WeChat,
and an embedded DynamoDB that is kept in a file.

Usage: local [OPTIONS]

Options:
      --port <PORT>             Where the login listens [default: 9000]
      --simulator-port <PORT>   Where the simulated WeChat listens [default: 9001]
      --database-port <PORT>    Where the embedded DynamoDB listens [default: 9002]
      --allow-origin <ORIGIN>   A page that may use the login, such as http://localhost:9300; may be repeated
      --public-url <URL>        Where browsers reach this machine, such as https://example.trycloudflare.com
      --official-account <AppID>
      --website-app <AppID>     Your own apps, with the real WeChat in place of the simulated one; needs --secrets
      --secrets <FILE>          The app secrets, a JSON object such as {\"wx0123456789abcdef\":\"…\"}
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
    pub(crate) public_url: Option<String>,
    pub(crate) official_account: Option<String>,
    pub(crate) website_app: Option<String>,
    pub(crate) secrets: Option<PathBuf>,
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
                Long("public-url") => read.public_url = Some(parser.value()?.string()?),
                Long("official-account") => read.official_account = Some(parser.value()?.string()?),
                Long("website-app") => read.website_app = Some(parser.value()?.string()?),
                Long("secrets") => read.secrets = Some(parser.value()?.into()),
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
        read.check_reality()?;
        Ok(read)
    }

    /// Whether the real WeChat is asked, and not the simulated one.
    pub(crate) const fn is_real(&self) -> bool {
        self.official_account.is_some() || self.website_app.is_some()
    }

    /// The real WeChat needs an app and its secret; the simulated one needs none. Without an address the browser has to
    /// be on this machine, as WeChat's developer tools are.
    fn check_reality(&self) -> Result<()> {
        let is_partial = self.public_url.is_some() || self.secrets.is_some();
        if self.is_real() && self.secrets.is_none() {
            return Err(Failure::new(
                "使用真实的微信还需要 --secrets 文件。\nthe real WeChat needs --secrets FILE as well",
            ));
        }
        if is_partial && !self.is_real() {
            return Err(Failure::new(
                "--public-url 和 --secrets 只用于真实的微信：请加上 --official-account 或 --website-app。\n\
                 --public-url and --secrets are for the real WeChat: add --official-account or --website-app",
            ));
        }
        if self.is_real() && self.check {
            return Err(Failure::new("--check 只用于模拟的微信。\n--check is for the simulated WeChat"));
        }
        Ok(())
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
            (&["--official-account", "wx0123456789abcdef"], "--secrets"),
            (&["--public-url", "https://example.com"], "--official-account"),
            (&["--secrets", "secrets.json"], "--website-app"),
            (&["--website-app", "wx0123456789abcdef", "--secrets", "secrets.json", "--check"], "--check"),
            (&["extra"], "extra"),
        ] {
            let failure = read(line).unwrap_err().to_string();
            assert!(failure.contains(word), "{failure}");
        }
    }
}
