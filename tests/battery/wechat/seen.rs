//! What a visitor, and whoever reads the log, must see of one answer.

use harness::{
    Answer, Result,
    places::{AUTHORIZE, SESSION_COOKIE, parameter},
    stack::PUBLIC_URL,
    visitor::wait_of,
};
use serde_json::Value;
use url::{Url, form_urlencoded::Serializer};

use super::{
    table::{End, Expected, tells_the_id},
    variation::Turn,
    visit::Visit,
};
use crate::oracle::button;

/// How often a login waits, and how long each time.
const WAITS: [u64; 3] = [3, 6, 12];

impl Visit<'_> {
    /// Whether the callback's answer to a login is this end; what is wrong with it.
    pub fn leads_as(&self, answer: &Answer, end: End, turn: Turn) -> Result<(), String> {
        let location = answer.location().unwrap_or_default();
        let wrong = |expected: &str| {
            Err(format!("{} {location} with {:?}, not {expected}", answer.status, answer.set_cookies()))
        };
        let cookies = answer.set_cookies();
        let is_logged_in = matches!(end, End::LoggedIn);
        let has_cookie = cookies.len() == 1
            && cookies.iter().all(|cookie| cookie.starts_with(&format!("{SESSION_COOKIE}=")));
        if answer.status != 303 || has_cookie != is_logged_in || cookies.is_empty() == is_logged_in {
            return wrong(&format!("a 303 to {end:?}"));
        }
        let page = |reason: &str, turn| {
            let mut query = Serializer::new(format!("{PUBLIC_URL}/error?"));
            query.append_pair("reason", reason);
            query.append_pair("id", answer.header("x-correlation-id").unwrap_or_default());
            self.variation.link_again(&format!("{}&", query.finish()), turn)
        };
        let is_silent = self.variation.scope.is_silent();
        let expected = match end {
            End::LoggedIn | End::Joins => format!("{}#", self.variation.target()),
            End::FreshLogin(_) if is_silent && turn.attempt == 1 => {
                self.variation.link_again(&format!("{AUTHORIZE}?"), Turn { attempt: 2, ..turn })
            }
            End::Page(reason) | End::FreshLogin(reason) => page(reason, Turn::FIRST),
            End::Waits if is_silent && turn.waits < 3 => {
                page("code_repeated", Turn { waits: turn.waits + 1, ..turn })
            }
            End::Waits => page("login_expired", Turn::FIRST),
            End::Shown | End::ShownStale | End::Problem(_) => return wrong("anything of /userinfo"),
        };
        if is_same_address(location, &expected) { Ok(()) } else { wrong(&expected) }
    }

    /// Goes on from an answer of a login that was not finished: the link that begins the next one, and where that
    /// stands. WeChat's clock goes on where a page waits. `None` if there is no way on but WeChat's own.
    pub async fn go_on(&self, answer: &Answer, turn: Turn) -> Result<Option<(String, Turn)>> {
        let Some(url) = answer.redirect()? else { return Ok(None) };
        if url.path() == "/error" {
            return self.look_at(&url, answer, turn).await;
        }
        let is_fresh = url.path() == "/authorize";
        Ok(is_fresh.then(|| (url.into(), Turn { attempt: 2, ..turn })))
    }

    /// Looks at the page to which an answer leads, and presses its button, or waits where it waits.
    async fn look_at(&self, url: &Url, answer: &Answer, turn: Turn) -> Result<Option<(String, Turn)>> {
        let reason = parameter(url.as_str(), "reason");
        let id = answer.header("x-correlation-id").unwrap_or_default();
        let page = self.visitor.browser.get(url.as_str()).await?;
        let wait = wait_of(&page)?;
        let next = if wait.is_some() { Turn { waits: turn.waits + 1, ..turn } } else { Turn::FIRST };
        let pressed = button(&page).map(|link| page.url.join(&link)).transpose()?;
        let link = self.variation.link_again(&format!("{AUTHORIZE}?"), next);
        let is_html = page.header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
        let seconds = usize::try_from(turn.waits).ok().and_then(|waits| WAITS.get(waits));
        for (is_right, wrong) in [
            // It is the page that was asked for, whatever it says.
            (
                page.status == 200 && is_html,
                format!("is a {} of {:?}", page.status, page.header("content-type")),
            ),
            (
                !id.is_empty() && page.text().contains(id) == tells_the_id(&reason),
                format!("tells the id {id:?}, or not"),
            ),
            (
                match &pressed {
                    Some(pressed) => is_same_address(pressed.as_str(), &link),
                    // The way on from a snapshot is WeChat's own button.
                    None => reason == "snapshot" && !page.text().contains("/authorize"),
                },
                format!("offers {:?}, not {link}", pressed.as_ref().map(Url::as_str)),
            ),
            (
                match &wait {
                    Some((wait, link)) => Some(wait) == seconds && pressed.as_ref() == Some(link),
                    None => reason != "code_repeated",
                },
                format!("waits as {wait:?}"),
            ),
        ] {
            self.require(is_right, || format!("the page of {reason:?} {wrong}"));
        }
        if let Some((seconds, _)) = wait {
            self.stack.simulator().advance(seconds);
        }
        Ok(pressed.map(|pressed| (pressed.into(), next)))
    }

    /// What is wrong with the line of the log that has the visitor's correlation id.
    pub async fn logged(
        &self,
        answer: &Answer,
        function: &str,
        expected: &Expected,
    ) -> Result<Option<String>> {
        let id = answer.header("x-correlation-id").unwrap_or_default();
        let line = self.stack.logs().wait_for(&format!("\"correlation_id\":\"{id}\"")).await?;
        let fields: Value = serde_json::from_str(&line.text)?;
        let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let level = if expected.is_alarm { "ERROR" } else { "INFO" };
        let errcode = fields.get("errcode").and_then(Value::as_i64);
        let is_right = line.function == function
            && text("outcome") == expected.outcome
            && text("level") == level
            && errcode == expected.errcode;
        let said = format!("{} {} {errcode:?} by {}", text("level"), text("outcome"), line.function);
        let should = format!("{level} {} {:?} by {function}", expected.outcome, expected.errcode);
        Ok((!is_right).then(|| format!("the log says {said}, not {should}")))
    }
}

/// Whether two addresses are the same, in whichever order they say it.
fn is_same_address(one: &str, other: &str) -> bool {
    let read = |text: &str| {
        let url = Url::parse(text).ok()?;
        let mut pairs: Vec<_> = url.query_pairs().into_owned().collect();
        pairs.sort();
        Some((url.origin(), url.path().to_owned(), pairs, url.fragment().map(str::to_owned)))
    };
    one == other || read(one).is_some_and(|read_one| Some(read_one) == read(other))
}
