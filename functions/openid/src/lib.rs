//! `/oauth2/authorize`: a client asks who is in a browser. `/oauth2/continue`: it goes on, after a login.
//! `/oauth2/logout`: a client wants the person logged out (`logout.rs`).
//!
//! The provider is a client of the login. Whoever is logged in gets a code at once; everybody else is sent to
//! `/authorize`, as by any link, and comes back here:
//!
//! ```text
//!   client            this function                         the login
//!     │ /oauth2/authorize │                                     │
//!     ├──────────────────►│ stores the request, sealed          │
//!     │                   ├─ 302 /authorize?return_to=… ───────►│ WeChat, /callback
//!     │                   │◄─ 303 /oauth2/continue?request=… ───┤
//!     │◄─ 303 code, state, iss ┤                                │
//! ```
//!
//! So what WeChat does twice, or not at all, is mended where it is mended already. A callback that comes twice gets
//! here twice, and each time a code of its own is made: to a client it never looks as if a code were used again.
//!
//! The guards, in the order they run:
//!
//! 1. The address is opened as a page, not in a frame or an image.
//! 2. The client and its `redirect_uri` are registered and belong together. Until then, nothing leaves for that
//!    address.
//! 3. The request is one that can be granted (`openid_connect::authorization`).
//! 4. Of `/oauth2/continue`, instead of 2 and 3: the request opens under a secret of this browser's, and no other
//!    browser's.
//! 5. The session is one that answers it (`decision.rs`).
//! 6. Of a client whose address proves nobody: a person has pressed a button, on a page that names the client.

mod decision;
mod issue;
mod logout;
mod refusal;

use http::{Method, StatusCode};
use lambda::Function;
use login::Digest;
use login::account::Account;
use login::deployment::Deployment;
use login::pending::{BrowserSecret, LoginRequest, RequestedScope, RequestedSwitches, Turn};
use login::random;
use login::return_to::CONTINUE;
use login::session::{Session, SessionId, StoredSession};
use login::time::Timestamp;
use openid_connect::Provider;
use openid_connect::authorization::{
    Answer, AuthorizationError, AuthorizationRefusal, AuthorizationRequest, Prompt, Unreadable,
};
use openid_connect::client::{Client, RedirectKind};
use openid_connect::grant::{self, StoredGrant};
use openid_connect::pending::{PendingRequest, REQUEST_LIFETIME, RequestHandle};
use settings::{Settings, Wrong};
use store::{Store, Tables};
use web::cookie::Cookies;
use web::cors::Caller;
use web::link::{self, LoginLink};
use web::outcome::{Report, Verdict};
use web::page;
use web::query::Query;
use web::reason::Reason;
use web::request::{Form, PAGE_LOADS_ONLY, Request, is_page_load};
use web::response::{self, Response};
use web::visit::Visit;

use decision::{Decision, Hint, LogIn, Situation};
use issue::AuthorizationGrant;
pub use refusal::OUTCOMES;
use refusal::{CONFIRMATION_ASKED, LOGIN_BEGUN, NO_SUBJECT, POSTED, Refusal};

/// Where a client sends a browser.
pub const AUTHORIZE: &str = "/oauth2/authorize";

/// The longest request that is taken as a form and repeated in an address, in bytes.
const LONGEST_POST: usize = 8 * 1024;

/// The function.
#[derive(Debug)]
pub struct Openid {
    deployment: Deployment,
    cookies: Cookies,
    store: Store,
    page_loads_only: bool,
    /// `None` in a deployment that is no provider: then there is nothing here.
    provider: Option<Provider>,
}

/// What it is set to.
#[derive(Debug)]
pub struct Config {
    deployment: Deployment,
    tables: Tables,
    page_loads_only: bool,
    provider: Option<Provider>,
}

/// Who is logged in in a browser.
#[derive(Debug)]
struct Person {
    id: SessionId,
    stored: StoredSession,
    session: Session,
}

impl Person {
    /// Whether one of this account's apps logged the person in.
    fn is_of(&self, account: &Account) -> bool {
        [&account.official_account, &account.website]
            .into_iter()
            .flatten()
            .any(|app| *app == self.session.app)
    }

    /// Whether the login was one in which WeChat gives the unionid, if there is one.
    fn brings_unionid(&self) -> bool {
        self.session.scope.includes_profile()
    }
}

impl Function for Openid {
    const NAME: &'static str = "openid";
    const READS_FORMS: bool = true;
    type Config = Config;

