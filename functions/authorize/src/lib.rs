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
use shared::account::{App, Choice, Route, is_wechat};
use shared::config::Config;
use shared::language::Language;
use shared::login::{Asked, BrowserSecret, Depth, LOGIN_LIFETIME, MOST_ATTEMPTS, PendingLogin, State};
use shared::query::{Query, QueryError};
use shared::reason::Reason;
use shared::request::{CorrelationId, Request, is_page_load};
use shared::response::{Outcome, Response, redirect, with_cookie};
use shared::return_to::ReturnToError;
use shared::runtime::{self, Function};
use shared::store::{self, Store};
use shared::time::Timestamp;
use shared::wechat::authorize_url::{self, Switches};
use shared::wechat::{Lang, Scope};
use shared::{page, random};
use thiserror::Error;

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

    async fn start(config: Config) -> Result<Self, runtime::Error> {
        let store = Store::new(&runtime::aws().await, &config);
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
        let target = account.targets.from_query(query)?;
        let asked = Asked {
            depth: one_of(query, "scope", Depth::parse)?.unwrap_or_default(),
            app: query.one("app")?,
        };
        let lang = one_of(query, "lang", Lang::parse)?;
        let attempt = one_of(query, "attempt", attempt)?.unwrap_or(1);
        let switches = Switches {
            connect_redirect: self.config.connect_redirect,
            force_popup: one_of(query, "forcePopup", boolean)?.unwrap_or(false),
            force_snap_shot: one_of(query, "forceSnapShot", boolean)?.unwrap_or(false),
        };

        let app = match account.route(&choice, is_wechat(request.headers())) {
            Route::App(app) => app,
            Route::OpenInWechat => {
                let link = page::authorize_link(&self.config.public_url, target.as_ref(), &asked, lang);
                let page = page::open_in_wechat(Language::of(request.headers()), &link);
                return Ok(Outcome::new("open_in_wechat").of(page));
            }
            Route::Unknown => return Err(Refusal::Value("app")),
        };
        let scope = match &app {
            App::OfficialAccount(_) => asked.depth.scope(),
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
            asked,
            lang,
            return_to: target.unwrap_or_else(|| account.default_return_to.clone()).as_str().to_owned(),
            attempt,
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
                    &state,
                    switches,
                    component,
                )
            }
            App::Website(app) => authorize_url::website(open_url, app, &redirect_uri, &state, lang),
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
            Self::ReturnTo(ReturnToError::Query(_)) | Self::Query(_) | Self::Value(_) => {
                ("invalid_request", Reason::InvalidRequest)
            }
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

/// Which attempt at one login this is; set by `/callback`, so that fresh logins do not go on for ever.
fn attempt(text: &str) -> Option<u64> {
    text.parse().ok().filter(|attempt| (1..=MOST_ATTEMPTS).contains(attempt))
}
