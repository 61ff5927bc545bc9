//! Every way a callback can end without a session, and what follows from it.
//!
//! There are many refusals and three ways on. **Fresh login**: the visitor may well be honest (a lost
//! cookie, a link opened twice, a code WeChat no longer takes), and a silent login costs one redirect;
//! it is tried once, then a page with a button follows, because a loop of silent redirects would be
//! invisible. **Back**: the visitor declined and returns to where the login began. **Page**: trying
//! again at once would not help.
//!
//! The log names the refusal; the visitor and whoever else looks sees only the [`Reason`].

use form_urlencoded::Serializer;
use http::StatusCode;
use login::deployment::Deployment;
use login::pending::{LoginRequest, PendingLogin};
use login::return_to::ReturnTo;
use secrets::SecretsError;
use web::outcome::{Outcome, Report};
use web::page;
use web::query::QueryError;
use web::reason::Reason;
use web::request::{CorrelationId, Request};
use web::response::{Response, redirect};
use wechat::errcode::Reaction;
use wechat::error::{Error, Unsent};

/// Why a callback gives no session.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("not opened as a page")]
    NotAPage,
    #[error(transparent)]
    Query(QueryError),
    #[error("no well-formed state")]
    MalformedState,
    #[error("no well-formed code")]
    MalformedCode,
    #[error("no browser cookie, or not exactly one")]
    CookieMissing,
    #[error("the visitor declined, in the browser that began the login")]
    DeniedHere,
    #[error("the visitor declined, and the login is over, unknown or another browser's")]
    Denied,
    #[error("no such login")]
    LoginUnknown,
    #[error("the login is over")]
    LoginExpired,
    #[error("the login is another browser's")]
    ForeignBrowser,
    #[error("the code was used for another login")]
    CodeUsedElsewhere,
    #[error("the login was finished before, and its session is gone")]
    SessionGone,
    #[error("the callback that came first failed")]
    WinnerFailed,
    #[error("the callback that came first does not finish")]
    WinnerSilent,
    #[error("WeChat says that the visitor is on a snapshot page")]
    Snapshot,
    #[error("the profile is another person's")]
    ForeignProfile,
    #[error("the credentials have just been rotated")]
    CredentialsRotated,
    #[error("the credentials are refused: {0}")]
    Credentials(Error),
    #[error(transparent)]
    Wechat(Error),
    #[error(transparent)]
    Secrets(SecretsError),
    #[error(transparent)]
    Store(store::Error),
    #[error("the session could not be stored: {0}")]
    NotStored(store::Error),
    #[error("the session could not be sealed")]
    Unsealable,
}

/// A refusal, with the login it is about if there is one.
#[derive(Debug)]
pub struct RefusedLogin {
    refusal: Refusal,
    login: Option<PendingLogin>,
    /// Why the code could not be marked, where it was to be.
    unmarked: Option<store::Error>,
}

/// What follows from a refusal. At which level it is logged, the outcome says.
struct Verdict {
    outcome: &'static Outcome,
    destination: Destination,
}

