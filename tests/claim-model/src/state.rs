//! Everything that a state is made of. It is compared, hashed and kept by the million, hence the bytes.

use std::fmt::{self, Display, Formatter};

/// How many logins there are.
pub const LOGINS: usize = 2;
/// How many codes there are.
pub const CODES: usize = 2;
/// How many browsers there are: the visitor's and a stranger's.
pub const BROWSERS: usize = 2;
/// How many callbacks there can be.
pub const CALLBACKS: usize = 3;
/// How many codes may be marked spent for one login.
pub const MOST_MARKS: u8 = 1;

/// The visitor's browser.
pub const VISITOR: u8 = 0;
/// The stranger's browser.
pub const STRANGER: u8 = 1;
/// The attempt of a guard that nobody claimed.
pub const NOBODY: u8 = u8::MAX;

/// A login as it is stored.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Login {
    /// The browser that began it.
    pub owner: u8,
    /// The code it was claimed by.
    pub claimed: Option<u8>,
    /// How many codes were marked spent because they came with another browser.
    pub marks: u8,
}

/// What became of a code.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Outcome {
    /// Nothing yet: there is no guard.
    Absent,
    /// It is being exchanged, or whoever did so died.
    Claimed,
    /// It gave a session.
    Done,
    /// It gave none, and will not.
    Failed,
}

/// The guard of a code.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Guard {
    /// What became of the code.
    pub outcome: Outcome,
    /// The callback that claimed it, or [`NOBODY`].
    pub attempt: u8,
}

/// A session: never back from the last to the second.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Session {
    /// It was never stored.
    Never,
    /// It is stored.
    Stored,
    /// It was stored, and ended.
    Ended,
}

/// What is asked of DynamoDB.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Request {
    /// Login and guard, both or neither.
    Claim,
    /// Session and guard, both or neither.
    Finish,
    /// The guard: it gave no session.
    Fail,
    /// The guard: spent, because a stranger brought the code.
    Mark,
}

impl Display for Request {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Claim => "the claim",
            Self::Finish => "the finish",
            Self::Fail => "the failure",
            Self::Mark => "the mark",
        })
    }
}

/// Where a callback stands.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Phase {
    /// It has not arrived.
    Away,
    /// Only where the condition is read beforehand: about to read it.
    Looking,
    /// It waits for the answer to its claim.
    Claiming,
    /// The claim is its own, and the code is not sent yet.
    Won,
    /// It waits for WeChat.
    Asking,
    /// Only where the cookie comes first: about to set it.
    Hasty,
    /// It waits until the session is stored.
    Finishing,
    /// It waits until the failure is recorded.
    Failing,
    /// It is a duplicate, and waits for the one that won.
    Waiting,
    /// The one that won is done; about to see whether the session is still there.
    Reading,
    /// It waits until its code is marked spent.
    Marking,
    /// About to answer with the cookie.
    Answering,
    /// It has answered.
    Over,
    /// It died.
    Dead,
}

/// One callback, the process that serves it included.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Callback {
    /// Where it stands.
    pub phase: Phase,
    /// The login it came with.
    pub login: u8,
    /// The code it came with.
    pub code: u8,
    /// The browser it came from.
    pub browser: u8,
    /// The session that the browser came with, by its login.
    pub brought: Option<u8>,
    /// Whether it arrived when the logins were over.
    pub is_late: bool,
    /// The code whose outcome a duplicate waits for.
    pub awaited: u8,
    /// Copies of each [`Request`] that are on their way.
    pub copies: [u8; 4],
    /// Whether DynamoDB remembers the token of the claim, and of the finish.
    pub remembered: [bool; 2],
}

/// What only an onlooker knows; no decision of the protocol depends on it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct History {
    /// How often each code was sent to WeChat.
    pub sent: [u8; CODES],
    /// How often a code was sent to WeChat for each login.
    pub sent_for: [u8; LOGINS],
    /// How many sessions each login gave.
    pub sessions_of_login: [u8; LOGINS],
    /// How many sessions each code gave.
    pub sessions_of_code: [u8; CODES],
    /// Which codes a stranger brought, or came second, before anybody had claimed them.
    pub betrayed: [bool; CODES],
    /// For which logins a callback of their own browser came.
    pub owner_came: [bool; LOGINS],
}

