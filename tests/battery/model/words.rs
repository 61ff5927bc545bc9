//! The words in which the model and the world are compared: what a person, a link, an answer is, and how
//! each is spelled on the wire. Links and places are in `links.rs`.
//!
//! States, codes, cookies are numbered in the order in which they first appear. The model knows the
//! numbers only, and so cannot copy anything from what it is to judge.

use std::fmt::Debug;

use harness::stack::{OFFICIAL_ACCOUNT, WEBSITE_APP};

use super::{links::Place, world::Code};

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
        EmptyState = "{code}state=",
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
        Replaced = "another login in the same browser",
    }

    /// What a foreign browser has.
    Has { Nothing = "nothing", Secret = "a secret", Session = "a session" }

    /// Whose code a foreign browser brings.
    Brings { Owners = "the owner's", Own = "its own" }

    /// Whose code comes for a login that another code was issued for, or has claimed: another one of the same
    /// person's, another person's, or one that nobody issued.
    Whose { Same = "the same person's", Another = "another person's", Nobodys = "nobody's" }

    /// What somebody offers who has a browser's secret and the state, to have a session for it.
    Offer { Nothing = "no code", Right = "the code that made the session", Another = "another code" }

    /// A link that begins no login, by its query.
    Wrong {
        ForeignTarget = "return_to=https%3A%2F%2Fevil.example%2F",
        OwnRoute = "return_to=%2Fcallback",
        TwoTargets = "return_to=%2Fcart&return_to=%2Fcart",
        Scope = "scope=snsapi_login",
        Lang = "lang=fr",
        App = "app=nobody",
        Attempt = "attempt=3",
        Waits = "waits=4",
        Popup = "forcePopup=1",
        TwoOfNothing = "lang=&lang=",
        InFrame = "",
    }
}

/// What an answer does to the cookies of its browser.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// A browser secret, and how many units of its day are over: as it says itself, and by how long it is to be
    /// kept.
    Browser {
        secret: usize,
        age: u64,
    },
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
