//! Lambda: as many processes of a function as it has concurrent invocations, no more.
//!
//! An event goes to an idle process of its function if there is one, else to a new one, so two
//! concurrent requests always run in two processes and races between them are real. A process that
//! is killed, by a test or because it exceeded its function's time, takes its invocation with it.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::body::Bytes;
use serde_json::Value;

use crate::{
    Failure, Result,
    canaries::Watch,
    lock,
    logs::Logs,
    runtime_api::{Answer, Invocation, RuntimeApi},
    worker::{Killer, Worker},
};

/// What Lambda is told about a function.
#[derive(Clone, Debug)]
pub struct Specification {
    /// The file to execute.
    pub binary: PathBuf,
    /// Its environment; nothing of this process's own is passed on.
    pub environment: BTreeMap<String, String>,
    /// When an invocation is killed.
    pub timeout: Duration,
}

/// Why an invocation brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum InvocationError {
    /// There is no function of that name.
    #[error("there is no function {0}")]
    Unknown(String),
    /// The process did not get as far as asking for an event; with everything it printed.
    #[error("{0}")]
    Start(Failure),
    /// The function reported an error: Lambda's object with `errorType` and `errorMessage`.
    #[error("the function reported {0}")]
    Reported(Value),
    /// The answer was not JSON.
    #[error("the answer is not JSON: {0}")]
    NotJson(String),
    /// The process ended in the middle, by itself or killed; how it ended.
    #[error("the process ended: {0}")]
    Ended(String),
    /// The process was killed because it took longer than the function's time.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
}

/// All functions of a stack; clones are the same functions.
#[derive(Clone)]
pub struct Functions(Arc<Pool>);

struct Pool {
    runtime_api: RuntimeApi,
    specifications: Mutex<BTreeMap<String, Specification>>,
    idle: Mutex<HashMap<String, Vec<Worker>>>,
    busy: Mutex<HashMap<u64, (String, Killer)>>,
    doomed: Mutex<HashSet<String>>,
    workers: AtomicU64,
    invocations: AtomicU64,
    started: Mutex<HashMap<String, u64>>,
    logs: Logs,
    watch: Option<Watch>,
}

impl Functions {
    /// Functions by the names of their binaries. No process starts before its first event.
    pub async fn new(specifications: BTreeMap<String, Specification>) -> Result<Self> {
        Self::watched(specifications, None).await
    }

    /// The same, and all that they print and answer is shown to a watch.
    pub async fn watched(
        specifications: BTreeMap<String, Specification>,
        watch: Option<Watch>,
    ) -> Result<Self> {
        Ok(Self(Arc::new(Pool {
            runtime_api: RuntimeApi::start().await?,
            specifications: Mutex::new(specifications),
            idle: Mutex::default(),
            busy: Mutex::default(),
            doomed: Mutex::default(),
            workers: AtomicU64::new(0),
            invocations: AtomicU64::new(0),
            started: Mutex::default(),
            logs: Logs::new(watch.clone()),
            watch,
        })))
    }

    /// Hands an event to a function and waits for its answer.
    pub async fn invoke(&self, function: &str, event: &Value) -> Result<Value, InvocationError> {
        let (pool, function) = (Arc::clone(&self.0), function.to_owned());
        let payload = Bytes::from(event.to_string());
        // A task of its own, because Lambda finishes what its caller no longer waits for.
        let invocation = tokio::spawn(async move { pool.invoke(&function, payload).await });
        match invocation.await {
            Ok(answer) => answer,
            Err(error) => Err(InvocationError::Ended(error.to_string())),
        }
    }

    /// Starts a process of a function ahead of its first event: whether its configuration is right
    /// can be known by that alone.
    pub async fn warm(&self, function: &str) -> Result<(), InvocationError> {
        let Some(specification) = self.0.specification(function) else {
            return Err(InvocationError::Unknown(function.to_owned()));
        };
        let started = self.0.start(function, &specification).await;
        self.0.rest(function, started.map_err(InvocationError::Start)?);
        Ok(())
    }

    /// Kills every process of a function that is at work, and says how many there were.
    ///
    /// Each takes its invocation with it, as a crash on Lambda does.
    pub async fn kill_busy(&self, function: &str) -> usize {
        let killers: Vec<_> = lock(&self.0.busy)
            .values()
            .filter(|(name, _)| name == function)
            .map(|(_, killer)| killer.clone())
            .collect();
        let count = killers.len();
        for killer in killers {
            killer.kill().await;
        }
        count
    }