web::outcomes! {
    LOGGED_IN = ByErrcode "logged_in" ["session stored, cookie set. With `cause` or `errcode`: without the profile or the unionid, which WeChat did not give. ERROR with `SILENT_UNIONID`, if the `errcode` is of *configuration*", "at level ERROR look up the `errcode`; for 40164 put the address in `cause` into the allow-list"] ["会话已保存，Cookie 已设置。带有 `cause` 或 `errcode` 时：缺少微信没有给出的资料或 unionid。开启 `SILENT_UNIONID` 且 `errcode` 属于*检查配置*时为 ERROR", "级别为 ERROR 时查 `errcode`；40164 请把 `cause` 中的 IP 加入 API IP 白名单"];
    REPEATED = Info "repeated" ["the same callback again; same answer, no second exchange"] ["同一回调再次到达；给出相同的响应，不再次换取"];
    LOGGED_IN_ELSEWHERE = Info "logged_in_elsewhere" ["WeChat repeated a code that this browser's session came from; sent on"] ["微信重复发放了这个浏览器的会话所用的 code；直接跳转"];
    DENIED = Info "denied" ["the person declined, or WeChat sent no code; back to `return_to`"] ["用户拒绝，或微信没有给 code；跳回 `return_to`"];
    DENIED_ELSEWHERE = Info "denied_elsewhere" ["the same, but in another browser or after the login was over"] ["同上，但换了浏览器，或登录已过期"];
    NOT_A_PAGE = Info "not_a_page" ["opened in a frame, an image or by prefetch; the login stays usable"] ["在 iframe、图片或预取中打开；登录仍可继续"];
    INVALID_REQUEST = Info "invalid_request" ["`state` or `code` is malformed or given twice; the login stays usable"] ["`state` 或 `code` 有误或重复；登录仍可继续"];
    COOKIE_MISSING = Info "cookie_missing" ["no browser cookie, or two; fresh login", "if frequent: a browser that keeps no cookies, or a link opened in another one"] ["没有 `browser` Cookie，或有两个；自动重新登录", "如果频繁：浏览器不保存 Cookie，或链接在另一个浏览器中打开"];
    LOGIN_UNKNOWN = Info "login_unknown" ["no such login; fresh login"] ["没有这次登录；自动重新登录"];
    LOGIN_EXPIRED = Info "login_expired" ["the login is over 10 minutes old; fresh login"] ["登录已超过 10 分钟；自动重新登录"];
    FOREIGN_BROWSER = Info "foreign_browser" ["the login is another browser's: not exchanged, and the code marked as spent; fresh login", "if frequent: people share the address of a callback, or an attack"] ["登录属于另一个浏览器：不换取，并作废这个 code；自动重新登录", "如果频繁：有人分享了回调地址，或遭到攻击"];
    CODE_USED_ELSEWHERE = Info "code_used_elsewhere" ["the code was used for another login; fresh login", "if frequent: people share the address of a callback, or an attack"] ["这个 code 已用于另一次登录；自动重新登录", "如果频繁：有人分享了回调地址，或遭到攻击"];
    SESSION_GONE = Info "session_gone" ["the callback of a finished login, after a logout or an erasure; fresh login"] ["已完成的登录的回调，在退出登录或删除之后到达；自动重新登录"];
    WINNER_FAILED = Info "winner_failed" ["a duplicate, and the request that came first failed; fresh login", "see what the first came to"] ["重复的回调，先到的请求失败了；自动重新登录", "查看先到的请求的结果"];
    WINNER_SILENT = Info "winner_silent" ["a duplicate, and the request that came first died or takes too long; fresh login", "see what the first came to"] ["重复的回调，先到的请求意外中断或耗时过长；自动重新登录", "查看先到的请求的结果"];
    SNAPSHOT = Info "snapshot" ["WeChat shows a snapshot page; nobody can log in there", "let people tap before you ask for `snsapi_userinfo`"] ["微信显示的是网页快照页，不能登录", "请让用户点击之后再请求 `snsapi_userinfo`"];
    CODE_REFUSED = Info "code_refused" ["WeChat takes the code no more, by `errcode`; fresh login"] ["微信不再接受这个 code，见 `errcode`；自动重新登录"];
    WECHAT_BUSY = Info "wechat_busy" ["WeChat said to come again later; fresh login", "if it lasts: `WechatTroubleAlarm`"] ["微信要求稍后重试；自动重新登录", "如果持续：见 `WechatTroubleAlarm`"];
    EXCHANGE_IN_DOUBT = Info "exchange_in_doubt" ["WeChat gave nothing that can be read, or nothing in time; fresh login", "if it lasts: `WechatTroubleAlarm`"] ["微信没有及时响应，或响应无法理解；自动重新登录", "如果持续：见 `WechatTroubleAlarm`"];
    WECHAT_UNREACHABLE = Info "wechat_unreachable" ["no connection to WeChat, not even at the backup host", "with `FixedAddress`: is the NAT gateway well?"] ["连接不上微信，备用域名也不行", "使用 `FixedAddress` 时：检查 NAT 网关"];
    USER_REFUSED = Info "user_refused" ["WeChat restricts this person"] ["微信限制了这个用户"];
    CREDENTIALS_ROTATED = Info "credentials_rotated" ["the secret had just been changed; the fresh login uses the new one"] ["AppSecret 刚被更换；重新登录会使用新的"];
    MISCONFIGURED = Error "misconfigured" ["WeChat refuses the app, its secret, its permission or a platform's token; or no request can be made of the configured address", "`errcode`, and [the list](errcodes.md)"] ["微信拒绝了应用、AppSecret、接口权限或第三方平台的令牌；或所设的地址无法请求", "查看 `errcode` 和[错误码](errcodes.md)"];
    SECRETS_WRONG = Error "secrets_wrong" ["there is no secret for this appid, or the secret is not the JSON it should be", "put the secrets in, as [deploying](../guide/deploy.md) says"] ["没有这个 AppID 的 AppSecret，或 Secrets Manager 密钥的内容不是应有的 JSON", "按[部署](../guide/deploy.md)写入 AppSecret"];
    SECRETS_UNAVAILABLE = Error "secrets_unavailable" ["Secrets Manager did not answer, or refused", "`cause` has its error code: for `AccessDeniedException` the role of the function"] ["Secrets Manager 无响应或拒绝了请求", "`cause` 中有错误码：`AccessDeniedException` 请检查函数的角色"];
    STORE_UNAVAILABLE = Error "store_unavailable" ["DynamoDB did not answer", "`cause`"] ["DynamoDB 无响应", "查看 `cause`"];
    FOREIGN_PROFILE = Error "foreign_profile" ["the profile that WeChat gave is another person's; nothing of it is kept", "tell WeChat, with the time and the appid"] ["微信给出的资料属于另一个人；什么也没有保存", "到微信开放社区反馈，附上时间和 AppID"];
    UNSEALABLE = Error "unsealable" ["the session could not be sealed: a defect", "report it"] ["会话无法加密：程序错误", "请反馈"];
}

