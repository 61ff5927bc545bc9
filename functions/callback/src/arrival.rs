//! What a callback brings: guards 1 to 4, before anything is written.

use login::pending::{BrowserSecret, State};
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
        if self.config.page_loads_only && !is_page_load(request.headers()) {
            return Err(Refusal::NotAPage.into());
        }
        let query = Query::of(request);
        let state = query.one("state").map_err(Refusal::Query)?.unwrap_or_default();
        let state = State::parse(&state).ok_or(Refusal::MalformedState)?;
        // WeChat has reported a denial in three ways: no code, an empty one, and this word.
        let code = query.one("code").map_err(Refusal::Query)?.filter(|code| code != "authdeny");
        let code =
            code.map(|code| AuthorizationCode::parse(code).ok_or(Refusal::MalformedCode)).transpose()?;
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
