//! The one callback that won the claim: guards 6 to 8, from the code to the session.

use std::time::Duration;

use login::pending::{ClaimId, CodeId, PendingLogin, RequestedScope};
use login::random;
use login::session::{Profile, Session, SessionToken, StoredSession};
use login::time::Timestamp;
use secrets::{AppSecrets, SecretsError};
use web::response::Response;
use wechat::body::Exchange;
use wechat::errcode::Reaction;
use wechat::{AuthorizationCode, Scope, UnionId};
use wechat_api::Credentials;

use crate::Callback;
use crate::arrival::Arrival;
use crate::refusal::{LOGGED_IN, Refusal};
use crate::unionid::{AppToken, NoUnionId};

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
        let profile = self.profile(&exchanged, login, now).await;
        if let Err(NoProfile::Refusal(refusal)) = profile {
            return Err(refusal);
        }
        let (profile, no_profile) = found(profile);
        let unionid = self.unionid(&exchanged, profile.as_ref(), login, &credentials, now).await;
        let (unionid, no_unionid) = found(unionid);

        let response = self.finish(claim, exchanged, profile, unionid).await?;
        let report = no_profile.into_iter().fold(LOGGED_IN.report(), |report, missed| match missed {
            NoProfile::Wechat(error) => report.with_wechat(&error),
            NoProfile::Refusal(_) | NoProfile::TooLong => report.with_cause("the profile took too long"),
        });
        let report = no_unionid.into_iter().fold(report, |report, missed| missed.add_to(report));
        Ok(report.of(response))
    }

    /// Who asks for the person's tokens: the app, or the third-party platform that acts for it.
    async fn credentials(
        &self,
        login: &PendingLogin,
        secrets: &AppSecrets,
        now: Timestamp,
    ) -> Result<Credentials, Refusal> {
        let account = self.config.deployment.accounts.of(&login.app);
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

    /// The profile, if one was granted and WeChat gives it in time. Its absence costs no login, unless it says
    /// that the login must not be.
    async fn profile(
        &self,
        exchanged: &Exchange,
        login: &PendingLogin,
        now: Timestamp,
    ) -> Result<Option<Profile>, NoProfile> {
        if !exchanged.scope.includes_profile() {
            return Ok(None);
        }
        let call = self.wechat.user_info(&exchanged.access_token, &exchanged.openid, login.lang);
        match tokio::time::timeout(EXTRA_BUDGET, call).await {
            Ok(Ok(user_info)) if user_info.openid.expose() == exchanged.openid.expose() => {
                Ok(Some(Profile { user_info, lang: login.lang, read_at: now }))
            }
            Ok(Ok(_)) => Err(NoProfile::Refusal(Refusal::ForeignProfile)),
            Ok(Err(error)) if matches!(error.reaction(), Some(Reaction::Configuration | Reaction::User)) => {
                Err(NoProfile::Refusal(Refusal::Wechat(error)))
            }
            Ok(Err(error)) => Err(NoProfile::Wechat(error)),
            Err(_) => Err(NoProfile::TooLong),
        }
    }

    /// The unionid, from whichever answer has it. Its absence costs no login.
    async fn unionid(
        &self,
        exchanged: &Exchange,
        profile: Option<&Profile>,
        login: &PendingLogin,
        credentials: &Credentials,
        now: Timestamp,
    ) -> Result<Option<UnionId>, NoUnionId> {
        let in_profile = || profile.and_then(|profile| profile.user_info.unionid.clone());
        if let Some(unionid) = exchanged.unionid.clone().or_else(in_profile) {
            return Ok(Some(unionid));
        }
        // A website app's people, and whoever consented, come with their unionid if there is one at all.
        let Credentials::App(secret) = credentials else { return Ok(None) };
        if !self.config.silent_unionid || login.scope != Scope::Base {
            return Ok(None);
        }
        let sessions = &self.store.sessions;
        let mut token = AppToken::new(sessions, &self.wechat, &login.app, secret, now);
        let asked = tokio::time::timeout(EXTRA_BUDGET, token.unionid(&exchanged.openid)).await;
        asked.unwrap_or_else(|_| Err(token.too_long()))
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

/// Why a login is without the profile that was granted.
enum NoProfile {
    /// WeChat said something that ends the login.
    Refusal(Refusal),
    /// WeChat gave no answer, or said no; the profile can be read later.
    Wechat(wechat::error::Error),
    /// There was no time left; the profile can be read later.
    TooLong,
}

/// What a step found, and why it was missed if it was.
fn found<T, E>(step: Result<Option<T>, E>) -> (Option<T>, Option<E>) {
    match step {
        Ok(found) => (found, None),
        Err(missed) => (None, Some(missed)),
    }
}
