//! The Lambda Runtime API, for many processes at once.
//!
//! Lambda gives each execution environment a Runtime API of its own. Here one server plays all of
//! them, told apart by a prefix of the path: a process with
//! `AWS_LAMBDA_RUNTIME_API=http://127.0.0.1:PORT/worker/7` polls
//! `/worker/7/2018-06-01/runtime/invocation/next` and so gets only what was meant for it.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};

use crate::{Result, lock, time};

/// Lambda's limit on a synchronous answer.
const LARGEST_ANSWER: usize = 6 * 1024 * 1024;

/// Lambda gives every request a trace of its own. Here they share one: the runtime puts it into the
/// environment, where the C library never frees a value, and some 155 bytes a request that are not ours
/// would hide from a test that watches the memory what is.
const TRACE_ID: &str = "Root=1-6b01c3ef-000000000000000000000001;Parent=0000000000000001;Sampled=0";

/// One event on its way to a process.
pub struct Invocation {
    /// What the function is handed as its request id.
    pub request_id: String,
    /// When Lambda will kill it, in epoch milliseconds.
    pub deadline: u64,
    /// The name under which it was called.
    pub function_arn: String,
    /// X-Ray's header.
    pub trace_id: String,
    /// The event.
    pub payload: Bytes,
    /// Set once a process has taken the event: from then on it may have acted on it.
    pub taken: Arc<AtomicBool>,
    /// Where its answer goes.
    pub answer: oneshot::Sender<Answer>,
}

impl Invocation {
    /// The event of an invocation of a function, which has so much time for it; and where its answer arrives.
    pub fn of(
        function: &str,
        number: u64,
        timeout: Duration,
        payload: Bytes,
    ) -> (Self, oneshot::Receiver<Answer>) {
        let (answer, answered) = oneshot::channel();
        let invocation = Self {
            request_id: format!("{:08x}-0000-4000-8000-{number:012x}", time::now_seconds()),
            deadline: time::milliseconds(time::now() + timeout),
            function_arn: format!("arn:aws:lambda:us-east-1:123456789012:function:{function}"),
            trace_id: TRACE_ID.to_owned(),
            payload,
            taken: Arc::default(),
            answer,
        };
        (invocation, answered)
    }
}

/// What a process made of an event: its JSON, or the error it reported.
pub type Answer = Result<Bytes, Value>;

/// How far the start of a process has come.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// It has not asked for an event yet.
    Starting,
    /// It reported that it cannot start.
    InitError(Value),
    /// It asked for so many events.
    Started(u64),
}

/// The pool's end of a process's Runtime API.
pub struct Desk {
    /// Events for the process.
    pub invocations: mpsc::UnboundedSender<Invocation>,
    /// How far it has come.
    pub stage: watch::Receiver<Stage>,
    registry: Registry,
    worker: u64,
}

/// The server's end.
struct Counter {
    invocations: tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>,
    pending: Mutex<Option<(String, oneshot::Sender<Answer>)>>,
    stage: watch::Sender<Stage>,
}

type Registry = Arc<Mutex<HashMap<u64, Arc<Counter>>>>;

/// The server; it stops when it is dropped.
pub struct RuntimeApi {
    address: SocketAddr,
    registry: Registry,
    _serving: JoinSet<io::Result<()>>,
}

impl RuntimeApi {
    /// Opens the server on a free port.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let registry = Registry::default();
        let invocation = "/worker/{worker}/2018-06-01/runtime/invocation";
        let router = Router::new()
            .route(&format!("{invocation}/next"), get(next))
            .route(&format!("{invocation}/{{request_id}}/response"), post(response))
            .route(&format!("{invocation}/{{request_id}}/error"), post(error))
            .route("/worker/{worker}/2018-06-01/runtime/init/error", post(init_error))
            .layer(DefaultBodyLimit::max(LARGEST_ANSWER))
            .with_state(Arc::clone(&registry));
        let serving = JoinSet::from_iter([async move { axum::serve(listener, router).await }]);
        Ok(Self { address, registry, _serving: serving })
    }

    /// What a process is to be given as `AWS_LAMBDA_RUNTIME_API`. Lambda names no scheme, but the
    /// runtime accepts a path only behind one.
    pub fn url_for(&self, worker: u64) -> String {
        format!("http://{}/worker/{worker}", self.address)
    }

    /// Opens a desk for a process; it closes when dropped.
    pub fn open(&self, worker: u64) -> Desk {
        let (invocations, receiver) = mpsc::unbounded_channel();
        let (stage, stages) = watch::channel(Stage::Starting);
        let counter = Counter { invocations: receiver.into(), pending: Mutex::default(), stage };
        lock(&self.registry).insert(worker, Arc::new(counter));
        Desk { invocations, stage: stages, registry: Arc::clone(&self.registry), worker }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        lock(&self.registry).remove(&self.worker);
    }
}

