//! The protocol: what can happen in a state, and what becomes of it. See the top of `lib.rs`; the words
//! of the conditions are those of the crate `store`.

use crate::{
    Mutant,
    state::{CODES, Callback, MOST_MARKS, Outcome, Phase, Request, STRANGER, Session, State, VISITOR},
    step::{Price, Reply, Step},
};

/// The most copies of one request that are on their way at once.
const MOST_COPIES: u8 = 2;
/// How often a code is sent at most by a mutant that sends it again, so that the search ends.
const MOST_SENT: u8 = 2;

/// The protocol, whole or broken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Protocol {
    pub mutant: Option<Mutant>,
    /// How many callbacks arrive at most.
    pub callbacks: usize,
}

/// What a decided claim is answered.
enum Claimed {
    Now,
    Before(u8),
    Elsewhere,
    Foreign,
    Expired,
}

impl Protocol {
    fn is(self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    fn has_token(self) -> bool {
        !self.is(Mutant::NoToken) && !self.is(Mutant::NoTokenNorAttempt)
    }

    /// Whether another code than that of the claim counts as a duplicate.
    fn repeats_another(self) -> bool {
        self.is(Mutant::AnotherCodeRepeats) || self.is(Mutant::AnotherCodeGetsTheSession)
    }

    /// Whether the token that a callback derives is that of the login's session.
    fn has_token_of_session(self, state: &State, asks: &Callback) -> bool {
        state.made_by[usize::from(asks.login)] == Some(asks.code)
            || self.is(Mutant::TokenWithoutCode)
            || self.is(Mutant::AnotherCodeGetsTheSession)
    }

    fn has_attempt(self) -> bool {
        !self.is(Mutant::NoAttempt) && !self.is(Mutant::NoTokenNorAttempt)
    }

    /// Everything that can happen next, and its price.
    pub fn steps(self, state: &State, mut on: impl FnMut(Step, Price)) {
        for (number, callback) in (0..).zip(&state.callbacks) {
            self.steps_of(state, number, callback, &mut on);
        }
        // Those that have not arrived are alike: the first of them is next.
        let mut away = (0..).zip(&state.callbacks).take(self.callbacks);
        if let Some((callback, _)) = away.find(|(_, callback)| callback.phase == Phase::Away) {
            // The codes are alike until one of them arrives.
            let codes = if callback == 0 { 1 } else { CODES };
            for (login, _) in (0..).zip(&state.logins) {
                for (code, _) in (0..).zip(&state.guards).take(codes) {
                    for browser in [VISITOR, STRANGER] {
                        on(Step::Arrives { callback, login, code, browser }, Price::Free);
                    }
                }
            }
        }
        if !state.is_late {
            on(Step::TenMinutesPass, Price::Free);
        }
        for (browser, cookie) in (0..).zip(&state.cookies) {
            if cookie.is_some() {
                on(Step::LogsOut(browser), Price::Logout);
            }
        }
        if self.is(Mutant::BlindBegin) && !state.is_late {
            on(Step::BeginsAgain, Price::Fault);
        }
    }

    fn steps_of(self, state: &State, number: u8, callback: &Callback, on: &mut impl FnMut(Step, Price)) {
        for request in [Request::Claim, Request::Finish, Request::Fail, Request::Mark] {
            let copies = callback.copies[request as usize];
            let is_awaited = callback.awaits() == Some(request);
            if copies > 0 && is_awaited {
                on(Step::Applies(number, request), Price::Calm);
                on(Step::AppliesUnheard(number, request), Price::Fault);
            } else if copies > 0 {
                on(Step::AppliesUnheard(number, request), Price::Free);
            }
            if is_awaited {
                // What got no answer is repeated; what may still get one is repeated too early.
                let price = if copies == 0 { Price::Calm } else { Price::Fault };
                if copies < MOST_COPIES {
                    on(Step::Repeats(number), price);
                }
                on(Step::GivesUp(number), Price::Fault);
            }
            if callback.remembered.get(request as usize) == Some(&true) {
                on(Step::Forgets(number, request), Price::Fault);
            }
        }
        match callback.phase {
            Phase::Looking => on(Step::Looks(number), Price::Calm),
            Phase::Won => on(Step::Sends(number), Price::Calm),
            Phase::Asking => {
                let is_taken = state.taken[usize::from(callback.code)];
                if is_taken {
                    on(Step::Replies(number, Reply::No), Price::Calm);
                } else {
                    on(Step::Replies(number, Reply::Yes), Price::Calm);
                    on(Step::Replies(number, Reply::No), Price::Fault);
                    on(Step::Replies(number, Reply::LostYes), Price::Fault);
                }
                on(Step::Replies(number, Reply::LostNo), Price::Fault);
            }
            Phase::Waiting => {
                if state.guards[usize::from(callback.awaited)].outcome != Outcome::Claimed {
                    on(Step::SeesOutcome(number), Price::Calm);
                } else if !self.is(Mutant::EndlessPatience) {
                    on(Step::Tires(number), Price::Calm);
                }
            }
            Phase::Reading => on(Step::ReadsSession(number), Price::Calm),
            Phase::Hasty | Phase::Answering => on(Step::SetsCookie(number), Price::Calm),
            _ => {}
        }
        if callback.is_under_way() {
            on(Step::Dies(number), Price::Death);
        }
    }

    /// What becomes of a state.
    pub fn after(self, before: &State, step: Step) -> State {
        let mut state = *before;
        match step {
            Step::Arrives { callback, login, code, browser } => {
                state.history.owner_came[usize::from(login)] |=
                    before.logins[usize::from(login)].owner == browser;
                let brought = before.cookies[usize::from(browser)];
                let arrived = &mut state.callbacks[usize::from(callback)];
                *arrived =
                    Callback { login, code, browser, brought, is_late: before.is_late, ..Callback::AWAY };
                let looks_first = self.is(Mutant::ReadThenWrite);
                arrived.goes(if looks_first { Phase::Looking } else { Phase::Claiming });
            }
            Step::Looks(number) => match self.judge(before, number, &before.callbacks[usize::from(number)]) {
                Claimed::Now => state.callbacks[usize::from(number)].goes(Phase::Claiming),
                claimed => self.hears_claim(&mut state, number, &claimed),
            },
            Step::Applies(number, request) => self.applies(&mut state, number, request, true),
            Step::AppliesUnheard(number, request) => self.applies(&mut state, number, request, false),
            Step::Repeats(number) => {
                let callback = &mut state.callbacks[usize::from(number)];
                if let Some(request) = callback.awaits() {
                    callback.copies[request as usize] += 1;
                }
            }
            Step::GivesUp(number) => {
                let callback = &mut state.callbacks[usize::from(number)];
                callback.goes(match callback.phase {
                    Phase::Finishing => Phase::Failing,
                    Phase::Claiming if self.is(Mutant::ClaimInDoubt) => Phase::Won,
                    _ => Phase::Over,
                });
            }
            Step::Forgets(number, request) => {
                let callback = &mut state.callbacks[usize::from(number)];
                callback.remembered[request as usize] = false;
            }
            Step::Sends(number) => {
                let callback = &mut state.callbacks[usize::from(number)];
                callback.goes(Phase::Asking);
                let sent = &mut state.history.sent[usize::from(callback.code)];
                *sent = MOST_SENT.min(*sent + 1);
                let sent_for = &mut state.history.sent_for[usize::from(callback.login)];
                *sent_for = MOST_SENT.min(*sent_for + 1);
            }
            Step::Replies(number, reply) => {
                let callback = &mut state.callbacks[usize::from(number)];
                if matches!(reply, Reply::Yes | Reply::LostYes) {
                    state.taken[usize::from(callback.code)] = true;
                }
                callback.goes(match reply {
                    Reply::Yes if self.is(Mutant::CookieFirst) => Phase::Hasty,
                    Reply::Yes => Phase::Finishing,
                    Reply::LostYes | Reply::LostNo if self.is(Mutant::Resend) => Phase::Won,
                    Reply::No | Reply::LostYes | Reply::LostNo => Phase::Failing,
                });
            }
            Step::SeesOutcome(number) | Step::Tires(number) | Step::ReadsSession(number) => {
                self.repeats(&mut state, number);
            }
            Step::SetsCookie(number) => {
                let callback = &mut state.callbacks[usize::from(number)];
                state.cookies[usize::from(callback.browser)] = Some(callback.login);
                let is_hasty = callback.phase == Phase::Hasty;
                callback.goes(if is_hasty { Phase::Finishing } else { Phase::Over });
            }
            Step::Dies(number) => state.callbacks[usize::from(number)].goes(Phase::Dead),
            Step::TenMinutesPass => state.is_late = true,
            Step::LogsOut(browser) => {
                if let Some(login) = state.cookies[usize::from(browser)].take() {
                    end(&mut state.sessions[usize::from(login)][usize::from(browser)]);
                }
            }
            Step::BeginsAgain => {
                state.logins[0].claimed = None;
                state.logins[0].marks = 0;
            }
        }
        state
    }

    /// A duplicate goes on.
    fn repeats(self, state: &mut State, number: u8) {
        let is_its_session = self.has_token_of_session(state, &state.callbacks[usize::from(number)]);
        let callback = &mut state.callbacks[usize::from(number)];
        let guard = &mut state.guards[usize::from(callback.awaited)];
        let session = state.sessions[usize::from(callback.login)][usize::from(callback.browser)];
        match (callback.phase, guard.outcome) {
            (Phase::Waiting, Outcome::Done) => callback.goes(Phase::Reading),
            (Phase::Waiting, Outcome::Claimed) if self.is(Mutant::TakeOver) => {
                guard.attempt = number;
                callback.code = callback.awaited;
                callback.goes(Phase::Won);
            }
            (Phase::Reading, _) if session == Session::Stored && is_its_session => {
                callback.goes(Phase::Answering);
            }
            _ => callback.goes(Phase::Over),
        }
    }

    /// DynamoDB decides about one copy of a request.
    fn applies(self, state: &mut State, number: u8, request: Request, is_heard: bool) {
        let callback = &mut state.callbacks[usize::from(number)];
        callback.copies[request as usize] -= 1;
        let asks = *callback;
        if !asks.is_under_way() {
            callback.forget();
        }
        match request {
            Request::Claim => {
                let claimed = self.claims(state, number, &asks);
                if is_heard {
                    self.hears_claim(state, number, &claimed);
                }
            }
            Request::Finish => {
                let is_stored = self.finishes(state, number, &asks);
                if is_heard {
                    let phase = if is_stored { Phase::Answering } else { Phase::Failing };
                    state.callbacks[usize::from(number)].goes(phase);
                }
            }
            Request::Fail => {
                let guard = &mut state.guards[usize::from(asks.code)];
                let is_claimed = guard.outcome == Outcome::Claimed
                    || self.is(Mutant::FailAfterDone) && guard.outcome == Outcome::Done;
                let is_its_own = guard.attempt == number || self.is(Mutant::AnyAttemptFails);
                if is_claimed && is_its_own {
                    guard.outcome = Outcome::Failed;
                }
                if is_heard {
                    state.callbacks[usize::from(number)].goes(Phase::Over);
                }
            }
            Request::Mark => {
                self.marks(state, number, &asks);
                if is_heard {
                    state.callbacks[usize::from(number)].goes(Phase::Over);
                }
            }
        }
    }

    /// What the two conditions of a claim find, and what the answer tells.
    fn judge(self, state: &State, number: u8, asks: &Callback) -> Claimed {
        let (login, guard) = (state.logins[usize::from(asks.login)], state.guards[usize::from(asks.code)]);
        let is_its_browser = login.owner == asks.browser || self.is(Mutant::NoBrowser);
        let is_unexpired = !asks.is_late || self.is(Mutant::NoExpiry);
        let is_unclaimed = login.claimed.is_none() || self.is(Mutant::GuardWithoutLogin);
        let login_holds = is_its_browser && is_unexpired && is_unclaimed;
        let guard_holds = guard.outcome == Outcome::Absent || self.is(Mutant::LoginWithoutGuard);
        if login_holds && guard_holds || !guard_holds && guard.attempt == number && self.has_attempt() {
            Claimed::Now
        } else if login_holds {
            Claimed::Elsewhere
        } else if !is_its_browser {
            Claimed::Foreign
        } else if !is_unexpired {
            Claimed::Expired
        } else {
            login.claimed.map_or(Claimed::Expired, Claimed::Before)
        }
    }

    fn claims(self, state: &mut State, number: u8, asks: &Callback) -> Claimed {
        if asks.remembered[Request::Claim as usize] && self.has_token() {
            return Claimed::Now;
        }
        let is_blind = self.is(Mutant::ReadThenWrite);
        let claimed = if is_blind { Claimed::Now } else { self.judge(state, number, asks) };
        let guard = &mut state.guards[usize::from(asks.code)];
        // An answer that the attempt alone gives writes nothing: it has been written.
        let is_repeated = guard.attempt == number && guard.outcome != Outcome::Absent;
        if matches!(claimed, Claimed::Now) && (!is_repeated || is_blind) {
            state.logins[usize::from(asks.login)].claimed = Some(asks.code);
            guard.outcome = Outcome::Claimed;
            guard.attempt = number;
            self.remembers(state, number, Request::Claim);
        }
        claimed
    }

    /// The callback learns what its claim came to.
    fn hears_claim(self, state: &mut State, number: u8, claimed: &Claimed) {
        let callback = &mut state.callbacks[usize::from(number)];
        let code = usize::from(callback.code);
        match *claimed {
            Claimed::Now => callback.goes(Phase::Won),
            Claimed::Before(by) if by == callback.code || self.repeats_another() => {
                state.history.betrayed[code] |= state.guards[code].outcome == Outcome::Absent;
                callback.goes(Phase::Waiting);
                callback.awaited = by;
            }
            Claimed::Before(_) | Claimed::Foreign if self.is(Mutant::NoMark) => {
                state.history.betrayed[code] |= state.guards[code].outcome == Outcome::Absent;
                callback.goes(Phase::Over);
            }
            Claimed::Before(_) | Claimed::Foreign => callback.goes(Phase::Marking),
            Claimed::Elsewhere | Claimed::Expired => callback.goes(Phase::Over),
        }
    }

    /// Whether the session is stored, by this copy or by one before.
    fn finishes(self, state: &mut State, number: u8, asks: &Callback) -> bool {
        if asks.remembered[Request::Finish as usize] && self.has_token() {
            return true;
        }
        let (before, browser) = (*state, usize::from(asks.browser));
        let is_its_session = self.has_token_of_session(state, asks);
        let session = &mut state.sessions[usize::from(asks.login)][browser];
        let guard = &mut state.guards[usize::from(asks.code)];
        let is_blind = self.is(Mutant::BlindFinish);
        let is_absent =
            *session != Session::Stored || !is_its_session || is_blind || self.is(Mutant::NotIfAbsent);
        let is_claimed = guard.outcome == Outcome::Claimed
            || self.is(Mutant::FinishAfterFail) && guard.outcome == Outcome::Failed;
        let is_its_own = guard.attempt == number || self.is(Mutant::AnyAttemptFinishes);
        let replaced = asks.brought.filter(|brought| *brought != asks.login).map(usize::from);
        let is_replaceable = !self.is(Mutant::ReplacedMustExist)
            || replaced.is_none_or(|replaced| before.sessions[replaced][browser] == Session::Stored);
        if !(is_absent && (is_claimed && is_its_own || is_blind) && is_replaceable) {
            return guard.outcome == Outcome::Done && guard.attempt == number && self.has_attempt();
        }
        *session = Session::Stored;
        guard.outcome = Outcome::Done;
        state.made_by[usize::from(asks.login)] = Some(asks.code);
        let history = &mut state.history;
        history.sessions_of_login[usize::from(asks.login)] += 1;
        history.sessions_of_code[usize::from(asks.code)] += 1;
        if let Some(replaced) = replaced {
            end(&mut state.sessions[replaced][browser]);
        }
        self.remembers(state, number, Request::Finish);
        true
    }

    fn marks(self, state: &mut State, number: u8, asks: &Callback) {
        let code = usize::from(asks.code);
        let (login, guard) = (&mut state.logins[usize::from(asks.login)], &mut state.guards[code]);
        let is_absent = guard.outcome == Outcome::Absent || self.is(Mutant::BlindMark);
        let is_allowed = login.marks < MOST_MARKS || self.is(Mutant::CountlessMarks);
        let is_strangers = login.owner != asks.browser;
        let is_second = login.claimed.is_some_and(|claimed| claimed != asks.code);
        if (is_strangers || is_second) && is_absent && is_allowed && !asks.is_late {
            login.marks += 1;
            guard.outcome = Outcome::Failed;
            guard.attempt = number;
            state.history.betrayed[code] = true;
            if self.is(Mutant::MarkClaimsLogin) {
                login.claimed = login.claimed.or(Some(asks.code));
            }
        }
    }

    /// DynamoDB remembers a token for as long as a copy of its request may still come.
    fn remembers(self, state: &mut State, number: u8, request: Request) {
        let callback = &mut state.callbacks[usize::from(number)];
        let may_come = callback.awaits() == Some(request) || callback.copies[request as usize] > 0;
        callback.remembered[request as usize] = self.has_token() && may_come;
    }
}

fn end(session: &mut Session) {
    if *session == Session::Stored {
        *session = Session::Ended;
    }
}
