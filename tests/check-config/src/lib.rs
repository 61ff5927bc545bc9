//! What a deployment with these parameters would make the functions say of their settings, before anything is deployed.
//!
//! The judge is the functions' own parser: the template says which variables they get, and each function's `configure`
//! reads them as it will in Lambda. What only a deployment knows (the names of tables, the ARN of the secret) is made
//! up. Judged beyond it are the site of the pages, by the whole Public Suffix List, of which the functions know a part,
//! and the template's own limits and rules and Lambda's on an environment, at which CloudFormation would end the
//! deployment after all has been built.

use std::collections::{BTreeMap, BTreeSet};

use doctor::Doctor;
use lambda::invoked::Invoked as _;
use regex_lite::Regex;
use serde_json::{Value, json};
use settings::{Settings, Wrong, words::in_chinese};
use template::Template;

/// What Lambda takes of a function's environment, in
/// [bytes](https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
const MOST_OF_AN_ENVIRONMENT: usize = 4096;

/// Something that is wrong.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Problem {
    /// The parameter to change.
    pub parameter: String,
    /// What is wrong with it, in the words of the functions, in English and in Chinese; a value that is wrong is not
    /// repeated.
    pub text: [String; 2],
}

/// Everything that is wrong with the parameters of a deployment of `template`; the ones that are not given have their
/// defaults.
#[must_use]
pub fn problems(template: &Template, parameters: &BTreeMap<String, String>) -> Vec<Problem> {
    let deployed = parameters
        .iter()
        .fold(template.clone(), |template, (name, value)| template.with(name, value.clone()));
    let mut found: BTreeSet<_> = beyond_limits(template, parameters).collect();
    // What is said of a parameter first is enough.
    let add = |found: &mut BTreeSet<Problem>, problems: Vec<Problem>| {
        let is_new = |problem: &Problem| found.iter().all(|known| known.parameter != problem.parameter);
        let new: Vec<_> = problems.into_iter().filter(is_new).collect();
        found.extend(new);
    };
    let mut all = BTreeMap::new();
    let (mut of_functions, mut environments) = (Vec::new(), Vec::new());
    for function in deployed.functions().into_iter().filter(|function| deployed.makes(&function.logical_id)) {
        let environment: BTreeMap<_, _> =
            function.environment.into_iter().map(|(name, value)| made_up(name, value)).collect();
        of_functions.extend(
            judge(&function.binary, &environment)
                .iter()
                .map(|text| in_parameters(template, parameters, &environment, text)),
        );
        all.extend(environment.clone());
        environments.push((function.binary, environment));
    }
    add(&mut found, of_functions);
    add(&mut found, too_long(template, &environments).into_iter().collect());
    if let Some(ForeignPage { variable, origin, public_url }) = foreign_page(&all) {
        let parameter = template.parameter_of(variable).unwrap_or_else(|| variable.to_owned());
        let text = format!(
            "{parameter} is wrong; {origin} is of another site than {public_url}, so browsers send no cookie from there"
        );
        add(&mut found, vec![problem(&parameter, text)]);
    }
    // Most of them the functions have as well.
    let rules = deployed.broken_rules().into_iter();
    let rules = rules.filter(|text| found.iter().all(|known| !text.contains(&known.parameter)));
    let of_rules: Vec<_> = rules
        .filter_map(|text| {
            let named = template.parameters().filter_map(|(name, _)| Some((text.find(&**name)?, name)));
            Some(problem(named.min()?.1, text.to_owned()))
        })
        .collect();
    found.extend(of_rules);
    found.into_iter().collect()
}

/// Everything that the functions of `template` say of these variables, each once, in English and in Chinese.
#[must_use]
pub fn wrong(template: &Template, variables: &BTreeMap<String, String>) -> Vec<[String; 2]> {
    let of_functions =
        template.functions().into_iter().flat_map(|function| judge(&function.binary, variables));
    let said: BTreeSet<_> = of_functions.collect();
    said.into_iter()
        .map(|english| {
            let chinese = in_chinese(&english);
            [english, chinese]
        })
        .collect()
}

