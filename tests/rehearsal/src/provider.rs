//! The stack as an OpenID Provider: who can sign, and whom another team's API lets in.
//!
//! The API is the one of the recipe, `docs/examples/api-gateway-jwt.yaml`, deployed as the recipe says, with an
//! authorizer of API Gateway's own. What it must keep out is made with the right key where there is no other way to
//! make it: whoever administers the account can sign what no function would.

use std::collections::BTreeMap;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use harness::{
    Answer, Failure, Result, Visitor,
    binaries::workspace,
    browser::Visit,
    emulated_aws::{Credentials, EmulatedAws, root},
    relying_party::{APP, REDIRECT_URI, VERIFIER, code, form, text},
    stack::{PAGE_ORIGIN, PUBLIC_URL},
    time::now_seconds,
};
use http::Method;
use serde_json::{Value, json};

use crate::{
    account::{Account, Stack},
    load_balancer, pool,
    visits::{require, told},
    wechat::Visitors,
};

/// Users whose one policy is that of a function's role: nobody can log in as a function.
pub const STAND_INS: &str = "stand-in-of-";
/// The API, as the parameter `OpenidConnect` calls it.
const API: &str = "https://api.example.com";
/// A client, which is told to be without a secret; the API takes tokens that it got by the code flow.
const SITE: &str = "web";
/// Another API of the same page.
const OTHER_API: &str = "https://other.example.com";
/// The template of the recipe, and the name of its stack.
const EXAMPLE: &str = "docs/examples/api-gateway-jwt.yaml";
const EXAMPLE_STACK: &str = "orders-api";
/// A provider that does not exist.
const NOBODY: &str = "https://auth.example.org";
/// How a token is signed.
const ALGORITHM: &str = "RSASSA_PKCS1_V1_5_SHA_256";
const DISCOVERY: &str = "/.well-known/openid-configuration";
const JWKS: &str = "/.well-known/jwks.json";

/// The parameter `OpenidConnect` of the rehearsal.
pub fn parameter() -> String {
    json!({
        "subject": "openid",
        "apis": {
            API: { "origins": [PAGE_ORIGIN], "clients": [SITE] },
            OTHER_API: { "origins": [PAGE_ORIGIN] },
        },
        "clients": {
            SITE: { "redirect_uris": [REDIRECT_URI], "refresh": true }, pool::CLIENT: pool::client(),
            load_balancer::CLIENT: load_balancer::client(),
        },
    })
    .to_string()
}

/// A token for an API, as a page's script gets it.
async fn token(visitor: &Visitor, api: &str) -> Result<String> {
    let resource = form_urlencoded::Serializer::new(String::new()).append_pair("resource", api).finish();
    let asked = Visit::fetch(Method::POST, &format!("{PUBLIC_URL}/access-token?{resource}"), PAGE_ORIGIN);
    let answer = visitor.send(asked).await?;
    let token = answer.json()?["access_token"].as_str().map(str::to_owned);
    token.ok_or_else(|| Failure::new(format!("no token: {}", told(&answer))))
}

/// A person at the client, and the code that they bring it.
async fn at_the_client(visitor: &Visitor) -> Result<(Visitor, String)> {
    let mut visitor = visitor.clone();
    visitor.browser = visitor.browser.with_elsewhere(APP);
    let code = code(&visitor, &[("client_id", SITE), ("resource", API)]).await?;
    Ok((visitor, code))
}

/// What the client is answered that brings a code.
async fn redeem(visitor: &Visitor, code: &str) -> Result<Answer> {
    let redeemed = form(&[
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT_URI),
        ("client_id", SITE),
        ("code_verifier", VERIFIER),
    ]);
    visitor.send(Visit::posted(&format!("{PUBLIC_URL}/oauth2/token"), &redeemed)).await
}

/// What the client is answered that brings a refresh token.
async fn refresh(visitor: &Visitor, token: &str) -> Result<Answer> {
    let renewed = form(&[("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", SITE)]);
    visitor.send(Visit::posted(&format!("{PUBLIC_URL}/oauth2/token"), &renewed)).await
}

