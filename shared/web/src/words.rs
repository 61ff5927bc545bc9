//! Every word that a visitor reads, in both languages, and nothing else.
//!
//! A page says what happened, then the one thing to do. Each sentence is true on every route that shows it: a
//! page that says that a login did not begin may not come after one that did. One act has one label on all pages,
//! and a button is labelled with what the sentence above it asks for. Whoever mends a sentence for visitors
//! changes no interface: what a script reads of a problem stands apart ([`Reason::problem`]).

pub mod elsewhere;
pub mod handoff;

use crate::language::Language;
use crate::reason::Reason;
use crate::request::CorrelationId;

/// The words of a page that says why there was no login.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    /// The heading.
    pub title: &'static str,
    /// What happened.
    pub happened: &'static str,
    /// What to do.
    pub next: &'static str,
    /// The button, if the page has one.
    pub button: Option<Button>,
}

/// The button of a page that says why there was no login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Button {
    /// Begins a login, where none was begun.
    LogIn,
    /// Begins another login, where one has failed.
    LogInAgain,
    /// The same, where it is not what the page asks for; or opens once more what was no login.
    TryAgain,
    /// Leaves a frame for a login on a page of its own.
    OpenLogin,
    /// Goes on by itself or at a tap.
    GoOn,
    /// Leads to the home page, where a login would not help.
    Home,
}

impl Button {
    /// What stands on it.
    #[must_use]
    pub const fn label(self, language: Language) -> &'static str {
        let labels = Labels::of(language);
        match self {
            Self::LogIn => labels.log_in,
            Self::LogInAgain => labels.log_in_again,
            Self::TryAgain => labels.try_again,
            Self::OpenLogin => labels.open_login,
            Self::GoOn => labels.go_on,
            Self::Home => labels.go_home,
        }
    }
}

/// Declares [`Labels`], a row each: its name, where it stands, and the label in Chinese and in English.
macro_rules! labels {
    ($($name:ident, $place:literal, $chinese:literal, $english:literal;)*) => {
        /// The labels of all pages.
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

            /// All of them, each with its name.
            #[must_use]
            pub const fn all(language: Language) -> &'static [(&'static str, &'static str)] {
                match language {
                    Language::Chinese => &[$((stringify!($name), $chinese)),*],
                    Language::English => &[$((stringify!($name), $english)),*],
                }
            }
        }
    };
}

