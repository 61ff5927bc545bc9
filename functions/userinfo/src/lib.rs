//! `GET /userinfo`: who is logged in, as JSON for a script or as a page for a person.
//! `DELETE /userinfo`: erases it, at once.
//!
//! The guards of the first, in the order they run:
//!
//! 1. A script on another page is answered only if its origin is an allowed one.
//! 2. `lang` and `verify` are words we know.
//! 3. The session cookie opens a stored, unexpired session, of an account that the asking page belongs to.
//! 4. `verify=true`: WeChat confirms that the grant still stands.
//! 5. A profile that is stale is read again (`live_session.rs`); it must be the same person's.
//!
//! WeChat being out of reach costs nobody the session: what was read before is served.
//!
//! The guards of the second are those of `POST /logout`, for the same reasons:
//!
//! 1. The request names its origin, and it is an allowed one: no foreign page erases anybody.
//! 2. The session is deleted first, then the cookie is cleared ([`web::end_session`]).

mod live_session;

use http::{Method, StatusCode};
use lambda::Function;
use lambda::config::Config;
use login::pending::LoginRequest;
use login::pending::RequestedScope;
use login::session::Session;
use login::time::Timestamp;
use secrets::Secrets;
use secrets::SecretsError;
use serde::Serialize;
use store::Store;
use thiserror::Error;
use web::cors::Caller;
use web::end_session;
use web::language::Language;
use web::page;
use web::query::Query;
use web::query::QueryError;
use web::reason::Reason;
use web::request::CorrelationId;
use web::request::Request;
use web::request::wants_page;
use web::response;
use web::response::Outcome;
use web::response::Response;
use wechat::Lang;
use wechat::body::UserInfo;
use wechat::errcode::Reaction;
use wechat_api::Client;

use live_session::{Failure, LiveSession};

/// The function.
#[derive(Debug)]
pub struct Userinfo {
    config: Config,
    store: Store,
    wechat: Client,
    component_tokens: Option<Secrets>,
}

/// Why nobody is shown.
#[derive(Debug, Error)]
enum Refusal {
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error("the parameter {0} has a value that is not allowed")]
    Value(&'static str),
    #[error("no session cookie, or not exactly one")]
    NoCookie,
    #[error("no such session, or no longer")]
    NoSession,
    #[error("the session is of another account than the page that asks")]
    ForeignAccount,
    #[error("the grant is gone: {0}")]
    GrantGone(wechat::error::Error),
    #[error("WeChat restricts this account: {0}")]
    User(wechat::error::Error),
    #[error("WeChat could not be asked: {0}")]
    Unverified(wechat::error::Error),
    #[error("WeChat refuses the third-party platform: {0}")]
    Platform(wechat::error::Error),
    #[error("what WeChat gave is another person's")]
    ForeignProfile,
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("the session could not be sealed")]
    Unsealable,
}

/// The JSON answer: WeChat's own names, and two of ours.
#[derive(Serialize)]
struct Answer<'a> {
    openid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    unionid: Option<&'a str>,
    #[serde(flatten)]
    profile: Option<ProfileFields<'a>>,
    /// What the person granted, separated by commas.
    scope: &'a str,
    /// When the session is over, in seconds since the Unix epoch.
    expires_at: u64,
    /// Where the person can add the profile; only after `scope=auto`, and only if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    upgrade_url: Option<String>,
}

#[derive(Serialize)]
struct ProfileFields<'a> {
    nickname: &'a str,
    sex: i64,
    province: &'a str,
    city: &'a str,
    country: &'a str,
    headimgurl: &'a str,
    privilege: &'a [String],
}

impl Function for Userinfo {
    const NAME: &'static str = "userinfo";

    async fn start(config: Config) -> Result<Self, lambda::Error> {
        let aws = lambda::aws().await;
        let wechat = Client::new(config.wechat_api_url.clone(), config.wechat_api_backup_url.clone())?;
        let component_tokens =
            config.component_tokens.clone().map(|source| Secrets::of_components(source, &aws));
        Ok(Self {
            store: Store::new(&aws, &config.logins_table, &config.sessions_table),
            wechat,
            component_tokens,
            config,
        })
    }

