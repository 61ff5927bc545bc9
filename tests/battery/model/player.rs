//! The world that the model is held against: the real binaries, browsers with jars, a simulated WeChat,
//! and the time that passes for all of them.

use std::time::Duration;

use futures_util::future::try_join_all;
use harness::{
    Answer, Browser, Failure, Result, Stack,
    browser::{DESKTOP_USER_AGENT, Visit},
    cookies::{Cookie, SameSite},
    database::{self, attribute, number},
    places::{
        AUTH, AUTHORIZE, BROWSER_COOKIE, CALLBACK, CONSENT_PAGE, EXCHANGE, LOGOUT, PROFILE, QR_PAGE, REFRESH,
        SESSION_CLEARED, SESSION_COOKIE, USERINFO, parameter,
    },
    stack::{PAGE_ORIGIN, WECHAT_OPEN_URL},
    time,
};
use http::Method;
use serde_json::{Value, json};
use simulator::Denial;

use crate::oracle::exchanges;

use super::{
    steps::{BROWSERS, From, MADE_UP, Question, Way},
    words::{
        App, Change, Consent, Counts, Details, Lost, Person, Place, Scope, Seen, Shown, Twist, Word, Wrong,
    },
    world::{Action, Code, UNIT},
};

const SESSION_LIFETIME: u64 = 604_800;
const STRANGER: &str = "https://evil.example";

/// A cookie's value that is none of ours.
const SPOILED: &str = "spoiled";

/// One sequence, as it is played.
pub struct Player<'a> {
    stack: &'a Stack,
    browsers: [Browser; BROWSERS],
    /// WeChat's page for each login, in the order in which they began.
    wechat: Vec<String>,
    states: Vec<String>,
    codes: Vec<String>,
    secrets: Vec<String>,
    tokens: Vec<String>,
}

/// The number under which a text is known; the next one if it is new.
fn number_of(known: &mut Vec<String>, text: &str) -> usize {
    known.iter().position(|one| one == text).unwrap_or_else(|| {
        known.push(text.to_owned());
        known.len() - 1
    })
}

impl<'a> Player<'a> {
    /// A world in which nothing has happened yet.
    pub fn new(stack: &'a Stack) -> Result<Self> {
        stack.forget_everything()?;
        stack.simulator().knobs(|knobs| knobs.clock_offset = 0);
        let desktop = stack.browser().with_user_agent(DESKTOP_USER_AGENT);
        Ok(Self {
            stack,
            browsers: [stack.browser(), stack.browser(), desktop],
            wechat: Vec::new(),
            states: Vec::new(),
            codes: Vec::new(),
            secrets: Vec::new(),
            tokens: Vec::new(),
        })
    }

    /// Does this; what is seen of it.
    pub async fn play(&mut self, action: Option<Action>) -> Result<Seen> {
        let answers = match action {
            Some(Action::Authorize { browser, link }) => {
                vec![self.browser(browser)?.get(&link.to_url()).await?]
            }
            Some(Action::Refused { browser, wrong }) => {
                let visit = Visit::link(&format!("{AUTHORIZE}?{}", wrong.as_str()), PAGE_ORIGIN);
                vec![self.browser(browser)?.send(in_frame(visit, wrong == Wrong::InFrame)).await?]
            }
            Some(Action::Wechat { login, person, consent }) => {
                let place = self.consent(login, person, consent).await?;
                return self.unseen(place);
            }
            Some(Action::Callback { browser, login, code, twist, copies }) => {
                let (browser, visit) = (self.browser(browser)?, self.callback(login, code, twist)?);
                try_join_all((0..copies).map(|_| browser.send(visit.clone()))).await?
            }
            Some(Action::Userinfo { browser, question }) => {
                vec![self.browser(browser)?.send(asking(question)).await?]
            }
            Some(Action::Leave { browser, way }) => vec![self.browser(browser)?.send(leaving(way)).await?],
            Some(Action::Pass { seconds }) => self.pass(seconds).map(|()| Vec::new())?,
            Some(Action::Remove) => self.remove_logins().map(|()| Vec::new())?,
            Some(Action::Lose { browser, what }) => {
                lose(self.browser(browser)?, what);
                Vec::new()
            }
            Some(Action::Borrow { from, to }) => self.borrow(from, to).map(|()| Vec::new())?,
            None => Vec::new(),
        };
        let seen: Vec<_> = answers.iter().map(|answer| self.seen(answer)).collect::<Result<_>>()?;
        match seen.as_slice() {
            [one, other] if one != other => {
                Err(Failure::new(format!("two copies at once:\n  {one:?}\n  {other:?}")))
            }
            _ => seen.into_iter().next().map_or_else(|| self.unseen(Place::Nowhere), Ok),
        }
    }

