//! The configuration, read once at start.
//!
//! Every variable is checked, and a start that fails names *all* the variables that are wrong, with
//! what each should be, in one message: whoever deploys mends them in one go.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;
use url::Url;

use login::account;
use login::account::Account;
use login::account::Accounts;
use login::return_to::Targets;
use secrets::SecretsSource;
use web::cookie::Cookies;
use wechat::AppId;

/// What a deployment is set to. Each field names the environment variable it is read from.
#[derive(Debug, Clone)]
pub struct Config {
    /// `PUBLIC_URL`: the origin visitors reach this stack under. The only source of absolute URLs.
    pub public_url: String,
    /// Cookie names and attributes, which follow from the scheme of `PUBLIC_URL`.
    pub cookies: Cookies,
    /// `LOGINS_TABLE`: the table of logins under way and of codes that were used.
    pub logins_table: String,
    /// `SESSIONS_TABLE`: the table of sessions.
    pub sessions_table: String,
    /// Who logs people in, and where their logins may end. `OFFICIAL_ACCOUNT_APP_ID`, `WEBSITE_APP_ID`,
    /// `COMPONENT_APP_ID`, `ALLOWED_ORIGINS` and `DEFAULT_RETURN_TO` describe the first account, which
    /// is never missing and has no name; `ACCOUNTS` adds named ones.
    pub accounts: Accounts,
    /// `COMPONENT_TOKENS_ARN` or `COMPONENT_TOKENS`: where the tokens of third-party platforms are.
    pub component_tokens: Option<SecretsSource>,
    /// `CONNECT_REDIRECT`: whether WeChat is asked not to call back twice. Default true.
    pub connect_redirect: bool,
    /// `SILENT_UNIONID`: whether a silent login asks for the unionid too. Default false.
    pub silent_unionid: bool,
    /// `APP_SECRETS_ARN` or `APP_SECRETS`: where the app secrets are. Only `callback` is given one.
    pub secrets: Option<SecretsSource>,
    /// `SITE_VERIFICATION`: the files WeChat's console looks for, by name.
    pub site_verification: Vec<SiteVerification>,
    /// `SESSION_LIFETIME_SECONDS`: how long a session lasts. Default 604800, seven days.
    pub session_lifetime: Duration,
    /// `PROFILE_LIFETIME_SECONDS`: how long a profile is served before it is read again. Default 600.
    pub profile_lifetime: Duration,
    /// `WECHAT_OPEN_URL`: the origin of WeChat's pages.
    pub wechat_open_url: Url,
    /// `WECHAT_API_URL`: the origin of WeChat's API.
    pub wechat_api_url: Url,
    /// `WECHAT_API_BACKUP_URL`: the origin to try when no connection to the first could be made.
    pub wechat_api_backup_url: Option<Url>,
}

/// A file that proves to WeChat's console whose domain this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteVerification {
    /// The file's name, such as `MP_verify_0123456789abcdef.txt`.
    pub file: String,
    /// What the file holds.
    pub content: String,
}

/// Every variable that is missing or wrong, a line each.
#[derive(PartialEq, Eq, Error)]
pub struct ConfigError(Vec<String>);

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the configuration is wrong:")?;
        self.0.iter().try_for_each(|problem| write!(formatter, "\n  {problem}"))
    }
}

impl fmt::Debug for ConfigError {
    /// A `main` that fails prints its error this way.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Config {
    /// Reads the configuration through `variable`, which is the environment in production. Without
    /// `needs_app_secrets`, none are asked for.
    ///
    /// # Errors
    ///
    /// [`ConfigError`], with one line for every variable that is missing or wrong.
    pub fn from_variables(
        variable: impl Fn(&str) -> Option<String>,
        needs_app_secrets: bool,
    ) -> Result<Self, ConfigError> {
        let mut variables = Variables { variable, needs_app_secrets, problems: Vec::new() };
        let config = variables.read();
        match (config, variables.problems) {
            (Ok(config), problems) if problems.is_empty() => Ok(config),
            (_, problems) => Err(ConfigError(problems)),
        }
    }
}

/// A variable is wrong, and the problem has been noted.
#[derive(Clone, Copy)]
struct Wrong;

