//! What people read on the pages, in both languages.
//!
//! WeChat's own texts are quotations, to the letter: the page errors, the QR code's page, what a person is asked. The
//! rest is the simulator's, and says so where it stands beside a quotation.

pub(crate) mod knobs;

use std::fmt;

use crate::QrProgress;

/// A text in Chinese and in English, as HTML; on a page, one after the other.
pub(crate) struct Both(pub(crate) &'static str, pub(crate) &'static str);

impl Both {
    /// In one of the two.
    pub(crate) fn of(&self, english: bool) -> &'static str {
        if english { self.1 } else { self.0 }
    }

    /// Both with the name of an app in its place.
    pub(crate) fn about(&self, app: &str) -> [String; 2] {
        [self.0, self.1].map(|text| text.replace("{app}", app))
    }
}

impl fmt::Display for Both {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} <span lang=\"en\">{}</span>", self.0, self.1)
    }
}

impl askama::filters::HtmlSafe for Both {}

/// What a page is called that has no name of its own.
pub(crate) const WECHAT: &str = "微信";

/// WeChat's error page with a number: this text, or the one that goes with the number.
pub(crate) fn page_error(number: i64, text: Option<&str>, english: bool) -> String {
    let text = text.unwrap_or_else(|| page_text(number).of(english));
    match number {
        _ if english => format!("{text}. Error code: {number}"),
        // The one that was seen with a narrow colon.
        10039 => format!("{text}，错误码:{number}"),
        _ => format!("{text}，错误码：{number}"),
    }
}

/// WeChat's texts for those with a number. Of the English ones, that of a missing parameter was seen.
fn page_text(number: i64) -> Both {
    match number {
        10003 => Both("redirect_uri域名与后台配置不一致", "\"redirect_uri\" is not on the configured domain"),
        10004 => Both("此公众号被封禁", "This Official Account is banned"),
        10005 => Both("此公众号并没有这些scope的权限", "This Official Account does not have these scopes"),
        10006 => Both("必须关注此测试号", "You have to follow this test account"),
        10009 => Both("操作太频繁了，请稍后重试", "Too frequent, try again later"),
        10010 => Both("scope不能为空", "\"scope\" cannot be left blank"),
        10011 => Both("redirect_uri不能为空", "\"redirect_uri\" cannot be left blank"),
        10012 => Both("appid不能为空", "\"appid\" cannot be left blank"),
        10013 => Both("state不能为空", "\"state\" cannot be left blank"),
        10015 => {
            Both("公众号未授权第三方平台，请检查授权状态", "Not authorized for this third-party platform")
        }
        10016 => Both("不支持微信开放平台的Appid，请使用公众号Appid", "Use the appid of an Official Account"),
        10039 => {
            Both("redirect_uri协议与后台配置不一致", "\"redirect_uri\" does not have the configured protocol")
        }
        _ => Both(UNREACHABLE_LINK, "This link cannot be opened"),
    }
}

/// WeChat's texts for those without.
pub(crate) const UNREACHABLE_LINK: &str = "该链接无法访问";
pub(crate) const STATE_TOO_LONG: &str = "state 参数过长";
pub(crate) const UNKNOWN_APPID: &str = "AppID 参数错误";
pub(crate) const NOT_IN_WECHAT: &str = "请在微信客户端打开链接";
pub(crate) const WRONG_SCOPE: &str = "Scope 参数错误或没有 Scope 权限";
pub(crate) const WRONG_REDIRECT_URI: &str = "redirect_uri 参数错误";

/// The page with the QR code, by its parameter `lang`.
pub(crate) const QR_TITLE: Both = Both("微信登录", "WeChat Login");
pub(crate) const QR_PICTURE: Both = Both("二维码", "QR code");
pub(crate) const QR_WAITING: Both = Both("使用微信扫一扫登录", "Scan with WeChat to log in");
pub(crate) const QR_SCANNED: Both = Both("扫描成功", "Scanned");
pub(crate) const QR_ALLOW: Both = Both("在微信中轻触允许即可登录", "Tap Allow in WeChat to log in");
pub(crate) const QR_CANCELLED: Both = Both("你已取消此次登录", "You cancelled this login");
pub(crate) const QR_AGAIN: Both =
    Both("你可<a href=\"\">再次登录</a>，或关闭窗口", "<a href=\"\">Scan again</a>, or close the window");
pub(crate) const QR_EXPIRED: Both = Both("二维码已过期", "The QR code has expired");
pub(crate) const QR_REFRESH: Both = Both("刷新二维码", "Refresh");
pub(crate) const QR_CONFIRMED: Both = Both("正在登录……", "Going on…");
pub(crate) const QR_PHONE: Both = Both("模拟：用虚拟手机扫码", "Simulated: scan it with a virtual phone");
pub(crate) const QUICK: Both = Both("微信快速登录", "WeChat Quick Login");
pub(crate) const QUICK_OTHER: Both = Both("使用其他头像、昵称或账号", "Use another photo, name, or account");

