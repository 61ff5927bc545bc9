//! What a client asks for when it sends a browser here: the authorization request
//! ([OpenID Connect Core §3.1.2.1](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest)), and the answer.
//!
//! Who asks and where the answer goes is settled first: until both are known to belong together, nothing leaves for the
//! address in the request, and the person is shown a page. From then on every error goes to the client, with its `state`.
//!
//! Code flow only. Words that are nobody's are ignored, as the specification wants it; those that would change what is
//! granted, and are not known here, are refused by name.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;
use wechat::Lang;

use crate::Provider;
use crate::client::{Client, Pkce, RedirectKind};
use crate::pkce::CodeChallenge;

/// The longest `state`, in bytes: load balancers send long ones.
const LONGEST_STATE: usize = 4096;
/// The longest `nonce`, in bytes.
const LONGEST_NONCE: usize = 512;
/// The longest hint, in bytes.
const LONGEST_HINT: usize = 4096;
/// The longest request as a whole, in bytes of its stored form: with what is stored around it, six kilobytes. Whoever knows
/// a client's name can have it stored, and each kilobyte is a write unit.
const LONGEST_REQUEST: usize = 5900;

/// A request that can be granted. It is kept, sealed, while its person logs in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// `client_id`.
    pub client: String,
    /// `redirect_uri`, as it was asked for.
    pub redirect_uri: String,
    /// `state`, as it came.
    pub state: Option<String>,
    /// `nonce`.
    pub nonce: Option<String>,
    /// `code_challenge` of the method `S256`.
    pub challenge: Option<String>,
    /// `scope`, as far as it is known here.
    pub scope: String,
    /// `prompt`.
    pub prompt: Prompt,
    /// `max_age`, in seconds.
    pub max_age: Option<u64>,
    /// `id_token_hint`.
    pub hint: Option<String>,
    /// `ui_locales`, as WeChat's `lang`.
    pub lang: Option<Lang>,
    /// `resource`: the API that the access token is for.
    pub resource: Option<String>,
}

/// `prompt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Prompt {
    /// Not said.
    #[default]
    Unsaid,
    /// `none`: no page may be shown.
    None,
    /// `login` or `select_account`: whoever is logged in logs in anew.
    Login,
    /// `consent`: the person is asked for name and picture.
    Consent,
}

/// Why the answer may not go to the address in the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unanswerable {
    /// `client_id` is missing, twice or unknown.
    #[error("client_id is no client of this provider")]
    Client,
    /// `redirect_uri` is missing, twice or not one of the client's.
    #[error("redirect_uri is not registered for this client")]
    RedirectUri,
}

/// Why nothing is granted ([RFC 6749 §4.1.2.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1),
/// [OpenID Connect Core §3.1.2.6](https://openid.net/specs/openid-connect-core-1_0.html#AuthError)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorizationError {
    /// A parameter is missing, malformed or there twice.
    InvalidRequest(&'static str),
    /// Another flow than the code flow.
    UnsupportedResponseType,
    /// Without `openid`.
    InvalidScope,
    /// No API that this client may ask for.
    InvalidTarget,
    /// `request`.
    RequestNotSupported,
    /// `request_uri`.
    RequestUriNotSupported,
    /// Nobody is logged in, and no page may be shown.
    LoginRequired,
    /// Somebody is, and a page would have to be shown.
    InteractionRequired,
    /// Name and picture would have to be asked for, and no page may be shown.
    ConsentRequired,
    /// The person declined.
    AccessDenied,
    /// WeChat does not say who the person is among all apps.
    NoUnionId,
}

impl AuthorizationError {
    /// `error` and `error_description`.
    #[must_use]
    pub const fn words(self) -> [&'static str; 2] {
        match self {
            Self::InvalidRequest(what) => ["invalid_request", what],
            Self::UnsupportedResponseType => ["unsupported_response_type", "response_type must be code"],
            Self::InvalidScope => ["invalid_scope", "scope must have openid in it"],
            Self::InvalidTarget => ["invalid_target", "resource is no API that this client may use"],
            Self::RequestNotSupported => {
                ["request_not_supported", "parameters are taken from the query only"]
            }
            Self::RequestUriNotSupported => {
                ["request_uri_not_supported", "parameters are taken from the query only"]
            }
            Self::LoginRequired => ["login_required", "nobody is logged in here as this request wants it"],
            Self::InteractionRequired => ["interaction_required", "the person would have to press a button"],
            Self::ConsentRequired => ["consent_required", "name and picture are not known"],
            Self::AccessDenied => ["access_denied", "the person did not allow the login"],
            Self::NoUnionId => {
                ["access_denied", "no unionid: the apps are not bound to one Open Platform account"]
            }
        }
    }
}

/// Why a request came to nothing.
#[derive(Debug)]
pub enum Refused {
    /// The person sees a page.
    Page(Unanswerable),
    /// The client is told, at this address.
    Answer(String, AuthorizationError),
}

/// A parameter that cannot be read: there twice, or not encoded right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

