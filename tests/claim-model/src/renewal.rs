//! A grant that was redeemed, and all that can happen to its refresh tokens: what comes after the code (`grant.rs`).
//!
//! Three requests bring a token, in any order and at the same time: the client's own, with the newest one or one that
//! gave way; another client's; one that gives a token back, or has another client's; and a guess. Each reads the grant,
//! then the session, signs, and sends its one write (`token_request.rs`) over the version that it has read. If another
//! one came first, it reads the grant again, and sends what it has signed over that version.
//!
//! ```text
//!   Arrived ── grant ──► HasGrant ── session ──► Signed ── write sent ──► Waiting ── stored ──► tokens
//!      │ seen by two        ▲                                               │ another version
//!      ├──► Revoking        └──────────── reads the grant again ◄───────────┘
//! ```
//!
//! A token that gave way leads on for half a minute, to the one at the end of all that took its place since. No request
//! takes that long, so the half minute passes only while none is under way. A grant remembers so many tokens that gave
//! way and no more; the others are known by what all tokens of a grant have in common. A copy of a write that another
//! one overtook is left out: the version that it was made from never comes again. The tokens of a client with a secret
//! do not give way to each other; then everything is the same but for that.

use crate::{
    token_request::{Network, REQUESTS, World, befalls},
    walk::{Explored, walk},
};

type Phase = crate::token_request::Phase<Verdict>;

/// How often a renewal is stored that met another one, as in `functions/token/src/renewal.rs`.
const MOST_TRIES: u8 = 32;

/// The tokens that were stored, the oldest first: the redemption's, which is 0, and of each request one at the most.
type Line = [Option<u8>; REQUESTS + 1];

/// What a request brings.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kind {
    /// A token that was stored, by its client.
    Own,
    /// The same, by another client.
    OtherClient,
    /// The id of the grant, and a guess.
    Guess,
    /// A token that is given back.
    GivenBack,
    /// The same, by another client.
    GivenBackByAnother,
}

/// What a write says when it was applied.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Verdict {
    Stored,
    NotStored,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Request {
    kind: Kind,
    /// What it brings; none of a guess.
    token: Option<u8>,
    phase: Phase,
    /// What it was told, once it has tokens.
    told: Option<u8>,
    tries: u8,
    began_logged_in: bool,
    /// What it has read, and what it makes of that: whether its token gives way to another one.
    version: u8,
    line: Line,
    replaces: bool,
}

/// The whole world at one moment.
#[expect(clippy::struct_excessive_bools, reason = "each is true or not, whatever the others are")]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct State {
    /// Whether tokens give way to each other: a public client's.
    rotates: bool,
    line: Line,
    version: u8,
    /// How many tokens that gave way a grant remembers.
    most_remembered: u8,
    /// How many of them lead to the one that is good: those that gave way last.
    leading: u8,
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

    /// What a request has read it forgets when nothing more comes of it.
    fn with(mut self, number: usize, phase: Phase) -> Self {
        let request = &mut self.requests[number];
        request.phase = phase;
        if !phase.is_under_way() && self.network.strays[number] == 0 {
            (request.version, request.line, request.replaces, request.tries) =
                (0, [None; REQUESTS + 1], false, 0);
            request.began_logged_in |= phase != Phase::Tokens;
        }
        self
    }

    fn apply(self, number: usize) -> (Self, Verdict) {
        let request = self.requests[number];
        let is_good = (self.version == request.version || self.is(Mutant::NoVersion))
            && (!self.is_revoked || self.is(Mutant::NotIfRevoked))
            && (!self.is_over || self.is(Mutant::NoExpiry));
        if !is_good {
            return (self, Verdict::NotStored);
        }
        let after = Self {
            line: made(&request, number),
            version: self.version + 1,
            leading: self.leading + u8::from(request.replaces),
            ..self
        };
        let after = Self { leading: after.leading.min(self.most_remembered), ..after };
        (after, Verdict::Stored)
    }
}

