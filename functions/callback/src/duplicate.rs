//! The callbacks that did not win the claim, though they come from the right browser: the same login
//! again, or the same code for another login. None of them speaks to WeChat.
//!
//! An answer is repeated only to whoever brings the whole first request again, browser, state *and* code. Whoever
//! brings another code for a login that is claimed may be somebody else: a second person who scans the same QR page,
//! or who shares the browser's secret. He is given nothing that he does not hold already.

use std::time::Duration;

use login::Digest;
use login::account::Account;
use login::pending::{ClaimId, CodeId, LoginId, PendingLogin};
use login::session::{Session, SessionId, SessionToken, StoredSession};
use login::time::Timestamp;
use store::CodeOutcome;
use web::response::Response;
use wechat::{AppId, AuthorizationCode};

use crate::Callback;
use crate::arrival::Arrival;
use crate::refusal::{LOGGED_IN_BEFORE, LOGGED_IN_ELSEWHERE, REPEATED, Refusal, RefusedLogin};

/// How long a duplicate waits for the one that won, however slow the table is: five seconds of the
/// visitor's, and of the ten that the function has.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// The pauses between two looks; the last one is repeated.
const PAUSES_MS: [u64; 9] = [50, 100, 150, 250, 350, 500, 700, 800, 1000];
/// The pauses before a session is looked for again that should be there.
const SECOND_LOOKS: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(100)];

impl Callback {
    /// Answers a duplicate: waits for the one that won, and repeats its answer while the session
    /// exists. A session that is gone was logged out or replaced, and is not brought back. Why there is no session is
    /// repeated too: of two answers to one navigation the browser shows the last.
    pub(crate) async fn repeat(
        &self,
        arrival: &Arrival,
        code: &AuthorizationCode,
        login: &PendingLogin,
        now: Timestamp,
    ) -> Result<Response, Refusal> {
        let waited = tokio::time::timeout(LONGEST_WAIT, self.decided(&CodeId::of(code))).await;
        match waited.map_err(|_| Refusal::WinnerSilent)?.map_err(Refusal::Store)? {
            Some(CodeOutcome::Done) => {}
            Some(CodeOutcome::Failed(why)) => return Err(Refusal::repeated(why.as_ref())),
            Some(CodeOutcome::Claimed) | None => return Err(Refusal::WinnerSilent),
        }
        let token = SessionToken::derive(&arrival.browser, &arrival.state, code);
        if self.settled(&token.session_id(), now).await?.is_some() {
            return Ok(REPEATED.of(self.with_session(login, &token)));
        }
        // Another tab may have replaced this session meanwhile; that one is as good.
        match self.present(arrival, login, now).await? {
            Some(_) => Ok(LOGGED_IN_BEFORE.of(self.to_target(login))),
            None => Err(Refusal::SessionGone),
        }
    }

    /// What became of a code, once the one that claimed it is done with it; `None` if nobody knows any more.
    async fn decided(&self, code_id: &CodeId) -> Result<Option<CodeOutcome>, store::Error> {
        let mut pauses = PAUSES_MS.into_iter();
        let mut pause = Duration::ZERO;
        loop {
            match self.store.logins.code_outcome(code_id).await? {
                Some(CodeOutcome::Claimed) => {}
                outcome => return Ok(outcome),
            }
            pause = pauses.next().map_or(pause, Duration::from_millis);
            tokio::time::sleep(pause).await;
        }
    }

    /// The session that a code is known to have given, if it still stands. Each read is of one moment, but two are of
    /// two: the guard may be seen after the transaction that wrote both, and the session still before it.
    async fn settled(&self, id: &SessionId, now: Timestamp) -> Result<Option<StoredSession>, Refusal> {
        let sessions = &self.store.sessions;
        for pause in SECOND_LOOKS {
            if let Some(session) = sessions.session(id, now).await.map_err(Refusal::Store)? {
                return Ok(Some(session));
            }
            tokio::time::sleep(pause).await;
        }
        sessions.session(id, now).await.map_err(Refusal::Store)
    }

    /// The session whose cookie the browser brings, if it stands, as far as is known, and if it is of the account that
    /// this login is of: the pages of another one take whoever it belongs to for nobody.
    async fn present(
        &self,
        arrival: &Arrival,
        login: &PendingLogin,
        now: Timestamp,
    ) -> Result<Option<StoredSession>, Refusal> {
        let Some(token) = &arrival.session else { return Ok(None) };
        let opened = self.store.sessions.open(token, now).await.map_err(Refusal::Store)?;
        let accounts = &self.config.deployment.accounts;
        let account = |app: &AppId| accounts.of(app).map(Account::choice);
        let is_its = |session: &Session| account(&session.app) == account(&login.app);
        Ok(opened.filter(|(_, session)| is_its(session)).map(|(stored, _)| stored))
    }

    /// Answers another code than the one that claimed the login. It is spent, unexchanged: whoever brings it is either
    /// logged in here already, or begins afresh.
    pub(crate) async fn another_code(
        &self,
        arrival: &Arrival,
        code_id: &CodeId,
        login: PendingLogin,
        claim_id: &ClaimId,
        now: Timestamp,
    ) -> Result<Response, RefusedLogin> {
        let (login_id, browser) = (arrival.state.login_id(), arrival.browser.digest());
        let marked = self.store.logins.spend_code(&login_id, code_id, &browser, claim_id, now).await;
        let refusal = match self.present(arrival, &login, now).await {
            Ok(Some(_)) if login.is_silent() => {
                let report =
                    LOGGED_IN_BEFORE.report().with_failure("the code could not be marked", marked.err());
                return Ok(report.of(self.to_target(&login)));
            }
            Ok(Some(_)) => Refusal::AnotherScan,
            Ok(None) => Refusal::AnotherCode,
            Err(refusal) => refusal,
        };
        Err(refusal.of(login).marked(marked))
    }

    /// Answers a code that was used for another login. WeChat gives quick logins one code: if the other
    /// one has finished in this browser, and its session is at hand, this one has what it came for.
    pub(crate) async fn join(
        &self,
        arrival: &Arrival,
        login: &PendingLogin,
        used_for: &LoginId,
        used_in: &Digest,
        now: Timestamp,
    ) -> Result<Response, Refusal> {
        if *used_in == arrival.browser.digest()
            && self.present(arrival, login, now).await?.is_some_and(|session| session.login == *used_for)
        {
            return Ok(LOGGED_IN_ELSEWHERE.of(self.to_target(login)));
        }
        Err(Refusal::CodeUsedElsewhere)
    }
}
