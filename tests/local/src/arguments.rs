//! What `local` can be told on its command line.

use std::{num::NonZeroU16, path::PathBuf};

use harness::{Failure, Result};
use lexopt::{
    Arg::{Long, Short},
    Parser, ValueExt,
};

/// What `--help` prints.
pub const HELP: &str = "\
在本机运行整个登录：`cargo lambda watch` 运行各个函数，另有微信模拟器，以及保存在文件里的内置 DynamoDB。
The whole login on this machine: the functions under `cargo lambda watch`, a simulated WeChat,
and an embedded DynamoDB that is kept in a file.

用法 · Usage: make run ARGS=\"[OPTIONS]\"

选项 · Options:
      --port <PORT>             登录服务的端口 [9000]
                                Where the login listens
      --simulator-port <PORT>   微信模拟器的端口 [9001]
                                Where the simulated WeChat listens
      --database-port <PORT>    内置 DynamoDB 的端口 [9002]
                                Where the embedded DynamoDB listens
      --allow-origin <ORIGIN>   可以使用登录的网页的源，例如 http://localhost:9300；可重复
                                A page that may use the login, such as http://localhost:9300; may be repeated
      --public-url <URL>        浏览器访问本机的网址，例如 https://example.trycloudflare.com
                                Where browsers reach this machine
      --official-account <AppID>
      --website-app <AppID>     你自己的应用，改用真实的微信；需要 --secrets
                                Your own apps, with the real WeChat in place of the simulated one; needs --secrets
      --secrets <FILE>          保存 AppSecret 的 JSON 文件，例如 {\"wx0123456789abcdef\":\"…\"}
                                The app secrets, a JSON object
      --set <NAME=VALUE>        函数的一个设置，例如 SITE_NAME=青禾书店；可重复
                                A setting of the functions, such as SITE_NAME=Example; may be repeated
      --cargo-lambda <PATH>     cargo-lambda 程序 [PATH 中的那个]
                                The program cargo-lambda [the one on PATH]
      --verbose                 显示完整日志，而不只是每次登录的结果和错误
                                Show the whole log, and not only how each login ended and errors
      --check                   用 `cargo lambda invoke` 发送 events/ 里的每个文件，然后停止；
                                不指定端口时用空闲端口，数据库为空
                                Send every file of events/ through `cargo lambda invoke`, then stop;
                                on free ports and with an empty database unless told otherwise
  -h, --help                    显示本说明 · Print this help";

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
    pub(crate) verbose: bool,
    pub(crate) check: bool,
    pub(crate) help: bool,
}

impl Arguments {
    /// Reads a command line without its program.
    pub fn read(arguments: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut read = Self::default();
        let mut parser = Parser::from_args(arguments);
        let value = |parser: &mut Parser| parser.value().map_err(|error| told(&error));
        let text = |parser: &mut Parser| value(parser)?.string().map_err(|error| told(&error));
        let port = |parser: &mut Parser| {
            value(parser)?.parse::<NonZeroU16>().map(NonZeroU16::get).map_err(|error| told(&error))
        };
        while let Some(argument) = parser.next().map_err(|error| told(&error))? {
            match argument {
                Long("port") => read.port = Some(port(&mut parser)?),
                Long("simulator-port") => read.simulator_port = Some(port(&mut parser)?),
                Long("database-port") => read.database_port = Some(port(&mut parser)?),
                Long("allow-origin") => read.allow_origins.push(text(&mut parser)?),
                Long("public-url") => read.public_url = Some(text(&mut parser)?),
                Long("official-account") => read.official_account = Some(text(&mut parser)?),
                Long("website-app") => read.website_app = Some(text(&mut parser)?),
                Long("secrets") => read.secrets = Some(value(&mut parser)?.into()),
                Long("set") => read.set.push(setting(&text(&mut parser)?)?),
                Long("cargo-lambda") => read.cargo_lambda = Some(value(&mut parser)?.into()),
                Long("verbose") => read.verbose = true,
                Long("check") => read.check = true,
                Long("help") | Short('h') => read.help = true,
                _ => return Err(told(&argument.unexpected())),
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
    let wrong = || format!("--set 的格式是 NAME=VALUE，不是 {text}。\n--set takes NAME=VALUE, not {text}");
    pair.ok_or_else(|| Failure::new(wrong()))
}

/// What is wrong with a command line, in both languages.
fn told(error: &lexopt::Error) -> Failure {
    use lexopt::Error;
    let chinese = match error {
        Error::MissingValue { option: Some(option) } => format!("{option} 后面缺少值"),
        Error::UnexpectedOption(option) => format!("没有 {option} 这个选项"),
        Error::UnexpectedArgument(argument) => format!("多余的参数 {}", argument.to_string_lossy()),
        Error::UnexpectedValue { option, .. } => format!("{option} 后面不能有值"),
        Error::ParsingFailed { value, .. } => format!("{value} 不是有效的值"),
        Error::MissingValue { option: None } | Error::NonUnicodeValue(_) | Error::Custom(_) => {
            "命令行有误".to_owned()
        }
    };
    Failure::new(format!(
        "{chinese}；make run ARGS=\"--help\" 显示全部选项。\n{error}; make run ARGS=\"--help\" shows the options"
    ))
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
            verbose: true,
            check: true,
            ..Arguments::default()
        };
        let line = "--port 9100 --simulator-port=9101 --verbose --check --allow-origin http://localhost:9300 \
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
            // The Chinese sentence comes first.
            let is_han = |letter: char| ('\u{4e00}'..='\u{9fff}').contains(&letter);
            let lines: Vec<_> = failure.lines().map(|line| line.contains(is_han)).collect();
            assert_eq!(lines, [true, false], "{failure}");
        }
    }

    /// Whoever reads only one of the two languages learns what each option is.
    #[test]
    fn the_help_is_in_both_languages() {
        let is_han = |letter: char| ('\u{4e00}'..='\u{9fff}').contains(&letter);
        let options = HELP.split("\n      --").skip(1);
        // Two that share their words.
        for option in options.filter(|option| !option.starts_with("official-account")) {
            let lines: Vec<_> = option.lines().map(|line| line.contains(is_han)).collect();
            assert!(lines.first() == Some(&true) && lines.contains(&false), "{option}");
        }
    }
}