/// A promise.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Promise {
    /// Whoever was told a token can use it: no write loses it.
    NoTokenIsLost,
    /// A token gives way to nobody but who brings it.
    OnlyItsBearerReplacesIt,
    /// Whoever brings a token that gave way too long ago ends the grant, however many came after it.
    AnOldTokenEndsTheGrant,
    /// Who brings the token that is good, or one before it in time, goes on, whoever renews at the same time.
    TwoTabsGoOn,
    /// A guess ends nobody's grant, and brings nothing.
    GuessesChangeNothing,
    /// Another client gets nothing, and gives nothing back.
    OnlyItsClientRenews,
    /// Another client that has a token ends the grant.
    AnotherClientEndsIt,
    /// What is given back is over.
    GivenBackIsOver,
    /// What is revoked is not renewed afterwards.
    RevokedStaysRevoked,
    /// Nor is what is over.
    NothingAfterTheEnd,
    /// Who arrives after the logout gets no tokens.
    NothingAfterTheLogout,
}

impl Promise {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::NoTokenIsLost,
        Self::OnlyItsBearerReplacesIt,
        Self::AnOldTokenEndsTheGrant,
        Self::TwoTabsGoOn,
        Self::GuessesChangeNothing,
        Self::OnlyItsClientRenews,
        Self::AnotherClientEndsIt,
        Self::GivenBackIsOver,
        Self::RevokedStaysRevoked,
        Self::NothingAfterTheEnd,
        Self::NothingAfterTheLogout,
    ];
}

/// The protocol, broken on purpose.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Mutant {
    /// The condition does not name the version.
    NoVersion,
    /// The condition does not say that it is not revoked.
    NotIfRevoked,
    /// The condition does not say that it is not over, and neither does the read.
    NoExpiry,
    /// The session is not read.
    NoSession,
    /// A token that gave way a moment ago leads nowhere.
    NoSuccession,
    /// It leads on for ever.
    ForEver,
    /// While one leads on, so does every one before it.
    AnyPredecessor,
    /// One that gave way a moment ago leads to the one that took its place, and no further.
    OnlyTheLast,
    /// A token that is not remembered is taken for a guess.
    ForgottenIsAGuess,
    /// It gives way once more to who brings it.
    ReplacedAgain,
    /// An old token is refused, and ends nothing.
    OldIsNothing,
    /// Who lost a race has a token that was seen by two.
    NoRetry,
    /// Another client's request is taken for its own.
    AnyClient,
    /// Another client is refused, and ends nothing.
    AnotherIsNothing,
    /// A guess counts as a token that was seen by two.
    GuessesRevoke,
    /// Any client gives back what it has.
    AnybodyGivesBack,
    /// What is given back is taken, and goes on.
    GivenBackIsNothing,
}

impl Mutant {
    /// All of them, and the promise that each breaks.
    pub const HARMFUL: [(Self, Promise); 17] = [
        (Self::NoVersion, Promise::NoTokenIsLost),
        (Self::NotIfRevoked, Promise::RevokedStaysRevoked),
        (Self::NoExpiry, Promise::NothingAfterTheEnd),
        (Self::NoSession, Promise::NothingAfterTheLogout),
        (Self::NoSuccession, Promise::TwoTabsGoOn),
        (Self::ForEver, Promise::AnOldTokenEndsTheGrant),
        (Self::AnyPredecessor, Promise::AnOldTokenEndsTheGrant),
        (Self::OnlyTheLast, Promise::TwoTabsGoOn),
        (Self::ForgottenIsAGuess, Promise::AnOldTokenEndsTheGrant),
        (Self::ReplacedAgain, Promise::OnlyItsBearerReplacesIt),
        (Self::OldIsNothing, Promise::AnOldTokenEndsTheGrant),
        (Self::NoRetry, Promise::TwoTabsGoOn),
        (Self::AnyClient, Promise::OnlyItsClientRenews),
        (Self::AnotherIsNothing, Promise::AnotherClientEndsIt),
        (Self::GuessesRevoke, Promise::GuessesChangeNothing),
        (Self::AnybodyGivesBack, Promise::OnlyItsClientRenews),
        (Self::GivenBackIsNothing, Promise::GivenBackIsOver),
    ];
}