    async fn handle(&self, request: &Request, now: Timestamp) -> Response {
        let caller = Caller::of(request.headers(), |origin| self.config.accounts.trust(origin));
        match (request.method(), caller) {
            (&Method::OPTIONS, _) => caller.preflight(request, "GET, DELETE"),
            (_, Caller::Foreign) | (&Method::DELETE, Caller::NoOrigin) => caller.refuse(request),
            (&Method::DELETE, Caller::Trusted(_)) => caller.allow(self.erase(request).await),
            (_, Caller::NoOrigin | Caller::Trusted(_)) => {
                let response = match self.show(request, caller, now).await {
                    Ok(response) => response,
                    Err(refusal) => self.refuse(request, caller, &refusal),
                };
                caller.allow(response)
            }
        }
    }
}

impl Userinfo {
    /// Deletes the session, and with it all that is stored of the person.
    async fn erase(&self, request: &Request) -> Response {
        let cookies = self.config.cookies;
        let deleted = self.store.end_session(cookies.session(request.headers()).as_ref()).await;
        let response = response::empty(StatusCode::NO_CONTENT);
        end_session::answer(deleted, request, cookies, Outcome::new("erased").of(response))
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
        let token = self.config.cookies.session(request.headers()).ok_or(Refusal::NoCookie)?;
        let mut live = LiveSession::open(self, token, now).await?.ok_or(Refusal::NoSession)?;
        let account = self.config.accounts.of(&live.session.app);
        if !caller.may_know(|origin| account.is_some_and(|account| account.targets.is_trusted_origin(origin)))
        {
            return Err(Refusal::ForeignAccount);
        }

        if verify {
            live.verify().await.map_err(|failure| match failure {
                Failure::Platform(error) => Refusal::Platform(error),
                failure => judge(failure).unwrap_or_else(Refusal::Unverified),
            })?;
        }
        let outcome = match live.read_profile(lang, self.config.profile_lifetime).await {
            Ok(()) => Outcome::new("shown"),
            // What was read before is better than nothing, unless there is nothing to show any more.
            Err(failure) => {
                let is_alarm = matches!(failure, Failure::Platform(_));
                let error = match judge(failure) {
                    Ok(refusal) => return Err(refusal),
                    Err(error) => error,
                };
                Outcome { is_alarm, ..Outcome::new("shown_stale") }.with_wechat(&error)
            }
        };
        let (session, expires_at) = (&live.session, live.expires_at());
        Ok(outcome.of(if wants_page(request.headers()) {
            show_page(request, session, expires_at, &self.consent_link("", session))
        } else {
            response::json(StatusCode::OK, &Answer::new(session, expires_at, self.upgrade_url(session)))
        }))
    }

    /// The name of the account whose pages the caller is one of; none for the first account's.
    fn account_of(&self, caller: Caller<'_>) -> Option<String> {
        let Caller::Trusted(origin) = caller else { return None };
        let mut accounts = self.config.accounts.iter();
        accounts.find(|account| account.targets.is_trusted_origin(origin))?.name.clone()
    }

    /// The login that would add the profile a page asked for with `scope=auto`. It is a link and no
    /// redirect, and it asks for consent by name: it cannot lead round in a circle.
    fn upgrade_url(&self, session: &Session) -> Option<String> {
        let has_none = session.profile.is_none() && !session.scope.includes_profile();
        (session.wants_profile && has_none).then(|| self.consent_link(&self.config.public_url, session))
    }

    /// A login with consent, by the app the session is of.
    fn consent_link(&self, public_url: &str, session: &Session) -> String {
        let app = self.config.accounts.of(&session.app).and_then(|account| account.name.clone());
        page::authorize_link(public_url, None, &LoginRequest { scope: RequestedScope::Profile, app }, None)
    }

