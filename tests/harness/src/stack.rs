//! Everything together: one login service for one test.
//!
//! Each function gets exactly the environment that `template.yaml` gives it, with the values of a
//! deployment on `https://login.example.com`, so a variable that the template forgets is missing
//! here too. Only what points a function at this machine is added.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use serde_json::Value;
use simulator::{Action, Entry, Fault, Scripted, Settings, Simulator};
use tokio::{net::TcpListener, sync::oneshot, time::timeout};

use crate::{
    Failure, Result,
    binaries::Binaries,
    browser::Browser,
    canaries::Watch,
    database::{Database, attribute},
    deployment::{Deployment, Places, allow_callbacks},
    functions::{Functions, Specification},
    gateway::Gateway,
    kms::Kms,
    logs::Logs,
    proxy::Proxy,
    template::Template,
    visitor::Visitor,
};

pub use crate::deployment::app_secrets;

/// Where the login is deployed, as far as browsers and WeChat know.
pub const PUBLIC_URL: &str = "https://login.example.com";
/// The team's page that uses it; of the same site, as a team's pages are.
pub const PAGE_ORIGIN: &str = "https://www.example.com";
/// Where a login ends that does not say.
pub const DEFAULT_RETURN_TO: &str = "https://www.example.com/me";
/// Where WeChat's pages are, as far as browsers know.
pub const WECHAT_OPEN_URL: &str = "https://open.weixin.qq.com";
/// The appid of the Official Account.
pub const OFFICIAL_ACCOUNT: &str = "wx0000000000000aaa";
/// The appid of the website app.
pub const WEBSITE_APP: &str = "wx0000000000000bbb";

/// How long a test waits for a request that must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a stack differs from the usual one.
#[derive(Default)]
pub struct Options {
    is_on_this_machine: bool,
    is_watched: bool,
    environment: BTreeMap<String, Option<String>>,
    template: Option<PathBuf>,
    binaries: Option<Binaries>,
    simulator: Option<Simulator>,
    database: Option<Database>,
    kms: Option<Kms>,
    is_proxied: bool,
}

impl Options {
    /// With this environment variable, for every function.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), Some(value.to_owned()));
        self
    }

    /// With the environment variables of others too, which win.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.environment.extend(others.environment);
        self
    }

    /// Without this environment variable, whatever the template says.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.environment.insert(name.to_owned(), None);
        self
    }

    /// Where a browser finds it that looks names up by itself: the login at `http://localhost`, which
    /// browsers trust as they trust `https`, WeChat at `http://127.0.0.1`. Logins end on the front page,
    /// and no other page uses them.
    #[must_use]
    pub fn on_this_machine(mut self) -> Self {
        self.is_on_this_machine = true;
        self
    }

    /// With a [`Watch`] over everything that leaves a function.
    #[must_use]
    pub fn watched(mut self) -> Self {
        self.is_watched = true;
        self
    }

    /// With another template than the project's.
    #[must_use]
    pub fn template(mut self, path: impl Into<PathBuf>) -> Self {
        self.template = Some(path.into());
        self
    }

    /// With executables that exist already.
    #[must_use]
    pub fn binaries(mut self, binaries: Binaries) -> Self {
        self.binaries = Some(binaries);
        self
    }

    /// With a simulator of the test's own; the stack still opens its port.
    #[must_use]
    pub fn simulator(mut self, simulator: Simulator) -> Self {
        self.simulator = Some(simulator);
        self
    }

    /// With a database that is open already, so that something can stand before it.
    #[must_use]
    pub fn database(mut self, database: Database) -> Self {
        self.database = Some(database);
        self
    }

    /// With keys in a KMS that is the stack's own: [`Stack::kms`].
    #[must_use]
    pub fn kms(self, kms: Kms) -> Self {
        Self { kms: Some(kms), ..self }
    }

    /// With a proxy between the functions and DynamoDB: [`Stack::proxy`].
    #[must_use]
    pub fn proxied(mut self) -> Self {
        self.is_proxied = true;
        self
    }
}

/// A running login service; everything stops when it is dropped.
pub struct Stack {
    simulator: Simulator,
    simulator_address: SocketAddr,
    database: Database,
    proxy: Option<Proxy>,
    kms: Option<Kms>,
    functions: Functions,
    gateway: Gateway,
    browser: Browser,
    public_url: String,
    tables: BTreeMap<String, String>,
    watch: Option<Watch>,
    _stop: oneshot::Sender<()>,
}