/// The ID token and the access token of a code flow at a client.
async fn tokens_of_a_client(visitor: &Visitor) -> Result<[String; 2]> {
    let (visitor, code) = at_the_client(visitor).await?;
    let answer = redeem(&visitor, &code).await?;
    let given = answer.json()?;
    match [&given["id_token"], &given["access_token"]].map(Value::as_str) {
        [Some(id_token), Some(access_token)] => Ok([id_token.to_owned(), access_token.to_owned()]),
        _ => Err(Failure::new(format!("no tokens: {}", told(&answer)))),
    }
}

/// How many refresh tokens that gave way a moment ago lead on to the last one.
const MOST_LEADING_ON: u32 = 16;

/// A code that comes twice, and a refresh token that comes again after too many took its place to lead on: both are
/// refused, and the log says so.
pub async fn what_is_used_twice(visitors: &Visitors) -> Result<()> {
    let refused = |answer: Answer| {
        let is_refused = answer.status == 400 && answer.json()?["error"] == "invalid_grant";
        require(is_refused, || told(&answer))
    };
    let visitor = visitors.visitor("zhou").logged_in().await?;
    let (client, code) = at_the_client(&visitor).await?;
    require(redeem(&client, &code).await?.status == 200, || "no tokens for a code".to_owned())?;
    refused(redeem(&client, &code).await?)?;
    let (client, code) = at_the_client(&visitor).await?;
    let first = text(&redeem(&client, &code).await?.json()?, "refresh_token");
    let mut last = first.clone();
    for _ in 0..=MOST_LEADING_ON {
        let renewed = refresh(&client, &last).await?;
        require(renewed.status == 200, || format!("not renewed: {}", told(&renewed)))?;
        last = text(&renewed.json()?, "refresh_token");
    }
    refused(refresh(&client, &first).await?)
}

