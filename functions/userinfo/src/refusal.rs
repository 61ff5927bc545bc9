//! Every way in which nobody is shown, and what follows from it.

use secrets::SecretsError;
use thiserror::Error;
use web::outcome::{Outcome, Report, Verdict};
use web::query::QueryError;
use web::reason::Reason;
use wechat::errcode::Reaction;

use crate::live_session::Unanswered;

/// Why nobody is shown.
#[derive(Debug, Error)]
pub(crate) enum Refusal {
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error("the parameter {0} has a value that is not allowed")]
    Value(&'static str),
    #[error("no session cookie, or not exactly one")]
    NoCookie,
    #[error("this deployment is no OpenID Provider")]
    NoProvider,
    #[error("there is no bearer token")]
    NoBearer,
    #[error("the Authorization header is there twice, or holds no one token")]
    MalformedBearer,
    /// An access token that opens nothing, and why.
    #[error("{0}")]
    InvalidToken(&'static str),
    #[error("no such session, or no longer")]
    NoSession,
    #[error("the session is of another account than the page that asks")]
    ForeignAccount,
    #[error("the grant is gone: {error}")]
    GrantGone {
        error: wechat::error::Error,
        /// Why it could not be remembered, where it was to be.
        unmarked: Option<store::Error>,
    },
    /// Another request has noted it, or has new tokens. So one line for each session has the errcode.
    #[error("the grant is gone, of which another request knows, or knows better: {error}")]
    GrantGoneToOthers { error: wechat::error::Error },
    /// One line for each session has the errcode, until WeChat takes its token again.
    #[error("WeChat refuses the token, as it said before: {error}")]
    TokenRefused {
        error: wechat::error::Error,
        /// Whether it was said before, or is noted by another request.
        is_known: bool,
    },
    #[error("WeChat said before that the grant is gone")]
    GrantGoneBefore {
        /// Why it could not be deleted, where it was to be.
        undeleted: Option<store::Error>,
    },
    #[error("the session was handed over by a phone, and has no grant of its own to ask about")]
    HandedOver,
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

web::outcomes! {
    SHOWN = Info "shown" ["who is logged in, from the session or read again"] ["返回登录的用户，来自会话或重新读取"];
    SHOWN_STALE = ByErrcode "shown_stale" ["what was read before, since WeChat could not be asked. ERROR if the `errcode` is of *configuration*, or the third-party platform is refused or its token cannot be read", "at level ERROR look up the `errcode`, or `cause`"] ["微信暂时无响应，返回上次读取的资料。`errcode` 属于*检查配置*、微信拒绝第三方平台或 component_access_token 无法读取时为 ERROR", "级别为 ERROR 时查 `errcode`，或看 `cause`"];
    SHOWN_UNSAVED = Error "shown_unsaved" ["what was just read from WeChat, though it could not be saved", "`cause` has DynamoDB's error"] ["返回刚从微信读取的资料，但没有保存成功", "`cause` 中有 DynamoDB 的错误"];
    UNVERIFIED = ByErrcode "unverified" ["with `verify=true`: WeChat could not be asked. ERROR if the `errcode` is of *configuration*, or WeChat refuses the third-party platform", "at level ERROR look up the `errcode`"] ["使用 `verify=true` 时：微信暂时无响应。`errcode` 属于*检查配置*或微信拒绝第三方平台时为 ERROR", "级别为 ERROR 时查 `errcode`"];
    BEARER_SHOWN = Info "shown_to_client" ["`/oauth2/userinfo`: what a client was granted"] ["`/oauth2/userinfo`：返回客户端获准的内容"];
    BEARER_REFUSED = Info "bearer_refused" ["`/oauth2/userinfo`: no access token that is good; `cause`"] ["`/oauth2/userinfo`：没有有效的 access_token；见 `cause`"];
    NO_PROVIDER = Info "no_provider" ["`/oauth2/userinfo`: this deployment is no OpenID Provider", "set `OpenidConnect`, if it should be"] ["`/oauth2/userinfo`：本部署不是 OpenID Provider", "需要时请设置 `OpenidConnect`"];
    ERASED = Info "erased" ["`DELETE /userinfo`: the session is deleted"] ["`DELETE /userinfo`：会话已删除"];
    NO_COOKIE = Info "no_cookie" ["nobody is logged in: there is no session cookie"] ["没有登录：没有会话 Cookie"];
    NO_SESSION = Info "no_session" ["nobody is logged in: the session is over, or was ended"] ["没有登录：会话已过期或已结束"];
    GRANT_GONE = Info "grant_gone" ["the person withdrew the grant, or it ran out; or WeChat refuses the access token, as it also does for a moment; log in again"] ["用户取消了授权，或授权已过期，或微信拒绝了 access_token（也可能只是暂时的）；需要重新登录"];
    HANDED_OVER = Info "handed_over" ["with `verify=true`: a phone handed this session over more than a minute ago, and only a new login by phone can confirm it"] ["使用 `verify=true` 时：会话由手机转交已超过一分钟，只有再次用手机登录才能确认"];
    USER_REFUSED = Info "user_refused" ["WeChat restricts this person"] ["微信限制了这个用户"];
    FOREIGN_ACCOUNT = Info "foreign_account" ["the page belongs to another account than the session", "nothing, if the page offers `authorize_url`; else `app=…` in its link"] ["网页与会话不属于同一个账号", "网页使用 `authorize_url` 时不用处理；否则在它的链接中加上 `app=…`"];
    INVALID_REQUEST = Info "invalid_request" ["`lang` or `verify` is malformed or given twice", "`cause`"] ["`lang` 或 `verify` 有误或重复", "查看 `cause`"];
    STORE_UNAVAILABLE = Error "store_unavailable" ["DynamoDB did not answer", "`cause`"] ["DynamoDB 无响应", "查看 `cause`"];
    SECRETS_UNAVAILABLE = Error "secrets_unavailable" ["with `verify=true`: the token of the third-party platform could not be read, or there is none", "`cause`"] ["使用 `verify=true` 时：component_access_token 无法读取，或不存在", "查看 `cause`"];
    FOREIGN_PROFILE = Error "foreign_profile" ["the profile that WeChat gave, or the renewed token, is another person's; nothing of it is kept", "tell WeChat, with the time and the appid"] ["微信给出的资料或刷新后的 access_token 属于另一个用户；什么也没有保存", "到微信开放社区反馈，附上时间和 AppID"];
    UNSEALABLE = Error "unsealable" ["the session could not be sealed: a defect", "report it"] ["会话无法加密：程序错误", "请反馈"];
}

impl Refusal {
    pub(crate) const fn judge(&self) -> Verdict {
        let (outcome, reason) = match self {
            Self::Query(_) | Self::Value(_) => (&INVALID_REQUEST, Reason::InvalidRequest),
            Self::NoCookie => (&NO_COOKIE, Reason::NotLoggedIn),
            Self::NoProvider => (&NO_PROVIDER, Reason::NotFound),
            Self::MalformedBearer => (&BEARER_REFUSED, Reason::InvalidRequest),
            Self::NoBearer | Self::InvalidToken(_) => (&BEARER_REFUSED, Reason::NotLoggedIn),
            Self::NoSession => (&NO_SESSION, Reason::NotLoggedIn),
            // For this page nobody is logged in.
            Self::ForeignAccount => (&FOREIGN_ACCOUNT, Reason::NotLoggedIn),
            // Whatever WeChat's number means elsewhere: that a grant ends is nobody's mistake.
            Self::GrantGone { .. }
            | Self::GrantGoneToOthers { .. }
            | Self::GrantGoneBefore { .. }
            | Self::TokenRefused { .. } => (&GRANT_GONE, Reason::NotLoggedIn),
            Self::HandedOver => (&HANDED_OVER, Reason::NotLoggedIn),
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
    pub(crate) fn report(&self, outcome: &'static Outcome) -> Report {
        match self {
            Self::User(error) | Self::Unverified(error) | Self::TokenRefused { error, is_known: false } => {
                outcome.report().with_wechat(error)
            }
            Self::GrantGone { error, unmarked } => outcome
                .report()
                .with_wechat(error)
                .with_failure("that could not be remembered", unmarked.as_ref()),
            Self::Platform(error) => outcome.report().with_wechat(error).for_an_operator(),
            Self::GrantGoneBefore { undeleted } => {
                outcome.because(self).with_failure("the session could not be deleted", undeleted.as_ref())
            }
            Self::Query(_)
            | Self::Value(_)
            | Self::NoCookie
            | Self::NoProvider
            | Self::NoBearer
            | Self::MalformedBearer
            | Self::InvalidToken(_)
            | Self::NoSession
            | Self::ForeignAccount
            | Self::GrantGoneToOthers { .. }
            | Self::TokenRefused { is_known: true, .. }
            | Self::HandedOver
            | Self::ForeignProfile
            | Self::Secrets(_)
            | Self::Store(_)
            | Self::Unsealable => outcome.because(self),
        }
    }
}

/// What is logged of what was read before, if it may be shown although WeChat could not be asked: after what passes,
/// and what is an operator's to mend. Otherwise the refusal that the failure means.
pub(crate) fn shown_stale(unanswered: Unanswered) -> Result<Report, Refusal> {
    match unanswered {
        Unanswered::Platform(error) => Ok(SHOWN_STALE.report().with_wechat(&error).for_an_operator()),
        Unanswered::Secrets(error) => Ok(SHOWN_STALE.because(error).for_an_operator()),
        Unanswered::Wechat(error) => Ok(SHOWN_STALE.report().with_wechat(&of_no_person(error)?)),
    }
}

/// The refusal of who asks whether the grant stands, where WeChat did not say so.
pub(crate) fn unverified(unanswered: Unanswered) -> Refusal {
    match unanswered {
        Unanswered::Platform(error) => Refusal::Platform(error),
        Unanswered::Secrets(error) => Refusal::Secrets(error),
        Unanswered::Wechat(error) => of_no_person(error).map_or_else(|refusal| refusal, Refusal::Unverified),
    }
}

/// WeChat's error, if it says nothing of the person.
fn of_no_person(error: wechat::error::Error) -> Result<wechat::error::Error, Refusal> {
    if error.reaction() == Some(Reaction::User) { Err(Refusal::User(error)) } else { Ok(error) }
}