/// Everything there is at one moment.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct State {
    /// The table of logins: the logins.
    pub logins: [Login; LOGINS],
    /// The table of logins: the guards of the codes.
    pub guards: [Guard; CODES],
    /// The table of sessions, by login and browser.
    pub sessions: [[Session; BROWSERS]; LOGINS],
    /// The code that each login's session was made with, which its token is derived from.
    pub made_by: [Option<u8>; LOGINS],
    /// The session cookie of each browser, by the login it names.
    pub cookies: [Option<u8>; BROWSERS],
    /// Which codes WeChat has taken.
    pub taken: [bool; CODES],
    /// The callbacks, in the order in which they arrive.
    pub callbacks: [Callback; CALLBACKS],
    /// Whether the ten minutes of the logins have passed.
    pub is_late: bool,
    /// How many faults may still come.
    pub faults: u8,
    /// How many callbacks may still die.
    pub deaths: u8,
    /// How many times a browser may still log out.
    pub logouts: u8,
    /// What only an onlooker knows.
    pub history: History,
}

impl Callback {
    /// One that has not arrived.
    pub const AWAY: Self = Self {
        phase: Phase::Away,
        login: 0,
        code: 0,
        browser: 0,
        brought: None,
        is_late: false,
        awaited: 0,
        copies: [0; 4],
        remembered: [false; 2],
    };

    /// Whether it has arrived and neither answered nor died.
    pub const fn is_under_way(&self) -> bool {
        !matches!(self.phase, Phase::Away | Phase::Over | Phase::Dead)
    }

    /// What it waits for from DynamoDB.
    pub const fn awaits(&self) -> Option<Request> {
        match self.phase {
            Phase::Claiming => Some(Request::Claim),
            Phase::Finishing => Some(Request::Finish),
            Phase::Failing => Some(Request::Fail),
            Phase::Marking => Some(Request::Mark),
            _ => None,
        }
    }

    /// Goes on to a phase, with the request that it makes if there is one.
    pub const fn goes(&mut self, phase: Phase) {
        self.phase = phase;
        if let Some(request) = self.awaits() {
            self.copies[request as usize] = 1;
        }
        if !self.is_under_way() {
            self.forget();
        }
    }

    /// Forgets what can have no effect any more, so that states that differ in nothing else are one.
    pub const fn forget(&mut self) {
        self.awaited = 0;
        let [claim, finish, fail, mark] = self.copies;
        if claim + finish + fail + mark == 0 {
            *self = Self { phase: self.phase, ..Self::AWAY };
        }
    }
}

impl State {
    /// The start: both logins are stored, the first one the visitor's, and nobody has called back.
    pub const fn start(second_owner: u8, faults: u8, deaths: u8, logouts: u8) -> Self {
        let [first, second] = [
            Login { owner: VISITOR, claimed: None, marks: 0 },
            Login { owner: second_owner, claimed: None, marks: 0 },
        ];
        Self {
            logins: [first, second],
            guards: [Guard { outcome: Outcome::Absent, attempt: NOBODY }; CODES],
            sessions: [[Session::Never; BROWSERS]; LOGINS],
            made_by: [None; LOGINS],
            cookies: [None; BROWSERS],
            taken: [false; CODES],
            callbacks: [Callback::AWAY; CALLBACKS],
            is_late: false,
            faults,
            deaths,
            logouts,
            history: History {
                sent: [0; CODES],
                sent_for: [0; LOGINS],
                sessions_of_login: [0; LOGINS],
                sessions_of_code: [0; CODES],
                betrayed: [false; CODES],
                owner_came: [false; LOGINS],
            },
        }
    }

    /// Whether every callback that arrived has answered or died.
    pub fn is_settled(&self) -> bool {
        !self.callbacks.iter().any(Callback::is_under_way)
    }
}
