//! `GET /callback`: WeChat sends the browser back with a code; it becomes a session, once.
//!
//! The guards, in the order they run, cheapest first:
//!
//! 1. The address is opened as a page of its own.
//! 2. Exactly one well-formed `state`, at most one well-formed `code`.
//! 3. Exactly one well-formed browser cookie.
//! 4. No code is a denial; it touches nothing.
//! 5. The claim: login and code together, in one conditional write ([`Store::claim`]). Whoever does
//!    not win it is a duplicate (`duplicate.rs`) or worse, and never speaks to WeChat. A code that comes
//!    with another browser than its login's is spent thereby; the login is not.
//! 6. The exchange, once (`exchange.rs`). A snapshot visitor ends here.
//! 7. The profile, if one was granted: it must be the same person's. For a silent login the unionid,
//!    if that is switched on (`unionid.rs`).
//! 8. The session and the outcome, in one conditional write. Without it there is no cookie.
//!
//! Every answer is a 303 to an address without code and state. What follows from each way a login can
//! fail is in `refusal.rs`.

mod duplicate;
mod exchange;
mod refusal;
mod unionid;

use http::StatusCode;
use lambda::Function;
use lambda::config::Config;
use login::pending::BrowserSecret;
use login::pending::PendingLogin;
use login::pending::State;
use login::pending::{ClaimId, CodeId};
use login::random;
use login::session::SessionToken;
use login::time::Timestamp;
use secrets::Secrets;
use store::Claimed;
use store::Store;
use web::query::Query;
use web::request::Request;
use web::request::is_page_load;
use web::response::Response;
use web::response::redirect;
use web::response::with_cookie;
use wechat::AuthorizationCode;
use wechat_api::Client;

use exchange::Claim;
use refusal::{Refusal, RefusedLogin};

/// The function.
#[derive(Debug)]
pub struct Callback {
    config: Config,
    store: Store,
    secrets: Secrets,
    component_tokens: Option<Secrets>,
    wechat: Client,
}

/// What a callback brings, once it is well-formed.
struct Arrival {
    state: State,
    code: Option<AuthorizationCode>,
    browser: BrowserSecret,
    /// The session the browser had before, if any.
    session: Option<SessionToken>,
}

impl Function for Callback {
    const NAME: &'static str = "callback";
    const NEEDS_APP_SECRETS: bool = true;

    async fn start(config: Config) -> Result<Self, lambda::Error> {
        let source = config.secrets.clone().ok_or("the configuration has no app secrets")?;
        let aws = lambda::aws().await;
        let wechat = Client::new(config.wechat_api_url.clone(), config.wechat_api_backup_url.clone())?;
        let component_tokens =
            config.component_tokens.clone().map(|source| Secrets::of_components(source, &aws));
        let store = Store::new(&aws, &config.logins_table, &config.sessions_table);
        Ok(Self { store, secrets: Secrets::of_apps(source, &aws), component_tokens, wechat, config })
    }

    async fn handle(&self, request: &Request, now: Timestamp) -> Response {
        match self.log_in(request, now).await {
            Ok(response) => response,
            Err(refused) => refused.answer(&self.config, request),
        }
    }
}

impl Callback {
    async fn log_in(&self, request: &Request, now: Timestamp) -> Result<Response, RefusedLogin> {
        let arrival = self.arrive(request).await?;
        let Some(code) = &arrival.code else {
            return Err(self.denied(&arrival, now).await);
        };
        let secrets = self.secrets.get(now).await.map_err(Refusal::Secrets)?;

        let claim_id = ClaimId::new(random::bytes());
        let (login_id, code_id) = (arrival.state.login_id(), CodeId::of(code));
        let claimed = self.store.claim(&login_id, &code_id, &arrival.browser.digest(), &claim_id, now).await;
        match claimed.map_err(Refusal::Store)? {
            Claimed::Now(login) => {
                let claim = Claim { arrival: &arrival, code, login: &login, id: &claim_id, now };
                let finished = self.exchange(&claim, &secrets).await;
                if finished.is_err() {
                    // Duplicates that wait are told to stop. If that fails too, they stop by themselves.
                    let _ = self.store.fail_code(&code_id, &claim_id).await;
                }
                finished.map_err(|refusal| refusal.of(login))
            }
            Claimed::Before(login, code_id) => {
                self.repeat(&arrival, &login, &code_id, now).await.map_err(|refusal| refusal.of(login))
            }
            Claimed::Elsewhere { login, used_for, used_in } => {
                let joined = self.join(&arrival, &login, &used_for, &used_in, now).await;
                joined.map_err(|refusal| refusal.of(login))
            }
            Claimed::Foreign(login) => {
                // Somebody saw this code who was not to see it. If it cannot be marked, it lives minutes.
                let browser = arrival.browser.digest();
                let _ = self.store.spend_code(&login_id, &code_id, &browser, &claim_id, now).await;
                Err(Refusal::ForeignBrowser.of(login))
            }
            Claimed::Expired(login) => Err(Refusal::LoginExpired.of(login)),
            Claimed::Unknown => Err(Refusal::LoginUnknown.into()),
        }
    }

    /// Guards 1 to 3.
    async fn arrive(&self, request: &Request) -> Result<Arrival, RefusedLogin> {
        if !is_page_load(request.headers()) {
            return Err(Refusal::NotAPage.into());
        }
        let query = Query::of(request);
        let state = query.one("state").map_err(Refusal::Query)?.unwrap_or_default();
        let state = State::parse(&state).ok_or(Refusal::MalformedState)?;
        // WeChat has reported a denial in three ways: no code, an empty one, and this word.
        let code =
            query.one("code").map_err(Refusal::Query)?.filter(|code| !code.is_empty() && code != "authdeny");
        let code =
            code.map(|code| AuthorizationCode::parse(code).ok_or(Refusal::MalformedCode)).transpose()?;
        let cookies = self.config.cookies;
        match cookies.browser(request.headers()) {
            Some(browser) => {
                Ok(Arrival { state, code, browser, session: cookies.session(request.headers()) })
            }
            None => {
                let login = self.store.login(&state.login_id()).await.map_err(Refusal::Store)?;
                let refusal = if code.is_some() { Refusal::CookieMissing } else { Refusal::Denied };
                Err(RefusedLogin { refusal, login })
            }
        }
    }

    /// Guard 4. Only the browser that began the login is sent to where the login would have ended.
    async fn denied(&self, arrival: &Arrival, now: Timestamp) -> RefusedLogin {
        match self.store.login(&arrival.state.login_id()).await {
            Ok(Some(login)) if login.browser == arrival.browser.digest() && login.expires_at > now => {
                Refusal::DeniedHere.of(login)
            }
            Ok(login) => RefusedLogin { refusal: Refusal::Denied, login },
            Err(error) => Refusal::Store(error).into(),
        }
    }

    fn with_session(&self, login: &PendingLogin, token: &SessionToken) -> Response {
        with_cookie(
            self.to_target(login),
            &self.config.cookies.set_session(token, self.config.session_lifetime),
        )
    }

    /// To where the login ends, judged by today's configuration.
    fn to_target(&self, login: &PendingLogin) -> Response {
        let account = self.config.accounts.of(&login.app).unwrap_or(&self.config.accounts.first);
        let target = account.targets.check(&login.return_to);
        redirect(StatusCode::SEE_OTHER, &target.as_ref().unwrap_or(&account.default_return_to).location())
    }
}
