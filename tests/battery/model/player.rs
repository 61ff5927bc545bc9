//! The world that the model is held against: the real binaries, browsers with jars, and a simulated WeChat.
//! Time passes in `passing.rs`, and `seen.rs` says what is seen.

use futures_util::future::try_join_all;
use harness::{
    Browser, Failure, Result, Stack,
    browser::{DESKTOP_USER_AGENT, Visit},
    cookies::{Cookie, SameSite},
    database::{attribute, number},
    places::{AUTHORIZE, BROWSER_COOKIE, CALLBACK, LOGOUT, QR_PAGE, SESSION_COOKIE, USERINFO, parameter},
    stack::{PAGE_ORIGIN, WECHAT_OPEN_URL},
    time,
};
use http::Method;
use ring::hmac;
use simulator::Denial;

use crate::oracle::hex;

use super::{
    links::Place,
    steps::{BROWSERS, From, Question, Way},
    words::{Consent, Lost, Person, Seen, Twist, Word, Wrong},
    world::{Action, Code},
};

const STRANGER: &str = "https://evil.example";

/// A cookie's value that is none of ours.
const SPOILED: &str = "spoiled";

/// One sequence, as it is played.
pub struct Player<'a> {
    pub stack: &'a Stack,
    pub browsers: [Browser; BROWSERS],
    /// WeChat's page for each login, in the order in which they began.
    pub wechat: Vec<String>,
    pub states: Vec<String>,
    pub codes: Vec<String>,
    pub secrets: Vec<String>,
    pub tokens: Vec<String>,
}

/// The number under which a text is known; the next one if it is new.
pub fn number_of(known: &mut Vec<String>, text: &str) -> usize {
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

    /// Does this; what is seen of it, once for each answer.
    pub async fn play(&mut self, action: Option<Action>) -> Result<Vec<Seen>> {
        let answers = match action {
            Some(Action::Authorize { browser, link, has_empty }) => {
                vec![self.browser(browser)?.get(&link.to_url(has_empty)).await?]
            }
            Some(Action::Refused { browser, wrong }) => {
                let visit = Visit::link(&format!("{AUTHORIZE}?{}", wrong.as_str()), PAGE_ORIGIN);
                vec![self.browser(browser)?.send(in_frame(visit, wrong == Wrong::InFrame)).await?]
            }
            Some(Action::Wechat { login, person, consent }) => {
                let place = self.consent(login, person, consent).await?;
                return Ok(vec![self.unseen(place)?]);
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
            Some(Action::Share { from, to }) => self.share(from, to).map(|()| Vec::new())?,
            Some(Action::Forge { browser, login, code }) => {
                self.forge(browser, login, code).map(|()| Vec::new())?
            }
            None => Vec::new(),
        };
        if answers.is_empty() {
            return Ok(vec![self.unseen(Place::Nowhere)?]);
        }
        answers.iter().map(|answer| self.seen(answer)).collect()
    }

    pub fn browser(&self, browser: usize) -> Result<&Browser> {
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
        let code = code.and_then(|code| self.text_of(code));
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
        if let Some(cookie) = self.held(from, SESSION_COOKIE)? {
            self.browser(to)?.insert_cookie(cookie);
        }
        Ok(())
    }

    /// A browser comes by the secret of another one. Who learnt it, or planted it, does not forget it in a day.
    fn share(&self, from: usize, to: usize) -> Result<()> {
        if let Some(cookie) = self.held(from, BROWSER_COOKIE)? {
            self.browser(to)?.insert_cookie(Cookie { expires: None, ..cookie });
        }
        Ok(())
    }

    /// A browser makes itself a session, by the rule that is no secret: HMAC-SHA256 under the 32 bytes of the
    /// browser's secret, of a label, the 32 bytes of the state, and the code.
    fn forge(&mut self, browser: usize, login: usize, code: Option<Code>) -> Result<()> {
        let Some(cookie) = self.held(browser, BROWSER_COOKIE)? else { return Ok(()) };
        let secret = cookie.value.split_once('.').map_or("", |(_, secret)| secret);
        let state = self.states.get(login).map_or("", String::as_str);
        let code = code.and_then(|code| self.text_of(code)).unwrap_or_default();
        let made_of = [b"session\0", bytes(state)?.as_slice(), code.as_bytes()].concat();
        let token = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &bytes(secret)?), &made_of);
        let token = hex(token.as_ref());
        number_of(&mut self.tokens, &token);
        self.browser(browser)?.insert_cookie(cookie_of(SESSION_COOKIE, &token));
        Ok(())
    }

    /// A cookie that a browser has, if it is one of ours.
    fn held(&self, browser: usize, name: &str) -> Result<Option<Cookie>> {
        let mut cookies = self.browser(browser)?.cookies().into_iter();
        Ok(cookies.find(|cookie| cookie.name == name && cookie.value != SPOILED))
    }

    fn text_of(&self, code: Code) -> Option<String> {
        match code {
            Code::Issued(number) => self.codes.get(number).cloned(),
            Code::MadeUp(number) => Some(made_up(number)),
        }
    }
}

/// The bytes that hex digits stand for.
fn bytes(hex: &str) -> Result<Vec<u8>> {
    let pair = |at| hex.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    (0..hex.len()).step_by(2).map(|at| pair(at).ok_or_else(|| Failure::new("no hex digits"))).collect()
}

/// A code that nobody issued.
pub fn made_up(number: u8) -> String {
    format!("0MadeUp{number}MadeUpMadeUpMadeUpMade")
}

/// The same visit, perhaps in a frame.
fn in_frame(visit: Visit, is_in_frame: bool) -> Visit {
    if is_in_frame { visit.header("sec-fetch-dest", "iframe") } else { visit }
}

/// A cookie of this browser goes, or goes bad.
fn lose(browser: &Browser, what: Lost) {
    let spoil = |name: &str| browser.insert_cookie(cookie_of(name, SPOILED));
    match what {
        Lost::Browser => browser.forget_cookie(BROWSER_COOKIE),
        Lost::Session => browser.forget_cookie(SESSION_COOKIE),
        Lost::Both => browser.forget_cookies(),
        Lost::BrowserSpoiled => spoil(BROWSER_COOKIE),
        Lost::SessionSpoiled => spoil(SESSION_COOKIE),
    }
}

/// A cookie that stays.
fn cookie_of(name: &str, value: &str) -> Cookie {
    Cookie {
        name: name.to_owned(),
        value: value.to_owned(),
        domain: "login.example.com".to_owned(),
        subdomains: false,
        path: "/".to_owned(),
        secure: true,
        http_only: true,
        same_site: SameSite::Lax,
        expires: None,
    }
}

/// The question who is logged in. What it does not ask stands there empty, or not at all.
fn asking(question: Question) -> Visit {
    let mut url = format!("{USERINFO}?verify={}", if question.verify { "true" } else { "" });
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
