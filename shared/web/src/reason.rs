//! What a visitor is told when a login does not go through.
//!
//! Inside, a login can fail in some thirty ways, and the log names each. A visitor can act on far
//! fewer, and an attacker should learn as little as possible; so there are only as many reasons as
//! there are different things to do. Each has its name in the URL of `/error`, its HTTP status and
//! its words in both languages: what happened, what to do, and a button to go on.

use http::StatusCode;
use wechat::errcode::Reaction;

use crate::language::Language;

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

/// The words of one page.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    /// The heading.
    pub title: &'static str,
    /// What happened.
    pub happened: &'static str,
    /// What to do.
    pub next: &'static str,
    /// The label of the button.
    pub button: &'static str,
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

    /// The words of the page.
    #[must_use]
    pub const fn words(self, language: Language) -> Words {
        match language {
            Language::Chinese => self.chinese(),
            Language::English => self.english(),
        }
    }

    const fn chinese(self) -> Words {
        let (title, happened, next) = match self {
            Self::InvalidRequest => {
                ("请求不正确", "这个链接不完整，或者内容有误。", "请从原来的页面重新点击登录。")
            }
            Self::ReturnToRefused => (
                "返回地址不被允许",
                "登录后要返回的地址不在允许的范围内。",
                "请从原来的页面重新点击登录，或者联系网站。",
            ),
            Self::NotAPage => {
                ("请直接打开登录页面", "登录页面不能嵌在别的页面里打开。", "请点击下面的按钮，单独打开它。")
            }
            Self::AccessDenied => (
                "你没有同意授权",
                "没有你的同意，就无法用微信登录。",
                "如果想登录，请再试一次，并选择“允许”。",
            ),
            Self::LoginExpired => ("登录已过期", "这次登录已经结束，或者已经用过。", "请重新登录。"),
            Self::CookieMissing => (
                "浏览器没有保存 Cookie",
                "没有 Cookie，就无法确认登录的是同一个浏览器。",
                "请允许本网站使用 Cookie，然后重新登录。",
            ),
            Self::Snapshot => (
                "请使用完整服务",
                "你现在看到的是网页快照，不能登录。",
                "请点击右下角的“使用完整服务”，再登录。",
            ),
            Self::WechatUnavailable => {
                ("微信暂时没有响应", "我们没有得到微信的答复，登录没有完成。", "请稍等片刻，再登录一次。")
            }
            Self::UserRefused => {
                ("微信限制了这个帐号", "微信不允许这个帐号登录。", "请在微信中检查帐号状态，或者换一个帐号。")
            }
            Self::ServiceUnavailable => {
                ("服务暂时不可用", "登录服务现在忙不过来，你的登录没有开始。", "请稍等片刻，再登录一次。")
            }
            Self::Misconfigured => (
                "登录服务设置有误",
                "这不是你的问题，需要网站的管理员来修正。",
                "请稍后再试。如果一直这样，请把下面的编号告诉网站。",
            ),
            Self::LoginFailed => (
                "登录没有成功",
                "微信前后两次的答复不一致，为了安全，登录已取消。",
                "请重新登录。如果一直这样，请把下面的编号告诉网站。",
            ),
            Self::OriginRefused => (
                "来源不被允许",
                "发出请求的页面不在允许的来源之列。",
                "请从原来的页面重新操作，或者联系网站。",
            ),
            Self::NotLoggedIn => ("你还没有登录", "没有登录，或者登录已经失效。", "请先用微信登录。"),
            Self::NotFound => ("没有这个页面", "这个地址下什么也没有。", "请从首页开始。"),
            Self::Unexpected => (
                "出了点问题",
                "登录服务遇到了意外情况。",
                "请再试一次。如果一直这样，请把下面的编号告诉网站。",
            ),
        };
        let button = if matches!(self, Self::NotFound) { "回到首页" } else { "微信登录" };
        Words { title, happened, next, button }
    }

    const fn english(self) -> Words {
        let (title, happened, next) = match self {
            Self::InvalidRequest => (
                "This request is not right",
                "The link is incomplete or damaged.",
                "Please start again from the page you came from.",
            ),
            Self::ReturnToRefused => (
                "This return address is not allowed",
                "The page to return to after the login is not one of the allowed ones.",
                "Please start again from the page you came from, or tell the site.",
            ),
            Self::NotAPage => (
                "Please open the login by itself",
                "The login cannot be opened inside another page.",
                "Please use the button to open it on its own.",
            ),
            Self::AccessDenied => (
                "You did not allow the login",
                "Without your consent, WeChat cannot log you in.",
                "If you do want to log in, try again and choose “Allow”.",
            ),
            Self::LoginExpired => (
                "This login has expired",
                "The login is over, or has been used already.",
                "Please log in again.",
            ),
            Self::CookieMissing => (
                "Your browser did not keep a cookie",
                "Without it, there is no telling whether this is the browser that began the login.",
                "Please allow cookies for this site and log in again.",
            ),
            Self::Snapshot => (
                "Please use the full service",
                "You are looking at a snapshot of the page, which cannot log in.",
                "Tap 使用完整服务 at the lower right, then log in.",
            ),
            Self::WechatUnavailable => (
                "WeChat does not answer",
                "We had no answer from WeChat, so the login was not completed.",
                "Please wait a moment and log in again.",
            ),
            Self::UserRefused => (
                "WeChat restricts this account",
                "WeChat does not let this account log in.",
                "Please check the account in WeChat, or use another one.",
            ),
            Self::ServiceUnavailable => (
                "The service is not available",
                "The login service is too busy at the moment; your login has not begun.",
                "Please wait a moment and log in again.",
            ),
            Self::Misconfigured => (
                "The login is set up wrongly",
                "This is not your doing; the site's operators have to mend it.",
                "Please try again later. If it stays so, tell the site the reference below.",
            ),
            Self::LoginFailed => (
                "The login did not succeed",
                "WeChat gave two answers that contradict each other, so the login was cancelled.",
                "Please log in again. If it stays so, tell the site the reference below.",
            ),
            Self::OriginRefused => (
                "This origin is not allowed",
                "The page that asks is not on one of the allowed origins.",
                "Please start again from the page you came from, or tell the site.",
            ),
            Self::NotLoggedIn => (
                "You are not logged in",
                "You have not logged in, or your login has ended.",
                "Please log in with WeChat.",
            ),
            Self::NotFound => (
                "There is no such page",
                "Nothing is found at this address.",
                "Please start at the front page.",
            ),
            Self::Unexpected => (
                "Something went wrong",
                "The login service met something unexpected.",
                "Please try again. If it stays so, tell the site the reference below.",
            ),
        };
        let button = if matches!(self, Self::NotFound) { "To the front page" } else { "Log in with WeChat" };
        Words { title, happened, next, button }
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
