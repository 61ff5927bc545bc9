//! API Gateway's payload format 2.0: an HTTP request as an event, an answer as a response.
//!
//! What the service does was taken from its documentation and from published captures of live
//! events. Three habits of it matter to a login and are easy to miss:
//!
//! * The query arrives as it was sent (`rawQueryString`), but the path arrives decoded, in fact
//!   decoded twice and cut at a `?` that the first pass brings to light.
//! * The `Cookie` header is not among the headers, only in `cookies`.
//! * Headers and query parameters that repeat are joined by a comma, so that a single value with a
//!   comma cannot be told from two.

use std::{borrow::Cow, net::SocketAddr, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header, request::Parts},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use crate::{Failure, Result, time};

/// A request that arrived at the gateway and has found its route.
pub struct Arrival<'a> {
    /// Its request line and headers.
    pub parts: &'a Parts,
    /// Its body.
    pub body: &'a Bytes,
    /// The path as the gateway hands it on; see [`decoded_path`].
    pub path: &'a str,
    /// Such as `GET /callback`.
    pub route_key: &'a str,
    /// What the route's `{…}` stand for.
    pub path_parameters: &'a [(String, String)],
    /// Where it came from.
    pub source: SocketAddr,
    /// When.
    pub time: Duration,
    /// The gateway's own id of the request.
    pub request_id: &'a str,
}

impl Arrival<'_> {
    /// The event.
    pub fn to_event(&self) -> Value {
        let headers = &self.parts.headers;
        let query = self.parts.uri.query().unwrap_or_default();
        let host = text_of(headers, &header::HOST).unwrap_or_default();
        let domain = host.split(':').next().unwrap_or_default();
        let mut event = json!({
            "version": "2.0",
            "routeKey": self.route_key,
            "rawPath": self.path,
            "rawQueryString": query,
            "headers": self.headers(),
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "0123456789",
                "domainName": domain,
                "domainPrefix": domain.split('.').next().unwrap_or_default(),
                "http": {
                    "method": self.parts.method.as_str(),
                    "path": self.path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": self.source.ip().to_string(),
                    "userAgent": text_of(headers, &header::USER_AGENT).unwrap_or_default(),
                },
                "requestId": self.request_id,
                "routeKey": self.route_key,
                "stage": "$default",
                "time": time::common_log_format(self.time),
                "timeEpoch": time::milliseconds(self.time),
            },
            "isBase64Encoded": false,
        });
        let cookies = cookies(headers);
        if !cookies.is_empty() {
            event["cookies"] = cookies.into();
        }
        if !query.is_empty() {
            event["queryStringParameters"] = joined_query(query).into();
        }
        if !self.path_parameters.is_empty() {
            let parameters = self.path_parameters.iter();
            event["pathParameters"] = parameters
                .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
                .collect::<Map<_, _>>()
                .into();
        }
        if !self.body.is_empty() {
            let (text, encoded) = body_text(headers, self.body);
            event["body"] = text.into();
            event["isBase64Encoded"] = encoded.into();
        }
        event
    }

    /// The headers by lower-case names, with the gateway's own.
    fn headers(&self) -> Map<String, Value> {
        let received = &self.parts.headers;
        let address = self.source.ip().to_string();
        let forwarded = match text_of(received, &HeaderName::from_static("x-forwarded-for")) {
            Some(before) => format!("{before}, {address}"),
            None => address,
        };
        let seconds = self.time.as_secs();
        let mut headers = Map::new();
        headers.insert("x-amzn-trace-id".to_owned(), format!("Root=1-{seconds:08x}-{seconds:024x}").into());
        for name in received.keys().filter(|name| *name != header::COOKIE) {
            let text = text_of(received, name).unwrap_or_default();
            headers.insert(name.as_str().to_owned(), text.into());
        }
        for (name, value) in [
            ("content-length", self.body.len().to_string()),
            ("x-forwarded-for", forwarded),
            ("x-forwarded-port", "443".to_owned()),
            ("x-forwarded-proto", "https".to_owned()),
        ] {
            headers.insert(name.to_owned(), value.into());
        }
        headers
    }
}

/// The path as the gateway hands it on, or `None` where the service refuses the request.
///
/// Decoded, cut at a `?`, decoded again: `%252F` arrives as `/`, `a%3Fb` as `a`, and `%25x` is
/// refused because nothing can be made of `%x`.
pub fn decoded_path(path: &str) -> Option<String> {
    let once = percent_decoded(path)?;
    let cut = once.split('?').next().unwrap_or_default();
    percent_decoded(cut)
}

