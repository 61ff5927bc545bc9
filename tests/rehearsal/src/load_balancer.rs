//! An Application Load Balancer that logs people in by us before it lets them through: `authenticate-oidc`.
//!
//! The emulator's posts its secret, asks userinfo, and writes what it learned into its cookie, where AWS encrypts it.
//! It renews nothing; the double in `tests/relying-parties` does.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use harness::{
    Failure, Result, Visitor,
    relying_party::{SECRET, SECRET_DIGEST},
    stack::OFFICIAL_ACCOUNT,
};
use serde_json::{Value, json};

use crate::{
    account::{Account, Stack},
    visits::{require, told},
    wechat::Visitors,
};

/// The client that the load balancer is to us.
pub const CLIENT: &str = "load-balancer";
const NAME: &str = "shop";
/// The emulator's name for the domain that leads to it.
const SITE: &str = "https://shop.alb.localhost";
/// What its cookie is called, and then the number of the part.
const COOKIE: &str = "AWSELBAuthSessionCookie";

/// What the parameter `OpenidConnect` says of it.
pub fn client() -> Value {
    json!({
        "redirect_uris": [format!("{SITE}/oauth2/idpresponse")],
        "secrets": [format!("sha256:{SECRET_DIGEST}")],
        "refresh": true,
    })
}

/// Makes one as the recipe says; a person who opens a page behind it comes through with a login.
pub async fn recipe(account: &Account<'_>, login: &Stack, visitors: &Visitors) -> Result<()> {
    let made = async |action: &str, arguments: &[&str]| {
        account.look(&[&["elbv2", action], arguments].concat()).await
    };
    let subnets = ["--subnets", "subnet-1", "subnet-2"];
    let balancer = made("create-load-balancer", &[&["--name", NAME], &subnets[..]].concat()).await?;
    let arn = &balancer["LoadBalancers"][0]["LoadBalancerArn"];
    let arn = arn.as_str().ok_or_else(|| Failure::new(format!("no load balancer: {balancer}")))?;
    let actions = json!([
        { "Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": {
            "Issuer": login.output("Issuer")?,
            "AuthorizationEndpoint": login.output("AuthorizationEndpoint")?,
            "TokenEndpoint": login.output("TokenEndpoint")?,
            "UserInfoEndpoint": login.output("UserInfoEndpoint")?,
            "ClientId": CLIENT,
            "ClientSecret": SECRET,
            "Scope": "openid profile",
        } },
        { "Type": "fixed-response", "Order": 2, "FixedResponseConfig": { "StatusCode": "200", "MessageBody": "let through" } },
    ]);
    let certificate = format!("CertificateArn=arn:aws:acm:{}:000000000000:certificate/shop", account.region);
    let listener =
        ["--load-balancer-arn", arn, "--protocol", "HTTPS", "--port", "443", "--certificates", &certificate];
    made("create-listener", &[&listener[..], &["--default-actions", &actions.to_string()]].concat()).await?;

    let mut visitor = visitors.visitor("lin");
    visitor.browser = visitor.browser.with_origin(SITE, account.aws.address());
    let page = format!("{SITE}/orders?of=today");
    let hops = visitor.follow(&page).await?;
    let last = hops.last().ok_or_else(|| Failure::new("nobody went anywhere"))?;
    // An empty fragment takes the place of WeChat's.
    require(last.url.as_str().trim_end_matches('#') == page && last.text() == "let through", || told(last))?;
    let session = session(&visitor)?;
    let expected = format!("{OFFICIAL_ACCOUNT}.{}", visitor.openid());
    require(session["claims"]["sub"] == *expected, || session.to_string())?;
    let stranger = visitor.elsewhere().open(&page).await?;
    require(stranger.status == 302, || told(&stranger))
}

/// What its cookie holds, in parts.
fn session(visitor: &Visitor) -> Result<Value> {
    let part = |number: usize| visitor.browser.cookie(&format!("{COOKIE}-{number}"));
    let parts: String = (0..).map_while(part).collect();
    Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts)?)?)
}
