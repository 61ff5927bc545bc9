//! The doctor: looks at a deployment from its inside and from its outside, and says in plain words what is wrong and
//! what puts it right.
//!
//! It is invoked by whoever deploys, by its name; there is no route to it. It changes nothing: its role reads, and what
//! it asks WeChat spends nothing. The checks run at the same time, each within its own limit, so one that hangs costs
//! nothing of the others. What is found is one of the [`Finding`]s and what it is about; no secret is ever in an answer
//! or in the log.
//!
//! * settings, by the functions' own readers (here);
//! * secrets, global token, WeChat's pages and clock (`apps.rs`);
//! * the OpenID Provider: discovery, keys, a signature of `token`'s, as anybody gets them (`provider.rs`);
//! * domain, certificate, verification files, the origins of the pages (`domain.rs`);
//! * tables (`tables.rs`), and who hears the alarms (`alarms.rs`).
//!
//! An event is `{}` or `{"language":"zh-CN"}`; with `"as":"text"` too, the answer is `{"text":…,"worst":…}`, the page
//! that a person reads at a terminal (`doctor.sh`), else it is
//! `{"version":…,"worst":"ok"|"note"|"wrong","findings":[{"finding":…,"severity":…,"subject":…,"zh-CN":{"saw":…,"remedy":…},"en":{…}}]}`.

mod alarms;
mod apps;
mod domain;
pub mod finding;
mod provider;
mod tables;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use futures_util::future::join_all;
use lambda::Function;
use lambda::invoked::Invoked;
use login::deployment::Deployment;
use openid_connect::Provider;
use secrets::{AppSecrets, ComponentTokens, Secrets, SecretsSource};
use serde_json::{Value, json};
use settings::{Setting, Settings, Wrong};
use site::VerificationFile;
use store::{LOGINS_TABLE, SESSIONS_TABLE, TableName};
use tokio::time::timeout;
use url::Url;
use web::imprint::Imprint;
use web::outcome::Report;
use wechat_api::{Client, Hosts};

pub use domain::site;
use finding::{Finding, Found, Language, Severity};

/// How long one check may take. Lambda gives the doctor a minute.
const LIMIT: Duration = Duration::from_secs(15);

settings::declare! {
    ALARM_EMAIL_TOPIC_ARN, TOPIC, "`arn:aws:sns:…`", ["none", "无"], ["The topic of `AlarmEmail`, whose subscription the doctor looks at", "`AlarmEmail` 的 SNS 主题，doctor 会查看它的订阅"];
    ALARM_TOPIC_ARN, TOPIC, "`arn:aws:sns:…`", ["none", "无"], ["The topic that also receives the alarms, whose subscriptions the doctor looks at", "同样接收告警的 SNS 主题，doctor 会查看它的订阅"];
}

const TOPIC: &str = "the ARN of an SNS topic";

web::outcomes! {
    EXAMINED = Info "examined" ["the doctor looked at everything, and said what it found; `cause` counts it"] ["doctor 检查完毕并给出了结果；`cause` 是各级别的数量"];
}

/// The function.
#[derive(Debug)]
pub struct Doctor {
    parts: Parts,
    aws: SdkConfig,
    clock: fn() -> SystemTime,
}

/// What it is set to, as far as that can be read: what cannot is a finding, and the rest is looked at all the same.
#[derive(Debug)]
struct Parts {
    /// What is wrong with the settings, and for whom.
    problems: BTreeMap<String, Vec<&'static str>>,
    deployment: Option<Deployment>,
    /// `None` where there is no provider too.
    provider: Option<Provider>,
    files: Option<Vec<VerificationFile>>,
    logins_table: Option<TableName>,
    sessions_table: Option<TableName>,
    secrets: Option<SecretsSource<AppSecrets>>,
    component_tokens: Option<SecretsSource<ComponentTokens>>,
    silent_unionid: bool,
    hosts: Option<Hosts>,
    open_url: Option<Url>,
    alarm_topics: Vec<String>,
}

