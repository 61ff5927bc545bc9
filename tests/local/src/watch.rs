//! `cargo lambda watch`, from its start to the end of every process that it started.

use std::{
    fs::File,
    path::Path,
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
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdout, Command},
    time::{sleep, timeout},
};

/// Parallel requests to one function run in as many processes.
const CONCURRENCY: &str = "4";
/// How long the functions may take to answer for the first time, once they are built.
const LONGEST_START: Duration = Duration::from_mins(5);
/// How long `cargo lambda watch` may take to end its functions; it needs about two seconds.
const LONGEST_STOP: Duration = Duration::from_secs(15);

/// A running `cargo lambda watch`.
pub struct Watch {
    child: Child,
    /// Whether it is being ended: what functions say that lose their runtime then is of no use to anybody.
    is_ending: Arc<AtomicBool>,
}

impl Watch {
    /// Starts it on a port of the loopback interface: for a person, who changes the sources and
    /// reads along, or for a check, which keeps everything in a file.
    pub fn start(cargo_lambda: &Path, port: u16, env_file: &Path, log: Option<&File>) -> Result<Self> {
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
        if let Some(log) = log {
            command.arg("--ignore-changes").stdout(log.try_clone()?).stderr(log.try_clone()?);
        } else {
            command.stdout(Stdio::piped());
        }
        for name in binaries::package_variables() {
            command.env_remove(name);
        }
        let mut child =
            command.spawn().map_err(|error| Failure::from(error).during(cargo_lambda.display()))?;
        let is_ending = Arc::new(AtomicBool::new(false));
        if let Some(output) = child.stdout.take() {
            tokio::spawn(show(output, Arc::clone(&is_ending)));
        }
        Ok(Self { child, is_ending })
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
            status = self.child.wait() => Err(ended(status?)),
        }
    }

    /// Waits for its end, which nobody asked for.
    pub async fn end(&mut self) -> Failure {
        match self.child.wait().await {
            Ok(status) => ended(status),
            Err(error) => error.into(),
        }
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

/// Shows what is said, line by line, until the end is asked for; then it is read, so that nobody waits for it, and not
/// shown.
async fn show(output: ChildStdout, is_ending: Arc<AtomicBool>) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if !is_ending.load(Ordering::Relaxed) {
            println!("{line}");
        }
    }
}

fn ended(status: ExitStatus) -> Failure {
    Failure::new(format!(
        "cargo lambda watch 意外退出，原因见上面的输出。\ncargo lambda watch ended by itself: {status}"
    ))
}
