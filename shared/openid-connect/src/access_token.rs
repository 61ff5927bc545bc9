//! The claims of an access token ([RFC 9068 §2.2](https://www.rfc-editor.org/rfc/rfc9068#section-2.2)).
//!
//! Flat, because a gateway hands them on as text. Without `nbf`: it is optional, and a gateway with a slow clock
//! would refuse a token for it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use login::origin::Origin;
use login::session::Session;
use login::time::Timestamp;
use serde::{Deserialize, Serialize};
use wechat::{AppId, GrantedScope, OpenId, UnionId};

use crate::api::{Api, ApiScope};
use crate::subject::Subject;

/// What an access token for a page says of the session, but for what its API decides
/// ([RFC 9068 §2.2](https://www.rfc-editor.org/rfc/rfc9068#section-2.2)).
#[derive(Debug)]
pub struct PageAccessToken<'a> {
    /// Who says it.
    pub issuer: &'a Origin,
    /// Who asked for it: the name of a client, or the origin of a page, which is no client's name.
    pub client_id: &'a str,
    /// Who is logged in.
    pub session: &'a Session,
    /// Who that is for a backend.
    pub subject: &'a Subject,
    /// When the person logged in.
    pub authenticated_at: Timestamp,
    /// When the request arrived: then no receiver finds `iat` in the future.
    pub now: Timestamp,
    /// What names the token.
    pub random: [u8; 16],
}

/// The claims of an access token for a page ([RFC 9068 §2.2](https://www.rfc-editor.org/rfc/rfc9068#section-2.2)), in
/// the order in which they are written.
#[derive(Serialize)]
pub struct PageAccessTokenClaims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    client_id: &'a str,
    #[serde(skip_serializing_if = "String::is_empty")]
    scope: String,
    jti: String,
    iat: u64,
    exp: u64,
    auth_time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'static str>,
    #[serde(flatten)]
    identifiers: Identifiers<'a>,
}

/// WeChat's own identifiers, as far as an API is told them.
#[derive(Serialize)]
pub(crate) struct Identifiers<'a> {
    #[serde(rename = "wechat_appid", skip_serializing_if = "Option::is_none")]
    app: Option<&'a str>,
    #[serde(rename = "wechat_openid", skip_serializing_if = "Option::is_none")]
    openid: Option<&'a str>,
    #[serde(rename = "wechat_unionid", skip_serializing_if = "Option::is_none")]
    unionid: Option<&'a str>,
}

impl<'a> Identifiers<'a> {
    /// Those that are `told`.
    pub(crate) fn told(
        told: &[Identifier],
        app: &'a AppId,
        openid: &'a OpenId,
        unionid: Option<&'a UnionId>,
    ) -> Self {
        let tells = |identifier| told.contains(&identifier);
        Self {
            app: tells(Identifier::AppId).then(|| app.as_str()),
            openid: tells(Identifier::OpenId).then(|| openid.expose()),
            unionid: unionid.filter(|_| tells(Identifier::UnionId)).map(UnionId::expose),
        }
    }
}

/// One of WeChat's identifiers that an API can ask for, so that nobody takes a `sub` apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identifier {
    /// `wechat_appid`.
    AppId,
    /// `wechat_openid`.
    OpenId,
    /// `wechat_unionid`; left out while it is not known.
    UnionId,
}

impl Identifier {
    /// Reads the name of its claim.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "wechat_appid" => Some(Self::AppId),
            "wechat_openid" => Some(Self::OpenId),
            "wechat_unionid" => Some(Self::UnionId),
            _ => None,
        }
    }
}

/// How WeChat made sure of the person; `acr`
/// ([OpenID Connect Core §2](https://openid.net/specs/openid-connect-core-1_0.html#IDToken)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Context {
    /// Silently, inside WeChat.
    #[serde(rename = "urn:wechat-login:snsapi_base")]
    Base,
    /// By a tap, inside WeChat.
    #[serde(rename = "urn:wechat-login:snsapi_userinfo")]
    UserInfo,
    /// By a scan.
    #[serde(rename = "urn:wechat-login:snsapi_login")]
    Login,
}

impl Context {
    /// Every value, as `acr` spells it.
    pub const ALL: [&'static str; 3] =
        ["urn:wechat-login:snsapi_base", "urn:wechat-login:snsapi_userinfo", "urn:wechat-login:snsapi_login"];

    /// What a grant is; the strongest, if it is several. `None` for one that is none of them.
    #[must_use]
    pub fn of(scope: &GrantedScope) -> Option<Self> {
        let has = |name| scope.as_str().split(',').any(|scope| scope == name);
        [("snsapi_login", Self::Login), ("snsapi_userinfo", Self::UserInfo), ("snsapi_base", Self::Base)]
            .into_iter()
            .find_map(|(name, context)| has(name).then_some(context))
    }

    /// The value, as `acr` spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        let [base, user_info, login] = Self::ALL;
        match self {
            Self::Base => base,
            Self::UserInfo => user_info,
            Self::Login => login,
        }
    }
}

impl<'a> PageAccessToken<'a> {
    /// The claims for one API.
    #[must_use]
    pub fn for_api(&self, api: &'a Api) -> PageAccessTokenClaims<'a> {
        let session = self.session;
        let scopes: Vec<&str> = api.scopes.iter().map(ApiScope::as_str).collect();
        PageAccessTokenClaims {
            iss: self.issuer.as_str(),
            aud: api.identifier.as_str(),
            sub: self.subject.expose(),
            client_id: self.client_id,
            scope: scopes.join(" "),
            jti: URL_SAFE_NO_PAD.encode(self.random),
            iat: self.now.epoch_seconds(),
            exp: self.now.plus(api.lifetime).epoch_seconds(),
            auth_time: self.authenticated_at.epoch_seconds(),
            acr: Context::of(&session.scope).map(Context::as_str),
            identifiers: Identifiers::told(
                &api.claims,
                &session.app,
                &session.openid,
                session.unionid.as_ref(),
            ),
        }
    }
}
