//! `GET /callback`: WeChat sends the browser back with a code; it becomes a session, once.
//!
//! The guards, in the order they run, cheapest first:
//!
//! 1. The address is opened as a page of its own (`arrival.rs`, up to guard 4).
//! 2. Exactly one well-formed `state`, at most one well-formed `code`.
//! 3. Exactly one well-formed browser cookie.
//! 4. No code is a denial; it touches nothing.
//! 5. The claim: login and code together, in one conditional write ([`Logins::claim`](store::Logins::claim)).
//!    Whoever does not win it is a duplicate (`duplicate.rs`) or worse, and never speaks to WeChat. A code that
//!    comes with another browser than its login's, or for a login that another code has claimed, is spent
//!    thereby; the login is not.
//! 6. The exchange, once (`exchange.rs`). A snapshot visitor ends here.
//! 7. The profile, if one was granted: it must be the same person's. For a silent login the unionid,
//!    if that is switched on (`unionid.rs`).
//! 8. The session and the outcome, in one conditional write. Without it there is no cookie.
//!
//! Every answer is a 303 to an address without code and state. What follows from each way a login can
//! fail is in `refusal.rs`.

mod arrival;
mod duplicate;
mod exchange;
mod refusal;
mod unionid;

use std::sync::OnceLock;
use std::time::Duration;

use http::StatusCode;
use lambda::Function;
use login::account::Account;
use login::deployment::Deployment;
use login::pending::{ClaimId, CodeId, PendingLogin};
use login::random;
use login::session::{self, SessionToken};
use login::time::Timestamp;
use secrets::{AppSecrets, ComponentTokens, Secrets, SecretsSource};
use settings::{Settings, Wrong};
use store::{Claimed, Store, Tables};
use web::cookie::Cookies;
use web::link::LoginLink;
use web::reason::Reason;
use web::request::{CorrelationId, PAGE_LOADS_ONLY, Request};
use web::response::{Response, redirect, with_cookie};
use wechat_api::{Client, Hosts};

use exchange::Claim;
pub use refusal::OUTCOMES;
use refusal::{Refusal, RefusedLogin};

/// How long before the outer layer would answer this function does, which knows more of the login.
const ANSWER_RESERVE: Duration = Duration::from_millis(200);

/// The function.
#[derive(Debug)]
pub struct Callback {
    config: Config,
    cookies: Cookies,
    store: Store,
    secrets: Secrets<AppSecrets>,
    component_tokens: Option<Secrets<ComponentTokens>>,
    wechat: Client,
}

/// What it is set to.
#[derive(Debug)]
pub struct Config {
    deployment: Deployment,
    tables: Tables,
    secrets: SecretsSource<AppSecrets>,
    component_tokens: Option<SecretsSource<ComponentTokens>>,
    /// `SILENT_UNIONID`: whether a silent login asks for the unionid too.
    silent_unionid: bool,
    /// `SESSION_LIFETIME_SECONDS`: how long a session lasts.
    session_lifetime: Duration,
    wechat_api: Hosts,
    /// `PAGE_LOADS_ONLY`: whether a callback must be opened as a page of its own.
    page_loads_only: bool,
}

settings::declare! {
    SILENT_UNIONID, "true or false", "`true`", ["`false`", "`false`"], ["Whether a silent login asks for the [unionid](accounts.md#unionid), and whether the person follows the Official Account", "静默授权时是否也查询 [unionid](accounts.md#unionid) 和是否关注服务号"];
}

impl Function for Callback {
    const NAME: &'static str = "callback";
    type Config = Config;

    fn configure(settings: &mut Settings<'_>) -> Result<Config, Wrong> {
        let deployment = Deployment::read(settings);
        let tables = Tables::read(settings);
        let secrets = SecretsSource::of_apps(settings);
        let component_tokens = component_tokens(settings, &deployment);
        let silent_unionid = settings.optional(&SILENT_UNIONID, settings::boolean);
        let session_lifetime = session::lifetime(settings);
        let wechat_api = Hosts::read(settings);
        let page_loads_only = settings.optional(&PAGE_LOADS_ONLY, settings::boolean);
        Ok(Config {
            deployment: deployment?,
            tables: tables?,
            secrets: secrets?,
            component_tokens: component_tokens?,
            silent_unionid: silent_unionid?.unwrap_or(false),
            session_lifetime: session_lifetime?,
            wechat_api: wechat_api?,
            page_loads_only: page_loads_only?.unwrap_or(true),
        })
    }

    async fn start(config: Config) -> Result<Self, lambda::Error> {
        let aws = lambda::aws().await;
        let component_tokens = config.component_tokens.clone();
        Ok(Self {
            cookies: Cookies::of(&config.deployment.public_url),
            store: Store::new(&aws, config.tables.clone()),
            secrets: Secrets::of_apps(config.secrets.clone(), &aws),
            component_tokens: component_tokens.map(|source| Secrets::of_components(source, &aws)),
            wechat: Client::new(config.wechat_api.clone(), lambda::stopwatch::run)?,
            config,
        })
    }

