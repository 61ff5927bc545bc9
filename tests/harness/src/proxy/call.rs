//! One call to DynamoDB, read from the wire.

use std::fmt;

use axum::http::{HeaderMap, header};
use serde_json::Value;

use super::Fault;

/// A call, as it came and as far as it got.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who called: the access key, which is the function's name.
    pub function: String,
    /// DynamoDB's name of the operation, such as `GetItem`.
    pub operation: String,
    /// What the call meant to the product.
    pub kind: Kind,
    /// What it touches.
    pub items: Vec<Item>,
    /// The SDK's name for the call that its repetitions share; empty for a caller that is no SDK.
    pub invocation: String,
    /// Which repetition of it this is, counted from 1; 0 for a caller that does not say.
    pub attempt: u32,
    /// The client request token of a transaction.
    pub token: Option<String>,
    /// The whole request.
    pub request: Value,
    /// When it arrived, in ticks of the proxy's own clock.
    pub arrived: u64,
    /// When the caller was answered or cut off, in the same ticks; `None` while it waits.
    pub answered: Option<u64>,
    /// The fault that struck it.
    pub fault: Option<Fault>,
    /// Whether DynamoDB carried it out, whatever the caller was told.
    pub is_applied: bool,
    /// Whether the caller had hung up by the time there was an answer.
    pub is_abandoned: bool,
    /// The HTTP status that the caller was told; `None` if it was told nothing, or not yet.
    pub status: Option<u16>,
    /// The capacity units that DynamoDB charged, of whichever kind [`is_write`](Self::is_write) says; 0 unless they are
    /// [counted](super::Proxy::count_units).
    pub units: f64,
}

/// One item of a call, and what the caller must be allowed to do to it.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Item {
    /// IAM's name of the action, without `dynamodb:`.
    pub action: String,
    /// The table's name.
    pub table: String,
    /// The item's `id`; `None` for a call that names none, such as a scan.
    pub id: Option<String>,
}

