//! The one callback that won the claim: guards 6 to 8, from the code to the session.

use std::time::Duration;

use login::pending::{ClaimId, CodeId, PendingLogin, RequestedScope};
use login::random;
use login::session::{Pepper, Profile, Refusals, Session, SessionToken, StoredSession, Subscription};
use login::time::Timestamp;
use secrets::{AppSecrets, Secrets, SecretsError};
use store::{Finished, Replaced};
use web::request::Request;
use web::response::Response;
use wechat::body::{Exchange, Follower};
use wechat::errcode::Reaction;
use wechat::error::{Doubt, Error};
use wechat::{AuthorizationCode, Scope};
use wechat_api::{Conversation, Credentials};

use crate::Callback;
use crate::arrival::Arrival;
use crate::refusal::{LOGGED_IN, Refusal};
use crate::unionid::{AppToken, NoUnionId};

/// How long a login waits for what it can do without, the profile or the unionid, where there is time enough.
const EXTRA_BUDGET: Duration = Duration::from_secs(2);
/// What is kept of the time of a request for storing the session, which is what it is all for.
const STORE_RESERVE: Duration = Duration::from_millis(2500);

/// A login and its code, claimed by this request.
pub(crate) struct Claim<'a> {
    pub arrival: &'a Arrival,
    pub code: &'a AuthorizationCode,
    pub login: &'a PendingLogin,
    pub id: &'a ClaimId,
    /// What it asks WeChat.
    pub wechat: Conversation<'a>,
    pub now: Timestamp,
    /// The request that it comes with, which knows how much time is left.
    pub request: &'a Request,
}