    /// Kills the next process of a function that answers, at the moment of its answer: all its work is
    /// done, and nobody learns of it.
    pub fn kill_at_answer(&self, function: &str) {
        lock(&self.0.doomed).insert(function.to_owned());
    }

    /// Spares the next process of a function that answers, if it was to be killed.
    pub fn spare_at_answer(&self, function: &str) {
        lock(&self.0.doomed).remove(function);
    }

    /// Kills every process of a function, so that its next event meets a cold start.
    pub async fn kill_all(&self, function: &str) -> usize {
        let mut count = self.kill_busy(function).await;
        let idle = lock(&self.0.idle).remove(function).unwrap_or_default();
        for worker in idle {
            worker.killer().kill().await;
            count += 1;
        }
        count
    }

    /// Has processes that start from now on find this in their environment, as after a deployment. Those that run keep
    /// what they have.
    pub fn deploy(&self, function: &str, name: &str, value: &str) {
        if let Some(specification) = lock(&self.0.specifications).get_mut(function) {
            specification.environment.insert(name.to_owned(), value.to_owned());
        }
    }

    /// Lets one process of a function go that has nothing to do; whether there was one. It is the one that has waited
    /// longest.
    pub async fn retire(&self, function: &str) -> bool {
        let oldest = {
            let mut idle = lock(&self.0.idle);
            idle.get_mut(function).filter(|idle| !idle.is_empty()).map(|idle| idle.remove(0))
        };
        let Some(worker) = oldest else { return false };
        worker.killer().kill().await;
        true
    }

    /// Kills every process of every function and reads what is left of their output.
    pub async fn stop(&self) {
        for function in self.names() {
            self.kill_all(&function).await;
        }
    }

    /// The names of all functions.
    pub fn names(&self) -> Vec<String> {
        lock(&self.0.specifications).keys().cloned().collect()
    }

    /// What Lambda is told about a function, for who starts a process of his own.
    ///
    /// # Errors
    ///
    /// [`Failure`] if there is no such function.
    pub fn specification(&self, function: &str) -> Result<Specification> {
        let specification = self.0.specification(function);
        specification.ok_or_else(|| Failure::new(format!("there is no function {function}")))
    }

    /// How many processes of a function have been started.
    pub fn cold_starts(&self, function: &str) -> u64 {
        lock(&self.0.started).get(function).copied().unwrap_or(0)
    }

    /// How many processes of a function are at work.
    pub fn busy(&self, function: &str) -> usize {
        lock(&self.0.busy).values().filter(|(name, _)| name == function).count()
    }

    /// The memory that each idle process of a function holds, in bytes, by the process's number.
    ///
    /// Nothing where the system does not tell it in `/proc`.
    pub fn memory(&self, function: &str) -> BTreeMap<u64, u64> {
        let idle = lock(&self.0.idle);
        let workers = idle.get(function).into_iter().flatten();
        workers.filter_map(|worker| Some((worker.id, resident(worker.process?)?))).collect()
    }

    /// How many descriptors each idle process of a function has open, by the process's number.
    ///
    /// Nothing where the system does not tell it in `/proc`.
    pub fn descriptors(&self, function: &str) -> BTreeMap<u64, u64> {
        let idle = lock(&self.0.idle);
        let workers = idle.get(function).into_iter().flatten();
        workers.filter_map(|worker| Some((worker.id, descriptors(worker.process?)?))).collect()
    }

    /// What the functions print.
    pub fn logs(&self) -> Logs {
        self.0.logs.clone()
    }
}

impl Pool {
    fn specification(&self, function: &str) -> Option<Specification> {
        lock(&self.specifications).get(function).cloned()
    }

    async fn invoke(&self, function: &str, payload: Bytes) -> Result<Value, InvocationError> {
        let Some(specification) = self.specification(function) else {
            return Err(InvocationError::Unknown(function.to_owned()));
        };
        loop {
            let worker = match self.take_idle(function) {
                Some(worker) => worker,
                None => self.start(function, &specification).await.map_err(InvocationError::Start)?,
            };
            match self.run(function, &specification, worker, &payload).await? {
                Some(Ok(answer)) => {
                    let value = serde_json::from_slice(&answer);
                    let answer = value.map_err(|_| String::from_utf8_lossy(&answer).into_owned());
                    if let Some(watch) = &self.watch {
                        let shown =
                            answer.as_ref().map_or_else(|text| Value::from(text.as_str()), Value::clone);
                        watch.answer(function, &payload, &shown);
                    }
                    return answer.map_err(InvocationError::NotJson);
                }
                Some(Err(error)) => {
                    if let Some(watch) = &self.watch {
                        watch.answer(function, &payload, &error);
                    }
                    return Err(InvocationError::Reported(error));
                }
                // The process had ended while it was idle and never saw the event.
                None => {}
            }
        }
    }

