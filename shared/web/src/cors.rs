//! Who may ask from another page's script (the [CORS protocol] of the Fetch standard).
//!
//! The functions answer it themselves; the API's configuration has none, since two answers break
//! browsers. An origin is trusted if it stands byte for byte in the allow-list: no pattern, no `null`,
//! no `*`. A request from any other origin is refused, not merely answered without the headers.
//!
//! [CORS protocol]: https://fetch.spec.whatwg.org/#http-cors-protocol

use http::{HeaderMap, StatusCode, header};

use crate::reason::Reason;
use crate::request::Request;
use crate::response::{self, Response};

crate::outcomes! {
    PREFLIGHT = Info "preflight" ["an allowed page may ask"] ["允许的网页可以请求"];
    FOREIGN_ORIGIN = Info "foreign_origin" ["a page that is not in `AllowedOrigins`, or a client's that is not in its `origins`", "add its origin, if it is yours"] ["网页的源不在 `AllowedOrigins` 中；客户端的网页，则是不在该客户端的 `origins` 中", "如果是你的网页，请加入它的源"];
}

/// The page whose script asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller<'a> {
    /// No page that had to say so: a navigation, a page of our own, or no browser.
    NoOrigin,
    /// A page on an allowed origin, or on our own.
    Trusted(&'a str),
    /// A page on any other origin.
    Foreign,
}

impl<'a> Caller<'a> {
    /// The caller of a request, from its `Origin` header.
    #[must_use]
    pub fn of(headers: &'a HeaderMap, is_trusted: impl Fn(&str) -> bool) -> Self {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (None, _) => Self::NoOrigin,
            (Some(origin), None) => {
                let trusted = origin.to_str().ok().filter(|origin| is_trusted(origin));
                trusted.map_or(Self::Foreign, Self::Trusted)
            }
            (Some(_), Some(_)) => Self::Foreign,
        }
    }

    /// Whether a request hides of which page it is. A form of an allowed page is such a one where that page has
    /// `Referrer-Policy: no-referrer` or `same-origin`, as some frameworks set for every page: `Origin` is `null` then
    /// ([Fetch](https://fetch.spec.whatwg.org/#append-a-request-origin-header)), as it is for anybody who hides. A
    /// browser that leaves the header out is none: it would leave it out of the answer to any question, too.
    #[must_use]
    pub fn hides(headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        origins.next().is_some_and(|origin| origin == "null") && origins.next().is_none()
    }

    /// Lets the caller's script read the response.
    #[must_use]
    pub fn allow(self, response: Response) -> Response {
        let response = response::with_header(response, header::VARY, "Origin, Accept, Accept-Language");
        match self {
            Self::Trusted(origin) => {
                let response = response::with_header(response, header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
                let response =
                    response::with_header(response, header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
                response::with_header(response, header::ACCESS_CONTROL_EXPOSE_HEADERS, "x-correlation-id")
            }
            Self::NoOrigin | Self::Foreign => response,
        }
    }

    /// Whether the caller may be told of something that only some pages may know.
    #[must_use]
    pub fn may_know(self, is_trusted: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::NoOrigin => true,
            Self::Trusted(origin) => is_trusted(origin),
            Self::Foreign => false,
        }
    }

    /// Answers a preflight: a trusted caller may use `methods`.
    #[must_use]
    pub fn preflight(self, request: &Request, methods: &'static str) -> Response {
        match self {
            Self::Trusted(_) => {
                let response = response::empty(StatusCode::NO_CONTENT);
                let response = response::with_header(response, header::ACCESS_CONTROL_ALLOW_METHODS, methods);
                let allowed = requested_headers(request.headers());
                let response =
                    response::with_header(response, header::ACCESS_CONTROL_ALLOW_HEADERS, &allowed);
                let response = response::with_header(response, header::ACCESS_CONTROL_MAX_AGE, "600");
                PREFLIGHT.of(self.allow(response))
            }
            Self::NoOrigin | Self::Foreign => self.refuse(request),
        }
    }

    /// Answers a caller that is not trusted.
    #[must_use]
    pub fn refuse(self, request: &Request) -> Response {
        FOREIGN_ORIGIN.of(self.allow(response::refuse(request, Reason::OriginRefused)))
    }
}

/// Takes the leave to send cookies away again, where no cookie decides anything.
#[must_use]
pub fn without_credentials(mut response: Response) -> Response {
    response.headers_mut().remove(header::ACCESS_CONTROL_ALLOW_CREDENTIALS);
    response
}

