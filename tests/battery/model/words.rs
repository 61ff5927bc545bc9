//! The words in which the model and the world are compared: what a person, a link, an answer is, and how
//! each is spelled on the wire.
//!
//! States, codes, cookies are numbered in the order in which they first appear. The model knows the
//! numbers only, and so cannot copy anything from what it is to judge.

use url::{Url, form_urlencoded::Serializer};

use harness::stack::{DEFAULT_RETURN_TO, OFFICIAL_ACCOUNT, PUBLIC_URL, WEBSITE_APP};

/// Somebody in WeChat.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Person {
    Lin,
    Zhou,
    Mallory,
}

/// An app registered with WeChat.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum App {
    OfficialAccount,
    Website,
}

/// What WeChat is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scope {
    Base,
    UserInfo,
    Login,
}

/// What a link asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Asked {
    Identity,
    Profile,
    Auto,
}

/// The language of a profile.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lang {
    ZhCn,
    ZhTw,
    En,
}

/// Where a login ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Target {
    /// Where one ends that does not say.
    Default,
    /// A page on the login's own domain.
    Cart,
    /// A page of the team's, with a query and a fragment.
    Page,
}

/// A link to a login.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Link {
    pub target: Target,
    pub asked: Asked,
    pub lang: Option<Lang>,
    pub app: Option<App>,
    pub attempt: u64,
}

/// A link that begins no login.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wrong {
    ForeignTarget,
    OwnRoute,
    TwoTargets,
    Scope,
    Lang,
    App,
    Attempt,
    InFrame,
}

/// Where an answer leads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Place {
    Nowhere,
    /// To WeChat, with the state of this login.
    Wechat {
        app: App,
        scope: Scope,
        lang: Option<String>,
        login: usize,
    },
    /// Back from WeChat.
    Callback {
        login: usize,
        code: Option<usize>,
    },
    /// To where the login ends.
    Target {
        target: Target,
        was_denied: bool,
    },
    /// To a fresh login.
    Fresh(Link),
    /// To a page that says why not.
    Error {
        reason: String,
        target: Target,
        app: Option<App>,
    },
    /// To the front page.
    Home,
    /// To where no answer should lead.
    Elsewhere(String),
}

/// What an answer does to the cookies of its browser.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    Browser(usize),
    Session(usize),
    SessionCleared,
    Unknown(String),
}

/// Who `/userinfo` says it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Shown {
    pub person: Person,
    pub app: App,
    /// What only the JSON says in so many words.
    pub details: Option<Details>,
}

/// What `/userinfo` says besides.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Details {
    pub nickname_of: Option<Person>,
    pub unionid_of: Option<Person>,
    pub scope: String,
    pub has_upgrade_url: bool,
    /// How long ago the session began, in units of time.
    pub age: u64,
}

/// What is in WeChat's ledger and in the tables, after a step.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    pub exchanges: usize,
    pub profiles: usize,
    pub refreshes: usize,
    pub verifications: usize,
    pub logins: usize,
    /// Guards of codes: claimed, done, failed.
    pub guards: [usize; 3],
    pub sessions: usize,
}

/// All that is seen of a step.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seen {
    /// 0 where the product answers nothing.
    pub status: u16,
    pub place: Place,
    pub changes: Vec<Change>,
    pub shown: Option<Shown>,
    pub counts: Counts,
    /// What no answer may be or lack.
    pub oddities: Vec<String>,
}

impl Person {
    pub const ALL: [Self; 3] = [Self::Lin, Self::Zhou, Self::Mallory];

    /// The simulator's name for it.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Lin => "lin",
            Self::Zhou => "zhou",
            Self::Mallory => "mallory",
        }
    }
}

impl App {
    pub const ALL: [Self; 2] = [Self::OfficialAccount, Self::Website];

    pub const fn id(self) -> &'static str {
        match self {
            Self::OfficialAccount => OFFICIAL_ACCOUNT,
            Self::Website => WEBSITE_APP,
        }
    }

    /// The value of `app=`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OfficialAccount => "official_account",
            Self::Website => "website",
        }
    }
}

impl Scope {
    pub const ALL: [Self; 3] = [Self::Base, Self::UserInfo, Self::Login];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Base => "snsapi_base",
            Self::UserInfo => "snsapi_userinfo",
            Self::Login => "snsapi_login",
        }
    }

    pub const fn has_profile(self) -> bool {
        !matches!(self, Self::Base)
    }
}

impl Asked {
    pub const ALL: [Self; 3] = [Self::Identity, Self::Profile, Self::Auto];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "snsapi_base",
            Self::Profile => "snsapi_userinfo",
            Self::Auto => "auto",
        }
    }
}

impl Lang {
    pub const ALL: [Self; 3] = [Self::ZhCn, Self::ZhTw, Self::En];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ZhCn => "zh_CN",
            Self::ZhTw => "zh_TW",
            Self::En => "en",
        }
    }

    /// How the page with the QR code is asked for it.
    pub const fn of_the_qr_page(self) -> &'static str {
        match self {
            Self::ZhCn | Self::ZhTw => "cn",
            Self::En => "en",
        }
    }
}

