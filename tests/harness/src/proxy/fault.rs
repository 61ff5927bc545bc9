//! What can go wrong with a call, and which calls it goes wrong with.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    body::Body,
    http::{Response, StatusCode, header},
    response::IntoResponse,
};
use serde_json::{Value, json};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};

use super::{Call, Kind, PATIENCE};
use crate::{Failure, Result};

/// What happens to a call.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Fault {
    /// The connection ends, and the call is not carried out.
    DropBefore,
    /// The call is carried out, and the connection ends instead of an answer.
    DropAfter,
    /// The call is carried out, and the connection ends in the middle of the answer.
    Truncate,
    /// The call is carried out and answered this much later, if anybody still waits for it.
    Delay(Duration),
    /// Refused because there is too much to do.
    Throttle(Throttle),
    /// Refused because a transaction is at work on an item of it. A read never is: it passes.
    Conflict,
    /// Refused with DynamoDB's own 500, which does not say whether the call was carried out; it was not.
    InternalServerError,
    /// Refused with a 503 that does not come from DynamoDB itself and is not JSON.
    Unavailable,
    /// Not carried out, and answered as if it were; a read finds nothing. No DynamoDB does that: it is how a
    /// test of promises shows that it would see one broken.
    Lie,
    /// A read that is answered as it would have been before the item was written; a write is not struck. DynamoDB
    /// serialises each read, and not two of them beside a transaction.
    OldRead,
    /// A transaction that was cancelled for more than one reason; a call that is none is not struck.
    Mixture(Mixture),
    /// Held before DynamoDB knows of it, until the [`Held`] lets it go.
    HoldBefore,
    /// Carried out, and the answer held until the [`Held`] lets it go.
    HoldAfter,
}

/// DynamoDB's ways of saying that there is too much to do.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Throttle {
    /// The table's own limit.
    ProvisionedThroughputExceeded,
    /// The limit on a growing table.
    Throttling,
    /// The account's limit.
    RequestLimitExceeded,
    /// A transaction that was cancelled because one of its items was throttled; for a call that is none,
    /// the same as [`Throttle::Throttling`].
    Cancelled,
}

impl Throttle {
    /// Every way.
    pub const ALL: [Self; 4] =
        [Self::ProvisionedThroughputExceeded, Self::Throttling, Self::RequestLimitExceeded, Self::Cancelled];
}

/// The reasons of a transaction that was cancelled for more than one: a passing one, and conditions that failed beside
/// it, on items that the answer does not show.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Mixture {
    /// The code of the passing reason.
    pub passing: &'static str,
    /// Which of the transaction's items it is of; every other one has a condition that failed.
    pub position: usize,
}

impl Mixture {
    /// Every mixture of a transaction of two items.
    pub const ALL: [Self; 6] = [
        Self { passing: "TransactionConflict", position: 0 },
        Self { passing: "TransactionConflict", position: 1 },
        Self { passing: "ThrottlingError", position: 0 },
        Self { passing: "ThrottlingError", position: 1 },
        Self { passing: "ProvisionedThroughputExceeded", position: 0 },
        Self { passing: "ProvisionedThroughputExceeded", position: 1 },
    ];
}

impl Fault {
    /// Whether it can strike such a call at all.
    pub(super) fn fits(self, call: &Call) -> bool {
        match self {
            Self::Conflict => call.is_write(),
            Self::OldRead => !call.is_write(),
            Self::Mixture(_) => call.operation.starts_with("Transact"),
            _ => true,
        }
    }

