//! The two operations of KMS that the functions use, on this machine, with keys that sign.
//!
//! What is tested with it is ours: that the real SDK is asked for what a token needs and nothing else, and what a
//! function does while KMS refuses, is late, is cut off or says nothing. It allows what the role in `template.yaml`
//! allows: one algorithm, and messages as they are.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    body::{Bytes, to_bytes},
    extract::{ConnectInfo, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use ring::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use rsa::{
    PrivateKey,
    pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, EncodePublicKey as _},
};
use serde_json::{Value, json};
use simulator::Broken;
use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::timeout};

use crate::{Failure, Options, Result, lock, proxy::Line};

/// The longest message that is signed as it is, in bytes.
const LONGEST_MESSAGE: usize = 4096;

/// How long a test waits for a call that must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running KMS; it stops when it is dropped.
pub struct Kms {
    address: SocketAddr,
    served: Served,
    _serving: JoinSet<io::Result<()>>,
}

/// What the requests share.
#[derive(Clone)]
struct Served {
    shared: Arc<Mutex<Shared>>,
    /// How many calls have met the fault that stands.
    struck: Arc<watch::Sender<usize>>,
}

#[derive(Default)]
struct Shared {
    keys: Vec<Key>,
    calls: Vec<(String, usize)>,
    fault: Option<Fault>,
}

/// What calls of one operation meet.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// KMS's name of the operation.
    pub operation: &'static str,
    /// How many of them pass first.
    pub after: usize,
    /// How many meet it. The SDK's repetitions of a call are calls of their own.
    pub times: usize,
    /// What they meet.
    pub trouble: Trouble,
}

struct Key {
    arn: String,
    /// A `SubjectPublicKeyInfo` in DER.
    public: Vec<u8>,
    pair: RsaKeyPair,
    trouble: Option<Trouble>,
}

/// What a call about a key meets.
#[derive(Clone, Copy, Debug)]
pub enum Trouble {
    /// This status, and this error.
    Error(u16, &'static str),
    /// No answer.
    Silence,
    /// The right answer, this much later.
    Late(Duration),
    /// A page of somebody else's, as if it were the answer.
    Garbage,
    /// The connection ends without a word.
    Cut,
    /// The connection ends in the middle of the right answer.
    Half,
}

impl Kms {
    /// Opens a port, with these private keys in PEM.
    pub async fn start(keys: &[&str]) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let keys = keys.iter().enumerate().map(|(at, pem)| Key::read(at, pem)).collect::<Result<_>>()?;
        let shared = Arc::new(Mutex::new(Shared { keys, ..Shared::default() }));
        let struck = Arc::new(watch::Sender::new(0));
        let served = Served { shared, struck };
        let service = Router::new().route("/", post(answer)).with_state(served.clone());
        let service = service.into_make_service_with_connect_info::<Line>();
        let serving = JoinSet::from_iter([async move { axum::serve(listener, service).await }]);
        Ok(Self { address, served, _serving: serving })
    }

    /// The ARNs of the keys, in their order, as `SIGNING_KEYS` lists them.
    pub fn arns(&self) -> String {
        let keys = &lock(&self.served.shared).keys;
        keys.iter().map(|key| key.arn.as_str()).collect::<Vec<_>>().join(",")
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A stack whose function signs here.
    #[must_use]
    pub fn hold(&self, options: Options) -> Options {
        let url = format!("http://{}", self.address);
        options.with("SIGNING_KEYS", &self.arns()).with("AWS_ENDPOINT_URL_KMS", &url)
    }

    /// Has every call about a key meet this from now on, or nothing again.
    pub fn trouble(&self, key: usize, trouble: Option<Trouble>) {
        if let Some(key) = lock(&self.served.shared).keys.get_mut(key) {
            key.trouble = trouble;
        }
    }

    /// Has calls of one operation meet this, about whichever key, in place of the fault that stood before.
    pub fn inject(&self, fault: Fault) {
        self.served.struck.send_replace(0);
        lock(&self.served.shared).fault = Some(fault);
    }

    /// Ends the fault that was injected.
    pub fn heal(&self) {
        lock(&self.served.shared).fault = None;
    }

    /// Waits until a call has met the fault.
    pub async fn until_struck(&self) -> Result<()> {
        let mut struck = self.served.struck.subscribe();
        let waited = timeout(PATIENCE, struck.wait_for(|struck| *struck > 0)).await;
        waited.ok().and_then(|waited| waited.map(drop).ok()).ok_or_else(|| Failure::new("KMS was not called"))
    }

    /// Says from now on that this is the public half of a key.
    pub fn show(&self, key: usize, public: &[u8]) {
        if let Some(key) = lock(&self.served.shared).keys.get_mut(key) {
            key.public = public.to_vec();
        }
    }

    /// The calls since the last time, each as the operation and the number of the key.
    pub fn calls(&self) -> Vec<(String, usize)> {
        std::mem::take(&mut lock(&self.served.shared).calls)
    }
}

impl Key {
    fn read(at: usize, pem: &str) -> Result<Self> {
        let failed = |error: &dyn std::fmt::Display| Failure::new(format!("no key for KMS: {error}"));
        let key = PrivateKey::from_pkcs8_pem(pem).map_err(|error| failed(&error))?;
        let public = key.to_public_key().to_public_key_der().map_err(|error| failed(&error))?;
        let private = key.to_pkcs8_der().map_err(|error| failed(&error))?;
        Ok(Self {
            arn: format!("arn:aws:kms:us-east-1:123456789012:key/{at:08}-0000-4000-8000-000000000000"),
            public: public.as_bytes().to_vec(),
            pair: RsaKeyPair::from_pkcs8(private.as_bytes()).map_err(|error| failed(&error))?,
            trouble: None,
        })
    }

