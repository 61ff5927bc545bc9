//! The matrix, and what is drawn for each flow of it.

use std::{fmt, time::Duration};

use fastrand::Rng;
use harness::{
    places::{AUTHORIZE, AUTHORIZE_PROFILE},
    proxy::{Call, Fault, Kind, Mixture, Rule, Throttle},
};

/// How many faults there are.
pub const FAULTS: usize = 7;

/// The calls that a login, a session and a logout make.
pub const CALLS: [Kind; 10] = [
    Kind::PutLogin,
    Kind::Claim,
    Kind::Login,
    Kind::CodeOutcome,
    Kind::FailCode,
    Kind::SpendCode,
    Kind::Finish,
    Kind::Session,
    Kind::SaveSession,
    Kind::DeleteSession,
];

/// What DynamoDB does and its emulator never: every mixture of reasons at every transaction, and an old read at every
/// read that has to do with one.
pub fn weaknesses() -> impl Iterator<Item = (Kind, Fault)> {
    let transactions = [Kind::Claim, Kind::SpendCode, Kind::Finish].into_iter();
    let mixed = transactions.flat_map(|call| Mixture::ALL.map(|mixture| (call, Fault::Mixture(mixture))));
    let read = [Kind::Login, Kind::CodeOutcome, Kind::Session, Kind::Session];
    mixed.chain(read.map(|call| (call, Fault::OldRead)))
}

/// One flow.
pub struct Case {
    number: usize,
    /// What goes wrong.
    pub fault: Fault,
    /// With which call.
    pub call: Kind,
    /// How many times, the SDK's repetitions included.
    pub strikes: usize,
    /// Where the logins of the flow begin.
    pub authorize: &'static str,
    /// What else arrives at the callback.
    pub companion: Companion,
    /// Whether the browser logs in by two tabs at the same time.
    pub has_second_tab: bool,
    /// Whether the browser was logged in before.
    pub was_logged_in: bool,
    /// Whether WeChat repeats a code within ten seconds.
    pub reissues: bool,
    /// What is drawn on the way.
    pub seed: u64,
}

/// How many mixtures a transaction stands before it is given up.
pub const MOST_MIXTURES: usize = 4;

/// What else arrives at the callback of the first login.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Companion {
    /// Nothing.
    None,
    /// The same, so many times, at the same time; the visitor sees one of the answers.
    AtOnce(usize),
    /// The same, later, while the fault still lasts.
    Later,
    /// The same, later, when the fault is over.
    MuchLater,
    /// The same at the same time, in another browser.
    Foreign,
}

/// Lies of DynamoDB, each with the promise that it breaks.
pub const LIES: [(Kind, &str); 4] = [
    (Kind::PutLogin, "to WeChat without a stored login"),
    (Kind::Claim, "codes reached WeChat"),
    (Kind::Finish, "a cookie without a stored session"),
    (Kind::DeleteSession, "the session is stored after the logout"),
];

impl Case {
    /// A flow that cannot go well.
    pub fn lie(call: Kind) -> Self {
        Self {
            number: 0,
            fault: Fault::Lie,
            call,
            strikes: usize::MAX,
            authorize: AUTHORIZE,
            companion: Companion::AtOnce(1),
            has_second_tab: false,
            was_logged_in: false,
            reissues: false,
            seed: 0,
        }
    }

    /// One of the [weaknesses], and a flow of it.
    pub fn weak(number: usize, (call, fault): (Kind, Fault), random: Rng) -> Self {
        let mut case = Self::drawn(number, call, fault, random);
        // Whose tab it is would be told apart by nothing but luck.
        case.has_second_tab = false;
        if call == Kind::Session {
            // Only a duplicate has to do with the transaction that wrote what it reads.
            case.companion = Companion::AtOnce(1);
            // The first that is struck is the winner's, of the session before.
            case.strikes = if number.is_multiple_of(2) { 2 } else { usize::MAX };
        }
        if fault != Fault::OldRead && case.strikes == 2 {
            case.strikes = MOST_MIXTURES;
        }
        case
    }

