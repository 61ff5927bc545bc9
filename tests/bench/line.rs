//! The way to a service as it is on AWS: encrypted, and some milliseconds long.
//!
//! Without it a first request would look twice as good as it is: a cold process spends more on its first handshakes,
//! and on reading whom it trusts, than on anything else.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use harness::{Failure, Result, signing_key};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_RSA_SHA256,
};
use tempfile::TempDir;
use tokio::{
    io::{
        AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, copy_bidirectional,
        duplex, split,
    },
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tokio_rustls::TlsAcceptor;

/// Whom a machine trusts; in a function's environment as `SSL_CERT_FILE`.
const SYSTEM_BUNDLES: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];
/// The most that is under way at once, in bytes.
const WINDOW: usize = 64 * 1024;

/// An authority that signs for `localhost`, with RSA as AWS's do.
pub struct Authority {
    acceptor: TlsAcceptor,
    bundle: PathBuf,
    alone: PathBuf,
    _directory: TempDir,
}

impl Authority {
    /// A new one. Whom this machine trusts is trusted beside it, for reading the list of them all is part of a start.
    pub fn new() -> Result<Self> {
        let failed = |error: rcgen::Error| Failure::new(format!("no certificate could be made: {error}"));
        let key = || {
            let pem = signing_key::generate()?;
            KeyPair::from_pkcs8_pem_and_sign_algo(&pem, &PKCS_RSA_SHA256).map_err(failed)
        };
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(DnType::CommonName, "Authority of the bench");
        let issuer = CertifiedIssuer::self_signed(params, key()?).map_err(failed)?;
        let key = key()?;
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).map_err(failed)?;
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &issuer).map_err(failed)?;
        let config = simulator::tls_config(certificate.pem().as_bytes(), key.serialize_pem().as_bytes());
        let acceptor = TlsAcceptor::from(config.map_err(Failure::new)?);

        let directory = TempDir::new()?;
        let bundle = directory.path().join("trusted.pem");
        let known = SYSTEM_BUNDLES.into_iter().map(Path::new).find(|path| path.exists());
        let mut trusted = known.map(std::fs::read_to_string).transpose()?.unwrap_or_default();
        trusted.push_str(&issuer.pem());
        std::fs::write(&bundle, trusted)?;
        let alone = directory.path().join("authority.pem");
        std::fs::write(&alone, issuer.pem())?;
        Ok(Self { acceptor, bundle, alone, _directory: directory })
    }

    /// The file with everybody who is trusted, in PEM.
    pub fn bundle(&self) -> String {
        self.bundle.display().to_string()
    }

    /// The file with this authority alone, for a runtime that has the others within itself.
    pub fn alone(&self) -> String {
        self.alone.display().to_string()
    }
}

/// What has gone over a line, as both ends see it: encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Connections that were made.
    pub connections: u64,
    /// How often the client waited for the other end: once for a connection, then for each answer, a handshake's too.
    pub round_trips: u64,
    /// Bytes, both ways.
    pub bytes: u64,
}

#[derive(Default)]
struct Counters {
    /// How long a round trip of a connection takes that is made from now on, in microseconds.
    round_trip: AtomicU64,
    connections: AtomicU64,
    round_trips: AtomicU64,
    bytes: AtomicU64,
}

impl Count {
    /// Both together.
    pub fn and(self, other: Self) -> Self {
        Self {
            connections: self.connections + other.connections,
            round_trips: self.round_trips + other.round_trips,
            bytes: self.bytes + other.bytes,
        }
    }

    /// What has gone since another count.
    pub fn since(self, before: Self) -> Self {
        Self {
            connections: self.connections.saturating_sub(before.connections),
            round_trips: self.round_trips.saturating_sub(before.round_trips),
            bytes: self.bytes.saturating_sub(before.bytes),
        }
    }
}

impl Counters {
    fn set_round_trip(&self, round_trip: Duration) {
        let microseconds = u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX);
        self.round_trip.store(microseconds, Ordering::Relaxed);
    }

    fn add(&self, bytes: usize) {
        self.bytes.fetch_add(u64::try_from(bytes).unwrap_or_default(), Ordering::Relaxed);
    }
}

/// A port that leads to a service; it closes when it is dropped.
pub struct Line {
    address: SocketAddr,
    counters: Arc<Counters>,
    _serving: JoinSet<()>,
}

