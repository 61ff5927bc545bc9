//! A session while it is in use: opened, brought up to date with WeChat, saved whenever it changed.
//!
//! An access token lives two hours, a session lasts days. When WeChat says that the token is of no
//! use any more, it is renewed with the refresh token, at most once a request, and saved at once:
//! WeChat may have replaced the refresh token too. Two requests of one browser may do so at the same
//! time:
//!
//! ```text
//!   request A   open v1 ── 42001 ── refresh ── save over v1: stored as v2
//!   request B   open v1 ── 42001 ── refresh ── save over v1: outdated ── open v2, go on with A's tokens
//!                                      └─ or 40030: A was faster ── wait, open v2, go on with A's tokens
//! ```

use std::time::Duration;

use login::random;
use login::session::{Profile, Session, SessionToken, StoredSession};
use login::time::Timestamp;
use secrets::SecretsError;
use store::{Saved, Sessions};
use wechat::body::Refresh;
use wechat::errcode::{Errcode, Reaction};
use wechat::{AppId, ComponentAccessToken, Lang};

use crate::{Refusal, Userinfo};

/// How long a request whose refresh token was refused waits for another one that may have used it.
const OVERTAKEN_PAUSES: [Duration; 4] = [
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
];

/// A session that has been opened.
pub struct LiveSession<'a> {
    function: &'a Userinfo,
    token: SessionToken,
    stored: StoredSession,
    now: Timestamp,
    is_renewed: bool,
    /// What the seal holds.
    pub session: Session,
}

/// Why a session could not be brought up to date.
pub enum Failure {
    /// WeChat gave no answer, or said no.
    Wechat(wechat::error::Error),
    /// WeChat refuses the third-party platform, which says nothing of the person's grant.
    Platform(wechat::error::Error),
    /// There is nothing to show any more.
    Refusal(Refusal),
}

