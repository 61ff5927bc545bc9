//! The provider as a deployment sets it up: who `sub` is, which clients log people in, which APIs take tokens.
//!
//! It is one JSON text, and judged whole: every fault is named at once, by its place, and a deployment that is wrong
//! about one client says so at start instead of to the first person who logs in there. No value is repeated in a
//! message, for somebody may have pasted a secret where its digest belongs.

use std::fmt;

use login::account::Accounts;
use login::deployment::Deployment;
use login::origin::Origin;
use settings::named::Named;
use settings::{Settings, Wrong};

use crate::api::{Api, RawApi};
use crate::client::{Client, RawClient};
use crate::subject::SubjectKind;

settings::declare! {
    OPENID_CONNECT, "a JSON object, see the OpenID Provider's page of the documentation", "`{\"subject\":\"unionid\",\"apis\":{\"https://api.example.com\":{\"origins\":[\"https://www.example.com\"]}}}`", ["none: no OpenID Provider", "无：不是 OpenID Provider"], ["The [OpenID Provider](openid.md): what `sub` is, the clients and the APIs, as JSON", "[OpenID Provider](openid.md)：`sub` 的含义、客户端和 API，JSON 格式"];
}

/// What this stack says of people, and to whom.
#[derive(Debug, Clone)]
pub struct Provider {
    /// The name of this stack in every token; its `PUBLIC_URL`
    /// ([OpenID Connect Core §1.2](https://openid.net/specs/openid-connect-core-1_0.html#Terminology)).
    pub issuer: Origin,
    /// What `sub` is.
    pub subject: SubjectKind,
    /// Who logs people in.
    pub clients: Vec<Client>,
    /// Who takes access tokens.
    pub apis: Vec<Api>,
}

impl Provider {
    /// Reads it; `None` if this deployment is no provider. `deployment` is what it must agree with.
    ///
    /// # Errors
    ///
    /// [`Wrong`] if it is wrong; each fault is noted.
    pub fn read(
        settings: &mut Settings<'_>,
        deployment: &Result<Deployment, Wrong>,
    ) -> Result<Option<Self>, Wrong> {
        let text = settings.optional(&OPENID_CONNECT, |text| Some(text.to_owned()))?;
        // Whether its parts fit a deployment that is wrong itself, nobody can say.
        let (Some(text), Ok(deployment)) = (text, deployment) else { return Ok(None) };
        Self::parse(&text, deployment).map(Some).map_err(|faults| {
            for fault in faults {
                settings.wrong(format!("OPENID_CONNECT is wrong; {fault}"));
            }
            Wrong
        })
    }

    /// Reads it where a fault of it must not take anything else away: `None` too if it is wrong, which another function
    /// says.
    pub fn read_if_right(
        settings: &mut Settings<'_>,
        deployment: &Result<Deployment, Wrong>,
    ) -> Option<Self> {
        let text = settings.optional(&OPENID_CONNECT, |text| Some(text.to_owned())).ok()??;
        Self::parse(&text, deployment.as_ref().ok()?).ok()
    }

    /// Parses it, or says all that is wrong.
    fn parse(text: &str, deployment: &Deployment) -> Result<Self, Vec<String>> {
        let raw: Raw = serde_json::from_str(text).map_err(|error| vec![without_values(&error)])?;
        let mut faults = Faults::default();
        let subject = raw.subject.as_deref().and_then(SubjectKind::parse);
        if subject.is_none() {
            faults.note("subject", SUBJECT);
        }
        let accounts = &deployment.accounts;
        let clients: Vec<_> = raw
            .clients
            .0
            .into_iter()
            .enumerate()
            .map(|(at, (name, client))| client.read(at, name, deployment, &mut faults))
            .collect();
        let names: Vec<&str> = clients.iter().map(|client| client.name.as_str()).collect();
        let apis = raw.apis.0.into_iter();
        let apis: Vec<_> = apis
            .map(|(name, api)| api.read(name, &deployment.public_url, accounts, &names, &mut faults))
            .collect();
        if clients.is_empty() && apis.is_empty() {
            faults.note("clients and apis", "there is none, so nobody would get a token");
        }
        match subject {
            Some(subject) if faults.0.is_empty() => {
                Ok(Self { issuer: deployment.public_url.clone(), subject, clients, apis })
            }
            _ => Err(faults.0),
        }
    }

