//! A browser's cookies, by the rules of RFC 6265bis that a login depends on.
//!
//! A jar that is kinder than a browser hides the mistakes that lock people out, so whatever a
//! browser refuses is refused here, and the refusal is kept for the test to read: a `__Host-` name
//! without `Secure`, `Path=/` or with a `Domain`, a `Secure` cookie over plain HTTP, a `SameSite`
//! cookie set by a cross-site `fetch`, a domain that is not the host's. `SameSite` is `Lax` where a
//! cookie does not say.

use std::{cmp::Reverse, time::Duration};

use url::{Host, Url};

use crate::time;

/// RFC 6265bis: what name and value together may take.
const LARGEST_PAIR: usize = 4096;
/// RFC 6265bis: a longer attribute is ignored.
const LARGEST_ATTRIBUTE: usize = 1024;

/// A stored cookie.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// Its value, as it was received.
    pub value: String,
    /// The host it belongs to.
    pub domain: String,
    /// Whether subdomains get it too.
    pub subdomains: bool,
    /// The path below which it is sent.
    pub path: String,
    /// Sent over TLS only.
    pub secure: bool,
    /// Hidden from scripts.
    pub http_only: bool,
    /// When it may cross sites.
    pub same_site: SameSite,
    /// When it ends, since 1970; `None`: with the browser.
    pub expires: Option<Duration>,
}

/// When a cookie is sent to its site from another one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SameSite {
    /// Never.
    Strict,
    /// When a link is followed.
    Lax,
    /// Always.
    None,
}

/// A cookie that the jar would not take.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rejection {
    /// The header's value.
    pub header: String,
    /// Which rule it broke.
    pub reason: &'static str,
}

/// In what situation a request is made, as far as cookies care.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Situation {
    /// Whether the page that makes it belongs to the site that it is made to.
    pub same_site: bool,
    /// Whether it changes the address bar.
    pub navigation: bool,
    /// Whether its method is `GET` or `HEAD`.
    pub safe_method: bool,
}

/// The cookies of one browser.
#[derive(Debug, Default)]
pub struct Jar {
    cookies: Vec<Cookie>,
    rejections: Vec<Rejection>,
    ahead: Duration,
}

impl Jar {
    /// The `Cookie` header of a request, if there is anything to send.
    pub fn header(&self, url: &Url, situation: Situation) -> Option<String> {
        let now = self.now();
        let mut cookies: Vec<_> =
            self.cookies.iter().filter(|cookie| cookie.suits(url, situation, now)).collect();
        // Longer paths first, older cookies first; the sort is stable and the jar keeps age.
        cookies.sort_by_key(|cookie| Reverse(cookie.path.len()));
        let pairs: Vec<_> = cookies
            .into_iter()
            .map(|cookie| match cookie.name.as_str() {
                "" => cookie.value.clone(),
                name => format!("{name}={}", cookie.value),
            })
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// Takes a `Set-Cookie` header, or keeps the reason why not.
    pub fn set(&mut self, url: &Url, situation: Situation, header: &str) {
        match self.take(url, situation, header) {
            Ok(()) => {}
            Err(reason) => self.rejections.push(Rejection { header: header.to_owned(), reason }),
        }
    }

    fn take(&mut self, url: &Url, situation: Situation, header: &str) -> Result<(), &'static str> {
        let cookie = parse(url, header, self.now())?;
        let secure_origin = url.scheme() == "https";
        if cookie.secure && !secure_origin {
            return Err("Secure, but not set over TLS");
        }
        if cookie.same_site == SameSite::None && !cookie.secure {
            return Err("SameSite=None without Secure");
        }
        if cookie.same_site != SameSite::None && !situation.same_site && !situation.navigation {
            return Err("SameSite, but set across sites");
        }
        let shadows = |old: &Cookie| old.secure && old.name == cookie.name;
        if !secure_origin && self.cookies.iter().any(shadows) {
            return Err("would hide a Secure cookie from a page without TLS");
        }
        if cookie.expires.is_some_and(|end| end <= self.now()) {
            self.cookies.retain(|old| !old.has_the_place_of(&cookie));
        } else if let Some(old) = self.cookies.iter_mut().find(|old| old.has_the_place_of(&cookie)) {
            *old = cookie;
        } else {
            self.cookies.push(cookie);
        }
        Ok(())
    }

    /// Puts a cookie into the jar past every rule: how a test sets a scene.
    pub fn insert(&mut self, cookie: Cookie) {
        self.cookies.retain(|old| !old.has_the_place_of(&cookie));
        self.cookies.push(cookie);
    }

    /// Every cookie that has not ended.
    pub fn cookies(&self) -> Vec<Cookie> {
        let now = self.now();
        let mut cookies = self.cookies.clone();
        cookies.retain(|cookie| cookie.expires.is_none_or(|end| end > now));
        cookies
    }

    /// Every cookie that was refused.
    pub fn rejections(&self) -> &[Rejection] {
        &self.rejections
    }

    /// Throws away every cookie, or those of a name.
    pub fn clear(&mut self, name: Option<&str>) {
        self.cookies.retain(|cookie| name.is_some_and(|name| name != cookie.name));
    }

    /// Lets time pass for this jar.
    pub fn advance(&mut self, by: Duration) {
        self.ahead += by;
    }

    fn now(&self) -> Duration {
        time::now() + self.ahead
    }
}

impl Cookie {
    fn has_the_place_of(&self, other: &Self) -> bool {
        (&self.name, &self.domain, &self.path) == (&other.name, &other.domain, &other.path)
    }

