//! A site that logs people in by the stack's OpenID Provider: what it sends, and what it is answered.

use serde_json::{Value, json};
use url::Url;

use crate::{
    Answer, Failure, Options, Result, Stack, Visitor,
    browser::Visit,
    signing_key,
    stack::{PAGE_ORIGIN, PUBLIC_URL},
};

/// The site of the client.
pub const APP: &str = "https://app.example.org";
/// Where it takes answers, with a query of its own.
pub const REDIRECT_URI: &str = "https://app.example.org/callback?tenant=1";
/// RFC 7636, appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// What the verifier proves.
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// The secret of the client that has one.
pub const SECRET: &str = "canary secret: of + admin%";
/// Its SHA-256: `printf %s "canary secret: of + admin%" | sha256sum`.
pub const SECRET_DIGEST: &str = "ca716e2333ccd21bf59295055eb5c604130d1d5df6c08608fcb66cf3215af7b2";

/// A stack that is a provider; `sub` is the openid, which every login knows.
pub async fn provider() -> Result<Stack> {
    Stack::start(options("openid")?).await
}

/// A provider of three clients and an API: `web` without a secret, `admin` with one, `phone` on a device.
pub fn options(subject: &str) -> Result<Options> {
    let openid_connect = json!({
        "subject": subject,
        "clients": {
            "web": {"redirect_uris": [REDIRECT_URI], "origins": [APP], "refresh": true,
                "post_logout_redirect_uris": ["https://app.example.org/bye"]},
            "admin": {"redirect_uris": [REDIRECT_URI], "secrets": [format!("sha256:{SECRET_DIGEST}")], "refresh": true},
            "phone": {"redirect_uris": ["com.example.app:/cb", "http://127.0.0.1/cb"]},
        },
        "apis": {"https://api.example.com": {"clients": ["web"], "origins": [PAGE_ORIGIN], "scopes": ["orders"]}},
    });
    Ok(Options::default()
        .with("OPENID_CONNECT", &openid_connect.to_string())
        .with("SIGNING_KEYS", signing_key::of_this_process()?))
}

/// A visitor whose browser knows that the relying party is somewhere else.
pub fn visitor(stack: &Stack, person: &str) -> Visitor {
    let mut visitor = stack.visitor(person);
    visitor.browser = visitor.browser.with_elsewhere(APP);
    visitor
}

/// The address that a client sends a browser to.
pub fn asked(changes: &[(&str, &str)]) -> String {
    let mut parameters = vec![
        ("response_type", "code"),
        ("client_id", "web"),
        ("redirect_uri", REDIRECT_URI),
        ("scope", "openid profile"),
        ("state", "a b&c=\u{5b57}"),
        ("nonce", "n-0S6"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in changes {
        parameters.retain(|(known, _)| known != name);
        if !value.is_empty() {
            parameters.push((name, value));
        }
    }
    format!("{PUBLIC_URL}/oauth2/authorize?{}", form(&parameters))
}

/// Parameters as a form or a query writes them.
pub fn form(parameters: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}

/// What an answer brings to the client, at the end of a walk.
pub fn brought(hops: &[Answer]) -> Result<Url> {
    let last = hops.last().ok_or_else(|| Failure::new("nobody went anywhere"))?;
    let target = if last.url.as_str().starts_with(APP) { Some(last.url.clone()) } else { last.redirect()? };
    let target = target.filter(|url| url.as_str().starts_with(APP));
    target.ok_or_else(|| {
        Failure::new(format!("no answer for the client: {} {} {}", last.status, last.url, last.text()))
    })
}

/// A parameter of an address.
pub fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

/// Goes to the end, and the code that the client gets there.
pub async fn code(visitor: &Visitor, changes: &[(&str, &str)]) -> Result<String> {
    let answer = brought(&visitor.follow(&asked(changes)).await?)?;
    parameter(&answer, "code").ok_or_else(|| Failure::new(format!("no code: {answer}")))
}

/// Redeems a code as the public client does; what is empty is left out.
pub async fn redeem(stack: &Stack, code: &str, changes: &[(&str, &str)]) -> Result<Answer> {
    let mut parameters = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT_URI),
        ("client_id", "web"),
        ("code_verifier", VERIFIER),
    ];
    for (name, value) in changes {
        parameters.retain(|(known, _)| known != name);
        if !value.is_empty() {
            parameters.push((name, value));
        }
    }
    post(stack, &form(&parameters), None).await
}

/// Asks the token endpoint, as a program does.
pub async fn post(stack: &Stack, body: &str, authorization: Option<&str>) -> Result<Answer> {
    let mut visit = Visit::posted(&format!("{PUBLIC_URL}/oauth2/token"), body);
    if let Some(authorization) = authorization {
        visit = visit.header("authorization", authorization);
    }
    stack.browser().send(visit).await
}

/// Asks who it is, with an access token.
pub async fn userinfo(stack: &Stack, token: &str) -> Result<Answer> {
    let visit = Visit::open(&format!("{PUBLIC_URL}/oauth2/userinfo"));
    stack.browser().send(visit.header("authorization", &format!("Bearer {token}"))).await
}

/// A text in JSON; empty if there is none.
pub fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

/// Status and error of an answer that says no.
pub fn error_of(answer: &Answer) -> Result<(u16, String)> {
    Ok((answer.status, text(&answer.json()?, "error")))
}

/// Renews the tokens of the public client.
pub async fn refresh(stack: &Stack, token: &str) -> Result<Answer> {
    post(
        stack,
        &form(&[("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "web")]),
        None,
    )
    .await
}
