//! The one place that calls WeChat.
//!
//! **A code is sent at most once.** WeChat may burn a code and then fail to say so: a timeout, a
//! reset, a 5xx or `-1` leave in doubt whether the code was used, and asking again could only turn
//! doubt into 40163. So [`Conversation::exchange`] repeats itself only if no connection was made at all
//! (`connection.rs`), which is the one failure that proves that nothing was sent.
//!
//! No connection outlives the request that a function answers. A Lambda sandbox is frozen between
//! invocations; a connection kept across a freeze may be dead without anyone having noticed. Within a
//! request, a question that changes nothing goes over the connection that the call before it made, which
//! saves two round trips. What is sent at most once goes over a connection of its own: the other end may
//! be about to close one that was used, and a code written into that would be in doubt for nothing.
//!
//! **No URL leaves this crate.** The query of a call holds the secret, the code or a token; every error
//! becomes an [`Error`] of ours on the spot.

mod connection;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::header::{ACCEPT_LANGUAGE, CONTENT_TYPE, DATE, HeaderName, LOCATION, USER_AGENT};
use http::{Request, StatusCode};
use settings::{Settings, Wrong};
use tokio::time::timeout;
use url::{Position, Url};

use connection::{Connection, Connector};
use wechat::body::{self, BodyError, Exchange, Follower, Refresh, StableToken, UserInfo};
use wechat::errcode::Errcode;
use wechat::error::{Doubt, Error, Unsent};
use wechat::page::Page;
use wechat::{
    AccessToken, AppId, AppSecret, AuthorizationCode, ComponentAccessToken, GlobalToken, Lang, OpenId,
    RefreshToken, Scope,
};

/// How long a call may take, connections and body included; longer than two connections.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a question that changes nothing is asked, and the pauses in between.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(300)];

/// WeChat's own browser on a phone, which its page for Official Accounts asks for.
const BROWSER: &str = "Mozilla/5.0 (Linux; Android 14; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/130.0 Mobile Safari/537.36 MicroMessenger/8.0.50";

/// A client of WeChat's API; one per process.
#[derive(Debug, Clone)]
pub struct Client {
    connector: Connector,
    api_url: Url,
    backup_url: Option<Url>,
    time: fn() -> Box<dyn Send>,
}

/// What one request of a function asks WeChat, one call after the other.
#[derive(Debug)]
pub struct Conversation<'a> {
    client: &'a Client,
    /// The connection of the call before.
    kept: Mutex<Option<Connection>>,
}

/// Why there is no client of WeChat's API.
#[derive(Debug, thiserror::Error)]
#[error("the client of WeChat's API could not be made: {0}")]
pub struct StartError(std::io::Error);

/// Where WeChat's API is.
#[derive(Debug, Clone)]
pub struct Hosts {
    /// `WECHAT_API_URL`: the origin that is asked.
    pub api_url: Url,
    /// `WECHAT_API_BACKUP_URL`: the origin to ask when no connection to the first can be made.
    pub backup_url: Option<Url>,
}

settings::declare! {
    WECHAT_API_URL, settings::SERVICE_ORIGIN, "`http://127.0.0.1:9001`", ["`https://api.weixin.qq.com`", "`https://api.weixin.qq.com`"], ["WeChat's API", "微信的接口"];
    WECHAT_API_BACKUP_URL, settings::SERVICE_ORIGIN, "`https://sh.api.weixin.qq.com`", ["`https://api2.weixin.qq.com`, if `WECHAT_API_URL` is not set", "`https://api2.weixin.qq.com`（未设 `WECHAT_API_URL` 时）"], ["Where to ask when no connection could be made", "连接不上时改用的域名"];
}

impl Hosts {
    /// Reads them. A backup host is never assumed for another API than WeChat's own.
    ///
    /// # Errors
    ///
    /// [`Wrong`] if one of them is wrong; each is noted.
    pub fn read(settings: &mut Settings<'_>) -> Result<Self, Wrong> {
        let api_url = settings.optional(&WECHAT_API_URL, settings::service_origin);
        let backup_url = settings.optional(&WECHAT_API_BACKUP_URL, settings::service_origin);
        let usual = |url| Url::parse(url).map_err(|_| Wrong);
        Ok(match (api_url?, backup_url?) {
            (Some(api_url), backup_url) => Self { api_url, backup_url },
            (None, Some(backup_url)) => {
                Self { api_url: usual("https://api.weixin.qq.com")?, backup_url: Some(backup_url) }
            }
            (None, None) => Self {
                api_url: usual("https://api.weixin.qq.com")?,
                backup_url: Some(usual("https://api2.weixin.qq.com")?),
            },
        })
    }
}

