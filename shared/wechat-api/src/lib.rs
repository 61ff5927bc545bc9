//! The one place that calls WeChat.
//!
//! **A code is sent at most once.** WeChat may burn a code and then fail to say so: a timeout, a
//! reset, a 5xx or `-1` leave in doubt whether the code was used, and asking again could only turn
//! doubt into 40163. So [`Client::exchange`] repeats itself only if no connection was made at all,
//! which is the one failure that proves that nothing was sent.
//!
//! No connection outlives its request. A Lambda sandbox is frozen between invocations; a connection
//! kept across a freeze may be dead without anyone having noticed, and a code written into it would
//! be in doubt for nothing.
//!
//! **No URL leaves this file.** The query of a call holds the secret, the code or a token, and an
//! error of the HTTP client prints its URL; every such error becomes an [`Error`] of ours on the spot.

use std::time::Duration;

use reqwest::redirect::Policy;
use settings::{Settings, Wrong};
use url::Url;

use wechat::body::{self, BodyError, Exchange, Follower, Refresh, StableToken, UserInfo};
use wechat::errcode::Errcode;
use wechat::error::{Doubt, Error, Unsent};
use wechat::page::Page;
use wechat::{
    AccessToken, AppId, AppSecret, AuthorizationCode, ComponentAccessToken, GlobalToken, Lang, OpenId,
    RefreshToken, Scope,
};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(1500);
/// How long a call may take, connection and body included.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest body that is read, in bytes; WeChat's own are below one kilobyte.
const LARGEST_BODY: usize = 64 * 1024;
/// How often a question that changes nothing is asked, and the pauses in between.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(300)];

/// WeChat's own browser on a phone, which its page for Official Accounts asks for.
const BROWSER: &str = "Mozilla/5.0 (Linux; Android 14; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/130.0 Mobile Safari/537.36 MicroMessenger/8.0.50";

/// A client of WeChat's API; one per process.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    api_url: Url,
    backup_url: Option<Url>,
    time: fn() -> Box<dyn Send>,
}

/// Why there is no client of WeChat's API.
#[derive(Debug, thiserror::Error)]
#[error("the client of WeChat's API could not be made: {0}")]
pub struct StartError(String);

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

/// Who asks WeChat for a person's tokens.
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