    fn rest(&self, function: &str, worker: Worker) {
        let mut idle = lock(&self.idle);
        idle.entry(function.to_owned()).or_default().push(worker);
    }

    fn take_idle(&self, function: &str) -> Option<Worker> {
        lock(&self.idle).get_mut(function)?.pop()
    }

    async fn start(&self, function: &str, specification: &Specification) -> Result<Worker> {
        let id = self.workers.fetch_add(1, Ordering::SeqCst) + 1;
        let mut environment = specification.environment.clone();
        for (name, value) in lambda_environment(function, id, self.runtime_api.url_for(id)) {
            environment.entry(name.to_owned()).or_insert(value);
        }
        *lock(&self.started).entry(function.to_owned()).or_default() += 1;
        Worker::start(
            id,
            function,
            &specification.binary,
            &environment,
            self.runtime_api.open(id),
            &self.logs,
        )
        .await
    }

    /// One event in one process. `None`: the process ended before it took the event.
    async fn run(
        &self,
        function: &str,
        specification: &Specification,
        mut worker: Worker,
        payload: &Bytes,
    ) -> Result<Option<Answer>, InvocationError> {
        let number = self.invocations.fetch_add(1, Ordering::SeqCst) + 1;
        let (invocation, answered) = Invocation::of(function, number, specification.timeout, payload.clone());
        let taken = Arc::clone(&invocation.taken);
        let busy = Busy::enter(self, function, &worker);
        // A closed desk means that the process has ended; that is seen below.
        let _ = worker.desk.invocations.send(invocation);
        let ended = tokio::select! {
            // An answer given just before the process ended is an answer.
            biased;
            answer = answered => match answer {
                Ok(_) if lock(&self.doomed).remove(function) => worker.killer().kill().await,
                Ok(answer) => {
                    // In this order: once it is idle, it may be at work again.
                    drop(busy);
                    self.rest(function, worker);
                    return Ok(Some(answer));
                }
                Err(_) => worker.end().await,
            },
            status = worker.end() => status,
            () = tokio::time::sleep(specification.timeout) => {
                worker.killer().kill().await;
                return Err(InvocationError::TimedOut(specification.timeout));
            }
        };
        if taken.load(Ordering::SeqCst) { Err(InvocationError::Ended(ended)) } else { Ok(None) }
    }
}

/// What Lambda tells a process of a function beside what the template does.
pub fn lambda_environment(function: &str, worker: u64, url: String) -> [(&'static str, String); 9] {
    [
        ("AWS_LAMBDA_RUNTIME_API", url),
        ("AWS_LAMBDA_FUNCTION_NAME", function.to_owned()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256".to_owned()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{function}")),
        ("AWS_LAMBDA_LOG_STREAM_NAME", format!("2026/01/01/[$LATEST]{worker:032x}")),
        ("_HANDLER", "bootstrap".to_owned()),
        ("TZ", ":UTC".to_owned()),
    ]
}

/// The memory of a process, in bytes.
fn resident(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim_end().parse().ok()?;
    Some(kilobytes * 1024)
}

/// How many descriptors a process has open.
fn descriptors(process: u32) -> Option<u64> {
    let open = std::fs::read_dir(format!("/proc/{process}/fd")).ok()?;
    u64::try_from(open.count()).ok()
}

/// Marks a process as at work for as long as this lives, whatever becomes of the invocation.
struct Busy<'a> {
    pool: &'a Pool,
    worker: u64,
}

impl<'a> Busy<'a> {
    fn enter(pool: &'a Pool, function: &str, worker: &Worker) -> Self {
        lock(&pool.busy).insert(worker.id, (function.to_owned(), worker.killer()));
        Self { pool, worker: worker.id }
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        lock(&self.pool.busy).remove(&self.worker);
    }
}

#[cfg(test)]
mod tests;
