//! The two tables, and the guards that live in their conditions.
//!
//! A code is a bearer credential that arrives in a URL, often twice. Which of two arrivals may use it
//! is decided by *one* conditional write and by nothing that was read before:
//!
//! ```text
//!   callback A                       DynamoDB                       callback B (a duplicate)
//!       │  TransactWriteItems            │                                │
//!       │    Update login: claimed_code, if it is unclaimed, unexpired    │
//!       │            and this browser's                                   │
//!       │    Put code guard, if there is none                             │
//!       ├───────────────────────────────►│◄───────────────────────────────┤
//!       │  ok: claimed now               │  cancelled: ALL_OLD says why   │
//!       │◄───────────────────────────────┤───────────────────────────────►│
//!       │                                │                                │ waits for the guard's outcome
//!       │  exchange with WeChat          │                                │
//!       │  TransactWriteItems            │                                │
//!       │    Put session, if there is none                                │
//!       │    Update guard: done, if it is still this attempt's            │
//!       │    Delete the session the browser came with                     │
//!       ├───────────────────────────────►│◄───────────────────────────────┤ done: the same session
//! ```
//!
//! A claim is never taken over. If A dies after it, the code may have reached WeChat or not; B gives
//! up waiting and begins a fresh login, which costs a redirect and risks nothing.
//!
//! Both transactions carry a client request token, so a retry after a lost answer is recognised by
//! DynamoDB; and the guard remembers the attempt, so that even an answer lost beyond that is told
//! apart from somebody else's claim.
//!
//! Every condition checks expiry itself: DynamoDB's TTL removes items hours late. Every read that
//! decides something is consistent. A condition that fails is an outcome; everything else that fails
//! is an [`Error`].

use std::collections::HashMap;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
    Update,
};

use crate::app_token::{AppTokenId, LEASE, StoredAppToken};
use crate::config::Config;
use crate::login::{Asked, CODE_LIFETIME, CodeId, Depth, LoginId, PendingLogin};
use crate::secret::{Digest, to_hex};
use crate::session::{SessionId, SessionToken, StoredSession};
use crate::time::Timestamp;
use crate::wechat::{AppId, Lang, Scope};

/// How long one operation may take, the SDK's own retries included.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(2);
/// How long one attempt of it may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(900);
/// Pauses before a write is tried again that met a transaction on the same items.
const CONFLICT_PAUSES: [Duration; 5] = [
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
];

/// How many codes one login may mark as spent that came with another browser than its own.
const MOST_SPENT_CODES: u64 = 3;

type Item = HashMap<String, AttributeValue>;

/// The tables of one deployment.
#[derive(Debug, Clone)]
pub struct Store {
    client: Client,
    logins: String,
    sessions: String,
}

/// Why a table gave no answer. Says which operation and DynamoDB's code for it, and nothing of the item.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// DynamoDB did not answer, or refused.
    #[error("{operation} failed: {code}")]
    Unavailable {
        /// DynamoDB's name of the operation.
        operation: &'static str,
        /// DynamoDB's error code, or the SDK's word for what happened.
        code: String,
    },
    /// An item does not have the attributes this version writes.
    #[error("an item lacks {0}")]
    Corrupt(&'static str),
}

/// One try to claim a login and its code; 16 random bytes as hex.
///
/// It is the client request token of the claim, and the guard remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptId(String);

impl AttemptId {
    /// Takes 16 random bytes.
    #[must_use]
    pub fn new(bytes: [u8; 16]) -> Self {
        Self(to_hex(&bytes))
    }
}

/// What the claim of a login and a code came to.
#[derive(Debug)]
pub enum Claimed {
    /// Both are ours: this process, and no other, may exchange the code.
    Now(PendingLogin),
    /// The login was claimed before, in this browser, by the code of this guard.
    Before(PendingLogin, CodeId),
    /// The code was used for another login; this one is untouched.
    Elsewhere {
        /// The login that came with the code this time.
        login: PendingLogin,
        /// The login the code was used for.
        used_for: LoginId,
        /// The browser it was used in.
        used_in: Digest,
    },
    /// The login belongs to another browser; nothing was changed. The code is still to be
    /// [spent](Store::spend_code).
    Foreign(PendingLogin),
    /// The login is over; nothing was changed.
    Expired(PendingLogin),
    /// There is no such login, or no longer.
    Unknown,
}

