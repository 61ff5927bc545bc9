//! What is seen of the product after a step: its answer, what it set, what is stored, what WeChat was asked.

use harness::{
    Answer, Failure, Result,
    database::attribute,
    places::{
        AUTH, BROWSER_COOKIE, CALLBACK, CONSENT_PAGE, EXCHANGE, PROFILE, QR_PAGE, REFRESH, SESSION_CLEARED,
        SESSION_COOKIE, parameter,
    },
    stack::WECHAT_OPEN_URL,
    time,
};
use serde_json::Value;

use crate::oracle::exchanges;

use super::{
    links::{Place, Switches},
    player::{Player, made_up, number_of},
    steps::MADE_UP,
    words::{App, Change, Counts, Details, Person, Scope, Seen, Shown, Word},
    world::{Code, UNIT},
};

const BROWSER_LIFETIME: u64 = 86_400;
const SESSION_LIFETIME: u64 = 604_800;

/// How many units of time these seconds are. Whatever the sequence itself has taken is far less than half a one.
const fn units(seconds: u64) -> u64 {
    (seconds + UNIT / 2) / UNIT
}

impl Player<'_> {
    /// What is seen of an answer of the product's.
    pub fn seen(&mut self, answer: &Answer) -> Result<Seen> {
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

    pub fn unseen(&self, place: Place) -> Result<Seen> {
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
        let is_on = |name| parameter(location, name) == "true";
        let switches = Switches { popup: is_on("forcePopup"), snapshot: is_on("forceSnapShot") };
        let is_ours = parameter(location, "redirect_uri") == CALLBACK && !state.is_empty();
        let (Some(app), Some(scope), true) = (app, scope, is_ours) else {
            return Place::Elsewhere(location.to_owned());
        };
        let login = number_of(&mut self.states, &state);
        self.wechat.truncate(login);
        self.wechat.push(location.to_owned());
        Place::Wechat { app, scope, lang: Some(lang).filter(|lang| !lang.is_empty()), switches, login }
    }

    fn change(&mut self, cookie: &str) -> Change {
        let kept = |name: &str| {
            let (value, rest) =
                cookie.strip_prefix(name)?.strip_prefix('=')?.split_once("; Path=/; Max-Age=")?;
            let seconds: u64 = rest.strip_suffix("; Secure; HttpOnly; SameSite=Lax")?.parse().ok()?;
            Some((value.to_owned(), seconds))
        };
        let unknown = || Change::Unknown(cookie.to_owned());
        if cookie == SESSION_CLEARED {
            return Change::SessionCleared;
        }
        if let Some((token, SESSION_LIFETIME)) = kept(SESSION_COOKIE) {
            return Change::Session(number_of(&mut self.tokens, &token));
        }
        let Some((secret, left)) = kept(BROWSER_COOKIE) else { return unknown() };
        // It says itself when it was born, and it is kept for what is left of its day.
        let born_at = secret.split_once('.').and_then(|(born_at, _)| born_at.parse().ok());
        let age = born_at.and_then(|born_at| time::now_seconds().checked_sub(born_at)).map(units);
        let over = BROWSER_LIFETIME.checked_sub(left).map(units);
        match age.filter(|_| age == over) {
            Some(age) => Change::Browser { secret: number_of(&mut self.secrets, &secret), age },
            None => unknown(),
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
            age: units(since),
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
