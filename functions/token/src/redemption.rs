//! `POST /oauth2/token`: a code is redeemed for tokens, once.
//!
//! The guards, in the order they run; nothing is written before the last:
//!
//! 1. The client shows who it is ([`client`](crate::client)).
//! 2. The code is one that was issued. Its grant is known to every API, as `sid`: a guess ends nobody's grant.
//! 3. The grant is this client's. Whoever else brings its code has seen what he was not to see: the grant ends.
//! 4. It was not redeemed before. If it was, somebody has it twice: the grant ends, and with it the tokens of the first.
//! 5. The session that it came from is still there.
//! 6. `redirect_uri` is the one that the code was sent to, and `code_verifier` proves the challenge. If not, the code stays
//!    good: only who has both can spend it.
//! 7. One conditional write makes it redeemed (`store/grant.rs`).

use http::{Method, StatusCode};
use login::random;
use login::session::Pepper;
use login::time::Timestamp;
use openid_connect::client::Client;
use openid_connect::grant::{
    Code, DataKey, GrantKey, Redemption, RedemptionId, StoredAccess, StoredGrant, Wrapper,
};
use openid_connect::jws::Type;
use openid_connect::pkce;
use serde::Serialize;
use store::Redeemed;
use web::cors::{Caller, without_credentials};
use web::outcome::Report;
use web::query::Query;
use web::request::{Form, Request};
use web::response::{self, Response};

use crate::client::{self, OauthError};
use crate::refusal::{
    CLIENT_REFUSED, CODE_REUSED, GRANT_REFUSED, INVALID_REQUEST, REDEEMED, SIGNING_UNAVAILABLE,
    STORE_UNAVAILABLE,
};
use crate::{Issuing, Token};

/// The answer ([OpenID Connect Core §3.1.3.3](https://openid.net/specs/openid-connect-core-1_0.html#TokenResponse)).
#[derive(Serialize)]
struct Answer<'a> {
    access_token: &'a str,
    token_type: &'static str,
    /// Seconds.
    expires_in: u64,
    scope: &'a str,
    id_token: &'a str,
}

/// Why there are no tokens: what the client is told, and what the log says.
struct Refused {
    error: OauthError,
    report: Report,
}

impl Refused {
    fn grant(why: &'static str) -> Self {
        Self { error: OauthError::InvalidGrant(NOT_GOOD), report: GRANT_REFUSED.because(why) }
    }

    /// A grant that ended because its code was seen by two.
    fn reused(why: &'static str, revoked: Result<(), store::Error>) -> Self {
        let report = CODE_REUSED.because(why);
        let report = match revoked {
            Ok(()) => report,
            Err(error) => report.with_cause(format_args!("the grant could not be revoked: {error}")),
        };
        Self { error: OauthError::InvalidGrant(NOT_GOOD), report }
    }
}

impl From<OauthError> for Refused {
    fn from(error: OauthError) -> Self {
        let outcome = if matches!(error, OauthError::InvalidClient { .. }) {
            &CLIENT_REFUSED
        } else {
            &INVALID_REQUEST
        };
        Self { error, report: outcome.because(error) }
    }
}

impl From<store::Error> for Refused {
    fn from(error: store::Error) -> Self {
        Self { error: OauthError::Unavailable, report: STORE_UNAVAILABLE.because(error) }
    }
}

impl From<signer::Error> for Refused {
    fn from(error: signer::Error) -> Self {
        Self { error: OauthError::Unavailable, report: SIGNING_UNAVAILABLE.because(error) }
    }
}

/// What every client is told whose code is worth nothing, whatever the cause.
const NOT_GOOD: &str = "the code is unknown, over, used, or was issued for another request";

/// Answers a client. A page on one of a client's own origins may read the answer; a session cookie decides nothing here,
/// so none is asked for.
pub async fn answer(token: &Token, issuing: &Issuing, request: &Request, now: Timestamp) -> Response {
    let origins = || issuing.provider.clients.iter().flat_map(|client| &client.origins);
    let caller = Caller::of(request.headers(), |origin| origins().any(|known| known.as_str() == origin));
    match (request.method(), caller) {
        (&Method::OPTIONS, _) => return without_credentials(caller.preflight(request, "POST")),
        (_, Caller::Foreign) => return without_credentials(caller.refuse(request)),
        (_, Caller::NoOrigin | Caller::Trusted(_)) => {}
    }
    let response = match redeem(token, issuing, request, now).await {
        Ok(response) => response,
        Err(Refused { error, report }) => report.of(error.answer()),
    };
    without_credentials(caller.allow(response))
}

