//! What a login is: pure values and rules, without a clock, a network or an environment.

pub mod account;
pub mod app_token;
pub mod deployment;
pub mod handoff;
pub mod origin;
pub mod pending;
pub mod random;
pub mod return_to;
pub mod seal;
mod secret;
pub mod session;
pub mod time;

pub use seal::{NonceBytes, Sealed};
pub use secret::Digest;
