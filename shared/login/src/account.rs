//! Which app logs a person in.
//!
//! WeChat knows two kinds of app for a website, and neither does the other's work: an **Official
//! Account** logs people in inside WeChat, a **website app** shows a QR code everywhere else. The two
//! of one brand are an [`Account`] here, so that one link serves both. Most deployments have one
//! account; a deployment may serve several brands, each with apps, secrets and origins of its own.
//!
//! The appid travels with the stored login: a code of one app is never exchanged with another's
//! secret, whatever the callback's query says.

use crate::pending::PendingLogin;
use crate::return_to::{ReturnTo, Targets};
use wechat::AppId;

/// The apps of one brand.
#[derive(Debug, Clone)]
pub struct Account {
    /// What `app=` calls it; the first account has no name.
    pub name: Option<AccountName>,
    /// The app that logs people in inside WeChat.
    pub official_account: Option<AppId>,
    /// The app that logs people in by QR code.
    pub website: Option<AppId>,
    /// The third-party platform that acts for the Official Account, if one does.
    pub component: Option<AppId>,
    /// Where a login with these apps may end, and who may read whose it is.
    pub targets: Targets,
    /// Where a login ends that names no target.
    pub default_return_to: ReturnTo,
}

/// The name of an account: up to 32 lowercase letters, digits, `-` and `_`, and none of the words that name a kind of
/// app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountName(String);

impl AccountName {
    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        let is_name = (1..=32).contains(&text.len()) && text.bytes().all(is_plain);
        (is_name && Kind::parse(text).is_none()).then(|| Self(text.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Every account of a deployment.
#[derive(Debug, Clone)]
pub struct Accounts {
    /// The one that needs no name.
    pub first: Account,
    /// The others.
    pub named: Vec<Account>,
}

/// An app, and the kind of login it makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum App {
    /// `/connect/oauth2/authorize`, inside WeChat.
    OfficialAccount(AppId),
    /// `/connect/qrconnect`, anywhere else.
    Website(AppId),
}

/// What `app=` asks for: `NAME`, `official_account`, `website`, or `NAME:official_account` and so on; by default what a
/// link asks for that has no `app=`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestedApp {
    /// The account, if not the first.
    name: Option<AccountName>,
    /// The kind of app, if the browser is not to decide.
    kind: Option<Kind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    OfficialAccount,
    Website,
}

impl Kind {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "official_account" => Some(Self::OfficialAccount),
            "website" => Some(Self::Website),
            _ => None,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::OfficialAccount => "official_account",
            Self::Website => "website",
        }
    }
}

/// The browser of a visitor, as far as it decides the way; a hint and no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Browser {
    /// Whether it is WeChat's own, in which an Official Account logs people in.
    pub is_wechat: bool,
    /// Whether it is on a phone, which cannot scan what it shows itself.
    pub is_phone: bool,
}

/// What a login is to be made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppChoice {
    /// This app.
    App(App),
    /// No app for this browser: a phone's WeChat logs it in, with this Official Account ([`handoff`](crate::handoff)).
    HandOff(AppId),
    /// No app but the one whose QR code this phone cannot scan: the same link must be opened on another screen.
    OpenOnComputer,
    /// The app that was asked for does not exist.
    Unknown,
}

impl App {
    /// The appid.
    #[must_use]
    pub const fn id(&self) -> &AppId {
        match self {
            Self::OfficialAccount(id) | Self::Website(id) => id,
        }
    }
}

impl RequestedApp {
    /// The same account's website app.
    #[must_use]
    pub fn website(&self) -> Self {
        Self { name: self.name.clone(), kind: Some(Kind::Website) }
    }

    /// The value of `app=`; `None` if there is to be none.
    #[must_use]
    pub fn to_text(&self) -> Option<String> {
        let name = self.name.as_ref().map(AccountName::as_str);
        let parts: Vec<&str> = name.into_iter().chain(self.kind.map(Kind::as_str)).collect();
        (!parts.is_empty()).then(|| parts.join(":"))
    }

