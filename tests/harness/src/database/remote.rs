//! A DynamoDB that somebody else runs: DynamoDB's own JSON protocol, spoken without an SDK, so that the
//! oracle shares nothing with the code under test.
//!
//! The requests are not signed. What listens on a developer's machine looks at no more of a signature
//! than which region it names.

use std::{
    sync::{OnceLock, mpsc},
    time::Duration,
};

use http::header;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use crate::{Failure, Result};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The form of a signature. It names a region, which some implementations keep tables by: that of the
/// functions.
const SIGNATURE: [(&str, &str); 2] = [
    (
        "authorization",
        "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, \
         SignedHeaders=host;x-amz-date, Signature=0",
    ),
    ("x-amz-date", "20260101T000000Z"),
];

/// An endpoint.
#[derive(Clone)]
pub(super) struct Remote {
    client: reqwest::Client,
    endpoint: String,
}

impl Remote {
    pub fn new(endpoint: &str) -> Result<Self> {
        // An error means that the process has a provider already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().tls_certs_only([]).no_proxy().timeout(PATIENCE).build()?;
        Ok(Self { client, endpoint: endpoint.trim_end_matches('/').to_owned() })
    }

    pub fn url(&self) -> String {
        self.endpoint.clone()
    }

    /// One operation. Whoever asks waits without a runtime of its own, since most of the harness reads
    /// tables between two lines of a test; the work is done on a thread apart.
    pub fn call(&self, operation: &'static str, body: &Value) -> Result<Value> {
        static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
        let runtime = RUNTIME.get_or_init(|| {
            let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
            runtime.map_err(|error| error.to_string())
        });
        let runtime = runtime.as_ref().map_err(Failure::new)?;
        let (remote, body) = (self.clone(), body.to_string());
        let (answer, answered) = mpsc::channel();
        runtime.spawn(async move {
            // Whoever asked waits below.
            let _ = answer.send(remote.send(operation, body).await);
        });
        answered.recv()?.map_err(|failure| failure.during(format!("{operation} at {}", self.endpoint)))
    }

    async fn send(&self, operation: &'static str, body: String) -> Result<Value> {
        let mut request = self
            .client
            .post(&self.endpoint)
            .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
            .header(header::CONTENT_TYPE, "application/x-amz-json-1.0");
        for (name, value) in SIGNATURE {
            request = request.header(name, value);
        }
        let answer = request.body(body).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        if status != 200 {
            return Err(Failure::new(format!("status {status}: {text}")));
        }
        Ok(serde_json::from_str(&text)?)
    }
}
