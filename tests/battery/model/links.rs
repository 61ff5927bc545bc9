//! Links to a login, and where answers lead: how each is written, and how the product's are read.

use url::{Url, form_urlencoded::Serializer};

use harness::{places::AUTHORIZE, stack::PUBLIC_URL};

use super::words::{App, Asked, Lang, Scope, Target, Word};

/// A link to a login.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Link {
    pub target: Target,
    pub asked: Asked,
    pub lang: Option<Lang>,
    pub app: Option<App>,
    pub switches: Switches,
    pub attempt: u64,
    pub waits: u64,
}

/// WeChat's switches that a link may set.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Switches {
    pub popup: bool,
    pub snapshot: bool,
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
        switches: Switches,
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
    /// To a page that says why not, and offers this login.
    Error {
        reason: String,
        link: Link,
    },
    /// To the front page.
    Home,
    /// To where no answer should lead.
    Elsewhere(String),
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
    pub const PLAIN: Self = Self {
        target: Target::Default,
        asked: Asked::Identity,
        lang: None,
        app: None,
        switches: Switches { popup: false, snapshot: false },
        attempt: 1,
        waits: 0,
    };

    /// The same login, begun by a person: by the button of a page.
    pub const fn by_hand(self) -> Self {
        Self { attempt: 1, waits: 0, ..self }
    }

    /// The link as a page writes it. What it does not ask for may stand there all the same, empty.
    pub fn to_url(self, has_empty: bool) -> String {
        let number = |number: u64, usual: u64| (number != usual).then(|| number.to_string());
        let target = match self.target {
            Target::Default => None,
            Target::Cart => Some("/cart".to_owned()),
            Target::Page => Some(self.target.as_str().to_owned()),
        };
        let parameters = [
            ("return_to", target),
            ("scope", (self.asked != Asked::Identity).then(|| self.asked.as_str().to_owned())),
            ("lang", self.lang.map(|lang| lang.as_str().to_owned())),
            ("app", self.app.map(|app| app.as_str().to_owned())),
            ("forcePopup", self.switches.popup.then(|| "true".to_owned())),
            ("forceSnapShot", self.switches.snapshot.then(|| "true".to_owned())),
            ("attempt", number(self.attempt, 1)),
            ("waits", number(self.waits, 0)),
        ];
        let mut query = Serializer::new(String::new());
        for (name, value) in parameters {
            query.extend_pairs(value.or_else(|| has_empty.then(String::new)).map(|value| (name, value)));
        }
        format!("{AUTHORIZE}?{}", query.finish())
    }

    /// Reads a parameter of a link of the product's; `None` if no link should say it.
    fn read(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "return_to" => self.target = Target::parse(value)?,
            "scope" => self.asked = Asked::parse(value)?,
            "lang" => self.lang = Some(Lang::parse(value)?),
            "app" => self.app = Some(App::parse(value)?),
            "forcePopup" if value == "true" => self.switches.popup = true,
            "forceSnapShot" if value == "true" => self.switches.snapshot = true,
            "attempt" => self.attempt = value.parse().ok()?,
            "waits" => self.waits = value.parse().ok()?,
            _ => return None,
        }
        Some(())
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
            (true, "/authorize") => Self::read_fresh(&url).unwrap_or_else(elsewhere),
            (true, "/error") => Self::read_error(&url).unwrap_or_else(elsewhere),
            _ => elsewhere(),
        }
    }

    fn read_fresh(url: &Url) -> Option<Self> {
        let mut link = Link::PLAIN;
        for (name, value) in url.query_pairs() {
            link.read(&name, &value)?;
        }
        Some(Self::Fresh(link))
    }

    fn read_error(url: &Url) -> Option<Self> {
        let (mut reason, mut link, mut has_id) = (None, Link::PLAIN, false);
        for (name, value) in url.query_pairs() {
            match &*name {
                "reason" => reason = Some(value.into_owned()),
                "id" => has_id = value.len() == 36,
                name => link.read(name, &value)?,
            }
        }
        has_id.then_some(Self::Error { reason: reason?, link })
    }
}
