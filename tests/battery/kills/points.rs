//! Every await point of the product, and the visits that lead to it.

use std::fmt;

use harness::{
    places::{AUTH, EXCHANGE, FOLLOWER, PROFILE, REFRESH, STABLE_TOKEN},
    proxy::{Call, Kind},
};

/// What a function waits for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Awaited {
    /// DynamoDB, called by this function of the store.
    Table(Kind),
    /// WeChat, at this endpoint.
    Wechat(&'static str),
    /// The Runtime API, which takes the answer.
    Answer,
}

/// Where a process is killed.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Point {
    /// The function whose process it is.
    pub function: &'static str,
    /// What it waits for.
    pub awaited: Awaited,
    /// Whether its request has had its effect, or never will.
    pub is_applied: bool,
}

/// What the visitor does when the process is killed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Visit {
    /// Logs in, with the profile.
    Login,
    /// The same, with the session of a login before.
    Known,
    /// Comes back from WeChat, which refuses the code.
    Refused,
    /// Opens the callback of a finished login again.
    Again,
    /// Opens the callback of somebody else's login.
    Foreign,
    /// Comes back from a silent login, while nobody has the app's global token.
    Silent,
    /// The same, and WeChat does not give the token.
    Tokenless,
    /// Asks who is logged in, when the access token is over.
    Show,
    /// Asks whether the grant still stands, too.
    Verify,
    /// Asks who is logged in, when the grant is gone.
    Gone,
    /// The same, a while after WeChat said so.
    LongGone,
    /// Logs out.
    Logout,
    /// Erases what is stored.
    Erase,
}

/// What is to happen to a visitor: what they do, and where a process is killed each time.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What they do.
    pub visit: Visit,
    /// Where they lose a process: nowhere, once, or twice.
    pub deaths: Vec<Point>,
}

use Awaited::{Answer, Table, Wechat};

/// All that is awaited in each visit, by function, in order but for the login, which is read beside the
/// claim.
const VISITS: &[(Visit, &str, &[Awaited])] = &[
    (Visit::Login, "authorize", &[Table(Kind::PutLogin), Answer]),
    (Visit::Login, "callback", CLAIM),
    (Visit::Login, "callback", &[Wechat(EXCHANGE), Wechat(PROFILE), Table(Kind::Finish), Answer]),
    (Visit::Known, "callback", CLAIM),
    (
        Visit::Known,
        "callback",
        &[Wechat(EXCHANGE), Table(Kind::Session), Wechat(PROFILE), Table(Kind::Finish), Answer],
    ),
    (Visit::Refused, "callback", CLAIM),
    (Visit::Refused, "callback", &[Wechat(EXCHANGE), Table(Kind::FailCode), Answer]),
    (Visit::Again, "callback", CLAIM),
    (Visit::Again, "callback", &[Table(Kind::CodeOutcome), Table(Kind::Session), Answer]),
    (Visit::Foreign, "callback", CLAIM),
    (Visit::Foreign, "callback", &[Table(Kind::SpendCode), Answer]),
    (Visit::Silent, "callback", CLAIM),
    (Visit::Silent, "callback", ASK_FOR_TOKEN),
    (Visit::Silent, "callback", &[Table(Kind::PutAppToken), Wechat(FOLLOWER), Table(Kind::Finish), Answer]),
    (Visit::Tokenless, "callback", CLAIM),
    (Visit::Tokenless, "callback", ASK_FOR_TOKEN),
    (Visit::Tokenless, "callback", &[Table(Kind::FailAppToken), Table(Kind::Finish), Answer]),
    (Visit::Show, "userinfo", &[Table(Kind::Session), Wechat(PROFILE), Wechat(REFRESH)]),
    (Visit::Show, "userinfo", &[Table(Kind::SaveSession), Wechat(PROFILE), Table(Kind::SaveSession), Answer]),
    (Visit::Verify, "userinfo", &[Table(Kind::Session), Wechat(AUTH), Wechat(PROFILE)]),
    (Visit::Verify, "userinfo", &[Table(Kind::SaveSession), Answer]),
    (Visit::Gone, "userinfo", &[Table(Kind::Session), Wechat(PROFILE), Wechat(REFRESH)]),
    // Somebody else may have been faster, and is waited for.
    (Visit::Gone, "userinfo", &[Table(Kind::Session); 5]),
    (Visit::Gone, "userinfo", &[Table(Kind::MarkRefused), Answer]),
    (Visit::LongGone, "userinfo", &[Table(Kind::Session), Table(Kind::DeleteVersion), Answer]),
    (Visit::Logout, "logout", &[Table(Kind::DeleteSession), Answer]),
    (Visit::Erase, "userinfo", &[Table(Kind::DeleteSession), Answer]),
];

/// How every callback begins.
const CLAIM: &[Awaited] = &[Table(Kind::Claim), Table(Kind::Login)];
/// How a silent one goes on, while nobody has the app's global token.
const ASK_FOR_TOKEN: &[Awaited] =
    &[Wechat(EXCHANGE), Table(Kind::AppToken), Table(Kind::LeaseAppToken), Wechat(STABLE_TOKEN)];

impl Visit {
    /// Every visit.
    pub fn all() -> impl Iterator<Item = Self> {
        let mut visits: Vec<_> = VISITS.iter().map(|(visit, ..)| *visit).collect();
        visits.dedup();
        visits.into_iter()
    }

    /// Every point at which a process can die in this visit.
    pub fn points(self) -> Vec<Point> {
        let mut points = Vec::new();
        for (function, awaited) in self.awaited() {
            // Nobody can tell an answer that was taken from a process that nobody killed.
            let sides: &[bool] = if awaited == Answer { &[true] } else { &[false, true] };
            for is_applied in sides {
                let point = Point { function, awaited, is_applied: *is_applied };
                if !points.contains(&point) {
                    points.push(point);
                }
            }
        }
        points
    }

    /// Every call that is made in this visit when nobody dies, in order of their words.
    pub fn calls(self) -> Vec<Made> {
        let call = |(function, awaited): (&str, Awaited)| match awaited {
            Table(kind) => Some(Made::Table(function.to_owned(), kind)),
            Wechat(path) => Some(Made::Wechat(path.to_owned())),
            Answer => None,
        };
        let mut calls: Vec<_> = self.awaited().filter_map(call).collect();
        calls.sort_unstable();
        calls
    }

    fn awaited(self) -> impl Iterator<Item = (&'static str, Awaited)> {
        let of_this = VISITS.iter().filter(move |(visit, ..)| *visit == self);
        of_this.flat_map(|(_, function, awaited)| awaited.iter().map(|awaited| (*function, *awaited)))
    }
}

/// A call that was made, in the words of the list.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Made {
    /// By this function, to DynamoDB.
    Table(String, Kind),
    /// By whichever function, to WeChat.
    Wechat(String),
}

impl Made {
    /// A call to DynamoDB.
    pub fn table(call: &Call) -> Self {
        Self::Table(call.function.clone(), call.kind)
    }
}

impl Point {
    /// Whether a process that dies here takes along what WeChat gave it instead of the refresh token.
    pub fn loses_refresh_token(&self) -> bool {
        matches!((self.awaited, self.is_applied), (Wechat(REFRESH), true) | (Table(Kind::SaveSession), false))
    }
}

impl fmt::Display for Point {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = if self.is_applied { "after" } else { "before" };
        match self.awaited {
            Table(kind) => write!(formatter, "{} {side} {kind}", self.function),
            Wechat(path) => write!(formatter, "{} {side} {path}", self.function),
            Answer => write!(formatter, "{} at its answer", self.function),
        }
    }
}
