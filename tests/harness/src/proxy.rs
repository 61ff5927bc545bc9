//! A proxy between the functions and DynamoDB, for what an embedded DynamoDB never does: throttle,
//! conflict, be late, lose an answer.
//!
//! Every call is taken down before anything happens to it: who made it, what it meant to the product,
//! which items it touched, whether DynamoDB carried it out and what the caller was told. A rule makes
//! a fault strike calls of its choice; any other call passes untouched.
//!
//! What a caller no longer waits for happens all the same: a call that is delayed beyond the caller's
//! patience is carried out when its time comes, as a real service would, perhaps after the repetition
//! of it. Only [`Fault::DropBefore`] and a [`Held`] call that is dropped never arrive.
//!
//! ```no_run
//! # use harness::{Options, Stack, proxy::{Fault, Kind, Rule}};
//! # async fn example() -> harness::Result<()> {
//! let stack = Stack::start(Options::default().proxied()).await?;
//! let lost = stack.proxy()?.inject(Rule::at(Kind::Claim, Fault::DropAfter).times(1));
//! stack.browser().follow("https://login.example.com/authorize").await?;
//! assert_eq!(lost.struck(), 1);
//! # Ok(())
//! # }
//! ```

mod call;
mod fault;
mod line;

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{ConnectInfo, DefaultBodyLimit, State},
    http::{HeaderMap, Response, StatusCode, header},
    response::IntoResponse,
};
use serde_json::Value;
use simulator::Broken;
use tokio::{
    net::TcpListener,
    sync::{oneshot, watch},
    task::JoinSet,
    time::timeout,
};

use crate::{Failure, Result, lock};

pub use call::{Call, Item, Kind};
pub use fault::{Fault, Held, Injection, Mixture, Rule, Throttle};
pub(crate) use line::Line;

/// How long a test waits for a call that must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running proxy; clones are the same one, and it stops when the last is dropped.
#[derive(Clone)]
pub struct Proxy(Arc<Running>);

struct Running {
    address: SocketAddr,
    shared: Arc<Shared>,
    _serving: JoinSet<io::Result<()>>,
}

/// What the requests share.
struct Shared {
    database: String,
    client: reqwest::Client,
    record: Mutex<Record>,
    rules: Mutex<Vec<Arc<fault::Standing>>>,
    changed: watch::Sender<()>,
    counts_units: AtomicBool,
}

/// Every call since the last [`Proxy::forget`], and a clock that ticks at each arrival and answer.
#[derive(Default)]
struct Record {
    calls: Vec<Call>,
    forgotten: usize,
    ticks: u64,
}

impl Record {
    fn tick(&mut self) -> u64 {
        self.ticks += 1;
        self.ticks
    }
}

impl Proxy {
    /// Opens a proxy on a free port, in front of a DynamoDB at this URL.
    pub async fn before(database: &str) -> Result<Self> {
        // An error means that the process has a provider already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().tls_certs_only([]).no_proxy().build()?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            database: database.to_owned(),
            client,
            record: Mutex::default(),
            rules: Mutex::default(),
            changed: watch::Sender::new(()),
            counts_units: AtomicBool::new(false),
        });
        let router =
            Router::new().fallback(answer).layer(DefaultBodyLimit::disable()).with_state(Arc::clone(&shared));
        let service = router.into_make_service_with_connect_info::<Line>();
        let serving = JoinSet::from_iter([async move { axum::serve(listener, service).await }]);
        Ok(Self(Arc::new(Running { address, shared, _serving: serving })))
    }

    /// What `AWS_ENDPOINT_URL_DYNAMODB` is to be set to.
    pub fn url(&self) -> String {
        format!("http://{}", self.0.address)
    }

    /// Makes a fault strike from now on. Where two rules choose one call, the older one strikes.
    #[expect(clippy::must_use_candidate, reason = "a rule stands whether or not anybody looks at it again")]
    pub fn inject(&self, rule: Rule) -> Injection {
        let (standing, injection) = rule.stand();
        lock(&self.0.shared.rules).push(standing);
        injection
    }

    /// Removes every rule; whatever is held goes on as soon as its [`Held`] lets it.
    pub fn heal(&self) {
        for standing in lock(&self.0.shared.rules).drain(..) {
            standing.remove();
        }
    }

    /// Asks DynamoDB from now on what it charges for each call, which the product does not want to know. What arrives
    /// is then not quite what was signed, so this is for a DynamoDB that does not look at signatures.
    pub fn count_units(&self) {
        self.0.shared.counts_units.store(true, Ordering::SeqCst);
    }

    /// Every call, in order of arrival, the repetitions of the SDK among them.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.0.shared.record).calls.clone()
    }

    /// How many calls were of this kind.
    pub fn count(&self, kind: Kind) -> usize {
        lock(&self.0.shared.record).calls.iter().filter(|call| call.kind == kind).count()
    }

    /// Forgets the calls up to now.
    pub fn forget(&self) {
        let mut record = lock(&self.0.shared.record);
        record.forgotten += record.calls.len();
        record.calls.clear();
    }

    /// Waits until the calls are as they should be; a failure holds those there were.
    pub async fn until(&self, satisfied: impl Fn(&[Call]) -> bool) -> Result<()> {
        let mut changed = self.0.shared.changed.subscribe();
        let waited = timeout(PATIENCE, async {
            while !satisfied(&lock(&self.0.shared.record).calls) {
                if changed.changed().await.is_err() {
                    break;
                }
            }
        });
        waited.await.map_err(|_| {
            let calls: Vec<_> = self.calls().iter().map(ToString::to_string).collect();
            Failure::new(format!("the calls did not become what was waited for:\n{}", calls.join("\n")))
        })
    }
}

