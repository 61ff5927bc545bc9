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

use std::time::Duration;

use http::{Method, StatusCode};
use lambda::Function;
use login::deployment::Deployment;
use login::pending::{LoginRequest, RequestedScope};
use login::session::Session;
use login::time::Timestamp;
use secrets::{Secrets, SecretsError, SecretsSource};
use serde::Serialize;
use settings::{Settings, Wrong};
use store::{SESSIONS_TABLE, Sessions};
use thiserror::Error;
use web::cookie::Cookies;
use web::cors::Caller;
use web::language::Language;
use web::outcome::{Outcome, Report};
use web::query::{Query, QueryError};
use web::reason::Reason;
use web::request::{CorrelationId, Request, wants_page};
use web::response::{self, Response};
use web::{end_session, page};
use wechat::Lang;
use wechat::body::UserInfo;
use wechat::errcode::Reaction;
use wechat_api::{Client, Hosts};

use live_session::{Failure, LiveSession};

/// The function.
#[derive(Debug)]
pub struct Userinfo {
    deployment: Deployment,
    cookies: Cookies,
    profile_lifetime: Duration,
    sessions: Sessions,
    wechat: Client,
    component_tokens: Option<Secrets>,
}

/// What it is set to.
#[derive(Debug)]
pub struct Config {
    deployment: Deployment,
    sessions_table: String,
    component_tokens: Option<SecretsSource>,
    /// `PROFILE_LIFETIME_SECONDS`: how long a profile is served before it is read again.
    profile_lifetime: Duration,
    wechat_api: Hosts,
}