/// What the person is asked within WeChat.
pub(crate) const CONSENT_TITLE: &str = "微信授权";
pub(crate) const ASKS: &str = "申请";
pub(crate) const CONSENT: &str = "获取你的昵称、头像";
pub(crate) const CONSENT_NOTE: Both = Both(
    "选择以谁的身份登录（模拟）",
    "{app} asks for your nickname and avatar. Choose who logs in (simulated).",
);
pub(crate) const PEOPLE: &str = "微信昵称头像";
pub(crate) const DENY: &str = "拒绝";
pub(crate) const ALLOW: &str = "允许";
pub(crate) const DENIED: &str = "已拒绝授权";
pub(crate) const LEFT: &str = "真实的微信会在这里关闭页面，网站不会收到通知。";
pub(crate) const LEFT_ENGLISH: &str = "You refused. WeChat closes the page here, and the site is not told.";
pub(crate) const RETURNING: &str = "正在返回……";

/// The phone that scans.
pub(crate) const PHONE_TITLE: &str = "虚拟手机 · Virtual phone";
pub(crate) const SCANNING: &str = "扫一扫";
pub(crate) const WHOSE_PHONE: &str = "用谁的微信扫码？";
pub(crate) const WHOSE_PHONE_NOTE: Both = Both(
    "虚拟手机，用来扫“{app}”的二维码（模拟）",
    "A virtual phone in front of the QR code of {app}. Who scans? (simulated)",
);
pub(crate) const SCAN: &str = "扫码";
pub(crate) const LOGIN: &str = "使用你的微信账号登录";
pub(crate) const LOGIN_NOTE: Both =
    Both("并获取你的昵称、头像（模拟）", "{app} asks to log you in on another device (simulated).");
pub(crate) const CANCEL: &str = "取消";
pub(crate) const CONFIRM: &str = "确认登录";
pub(crate) const CONFIRMED: &str = "已确认登录";
pub(crate) const CONFIRMED_NOTE: Both =
    Both("请回到二维码所在的页面。", "Confirmed. Go back to the page with the QR code.");
pub(crate) const CANCELLED: &str = "已取消登录";
pub(crate) const CANCELLED_NOTE: &str = "Cancelled.";
pub(crate) const EXPIRED: &str = "二维码已过期";
pub(crate) const EXPIRED_NOTE: Both =
    Both("请刷新二维码所在的页面。", "The QR code has expired. Reload its page.");
pub(crate) const UNKNOWN: &str = "二维码不存在";
pub(crate) const UNKNOWN_NOTE: Both = Both(
    "请先打开登录页，再从页面上的链接进来。",
    "There is no such QR code. Open the login page first, and come by its link.",
);

/// The page of the administrator.
pub(crate) const ADMIN_TITLE: Both = Both("微信模拟器", "WeChat simulator");
pub(crate) const NOW: Both = Both("模拟时间", "Simulated time");
pub(crate) const QR_CODES: Both = Both("二维码", "QR codes");
pub(crate) const PROGRESS: Both = Both("进度", "Progress");
pub(crate) const PHONE: Both = Both("手机", "Phone");
pub(crate) const OPEN: Both = Both("打开", "Open");
pub(crate) const REQUESTS: Both = Both("最近的请求", "Last requests");
pub(crate) const TIME: Both = Both("时间", "Time");
pub(crate) const REQUEST: Both = Both("请求", "Request");
pub(crate) const QUERY: Both = Both("参数", "Query");
pub(crate) const PERSON: Both = Both("人物", "Person");
pub(crate) const OUTCOME: Both = Both("结果", "Outcome");
pub(crate) const KNOBS: Both = Both("开关", "Knobs");
pub(crate) const SAVE: Both = Both("保存", "Save");
pub(crate) const PEOPLE_AND_APPS: Both = Both("人物与应用", "People and apps");
pub(crate) const COMPONENT: Both = Both("第三方平台", "Third-party platform");

/// How far a QR code is.
pub(crate) fn progress(progress: &QrProgress) -> String {
    match progress {
        QrProgress::Waiting => "等待扫码 · waiting".to_owned(),
        QrProgress::Scanned { person } => format!("已扫码（{person}） · scanned: {person}"),
        QrProgress::Confirmed { person, .. } => format!("已确认（{person}） · confirmed: {person}"),
        QrProgress::Cancelled { person } => format!("已取消（{person}） · cancelled: {person}"),
    }
}