/// What became of a code that was claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeOutcome {
    /// It is being exchanged, or whoever did so died.
    Claimed,
    /// It gave a session.
    Done,
    /// It gave none, and will not.
    Failed,
}

impl CodeOutcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// What asking for the lease on an app's token came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lease {
    /// This process, and no other, may fetch the token.
    Ours,
    /// Another process has it, or has stored another token than the one that was seen.
    Anothers,
    /// Another process had it, and failed: there will be no token until the lease is over.
    InVain,
}

/// What saving a changed session came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// The change is stored.
    Now,
    /// Somebody else changed or ended the session first; nothing was stored.
    Outdated,
}

impl Store {
    /// The tables that `config` names, reached as `aws` says.
    #[must_use]
    pub fn new(aws: &SdkConfig, config: &Config) -> Self {
        let timeouts = TimeoutConfig::builder()
            .operation_timeout(OPERATION_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .build();
        let retries =
            RetryConfig::standard().with_max_attempts(4).with_initial_backoff(Duration::from_millis(50));
        let settings =
            aws_sdk_dynamodb::config::Builder::from(aws).timeout_config(timeouts).retry_config(retries);
        Self {
            client: Client::from_conf(settings.build()),
            logins: config.logins_table.clone(),
            sessions: config.sessions_table.clone(),
        }
    }

    /// Stores a login that begins, once: a copy of this request that the SDK sent again, and that comes
    /// late, must not undo a claim. A login that is there already is this one, for nobody else has its state.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`]. The visitor must then not be sent to WeChat.
    pub async fn put_login(&self, id: &LoginId, login: &PendingLogin) -> Result<(), Error> {
        let answer = self
            .client
            .put_item()
            .table_name(&self.logins)
            .set_item(Some(login_to_item(id, login)))
            .condition_expression("attribute_not_exists(id)")
            .send()
            .await;
        match answer {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(()),
            Err(error) => Err(unavailable("PutItem", &error)),
        }
    }

    /// Reads a login, expired or not.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub async fn login(&self, id: &LoginId) -> Result<Option<PendingLogin>, Error> {
        self.get(&self.logins, id.as_str()).await?.as_ref().map(login_from_item).transpose()
    }

