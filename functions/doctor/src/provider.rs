//! The OpenID Provider, looked at as those see it who believe its tokens: where discovery leads, which keys are
//! published, and whether a signature of today verifies with them.
//!
//! A gateway that cannot read discovery, or finds no key of the right name, refuses every token, or worse, is set up
//! without its routes; and nobody hears of it here. That the key is enabled, that `token` may sign with it, and that
//! what it signs verifies with what the domain publishes: only a signature shows all three. The doctor may not sign, so
//! it asks `token` for the key set with a signature, as anybody may ([`openid_connect::message_signature`]). Why there
//! is none, the log of `token` says.

use std::collections::HashSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use login::account::Accounts;
use login::origin::Origin;
use login::time::Timestamp;
use openid_connect::client::{RedirectKind, RedirectUri};
use openid_connect::discovery::Metadata;
use openid_connect::message_signature::{ACCEPT_SIGNATURE, ACCEPTED, SIGNATURE, SIGNATURE_INPUT, Signed};
use openid_connect::subject::SubjectKind;
use openid_connect::{Provider, discovery};
use reqwest::header::{CACHE_CONTROL, CONTENT_TYPE};
use reqwest::{Client, Response, StatusCode};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde_json::Value;
use web::reason::Reason;

use crate::domain;
use crate::finding::{Finding, Found};

/// Gateways wait no longer than a second and a half for either document
/// ([quotas](https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html)).
const PATIENCE: Duration = Duration::from_millis(1500);
/// A signature is asked for as `token` may take: a process that has just started fetches the keys first, and waits for
/// each call two seconds.
const PATIENCE_FOR_A_SIGNATURE: Duration = Duration::from_secs(5);
/// A signature is no older than `token` repeats it for, but for clocks and the time on the way.
const OLDEST: Duration = token::PROOF_KEPT.saturating_add(Duration::from_mins(1));

/// What the settings say that a person should know.
pub(crate) fn settings(provider: &Provider, accounts: &Accounts, silent_unionid: bool) -> Vec<Found> {
    let mut found = Vec::new();
    for client in &provider.clients {
        let unproven = client.redirect_uris.iter().filter(|uri| uri.kind() != RedirectKind::Web);
        let unproven: Vec<_> = unproven.map(RedirectUri::as_str).collect();
        if !unproven.is_empty() {
            found.push(Finding::RedirectUnproven.of(client.name.as_str()).with(unproven.join(", ")));
        }
    }
    let has_accounts = accounts.iter().any(|account| account.official_account.is_some());
    let apps = crate::apps::all(accounts).len();
    match provider.subject {
        SubjectKind::UnionId if has_accounts && !silent_unionid => {
            found.push(Finding::SubjectAsks.of("subject"));
        }
        SubjectKind::OpenId if apps > 1 => found.push(Finding::SubjectDiffers.of("subject").with(apps)),
        _ => {}
    }
    found
}

/// What is published and what is signed, and whether the two agree.
pub(crate) async fn published(provider: &Provider, now: Timestamp) -> Vec<Found> {
    let mut found = Vec::new();
    let Some(client) = domain::client() else { return found };
    let issuer = provider.issuer.as_str();
    let (by_openid_connect, by_oauth, signed) = futures_util::future::join3(
        fetch(&client, issuer, discovery::OPENID_CONFIGURATION),
        fetch(&client, issuer, discovery::OAUTH_AUTHORIZATION_SERVER),
        fetch_signed(&client, issuer, now),
    )
    .await;
    // Afterwards, of a process that has started: one that was just deployed, or is being compiled, is no fault.
    let at_keys = fetch(&client, issuer, discovery::JWKS).await;
    // That nothing at all answers there is the domain's finding.
    let documents = [
        (discovery::OPENID_CONFIGURATION, by_openid_connect),
        (discovery::OAUTH_AUTHORIZATION_SERVER, by_oauth),
    ];
    let documents = documents.map(|(path, document)| Some((path, document?)));
    let judged: Vec<_> = documents
        .into_iter()
        .flatten()
        .map(|(path, document)| (path, document.and_then(|document| judge(&document, &provider.issuer))))
        .collect();
    let wrong = judged.iter().filter_map(|(path, judged)| Some((path, judged.as_ref().err()?)));
    found.extend(wrong.map(|(path, what)| Finding::DiscoveryWrong.of(format!("{issuer}{path}")).with(what)));
    if !judged.is_empty() && judged.iter().all(|(_, judged)| judged.is_ok()) {
        found.push(Finding::DiscoveryRight.of(issuer));
    }
    let at = || format!("{issuer}{}", discovery::JWKS);
    let keys = match at_keys {
        Some(Ok(keys)) => Some(keys),
        Some(Err(what)) => {
            found.push(Finding::KeysUnreadable.of(at()).with(what));
            None
        }
        None => return found,
    };
    found.extend(keys.as_ref().and_then(repeated).map(|kid| Finding::KeyTwice.of(kid)));
    match (signed, keys) {
        (Some(Err(Unsigned::Refused)), _) => found.push(Finding::SigningFails.of("SigningKeys")),
        (Some(Err(Unsigned::Unseen(what))), Some(_)) => {
            found.push(Finding::SignatureUnseen.of(at()).with(what));
        }
        (Some(Ok(signed)), Some(keys)) => found.push(match key(&keys, &signed.key) {
            None => Finding::KeyUnpublished.of(signed.key),
            Some(key) if verifies(&signed, &key) => Finding::SignatureVerifies.of(signed.key),
            Some(_) => Finding::SignatureForeign.of(signed.key),
        }),
        // Without keys nothing can be held against them, and why there are none is said.
        (Some(_), None) | (None, _) => {}
    }
    found
}

