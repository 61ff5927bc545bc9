//! The words of a hand-off's pages ([`crate::handoff`]), of the browser that waits and of the phone: the heading, what
//! happened, and what to do.

use login::handoff::End;

use super::{Button, Words};
use crate::language::Language;
use crate::reason::Reason;
use crate::request::Device;

/// The pages that say how it went, or why it did not begin, each as who looks at it reads it.
#[must_use]
pub fn pages(language: Language) -> Vec<[&'static str; 3]> {
    let here = |[title, happened]: [&'static str; 2]| [title, happened, begin_here(language)];
    let there = |[title, happened]: [&'static str; 2]| [title, happened, begin_there(language)];
    let ends =
        End::ALL.iter().flat_map(|end| [here(ended(language, *end)), there(ended_on_phone(language, *end))]);
    let others = [
        confirmed(language),
        picked_up(language),
        picked_up_by_another(language),
        outside_wechat(language),
        there(another_phone(language)),
        here(over(language)),
        there(over(language)),
    ];
    let refusals = Reason::ALL.iter().flat_map(|reason| {
        [true, false].map(|may_open_again| {
            let Words { title, happened, next, .. } = refused(language, *reason, may_open_again);
            [title, happened, next]
        })
    });
    ends.chain(others).chain(refusals).collect()
}

/// What the phone is told of the other device: of every kind, and after no, one and several minutes.
#[must_use]
pub fn devices(language: Language) -> Vec<String> {
    let names = |known: &[(&'static str, &'static str)]| {
        let names: Vec<_> = known.iter().map(|(_, name)| *name).chain([""]).collect();
        names
    };
    let browsers = names(Device::BROWSERS);
    let systems = names(Device::SYSTEMS);
    let kinds =
        browsers.iter().flat_map(|&browser| systems.iter().map(move |&system| Device { browser, system }));
    kinds
        .map(|kind| device(language, kind))
        .chain([0, 1, 5].map(|minutes| since(language, minutes)))
        .collect()
}

/// A kind of browser, in words.
pub(crate) fn device(language: Language, Device { browser, system }: Device) -> String {
    match (language, browser, system) {
        (Language::Chinese, "", "") => "未知的浏览器".to_owned(),
        (Language::Chinese, "", system) => format!("{system} 上的浏览器"),
        (Language::Chinese, browser, "") => in_chinese(browser),
        (Language::Chinese, browser, system) => {
            let browser = in_chinese(browser);
            // Beside a letter of ours, a blank.
            let blank = if browser.starts_with(|letter: char| letter.is_ascii()) { " " } else { "" };
            format!("{system} 上的{blank}{browser}")
        }
        (Language::English, "", "") => "An unknown browser".to_owned(),
        (Language::English, "", system) => format!("A browser on {system}"),
        (Language::English, browser, "") => browser.to_owned(),
        (Language::English, browser, system) => format!("{browser} on {system}"),
    }
}

/// A browser as people in China call it: by its Chinese name, if it has one.
fn in_chinese(browser: &str) -> String {
    match browser {
        "WeCom" => "企业微信".to_owned(),
        "WeChat" => "微信".to_owned(),
        "QQ" => "QQ".to_owned(),
        "QQ Browser" => "QQ 浏览器".to_owned(),
        "UC Browser" => "UC 浏览器".to_owned(),
        "Quark" => "夸克浏览器".to_owned(),
        "Baidu" => "百度".to_owned(),
        "Huawei Browser" => "华为浏览器".to_owned(),
        "Mi Browser" => "小米浏览器".to_owned(),
        "vivo Browser" => "vivo 浏览器".to_owned(),
        "OPPO Browser" => "OPPO 浏览器".to_owned(),
        "Samsung Internet" => "三星浏览器".to_owned(),
        browser => format!("{browser} 浏览器"),
    }
}

/// When it began to wait.
pub(crate) fn since(language: Language, minutes: u64) -> String {
    match (language, minutes) {
        (Language::Chinese, 0) => "不到 1 分钟前打开".to_owned(),
        (Language::Chinese, minutes) => format!("{minutes} 分钟前打开"),
        (Language::English, 0) => "Opened less than a minute ago".to_owned(),
        (Language::English, 1) => "Opened a minute ago".to_owned(),
        (Language::English, minutes) => format!("Opened {minutes} minutes ago"),
    }
}

/// What who waited in vain is to do.
pub(crate) const fn begin_here(language: Language) -> &'static str {
    match language {
        Language::Chinese => "如需登录，请获取新的二维码。",
        Language::English => "Get a new code to log in.",
    }
}

/// What a phone that was told why there is no login is to do.
pub(crate) const fn begin_there(language: Language) -> &'static str {
    match language {
        Language::Chinese => "要登录另一台设备，可在那里获取新的二维码。",
        Language::English => "To log the other device in, get a new code there.",
    }
}

/// What a phone is to do that did not get as far as the question: the code is as good as before.
pub(crate) const fn scan_again(language: Language) -> &'static str {
    match language {
        Language::Chinese => "要登录另一台设备，请再扫一次那里的二维码。",
        Language::English => "To log the other device in, scan its code once more.",
    }
}

