//! The world that the model is held against: the real binaries, browsers with jars, a simulated WeChat,
//! and the time that passes for all of them.

use std::time::Duration;

use harness::{
    Answer, Browser, Failure, Result, Stack,
    browser::{DESKTOP_USER_AGENT, Visit},
    stack::{PAGE_ORIGIN, PUBLIC_URL, WECHAT_OPEN_URL},
    time,
};
use serde_json::{Value, json};
use simulator::{Action as Happening, Denial};
use url::Url;

use crate::wechat::pages;

use super::{
    steps::{BROWSERS, Consent, Step, Twist},
    visits::{SPOILED, asking, leaving, lose},
    words::{App, Change, Counts, Details, Person, Place, Scope, Seen, Shown, Wrong},
    world::{Action, Code, UNIT},
};

const CALLBACK: &str = "https://login.example.com/callback";
pub const BROWSER_COOKIE: &str = "__Host-browser";
pub const SESSION_COOKIE: &str = "__Host-session";
const CLEARED: &str = "; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax";
const SESSION_LIFETIME: u64 = 604_800;

/// One sequence, as it is played.
pub struct Player<'a> {
    stack: &'a Stack,
    logins: &'a str,
    sessions: &'a str,
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
        let (logins, sessions) = (stack.table("LoginsTable")?, stack.table("SessionsTable")?);
        for table in [logins, sessions] {
            for item in stack.database().items(table)? {
                stack.database().delete(table, text_of(&item, "id"))?;
            }
        }
        stack.simulator().act(&Happening::Reset);
        stack.simulator().knobs(|knobs| knobs.clock_offset = 0);
        let phone = || stack.browser();
        let desktop = stack.browser().with_user_agent(DESKTOP_USER_AGENT);
        Ok(Self {
            stack,
            logins,
            sessions,
            browsers: [phone(), phone(), desktop],
            wechat: Vec::new(),
            states: Vec::new(),
            codes: Vec::new(),
            secrets: Vec::new(),
            tokens: Vec::new(),
        })
    }

    /// Does a step that means this in the model's world before it; what is seen of it.
    pub async fn play(&mut self, step: &Step, action: Option<Action>) -> Result<Seen> {
        match (action, step) {
            (Some(Action::Authorize { browser, link }), _) => {
                let answer = self.browser(browser)?.get(&link.to_url()).await?;
                self.seen(&answer)
            }
            (Some(Action::Wechat { login, person, consent }), _) => {
                let place = self.consent(login, person, consent).await?;
                self.unseen(place)
            }
            (Some(Action::Callback { browser, login, code, twist }), _) => {
                let visit = self.callback(login, code, twist)?;
                let answer = self.browser(browser)?.send(visit).await?;
                self.seen(&answer)
            }
            (None, Step::Refused { browser, wrong }) => {
                let mut visit =
                    Visit::link(&format!("{PUBLIC_URL}/authorize?{}", wrong.query()), PAGE_ORIGIN);
                if *wrong == Wrong::InFrame {
                    visit = visit.header("sec-fetch-dest", "iframe");
                }
                let answer = self.browser(*browser)?.send(visit).await?;
                self.seen(&answer)
            }
            (None, Step::Userinfo { browser, question }) => {
                let answer = self.browser(*browser)?.send(asking(*question)).await?;
                self.seen(&answer)
            }
            (None, Step::Leave { browser, way }) => {
                let answer = self.browser(*browser)?.send(leaving(*way)).await?;
                self.seen(&answer)
            }
            (None, Step::Pass { units }) => {
                self.pass(units * UNIT)?;
                self.unseen(Place::Nowhere)
            }
            (None, Step::Lose { browser, what }) => {
                lose(self.browser(*browser)?, *what);
                self.unseen(Place::Nowhere)
            }
            (None, Step::Borrow { from, to }) => {
                self.borrow(*from, *to)?;
                self.unseen(Place::Nowhere)
            }
            (None, _) => self.unseen(Place::Nowhere),
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
        let word = match consent {
            Consent::Given | Consent::GivenAgain => "allow",
            Consent::Refused | Consent::RefusedInWords => "deny",
        };
        let location = pages::through(self.stack, &page, person.id(), word).await?;
        let callback = Url::parse(&location)?;
        let parameter = |name: &str| {
            let mut pairs = callback.query_pairs();
            pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        let state = parameter("state").unwrap_or_default();
        let code = parameter("code").filter(|code| code != "authdeny");
        Ok(Place::Callback {
            login: number_of(&mut self.states, &state),
            code: code.map(|code| number_of(&mut self.codes, &code)),
        })
    }

    fn callback(&self, login: usize, code: Option<Code>, twist: Twist) -> Result<Visit> {
        let state = self.states.get(login).ok_or_else(|| Failure::new("no such state"))?;
        let code = match code {
            None => None,
            Some(Code::Issued(number)) => self.codes.get(number).cloned(),
            Some(Code::MadeUp(number)) => Some(format!("0MadeUp{number}MadeUpMadeUpMadeUpMade")),
        };
        let with_code = code.as_ref().map_or(String::new(), |code| format!("code={code}&"));
        let query = match twist {
            Twist::None | Twist::InFrame => format!("{with_code}state={state}"),
            Twist::Extra => format!("nobody=%zz&{with_code}state={state}"),
            Twist::EmptyCode => format!("code=&state={state}"),
            Twist::DeniedCode => format!("code=authdeny&state={state}"),
            Twist::MalformedCode if code.is_some() => format!("code=%3Cb%3E&state={state}"),
            Twist::NoCode | Twist::MalformedCode => format!("state={state}"),
            Twist::TwoCodes => format!("{with_code}{with_code}state={state}"),
            Twist::NoState => with_code,
            Twist::MalformedState => format!("{with_code}state={}x", state.get(1..).unwrap_or_default()),
            Twist::TwoStates => format!("{with_code}state={state}&state={state}"),
            Twist::UnknownState => format!("{with_code}state={}", state.chars().rev().collect::<String>()),
        };
        let visit = Visit::link(&format!("{CALLBACK}?{query}"), WECHAT_OPEN_URL);
        Ok(if twist == Twist::InFrame { visit.header("sec-fetch-dest", "iframe") } else { visit })
    }

    /// Time passes for WeChat, for every browser, and for what is stored.
    fn pass(&self, seconds: u64) -> Result<()> {
        self.stack.simulator().advance(seconds);
        for browser in &self.browsers {
            browser.advance(Duration::from_secs(seconds));
        }
        for table in [self.logins, self.sessions] {
            for mut item in self.stack.database().items(table)? {
                let Some(attributes) = item.as_object_mut() else { continue };
                for name in ["expires_at", "created_at", "refreshed_at"] {
                    if let Some(value) = attributes.get_mut(name) {
                        let then: u64 = value.get("N").and_then(Value::as_str).unwrap_or_default().parse()?;
                        *value = json!({ "N": then.saturating_sub(seconds).to_string() });
                    }
                }
                self.stack.database().put(table, &item)?;
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
            Some(location) if location.starts_with(WECHAT_OPEN_URL) => self.page_of_wechat(location)?,
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
    fn page_of_wechat(&mut self, location: &str) -> Result<Place> {
        let url = Url::parse(location)?;
        let pair =
            |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        let path = |app: App| match app {
            App::OfficialAccount => "/connect/oauth2/authorize",
            App::Website => "/connect/qrconnect",
        };
        let app = App::ALL
            .into_iter()
            .find(|app| pair("appid").as_deref() == Some(app.id()) && url.path() == path(*app));
        let scope = Scope::ALL.into_iter().find(|scope| pair("scope").as_deref() == Some(scope.as_str()));
        let is_ours = pair("redirect_uri").as_deref() == Some(CALLBACK);
        let (Some(app), Some(scope), Some(state), true) = (app, scope, pair("state"), is_ours) else {
            return Ok(Place::Elsewhere(location.to_owned()));
        };
        let login = number_of(&mut self.states, &state);
        self.wechat.truncate(login);
        self.wechat.push(location.to_owned());
        Ok(Place::Wechat { app, scope, lang: pair("lang"), login })
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
        } else if cookie == format!("{SESSION_COOKIE}={CLEARED}") {
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
        let everybody = Person::ALL.into_iter().flat_map(|person| App::ALL.map(|app| (person, app)));
        let mut there =
            everybody.filter(|(person, app)| text.contains(&simulator.openid(person.id(), app.id())));
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
        let nicknames = simulator.settings(|settings| {
            settings
                .people
                .iter()
                .map(|person| (person.id.clone(), person.nickname.clone()))
                .collect::<Vec<_>>()
        });
        let called = |person: &Person, name: &str| {
            nicknames.iter().any(|(id, nickname)| id == person.id() && nickname == name)
        };
        let whose = |found: Option<String>, is: &dyn Fn(&Person, &str) -> bool| match found {
            None => Ok(None),
            Some(found) => {
                let person = Person::ALL.into_iter().find(|person| is(person, &found));
                person.map(Some).ok_or_else(|| Failure::new(format!("{found:?} is nobody's")))
            }
        };
        let united =
            |person: &Person, id: &str| simulator.unionid(person.id(), app.id()).as_deref() == Some(id);
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
        let mut counts = Counts::default();
        for entry in self.stack.simulator().ledger() {
            match entry.path.as_str() {
                "/sns/oauth2/access_token" => counts.exchanges += 1,
                "/sns/userinfo" => counts.profiles += 1,
                "/sns/oauth2/refresh_token" => counts.refreshes += 1,
                "/sns/auth" => counts.verifications += 1,
                _ => {}
            }
        }
        for item in self.stack.database().items(self.logins)? {
            if text_of(&item, "id").starts_with("login#") {
                counts.logins += 1;
                continue;
            }
            let [claimed, done, failed] = &mut counts.guards;
            match text_of(&item, "outcome") {
                "claimed" => *claimed += 1,
                "done" => *done += 1,
                _ => *failed += 1,
            }
        }
        counts.sessions = self.stack.database().items(self.sessions)?.len();
        Ok(counts)
    }
}

/// The text of an attribute of an item.
fn text_of<'a>(item: &'a Value, name: &str) -> &'a str {
    item.get(name).and_then(|value| value.get("S")).and_then(Value::as_str).unwrap_or_default()
}