/// The variables, and what was found wrong with them so far.
struct Variables<F> {
    variable: F,
    needs_app_secrets: bool,
    problems: Vec<String>,
}

impl<F: Fn(&str) -> Option<String>> Variables<F> {
    /// Reads every variable before it gives up on the first that is wrong.
    fn read(&mut self) -> Result<Config, Wrong> {
        let public_url = self.required("PUBLIC_URL", public_origin, PUBLIC_URL_SHAPE);
        let allowed_origins = self.optional("ALLOWED_ORIGINS", origins, ORIGINS_SHAPE);
        let logins_table = self.required("LOGINS_TABLE", table_name, TABLE_SHAPE);
        let sessions_table = self.required("SESSIONS_TABLE", table_name, TABLE_SHAPE);
        let official_account = self.required("OFFICIAL_ACCOUNT_APP_ID", AppId::parse, APP_ID_SHAPE);
        let website = self.optional("WEBSITE_APP_ID", AppId::parse, APP_ID_SHAPE);
        let component = self.optional("COMPONENT_APP_ID", AppId::parse, APP_ID_SHAPE);
        let connect_redirect = self.optional("CONNECT_REDIRECT", boolean, "true or false");
        let silent_unionid = self.optional("SILENT_UNIONID", boolean, "true or false");
        let component_tokens = self.secrets("COMPONENT_TOKENS_ARN", "COMPONENT_TOKENS");
        let site_verification = self.optional("SITE_VERIFICATION", site_verification, VERIFICATION_SHAPE);
        let session_lifetime = self.optional(
            "SESSION_LIFETIME_SECONDS",
            |text| seconds(text, 60),
            "a number of seconds from 60 up",
        );
        let profile_lifetime =
            self.optional("PROFILE_LIFETIME_SECONDS", |text| seconds(text, 0), "a number of seconds");
        let open_url = self.optional("WECHAT_OPEN_URL", service_origin, SERVICE_SHAPE);
        let api_url = self.optional("WECHAT_API_URL", service_origin, SERVICE_SHAPE);
        let backup_url = self.optional("WECHAT_API_BACKUP_URL", service_origin, SERVICE_SHAPE);
        let secrets = self.secrets("APP_SECRETS_ARN", "APP_SECRETS");
        if self.needs_app_secrets && matches!(secrets, Ok(None)) {
            self.problems.push(
                "APP_SECRETS_ARN is missing; it must be the ARN of a Secrets Manager secret".to_owned(),
            );
        }

        // Targets can only be judged against origins that are right themselves.
        let first = self.first_account(&public_url, allowed_origins, official_account, website, component);
        let accounts = first.and_then(|first| self.accounts(first));

        let backup_is_known = matches!(api_url, Ok(None));
        let public_url = public_url?;
        Ok(Config {
            accounts: accounts?,
            cookies: Cookies::new(public_url.starts_with("https:")),
            public_url,
            logins_table: logins_table?,
            sessions_table: sessions_table?,
            secrets: secrets?,
            component_tokens: component_tokens?,
            connect_redirect: connect_redirect?.unwrap_or(true),
            silent_unionid: silent_unionid?.unwrap_or(false),
            site_verification: site_verification?.unwrap_or_default(),
            session_lifetime: session_lifetime?.unwrap_or(Duration::from_hours(7 * 24)),
            profile_lifetime: profile_lifetime?.unwrap_or(Duration::from_mins(10)),
            wechat_open_url: open_url?.or_else(|| origin("https://open.weixin.qq.com")).ok_or(Wrong)?,
            wechat_api_url: api_url?.or_else(|| origin("https://api.weixin.qq.com")).ok_or(Wrong)?,
            wechat_api_backup_url: backup_url?
                .or_else(|| origin("https://api2.weixin.qq.com").filter(|_| backup_is_known)),
        })
    }

