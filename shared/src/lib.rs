//! What the functions have in common.
//!
//! Most of it is pure: values, rules and words, without a clock, a network or an environment.
//!
//! | Subject | Modules |
//! |---|---|
//! | what a request brings | [`request`], [`query`], [`cookie`], [`return_to`], [`cors`], [`language`] |
//! | what a login is | [`login`], [`session`], [`app_token`], [`seal`], and WeChat's own words in [`wechat`] |
//! | what is answered | [`response`], [`page`], [`reason`], [`ending`] |
//! | what is set | [`config`], [`account`], [`time`] |
//!
//! Five modules touch the world, one each: [`store`] the tables, [`wechat::client`] WeChat, [`secrets`]
//! Secrets Manager, [`random`] the operating system's randomness, and [`runtime`] Lambda.

pub mod account;
pub mod app_token;
pub mod config;
pub mod cookie;
pub mod cors;
pub mod ending;
pub mod language;
mod log;
pub mod login;
pub mod page;
pub mod query;
pub mod random;
pub mod reason;
pub mod request;
pub mod response;
pub mod return_to;
pub mod runtime;
pub mod seal;
mod secret;
pub mod secrets;
pub mod session;
mod stopwatch;
pub mod store;
pub mod time;
pub mod wechat;

pub use secret::Digest;
