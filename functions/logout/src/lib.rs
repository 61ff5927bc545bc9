//! `POST /logout`: ends the session.
//!
//! The guards, in the order they run:
//!
//! 1. The request names its origin, and it is an allowed one: no foreign page logs anybody out. A form that does not
//!    say where it stands may be an allowed page's all the same: the person is asked, on a page of this stack.
//! 2. `return_to`, in the query of the form's action, is a page where a login may end; nobody is logged out on the way
//!    to any other.
//! 3. The session is deleted first, then the cookie is cleared ([`web::end_session`]).

use http::{Method, StatusCode};
use lambda::Function;
use login::deployment::TrustedOrigins;
use login::random;
use login::return_to::{ReturnTo, ReturnToError};
use login::time::Timestamp;
use settings::{Settings, Wrong};
use store::{SESSIONS_TABLE, Sessions, TableName};
use thiserror::Error;
use web::cookie::Cookies;
use web::cors::Caller;
use web::end_session;
use web::link;
use web::outcome::Verdict;
use web::page;
use web::query::{Query, QueryError};
use web::reason::Reason;
use web::request::{Request, wants_page};
use web::response::{self, Response};
use web::visit::Visit;

/// The function.
#[derive(Debug)]
pub struct Logout {
    origins: TrustedOrigins,
    cookies: Cookies,
    sessions: Sessions,
}

/// What it is set to.
#[derive(Debug)]
pub struct Config {
    origins: TrustedOrigins,
    sessions_table: TableName,
}

/// Why nobody is logged out.
#[derive(Debug, Error)]
enum Refusal {
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error(transparent)]
    Target(#[from] ReturnToError),
}

web::outcomes! {
    LOGGED_OUT = Info "logged_out" ["the session is deleted, or there was none"] ["会话已删除，或本来就没有"];
    ASKED = Info "logout_asked" ["a form that does not say of which page it is: the person is asked", "if it is every logout: a `Referrer-Policy` of the page that hides it, `no-referrer` or `same-origin`"] ["表单没有说明自己来自哪个网页：先询问用户", "如果每次退出都这样：网页的 `Referrer-Policy` 隐藏了它的源（origin）：`no-referrer` 或 `same-origin`"];
    RETURN_TO_REFUSED = Info "return_to_refused" ["`return_to` leads where it may not; nobody is logged out", "correct the form's action, or add the origin to `AllowedOrigins`"] ["`return_to` 指向不允许的地方；没有退出登录", "请改正表单的 action，或把它的源加入 `AllowedOrigins`"];
}

impl Function for Logout {
    const NAME: &'static str = "logout";
    type Config = Config;

    fn configure(settings: &mut Settings<'_>) -> Result<Config, Wrong> {
        let origins = TrustedOrigins::read(settings);
        let sessions_table = settings.required(&SESSIONS_TABLE, TableName::parse);
        Ok(Config { origins: origins?, sessions_table: sessions_table? })
    }

    async fn start(config: Config) -> Result<Self, lambda::Error> {
        let sessions = Sessions::new(&lambda::aws().await, config.sessions_table);
        Ok(Self { cookies: Cookies::of(&config.origins.public_url), origins: config.origins, sessions })
    }

    async fn handle(&self, request: &Request, now: Timestamp) -> Response {
        let caller = Caller::of(request.headers(), |origin| self.origins.trust(origin));
        match (request.method(), caller) {
            (&Method::OPTIONS, _) => caller.preflight(request, "POST"),
            (_, Caller::Trusted(_)) => caller.allow(self.end(request, now).await),
            (_, Caller::Foreign) if Caller::hides(request.headers()) && wants_page(request.headers()) => {
                self.ask(request)
            }
            (_, Caller::NoOrigin | Caller::Foreign) => caller.refuse(request),
        }
    }

    fn interrupted(&self, request: &Request, reason: Reason) -> Response {
        let caller = Caller::of(request.headers(), |origin| self.origins.trust(origin));
        caller.allow(response::refuse(request, reason))
    }
}

impl Refusal {
    const fn judge(&self) -> Verdict {
        let (outcome, reason) = match self {
            Self::Query(_) | Self::Target(_) => (&RETURN_TO_REFUSED, Reason::ReturnToRefused),
        };
        Verdict { outcome, reason }
    }

    fn answer(&self, request: &Request) -> Response {
        let Verdict { outcome, reason } = self.judge();
        let response = match self {
            Self::Target(ReturnToError::Origin) if wants_page(request.headers()) => {
                page::unregistered_elsewhere(request)
            }
            Self::Query(_) | Self::Target(_) => response::refuse(request, reason),
        };
        outcome.because(self).of(response)
    }
}

impl Logout {
    /// Guards 2 and 3.
    async fn end(&self, request: &Request, now: Timestamp) -> Response {
        let target = match self.target(request) {
            Ok(target) => target,
            Err(refusal) => return refusal.answer(request),
        };
        let session = self.cookies.session(request.headers());
        let deleted = self.sessions.end_session(session.as_ref()).await;
        let response = if wants_page(request.headers()) {
            response::redirect(StatusCode::SEE_OTHER, &self.end_of(target))
        } else {
            response::empty(StatusCode::NO_CONTENT)
        };
        end_session::answer(deleted, request, self.cookies, now, random::bytes(), LOGGED_OUT.of(response))
    }

    /// Guard 2, and the page whose own form says where it stands; where nobody is logged in there is nothing to ask.
    fn ask(&self, request: &Request) -> Response {
        match self.target(request) {
            Ok(target) if self.cookies.session(request.headers()).is_none() => {
                LOGGED_OUT.of(response::redirect(StatusCode::SEE_OTHER, &self.end_of(target)))
            }
            Ok(target) => {
                let target = target.as_ref().map(ReturnTo::as_str);
                ASKED.of(page::log_out(&Visit::of(request), &link::log_out(target), target))
            }
            Err(refusal) => refusal.answer(request),
        }
    }

    fn end_of(&self, target: Option<ReturnTo>) -> String {
        target.map_or_else(|| format!("{}/", self.origins.public_url.as_str()), |target| target.location())
    }

    /// Where a browser goes on that has logged out; `None` for the front page.
    fn target(&self, request: &Request) -> Result<Option<ReturnTo>, Refusal> {
        let asked = Query::of(request).one("return_to")?;
        Ok(asked.map(|text| self.origins.targets().check(&text)).transpose()?)
    }
}