impl Parts {
    fn read(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let mut problems = BTreeMap::new();
        note::<authorize::Authorize>(variable, &mut problems);
        note::<callback::Callback>(variable, &mut problems);
        note::<userinfo::Userinfo>(variable, &mut problems);
        note::<logout::Logout>(variable, &mut problems);
        note::<handoff::Handoff>(variable, &mut problems);
        note::<site::Site>(variable, &mut problems);
        note::<openid::Openid>(variable, &mut problems);
        // Where the keys are, nobody but `token` is told.
        let mut of_token = Settings::new(variable);
        let read = (token::configure_without_keys(&mut of_token), Imprint::read(&mut of_token));
        noted(token::Token::NAME, of_token, read.0.and(read.1), &mut problems);
        let mut own = Settings::new(variable);
        let topics = configure(&mut own);
        let alarm_topics = noted(Doctor::NAME, own, topics, &mut problems).unwrap_or_default();
        // What is wrong of these is wrong for one of the functions, who has said so.
        let settings = &mut Settings::new(variable);
        let deployment = Deployment::read(settings);
        Self {
            provider: Provider::read(settings, &deployment).ok().flatten(),
            deployment: deployment.ok(),
            files: optional(settings, &site::SITE_VERIFICATION, site::verification_files),
            logins_table: optional(settings, &LOGINS_TABLE, TableName::parse),
            sessions_table: optional(settings, &SESSIONS_TABLE, TableName::parse),
            secrets: SecretsSource::of_apps(settings).ok(),
            component_tokens: SecretsSource::of_components(settings).ok().flatten(),
            silent_unionid: optional(settings, &callback::SILENT_UNIONID, settings::boolean).unwrap_or(false),
            hosts: Hosts::read(settings).ok(),
            open_url: authorize::open_url(settings).ok(),
            alarm_topics,
            problems,
        }
    }
}

/// Reads the settings that no other function reads: the topics of the alarms.
///
/// # Errors
///
/// [`Wrong`] if one of them is wrong; each is noted.
pub fn configure(settings: &mut Settings<'_>) -> Result<Vec<String>, Wrong> {
    let topics = [&ALARM_EMAIL_TOPIC_ARN, &ALARM_TOPIC_ARN].map(|setting| settings.optional(setting, topic));
    let topics: Result<Vec<_>, Wrong> = topics.into_iter().collect();
    Ok(topics?.into_iter().flatten().collect())
}

/// Notes what a function finds wrong with its settings.
fn note<F: Function>(
    variable: &dyn Fn(&str) -> Option<String>,
    problems: &mut BTreeMap<String, Vec<&'static str>>,
) {
    let mut settings = Settings::new(variable);
    let read = lambda::configure::<F>(&mut settings);
    noted(F::NAME, settings, read, problems);
}

/// What was read, if all of it is right.
fn noted<T>(
    function: &'static str,
    settings: Settings<'_>,
    read: Result<T, Wrong>,
    problems: &mut BTreeMap<String, Vec<&'static str>>,
) -> Option<T> {
    let error = match settings.checked(read) {
        Ok(read) => return Some(read),
        Err(error) => error,
    };
    for problem in error.problems() {
        problems.entry(problem.clone()).or_default().push(function);
    }
    None
}

fn optional<T>(
    settings: &mut Settings<'_>,
    setting: &'static Setting,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Option<T> {
    settings.optional(setting, parse).ok().flatten()
}

fn topic(text: &str) -> Option<String> {
    (text.starts_with("arn:") && text.contains(":sns:")).then(|| text.to_owned())
}

impl Invoked for Doctor {
    const NAME: &'static str = "doctor";

    async fn start(variable: impl Fn(&str) -> Option<String> + Send, clock: fn() -> SystemTime) -> Self {
        let parts = Parts::read(&variable);
        Self { parts, aws: lambda::aws().await, clock }
    }

    async fn answer(&self, event: &Value) -> (Value, Report) {
        let asked = event.get("language").and_then(Value::as_str);
        let languages: Vec<_> =
            Language::ALL.into_iter().filter(|language| asked == Some(language.tag())).collect();
        let languages = if languages.is_empty() { &Language::ALL[..] } else { &languages };
        let found = self.examine().await;
        let worst = found.iter().map(Found::severity).max().unwrap_or(Severity::Ok);
        let count = |severity| found.iter().filter(|found| found.severity() == severity).count();
        let [ok, note, wrong] = [Severity::Ok, Severity::Note, Severity::Wrong].map(count);
        let answer = if event.get("as").and_then(Value::as_str) == Some("text") {
            json!({ "text": finding::page(&found, languages), "worst": worst.as_str() })
        } else {
            let findings: Vec<_> = found.iter().map(|found| found.to_json(languages)).collect();
            json!({ "version": env!("CARGO_PKG_VERSION"), "worst": worst.as_str(), "findings": findings })
        };
        (answer, EXAMINED.because(format_args!("{ok} ok, {note} note, {wrong} wrong")))
    }
}

