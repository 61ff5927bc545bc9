//! What a deployment sets: named values of the environment, each declared once, where it is used.
//!
//! A [`Setting`] says what its value must be and what it is for; a function reads the ones it needs through
//! [`Settings`]. Every problem is noted before anything is given up, so that a start that fails names *all*
//! that is wrong, in one message: whoever deploys mends it in one go. A value is never repeated in a
//! message, for it may be a secret.
//!
//! Which settings a function asks for is remembered too. The reference table of the documentation is written
//! from that, so it cannot say anything else than the code.

pub mod named;
pub mod words;

use std::fmt;
use std::time::Duration;

use url::Url;

/// One named value.
#[derive(Debug)]
pub struct Setting {
    /// The environment variable.
    pub name: &'static str,
    /// What a value must be: the end of "…; it must be".
    pub shape: &'static str,
    /// A value that is right, for the documentation.
    pub example: &'static str,
    /// What holds if it is not set, in English and in Chinese; empty if nothing does.
    pub default: [&'static str; 2],
    /// What it is for, in English and in Chinese.
    pub meaning: [&'static str; 2],
}

/// Declares settings, a row each: name, shape, example, and in English and in Chinese the default and the meaning.
#[macro_export]
macro_rules! declare {
    ($($name:ident, $shape:expr, $example:literal, $default:expr, [$english:literal, $chinese:literal];)*) => {
        $(
            #[doc = $english]
            pub static $name: $crate::Setting = $crate::Setting {
                name: stringify!($name),
                shape: $shape,
                example: $example,
                default: $default,
                meaning: [$english, $chinese],
            };
        )*
    };
}

/// How a setting was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// The function does not start without it.
    Required,
    /// It may be absent.
    Optional,
    /// Either this one or the other one of a pair, not both; at least one if `is_required`.
    OneOfTwo {
        /// Whether the function does not start without either.
        is_required: bool,
    },
}

/// A setting is wrong, and the problem has been noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wrong;

/// Every setting that is missing or wrong, a line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct SettingsError(Vec<String>);

impl SettingsError {
    /// A line for each.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the configuration is wrong:")?;
        self.0.iter().try_for_each(|problem| write!(formatter, "\n  {problem}"))
    }
}

/// The settings of a process, what was asked for of them, and what was found wrong.
pub struct Settings<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<String>,
    asked: Vec<(&'static Setting, Need)>,
}

impl<'a> Settings<'a> {
    /// Settings that are read through `variable`, which is the environment in production.
    #[must_use]
    pub fn new(variable: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { variable, problems: Vec::new(), asked: Vec::new() }
    }

    /// A setting that must be there.
    ///
    /// # Errors
    ///
    /// [`Wrong`] if it is missing, or if `parse` does not take it.
    pub fn required<T>(
        &mut self,
        setting: &'static Setting,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, Wrong> {
        self.asked.push((setting, Need::Required));
        match self.parsed(setting, parse)? {
            Some(value) => Ok(value),
            None => Err(self.missing(setting)),
        }
    }

    /// A setting that may be absent or empty.
    ///
    /// # Errors
    ///
    /// [`Wrong`] if it is there and `parse` does not take it.
    pub fn optional<T>(
        &mut self,
        setting: &'static Setting,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Wrong> {
        self.asked.push((setting, Need::Optional));
        self.parsed(setting, parse)
    }

