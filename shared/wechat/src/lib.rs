//! WeChat's vocabulary: what it calls things, and what it answers. Pure: nothing here calls anybody.
//!
//! [`authorize_url`] builds the address a login starts at, [`page`] reads what WeChat shows there, [`body`] reads what
//! the API answers, and [`errcode`] says how to react to a refusal.
//!
//! WeChat describes its login in two places, for an Official Account in [网页授权] and for a website app in
//! [网站应用微信登录]. Both are OAuth 2.0 ([RFC 6749]) in shape, with names and errors of their own.
//!
//! [网页授权]: https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html
//! [网站应用微信登录]: https://developers.weixin.qq.com/doc/oplatform/Website_App/WeChat_Login/Wechat_Login.html
//! [RFC 6749]: https://www.rfc-editor.org/rfc/rfc6749

pub mod authorize_url;
pub mod body;
pub mod errcode;
pub mod error;
pub mod identifier;
pub mod page;
mod secret;

use std::fmt;

use serde::de::{Deserializer, Error as _};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::secret::text_secret;

/// An app registered with WeChat: an Official Account or a website app. Public, so it is written as it is.
///
/// It is the `client_id` of [RFC 6749 §2.2](https://www.rfc-editor.org/rfc/rfc6749#section-2.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppId(String);

impl AppId {
    /// Reads an appid: `wx` and 16 lowercase hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("wx")?;
        let is_right = rest.len() == 16 && rest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_right.then(|| Self(text.to_owned()))
    }

    /// The appid as WeChat writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for AppId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for AppId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).ok_or_else(|| D::Error::custom("no appid"))
    }
}

impl fmt::Display for AppId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

text_secret! {
    /// The secret of an app; WeChat's `secret`, the `client_secret` of
    /// [RFC 6749 §2.3.1](https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1).
    AppSecret
}
text_secret! {
    /// The token of a third-party platform, which acts for an Official Account; its
    /// [`component_access_token`]. Another system keeps it fresh.
    ///
    /// [`component_access_token`]: https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/ThirdParty/token/component_access_token.html
    ComponentAccessToken
}
text_secret! {
    /// An app's own token, for `/cgi-bin/*`; WeChat calls it `access_token` too, and it is something
    /// else than a person's [`AccessToken`]: neither works in the other's place. Fetched by
    /// [`getStableAccessToken`].
    ///
    /// [`getStableAccessToken`]: https://developers.weixin.qq.com/doc/offiaccount/Basic_Information/getStableAccessToken.html
    GlobalToken
}
text_secret! {
    /// The temporary credential a callback brings
    /// ([RFC 6749 §1.3.1](https://www.rfc-editor.org/rfc/rfc6749#section-1.3.1)); WeChat's `code`.
    AuthorizationCode
}
text_secret! {
    /// A person's token ([RFC 6749 §1.4](https://www.rfc-editor.org/rfc/rfc6749#section-1.4)), good for
    /// `/sns/*` and for nothing else; lives 7200 seconds.
    AccessToken
}
text_secret! {
    /// What renews an [`AccessToken`]
    /// ([RFC 6749 §1.5](https://www.rfc-editor.org/rfc/rfc6749#section-1.5)); lives 30 days.
    RefreshToken
}
text_secret! {
    /// A person within one app; `openid` of [网页授权, step
    /// 2](https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html#1). Not a
    /// credential, but personal: it does not go into a log either.
    OpenId
}
text_secret! {
    /// A person across the apps of one Open Platform account: [UnionID
    /// 机制](https://developers.weixin.qq.com/doc/oplatform/Website_App/WeChat_Login/Authorized_Interface_Calling_UnionID.html).
    /// Personal, as [`OpenId`] is.
    UnionId
}

/// Whether a text may be an openid or a unionid: 1 to 128 letters, digits, `_` or `-`. WeChat's own are 28; what names
/// a person in a team's database is not passed on with a NUL or a `../` in it.
fn is_identifier(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=128).contains(&text.len()) && text.bytes().all(is_plain)
}

impl OpenId {
    /// Reads an openid of WeChat's; `None` if it has not the form of one.
    #[must_use]
    pub fn parse(text: String) -> Option<Self> {
        is_identifier(&text).then(|| Self::new(text))
    }
}

