//! `GET /connect/qrconnect`
//! ([微信登录](https://developers.weixin.qq.com/doc/oplatform/Website_App/WeChat_Login/Wechat_Login.html)): login on any
//! browser, by a QR code that a phone scans.
//!
//! The page shows a QR code and asks again and again how far it is. The person scans it with a phone and confirms or
//! cancels there; at the next question the page learns the code and goes to the callback by itself. Everything about a
//! QR code hangs on its `uuid`, which both sides know.
//!
//! WeChat's QR code holds an address of WeChat's. This one holds that of the simulator's own [phone], so whatever
//! scans it, a fictional person decides.

pub(crate) mod embedded;
mod image;
pub(crate) mod phone;
pub(crate) mod poll;
pub(crate) mod quick;

use askama::Template;
use serde::Serialize;

use self::embedded::Looks;
use crate::{
    authorize::{visitor, who},
    callback::{Fit, Slot, at_the_end, before_fragment, fit},
    knobs::{QrFragment, QuickLogin},
    ledger::Outcome,
    pages::{self, Page, PageError},
    receive::Received,
    settings::{App, AppKind},
    wire::Answer,
    words,
    world::{Wanted, World},
};

pub(crate) use image::answer as image;

/// Where a QR code is asked for how far it is.
pub(crate) const POLL: &str = "/connect/l/qrconnect";
/// Where its picture is, and the uuid behind it.
pub(crate) const IMAGES: &str = "/connect/qrcode/";

/// A QR code that a page shows
/// ([微信登录](https://developers.weixin.qq.com/doc/oplatform/Website_App/WeChat_Login/Wechat_Login.html)).
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct QrCode {
    /// Its name.
    pub uuid: String,
    /// The website app that asks.
    pub appid: String,
    /// Where the page goes with the code.
    pub redirect_uri: String,
    /// What the app asks for.
    pub scope: String,
    /// What the app wants back.
    pub state: Option<String>,
    /// When the page was asked for, in Unix seconds.
    pub shown_at: u64,
    /// How far it is.
    pub progress: QrProgress,
}

/// How far a QR code is.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "progress", rename_all = "snake_case")]
pub enum QrProgress {
    /// Nobody has scanned it.
    Waiting,
    /// Somebody has, and has not decided.
    Scanned {
        /// Who.
        person: String,
    },
    /// Somebody logs in.
    Confirmed {
        /// Who.
        person: String,
        /// The code.
        code: String,
        /// The callback with it, to which the page goes.
        location: String,
    },
    /// Somebody scanned it and does not log in.
    Cancelled {
        /// Who.
        person: String,
    },
}

/// What a page with a QR code leads to.
pub(crate) fn answer(world: &mut World, received: &Received) -> Page {
    let code = check(world, received)?;
    let mut answer = page(world, received, &code);
    answer.outcome = Outcome::QrCode { uuid: code.uuid.clone() };
    world.qr_codes.push(code);
    Ok(answer)
}

/// What WeChat refuses, in the order it looks. The order of the parameters is not looked at here.
fn check(world: &mut World, received: &Received) -> Result<QrCode, PageError> {
    let text = |name| received.parameter(name).unwrap_or_default().to_owned();
    let (appid, redirect_uri, scope) = (text("appid"), text("redirect_uri"), text("scope"));
    let permitted = permit(world, &appid, &scope, &redirect_uri);
    if permitted != Err(PageError::Text(words::UNKNOWN_APPID)) && is_cut_off(received) {
        return Err(PageError::Text(words::WRONG_SCOPE));
    }
    permitted?;
    // `wxLogin.js` leaves it out.
    if received.parameter("response_type").is_some_and(|kind| kind != "code") || received.method != "GET" {
        return Err(PageError::Text(words::UNREACHABLE_LINK));
    }
    let shown_at = world.now();
    Ok(QrCode {
        uuid: world.identifiers.draw_uuid(shown_at),
        appid,
        redirect_uri,
        scope,
        state: received.parameter("state").map(str::to_owned),
        shown_at,
        progress: QrProgress::Waiting,
    })
}

/// Whether the website app may log somebody in by these scopes and to this callback.
fn permit(world: &World, appid: &str, scope: &str, redirect_uri: &str) -> Result<(), PageError> {
    let app = world.app(appid).ok_or(PageError::Text(words::UNKNOWN_APPID))?;
    if app.kind != AppKind::Website || !owns(app, scope) {
        return Err(PageError::Text(words::WRONG_SCOPE));
    }
    match fit(&app.callback_domains, redirect_uri) {
        Fit::Own => Ok(()),
        Fit::OtherScheme => Err(PageError::Number(10039)),
        Fit::Foreign => Err(PageError::Text(words::WRONG_REDIRECT_URI)),
    }
}

/// Whether the app may ask for these scopes. That of an Official Account may stand beside its own: some clients ask
/// for both by default, and WeChat logs them in.
fn owns(app: &App, scope: &str) -> bool {
    let owned = |scope: &str| app.scopes.iter().any(|owned| owned == scope);
    scope.split(',').any(owned) && scope.split(',').all(|scope| owned(scope) || scope == "snsapi_userinfo")
}

