//! A page of somebody else's, on an origin of its own.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, HeaderName, StatusCode, Uri, header},
    response::{Html, IntoResponse},
    routing::get,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// A server of one page, and of an API; it stops when this is dropped.
pub struct TeamPage {
    address: SocketAddr,
    shown: Arc<Mutex<Shown>>,
    api: Api,
    server: JoinHandle<()>,
}

/// The API: how many were asked for, and how many of them may be answered.
#[derive(Clone)]
struct Api {
    asked: Arc<AtomicUsize>,
    answered: watch::Sender<usize>,
}

/// What there is to see.
#[derive(Clone, Default)]
struct Shown {
    html: String,
    policy: String,
}

impl TeamPage {
    /// Shows this text, whatever is asked for.
    pub async fn serve(html: &str) -> harness::Result<Self> {
        Self::serve_at(html, Ipv4Addr::LOCALHOST.into()).await
    }

    /// The same at another address of this machine.
    pub async fn serve_at(html: &str, address: IpAddr) -> harness::Result<Self> {
        let listener = TcpListener::bind((address, 0)).await?;
        let address = listener.local_addr()?;
        let shown = Arc::new(Mutex::new(Shown { html: html.to_owned(), policy: String::new() }));
        let api = Api { asked: Arc::default(), answered: watch::Sender::new(usize::MAX) };
        let of_api = api.clone();
        let router = Router::new()
            .route("/orders", get(move |headers: HeaderMap| orders(headers, of_api.clone())))
            .fallback(page)
            .with_state(Arc::clone(&shown));
        let server = tokio::spawn(async move {
            // It ends with the test, which has what it wanted.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, shown, api, server })
    }

    /// Shows another text from now on, with this Content-Security-Policy.
    pub fn show(&self, html: &str, policy: &str) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        *shown = Shown { html: html.to_owned(), policy: policy.to_owned() };
    }

    /// Keeps the answers of the API back from now on.
    pub fn keep_orders_back(&self) {
        self.api.answered.send_replace(self.api.asked.load(Ordering::SeqCst));
    }

    /// Gives the answer that was kept back first.
    pub fn give_orders_once(&self) {
        self.api.answered.send_modify(|answered| *answered += 1);
    }

    /// Gives all answers that were kept back, and those to come.
    pub fn give_orders(&self) {
        self.api.answered.send_replace(usize::MAX);
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its origin on the site of the login: another port, the same host.
    pub fn same_site(&self) -> String {
        format!("http://localhost:{}", self.address.port())
    }

    /// Its origin on a site of its own.
    pub fn cross_site(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for TeamPage {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The page; one whose query is `opener=…` says that as its Cross-Origin-Opener-Policy.
async fn page(State(shown): State<Arc<Mutex<Shown>>>, address: Uri) -> impl IntoResponse {
    let Shown { html, policy } = shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let opener = address.query().and_then(|query| query.strip_prefix("opener=")).unwrap_or("unsafe-none");
    // A policy without a directive forbids nothing.
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (HeaderName::from_static("cross-origin-opener-policy"), opener.to_owned()),
    ];
    (headers, Html(html))
}

/// An API: two orders for who shows a token, of which the second is that token.
async fn orders(headers: HeaderMap, api: Api) -> Result<Json<Value>, StatusCode> {
    let number = api.asked.fetch_add(1, Ordering::SeqCst);
    // An error means that the page is gone.
    let _ = api.answered.subscribe().wait_for(|answered| number < *answered).await;
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token =
        authorization.and_then(|value| value.strip_prefix("Bearer ")).ok_or(StatusCode::UNAUTHORIZED)?;
    Ok(Json(json!(["Tea", token])))
}
