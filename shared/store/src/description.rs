//! What a table is like, for whoever looks after a deployment: nothing of an item is read.

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::{KeyType, TimeToLiveStatus};

use super::{Error, TableName, client, unavailable};

/// What the functions rely on in a table: its key, and that DynamoDB removes what is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The attributes of the primary key, the partition key first, each with its type: `S`, `N` or `B`.
    pub key: Vec<(String, String)>,
    /// The attribute after whose time DynamoDB removes an item; `None` if it removes none.
    pub time_to_live: Option<String>,
}

impl Description {
    /// Whether the functions can work with it.
    #[must_use]
    pub fn has_the_key(&self) -> bool {
        self.key == [("id".to_owned(), "S".to_owned())]
    }

    /// Whether what is over is removed.
    #[must_use]
    pub fn forgets(&self) -> bool {
        self.time_to_live.as_deref() == Some("expires_at")
    }
}

/// Describes the table of this name, reached as `aws` says: `DescribeTable` and `DescribeTimeToLive`.
///
/// # Errors
///
/// [`Error`] if DynamoDB does not answer or refuses; a table that does not exist is `ResourceNotFoundException`.
pub async fn describe(aws: &SdkConfig, name: &TableName) -> Result<Description, Error> {
    let client = client(aws);
    let table = client.describe_table().table_name(name.as_str()).send().await;
    let table = table.map_err(|error| unavailable("DescribeTable", &error))?.table;
    let table = table.ok_or(Error::Corrupt("a description"))?;
    let kind_of = |attribute: &str| {
        let definitions = table.attribute_definitions().iter();
        let found = definitions.clone().find(|definition| definition.attribute_name() == attribute);
        found.map(|definition| definition.attribute_type().as_str().to_owned()).unwrap_or_default()
    };
    let mut elements: Vec<_> = table.key_schema().iter().collect();
    elements.sort_by_key(|element| *element.key_type() != KeyType::Hash);
    let named = |name: &str| (name.to_owned(), kind_of(name));
    let key = elements.into_iter().map(|element| named(element.attribute_name())).collect();
    let time_to_live = client.describe_time_to_live().table_name(name.as_str()).send().await;
    let time_to_live =
        time_to_live.map_err(|error| unavailable("DescribeTimeToLive", &error))?.time_to_live_description;
    let is_on =
        |status: &TimeToLiveStatus| matches!(status, TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling);
    let time_to_live = time_to_live.filter(|described| described.time_to_live_status().is_some_and(is_on));
    let time_to_live = time_to_live.and_then(|described| described.attribute_name);
    Ok(Description { key, time_to_live })
}
