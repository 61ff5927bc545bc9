//! Who logs people in by this provider: a registered client
//! ([RFC 6749 §2](https://www.rfc-editor.org/rfc/rfc6749#section-2)).

use login::Digest;
use login::account::AccountName;
use login::deployment::Deployment;
use login::origin::Origin;
use login::return_to::is_route;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::provider::Faults;

/// A client, as it is registered
/// ([OpenID Connect Registration §2](https://openid.net/specs/openid-connect-registration-1_0.html#ClientMetadata) has
/// most of it).
#[derive(Debug, Clone)]
pub struct Client {
    /// Its `client_id`.
    pub name: ClientName,
    /// The account whose apps log its people in; `None` is the first one.
    pub account: Option<AccountName>,
    /// Where an answer may go.
    pub redirect_uris: Vec<RedirectUri>,
    /// The digests of its secrets; none for a public client. Two while one takes the place of the other.
    pub secrets: Vec<Digest>,
    /// Whose scripts may ask the token endpoint; none of a client with a secret.
    pub origins: Vec<Origin>,
    /// Where a logout may end.
    pub post_logout_redirect_uris: Vec<RedirectUri>,
    /// Whether it gets a refresh token.
    pub refresh: bool,
    /// Whether it must use PKCE.
    pub pkce: Pkce,
    /// Whether `scope=profile` begins with WeChat's question for name and picture, since every login there is a tap.
    pub asks_profile: bool,
    /// Whether it is told WeChat's own identifiers.
    pub identifiers: bool,
}

/// Whether a client must prove, when it redeems a code, that it asked for it
/// ([RFC 9700 §2.1.1](https://www.rfc-editor.org/rfc/rfc9700#section-2.1.1)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pkce {
    /// A public client, and one that is set so.
    Required,
    /// A client with a secret, which proves as much: load balancers and Cognito know no other way.
    Optional,
}

impl Client {
    /// Whether it can keep a secret.
    #[must_use]
    pub const fn is_confidential(&self) -> bool {
        !self.secrets.is_empty()
    }

    /// The `redirect_uri` of a request, if it is one of the client's.
    #[must_use]
    pub fn requested(&self, asked: String) -> Option<RequestedRedirectUri> {
        self.redirect_uris.iter().any(|uri| uri.matches(&asked)).then_some(RequestedRedirectUri(asked))
    }

    /// What the `redirect_uri` of a request proves; `None` if it is not one of the client's any more.
    #[must_use]
    pub fn kind_of(&self, requested: &RequestedRedirectUri) -> Option<RedirectKind> {
        self.redirect_uris.iter().find(|uri| uri.matches(requested.as_str())).map(RedirectUri::kind)
    }
}

/// The `client_id` ([RFC 6749 §2.2](https://www.rfc-editor.org/rfc/rfc6749#section-2.2)): 1 to 64 letters, digits, `_`,
/// `.` or `-`. Without `:`, so that no origin is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientName(String);

