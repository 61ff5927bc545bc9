//! Everything that the measured processes speak to: DynamoDB, KMS, Secrets Manager and WeChat on this machine, each
//! behind TLS and as far away as it is; and a stack of the same functions, in which people log in beforehand.

use std::{
    collections::BTreeMap,
    env,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use axum::body::Bytes;
use harness::{
    Failure, Result, Stack,
    binaries::Binaries,
    browser::WECHAT_USER_AGENT,
    database::Database,
    deployment::app_secrets,
    event::Arrival,
    kms::Kms,
    relying_party,
    runtime_api::RuntimeApi,
    secrets_manager::{ARN, SecretsManager},
    signing_key,
    stack::PUBLIC_URL,
    time,
};
use http::Request;
use serde_json::Value;
use simulator::{Settings, Simulator};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinSet};

use crate::{
    line::{Authority, Count, Line},
    process::{Program, Question},
};

/// How long a round trip to AWS's services takes, in the region.
const TO_AWS: Duration = Duration::from_millis(3);
/// And one to WeChat, from a region nearby.
pub const TO_WECHAT: Duration = Duration::from_millis(25);

/// All of it; everything stops when it is dropped.
pub struct World {
    /// Lambda's side of every process.
    pub lambda: RuntimeApi,
    /// The stack in which scenes are set.
    pub stack: Stack,
    built: Binaries,
    /// Where processes get copies of what is deployed; none where counts alone mean anything.
    copies: Option<TempDir>,
    kms: Kms,
    lines: Lines,
    secrets: SecretsManager,
    _wechat: JoinSet<std::io::Result<()>>,
    authority: Authority,
}

struct Lines {
    dynamodb: Line,
    secrets: Line,
    kms: Line,
    wechat: Line,
}

impl World {
    /// Opens all of it, with the binaries that are deployed, or with those of the tests.
    pub async fn open(is_release: bool) -> Result<Self> {
        let authority = Authority::new()?;
        let target = target_directory()?;
        let built = Binaries::in_directory(&target.join(if is_release { "release" } else { "debug" }))?;
        // Files for a moment may not be executed everywhere; those in here are.
        let copies = is_release.then(|| TempDir::new_in(&target)).transpose()?;
        let database = Database::in_memory().await?;
        let simulator = Simulator::new(Settings::example());
        let secrets = SecretsManager::start().await?;
        secrets.put(app_secrets(&simulator));
        let kms = Kms::start(&[signing_key::of_this_process()?]).await?;
        let (wechat_address, serving) = serve(simulator.clone()).await?;

        let to_dynamodb = Line::to(&database.url(), &authority, TO_AWS).await?;
        let to_secrets = Line::to(&secrets.url(), &authority, TO_AWS).await?;
        let to_kms = Line::to(&kms.address().to_string(), &authority, TO_AWS).await?;
        let to_wechat = Line::to(&wechat_address.to_string(), &authority, TO_WECHAT).await?;
        let options = relying_party::options("openid")?
            .simulator(simulator)
            .database(database)
            .binaries(built.clone())
            .without("APP_SECRETS")
            .with("APP_SECRETS_ARN", ARN)
            .with("AWS_ENDPOINT_URL_DYNAMODB", &to_dynamodb.url())
            .with("AWS_ENDPOINT_URL_SECRETS_MANAGER", &to_secrets.url())
            .with("WECHAT_API_URL", &to_wechat.url())
            .with("SSL_CERT_FILE", &authority.bundle());
        Ok(Self {
            lambda: RuntimeApi::start().await?,
            stack: Stack::start(options).await?,
            built,
            copies,
            kms,
            lines: Lines { dynamodb: to_dynamodb, secrets: to_secrets, kms: to_kms, wechat: to_wechat },
            secrets,
            _wechat: serving,
            authority,
        })
    }

    /// What has gone to AWS's services so far, and to WeChat.
    pub fn counts(&self) -> [Count; 2] {
        let Lines { dynamodb, secrets, kms, wechat } = &self.lines;
        let aws = [dynamodb, secrets, kms].map(Line::count);
        [aws.into_iter().fold(Count::default(), Count::and), wechat.count()]
    }