/// The kinds of calls, each with the name of the store's own function for it.
macro_rules! kinds {
    ($($(#[$meaning:meta])* $kind:ident = $word:literal,)+) => {
        /// What a call means to the product.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Kind {
            $($(#[$meaning])* $kind,)+
            /// Anything else.
            Other,
        }

        impl Kind {
            /// Every kind that the product's store has a function for.
            pub const ALL: [Self; 35] = [$(Self::$kind),+];

            /// The name of the store's function.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $word,)+
                    Self::Other => "other",
                }
            }
        }
    };
}

kinds! {
    /// Stores a login that begins.
    PutLogin = "put_login",
    /// Reads a login.
    Login = "login",
    /// The transaction that claims a login and a code.
    Claim = "claim",
    /// Reads what became of a code.
    CodeOutcome = "code_outcome",
    /// Marks a claimed code as failed.
    FailCode = "fail_code",
    /// The transaction that marks a code as spent that came with another browser.
    SpendCode = "spend_code",
    /// The transaction that stores a session.
    Finish = "finish",
    /// Reads a session.
    Session = "session",
    /// Saves a session over its version.
    SaveSession = "save_session",
    /// Notes in a session that its grant is gone.
    MarkRefused = "mark_refused",
    /// Ends a session.
    DeleteSession = "delete_session",
    /// Ends a session if it is still the version that was seen.
    DeleteVersion = "delete_version",
    /// Reads an app's token.
    AppToken = "app_token",
    /// Takes the lease under which an app's token is fetched.
    LeaseAppToken = "lease_app_token",
    /// Marks such a lease as one that brought no token.
    FailAppToken = "fail_app_token",
    /// Stores an app's token.
    PutAppToken = "put_app_token",
    /// Stores a client's request while somebody logs in.
    PutRequest = "put_request",
    /// Reads a client's request.
    Request = "request",
    /// Marks a client's request as sent on to a login.
    SendOnOnce = "send_on_once",
    /// Stores a grant with its code.
    PutGrant = "put_grant",
    /// Reads a grant.
    Grant = "grant",
    /// Redeems a grant's code.
    Redeem = "redeem",
    /// Saves a grant's new tokens.
    Renew = "renew",
    /// Ends a grant.
    RevokeGrant = "revoke_grant",
    /// Stores a ticket of the hand-off.
    PutTicket = "put_ticket",
    /// Reads a ticket.
    Ticket = "ticket",
    /// Notes that a phone has scanned a ticket.
    Scan = "scan",
    /// Gives a ticket to one waiting browser.
    Give = "give",
    /// Ends a ticket for which two browsers wait.
    EndTicket = "end_ticket",
    /// Ends a ticket that its phone does not approve.
    Refuse = "refuse",
    /// Ends a ticket that its phone has approved.
    TakeBack = "take_back",
    /// Approves a ticket.
    Approve = "approve",
    /// The transaction that picks a ticket up.
    PickUp = "pick_up",
    /// Describes a table.
    DescribeTable = "describe_table",
    /// Describes what a table forgets.
    DescribeTimeToLive = "describe_time_to_live",
}

impl Call {
    /// Reads a request.
    pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let target = text("x-amz-target");
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let authorization = text(header::AUTHORIZATION.as_str());
        let credential = authorization.split("Credential=").nth(1).unwrap_or_default();
        let request = serde_json::from_slice(body).unwrap_or(Value::Null);
        let items = items(&operation, &request);
        let attempt = text("amz-sdk-request").split("; ").find_map(|part| part.strip_prefix("attempt="));
        Self {
            function: credential.split('/').next().unwrap_or_default().to_owned(),
            kind: Kind::of(&operation, &items, &request),
            items,
            invocation: text("amz-sdk-invocation-id").to_owned(),
            attempt: attempt.and_then(|attempt| attempt.parse().ok()).unwrap_or_default(),
            token: request["ClientRequestToken"].as_str().map(str::to_owned),
            operation,
            request,
            arrived: 0,
            answered: None,
            fault: None,
            is_applied: false,
            is_abandoned: false,
            status: None,
            units: 0.0,
        }
    }

    /// Whether the call may change something.
    pub fn is_write(&self) -> bool {
        self.items.iter().any(|item| {
            !["GetItem", "Scan", "Query", "DescribeTable", "DescribeTimeToLive"].contains(&&*item.action)
        })
    }

    /// Whether it touches the item with this `id`.
    pub fn touches(&self, id: &str) -> bool {
        self.items.iter().any(|item| item.id.as_deref() == Some(id))
    }
}

impl fmt::Display for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { function, operation, kind, arrived, answered, fault, is_applied, status, .. } = self;
        write!(formatter, "{arrived} to {answered:?}: {function} {operation} ({kind}): {status:?}")?;
        if let Some(fault) = fault {
            write!(formatter, ", struck by {fault:?}")?;
        }
        formatter.write_str(if *is_applied { ", applied" } else { ", not applied" })
    }
}

