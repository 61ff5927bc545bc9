//! DynamoDB on this machine: dynoxide as a library, behind its real HTTP protocol.
//!
//! The tables are made from `template.yaml`, so that a key or a TTL attribute cannot differ from
//! the deployed one. [`Database::dump`] reads past the protocol and past the product: it is the
//! oracle of what was really stored.
//!
//! An emulator is only as good as its likeness. With `DYNAMODB_ENDPOINT` in the environment everything
//! that would be kept in memory is kept there instead, in tables of its own which are deleted at the
//! end, so that every test can be held against a second implementation (`make test-dynamodb`).

mod remote;

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot};

use crate::{
    Failure, Result,
    binaries::variable,
    lock,
    template::{Table, Template},
    time,
};
use remote::Remote;

/// How long a table may take to be there, and the pauses between two looks.
const MOST_LOOKS: u32 = 600;
const LOOK: Duration = Duration::from_millis(100);
/// How many copies of an item are written in one transaction.
const COPIES_AT_ONCE: usize = 20_000;

/// A DynamoDB with the tables of one login service; an embedded one stops when it is dropped, and one
/// somewhere else is left as it was.
pub struct Database(Place);

enum Place {
    /// In this process.
    Embedded { engine: dynoxide::Database, address: SocketAddr, _stop: oneshot::Sender<()> },
    /// Behind an endpoint, with the names of the tables made there.
    Remote { remote: Remote, suffix: String, names: Mutex<Vec<String>> },
}

impl Database {
    /// A database that lives as long as this value: on a free port, or at the endpoint that the
    /// environment variable `DYNAMODB_ENDPOINT` names.
    pub async fn in_memory() -> Result<Self> {
        if let Some(endpoint) = variable("DYNAMODB_ENDPOINT") {
            return Self::at(&endpoint.to_string_lossy());
        }
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        Self::serve(dynoxide::Database::memory()?, listener)
    }

    /// A database kept in a file, behind a port that is open already.
    pub fn in_file(path: &Path, listener: TcpListener) -> Result<Self> {
        let name = path.to_str().ok_or_else(|| Failure::new(format!("{} is not UTF-8", path.display())))?;
        let engine =
            dynoxide::Database::new(name).map_err(|error| Failure::from(error).during(path.display()))?;
        Self::serve(engine, listener)
    }

    fn serve(engine: dynoxide::Database, listener: TcpListener) -> Result<Self> {
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(dynoxide::server::serve_with_shutdown(listener, engine.clone(), async move {
            // Resolves when the sender is dropped, which is the signal.
            let _ = stopped.await;
        }));
        Ok(Self(Place::Embedded { engine, address, _stop: stop }))
    }

