//! `GET /authorize`: begins a login and sends the browser to WeChat.
//!
//! The guards, in the order they run:
//!
//! 1. The address is opened as a page of its own: no foreign `<img>` starts a login. The QR code alone may stand in a
//!    frame (`display=embedded`), if the browser says that a page of this site has it there; the answer is a page then,
//!    that no other origin than the account's can frame, and goes on to WeChat.
//! 2. `app` names an account of ours, `return_to` is one of its targets, `scope`, `lang` and the
//!    switches are words we know; nothing is written for a request that is refused.
//! 3. A browser that no app of the account serves waits for a phone that logs it in ([`login::handoff`]), or is asked
//!    to open the same link on a computer.
//! 4. The login is stored, tied to this browser; without a stored login nobody is sent to WeChat, or waits for a phone.
//!
//! This function holds no secret and calls nobody but the table of logins.

use http::StatusCode;
use lambda::Function;
use login::account::{Account, App, AppChoice};
use login::deployment::Deployment;
use login::handoff::{PICK_UP_LIFETIME, TICKET_LIFETIME, WAIT};
use login::pending::{BrowserSecret, LoginRequest, PendingLogin, State, Turn, login_lifetime};
use login::random;
use login::return_to::{ReturnToError, StoredReturnTo};
use login::time::Timestamp;
use settings::{Settings, Wrong};
use store::{LOGINS_TABLE, Logins, TableName};
use thiserror::Error;
use url::Url;
use web::cookie::Cookies;
use web::link::{LinkError, LoginLink};
use web::outcome::Verdict;
use web::page;
use web::query::Query;
use web::reason::Reason;
use web::request::{PAGE_LOADS_ONLY, Request, browser, is_frame_of_same_site, is_page_load};
use web::response::{Response, redirect, with_cookie};
use web::visit::Visit;
use wechat::Scope;
use wechat::authorize_url::{OfficialAccount, Switches, WebsiteApp};

/// The function.
#[derive(Debug)]
pub struct Authorize {
    config: Config,
    cookies: Cookies,
    logins: Logins,
}

/// What it is set to.
#[derive(Debug)]
pub struct Config {
    deployment: Deployment,
    logins_table: TableName,
    /// `CONNECT_REDIRECT`: whether WeChat is asked not to call back twice.
    connect_redirect: bool,
    /// `WECHAT_OPEN_URL`: the origin of WeChat's pages.
    wechat_open_url: Url,
    /// `PAGE_LOADS_ONLY`: whether a login must be opened as a page of its own.
    page_loads_only: bool,
}

settings::declare! {
    CONNECT_REDIRECT, "true or false", "`false`", ["`true`", "`true`"], ["Whether `connect_redirect=1` asks WeChat not to call back twice", "是否用 `connect_redirect=1` 请微信不要回调两次"];
    WECHAT_OPEN_URL, settings::SERVICE_ORIGIN, "`http://127.0.0.1:9001`", ["`https://open.weixin.qq.com`", "`https://open.weixin.qq.com`"], ["WeChat's pages. `http` for loopback addresses only, as for WeChat's API", "微信的页面。`http` 只限本机（回环 IP），微信的接口也一样"];
}

/// Reads where WeChat's pages are.
///
/// # Errors
///
/// [`Wrong`] if it is wrong, which is noted.
pub fn open_url(settings: &mut Settings<'_>) -> Result<Url, Wrong> {
    match settings.optional(&WECHAT_OPEN_URL, settings::service_origin)? {
        Some(open_url) => Ok(open_url),
        None => Url::parse("https://open.weixin.qq.com").map_err(|_| Wrong),
    }
}

/// What `display` may be: the QR code alone, for a frame.
const EMBEDDED: &str = "embedded";

