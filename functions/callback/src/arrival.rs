//! What a callback brings: guards 1 to 4, before anything is written.

use login::pending::{BrowserSecret, PendingLogin, State};
use login::session::SessionToken;
use login::time::Timestamp;
use web::query::Query;
use web::request::{Request, is_page_load};
use wechat::AuthorizationCode;

use crate::Callback;
use crate::refusal::{Refusal, RefusedLogin};

/// What a callback brings, once it is well-formed.
pub(crate) struct Arrival {
    /// Which login comes back.
    pub state: State,
    /// What it may be exchanged for; `None` if the person declined.
    pub code: Option<AuthorizationCode>,
    /// The browser that brings it.
    pub browser: BrowserSecret,
    /// The session the browser had before, if any.
    pub session: Option<SessionToken>,
}

impl Callback {
    /// Guards 1 to 3.
    pub(crate) async fn arrive(&self, request: &Request) -> Result<Arrival, RefusedLogin> {
        let query = Query::of(request);
        if self.config.page_loads_only && !is_page_load(request.headers()) {
            return Err(self.not_a_page(request, query).await);
        }
        let state = query.one("state").map_err(Refusal::Query)?.unwrap_or_default();
        let state = State::parse(&state).ok_or(Refusal::MalformedState)?;
        // WeChat has reported a denial in three ways: no code, an empty one, and this word.
        let code = match query.one("code") {
            Ok(Some(code)) if code != "authdeny" => {
                AuthorizationCode::parse(code).map(Some).ok_or(Refusal::MalformedCode)
            }
            Ok(_) => Ok(None),
            Err(error) => Err(Refusal::Query(error)),
        };
        let code = match code {
            Ok(code) => code,
            Err(refusal) => return Err(refusal.of_named(self.named(&state).await)),
        };
        match self.cookies.browser(request.headers()) {
            Some(browser) => {
                Ok(Arrival { state, code, browser, session: self.cookies.session(request.headers()) })
            }
            None => {
                let login = self.store.logins.login(&state.login_id()).await.map_err(Refusal::Store)?;
                let refusal = if code.is_some() { Refusal::CookieMissing } else { Refusal::Denied };
                Err(refusal.of_any(login))
            }
        }
    }

    /// Guard 1 refuses. A login of this browser that came back with a code is told from what any page can send here.
    async fn not_a_page(&self, request: &Request, query: Query<'_>) -> RefusedLogin {
        let Some(state) = query.one("state").ok().flatten().and_then(|state| State::parse(&state)) else {
            return Refusal::NotAPage.into();
        };
        let login = self.named(&state).await;
        let has_code = query.one("code").is_ok_and(|code| code.is_some());
        let browser = self.cookies.browser(request.headers()).map(|browser| browser.digest());
        let known = login.as_ref().ok().and_then(Option::as_ref);
        let is_its_own = known.is_some_and(|login| browser.as_ref() == Some(&login.browser));
        let refusal = if has_code && is_its_own { Refusal::LoginNotAPage } else { Refusal::NotAPage };
        refusal.of_named(login)
    }

    /// The login that a state names, for what is offered after a refusal before the claim: that login again. One that
    /// cannot be read costs nothing but that.
    pub(crate) async fn named(&self, state: &State) -> Result<Option<PendingLogin>, store::Error> {
        self.store.logins.login(&state.login_id()).await
    }

    /// Guard 4. Only the browser that began the login is sent to where the login would have ended.
    pub(crate) async fn denied(&self, arrival: &Arrival, now: Timestamp) -> RefusedLogin {
        match self.store.logins.login(&arrival.state.login_id()).await {
            Ok(Some(login)) if login.browser == arrival.browser.digest() && login.expires_at > now => {
                Refusal::DeniedHere.of(login)
            }
            Ok(login) => Refusal::Denied.of_any(login),
            Err(error) => Refusal::Store(error).into(),
        }
    }
}
