//! A request at the token endpoint, as the models of a grant and of its refresh tokens share it.
//!
//! It reads, signs, and sends *one* conditional write, which is applied at any time from then on, even when whoever
//! sent it has died. Its answer may be lost; the SDK may send it again; whoever waits may give up. What a request
//! decides is each model's own; here is what befalls it.

/// How many requests there are.
pub(crate) const REQUESTS: usize = 3;

/// Where a request is. A `Verdict` is what its write says when it was applied.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Phase<Verdict> {
    Idle,
    Arrived,
    HasGrant,
    Signed,
    /// The write is on its way; so many copies of it.
    Waiting {
        copies: u8,
    },
    /// The write was applied, or not, and says so.
    Answered {
        verdict: Verdict,
    },
    Revoking,
    Tokens,
    Refused,
    /// Others were always faster; it may come again.
    Busy,
    /// It gave up waiting, or died.
    Gone,
}

impl<Verdict> Phase<Verdict> {
    /// Whether something may still come of it.
    pub(crate) const fn is_under_way(&self) -> bool {
        !matches!(self, Self::Idle | Self::Tokens | Self::Refused | Self::Busy | Self::Gone)
    }
}

/// What is on its way though nobody waits for it, and how much may still go wrong.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Network {
    /// Copies of writes whose sender no longer waits.
    pub(crate) strays: [u8; REQUESTS],
    pub(crate) faults: u8,
    pub(crate) deaths: u8,
}

impl Network {
    /// One in which nothing is on its way.
    pub(crate) const fn new(faults: u8, deaths: u8) -> Self {
        Self { strays: [0; REQUESTS], faults, deaths }
    }

    /// The same with so many more copies of a request's write that nobody waits for.
    const fn stray(mut self, number: usize, copies: u8) -> Self {
        self.strays[number] += copies;
        self
    }
}

/// The world of a model in which requests send writes.
pub(crate) trait World: Copy {
    type Verdict: Copy;

    /// What is on its way, to read and to change.
    fn network(&mut self) -> &mut Network;

    fn phase(&self, number: usize) -> Phase<Self::Verdict>;

    /// The same world with a request in another phase.
    fn with(self, number: usize, phase: Phase<Self::Verdict>) -> Self;

    /// The conditional write of a request, and what it says.
    fn apply(self, number: usize) -> (Self, Self::Verdict);
}

/// What may befall a request next, whatever it would do itself, and what that leads to.
pub(crate) fn befalls<W: World>(mut world: W, number: usize) -> Vec<(&'static str, W)> {
    let (phase, network) = (world.phase(number), *world.network());
    let (applied, verdict) = world.apply(number);
    let copies = if let Phase::Waiting { copies } = phase { copies } else { 0 };
    let mut found = Vec::new();
    let mut step = |what, mut after: W, network, phase| {
        *after.network() = network;
        found.push((what, after.with(number, phase)));
    };
    // A copy that nobody waits for any more is applied all the same.
    if network.strays[number] > 0 {
        let mut fewer = network;
        fewer.strays[number] -= 1;
        step("a late copy is applied", applied, fewer, phase);
    }
    if phase.is_under_way() && network.deaths > 0 {
        let dead = Network { deaths: network.deaths - 1, ..network };
        step("dies", world, dead.stray(number, copies), Phase::Gone);
    }
    if copies > 0 {
        let answered = Phase::Answered { verdict };
        step("the write is applied", applied, network.stray(number, copies - 1), answered);
    }
    if copies > 0 && network.faults > 0 {
        let worse = Network { faults: network.faults - 1, ..network };
        step("it is applied, the answer is lost, and it is sent again", applied, worse, phase);
        if copies == 1 {
            step("it is sent again", world, worse, Phase::Waiting { copies: 2 });
        }
        step("gives up waiting", world, worse.stray(number, copies), Phase::Gone);
    }
    found
}
