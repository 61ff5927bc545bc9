//! Authorization requests that wait for a login.

use login::Sealed;
use login::time::Timestamp;
use openid_connect::pending::RequestKey;

use super::item::{Item, blob, bytes, moment, number, text};
use super::{Error, Logins, has_held};

impl Logins {
    /// Stores a request, once: nobody else has its handle.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`]. The browser must then not be sent to log in.
    pub async fn put_request(
        &self,
        key: &RequestKey,
        sealed: &Sealed,
        expires_at: Timestamp,
    ) -> Result<(), Error> {
        let item = Item::from([
            ("id".to_owned(), text(key.as_str())),
            ("sealed".to_owned(), bytes(sealed.as_bytes())),
            ("expires_at".to_owned(), number(expires_at.epoch_seconds())),
        ]);
        self.0.put_once(item).await
    }

    /// Reads a request, still sealed; `None` if there is none, or if it is over.
    ///
    /// # Errors
    ///
    /// [`Error`] if DynamoDB does not answer or refuses, or if the item cannot be read.
    pub async fn request(&self, key: &RequestKey, now: Timestamp) -> Result<Option<Sealed>, Error> {
        let Some(item) = self.0.get(key.as_str()).await? else { return Ok(None) };
        let is_over = moment(&item, "expires_at")? <= now;
        if is_over { Ok(None) } else { Ok(Some(Sealed::stored(blob(&item, "sealed")?.to_vec()))) }
    }

    /// Notes that the login of a request was sent on once more, which happens once; whether it is now.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`].
    pub async fn send_on_once(&self, key: &RequestKey) -> Result<bool, Error> {
        let update = self
            .0
            .client
            .update_item()
            .table_name(&self.0.name)
            .key("id", text(key.as_str()))
            .update_expression("SET sent_on = :one")
            .condition_expression("attribute_exists(id) AND attribute_not_exists(sent_on)")
            .expression_attribute_values(":one", number(1));
        has_held("UpdateItem", update.send().await)
    }
}
