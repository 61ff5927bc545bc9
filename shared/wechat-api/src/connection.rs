//! A connection to WeChat: made in one step, used in another.
//!
//! Two steps, because what a failure means hangs on which of them it befell. Where none could be made, nothing was
//! sent; once one is in use, whatever goes wrong leaves in doubt what WeChat has done. A client that connects by itself
//! has to be asked afterwards, and its answer believed.
//!
//! TLS sessions are resumed: the process remembers what WeChat's hosts gave it. It sends no early data, which somebody
//! on the way could send again.

use std::time::Duration;

use http::header::{HOST, HeaderValue};
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use tower_service::Service as _;
use url::{Position, Url};
use wechat::error::{Doubt, Error, Unsent};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(1500);
/// The largest body that is read, in bytes; WeChat's own are below one kilobyte.
const LARGEST_BODY: usize = 64 * 1024;

/// Makes connections; one per process.
#[derive(Debug, Clone)]
pub struct Connector {
    connector: HttpsConnector<HttpConnector>,
    is_encrypted: bool,
}

/// A connection over which one request goes after the other.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<String>,
    host: HeaderValue,
}

/// An answer, whatever it is.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Connector {
    /// A connector that trusts whom the machine trusts. One that `is_encrypted` makes no other connections.
    pub fn new(is_encrypted: bool) -> std::io::Result<Self> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let provider = rustls::crypto::ring::default_provider();
        let tls = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider)?;
        let connector = tls.https_or_http().enable_http1().wrap_connector(tcp);
        Ok(Self { connector, is_encrypted })
    }

    /// Connects to the host of an address.
    ///
    /// # Errors
    ///
    /// [`Error::NotSent`], and no other.
    pub async fn connect(&self, url: &Url) -> Result<Connection, Error> {
        let uri = url[..Position::BeforePath].parse::<Uri>().ok();
        let host = HeaderValue::from_str(&url[Position::BeforeHost..Position::AfterPort]).ok();
        let is_right = url.scheme() == "https" || !self.is_encrypted;
        let Some((uri, host)) = uri.zip(host).filter(|_| is_right) else {
            return Err(Error::NotSent(Unsent::NoRequest));
        };
        let connected = async {
            let stream = self.connector.clone().call(uri).await.ok()?;
            let (sender, connection) = handshake(stream).await.ok()?;
            // It ends when the sender is dropped.
            tokio::spawn(connection);
            Some(Connection { sender, host })
        };
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, connected).await;
        connected.ok().flatten().ok_or(Error::NotSent(Unsent::NoConnection))
    }
}

impl Connection {
    /// Whether a request can still be sent, as far as this end knows.
    pub async fn is_open(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    /// Sends a request and reads the answer, if that is not too large.
    ///
    /// # Errors
    ///
    /// [`Error::InDoubt`], and no other.
    pub async fn send(&mut self, mut request: Request<String>) -> Result<Answer, Error> {
        request.headers_mut().insert(HOST, self.host.clone());
        let response = self.sender.send_request(request).await.map_err(|_| Error::InDoubt(Doubt::Broken))?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, LARGEST_BODY).collect().await.map_err(|error| {
            Error::InDoubt(if error.is::<LengthLimitError>() { Doubt::TooLarge } else { Doubt::Broken })
        })?;
        Ok(Answer { status: parts.status, headers: parts.headers, body: body.to_bytes().into() })
    }
}
