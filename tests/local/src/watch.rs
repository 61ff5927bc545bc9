//! `cargo lambda watch`, from its start to the end of every process that it started.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use harness::{Browser, Failure, Result, binaries};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    time::{sleep, timeout},
};

use crate::line;

/// Parallel requests to one function run in as many processes.
const CONCURRENCY: &str = "4";
/// How long the functions may take to answer for the first time, once they are built.
const LONGEST_START: Duration = Duration::from_mins(5);
/// How long `cargo lambda watch` may take to end its functions; it needs about two seconds.
const LONGEST_STOP: Duration = Duration::from_secs(15);

/// How much of what is said somebody reads; all of it is in the file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Audience {
    /// Nobody: it is a check, and no source changes meanwhile.
    Nobody,
    /// Somebody who wants to know how logins end, and what goes wrong.
    Visitor,
    /// Somebody who reads all of it.
    Developer,
}

/// A running `cargo lambda watch`.
pub struct Watch {
    child: Child,
    log_file: PathBuf,
    /// Whether it is being ended: what functions say that lose their runtime then is of no use to anybody.
    is_ending: Arc<AtomicBool>,
}

impl Watch {
    /// Starts it on a port of the loopback interface. All that it and the functions say until the end is asked for is
    /// kept in `log_file`, that of an earlier run is not.
    pub fn start(
        cargo_lambda: &Path,
        port: u16,
        env_file: &Path,
        log_file: &Path,
        audience: Audience,
    ) -> Result<Self> {
        let log = File::create(log_file)?;
        let mut command = Command::new(cargo_lambda);
        command
            .args(["lambda", "watch", "--invoke-address", "127.0.0.1"])
            .args(["--invoke-port", &port.to_string()])
            .args(["--concurrency", CONCURRENCY])
            // The functions answer CORS themselves, and a second answer would hide theirs.
            .arg("--disable-cors")
            .arg("--env-file")
            .arg(env_file)
            .current_dir(binaries::workspace())
            .stdin(Stdio::null())
            // Ctrl-C reaches this program alone, which then ends the other in an orderly way.
            .process_group(0)
            .kill_on_drop(true);
        if audience == Audience::Nobody {
            command.arg("--ignore-changes").stdout(log.try_clone()?).stderr(log.try_clone()?);
        } else {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
        }
        for name in binaries::package_variables() {
            command.env_remove(name);
        }
        let mut child =
            command.spawn().map_err(|error| Failure::from(error).during(cargo_lambda.display()))?;
        let is_ending = Arc::new(AtomicBool::new(false));
        let shows_all = audience == Audience::Developer;
        if let Some(output) = child.stdout.take() {
            tokio::spawn(show(output, log.try_clone()?, shows_all, Arc::clone(&is_ending)));
        }
        if let Some(output) = child.stderr.take() {
            tokio::spawn(show(output, log, shows_all, Arc::clone(&is_ending)));
        }
        Ok(Self { child, log_file: log_file.to_owned(), is_ending })
    }

    /// Waits until an address answers 200.
    pub async fn ready(&mut self, browser: &Browser, url: &str) -> Result<()> {
        let mut last = "no answer".to_owned();
        let ready = async {
            loop {
                match browser.get(url).await {
                    Ok(answer) if answer.status == 200 => return,
                    Ok(answer) => last = format!("{} {}", answer.status, answer.text()),
                    Err(failure) => last = failure.to_string(),
                }
                sleep(Duration::from_millis(200)).await;
            }
        };
        tokio::select! {
            ready = timeout(LONGEST_START, ready) => {
                ready.map_err(|_| Failure::new(format!("登录服务没有就绪，最后的响应见下。\n{url} does not answer 200 but: {last}")))
            }
            status = self.child.wait() => Err(self.ended(status?)),
        }
    }

    /// Waits for its end, which nobody asked for.
    pub async fn end(&mut self) -> Failure {
        match self.child.wait().await {
            Ok(status) => self.ended(status),
            Err(error) => error.into(),
        }
    }

    fn ended(&self, status: ExitStatus) -> Failure {
        let log_file = self.log_file.display();
        Failure::new(format!(
            "cargo lambda watch 意外退出，原因见 {log_file}。\ncargo lambda watch ended by itself, {log_file} says why: {status}"
        ))
    }

    /// Ends it and, through it, the functions. They would also notice by themselves that it is gone.
    pub async fn stop(mut self) -> Result<()> {
        self.is_ending.store(true, Ordering::Relaxed);
        if let Some(id) = self.child.id().and_then(|id| i32::try_from(id).ok())
            && let Some(pid) = Pid::from_raw(id)
            && self.child.try_wait()?.is_none()
        {
            kill_process(pid, Signal::TERM)?;
        }
        if timeout(LONGEST_STOP, self.child.wait()).await.is_err() {
            self.child.kill().await?;
        }
        Ok(())
    }
}

/// Keeps what is said, and shows what somebody wants to read of it, line by line, until the end is asked for; then it
/// is read, so that nobody waits for it, and that is all.
async fn show(output: impl AsyncRead + Unpin, mut log: File, shows_all: bool, is_ending: Arc<AtomicBool>) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if is_ending.load(Ordering::Relaxed) {
            continue;
        }
        // A disk that is full takes nothing from who reads along.
        let _ = log.write_all(format!("{line}\n").as_bytes());
        let shown = if shows_all { Some(line) } else { line::shown(&line) };
        if let Some(shown) = shown {
            println!("{shown}");
        }
    }
}
