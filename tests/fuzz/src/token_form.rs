//! Who asks the token endpoint: a client shows its secret in one way, and is taken for nobody else.
//!
//! The input is the value of an `Authorization` header, a line feed, and the body. Without a line feed there is no
//! header. The reference reads the form with the `form_urlencoded` crate and the header with that of
//! [`basic`](mod@crate::basic), and knows the clients by heart.

use http::{HeaderValue, Request, header};
use openid_connect::authorization::Unreadable;
use token::{TokenRefusal, authenticate};
use web::query::Query;

use crate::basic;
use crate::provider::{PROVIDER, SECRET};
use crate::query::is_whole;

/// What an input may be made of.
pub const WORDS: &[&str] = &[
    "client_id=web",
    "client_id=admin",
    "client_id=phone",
    "client_id=nobody",
    "client_id=",
    "client%5Fid=web",
    "client_secret=canary%3A+of+%2B+admin%25",
    "client_secret=",
    "client_secret=x",
    "client_secr%65t=x",
    "&",
    "grant_type=authorization_code",
    "code=x",
    "%zz",
    "%ff",
    "+",
    "\n",
    "Basic YWRtaW46Y2FuYXJ5JTNBK29mKyUyQithZG1pbiUyNQ==",
    "Basic d2ViOg==",
    "Basic d2ViOng=",
    "Basic YWRtaW46",
    "Bearer x",
];

/// Tries one request.
///
/// # Panics
///
/// When somebody is taken for a client that he has not shown to be, or a client for nobody.
pub fn run(input: &[u8]) {
    let at = input.iter().position(|byte| *byte == b'\n');
    let (authorization, form) = match at.and_then(|at| input.split_at_checked(at)) {
        Some((authorization, form)) => (Some(authorization), form.get(1..).unwrap_or_default()),
        None => (None, input),
    };
    let Ok(form) = std::str::from_utf8(form) else { return };
    let mut request = Request::new(());
    if let Some(authorization) = authorization {
        let Ok(value) = HeaderValue::from_bytes(authorization) else { return };
        request.headers_mut().insert(header::AUTHORIZATION, value);
    }
    let told = authenticate(&PROVIDER, &request, Query::of_form(form));
    let expected = reference(authorization, form);
    match (told, &expected) {
        (Ok(client), Ok(name)) => assert_eq!(client.name.as_str(), name, "{form:?}"),
        (Err(TokenRefusal::Request(_)), Err(true)) | (Err(TokenRefusal::Client), Err(false)) => {}
        (told, _) => unreachable!("{told:?}, and not {expected:?}: {form:?}"),
    }
}

/// The client that asks; or whether it is the request that is wrong.
fn reference(authorization: Option<&[u8]>, form: &str) -> Result<String, bool> {
    let [name, secret] = ["client_id", "client_secret"].map(|name| parameter(form, name));
    let (name, secret) = (name.map_err(|Unreadable| true)?, secret.map_err(|Unreadable| true)?);
    let (name, secret) = match authorization {
        None => (name.ok_or(true)?, secret),
        Some(_) if secret.is_some() => return Err(true),
        Some(header) => {
            let (basic, secret) = basic::reference(header).ok_or(false)?;
            if name.is_some_and(|name| name != basic) {
                return Err(true);
            }
            (basic, Some(secret).filter(|secret| !secret.is_empty()))
        }
    };
    let is_right = match &*name {
        "web" | "phone" => secret.is_none(),
        "admin" => secret.as_deref() == Some(SECRET),
        _ => false,
    };
    if is_right { Ok(name) } else { Err(false) }
}

/// A parameter of a form; an error if it is there twice, or not encoded right.
pub(crate) fn parameter(form: &str, name: &str) -> Result<Option<String>, Unreadable> {
    let pairs = form.split('&').filter(|pair| !pair.is_empty());
    let mut found =
        pairs.zip(form_urlencoded::parse(form.as_bytes())).filter(|(_, (known, _))| known == name);
    let (first, second) = (found.next(), found.next());
    let Some((pair, (_, value))) = first else { return Ok(None) };
    let raw = pair.split_once('=').map_or("", |(_, raw)| raw);
    if second.is_some() || !is_whole(raw) {
        return Err(Unreadable);
    }
    Ok(Some(value.into_owned()).filter(|value| !value.is_empty()))
}