    /// Claims a login and its code for this process, both or neither. See the top of this file.
    ///
    /// The login is read beside the transaction, not before it: what is read never changes, and the
    /// claim itself stands on the condition alone.
    ///
    /// # Errors
    ///
    /// [`Error`]. The claim may then be made or not; the code must not be exchanged.
    pub async fn claim(
        &self,
        id: &LoginId,
        code: &CodeId,
        browser: &Digest,
        attempt: &AttemptId,
        now: Timestamp,
    ) -> Result<Claimed, Error> {
        let claim_login = Update::builder()
            .table_name(&self.logins)
            .key("id", text(id.as_str()))
            .update_expression("SET claimed_code = :code")
            .condition_expression(
                "attribute_exists(id) AND browser = :browser AND expires_at > :now AND attribute_not_exists(claimed_code)",
            )
            .expression_attribute_values(":code", text(code.as_str()))
            .expression_attribute_values(":browser", text(browser.as_str()))
            .expression_attribute_values(":now", number(now.epoch_seconds()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build();
        let guard_code = guard(id, code, browser, attempt, CodeOutcome::Claimed, now)
            .table_name(&self.logins)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build();
        let items = vec![
            TransactWriteItem::builder().update(built("Update", claim_login)?).build(),
            TransactWriteItem::builder().put(built("Put", guard_code)?).build(),
        ];
        let (written, login) = tokio::join!(self.transact(items, &attempt.0), self.login(id));
        let (login_before, code_before) = match written? {
            Written::Now => return Ok(Claimed::Now(login?.ok_or(Error::Corrupt("id"))?)),
            Written::Cancelled(reasons) => (failed(&reasons, 0), failed(&reasons, 1)),
        };
        if let Some(guard) = code_before.item()
            && attribute(guard, "attempt_id")? == attempt.0
        {
            // The answer to our own claim was lost, and this is the repetition of it.
            return Ok(Claimed::Now(login?.ok_or(Error::Corrupt("id"))?));
        }
        match login_before {
            Before::Passed => {
                let guard = code_before.item().ok_or(Error::Corrupt("outcome"))?;
                Ok(Claimed::Elsewhere {
                    login: login?.ok_or(Error::Corrupt("id"))?,
                    used_for: LoginId::stored(attribute(guard, "login")?.to_owned()),
                    used_in: Digest::stored(attribute(guard, "browser")?.to_owned()),
                })
            }
            Before::Absent => Ok(Claimed::Unknown),
            Before::Item(item) => {
                let login = login_from_item(&item)?;
                if login.browser != *browser {
                    return Ok(Claimed::Foreign(login));
                }
                if login.expires_at <= now {
                    return Ok(Claimed::Expired(login));
                }
                Ok(Claimed::Before(login, CodeId::stored(attribute(&item, "claimed_code")?.to_owned())))
            }
        }
    }

    /// What became of a code that was claimed; `None` if there is no guard, or no longer.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub async fn code_outcome(&self, code: &CodeId) -> Result<Option<CodeOutcome>, Error> {
        let Some(guard) = self.get(&self.logins, code.as_str()).await? else {
            return Ok(None);
        };
        match attribute(&guard, "outcome")? {
            "claimed" => Ok(Some(CodeOutcome::Claimed)),
            "done" => Ok(Some(CodeOutcome::Done)),
            "failed" => Ok(Some(CodeOutcome::Failed)),
            _ => Err(Error::Corrupt("outcome")),
        }
    }

    /// Records that a claimed code gave no session, so that duplicates need not wait for it.
    ///
    /// # Errors
    ///
    /// [`Error`]; duplicates then wait in vain, and nothing else changes.
    pub async fn fail_code(&self, code: &CodeId, attempt: &AttemptId) -> Result<(), Error> {
        let update = self
            .client
            .update_item()
            .table_name(&self.logins)
            .key("id", text(code.as_str()))
            .update_expression("SET outcome = :failed")
            .condition_expression("outcome = :claimed AND attempt_id = :attempt")
            .expression_attribute_values(":failed", text(CodeOutcome::Failed.as_str()))
            .expression_attribute_values(":claimed", text(CodeOutcome::Claimed.as_str()))
            .expression_attribute_values(":attempt", text(&attempt.0));
        past_conflicts(|| update.clone().send())
            .await
            .map(drop)
            .map_err(|error| unavailable("UpdateItem", &error))
    }

    /// Marks a code as spent that came with another browser than its login's, so that whoever saw it on
    /// the way cannot put it into a login of their own. The login stays as it is, for its owner; it pays
    /// for at most three such marks, or anybody could write here for nothing.
    ///
    /// # Errors
    ///
    /// [`Error`]; the code is then as good as before, and nothing else changes.
    pub async fn spend_code(
        &self,
        id: &LoginId,
        code: &CodeId,
        browser: &Digest,
        attempt: &AttemptId,
        now: Timestamp,
    ) -> Result<(), Error> {
        let count_mark = Update::builder()
            .table_name(&self.logins)
            .key("id", text(id.as_str()))
            .update_expression("ADD spent_codes :one")
            .condition_expression(
                "browser <> :browser AND expires_at > :now AND (attribute_not_exists(spent_codes) OR spent_codes < :most)",
            )
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":browser", text(browser.as_str()))
            .expression_attribute_values(":now", number(now.epoch_seconds()))
            .expression_attribute_values(":most", number(MOST_SPENT_CODES))
            .build();
        let mark_code =
            guard(id, code, browser, attempt, CodeOutcome::Failed, now).table_name(&self.logins).build();
        let items = vec![
            TransactWriteItem::builder().update(built("Update", count_mark)?).build(),
            TransactWriteItem::builder().put(built("Put", mark_code)?).build(),
        ];
        // A condition that fails says that the code was used or marked before, or that the login is over.
        self.transact(items, &format!("{}mark", attempt.0)).await.map(drop)
    }

