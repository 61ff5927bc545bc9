//! The one error of the harness: a message for the person who reads a failed test.

use std::fmt;

/// What the harness returns.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// Why the harness could not do what a test asked of it.
///
/// It prints the same plain text by `Display` and by `Debug`, because a test that returns it is
/// reported by the latter. It does not implement [`std::error::Error`], so that every type that
/// does converts into it by `?`.
pub struct Failure(String);

impl Failure {
    /// A failure with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// The same failure, told from further outside: `what: why`.
    #[must_use]
    pub fn during(self, what: impl fmt::Display) -> Self {
        Self(format!("{what}: {}", self.0))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            message = format!("{message}: {cause}");
            source = cause.source();
        }
        Self(message)
    }
}
