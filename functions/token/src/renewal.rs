//! A refresh token brings new tokens, as long as the session is there.
//!
//! Whether it is replaced depends on who holds it. A client with a secret keeps its token: load balancers and libraries
//! renew from several places at once, and a token that is good once would log their people out. A public client gets
//! another token each time ([RFC 9700 §4.14.2](https://www.rfc-editor.org/rfc/rfc9700#section-4.14.2)):
//!
//! ```text
//!   tab A ── token 1 ──►  token 2 takes its place
//!   tab B ── token 1 ──►  within 30 s: token 2 as well, which token 1 opens
//!   tab A ── token 2 ──►  token 3 takes its place
//!   tab C ── token 1 ──►  within 30 s: token 3, by way of token 2
//!   thief ── token 1 ──►  later: the grant ends
//! ```
//!
//! However many tokens came after it: an old one is known by what all tokens of its grant have in common.
//!
//! The guards, in the order they run: the client shows who it is; the token is one that was issued, and this client's;
//! it is the one that is good, or led there a moment ago; the session is there; `scope` asks for no more than was
//! granted.

use login::random;
use openid_connect::authorization::is_known_scope;
use openid_connect::grant::{
    ClientRefreshToken, DataKey, GrantKey, Granted, Renewal, SUCCESSION, SpentToken, StoredGrant,
    StoredRefresh, Wrapper,
};
use openid_connect::parameter::ScopeList;
use web::response::Response;

use crate::endpoint::AuthenticatedRequest;
use crate::refusal::{REFRESHED, TokenRefusal};

/// How often a renewal is stored anew that met another one. Each time another one was stored, so of so many at once
/// none is refused; and so many reads and writes fit into the time of a request.
const MOST_TRIES: usize = 32;

/// Renews tokens. They are signed once: whoever meets another renewal puts the same ones over what that one stored.
pub async fn renew(asked: &AuthenticatedRequest<'_>) -> Result<Response, TokenRefusal> {
    let text = asked.text("refresh_token")?.ok_or(TokenRefusal::Request("refresh_token is missing"))?;
    let scope = asked.text("scope")?;
    let brought = ClientRefreshToken::parse(&text).ok_or(TokenRefusal::Grant("the token is none of ours"))?;
    let key = brought.grant().key();
    let mut renewable = Renewable::read(asked, &brought, &key).await?;
    let (_, pepper) = asked.session(&renewable.grant).await?;
    let wrapper = Wrapper::RefreshToken(&renewable.good);
    let data_key = DataKey::unwrapped(wrapper, &pepper, &key, &renewable.refresh.key);
    let data_key = data_key.ok_or(TokenRefusal::Grant("the token does not open the grant"))?;
    let granted = asked.granted(&key, &renewable.grant, &data_key)?;
    // The nonce was the first ID token's (OpenID Connect Core §12.2).
    let granted = Granted { nonce: None, ..granted };
    let granted = narrowed(asked, granted, scope.as_deref())?;

    let issued = asked.sign(brought.grant(), &granted, &data_key, &pepper).await?;
    for _ in 0..MOST_TRIES {
        let next = renewable.next(asked, &brought);
        let refresh = match &next {
            None => Some(renewable.refresh.clone()),
            Some(next) => {
                let opener = data_key.wrapped(Wrapper::RefreshToken(next), &pepper, &key, random::bytes());
                let until = asked.now.plus(SUCCESSION);
                let successor = brought.seal(next, &key, random::bytes());
                opener.zip(successor).map(|(key, successor)| {
                    let gave_way = SpentToken { digest: brought.digest(), successor, until };
                    StoredRefresh {
                        digest: next.digest(),
                        key,
                        family: next.family(),
                        spent: renewable.refresh.spent_with(gave_way, asked.now),
                    }
                })
            }
        };
        let renewal = Renewal {
            version: renewable.grant.version,
            access: renewable.grant.with_access(issued.access.clone(), asked.now),
            id_tokens: renewable.grant.with_id_token(issued.id_token.digest()),
            refresh: refresh.ok_or(TokenRefusal::Grant("the grant cannot be sealed"))?,
            at: asked.now,
        };
        if asked.function.sessions.renew(&key, &renewal).await? {
            let told = next.unwrap_or(renewable.good).expose();
            return Ok(issued.answer(&REFRESHED, &granted.scope, Some(&told)));
        }
        renewable = Renewable::read(asked, &brought, &key).await?;
    }
    Err(store::Error::Contended.into())
}

/// A grant, as it was read, that the token which was brought renews.
struct Renewable {
    grant: StoredGrant,
    refresh: StoredRefresh,
    /// The token that is good.
    good: ClientRefreshToken,
}

impl Renewable {
    /// Reads it; whoever brings a token that gave way to another one ends it.
    async fn read(
        asked: &AuthenticatedRequest<'_>,
        brought: &ClientRefreshToken,
        key: &GrantKey,
    ) -> Result<Self, TokenRefusal> {
        let is_its =
            |grant: &StoredGrant| grant.refresh.as_ref().is_some_and(|refresh| refresh.has_issued(brought));
        let grant = asked.grant(key, is_its, TokenRefusal::RefreshReused).await?;
        let refresh = grant.refresh.clone().ok_or(TokenRefusal::Grant("the grant has no refresh token"))?;
        if !asked.client.refresh {
            return Err(TokenRefusal::Grant("the client is given refresh tokens no more"));
        }
        let Some(good) = refresh.good_for(brought, key, asked.now) else {
            return Err(asked
                .end(TokenRefusal::RefreshReused, "the token gave way to another one", key, &grant)
                .await);
        };
        Ok(Self { grant, refresh, good })
    }

    /// The token that takes the place of the one that was brought; `None` if that one stays, or gave way already.
    fn next(
        &self,
        asked: &AuthenticatedRequest<'_>,
        brought: &ClientRefreshToken,
    ) -> Option<ClientRefreshToken> {
        let is_replaced = !asked.client.is_confidential() && self.refresh.digest == brought.digest();
        is_replaced.then(|| brought.successor(random::bytes()))
    }
}

/// The same grant with fewer scopes ([RFC 6749 §6](https://www.rfc-editor.org/rfc/rfc6749#section-6)). What the
/// authorization ignored is ignored here too: libraries send the scopes they are set to with each request.
fn narrowed(
    asked: &AuthenticatedRequest<'_>,
    granted: Granted,
    scope: Option<&str>,
) -> Result<Granted, TokenRefusal> {
    let Some(scope) = scope else { return Ok(granted) };
    let has = |name: &&str| granted.scope.has(name);
    let api = granted.api(&asked.issuing.provider);
    let names: Vec<&str> = scope.split(' ').filter(|name| has(name) || is_known_scope(name, api)).collect();
    if !names.contains(&"openid") || !names.iter().all(has) {
        return Err(TokenRefusal::Scope);
    }
    Ok(granted.narrowed_to(ScopeList::new(names)))
}
