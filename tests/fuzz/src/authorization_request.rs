//! The authorization request: whatever is granted was asked for by a registered client, and no answer leaves for any
//! other address than its own.
//!
//! The input is the query. The reference reads it with the `form_urlencoded` crate, and asks of what is granted only
//! what makes it dangerous if it were wrong.

use form_urlencoded::parse;
use http::{Request, Uri};
use openid_connect::api::ApiIdentifier;
use openid_connect::authorization::{
    Answer, AuthorizationRefusal, AuthorizationRequest, Prompt, Unanswerable, Unreadable,
};
use openid_connect::parameter::{ClientState, Nonce};
use openid_connect::pkce::CodeChallenge;
use web::query::Query;

use crate::provider::{DEVICE, ISSUER, PROVIDER, WEB};
use crate::redirect_uri::is_same_but_for_the_port;
use crate::token_form::parameter;

/// The longest `state`, in bytes.
const LONGEST_STATE: usize = 4096;
/// The longest request in its stored form, in bytes.
const LONGEST: usize = 5860;

/// What an input may be made of.
pub const WORDS: &[&str] = &[
    "response_type=code",
    "response_type=id_token",
    "client_id=web",
    "client_id=admin",
    "client_id=phone",
    "client%5Fid=web",
    "redirect_uri=https%3A%2F%2Fapp.example.org%2Fcallback%3Ftenant%3D1",
    "redirect_uri=com.example.app%3A%2Fcb",
    "redirect_uri=http%3A%2F%2F127.0.0.1%3A49152%2Fcb",
    "redirect_uri=https%3A%2F%2Fevil.example%2F",
    "%26code=x",
    "%23",
    "scope=openid",
    "scope=openid+profile+orders",
    "scope=orders",
    "state=xyz",
    "state=%01",
    "state=%E5%AD%97%26code%3Dx",
    "nonce=n",
    "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    "code_challenge=short",
    "code_challenge_method=S256",
    "code_challenge_method=plain",
    "prompt=none",
    "prompt=login",
    "prompt=none+login",
    "max_age=0",
    "max_age=-1",
    "max_age=18446744073709551616",
    "ui_locales=zh-TW+en",
    "id_token_hint=e30.e30.e30",
    "resource=https%3A%2F%2Fapi.example.com",
    "resource=https%3A%2F%2Fother.example.com",
    "request=e30",
    "request_uri=https%3A%2F%2Fevil.example%2F",
    "response_mode=fragment",
    "&",
    "%zz",
    "%ff",
];

/// Tries one query.
///
/// # Panics
///
/// When an answer would leave for an address that is not the client's, or more is granted than was asked for.
pub fn run(input: &[u8]) {
    let Ok(uri) = Uri::try_from([b"/oauth2/authorize?", input].concat()) else { return };
    let raw = uri.query().unwrap_or_default().to_owned();
    let Ok(request) = Request::get(uri).body(()) else { return };
    let query = Query::of(&request);
    let read = AuthorizationRequest::read(&PROVIDER, |name| query.one(name).map_err(|_| Unreadable));
    let one = |name: &str| parameter(&raw, name);
    let client =
        one("client_id").ok().flatten().filter(|name| ["web", "admin", "phone"].contains(&name.as_str()));
    let address = one("redirect_uri").ok().flatten().filter(|uri| match client.as_deref() {
        Some("phone") => DEVICE.iter().any(|known| known == uri || is_same_but_for_the_port(known, uri)),
        Some(_) => uri == WEB,
        None => false,
    });
    match read {
        Err(AuthorizationRefusal::Page(Unanswerable::Client)) => assert_eq!(client, None, "{raw:?}"),
        Err(AuthorizationRefusal::Page(Unanswerable::RedirectUri)) => {
            assert!(client.is_some() && address.is_none(), "{raw:?}");
        }
        Err(AuthorizationRefusal::Answer(location, error)) => {
            let state = one("state").ok().flatten().filter(|state| state.len() <= LONGEST_STATE);
            let names = pairs(&location, address.as_deref(), &raw);
            assert_eq!(names.first(), Some(&("error".to_owned(), error.words()[0].to_owned())), "{raw:?}");
            is_of_this_provider(&names, state.as_deref(), &raw);
        }
        Ok(asked) => {
            granted(&asked, client.as_deref(), address.as_deref(), &raw);
            let location = asked.answer(&PROVIDER, Answer::Code("code-of-ours"));
            let names = pairs(&location, address.as_deref(), &raw);
            assert_eq!(names.first(), Some(&("code".to_owned(), "code-of-ours".to_owned())), "{raw:?}");
            is_of_this_provider(&names, asked.state.as_ref().map(ClientState::expose), &raw);
        }
    }
}