/// A check under way, and what it is about if it takes too long.
type Check<'a> = (&'static str, Pin<Box<dyn Future<Output = Vec<Found>> + Send + 'a>>);

impl Doctor {
    /// Looks at everything.
    async fn examine(&self) -> Vec<Found> {
        let parts = &self.parts;
        let secrets = parts.secrets.clone().map(|source| Secrets::of_apps(source, &self.aws));
        let tokens = parts.component_tokens.clone();
        let tokens = tokens.map(|source| Secrets::of_components(source, &self.aws));
        let hosts = parts.hosts.clone();
        let wechat = hosts.and_then(|hosts| Client::new(hosts, lambda::stopwatch::run).ok());
        let apps = parts.deployment.as_ref().map(|deployment| apps::all(&deployment.accounts));
        let apps = apps.unwrap_or_default();
        let origins = parts.deployment.as_ref().map(origins).unwrap_or_default();
        let files = parts.files.clone().unwrap_or_default();
        let now = (self.clock)().into();

        let mut checks: Vec<Check<'_>> = Vec::new();
        if let (Some(secrets), Some(wechat)) = (&secrets, &wechat) {
            let asks = parts.silent_unionid;
            let check = apps::secrets(&apps, wechat, secrets, tokens.as_ref(), asks, now);
            checks.push(("AppSecrets", Box::pin(check)));
        }
        if let (Some(deployment), Some(wechat), Some(open_url)) =
            (&parts.deployment, &wechat, &parts.open_url)
        {
            let check = apps::pages(&apps, wechat, open_url, &deployment.public_url, self.clock);
            checks.push(("WeChat", Box::pin(check)));
        }
        if let Some(deployment) = &parts.deployment {
            let expected = domain::Expected {
                public_url: &deployment.public_url,
                version: env!("CARGO_PKG_VERSION"),
                files: &files,
                origins: &origins,
                clock: self.clock,
            };
            checks.push(("PUBLIC_URL", Box::pin(async move { domain::domain(&expected).await })));
        }
        if let Some(provider) = &parts.provider {
            checks.push(("OpenidConnect", Box::pin(provider::published(provider, now))));
        }
        for (setting, name) in
            [(&LOGINS_TABLE, &parts.logins_table), (&SESSIONS_TABLE, &parts.sessions_table)]
        {
            if let Some(name) = name {
                checks.push((setting.name, Box::pin(tables::table(&self.aws, setting.name, name))));
            }
        }
        checks.push(("AlarmEmail", Box::pin(alarms::subscriptions(&self.aws, &parts.alarm_topics))));

        let bounded = checks.into_iter().map(|(subject, check)| async move {
            timeout(LIMIT, check).await.unwrap_or_else(|_| vec![Finding::OutOfTime.of(subject)])
        });
        let mut found = self.configuration();
        if let (Some(provider), Some(deployment)) = (&parts.provider, &parts.deployment) {
            found.extend(provider::settings(provider, &deployment.accounts, parts.silent_unionid));
        }
        if parts.silent_unionid && parts.deployment.is_some() {
            found.extend(apps::silent_unionid(&apps));
        }
        found.extend(join_all(bounded).await.into_iter().flatten());
        found
    }

    fn configuration(&self) -> Vec<Found> {
        let problems = &self.parts.problems;
        if problems.is_empty() {
            let provider = if self.parts.provider.is_some() { ", openid, token" } else { "" };
            let all = format!("authorize, callback, userinfo, logout, handoff, site{provider}");
            return vec![Finding::ConfigurationRight.of(all)];
        }
        let found = |(problem, functions): (&String, &Vec<&str>)| {
            Finding::ConfigurationWrong.of(functions.join(", ")).with(problem)
        };
        problems.iter().map(found).collect()
    }
}

/// Every origin but the stack's own whose pages use it.
fn origins(deployment: &Deployment) -> Vec<String> {
    let mut origins: Vec<String> = Vec::new();
    for origin in deployment.accounts.iter().flat_map(|account| account.targets.origins()) {
        if origin != deployment.public_url.as_str() && !origins.iter().any(|known| known == origin) {
            origins.push(origin.to_owned());
        }
    }
    origins
}
