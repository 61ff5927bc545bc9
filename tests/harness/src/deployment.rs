//! What the functions are told: `template.yaml` says which variables each has, this says what a deployment on this
//! machine makes of those that the template leaves open.
//!
//! A setting with a default in the template needs no word here: tests and `make run` have it as a deployment does.

use std::{collections::BTreeMap, net::SocketAddr};

use serde_json::{Map, Value};
use simulator::Simulator;
use url::Url;

use crate::{
    Failure, Result,
    stack::{DEFAULT_RETURN_TO, OFFICIAL_ACCOUNT, PAGE_ORIGIN, PUBLIC_URL, WEBSITE_APP, WECHAT_OPEN_URL},
    template::{Function, Template},
};

/// Where things are, as far as browsers know.
pub struct Places {
    /// The origin of the login.
    pub public_url: String,
    /// The origin of the pages that use it.
    pub page_origin: String,
    /// Where a login ends that does not say.
    pub default_return_to: String,
    /// The origin of WeChat's pages.
    pub wechat_open_url: String,
}

impl Places {
    /// Where a deployment has them.
    #[must_use]
    pub fn on_the_internet() -> Self {
        Self {
            public_url: PUBLIC_URL.to_owned(),
            page_origin: PAGE_ORIGIN.to_owned(),
            default_return_to: DEFAULT_RETURN_TO.to_owned(),
            wechat_open_url: WECHAT_OPEN_URL.to_owned(),
        }
    }

    /// Where a browser on this machine finds them: the login on this port, which it trusts as it trusts `https`.
    /// Logins end on the front page, and no other page uses them. WeChat has an address, not a name: cookies know
    /// no ports, and WeChat's are not ours.
    #[must_use]
    pub fn on_this_machine(port: u16, simulator: SocketAddr) -> Self {
        let public_url = format!("http://localhost:{port}");
        Self {
            page_origin: public_url.clone(),
            default_return_to: "/".to_owned(),
            wechat_open_url: format!("http://{simulator}"),
            public_url,
        }
    }
}

/// The values that the environments of the functions are made of.
pub struct Deployment {
    /// What parameters and resources of the template become.
    given: BTreeMap<String, String>,
    /// What points a function at this machine.
    local: BTreeMap<String, String>,
    /// What is otherwise for every function; `None` is missing.
    changes: BTreeMap<String, Option<String>>,
}

impl Deployment {
    /// A deployment among these places, with WeChat and DynamoDB on this machine; `tables` are the names of the
    /// tables by their logical ids.
    pub fn new(
        places: &Places,
        simulator: &Simulator,
        simulator_address: SocketAddr,
        database_url: &str,
        tables: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let table = |logical_id: &str| {
            let name = tables.get(logical_id).cloned();
            name.ok_or_else(|| Failure::new(format!("the template has no table {logical_id}")))
        };
        let given = [
            ("PUBLIC_URL", places.public_url.clone()),
            ("ALLOWED_ORIGINS", places.page_origin.clone()),
            ("DEFAULT_RETURN_TO", places.default_return_to.clone()),
            ("OFFICIAL_ACCOUNT_APP_ID", OFFICIAL_ACCOUNT.to_owned()),
            ("WEBSITE_APP_ID", WEBSITE_APP.to_owned()),
            ("APP_SECRETS", app_secrets(simulator)),
            ("LOGINS_TABLE", table("LoginsTable")?),
            ("SESSIONS_TABLE", table("SessionsTable")?),
        ];
        let local = [
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
            ("AWS_ENDPOINT_URL_DYNAMODB", database_url.to_owned()),
            ("WECHAT_OPEN_URL", places.wechat_open_url.clone()),
            ("WECHAT_API_URL", format!("http://{simulator_address}")),
        ];
        let named = |(name, value): (&str, String)| (name.to_owned(), value);
        Ok(Self { given: given.map(named).into(), local: local.map(named).into(), changes: BTreeMap::new() })
    }

    /// With other values, for every function; `None` takes a variable away.
    #[must_use]
    pub fn with(mut self, changes: BTreeMap<String, Option<String>>) -> Self {
        self.changes.extend(changes);
        self
    }

    /// The value of one of the variables that a template leaves open.
    pub fn value(&self, name: &str) -> Option<&str> {
        match self.changes.get(name) {
            Some(change) => change.as_deref(),
            None => self.given.get(name).map(String::as_str),
        }
    }

    /// The environment of a function: what the template gives it, and what points it at this machine.
    ///
    /// It signs its calls with its own name, so that a proxy can tell who calls.
    pub fn environment(&self, function: &Function) -> BTreeMap<String, String> {
        let mut environment = self.local.clone();
        environment.insert("AWS_ACCESS_KEY_ID".to_owned(), function.binary.clone());
        for (name, value) in &function.environment {
            // The secret's value instead of its place: Secrets Manager is not on this machine.
            let name = if name == "APP_SECRETS_ARN" { "APP_SECRETS" } else { name };
            if let Some(value) = self.given.get(name).or(value.as_ref()) {
                environment.insert(name.to_owned(), value.clone());
            }
        }
        for (name, value) in &self.changes {
            match value {
                Some(value) => environment.insert(name.clone(), value.clone()),
                None => environment.remove(name),
            };
        }
        environment
    }

    /// One environment for all functions of a template, for what can hold only one.
    pub fn common_environment(&self, template: &Template) -> BTreeMap<String, String> {
        template.functions().iter().flat_map(|function| self.environment(function)).collect()
    }
}

/// The secrets of a simulator's apps, as the functions want them.
#[must_use]
pub fn app_secrets(simulator: &Simulator) -> String {
    let secrets: Map<String, Value> = simulator.settings(|settings| {
        let apps = settings.apps.iter();
        apps.map(|app| (app.appid.clone(), app.secret.clone().into())).collect()
    });
    Value::from(secrets).to_string()
}

/// Registers the host of the login with WeChat, for every app.
pub fn allow_callbacks(simulator: &Simulator, public_url: &str) {
    let host = Url::parse(public_url).ok().and_then(|url| url.host_str().map(str::to_owned));
    let Some(host) = host else {
        // A test of a configuration that nothing can be made of; the functions will say so.
        return;
    };
    simulator.settings(|settings| {
        for app in &mut settings.apps {
            app.callback_domains = vec![host.clone()];
        }
    });
}

#[cfg(test)]
mod tests {
    use simulator::Settings;

    use super::*;

    #[test]
    fn leads_to_wechat_on_this_machine_by_its_address() {
        let template = Template::of_the_project().unwrap();
        let tables = ["LoginsTable", "SessionsTable"].map(|name| (name.to_owned(), name.to_owned()));
        let tables = BTreeMap::from(tables);
        let simulator = Simulator::new(Settings::example());
        let (address, database) = (([127, 0, 0, 1], 9001).into(), "http://127.0.0.1:9002");
        let places = Places::on_this_machine(9000, address);
        let deployment = |tables| Deployment::new(&places, &simulator, address, database, tables);
        let environment = deployment(&tables).unwrap().common_environment(&template);
        for (name, value) in [
            ("PUBLIC_URL", "http://localhost:9000"),
            ("WECHAT_OPEN_URL", "http://127.0.0.1:9001"),
            ("AWS_ENDPOINT_URL_DYNAMODB", database),
            ("LOGINS_TABLE", "LoginsTable"),
        ] {
            assert_eq!(environment[name], value, "{name}");
        }
        let none = BTreeMap::new();
        assert!(deployment(&none).is_err());
    }
}
