//! An AWS on this machine: ministack, with IAM enforced, and the tools that speak to it as to AWS.
//!
//! `make rehearse` and whoever else deploys here starts one with [`EmulatedAws::start`]. It is a process of Python,
//! from the virtual environment that `make` installs; what is added to it stands in `tests/rehearsal/emulator.py`, and
//! how it differs from AWS in `docs/development/rehearsal.md`. Everything it keeps lies in a directory of its own,
//! which goes with it.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    time::{sleep, timeout},
};

use crate::{
    Failure, Result,
    binaries::{variable, workspace},
};

/// How long it may take to listen.
const LONGEST_START: Duration = Duration::from_mins(2);
/// How long it may take to end its functions and itself.
const LONGEST_STOP: Duration = Duration::from_secs(10);
/// How its log begins to tell of a call that IAM refused.
const DENIED: &str = "DENIED ";

/// Whoever may do anything in the emulated account.
#[must_use]
pub fn root() -> Credentials {
    Credentials { access_key_id: "root".to_owned(), secret_access_key: "secret-of-root".to_owned() }
}

/// Who calls AWS.
#[derive(Clone)]
pub struct Credentials {
    /// The name of the key.
    pub access_key_id: String,
    /// The key; the emulator's, and worth nothing elsewhere.
    pub secret_access_key: String,
}

/// A running AWS; it ends when it is dropped, with every function.
pub struct EmulatedAws {
    process: Child,
    address: SocketAddr,
    directory: TempDir,
}

impl EmulatedAws {
    /// Starts one on a free port. `environment` reaches the emulator and every function that it runs; `enforces_iam` is
    /// whether a call without a valid signature, or without a permission, is refused.
    pub async fn start(environment: &BTreeMap<String, String>, enforces_iam: bool) -> Result<Self> {
        let python = tool("python")?;
        // The emulator opens its port by itself. Whoever else were given this one meanwhile would be seen: it does not
        // start.
        let address = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
        let directory = tempfile::tempdir()?;
        let log = File::create(directory.path().join("log"))?;
        let Credentials { access_key_id, secret_access_key } = root();
        let process = Command::new(&python)
            .arg(workspace().join("tests/rehearsal/emulator.py"))
            .env_clear()
            .envs(environment)
            .env("PATH", path())
            .env("HOME", directory.path())
            .env("TMPDIR", directory.path())
            .env("S3_DATA_DIR", directory.path().join("s3"))
            .env("AUTH", if enforces_iam { "true" } else { "false" })
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", address.port().to_string())
            // Reaches the functions too.
            .env("AWS_ENDPOINT_URL", format!("http://{address}"))
            .env("AWS_ACCESS_KEY_ID", access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", secret_access_key)
            .env("IOT_MTLS_ENABLED", "0")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C reaches this program alone, which then ends the other in an orderly way.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Failure::from(error).during(python.display()))?;
        let mut aws = Self { process, address, directory };
        match timeout(LONGEST_START, aws.ready()).await {
            Ok(Ok(())) => Ok(aws),
            Ok(Err(failure)) => Err(Failure::new(format!("{failure}\n{}", aws.log()?))),
            Err(_) => Err(Failure::new(format!("the emulated AWS does not listen\n{}", aws.log()?))),
        }
    }

    async fn ready(&mut self) -> Result<()> {
        loop {
            if TcpStream::connect(self.address).await.is_ok() {
                return Ok(());
            }
            if let Some(status) = self.process.try_wait()? {
                return Err(Failure::new(format!("the emulated AWS ended by itself: {status}")));
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Where everything listens: AWS's services, and the domains of API Gateway by their `Host`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What `AWS_ENDPOINT_URL` is to be set to.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The environment of a program that is to find this AWS, and nothing else of the person's own.
    pub fn environment(&self, caller: &Credentials, region: &str) -> BTreeMap<String, OsString> {
        let own: [(&str, OsString); 8] = [
            ("AWS_ENDPOINT_URL", self.url().into()),
            ("AWS_ACCESS_KEY_ID", caller.access_key_id.clone().into()),
            ("AWS_SECRET_ACCESS_KEY", caller.secret_access_key.clone().into()),
            ("AWS_DEFAULT_REGION", region.into()),
            ("AWS_EC2_METADATA_DISABLED", "true".into()),
            ("SAM_CLI_TELEMETRY", "0".into()),
            ("PATH", path()),
            ("HOME", self.directory.path().into()),
        ];
        own.map(|(name, value)| (name.to_owned(), value)).into()
    }

    /// A program that is to find this AWS.
    pub fn command(&self, program: impl AsRef<Path>, caller: &Credentials, region: &str) -> Command {
        let mut command = Command::new(program.as_ref());
        command.env_clear().envs(self.environment(caller, region)).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// What the AWS CLI answers.
    pub async fn cli(&self, caller: &Credentials, region: &str, arguments: &[&str]) -> Result<Value> {
        let output =
            self.command(tool("aws")?, caller, region).args(arguments).args(["--output", "json"]).output();
        let output = output.await?;
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr);
            let call = arguments.iter().take(2).copied().collect::<Vec<_>>().join(" ");
            return Err(Failure::new(format!("aws {call}: {}", complaint.trim())));
        }
        if output.stdout.is_empty() {
            return Ok(Value::Null);
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Everything that the emulator has said so far.
    pub fn log(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(self.directory.path().join("log"))?).into_owned())
    }

    /// Every call that IAM refused so far: who, what, on what, as JSON.
    pub fn denials(&self) -> Result<Vec<String>> {
        let log = self.log()?;
        Ok(log.lines().filter_map(|line| line.strip_prefix(DENIED)).map(str::to_owned).collect())
    }

    fn pid(&self) -> Option<Pid> {
        // None if it has ended.
        self.process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw)
    }

    /// Lets no service of it answer, as if the region had stopped, while the functions go on.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets them answer again.
    pub fn go_on(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        match self.pid() {
            Some(pid) => Ok(kill_process(pid, signal)?),
            None => Err(Failure::new("the emulated AWS has ended")),
        }
    }

    /// Ends it and its functions.
    pub async fn stop(mut self) -> Result<()> {
        if self.pid().is_some() {
            self.signal(Signal::TERM)?;
        }
        if timeout(LONGEST_STOP, self.process.wait()).await.is_err() {
            self.process.kill().await?;
        }
        Ok(())
    }
}

impl Drop for EmulatedAws {
    fn drop(&mut self) {
        if let Some(pid) = self.pid() {
            // The functions are of the same group. An error means that there is nobody left.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// A program of the virtual environment in which the emulator is installed.
pub fn tool(name: &str) -> Result<PathBuf> {
    let path = workspace().join(".venv-rehearsal/bin").join(name);
    if path.is_file() {
        return Ok(path);
    }
    Err(Failure::new(format!("there is no {}; `make .venv-rehearsal/installed` installs it", path.display())))
}

/// Where programs are looked for: the AWS CLI is that of the virtual environment.
fn path() -> OsString {
    let own = variable("PATH").unwrap_or_default();
    let all = [workspace().join(".venv-rehearsal/bin")].into_iter().chain(env::split_paths(&own));
    // Only a directory with a colon in its name could not be joined, and it came from such a list.
    env::join_paths(all).unwrap_or(own)
}
