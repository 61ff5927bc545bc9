//! Between Lambda and a function: the outer layer that makes every answer an answer.
//!
//! A function is total: it takes a request and gives a response. What could still go wrong lies
//! outside it, and ends here, so that nobody ever sees a bare 500:
//!
//! * the conversion of the event panics on some raw bytes, and refuses others: 400;
//! * one cookie with a stray byte would cost all the others: it is dropped alone;
//! * the deadline comes near: 503, while there is still time to say so;
//! * a defect panics: 500, with the correlation id. These two are answered in the form of the route
//!   ([`Function::interrupted`]).
//!
//! A function that cannot work answers too (`unfit.rs`). Every response leaves with the security headers and the
//! correlation id, and every request leaves one line in the log (`log.rs`).

pub mod invoked;
mod log;
pub mod stopwatch;
mod unfit;

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use futures_util::FutureExt as _;
use http::HeaderValue;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use lambda_http::request::LambdaRequest;
use lambda_http::{Body, LambdaEvent, service_fn};
use serde_json::value::RawValue;

use crate::stopwatch::{OF_THIS_REQUEST, Stopwatch};
use crate::unfit::Unfit;
use login::time::Timestamp;
use settings::{Settings, Wrong};
use web::imprint::Imprint;
use web::link;
use web::page;
use web::reason::Reason;
use web::request::{CorrelationId, Form, Request};
use web::response::{self, InBase64, Response};
use web::visit::Visit;

/// How long before Lambda's own deadline the outer layer answers in a function's stead.
const DEADLINE_MARGIN: Duration = Duration::from_millis(1500);

/// The time for a request whose deadline makes no sense, before the margin is taken off.
const NO_DEADLINE: Duration = Duration::from_mins(1);

web::outcomes! {
    EVENT_UNREADABLE = Info "event_unreadable" ["any: what arrived is no HTTP request, or one with raw control bytes; 400. Strangers send such things"] ["任何函数：收到的不是 HTTP 请求，或带有原始控制字符；返回 400。陌生人会发送这类请求"];
    ANSWERED = Info "answered" ["any: an answer that nobody gave a name. There is none", "report it"] ["任何函数：没有名称的响应。不应出现", "请反馈"];
    DEADLINE = Error "deadline" ["any: no answer in time; 503", "`wechat_ms`, and `cause` of the lines around"] ["任何函数：没有及时响应；返回 503", "查看 `wechat_ms` 和前后各行的 `cause`"];
    PANIC = Error "panic" ["any: a defect, answered 500. A line of its own before says where (`place`)", "report it"] ["任何函数：程序错误，返回 500。前面另有一行说明位置（`place`）", "请反馈"];
    STARTED = Info "started" ["any, at start: its `version`"] ["任何函数，启动时：所用的版本（`version`）"];
    WRONG_CONFIGURATION = Error "wrong_configuration" ["any: a setting is wrong. The line at start names every one in `cause`; each request is then answered 503", "the `cause` of the line at start"] ["任何函数：有设置写错。启动时的那一行在 `cause` 中列出所有写错的设置；之后每个请求都返回 503", "查看启动时那一行的 `cause`"];
    NOT_STARTED = Error "not_started" ["any: what the function needs could not be made, and each request is answered 503; or Lambda's runtime interface failed", "the `cause` of the line at start"] ["任何函数：函数所需的组件无法建立，每个请求都返回 503；或 Lambda 的运行时接口出错", "查看启动时那一行的 `cause`"];
}

/// Why a function does not start.
pub type Error = lambda_http::Error;

/// One deployed function.
pub trait Function: Sized + Send + Sync {
    /// The function's name in the log.
    const NAME: &'static str;

    /// Whether it reads the bodies of requests, which are forms.
    const READS_FORMS: bool = false;

    /// What it is set to; nothing that it does not use.
    type Config: Send;

    /// Reads what it is set to. Every setting is read before it gives up on one that is wrong.
    ///
    /// # Errors
    ///
    /// [`Wrong`] if a setting is missing or wrong; each is noted in `settings`.
    fn configure(settings: &mut Settings<'_>) -> Result<Self::Config, Wrong>;

    /// Prepares what every request will use. Runs once per process and calls nobody.
    ///
    /// # Errors
    ///
    /// Anything that keeps the function from ever working.
    fn start(config: Self::Config) -> impl Future<Output = Result<Self, Error>> + Send;

    /// Answers a request that arrived at `now`.
    fn handle(&self, request: &Request, now: Timestamp) -> impl Future<Output = Response> + Send;

    /// Answers a request in whose midst the time was over or a defect showed: in the form in which
    /// [`handle`](Self::handle) would have answered it.
    fn interrupted(&self, request: &Request, reason: Reason) -> Response;
}

/// Until when a request must be answered; travels as an extension of it.
#[derive(Debug, Clone, Copy)]
struct Deadline {
    at: SystemTime,
    clock: fn() -> SystemTime,
}

/// How much time a function has left to answer a request; the same long time for one that did not come through
/// the runtime.
#[must_use]
pub fn time_left(request: &Request) -> Duration {
    let deadline = request.extensions().get::<Deadline>();
    deadline
        .map_or(NO_DEADLINE, |deadline| deadline.at.duration_since((deadline.clock)()).unwrap_or_default())
}

/// Reads what a function is set to, and what every function's pages say of the site.
///
/// # Errors
///
/// [`Wrong`] if a setting is missing or wrong; each is noted in `settings`.
pub fn configure<F: Function>(settings: &mut Settings<'_>) -> Result<(F::Config, Imprint), Wrong> {
    let (config, imprint) = (F::configure(settings), Imprint::read(settings));
    Ok((config?, imprint?))
}

/// Runs `F` until Lambda ends the process. `variable` is the environment, `clock` the time.
///
/// It begins with one line in the log: the version, or why the function cannot work, with every setting that is
/// wrong. One that cannot work answers every request all the same.
pub async fn serve<F: Function>(
    variable: impl Fn(&str) -> Option<String>,
    clock: fn() -> SystemTime,
) -> ExitCode {
    log::panics(F::NAME, clock);
    let mut settings = Settings::new(&variable);
    let config = configure::<F>(&mut settings);
    let started = match settings.checked(config) {
        Err(error) => Err((&WRONG_CONFIGURATION, error.to_string())),
        Ok((config, imprint)) => match F::start(config).await {
            Ok(function) => Ok((function, imprint)),
            Err(error) => Err((&NOT_STARTED, error.to_string())),
        },
    };
    let ran = match started {
        Ok((function, imprint)) => {
            log::started(clock(), F::NAME);
            run(function, imprint, clock).await
        }
        Err((outcome, cause)) => {
            log::not_started(clock(), F::NAME, outcome, &cause);
            run(Unfit::<F>::because(outcome), Imprint::default(), clock).await
        }
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::not_started(clock(), F::NAME, &NOT_STARTED, &error.to_string());
            ExitCode::FAILURE
        }
    }
}

