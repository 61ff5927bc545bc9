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
use login::session::{Profile, RefusedAbout, RefusedBefore, Session, SessionToken, StoredSession};
use login::time::Timestamp;
use secrets::SecretsError;
use store::Saved;
use web::request::Request;
use wechat::body::{ErrorAnswer, Refresh, UserInfo};
use wechat::errcode::{Errcode, Reaction};
use wechat::error::{Doubt, Error, Unsent};
use wechat::{AppId, ComponentAccessToken, Lang};
use wechat_api::Conversation;

use crate::{Refusal, Userinfo};

/// How long a request whose refresh token was refused waits for another one that may have used it.
const OVERTAKEN_PAUSES: [Duration; 4] = [
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
];

/// How long a request waits for all that it asks WeChat, where something else can be shown instead.
const BUDGET: Duration = Duration::from_secs(2);

/// How long it waits for WeChat to say that the grant stands, which nothing else can say.
const VERIFICATION_BUDGET: Duration = Duration::from_secs(5);

/// How often WeChat is asked one thing for one session at most, unless profiles are to be fresher than that: pages that
/// ask for one language and then another must not make it a call and a write each time.
const SHORTEST_INTERVAL: Duration = Duration::from_mins(1);

/// For how long a session that a phone handed over counts as confirmed: WeChat cannot be asked about it, and the person
/// has just said yes inside WeChat. Without it, a page that asks and sends on to the login would go round in a circle.
const HANDED_OVER_CONFIRMED: Duration = Duration::from_mins(1);

/// For how long a session remembers that WeChat was busy, which passes: no longer than a process remembers its silence.
const BUSY_INTERVAL: Duration = Duration::from_secs(5);

/// For how long WeChat is not asked again what it refused by this number.
fn refused_for(errcode: Errcode) -> Duration {
    let passes = errcode.reaction() == Reaction::Retry && !errcode.is_too_often();
    if passes { BUSY_INTERVAL } else { SHORTEST_INTERVAL }
}

/// How long a session is kept of which WeChat said that its grant is gone: longer than any request that was under way
/// then, and that may know better.
const REFUSED_KEPT: Duration = Duration::from_mins(10);

/// A session that has been opened.
pub struct LiveSession<'a> {
    function: &'a Userinfo,
    request: &'a Request,
    wechat: Conversation<'a>,
    /// How much time it had left when the session was opened.
    left_at_first: Duration,
    token: SessionToken,
    stored: StoredSession,
    now: Timestamp,
    is_renewed: bool,
    /// Whether there is something to save.
    is_changed: bool,
    /// Why what was read is not saved, if it is not.
    unsaved: Option<store::Error>,
    /// Whether another request had saved first, when this one last did.
    is_outrun: bool,
    /// What the seal holds.
    pub session: Session,
}

/// Which copy of a platform's token is wanted.
#[derive(Clone, Copy)]
enum TokenCopy {
    /// The one in memory, while it is young.
    Kept,
    /// One that is read now.
    Fresh,
}

/// Whether `/sns/auth` says that a token is dead: it is documented to say [`Errcode::INVALID_OPENID`] of one, and seen
/// to say what the other interfaces say.
fn is_dead(error: Option<&Error>) -> bool {
    error.and_then(Error::errcode) == Some(Errcode::INVALID_OPENID)
}

/// Why a session could not be brought up to date.
pub enum Failure {
    /// Nobody knows whether it would be as before.
    Unanswered(Unanswered),
    /// WeChat says that the person's grant is gone.
    GrantGone(Error),
    /// WeChat refuses the access token, though it was renewed, or nothing renews it. WeChat does so for passing reasons
    /// too, so that it ends no session.
    TokenRefused {
        /// What WeChat said.
        error: Error,
        /// Whether WeChat said so before.
        is_known: bool,
    },
    /// There is nothing to show any more.
    Refusal(Refusal),
}