    fn configure(settings: &mut Settings<'_>) -> Result<Config, Wrong> {
        let deployment = Deployment::read(settings);
        let tables = Tables::read(settings);
        let page_loads_only = settings.optional(&PAGE_LOADS_ONLY, settings::boolean);
        let provider = Provider::read(settings, &deployment);
        Ok(Config {
            deployment: deployment?,
            tables: tables?,
            page_loads_only: page_loads_only?.unwrap_or(true),
            provider: provider?,
        })
    }

    async fn start(config: Config) -> Result<Self, lambda::Error> {
        let aws = lambda::aws().await;
        Ok(Self {
            cookies: Cookies::of(&config.deployment.public_url),
            deployment: config.deployment,
            store: Store::new(&aws, config.tables),
            page_loads_only: config.page_loads_only,
            provider: config.provider,
        })
    }

    async fn handle(&self, request: &Request, now: Timestamp) -> Response {
        match self.answer(request, now).await {
            Ok(response) => response,
            Err(refusal) => self.refuse(request, &refusal),
        }
    }

    fn interrupted(&self, request: &Request, reason: Reason) -> Response {
        if reason == Reason::ServiceUnavailable
            && let Some(answer) = self.answer_without_a_page(request)
        {
            return answer;
        }
        match (request.uri().path(), reason) {
            // Who is being logged out was not logging in; and where the client's request is lost, no login of ours
            // would lead back to it.
            (logout::LOGOUT, _) | (_, Reason::LoginExpired) => page::notice_elsewhere(request, reason),
            // What the client asks for stands in the address, or the address leads to it, after a pressed button too:
            // any other link would lose it. Only a form of the client's own is nowhere else.
            (path, Reason::NotAPage | Reason::ServiceUnavailable | Reason::Unexpected) => {
                let is_posted = path == AUTHORIZE && !request.method().is_safe();
                page::notice_at_address(request, reason, !is_posted)
            }
            _ => page::notice(&Visit::of(request), reason, link::AUTHORIZE),
        }
    }
}

impl Openid {
    fn refuse(&self, request: &Request, refusal: &Refusal) -> Response {
        let Verdict { outcome, reason } = refusal.judge();
        outcome.because(refusal).of(self.interrupted(request, reason))
    }

    async fn answer(&self, request: &Request, now: Timestamp) -> Result<Response, Refusal> {
        let provider = self.provider.as_ref().ok_or(Refusal::NoProvider)?;
        if self.page_loads_only && !is_page_load(request.headers()) {
            return Err(Refusal::NotAPage);
        }
        match (request.uri().path(), request.method()) {
            (AUTHORIZE, &Method::POST) => self.repeat_as_get(request),
            (logout::LOGOUT, _) => logout::answer(self, provider, request, now).await,
            (AUTHORIZE, _) => self.authorize(provider, request, now).await,
            (path, _) if CONTINUE.split_once('?').is_some_and(|(known, _)| known == path) => {
                self.go_on(provider, request, now).await
            }
            _ => Err(Refusal::NoSuchRoute),
        }
    }

    /// Where a client is told that nothing can be looked up now, though it wants no page: with `prompt=none` nobody may
    /// be looking, and whoever waits for the answer in a popup would wait for ever. Who asks, and where the answer may
    /// go, the settings alone say; what is opened in a frame asks no table, and comes to no such end.
    fn answer_without_a_page(&self, request: &Request) -> Option<Response> {
        let provider = self.provider.as_ref()?;
        let is_asked = request.uri().path() == AUTHORIZE && request.method().is_safe();
        if !is_asked {
            return None;
        }
        let query = Query::of(request);
        let asked = AuthorizationRequest::read(provider, |name| query.one(name).map_err(|_| Unreadable));
        let asked = asked.ok().filter(|asked| asked.prompt == Prompt::None)?;
        let error = Answer::Error(AuthorizationError::TemporarilyUnavailable);
        Some(response::redirect(StatusCode::FOUND, &asked.answer(provider, error)))
    }

    fn repeat_as_get(&self, request: &Request) -> Result<Response, Refusal> {
        let form = Form::of(request).ok_or(Refusal::Form)?;
        Ok(POSTED.of(self.repeated(AUTHORIZE, form)?))
    }