    /// Whether scripts on pages of `origin` may ask what clients ask: it is one of a client's own. None has a secret:
    /// what a page's script knows, everybody knows.
    #[must_use]
    pub fn trusts(&self, origin: &str) -> bool {
        self.clients.iter().flat_map(|client| &client.origins).any(|known| known.as_str() == origin)
    }

    /// The API of this name.
    #[must_use]
    pub fn api(&self, identifier: &str) -> Option<&Api> {
        self.apis.iter().find(|api| api.identifier.as_str() == identifier)
    }

    /// The client of this name.
    #[must_use]
    pub fn client(&self, name: &str) -> Option<&Client> {
        self.clients.iter().find(|client| client.name.as_str() == name)
    }
}

const SUBJECT: &str = "it must be \"unionid\" (a person is the same inside WeChat and by QR code; the apps must be bound to \
                       one Open Platform account) or \"openid\" (right for one app)";

/// What is wrong, by its place.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<String>);

impl Faults {
    /// Notes what is wrong in a place.
    pub(crate) fn note(&mut self, place: impl fmt::Display, problem: impl fmt::Display) {
        self.0.push(format!("{place}: {problem}"));
    }

    /// The items that `parse` takes; every other one is noted by its number, with what `parse` has against it.
    pub(crate) fn each<T>(
        &mut self,
        place: &str,
        items: &[String],
        parse: impl Fn(&str) -> Result<T, &'static str>,
    ) -> Vec<T> {
        let parsed = items.iter().enumerate().map(|(at, text)| {
            let is_repeated = items.iter().take(at).any(|before| before == text);
            match parse(text) {
                Ok(_) if is_repeated => Err((at, "it stands there twice")),
                Ok(value) => Ok(value),
                Err(what) => Err((at, what)),
            }
        });
        let parsed: Vec<_> = parsed.collect();
        parsed
            .into_iter()
            .filter_map(|item| item.map_err(|(at, what)| self.note(format!("{place}[{at}]"), what)).ok())
            .collect()
    }

