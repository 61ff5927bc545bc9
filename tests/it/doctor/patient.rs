//! A stack in good health, and how to break a part of it.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{Router, body::Bytes, http::StatusCode, routing::post};
use harness::{Options, Stack, secrets_manager::SecretsManager};
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};
use simulator::Simulator;
use tempfile::NamedTempFile;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

/// The topic of the alarms.
pub const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:alarms";
/// The address of a subscription whose key nobody may see.
const WEB_HOOK: &str = "https://hooks.example.com/canary";

/// What stands where the domain leads.
pub enum Front {
    /// The stack, behind a certificate.
    Stack(Certificate),
    /// The stack, over plain HTTP.
    Plain,
    /// Something else, behind a right certificate.
    Other(Router),
    /// Nothing.
    Nothing,
}

/// A certificate for the domain.
#[derive(Clone, Copy)]
pub enum Certificate {
    /// As it should be.
    Good,
    /// Good for so many days more, or expired if negative.
    EndsIn(i64),
    /// Of another name.
    OfAnother,
    /// Signed by itself.
    Untrusted,
}

/// What the topic's service says.
pub enum Topic {
    /// Its subscriptions: protocol, endpoint and ARN.
    Has(Vec<[&'static str; 3]>),
    /// That the role may not ask.
    Denied,
    /// Nothing, ever.
    Hangs,
}

/// What Secrets Manager holds, for who does not get his secrets from the environment.
pub enum Vault {
    /// This text.
    Holds(&'static str),
    /// What this role may not read.
    Locked,
}

/// The subscription that everybody has who is well, and another one.
pub const CONFIRMED: [[&str; 3]; 2] = [
    ["email", "ops@example.com", "arn:aws:sns:us-east-1:123456789012:alarms:1"],
    ["https", WEB_HOOK, "arn:aws:sns:us-east-1:123456789012:alarms:2"],
];

type Arrange = Box<dyn FnOnce(&Stack) + Send>;

/// A stack that is about to be looked at.
pub struct Patient {
    options: Options,
    front: Front,
    topic: Topic,
    vault: Option<Vault>,
    arrange: Vec<Arrange>,
}

/// One that runs; everything stops when it is dropped.
pub struct Started {
    pub stack: Stack,
    _secrets: Option<SecretsManager>,
    _serving: JoinSet<()>,
}

impl Patient {
    /// One that is well.
    pub fn new() -> Self {
        Self {
            options: Options::default()
                .with("ALLOWED_ORIGINS", "https://localhost:9300")
                .with("DEFAULT_RETURN_TO", "/")
                .with("SITE_VERIFICATION", "MP_verify_0a.txt=0a")
                .with("ALARM_TOPIC_ARN", TOPIC)
                .with("SSL_CERT_FILE", authority().file.path().to_str().unwrap()),
            front: Front::Stack(Certificate::Good),
            topic: Topic::Has(CONFIRMED.to_vec()),
            vault: None,
            arrange: Vec::new(),
        }
    }

    /// With this setting.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.options = self.options.with(name, value);
        self
    }

    /// With this where the domain leads.
    pub fn front(mut self, front: Front) -> Self {
        self.front = front;
        self
    }

    /// With this said of the topic.
    pub fn topic(mut self, topic: Topic) -> Self {
        self.topic = topic;
        self
    }

    /// With its secrets in Secrets Manager.
    pub fn vault(mut self, vault: Vault) -> Self {
        self.vault = Some(vault);
        self
    }

    /// With something done to WeChat.
    pub fn wechat(self, change: impl FnOnce(&Simulator) + Send + 'static) -> Self {
        self.arrange(|stack| change(stack.simulator()))
    }

    /// With something done to the stack once it stands.
    pub fn arrange(mut self, change: impl FnOnce(&Stack) + Send + 'static) -> Self {
        self.arrange.push(Box::new(change));
        self
    }

    pub async fn started(self) -> Started {
        let mut serving = JoinSet::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        // What the case set comes after this, and wins.
        let scheme = if matches!(self.front, Front::Plain) { "http" } else { "https" };
        let public_url = format!("{scheme}://localhost:{}", listener.local_addr().unwrap().port());
        let mut options = Options::default()
            // WeChat's pages are looked up by the doctor itself.
            .on_this_machine()
            .with("PUBLIC_URL", &public_url)
            .with("AWS_ENDPOINT_URL_SNS", &notifications(self.topic, &mut serving).await)
            .and(self.options);
        let mut secrets = None;
        if let Some(vault) = self.vault {
            let manager = SecretsManager::start().await.unwrap();
            match vault {
                Vault::Holds(text) => manager.put(text),
                Vault::Locked => manager.deny(),
            }
            options = manager.hold(options, "APP_SECRETS");
            secrets = Some(manager);
        }
        let stack = Stack::start(options).await.unwrap();
        // The tests set all functions alike. Where the keys are, the template tells `token` alone.
        stack.functions().deploy("doctor", "SIGNING_KEYS", "");
        for change in self.arrange {
            change(&stack);
        }
        match self.front {
            Front::Nothing => drop(listener),
            Front::Stack(certificate) => {
                let behind = stack.gateway().address();
                serving.spawn(serve(listener, Some(acceptor(certificate)), behind));
            }
            Front::Plain => {
                let behind = stack.gateway().address();
                serving.spawn(serve(listener, None, behind));
            }
            Front::Other(router) => {
                let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let behind = other.local_addr().unwrap();
                serving.spawn(async move { axum::serve(other, router).await.unwrap() });
                serving.spawn(serve(listener, Some(acceptor(Certificate::Good)), behind));
            }
        }
        Started { stack, _secrets: secrets, _serving: serving }
    }

    /// The doctor's answer, and everything that was logged.
    pub async fn examined(self) -> (Value, String) {
        let started = self.started().await;
        let answer = started.stack.functions().invoke("doctor", &json!({})).await.unwrap();
        (answer, started.stack.stop().await.text())
    }
}

/// Whom this test's certificates come from, and a file that says so to the doctor.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: NamedTempFile,
}

fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let file = NamedTempFile::new().unwrap();
        std::fs::write(file.path(), issuer.pem()).unwrap();
        Authority { issuer, file }
    })
}

