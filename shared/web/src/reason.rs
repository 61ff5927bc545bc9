//! What a visitor is told when a login does not go through.
//!
//! Inside, a login can fail in some thirty ways, and the log names each. A visitor can act on far
//! fewer, and an attacker should learn as little as possible; so there are only as many reasons as
//! there are different things to do. Each has its name in the URL of `/error`, its HTTP status, and its words
//! ([`words`](crate::words)).

use http::StatusCode;
use wechat::errcode::Reaction;

/// Why there is a page instead of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The request is malformed.
    InvalidRequest,
    /// The page to return to is not an allowed one.
    ReturnToRefused,
    /// The address was not opened as a page of its own.
    NotAPage,
    /// The visitor declined.
    AccessDenied,
    /// The login is over, unknown or already used, and an automatic fresh one did not help.
    LoginExpired,
    /// The browser did not bring back its cookie, and an automatic fresh login did not help.
    CookieMissing,
    /// The visitor is on a snapshot page.
    Snapshot,
    /// WeChat does not answer, or not sensibly.
    WechatUnavailable,
    /// WeChat does not let this person in.
    UserRefused,
    /// This service cannot work at the moment.
    ServiceUnavailable,
    /// This service is set up wrongly.
    Misconfigured,
    /// The answer would have logged in somebody else.
    LoginFailed,
    /// The page whose script asks is not on an allowed origin.
    OriginRefused,
    /// There is no session.
    NotLoggedIn,
    /// There is no such page.
    NotFound,
    /// A defect of this service.
    Unexpected,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 16] = [
        Self::InvalidRequest,
        Self::ReturnToRefused,
        Self::NotAPage,
        Self::AccessDenied,
        Self::LoginExpired,
        Self::CookieMissing,
        Self::Snapshot,
        Self::WechatUnavailable,
        Self::UserRefused,
        Self::ServiceUnavailable,
        Self::Misconfigured,
        Self::LoginFailed,
        Self::OriginRefused,
        Self::NotLoggedIn,
        Self::NotFound,
        Self::Unexpected,
    ];

    /// Reads a reason from the URL of `/error`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }

    /// The reason's name in URLs, problem documents and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::ReturnToRefused => "return_to_refused",
            Self::NotAPage => "not_a_page",
            Self::AccessDenied => "access_denied",
            Self::LoginExpired => "login_expired",
            Self::CookieMissing => "cookie_missing",
            Self::Snapshot => "snapshot",
            Self::WechatUnavailable => "wechat_unavailable",
            Self::UserRefused => "user_refused",
            Self::ServiceUnavailable => "service_unavailable",
            Self::Misconfigured => "misconfigured",
            Self::LoginFailed => "login_failed",
            Self::OriginRefused => "origin_refused",
            Self::NotLoggedIn => "not_logged_in",
            Self::NotFound => "not_found",
            Self::Unexpected => "unexpected",
        }
    }

    /// The status of the page.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest | Self::ReturnToRefused | Self::LoginExpired | Self::CookieMissing => {
                StatusCode::BAD_REQUEST
            }
            Self::NotLoggedIn => StatusCode::UNAUTHORIZED,
            Self::NotAPage
            | Self::AccessDenied
            | Self::Snapshot
            | Self::UserRefused
            | Self::LoginFailed
            | Self::OriginRefused => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::WechatUnavailable | Self::ServiceUnavailable | Self::Misconfigured => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Unexpected => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<Reaction> for Reason {
    /// What a visitor is told, if the reaction does not mend it.
    fn from(reaction: Reaction) -> Self {
        match reaction {
            Reaction::Retry => Self::WechatUnavailable,
            Reaction::FreshLogin | Reaction::Refresh | Reaction::LoginAgain => Self::LoginExpired,
            Reaction::Configuration => Self::Misconfigured,
            Reaction::User => Self::UserRefused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_found_by_its_name() {
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.as_str()), Some(reason));
        }
        assert_eq!(Reason::parse("<script>"), None);
    }

    #[test]
    fn every_reason_is_a_failure() {
        assert!(
            Reason::ALL
                .iter()
                .all(|reason| reason.status().is_client_error() || reason.status().is_server_error())
        );
    }
}
