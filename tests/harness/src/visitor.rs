//! A visitor: a browser, and the person for whom WeChat takes whoever uses it.
//!
//! Every verb goes one way through the login as people go it, and fails when there is no answer, or another than its
//! name promises; the failure says which. What a test looks at on the way it opens with the visitor's own
//! [`Browser`].

#![expect(clippy::missing_errors_doc, reason = "said above, once for all")]

use http::Method;
use serde_json::Value;
use simulator::{Action, QrProgress, Simulator};
use url::Url;

use crate::{
    Answer, Browser, Failure, Result, Stack,
    browser::{DESKTOP_USER_AGENT, Visit},
    places::{
        AUTHORIZE, AUTHORIZE_PROFILE, BROWSER_COOKIE, LOGOUT, QR_PAGE, SESSION_COOKIE, USERINFO, VERIFY,
        parameter,
    },
    stack::{OFFICIAL_ACCOUNT, PAGE_ORIGIN, PUBLIC_URL, WECHAT_OPEN_URL},
};

/// How the simulator is told who opens one of its pages, and what they answer there.
const PERSON: &str = "x-simulator-person";
const CONSENT: &str = "x-simulator-consent";

/// A visitor; clones are tabs of the same browser.
#[derive(Clone)]
pub struct Visitor {
    /// Their browser. Whatever it opens at WeChat, it opens as this person.
    pub browser: Browser,
    /// Who they are, as the simulator calls them.
    pub person: String,
    wechat: Simulator,
}

impl Visitor {
    /// Somebody with WeChat's browser on a phone, and without a cookie.
    #[must_use]
    pub fn new(stack: &Stack, person: &str) -> Self {
        Self::with(stack.browser(), stack.simulator(), person)
    }

    /// Somebody with this browser, wherever it leads, whom this WeChat knows.
    #[must_use]
    pub fn with(browser: Browser, wechat: &Simulator, person: &str) -> Self {
        let browser = browser.with_header(PERSON, person);
        Self { browser, person: person.to_owned(), wechat: wechat.clone() }
    }

    /// The same person with a browser on a desktop.
    #[must_use]
    pub fn at_a_computer(self) -> Self {
        self.with_user_agent(DESKTOP_USER_AGENT)
    }

    /// The same person with a browser of another name.
    #[must_use]
    pub fn with_user_agent(mut self, user_agent: &str) -> Self {
        self.browser = self.browser.with_user_agent(user_agent);
        self
    }

    /// The same person, reading other languages.
    #[must_use]
    pub fn reading(mut self, accept_language: &str) -> Self {
        self.browser = self.browser.with_language(accept_language);
        self
    }

    /// The same person with another browser, of the same kind, without a cookie.
    #[must_use]
    pub fn elsewhere(&self) -> Self {
        self.lend_to(&self.person, self.browser.another())
    }

    /// Another person at the same browser.
    #[must_use]
    pub fn hand_to(&self, person: &str) -> Self {
        self.lend_to(person, self.browser.clone())
    }

    fn lend_to(&self, person: &str, browser: Browser) -> Self {
        Self {
            browser: browser.with_header(PERSON, person),
            person: person.to_owned(),
            wechat: self.wechat.clone(),
        }
    }

    /// Opens an address and stays on the first answer.
    pub async fn open(&self, url: &str) -> Result<Answer> {
        self.browser.get(url).await
    }

    /// Makes a request of any kind; one answer.
    pub async fn send(&self, visit: Visit) -> Result<Answer> {
        self.browser.send(visit).await
    }

    /// Opens a link to a login; the address of WeChat's page, to which it led.
    pub async fn begin(&self, link: &str) -> Result<String> {
        let began = self.browser.get(link).await?;
        match began.redirect()? {
            Some(page) if began.status == 302 => Ok(page.into()),
            _ => Err(Failure::new(format!("no login begins at {link}: {} {}", began.status, began.text()))),
        }
    }

    /// Goes through WeChat's page and agrees, or scans its QR code and confirms; the address of the callback, not
    /// opened yet.
    pub async fn agree(&self, page: &str) -> Result<String> {
        self.decide(page, "allow").await
    }

