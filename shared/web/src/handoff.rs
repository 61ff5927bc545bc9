//! The pages of a hand-off ([`login::handoff`]): of the browser that waits, and of the phone.
//!
//! The page that waits goes on by itself: with its script, which is allowed by its hash, or by opening itself anew. It has
//! no `Cross-Origin-Opener-Policy`, for the login may go on in a window that a page opened.

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use fast_qr::{ECL, QRBuilder};
use http::StatusCode;
use login::handoff::{Device, End};
use ring::digest::{SHA256, digest};

use crate::language::Language;
use crate::page::{STYLE, notice_of, respond, with_form};
use crate::reason::Reason;
use crate::response::Response;
use crate::visit::Visit;
use crate::words::{Button, Labels, Words};

const SCRIPT: &str = include_str!("../templates/handoff_wait.js");

/// What the page of a waiting browser shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// The QR code of this address.
    Code(String),
    /// The number to tap on the phone.
    Number(u8),
    /// That the ticket ended, and why.
    Ended(End),
    /// That another browser was logged in.
    PickedUpByAnother,
    /// That its time is over.
    Over,
}

/// The page of a waiting browser.
#[derive(Debug)]
pub struct Waiting<'a> {
    /// What it shows.
    pub shown: Shown,
    /// What has happened so far, as the script is told.
    pub stage: &'static str,
    /// Whether it is on a phone, which cannot scan itself.
    pub is_phone: bool,
    /// Whether it is 企业微信's, to whose users it is WeChat as well.
    pub is_wecom: bool,
    /// The login that its button begins anew.
    pub link: &'a str,
    /// The login by WeChat's own QR code, if there is one.
    pub code_link: Option<&'a str>,
}

/// What a phone is asked.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The ticket, for the form.
    pub ticket: &'a str,
    /// The session that is asked, likewise.
    pub session: &'a str,
    /// Where the other device will be logged in.
    pub host: &'a str,
    /// The numbers, in their order.
    pub numbers: [u8; 3],
    /// What kind of browser waits.
    pub device: Device,
    /// How many minutes ago it began to.
    pub minutes: u64,
}

/// What a phone has confirmed, and may take back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmed<'a> {
    /// The ticket, for the form.
    pub ticket: &'a str,
    /// The session that confirmed it, likewise.
    pub session: &'a str,
}

/// What a phone is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told<'a> {
    /// It confirmed, and the other device is about to log in.
    Confirmed(Confirmed<'a>),
    /// The other device is logged in.
    PickedUp,
    /// Another phone has scanned the code.
    AnotherPhone,
    /// The ticket ended.
    Ended(End),
    /// Its time is over.
    Over,
}

/// The page of a browser that waits.
#[must_use]
pub fn wait(visit: &Visit, waiting: &Waiting<'_>) -> Response {
    #[derive(Template)]
    #[template(path = "handoff_wait.html")]
    struct Wait<'a> {
        style: &'static str,
        visit: &'a Visit,
        labels: Labels,
        title: &'static str,
        number: Option<u8>,
        code: Option<&'a str>,
        picture: String,
        is_phone: bool,
        is_wecom: bool,
        code_link: Option<&'a str>,
        script: String,
    }
    let labels = Labels::of(visit.language);
    let (number, code) = match &waiting.shown {
        Shown::Code(code) => (None, Some(code.as_str())),
        Shown::Number(number) => (Some(*number), None),
        Shown::Ended(end) => {
            return ended(visit, of_end(visit.language, *end), waiting.link);
        }
        Shown::PickedUpByAnother => return told(visit, by_another(visit.language), Some(waiting.link), None),
        Shown::Over => return ended(visit, over(visit.language), waiting.link),
    };
    let script = SCRIPT.replace("STAGE", waiting.stage);
    let title = match (number, waiting.is_phone) {
        (Some(_), _) => labels.confirm_on_phone,
        (None, true) => labels.open_in_wechat,
        (None, false) => labels.scan_to_log_in,
    };
    let policy = format!(
        "script-src 'sha256-{}'; connect-src 'self'; img-src data:; ",
        BASE64.encode(digest(&SHA256, script.as_bytes()))
    );
    let page = Wait {
        style: STYLE,
        visit,
        labels,
        title,
        number,
        code,
        picture: code.and_then(picture).unwrap_or_default(),
        is_phone: waiting.is_phone,
        is_wecom: waiting.is_wecom,
        code_link: waiting.code_link,
        script,
    };
    respond(StatusCode::OK, &page, &policy)
}