    /// Reads `app=`; `None` if it is not of its form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(kind) = Kind::parse(text) {
            return Some(Self { name: None, kind: Some(kind) });
        }
        let (name, rest) = text.split_once(':').map_or((text, None), |(name, rest)| (name, Some(rest)));
        let kind = match rest {
            Some(rest) => Some(Kind::parse(rest)?),
            None => None,
        };
        Some(Self { name: Some(AccountName::parse(name)?), kind })
    }
}

impl Accounts {
    /// The account that was asked for.
    #[must_use]
    pub fn choose(&self, choice: &RequestedApp) -> Option<&Account> {
        self.iter().find(|account| account.name == choice.name)
    }

    /// The account that an app belongs to; `None` if it is none of ours, or no longer.
    #[must_use]
    pub fn of(&self, app: &AppId) -> Option<&Account> {
        let belongs = |id: &Option<AppId>| id.as_ref() == Some(app);
        self.iter().find(|account| belongs(&account.official_account) || belongs(&account.website))
    }

    /// Where a login ends, judged by today's configuration.
    #[must_use]
    pub fn end_of(&self, login: &PendingLogin) -> ReturnTo {
        let account = self.of(&login.app).unwrap_or(&self.first);
        let target = account.targets.check_again(&login.return_to);
        target.unwrap_or_else(|_| account.default_return_to.clone())
    }

    /// Whether a script on a page of `origin` may ask anything at all: it is our own, or an account's.
    #[must_use]
    pub fn trust(&self, origin: &str) -> bool {
        self.iter().any(|account| account.targets.is_trusted_origin(origin))
    }

    /// The account that a page of `origin` belongs to, as `app=` asks for it; the first one if it is none's.
    #[must_use]
    pub fn choice_on(&self, origin: &str) -> RequestedApp {
        let account = self.iter().find(|account| account.targets.is_trusted_origin(origin));
        account.map(Account::choice).unwrap_or_default()
    }

    /// Every account, the first one first.
    pub fn iter(&self) -> impl Iterator<Item = &Account> {
        std::iter::once(&self.first).chain(&self.named)
    }
}

impl Account {
    /// The third-party platform that acts for `app`, if one does; a website app acts for itself.
    #[must_use]
    pub fn component_for(&self, app: &AppId) -> Option<&AppId> {
        self.component.as_ref().filter(|_| self.official_account.as_ref() == Some(app))
    }

    /// It, by whichever of its apps, as `app=` asks for it.
    #[must_use]
    pub fn choice(&self) -> RequestedApp {
        RequestedApp { name: self.name.clone(), kind: None }
    }

    /// Its Official Account, as `app=` asks for it, whether it has one or not.
    #[must_use]
    pub fn official_account_choice(&self) -> RequestedApp {
        RequestedApp { kind: Some(Kind::OfficialAccount), ..self.choice() }
    }

    /// Its website app, as `app=` asks for it, if it has one.
    #[must_use]
    pub fn website_choice(&self) -> Option<RequestedApp> {
        self.website.as_ref().map(|_| self.choice().website())
    }

    /// Whether it has the app that a choice asks for.
    #[must_use]
    pub const fn serves(&self, choice: &RequestedApp) -> bool {
        match choice.kind {
            None => true,
            Some(Kind::OfficialAccount) => self.official_account.is_some(),
            Some(Kind::Website) => self.website.is_some(),
        }
    }

