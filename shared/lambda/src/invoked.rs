//! A function that is invoked by its name: JSON comes in, JSON goes out, and there is no request, no visitor and no
//! page. It leaves one line in the log, as a request does.

use std::future::Future;
use std::process::ExitCode;
use std::time::SystemTime;

use lambda_http::{LambdaEvent, service_fn};
use serde_json::Value;
use web::outcome::Report;
use web::request::CorrelationId;

use crate::{NOT_STARTED, log};

/// One deployed function that has no route.
pub trait Invoked: Sized + Send + Sync {
    /// The function's name in the log.
    const NAME: &'static str;

    /// Prepares it, whatever the environment says: what is wrong there belongs into an answer.
    fn start(
        variable: impl Fn(&str) -> Option<String> + Send,
        clock: fn() -> SystemTime,
    ) -> impl Future<Output = Self> + Send;

    /// Answers one event, and says how it ended for the log.
    fn answer(&self, event: &Value) -> impl Future<Output = (Value, Report)> + Send;
}

/// Runs `F` until Lambda ends the process. `variable` is the environment, `clock` the time.
pub async fn serve<F: Invoked>(
    variable: impl Fn(&str) -> Option<String> + Send,
    clock: fn() -> SystemTime,
) -> ExitCode {
    log::panics(F::NAME, clock);
    let function = F::start(variable, clock).await;
    log::started(clock(), F::NAME);
    let answer = async |event: LambdaEvent<Value>| {
        let began = clock();
        let id = CorrelationId::sanitized(&event.context.request_id);
        let (answer, report) = function.answer(&event.payload).await;
        let ended = clock();
        log::invocation(ended, F::NAME, &id, &report, ended.duration_since(began).unwrap_or_default());
        Ok::<_, std::convert::Infallible>(answer)
    };
    match lambda_runtime::Runtime::new(service_fn(answer)).run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::not_started(clock(), F::NAME, &NOT_STARTED, &error.to_string());
            ExitCode::FAILURE
        }
    }
}
