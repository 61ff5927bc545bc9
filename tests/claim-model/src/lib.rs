//! The claim, and all that can happen to it, as a model small enough to look at every one of its states.
//!
//! Tests try some orders of events. This tries all of them: from the start, every step that could come
//! next is taken, breadth first, until no state is left that has not been seen ([`explore`]). In each
//! state, and on each step, the [`Property`]s must hold. A model that finds nothing proves nothing by
//! itself; so the same search is made with the protocol broken on purpose, one [`Mutant`] after the
//! other, and each must break the property that is named for it.
//!
//! # The protocol, as modelled
//!
//! Two browsers, the visitor's and a stranger's; two logins, the first of them the visitor's, the second either's; two
//! codes; a guard for each code; a session for each login and browser, which only its own code opens, as tokens are
//! derived from all three. Callbacks arrive in any order and number up to a bound, each with any login, any code and
//! either browser: duplicates, two codes with one state, one code with two states and a foreign browser are all among
//! the combinations. Each goes its way through these phases:
//!
//! ```text
//!   Claiming ── now ──► Won ── code sent ──► Asking ── yes ──► Finishing ── stored ──► Answering ──► cookie
//!      │                                       │ no, in doubt      │ refused, gave up        ▲
//!      │                                       └───► Failing ◄─────┘                         │ session there
//!      ├─ before, by this code ──► Waiting ── done ──► Reading ──────────────────────────────┘
//!      │                              └─ failed, or patience ends ──► over, without a cookie
//!      ├─ before, by another code ─┐
//!      ├─ foreign ─────────────────┴─► Marking: the code is spent, the login untouched ──► over
//!      └─ elsewhere, expired, gave up ──► over
//! ```
//!
//! What goes to DynamoDB is a message, applied in one piece or not at all, at any time from now on, even when whoever
//! sent it has long ended. Its answer may be lost. The SDK may send it again, with the same client request token, while
//! the first copy is still on its way; DynamoDB remembers a token, until it forgets it; and the SDK may give up. A late
//! copy of the request that stored a login finds the login there and changes nothing (only [`Mutant::BlindBegin`] lets
//! it). WeChat takes a code once; it may refuse it, or leave it in doubt whether it took it. A callback may die in
//! every phase. The ten minutes of a login may pass at any time, and a browser with a cookie may log out. Faults,
//! deaths and logouts are bounded ([`Bounds`]).
//!
//! # What is left out
//!
//! * Time is one moment: before and after the end of the logins. A callback judges by its own clock, read
//!   when it arrives.
//! * What DynamoDB removes after it expired. A login that is gone is refused as an expired one is; a guard
//!   outlives every use of its code.
//! * The answers that set no cookie and write nothing: a denial, a missing cookie, the code that was used
//!   for another login of the same browser, or that came second where a session is at hand.
//! * Reads that are older than what was written: the duplicate that meets one looks again, and at worst ends
//!   without a cookie, as one does whose patience ends.
//! * Profile, unionid and the seal, which happen between the exchange and the session and decide nothing.
//! * Who the code's person is. A code that leaks *unused* may be put into another login: WeChat has no
//!   PKCE, and no model of our side can mend that.
//! * The number of marks a login allows is 3; here it is 1, so that the bound is met.
//!
//! It is plain code because it can be: the search is fifty lines, while the model checker of the registry
//! brings a web server and a thread pool along.

#![expect(
    clippy::indexing_slicing,
    reason = "every index is a browser, a login, a code or a callback of a closed, small set"
)]

mod calm;
pub mod grant;
mod mutant;
mod property;
mod protocol;
pub mod renewal;
mod search;
mod state;
mod step;
#[cfg(test)]
mod tests;
pub mod ticket;
mod token_request;
pub mod walk;

pub use mutant::Mutant;
pub use property::Property;
pub use search::{Bounds, Counterexample, Explored, explore};
