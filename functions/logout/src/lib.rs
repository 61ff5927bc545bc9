//! `POST /logout`: ends the session.
//!
//! The guards, in the order they run:
//!
//! 1. The request names its origin, and it is an allowed one: no foreign page logs anybody out.
//! 2. The session is deleted first, then the cookie is cleared ([`web::end_session`]).

use http::{Method, StatusCode};
use lambda::Function;
use lambda::config::Config;
use login::time::Timestamp;
use store::Store;
use web::cors::Caller;
use web::end_session;
use web::request::Request;
use web::request::wants_page;
use web::response;
use web::response::Outcome;
use web::response::Response;

/// The function.
#[derive(Debug)]
pub struct Logout {
    config: Config,
    store: Store,
}

impl Function for Logout {
    const NAME: &'static str = "logout";

    async fn start(config: Config) -> Result<Self, lambda::Error> {
        let store = Store::new(&lambda::aws().await, &config.logins_table, &config.sessions_table);
        Ok(Self { config, store })
    }

    async fn handle(&self, request: &Request, _now: Timestamp) -> Response {
        let caller = Caller::of(request.headers(), |origin| self.config.accounts.trust(origin));
        match (request.method(), caller) {
            (&Method::OPTIONS, _) => caller.preflight(request, "POST"),
            (_, Caller::NoOrigin | Caller::Foreign) => caller.refuse(request),
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
        end_session::answer(deleted, request, cookies, Outcome::new("logged_out").of(response))
    }
}
