//! Why a call of WeChat's API gave no answer.

use crate::body::{BodyError, ErrorAnswer};
use crate::errcode::{Errcode, Reaction};

/// Why a call gave no answer. The three kinds call for three reactions and are never merged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// WeChat says no.
    #[error("WeChat answered errcode {}{}", .0.errcode, .0.address.map(|address| format!("; allow {address}")).unwrap_or_default())]
    Refused(ErrorAnswer),
    /// Nothing was sent.
    #[error(transparent)]
    NotSent(Unsent),
    /// Something was sent and no readable answer came back.
    #[error("whether WeChat acted on the request is in doubt: {0}")]
    InDoubt(Doubt),
}

/// Why nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsent {
    /// No connection was made: to this host at least. Another one may be tried.
    #[error("no connection to WeChat could be made")]
    NoConnection,
    /// There was nothing to send: the address or a setting of the client makes no request.
    #[error("no request to WeChat could be made of the configured address")]
    NoRequest,
    /// WeChat gave no answer a moment ago, so it was not asked.
    #[error("WeChat was not asked, since it gave no answer a moment ago")]
    Paused,
}

/// What went wrong after a request was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// No answer in time.
    #[error("timeout")]
    Timeout,
    /// The connection broke.
    #[error("connection broken")]
    Broken,
    /// A status other than 200.
    #[error("status {0}")]
    Status(u16),
    /// A body over 64 KiB.
    #[error("body too large")]
    TooLarge,
    /// A body that is no answer of WeChat's.
    #[error("body unreadable")]
    Unreadable,
}

impl Error {
    /// WeChat's error code, if it was WeChat that said no.
    #[must_use]
    pub const fn errcode(&self) -> Option<Errcode> {
        match self {
            Self::Refused(refused) => Some(refused.errcode),
            Self::NotSent(_) | Self::InDoubt(_) => None,
        }
    }

    /// How to react, if it was WeChat that said no.
    #[must_use]
    pub fn reaction(&self) -> Option<Reaction> {
        match self {
            Self::Refused(refused) => Some(refused.errcode.reaction()),
            Self::NotSent(_) | Self::InDoubt(_) => None,
        }
    }

    /// Whether a third-party platform's call was refused because of the platform's own token.
    #[must_use]
    pub fn is_about_the_component(&self) -> bool {
        self.reaction() == Some(Reaction::Refresh) || self.errcode() == Some(Errcode::COMPONENT_TOKEN_WANTED)
    }

    /// Whether a question that changes nothing is worth asking again.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Refused(refused) => refused.errcode.reaction() == Reaction::Retry,
            Self::NotSent(Unsent::NoRequest | Unsent::Paused) => false,
            Self::NotSent(Unsent::NoConnection) | Self::InDoubt(_) => true,
        }
    }
}

impl From<BodyError> for Error {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Refused(refused) => Self::Refused(refused),
            BodyError::Unreadable => Self::InDoubt(Doubt::Unreadable),
        }
    }
}
