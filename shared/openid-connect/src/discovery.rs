//! Where everything is: the document that every library of a relying party begins with
//! ([OpenID Connect Discovery §3](https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata),
//! [RFC 8414](https://www.rfc-editor.org/rfc/rfc8414)).
//!
//! Gateways keep the address of the keys when they are set up, so no path in it ever changes.

use login::origin::Origin;
use serde::Serialize;

use crate::jws::ALGORITHM;

/// Where the document is, by OpenID Connect.
pub const OPENID_CONFIGURATION: &str = "/.well-known/openid-configuration";
/// Where the same document is, by RFC 8414.
pub const OAUTH_AUTHORIZATION_SERVER: &str = "/.well-known/oauth-authorization-server";
/// Where the keys are.
pub const JWKS: &str = "/.well-known/jwks.json";

/// The document.
#[derive(Debug, Serialize)]
pub struct Metadata {
    issuer: String,
    jwks_uri: String,
    response_types_supported: [&'static str; 0],
    subject_types_supported: [&'static str; 1],
    id_token_signing_alg_values_supported: [&'static str; 1],
}

impl Metadata {
    /// The document of a provider.
    #[must_use]
    pub fn of(issuer: &Origin) -> Self {
        Self {
            issuer: issuer.as_str().to_owned(),
            jwks_uri: format!("{}{JWKS}", issuer.as_str()),
            response_types_supported: [],
            subject_types_supported: ["public"],
            id_token_signing_alg_values_supported: [ALGORITHM],
        }
    }
}
