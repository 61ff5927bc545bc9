//! The log: one JSON object a line, and these fields only.
//!
//! A line is a struct, not a message with whatever was at hand: nothing of a query, a header, a cookie
//! or a body can get in by accident. What libraries have to say is not written at all, since it may
//! hold a URL, and WeChat's URLs hold secrets. Lambda keeps the level of a line only if it has an
//! RFC 3339 time.

use std::cell::Cell;
use std::io::Write as _;
use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde::Serialize;

use web::outcome::{Outcome, Report};
use web::request::CorrelationId;
use web::response::Response;

/// One line. A field that is absent says that there is nothing to say.
#[derive(Default, Serialize)]
struct Line<'a> {
    timestamp: String,
    level: &'static str,
    message: &'static str,
    function: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    errcode: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wechat_ms: Option<u64>,
}

/// Writes the one line of a request: how it ended, how long it took, how much of that it waited for
/// WeChat if it asked WeChat at all, and whether to look at it.
pub(crate) fn request(
    now: SystemTime,
    function: &'static str,
    id: &CorrelationId,
    response: &Response,
    duration: Duration,
    waited_for_wechat: Option<Duration>,
) {
    let report = response.extensions().get::<Report>().cloned();
    let report = report.unwrap_or_else(|| crate::ANSWERED.report());
    write(&Line {
        timestamp: timestamp(now),
        level: if report.is_alarm() { "ERROR" } else { "INFO" },
        message: "request",
        function,
        version: None,
        correlation_id: Some(id.as_str()),
        status: Some(response.status().as_u16()),
        outcome: report.outcome.name,
        errcode: report.number(),
        rid: report.rid.as_deref(),
        cause: report.cause.as_deref(),
        client: report.client.as_deref(),
        duration_ms: milliseconds(duration),
        wechat_ms: waited_for_wechat.and_then(milliseconds),
        place: None,
    });
}

/// Writes that a function has started, and in which version.
pub(crate) fn started(now: SystemTime, function: &'static str) {
    write(&Line {
        timestamp: timestamp(now),
        level: "INFO",
        message: "the function has started",
        function,
        version: Some(env!("CARGO_PKG_VERSION")),
        outcome: crate::STARTED.name,
        ..Line::default()
    });
}

/// Writes the one line of an invocation that is no request: how it ended, and how long it took.
pub(crate) fn invocation(
    now: SystemTime,
    function: &'static str,
    id: &CorrelationId,
    report: &Report,
    duration: Duration,
) {
    write(&Line {
        timestamp: timestamp(now),
        level: if report.is_alarm() { "ERROR" } else { "INFO" },
        message: "invocation",
        function,
        correlation_id: Some(id.as_str()),
        outcome: report.outcome.name,
        cause: report.cause.as_deref(),
        duration_ms: milliseconds(duration),
        ..Line::default()
    });
}

/// Writes why a function cannot work.
pub(crate) fn not_started(now: SystemTime, function: &'static str, outcome: &'static Outcome, cause: &str) {
    write(&Line {
        timestamp: timestamp(now),
        level: "ERROR",
        message: "the function cannot work",
        function,
        version: Some(env!("CARGO_PKG_VERSION")),
        outcome: outcome.name,
        cause: Some(cause),
        ..Line::default()
    });
}

thread_local! {
    /// Whether an event is being read, which panics on some.
    static READS_AN_EVENT: Cell<bool> = const { Cell::new(false) };
}

/// Reads an event. A panic on the way is the event's fault, which anybody can send, and is not written
/// down as a defect: an alarm that strangers can set off is soon ignored.
pub(crate) fn reading_an_event<T>(read: impl FnOnce() -> T) -> T {
    READS_AN_EVENT.set(true);
    let event = read();
    READS_AN_EVENT.set(false);
    event
}

/// Makes a panic say where it was. What it says otherwise may hold what it stumbled over.
pub(crate) fn panics(function: &'static str, clock: fn() -> SystemTime) {
    std::panic::set_hook(Box::new(move |panic| {
        let (level, message, outcome) = if READS_AN_EVENT.get() {
            ("INFO", "an event that cannot be read", &crate::EVENT_UNREADABLE)
        } else {
            ("ERROR", "a defect", &crate::PANIC)
        };
        write(&Line {
            timestamp: timestamp(clock()),
            level,
            message,
            function,
            outcome: outcome.name,
            place: panic.location().map(ToString::to_string).as_deref(),
            ..Line::default()
        });
    }));
}

fn write(line: &Line<'_>) {
    // Where the log itself cannot be written, there is nowhere to say so.
    if let Ok(line) = serde_json::to_string(line) {
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }
}

fn milliseconds(duration: Duration) -> Option<u64> {
    u64::try_from(duration.as_millis()).ok()
}

/// RFC 3339 in UTC, with microseconds.
fn timestamp(now: SystemTime) -> String {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or_default();
    let whole = DateTime::from_secs(seconds).fmt(Format::DateTime).unwrap_or_default();
    format!("{}.{:06}Z", whole.trim_end_matches('Z'), since.subsec_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_an_rfc_3339_time() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_micros(1_700_000_000_000_042);
        assert_eq!(timestamp(now), "2023-11-14T22:13:20.000042Z");
    }
}