impl Stack {
    /// Starts everything but the functions' processes, which start with their first events.
    pub async fn start(options: Options) -> Result<Self> {
        let mut options = options;
        let kms = options.kms.take();
        if let Some(kms) = &kms {
            options = kms.hold(options);
        }
        let template = match options.template {
            Some(path) => Template::read(&path)?,
            None => Template::of_the_project()?,
        };
        let binaries = match options.binaries {
            Some(binaries) => binaries,
            None => Binaries::build().await?.clone(),
        };
        let database = match options.database {
            Some(database) => database,
            None => Database::in_memory().await?,
        };
        let proxy = if options.is_proxied { Some(Proxy::before(&database.url()).await?) } else { None };
        let dynamodb_url = proxy.as_ref().map_or_else(|| database.url(), Proxy::url);
        let tables = database.create_tables(&template)?;
        let simulator = options.simulator.unwrap_or_else(|| Simulator::new(Settings::example()));
        simulator.knobs(|knobs| {
            // WeChat no longer looks, but what it documents is what this login sends.
            knobs.strict_param_order = true;
            // The functions reach it on this machine.
            knobs.api_requires_https = false;
        });
        let (simulator_address, stop) = serve(&simulator).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let places = if options.is_on_this_machine {
            Places::on_this_machine(listener.local_addr()?.port(), simulator_address)
        } else {
            Places::on_the_internet()
        };
        let deployment = Deployment::new(&places, &simulator, simulator_address, &dynamodb_url, &tables)?
            .with(options.environment);
        let public_url = deployment.value("PUBLIC_URL").unwrap_or_default().to_owned();
        allow_callbacks(&simulator, &public_url);

        let mut specifications = BTreeMap::new();
        for function in template.functions() {
            let specification = Specification {
                binary: binaries.path(&function.binary)?.to_owned(),
                environment: deployment.environment(&function),
                timeout: function.timeout,
            };
            specifications.insert(function.binary, specification);
        }
        let watch = options.is_watched.then(|| Watch::new(simulator.clone(), &places.wechat_open_url));
        let keys = deployment.value("SIGNING_KEYS").filter(|keys| keys.starts_with("-----"));
        if let (Some(watch), Some(keys)) = (&watch, keys) {
            watch.signing_keys(keys);
        }
        if let (Some(watch), Some(provider)) = (&watch, deployment.value("OPENID_CONNECT")) {
            watch.provider(&public_url, provider);
        }
        let functions = Functions::watched(specifications, watch.clone()).await?;
        let gateway = Gateway::serve(listener, template.routes(), functions.clone())?;
        let mut browser = Browser::new()?
            .with_origin(&public_url, gateway.address())
            .with_origin(&places.wechat_open_url, simulator_address);
        let origins = deployment.value("ALLOWED_ORIGINS").unwrap_or_default();
        for origin in origins.split(',').map(str::trim) {
            if !origin.is_empty() && origin != public_url {
                browser = browser.with_elsewhere(origin);
            }
        }
        Ok(Self {
            simulator,
            simulator_address,
            database,
            proxy,
            kms,
            functions,
            gateway,
            browser,
            public_url,
            tables,
            watch,
            _stop: stop,
        })
    }

    /// The origin of the login, as browsers know it.
    pub fn public_url(&self) -> &str {
        &self.public_url
    }

    /// A new visitor's browser: WeChat's on a phone, without a cookie.
    pub fn browser(&self) -> Browser {
        self.browser.another()
    }

    /// A new visitor with such a browser: somebody whom WeChat's simulator knows.
    pub fn visitor(&self, person: &str) -> Visitor {
        Visitor::new(self, person)
    }

    /// WeChat.
    pub fn simulator(&self) -> &Simulator {
        &self.simulator
    }

    /// Makes WeChat answer so many requests to an endpoint in this way.
    pub fn script(&self, path: &str, fault: Fault, times: u32) {
        self.simulator.knobs(|knobs| knobs.script(path, Scripted { times, ..fault.into() }));
    }

    /// The requests to one of WeChat's endpoints, in order.
    pub fn requests(&self, path: &str) -> Vec<Entry> {
        self.simulator.ledger().into_iter().filter(|entry| entry.path == path).collect()
    }

