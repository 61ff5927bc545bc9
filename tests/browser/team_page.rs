//! A page of somebody else's, on an origin of its own.

use std::net::SocketAddr;

use axum::{Router, response::Html};
use harness::Result;
use tokio::{net::TcpListener, task::JoinHandle};

/// A server of one page; it stops when this is dropped.
pub struct TeamPage {
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl TeamPage {
    /// Shows this text, whatever is asked for.
    pub async fn serve(html: &'static str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let router = Router::new().fallback(move || async move { Html(html) });
        let server = tokio::spawn(async move {
            // It ends with the test, which has what it wanted.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, server })
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
