//! `GET /userinfo`: who is logged in, as JSON for a script or as a page for a person.
//! `DELETE /userinfo`: erases it, at once. `/oauth2/userinfo` is the OpenID Provider's, and stands apart (`bearer.rs`).
//!
//! The guards of the first, in the order they run:
//!
//! 1. A script on another page is answered only if its origin is an allowed one.
//! 2. `lang` and `verify` are words we know.
//! 3. The session cookie opens a stored, unexpired session, of an account that the asking page belongs to.
//! 4. `verify=true`: WeChat confirms that the grant still stands.
//! 5. A profile that is stale is read again (`live_session.rs`); it must be the same person's.
//!
//! WeChat being out of reach costs nobody the session: what was read before is served, and soon. All that one
//! request asks WeChat fits into one budget, and a process that was given no answer does not ask again for some
//! seconds (`silence.rs`). A grant that WeChat calls gone is remembered in the session, which is deleted some
//! minutes later.
//!
//! The guards of the second are those of `POST /logout`, for the same reasons:
//!
//! 1. The request names its origin, and it is an allowed one: no foreign page erases anybody.
//! 2. The session is deleted first, then the cookie is cleared ([`web::end_session`]).

mod answer;
mod bearer;
mod live_session;
mod refusal;
mod silence;

use std::time::Duration;

use http::{Method, StatusCode};
use lambda::Function;
use login::deployment::Deployment;
use login::random;
use login::session::Session;
use login::time::Timestamp;
use openid_connect::Provider;
use secrets::{ComponentTokens, Secrets, SecretsSource};
use settings::{Settings, Wrong};
use store::{SESSIONS_TABLE, Sessions, TableName};
use web::cookie::Cookies;
use web::cors::Caller;
use web::end_session;
use web::imprint::Imprint;
use web::link::LoginLink;
use web::outcome::Verdict;
use web::page;
use web::profile;
use web::query::Query;
use web::reason::Reason;
use web::request::{CorrelationId, Request, wants_page};
use web::response::{self, Offer, Response};
use web::visit::Visit;
use wechat::Lang;
use wechat_api::{Client, Hosts};

use bearer::USER_INFO;
use live_session::{Failure, LiveSession};
pub use refusal::OUTCOMES;
use refusal::{ERASED, Refusal, SHOWN, SHOWN_UNSAVED, shown_stale, unverified};
use silence::Silence;

/// The function.
#[derive(Debug)]
pub struct Userinfo {
    deployment: Deployment,
    cookies: Cookies,
    profile_lifetime: Duration,
    sessions: Sessions,
    wechat: Client,
    component_tokens: Option<Secrets<ComponentTokens>>,
    /// `None` in a deployment that is no OpenID Provider.
    provider: Option<Provider>,
    /// When WeChat last gave this process no answer.
    silence: Silence,
}

/// What it is set to.
#[derive(Debug)]
pub struct Config {
    deployment: Deployment,
    sessions_table: TableName,
    component_tokens: Option<SecretsSource<ComponentTokens>>,
    provider: Option<Provider>,
    /// `PROFILE_LIFETIME_SECONDS`: how long a profile is served before it is read again.
    profile_lifetime: Duration,
    wechat_api: Hosts,
}

settings::declare! {
    PROFILE_LIFETIME_SECONDS, "a number of seconds", "`60`", ["`600`", "`600`"], ["How old a profile may be before it is read again", "资料多久之后重新读取"];
}

impl Function for Userinfo {
    const NAME: &'static str = "userinfo";
    type Config = Config;

    fn configure(settings: &mut Settings<'_>) -> Result<Config, Wrong> {
        let deployment = Deployment::read(settings);
        let sessions_table = settings.required(&SESSIONS_TABLE, TableName::parse);
        let component_tokens = SecretsSource::of_components(settings);
        let profile_lifetime =
            settings.optional(&PROFILE_LIFETIME_SECONDS, |text| settings::seconds(text, 0));
        let wechat_api = Hosts::read(settings);
        // A fault of it, which `openid` and `token` name, leaves the pages what they have.
        let provider = Provider::read_if_right(settings, &deployment);
        Ok(Config {
            deployment: deployment?,
            sessions_table: sessions_table?,
            component_tokens: component_tokens?,
            provider,
            profile_lifetime: profile_lifetime?.unwrap_or(Duration::from_mins(10)),
            wechat_api: wechat_api?,
        })
    }

    async fn start(config: Config) -> Result<Self, lambda::Error> {
        let aws = lambda::aws().await;
        Ok(Self {
            cookies: Cookies::of(&config.deployment.public_url),
            deployment: config.deployment,
            profile_lifetime: config.profile_lifetime,
            sessions: Sessions::new(&aws, config.sessions_table),
            wechat: Client::new(config.wechat_api, lambda::stopwatch::run)?,
            component_tokens: config.component_tokens.map(|source| Secrets::of_components(source, &aws)),
            provider: config.provider,
            silence: Silence::default(),
        })
    }

