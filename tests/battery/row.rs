//! A row of the battery, one run of it, and the table of all.

use std::{
    future::Future,
    io::Write,
    pin::Pin,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use ::tests::{Options, Result, Stack};
use fastrand::Rng;

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
    /// A run that has not begun.
    pub fn new(name: &'static str, is_full: bool, seed: u64) -> Self {
        let now = clock();
        let (told, violations) = (Mutex::new(now), Mutex::default());
        Self { name, is_full, seed, started: now, told, violations }
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

    /// A stack of this run: the functions are asked to log all they can.
    pub async fn stack(&self, options: Options) -> Result<Stack> {
        let options = options
            .with("RUST_LOG", "trace")
            .with("AWS_LAMBDA_LOG_LEVEL", "TRACE")
            .with("RUST_BACKTRACE", "full");
        Stack::start(options).await
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
    pub async fn to_the_end(self, row: &Row) -> Finished {
        let size = (row.run)(&self).await.unwrap_or_else(|failure| {
            self.violated(failure.to_string());
            "not done".to_owned()
        });
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
