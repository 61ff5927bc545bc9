//! The whole login on one machine: what the integration tests and `make run` stand on.
//!
//! Nothing of the product is replaced here. The functions are the real binaries in processes of
//! their own ([`functions`]), they speak the Lambda Runtime API ([`runtime_api`]), API Gateway's
//! events reach them over HTTP ([`gateway`]), and the routes, the tables and each function's
//! environment are read from `template.yaml` ([`template`]), so that a test cannot pass on a
//! configuration that would not be deployed. What stands in for the outside is DynamoDB
//! ([`database`]), WeChat (the `simulator` crate) and the visitor ([`browser`]).
//!
//! A test usually needs only this:
//!
//! ```no_run
//! # async fn example() -> harness::Result<()> {
//! let stack = harness::Stack::start(harness::Options::default()).await?;
//! let visitor = stack.visitor("lin");
//! visitor.log_in().await?;
//! assert_eq!(visitor.userinfo().await?.status, 200);
//! # Ok(())
//! # }
//! ```
//!
//! Whatever returns a [`Result`] fails when it cannot do what it says, or when what it waits for does not come
//! in good time. The [`Failure`] says why to whoever reads a failed test.

#![expect(clippy::missing_errors_doc, reason = "said above, once for all")]
#![expect(
    clippy::must_use_candidate,
    reason = "tests look at what they ask for; what builds says that it must be used"
)]
#![expect(clippy::indexing_slicing, reason = "only JSON is indexed, where what is missing reads as null")]

pub mod binaries;
pub mod browser;
pub mod canaries;
pub mod cookies;
pub mod database;
pub mod deployment;
pub mod emulated_aws;
pub mod event;
pub mod events;
pub mod functions;
pub mod gateway;
pub mod hand_off;
pub mod kms;
pub mod logs;
pub mod pattern;
pub mod places;
pub mod proxy;
pub mod relying_party;
pub mod runtime_api;
pub mod secrets_manager;
pub mod signing_key;
pub mod stack;
pub mod time;
pub mod tokens;
pub mod visitor;
mod worker;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use browser::{Answer, Browser};
pub use stack::{Options, Stack};
pub use template::{self, Failure, Result, failure};
pub use visitor::Visitor;

/// A lock that a panicked test does not take away from the others: what the harness keeps is
/// complete after every statement, so poison means nothing here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
