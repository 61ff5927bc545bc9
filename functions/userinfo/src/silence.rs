//! WeChat's silence, remembered for a moment.
//!
//! Each request that waits for a WeChat that hangs costs its visitor two seconds, though what it will show is at hand.
//! So a process that was given no answer in time serves what it has for some seconds, and then asks again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use login::time::Timestamp;
use wechat::error::{Doubt, Error, Unsent};

/// For how long a process that was given no answer does not ask.
const PAUSE: Duration = Duration::from_secs(5);

/// When WeChat last gave no answer in time, in seconds since the Unix epoch; 0 if it always did.
#[derive(Debug, Default)]
pub struct Silence(AtomicU64);

impl Silence {
    /// Whether WeChat may be asked. A second is noted when it has begun: the pause is never shorter than it is said to be.
    pub fn is_over(&self, now: Timestamp) -> bool {
        now > Timestamp::from_epoch_seconds(self.0.load(Ordering::Relaxed)).plus(PAUSE)
    }

    /// Notes what a call came to, at the moment of its answer. What fails at once costs nobody time and is not remembered.
    pub fn note(&self, error: &Error, now: Timestamp) {
        if matches!(error, Error::InDoubt(Doubt::Timeout) | Error::NotSent(Unsent::NoConnection)) {
            self.0.store(now.epoch_seconds(), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cost_time_is_remembered_and_only_for_some_seconds() {
        let at = |seconds: u64| Timestamp::from_epoch_seconds(1_700_000_000 + seconds);
        let silence = Silence::default();
        assert!(silence.is_over(at(0)));
        silence.note(&Error::InDoubt(Doubt::Status(502)), at(0));
        assert!(silence.is_over(at(0)));
        for error in [Error::InDoubt(Doubt::Timeout), Error::NotSent(Unsent::NoConnection)] {
            silence.note(&error, at(10));
            assert!(!silence.is_over(at(10)) && !silence.is_over(at(15)) && silence.is_over(at(16)));
        }
    }
}