/// What a function says of its environment.
fn judge(function: &str, environment: &BTreeMap<String, String>) -> Vec<String> {
    match function {
        "authorize" => check(environment, lambda::configure::<authorize::Authorize>),
        "callback" => check(environment, lambda::configure::<callback::Callback>),
        Doctor::NAME => check(environment, doctor::configure),
        "handoff" => check(environment, lambda::configure::<handoff::Handoff>),
        "logout" => check(environment, lambda::configure::<logout::Logout>),
        "openid" => check(environment, lambda::configure::<openid::Openid>),
        "site" => check(environment, lambda::configure::<site::Site>),
        "token" => check(environment, lambda::configure::<token::Token>),
        "userinfo" => check(environment, lambda::configure::<userinfo::Userinfo>),
        // A function with settings of its own that is not named above would be judged by nobody.
        other => vec![format!("{other} is not known to check-config")],
    }
}

fn problem(parameter: &str, text: String) -> Problem {
    let chinese = in_chinese(&text);
    Problem { parameter: parameter.to_owned(), text: [text, chinese] }
}

/// What CloudFormation would not take of single values; and what is not given of those that the functions read.
fn beyond_limits(
    template: &Template,
    parameters: &BTreeMap<String, String>,
) -> impl Iterator<Item = Problem> {
    let variables = template.functions().into_iter().flat_map(|function| function.environment.into_keys());
    let read: BTreeSet<_> = variables.filter_map(|variable| template.parameter_of(&variable)).collect();
    template.parameters().filter_map(move |(name, declared)| {
        let wrong = match parameters.get(name) {
            Some(value) => format!("{name} is wrong{}", refusal(declared, value)?),
            None if declared.get("Default").is_none() && read.contains(name) => {
                format!("{name} is missing: {}", words(declared))
            }
            None => return None,
        };
        Some(problem(name, wrong))
    })
}

/// What the template says of a value that it does not take.
fn words(declared: &Value) -> &str {
    declared["ConstraintDescription"].as_str().unwrap_or_default()
}

/// What a value must be, if it is not.
fn refusal(declared: &Value, value: &str) -> Option<String> {
    if let Some(allowed) = declared["AllowedValues"].as_array() {
        let text = |allowed: &Value| allowed.as_str().map_or_else(|| allowed.to_string(), str::to_owned);
        let allowed: Vec<_> = allowed.iter().map(text).collect();
        let is_one = allowed.iter().any(|one| one == value);
        return (!is_one).then(|| format!("; it must be one of {}", allowed.join(", ")));
    }
    let [least, most, longest] = ["MinValue", "MaxValue", "MaxLength"].map(|limit| declared[limit].as_u64());
    if let (Some(least), Some(most)) = (least, most) {
        let is_between = value.parse().is_ok_and(|number| (least..=most).contains(&number));
        return (!is_between).then(|| format!("; it must be a number from {least} to {most}"));
    }
    let length = u64::try_from(value.chars().count()).unwrap_or(u64::MAX);
    if let Some(longest) = longest.filter(|longest| length > *longest) {
        return Some(format!("; it must be at most {longest} characters"));
    }
    // A pattern that cannot be read judges nothing here; CloudFormation reads it.
    let pattern = declared["AllowedPattern"].as_str().and_then(|pattern| Regex::new(pattern).ok())?;
    (!pattern.is_match(value)).then(|| format!(": {}", words(declared)))
}

