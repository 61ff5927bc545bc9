//! `wxLogin.js` ([微信登录](https://developers.weixin.qq.com/doc/oplatform/Website_App/WeChat_Login/Wechat_Login.html)),
//! which shows the page with the QR code inside of a page of the app, and what that page is told about its looks.

use axum::http::StatusCode;

use crate::{ledger::Outcome, receive::Received, wire::Answer, world::World};

/// Where the script is, at `res.wx.qq.com`; the language in the path changes nothing.
const SCRIPTS: [&str; 2] =
    ["/connect/zh_CN/htmledition/js/wxLogin.js", "/connect/en_US/htmledition/js/wxLogin.js"];

/// Whether a path is that of the script.
pub(crate) fn is_script(path: &str) -> bool {
    SCRIPTS.contains(&path)
}

/// What lets a frame send the page around it to the callback though nobody has touched it. Chromium refuses that
/// otherwise, whoever asks.
const SANDBOX: &str = "allow-scripts allow-same-origin allow-top-navigation";

/// The script, which opens the page of the simulator that it comes from.
pub(crate) fn script(world: &mut World, received: &Received) -> Answer {
    // Scripts are at another of WeChat's hosts than the pages.
    let origin = received.origin.replace("res.wx.qq.com", "open.weixin.qq.com");
    let body = include_str!("../../templates/wxLogin.js").replace("ORIGIN", &origin);
    let body = body.replace("SANDBOX", if world.knobs.wx_login_sandbox { SANDBOX } else { "" });
    Answer::new(StatusCode::OK, "application/javascript", body.into_bytes(), Outcome::Ok)
}

/// How the page looks.
pub(super) struct Looks {
    /// Inside of a page of the app.
    pub(super) embedded: bool,
    /// The looks of `stylelite=1`, which the app cannot change.
    pub(super) lite: bool,
    /// For a dark page: `style=white`.
    pub(super) white: bool,
    /// The app's own style sheet, or none.
    pub(super) style_sheet: String,
}

impl Looks {
    pub(super) fn of(received: &Received) -> Self {
        let is = |name, value| received.parameter(name) == Some(value);
        let lite = is("stylelite", "1");
        let is_allowed =
            |href: &&str| href.starts_with("https://") || href.starts_with("data:text/css;base64,");
        let style_sheet = received.parameter("href").filter(is_allowed).filter(|_| !lite);
        Self {
            embedded: is("login_type", "jssdk"),
            lite,
            white: is("style", "white") && !lite,
            style_sheet: style_sheet.unwrap_or_default().to_owned(),
        }
    }
}