    /// A form from another site comes without our cookies; the page that it is sent on to has them ([OpenID Connect
    /// Core §3.1.2.1](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest) wants both methods).
    fn repeated(&self, path: &str, form: &str) -> Result<Response, Refusal> {
        let is_right =
            form.len() <= LONGEST_POST && form.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        let location = format!("{}{path}?{form}", self.deployment.public_url.as_str());
        is_right.then(|| response::redirect(StatusCode::SEE_OTHER, &location)).ok_or(Refusal::Form)
    }

    /// Guards 2, 3, 5 and 6.
    async fn authorize(
        &self,
        provider: &Provider,
        request: &Request,
        now: Timestamp,
    ) -> Result<Response, Refusal> {
        let query = Query::of(request);
        let read = AuthorizationRequest::read(provider, |name| query.one(name).map_err(|_| Unreadable));
        let asked = match read {
            Ok(asked) => asked,
            Err(AuthorizationRefusal::Page(unanswerable)) => return Err(Refusal::Unanswerable(unanswerable)),
            Err(AuthorizationRefusal::Answer(location, error)) => {
                let response = told(error, response::redirect(StatusCode::FOUND, &location));
                // It is answered at the client's own address, so the client is known.
                let client = query.one("client_id")?.unwrap_or_default();
                return Ok(Report::for_client(response, &client));
            }
        };
        let pending = PendingRequest::new(asked);
        self.answer_client(provider, request, &pending, None, now).await
    }

    /// Guards 4 to 6.
    async fn go_on(
        &self,
        provider: &Provider,
        request: &Request,
        now: Timestamp,
    ) -> Result<Response, Refusal> {
        let query = Query::of(request);
        let handle =
            query.one("request")?.as_deref().and_then(RequestHandle::parse).ok_or(Refusal::RequestGone)?;
        let headers = request.headers();
        let own = self.cookies.request(headers, &handle.digest());
        let browser = own.or_else(|| self.cookies.browser(headers)).ok_or(Refusal::RequestGone)?;
        let sealed = self.store.logins.request(&handle.key(), now).await?.ok_or(Refusal::RequestGone)?;
        let pending = PendingRequest::open(&handle, &browser, &sealed).ok_or(Refusal::RequestGone)?;
        // Of the login itself: `/callback` adds it to where it leads back.
        if query.one("error")?.is_some() {
            return Ok(tell(provider, &pending.request, AuthorizationError::AccessDenied));
        }
        self.answer_client(provider, request, &pending, Some(&handle), now).await
    }

    /// Answers a request that is the client's whose name it has. `handle` names the request if a login lies behind it.
    async fn answer_client(
        &self,
        provider: &Provider,
        request: &Request,
        pending: &PendingRequest,
        handle: Option<&RequestHandle>,
        now: Timestamp,
    ) -> Result<Response, Refusal> {
        let asker = pending.request.asker(provider).ok_or(Refusal::RequestGone)?;
        let answered = self.decide(provider, request, pending, asker, handle, now).await;
        let response = answered.unwrap_or_else(|refusal| self.refuse(request, &refusal));
        Ok(Report::for_client(response, asker.0.name.as_str()))
    }

