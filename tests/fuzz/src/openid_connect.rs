//! `OPENID_CONNECT`: whatever is believed of it is right by other rules too, and no message repeats a value.
//!
//! The input is the text of the variable. The reference reads it as plain JSON, and asks of each value what makes it
//! dangerous if it were wrong: where an answer may go, whose pages get tokens, for how long one is good.

use std::collections::HashSet;
use std::fmt;

use login::deployment::Deployment;
use openid_connect::Provider;
use serde::Deserializer;
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use settings::Settings;

/// A value that no message may hold.
const CANARY: &str = "canary";
/// The pages of the deployment.
const ORIGINS: [&str; 2] = ["https://login.example.com", "https://www.example.com"];

/// What an input may be made of.
pub const WORDS: &[&str] = &[
    r#""subject":"unionid""#,
    r#""subject":"openid""#,
    r#""subject":"canary""#,
    r#""apis":{"#,
    r#""clients":{"#,
    r#""https://api.example.com":{"#,
    r#""urn:a":{"origins":["https://www.example.com"]}"#,
    r#""web":{"redirect_uris":["https://app.example.org/cb"]}"#,
    r#""redirect_uris":["#,
    r#""origins":["https://www.example.com"]"#,
    r#""origins":["https://canary.example"]"#,
    r#""clients":["web"]"#,
    r#""typ":"JWT""#,
    r#""typ":"at+jwt""#,
    r#""scopes":["orders","canary"]"#,
    r#""scopes":["openid","a b"]"#,
    r#""claims":["wechat_openid","canary"]"#,
    r#""lifetime":600"#,
    r#""lifetime":59"#,
    r#""lifetime":-1"#,
    r#""lifetime":1e3"#,
    r#""secrets":["sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"]"#,
    r#""secrets":["canary"]"#,
    r#""post_logout_redirect_uris":["https://app.example.org/"]"#,
    r#""account":"shop""#,
    r#""account":"canary""#,
    r#""profile":"ask""#,
    r#""refresh":true"#,
    r#""pkce":true"#,
    r#""identifiers":false"#,
    r#""http://127.0.0.1/cb""#,
    r#""http://localhost/cb""#,
    r#""com.example.app:/cb""#,
    r#""https://app.example.org:443/cb""#,
    r#""https://app.example.org""#,
    r#""https://login.example.com/""#,
    r#""https://login.example.com/callback""#,
    r#""https://login.example.com/oauth2/authorize?a=1""#,
    r#""secrets":["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]"#,
    r#""https://a@app.example.org/cb""#,
    r#""https://app.example.org\\@evil.example/""#,
    r#""https://app.example.org/a/../b""#,
    r#""https://app.example.org/#a""#,
    r#""javascript:canary""#,
    r#""\u0000""#,
    "null",
    "true",
    "{}",
    "[]",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\u0063",
];

/// Tries one configuration.
///
/// # Panics
///
/// When something is believed that is wrong, or a value stands in a message.
pub fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match read(text) {
        // Nothing at all is no provider.
        Ok(None) => assert!(text.is_empty(), "{text:?} is no provider"),
        Ok(Some(provider)) => believe(text, &provider),
        Err(message) => {
            assert!(message.contains("OPENID_CONNECT is wrong; "), "{message:?} of {text:?}");
            let mut names = Names::default();
            let is_json = names.read(text);
            // The name of a member may be repeated: it says where the fault is.
            if is_json && !names.all.iter().any(|name| name.contains(CANARY)) {
                assert!(!message.contains(CANARY), "{message:?} of {text:?}");
            }
        }
    }
}

fn read(text: &str) -> Result<Option<Provider>, String> {
    let variable = |name: &str| {
        let value = match name {
            "PUBLIC_URL" => ORIGINS[0],
            "ALLOWED_ORIGINS" => ORIGINS[1],
            "DEFAULT_RETURN_TO" => "/",
            "OFFICIAL_ACCOUNT_APP_ID" => "wx0000000000000aaa",
            "ACCOUNTS" => r#"{"shop":{"website":"wx0000000000000bbb"}}"#,
            "OPENID_CONNECT" => text,
            _ => return None,
        };
        Some(value.to_owned())
    };
    let mut settings = Settings::new(&variable);
    let deployment = Deployment::read(&mut settings);
    let read = Provider::read(&mut settings, &deployment);
    settings.checked(read).map_err(|error| error.to_string())
}

