//! The OpenID Provider that the targets about it ask: three clients and an API.

use std::sync::LazyLock;

use login::deployment::Deployment;
use openid_connect::Provider;
use settings::Settings;

/// Where this deployment is.
pub const ISSUER: &str = "https://login.example.com";
/// Where the client on the web takes answers.
pub const WEB: &str = "https://app.example.org/callback?tenant=1";
/// Where the client on a device does.
pub const DEVICE: [&str; 3] = ["com.example.app:/cb", "http://127.0.0.1/cb", "http://[::1]/cb"];
/// The secret of the client that has one.
pub const SECRET: &str = "canary: of + admin%";
/// `printf %s "canary: of + admin%" | sha256sum`
const DIGEST: &str = "sha256:8eac145dce4e9dc93b4a599cd1e99ab6d84153a1161bd58cb6e0ca5c0f35b35e";

/// `OPENID_CONNECT`: `web` without a secret, `admin` with one, `phone` on a device.
pub fn configuration() -> String {
    serde_json::json!({
        "subject": "openid",
        "clients": {
            "web": {"redirect_uris": [WEB], "origins": ["https://app.example.org"], "refresh": true,
                "post_logout_redirect_uris": ["https://app.example.org/bye"]},
            "admin": {"redirect_uris": [WEB], "secrets": [DIGEST], "refresh": true},
            "phone": {"redirect_uris": DEVICE},
        },
        "apis": {"https://api.example.com":
            {"clients": ["web"], "origins": ["https://www.example.com"], "scopes": ["orders"]}},
    })
    .to_string()
}

/// The provider.
pub static PROVIDER: LazyLock<Provider> = LazyLock::new(|| {
    let configuration = configuration();
    let variable = |name: &str| {
        let value = match name {
            "PUBLIC_URL" => ISSUER,
            "ALLOWED_ORIGINS" => "https://www.example.com",
            "DEFAULT_RETURN_TO" => "/",
            "OFFICIAL_ACCOUNT_APP_ID" => "wx0000000000000aaa",
            "OPENID_CONNECT" => &configuration,
            _ => return None,
        };
        Some(value.to_owned())
    };
    let mut settings = Settings::new(&variable);
    let deployment = Deployment::read(&mut settings);
    let read = Provider::read(&mut settings, &deployment);
    match settings.checked(read) {
        Ok(Some(provider)) => provider,
        other => unreachable!("a constant: {other:?}"),
    }
});
