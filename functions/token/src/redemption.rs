//! A code is redeemed for tokens, once.
//!
//! The guards, in the order they run; nothing is written before the last:
//!
//! 1. The client shows who it is ([`client`](crate::client)).
//! 2. The code is one that was issued. Its grant is known to every API, as `sid`: a guess ends nobody's grant.
//! 3. The grant is this client's. Whoever else brings its code has seen what he was not to see: the grant ends.
//! 4. It was not redeemed before. If it was, somebody has it twice: the grant ends, and with it the tokens of the
//!    first.
//! 5. The session that it came from is still there.
//! 6. `redirect_uri` is the one that the code was sent to, and `code_verifier` proves the challenge. If not, the code
//!    stays good: only who has both can spend it.
//! 7. One conditional write makes it redeemed (`store/grant.rs`).

use login::random;
use openid_connect::grant::{
    ClientRefreshToken, Code, DataKey, Redemption, RedemptionId, StoredRefresh, Wrapper,
};
use openid_connect::pkce;
use store::Redeemed;
use web::response::Response;

use crate::endpoint::AuthenticatedRequest;
use crate::refusal::{REDEEMED, TokenRefusal};

/// Redeems the code that is brought.
pub async fn redeem(asked: &AuthenticatedRequest<'_>) -> Result<Response, TokenRefusal> {
    let code = asked.text("code")?.ok_or(TokenRefusal::Request("code is missing"))?;
    let redirect_uri = asked.text("redirect_uri")?.ok_or(TokenRefusal::Request("redirect_uri is missing"))?;
    let verifier = asked.text("code_verifier")?;

    let code = Code::parse(&code).ok_or(TokenRefusal::Grant("the code is none of ours"))?;
    let key = code.grant().key();
    let grant = asked.grant(&key, |grant| grant.code == code.digest(), TokenRefusal::CodeReused).await?;
    if grant.redeemed_by.is_some() {
        return Err(asked.end(TokenRefusal::CodeReused, "the code was redeemed before", &key, &grant).await);
    }
    let (session, pepper) = asked.session(&grant).await?;
    let code_key = grant.code_key.as_ref().ok_or(TokenRefusal::Grant("the grant is revoked"))?;

    let data_key = DataKey::unwrapped(Wrapper::Code(&code), &pepper, &key, code_key);
    let data_key = data_key.ok_or(TokenRefusal::Grant("the code does not open the grant"))?;
    let granted = asked.granted(&key, &grant, &data_key)?;
    if granted.redirect_uri.as_str() != redirect_uri {
        return Err(TokenRefusal::Grant("redirect_uri is another one than in the request"));
    }
    if !pkce::is_proved(granted.challenge.as_ref(), verifier.as_deref()) {
        return Err(TokenRefusal::Grant("code_verifier does not prove the challenge"));
    }

    let issued = asked.sign(code.grant(), &granted, &data_key, &pepper).await?;
    let refresh_token = asked.client.refresh.then(|| ClientRefreshToken::new(code.grant(), random::bytes()));
    let refresh = refresh_token.as_ref().map(|token| {
        let wrapped = data_key.wrapped(Wrapper::RefreshToken(token), &pepper, &key, random::bytes());
        let wrapped = wrapped.ok_or(TokenRefusal::Grant("the grant cannot be sealed"))?;
        Ok::<_, TokenRefusal>(StoredRefresh {
            digest: token.digest(),
            key: wrapped,
            family: token.family(),
            spent: Vec::new(),
        })
    });
    let redemption = Redemption {
        id: RedemptionId::new(random::bytes()),
        access: issued.access.clone(),
        id_token: issued.id_token.digest(),
        refresh: refresh.transpose()?,
        at: asked.now,
        expires_at: session.expires_at,
    };
    match asked.function.sessions.redeem(&key, asked.client.name.as_str(), code_key, &redemption).await? {
        Redeemed::Now => {
            let refresh_token = refresh_token.map(|token| token.expose());
            Ok(issued.answer(&REDEEMED, &granted.scope, refresh_token.as_deref()))
        }
        Redeemed::Over => Err(TokenRefusal::Grant("the code ended, or was revoked, in between")),
        Redeemed::Before => Err(asked
            .end(TokenRefusal::CodeReused, "the code was redeemed at the same time", &key, &grant)
            .await),
    }
}
