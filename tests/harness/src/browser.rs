//! A visitor's browser: one jar of cookies, every hop in sight.
//!
//! It believes in public addresses such as `https://login.example.com`, applies the rules of TLS
//! origins to them, and is told to which local socket each of them leads. So `__Host-` cookies and
//! `https` redirects are tested as they are deployed although the wire is plain HTTP.
//!
//! A request fails when it has no answer at all, and a chain of redirects when it has more than ten hops.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde_json::Value;
use url::{Host, Url};

use crate::{
    Failure, Result,
    cookies::{Cookie, Jar, Rejection, Situation, same_site},
    lock,
};

/// WeChat's own browser on a phone.
pub const WECHAT_USER_AGENT: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) \
    AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.64(0x18004034) \
    NetType/WIFI Language/zh_CN";

/// A browser on a desktop, which is not WeChat's.
pub const DESKTOP_USER_AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 \
    (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";

/// A browser gives up on a chain of redirects; ours sooner, so that a loop is cheap.
const MOST_HOPS: usize = 10;

/// A browser; clones are tabs of it and share its cookies.
#[derive(Clone)]
pub struct Browser {
    client: reqwest::Client,
    jar: Arc<Mutex<Jar>>,
    destinations: Arc<HashMap<String, Destination>>,
    user_agent: String,
    accept_language: String,
    headers: HeaderMap,
}

#[derive(Clone, Copy)]
enum Destination {
    Socket(SocketAddr),
    Elsewhere,
}

/// What came back on one hop.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What was asked for.
    pub url: Url,
    /// The HTTP status.
    pub status: u16,
    /// The headers, lower-case.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

/// A request as a page or a person makes it.
#[derive(Clone, Debug)]
pub struct Visit {
    method: Method,
    url: String,
    initiator: Option<String>,
    navigation: bool,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Visit {
    /// An address that a person opens, from outside of any page.
    #[must_use]
    pub fn open(url: &str) -> Self {
        Self {
            method: Method::GET,
            url: url.to_owned(),
            initiator: None,
            navigation: true,
            headers: HeaderMap::new(),
            body: Vec::new(),
        }
    }

    /// A link that a person follows on a page of this origin.
    #[must_use]
    pub fn link(url: &str, origin: &str) -> Self {
        Self { initiator: Some(origin.to_owned()), ..Self::open(url) }
    }

    /// A script's `fetch(url, { method, credentials: "include" })` on a page of this origin.
    #[must_use]
    pub fn fetch(method: Method, url: &str, origin: &str) -> Self {
        Self { method, navigation: false, ..Self::link(url, origin) }
    }

    /// A form that is sent by a page of this origin.
    #[must_use]
    pub fn form(url: &str, origin: &str, fields: &[(&str, &str)]) -> Self {
        let body: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        Self {
            method: Method::POST,
            headers: HeaderMap::from_iter([(header::CONTENT_TYPE, kind)]),
            body: body.into_bytes(),
            ..Self::link(url, origin)
        }
    }

    /// A form that a program sends, by itself and from nowhere.
    #[must_use]
    pub fn posted(url: &str, body: &str) -> Self {
        Self { initiator: None, navigation: false, ..Self::form(url, "", &[]) }.body(body)
    }

    /// The same with a header of the test's own; it replaces the browser's.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        insert(&mut self.headers, name, value);
        self
    }

    /// The same with a body of the test's own.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }
}

impl Browser {
    /// A browser with WeChat's user agent that knows no public address yet.
    pub fn new() -> Result<Self> {
        // An error means that the process has a provider already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .tls_certs_only([])
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_mins(1))
            .build()?;
        Ok(Self {
            client,
            jar: Arc::default(),
            destinations: Arc::default(),
            user_agent: WECHAT_USER_AGENT.to_owned(),
            accept_language: "zh-CN,zh;q=0.9".to_owned(),
            headers: HeaderMap::new(),
        })
    }

    /// The same browser, knowing that an origin is served at a socket.
    #[must_use]
    pub fn with_origin(mut self, origin: &str, socket: SocketAddr) -> Self {
        let destinations = Arc::make_mut(&mut self.destinations);
        destinations.insert(origin.to_owned(), Destination::Socket(socket));
        self
    }

    /// The same browser, for which an origin is somebody else's: it answers an empty 200 there, so
    /// that a chain of redirects can end on it.
    #[must_use]
    pub fn with_elsewhere(mut self, origin: &str) -> Self {
        let destinations = Arc::make_mut(&mut self.destinations);
        destinations.insert(origin.to_owned(), Destination::Elsewhere);
        self
    }

    /// The same browser under another name.
    #[must_use]
    pub fn with_user_agent(mut self, user_agent: &str) -> Self {
        user_agent.clone_into(&mut self.user_agent);
        self
    }

    /// The same browser for a reader of other languages.
    #[must_use]
    pub fn with_language(mut self, accept_language: &str) -> Self {
        accept_language.clone_into(&mut self.accept_language);
        self
    }

    /// The same browser, sending one header more with every request, which no page could.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: &str) -> Self {
        insert(&mut self.headers, name, value);
        self
    }

    /// Another browser of the same kind: it leads to the same places and has no cookies.
    #[must_use]
    pub fn another(&self) -> Self {
        Self { jar: Arc::default(), ..self.clone() }
    }

    /// Opens an address and stays on the first answer.
    pub async fn get(&self, url: &str) -> Result<Answer> {
        self.send(Visit::open(url)).await
    }

    /// Opens an address and follows every redirect; the answers, hop by hop.
    pub async fn follow(&self, url: &str) -> Result<Vec<Answer>> {
        self.walk(Visit::open(url)).await
    }

    /// A script's credentialed `GET` on a page of this origin.
    pub async fn fetch(&self, url: &str, origin: &str) -> Result<Answer> {
        self.send(Visit::fetch(Method::GET, url, origin)).await
    }

    /// An empty form that a page of this origin sends.
    pub async fn post_form(&self, url: &str, origin: &str) -> Result<Answer> {
        self.send(Visit::form(url, origin, &[])).await
    }

    /// Follows every redirect of a visit.
    pub async fn walk(&self, visit: Visit) -> Result<Vec<Answer>> {
        let mut answers = Vec::new();
        let mut next = visit;
        while answers.len() < MOST_HOPS {
            let answer = self.send(next.clone()).await?;
            let target = answer.redirect()?;
            let keeps_method = matches!(answer.status, 307 | 308);
            answers.push(answer);
            let Some(target) = target else {
                return Ok(answers);
            };
            next.url = target.into();
            if !keeps_method && next.method != Method::HEAD {
                next.method = Method::GET;
                next.body.clear();
                next.headers.remove(header::CONTENT_TYPE);
            }
        }
        let places: Vec<_> = answers.iter().map(|answer| answer.url.as_str()).collect();
        Err(Failure::new(format!("too many redirects:\n{}", places.join("\n"))))
    }

    /// One request, one answer; cookies are sent and taken as a browser would.
    pub async fn send(&self, visit: Visit) -> Result<Answer> {
        let url = Url::parse(&visit.url).map_err(|error| Failure::from(error).during(&visit.url))?;
        let initiator = visit.initiator.as_deref().map(Url::parse).transpose()?;
        let situation = Situation {
            same_site: initiator.as_ref().is_none_or(|from| same_site(from, &url)),
            navigation: visit.navigation,
            safe_method: [Method::GET, Method::HEAD].contains(&visit.method),
        };
        let socket = match self.destination(&url)? {
            Destination::Socket(socket) => socket,
            Destination::Elsewhere => return Ok(Answer::elsewhere(url)),
        };
        let mut headers = self.headers(&visit, &url, initiator.as_ref())?;
        if !headers.contains_key(header::COOKIE)
            && let Some(cookies) = lock(&self.jar).header(&url, situation)
        {
            headers.insert(header::COOKIE, HeaderValue::from_bytes(cookies.as_bytes())?);
        }
        let mut wire = format!("http://{socket}{}", url.path());
        if let Some(query) = url.query() {
            wire = format!("{wire}?{query}");
        }
        let response =
            self.client.request(visit.method, wire).headers(headers).body(visit.body).send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        for cookie in headers.get_all(header::SET_COOKIE) {
            let text = String::from_utf8_lossy(cookie.as_bytes());
            lock(&self.jar).set(&url, situation, &text);
        }
        Ok(Answer { url, status, headers, body: response.bytes().await?.into() })
    }

    /// The headers that a browser sends of its own accord, and those of the visit.
    fn headers(&self, visit: &Visit, url: &Url, initiator: Option<&Url>) -> Result<HeaderMap> {
        let site = match initiator {
            None => "none",
            Some(from) if from.origin() == url.origin() => "same-origin",
            Some(from) if same_site(from, url) => "same-site",
            Some(_) => "cross-site",
        };
        let (mode, destination, accept) = if visit.navigation {
            ("navigate", "document", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
        } else {
            ("cors", "empty", "*/*")
        };
        let host = match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (host, _) => host.unwrap_or_default().to_owned(),
        };
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("host", host.as_str()),
            ("user-agent", &self.user_agent),
            ("accept", accept),
            ("accept-language", &self.accept_language),
            ("sec-fetch-site", site),
            ("sec-fetch-mode", mode),
            ("sec-fetch-dest", destination),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value)?);
        }
        if visit.navigation {
            headers.insert("upgrade-insecure-requests", HeaderValue::from_static("1"));
            headers.insert("sec-fetch-user", HeaderValue::from_static("?1"));
        }
        // A browser names the origin when the answer is to be shared, and when it changes things.
        let changes = ![Method::GET, Method::HEAD].contains(&visit.method);
        if let Some(from) = initiator
            && (changes || !visit.navigation && site != "same-origin")
        {
            let origin = from.origin().ascii_serialization();
            headers.insert(header::ORIGIN, HeaderValue::from_str(&origin)?);
        }
        headers.extend(self.headers.clone());
        headers.extend(visit.headers.clone());
        Ok(headers)
    }

    fn destination(&self, url: &Url) -> Result<Destination> {
        let origin = url.origin().ascii_serialization();
        if let Some(destination) = self.destinations.get(&origin) {
            return Ok(*destination);
        }
        let port = url.port_or_known_default().unwrap_or_default();
        match url.host() {
            Some(Host::Ipv4(address)) if address.is_loopback() => {
                Ok(Destination::Socket((address, port).into()))
            }
            _ => Err(Failure::new(format!("nobody told the browser where {origin} is"))),
        }
    }

    /// The value of a cookie, whatever its domain and path.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let found = self.cookies().into_iter().find(|cookie| cookie.name == name);
        found.map(|cookie| cookie.value)
    }

    /// Every cookie.
    pub fn cookies(&self) -> Vec<Cookie> {
        lock(&self.jar).cookies()
    }

    /// Every cookie that the browser refused; a login that works leaves none.
    pub fn rejected_cookies(&self) -> Vec<Rejection> {
        lock(&self.jar).rejections().to_vec()
    }

    /// Puts a cookie into the browser past every rule.
    pub fn insert_cookie(&self, cookie: Cookie) {
        lock(&self.jar).insert(cookie);
    }

    /// Throws away one cookie.
    pub fn forget_cookie(&self, name: &str) {
        lock(&self.jar).clear(Some(name));
    }

    /// Throws away every cookie.
    pub fn forget_cookies(&self) {
        lock(&self.jar).clear(None);
    }

    /// Lets time pass for the cookies of this browser.
    pub fn advance(&self, by: Duration) {
        lock(&self.jar).advance(by);
    }
}

