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

/// How long a call may fail before its visitor has waited for it. The pauses between three attempts that all fail at
/// once are 0.4 s.
const NOTICED: Duration = Duration::from_secs(1);

/// When WeChat last gave no answer, and took its time over it, in seconds since the Unix epoch; 0 if it always did.
#[derive(Debug, Default)]
pub struct Silence(AtomicU64);

impl Silence {
    /// Whether WeChat may be asked. A second is noted when it has begun: the pause is never shorter than it is said to
    /// be.
    pub fn is_over(&self, now: Timestamp) -> bool {
        now > Timestamp::from_epoch_seconds(self.0.load(Ordering::Relaxed)).plus(PAUSE)
    }

    /// Notes what a call came to that `took` so long, at the moment of its answer. What fails at once costs nobody time
    /// and is not remembered; and an errcode is an answer, which the session remembers.
    pub fn note(&self, error: &Error, took: Duration, now: Timestamp) {
        let is_silence = match error {
            Error::InDoubt(Doubt::Timeout) | Error::NotSent(Unsent::NoConnection) => true,
            Error::InDoubt(_) => took >= NOTICED,
            Error::NotSent(Unsent::NoRequest | Unsent::Paused) | Error::Refused(_) => false,
        };
        if is_silence {
            self.0.store(now.epoch_seconds(), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use wechat::body::ErrorAnswer;
    use wechat::errcode::Errcode;

    use super::*;

    #[test]
    fn only_what_cost_time_is_remembered_and_only_for_some_seconds() {
        let at = |seconds: u64| Timestamp::from_epoch_seconds(1_700_000_000 + seconds);
        let silence = Silence::default();
        assert!(silence.is_over(at(0)));
        let milliseconds = Duration::from_millis;
        let answer = ErrorAnswer { errcode: Errcode::new(-1), rid: None, address: None };
        for (error, took) in [
            (Error::InDoubt(Doubt::Status(502)), 400),
            (Error::InDoubt(Doubt::Broken), 999),
            (Error::Refused(answer), 2000),
            (Error::NotSent(Unsent::Paused), 0),
        ] {
            silence.note(&error, milliseconds(took), at(0));
            assert!(silence.is_over(at(0)), "{error}");
        }
        for (error, took, begins) in [
            (Error::InDoubt(Doubt::Timeout), 2000, 10),
            (Error::NotSent(Unsent::NoConnection), 0, 20),
            (Error::InDoubt(Doubt::Status(502)), 1600, 30),
            (Error::InDoubt(Doubt::Broken), 1000, 40),
        ] {
            silence.note(&error, milliseconds(took), at(begins));
            let is_over = |after| silence.is_over(at(begins + after));
            assert!(!is_over(0) && !is_over(5) && is_over(6), "{error}");
        }
    }
}