/// Why WeChat did not say anything of the person's grant.
pub enum Unanswered {
    /// WeChat gave no answer, or said no.
    Wechat(Error),
    /// WeChat refuses the third-party platform.
    Platform(Error),
    /// The third-party platform's token could not be had, so that WeChat was not asked.
    Secrets(SecretsError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error.reaction() {
            Some(Reaction::LoginAgain) => Self::GrantGone(error),
            Some(Reaction::FreshLogin | Reaction::Refresh) => Self::token_refused(error),
            Some(Reaction::Retry | Reaction::Configuration | Reaction::User) | None => {
                Self::Unanswered(Unanswered::Wechat(error))
            }
        }
    }
}

impl Failure {
    const fn token_refused(error: Error) -> Self {
        Self::TokenRefused { error, is_known: false }
    }
}

impl From<SecretsError> for Failure {
    fn from(error: SecretsError) -> Self {
        Self::Unanswered(Unanswered::Secrets(error))
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
        request: &'a Request,
        token: SessionToken,
        now: Timestamp,
    ) -> Result<Option<Self>, Refusal> {
        let Some((stored, session)) = function.sessions.open_even_refused(&token, now).await? else {
            return Ok(None);
        };
        let left_at_first = lambda::time_left(request);
        let (is_renewed, is_changed, unsaved, is_outrun) = (false, false, None, false);
        Ok(Some(Self {
            function,
            request,
            wechat: function.wechat.conversation(),
            left_at_first,
            token,
            stored,
            now,
            is_renewed,
            is_changed,
            unsaved,
            is_outrun,
            session,
        }))
    }

    /// When the session is over.
    pub const fn expires_at(&self) -> Timestamp {
        self.stored.expires_at
    }

    /// Why what was read from WeChat is not saved, if it is not.
    pub const fn unsaved(&self) -> Option<&store::Error> {
        self.unsaved.as_ref()
    }

    /// Refuses a session of which WeChat said before that its grant is gone; after a while it is deleted. The cookie
    /// is left alone: the answer may be a slow one, and the browser's cookie a new one by then.
    pub async fn refuse_if_gone(&self) -> Result<(), Refusal> {
        let Some(refused_at) = self.stored.refused_at else { return Ok(()) };
        if self.now < refused_at.plus(REFUSED_KEPT) {
            return Err(Refusal::GrantGoneBefore { undeleted: None });
        }
        let id = self.token.session_id();
        let deleted = self.function.sessions.delete_version(&id, self.stored.version).await;
        // The next request deletes it then.
        Err(Refusal::GrantGoneBefore { undeleted: deleted.err() })
    }

    /// Remembers a failure: that the grant is gone, whatever says so, and what else is to be stored. Gives back what
    /// need not be a refusal.
    pub async fn remember(&mut self, failure: Failure) -> Result<Unanswered, Refusal> {
        match failure {
            Failure::GrantGone(error) => Err(self.mark_gone(error).await),
            Failure::TokenRefused { error, is_known } => {
                self.settle().await?;
                Err(Refusal::TokenRefused { error, is_known: is_known || self.is_outrun })
            }
            Failure::Refusal(refusal) => self.settle().await.and(Err(refusal)),
            Failure::Unanswered(unanswered) => self.settle().await.map(|()| unanswered),
        }
    }

    /// Marks the session, once: of the requests that heard it at the same time, one counts.
    async fn mark_gone(&self, error: Error) -> Refusal {
        let id = self.token.session_id();
        match self.function.sessions.mark_refused(&id, self.stored.version, self.now).await {
            Ok(Saved::Now) => Refusal::GrantGone { error, unmarked: None },
            Ok(Saved::Outdated) => Refusal::GrantGoneToOthers { error },
            // It costs one more question, by the next request.
            Err(unmarked) => Refusal::GrantGone { error, unmarked: Some(unmarked) },
        }
    }

    /// Whether this was within so long, so that WeChat is not asked again.
    fn was_within(&self, then: Timestamp, interval: Duration) -> bool {
        self.now < then.plus(interval.min(self.function.profile_lifetime))
    }

