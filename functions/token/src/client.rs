//! Which client asks, and how it is told that it gets nothing
//! ([RFC 6749 §2.3](https://www.rfc-editor.org/rfc/rfc6749#section-2.3),
//! [§5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2)).
//!
//! A client shows its secret in one way: by HTTP Basic, or in the form. One without a secret says its name. Before a
//! client has shown who it is, no table is read. Secrets are 256 random bits, so their plain digests are compared:
//! nobody guesses them, and no time tells anything of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, StatusCode, header};
use login::Digest;
use openid_connect::Provider;
use openid_connect::client::Client;
use serde::Serialize;
use web::query::{self, Query};
use web::reason::Reason;
use web::request::Request;
use web::response::{self, Response};

use crate::refusal::TokenRefusal;

/// What a client is told that gets nothing: `error` of [RFC 6749
/// §5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2), and its words. Which of them follows from what is one
/// table, [`TokenRefusal::judge`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OauthError {
    /// A parameter is missing, malformed or there twice.
    #[error("{0}")]
    InvalidRequest(&'static str),
    /// No client of ours, or not with this secret.
    #[error("the client is unknown, or its secret is wrong")]
    InvalidClient,
    /// What it brought is worth nothing, whatever the cause.
    #[error("the code or the token is unknown, over, used, or was issued for another request")]
    InvalidGrant,
    /// More than was granted.
    #[error("scope must have openid in it, and nothing that was not granted")]
    InvalidScope,
    /// Another API than the granted one; `invalid_target` of
    /// [RFC 8707 §2](https://www.rfc-editor.org/rfc/rfc8707#section-2).
    #[error("resource is not the API that was granted")]
    InvalidTarget,
    /// Another grant than the ones that are known here.
    #[error("grant_type must be authorization_code or refresh_token")]
    UnsupportedGrantType,
    /// It cannot be answered now; `temporarily_unavailable` of
    /// [RFC 6749 §4.1.2.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1).
    #[error("what this service needs does not answer at the moment")]
    Unavailable,
}

impl OauthError {
    const fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest(_) => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::Unavailable => "temporarily_unavailable",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::InvalidClient => StatusCode::UNAUTHORIZED,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::InvalidRequest(_)
            | Self::InvalidGrant
            | Self::InvalidScope
            | Self::InvalidTarget
            | Self::UnsupportedGrantType => StatusCode::BAD_REQUEST,
        }
    }

    /// The answer.
    #[must_use]
    pub fn answer(self) -> Response {
        #[derive(Serialize)]
        struct Answer {
            error: &'static str,
            error_description: String,
        }
        let answer = Answer { error: self.name(), error_description: self.to_string() };
        let response = no_store(response::json(self.status(), &answer));
        match self {
            // However the secret came: a 401 names a way (RFC 9110 §15.5.2).
            Self::InvalidClient => {
                response::with_header(response, header::WWW_AUTHENTICATE, "Basic realm=\"token\"")
            }
            Self::Unavailable => response::with_header(response, header::RETRY_AFTER, "1"),
            _ => response,
        }
    }
}

/// What is told when the time is over, or a defect shows.
pub fn unavailable(reason: Reason) -> Response {
    let mut response = OauthError::Unavailable.answer();
    *response.status_mut() = reason.status();
    response
}

/// Tells every cache between us and the client to keep nothing
/// ([RFC 6749 §5.1](https://www.rfc-editor.org/rfc/rfc6749#section-5.1)).
pub fn no_store(response: Response) -> Response {
    response::with_header(response, header::PRAGMA, "no-cache")
}

/// The client that sends `form`.
///
/// # Errors
///
/// [`TokenRefusal::Client`], or [`TokenRefusal::Request`] if it shows a secret in two ways.
pub fn authenticate<'a>(
    provider: &'a Provider,
    request: &Request,
    form: Query<'_>,
) -> Result<&'a Client, TokenRefusal> {
    let text =
        |name| form.one(name).map_err(|_| TokenRefusal::Request("client_id or client_secret is malformed"));
    let (name, secret) = (text("client_id")?, text("client_secret")?);
    let mut authorizations = request.headers().get_all(header::AUTHORIZATION).iter();
    let (authorization, more) = (authorizations.next(), authorizations.next());
    let (name, secret) = match authorization {
        None => (name.ok_or(TokenRefusal::Request("client_id is missing"))?, secret),
        Some(_) if secret.is_some() || more.is_some() => {
            return Err(TokenRefusal::Request("the client shows a secret in two ways"));
        }
        Some(authorization) => {
            let (basic, secret) = basic(authorization).ok_or(TokenRefusal::Client)?;
            if name.is_some_and(|name| name != basic) {
                return Err(TokenRefusal::Request("client_id is another one than in the header"));
            }
            // Some libraries of public clients write `client_id:` there.
            (basic, Some(secret).filter(|secret| !secret.is_empty()))
        }
    };
    let client = provider.client(&name).ok_or(TokenRefusal::Client)?;
    let is_right = match secret {
        None => !client.is_confidential(),
        Some(secret) => client.secrets.contains(&Digest::of(secret.as_bytes())),
    };
    if is_right { Ok(client) } else { Err(TokenRefusal::Client) }
}

/// Name and secret of an HTTP Basic header. Both are form-encoded before they are joined, so that a secret may have a
/// colon ([RFC 6749 §2.3.1](https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1)).
#[must_use]
pub fn basic(authorization: &HeaderValue) -> Option<(String, String)> {
    let (scheme, credentials) = authorization.to_str().ok()?.split_once(' ')?;
    let credentials =
        STANDARD.decode(credentials.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let (name, secret) = str::from_utf8(&credentials).ok()?.split_once(':')?;
    Some((query::decode(name)?, query::decode(secret)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_decoded_after_they_are_split() {
        let read = |text: &str| {
            let header = format!("Basic {}", STANDARD.encode(text));
            basic(&HeaderValue::from_str(&header).unwrap())
        };
        let pair = |name: &str, secret: &str| Some((name.to_owned(), secret.to_owned()));
        assert_eq!(read("web:secret"), pair("web", "secret"));
        assert_eq!(read("w%3Ab:s+e%25:t"), pair("w:b", "s e%:t"));
        assert_eq!(read("web"), None);
        assert_eq!(read("web:%zz"), None);
        let header = |text: &str| basic(&HeaderValue::from_str(text).unwrap());
        assert_eq!(header("bAsIc d2ViOng="), pair("web", "x"));
        for text in ["Basic", "Basic web:x", "Bearer d2ViOng=", "Basic /w=="] {
            assert_eq!(header(text), None, "{text}");
        }
    }
}
