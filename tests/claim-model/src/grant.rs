//! A grant of the OpenID Provider, and all that can happen to its code, as a model of its own.
//!
//! Three requests bring a code to the token endpoint, in any order and at the same time: the client's own, one with a
//! verifier that proves nothing, another client's, and a guess that knows no more than the id of the grant. Each reads
//! the grant, then the session, signs, and sends its one write (`token_request.rs`). The six minutes of the code may
//! pass, and the person may log out.
//!
//! ```text
//!   Arrived ── grant ──► HasGrant ── session, proof ──► Signed ── write sent ──► Waiting ── yes ──► tokens
//!      │ seen by two                                                                │ no
//!      └──────────────────────────────► Revoking ◄──────────────────────────────────┘
//! ```
//!
//! Left out: what is sealed (it decides nothing that the condition does not), refresh tokens (`renewal.rs`), and reads
//! that are old, for every read here is a consistent one.

use crate::{
    token_request::{Network, REQUESTS, World, befalls},
    walk::{Explored, walk},
};

type Phase = crate::token_request::Phase<Verdict>;

/// What a request brings.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kind {
    /// The code, with what proves it.
    Right,
    /// The code, without.
    Unproved,
    /// The code, from another client.
    OtherClient,
    /// The id of the grant, and a guess.
    Guess,
}

/// What a write says when it was applied.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Verdict {
    /// The code is redeemed by this request.
    Mine,
    /// By another one.
    Anothers,
    /// By nobody: it is over, or revoked.
    Over,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Request {
    kind: Kind,
    phase: Phase,
    /// Whether the person was logged in when it arrived, and whether tokens had been given.
    began_logged_in: bool,
    began_after_tokens: bool,
}

/// The whole world at one moment.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct State {
    redeemed_by: Option<u8>,
    is_revoked: bool,
    is_over: bool,
    is_logged_in: bool,
    requests: [Request; REQUESTS],
    network: Network,
    mutant: Option<Mutant>,
}

impl State {
    fn is(self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }
}

impl World for State {
    type Verdict = Verdict;

    fn network(&mut self) -> &mut Network {
        &mut self.network
    }

    fn phase(&self, number: usize) -> Phase {
        self.requests[number].phase
    }

    fn with(mut self, number: usize, phase: Phase) -> Self {
        self.requests[number].phase = phase;
        self
    }

    fn apply(self, number: usize) -> (Self, Verdict) {
        let attempt = u8::try_from(number).ok();
        let is_good = self.is(Mutant::ReadThenWrite)
            || (self.redeemed_by.is_none() || self.is(Mutant::NotIfRedeemed))
                && (!self.is_revoked || self.is(Mutant::NotIfRevoked))
                && (!self.is_over || self.is(Mutant::NoExpiry));
        if is_good {
            return (Self { redeemed_by: attempt, ..self }, Verdict::Mine);
        }
        let verdict = match self.redeemed_by {
            None => Verdict::Over,
            by if by == attempt && !self.is(Mutant::NoAttempt) => Verdict::Mine,
            Some(_) => Verdict::Anothers,
        };
        (self, verdict)
    }
}

/// A promise.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Promise {
    /// One code gives tokens once.
    TokensOnce,
    /// A code that was not proved, was guessed or is over changes nothing but by ending what was seen by two.
    OnlyItsClientRedeems,
    /// A guess ends nobody's grant.
    GuessesChangeNothing,
    /// What is revoked is not redeemed afterwards.
    RevokedStaysRevoked,
    /// A code that is over is not redeemed.
    NothingAfterTheEnd,
    /// Who arrives after the logout gets no tokens.
    NothingAfterTheLogout,
    /// Whoever is alone ends nobody's grant, whatever answers are lost.
    NobodyEndsHisOwn,
    /// Who brings the code after tokens were given ends them.
    ASecondUseEndsTheFirst,
    /// A death before the write costs nothing: nothing is spent that was not sent.
    ADeathCostsNothing,
}

impl Promise {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::TokensOnce,
        Self::OnlyItsClientRedeems,
        Self::GuessesChangeNothing,
        Self::RevokedStaysRevoked,
        Self::NothingAfterTheEnd,
        Self::NothingAfterTheLogout,
        Self::NobodyEndsHisOwn,
        Self::ASecondUseEndsTheFirst,
        Self::ADeathCostsNothing,
    ];
}