    /// Stores the session that a claimed code gave, and ends the one the browser came with.
    ///
    /// # Errors
    ///
    /// [`Error`]. No cookie may then be set: it might open nothing.
    pub async fn finish(
        &self,
        code: &CodeId,
        attempt: &AttemptId,
        id: &SessionId,
        session: &StoredSession,
        replaced: Option<&SessionId>,
    ) -> Result<(), Error> {
        let put_session = Put::builder()
            .table_name(&self.sessions)
            .set_item(Some(session_to_item(id, session)))
            .condition_expression("attribute_not_exists(id)")
            .build();
        let mark_done = Update::builder()
            .table_name(&self.logins)
            .key("id", text(code.as_str()))
            .update_expression("SET outcome = :done")
            .condition_expression("outcome = :claimed AND attempt_id = :attempt")
            .expression_attribute_values(":done", text(CodeOutcome::Done.as_str()))
            .expression_attribute_values(":claimed", text(CodeOutcome::Claimed.as_str()))
            .expression_attribute_values(":attempt", text(&attempt.0))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build();
        let mut items = vec![
            TransactWriteItem::builder().put(built("Put", put_session)?).build(),
            TransactWriteItem::builder().update(built("Update", mark_done)?).build(),
        ];
        if let Some(replaced) = replaced.filter(|replaced| *replaced != id) {
            let delete =
                Delete::builder().table_name(&self.sessions).key("id", text(replaced.as_str())).build();
            items.push(TransactWriteItem::builder().delete(built("Delete", delete)?).build());
        }
        // The claim's own token would be taken for a repetition of the claim with other parameters.
        match self.transact(items, &format!("{}done", attempt.0)).await? {
            Written::Now => Ok(()),
            Written::Cancelled(reasons) => match failed(&reasons, 1).item() {
                // The answer to our own write was lost, and this is the repetition of it.
                Some(guard)
                    if attribute(guard, "outcome")? == "done"
                        && attribute(guard, "attempt_id")? == attempt.0 =>
                {
                    Ok(())
                }
                _ => Err(Error::Unavailable {
                    operation: "TransactWriteItems",
                    code: "ConditionalCheckFailed".to_owned(),
                }),
            },
        }
    }

