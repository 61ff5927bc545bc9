//! A page of somebody else's, on an origin of its own.

use std::{
    net::SocketAddr,
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
use tokio::{net::TcpListener, task::JoinHandle};

/// A server of one page, and of an API; it stops when this is dropped.
pub struct TeamPage {
    address: SocketAddr,
    shown: Arc<Mutex<Shown>>,
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
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shown = Arc::new(Mutex::new(Shown { html: html.to_owned(), policy: String::new() }));
        let router =
            Router::new().route("/orders", get(orders)).fallback(page).with_state(Arc::clone(&shown));
        let server = tokio::spawn(async move {
            // It ends with the test, which has what it wanted.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, shown, server })
    }

    /// Shows another text from now on, with this Content-Security-Policy.
    pub fn show(&self, html: &str, policy: &str) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        *shown = Shown { html: html.to_owned(), policy: policy.to_owned() };
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
async fn orders(headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token =
        authorization.and_then(|value| value.strip_prefix("Bearer ")).ok_or(StatusCode::UNAUTHORIZED)?;
    Ok(Json(json!(["Tea", token])))
}