    /// One of two settings that say the same in two ways; `None` if neither is there and none is required.
    ///
    /// # Errors
    ///
    /// [`Wrong`] if one of them is wrong, if both are there, or if a required one is missing.
    pub fn one_of_two<T>(
        &mut self,
        first: (&'static Setting, impl FnOnce(&str) -> Option<T>),
        second: (&'static Setting, impl FnOnce(&str) -> Option<T>),
        is_required: bool,
    ) -> Result<Option<T>, Wrong> {
        let need = Need::OneOfTwo { is_required };
        self.asked.extend([(first.0, need), (second.0, need)]);
        let values = (self.parsed(first.0, first.1), self.parsed(second.0, second.1));
        match (values.0?, values.1?) {
            (Some(_), Some(_)) => {
                let (first, second) = (first.0.name, second.0.name);
                Err(self.wrong(format!("{first} and {second} are both set; only one of them may be")))
            }
            (None, None) if is_required => Err(self.missing(first.0)),
            (first, second) => Ok(first.or(second)),
        }
    }

    /// Notes what is wrong with a setting beyond the shape of its value.
    pub fn wrong(&mut self, problem: String) -> Wrong {
        self.problems.push(problem);
        Wrong
    }

    /// What was asked for so far, in the order it was asked.
    #[must_use]
    pub fn asked(&self) -> &[(&'static Setting, Need)] {
        &self.asked
    }

    /// The configuration that was `read`, if nothing was found wrong.
    ///
    /// # Errors
    ///
    /// [`SettingsError`], with one line for everything that is missing or wrong.
    pub fn checked<T>(self, read: Result<T, Wrong>) -> Result<T, SettingsError> {
        match read {
            Ok(configuration) if self.problems.is_empty() => Ok(configuration),
            Ok(_) | Err(Wrong) => Err(SettingsError(self.problems)),
        }
    }

    fn missing(&mut self, setting: &Setting) -> Wrong {
        self.wrong(format!("{} is missing; it must be {}", setting.name, setting.shape))
    }

    fn parsed<T>(
        &mut self,
        setting: &Setting,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Wrong> {
        let text = (self.variable)(setting.name).unwrap_or_default();
        if text.is_empty() {
            return Ok(None);
        }
        let value = parse(&text);
        value
            .map(Some)
            .ok_or_else(|| self.wrong(format!("{} is wrong; it must be {}", setting.name, setting.shape)))
    }
}

/// `true` or `false`.
#[must_use]
pub fn boolean(text: &str) -> Option<bool> {
    text.parse().ok()
}

/// A number of seconds, `least` of them at least.
#[must_use]
pub fn seconds(text: &str, least: u64) -> Option<Duration> {
    text.parse().ok().filter(|seconds| *seconds >= least).map(Duration::from_secs)
}

/// An origin as a browser writes it: parsing and serialising gives the same text. A `*` in it, which an address may
/// hold, names no page, and where a policy repeats it, it would name many.
#[must_use]
pub fn origin(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_web = matches!(url.scheme(), "https" | "http") && url.origin().is_tuple();
    (is_web && has_host_name(&url) && url.origin().ascii_serialization() == text).then_some(url)
}

/// Whether the host is an IP address, or a name of letters, digits, hyphens and underscores.
fn has_host_name(url: &Url) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    match url.domain() {
        Some(name) => name.split('.').all(|label| !label.is_empty() && label.bytes().all(is_plain)),
        None => url.has_host(),
    }
}

/// What [`service_origin`] takes.
pub const SERVICE_ORIGIN: &str = "an https origin (http only for a loopback address)";

/// The origin of a service that is called: `https`, or `http` on this machine.
#[must_use]
pub fn service_origin(text: &str) -> Option<Url> {
    let is_loopback = |url: &Url| matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    origin(text).filter(|url| url.scheme() == "https" || is_loopback(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    static NAME: Setting =
        Setting { name: "NAME", shape: "a name", example: "lin", default: ["", ""], meaning: ["", ""] };
    static OTHER: Setting =
        Setting { name: "OTHER", shape: "a number", example: "1", default: ["", ""], meaning: ["", ""] };

    fn number(text: &str) -> Option<u64> {
        text.parse().ok()
    }

    fn read<T>(
        variables: &[(&str, &str)],
        read: impl FnOnce(&mut Settings<'_>) -> Result<T, Wrong>,
    ) -> Result<T, String> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let mut settings = Settings::new(&variable);
        let read = read(&mut settings);
        settings.checked(read).map_err(|error| error.to_string())
    }

    #[test]
    fn all_that_is_wrong_is_named_and_no_value_is_repeated() {
        let both = |settings: &mut Settings<'_>| {
            let name = settings.required(&NAME, |text| Some(text.to_owned()));
            let other = settings.optional(&OTHER, number);
            Ok((name?, other?))
        };
        assert_eq!(read(&[("NAME", "lin"), ("OTHER", "")], both), Ok(("lin".to_owned(), None)));
        assert_eq!(
            read(&[("OTHER", "canary")], both),
            Err("the configuration is wrong:\n  NAME is missing; it must be a name\n  OTHER is wrong; it must be \
                 a number"
                .to_owned())
        );
    }

    #[test]
    fn one_of_two_is_enough_and_two_are_too_many() {
        let one = |is_required| {
            move |settings: &mut Settings<'_>| {
                settings.one_of_two((&NAME, number), (&OTHER, number), is_required)
            }
        };
        assert_eq!(read(&[("NAME", "1")], one(true)), Ok(Some(1)));
        assert_eq!(read(&[("OTHER", "2")], one(true)), Ok(Some(2)));
        assert_eq!(read(&[], one(false)), Ok(None));
        assert!(read(&[], one(true)).unwrap_err().contains("NAME is missing"));
        assert!(read(&[("NAME", "1"), ("OTHER", "2")], one(false)).unwrap_err().contains("are both set"));
        assert!(read(&[("NAME", "1"), ("OTHER", "x")], one(true)).unwrap_err().contains("OTHER is wrong"));
    }

    #[test]
    fn a_problem_that_was_noted_is_not_forgotten() {
        let noted = |settings: &mut Settings<'_>| {
            settings.wrong("two of them contradict each other".to_owned());
            Ok(())
        };
        assert!(read(&[], noted).unwrap_err().contains("contradict"));
    }

    #[test]
    fn an_origin_is_one_as_a_browser_writes_it() {
        for text in [
            "https://www.example.com",
            "http://localhost:9000",
            "https://[2001:db8::1]:8443",
            "http://203.0.113.9",
        ] {
            assert_eq!(origin(text).map(|url| url.origin().ascii_serialization()).as_deref(), Some(text));
        }
        for text in [
            "https://*.example.com",
            "https://*",
            "https://a,b.example.com",
            "https://'self'",
            "https://a;b.example.com",
            "https://www.example.com.",
            "https://a..example.com",
            "https://www.example.com/",
            "https://WWW.example.com",
            "https://例子.example.com",
            "https://www.example.com:443",
            "https://user@www.example.com",
            "ftp://www.example.com",
            "null",
            "",
        ] {
            assert_eq!(origin(text), None, "{text}");
        }
    }

    #[test]
    fn what_was_asked_is_remembered() {
        let mut settings = Settings::new(&|_| None);
        let _ = settings.required(&NAME, boolean);
        let _ = settings.optional(&OTHER, boolean);
        let asked: Vec<_> = settings.asked().iter().map(|(setting, need)| (setting.name, *need)).collect();
        assert_eq!(asked, [("NAME", Need::Required), ("OTHER", Need::Optional)]);
    }
}