    fn sign(&self, request: &Value) -> Response {
        let message = STANDARD.decode(request["Message"].as_str().unwrap_or_default()).unwrap_or_default();
        let algorithm = &request["SigningAlgorithm"];
        if algorithm != "RSASSA_PKCS1_V1_5_SHA_256" || request["MessageType"] != "RAW" {
            return error(400, "AccessDeniedException");
        }
        let mut signature = vec![0; self.pair.public().modulus_len()];
        let signed = self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), &message, &mut signature);
        if message.is_empty() || message.len() > LONGEST_MESSAGE || signed.is_err() {
            return error(400, "ValidationException");
        }
        let signature = STANDARD.encode(signature);
        Json(json!({ "KeyId": self.arn, "Signature": signature, "SigningAlgorithm": algorithm }))
            .into_response()
    }
}

impl Shared {
    /// What a call meets, if it meets anything; counts it.
    fn trouble(&mut self, at: usize, operation: &str) -> (Option<Trouble>, bool) {
        let standing = self.keys.get(at).and_then(|key| key.trouble);
        let Some(fault) = self.fault.as_mut().filter(|fault| fault.operation == operation) else {
            return (standing, false);
        };
        if fault.after > 0 {
            fault.after -= 1;
            return (standing, false);
        }
        let strikes = fault.times > 0;
        fault.times = fault.times.saturating_sub(1);
        (Some(fault.trouble).filter(|_| strikes).or(standing), strikes)
    }

    /// The right answer.
    fn respond(&self, at: usize, operation: &str, request: &Value) -> Response {
        match (self.keys.get(at), operation) {
            (None, _) => error(400, "NotFoundException"),
            (Some(key), "GetPublicKey") => {
                let public = STANDARD.encode(&key.public);
                Json(json!({ "KeyId": key.arn, "PublicKey": public })).into_response()
            }
            (Some(key), "Sign") => key.sign(request),
            (Some(_), _) => error(400, "AccessDeniedException"),
        }
    }
}

async fn answer(
    State(Served { shared, struck }): State<Served>,
    ConnectInfo(line): ConnectInfo<Line>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let operation = target.strip_prefix("TrentService.").unwrap_or_default();
    // The SDK calls its JSON `application/x-amz-json-1.1`.
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let (trouble, response) = {
        let mut shared = lock(&shared);
        let found = shared.keys.iter().position(|key| request["KeyId"] == key.arn.as_str());
        let Some(at) = found else { return error(400, "NotFoundException") };
        shared.calls.push((operation.to_owned(), at));
        let (trouble, strikes) = shared.trouble(at, operation);
        if strikes {
            struck.send_modify(|struck| *struck += 1);
        }
        (trouble, shared.respond(at, operation, &request))
    };
    match trouble {
        None => response,
        Some(Trouble::Error(status, name)) => error(status, name),
        Some(Trouble::Silence) => std::future::pending().await,
        Some(Trouble::Late(late)) => {
            tokio::time::sleep(late).await;
            response
        }
        Some(Trouble::Garbage) => {
            ([("content-type", "text/html")], "<html><h1>Please log in to the network</h1></html>")
                .into_response()
        }
        Some(Trouble::Cut) => {
            line.cut();
            // Nobody sees it.
            StatusCode::BAD_GATEWAY.into_response()
        }
        Some(Trouble::Half) => {
            let (parts, body) = response.into_parts();
            // What is whole in memory can be read.
            let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
            Response::from_parts(parts, Broken::half_of(&body))
        }
    }
}

/// As KMS says it: who was refused, and by which account.
fn error(status: u16, name: &'static str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let message = "User: arn:aws:sts::123456789012:assumed-role/CanaryRole is not authorized";
    let body = json!({ "__type": name, "message": message });
    (status, [("x-amzn-errortype", name)], Json(body)).into_response()
}
