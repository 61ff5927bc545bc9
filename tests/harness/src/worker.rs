//! One process of a function: what Lambda calls an execution environment.

use std::{collections::BTreeMap, path::Path, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::{mpsc, watch},
    time::timeout,
};

use crate::{
    Failure, Result,
    logs::{Line, Logs},
    runtime_api::{Desk, Stage},
};

/// Lambda gives a function ten seconds to start.
const LONGEST_START: Duration = Duration::from_secs(10);

/// A started process; it is killed when the last handle on it is dropped.
pub(crate) struct Worker {
    /// Its number, counted from 1 over all functions.
    pub id: u64,
    /// Its number on this machine, while it lives.
    pub process: Option<u32>,
    /// Its Runtime API.
    pub desk: Desk,
    /// How it ended, once it has.
    pub ended: watch::Receiver<Option<String>>,
    kill: mpsc::UnboundedSender<()>,
}

/// Ends a process from outside of the invocation that it works on.
#[derive(Clone)]
pub(crate) struct Killer {
    kill: mpsc::UnboundedSender<()>,
    ended: watch::Receiver<Option<String>>,
}

impl Worker {
    /// Starts a process and waits until it asks for its first event.
    ///
    /// The error is everything that the process printed.
    pub async fn start(
        id: u64,
        function: &str,
        binary: &Path,
        environment: &BTreeMap<String, String>,
        desk: Desk,
        logs: &Logs,
    ) -> Result<Self> {
        let mut child = Command::new(binary)
            .env_clear()
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Failure::from(error).during(binary.display()))?;
        let readers = [
            child.stdout.take().map(|stream| keep(stream, id, function, logs)),
            child.stderr.take().map(|stream| keep(stream, id, function, logs)),
        ];
        let process = child.id();
        let (kill, killed) = mpsc::unbounded_channel();
        let (end, ended) = watch::channel(None);
        tokio::spawn(supervise(child, readers, killed, end));
        let mut worker = Self { id, process, desk, ended, kill };
        let stage = timeout(LONGEST_START, worker.started()).await;
        let reason = match stage {
            Ok(Stage::Started(_)) => return Ok(worker),
            Ok(Stage::InitError(error)) => format!("reported {error}"),
            Ok(Stage::Starting) => "ended".to_owned(),
            Err(_) => "took longer than ten seconds".to_owned(),
        };
        let status = worker.killer().kill().await;
        Err(Failure::new(format!(
            "{function} did not start: it {reason} ({status}); it printed:\n{}",
            logs.of_worker(id)
        )))
    }

    /// How far the process came, once that is decided; `Starting` means that it ended.
    async fn started(&mut self) -> Stage {
        tokio::select! {
            decided = self.desk.stage.wait_for(|stage| *stage != Stage::Starting) => {
                decided.map_or(Stage::Starting, |stage| stage.clone())
            }
            _ = self.ended.wait_for(Option::is_some) => Stage::Starting,
        }
    }

    /// Waits for the end of the process.
    pub async fn end(&mut self) -> String {
        await_end(&mut self.ended).await
    }

    /// A handle that can end the process while the worker is lent out.
    pub fn killer(&self) -> Killer {
        Killer { kill: self.kill.clone(), ended: self.ended.clone() }
    }
}

impl Killer {
    /// `kill -9`, and how the process ended. Everything it printed is in the log by then.
    pub async fn kill(mut self) -> String {
        // A closed channel means that the process has ended by itself.
        let _ = self.kill.send(());
        drop(self.kill);
        await_end(&mut self.ended).await
    }
}

async fn await_end(ended: &mut watch::Receiver<Option<String>>) -> String {
    let end = ended.wait_for(Option::is_some).await;
    end.ok().and_then(|end| end.clone()).unwrap_or_default()
}

/// Owns the process: kills it when asked or when nobody holds it any more, reads its output to
/// the end, then tells how it ended.
async fn supervise(
    mut child: Child,
    readers: [Option<tokio::task::JoinHandle<()>>; 2],
    mut killed: mpsc::UnboundedReceiver<()>,
    end: watch::Sender<Option<String>>,
) {
    let status = tokio::select! {
        status = child.wait() => status,
        _ = killed.recv() => match child.start_kill() {
            Ok(()) => child.wait().await,
            Err(error) => Err(error),
        },
    };
    for reader in readers.into_iter().flatten() {
        // A reader that panicked has nothing more to read.
        let _ = reader.await;
    }
    end.send_replace(Some(match status {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    }));
}

/// Copies a stream into the log, line by line, whatever its bytes are.
fn keep(
    stream: impl AsyncRead + Unpin + Send + 'static,
    worker: u64,
    function: &str,
    logs: &Logs,
) -> tokio::task::JoinHandle<()> {
    let (function, logs) = (function.to_owned(), logs.clone());
    tokio::spawn(async move {
        let mut lines = BufReader::new(stream).split(b'\n');
        while let Ok(Some(line)) = lines.next_segment().await {
            logs.push(Line {
                function: function.clone(),
                worker,
                text: String::from_utf8_lossy(&line).into_owned(),
            });
        }
    })
}