    /// Whether WeChat said a moment ago that the grant stands.
    fn was_just_confirmed(&self) -> bool {
        self.session.confirmed_at.is_some_and(|confirmed_at| self.was_within(confirmed_at, SHORTEST_INTERVAL))
    }

    /// Whether WeChat gave this profile a moment ago. The login asks in a language of its own, so that a page may ask
    /// for its own right away; and that the grant stands is no profile.
    fn was_just_read(&self, profile: &Profile) -> bool {
        profile.is_read_again && self.was_within(profile.read_at, SHORTEST_INTERVAL)
    }

    /// What WeChat refused a moment ago, and would refuse again.
    fn just_refused(&self, refused: Option<RefusedBefore>) -> Result<(), Failure> {
        match refused.filter(|refused| self.was_within(refused.at, refused_for(refused.errcode))) {
            None => Ok(()),
            Some(RefusedBefore { errcode, about, .. }) => {
                let answer = ErrorAnswer { errcode, rid: None, address: None };
                let error = Error::Refused(answer);
                Err(match about {
                    RefusedAbout::Question => error.into(),
                    RefusedAbout::Token => Failure::TokenRefused { error, is_known: true },
                    RefusedAbout::Platform => Failure::Unanswered(Unanswered::Platform(error)),
                })
            }
        }
    }

    /// What there is to remember of an answer, after what was remembered of the one before. That the grant is gone
    /// has a mark of its own ([`Self::remember`]), after which nothing is asked.
    fn to_remember<T>(
        &self,
        answer: &mut Result<T, Failure>,
        before: Option<RefusedBefore>,
    ) -> Option<RefusedBefore> {
        let (error, about) = match answer.as_mut().err()? {
            Failure::TokenRefused { error, is_known } => {
                *is_known = before.is_some_and(|before| before.about == RefusedAbout::Token);
                (error, RefusedAbout::Token)
            }
            Failure::Unanswered(Unanswered::Wechat(error)) => (error, RefusedAbout::Question),
            Failure::Unanswered(Unanswered::Platform(error)) => (error, RefusedAbout::Platform),
            Failure::Unanswered(Unanswered::Secrets(_)) | Failure::GrantGone(_) | Failure::Refusal(_) => {
                return None;
            }
        };
        Some(RefusedBefore { errcode: error.errcode()?, about, at: self.now })
    }

    /// How much time there is until the request has no more than this reserve left.
    fn time_until(&self, reserve: Duration) -> Duration {
        lambda::time_left(self.request).saturating_sub(reserve)
    }

    /// Waits for a call of WeChat's, if there is time left for it and WeChat is not known to be silent.
    async fn within<T>(
        &self,
        reserve: Duration,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        if !self.function.silence.is_over(self.now) {
            return Err(Error::NotSent(Unsent::Paused));
        }
        let left_before = lambda::time_left(self.request);
        let answer = tokio::time::timeout(self.time_until(reserve), call).await;
        let answer = answer.unwrap_or(Err(Error::InDoubt(Doubt::Timeout)));
        if let Err(error) = &answer {
            let left = lambda::time_left(self.request);
            let waited = self.left_at_first.saturating_sub(left);
            self.function.silence.note(error, left_before.saturating_sub(left), self.now.plus(waited));
        }
        answer
    }

    async fn ask_auth(&self, reserve: Duration) -> Result<(), Error> {
        let Session { access_token: Some(access_token), openid, .. } = &self.session else {
            return Err(Error::NotSent(Unsent::NoRequest));
        };
        self.within(reserve, self.wechat.auth(access_token, openid)).await
    }

    async fn ask_profile(&self, lang: Option<Lang>, reserve: Duration) -> Result<UserInfo, Error> {
        let Session { access_token: Some(access_token), openid, .. } = &self.session else {
            return Err(Error::NotSent(Unsent::NoRequest));
        };
        self.within(reserve, self.wechat.user_info(access_token, openid, lang)).await
    }

