//! That the key signs, for everybody who wants to know: the key set with a signature.
//!
//! Nobody but `token` signs, and what it signs for people needs somebody who is logged in. Whoever asks whether tokens
//! can be signed has nobody. So the key set is signed for whoever asks for it so, and everybody may: it is public, and
//! the doctor has no right that others have not.
//!
//! A signature costs money and counts in KMS's quota, which is the account's. So **a process signs once in five
//! minutes**, and repeats it to everybody who asks meanwhile. That is new enough to say that the key signs. And a
//! thousand processes, as many as an account has at a time, sign 3 a second for strangers, of the 1,000 that KMS makes;
//! who looks after a login never waits for that long. What failed is repeated for ten seconds, for whoever asks would
//! else have KMS asked each time, just when it is too busy; ten, because whoever mends it wants to see that he has.

use std::time::Duration;

use login::time::Timestamp;
use openid_connect::message_signature::{MessageSignature, SignatureBase};
use tokio::sync::Mutex;

use crate::{Error, Signer};

/// For how long a signature is repeated.
pub const PROOF_KEPT: Duration = Duration::from_mins(5);
/// For how long it is repeated that there is none.
const FAILURE_KEPT: Duration = Duration::from_secs(10);

/// The signature of the key set that a process made last.
#[derive(Debug, Default)]
pub struct Proof {
    last: Mutex<Option<Last>>,
}

#[derive(Debug)]
struct Last {
    /// The key set, as it was answered.
    body: String,
    at: Timestamp,
    made: Result<MessageSignature, Error>,
}

impl Proof {
    /// The signature of a response with this body: the last one, or a new one if that is old or of another key set.
    ///
    /// # Errors
    ///
    /// [`Error`] if it cannot be signed, or could not be a moment ago.
    pub async fn of(&self, signer: &Signer, body: &str, now: Timestamp) -> Result<MessageSignature, Error> {
        // Who comes while it is signed waits for that one.
        let mut last = self.last.lock().await;
        if let Some(last) = &*last
            && last.body == body
            && now < last.at.plus(if last.made.is_ok() { PROOF_KEPT } else { FAILURE_KEPT })
        {
            return last.made.clone();
        }
        let made = signer.signed(|key| Some(SignatureBase::new(key, body.as_bytes(), now)), now).await;
        let made = made.map(|(base, signature)| base.signed(&signature));
        *last = Some(Last { body: body.to_owned(), at: now, made: made.clone() });
        made
    }
}
