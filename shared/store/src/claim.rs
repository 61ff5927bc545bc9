//! The claim of a code: who, of all who bring it, may exchange it.
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
//!       │    Update guard: done, if it is still this claim's              │
//!       │    Delete the session the browser came with                     │
//!       ├───────────────────────────────►│◄───────────────────────────────┤ done: the same session
//! ```
//!
//! A claim is never taken over. If A dies after it, the code may have reached WeChat or not; B gives
//! up waiting and begins a fresh login, which costs a redirect and risks nothing.
//!
//! Both transactions carry a client request token, so a retry after a lost answer is recognised by
//! DynamoDB; and the guard remembers the claim, so that even an answer lost beyond that is told
//! apart from somebody else's claim.

use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{
    CancellationReason, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};

use super::item::{Item, attribute, login_from_item, login_to_item, number, session_to_item, text};
use super::{Error, Logins, Store, Written, built, past_conflicts, unavailable};
use login::Digest;
use login::pending::{CODE_LIFETIME, ClaimId, CodeId, LoginId, PendingLogin};
use login::session::{SessionId, StoredSession};
use login::time::Timestamp;

// What a guard says became of its code.
const CLAIMED: &str = "claimed";
const DONE: &str = "done";
const FAILED: &str = "failed";

/// How many codes one login may mark as spent that came with another browser than its own.
const MOST_SPENT_CODES: u64 = 3;

/// What the claim of a login and a code came to.
#[derive(Debug)]
pub enum Claimed {
    /// Both are ours: this process, and no other, may exchange the code.
    Now(PendingLogin),
    /// Both are ours, but the login beside the claim could not be read. Without it nobody knows as which app the
    /// code is to be exchanged: nobody will, and [that is to be recorded](Logins::fail_code).
    Unread(Error),
    /// The login was claimed before, in this browser, by the code of this guard: the one that came now, or
    /// another one, which is still to be [spent](Logins::spend_code).
    Before(PendingLogin, CodeId),
    /// The code was used for another login; this one is untouched.
    Elsewhere {
        /// The login that came with the code this time.
        login: PendingLogin,
        /// The login the code was used for.
        used_for: LoginId,
        /// The browser it was used in.
        used_in: Digest,
        /// Whether it gave no session there: it was refused, or only marked as spent.
        has_failed: bool,
    },
    /// The login belongs to another browser; nothing was changed. The code is still to be
    /// [spent](Logins::spend_code).
    Foreign(PendingLogin),
    /// The login is over; nothing was changed.
    Expired(PendingLogin),
    /// There is no such login, or no longer.
    Unknown,
}

impl Claimed {
    /// The login that came with the code, if it was found.
    #[must_use]
    pub const fn login(&self) -> Option<&PendingLogin> {
        match self {
            Self::Now(login)
            | Self::Before(login, _)
            | Self::Elsewhere { login, .. }
            | Self::Foreign(login)
            | Self::Expired(login) => Some(login),
            Self::Unread(_) | Self::Unknown => None,
        }
    }
}

/// The session that a browser came with, and that a new one replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// Its key.
    pub id: SessionId,
    /// The version of it that something was carried over from, if something was.
    pub carried_at_version: Option<u64>,
}

/// What storing a session came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    /// It is stored.
    Now,
    /// Nothing is written: the session that something was carried over from has ended or changed meanwhile.
    ReplacedChanged,
}

/// What became of a code that was claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodeOutcome {
    /// It is being exchanged, or whoever did so died.
    Claimed,
    /// It gave a session.
    Done,
    /// It gave none, and will not; and what was recorded of it, if something was.
    Failed(Option<CodeFailure>),
}

/// What whoever brings a code again is told of why it gave no session, as the first was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeFailure {
    /// The reason that a page gives, in a word.
    pub reason: String,
    /// Whether a fresh login is tried before that page is shown.
    pub begins_afresh: bool,
}

impl Logins {
    /// Stores a login that begins, once.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`]. The visitor must then not be sent to WeChat.
    pub async fn put_login(&self, id: &LoginId, login: &PendingLogin) -> Result<(), Error> {
        self.0.put_once(login_to_item(id, login)).await
    }