#[expect(clippy::expect_used, reason = "a test gives constants")]
fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) {
    headers.insert(name, value.parse().expect("a header's value"));
}

impl Answer {
    fn elsewhere(url: Url) -> Self {
        Self { url, status: 200, headers: HeaderMap::new(), body: Vec::new() }
    }

    /// A header's first value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The `Location` header as it was sent.
    pub fn location(&self) -> Option<&str> {
        self.header("location")
    }

    /// Every `Set-Cookie` header.
    pub fn set_cookies(&self) -> Vec<String> {
        self.headers
            .get_all(header::SET_COOKIE)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; a failure holds the body.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Failure::from(error).during(format!("in {:?}", self.text())))
    }

    /// Where a redirect leads; it takes the fragment of its own address along, as browsers do.
    pub fn redirect(&self) -> Result<Option<Url>> {
        if !matches!(self.status, 301 | 302 | 303 | 307 | 308) {
            return Ok(None);
        }
        let location = self
            .location()
            .ok_or_else(|| Failure::new(format!("a {} without a place to go", self.status)))?;
        let mut target = self.url.join(location).map_err(|error| Failure::from(error).during(location))?;
        if target.fragment().is_none() {
            target.set_fragment(self.url.fragment());
        }
        Ok(Some(target))
    }
}

#[cfg(test)]
mod tests;
