//! The unionid of a silent login (`SILENT_UNIONID`).
//!
//! A silent login brings an openid and no unionid. For a person who follows the Official Account,
//! WeChat tells the unionid to the app itself: one more call, with the app's global token
//! ([`login::app_token`]). Whatever goes wrong here, the login goes on without; what an operator must
//! mend, an address that is not in the allow-list above all, is in the log.

use std::time::Duration;

use login::app_token::{AppTokenId, StoredAppToken};
use login::random;
use login::time::Timestamp;
use store::{Lease, Sessions};
use thiserror::Error;
use web::outcome::Report;
use wechat::body::Follower;
use wechat::errcode::Reaction;
use wechat::{AppId, AppSecret, GlobalToken, OpenId};
use wechat_api::Conversation;

/// How a process waits for the token that another one fetches; up to twice as long each, by chance.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(200), Duration::from_millis(300)];

/// Why there is no unionid though there might be one.
#[derive(Debug)]
pub struct NoUnionId {
    why: Why,
    /// Why others could not be told that there will be no token for a minute.
    unmarked: Option<store::Error>,
}

#[derive(Debug, Error)]
enum Why {
    #[error(transparent)]
    Wechat(#[from] wechat::error::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("another process is still fetching the app's token")]
    TokenAwaited,
    #[error("the app's token could not be had a moment ago")]
    TokenFailed,
    #[error("the app's token could not be sealed")]
    Unsealable,
    #[error("it took too long")]
    TooLong,
}

impl NoUnionId {
    /// Adds it to what the log says of the login.
    pub fn add_to(&self, report: Report) -> Report {
        let report = match &self.why {
            Why::Wechat(error) => report.with_wechat(error),
            why => report.with_cause(why),
        };
        report.with_failure("the lease could not be marked", self.unmarked.as_ref())
    }
}

/// An app's global token, and what is needed to get it.
pub struct AppToken<'a> {
    sessions: &'a Sessions,
    wechat: &'a Conversation<'a>,
    app: &'a AppId,
    secret: &'a AppSecret,
    now: Timestamp,
    unmarked: Option<store::Error>,
}

impl<'a> AppToken<'a> {
    /// The token of this app, which is still to be had.
    pub const fn new(
        sessions: &'a Sessions,
        wechat: &'a Conversation<'a>,
        app: &'a AppId,
        secret: &'a AppSecret,
        now: Timestamp,
    ) -> Self {
        Self { sessions, wechat, app, secret, now, unmarked: None }
    }

    /// Whether a person follows the account, and the unionid of one who does.
    ///
    /// # Errors
    ///
    /// [`NoUnionId`], with what kept others from being told.
    pub async fn follower(&mut self, openid: &OpenId) -> Result<Follower, NoUnionId> {
        self.ask(openid).await.map_err(|why| NoUnionId { why, unmarked: self.unmarked.take() })
    }

    /// What is to be said when there was no time left.
    pub fn too_long(self) -> NoUnionId {
        NoUnionId { why: Why::TooLong, unmarked: self.unmarked }
    }

    /// Asks WeChat. A token that it no longer takes is replaced once.
    async fn ask(&mut self, openid: &OpenId) -> Result<Follower, Why> {
        let token = self.get(None).await?;
        match self.wechat.follower(&token, openid).await {
            Err(error) if error.reaction() == Some(Reaction::Refresh) => {
                let token = self.get(Some(&token)).await?;
                Ok(self.wechat.follower(&token, openid).await?)
            }
            answer => Ok(answer?),
        }
    }

    /// The token, other than one that was `refused`: a stored one, or a new one fetched under the lease.
    async fn get(&mut self, refused: Option<&GlobalToken>) -> Result<GlobalToken, Why> {
        let id = AppTokenId::of(self.app);
        let mut pauses = PAUSES.into_iter();
        loop {
            let seen = self.sessions.app_token(&id).await?;
            if let Some(token) = self.good(&id, seen.as_ref(), refused) {
                return Ok(token);
            }
            match self.sessions.lease_app_token(&id, seen.as_ref(), self.now).await? {
                Lease::Ours => return self.fetch(&id, refused).await,
                Lease::FailedElsewhere => return Err(Why::TokenFailed),
                Lease::HeldElsewhere => {}
            }
            let pause = pauses.next().ok_or(Why::TokenAwaited)?;
            let [jitter] = random::bytes::<1>();
            tokio::time::sleep(pause.mul_f64(1.0 + f64::from(jitter) / 255.0)).await;
        }
    }

    /// The stored token, if it may still be used and is not the one that was refused.
    fn good(
        &self,
        id: &AppTokenId,
        stored: Option<&StoredAppToken>,
        refused: Option<&GlobalToken>,
    ) -> Option<GlobalToken> {
        let token = id.open(self.secret, &stored.filter(|stored| stored.is_good(self.now))?.sealed)?;
        refused.is_none_or(|refused| refused.expose() != token.expose()).then_some(token)
    }

    /// Fetches the token and shares it. If that fails, or only brings back the one that was refused, the
    /// lease stands for its minute, marked: asking again would bring no other, and nobody need wait.
    async fn fetch(&mut self, id: &AppTokenId, refused: Option<&GlobalToken>) -> Result<GlobalToken, Why> {
        let fetched = self.wechat.stable_token(self.app, self.secret).await;
        let is_new = |token: &GlobalToken| refused.is_none_or(|refused| refused.expose() != token.expose());
        if !fetched.as_ref().is_ok_and(|fetched| is_new(&fetched.global_token)) {
            // If that fails too, whoever waits gives up when the pauses are over.
            self.unmarked = self.sessions.fail_app_token(id, self.now).await.err();
            return Ok(fetched?.global_token);
        }
        let fetched = fetched?;
        let sealed = id.seal(self.secret, random::bytes(), &fetched.global_token).ok_or(Why::Unsealable)?;
        let expires_at = self.now.plus(Duration::from_secs(fetched.expires_in));
        self.sessions.put_app_token(id, &StoredAppToken { sealed, expires_at }).await?;
        Ok(fetched.global_token)
    }
}
