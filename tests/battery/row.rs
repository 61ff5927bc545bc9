//! A row of the battery, one run of it, and the table of all.

use std::{
    borrow::Borrow,
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use fastrand::Rng;
use futures_util::future::try_join_all;
use harness::{
    Options, Result, Stack,
    proxy::{Fault, Kind, Throttle},
};

use crate::canaries::Scans;

/// How many violations of a row are told one by one.
const MOST_TOLD: usize = 20;
/// How often a row says how far it has come.
const PROGRESS: Duration = Duration::from_secs(10);

/// What DynamoDB can do instead of an answer.
const FAULTS: [Fault; 7] = [
    Fault::DropBefore,
    Fault::DropAfter,
    Fault::Truncate,
    Fault::Delay(Duration::from_secs(1)),
    Fault::Throttle(Throttle::Throttling),
    Fault::InternalServerError,
    Fault::Unavailable,
];

/// One row of the table: its name, such as `B1`, and what it is about, in a few words.
///
/// What a row does reports violations to its [`Run`] and returns what its size was, in words such as
/// `200 × 25`. An error means that it could not be done at all, which counts as a violation.
pub type Row = (&'static str, &'static str);

/// One run of one row.
pub struct Run {
    name: &'static str,
    is_full: bool,
    minutes: Option<u32>,
    seed: u64,
    started: Instant,
    told: Cell<Instant>,
    violations: RefCell<Vec<String>>,
    scans: Rc<Scans>,
    /// Stacks that were begun and have not been searched yet.
    open: Cell<usize>,
}

impl Run {
    /// A run that has not begun. What its stacks were searched for goes to `scans`.
    pub fn new(
        name: &'static str,
        is_full: bool,
        minutes: Option<u32>,
        seed: u64,
        scans: &Rc<Scans>,
    ) -> Self {
        let now = clock();
        let (told, violations, open) = (Cell::new(now), RefCell::default(), Cell::new(0));
        Self { name, is_full, minutes, seed, started: now, told, violations, scans: Rc::clone(scans), open }
    }

    /// Whether this is the full run.
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// How long a row is to last that lasts as long as it is told, if it was told.
    pub fn minutes(&self) -> Option<u32> {
        self.minutes
    }

    /// One of two sizes.
    pub fn size(&self, sample: usize, full: usize) -> usize {
        if self.is_full { full } else { sample }
    }

    /// Each fault of DynamoDB at each of these calls, once, three times and for as long as it takes; in a sample, three
    /// times.
    pub fn faults(&self, calls: &[Kind]) -> Vec<(Kind, Fault, usize)> {
        let times = if self.is_full { &[1, 3, usize::MAX][..] } else { &[3] };
        let fields = calls.iter().flat_map(|call| FAULTS.map(|fault| (*call, fault)));
        fields.flat_map(|(call, fault)| times.iter().map(move |times| (call, fault, *times))).collect()
    }

    /// The randomness of one part of the row: the same for the same seed, row and number, in whatever
    /// order the parts run.
    pub fn random(&self, number: u64) -> Rng {
        let name = self.name.bytes().fold(0_u64, |hash, byte| hash << 8 | u64::from(byte));
        let mut mix = Rng::with_seed(self.seed ^ name.rotate_left(32));
        Rng::with_seed(mix.u64(..) ^ Rng::with_seed(number).u64(..))
    }

    /// A stack of this run: the functions are asked to log all they can, and whatever they print and
    /// answer is searched for what must not be there. To be given back to [`Run::end`].
    pub async fn stack(&self, options: Options) -> Result<Stack> {
        self.open.update(|open| open + 1);
        let options = options
            .watched()
            .with("RUST_LOG", "trace")
            .with("AWS_LAMBDA_LOG_LEVEL", "TRACE")
            .with("RUST_BACKTRACE", "full");
        Stack::start(options).await
    }

    /// Ends a stack of this run, and searches what it has stored. What is found is row L1's affair.
    pub async fn end(&self, stack: impl Borrow<Stack>) -> Result<()> {
        let stack = stack.borrow();
        stack.stop().await;
        self.scans.add(self.name, stack)?;
        self.open.update(|open| open - 1);
        Ok(())
    }

    /// Has jobs done on so many stacks, side by side, and one after another on each. The work is told how
    /// many jobs its stack has had before.
    pub async fn share<J>(
        &self,
        stacks: usize,
        open: impl AsyncFn() -> Result<Stack>,
        jobs: impl IntoIterator<Item = J>,
        work: impl AsyncFn(&Stack, usize, J) -> Result<()>,
    ) -> Result<()> {
        let jobs: Vec<_> = jobs.into_iter().collect();
        let (of, done) = (jobs.len(), Cell::new(0));
        let mut opened = Vec::new();
        for _ in 0..stacks.min(of) {
            opened.push(open().await?);
        }
        let next = RefCell::new(jobs.into_iter());
        let lanes = opened.into_iter().map(async |stack| {
            let take = || next.borrow_mut().next();
            let mut before = 0;
            while let Some(job) = take() {
                work(&stack, before, job).await?;
                before += 1;
                done.update(|done| done + 1);
                self.progress(done.get(), of);
            }
            self.end(stack).await
        });
        try_join_all(lanes).await?;
        self.require(done.get() == of, || format!("{} of {of} were done", done.get()));
        Ok(())
    }

    /// What was searched in this run of the battery.
    pub fn scans(&self) -> &Scans {
        &self.scans
    }

    /// Records that a promise was broken, if it was.
    pub fn require(&self, is_kept: bool, broken: impl FnOnce() -> String) {
        if !is_kept {
            self.violated(broken());
        }
    }

    /// Records that a promise was broken.
    pub fn violated(&self, what: impl Into<String>) {
        let what = what.into();
        let mut violations = self.violations.borrow_mut();
        if violations.len() < MOST_TOLD {
            println!("{}  VIOLATION  {what}", self.name);
        }
        violations.push(what);
    }

    /// Says now and then how far the row has come.
    pub fn progress(&self, done: usize, of: usize) {
        if self.told.get().elapsed() >= PROGRESS {
            self.told.set(clock());
            println!("{}  {done} of {of} after {} s", self.name, self.started.elapsed().as_secs());
        }
    }

    /// What the row came to: its line of the table, and whether no promise was broken.
    pub fn finish(self, about: &str, size: Result<String>) -> (String, bool) {
        let size = size.unwrap_or_else(|failure| {
            self.violated(failure.to_string());
            // Whatever it left open is of no account any more.
            self.open.set(0);
            "not done".to_owned()
        });
        let open = self.open.get();
        self.require(open == 0, || format!("{open} stacks were never searched"));
        let (violations, seconds) = (self.violations.into_inner().len(), self.started.elapsed().as_secs());
        let line = format!("| {} | {about} | {size} | {violations} | {seconds} | {} |", self.name, self.seed);
        (line, violations == 0)
    }
}

/// The moment that it is, for what is measured.
#[expect(clippy::disallowed_methods, reason = "seconds of a run are measured, not decided upon")]
pub fn clock() -> Instant {
    Instant::now()
}