/// Who asks WeChat for a person's tokens: the app, or who acts for it ([代公众号发起网页授权]).
///
/// [代公众号发起网页授权]: https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/Before_Develop/Official_Accounts/official_account_website_authorization.html
#[derive(Debug, Clone)]
pub enum Credentials {
    /// The app itself, with its secret.
    App(AppSecret),
    /// A third-party platform that acts for the app.
    Component {
        /// The platform.
        component: AppId,
        /// Its token.
        token: ComponentAccessToken,
    },
}

impl Credentials {
    /// Whether WeChat refuses a call because of these, so that reading them anew may help.
    #[must_use]
    pub fn are_refused_by(&self, error: &Error) -> bool {
        match self {
            Self::App(_) => {
                matches!(error.errcode(), Some(Errcode::INVALID_APP_SECRET | Errcode::INVALID_CREDENTIAL))
            }
            Self::Component { .. } => error.is_about_the_component(),
        }
    }
}

impl Client {
    /// A client of the API on these hosts. `time` is called when a call begins; what it gives is dropped when
    /// the call is over, however it ends.
    ///
    /// # Errors
    ///
    /// [`StartError`] if the platform's certificates cannot be loaded.
    pub fn new(hosts: Hosts, time: fn() -> Box<dyn Send>) -> Result<Self, StartError> {
        let Hosts { api_url, backup_url } = hosts;
        let connector = Connector::new(api_url.scheme() == "https").map_err(StartError)?;
        Ok(Self { connector, api_url, backup_url, time })
    }

    /// What a request is going to ask.
    #[must_use]
    pub const fn conversation(&self) -> Conversation<'_> {
        Conversation { client: self, kept: Mutex::new(None) }
    }

    /// Opens one of WeChat's own pages as its browser on a phone does, and follows no redirect. For who looks after a
    /// deployment: a person's browser does this itself.
    ///
    /// # Errors
    ///
    /// [`Error`] if no connection was made, or if no readable answer came back; a page of any status is an answer.
    pub async fn page(&self, url: Url) -> Result<Page, Error> {
        let head = Request::get(&url[Position::BeforePath..Position::AfterQuery]);
        let head = head.header(USER_AGENT, BROWSER).header(ACCEPT_LANGUAGE, "zh-CN,zh");
        let request = made(head, String::new())?;
        let asked = async { self.connector.connect(&url).await?.send(request).await };
        let answer = self.in_time(asked).await?;
        let header = |name: HeaderName| {
            answer.headers.get(name).and_then(|value| value.to_str().ok().map(str::to_owned))
        };
        Ok(Page {
            status: answer.status.as_u16(),
            location: header(LOCATION),
            date: header(DATE),
            text: String::from_utf8_lossy(&answer.body).into_owned(),
        })
    }

    /// Waits for a call. Connections are given up before the time is over; what did not come then is an answer.
    async fn in_time<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let _running = (self.time)();
        timeout(TOTAL_TIMEOUT, call).await.unwrap_or(Err(Error::InDoubt(Doubt::Timeout)))
    }
}