    /// Reads a session; `None` if there is none, or if it is over.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub async fn session(&self, id: &SessionId, now: Timestamp) -> Result<Option<StoredSession>, Error> {
        let item = self.get(&self.sessions, id.as_str()).await?;
        let session = item.as_ref().map(session_from_item).transpose()?;
        Ok(session.filter(|session| session.expires_at > now))
    }

    /// Saves a changed seal over the version it was made from.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub async fn save_session(
        &self,
        id: &SessionId,
        sealed: Vec<u8>,
        version: u64,
        now: Timestamp,
    ) -> Result<Saved, Error> {
        let update = self
            .client
            .update_item()
            .table_name(&self.sessions)
            .key("id", text(id.as_str()))
            .update_expression("SET sealed = :sealed, refreshed_at = :now, version = :next")
            .condition_expression("version = :version AND expires_at > :now")
            .expression_attribute_values(":sealed", AttributeValue::B(Blob::new(sealed)))
            .expression_attribute_values(":now", number(now.epoch_seconds()))
            .expression_attribute_values(":version", number(version))
            .expression_attribute_values(":next", number(version + 1));
        match past_conflicts(|| update.clone().send()).await {
            Ok(_) => Ok(Saved::Now),
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(Saved::Outdated),
            Err(error) => Err(unavailable("UpdateItem", &error)),
        }
    }

    /// Ends the session that a browser's cookie names. To name none, or one that is gone, is no error.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub async fn end_session(&self, token: Option<&SessionToken>) -> Result<(), Error> {
        match token {
            Some(token) => self.delete_session(&token.session_id()).await,
            None => Ok(()),
        }
    }

    /// Deletes a session; deleting one that is gone is no error.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub async fn delete_session(&self, id: &SessionId) -> Result<(), Error> {
        let delete = self.client.delete_item().table_name(&self.sessions).key("id", text(id.as_str()));
        past_conflicts(|| delete.clone().send())
            .await
            .map(drop)
            .map_err(|error| unavailable("DeleteItem", &error))
    }

    /// Reads an app's token; `None` if none was ever stored.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub async fn app_token(&self, id: &AppTokenId) -> Result<Option<StoredAppToken>, Error> {
        let Some(item) = self.get(&self.sessions, id.as_str()).await? else { return Ok(None) };
        let Some(sealed) = item.get("sealed").and_then(|sealed| sealed.as_b().ok()) else { return Ok(None) };
        Ok(Some(StoredAppToken {
            sealed: sealed.as_ref().to_vec(),
            expires_at: moment(&item, "expires_at")?,
        }))
    }

    /// Takes the lease under which an app's token is fetched.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub async fn lease_app_token(
        &self,
        id: &AppTokenId,
        seen: Option<&StoredAppToken>,
        now: Timestamp,
    ) -> Result<Lease, Error> {
        let is_as_seen = if seen.is_some() { "sealed = :seen" } else { "attribute_not_exists(sealed)" };
        let mut update = self
            .client
            .update_item()
            .table_name(&self.sessions)
            .key("id", text(id.as_str()))
            // A lease alone must not be kept for ever either.
            .update_expression("SET lease = :until, expires_at = if_not_exists(expires_at, :until)")
            .condition_expression(format!("{is_as_seen} AND (attribute_not_exists(lease) OR lease <= :now)"))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .expression_attribute_values(":until", number(now.plus(LEASE).epoch_seconds()))
            .expression_attribute_values(":now", number(now.epoch_seconds()));
        if let Some(seen) = seen {
            let sealed = AttributeValue::B(Blob::new(seen.sealed.clone()));
            update = update.expression_attribute_values(":seen", sealed);
        }
        let Err(error) = update.send().await else { return Ok(Lease::Ours) };
        let Some(UpdateItemError::ConditionalCheckFailedException(refused)) = error.as_service_error() else {
            return Err(unavailable("UpdateItem", &error));
        };
        let is_in_vain = refused.item().is_some_and(|item| {
            item.get("lease").is_some_and(|lease| item.get("failed_lease") == Some(lease))
        });
        Ok(if is_in_vain { Lease::InVain } else { Lease::Anothers })
    }

    /// Records that the lease taken at `now` brought no token, so that nobody waits for it until it ends.
    ///
    /// # Errors
    ///
    /// [`Error`]; others then wait in vain, and nothing else changes.
    pub async fn fail_app_token(&self, id: &AppTokenId, now: Timestamp) -> Result<(), Error> {
        self.client
            .update_item()
            .table_name(&self.sessions)
            .key("id", text(id.as_str()))
            .update_expression("SET failed_lease = :lease")
            .condition_expression("lease = :lease")
            .expression_attribute_values(":lease", number(now.plus(LEASE).epoch_seconds()))
            .send()
            .await
            .map(drop)
            .map_err(|error| unavailable("UpdateItem", &error))
    }

    /// Stores an app's token and gives the lease back.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub async fn put_app_token(&self, id: &AppTokenId, token: &StoredAppToken) -> Result<(), Error> {
        self.client
            .put_item()
            .table_name(&self.sessions)
            .item("id", text(id.as_str()))
            .item("sealed", AttributeValue::B(Blob::new(token.sealed.clone())))
            .item("expires_at", number(token.expires_at.epoch_seconds()))
            .send()
            .await
            .map(drop)
            .map_err(|error| unavailable("PutItem", &error))
    }

    async fn get(&self, table: &str, id: &str) -> Result<Option<Item>, Error> {
        self.client
            .get_item()
            .table_name(table)
            .key("id", text(id))
            .consistent_read(true)
            .send()
            .await
            .map(|answer| answer.item)
            .map_err(|error| unavailable("GetItem", &error))
    }

    /// Writes all items or none. A transaction that met another one on the same items is tried again,
    /// with the same token: neither of the two has decided anything yet.
    async fn transact(&self, items: Vec<TransactWriteItem>, token: &str) -> Result<Written, Error> {
        let mut pauses = CONFLICT_PAUSES.iter();
        loop {
            let answer = self
                .client
                .transact_write_items()
                .set_transact_items(Some(items.clone()))
                .client_request_token(token)
                .send()
                .await;
            let Err(error) = answer else { return Ok(Written::Now) };
            let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
                error.as_service_error()
            else {
                return Err(unavailable("TransactWriteItems", &error));
            };
            let reasons = cancelled.cancellation_reasons();
            let codes = || reasons.iter().filter_map(CancellationReason::code);
            if codes().any(|code| code == "ConditionalCheckFailed") {
                return Ok(Written::Cancelled(reasons.to_vec()));
            }
            let passing = codes().find(|code| {
                matches!(*code, "TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded")
            });
            match (passing, pauses.next()) {
                (Some(_), Some(pause)) => rest(*pause).await,
                (code, _) => {
                    let code = code
                        .or_else(|| codes().find(|code| *code != "None"))
                        .unwrap_or("TransactionCanceled")
                        .to_owned();
                    return Err(Error::Unavailable { operation: "TransactWriteItems", code });
                }
            }
        }
    }
}

