//! What a client asks for when it sends a browser here: the authorization request
//! ([OpenID Connect Core §3.1.2.1](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest)), and the answer.
//!
//! Who asks and where the answer goes is settled first: until both are known to belong together, nothing leaves for the
//! address in the request, and the person is shown a page. From then on every error goes to the client, with its
//! `state`.
//!
//! Code flow only. Parameters that no specification knows are ignored, as OpenID Connect wants it; those that would
//! change what is granted, and are not supported here, are refused by name.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;
use wechat::Lang;

use crate::Provider;
use crate::api::{Api, ApiIdentifier};
use crate::client::{Client, ClientName, Pkce, RedirectKind, RequestedRedirectUri};
use crate::parameter::{ClientState, IdTokenHint, Nonce, ScopeList};
use crate::pkce::CodeChallenge;

/// The longest request as a whole, in bytes of its stored form: with what is stored around it, six kilobytes. Whoever
/// knows a client's name can have it stored, and each kilobyte is a write unit.
const LONGEST_REQUEST: usize = 5860;

/// A request that can be granted ([OpenID Connect Core §3.1.2.1]). It is kept, sealed, while its person logs in.
///
/// [OpenID Connect Core §3.1.2.1]: https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// `client_id` ([RFC 6749 §4.1.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1)).
    pub client: ClientName,
    /// `redirect_uri`, as it was asked for ([RFC 6749 §3.1.2](https://www.rfc-editor.org/rfc/rfc6749#section-3.1.2)).
    pub redirect_uri: RequestedRedirectUri,
    /// `state`, as it came ([RFC 6749 §4.1.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1)).
    pub state: Option<ClientState>,
    /// `nonce` ([OpenID Connect Core §3.1.2.1](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest), as
    /// all below that name no other source).
    pub nonce: Option<Nonce>,
    /// `code_challenge` of the method `S256` ([RFC 7636 §4.3](https://www.rfc-editor.org/rfc/rfc7636#section-4.3)).
    pub challenge: Option<CodeChallenge>,
    /// `scope`, as far as it is known here ([RFC 6749 §3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3)).
    pub scope: ScopeList,
    /// `prompt`.
    pub prompt: Prompt,
    /// `max_age`, in seconds.
    pub max_age: Option<u64>,
    /// `id_token_hint`.
    pub hint: Option<IdTokenHint>,
    /// `ui_locales`, as WeChat's `lang`.
    pub lang: Option<Lang>,
    /// `resource`: the API that the access token is for
    /// ([RFC 8707 §2](https://www.rfc-editor.org/rfc/rfc8707#section-2)).
    pub resource: Option<ApiIdentifier>,
}

/// `prompt` ([OpenID Connect Core §3.1.2.1](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest)).
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

/// Why the answer may not go to the address in the request
/// ([RFC 6749 §4.1.2.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1)).
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
    /// Nobody can say now who is logged in, and no page may be shown.
    TemporarilyUnavailable,
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
            Self::TemporarilyUnavailable => {
                ["temporarily_unavailable", "nobody can say now who is logged in; ask again"]
            }
        }
    }
}

