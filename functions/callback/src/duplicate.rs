//! The callbacks that did not win the claim, though they come from the right browser: the same login
//! again, or the same code for another login. Neither speaks to WeChat.

use std::time::Duration;

use login::Digest;
use login::pending::{CodeId, LoginId, PendingLogin};
use login::session::SessionToken;
use login::time::Timestamp;
use store::CodeOutcome;
use web::response::Response;

use crate::Callback;
use crate::arrival::Arrival;
use crate::refusal::{LOGGED_IN_ELSEWHERE, REPEATED, Refusal};

/// How long a duplicate waits for the one that won, however slow the table is: five seconds of the
/// visitor's, and of the ten that the function has.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// The pauses between two looks; the last one is repeated.
const PAUSES_MS: [u64; 9] = [50, 100, 150, 250, 350, 500, 700, 800, 1000];

impl Callback {
    /// Answers a duplicate: waits for the one that won, and repeats its answer while the session
    /// exists. A session that is gone was logged out or replaced, and is not brought back.
    pub(crate) async fn repeat(
        &self,
        arrival: &Arrival,
        login: &PendingLogin,
        code_id: &CodeId,
        now: Timestamp,
    ) -> Result<Response, Refusal> {
        let waited = tokio::time::timeout(LONGEST_WAIT, self.decided(code_id)).await;
        match waited.map_err(|_| Refusal::WinnerSilent)?.map_err(Refusal::Store)? {
            Some(CodeOutcome::Done) => {}
            Some(CodeOutcome::Failed) => return Err(Refusal::WinnerFailed),
            Some(CodeOutcome::Claimed) | None => return Err(Refusal::WinnerSilent),
        }
        let token = SessionToken::derive(&arrival.browser, &arrival.state);
        match self.store.sessions.session(&token.session_id(), now).await.map_err(Refusal::Store)? {
            Some(_) => Ok(REPEATED.of(self.with_session(login, &token))),
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
        let token = arrival.session.as_ref().filter(|_| *used_in == arrival.browser.digest());
        let token = token.ok_or(Refusal::CodeUsedElsewhere)?;
        match self.store.sessions.session(&token.session_id(), now).await.map_err(Refusal::Store)? {
            Some(session) if session.login == *used_for => Ok(LOGGED_IN_ELSEWHERE.of(self.to_target(login))),
            _ => Err(Refusal::CodeUsedElsewhere),
        }
    }
}