/// The protocol, broken on purpose.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Mutant {
    /// The condition does not say that nobody redeemed it.
    NotIfRedeemed,
    /// The condition does not say that it is not revoked.
    NotIfRevoked,
    /// The condition does not say that it is not over, and neither does the read.
    NoExpiry,
    /// Another client's request is taken for its own.
    AnyClient,
    /// The name of the attempt is not looked at: our own write, repeated, is taken for somebody else's.
    NoAttempt,
    /// The proof is looked at after the write.
    ProofAfterTheWrite,
    /// What the write rests on is read first, and written without a condition.
    ReadThenWrite,
    /// The session is not read.
    NoSession,
    /// A guess counts as a code that was brought twice.
    GuessesRevoke,
    /// A second use is refused, and ends nothing.
    SecondUseIsNothing,
    /// The write is sent before anything is signed.
    ClaimFirst,
    /// A code that ended between the read and the write counts as one that was brought twice.
    OverIsSeenByTwo,
}

impl Mutant {
    /// Those that break a promise, and which one.
    pub const HARMFUL: [(Self, Promise); 12] = [
        (Self::NotIfRedeemed, Promise::TokensOnce),
        (Self::NotIfRevoked, Promise::RevokedStaysRevoked),
        (Self::NoExpiry, Promise::NothingAfterTheEnd),
        (Self::AnyClient, Promise::OnlyItsClientRedeems),
        (Self::NoAttempt, Promise::NobodyEndsHisOwn),
        (Self::ProofAfterTheWrite, Promise::OnlyItsClientRedeems),
        (Self::ReadThenWrite, Promise::TokensOnce),
        (Self::NoSession, Promise::NothingAfterTheLogout),
        (Self::GuessesRevoke, Promise::GuessesChangeNothing),
        (Self::SecondUseIsNothing, Promise::ASecondUseEndsTheFirst),
        (Self::ClaimFirst, Promise::ADeathCostsNothing),
        (Self::OverIsSeenByTwo, Promise::NobodyEndsHisOwn),
    ];
}

/// Looks at every state, breadth first; at every promise, or at one alone.
#[must_use]
pub fn explore(faults: u8, deaths: u8, mutant: Option<Mutant>, alone: Option<Promise>) -> Explored<Promise> {
    let request =
        Request { kind: Kind::Right, phase: Phase::Idle, began_logged_in: true, began_after_tokens: false };
    let start = State {
        redeemed_by: None,
        is_revoked: false,
        is_over: false,
        is_logged_in: true,
        requests: [request; REQUESTS],
        network: Network::new(faults, deaths),
        mutant,
    };
    walk(start, &Promise::ALL, alone, steps, is_kept)
}

/// Every step that could come next, and what it leads to.
fn steps(state: State) -> Vec<(String, State)> {
    let is = |mutant| state.is(mutant);
    let mut found = Vec::new();
    if !state.is_over {
        found.push(("six minutes pass".to_owned(), State { is_over: true, ..state }));
    }
    if state.is_logged_in {
        found.push(("the person logs out".to_owned(), State { is_logged_in: false, ..state }));
    }
    for number in 0..REQUESTS {
        let request = state.requests[number];
        let to = |phase| state.with(number, phase);
        let mut step =
            |what: &str, after: State| found.push((format!("{number} {:?}: {what}", request.kind), after));
        for (what, after) in befalls(state, number) {
            step(what, after);
        }
        match request.phase {
            Phase::Idle => {
                for kind in [Kind::Right, Kind::Unproved, Kind::OtherClient, Kind::Guess] {
                    let mut after = to(Phase::Arrived);
                    let request = &mut after.requests[number];
                    request.kind = kind;
                    request.began_logged_in = state.is_logged_in;
                    request.began_after_tokens =
                        state.requests.iter().any(|other| other.phase == Phase::Tokens);
                    found.push((format!("{number} {kind:?}: arrives"), after));
                }
            }
            Phase::Arrived => {
                let is_seen_by_two = request.kind == Kind::OtherClient && !is(Mutant::AnyClient)
                    || state.redeemed_by.is_some() && !is(Mutant::ReadThenWrite)
                    || request.kind == Kind::Guess;
                let next = if state.is_over && !is(Mutant::NoExpiry)
                    || request.kind == Kind::Guess && !is(Mutant::GuessesRevoke)
                {
                    Phase::Refused
                } else if is_seen_by_two && !(is(Mutant::SecondUseIsNothing) && request.kind == Kind::Right) {
                    Phase::Revoking
                } else if is_seen_by_two || state.is_revoked {
                    Phase::Refused
                } else {
                    Phase::HasGrant
                };
                step("reads the grant", to(next));
            }
            Phase::HasGrant => {
                let is_refused = !state.is_logged_in && !is(Mutant::NoSession)
                    || request.kind == Kind::Unproved && !is(Mutant::ProofAfterTheWrite);
                let next = match is_refused {
                    true => Phase::Refused,
                    false if is(Mutant::ClaimFirst) => Phase::Waiting { copies: 1 },
                    false => Phase::Signed,
                };
                step("reads the session", to(next));
            }
            Phase::Signed if is(Mutant::ClaimFirst) => step("signs", to(Phase::Tokens)),
            Phase::Signed => step("sends the write", to(Phase::Waiting { copies: 1 })),
            Phase::Answered { verdict: Verdict::Mine } if is(Mutant::ClaimFirst) => {
                step("goes on", to(Phase::Signed));
            }
            Phase::Answered { verdict: Verdict::Mine } if request.kind == Kind::Unproved => {
                step("finds that it proves nothing", to(Phase::Refused));
            }
            Phase::Answered { verdict: Verdict::Mine } => step("gives tokens", to(Phase::Tokens)),
            Phase::Answered { verdict: Verdict::Over } if !is(Mutant::OverIsSeenByTwo) => {
                step("finds it over", to(Phase::Refused));
            }
            Phase::Answered { .. } if is(Mutant::SecondUseIsNothing) => {
                step("is refused", to(Phase::Refused));
            }
            Phase::Answered { .. } => step("finds it redeemed", to(Phase::Revoking)),
            Phase::Revoking => step("revokes", State { is_revoked: true, ..to(Phase::Refused) }),
            Phase::Waiting { .. } | Phase::Tokens | Phase::Refused | Phase::Busy | Phase::Gone => {}
        }
    }
    found
}

