//! DynamoDB on this machine: dynoxide as a library, behind its real HTTP protocol.
//!
//! The tables are made from `template.yaml`, so that a key or a TTL attribute cannot differ from
//! the deployed one. [`Database::dump`] reads past the protocol and past the product: it is the
//! oracle of what was really stored.

use std::{collections::BTreeMap, net::SocketAddr, path::Path};

use dynoxide::{actions::list_tables::ListTablesRequest, errors::DynoxideError};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot};

use crate::{
    Failure, Result,
    template::{Table, Template},
};

/// An embedded DynamoDB; the server stops when it is dropped.
pub struct Database {
    engine: dynoxide::Database,
    address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

impl Database {
    /// A database that lives as long as this value, on a free port.
    ///
    /// # Errors
    ///
    /// When no port can be opened.
    pub async fn in_memory() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        Self::serve(dynoxide::Database::memory()?, listener)
    }

    /// A database kept in a file, behind a port that is open already.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened or is no database.
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
        Ok(Self { engine, address, _stop: stop })
    }

    /// What `AWS_ENDPOINT_URL_DYNAMODB` is to be set to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Creates every table of the template that is not there yet, and maps logical ids to names.
    ///
    /// # Errors
    ///
    /// When a table is refused, or is there already with another key.
    pub fn create_tables(&self, template: &Template) -> Result<BTreeMap<String, String>> {
        let existing = self.table_names()?;
        let mut names = BTreeMap::new();
        for table in template.tables() {
            let name = table.logical_id.clone();
            if existing.contains(&name) {
                self.compare(&table)?;
            } else {
                self.create(&table).map_err(|failure| failure.during(format!("creating {name}")))?;
            }
            names.insert(table.logical_id, name);
        }
        Ok(names)
    }

    fn create(&self, table: &Table) -> Result<()> {
        self.engine.create_table(request(table.definition.clone())?)?;
        if let Some(attribute) = &table.time_to_live {
            self.engine.update_time_to_live(request(json!({
                "TableName": table.logical_id,
                "TimeToLiveSpecification": { "AttributeName": attribute, "Enabled": true },
            }))?)?;
        }
        Ok(())
    }

    /// Holds a table that is there against the template's.
    fn compare(&self, table: &Table) -> Result<()> {
        let name = &table.logical_id;
        let described = self.engine.describe_table(request(json!({ "TableName": name }))?)?;
        let key = serde_json::to_value(described.table.key_schema)?;
        let wanted = &table.definition["KeySchema"];
        if key != *wanted {
            return Err(Failure::new(format!(
                "table {name} has the key {key}, but the template says {wanted}; \
                 delete the database file to start afresh"
            )));
        }
        let attribute = self
            .engine
            .describe_time_to_live(request(json!({ "TableName": name }))?)?
            .time_to_live_description
            .attribute_name;
        if attribute != table.time_to_live {
            return Err(Failure::new(format!(
                "table {name} expires by {attribute:?}, but the template says {:?}; \
                 delete the database file to start afresh",
                table.time_to_live
            )));
        }
        Ok(())
    }

    /// Every item of every table, in DynamoDB's JSON, by table name; ordered by key.
    ///
    /// # Errors
    ///
    /// When the engine cannot read.
    pub fn dump(&self) -> Result<BTreeMap<String, Vec<Value>>> {
        self.table_names()?.into_iter().map(|name| Ok((name.clone(), self.items(&name)?))).collect()
    }

    /// Every item of one table, in DynamoDB's JSON, ordered by its text.
    ///
    /// # Errors
    ///
    /// When there is no such table.
    pub fn items(&self, table: &str) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut start = Value::Null;
        loop {
            let mut page = json!({ "TableName": table });
            if !start.is_null() {
                page["ExclusiveStartKey"] = start;
            }
            let answer = self.engine.scan(request(page)?)?;
            for item in answer.items.into_iter().flatten() {
                items.push(serde_json::to_value(item)?);
            }
            match answer.last_evaluated_key {
                Some(key) => start = serde_json::to_value(key)?,
                None => break,
            }
        }
        items.sort_by_cached_key(|item| item["id"].to_string());
        Ok(items)
    }

    /// Writes an item past the product, in DynamoDB's JSON: how a test sets a scene.
    ///
    /// # Errors
    ///
    /// When the item does not suit the table.
    pub fn put(&self, table: &str, item: &Value) -> Result<()> {
        self.engine.put_item(request(json!({ "TableName": table, "Item": item }))?)?;
        Ok(())
    }

    /// Removes an item past the product, by its `id`.
    ///
    /// # Errors
    ///
    /// When there is no such table.
    pub fn delete(&self, table: &str, id: &str) -> Result<()> {
        self.engine.delete_item(request(json!({ "TableName": table, "Key": { "id": { "S": id } } }))?)?;
        Ok(())
    }

    fn table_names(&self) -> Result<Vec<String>, DynoxideError> {
        let listed = self.engine.list_tables(ListTablesRequest::default())?;
        Ok(listed.table_names)
    }
}

/// A request of the engine from DynamoDB's own JSON.
fn request<T: DeserializeOwned>(body: Value) -> Result<T> {
    Ok(serde_json::from_value(body)?)
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

    #[tokio::test]
    async fn answers_over_http() {
        let database = Database::in_memory().await.unwrap();
        let browser = crate::Browser::new().unwrap();
        let answer = browser.get(&database.url()).await.unwrap();
        assert_eq!(answer.status, 200);
    }
}
