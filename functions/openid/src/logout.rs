//! `/oauth2/logout`: a client wants the person logged out
//! ([RP-Initiated Logout](https://openid.net/specs/openid-connect-rpinitiated-1_0.html)).
//!
//! A link alone logs nobody out. With an ID token of the very session that is there, it is the client that asks, and
//! the session ends; without it the person is asked, on a page that ends it by the same form as any other page of this
//! stack. The browser leaves only for an address that is registered for the client of that ID token; where nobody is
//! logged in any more, whose ID token says nothing then, for one of the client that is named.

use http::{Method, StatusCode};
use login::random;
use login::time::Timestamp;
use openid_connect::Provider;
use openid_connect::client::Client;
use openid_connect::grant::audience_of;
use url::Url;
use web::end_session;
use web::link::LOG_OUT;
use web::page;
use web::query::Query;
use web::request::{Form, Request};
use web::response::{self, Response};
use web::visit::Visit;

use crate::Openid;
use crate::refusal::{LOGGED_OUT, LOGOUT_ASKED, POSTED, Refusal};

/// Where a client sends a browser.
pub const LOGOUT: &str = "/oauth2/logout";

/// Answers it.
pub async fn answer(
    function: &Openid,
    provider: &Provider,
    request: &Request,
    now: Timestamp,
) -> Result<Response, Refusal> {
    if *request.method() == Method::POST {
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
    let session = function.cookies.session(request.headers());
    let hinted = match &hint {
        Some(hint) => function.hinted(hint, now).await?,
        None => None,
    };
    let client = match (&hinted, &session, &client_id) {
        (Some(grant), ..) => provider.client(grant.client.as_str()),
        // The client's own session may outlive the one here, and with it the grant of its ID token.
        (None, None, Some(name)) => provider.client(name).filter(|_| is_for(hint.as_deref(), name)),
        (None, ..) => None,
    };
    let client = client.filter(|client| client_id.as_deref().is_none_or(|name| client.name.as_str() == name));
    // Whoever is logged in here now may be somebody else than the client thinks.
    let is_its = session
        .as_ref()
        .is_none_or(|session| hinted.as_ref().is_some_and(|grant| grant.session == session.session_id()));
    let (Some(client), true) = (client, is_its) else { return Ok(ask(request)) };
    let target = match &uri {
        Some(uri) => Some(target(client, uri, state.as_deref()).ok_or(Refusal::LogoutTarget)?),
        None => None,
    };
    let home = format!("{}/", function.deployment.public_url.as_str());
    let response = response::redirect(StatusCode::SEE_OTHER, target.as_deref().unwrap_or(&home));
    let Some(session) = session else {
        // Nothing ends, and a login that is under way in another tab goes on.
        return Ok(LOGGED_OUT.of(response));
    };
    let deleted = function.store.sessions.end_session(Some(&session)).await;
    Ok(end_session::answer(deleted, request, function.cookies, now, random::bytes(), LOGGED_OUT.of(response)))
}

/// Whether the ID token of a grant that is gone says that it was this client's, if there is one.
fn is_for(hint: Option<&str>, client: &str) -> bool {
    hint.is_none_or(|hint| audience_of(hint).as_deref() == Some(client))
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

fn ask(request: &Request) -> Response {
    LOGOUT_ASKED.of(page::log_out(&Visit::of(request), LOG_OUT, None))
}
