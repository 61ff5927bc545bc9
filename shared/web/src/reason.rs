//! What a visitor is told when a login does not go through.
//!
//! Inside, a login can fail in some thirty ways, and the log names each. A visitor can act on far
//! fewer, and an attacker should learn as little as possible; so there are only as many reasons as
//! there are different things to do. Each has its name in the URL of `/error`, its HTTP status, and its words
//! ([`words`](crate::words)).

use http::StatusCode;
use wechat::errcode::Reaction;

/// Declares [`Reason`], a row each: what it means, its name, and its status.
macro_rules! reasons {
    ($($(#[$meaning:meta])* $reason:ident = $name:literal, $status:ident;)*) => {
        /// Why there is a page instead of a login.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Reason {
            $($(#[$meaning])* $reason,)*
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$reason),*];

            /// The reason's name in URLs, problem documents and logs.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$reason => $name,)*
                }
            }

            /// The status of the page.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self {
                    $(Self::$reason => StatusCode::$status,)*
                }
            }
        }
    };
}

reasons! {
    /// The request is malformed.
    InvalidRequest = "invalid_request", BAD_REQUEST;
    /// The page to return to is not an allowed one.
    ReturnToRefused = "return_to_refused", BAD_REQUEST;
    /// The address was not opened as a page of its own.
    NotAPage = "not_a_page", FORBIDDEN;
    /// The visitor declined.
    AccessDenied = "access_denied", FORBIDDEN;
    /// The login is over, unknown or already used, and an automatic fresh one did not help.
    LoginExpired = "login_expired", BAD_REQUEST;
    /// WeChat repeated a code that was spent here before; the login goes on after a wait.
    CodeRepeated = "code_repeated", CONFLICT;
    /// Somebody is logged in here, and another person's scan changes nothing about it.
    AlreadyLoggedIn = "already_logged_in", CONFLICT;
    /// The browser did not bring back its cookie, and an automatic fresh login did not help.
    CookieMissing = "cookie_missing", BAD_REQUEST;
    /// The visitor is on a snapshot page.
    Snapshot = "snapshot", FORBIDDEN;
    /// WeChat does not answer, or not sensibly.
    WechatUnavailable = "wechat_unavailable", SERVICE_UNAVAILABLE;
    /// WeChat does not let this person in.
    UserRefused = "user_refused", FORBIDDEN;
    /// This service cannot work at the moment.
    ServiceUnavailable = "service_unavailable", SERVICE_UNAVAILABLE;
    /// This service is set up wrongly.
    Misconfigured = "misconfigured", SERVICE_UNAVAILABLE;
    /// The answer would have logged in somebody else.
    LoginFailed = "login_failed", FORBIDDEN;
    /// The page whose script asks is not on an allowed origin.
    OriginRefused = "origin_refused", FORBIDDEN;
    /// There is no session.
    NotLoggedIn = "not_logged_in", UNAUTHORIZED;
    /// The API that a token is asked for is none that this page gets one for.
    InvalidTarget = "invalid_target", BAD_REQUEST;
    /// Who the person is among all apps is not known.
    NoSubject = "no_subject", FORBIDDEN;
    /// There is no such page.
    NotFound = "not_found", NOT_FOUND;
    /// A defect of this service.
    Unexpected = "unexpected", INTERNAL_SERVER_ERROR;
}

impl Reason {
    /// Reads a reason from the URL of `/error`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == text)
    }

    /// What a problem document is of ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457#section-3.1.1)).
    #[must_use]
    pub fn problem_type(self) -> String {
        format!("urn:wechat-login:{}", self.as_str())
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
            assert_eq!(Reason::parse(reason.as_str()), Some(*reason));
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