impl Shared {
    /// Takes a call down; its index in the record, counted from the first call ever.
    fn arrived(&self, mut call: Call) -> usize {
        let index = {
            let mut record = lock(&self.record);
            call.arrived = record.tick();
            record.calls.push(call);
            record.forgotten + record.calls.len() - 1
        };
        self.changed.send_replace(());
        index
    }

    /// Notes what became of a call; nothing if it is forgotten.
    fn note(&self, index: usize, change: impl FnOnce(&mut Call)) {
        {
            let mut record = lock(&self.record);
            let position = index.checked_sub(record.forgotten);
            if let Some(call) = position.and_then(|position| record.calls.get_mut(position)) {
                change(call);
            }
        }
        self.changed.send_replace(());
    }

    /// The caller is about to be told, or to see its connection end.
    fn answered(&self, index: usize, status: Option<u16>, caller: &Caller) {
        let tick = lock(&self.record).tick();
        self.note(index, |call| {
            call.answered = Some(tick);
            call.is_abandoned = caller.is_closed();
            call.status = status;
        });
    }

    /// The rule that strikes this call, if one does.
    fn rule_for(&self, call: &Call) -> Option<Arc<fault::Standing>> {
        let mut rules = lock(&self.rules);
        rules.retain(|standing| !standing.is_removed());
        rules.iter().find(|standing| standing.strikes(call)).cloned()
    }

    /// Hands a call on and notes whether it was carried out.
    async fn forward(&self, index: usize, headers: HeaderMap, mut body: Bytes) -> Option<Response<Bytes>> {
        if self.counts_units.load(Ordering::SeqCst) {
            let mut request: Value = serde_json::from_slice(&body).ok()?;
            request["ReturnConsumedCapacity"] = "TOTAL".into();
            body = request.to_string().into();
        }
        let sent = self.client.post(&self.database).headers(headers).body(body).send().await.ok()?;
        let status = sent.status();
        let headers = sent.headers().clone();
        let body = sent.bytes().await.ok()?;
        self.note(index, |call| {
            call.is_applied = status.is_success();
            call.units = charged(&body);
        });
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Some(response)
    }

    /// What a call is answered; `None`: the connection ends without a word.
    async fn handle(
        self: Arc<Self>,
        mut headers: HeaderMap,
        body: Bytes,
        caller: Caller,
    ) -> Option<Response<Body>> {
        headers.remove(header::HOST);
        headers.remove(header::CONTENT_LENGTH);
        let mut call = Call::read(&headers, &body);
        let standing = self.rule_for(&call);
        call.fault = standing.as_ref().map(|standing| standing.fault());
        let index = self.arrived(call.clone());
        let forward = || self.forward(index, headers, body);
        let response = match standing {
            None => forward().await.map(whole),
            Some(standing) => match standing.fault() {
                Fault::DropBefore => None,
                Fault::DropAfter => {
                    forward().await;
                    None
                }
                Fault::Truncate => {
                    forward().await.map(|response| response.map(|body| Broken::half_of(&body)))
                }
                Fault::Delay(delay) => {
                    tokio::time::sleep(delay).await;
                    forward().await.map(whole)
                }
                Fault::HoldBefore => match standing.hold(call).await {
                    Ok(()) => forward().await.map(whole),
                    Err(_) => None,
                },
                Fault::HoldAfter => {
                    let response = forward().await;
                    call.is_applied =
                        response.as_ref().is_some_and(|response| response.status().is_success());
                    standing.hold(call).await.ok().and(response).map(whole)
                }
                fault => fault.response(&call),
            },
        };
        self.answered(index, response.as_ref().map(|response| response.status().as_u16()), &caller);
        response
    }
}

/// The capacity units of an answer: of one table, or of several.
fn charged(answer: &[u8]) -> f64 {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    let charged = &answer["ConsumedCapacity"];
    let tables = charged.as_array().map_or(std::slice::from_ref(charged), Vec::as_slice);
    tables.iter().filter_map(|table| table["CapacityUnits"].as_f64()).sum()
}

/// Who waits for an answer; closed once nobody does.
type Caller = oneshot::Sender<()>;

fn whole(response: Response<Bytes>) -> Response<Body> {
    response.map(Body::from)
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(line): ConnectInfo<Line>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    // The server drops `waits` with the rest of a request whose connection has ended.
    let (caller, waits) = oneshot::channel();
    // A task of its own, because a service finishes what its caller no longer waits for.
    let handled = tokio::spawn(shared.handle(headers, body, caller)).await;
    drop(waits);
    match handled {
        Ok(Some(response)) => response,
        Ok(None) | Err(_) => {
            line.cut();
            // Nobody sees it.
            StatusCode::BAD_GATEWAY.into_response()
        }
    }
}

#[cfg(test)]
mod tests;
