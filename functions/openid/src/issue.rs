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
use wechat::UnionId;

use crate::refusal::{CODE_ISSUED, Refusal};
use crate::{Openid, Person};

/// Issues a code for `person`, and sends it to the client.
pub async fn code(
    openid: &Openid,
    provider: &Provider,
    client: &Client,
    asked: &AuthorizationRequest,
    person: &Person,
    subject: &Subject,
    now: Timestamp,
) -> Result<Response, Refusal> {
    let pepper = person.stored.pepper.as_ref().ok_or(Refusal::Unsealable)?;
    let grant = GrantId::new(random::bytes());
    let (key, code, data_key) =
        (grant.key(), Code::new(grant, random::bytes()), DataKey::new(random::bytes()));
    let granted = granted(asked, person, subject);
    let issued = IssuedGrant {
        client: client.name.as_str().to_owned(),
        session: person.id.clone(),
        claims: data_key.seal(&key, random::bytes(), &granted).ok_or(Refusal::Unsealable)?,
        code: code.digest(),
        code_key: data_key
            .wrapped(Wrapper::Code(&code), pepper, &key, random::bytes())
            .ok_or(Refusal::Unsealable)?,
        created_at: now,
        expires_at: now.plus(CODE_LIFETIME),
    };
    openid.store.sessions.put_grant(&key, &issued).await?;
    let location = asked.answer(provider, Answer::Code(&code.expose()));
    Ok(CODE_ISSUED.of(response::redirect(StatusCode::SEE_OTHER, &location)))
}

/// What the client is granted, as it is known now.
fn granted(asked: &AuthorizationRequest, person: &Person, subject: &Subject) -> Granted {
    let session = &person.session;
    let profile = session.profile.as_ref().filter(|_| asked.has_scope("profile"));
    Granted {
        sub: subject.expose().to_owned(),
        redirect_uri: asked.redirect_uri.clone(),
        challenge: asked.challenge.clone(),
        nonce: asked.nonce.clone(),
        scope: asked.scope.clone(),
        resource: asked.resource.clone(),
        auth_time: person.stored.created_at.epoch_seconds(),
        acr: Context::of(&session.scope).map(|context| context.as_str().to_owned()),
        appid: session.app.as_str().to_owned(),
        openid: session.openid.expose().to_owned(),
        unionid: session.unionid.as_ref().map(UnionId::expose).map(str::to_owned),
        profile: profile.map(|profile| GrantedProfile {
            nickname: profile.user_info.nickname.clone(),
            picture: profile.user_info.headimgurl.clone(),
            sex: profile.user_info.sex,
            lang: profile.lang.map(|lang| lang.as_str().to_owned()),
            read_at: profile.read_at.epoch_seconds(),
        }),
    }
}