/// Why no login begins.
#[derive(Debug, Error)]
enum Refusal {
    #[error("not opened as a page")]
    NotAPage,
    #[error("display=embedded, but not in a frame of a page of this site")]
    NotAFrame,
    #[error("display=embedded, but the account has no website app, whose QR code it would be")]
    NoCode,
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error(transparent)]
    Store(#[from] store::Error),
}

web::outcomes! {
    LOGIN_BEGUN = Info "login_begun" ["the login is stored; 302 to WeChat"] ["登录已保存；302 到微信"];
    HANDOFF_BEGUN = Info "handoff_begun" ["the login is stored; on to the page with a QR code of ours, which a phone's WeChat scans"] ["登录已保存；转到显示本服务二维码的页面，由手机微信扫码"];
    CODE_EMBEDDED = Info "code_embedded" ["the login is stored; a page for a frame, which goes on to WeChat's QR code"] ["登录已保存；返回 iframe 中的页面，由它转到微信的二维码"];
    OPEN_ON_COMPUTER = Info "open_on_computer" ["only a website app is there, and a phone cannot scan its own QR code: the page that says so", "for logins on phones, `OfficialAccountAppId`"] ["只有网站应用，而手机无法扫自己屏幕上的二维码：显示说明页面", "如需在手机上登录，请设置 `OfficialAccountAppId`"];
    NOT_A_PAGE = Info "not_a_page" ["opened in a frame, an image or by prefetch", "let your pages open the link as a page"] ["在 iframe、图片或预取中打开", "请让网页以普通链接打开登录页"];
    INVALID_REQUEST = Info "invalid_request" ["a parameter is malformed, given twice, or has a value that is not allowed", "`cause` names it: correct the link"] ["参数有误、重复，或取值不可用", "`cause` 中有参数名：请改正链接"];
    RETURN_TO_REFUSED = Info "return_to_refused" ["`return_to` leads where it may not", "correct the link, or add the origin to `AllowedOrigins`"] ["`return_to` 指向不允许的地方", "请改正链接，或把它的源加入 `AllowedOrigins`"];
    STORE_UNAVAILABLE = Error "store_unavailable" ["the login could not be stored, so nobody was sent to WeChat", "`cause` has DynamoDB's error"] ["登录无法保存，因此没有跳转到微信", "`cause` 中有 DynamoDB 的错误"];
}

impl Refusal {
    const fn judge(&self) -> Verdict {
        let (outcome, reason) = match self {
            Self::NotAPage | Self::NotAFrame | Self::NoCode => (&NOT_A_PAGE, Reason::NotAPage),
            Self::Link(LinkError::Query(_) | LinkError::Value(_)) => {
                (&INVALID_REQUEST, Reason::InvalidRequest)
            }
            Self::Link(LinkError::ReturnTo(_)) => (&RETURN_TO_REFUSED, Reason::ReturnToRefused),
            Self::Store(_) => (&STORE_UNAVAILABLE, Reason::ServiceUnavailable),
        };
        Verdict { outcome, reason }
    }
}

impl Function for Authorize {
    const NAME: &'static str = "authorize";
    type Config = Config;

    fn configure(settings: &mut Settings<'_>) -> Result<Config, Wrong> {
        let deployment = Deployment::read(settings);
        let logins_table = settings.required(&LOGINS_TABLE, TableName::parse);
        let connect_redirect = settings.optional(&CONNECT_REDIRECT, settings::boolean);
        let wechat_open_url = open_url(settings);
        let page_loads_only = settings.optional(&PAGE_LOADS_ONLY, settings::boolean);
        Ok(Config {
            deployment: deployment?,
            logins_table: logins_table?,
            connect_redirect: connect_redirect?.unwrap_or(true),
            page_loads_only: page_loads_only?.unwrap_or(true),
            wechat_open_url: wechat_open_url?,
        })
    }

    async fn start(config: Config) -> Result<Self, lambda::Error> {
        let logins = Logins::new(&lambda::aws().await, config.logins_table.clone());
        Ok(Self { cookies: Cookies::of(&config.deployment.public_url), logins, config })
    }

