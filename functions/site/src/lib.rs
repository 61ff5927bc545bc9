//! What a browser, or WeChat's console, must find on the domain: `/`, `/error` and `/MP_verify_*.txt`.
//!
//! This function touches nothing: no table, no secret, no other host.

use http::StatusCode;
use lambda::Function;
use lambda::config::Config;
use login::account::Choice;
use login::pending::LoginRequest;
use login::time::Timestamp;
use web::language::Language;
use web::page;
use web::query::Query;
use web::reason::Reason;
use web::request::CorrelationId;
use web::request::Request;
use web::response::Outcome;
use web::response::Response;
use web::response::text;

/// The function.
#[derive(Debug)]
pub struct Site {
    config: Config,
}

impl Function for Site {
    const NAME: &'static str = "site";

    async fn start(config: Config) -> Result<Self, lambda::Error> {
        Ok(Self { config })
    }

    async fn handle(&self, request: &Request, _now: Timestamp) -> Response {
        match request.uri().path() {
            "/" => self.home(request),
            "/error" => self.error(request),
            path => self.file(request, path.trim_start_matches('/')),
        }
    }
}

impl Site {
    /// A small page that links to the login. Whether the cookie still opens a session is not asked.
    fn home(&self, request: &Request) -> Response {
        let has_session = self.config.cookies.session(request.headers()).is_some();
        let was_denied =
            Query::of(request).one("error") == Ok(Some(Reason::AccessDenied.as_str().to_owned()));
        Outcome::new("home").of(page::home(Language::of(request.headers()), has_session, was_denied))
    }

    /// The page `/callback` sends a browser to when a login does not go through. What the query says
    /// is a choice among our own words; of the visitor's text only a plain id is shown.
    fn error(&self, request: &Request) -> Response {
        let query = Query::of(request);
        let text = |name| query.one(name).ok().flatten();
        let reason =
            text("reason").and_then(|reason| Reason::parse(&reason)).unwrap_or(Reason::InvalidRequest);
        let id =
            text("id").and_then(|id| CorrelationId::parse(&id)).unwrap_or_else(|| CorrelationId::of(request));
        let app = text("app").filter(|app| Choice::parse(app).is_some());
        let choice = app.as_deref().and_then(Choice::parse).unwrap_or_default();
        let account = self.config.accounts.choose(&choice);
        let return_to = account.and_then(|account| account.targets.check(&text("return_to")?).ok());
        let login = LoginRequest { app: app.filter(|_| account.is_some()), ..LoginRequest::default() };
        let link = page::authorize_link("", return_to.as_ref(), &login, None);
        Outcome::new("error_page").of(page::notice(reason, Language::of(request.headers()), &id, &link))
    }

    /// A file that proves to WeChat's console whose domain this is.
    fn file(&self, request: &Request, name: &str) -> Response {
        match self.config.site_verification.iter().find(|verification| verification.file == name) {
            Some(verification) => {
                Outcome::new("site_verification").of(text(StatusCode::OK, verification.content.clone()))
            }
            None => {
                let id = CorrelationId::of(request);
                Outcome::new("not_found").of(page::notice(
                    Reason::NotFound,
                    Language::of(request.headers()),
                    &id,
                    page::AUTHORIZE,
                ))
            }
        }
    }
}
