//! What can happen next, and how it is told.

use std::fmt::{self, Display, Formatter};

use crate::state::{Request, VISITOR};

/// What WeChat makes of a code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reply {
    /// It gives the person's tokens.
    Yes,
    /// It refuses.
    No,
    /// Nobody knows: no answer, though the code was taken.
    LostYes,
    /// Nobody knows: no answer, and the code was not taken.
    LostNo,
}

/// One thing that happens. Callbacks are named by their place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// A callback arrives.
    Arrives { callback: u8, login: u8, code: u8, browser: u8 },
    /// The condition is read beforehand.
    Looks(u8),
    /// DynamoDB applies a copy of a request, or refuses it, and answers whoever still listens.
    Applies(u8, Request),
    /// The same, and the answer is lost.
    AppliesUnheard(u8, Request),
    /// The SDK sends the request that the callback waits for once more.
    Repeats(u8),
    /// The SDK gives up.
    GivesUp(u8),
    /// DynamoDB forgets the token of a request.
    Forgets(u8, Request),
    /// The code is sent to WeChat.
    Sends(u8),
    /// WeChat answers, or does not.
    Replies(u8, Reply),
    /// A duplicate reads the guard, and finds that there is an outcome.
    SeesOutcome(u8),
    /// The patience of a duplicate ends.
    Tires(u8),
    /// A duplicate reads the session.
    ReadsSession(u8),
    /// The answer with the cookie reaches the browser.
    SetsCookie(u8),
    /// The callback's process dies.
    Dies(u8),
    /// The logins are over.
    TenMinutesPass,
    /// A browser logs out.
    LogsOut(u8),
    /// A copy of the request that stored the first login arrives at last.
    BeginsAgain,
}

/// What a step costs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Price {
    /// It goes on by itself: nothing new, and nothing went wrong.
    Calm,
    /// Something new, that nobody has to wait for.
    Free,
    /// One of the faults.
    Fault,
    /// One of the deaths.
    Death,
    /// One of the logouts.
    Logout,
}

impl Display for Step {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let browser = |browser| if browser == VISITOR { "the visitor's" } else { "the stranger's" };
        match *self {
            Self::Arrives { callback, login, code, browser: from } => {
                let from = browser(from);
                write!(
                    formatter,
                    "callback {callback} arrives with login {login} and code {code} from {from} browser"
                )
            }
            Self::Looks(callback) => write!(formatter, "callback {callback} reads login and guard"),
            Self::Applies(callback, request) => {
                write!(formatter, "DynamoDB decides on {request} of callback {callback} and answers")
            }
            Self::AppliesUnheard(callback, request) => {
                write!(formatter, "DynamoDB decides on {request} of callback {callback}; the answer is lost")
            }
            Self::Repeats(callback) => {
                write!(formatter, "the SDK of callback {callback} repeats its request")
            }
            Self::GivesUp(callback) => write!(formatter, "the SDK of callback {callback} gives up"),
            Self::Forgets(callback, request) => {
                write!(formatter, "DynamoDB forgets the token of {request} of callback {callback}")
            }
            Self::Sends(callback) => write!(formatter, "callback {callback} sends its code to WeChat"),
            Self::Replies(callback, reply) => {
                write!(formatter, "WeChat's reply to callback {callback}: {reply:?}")
            }
            Self::SeesOutcome(callback) => {
                write!(formatter, "callback {callback} sees the outcome it waits for")
            }
            Self::Tires(callback) => write!(formatter, "the patience of callback {callback} ends"),
            Self::ReadsSession(callback) => write!(formatter, "callback {callback} reads the session"),
            Self::SetsCookie(callback) => write!(formatter, "callback {callback} sets the cookie"),
            Self::Dies(callback) => write!(formatter, "callback {callback} dies"),
            Self::TenMinutesPass => write!(formatter, "the logins are over"),
            Self::LogsOut(of) => write!(formatter, "{} browser logs out", browser(of)),
            Self::BeginsAgain => write!(formatter, "a late copy of the first login is stored"),
        }
    }
}