    /// What the caller is answered by a fault that needs no DynamoDB.
    pub(super) fn response(self, call: &Call) -> Option<Response<Body>> {
        let is_transaction = call.operation.starts_with("Transact");
        let too_much = "Throughput exceeds the current capacity of your table or index.";
        let ongoing = "Transaction is ongoing for the item";
        let (status, kind, message) = match self {
            Self::Throttle(Throttle::Cancelled) if is_transaction => {
                return Some(cancelled(call, 0, ("ThrottlingError", too_much), "None"));
            }
            Self::Conflict if is_transaction => {
                return Some(cancelled(call, 0, ("TransactionConflict", ongoing), "None"));
            }
            Self::Mixture(Mixture { passing, position }) => {
                return Some(cancelled(call, position, (passing, ongoing), "ConditionalCheckFailed"));
            }
            Self::Throttle(Throttle::ProvisionedThroughputExceeded) => (
                StatusCode::BAD_REQUEST,
                "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
                "The level of configured provisioned throughput for the table was exceeded.",
            ),
            Self::Throttle(Throttle::Throttling | Throttle::Cancelled) => {
                (StatusCode::BAD_REQUEST, "com.amazon.coral.availability#ThrottlingException", too_much)
            }
            Self::Throttle(Throttle::RequestLimitExceeded) => (
                StatusCode::BAD_REQUEST,
                "com.amazonaws.dynamodb.v20120810#RequestLimitExceeded",
                "Throughput exceeds the current throughput limit for your account.",
            ),
            Self::Conflict => (
                StatusCode::BAD_REQUEST,
                "com.amazonaws.dynamodb.v20120810#TransactionConflictException",
                ongoing,
            ),
            Self::InternalServerError => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "com.amazonaws.dynamodb.v20120810#InternalServerError",
                "The request processing has failed because of an unknown error.",
            ),
            Self::Unavailable => {
                let page = "<html><h1>503 Service Unavailable</h1></html>";
                let kind = [(header::CONTENT_TYPE, "text/html")];
                return Some((StatusCode::SERVICE_UNAVAILABLE, kind, page).into_response());
            }
            Self::Lie | Self::OldRead => return Some(said(StatusCode::OK, &json!({}))),
            Self::DropBefore
            | Self::DropAfter
            | Self::Truncate
            | Self::Delay(_)
            | Self::HoldBefore
            | Self::HoldAfter => return None,
        };
        Some(said(status, &json!({ "__type": kind, "message": message })))
    }
}

/// A cancelled transaction: this reason, a code and a message, for the item at `position`, another code for the rest.
fn cancelled(call: &Call, position: usize, (code, message): (&str, &str), other: &str) -> Response<Body> {
    let reasons: Vec<Value> = call
        .items
        .iter()
        .enumerate()
        .map(|(at, _)| {
            if at == position {
                json!({ "Code": code, "Message": message })
            } else {
                json!({ "Code": other })
            }
        })
        .collect();
    let codes: Vec<_> = reasons.iter().map(|reason| reason["Code"].as_str().unwrap_or_default()).collect();
    let body = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "CancellationReasons": reasons,
        "Message": format!(
            "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
            codes.join(", ")
        ),
    });
    said(StatusCode::BAD_REQUEST, &body)
}

/// An answer in DynamoDB's own form.
fn said(status: StatusCode, body: &Value) -> Response<Body> {
    let headers = [("content-type", "application/x-amz-json-1.0"), ("x-amzn-requestid", "PROXY")];
    (status, headers, body.to_string()).into_response()
}

/// A fault and the calls it strikes; for [`super::Proxy::inject`].
pub struct Rule {
    fault: Fault,
    matches: Box<dyn Fn(&Call) -> bool + Send + Sync>,
    after: usize,
    times: usize,
}

impl Rule {
    /// Strikes every call of this kind.
    #[must_use]
    pub fn at(kind: Kind, fault: Fault) -> Self {
        Self::when(fault, move |call| call.kind == kind)
    }

    /// Strikes every call that this is true of.
    #[must_use]
    pub fn when(fault: Fault, matches: impl Fn(&Call) -> bool + Send + Sync + 'static) -> Self {
        Self { fault, matches: Box::new(matches), after: 0, times: usize::MAX }
    }

    /// Lets this many of them pass first.
    #[must_use]
    pub fn after(self, calls: usize) -> Self {
        Self { after: calls, ..self }
    }