    /// The same with another answer to WeChat's question: `allow` or `deny`.
    pub async fn decide(&self, page: &str, consent: &str) -> Result<String> {
        let answer = self.browser.send(Visit::open(page).header(CONSENT, consent)).await?;
        match answer.redirect()? {
            Some(callback) => Ok(callback.into()),
            None if answer.url.path() == QR_PAGE => self.scan(&answer.url),
            None => Err(Failure::new(format!("WeChat stays at {page}: {}", answer.text()))),
        }
    }

    /// Scans the QR code of a page and confirms; the address of the callback.
    fn scan(&self, page: &Url) -> Result<String> {
        let state = parameter(page.as_str(), "state");
        let latest = || {
            let mut codes = self.wechat.qr_codes();
            codes.retain(|code| code.state.as_ref() == Some(&state));
            codes.pop().ok_or_else(|| Failure::new(format!("no QR code at {page}")))
        };
        let uuid = Some(latest()?.uuid);
        let scanned = Action::Scan { uuid: uuid.clone(), person: Some(self.person.clone()) };
        for action in [scanned, Action::Confirm { uuid }] {
            self.wechat.attempt(&action).map_err(Failure::new)?;
        }
        match latest()?.progress {
            QrProgress::Confirmed { location, .. } => Ok(location),
            other => Err(Failure::new(format!("not confirmed: {other:?}"))),
        }
    }

    /// Begins a login by a link and comes back through WeChat; the address of the callback, not opened yet.
    pub async fn come_back(&self, link: &str) -> Result<String> {
        self.agree(&self.begin(link).await?).await
    }

    /// Opens the address of a callback as WeChat's page does, for the first time or once more.
    pub async fn call_back(&self, callback: &str) -> Result<Answer> {
        self.browser.send(Visit::link(callback, WECHAT_OPEN_URL)).await
    }

    /// Goes where an answer leads, to the end, and agrees on the way; the answers from there on, hop by hop.
    pub async fn go_on(&self, from: &Answer) -> Result<Vec<Answer>> {
        match from.redirect()? {
            Some(target) => self.follow(target.as_str()).await,
            None => Ok(Vec::new()),
        }
    }

    /// Opens an address and goes on to the end, as above; the answers, hop by hop.
    pub async fn follow(&self, url: &str) -> Result<Vec<Answer>> {
        self.walk(url, |visit| visit.header(CONSENT, "allow")).await
    }

    /// Goes to the end; scans the QR code if there is one on the way, and waits where a page waits. WeChat's clock goes
    /// on meanwhile, and no other one.
    async fn walk(&self, url: &str, decide: impl Fn(Visit) -> Visit) -> Result<Vec<Answer>> {
        let mut hops = self.browser.walk(decide(Visit::open(url))).await?;
        while let Some(last) = hops.last() {
            let next = if last.url.path() == QR_PAGE && last.status == 200 {
                Visit::link(&self.scan(&last.url)?, WECHAT_OPEN_URL)
            } else if let Some((seconds, link)) = wait_of(last)? {
                self.wechat.advance(seconds);
                Visit::link(link.as_str(), PUBLIC_URL)
            } else {
                break;
            };
            hops.extend(self.browser.walk(decide(next)).await?);
        }
        Ok(hops)
    }

    /// Logs in silently.
    pub async fn log_in(&self) -> Result<Vec<Answer>> {
        self.log_in_at(AUTHORIZE).await
    }

    /// Logs in by this link; the answers, hop by hop. If WeChat asks, the simulator's settings decide.
    pub async fn log_in_at(&self, link: &str) -> Result<Vec<Answer>> {
        self.require_login(self.walk(link, |visit| visit).await?)
    }

    /// Logs in and lets the login have the profile.
    pub async fn log_in_with_profile(&self) -> Result<Vec<Answer>> {
        self.require_login(self.follow(AUTHORIZE_PROFILE).await?)
    }

    fn require_login(&self, hops: Vec<Answer>) -> Result<Vec<Answer>> {
        let is_there = hops.last().is_some_and(|hop| hop.url.as_str().starts_with(PAGE_ORIGIN));
        if is_there && self.session().is_some() {
            return Ok(hops);
        }
        let places: Vec<_> = hops.iter().map(|hop| format!("{} {}", hop.status, hop.url)).collect();
        Err(Failure::new(format!("no login:\n{}", places.join("\n"))))
    }