/// Makes a write of one item, again if a transaction is at work on it: the SDK repeats what is throttled
/// or lost, but not this.
async fn past_conflicts<T, E, F>(write: impl Fn() -> F) -> Result<T, SdkError<E>>
where
    F: Future<Output = Result<T, SdkError<E>>>,
    SdkError<E>: ProvideErrorMetadata,
{
    let mut pauses = CONFLICT_PAUSES.iter();
    loop {
        match (write().await, pauses.next()) {
            (Err(error), Some(pause)) if error.code() == Some("TransactionConflictException") => {
                rest(*pause).await;
            }
            (answer, _) => return answer,
        }
    }
}

/// Waits for a pause and up to as long again, so that two that met once do not meet again.
async fn rest(pause: Duration) {
    let [jitter] = crate::random::bytes::<1>();
    tokio::time::sleep(pause.mul_f64(1.0 + f64::from(jitter) / 255.0)).await;
}

/// The guard of a code, if there is none yet; without its table.
fn guard(
    id: &LoginId,
    code: &CodeId,
    browser: &Digest,
    attempt: &AttemptId,
    outcome: CodeOutcome,
    now: Timestamp,
) -> PutBuilder {
    Put::builder()
        .item("id", text(code.as_str()))
        .item("login", text(id.as_str()))
        .item("browser", text(browser.as_str()))
        .item("outcome", text(outcome.as_str()))
        .item("attempt_id", text(&attempt.0))
        .item("expires_at", number(now.plus(CODE_LIFETIME).epoch_seconds()))
        .condition_expression("attribute_not_exists(id)")
}

/// What a transaction came to.
enum Written {
    /// Every item is written.
    Now,
    /// A condition failed; nothing is written.
    Cancelled(Vec<CancellationReason>),
}

/// What one condition of a cancelled transaction found.
enum Before {
    /// It held.
    Passed,
    /// It failed, on an item that does not exist.
    Absent,
    /// It failed, on this item.
    Item(Item),
}

impl Before {
    const fn item(&self) -> Option<&Item> {
        match self {
            Self::Item(item) => Some(item),
            Self::Passed | Self::Absent => None,
        }
    }
}

fn failed(reasons: &[CancellationReason], position: usize) -> Before {
    match reasons.get(position) {
        Some(reason) if reason.code() == Some("ConditionalCheckFailed") => reason
            .item()
            .filter(|item| !item.is_empty())
            .map_or(Before::Absent, |item| Before::Item(item.clone())),
        _ => Before::Passed,
    }
}

fn unavailable<E: ProvideErrorMetadata, R>(operation: &'static str, error: &SdkError<E, R>) -> Error {
    let code = match error {
        SdkError::ServiceError(_) => error.code().unwrap_or("ServiceError"),
        SdkError::TimeoutError(_) => "Timeout",
        SdkError::DispatchFailure(_) => "DispatchFailure",
        SdkError::ConstructionFailure(_) => "ConstructionFailure",
        _ => "ResponseError",
    };
    Error::Unavailable { operation, code: code.to_owned() }
}