    /// Tables of its own at an endpoint, whoever else uses it.
    fn at(endpoint: &str) -> Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::SeqCst);
        let suffix = format!("test-{:x}-{:x}-{count:x}", time::now_seconds(), std::process::id());
        Ok(Self(Place::Remote { remote: Remote::new(endpoint)?, suffix, names: Mutex::default() }))
    }

    /// What `AWS_ENDPOINT_URL_DYNAMODB` is to be set to.
    pub fn url(&self) -> String {
        match &self.0 {
            Place::Embedded { address, .. } => format!("http://{address}"),
            Place::Remote { remote, .. } => remote.url(),
        }
    }

    /// Creates every table of the template that is not there yet, and maps logical ids to names.
    pub fn create_tables(&self, template: &Template) -> Result<BTreeMap<String, String>> {
        let existing = self.table_names()?;
        let mut names = BTreeMap::new();
        for table in template.tables() {
            let name = match &self.0 {
                Place::Embedded { .. } => table.logical_id.clone(),
                Place::Remote { suffix, .. } => format!("{}-{suffix}", table.logical_id),
            };
            if existing.contains(&name) {
                self.compare(&name, &table)?;
            } else {
                self.create(&name, &table).map_err(|failure| failure.during(format!("creating {name}")))?;
            }
            names.insert(table.logical_id, name);
        }
        Ok(names)
    }

    /// Creates another table than the template's: with this attribute as its key, and another one by which it forgets.
    pub fn make_table(&self, name: &str, key: &str, time_to_live: Option<&str>) -> Result<()> {
        let definition = json!({
            "KeySchema": [{ "AttributeName": key, "KeyType": "HASH" }],
            "AttributeDefinitions": [{ "AttributeName": key, "AttributeType": "S" }],
            "BillingMode": "PAY_PER_REQUEST",
        });
        let time_to_live = time_to_live.map(str::to_owned);
        self.create(name, &Table { logical_id: name.to_owned(), definition, time_to_live })
    }

    fn create(&self, name: &str, table: &Table) -> Result<()> {
        let mut definition = table.definition.clone();
        definition["TableName"] = name.into();
        let created = self.call("CreateTable", definition)?;
        if let Place::Remote { names, .. } = &self.0 {
            lock(names).push(name.to_owned());
            self.wait_for(name, &created["TableDescription"])?;
        }
        if let Some(attribute) = &table.time_to_live {
            let specification = json!({ "AttributeName": attribute, "Enabled": true });
            let request = json!({ "TableName": name, "TimeToLiveSpecification": specification });
            self.call("UpdateTimeToLive", request)?;
        }
        Ok(())
    }

    /// Waits until a table can be used; most implementations make it so at once.
    fn wait_for(&self, name: &str, created: &Value) -> Result<()> {
        let mut table = created.clone();
        for _ in 0..MOST_LOOKS {
            if table["TableStatus"] == "ACTIVE" {
                return Ok(());
            }
            std::thread::sleep(LOOK);
            table = self.call("DescribeTable", json!({ "TableName": name }))?["Table"].take();
        }
        Err(Failure::new(format!("table {name} does not become active: {table}")))
    }

    /// Holds a table that is there against the template's.
    fn compare(&self, name: &str, table: &Table) -> Result<()> {
        let differs = |how: String| {
            Err(Failure::new(format!("table {name} {how}; delete the database file to start afresh")))
        };
        let described = self.call("DescribeTable", json!({ "TableName": name }))?;
        let (key, wanted) = (&described["Table"]["KeySchema"], &table.definition["KeySchema"]);
        if key != wanted {
            return differs(format!("has the key {key}, but the template says {wanted}"));
        }
        let described = self.call("DescribeTimeToLive", json!({ "TableName": name }))?;
        let attribute = described["TimeToLiveDescription"]["AttributeName"].as_str();
        let wanted = table.time_to_live.as_deref();
        if attribute != wanted {
            return differs(format!("expires by {attribute:?}, but the template says {wanted:?}"));
        }
        Ok(())
    }

    /// From now on nothing is removed by itself that is past its time, in a DynamoDB that would.
    pub fn keep_what_is_over(&self) -> Result<()> {
        let specification = json!({ "AttributeName": "expires_at", "Enabled": false });
        for name in self.table_names()? {
            let request = json!({ "TableName": name, "TimeToLiveSpecification": specification });
            self.call("UpdateTimeToLive", request)?;
        }
        Ok(())
    }

    /// Every item of every table, in DynamoDB's JSON, by table name; ordered by key.
    pub fn dump(&self) -> Result<BTreeMap<String, Vec<Value>>> {
        self.table_names()?.into_iter().map(|name| Ok((name.clone(), self.items(&name)?))).collect()
    }

    /// Every item of one table, in DynamoDB's JSON, ordered by its text.
    pub fn items(&self, table: &str) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut start = Value::Null;
        loop {
            let mut page = json!({ "TableName": table, "ConsistentRead": true });
            if !start.is_null() {
                page["ExclusiveStartKey"] = start;
            }
            let mut answer = self.call("Scan", page)?;
            if let Value::Array(found) = answer["Items"].take() {
                items.extend(found);
            }
            start = answer["LastEvaluatedKey"].take();
            if start.is_null() {
                break;
            }
        }
        items.sort_by_cached_key(|item| item["id"].to_string());
        Ok(items)
    }

    /// Writes an item past the product, in DynamoDB's JSON: how a test sets a scene.
    pub fn put(&self, table: &str, item: &Value) -> Result<()> {
        self.call("PutItem", json!({ "TableName": table, "Item": item })).map(drop)
    }

    /// Removes an item past the product, by its `id`.
    pub fn delete(&self, table: &str, id: &str) -> Result<()> {
        self.call("DeleteItem", json!({ "TableName": table, "Key": { "id": { "S": id } } })).map(drop)
    }

    /// Writes copies of an item under these ids, past the product and past DynamoDB's protocol: how a test sets a large
    /// scene. Only in a database of this process.
    pub fn copy(&self, table: &str, item: &Value, ids: impl IntoIterator<Item = String>) -> Result<()> {
        let Place::Embedded { engine, .. } = &self.0 else {
            return Err(Failure::new("only an embedded database can be filled"));
        };
        let item: HashMap<String, dynoxide::AttributeValue> = request(item.clone())?;
        let mut ids = ids.into_iter();
        loop {
            let chunk = ids.by_ref().take(COPIES_AT_ONCE).map(|id| {
                let mut copy = item.clone();
                copy.insert("id".to_owned(), dynoxide::AttributeValue::S(id));
                copy
            });
            let chunk: Vec<_> = chunk.collect();
            if chunk.is_empty() {
                return Ok(());
            }
            engine.import_items(table, chunk, dynoxide::ImportOptions::default())?;
        }
    }

    fn table_names(&self) -> Result<Vec<String>> {
        match &self.0 {
            Place::Embedded { .. } => {
                Ok(serde_json::from_value(self.call("ListTables", json!({}))?["TableNames"].take())?)
            }
            Place::Remote { names, .. } => Ok(lock(names).clone()),
        }
    }

    /// One operation in DynamoDB's own JSON.
    fn call(&self, operation: &'static str, body: Value) -> Result<Value> {
        let engine = match &self.0 {
            Place::Embedded { engine, .. } => engine,
            Place::Remote { remote, .. } => return remote.call(operation, &body),
        };
        match operation {
            "CreateTable" => answer(&engine.create_table(request(body)?)?),
            "UpdateTimeToLive" => answer(&engine.update_time_to_live(request(body)?)?),
            "DescribeTable" => answer(&engine.describe_table(request(body)?)?),
            "DescribeTimeToLive" => answer(&engine.describe_time_to_live(request(body)?)?),
            "ListTables" => answer(&engine.list_tables(request(body)?)?),
            "Scan" => answer(&engine.scan(request(body)?)?),
            "PutItem" => answer(&engine.put_item(request(body)?)?),
            "DeleteItem" => answer(&engine.delete_item(request(body)?)?),
            _ => Err(Failure::new(format!("the harness does not know {operation}"))),
        }
    }
}

