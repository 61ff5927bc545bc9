//! Who takes access tokens: an API, by the name that stands in their `aud`
//! ([RFC 8707](https://www.rfc-editor.org/rfc/rfc8707)).

use std::time::Duration;

use login::account::Accounts;
use login::origin::Origin;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::access_token::Identifier;
use crate::client::ClientName;
use crate::jws::Type;
use crate::provider::Faults;

/// An API: a resource server of [RFC 6749 §1.1](https://www.rfc-editor.org/rfc/rfc6749#section-1.1).
#[derive(Debug, Clone)]
pub struct Api {
    /// Its name, a URI; need not be an address.
    pub identifier: ApiIdentifier,
    /// The clients that may ask for a token for it, by name.
    pub clients: Vec<ClientName>,
    /// The origins whose pages get one from the session.
    pub origins: Vec<Origin>,
    /// The `typ` that it expects.
    pub kind: Type,
    /// What a token for it may say in `scope`.
    pub scopes: Vec<ApiScope>,
    /// Which of WeChat's identifiers it is told.
    pub claims: Vec<Identifier>,
    /// How long a token for it is good.
    pub lifetime: Duration,
}

/// The name of an API: an absolute URI without a fragment
/// ([RFC 8707 §2](https://www.rfc-editor.org/rfc/rfc8707#section-2)), compared byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiIdentifier(String);

impl ApiIdentifier {
    /// Reads one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = text.len() <= 256 && text.bytes().all(|byte| byte.is_ascii_graphic());
        let url = Url::parse(text).ok().filter(|url| is_plain && url.fragment().is_none());
        url.map(|_| Self(text.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A scope that an API calls its own ([RFC 6749 §3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3)): one word,
/// and none of OpenID Connect's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiScope(String);

impl ApiScope {
    /// Reads one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        let is_own = !text.is_empty() && text.bytes().all(is_plain) && !["openid", "profile"].contains(&text);
        is_own.then(|| Self(text.to_owned()))
    }

    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How long a token is good whose API does not say.
const LIFETIME: Duration = Duration::from_mins(10);

/// An API as `OPENID_CONNECT` writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawApi {
    #[serde(default)]
    clients: Vec<String>,
    #[serde(default)]
    origins: Vec<String>,
    typ: Option<String>,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    claims: Vec<String>,
    lifetime: Option<u64>,
}

impl RawApi {
    pub(crate) fn read(
        self,
        name: String,
        issuer: &Origin,
        accounts: &Accounts,
        clients: &[&str],
        faults: &mut Faults,
    ) -> Api {
        let place = format!("apis.{name}");
        let field = |name: &str| format!("{place}.{name}");
        let parsed = ApiIdentifier::parse(&name);
        if parsed.is_none() {
            faults.note(
                &place,
                "its name must be an absolute URI without a fragment, such as https://api.example.com",
            );
        }
        if name == issuer.as_str() {
            faults.note(&place, "its name must be another one than this provider's");
        }
        if self.clients.is_empty() && self.origins.is_empty() {
            faults.note(&place, "it has neither clients nor origins, so nobody would get a token for it");
        }
        let kind = self.typ.as_deref().map_or(Some(Type::default()), Type::parse);
        if kind.is_none() {
            faults.note(field("typ"), "it must be \"at+jwt\" or \"JWT\"");
        }
        let lifetime = self.lifetime.map_or(LIFETIME, Duration::from_secs);
        if !(60..=3600).contains(&lifetime.as_secs()) {
            faults.note(field("lifetime"), "it must be a number of seconds from 60 to 3600");
        }
        let client = |text: &str| {
            let known = ClientName::parse(text).filter(|_| clients.contains(&text));
            known.ok_or("it must be the name of a client")
        };
        let identifiers = "it must be wechat_openid, wechat_unionid or wechat_appid";
        Api {
            identifier: parsed.unwrap_or(ApiIdentifier(name)),
            clients: faults.each(&field("clients"), &self.clients, client),
            origins: faults.trusted(&field("origins"), &self.origins, accounts),
            kind: kind.unwrap_or_default(),
            scopes: faults.each(&field("scopes"), &self.scopes, |text| {
                ApiScope::parse(text).ok_or("it must be a word of its own, without blanks and quotes")
            }),
            claims: faults
                .each(&field("claims"), &self.claims, |text| Identifier::parse(text).ok_or(identifiers)),
            lifetime,
        }
    }
}