    /// A variable that must be there.
    fn required<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Option<T>,
        shape: &str,
    ) -> Result<T, Wrong> {
        self.optional(name, parse, shape)?.ok_or_else(|| {
            self.problems.push(format!("{name} is missing; it must be {shape}"));
            Wrong
        })
    }

    /// A variable that may be absent or empty.
    fn optional<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Option<T>,
        shape: &str,
    ) -> Result<Option<T>, Wrong> {
        let text = (self.variable)(name).unwrap_or_default();
        if text.is_empty() {
            return Ok(None);
        }
        parse(&text).map(Some).ok_or_else(|| {
            self.problems.push(format!("{name} is wrong; it must be {shape}"));
            Wrong
        })
    }

    fn secrets(&mut self, arn_name: &str, inline_name: &str) -> Result<Option<SecretsSource>, Wrong> {
        let arn = self.optional(arn_name, SecretsSource::arn, "the ARN of a Secrets Manager secret")?;
        let inline =
            self.optional(inline_name, SecretsSource::inline, "a JSON object of secrets by appid")?;
        if arn.is_some() && inline.is_some() {
            self.problems.push(format!("{arn_name} and {inline_name} are both set; only one of them may be"));
            return Err(Wrong);
        }
        Ok(arn.or(inline))
    }

    /// The account that the plain variables describe.
    fn first_account(
        &mut self,
        public_url: &Result<String, Wrong>,
        allowed_origins: Result<Option<Vec<String>>, Wrong>,
        official_account: Result<AppId, Wrong>,
        website: Result<Option<AppId>, Wrong>,
        component: Result<Option<AppId>, Wrong>,
    ) -> Result<Account, Wrong> {
        let own = public_url.clone();
        let targets = own.and_then(|own| Ok(Targets::new(own, allowed_origins?.unwrap_or_default())));
        let default_return_to = match targets.clone() {
            Ok(targets) => self.required("DEFAULT_RETURN_TO", |text| targets.check(text).ok(), TARGET_SHAPE),
            Err(Wrong) => self.required("DEFAULT_RETURN_TO", |_| Some(()), TARGET_SHAPE).and(Err(Wrong)),
        };
        Ok(Account {
            name: None,
            official_account: Some(official_account?),
            website: website?,
            component: component?,
            targets: targets?,
            default_return_to: default_return_to?,
        })
    }

    /// The first account and the named ones.
    fn accounts(&mut self, first: Account) -> Result<Accounts, Wrong> {
        let parse = |text: &str| {
            let named: BTreeMap<String, NamedAccount> = serde_json::from_str(text).ok()?;
            named.into_iter().map(|(name, account)| account.read(name, &first)).collect::<Option<Vec<_>>>()
        };
        let named = self.optional("ACCOUNTS", parse, ACCOUNTS_SHAPE)?.unwrap_or_default();
        let accounts = Accounts { first, named };
        let ids = accounts.iter().flat_map(|account| [&account.official_account, &account.website]).flatten();
        let mut apps: Vec<&str> = ids.map(AppId::as_str).collect();
        let count = apps.len();
        apps.sort_unstable();
        apps.dedup();
        if apps.len() < count {
            self.problems.push("ACCOUNTS is wrong; an appid stands in two places".to_owned());
            return Err(Wrong);
        }
        Ok(accounts)
    }
}

/// An account as `ACCOUNTS` writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedAccount {
    official_account: Option<String>,
    website: Option<String>,
    component: Option<String>,
    allowed_origins: Option<Vec<String>>,
    default_return_to: Option<String>,
}

impl NamedAccount {
    fn read(self, name: String, first: &Account) -> Option<Account> {
        let app = |text: Option<String>| match text {
            Some(text) => AppId::parse(&text).map(Some),
            None => Some(None),
        };
        let (official_account, website) = (app(self.official_account)?, app(self.website)?);
        let targets = match self.allowed_origins {
            Some(origins) => {
                let are_origins = origins.iter().all(|text| origin(text).is_some());
                are_origins.then(|| first.targets.with_origins(origins))?
            }
            None => first.targets.clone(),
        };
        let default_return_to = match self.default_return_to {
            Some(text) => targets.check(&text).ok()?,
            // The first account's, unless it is not this one's to return to.
            None => targets.check(first.default_return_to.as_str()).or_else(|_| targets.check("/")).ok()?,
        };
        let is_right = account::is_name(&name) && (official_account.is_some() || website.is_some());
        let component = app(self.component)?;
        is_right.then_some(Account {
            name: Some(name),
            official_account,
            website,
            component,
            targets,
            default_return_to,
        })
    }
}

