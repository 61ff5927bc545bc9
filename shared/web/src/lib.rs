//! What a browser brings, and what it is answered. Pure.

pub mod cookie;
pub mod cors;
pub mod date;
pub mod end_session;
pub mod handoff;
pub mod imprint;
pub mod language;
pub mod link;
pub mod outcome;
pub mod page;
mod policy;
pub mod profile;
pub mod query;
pub mod reason;
pub mod request;
pub mod response;
pub mod visit;
pub mod words;