/// Keeps the kind and drops the error: it prints its URL, and the URL holds secrets.
fn kind(error: &reqwest::Error) -> Error {
    if error.is_builder() {
        Error::NotSent(Unsent::NoRequest)
    } else if error.is_connect() {
        Error::NotSent(Unsent::NoConnection)
    } else if error.is_timeout() {
        Error::InDoubt(Doubt::Timeout)
    } else {
        Error::InDoubt(Doubt::Broken)
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
        // The provider is the process's; a second installation is refused and changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .https_only(api_url.scheme() == "https")
            .no_proxy()
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .pool_max_idle_per_host(0)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TOTAL_TIMEOUT)
            .build()
            // Nothing has been asked yet, so the error has no URL to print.
            .map_err(|error| StartError(error.without_url().to_string()))?;
        Ok(Self { http, api_url, backup_url, time })
    }

    /// Exchanges a code for a person's tokens: `GET /sns/oauth2/access_token`, or a third-party
    /// platform's `component/access_token`. Sends the code at most once.
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
                self.get_once("/sns/oauth2/access_token", &query).await?
            }
            Credentials::Component { component, token } => {
                let [component, token] = component_query(component, token);
                let query = [("appid", app.as_str()), code, grant_type, component, token];
                self.get_once("/sns/oauth2/component/access_token", &query).await?
            }
        };
        Ok(body::exchange(&body, requested)?)
    }

    /// Renews a person's tokens: `GET /sns/oauth2/refresh_token`, which needs no secret, or a third-party
    /// platform's `component/refresh_token`. Sent at most once, as WeChat may replace the refresh token.
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
            None => self.get_once("/sns/oauth2/refresh_token", &[app, grant_type, refresh_token]).await?,
            Some((component, token)) => {
                let [component, token] = component_query(component, token);
                let query = [app, grant_type, component, token, refresh_token];
                self.get_once("/sns/oauth2/component/refresh_token", &query).await?
            }
        };
        Ok(body::refresh(&body)?)
    }

    /// Fetches an app's global token: `POST /cgi-bin/stable_token` in its normal mode, which gives the
    /// same token again while it lives. WeChat takes the call only from allow-listed addresses.
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
        let mut url = self.api_url.clone();
        url.set_path("/cgi-bin/stable_token");
        let request =
            self.http.post(url).header("content-type", "application/json").body(request.to_string());
        Ok(body::stable_token(&self.send(request).await?)?)
    }

    /// Reads whether a person follows the account, and a follower's unionid: `GET /cgi-bin/user/info`. Changes nothing, so it is asked up to three
    /// times.
    ///
    /// # Errors
    ///
    /// [`Error`] of the last attempt.
    pub async fn follower(&self, token: &GlobalToken, openid: &OpenId) -> Result<Follower, Error> {
        let query = [("access_token", token.expose()), ("openid", openid.expose())];
        self.ask("/cgi-bin/user/info", &query, |body| body::follower(body, openid)).await
    }

    /// Reads a person's profile: `GET /sns/userinfo`. Changes nothing, so it is asked up to three times.
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

    /// Asks whether a person's grant still stands: `GET /sns/auth`. Asked up to three times.
    ///
    /// # Errors
    ///
    /// [`Error`] of the last attempt.
    pub async fn auth(&self, access_token: &AccessToken, openid: &OpenId) -> Result<(), Error> {
        let query = [("access_token", access_token.expose()), ("openid", openid.expose())];
        self.ask("/sns/auth", &query, body::auth).await
    }

    /// Opens one of WeChat's own pages as its browser on a phone does, and follows no redirect. For who looks after a
    /// deployment: a person's browser does this itself.
    ///
    /// # Errors
    ///
    /// [`Error`] if no connection was made, or if no readable answer came back; a page of any status is an answer.
    pub async fn page(&self, url: Url) -> Result<Page, Error> {
        let request = self.http.get(url).header("user-agent", BROWSER).header("accept-language", "zh-CN,zh");
        let response = request.send().await.map_err(|error| kind(&error))?;
        let header =
            |name| response.headers().get(name).and_then(|value| value.to_str().ok().map(str::to_owned));
        let (status, location, date) = (response.status().as_u16(), header("location"), header("date"));
        let text = String::from_utf8_lossy(&read(response).await?).into_owned();
        Ok(Page { status, location, date, text })
    }

    /// Asks a question that changes nothing until it is answered, three times at most.
    async fn ask<T>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        read: impl Fn(&[u8]) -> Result<T, BodyError>,
    ) -> Result<T, Error> {
        for pause in PAUSES {
            match self.get_once(path, query).await.and_then(|body| Ok(read(&body)?)) {
                Err(error) if error.is_passing() => tokio::time::sleep(pause).await,
                answer => return answer,
            }
        }
        Ok(read(&self.get_once(path, query).await?)?)
    }

    /// Sends a request; once more, to the backup host if there is one, if no connection was made.
    async fn get_once(&self, path: &str, query: &[(&str, &str)]) -> Result<Vec<u8>, Error> {
        match self.get(&self.api_url, path, query).await {
            Err(Error::NotSent(Unsent::NoConnection)) => {
                self.get(self.backup_url.as_ref().unwrap_or(&self.api_url), path, query).await
            }
            answer => answer,
        }
    }

    async fn get(&self, base: &Url, path: &str, query: &[(&str, &str)]) -> Result<Vec<u8>, Error> {
        let mut url = base.clone();
        url.set_path(path);
        url.query_pairs_mut().extend_pairs(query);
        self.send(self.http.get(url)).await
    }

    /// Sends a request and reads the body of the answer, if it is one and not too large.
    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Vec<u8>, Error> {
        let _running = (self.time)();
        let response = request.send().await.map_err(|error| kind(&error))?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(Error::InDoubt(Doubt::Status(response.status().as_u16())));
        }
        read(response).await
    }
}

/// The body of an answer, if it is not too large.
async fn read(mut response: reqwest::Response) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| kind(&error))? {
        if body.len() + chunk.len() > LARGEST_BODY {
            return Err(Error::InDoubt(Doubt::TooLarge));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
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
        let refused = client.get(&client.api_url, "/", &[]).await.unwrap_err();
        assert_eq!(refused, Error::NotSent(Unsent::NoConnection));
        let error = client.auth(&token, &openid).await.unwrap_err();
        assert_eq!(error, Error::NotSent(Unsent::NoRequest));
        assert!(!error.to_string().contains("canary"), "{error}");
    }

    /// A process of Lambda's is frozen between two requests, and a connection may die unseen meanwhile: a code that is
    /// sent into a dead connection is a code in doubt. So each call has a connection of its own, kept open or not.
    #[tokio::test]
    async fn no_connection_outlives_its_call() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let api_url = Url::parse(&format!("http://{address}")).unwrap();
        let server = tokio::task::spawn_blocking(move || {
            let asked = listener.incoming().map(|stream| answer_while_asked(stream.unwrap()));
            asked.take_while(|asked| *asked > 0).collect::<Vec<_>>()
        });
        let client = Client::new(Hosts { api_url, backup_url: None }, || Box::new(())).unwrap();
        let (token, openid) = (AccessToken::new("token".to_owned()), OpenId::new("openid".to_owned()));
        for _ in 0..2 {
            client.auth(&token, &openid).await.unwrap();
        }
        drop(client);
        // Who asks nothing ends it.
        drop(std::net::TcpStream::connect(address).unwrap());
        assert_eq!(server.await.unwrap(), [1, 1]);
    }

    /// Answers whatever is asked on a connection, keeps it open for more, and counts.
    fn answer_while_asked(mut stream: std::net::TcpStream) -> usize {
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
                write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
            }
        }
    }
}
