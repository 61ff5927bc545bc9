//! Callbacks: which are an app's own, and how the code gets into them.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use url::Url;

/// How a callback stands to what is registered.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Fit {
    /// On no domain of the app's.
    Foreign,
    /// On one, but not by the scheme that was registered with it: page 10039.
    OtherScheme,
    /// Where codes may go.
    Own,
}

/// Whether a callback is on one of these domains: `host`, `host:port` or `host/path`, each of them for any scheme or,
/// if it begins with one, for that scheme only.
pub(crate) fn fit(domains: &[String], redirect_uri: &str) -> Fit {
    let Ok(url) = Url::parse(redirect_uri) else {
        return Fit::Foreign;
    };
    let Some(host) = url.host_str().filter(|_| matches!(url.scheme(), "http" | "https")) else {
        return Fit::Foreign;
    };
    let port = url.port().map(|port| port.to_string()).or_else(|| written_port(redirect_uri));
    let fit = |domain: &String| {
        let (scheme, domain) = match domain.split_once("://") {
            Some((scheme, domain)) => (Some(scheme), domain),
            None => (None, domain.as_str()),
        };
        let (domain, path) = domain.split_once('/').unwrap_or((domain, ""));
        let same_host = match &port {
            Some(port) => domain == format!("{host}:{port}") || (domain == host && host == "localhost"),
            None => domain == host,
        };
        let callback = url.path().trim_start_matches('/');
        let below = callback.strip_prefix(path);
        let is_there = same_host
            && below.is_some_and(|rest| path.is_empty() || rest.is_empty() || rest.starts_with(['/', '?']));
        match scheme {
            _ if !is_there => Fit::Foreign,
            Some(scheme) if scheme != url.scheme() => Fit::OtherScheme,
            _ => Fit::Own,
        }
    };
    domains.iter().map(fit).max().unwrap_or(Fit::Foreign)
}

/// The port as it stands in the address. WeChat compares text: the scheme's own port, which every URL parser leaves
/// out, makes another host of it.
fn written_port(redirect_uri: &str) -> Option<String> {
    let (_, rest) = redirect_uri.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (host, port) = authority.rsplit_once(':')?;
    // The colon may be one of an IPv6 address.
    (!host.starts_with('[') || host.ends_with(']')).then(|| port.to_owned())
}

/// The callback with its parameters: after its own query, and before its fragment.
pub(crate) fn before_fragment(redirect_uri: &str, parameters: &[(&str, &str)]) -> String {
    match redirect_uri.split_once('#') {
        Some((address, fragment)) => printable(&format!("{}#{fragment}", at_the_end(address, parameters))),
        None => at_the_end(redirect_uri, parameters),
    }
}

/// The callback with everything in its query once more, as relays do that append what they were given to what is there.
pub(crate) fn with_query_doubled(location: &str) -> String {
    let (address, fragment) = location.split_once('#').unwrap_or((location, ""));
    let query = address.split_once('?').map_or("", |(_, query)| query);
    let hash = if fragment.is_empty() { "" } else { "#" };
    if query.is_empty() { location.to_owned() } else { format!("{address}&{query}{hash}{fragment}") }
}

/// The callback with its parameters after everything else, within its fragment if it has one.
pub(crate) fn at_the_end(redirect_uri: &str, parameters: &[(&str, &str)]) -> String {
    // A login without a state can be refused in no words at all.
    let separator = if parameters.is_empty() { "" } else { separator(redirect_uri) };
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters);
    printable(&format!("{redirect_uri}{separator}{}", query.finish()))
}

/// A callback with a place for the code, which a page puts there.
pub(crate) struct Slot {
    pub(crate) before: String,
    pub(crate) after: String,
}

impl Slot {
    /// With the state; at the very end of the callback, or before its fragment.
    pub(crate) fn new(redirect_uri: &str, state: Option<&str>, within_fragment: bool) -> Self {
        let (address, fragment) = match redirect_uri.split_once('#') {
            Some((address, fragment)) if !within_fragment => (address, format!("#{fragment}")),
            _ => (redirect_uri, String::new()),
        };
        let query = state.map_or_else(String::new, |state| {
            form_urlencoded::Serializer::for_suffix("&".to_owned(), 1).append_pair("state", state).finish()
        });
        Self {
            before: printable(&format!("{address}{}code=", separator(address))),
            after: printable(&format!("{query}{fragment}")),
        }
    }

    /// With a code in its place.
    pub(crate) fn with(&self, code: &str) -> String {
        format!("{}{code}{}", self.before, self.after)
    }
}

/// What stands between an address and more parameters.
fn separator(address: &str) -> &'static str {
    match address {
        _ if !address.contains('?') => "?",
        _ if address.ends_with(['?', '&']) => "",
        _ => "&",
    }
}

/// What a header can carry: everything but printable ASCII percent-encoded.
fn printable(text: &str) -> String {
    const HIDDEN: &AsciiSet = &CONTROLS.add(b' ');
    utf8_percent_encode(text, HIDDEN).to_string()
}