    /// Asks WeChat whether the grant still stands, unless it said so a moment ago, or refused to say.
    pub async fn verify(&mut self) -> Result<(), Failure> {
        if self.was_just_confirmed() {
            return Ok(());
        }
        if self.session.is_handed_over() {
            let is_new = self.now < self.stored.created_at.plus(HANDED_OVER_CONFIRMED);
            return if is_new { Ok(()) } else { Err(Failure::Refusal(Refusal::HandedOver)) };
        }
        let mut answer = self.just_refused(self.session.refusals.grant);
        if answer.is_ok() {
            answer = self.ask_whether_granted().await;
            let refused = self.to_remember(&mut answer, self.session.refusals.grant);
            self.is_changed |= answer.is_ok() || refused.is_some();
            self.session.refusals.grant = refused;
            if answer.is_ok() {
                self.session.confirmed_at = Some(self.now);
            }
        }
        answer
    }

    async fn ask_whether_granted(&mut self) -> Result<(), Failure> {
        let reserve = lambda::time_left(self.request).saturating_sub(VERIFICATION_BUDGET);
        let mut answer = self.ask_auth(reserve).await;
        let error = answer.as_ref().err();
        if self.needs_renewal(error)
            || !self.is_renewed && self.session.refresh_token.is_some() && is_dead(error)
        {
            self.renew(reserve).await?;
            answer = self.ask_auth(reserve).await;
        }
        match answer {
            Err(error) if is_dead(Some(&error)) => Err(Failure::token_refused(error)),
            answer => Ok(answer?),
        }
    }

    /// Reads the profile again, if one was granted and the one at hand is stale or in another language.
    pub async fn read_profile(&mut self, lang: Option<Lang>) -> Result<(), Failure> {
        let lifetime = self.function.profile_lifetime;
        let known = self.session.profile.as_ref();
        let lang = lang.or_else(|| known.and_then(|profile| profile.lang));
        let is_good = known.is_some_and(|profile| {
            let is_fresh = profile.lang == lang && self.now < profile.read_at.plus(lifetime);
            is_fresh || self.was_just_read(profile)
        });
        // A session that was handed over shows what it was given.
        if is_good || !self.session.scope.includes_profile() || self.session.access_token.is_none() {
            return Ok(());
        }
        self.just_refused(self.session.refusals.profile)?;
        let mut read = self.ask_for_profile(lang).await;
        let refused = self.to_remember(&mut read, self.session.refusals.profile);
        self.is_changed |= refused.is_some();
        self.session.refusals.profile = refused;
        let user_info = read?;
        if user_info.openid.expose() != self.session.openid.expose() {
            return Err(Failure::Refusal(Refusal::ForeignProfile));
        }
        if let Some(unionid) = &user_info.unionid {
            self.session.unionid = Some(unionid.clone());
        }
        self.session.profile = Some(Profile { user_info, lang, read_at: self.now, is_read_again: true });
        self.session.confirmed_at = Some(self.now);
        Ok(self.save().await?)
    }

    async fn ask_for_profile(&mut self, lang: Option<Lang>) -> Result<UserInfo, Failure> {
        let reserve = self.left_at_first.saturating_sub(BUDGET);
        let mut answer = self.ask_profile(lang, reserve).await;
        if self.needs_renewal(answer.as_ref().err()) {
            self.renew(reserve).await?;
            answer = self.ask_profile(lang, reserve).await;
        }
        Ok(answer?)
    }

    /// Whether new tokens may help. Without a refresh token there are none to be had.
    fn needs_renewal(&self, error: Option<&Error>) -> bool {
        !self.is_renewed
            && self.session.refresh_token.is_some()
            && error.and_then(Error::reaction) == Some(Reaction::Refresh)
    }