    async fn handle(&self, request: &Request, now: Timestamp) -> Response {
        let left = lambda::time_left(request).saturating_sub(ANSWER_RESERVE);
        let login = OnceLock::new();
        let refused = match tokio::time::timeout(left, self.log_in(request, now, &login)).await {
            Ok(Ok(response)) => return response,
            Ok(Err(refused)) => refused,
            Err(_) => Refusal::OutOfTime.of_any(login.into_inner()),
        };
        refused.answer(&self.config.deployment, request)
    }

    fn interrupted(&self, request: &Request, reason: Reason) -> Response {
        let deployment = &self.config.deployment;
        let page =
            refusal::error_page(deployment, reason, &CorrelationId::of(request), &LoginLink::default());
        redirect(StatusCode::SEE_OTHER, &page)
    }
}

/// Where the tokens of third-party platforms are. Where one acts for an account they must be somewhere: without them it
/// can exchange no code, and every login of that account inside WeChat would fail.
fn component_tokens(
    settings: &mut Settings<'_>,
    deployment: &Result<Deployment, Wrong>,
) -> Result<Option<SecretsSource<ComponentTokens>>, Wrong> {
    let source = SecretsSource::of_components(settings)?;
    let is_component = |account: &Account| account.component.is_some();
    let acts = deployment.as_ref().is_ok_and(|deployment| deployment.accounts.iter().any(is_component));
    if acts && source.is_none() {
        let problem = "COMPONENT_TOKENS_ARN is missing; without its component_access_token a third-party platform exchanges no code";
        return Err(settings.wrong(problem.to_owned()));
    }
    Ok(source)
}

impl Callback {
    /// Guards 1 to 8. `known` is told which login it is about as soon as that is known.
    async fn log_in(
        &self,
        request: &Request,
        now: Timestamp,
        known: &OnceLock<PendingLogin>,
    ) -> Result<Response, RefusedLogin> {
        let arrival = self.arrive(request).await?;
        let Some(code) = &arrival.code else {
            return Err(self.denied(&arrival, now).await);
        };
        let secrets = match self.secrets.get(now).await {
            Ok(secrets) => secrets,
            Err(error) => return Err(Refusal::Secrets(error).of_named(self.named(&arrival.state).await)),
        };

        let logins = &self.store.logins;
        let claim_id = ClaimId::new(random::bytes());
        let (login_id, code_id) = (arrival.state.login_id(), CodeId::of(code));
        let claimed = logins.claim(&login_id, &code_id, &arrival.browser.digest(), &claim_id, now).await;
        let claimed = match claimed {
            Ok(claimed) => claimed,
            Err(error) => return Err(Refusal::Store(error).of_named(self.named(&arrival.state).await)),
        };
        if let Some(login) = claimed.login() {
            known.get_or_init(|| login.clone());
        }
        match claimed {
            Claimed::Now(login) => {
                let wechat = self.wechat.conversation();
                let claim =
                    Claim { arrival: &arrival, code, login: &login, id: &claim_id, wechat, now, request };
                match self.exchange(&claim, &secrets).await {
                    Ok(response) => Ok(response),
                    Err(refusal) => {
                        // Duplicates that wait are told to stop. If that fails too, they stop by themselves.
                        let why = refusal.to_repeat();
                        let marked = logins.fail_code(&code_id, &claim_id, why.as_ref()).await;
                        Err(refusal.of(login).marked(marked))
                    }
                }
            }
            Claimed::Unread(error) => {
                let refusal = Refusal::Store(error);
                let marked = logins.fail_code(&code_id, &claim_id, refusal.to_repeat().as_ref()).await;
                Err(refusal.of_named(self.named(&arrival.state).await).marked(marked))
            }
            Claimed::Before(login, claimed_by) if claimed_by == code_id => {
                self.repeat(&arrival, code, &login, now).await.map_err(|refusal| refusal.of(login))
            }
            Claimed::Before(login, _) => self.another_code(&arrival, &code_id, login, &claim_id, now).await,
            Claimed::Elsewhere { login, has_failed: true, .. } => Err(Refusal::CodeUsedElsewhere.of(login)),
            Claimed::Elsewhere { login, used_for, used_in, has_failed: false } => {
                let joined = self.join(&arrival, &login, &used_for, &used_in, now).await;
                joined.map_err(|refusal| refusal.of(login))
            }
            Claimed::Foreign(login) => {
                // Somebody saw this code who was not to see it. If it cannot be marked, it lives minutes.
                let browser = arrival.browser.digest();
                let marked = logins.spend_code(&login_id, &code_id, &browser, &claim_id, now).await;
                // A browser that logged out meanwhile has a new secret; so has the second of two first tabs.
                let is_renewed = arrival.browser.was_made_after(&login);
                let refusal = if is_renewed { Refusal::BrowserRenewed } else { Refusal::ForeignBrowser };
                Err(refusal.of(login).marked(marked))
            }
            Claimed::Expired(login) => Err(Refusal::LoginExpired.of(login)),
            Claimed::Unknown => Err(Refusal::LoginUnknown.into()),
        }
    }

    fn with_session(&self, login: &PendingLogin, token: &SessionToken) -> Response {
        with_cookie(self.to_target(login), &self.cookies.set_session(token, self.config.session_lifetime))
    }

    /// To where the login ends.
    fn to_target(&self, login: &PendingLogin) -> Response {
        let end = self.config.deployment.accounts.end_of(login);
        redirect(StatusCode::SEE_OTHER, &end.location())
    }
}