impl Drop for Database {
    /// Leaves an endpoint as it was. A table that cannot be deleted is for whoever owns the endpoint.
    fn drop(&mut self) {
        if let Place::Remote { remote, names, .. } = &self.0 {
            for name in lock(names).iter() {
                let _ = remote.call("DeleteTable", &json!({ "TableName": name }));
            }
        }
    }
}

/// The text of an attribute of an item, whatever its type.
pub fn attribute<'a>(item: &'a Value, name: &str) -> &'a str {
    let value = item.get(name).and_then(Value::as_object).and_then(|value| value.values().next());
    value.and_then(Value::as_str).unwrap_or_default()
}

/// The number of an attribute of an item.
pub fn number(item: &Value, name: &str) -> Result<u64> {
    let text = attribute(item, name);
    text.parse().map_err(|error| Failure::from(error).during(format!("{name} is {text:?}")))
}

/// What DynamoDB counts for an item, in bytes: names and values, a number by its digits. Maps and lists are not looked
/// into.
pub fn size_of(item: &Value) -> usize {
    let attributes = item.as_object().into_iter().flatten();
    attributes
        .map(|(name, value)| {
            let text = |kind: &str| value[kind].as_str();
            let number = text("N").map(|digits| digits.len().div_ceil(2) + 1);
            let bytes = text("B").map(|encoded| STANDARD.decode(encoded).map_or(0, |bytes| bytes.len()));
            name.len() + text("S").map(str::len).or(number).or(bytes).unwrap_or_default()
        })
        .sum()
}

/// The item with another value of one attribute.
pub fn with(mut item: Value, name: &str, value: Value) -> Value {
    if let Some(attributes) = item.as_object_mut() {
        attributes.insert(name.to_owned(), value);
    }
    item
}

