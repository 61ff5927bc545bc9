//! WeChat's side of a web login, offline.
//!
//! The simulator is written from what WeChat documents and from what its users observed, and from nothing else: it
//! shares no line with the program it tests, so that one misreading cannot stand on both sides and cancel itself out.
//! It refuses what WeChat refuses, in WeChat's words, and it answers what WeChat answers, byte order of the keys and
//! wrong content types included.
//!
//! WeChat documents the login [of an Official
//! Account](https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html), [of a
//! website app](https://developers.weixin.qq.com/doc/oplatform/Website_App/WeChat_Login/Wechat_Login.html) and [of a
//! third-party
//! platform](https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/Before_Develop/Official_Accounts/official_account_website_authorization.html),
//! and its [errors](https://developers.weixin.qq.com/doc/offiaccount/Getting_Started/Global_Return_Code.html).
//!
//! Three things make it an oracle rather than a stub:
//!
//! * the [ledger](Entry) of every request it received, with the values of codes, secrets and tokens in the clear;
//! * the [`Knobs`]: what is documented to vary, what was seen to go wrong, and a queue of [scripted](Scripted) answers
//!   for each endpoint;
//! * determinism: with the same [`Settings::seed`] and a clock that stands still, the same requests in the same order
//!   draw the same codes, tokens and request ids.
//!
//! A request is handled in the order of real trouble: it is received and entered in the ledger, it has its effect, and
//! only then is the answer delayed, held, cut off or lost. A caller that gives up waiting has therefore spent its code.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! let simulator = simulator::Simulator::new(simulator::Settings::example());
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:9001").await?;
//! simulator.knobs(|knobs| (knobs.check_user_agent, knobs.api_requires_https) = (false, false));
//! simulator.serve(listener, std::future::pending()).await
//! # }
//! ```

#![expect(clippy::missing_errors_doc, reason = "whatever fails says in words why")]

mod admin;
mod api;
mod authorize;
mod broken;
mod callback;
mod cgi;
mod connection;
mod endpoint;
mod identifiers;
mod knobs;
mod ledger;
mod pages;
mod qr;
mod receive;
mod settings;
mod simulator;
mod sns;
#[cfg(test)]
mod tests;
mod tls;
mod wire;
mod words;
mod world;

pub use broken::Broken;
pub use identifiers::MARKER;
pub use knobs::{
    AuthError, CallbackAdditions, Consent, Denial, DirtyJson, DuplicateCallback, Fault, Knobs, NonFollower,
    OpenidMismatch, ProfileEra, QrFragment, QuickLogin, Scripted, Snapshot, SuffixStyle, UnionidInExchange,
};
pub use ledger::{Entry, Outcome};
pub use qr::{QrCode, QrProgress};
pub use settings::{App, AppKind, Component, Person, Region, Settings};
pub use simulator::{Action, Simulator};
pub use tls::tls_config;