    async fn handle(&self, request: &Request, now: Timestamp) -> Response {
        match (request.uri().path(), &self.provider) {
            (USER_INFO, Some(provider)) => {
                return bearer::answer(&self.sessions, provider, request, now).await;
            }
            (USER_INFO, None) => {
                let refusal = Refusal::NoProvider;
                let Verdict { outcome, reason } = refusal.judge();
                return refusal.report(outcome).of(response::refuse(request, reason));
            }
            _ => {}
        }
        let caller = Caller::of(request.headers(), |origin| self.deployment.accounts.trust(origin));
        match (request.method(), caller) {
            (&Method::OPTIONS, _) => caller.preflight(request, "GET, DELETE"),
            (_, Caller::Foreign) | (&Method::DELETE, Caller::NoOrigin) => caller.refuse(request),
            (&Method::DELETE, Caller::Trusted(_)) => caller.allow(self.erase(request, now).await),
            (_, Caller::NoOrigin | Caller::Trusted(_)) => {
                let response = match self.show(request, caller, now).await {
                    Ok(response) => response,
                    Err(refusal) => self.refuse(request, caller, &refusal),
                };
                caller.allow(response)
            }
        }
    }

    fn interrupted(&self, request: &Request, reason: Reason) -> Response {
        if let (USER_INFO, Some(provider)) = (request.uri().path(), &self.provider) {
            return bearer::interrupted(provider, request, reason);
        }
        let caller = Caller::of(request.headers(), |origin| self.deployment.accounts.trust(origin));
        caller.allow(self.say_no(request, reason, &LoginLink::of_caller(&self.deployment.accounts, caller)))
    }
}

impl Userinfo {
    /// Deletes the session, and with it all that is stored of the person.
    async fn erase(&self, request: &Request, now: Timestamp) -> Response {
        let cookies = self.cookies;
        let deleted = self.sessions.end_session(cookies.session(request.headers()).as_ref()).await;
        let response = response::empty(StatusCode::NO_CONTENT);
        end_session::answer(deleted, request, cookies, now, random::bytes(), ERASED.of(response))
    }

    async fn show(&self, request: &Request, caller: Caller<'_>, now: Timestamp) -> Result<Response, Refusal> {
        let query = Query::of(request);
        let lang =
            query.one("lang")?.map(|lang| Lang::parse(&lang).ok_or(Refusal::Value("lang"))).transpose()?;
        let verify = match query.one("verify")?.as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(Refusal::Value("verify")),
        };
        let token = self.cookies.session(request.headers()).ok_or(Refusal::NoCookie)?;
        let mut live = LiveSession::open(self, request, token, now).await?.ok_or(Refusal::NoSession)?;
        let account = self.deployment.accounts.of(&live.session.app);
        if !caller.may_know(|origin| account.is_some_and(|account| account.targets.is_trusted_origin(origin)))
        {
            return Err(Refusal::ForeignAccount);
        }

        live.refuse_if_gone().await?;

        if verify && let Err(failure) = live.verify().await {
            return Err(unverified(live.remember(failure).await?));
        }
        let read = live.read_profile(lang).await;
        // That the grant was verified is worth storing whatever became of the profile.
        let settled = live.settle().await;
        let read = read.and(settled.map_err(Failure::from));
        let report = match read {
            Ok(()) => live.unsaved().map_or_else(|| SHOWN.report(), |error| SHOWN_UNSAVED.because(error)),
            // What was read before is better than nothing, unless there is nothing to show any more.
            Err(failure) => shown_stale(live.remember(failure).await?)?,
        };
        let unread = self.component_tokens.as_ref().and_then(Secrets::unread);
        let report = report.with_failure("an old copy of the platform's token was used", unread);
        let (session, expires_at) = (&live.session, live.expires_at());
        Ok(report.of(if wants_page(request.headers()) {
            let consent = LoginLink::with_consent(&self.deployment.accounts, session).on("");
            profile::page(&Visit::of(request), session, expires_at, &consent)
        } else {
            let upgrade_url = self.upgrade_url(session);
            let imprint = Imprint::of(request);
            answer::json(session, expires_at, upgrade_url.as_deref(), imprint.consent_purpose.as_deref())
        }))
    }

    /// The login that would add the profile a page asked for with `scope=auto`. It is a link and no
    /// redirect, and it asks for consent by name: it cannot lead round in a circle.
    fn upgrade_url(&self, session: &Session) -> Option<String> {
        // Where it was granted it is read again, with the person's token. A phone that had none hands over no token.
        let can_be_read = session.scope.includes_profile() && !session.is_handed_over();
        let has_none = session.profile.is_none() && !can_be_read;
        let Deployment { accounts, public_url, .. } = &self.deployment;
        (session.wants_profile && has_none)
            .then(|| LoginLink::with_consent(accounts, session).on(public_url.as_str()))
    }

    fn refuse(&self, request: &Request, caller: Caller<'_>, refusal: &Refusal) -> Response {
        let Verdict { outcome, reason } = refusal.judge();
        let mut login = LoginLink::of_caller(&self.deployment.accounts, caller);
        // A website app would know the person by another openid.
        login.request.via_handoff = matches!(refusal, Refusal::HandedOver);
        refusal.report(outcome).of(self.say_no(request, reason, &login))
    }

    /// Only who is not logged in is offered a login.
    fn say_no(&self, request: &Request, reason: Reason, login: &LoginLink) -> Response {
        if reason != Reason::NotLoggedIn {
            return response::refuse(request, reason);
        }
        if wants_page(request.headers()) {
            page::notice(&Visit::of(request), reason, &login.on(""))
        } else {
            let authorize_url = login.on(self.deployment.public_url.as_str());
            let imprint = Imprint::of(request);
            let consent_purpose = imprint.consent_purpose.as_deref();
            let offer = Offer { authorize_url: Some(&authorize_url), consent_purpose, ..Offer::default() };
            response::problem(reason, &CorrelationId::of(request), offer)
        }
    }
}