/// Why there is no signature to look at.
enum Unsigned {
    /// `token` itself says that it cannot sign.
    Refused,
    /// Something else came in its place: a status, or what was wrong with the signature.
    Unseen(String),
}

/// A public document in JSON, or what is wrong with it; `None` if nobody answers at all.
async fn fetch(client: &Client, issuer: &str, path: &str) -> Option<Result<Value, String>> {
    let response = match send(client.get(format!("{issuer}{path}")).timeout(PATIENCE)).await? {
        Ok(response) if response.status() == StatusCode::OK => response,
        Ok(response) => return Some(Err(response.status().as_str().to_owned())),
        Err(what) => return Some(Err(what)),
    };
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_json =
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    if !is_json {
        return Some(Err("content-type".to_owned()));
    }
    let text = response.bytes().await.unwrap_or_default();
    Some(serde_json::from_slice(&text).map_err(|_| "JSON".to_owned()))
}

/// What is said of the signature of the key set, or why it cannot be looked at; `None` if nobody answers at all.
async fn fetch_signed(client: &Client, issuer: &str, now: Timestamp) -> Option<Result<Signed, Unsigned>> {
    let asked = client
        .get(format!("{issuer}{}", discovery::JWKS))
        .header(ACCEPT_SIGNATURE, ACCEPTED)
        // What stands before the login may keep the key set, and has one without a signature.
        .header(CACHE_CONTROL, "no-cache")
        .timeout(PATIENCE_FOR_A_SIGNATURE);
    let response = match send(asked).await? {
        Ok(response) => response,
        Err(what) => return Some(Err(Unsigned::Unseen(what))),
    };
    let status = response.status();
    let header = |name: &str| {
        let value = response.headers().get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let (input, signature) = (header(SIGNATURE_INPUT), header(SIGNATURE));
    let body = response.bytes().await.unwrap_or_default();
    let unseen = |what: &str| Err(Unsigned::Unseen(what.to_owned()));
    Some(match Signed::read(&input, &signature, &body) {
        _ if status != StatusCode::OK && is_of_token(&body) => Err(Unsigned::Refused),
        _ if status != StatusCode::OK => unseen(status.as_str()),
        None => unseen(SIGNATURE_INPUT),
        Some(signed) if now.since(signed.created) > OLDEST => unseen("created"),
        Some(signed) => Ok(signed),
    })
}

/// Whether this is how `token` says that it cannot work. API Gateway and whatever else stands before it have answers of
/// status 503 of their own, when no function was asked.
fn is_of_token(body: &[u8]) -> bool {
    let document: Value = serde_json::from_slice(body).unwrap_or_default();
    let kind = document.get("type").and_then(Value::as_str);
    let of_token = [Reason::ServiceUnavailable, Reason::Misconfigured].map(Reason::problem_type);
    of_token.iter().any(|known| kind == Some(known))
}

/// An answer, or what came in its place; `None` if nobody answers at all.
async fn send(asked: reqwest::RequestBuilder) -> Option<Result<Response, String>> {
    match asked.send().await {
        Ok(response) => Some(Ok(response)),
        Err(error) if error.is_timeout() => Some(Err("Timeout".to_owned())),
        Err(_) => None,
    }
}

/// Whether discovery is the document of this issuer, with all that it has and nothing else; or the names of what
/// differs.
fn judge(document: &Value, issuer: &Origin) -> Result<(), String> {
    let expected = serde_json::to_value(Metadata::of(issuer)).unwrap_or_default();
    let (Some(expected), Some(found)) = (expected.as_object(), document.as_object()) else {
        return Err("JSON".to_owned());
    };
    let differing = expected.iter().filter(|(name, value)| found.get(*name) != Some(*value));
    let unknown = found.keys().filter(|name| !expected.contains_key(*name));
    let names: Vec<_> = differing.map(|(name, _)| name).chain(unknown).map(String::as_str).collect();
    if names.is_empty() { Ok(()) } else { Err(names.join(", ")) }
}

/// A `kid` that stands in a published set twice.
fn repeated(keys: &Value) -> Option<String> {
    let mut seen = HashSet::new();
    let mut kids = keys["keys"].as_array()?.iter().filter_map(|key| key["kid"].as_str());
    kids.find(|kid| !seen.insert(*kid)).map(str::to_owned)
}

/// The key of this name in a published set.
fn key(keys: &Value, kid: &str) -> Option<RsaPublicKeyComponents<Vec<u8>>> {
    let key = keys["keys"].as_array()?.iter().find(|key| key["kid"] == kid)?;
    let number = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str()?).ok();
    Some(RsaPublicKeyComponents { n: number("n")?, e: number("e")? })
}

/// Whether a key verifies what was signed.
fn verifies(signed: &Signed, key: &RsaPublicKeyComponents<Vec<u8>>) -> bool {
    key.verify(&RSA_PKCS1_2048_8192_SHA256, signed.base.as_bytes(), &signed.signature).is_ok()
}
