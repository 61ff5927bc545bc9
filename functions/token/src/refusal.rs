//! Every way in which there is no token, and what follows from it: for a page ([`Refusal`]), and for a client
//! ([`TokenRefusal`]). Each has one table.

use std::fmt;

use thiserror::Error;
use web::outcome::{Outcome, Verdict};
use web::reason::Reason;
use web::response::Response;

use crate::client::OauthError;

/// Why there is no token for a page.
#[derive(Debug, Error)]
pub(crate) enum Refusal {
    #[error("this deployment is no OpenID Provider")]
    NoProvider,
    #[error("there is nothing at this address")]
    NoSuchRoute,
    #[error("resource is no API that gives tokens to this page, or is malformed or there twice")]
    Target,
    #[error("resource is missing, and it is not one API that gives tokens to this page")]
    NoTarget,
    #[error("no session cookie, or not exactly one")]
    NoCookie,
    #[error("no such session, or no longer")]
    NoSession,
    #[error("the session is of another account than the page that asks")]
    ForeignAccount,
    #[error("the session does not know the unionid")]
    NoSubject {
        /// The login that would bring it.
        upgrade_url: String,
    },
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Signing(#[from] signer::Error),
}

/// Why there are no tokens for a client, or why none is taken back. The log is told this; the client, what follows from
/// it.
#[derive(Debug, Error)]
pub enum TokenRefusal {
    /// A parameter is missing, malformed or there twice.
    #[error("{0}")]
    Request(&'static str),
    /// No client of ours, or not with this secret.
    #[error("the client is unknown, or its secret is wrong")]
    Client,
    /// More than was granted.
    #[error("scope must have openid in it, and nothing that was not granted")]
    Scope,
    /// Another API than the granted one.
    #[error("resource is not the API that was granted, or is malformed or there twice")]
    Target,
    /// Another grant than the ones that are known here.
    #[error("grant_type must be authorization_code or refresh_token")]
    GrantType,
    /// What was brought is worth nothing.
    #[error("{0}")]
    Grant(&'static str),
    /// A code of the grant was seen by two.
    #[error("{0}")]
    CodeReused(SeenByTwo),
    /// A refresh token of the grant was.
    #[error("{0}")]
    RefreshReused(SeenByTwo),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The key did not sign.
    #[error(transparent)]
    Signing(#[from] signer::Error),
}

/// How it showed that something of a grant was seen by two, for which the grant ended.
#[derive(Debug)]
pub struct SeenByTwo {
    /// How.
    pub why: &'static str,
    /// Why the grant did not end after all, if it did not.
    pub unrevoked: Option<store::Error>,
}

impl fmt::Display for SeenByTwo {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.why)?;
        match &self.unrevoked {
            Some(error) => write!(formatter, "; the grant could not be revoked: {error}"),
            None => Ok(()),
        }
    }
}

/// What follows from a client's refusal. At which level it is logged, the outcome says.
struct TokenVerdict {
    outcome: &'static Outcome,
    error: OauthError,
}

web::outcomes! {
    PAGE_TOKEN = Info "page_token" ["a page got a token for an API"] ["网页得到了一个 API 令牌"];
    REDEEMED = Info "redeemed" ["a client got tokens for a code"] ["客户端用 code 换取了 access_token"];
    REFRESHED = Info "refreshed" ["a client renewed its tokens"] ["客户端刷新了 access_token"];
    REVOKED = Info "revoked" ["a client gave a token back, and its grant ended; or the token was worth nothing before"] ["客户端交回了 access_token 或 refresh_token，该授权结束；或它原本就无效"];
    REFRESH_REUSED = Info "refresh_reused" ["a refresh token was brought that had given way to another one, or by another client: the grant is revoked", "often: look for who sends the token"] ["出现了已被替换的 refresh_token，或由另一个客户端带来：该授权已撤销", "频繁出现时，查找是谁在发送这个 refresh_token"];
    CLIENT_REFUSED = Info "client_refused" ["a client is unknown, or its secret is wrong", "its name and secret, in `OpenidConnect` and at the client"] ["客户端不存在，或密码错误", "核对 `OpenidConnect` 和客户端中的名称与密码"];
    GRANT_REFUSED = Info "grant_refused" ["a client brought a code that is worth nothing; `cause` says why", "`cause`; if it is `redirect_uri` or the verifier, the client's library is set up wrongly"] ["客户端带来的 code 无效；原因见 `cause`", "查看 `cause`；如为 `redirect_uri` 或 verifier，是客户端的库配置有误"];
    CODE_REUSED = Info "code_reused" ["a code was brought twice, or by another client: its grant and the tokens of it are revoked", "often: look for who sends the code again"] ["同一个 code 出现了两次，或由另一个客户端带来：该授权和由它取得的一切都已撤销", "频繁出现时，查找是谁重复发送了 code"];
    KEYS_SHOWN = Info "keys_shown" ["the public keys were given"] ["返回了公钥"];
    KEYS_SIGNED = Info "keys_signed" ["the public keys were given with a signature, for the doctor or whoever else wants to know that the key signs", "often: a stranger asks; a process signs once in five minutes all the same"] ["返回了带签名的公钥，供 doctor 或其他人确认签名密钥可以签名", "频繁出现：有外人在请求；每个进程仍然五分钟只签名一次"];
    NO_PROVIDER = Info "no_provider" ["this deployment is no OpenID Provider", "set `OpenidConnect`, if it should be"] ["本部署不是 OpenID Provider", "需要时请设置 `OpenidConnect`"];
    NO_SUCH_ROUTE = Info "not_found" ["there is nothing at this address"] ["网址不存在"];
    INVALID_REQUEST = Info "invalid_request" ["a parameter is malformed or given twice", "`cause`"] ["参数有误或重复", "查看 `cause`"];
    AUDIENCE_REFUSED = Info "audience_refused" ["the page asked for no API, or one that gives it no tokens", "in `OpenidConnect`, add the page's origin to the API's `origins`"] ["网页没有指明 API，或该 API 不给它 API 令牌", "在 `OpenidConnect` 中把网页的源（origin）加入该 API 的 `origins`"];
    NO_COOKIE = Info "no_cookie" ["nobody is logged in: there is no session cookie"] ["没有登录：没有会话 Cookie"];
    NO_SESSION = Info "no_session" ["nobody is logged in: the session is over, or was ended"] ["没有登录：会话已过期或已结束"];
    FOREIGN_ACCOUNT = Info "foreign_account" ["the page belongs to another account than the session", "nothing, if the page offers `authorize_url`; else `app=…` in its link"] ["网页与会话不属于同一个账号", "网页使用 `authorize_url` 时不用处理；否则在它的链接中加上 `app=…`"];
    NO_SUBJECT = Info "no_subject" ["`sub` is the unionid, and the session does not know it. If nobody's does: the apps are not bound to one Open Platform account", "see [unionid](accounts.md#unionid)"] ["`sub` 是 unionid，而会话中没有。如果所有人都没有：应用没有绑定到同一个微信开放平台账号", "见 [unionid](accounts.md#unionid)"];
    SIGNING_UNAVAILABLE = Error "signing_unavailable" ["the key could not sign, or not be read", "`cause` has KMS's or Secrets Manager's error"] ["签名密钥无法签名或无法读取", "`cause` 中有 KMS 或 Secrets Manager 的错误"];
    STORE_UNAVAILABLE = Error "store_unavailable" ["DynamoDB did not answer, or other requests always wrote first", "`cause`"] ["DynamoDB 无响应，或每次都有其他请求先写入", "查看 `cause`"];
}

impl Refusal {
    pub(crate) const fn judge(&self) -> Verdict {
        let (outcome, reason) = match self {
            Self::NoProvider => (&NO_PROVIDER, Reason::NotFound),
            Self::NoSuchRoute => (&NO_SUCH_ROUTE, Reason::NotFound),
            Self::Target | Self::NoTarget => (&AUDIENCE_REFUSED, Reason::InvalidTarget),
            Self::NoCookie => (&NO_COOKIE, Reason::NotLoggedIn),
            Self::NoSession => (&NO_SESSION, Reason::NotLoggedIn),
            // For this page nobody is logged in.
            Self::ForeignAccount => (&FOREIGN_ACCOUNT, Reason::NotLoggedIn),
            Self::NoSubject { .. } => (&NO_SUBJECT, Reason::NoSubject),
            Self::Store(_) => (&STORE_UNAVAILABLE, Reason::ServiceUnavailable),
            Self::Signing(_) => (&SIGNING_UNAVAILABLE, Reason::ServiceUnavailable),
        };
        Verdict { outcome, reason }
    }
}

impl TokenRefusal {
    const fn judge(&self) -> TokenVerdict {
        let (outcome, error) = match self {
            Self::Request(what) => (&INVALID_REQUEST, OauthError::InvalidRequest(what)),
            Self::Client => (&CLIENT_REFUSED, OauthError::InvalidClient),
            Self::Scope => (&INVALID_REQUEST, OauthError::InvalidScope),
            Self::Target => (&INVALID_REQUEST, OauthError::InvalidTarget),
            Self::GrantType => (&INVALID_REQUEST, OauthError::UnsupportedGrantType),
            Self::Grant(_) => (&GRANT_REFUSED, OauthError::InvalidGrant),
            Self::CodeReused(_) => (&CODE_REUSED, OauthError::InvalidGrant),
            Self::RefreshReused(_) => (&REFRESH_REUSED, OauthError::InvalidGrant),
            Self::Store(_) => (&STORE_UNAVAILABLE, OauthError::Unavailable),
            Self::Signing(_) => (&SIGNING_UNAVAILABLE, OauthError::Unavailable),
        };
        TokenVerdict { outcome, error }
    }

    /// The answer, and what the log says.
    pub(crate) fn answer(&self) -> Response {
        let TokenVerdict { outcome, error } = self.judge();
        outcome.because(self).of(error.answer())
    }
}
