//! The OpenID Provider, looked at as those see it who believe its tokens: where discovery leads, which keys are
//! published, and whether a signature of today verifies with them.
//!
//! A gateway that cannot read discovery, or finds no key of the right name, refuses every token, or worse, is set up
//! without its routes; and nobody hears of it here. So the doctor signs something (no token: it names no issuer, no
//! audience and no end), and verifies it with what the domain publishes.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use login::account::Accounts;
use login::time::Timestamp;
use openid_connect::client::{RedirectKind, RedirectUri};
use openid_connect::jws::{Token, Type};
use openid_connect::subject::SubjectKind;
use openid_connect::{Provider, discovery};
use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde_json::{Value, json};
use signer::Signer;

use crate::domain;
use crate::finding::{Finding, Found};

/// Gateways wait no longer than a second and a half for either document
/// ([quotas](https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html)).
const PATIENCE: Duration = Duration::from_millis(1500);

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

/// What is signed and what is published, and whether the two agree.
pub(crate) async fn published(provider: &Provider, signer: &Signer, now: Timestamp) -> Vec<Found> {
    let mut found = Vec::new();
    let made = match sign(signer, now).await {
        Ok((kid, token)) => Some((kid, token)),
        Err(error) => {
            found.push(Finding::SigningFails.of("SigningKeys").with(error));
            None
        }
    };
    let Some(client) = domain::client() else { return found };
    let issuer = provider.issuer.as_str();
    let (at_discovery, at_keys) = futures_util::future::join(
        fetch(&client, issuer, discovery::OPENID_CONFIGURATION),
        fetch(&client, issuer, discovery::JWKS),
    )
    .await;
    // That nothing at all answers there is the domain's finding.
    if let Some(document) = at_discovery {
        let judged = document.and_then(|document| judge(&document, issuer));
        found.push(match judged {
            Ok(()) => Finding::DiscoveryRight.of(issuer),
            Err(what) => {
                Finding::DiscoveryWrong.of(format!("{issuer}{}", discovery::OPENID_CONFIGURATION)).with(what)
            }
        });
    }
    if let Some(keys) = at_keys {
        found.push(match (keys, &made) {
            (Err(what), _) => Finding::KeysUnreadable.of(format!("{issuer}{}", discovery::JWKS)).with(what),
            // Why nothing could be signed is said.
            (Ok(_), None) => return found,
            (Ok(keys), Some((kid, token))) => match key(&keys, kid) {
                None => Finding::KeyUnpublished.of(kid),
                Some(key) if verifies(token, &key) => Finding::SignatureVerifies.of(kid),
                Some(_) => Finding::SignatureForeign.of(kid),
            },
        });
    }
    found
}

/// The name of the signing key, and something signed with it.
async fn sign(signer: &Signer, now: Timestamp) -> Result<(String, Token), signer::Error> {
    let token = signer.sign(Type::Jwt, &json!({}), now).await?;
    // The header is our own.
    let header = token.expose().split('.').next().and_then(|header| URL_SAFE_NO_PAD.decode(header).ok());
    let header: Value = header.and_then(|header| serde_json::from_slice(&header).ok()).unwrap_or_default();
    let kid = header.get("kid").and_then(Value::as_str).unwrap_or_default();
    Ok((kid.to_owned(), token))
}

/// A public document in JSON, or what is wrong with it; `None` if nobody answers at all.
async fn fetch(client: &Client, issuer: &str, path: &str) -> Option<Result<Value, String>> {
    let response = match client.get(format!("{issuer}{path}")).timeout(PATIENCE).send().await {
        Ok(response) => response,
        Err(error) if error.is_timeout() => return Some(Err("Timeout".to_owned())),
        Err(_) => return None,
    };
    let status = response.status().as_u16();
    if status != 200 {
        return Some(Err(status.to_string()));
    }
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_json =
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    if !is_json {
        return Some(Err("content-type".to_owned()));
    }
    let text = response.bytes().await.unwrap_or_default();
    Some(serde_json::from_slice(&text).map_err(|_| "JSON".to_owned()))
}

/// Whether discovery says of itself what gateways compare: the issuer letter for letter, and its own keys.
fn judge(document: &Value, issuer: &str) -> Result<(), String> {
    let expected = [("issuer", issuer.to_owned()), ("jwks_uri", format!("{issuer}{}", discovery::JWKS))];
    match expected.iter().find(|(name, value)| document[name] != **value) {
        Some((name, _)) => Err((*name).to_owned()),
        None => Ok(()),
    }
}

/// The key of this name in a published set.
fn key(keys: &Value, kid: &str) -> Option<RsaPublicKeyComponents<Vec<u8>>> {
    let key = keys["keys"].as_array()?.iter().find(|key| key["kid"] == kid)?;
    let number = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str()?).ok();
    Some(RsaPublicKeyComponents { n: number("n")?, e: number("e")? })
}

/// Whether a key verifies what was signed.
fn verifies(token: &Token, key: &RsaPublicKeyComponents<Vec<u8>>) -> bool {
    let Some((message, signature)) = token.expose().rsplit_once('.') else { return false };
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
    key.verify(&RSA_PKCS1_2048_8192_SHA256, message.as_bytes(), &signature).is_ok()
}
