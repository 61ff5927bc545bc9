//! What is derived from what, and what is sealed under it.

use crate::pending::{BrowserSecret, LoginId, State};
use crate::seal::{self, NonceBytes, Sealed};
use crate::secret::{Digest, from_hex, hmac, random_secret, to_hex};
use crate::session::{Refusals, Session, SessionToken};

const INFO: &str = "seal of a hand-off";
const INFO_ON_THE_WAY: &str = "seal of a ticket on the way through a login";

random_secret! {
    /// What the QR code says: it names one hand-off, and opens what the phone hands over.
    Ticket
}

random_secret! {
    /// What a waiting page's script chooses once it saw that its code was scanned.
    ScriptChoice
}

random_secret! {
    /// What picks the login up: given to one browser, in a cookie of its own.
    PickUpSecret
}

random_secret! {
    /// What this stack adds to the choice when it gives the pick-up secret: the choice stays in the browser's history.
    PickUpSalt
}

impl Ticket {
    /// The ticket of the login that `state` names, in the browser that holds `browser`.
    #[must_use]
    pub fn derive(browser: &BrowserSecret, state: &State) -> Self {
        Self(hmac(browser.bytes(), &[b"ticket\0", state.bytes()]))
    }

    /// The key under which it is stored.
    #[must_use]
    pub fn id(&self) -> TicketId {
        TicketId(format!("ticket#{}", Digest::of(self.expose().as_bytes()).as_str()))
    }

    /// Seals who is logged in on the phone, and nothing that WeChat would take: two sessions would fight over one
    /// refresh token.
    ///
    /// `None` only if the session cannot be encoded, which no value of it can cause.
    #[must_use]
    pub fn seal(&self, session: &Session, nonce: NonceBytes) -> Option<Sealed> {
        let handed = Session {
            access_token: None,
            refresh_token: None,
            confirmed_at: None,
            refusals: Refusals::default(),
            ..session.clone()
        };
        seal::seal(&self.0, INFO, self.id().as_str(), nonce, &handed.to_text()?)
    }

    /// Opens what [`seal`](Self::seal) made under the same ticket.
    #[must_use]
    pub fn open(&self, sealed: &Sealed) -> Option<Session> {
        Session::from_text(&seal::open(&self.0, INFO, self.id().as_str(), sealed)?)
    }

    /// The ticket for the way through the phone's own login, whose target is stored as text: only the phone's browser
    /// reads it.
    #[must_use]
    pub fn hide(&self, phone: &BrowserSecret, nonce: NonceBytes) -> Option<HiddenTicket> {
        seal::seal(phone.bytes(), INFO_ON_THE_WAY, "", nonce, &self.0).map(HiddenTicket)
    }
}

/// A ticket that one phone's browser reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HiddenTicket(Sealed);

impl HiddenTicket {
    /// Reads one: 122 lowercase hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        from_hex::<61>(text).map(|bytes| Self(Sealed::stored(bytes.to_vec())))
    }

    /// The hex digits.
    #[must_use]
    pub fn expose(&self) -> String {
        to_hex(self.0.as_bytes())
    }

    /// The ticket, in the browser that it was hidden for.
    #[must_use]
    pub fn open(&self, phone: &BrowserSecret) -> Option<Ticket> {
        let ticket = seal::open(phone.bytes(), INFO_ON_THE_WAY, "", &self.0)?;
        ticket.try_into().ok().map(Ticket)
    }
}

impl PickUpSecret {
    /// The secret of the login that `state` names, in the browser that holds `browser`, for one choice of its script
    /// and what this stack added.
    #[must_use]
    pub fn derive(browser: &BrowserSecret, state: &State, choice: &ScriptChoice, salt: &PickUpSalt) -> Self {
        Self(hmac(browser.bytes(), &[b"pick-up\0", state.bytes(), &choice.0, &salt.0]))
    }

    /// What the table knows of it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.expose().as_bytes())
    }

    /// The token of the one session that it picks up.
    #[must_use]
    pub fn session_token(&self, browser: &BrowserSecret, state: &State) -> SessionToken {
        SessionToken::new(hmac(browser.bytes(), &[b"hand-off session\0", state.bytes(), &self.0]))
    }
}

impl State {
    /// The key of a login that waits for a phone. No callback finds it, whoever knows its state.
    #[must_use]
    pub fn handoff_id(&self) -> LoginId {
        LoginId::stored(format!("handoff#{}", Digest::of(self.expose().as_bytes()).as_str()))
    }
}

/// The key of a stored ticket: `ticket#` and the digest of the ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketId(String);

impl TicketId {
    /// The key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn browser(byte: u8) -> BrowserSecret {
        BrowserSecret::new(Timestamp::from_epoch_seconds(1_700_000_000), [byte; 32])
    }

    #[test]
    fn what_is_derived_is_hmac_sha256() {
        // printf 'ticket\0' + 32 bytes of 2 | openssl dgst -sha256 -mac HMAC -macopt hexkey:0101…01; the other two
        // likewise.
        let ticket = Ticket::derive(&browser(1), &State::new([2; 32]));
        assert_eq!(ticket.expose(), TICKET);
        let (choice, salt) = (ScriptChoice::new([3; 32]), PickUpSalt::new([5; 32]));
        let pick_up = PickUpSecret::derive(&browser(1), &State::new([2; 32]), &choice, &salt);
        assert_eq!(pick_up.expose(), PICK_UP);
        let token = PickUpSecret::new([4; 32]).session_token(&browser(1), &State::new([2; 32]));
        assert_eq!(token.expose(), SESSION);
        for other in [
            Ticket::derive(&browser(3), &State::new([2; 32])),
            Ticket::derive(&browser(1), &State::new([3; 32])),
        ] {
            assert_ne!(other.expose(), ticket.expose());
        }
    }

    const TICKET: &str = "53e1fd11daa5cb4e856ad47df106537878a5f2812e75ce0dc9b410800aca8305";
    const PICK_UP: &str = "6bdeae626892e03be3e64dc77ce4dbda86e812ac7162d53a57b87321b63eba85";
    const SESSION: &str = "2b6f3c42fc825a0bcdb1b0233943708187f4c991ec1cc9bf5b9038974c9cabf0";

    #[test]
    fn a_ticket_on_the_way_opens_in_its_browser_only() {
        let ticket = Ticket::new([7; 32]);
        let hidden = ticket.hide(&browser(1), [9; 12]).unwrap();
        let read = HiddenTicket::parse(&hidden.expose()).unwrap();
        assert_eq!(read.open(&browser(1)).unwrap().expose(), ticket.expose());
        assert!(read.open(&browser(2)).is_none());
        assert!(!hidden.expose().contains(&ticket.expose()));
        assert!(HiddenTicket::parse(&hidden.expose().to_uppercase()).is_none());
    }
}