/// What the API says of itself.
type Reply = (StatusCode, Json<Value>);

/// `GET /runtime/invocation/next`: waits until there is an event.
async fn next(State(registry): State<Registry>, Path(worker): Path<u64>) -> Result<Response, Reply> {
    let counter = find(&registry, worker)?;
    let mut invocations = counter.invocations.lock().await;
    counter.stage.send_modify(|stage| {
        let asked = if let Stage::Started(asked) = stage { *asked } else { 0 };
        *stage = Stage::Started(asked + 1);
    });
    let Some(invocation) = invocations.recv().await else {
        return Err(refusal(StatusCode::GONE, "ShuttingDown"));
    };
    let headers = [
        ("lambda-runtime-aws-request-id", invocation.request_id.clone()),
        ("lambda-runtime-deadline-ms", invocation.deadline.to_string()),
        ("lambda-runtime-invoked-function-arn", invocation.function_arn),
        ("lambda-runtime-trace-id", invocation.trace_id),
        ("content-type", "application/json".to_owned()),
    ];
    *lock(&counter.pending) = Some((invocation.request_id, invocation.answer));
    invocation.taken.store(true, Ordering::SeqCst);
    Ok((headers, invocation.payload).into_response())
}

/// `POST /runtime/invocation/{id}/response`.
async fn response(
    State(registry): State<Registry>,
    Path((worker, request_id)): Path<(u64, String)>,
    body: Bytes,
) -> Result<Reply, Reply> {
    settle(&registry, worker, &request_id, Ok(body))
}

/// `POST /runtime/invocation/{id}/error`.
async fn error(
    State(registry): State<Registry>,
    Path((worker, request_id)): Path<(u64, String)>,
    body: Bytes,
) -> Result<Reply, Reply> {
    settle(&registry, worker, &request_id, Err(diagnostic(&body)))
}

/// `POST /runtime/init/error`.
async fn init_error(
    State(registry): State<Registry>,
    Path(worker): Path<u64>,
    body: Bytes,
) -> Result<Reply, Reply> {
    let counter = find(&registry, worker)?;
    counter.stage.send_replace(Stage::InitError(diagnostic(&body)));
    Ok(accepted())
}

/// Passes an answer on, if it is the answer to what this process was asked.
fn settle(registry: &Registry, worker: u64, request_id: &str, answer: Answer) -> Result<Reply, Reply> {
    let counter = find(registry, worker)?;
    match lock(&counter.pending).take_if(|(pending, _)| pending == request_id) {
        Some((_, sender)) => {
            // Nobody waits any more when the caller gave up; the process need not know.
            let _ = sender.send(answer);
            Ok(accepted())
        }
        None => Err(refusal(StatusCode::BAD_REQUEST, "InvalidRequestID")),
    }
}

fn find(registry: &Registry, worker: u64) -> Result<Arc<Counter>, Reply> {
    lock(registry).get(&worker).cloned().ok_or_else(|| refusal(StatusCode::FORBIDDEN, "UnknownWorker"))
}

fn diagnostic(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into())
}

fn accepted() -> Reply {
    (StatusCode::ACCEPTED, Json(json!({ "status": "OK" })))
}

fn refusal(status: StatusCode, kind: &str) -> Reply {
    (status, Json(json!({ "errorType": kind, "errorMessage": kind })))
}
