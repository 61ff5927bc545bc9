//! The words of the pages that come where nobody was logging in: of the profile page, of a logout. What failed there is
//! no login; so no page says that one failed, and none offers another, but to whoever is not logged in.

use super::{Button, Words};
use crate::language::Language;
use crate::reason::Reason;

/// The words of the page of a reason. `may_open_again` is whether what was opened can be opened once more: a form that
/// was posted cannot, and the home page has its button.
#[must_use]
pub const fn words(language: Language, reason: Reason, may_open_again: bool) -> Words {
    let usual = reason.words(language);
    let [title, happened] = match happened(language, reason) {
        Some(said) => said,
        None => [usual.title, usual.happened],
    };
    match (reason, may_open_again) {
        (Reason::NotAPage, true) => Words { title, happened, button: Some(Button::GoOn), ..usual },
        (Reason::Misconfigured, true) => Words { title, happened, button: Some(Button::TryAgain), ..usual },
        (Reason::Misconfigured, false) => Words { title, happened, button: Some(Button::Home), ..usual },
        (Reason::ReturnToRefused, _) => Words { button: Some(Button::Home), ..usual },
        (Reason::LoginExpired, _) => Words { next: at_the_client(language), button: None, ..usual },
        (Reason::InvalidRequest, _) | (Reason::NotAPage, false) => {
            Words { title, happened, next: from_home(language), button: Some(Button::Home) }
        }
        (
            Reason::WechatUnavailable
            | Reason::ServiceUnavailable
            | Reason::UserRefused
            | Reason::LoginFailed
            | Reason::Unexpected,
            true,
        ) => Words { title, happened, next: again(language, reason), button: Some(Button::TryAgain) },
        (
            Reason::WechatUnavailable
            | Reason::ServiceUnavailable
            | Reason::UserRefused
            | Reason::LoginFailed
            | Reason::Unexpected,
            false,
        ) => Words { title, happened, next: again_from_home(language, reason), button: Some(Button::Home) },
        _ => usual,
    }
}

/// Of [`Reason::ReturnToRefused`], where the page is on no origin of the site.
#[must_use]
pub const fn unregistered(language: Language) -> Words {
    let happened = match language {
        Language::Chinese => "链接要跳转的网页未在本站登记。",
        Language::English => "The page it leads to isn't registered with this site.",
    };
    Words { happened, ..words(language, Reason::ReturnToRefused, false) }
}

/// The heading and what happened, where those of a login would not be true.
const fn happened(language: Language, reason: Reason) -> Option<[&'static str; 2]> {
    match (language, reason) {
        (Language::Chinese, Reason::NotAPage) => {
            Some(["需要单独打开", "为了账号安全，这个页面不能嵌在其他页面里。"])
        }
        (Language::Chinese, Reason::UserRefused) => {
            Some(["微信没有允许这次操作", "可能与你的微信账号状态有关。"])
        }
        (Language::Chinese, Reason::LoginFailed) => {
            Some(["操作没有成功", "为了保护你的账号，这次操作已取消。"])
        }
        (Language::Chinese, Reason::Misconfigured) => {
            Some(["暂时无法使用", "网站的登录设置有问题，不是你的操作造成的。"])
        }
        (Language::English, Reason::NotAPage) => Some([
            "Open this page on its own",
            "To protect your account, it can't be shown inside another page.",
        ]),
        (Language::English, Reason::UserRefused) => {
            Some(["WeChat didn't allow this", "It may be about the state of your WeChat account."])
        }
        (Language::English, Reason::LoginFailed) => {
            Some(["That didn't work", "To protect your account, we stopped here."])
        }
        (Language::English, Reason::Misconfigured) => {
            Some(["This isn't available", "Something is set up wrongly on this site. It's nothing you did."])
        }
        _ => None,
    }
}

/// What to do, where the button opens the same once more.
const fn again(language: Language, reason: Reason) -> &'static str {
    match (language, reason) {
        (Language::Chinese, Reason::LoginFailed) => "请再试一次；仍不行，可把本页截图发给网站客服。",
        (Language::English, Reason::LoginFailed) => {
            "Try again. If it keeps failing, send a screenshot of this page to the site's support."
        }
        _ => reason.words(language).next,
    }
}

/// What to do, where the home page has the button that was pressed.
const fn again_from_home(language: Language, reason: Reason) -> &'static str {
    match (language, reason) {
        (Language::Chinese, Reason::WechatUnavailable | Reason::ServiceUnavailable) => {
            "请等一两分钟，再从首页重试。"
        }
        (Language::Chinese, Reason::UserRefused) => "请稍后从首页再试；仍不行，可联系网站客服。",
        (Language::Chinese, _) => "请从首页再试一次；仍不行，可把本页截图发给网站客服。",
        (Language::English, Reason::WechatUnavailable | Reason::ServiceUnavailable) => {
            "Wait a minute, then try again from the home page."
        }
        (Language::English, Reason::UserRefused) => {
            "Try again later from the home page, or contact the site."
        }
        (Language::English, _) => {
            "Try again from the home page. If it keeps failing, send a screenshot of this page to the site's support."
        }
    }
}

/// What to do where another site's request is lost.
const fn at_the_client(language: Language) -> &'static str {
    match language {
        Language::Chinese => "请回到要登录的网站，从那里重新登录。",
        Language::English => "Go back to the site you want to log in to, and log in from there.",
    }
}

/// What to do with a link that can never work.
const fn from_home(language: Language) -> &'static str {
    Reason::NotFound.words(language).next
}