/// The headers that a trusted page's script may send: those that it wants to. HTTP clients add an `Authorization`, an
/// `X-Requested-With` or a trace id of their own to everything, and none of them decides anything here.
fn requested_headers(headers: &HeaderMap) -> String {
    let is_list = |text: &&str| {
        // A token's characters, RFC 9110 §5.6.2, and what stands between two names.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~, ".contains(&byte);
        (1..=1024).contains(&text.len()) && text.bytes().all(is_plain)
    };
    let requested = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS);
    let requested = requested.and_then(|requested| requested.to_str().ok()).filter(is_list);
    requested.unwrap_or("accept, content-type").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use login::origin::Origin;
    use login::return_to::Targets;

    #[test]
    fn only_exact_origins_are_trusted() {
        let targets = Targets::new(
            Origin::parse("https://auth.example.com").unwrap(),
            vec![Origin::parse("https://www.example.com").unwrap()],
        );
        let caller = |origins: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for origin in origins {
                headers.append(header::ORIGIN, origin.parse().unwrap());
            }
            match Caller::of(&headers, |origin| targets.is_trusted_origin(origin)) {
                Caller::Trusted(origin) => origin.to_owned(),
                other => format!("{other:?}"),
            }
        };
        assert_eq!(caller(&[]), "NoOrigin");
        assert_eq!(caller(&["https://www.example.com"]), "https://www.example.com");
        assert_eq!(caller(&["https://auth.example.com"]), "https://auth.example.com");
        for foreign in [
            "null",
            "*",
            "",
            "https://www.example.com/",
            "https://WWW.example.com",
            "http://www.example.com",
            "https://www.example.com:443",
            "https://www.example.com.evil.com",
            "https://evil.com",
        ] {
            assert_eq!(caller(&[foreign]), "Foreign", "{foreign}");
        }
        assert_eq!(caller(&["https://www.example.com", "https://www.example.com"]), "Foreign");
    }

    const PAGE: Caller<'_> = Caller::Trusted("https://www.example.com");

    /// The status, and every header that is about origins.
    fn told(response: &Response) -> (u16, Vec<(&str, &str)>) {
        let headers = response.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
        let is_about_origins = |name: &str| name.starts_with("access-control-") || name == "vary";
        let mut headers: Vec<_> = headers.filter(|(name, _)| is_about_origins(name)).collect();
        headers.sort_unstable();
        (response.status().as_u16(), headers)
    }

    const VARY: (&str, &str) = ("vary", "Origin, Accept, Accept-Language");
    const ALLOWED: [(&str, &str); 3] = [
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-origin", "https://www.example.com"),
        ("access-control-expose-headers", "x-correlation-id"),
    ];

    #[test]
    fn without_credentials_a_page_may_read_an_answer_all_the_same() {
        let allowed = PAGE.allow(response::json(StatusCode::OK, &()));
        let left = without_credentials(allowed);
        assert_eq!(left.status(), StatusCode::OK);
        assert!(left.headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
        assert!(!left.headers().contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS));
    }

    #[test]
    fn only_a_trusted_page_may_read_an_answer() {
        let allowed = PAGE.allow(response::empty(StatusCode::OK));
        assert_eq!(told(&allowed), (200, [&ALLOWED[..], &[VARY]].concat()));
        for caller in [Caller::NoOrigin, Caller::Foreign] {
            assert_eq!(told(&caller.allow(response::empty(StatusCode::OK))), (200, vec![VARY]));
        }
    }

    #[test]
    fn a_preflight_is_answered_to_a_trusted_page() {
        let request = Request::default();
        let (status, headers) = {
            let preflight = PAGE.preflight(&request, "GET");
            let (status, headers) = told(&preflight);
            (status, headers.into_iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>())
        };
        assert_eq!(status, 204);
        for header in [
            "access-control-allow-methods: GET",
            "access-control-allow-headers: accept, content-type",
            "access-control-max-age: 600",
            "access-control-allow-origin: https://www.example.com",
        ] {
            assert!(headers.iter().any(|told| told == header), "{header} of {headers:?}");
        }
        for caller in [Caller::NoOrigin, Caller::Foreign] {
            assert_eq!(told(&caller.preflight(&request, "GET")), (403, vec![VARY]));
            assert_eq!(told(&caller.refuse(&request)), (403, vec![VARY]));
        }
    }

    #[test]
    fn a_script_may_send_what_its_client_adds() {
        let long = format!("x-{}", "a".repeat(1023));
        for (requested, allowed) in [
            ("content-type, x-b3.traceid", "content-type, x-b3.traceid"),
            ("x~y,!#$%&'*+-.^_`|~", "x~y,!#$%&'*+-.^_`|~"),
            ("", "accept, content-type"),
            ("x\ty", "accept, content-type"),
            ("x:y", "accept, content-type"),
            ("x\"y", "accept, content-type"),
            (&long, "accept, content-type"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCESS_CONTROL_REQUEST_HEADERS, requested.parse().unwrap());
            assert_eq!(requested_headers(&headers), allowed);
        }
        assert_eq!(requested_headers(&HeaderMap::new()), "accept, content-type");
    }

    #[test]
    fn what_only_some_pages_may_know_is_told_to_them_and_to_no_page() {
        assert!(Caller::NoOrigin.may_know(|_| false));
        assert!(PAGE.may_know(|origin| origin == "https://www.example.com"));
        assert!(!PAGE.may_know(|_| false));
        assert!(!Caller::Foreign.may_know(|_| true));
    }
}
