//! The domain, looked at from outside, as a browser finds it: name, certificate, front page, verification files, and
//! what a script of every allowed page is told.

use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use login::origin::Origin;
use reqwest::header::{HeaderMap, ORIGIN};
use reqwest::tls::TlsInfo;
use reqwest::{Client, Method, Response};
use rustls::CertificateError;
use site::VerificationFile;
use tokio::time::timeout;
use url::Url;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::finding::{Finding, Found};

/// How long a name may take to be looked up.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(4);
/// How long a request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// AWS renews a certificate two months before it ends; if it has not a month before, something keeps it from it.
const SOON: i64 = 30;
/// The longest foreign version that is repeated.
const LONGEST_VERSION: usize = 32;

/// What is expected of the domain.
#[derive(Debug)]
pub(crate) struct Expected<'a> {
    pub(crate) public_url: &'a Origin,
    /// This version, which the front page names.
    pub(crate) version: &'static str,
    pub(crate) files: &'a [VerificationFile],
    /// Every other origin whose scripts may ask.
    pub(crate) origins: &'a [String],
    pub(crate) clock: fn() -> SystemTime,
}

/// What the domain is like.
pub(crate) async fn domain(expected: &Expected<'_>) -> Vec<Found> {
    let subject = expected.public_url.as_str();
    let mut found = same_site(expected);
    let Some(client) = client() else {
        found.push(Finding::DomainNotAsked.of(subject));
        return found;
    };
    let home = home(expected, &client).await;
    let answers = home.iter().any(|found| found.finding == Finding::DomainAnswers);
    found.extend(home);
    if !answers {
        found.push(Finding::DomainNotAsked.of(subject));
        return found;
    }
    if expected.files.is_empty() {
        found.push(Finding::VerificationNone.of("SiteVerification"));
    }
    let files = join_all(expected.files.iter().map(|file| verification(expected, &client, file)));
    let origins = join_all(expected.origins.iter().map(|origin| preflight(expected, &client, origin)));
    let (files, origins) = futures_util::future::join(files, origins).await;
    found.extend(files);
    found.extend(origins);
    found
}

/// One that follows no redirect, keeps no connection and tells of the certificate.
pub(crate) fn client() -> Option<Client> {
    // The provider is the process's; a second installation is refused and changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .pool_max_idle_per_host(0)
        .timeout(REQUEST_TIMEOUT)
        .tls_info(true)
        .build()
        .ok()
}

/// The name, the certificate and the front page.
async fn home(expected: &Expected<'_>, client: &Client) -> Vec<Found> {
    let subject = expected.public_url.as_str();
    if !resolves(subject).await {
        return vec![Finding::DomainUnresolved.of(subject)];
    }
    let response = match client.get(format!("{subject}/")).send().await {
        Ok(response) => response,
        Err(error) => return vec![broken(&error).of(subject)],
    };
    let mut found = vec![certificate(expected, &response)];
    let version = response.headers().get("x-version").and_then(|version| version.to_str().ok());
    let status = response.status().as_u16();
    found.push(match version {
        _ if status >= 500 => Finding::DomainFails.of(subject).with(status),
        None => Finding::DomainForeign.of(subject),
        Some(version) if version != expected.version => {
            let shown: String = version.chars().take(LONGEST_VERSION).collect();
            Finding::DomainOtherVersion.of(subject).with(shown)
        }
        Some(_) if status != 200 => Finding::DomainFails.of(subject).with(status),
        Some(version) => Finding::DomainAnswers.of(subject).with(version),
    });
    found
}

async fn resolves(origin: &str) -> bool {
    let Ok(url) = Url::parse(origin) else { return false };
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else { return false };
    let looked_up = timeout(LOOKUP_TIMEOUT, tokio::net::lookup_host((host, port))).await;
    looked_up.is_ok_and(|found| found.is_ok_and(|mut addresses| addresses.next().is_some()))
}

/// What keeps a request from being answered: the certificate, if it is that.
fn broken(error: &reqwest::Error) -> Finding {
    let Some(rustls::Error::InvalidCertificate(why)) = tls_error(error) else {
        return Finding::DomainUnreachable;
    };
    match why {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => Finding::CertificateExpired,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Finding::CertificateOfAnother
        }
        _ => Finding::CertificateUntrusted,
    }
}