/// Looks at every state, breadth first; at every promise, or at one alone. `rotates` is whether the client is a public
/// one; `most_remembered`, how many tokens that gave way a grant remembers: with three requests, two are all there are.
#[must_use]
pub fn explore(
    rotates: bool,
    most_remembered: u8,
    faults: u8,
    deaths: u8,
    mutant: Option<Mutant>,
    alone: Option<Promise>,
) -> Explored<Promise> {
    let mut line = [None; REQUESTS + 1];
    line[0] = Some(0);
    let request = Request {
        kind: Kind::Own,
        token: None,
        phase: Phase::Idle,
        told: None,
        tries: 0,
        began_logged_in: true,
        version: 0,
        line,
        replaces: false,
    };
    let start = State {
        rotates,
        line,
        version: 0,
        most_remembered,
        leading: 0,
        is_revoked: false,
        is_over: false,
        is_logged_in: true,
        requests: [request; REQUESTS],
        network: Network::new(faults, deaths),
        mutant,
    };
    walk(start, &Promise::ALL, alone, steps, is_kept)
}

/// How many tokens came after this one; `None` if it was never stored.
fn age(line: Line, token: Option<u8>) -> Option<usize> {
    let stored: Vec<_> = line.into_iter().flatten().collect();
    let at = stored.iter().position(|known| Some(*known) == token)?;
    Some(stored.len() - 1 - at)
}

/// Every step that could come next, and what it leads to.
fn steps(state: State) -> Vec<(String, State)> {
    let mut found = Vec::new();
    if !state.is_over {
        found.push(("the session ends".to_owned(), State { is_over: true, ..state }));
    }
    if state.is_logged_in {
        found.push(("the person logs out".to_owned(), State { is_logged_in: false, ..state }));
    }
    if !state.requests.iter().any(|request| request.phase.is_under_way()) {
        for leading in 0..state.leading {
            let passes = format!("half a minute passes for all but {leading}");
            found.push((passes, State { leading, ..state }));
        }
    }
    for number in 0..REQUESTS {
        let request = state.requests[number];
        let mut step = |what: &str, after: State| {
            found.push((format!("{number} {:?} {:?}: {what}", request.kind, request.token), after));
        };
        let to = |phase| state.with(number, phase);
        for (what, after) in befalls(state, number) {
            step(what, after);
        }
        match request.phase {
            // In their order: which of three is called the first makes no difference.
            Phase::Idle if number == 0 || state.requests[number - 1].phase != Phase::Idle => {
                for (kind, token) in arrivals(state) {
                    let mut after = to(Phase::Arrived);
                    let request = &mut after.requests[number];
                    (request.kind, request.token) = (kind, token);
                    request.began_logged_in = state.is_logged_in;
                    step(&format!("{kind:?} arrives with {token:?}"), after);
                }
            }
            Phase::Arrived => step("reads the grant", read(state, number)),
            // What was signed before is put over what another one stored; nobody signs twice.
            Phase::HasGrant if request.tries > 0 => step("has signed already", to(Phase::Signed)),
            Phase::HasGrant => {
                let is_refused = !state.is_logged_in && !state.is(Mutant::NoSession);
                let next = if is_refused { Phase::Refused } else { Phase::Signed };
                step("reads the session", to(next));
            }
            Phase::Signed => step("sends the write", to(Phase::Waiting { copies: 1 })),
            Phase::Answered { verdict: Verdict::Stored } => {
                let mut after = to(Phase::Tokens);
                after.requests[number].told = made(&request, number).into_iter().flatten().last();
                step("gives tokens", after);
            }
            Phase::Answered { .. } if state.is(Mutant::NoRetry) => step("ends it", to(Phase::Revoking)),
            Phase::Answered { .. } if request.tries + 1 < MOST_TRIES => {
                let mut after = to(Phase::Arrived);
                after.requests[number].tries += 1;
                // The version that its copies were made from never comes again.
                after.network.strays[number] = 0;
                step("reads again", after);
            }
            Phase::Answered { .. } => step("gives up", to(Phase::Busy)),
            Phase::Revoking => step("revokes", State { is_revoked: true, ..to(Phase::Refused) }),
            Phase::Idle
            | Phase::Waiting { .. }
            | Phase::Tokens
            | Phase::Refused
            | Phase::Busy
            | Phase::Gone => {}
        }
    }
    found
}