/// A certificate chain and its key, in PEM.
fn certificate(which: Certificate) -> (String, String) {
    let name = if matches!(which, Certificate::OfAnother) { "other.example.com" } else { "localhost" };
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let days = if let Certificate::EndsIn(days) = which { days } else { 90 };
    let now = i64::try_from(harness::time::now_seconds()).unwrap();
    let day = |day: i64| time::OffsetDateTime::from_unix_timestamp(now + day * 24 * 60 * 60).unwrap();
    // An hour more, so that no day is lost while the test runs.
    (params.not_before, params.not_after) = (day(days - 90), day(days) + Duration::from_hours(1));
    let key = KeyPair::generate().unwrap();
    let signed = match which {
        Certificate::Untrusted => params.self_signed(&key),
        _ => params.signed_by(&key, &authority().issuer),
    };
    (signed.unwrap().pem(), key.serialize_pem())
}

fn acceptor(which: Certificate) -> TlsAcceptor {
    let (chain, key) = certificate(which);
    TlsAcceptor::from(simulator::tls_config(chain.as_bytes(), key.as_bytes()).unwrap())
}

/// Takes the TLS off, if there is any, and passes on what is in it.
async fn serve(listener: TcpListener, acceptor: Option<TlsAcceptor>, behind: std::net::SocketAddr) {
    let mut connections = JoinSet::new();
    while let Ok((mut stream, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        connections.spawn(async move {
            let mut behind = TcpStream::connect(behind).await?;
            match acceptor {
                None => copy_bidirectional(&mut stream, &mut behind).await,
                // A client that does not like the certificate hangs up.
                Some(acceptor) => copy_bidirectional(&mut acceptor.accept(stream).await?, &mut behind).await,
            }
        });
    }
}

/// The one operation of SNS that the doctor uses, as its
/// [reference](https://docs.aws.amazon.com/sns/latest/api/API_ListSubscriptionsByTopic.html) has it.
async fn notifications(topic: Topic, serving: &mut JoinSet<()>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let topic = Arc::new(topic);
    let answer = move |body: Bytes| {
        let topic = Arc::clone(&topic);
        async move { list_subscriptions(&topic, &body).await }
    };
    let router = Router::new().route("/", post(answer));
    serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}")
}

async fn list_subscriptions(topic: &Topic, body: &[u8]) -> (StatusCode, String) {
    let asked = String::from_utf8_lossy(body);
    assert!(asked.contains("Action=ListSubscriptionsByTopic"), "{asked}");
    match topic {
        Topic::Hangs => std::future::pending().await,
        Topic::Denied => (
            StatusCode::FORBIDDEN,
            "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error><Type>Sender</Type>\
             <Code>AuthorizationError</Code><Message>not authorized</Message></Error></ErrorResponse>"
                .to_owned(),
        ),
        Topic::Has(subscriptions) => {
            let member = |[protocol, endpoint, arn]: &[&str; 3]| {
                format!(
                    "<member><TopicArn>{TOPIC}</TopicArn><Protocol>{protocol}</Protocol>\
                     <SubscriptionArn>{arn}</SubscriptionArn><Owner>123456789012</Owner>\
                     <Endpoint>{endpoint}</Endpoint></member>"
                )
            };
            let members: String = subscriptions.iter().map(member).collect();
            let answer = format!(
                "<ListSubscriptionsByTopicResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\">\
                 <ListSubscriptionsByTopicResult><Subscriptions>{members}</Subscriptions>\
                 </ListSubscriptionsByTopicResult></ListSubscriptionsByTopicResponse>"
            );
            (StatusCode::OK, answer)
        }
    }
}