async fn redeem(
    token: &Token,
    issuing: &Issuing,
    request: &Request,
    now: Timestamp,
) -> Result<Response, Refused> {
    let form = Form::of(request).ok_or(OauthError::InvalidRequest("the body is no form, or too long"))?;
    let form = Query::of_form(form);
    let client = client::authenticate(&issuing.provider, request, form)?;
    let text = |name| {
        form.one(name)
            .map_err(|_| OauthError::InvalidRequest("a parameter is there twice, or not encoded right"))
    };
    match text("grant_type")?.as_deref() {
        Some("authorization_code") => {}
        None => return Err(OauthError::InvalidRequest("grant_type is missing").into()),
        Some(_) => return Err(OauthError::UnsupportedGrantType.into()),
    }
    let code = text("code")?.ok_or(OauthError::InvalidRequest("code is missing"))?;
    let redirect_uri = text("redirect_uri")?.ok_or(OauthError::InvalidRequest("redirect_uri is missing"))?;
    let verifier = text("code_verifier")?;

    let code = Code::parse(&code).ok_or_else(|| Refused::grant("the code is none of ours"))?;
    let key = code.grant().key();
    let grant = grant(token, client, &code, &key, now).await?;
    let session = token.sessions.session(&grant.session, now).await?;
    let session = session.filter(|session| session.refused_at.is_none());
    let session = session.ok_or_else(|| Refused::grant("the session is over"))?;
    let pepper = session.pepper.as_ref().ok_or_else(|| Refused::grant("the session is over"))?;
    let code_key = grant.code_key.as_ref().ok_or_else(|| Refused::grant("the grant is revoked"))?;

    let data_key = DataKey::unwrapped(Wrapper::Code(&code), pepper, &key, code_key);
    let data_key = data_key.ok_or_else(|| Refused::grant("the code does not open the grant"))?;
    let granted =
        data_key.open(&key, &grant.claims).ok_or_else(|| Refused::grant("the grant cannot be read"))?;
    if granted.redirect_uri != redirect_uri {
        return Err(Refused::grant("redirect_uri is another one than in the request"));
    }
    if !pkce::is_proved(granted.challenge.as_deref(), verifier.as_deref()) {
        return Err(Refused::grant("code_verifier does not prove the challenge"));
    }

    let (provider, signer, id) = (&issuing.provider, &issuing.signer, code.grant());
    let (claims, kind, lifetime) = granted.access_token(provider, client, id, now, random::bytes());
    let access_token = signer.sign(kind, &claims, now).await?;
    let claims = granted.id_token(provider, client, id, now, &access_token);
    let id_token = signer.sign(Type::Jwt, &claims, now).await?;

    let redemption = Redemption {
        id: RedemptionId::new(random::bytes()),
        access: access(
            &access_token,
            &data_key,
            pepper,
            &key,
            now.plus(std::time::Duration::from_secs(lifetime)),
        )?,
        id_token: id_token.digest(),
        at: now,
        expires_at: session.expires_at,
    };
    match token.sessions.redeem(&key, client.name.as_str(), code_key, &redemption).await? {
        Redeemed::Now => {}
        Redeemed::Before => {
            let revoked = token.sessions.revoke_grant(&key, now).await;
            return Err(Refused::reused("the code was redeemed at the same time", revoked));
        }
    }
    let answer = Answer {
        access_token: access_token.expose(),
        token_type: "Bearer",
        expires_in: lifetime,
        scope: &granted.scope,
        id_token: id_token.expose(),
    };
    Ok(REDEEMED.of(client::no_store(response::json(StatusCode::OK, &answer))))
}

/// Guards 2 to 4.
async fn grant(
    token: &Token,
    client: &Client,
    code: &Code,
    key: &GrantKey,
    now: Timestamp,
) -> Result<StoredGrant, Refused> {
    let grant = token.sessions.grant(key, now).await?;
    let grant = grant.ok_or_else(|| Refused::grant("the grant is unknown or over"))?;
    if grant.code != code.digest() {
        return Err(Refused::grant("the code was never issued"));
    }
    let seen_by_two = if grant.client != client.name.as_str() {
        "another client brings the code"
    } else if grant.redeemed_by.is_some() {
        "the code was redeemed before"
    } else {
        return Ok(grant);
    };
    let revoked = if grant.is_revoked { Ok(()) } else { token.sessions.revoke_grant(key, now).await };
    Err(Refused::reused(seen_by_two, revoked))
}

/// What the grant remembers of an access token.
fn access(
    token: &openid_connect::jws::Token,
    data_key: &DataKey,
    pepper: &Pepper,
    key: &GrantKey,
    expires_at: Timestamp,
) -> Result<StoredAccess, Refused> {
    let wrapped = data_key.wrapped(Wrapper::AccessToken(token.expose()), pepper, key, random::bytes());
    let wrapped = wrapped.ok_or_else(|| Refused::grant("the grant cannot be sealed"))?;
    Ok(StoredAccess { digest: token.digest(), key: wrapped, expires_at })
}
