//! The environment of the functions on this machine, as a file that `cargo lambda watch` can read.
//!
//! Its grammar is narrow: an unquoted value may hold neither a space nor a second `=` nor JSON, and
//! no quoted value may hold its own quote. Single quotes carry everything that is needed here.

use std::{collections::BTreeMap, fmt::Write, net::SocketAddr};

use harness::{
    Failure, Result,
    stack::{OFFICIAL_ACCOUNT, WEBSITE_APP},
};

/// What the environment is made of.
pub struct Place<'a> {
    /// The origin that browsers see.
    pub public_url: &'a str,
    /// The origin of the pages that use the login.
    pub page_origin: &'a str,
    /// Where a login ends that does not say.
    pub default_return_to: &'a str,
    /// Where the simulated WeChat listens.
    pub simulator: SocketAddr,
    /// Where the embedded DynamoDB listens.
    pub database: &'a str,
    /// The names of the tables by their logical ids.
    pub tables: &'a BTreeMap<String, String>,
    /// The secrets of WeChat's apps.
    pub app_secrets: &'a str,
}

impl Place<'_> {
    /// The variables, by name.
    pub fn variables(&self) -> Result<BTreeMap<String, String>> {
        // By address, not by name: cookies know no ports, and WeChat's are not ours.
        let simulator = format!("http://{}", self.simulator);
        let table = |logical_id: &str| {
            let name = self.tables.get(logical_id).map(String::as_str);
            name.ok_or_else(|| Failure::new(format!("template.yaml has no table {logical_id}")))
        };
        let variables = [
            ("PUBLIC_URL", self.public_url),
            ("ALLOWED_ORIGINS", self.page_origin),
            ("DEFAULT_RETURN_TO", self.default_return_to),
            ("LOGINS_TABLE", table("LoginsTable")?),
            ("SESSIONS_TABLE", table("SessionsTable")?),
            ("OFFICIAL_ACCOUNT_APP_ID", OFFICIAL_ACCOUNT),
            ("WEBSITE_APP_ID", WEBSITE_APP),
            ("APP_SECRETS", self.app_secrets),
            ("SITE_VERIFICATION", "MP_verify_0123456789abcdef.txt=0123456789abcdef"),
            ("WECHAT_OPEN_URL", &simulator),
            ("WECHAT_API_URL", &simulator),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_SESSION_TOKEN", "local"),
            ("AWS_ENDPOINT_URL_DYNAMODB", self.database),
        ];
        Ok(variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    }
}

/// The text of a file with these variables.
pub fn env_file(variables: &BTreeMap<String, String>) -> Result<String> {
    let mut text = "# Written by `make run`, at every start.\n".to_owned();
    for (name, value) in variables {
        if value.contains(['\'', '\n', '\\']) {
            return Err(Failure::new(format!("{name} cannot be quoted: {value}")));
        }
        writeln!(text, "{name}='{value}'")?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_every_value() {
        let tables = ["LoginsTable", "SessionsTable"].map(|name| (name.to_owned(), name.to_owned()));
        let place = |app_secrets| {
            let place = Place {
                public_url: "http://localhost:9000",
                page_origin: "http://localhost:9000",
                default_return_to: "/",
                simulator: ([127, 0, 0, 1], 9001).into(),
                database: "http://127.0.0.1:9002",
                tables: &tables.clone().into(),
                app_secrets,
            };
            env_file(&place.variables().unwrap())
        };
        let text = place(r#"{"wx0":"s"}"#).unwrap();
        assert!(text.contains("\nAPP_SECRETS='{\"wx0\":\"s\"}'\n"), "{text}");
        assert!(text.contains("\nWECHAT_OPEN_URL='http://127.0.0.1:9001'\n"), "{text}");
        assert!(place("it's").is_err());
    }
}