impl AuthorizationRequest {
    /// Reads a request, whose parameters `one` gives by name.
    ///
    /// # Errors
    ///
    /// [`Refused`], with what follows from it.
    pub fn read(
        provider: &Provider,
        one: impl Fn(&'static str) -> Result<Option<String>, Unreadable>,
    ) -> Result<Self, Refused> {
        let page = Refused::Page;
        let name = one("client_id").ok().flatten();
        let client = name.and_then(|name| provider.client(&name)).ok_or(page(Unanswerable::Client))?;
        let redirect_uri = one("redirect_uri").ok().flatten();
        let redirect_uri =
            redirect_uri.filter(|asked| client.redirect_uris.iter().any(|uri| uri.matches(asked)));
        let redirect_uri = redirect_uri.ok_or(page(Unanswerable::RedirectUri))?;
        let state = one("state");
        let request = Self::judge(provider, client, &redirect_uri, &state, one);
        request.map_err(|error| {
            let state = state.ok().flatten().filter(|state| state.len() <= LONGEST_STATE);
            Refused::Answer(answer(provider, &redirect_uri, state.as_deref(), Answer::Error(error)), error)
        })
    }

    fn judge(
        provider: &Provider,
        client: &Client,
        redirect_uri: &str,
        state: &Result<Option<String>, Unreadable>,
        one: impl Fn(&'static str) -> Result<Option<String>, Unreadable>,
    ) -> Result<Self, AuthorizationError> {
        use AuthorizationError::InvalidRequest;
        let text = |name: &'static str| {
            one(name).map_err(|Unreadable| InvalidRequest("a parameter is there twice, or not encoded right"))
        };
        let state = state
            .clone()
            .map_err(|Unreadable| InvalidRequest("state is there twice, or not encoded right"))?;
        if state.as_ref().is_some_and(|state| state.len() > LONGEST_STATE) {
            return Err(InvalidRequest("state is longer than 4096 bytes"));
        }
        match text("response_type")?.as_deref() {
            Some("code") => {}
            None => return Err(InvalidRequest("response_type is missing")),
            Some(_) => return Err(AuthorizationError::UnsupportedResponseType),
        }
        if text("request")?.is_some() {
            return Err(AuthorizationError::RequestNotSupported);
        }
        if text("request_uri")?.is_some() {
            return Err(AuthorizationError::RequestUriNotSupported);
        }
        if text("response_mode")?.is_some_and(|mode| mode != "query") {
            return Err(InvalidRequest("response_mode must be query"));
        }
        let nonce = text("nonce")?;
        if nonce.as_ref().is_some_and(|nonce| nonce.len() > LONGEST_NONCE) {
            return Err(InvalidRequest("nonce is longer than 512 bytes"));
        }
        let challenge =
            challenge(client, text("code_challenge")?, text("code_challenge_method")?.as_deref())?;
        let resource = text("resource")?;
        let apis =
            provider.apis.iter().filter(|api| api.clients.iter().any(|name| name == client.name.as_str()));
        let api = match &resource {
            Some(name) => {
                let mut apis = apis;
                Some(
                    apis.find(|api| api.identifier.as_str() == name)
                        .ok_or(AuthorizationError::InvalidTarget)?,
                )
            }
            // Without a word, the one that it is registered for.
            None => {
                let apis: Vec<_> = apis.collect();
                if let [api] = apis[..] { Some(api) } else { None }
            }
        };
        let known = |scope: &&str| {
            ["openid", "profile"].contains(scope)
                || api.is_some_and(|api| api.scopes.iter().any(|known| known == scope))
        };
        let asked = text("scope")?.unwrap_or_default();
        let mut scopes: Vec<&str> = asked.split(' ').filter(known).collect();
        if !scopes.contains(&"openid") {
            return Err(AuthorizationError::InvalidScope);
        }
        scopes.sort_unstable();
        scopes.dedup();
        let hint = text("id_token_hint")?;
        if hint.as_ref().is_some_and(|hint| hint.len() > LONGEST_HINT) {
            return Err(InvalidRequest("id_token_hint is longer than 4096 bytes"));
        }
        let max_age = text("max_age")?
            .map(|age| age.parse().map_err(|_| InvalidRequest("max_age is no number of seconds")));
        let asked = Self {
            client: client.name.as_str().to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            state,
            nonce,
            challenge,
            scope: scopes.join(" "),
            prompt: prompt(text("prompt")?.as_deref().unwrap_or_default())?,
            max_age: max_age.transpose()?,
            hint,
            lang: text("ui_locales")?.and_then(|locales| locales.split(' ').find_map(lang)),
            resource: api.map(|api| api.identifier.as_str().to_owned()),
        };
        // Of control characters each takes six bytes there.
        let is_short = serde_json::to_vec(&asked).is_ok_and(|text| text.len() <= LONGEST_REQUEST);
        if is_short { Ok(asked) } else { Err(InvalidRequest("the request is too long as a whole")) }
    }

    /// The client that asks, and what its address proves; `None` if the configuration has changed and neither is
    /// registered any more.
    #[must_use]
    pub fn asker<'a>(&self, provider: &'a Provider) -> Option<(&'a Client, RedirectKind)> {
        let client = provider.client(&self.client)?;
        let uri = client.redirect_uris.iter().find(|uri| uri.matches(&self.redirect_uri))?;
        Some((client, uri.kind()))
    }

