//! Every way in which nobody is sent on, and what follows from it.

use openid_connect::authorization::{AuthorizationError, Unanswerable};
use thiserror::Error;
use web::outcome::{Outcome, Verdict};
use web::query::QueryError;
use web::reason::Reason;

/// Why the person sees a page, and the client hears nothing.
#[derive(Debug, Error)]
pub(crate) enum Refusal {
    #[error("this deployment is no OpenID Provider")]
    NoProvider,
    #[error("there is nothing at this address")]
    NoSuchRoute,
    #[error("opened in a frame, an image or by prefetch")]
    NotAPage,
    #[error("the form is malformed or too long")]
    Form,
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error(transparent)]
    Unanswerable(Unanswerable),
    #[error("the request is over, unknown, or another browser's")]
    RequestGone,
    #[error("post_logout_redirect_uri is not registered for the client of the hint")]
    LogoutTarget,
    #[error("the client's account is not there any more")]
    NoAccount,
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("the grant could not be sealed")]
    Unsealable,
}

web::outcomes! {
    CODE_ISSUED = Info "code_issued" ["a code went to a client"] ["已把 code 发给客户端"];
    LOGIN_BEGUN = Info "login_sent" ["the request is stored; on to the login"] ["请求已保存；转到登录"];
    POSTED = Info "request_posted" ["a request came as a form, and is repeated as a link"] ["请求以表单方式到达，已改为链接"];
    DENIED = Info "denied_to_client" ["the person declined; the client is told"] ["用户拒绝了授权；已告知客户端"];
    LOGIN_REQUIRED = Info "login_required" ["the client is told that there is no login as it wants it; `cause`"] ["已告知客户端没有符合要求的登录；见 `cause`"];
    CONFIRMATION_ASKED = Info "confirmation_asked" ["an app on the device asks: the page that names it"] ["设备上的应用发来请求：显示说明页面"];
    NO_SUBJECT = Info "no_subject" ["`sub` is the unionid, and the session does not know it: the page with the button that asks WeChat", "if it comes often: `SILENT_UNIONID`, with `FixedAddress`; if nobody gets on: the apps are not bound to one Open Platform account"] ["`sub` 是 unionid，而会话中没有：显示按钮，请用户到微信确认", "频繁出现时可设置 `SILENT_UNIONID`，并启用 `FixedAddress`；如果所有人都无法继续：应用没有绑定到同一个开放平台账号"];
    REQUEST_REFUSED = Info "request_refused" ["the client is told what is wrong with its request; `cause`", "`cause`: the client's library is set up wrongly"] ["已告知客户端请求有误；见 `cause`", "查看 `cause`：客户端的库配置有误"];
    CLIENT_UNKNOWN = Info "client_unknown" ["`client_id` is missing or unknown", "the client's name, in `OpenidConnect` and at the client"] ["`client_id` 缺少或不存在", "核对 `OpenidConnect` 和客户端中的名称"];
    REDIRECT_REFUSED = Info "redirect_refused" ["`redirect_uri` is missing or not registered, byte for byte", "register it, or correct it at the client"] ["`redirect_uri` 缺少，或与登记的不完全一致", "登记它，或在客户端改正"];
    LOGGED_OUT = Info "logged_out" ["a client had its person logged out, or nobody was logged in any more"] ["客户端让用户退出了登录，或本来就没有登录"];
    LOGOUT_ASKED = Info "logout_asked" ["a client sent somebody to log out, without an ID token of the person who is logged in: the page that asks"] ["客户端要求退出登录，但没有当前用户的 ID token：显示确认页面"];
    LOGOUT_REFUSED = Info "logout_refused" ["`post_logout_redirect_uri` is not registered; nobody is logged out", "register it, or correct it at the client"] ["`post_logout_redirect_uri` 未登记；没有退出登录", "登记它，或在客户端改正"];
    REQUEST_GONE = Info "request_gone" ["the way back from a login to a request that is over, or another browser's"] ["登录返回时，请求已过期，或属于另一个浏览器"];
    NOT_A_PAGE = Info "not_a_page" ["opened in a frame, an image or by prefetch", "let your pages open the link as a page"] ["在 iframe、图片或预取中打开", "请让网页以普通链接打开"];
    INVALID_REQUEST = Info "invalid_request" ["a form that is malformed or too long, or a parameter there twice", "`cause`"] ["表单有误或过长，或参数重复", "查看 `cause`"];
    NO_PROVIDER = Info "no_provider" ["this deployment is no OpenID Provider", "set `OpenidConnect`, if it should be"] ["本部署不是 OpenID Provider", "需要时请设置 `OpenidConnect`"];
    NO_SUCH_ROUTE = Info "not_found" ["there is nothing at this address"] ["网址不存在"];
    STORE_UNAVAILABLE = Error "store_unavailable" ["DynamoDB did not answer", "`cause`"] ["DynamoDB 无响应", "查看 `cause`"];
    UNSEALABLE = Error "unsealable" ["the grant could not be sealed: a defect", "report it"] ["授权无法加密：程序错误", "请反馈"];
}

impl Refusal {
    pub(crate) const fn judge(&self) -> Verdict {
        let (outcome, reason) = match self {
            Self::NoProvider => (&NO_PROVIDER, Reason::NotFound),
            Self::NoSuchRoute => (&NO_SUCH_ROUTE, Reason::NotFound),
            Self::NotAPage => (&NOT_A_PAGE, Reason::NotAPage),
            Self::Form | Self::Query(_) => (&INVALID_REQUEST, Reason::InvalidRequest),
            Self::Unanswerable(Unanswerable::Client) => (&CLIENT_UNKNOWN, Reason::InvalidRequest),
            Self::Unanswerable(Unanswerable::RedirectUri) => (&REDIRECT_REFUSED, Reason::InvalidRequest),
            Self::LogoutTarget => (&LOGOUT_REFUSED, Reason::InvalidRequest),
            Self::RequestGone | Self::NoAccount => (&REQUEST_GONE, Reason::LoginExpired),
            Self::Store(_) => (&STORE_UNAVAILABLE, Reason::ServiceUnavailable),
            Self::Unsealable => (&UNSEALABLE, Reason::Unexpected),
        };
        Verdict { outcome, reason }
    }
}

/// How it is logged that the client is told of an error: [`AuthorizationError::words`] are the cause.
pub(crate) const fn of_error(error: AuthorizationError) -> &'static Outcome {
    match error {
        AuthorizationError::InvalidRequest(_)
        | AuthorizationError::UnsupportedResponseType
        | AuthorizationError::InvalidScope
        | AuthorizationError::InvalidTarget
        | AuthorizationError::RequestNotSupported
        | AuthorizationError::RequestUriNotSupported => &REQUEST_REFUSED,
        AuthorizationError::LoginRequired
        | AuthorizationError::InteractionRequired
        | AuthorizationError::ConsentRequired
        | AuthorizationError::NoUnionId => &LOGIN_REQUIRED,
        AuthorizationError::AccessDenied => &DENIED,
        AuthorizationError::TemporarilyUnavailable => &STORE_UNAVAILABLE,
    }
}
