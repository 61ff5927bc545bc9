//! `store` by itself, over the real SDK against the embedded DynamoDB: every outcome of every condition, one caller at
//! a time. The claim is in [`claim`], sessions are in [`sessions`], tickets in [`tickets`], and what goes over the wire
//! is in [`wire`].

mod app_token;
mod claim;
mod grants;
mod sessions;
mod tickets;
mod wire;

use std::{collections::BTreeMap, time::Duration};

use harness::{
    Failure, Result,
    binaries::workspace,
    database::{Database, attribute},
    template::Template,
};
use login::pending::{
    BrowserSecret, ClaimId, CodeId, LoginId, LoginRequest, PendingLogin, RequestedSwitches, State, Turn,
};
use login::return_to::StoredReturnTo;
use login::session::{SessionToken, StoredSession};
use login::time::Timestamp;
use login::{Digest, Sealed};
use serde_json::{Value, json};
use store::{Error, Store, TableName, Tables};
use tokio::net::TcpListener;
use wechat::{AppId, AuthorizationCode, Lang, Scope};

use crate::support::aws;

/// When everything here happens: conditions are given the time, they do not read it.
const NOW: Timestamp = Timestamp::from_epoch_seconds(1_800_000_000);
/// When the login that is stored ends.
const END: Timestamp = Timestamp::from_epoch_seconds(1_800_000_600);
/// The tables, by their names in the template.
const LOGINS: &str = "LoginsTable";
const SESSIONS: &str = "SessionsTable";

/// A store over its own tables.
struct Fixture {
    database: Database,
    tables: BTreeMap<String, String>,
    store: Store,
    /// What its attempts begin with. DynamoDB knows a client request token again for ten minutes, whichever table it
    /// was used with, so those of another test or of an earlier run are not used again.
    nonce: [u8; 15],
}

impl Fixture {
    async fn new() -> Result<Self> {
        let database = Database::in_memory().await?;
        let tables = database.create_tables(&Template::read(&workspace().join("template.yaml"))?)?;
        let store = Store::new(&aws(&database.url()).await, names(&tables)?);
        let nonce = std::array::from_fn(|_| fastrand::u8(..));
        Ok(Self { database, tables, store, nonce })
    }

    /// The same with a login of [`browser`]`(1)` under [`state`]`(1)`.
    async fn with_login() -> Result<Self> {
        let fixture = Self::new().await?;
        fixture.store.logins.put_login(&state(1).login_id(), &login(1)).await?;
        Ok(fixture)
    }

    /// One of this fixture's attempts; the same number is the same one.
    fn attempt(&self, number: u8) -> ClaimId {
        let mut bytes = [number; 16];
        bytes.iter_mut().zip(self.nonce).for_each(|(byte, own)| *byte = own);
        ClaimId::new(bytes)
    }

    /// An item as it is stored, or null.
    fn item(&self, table: &str, id: &str) -> Result<Value> {
        let items = self.database.items(self.table(table)?)?;
        Ok(items.into_iter().find(|item| attribute(item, "id") == id).unwrap_or_default())
    }

    /// The name of a table, which another DynamoDB may not have under the template's.
    fn table(&self, logical_id: &str) -> Result<&str> {
        let name = self.tables.get(logical_id).map(String::as_str);
        name.ok_or_else(|| Failure::new(format!("the template has no table {logical_id}")))
    }

    /// Writes an item past the store.
    fn put(&self, table: &str, item: &Value) -> Result<()> {
        self.database.put(self.table(table)?, item)
    }

    fn dump(&self) -> Result<Value> {
        Ok(serde_json::to_value(self.database.dump()?)?)
    }
}

/// The names of both tables, or such as are nowhere.
fn names(tables: &BTreeMap<String, String>) -> Result<Tables> {
    let name = |logical_id| {
        let name = tables.get(logical_id).map_or("nowhere", String::as_str);
        TableName::parse(name).ok_or_else(|| Failure::new(format!("no name of a table: {name}")))
    };
    Ok(Tables { logins: name(LOGINS)?, sessions: name(SESSIONS)? })
}

fn state(number: u8) -> State {
    State::new([number; 32])
}

fn browser(number: u8) -> Digest {
    browser_secret(number).digest()
}

fn code(text: &str) -> AuthorizationCode {
    AuthorizationCode::new(text.to_owned())
}

fn browser_secret(number: u8) -> BrowserSecret {
    BrowserSecret::new(NOW, [number; 32])
}

/// The token of the session that the first code of this login gives in the first browser.
fn token(number: u8) -> SessionToken {
    SessionToken::derive(&browser_secret(1), &state(number), &code("0a"))
}

/// A session of that login, new, with these bytes in place of a seal.
fn stored_session(sealed: &[u8], login: LoginId) -> StoredSession {
    StoredSession {
        sealed: Sealed::stored(sealed.to_vec()),
        login,
        created_at: NOW,
        refreshed_at: NOW,
        version: 1,
        refused_at: None,
        expires_at: END,
        pepper: None,
    }
}

