//! The one callback that won the claim: guards 6 to 8, from the code to the session.

use std::time::Duration;

use login::pending::PendingLogin;
use login::pending::RequestedScope;
use login::pending::{ClaimId, CodeId};
use login::random;
use login::session::Profile;
use login::session::Session;
use login::session::SessionToken;
use login::session::StoredSession;
use login::time::Timestamp;
use secrets::AppSecrets;
use secrets::SecretsError;
use web::response::Outcome;
use web::response::Response;
use wechat::AuthorizationCode;
use wechat::Scope;
use wechat::UnionId;
use wechat::body::Exchange;
use wechat::errcode::Reaction;
use wechat_api::Credentials;

use crate::refusal::Refusal;
use crate::unionid::{AppToken, NoUnionId};
use crate::{Arrival, Callback};

/// How long a login waits for what it can do without, the profile or the unionid.
const EXTRA_BUDGET: Duration = Duration::from_secs(2);

/// A login and its code, claimed by this request.
pub(crate) struct Claim<'a> {
    pub arrival: &'a Arrival,
    pub code: &'a AuthorizationCode,
    pub login: &'a PendingLogin,
    pub id: &'a ClaimId,
    pub now: Timestamp,
}

impl Callback {
    /// Guards 6 to 8.
    pub(crate) async fn exchange(
        &self,
        claim: &Claim<'_>,
        secrets: &AppSecrets,
    ) -> Result<Response, Refusal> {
        let Claim { login, now, .. } = *claim;
        let credentials = self.credentials(login, secrets, now).await?;
        let exchanged = match self.wechat.exchange(&login.app, &credentials, claim.code, login.scope).await {
            Ok(exchanged) => exchanged,
            // The code has been sent and is not sent again; new credentials serve the fresh login.
            Err(error) if credentials.are_refused_by(&error) => {
                let were_rotated = self.were_rotated(login, &credentials, now).await;
                return Err(if were_rotated {
                    Refusal::CredentialsRotated
                } else {
                    Refusal::Credentials(error)
                });
            }
            Err(error) => return Err(Refusal::Wechat(error)),
        };
        if exchanged.is_snapshotuser {
            return Err(Refusal::Snapshot);
        }
        let (profile, outcome) = self.profile(&exchanged, login, now).await?;
        let (unionid, outcome) =
            self.unionid(&exchanged, profile.as_ref(), login, &credentials, now, outcome).await;
        let response = self.finish(claim, exchanged, profile, unionid).await?;
        Ok(outcome.of(response))
    }

    /// Who asks for the person's tokens: the app, or the third-party platform that acts for it.
    async fn credentials(
        &self,
        login: &PendingLogin,
        secrets: &AppSecrets,
        now: Timestamp,
    ) -> Result<Credentials, Refusal> {
        let account = self.config.accounts.of(&login.app);
        match account.and_then(|account| account.component_for(&login.app)) {
            None => {
                let secret = match secrets.of(&login.app) {
                    // A secret that has just been put in must not wait for the copy in memory to age.
                    Err(SecretsError::Missing) => {
                        self.secrets.read(now).await.and_then(|read| read.of(&login.app))
                    }
                    kept => kept,
                };
                Ok(Credentials::App(secret.map_err(Refusal::Secrets)?))
            }
            Some(component) => {
                let tokens = self.component_tokens.as_ref().ok_or(Refusal::Secrets(SecretsError::Missing))?;
                let tokens = tokens.get(now).await.map_err(Refusal::Secrets)?;
                let token = tokens.component_token(component).map_err(Refusal::Secrets)?;
                Ok(Credentials::Component { component: component.clone(), token })
            }
        }
    }

    /// Reads the credentials anew, and says whether they are others than the ones that were used.
    async fn were_rotated(&self, login: &PendingLogin, used: &Credentials, now: Timestamp) -> bool {
        match used {
            Credentials::App(used) => {
                let fresh = self.secrets.read(now).await.and_then(|secrets| secrets.of(&login.app));
                fresh.is_ok_and(|fresh| fresh.expose() != used.expose())
            }
            Credentials::Component { component, token: used } => match &self.component_tokens {
                Some(tokens) => {
                    let fresh = tokens.read(now).await.and_then(|tokens| tokens.component_token(component));
                    fresh.is_ok_and(|fresh| fresh.expose() != used.expose())
                }
                None => false,
            },
        }
    }