    /// A field of the matrix, and a flow of it.
    pub fn new(number: usize, mut random: Rng) -> Self {
        let call = CALLS.get(number / FAULTS % CALLS.len()).copied().unwrap_or(Kind::Other);
        let is_alone = matches!(call, Kind::PutLogin | Kind::Login | Kind::CodeOutcome | Kind::Session);
        let fault = match number % FAULTS {
            0 => Fault::DropBefore,
            1 => Fault::DropAfter,
            // Beyond one attempt's time, or beyond the whole operation's.
            2 if random.bool() => Fault::Delay(Duration::from_millis(random.u64(950..1300))),
            2 => Fault::Delay(Duration::from_millis(random.u64(2050..2600))),
            3 => Fault::Throttle(random.choice(Throttle::ALL).unwrap_or(Throttle::Throttling)),
            // Nothing conflicts with a read, or with an item that nobody knows of yet; what can go wrong
            // there instead is the answer.
            4 if is_alone => Fault::Truncate,
            4 => Fault::Conflict,
            5 => Fault::InternalServerError,
            _ => Fault::Unavailable,
        };
        Self::drawn(number, call, fault, random)
    }

    fn drawn(number: usize, call: Kind, fault: Fault, mut random: Rng) -> Self {
        let companions = [
            Companion::None,
            Companion::None,
            Companion::AtOnce(random.usize(1..=2)),
            Companion::Later,
            Companion::MuchLater,
            Companion::Foreign,
        ];
        let companion = match call {
            // Only a duplicate asks for the outcome.
            Kind::CodeOutcome if random.bool() => Companion::AtOnce(1),
            Kind::CodeOutcome => Companion::Later,
            // Only a foreign browser has a code spent.
            Kind::SpendCode => Companion::Foreign,
            _ => random.choice(companions).unwrap_or(Companion::None),
        };
        // Only a profile that was granted is read again and saved.
        let has_profile = call == Kind::SaveSession || random.bool();
        Self {
            number,
            fault,
            call,
            strikes: random.choice([1, 2, usize::MAX]).unwrap_or(1),
            authorize: if has_profile { AUTHORIZE_PROFILE } else { AUTHORIZE },
            companion,
            // Two first tabs are two browsers to us, and so no duplicates of each other.
            has_second_tab: random.u8(..) < 64 && call != Kind::CodeOutcome,
            was_logged_in: random.u8(..) < 80,
            reissues: random.bool(),
            seed: random.u64(..),
        }
    }

    /// Which calls are struck. Nobody but the callback reads beside a transaction.
    pub fn rule(&self) -> Rule {
        let (kind, is_old) = (self.call, self.fault == Fault::OldRead);
        let is_it = move |call: &Call| call.kind == kind && (!is_old || call.function == "callback");
        Rule::when(self.fault, is_it).times(self.strikes)
    }

    /// Whether no claim is decided, for as long as the fault lasts.
    pub fn is_never_claimed(&self) -> bool {
        let is_mixed = matches!(self.fault, Fault::Mixture(_));
        is_mixed && self.call == Kind::Claim && self.strikes == usize::MAX
    }

    /// Whether the visitor must not notice anything: the SDK repeats a call three times, and within the
    /// time of an operation it can wait for one that never ends.
    pub fn is_unnoticed(&self) -> bool {
        match self.fault {
            Fault::Delay(_) => self.strikes == 1,
            Fault::Mixture(_) => self.strikes <= MOST_MIXTURES,
            // What is not there cannot be told from what was never there, but for a session that must be.
            Fault::OldRead => self.call == Kind::Session && self.strikes <= 2,
            _ => self.strikes <= 2,
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            number,
            fault,
            call,
            strikes,
            authorize,
            companion,
            has_second_tab,
            was_logged_in,
            reissues,
            ..
        } = self;
        write!(formatter, "flow {number} ({fault:?} at {call}, ")?;
        match *strikes {
            usize::MAX => formatter.write_str("to the end"),
            strikes => write!(formatter, "{strikes} times"),
        }?;
        write!(formatter, ", {authorize}, companion {companion:?}")?;
        formatter.write_str(if *has_second_tab { ", two tabs" } else { "" })?;
        formatter.write_str(if *was_logged_in { ", logged in before" } else { "" })?;
        formatter.write_str(if *reissues { ", codes repeated" } else { "" })?;
        formatter.write_str(")")
    }
}
