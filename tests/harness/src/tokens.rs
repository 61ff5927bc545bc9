//! Signed tokens, taken apart by hand and held against published keys by `ring`: nothing of the product takes part.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde_json::Value;

/// A token whose signature is right, taken apart.
#[derive(Debug)]
pub struct Token {
    /// Its header.
    pub header: Value,
    /// Its claims.
    pub claims: Value,
}

impl Token {
    /// The name of the key that signed it.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.header["kid"].as_str()
    }
}

/// Holds a token against a set of keys; what is wrong with it, if anything is.
pub fn verify(keys: &Value, token: &str) -> Result<Token, String> {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else { return Err(format!("{} parts", parts.len())) };
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|error| error.to_string());
    let read = |part: &str| serde_json::from_slice::<Value>(&bytes(part)?).map_err(|error| error.to_string());
    let (header_read, claims_read) = (read(header)?, read(claims)?);
    if header_read["alg"] != "RS256" {
        return Err(format!("alg {}", header_read["alg"]));
    }
    let mut known = keys["keys"].as_array().into_iter().flatten();
    let key = known.find(|key| key["kid"] == header_read["kid"]).ok_or("an unknown key")?;
    let number = |name: &str| bytes(key[name].as_str().unwrap_or_default());
    let key = RsaPublicKeyComponents { n: number("n")?, e: number("e")? };
    let message = format!("{header}.{claims}");
    key.verify(&RSA_PKCS1_2048_8192_SHA256, message.as_bytes(), &bytes(signature)?)
        .map_err(|_| "the signature is of something else")?;
    Ok(Token { header: header_read, claims: claims_read })
}
