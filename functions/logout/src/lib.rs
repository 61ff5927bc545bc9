//! `POST /logout`: ends the session.
//!
//! The guards, in the order they run:
//!
//! 1. The request names its origin, and it is an allowed one: no foreign page logs anybody out.
//! 2. The session is deleted first, then the cookie is cleared ([`shared::ending`]).

use http::{Method, StatusCode};
use shared::config::Config;
use shared::cors::Caller;
use shared::ending;
use shared::request::{Request, wants_page};
use shared::response::{self, Outcome, Response};
use shared::runtime::{self, Function};
use shared::store::Store;
use shared::time::Timestamp;

/// The function.
#[derive(Debug)]
pub struct Logout {
    config: Config,
    store: Store,
}

impl Function for Logout {
    const NAME: &'static str = "logout";

    async fn start(config: Config) -> Result<Self, runtime::Error> {
        let store = Store::new(&runtime::aws().await, &config);
        Ok(Self { config, store })
    }

    async fn handle(&self, request: &Request, _now: Timestamp) -> Response {
        let caller = Caller::of(request.headers(), |origin| self.config.accounts.trust(origin));
        match (request.method(), caller) {
            (&Method::OPTIONS, _) => caller.preflight(request, "POST"),
            (_, Caller::Unnamed | Caller::Foreign) => caller.refuse(request),
            (_, Caller::Trusted(_)) => caller.allow(self.end(request).await),
        }
    }
}

impl Logout {
    async fn end(&self, request: &Request) -> Response {
        let cookies = self.config.cookies;
        let deleted = self.store.end_session(cookies.session(request.headers()).as_ref()).await;
        let response = if wants_page(request.headers()) {
            response::redirect(StatusCode::SEE_OTHER, &format!("{}/", self.config.public_url))
        } else {
            response::empty(StatusCode::NO_CONTENT)
        };
        ending::answer(deleted, request, cookies, Outcome::new("logged_out").of(response))
    }
}