    /// A function as it is deployed. Tokens are signed by a key of the process's own.
    pub fn function(&self, name: &str) -> Result<Program> {
        let specification = self.stack.functions().specification(name)?;
        let environment = specification.environment.clone();
        Ok(Program {
            binary: specification.binary.clone(),
            arguments: Vec::new(),
            environment,
            copies: self.copies.as_ref().map(|directory| directory.path().to_owned()),
            own_scheme: "",
        })
    }

    /// The same, with the key in KMS.
    pub fn with_kms(&self, program: Program) -> Program {
        let settings = [("SIGNING_KEYS", self.kms.arns()), ("AWS_ENDPOINT_URL_KMS", self.lines.kms.url())];
        program.with(settings.map(|(name, value)| (name, Some(value))))
    }

    /// The same, with AWS's services at hand and without TLS: for what a function is like by itself.
    pub fn at_hand(&self, program: Program) -> Program {
        program.with([
            ("AWS_ENDPOINT_URL_DYNAMODB", Some(self.stack.database().url())),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", Some(self.secrets.url())),
        ])
    }

    /// Makes the way to WeChat longer or shorter, for connections that are made from now on.
    pub fn set_way_to_wechat(&self, round_trip: Duration) {
        self.lines.wechat.set_round_trip(round_trip);
    }

    /// What a program of another language knows of the same services: the largest of the functions' environments, with
    /// the names that other SDKs use for the same things.
    pub fn environment_of_peers(&self) -> Result<BTreeMap<String, String>> {
        let program = self.function("token")?.with([
            ("AWS_DEFAULT_REGION", Some("us-east-1".to_owned())),
            ("AWS_CA_BUNDLE", Some(self.authority.bundle())),
            ("NODE_EXTRA_CA_CERTS", Some(self.authority.alone())),
        ]);
        Ok(program.environment)
    }

    /// The binaries that are measured.
    pub fn binaries(&self) -> Binaries {
        self.built.clone()
    }

    /// A floor, in the largest of the functions' environments.
    pub fn floor(&self, name: &str) -> Result<Program> {
        Ok(Program { binary: self.built.path(name)?.to_owned(), ..self.function("token")? })
    }
}

/// Where Cargo puts what it builds: two directories above that of this binary.
pub fn target_directory() -> Result<PathBuf> {
    let executable = env::current_exe()?;
    let target = executable.ancestors().nth(3);
    target
        .map(Path::to_owned)
        .ok_or_else(|| Failure::new(format!("{} is not in a target directory", executable.display())))
}

/// Opens a port of WeChat's.
async fn serve(simulator: Simulator) -> Result<(SocketAddr, JoinSet<std::io::Result<()>>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let serving = async move { simulator.serve(listener, std::future::pending()).await };
    Ok((address, JoinSet::from_iter([serving])))
}

/// What is asked by WeChat's browser on a phone.
pub fn page(path: &str) -> http::request::Builder {
    Request::get(path).header("User-Agent", WECHAT_USER_AGENT)
}

/// A request with a form as its body, such as a program sends.
pub fn posted(path: &str) -> http::request::Builder {
    Request::post(path).header("Content-Type", "application/x-www-form-urlencoded")
}

/// A question of this request and body, and the status that it is answered with.
pub fn question(request: http::request::Builder, body: &str, status: u64) -> Result<Question> {
    Ok(Question { event: event(request, body)?, status })
}

fn event(request: http::request::Builder, body: &str) -> Result<Value> {
    let host = PUBLIC_URL.trim_start_matches("https://");
    let (parts, ()) = request.header("Host", host).body(())?.into_parts();
    let route_key = format!("{} {}", parts.method, parts.uri.path());
    let arrival = Arrival {
        parts: &parts,
        body: &Bytes::copy_from_slice(body.as_bytes()),
        path: parts.uri.path(),
        route_key: &route_key,
        path_parameters: &[],
        source: ([203, 0, 113, 7], 50_000).into(),
        time: time::now(),
        request_id: "ATfSmjLgPHcESJw=",
    };
    Ok(arrival.to_event())
}
