//! A user pool of Cognito whose OIDC provider we are: it logs a person in for an app of its own.
//!
//! The emulator's pool reads our discovery, posts the secret, and makes the person a user of its own. It believes the
//! ID token without looking at its signature, and asks no userinfo; the double in `tests/relying-parties` does both, as
//! AWS documents.

use harness::{
    Failure, Result,
    browser::Visit,
    relying_party::{APP, REDIRECT_URI, SECRET, SECRET_DIGEST, brought, form, parameter},
    stack::OFFICIAL_ACCOUNT,
};
use serde_json::{Value, json};

use crate::{
    account::{Account, Stack},
    provider::parts,
    visits::{require, told},
    wechat::Visitors,
};

/// The client that the pool is to us.
pub const CLIENT: &str = "pool";
/// What the pool calls us, which begins the name of each of its users.
const PROVIDER: &str = "WeChat";
/// The domain of the pool, in the region of the rehearsal.
const DOMAIN: &str = "shop";
const POOL: &str = "https://shop.auth.us-east-1.amazoncognito.com";

/// What the parameter `OpenidConnect` says of it.
pub fn client() -> Value {
    json!({
        "redirect_uris": [format!("{POOL}/oauth2/idpresponse")],
        "secrets": [format!("sha256:{SECRET_DIGEST}")],
    })
}

/// Makes the pool as the recipe says, and logs a person in at it, twice.
pub async fn recipe(account: &Account<'_>, login: &Stack, visitors: &Visitors) -> Result<()> {
    let made = async |action: &str, arguments: &[&str]| {
        account.look(&[&["cognito-idp", action], arguments].concat()).await
    };
    let pool = made("create-user-pool", &["--pool-name", "shop"]).await?;
    let pool = text(&pool["UserPool"]["Id"])?;
    let of_the_pool = ["--user-pool-id", &pool];
    made("create-user-pool-domain", &[&of_the_pool[..], &["--domain", DOMAIN]].concat()).await?;
    let details = json!({
        "client_id": CLIENT,
        "client_secret": SECRET,
        "oidc_issuer": login.output("Issuer")?,
        "authorize_scopes": "openid profile",
        "attributes_request_method": "GET",
    });
    let (details, mapping) =
        (details.to_string(), json!({ "name": "name", "picture": "picture" }).to_string());
    let provider = ["--provider-name", PROVIDER, "--provider-type", "OIDC", "--provider-details", &details];
    let provider = [&of_the_pool[..], &provider, &["--attribute-mapping", &mapping]].concat();
    made("create-identity-provider", &provider).await?;
    // A list in JSON, since the CLI would fetch what begins as an address does.
    let callbacks = json!([REDIRECT_URI]).to_string();
    let app =
        ["--client-name", "app", "--callback-urls", &callbacks, "--supported-identity-providers", PROVIDER];
    let flow = ["--allowed-o-auth-flows-user-pool-client", "--allowed-o-auth-flows", "code"];
    let app = [&of_the_pool[..], &app, &flow, &["--allowed-o-auth-scopes", "openid", "profile"]].concat();
    let app = text(&made("create-user-pool-client", &app).await?["UserPoolClient"]["ClientId"])?;

    let mut visitor = visitors.visitor("lin");
    visitor.browser = visitor.browser.with_elsewhere(APP).with_origin(POOL, account.aws.address());
    let begun = form(&[
        ("identity_provider", PROVIDER),
        ("response_type", "code"),
        ("client_id", &app),
        ("redirect_uri", REDIRECT_URI),
        ("scope", "openid profile"),
        ("state", "of the app"),
    ]);
    let expected = format!("{PROVIDER}_{OFFICIAL_ACCOUNT}.{}", visitor.openid());
    for way in ["by WeChat", "by the session"] {
        let answer = brought(&visitor.follow(&format!("{POOL}/oauth2/authorize?{begun}")).await?)?;
        let code = parameter(&answer, "code").ok_or_else(|| Failure::new(format!("no code: {answer}")))?;
        let redeemed = form(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", REDIRECT_URI),
            ("client_id", &app),
        ]);
        let answer = visitor.send(Visit::posted(&format!("{POOL}/oauth2/token"), &redeemed)).await?;
        let [_, claims] =
            parts(&text(&answer.json()?["id_token"]).map_err(|_| Failure::new(told(&answer)))?)?;
        require(claims["cognito:username"] == *expected, || claims.to_string())?;
        println!("    {way}: {expected}");
    }
    let users = made("list-users", &of_the_pool).await?;
    let users: Vec<_> =
        users["Users"].as_array().into_iter().flatten().map(|user| &user["Username"]).collect();
    require(users == [&json!(expected)], || format!("{users:?}"))
}

fn text(value: &Value) -> Result<String> {
    value.as_str().map(str::to_owned).ok_or_else(|| Failure::new(format!("no text: {value}")))
}
