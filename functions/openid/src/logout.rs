//! `/oauth2/logout`: a client wants the person logged out
//! ([RP-Initiated Logout](https://openid.net/specs/openid-connect-rpinitiated-1_0.html)).
//!
//! A link alone logs nobody out. With an ID token of the person who is there, of this session or of one before it, it
//! is the client that asks, and the session ends; without it the person is asked, on a page that ends it by the same
//! form as any other page of this stack. The browser leaves only for an address that is registered for the client of
//! that ID token; where nobody is logged in any more, whose ID token may be forgotten, for one of the client that is
//! named, or that the ID token names.
//!
//! An ID token of somebody else shows who the client is, and not that it means who is here. So that person is asked,
//! and the button leads on to the client: it posts to the address of the page itself, which has in it where to.

use http::{Method, StatusCode};
use login::random;
use login::time::Timestamp;
use openid_connect::Provider;
use openid_connect::client::Client;
use openid_connect::grant::{audience_of, sub_of};
use url::Url;
use web::end_session;
use web::link::LOG_OUT;
use web::page;
use web::query::Query;
use web::request::{Form, Request};
use web::response::{self, Response};
use web::visit::Visit;

use crate::refusal::{LOGGED_OUT, LOGOUT_ASKED, POSTED, Refusal};
use crate::{Openid, Person};

/// Where a client sends a browser.
pub const LOGOUT: &str = "/oauth2/logout";

/// Answers it.
pub async fn answer(
    function: &Openid,
    provider: &Provider,
    request: &Request,
    now: Timestamp,
) -> Result<Response, Refusal> {
    let is_tapped =
        *request.method() == Method::POST && function.is_own(request) && request.uri().query().is_some();
    if *request.method() == Method::POST && !is_tapped {
        let form = Form::of(request).ok_or(Refusal::Form)?;
        return Ok(POSTED.of(function.repeated(LOGOUT, form)?));
    }
    let query = Query::of(request);
    let [hint, uri, state, client_id] = [
        query.one("id_token_hint")?,
        query.one("post_logout_redirect_uri")?,
        query.one("state")?,
        query.one("client_id")?,
    ];
    if hint.is_none() && client_id.is_none() {
        return Ok(ask(request, None));
    }
    let session = function.cookies.session(request.headers());
    let hinted = match &hint {
        Some(hint) => function.hinted(hint, now).await?,
        None => None,
    };
    let is_of_session = session
        .as_ref()
        .zip(hinted.as_ref())
        .is_some_and(|(session, grant)| grant.session == session.session_id());
    // Nobody is, whatever the cookie says, once WeChat has said that the grant is gone.
    let person = if is_of_session { None } else { function.logged_in(request, now).await? };
    let is_anybody_here = is_of_session || person.is_some();

    let client = match &hinted {
        Some(grant) => provider.client(grant.client.as_str()),
        // The client's own session may outlive the one here, and with it the grant of its ID token.
        None if !is_anybody_here => named(provider, hint.as_deref(), client_id.as_deref()),
        None => None,
    };
    let client = client.filter(|client| client_id.as_deref().is_none_or(|name| client.name.as_str() == name));
    let Some(client) = client else { return Ok(ask(request, None)) };
    let target = match &uri {
        Some(uri) => Some(target(client, uri, state.as_deref()).ok_or(Refusal::LogoutTarget)?),
        None => None,
    };
    // Whoever is logged in here now may be somebody else than the client thinks.
    let expected = hint.as_deref().filter(|_| hinted.is_some()).and_then(sub_of);
    let is_expected = |person: &Person| {
        let is_of_account = function.account(client).is_some_and(|account| person.is_of(account));
        is_of_account && expected.is_some() && provider.subject.of(&person.session) == expected
    };
    let is_meant = is_of_session || person.as_ref().is_some_and(is_expected);
    if is_anybody_here && !is_meant && !is_tapped {
        return Ok(ask(request, target.as_deref()));
    }
    let home = format!("{}/", function.deployment.public_url.as_str());
    let response =
        LOGGED_OUT.of(response::redirect(StatusCode::SEE_OTHER, target.as_deref().unwrap_or(&home)));
    let deleted = function.store.sessions.end_session(session.as_ref()).await;
    if !is_anybody_here {
        // What is left of a session that WeChat ended is erased. The cookies stay: a login that is under way in another
        // tab goes on.
        return Ok(deleted.map(|()| response)?);
    }
    Ok(end_session::answer(deleted, request, function.cookies, now, random::bytes(), response))
}

/// The client that is named, where nothing proves it: by its name, by an ID token that no grant remembers, or by both.
fn named<'a>(provider: &'a Provider, hint: Option<&str>, client_id: Option<&str>) -> Option<&'a Client> {
    let audience = hint.map(audience_of);
    match (audience, client_id) {
        (None, Some(name)) => provider.client(name),
        (Some(audience), _) => provider.client(&audience?),
        (None, None) => None,
    }
}

/// The registered address, with the client's `state`.
fn target(client: &Client, uri: &str, state: Option<&str>) -> Option<String> {
    client.post_logout_redirect_uris.iter().find(|known| known.as_str() == uri)?;
    let mut url = Url::parse(uri).ok()?;
    if let Some(state) = state {
        url.query_pairs_mut().append_pair("state", state);
    }
    Some(url.into())
}

fn ask(request: &Request, target: Option<&str>) -> Response {
    // What was asked for stands in the address of the page, so its form says nothing of it.
    let action = if target.is_some() { "" } else { LOG_OUT };
    LOGOUT_ASKED.of(page::log_out(&Visit::of(request), action, target))
}
