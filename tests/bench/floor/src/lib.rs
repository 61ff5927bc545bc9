//! The floors that `make bench` measures the functions against: no function of ours can start faster or be smaller than
//! one that makes the same clients and does nothing with them.
//!
//! They are made as the functions make them, with the same features, timeouts and provider of cryptography, and share
//! no code with them: what the functions' own code costs is what lies above the floor. One binary for each set of
//! clients:
//!
//! | Binary | Clients | Floor of |
//! |---|---|---|
//! | `floor-bare` | none; it signs if asked | `site`, and a token as far as it is a signature |
//! | `floor-dynamodb` | DynamoDB | `authorize`, `logout`, `openid` |
//! | `floor` | DynamoDB, WeChat | `userinfo` |
//! | `floor-secrets` | DynamoDB, Secrets Manager, WeChat | `callback` |
//! | `floor-calls` | the same; it makes the calls of a login | the work of a login |
//! | `floor-kms` | DynamoDB, KMS | `token` |

#![expect(clippy::missing_errors_doc, reason = "who cannot make a client cannot start")]

use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_dynamodb::config::{Builder, retry::RetryConfig, timeout::TimeoutConfig};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use lambda_http::{Body, Error, Request, Response, service_fn};

/// Answers every event with nothing, and keeps the clients to the end, as a function keeps them.
pub async fn serve<C>(_clients: C) -> Result<(), Error> {
    lambda_http::run(service_fn(async |_: Request| Ok::<_, Error>(Response::new(Body::Empty)))).await
}

/// How AWS is reached.
pub async fn aws() -> SdkConfig {
    let tls = Provider::Rustls(CryptoMode::Ring);
    let http_client = aws_smithy_http_client::Builder::new().tls_provider(tls).build_https();
    aws_config::defaults(BehaviorVersion::latest()).http_client(http_client).load().await
}

/// The client of the functions' tables.
#[must_use]
pub fn dynamodb(aws: &SdkConfig) -> aws_sdk_dynamodb::Client {
    let retries =
        RetryConfig::standard().with_max_attempts(4).with_initial_backoff(Duration::from_millis(50));
    let settings = Builder::from(aws).timeout_config(timeouts()).retry_config(retries);
    aws_sdk_dynamodb::Client::from_conf(settings.build())
}

/// The client of the keys that sign.
#[must_use]
pub fn kms(aws: &SdkConfig) -> aws_sdk_kms::Client {
    let settings = aws_sdk_kms::config::Builder::from(aws).timeout_config(timeouts());
    aws_sdk_kms::Client::from_conf(settings.build())
}

/// The client of the secrets.
#[must_use]
pub fn secrets(aws: &SdkConfig) -> aws_sdk_secretsmanager::Client {
    let settings = aws_sdk_secretsmanager::config::Builder::from(aws).timeout_config(timeouts());
    aws_sdk_secretsmanager::Client::from_conf(settings.build())
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .operation_timeout(Duration::from_secs(2))
        .operation_attempt_timeout(Duration::from_millis(900))
        .build()
}

/// The client of WeChat's API.
pub type Wechat = Client<HttpsConnector<HttpConnector>, String>;

/// One that keeps no connection.
pub fn wechat() -> std::io::Result<Wechat> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(Duration::from_millis(1500)));
    let provider = rustls::crypto::ring::default_provider();
    let tls = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider)?;
    let connector = tls.https_only().enable_http1().wrap_connector(tcp);
    Ok(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector))
}
