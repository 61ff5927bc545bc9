//! The two tables, and the guards that live in their conditions.
//!
//! Every condition checks expiry itself: DynamoDB's TTL removes items hours late. Every read that
//! decides something is consistent. A condition that fails is an outcome; everything else that fails
//! is an [`Error`].
//!
//! A function is given the table that it needs and no other: [`Logins`] for whoever begins a login, [`Sessions`] for
//! whoever shows or ends one, the whole [`Store`] for whoever turns the one into the other.
//!
//! One room for each kind of item: a login and the guard of its code (`claim.rs`, where the
//! race for a code is decided), a session, the token of an app, a grant of the
//! OpenID Provider and the request before it, a ticket of the hand-off.

mod app_token;
mod claim;
mod description;
mod grant;
mod item;
mod request;
mod session;
mod ticket;

pub use self::app_token::Lease;
pub use self::claim::{Claimed, CodeFailure, CodeOutcome, Finished, Replaced};
pub use self::description::{Description, describe};
pub use self::grant::Redeemed;
pub use self::session::Saved;

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{CancellationReason, TransactWriteItem};
use settings::{Settings, Wrong};

use self::item::{Item, text};

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

/// The table of logins under way and of codes that were used.
#[derive(Debug, Clone)]
pub struct Logins(Table);

/// The table of sessions, and of the tokens of apps.
#[derive(Debug, Clone)]
pub struct Sessions(Table);

/// Both tables, for whoever turns a login into a session. A function that needs one of them is given that one.
#[derive(Debug, Clone)]
pub struct Store {
    /// The table of logins.
    pub logins: Logins,
    /// The table of sessions.
    pub sessions: Sessions,
}

settings::declare! {
    LOGINS_TABLE, TABLE_NAME, "`wechat-login-LoginsTable-1A2B`", ["", ""], ["DynamoDB table, key `id` (string), TTL `expires_at`", "DynamoDB 表，主键 `id`（字符串），TTL 属性 `expires_at`"];
    SESSIONS_TABLE, TABLE_NAME, "`wechat-login-SessionsTable-3C4D`", ["", ""], ["DynamoDB table, the same shape", "DynamoDB 表，结构同上"];
}

const TABLE_NAME: &str = "the name of a DynamoDB table";

/// The name of a table, or its ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableName(String);

