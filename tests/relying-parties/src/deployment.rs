//! The login as relying parties find it: over HTTPS, with a certificate of an authority that was made on the spot.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use harness::{
    Failure, Options, Result, Stack, Visitor, signing_key,
    stack::{OFFICIAL_ACCOUNT, WECHAT_OPEN_URL},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use serde_json::{Value, json};
use simulator::Settings;
use tempfile::TempDir;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    sites::{CLIENT_ID, LOGGED_OUT, NATIVE_CLIENT_ID, ORIGIN, PUBLIC_CLIENT_ID, SITES},
    tokens::{API, OTHER_API, PLAIN_API},
};

/// Who logs in, as the simulator calls them.
pub const PERSON: &str = "lin";
/// The secret of the client that every site is; one that `make client` could have made.
pub const SECRET: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// A running login; it stops when it is dropped.
pub struct Deployment {
    stack: Stack,
    issuer: String,
    authority: PathBuf,
    acceptor: TlsAcceptor,
    directory: TempDir,
    _tls: Tls,
}

/// What takes the TLS off connections, for as long as it is not dropped.
pub struct Tls {
    address: SocketAddr,
    serving: JoinSet<()>,
}

impl Deployment {
    /// Starts it. Its own pages may ask for tokens for three APIs, and a client's sites log people in.
    pub async fn start() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let authority = directory.path().join("authority.pem");
        let acceptor = acceptor(&authority)?;
        let (listener, mut tls) = Tls::listen().await?;
        let issuer = format!("https://localhost:{}", tls.address.port());
        let own = [issuer.as_str()];
        let provider = json!({ "subject": "openid", "apis": {
            API: { "origins": own },
            OTHER_API: { "origins": own },
            PLAIN_API: { "origins": own, "typ": "JWT" },
        }, "clients": {
            CLIENT_ID: client(&[digest(SECRET)]),
            PUBLIC_CLIENT_ID: client(&[]),
            NATIVE_CLIENT_ID: { "redirect_uris": ["http://127.0.0.1/callback"], "refresh": true, "profile": "ask" },
        }});
        let options = Options::default()
            .with("PUBLIC_URL", &issuer)
            .with("ALLOWED_ORIGINS", "")
            .with("DEFAULT_RETURN_TO", "/")
            .with("OPENID_CONNECT", &provider.to_string())
            .with("SIGNING_KEYS", signing_key::of_this_process()?);
        let stack = Stack::start(options).await?;
        let gateway = stack.gateway().address();
        tls.serving.spawn(take_off_tls(listener, acceptor.clone(), gateway));
        Ok(Self { stack, issuer, authority, acceptor, directory, _tls: tls })
    }

    /// Something that has no TLS, behind the certificate of this deployment.
    pub async fn tls(&self, inside: SocketAddr) -> Result<Tls> {
        let (listener, mut tls) = Tls::listen().await?;
        tls.serving.spawn(take_off_tls(listener, self.acceptor.clone(), inside));
        Ok(tls)
    }

    /// Where WeChat's pages are, without TLS.
    pub fn wechat(&self) -> Result<SocketAddr> {
        let url = self.stack.simulator_url();
        url.trim_start_matches("http://").parse().map_err(|error| Failure::from(error).during(&url))
    }

    /// The origin of the login, which is the issuer.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Whom relying parties have to trust, a file in PEM.
    pub fn authority(&self) -> &Path {
        &self.authority
    }

    /// A directory that ends with the deployment.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Somebody who is not logged in.
    pub fn person(&self) -> Visitor {
        self.stack.visitor(PERSON)
    }

    /// Who that is, in every token.
    pub fn subject(&self) -> String {
        format!("{OFFICIAL_ACCOUNT}.{}", self.person().openid())
    }

    /// Their nickname, which a client gets to know by `profile`.
    pub fn nickname(&self) -> String {
        let nickname = |settings: &mut Settings| {
            settings.people.iter().find(|person| person.id == PERSON).map(|person| person.nickname.clone())
        };
        self.stack.simulator().settings(nickname).unwrap_or_default()
    }

    /// The same, logged in.
    pub async fn visitor(&self) -> Result<Visitor> {
        let visitor = self.person();
        let hops = visitor.follow(&format!("{}/authorize", self.issuer)).await?;
        if visitor.session().is_none() {
            let places: Vec<_> = hops.iter().map(|hop| format!("{} {}", hop.status, hop.url)).collect();
            return Err(Failure::new(format!("nobody is logged in:\n{}", places.join("\n"))));
        }
        Ok(visitor)
    }
}

impl Tls {
    /// A place that serves nothing yet.
    async fn listen() -> Result<(TcpListener, Self)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        Ok((listener, Self { address, serving: JoinSet::new() }))
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// What the configuration says of a client.
fn client(secrets: &[String]) -> Value {
    let callbacks: BTreeSet<_> = SITES.iter().map(|site| format!("{ORIGIN}{}", site.callback)).collect();
    json!({
        "secrets": secrets,
        "redirect_uris": callbacks,
        "post_logout_redirect_uris": LOGGED_OUT.map(|path| format!("{ORIGIN}{path}")),
        // Its script asks without a secret, which it could not keep.
        "origins": if secrets.is_empty() { json!([ORIGIN]) } else { json!([]) },
        "refresh": true,
        "profile": "ask",
    })
}

/// How the configuration knows a secret.
fn digest(secret: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, secret.as_bytes());
    digest.as_ref().iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// What speaks TLS as the login, the sites and WeChat's pages, by an authority whose certificate goes into this file
/// and whose key goes nowhere.
fn acceptor(authority: &Path) -> Result<TlsAcceptor> {
    let failed = |error: rcgen::Error| Failure::new(format!("no certificate could be made: {error}"));
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    // What it signs is not signed by itself: another name says so.
    params.distinguished_name.push(DnType::CommonName, "Authority of the relying parties' tests");
    let issuer =
        CertifiedIssuer::self_signed(params, KeyPair::generate().map_err(failed)?).map_err(failed)?;
    std::fs::write(authority, issuer.pem())?;
    let key = KeyPair::generate().map_err(failed)?;
    let names = ["https://localhost", ORIGIN, WECHAT_OPEN_URL].into_iter();
    let names = names.map(|origin| origin.trim_start_matches("https://").to_owned());
    let mut params = CertificateParams::new(names.collect::<Vec<_>>()).map_err(failed)?;
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&key, &issuer).map_err(failed)?;
    let config = simulator::tls_config(certificate.pem().as_bytes(), key.serialize_pem().as_bytes());
    Ok(TlsAcceptor::from(config.map_err(Failure::new)?))
}

/// Takes the TLS off every connection, and passes on what is in it.
async fn take_off_tls(listener: TcpListener, acceptor: TlsAcceptor, gateway: SocketAddr) {
    let acceptor = Arc::new(acceptor);
    let mut connections = JoinSet::new();
    while let Ok((connection, _)) = listener.accept().await {
        let acceptor = Arc::clone(&acceptor);
        connections.spawn(async move {
            // Who does not trust the certificate says so on its own side.
            if let Ok(mut outside) = acceptor.accept(connection).await
                && let Ok(mut inside) = TcpStream::connect(gateway).await
            {
                let _ = copy_bidirectional(&mut outside, &mut inside).await;
            }
        });
    }
}
