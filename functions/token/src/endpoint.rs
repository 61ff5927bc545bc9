//! `POST /oauth2/token` and `POST /oauth2/revoke`: what both have in common.
//!
//! No cookie decides anything here, and no session cookie is asked for. A page on one of a client's own origins may
//! read the answer; a program names no origin.

use http::{Method, StatusCode};
use login::random;
use login::session::{Pepper, StoredSession};
use login::time::Timestamp;
use openid_connect::api::Api;
use openid_connect::authorization::is_known_scope;
use openid_connect::client::Client;
use openid_connect::grant::{DataKey, GrantId, GrantKey, Granted, StoredAccess, StoredGrant, Wrapper};
use openid_connect::jws::{self, Type};
use openid_connect::parameter::ScopeList;
use serde::Serialize;
use web::cors::{Caller, without_credentials};
use web::outcome::{Outcome, Report};
use web::query::Query;
use web::reason::Reason;
use web::request::{Form, Request};
use web::response::{self, Response};

use crate::client;
use crate::refusal::{SeenByTwo, TokenRefusal};
use crate::{Issuing, REVOKE, Token, redemption, renewal, revocation};

/// What an authenticated client asks ([RFC 6749 §3.2](https://www.rfc-editor.org/rfc/rfc6749#section-3.2)).
pub struct AuthenticatedRequest<'a> {
    /// The function.
    pub function: &'a Token,
    /// What tokens are made with.
    pub issuing: &'a Issuing,
    /// Who asks.
    pub client: &'a Client,
    /// When.
    pub now: Timestamp,
    form: Query<'a>,
}

/// The answer ([OpenID Connect Core §3.1.3.3](https://openid.net/specs/openid-connect-core-1_0.html#TokenResponse)).
#[derive(Serialize)]
struct Answer<'a> {
    access_token: &'a str,
    token_type: &'static str,
    /// Seconds.
    expires_in: u64,
    scope: &'a str,
    id_token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
}

/// Answers a client.
pub async fn answer(function: &Token, issuing: &Issuing, request: &Request, now: Timestamp) -> Response {
    let caller = caller(issuing, request);
    let response = match (request.method(), caller) {
        (&Method::OPTIONS, _) => caller.preflight(request, "POST"),
        (_, Caller::Foreign) => caller.refuse(request),
        (_, Caller::NoOrigin | Caller::Trusted(_)) => {
            let answered = authenticated(function, issuing, request, now).await;
            caller.allow(answered.unwrap_or_else(|refusal| refusal.answer()))
        }
    };
    without_credentials(response)
}

/// Answers when the time is over, or a defect shows: whoever may read the rest may read that it is worth another try.
pub fn interrupted(issuing: &Issuing, request: &Request, reason: Reason) -> Response {
    without_credentials(caller(issuing, request).allow(client::unavailable(reason)))
}

fn caller<'a>(issuing: &Issuing, request: &'a Request) -> Caller<'a> {
    Caller::of(request.headers(), |origin| issuing.provider.trusts(origin))
}

async fn authenticated(
    function: &Token,
    issuing: &Issuing,
    request: &Request,
    now: Timestamp,
) -> Result<Response, TokenRefusal> {
    let form = Form::of(request).ok_or(TokenRefusal::Request("the body is no form, or too long"))?;
    let form = Query::of_form(form);
    let client = client::authenticate(&issuing.provider, request, form)?;
    let asked = AuthenticatedRequest { function, issuing, client, now, form };
    let answered =
        if request.uri().path() == REVOKE { revocation::revoke(&asked).await } else { asked.tokens().await };
    Ok(Report::for_client(answered.unwrap_or_else(|refusal| refusal.answer()), client.name.as_str()))
}

/// Tokens that are signed, and not yet stored.
pub struct Issued {
    /// The access token.
    pub access_token: jws::Token,
    /// What the grant remembers of it.
    pub access: StoredAccess,
    /// The ID token.
    pub id_token: jws::Token,
    lifetime: u64,
}

impl Issued {
    /// The answer that brings them.
    pub fn answer(
        &self,
        outcome: &'static Outcome,
        scope: &ScopeList,
        refresh_token: Option<&str>,
    ) -> Response {
        let answer = Answer {
            access_token: self.access_token.expose(),
            token_type: "Bearer",
            expires_in: self.lifetime,
            scope: scope.as_str(),
            id_token: self.id_token.expose(),
            refresh_token,
        };
        outcome.of(client::no_store(response::json(StatusCode::OK, &answer)))
    }
}