/// What can arrive: any token that was stored, in any hands.
fn arrivals(state: State) -> Vec<(Kind, Option<u8>)> {
    let kinds = [Kind::Own, Kind::OtherClient, Kind::GivenBack, Kind::GivenBackByAnother];
    let stored = state.line.into_iter().flatten();
    let mut found: Vec<_> = stored.flat_map(|token| kinds.map(|kind| (kind, Some(token)))).collect();
    found.push((Kind::Guess, None));
    found
}

/// A request reads the grant, and finds what it has in hand.
fn read(state: State, number: usize) -> State {
    let is = |mutant| state.is(mutant);
    let request = state.requests[number];
    let to = |phase| state.with(number, phase);
    if state.is_over && !is(Mutant::NoExpiry) {
        return to(Phase::Refused);
    }
    // A revocation takes the tokens away.
    let age = age(state.line, request.token).filter(|_| !state.is_revoked);
    let Some(age) = age else {
        return to(if is(Mutant::GuessesRevoke) { Phase::Revoking } else { Phase::Refused });
    };
    let seen_by_two = match request.kind {
        Kind::GivenBack if is(Mutant::GivenBackIsNothing) => return to(Phase::Refused),
        Kind::GivenBackByAnother if !is(Mutant::AnybodyGivesBack) => return to(Phase::Refused),
        Kind::OtherClient if is(Mutant::AnotherIsNothing) => return to(Phase::Refused),
        Kind::GivenBack | Kind::GivenBackByAnother => true,
        Kind::OtherClient => !is(Mutant::AnyClient),
        Kind::Own | Kind::Guess => false,
    };
    if seen_by_two {
        return to(Phase::Revoking);
    }
    if age > 0 && !leads_on(state, age) {
        let is_known = age <= usize::from(state.most_remembered) || !is(Mutant::ForgottenIsAGuess);
        let ends = is_known && !is(Mutant::OldIsNothing);
        return to(if ends { Phase::Revoking } else { Phase::Refused });
    }
    let mut after = to(Phase::HasGrant);
    let request = &mut after.requests[number];
    (request.version, request.line) = (state.version, state.line);
    request.replaces = state.rotates && (age == 0 || is(Mutant::ReplacedAgain));
    after
}

/// Whether a token that gave way, and has so many after it, leads to the one that is good.
fn leads_on(state: State, age: usize) -> bool {
    match state.mutant {
        Some(Mutant::NoSuccession) => false,
        Some(Mutant::ForEver) => true,
        Some(Mutant::AnyPredecessor) => state.leading > 0,
        Some(Mutant::OnlyTheLast) => state.leading > 0 && age == 1,
        _ => age <= usize::from(state.leading),
    }
}

/// The line of tokens that a request's write stores.
fn made(request: &Request, number: usize) -> Line {
    let mut line = request.line;
    if request.replaces
        && let Some(free) = line.iter_mut().find(|place| place.is_none())
    {
        *free = u8::try_from(number + 1).ok();
    }
    line
}