impl ClientName {
    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        ((1..=64).contains(&text.len()) && text.bytes().all(is_plain)).then(|| Self(text.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A registered redirect URI ([RFC 6749 §3.1.2](https://www.rfc-editor.org/rfc/rfc6749#section-3.1.2)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectUri {
    text: String,
    kind: RedirectKind,
}

/// The `redirect_uri` of one request, as it was asked for ([RFC 6749
/// §4.1.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1)): one of the client's, but of a loopback address with
/// the port that the app happened to get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestedRedirectUri(String);

impl RequestedRedirectUri {
    /// The URI.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a redirect URI proves of who receives the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedirectKind {
    /// `https`: whoever holds the domain's certificate. On a machine where the provider itself is `http://localhost`,
    /// also that.
    Web,
    /// This device, by an address without a port or with any
    /// ([RFC 8252 §7.3](https://www.rfc-editor.org/rfc/rfc8252#section-7.3)). Proves nobody.
    Loopback,
    /// Whichever app took the scheme ([RFC 8252 §7.1](https://www.rfc-editor.org/rfc/rfc8252#section-7.1)). Proves
    /// nobody.
    PrivateScheme,
}

impl RedirectUri {
    /// Reads one as it is registered; `is_local` if the provider itself runs on the machine of a developer.
    #[must_use]
    pub fn parse(text: &str, is_local: bool) -> Option<Self> {
        let url = as_written(text)?;
        // Of a scheme that is no web one the parser leaves a backslash, which some readers take for a slash. A star is
        // somebody's hope for a pattern, and there are none.
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\*".contains(&byte));
        let is_bare = url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
        let kind = match (url.scheme(), url.host()) {
            ("https", Some(_)) => RedirectKind::Web,
            ("http", Some(Host::Domain("localhost"))) if is_local => RedirectKind::Web,
            ("http", Some(Host::Domain("localhost"))) => RedirectKind::Loopback,
            ("http", Some(Host::Ipv4(address))) if address.is_loopback() => RedirectKind::Loopback,
            ("http", Some(Host::Ipv6(address))) if address.is_loopback() => RedirectKind::Loopback,
            // Without a slash behind the scheme, as RFC 8252 §7.1 has it, a path is opaque, and nobody resolves its
            // "..".
            (scheme, _) if scheme.contains('.') && !url.cannot_be_a_base() => RedirectKind::PrivateScheme,
            _ => return None,
        };
        (is_plain && is_bare).then(|| Self { text: text.to_owned(), kind })
    }

    /// The URI as it is registered.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What it proves.
    #[must_use]
    pub const fn kind(&self) -> RedirectKind {
        self.kind
    }

    /// Whether a request for `asked` means this one: byte for byte, but for the port of a loopback address.
    #[must_use]
    pub fn matches(&self, asked: &str) -> bool {
        if self.kind != RedirectKind::Loopback || self.text == asked {
            return self.text == asked;
        }
        let without_port = |text: &str| {
            let mut url = as_written(text)?;
            let is_address = !matches!(url.host(), None | Some(Host::Domain(_)));
            let has_path = url.as_str() == text;
            (is_address && url.set_port(None).is_ok()).then(|| (url.to_string(), has_path))
        };
        without_port(&self.text).is_some_and(|registered| without_port(asked) == Some(registered))
    }

    /// Its path, if it is on this origin.
    fn path_on(&self, origin: &Origin) -> Option<String> {
        let url = Url::parse(&self.text).ok()?;
        (url.origin().ascii_serialization() == origin.as_str()).then(|| url.path().to_owned())
    }
}

/// The address that this text is, if a browser would write it so. Of an origin alone the slash may be missing, though
/// browsers add it: `window.location.origin` has none, nor has what libraries make of a site's base address, and it is
/// an absolute URI all the same ([RFC 3986 §4.3](https://www.rfc-editor.org/rfc/rfc3986#section-4.3)).
fn as_written(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_origin = url.as_str().strip_suffix('/') == Some(text);
    (url.as_str() == text || is_origin).then_some(url)
}

/// A client as `OPENID_CONNECT` writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawClient {
    account: Option<String>,
    redirect_uris: Vec<String>,
    #[serde(default)]
    secrets: Vec<String>,
    #[serde(default)]
    origins: Vec<String>,
    #[serde(default)]
    post_logout_redirect_uris: Vec<String>,
    #[serde(default)]
    refresh: bool,
    #[serde(default)]
    pkce: bool,
    profile: Option<String>,
    identifiers: Option<bool>,
}

const REDIRECT_URI: &str = "it must be as a browser writes it, without a fragment and without a *: https, or for an app on \
                            a device a scheme with a dot (com.example.app:/callback), http://127.0.0.1 or \
                            http://localhost";
const OF_THE_LOGIN: &str = "the login itself answers there; it must be an address of the client's own";
const SECRET: &str = "it must be sha256: and the 64 lowercase hexadecimal digits of a secret's SHA-256; `make client` makes both";

const SECRET_OF_NOTHING: &str = "it is the SHA-256 of nothing; the secret was empty when it was made";

impl RawClient {
    pub(crate) fn read(
        self,
        at: usize,
        name: String,
        deployment: &Deployment,
        faults: &mut Faults,
    ) -> Client {
        let parsed = ClientName::parse(&name);
        let place = if parsed.is_some() { format!("clients.{name}") } else { format!("clients[{at}]") };
        if parsed.is_none() {
            faults.note(&place, "its name must be 1 to 64 letters, digits, _, . or -");
        }
        let is_local = !deployment.public_url.is_secure();
        let path_here = |uri: &RedirectUri| uri.path_on(&deployment.public_url);
        let post_logout_redirect_uri = |text: &str| {
            let uri = RedirectUri::parse(text, is_local).ok_or(REDIRECT_URI)?;
            if path_here(&uri).is_some_and(|path| is_route(&path)) { Err(OF_THE_LOGIN) } else { Ok(uri) }
        };
        // The home page is a place where a logout may end; of a code it knows nothing.
        let redirect_uri = |text: &str| match post_logout_redirect_uri(text)? {
            uri if path_here(&uri).is_some_and(|path| path == "/") => Err(OF_THE_LOGIN),
            uri => Ok(uri),
        };
        let field = |name: &str| format!("{place}.{name}");
        if self.redirect_uris.is_empty() {
            faults.note(field("redirect_uris"), "there is none, so no answer could go anywhere");
        }
        let mut accounts = deployment.accounts.iter();
        let account = accounts
            .find(|account| account.name.as_ref().map(AccountName::as_str) == self.account.as_deref());
        if account.is_none() {
            faults.note(field("account"), "it must be a name of ACCOUNTS; without it, the first account");
        }
        if !self.secrets.is_empty() && !self.origins.is_empty() {
            faults
                .note(field("origins"), "a client with a secret has none, for no page's script can keep it");
        }
        if self.profile.as_deref().is_some_and(|profile| profile != "ask") {
            faults.note(field("profile"), "it must be \"ask\", or not there");
        }
        Client {
            redirect_uris: faults.each(&field("redirect_uris"), &self.redirect_uris, redirect_uri),
            secrets: faults.each(&field("secrets"), &self.secrets, secret),
            origins: faults.each(&field("origins"), &self.origins, |text| {
                Origin::parse(text).ok_or("it must be an origin, such as https://app.example.org")
            }),
            post_logout_redirect_uris: faults.each(
                &field("post_logout_redirect_uris"),
                &self.post_logout_redirect_uris,
                post_logout_redirect_uri,
            ),
            name: parsed.unwrap_or(ClientName(name)),
            account: account.and_then(|account| account.name.clone()),
            refresh: self.refresh,
            pkce: if self.pkce || self.secrets.is_empty() { Pkce::Required } else { Pkce::Optional },
            asks_profile: self.profile.is_some(),
            identifiers: self.identifiers.unwrap_or(true),
        }
    }
}

fn secret(text: &str) -> Result<Digest, &'static str> {
    let digits = text.strip_prefix("sha256:").ok_or(SECRET)?;
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if digits.len() != 64 || !digits.bytes().all(is_digit) {
        return Err(SECRET);
    }
    let digest = Digest::stored(digits.to_owned());
    // What a script makes of a variable that is not set.
    if digest == Digest::of(b"") { Err(SECRET_OF_NOTHING) } else { Ok(digest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_uri_is_compared_byte_for_byte() {
        let registered = RedirectUri::parse("https://app.example.org/callback", false).unwrap();
        assert!(registered.matches("https://app.example.org/callback"));
        for asked in [
            "https://app.example.org/callback/",
            "https://app.example.org/callback?a=1",
            "https://app.example.org/callback#",
            "https://app.example.org:443/callback",
            "https://app.example.org/Callback",
            "https://APP.example.org/callback",
            "https://app.example.org.evil.com/callback",
            "https://app.example.org@evil.com/callback",
            "http://app.example.org/callback",
            "https://app.example.org/a/../callback",
            "",
        ] {
            assert!(!registered.matches(asked), "{asked}");
        }
    }

    /// RFC 6749 §3.1.2.3 compares strings: what a browser takes for the same place is registered each by itself.
    #[test]
    fn an_origin_with_a_slash_is_another_one_than_without() {
        let bare = RedirectUri::parse("https://app.example.org", false).unwrap();
        let slashed = RedirectUri::parse("https://app.example.org/", false).unwrap();
        assert!(bare.matches("https://app.example.org") && !bare.matches("https://app.example.org/"));
        assert!(slashed.matches("https://app.example.org/") && !slashed.matches("https://app.example.org"));
    }

    #[test]
    fn only_the_port_of_a_loopback_address_is_free() {
        let registered = RedirectUri::parse("http://127.0.0.1/cb", false).unwrap();
        assert_eq!(registered.kind(), RedirectKind::Loopback);
        for asked in ["http://127.0.0.1/cb", "http://127.0.0.1:49152/cb"] {
            assert!(registered.matches(asked), "{asked}");
        }
        for asked in [
            "http://127.0.0.1:49152/cb/",
            "http://127.0.0.2:49152/cb",
            "https://127.0.0.1:49152/cb",
            "http://user@127.0.0.1:49152/cb",
            "http://127.1:49152/cb",
            "http://localhost:49152/cb",
        ] {
            assert!(!registered.matches(asked), "{asked}");
        }
        let named = RedirectUri::parse("http://localhost:3000/cb", false).unwrap();
        assert!(named.matches("http://localhost:3000/cb") && !named.matches("http://localhost:3001/cb"));
        let bare = RedirectUri::parse("http://127.0.0.1", false).unwrap();
        assert!(bare.matches("http://127.0.0.1:49152") && !bare.matches("http://127.0.0.1:49152/"));
    }

    #[test]
    fn a_uri_proves_somebody_or_nobody() {
        let kind = |text, is_local| RedirectUri::parse(text, is_local).map(|uri| uri.kind());
        assert_eq!(kind("https://app.example.org/", false), Some(RedirectKind::Web));
        assert_eq!(kind("https://app.example.org", false), Some(RedirectKind::Web));
        assert_eq!(kind("https://app.example.org:8443", false), Some(RedirectKind::Web));
        assert_eq!(kind("com.example.app:/cb", false), Some(RedirectKind::PrivateScheme));
        assert_eq!(kind("http://[::1]/cb", false), Some(RedirectKind::Loopback));
        assert_eq!(kind("http://localhost:3000/cb", false), Some(RedirectKind::Loopback));
        assert_eq!(kind("http://localhost:3000/cb", true), Some(RedirectKind::Web));
        for text in [
            "http://app.example.org/",
            "https://app.example.org:443",
            "https://*.example.org/cb",
            "https://app.example.org/*",
            "http://localhost:3000/*",
            "https://APP.example.org",
            "https://app.example.org?a=1",
            "https://app.example.org/a/..",
            "https://app.example.org#",
            "https://user@app.example.org",
            "https://user@app.example.org/",
            "https://app.example.org/#",
            "https://应用.example.org/",
            "javascript:alert(1)",
            "data:text/html,x",
            "app:/cb",
            "com.example.app://a\\b",
            "com.example.app:cb",
            "com.example.app:a/../cb",
            "/cb",
        ] {
            assert_eq!(kind(text, false), None, "{text}");
        }
    }
}
