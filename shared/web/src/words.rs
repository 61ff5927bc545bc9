//! Every word that a visitor reads, in both languages, and nothing else.
//!
//! A page says what happened, then the one thing to do. Each sentence is true on every route that shows it: a
//! page that says that a login did not begin may not come after one that did. Whoever mends a sentence for
//! visitors changes no interface: what a script reads of a problem stands apart ([`Reason::problem`]).

use crate::language::Language;
use crate::reason::Reason;

/// The words of a page that says why there was no login.
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

/// Declares [`Labels`], a row each: its name, where it stands, and the label in Chinese and in English.
macro_rules! labels {
    ($($name:ident, $place:literal, $chinese:literal, $english:literal;)*) => {
        /// The labels of the other pages.
        #[derive(Debug, Clone, Copy)]
        pub struct Labels {
            $(#[doc = $place] pub $name: &'static str,)*
        }

        impl Labels {
            /// The labels in one language.
            #[must_use]
            pub const fn of(language: Language) -> Self {
                match language {
                    Language::Chinese => Self { $($name: $chinese,)* },
                    Language::English => Self { $($name: $english,)* },
                }
            }
        }
    };
}

labels! {
    home, "The front page's title.", "微信登录", "Log in with WeChat";
    declined, "On the front page, after the visitor declined.", "你没有同意授权，所以没有登录。", "You did not allow the login, so you are not logged in.";
    was_here, "On the front page, to who has a session cookie.", "你在这个浏览器里登录过。", "You have logged in with this browser.";
    not_logged_in, "On the front page, to who has none.", "你还没有登录。", "You are not logged in.";
    see_profile, "The link to the profile page.", "查看我的资料", "See my profile";
    log_in_again_with_profile, "The link to a login with consent, for who is logged in.", "重新登录，提供昵称和头像", "Log in again, with name and picture";
    log_in, "The link to a silent login.", "用微信登录", "Log in";
    log_in_with_profile, "The link to a login with consent.", "登录并提供昵称和头像", "Log in with name and picture";
    log_out, "The button that ends the session.", "退出登录", "Log out";
    open_in_wechat, "The title of the page for a browser that no app serves.", "请在微信客户端打开", "Please open this in WeChat";
    scan, "Above its QR code.", "用微信扫一扫，在手机上登录。", "Scan this with WeChat to log in on your phone.";
    or_copy, "Between its QR code and its link.", "或者复制下面的链接，在微信里打开：", "Or copy this link and open it in WeChat:";
    copy, "Above its link, where there is no QR code.", "请复制下面的链接，在微信里打开：", "Please copy this link and open it in WeChat:";
    profile, "The profile page's title.", "我的资料", "My profile";
    nameless, "Who is logged in, if no name is known.", "微信用户", "WeChat user";
    add_profile, "The link to a login with consent, on the profile page.", "提供昵称和头像", "Add name and picture";
    reference, "Before the correlation id.", "编号：", "Reference: ";
}

#[rustfmt::skip]
impl Reason {
    /// The words of the page.
    #[must_use]
    pub const fn words(self, language: Language) -> Words {
        let (log_in, home, go_on) = match language {
            Language::Chinese => ("微信登录", "回到首页", "继续"),
            Language::English => ("Log in with WeChat", "To the front page", "Continue"),
        };
        let [title, happened, next] = match language {
            Language::Chinese => self.chinese(),
            Language::English => self.english(),
        };
        let button = match self {
            Self::NotFound => home,
            Self::CodeRepeated | Self::AlreadyLoggedIn => go_on,
            _ => log_in,
        };
        Words { title, happened, next, button }
    }

    /// What a script reads of a problem: its `title`, which does not change from case to case
    /// ([RFC 9457 §3.1.3](https://www.rfc-editor.org/rfc/rfc9457#section-3.1.3)), and its `detail`.
    #[must_use]
    pub const fn problem(self) -> [&'static str; 2] {
        match self {
            Self::InvalidRequest => ["This request is not right", "A parameter is malformed, unknown or given twice."],
            Self::ReturnToRefused => ["This return address is not allowed", "The page to return to after the login is not one of the allowed ones."],
            Self::NotAPage => ["Please open the login by itself", "The login cannot be opened inside another page."],
            Self::AccessDenied => ["You did not allow the login", "Without your consent, WeChat cannot log you in."],
            Self::LoginExpired => ["This login has expired", "The login is over, or has been used already."],
            Self::CodeRepeated => ["The login goes on in a moment", "WeChat repeated a code that was used before."],
            Self::AlreadyLoggedIn => ["Somebody is logged in here already", "A second scan of the same page changes nothing."],
            Self::CookieMissing => ["Your browser did not keep a cookie", "Without it, there is no telling whether this is the browser that began the login."],
            Self::Snapshot => ["Please use the full service", "You are looking at a snapshot of the page, which cannot log in."],
            Self::WechatUnavailable => ["WeChat does not answer", "WeChat could not be asked."],
            Self::UserRefused => ["WeChat restricts this account", "WeChat does not let this account log in."],
            Self::ServiceUnavailable => ["The service is not available", "What this service needs does not answer at the moment."],
            Self::Misconfigured => ["The login is set up wrongly", "This is not your doing; the site's operators have to mend it."],
            Self::LoginFailed => ["The login did not succeed", "WeChat gave two answers that contradict each other, so the login was cancelled."],
            Self::OriginRefused => ["This origin is not allowed", "The page that asks is not on one of the allowed origins."],
            Self::NotLoggedIn => ["You are not logged in", "You have not logged in, or your login has ended."],
            Self::NotFound => ["There is no such page", "Nothing is found at this address."],
            Self::Unexpected => ["Something went wrong", "The login service met something unexpected."],
        }
    }

    const fn chinese(self) -> [&'static str; 3] {
        match self {
            Self::InvalidRequest => ["链接有误", "这个链接不完整，或已经损坏。", "请回到原来的页面再试一次。"],
            Self::ReturnToRefused => ["返回地址不被允许", "登录后要返回的地址不在允许的范围内。", "请从原来的页面重新点击登录，或者联系网站。"],
            Self::NotAPage => ["请直接打开登录页面", "登录页面不能嵌在别的页面里打开。", "请点击下面的按钮，单独打开它。"],
            Self::AccessDenied => ["你没有同意授权", "没有你的同意，就无法用微信登录。", "如果想登录，请再试一次，并选择“允许”。"],
            Self::LoginExpired => ["登录已过期", "这次登录已经结束，或者已经用过。", "请重新登录。"],
            Self::CodeRepeated => ["请稍等几秒", "刚刚登录或退出过，微信需要几秒钟准备新的登录。", "页面会自动继续，也可以点下面的按钮。"],
            Self::AlreadyLoggedIn => ["这里已经登录了", "这次扫码没有改变登录，仍是之前的账号。", "想换账号，请先退出登录，再重新扫码。"],
            Self::CookieMissing => ["浏览器没有保存 Cookie", "没有 Cookie，就无法确认登录的是同一个浏览器。", "请允许本网站使用 Cookie，然后重新登录。"],
            Self::Snapshot => ["请使用完整服务", "你现在看到的是网页快照，不能登录。", "请点击右下角的“使用完整服务”，再登录。"],
            Self::WechatUnavailable => ["微信暂时没有响应", "可能是网络繁忙，这次操作没有完成。", "请等一两分钟再试。"],
            Self::UserRefused => ["微信限制了这个帐号", "微信不允许这个帐号登录。", "请在微信中检查帐号状态，或者换一个帐号。"],
            Self::ServiceUnavailable => ["服务暂时不可用", "登录服务有点忙，这次操作没有完成。", "请等一两分钟再试。"],
            Self::Misconfigured => ["登录服务设置有误", "这不是你的问题，需要网站的管理员来修正。", "请稍后再试。如果一直这样，请把下面的编号告诉网站。"],
            Self::LoginFailed => ["登录没有成功", "微信前后两次的答复不一致，为了安全，登录已取消。", "请重新登录。如果一直这样，请把下面的编号告诉网站。"],
            Self::OriginRefused => ["来源不被允许", "发出请求的页面不在允许的来源之列。", "请从原来的页面重新操作，或者联系网站。"],
            Self::NotLoggedIn => ["你还没有登录", "没有登录，或者登录已经失效。", "请先用微信登录。"],
            Self::NotFound => ["没有这个页面", "这个地址下什么也没有。", "请从首页开始。"],
            Self::Unexpected => ["出了点问题", "登录服务遇到了意外情况。", "请再试一次。如果一直这样，请把下面的编号告诉网站。"],
        }
    }

    const fn english(self) -> [&'static str; 3] {
        match self {
            Self::InvalidRequest => ["This link doesn't work", "It is incomplete or damaged.", "Go back to the page you came from and try again."],
            Self::ReturnToRefused => ["This return address is not allowed", "The page to return to after the login is not one of the allowed ones.", "Please start again from the page you came from, or tell the site."],
            Self::NotAPage => ["Please open the login by itself", "The login cannot be opened inside another page.", "Please use the button to open it on its own."],
            Self::AccessDenied => ["You did not allow the login", "Without your consent, WeChat cannot log you in.", "If you do want to log in, try again and choose “Allow”."],
            Self::LoginExpired => ["This login has expired", "The login is over, or has been used already.", "Please log in again."],
            Self::CodeRepeated => ["Just a few seconds", "You logged in or out a moment ago, and WeChat needs a little time for a new login.", "This page goes on by itself, or use the button below."],
            Self::AlreadyLoggedIn => ["You're already logged in here", "This scan changed nothing; the earlier login stays.", "To switch accounts, log out first, then scan again."],
            Self::CookieMissing => ["Your browser did not keep a cookie", "Without it, there is no telling whether this is the browser that began the login.", "Please allow cookies for this site and log in again."],
            Self::Snapshot => ["Please use the full service", "You are looking at a snapshot of the page, which cannot log in.", "Tap 使用完整服务 at the lower right, then log in."],
            Self::WechatUnavailable => ["WeChat isn't responding", "We couldn't get an answer from WeChat.", "Wait a minute, then try again."],
            Self::UserRefused => ["WeChat restricts this account", "WeChat does not let this account log in.", "Please check the account in WeChat, or use another one."],
            Self::ServiceUnavailable => ["Temporarily unavailable", "The login service is busy, and this didn't go through.", "Wait a minute, then try again."],
            Self::Misconfigured => ["The login is set up wrongly", "This is not your doing; the site's operators have to mend it.", "Please try again later. If it stays so, tell the site the reference below."],
            Self::LoginFailed => ["The login did not succeed", "WeChat gave two answers that contradict each other, so the login was cancelled.", "Please log in again. If it stays so, tell the site the reference below."],
            Self::OriginRefused => ["This origin is not allowed", "The page that asks is not on one of the allowed origins.", "Please start again from the page you came from, or tell the site."],
            Self::NotLoggedIn => ["You are not logged in", "You have not logged in, or your login has ended.", "Please log in with WeChat."],
            Self::NotFound => ["There is no such page", "Nothing is found at this address.", "Please start at the front page."],
            Self::Unexpected => ["Something went wrong", "The login service met something unexpected.", "Please try again. If it stays so, tell the site the reference below."],
        }
    }
}