/// Whether a step from `before` to `after` keeps a promise.
fn is_kept(promise: Promise, before: &State, after: &State) -> bool {
    let steps = before.requests.iter().zip(&after.requests);
    let mut steps = steps.map(|(from, to)| (from.phase, to));
    let is_stored_now = before.version != after.version;
    // What a request had in hand when it read the grant, and whether there was a grant to read.
    let age = |request: &Request| age(before.line, request.token);
    let is_good = !before.is_revoked && !before.is_over;
    match promise {
        Promise::NoTokenIsLost => {
            after.requests.iter().all(|request| request.told.is_none() || after.line.contains(&request.told))
        }
        Promise::OnlyItsBearerReplacesIt => {
            let count = |line: Line| line.into_iter().flatten().count();
            count(after.line) <= count(before.line) || {
                let last = |line: Line| line.into_iter().flatten().last();
                let maker = last(after.line).and_then(|token| after.requests.get(usize::from(token) - 1));
                maker.is_some_and(|maker| maker.token == last(before.line))
            }
        }
        Promise::AnOldTokenEndsTheGrant => steps.all(|(from, request)| {
            let is_old = age(request).is_some_and(|age| age > usize::from(before.leading));
            let is_own = request.kind == Kind::Own && from == Phase::Arrived && request.phase != from;
            !is_own || !is_old || !is_good || matches!(request.phase, Phase::Revoking | Phase::Gone)
        }),
        Promise::TwoTabsGoOn => steps.all(|(from, request)| {
            let is_fair = age(request).is_some_and(|age| age <= usize::from(before.leading));
            let is_ended = request.phase != from
                && match (from, request.phase) {
                    (Phase::Arrived, Phase::Revoking | Phase::Refused) => is_good,
                    (Phase::Answered { .. }, Phase::Revoking) => true,
                    _ => false,
                };
            request.kind != Kind::Own || !is_fair || !is_ended
        }),
        Promise::GuessesChangeNothing => after.requests.iter().all(|request| {
            request.kind != Kind::Guess || !matches!(request.phase, Phase::Revoking | Phase::Tokens)
        }),
        Promise::OnlyItsClientRenews => after.requests.iter().all(|request| match request.kind {
            Kind::OtherClient => request.phase != Phase::Tokens,
            Kind::GivenBackByAnother => request.phase != Phase::Revoking,
            Kind::Own | Kind::Guess | Kind::GivenBack => true,
        }),
        Promise::AnotherClientEndsIt => is_ended_by(Kind::OtherClient, after),
        Promise::GivenBackIsOver => is_ended_by(Kind::GivenBack, after),
        Promise::RevokedStaysRevoked => !(is_stored_now && before.is_revoked),
        Promise::NothingAfterTheEnd => !(is_stored_now && before.is_over),
        Promise::NothingAfterTheLogout => {
            after.requests.iter().all(|request| request.phase != Phase::Tokens || request.began_logged_in)
        }
    }
}

/// Whether each request of this kind that was answered has ended the grant, if it had not ended by itself.
fn is_ended_by(kind: Kind, state: &State) -> bool {
    state.requests.iter().all(|request| {
        request.kind != kind || request.phase != Phase::Refused || state.is_revoked || state.is_over
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The model depends on nothing of this project, so the number stands in both.
    #[test]
    fn a_renewal_is_stored_as_often_as_it_is_in_the_function() {
        let function = include_str!("../../../functions/token/src/renewal.rs");
        assert!(function.contains(&format!("const MOST_TRIES: usize = {MOST_TRIES};")));
    }

    #[test]
    fn every_promise_is_kept() {
        for (rotates, most_remembered, least) in [(true, 2, 100_000), (true, 1, 100_000), (false, 2, 10_000)]
        {
            let explored = explore(rotates, most_remembered, 1, 1, None, None);
            assert!(explored.broken.is_none(), "{rotates} {most_remembered}: {:#?}", explored.broken);
            assert!(explored.states > least, "{rotates} {most_remembered}: {}", explored.states);
        }
    }

    #[test]
    fn every_mutant_breaks_its_promise() {
        for (mutant, promise) in Mutant::HARMFUL {
            let most_remembered = if mutant == Mutant::ForgottenIsAGuess { 1 } else { 2 };
            let explored = explore(true, most_remembered, 1, 1, Some(mutant), Some(promise));
            assert!(explored.broken.is_some_and(|(broken, _)| broken == promise), "{mutant:?}");
        }
    }
}