impl Claim<'_> {
    /// How much time there is for WeChat.
    fn time_left(&self) -> Duration {
        lambda::time_left(self.request).saturating_sub(STORE_RESERVE)
    }
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
        let exchange = claim.wechat.exchange(&login.app, &credentials, claim.code, login.scope);
        let exchange = tokio::time::timeout(claim.time_left(), exchange);
        // What the browser had before is read meanwhile; it costs no time of its own.
        let (exchanged, previous) = tokio::join!(exchange, self.previous(claim));
        let exchanged = match exchanged.unwrap_or(Err(Error::InDoubt(Doubt::Timeout))) {
            Ok(exchanged) => exchanged,
            // The code has been sent and is not sent again; new credentials serve the fresh login.
            Err(error) if credentials.are_refused_by(&error) => {
                return Err(match self.were_rotated(login, &credentials, now).await {
                    Ok(true) => Refusal::CredentialsRotated,
                    Ok(false) => Refusal::Credentials { error, unread: None },
                    Err(unread) => Refusal::Credentials { error, unread: Some(unread) },
                });
            }
            Err(error) => return Err(Refusal::Wechat(error)),
        };
        if exchanged.is_snapshotuser {
            return Err(Refusal::Snapshot);
        }
        let (profile, no_profile) = found(self.profile(&exchanged, claim).await?);
        let (follower, no_unionid) = found(self.follower(&exchanged, claim, &credentials).await);
        let (subscribe, follower_unionid) =
            follower.map_or((None, None), |follower| (follower.subscribe, follower.unionid));
        let profile_unionid = profile.as_ref().and_then(|profile| profile.user_info.unionid.clone());
        let unionid = exchanged.unionid.or(profile_unionid).or(follower_unionid);

        let session = Session {
            app: login.app.clone(),
            openid: exchanged.openid,
            unionid,
            scope: exchanged.scope,
            access_token: Some(exchanged.access_token),
            refresh_token: exchanged.refresh_token,
            profile,
            wants_profile: login.request.scope == RequestedScope::Auto,
            subscription: subscribe.map(|subscribe| Subscription { subscribe, read_at: now }),
            confirmed_at: None,
            refusals: Refusals::default(),
        };
        let (previous, unread) = found(previous);
        let response = self.finish(claim, session, previous).await?;
        let report = match no_profile {
            None => LOGGED_IN.report(),
            Some(NoProfile::Wechat(error)) => LOGGED_IN.report().with_wechat(&error),
            Some(NoProfile::TooLong) => LOGGED_IN.because("the profile took too long"),
        };
        let report = match no_unionid {
            None => report,
            Some(missed) => missed.add_to(report),
        };
        let old_tokens = self.component_tokens.as_ref().and_then(Secrets::unread);
        let report = report
            .with_failure("what the session before knew could not be read", unread)
            .with_failure("an old copy was used", self.secrets.unread())
            .with_failure("an old copy was used", old_tokens);
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
                let tokens = self.component_tokens.as_ref();
                let tokens = tokens.ok_or(Refusal::Secrets(SecretsError::NoComponentToken))?;
                let tokens = tokens.get(now).await.map_err(Refusal::Secrets)?;
                let token = tokens.of(component).map_err(Refusal::Secrets)?;
                Ok(Credentials::Component { component: component.clone(), token })
            }
        }
    }

    /// Reads the credentials anew, and says whether they are others than the ones that were used.
    async fn were_rotated(
        &self,
        login: &PendingLogin,
        used: &Credentials,
        now: Timestamp,
    ) -> Result<bool, SecretsError> {
        match used {
            Credentials::App(used) => {
                let fresh = self.secrets.read(now).await?.of(&login.app)?;
                Ok(fresh.expose() != used.expose())
            }
            Credentials::Component { component, token: used } => {
                let tokens = self.component_tokens.as_ref().ok_or(SecretsError::NoComponentToken)?;
                let fresh = tokens.read(now).await?.of(component)?;
                Ok(fresh.expose() != used.expose())
            }
        }
    }

    /// The profile, if one was granted and WeChat gives it in time. Its absence costs no login, unless it says
    /// that the login must not be.
    async fn profile(
        &self,
        exchanged: &Exchange,
        claim: &Claim<'_>,
    ) -> Result<Result<Option<Profile>, NoProfile>, Refusal> {
        if !exchanged.scope.includes_profile() {
            return Ok(Ok(None));
        }
        let lang = claim.login.request.lang;
        let call = claim.wechat.user_info(&exchanged.access_token, &exchanged.openid, lang);
        match tokio::time::timeout(EXTRA_BUDGET.min(claim.time_left()), call).await {
            Ok(Ok(user_info)) if user_info.openid.expose() == exchanged.openid.expose() => {
                Ok(Ok(Some(Profile { user_info, lang, read_at: claim.now, is_read_again: false })))
            }
            Ok(Ok(_)) => Err(Refusal::ForeignProfile),
            // An error about the person ends the login; one about the app, a quota above all, costs the profile.
            Ok(Err(error)) if error.reaction() == Some(Reaction::User) => Err(Refusal::Wechat(error)),
            Ok(Err(error)) => Ok(Err(NoProfile::Wechat(error))),
            Err(_) => Ok(Err(NoProfile::TooLong)),
        }
    }

    /// What WeChat tells the app itself of a person, asked only if the unionid is not known yet. Its absence costs no
    /// login.
    async fn follower(
        &self,
        exchanged: &Exchange,
        claim: &Claim<'_>,
        credentials: &Credentials,
    ) -> Result<Option<Follower>, NoUnionId> {
        let Claim { login, now, .. } = *claim;
        // A website app's people, and whoever consented, come with their unionid if there is one at all.
        let Credentials::App(secret) = credentials else { return Ok(None) };
        if exchanged.unionid.is_some() || !self.config.silent_unionid || login.scope != Scope::Base {
            return Ok(None);
        }
        let sessions = &self.store.sessions;
        let mut token = AppToken::new(sessions, &claim.wechat, &login.app, secret, now);
        let budget = EXTRA_BUDGET.min(claim.time_left());
        let asked = tokio::time::timeout(budget, token.follower(&exchanged.openid)).await;
        asked.unwrap_or_else(|_| Err(token.too_long())).map(Some)
    }

    /// The session that the browser had before, opened; its absence costs no login. One whose grant is gone ends here,
    /// and what it knew with it.
    async fn previous(&self, claim: &Claim<'_>) -> Result<Option<Previous>, store::Error> {
        let Some(token) = &claim.arrival.session else { return Ok(None) };
        let opened = self.store.sessions.open(token, claim.now).await?;
        Ok(opened.map(|(stored, session)| Previous { session, version: stored.version }))
    }

    /// Stores the session; only then is there a cookie.
    ///
    /// A silent login of the same person, which any page can begin by a plain link, takes nothing away: what the
    /// session before it knew is carried over. The scope and the tokens are this login's, so a profile that was
    /// carried is shown, and not read again until the person consents anew.
    async fn finish(
        &self,
        claim: &Claim<'_>,
        session: Session,
        previous: Option<Previous>,
    ) -> Result<Response, Refusal> {
        let Claim { arrival, code, .. } = *claim;
        let token = SessionToken::derive(&arrival.browser, &arrival.state, code);
        let richer = previous.and_then(|previous| previous.carried_into(&session));
        let mut finished = Finished::ReplacedChanged;
        if let Some((session, version)) = richer {
            finished = self.store_session(claim, &token, &session, Some(version)).await?;
        }
        if finished == Finished::ReplacedChanged {
            // Nothing was carried, or it is not to be had any more: a logout came in between.
            self.store_session(claim, &token, &session, None).await?;
        }
        Ok(self.with_session(claim.login, &token))
    }

    async fn store_session(
        &self,
        claim: &Claim<'_>,
        token: &SessionToken,
        session: &Session,
        carried_at_version: Option<u64>,
    ) -> Result<Finished, Refusal> {
        let Claim { arrival, code, id: claim_id, now, .. } = *claim;
        let sealed = session.seal(token, random::bytes()).ok_or(Refusal::Unsealable)?;
        let (login, pepper) = (arrival.state.login_id(), Pepper::new(random::bytes()));
        let stored = StoredSession::new(sealed, login, pepper, now, self.config.session_lifetime);
        let replaced =
            arrival.session.as_ref().map(|token| Replaced { id: token.session_id(), carried_at_version });
        let (code, id) = (CodeId::of(code), token.session_id());
        let finished = self.store.finish(&code, claim_id, &id, &stored, replaced.as_ref()).await;
        finished.map_err(Refusal::NotStored)
    }
}

/// The session that a browser had before.
struct Previous {
    session: Session,
    version: u64,
}

impl Previous {
    /// `session` with what this one knows beyond it, if both are the same person's in the same app; and the version
    /// that it was taken from. `None` if there is nothing to add.
    fn carried_into(self, session: &Session) -> Option<(Session, u64)> {
        let Self { session: before, version } = self;
        let is_the_same = before.app == session.app && before.openid.expose() == session.openid.expose();
        let adds_profile = session.profile.is_none() && before.profile.is_some();
        let adds_subscription = session.subscription.is_none() && before.subscription.is_some();
        let adds_unionid = session.unionid.is_none() && before.unionid.is_some();
        if !is_the_same || !adds_profile && !adds_unionid && !adds_subscription {
            return None;
        }
        let subscription = session.subscription.or(before.subscription);
        let profile = session.profile.clone().or(before.profile);
        let unionid = session.unionid.clone().or(before.unionid);
        Some((Session { profile, unionid, subscription, ..session.clone() }, version))
    }
}

/// Why a login is without the profile that was granted.
enum NoProfile {
    /// WeChat gave no answer, or said no; the profile can be read later.
    Wechat(Error),
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
