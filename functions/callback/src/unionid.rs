//! The unionid of a silent login (`SILENT_UNIONID`).
//!
//! A silent login brings an openid and no unionid. For a person who follows the Official Account,
//! WeChat tells the unionid to the app itself: one more call, with the app's global token
//! ([`login::app_token`]). Whatever goes wrong here, the login goes on without; what an operator must
//! mend, an address that is not in the allow-list above all, is in the log.

use std::time::Duration;

use login::app_token::AppTokenId;
use login::app_token::StoredAppToken;
use login::random;
use login::time::Timestamp;
use store::Lease;
use store::Store;
use thiserror::Error;
use wechat::AppId;
use wechat::AppSecret;
use wechat::GlobalToken;
use wechat::OpenId;
use wechat::UnionId;
use wechat::errcode::Reaction;
use wechat_api::Client;

/// How a process waits for the token that another one fetches; up to twice as long each, by chance.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(200), Duration::from_millis(300)];

/// Why there is no unionid though there might be one.
#[derive(Debug, Error)]
pub enum NoUnionId {
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

/// An app's global token, and what is needed to get it.
pub struct AppToken<'a> {
    pub store: &'a Store,
    pub wechat: &'a Client,
    pub app: &'a AppId,
    pub secret: &'a AppSecret,
    pub now: Timestamp,
}

impl AppToken<'_> {
    /// The unionid of a person; `None` for one who does not follow the account.
    ///
    /// A token that WeChat no longer takes is replaced once.
    pub async fn unionid(&self, openid: &OpenId) -> Result<Option<UnionId>, NoUnionId> {
        let token = self.get(None).await?;
        match self.wechat.follower_unionid(&token, openid).await {
            Err(error) if error.reaction() == Some(Reaction::Refresh) => {
                let token = self.get(Some(&token)).await?;
                Ok(self.wechat.follower_unionid(&token, openid).await?)
            }
            answer => Ok(answer?),
        }
    }

    /// The token, other than one that was `refused`: a stored one, or a new one fetched under the lease.
    async fn get(&self, refused: Option<&GlobalToken>) -> Result<GlobalToken, NoUnionId> {
        let id = AppTokenId::of(self.app);
        let mut pauses = PAUSES.into_iter();
        loop {
            let seen = self.store.app_token(&id).await?;
            if let Some(token) = self.good(&id, seen.as_ref(), refused) {
                return Ok(token);
            }
            match self.store.lease_app_token(&id, seen.as_ref(), self.now).await? {
                Lease::Ours => return self.fetch(&id, refused).await,
                Lease::FailedElsewhere => return Err(NoUnionId::TokenFailed),
                Lease::HeldElsewhere => {}
            }
            let pause = pauses.next().ok_or(NoUnionId::TokenAwaited)?;
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
    async fn fetch(&self, id: &AppTokenId, refused: Option<&GlobalToken>) -> Result<GlobalToken, NoUnionId> {
        let fetched = self.wechat.stable_token(self.app, self.secret).await;
        let is_new = |token: &GlobalToken| refused.is_none_or(|refused| refused.expose() != token.expose());
        if !fetched.as_ref().is_ok_and(|fetched| is_new(&fetched.global_token)) {
            // If that fails too, whoever waits gives up by himself.
            let _ = self.store.fail_app_token(id, self.now).await;
            return Ok(fetched?.global_token);
        }
        let fetched = fetched?;
        let sealed =
            id.seal(self.secret, random::bytes(), &fetched.global_token).ok_or(NoUnionId::Unsealable)?;
        let expires_at = self.now.plus(Duration::from_secs(fetched.expires_in));
        self.store.put_app_token(id, &StoredAppToken { sealed, expires_at }).await?;
        Ok(fetched.global_token)
    }
}
