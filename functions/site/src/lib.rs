//! What a browser, WeChat's console or a relying party must find on the domain: `/`, `/error`, `/MP_verify_*.txt`, the
//! script for the pages of the team, and where the OpenID Provider is.
//!
//! This function touches nothing: no table, no secret, no other host.

mod script;
#[cfg(test)]
mod without_comments;

use std::collections::BTreeSet;

use http::{HeaderName, StatusCode};
use lambda::Function;
use login::deployment::Deployment;
use login::pending::wait_seconds;
use login::return_to::ReturnTo;
use login::time::Timestamp;
use openid_connect::discovery::{Metadata, OAUTH_AUTHORIZATION_SERVER, OPENID_CONFIGURATION};
use openid_connect::provider::OPENID_CONNECT;
use settings::{Settings, Wrong};
use web::cookie::Cookies;
use web::link::LoginLink;
use web::page;
use web::query::Query;
use web::reason::Reason;
use web::request::{CorrelationId, Request};
use web::response::{Response, json, public, text, with_header};
use web::visit::Visit;

use crate::script::Script;

/// The header of the home page that says which version runs.
const VERSION: HeaderName = HeaderName::from_static("x-version");

/// The function.
#[derive(Debug)]
pub struct Site {
    config: Config,
    cookies: Cookies,
    module: Script,
    types: Script,
}

/// What it is set to.
#[derive(Debug)]
pub struct Config {
    deployment: Deployment,
    /// `SITE_VERIFICATION`: the files that WeChat's consoles look for, by name.
    verification: Vec<VerificationFile>,
    /// Whether there is an OpenID Provider. What it is set to is judged by who issues tokens: no fault of it may take
    /// away the pages of the login.
    is_provider: bool,
}

settings::declare! {
    SITE_VERIFICATION, "file=content pairs separated by commas, such as MP_verify_0123456789abcdef.txt=0123456789abcdef", "`MP_verify_0a1B2c3D.txt=0a1B2c3D`", ["none", "无"], ["Files that WeChat's Official Accounts Platform asks for, `name=content`, separated by commas", "微信公众平台要求的校验文件，`文件名=内容`，逗号分隔"];
}

/// A file that proves to WeChat's console whose domain this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerificationFile {
    /// Its name, such as `MP_verify_0a1B2c3D.txt`.
    pub name: String,
    /// All that is in it.
    pub content: String,
}

web::outcomes! {
    HOME = Info "home" ["the home page was shown"] ["显示了首页"];
    ERROR_PAGE = Info "error_page" ["the page of a reason was shown"] ["显示了说明原因的页面"];
    SCRIPT = Info "script" ["`login.js` or its types were given, or the browser has them"] ["返回了 `login.js` 或它的类型文件，或浏览器已有"];
    DISCOVERY = Info "discovery" ["the OpenID Provider's document was given"] ["返回了 OpenID Provider 的发现文档"];
    VERIFIED = Info "site_verification" ["a file for WeChat was given"] ["返回了微信的校验文件"];
    NOT_FOUND = Info "not_found" ["there is no such page or file", "for a file of WeChat's: set `SiteVerification`"] ["没有这个页面或文件", "如果是微信的校验文件：设置 `SiteVerification`"];
}

impl Function for Site {
    const NAME: &'static str = "site";
    type Config = Config;

    fn configure(settings: &mut Settings<'_>) -> Result<Config, Wrong> {
        let deployment = Deployment::read(settings);
        let verification = settings.optional(&SITE_VERIFICATION, verification_files);
        let is_provider = settings.optional(&OPENID_CONNECT, |_| Some(()));
        Ok(Config {
            deployment: deployment?,
            verification: verification?.unwrap_or_default(),
            is_provider: is_provider?.is_some(),
        })
    }

    async fn start(config: Config) -> Result<Self, lambda::Error> {
        let cookies = Cookies::of(&config.deployment.public_url);
        Ok(Self { config, cookies, module: Script::module(), types: Script::types() })
    }

    async fn handle(&self, request: &Request, _now: Timestamp) -> Response {
        match request.uri().path() {
            "/" => self.home(request),
            "/error" => self.error(request),
            OPENID_CONFIGURATION | OAUTH_AUTHORIZATION_SERVER if self.config.is_provider => self.discovery(),
            "/login.js" => SCRIPT.of(self.module.answer(request)),
            "/login.d.ts" => SCRIPT.of(self.types.answer(request)),
            path => self.file(request, path.trim_start_matches('/')),
        }
    }

