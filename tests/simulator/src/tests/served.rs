//! Over a real port: what only a connection can show.

use std::{io, net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};
use tokio_rustls::{TlsConnector, rustls};

use super::*;
use crate::Fault;

struct Served {
    simulator: Simulator,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<io::Result<()>>,
}

async fn serve(tls: Option<Arc<rustls::ServerConfig>>) -> Served {
    let simulator = wechat();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn({
        let (simulator, stopped) = (simulator.clone(), async { drop(stopped.await) });
        async move {
            match tls {
                Some(tls) => simulator.serve_tls(listener, tls, stopped).await,
                None => simulator.serve(listener, stopped).await,
            }
        }
    });
    Served { simulator, address, stop, serving }
}

/// Everything that comes back for one request on a connection of its own.
async fn ask(address: SocketAddr, path_and_query: &str) -> String {
    ask_on(TcpStream::connect(address).await.unwrap(), path_and_query).await
}

async fn ask_on(mut stream: impl AsyncRead + AsyncWrite + Unpin, path_and_query: &str) -> String {
    let request = format!("GET {path_and_query} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A connection that is reset ends like one that is closed, and TLS may end without saying so.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn answers_drop_before_after_and_half_way() {
    let served = serve(None).await;
    let simulator = &served.simulator;
    let url = fresh_exchange(simulator, "snsapi_base");

    simulator.knobs(|knobs| knobs.script(EXCHANGE, Fault::DropBefore));
    assert_eq!(ask(served.address, &url).await, "");
    assert!(!last(simulator).processed);

    simulator.knobs(|knobs| knobs.script(EXCHANGE, Fault::DropAfter));
    assert_eq!(ask(served.address, &url).await, "");
    assert!(last(simulator).processed);

    assert!(ask(served.address, &url).await.contains("\"errcode\":40163"));

    let url = fresh_exchange(simulator, "snsapi_base");
    simulator.knobs(|knobs| knobs.script(EXCHANGE, Fault::DropHalfWay));
    let half = ask(served.address, &url).await;
    let (head, body) = half.split_once("\r\n\r\n").unwrap();
    let (_, length) = head.split_once("content-length: ").unwrap();
    let length: usize = length.lines().next().unwrap().parse().unwrap();
    assert_eq!(body.len(), length / 2, "{half}");

    served.stop.send(()).unwrap();
    served.serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_caller_that_gives_up_has_spent_its_code() {
    let served = serve(None).await;
    let simulator = &served.simulator;
    simulator.knobs(|knobs| knobs.hold.insert(EXCHANGE.to_owned()));
    let url = fresh_exchange(simulator, "snsapi_base");
    let asking = tokio::spawn({
        let (address, url) = (served.address, url.clone());
        async move { ask(address, &url).await }
    });
    simulator.until(|entries| entries.iter().any(|entry| entry.processed)).await;
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    simulator.act(&crate::Action::Release);
    assert!(ask(served.address, &url).await.contains("\"errcode\":40163"));
}

#[tokio::test]
async fn https_with_a_certificate_of_ones_own() {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let tls = crate::tls_config(cert.pem().as_bytes(), signing_key.serialize_pem().as_bytes()).unwrap();
    let served = serve(Some(tls)).await;
    // Whoever says nothing keeps nobody else waiting.
    let silent = TcpStream::connect(served.address).await.unwrap();

    let mut roots = rustls::RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let client =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let stream = TcpStream::connect(served.address).await.unwrap();
    let stream = TlsConnector::from(Arc::new(client)).connect(name, stream).await.unwrap();
    served.simulator.knobs(|knobs| knobs.api_requires_https = true);
    assert!(ask_on(stream, USERINFO).await.contains("\"errcode\":41001"));
    drop(silent);
    served.serving.abort();
    assert!(served.serving.await.unwrap_err().is_cancelled());

    let wrong = crate::tls_config(b"", signing_key.serialize_pem().as_bytes()).unwrap_err();
    assert_eq!(wrong, "there is no certificate in the PEM");
    assert!(crate::tls_config(cert.pem().as_bytes(), b"x").unwrap_err().starts_with("the key is no PEM"));
}

#[tokio::test]
async fn plain_http_is_refused_unless_that_is_wanted() {
    let served = serve(None).await;
    assert!(Knobs::default().api_requires_https);
    served.simulator.knobs(|knobs| knobs.api_requires_https = true);
    for path in [USERINFO, EXCHANGE] {
        let answer = ask(served.address, path).await;
        assert!(answer.contains("{\"errcode\":43003,\"errmsg\":\"require https, rid: "), "{answer}");
    }
    assert!(ask(served.address, "/cgi-bin/token").await.contains("\"require https rid: "));
    // The pages are another host's.
    assert!(!ask(served.address, AUTHORIZE).await.contains("43003"));
}

#[tokio::test]
async fn stopping_lets_held_and_delayed_answers_go() {
    let served = serve(None).await;
    served.simulator.knobs(|knobs| {
        knobs.hold.insert(USERINFO.to_owned());
        knobs.delay_milliseconds.insert(AUTH.to_owned(), 3_600_000);
    });
    let asking = [USERINFO, AUTH].map(|path| tokio::spawn(async move { ask(served.address, path).await }));
    served.simulator.until(|entries| entries.iter().filter(|entry| entry.processed).count() == 2).await;
    assert!(served.simulator.ledger().iter().all(|entry| !entry.answered));
    served.stop.send(()).unwrap();
    served.serving.await.unwrap().unwrap();
    for asked in asking {
        let answer = asked.await.unwrap();
        assert!(answer.contains("\"errcode\":41001"), "{answer}");
    }
}