    /// This visitor, logged in silently.
    pub async fn logged_in(self) -> Result<Self> {
        self.log_in().await?;
        Ok(self)
    }

    /// This visitor, logged in with the profile.
    pub async fn logged_in_with_profile(self) -> Result<Self> {
        self.log_in_with_profile().await?;
        Ok(self)
    }

    /// Asks who is logged in, as a script on the team's page does.
    pub async fn userinfo(&self) -> Result<Answer> {
        self.browser.fetch(USERINFO, PAGE_ORIGIN).await
    }

    /// What that script is shown of who is logged in.
    pub async fn shown(&self) -> Result<Value> {
        let answer = self.userinfo().await?;
        if answer.status == 200 {
            return answer.json();
        }
        Err(Failure::new(format!("/userinfo answered {} {}", answer.status, answer.text())))
    }

    /// The same question, and WeChat is asked too.
    pub async fn verify(&self) -> Result<Answer> {
        self.browser.fetch(VERIFY, PAGE_ORIGIN).await
    }

    /// Opens the page that says who is logged in.
    pub async fn userinfo_page(&self) -> Result<Answer> {
        self.browser.get(USERINFO).await
    }

    /// Logs out by the form on the team's page.
    pub async fn log_out(&self) -> Result<Answer> {
        self.browser.post_form(LOGOUT, PAGE_ORIGIN).await
    }

    /// Has everything erased, as a script on the team's page does.
    pub async fn erase(&self) -> Result<Answer> {
        self.browser.send(Visit::fetch(Method::DELETE, USERINFO, PAGE_ORIGIN)).await
    }

    /// As whom the login knows this browser: an openid, or nobody.
    pub async fn logged_in_as(&self) -> Result<Option<String>> {
        let answer = self.userinfo().await?;
        match answer.status {
            200 => Ok(answer.json()?.get("openid").and_then(Value::as_str).map(str::to_owned)),
            401 => Ok(None),
            status => Err(Failure::new(format!("/userinfo answered {status} {}", answer.text()))),
        }
    }

    /// This person's openid at the Official Account.
    #[must_use]
    pub fn openid(&self) -> String {
        self.openid_at(OFFICIAL_ACCOUNT)
    }

    /// This person's openid at an app.
    #[must_use]
    pub fn openid_at(&self, appid: &str) -> String {
        self.wechat.openid(&self.person, appid)
    }

    /// The value of the session's cookie, if the browser has one.
    #[must_use]
    pub fn session(&self) -> Option<String> {
        self.browser.cookie(SESSION_COOKIE)
    }

    /// The value of the cookie that ties logins to the browser, if it has one.
    #[must_use]
    pub fn secret(&self) -> Option<String> {
        self.browser.cookie(BROWSER_COOKIE)
    }

    /// Whoever has got hold of every cookie of this browser.
    #[must_use]
    pub fn thief(&self) -> Self {
        let thief = self.elsewhere();
        self.browser.cookies().into_iter().for_each(|cookie| thief.browser.insert_cookie(cookie));
        thief
    }
}

/// How many seconds a page waits, and where it goes then, if it does.
pub fn wait_of(page: &Answer) -> Result<Option<(u64, Url)>> {
    let text = page.text();
    let refresh = text.split_once("<meta http-equiv=\"refresh\" content=\"").map(|(_, rest)| rest);
    let Some((seconds, rest)) = refresh.and_then(|rest| rest.split_once(";url=")) else { return Ok(None) };
    let link = rest.split('"').next().unwrap_or_default().replace("&#38;", "&");
    Ok(Some((seconds.parse()?, page.url.join(&link)?)))
}

/// The address under which WeChat called back in a login.
pub fn callback_of(hops: &[Answer]) -> Result<String> {
    let callback = hops.iter().find(|hop| hop.url.path() == "/callback");
    callback.map(|hop| hop.url.to_string()).ok_or_else(|| Failure::new("nobody called back"))
}
