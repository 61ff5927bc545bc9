//! What a browser brings, and what it is answered. Pure.

pub mod cookie;
pub mod cors;
pub mod end_session;
pub mod language;
pub mod link;
pub mod outcome;
pub mod page;
pub mod query;
pub mod reason;
pub mod request;
pub mod response;
pub mod words;
