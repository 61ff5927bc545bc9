//! What must hold, in every state and on every step.

use crate::{
    state::{MOST_MARKS, Outcome, Phase, Session, State},
    step::Step,
};

/// A promise of the protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Property {
    /// A code is sent to WeChat at most once.
    CodeSentOnce,
    /// For one login at most one code is sent.
    OneCodeSentForOneLogin,
    /// A login gives at most one session, and so does a code.
    OneSession,
    /// A session, and its cookie, belong to the browser that began the login.
    SessionOfItsOwner,
    /// A cookie is set only for who brought the code that gave the session, not for a second person who scanned the
    /// same page, or who shares the browser's secret.
    SessionOfItsCode,
    /// A cookie is set only for a session that has been stored.
    CookieOfAStoredSession,
    /// A session that ended is never stored again.
    WhatEndedStaysEnded,
    /// An outcome is recorded once: done and failed are for ever.
    OutcomesAreFinal,
    /// A claim is neither taken over nor lost, that of a login as little as that of a code.
    ClaimsAreFinal,
    /// A callback that arrives when the login is over sends no code.
    NothingAfterTheEnd,
    /// No callback takes its own claim for another one's.
    NobodyWaitsForHimself,
    /// A code that a stranger brought before anybody claimed it, or that came second for its login, is not sent any
    /// more.
    StrangersCodeIsSpent,
    /// A login is never claimed by another browser than its own.
    StrangersLeaveTheLogin,
    /// A login allows a bounded number of marks.
    FewMarks,
    /// Once faults stop, every callback ends: none waits for ever.
    EveryCallbackEnds,
    /// Once faults stop and every callback has ended, a fresh login of the visitor gives a session.
    AFreshLoginGetsIn,
    /// So does a login that its own browser has not come back with, whatever strangers did to it.
    AnUntouchedLoginGetsIn,
}

impl Property {
    /// Every property.
    pub const ALL: [Self; 17] = [
        Self::CodeSentOnce,
        Self::OneCodeSentForOneLogin,
        Self::OneSession,
        Self::SessionOfItsOwner,
        Self::SessionOfItsCode,
        Self::CookieOfAStoredSession,
        Self::WhatEndedStaysEnded,
        Self::OutcomesAreFinal,
        Self::ClaimsAreFinal,
        Self::NothingAfterTheEnd,
        Self::NobodyWaitsForHimself,
        Self::StrangersCodeIsSpent,
        Self::StrangersLeaveTheLogin,
        Self::FewMarks,
        Self::EveryCallbackEnds,
        Self::AFreshLoginGetsIn,
        Self::AnUntouchedLoginGetsIn,
    ];

    /// Whether a step keeps the property. The last three are not about steps; the search sees to them.
    pub(crate) fn is_kept_by(self, before: &State, step: Step, after: &State) -> bool {
        let (was, is) = (&before.history, &after.history);
        match self {
            Self::CodeSentOnce => is.sent.iter().all(|sent| *sent <= 1),
            Self::OneCodeSentForOneLogin => is.sent_for.iter().all(|sent| *sent <= 1),
            Self::OneSession => {
                is.sessions_of_login.iter().chain(&is.sessions_of_code).all(|sessions| *sessions <= 1)
            }
            Self::SessionOfItsOwner => {
                let is_of_its_owner =
                    |login: usize, browser: usize| usize::from(after.logins[login].owner) == browser;
                let cookies = after.cookies.iter().enumerate();
                sessions(after).all(|(login, browser, session)| {
                    session == Session::Never || is_of_its_owner(login, browser)
                }) && cookies.into_iter().all(|(browser, cookie)| {
                    cookie.is_none_or(|login| is_of_its_owner(usize::from(login), browser))
                })
            }
            Self::SessionOfItsCode => match step {
                Step::SetsCookie(callback) => {
                    let callback = before.callbacks[usize::from(callback)];
                    before.made_by[usize::from(callback.login)].is_none_or(|code| code == callback.code)
                }
                _ => true,
            },
            Self::CookieOfAStoredSession => (0..).zip(&after.cookies).all(|(browser, cookie): (usize, _)| {
                cookie.is_none_or(|login| after.sessions[usize::from(login)][browser] != Session::Never)
            }),
            Self::WhatEndedStaysEnded => sessions(before)
                .zip(sessions(after))
                .all(|((.., before), (.., after))| before != Session::Ended || after == Session::Ended),
            Self::OutcomesAreFinal => before.guards.iter().zip(&after.guards).all(|(before, after)| {
                !matches!(before.outcome, Outcome::Done | Outcome::Failed) || before.outcome == after.outcome
            }),
            Self::ClaimsAreFinal => {
                let mut guards = before.guards.iter().zip(&after.guards);
                let mut logins = before.logins.iter().zip(&after.logins);
                guards.all(|(before, after)| {
                    before.outcome == Outcome::Absent || before.attempt == after.attempt
                }) && logins
                    .all(|(before, after)| before.claimed.is_none() || before.claimed == after.claimed)
            }
            Self::NothingAfterTheEnd => match step {
                Step::Sends(callback) => !before.callbacks[usize::from(callback)].is_late,
                _ => true,
            },
            Self::NobodyWaitsForHimself => (0..).zip(&after.callbacks).all(|(number, callback)| {
                callback.phase != Phase::Waiting
                    || after.guards[usize::from(callback.awaited)].attempt != number
            }),
            Self::StrangersCodeIsSpent => {
                let mut codes = was.betrayed.iter().zip(was.sent.iter().zip(&is.sent));
                codes.all(|(is_betrayed, (before, after))| !is_betrayed || before == after)
            }
            Self::StrangersLeaveTheLogin => match step {
                Step::Applies(callback, _) | Step::AppliesUnheard(callback, _) => {
                    let browser = before.callbacks[usize::from(callback)].browser;
                    let mut logins = before.logins.iter().zip(&after.logins);
                    logins.all(|(before, after)| before.claimed == after.claimed || before.owner == browser)
                }
                _ => true,
            },
            Self::FewMarks => after.logins.iter().all(|login| login.marks <= MOST_MARKS),
            Self::EveryCallbackEnds | Self::AFreshLoginGetsIn | Self::AnUntouchedLoginGetsIn => true,
        }
    }
}

/// Every session there could be, by login and browser.
fn sessions(state: &State) -> impl Iterator<Item = (usize, usize, Session)> {
    state.sessions.iter().enumerate().flat_map(|(login, browsers)| {
        browsers.iter().enumerate().map(move |(browser, session)| (login, browser, *session))
    })
}