    fn browser(&self, browser: usize) -> Result<&Browser> {
        self.browsers.get(browser).ok_or_else(|| Failure::new("there is no such browser"))
    }

    /// What WeChat's page for a login leads to.
    async fn consent(&mut self, login: usize, person: Person, consent: Consent) -> Result<Place> {
        let page = self.wechat.get(login).cloned().ok_or_else(|| Failure::new("no such login"))?;
        let simulator = self.stack.simulator();
        simulator.knobs(|knobs| {
            knobs.reissue_code_seconds = if consent == Consent::GivenAgain { 100 } else { 0 };
            knobs.denial =
                if consent == Consent::RefusedInWords { Denial::Authdeny } else { Denial::StateOnly };
        });
        // By nobody in particular: WeChat knows the person, and not the browser.
        let somebody = self.stack.visitor(person.as_str());
        let somebody = if page.contains(QR_PAGE) { somebody.at_a_computer() } else { somebody };
        let callback = somebody.decide(&page, consent.as_str()).await?;
        let code = parameter(&callback, "code");
        let is_one = !matches!(code.as_str(), "" | "authdeny");
        Ok(Place::Callback {
            login: number_of(&mut self.states, &parameter(&callback, "state")),
            code: is_one.then(|| number_of(&mut self.codes, &code)),
        })
    }

    fn callback(&self, login: usize, code: Option<Code>, twist: Twist) -> Result<Visit> {
        let state = self.states.get(login).ok_or_else(|| Failure::new("no such state"))?;
        let code = match code {
            None => None,
            Some(Code::Issued(number)) => self.codes.get(number).cloned(),
            Some(Code::MadeUp(number)) => Some(made_up(number)),
        };
        let with_code = if twist == Twist::MalformedCode && code.is_some() {
            "code=%3Cb%3E&".to_owned()
        } else {
            code.map_or(String::new(), |code| format!("code={code}&"))
        };
        let query = twist
            .as_str()
            .replace("{code}", &with_code)
            .replace("{state}", state)
            .replace("{state, cut}", state.get(1..).unwrap_or_default())
            .replace("{state, reversed}", &state.chars().rev().collect::<String>());
        let visit = Visit::link(&format!("{CALLBACK}?{query}"), WECHAT_OPEN_URL);
        Ok(in_frame(visit, twist == Twist::InFrame))
    }

    /// Time passes for WeChat, for every browser, and for what is stored.
    fn pass(&self, seconds: u64) -> Result<()> {
        self.stack.simulator().advance(seconds);
        for browser in &self.browsers {
            browser.advance(Duration::from_secs(seconds));
        }
        for table in ["LoginsTable", "SessionsTable"] {
            let table = self.stack.table(table)?;
            for mut item in self.stack.database().items(table)? {
                for name in ["expires_at", "created_at", "refreshed_at"] {
                    if item.get(name).is_some() {
                        let then = number(&item, name)?.saturating_sub(seconds);
                        item = database::with(item, name, json!({ "N": then.to_string() }));
                    }
                }
                self.stack.database().put(table, &item)?;
            }
        }
        Ok(())
    }

    /// DynamoDB removes every login that is past its time.
    fn remove_logins(&self) -> Result<()> {
        for item in self.stack.logins()? {
            let id = attribute(&item, "id");
            if id.starts_with("login#") && number(&item, "expires_at")? <= time::now_seconds() {
                self.stack.database().delete(self.stack.table("LoginsTable")?, id)?;
            }
        }
        Ok(())
    }

    /// A browser comes by the session cookie of another one.
    fn borrow(&self, from: usize, to: usize) -> Result<()> {
        let held = self.browser(from)?.cookies().into_iter().find(|cookie| cookie.name == SESSION_COOKIE);
        if let Some(cookie) = held.filter(|cookie| cookie.value != SPOILED) {
            self.browser(to)?.insert_cookie(cookie);
        }
        Ok(())
    }

