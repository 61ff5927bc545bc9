//! What the functions need around them: WeChat, DynamoDB, and an environment that leads to both.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use harness::{
    Result,
    database::Database,
    stack::{DEFAULT_RETURN_TO, PAGE_ORIGIN, PUBLIC_URL, allow_callbacks, app_secrets},
    template::Template,
};
use simulator::{Denial, Settings, Simulator};
use tokio::net::TcpListener;

use crate::environment::Place;

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
    /// `here` is the origin of the login for a person at this machine. Without it the environment is a
    /// deployment's, which is where the events of a check come from.
    pub fn start(
        here: Option<&str>,
        template: &Template,
        directory: &Path,
        simulator_listener: TcpListener,
        database_listener: TcpListener,
    ) -> Result<Self> {
        let (public_url, page_origin, default_return_to) = match here {
            Some(here) => (here, here, "/"),
            None => (PUBLIC_URL, PAGE_ORIGIN, DEFAULT_RETURN_TO),
        };
        let simulator_address = simulator_listener.local_addr()?;
        let simulator = Simulator::new(Settings::example());
        // A person comes with a desktop browser, which WeChat would turn away.
        simulator.knobs(|knobs| {
            knobs.check_user_agent = false;
            // Of the ways WeChat has reported a refusal, one that leads back, so that it can be seen.
            knobs.denial = Denial::StateOnly;
        });
        allow_callbacks(&simulator, public_url);

        let data = directory.join("wechat-login.db");
        let database = Database::in_file(&data, database_listener)?;
        let place = Place {
            public_url,
            page_origin,
            default_return_to,
            simulator: simulator_address,
            database: &database.url(),
            tables: &database.create_tables(template)?,
            app_secrets: &app_secrets(&simulator),
        };
        let variables = place.variables()?;
        tokio::spawn(async move { simulator.serve(simulator_listener, std::future::pending()).await });
        Ok(Self {
            simulator_url: format!("http://{simulator_address}"),
            data,
            variables,
            _database: database,
        })
    }
}