impl Target {
    pub const ALL: [Self; 3] = [Self::Default, Self::Cart, Self::Page];

    /// The absolute address.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => DEFAULT_RETURN_TO,
            Self::Cart => "https://login.example.com/cart",
            Self::Page => "https://www.example.com/shop?item=1#/details",
        }
    }

    /// Where a redirect to it leads, letter for letter.
    pub const fn location(self, was_denied: bool) -> &'static str {
        match (self, was_denied) {
            (Self::Default, false) => "https://www.example.com/me#",
            (Self::Default, true) => "https://www.example.com/me?error=access_denied#",
            (Self::Cart, false) => "https://login.example.com/cart#",
            (Self::Cart, true) => "https://login.example.com/cart?error=access_denied#",
            (Self::Page, false) => "https://www.example.com/shop?item=1#/details",
            (Self::Page, true) => "https://www.example.com/shop?item=1&error=access_denied#/details",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.as_str() == text)
    }
}

impl Link {
    /// The link that asks for nothing in particular.
    pub const PLAIN: Self =
        Self { target: Target::Default, asked: Asked::Identity, lang: None, app: None, attempt: 1 };

    /// The link as a page writes it.
    pub fn to_url(self) -> String {
        let mut query = Serializer::new(String::new());
        match self.target {
            Target::Default => {}
            Target::Cart => drop(query.append_pair("return_to", "/cart")),
            Target::Page => drop(query.append_pair("return_to", self.target.as_str())),
        }
        if self.asked != Asked::Identity {
            query.append_pair("scope", self.asked.as_str());
        }
        query.extend_pairs(self.lang.map(|lang| ("lang", lang.as_str())));
        query.extend_pairs(self.app.map(|app| ("app", app.as_str())));
        if self.attempt != 1 {
            query.append_pair("attempt", &self.attempt.to_string());
        }
        format!("{PUBLIC_URL}/authorize?{}", query.finish())
    }

    /// Reads a link of the product's; `None` if it says anything that no link should say.
    fn read(url: &Url) -> Option<Self> {
        let mut link = Self::PLAIN;
        for (name, value) in url.query_pairs() {
            match &*name {
                "return_to" => link.target = Target::parse(&value)?,
                "scope" => link.asked = Asked::ALL.into_iter().find(|asked| asked.as_str() == value)?,
                "lang" => link.lang = Some(Lang::ALL.into_iter().find(|lang| lang.as_str() == value)?),
                "app" => link.app = Some(App::ALL.into_iter().find(|app| app.as_str() == value)?),
                "attempt" => link.attempt = value.parse().ok()?,
                _ => return None,
            }
        }
        Some(link)
    }
}

impl Wrong {
    pub const ALL: [Self; 8] = [
        Self::ForeignTarget,
        Self::OwnRoute,
        Self::TwoTargets,
        Self::Scope,
        Self::Lang,
        Self::App,
        Self::Attempt,
        Self::InFrame,
    ];

    /// Its query.
    pub const fn query(self) -> &'static str {
        match self {
            Self::ForeignTarget => "return_to=https%3A%2F%2Fevil.example%2F",
            Self::OwnRoute => "return_to=%2Fcallback",
            Self::TwoTargets => "return_to=%2Fcart&return_to=%2Fcart",
            Self::Scope => "scope=snsapi_login",
            Self::Lang => "lang=fr",
            Self::App => "app=nobody",
            Self::Attempt => "attempt=3",
            Self::InFrame => "",
        }
    }
}

impl Place {
    /// Where a redirect leads, as far as that can be told without the numbers of states and codes.
    pub fn read(location: &str) -> Self {
        let elsewhere = || Self::Elsewhere(location.to_owned());
        for target in Target::ALL {
            for was_denied in [false, true] {
                if target.location(was_denied) == location {
                    return Self::Target { target, was_denied };
                }
            }
        }
        let Ok(url) = Url::parse(location) else { return elsewhere() };
        match (url.origin().ascii_serialization() == PUBLIC_URL, url.path()) {
            (true, "/") if url.query().is_none() => Self::Home,
            (true, "/authorize") => Link::read(&url).map_or_else(elsewhere, Self::Fresh),
            (true, "/error") => Self::read_error(&url).unwrap_or_else(elsewhere),
            _ => elsewhere(),
        }
    }

    fn read_error(url: &Url) -> Option<Self> {
        let (mut reason, mut target, mut app, mut has_id) = (None, Target::Default, None, false);
        for (name, value) in url.query_pairs() {
            match &*name {
                "reason" => reason = Some(value.into_owned()),
                "id" => has_id = value.len() == 36,
                "return_to" => target = Target::parse(&value)?,
                "app" => app = Some(App::ALL.into_iter().find(|app| app.as_str() == value)?),
                _ => return None,
            }
        }
        has_id.then_some(Self::Error { reason: reason?, target, app })
    }
}
