//! A grant as the table has it.

use std::time::Duration;

use login::Digest;
use login::seal::Sealed;
use login::session::SessionId;
use login::time::Timestamp;

use super::RedemptionId;
use crate::client::ClientName;

/// How long a code is good: one minute for the client, and five that two clocks may be apart.
pub const CODE_LIFETIME: Duration = Duration::from_mins(6);

/// How many access tokens, and how many spent refresh tokens, a grant remembers.
pub const MOST_REMEMBERED: usize = 16;

/// How many ID tokens a grant remembers: the first one and the last three.
const MOST_ID_TOKENS: usize = 4;

/// A grant as it is stored when its code is issued.
#[derive(Debug, Clone)]
pub struct IssuedGrant {
    /// The name of the client.
    pub client: ClientName,
    /// The session that it came from, and ends with.
    pub session: SessionId,
    /// The sealed [`Granted`](super::Granted).
    pub claims: Sealed,
    /// The digest of the code.
    pub code: Digest,
    /// The key of the claims, wrapped by the code.
    pub code_key: Sealed,
    /// When the code was issued.
    pub created_at: Timestamp,
    /// When the code is over.
    pub expires_at: Timestamp,
}

/// A grant as it is read back.
#[derive(Debug, Clone)]
pub struct StoredGrant {
    /// The name of the client.
    pub client: ClientName,
    /// The session that it came from, and ends with.
    pub session: SessionId,
    /// The sealed [`Granted`](super::Granted).
    pub claims: Sealed,
    /// The digest of the code.
    pub code: Digest,
    /// The key of the claims, wrapped by the code; `None` once the code is redeemed.
    pub code_key: Option<Sealed>,
    /// The access tokens.
    pub access: Vec<StoredAccess>,
    /// The digests of ID tokens: the first one and the last ones.
    pub id_tokens: Vec<Digest>,
    /// Whose redemption it was.
    pub redeemed_by: Option<RedemptionId>,
    /// What renews its tokens, if it has any.
    pub refresh: Option<StoredRefresh>,
    /// Counts the changes since the redemption; a change is stored only over the version that it was made from.
    pub version: u64,
    /// Whether it was ended: a code or a token of it was seen by two, or its client wanted it.
    pub is_revoked: bool,
}

/// A refresh token as a grant remembers it.
#[derive(Debug, Clone)]
pub struct StoredRefresh {
    /// The digest of the token that is good.
    pub digest: Digest,
    /// The key of the claims, wrapped by it.
    pub key: Sealed,
    /// The digests of those before it, the last one at the end.
    pub spent: Vec<Digest>,
    /// The token, sealed by the one before it, and until when that one leads here.
    pub successor: Option<(Sealed, Timestamp)>,
}

/// What changes when tokens are renewed.
#[derive(Debug, Clone)]
pub struct Renewal {
    /// The version that it was made from.
    pub version: u64,
    /// The access tokens from now on.
    pub access: Vec<StoredAccess>,
    /// The ID tokens from now on.
    pub id_tokens: Vec<Digest>,
    /// The refresh token from now on.
    pub refresh: StoredRefresh,
    /// When.
    pub at: Timestamp,
}

impl StoredGrant {
    /// The access tokens that are not over, and one more.
    #[must_use]
    pub fn with_access(&self, access: StoredAccess, now: Timestamp) -> Vec<StoredAccess> {
        let mut all: Vec<_> = self.access.iter().filter(|access| access.expires_at > now).cloned().collect();
        all.push(access);
        let over = all.len().saturating_sub(MOST_REMEMBERED);
        all.split_off(over)
    }

    /// The ID tokens that hints may name: the first one, and the last ones with this one.
    #[must_use]
    pub fn with_id_token(&self, id_token: Digest) -> Vec<Digest> {
        let mut all = self.id_tokens.clone();
        all.push(id_token);
        if all.len() > MOST_ID_TOKENS {
            all.remove(1);
        }
        all
    }
}

/// What a code is redeemed for.
#[derive(Debug, Clone)]
pub struct Redemption {
    /// Whose redemption it is.
    pub id: RedemptionId,
    /// The access token.
    pub access: StoredAccess,
    /// The digest of the ID token.
    pub id_token: Digest,
    /// The refresh token, if the client gets one.
    pub refresh: Option<StoredRefresh>,
    /// When.
    pub at: Timestamp,
    /// Until when the grant is kept: its session's end.
    pub expires_at: Timestamp,
}

/// An access token as a grant remembers it.
#[derive(Debug, Clone)]
pub struct StoredAccess {
    /// The digest of the token.
    pub digest: Digest,
    /// The key of the claims, wrapped by the token.
    pub key: Sealed,
    /// When the token is over.
    pub expires_at: Timestamp,
}
