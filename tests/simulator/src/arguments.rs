//! The command line.

use std::path::PathBuf;

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
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Parsed, String> {
        let mut parsed = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let (name, inline) = match argument.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (argument.as_str(), None),
            };
            let mut value =
                || inline.clone().or_else(|| arguments.next()).ok_or_else(|| format!("{name} needs a value"));
            let number = |text: String| {
                text.parse().map_err(|_| format!("{name} needs a number, and {text:?} is none"))
            };
            match name {
                "--listen" => parsed.listen = Some(value()?),
                "--settings" => parsed.settings = Some(value()?.into()),
                "--allow-domain" => parsed.allowed_domains.push(value()?),
                "--seed" => parsed.seed = Some(number(value()?)?),
                "--clock" => parsed.clock = Some(number(value()?)?),
                "--tls-cert" => parsed.tls_certificate = Some(value()?.into()),
                "--tls-key" => parsed.tls_key = Some(value()?.into()),
                "--no-user-agent-check" if inline.is_none() => parsed.any_user_agent = true,
                "--print-settings" if inline.is_none() => parsed.print_settings = true,
                "--help" | "-h" => return Ok(Parsed::Help),
                _ => {
                    return Err(format!("{argument:?} is not understood; --help lists what is"));
                }
            }
        }
        if parsed.tls_certificate.is_some() != parsed.tls_key.is_some() {
            return Err("--tls-cert and --tls-key need each other".to_owned());
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
        Arguments::parse(line.split_whitespace().map(str::to_owned))
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
        assert_eq!(parse("--seed x").unwrap_err(), "--seed needs a number, and \"x\" is none");
        assert_eq!(parse("--listen").unwrap_err(), "--listen needs a value");
        assert_eq!(parse("--tls-cert a.pem").unwrap_err(), "--tls-cert and --tls-key need each other");
        assert_eq!(parse("--verbose").unwrap_err(), "\"--verbose\" is not understood; --help lists what is");
        assert!(matches!(parse("--help"), Ok(Parsed::Help)));
    }
}
