//! The pages of a hand-off ([`login::handoff`]): of the browser that waits, and of the phone.
//!
//! The page that waits goes on by itself: with its script, which is allowed by its hash, or by opening itself anew.
//! What it then shows is another page, of which a screen reader says the title: so the number is in it. It has no
//! `Cross-Origin-Opener-Policy`, for the login may go on in a window that a page opened.

mod qr_code;

use askama::Template;
use http::StatusCode;
use login::handoff::{End, Stage};

use crate::page::{More, STYLE, notice_of, respond};
use crate::policy::{Policy, SELF, inline};
use crate::reason::Reason;
use crate::request::Device;
use crate::response::Response;
use crate::visit::Visit;
use crate::words::{Labels, handoff as words};

const SCRIPT: &str = include_str!("../templates/handoff_wait.js");
/// Of the page that asks. A browser that goes back may show a page as it was, whatever `no-store` says of it: the
/// numbers, of a ticket that is over by then. Without the script they are shown, and a tap on one leads to the page
/// that says so.
const ASKED_AGAIN: &str = include_str!("../templates/handoff_ask.js");

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
    pub stage: Stage,
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
pub struct Question<'a> {
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
    /// It opened the code with something else than WeChat.
    OutsideWechat,
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
        Shown::Ended(end) => return ended(visit, words::ended(visit.language, *end), waiting.link),
        Shown::PickedUpByAnother => {
            return told(visit, words::picked_up_by_another(visit.language), Some(waiting.link), None);
        }
        Shown::Over => return ended(visit, words::over(visit.language), waiting.link),
    };
    let script = SCRIPT.replace("STAGE", waiting.stage.as_str());
    let title = match (number, waiting.is_phone) {
        (Some(_), true) => labels.confirm_in_wechat,
        (Some(_), false) => labels.confirm_on_phone,
        (None, true) => labels.open_in_wechat,
        (None, false) => labels.scan_to_log_in,
    };
    let policy = Policy { script: inline(&script), connect: SELF, images: "data:", ..Policy::default() };
    let page = Wait {
        style: STYLE,
        visit,
        labels,
        title,
        number,
        code,
        picture: code.and_then(qr_code::picture).unwrap_or_default(),
        is_phone: waiting.is_phone,
        is_wecom: waiting.is_wecom,
        code_link: waiting.code_link,
        script,
    };
    respond(StatusCode::OK, &page, policy)
}

/// The page that asks a phone for the number. Its form is posted to this stack and nowhere else.
#[must_use]
pub fn ask(visit: &Visit, asked: &Question<'_>) -> Response {
    #[derive(Template)]
    #[template(path = "handoff_ask.html")]
    struct Ask<'a> {
        style: &'static str,
        visit: &'a Visit,
        labels: Labels,
        asked: &'a Question<'a>,
        device: String,
        since: String,
        script: &'static str,
    }
    let language = visit.language;
    let page = Ask {
        style: STYLE,
        visit,
        labels: Labels::of(language),
        asked,
        device: words::device(language, asked.device),
        since: words::since(language, asked.minutes),
        script: ASKED_AGAIN,
    };
    let policy = Policy { script: inline(ASKED_AGAIN), form_action: SELF.to_owned(), ..Policy::default() };
    respond(StatusCode::OK, &page, policy)
}

/// The page that tells a phone how it ended.
#[must_use]
pub fn tell(visit: &Visit, what: Told<'_>) -> Response {
    let language = visit.language;
    let [title, happened] = match what {
        Told::Confirmed(one) => return told(visit, words::confirmed(language), None, Some(one)),
        Told::PickedUp => return told(visit, words::picked_up(language), None, None),
        Told::OutsideWechat => return told(visit, words::outside_wechat(language), None, None),
        Told::AnotherPhone => words::another_phone(language),
        Told::Ended(end) => words::ended_on_phone(language, end),
        Told::Over => words::over(language),
    };
    told(visit, [title, happened, words::begin_there(language)], None, None)
}

/// The page that says to a phone why there is nothing to confirm. It offers no login, for that would be the phone's
/// own: the other device's begins there. `again` is the address that was opened, for what may pass.
#[must_use]
pub fn refuse(visit: &Visit, reason: Reason, again: Option<&str>) -> Response {
    let told = words::refused(visit.language, reason, again.is_some());
    notice_of(visit, reason, told, again.unwrap_or_default(), More::default())
}

/// The page of a browser that waited in vain, with the login that begins anew.
fn ended(visit: &Visit, [title, happened]: [&'static str; 2], link: &str) -> Response {
    told(visit, [title, happened, words::begin_here(visit.language)], Some(link), None)
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
    let form_action = confirmed.map(|_| SELF.to_owned()).unwrap_or_default();
    let policy = Policy { form_action, ..Policy::default() };
    respond(StatusCode::OK, &Said { style: STYLE, visit, labels, words, link, confirmed }, policy)
}