/// The page that asks a phone for the number. Its form is posted to this stack and nowhere else.
#[must_use]
pub fn ask(visit: &Visit, asked: &Asked<'_>) -> Response {
    #[derive(Template)]
    #[template(path = "handoff_ask.html")]
    struct Ask<'a> {
        style: &'static str,
        visit: &'a Visit,
        labels: Labels,
        asked: &'a Asked<'a>,
        device: String,
        since: String,
    }
    let language = visit.language;
    let page = Ask {
        style: STYLE,
        visit,
        labels: Labels::of(language),
        asked,
        device: named(language, asked.device),
        since: since(language, asked.minutes),
    };
    with_form(respond(StatusCode::OK, &page, ""))
}

/// The page that tells a phone how it ended.
#[must_use]
pub fn tell(visit: &Visit, what: Told<'_>) -> Response {
    let language = visit.language;
    let [title, happened] = match what {
        Told::Confirmed(one) => return with_form(told(visit, confirmed(language), None, Some(one))),
        Told::PickedUp => return told(visit, picked_up(language), None, None),
        Told::AnotherPhone => another_phone(language),
        Told::Ended(end) => of_end_on_phone(language, end),
        Told::Over => over(language),
    };
    told(visit, [title, happened, begin_there(language)], None, None)
}

/// The page that says to a phone why there is nothing to confirm. It offers no login, for that would be the phone's own: the
/// other device's begins there. `again` is the address that was opened, for what may pass.
#[must_use]
pub fn refuse(visit: &Visit, reason: Reason, again: Option<&str>) -> Response {
    let language = visit.language;
    let words = reason.words(language);
    let words = match (reason, reason.button()) {
        (Reason::LoginExpired, _) => {
            let [title, happened] = over(language);
            Words { title, happened, next: begin_there(language), button: None }
        }
        (_, Some(Button::Home)) => words,
        (Reason::NotAPage, _) if again.is_some() => words,
        (Reason::ServiceUnavailable | Reason::Misconfigured | Reason::Unexpected, _) => {
            Words { button: again.map(|_| Labels::of(language).try_again), ..words }
        }
        _ => Words { next: begin_there(language), button: None, ..words },
    };
    notice_of(visit, reason, words, again.unwrap_or_default(), None)
}