/// A request of the engine.
fn request<T: DeserializeOwned>(body: Value) -> Result<T> {
    Ok(serde_json::from_value(body)?)
}

/// An answer of the engine.
fn answer(answer: &impl Serialize) -> Result<Value> {
    Ok(serde_json::to_value(answer)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(key: &str) -> Template {
        Template::parse(&format!(
            "Resources:
  LoginsTable:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{{ AttributeName: {key}, AttributeType: S }}]
      KeySchema: [{{ AttributeName: {key}, KeyType: HASH }}]
      TimeToLiveSpecification: {{ AttributeName: expires_at, Enabled: true }}"
        ))
        .unwrap()
    }

    #[tokio::test]
    async fn makes_the_tables_of_the_template_and_dumps_them() {
        let database = Database::in_memory().await.unwrap();
        let names = database.create_tables(&template("id")).unwrap();
        assert_eq!(names["LoginsTable"], "LoginsTable");
        for id in ["b", "a"] {
            database.put("LoginsTable", &json!({ "id": { "S": id }, "expires_at": { "N": "1" } })).unwrap();
        }
        database.delete("LoginsTable", "c").unwrap();
        assert_eq!(
            serde_json::to_value(database.dump().unwrap()).unwrap(),
            json!({ "LoginsTable": [
                { "id": { "S": "a" }, "expires_at": { "N": "1" } },
                { "id": { "S": "b" }, "expires_at": { "N": "1" } },
            ]})
        );
    }

    #[tokio::test]
    async fn keeps_a_file_and_says_when_it_no_longer_fits() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("kept.db");
        let open = async || {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            Database::in_file(&file, listener).unwrap()
        };
        let database = open().await;
        database.create_tables(&template("id")).unwrap();
        database.put("LoginsTable", &json!({ "id": { "S": "a" } })).unwrap();
        drop(database);

        let database = open().await;
        database.create_tables(&template("id")).unwrap();
        assert_eq!(database.items("LoginsTable").unwrap().len(), 1);
        let failure = database.create_tables(&template("key")).unwrap_err();
        assert!(failure.to_string().contains("delete the database file"), "{failure}");
    }

    /// A second one, seen from outside; it blocks, so who answers has a thread of its own.
    #[tokio::test(flavor = "multi_thread")]
    async fn shares_an_endpoint_and_leaves_it_as_it_was() {
        let endpoint = Database::in_memory().await.unwrap();
        let (one, other) = (Database::at(&endpoint.url()).unwrap(), Database::at(&endpoint.url()).unwrap());
        let name = one.create_tables(&template("id")).unwrap()["LoginsTable"].clone();
        let elsewhere = other.create_tables(&template("id")).unwrap()["LoginsTable"].clone();
        assert_ne!(name, elsewhere);
        // Over what one page of a scan holds.
        let long = json!({ "S": "x".repeat(300_000) });
        for id in ["d", "c", "b", "a", "e"] {
            one.put(&name, &json!({ "id": { "S": id }, "long": long })).unwrap();
        }
        one.delete(&name, "e").unwrap();
        let items = one.items(&name).unwrap();
        let ids: Vec<_> = items.iter().filter_map(|item| item["id"]["S"].as_str()).collect();
        assert_eq!(ids, ["a", "b", "c", "d"]);
        assert_eq!(items, endpoint.items(&name).unwrap());
        assert_eq!(one.create_tables(&template("id")).unwrap()["LoginsTable"], name);
        assert_eq!(one.dump().unwrap().len(), 1);
        assert_eq!(other.dump().unwrap(), BTreeMap::from([(elsewhere.clone(), Vec::new())]));
        let failure = other.items("missing").unwrap_err().to_string();
        assert!(failure.contains("ResourceNotFoundException"), "{failure}");
        drop(one);
        assert_eq!(endpoint.table_names().unwrap(), [elsewhere]);
    }

    #[tokio::test]
    async fn answers_over_http() {
        let database = Database::in_memory().await.unwrap();
        let browser = crate::Browser::new().unwrap();
        let answer = browser.get(&database.url()).await.unwrap();
        assert_eq!(answer.status, 200);
    }
}
