//! Every way a callback can end without a session, and what follows from it.
//!
//! There are many refusals and few ways on. **Fresh login**: the visitor may well be honest (a lost
//! cookie, a link opened twice, a code WeChat no longer takes), and a silent login costs one redirect;
//! it is tried once, then a page with a button follows, because a loop of silent redirects would be
//! invisible. Where a login costs a tap or a scan, the page comes first: nobody is shown a second QR code
//! without a word. **Later**: WeChat gives quick silent logins the same code again, and one that was spent here is
//! never exchanged; so a short page waits until WeChat has a new one. That is no fault of the login's and takes
//! none of its rounds, but no more than three waits follow each other. **Back**: the visitor declined and
//! returns to where the login began. **Page**: trying again at once would not help.
//!
//! The log names the refusal; the visitor and whoever else looks sees only the [`Reason`].

use form_urlencoded::Serializer;
use http::StatusCode;
use login::deployment::Deployment;
use login::pending::{PendingLogin, Turn};
use login::return_to::ReturnTo;
use secrets::SecretsError;
use store::CodeFailure;
use web::link::LoginLink;
use web::outcome::{Outcome, Report};
use web::query::QueryError;
use web::reason::Reason;
use web::request::{CorrelationId, Request, is_wechat};
use web::response::{Response, redirect};
use wechat::errcode::Reaction;
use wechat::error::{Error, Unsent};

/// Why a callback gives no session.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("not opened as a page")]
    NotAPage,
    #[error("a login of this browser, not opened as a page")]
    LoginNotAPage,
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
    #[error("the login is another browser's, or this one's from before it got a new secret")]
    BrowserRenewed,
    #[error("the code was used for another login")]
    CodeUsedElsewhere,
    #[error("the login was finished before, and its session is gone")]
    SessionGone,
    #[error("another code claimed the login")]
    AnotherCode,
    #[error("another code claimed the login, and somebody is logged in here")]
    AnotherScan,
    #[error("the callback that came first failed")]
    WinnerFailed(Destination),
    #[error("the callback that came first does not finish")]
    WinnerSilent,
    #[error("WeChat says that the visitor is on a snapshot page")]
    Snapshot,
    #[error("the profile is another person's")]
    ForeignProfile,
    #[error("the credentials have just been rotated")]
    CredentialsRotated,
    #[error("the credentials are refused: {error}")]
    Credentials {
        error: Error,
        /// Why nobody knows whether they have just been rotated.
        unread: Option<SecretsError>,
    },
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
    #[error("the time was over")]
    OutOfTime,
}

/// A refusal, with the login it is about if there is one.
#[derive(Debug)]
pub struct RefusedLogin {
    refusal: Refusal,
    login: Option<PendingLogin>,
    /// Why the code could not be marked, where it was to be.
    unmarked: Option<store::Error>,
    /// Why nobody knows which login it is about.
    unread: Option<store::Error>,
}

/// What follows from a refusal. At which level it is logged, the outcome says.
struct Verdict {
    outcome: &'static Outcome,
    destination: Destination,
}