/// How a visitor goes on.
enum Destination {
    /// One automatic fresh login; the page of this reason if that was one already.
    FreshLogin(Reason),
    /// Back to where the login would have ended.
    Back,
    /// The page of this reason.
    Page(Reason),
}

impl Refusal {
    /// This refusal of this login.
    pub const fn of(self, login: PendingLogin) -> RefusedLogin {
        self.of_any(Some(login))
    }

    /// This refusal of a login that may not be there.
    pub const fn of_any(self, login: Option<PendingLogin>) -> RefusedLogin {
        RefusedLogin { refusal: self, login, unmarked: None }
    }

    /// What is logged, at which level, and how the visitor goes on.
    fn judge(&self) -> Verdict {
        use Destination::{Back, FreshLogin, Page};
        let (outcome, destination) = match self {
            Self::NotAPage => (&NOT_A_PAGE, Page(Reason::NotAPage)),
            Self::Query(_) | Self::MalformedState | Self::MalformedCode => {
                (&INVALID_REQUEST, Page(Reason::InvalidRequest))
            }
            Self::CookieMissing => (&COOKIE_MISSING, FreshLogin(Reason::CookieMissing)),
            Self::DeniedHere => (&DENIED, Back),
            Self::Denied => (&DENIED_ELSEWHERE, Page(Reason::AccessDenied)),
            Self::LoginUnknown => (&LOGIN_UNKNOWN, FreshLogin(Reason::LoginExpired)),
            Self::LoginExpired => (&LOGIN_EXPIRED, FreshLogin(Reason::LoginExpired)),
            Self::ForeignBrowser => (&FOREIGN_BROWSER, FreshLogin(Reason::LoginExpired)),
            Self::CodeUsedElsewhere => (&CODE_USED_ELSEWHERE, FreshLogin(Reason::LoginExpired)),
            Self::SessionGone => (&SESSION_GONE, FreshLogin(Reason::LoginExpired)),
            Self::WinnerFailed => (&WINNER_FAILED, FreshLogin(Reason::LoginExpired)),
            Self::WinnerSilent => (&WINNER_SILENT, FreshLogin(Reason::WechatUnavailable)),
            Self::Snapshot => (&SNAPSHOT, Page(Reason::Snapshot)),
            Self::ForeignProfile => (&FOREIGN_PROFILE, Page(Reason::LoginFailed)),
            Self::CredentialsRotated => (&CREDENTIALS_ROTATED, FreshLogin(Reason::Misconfigured)),
            Self::Credentials(_) | Self::Wechat(Error::NotSent(Unsent::NoRequest)) => {
                (&MISCONFIGURED, Page(Reason::Misconfigured))
            }
            Self::Secrets(SecretsError::Unavailable(_)) => {
                (&SECRETS_UNAVAILABLE, Page(Reason::ServiceUnavailable))
            }
            Self::Secrets(SecretsError::Malformed | SecretsError::Missing) => {
                (&SECRETS_WRONG, Page(Reason::Misconfigured))
            }
            Self::Store(_) => (&STORE_UNAVAILABLE, Page(Reason::ServiceUnavailable)),
            // The code is spent by now, so trying the same address again would bring nothing.
            Self::NotStored(_) => (&STORE_UNAVAILABLE, FreshLogin(Reason::ServiceUnavailable)),
            Self::Unsealable => (&UNSEALABLE, Page(Reason::Unexpected)),
            Self::Wechat(Error::NotSent(Unsent::NoConnection)) => {
                (&WECHAT_UNREACHABLE, Page(Reason::WechatUnavailable))
            }
            Self::Wechat(Error::InDoubt(_)) => (&EXCHANGE_IN_DOUBT, FreshLogin(Reason::WechatUnavailable)),
            Self::Wechat(Error::Refused(refused)) => {
                let reaction = refused.errcode.reaction();
                match reaction {
                    Reaction::Retry => (&WECHAT_BUSY, FreshLogin(reaction.into())),
                    Reaction::FreshLogin | Reaction::Refresh | Reaction::LoginAgain => {
                        (&CODE_REFUSED, FreshLogin(reaction.into()))
                    }
                    Reaction::Configuration => (&MISCONFIGURED, Page(reaction.into())),
                    Reaction::User => (&USER_REFUSED, Page(reaction.into())),
                }
            }
        };
        Verdict { outcome, destination }
    }

