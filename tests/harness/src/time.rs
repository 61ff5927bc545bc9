//! The harness's clock: the only place in this crate that reads it.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;

/// Since 1970-01-01T00:00:00Z.
#[expect(
    clippy::disallowed_methods,
    reason = "API Gateway, Lambda and browsers live in real time, and this crate plays them"
)]
pub fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// Seconds since 1970-01-01T00:00:00Z, as the tables keep them.
pub fn now_seconds() -> u64 {
    now().as_secs()
}

/// Milliseconds since 1970-01-01T00:00:00Z, as Lambda counts a deadline.
pub fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The way API Gateway writes a time: `10/Jul/2026:19:19:05 +0000`.
pub fn common_log_format(time: Duration) -> String {
    // No clock is as late as the last time that has a name.
    let seconds = i64::try_from(time.as_secs()).ok();
    let time = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok()).unwrap_or(Timestamp::MAX);
    time.strftime("%d/%b/%Y:%H:%M:%S %z").to_string()
}

/// The minute that clocks in China show, as a page in Chinese writes it: `2026年7月11日 03:19`.
pub fn in_china(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_add(8 * 60 * 60);
    let time = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
    time.strftime("%Y年%-m月%-d日 %H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_a_time_as_api_gateway_does() {
        let at = |seconds| common_log_format(Duration::from_secs(seconds));
        assert_eq!(at(0), "01/Jan/1970:00:00:00 +0000");
        assert_eq!(at(951_782_400), "29/Feb/2000:00:00:00 +0000");
        assert_eq!(at(1_783_711_145), "10/Jul/2026:19:19:05 +0000");
        assert_eq!(at(1_798_761_599), "31/Dec/2026:23:59:59 +0000");
    }
}
