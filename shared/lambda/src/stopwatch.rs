//! How long a request waits for WeChat, for its line in the log.
//!
//! The time spent in another's hands is the first thing to look at when logins are slow. Handing a
//! stopwatch down to every call would put it into signatures that have nothing to do with it, so it goes
//! along with the request's task: the outer layer starts one for each request, with the clock that
//! `main.rs` gave it, and the client of WeChat, which is given [`run`], runs it for as long as a call is
//! under way, however it ends. A process serves one request at a time, but nothing here relies on it.

use std::cell::Cell;
use std::time::{Duration, SystemTime};

tokio::task_local! {
    /// The stopwatch of the request this task is about.
    pub(crate) static OF_THIS_REQUEST: Stopwatch;
}

/// Adds up how long it ran.
pub(crate) struct Stopwatch {
    clock: fn() -> SystemTime,
    total: Cell<Option<Duration>>,
}

/// A stretch of time that lasts until this is dropped.
struct Running(Option<SystemTime>);

impl Stopwatch {
    /// A stopwatch that has not run yet.
    pub(crate) const fn new(clock: fn() -> SystemTime) -> Self {
        Self { clock, total: Cell::new(None) }
    }

    /// How long it ran in all; `None` if it never did.
    pub(crate) const fn total(&self) -> Option<Duration> {
        self.total.get()
    }
}

/// Runs this request's stopwatch until the answer is dropped. Without a request there is nothing to run.
#[must_use]
pub fn run() -> Box<dyn Send> {
    Box::new(Running(OF_THIS_REQUEST.try_with(|stopwatch| (stopwatch.clock)()).ok()))
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(began) = self.0 else { return };
        // An error means that the request is over, and its line is written.
        let _ = OF_THIS_REQUEST.try_with(|stopwatch| {
            let stretch = (stopwatch.clock)().duration_since(began).unwrap_or_default();
            stopwatch.total.set(Some(stopwatch.total().unwrap_or_default() + stretch));
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// A clock that is a second on whenever it is read.
    fn clock() -> SystemTime {
        static SECONDS: AtomicU64 = AtomicU64::new(0);
        SystemTime::UNIX_EPOCH + Duration::from_secs(SECONDS.fetch_add(1, Ordering::SeqCst))
    }

    #[test]
    fn it_adds_up_what_ran_and_tells_never_from_no_time() {
        OF_THIS_REQUEST.sync_scope(Stopwatch::new(clock), || {
            assert_eq!(OF_THIS_REQUEST.with(Stopwatch::total), None);
            drop(run());
            drop(run());
            assert_eq!(OF_THIS_REQUEST.with(Stopwatch::total), Some(Duration::from_secs(2)));
        });
        // Outside of a request there is nobody to tell.
        drop(run());
    }
}
