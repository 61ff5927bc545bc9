//! The protocol, broken on purpose.

use crate::{Bounds, Property};

/// One way of breaking the protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mutant {
    /// A duplicate whose patience ends takes the claim over.
    TakeOver,
    /// A code that is in doubt is sent again.
    Resend,
    /// The condition of the claim does not name the browser.
    NoBrowser,
    /// Neither a client request token nor the attempt in the guard.
    NoTokenNorAttempt,
    /// The attempt in the guard is not looked at: a token alone, which DynamoDB forgets.
    NoAttempt,
    /// The claim of the login without that of the code.
    LoginWithoutGuard,
    /// The claim of the code without that of the login.
    GuardWithoutLogin,
    /// What the claim rests on is read first, and written without a condition.
    ReadThenWrite,
    /// A claim that got no answer is taken for made.
    ClaimInDoubt,
    /// The condition of the claim does not name the end of the login.
    NoExpiry,
    /// The cookie is set before the session is stored.
    CookieFirst,
    /// The session is put without any condition: not if absent, and not while the guard is claimed.
    BlindFinish,
    /// A code that failed may be finished all the same.
    FinishAfterFail,
    /// A code that is done may fail all the same.
    FailAfterDone,
    /// A duplicate waits for as long as the code is claimed.
    EndlessPatience,
    /// A code that a stranger brings, or that comes second for a login, is left as it is.
    NoMark,
    /// It is marked spent even if it has a guard.
    BlindMark,
    /// The marks of a login are not counted.
    CountlessMarks,
    /// The mark claims the login too.
    MarkClaimsLogin,
    /// A login is stored without looking whether it is there already.
    BlindBegin,
    /// The session that the browser came with must exist, or the new one is not stored.
    ReplacedMustExist,
    /// Another code of the same browser counts as a duplicate.
    AnotherCodeRepeats,
    /// The same, and the token of a session is derived without the code.
    AnotherCodeGetsTheSession,

    /// No client request token; the attempt in the guard is enough.
    NoToken,
    /// The session is put over one that is there; the guard alone keeps that from happening.
    NotIfAbsent,
    /// The session is stored whoever claimed the code; nobody else gets that far.
    AnyAttemptFinishes,
    /// The code fails whoever claimed it; nobody else gets that far.
    AnyAttemptFails,
    /// The token of a session is derived without the code; another code is no duplicate.
    TokenWithoutCode,
}

impl Mutant {
    /// Every mutant that breaks a promise.
    pub const HARMFUL: [Self; 23] = [
        Self::TakeOver,
        Self::Resend,
        Self::NoBrowser,
        Self::NoTokenNorAttempt,
        Self::NoAttempt,
        Self::LoginWithoutGuard,
        Self::GuardWithoutLogin,
        Self::ReadThenWrite,
        Self::ClaimInDoubt,
        Self::NoExpiry,
        Self::CookieFirst,
        Self::BlindFinish,
        Self::FinishAfterFail,
        Self::FailAfterDone,
        Self::EndlessPatience,
        Self::NoMark,
        Self::BlindMark,
        Self::CountlessMarks,
        Self::MarkClaimsLogin,
        Self::BlindBegin,
        Self::ReplacedMustExist,
        Self::AnotherCodeRepeats,
        Self::AnotherCodeGetsTheSession,
    ];

    /// Every mutant that breaks none: what it leaves out is a second line of defence.
    pub const HARMLESS: [Self; 5] = [
        Self::NoToken,
        Self::NotIfAbsent,
        Self::AnyAttemptFinishes,
        Self::AnyAttemptFails,
        Self::TokenWithoutCode,
    ];

    /// A world that is large enough for its harm.
    #[must_use]
    pub const fn world(self) -> Bounds {
        match self {
            // One callback that claims the login, one whose code comes second, and one that sends that code after all.
            Self::AnotherCodeRepeats => Bounds { callbacks: 3, faults: 0, deaths: 0, logouts: 0 },
            _ => Bounds { callbacks: 2, faults: 2, deaths: 1, logouts: 1 },
        }
    }

    /// The properties that must be found broken, the harm itself first; none for a mutant that is harmless.
    #[must_use]
    pub const fn breaks(self) -> &'static [Property] {
        match self {
            Self::TakeOver => &[Property::CodeSentOnce, Property::ClaimsAreFinal],
            Self::Resend | Self::LoginWithoutGuard | Self::ReadThenWrite | Self::ClaimInDoubt => {
                &[Property::CodeSentOnce]
            }
            Self::NoBrowser => &[Property::SessionOfItsOwner, Property::StrangersLeaveTheLogin],
            Self::NoTokenNorAttempt | Self::NoAttempt => &[Property::NobodyWaitsForHimself],
            Self::GuardWithoutLogin => &[Property::OneCodeSentForOneLogin, Property::ClaimsAreFinal],
            Self::NoExpiry => &[Property::NothingAfterTheEnd],
            Self::CookieFirst => &[Property::CookieOfAStoredSession],
            Self::BlindFinish => &[Property::WhatEndedStaysEnded, Property::OneSession],
            Self::FinishAfterFail | Self::FailAfterDone => &[Property::OutcomesAreFinal],
            Self::EndlessPatience => &[Property::EveryCallbackEnds],
            Self::NoMark | Self::AnotherCodeRepeats => &[Property::StrangersCodeIsSpent],
            Self::BlindMark => &[Property::ClaimsAreFinal, Property::OutcomesAreFinal],
            Self::CountlessMarks => &[Property::FewMarks],
            Self::MarkClaimsLogin => &[Property::AnUntouchedLoginGetsIn, Property::StrangersLeaveTheLogin],
            Self::BlindBegin => &[Property::OneSession, Property::WhatEndedStaysEnded],
            Self::ReplacedMustExist => &[Property::AFreshLoginGetsIn],
            Self::AnotherCodeGetsTheSession => &[Property::SessionOfItsCode],
            Self::NoToken
            | Self::NotIfAbsent
            | Self::AnyAttemptFinishes
            | Self::AnyAttemptFails
            | Self::TokenWithoutCode => &[],
        }
    }
}
