//! `POST /oauth2/token`: tokens for a client, from a code (`redemption.rs`) or a refresh token (`renewal.rs`). `POST
//! /access-token`: a token for an API, from the session. `GET /.well-known/jwks.json`: what verifies them.
//!
//! The one function that signs. With the session cookie a page's script asks for a token, and passes it on to the
//! team's own API, whose gateway believes the signature. The guards of `POST /access-token`, in the order they run:
//!
//! 1. The request names its origin, and it is an allowed one: no foreign page gets a token, whatever cookies a browser
//!    sends along.
//! 2. `resource` names an API that gives tokens to that origin's pages; without it there is exactly one.
//! 3. The session cookie opens a stored, unexpired session, of an account that the asking page belongs to.
//! 4. The session says who the person is in the sense of `sub`.
//!
//! Only then is anything signed. The token is good at one API and for some minutes; it cannot be renewed but by asking
//! again, so a logout ends it that soon.
//!
//! Who wants to know whether the key signs asks for the key set with a signature, which is no token
//! ([`openid_connect::message_signature`]), and is made once in some minutes, whoever asks ([`signer::Proof`]).

mod client;
mod endpoint;
mod page_token;
mod redemption;
mod refusal;
mod renewal;
mod revocation;

use http::{HeaderName, Method, StatusCode, header};
use lambda::Function;
use login::deployment::Deployment;
use login::time::Timestamp;
use openid_connect::message_signature::{
    ACCEPT_SIGNATURE, ACCEPTED, CONTENT_DIGEST, SIGNATURE, SIGNATURE_INPUT,
};
use openid_connect::{Provider, discovery};
use settings::{Settings, Wrong};
use signer::{KeySource, Proof, SIGNING_KEYS, Signer};
use store::{SESSIONS_TABLE, Sessions, TableName};
use web::cookie::Cookies;
use web::cors::Caller;
use web::link::LoginLink;
use web::outcome::{Report, Verdict};
use web::reason::Reason;
use web::request::{CorrelationId, Request};
use web::response::{self, Offer, Response};

pub use client::{authenticate, basic};
use refusal::{KEYS_SHOWN, KEYS_SIGNED, Refusal};
pub use refusal::{OUTCOMES, SeenByTwo, TokenRefusal};
pub use signer::PROOF_KEPT;

/// Where a page's script asks for a token.
pub const ACCESS_TOKEN: &str = "/access-token";
/// Where a client redeems a code, and renews its tokens.
pub const TOKEN: &str = "/oauth2/token";
/// Where a client gives a token back.
pub const REVOKE: &str = "/oauth2/revoke";

/// The function.
#[derive(Debug)]
pub struct Token {
    deployment: Deployment,
    cookies: Cookies,
    sessions: Sessions,
    /// `None` in a deployment that is no provider: then there is nothing here.
    issuing: Option<Issuing>,
}

/// What tokens are made with.
#[derive(Debug)]
struct Issuing {
    provider: Provider,
    signer: Signer,
    proof: Proof,
}

/// What it is set to.
#[derive(Debug)]
pub struct Config {
    deployment: Deployment,
    sessions_table: TableName,
    issuing: Option<(Provider, KeySource)>,
}

/// What it is set to, but for its keys.
#[derive(Debug)]
pub struct WithoutKeys {
    deployment: Deployment,
    sessions_table: TableName,
    provider: Option<Provider>,
}

/// Reads what the function is set to, but for its keys: so whoever judges its settings need not be told where they are.
///
/// # Errors
///
/// [`Wrong`] if a setting is missing or wrong; each is noted.
pub fn configure_without_keys(settings: &mut Settings<'_>) -> Result<WithoutKeys, Wrong> {
    let deployment = Deployment::read(settings);
    let sessions_table = settings.required(&SESSIONS_TABLE, TableName::parse);
    let provider = Provider::read(settings, &deployment);
    Ok(WithoutKeys { deployment: deployment?, sessions_table: sessions_table?, provider: provider? })
}

impl Function for Token {
    const NAME: &'static str = "token";
    const READS_FORMS: bool = true;
    type Config = Config;

    fn configure(settings: &mut Settings<'_>) -> Result<Config, Wrong> {
        let without_keys = configure_without_keys(settings);
        let keys = settings.optional(&SIGNING_KEYS, KeySource::parse);
        if keys.as_ref().is_ok_and(|keys| keys.as_ref().is_some_and(KeySource::repeats_a_key)) {
            return Err(settings.wrong("SIGNING_KEYS is wrong; a key stands there twice".to_owned()));
        }
        let WithoutKeys { deployment, sessions_table, provider } = without_keys?;
        let issuing = match (provider, keys?) {
            (None, _) => None,
            (Some(provider), Some(keys)) => Some((provider, keys)),
            (Some(_), None) => {
                let problem = "SIGNING_KEYS is missing; an OpenID Provider signs what it says";
                return Err(settings.wrong(problem.to_owned()));
            }
        };
        Ok(Config { deployment, sessions_table, issuing })
    }