/// Whether the callback stands in the address as it is, though something in it has to be percent-encoded: a query of
/// its own, of which WeChat would see the beginning only.
fn is_cut_off(received: &Received) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte);
    let mut pairs = received.raw_query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.any(|(name, value)| name == "redirect_uri" && value.contains("://") && !value.bytes().all(is_plain))
}

impl QrCode {
    /// Whether it is too late to scan or to decide.
    fn is_expired(&self, world: &World) -> bool {
        let open = matches!(self.progress, QrProgress::Waiting | QrProgress::Scanned { .. });
        open && world.now() >= self.shown_at.saturating_add(world.knobs.qr_lifetime)
    }

    /// The callback with a place for the code.
    fn slot(&self, world: &World) -> Slot {
        Slot::new(&self.redirect_uri, self.state.as_deref(), world.knobs.qr_fragment == QrFragment::Within)
    }

    /// Where the page goes after a refusal, if it goes anywhere.
    fn denial(&self, world: &World) -> Option<String> {
        let parameters = world.knobs.denial.parameters(self.state.as_deref())?;
        Some(match world.knobs.qr_fragment {
            QrFragment::Within => at_the_end(&self.redirect_uri, &parameters),
            QrFragment::Before => before_fragment(&self.redirect_uri, &parameters),
        })
    }
}

#[derive(Template)]
#[template(path = "qrconnect.html")]
struct QrPage<'a> {
    english: bool,
    app_name: &'a str,
    uuid: &'a str,
    slot: Slot,
    denial: String,
    self_redirect: bool,
    looks: Looks,
    /// Where programs that read the page poll.
    poll: String,
    /// Whether the page asks the WeChat of the same computer.
    quick: bool,
}

fn page(world: &World, received: &Received, code: &QrCode) -> Answer {
    let is = |name, value| received.parameter(name) == Some(value);
    // WeChat polls at a host of its own; the simulator is found where the page was.
    let poll = received.origin.replace("//open.", "//long.open.");
    // `fast_login=0` was reported to have no effect on the older looks.
    let looks = Looks::of(received);
    let quick = world.knobs.quick_login != QuickLogin::None && !(is("fast_login", "0") && looks.lite);
    let template = QrPage {
        english: is("lang", "en"),
        app_name: world.app(&code.appid).map_or("", |app| app.name.as_str()),
        uuid: &code.uuid,
        slot: code.slot(world),
        denial: code.denial(world).unwrap_or_default(),
        self_redirect: is("self_redirect", "true"),
        looks,
        poll,
        quick,
    };
    Answer::html(pages::render(&template), Outcome::Pending)
}

/// What a person does with a QR code.
impl World {
    /// The QR code of that name, or the latest.
    pub(crate) fn qr_code(&self, uuid: Option<&str>) -> Result<&QrCode, String> {
        match uuid {
            Some(uuid) => self
                .qr_codes
                .iter()
                .rev()
                .find(|code| code.uuid == uuid)
                .ok_or_else(|| format!("there is no QR code {uuid:?}")),
            None => self.qr_codes.last().ok_or_else(|| "no QR code was shown yet".to_owned()),
        }
    }

    /// Somebody holds a phone in front of it.
    pub(crate) fn scan(&mut self, uuid: Option<&str>, person: Option<&str>) -> Result<(), String> {
        let code = self.qr_code(uuid)?;
        let person = match person {
            Some(person) if self.person(person).is_none() => {
                return Err(format!("there is no person {person:?}"));
            }
            Some(person) => person.to_owned(),
            None => who(self, [self.knobs.current_person.as_deref()]),
        };
        match code.progress {
            _ if code.is_expired(self) => Err("the QR code is too old".to_owned()),
            QrProgress::Waiting => self.proceed(uuid, QrProgress::Scanned { person }),
            _ => Err("the QR code was scanned already".to_owned()),
        }
    }

    /// Whoever scanned it logs in.
    pub(crate) fn confirm(&mut self, uuid: Option<&str>) -> Result<(), String> {
        let (code, person) = self.scanned(uuid)?;
        let wanted = Wanted { appid: &code.appid, scope: &code.scope, ..Wanted::default() };
        let issued = self.issue_code(&person, wanted);
        let location = code.slot(self).with(&issued);
        self.proceed(uuid, QrProgress::Confirmed { person, code: issued, location })
    }

    /// Whoever scanned it does not log in.
    pub(crate) fn cancel(&mut self, uuid: Option<&str>) -> Result<(), String> {
        let (_, person) = self.scanned(uuid)?;
        self.proceed(uuid, QrProgress::Cancelled { person })
    }

    fn scanned(&self, uuid: Option<&str>) -> Result<(QrCode, String), String> {
        let code = self.qr_code(uuid)?;
        match &code.progress {
            _ if code.is_expired(self) => Err("the QR code is too old".to_owned()),
            QrProgress::Scanned { person } => Ok((code.clone(), person.clone())),
            QrProgress::Waiting => Err("nobody has scanned the QR code".to_owned()),
            _ => Err("the QR code was used already".to_owned()),
        }
    }

    fn proceed(&mut self, uuid: Option<&str>, progress: QrProgress) -> Result<(), String> {
        let uuid = self.qr_code(uuid)?.uuid.clone();
        if let Some(code) = self.qr_codes.iter_mut().find(|code| code.uuid == uuid) {
            code.progress = progress;
        }
        Ok(())
    }
}
