//! A code is made: the grant is stored, then the browser takes the code to the client.

use http::StatusCode;
use login::random;
use login::time::Timestamp;
use openid_connect::Provider;
use openid_connect::access_token::Context;
use openid_connect::authorization::{Answer, AuthorizationRequest};
use openid_connect::client::Client;
use openid_connect::grant::{
    CODE_LIFETIME, Code, DataKey, GrantId, Granted, GrantedProfile, IssuedGrant, Wrapper,
};
use openid_connect::subject::Subject;
use web::response::{self, Response};

use crate::refusal::{CODE_ISSUED, Refusal};
use crate::{Openid, Person};

/// What was decided: a client learns who a person is
/// ([RFC 6749 §1.3](https://www.rfc-editor.org/rfc/rfc6749#section-1.3)).
pub struct AuthorizationGrant<'a> {
    /// The client.
    pub client: &'a Client,
    /// What it asked for.
    pub asked: &'a AuthorizationRequest,
    /// Who is logged in.
    pub person: &'a Person,
    /// Who that is for the client.
    pub subject: Subject,
}

/// Issues the code of a grant, and sends it to the client.
pub async fn code(
    function: &Openid,
    provider: &Provider,
    grant: AuthorizationGrant<'_>,
    now: Timestamp,
) -> Result<Response, Refusal> {
    let AuthorizationGrant { client, asked, person, .. } = grant;
    let pepper = person.stored.pepper.as_ref().ok_or(Refusal::Unsealable)?;
    let id = GrantId::new(random::bytes());
    let (key, code, data_key) = (id.key(), Code::new(id, random::bytes()), DataKey::new(random::bytes()));
    let granted = granted(grant);
    let issued = IssuedGrant {
        client: client.name.clone(),
        session: person.id.clone(),
        claims: data_key.seal(&key, random::bytes(), &granted).ok_or(Refusal::Unsealable)?,
        code: code.digest(),
        code_key: data_key
            .wrapped(Wrapper::Code(&code), pepper, &key, random::bytes())
            .ok_or(Refusal::Unsealable)?,
        created_at: now,
        expires_at: now.plus(CODE_LIFETIME),
    };
    function.store.sessions.put_grant(&key, &issued).await?;
    let location = asked.answer(provider, Answer::Code(&code.expose()));
    Ok(CODE_ISSUED.of(response::redirect(StatusCode::SEE_OTHER, &location)))
}

/// What the client is granted, as it is known now.
fn granted(AuthorizationGrant { asked, person, subject, .. }: AuthorizationGrant<'_>) -> Granted {
    let session = &person.session;
    let profile = session.profile.as_ref().filter(|_| asked.scope.has("profile"));
    Granted {
        sub: subject,
        redirect_uri: asked.redirect_uri.clone(),
        challenge: asked.challenge.clone(),
        nonce: asked.nonce.clone(),
        scope: asked.scope.clone(),
        resource: asked.resource.clone(),
        auth_time: person.stored.created_at,
        acr: Context::of(&session.scope),
        appid: session.app.clone(),
        openid: session.openid.clone(),
        unionid: session.unionid.clone(),
        profile: profile.map(|profile| GrantedProfile {
            nickname: profile.user_info.nickname.clone(),
            picture: profile.user_info.headimgurl.clone(),
            sex: profile.user_info.sex,
            lang: profile.lang,
            read_at: profile.read_at,
        }),
    }
}