/// `None` when a `%` is not followed by two hexadecimal digits or the result is not UTF-8.
fn percent_decoded(text: &str) -> Option<String> {
    let is_whole = |after: &[u8]| after.iter().take(2).filter(|byte| byte.is_ascii_hexdigit()).count() == 2;
    let mut afters = text.as_bytes().split(|byte| *byte == b'%').skip(1);
    let decoded = afters.all(is_whole).then(|| percent_decode_str(text).decode_utf8())?;
    decoded.ok().map(Cow::into_owned)
}

/// A header's values joined by commas. What bytes outside of UTF-8 become is not known.
fn text_of(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values: Vec<Cow<'_, str>> =
        headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// Every `name=value` of every `Cookie` header.
fn cookies(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(header::COOKIE).iter();
    let values: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    let cookies = values.iter().flat_map(|value| value.split(';')).map(|cookie| cookie.trim_matches(' '));
    cookies.filter(|cookie| !cookie.is_empty()).map(str::to_owned).collect()
}

/// The decoded query, repeated names joined by commas.
fn joined_query(query: &str) -> Map<String, Value> {
    let mut joined = Map::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match joined.get_mut(name.as_ref()) {
            Some(Value::String(before)) => {
                before.push(',');
                before.push_str(&value);
            }
            _ => {
                joined.insert(name.into_owned(), value.into_owned().into());
            }
        }
    }
    joined
}

/// The body, and whether it had to be encoded: it stays text where its type says that it is.
fn body_text(headers: &HeaderMap, body: &[u8]) -> (String, bool) {
    let kind = text_of(headers, &header::CONTENT_TYPE).unwrap_or_default();
    let is_text = ["text/", "application/json", "application/javascript", "application/xml"]
        .iter()
        .any(|prefix| kind.starts_with(prefix));
    match std::str::from_utf8(body) {
        Ok(text) if is_text => (text.to_owned(), false),
        _ => (STANDARD.encode(body), true),
    }
}

