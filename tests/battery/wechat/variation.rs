//! How the visits of one script differ.

use fastrand::Rng;
use harness::{
    places::AUTHORIZE,
    stack::{DEFAULT_RETURN_TO, OFFICIAL_ACCOUNT, PUBLIC_URL, WEBSITE_APP},
};
use simulator::SuffixStyle;
use url::form_urlencoded::Serializer;

use super::scripts::{Endpoint, Script, Sent};

/// What a link asks for, and in which browser.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scope {
    Base,
    UserInfo,
    Auto,
    /// By QR code.
    Login,
}

/// How a visit differs from others of the same script.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each varies by itself")]
pub struct Variation {
    pub scope: Scope,
    /// 2: the login is the automatic fresh one.
    pub attempt: u64,
    /// Whether the browser comes with a session of before.
    pub has_session: bool,
    /// Whether WeChat goes on to say it.
    pub persists: bool,
    /// Whether the callback arrives twice at the same time.
    pub arrives_twice: bool,
    /// Whether `/userinfo` is asked to verify the grant.
    pub verifies: bool,
    pub as_page: bool,
    pub lang: Option<&'static str>,
    pub target: &'static str,
    pub errcode_as_string: bool,
    pub suffix_style: SuffixStyle,
}

impl Scope {
    /// Whether the person grants the profile.
    pub const fn has_profile(self) -> bool {
        matches!(self, Self::UserInfo | Self::Login)
    }

    /// As WeChat spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Base | Self::Auto => "snsapi_base",
            Self::UserInfo => "snsapi_userinfo",
            Self::Login => "snsapi_login",
        }
    }

    /// Of which app.
    pub const fn appid(self) -> &'static str {
        if matches!(self, Self::Login) { WEBSITE_APP } else { OFFICIAL_ACCOUNT }
    }

    /// Which ones an endpoint is asked for.
    fn of(endpoint: Endpoint) -> &'static [Self] {
        match endpoint {
            Endpoint::Exchange | Endpoint::Verification | Endpoint::Refresh => {
                &[Self::Base, Self::UserInfo, Self::Auto, Self::Login]
            }
            Endpoint::ProfileAtLogin | Endpoint::ProfileLater => &[Self::UserInfo, Self::Login],
            Endpoint::GlobalToken | Endpoint::Follower => &[Self::Base, Self::Auto],
            Endpoint::PlatformExchange | Endpoint::PlatformRefresh => {
                &[Self::Base, Self::UserInfo, Self::Auto]
            }
        }
    }
}

impl Variation {
    /// The variation of this number: all scopes in turn, each at both attempts, the rest by chance.
    pub fn draw(script: &Script, number: usize, random: &mut Rng) -> Self {
        let scopes = Scope::of(script.endpoint);
        let scope = scopes.get(number % scopes.len()).copied().unwrap_or(Scope::Base);
        let is_slow = matches!(script.sent, Sent::Late);
        let is_refresh = matches!(script.endpoint, Endpoint::Refresh | Endpoint::PlatformRefresh);
        Self {
            scope,
            attempt: 1 + u64::from((number / scopes.len()) % 2 == 1),
            has_session: random.bool(),
            persists: random.bool(),
            arrives_twice: !is_slow && random.u8(..4) == 0,
            verifies: script.endpoint == Endpoint::Verification
                || is_refresh && (!scope.has_profile() || random.bool()),
            as_page: random.u8(..4) == 0,
            lang: random.choice([None, Some("zh_CN"), Some("zh_TW"), Some("en")]).flatten(),
            target: random.choice(["", "/cart", "https://www.example.com/shop?item=1"]).unwrap_or_default(),
            errcode_as_string: random.u8(..4) == 0,
            suffix_style: random
                .choice([SuffixStyle::Bare, SuffixStyle::Hints, SuffixStyle::Transition, SuffixStyle::Rid])
                .unwrap_or(SuffixStyle::Rid),
        }
    }

    /// The link to the login.
    pub fn link(&self, attempt: u64) -> String {
        let mut query = Serializer::new(String::new());
        if !self.target.is_empty() {
            query.append_pair("return_to", self.target);
        }
        match self.scope {
            Scope::Base | Scope::Login => {}
            Scope::UserInfo => drop(query.append_pair("scope", "snsapi_userinfo")),
            Scope::Auto => drop(query.append_pair("scope", "auto")),
        }
        query.extend_pairs(self.lang.map(|lang| ("lang", lang)));
        if attempt > 1 {
            query.append_pair("attempt", &attempt.to_string());
        }
        format!("{AUTHORIZE}?{}", query.finish())
    }

    /// Where the login ends, as an absolute address.
    pub fn target(&self) -> String {
        match self.target {
            "" => DEFAULT_RETURN_TO.to_owned(),
            path if path.starts_with('/') => format!("{PUBLIC_URL}{path}"),
            url => url.to_owned(),
        }
    }
}
