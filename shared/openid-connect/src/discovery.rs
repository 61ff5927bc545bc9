//! Where everything is: the document that every library of a relying party begins with
//! ([OpenID Connect Discovery §3](https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata),
//! [RFC 8414](https://www.rfc-editor.org/rfc/rfc8414)).
//!
//! Gateways keep the address of the keys when they are set up, so no path in it ever changes.

use login::origin::Origin;
use serde::Serialize;

use crate::access_token::Context;
use crate::jws::ALGORITHM;

/// Where the document is, by OpenID Connect.
pub const OPENID_CONFIGURATION: &str = "/.well-known/openid-configuration";
/// Where the same document is, by RFC 8414.
pub const OAUTH_AUTHORIZATION_SERVER: &str = "/.well-known/oauth-authorization-server";
/// Where the keys are.
pub const JWKS: &str = "/.well-known/jwks.json";

/// The document ([OpenID Connect Discovery
/// §3](https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata), [RFC 8414
/// §2](https://www.rfc-editor.org/rfc/rfc8414#section-2)). What is said to be false is what a reader would otherwise
/// take for true.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "the document has them")]
pub struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    userinfo_endpoint: String,
    revocation_endpoint: String,
    end_session_endpoint: String,
    jwks_uri: String,
    scopes_supported: [&'static str; 2],
    response_types_supported: [&'static str; 1],
    response_modes_supported: [&'static str; 1],
    grant_types_supported: [&'static str; 2],
    subject_types_supported: [&'static str; 1],
    id_token_signing_alg_values_supported: [&'static str; 1],
    token_endpoint_auth_methods_supported: [&'static str; 3],
    revocation_endpoint_auth_methods_supported: [&'static str; 3],
    code_challenge_methods_supported: [&'static str; 1],
    prompt_values_supported: [&'static str; 4],
    acr_values_supported: [&'static str; 3],
    claims_supported: [&'static str; 18],
    ui_locales_supported: [&'static str; 3],
    claims_parameter_supported: bool,
    request_parameter_supported: bool,
    request_uri_parameter_supported: bool,
    authorization_response_iss_parameter_supported: bool,
}

impl Metadata {
    /// The document of a provider.
    #[must_use]
    pub fn of(issuer: &Origin) -> Self {
        let on = |path: &str| format!("{}{path}", issuer.as_str());
        Self {
            issuer: issuer.as_str().to_owned(),
            authorization_endpoint: on("/oauth2/authorize"),
            token_endpoint: on("/oauth2/token"),
            userinfo_endpoint: on("/oauth2/userinfo"),
            revocation_endpoint: on("/oauth2/revoke"),
            end_session_endpoint: on("/oauth2/logout"),
            jwks_uri: on(JWKS),
            scopes_supported: ["openid", "profile"],
            response_types_supported: ["code"],
            response_modes_supported: ["query"],
            grant_types_supported: ["authorization_code", "refresh_token"],
            subject_types_supported: ["public"],
            id_token_signing_alg_values_supported: [ALGORITHM],
            token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post", "none"],
            revocation_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post", "none"],
            code_challenge_methods_supported: ["S256"],
            prompt_values_supported: ["none", "login", "consent", "select_account"],
            acr_values_supported: Context::ALL,
            claims_supported: [
                "iss",
                "sub",
                "aud",
                "exp",
                "iat",
                "auth_time",
                "nonce",
                "acr",
                "sid",
                "name",
                "nickname",
                "picture",
                "locale",
                "gender",
                "updated_at",
                "wechat_appid",
                "wechat_openid",
                "wechat_unionid",
            ],
            ui_locales_supported: ["zh-CN", "zh-TW", "en"],
            claims_parameter_supported: false,
            request_parameter_supported: false,
            request_uri_parameter_supported: false,
            authorization_response_iss_parameter_supported: true,
        }
    }
}