labels! {
    log_in, "The button that begins a login; the home page's title.", "微信登录", "Log in with WeChat";
    log_in_again, "The button that begins another login, after one that failed.", "重新登录", "Log in again";
    try_again, "The same button, where nothing says that it will help.", "再试一次", "Try again";
    open_login, "The button that leaves a frame.", "打开登录页", "Open login page";
    go_on, "The button that goes on to where the login would have ended, or begins it once more.", "继续", "Continue";
    go_home, "The button, or the link, to the home page.", "返回首页", "Home page";
    declined, "On the home page, after the visitor declined.", "你取消了登录，随时可以再试。", "You cancelled the login. You can try again any time.";
    cancelled, "On the home page, after somebody declined who has a session cookie: he may be logged in.", "你取消了授权，随时可以再试。", "You cancelled. You can try again any time.";
    has_logged_in, "On the home page, to who has a session cookie: of a moment ago, or of days, or of a session that has ended.", "你好！你已在这里登录过。", "Hello! You've logged in here.";
    not_logged_in, "On the home page, to who has none.", "你还没有登录。", "You're not logged in.";
    view_profile, "The link to the profile page.", "查看我的资料", "View my profile";
    log_in_with_profile, "The button that begins a login with consent.", "使用微信昵称和头像登录", "Log in and share my name and photo";
    add_profile, "The same, for who is logged in.", "补充昵称和头像", "Add my name and photo";
    consent_purpose, "Below both, unless the site has a sentence of its own.", "昵称和头像只用于在本网站显示。", "Your name and photo are only shown on this site.";
    log_out, "The button that ends the session.", "退出登录", "Log out";
    open_in_wechat, "The title of the page that waits for WeChat on the same phone.", "请到微信里打开", "Open this in WeChat";
    scan_to_log_in, "The title of the page that waits for a phone.", "用微信扫码登录", "Scan with WeChat to log in";
    scan_and_confirm, "Above its QR code.", "打开微信“扫一扫”，扫描二维码，再在手机上确认。", "Scan this with WeChat, then confirm on your phone.";
    qr_code, "What its picture is.", "登录二维码", "QR code to log in";
    or_keep_picture, "On a phone, above its QR code.", "也可以长按保存二维码，再用微信“扫一扫”从相册选取：", "Or save the QR code and pick it in WeChat's scanner:";
    goes_on_by_itself, "Below both.", "确认后，这个页面会自动继续。", "This page continues automatically.";
    keep_to_yourself, "Below it.", "不要把二维码发给别人。", "Don't send this code to anybody.";
    cannot_scan, "On a computer, what opens the link as text.", "不方便扫码？", "Can't scan?";
    send_link, "Above that link.", "用微信发给“文件传输助手”，在手机上点开：", "Send it to yourself in WeChat (File Transfer) and open it on the phone:";
    confirm_on_phone, "The title once it was scanned.", "请在手机上确认", "Confirm on your phone";
    tap_this_number, "Above the number.", "在手机上点这个数字：", "Tap this number on your phone:";
    confirm_in_wechat, "The title once it was scanned, on the phone itself.", "请到微信里确认", "Confirm in WeChat";
    tap_this_number_in_wechat, "Above the number, on the phone itself.", "在微信里点这个数字：", "Tap this number in WeChat:";
    new_code, "The button that begins anew.", "获取新的二维码", "Get a new code";
    log_in_other_device, "The title of the page on the phone.", "登录另一台设备？", "Log in another device?";
    other_device_waits, "Above its kind.", "另一台设备在等待登录：", "Another device is waiting to be logged in:";
    only_your_own, "The warning.", "只有它在你面前、由你打开时才继续。别人发来的二维码，一定要拒绝。", "Go on only if it's in front of you and you opened it. Refuse a code that somebody sent you.";
    which_number, "Above the numbers.", "它的屏幕上是哪个数字？点一下就会登录它。", "Which number does its screen show? A tap logs it in.";
    refuse, "The button that says no.", "拒绝", "Refuse";
    take_back, "On the phone that confirmed, the button that takes it back.", "撤回", "Take it back";
    no_number_yet, "Below the numbers.", "还没有数字？等几秒钟，或回到那个页面看看；点错一次就会结束。", "No number there yet? Wait some seconds, or go back to that page: one wrong tap ends it.";
    wechat_code, "The link from this stack's QR code to WeChat's own, where there is a website app.", "改用微信的二维码", "Use WeChat's own QR code instead";
    show_code, "The link, on that page, to the QR code, for who has it on another screen.", "在另一台设备上扫码？显示二维码", "Scanning with another device? Show the QR code";
    code_comes, "In a frame, until WeChat's QR code is there; a link to it.", "正在打开二维码……", "Opening the QR code…";
    open_on_computer, "The title of the page inside WeChat, where only a QR code logs people in.", "请在电脑上登录", "Log in on a computer";
    scan_from_computer, "Above its link.", "这个网站用微信扫码登录。请在电脑浏览器里打开下面的链接，再用微信扫码：", "This site logs you in by QR code. Open this link in a browser on a computer, then scan with WeChat:";
    copy, "Above its link: the first step.", "长按复制下面的链接", "Press and hold to copy the link.";
    paste, "The second step.", "打开微信，发给“文件传输助手”", "Send it to yourself in WeChat (File Transfer).";
    open, "The third step.", "点开这条链接", "Open it there.";
    come_back, "The fourth step: a page that nobody looks at stands still.", "回到这里看数字，再到微信里点它", "Come back here for the number, then tap it in WeChat.";
    wecom, "Above its first step, under 企业微信.", "这里是企业微信。请改用微信打开：", "This is WeCom. Please use WeChat instead:";
    profile, "The profile page's title.", "我的资料", "My profile";
    nameless, "Who is logged in, if no name is known.", "微信用户", "WeChat user";
    nickname, "On the profile page.", "昵称", "Nickname";
    gender, "On the profile page, if WeChat says.", "性别", "Gender";
    male, "A gender.", "男", "Male";
    female, "The other.", "女", "Female";
    region, "On the profile page, if WeChat says.", "地区", "Region";
    openid, "On the profile page.", "用户标识（openid）", "User ID (openid)";
    unionid, "On the profile page, if it is known.", "跨应用标识（unionid）", "Cross-app ID (unionid)";
    logged_in_until, "On the profile page, before a date.", "登录有效期至", "Logged in until";
    back_to_app, "The title of the page for an app on the device that asks who is logged in.", "返回应用", "Back to the app";
    app_asks, "Before its name.", "这台设备上的一个应用想知道你是谁：", "An app on this device asks who you are:";
    app_unproved, "Below its name.", "如果不是你刚刚打开的应用，请关闭这个页面。", "If you didn't just open that app, close this page.";
    ask_log_out, "The title of the page that asks.", "要退出登录吗？", "Log out?";
    log_out_here, "What the button of that page does.", "退出后，需要重新用微信登录。", "You'll need WeChat to log in again.";
    privacy, "The link to the site's privacy policy, on every page.", "隐私政策", "Privacy";
}

