//! Tickets of the hand-off ([`login::handoff`]): made, scanned, given to one browser, approved or ended, picked up.
//!
//! Every step is *one* conditional update of one item, which says who was first; the last one, in which the seal goes
//! and the session comes, is one transaction. A step that is refused has changed nothing: the caller reads the ticket
//! again and sees why, and also that it was its own step, repeated by the SDK after a lost answer.
//!
//! ```text
//!   made ──► scanned ──► given ──► approved ──► picked up
//!     └─────────┴──────────┴─────────┴──► ended: refused, a wrong number, two that wait, taken back
//! ```

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem, Update};
use login::handoff::{
    Approved, End, Given, Numbers, PICK_UP_LIFETIME, PickUpSalt, Scan, StoredTicket, TicketId,
};
use login::pending::{ClaimId, RequestedScope};
use login::session::{SessionId, StoredSession};
use login::time::Timestamp;
use login::{Digest, Sealed};
use wechat::AppId;

use super::item::{
    Item, attribute, blob, bytes, moment, number, request_from_item, request_to_item, session_to_item, text,
};
use super::{Error, Logins, Store, Written, built, has_held, past_conflicts};

impl Logins {
    /// Stores a ticket that nobody has scanned, once.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`]. Its QR code must then not be shown.
    pub async fn put_ticket(&self, id: &TicketId, ticket: &StoredTicket) -> Result<(), Error> {
        let mut item = Item::from([
            ("id".to_owned(), text(id.as_str())),
            ("app".to_owned(), text(ticket.app.as_str())),
            ("device".to_owned(), text(&ticket.device)),
            ("made_at".to_owned(), number(ticket.made_at.epoch_seconds())),
            ("expires_at".to_owned(), number(ticket.expires_at.epoch_seconds())),
        ]);
        item.extend(request_to_item(&ticket.request));
        self.0.put_once(item).await
    }

    /// Reads a ticket, over or not.
    ///
    /// # Errors
    ///
    /// [`Error`] if DynamoDB does not answer or refuses, or if the item cannot be read.
    pub async fn ticket(&self, id: &TicketId) -> Result<Option<StoredTicket>, Error> {
        self.0.get(id.as_str()).await?.as_ref().map(ticket_from_item).transpose()
    }

    /// Notes that a phone has scanned the code; whether it was the first.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`].
    pub async fn scan(&self, id: &TicketId, scan: &Scan, now: Timestamp) -> Result<bool, Error> {
        let update = self
            .step(id, now)
            .update_expression("SET scanned_by = :session, numbers = :numbers")
            .condition_expression(
                "attribute_not_exists(scanned_by) AND attribute_not_exists(ended) AND expires_at > :now",
            )
            .expression_attribute_values(":session", text(scan.session.as_str()))
            .expression_attribute_values(":numbers", text(&scan.numbers.to_text()));
        was_first(update).await
    }

    /// Gives a scanned ticket to the one browser that holds this pick-up secret; whether it was the first.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`].
    pub async fn give(
        &self,
        id: &TicketId,
        pick_up: &Digest,
        salt: &PickUpSalt,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let update = self
            .step(id, now)
            .update_expression("SET given_to = :pick_up, given_at = :now, pick_up_salt = :salt")
            .condition_expression(
                "attribute_exists(scanned_by) AND attribute_not_exists(given_to) AND attribute_not_exists(ended) AND expires_at > :now",
            )
            .expression_attribute_values(":pick_up", text(pick_up.as_str()))
            .expression_attribute_values(":salt", text(&salt.expose()));
        was_first(update).await
    }

    /// Ends a ticket for which two wait and that was not picked up; whether it was the first to do so. What it held of
    /// a person goes.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`].
    pub async fn end_ticket(&self, id: &TicketId, now: Timestamp) -> Result<bool, Error> {
        let update = self.end(id, End::WaitedForByTwo, now).condition_expression(
            "attribute_not_exists(ended) AND attribute_not_exists(picked_up) AND expires_at > :now",
        );
        was_first(update).await
    }

    /// Ends a ticket that the phone which scanned it does not approve; whether it was the first to do so.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`].
    pub async fn refuse(
        &self,
        id: &TicketId,
        end: End,
        phone: &SessionId,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let update = self
            .end(id, end, now)
            .condition_expression(
                "scanned_by = :session AND attribute_not_exists(approved) AND attribute_not_exists(ended) AND expires_at > :now",
            )
            .expression_attribute_values(":session", text(phone.as_str()));
        was_first(update).await
    }

    /// Ends a ticket that this phone has approved and that nobody has picked up; whether it was the first to do so.
    /// What it held of the person goes.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`].
    pub async fn take_back(&self, id: &TicketId, phone: &SessionId, now: Timestamp) -> Result<bool, Error> {
        let update = self
            .end(id, End::TakenBack, now)
            .condition_expression(
                "scanned_by = :session AND attribute_exists(approved) AND attribute_not_exists(picked_up) AND attribute_not_exists(ended) AND expires_at > :now",
            )
            .expression_attribute_values(":session", text(phone.as_str()));
        was_first(update).await
    }

