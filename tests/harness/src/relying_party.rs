//! A site that logs people in by the stack's OpenID Provider: what it sends, and what it is answered.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use url::Url;

use crate::{
    Answer, Failure, Options, Result, Stack, Visitor,
    browser::Visit,
    places::CALLBACK,
    signing_key,
    stack::{PAGE_ORIGIN, PUBLIC_URL},
};

/// The site of the client.
pub const APP: &str = "https://app.example.org";
/// Where it takes answers, with a query of its own.
pub const REDIRECT_URI: &str = "https://app.example.org/callback?tenant=1";
/// Where it takes whoever was logged out.
pub const BYE: &str = "https://app.example.org/bye";
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

/// The same, and somebody who has not been there.
pub async fn lin() -> Result<(Stack, Visitor)> {
    let stack = provider().await?;
    let lin = visitor(&stack, "lin");
    Ok((stack, lin))
}

/// A provider of three clients and an API: `web` without a secret, `admin` with one, `phone` on a device.
pub fn options(subject: &str) -> Result<Options> {
    Ok(Options::default()
        .with("OPENID_CONNECT", &provider_settings(subject).to_string())
        .with("SIGNING_KEYS", signing_key::of_this_process()?))
}

/// What it is set to.
#[must_use]
pub fn provider_settings(subject: &str) -> Value {
    json!({
        "subject": subject,
        "clients": {
            "web": {"redirect_uris": [REDIRECT_URI], "origins": [APP], "refresh": true,
                "post_logout_redirect_uris": [BYE]},
            "admin": {"redirect_uris": [REDIRECT_URI], "secrets": [format!("sha256:{SECRET_DIGEST}")], "refresh": true,
                "post_logout_redirect_uris": [BYE]},
            "phone": {"redirect_uris": ["com.example.app:/cb", "http://127.0.0.1/cb"]},
        },
        "apis": {"https://api.example.com": {"clients": ["web"], "origins": [PAGE_ORIGIN], "scopes": ["orders"]}},
    })
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
    change(&mut parameters, changes);
    format!("{PUBLIC_URL}/oauth2/authorize?{}", form(&parameters))
}

/// Puts these in the place of those of the same names; what is empty is left out.
fn change<'a>(parameters: &mut Vec<(&'a str, &'a str)>, changes: &[(&'a str, &'a str)]) {
    for (name, value) in changes {
        parameters.retain(|(known, _)| known != name);
        if !value.is_empty() {
            parameters.push((name, value));
        }
    }
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

/// Where the browser is sent at once, without a page and without a login on the way.
pub async fn answered(visitor: &Visitor, changes: &[(&str, &str)]) -> Result<Url> {
    let answer = visitor.open(&asked(changes)).await?;
    answer.redirect()?.ok_or_else(|| Failure::new(format!("it stays: {} {}", answer.status, answer.text())))
}

/// How many logins came back from WeChat on a walk.
pub fn logins(hops: &[Answer]) -> usize {
    hops.iter().filter(|hop| hop.url.as_str().starts_with(CALLBACK)).count()
}

/// Goes to the end, and the tokens that the public client gets for the code.
pub async fn tokens_of(stack: &Stack, visitor: &Visitor, changes: &[(&str, &str)]) -> Result<Value> {
    let answer = redeem(stack, &code(visitor, changes).await?, &[]).await?;
    match answer.status {
        200 => answer.json(),
        status => Err(Failure::new(format!("no tokens: {status} {}", answer.text()))),
    }
}

/// What the public client sends for a code.
pub fn redemption(code: &str) -> [(&str, &str); 5] {
    [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT_URI),
        ("client_id", "web"),
        ("code_verifier", VERIFIER),
    ]
}

/// Redeems a code as the public client does; what is empty is left out.
pub async fn redeem(stack: &Stack, code: &str, changes: &[(&str, &str)]) -> Result<Answer> {
    let mut parameters = redemption(code).to_vec();
    change(&mut parameters, changes);
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

/// A client's name and secret, as HTTP Basic has them.
pub fn basic(name: &str, secret: &str) -> String {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(name), encode(secret))))
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

/// What the token endpoint says with this error.
pub fn refused(error: &str) -> (u16, String) {
    (if error == "invalid_client" { 401 } else { 400 }, error.to_owned())
}

/// Gives a token back as the public client does, or with these parameters more.
pub async fn revoke(stack: &Stack, token: &str, changes: &[(&str, &str)]) -> Result<Answer> {
    let mut parameters = vec![("token", token), ("client_id", "web")];
    change(&mut parameters, changes);
    stack.browser().send(Visit::posted(&format!("{PUBLIC_URL}/oauth2/revoke"), &form(&parameters))).await
}

/// Renews the tokens of the public client.
pub async fn refresh(stack: &Stack, token: &str) -> Result<Answer> {
    renew(stack, token, &[]).await
}

/// The same with these parameters, in the place of those of the same names.
pub async fn renew(stack: &Stack, token: &str, changes: &[(&str, &str)]) -> Result<Answer> {
    let mut parameters =
        vec![("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "web")];
    change(&mut parameters, changes);
    post(stack, &form(&parameters), None).await
}