/// The page of a browser that waited in vain, with the login that begins anew.
fn ended(visit: &Visit, [title, happened]: [&'static str; 2], link: &str) -> Response {
    let next = match visit.language {
        Language::Chinese => "如需登录，请获取新的二维码。",
        Language::English => "Get a new code to log in.",
    };
    told(visit, [title, happened, next], Some(link), None)
}

fn told(
    visit: &Visit,
    words: [&'static str; 3],
    link: Option<&str>,
    confirmed: Option<Confirmed<'_>>,
) -> Response {
    #[derive(Template)]
    #[template(path = "handoff_told.html")]
    struct Said<'a> {
        style: &'static str,
        visit: &'a Visit,
        labels: Labels,
        words: [&'static str; 3],
        link: Option<&'a str>,
        confirmed: Option<Confirmed<'a>>,
    }
    let labels = Labels::of(visit.language);
    respond(StatusCode::OK, &Said { style: STYLE, visit, labels, words, link, confirmed }, "")
}

/// A QR code as a picture that a phone can keep: a PNG of one bit a pixel, as an address.
fn picture(text: &str) -> Option<String> {
    /// Pixels a module, and modules around the code ([ISO/IEC 18004 §5.3.8](https://www.iso.org/standard/83389.html)).
    const SCALE: usize = 8;
    const QUIET: usize = 4;
    let code = QRBuilder::new(text).ecl(ECL::M).build().ok()?;
    let modules = code.size + 2 * QUIET;
    let side = modules * SCALE;
    // SCALE is eight: each module is one byte.
    let blank = vec![0xff; modules];
    let drawn = code.data.get(..code.size * code.size)?.chunks(code.size).map(|row| {
        let dark = row.iter().map(|module| if module.value() { 0 } else { 0xff });
        let quiet = std::iter::repeat_n(0xff, QUIET);
        quiet.clone().chain(dark).chain(quiet).collect::<Vec<u8>>()
    });
    let quiet = std::iter::repeat_n(blank, QUIET);
    let lines = quiet.clone().chain(drawn).chain(quiet);
    let pixels: Vec<u8> = lines.flat_map(|line| std::iter::repeat_n(line, SCALE).flatten()).collect();
    let mut file = Vec::new();
    let side = u32::try_from(side).ok()?;
    let mut encoder = png::Encoder::new(&mut file, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(&pixels).ok()?;
    writer.finish().ok()?;
    Some(format!("data:image/png;base64,{}", BASE64.encode(&file)))
}

/// A kind of browser, in words.
fn named(language: Language, Device { browser, system }: Device) -> String {
    match (language, browser, system) {
        (Language::Chinese, "", "") => "未知的浏览器".to_owned(),
        (Language::Chinese, "", system) => format!("{system} 上的浏览器"),
        (Language::Chinese, browser, "") => format!("{browser} 浏览器"),
        (Language::Chinese, browser, system) => format!("{system} 上的 {browser} 浏览器"),
        (Language::English, "", "") => "An unknown browser".to_owned(),
        (Language::English, "", system) => format!("A browser on {system}"),
        (Language::English, browser, "") => browser.to_owned(),
        (Language::English, browser, system) => format!("{browser} on {system}"),
    }
}

fn since(language: Language, minutes: u64) -> String {
    match (language, minutes) {
        (Language::Chinese, 0) => "不到 1 分钟前打开".to_owned(),
        (Language::Chinese, minutes) => format!("{minutes} 分钟前打开"),
        (Language::English, 0) => "Opened less than a minute ago".to_owned(),
        (Language::English, 1) => "Opened a minute ago".to_owned(),
        (Language::English, minutes) => format!("Opened {minutes} minutes ago"),
    }
}

/// What a phone that was told why there is no login is to do.
const fn begin_there(language: Language) -> &'static str {
    match language {
        Language::Chinese => "要登录另一台设备，请在那里获取新的二维码。",
        Language::English => "To log the other device in, get a new code there.",
    }
}

const fn confirmed(language: Language) -> [&'static str; 3] {
    match language {
        Language::Chinese => {
            ["已确认", "请回到另一台设备，它会自动登录。", "如果那不是你的设备，请马上撤回。"]
        }
        Language::English => [
            "Confirmed",
            "Go back to the other device: it logs in by itself.",
            "If it isn't your device, take it back now.",
        ],
    }
}

const fn picked_up(language: Language) -> [&'static str; 3] {
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

const fn another_phone(language: Language) -> [&'static str; 2] {
    match language {
        Language::Chinese => ["二维码已被扫过", "另一部手机先扫了这个二维码。"],
        Language::English => ["This code was scanned already", "Another phone was faster."],
    }
}

const fn by_another(language: Language) -> [&'static str; 3] {
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

const fn over(language: Language) -> [&'static str; 2] {
    match language {
        Language::Chinese => ["二维码已过期", "二维码三分钟内有效。"],
        Language::English => ["The code has expired", "A code is good for three minutes."],
    }
}

/// How it ended, to the browser that waited.
const fn of_end(language: Language, end: End) -> [&'static str; 2] {
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
const fn of_end_on_phone(language: Language, end: End) -> [&'static str; 2] {
    match (language, end) {
        (Language::Chinese, End::Refused) => ["已拒绝", "另一台设备不会登录。"],
        (Language::Chinese, End::TakenBack) => ["已撤回", "另一台设备不会登录。"],
        (Language::English, End::Refused) => ["Refused", "The other device won't be logged in."],
        (Language::English, End::TakenBack) => ["Taken back", "The other device won't be logged in."],
        (_, End::WrongNumber | End::WaitedForByTwo) => of_end(language, end),
    }
}