    /// What follows from who is there.
    async fn decide(
        &self,
        provider: &Provider,
        request: &Request,
        pending: &PendingRequest,
        (client, kind): (&Client, RedirectKind),
        handle: Option<&RequestHandle>,
        now: Timestamp,
    ) -> Result<Response, Refusal> {
        let asked = &pending.request;
        let account = self.account(client).ok_or(Refusal::NoAccount)?;
        // A session of another account's app is nobody's, whatever is asked of it.
        let person = self.person(request, now).await?.filter(|person| person.is_of(account));
        let hint = match &asked.hint {
            Some(hint) => self.hint(hint.expose(), now).await?,
            None => Hint::Unsaid,
        };
        let decision = decision::decide(&Situation {
            subject: provider.subject,
            client,
            pending,
            person: person.as_ref(),
            hint: &hint,
            is_back: handle.is_some(),
            now,
        });
        match (decision, person) {
            (Decision::Issue(subject), Some(person)) if self.may_answer(kind, request) => {
                let grant = AuthorizationGrant { client, asked, person: &person, subject };
                issue::code(self, provider, grant, now).await
            }
            (Decision::Issue(_), Some(_)) if asked.prompt == Prompt::None => {
                Ok(tell(provider, asked, AuthorizationError::InteractionRequired))
            }
            (Decision::Issue(_), _) => self.ask(request, pending, handle, client, now).await,
            (Decision::LogIn(log_in), person) => {
                // Two logins for a request, whatever comes of them: the first handle is sent on once, the second one
                // never.
                let may_log_in = match handle {
                    Some(_) if pending.is_second => false,
                    Some(handle) => self.store.logins.send_on_once(&handle.key()).await?,
                    None => true,
                };
                if !may_log_in {
                    return Ok(tell(provider, asked, AuthorizationError::LoginRequired));
                }
                let nobody_was_there = person.is_none() || pending.nobody_was_there;
                let not_session = person.filter(|_| log_in.is_fresh).map(|person| person.id);
                let pending = PendingRequest {
                    request: asked.clone(),
                    not_session: not_session.or_else(|| pending.not_session.clone()),
                    nobody_was_there,
                    needs_tap: log_in.needs_tap(),
                    is_second: handle.is_some(),
                };
                self.log_in(request, account, &pending, log_in, now).await
            }
            (Decision::AskWechat, person) => {
                // Whoever comes back with a session that has been asked in vain has not logged in.
                let in_vain = person.filter(Person::brings_unionid).map(|person| person.id);
                let not_session = in_vain.or_else(|| pending.not_session.clone());
                let pending = PendingRequest { not_session, ..pending.clone() };
                let (link, cookies) =
                    self.link(request, account, &pending, handle, LogIn::consent(), now).await?;
                let page = page::notice(&Visit::of(request), Reason::NoSubject, &link);
                Ok(NO_SUBJECT.of(with_cookies(page, &cookies)))
            }
            (Decision::Tell(error), _) => Ok(tell(provider, asked, error)),
        }
    }

    /// The account whose apps log the client's people in.
    fn account(&self, client: &Client) -> Option<&Account> {
        self.deployment.accounts.iter().find(|account| account.name == client.account)
    }

    /// Who is logged in in this browser, if a session says so that a grant can come from.
    async fn person(&self, request: &Request, now: Timestamp) -> Result<Option<Person>, Refusal> {
        let person = self.logged_in(request, now).await?;
        Ok(person.filter(|person| person.stored.pepper.is_some()))
    }

    /// Who is logged in in this browser.
    async fn logged_in(&self, request: &Request, now: Timestamp) -> Result<Option<Person>, Refusal> {
        let Some(token) = self.cookies.session(request.headers()) else { return Ok(None) };
        let opened = self.store.sessions.open(&token, now).await?;
        Ok(opened.map(|(stored, session)| Person { id: token.session_id(), stored, session }))
    }

    /// Whom an ID token is about, if it is one of ours that its grant remembers.
    async fn hint(&self, token: &str, now: Timestamp) -> Result<Hint, Refusal> {
        let is_ours = self.hinted(token, now).await?.is_some();
        Ok(grant::sub_of(token).filter(|_| is_ours).map_or(Hint::Unknown, Hint::Subject))
    }

    /// The grant that remembers an ID token, expired or not.
    async fn hinted(&self, token: &str, now: Timestamp) -> Result<Option<StoredGrant>, Refusal> {
        let Some(id) = grant::sid_of(token) else { return Ok(None) };
        let stored = self.store.sessions.grant(&id.key(), now).await?;
        Ok(stored.filter(|grant| grant.id_tokens.contains(&Digest::of(token.as_bytes()))))
    }

    /// Guard 6: whether the answer may leave without a person's tap.
    fn may_answer(&self, kind: RedirectKind, request: &Request) -> bool {
        kind == RedirectKind::Web || *request.method() == Method::POST && self.is_own(request)
    }

    /// Whether a form of our own page posts this.
    fn is_own(&self, request: &Request) -> bool {
        let own = self.deployment.public_url.as_str();
        matches!(Caller::of(request.headers(), |origin| origin == own), Caller::Trusted(_))
    }

    /// The page that names a client whose address proves nobody.
    async fn ask(
        &self,
        request: &Request,
        pending: &PendingRequest,
        handle: Option<&RequestHandle>,
        client: &Client,
        now: Timestamp,
    ) -> Result<Response, Refusal> {
        let (path, cookies) = self.stored(request, pending, handle, now).await?;
        let page = page::confirm(
            &Visit::of(request),
            client.name.as_str(),
            &path,
            pending.request.redirect_uri.as_str(),
        );
        Ok(CONFIRMATION_ASKED.of(with_cookies(page, &cookies)))
    }