/// Of [`Reason::ReturnToRefused`], where the page that a login is to end on is on no origin of the site.
#[must_use]
pub const fn unregistered(language: Language) -> Words {
    let usual = Reason::ReturnToRefused.words(language);
    let [title, happened] = match language {
        Language::Chinese => ["登录链接有误", "链接要跳转的网页未在本站登记，登录没有开始。"],
        Language::English => {
            ["This login link isn't allowed", "The page it leads to isn't registered with this site."]
        }
    };
    Words { title, happened, ..usual }
}

#[rustfmt::skip]
impl Reason {
    /// The words of the page.
    #[must_use]
    pub const fn words(self, language: Language) -> Words {
        let [title, happened, next] = match language {
            Language::Chinese => self.chinese(),
            Language::English => self.english(),
        };
        Words { title, happened, next, button: self.button() }
    }

    /// The button of the page. A snapshot has none: WeChat lets it be scrolled and no more, and has a button of its
    /// own.
    #[must_use]
    pub const fn button(self) -> Option<Button> {
        match self {
            Self::Snapshot => None,
            Self::InvalidRequest | Self::ReturnToRefused | Self::NotLoggedIn => Some(Button::LogIn),
            Self::NotAPage => Some(Button::OpenLogin),
            Self::CodeRepeated | Self::AlreadyLoggedIn | Self::NoSubject => Some(Button::GoOn),
            Self::OriginRefused | Self::InvalidTarget | Self::NotFound => Some(Button::Home),
            Self::Misconfigured => Some(Button::TryAgain),
            Self::AccessDenied | Self::LoginExpired | Self::CookieMissing | Self::WechatUnavailable | Self::UserRefused
            | Self::ServiceUnavailable | Self::LoginFailed | Self::Unexpected => Some(Button::LogInAgain),
        }
    }

    /// What to tell who helps, for a screenshot: the id, which finds the line in the log, and the reason. Nothing
    /// where nothing is broken: a number would make an everyday state look like a fault.
    #[must_use]
    pub fn reference(self, language: Language, id: &CorrelationId) -> Option<String> {
        let is_everyday = matches!(
            self,
            Self::NotLoggedIn | Self::AccessDenied | Self::Snapshot | Self::NotFound | Self::CodeRepeated | Self::AlreadyLoggedIn
        );
        let (id, reason) = (id.as_str(), self.as_str());
        (!is_everyday && !id.is_empty()).then(|| match language {
            Language::Chinese => format!("问题编号：{id}（{reason}）"),
            Language::English => format!("Reference: {id} ({reason})"),
        })
    }