/// What the gateway sends for a function's answer; for one that it cannot send, its own 500.
pub fn to_response(answer: &Value) -> Result<Response<Body>> {
    // An answer without a status is taken for the body of a 200.
    if answer["statusCode"].is_null() {
        let body = answer.as_str().map_or_else(|| answer.to_string(), str::to_owned);
        return Ok(Response::builder().header(header::CONTENT_TYPE, "application/json").body(body.into())?);
    }
    let status = answer["statusCode"]
        .as_u64()
        .and_then(|status| u16::try_from(status).ok())
        .ok_or_else(|| Failure::new(format!("no status code: {}", answer["statusCode"])))?;
    let mut response = Response::builder().status(StatusCode::from_u16(status)?);
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        let name = HeaderName::from_bytes(name.as_bytes())?;
        // The connection's own headers are the gateway's affair.
        if ![header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION].contains(&name) {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            response = response.header(name, HeaderValue::from_bytes(text.as_bytes())?);
        }
    }
    for cookie in answer["cookies"].as_array().into_iter().flatten() {
        let text = cookie.as_str().unwrap_or_default();
        response = response.header(header::SET_COOKIE, HeaderValue::from_bytes(text.as_bytes())?);
    }
    let text = answer["body"].as_str().unwrap_or_default();
    let body =
        if answer["isBase64Encoded"] == true { STANDARD.decode(text)? } else { text.as_bytes().to_vec() };
    let untyped = !response.headers_ref().is_some_and(|headers| headers.contains_key(header::CONTENT_TYPE));
    if untyped && !body.is_empty() {
        response = response.header(header::CONTENT_TYPE, "text/plain; charset=utf-8");
    }
    Ok(response.body(body.into())?)
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn event(request: http::request::Builder, body: &'static str) -> Value {
        let (parts, body) = request.body(Bytes::from(body)).unwrap().into_parts();
        let path = decoded_path(parts.uri.path()).unwrap();
        Arrival {
            route_key: "GET /{file}",
            path_parameters: &[("file".to_owned(), path.trim_start_matches('/').to_owned())],
            path: &path,
            parts: &parts,
            body: &body,
            source: ([203, 0, 113, 7], 50_000).into(),
            time: Duration::from_millis(1_783_711_145_766),
            request_id: "ATfSmjLgPHcESJw=",
        }
        .to_event()
    }

    #[test]
    fn makes_the_event_of_a_request() {
        let request = Request::get("/a%20b?repeat=one&repeat=two&plus=a+b&slash=%2F&empty=")
            .header("Host", "login.example.com")
            .header("User-Agent", "curl/8")
            .header("X-Probe", "first")
            .header("X-Probe", "second")
            .header("X-Forwarded-For", "198.51.100.1")
            .header("X-Forwarded-Proto", "http")
            .header("Cookie", "session=abc123; theme=dark")
            .header("Cookie", "third=a=b");
        assert_eq!(
            event(request, ""),
            json!({
                "version": "2.0",
                "routeKey": "GET /{file}",
                "rawPath": "/a b",
                "rawQueryString": "repeat=one&repeat=two&plus=a+b&slash=%2F&empty=",
                "cookies": ["session=abc123", "theme=dark", "third=a=b"],
                "headers": {
                    "content-length": "0",
                    "host": "login.example.com",
                    "user-agent": "curl/8",
                    "x-amzn-trace-id": "Root=1-6a5145a9-00000000000000006a5145a9",
                    "x-forwarded-for": "198.51.100.1, 203.0.113.7",
                    "x-forwarded-port": "443",
                    "x-forwarded-proto": "https",
                    "x-probe": "first,second",
                },
                "queryStringParameters": {
                    "empty": "", "plus": "a b", "repeat": "one,two", "slash": "/",
                },
                "pathParameters": { "file": "a b" },
                "requestContext": {
                    "accountId": "123456789012",
                    "apiId": "0123456789",
                    "domainName": "login.example.com",
                    "domainPrefix": "login",
                    "http": {
                        "method": "GET",
                        "path": "/a b",
                        "protocol": "HTTP/1.1",
                        "sourceIp": "203.0.113.7",
                        "userAgent": "curl/8",
                    },
                    "requestId": "ATfSmjLgPHcESJw=",
                    "routeKey": "GET /{file}",
                    "stage": "$default",
                    "time": "10/Jul/2026:19:19:05 +0000",
                    "timeEpoch": 1_783_711_145_766_u64,
                },
                "isBase64Encoded": false,
            })
        );
    }

    #[test]
    fn encodes_a_body_that_is_not_text() {
        let form = Request::post("/").header("Content-Type", "application/x-www-form-urlencoded");
        let form = event(form, "a=b");
        assert_eq!((&form["body"], &form["isBase64Encoded"]), (&json!("YT1i"), &json!(true)));
        let text = event(Request::post("/").header("Content-Type", "text/plain"), "a=b");
        assert_eq!((&text["body"], &text["isBase64Encoded"]), (&json!("a=b"), &json!(false)));
        assert!(event(Request::post("/"), "").get("body").is_none());
    }

    #[test]
    fn decodes_a_path_as_live_captures_show_it() {
        for (sent, arrives) in [
            ("/plain", Some("/plain")),
            ("/space%20value", Some("/space value")),
            ("/question%3Fvalue", Some("/question")),
            ("/percent%25done", None),
            ("/hash%23value", Some("/hash#value")),
            ("/slash%2Fvalue", Some("/slash/value")),
            ("/unicode-%CE%BB-%E4%B8%96%E7%95%8C", Some("/unicode-λ-世界")),
            ("/literal%252Fvalue", Some("/literal/value")),
            ("/literal%253Fvalue", Some("/literal?value")),
            ("/literal%2525value", Some("/literal%value")),
        ] {
            assert_eq!(decoded_path(sent).as_deref(), arrives, "{sent}");
        }
    }

    #[test]
    fn sends_an_answer_as_the_function_gave_it() {
        let response = to_response(&json!({
            "statusCode": 303,
            "headers": { "location": "https://www.example.com/", "content-length": "9" },
            "cookies": ["a=1; Path=/", "b=2"],
            "body": "5b2T",
            "isBase64Encoded": true,
        }))
        .unwrap();
        assert_eq!(response.status(), 303);
        assert_eq!(response.headers()["location"], "https://www.example.com/");
        assert!(!response.headers().contains_key("content-length"));
        let cookies: Vec<_> = response.headers().get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["a=1; Path=/", "b=2"]);
    }

    #[test]
    fn infers_a_200_and_refuses_nonsense() {
        let inferred = to_response(&json!({ "hello": "world" })).unwrap();
        assert_eq!(inferred.status(), 200);
        assert_eq!(inferred.headers()["content-type"], "application/json");
        let typed = to_response(&json!({ "statusCode": 200, "body": "x" })).unwrap();
        assert_eq!(typed.headers()["content-type"], "text/plain; charset=utf-8");
        assert!(to_response(&json!({ "statusCode": "soon" })).is_err());
        assert!(to_response(&json!({ "statusCode": 200, "headers": { "a": "b\nc" } })).is_err());
    }
}
