//! What all of `api.weixin.qq.com` has in common: failures are HTTP 200 and carry an `errcode`.
//!
//! Two subsystems stand behind that host, and they do not write alike. `sns/*` declares `text/plain` and puts a comma
//! before the request id; `cgi-bin/*` declares `application/json; encoding=utf-8`, a parameter nobody knows, and puts a
//! space there. A client that reads either must read both.

mod errcode;

use std::net::IpAddr;

use crate::{
    knobs::SuffixStyle,
    ledger::Outcome,
    receive::Received,
    wire::{Answer, Object},
    world::{Identity, World},
};

/// WeChat's number for what went wrong.
pub(crate) type Errcode = i64;

/// Which subsystem answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Dialect {
    /// `/sns/*`
    Sns,
    /// The endpoints of `/cgi-bin/*` that hand out tokens.
    Token,
    /// All others of `/cgi-bin/*`, whose errors still carry a request id of 2016 before the current one.
    CgiBin,
}

impl Dialect {
    /// The subsystem of a path, or none for a page.
    pub(crate) fn of(path: &str) -> Option<Self> {
        match path {
            _ if path.starts_with("/sns/") => Some(Self::Sns),
            "/cgi-bin/token" | "/cgi-bin/stable_token" => Some(Self::Token),
            _ if path.starts_with("/cgi-bin/") => Some(Self::CgiBin),
            _ => None,
        }
    }

    /// What it declares its bodies to be. All are UTF-8 JSON.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Sns => "text/plain",
            Self::Token | Self::CgiBin => "application/json; encoding=utf-8",
        }
    }
}

/// What an endpoint refuses: a number, and the text where it tells more than the number does.
#[derive(Debug)]
pub(crate) struct Refusal {
    errcode: Errcode,
    text: Option<String>,
}

impl From<Errcode> for Refusal {
    fn from(errcode: Errcode) -> Self {
        Self { errcode, text: None }
    }
}

impl Refusal {
    /// The caller's address is not on the allow-list, in the words that go with the number.
    pub(crate) fn of_address(errcode: Errcode, address: IpAddr, style: SuffixStyle) -> Self {
        let mapped = match address {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        let text = match (errcode, style) {
            (40164, SuffixStyle::Rid) => {
                format!("invalid ip {address} ipv6 {mapped}, not in whitelist")
            }
            (40164, _) => format!("invalid ip {address}, not in whitelist"),
            (45035 | 61004, _) => format!("{} requestIP: {address}", errcode::text(Dialect::Token, errcode)),
            _ => return errcode.into(),
        };
        Self { errcode, text: Some(text) }
    }
}

/// Answers with an error in WeChat's own words.
pub(crate) fn error(world: &mut World, dialect: Dialect, errcode: Errcode) -> Answer {
    refuse(world, dialect, errcode.into())
}

fn refuse(world: &mut World, dialect: Dialect, refusal: Refusal) -> Answer {
    let Refusal { errcode, text } = refusal;
    let text = text.unwrap_or_else(|| errcode::text(dialect, errcode).to_owned());
    let suffix = suffix(world, dialect, errcode);
    error_with(world, dialect, errcode, &format!("{text}{suffix}"))
}

/// Answers with an error of a given text.
pub(crate) fn error_with(world: &World, dialect: Dialect, errcode: Errcode, errmsg: &str) -> Answer {
    let object = Object::new(world.knobs.unicode_escapes);
    let object = if world.knobs.errcode_as_string {
        object.string("errcode", &errcode.to_string())
    } else {
        object.number("errcode", errcode)
    };
    let body = object.message("errmsg", errmsg).finish();
    Answer::api(dialect, body, Outcome::Errcode { errcode })
}

/// What is refused before the endpoint itself looks: tokens, quotas, addresses. These errors have one request id.
const BEFORE_THE_ENDPOINT: [Errcode; 8] = [-1, 40001, 40014, 40066, 41001, 42001, 45009, 45011];

/// How the text ends.
fn suffix(world: &mut World, dialect: Dialect, errcode: Errcode) -> String {
    let now = world.now();
    let identifiers = &mut world.identifiers;
    // The one text of `sns` that was seen without the comma.
    let comma = if dialect == Dialect::Sns && errcode != 40014 { "," } else { "" };
    let with_hint =
        world.knobs.suffix_style == SuffixStyle::Transition || !BEFORE_THE_ENDPOINT.contains(&errcode);
    match (world.knobs.suffix_style, dialect) {
        (SuffixStyle::Bare, _) => String::new(),
        (SuffixStyle::Hints, Dialect::Sns) => {
            format!(", hints: [ req_id: {} ]", identifiers.draw_req_id(now))
        }
        (SuffixStyle::Hints, _) => format!(" hint: [{}]", identifiers.draw_req_id(now)),
        (SuffixStyle::Transition, Dialect::Sns) => format!(" rid: {}", identifiers.draw_rid(now)),
        (SuffixStyle::Transition, _) | (SuffixStyle::Rid, Dialect::CgiBin) if with_hint => {
            let req_id = identifiers.draw_req_id(now);
            format!(" hint: [{req_id}] rid: {}", identifiers.draw_rid(now))
        }
        (SuffixStyle::Transition | SuffixStyle::Rid, _) => {
            format!("{comma} rid: {}", identifiers.draw_rid(now))
        }
    }
}

/// What an endpoint found: a body and whom it is about, or why not.
pub(crate) type Found = Result<(Vec<u8>, Option<Identity>), Refusal>;

/// Turns what an endpoint found into its answer.
pub(crate) fn answer(world: &mut World, dialect: Dialect, found: Found) -> Answer {
    match found {
        Ok((body, identity)) => {
            let mut answer = Answer::api(dialect, body, Outcome::Ok);
            answer.about = identity.map(|identity| (identity.person, identity.openid));
            answer
        }
        Err(refusal) => refuse(world, dialect, refusal),
    }
}

/// The parameter, or the error for its absence. Empty is absent.
pub(crate) fn required<'a>(received: &'a Received, name: &str, errcode: Errcode) -> Result<&'a str, Errcode> {
    received.parameter(name).filter(|value| !value.is_empty()).ok_or(errcode)
}

/// The GET that every endpoint of `sns` wants; those that hand out tokens take a POST as well.
pub(crate) fn require_method(received: &Received, methods: &[&str]) -> Result<(), Errcode> {
    if methods.contains(&received.method.as_str()) { Ok(()) } else { Err(43001) }
}
