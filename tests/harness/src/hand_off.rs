//! A hand-off as its two sides have it: a browser that waits, and a phone that scans its code, is asked, and taps.

use http::Method;
use ring::digest::{SHA256, digest};

use crate::{
    Answer, Failure, Result, Visitor,
    browser::Visit,
    places::{AUTHORIZE, parameter},
    stack::PUBLIC_URL,
};

const COMPUTER: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/142.0.0.0 Safari/537.36";

/// What the script of a waiting page chooses.
pub const CHOICE: &str = "4242424242424242424242424242424242424242424242424242424242424242";

/// A browser that waits, and what it shows.
pub struct Waiting {
    /// Who sits in front of it.
    pub visitor: Visitor,
    /// Where it waits.
    pub url: String,
    /// What the QR code says.
    pub code: String,
}

impl Waiting {
    /// Begins a login that a phone is to make.
    ///
    /// # Errors
    ///
    /// [`Failure`] if that does not lead to the page that waits.
    pub async fn begin(visitor: Visitor, query: &str) -> Result<Self> {
        let visitor = visitor.with_user_agent(COMPUTER);
        let hops = visitor.browser.follow(&format!("{AUTHORIZE}?{query}")).await?;
        let page = hops.last().ok_or_else(|| Failure::new("no answer"))?;
        if (page.status, page.url.path()) != (200, "/handoff/wait") {
            return Err(Failure::new(format!("no page that waits: {} {}", page.status, page.url)));
        }
        let url = page.url.to_string();
        let text = page.text();
        let code = text.split("<p class=\"link\">").nth(1).and_then(|rest| rest.split('<').next());
        let code = code.ok_or_else(|| Failure::new("no link"))?.to_owned();
        Ok(Self { visitor, url, code })
    }

    /// The name of the cookie that picks its login up.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the address names no login.
    pub fn cookie(&self) -> Result<String> {
        let state = parameter(&self.url, "state");
        let digest = digest(&SHA256, state.as_bytes());
        let start = digest.as_ref().first_chunk::<4>().ok_or_else(|| Failure::new("no digest"))?;
        Ok(format!("__Host-handoff-{:08x}", u32::from_be_bytes(*start)))
    }

    /// What its script is told.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it is not answered.
    pub async fn stage(&self) -> Result<String> {
        stage(&self.visitor, &self.url).await
    }

    /// The page, opened anew as its script does with this choice, or as a page without a script does.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it is not answered.
    pub async fn open(&self, choice: Option<&str>) -> Result<Answer> {
        let choice = choice.map(|choice| format!("&choice={choice}")).unwrap_or_default();
        self.visitor.open(&format!("{}{choice}", self.url)).await
    }

    /// The number that it shows, once its script has seen that the code was scanned.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it is not answered.
    pub async fn number(&self) -> Result<u8> {
        number(&self.open(Some(CHOICE)).await?)
    }
}

/// How far a waiting page is, as its script is told.
///
/// # Errors
///
/// [`Failure`] if it is not answered.
pub async fn stage(visitor: &Visitor, url: &str) -> Result<String> {
    let visit = Visit::fetch(Method::GET, url, PUBLIC_URL).header("accept", "application/json");
    let answer = visitor.send(visit).await?;
    Ok(answer.json()?["stage"].as_str().unwrap_or_default().to_owned())
}

/// The number that a waiting page shows.
///
/// # Errors
///
/// [`Failure`] if it is another page.
pub fn number(page: &Answer) -> Result<u8> {
    let text = page.text();
    let number = text.split("class=\"number\">").nth(1).and_then(|rest| rest.split('<').next());
    number.and_then(|number| number.parse().ok()).ok_or_else(|| Failure::new(format!("no number: {text}")))
}

/// The form of a phone's page.
#[derive(Clone)]
pub struct Form {
    /// The ticket.
    pub ticket: String,
    /// The session that is asked.
    pub session: String,
    /// The numbers to tap, in their order.
    pub numbers: Vec<u8>,
}

/// The form of a phone's page.
///
/// # Errors
///
/// [`Failure`] if it is another page.
pub fn form(page: &Answer) -> Result<Form> {
    let text = page.text();
    let value = |name: &str| {
        let value = text.split(&format!("name=\"{name}\" value=\"")).nth(1)?.split('"').next()?;
        Some(value.to_owned())
    };
    let numbers = text.split("name=\"number\" value=\"").skip(1);
    let numbers = numbers.filter_map(|rest| rest.split('"').next()?.parse().ok()).collect();
    let (ticket, session) =
        value("ticket").zip(value("session")).ok_or_else(|| Failure::new(format!("no form: {text}")))?;
    Ok(Form { ticket, session, numbers })
}

/// A phone scans the code, logs in if it must, and is asked.
///
/// # Errors
///
/// [`Failure`] if it is not answered.
pub async fn scan(phone: &Visitor, code: &str) -> Result<Answer> {
    let hops = phone.follow(code).await?;
    hops.into_iter().last().ok_or_else(|| Failure::new("no answer"))
}

/// Taps a number, or says no; the page that this leads to.
///
/// # Errors
///
/// [`Failure`] if it is not answered.
pub async fn tap(phone: &Visitor, form: &Form, number: Option<u8>) -> Result<Answer> {
    let number = number.map(|number| number.to_string());
    post(phone, form, number.as_deref().map(|number| ("number", number))).await
}

/// Takes back what was confirmed; the page that this leads to.
///
/// # Errors
///
/// [`Failure`] if it is not answered.
pub async fn take_back(phone: &Visitor, form: &Form) -> Result<Answer> {
    post(phone, form, Some(("undo", "1"))).await
}

async fn post(phone: &Visitor, form: &Form, field: Option<(&str, &str)>) -> Result<Answer> {
    let mut fields = vec![("ticket", &*form.ticket), ("session", &*form.session)];
    fields.extend(field);
    let answer = phone.send(Visit::form(&format!("{PUBLIC_URL}/handoff"), PUBLIC_URL, &fields)).await?;
    if answer.status != 303 {
        return Ok(answer);
    }
    let location = answer.location().unwrap_or_default().to_owned();
    phone.open(&location).await
}

/// Whether a page has this heading.
#[must_use]
pub fn is_titled(page: &Answer, title: &str) -> bool {
    page.text().contains(&format!("<h1>{title}</h1>"))
}