settings::declare! {
    PROFILE_LIFETIME_SECONDS, "a number of seconds", "`60`", ["`600`", "`600`"], ["How old a profile may be before it is read again", "资料多久之后重新读取"];
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

/// What follows from a refusal. At which level it is logged, the outcome says.
struct Verdict {
    outcome: &'static Outcome,
    reason: Reason,
}

web::outcomes! {
    SHOWN = Info "shown" ["who is logged in, from the session or read again"] ["返回登录的用户，来自会话或重新读取"];
    SHOWN_STALE = ByErrcode "shown_stale" ["what was read before, since WeChat could not be asked. ERROR if the `errcode` is of *configuration*, or WeChat refuses the third-party platform", "at level ERROR look up the `errcode`"] ["微信暂时无响应，返回上次读取的资料。`errcode` 属于*检查配置*或微信拒绝第三方平台时为 ERROR", "级别为 ERROR 时查 `errcode`"];
    UNVERIFIED = ByErrcode "unverified" ["with `verify=true`: WeChat could not be asked. ERROR if the `errcode` is of *configuration*, or WeChat refuses the third-party platform", "at level ERROR look up the `errcode`"] ["使用 `verify=true` 时：微信暂时无响应。`errcode` 属于*检查配置*或微信拒绝第三方平台时为 ERROR", "级别为 ERROR 时查 `errcode`"];
    ERASED = Info "erased" ["`DELETE /userinfo`: the session is deleted"] ["`DELETE /userinfo`：会话已删除"];
    NO_COOKIE = Info "no_cookie" ["nobody is logged in: there is no session cookie"] ["没有登录：没有会话 Cookie"];
    NO_SESSION = Info "no_session" ["nobody is logged in: the session is over, or was ended"] ["没有登录：会话已过期或已结束"];
    GRANT_GONE = Info "grant_gone" ["the person withdrew the grant, or it ran out; log in again"] ["用户取消了授权，或授权已过期；需要重新登录"];
    USER_REFUSED = Info "user_refused" ["WeChat restricts this person"] ["微信限制了这个用户"];
    FOREIGN_ACCOUNT = Info "foreign_account" ["the page belongs to another account than the session", "`app=…` in that page's link"] ["网页与会话不属于同一个账号", "在该网页的链接中加上 `app=…`"];
    INVALID_REQUEST = Info "invalid_request" ["`lang` or `verify` is malformed or given twice", "`cause`"] ["`lang` 或 `verify` 有误或重复", "查看 `cause`"];
    STORE_UNAVAILABLE = Error "store_unavailable" ["DynamoDB did not answer", "`cause`"] ["DynamoDB 无响应", "查看 `cause`"];
    SECRETS_UNAVAILABLE = Error "secrets_unavailable" ["the token of the third-party platform could not be read, or there is none", "`cause`"] ["第三方平台的令牌无法读取，或不存在", "查看 `cause`"];
    FOREIGN_PROFILE = Error "foreign_profile" ["the profile that WeChat gave, or the renewed token, is another person's; nothing of it is kept", "tell WeChat, with the time and the appid"] ["微信给出的资料或刷新后的令牌属于另一个人；什么也没有保存", "到微信开放社区反馈，附上时间和 AppID"];
    UNSEALABLE = Error "unsealable" ["the session could not be sealed: a defect", "report it"] ["会话无法加密：程序错误", "请反馈"];
}

impl Refusal {
    const fn judge(&self) -> Verdict {
        let (outcome, reason) = match self {
            Self::Query(_) | Self::Value(_) => (&INVALID_REQUEST, Reason::InvalidRequest),
            Self::NoCookie => (&NO_COOKIE, Reason::NotLoggedIn),
            Self::NoSession => (&NO_SESSION, Reason::NotLoggedIn),
            Self::ForeignAccount => (&FOREIGN_ACCOUNT, Reason::OriginRefused),
            // Whatever WeChat's number means elsewhere: that a grant ends is nobody's mistake.
            Self::GrantGone(_) => (&GRANT_GONE, Reason::NotLoggedIn),
            Self::User(_) => (&USER_REFUSED, Reason::UserRefused),
            Self::Unverified(_) | Self::Platform(_) => (&UNVERIFIED, Reason::WechatUnavailable),
            Self::ForeignProfile => (&FOREIGN_PROFILE, Reason::LoginFailed),
            Self::Secrets(_) => (&SECRETS_UNAVAILABLE, Reason::ServiceUnavailable),
            Self::Store(_) => (&STORE_UNAVAILABLE, Reason::ServiceUnavailable),
            Self::Unsealable => (&UNSEALABLE, Reason::Unexpected),
        };
        Verdict { outcome, reason }
    }

    /// What the log says: the cause, and what WeChat said if it was WeChat.
    fn report(&self, outcome: &'static Outcome) -> Report {
        match self {
            Self::GrantGone(error) | Self::User(error) | Self::Unverified(error) => {
                outcome.report().with_wechat(error)
            }
            Self::Platform(error) => outcome.report().with_wechat(error).for_an_operator(),
            refusal => outcome.because(refusal),
        }
    }
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
    type Config = Config;

    fn configure(settings: &mut Settings<'_>) -> Result<Config, Wrong> {
        let deployment = Deployment::read(settings);
        let sessions_table = settings.required(&SESSIONS_TABLE, store::table_name);
        let component_tokens = SecretsSource::of_components(settings);
        let profile_lifetime =
            settings.optional(&PROFILE_LIFETIME_SECONDS, |text| settings::seconds(text, 0));
        let wechat_api = Hosts::read(settings);
        Ok(Config {
            deployment: deployment?,
            sessions_table: sessions_table?,
            component_tokens: component_tokens?,
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
        })
    }

    async fn handle(&self, request: &Request, now: Timestamp) -> Response {
        let caller = Caller::of(request.headers(), |origin| self.deployment.accounts.trust(origin));
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
        let cookies = self.cookies;
        let deleted = self.sessions.end_session(cookies.session(request.headers()).as_ref()).await;
        let response = response::empty(StatusCode::NO_CONTENT);
        end_session::answer(deleted, request, cookies, ERASED.of(response))
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
        let mut live = LiveSession::open(self, token, now).await?.ok_or(Refusal::NoSession)?;
        let account = self.deployment.accounts.of(&live.session.app);
        if !caller.may_know(|origin| account.is_some_and(|account| account.targets.is_trusted_origin(origin)))
        {
            return Err(Refusal::ForeignAccount);
        }

        if verify {
            live.verify().await.map_err(|failure| match failure {
                Failure::Platform(error) => Refusal::Platform(error),
                failure => still_worth_showing(failure).map_or_else(|refusal| refusal, Refusal::Unverified),
            })?;
        }
        let report = match live.read_profile(lang, self.profile_lifetime).await {
            Ok(()) => SHOWN.report(),
            // What was read before is better than nothing, unless there is nothing to show any more.
            Err(failure) => {
                let is_the_platforms = matches!(failure, Failure::Platform(_));
                let report = SHOWN_STALE.report().with_wechat(&still_worth_showing(failure)?);
                if is_the_platforms { report.for_an_operator() } else { report }
            }
        };
        let (session, expires_at) = (&live.session, live.expires_at());
        Ok(report.of(if wants_page(request.headers()) {
            show_page(request, session, expires_at, &self.consent_link("", session))
        } else {
            response::json(StatusCode::OK, &Answer::new(session, expires_at, self.upgrade_url(session)))
        }))
    }

    /// The name of the account whose pages the caller is one of; none for the first account's.
    fn account_of(&self, caller: Caller<'_>) -> Option<String> {
        let Caller::Trusted(origin) = caller else { return None };
        let mut accounts = self.deployment.accounts.iter();
        accounts.find(|account| account.targets.is_trusted_origin(origin))?.name.clone()
    }

    /// The login that would add the profile a page asked for with `scope=auto`. It is a link and no
    /// redirect, and it asks for consent by name: it cannot lead round in a circle.
    fn upgrade_url(&self, session: &Session) -> Option<String> {
        let has_none = session.profile.is_none() && !session.scope.includes_profile();
        (session.wants_profile && has_none)
            .then(|| self.consent_link(self.deployment.public_url.as_str(), session))
    }

    /// A login with consent, by the app the session is of.
    fn consent_link(&self, public_url: &str, session: &Session) -> String {
        let app = self.deployment.accounts.of(&session.app).and_then(|account| account.name.clone());
        page::authorize_link(public_url, None, &LoginRequest { scope: RequestedScope::Profile, app }, None)
    }

    fn refuse(&self, request: &Request, caller: Caller<'_>, refusal: &Refusal) -> Response {
        let Verdict { outcome, reason } = refusal.judge();
        let report = refusal.report(outcome);
        let id = CorrelationId::of(request);
        let login = LoginRequest { app: self.account_of(caller), ..LoginRequest::default() };
        let authorize_url = |public_url| page::authorize_link(public_url, None, &login, None);
        report.of(if wants_page(request.headers()) {
            page::notice(reason, Language::of(request.headers()), &id, &authorize_url(""))
        } else {
            let authorize_url = authorize_url(self.deployment.public_url.as_str());
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

/// WeChat's error, if what was read before may be shown all the same: a passing one, or an operator's. Otherwise
/// the refusal that it means.
fn still_worth_showing(failure: Failure) -> Result<wechat::error::Error, Refusal> {
    let error = match failure {
        Failure::Refusal(refusal) => return Err(refusal),
        Failure::Platform(error) => return Ok(error),
        Failure::Wechat(error) => error,
    };
    match error.reaction() {
        // A token that is refused right after it was renewed will not get better.
        Some(Reaction::LoginAgain | Reaction::FreshLogin | Reaction::Refresh) => {
            Err(Refusal::GrantGone(error))
        }
        Some(Reaction::User) => Err(Refusal::User(error)),
        Some(Reaction::Retry | Reaction::Configuration) | None => Ok(error),
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