impl Conversation<'_> {
    /// Exchanges a code for a person's tokens: `GET /sns/oauth2/access_token`, or a third-party
    /// platform's `component/access_token`. Sends the code at most once. [网页授权, step 2]; [代公众号发起网页授权].
    ///
    /// [网页授权, step 2]: https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html#1
    /// [代公众号发起网页授权]: https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/Before_Develop/Official_Accounts/official_account_website_authorization.html
    ///
    /// # Errors
    ///
    /// [`Error`]; after [`Error::InDoubt`] the code counts as used.
    pub async fn exchange(
        &self,
        app: &AppId,
        credentials: &Credentials,
        code: &AuthorizationCode,
        requested: Scope,
    ) -> Result<Exchange, Error> {
        let code = ("code", code.expose());
        let grant_type = ("grant_type", "authorization_code");
        let body = match credentials {
            Credentials::App(secret) => {
                let query = [("appid", app.as_str()), ("secret", secret.expose()), code, grant_type];
                self.send_once(&self.get("/sns/oauth2/access_token", &query)?).await?
            }
            Credentials::Component { component, token } => {
                let [component, token] = component_query(component, token);
                let query = [("appid", app.as_str()), code, grant_type, component, token];
                self.send_once(&self.get("/sns/oauth2/component/access_token", &query)?).await?
            }
        };
        Ok(body::exchange(&body, requested)?)
    }

    /// Renews a person's tokens: `GET /sns/oauth2/refresh_token`, which needs no secret, or a third-party
    /// platform's `component/refresh_token`. Sent at most once, as WeChat may replace the refresh token.
    /// [网页授权, step 3]; [代公众号发起网页授权].
    ///
    /// [网页授权, step 3]: https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html#2
    /// [代公众号发起网页授权]: https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/Before_Develop/Official_Accounts/official_account_website_authorization.html
    ///
    /// # Errors
    ///
    /// [`Error`] if WeChat says no, if nothing could be sent, or if no readable answer came back.
    pub async fn refresh(
        &self,
        app: &AppId,
        component: Option<(&AppId, &ComponentAccessToken)>,
        refresh_token: &RefreshToken,
    ) -> Result<Refresh, Error> {
        let (app, grant_type) = (("appid", app.as_str()), ("grant_type", "refresh_token"));
        let refresh_token = ("refresh_token", refresh_token.expose());
        let body = match component {
            None => {
                let query = [app, grant_type, refresh_token];
                self.send_once(&self.get("/sns/oauth2/refresh_token", &query)?).await?
            }
            Some((component, token)) => {
                let [component, token] = component_query(component, token);
                let query = [app, grant_type, component, token, refresh_token];
                self.send_once(&self.get("/sns/oauth2/component/refresh_token", &query)?).await?
            }
        };
        Ok(body::refresh(&body)?)
    }

    /// Fetches an app's global token: `POST /cgi-bin/stable_token` in its normal mode, which gives the
    /// same token again while it lives. WeChat takes the call only from allow-listed addresses.
    /// [getStableAccessToken].
    ///
    /// [getStableAccessToken]: https://developers.weixin.qq.com/doc/offiaccount/Basic_Information/getStableAccessToken.html
    ///
    /// # Errors
    ///
    /// [`Error`] if WeChat says no, if nothing could be sent, or if no readable answer came back.
    pub async fn stable_token(&self, app: &AppId, secret: &AppSecret) -> Result<StableToken, Error> {
        let request = serde_json::json!({
            "grant_type": "client_credential",
            "appid": app.as_str(),
            "secret": secret.expose(),
            "force_refresh": false,
        });
        let head = Request::post("/cgi-bin/stable_token").header(CONTENT_TYPE, "application/json");
        Ok(body::stable_token(&self.send_once(&made(head, request.to_string())?).await?)?)
    }

    /// Reads whether a person follows the account, and a follower's unionid: `GET /cgi-bin/user/info`. Changes nothing,
    /// so it is asked up to three times. [用户基本信息].
    ///
    /// [用户基本信息]: https://developers.weixin.qq.com/doc/offiaccount/User_Management/Get_users_basic_information_UnionID.html
    ///
    /// # Errors
    ///
    /// [`Error`] of the last attempt.
    pub async fn follower(&self, token: &GlobalToken, openid: &OpenId) -> Result<Follower, Error> {
        let query = [("access_token", token.expose()), ("openid", openid.expose())];
        self.ask("/cgi-bin/user/info", &query, |body| body::follower(body, openid)).await
    }

    /// Reads a person's profile: `GET /sns/userinfo`. Changes nothing, so it is asked up to three times. [网页授权, step
    /// 4].
    ///
    /// [网页授权, step 4]: https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html#3
    ///
    /// The caller compares the profile's openid with the session's: WeChat is not known to.
    ///
    /// # Errors
    ///
    /// [`Error`] of the last attempt.
    pub async fn user_info(
        &self,
        access_token: &AccessToken,
        openid: &OpenId,
        lang: Option<Lang>,
    ) -> Result<UserInfo, Error> {
        let mut query = vec![("access_token", access_token.expose()), ("openid", openid.expose())];
        query.extend(lang.map(|lang| ("lang", lang.as_str())));
        self.ask("/sns/userinfo", &query, body::user_info).await
    }

    /// Asks whether a person's grant still stands: `GET /sns/auth`. Asked up to three times. [网页授权, 附].
    ///
    /// [网页授权, 附]: https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html#4
    ///
    /// # Errors
    ///
    /// [`Error`] of the last attempt.
    pub async fn auth(&self, access_token: &AccessToken, openid: &OpenId) -> Result<(), Error> {
        let query = [("access_token", access_token.expose()), ("openid", openid.expose())];
        self.ask("/sns/auth", &query, body::auth).await
    }

    /// Asks a question that changes nothing until it is answered, three times at most.
    async fn ask<T>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        read: impl Fn(&[u8]) -> Result<T, BodyError>,
    ) -> Result<T, Error> {
        let request = self.get(path, query)?;
        for pause in PAUSES {
            match self.ask_once(&request).await.and_then(|body| Ok(read(&body)?)) {
                Err(error) if error.is_passing() => tokio::time::sleep(pause).await,
                answer => return answer,
            }
        }
        Ok(read(&self.ask_once(&request).await?)?)
    }

    /// Sends a request over the connection of the call before, if there is one that is still open.
    async fn ask_once(&self, request: &Request<String>) -> Result<Vec<u8>, Error> {
        let kept = self.kept().take();
        if let Some(mut connection) = kept
            && connection.is_open().await
        {
            return self.client.in_time(self.send(connection, request)).await;
        }
        self.send_once(request).await
    }

    /// Sends a request over a new connection: to the backup host, if there is one, if none to the first was made.
    async fn send_once(&self, request: &Request<String>) -> Result<Vec<u8>, Error> {
        let Client { connector, api_url, backup_url, .. } = self.client;
        self.kept().take();
        let sent = async {
            let connection = match connector.connect(api_url).await {
                Err(Error::NotSent(Unsent::NoConnection)) => {
                    connector.connect(backup_url.as_ref().unwrap_or(api_url)).await?
                }
                connection => connection?,
            };
            self.send(connection, request).await
        };
        self.client.in_time(sent).await
    }

    /// Sends a request, and keeps the connection if an answer came back.
    async fn send(&self, mut connection: Connection, request: &Request<String>) -> Result<Vec<u8>, Error> {
        let answer = connection.send(request.clone()).await?;
        if answer.status != StatusCode::OK {
            return Err(Error::InDoubt(Doubt::Status(answer.status.as_u16())));
        }
        *self.kept() = Some(connection);
        Ok(answer.body)
    }

    fn kept(&self) -> MutexGuard<'_, Option<Connection>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Request<String>, Error> {
        let mut url = self.client.api_url.clone();
        url.set_path(path);
        url.query_pairs_mut().extend_pairs(query);
        made(Request::get(&url[Position::BeforePath..]), String::new())
    }
}

