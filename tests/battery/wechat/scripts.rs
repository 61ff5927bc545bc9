//! The scripts: what WeChat says, where, and what it means by it.

use std::borrow::Cow;

use harness::places;
use simulator::Fault;

use super::{
    bodies,
    table::{ERRCODES, Kind},
};
use crate::model::words::{Word, words};

words! {
    /// At which point of a visit WeChat says something, by the path at which WeChat has it.
    Endpoint {
        Exchange = places::EXCHANGE,
        ProfileAtLogin = places::PROFILE,
        ProfileLater = places::PROFILE,
        Verification = places::AUTH,
        Refresh = places::REFRESH,
        GlobalToken = places::STABLE_TOKEN,
        Follower = places::FOLLOWER,
        PlatformExchange = places::COMPONENT_EXCHANGE,
        PlatformRefresh = places::COMPONENT_REFRESH,
    }
}

/// What WeChat means by it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Meaning {
    /// No, by this number.
    Said(i64, Kind),
    /// Nobody knows.
    InDoubt,
    /// Nothing, for longer than anybody waits.
    Late,
    /// Nothing, because it cannot be reached.
    NoConnection,
    /// The visitor is on a snapshot page.
    Snapshot,
    /// It is about another person.
    SomebodyElse,
    /// What was asked for.
    Good,
}

/// What is sent.
#[derive(Clone, Debug)]
pub enum Sent {
    /// An error in WeChat's own words.
    Errcode(i64),
    /// Anything that the simulator can do to its answer.
    Fault(Fault),
    /// A body of status 200; `{OPENID}` and `{SCOPE}` stand for the right ones.
    Body {
        text: Cow<'static, str>,
        /// Every character is one byte.
        is_latin1: bool,
    },
    /// The truth, after six seconds.
    Late,
    /// The truth, of a host that is not there.
    Nowhere {
        /// Whether the backup host is.
        has_backup: bool,
    },
}

/// One script.
#[derive(Clone, Debug)]
pub struct Script {
    pub name: String,
    pub endpoint: Endpoint,
    pub meaning: Meaning,
    pub sent: Sent,
    /// The nickname that is then shown, where a body is about that.
    pub nickname: Option<&'static str>,
}

/// The settings of a deployment that are not the usual ones.
pub type Deployment = &'static [(&'static str, &'static str)];