/// Holds what is granted against the query.
fn granted(asked: &AuthorizationRequest, client: Option<&str>, address: Option<&str>, raw: &str) {
    let one = |name: &str| {
        parameter(raw, name).unwrap_or_else(|Unreadable| unreachable!("{name} is unreadable: {raw:?}"))
    };
    assert_eq!(
        (Some(asked.client.as_str()), Some(asked.redirect_uri.as_str())),
        (client, address),
        "{raw:?}"
    );
    assert_eq!(one("response_type").as_deref(), Some("code"), "{raw:?}");
    assert_eq!((one("request"), one("request_uri")), (None, None), "{raw:?}");
    assert!(one("response_mode").is_none_or(|mode| mode == "query"), "{raw:?}");
    assert_eq!(asked.state.as_ref().map(ClientState::expose), one("state").as_deref(), "{raw:?}");
    assert_eq!(asked.nonce.as_ref().map(Nonce::expose), one("nonce").as_deref(), "{raw:?}");
    let scopes = one("scope").unwrap_or_default();
    let scopes: Vec<_> = scopes.split(' ').collect();
    let mut has_openid = false;
    for scope in asked.scope.as_str().split(' ') {
        has_openid |= scope == "openid";
        let is_known = ["openid", "profile"].contains(&scope) || scope == "orders" && client == Some("web");
        assert!(is_known && scopes.contains(&scope), "{scope:?} of {raw:?}");
    }
    assert!(has_openid, "{raw:?}");
    // A public client proves that it asked; and nobody does it by `plain`.
    assert!(asked.challenge.is_some() || client == Some("admin"), "{raw:?}");
    let challenge = asked.challenge.as_ref().map(CodeChallenge::as_str);
    assert_eq!(challenge, one("code_challenge").as_deref(), "{raw:?}");
    if let Some(challenge) = challenge {
        assert!(challenge.len() == 43 && one("code_challenge_method").as_deref() == Some("S256"), "{raw:?}");
    }
    let prompt = one("prompt").unwrap_or_default();
    let has_none = prompt.split(' ').any(|word| word == "none");
    assert_eq!(asked.prompt == Prompt::None, has_none, "{raw:?}");
    let age = one("max_age").map(|age| age.trim_start_matches('+').trim_start_matches('0').to_owned());
    let age = age.map(|age| if age.is_empty() { "0".to_owned() } else { age });
    assert_eq!(asked.max_age.map(|age| age.to_string()), age, "{raw:?}");
    let api = (client == Some("web")).then_some("https://api.example.com");
    assert_eq!(
        asked.resource.as_ref().map(ApiIdentifier::as_str),
        one("resource").as_deref().or(api),
        "{raw:?}"
    );
    assert!(asked.resource.is_none() || client == Some("web"), "{raw:?}");
    let stored = serde_json::to_vec(asked).unwrap_or_default();
    assert!(
        stored.len() <= LONGEST && asked.nonce.as_ref().is_none_or(|nonce| nonce.expose().len() <= 512),
        "{raw:?}"
    );
}

/// What is added to a registered address.
fn pairs(location: &str, address: Option<&str>, raw: &str) -> Vec<(String, String)> {
    let address = address.unwrap_or_else(|| unreachable!("{location:?} of {raw:?}"));
    let rest = location.strip_prefix(address).unwrap_or_else(|| unreachable!("{location:?} of {raw:?}"));
    let join = if address.contains('?') { '&' } else { '?' };
    let added = rest.strip_prefix(join).unwrap_or_else(|| unreachable!("{location:?} of {raw:?}"));
    assert!(location.bytes().all(|byte| byte.is_ascii_graphic()) && !rest.contains('#'), "{location:?}");
    parse(added.as_bytes()).map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

/// Who answers and to which request, each said once, at the end.
fn is_of_this_provider(names: &[(String, String)], state: Option<&str>, raw: &str) {
    let said = |name: &str| -> Vec<&str> {
        names.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    };
    assert_eq!(said("iss"), [ISSUER], "{raw:?}");
    assert_eq!(said("state"), state.into_iter().collect::<Vec<_>>(), "{raw:?}");
    let known = ["code", "error", "error_description", "state", "iss"];
    assert!(names.iter().all(|(name, _)| known.contains(&name.as_str())), "{raw:?}");
}