/// Why a request came to nothing, and who hears of it
/// ([RFC 6749 §4.1.2.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1)).
#[derive(Debug)]
pub enum AuthorizationRefusal {
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
    /// [`AuthorizationRefusal`], with what follows from it.
    pub fn read(
        provider: &Provider,
        one: impl Fn(&'static str) -> Result<Option<String>, Unreadable>,
    ) -> Result<Self, AuthorizationRefusal> {
        let page = AuthorizationRefusal::Page;
        let name = one("client_id").ok().flatten();
        let client = name.and_then(|name| provider.client(&name)).ok_or(page(Unanswerable::Client))?;
        let redirect_uri = one("redirect_uri").ok().flatten().and_then(|asked| client.requested(asked));
        let redirect_uri = redirect_uri.ok_or(page(Unanswerable::RedirectUri))?;
        let state = state(one("state"));
        let request = state
            .clone()
            .and_then(|state| Self::judge(provider, client, redirect_uri.clone(), state, &Parameters(&one)));
        request.map_err(|error| {
            let state = state.ok().flatten();
            let location = answer(provider, &redirect_uri, state.as_ref(), Answer::Error(error));
            AuthorizationRefusal::Answer(location, error)
        })
    }

    /// What is asked for, by a client whose address is its own.
    fn judge<F: Fn(&'static str) -> Result<Option<String>, Unreadable>>(
        provider: &Provider,
        client: &Client,
        redirect_uri: RequestedRedirectUri,
        state: Option<ClientState>,
        parameters: &Parameters<F>,
    ) -> Result<Self, AuthorizationError> {
        parameters.are_of_the_code_flow()?;
        let nonce = parameters.parsed(
            "nonce",
            Nonce::parse,
            "nonce is longer than 512 bytes, or not visible ASCII",
        )?;
        let challenge = parameters.challenge(client)?;
        let api = parameters.api(provider, client)?;
        let asked = Self {
            client: client.name.clone(),
            redirect_uri,
            state,
            nonce,
            challenge,
            scope: parameters.scope(api)?,
            hint: parameters.parsed(
                "id_token_hint",
                IdTokenHint::parse,
                "id_token_hint is longer than 4096 bytes",
            )?,
            prompt: prompt(parameters.text("prompt")?.as_deref().unwrap_or_default())?,
            max_age: parameters.parsed(
                "max_age",
                |age| age.parse().ok(),
                "max_age is no number of seconds",
            )?,
            lang: parameters.text("ui_locales")?.and_then(|locales| locales.split(' ').find_map(lang)),
            resource: api.map(|api| api.identifier.clone()),
        };
        // Of control characters each takes six bytes there.
        let is_short = serde_json::to_vec(&asked).is_ok_and(|text| text.len() <= LONGEST_REQUEST);
        let is_too_long = AuthorizationError::InvalidRequest("the request is too long as a whole");
        if is_short { Ok(asked) } else { Err(is_too_long) }
    }

    /// The client that asks, and what its address proves; `None` if the configuration has changed and neither is
    /// registered any more.
    #[must_use]
    pub fn asker<'a>(&self, provider: &'a Provider) -> Option<(&'a Client, RedirectKind)> {
        let client = provider.client(self.client.as_str())?;
        Some((client, client.kind_of(&self.redirect_uri)?))
    }

    /// How old a login may be.
    #[must_use]
    pub fn max_age(&self) -> Option<Duration> {
        self.max_age.map(Duration::from_secs)
    }

    /// Where the browser takes an answer to this request.
    #[must_use]
    pub fn answer(&self, provider: &Provider, answer_: Answer<'_>) -> String {
        answer(provider, &self.redirect_uri, self.state.as_ref(), answer_)
    }
}

/// Whether this is a scope here, or one of the API that is asked for. Every other one is ignored
/// ([OpenID Connect Core §3.1.2.1](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest)).
#[must_use]
pub fn is_known_scope(name: &str, api: Option<&Api>) -> bool {
    ["openid", "profile"].contains(&name)
        || api.is_some_and(|api| api.scopes.iter().any(|known| known.as_str() == name))
}

/// The parameters of a request whose client is known.
struct Parameters<F>(F);