const STALE: (&str, &str) = ("PROFILE_LIFETIME_SECONDS", "0");
const COMPONENT: (&str, &str) = ("COMPONENT_APP_ID", "wx0000000000000ddd");
const TOKENS: (&str, &str) =
    ("COMPONENT_TOKENS", r#"{"wx0000000000000ddd":"90_component0000000000000000000000000000"}"#);
const NOBODY: (&str, &str) = ("WECHAT_API_URL", "http://127.0.0.1:1");

const USUAL: Deployment = &[];
/// Profiles are read again on every occasion.
const ALWAYS_STALE: Deployment = &[STALE];
/// Silent logins ask for the unionid.
const SILENT_UNIONID: Deployment = &[("SILENT_UNIONID", "true")];
/// A third-party platform acts for the Official Account.
const PLATFORM: Deployment = &[COMPONENT, TOKENS];
/// The same, and profiles are read again on every occasion.
const STALE_PLATFORM: Deployment = &[COMPONENT, TOKENS, STALE];
/// WeChat's API is not there.
const UNREACHABLE: Deployment = &[NOBODY];
/// WeChat's API is not there, and its backup host is; where, is known when it is.
pub const BACKUP: Deployment = &[NOBODY, ("WECHAT_API_BACKUP_URL", "")];

/// Every one.
pub const DEPLOYMENTS: [Deployment; 7] =
    [USUAL, ALWAYS_STALE, SILENT_UNIONID, PLATFORM, STALE_PLATFORM, UNREACHABLE, BACKUP];

impl Endpoint {
    /// Whether it is asked while somebody logs in, and not afterwards.
    pub const fn is_of_the_login(self) -> bool {
        !matches!(self, Self::ProfileLater | Self::Verification | Self::Refresh | Self::PlatformRefresh)
    }
}

impl Script {
    fn new(name: impl Into<String>, endpoint: Endpoint, meaning: Meaning, sent: Sent) -> Self {
        Self { name: name.into(), endpoint, meaning, sent, nickname: None }
    }

    /// With which deployment it is tried.
    pub const fn deployment(&self) -> Deployment {
        match (&self.sent, self.endpoint) {
            (Sent::Nowhere { has_backup: true }, _) => BACKUP,
            (Sent::Nowhere { has_backup: false }, _) => UNREACHABLE,
            (_, Endpoint::Exchange | Endpoint::ProfileAtLogin) => USUAL,
            (_, Endpoint::ProfileLater | Endpoint::Verification | Endpoint::Refresh) => ALWAYS_STALE,
            (_, Endpoint::GlobalToken | Endpoint::Follower) => SILENT_UNIONID,
            (_, Endpoint::PlatformExchange) => PLATFORM,
            (_, Endpoint::PlatformRefresh) => STALE_PLATFORM,
        }
    }
}

/// Every script.
pub fn all() -> Vec<Script> {
    let mut scripts = Vec::new();
    for (errcode, kind, places) in ERRCODES {
        for endpoint in places.iter().copied().flatten() {
            let meaning = Meaning::Said(*errcode, *kind);
            let name = format!("{errcode}");
            scripts.push(Script::new(name, *endpoint, meaning, Sent::Errcode(*errcode)));
        }
    }
    for endpoint in Endpoint::ALL {
        for (name, fault) in faults() {
            scripts.push(Script::new(name, *endpoint, Meaning::InDoubt, Sent::Fault(fault)));
        }
        let padding = Fault::Oversize { bytes: 60_000 };
        scripts.push(Script::new("60,000 bytes", *endpoint, Meaning::Good, Sent::Fault(padding)));
        scripts.push(Script::new("late", *endpoint, Meaning::Late, Sent::Late));
        // A platform's answers are read by what reads the others.
        let is_platforms = matches!(endpoint, Endpoint::PlatformExchange | Endpoint::PlatformRefresh);
        let any = if is_platforms { Vec::new() } else { bodies::of_any() };
        for (name, meaning, text) in any.into_iter().chain(bodies::of(*endpoint)) {
            let sent = Sent::Body { text, is_latin1: name.ends_with("(bytes)") };
            scripts.push(Script::new(name, *endpoint, meaning, sent));
        }
    }
    for endpoint in [Endpoint::ProfileAtLogin, Endpoint::ProfileLater] {
        for (name, nickname, text) in bodies::profiles() {
            let sent = Sent::Body { text: text.into(), is_latin1: name.ends_with("(bytes)") };
            let script = Script::new(name, endpoint, Meaning::Good, sent);
            scripts.push(Script { nickname: Some(nickname), ..script });
        }
    }
    for (name, meaning, has_backup) in [
        ("no connection", Meaning::NoConnection, false),
        ("no connection but to the backup host", Meaning::Good, true),
    ] {
        scripts.push(Script::new(name, Endpoint::Exchange, meaning, Sent::Nowhere { has_backup }));
    }
    scripts
}

/// What the simulator does to its answer, whichever that is. Nobody knows then what came of the request.
fn faults() -> Vec<(&'static str, Fault)> {
    let raw = |status, body: &str| Fault::Raw {
        status,
        content_type: "text/plain".to_owned(),
        body: body.to_owned(),
        latin1: false,
    };
    vec![
        ("an HTML page", Fault::Html { status: 200 }),
        ("an HTML page of 502", Fault::Html { status: 502 }),
        ("504", raw(504, "")),
        ("500 with an errcode", raw(500, r#"{"errcode":40029,"errmsg":"invalid code"}"#)),
        ("429", raw(429, r#"{"errcode":0,"errmsg":"ok"}"#)),
        ("204", raw(204, "")),
        ("a redirect", Fault::Redirect { location: "https://evil.example/".to_owned() }),
        ("a redirect to itself", Fault::Redirect { location: "/sns/userinfo".to_owned() }),
        ("half a body", Fault::Truncated),
        ("70,000 bytes", Fault::Oversize { bytes: 70_000 }),
        ("broken off before", Fault::DropBefore),
        ("broken off after", Fault::DropAfter),
        ("broken off half-way", Fault::DropHalfWay),
    ]
}
