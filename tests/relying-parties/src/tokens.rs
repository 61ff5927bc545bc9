//! The tokens that are shown around: ours, and what somebody makes of them who does not have the key.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use harness::{Failure, Result, browser::Visit, signing_key};
use http::Method;
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use rsa::{
    PrivateKey,
    pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, EncodePublicKey as _, LineEnding},
};
use serde_json::{Value, json};

use crate::deployment::Deployment;

/// The API that the relying parties are.
pub const API: &str = "https://api.example.com";
/// Another one.
pub const OTHER_API: &str = "https://stock.example.com";
/// One that gets a token of `typ` `JWT`.
pub const PLAIN_API: &str = "https://plain.example.com";

/// A token, and whether it is to be believed.
pub struct Given {
    pub name: &'static str,
    pub token: String,
    pub is_good: bool,
    /// Whether it says of itself that it is an access token.
    pub is_access_token: bool,
}

/// All of them, and whose they are.
pub struct Tokens {
    pub subject: String,
    pub all: Vec<Given>,
}

/// A token taken apart.
struct Parts {
    header: Value,
    claims: Value,
}

/// Gets tokens as a page's script does, and forges the others.
pub async fn gather(deployment: &Deployment) -> Result<Tokens> {
    let visitor = deployment.visitor().await?;
    let issued = async |api: &str| -> Result<String> {
        let url = format!("{}/access-token?resource={api}", deployment.issuer());
        let answer = visitor.send(Visit::fetch(Method::POST, &url, deployment.issuer())).await?;
        let told = answer.json()?;
        let token = told.get("access_token").and_then(Value::as_str).map(str::to_owned);
        token.ok_or_else(|| Failure::new(format!("there is no token for {api}: {told}")))
    };
    let (token, other_api, plain) = (issued(API).await?, issued(OTHER_API).await?, issued(PLAIN_API).await?);
    let (read, plain) = (Parts::read(&token)?, Parts::read(&plain)?);
    let subject = read.claims.get("sub").and_then(Value::as_str).unwrap_or_default().to_owned();

    let right = signing_key::of_this_process()?;
    let (own, foreign) = (pair(right)?, pair(&signing_key::generate()?)?);
    let public = private(right)?.to_public_key().to_public_key_pem(LineEnding::LF).map_err(unusable)?;
    let now = harness::time::now_seconds();

    let believed = |name, token, is_access_token| Given { name, token, is_good: true, is_access_token };
    let refused = |name, token| Given { name, token, is_good: false, is_access_token: true };
    let all = vec![
        believed("at+jwt", token.clone(), true),
        // The API of the relying parties could be one that is set up so.
        believed("JWT", plain.with("aud", API).signed(&own)?, false),
        refused("alg none", read.claiming("none").input() + "."),
        refused("HS256", {
            let input = read.claiming("HS256").input();
            let key = hmac::Key::new(hmac::HMAC_SHA256, public.as_bytes());
            format!("{input}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, input.as_bytes())))
        }),
        refused("another key", read.with("aud", API).signed(&foreign)?),
        refused("changed", {
            let signature = token.rsplit('.').next().unwrap_or_default();
            format!("{}.{signature}", read.with("sub", "somebody.else").input())
        }),
        refused("another audience", other_api),
        refused("another issuer", read.with("iss", "https://evil.example").signed(&own)?),
        refused("expired", read.with("iat", now - 7200).with("exp", now - 3600).signed(&own)?),
    ];
    Ok(Tokens { subject, all })
}

impl Parts {
    fn read(token: &str) -> Result<Self> {
        let mut parts = token.split('.').map(|part| -> Result<Value> {
            Ok(serde_json::from_slice(
                &URL_SAFE_NO_PAD.decode(part).map_err(|error| Failure::new(error.to_string()))?,
            )?)
        });
        match (parts.next(), parts.next()) {
            (Some(header), Some(claims)) => Ok(Self { header: header?, claims: claims? }),
            _ => Err(Failure::new("a token has three parts")),
        }
    }

    /// The same, saying something else.
    fn with(&self, name: &str, value: impl Into<Value>) -> Self {
        let mut claims = self.claims.clone();
        if let Some(claims) = claims.as_object_mut() {
            claims.insert(name.to_owned(), value.into());
        }
        Self { header: self.header.clone(), claims }
    }

    /// The same, by another algorithm.
    fn claiming(&self, algorithm: &str) -> Self {
        let mut header = self.header.clone();
        if let Some(header) = header.as_object_mut() {
            header.insert("alg".to_owned(), json!(algorithm));
        }
        Self { header, claims: self.claims.clone() }
    }

    fn input(&self) -> String {
        let encoded = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        format!("{}.{}", encoded(&self.header), encoded(&self.claims))
    }

    fn signed(&self, key: &RsaKeyPair) -> Result<String> {
        let input = self.input();
        let mut signature = vec![0; key.public().modulus_len()];
        let signed = key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input.as_bytes(), &mut signature);
        signed.map_err(unusable)?;
        Ok(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

fn private(pem: &str) -> Result<PrivateKey> {
    PrivateKey::from_pkcs8_pem(pem).map_err(unusable)
}

fn pair(pem: &str) -> Result<RsaKeyPair> {
    RsaKeyPair::from_pkcs8(private(pem)?.to_pkcs8_der().map_err(unusable)?.as_bytes()).map_err(unusable)
}

fn unusable(error: impl std::fmt::Display) -> Failure {
    Failure::new(format!("a key cannot be used: {error}"))
}
