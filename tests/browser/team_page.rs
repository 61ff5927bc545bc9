//! A page of somebody else's, on an origin of its own.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse},
    routing::get,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// A server of one page, and of an API; it stops when this is dropped.
pub struct TeamPage {
    address: SocketAddr,
    shown: Arc<Mutex<Shown>>,
    is_slow: watch::Sender<bool>,
    server: JoinHandle<()>,
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
        let (is_slow, slow) = watch::channel(false);
        let router = Router::new()
            .route("/orders", get(move |headers: HeaderMap| orders(headers, slow.clone())))
            .fallback(page)
            .with_state(Arc::clone(&shown));
        let server = tokio::spawn(async move {
            // It ends with the test, which has what it wanted.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, shown, is_slow, server })
    }

    /// Shows another text from now on, with this Content-Security-Policy.
    pub fn show(&self, html: &str, policy: &str) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        *shown = Shown { html: html.to_owned(), policy: policy.to_owned() };
    }

    /// Keeps the answers of the API back from now on, or no longer.
    pub fn keep_orders_back(&self, is_slow: bool) {
        self.is_slow.send_replace(is_slow);
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

async fn page(State(shown): State<Arc<Mutex<Shown>>>) -> impl IntoResponse {
    let Shown { html, policy } = shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
    // A policy without a directive forbids nothing.
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(html))
}

/// An API: two orders for who shows a token, of which the second is that token.
async fn orders(headers: HeaderMap, mut slow: watch::Receiver<bool>) -> Result<Json<Value>, StatusCode> {
    // An error means that the page is gone.
    let _ = slow.wait_for(|is_slow| !is_slow).await;
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token =
        authorization.and_then(|value| value.strip_prefix("Bearer ")).ok_or(StatusCode::UNAUTHORIZED)?;
    Ok(Json(json!(["Tea", token])))
}