/// A login that this browser began.
#[expect(clippy::expect_used, reason = "a constant")]
fn login(browser_number: u8) -> PendingLogin {
    PendingLogin {
        browser: browser(browser_number),
        app: AppId::parse("wx0000000000000aaa").expect("an appid"),
        scope: Scope::UserInfo,
        return_to: StoredReturnTo::stored("https://www.example.com/#/me".to_owned()),
        request: LoginRequest { lang: Some(Lang::ZhTw), ..LoginRequest::default() },
        turn: Turn::FIRST,
        expires_at: END,
    }
}

fn before(time: Timestamp) -> Timestamp {
    Timestamp::from_epoch_seconds(time.epoch_seconds() - 1)
}

#[tokio::test]
async fn a_login_is_read_back_as_it_was_stored() {
    let fixture = Fixture::new().await.unwrap();
    let turn = Turn { round: 2, waits: 3 };
    let plain = PendingLogin { request: LoginRequest::default(), scope: Scope::Base, turn, ..login(2) };
    let switches = RequestedSwitches { force_popup: true, force_snap_shot: true };
    let popup = PendingLogin { request: LoginRequest { switches, ..login(4).request }, ..login(4) };
    for (number, stored) in [(1, login(1)), (2, plain), (4, popup)] {
        let id = state(number).login_id();
        fixture.store.logins.put_login(&id, &stored).await.unwrap();
        assert_eq!(fixture.store.logins.login(&id).await.unwrap(), Some(stored));
    }
    assert_eq!(fixture.store.logins.login(&state(3).login_id()).await.unwrap(), None);
    // Seconds, as DynamoDB's own expiry wants them, and digests.
    let item = fixture.item(LOGINS, state(1).login_id().as_str()).unwrap();
    assert_eq!(item["expires_at"], json!({ "N": "1800000600" }));
    assert!(!item.to_string().contains(&state(1).expose()));
}

#[tokio::test]
async fn an_item_of_another_shape_is_an_error_and_no_panic() {
    let fixture = Fixture::with_login().await.unwrap();
    let id = state(1).login_id();
    let item = fixture.item(LOGINS, id.as_str()).unwrap();
    for name in ["browser", "app", "scope", "return_to", "attempt", "expires_at"] {
        for value in [None, Some(json!({ "BOOL": true })), Some(json!({ "S": "" }))] {
            let mut broken = item.clone();
            match value {
                Some(value) => broken[name] = value,
                None => drop(broken.as_object_mut().unwrap().remove(name)),
            }
            fixture.put(LOGINS, &broken).unwrap();
            let read = fixture.store.logins.login(&id).await;
            // An empty text is one all the same; what it means is judged where it is used.
            let is_text = matches!(name, "browser" | "return_to") && broken[name] == json!({ "S": "" });
            assert_eq!(read.is_ok(), is_text, "{name}: {read:?}");
            assert!(is_text || read == Err(Error::Corrupt(name)), "{name}: {read:?}");
        }
    }
}

#[tokio::test]
async fn a_table_that_is_away_is_an_error_that_names_no_item() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let store = Store::new(&aws(&format!("http://{closed}")).await, names(&BTreeMap::new()).unwrap());
    let id = state(1).login_id();
    let code = CodeId::of(&code("0canary"));
    let attempt = ClaimId::new([1; 16]);
    let claimed = store.logins.claim(&id, &code, &browser(1), &attempt, NOW).await.map(drop);
    for (answer, operation) in [
        (store.logins.put_login(&id, &login(1)).await, "PutItem"),
        (store.logins.login(&id).await.map(drop), "GetItem"),
        (claimed, "TransactWriteItems"),
        (store.logins.code_outcome(&code).await.map(drop), "GetItem"),
        (store.logins.fail_code(&code, &attempt, None).await, "UpdateItem"),
    ] {
        let error = answer.unwrap_err();
        let expected = Error::Unavailable { operation, code: "DispatchFailure".to_owned() };
        assert_eq!(error, expected);
        assert_eq!(error.to_string(), format!("{operation} failed: DispatchFailure"));
    }
}

/// A table that answers too late is given up within the two seconds that an operation may take.
#[tokio::test]
async fn a_table_that_does_not_answer_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let store = Store::new(&aws(&url).await, names(&BTreeMap::new()).unwrap());
    let answer = tokio::time::timeout(Duration::from_secs(5), store.logins.login(&state(1).login_id())).await;
    let error = answer.map_err(Failure::from).unwrap().unwrap_err();
    assert_eq!(error, Error::Unavailable { operation: "GetItem", code: "Timeout".to_owned() });
}

#[tokio::test]
async fn a_table_that_is_missing_is_an_error() {
    let database = Database::in_memory().await.unwrap();
    let store = Store::new(&aws(&database.url()).await, names(&BTreeMap::new()).unwrap());
    let error = store.logins.put_login(&state(1).login_id(), &login(1)).await.unwrap_err();
    assert_eq!(error.to_string(), "PutItem failed: ResourceNotFoundException");
}