/// What one function says of its environment, a line each.
fn check<T>(
    environment: &BTreeMap<String, String>,
    configure: impl FnOnce(&mut Settings<'_>) -> Result<T, Wrong>,
) -> Vec<String> {
    let variable = |name: &str| environment.get(name).cloned();
    let mut settings = Settings::new(&variable);
    let read = configure(&mut settings);
    match settings.checked(read) {
        Ok(_) => Vec::new(),
        Err(error) => error.problems().to_vec(),
    }
}

/// The parameter to shorten if Lambda would not take a function's environment, which ends the deployment: the longest
/// one of the function that has most. Lambda measures the variables as JSON, in which each quotation mark of a value is
/// two bytes.
fn too_long(template: &Template, environments: &[(String, BTreeMap<String, String>)]) -> Option<Problem> {
    let measured =
        environments.iter().map(|(function, variables)| (measure(&json!(variables)), function, variables));
    let (size, function, variables) = measured.max_by_key(|(size, ..)| *size)?;
    if size <= MOST_OF_AN_ENVIRONMENT {
        return None;
    }
    let of_parameters = variables.iter().filter_map(|(name, value)| {
        let parameter = template.parameter_of(name)?;
        Some((measure(&json!(value)), parameter))
    });
    let (_, parameter) = of_parameters.max()?;
    let text = [
        format!(
            "{parameter} is too long: the environment of {function} would be {size} bytes, \
             and Lambda takes {MOST_OF_AN_ENVIRONMENT}"
        ),
        format!(
            "{parameter} 太长：函数 {function} 的环境变量共 {size} 字节，而 Lambda 最多接受 {MOST_OF_AN_ENVIRONMENT} 字节"
        ),
    ];
    Some(Problem { parameter, text })
}

/// How many bytes something is as JSON.
fn measure(value: &Value) -> usize {
    value.to_string().len()
}

/// A variable that only a deployment fills, with a value of the right shape, and as long as they come.
fn made_up(name: String, value: Option<String>) -> (String, String) {
    let value = value.unwrap_or_else(|| match &*name {
        _ if name.ends_with("_TOPIC_ARN") => {
            "arn:aws-cn:sns:cn-northwest-1:123456789012:wechat-login-of-a-shop-AlarmTopic-AbCdEfGhIjKl"
                .to_owned()
        }
        _ if name.ends_with("_ARN") => {
            "arn:aws-cn:secretsmanager:cn-northwest-1:123456789012:secret:AppSecrets-AbCdEfGhIjKl-AbCdEf"
                .to_owned()
        }
        "SIGNING_KEYS" => {
            "arn:aws-cn:kms:cn-northwest-1:123456789012:key/1b2c3d4e-0000-4000-8000-000000000000".to_owned()
        }
        // Tables differ from one another, and so do the variables that name them.
        _ => format!("wechat-login-of-a-shop-{name}-AbCdEfGhIjKl"),
    });
    (name, value)
}

/// What a function says, in terms of the template's parameters.
fn in_parameters(
    template: &Template,
    parameters: &BTreeMap<String, String>,
    environment: &BTreeMap<String, String>,
    text: &str,
) -> Problem {
    let mut variables: Vec<_> = environment.keys().filter(|name| text.contains(&***name)).collect();
    // The first one that is named is what is wrong; of two that begin alike, the longer one is meant.
    variables.sort_by_key(|name| (text.find(&***name), std::cmp::Reverse(name.len())));
    let mut text = [text.to_owned(), in_chinese(text)];
    let mut first = None;
    for variable in variables {
        if let Some(mut parameter) = template.parameter_of(variable) {
            // Nobody made a mistake in accounts that were not given: the two appids are the same.
            let is_not_given = || parameters.get("Accounts").is_none_or(String::is_empty);
            if parameter == "Accounts" && first.is_none() && is_not_given() {
                "WebsiteAppId".clone_into(&mut parameter);
            }
            text = text.map(|text| text.replace(&**variable, &parameter));
            first.get_or_insert(parameter);
        }
    }
    Problem { parameter: first.unwrap_or_else(|| "?".to_owned()), text }
}

/// A page that no browser sends the cookies of this login from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ForeignPage {
    /// The variable that names it.
    pub variable: &'static str,
    /// Its origin.
    pub origin: String,
    /// Where the login is.
    pub public_url: String,
}

