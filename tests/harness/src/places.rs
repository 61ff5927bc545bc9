//! What is called by name all over the tests: addresses, cookies, WeChat's endpoints.

/// Where a login begins.
pub const AUTHORIZE: &str = "https://login.example.com/authorize";
/// Where a login begins that asks for the profile.
pub const AUTHORIZE_PROFILE: &str = "https://login.example.com/authorize?scope=snsapi_userinfo";
/// Where a login begins that is the automatic second try of another.
pub const FRESH_LOGIN: &str = "https://login.example.com/authorize?attempt=2";
/// Where a login begins that begins once more because its code was spent, at the cost of no try.
pub const ONCE_MORE: &str = "https://login.example.com/authorize?waits=1";
/// The page of a reason, as far as the reason.
pub const ERROR_PAGE: &str = "https://login.example.com/error?reason=";
/// Where WeChat calls back.
pub const CALLBACK: &str = "https://login.example.com/callback";
/// Where a script asks who is logged in, and a session is erased.
pub const USERINFO: &str = "https://login.example.com/userinfo";
/// The same question, with WeChat asked whether it still stands.
pub const VERIFY: &str = "https://login.example.com/userinfo?verify=true";
/// Where a session ends.
pub const LOGOUT: &str = "https://login.example.com/logout";
/// Where a login arrives that does not say where it ends.
pub const ARRIVAL: &str = "https://www.example.com/me#";

/// The cookie that ties a login to the browser in which it began.
pub const BROWSER_COOKIE: &str = "__Host-browser";
/// The cookie of a session.
pub const SESSION_COOKIE: &str = "__Host-session";
/// What is sent so that the session's cookie goes: the same attributes it was set with.
pub const SESSION_CLEARED: &str = "__Host-session=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax";

/// WeChat's page on a phone, by its path, as the ledger has it; so are those below.
pub const CONSENT_PAGE: &str = "/connect/oauth2/authorize";
/// WeChat's page with a QR code.
pub const QR_PAGE: &str = "/connect/qrconnect";
/// WeChat's exchange of a code.
pub const EXCHANGE: &str = "/sns/oauth2/access_token";
/// WeChat's new tokens for a refresh token.
pub const REFRESH: &str = "/sns/oauth2/refresh_token";
/// A person's profile at WeChat's.
pub const PROFILE: &str = "/sns/userinfo";
/// Whether WeChat still takes an access token.
pub const AUTH: &str = "/sns/auth";
/// The exchange of a code by a third-party platform.
pub const COMPONENT_EXCHANGE: &str = "/sns/oauth2/component/access_token";
/// The new tokens of a third-party platform.
pub const COMPONENT_REFRESH: &str = "/sns/oauth2/component/refresh_token";
/// An app's own global token.
pub const STABLE_TOKEN: &str = "/cgi-bin/stable_token";
/// What WeChat knows of a follower.
pub const FOLLOWER: &str = "/cgi-bin/user/info";

/// People whom the simulator knows.
pub const PEOPLE: [&str; 3] = ["lin", "zhou", "mallory"];

/// The parameter of an address, decoded; empty if there is none.
pub fn parameter(url: &str, name: &str) -> String {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let query = query.split('#').next().unwrap_or_default();
    let found = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name);
    found.map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// The address under which WeChat would call back with this code and state.
pub fn callback(code: &str, state: &str) -> String {
    format!("{CALLBACK}?code={code}&state={state}")
}

/// The link to a login that ends here.
pub fn authorize_to(return_to: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("return_to", return_to).finish();
    format!("{AUTHORIZE}?{query}")
}

/// What every page carries, and nothing else: on a redirect it would cut a popup off from its opener.
pub const OPENER_POLICY: (&str, &str) = ("cross-origin-opener-policy", "same-origin");

/// What every answer carries, whatever it is; the three that a page may choose are not among them.
pub const ALWAYS: [(&str, &str); 5] = [
    ("cache-control", "no-store"),
    ("cross-origin-resource-policy", "same-origin"),
    ("strict-transport-security", "max-age=63072000"),
    ("x-content-type-options", "nosniff"),
    ("x-robots-tag", "noindex"),
];