/// The SDK's builders fail only if a required field was forgotten.
fn built<T, E>(operation: &'static str, item: Result<T, E>) -> Result<T, Error> {
    item.map_err(|_| Error::Unavailable { operation, code: "ConstructionFailure".to_owned() })
}

fn login_to_item(id: &LoginId, login: &PendingLogin) -> Item {
    let mut item = Item::from([
        ("id".to_owned(), text(id.as_str())),
        ("browser".to_owned(), text(login.browser.as_str())),
        ("app".to_owned(), text(login.app.as_str())),
        ("scope".to_owned(), text(login.scope.as_str())),
        ("asked".to_owned(), text(login.asked.depth.as_str())),
        ("return_to".to_owned(), text(&login.return_to)),
        ("attempt".to_owned(), number(login.attempt)),
        ("expires_at".to_owned(), number(login.expires_at.epoch_seconds())),
    ]);
    item.extend(login.asked.app.as_deref().map(|app| ("asked_app".to_owned(), text(app))));
    item.extend(login.lang.map(|lang| ("lang".to_owned(), text(lang.as_str()))));
    item
}

fn login_from_item(item: &Item) -> Result<PendingLogin, Error> {
    let scope = Scope::parse(attribute(item, "scope")?).ok_or(Error::Corrupt("scope"))?;
    // A login that was stored before there was more to ask for.
    let implied = if scope == Scope::UserInfo { Depth::Profile } else { Depth::Identity };
    let depth = item.get("asked").and_then(|asked| asked.as_s().ok()).and_then(|asked| Depth::parse(asked));
    Ok(PendingLogin {
        browser: Digest::stored(attribute(item, "browser")?.to_owned()),
        app: AppId::parse(attribute(item, "app")?).ok_or(Error::Corrupt("app"))?,
        scope,
        asked: Asked {
            depth: depth.unwrap_or(implied),
            app: item.get("asked_app").and_then(|app| app.as_s().ok()).cloned(),
        },
        lang: item.get("lang").and_then(|lang| lang.as_s().ok()).and_then(|lang| Lang::parse(lang)),
        return_to: attribute(item, "return_to")?.to_owned(),
        attempt: count(item, "attempt")?,
        expires_at: moment(item, "expires_at")?,
    })
}

fn session_to_item(id: &SessionId, session: &StoredSession) -> Item {
    Item::from([
        ("id".to_owned(), text(id.as_str())),
        ("sealed".to_owned(), AttributeValue::B(Blob::new(session.sealed.clone()))),
        ("login".to_owned(), text(session.login.as_str())),
        ("created_at".to_owned(), number(session.created_at.epoch_seconds())),
        ("refreshed_at".to_owned(), number(session.refreshed_at.epoch_seconds())),
        ("version".to_owned(), number(session.version)),
        ("expires_at".to_owned(), number(session.expires_at.epoch_seconds())),
    ])
}

fn session_from_item(item: &Item) -> Result<StoredSession, Error> {
    let sealed = item.get("sealed").and_then(|sealed| sealed.as_b().ok()).ok_or(Error::Corrupt("sealed"))?;
    Ok(StoredSession {
        sealed: sealed.as_ref().to_vec(),
        login: LoginId::stored(attribute(item, "login")?.to_owned()),
        created_at: moment(item, "created_at")?,
        refreshed_at: moment(item, "refreshed_at")?,
        version: count(item, "version")?,
        expires_at: moment(item, "expires_at")?,
    })
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn attribute<'a>(item: &'a Item, name: &'static str) -> Result<&'a str, Error> {
    item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str).ok_or(Error::Corrupt(name))
}

fn count(item: &Item, name: &'static str) -> Result<u64, Error> {
    item.get(name)
        .and_then(|value| value.as_n().ok())
        .and_then(|number| number.parse().ok())
        .ok_or(Error::Corrupt(name))
}

fn moment(item: &Item, name: &'static str) -> Result<Timestamp, Error> {
    count(item, name).map(Timestamp::from_epoch_seconds)
}
