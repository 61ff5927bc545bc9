//! What a grant says of a person, and who can open it.

use std::fmt;

use login::seal::{self, NonceBytes, Sealed};
use login::session::Pepper;
use login::time::Timestamp;
use serde::{Deserialize, Serialize};
use wechat::{AppId, Lang, OpenId, UnionId, identifier};

use super::{ClientRefreshToken, Code, GrantKey};
use crate::access_token::Context;
use crate::api::ApiIdentifier;
use crate::client::RequestedRedirectUri;
use crate::parameter::{Nonce, ScopeList};
use crate::pkce::CodeChallenge;
use crate::subject::Subject;

const CLAIMS: &str = "seal of a grant";

/// What opens the claims of one grant.
#[derive(Clone)]
pub struct DataKey([u8; 32]);

impl DataKey {
    /// Takes 32 random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Seals the claims of a grant.
    ///
    /// `None` only if they cannot be encoded, which no value of them can cause.
    #[must_use]
    pub fn seal(&self, key: &GrantKey, nonce: NonceBytes, granted: &Granted) -> Option<Sealed> {
        let text = serde_json::to_vec(granted).ok()?;
        seal::seal(&self.0, CLAIMS, key.as_str(), nonce, &text)
    }

    /// Opens the claims of a grant; `None` if they are another grant's or altered.
    #[must_use]
    pub fn open(&self, key: &GrantKey, sealed: &Sealed) -> Option<Granted> {
        serde_json::from_slice(&seal::open(&self.0, CLAIMS, key.as_str(), sealed)?).ok()
    }

    /// This key, so that only the holder of `wrapper` opens it, and only while the session is there.
    #[must_use]
    pub fn wrapped(
        &self,
        wrapper: Wrapper<'_>,
        pepper: &Pepper,
        key: &GrantKey,
        nonce: NonceBytes,
    ) -> Option<Sealed> {
        let (secret, purpose) = wrapper.of(pepper);
        seal::seal(&secret, purpose, key.as_str(), nonce, &self.0)
    }

    /// Unwraps a key.
    #[must_use]
    pub fn unwrapped(wrapper: Wrapper<'_>, pepper: &Pepper, key: &GrantKey, sealed: &Sealed) -> Option<Self> {
        let (secret, purpose) = wrapper.of(pepper);
        seal::open(&secret, purpose, key.as_str(), sealed)?.try_into().ok().map(Self)
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("DataKey([redacted])")
    }
}