impl<F: Fn(&'static str) -> Result<Option<String>, Unreadable>> Parameters<F> {
    fn text(&self, name: &'static str) -> Result<Option<String>, AuthorizationError> {
        let unreadable =
            AuthorizationError::InvalidRequest("a parameter is there twice, or not encoded right");
        (self.0)(name).map_err(|Unreadable| unreadable)
    }

    /// One that `parse` takes, if it is there.
    fn parsed<T>(
        &self,
        name: &'static str,
        parse: impl Fn(String) -> Option<T>,
        problem: &'static str,
    ) -> Result<Option<T>, AuthorizationError> {
        let parse = |text| parse(text).ok_or(AuthorizationError::InvalidRequest(problem));
        self.text(name)?.map(parse).transpose()
    }

    /// Refuses whatever would make this another flow than the one that is known here.
    fn are_of_the_code_flow(&self) -> Result<(), AuthorizationError> {
        use AuthorizationError::InvalidRequest;
        match self.text("response_type")?.as_deref() {
            Some("code") => {}
            None => return Err(InvalidRequest("response_type is missing")),
            Some(_) => return Err(AuthorizationError::UnsupportedResponseType),
        }
        if self.text("request")?.is_some() {
            return Err(AuthorizationError::RequestNotSupported);
        }
        if self.text("request_uri")?.is_some() {
            return Err(AuthorizationError::RequestUriNotSupported);
        }
        match self.text("response_mode")?.as_deref() {
            None | Some("query") => Ok(()),
            Some(_) => Err(InvalidRequest("response_mode must be query")),
        }
    }

    /// What the client will have to prove.
    fn challenge(&self, client: &Client) -> Result<Option<CodeChallenge>, AuthorizationError> {
        use AuthorizationError::InvalidRequest;
        let (challenge, method) = (self.text("code_challenge")?, self.text("code_challenge_method")?);
        match (challenge, method.as_deref()) {
            (None, None) if client.pkce == Pkce::Optional => Ok(None),
            (None, None) => Err(InvalidRequest("code_challenge is missing, which this client must send")),
            (Some(challenge), Some("S256")) => {
                let challenge = CodeChallenge::parse(&challenge);
                challenge.map(Some).ok_or(InvalidRequest("code_challenge is no SHA-256"))
            }
            (Some(_), _) => Err(InvalidRequest("code_challenge_method must be S256")),
            (None, Some(_)) => Err(InvalidRequest("code_challenge is missing")),
        }
    }

    /// The API that is asked for; without a word, the only one that the client is registered for.
    fn api<'a>(
        &self,
        provider: &'a Provider,
        client: &Client,
    ) -> Result<Option<&'a Api>, AuthorizationError> {
        let mut apis = provider.apis.iter().filter(|api| api.clients.contains(&client.name));
        // RFC 8707 lets a client name several; here a token is for one. What is malformed has the same error there.
        match self.text("resource").map_err(|_| AuthorizationError::InvalidTarget)? {
            Some(name) => {
                let api = apis.find(|api| api.identifier.as_str() == name);
                api.map(Some).ok_or(AuthorizationError::InvalidTarget)
            }
            None => match (apis.next(), apis.next()) {
                (only, None) => Ok(only),
                (_, Some(_)) => Ok(None),
            },
        }
    }

    /// The scopes that are known here, or to the API; unknown ones are ignored.
    fn scope(&self, api: Option<&Api>) -> Result<ScopeList, AuthorizationError> {
        let asked = self.text("scope")?.unwrap_or_default();
        let scope = ScopeList::new(asked.split(' ').filter(|name| is_known_scope(name, api)).collect());
        if scope.has("openid") { Ok(scope) } else { Err(AuthorizationError::InvalidScope) }
    }
}

fn state(text: Result<Option<String>, Unreadable>) -> Result<Option<ClientState>, AuthorizationError> {
    use AuthorizationError::InvalidRequest;
    let text = text.map_err(|Unreadable| InvalidRequest("state is there twice, or not encoded right"))?;
    let parse = |text| ClientState::parse(text).ok_or(InvalidRequest("state is longer than 4096 bytes"));
    text.map(parse).transpose()
}

/// What a client is answered ([RFC 6749 §4.1.2](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2)).
#[derive(Debug, Clone, Copy)]
pub enum Answer<'a> {
    /// The code.
    Code(&'a str),
    /// Why there is none.
    Error(AuthorizationError),
}

/// The address of an answer: with `state`, and with `iss`, so that no client takes it for another provider's
/// ([RFC 9207](https://www.rfc-editor.org/rfc/rfc9207)). A query that is registered stays.
fn answer(
    provider: &Provider,
    redirect_uri: &RequestedRedirectUri,
    state: Option<&ClientState>,
    answer: Answer<'_>,
) -> String {
    let Ok(mut url) = Url::parse(redirect_uri.as_str()) else { return redirect_uri.as_str().to_owned() };
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
        query.extend_pairs(state.map(|state| ("state", state.expose())));
        query.append_pair("iss", provider.issuer.as_str());
    }
    url.into()
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

/// A language tag ([RFC 5646](https://www.rfc-editor.org/rfc/rfc5646)) in WeChat's terms; `None` for one that it has
/// not.
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