    fn interrupted(&self, request: &Request, reason: Reason) -> Response {
        page::notice_elsewhere(request, reason)
    }
}

impl Site {
    /// A small page that links to the login. Whether the cookie still opens a session is not asked.
    fn home(&self, request: &Request) -> Response {
        let has_session = self.cookies.session(request.headers()).is_some();
        let query = Query::of(request);
        let was_denied = query.one("error") == Ok(Some(Reason::AccessDenied.as_str().to_owned()));
        // Who declined comes with the link that he had opened.
        let login = LoginLink::salvage(query, &self.config.deployment.accounts);
        let page = page::home(request, has_session, was_denied, &login);
        HOME.of(with_header(page, VERSION, env!("CARGO_PKG_VERSION")))
    }

    /// The page `/callback` sends a browser to when a login does not go through. What the query says
    /// is a choice among our own words; of the visitor's text only a plain id is shown.
    ///
    /// The page is what was asked for, so it is answered 200: whoever opens it is no failure of this service, and
    /// strangers can open it as often as they like.
    fn error(&self, request: &Request) -> Response {
        let query = Query::of(request);
        let text = |name| query.one(name).ok().flatten();
        let id =
            text("id").and_then(|id| CorrelationId::parse(&id)).unwrap_or_else(|| CorrelationId::of(request));
        let visit = Visit { id, ..Visit::of(request) };
        let accounts = &self.config.deployment.accounts;
        let login = LoginLink::salvage(query, accounts);
        let Some(reason) = text("reason").and_then(|reason| Reason::parse(&reason)) else {
            return ERROR_PAGE.of(page::notice(&visit, Reason::InvalidRequest, &login.on("")));
        };
        let mut response = match reason {
            Reason::CodeRepeated => {
                let login = LoginLink::salvage_in_chain(query, accounts);
                page::wait(&visit, wait_seconds(login.turn.waits), &login.on(""))
            }
            Reason::AlreadyLoggedIn => {
                let account = accounts.choose(&login.request.app);
                let target = login.return_to.as_ref().or(account.map(|account| &account.default_return_to));
                let target = target.map_or_else(|| "/".to_owned(), ReturnTo::location);
                page::already_logged_in(&visit, &target, &login.log_out_first(accounts))
            }
            _ => page::notice(&visit, reason, &login.on("")),
        };
        *response.status_mut() = StatusCode::OK;
        ERROR_PAGE.of(response)
    }

    /// Where everything of the provider is, by this stack's own origin, whatever host the request names.
    fn discovery(&self) -> Response {
        let metadata = Metadata::of(&self.config.deployment.public_url);
        DISCOVERY.of(public(json(StatusCode::OK, &metadata)))
    }

    /// A file that proves to WeChat's console whose domain this is.
    fn file(&self, request: &Request, name: &str) -> Response {
        match self.config.verification.iter().find(|file| file.name == name) {
            Some(file) => VERIFIED.of(text(StatusCode::OK, file.content.clone())),
            None => NOT_FOUND.of(page::notice_elsewhere(request, Reason::NotFound)),
        }
    }
}

/// Reads the files, as `name=content` separated by commas, each name once.
#[must_use]
pub fn verification_files(text: &str) -> Option<Vec<VerificationFile>> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let files: Option<Vec<_>> = text
        .split(',')
        .map(|pair| {
            let (name, content) = pair.trim().split_once('=')?;
            let stem = name.strip_suffix(".txt")?;
            let is_right = !stem.is_empty()
                && name.bytes().all(is_plain)
                && !content.is_empty()
                && content.bytes().all(is_plain);
            is_right.then(|| VerificationFile { name: name.to_owned(), content: content.to_owned() })
        })
        .collect();
    let names: BTreeSet<_> = files.iter().flatten().map(|file| &file.name).collect();
    let is_each_once = names.len() == files.iter().flatten().count();
    files.filter(|_| is_each_once)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_plain_name_and_a_plain_content() {
        let files = verification_files("MP_verify_0a.txt=0a, b-1.txt=B.1").unwrap();
        assert_eq!((files[0].name.as_str(), files[1].content.as_str()), ("MP_verify_0a.txt", "B.1"));
        for text in
            ["a.txt", "a=1", ".txt=1", "../a.txt=1", "a.txt=", "a.txt=<b>", "a.txt=1,", "a.txt=1,a.txt=2"]
        {
            assert_eq!(verification_files(text), None, "{text}");
        }
    }
}