impl AuthenticatedRequest<'_> {
    async fn tokens(&self) -> Result<Response, TokenRefusal> {
        match self.text("grant_type")?.as_deref() {
            Some("authorization_code") => redemption::redeem(self).await,
            Some("refresh_token") => renewal::renew(self).await,
            None => Err(TokenRefusal::Request("grant_type is missing")),
            Some(_) => Err(TokenRefusal::GrantType),
        }
    }

    /// A parameter, if it is there.
    pub fn text(&self, name: &'static str) -> Result<Option<String>, TokenRefusal> {
        let unreadable = |_| TokenRefusal::Request("a parameter is there twice, or not encoded right");
        self.form.one(name).map_err(unreadable)
    }

    /// The grant of this key, if it is of this client. `is_its` is whether the grant issued what was brought; without
    /// that, nothing is written: every API knows the id of the grant. `seen_by_two` is what it is if another client
    /// brings it.
    pub async fn grant(
        &self,
        key: &GrantKey,
        is_its: impl Fn(&StoredGrant) -> bool,
        seen_by_two: fn(SeenByTwo) -> TokenRefusal,
    ) -> Result<StoredGrant, TokenRefusal> {
        let grant = self.function.sessions.grant(key, self.now).await?;
        let grant = grant.ok_or(TokenRefusal::Grant("the grant is unknown or over"))?;
        if !is_its(&grant) {
            return Err(TokenRefusal::Grant("it was never issued"));
        }
        if grant.client != self.client.name {
            return Err(self.end(seen_by_two, "another client brings it", key, &grant).await);
        }
        Ok(grant)
    }

    /// Ends a grant of which something was seen by two. One that had ended before was counted then: an alarm counts
    /// grants, and not how often somebody repeats himself.
    pub async fn end(
        &self,
        refusal: fn(SeenByTwo) -> TokenRefusal,
        why: &'static str,
        key: &GrantKey,
        grant: &StoredGrant,
    ) -> TokenRefusal {
        if grant.is_revoked {
            return TokenRefusal::Grant("the grant is revoked");
        }
        let revoked = self.function.sessions.revoke_grant(key, self.now).await;
        refusal(SeenByTwo { why, unrevoked: revoked.err() })
    }

    /// The session that a grant came from, and its pepper, if it is still there.
    pub async fn session(&self, grant: &StoredGrant) -> Result<(StoredSession, Pepper), TokenRefusal> {
        let session = self.function.sessions.session(&grant.session, self.now).await?;
        let pepper = session.as_ref().and_then(|session| session.pepper.clone());
        session.zip(pepper).ok_or(TokenRefusal::Grant("the session is over"))
    }

    /// What was granted, as far as the deployment gives it today: since then a scope may have been taken from the API,
    /// and the client may have become another account's.
    pub fn granted(
        &self,
        key: &GrantKey,
        grant: &StoredGrant,
        data_key: &DataKey,
    ) -> Result<Granted, TokenRefusal> {
        let granted = data_key.open(key, &grant.claims);
        let granted = granted.ok_or(TokenRefusal::Grant("the grant cannot be read"))?;
        let account = self.function.deployment.accounts.of(&granted.appid);
        if account.is_none_or(|account| account.name != self.client.account) {
            return Err(TokenRefusal::Grant(
                "the app that logged the person in is not of the client's account",
            ));
        }
        let api = granted.api(&self.issuing.provider);
        let scope = ScopeList::new(granted.scope.names().filter(|name| is_known_scope(name, api)).collect());
        Ok(granted.narrowed_to(scope))
    }

    /// Signs the tokens of a grant: first the access token, whose digest stands in the ID token.
    pub async fn sign(
        &self,
        id: GrantId,
        granted: &Granted,
        data_key: &DataKey,
        pepper: &Pepper,
    ) -> Result<Issued, TokenRefusal> {
        let (provider, signer, now) = (&self.issuing.provider, &self.issuing.signer, self.now);
        // A client may say the API again (RFC 8707 §2.2). A token for another one than it says is none that it wants.
        let resource = self.form.one("resource").map_err(|_| TokenRefusal::Target)?;
        if resource.is_some_and(|resource| !granted.is_for(&resource)) {
            return Err(TokenRefusal::Target);
        }
        // A deployment may have taken the API away from the client since.
        let is_its_own = |api: &Api| api.clients.contains(&self.client.name);
        if granted.resource.is_some() && !granted.api(provider).is_some_and(is_its_own) {
            return Err(TokenRefusal::Grant("the client may use the API no more"));
        }
        let (claims, kind, lifetime) = granted.access_token(provider, self.client, id, now, random::bytes());
        let access_token = signer.sign(kind, &claims, now).await?;
        let claims = granted.id_token(provider, self.client, id, now, &access_token);
        let id_token = signer.sign(Type::Jwt, &claims, now).await?;
        let wrapper = Wrapper::AccessToken(access_token.expose());
        let key = data_key.wrapped(wrapper, pepper, &id.key(), random::bytes());
        let access = StoredAccess {
            digest: access_token.digest(),
            key: key.ok_or(TokenRefusal::Grant("the grant cannot be sealed"))?,
            expires_at: now.plus(std::time::Duration::from_secs(lifetime)),
        };
        Ok(Issued { access_token, access, id_token, lifetime })
    }
}
