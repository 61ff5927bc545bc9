//! A row of the battery, one run of it, and the table of all.

use std::{
    borrow::Borrow,
    future::Future,
    io::Write,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use fastrand::Rng;
use harness::{Options, Result, Stack};

use crate::canaries::Scans;

/// How many violations of a row are told one by one.
const MOST_TOLD: usize = 20;
/// How often a row says how far it has come.
const PROGRESS: Duration = Duration::from_secs(10);

/// What a row does: it reports violations to its [`Run`] and returns what its size was, in words such
/// as `200 × 25`. An error means that it could not be done at all, which counts as a violation.
pub type Work = for<'a> fn(&'a Run) -> Pin<Box<dyn Future<Output = Result<String>> + Send + 'a>>;

/// One row of the table.
pub struct Row {
    /// Its name in the table, such as `B1`.
    pub name: &'static str,
    /// What it is about, in a few words.
    pub about: &'static str,
    /// What it does.
    pub run: Work,
}

/// One run of one row.
pub struct Run {
    name: &'static str,
    is_full: bool,
    seed: u64,
    started: Instant,
    told: Mutex<Instant>,
    violations: Mutex<Vec<String>>,
    scans: Arc<Scans>,
    /// Stacks that were begun and have not been searched yet.
    open: AtomicUsize,
}

/// What one run of a row came to.
pub struct Finished {
    name: &'static str,
    about: &'static str,
    size: String,
    violations: usize,
    seconds: u64,
}

impl Run {
    /// A run that has not begun. What its stacks were searched for goes to `scans`.
    pub fn new(name: &'static str, is_full: bool, seed: u64, scans: &Arc<Scans>) -> Self {
        let now = clock();
        let (told, violations) = (Mutex::new(now), Mutex::default());
        let (scans, open) = (Arc::clone(scans), AtomicUsize::new(0));
        Self { name, is_full, seed, started: now, told, violations, scans, open }
    }

    /// Whether this is the full run.
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// One of two sizes.
    pub fn size(&self, sample: usize, full: usize) -> usize {
        if self.is_full { full } else { sample }
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
        self.open.fetch_add(1, Ordering::SeqCst);
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
        self.open.fetch_sub(1, Ordering::SeqCst);
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
        let mut violations = self.violations.lock().unwrap_or_else(PoisonError::into_inner);
        if violations.len() < MOST_TOLD {
            eprintln!("{}  VIOLATION  {what}", self.name);
        }
        violations.push(what);
    }

    /// Says now and then how far the row has come.
    pub fn progress(&self, done: usize, of: usize) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.elapsed() >= PROGRESS {
            *told = clock();
            println!("{}  {done} of {of} after {} s", self.name, self.started.elapsed().as_secs());
        }
    }

    /// Runs the row.
    pub async fn finish(self, row: &Row) -> Finished {
        let size = (row.run)(&self).await.unwrap_or_else(|failure| {
            self.violated(failure.to_string());
            // Whatever it left open is of no account any more.
            self.open.store(0, Ordering::SeqCst);
            "not done".to_owned()
        });
        let open = self.open.load(Ordering::SeqCst);
        self.require(open == 0, || format!("{open} stacks were never searched"));
        let violations = self.violations.into_inner().unwrap_or_else(PoisonError::into_inner).len();
        let seconds = self.started.elapsed().as_secs();
        Finished { name: row.name, about: row.about, size, violations, seconds }
    }
}

impl Finished {
    /// Whether no promise was broken.
    pub fn is_clean(&self) -> bool {
        self.violations == 0
    }
}

/// Prints the table, as it may stand in a Markdown file.
pub fn print(rows: &[Finished], seed: u64) {
    println!("\n| Row | What | Size | Violations | Seconds | Seed |\n|---|---|---|---|---|---|");
    for Finished { name, about, size, violations, seconds } in rows {
        println!("| {name} | {about} | {size} | {violations} | {seconds} | {seed} |");
    }
    // A table that cannot be written is lost; the exit code still tells.
    let _ = std::io::stdout().flush();
}

#[expect(clippy::disallowed_methods, reason = "seconds of a run are measured, not decided upon")]
fn clock() -> Instant {
    Instant::now()
}
