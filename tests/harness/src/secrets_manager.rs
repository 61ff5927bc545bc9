//! The one operation of Secrets Manager that the functions use, on this machine.
//!
//! What is tested with it is ours: what a function does while a secret cannot be had, when it reads
//! one again, and that the real SDK finds it. Of the service it knows `GetSecretValue`, and how to be
//! away.

use std::{
    future::pending,
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
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};

use crate::{Options, Result, lock};

/// The ARN of the one secret there is.
pub const ARN: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:wechat";

/// A running Secrets Manager with one secret; it stops when it is dropped.
pub struct SecretsManager {
    address: SocketAddr,
    secret: Arc<Mutex<Secret>>,
    _serving: JoinSet<io::Result<()>>,
}

#[derive(Default)]
struct Secret {
    text: Option<String>,
    is_away: bool,
    is_denied: bool,
    is_silent: bool,
    reads: usize,
}

impl SecretsManager {
    /// Opens a port. The secret has no value before one is [put](Self::put).
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let secret = Arc::<Mutex<Secret>>::default();
        let router = Router::new().route("/", post(answer)).with_state(Arc::clone(&secret));
        let serving = JoinSet::from_iter([async move { axum::serve(listener, router).await }]);
        Ok(Self { address, secret, _serving: serving })
    }

    /// Replaces the secret's text.
    pub fn put(&self, text: impl Into<String>) {
        let mut secret = lock(&self.secret);
        (secret.text, secret.is_away) = (Some(text.into()), false);
    }

    /// Takes the value away again.
    pub fn take(&self) {
        lock(&self.secret).text = None;
    }

    /// Has no answer but an internal error from now on.
    pub fn go_away(&self) {
        lock(&self.secret).is_away = true;
    }

    /// Takes every question and answers none, or no longer does so.
    pub fn hang(&self, hangs: bool) {
        lock(&self.secret).is_silent = hangs;
    }

    /// Refuses from now on, as for a role that lacks the permission.
    pub fn deny(&self) {
        lock(&self.secret).is_denied = true;
    }

    /// What `AWS_ENDPOINT_URL_SECRETS_MANAGER` is to be set to.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How often the secret was asked for, in vain or not.
    pub fn reads(&self) -> usize {
        lock(&self.secret).reads
    }

    /// A stack whose functions find a secret here: `variable` is `APP_SECRETS` or `COMPONENT_TOKENS`.
    #[must_use]
    pub fn hold(&self, options: Options, variable: &str) -> Options {
        options
            .without(variable)
            .with(&format!("{variable}_ARN"), ARN)
            .with("AWS_ENDPOINT_URL_SECRETS_MANAGER", &self.url())
    }
}

async fn answer(State(secret): State<Arc<Mutex<Secret>>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    // The SDK calls its JSON `application/x-amz-json-1.1`.
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    if target != Some("secretsmanager.GetSecretValue") || request["SecretId"] != ARN {
        return error(StatusCode::BAD_REQUEST, "ResourceNotFoundException");
    }
    let is_silent = {
        let mut secret = lock(&secret);
        secret.reads += 1;
        secret.is_silent
    };
    if is_silent {
        return pending().await;
    }
    let secret = lock(&secret);
    match &secret.text {
        _ if secret.is_away => error(StatusCode::INTERNAL_SERVER_ERROR, "InternalServiceError"),
        _ if secret.is_denied => error(StatusCode::BAD_REQUEST, "AccessDeniedException"),
        Some(text) => Json(json!({ "ARN": ARN, "SecretString": text })).into_response(),
        None => error(StatusCode::BAD_REQUEST, "ResourceNotFoundException"),
    }
}

fn error(status: StatusCode, name: &'static str) -> Response {
    (status, [("x-amzn-errortype", name)], Json(json!({ "__type": name }))).into_response()
}