    /// What a script reads of a problem: its `title`, which does not change from case to case
    /// ([RFC 9457 §3.1.3](https://www.rfc-editor.org/rfc/rfc9457#section-3.1.3)), and its `detail`.
    #[must_use]
    pub const fn problem(self) -> [&'static str; 2] {
        match self {
            Self::InvalidRequest => ["This request is not right", "A parameter is malformed, given twice, or has a value that is not allowed."],
            Self::ReturnToRefused => ["This return address is not allowed", "`return_to` is too long, badly encoded, or leads to a page that is not one of the allowed ones."],
            Self::NotAPage => ["Please open the login by itself", "The login cannot be opened inside another page."],
            Self::AccessDenied => ["You did not allow the login", "Without your consent, WeChat cannot log you in."],
            Self::LoginExpired => ["This login is no longer valid", "It is over, has been used already, or began in another tab or browser."],
            Self::CodeRepeated => ["The login goes on in a moment", "WeChat repeated a code that was used before."],
            Self::AlreadyLoggedIn => ["Somebody is logged in here already", "A second login of the same page changes nothing."],
            Self::CookieMissing => ["Your browser did not keep a cookie", "Without it, there is no telling whether this is the browser that began the login."],
            Self::Snapshot => ["Please use the full service", "You are looking at a snapshot of the page, which cannot log in."],
            Self::WechatUnavailable => ["WeChat does not answer", "WeChat could not be asked."],
            Self::UserRefused => ["WeChat restricts this account", "WeChat does not let this account log in."],
            Self::ServiceUnavailable => ["The service is not available", "What this service needs does not answer at the moment."],
            Self::Misconfigured => ["The login is set up wrongly", "A setting, or an appid, an app secret or a permission at WeChat, is wrong."],
            Self::LoginFailed => ["The login did not succeed", "WeChat gave two answers that contradict each other, so the login was cancelled."],
            Self::OriginRefused => ["This origin is not allowed", "The page that asks is not on one of the allowed origins."],
            Self::NotLoggedIn => ["You are not logged in", "You have not logged in, or your login has ended."],
            Self::InvalidTarget => ["This API is not one for this page", "`resource` names no API that gives tokens to this page, or is missing where there are several."],
            Self::NoSubject => ["WeChat has not said who this is among all apps", "The unionid is not known; a login with consent brings it, if the apps are bound to one Open Platform account."],
            Self::NotFound => ["There is no such page", "Nothing is found at this address."],
            Self::Unexpected => ["Something went wrong", "The login service met something unexpected."],
        }
    }

    const fn chinese(self) -> [&'static str; 3] {
        match self {
            Self::InvalidRequest => ["链接有误", "这个链接不完整，或已经损坏。", "请回到原来的页面再试一次。"],
            Self::ReturnToRefused => ["这个链接不能使用", "链接要跳转到的网址无法使用。", "请从网站首页重新进入；仍不行，可联系网站客服。"],
            Self::NotAPage => ["请单独打开登录页", "为了账号安全，登录页不能嵌在其他页面里。", "点下面的按钮继续。"],
            Self::AccessDenied => ["你取消了登录", "你没有允许授权，所以这次没有登录。", "想登录的话，请再试一次，并点“允许”。"],
            Self::LoginExpired => ["这次登录已失效", "等待太久，或链接已经用过。也可能是在别的标签页或浏览器里开始的。", "请重新登录。"],
            Self::CodeRepeated => ["稍等几秒", "微信还没有准备好新的登录，需要几秒钟。", "页面会自动继续，也可以点下面的按钮。"],
            Self::AlreadyLoggedIn => ["这里已经登录了", "这次没有换人，仍是之前登录的账号。", "点“继续”回到网站；想换账号，可先退出登录。"],
            Self::CookieMissing => ["浏览器没能记住登录", "可能是无痕模式、禁用了 Cookie，或中途换了浏览器。", "请调整后，用同一个浏览器重新登录。"],
            Self::Snapshot => ["点“使用完整服务”继续", "微信现在只显示网页快照，快照里不能登录。", "请点屏幕右下角的“使用完整服务”，再点“允许”。"],
            Self::WechatUnavailable => ["微信暂时没有响应", "可能是网络繁忙，这次操作没有完成。", "请等一两分钟再试。"],
            Self::UserRefused => ["暂时无法用微信登录", "微信没有允许这次登录，可能与账号状态有关。", "请稍后再试；仍不行，可联系网站客服。"],
            Self::ServiceUnavailable => ["服务暂时不可用", "登录服务有点忙，这次操作没有完成。", "请等一两分钟再试。"],
            Self::Misconfigured => ["暂时无法登录", "网站的登录设置有问题，不是你的操作造成的。", "请把本页截图，发给网站客服。"],
            Self::LoginFailed => ["登录没有成功", "为了保护你的账号，这次操作已取消。", "请重新登录；仍不行，可把本页截图发给网站客服。"],
            Self::OriginRefused => ["操作没有成功", "为了安全，这个操作只能在本网站的页面上进行。", "请回到网站再试一次。"],
            Self::NotLoggedIn => ["你还没有登录", "登录后才能查看；之前登录过的，可能已过期。", "点下面的按钮登录。"],
            Self::InvalidTarget => ["操作没有成功", "这个网页要用的接口没有登记。", "可联系网站客服。"],
            Self::NoSubject => ["还差一步", "网站需要微信再确认一次你的身份。", "点下面的按钮，再点“允许”。"],
            Self::NotFound => ["页面不存在", "链接可能已失效，或者网址有误。", "请从首页重新进入。"],
            Self::Unexpected => ["出错了", "登录服务出现异常，问题已记录。", "请再试一次；仍不行，可把本页截图发给网站客服。"],
        }
    }