    /// What the log says: the cause, and what WeChat said if it was WeChat.
    fn report(&self, outcome: &'static Outcome) -> Report {
        match self {
            Self::Wechat(error) | Self::Credentials(error) => outcome.report().with_wechat(error),
            refusal => outcome.because(refusal),
        }
    }
}

/// Where a login of this kind ends that names no target.
pub fn default_of<'a>(deployment: &'a Deployment, login: Option<&PendingLogin>) -> &'a ReturnTo {
    let account = login.and_then(|login| deployment.accounts.of(&login.app));
    account.map_or(&deployment.accounts.first.default_return_to, |account| &account.default_return_to)
}

impl From<Refusal> for RefusedLogin {
    fn from(refusal: Refusal) -> Self {
        refusal.of_any(None)
    }
}

impl RefusedLogin {
    /// Notes whether the code could be marked.
    pub fn marked(self, marked: Result<(), store::Error>) -> Self {
        Self { unmarked: marked.err(), ..self }
    }

    /// The answer: always a 303, to an address without code and state.
    pub fn answer(&self, deployment: &Deployment, request: &Request) -> Response {
        let Verdict { outcome, destination } = self.refusal.judge();
        let location = match destination {
            Destination::Back => self.back(deployment),
            Destination::FreshLogin(_) if self.login.as_ref().is_none_or(PendingLogin::may_retry) => {
                self.fresh_login(deployment)
            }
            Destination::FreshLogin(reason) | Destination::Page(reason) => {
                self.page(deployment, reason, &CorrelationId::of(request))
            }
        };
        let report = self.refusal.report(outcome);
        let report = match &self.unmarked {
            Some(error) => report.with_cause(format_args!("the code could not be marked: {error}")),
            None => report,
        };
        report.of(redirect(StatusCode::SEE_OTHER, &location))
    }

    /// Where the login ends, by today's configuration; `None` if its target is not allowed any more.
    fn target(&self, deployment: &Deployment) -> Option<ReturnTo> {
        let login = self.login.as_ref()?;
        deployment.accounts.of(&login.app)?.targets.check_again(&login.return_to).ok()
    }

    fn back(&self, deployment: &Deployment) -> String {
        let target =
            self.target(deployment).unwrap_or_else(|| default_of(deployment, self.login.as_ref()).clone());
        target.with_error(Reason::AccessDenied.as_str())
    }

    /// The same login once more. A login that is unknown leaves nothing to repeat but the default.
    fn fresh_login(&self, deployment: &Deployment) -> String {
        let round = (self.login.as_ref().map_or(1, |login| login.round) + 1).to_string();
        let link = match &self.login {
            Some(login) => page::authorize_link(
                deployment.public_url.as_str(),
                self.mention(deployment).as_ref(),
                &login.request,
                login.lang,
            ),
            None => {
                page::authorize_link(deployment.public_url.as_str(), None, &LoginRequest::default(), None)
            }
        };
        let join = if link.contains('?') { '&' } else { '?' };
        format!("{link}{join}attempt={round}")
    }

    fn page(&self, deployment: &Deployment, reason: Reason, id: &CorrelationId) -> String {
        let mut query = Serializer::new(String::new());
        query.append_pair("reason", reason.as_str()).append_pair("id", id.as_str());
        query.extend_pairs(self.mention(deployment).map(|target| ("return_to", target.as_str().to_owned())));
        query.extend_pairs(
            self.login.as_ref().and_then(|login| login.request.app.as_deref()).map(|app| ("app", app)),
        );
        format!("{}/error?{}", deployment.public_url.as_str(), query.finish())
    }

    /// The login's target where it must be named; the default needs no mention.
    fn mention(&self, deployment: &Deployment) -> Option<ReturnTo> {
        self.target(deployment).filter(|target| target != default_of(deployment, self.login.as_ref()))
    }
}
