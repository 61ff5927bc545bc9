//! Tokens of apps, which all processes share, and the lease under which one of them fetches the next.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};

use super::item::{moment, number, text};
use super::{Error, Sessions, unavailable};
use login::Sealed;
use login::app_token::{AppTokenId, LEASE, StoredAppToken};
use login::time::Timestamp;

/// What asking for the lease on an app's token came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lease {
    /// This process, and no other, may fetch the token.
    Ours,
    /// Another process has it, or has stored another token than the one that was seen.
    HeldElsewhere,
    /// Another process had it, and failed: there will be no token until the lease is over.
    FailedElsewhere,
}

impl Sessions {
    /// Reads an app's token; `None` if none was ever stored.
    ///
    /// # Errors
    ///
    /// [`Error`] if DynamoDB does not answer or refuses, or if an item cannot be read.
    pub async fn app_token(&self, id: &AppTokenId) -> Result<Option<StoredAppToken>, Error> {
        let Some(item) = self.0.get(id.as_str()).await? else { return Ok(None) };
        let Some(sealed) = item.get("sealed").and_then(|sealed| sealed.as_b().ok()) else { return Ok(None) };
        Ok(Some(StoredAppToken {
            sealed: Sealed::stored(sealed.as_ref().to_vec()),
            expires_at: moment(&item, "expires_at")?,
        }))
    }

    /// Takes the lease under which an app's token is fetched.
    ///
    /// # Errors
    ///
    /// [`Error`] if DynamoDB does not answer or refuses, or if an item cannot be read.
    pub async fn lease_app_token(
        &self,
        id: &AppTokenId,
        seen: Option<&StoredAppToken>,
        now: Timestamp,
    ) -> Result<Lease, Error> {
        let is_as_seen = if seen.is_some() { "sealed = :seen" } else { "attribute_not_exists(sealed)" };
        let mut update = self
            .0
            .client
            .update_item()
            .table_name(&self.0.name)
            .key("id", text(id.as_str()))
            // A lease alone must not be kept for ever either.
            .update_expression("SET lease = :until, expires_at = if_not_exists(expires_at, :until)")
            .condition_expression(format!("{is_as_seen} AND (attribute_not_exists(lease) OR lease <= :now)"))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .expression_attribute_values(":until", number(now.plus(LEASE).epoch_seconds()))
            .expression_attribute_values(":now", number(now.epoch_seconds()));
        if let Some(seen) = seen {
            let sealed = AttributeValue::B(Blob::new(seen.sealed.as_bytes()));
            update = update.expression_attribute_values(":seen", sealed);
        }
        let Err(error) = update.send().await else { return Ok(Lease::Ours) };
        let Some(UpdateItemError::ConditionalCheckFailedException(refused)) = error.as_service_error() else {
            return Err(unavailable("UpdateItem", &error));
        };
        let has_failed = refused.item().is_some_and(|item| {
            item.get("lease").is_some_and(|lease| item.get("failed_lease") == Some(lease))
        });
        Ok(if has_failed { Lease::FailedElsewhere } else { Lease::HeldElsewhere })
    }

    /// Records that the lease taken at `now` brought no token, so that nobody waits for it until it ends.
    ///
    /// # Errors
    ///
    /// [`Error`]; others then wait in vain, and nothing else changes.
    pub async fn fail_app_token(&self, id: &AppTokenId, now: Timestamp) -> Result<(), Error> {
        self.0
            .client
            .update_item()
            .table_name(&self.0.name)
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
    /// [`Error`] if DynamoDB does not answer or refuses, or if an item cannot be read.
    pub async fn put_app_token(&self, id: &AppTokenId, token: &StoredAppToken) -> Result<(), Error> {
        self.0
            .client
            .put_item()
            .table_name(&self.0.name)
            .item("id", text(id.as_str()))
            .item("sealed", AttributeValue::B(Blob::new(token.sealed.as_bytes())))
            .item("expires_at", number(token.expires_at.epoch_seconds()))
            .send()
            .await
            .map(drop)
            .map_err(|error| unavailable("PutItem", &error))
    }
}
