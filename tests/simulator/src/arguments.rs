//! The command line.

use std::path::PathBuf;

use lexopt::{
    Arg::{Long, Short},
    Parser, ValueExt,
};
use simulator::Settings;

/// What `--help` says.
pub(crate) const HELP: &str = "\
WeChat's side of a web login, offline.

Usage: simulator [OPTION]...

  --listen ADDRESS       where to listen (127.0.0.1:9001)
  --settings FILE        apps, people and third-party platforms, as JSON; --print-settings shows how
  --allow-domain HOST    registers another callback domain with every app: host, localhost:port, host/path
  --no-user-agent-check  lets any browser open the authorize page, not only WeChat's
  --seed NUMBER          what codes, tokens and openids are derived from (1)
  --clock SECONDS        the Unix time at which the clock stands still
  --tls-cert FILE        HTTPS with this certificate chain, PEM
  --tls-key FILE         and this key, PEM
  --print-settings       prints the settings and ends
  --help                 this text

Knobs, ledger, people and apps: http://ADDRESS/_simulator/
";

/// What the command line asks for.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    pub(crate) listen: Option<String>,
    pub(crate) settings: Option<PathBuf>,
    pub(crate) allowed_domains: Vec<String>,
    pub(crate) any_user_agent: bool,
    pub(crate) seed: Option<u64>,
    pub(crate) clock: Option<u64>,
    pub(crate) tls_certificate: Option<PathBuf>,
    pub(crate) tls_key: Option<PathBuf>,
    pub(crate) print_settings: bool,
}

/// A command line that could be read.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// Serve.
    Run(Arguments),
    /// Explain.
    Help,
}

impl Arguments {
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Parsed, lexopt::Error> {
        let mut parsed = Self::default();
        let mut parser = Parser::from_args(arguments);
        while let Some(argument) = parser.next()? {
            match argument {
                Long("listen") => parsed.listen = Some(parser.value()?.string()?),
                Long("settings") => parsed.settings = Some(parser.value()?.into()),
                Long("allow-domain") => parsed.allowed_domains.push(parser.value()?.string()?),
                Long("seed") => parsed.seed = Some(parser.value()?.parse()?),
                Long("clock") => parsed.clock = Some(parser.value()?.parse()?),
                Long("tls-cert") => parsed.tls_certificate = Some(parser.value()?.into()),
                Long("tls-key") => parsed.tls_key = Some(parser.value()?.into()),
                Long("no-user-agent-check") => parsed.any_user_agent = true,
                Long("print-settings") => parsed.print_settings = true,
                Long("help") | Short('h') => return Ok(Parsed::Help),
                _ => return Err(argument.unexpected()),
            }
        }
        if parsed.tls_certificate.is_some() != parsed.tls_key.is_some() {
            return Err("--tls-cert and --tls-key need each other".into());
        }
        Ok(Parsed::Run(parsed))
    }

    /// These settings with what the command line says about them.
    pub(crate) fn applied_to(&self, mut settings: Settings) -> Settings {
        settings.seed = self.seed.unwrap_or(settings.seed);
        for app in &mut settings.apps {
            app.callback_domains.extend_from_slice(&self.allowed_domains);
        }
        settings
    }
}

#[cfg(test)]
mod tests {
    use simulator::Settings;

    use super::{Arguments, Parsed};

    fn parse(line: &str) -> Result<Parsed, String> {
        Arguments::parse(line.split_whitespace().map(str::to_owned)).map_err(|error| error.to_string())
    }

    #[test]
    fn reads_every_option() {
        let line = "--listen 127.0.0.1:0 --seed=7 --allow-domain a.example --no-user-agent-check \
                    --settings=apps.json --clock 1700000000 --tls-cert a.pem --tls-key b.pem --print-settings";
        let Ok(Parsed::Run(arguments)) = parse(line) else { panic!("{line}") };
        assert_eq!(arguments.listen.as_deref(), Some("127.0.0.1:0"));
        assert_eq!(arguments.settings.as_deref(), Some("apps.json".as_ref()));
        assert_eq!(arguments.clock, Some(1_700_000_000));
        assert!(arguments.tls_certificate.is_some() && arguments.tls_key.is_some());
        assert!(arguments.any_user_agent && arguments.print_settings);
        let settings = arguments.applied_to(Settings::example());
        assert_eq!(settings.seed, 7);
        let mut apps = settings.apps.iter();
        assert!(apps.all(|app| app.callback_domains.contains(&"a.example".to_owned())));
    }

    #[test]
    fn says_what_is_wrong() {
        for (line, words) in [
            ("--seed x", "\"x\""),
            ("--listen", "--listen"),
            ("--tls-cert a.pem", "--tls-cert and --tls-key need each other"),
            ("--verbose", "--verbose"),
            ("--print-settings=yes", "--print-settings"),
            ("apps.json", "apps.json"),
        ] {
            let message = parse(line).unwrap_err();
            assert!(message.contains(words), "{line}: {message}");
        }
        assert!(matches!(parse("--help"), Ok(Parsed::Help)));
    }
}
