//! Sessions: read, saved over the version that was read, ended.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;

use super::item::{number, session_from_item, text};
use super::{Error, Sessions, has_held, past_conflicts, unavailable};
use login::Sealed;
use login::session::{Session, SessionId, SessionToken, StoredSession};
use login::time::Timestamp;

/// What saving a changed session came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// The change is stored.
    Now,
    /// Somebody else changed or ended the session first; nothing was stored.
    Outdated,
}

impl Sessions {
    /// Reads a session that stands; `None` if there is none, if it is over, or if WeChat has said that the person's
    /// grant is gone.
    ///
    /// # Errors
    ///
    /// [`Error`] if DynamoDB does not answer or refuses, or if an item cannot be read.
    pub async fn session(&self, id: &SessionId, now: Timestamp) -> Result<Option<StoredSession>, Error> {
        let session = self.session_even_refused(id, now).await?;
        Ok(session.filter(|session| session.refused_at.is_none()))
    }

    /// Reads the session that a browser's cookie names, and opens it; `None` if it does not stand, or if it is sealed
    /// with another token.
    ///
    /// # Errors
    ///
    /// As [`session`](Self::session).
    pub async fn open(
        &self,
        token: &SessionToken,
        now: Timestamp,
    ) -> Result<Option<(StoredSession, Session)>, Error> {
        let stored = self.session(&token.session_id(), now).await?;
        Ok(stored.and_then(|stored| opened(stored, token)))
    }

    /// The same, with a session of which WeChat has said that the grant is gone (`refused_at`): for whoever brings it
    /// up to date, or deletes it.
    ///
    /// # Errors
    ///
    /// As [`session`](Self::session).
    pub async fn open_even_refused(
        &self,
        token: &SessionToken,
        now: Timestamp,
    ) -> Result<Option<(StoredSession, Session)>, Error> {
        let stored = self.session_even_refused(&token.session_id(), now).await?;
        Ok(stored.and_then(|stored| opened(stored, token)))
    }

    async fn session_even_refused(
        &self,
        id: &SessionId,
        now: Timestamp,
    ) -> Result<Option<StoredSession>, Error> {
        let item = self.0.get(id.as_str()).await?;
        let session = item.as_ref().map(session_from_item).transpose()?;
        Ok(session.filter(|session| session.expires_at > now))
    }

    /// Saves a changed seal over the version it was made from.
    ///
    /// # Errors
    ///
    /// [`Error`] if DynamoDB does not answer or refuses, or if an item cannot be read.
    pub async fn save_session(
        &self,
        id: &SessionId,
        sealed: &Sealed,
        version: u64,
        now: Timestamp,
    ) -> Result<Saved, Error> {
        let update = self
            .0
            .client
            .update_item()
            .table_name(&self.0.name)
            .key("id", text(id.as_str()))
            .update_expression("SET sealed = :sealed, refreshed_at = :now, version = :next REMOVE refused_at")
            .condition_expression("version = :version AND expires_at > :now")
            .expression_attribute_values(":sealed", AttributeValue::B(Blob::new(sealed.as_bytes())))
            .expression_attribute_values(":now", number(now.epoch_seconds()))
            .expression_attribute_values(":version", number(version))
            .expression_attribute_values(":next", number(version + 1));
        saved(update).await
    }

    /// Notes that WeChat says that the person's grant is gone, once, over the version that was asked about. The version
    /// stays: a slower request that was given new tokens for it meanwhile knows better, and its save takes the note
    /// away.
    ///
    /// # Errors
    ///
    /// [`Error`] if DynamoDB does not answer or refuses.
    pub async fn mark_refused(&self, id: &SessionId, version: u64, now: Timestamp) -> Result<Saved, Error> {
        let update = self
            .0
            .client
            .update_item()
            .table_name(&self.0.name)
            .key("id", text(id.as_str()))
            .update_expression("SET refused_at = :now")
            .condition_expression(
                "version = :version AND expires_at > :now AND attribute_not_exists(refused_at)",
            )
            .expression_attribute_values(":now", number(now.epoch_seconds()))
            .expression_attribute_values(":version", number(version));
        saved(update).await
    }

    /// Deletes a session if it is still the version that was read.
    ///
    /// # Errors
    ///
    /// [`Error`] if DynamoDB does not answer or refuses.
    pub async fn delete_version(&self, id: &SessionId, version: u64) -> Result<(), Error> {
        let delete = self
            .0
            .client
            .delete_item()
            .table_name(&self.0.name)
            .key("id", text(id.as_str()))
            .condition_expression("version = :version")
            .expression_attribute_values(":version", number(version));
        has_held("DeleteItem", past_conflicts(|| delete.clone().send()).await).map(drop)
    }

    /// Ends the session that a browser's cookie names. To name none, or one that is gone, is no error.
    ///
    /// # Errors
    ///
    /// [`Error`] if DynamoDB does not answer or refuses, or if an item cannot be read.
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
    /// [`Error`] if DynamoDB does not answer or refuses, or if an item cannot be read.
    pub async fn delete_session(&self, id: &SessionId) -> Result<(), Error> {
        let delete = self.0.client.delete_item().table_name(&self.0.name).key("id", text(id.as_str()));
        past_conflicts(|| delete.clone().send())
            .await
            .map(drop)
            .map_err(|error| unavailable("DeleteItem", &error))
    }
}

fn opened(stored: StoredSession, token: &SessionToken) -> Option<(StoredSession, Session)> {
    Session::unseal(token, &stored.sealed).map(|session| (stored, session))
}

/// Sends a change of a session that holds for one version of it only.
async fn saved(update: UpdateItemFluentBuilder) -> Result<Saved, Error> {
    let is_now = has_held("UpdateItem", past_conflicts(|| update.clone().send()).await)?;
    Ok(if is_now { Saved::Now } else { Saved::Outdated })
}