const PUBLIC_URL_SHAPE: &str =
    "an https origin without a path, such as https://auth.example.com (http only for localhost)";
const ORIGINS_SHAPE: &str =
    "origins separated by commas, each such as https://www.example.com, without a trailing slash";
const TARGET_SHAPE: &str = "a path, or a URL on one of ALLOWED_ORIGINS, in canonical form";
const TABLE_SHAPE: &str = "the name of a DynamoDB table";
const ACCOUNTS_SHAPE: &str =
    r#"a JSON object of accounts by name, such as {"shop":{"official_account":"wx…","website":"wx…"}}"#;
const APP_ID_SHAPE: &str = "an appid, such as wx0123456789abcdef";
const VERIFICATION_SHAPE: &str =
    "file=content pairs separated by commas, such as MP_verify_0123456789abcdef.txt=0123456789abcdef";
const SERVICE_SHAPE: &str = "an https origin (http only for a loopback address)";

fn is_loopback(url: &Url) -> bool {
    matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
}

/// An origin as a browser writes it: parsing and serialising gives the same text.
fn origin(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_web = matches!(url.scheme(), "https" | "http") && url.origin().is_tuple();
    (is_web && url.origin().ascii_serialization() == text).then_some(url)
}

fn public_origin(text: &str) -> Option<String> {
    let url = origin(text)?;
    (url.scheme() == "https" || url.host_str() == Some("localhost")).then(|| text.to_owned())
}

fn origins(text: &str) -> Option<Vec<String>> {
    text.split(',').map(str::trim).map(|text| origin(text).map(|_| text.to_owned())).collect()
}

fn service_origin(text: &str) -> Option<Url> {
    origin(text).filter(|url| url.scheme() == "https" || is_loopback(url))
}

fn table_name(text: &str) -> Option<String> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte);
    text.bytes().all(is_name).then(|| text.to_owned())
}

fn boolean(text: &str) -> Option<bool> {
    text.parse().ok()
}

fn seconds(text: &str, least: u64) -> Option<Duration> {
    text.parse().ok().filter(|seconds| *seconds >= least).map(Duration::from_secs)
}