impl UnionId {
    /// Reads a unionid of WeChat's; `None` if it has not the form of one.
    #[must_use]
    pub fn parse(text: String) -> Option<Self> {
        is_identifier(&text).then(|| Self::new(text))
    }
}

impl AuthorizationCode {
    /// Reads the `code` of a callback: 1 to 512 letters, digits, `_` or `-`. WeChat's own codes are 32
    /// letters and digits; the rule is loose because the format is not documented.
    #[must_use]
    pub fn parse(text: String) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        ((1..=512).contains(&text.len()) && text.bytes().all(is_plain)).then(|| Self::new(text))
    }
}

/// What WeChat is asked for; its `scope`, one value at a time
/// ([RFC 6749 §3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3) would allow several).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// `snsapi_base`: the openid, silently; an Official Account's.
    Base,
    /// `snsapi_userinfo`: the profile too, after consent; an Official Account's.
    UserInfo,
    /// `snsapi_login`: the profile, after a scan; a website app's only scope.
    Login,
}

impl Scope {
    /// Reads a scope as WeChat spells it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "snsapi_base" => Some(Self::Base),
            "snsapi_userinfo" => Some(Self::UserInfo),
            "snsapi_login" => Some(Self::Login),
            _ => None,
        }
    }

    /// The scope as WeChat spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Base => "snsapi_base",
            Self::UserInfo => "snsapi_userinfo",
            Self::Login => "snsapi_login",
        }
    }
}

/// The scopes a person granted, as WeChat listed them, separated by commas: `scope` of
/// [网页授权, step 2](https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html#1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantedScope(String);

impl GrantedScope {
    /// Takes WeChat's list; a trailing comma, which the refresh endpoint writes, is dropped.
    #[must_use]
    pub fn new(list: &str) -> Self {
        let scopes: Vec<&str> = list.split(',').map(str::trim).filter(|scope| !scope.is_empty()).collect();
        Self(scopes.join(","))
    }

    /// The list as WeChat writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `/sns/userinfo` may be called with this grant; otherwise it answers 48001.
    #[must_use]
    pub fn includes_profile(&self) -> bool {
        self.0.split(',').any(|scope| matches!(scope, "snsapi_userinfo" | "snsapi_login"))
    }
}

/// The language of a profile's place names; WeChat's `lang` of
/// [网页授权, step 4](https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html#3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lang {
    /// Simplified Chinese.
    #[serde(rename = "zh_CN")]
    ZhCn,
    /// Traditional Chinese.
    #[serde(rename = "zh_TW")]
    ZhTw,
    /// English.
    #[serde(rename = "en")]
    En,
}

impl Lang {
    /// Reads a language as WeChat spells it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "zh_CN" => Some(Self::ZhCn),
            "zh_TW" => Some(Self::ZhTw),
            "en" => Some(Self::En),
            _ => None,
        }
    }

    /// The language as WeChat spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ZhCn => "zh_CN",
            Self::ZhTw => "zh_TW",
            Self::En => "en",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_appid_has_one_shape() {
        assert!(AppId::parse("wx0000000000000aaa").is_some());
        for text in [
            "",
            "wx",
            "wx0000000000000AAA",
            "wx0000000000000aag",
            "wx0000000000000aaaa",
            "xw0000000000000aaa",
            " wx0000000000000aaa",
        ] {
            assert!(AppId::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_code_is_loose_but_bounded() {
        for text in ["0a1B2c", "a_b-c", &"x".repeat(512)] {
            assert!(AuthorizationCode::parse(text.to_owned()).is_some(), "{text}");
        }
        for text in ["", "a b", "a%20b", "é", "a&b", &"x".repeat(513)] {
            assert!(AuthorizationCode::parse(text.to_owned()).is_none(), "{text}");
        }
    }

    #[test]
    fn a_trailing_comma_grants_nothing() {
        let scope = GrantedScope::new("snsapi_base,snsapi_userinfo,");
        assert_eq!(scope.as_str(), "snsapi_base,snsapi_userinfo");
        assert!(scope.includes_profile());
        assert!(!GrantedScope::new("snsapi_base,").includes_profile());
    }
}