    /// What is seen of an answer of the product's.
    fn seen(&mut self, answer: &Answer) -> Result<Seen> {
        let mut oddities = Vec::new();
        let id = answer.header("x-correlation-id").unwrap_or_default();
        if id.len() != 36 {
            oddities.push(format!("the correlation id {id:?}"));
        }
        if answer.header("cache-control") != Some("no-store") {
            oddities.push("not no-store".to_owned());
        }
        for browser in &self.browsers {
            oddities.extend(browser.rejected_cookies().into_iter().map(|refused| refused.reason.to_owned()));
        }
        let place = match answer.location() {
            None => Place::Nowhere,
            Some(location) if location.starts_with(WECHAT_OPEN_URL) => self.page_of_wechat(location),
            Some(location) => Place::read(location),
        };
        if let Place::Error { .. } = place
            && !answer.location().is_some_and(|location| location.contains(id))
        {
            oddities.push("another correlation id on the page".to_owned());
        }
        let changes = answer.set_cookies().iter().map(|cookie| self.change(cookie)).collect();
        let shown = if answer.status == 200 { self.shown(answer)? } else { None };
        let counts = self.count()?;
        Ok(Seen { status: answer.status, place, changes, shown, counts, oddities })
    }

    fn unseen(&self, place: Place) -> Result<Seen> {
        let counts = self.count()?;
        Ok(Seen { status: 0, place, changes: Vec::new(), shown: None, counts, oddities: Vec::new() })
    }

    /// Where a redirect to WeChat leads; remembered as the page of that login.
    fn page_of_wechat(&mut self, location: &str) -> Place {
        let path = |app: App| match app {
            App::OfficialAccount => CONSENT_PAGE,
            App::Website => QR_PAGE,
        };
        let leads_to = |app: App| {
            parameter(location, "appid") == app.id()
                && location.starts_with(&format!("{WECHAT_OPEN_URL}{}?", path(app)))
        };
        let app = App::ALL.iter().copied().find(|app| leads_to(*app));
        let scope = Scope::parse(&parameter(location, "scope"));
        let (state, lang) = (parameter(location, "state"), parameter(location, "lang"));
        let is_ours = parameter(location, "redirect_uri") == CALLBACK && !state.is_empty();
        let (Some(app), Some(scope), true) = (app, scope, is_ours) else {
            return Place::Elsewhere(location.to_owned());
        };
        let login = number_of(&mut self.states, &state);
        self.wechat.truncate(login);
        self.wechat.push(location.to_owned());
        Place::Wechat { app, scope, lang: Some(lang).filter(|lang| !lang.is_empty()), login }
    }

    fn change(&mut self, cookie: &str) -> Change {
        let value = |name: &str, seconds: u64| {
            let rest = cookie.strip_prefix(name)?.strip_prefix('=')?;
            let end = format!("; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Lax");
            rest.strip_suffix(end.as_str()).map(str::to_owned)
        };
        if let Some(secret) = value(BROWSER_COOKIE, 86_400) {
            Change::Browser(number_of(&mut self.secrets, &secret))
        } else if let Some(token) = value(SESSION_COOKIE, SESSION_LIFETIME) {
            Change::Session(number_of(&mut self.tokens, &token))
        } else if cookie == SESSION_CLEARED {
            Change::SessionCleared
        } else {
            Change::Unknown(cookie.to_owned())
        }
    }

    /// Who it is, by the openid that the simulator gives that person at that app.
    fn shown(&self, answer: &Answer) -> Result<Option<Shown>> {
        if answer.url.path() != "/userinfo" {
            return Ok(None);
        }
        let text = answer.text();
        let simulator = self.stack.simulator();
        let everybody = Person::ALL.iter().flat_map(|person| App::ALL.iter().map(|app| (*person, *app)));
        let mut there =
            everybody.filter(|(person, app)| text.contains(&simulator.openid(person.as_str(), app.id())));
        let (Some((person, app)), None) = (there.next(), there.next()) else {
            return Err(Failure::new(format!("it is nobody, or more than one: {text}")));
        };
        let is_page = answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
        let details = if is_page { None } else { Some(self.details(&answer.json()?, app)?) };
        Ok(Some(Shown { person, app, details }))
    }

    fn details(&self, json: &Value, app: App) -> Result<Details> {
        let simulator = self.stack.simulator();
        let text = |name: &str| json.get(name).and_then(Value::as_str).map(str::to_owned);
        let called = |name: &str| {
            simulator.settings(|settings| {
                let person = settings.people.iter().find(|person| person.nickname == name)?;
                Person::parse(&person.id)
            })
        };
        let united = |id: &str| {
            let is = |person: &&Person| simulator.unionid(person.as_str(), app.id()).as_deref() == Some(id);
            Person::ALL.iter().find(is).copied()
        };
        let whose = |found: Option<String>, find: &dyn Fn(&str) -> Option<Person>| {
            let of =
                |found: String| find(&found).ok_or_else(|| Failure::new(format!("{found:?} is nobody's")));
            found.map(of).transpose()
        };
        let expires_at = json.get("expires_at").and_then(Value::as_u64).unwrap_or_default();
        let since = (time::now_seconds() + SESSION_LIFETIME).saturating_sub(expires_at);
        Ok(Details {
            nickname_of: whose(text("nickname"), &called)?,
            unionid_of: whose(text("unionid"), &united)?,
            scope: text("scope").unwrap_or_default(),
            has_upgrade_url: text("upgrade_url").is_some(),
            // Whatever the sequence itself has taken is far less than half a unit.
            age: (since + UNIT / 2) / UNIT,
        })
    }