    /// The profile, if one was granted and WeChat gives it in time, and how the login is logged. Its absence
    /// costs no login.
    async fn profile(
        &self,
        exchanged: &Exchange,
        login: &PendingLogin,
        now: Timestamp,
    ) -> Result<(Option<Profile>, Outcome), Refusal> {
        let outcome = Outcome::new("logged_in");
        if !exchanged.scope.includes_profile() {
            return Ok((None, outcome));
        }
        let call = self.wechat.user_info(&exchanged.access_token, &exchanged.openid, login.lang);
        match tokio::time::timeout(EXTRA_BUDGET, call).await {
            Ok(Ok(user_info)) if user_info.openid == exchanged.openid.expose() => {
                let profile = Profile { user_info, lang: login.lang, read_at: now.epoch_seconds() };
                Ok((Some(profile), outcome))
            }
            Ok(Ok(_)) => Err(Refusal::ForeignProfile),
            Ok(Err(error)) if matches!(error.reaction(), Some(Reaction::Configuration | Reaction::User)) => {
                Err(Refusal::Wechat(error))
            }
            Ok(Err(error)) => Ok((None, outcome.with_wechat(&error))),
            Err(_) => Ok((None, outcome.with_cause("the profile took too long"))),
        }
    }

    /// The unionid, from whichever answer has it, and how the login is logged: as before, unless it is missed.
    async fn unionid(
        &self,
        exchanged: &Exchange,
        profile: Option<&Profile>,
        login: &PendingLogin,
        credentials: &Credentials,
        now: Timestamp,
        outcome: Outcome,
    ) -> (Option<UnionId>, Outcome) {
        let in_profile = || profile.and_then(|profile| profile.user_info.unionid.clone()).map(UnionId::new);
        if let Some(unionid) = exchanged.unionid.clone().or_else(in_profile) {
            return (Some(unionid), outcome);
        }
        // A website app's people, and whoever consented, come with their unionid if there is one at all.
        let Credentials::App(secret) = credentials else { return (None, outcome) };
        if !self.config.silent_unionid || login.scope != Scope::Base {
            return (None, outcome);
        }
        let token = AppToken { store: &self.store, wechat: &self.wechat, app: &login.app, secret, now };
        let asked = tokio::time::timeout(EXTRA_BUDGET, token.unionid(&exchanged.openid)).await;
        match asked.unwrap_or(Err(NoUnionId::TooLong)) {
            Ok(unionid) => (unionid, outcome),
            Err(NoUnionId::Wechat(error)) => (None, outcome.with_wechat(&error)),
            Err(missed) => (None, outcome.with_cause(missed)),
        }
    }

    /// Stores the session; only then is there a cookie.
    async fn finish(
        &self,
        claim: &Claim<'_>,
        exchanged: Exchange,
        profile: Option<Profile>,
        unionid: Option<UnionId>,
    ) -> Result<Response, Refusal> {
        let Claim { arrival, code, login, id: claim_id, now } = *claim;
        let session = Session {
            app: login.app.clone(),
            openid: exchanged.openid,
            unionid,
            scope: exchanged.scope,
            access_token: exchanged.access_token,
            refresh_token: exchanged.refresh_token,
            profile,
            wants_profile: login.request.scope == RequestedScope::Auto,
        };
        let token = SessionToken::derive(&arrival.browser, &arrival.state);
        let stored = StoredSession {
            sealed: session.seal(&token, random::bytes()).ok_or(Refusal::Unsealable)?,
            login: arrival.state.login_id(),
            created_at: now,
            refreshed_at: now,
            version: 1,
            expires_at: now.plus(self.config.session_lifetime),
        };
        let replaced = arrival.session.as_ref().map(SessionToken::session_id);
        let id = token.session_id();
        let finished = self.store.finish(&CodeId::of(code), claim_id, &id, &stored, replaced.as_ref()).await;
        finished.map_err(Refusal::NotStored)?;
        Ok(self.with_session(login, &token))
    }
}
