//! The phone: from the QR code to the tap.

use http::StatusCode;
use login::handoff::{Approved, End, HAND_OFF, HiddenTicket, Numbers, Scan, StoredTicket, Ticket};
use login::pending::{LoginRequest, RequestedScope};
use login::random;
use login::return_to::HAND_ON;
use login::session::{Session, SessionId};
use login::time::Timestamp;
use web::cors::Caller;
use web::handoff::{Confirmed, Question, Told};
use web::link::LoginLink;
use web::query::Query;
use web::reason::Reason;
use web::request::{Device, Form, Request, is_page_load, is_wechat};
use web::response::{Response, redirect, with_cookie};
use web::visit::Visit;

use crate::refusal::{
    APPROVED, ASKED, OUTSIDE_WECHAT, PHONE_LOGIN, Refusal, STARTED_OVER, TAKEN_BACK, TOLD, of_end,
};
use crate::{Handoff, MOST_TRIES};

/// Who is logged in on the phone, with the ticket's Official Account.
struct Person {
    id: SessionId,
    session: Session,
}

/// A phone opens the address that the QR code says, or comes back to it from its own login.
pub(crate) async fn arrive(
    function: &Handoff,
    request: &Request,
    now: Timestamp,
) -> Result<Response, Refusal> {
    if function.page_loads_only && !is_page_load(request.headers()) {
        return Err(Refusal::NotAPage);
    }
    let query = Query::of(request);
    let hidden = query.one("hidden")?;
    let ticket = match &hidden {
        Some(hidden) => opened(function, request, hidden)?,
        None => query.one("ticket")?.as_deref().and_then(Ticket::parse).ok_or(Refusal::Value("ticket"))?,
    };
    // Of the login itself: `/callback` adds it to where it leads back.
    if query.one("error")?.is_some() {
        return Err(Refusal::Denied);
    }
    let id = ticket.id();
    for _ in 0..MOST_TRIES {
        let stored = function.store.logins.ticket(&id).await?.ok_or(Refusal::TicketGone)?;
        if let Some(end) = stored.ended {
            return Ok(told(request, Told::Ended(end)));
        }
        if stored.is_over(now) && stored.approved != Some(Approved::PickedUp) {
            return Ok(told(request, Told::Over));
        }
        let Some(person) = person(function, request, &stored, now).await? else {
            return if hidden.is_some() {
                Err(Refusal::CookieLost)
            } else if !is_wechat(request.headers()) {
                // A camera, another app's scanner, a link that was tapped: WeChat logs nobody in there.
                Ok(OUTSIDE_WECHAT.of(web::handoff::tell(&Visit::of(request), Told::OutsideWechat)))
            } else {
                log_in(function, request, &stored, &ticket, stored.request.scope, now)
            };
        };
        let lacks_profile =
            stored.request.scope == RequestedScope::Profile && person.session.profile.is_none();
        match &stored.scan {
            Some(scan) if scan.session != person.id => return Ok(told(request, Told::AnotherPhone)),
            Some(scan) => {
                let confirmed = Confirmed { ticket: &ticket.expose(), session: scan.session.as_str() };
                return Ok(match &stored.approved {
                    Some(Approved::PickedUp) => told(request, Told::PickedUp),
                    Some(Approved::Sealed(_)) => told(request, Told::Confirmed(confirmed)),
                    None => ask(function, request, &ticket, &stored, scan, now),
                });
            }
            None if lacks_profile && hidden.is_none() => {
                return log_in(function, request, &stored, &ticket, RequestedScope::Profile, now);
            }
            None => {
                let scan = Scan { session: person.id, numbers: Numbers::draw(random::bytes()) };
                // Whoever was first, the ticket says.
                function.store.logins.scan(&id, &scan, now).await?;
            }
        }
    }
    Err(store::Error::Contended.into())
}

/// The person taps, or takes a tap back. Every answer leads to the page that says what it came to, so that nothing is
/// posted twice.
pub(crate) async fn decide(
    function: &Handoff,
    request: &Request,
    now: Timestamp,
) -> Result<Response, Refusal> {
    let own = function.deployment.public_url.as_str();
    let Caller::Trusted(_) = Caller::of(request.headers(), |origin| origin == own) else {
        return Err(Refusal::ForeignOrigin);
    };
    let form = Query::of_form(Form::of(request).ok_or(Refusal::Value("form"))?);
    let ticket = form.one("ticket")?.as_deref().and_then(Ticket::parse).ok_or(Refusal::Value("ticket"))?;
    let named = form.one("session")?.ok_or(Refusal::Value("session"))?;
    let number = form.one("number")?.map(|text| text.parse::<u8>().map_err(|_| Refusal::Value("number")));
    let number = number.transpose()?;
    let takes_back = form.one("undo")?.is_some();

    let back = redirect(StatusCode::SEE_OTHER, &format!("{own}{HAND_OFF}?ticket={}", ticket.expose()));
    let (id, logins) = (ticket.id(), &function.store.logins);
    let stored = logins.ticket(&id).await?.ok_or(Refusal::TicketGone)?;
    let person = person(function, request, &stored, now).await?;
    let Some(person) = person.filter(|person| person.id.as_str() == named) else {
        return Ok(STARTED_OVER.of(back));
    };
    let Some(scan) = stored.scan.as_ref().filter(|scan| scan.session == person.id) else {
        return Ok(STARTED_OVER.of(back));
    };
    let end = match number {
        _ if takes_back => Some(End::TakenBack),
        None => Some(End::Refused),
        Some(number) if number != scan.numbers.right() => Some(End::WrongNumber),
        Some(_) => None,
    };
    let outcome = match end {
        Some(End::TakenBack) => logins.take_back(&id, &person.id, now).await?.then_some(&TAKEN_BACK),
        Some(end) => logins.refuse(&id, end, &person.id, now).await?.then(|| of_end(end)),
        None => {
            let sealed = ticket.seal(&person.session, random::bytes()).ok_or(Refusal::Unsealable)?;
            logins.approve(&id, &person.id, &sealed, now).await?.then_some(&APPROVED)
        }
    };
    Ok(outcome.unwrap_or(&STARTED_OVER).of(back))
}