fn site_verification(text: &str) -> Option<Vec<SiteVerification>> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    text.split(',')
        .map(|pair| {
            let (file, content) = pair.trim().split_once('=')?;
            let stem = file.strip_suffix(".txt")?;
            let is_right = !stem.is_empty()
                && file.bytes().all(is_plain)
                && !content.is_empty()
                && content.bytes().all(is_plain);
            is_right.then(|| SiteVerification { file: file.to_owned(), content: content.to_owned() })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const RIGHT: [(&str, &str); 6] = [
        ("PUBLIC_URL", "https://auth.example.com"),
        ("ALLOWED_ORIGINS", "https://www.example.com, https://shop.example.com:8443"),
        ("DEFAULT_RETURN_TO", "https://www.example.com/me"),
        ("LOGINS_TABLE", "logins"),
        ("SESSIONS_TABLE", "sessions"),
        ("OFFICIAL_ACCOUNT_APP_ID", "wx0000000000000aaa"),
    ];

    fn read(changes: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let variables: HashMap<&str, &str> = RIGHT.iter().chain(changes).copied().collect();
        Config::from_variables(|name| variables.get(name).map(|value| (*value).to_owned()), false)
    }

    #[test]
    fn pass_with_defaults() {
        let config = read(&[]).unwrap();
        assert_eq!(config.session_lifetime.as_secs(), 604_800);
        assert_eq!(config.profile_lifetime.as_secs(), 600);
        assert_eq!(config.wechat_open_url.as_str(), "https://open.weixin.qq.com/");
        assert_eq!(config.wechat_api_url.as_str(), "https://api.weixin.qq.com/");
        assert_eq!(
            config.wechat_api_backup_url.map(String::from).as_deref(),
            Some("https://api2.weixin.qq.com/")
        );
    }

    #[test]
    fn a_backup_host_is_never_assumed_for_another_api() {
        assert_eq!(read(&[("WECHAT_API_URL", "http://127.0.0.1:9001")]).unwrap().wechat_api_backup_url, None);
    }

    #[test]
    fn fail_naming_every_wrong_variable() {
        let error = read(&[
            ("PUBLIC_URL", "http://auth.example.com"),
            ("ALLOWED_ORIGINS", "https://www.example.com/"),
            ("LOGINS_TABLE", ""),
            ("OFFICIAL_ACCOUNT_APP_ID", "WX1"),
            ("SITE_VERIFICATION", "../secret=1"),
            ("SESSION_LIFETIME_SECONDS", "soon"),
            ("WECHAT_API_URL", "http://api.weixin.qq.com"),
            ("APP_SECRETS", "{"),
        ])
        .unwrap_err()
        .to_string();
        for name in [
            "PUBLIC_URL is wrong",
            "ALLOWED_ORIGINS is wrong",
            "LOGINS_TABLE is missing",
            "OFFICIAL_ACCOUNT_APP_ID is wrong",
            "SITE_VERIFICATION is wrong",
            "SESSION_LIFETIME_SECONDS is wrong",
            "WECHAT_API_URL is wrong",
            "APP_SECRETS is wrong",
        ] {
            assert!(error.contains(name), "{name} in {error}");
        }
    }

    #[test]
    fn fail_on_public_urls_that_are_not_an_https_origin() {
        for url in [
            "https://auth.example.com/",
            "https://auth.example.com:443",
            "https://Auth.example.com",
            "https://u@auth.example.com",
            "auth.example.com",
            "http://127.0.0.1:9000",
        ] {
            assert!(read(&[("PUBLIC_URL", url)]).is_err(), "{url}");
        }
        assert!(read(&[("PUBLIC_URL", "http://localhost:9000"), ("DEFAULT_RETURN_TO", "/")]).is_ok());
    }

    #[test]
    fn fail_on_a_default_target_that_is_not_allowed() {
        let error = read(&[("DEFAULT_RETURN_TO", "https://evil.com/")]).unwrap_err().to_string();
        assert!(error.contains("DEFAULT_RETURN_TO is wrong"), "{error}");
    }

    #[test]
    fn a_named_account_has_apps_and_origins_of_its_own() {
        let shop = r#"{"shop":{"official_account":"wx0000000000000ddd","website":"wx0000000000000eee",
            "allowed_origins":["https://shop.example.com:8443"]},"club":{"website":"wx0000000000000fff"}}"#;
        let config = read(&[("ACCOUNTS", shop), ("WEBSITE_APP_ID", "wx0000000000000bbb")]).unwrap();
        let names: Vec<_> = config.accounts.iter().map(|account| account.name.as_deref()).collect();
        assert_eq!(names, [None, Some("club"), Some("shop")]);
        let account = |app| config.accounts.of(&AppId::parse(app).unwrap()).unwrap();
        assert_eq!(account("wx0000000000000eee").default_return_to.as_str(), "https://auth.example.com/");
        assert_eq!(account("wx0000000000000fff").default_return_to.as_str(), "https://www.example.com/me");
        assert!(account("wx0000000000000eee").targets.check("https://www.example.com/").is_err());
        assert!(config.accounts.trust("https://shop.example.com:8443"));
    }

    #[test]
    fn fail_on_accounts_that_are_not_right() {
        for accounts in [
            "[]",
            r#"{"shop":{}}"#,
            r#"{"Shop":{"website":"wx0000000000000eee"}}"#,
            r#"{"website":{"website":"wx0000000000000eee"}}"#,
            r#"{"shop":{"website":"eee"}}"#,
            r#"{"shop":{"website":"wx0000000000000eee","secret":"x"}}"#,
            r#"{"shop":{"website":"wx0000000000000aaa"}}"#,
            r#"{"shop":{"website":"wx0000000000000eee","allowed_origins":["https://shop.example.com/"]}}"#,
            r#"{"shop":{"website":"wx0000000000000eee","default_return_to":"https://evil.com/"}}"#,
        ] {
            assert!(read(&[("ACCOUNTS", accounts)]).is_err(), "{accounts}");
        }
    }
}