web::outcomes! {
    LOGGED_IN = ByErrcode "logged_in" ["session stored, cookie set. With `cause` or `errcode`: without the profile or the unionid, which WeChat did not give. ERROR if the `errcode` is of *configuration*", "at level ERROR look up the `errcode`; for 40164 put the address in `cause` into the allow-list"] ["会话已保存，Cookie 已设置。带有 `cause` 或 `errcode` 时：缺少微信没有给出的资料或 unionid。`errcode` 属于*检查配置*时为 ERROR", "级别为 ERROR 时查 `errcode`；40164 请把 `cause` 中的 IP 加入 API IP 白名单"];
    REPEATED = Info "repeated" ["the same callback again; same answer, no second exchange"] ["同一回调再次到达；给出相同的响应，不再次换取"];
    LOGGED_IN_BEFORE = Info "logged_in_before" ["the login was finished before, and this browser has a session: sent on without a new cookie"] ["这次登录早已完成，浏览器中已有会话：直接跳转，不设新的 Cookie"];
    LOGGED_IN_ELSEWHERE = Info "logged_in_elsewhere" ["WeChat repeated a code that this browser's session came from; sent on"] ["微信重复发放了这个浏览器的会话所用的 code；直接跳转"];
    DENIED = Info "denied" ["the person declined, or WeChat sent no code; back to `return_to`"] ["用户拒绝，或微信没有给 code；跳回 `return_to`"];
    DENIED_ELSEWHERE = Info "denied_elsewhere" ["the same, but in another browser or after the login was over"] ["同上，但换了浏览器，或登录已过期"];
    NOT_A_PAGE = Info "not_a_page" ["opened in a frame, an image or by prefetch; the login stays usable"] ["在 iframe、图片或预取中打开；登录仍可继续"];
    LOGIN_NOT_A_PAGE = Info "login_not_a_page" ["the same, by the login's own browser with its code: a page that opens the login in a frame, or a browser that says wrongly that it does", "if it is every login, deploy with `PageLoadsOnly=false`"] ["同上，而且是登录自己的浏览器带着 code：网页把登录嵌在 iframe 里，或浏览器的声明有误", "如果每次登录都这样，部署时设 `PageLoadsOnly=false`"];
    INVALID_REQUEST = Info "invalid_request" ["`state` or `code` is malformed or given twice; the login stays usable"] ["`state` 或 `code` 有误或重复；登录仍可继续"];
    COOKIE_MISSING = Info "cookie_missing" ["no browser cookie, or two; fresh login", "if frequent: a browser that keeps no cookies, or a link opened in another one"] ["没有 `browser` Cookie，或有两个；自动重新登录", "如果频繁：浏览器不保存 Cookie，或链接在另一个浏览器中打开"];
    LOGIN_UNKNOWN = Info "login_unknown" ["no such login; fresh login"] ["没有这次登录；自动重新登录"];
    LOGIN_EXPIRED = Info "login_expired" ["the login is over: 10 minutes after it began, 30 with a QR code; fresh login"] ["登录已过期（10 分钟，扫码登录 30 分钟）；自动重新登录"];
    FOREIGN_BROWSER = Info "foreign_browser" ["the login is another browser's: not exchanged, and the code marked as spent; fresh login", "if frequent: people share the address of a callback, or an attack"] ["登录属于另一个浏览器：不换取，并作废这个 code；自动重新登录", "如果频繁：有人分享了回调网址，或遭到攻击"];
    CODE_USED_ELSEWHERE = Info "code_used_elsewhere" ["the code was spent here before, as WeChat repeats it to quick logins: never exchanged; the login begins again after a short wait", "if frequent: pages that begin a login at once after a logout"] ["这个 code 在这里用过（微信会给短时间内的登录重复发放同一个 code）：不再换取，稍等几秒后自动重新登录", "如果频繁：有网页在退出后立即发起登录"];
    ANOTHER_CODE = Info "another_code" ["another code for a login that is finished: a second person scanned the page, or WeChat sent two codes. The code is spent, not exchanged, and nobody is given the first person's session", "if frequent: QR pages that stay open where many people pass"] ["已完成的登录又收到另一个 code：另一个人扫了同一个页面，或微信发了两个 code。作废这个 code，不换取；不会得到前一个人的会话", "如果频繁：二维码页面长时间开在人多的地方"];
    SESSION_GONE = Info "session_gone" ["the callback of a login that is finished, whose session a logout, an erasure or WeChat has ended; fresh login"] ["登录已完成，但会话已因退出登录、删除资料或微信授权失效而结束；自动重新登录"];
    WINNER_FAILED = Info "winner_failed" ["a duplicate, and the request that came first failed; the page that it was shown, or a fresh login", "see what the first came to"] ["重复的回调，先到的请求失败了；显示与它相同的页面，或自动重新登录", "查看先到的请求的结果"];
    WINNER_SILENT = Info "winner_silent" ["a duplicate, and the request that came first died or takes too long; fresh login", "see what the first came to"] ["重复的回调，先到的请求意外中断或耗时过长；自动重新登录", "查看先到的请求的结果"];
    BROWSER_RENEWED = Info "browser_renewed" ["the callback of the first of several tabs, or of a login that a logout came in between: the browser has a new secret since; the code is marked as spent; fresh login"] ["同时打开了几个标签页，或登录期间退出过：`browser` Cookie 已更换；作废这个 code，自动重新登录"];
    SNAPSHOT = Info "snapshot" ["WeChat shows a snapshot page; nobody can log in there", "let people tap before you ask for `snsapi_userinfo`"] ["微信显示的是网页快照页，不能登录", "请让用户点击之后再请求 `snsapi_userinfo`"];
    CODE_REFUSED = Info "code_refused" ["WeChat takes the code no more, by `errcode`; fresh login"] ["微信不再接受这个 code，见 `errcode`；自动重新登录"];
    WECHAT_BUSY = Info "wechat_busy" ["WeChat said to come again later; fresh login", "if it lasts: `WechatTroubleAlarm`"] ["微信要求稍后重试；自动重新登录", "如果持续：见 `WechatTroubleAlarm`"];
    EXCHANGE_IN_DOUBT = Info "exchange_in_doubt" ["WeChat gave nothing that can be read, or nothing in time; fresh login", "if it lasts: `WechatTroubleAlarm`"] ["微信没有及时响应，或响应无法理解；自动重新登录", "如果持续：见 `WechatTroubleAlarm`"];
    WECHAT_UNREACHABLE = Info "wechat_unreachable" ["no connection to WeChat, not even at the backup host", "with `FixedAddress`: is the NAT gateway well?"] ["连接不上微信，备用域名也不行", "使用 `FixedAddress` 时：检查 NAT 网关"];
    USER_REFUSED = Info "user_refused" ["WeChat restricts this person"] ["微信限制了这个用户"];
    CREDENTIALS_ROTATED = Info "credentials_rotated" ["the secret had just been changed; the fresh login uses the new one"] ["AppSecret 刚被更换；重新登录会使用新的"];
    MISCONFIGURED = Error "misconfigured" ["WeChat refuses the app, its secret, its permission or a platform's token; or no request can be made of the configured address", "`errcode`, and [the list](errcodes.md)"] ["微信拒绝了应用、AppSecret、接口权限或 component_access_token；或所设的网址无法请求", "查看 `errcode` 和[错误码](errcodes.md)"];
    SECRETS_WRONG = Error "secrets_wrong" ["there is no secret for this appid, or the secret is not the JSON it should be", "put the secrets in, as [deploying](../guide/deploy.md) says"] ["没有这个 AppID 的 AppSecret，或 Secrets Manager 密钥的内容不是应有的 JSON", "按[部署](../guide/deploy.md)写入 AppSecret"];
    SECRETS_UNAVAILABLE = Error "secrets_unavailable" ["Secrets Manager did not answer, or refused", "`cause` has its error code: for `AccessDeniedException` the role of the function"] ["Secrets Manager 无响应或拒绝了请求", "`cause` 中有错误码：`AccessDeniedException` 请检查函数的角色"];
    STORE_UNAVAILABLE = Error "store_unavailable" ["DynamoDB did not answer, or other requests always wrote first", "`cause`"] ["DynamoDB 无响应，或每次都有其他请求先写入", "查看 `cause`"];
    FOREIGN_PROFILE = Error "foreign_profile" ["the profile that WeChat gave is another person's; nothing of it is kept", "tell WeChat, with the time and the appid"] ["微信给出的资料属于另一个用户；什么也没有保存", "到微信开放社区反馈，附上时间和 AppID"];
    OUT_OF_TIME = Error "out_of_time" ["no answer in time: DynamoDB, Secrets Manager or WeChat hangs", "`wechat_ms`, and `cause` of the lines around"] ["没有及时响应：DynamoDB、Secrets Manager 或微信无响应", "查看 `wechat_ms` 和前后各行的 `cause`"];
    UNSEALABLE = Error "unsealable" ["the session could not be sealed: a defect", "report it"] ["会话无法加密：程序错误", "请反馈"];
}

