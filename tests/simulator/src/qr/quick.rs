//! Quick login on the desktop (微信快速登录): the page asks the WeChat that runs on the same computer, whose person
//! confirms there and scans nothing.
//!
//! WeChat's client listens on this computer, as `https://localhost.weixin.qq.com:14013` or on one of the ports beside
//! it. It is asked twice: whether somebody is logged in there (`check-login`), and for the callback with a code
//! (`authorize`). Here both are endpoints of the simulator. Little of this is documented; it is written from what
//! programs that speak to the client send and read.

use axum::http::{HeaderName, StatusCode, header};
use serde_json::{Value, json};

use super::permit;
use crate::{
    callback::before_fragment,
    knobs::QuickLogin,
    ledger::Outcome,
    pages::PageError,
    receive::Received,
    wire::Answer,
    world::{Wanted, World},
};

/// Whether somebody is logged in to the client.
pub(crate) const CHECK: &str = "/api/check-login";
/// The callback with a code, once the person has confirmed.
pub(crate) const AUTHORIZE: &str = "/api/authorize";

/// The client's numbers: the person refused; this login has to be scanned; no such `apiname`; anything else.
const REFUSED: i64 = 10050;
const SCAN_ONLY: i64 = 10057;
const UNKNOWN_API: i64 = -11028;
const FAILED: i64 = -1;

/// A login that the client was asked about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Asked {
    person: String,
    appid: String,
    scope: String,
    redirect_uri: String,
    state: Option<String>,
}

pub(crate) fn check(world: &mut World, received: &Received) -> Answer {
    answer(world, received, "qrconnectchecklogin", |world, said| {
        let asked = asked(world, received, said)?;
        let person = world.person(&asked.person).ok_or(FAILED)?;
        let headimgurl = person.avatar.as_deref().unwrap_or_default();
        let headimgurl = format!("https://wx.qlogo.cn/mmhead/ver_1/{headimgurl}/132");
        let nickname = person.nickname.clone();
        let uuid = world.identifiers.draw_uuid(world.now());
        world.quick_logins.insert(uuid.clone(), asked);
        Ok(Told::new(json!({ "nickname": nickname, "headimgurl": headimgurl, "authorize_uuid": uuid })))
    })
}

pub(crate) fn authorize(world: &mut World, received: &Received) -> Answer {
    answer(world, received, "qrconnectfastauthorize", |world, said| {
        let uuid = said.get("authorize_uuid").and_then(Value::as_str).unwrap_or_default();
        let asked = world.quick_logins.get(uuid).cloned().ok_or(FAILED)?;
        // Whoever asks is asked about what the client showed, and about nothing else.
        let now = Asked { person: asked.person.clone(), ..self::asked(world, received, said)? };
        if now != asked {
            return Err(FAILED);
        }
        if world.knobs.quick_login == QuickLogin::Deny {
            return Err(REFUSED);
        }
        world.quick_logins.remove(uuid);
        let wanted = Wanted { appid: &asked.appid, scope: &asked.scope, ..Wanted::default() };
        let code = world.issue_code(&asked.person, wanted);
        let mut parameters = vec![("code", code.as_str())];
        parameters.extend(asked.state.as_deref().map(|state| ("state", state)));
        let location = before_fragment(&asked.redirect_uri, &parameters);
        let openid = world.openid(&asked.person, &asked.appid);
        Ok(Told {
            jsdata: json!({ "redirect_url": location }),
            about: Some((asked.person, openid)),
            code: Some(code),
        })
    })
}

/// What the client tells.
struct Told {
    jsdata: Value,
    about: Option<(String, String)>,
    code: Option<String>,
}

impl Told {
    fn new(jsdata: Value) -> Self {
        Self { jsdata, about: None, code: None }
    }
}

/// The login a request is about, if the website app may ask for it.
fn asked(world: &World, received: &Received, said: &Value) -> Result<Asked, i64> {
    let text = |name| said.get(name).and_then(Value::as_str).map(str::to_owned);
    let [appid, scope, redirect_uri] =
        ["appid", "scope", "redirect_uri"].map(|name| text(name).unwrap_or_default());
    permit(world, &appid, &scope, &redirect_uri).map_err(|error| match error {
        PageError::Number(number) => number,
        PageError::Text(_) => FAILED,
    })?;
    Ok(Asked { person: super::visitor(world, received), appid, scope, redirect_uri, state: text("state") })
}

/// What every answer of the client has in common: any page may read it.
fn answer(
    world: &mut World,
    received: &Received,
    apiname: &str,
    tell: impl FnOnce(&mut World, &Value) -> Result<Told, i64>,
) -> Answer {
    let mut answer = match (world.knobs.quick_login, received.method.as_str()) {
        // No client listens; the simulator, which does, has nothing here.
        (QuickLogin::None, _) => {
            return Answer::new(StatusCode::NOT_FOUND, "text/plain", Vec::new(), Outcome::NotFound);
        }
        (_, "OPTIONS") => Answer::new(StatusCode::NO_CONTENT, "text/plain", Vec::new(), Outcome::Ok),
        (choice, _) => {
            let body: Value = serde_json::from_slice(&received.body).unwrap_or_default();
            let said = body.get("jsdata").cloned().unwrap_or_default();
            let told = match choice {
                _ if body.get("apiname").and_then(Value::as_str) != Some(apiname) => Err(UNKNOWN_API),
                QuickLogin::ScanOnly => Err(SCAN_ONLY),
                _ => tell(world, &said),
            };
            let json = |value: &Value| {
                let body = value.to_string().into_bytes();
                Answer::new(StatusCode::OK, "application/json", body, Outcome::Ok)
            };
            match told {
                Ok(Told { jsdata, about, code }) => {
                    Answer { code, about, ..json(&json!({ "errcode": 0, "errmsg": "ok", "jsdata": jsdata })) }
                }
                Err(errcode) => Answer {
                    outcome: Outcome::Errcode { errcode },
                    ..json(&json!({ "errcode": errcode, "errmsg": text(errcode), "jsdata": {} }))
                },
            }
        }
    };
    answer.header(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    answer.header(header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type");
    answer.header(HeaderName::from_static("access-control-allow-private-network"), "true");
    answer
}

/// The texts are not known, but for one.
fn text(errcode: i64) -> &'static str {
    match errcode {
        REFUSED => "user refused",
        SCAN_ONLY => "scan only",
        UNKNOWN_API => "invalid apiname",
        _ => "failed",
    }
}