/// A request, if it is one.
fn made(head: http::request::Builder, body: String) -> Result<Request<String>, Error> {
    head.body(body).map_err(|_| Error::NotSent(Unsent::NoRequest))
}

/// How a third-party platform names itself.
fn component_query<'a>(
    component: &'a AppId,
    token: &'a ComponentAccessToken,
) -> [(&'static str, &'a str); 2] {
    [("component_appid", component.as_str()), ("component_access_token", token.expose())]
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    fn hosts(variables: &[(&str, &str)]) -> Result<(String, Option<String>), String> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let mut settings = Settings::new(&variable);
        let hosts = Hosts::read(&mut settings);
        let hosts = settings.checked(hosts).map_err(|error| error.to_string())?;
        Ok((hosts.api_url.into(), hosts.backup_url.map(String::from)))
    }

    #[test]
    fn a_backup_host_is_never_assumed_for_another_api() {
        let (usual, backup) =
            ("https://api.weixin.qq.com/".to_owned(), "https://api2.weixin.qq.com/".to_owned());
        let other = "http://127.0.0.1:9001";
        assert_eq!(hosts(&[]), Ok((usual.clone(), Some(backup))));
        assert_eq!(hosts(&[("WECHAT_API_URL", other)]), Ok((format!("{other}/"), None)));
        assert_eq!(hosts(&[("WECHAT_API_BACKUP_URL", other)]), Ok((usual, Some(format!("{other}/")))));
        let error = hosts(&[("WECHAT_API_URL", "http://api.weixin.qq.com")]).unwrap_err();
        assert!(error.contains("WECHAT_API_URL is wrong"), "{error}");
    }

    #[tokio::test]
    async fn what_could_not_be_made_was_not_sent() {
        let client = Client::new(
            Hosts {
                api_url: Url::parse("https://127.0.0.1:9").unwrap(),
                // A client for https makes no request of this one.
                backup_url: Some(Url::parse("http://127.0.0.1:9").unwrap()),
            },
            || Box::new(()),
        )
        .unwrap();
        let (token, openid) = (AccessToken::new("canary".to_owned()), OpenId::new("canary".to_owned()));
        let refused = client.connector.connect(&client.api_url).await.unwrap_err();
        assert_eq!(refused, Error::NotSent(Unsent::NoConnection));
        let error = client.conversation().auth(&token, &openid).await.unwrap_err();
        assert_eq!(error, Error::NotSent(Unsent::NoRequest));
        assert!(!error.to_string().contains("canary"), "{error}");
    }

    /// A process of Lambda's is frozen between two requests, and a connection may die unseen meanwhile: a code that is
    /// sent into a dead connection is a code in doubt.
    #[tokio::test]
    async fn no_connection_outlives_the_request_that_asks() {
        let server = Server::start("");
        for _ in 0..2 {
            let conversation = server.client.conversation();
            ask(&conversation).await;
            ask(&conversation).await;
        }
        assert_eq!(server.end().await, [2, 2]);
    }

    #[tokio::test]
    async fn what_is_sent_at_most_once_has_a_connection_of_its_own() {
        let server = Server::start("");
        let conversation = server.client.conversation();
        ask(&conversation).await;
        let app = AppId::parse("wx0000000000000aaa").unwrap();
        let credentials = Credentials::App(AppSecret::new("secret".to_owned()));
        let code = AuthorizationCode::parse("code".to_owned()).unwrap();
        conversation.exchange(&app, &credentials, &code, Scope::Base).await.unwrap_err();
        ask(&conversation).await;
        let refresh_token = RefreshToken::new("refresh".to_owned());
        conversation.refresh(&app, None, &refresh_token).await.unwrap_err();
        drop(conversation);
        assert_eq!(server.end().await, [1, 2, 1]);
    }

    #[tokio::test]
    async fn a_connection_that_the_other_end_closes_is_not_waited_for() {
        let server = Server::start("connection: close\r\n");
        let conversation = server.client.conversation();
        ask(&conversation).await;
        ask(&conversation).await;
        drop(conversation);
        assert_eq!(server.end().await, [1, 1]);
    }

    #[tokio::test]
    async fn a_call_that_is_given_up_takes_its_connection_along() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = client_of(&listener);
        let conversation = client.conversation();
        let (token, openid) = (AccessToken::new("token".to_owned()), OpenId::new("openid".to_owned()));
        let (is_asked, asked) = tokio::sync::oneshot::channel();
        let server = tokio::task::spawn_blocking(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bytes = [0; 1024];
            is_asked.send(stream.read(&mut bytes).unwrap()).unwrap();
            stream.read(&mut bytes).unwrap_or_default()
        });
        tokio::select! {
            answer = conversation.auth(&token, &openid) => panic!("{answer:?}"),
            length = asked => assert!(length.unwrap() > 0),
        }
        assert_eq!(server.await.unwrap(), 0);
    }

    async fn ask(conversation: &Conversation<'_>) {
        let (token, openid) = (AccessToken::new("token".to_owned()), OpenId::new("openid".to_owned()));
        conversation.auth(&token, &openid).await.unwrap();
    }

    fn client_of(listener: &std::net::TcpListener) -> Client {
        let api_url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        Client::new(Hosts { api_url, backup_url: None }, || Box::new(())).unwrap()
    }

    /// Counts what is asked on each connection, and says yes.
    struct Server {
        client: Client,
        address: std::net::SocketAddr,
        asked: tokio::task::JoinHandle<Vec<usize>>,
    }

    impl Server {
        /// One that adds a header.
        fn start(header: &'static str) -> Self {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let (client, address) = (client_of(&listener), listener.local_addr().unwrap());
            let asked = tokio::task::spawn_blocking(move || {
                let asked = listener.incoming().map(|stream| answer_while_asked(stream.unwrap(), header));
                asked.take_while(|asked| *asked > 0).collect()
            });
            Self { client, address, asked }
        }

        async fn end(self) -> Vec<usize> {
            // Who asks nothing ends it.
            drop(std::net::TcpStream::connect(self.address).unwrap());
            self.asked.await.unwrap()
        }
    }

    /// Answers whatever is asked on a connection, keeps it open for more, and counts.
    fn answer_while_asked(mut stream: std::net::TcpStream, header: &str) -> usize {
        let body = r#"{"errcode":0,"errmsg":"ok"}"#;
        let (mut asked, mut request) = (0, Vec::new());
        let mut bytes = [0; 1024];
        loop {
            match stream.read(&mut bytes) {
                Ok(0) | Err(_) => return asked,
                Ok(read) => request.extend_from_slice(&bytes[..read]),
            }
            if request.ends_with(b"\r\n\r\n") {
                request.clear();
                asked += 1;
                let length = body.len();
                write!(stream, "HTTP/1.1 200 OK\r\n{header}content-length: {length}\r\n\r\n{body}").unwrap();
            }
        }
    }
}
