//! Grants: issued with a code, redeemed once, revoked.
//!
//! Whether a code was redeemed before is decided by *one* conditional write:
//!
//! ```text
//!   token A                          DynamoDB                          token B (the same code)
//!       │ reads grant and session       │                                   │ reads the same
//!       │ signs                         │                                   │ signs
//!       │  UpdateItem: redeemed_at, if there is none, not revoked,          │
//!       │              not over, this client's, this code's                 │
//!       ├──────────────────────────────►│◄──────────────────────────────────┤
//!       │  ok: sends the tokens         │  failed: redeemed by A            │
//!       │◄──────────────────────────────┤──────────────────────────────────►│ revokes the grant
//! ```
//!
//! *Sign first, claim last*: a signature is worth nothing before it is sent, so who dies while signing has spent
//! nothing. That is the opposite of the claim of WeChat's code (`claim.rs`), where it is the exchange that cannot be
//! undone.
//!
//! The update carries the name of its attempt: when the SDK repeats it after a lost answer, the condition fails, and
//! the old item says that it was us.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use login::session::SessionId;
use login::time::Timestamp;
use login::{Digest, Sealed};
use openid_connect::client::ClientName;
use openid_connect::grant::{
    GrantKey, IssuedGrant, Redemption, RedemptionId, Renewal, SpentToken, StoredAccess, StoredGrant,
    StoredRefresh,
};

use super::item::{Item, attribute, blob, bytes, count, moment, number, text};
use super::{Error, Sessions, has_held, unavailable};

/// What redeeming a code came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redeemed {
    /// It is redeemed, by this attempt and no other.
    Now,
    /// Somebody else redeemed it; nothing was changed.
    Before,
    /// It is over, or was revoked; nothing was changed.
    Over,
}

impl Sessions {
    /// Stores a grant with its code, once: nobody else has its id.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`]. The code must then not be sent.
    pub async fn put_grant(&self, key: &GrantKey, grant: &IssuedGrant) -> Result<(), Error> {
        let item = Item::from([
            ("id".to_owned(), text(key.as_str())),
            ("client".to_owned(), text(grant.client.as_str())),
            ("session".to_owned(), text(grant.session.as_str())),
            ("claims".to_owned(), bytes(grant.claims.as_bytes())),
            ("code".to_owned(), text(grant.code.as_str())),
            ("code_key".to_owned(), bytes(grant.code_key.as_bytes())),
            ("created_at".to_owned(), number(grant.created_at.epoch_seconds())),
            ("expires_at".to_owned(), number(grant.expires_at.epoch_seconds())),
        ]);
        self.0.put_once(item).await
    }

    /// Reads a grant; `None` if there is none, or if it is over.
    ///
    /// # Errors
    ///
    /// [`Error`] if DynamoDB does not answer or refuses, or if the item cannot be read.
    pub async fn grant(&self, key: &GrantKey, now: Timestamp) -> Result<Option<StoredGrant>, Error> {
        let Some(item) = self.0.get(key.as_str()).await? else { return Ok(None) };
        if moment(&item, "expires_at")? <= now { Ok(None) } else { grant_from_item(&item).map(Some) }
    }

