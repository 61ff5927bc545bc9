//! A grant as the table has it.

use std::time::Duration;

use login::Digest;
use login::seal::Sealed;
use login::session::SessionId;
use login::time::Timestamp;

use super::{ClientRefreshToken, GrantKey, RedemptionId};
use crate::client::ClientName;

/// How long a code is good: one minute for the client, and five that two clocks may be apart.
pub const CODE_LIFETIME: Duration = Duration::from_mins(6);

/// How many access tokens, and how many refresh tokens that gave way, a grant remembers.
const MOST_REMEMBERED: usize = 16;

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
    /// What it has in common with all those before it.
    pub family: Digest,
    /// Those before it that lead to it, the last one at the end.
    pub spent: Vec<SpentToken>,
}

/// A refresh token that gave way to another one.
#[derive(Debug, Clone)]
pub struct SpentToken {
    /// Its digest.
    pub digest: Digest,
    /// The token that took its place, sealed by it.
    pub successor: Sealed,
    /// Until when it leads there.
    pub until: Timestamp,
}

impl StoredRefresh {
    /// Whether the grant issued this token: the one that is good, or any before it, however long ago.
    #[must_use]
    pub fn has_issued(&self, token: &ClientRefreshToken) -> bool {
        self.family == token.family()
    }

    /// The token that is good, for who brings `token`: that one itself, or, if it gave way a moment ago, the one at the
    /// end of all that took its place since. `None` if it gave way too long ago.
    #[must_use]
    pub fn good_for(
        &self,
        token: &ClientRefreshToken,
        key: &GrantKey,
        now: Timestamp,
    ) -> Option<ClientRefreshToken> {
        let digest = token.digest();
        let since = self.spent.iter().position(|spent| spent.digest == digest).unwrap_or(self.spent.len());
        let since = self.spent.get(since..)?;
        if since.first().is_some_and(|spent| spent.until <= now) {
            return None;
        }
        let open = |token: ClientRefreshToken, spent: &SpentToken| token.open(key, &spent.successor);
        since.iter().try_fold(token.clone(), open).filter(|good| good.digest() == self.digest)
    }

    /// The tokens that gave way and still lead on, with one more.
    #[must_use]
    pub fn spent_with(&self, token: SpentToken, now: Timestamp) -> Vec<SpentToken> {
        let mut all: Vec<_> = self.spent.iter().filter(|spent| spent.until > now).cloned().collect();
        all.push(token);
        let over = all.len().saturating_sub(MOST_REMEMBERED);
        all.split_off(over)
    }
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

#[cfg(test)]
mod tests {
    use super::super::{GrantId, SUCCESSION};
    use super::*;

    const START: Timestamp = Timestamp::from_epoch_seconds(1_800_000_000);

    fn grant() -> GrantId {
        GrantId::new([7; 16])
    }

    fn sealed() -> Sealed {
        Sealed::stored(b"key".to_vec())
    }

    fn first() -> (ClientRefreshToken, StoredRefresh) {
        let token = ClientRefreshToken::new(grant(), [9; 32]);
        let refresh = StoredRefresh {
            digest: token.digest(),
            key: sealed(),
            family: token.family(),
            spent: Vec::new(),
        };
        (token, refresh)
    }

    /// The token that is good gives way.
    fn renewed(
        token: &ClientRefreshToken,
        refresh: &StoredRefresh,
        number: u8,
        now: Timestamp,
    ) -> (ClientRefreshToken, StoredRefresh) {
        let next = token.successor([number; 16]);
        let successor = token.seal(&next, &grant().key(), [number; 12]).unwrap();
        let gave_way = SpentToken { digest: token.digest(), successor, until: now.plus(SUCCESSION) };
        let spent = refresh.spent_with(gave_way, now);
        let refresh = StoredRefresh { digest: next.digest(), key: sealed(), family: next.family(), spent };
        (next, refresh)
    }

    fn is_good_for(refresh: &StoredRefresh, token: &ClientRefreshToken, seconds: u64) -> Option<String> {
        let now = START.plus(Duration::from_secs(seconds));
        refresh.good_for(token, &grant().key(), now).map(|good| good.expose())
    }

    #[test]
    fn each_token_that_gave_way_leads_on_for_half_a_minute_of_its_own() {
        let (zero, stored) = first();
        let (one, stored) = renewed(&zero, &stored, 1, START);
        let (two, stored) = renewed(&one, &stored, 2, START.plus(Duration::from_secs(20)));
        let good = Some(two.expose());
        assert_eq!(is_good_for(&stored, &two, 1_000), good);
        for (token, last) in [(&zero, 29), (&one, 49)] {
            assert_eq!(is_good_for(&stored, token, last), good, "{last}");
            assert_eq!(is_good_for(&stored, token, last + 1), None, "{last}");
        }
        // Forgotten, and known all the same.
        let (_, stored) = renewed(&two, &stored, 3, START.plus(Duration::from_secs(30)));
        assert_eq!(stored.spent.len(), 2);
        assert!(stored.has_issued(&zero) && is_good_for(&stored, &zero, 30).is_none());
        let other = ClientRefreshToken::new(grant(), [8; 32]);
        assert!(!stored.has_issued(&other) && is_good_for(&stored, &other, 30).is_none());
    }

    /// So many at once are nobody's tabs.
    #[test]
    fn an_item_grows_no_longer_than_so_many_and_none_is_taken_for_a_guess() {
        let (mut token, mut stored) = first();
        let mut all = vec![token.clone()];
        for number in 11..=30 {
            (token, stored) = renewed(&token, &stored, number, START);
            all.push(token.clone());
        }
        assert_eq!(stored.spent.len(), MOST_REMEMBERED);
        let good = all.last().map(ClientRefreshToken::expose);
        for (number, token) in all.iter().enumerate() {
            assert!(stored.has_issued(token), "{number}");
            let leads_on = number >= 20 - MOST_REMEMBERED;
            assert_eq!(is_good_for(&stored, token, 0), good.clone().filter(|_| leads_on), "{number}");
        }
    }
}
