//! A token for the script of a page, from the session.

use http::StatusCode;
use login::random;
use login::time::Timestamp;
use openid_connect::access_token::PageAccessToken;
use openid_connect::api::Api;
use serde::Serialize;
use web::link::LoginLink;
use web::query::Query;
use web::request::Request;
use web::response::{self, Response};

use crate::refusal::{PAGE_TOKEN, Refusal};
use crate::{Issuing, Token};

/// The answer ([RFC 6749 §5.1](https://www.rfc-editor.org/rfc/rfc6749#section-5.1)).
#[derive(Serialize)]
struct Answer<'a> {
    access_token: &'a str,
    token_type: &'static str,
    /// Seconds.
    expires_in: u64,
}

/// Guards 2 to 4, and the token.
pub async fn issue(
    function: &Token,
    issuing: &Issuing,
    request: &Request,
    origin: &str,
    now: Timestamp,
) -> Result<Response, Refusal> {
    let api = api(issuing, request, origin)?;
    let cookie = function.cookies.session(request.headers()).ok_or(Refusal::NoCookie)?;
    let opened = function.sessions.open(&cookie, now).await?;
    let (stored, session) = opened.ok_or(Refusal::NoSession)?;
    let account = function.deployment.accounts.of(&session.app);
    if !account.is_some_and(|account| account.targets.is_trusted_origin(origin)) {
        return Err(Refusal::ForeignAccount);
    }
    let subject = issuing.provider.subject.of(&session).ok_or_else(|| {
        // Which WeChat answers with the unionid, if there is one.
        let login = LoginLink::with_consent(&function.deployment.accounts, &session);
        Refusal::NoSubject { upgrade_url: login.on(function.deployment.public_url.as_str()) }
    })?;
    let claims = PageAccessToken {
        issuer: &issuing.provider.issuer,
        client_id: origin,
        session: &session,
        subject: &subject,
        authenticated_at: stored.created_at,
        now,
        random: random::bytes(),
    };
    let signed = issuing.signer.sign(api.kind, &claims.for_api(api), now).await?;
    let answer =
        Answer { access_token: signed.expose(), token_type: "Bearer", expires_in: api.lifetime.as_secs() };
    Ok(PAGE_TOKEN.of(response::json(StatusCode::OK, &answer)))
}

/// Guard 2: the API that is asked for, or the only one that gives tokens to this page.
fn api<'a>(issuing: &'a Issuing, request: &Request, origin: &str) -> Result<&'a Api, Refusal> {
    let apis = issuing.provider.apis.iter();
    let mut apis = apis.filter(|api| api.origins.iter().any(|allowed| allowed.as_str() == origin));
    match Query::of(request).one("resource").map_err(|_| Refusal::Target)? {
        Some(name) => apis.find(|api| api.identifier.as_str() == name).ok_or(Refusal::Target),
        None => match (apis.next(), apis.next()) {
            (Some(api), None) => Ok(api),
            _ => Err(Refusal::NoTarget),
        },
    }
}