impl Kind {
    /// Judged by the operation, by what kind of item each key is, and where that is not enough, by what
    /// is changed.
    fn of(operation: &str, items: &[Item], request: &Value) -> Self {
        let kind_of = |item: &Item| {
            let id = item.id.as_deref().unwrap_or_default();
            let kinds = [
                ("login#", "login"),
                ("handoff#", "login"),
                ("ticket#", "ticket"),
                ("code#", "code"),
                ("app-token#", "app token"),
                ("request#", "request"),
                ("grant#", "grant"),
            ];
            let kind = kinds.into_iter().find(|(prefix, _)| id.starts_with(prefix));
            kind.map_or("session", |(_, kind)| kind)
        };
        let has = |action: &str, kind: &str| {
            items.iter().any(|item| item.action == action && kind_of(item) == kind)
        };
        let changes = |part: &Value, attribute| {
            part["UpdateExpression"].as_str().is_some_and(|change| change.contains(attribute))
        };
        let counts_marks = || changes(&request["TransactItems"][0]["Update"], "spent_codes");
        match operation {
            "PutItem" if has("PutItem", "login") => Self::PutLogin,
            "PutItem" if has("PutItem", "ticket") => Self::PutTicket,
            "GetItem" if has("GetItem", "ticket") => Self::Ticket,
            "UpdateItem" if has("UpdateItem", "ticket") && changes(request, "scanned_by") => Self::Scan,
            "UpdateItem" if has("UpdateItem", "ticket") && changes(request, "given_to") => Self::Give,
            "UpdateItem" if has("UpdateItem", "ticket") && changes(request, "approved") => Self::Approve,
            "UpdateItem" if has("UpdateItem", "ticket") => {
                match request["ExpressionAttributeValues"][":end"]["S"].as_str() {
                    Some("taken_back") => Self::TakeBack,
                    Some("waited_for_by_two") => Self::EndTicket,
                    _ => Self::Refuse,
                }
            }
            "TransactWriteItems" if has("UpdateItem", "ticket") => Self::PickUp,
            "PutItem" if has("PutItem", "app token") => Self::PutAppToken,
            "PutItem" if has("PutItem", "request") => Self::PutRequest,
            "PutItem" if has("PutItem", "grant") => Self::PutGrant,
            "GetItem" if has("GetItem", "request") => Self::Request,
            "GetItem" if has("GetItem", "grant") => Self::Grant,
            "UpdateItem" if has("UpdateItem", "request") => Self::SendOnOnce,
            "UpdateItem" if has("UpdateItem", "grant") && changes(request, "revoked_at") => Self::RevokeGrant,
            "UpdateItem" if has("UpdateItem", "grant") && changes(request, "redeemed_at") => Self::Redeem,
            "UpdateItem" if has("UpdateItem", "grant") => Self::Renew,
            "GetItem" if has("GetItem", "login") => Self::Login,
            "GetItem" if has("GetItem", "code") => Self::CodeOutcome,
            "GetItem" if has("GetItem", "app token") => Self::AppToken,
            "GetItem" if has("GetItem", "session") => Self::Session,
            "UpdateItem" if has("UpdateItem", "code") => Self::FailCode,
            "UpdateItem" if has("UpdateItem", "app token") && changes(request, "failed_lease") => {
                Self::FailAppToken
            }
            "UpdateItem" if has("UpdateItem", "app token") => Self::LeaseAppToken,
            "UpdateItem" if has("UpdateItem", "session") && changes(request, "SET refused_at") => {
                Self::MarkRefused
            }
            "UpdateItem" if has("UpdateItem", "session") => Self::SaveSession,
            "DeleteItem" if has("DeleteItem", "session") && request["ConditionExpression"].is_string() => {
                Self::DeleteVersion
            }
            "DeleteItem" if has("DeleteItem", "session") => Self::DeleteSession,
            "DescribeTable" => Self::DescribeTable,
            "DescribeTimeToLive" => Self::DescribeTimeToLive,
            "TransactWriteItems" if has("PutItem", "session") => Self::Finish,
            "TransactWriteItems" if has("UpdateItem", "login") && has("PutItem", "code") => {
                if counts_marks() { Self::SpendCode } else { Self::Claim }
            }
            _ => Self::Other,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The items of a request. A transaction needs the action of each of its parts, and no other.
fn items(operation: &str, request: &Value) -> Vec<Item> {
    match operation {
        "TransactWriteItems" | "TransactGetItems" => {
            let parts = request["TransactItems"].as_array().into_iter().flatten();
            parts
                .flat_map(|part| part.as_object().into_iter().flatten())
                .map(|(name, part)| {
                    let action = if name == "ConditionCheck" {
                        "ConditionCheckItem".to_owned()
                    } else {
                        format!("{name}Item")
                    };
                    item(action, part)
                })
                .collect()
        }
        "BatchGetItem" | "BatchWriteItem" => {
            let tables = request["RequestItems"].as_object().into_iter().flatten();
            tables
                .map(|(table, _)| Item { action: operation.to_owned(), table: table.clone(), id: None })
                .collect()
        }
        _ if request["TableName"].is_string() => vec![item(operation.to_owned(), request)],
        _ => Vec::new(),
    }
}

fn item(action: String, part: &Value) -> Item {
    let id = [&part["Key"], &part["Item"]].into_iter().find_map(|key| key["id"]["S"].as_str());
    let table = part["TableName"].as_str().unwrap_or_default().to_owned();
    Item { action, table, id: id.map(str::to_owned) }
}
