//! Questions of `/userinfo` that meet the script: one, or one after the other, as a script of a page and as a person.

use std::time::Duration;

use harness::{Answer, Failure, Result, places::USERINFO, stack::PAGE_ORIGIN};

use crate::row::clock;

use super::{
    scripts::Meaning,
    table::{Calls, End, Expected, asked_again, status_of, tells_the_id},
    variation::Turn,
    visit::{BUDGET, PERSON, Visit},
};

/// How long all may take that one request asks WeChat, where nothing else can say whether the grant stands.
const VERIFICATION_BUDGET: Duration = Duration::from_secs(5);

/// What a process may have taken for silence, by the clock outside of it.
const NOTED: Duration = Duration::from_millis(800);

impl Visit<'_> {
    /// The questions.
    pub async fn ask(&self, expected: &Expected) -> Result<()> {
        let callback = self.visitor.come_back(&self.variation.link(Turn::FIRST)).await?;
        let answer = self.visitor.call_back(&callback).await?;
        if self.visitor.session().is_none() {
            return Err(Failure::new(format!("{PERSON} is not logged in: {:?}", answer.location())));
        }
        for round in 0..self.variation.rounds {
            let expected = if round > 0 { asked_again(expected, self.script.meaning) } else { *expected };
            // A script of a page and a person in turn.
            let as_page = self.variation.as_page != (round % 2 == 1);
            let began = clock();
            self.ask_once(&expected, as_page).await?;
            // On a machine that is busy three answers that are none may take so long that the process remembers them,
            // as it remembers silence: for some seconds, and what is asked next is another story.
            let is_noted = self.script.meaning == Meaning::InDoubt && began.elapsed() >= NOTED;
            let is_last = round + 1 == self.variation.rounds;
            if is_noted || is_last && self.script.meaning == Meaning::Late {
                self.stack.functions().kill_all("userinfo").await;
            }
        }
        Ok(())
    }

    async fn ask_once(&self, expected: &Expected, as_page: bool) -> Result<()> {
        let browser = &self.visitor.browser;
        let url = format!("{USERINFO}?verify={}", self.variation.verifies);
        let began = self.begin();
        let answer =
            if as_page { browser.get(&url).await? } else { browser.fetch(&url, PAGE_ORIGIN).await? };
        let budget = if self.variation.verifies { VERIFICATION_BUDGET } else { BUDGET };
        let is_remembered = expected.calls == Calls::default();
        self.require_in_time(began, if is_remembered { Duration::ZERO } else { budget });
        self.require_calls(expected.calls);
        let logged = self.logged(&answer, "userinfo", expected).await?;
        self.require(logged.is_none(), || logged.unwrap_or_default());
        let (status, reason) = match expected.end {
            End::Problem(reason) => (status_of(reason), Some(reason)),
            _ => (200, None),
        };
        if answer.status != status {
            self.require(false, || format!("{}, not {status}: {}", answer.status, answer.text()));
            return Ok(());
        }
        // Not even the cookie of a session whose grant is gone is touched: it may be a new one by now.
        let cookies = answer.set_cookies();
        self.require(cookies.is_empty(), || format!("cookies: {cookies:?}"));
        let says_when = status != 503 || answer.header("retry-after").is_some();
        self.require(says_when, || "it does not say when to come back".to_owned());
        self.require_form(&answer, reason, as_page);
        match reason {
            Some(reason) => self.require_reason(&answer, reason, as_page),
            None => self.require_shown(&answer, as_page),
        }
    }

    /// Whatever happened, it is answered in the form in which it was asked.
    fn require_form(&self, answer: &Answer, reason: Option<&str>, as_page: bool) {
        let form = match reason {
            _ if as_page => "text/html",
            Some(_) => "application/problem+json",
            None => "application/json",
        };
        let is_right = answer.header("content-type").is_some_and(|kind| kind.starts_with(form));
        self.require(is_right, || format!("{:?} is no {form}", answer.header("content-type")));
        let origin = answer.header("access-control-allow-origin");
        self.require(origin == (!as_page).then_some(PAGE_ORIGIN), || format!("{origin:?} may read it"));
    }

    fn require_reason(&self, answer: &Answer, reason: &str, as_page: bool) -> Result<()> {
        let id = answer.header("x-correlation-id").unwrap_or_default();
        if as_page {
            let is_told = answer.text().contains(id);
            // Only who is not logged in is offered a login; else the page itself is opened once more.
            let next = if reason == "not_logged_in" { "href=\"/authorize" } else { "href=\"\"" };
            let is_right = is_told == tells_the_id(reason) && answer.text().contains(next);
            self.require(is_right, || format!("the page of {reason} tells the id {id:?}, or not"));
            return Ok(());
        }
        let problem = answer.json()?;
        let text = |name: &str| problem.get(name).and_then(serde_json::Value::as_str);
        let is_right = text("type") == Some(format!("urn:wechat-login:{reason}").as_str())
            && text("correlation_id") == Some(id)
            && (reason != "not_logged_in" || text("authorize_url").is_some());
        self.require(is_right, || format!("{problem}, not {reason}"));
        Ok(())
    }

    fn require_shown(&self, answer: &Answer, as_page: bool) -> Result<()> {
        let openid = self.visitor.openid_at(self.variation.scope.appid());
        let shown = answer.text();
        self.require(shown.contains(&openid), || format!("not {PERSON}: {shown}"));
        if !as_page {
            self.require_nickname(&answer.json()?);
        }
        Ok(())
    }
}
