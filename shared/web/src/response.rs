//! What a function answers: redirects, pages and JSON, each safe by default.
//!
//! [`secure`] is applied to every response on its way out, so that no route can forget a header; a
//! page loosens only what it needs, by a `Policy` of its own.

use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::page;
use crate::policy::Policy;
use crate::reason::Reason;
use crate::request::{CorrelationId, Request, wants_page};

/// A response.
pub type Response = http::Response<String>;

/// An answer without a body.
#[must_use]
pub fn empty(status: StatusCode) -> Response {
    with_type(status, None, String::new())
}

/// A redirect; `location` is an absolute URL that a parser has written.
#[must_use]
pub fn redirect(status: StatusCode, location: &str) -> Response {
    let mut response = empty(status);
    match HeaderValue::from_str(location) {
        Ok(location) => {
            response.headers_mut().insert(header::LOCATION, location);
            response
        }
        // A serialised URL is printable ASCII, so there is no such location.
        Err(_) => empty(Reason::Unexpected.status()),
    }
}

/// A page.
#[must_use]
pub fn html(status: StatusCode, body: String) -> Response {
    with_type(status, Some("text/html; charset=utf-8"), body)
}

/// A plain text file.
#[must_use]
pub fn text(status: StatusCode, body: String) -> Response {
    with_type(status, Some("text/plain; charset=utf-8"), body)
}

/// A file of this content type.
#[must_use]
pub fn file(kind: &'static str, body: String) -> Response {
    with_type(StatusCode::OK, Some(kind), body)
}

/// That a body is base64 of what is to be sent.
#[derive(Debug, Clone, Copy)]
pub struct InBase64;

/// Says that the body is base64 of what is to be sent, which API Gateway then sends: it takes bytes in no other way.
#[must_use]
pub fn in_base64(mut response: Response) -> Response {
    response.extensions_mut().insert(InBase64);
    response
}

/// A JSON document.
#[must_use]
pub fn json<T: Serialize>(status: StatusCode, body: &T) -> Response {
    json_as("application/json; charset=utf-8", status, body)
}

/// What a problem document says besides, so that a page can go on.
#[derive(Debug, Default, Serialize)]
pub struct Offer<'a> {
    /// Where a login would begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorize_url: Option<&'a str>,
    /// The login that would add what is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upgrade_url: Option<&'a str>,
    /// What name and photo would be for, where the site says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent_purpose: Option<&'a str>,
}

/// A problem document ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)) for a script.
#[must_use]
pub fn problem(reason: Reason, correlation_id: &CorrelationId, offer: Offer<'_>) -> Response {
    #[derive(Serialize)]
    struct Problem<'a> {
        #[serde(rename = "type")]
        kind: String,
        title: &'static str,
        status: u16,
        detail: &'static str,
        correlation_id: &'a str,
        #[serde(flatten)]
        offer: Offer<'a>,
    }
    let [title, detail] = reason.problem();
    let problem = Problem {
        kind: reason.problem_type(),
        title,
        status: reason.status().as_u16(),
        detail,
        correlation_id: correlation_id.as_str(),
        offer,
    };
    json_as("application/problem+json; charset=utf-8", reason.status(), &problem)
}

/// Lets everybody read a document that says nothing of anybody, from any page and for an hour.
#[must_use]
pub fn public(response: Response) -> Response {
    let response = with_header(response, header::CACHE_CONTROL, "public, max-age=3600");
    let response = with_header(response, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    with_header(response, HeaderName::from_static("cross-origin-resource-policy"), "cross-origin")
}

/// Says no, where nobody was logging in, in the form that was asked for: a page for a person, a problem document for a
/// script.
#[must_use]
pub fn refuse(request: &Request, reason: Reason) -> Response {
    if wants_page(request.headers()) {
        page::notice_elsewhere(request, reason)
    } else {
        problem(reason, &CorrelationId::of(request), Offer::default())
    }
}

/// Adds a `Set-Cookie` line.
#[must_use]
pub fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Sets a header whose value is a constant or has been checked.
#[must_use]
pub fn with_header(mut response: Response, name: HeaderName, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
    response
}

/// Gives a page a window of its own: no other page reaches it, and it reaches none.
#[must_use]
pub fn alone(response: Response) -> Response {
    with_header(response, HeaderName::from_static("cross-origin-opener-policy"), "same-origin")
}

/// Gives a response everything that every response must carry, without replacing what it chose itself.
///
/// `Cross-Origin-Opener-Policy` is on the profile page and the home page alone ([`alone`]): on any page from which a
/// login goes on, or on a redirect, it would cut the window that a page opened for the login off from that page.
pub fn secure(response: &mut Response, correlation_id: &CorrelationId) {
    let is_busy = response.status() == StatusCode::SERVICE_UNAVAILABLE;
    let policy = response.extensions().get().and_then(Policy::to_header);
    let headers = response.headers_mut();
    for (name, value) in [
        ("cache-control", "no-store"),
        ("cross-origin-resource-policy", "same-origin"),
        ("referrer-policy", "no-referrer"),
        ("strict-transport-security", "max-age=63072000"),
        ("x-content-type-options", "nosniff"),
        ("x-robots-tag", "noindex"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if let Some(policy) = policy.or_else(|| Policy::default().to_header()) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    if is_busy {
        headers.entry(header::RETRY_AFTER).or_insert(HeaderValue::from_static("10"));
    }
    if let Ok(value) = HeaderValue::from_str(correlation_id.as_str()) {
        headers.insert("x-correlation-id", value);
    }
}

fn json_as<T: Serialize>(kind: &'static str, status: StatusCode, body: &T) -> Response {
    match serde_json::to_string(body) {
        Ok(body) => with_type(status, Some(kind), body),
        // Our own types always serialise.
        Err(_) => empty(Reason::Unexpected.status()),
    }
}

fn with_type(status: StatusCode, kind: Option<&'static str>, body: String) -> Response {
    let mut response = http::Response::new(body);
    *response.status_mut() = status;
    if let Some(kind) = kind {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    #[test]
    fn every_response_is_made_safe_and_keeps_what_it_chose() {
        let id = CorrelationId::parse("id-1").unwrap();
        let mut response = with_header(empty(StatusCode::OK), header::REFERRER_POLICY, "same-origin");
        secure(&mut response, &id);
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        assert_eq!(header("cache-control"), Some("no-store"));
        assert_eq!(header("content-security-policy"), Some(NOTHING));
        assert_eq!(header("referrer-policy"), Some("same-origin"));
        assert_eq!(header("x-correlation-id"), Some("id-1"));
        assert_eq!(header("retry-after"), None);
    }

    #[test]
    fn a_policy_is_written_and_what_no_header_can_hold_allows_nothing() {
        let policy_of = |form_action: &str| {
            let mut response = empty(StatusCode::OK);
            let form_action = form_action.to_owned();
            response.extensions_mut().insert(Policy { form_action, ..Policy::default() });
            secure(&mut response, &CorrelationId::parse("id-1").unwrap());
            response.headers().get(header::CONTENT_SECURITY_POLICY).cloned()
        };
        assert_eq!(policy_of("'self'").unwrap(), NOTHING.replace("form-action 'none'", "form-action 'self'"));
        assert_eq!(policy_of("'self' a\n").unwrap(), NOTHING);
    }

    #[test]
    fn a_busy_answer_says_when_to_come_back() {
        let mut response = empty(StatusCode::SERVICE_UNAVAILABLE);
        secure(&mut response, &CorrelationId::parse("id-1").unwrap());
        assert_eq!(response.headers().get("retry-after").unwrap(), "10");
    }
}