impl TableName {
    /// Reads one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte);
        text.bytes().all(is_plain).then(|| Self(text.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The names of the two tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tables {
    /// Where logins are.
    pub logins: TableName,
    /// Where sessions are.
    pub sessions: TableName,
}

impl Tables {
    /// Reads both names, which must not be the same.
    ///
    /// # Errors
    ///
    /// [`Wrong`] if one is missing or wrong, or both are one; each is noted.
    pub fn read(settings: &mut Settings<'_>) -> Result<Self, Wrong> {
        let logins = settings.required(&LOGINS_TABLE, TableName::parse);
        let sessions = settings.required(&SESSIONS_TABLE, TableName::parse);
        if logins.is_ok() && logins == sessions {
            let problem = "SESSIONS_TABLE is wrong; it must be another table than LOGINS_TABLE";
            return Err(settings.wrong(problem.to_owned()));
        }
        Ok(Self { logins: logins?, sessions: sessions? })
    }
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
    /// Somebody else wrote first, each time that it was tried.
    #[error("somebody else wrote first, each time that it was tried")]
    Contended,
    /// An item does not have the attributes this version writes.
    #[error("an item lacks {0}")]
    Corrupt(&'static str),
    /// The login was there when it was claimed, and is gone now. Its code must not be exchanged: nobody knows
    /// as which app's.
    #[error("the login that was claimed is gone")]
    LoginVanished,
}

impl Logins {
    /// The table of this name, reached as `aws` says.
    #[must_use]
    pub fn new(aws: &SdkConfig, name: TableName) -> Self {
        Self(Table { client: client(aws), name: name.0 })
    }
}

impl Sessions {
    /// The table of this name, reached as `aws` says.
    #[must_use]
    pub fn new(aws: &SdkConfig, name: TableName) -> Self {
        Self(Table { client: client(aws), name: name.0 })
    }
}

impl Store {
    /// The tables of these names, reached as `aws` says.
    #[must_use]
    pub fn new(aws: &SdkConfig, Tables { logins, sessions }: Tables) -> Self {
        let client = client(aws);
        let logins = Logins(Table { client: client.clone(), name: logins.0 });
        Self { logins, sessions: Sessions(Table { client, name: sessions.0 }) }
    }
}

fn client(aws: &SdkConfig) -> Client {
    let timeouts = TimeoutConfig::builder()
        .operation_timeout(OPERATION_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .build();
    let retries =
        RetryConfig::standard().with_max_attempts(4).with_initial_backoff(Duration::from_millis(50));
    let settings =
        aws_sdk_dynamodb::config::Builder::from(aws).timeout_config(timeouts).retry_config(retries);
    Client::from_conf(settings.build())
}

/// One table, and the way to it.
#[derive(Debug, Clone)]
struct Table {
    client: Client,
    name: String,
}

impl Table {
    async fn get(&self, id: &str) -> Result<Option<Item>, Error> {
        self.client
            .get_item()
            .table_name(&self.name)
            .key("id", text(id))
            .consistent_read(true)
            .send()
            .await
            .map(|answer| answer.item)
            .map_err(|error| unavailable("GetItem", &error))
    }

    /// Writes an item, once: a copy of the request that the SDK sent again, and that comes late, must not undo what
    /// happened since. An item that is there already is this one, for nobody else has its key.
    async fn put_once(&self, item: Item) -> Result<(), Error> {
        let put = self.client.put_item().table_name(&self.name).set_item(Some(item));
        let answer = put.condition_expression("attribute_not_exists(id)").send().await;
        has_held("PutItem", answer).map(drop)
    }

    /// Writes all items or none. A transaction that met another one on the same items is tried again,
    /// with the same token: neither of the two has decided anything yet.
    ///
    /// DynamoDB judges each item by itself, so the reasons of one cancellation may be mixed. A condition that
    /// failed beside a passing reason was judged while another transaction was at work, and what it found may be
    /// undone a moment later: only a list of conditions and nothing else decides anything.
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
            let codes = || reasons.iter().filter_map(CancellationReason::code).filter(|code| *code != "None");
            let other = codes().find(|code| *code != "ConditionalCheckFailed");
            if other.is_none() && codes().next().is_some() {
                return Ok(Written::Cancelled(reasons.to_vec()));
            }
            let is_passing = codes().any(|code| {
                matches!(code, "TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded")
            });
            match pauses.next() {
                Some(pause) if is_passing => pause_with_jitter(*pause).await,
                _ => {
                    let code = other.unwrap_or("TransactionCanceled").to_owned();
                    return Err(Error::Unavailable { operation: "TransactWriteItems", code });
                }
            }
        }
    }
}

/// What a transaction came to.
enum Written {
    /// Every item is written.
    Now,
    /// A condition failed; nothing is written.
    Cancelled(Vec<CancellationReason>),
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
                pause_with_jitter(*pause).await;
            }
            (answer, _) => return answer,
        }
    }
}

/// Waits for a pause and up to as long again, so that two that met once do not meet again.
async fn pause_with_jitter(pause: Duration) {
    let [jitter] = login::random::bytes::<1>();
    tokio::time::sleep(pause.mul_f64(1.0 + f64::from(jitter) / 255.0)).await;
}

/// Whether the condition of a write held, and it was made.
fn has_held<T, E: ProvideErrorMetadata, R>(
    operation: &'static str,
    answer: Result<T, SdkError<E, R>>,
) -> Result<bool, Error> {
    match answer {
        Ok(_) => Ok(true),
        Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(false),
        Err(error) => Err(unavailable(operation, &error)),
    }
}

fn unavailable<E: ProvideErrorMetadata, R>(operation: &'static str, error: &SdkError<E, R>) -> Error {
    Error::Unavailable { operation, code: aws_error::code(error).to_owned() }
}

/// The SDK's builders fail only if a required field was forgotten.
fn built<T, E>(operation: &'static str, item: Result<T, E>) -> Result<T, Error> {
    item.map_err(|_| Error::Unavailable { operation, code: "ConstructionFailure".to_owned() })
}
