//! What a visitor, and whoever reads the log, must see of one answer.

use harness::{
    Answer, Result,
    places::{SESSION_COOKIE, parameter},
    stack::PUBLIC_URL,
};
use serde_json::Value;
use url::{Url, form_urlencoded::Serializer};

use super::{
    table::{End, Expected, status_of, tells_the_id},
    visit::Visit,
};

impl Visit<'_> {
    /// Whether the callback's answer is this end; what is wrong with it.
    pub fn leads_as(&self, answer: &Answer, end: End) -> Result<(), String> {
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
        let page = |reason: &str| {
            let mut query = Serializer::new(String::new());
            query.append_pair("reason", reason);
            query.append_pair("id", answer.header("x-correlation-id").unwrap_or_default());
            if !self.variation.target.is_empty() {
                query.append_pair("return_to", &self.variation.target());
            }
            format!("{PUBLIC_URL}/error?{}", query.finish())
        };
        let expected = match end {
            End::LoggedIn => format!("{}#", self.variation.target()),
            End::Page(reason) => page(reason),
            End::FreshLogin(reason) if self.variation.attempt > 1 => page(reason),
            End::FreshLogin(_) => {
                // The same link, with the target as it is stored: absolute.
                let absolute = Serializer::new(String::new())
                    .append_pair("return_to", &self.variation.target())
                    .finish();
                let relative = Serializer::new(String::new()).append_pair("return_to", "/cart").finish();
                self.variation.link(2).replace(&relative, &absolute)
            }
            End::Shown | End::ShownStale | End::Problem(_) => return wrong("anything of /userinfo"),
        };
        if is_same_address(location, &expected) { Ok(()) } else { wrong(&expected) }
    }

    /// Looks at the page to which an answer leads, if it leads to one.
    pub async fn look_at_page_of(&self, answer: &Answer) -> Result<()> {
        let Some(url) = answer.redirect()?.filter(|url| url.path() == "/error") else { return Ok(()) };
        let reason = parameter(url.as_str(), "reason");
        let id = answer.header("x-correlation-id").unwrap_or_default();
        let page = self.visitor.browser.get(url.as_str()).await?;
        let (status, text) = (status_of(&reason), page.text());
        let says_when = page.status != 503 || page.header("retry-after").is_some();
        for (is_right, wrong) in [
            (page.status == status, format!("has status {}, not {status}", page.status)),
            (
                !id.is_empty() && text.contains(id) == tells_the_id(&reason),
                format!("tells the id {id:?}, or not"),
            ),
            // The way on from a snapshot is WeChat's own button.
            (
                text.contains("/authorize") != (reason == "snapshot"),
                "offers no way on, or one that is none".to_owned(),
            ),
            (says_when, "does not say when to come back".to_owned()),
        ] {
            self.require(is_right, || format!("the page of {reason:?} {wrong}"));
        }
        Ok(())
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