    /// Whether this scope was asked for.
    #[must_use]
    pub fn has_scope(&self, name: &str) -> bool {
        self.scope.split(' ').any(|scope| scope == name)
    }

    /// How old a login may be.
    #[must_use]
    pub fn max_age(&self) -> Option<Duration> {
        self.max_age.map(Duration::from_secs)
    }

    /// Where the browser takes an answer to this request.
    #[must_use]
    pub fn answer(&self, provider: &Provider, answer_: Answer<'_>) -> String {
        answer(provider, &self.redirect_uri, self.state.as_deref(), answer_)
    }
}

/// What a client is answered.
#[derive(Debug, Clone, Copy)]
pub enum Answer<'a> {
    /// The code.
    Code(&'a str),
    /// Why there is none.
    Error(AuthorizationError),
}

/// The address of an answer: with `state`, and with `iss`, so that no client takes it for another provider's
/// ([RFC 9207](https://www.rfc-editor.org/rfc/rfc9207)). A query that is registered stays.
fn answer(provider: &Provider, redirect_uri: &str, state: Option<&str>, answer: Answer<'_>) -> String {
    let Ok(mut url) = Url::parse(redirect_uri) else { return redirect_uri.to_owned() };
    {
        let mut query = url.query_pairs_mut();
        match answer {
            Answer::Code(code) => {
                query.append_pair("code", code);
            }
            Answer::Error(error) => {
                let [name, description] = error.words();
                query.append_pair("error", name).append_pair("error_description", description);
            }
        }
        query.extend_pairs(state.map(|state| ("state", state)));
        query.append_pair("iss", provider.issuer.as_str());
    }
    url.into()
}

fn challenge(
    client: &Client,
    challenge: Option<String>,
    method: Option<&str>,
) -> Result<Option<String>, AuthorizationError> {
    use AuthorizationError::InvalidRequest;
    match (challenge, method) {
        (None, None) if client.pkce == Pkce::Optional => Ok(None),
        (None, None) => Err(InvalidRequest("code_challenge is missing, which this client must send")),
        (Some(challenge), Some("S256")) => {
            let challenge =
                CodeChallenge::parse(&challenge).ok_or(InvalidRequest("code_challenge is no SHA-256"))?;
            Ok(Some(challenge.as_str().to_owned()))
        }
        (Some(_), _) => Err(InvalidRequest("code_challenge_method must be S256")),
        (None, Some(_)) => Err(InvalidRequest("code_challenge is missing")),
    }
}

fn prompt(text: &str) -> Result<Prompt, AuthorizationError> {
    let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    let has = |word| words.contains(&word);
    if !words.iter().all(|word| ["none", "login", "consent", "select_account"].contains(word)) {
        return Err(AuthorizationError::InvalidRequest("prompt has an unknown word"));
    }
    match words.len() {
        0 => Ok(Prompt::Unsaid),
        1 if has("none") => Ok(Prompt::None),
        _ if has("none") => Err(AuthorizationError::InvalidRequest("prompt has none and another word")),
        // A new login inside WeChat asks for consent anyway.
        _ if has("login") || has("select_account") => Ok(Prompt::Login),
        _ => Ok(Prompt::Consent),
    }
}

/// A language tag ([RFC 5646](https://www.rfc-editor.org/rfc/rfc5646)) in WeChat's terms; `None` for one that it has not.
fn lang(tag: &str) -> Option<Lang> {
    let tag = tag.to_ascii_lowercase();
    let has = |part: &str| tag.split('-').skip(1).any(|subtag| subtag == part);
    match tag.split('-').next()? {
        "zh" if has("tw") || has("hk") || has("mo") || has("hant") => Some(Lang::ZhTw),
        "zh" => Some(Lang::ZhCn),
        "en" => Some(Lang::En),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_told_by_its_tag() {
        for (tag, expected) in [
            ("zh-CN", Some(Lang::ZhCn)),
            ("zh", Some(Lang::ZhCn)),
            ("zh-Hans-SG", Some(Lang::ZhCn)),
            ("zh-TW", Some(Lang::ZhTw)),
            ("zh-hant", Some(Lang::ZhTw)),
            ("zh-HK", Some(Lang::ZhTw)),
            ("en-GB", Some(Lang::En)),
            ("fr", None),
            ("", None),
        ] {
            assert_eq!(lang(tag), expected, "{tag}");
        }
    }

    #[test]
    fn none_stands_alone() {
        assert_eq!(prompt(""), Ok(Prompt::Unsaid));
        assert_eq!(prompt("none"), Ok(Prompt::None));
        assert_eq!(prompt("consent select_account"), Ok(Prompt::Login));
        assert_eq!(prompt("consent"), Ok(Prompt::Consent));
        assert!(prompt("none login").is_err() && prompt("create").is_err());
    }
}
