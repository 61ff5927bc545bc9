//! What answers in a function's stead when the function cannot work.
//!
//! A process that ends is started again by Lambda for every request: slow, billed, and what the visitor sees is API
//! Gateway's bare 500. So the process stays, and says to everybody that the login is set up wrongly, with the id by
//! which the operator finds the line. What is wrong is in the line at start, once for each process.

use std::marker::PhantomData;

use login::time::Timestamp;
use settings::{Settings, Wrong};
use web::link;
use web::outcome::Outcome;
use web::page;
use web::reason::Reason;
use web::request::{Request, wants_page};
use web::response::{self, Response};
use web::visit::Visit;

use crate::{Error, Function};

/// Where a login comes back to.
const CALLBACK: &str = "/callback";

/// In the stead of `F`, and under its name.
pub(crate) struct Unfit<F> {
    outcome: &'static Outcome,
    function: PhantomData<fn() -> F>,
}

impl<F> Unfit<F> {
    /// One that logs each request as `outcome`.
    pub(crate) const fn because(outcome: &'static Outcome) -> Self {
        Self { outcome, function: PhantomData }
    }
}

impl<F: Function> Function for Unfit<F> {
    const NAME: &'static str = F::NAME;
    type Config = ();

    fn configure(_settings: &mut Settings<'_>) -> Result<(), Wrong> {
        Ok(())
    }

    async fn start((): ()) -> Result<Self, Error> {
        Ok(Self::because(&crate::NOT_STARTED))
    }

    async fn handle(&self, request: &Request, _now: Timestamp) -> Response {
        self.outcome.of(self.interrupted(request, Reason::Misconfigured))
    }

    /// What was opened is what is offered again, but for a callback, whose login is over by the time that the settings
    /// are right.
    fn interrupted(&self, request: &Request, reason: Reason) -> Response {
        match request.uri().path() {
            link::AUTHORIZE | CALLBACK if wants_page(request.headers()) => {
                let opened =
                    request.uri().path_and_query().filter(|_| request.uri().path() == link::AUTHORIZE);
                page::notice(
                    &Visit::of(request),
                    reason,
                    opened.map_or(link::AUTHORIZE, |link| link.as_str()),
                )
            }
            _ => response::refuse(request, reason),
        }
    }
}