    async fn handle(&self, request: &Request, now: Timestamp) -> Response {
        match self.begin(request, now).await {
            Ok(response) => response,
            Err(refusal) => {
                let Verdict { outcome, reason } = refusal.judge();
                let response = match refusal {
                    Refusal::Link(LinkError::ReturnTo(ReturnToError::Origin)) => {
                        self.say_no(request, page::unregistered)
                    }
                    Refusal::NoCode => self.say_no(request, page::no_code),
                    _ => self.interrupted(request, reason),
                };
                outcome.because(refusal).of(response)
            }
        }
    }

    fn interrupted(&self, request: &Request, reason: Reason) -> Response {
        self.say_no(request, |visit, link| page::notice(visit, reason, link))
    }
}

/// What a link asks for, once every word of it is known.
struct Parameters<'a> {
    account: &'a Account,
    is_embedded: bool,
    link: LoginLink,
}

impl Authorize {
    /// A page that offers what can be kept of the link that was opened. Where the QR code was to stand in a frame, the
    /// account's pages can show it there.
    fn say_no(&self, request: &Request, page: impl FnOnce(&Visit, &str) -> Response) -> Response {
        let (query, accounts) = (Query::of(request), &self.config.deployment.accounts);
        let link = LoginLink::salvage(query, accounts);
        let notice = page(&Visit::of(request), &link.on(""));
        if !asks_for_code(query) {
            return notice;
        }
        page::in_frames_of(
            notice,
            accounts.choose(&link.request.app).unwrap_or(&accounts.first).targets.origins(),
        )
    }

    async fn begin(&self, request: &Request, now: Timestamp) -> Result<Response, Refusal> {
        let query = Query::of(request);
        let is_embedded = asks_for_code(query);
        if is_embedded && !is_frame_of_same_site(request.headers()) {
            return Err(Refusal::NotAFrame);
        }
        if !is_embedded && self.config.page_loads_only && !is_page_load(request.headers()) {
            return Err(Refusal::NotAPage);
        }
        let parameters = self.read(query)?;
        let asked = &parameters.link.request;
        let choice = parameters.account.choose_app(&asked.app, asked.via_handoff, browser(request.headers()));
        let app = match choice {
            AppChoice::App(App::OfficialAccount(_)) | AppChoice::HandOff(_) | AppChoice::OpenOnComputer
                if is_embedded =>
            {
                return Err(Refusal::NoCode);
            }
            AppChoice::App(app) => app,
            AppChoice::HandOff(app) => {
                return self.hand_off(request, &parameters, App::OfficialAccount(app), now).await;
            }
            AppChoice::OpenOnComputer => {
                return Ok(OPEN_ON_COMPUTER.of(self.on_computer(request, &parameters)));
            }
            AppChoice::Unknown => return Err(LinkError::Value("app").into()),
        };

        let browser = self.cookies.browser_to_begin(request.headers(), now, random::bytes());
        let state = State::new(random::bytes());
        let login = parameters.to_login(&app, &browser, now);
        self.logins.put_login(&state.login_id(), &login).await?;

        let location = self.wechat_link(&parameters, &app, &state);
        let response = if is_embedded {
            let origins = parameters.account.targets.origins();
            CODE_EMBEDDED.of(page::code(&Visit::of(request), location.as_str(), origins))
        } else {
            LOGIN_BEGUN.of(redirect(StatusCode::FOUND, location.as_str()))
        };
        Ok(with_cookie(response, &self.cookies.set_browser(&browser, now)))
    }