    /// Waits until WeChat's ledger satisfies a condition: that a request has arrived, for one.
    pub async fn until_wechat(&self, satisfied: impl Fn(&[Entry]) -> bool) -> Result<()> {
        timeout(PATIENCE, self.simulator.until(satisfied))
            .await
            .map_err(|_| Failure::new("what a test waits for never reached WeChat"))
    }

    /// Where WeChat listens, its admin interface included.
    pub fn simulator_url(&self) -> String {
        format!("http://{}", self.simulator_address)
    }

    /// DynamoDB.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// What stands between the functions and DynamoDB.
    pub fn proxy(&self) -> Result<&Proxy> {
        self.proxy.as_ref().ok_or_else(|| Failure::new("the stack has no proxy"))
    }

    /// Where the keys are.
    pub fn kms(&self) -> Result<&Kms> {
        self.kms.as_ref().ok_or_else(|| Failure::new("the stack has no KMS"))
    }

    /// The name of a table, by its logical id in the template.
    pub fn table(&self, logical_id: &str) -> Result<&str> {
        let name = self.tables.get(logical_id).map(String::as_str);
        name.ok_or_else(|| Failure::new(format!("the template has no table {logical_id}")))
    }

    /// The items of the table of logins.
    pub fn logins(&self) -> Result<Vec<Value>> {
        self.database.items(self.table("LoginsTable")?)
    }

    /// The items of the table of sessions.
    pub fn sessions(&self) -> Result<Vec<Value>> {
        self.database.items(self.table("SessionsTable")?)
    }

    /// Changes every item of the table of sessions that has this attribute: `pepper` is a session's, `client` a
    /// grant's.
    pub fn change_sessions(&self, attribute: &str, change: impl Fn(&mut Value)) -> Result<()> {
        self.change(self.sessions()?, "SessionsTable", attribute, change)
    }

    /// The same of the table of logins: `return_to` is a login's, `outcome` a code's.
    pub fn change_logins(&self, attribute: &str, change: impl Fn(&mut Value)) -> Result<()> {
        self.change(self.logins()?, "LoginsTable", attribute, change)
    }

    fn change(
        &self,
        items: Vec<Value>,
        table: &str,
        attribute: &str,
        change: impl Fn(&mut Value),
    ) -> Result<()> {
        for mut item in items.into_iter().filter(|item| item.get(attribute).is_some()) {
            change(&mut item);
            self.database.put(self.table(table)?, &item)?;
        }
        Ok(())
    }

    /// Forgets every login, every session and what WeChat remembers, as if nothing had ever happened here.
    pub fn forget_everything(&self) -> Result<()> {
        for table in self.tables.values() {
            for item in self.database.items(table)? {
                self.database.delete(table, attribute(&item, "id"))?;
            }
        }
        self.simulator.act(&Action::Reset);
        Ok(())
    }

    /// Forgets the apps' global tokens, and the leases of whoever died over one.
    pub fn forget_app_tokens(&self) -> Result<()> {
        for item in self.sessions()? {
            let id = attribute(&item, "id");
            if id.starts_with("app-token#") {
                self.database.delete(self.table("SessionsTable")?, id)?;
            }
        }
        Ok(())
    }

    /// API Gateway.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// Lambda.
    pub fn functions(&self) -> &Functions {
        &self.functions
    }

    /// What the functions print.
    pub fn logs(&self) -> Logs {
        self.functions.logs()
    }

    /// What looks for canaries in this stack, if it was asked to be watched.
    pub fn watch(&self) -> Option<&Watch> {
        self.watch.as_ref()
    }

    /// Ends every process; the log is complete afterwards.
    pub async fn stop(&self) -> Logs {
        self.functions.stop().await;
        self.logs()
    }
}

/// WeChat's refusal with this number.
#[must_use]
pub fn errcode(errcode: i64) -> Fault {
    Fault::Errcode { errcode, errmsg: None }
}

/// This body in place of WeChat's.
#[must_use]
pub fn raw(status: u16, body: &str) -> Fault {
    Fault::Raw { status, content_type: "text/plain".to_owned(), body: body.to_owned(), latin1: false }
}

async fn serve(simulator: &Simulator) -> Result<(SocketAddr, oneshot::Sender<()>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let simulator = simulator.clone();
    tokio::spawn(async move {
        let until = async {
            // Resolves when the sender is dropped, which is the signal.
            let _ = stopped.await;
        };
        simulator.serve(listener, until).await
    });
    Ok((address, stop))
}

#[cfg(test)]
mod tests;