    /// Reads a login, expired or not.
    ///
    /// # Errors
    ///
    /// [`Error`] if DynamoDB does not answer or refuses, or if an item cannot be read.
    pub async fn login(&self, id: &LoginId) -> Result<Option<PendingLogin>, Error> {
        self.0.get(id.as_str()).await?.as_ref().map(login_from_item).transpose()
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
        claim_id: &ClaimId,
        now: Timestamp,
    ) -> Result<Claimed, Error> {
        let claim_login = Update::builder()
            .table_name(&self.0.name)
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
        let guard_code = guard(id, code, browser, claim_id, CLAIMED, now)
            .table_name(&self.0.name)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build();
        let items = vec![
            TransactWriteItem::builder().update(built("Update", claim_login)?).build(),
            TransactWriteItem::builder().put(built("Put", guard_code)?).build(),
        ];
        let (written, login) = tokio::join!(self.0.transact(items, claim_id.as_str()), self.login(id));
        let (login_before, code_before) = match written? {
            Written::Now => return Ok(won(login)),
            Written::Cancelled(reasons) => (failed(&reasons, 0), failed(&reasons, 1)),
        };
        if let Some(guard) = code_before.item()
            && attribute(guard, "attempt_id")? == claim_id.as_str()
        {
            // The answer to our own claim was lost, and this is the repetition of it.
            return Ok(won(login));
        }
        match login_before {
            Before::Passed => {
                let guard = code_before.item().ok_or(Error::Corrupt("outcome"))?;
                let login = login?.ok_or(Error::LoginVanished)?;
                let used_for = LoginId::stored(attribute(guard, "login")?.to_owned());
                let used_in = Digest::stored(attribute(guard, "browser")?.to_owned());
                if used_for == *id && used_in == *browser {
                    // Whatever the login's own condition saw, the guard says that it was claimed.
                    return Ok(Claimed::Before(login, code.clone()));
                }
                let has_failed = attribute(guard, "outcome")? == FAILED;
                Ok(Claimed::Elsewhere { login, used_for, used_in, has_failed })
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
    /// [`Error`] if DynamoDB does not answer or refuses, or if an item cannot be read.
    pub async fn code_outcome(&self, code: &CodeId) -> Result<Option<CodeOutcome>, Error> {
        let Some(guard) = self.0.get(code.as_str()).await? else {
            return Ok(None);
        };
        match attribute(&guard, "outcome")? {
            CLAIMED => Ok(Some(CodeOutcome::Claimed)),
            DONE => Ok(Some(CodeOutcome::Done)),
            FAILED => {
                // What another version wrote has none.
                let reason = guard.get("reason").and_then(|reason| reason.as_s().ok());
                let begins_afresh = guard.contains_key("begins_afresh");
                let failure = reason.map(|reason| CodeFailure { reason: reason.clone(), begins_afresh });
                Ok(Some(CodeOutcome::Failed(failure)))
            }
            _ => Err(Error::Corrupt("outcome")),
        }
    }

    /// Records that a claimed code gave no session, so that duplicates need not wait for it; and why, where they are to
    /// be told the same.
    ///
    /// # Errors
    ///
    /// [`Error`]; duplicates then wait in vain, and nothing else changes.
    pub async fn fail_code(
        &self,
        code: &CodeId,
        claim_id: &ClaimId,
        why: Option<&CodeFailure>,
    ) -> Result<(), Error> {
        let update = self
            .0
            .client
            .update_item()
            .table_name(&self.0.name)
            .key("id", text(code.as_str()))
            .update_expression(match why {
                Some(CodeFailure { begins_afresh: true, .. }) => {
                    "SET outcome = :failed, reason = :reason, begins_afresh = :failed"
                }
                Some(CodeFailure { begins_afresh: false, .. }) => "SET outcome = :failed, reason = :reason",
                None => "SET outcome = :failed",
            })
            .set_expression_attribute_values(
                why.map(|why| Item::from([(":reason".to_owned(), text(&why.reason))])),
            )
            .condition_expression("outcome = :claimed AND attempt_id = :claim_id")
            .expression_attribute_values(":failed", text(FAILED))
            .expression_attribute_values(":claimed", text(CLAIMED))
            .expression_attribute_values(":claim_id", text(claim_id.as_str()));
        past_conflicts(|| update.clone().send())
            .await
            .map(drop)
            .map_err(|error| unavailable("UpdateItem", &error))
    }

    /// Marks a code as spent that came with another browser than its login's, so that whoever saw it on
    /// the way cannot put it into a login of their own; or that came for a login which another code has claimed.
    /// The login stays as it is, for its owner; it pays for at most three such marks, or anybody could write here
    /// for nothing.
    ///
    /// # Errors
    ///
    /// [`Error`]; the code is then as good as before, and nothing else changes.
    pub async fn spend_code(
        &self,
        id: &LoginId,
        code: &CodeId,
        browser: &Digest,
        claim_id: &ClaimId,
        now: Timestamp,
    ) -> Result<(), Error> {
        let count_mark = Update::builder()
            .table_name(&self.0.name)
            .key("id", text(id.as_str()))
            .update_expression("ADD spent_codes :one")
            .condition_expression(
                "(browser <> :browser OR attribute_exists(claimed_code) AND claimed_code <> :code) AND expires_at > :now AND (attribute_not_exists(spent_codes) OR spent_codes < :most)",
            )
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":browser", text(browser.as_str()))
            .expression_attribute_values(":code", text(code.as_str()))
            .expression_attribute_values(":now", number(now.epoch_seconds()))
            .expression_attribute_values(":most", number(MOST_SPENT_CODES))
            .build();
        let mark_code = guard(id, code, browser, claim_id, FAILED, now).table_name(&self.0.name).build();
        let items = vec![
            TransactWriteItem::builder().update(built("Update", count_mark)?).build(),
            TransactWriteItem::builder().put(built("Put", mark_code)?).build(),
        ];
        // A condition that fails says that the code was used or marked before, or that the login is over.
        self.0.transact(items, &format!("{}mark", claim_id.as_str())).await.map(drop)
    }
}

impl Store {
    /// Stores the session that a claimed code gave, and ends the one the browser came with. If something was carried
    /// over from that one, the two are one write: it must still be there, as it was when it was read, its grant
    /// not refused meanwhile.
    ///
    /// # Errors
    ///
    /// [`Error`]. No cookie may then be set: it might open nothing.
    pub async fn finish(
        &self,
        code: &CodeId,
        claim_id: &ClaimId,
        id: &SessionId,
        session: &StoredSession,
        replaced: Option<&Replaced>,
    ) -> Result<Finished, Error> {
        let put_session = Put::builder()
            .table_name(&self.sessions.0.name)
            .set_item(Some(session_to_item(id, session)))
            .condition_expression("attribute_not_exists(id)")
            .build();
        let mark_done = Update::builder()
            .table_name(&self.logins.0.name)
            .key("id", text(code.as_str()))
            .update_expression("SET outcome = :done")
            .condition_expression("outcome = :claimed AND attempt_id = :claim_id")
            .expression_attribute_values(":done", text(DONE))
            .expression_attribute_values(":claimed", text(CLAIMED))
            .expression_attribute_values(":claim_id", text(claim_id.as_str()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build();
        let mut items = vec![
            TransactWriteItem::builder().put(built("Put", put_session)?).build(),
            TransactWriteItem::builder().update(built("Update", mark_done)?).build(),
        ];
        let carried = replaced.and_then(|replaced| replaced.carried_at_version);
        if let Some(replaced) = replaced.filter(|replaced| replaced.id != *id) {
            let mut delete =
                Delete::builder().table_name(&self.sessions.0.name).key("id", text(replaced.id.as_str()));
            if let Some(version) = carried {
                delete = delete
                    .condition_expression(
                        "attribute_exists(id) AND version = :seen AND attribute_not_exists(refused_at)",
                    )
                    .expression_attribute_values(":seen", number(version));
            }
            items.push(TransactWriteItem::builder().delete(built("Delete", delete.build())?).build());
        }
        // The claim's own token would be taken for a repetition of the claim with other parameters, and so would
        // the first of two tries to finish.
        let suffix = if carried.is_some() { "more" } else { "done" };
        match self.logins.0.transact(items, &format!("{}{suffix}", claim_id.as_str())).await? {
            Written::Now => Ok(Finished::Now),
            Written::Cancelled(reasons) => match (failed(&reasons, 1), failed(&reasons, 2)) {
                // The answer to our own write was lost, and this is the repetition of it.
                (Before::Item(guard), _)
                    if attribute(&guard, "outcome")? == DONE
                        && attribute(&guard, "attempt_id")? == claim_id.as_str() =>
                {
                    Ok(Finished::Now)
                }
                (Before::Passed, Before::Absent | Before::Item(_)) => Ok(Finished::ReplacedChanged),
                _ => Err(Error::Contended),
            },
        }
    }
}

/// The guard of a code, if there is none yet; without its table.
fn guard(
    id: &LoginId,
    code: &CodeId,
    browser: &Digest,
    claim_id: &ClaimId,
    outcome: &str,
    now: Timestamp,
) -> PutBuilder {
    Put::builder()
        .item("id", text(code.as_str()))
        .item("login", text(id.as_str()))
        .item("browser", text(browser.as_str()))
        .item("outcome", text(outcome))
        .item("attempt_id", text(claim_id.as_str()))
        .item("expires_at", number(now.plus(CODE_LIFETIME).epoch_seconds()))
        .condition_expression("attribute_not_exists(id)")
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

/// A claim that was made, with the login that was read beside it.
fn won(login: Result<Option<PendingLogin>, Error>) -> Claimed {
    match login.and_then(|login| login.ok_or(Error::LoginVanished)) {
        Ok(login) => Claimed::Now(login),
        Err(error) => Claimed::Unread(error),
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