    const fn english(self) -> [&'static str; 3] {
        match self {
            Self::InvalidRequest => ["This link doesn't work", "It is incomplete or damaged.", "Go back to the page you came from and try again."],
            Self::ReturnToRefused => ["This link can't be used", "It leads to an address that doesn't work here.", "Start again from the site's home page, or contact the site."],
            Self::NotAPage => ["Open the login page by itself", "To protect your account, it can't be shown inside another page.", "Use the button below."],
            Self::AccessDenied => ["Login cancelled", "You didn't give permission in WeChat.", "To log in, try again and tap 允许 (Allow)."],
            Self::LoginExpired => ["This login is no longer valid", "It took too long, was used already, or began in another tab or browser.", "Please log in again."],
            Self::CodeRepeated => ["Just a few seconds", "WeChat isn't ready for another login yet. It takes a few seconds.", "This page continues automatically, or use the button below."],
            Self::AlreadyLoggedIn => ["You're already logged in here", "This changed nothing; the earlier login stays.", "Tap Continue to go on. To switch accounts, log out first."],
            Self::CookieMissing => ["Your browser didn't keep the login", "This happens in private mode, with cookies blocked, or when the link is opened in another browser.", "Allow cookies and log in again in the same browser."],
            Self::Snapshot => ["Tap 使用完整服务 to go on", "WeChat is showing a preview, and a preview can't log in.", "Tap 使用完整服务 (full service) at the bottom right, then 允许 (Allow)."],
            Self::WechatUnavailable => ["WeChat isn't responding", "We couldn't get an answer from WeChat.", "Wait a minute, then try again."],
            Self::UserRefused => ["WeChat didn't allow this login", "It may be about the state of your WeChat account.", "Try again later, or contact the site."],
            Self::ServiceUnavailable => ["Temporarily unavailable", "The login service is busy, and this didn't go through.", "Wait a minute, then try again."],
            Self::Misconfigured => ["Login is unavailable", "Something is set up wrongly on this site. It's nothing you did.", "Please send a screenshot of this page to the site's support."],
            Self::LoginFailed => ["Login failed", "To protect your account, we stopped here.", "Log in again. If it keeps failing, send a screenshot of this page to the site's support."],
            Self::OriginRefused => ["That didn't work from here", "For safety, this can only be done on this site's own pages.", "Go back to the site and try again."],
            Self::NotLoggedIn => ["You're not logged in", "Log in to see this page. If you did before, that login has ended.", "Use the button below."],
            Self::InvalidTarget => ["That didn't work", "This page asked for something that isn't registered with the site.", "Please contact the site."],
            Self::NoSubject => ["One more step", "The site needs WeChat to confirm once more who you are.", "Use the button below, then tap 允许 (Allow)."],
            Self::NotFound => ["Page not found", "The link may be old, or the address mistyped.", "Start from the home page."],
            Self::Unexpected => ["Something went wrong", "We've recorded the problem.", "Try again. If it keeps failing, send a screenshot of this page to the site's support."],
        }
    }
}

#[cfg(test)]
mod rules;
