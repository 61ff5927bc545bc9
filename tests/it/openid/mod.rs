//! The OpenID Provider: what a backend can believe of who is logged in. The files follow what is asked for.
//!
//! Tokens are taken apart by the harness, and their signatures held against the published keys by `ring`: nothing of
//! the product takes part.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the helpers of these tests fail as the tests do"
)]

mod access_token;
mod authorization;
pub mod code_flow;
mod conformance;
mod cors;
mod discovery;
mod kms;
mod logout;
mod prompts;
mod redemption;
mod renewal;
mod rotation;
mod secret;
mod tokens;

pub use harness::tokens::{Token, verify};
use harness::{Answer, Options, Stack, Visitor, browser::Visit, signing_key, stack::PAGE_ORIGIN};
use http::Method;
use serde_json::{Value, json};

use crate::support::allow;

/// Where a page's script asks for a token.
pub const ACCESS_TOKEN: &str = "https://login.example.com/access-token";
/// Where the keys are.
pub const JWKS: &str = "https://login.example.com/.well-known/jwks.json";
/// The team's API.
pub const API: &str = "https://api.example.com";

/// A provider of one API, which gives tokens to the team's page; `sub` is the openid.
pub fn one_api() -> Value {
    json!({ "subject": "openid", "apis": { API: { "origins": [PAGE_ORIGIN] } } })
}

/// What makes a stack this provider, with the key of this process.
pub fn provider(openid_connect: &Value) -> Options {
    Options::default()
        .with("OPENID_CONNECT", &openid_connect.to_string())
        .with("SIGNING_KEYS", signing_key::of_this_process().unwrap())
}

/// A stack that is this provider, and whose people agree without being asked.
pub async fn stack_of(openid_connect: &Value) -> Stack {
    start(provider(openid_connect)).await
}

/// A stack of these options, whose people agree without being asked.
pub async fn start(options: Options) -> Stack {
    let stack = Stack::start(options).await.unwrap();
    allow(&stack);
    stack
}

/// The usual provider.
pub async fn stack() -> Stack {
    stack_of(&one_api()).await
}

/// The usual provider, and somebody who has logged in silently.
pub async fn logged_in() -> (Stack, Visitor) {
    let stack = stack().await;
    let visitor = stack.visitor("lin").logged_in().await.unwrap();
    (stack, visitor)
}

/// The request of a script on a page of this origin.
pub fn request(query: &str, origin: &str) -> Visit {
    Visit::fetch(Method::POST, &format!("{ACCESS_TOKEN}{query}"), origin)
}

/// What the script of the team's page is answered.
pub async fn ask(visitor: &Visitor, query: &str) -> Answer {
    visitor.send(request(query, PAGE_ORIGIN)).await.unwrap()
}

/// The token that the script of the team's page gets, verified.
pub async fn token(stack: &Stack, visitor: &Visitor, query: &str) -> Token {
    let answer = ask(visitor, query).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    verify(&published(stack).await, answer.json().unwrap()["access_token"].as_str().unwrap()).unwrap()
}

/// The keys as anybody gets them.
pub async fn published(stack: &Stack) -> Value {
    let answer = stack.browser().get(JWKS).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json().unwrap()
}