/// Why there is nothing for a phone to confirm. What it did not begin, it begins nowhere else; `may_open_again` is
/// whether the page knows the address that was opened.
pub(crate) const fn refused(language: Language, reason: Reason, may_open_again: bool) -> Words {
    let usual = reason.words(language);
    match (reason, reason.button()) {
        (Reason::LoginExpired, _) => {
            let [title, happened] = over(language);
            Words { title, happened, next: begin_there(language), button: None }
        }
        (_, Some(Button::Home)) => usual,
        (Reason::NotAPage, _) if may_open_again => usual,
        (Reason::ServiceUnavailable | Reason::Misconfigured | Reason::Unexpected, _) => {
            let button = if may_open_again { Some(Button::TryAgain) } else { None };
            Words { button, ..usual }
        }
        (Reason::AccessDenied | Reason::CookieMissing, _) => {
            Words { next: scan_again(language), button: None, ..usual }
        }
        _ => Words { next: begin_there(language), button: None, ..usual },
    }
}

/// To the phone that said yes.
pub(crate) const fn confirmed(language: Language) -> [&'static str; 3] {
    match language {
        Language::Chinese => ["已确认", "回到另一台设备，它会自动登录。", "如果那不是你的设备，请马上撤回。"],
        Language::English => [
            "Confirmed",
            "Go back to the other device: it logs in automatically.",
            "If it isn't your device, take it back now.",
        ],
    }
}

/// To the phone, once it worked.
pub(crate) const fn picked_up(language: Language) -> [&'static str; 3] {
    match language {
        Language::Chinese => [
            "另一台设备已登录",
            "在这部手机上退出登录，不会影响它。",
            "如果那不是你的设备，请马上联系网站客服。",
        ],
        Language::English => [
            "The other device is logged in",
            "Logging out on this phone doesn't log it out.",
            "If it isn't your device, contact the site at once.",
        ],
    }
}

/// To whoever opens the code with a camera, or in another browser than WeChat's.
pub(crate) const fn outside_wechat(language: Language) -> [&'static str; 3] {
    match language {
        Language::Chinese => [
            "需要在微信里打开",
            "这个链接让另一台设备登录，只能在微信里使用。",
            "请用微信扫描二维码，或把这个链接发到微信里打开。",
        ],
        Language::English => [
            "Open this in WeChat",
            "This link logs another device in. It works in WeChat only.",
            "Scan the code with WeChat, or send yourself this link and open it there.",
        ],
    }
}

/// To a phone that came second, or that has another session since it came first.
pub(crate) const fn another_phone(language: Language) -> [&'static str; 2] {
    match language {
        Language::Chinese => ["二维码已被扫过", "先扫的可能是另一部手机，也可能是重新登录之前的你。"],
        Language::English => {
            ["This code was scanned already", "By another phone, or by this one before it logged in again."]
        }
    }
}

/// To the browser whose number another one brought.
pub(crate) const fn picked_up_by_another(language: Language) -> [&'static str; 3] {
    match language {
        Language::Chinese => [
            "登录的是另一个浏览器",
            "手机确认之后，登录的不是这个浏览器。",
            "如果不是你操作的，请马上联系网站客服。",
        ],
        Language::English => [
            "Another browser was logged in",
            "Your phone's answer was picked up elsewhere, not here.",
            "If that wasn't you, contact the site at once.",
        ],
    }
}

/// To whoever is too late.
pub(crate) const fn over(language: Language) -> [&'static str; 2] {
    match language {
        Language::Chinese => ["二维码已过期", "二维码三分钟内有效。"],
        Language::English => ["The code has expired", "A code is good for three minutes."],
    }
}

/// How it ended, to the browser that waited.
pub(crate) const fn ended(language: Language, end: End) -> [&'static str; 2] {
    match (language, end) {
        (Language::Chinese, End::Refused) => ["没有登录", "手机上拒绝了这次登录。"],
        (Language::Chinese, End::TakenBack) => ["没有登录", "手机上撤回了这次登录。"],
        (Language::Chinese, End::WrongNumber) => ["数字不对，没有登录", "为了账号安全，点错一次就会结束。"],
        (Language::Chinese, End::WaitedForByTwo) => ["有两个浏览器在等待", "为了账号安全，这次登录已结束。"],
        (Language::English, End::Refused) => ["Not logged in", "The login was refused on the phone."],
        (Language::English, End::TakenBack) => ["Not logged in", "The login was taken back on the phone."],
        (Language::English, End::WrongNumber) => {
            ["Not logged in: wrong number", "To protect your account, one wrong tap ends it."]
        }
        (Language::English, End::WaitedForByTwo) => {
            ["Two browsers were waiting", "To protect your account, this login has ended."]
        }
    }
}

/// The same to the phone, which is logged in itself.
pub(crate) const fn ended_on_phone(language: Language, end: End) -> [&'static str; 2] {
    match (language, end) {
        (Language::Chinese, End::Refused) => ["已拒绝", "另一台设备不会登录。"],
        (Language::Chinese, End::TakenBack) => ["已撤回", "另一台设备不会登录。"],
        (Language::English, End::Refused) => ["Refused", "The other device won't be logged in."],
        (Language::English, End::TakenBack) => ["Taken back", "The other device won't be logged in."],
        (_, End::WrongNumber | End::WaitedForByTwo) => ended(language, end),
    }
}