    /// Sends the browser to log in, and back. Whoever has pressed the button of our page is given another one: the
    /// policy of that page lets its form lead to the client, and not to WeChat.
    async fn log_in(
        &self,
        request: &Request,
        account: &Account,
        pending: &PendingRequest,
        log_in: LogIn,
        now: Timestamp,
    ) -> Result<Response, Refusal> {
        let (link, cookies) = self.link(request, account, pending, None, log_in, now).await?;
        let response = match *request.method() {
            Method::POST => page::notice(&Visit::of(request), Reason::LoginExpired, &link),
            _ => response::redirect(StatusCode::FOUND, &link),
        };
        Ok(LOGIN_BEGUN.of(with_cookies(response, &cookies)))
    }

    /// The login that answers a request, and the cookies that it needs, if it is a new one.
    async fn link(
        &self,
        request: &Request,
        account: &Account,
        pending: &PendingRequest,
        handle: Option<&RequestHandle>,
        log_in: LogIn,
        now: Timestamp,
    ) -> Result<(String, Vec<String>), Refusal> {
        let (path, cookies) = self.stored(request, pending, handle, now).await?;
        let asks = LoginRequest {
            scope: if log_in.asks_profile { RequestedScope::Profile } else { RequestedScope::Auto },
            app: account.choice(),
            lang: pending.request.lang,
            // Inside WeChat a silent login would prove nothing of who holds the phone.
            switches: RequestedSwitches { force_popup: log_in.is_fresh, force_snap_shot: false },
            via_handoff: false,
        };
        let link =
            LoginLink { return_to: account.targets.check(&path).ok(), request: asks, turn: Turn::FIRST };
        Ok((link.on(self.deployment.public_url.as_str()), cookies))
    }

    /// Where a request goes on that is stored now, or was before; and the cookies that open it, if they are to be set.
    async fn stored(
        &self,
        request: &Request,
        pending: &PendingRequest,
        handle: Option<&RequestHandle>,
        now: Timestamp,
    ) -> Result<(String, Vec<String>), Refusal> {
        if let Some(handle) = handle {
            return Ok((format!("{CONTINUE}{}", handle.expose()), Vec::new()));
        }
        let handle = RequestHandle::new(random::bytes());
        let (secret, cookies) = self.secret_of(request, &handle, now);
        let sealed = pending.seal(&handle, &secret, random::bytes()).ok_or(Refusal::Unsealable)?;
        self.store.logins.put_request(&handle.key(), &sealed, now.plus(REQUEST_LIFETIME)).await?;
        Ok((format!("{CONTINUE}{}", handle.expose()), cookies))
    }

    /// What a new request is sealed under, and the cookies for it.
    ///
    /// A browser that comes for the first time may do so in two tabs at once, as when it opens those of yesterday. Each
    /// answer brings another browser secret, and the last one stays: the other tab's request would open under none. So
    /// a first request has a secret of its own, in a cookie of its own. Only a first one, or whoever opens links for
    /// somebody could fill that browser with cookies until no request of it is accepted.
    fn secret_of(
        &self,
        request: &Request,
        handle: &RequestHandle,
        now: Timestamp,
    ) -> (BrowserSecret, Vec<String>) {
        let cookies = self.cookies;
        match cookies.known_browser(request.headers(), now) {
            Some(browser) => {
                let kept = cookies.set_browser(&browser, now);
                (browser, vec![kept])
            }
            None => {
                let [browser, own] = [(); 2].map(|()| BrowserSecret::new(now, random::bytes()));
                let first = cookies.set_request(&own, &handle.digest(), REQUEST_LIFETIME);
                (own, vec![cookies.set_browser(&browser, now), first])
            }
        }
    }
}

/// Sends the browser back to the client, with an error.
fn tell(provider: &Provider, asked: &AuthorizationRequest, error: AuthorizationError) -> Response {
    told(error, response::redirect(StatusCode::SEE_OTHER, &asked.answer(provider, Answer::Error(error))))
}

/// `response`, which takes this error to a client.
fn told(error: AuthorizationError, response: Response) -> Response {
    refusal::of_error(error).because(error.words().join(": ")).of(response)
}

/// `response`, and the cookies that are to be set.
fn with_cookies(response: Response, cookies: &[String]) -> Response {
    cookies.iter().fold(response, |response, cookie| response::with_cookie(response, cookie))
}