/// The error of TLS below another one. An `io::Error` hides what it wraps from `source`, and may wrap another.
fn tls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    let wrapped = wrapped.map(|wrapped| wrapped as &(dyn std::error::Error + 'static));
    error.downcast_ref().or_else(|| wrapped.or_else(|| error.source()).and_then(tls_error))
}

/// How long the certificate is still good.
fn certificate(expected: &Expected<'_>, response: &Response) -> Found {
    let subject = expected.public_url.as_str();
    let shown = response.extensions().get::<TlsInfo>().and_then(TlsInfo::peer_certificate);
    let parsed = shown.and_then(|der| X509Certificate::from_der(der).ok());
    let Some((_, certificate)) = parsed else { return Finding::CertificateNone.of(subject) };
    let ends = certificate.validity().not_after.timestamp();
    let now = (expected.clock)().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let days = (ends - i64::try_from(now.as_secs()).unwrap_or(i64::MAX)) / (24 * 60 * 60);
    let finding = if days < SOON { Finding::CertificateEndsSoon } else { Finding::CertificateGood };
    finding.of(subject).with(days)
}

/// A file that WeChat's console looks for.
async fn verification(expected: &Expected<'_>, client: &Client, file: &VerificationFile) -> Found {
    let url = format!("{}/{}", expected.public_url.as_str(), file.name);
    let (status, text) = match client.get(url).send().await {
        Ok(response) => (response.status().as_u16(), response.text().await.unwrap_or_default()),
        Err(_) => (0, String::new()),
    };
    if status == 200 && text == file.content {
        Finding::VerificationServed.of(&file.name)
    } else {
        Finding::VerificationWrong.of(&file.name).with(status)
    }
}

/// What a browser asks for a script of another origin that wants to know who is logged in, with a header of its own.
async fn preflight(expected: &Expected<'_>, client: &Client, origin: &str) -> Found {
    let request = client
        .request(Method::OPTIONS, format!("{}/userinfo", expected.public_url.as_str()))
        .header(ORIGIN, origin)
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "x-requested-with");
    let Ok(response) = request.send().await else {
        return Finding::OriginRefused.of(origin).with(0);
    };
    if response.status().is_success() && allows(response.headers(), origin) {
        Finding::OriginAllowed.of(origin)
    } else {
        Finding::OriginRefused.of(origin).with(response.status().as_u16())
    }
}

/// As the [Fetch standard](https://fetch.spec.whatwg.org/#cors-check) has it, for a request with cookies: one origin,
/// the very same, and no `*` anywhere.
fn allows(headers: &HeaderMap, origin: &str) -> bool {
    let all = |name: &str| -> Vec<_> {
        headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect()
    };
    let names = |name: &str, wanted: &str| {
        let all = all(name).join(",");
        all.split(',').any(|named| named.trim().eq_ignore_ascii_case(wanted))
    };
    all("access-control-allow-origin") == [origin]
        && all("access-control-allow-credentials") == ["true"]
        && names("access-control-allow-methods", "GET")
        && names("access-control-allow-headers", "x-requested-with")
}

/// Whether browsers take every origin and the login for one site.
fn same_site(expected: &Expected<'_>) -> Vec<Found> {
    let judged = expected.origins.iter().map(|origin| {
        let is_same = site(origin) == site(expected.public_url.as_str());
        let finding = if is_same { Finding::OriginSameSite } else { Finding::OriginForeign };
        finding.of(origin)
    });
    judged.collect()
}

/// The site of an origin as browsers see it: the scheme, and the registrable domain by the whole
/// [Public Suffix List](https://publicsuffix.org), of which the functions know only a part. `None` for what is no URL.
#[must_use]
pub fn site(origin: &str) -> Option<(String, String)> {
    let url = Url::parse(origin).ok()?;
    let host = url.host_str()?;
    let is_name = host.contains('.') && url.domain().is_some();
    let site = psl::domain_str(host).filter(|_| is_name).unwrap_or(host);
    Some((url.scheme().to_owned(), site.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_a_scheme_and_a_registrable_domain() {
        for (one, other) in [
            ("http://localhost:9000", "http://localhost:9300"),
            ("https://auth.example.co.uk", "https://www.example.co.uk:8443"),
            ("https://203.0.113.9", "https://203.0.113.9:8443"),
        ] {
            assert_eq!(site(one), site(other));
        }
        for (one, other) in [
            ("https://auth.example.co.uk", "https://www.other.co.uk"),
            ("https://one.trycloudflare.com", "https://other.trycloudflare.com"),
            ("http://localhost:9000", "https://localhost:9300"),
            ("http://localhost:9000", "http://127.0.0.1:9300"),
            ("https://203.0.113.9", "https://198.51.113.9"),
        ] {
            assert_ne!(site(one), site(other));
        }
        assert_eq!(site("nonsense"), None);
    }

    #[test]
    fn a_preflight_is_read_as_browsers_read_it() {
        const ORIGIN: &str = "https://www.example.com";
        let right = [
            ("access-control-allow-origin", ORIGIN),
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-methods", "GET, DELETE"),
            ("access-control-allow-headers", "X-Requested-With"),
        ];
        let headers = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, value.parse().unwrap());
            }
            headers
        };
        assert!(allows(&headers(&right), ORIGIN));
        for without in 0..right.len() {
            let mut less = right.to_vec();
            let (name, _) = less.remove(without);
            assert!(!allows(&headers(&less), ORIGIN), "without {name}");
            // With cookies, `*` is no wildcard.
            less.push((name, "*"));
            assert!(!allows(&headers(&less), ORIGIN), "{name}: *");
        }
        let twice = [&right[..], &right[..1]].concat();
        assert!(!allows(&headers(&twice), ORIGIN), "two answers break browsers");
    }
}
