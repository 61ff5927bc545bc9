//! The words in which the model and the world are compared: what a person, a link, an answer is, and how
//! each is spelled on the wire.
//!
//! States, codes, cookies are numbered in the order in which they first appear. The model knows the
//! numbers only, and so cannot copy anything from what it is to judge.

use std::fmt::Debug;

use url::{Url, form_urlencoded::Serializer};

use harness::{
    places::AUTHORIZE,
    stack::{OFFICIAL_ACCOUNT, PUBLIC_URL, WEBSITE_APP},
};

use super::world::Code;

/// One of a few words, each with its spelling on the wire.
pub trait Word: Copy + Debug + PartialEq + 'static {
    /// Every one.
    const ALL: &'static [Self];

    /// How it is spelled.
    fn as_str(self) -> &'static str;

    /// Which one is spelled so.
    fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|word| word.as_str() == text)
    }
}

macro_rules! words {
    ($($(#[$about:meta])* $name:ident { $($word:ident = $spelled:expr),* $(,)? })*) => {$(
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum $name {
            $($word),*
        }

        impl Word for $name {
            const ALL: &'static [Self] = &[$(Self::$word),*];

            fn as_str(self) -> &'static str {
                match self {
                    $(Self::$word => $spelled),*
                }
            }
        }
    )*};
}

pub(crate) use words;

words! {
    /// Somebody in WeChat, by the simulator's name.
    Person { Lin = "lin", Zhou = "zhou", Mallory = "mallory" }

    /// An app registered with WeChat, by the value of `app=`.
    App { OfficialAccount = "official_account", Website = "website" }

    /// What WeChat is asked for.
    Scope { Base = "snsapi_base", UserInfo = "snsapi_userinfo", Login = "snsapi_login" }

    /// What a link asks for.
    Asked { Identity = "snsapi_base", Profile = "snsapi_userinfo", Auto = "auto" }

    /// The language of a profile.
    Lang { ZhCn = "zh_CN", ZhTw = "zh_TW", En = "en" }

    /// Where a login ends: where one ends that does not say, on the login's own domain, or on a page of the
    /// team's, with a query and a fragment.
    Target {
        Default = "https://www.example.com/me",
        Cart = "https://login.example.com/cart",
        Page = "https://www.example.com/shop?item=1#/details",
    }

    /// What is wrong with how a callback is opened, by its query: with a parameter that nobody asked for, and
    /// which is broken, for one. What needs a code to be wrong about is an address without one if there is none.
    Twist {
        None = "{code}state={state}",
        Extra = "nobody=%zz&{code}state={state}",
        NoCode = "state={state}",
        EmptyCode = "code=&state={state}",
        DeniedCode = "code=authdeny&state={state}",
        MalformedCode = "{code}state={state}",
        TwoCodes = "{code}{code}state={state}",
        NoState = "{code}",
        MalformedState = "{code}state={state, cut}x",
        TwoStates = "{code}state={state}&state={state}",
        UnknownState = "{code}state={state, reversed}",
        InFrame = "{code}state={state}",
    }

    /// What the person at WeChat's page answers. Given again, WeChat gives a silent login the code of the one
    /// before, if that was a moment ago; refused in words, it calls back with `code=authdeny`.
    Consent { Given = "allow", GivenAgain = "allow", Refused = "deny", RefusedInWords = "deny" }

    /// Which cookie is lost. One that is spoiled is there, and is none.
    Lost {
        Browser = "browser",
        Session = "session",
        Both = "both",
        BrowserSpoiled = "browser, spoiled",
        SessionSpoiled = "session, spoiled",
    }

    /// What lies between a callback that was answered and the same once more. A login that is too late is
    /// over and still stored; one that is removed is not.
    Occasion {
        AtOnce = "nothing",
        Moment = "a second",
        HalfMinute = "half a minute",
        Minutes = "minutes",
        TooLate = "the end of the login",
        Removed = "its removal by DynamoDB",
        LoggedOut = "a logout",
    }

    /// What a foreign browser has.
    Has { Nothing = "nothing", Secret = "a secret", Session = "a session" }

    /// Whose code a foreign browser brings.
    Brings { Owners = "the owner's", Own = "its own" }

    /// A link that begins no login, by its query.
    Wrong {
        ForeignTarget = "return_to=https%3A%2F%2Fevil.example%2F",
        OwnRoute = "return_to=%2Fcallback",
        TwoTargets = "return_to=%2Fcart&return_to=%2Fcart",
        Scope = "scope=snsapi_login",
        Lang = "lang=fr",
        App = "app=nobody",
        Attempt = "attempt=3",
        InFrame = "",
    }
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
    /// The code that was sent last.
    pub sent: Option<Code>,
    /// How many codes were sent more than once: none, ever.
    pub sent_twice: usize,
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

impl App {
    /// Its appid.
    pub const fn id(self) -> &'static str {
        match self {
            Self::OfficialAccount => OFFICIAL_ACCOUNT,
            Self::Website => WEBSITE_APP,
        }
    }
}

impl Scope {
    pub const fn has_profile(self) -> bool {
        !matches!(self, Self::Base)
    }
}

impl Lang {
    /// How the page with the QR code is asked for it.
    pub const fn of_the_qr_page(self) -> &'static str {
        match self {
            Self::ZhCn | Self::ZhTw => "cn",
            Self::En => "en",
        }
    }
}

impl Target {
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
        format!("{AUTHORIZE}?{}", query.finish())
    }

    /// Reads a link of the product's; `None` if it says anything that no link should say.
    fn read(url: &Url) -> Option<Self> {
        let mut link = Self::PLAIN;
        for (name, value) in url.query_pairs() {
            match &*name {
                "return_to" => link.target = Target::parse(&value)?,
                "scope" => link.asked = Asked::parse(&value)?,
                "lang" => link.lang = Some(Lang::parse(&value)?),
                "app" => link.app = Some(App::parse(&value)?),
                "attempt" => link.attempt = value.parse().ok()?,
                _ => return None,
            }
        }
        Some(link)
    }
}

impl Place {
    /// Where a redirect leads, as far as that can be told without the numbers of states and codes.
    pub fn read(location: &str) -> Self {
        let elsewhere = || Self::Elsewhere(location.to_owned());
        for target in Target::ALL {
            for was_denied in [false, true] {
                if target.location(was_denied) == location {
                    return Self::Target { target: *target, was_denied };
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
                "app" => app = Some(App::parse(&value)?),
                _ => return None,
            }
        }
        has_id.then_some(Self::Error { reason: reason?, target, app })
    }
}