async fn run<F: Function>(function: F, imprint: Imprint, clock: fn() -> SystemTime) -> Result<(), Error> {
    let imprint = Arc::new(imprint);
    let answer =
        async |event| Ok::<_, std::convert::Infallible>(answer(&function, &imprint, event, clock).await);
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
    imprint: &Arc<Imprint>,
    event: LambdaEvent<Box<RawValue>>,
    clock: fn() -> SystemTime,
) -> ApiGatewayV2httpResponse {
    let began = clock();
    let id = CorrelationId::sanitized(&event.context.request_id);
    let mut waited = None;
    let read =
        log::reading_an_event(|| std::panic::catch_unwind(|| to_request(&event.payload, F::READS_FORMS)));
    let mut response = if let Ok(Some(mut request)) = read {
        tell(&mut request, &id, imprint);
        let deadline = SystemTime::UNIX_EPOCH + Duration::from_millis(event.context.deadline);
        // `cargo lambda watch` gives a deadline that is over before it begins; then there is none.
        let left = deadline.duration_since(began).unwrap_or(NO_DEADLINE).saturating_sub(DEADLINE_MARGIN);
        request.extensions_mut().insert(Deadline { at: began + left, clock });
        let handled = async {
            let response = handle_within(left, function, &request, began.into()).await;
            (response, OF_THIS_REQUEST.with(Stopwatch::total))
        };
        let (response, total) = OF_THIS_REQUEST.scope(Stopwatch::new(clock), handled).await;
        waited = total;
        response
    } else {
        let mut nothing = Request::default();
        tell(&mut nothing, &id, imprint);
        EVENT_UNREADABLE.of(page::notice(&Visit::of(&nothing), Reason::InvalidRequest, link::AUTHORIZE))
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
    let (report, reason) = match tokio::time::timeout(left, handled).await {
        Ok(Ok(response)) => return response,
        Ok(Err(_)) => (PANIC.because("the line before says where"), Reason::Unexpected),
        Err(_) => (DEADLINE.because("the function took too long"), Reason::ServiceUnavailable),
    };
    report.of(function.interrupted(request, reason))
}

/// Lets a request know by which name it is logged, and what its page says of the site.
fn tell(request: &mut Request, id: &CorrelationId, imprint: &Arc<Imprint>) {
    request.extensions_mut().insert(id.clone());
    request.extensions_mut().insert(Arc::clone(imprint));
}

/// The HTTP request in an API Gateway event (payload 2.0); `None`, or a panic, if it is not one.
///
/// Its text is read once: a `Value` in between was a tenth of the instructions of a whole `/authorize`.
fn to_request(event: &RawValue, reads_forms: bool) -> Option<Request> {
    let mut event: ApiGatewayV2httpRequest = serde_json::from_str(event.get()).ok()?;
    if let Some(cookies) = &mut event.cookies {
        cookies.retain(|cookie| HeaderValue::from_str(cookie).is_ok());
    }
    let request: lambda_http::Request = LambdaRequest::ApiGatewayV2(event).into();
    let (mut parts, body) = request.into_parts();
    if reads_forms && let Some(form) = Form::new(body.as_ref()) {
        parts.extensions.insert(form);
    }
    Some(Request::from_parts(parts, ()))
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
    answer.is_base64_encoded = response.extensions().get::<InBase64>().is_some();
    answer
}

#[cfg(test)]
mod tests {
    use web::response::Offer;

    use super::*;

    /// A function with a defect.
    struct Broken;

    impl Function for Broken {
        const NAME: &'static str = "broken";
        type Config = ();

        fn configure(_settings: &mut Settings<'_>) -> Result<(), Wrong> {
            Ok(())
        }

        async fn start((): ()) -> Result<Self, Error> {
            Ok(Self)
        }

        async fn handle(&self, request: &Request, _now: Timestamp) -> Response {
            let path = request.uri().path();
            assert!(path.is_empty(), "{path}");
            Response::default()
        }

        fn interrupted(&self, request: &Request, reason: Reason) -> Response {
            response::problem(reason, &CorrelationId::of(request), Offer::default())
        }
    }

    #[tokio::test]
    async fn a_function_that_panics_answers_in_its_own_form() {
        let request = Request::default();
        let left = Duration::from_mins(1);
        let now = Timestamp::from_epoch_seconds(1_700_000_000);
        let response = handle_within(left, &Broken, &request, now).await;
        assert_eq!(response.status(), Reason::Unexpected.status());
        assert_eq!(response.headers()["content-type"], "application/problem+json; charset=utf-8");
    }
}
