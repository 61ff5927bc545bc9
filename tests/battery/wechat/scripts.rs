//! The scripts: what WeChat says, where, and what it means by it.

use std::borrow::Cow;

use harness::places;
use simulator::Fault;

use super::{
    bodies,
    table::{ERRCODES, Kind},
};

/// At which point of a visit WeChat says something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Endpoint {
    Exchange,
    ProfileAtLogin,
    ProfileLater,
    Verification,
    Refresh,
    GlobalToken,
    Follower,
    PlatformExchange,
    PlatformRefresh,
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

/// With which deployment a script is tried.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Deployment {
    /// The usual one.
    Usual,
    /// Profiles are read again on every occasion.
    AlwaysStale,
    /// Silent logins ask for the unionid.
    SilentUnionid,
    /// A third-party platform acts for the Official Account.
    Platform,
    /// The same, and profiles are read again on every occasion.
    StalePlatform,
    /// WeChat's API is not there.
    Unreachable,
    /// WeChat's API is not there, and its backup host is.
    Backup,
}

impl Endpoint {
    /// Every one.
    pub const ALL: &'static [Self] = &[
        Self::Exchange,
        Self::ProfileAtLogin,
        Self::ProfileLater,
        Self::Verification,
        Self::Refresh,
        Self::GlobalToken,
        Self::Follower,
        Self::PlatformExchange,
        Self::PlatformRefresh,
    ];

    /// Where WeChat has it.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Exchange => places::EXCHANGE,
            Self::ProfileAtLogin | Self::ProfileLater => places::PROFILE,
            Self::Verification => places::AUTH,
            Self::Refresh => places::REFRESH,
            Self::GlobalToken => places::STABLE_TOKEN,
            Self::Follower => places::FOLLOWER,
            Self::PlatformExchange => places::COMPONENT_EXCHANGE,
            Self::PlatformRefresh => places::COMPONENT_REFRESH,
        }
    }

    const fn is_of_a_platform(self) -> bool {
        matches!(self, Self::PlatformExchange | Self::PlatformRefresh)
    }

    /// Whether it is asked while somebody logs in, and not afterwards.
    pub const fn is_of_the_login(self) -> bool {
        match self {
            Self::Exchange
            | Self::ProfileAtLogin
            | Self::GlobalToken
            | Self::Follower
            | Self::PlatformExchange => true,
            Self::ProfileLater | Self::Verification | Self::Refresh | Self::PlatformRefresh => false,
        }
    }
}

impl Deployment {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::Usual,
        Self::AlwaysStale,
        Self::SilentUnionid,
        Self::Platform,
        Self::StalePlatform,
        Self::Unreachable,
        Self::Backup,
    ];
}

impl Script {
    fn new(name: impl Into<String>, endpoint: Endpoint, meaning: Meaning, sent: Sent) -> Self {
        Self { name: name.into(), endpoint, meaning, sent, nickname: None }
    }

    /// With which deployment it is tried.
    pub const fn deployment(&self) -> Deployment {
        match (&self.sent, self.endpoint) {
            (Sent::Nowhere { has_backup: true }, _) => Deployment::Backup,
            (Sent::Nowhere { has_backup: false }, _) => Deployment::Unreachable,
            (_, Endpoint::Exchange | Endpoint::ProfileAtLogin) => Deployment::Usual,
            (_, Endpoint::ProfileLater | Endpoint::Verification | Endpoint::Refresh) => {
                Deployment::AlwaysStale
            }
            (_, Endpoint::GlobalToken | Endpoint::Follower) => Deployment::SilentUnionid,
            (_, Endpoint::PlatformExchange) => Deployment::Platform,
            (_, Endpoint::PlatformRefresh) => Deployment::StalePlatform,
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
        let any = if endpoint.is_of_a_platform() { Vec::new() } else { bodies::of_any() };
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