/// How a visitor goes on.
#[derive(Debug, Clone, Copy)]
pub enum Destination {
    /// One automatic fresh login; the page of this reason if that was one already, or if it costs a tap or a scan.
    FreshLogin(Reason),
    /// The same login once more, which is no round of its own; the page of this reason as above.
    Again(Reason),
    /// The same login once more, after a wait; the page of this reason as above.
    Later(Reason),
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
        RefusedLogin { refusal: self, login, unmarked: None, unread: None }
    }

    /// This refusal of a login that was looked for, which may have failed.
    pub fn of_named(self, named: Result<Option<PendingLogin>, store::Error>) -> RefusedLogin {
        match named {
            Ok(login) => self.of_any(login),
            Err(error) => RefusedLogin { unread: Some(error), ..self.into() },
        }
    }

    /// What is logged, at which level, and how the visitor goes on.
    fn judge(&self) -> Verdict {
        use Destination::{Again, Back, FreshLogin, Later, Page};
        let (outcome, destination) = match self {
            Self::NotAPage => (&NOT_A_PAGE, Page(Reason::NotAPage)),
            Self::LoginNotAPage => (&LOGIN_NOT_A_PAGE, Page(Reason::NotAPage)),
            Self::Query(_) | Self::MalformedState | Self::MalformedCode => {
                (&INVALID_REQUEST, Page(Reason::InvalidRequest))
            }
            Self::CookieMissing => (&COOKIE_MISSING, FreshLogin(Reason::CookieMissing)),
            Self::DeniedHere => (&DENIED, Back),
            Self::Denied => (&DENIED_ELSEWHERE, Page(Reason::AccessDenied)),
            Self::LoginUnknown => (&LOGIN_UNKNOWN, FreshLogin(Reason::LoginExpired)),
            Self::LoginExpired => (&LOGIN_EXPIRED, FreshLogin(Reason::LoginExpired)),
            Self::ForeignBrowser => (&FOREIGN_BROWSER, Again(Reason::LoginExpired)),
            Self::BrowserRenewed => (&BROWSER_RENEWED, Again(Reason::LoginExpired)),
            Self::CodeUsedElsewhere => (&CODE_USED_ELSEWHERE, Later(Reason::LoginExpired)),
            Self::AnotherCode => (&ANOTHER_CODE, FreshLogin(Reason::LoginExpired)),
            Self::AnotherScan => (&ANOTHER_CODE, Page(Reason::AlreadyLoggedIn)),
            Self::SessionGone => (&SESSION_GONE, FreshLogin(Reason::LoginExpired)),
            Self::WinnerFailed(destination) => (&WINNER_FAILED, *destination),
            Self::WinnerSilent => (&WINNER_SILENT, FreshLogin(Reason::WechatUnavailable)),
            Self::Snapshot => (&SNAPSHOT, Page(Reason::Snapshot)),
            Self::ForeignProfile => (&FOREIGN_PROFILE, Page(Reason::LoginFailed)),
            Self::CredentialsRotated => (&CREDENTIALS_ROTATED, FreshLogin(Reason::Misconfigured)),
            Self::Credentials { .. } | Self::Wechat(Error::NotSent(Unsent::NoRequest)) => {
                (&MISCONFIGURED, Page(Reason::Misconfigured))
            }
            Self::Secrets(SecretsError::Unavailable(_)) => {
                (&SECRETS_UNAVAILABLE, Page(Reason::ServiceUnavailable))
            }
            Self::Secrets(
                SecretsError::Malformed | SecretsError::Missing | SecretsError::NoComponentToken,
            ) => (&SECRETS_WRONG, Page(Reason::Misconfigured)),
            Self::Store(_) => (&STORE_UNAVAILABLE, Page(Reason::ServiceUnavailable)),
            // The code is spent by now, so trying the same address again would bring nothing.
            Self::NotStored(_) => (&STORE_UNAVAILABLE, FreshLogin(Reason::ServiceUnavailable)),
            Self::Unsealable => (&UNSEALABLE, Page(Reason::Unexpected)),
            Self::OutOfTime => (&OUT_OF_TIME, Page(Reason::ServiceUnavailable)),
            Self::Wechat(Error::NotSent(Unsent::NoConnection | Unsent::Paused)) => {
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

    /// What is recorded of a code that ended so, for whoever brings it again.
    pub fn to_repeat(&self) -> Option<CodeFailure> {
        let (reason, begins_afresh) = match self.judge().destination {
            Destination::FreshLogin(reason) => (reason, true),
            Destination::Page(reason) => (reason, false),
            Destination::Again(_) | Destination::Later(_) | Destination::Back => return None,
        };
        Some(CodeFailure { reason: reason.as_str().to_owned(), begins_afresh })
    }

    /// The refusal of whoever brings a code again that ended so. What another version recorded may say nothing to this
    /// one.
    pub fn repeated(why: Option<&CodeFailure>) -> Self {
        let reason = why.and_then(|why| Some((Reason::parse(&why.reason)?, why.begins_afresh)));
        Self::WinnerFailed(match reason {
            Some((reason, false)) => Destination::Page(reason),
            Some((reason, true)) => Destination::FreshLogin(reason),
            None => Destination::FreshLogin(Reason::LoginExpired),
        })
    }

    /// What the log says: the cause, and what WeChat said if it was WeChat.
    fn report(&self, outcome: &'static Outcome) -> Report {
        match self {
            Self::Wechat(error) => outcome.report().with_wechat(error),
            Self::Credentials { error, unread } => outcome
                .report()
                .with_wechat(error)
                .with_failure("whether they were rotated is not known", unread.as_ref()),
            Self::NotAPage
            | Self::LoginNotAPage
            | Self::Query(_)
            | Self::MalformedState
            | Self::MalformedCode
            | Self::CookieMissing
            | Self::DeniedHere
            | Self::Denied
            | Self::LoginUnknown
            | Self::LoginExpired
            | Self::ForeignBrowser
            | Self::BrowserRenewed
            | Self::CodeUsedElsewhere
            | Self::SessionGone
            | Self::AnotherCode
            | Self::AnotherScan
            | Self::WinnerFailed(_)
            | Self::WinnerSilent
            | Self::Snapshot
            | Self::ForeignProfile
            | Self::CredentialsRotated
            | Self::Secrets(_)
            | Self::Store(_)
            | Self::NotStored(_)
            | Self::Unsealable
            | Self::OutOfTime => outcome.because(self),
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
        use Destination::{Again, Back, FreshLogin, Later, Page};
        let Verdict { outcome, destination } = self.refusal.judge();
        let (link, id) = (self.link(deployment), CorrelationId::of(request));
        let on = |turn| LoginLink { turn, ..link.clone() };
        let page = |reason, turn| error_page(deployment, reason, &id, &on(turn));
        let turn = self.login.as_ref().map_or(Turn::FIRST, |login| login.turn);
        let is_free = self.costs_nothing(request);
        let again = |next: Option<Turn>| {
            next.filter(|_| is_free).map(|next| on(next).on(deployment.public_url.as_str()))
        };
        let location = match destination {
            Back => self.back(deployment),
            FreshLogin(reason) => again(turn.next_round()).unwrap_or_else(|| page(reason, Turn::FIRST)),
            Again(reason) => again(turn.next_wait()).unwrap_or_else(|| page(reason, Turn::FIRST)),
            Later(reason) => match turn.next_wait().filter(|_| is_free) {
                Some(next) => page(Reason::CodeRepeated, next),
                None => page(reason, Turn::FIRST),
            },
            Page(reason) => page(reason, Turn::FIRST),
        };
        let report = self
            .refusal
            .report(outcome)
            .with_failure("the code could not be marked", self.unmarked.as_ref())
            .with_failure("the login could not be read", self.unread.as_ref());
        report.of(redirect(StatusCode::SEE_OTHER, &location))
    }

    /// Whether a fresh login costs the visitor neither a tap nor a scan. Where the login is unknown, so is its
    /// kind: it was most likely the one that such a browser is sent to.
    fn costs_nothing(&self, request: &Request) -> bool {
        self.login.as_ref().map_or_else(|| is_wechat(request.headers()), PendingLogin::is_silent)
    }

    /// Where the login ends, by today's configuration; `None` if its target is not allowed any more.
    fn target(&self, deployment: &Deployment) -> Option<ReturnTo> {
        let login = self.login.as_ref()?;
        deployment.accounts.of(&login.app)?.targets.check_again(&login.return_to).ok()
    }

    fn back(&self, deployment: &Deployment) -> String {
        let target =
            self.target(deployment).unwrap_or_else(|| default_of(deployment, self.login.as_ref()).clone());
        let back = target.with_error(Reason::AccessDenied.as_str());
        let public_url = deployment.public_url.as_str();
        let link = if target.is_home(public_url) { self.link(deployment) } else { LoginLink::default() };
        let query = LoginLink { turn: Turn::FIRST, ..link }.to_query();
        match back.split_once('#') {
            // The home page offers the login that was declined, as any other page of this stack does.
            Some((before, fragment)) if !query.is_empty() => format!("{before}&{query}#{fragment}"),
            _ => back,
        }
    }

    /// The link that the login began with. Of one that is unknown nothing is left; the default target needs no
    /// mention.
    fn link(&self, deployment: &Deployment) -> LoginLink {
        let Some(login) = &self.login else { return LoginLink::default() };
        let default = default_of(deployment, Some(login));
        let return_to = self.target(deployment).filter(|target| target != default);
        LoginLink { return_to, request: login.request.clone(), turn: login.turn }
    }
}

/// The address of the page of a reason, which offers this login.
pub fn error_page(deployment: &Deployment, reason: Reason, id: &CorrelationId, link: &LoginLink) -> String {
    let mut query = Serializer::new(String::new());
    query.append_pair("reason", reason.as_str()).append_pair("id", id.as_str());
    let (query, login) = (query.finish(), link.to_query());
    let join = if login.is_empty() { "" } else { "&" };
    format!("{}/error?{query}{join}{login}", deployment.public_url.as_str())
}