    fn refuse(&self, request: &Request, caller: Caller<'_>, refusal: &Refusal) -> Response {
        let (name, reason) = match refusal {
            Refusal::Query(_) | Refusal::Value(_) => ("invalid_request", Reason::InvalidRequest),
            Refusal::NoCookie => ("no_cookie", Reason::NotLoggedIn),
            Refusal::NoSession => ("no_session", Reason::NotLoggedIn),
            Refusal::ForeignAccount => ("foreign_account", Reason::OriginRefused),
            Refusal::GrantGone(_) => ("grant_gone", Reason::NotLoggedIn),
            Refusal::User(_) => ("user_refused", Reason::UserRefused),
            Refusal::Unverified(_) | Refusal::Platform(_) => ("unverified", Reason::WechatUnavailable),
            Refusal::ForeignProfile => ("foreign_profile", Reason::LoginFailed),
            Refusal::Secrets(_) => ("secrets_unavailable", Reason::ServiceUnavailable),
            Refusal::Store(_) => ("store_unavailable", Reason::ServiceUnavailable),
            Refusal::Unsealable => ("unsealable", Reason::Unexpected),
        };
        let is_alarm = matches!(
            refusal,
            Refusal::Platform(_)
                | Refusal::ForeignProfile
                | Refusal::Secrets(_)
                | Refusal::Store(_)
                | Refusal::Unsealable
        );
        let outcome = Outcome { is_alarm, ..Outcome::new(name).with_cause(refusal) };
        let outcome = match refusal {
            // Whatever the number means elsewhere: that a grant ends is nobody's mistake.
            Refusal::GrantGone(error) => Outcome { is_alarm, ..outcome.with_wechat(error) },
            Refusal::User(error) | Refusal::Unverified(error) | Refusal::Platform(error) => {
                outcome.with_wechat(error)
            }
            _ => outcome,
        };
        let id = CorrelationId::of(request);
        let login = LoginRequest { app: self.account_of(caller), ..LoginRequest::default() };
        let authorize_url = |public_url| page::authorize_link(public_url, None, &login, None);
        outcome.of(if wants_page(request.headers()) {
            page::notice(reason, Language::of(request.headers()), &id, &authorize_url(""))
        } else {
            let authorize_url = authorize_url(&self.config.public_url);
            response::problem(reason, &id, (reason == Reason::NotLoggedIn).then_some(&authorize_url))
        })
    }
}

impl<'a> Answer<'a> {
    fn new(session: &'a Session, expires_at: Timestamp, upgrade_url: Option<String>) -> Self {
        let user_info = session.profile.as_ref().map(|profile| &profile.user_info);
        Self {
            openid: session.openid.expose(),
            unionid: session.unionid.as_ref().map(wechat::UnionId::expose),
            profile: user_info.map(|user_info| ProfileFields {
                nickname: &user_info.nickname,
                sex: user_info.sex,
                province: &user_info.province,
                city: &user_info.city,
                country: &user_info.country,
                headimgurl: &user_info.headimgurl,
                privilege: &user_info.privilege,
            }),
            scope: session.scope.as_str(),
            expires_at: expires_at.epoch_seconds(),
            upgrade_url,
        }
    }
}

/// The refusal that a failure means; WeChat's error itself if it is a passing one or an operator's.
fn judge(failure: Failure) -> Result<Refusal, wechat::error::Error> {
    let error = match failure {
        Failure::Refusal(refusal) => return Ok(refusal),
        Failure::Platform(error) => return Err(error),
        Failure::Wechat(error) => error,
    };
    match error.reaction() {
        // A token that is refused right after it was renewed will not get better.
        Some(Reaction::LoginAgain | Reaction::FreshLogin | Reaction::Refresh) => {
            Ok(Refusal::GrantGone(error))
        }
        Some(Reaction::User) => Ok(Refusal::User(error)),
        Some(Reaction::Retry | Reaction::Configuration) | None => Err(error),
    }
}

fn show_page(request: &Request, session: &Session, expires_at: Timestamp, consent_link: &str) -> Response {
    let user_info: Option<&UserInfo> = session.profile.as_ref().map(|profile| &profile.user_info);
    let mut fields = vec![("openid", session.openid.expose().to_owned())];
    fields.extend(session.unionid.as_ref().map(|unionid| ("unionid", unionid.expose().to_owned())));
    if let Some(user_info) = user_info {
        fields.extend([("nickname", user_info.nickname.clone()), ("sex", user_info.sex.to_string())]);
        let places =
            [("country", &user_info.country), ("province", &user_info.province), ("city", &user_info.city)];
        fields.extend(
            places
                .into_iter()
                .filter(|(_, place)| !place.is_empty())
                .map(|(name, place)| (name, place.clone())),
        );
    }
    fields.push(("scope", session.scope.as_str().to_owned()));
    fields.push(("expires_at", expires_at.epoch_seconds().to_string()));
    page::profile(Language::of(request.headers()), user_info, fields, consent_link)
}
