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
    /// How often it happens, one time after the other.
    pub rounds: usize,
    /// For how many seconds WeChat gives a silent login the code of the one before.
    pub reissues: u64,
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
    pub app: Option<&'static str>,
    /// `forcePopup` and `forceSnapShot`.
    pub switches: [bool; 2],
    pub errcode_as_string: bool,
    pub suffix_style: SuffixStyle,
}

/// Where in a chain of logins one stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Turn {
    /// 2: it is the automatic fresh one.
    pub attempt: u64,
    /// How often it began again because WeChat repeated a code.
    pub waits: u64,
}

impl Turn {
    /// The one that a person began.
    pub const FIRST: Self = Self { attempt: 1, waits: 0 };
}

impl Scope {
    /// Whether a login costs neither a tap nor a scan.
    pub const fn is_silent(self) -> bool {
        matches!(self, Self::Base | Self::Auto)
    }

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
        let app = if scope == Scope::Login { "website" } else { "official_account" };
        let is_refresh = matches!(script.endpoint, Endpoint::Refresh | Endpoint::PlatformRefresh);
        Self {
            scope,
            attempt: 1 + u64::from((number / scopes.len()) % 2 == 1),
            // What is remembered of a silent WeChat shows the second time.
            rounds: if matches!(script.sent, Sent::Late) || random.bool() { 3 } else { 1 },
            // Beyond the three waits now and then: 3 + 6 + 12 seconds.
            reissues: random.choice([0, 0, 10, 10, 10, 40]).unwrap_or_default(),
            has_session: random.bool(),
            persists: random.bool(),
            arrives_twice: random.u8(..4) == 0,
            verifies: script.endpoint == Endpoint::Verification
                || is_refresh && (!scope.has_profile() || random.bool()),
            as_page: random.u8(..4) == 0,
            lang: random.choice([None, Some("zh_CN"), Some("zh_TW"), Some("en")]).flatten(),
            target: random
                .choice(["", DEFAULT_RETURN_TO, "/cart", "https://www.example.com/shop?item=1"])
                .unwrap_or_default(),
            app: random.bool().then_some(app),
            switches: [random.u8(..4) == 0, random.u8(..4) == 0],
            errcode_as_string: random.u8(..4) == 0,
            suffix_style: random
                .choice([SuffixStyle::Bare, SuffixStyle::Hints, SuffixStyle::Transition, SuffixStyle::Rid])
                .unwrap_or(SuffixStyle::Rid),
        }
    }

    /// The link to the login, as a page of the team's has it.
    pub fn link(&self, turn: Turn) -> String {
        self.link_to(&format!("{AUTHORIZE}?"), self.target, turn)
    }

    /// The same link as an answer has it: with the target as it is stored, absolute, and none where it is the usual
    /// one. Below `base`, which ends in its `?`, or in the `&` behind other parameters.
    pub fn link_again(&self, base: &str, turn: Turn) -> String {
        let target = self.target();
        self.link_to(base, if target == DEFAULT_RETURN_TO { "" } else { &target }, turn)
    }

    fn link_to(&self, base: &str, target: &str, turn: Turn) -> String {
        let scope = match self.scope {
            Scope::Base | Scope::Login => None,
            Scope::UserInfo => Some("snsapi_userinfo"),
            Scope::Auto => Some("auto"),
        };
        let [force_popup, force_snap_shot] = self.switches;
        let mut query = Serializer::new(String::new());
        query.extend_pairs((!target.is_empty()).then_some(("return_to", target)));
        query.extend_pairs(scope.map(|scope| ("scope", scope)));
        query.extend_pairs(self.lang.map(|lang| ("lang", lang)));
        query.extend_pairs(self.app.map(|app| ("app", app)));
        query.extend_pairs(force_popup.then_some(("forcePopup", "true")));
        query.extend_pairs(force_snap_shot.then_some(("forceSnapShot", "true")));
        query.extend_pairs((turn.attempt > 1).then(|| ("attempt", turn.attempt.to_string())));
        query.extend_pairs((turn.waits > 0).then(|| ("waits", turn.waits.to_string())));
        format!("{base}{}", query.finish())
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