impl Line {
    /// Leads to a service at an `http://` address. A round trip takes so long, the first one of a connection included.
    pub async fn to(url: &str, authority: &Authority, round_trip: Duration) -> Result<Self> {
        let target: SocketAddr = url.trim_start_matches("http://").parse()?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let acceptor = authority.acceptor.clone();
        let counters = Arc::<Counters>::default();
        counters.set_round_trip(round_trip);
        let counted = Arc::clone(&counters);
        let serving = async move {
            let acceptor = Arc::new(acceptor);
            let mut connections = JoinSet::new();
            while let Ok((connection, _)) = listener.accept().await {
                // A process that is killed ends its connections as it likes.
                connections.spawn(lead(connection, target, Arc::clone(&acceptor), Arc::clone(&counted)));
                while connections.try_join_next().is_some() {}
            }
        };
        Ok(Self { address, counters, _serving: JoinSet::from_iter([serving]) })
    }

    /// Makes it longer or shorter, for connections that are made from now on.
    pub fn set_round_trip(&self, round_trip: Duration) {
        self.counters.set_round_trip(round_trip);
    }

    /// What has gone over it so far.
    pub fn count(&self) -> Count {
        let Counters { connections, round_trips, bytes, .. } = &*self.counters;
        let [connections, round_trips, bytes] =
            [connections, round_trips, bytes].map(|counter| counter.load(Ordering::Relaxed));
        Count { connections, round_trips, bytes }
    }

    /// What an endpoint is to be set to.
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }
}

/// Carries one connection, and counts what it does.
async fn lead(
    connection: TcpStream,
    target: SocketAddr,
    acceptor: Arc<TlsAcceptor>,
    count: Arc<Counters>,
) -> std::io::Result<()> {
    let round_trip = Duration::from_micros(count.round_trip.load(Ordering::Relaxed));
    connection.set_nodelay(true)?;
    let mut inside = TcpStream::connect(target).await?;
    inside.set_nodelay(true)?;
    let (near, far) = duplex(WINDOW);
    let delayed = delay(connection, near, round_trip, &count);
    let served = async move { copy_bidirectional(&mut acceptor.accept(far).await?, &mut inside).await };
    tokio::select! { () = delayed => Ok(()), served = served => served.map(drop) }
}

/// Carries bytes both ways. The whole of a round trip is spent on the way back; the connection itself, which the kernel
/// has made at once, is made up for by the first bytes.
async fn delay(outside: TcpStream, near: DuplexStream, round_trip: Duration, count: &Counters) {
    let (from_client, to_client) = outside.into_split();
    let (from_server, to_server) = split(near);
    count.connections.fetch_add(1, Ordering::Relaxed);
    // The connection.
    count.round_trips.fetch_add(1, Ordering::Relaxed);
    let (is_waiting, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
    let asked = |bytes: usize| {
        count.add(bytes);
        is_waiting.store(true, Ordering::Relaxed);
        is_over.store(bytes == 0, Ordering::Relaxed);
    };
    let answered = |bytes: usize| {
        count.add(bytes);
        // Nobody waits for an answer to a farewell.
        if is_waiting.swap(false, Ordering::Relaxed) && !is_over.load(Ordering::Relaxed) {
            count.round_trips.fetch_add(1, Ordering::Relaxed);
        }
    };
    tokio::join!(
        carry(from_client, to_server, [round_trip, Duration::ZERO], asked, |_| ()),
        carry(from_server, to_client, [round_trip, round_trip], |_| (), answered),
    );
}

/// Carries bytes, each piece so late: the first one, and all others. Says how long each is when it comes and when it
/// goes on, and that nothing more comes by a length of 0.
async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    [first, others]: [Duration; 2],
    comes: impl Fn(usize),
    goes: impl Fn(usize),
) {
    let (sender, mut pieces) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let read = async move {
        let (mut late, mut buffer) = (first, vec![0; WINDOW]);
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            comes(length);
            let piece = buffer.get(..length).unwrap_or_default().to_vec();
            if sender.send((Instant::now() + late, piece)).is_err() {
                return;
            }
            late = others;
        }
        comes(0);
    };
    let write = async move {
        while let Some((due, piece)) = pieces.recv().await {
            sleep_until(due).await;
            // Before it is there: who has it may ask the next thing at once.
            goes(piece.len());
            if to.write_all(&piece).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(read, write);
}
