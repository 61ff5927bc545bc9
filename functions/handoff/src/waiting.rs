//! The browser that waits: from the QR code to the session.

use http::StatusCode;
use login::account::Account;
use login::handoff::{
    PICK_UP_LIFETIME, PickUpSalt, PickUpSecret, ScriptChoice, Stage, Step, StoredTicket, Ticket,
};
use login::pending::{BrowserSecret, ClaimId, LoginRequest, PendingLogin, RequestedScope, State};
use login::random;
use login::session::{Pepper, Session, StoredSession};
use login::time::Timestamp;
use login::{Sealed, handoff};
use serde::Serialize;
use web::handoff::{Shown, Waiting};
use web::link::LoginLink;
use web::outcome::Outcome;
use web::query::Query;
use web::request::{Device, Request, is_page_load, is_phone, is_wecom, wants_page};
use web::response::{self, Response, redirect, with_cookie};
use web::visit::Visit;

use crate::refusal::{
    ENDED, GIVEN, OVER, PICKED_UP, PICKED_UP_AGAIN, PICKED_UP_BY_ANOTHER, Refusal, SHOWN_AGAIN,
    WAITED_FOR_BY_TWO, WAITING,
};
use crate::{Handoff, MOST_TRIES};

/// A browser that waits for a login that it began.
struct Browser<'a> {
    function: &'a Handoff,
    request: &'a Request,
    secret: BrowserSecret,
    state: State,
    ticket: Ticket,
    /// The pick-up secret in its cookie.
    held: Option<PickUpSecret>,
    now: Timestamp,
}

/// Answers it: the page, or its script.
pub(crate) async fn answer(
    function: &Handoff,
    request: &Request,
    now: Timestamp,
) -> Result<Response, Refusal> {
    let query = Query::of(request);
    let state = query.one("state")?.as_deref().and_then(State::parse).ok_or(Refusal::Value("state"))?;
    let choice = query.one("choice")?.map(|text| ScriptChoice::parse(&text).ok_or(Refusal::Value("choice")));
    let choice = choice.transpose()?;
    let headers = request.headers();
    let secret = function.cookies.browser(headers).ok_or(Refusal::NoBrowser)?;
    let ticket = Ticket::derive(&secret, &state);
    let held = function.cookies.pick_up(headers, &state);
    let browser = Browser { function, request, secret, state, ticket, held, now };
    if !wants_page(headers) {
        return browser.tell_script().await;
    }
    if function.page_loads_only && !is_page_load(headers) {
        return Err(Refusal::NotAPage);
    }
    browser.show(choice).await
}