    fn count(&self) -> Result<Counts> {
        let asked = |path: &str| self.stack.requests(path).len();
        let sent = self.stack.requests(EXCHANGE).pop().and_then(|last| last.code);
        let exchanges = exchanges(self.stack);
        let mut counts = Counts {
            exchanges: exchanges.values().sum(),
            sent: sent.map(|code| self.code(&code)).transpose()?,
            sent_twice: exchanges.values().filter(|times| **times > 1).count(),
            profiles: asked(PROFILE),
            refreshes: asked(REFRESH),
            verifications: asked(AUTH),
            sessions: self.stack.sessions()?.len(),
            ..Counts::default()
        };
        for item in self.stack.logins()? {
            let [claimed, done, failed] = &mut counts.guards;
            match attribute(&item, "outcome") {
                _ if attribute(&item, "id").starts_with("login#") => counts.logins += 1,
                "claimed" => *claimed += 1,
                "done" => *done += 1,
                _ => *failed += 1,
            }
        }
        Ok(counts)
    }

    /// Which code this is.
    fn code(&self, text: &str) -> Result<Code> {
        let issued = self.codes.iter().position(|code| code == text).map(Code::Issued);
        let made_up = || (0..MADE_UP).find(|number| made_up(*number) == text).map(Code::MadeUp);
        issued.or_else(made_up).ok_or_else(|| Failure::new(format!("the code {text:?} is nobody's")))
    }
}

/// A code that nobody issued.
fn made_up(number: u8) -> String {
    format!("0MadeUp{number}MadeUpMadeUpMadeUpMade")
}

/// The same visit, perhaps in a frame.
fn in_frame(visit: Visit, is_in_frame: bool) -> Visit {
    if is_in_frame { visit.header("sec-fetch-dest", "iframe") } else { visit }
}

/// A cookie of this browser goes, or goes bad.
fn lose(browser: &Browser, what: Lost) {
    let spoil = |name: &str| {
        browser.insert_cookie(Cookie {
            name: name.to_owned(),
            value: SPOILED.to_owned(),
            domain: "login.example.com".to_owned(),
            subdomains: false,
            path: "/".to_owned(),
            secure: true,
            http_only: true,
            same_site: SameSite::Lax,
            expires: None,
        });
    };
    match what {
        Lost::Browser => browser.forget_cookie(BROWSER_COOKIE),
        Lost::Session => browser.forget_cookie(SESSION_COOKIE),
        Lost::Both => browser.forget_cookies(),
        Lost::BrowserSpoiled => spoil(BROWSER_COOKIE),
        Lost::SessionSpoiled => spoil(SESSION_COOKIE),
    }
}

/// The question who is logged in.
fn asking(question: Question) -> Visit {
    let mut url = format!("{USERINFO}?verify={}", question.verify);
    if let Some(lang) = question.lang.map(Word::as_str) {
        url = format!("{url}&lang={lang}");
    }
    match question.from {
        From::Script => Visit::fetch(Method::GET, &url, PAGE_ORIGIN),
        From::Person => Visit::open(&url),
        From::Stranger => Visit::fetch(Method::GET, &url, STRANGER),
    }
}

/// The wish to be no longer.
fn leaving(way: Way) -> Visit {
    match way {
        Way::Logout(From::Script) => Visit::fetch(Method::POST, LOGOUT, PAGE_ORIGIN),
        Way::Logout(From::Person) => Visit::form(LOGOUT, PAGE_ORIGIN, &[]),
        Way::Logout(From::Stranger) => Visit::fetch(Method::POST, LOGOUT, STRANGER),
        Way::Erase(From::Script | From::Person) => Visit::fetch(Method::DELETE, USERINFO, PAGE_ORIGIN),
        Way::Erase(From::Stranger) => Visit::fetch(Method::DELETE, USERINFO, STRANGER),
    }
}