    /// The app for this choice and this browser.
    ///
    /// Who asks for a kind is sent there. Otherwise nobody is shown a QR code of WeChat's that he cannot scan.
    /// `via_handoff` asks for the Official Account, by a phone where this browser is not WeChat's own.
    #[must_use]
    pub fn choose_app(&self, choice: &RequestedApp, via_handoff: bool, browser: Browser) -> AppChoice {
        let website = self.website.clone().map(App::Website);
        match (choice.kind, self.official_account.clone(), website) {
            (Some(Kind::Website), _, Some(website)) => AppChoice::App(website),
            (Some(Kind::Website), _, None) | (Some(Kind::OfficialAccount), None, _) | (None, None, None) => {
                AppChoice::Unknown
            }
            (_, Some(app), _) if browser.is_wechat => AppChoice::App(App::OfficialAccount(app)),
            (_, Some(app), _) if via_handoff => AppChoice::HandOff(app),
            (Some(Kind::OfficialAccount), Some(app), _) => AppChoice::App(App::OfficialAccount(app)),
            (None, Some(app), _) if browser.is_phone => AppChoice::HandOff(app),
            (None, Some(app), None) => AppChoice::HandOff(app),
            (None, None, Some(_)) if browser.is_phone => AppChoice::OpenOnComputer,
            (None, _, Some(website)) => AppChoice::App(website),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::Origin;

    fn account(official_account: bool, website: bool) -> Account {
        let targets = Targets::new(Origin::parse("https://auth.example.com").unwrap(), Vec::new());
        Account {
            name: None,
            official_account: official_account.then(|| AppId::parse("wx0000000000000aaa").unwrap()),
            website: website.then(|| AppId::parse("wx0000000000000bbb").unwrap()),
            component: None,
            default_return_to: targets.check("/").unwrap(),
            targets,
        }
    }

    fn chosen(account: &Account, choice: &str, via_handoff: bool, is_wechat: bool, is_phone: bool) -> String {
        let choice =
            if choice.is_empty() { RequestedApp::default() } else { RequestedApp::parse(choice).unwrap() };
        match account.choose_app(&choice, via_handoff, Browser { is_wechat, is_phone }) {
            AppChoice::App(app) => app.id().as_str().chars().last().unwrap().to_string(),
            AppChoice::HandOff(_) => "by a phone".to_owned(),
            AppChoice::OpenOnComputer => "on a computer".to_owned(),
            AppChoice::Unknown => "unknown".to_owned(),
        }
    }

    #[test]
    fn nobody_is_shown_a_code_that_cannot_be_scanned() {
        let (both, account_only, website_only) =
            (account(true, true), account(true, false), account(false, true));
        let by_a_phone = ["a", "a", "by a phone", "by a phone"];
        for (account, choice, expected, via_handoff) in [
            // WeChat on a phone and on a desktop, another browser on a phone and on a desktop; then the same with
            // `via=handoff`.
            (&both, "", ["a", "a", "by a phone", "b"], by_a_phone),
            (&account_only, "", by_a_phone, by_a_phone),
            (
                &website_only,
                "",
                ["on a computer", "b", "on a computer", "b"],
                ["on a computer", "b", "on a computer", "b"],
            ),
            (&both, "website", ["b"; 4], ["b"; 4]),
            (&both, "official_account", ["a"; 4], by_a_phone),
            (&account_only, "website", ["unknown"; 4], ["unknown"; 4]),
            (&website_only, "official_account", ["unknown"; 4], ["unknown"; 4]),
        ] {
            for (via, expected) in [(false, expected), (true, via_handoff)] {
                let browsers = [(true, true), (true, false), (false, true), (false, false)];
                let found =
                    browsers.map(|(is_wechat, is_phone)| chosen(account, choice, via, is_wechat, is_phone));
                assert_eq!(found, expected, "{choice} {via}");
            }
        }
    }

    #[test]
    fn a_choice_names_an_account_a_kind_or_both() {
        let choice =
            |name: Option<&str>, kind| Some(RequestedApp { name: name.and_then(AccountName::parse), kind });
        assert_eq!(RequestedApp::parse("website"), choice(None, Some(Kind::Website)));
        assert_eq!(RequestedApp::parse("shop"), choice(Some("shop"), None));
        assert_eq!(
            RequestedApp::parse("shop:official_account"),
            choice(Some("shop"), Some(Kind::OfficialAccount))
        );
        let website = |text| RequestedApp::parse(text).unwrap().website().to_text().unwrap();
        assert_eq!((website("shop"), website("official_account")), ("shop:website".into(), "website".into()));
        for text in ["official_account", "website", "shop", "shop:official_account", "shop:website"] {
            assert_eq!(RequestedApp::parse(text).unwrap().to_text().as_deref(), Some(text));
        }
        assert_eq!(RequestedApp::default().to_text(), None);
        for text in ["", "Shop", "shop:", "shop:phone", ":website", "a b", &"a".repeat(33)] {
            assert_eq!(RequestedApp::parse(text), None, "{text}");
        }
    }
}
