//! How a request ended, in a word for its one line in the log.
//!
//! An [`Outcome`] is one row of the reference table: its name, at which level it comes, what it means and what to do,
//! in both languages. Each function has a table of its own, made by [`outcomes!`](crate::outcomes), and the
//! documentation is written from these tables. Whether an operator is told stands in the row: never, always, or by what
//! happened; a [`Report`] adds what did, and of the last kind only WeChat's number decides, or a refusal that no number
//! of WeChat's describes ([`Report::for_an_operator`]).

use std::fmt::Display;

use wechat::errcode::{Errcode, Reaction};
use wechat::error::Error;

use crate::reason::Reason;
use crate::response::Response;

/// A way in which a request can end.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Its name in the log.
    pub name: &'static str,
    /// At which level it is logged.
    pub level: Level,
    /// What it means, in English and in Chinese.
    pub meaning: [&'static str; 2],
    /// What to do, in English and in Chinese; empty if nothing is to be done.
    pub remedy: [&'static str; 2],
}

/// At which level an outcome is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// All is well, or nobody but the visitor can do anything about it.
    Info,
    /// An operator should look at it.
    Error,
    /// An operator should look at it if WeChat refused something that only a change of this deployment mends.
    ByErrcode,
}

/// Declares the outcomes of one part of the product, and `OUTCOMES`, which lists them.
#[macro_export]
macro_rules! outcomes {
    ($(
        $(#[$attribute:meta])*
        $constant:ident = $level:ident $name:literal
            [$english:literal $(, $remedy:literal)?]
            [$chinese:literal $(, $chinese_remedy:literal)?];
    )*) => {
        $(
            #[doc = $english]
            $(#[$attribute])*
            pub static $constant: $crate::outcome::Outcome = $crate::outcome::Outcome {
                name: $name,
                level: $crate::outcome::Level::$level,
                meaning: [$english, $chinese],
                remedy: [concat!($($remedy)?), concat!($($chinese_remedy)?)],
            };
        )*

        /// All of them, in the order of the reference table.
        pub static OUTCOMES: &[&$crate::outcome::Outcome] = &[$(&$constant),*];
    };
}

/// What follows from a refusal: what is logged, at the level that the outcome says, and what whoever asked is told.
#[derive(Debug, Clone, Copy)]
pub struct Verdict {
    /// The way in which it ended.
    pub outcome: &'static Outcome,
    /// Why, in the words and with the status that this reason has.
    pub reason: Reason,
}

/// How one request ended. Travels as an extension of the response.
#[derive(Debug, Clone)]
pub struct Report {
    /// The way in which it ended.
    pub outcome: &'static Outcome,
    /// WeChat's error code, if WeChat said no.
    pub errcode: Option<Errcode>,
    /// WeChat's request id, if WeChat said no.
    pub rid: Option<String>,
    /// What failed below, in words that hold no data.
    pub cause: Option<String>,
    /// The OpenID client that asked, by its configured name, if one did.
    pub client: Option<Box<str>>,
    is_an_operators: bool,
}

impl Outcome {
    /// This way to end, of which there is no more to say.
    #[must_use]
    pub const fn report(&'static self) -> Report {
        Report { outcome: self, errcode: None, rid: None, cause: None, client: None, is_an_operators: false }
    }

    /// This way to end, and what failed below.
    #[must_use]
    pub fn because(&'static self, cause: impl Display) -> Report {
        self.report().with_cause(cause)
    }

    /// Attaches it to a response.
    #[must_use]
    pub fn of(&'static self, response: Response) -> Response {
        self.report().of(response)
    }
}

impl Report {
    /// Adds what failed below, behind what is said already.
    #[must_use]
    pub fn with_cause(self, cause: impl Display) -> Self {
        let cause = match self.cause {
            Some(before) => format!("{before}; {cause}"),
            None => cause.to_string(),
        };
        Self { cause: Some(cause), ..self }
    }

    /// Adds what else failed, and with which error, if it did.
    #[must_use]
    pub fn with_failure(self, what: &str, error: Option<impl Display>) -> Self {
        match error {
            Some(error) => self.with_cause(format_args!("{what}: {error}")),
            None => self,
        }
    }

    /// Adds what WeChat said, in words and in numbers.
    #[must_use]
    pub fn with_wechat(self, error: &Error) -> Self {
        self.with_cause(error).with_numbers(error)
    }

    /// Adds the numbers of what WeChat said, where the words are said already.
    #[must_use]
    pub fn with_numbers(self, error: &Error) -> Self {
        match error {
            Error::Refused(refused) => Self {
                errcode: Some(refused.errcode),
                rid: refused.rid.clone(),
                is_an_operators: self.is_an_operators
                    || refused.errcode.reaction() == Reaction::Configuration,
                ..self
            },
            Error::NotSent(_) | Error::InDoubt(_) => self,
        }
    }

    /// Says that only a change of this deployment mends it, whatever WeChat's number says elsewhere.
    #[must_use]
    pub fn for_an_operator(self) -> Self {
        Self { is_an_operators: true, ..self }
    }

    /// Says of a response which client it was for. The name is one of the deployment's own, never what a stranger sent.
    #[must_use]
    pub fn for_client(mut response: Response, client: &str) -> Response {
        if let Some(report) = response.extensions_mut().get_mut::<Self>() {
            report.client = Some(client.into());
        }
        response
    }

    /// Adds what failed below to what a response says of itself.
    pub fn add_cause(response: &mut Response, cause: impl Display) {
        if let Some(report) = response.extensions_mut().get_mut::<Self>() {
            *report = report.clone().with_cause(cause);
        }
    }

    /// WeChat's error code as a number, for the log.
    #[must_use]
    pub fn number(&self) -> Option<i64> {
        self.errcode.map(Errcode::get)
    }

    /// Whether an operator should look at it.
    #[must_use]
    pub const fn is_alarm(&self) -> bool {
        match self.outcome.level {
            Level::Info => false,
            Level::Error => true,
            Level::ByErrcode => self.is_an_operators,
        }
    }

    /// Attaches the report to a response.
    #[must_use]
    pub fn of(self, mut response: Response) -> Response {
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use wechat::body::ErrorAnswer;
    use wechat::error::{Doubt, Unsent};

    use super::*;

    mod table {
        outcomes! {
            CALM = Info "calm" ["all is well"] ["一切正常"];
            GRAVE = Error "grave" ["something is broken", "mend it"] ["出错了", "请处理"];
            EITHER = ByErrcode "either" ["it depends", "look at the errcode"] ["视情况而定", "请查看 errcode"];
        }
    }

    fn refused(errcode: i64) -> Error {
        Error::Refused(ErrorAnswer {
            errcode: Errcode::new(errcode),
            rid: Some("rid".to_owned()),
            address: None,
        })
    }

    #[test]
    fn a_table_lists_its_rows_in_order() {
        let names: Vec<_> = table::OUTCOMES.iter().map(|outcome| outcome.name).collect();
        assert_eq!(names, ["calm", "grave", "either"]);
        assert_eq!((table::CALM.remedy, table::GRAVE.remedy), (["", ""], ["mend it", "请处理"]));
    }

    #[test]
    fn an_operator_is_told_by_the_row_and_by_the_errcode_where_the_row_says_so() {
        for (error, is_an_operators) in [
            (refused(40013), true),
            (refused(98765), true),
            (refused(-1), false),
            (refused(40029), false),
            (Error::InDoubt(Doubt::Timeout), false),
            (Error::NotSent(Unsent::NoConnection), false),
            (Error::NotSent(Unsent::NoRequest), false),
        ] {
            assert!(!table::CALM.report().with_wechat(&error).is_alarm(), "{error}");
            assert!(table::GRAVE.report().with_wechat(&error).is_alarm(), "{error}");
            assert_eq!(table::EITHER.report().with_wechat(&error).is_alarm(), is_an_operators, "{error}");
            assert!(table::EITHER.report().with_wechat(&error).for_an_operator().is_alarm(), "{error}");
        }
    }

    #[test]
    fn causes_add_up() {
        let report = table::EITHER.because("one").with_cause("another").with_wechat(&refused(40029));
        let report = report.with_failure("nothing", None::<Error>);
        assert_eq!(report.cause.as_deref(), Some("one; another; WeChat answered errcode 40029"));
        assert_eq!((report.errcode, report.rid.as_deref()), (Some(Errcode::new(40029)), Some("rid")));
        let report = table::CALM.because("one").with_failure("another", Some("why"));
        assert_eq!(report.cause.as_deref(), Some("one; another: why"));
    }
}