    async fn start(config: Config) -> Result<Self, lambda::Error> {
        let aws = lambda::aws().await;
        let issuing = config.issuing.map(|(provider, keys)| Issuing {
            provider,
            signer: Signer::new(keys, &aws),
            proof: Proof::default(),
        });
        Ok(Self {
            cookies: Cookies::of(&config.deployment.public_url),
            deployment: config.deployment,
            sessions: Sessions::new(&aws, config.sessions_table),
            issuing,
        })
    }

    async fn handle(&self, request: &Request, now: Timestamp) -> Response {
        let Some(issuing) = &self.issuing else {
            return self.refuse(request, &Refusal::NoProvider);
        };
        let mut response = match request.uri().path() {
            discovery::JWKS => self.show_keys(request, issuing, now).await,
            ACCESS_TOKEN => self.page_token(request, issuing, now).await,
            TOKEN | REVOKE => endpoint::answer(self, issuing, request, now).await,
            _ => self.refuse(request, &Refusal::NoSuchRoute),
        };
        if let Some(error) = issuing.signer.unread() {
            Report::add_cause(&mut response, format_args!("an old copy of the keys was used: {error}"));
        }
        response
    }

    fn interrupted(&self, request: &Request, reason: Reason) -> Response {
        if let Some(issuing) = &self.issuing
            && [TOKEN, REVOKE].contains(&request.uri().path())
        {
            return endpoint::interrupted(issuing, request, reason);
        }
        self.caller(request).allow(self.say_no(request, reason))
    }
}

impl Token {
    /// The keys that verify what is signed here, for everybody.
    async fn show_keys(&self, request: &Request, issuing: &Issuing, now: Timestamp) -> Response {
        let keys = match issuing.signer.keys(now).await {
            Ok(keys) => response::public(response::json(StatusCode::OK, &keys)),
            Err(error) => return self.refuse(request, &Refusal::Signing(error)),
        };
        if request.headers().get(ACCEPT_SIGNATURE).is_none_or(|asked| asked != ACCEPTED) {
            return KEYS_SHOWN.of(keys);
        }
        // Whoever asks for a signature is not told that all is well without one.
        match issuing.proof.of(&issuing.signer, keys.body(), now).await {
            Ok(signed) => {
                // Kept for an hour, it would be no new one; and `vary` is not needed, for the keys are the same.
                let mut response = response::with_header(keys, header::CACHE_CONTROL, "no-store");
                for (name, value) in [
                    (CONTENT_DIGEST, &signed.content_digest),
                    (SIGNATURE_INPUT, &signed.signature_input),
                    (SIGNATURE, &signed.signature),
                ] {
                    response = response::with_header(response, HeaderName::from_static(name), value);
                }
                KEYS_SIGNED.of(response)
            }
            Err(error) => self.refuse(request, &Refusal::Signing(error)),
        }
    }

    async fn page_token(&self, request: &Request, issuing: &Issuing, now: Timestamp) -> Response {
        let caller = self.caller(request);
        let Caller::Trusted(origin) = caller else { return caller.refuse(request) };
        if *request.method() == Method::OPTIONS {
            return caller.preflight(request, "POST");
        }
        let issued = page_token::issue(self, issuing, request, origin, now).await;
        caller.allow(issued.unwrap_or_else(|refusal| self.refuse(request, &refusal)))
    }

    fn caller<'a>(&self, request: &'a Request) -> Caller<'a> {
        Caller::of(request.headers(), |origin| self.deployment.accounts.trust(origin))
    }

    fn refuse(&self, request: &Request, refusal: &Refusal) -> Response {
        let Verdict { outcome, reason } = refusal.judge();
        let response = match refusal {
            Refusal::NoSubject { upgrade_url } => {
                let offer = Offer { upgrade_url: Some(upgrade_url), ..Offer::default() };
                response::problem(reason, &CorrelationId::of(request), offer)
            }
            _ => self.say_no(request, reason),
        };
        outcome.because(refusal).of(response)
    }

    /// No person is shown any of this: it is always a script that asks.
    fn say_no(&self, request: &Request, reason: Reason) -> Response {
        let login = LoginLink::of_caller(&self.deployment.accounts, self.caller(request));
        let authorize_url = login.on(self.deployment.public_url.as_str());
        let authorize_url = (reason == Reason::NotLoggedIn).then_some(&*authorize_url);
        response::problem(reason, &CorrelationId::of(request), Offer { authorize_url, ..Offer::default() })
    }
}