/// Discovery, keys and a token that verifies are there.
pub async fn serves(visitors: &Visitors) -> Result<()> {
    let visitor = visitors.visitor("lin").logged_in().await?;
    let discovery = visitor.open(&format!("{PUBLIC_URL}{DISCOVERY}")).await?.json()?;
    let keys = format!("{PUBLIC_URL}{JWKS}");
    require(discovery["issuer"] == PUBLIC_URL && discovery["jwks_uri"] == keys, || discovery.to_string())?;
    let published = visitor.open(&keys).await?.json()?;
    let [header, claims] = parts(&token(&visitor, API).await?)?;
    require(published["keys"][0]["kid"] == header["kid"], || format!("{published} {header}"))?;
    // As the doctor asks, whether the key signs.
    let asked = Visit::open(&keys).header("accept-signature", r#"keys=("@status" "content-digest");created"#);
    let answer = visitor.send(asked).await?;
    let signed = answer.header("signature-input").unwrap_or_default();
    let by_the_first = published["keys"][0]["kid"].as_str().is_some_and(|kid| signed.contains(kid));
    require(by_the_first && answer.header("signature").is_some(), || told(&answer))?;
    let subject = claims["sub"].as_str().unwrap_or_default();
    require(subject.ends_with(&visitor.openid()) && claims["aud"] == API, || claims.to_string())
}

/// A stack that is no provider has no route of one, and the login is what it was.
pub async fn is_none(visitors: &Visitors) -> Result<()> {
    let visitor = visitors.visitor("lin").logged_in().await?;
    for path in [DISCOVERY, "/.well-known/oauth-authorization-server", JWKS] {
        let answer = visitor.open(&format!("{PUBLIC_URL}{path}")).await?;
        require(answer.status == 404, || told(&answer))?;
    }
    let asked = Visit::fetch(Method::POST, &format!("{PUBLIC_URL}/access-token"), PAGE_ORIGIN);
    let answer = visitor.send(asked).await?;
    require(answer.status == 404, || told(&answer))
}

/// The key of a stack that stands, by its id.
pub async fn signing_key(account: &Account<'_>, stack: &str) -> Result<String> {
    let keys = account.resources(stack, Some("AWS::KMS::Key")).await?;
    keys.into_values().next().ok_or_else(|| Failure::new("the stack has no key"))
}

/// A key that a stack has left behind still signs, for whoever may use it.
pub async fn is_kept(account: &Account<'_>, key: &str) -> Result<()> {
    let described = account.look(&["kms", "describe-key", "--key-id", key]).await?;
    require(described["KeyMetadata"]["KeyState"] == "Enabled", || described.to_string())
}

/// Whoever has the token function's policy signs tokens and nothing else; who has another one's signs nothing.
pub async fn who_signs(account: &Account<'_>, stack: &str, key: &str) -> Result<()> {
    let other = another_key(account).await?;
    let token = stand_in(account, stack, "token").await?;
    let stranger = stand_in(account, stack, "callback").await?;
    let doctor = stand_in(account, stack, "doctor").await?;
    let signs = async |who: &Credentials, key: &str, kind: &str, algorithm: &str| {
        let message = if kind == "RAW" { "a message" } else { "a digest of thirty-two characters" };
        sign(account.aws, who, account.region, key, message, kind, algorithm).await
    };
    signs(&token, key, "RAW", ALGORITHM).await?;
    for (what, who, key, kind, algorithm) in [
        ("another key", &token, &*other, "RAW", ALGORITHM),
        ("a digest", &token, key, "DIGEST", ALGORITHM),
        ("another algorithm", &token, key, "RAW", "RSASSA_PSS_SHA_256"),
        ("another function", &stranger, key, "RAW", ALGORITHM),
        ("the doctor", &doctor, key, "RAW", ALGORITHM),
    ] {
        let refusal = match signs(who, key, kind, algorithm).await {
            Ok(_) => return Err(Failure::new(format!("{what} signs"))),
            Err(refusal) => refusal.to_string(),
        };
        require(refusal.contains("AccessDeniedException"), || format!("{what}: {refusal}"))?;
        println!("    {what}: refused");
    }
    Ok(())
}

/// A user who may do what a function's role allows.
async fn stand_in(account: &Account<'_>, stack: &str, function: &str) -> Result<Credentials> {
    let roles = account.resources(stack, Some("AWS::IAM::Role")).await?;
    let logical_id = roles.keys().find(|id| id.to_lowercase() == format!("{function}role"));
    let role = logical_id
        .and_then(|id| roles.get(id))
        .ok_or_else(|| Failure::new(format!("no role of {function}")))?;
    let policy = ["iam", "get-role-policy", "--role-name", role, "--policy-name", function];
    let policy = account.look(&policy).await?;
    let name = format!("{STAND_INS}{function}");
    Account::user(account.aws, account.region, &name, &policy["PolicyDocument"]).await
}

/// An RSA key that is none of the stack's; its id.
async fn another_key(account: &Account<'_>) -> Result<String> {
    let made = ["kms", "create-key", "--key-spec", "RSA_2048", "--key-usage", "SIGN_VERIFY"];
    let made = account.look(&made).await?;
    let id = made["KeyMetadata"]["KeyId"].as_str().map(str::to_owned);
    id.ok_or_else(|| Failure::new(format!("no key: {made}")))
}

/// What KMS signs for somebody.
async fn sign(
    aws: &EmulatedAws,
    who: &Credentials,
    region: &str,
    key: &str,
    message: &str,
    kind: &str,
    algorithm: &str,
) -> Result<Vec<u8>> {
    let arguments = ["kms", "sign", "--key-id", key, "--message", message, "--message-type", kind];
    let arguments = [&arguments[..], &["--signing-algorithm", algorithm]].concat();
    let signed = aws.cli(who, region, &arguments).await?;
    Ok(STANDARD.decode(signed["Signature"].as_str().unwrap_or_default())?)
}

/// The recipe: an API in a stack of its own, which lets in who has a token for it, and nobody else.
pub async fn recipe(account: &Account<'_>, login: &Stack, visitors: &Visitors, key: &str) -> Result<()> {
    let template = workspace().join(EXAMPLE);
    let parameters = |issuer: &str| {
        BTreeMap::from([
            ("Issuer", issuer.to_owned()),
            ("Audience", API.to_owned()),
            ("PageOrigin", PAGE_ORIGIN.to_owned()),
        ])
    };
    // Whoever deploys before discovery can be read is told so, instead of getting an API without routes.
    let Err(refusal) = account.deploy_template(&template, EXAMPLE_STACK, &parameters(NOBODY)).await else {
        return Err(Failure::new("deployed without an issuer"));
    };
    require(refusal.to_string().contains("Invalid issuer"), || refusal.to_string())?;
    println!("    without discovery: {}", refusal.to_string().lines().last().unwrap_or_default());
    account.delete(EXAMPLE_STACK).await?;
    let issuer = login.output("Issuer")?;
    let api = account.deploy_template(&template, EXAMPLE_STACK, &parameters(issuer)).await?;
    let url = api.output("ApiUrl")?;

    let visitor = visitors.visitor("lin").logged_in().await?;
    let mut page = visitor.clone();
    page.browser = page.browser.with_origin(url, account.aws.address());
    let preflight = Visit::fetch(Method::OPTIONS, &format!("{url}/me"), PAGE_ORIGIN)
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "authorization");
    let preflight = page.send(preflight).await?;
    let allowed = preflight.header("access-control-allow-origin");
    require(allowed == Some(PAGE_ORIGIN), || format!("preflight: {}", told(&preflight)))?;

    let good = token(&visitor, API).await?;
    let [header, claims] = parts(&good)?;
    let answer = call(&page, url, Some(&good)).await?;
    require(answer.status == 200 && answer.json()?["sub"] == claims["sub"], || told(&answer))?;

    let [id_token, of_a_client] = tokens_of_a_client(&visitor).await?;
    let answer = call(&page, url, Some(&of_a_client)).await?;
    require(answer.status == 200 && answer.json()?["sub"] == claims["sub"], || told(&answer))?;
    println!("    a token for it that a client got by the code flow: let in");

    let (signed, signature) = good.rsplit_once('.').ok_or_else(|| Failure::new("no token"))?;
    let of_another = json!({ "sub": "somebody-else" });
    let now = now_seconds();
    let (past, future) = (now - 3600, now + 3600);
    let other = another_key(account).await?;
    let made = async |key: &str, changes: Value| {
        let claims = merged(&claims, &changes);
        let input = format!("{}.{}", encoded(&header), encoded(&claims));
        let signature = sign(account.aws, &root(), account.region, key, &input, "RAW", ALGORITHM).await?;
        Ok::<_, Failure>(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature)))
    };
    // What is made so is taken if nothing is wrong with it, or the next ones would prove nothing.
    let answer = call(&page, url, Some(&made(key, json!({})).await?)).await?;
    require(answer.status == 200, || told(&answer))?;
    for (what, token) in [
        ("no token", None),
        ("a token for another API", Some(token(&visitor, OTHER_API).await?)),
        ("an expired token", Some(made(key, json!({ "iat": past, "exp": past + 600 })).await?)),
        ("a token of the future", Some(made(key, json!({ "iat": future, "exp": future + 600 })).await?)),
        ("another issuer's token", Some(made(key, json!({ "iss": NOBODY })).await?)),
        ("the ID token of the same code flow", Some(id_token)),
        ("another key's token", Some(made(&other, json!({})).await?)),
        (
            "another person in a signed token",
            Some(format!("{}.{}.{signature}", encoded(&header), encoded(&merged(&claims, &of_another)))),
        ),
        ("a token without a signature", Some(format!("{signed}."))),
        ("alg: none", {
            let header = merged(&header, &json!({ "alg": "none" }));
            Some(format!("{}.{}.", encoded(&header), encoded(&merged(&claims, &of_another))))
        }),
        ("nonsense", Some("nonsense".to_owned())),
    ] {
        let answer = call(&page, url, token.as_deref()).await?;
        require(answer.status == 401, || format!("{what}: {}", told(&answer)))?;
        println!("    {what}: kept out");
    }
    account.delete(EXAMPLE_STACK).await
}

/// What the API answers a page's script that shows this token.
async fn call(page: &Visitor, url: &str, token: Option<&str>) -> Result<Answer> {
    let call = Visit::fetch(Method::GET, &format!("{url}/me"), PAGE_ORIGIN);
    let call = match token {
        Some(token) => call.header("authorization", &format!("Bearer {token}")),
        None => call,
    };
    page.send(call).await
}

/// Header and claims of a token.
pub fn parts(token: &str) -> Result<[Value; 2]> {
    let mut parts = token
        .split('.')
        .map(|part| -> Result<Value> { Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part)?)?) });
    match (parts.next(), parts.next()) {
        (Some(header), Some(claims)) => Ok([header?, claims?]),
        _ => Err(Failure::new("no token")),
    }
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// An object with some members changed.
fn merged(object: &Value, changes: &Value) -> Value {
    let members = [object, changes].into_iter().flat_map(|object| object.as_object().into_iter().flatten());
    members.map(|(name, value)| (name.clone(), value.clone())).collect::<serde_json::Map<_, _>>().into()
}
