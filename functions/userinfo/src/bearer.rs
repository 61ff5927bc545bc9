//! `/oauth2/userinfo`: what a client was granted, to whoever holds the access token
//! ([OpenID Connect Core §5.3](https://openid.net/specs/openid-connect-core-1_0.html#UserInfo)).
//!
//! No key is needed to judge the token, and WeChat is not asked. The token says of which grant it is; the grant knows
//! the token's digest, and its claims open with the token and the pepper of its session. So a token that was changed in
//! one letter, that is over, or whose session has ended, opens nothing. A cookie decides nothing here.

use http::{HeaderMap, Method, StatusCode, header};
use login::Digest;
use login::time::Timestamp;
use openid_connect::Provider;
use openid_connect::grant::{DataKey, Wrapper, scope_of, sid_of};
use store::Sessions;
use web::cors::{Caller, without_credentials};
use web::outcome::{Report, Verdict};
use web::reason::Reason;
use web::request::Request;
use web::response::{self, Response};

use crate::refusal::{BEARER_SHOWN, Refusal};

/// Where it is.
pub const USER_INFO: &str = "/oauth2/userinfo";

/// Answers whoever asks.
pub async fn answer(sessions: &Sessions, provider: &Provider, request: &Request, now: Timestamp) -> Response {
    let caller = caller(provider, request);
    let response = match (request.method(), caller) {
        (&Method::OPTIONS, _) => caller.preflight(request, "GET, POST"),
        (_, Caller::Foreign) => caller.refuse(request),
        (_, Caller::NoOrigin | Caller::Trusted(_)) => {
            let shown = show(sessions, provider, request, now).await;
            caller.allow(shown.unwrap_or_else(|error| refuse(&Refusal::Store(error))))
        }
    };
    without_credentials(response)
}

/// Answers when the time is over, or a defect shows: whoever may read the rest may read that it is worth another try.
pub fn interrupted(provider: &Provider, request: &Request, reason: Reason) -> Response {
    let response = response::with_header(response::empty(reason.status()), header::RETRY_AFTER, "1");
    without_credentials(caller(provider, request).allow(response))
}

fn caller<'a>(provider: &Provider, request: &'a Request) -> Caller<'a> {
    Caller::of(request.headers(), |origin| provider.trusts(origin))
}

async fn show(
    sessions: &Sessions,
    provider: &Provider,
    request: &Request,
    now: Timestamp,
) -> Result<Response, store::Error> {
    let token = match bearer(request.headers()) {
        Ok(token) => token,
        Err(refusal) => return Ok(refuse(&refusal)),
    };
    let invalid = |why| Ok(refuse(&Refusal::InvalidToken(why)));
    let Some(id) = sid_of(token) else { return invalid("the token is none of ours") };
    let key = id.key();
    let Some(grant) = sessions.grant(&key, now).await? else { return invalid("its grant is over") };
    let invalid = |why| invalid(why).map(|refused| Report::for_client(refused, grant.client.as_str()));
    let digest = Digest::of(token.as_bytes());
    let access = grant.access.iter().find(|access| access.digest == digest && access.expires_at > now);
    let Some(access) = access.filter(|_| !grant.is_revoked) else {
        return invalid("it is over, revoked or was never issued");
    };
    let session = sessions.session(&grant.session, now).await?;
    let Some(pepper) = session.and_then(|session| session.pepper) else {
        return invalid("its session is over");
    };
    let opened = DataKey::unwrapped(Wrapper::AccessToken(token), &pepper, &key, &access.key);
    let granted = opened.and_then(|data_key| data_key.open(&key, &grant.claims));
    // A renewal may have asked for a token that shows less than was granted.
    let granted = granted.zip(scope_of(token)).map(|(granted, scope)| granted.narrowed_to(scope));
    match granted.zip(provider.client(grant.client.as_str())) {
        Some((granted, client)) => {
            let shown = BEARER_SHOWN.of(response::json(StatusCode::OK, &granted.user_info(client)));
            Ok(Report::for_client(shown, grant.client.as_str()))
        }
        None => invalid("it opens nothing, or its client is not there any more"),
    }
}

/// The token of the one `Authorization` header ([RFC 6750 §2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1)).
///
/// API Gateway makes one header of two, with a comma between them: no token has one.
fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut headers = headers.get_all(header::AUTHORIZATION).iter();
    let only = match (headers.next(), headers.next()) {
        (None, _) => return Err(Refusal::NoBearer),
        (Some(only), None) => only.to_str().map_err(|_| Refusal::MalformedBearer)?,
        (Some(_), Some(_)) => return Err(Refusal::MalformedBearer),
    };
    let (scheme, token) = only.split_once(' ').unwrap_or((only, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Refusal::NoBearer);
    }
    let token = token.trim();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if token.is_empty() || !token.bytes().all(is_plain) { Err(Refusal::MalformedBearer) } else { Ok(token) }
}

/// Says no in the header that a client reads ([RFC 6750 §3](https://www.rfc-editor.org/rfc/rfc6750#section-3)). Who
/// showed nothing is told of no error.
fn refuse(refusal: &Refusal) -> Response {
    let Verdict { outcome, reason } = refusal.judge();
    let (header, value) = match refusal {
        Refusal::NoBearer => (header::WWW_AUTHENTICATE, "Bearer realm=\"userinfo\""),
        Refusal::MalformedBearer => {
            (header::WWW_AUTHENTICATE, "Bearer realm=\"userinfo\", error=\"invalid_request\"")
        }
        Refusal::InvalidToken(_) => {
            (header::WWW_AUTHENTICATE, "Bearer realm=\"userinfo\", error=\"invalid_token\"")
        }
        _ => (header::RETRY_AFTER, "1"),
    };
    refusal.report(outcome).of(response::with_header(response::empty(reason.status()), header, value))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_token_stands_alone_in_one_header() {
        let read = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
            }
            bearer(&headers).map(str::to_owned)
        };
        for good in ["Bearer a.b-c_d~e+f/g==", "bearer  a.b-c_d~e+f/g==", "BEARER a.b-c_d~e+f/g== "] {
            assert_eq!(read(&[good]).ok().as_deref(), Some("a.b-c_d~e+f/g=="), "{good}");
        }
        for none in [&[][..], &["Basic YTpi"], &["Bear er"]] {
            assert!(matches!(read(none), Err(Refusal::NoBearer)), "{none:?}");
        }
        for malformed in
            [&["Bearer a", "Bearer a"][..], &["Basic YTpi", "Bearer a"], &["Bearer a,b"], &["Bearer"]]
        {
            assert!(matches!(read(malformed), Err(Refusal::MalformedBearer)), "{malformed:?}");
        }
    }
}
