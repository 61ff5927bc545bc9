//! The floor that `make bench` measures the functions against: no function of ours can start faster
//! or be smaller than one that makes the same clients and does nothing with them.
//!
//! It makes them as the functions do, with the same features, timeouts and provider of cryptography,
//! and shares no code with them: what the functions' own code costs is what lies above this floor.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::config::{Builder, retry::RetryConfig, timeout::TimeoutConfig};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use lambda_http::{Body, Error, Request, Response, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    // Kept to the end, as a function keeps them.
    let _clients = (dynamodb().await, wechat()?);
    lambda_http::run(service_fn(async |_: Request| Ok::<_, Error>(Response::new(Body::Empty)))).await
}

/// The client of the functions' tables.
async fn dynamodb() -> aws_sdk_dynamodb::Client {
    let tls = Provider::Rustls(CryptoMode::Ring);
    let http_client = aws_smithy_http_client::Builder::new().tls_provider(tls).build_https();
    let aws = aws_config::defaults(BehaviorVersion::latest()).http_client(http_client).load().await;
    let timeouts = TimeoutConfig::builder()
        .operation_timeout(Duration::from_secs(2))
        .operation_attempt_timeout(Duration::from_millis(900))
        .build();
    let retries =
        RetryConfig::standard().with_max_attempts(4).with_initial_backoff(Duration::from_millis(50));
    let settings = Builder::from(&aws).timeout_config(timeouts).retry_config(retries);
    aws_sdk_dynamodb::Client::from_conf(settings.build())
}

/// The client of WeChat's API.
fn wechat() -> Result<reqwest::Client, reqwest::Error> {
    // A second installation is refused and changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .https_only(true)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .pool_max_idle_per_host(0)
        .connect_timeout(Duration::from_millis(1500))
        .timeout(Duration::from_secs(5))
        .build()
}
