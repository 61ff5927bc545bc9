//! The two operations of KMS that the functions use, on this machine, with keys that sign.
//!
//! What is tested with it is ours: that the real SDK is asked for what a token needs and nothing else, and what a function
//! does while KMS refuses, is too busy or says nothing. It allows what the role in `template.yaml` allows: one algorithm,
//! and messages as they are.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
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
use tokio::{net::TcpListener, task::JoinSet};

use crate::{Failure, Options, Result, lock};

/// The longest message that is signed as it is, in bytes.
const LONGEST_MESSAGE: usize = 4096;

/// A running KMS; it stops when it is dropped.
pub struct Kms {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    _serving: JoinSet<io::Result<()>>,
}

#[derive(Default)]
struct Shared {
    keys: Vec<Key>,
    calls: Vec<(String, usize)>,
}

struct Key {
    arn: String,
    /// A `SubjectPublicKeyInfo` in DER.
    public: Vec<u8>,
    pair: RsaKeyPair,
    trouble: Option<Trouble>,
}

/// What a call about a key meets.
#[derive(Clone, Copy)]
pub enum Trouble {
    /// This status, and this error.
    Error(u16, &'static str),
    /// No answer.
    Silence,
}

impl Kms {
    /// Opens a port, with these private keys in PEM.
    pub async fn start(keys: &[&str]) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let keys = keys.iter().enumerate().map(|(at, pem)| Key::read(at, pem)).collect::<Result<_>>()?;
        let shared = Arc::new(Mutex::new(Shared { keys, calls: Vec::new() }));
        let router = Router::new().route("/", post(answer)).with_state(Arc::clone(&shared));
        let serving = JoinSet::from_iter([async move { axum::serve(listener, router).await }]);
        Ok(Self { address, shared, _serving: serving })
    }

    /// The ARNs of the keys, in their order, as `SIGNING_KEYS` lists them.
    pub fn arns(&self) -> String {
        let keys = &lock(&self.shared).keys;
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
        if let Some(key) = lock(&self.shared).keys.get_mut(key) {
            key.trouble = trouble;
        }
    }

    /// Says from now on that this is the public half of a key.
    pub fn show(&self, key: usize, public: &[u8]) {
        if let Some(key) = lock(&self.shared).keys.get_mut(key) {
            key.public = public.to_vec();
        }
    }

    /// The calls since the last time, each as the operation and the number of the key.
    pub fn calls(&self) -> Vec<(String, usize)> {
        std::mem::take(&mut lock(&self.shared).calls)
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

async fn answer(State(shared): State<Arc<Mutex<Shared>>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let operation = target.strip_prefix("TrentService.").unwrap_or_default();
    // The SDK calls its JSON `application/x-amz-json-1.1`.
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let response = {
        let mut shared = lock(&shared);
        let found = shared.keys.iter().position(|key| request["KeyId"] == key.arn.as_str());
        let Some(at) = found else { return error(400, "NotFoundException") };
        shared.calls.push((operation.to_owned(), at));
        let Some(key) = shared.keys.get(at) else { return error(400, "NotFoundException") };
        match (key.trouble, operation) {
            (Some(Trouble::Error(status, name)), _) => Some(error(status, name)),
            (Some(Trouble::Silence), _) => None,
            (None, "GetPublicKey") => {
                let public = STANDARD.encode(&key.public);
                Some(Json(json!({ "KeyId": key.arn, "PublicKey": public })).into_response())
            }
            (None, "Sign") => Some(key.sign(&request)),
            (None, _) => Some(error(400, "AccessDeniedException")),
        }
    };
    match response {
        Some(response) => response,
        None => std::future::pending().await,
    }
}

/// As KMS says it: who was refused, and by which account.
fn error(status: u16, name: &'static str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let message = "User: arn:aws:sts::123456789012:assumed-role/CanaryRole is not authorized";
    let body = json!({ "__type": name, "message": message });
    (status, [("x-amzn-errortype", name)], Json(body)).into_response()
}