    /// Who trusts an origin: `None`, noted, if no account does.
    pub(crate) fn trusted(&mut self, place: &str, origins: &[String], accounts: &Accounts) -> Vec<Origin> {
        let shape = "it must be one of AllowedOrigins, or of an account's, exactly as it stands there";
        self.each(place, origins, |text| {
            Origin::parse(text).filter(|origin| accounts.trust(origin.as_str())).ok_or(shape)
        })
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    subject: Option<String>,
    #[serde(default)]
    clients: Named<RawClient>,
    #[serde(default)]
    apis: Named<RawApi>,
}

/// What is wrong with a JSON text. serde's message repeats a value that is of the wrong kind; names are safe.
fn without_values(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let is_of_names = ["unknown field", "duplicate"].iter().any(|start| text.starts_with(start));
    if is_of_names {
        text
    } else {
        format!("it cannot be read, at line {} column {}", error.line(), error.column())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn read(openid_connect: &str) -> Result<Option<Provider>, String> {
        let variables = HashMap::from([
            ("PUBLIC_URL", "https://auth.example.com"),
            ("ALLOWED_ORIGINS", "https://www.example.com"),
            ("DEFAULT_RETURN_TO", "/"),
            ("OFFICIAL_ACCOUNT_APP_ID", "wx0000000000000aaa"),
            ("ACCOUNTS", r#"{"shop":{"website":"wx0000000000000bbb"}}"#),
            ("OPENID_CONNECT", openid_connect),
        ]);
        let variable = |name: &str| variables.get(name).map(|value| (*value).to_owned());
        let mut settings = Settings::new(&variable);
        let deployment = Deployment::read(&mut settings);
        let read = Provider::read(&mut settings, &deployment);
        settings.checked(read).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_is_no_provider() {
        assert!(read("").unwrap().is_none());
    }

    #[test]
    fn the_example_of_the_documentation_is_right() {
        let provider = read(
            r#"{"subject": "unionid",
                "clients": {
                    "admin": {"redirect_uris": ["https://admin.example.com/oauth2/idpresponse"],
                        "secrets": ["sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"], "refresh": true},
                    "web": {"redirect_uris": ["https://app.example.org/callback?x=1"], "origins": ["https://app.example.org"],
                        "post_logout_redirect_uris": ["https://app.example.org/"]},
                    "phone": {"redirect_uris": ["com.example.app:/cb", "http://127.0.0.1/cb"], "refresh": true},
                    "shop": {"account": "shop", "redirect_uris": ["https://shop.example.net/cb"], "pkce": true, "profile": "ask",
                        "identifiers": false}},
                "apis": {
                    "https://api.example.com": {"clients": ["web", "phone"], "origins": ["https://www.example.com"],
                        "typ": "JWT", "scopes": ["orders"], "claims": ["wechat_openid"], "lifetime": 600}}}"#,
        );
        let provider = provider.unwrap().unwrap();
        assert_eq!(provider.issuer.as_str(), "https://auth.example.com");
        assert_eq!((provider.clients.len(), provider.apis.len()), (4, 1));
        assert!(provider.client("admin").unwrap().is_confidential());
        assert!(!provider.client("web").unwrap().is_confidential());
        assert!(
            provider.api("https://api.example.com").is_some()
                && provider.api("https://api.example.com/").is_none()
        );
    }

    #[test]
    fn every_fault_is_named_by_its_place_and_no_value_is_repeated() {
        let error = read(
            r#"{"clients": {
                    "a:b": {"redirect_uris": []},
                    "web": {"account": "canary", "secrets": ["canary", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"], "origins": ["https://app.example.org/"],
                        "redirect_uris": ["http://app.example.org/canary", "https://APP.example.org/", "https://app.example.org/#a",
                            "https://app.example.org/cb", "https://app.example.org/cb", "canary:/cb",
                            "https://auth.example.com/callback", "https://auth.example.com", "https://auth.example.com/"],
                        "post_logout_redirect_uris": ["https://app.example.org:443", "https://auth.example.com/oauth2/logout",
                            "https://auth.example.com/", "https://auth.example.com", "https://app.example.org"],
                        "profile": "canary"}},
                "apis": {
                    "api#a": {"clients": ["canary"], "origins": ["https://canary.example.com"], "typ": "jwt", "scopes": ["openid", "a b"],
                        "claims": ["canary"], "lifetime": 59},
                    "https://auth.example.com": {"clients": ["web"]},
                    "https://api.example.com": {}}}"#,
        );
        let error = error.unwrap_err();
        for place in [
            "subject: ",
            "clients[0]: ",
            "clients[0].redirect_uris: ",
            "clients.web.account: ",
            "clients.web.secrets[0]: ",
            "clients.web.secrets[1]: it is the SHA-256 of nothing",
            "clients.web.origins: a client with a secret has none",
            "clients.web.origins[0]: ",
            "clients.web.redirect_uris[0]: ",
            "clients.web.redirect_uris[1]: ",
            "clients.web.redirect_uris[2]: ",
            "clients.web.redirect_uris[4]: it stands there twice",
            "clients.web.redirect_uris[5]: ",
            "clients.web.redirect_uris[6]: the login itself answers there",
            "clients.web.redirect_uris[7]: the login itself answers there",
            "clients.web.redirect_uris[8]: the login itself answers there",
            "clients.web.post_logout_redirect_uris[0]: ",
            "clients.web.post_logout_redirect_uris[1]: the login itself answers there",
            "clients.web.profile: ",
            "apis.api#a: ",
            "apis.api#a.clients[0]: ",
            "apis.api#a.origins[0]: ",
            "apis.api#a.typ: ",
            "apis.api#a.scopes[0]: ",
            "apis.api#a.scopes[1]: ",
            "apis.api#a.claims[0]: ",
            "apis.api#a.lifetime: ",
            "apis.https://auth.example.com: ",
            "apis.https://api.example.com: ",
        ] {
            assert!(error.contains(&format!("\n  OPENID_CONNECT is wrong; {place}")), "{place} in {error}");
        }
        assert_eq!(error.lines().count(), 30, "{error}");
        assert!(!error.contains("canary"), "{error}");
    }

    #[test]
    fn what_is_no_such_object_is_refused() {
        for text in [
            "[]",
            "{",
            r#"{"subject":"unionid"}"#,
            r#"{"subject":"unionid","clients":{"web":{"redirect_uris":["https://a.example/"],"scope":"x"}}}"#,
            r#"{"subject":"unionid","apis":{"https://a.example":{"origins":"canary"}}}"#,
            r#"{"subject":"unionid","clients":{"web":{"redirect_uris":["https://a.example/"]},"web":{"redirect_uris":["https://a.example/"]}}}"#,
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains("OPENID_CONNECT is wrong; ") && !error.contains("canary"), "{error}");
        }
    }
}
