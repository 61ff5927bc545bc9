//! Time as a value. Nothing in this crate reads a clock: `now` comes in as an argument.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// A moment, in whole seconds since the Unix epoch; the unit of DynamoDB's TTL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The moment `seconds` after the Unix epoch.
    #[must_use]
    pub const fn from_epoch_seconds(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Seconds since the Unix epoch.
    #[must_use]
    pub const fn epoch_seconds(self) -> u64 {
        self.0
    }

    /// The moment `duration` later.
    #[must_use]
    pub const fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.as_secs()))
    }

    /// How long ago `earlier` was; nothing if it is still to come.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0))
    }
}

impl From<SystemTime> for Timestamp {
    /// A clock before 1970 counts as 1970: everything is then unexpired, nothing panics.
    fn from(time: SystemTime) -> Self {
        Self(time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_counts_seconds() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_999);
        assert_eq!(Timestamp::from(time).epoch_seconds(), 1_700_000_000);
        assert_eq!(Timestamp::from(time).plus(Duration::from_mins(10)).epoch_seconds(), 1_700_000_600);
    }
}