/// The first page, of any account, that is of another site than the login by the Public Suffix List, of which the
/// functions know only a part. What is no origin at all, and accounts that cannot be read, the functions judge.
#[must_use]
pub fn foreign_page(variables: &BTreeMap<String, String>) -> Option<ForeignPage> {
    let text = |name| variables.get(name).map(String::as_str).unwrap_or_default();
    let public_url = text("PUBLIC_URL");
    let own = doctor::site(public_url)?;
    let of_the_first = text("ALLOWED_ORIGINS").split(',').map(|origin| origin.trim().to_owned());
    let accounts: Value = serde_json::from_str(text("ACCOUNTS")).unwrap_or_default();
    let accounts = accounts.as_object().into_iter().flat_map(serde_json::Map::values);
    let of_others = accounts
        .filter_map(|account| account["allowed_origins"].as_array())
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned);
    let origins = of_the_first.map(|origin| ("ALLOWED_ORIGINS", origin));
    let mut origins = origins.chain(of_others.map(|origin| ("ACCOUNTS", origin)));
    let (variable, origin) =
        origins.find(|(_, origin)| doctor::site(origin).is_some_and(|site| site != own))?;
    Some(ForeignPage { variable, origin, public_url: public_url.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with a deployment of the project's template.
    fn judged(changes: &[(&str, &str)]) -> Vec<Problem> {
        let mut parameters = BTreeMap::from(
            [
                ("DomainName", "auth.example.com"),
                ("OfficialAccountAppId", "wx0123456789abcdef"),
                ("WebsiteAppId", "wxfedcba9876543210"),
                ("AllowedOrigins", "https://www.example.com"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        parameters.extend(changes.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())));
        let template = Template::of_the_project().unwrap();
        problems(&template, &parameters)
    }

    fn named(changes: &[(&str, &str)]) -> Vec<String> {
        judged(changes).into_iter().map(|problem| problem.parameter).collect()
    }

    #[test]
    fn a_good_configuration_passes() {
        assert_eq!(named(&[]), Vec::<String>::new());
        assert_eq!(named(&[("WebsiteAppId", "")]), Vec::<String>::new());
        assert_eq!(named(&[("SiteVerification", "MP_verify_a1.txt=a1")]), Vec::<String>::new());
    }

    #[test]
    fn variables_are_judged_by_every_function_that_reads_them_and_each_fault_is_told_once() {
        let template = Template::of_the_project().unwrap();
        let right = [
            ("PUBLIC_URL", "http://localhost:9000"),
            ("DEFAULT_RETURN_TO", "/"),
            ("OFFICIAL_ACCOUNT_APP_ID", "wx0123456789abcdef"),
            ("LOGINS_TABLE", "logins"),
            ("SESSIONS_TABLE", "sessions"),
            ("APP_SECRETS", r#"{"wx0123456789abcdef":"canary"}"#),
        ];
        let told = |changes: &[(&str, &str)]| {
            let variables = right.iter().chain(changes);
            let variables = variables.map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
            wrong(&template, &variables)
        };
        assert_eq!(told(&[]), Vec::<[String; 2]>::new());
        for (name, value) in [
            ("ALLOWED_ORIGINS", "localhost:9410"),
            ("ALLOWED_ORIGINS", "http://localhost:9410/"),
            ("SESSION_LIFETIME_SECONDS", "abc"),
            ("OPENID_CONNECT", "{"),
            // Nobody but the doctor reads it.
            ("ALARM_TOPIC_ARN", "canary"),
        ] {
            let [[english, chinese]] = told(&[(name, value)]).try_into().unwrap();
            assert!(english.contains(name) && has_english(&english), "{name}={value}: {english}");
            assert!(chinese.contains(name) && !has_english(&chinese), "{name}={value}: {chinese}");
        }
    }

    #[test]
    fn what_the_template_takes_and_the_functions_refuse_is_named_by_its_parameter() {
        for (name, value) in [
            ("DefaultReturnTo", "https://www.example.org/me"),
            ("AllowedOrigins", "https://www.example.com:443"),
            ("AllowedOrigins", "https://-"),
            ("AllowedOrigins", "https://www.example.org"),
            ("Accounts", r#"{"shop":{}}"#),
            // Appids that stand elsewhere already: in a parameter, in another account, in the same one.
            ("Accounts", r#"{"shop":{"website":"wxfedcba9876543210"}}"#),
            (
                "Accounts",
                r#"{"shop":{"website":"wx3333333333333333"},"club":{"website":"wx3333333333333333"}}"#,
            ),
            (
                "Accounts",
                r#"{"shop":{"website":"wx3333333333333333","official_account":"wx3333333333333333"}}"#,
            ),
            ("WebsiteAppId", "wx0123456789abcdef"),
            ("AlarmTopicArn", "nonsense"),
        ] {
            let found = named(&[(name, value)]);
            assert!(found.iter().any(|parameter| parameter == name), "{name}={value}: {found:?}");
            assert!(!found.contains(&"?".to_owned()), "{name}={value}: {found:?}");
        }
    }

    #[test]
    fn a_platform_is_judged_with_its_token_and_beside_the_apps() {
        const TOKENS: (&str, &str) =
            ("ComponentTokensArn", "arn:aws:secretsmanager:us-east-1:123456789012:secret:tokens-AbCdEf");
        let platform = ("ComponentAppId", "wx3333333333333333");
        let shop = |component: &str| {
            format!(r#"{{"shop":{{"official_account":"wx4444444444444444","component":"{component}"}}}}"#)
        };
        assert_eq!(named(&[platform, TOKENS]), Vec::<String>::new());
        assert_eq!(named(&[platform]), ["ComponentTokensArn"]);
        assert_eq!(named(&[("Accounts", &shop(platform.1))]), ["ComponentTokensArn"]);
        assert_eq!(named(&[platform, TOKENS, ("Accounts", &shop(platform.1))]), Vec::<String>::new());
        for app in ["wx0123456789abcdef", "wxfedcba9876543210"] {
            assert_eq!(named(&[("ComponentAppId", app), TOKENS]), ["ComponentAppId"], "{app}");
            assert_eq!(named(&[("Accounts", &shop(app)), TOKENS]), ["Accounts"], "{app}");
        }
    }

    /// CloudFormation would refuse it, and a deployment by then has built everything.
    #[test]
    fn what_the_template_refuses_is_named_before_anything_is_built() {
        for (name, value, right) in [
            ("LoginsPerSecond", "77", "200"),
            ("FixedAddress", "maybe", "true"),
            ("LogRetentionDays", "4", "5"),
            ("SessionLifetimeSeconds", "2592001", "2592000"),
            ("SessionLifetimeSeconds", "a week", "60"),
            ("ConsentPurpose", &"x".repeat(721), "x"),
            ("EgressAllocationId", "eipalloc-0123456789abcdef0", ""),
            ("AlarmEmail", "nobody", "ops@example.com"),
            ("AppSecretsArn", "secret", ""),
        ] {
            assert_eq!(named(&[(name, value)]), [name], "{value}");
            assert_eq!(named(&[(name, right)]), Vec::<String>::new(), "{right}");
        }
        let address = [("EgressAllocationId", "eipalloc-0123456789abcdef0"), ("FixedAddress", "true")];
        assert_eq!(named(&address), Vec::<String>::new());
    }

    /// At Lambda the deployment would end, with everything made that comes before the function.
    #[test]
    fn what_is_more_than_lambda_takes_is_named_before_anything_is_built() {
        let pages = |count: usize| {
            let pages = (0..count).map(|page| format!("https://page-{page:03}.example.com"));
            pages.collect::<Vec<_>>().join(",")
        };
        assert_eq!(named(&[("AllowedOrigins", &pages(90))]), Vec::<String>::new());
        let [too_long] = judged(&[("AllowedOrigins", &pages(125))]).try_into().unwrap();
        assert_eq!(too_long.parameter, "AllowedOrigins");
        assert!(too_long.text[0].contains("the environment of doctor would be "), "{:?}", too_long.text);
        // Together they are too much, and the longest is named.
        let accounts = |count: usize| {
            let account = |place| {
                format!(
                    r#""account-{place:02}":{{"website":"wx00000000000000{place:02}","allowed_origins":["https://www.example.com"]}}"#
                )
            };
            format!("{{{}}}", (0..count).map(account).collect::<Vec<_>>().join(","))
        };
        assert_eq!(
            named(&[("Accounts", &accounts(20)), ("AllowedOrigins", &pages(10))]),
            Vec::<String>::new()
        );
        assert_eq!(named(&[("Accounts", &accounts(20)), ("AllowedOrigins", &pages(60))]), ["Accounts"]);
    }

    #[test]
    fn an_environment_is_measured_as_lambda_measures_it() {
        let template = Template::of_the_project().unwrap();
        let told = |count| {
            let variables = BTreeMap::from([("ACCOUNTS".to_owned(), "\"".repeat(count))]);
            too_long(&template, &[("site".to_owned(), variables)]).map(|problem| problem.parameter)
        };
        // {"ACCOUNTS":""} and two bytes for each.
        assert_eq!(told((MOST_OF_AN_ENVIRONMENT - 15) / 2), None);
        assert_eq!(told((MOST_OF_AN_ENVIRONMENT - 15) / 2 + 1).as_deref(), Some("Accounts"));
    }

    #[test]
    fn one_mistake_is_named_once() {
        let nothing = problems(&Template::of_the_project().unwrap(), &BTreeMap::new());
        let parameters: Vec<_> = nothing.iter().map(|problem| &*problem.parameter).collect();
        assert_eq!(parameters, ["AllowedOrigins", "DomainName", "OfficialAccountAppId"]);
        for Problem { text: [english, chinese], .. } in &nothing {
            assert!(english.contains("missing") && !has_english(chinese), "{english}: {chinese}");
        }
        assert_eq!(named(&[("DomainName", "")]), ["DomainName"]);
        assert_eq!(named(&[("SilentUnionid", "yes")]), ["SilentUnionid"]);
    }

    const API: &str =
        r#"{"subject":"unionid","apis":{"https://api.example.com":{"origins":["https://www.example.com"]}}}"#;
    const KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/1b2c3d4e-0000-4000-8000-000000000000";
    const NO_CLIENT: &str = r#"{"subject":"unionid"}"#;

    /// Each sentence about the JSON, at least once.
    const EVERY_FAULT: &str = r#"{"clients":{
        "a:b":{"redirect_uris":[]},
        "web":{"account":"x","secrets":["x","sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],"origins":["x"],"profile":"x",
            "redirect_uris":["x","https://auth.example.com/callback","https://app.example.org/cb","https://app.example.org/cb"]}},
      "apis":{
        "api#a":{"clients":["x"],"origins":["https://x.example.com"],"typ":"x","scopes":["openid"],"claims":["x"],"lifetime":1},
        "https://login.example.com":{}}}"#;

    /// Whether a text has English in it: two words of it in a row.
    fn has_english(text: &str) -> bool {
        let is_word = |word: &str| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_lowercase());
        let words: Vec<_> = text.split(' ').collect();
        words.windows(2).any(|pair| pair.iter().all(|word| is_word(word)))
    }

    #[test]
    fn every_problem_is_told_in_chinese_too() {
        let foreign =
            r#"{"shop":{"website":"wx3333333333333333","allowed_origins":["https://www.example.org"]}}"#;
        for changes in [
            &[("OfficialAccountAppId", ""), ("WebsiteAppId", "")][..],
            &[("OfficialAccountAppId", ""), ("ComponentAppId", "wx3333333333333333")],
            &[("ComponentAppId", "wx3333333333333333")],
            &[("ComponentAppId", "wx0123456789abcdef")],
            &[("WebsiteAppId", "wx0123456789abcdef")],
            &[("AllowedOrigins", "https://www.example.org")],
            &[("Accounts", foreign)],
            &[("EgressAllocationId", "eipalloc-0123456789abcdef0")],
            &[("LoginsPerSecond", "77")],
            &[("SessionLifetimeSeconds", "1")],
            &[("ConsentPurpose", &"x".repeat(721))],
            &[("PrivacyUrl", &format!("https://www.example.com/{}", "x".repeat(4096)))],
            &[("OpenidConnect", NO_CLIENT)],
            &[("OpenidConnect", API), ("SigningKeys", &[KEY, KEY].join(","))],
            &[("OpenidConnect", &EVERY_FAULT.replace('\n', ""))],
            &[("OpenidConnect", r#"{"subject":1}"#)],
            &[("OpenidConnect", r#"{"subject":"openid","client":{}}"#)],
            &[("OpenidConnect", r#"{"subject":"openid","subject":"openid"}"#)],
            &[(
                "OpenidConnect",
                r#"{"subject":"openid","clients":{"a":{"redirect_uris":[]},"a":{"redirect_uris":[]}}}"#,
            )],
        ] {
            let found = judged(changes);
            assert!(!found.is_empty(), "{changes:?}");
            for Problem { text: [english, chinese], .. } in found {
                assert!(has_english(&english) && !has_english(&chinese), "{english}: {chinese}");
            }
        }
        for (name, declared) in Template::of_the_project().unwrap().parameters() {
            let Some(pattern) = declared["AllowedPattern"].as_str() else { continue };
            assert!(
                pattern.starts_with('^') && pattern.ends_with('$') && Regex::new(pattern).is_ok(),
                "{name}"
            );
            let chinese = in_chinese(&format!("{name} is wrong{}", refusal(declared, "\u{1}").unwrap()));
            assert!(!has_english(&chinese), "{chinese}");
        }
        for (setting, _) in reference::settings() {
            let english = format!("{} is wrong; it must be {}", setting.name, setting.shape);
            let chinese = in_chinese(&english);
            assert!(!has_english(&chinese) && chinese.contains("应为"), "{english}: {chinese}");
        }
    }

    #[test]
    fn a_provider_is_judged_by_its_parameter() {
        let right = r#"{"subject":"unionid","clients":{"web":{"redirect_uris":["https://app.example.org/callback"]}},"apis":{"https://api.example.com":{"clients":["web"],"origins":["https://www.example.com"]}}}"#;
        assert_eq!(judged(&[("OpenidConnect", right)]), Vec::new());
        assert_eq!(judged(&[("OpenidConnect", right), ("SigningKeys", KEY)]), Vec::new());
        assert_eq!(
            named(&[("OpenidConnect", right), ("SigningKeys", &[KEY, KEY].join(","))]),
            ["SigningKeys"]
        );
        for wrong in [
            "{}",
            "{canary}",
            r#"{"subject":"unionid"}"#,
            &right.replace(r#""subject":"unionid","#, ""),
            &right.replace("https://www.example.com", "https://www.example.org"),
            &right.replace(r#"["web"]"#, r#"["canary"]"#),
            // The text of this one names another setting.
            &right.replace(r#""web":{"#, r#""web":{"account":"canary","#),
        ] {
            let parameters = BTreeMap::from(
                [
                    ("DomainName", "auth.example.com"),
                    ("OfficialAccountAppId", "wx0123456789abcdef"),
                    ("AllowedOrigins", "https://www.example.com"),
                    ("OpenidConnect", wrong),
                ]
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
            );
            let found = problems(&Template::of_the_project().unwrap(), &parameters);
            assert!(!found.is_empty(), "{wrong}");
            for Problem { parameter, text: [text, _] } in found {
                assert_eq!(parameter, "OpenidConnect", "{wrong}: {text}");
                assert!(text.starts_with("OpenidConnect is wrong; "), "{text}");
                assert!(!text.contains("canary") && !text.contains("WebsiteAppId"), "{text}");
            }
        }
    }

    /// A suffix that the functions do not know.
    #[test]
    fn a_page_of_another_site_by_the_whole_list_is_named() {
        let domain = ("DomainName", "auth.example.gd.cn");
        assert_eq!(named(&[domain, ("AllowedOrigins", "https://www.example.gd.cn")]), Vec::<String>::new());
        assert_eq!(named(&[domain, ("AllowedOrigins", "https://www.other.gd.cn")]), ["AllowedOrigins"]);
        // The pages of every other account are judged alike.
        let accounts = |origin: &str| {
            let accounts = format!(
                r#"{{"club":{{"website":"wx0000000000000fff"}},"shop":{{"website":"wx0000000000000eee","allowed_origins":["{origin}"]}}}}"#
            );
            named(&[
                ("DomainName", "auth.example.co.uk"),
                ("AllowedOrigins", "https://www.example.co.uk"),
                ("Accounts", &accounts),
            ])
        };
        assert_eq!(accounts("https://shop.example.co.uk"), Vec::<String>::new());
        assert_eq!(accounts("https://shop.other.co.uk"), ["Accounts"]);
    }

    #[test]
    fn a_page_of_another_site_is_named() {
        let foreign = |public_url: &str, origin: &str| {
            let accounts = format!(r#"{{"shop":{{"allowed_origins":["{origin}"]}}}}"#);
            let [of_the_first, of_another] =
                [("ALLOWED_ORIGINS", origin), ("ACCOUNTS", &*accounts)].map(|variable| {
                    let variables = [("PUBLIC_URL", public_url), variable];
                    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
                    foreign_page(&BTreeMap::from(variables)).map(|page| page.variable)
                });
            assert_eq!(of_the_first.is_some(), of_another.is_some(), "{origin}");
            assert!(of_another.is_none_or(|variable| variable == "ACCOUNTS"));
            of_the_first.is_some()
        };
        assert!(!foreign("http://localhost:9000", "http://localhost:9300"));
        assert!(!foreign("https://auth.example.co.uk", "https://www.example.co.uk:8443"));
        for (public_url, origin) in [
            ("https://auth.example.co.uk", "https://www.other.co.uk"),
            ("https://one.trycloudflare.com", "https://other.trycloudflare.com"),
            ("http://localhost:9000", "https://localhost:9300"),
            ("http://localhost:9000", "http://127.0.0.1:9300"),
        ] {
            assert!(foreign(public_url, origin), "{public_url} {origin}");
        }
    }
}
