//! `/handoff/wait`: a browser waits for a phone that logs it in (`waiting.rs`). `/handoff`: the phone (`phone.rs`).
//! What passes between the two, and why, is in [`login::handoff`].
//!
//! The guards of a phone, in the order they run:
//!
//! 1. The address is opened as a page: no preview, no link scanner and no foreign `<img>` scans anything.
//! 2. The ticket is there and not over.
//! 3. The session is one of the ticket's Official Account; without one the phone logs in first, as always.
//! 4. The first session that scans is the one.
//! 5. To say yes or no takes a form of this stack's own page (the exact `Origin`) that names that session: somebody
//!    else who is logged in by then starts over. One wrong number ends the ticket. Who takes a yes back ends it until
//!    it is picked up.
//!
//! Those of a waiting browser:
//!
//! 1. It holds the secret of the login that `state` names; another browser's ticket is another one.
//! 2. Once the code is scanned, one browser is given the number and the pick-up secret; a second one ends the ticket.
//! 3. Only who holds the pick-up secret picks the login up.
//!
//! This function holds no secret of WeChat's and asks WeChat nothing.

mod phone;
mod refusal;
mod waiting;

use std::time::Duration;

use http::Method;
use lambda::Function;
use login::account::Account;
use login::deployment::Deployment;
use login::handoff::{HAND_OFF, StoredTicket, WAIT};
use login::session;
use login::time::Timestamp;
use settings::{Settings, Wrong};
use store::{Store, Tables};
use web::cookie::Cookies;
use web::link::LoginLink;
use web::outcome::Verdict;
use web::page;
use web::query::Query;
use web::reason::Reason;
use web::request::{CorrelationId, PAGE_LOADS_ONLY, Request, wants_page};
use web::response::{self, Offer, Response};
use web::visit::Visit;

pub use refusal::OUTCOMES;
use refusal::Refusal;

/// How often a step is tried again that met another one; each of them can happen once to a ticket.
const MOST_TRIES: usize = 5;

/// The function.
#[derive(Debug)]
pub struct Handoff {
    deployment: Deployment,
    cookies: Cookies,
    store: Store,
    page_loads_only: bool,
    session_lifetime: Duration,
}

/// What it is set to.
#[derive(Debug)]
pub struct Config {
    deployment: Deployment,
    tables: Tables,
    page_loads_only: bool,
    session_lifetime: Duration,
}

impl Function for Handoff {
    const NAME: &'static str = "handoff";
    const READS_FORMS: bool = true;
    type Config = Config;

    fn configure(settings: &mut Settings<'_>) -> Result<Config, Wrong> {
        let deployment = Deployment::read(settings);
        let tables = Tables::read(settings);
        let page_loads_only = settings.optional(&PAGE_LOADS_ONLY, settings::boolean);
        let session_lifetime = session::lifetime(settings);
        Ok(Config {
            deployment: deployment?,
            tables: tables?,
            page_loads_only: page_loads_only?.unwrap_or(true),
            session_lifetime: session_lifetime?,
        })
    }

    async fn start(config: Config) -> Result<Self, lambda::Error> {
        let aws = lambda::aws().await;
        Ok(Self {
            cookies: Cookies::of(&config.deployment.public_url),
            deployment: config.deployment,
            store: Store::new(&aws, config.tables),
            page_loads_only: config.page_loads_only,
            session_lifetime: config.session_lifetime,
        })
    }

    async fn handle(&self, request: &Request, now: Timestamp) -> Response {
        let answered = match (request.uri().path(), request.method()) {
            (WAIT, _) => waiting::answer(self, request, now).await,
            (HAND_OFF, &Method::POST) => phone::decide(self, request, now).await,
            (HAND_OFF, _) => phone::arrive(self, request, now).await,
            _ => Err(Refusal::NoSuchRoute),
        };
        answered.unwrap_or_else(|refusal| {
            let Verdict { outcome, reason } = refusal.judge();
            outcome.because(&refusal).of(self.interrupted(request, reason))
        })
    }

    fn interrupted(&self, request: &Request, reason: Reason) -> Response {
        if request.uri().path() == HAND_OFF {
            return phone::refused(request, reason);
        }
        if !wants_page(request.headers()) {
            return response::problem(reason, &CorrelationId::of(request), Offer::default());
        }
        page::notice(&Visit::of(request), reason, &self.asked_for(request).on(""))
    }
}

impl Handoff {
    /// The login that a waiting browser began, as its address says it: what a page offers that knows no login.
    fn asked_for(&self, request: &Request) -> LoginLink {
        LoginLink::salvage(Query::of(request), &self.deployment.accounts)
    }

    /// The account that a ticket's app belongs to, if it is still there.
    fn account(&self, ticket: &StoredTicket) -> Option<&Account> {
        self.deployment.accounts.of(&ticket.app)
    }
}