    /// Sends the browser to wait for a phone. WeChat never hears of this state, and no callback finds the login. The
    /// address says what was asked for, so that a page there which knows no login leads back into the same one.
    async fn hand_off(
        &self,
        request: &Request,
        parameters: &Parameters<'_>,
        app: App,
        now: Timestamp,
    ) -> Result<Response, Refusal> {
        let browser = self.cookies.browser_to_begin(request.headers(), now, random::bytes());
        let state = State::new(random::bytes());
        let login = parameters.to_login(&app, &browser, now);
        let login = PendingLogin { expires_at: now.plus(TICKET_LIFETIME + PICK_UP_LIFETIME), ..login };
        self.logins.put_login(&state.handoff_id(), &login).await?;

        let public_url = self.config.deployment.public_url.as_str();
        let asked = LoginLink { turn: Turn::FIRST, ..parameters.link.clone() }.to_query();
        let join = if asked.is_empty() { "" } else { "&" };
        let location = format!("{public_url}{WAIT}?state={}{join}{asked}", state.expose());
        let response = redirect(StatusCode::FOUND, &location);
        Ok(HANDOFF_BEGUN.of(with_cookie(response, &self.cookies.set_browser(&browser, now))))
    }

    /// The page for a phone where only a QR code of WeChat's logs people in.
    fn on_computer(&self, request: &Request, parameters: &Parameters<'_>) -> Response {
        let public_url = self.config.deployment.public_url.as_str();
        let link = LoginLink { turn: Turn::FIRST, ..parameters.link.clone() };
        let app = link.request.app.website();
        let code_link = LoginLink { request: LoginRequest { app, ..link.request.clone() }, ..link.clone() };
        page::open_on_computer(request, &link.on(public_url), &code_link.on(""))
    }

    /// Guard 2.
    fn read(&self, query: Query<'_>) -> Result<Parameters<'_>, LinkError> {
        let is_embedded = match query.one("display")?.as_deref() {
            None => false,
            Some(EMBEDDED) => true,
            Some(_) => return Err(LinkError::Value("display")),
        };
        let accounts = &self.config.deployment.accounts;
        let link = LoginLink::read(query, accounts)?;
        let account = accounts.choose(&link.request.app).ok_or(LinkError::Value("app"))?;
        Ok(Parameters { account, is_embedded, link })
    }

    fn wechat_link(&self, parameters: &Parameters<'_>, app: &App, state: &State) -> Url {
        let redirect_uri = &format!("{}/callback", self.config.deployment.public_url.as_str());
        let (state, open_url) = (&state.expose(), &self.config.wechat_open_url);
        match app {
            App::OfficialAccount(app) => {
                let LoginRequest { scope, switches, .. } = parameters.link.request;
                let (scope, component) = (scope.scope(), parameters.account.component.as_ref());
                let switches = Switches {
                    connect_redirect: self.config.connect_redirect,
                    force_popup: switches.force_popup,
                    force_snap_shot: switches.force_snap_shot,
                };
                OfficialAccount { app, redirect_uri, scope, state, switches, component }.on(open_url)
            }
            App::Website(app) => {
                let lang = parameters.link.request.lang;
                WebsiteApp { app, redirect_uri, state, lang, embedded: parameters.is_embedded }.on(open_url)
            }
        }
    }
}

impl Parameters<'_> {
    /// The login to be stored.
    fn to_login(&self, app: &App, browser: &BrowserSecret, now: Timestamp) -> PendingLogin {
        let LoginLink { return_to, request, turn } = &self.link;
        let scope = match app {
            App::OfficialAccount(_) => request.scope.scope(),
            App::Website(_) => Scope::Login,
        };
        PendingLogin {
            browser: browser.digest(),
            app: app.id().clone(),
            scope,
            request: request.clone(),
            return_to: StoredReturnTo::from(return_to.as_ref().unwrap_or(&self.account.default_return_to)),
            turn: *turn,
            expires_at: now.plus(login_lifetime(scope)),
        }
    }
}

/// Whether a link asks for the QR code alone, to stand in a frame.
fn asks_for_code(query: Query<'_>) -> bool {
    query.one("display") == Ok(Some(EMBEDDED.to_owned()))
}