    fn suits(&self, url: &Url, situation: Situation, now: Duration) -> bool {
        let host = url.host_str().unwrap_or_default();
        let crosses = match self.same_site {
            SameSite::None => true,
            SameSite::Lax => situation.same_site || situation.navigation && situation.safe_method,
            SameSite::Strict => situation.same_site,
        };
        (host == self.domain || self.subdomains && is_below(host, &self.domain))
            && path_matches(url.path(), &self.path)
            && (!self.secure || url.scheme() == "https")
            && self.expires.is_none_or(|end| end > now)
            && crosses
    }
}

/// Reads a `Set-Cookie` header as a browser does, which is forgiving up to the storage rules.
fn parse(url: &Url, header: &str, now: Duration) -> Result<Cookie, &'static str> {
    if header.chars().any(|char| char.is_control() && char != '\t') {
        return Err("a control character");
    }
    let mut parts = header.split(';');
    let pair = parts.next().unwrap_or_default();
    let (name, value) = pair.split_once('=').unwrap_or(("", pair));
    let (name, value) = (trim(name), trim(value));
    if name.is_empty() && value.is_empty() {
        return Err("neither name nor value");
    }
    if name.len() + value.len() > LARGEST_PAIR {
        return Err("longer than 4096 bytes");
    }
    let host = url.host_str().unwrap_or_default();
    let mut cookie = Cookie {
        name: name.to_owned(),
        value: value.to_owned(),
        domain: host.to_owned(),
        subdomains: false,
        path: default_path(url.path()).to_owned(),
        secure: false,
        http_only: false,
        same_site: SameSite::Lax,
        expires: None,
    };
    let mut max_age = false;
    let mut path = None;
    for attribute in parts {
        let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        let (name, value) = (trim(name), trim(value));
        if value.len() > LARGEST_ATTRIBUTE {
            continue;
        }
        match name.to_ascii_lowercase().as_str() {
            "secure" => cookie.secure = true,
            "httponly" => cookie.http_only = true,
            "path" => path = Some(value),
            "max-age" => {
                if let Some(end) = end_of_age(value, now) {
                    cookie.expires = Some(end);
                    max_age = true;
                }
            }
            // The dates in use only ever say "long ago"; a date of another kind is left out.
            "expires" if !max_age && value.contains("1970") => {
                cookie.expires = Some(Duration::ZERO);
            }
            "domain" if !value.is_empty() => {
                let domain = value.trim_start_matches('.').to_ascii_lowercase();
                let address = !matches!(url.host(), Some(Host::Domain(_)));
                if domain != host && (address || !is_below(host, &domain)) {
                    return Err("a Domain that is not the host's");
                }
                if domain != host && !domain.contains('.') {
                    return Err("a Domain that is a public suffix");
                }
                cookie.domain = domain;
                cookie.subdomains = true;
            }
            "samesite" => {
                cookie.same_site = match value.to_ascii_lowercase().as_str() {
                    "strict" => SameSite::Strict,
                    "none" => SameSite::None,
                    _ => SameSite::Lax,
                }
            }
            _ => {}
        }
    }
    if let Some(path) = path.filter(|path| path.starts_with('/')) {
        path.clone_into(&mut cookie.path);
    }
    check_prefix(&cookie, path)?;
    Ok(cookie)
}

/// `__Host-` and `__Secure-` are promises that the browser keeps for the server.
fn check_prefix(cookie: &Cookie, path: Option<&str>) -> Result<(), &'static str> {
    let starts_with = |text: &str, prefix: &str| {
        text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    if cookie.name.is_empty() {
        let poses = ["__Host-", "__Secure-"].iter().any(|prefix| starts_with(&cookie.value, prefix));
        return if poses { Err("a prefix in a value without a name") } else { Ok(()) };
    }
    let host = starts_with(&cookie.name, "__Host-");
    if (host || starts_with(&cookie.name, "__Secure-")) && !cookie.secure {
        return Err("the prefix asks for Secure");
    }
    if host && cookie.subdomains {
        return Err("__Host- forbids Domain");
    }
    // Said in so many words: a default that happens to be the root does not count.
    if host && path != Some("/") {
        return Err("__Host- asks for Path=/");
    }
    Ok(())
}

/// When `Max-Age` ends; `None` where a browser ignores it.
fn end_of_age(value: &str, now: Duration) -> Option<Duration> {
    let digits = value.strip_prefix('-').unwrap_or(value);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Browsers keep no cookie for longer than 400 days.
    let age = match value.strip_prefix('-') {
        Some(_) => 0,
        None => digits.parse().unwrap_or(u64::MAX).min(400 * 86_400),
    };
    Some(if age == 0 { Duration::ZERO } else { now + Duration::from_secs(age) })
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

fn default_path(path: &str) -> &str {
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(last) => path.get(..last).unwrap_or("/"),
    }
}

fn path_matches(path: &str, cookie_path: &str) -> bool {
    path.strip_prefix(cookie_path)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || cookie_path.ends_with('/'))
}

/// Whether two addresses belong to one site: same scheme, same last two labels of the host.
///
/// A browser asks the public suffix list; the hosts of the tests all end in suffixes of one label.
pub fn same_site(one: &Url, other: &Url) -> bool {
    fn site(url: &Url) -> Option<(&str, String)> {
        let host = match url.host()? {
            Host::Domain(name) => {
                let labels: Vec<_> = name.rsplit('.').take(2).collect();
                labels.join(".")
            }
            address => address.to_string(),
        };
        Some((url.scheme(), host))
    }
    site(one).is_some_and(|found| Some(found) == site(other))
}

#[cfg(test)]
mod tests;
