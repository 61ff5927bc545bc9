//! Between Lambda and a function: the outer layer that makes every answer an answer.
//!
//! A function is total: it takes a request and gives a response. What could still go wrong lies
//! outside it, and ends here, so that nobody ever sees a bare 500:
//!
//! * the conversion of the event panics on some raw bytes, and refuses others: 400;
//! * one cookie with a stray byte would cost all the others: it is dropped alone;
//! * the deadline comes near: 503, while there is still time to say so;
//! * a defect panics: 500, as a page, with the correlation id.
//!
//! Every response leaves with the security headers and the correlation id, and every request leaves
//! one line in the log (`log.rs`).

pub mod config;
mod log;

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, SystemTime};

use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use futures_util::FutureExt as _;
use http::HeaderValue;
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use lambda_http::{Body, LambdaEvent, service_fn};
use serde_json::Value;

use crate::config::Config;
use login::time::Timestamp;
use web::language::Language;
use web::page;
use web::reason::Reason;
use web::request::CorrelationId;
use web::request::Request;
use web::response;
use web::response::Outcome;
use web::response::Response;
use wechat_api::stopwatch::OF_THIS_REQUEST;
use wechat_api::stopwatch::Stopwatch;

/// How long before Lambda's own deadline the outer layer answers in a function's stead.
const DEADLINE_MARGIN: Duration = Duration::from_millis(1500);

/// The time for a request whose deadline makes no sense, before the margin is taken off.
const NO_DEADLINE: Duration = Duration::from_mins(1);

/// Why a process ended; printed by `main`.
pub type Error = lambda_http::Error;

/// One deployed function.
pub trait Function: Sized + Send + Sync {
    /// The function's name in the log.
    const NAME: &'static str;

    /// Whether it exchanges codes; only such a function is given app secrets.
    const NEEDS_APP_SECRETS: bool = false;

    /// Prepares what every request will use. Runs once per process and calls nobody.
    ///
    /// # Errors
    ///
    /// Anything that keeps the function from ever working.
    fn start(config: Config) -> impl Future<Output = Result<Self, Error>> + Send;

    /// Answers a request that arrived at `now`.
    fn handle(&self, request: &Request, now: Timestamp) -> impl Future<Output = Response> + Send;
}

/// Runs `F` until Lambda ends the process. `variable` is the environment, `clock` the time.
///
/// # Errors
///
/// A wrong configuration, naming every wrong variable, or whatever [`Function::start`] reports.
pub async fn serve<F: Function>(
    variable: impl Fn(&str) -> Option<String>,
    clock: fn() -> SystemTime,
) -> Result<(), Error> {
    log::panics(clock);
    let config = Config::from_variables(variable, F::NEEDS_APP_SECRETS).inspect_err(|error| {
        log::refused_to_start(clock(), F::NAME, &error.to_string());
    })?;
    let function = F::start(config).await?;
    let answer = async |event| Ok::<_, std::convert::Infallible>(answer(&function, event, clock).await);
    lambda_runtime::Runtime::new(service_fn(answer)).run().await
}

/// How the SDK's clients reach AWS: the environment's region and credentials, one TLS stack.
pub async fn aws() -> SdkConfig {
    let tls = Provider::Rustls(CryptoMode::Ring);
    let http_client = aws_smithy_http_client::Builder::new().tls_provider(tls).build_https();
    aws_config::defaults(BehaviorVersion::latest()).http_client(http_client).load().await
}

/// Answers one event, whatever it is: all that [`serve`] does between Lambda's event and the answer.
pub async fn answer<F: Function>(
    function: &F,
    event: LambdaEvent<Value>,
    clock: fn() -> SystemTime,
) -> ApiGatewayV2httpResponse {
    let began = clock();
    let id = CorrelationId::sanitized(&event.context.request_id);
    let mut waited = None;
    let read = log::reading_an_event(|| std::panic::catch_unwind(|| to_request(event.payload)));
    let mut response = if let Ok(Some(mut request)) = read {
        request.extensions_mut().insert(id.clone());
        let deadline = SystemTime::UNIX_EPOCH + Duration::from_millis(event.context.deadline);
        // `cargo lambda watch` gives a deadline that is over before it begins; then there is none.
        let left = deadline.duration_since(began).unwrap_or(NO_DEADLINE).saturating_sub(DEADLINE_MARGIN);
        let handled = async {
            let response = handle_within(left, function, &request, began.into()).await;
            (response, OF_THIS_REQUEST.with(Stopwatch::total))
        };
        let (response, total) = OF_THIS_REQUEST.scope(Stopwatch::new(clock), handled).await;
        waited = total;
        response
    } else {
        let response = page::notice(Reason::InvalidRequest, Language::Chinese, &id, page::AUTHORIZE);
        Outcome::new("event_unreadable").of(response)
    };
    let ended = clock();
    log::request(ended, F::NAME, &id, &response, ended.duration_since(began).unwrap_or_default(), waited);
    response::secure(&mut response, &id);
    to_answer(&response)
}

/// Answers one request in the time that is left, even if the function panics or does not answer.
async fn handle_within<F: Function>(
    left: Duration,
    function: &F,
    request: &Request,
    now: Timestamp,
) -> Response {
    // Boxed: the state of a whole login is too large a thing to move around.
    let handled = AssertUnwindSafe(Box::pin(function.handle(request, now))).catch_unwind();
    let (outcome, reason) = match tokio::time::timeout(left, handled).await {
        Ok(Ok(response)) => return response,
        Ok(Err(_)) => (Outcome::alarm("panic", "the line before says where"), Reason::Unexpected),
        Err(_) => (Outcome::alarm("deadline", "the function took too long"), Reason::ServiceUnavailable),
    };
    outcome.of(page::notice(
        reason,
        Language::of(request.headers()),
        &CorrelationId::of(request),
        page::AUTHORIZE,
    ))
}

/// The HTTP request in an API Gateway event (payload 2.0); `None`, or a panic, if it is not one.
fn to_request(mut event: Value) -> Option<Request> {
    if let Some(cookies) = event.get_mut("cookies").and_then(Value::as_array_mut) {
        cookies.retain(|cookie| cookie.as_str().is_some_and(|cookie| HeaderValue::from_str(cookie).is_ok()));
    }
    let request = lambda_http::request::from_str(&event.to_string()).ok()?;
    Some(request.map(drop))
}

/// The answer API Gateway takes. Its headers hold one value a name, so repeated ones are joined.
fn to_answer(response: &Response) -> ApiGatewayV2httpResponse {
    let mut answer = ApiGatewayV2httpResponse::default();
    answer.status_code = response.status().as_u16().into();
    for name in response.headers().keys() {
        let values = response.headers().get_all(name).iter().filter_map(|value| value.to_str().ok());
        if name == http::header::SET_COOKIE {
            answer.cookies = values.map(str::to_owned).collect();
        } else if let Ok(joined) = HeaderValue::from_str(&values.collect::<Vec<_>>().join(", ")) {
            answer.headers.insert(name, joined);
        }
    }
    answer.body = Some(Body::Text(response.body().clone()));
    answer
}
