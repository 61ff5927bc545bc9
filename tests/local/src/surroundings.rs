//! What the functions need around them: WeChat, DynamoDB, and an environment that leads to both.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use harness::{
    Result,
    database::Database,
    deployment::{Deployment, Places, allow_callbacks},
    signing_key,
    template::Template,
};
use serde_json::json;
use simulator::{Denial, Settings, Simulator};
use tokio::net::TcpListener;

/// The simulated WeChat and the embedded DynamoDB; both end with this process.
pub struct Surroundings {
    /// The origin of the simulated WeChat.
    pub simulator_url: String,
    /// The file that holds the data.
    pub data: PathBuf,
    /// The environment of the functions.
    pub variables: BTreeMap<String, String>,
    _database: Database,
}

impl Surroundings {
    /// Starts both behind ports that are open already.
    ///
    /// `port` is that of the login for a person at this machine. Without it the environment is a deployment's, which is
    /// where the events of a check come from. `pages` are origins that may use the login besides.
    pub fn start(
        port: Option<u16>,
        pages: &[String],
        template: &Template,
        directory: &Path,
        simulator_listener: TcpListener,
        database_listener: TcpListener,
    ) -> Result<Self> {
        let simulator_address = simulator_listener.local_addr()?;
        let simulator = Simulator::new(Settings::example());
        // A person comes with a desktop browser, which WeChat would turn away.
        simulator.default_knobs(|knobs| {
            knobs.check_user_agent = false;
            knobs.strict_param_order = true;
            // The functions reach it on this machine.
            knobs.api_requires_https = false;
            // Of the ways WeChat has reported a refusal, one that leads back, so that it can be seen.
            knobs.denial = Denial::StateOnly;
        });
        let places = match port {
            Some(port) => Places::on_this_machine(port, simulator_address),
            None => Places::on_the_internet(),
        };
        allow_callbacks(&simulator, &places.public_url);

        let data = directory.join("wechat-login.db");
        let database = Database::in_file(&data, database_listener)?;
        let tables = database.create_tables(template)?;
        let changes = [
            // What the key signs names a person by openid, which every login knows.
            ("OPENID_CONNECT", &*openid_connect(&places.public_url, pages)),
            ("SIGNING_KEYS", &*signing_key(directory)?),
            ("SITE_VERIFICATION", "MP_verify_0123456789abcdef.txt=0123456789abcdef"),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SESSION_TOKEN", "local"),
        ];
        let changes = changes.map(|(name, value)| (name.to_owned(), Some(value.to_owned())));
        let deployment = Deployment::new(&places, &simulator, simulator_address, &database.url(), &tables)?;
        let variables = deployment.with(changes.into()).common_environment(template);
        tokio::spawn(async move { simulator.serve(simulator_listener, std::future::pending()).await });
        Ok(Self {
            simulator_url: format!("http://{simulator_address}"),
            data,
            variables,
            _database: database,
        })
    }

    /// Whether the functions are told of something by this name.
    pub fn has(&self, name: &str) -> bool {
        self.variables.get(name).is_some_and(|value| !value.is_empty())
    }
}

/// Where a site that is developed on this machine takes the answers: the first is anybody's, the second Auth.js's,
/// whose provider is called `wechat` in the recipe.
const REDIRECT_URIS: [&str; 2] =
    ["http://localhost:3000/callback", "http://localhost:3000/api/auth/callback/wechat"];

/// An OpenID Provider for trying it out: an API, for the pages of this machine, and a client without a secret.
pub(crate) fn openid_connect(public_url: &str, pages: &[String]) -> String {
    let origins: Vec<_> = std::iter::once(public_url).chain(pages.iter().map(String::as_str)).collect();
    let api = json!({"origins": origins, "clients": ["local"]});
    let client = json!({
        "redirect_uris": REDIRECT_URIS,
        "origins": ["http://localhost:3000"],
        "post_logout_redirect_uris": ["http://localhost:3000/"],
        "refresh": true,
    });
    json!({"subject": "openid", "clients": {"local": client}, "apis": {"https://api.example.com": api}})
        .to_string()
}

/// The key that signs tokens on this machine, made at the first start: in one line, as a file of variables can hold it.
fn signing_key(directory: &Path) -> Result<String> {
    let path = directory.join("signing-key.pem");
    if !path.exists() {
        let key = signing_key::generate()?;
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true).mode(0o600).open(&path)?.write_all(key.as_bytes())?;
    }
    Ok(fs::read_to_string(path)?.replace('\n', " ").trim().to_owned())
}