impl Browser<'_> {
    /// What has happened so far, in a word; it changes nothing.
    async fn tell_script(&self) -> Result<Response, Refusal> {
        #[derive(Serialize)]
        struct Seen {
            stage: &'static str,
        }
        let ticket = self.function.store.logins.ticket(&self.ticket.id()).await?;
        let stage = ticket.map_or(Stage::Over, |ticket| ticket.stage(self.now)).as_str();
        Ok(WAITING.of(response::json(StatusCode::OK, &Seen { stage })))
    }

    async fn show(&self, choice: Option<ScriptChoice>) -> Result<Response, Refusal> {
        let logins = &self.function.store.logins;
        let id = self.ticket.id();
        // Without a script there is no choice, and an answer that is lost is lost; but the repetition of a write is its
        // own.
        let choice = choice.unwrap_or_else(|| ScriptChoice::new(random::bytes()));
        let secret_of = |salt: &PickUpSalt| PickUpSecret::derive(&self.secret, &self.state, &choice, salt);
        let (mut last_end, mut is_given_now) = (None, false);
        for _ in 0..MOST_TRIES {
            let Some(ticket) = logins.ticket(&id).await? else {
                let login = self.login().await?;
                let ticket = made(&login, Device::of(self.request.headers()), self.now);
                // A ticket that ended, and whose item is gone by now, does not begin again.
                if ticket.is_over(self.now) {
                    return Err(Refusal::LoginGone);
                }
                logins.put_ticket(&id, &ticket).await?;
                continue;
            };
            let chosen = ticket.given.as_ref().and_then(|given| given.salt.as_ref()).map(secret_of);
            match ticket.step(self.held.as_ref(), chosen.as_ref(), self.now) {
                Step::Wait => return Ok(self.page(&WAITING, &ticket, Shown::Code(self.code_link())).await),
                Step::Give => {
                    // Read once more, whoever was first: then this browser is shown the number, or another one was
                    // given it.
                    let salt = PickUpSalt::new(random::bytes());
                    is_given_now = logins.give(&id, &secret_of(&salt).digest(), &salt, self.now).await?;
                }
                Step::Show { number, anew } => {
                    let outcome = if is_given_now { &GIVEN } else { &SHOWN_AGAIN };
                    let page = self.page(outcome, &ticket, Shown::Number(number)).await;
                    let chosen = chosen.filter(|_| anew);
                    let cookie = chosen.map(|chosen| self.function.cookies.set_pick_up(&chosen, &self.state));
                    return Ok(cookie.into_iter().fold(page, |page, cookie| with_cookie(page, &cookie)));
                }
                Step::PickUp(sealed) => {
                    if let Some(response) = self.pick_up(&ticket, &sealed).await? {
                        return Ok(response);
                    }
                }
                Step::PickUpAgain => {
                    let held = self.held.as_ref().ok_or(Refusal::LoginGone)?;
                    let (login, token) = (self.login().await?, held.session_token(&self.secret, &self.state));
                    // A logout, or another login, may have ended it since. Its cookie would then open nothing, and take
                    // the place of one that does.
                    let stands = self.function.store.sessions.session(&token.session_id(), self.now).await?;
                    return Ok(PICKED_UP_AGAIN.of(match stands {
                        Some(_) => self.logged_in(&login, held),
                        None => self.arrived(&login),
                    }));
                }
                Step::EndForTwo => {
                    last_end = logins.end_ticket(&id, self.now).await?.then_some(&WAITED_FOR_BY_TWO);
                }
                Step::Ended(end) => {
                    return Ok(self.page(last_end.unwrap_or(&ENDED), &ticket, Shown::Ended(end)).await);
                }
                Step::PickedUpByAnother => {
                    return Ok(self.page(&PICKED_UP_BY_ANOTHER, &ticket, Shown::PickedUpByAnother).await);
                }
                Step::Over => return Ok(self.page(&OVER, &ticket, Shown::Over).await),
            }
        }
        Err(store::Error::Contended.into())
    }

    /// Makes a session of what the phone handed over; `None` if somebody came first.
    async fn pick_up(&self, ticket: &StoredTicket, sealed: &Sealed) -> Result<Option<Response>, Refusal> {
        let held = self.held.as_ref().ok_or(Refusal::LoginGone)?;
        let login = self.login().await?;
        let handed = self.ticket.open(sealed).ok_or(Refusal::Unsealable)?;
        let session = Session { wants_profile: ticket.request.scope == RequestedScope::Auto, ..handed };
        let token = held.session_token(&self.secret, &self.state);
        let sealed = session.seal(&token, random::bytes()).ok_or(Refusal::Unsealable)?;
        let (login_id, pepper) = (self.state.handoff_id(), Pepper::new(random::bytes()));
        let stored = StoredSession::new(sealed, login_id, pepper, self.now, self.function.session_lifetime);
        let replaced = self.function.cookies.session(self.request.headers());
        let replaced = replaced.map(|token| token.session_id());
        let claim_id = ClaimId::new(random::bytes());
        let (id, pick_up) = (token.session_id(), held.digest());
        let store = &self.function.store;
        let is_now = store
            .pick_up(&self.ticket.id(), &pick_up, (&id, &stored), replaced.as_ref(), &claim_id, self.now)
            .await?;
        Ok(is_now.then(|| PICKED_UP.of(self.logged_in(&login, held))))
    }

    /// The session's cookie, and to where the login ends.
    fn logged_in(&self, login: &PendingLogin, held: &PickUpSecret) -> Response {
        let token = held.session_token(&self.secret, &self.state);
        let cookie = self.function.cookies.set_session(&token, self.function.session_lifetime);
        with_cookie(self.arrived(login), &cookie)
    }

    /// To where the login ends.
    fn arrived(&self, login: &PendingLogin) -> Response {
        let end = self.function.deployment.accounts.end_of(login);
        redirect(StatusCode::SEE_OTHER, &end.location())
    }

    /// The login that waits, if this browser began it.
    async fn login(&self) -> Result<PendingLogin, Refusal> {
        let login = self.function.store.logins.login(&self.state.handoff_id()).await?;
        login.filter(|login| login.browser == self.secret.digest()).ok_or(Refusal::LoginGone)
    }

    /// What the QR code says.
    fn code_link(&self) -> String {
        let public_url = self.function.deployment.public_url.as_str();
        format!("{public_url}{}?ticket={}", handoff::HAND_OFF, self.ticket.expose())
    }

    /// The page, with the login that its buttons begin anew.
    async fn page(&self, outcome: &'static Outcome, ticket: &StoredTicket, shown: Shown) -> Response {
        let account = self.function.account(ticket);
        let again = |login: PendingLogin| {
            let return_to = account.and_then(|account| account.targets.check_again(&login.return_to).ok());
            LoginLink { request: login.request, return_to, ..LoginLink::default() }
        };
        // What it asked for is told by the login, which may be gone: then by the address.
        let asked_for = || self.function.asked_for(self.request);
        let (link, report) = match self.login().await {
            Ok(login) => (again(login), outcome.report()),
            Err(Refusal::Store(error)) => {
                (asked_for(), outcome.because(format_args!("the login could not be read: {error}")))
            }
            Err(_) => (asked_for(), outcome.report()),
        };
        let code_link = account.and_then(Account::website_choice).map(|app| {
            let request = LoginRequest { app, via_handoff: false, ..link.request.clone() };
            LoginLink { request, ..link.clone() }.on("")
        });
        // A page with the number is made for `Given`, whatever has happened since: its script has yet to see that.
        let stage = if matches!(shown, Shown::Number(_)) { Stage::Given } else { ticket.stage(self.now) };
        let waiting = Waiting {
            shown,
            stage,
            is_phone: is_phone(self.request.headers()),
            is_wecom: is_wecom(self.request.headers()),
            link: &link.on(""),
            code_link: code_link.as_deref(),
        };
        report.of(web::handoff::wait(&Visit::of(self.request), &waiting))
    }
}

/// A ticket ends before its login by the time in which an approved one can be picked up, for which the login is needed.
fn made(login: &PendingLogin, device: Device, now: Timestamp) -> StoredTicket {
    let end = login.expires_at.epoch_seconds().saturating_sub(PICK_UP_LIFETIME.as_secs());
    let end = Timestamp::from_epoch_seconds(end);
    StoredTicket::new(login.app.clone(), login.request.clone(), device.to_text(), now, end)
}