    /// Redeems the code of a grant of `client`, whose wrapped key is `code_key`.
    ///
    /// # Errors
    ///
    /// [`Error`] if DynamoDB does not answer or refuses, or if the item cannot be read.
    pub async fn redeem(
        &self,
        key: &GrantKey,
        client: &str,
        code_key: &Sealed,
        redemption: &Redemption,
    ) -> Result<Redeemed, Error> {
        let access = AttributeValue::L(vec![access_to_value(&redemption.access)]);
        let refresh = redemption.refresh.as_ref().map_or(AttributeValue::Null(true), refresh_to_value);
        let update = self
            .0
            .client
            .update_item()
            .table_name(&self.0.name)
            .key("id", text(key.as_str()))
            .update_expression(
                "SET redeemed_at = :now, redeemed_by = :attempt, access = :access, id_tokens = :id_tokens, \
                 refresh = :refresh, version = :one, expires_at = :until REMOVE code_key",
            )
            .condition_expression(
                "attribute_not_exists(redeemed_at) AND attribute_not_exists(revoked_at) AND expires_at > :now \
                 AND client = :client AND code_key = :code_key",
            )
            .expression_attribute_values(":now", number(redemption.at.epoch_seconds()))
            .expression_attribute_values(":attempt", text(redemption.id.as_str()))
            .expression_attribute_values(":access", access)
            .expression_attribute_values(":refresh", refresh)
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":id_tokens", digests_to_value(std::slice::from_ref(&redemption.id_token)))
            .expression_attribute_values(":until", number(redemption.expires_at.epoch_seconds()))
            .expression_attribute_values(":client", text(client))
            .expression_attribute_values(":code_key", bytes(code_key.as_bytes()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(error) = update.send().await else { return Ok(Redeemed::Now) };
        let Some(UpdateItemError::ConditionalCheckFailedException(failed)) = error.as_service_error() else {
            return Err(unavailable("UpdateItem", &error));
        };
        let redeemed_by = failed.item().and_then(|item| item.get("redeemed_by")?.as_s().ok());
        // Our own write, whose answer was lost.
        Ok(match redeemed_by {
            Some(attempt) if attempt == redemption.id.as_str() => Redeemed::Now,
            Some(_) => Redeemed::Before,
            None => Redeemed::Over,
        })
    }

    /// Stores renewed tokens over the version that they were made from; whether it did. If not, somebody else renewed
    /// or ended the grant first.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`].
    pub async fn renew(&self, key: &GrantKey, renewal: &Renewal) -> Result<bool, Error> {
        let access = renewal.access.iter().map(access_to_value).collect();
        let update = self
            .0
            .client
            .update_item()
            .table_name(&self.0.name)
            .key("id", text(key.as_str()))
            .update_expression(
                "SET access = :access, id_tokens = :id_tokens, refresh = :refresh, version = :next",
            )
            .condition_expression(
                "version = :version AND attribute_not_exists(revoked_at) AND expires_at > :now",
            )
            .expression_attribute_values(":access", AttributeValue::L(access))
            .expression_attribute_values(":id_tokens", digests_to_value(&renewal.id_tokens))
            .expression_attribute_values(":refresh", refresh_to_value(&renewal.refresh))
            .expression_attribute_values(":version", number(renewal.version))
            .expression_attribute_values(":next", number(renewal.version + 1))
            .expression_attribute_values(":now", number(renewal.at.epoch_seconds()));
        has_held("UpdateItem", update.send().await)
    }

    /// Ends a grant: nothing of it is good any more.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`].
    pub async fn revoke_grant(&self, key: &GrantKey, now: Timestamp) -> Result<(), Error> {
        let update = self
            .0
            .client
            .update_item()
            .table_name(&self.0.name)
            .key("id", text(key.as_str()))
            .update_expression("SET revoked_at = :now REMOVE code_key, access, refresh")
            .condition_expression("attribute_exists(id)")
            .expression_attribute_values(":now", number(now.epoch_seconds()));
        has_held("UpdateItem", update.send().await).map(drop)
    }
}

fn access_to_value(access: &StoredAccess) -> AttributeValue {
    AttributeValue::M(HashMap::from([
        ("digest".to_owned(), text(access.digest.as_str())),
        ("key".to_owned(), bytes(access.key.as_bytes())),
        ("expires_at".to_owned(), number(access.expires_at.epoch_seconds())),
    ]))
}

fn access_from_value(value: &AttributeValue) -> Result<StoredAccess, Error> {
    let access = value.as_m().map_err(|_| Error::Corrupt("access"))?;
    Ok(StoredAccess {
        digest: Digest::stored(attribute(access, "digest")?.to_owned()),
        key: Sealed::stored(blob(access, "key")?.to_vec()),
        expires_at: moment(access, "expires_at")?,
    })
}

fn digests_to_value(digests: &[Digest]) -> AttributeValue {
    AttributeValue::L(digests.iter().map(|digest| text(digest.as_str())).collect())
}

fn refresh_to_value(refresh: &StoredRefresh) -> AttributeValue {
    AttributeValue::M(HashMap::from([
        ("digest".to_owned(), text(refresh.digest.as_str())),
        ("key".to_owned(), bytes(refresh.key.as_bytes())),
        ("family".to_owned(), text(refresh.family.as_str())),
        ("spent".to_owned(), AttributeValue::L(refresh.spent.iter().map(spent_to_value).collect())),
    ]))
}

/// `None` of what another version stored in another form. It renews nothing, so that the client has the person logged in
/// again, and costs nothing else of the grant.
fn refresh_from_value(value: &AttributeValue) -> Option<StoredRefresh> {
    let refresh = value.as_m().ok()?;
    let spent = refresh.get("spent")?.as_l().ok()?;
    Some(StoredRefresh {
        digest: Digest::stored(attribute(refresh, "digest").ok()?.to_owned()),
        key: Sealed::stored(blob(refresh, "key").ok()?.to_vec()),
        family: Digest::stored(attribute(refresh, "family").ok()?.to_owned()),
        spent: spent.iter().map(spent_from_value).collect::<Option<_>>()?,
    })
}

fn spent_to_value(spent: &SpentToken) -> AttributeValue {
    AttributeValue::M(HashMap::from([
        ("digest".to_owned(), text(spent.digest.as_str())),
        ("successor".to_owned(), bytes(spent.successor.as_bytes())),
        ("until".to_owned(), number(spent.until.epoch_seconds())),
    ]))
}

fn spent_from_value(value: &AttributeValue) -> Option<SpentToken> {
    let spent = value.as_m().ok()?;
    Some(SpentToken {
        digest: Digest::stored(attribute(spent, "digest").ok()?.to_owned()),
        successor: Sealed::stored(blob(spent, "successor").ok()?.to_vec()),
        until: moment(spent, "until").ok()?,
    })
}

fn list<'a>(item: &'a Item, name: &'static str) -> Result<&'a [AttributeValue], Error> {
    match item.get(name) {
        Some(list) => list.as_l().map(Vec::as_slice).map_err(|_| Error::Corrupt(name)),
        None => Ok(&[]),
    }
}

fn digests(item: &Item, name: &'static str) -> Result<Vec<Digest>, Error> {
    let digest = |value: &AttributeValue| {
        value.as_s().map(|digest| Digest::stored(digest.clone())).map_err(|_| Error::Corrupt(name))
    };
    list(item, name)?.iter().map(digest).collect()
}

fn grant_from_item(item: &Item) -> Result<StoredGrant, Error> {
    let redeemed_by = item.get("redeemed_by").map(|_| attribute(item, "redeemed_by")).transpose()?;
    let code_key = item.get("code_key").map(|_| blob(item, "code_key")).transpose()?;
    Ok(StoredGrant {
        client: ClientName::parse(attribute(item, "client")?).ok_or(Error::Corrupt("client"))?,
        session: SessionId::stored(attribute(item, "session")?.to_owned()),
        claims: Sealed::stored(blob(item, "claims")?.to_vec()),
        code: Digest::stored(attribute(item, "code")?.to_owned()),
        code_key: code_key.map(|key| Sealed::stored(key.to_vec())),
        access: list(item, "access")?.iter().map(access_from_value).collect::<Result<_, _>>()?,
        id_tokens: digests(item, "id_tokens")?,
        redeemed_by: redeemed_by.map(|attempt| RedemptionId::stored(attempt.to_owned())),
        refresh: item.get("refresh").and_then(refresh_from_value),
        version: if item.contains_key("version") { count(item, "version")? } else { 0 },
        is_revoked: item.contains_key("revoked_at"),
    })
}
