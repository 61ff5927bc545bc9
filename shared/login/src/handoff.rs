//! Hand-off: a phone's WeChat logs in the browser beside it.
//!
//! Who owns an Official Account and no website app has no QR code of WeChat's to show. So this stack shows one of its
//! own: a person scans it with WeChat, is logged in on the phone as always, says there that the other device is to be
//! logged in too, and the browser that waits is in.
//!
//! ```text
//!   waiting browser                  this stack                         phone, in WeChat
//!      │ /authorize                     │                                     │
//!      │◄─ state, browser secret B ─────┤ login                               │
//!      ├─ wait ────────────────────────►│ ticket = HMAC(B, state): 3 minutes  │
//!      │◄─ the ticket, as a QR code ────┤                                     │
//!      │                                │◄──────────── GET, with a session ───┤
//!      │                                │ scanned: three numbers, for good ──►│
//!      ├─ wait ────────────────────────►│ given, once: which number is right, │
//!      │◄─ number, pick-up secret ──────┤ and what picks the login up         │
//!      │                                │◄──────────────────── POST, a tap ───┤
//!      │                                │ approved: who it is, sealed under the ticket
//!      ├─ wait, with that secret ──────►│ picked up: a session; the seal goes │
//!      │◄─ session cookie ──────────────┤                                     │
//! ```
//!
//! The known attack on such a flow is a stranger's QR code in a chat: his browser waits, and the victim's phone
//! approves ([Cross-Device Flows: Security Best Current
//! Practice](https://datatracker.ietf.org/doc/draft-ietf-oauth-cross-device-security/), [RFC 8628
//! §5](https://www.rfc-editor.org/rfc/rfc8628#section-5)). So the phone names the other device, and the person must tap
//! the number that its screen shows: one wrong tap ends the ticket, and nothing is ever drawn anew.
//!
//! B and state are never enough, here as in a login: both can be read off a shared computer, or planted. What they show
//! is the QR code. Once a phone has scanned it, *one* browser is given the number and a **pick-up secret**, by one
//! conditional write; whoever asks second ends the ticket. So somebody who waits at home with what he read off a screen
//! either comes second, or is found out when the right browser does.
//!
//! Whoever said yes by mistake can take it back until the other browser has picked it up, by another conditional write.
//!
//! The pick-up secret is derived from a number that the page's script chooses after it saw that the code was scanned,
//! so that the same script is answered again if the answer was lost, and nobody who did not see that number. That
//! number stays in the browser's history. So this stack adds one of its own, which it draws when it gives, tells
//! nobody, and forgets when the login was picked up: whoever reads B, state and the script's number later can compute
//! nothing.

mod numbers;
mod secrets;
mod ticket;

use std::time::Duration;

pub use numbers::Numbers;
pub use secrets::{HiddenTicket, PickUpSalt, PickUpSecret, ScriptChoice, Ticket, TicketId};
pub use ticket::{Approved, End, Given, Scan, Stage, Step, StoredTicket};

/// How long a ticket can be scanned and approved.
pub const TICKET_LIFETIME: Duration = Duration::from_mins(3);

/// How long an approved login waits to be picked up: a browser that asks every few seconds, and one page load that is
/// lost.
pub const PICK_UP_LIFETIME: Duration = Duration::from_mins(1);

/// Where a browser waits; `?state=`.
pub const WAIT: &str = "/handoff/wait";

/// Where a phone comes to; `?ticket=`.
pub const HAND_OFF: &str = "/handoff";
