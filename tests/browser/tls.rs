//! HTTPS, for names that are not of this machine.

use std::net::SocketAddr;

use harness::{Failure, Result};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// Takes TLS off in front of a plain server, whose name is any; it stops when this is dropped.
pub struct Https {
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl Https {
    /// Stands before the server at this address, with a certificate that nobody knows.
    pub async fn before(plain: SocketAddr) -> Result<Self> {
        let made = rcgen::generate_simple_self_signed(["example.com".to_owned()]);
        let made = made.map_err(|error| Failure::new(format!("no certificate could be made: {error}")))?;
        let key = made.signing_key.serialize_pem();
        let config =
            simulator::tls_config(made.cert.pem().as_bytes(), key.as_bytes()).map_err(Failure::new)?;
        let acceptor = TlsAcceptor::from(config);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // A browser that leaves in the middle is no failure.
                    let Ok(mut outside) = acceptor.accept(stream).await else { return };
                    let Ok(mut inside) = TcpStream::connect(plain).await else { return };
                    let _ = copy_bidirectional(&mut outside, &mut inside).await;
                });
            }
        });
        Ok(Self { address, server })
    }

    /// What makes a browser find it under this name.
    pub fn rule(&self, host: &str) -> String {
        format!("MAP {host}:443 {}", self.address)
    }
}

impl Drop for Https {
    fn drop(&mut self) {
        self.server.abort();
    }
}
