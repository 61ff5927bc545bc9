//! The crate `openidconnect`. `site.mjs` says what is asked of a site. One browser comes here.

use std::{collections::HashMap, env, error::Error};

use openidconnect::{
    AccessTokenHash, AdditionalProviderMetadata, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    EndSessionUrl, EndpointMaybeSet, EndpointNotSet, EndpointSet, IssuerUrl, LogoutRequest, Nonce,
    NonceVerifier, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, PostLogoutRedirectUrl,
    ProviderMetadata, RedirectUrl, RefreshToken, RequestTokenError, RevocationUrl, Scope, TokenResponse,
    core::{
        CoreAuthDisplay, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClient,
        CoreClientAuthMethod, CoreGrantType, CoreIdTokenClaims, CoreJsonWebKey,
        CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType,
        CoreSubjectIdentifierType, CoreTokenResponse, CoreUserInfoClaims,
    },
    reqwest::{
        Certificate,
        blocking::{Client as Http, ClientBuilder},
        redirect::Policy,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tiny_http::{Header, Response, Server};
use url::Url;

type Anything<T> = Result<T, Box<dyn Error>>;

/// What the crate leaves to who wants it: endpoints of other specifications than OpenID Connect's core.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Endpoints {
    revocation_endpoint: String,
    end_session_endpoint: String,
}

impl AdditionalProviderMetadata for Endpoints {}

type Metadata = ProviderMetadata<
    Endpoints,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

type Wechat =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointSet, EndpointMaybeSet, EndpointMaybeSet>;

struct Site {
    origin: String,
    http: Http,
    wechat: Wechat,
    end_session: EndSessionUrl,
    begun: Option<(CsrfToken, Nonce, PkceCodeVerifier)>,
    logged_in: Option<(CoreTokenResponse, CoreIdTokenClaims)>,
}

/// Where the browser goes, or what it is told.
enum Answer {
    To(String),
    Told(Value),
}

impl Site {
    fn new() -> Anything<Self> {
        let origin = env::var("ORIGIN")?;
        let authority = Certificate::from_pem(&std::fs::read(env::var("SSL_CERT_FILE")?)?)?;
        let http = ClientBuilder::new()
            .tls_built_in_root_certs(false)
            .add_root_certificate(authority)
            // As the crate demands: who follows redirects can be led into the site's own network.
            .redirect(Policy::none())
            .build()?;
        let metadata = Metadata::discover(&IssuerUrl::new(env::var("ISSUER")?)?, &http)?;
        let endpoints = metadata.additional_metadata().clone();
        let secret = ClientSecret::new(env::var("CLIENT_SECRET")?);
        let client_id = ClientId::new(env::var("CLIENT_ID")?);
        let wechat = CoreClient::from_provider_metadata(metadata, client_id, Some(secret))
            .set_redirect_uri(RedirectUrl::new(format!("{origin}/callback"))?)
            .set_revocation_url(RevocationUrl::new(endpoints.revocation_endpoint)?);
        let end_session = EndSessionUrl::new(endpoints.end_session_endpoint)?;
        Ok(Self { origin, http, wechat, end_session, begun: None, logged_in: None })
    }

    fn answer(&mut self, url: &Url) -> Anything<Answer> {
        match url.path() {
            "/login" => {
                let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
                let flow = CoreAuthenticationFlow::AuthorizationCode;
                let request = self.wechat.authorize_url(flow, CsrfToken::new_random, Nonce::new_random);
                let request =
                    request.add_scope(Scope::new("profile".to_owned())).set_pkce_challenge(challenge);
                let (url, state, nonce) = request.url();
                self.begun = Some((state, nonce, verifier));
                Ok(Answer::To(url.into()))
            }
            "/callback" => {
                let (state, nonce, verifier) = self.begun.take().ok_or("no login was begun")?;
                let answer: HashMap<_, _> = url.query_pairs().into_owned().collect();
                if answer.get("state") != Some(state.secret()) {
                    return Err("another state".into());
                }
                let code = answer.get("code").cloned().ok_or("no code")?;
                let request = self.wechat.exchange_code(AuthorizationCode::new(code))?;
                let tokens = request.set_pkce_verifier(verifier).request(&self.http)?;
                self.keep(tokens, &nonce)
            }
            "/refresh" => {
                let tokens =
                    self.wechat.exchange_refresh_token(self.refresh_token()?)?.request(&self.http)?;
                self.keep(tokens, |_: Option<&Nonce>| Ok(()))
            }
            "/userinfo" => {
                let (tokens, claims) = self.logged_in()?;
                let subject = Some(claims.subject().clone());
                let request = self.wechat.user_info(tokens.access_token().clone(), subject)?;
                let told: CoreUserInfoClaims = request.request(&self.http)?;
                Ok(Answer::Told(serde_json::to_value(told)?))
            }
            "/revoke" => {
                let token = self.refresh_token()?;
                self.wechat.revoke_token(token.clone().into())?.request(&self.http)?;
                let refused = match self.wechat.exchange_refresh_token(token)?.request(&self.http) {
                    Err(RequestTokenError::ServerResponse(refusal)) => Some(refusal.error().to_string()),
                    Err(other) => return Err(other.into()),
                    Ok(_) => None,
                };
                Ok(Answer::Told(json!({ "refused": refused })))
            }
            "/logout" => {
                let (tokens, _) = self.logged_in()?;
                let back = PostLogoutRedirectUrl::new(format!("{}/bye", self.origin))?;
                let request = LogoutRequest::from(self.end_session.clone())
                    .set_id_token_hint(tokens.id_token().ok_or("no ID token")?)
                    .set_post_logout_redirect_uri(back);
                Ok(Answer::To(request.http_get_url().into()))
            }
            "/bye" => Ok(Answer::Told(json!({}))),
            _ => {
                let (tokens, claims) = self.logged_in()?;
                let mut told = serde_json::to_value(claims)?;
                told["access_token"] = json!(tokens.access_token().secret());
                Ok(Answer::Told(told))
            }
        }
    }

    /// Remembers who is logged in, once the ID token is proved, and that the access token belongs to it.
    fn keep(&mut self, tokens: CoreTokenResponse, nonce: impl NonceVerifier) -> Anything<Answer> {
        let token = tokens.id_token().ok_or("no ID token")?;
        let verifier = self.wechat.id_token_verifier();
        let claims = token.claims(&verifier, nonce)?.clone();
        let expected = claims.access_token_hash().ok_or("no at_hash")?;
        let (algorithm, key) = (token.signing_alg()?, token.signing_key(&verifier)?);
        if AccessTokenHash::from_token(tokens.access_token(), algorithm, key)? != *expected {
            return Err("another access token".into());
        }
        self.logged_in = Some((tokens, claims));
        Ok(Answer::To(format!("{}/", self.origin)))
    }

    fn logged_in(&self) -> Anything<&(CoreTokenResponse, CoreIdTokenClaims)> {
        Ok(self.logged_in.as_ref().ok_or("nobody is logged in")?)
    }

    fn refresh_token(&self) -> Anything<&RefreshToken> {
        Ok(self.logged_in()?.0.refresh_token().ok_or("no refresh token")?)
    }
}

fn header(name: &str, value: &str) -> Anything<Header> {
    Ok(Header::from_bytes(name, value).map_err(|()| "no header")?)
}

fn main() -> Anything<()> {
    let mut site = Site::new()?;
    let server = Server::http("127.0.0.1:0").map_err(|error| error.to_string())?;
    println!("{}", server.server_addr().to_ip().ok_or("no port")?.port());
    for request in server.incoming_requests() {
        let url = Url::parse(&site.origin)?.join(request.url())?;
        match site.answer(&url) {
            Ok(Answer::To(location)) => {
                request.respond(Response::empty(302).with_header(header("location", &location)?))?;
            }
            Ok(Answer::Told(told)) => {
                let kind = header("content-type", "application/json")?;
                request.respond(Response::from_string(told.to_string()).with_header(kind))?;
            }
            Err(error) => {
                request.respond(Response::from_string(format!("{error:?}")).with_status_code(500))?
            }
        }
    }
    Ok(())
}
