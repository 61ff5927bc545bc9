//! A client ends a grant ([RFC 7009](https://www.rfc-editor.org/rfc/rfc7009)).
//!
//! Whichever token of it is brought, the whole grant ends: a client that gives back an access token has no use for the
//! rest. A token that is unknown is answered as one that was revoked, for that is what it is to the client.

use http::StatusCode;
use login::Digest;
use openid_connect::grant::{ClientRefreshToken, GrantKey, StoredGrant, sid_of};
use web::response::{self, Response};

use crate::endpoint::AuthenticatedRequest;
use crate::refusal::{REVOKED, TokenRefusal};

/// Ends the grant of the token that is brought, if it is this client's.
pub async fn revoke(asked: &AuthenticatedRequest<'_>) -> Result<Response, TokenRefusal> {
    let text = asked.text("token")?.ok_or(TokenRefusal::Request("token is missing"))?;
    if let Some(key) = key_of(&text) {
        let grant = asked.function.sessions.grant(&key, asked.now).await?;
        let is_its = |grant: &StoredGrant| grant.client == asked.client.name && issued(grant, &text);
        if grant.as_ref().is_some_and(is_its) {
            asked.function.sessions.revoke_grant(&key, asked.now).await?;
        }
    }
    Ok(REVOKED.of(response::empty(StatusCode::OK)))
}

fn key_of(text: &str) -> Option<GrantKey> {
    let refresh = ClientRefreshToken::parse(text).map(|token| token.grant());
    refresh.or_else(|| sid_of(text)).map(openid_connect::grant::GrantId::key)
}

/// Whether the grant issued this token.
fn issued(grant: &StoredGrant, text: &str) -> bool {
    let digest = Digest::of(text.as_bytes());
    let is_access = grant.access.iter().any(|access| access.digest == digest);
    let refresh = grant.refresh.as_ref().zip(ClientRefreshToken::parse(text));
    is_access || refresh.is_some_and(|(refresh, token)| refresh.has_issued(&token))
}
