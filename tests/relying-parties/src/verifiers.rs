//! Verifiers: libraries that are shown our tokens, and forged ones.

use harness::{Failure, Result};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::{
    deployment::Deployment,
    script,
    tokens::{self, Given, Tokens},
};

/// A library, and the script that uses it.
pub struct Party {
    pub name: &'static str,
    pub script: &'static str,
    /// Whether it takes nothing but what RFC 9068 calls an access token: no `typ` of `JWT`.
    wants_access_tokens: bool,
}

/// Who verifies tokens.
pub const VERIFIERS: [Party; 6] = [
    Party { name: "jose", script: "with-jose.mjs", wants_access_tokens: false },
    Party { name: "aws-jwt-verify", script: "with-aws-jwt-verify.mjs", wants_access_tokens: false },
    Party { name: "oauth4webapi", script: "with-oauth4webapi.mjs", wants_access_tokens: true },
    Party { name: "PyJWT", script: "with_pyjwt.py", wants_access_tokens: false },
    Party { name: "joserfc", script: "with_joserfc.py", wants_access_tokens: false },
    Party { name: "Authlib", script: "with_authlib.py", wants_access_tokens: true },
];

/// What is wrong with what a relying party made of a token, if anything is.
pub fn fault(party: &Party, given: &Given, subject: &str, told: &Value) -> Option<String> {
    let is_good = given.is_good && (given.is_access_token || !party.wants_access_tokens);
    match (told.get("sub"), told.get("refused")) {
        (Some(sub), _) if is_good && sub == subject => None,
        (None, Some(refused)) if !is_good && refused.is_string() => None,
        _ => Some(format!(
            "it should be {}, and the answer was {told}",
            if is_good { "believed" } else { "refused" }
        )),
    }
}

/// What a relying party makes of the tokens, by their names.
pub async fn ask(deployment: &Deployment, party: &Party, tokens: &Tokens) -> Result<Value> {
    let mut command = script::command(deployment, "verifiers", party.script)?;
    let started = command.spawn().map_err(|error| Failure::from(error).during(party.script));
    let mut child = started?;
    let named = tokens.all.iter().map(|given| (given.name.to_owned(), given.token.clone().into()));
    let asked = json!({
        "issuer": deployment.issuer(),
        "audience": tokens::API,
        "tokens": named.collect::<serde_json::Map<_, _>>(),
    });
    if let Some(mut input) = child.stdin.take() {
        input.write_all(asked.to_string().as_bytes()).await?;
    }
    let output = child.wait_with_output().await?;
    serde_json::from_slice(&output.stdout).map_err(|error| Failure::from(error).during(party.script))
}
