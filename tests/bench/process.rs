//! One process of a function, started and asked as Lambda does it, and what it took.
//!
//! A process that is asked a few times a second finds little of its code in the processor's caches, and a warm request
//! runs through hundreds of pages of it. So its time also says what is none of the program's doing:
//!
//! * where in memory the kernel keeps the file: the same bytes in another place can take half as much time again, or
//!   more, request after request, for as many instructions and calls;
//! * whether another process has just run the same file. A floor that is three processes of one file finds warm in the
//!   second what the first one ran; no function shares its file with another.
//!
//! So each process runs a copy of its own, written in one piece, and a median is one of many places.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use harness::{
    Failure, Result,
    functions::lambda_environment,
    runtime_api::{Desk, Invocation, RuntimeApi, Stage},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::{NamedTempFile, TempPath};
use tokio::process::{Child, Command};

use crate::share::Share;

/// How long a process may take over its start or an event.
const PATIENCE: Duration = Duration::from_secs(20);

/// What can be started.
#[derive(Clone)]
pub struct Program {
    /// The file to execute.
    pub binary: PathBuf,
    /// What it is told.
    pub arguments: Vec<String>,
    /// Its environment.
    pub environment: BTreeMap<String, String>,
    /// Where each process gets a copy of the file; `None` if the file itself is executed.
    pub copies: Option<PathBuf>,
    /// What its runtime puts before the address of the Runtime API by itself, and so is not to be given.
    pub own_scheme: &'static str,
}

impl Program {
    /// The same with other settings; `None` takes one away.
    #[must_use]
    pub fn with<const N: usize>(mut self, changes: [(&str, Option<String>); N]) -> Self {
        for (name, value) in changes {
            match value {
                Some(value) => self.environment.insert(name.to_owned(), value),
                None => self.environment.remove(name),
            };
        }
        self
    }
}

/// What a process is asked, and the status that it must answer.
#[derive(Clone)]
pub struct Question {
    /// The event.
    pub event: Value,
    /// The status.
    pub status: u64,
}

/// A started process; it is killed when it is dropped.
pub struct Process {
    child: Child,
    desk: Desk,
    id: u32,
    asked: u64,
    _copy: Option<TempPath>,
    /// From the creation of the process to its first `GET /2018-06-01/runtime/invocation/next`.
    pub start: Duration,
}

impl Process {
    /// Starts one, in a share of a processor if it is given one, and waits until it asks for its first event.
    pub async fn start(lambda: &RuntimeApi, program: &Program, share: Option<&Share>) -> Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::SeqCst) + 1;
        let mut desk = lambda.open(number);
        let copy = program.copies.as_deref().map(|directory| copy(&program.binary, directory)).transpose()?;
        let binary = copy.as_deref().unwrap_or(&program.binary);
        let mut command = match share {
            None => Command::new(binary),
            Some(share) => share.command(binary),
        };
        let url = lambda.url_for(number);
        let address = url.strip_prefix(program.own_scheme).unwrap_or(&url).to_owned();
        command
            .args(&program.arguments)
            .env_clear()
            .envs(&program.environment)
            .envs(lambda_environment("bench", number, address))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        let began = Instant::now();
        let mut child = command.spawn()?;
        let id = child.id().ok_or_else(|| Failure::new("it ended at once"))?;
        let started = async {
            match &*desk.stage.wait_for(|stage| *stage != Stage::Starting).await? {
                Stage::InitError(error) => Err(Failure::new(format!("it reported {error}"))),
                _ => Ok(began.elapsed()),
            }
        };
        let start = in_time(&mut child, started).await?;
        Ok(Self { child, desk, id, asked: 0, _copy: copy, start })
    }

    /// Hands it an event, and waits until it asks for another one; how long the answer took, and what it was.
    pub async fn ask(&mut self, question: &Question) -> Result<(Duration, Value)> {
        self.asked += 1;
        let payload = question.event.to_string().into();
        let (invocation, answered) = Invocation::of("bench", self.asked, PATIENCE, payload);
        let began = Instant::now();
        let _ = self.desk.invocations.send(invocation);
        let next = Stage::Started(self.asked + 1);
        let Self { child, desk, .. } = self;
        let work = async {
            let answer = answered.await?.map_err(|error| Failure::new(format!("it reported {error}")))?;
            let took = began.elapsed();
            let answer: Value = serde_json::from_slice(&answer)?;
            if answer.get("statusCode").and_then(Value::as_u64) != Some(question.status) {
                return Err(Failure::new(format!("not a {}: {answer}", question.status)));
            }
            desk.stage.wait_for(|stage| *stage == next).await?;
            Ok((took, answer))
        };
        in_time(child, work).await
    }

    /// Whether it has met an event before.
    pub fn has_answered(&self) -> bool {
        self.asked > 0
    }

    /// The processor time of all its threads so far, which other work on the machine hardly changes.
    pub fn processor(&self) -> Result<Duration> {
        let mut sum = Duration::ZERO;
        for thread in fs::read_dir(format!("/proc/{}/task", self.id))? {
            let statistics = fs::read_to_string(thread?.path().join("schedstat"))?;
            let running = statistics.split_whitespace().next().unwrap_or_default();
            sum += Duration::from_nanos(running.parse()?);
        }
        Ok(sum)
    }

    /// The largest memory that it has had, in kB.
    pub fn peak_memory(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        Ok(number.ok_or_else(|| Failure::new("the kernel does not say VmHWM"))?.parse()?)
    }

    /// Asks it to end, and waits until it has.
    pub async fn terminate(mut self) -> Result<()> {
        let id = i32::try_from(self.id).ok().and_then(Pid::from_raw);
        let id = id.ok_or_else(|| Failure::new("a process without a number"))?;
        kill_process(id, Signal::TERM)?;
        tokio::time::timeout(PATIENCE, self.child.wait()).await??;
        Ok(())
    }

    /// Ends it, and waits for its end.
    pub async fn end(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }
}

/// A copy that can be executed, until it is dropped. Not by `fs::copy`, which writes piece by piece.
fn copy(binary: &Path, directory: &Path) -> Result<TempPath> {
    let copy = NamedTempFile::new_in(directory)?.into_temp_path();
    fs::write(&copy, fs::read(binary)?)?;
    fs::set_permissions(&copy, fs::metadata(binary)?.permissions())?;
    Ok(copy)
}

/// What comes of a piece of work, unless the process ends meanwhile, or it takes too long.
async fn in_time<T>(child: &mut Child, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        done = work => done,
        status = child.wait() => Err(Failure::new(format!("it ended: {}", status?))),
        () = tokio::time::sleep(PATIENCE) => Err(Failure::new(format!("not done in {PATIENCE:?}"))),
    }
}