    /// Approves a ticket that was given to a browser, from the phone that scanned it; whether it is now. It then waits
    /// a minute more.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`].
    pub async fn approve(
        &self,
        id: &TicketId,
        phone: &SessionId,
        sealed: &Sealed,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let update = self
            .step(id, now)
            .update_expression("SET approved = :one, sealed = :sealed, expires_at = :until")
            .condition_expression(
                "scanned_by = :session AND attribute_exists(given_to) AND attribute_not_exists(approved) AND attribute_not_exists(ended) AND expires_at > :now",
            )
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":session", text(phone.as_str()))
            .expression_attribute_values(":sealed", bytes(sealed.as_bytes()))
            .expression_attribute_values(":until", number(now.plus(PICK_UP_LIFETIME).epoch_seconds()));
        was_first(update).await
    }

    fn end(&self, id: &TicketId, end: End, now: Timestamp) -> UpdateItemFluentBuilder {
        let update = self.step(id, now).update_expression("SET ended = :end REMOVE sealed, pick_up_salt");
        update.expression_attribute_values(":end", text(end.as_str()))
    }

    fn step(&self, id: &TicketId, now: Timestamp) -> UpdateItemFluentBuilder {
        let update = self.0.client.update_item().table_name(&self.0.name).key("id", text(id.as_str()));
        update.expression_attribute_values(":now", number(now.epoch_seconds()))
    }
}

impl Store {
    /// Picks an approved ticket up: stores the session, removes the seal, and ends the session that the browser came
    /// with; all or nothing. Whether it is now.
    ///
    /// # Errors
    ///
    /// [`Error`]. No cookie may then be set: it might open nothing.
    pub async fn pick_up(
        &self,
        ticket: &TicketId,
        pick_up: &Digest,
        (id, session): (&SessionId, &StoredSession),
        replaced: Option<&SessionId>,
        claim_id: &ClaimId,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let open = Update::builder()
            .table_name(&self.logins.0.name)
            .key("id", text(ticket.as_str()))
            .update_expression("SET picked_up = :one REMOVE sealed, pick_up_salt")
            .condition_expression(
                "given_to = :pick_up AND attribute_exists(approved) AND attribute_not_exists(picked_up) AND attribute_not_exists(ended) AND expires_at > :now",
            )
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":pick_up", text(pick_up.as_str()))
            .expression_attribute_values(":now", number(now.epoch_seconds()))
            .build();
        let put = Put::builder()
            .table_name(&self.sessions.0.name)
            .set_item(Some(session_to_item(id, session)))
            .condition_expression("attribute_not_exists(id)")
            .build();
        let mut items = vec![
            TransactWriteItem::builder().update(built("Update", open)?).build(),
            TransactWriteItem::builder().put(built("Put", put)?).build(),
        ];
        if let Some(replaced) = replaced.filter(|replaced| *replaced != id) {
            let delete = Delete::builder()
                .table_name(&self.sessions.0.name)
                .key("id", text(replaced.as_str()))
                .build();
            items.push(TransactWriteItem::builder().delete(built("Delete", delete)?).build());
        }
        let written = self.logins.0.transact(items, claim_id.as_str()).await?;
        Ok(matches!(written, Written::Now))
    }
}

async fn was_first(update: UpdateItemFluentBuilder) -> Result<bool, Error> {
    has_held("UpdateItem", past_conflicts(|| update.clone().send()).await)
}

fn ticket_from_item(item: &Item) -> Result<StoredTicket, Error> {
    let app = AppId::parse(attribute(item, "app")?).ok_or(Error::Corrupt("app"))?;
    let request = request_from_item(item, RequestedScope::default());
    let device = attribute(item, "device")?.to_owned();
    let has = |name: &str| item.contains_key(name);
    let ticket =
        StoredTicket::new(app, request, device, moment(item, "made_at")?, moment(item, "expires_at")?);
    let numbers = || Numbers::stored(attribute(item, "numbers")?).ok_or(Error::Corrupt("numbers"));
    let scan = || {
        Ok(Scan {
            session: SessionId::stored(attribute(item, "scanned_by")?.to_owned()),
            numbers: numbers()?,
        })
    };
    let salt = || PickUpSalt::parse(attribute(item, "pick_up_salt")?).ok_or(Error::Corrupt("pick_up_salt"));
    let given = || {
        Ok(Given {
            pick_up: Digest::stored(attribute(item, "given_to")?.to_owned()),
            salt: has("pick_up_salt").then(salt).transpose()?,
            at: moment(item, "given_at")?,
        })
    };
    let ended = || {
        let name = attribute(item, "ended")?;
        End::ALL.into_iter().find(|end| end.as_str() == name).ok_or(Error::Corrupt("ended"))
    };
    let sealed = || Ok(Approved::Sealed(Sealed::stored(blob(item, "sealed")?.to_vec())));
    Ok(StoredTicket {
        scan: has("scanned_by").then(scan).transpose()?,
        given: has("given_to").then(given).transpose()?,
        approved: match (has("picked_up"), has("sealed")) {
            (true, _) => Some(Approved::PickedUp),
            (false, true) => Some(sealed()?),
            (false, false) => None,
        },
        ended: has("ended").then(ended).transpose()?,
        ..ticket
    })
}