    /// Strikes no more than this many. The SDK's repetitions of a call are calls of their own.
    #[must_use]
    pub fn times(self, calls: usize) -> Self {
        Self { times: calls, ..self }
    }

    /// The two ends of the rule once it stands.
    pub(super) fn stand(self) -> (Arc<Standing>, Injection) {
        let (holder, held) = mpsc::unbounded_channel();
        let standing = Arc::new(Standing {
            rule: self,
            met: AtomicUsize::new(0),
            struck: watch::Sender::new(0),
            is_removed: AtomicBool::new(false),
            holder,
        });
        let injection = Injection { standing: Arc::clone(&standing), held: tokio::sync::Mutex::new(held) };
        (standing, injection)
    }
}

/// A rule at work.
pub(super) struct Standing {
    rule: Rule,
    met: AtomicUsize,
    struck: watch::Sender<usize>,
    is_removed: AtomicBool,
    holder: mpsc::UnboundedSender<Held>,
}

impl Standing {
    pub(super) fn fault(&self) -> Fault {
        self.rule.fault
    }

    /// Whether this call is struck; counts it. Asked under one lock, so that no two calls are the same one.
    pub(super) fn strikes(&self, call: &Call) -> bool {
        if self.is_removed() || !(self.rule.matches)(call) || !self.fault().fits(call) {
            return false;
        }
        let met = self.met.fetch_add(1, Ordering::SeqCst);
        let strikes = met >= self.rule.after && met - self.rule.after < self.rule.times;
        if strikes {
            self.struck.send_modify(|struck| *struck += 1);
        }
        strikes
    }

    pub(super) fn remove(&self) {
        self.is_removed.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_removed(&self) -> bool {
        self.is_removed.load(Ordering::SeqCst)
    }

    /// Waits until the call is released; an error if it is dropped instead, or nobody can release it.
    pub(super) async fn hold(&self, call: Call) -> std::result::Result<(), oneshot::error::RecvError> {
        let (release, released) = oneshot::channel();
        // Without a receiver the held call is dropped here, and so ends without an answer.
        let _ = self.holder.send(Held { call, release });
        released.await
    }
}

/// A rule that was injected. Dropping it leaves the rule standing, except that a call it holds is
/// dropped.
pub struct Injection {
    standing: Arc<Standing>,
    held: tokio::sync::Mutex<mpsc::UnboundedReceiver<Held>>,
}

impl Injection {
    /// How many calls were struck.
    pub fn struck(&self) -> usize {
        *self.standing.struck.borrow()
    }

    /// Waits until so many calls were struck.
    pub async fn until_struck(&self, calls: usize) -> Result<()> {
        let mut struck = self.standing.struck.subscribe();
        let waited = timeout(PATIENCE, struck.wait_for(|struck| *struck >= calls)).await;
        let fault = self.standing.fault();
        waited
            .ok()
            .and_then(|waited| waited.map(drop).ok())
            .ok_or_else(|| Failure::new(format!("{fault:?} struck {} calls, not {calls}", self.struck())))
    }

    /// The next call that is held, once it is.
    pub async fn held(&self) -> Result<Held> {
        let fault = self.standing.fault();
        let held = timeout(PATIENCE, async { self.held.lock().await.recv().await });
        held.await.ok().flatten().ok_or_else(|| Failure::new(format!("{fault:?} held no call")))
    }

    /// Ends the fault: no further call is struck.
    pub fn remove(&self) {
        self.standing.remove();
    }
}

/// A call that waits in the proxy. Dropping it ends the caller's connection without an answer; if it was
/// held before DynamoDB knew of it, it is never carried out.
#[derive(Debug)]
pub struct Held {
    call: Call,
    release: oneshot::Sender<()>,
}

impl Held {
    /// The call.
    pub fn call(&self) -> &Call {
        &self.call
    }

    /// Lets the call go on.
    pub fn release(self) {
        // An error means that the proxy has stopped.
        let _ = self.release.send(());
    }
}

impl fmt::Display for Held {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.call.fmt(formatter)
    }
}