/// Holds what was believed against the text.
fn believe(text: &str, provider: &Provider) {
    let mut names = Names::default();
    assert!(names.read(text) && !names.is_repeated, "a member stands twice, or it is no JSON: {text:?}");
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let part = |value: &Value, name: &str| value.get(name).cloned().unwrap_or_default();
    let known = |value: &Value, names: &[&str]| {
        value.as_object().is_some_and(|members| members.keys().all(|name| names.contains(&name.as_str())))
    };
    let texts = |value: &Value| -> Vec<String> {
        let items = value.as_array().into_iter().flatten();
        items.map(|item| item.as_str().unwrap_or_default().to_owned()).collect()
    };
    assert!(known(&value, &["subject", "clients", "apis"]), "{text:?}");
    assert!(part(&value, "subject") == "unionid" || part(&value, "subject") == "openid", "{text:?}");

    let clients = part(&value, "clients");
    let clients: Vec<_> = clients.as_object().into_iter().flatten().collect();
    assert_eq!(provider.clients.len(), clients.len(), "{text:?}");
    for (name, client) in &clients {
        let members = [
            "account",
            "redirect_uris",
            "secrets",
            "origins",
            "post_logout_redirect_uris",
            "refresh",
            "pkce",
            "profile",
            "identifiers",
        ];
        assert!(known(client, &members), "{text:?}");
        assert!(provider.client(name).is_some() && !name.contains([':', '/', ' ']), "{text:?}");
        let uris = texts(&part(client, "redirect_uris"));
        assert!(!uris.is_empty(), "{text:?}");
        for uri in uris.iter().chain(&texts(&part(client, "post_logout_redirect_uris"))) {
            assert!(may_be_answered_at(uri), "{uri:?} in {text:?}");
            assert!(!is_of_the_login(uri), "{uri:?} in {text:?}");
        }
        assert!(!uris.iter().any(|uri| uri.trim_end_matches('/') == ORIGINS[0]), "{text:?}");
        let secrets = texts(&part(client, "secrets"));
        assert!(secrets.is_empty() || texts(&part(client, "origins")).is_empty(), "{text:?}");
        for secret in secrets {
            let digits = secret.strip_prefix("sha256:").unwrap_or_default();
            assert!(!digits.starts_with("e3b0c44298fc1c14"), "the digest of nothing in {text:?}");
            assert!(digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{text:?}");
        }
    }

    let apis = part(&value, "apis");
    let apis: Vec<_> = apis.as_object().into_iter().flatten().collect();
    assert_eq!(provider.apis.len(), apis.len(), "{text:?}");
    assert!(!clients.is_empty() || !apis.is_empty(), "{text:?}");
    for (name, api) in &apis {
        assert!(known(api, &["clients", "origins", "typ", "scopes", "claims", "lifetime"]), "{text:?}");
        let read = provider.api(name).map(|api| (api.lifetime.as_secs(), api.kind.as_str()));
        let (lifetime, kind) = read.unwrap_or_default();
        assert!((60..=3600).contains(&lifetime), "{text:?}");
        assert_eq!(part(api, "lifetime").as_u64().unwrap_or(600), lifetime, "{text:?}");
        assert_eq!(part(api, "typ").as_str().unwrap_or("at+jwt"), kind, "{text:?}");
        assert!(name.contains(':') && !name.contains(['#', ' ']) && *name != ORIGINS[0], "{text:?}");
        let (origins, allowed) = (texts(&part(api, "origins")), texts(&part(api, "clients")));
        assert!(!origins.is_empty() || !allowed.is_empty(), "{text:?}");
        assert!(origins.iter().all(|origin| ORIGINS.contains(&origin.as_str())), "{text:?}");
        assert!(allowed.iter().all(|name| clients.iter().any(|(client, _)| *client == name)), "{text:?}");
        for scope in texts(&part(api, "scopes")) {
            let is_plain = !scope.is_empty() && scope.bytes().all(|byte| byte > b' ' && byte < 0x7f);
            assert!(is_plain && scope != "openid" && scope != "profile", "{text:?}");
        }
        let identifiers = ["wechat_openid", "wechat_unionid", "wechat_appid"];
        let claims = texts(&part(api, "claims"));
        assert!(claims.iter().all(|claim| identifiers.contains(&claim.as_str())), "{text:?}");
    }
}

/// Whether this is a place where an answer may go, by its looks.
fn may_be_answered_at(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else { return false };
    let is_plain = uri.bytes().all(|byte| byte.is_ascii_graphic()) && !uri.contains(['#', '\\', '*']);
    let authority = rest.strip_prefix("//").and_then(|rest| rest.split(['/', '?']).next());
    let host = authority.unwrap_or_default();
    let is_device =
        scheme == "http" && ["127.", "localhost", "[::1]"].iter().any(|known| host.starts_with(known));
    // What follows an app's own scheme names no host that anybody looks up, so no case is folded.
    let is_lower = scheme.contains('.') || !host.contains(|letter: char| letter.is_ascii_uppercase());
    let is_canonical = !host.contains('@') && is_lower;
    let climbs = rest.split(['/', '?']).any(|segment| segment == "..");
    let is_known = scheme == "https" && !host.is_empty() || is_device || scheme.contains('.');
    // A query may hold what a path may not.
    is_plain && is_known && is_canonical && (!climbs || uri.contains('?'))
}

/// Whether the login itself answers there.
fn is_of_the_login(uri: &str) -> bool {
    let path = uri.strip_prefix(ORIGINS[0]).and_then(|rest| rest.strip_prefix('/')).unwrap_or_default();
    ["callback", "authorize", "oauth2"].contains(&path.split(['/', '?']).next().unwrap_or_default())
}

/// The names of all members of a JSON text, and whether two of one object are the same.
#[derive(Default)]
struct Names {
    all: Vec<String>,
    is_repeated: bool,
}

impl Names {
    /// Reads a text; says whether it is JSON.
    fn read(&mut self, text: &str) -> bool {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        Node(self).deserialize(&mut deserializer).is_ok() && deserializer.end().is_ok()
    }
}

/// A value, of which only the names are kept.
struct Node<'a>(&'a mut Names);

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Node(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut own = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            self.0.is_repeated |= !own.insert(name.clone());
            self.0.all.push(name);
            members.next_value_seed(Node(self.0))?;
        }
        Ok(())
    }
}
