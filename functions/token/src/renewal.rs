//! A refresh token brings new tokens, as long as the session is there.
//!
//! Whether it is replaced depends on who holds it. A client with a secret keeps its token: load balancers and libraries
//! renew from several places at once, and a token that is good once would log their people out. A public client gets
//! another token each time ([RFC 9700 §4.14.2](https://www.rfc-editor.org/rfc/rfc9700#section-4.14.2)):
//!
//! ```text
//!   tab A ── token 1 ──►  token 2 takes its place
//!   tab B ── token 1 ──►  within 30 s: token 2 as well, which token 1 opens
//!   thief ── token 1 ──►  later: the grant ends
//! ```
//!
//! The guards, in the order they run: the client shows who it is; the token is one that was issued, and this client's;
//! it is the one that is good, or led there a moment ago; the session is there; `scope` asks for no more than was
//! granted.

use login::random;
use openid_connect::grant::{
    ClientRefreshToken, DataKey, GrantKey, Granted, MOST_REMEMBERED, Renewal, SUCCESSION, StoredGrant,
    StoredRefresh, Wrapper,
};
use openid_connect::parameter::ScopeList;
use web::response::Response;

use crate::endpoint::AuthenticatedRequest;
use crate::refusal::{REFRESHED, TokenRefusal};

/// How often a renewal is tried again that met another one.
const MOST_TRIES: usize = 4;

/// Renews tokens.
pub async fn renew(asked: &AuthenticatedRequest<'_>) -> Result<Response, TokenRefusal> {
    let text = asked.text("refresh_token")?.ok_or(TokenRefusal::Request("refresh_token is missing"))?;
    let scope = asked.text("scope")?;
    let token = ClientRefreshToken::parse(&text).ok_or(TokenRefusal::Grant("the token is none of ours"))?;
    let key = token.grant().key();
    for _ in 0..MOST_TRIES {
        if let Some(response) = try_once(asked, &token, &key, scope.as_deref()).await? {
            return Ok(response);
        }
    }
    Err(store::Error::Unavailable { operation: "UpdateItem", code: "Contended".to_owned() }.into())
}

/// Renews them over the version that is there; `None` if another one came first.
async fn try_once(
    asked: &AuthenticatedRequest<'_>,
    brought: &ClientRefreshToken,
    key: &GrantKey,
    scope: Option<&str>,
) -> Result<Option<Response>, TokenRefusal> {
    let digest = brought.digest();
    let is_its = |grant: &StoredGrant| {
        grant
            .refresh
            .as_ref()
            .is_some_and(|refresh| refresh.digest == digest || refresh.spent.contains(&digest))
    };
    let grant = asked.grant(key, is_its, TokenRefusal::RefreshReused).await?;
    let refresh = grant.refresh.as_ref().ok_or(TokenRefusal::Grant("the grant has no refresh token"))?;
    if !asked.client.refresh {
        return Err(TokenRefusal::Grant("the client is given refresh tokens no more"));
    }
    let Some(good) = good(asked, brought, key, refresh) else {
        return Err(asked
            .end(TokenRefusal::RefreshReused, "the token gave way to another one", key, &grant)
            .await);
    };
    let (_, pepper) = asked.session(&grant).await?;
    let data_key = DataKey::unwrapped(Wrapper::RefreshToken(&good), &pepper, key, &refresh.key);
    let data_key = data_key.ok_or(TokenRefusal::Grant("the token does not open the grant"))?;
    let granted = data_key.open(key, &grant.claims).ok_or(TokenRefusal::Grant("the grant cannot be read"))?;
    // The nonce was the first ID token's (OpenID Connect Core §12.2).
    let granted = Granted { nonce: None, ..granted };
    let granted = narrowed(granted, scope)?;

    let issued = asked.sign(brought.grant(), &granted, &data_key, &pepper).await?;
    let is_replaced = !asked.client.is_confidential() && good.digest() == digest;
    let next = is_replaced.then(|| ClientRefreshToken::new(brought.grant(), random::bytes()));
    let refresh = match &next {
        None => refresh.clone(),
        Some(next) => {
            let sealed = |sealed: Option<_>| sealed.ok_or(TokenRefusal::Grant("the grant cannot be sealed"));
            let mut spent = [&refresh.spent[..], &[digest]].concat();
            let over = spent.len().saturating_sub(MOST_REMEMBERED);
            StoredRefresh {
                digest: next.digest(),
                key: sealed(data_key.wrapped(Wrapper::RefreshToken(next), &pepper, key, random::bytes()))?,
                spent: spent.split_off(over),
                successor: Some((
                    sealed(brought.seal(next, key, random::bytes()))?,
                    asked.now.plus(SUCCESSION),
                )),
            }
        }
    };
    let renewal = Renewal {
        version: grant.version,
        access: grant.with_access(issued.access.clone(), asked.now),
        id_tokens: grant.with_id_token(issued.id_token.digest()),
        refresh,
        at: asked.now,
    };
    if !asked.token.sessions.renew(key, &renewal).await? {
        return Ok(None);
    }
    let told = next.unwrap_or(good).expose();
    Ok(Some(issued.answer(&REFRESHED, &granted.scope, Some(&told))))
}

/// The token that is good: the one that was brought, or the one that took its place a moment ago.
fn good(
    asked: &AuthenticatedRequest<'_>,
    brought: &ClientRefreshToken,
    key: &GrantKey,
    refresh: &StoredRefresh,
) -> Option<ClientRefreshToken> {
    let digest = brought.digest();
    if refresh.digest == digest {
        return Some(brought.clone());
    }
    let (sealed, until) = refresh.successor.as_ref()?;
    let is_the_last = refresh.spent.last() == Some(&digest) && *until > asked.now;
    brought.open(key, sealed).filter(|_| is_the_last)
}

/// The same grant with fewer scopes ([RFC 6749 §6](https://www.rfc-editor.org/rfc/rfc6749#section-6)).
fn narrowed(granted: Granted, scope: Option<&str>) -> Result<Granted, TokenRefusal> {
    let Some(scope) = scope else { return Ok(granted) };
    let has = |name: &&str| granted.scope.has(name);
    let asked: Vec<&str> = scope.split(' ').filter(|name| !name.is_empty()).collect();
    if !asked.contains(&"openid") || !asked.iter().all(has) {
        return Err(TokenRefusal::Scope);
    }
    Ok(granted.narrowed_to(ScopeList::new(asked)))
}
