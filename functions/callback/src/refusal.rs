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
use lambda::config::Config;
use login::pending::LoginRequest;
use login::pending::PendingLogin;
use login::return_to::ReturnTo;
use secrets::SecretsError;
use web::page;
use web::query::QueryError;
use web::reason::Reason;
use web::request::CorrelationId;
use web::request::Request;
use web::response::Outcome;
use web::response::Response;
use web::response::redirect;

use thiserror::Error;
use wechat::errcode::Reaction;

/// Why a callback gives no session.
#[derive(Debug, Error)]
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
    Credentials(wechat::error::Error),
    #[error(transparent)]
    Wechat(wechat::error::Error),
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
    pub refusal: Refusal,
    pub login: Option<PendingLogin>,
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
    pub fn of(self, login: PendingLogin) -> RefusedLogin {
        RefusedLogin { refusal: self, login: Some(login) }
    }

    /// The refusal's name in the log, and the way on.
    fn judge(&self) -> (&'static str, Destination) {
        use Destination::{Back, FreshLogin, Page};
        match self {
            Self::NotAPage => ("not_a_page", Page(Reason::NotAPage)),
            Self::Query(_) | Self::MalformedState | Self::MalformedCode => {
                ("invalid_request", Page(Reason::InvalidRequest))
            }
            Self::CookieMissing => ("cookie_missing", FreshLogin(Reason::CookieMissing)),
            Self::DeniedHere => ("denied", Back),
            Self::Denied => ("denied_elsewhere", Page(Reason::AccessDenied)),
            Self::LoginUnknown => ("login_unknown", FreshLogin(Reason::LoginExpired)),
            Self::LoginExpired => ("login_expired", FreshLogin(Reason::LoginExpired)),
            Self::ForeignBrowser => ("foreign_browser", FreshLogin(Reason::LoginExpired)),
            Self::CodeUsedElsewhere => ("code_used_elsewhere", FreshLogin(Reason::LoginExpired)),
            Self::SessionGone => ("session_gone", FreshLogin(Reason::LoginExpired)),
            Self::WinnerFailed => ("winner_failed", FreshLogin(Reason::LoginExpired)),
            Self::WinnerSilent => ("winner_silent", FreshLogin(Reason::WechatUnavailable)),
            Self::Snapshot => ("snapshot", Page(Reason::Snapshot)),
            Self::ForeignProfile => ("foreign_profile", Page(Reason::LoginFailed)),
            Self::CredentialsRotated => ("credentials_rotated", FreshLogin(Reason::Misconfigured)),
            Self::Credentials(_) => ("misconfigured", Page(Reason::Misconfigured)),
            Self::Secrets(SecretsError::Unavailable) => {
                ("secrets_unavailable", Page(Reason::ServiceUnavailable))
            }
            Self::Secrets(_) => ("secrets_wrong", Page(Reason::Misconfigured)),
            Self::Store(_) => ("store_unavailable", Page(Reason::ServiceUnavailable)),
            // The code is spent by now, so trying the same address again would bring nothing.
            Self::NotStored(_) => ("store_unavailable", FreshLogin(Reason::ServiceUnavailable)),
            Self::Unsealable => ("unsealable", Page(Reason::Unexpected)),
            Self::Wechat(wechat::error::Error::NotSent) => {
                ("wechat_unreachable", Page(Reason::WechatUnavailable))
            }
            Self::Wechat(wechat::error::Error::InDoubt(_)) => {
                ("exchange_in_doubt", FreshLogin(Reason::WechatUnavailable))
            }
            Self::Wechat(wechat::error::Error::Refused(refused)) => {
                let reaction = refused.errcode.reaction();
                match reaction {
                    Reaction::Retry => ("wechat_busy", FreshLogin(reaction.into())),
                    Reaction::FreshLogin | Reaction::Refresh | Reaction::LoginAgain => {
                        ("code_refused", FreshLogin(reaction.into()))
                    }
                    Reaction::Configuration => ("misconfigured", Page(reaction.into())),
                    Reaction::User => ("user_refused", Page(reaction.into())),
                }
            }
        }
    }

    /// Whether an operator should look at it, beside what WeChat's own code says.
    const fn is_alarm(&self) -> bool {
        matches!(
            self,
            Self::ForeignProfile
                | Self::Credentials(_)
                | Self::Secrets(_)
                | Self::Store(_)
                | Self::NotStored(_)
                | Self::Unsealable
        )
    }
}

/// Where a login of this kind ends that names no target.
pub fn default_of<'a>(config: &'a Config, login: Option<&PendingLogin>) -> &'a ReturnTo {
    let account = login.and_then(|login| config.accounts.of(&login.app));
    account.map_or(&config.accounts.first.default_return_to, |account| &account.default_return_to)
}

impl From<Refusal> for RefusedLogin {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, login: None }
    }
}

impl RefusedLogin {
    /// The answer: always a 303, to an address without code and state.
    pub fn answer(&self, config: &Config, request: &Request) -> Response {
        let (name, way) = self.refusal.judge();
        let outcome =
            Outcome { is_alarm: self.refusal.is_alarm(), ..Outcome::new(name).with_cause(&self.refusal) };
        let outcome = match &self.refusal {
            Refusal::Wechat(error) | Refusal::Credentials(error) => outcome.with_wechat(error),
            _ => outcome,
        };
        let location = match way {
            Destination::Back => self.back(config),
            Destination::FreshLogin(_) if self.login.as_ref().is_none_or(PendingLogin::may_retry) => {
                self.fresh_login(config)
            }
            Destination::FreshLogin(reason) | Destination::Page(reason) => {
                self.page(config, reason, &CorrelationId::of(request))
            }
        };
        outcome.of(redirect(StatusCode::SEE_OTHER, &location))
    }

    /// Where the login ends, by today's configuration; `None` if its target is not allowed any more.
    fn target(&self, config: &Config) -> Option<ReturnTo> {
        let login = self.login.as_ref()?;
        config.accounts.of(&login.app)?.targets.check(&login.return_to).ok()
    }

    fn back(&self, config: &Config) -> String {
        let target = self.target(config).unwrap_or_else(|| default_of(config, self.login.as_ref()).clone());
        target.with_error(Reason::AccessDenied.as_str())
    }

    /// The same login once more. A login that is unknown leaves nothing to repeat but the default.
    fn fresh_login(&self, config: &Config) -> String {
        let round = (self.login.as_ref().map_or(1, |login| login.round) + 1).to_string();
        let link = match &self.login {
            Some(login) => page::authorize_link(
                &config.public_url,
                self.mention(config).as_ref(),
                &login.request,
                login.lang,
            ),
            None => page::authorize_link(&config.public_url, None, &LoginRequest::default(), None),
        };
        let join = if link.contains('?') { '&' } else { '?' };
        format!("{link}{join}attempt={round}")
    }

    fn page(&self, config: &Config, reason: Reason, id: &CorrelationId) -> String {
        let mut query = Serializer::new(String::new());
        query.append_pair("reason", reason.as_str()).append_pair("id", id.as_str());
        query.extend_pairs(self.mention(config).map(|target| ("return_to", target.as_str().to_owned())));
        query.extend_pairs(
            self.login.as_ref().and_then(|login| login.request.app.as_deref()).map(|app| ("app", app)),
        );
        format!("{}/error?{}", config.public_url, query.finish())
    }

    /// The login's target where it must be named; the default needs no mention.
    fn mention(&self, config: &Config) -> Option<ReturnTo> {
        self.target(config).filter(|target| target != default_of(config, self.login.as_ref()))
    }
}