/// The ticket that this browser hid on its way through its own login.
fn opened(function: &Handoff, request: &Request, hidden: &str) -> Result<Ticket, Refusal> {
    let hidden = HiddenTicket::parse(hidden).ok_or(Refusal::Value("hidden"))?;
    let browser = function.cookies.browser(request.headers()).ok_or(Refusal::CookieLost)?;
    hidden.open(&browser).ok_or(Refusal::CookieLost)
}

/// Who is logged in on this phone with the ticket's app.
async fn person(
    function: &Handoff,
    request: &Request,
    ticket: &StoredTicket,
    now: Timestamp,
) -> Result<Option<Person>, Refusal> {
    let Some(token) = function.cookies.session(request.headers()) else { return Ok(None) };
    let opened = function.store.sessions.open(&token, now).await?;
    // One that was itself handed over hands nothing on: a chain of tickets would end nowhere that anybody looks at.
    let session = opened.map(|(_, session)| session);
    let session = session.filter(|session| session.app == ticket.app && !session.is_handed_over());
    Ok(session.map(|session| Person { id: token.session_id(), session }))
}

/// Sends the phone to log in, as always, and back. What the login's item holds of the ticket only this browser reads.
fn log_in(
    function: &Handoff,
    request: &Request,
    stored: &StoredTicket,
    ticket: &Ticket,
    scope: RequestedScope,
    now: Timestamp,
) -> Result<Response, Refusal> {
    let account = function.account(stored).ok_or(Refusal::NoAccount)?;
    let browser = function.cookies.browser_to_begin(request.headers(), now, random::bytes());
    let hidden = ticket.hide(&browser, random::bytes()).ok_or(Refusal::Unsealable)?;
    // Whatever this browser calls itself: only that app's people approve.
    let app = account.official_account_choice();
    let link = LoginLink {
        request: LoginRequest { scope, app, via_handoff: false, ..stored.request.clone() },
        return_to: account.targets.check(&format!("{HAND_ON}{}", hidden.expose())).ok(),
        ..LoginLink::default()
    };
    let location = link.on(function.deployment.public_url.as_str());
    let response = redirect(StatusCode::FOUND, &location);
    Ok(PHONE_LOGIN.of(with_cookie(response, &function.cookies.set_browser(&browser, now))))
}

fn ask(
    function: &Handoff,
    request: &Request,
    ticket: &Ticket,
    stored: &StoredTicket,
    scan: &Scan,
    now: Timestamp,
) -> Response {
    let own = function.deployment.public_url.as_str();
    let asked = Question {
        ticket: &ticket.expose(),
        session: scan.session.as_str(),
        host: own.split_once("://").map_or(own, |(_, host)| host),
        numbers: scan.numbers.shown(),
        device: Device::stored(&stored.device),
        minutes: now.since(stored.made_at).as_secs() / 60,
    };
    ASKED.of(web::handoff::ask(&Visit::of(request), &asked))
}

fn told(request: &Request, told: Told<'_>) -> Response {
    TOLD.of(web::handoff::tell(&Visit::of(request), told))
}

/// The page of a refusal, on a phone.
pub(crate) fn refused(request: &Request, reason: Reason) -> Response {
    // A tap brings it in its form.
    let query = Form::of(request).map_or_else(|| Query::of(request), Query::of_form);
    let text = |name| query.one(name).ok().flatten();
    let again = text("ticket").and_then(|ticket| Ticket::parse(&ticket)).map(|ticket| ticket.expose());
    let again = again.map(|ticket| format!("{HAND_OFF}?ticket={ticket}"));
    let hidden = || text("hidden").and_then(|hidden| HiddenTicket::parse(&hidden));
    let again = again.or_else(|| hidden().map(|hidden| format!("{HAND_ON}{}", hidden.expose())));
    web::handoff::refuse(&Visit::of(request), reason, again.as_deref())
}