/// Who can open a grant.
#[derive(Debug, Clone, Copy)]
pub enum Wrapper<'a> {
    /// Who holds the code.
    Code(&'a Code),
    /// Who holds an access token.
    AccessToken(&'a str),
    /// Who holds the refresh token.
    RefreshToken(&'a ClientRefreshToken),
}

impl Wrapper<'_> {
    fn of(self, pepper: &Pepper) -> (Vec<u8>, &'static str) {
        let (secret, purpose) = match self {
            Self::Code(code) => (code.bytes(), "wrap of a grant by its code"),
            Self::AccessToken(token) => (token.as_bytes(), "wrap of a grant by an access token"),
            Self::RefreshToken(token) => (token.bytes(), "wrap of a grant by a refresh token"),
        };
        ([secret, pepper.bytes()].concat(), purpose)
    }
}

/// What a client was granted, and about whom: what was known at the login. Nothing of it lies open anywhere.
#[derive(Clone, Serialize, Deserialize)]
pub struct Granted {
    /// Who is logged in.
    pub sub: Subject,
    /// Where the code was sent; it must be redeemed with the same.
    pub redirect_uri: RequestedRedirectUri,
    /// What the code must be proved with, by PKCE.
    pub challenge: Option<CodeChallenge>,
    /// What the client wants to find in the ID token.
    pub nonce: Option<Nonce>,
    /// The scopes.
    pub scope: ScopeList,
    /// The API that the access token is for; the provider itself, if `None`.
    pub resource: Option<ApiIdentifier>,
    /// When the person logged in.
    pub auth_time: Timestamp,
    /// How.
    pub acr: Option<Context>,
    /// The app the person logged in with.
    pub appid: AppId,
    /// The person within that app.
    #[serde(with = "identifier::openid")]
    pub openid: OpenId,
    /// The person across apps, if that is known.
    #[serde(default, with = "identifier::unionid")]
    pub unionid: Option<UnionId>,
    /// Name and picture, if they are known and were asked for.
    pub profile: Option<GrantedProfile>,
}

/// Name and picture.
#[derive(Clone, Serialize, Deserialize)]
pub struct GrantedProfile {
    /// Empty if there is none.
    pub nickname: String,
    /// Empty if there is none.
    pub picture: String,
    /// WeChat's number: 1 male, 2 female, 0 not known.
    pub sex: i64,
    /// The language it was read in.
    pub lang: Option<Lang>,
    /// When it was read.
    pub read_at: Timestamp,
}

impl Granted {
    /// Whether the access token is for this API.
    #[must_use]
    pub fn is_for(&self, resource: &str) -> bool {
        self.resource.as_ref().is_some_and(|granted| granted.as_str() == resource)
    }

    /// What fewer scopes show of it ([RFC 6749 §6](https://www.rfc-editor.org/rfc/rfc6749#section-6)).
    #[must_use]
    pub fn narrowed_to(self, scope: ScopeList) -> Self {
        let profile = self.profile.filter(|_| scope.has("profile"));
        Self { scope, profile, ..self }
    }
}

impl fmt::Debug for Granted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Granted([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::super::GrantId;
    use super::*;

    /// As the version sealed it that had a text for each of these.
    const ISSUED_BEFORE: &str = r#"{"sub":"CanarySub","redirect_uri":"https://app.example.org/","challenge":"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM","nonce":"n-0S6","scope":"openid profile","resource":"https://api.example.com","auth_time":1700000000,"acr":"urn:wechat-login:snsapi_userinfo","appid":"wx0000000000000aaa","openid":"oCanary","unionid":"uCanary","profile":{"nickname":"Lin","picture":"https://thirdwx.qlogo.cn/x","sex":1,"lang":"zh_CN","read_at":1700000001}}"#;
    const LEAST: &str = r#"{"sub":"CanarySub","redirect_uri":"http://127.0.0.1:49152/cb","challenge":null,"nonce":null,"scope":"openid","resource":null,"auth_time":1,"acr":null,"appid":"wx0000000000000aaa","openid":"oCanary","unionid":null,"profile":null}"#;

    fn granted(text: &str) -> Granted {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_form_inside_the_seal_stays() {
        for text in [ISSUED_BEFORE, LEAST] {
            assert_eq!(serde_json::to_string(&granted(text)).unwrap(), text);
        }
        assert_eq!(granted(ISSUED_BEFORE).openid.expose(), "oCanary");
        assert!(granted(LEAST).unionid.is_none());
    }

    #[test]
    fn claims_open_with_the_code_and_the_pepper_and_with_nothing_else() {
        let grant = GrantId::new([7; 16]);
        let (key, other_key) = (grant.key(), GrantId::new([8; 16]).key());
        let (code, pepper, data_key) =
            (Code::new(grant, [9; 32]), Pepper::new([1; 32]), DataKey::new([2; 32]));
        let claims = data_key.seal(&key, [3; 12], &granted(ISSUED_BEFORE)).unwrap();
        let wrapped = data_key.wrapped(Wrapper::Code(&code), &pepper, &key, [4; 12]).unwrap();
        let open = |wrapper, pepper: &Pepper, key: &GrantKey| {
            DataKey::unwrapped(wrapper, pepper, key, &wrapped)?.open(key, &claims)
        };
        assert_eq!(open(Wrapper::Code(&code), &pepper, &key).unwrap().sub.expose(), "CanarySub");
        let other_code = Code::new(grant, [8; 32]);
        assert!(open(Wrapper::Code(&other_code), &pepper, &key).is_none());
        assert!(open(Wrapper::Code(&code), &Pepper::new([0; 32]), &key).is_none());
        assert!(open(Wrapper::Code(&code), &pepper, &other_key).is_none());
        assert!(open(Wrapper::AccessToken(&code.expose()), &pepper, &key).is_none());
        assert!(!claims.as_bytes().windows(6).any(|window| window == b"Canary"));
        assert!(!format!("{:?} {:?}", granted(ISSUED_BEFORE), data_key).contains("Canary"));
    }
}