/// Whether a step from `before` to `after` keeps a promise.
fn is_kept(promise: Promise, before: &State, after: &State) -> bool {
    let has = |state: &State, phase| state.requests.iter().filter(|request| request.phase == phase).count();
    let is_redeemed_now = before.redeemed_by != after.redeemed_by;
    let is_revoked_now = !before.is_revoked && after.is_revoked;
    let redeemer = after.redeemed_by.map(|number| after.requests[usize::from(number)]);
    let brought = |state: &State| {
        state
            .requests
            .iter()
            .filter(|request| request.phase != Phase::Idle && request.kind != Kind::Guess)
            .count()
    };
    match promise {
        Promise::TokensOnce => has(after, Phase::Tokens) <= 1,
        Promise::OnlyItsClientRedeems => {
            !is_redeemed_now || redeemer.is_some_and(|request| request.kind == Kind::Right)
        }
        Promise::GuessesChangeNothing => {
            !is_revoked_now || brought(after) > 0 && !only_guesses_revoke(before, after)
        }
        Promise::RevokedStaysRevoked => !(is_redeemed_now && before.is_revoked),
        Promise::NothingAfterTheEnd => !(is_redeemed_now && before.is_over),
        Promise::NothingAfterTheLogout => {
            after.requests.iter().all(|request| request.phase != Phase::Tokens || request.began_logged_in)
        }
        Promise::NobodyEndsHisOwn => {
            let is_alone = brought(after) == 1
                && after
                    .requests
                    .iter()
                    .all(|request| request.phase == Phase::Idle || request.kind != Kind::OtherClient);
            !is_revoked_now || !is_alone || only_guesses_revoke(before, after)
        }
        Promise::ASecondUseEndsTheFirst => after.requests.iter().all(|request| {
            let is_second = request.began_after_tokens && request.kind == Kind::Right;
            !is_second || request.phase != Phase::Refused || after.is_revoked || after.is_over
        }),
        // Whoever redeemed it and died had signed before: a death while signing has spent nothing.
        Promise::ADeathCostsNothing => {
            !after.requests.iter().any(|request| request.phase == Phase::Signed) || {
                let signing = |number: u8| after.requests[usize::from(number)].phase == Phase::Signed;
                !after.redeemed_by.is_some_and(signing)
            }
        }
    }
}

/// Whether it was a guess that revoked.
fn only_guesses_revoke(before: &State, after: &State) -> bool {
    before.requests.iter().zip(&after.requests).any(|(before, after)| {
        before.phase == Phase::Revoking && after.phase == Phase::Refused && after.kind == Kind::Guess
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_promise_is_kept() {
        let explored = explore(2, 1, None, None);
        assert!(explored.broken.is_none(), "{:#?}", explored.broken);
        assert!(explored.states > 10_000, "{}", explored.states);
    }

    #[test]
    fn every_mutant_breaks_its_promise() {
        for (mutant, promise) in Mutant::HARMFUL {
            let explored = explore(1, 1, Some(mutant), Some(promise));
            assert!(explored.broken.is_some_and(|(broken, _)| broken == promise), "{mutant:?}");
        }
    }
}
