//! The tables: are they there, and do they forget.

use aws_config::SdkConfig;
use store::{Error, TableName, describe};

use crate::finding::{Finding, Found};

/// What DynamoDB says of a table; `subject` is the setting that names it.
pub(crate) async fn table(aws: &SdkConfig, subject: &str, name: &TableName) -> Vec<Found> {
    let (described, name) = (describe(aws, name).await, name.as_str());
    let found = match described {
        Err(Error::Unavailable { code, .. }) if code == "ResourceNotFoundException" => {
            vec![Finding::TableMissing.of(name)]
        }
        Err(Error::Unavailable { code, .. }) => vec![Finding::TableUnseen.of(name).with(code)],
        Err(error) => vec![Finding::TableUnseen.of(name).with(error)],
        Ok(table) => {
            let mut found = Vec::new();
            if !table.has_the_key() {
                let key: Vec<_> = table.key.iter().map(|(name, kind)| format!("{name} ({kind})")).collect();
                found.push(Finding::TableMisshapen.of(name).with(key.join(", ")));
            }
            if !table.forgets() {
                found.push(Finding::TableKeepsEverything.of(name));
            }
            if found.is_empty() {
                found.push(Finding::TableRight.of(name));
            }
            found
        }
    };
    found
        .into_iter()
        .map(|found| Found { subject: format!("{subject} {}", found.subject), ..found })
        .collect()
}
