//! `GET /authorize`: begins a login and sends the browser to WeChat.
//!
//! The guards, in the order they run:
//!
//! 1. The address is opened as a page of its own: no foreign `<img>` starts a login.
//! 2. `app` names an account of ours, `return_to` is one of its targets, `scope`, `lang` and the
//!    switches are words we know; nothing is written for a request that is refused.
//! 3. A browser that no app of the account serves is asked to open the same link in WeChat.
//! 4. The login is stored, tied to this browser; without a stored login nobody is sent to WeChat.
//!
//! This function holds no secret and calls nobody but the table of logins.

use http::StatusCode;
use lambda::Function;
use lambda::config::Config;
use login::account::App;
use login::account::AppChoice;
use login::account::Choice;
use login::pending::BrowserSecret;
use login::pending::LOGIN_LIFETIME;
use login::pending::LoginRequest;
use login::pending::MOST_ROUNDS;
use login::pending::PendingLogin;
use login::pending::RequestedScope;
use login::pending::State;
use login::random;
use login::return_to::ReturnToError;
use login::time::Timestamp;
use store::Store;
use thiserror::Error;
use web::language::Language;
use web::page;
use web::query::Query;
use web::query::QueryError;
use web::reason::Reason;
use web::request::CorrelationId;
use web::request::Request;
use web::request::is_page_load;
use web::request::is_wechat;
use web::response::Outcome;
use web::response::Response;
use web::response::redirect;
use web::response::with_cookie;
use wechat::Lang;
use wechat::Scope;
use wechat::authorize_url;
use wechat::authorize_url::Switches;

/// The function.
#[derive(Debug)]
pub struct Authorize {
    config: Config,
    store: Store,
}

/// Why no login begins.
#[derive(Debug, Error)]
enum Refusal {
    #[error("not opened as a page")]
    NotAPage,
    #[error(transparent)]
    ReturnTo(#[from] ReturnToError),
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error("the parameter {0} has a value that is not allowed")]
    Value(&'static str),
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Function for Authorize {
    const NAME: &'static str = "authorize";

    async fn start(config: Config) -> Result<Self, lambda::Error> {
        let store = Store::new(&lambda::aws().await, &config.logins_table, &config.sessions_table);
        Ok(Self { config, store })
    }

    async fn handle(&self, request: &Request, now: Timestamp) -> Response {
        match self.begin(request, now).await {
            Ok(response) => response,
            Err(refusal) => refusal.answer(request),
        }
    }
}

impl Authorize {
    async fn begin(&self, request: &Request, now: Timestamp) -> Result<Response, Refusal> {
        if !is_page_load(request.headers()) {
            return Err(Refusal::NotAPage);
        }
        let query = Query::of(request);
        let choice = one_of(query, "app", Choice::parse)?.unwrap_or_default();
        let account = self.config.accounts.choose(&choice).ok_or(Refusal::Value("app"))?;
        let target = query.one("return_to")?.map(|text| account.targets.check(&text)).transpose()?;
        let login = LoginRequest {
            scope: one_of(query, "scope", RequestedScope::parse)?.unwrap_or_default(),
            app: query.one("app")?,
        };
        let lang = one_of(query, "lang", Lang::parse)?;
        let round = one_of(query, "attempt", round)?.unwrap_or(1);
        let switches = Switches {
            connect_redirect: self.config.connect_redirect,
            force_popup: one_of(query, "forcePopup", boolean)?.unwrap_or(false),
            force_snap_shot: one_of(query, "forceSnapShot", boolean)?.unwrap_or(false),
        };

        let app = match account.choose_app(&choice, is_wechat(request.headers())) {
            AppChoice::App(app) => app,
            AppChoice::OpenInWechat => {
                let link = page::authorize_link(&self.config.public_url, target.as_ref(), &login, lang);
                let page = page::open_in_wechat(Language::of(request.headers()), &link);
                return Ok(Outcome::new("open_in_wechat").of(page));
            }
            AppChoice::Unknown => return Err(Refusal::Value("app")),
        };
        let scope = match &app {
            App::OfficialAccount(_) => login.scope.scope(),
            App::Website(_) => Scope::Login,
        };

        // One secret a browser, not one a login: tabs that log in side by side must not break each other.
        let cookies = self.config.cookies;
        let browser =
            cookies.browser(request.headers()).unwrap_or_else(|| BrowserSecret::new(random::bytes()));
        let state = State::new(random::bytes());
        let login = PendingLogin {
            browser: browser.digest(),
            app: app.id().clone(),
            scope,
            request: login,
            lang,
            return_to: target.unwrap_or_else(|| account.default_return_to.clone()).as_str().to_owned(),
            round,
            expires_at: now.plus(LOGIN_LIFETIME),
        };
        self.store.put_login(&state.login_id(), &login).await?;

        let redirect_uri = format!("{}/callback", self.config.public_url);
        let open_url = &self.config.wechat_open_url;
        let location = match &app {
            App::OfficialAccount(app) => {
                let component = account.component.as_ref();
                authorize_url::official_account(
                    open_url,
                    app,
                    &redirect_uri,
                    scope,
                    &state.expose(),
                    switches,
                    component,
                )
            }
            App::Website(app) => authorize_url::website(open_url, app, &redirect_uri, &state.expose(), lang),
        };
        let response =
            with_cookie(redirect(StatusCode::FOUND, location.as_str()), &cookies.set_browser(&browser));
        Ok(Outcome::new("login_begun").of(response))
    }
}

impl Refusal {
    fn answer(&self, request: &Request) -> Response {
        let (name, reason) = match self {
            Self::NotAPage => ("not_a_page", Reason::NotAPage),
            Self::Query(_) | Self::Value(_) => ("invalid_request", Reason::InvalidRequest),
            Self::ReturnTo(_) => ("return_to_refused", Reason::ReturnToRefused),
            Self::Store(_) => ("store_unavailable", Reason::ServiceUnavailable),
        };
        let outcome =
            Outcome { is_alarm: matches!(self, Self::Store(_)), ..Outcome::new(name).with_cause(self) };
        outcome.of(page::notice(
            reason,
            Language::of(request.headers()),
            &CorrelationId::of(request),
            page::AUTHORIZE,
        ))
    }
}

/// A parameter that may be absent, but not wrong.
fn one_of<T>(
    query: Query<'_>,
    name: &'static str,
    parse: fn(&str) -> Option<T>,
) -> Result<Option<T>, Refusal> {
    query.one(name)?.map(|text| parse(&text).ok_or(Refusal::Value(name))).transpose()
}

fn boolean(text: &str) -> Option<bool> {
    text.parse().ok()
}

/// Which round of one login this is; set by `/callback`, so that fresh logins do not go on for ever.
fn round(text: &str) -> Option<u64> {
    text.parse().ok().filter(|round| (1..=MOST_ROUNDS).contains(round))
}
