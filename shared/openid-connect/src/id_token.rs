//! The claims of an ID token ([OpenID Connect Core §2](https://openid.net/specs/openid-connect-core-1_0.html#IDToken)),
//! of the access token beside it, and of the userinfo answer: one person, said three times in the same words.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use login::time::Timestamp;
use ring::digest::{SHA256, digest};
use serde::Serialize;
use wechat::{Lang, UnionId};

use crate::Provider;
use crate::access_token::{Context, Identifiers};
use crate::api::Api;
use crate::client::Client;
use crate::grant::{GrantId, Granted};
use crate::jws::{Token, Type};
use crate::parameter::Nonce;

/// How long an ID token is good, in seconds, and an access token that no API gives another life.
pub const LIFETIME: u64 = 600;

/// The claims of an ID token ([OpenID Connect Core §2](https://openid.net/specs/openid-connect-core-1_0.html#IDToken)),
/// in the order in which they are written.
#[derive(Serialize)]
pub struct IdTokenClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: u64,
    iat: u64,
    auth_time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
    sid: String,
    at_hash: String,
    #[serde(flatten)]
    person: Person<'a>,
}

/// What is known of a person, as far as the client asked
/// ([OpenID Connect Core §5.1](https://openid.net/specs/openid-connect-core-1_0.html#StandardClaims)).
#[derive(Serialize)]
pub struct Person<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nickname: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    picture: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gender: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locale: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wechat_appid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wechat_openid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wechat_unionid: Option<&'a str>,
}

/// The userinfo answer ([OpenID Connect Core
/// §5.3.2](https://openid.net/specs/openid-connect-core-1_0.html#UserInfoResponse)).
#[derive(Serialize)]
pub struct UserInfoResponse<'a> {
    sub: &'a str,
    #[serde(flatten)]
    person: Person<'a>,
}

/// The claims of an access token of a client ([RFC 9068 §2.2](https://www.rfc-editor.org/rfc/rfc9068#section-2.2)), in
/// the order in which they are written.
#[derive(Serialize)]
pub struct ClientAccessTokenClaims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    client_id: &'a str,
    scope: &'a str,
    sid: String,
    jti: String,
    iat: u64,
    exp: u64,
    auth_time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
    #[serde(flatten)]
    identifiers: Identifiers<'a>,
}

impl Granted {
    /// What is told of the person. Nothing that would be empty; nothing made up.
    #[must_use]
    pub fn person(&self, client: &Client) -> Person<'_> {
        let profile = self.profile.as_ref();
        let nickname = profile.map(|profile| profile.nickname.as_str()).filter(|text| !text.is_empty());
        Person {
            name: nickname,
            nickname,
            picture: profile
                .map(|profile| profile.picture.as_str())
                .filter(|text| text.starts_with("https://")),
            gender: profile.and_then(|profile| match profile.sex {
                1 => Some("male"),
                2 => Some("female"),
                _ => None,
            }),
            locale: profile.and_then(|profile| profile.lang).map(|lang| match lang {
                Lang::ZhCn => "zh-CN",
                Lang::ZhTw => "zh-TW",
                Lang::En => "en",
            }),
            updated_at: profile.map(|profile| profile.read_at),
            wechat_appid: client.identifiers.then(|| self.appid.as_str()),
            wechat_openid: client.identifiers.then(|| self.openid.expose()),
            wechat_unionid: self.unionid.as_ref().filter(|_| client.identifiers).map(UnionId::expose),
        }
    }

    /// The userinfo answer.
    #[must_use]
    pub fn user_info(&self, client: &Client) -> UserInfoResponse<'_> {
        UserInfoResponse { sub: self.sub.expose(), person: self.person(client) }
    }

    /// The API that the access token is for; `None` if it is for the provider itself, or the API is gone.
    #[must_use]
    pub fn api<'a>(&self, provider: &'a Provider) -> Option<&'a Api> {
        self.resource.as_ref().and_then(|name| provider.api(name.as_str()))
    }

    /// The claims of the access token, its type, and how many seconds it is good.
    #[must_use]
    pub fn access_token<'a>(
        &'a self,
        provider: &'a Provider,
        client: &'a Client,
        grant: GrantId,
        now: Timestamp,
        random: [u8; 16],
    ) -> (ClientAccessTokenClaims<'a>, Type, u64) {
        let api = self.api(provider);
        let lifetime = api.map_or(LIFETIME, |api| api.lifetime.as_secs());
        let claims = ClientAccessTokenClaims {
            iss: provider.issuer.as_str(),
            aud: api.map_or(provider.issuer.as_str(), |api| api.identifier.as_str()),
            sub: self.sub.expose(),
            client_id: client.name.as_str(),
            scope: self.scope.as_str(),
            sid: grant.to_sid(),
            jti: URL_SAFE_NO_PAD.encode(random),
            iat: now.epoch_seconds(),
            exp: now.epoch_seconds() + lifetime,
            auth_time: self.auth_time,
            acr: self.acr.map(Context::as_str),
            identifiers: Identifiers::told(
                api.map(|api| api.claims.as_slice()).unwrap_or_default(),
                &self.appid,
                &self.openid,
                self.unionid.as_ref(),
            ),
        };
        (claims, api.map_or(Type::default(), |api| api.kind), lifetime)
    }

    /// The claims of the ID token that goes with an access token.
    #[must_use]
    pub fn id_token<'a>(
        &'a self,
        provider: &'a Provider,
        client: &'a Client,
        grant: GrantId,
        now: Timestamp,
        access_token: &Token,
    ) -> IdTokenClaims<'a> {
        IdTokenClaims {
            iss: provider.issuer.as_str(),
            sub: self.sub.expose(),
            aud: client.name.as_str(),
            exp: now.epoch_seconds() + LIFETIME,
            iat: now.epoch_seconds(),
            auth_time: self.auth_time,
            nonce: self.nonce.as_ref().map(Nonce::expose),
            acr: self.acr.map(Context::as_str),
            sid: grant.to_sid(),
            at_hash: at_hash(access_token.expose()),
            person: self.person(client),
        }
    }
}

/// The left half of the digest of an access token
/// ([OpenID Connect Core §3.1.3.6](https://openid.net/specs/openid-connect-core-1_0.html#CodeIDToken)).
fn at_hash(access_token: &str) -> String {
    let digest = digest(&SHA256, access_token.as_bytes());
    URL_SAFE_NO_PAD.encode(digest.as_ref().get(..16).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_the_left_half() {
        // OpenID Connect Core, appendix A.3 and A.4: the access token and the at_hash of the examples.
        assert_eq!(at_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"), "77QmUPtjPfzWtF2AnpK9RQ");
    }
}
