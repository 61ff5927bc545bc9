//! WeChat's pages, from the login's redirect back to its callback.

use harness::{
    Failure, Result, Stack,
    browser::{DESKTOP_USER_AGENT, Visit},
};
use simulator::{Action, QrProgress};
use url::Url;

/// Goes through WeChat's page for a login: the person answers the consent page in this word, or scans the
/// QR code and confirms. The callback's address.
///
/// The page is opened by nobody in particular: WeChat knows the person, and not the browser.
pub async fn through(stack: &Stack, page: &str, person: &str, consent: &str) -> Result<String> {
    let visit = Visit::open(page).header("x-simulator-person", person).header("x-simulator-consent", consent);
    let url = Url::parse(page)?;
    let is_qr_page = url.path() == "/connect/qrconnect";
    let browser =
        if is_qr_page { stack.browser().with_user_agent(DESKTOP_USER_AGENT) } else { stack.browser() };
    let answer = browser.send(visit).await?;
    match answer.redirect()? {
        Some(location) => Ok(location.into()),
        None if is_qr_page => scan(stack, &url, person),
        None => Err(Failure::new(format!("WeChat stays at {page}: {}", answer.text()))),
    }
}

/// Somebody scans the QR code of a page and confirms.
fn scan(stack: &Stack, page: &Url, person: &str) -> Result<String> {
    let simulator = stack.simulator();
    let state = page.query_pairs().find(|(name, _)| name == "state").map(|(_, value)| value.into_owned());
    let latest = || {
        let mut codes = simulator.qr_codes();
        codes.retain(|code| Some(&code.state) == state.as_ref());
        codes.pop().ok_or_else(|| Failure::new(format!("no QR code at {page}")))
    };
    let uuid = Some(latest()?.uuid);
    let scanned = Action::Scan { uuid: uuid.clone(), person: Some(person.to_owned()) };
    for action in [scanned, Action::Confirm { uuid }] {
        simulator.attempt(&action).map_err(Failure::new)?;
    }
    match latest()?.progress {
        QrProgress::Confirmed { location, .. } => Ok(location),
        other => Err(Failure::new(format!("not confirmed: {other:?}"))),
    }
}