    async fn renew(&mut self, reserve: Duration) -> Result<(), Failure> {
        self.is_renewed = true;
        let mut component = self.component(TokenCopy::Kept, reserve).await?;
        let mut answer = self.refresh(component.as_ref(), reserve).await;
        if let Some((_, used)) = &component
            && answer.as_ref().is_err_and(Error::is_about_the_component)
        {
            // The other system may have replaced its token since ours was read.
            let fresh = self.component(TokenCopy::Fresh, reserve).await?;
            if fresh.as_ref().is_some_and(|(_, fresh)| fresh.expose() != used.expose()) {
                component = fresh;
                answer = self.refresh(component.as_ref(), reserve).await;
            }
        }
        match answer {
            Err(error) if component.is_some() && error.is_about_the_component() => {
                Err(Failure::Unanswered(Unanswered::Platform(error)))
            }
            Ok(renewed) if renewed.openid.expose() != self.session.openid.expose() => {
                Err(Failure::Refusal(Refusal::ForeignProfile))
            }
            Ok(renewed) => {
                self.session.access_token = Some(renewed.access_token);
                self.session.refresh_token = renewed.refresh_token.or(self.session.refresh_token.take());
                Ok(self.save().await?)
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
        reserve: Duration,
    ) -> Result<Refresh, Error> {
        let component = component.map(|(component, token)| (component, token));
        let Some(refresh_token) = &self.session.refresh_token else {
            return Err(Error::NotSent(Unsent::NoRequest));
        };
        self.within(reserve, self.wechat.refresh(&self.session.app, component, refresh_token)).await
    }

    /// The third-party platform that acts for the session's app, if one does, and its token.
    async fn component(
        &self,
        copy: TokenCopy,
        reserve: Duration,
    ) -> Result<Option<(AppId, ComponentAccessToken)>, Failure> {
        let account = self.function.deployment.accounts.of(&self.session.app);
        let Some(component) = account.and_then(|account| account.component_for(&self.session.app)) else {
            return Ok(None);
        };
        let tokens = self.function.component_tokens.as_ref().ok_or(SecretsError::NoComponentToken)?;
        let read = async {
            match copy {
                TokenCopy::Kept => tokens.get(self.now).await,
                TokenCopy::Fresh => tokens.read(self.now).await,
            }
        };
        let read = tokio::time::timeout(self.time_until(reserve), read).await;
        let token = read.unwrap_or_else(|_| Err(tokens.give_up(self.now)))?.of(component)?;
        Ok(Some((component.clone(), token)))
    }

    /// Stores what is not stored yet.
    pub async fn settle(&mut self) -> Result<(), Refusal> {
        if self.is_changed { self.save().await } else { Ok(()) }
    }

    /// Stores what changed, over the version it was made from. If somebody else stored a change first,
    /// theirs is what counts. If it cannot be stored, what was read can still be shown.
    async fn save(&mut self) -> Result<(), Refusal> {
        self.is_changed = false;
        let sealed = self.session.seal(&self.token, random::bytes()).ok_or(Refusal::Unsealable)?;
        let id = self.token.session_id();
        let saved = self.function.sessions.save_session(&id, &sealed, self.stored.version, self.now).await;
        self.is_outrun = matches!(saved, Ok(Saved::Outdated));
        match saved {
            Ok(Saved::Now) => {
                self.stored.version += 1;
                self.unsaved = None;
                Ok(())
            }
            Ok(Saved::Outdated) => match self.reopen().await {
                Err(Refusal::Store(error)) => {
                    self.unsaved = Some(error);
                    Ok(())
                }
                reopened => reopened,
            },
            Err(error) => {
                self.unsaved = Some(error);
                Ok(())
            }
        }
    }

    /// Waits a moment for another request's tokens; whether they came, and are now this session's.
    async fn is_overtaken(&mut self) -> Result<bool, Refusal> {
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

    async fn reopen(&mut self) -> Result<(), Refusal> {
        let opened = self.function.sessions.open_even_refused(&self.token, self.now).await;
        (self.stored, self.session) = opened?.ok_or(Refusal::NoSession)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_wechat_is_busy_is_remembered_for_some_seconds_and_what_lasts_for_a_minute() {
        for (errcode, seconds) in [(-1, 5), (45011, 60), (45009, 60), (48001, 60), (99999, 60)] {
            assert_eq!(refused_for(Errcode::new(errcode)), Duration::from_secs(seconds), "{errcode}");
        }
    }
}