impl From<wechat::error::Error> for Failure {
    fn from(error: wechat::error::Error) -> Self {
        Self::Wechat(error)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

impl<'a> LiveSession<'a> {
    /// Opens the session that `token` names; `None` if there is none that it opens.
    pub async fn open(
        function: &'a Userinfo,
        token: SessionToken,
        now: Timestamp,
    ) -> Result<Option<Self>, Refusal> {
        let Some((stored, session)) = read(&function.sessions, &token, now).await? else {
            return Ok(None);
        };
        Ok(Some(Self { function, token, stored, now, is_renewed: false, session }))
    }

    /// When the session is over.
    pub const fn expires_at(&self) -> Timestamp {
        self.stored.expires_at
    }

    /// Asks WeChat whether the grant still stands.
    ///
    /// Of a dead token `/sns/auth` is documented to say [`Errcode::INVALID_OPENID`], and seen to say what
    /// the other interfaces say.
    pub async fn verify(&mut self) -> Result<(), Failure> {
        let is_dead = |error: Option<&wechat::error::Error>| {
            error.and_then(wechat::error::Error::errcode) == Some(Errcode::INVALID_OPENID)
        };
        let mut answer = self.function.wechat.auth(&self.session.access_token, &self.session.openid).await;
        let error = answer.as_ref().err();
        if self.needs_renewal(error) || !self.is_renewed && is_dead(error) {
            self.renew().await?;
            answer = self.function.wechat.auth(&self.session.access_token, &self.session.openid).await;
        }
        match answer {
            Err(error) if is_dead(Some(&error)) => Err(Failure::Refusal(Refusal::GrantGone(error))),
            answer => Ok(answer?),
        }
    }

    /// Reads the profile again, if one was granted and the one at hand is stale or in another language.
    pub async fn read_profile(&mut self, lang: Option<Lang>, lifetime: Duration) -> Result<(), Failure> {
        let known = self.session.profile.as_ref();
        let lang = lang.or_else(|| known.and_then(|profile| profile.lang));
        let is_fresh =
            known.is_some_and(|profile| profile.lang == lang && self.now < profile.read_at.plus(lifetime));
        if is_fresh || !self.session.scope.includes_profile() {
            return Ok(());
        }
        let mut answer =
            self.function.wechat.user_info(&self.session.access_token, &self.session.openid, lang).await;
        if self.needs_renewal(answer.as_ref().err()) {
            self.renew().await?;
            answer =
                self.function.wechat.user_info(&self.session.access_token, &self.session.openid, lang).await;
        }
        let user_info = answer?;
        if user_info.openid.expose() != self.session.openid.expose() {
            return Err(Failure::Refusal(Refusal::ForeignProfile));
        }
        if let Some(unionid) = &user_info.unionid {
            self.session.unionid = Some(unionid.clone());
        }
        self.session.profile = Some(Profile { user_info, lang, read_at: self.now });
        self.save().await
    }

    fn needs_renewal(&self, error: Option<&wechat::error::Error>) -> bool {
        !self.is_renewed && error.and_then(wechat::error::Error::reaction) == Some(Reaction::Refresh)
    }

    async fn renew(&mut self) -> Result<(), Failure> {
        self.is_renewed = true;
        let mut component = self.component(false).await?;
        let mut answer = self.refresh(component.as_ref()).await;
        if let Some((_, used)) = &component
            && answer.as_ref().is_err_and(wechat::error::Error::is_about_the_component)
        {
            // The other system may have replaced its token since ours was read.
            let fresh = self.component(true).await?;
            if fresh.as_ref().is_some_and(|(_, fresh)| fresh.expose() != used.expose()) {
                component = fresh;
                answer = self.refresh(component.as_ref()).await;
            }
        }
        match answer {
            Err(error) if component.is_some() && error.is_about_the_component() => {
                Err(Failure::Platform(error))
            }
            Ok(renewed) if renewed.openid.expose() != self.session.openid.expose() => {
                Err(Failure::Refusal(Refusal::ForeignProfile))
            }
            Ok(renewed) => {
                self.session.access_token = renewed.access_token;
                self.session.refresh_token = renewed.refresh_token;
                self.save().await
            }
            Err(error) if error.reaction() == Some(Reaction::LoginAgain) => {
                // The grant is gone, or another request was faster and is about to save what it got.
                if self.is_overtaken().await? { Ok(()) } else { Err(error.into()) }
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn refresh(
        &self,
        component: Option<&(AppId, ComponentAccessToken)>,
    ) -> Result<Refresh, wechat::error::Error> {
        let component = component.map(|(component, token)| (component, token));
        self.function.wechat.refresh(&self.session.app, component, &self.session.refresh_token).await
    }

    /// The third-party platform that acts for the session's app, if one does, and its token, from memory
    /// or read `anew`.
    async fn component(&self, anew: bool) -> Result<Option<(AppId, ComponentAccessToken)>, Failure> {
        let account = self.function.deployment.accounts.of(&self.session.app);
        let Some(component) = account.and_then(|account| account.component_for(&self.session.app)) else {
            return Ok(None);
        };
        let tokens =
            self.function.component_tokens.as_ref().ok_or(Refusal::Secrets(SecretsError::Missing))?;
        let tokens = if anew { tokens.read(self.now).await } else { tokens.get(self.now).await };
        let token = tokens.and_then(|tokens| tokens.component_token(component)).map_err(Refusal::Secrets)?;
        Ok(Some((component.clone(), token)))
    }

    /// Stores what changed, over the version it was made from. If somebody else stored a change first,
    /// theirs is what counts.
    async fn save(&mut self) -> Result<(), Failure> {
        let sealed = self.session.seal(&self.token, random::bytes()).ok_or(Refusal::Unsealable)?;
        let id = self.token.session_id();
        match self
            .function
            .sessions
            .save_session(&id, &sealed, self.stored.version, self.now)
            .await
            .map_err(Refusal::Store)?
        {
            Saved::Now => {
                self.stored.version += 1;
                Ok(())
            }
            Saved::Outdated => self.reopen().await,
        }
    }

    /// Waits a moment for another request's tokens; whether they came, and are now this session's.
    async fn is_overtaken(&mut self) -> Result<bool, Failure> {
        let version = self.stored.version;
        for pause in OVERTAKEN_PAUSES {
            self.reopen().await?;
            if self.stored.version != version {
                return Ok(true);
            }
            tokio::time::sleep(pause).await;
        }
        self.reopen().await?;
        Ok(self.stored.version != version)
    }

    async fn reopen(&mut self) -> Result<(), Failure> {
        let opened = read(&self.function.sessions, &self.token, self.now).await?;
        (self.stored, self.session) = opened.ok_or(Refusal::NoSession)?;
        Ok(())
    }
}

async fn read(
    sessions: &Sessions,
    token: &SessionToken,
    now: Timestamp,
) -> Result<Option<(StoredSession, Session)>, Refusal> {
    let Some(stored) = sessions.session(&token.session_id(), now).await? else {
        return Ok(None);
    };
    Ok(Session::unseal(token, &stored.sealed).map(|session| (stored, session)))
}
