//! What a deployment with these parameters would make the functions say of their settings, before anything is deployed.
//!
//! The judge is the functions' own parser: the template says which variables they get, and each function's `configure`
//! reads them as it will in Lambda. What only a deployment knows (the names of tables, the ARN of the secret) is made
//! up. The one thing that is judged here beyond it is the site of the pages, by the whole Public Suffix List, of which
//! the functions know a part.

use std::collections::{BTreeMap, BTreeSet};

use lambda::Function;
use settings::Settings;
use template::Template;

/// Something that is wrong.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Problem {
    /// The parameter to change.
    pub parameter: String,
    /// What is wrong with it, in the words of the functions; a value that is wrong is not repeated.
    pub text: String,
}

/// Everything that is wrong with the parameters of a deployment of `template`; the ones that are not given have their
/// defaults.
#[must_use]
pub fn problems(template: &Template, parameters: &BTreeMap<String, String>) -> Vec<Problem> {
    let deployed = parameters
        .iter()
        .fold(template.clone(), |template, (name, value)| template.with(name, value.clone()));
    let mut found = BTreeSet::new();
    let mut public_url = None;
    for function in deployed.functions() {
        let environment: BTreeMap<_, _> =
            function.environment.into_iter().map(|(name, value)| made_up(name, value)).collect();
        public_url = public_url.or_else(|| environment.get("PUBLIC_URL").cloned());
        let of_function = match &*function.binary {
            "authorize" => check::<authorize::Authorize>(&environment),
            "callback" => check::<callback::Callback>(&environment),
            "logout" => check::<logout::Logout>(&environment),
            "openid" => check::<openid::Openid>(&environment),
            "site" => check::<site::Site>(&environment),
            "token" => check::<token::Token>(&environment),
            "userinfo" => check::<userinfo::Userinfo>(&environment),
            // It judges what the others are set to, and what is its own the template makes.
            "doctor" => Vec::new(),
            // A function with settings of its own that is not named above would be judged by nobody.
            other => vec![format!("{other} is not known to check-config")],
        };
        found.extend(of_function.iter().map(|text| in_parameters(template, parameters, &environment, text)));
    }
    let origins: Vec<_> = parameters
        .get("AllowedOrigins")
        .into_iter()
        .flat_map(|text| text.split(','))
        .map(str::to_owned)
        .collect();
    if let Some(foreign) = public_url.as_deref().and_then(|url| foreign_page(url, &origins))
        && !found.iter().any(|problem| problem.parameter == "AllowedOrigins")
    {
        let url = public_url.as_deref().unwrap_or_default();
        let text = format!(
            "AllowedOrigins is wrong; {foreign} is of another site than {url}, so browsers send no cookie from there"
        );
        found.insert(Problem { parameter: "AllowedOrigins".to_owned(), text });
    }
    found.into_iter().collect()
}

/// What one function says of its environment, a line each.
fn check<F: Function>(environment: &BTreeMap<String, String>) -> Vec<String> {
    let variable = |name: &str| environment.get(name).cloned();
    let mut settings = Settings::new(&variable);
    let read = lambda::configure::<F>(&mut settings).map(drop);
    match settings.checked(read) {
        Ok(()) => Vec::new(),
        Err(error) => error.problems().to_vec(),
    }
}

/// A variable that only a deployment fills, with a value of the right shape.
fn made_up(name: String, value: Option<String>) -> (String, String) {
    let value = value.unwrap_or_else(|| match &*name {
        _ if name.ends_with("_ARN") => {
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:made-up-AbCdEf".to_owned()
        }
        "SIGNING_KEYS" => "arn:aws:kms:us-east-1:123456789012:key/made-up".to_owned(),
        // Tables differ from one another, and so do the variables that name them.
        _ => name.clone(),
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
    let mut text = text.to_owned();
    let mut first = None;
    for variable in variables {
        if let Some(mut parameter) = template.parameter_of(variable) {
            // Nobody made a mistake in accounts that were not given: the two appids are the same.
            if parameter == "Accounts" && parameters.get("Accounts").is_none_or(String::is_empty) {
                "WebsiteAppId".clone_into(&mut parameter);
            }
            text = text.replace(&**variable, &parameter);
            first.get_or_insert(parameter);
        }
    }
    Problem { parameter: first.unwrap_or_else(|| "?".to_owned()), text }
}

/// A page that no browser sends the cookies of this login from: it is of another site by the Public Suffix List, of which
/// the functions know only a part.
#[must_use]
pub fn foreign_page<'a>(public_url: &str, origins: &'a [String]) -> Option<&'a str> {
    let site = |url: &str| {
        let (scheme, rest) = url.split_once("://")?;
        let host = rest.split([':', '/']).next().unwrap_or(rest);
        let site = psl::domain_str(host).filter(|_| host.contains('.')).unwrap_or(host);
        Some((scheme.to_owned(), site.to_owned()))
    };
    // What is no origin at all, the functions judge.
    let is_foreign = |origin: &&str| site(origin).is_some() && site(origin) != site(public_url);
    origins.iter().map(String::as_str).find(is_foreign)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with a deployment of the project's template.
    fn judged(changes: &[(&str, &str)]) -> Vec<String> {
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
        problems(&template, &parameters).into_iter().map(|problem| problem.parameter).collect()
    }

    #[test]
    fn a_good_configuration_passes() {
        assert_eq!(judged(&[]), Vec::<String>::new());
        assert_eq!(judged(&[("WebsiteAppId", "")]), Vec::<String>::new());
        assert_eq!(judged(&[("SiteVerification", "MP_verify_a1.txt=a1")]), Vec::<String>::new());
    }

    #[test]
    fn what_the_template_takes_and_the_functions_refuse_is_named_by_its_parameter() {
        for (name, value) in [
            ("DefaultReturnTo", "https://www.example.org/me"),
            ("AllowedOrigins", "https://www.example.com:443"),
            ("AllowedOrigins", "https://-"),
            ("AllowedOrigins", "https://www.example.org"),
            ("Accounts", r#"{"shop":{}}"#),
            ("WebsiteAppId", "wx0123456789abcdef"),
        ] {
            let found = judged(&[(name, value)]);
            assert!(found.iter().any(|parameter| parameter == name), "{name}={value}: {found:?}");
            assert!(!found.contains(&"?".to_owned()), "{name}={value}: {found:?}");
        }
    }

    /// A suffix that the functions do not know.
    #[test]
    fn a_page_of_another_site_by_the_whole_list_is_named() {
        let domain = ("DomainName", "auth.example.gd.cn");
        assert_eq!(judged(&[domain, ("AllowedOrigins", "https://www.example.gd.cn")]), Vec::<String>::new());
        assert_eq!(judged(&[domain, ("AllowedOrigins", "https://www.other.gd.cn")]), ["AllowedOrigins"]);
    }

    #[test]
    fn a_page_of_another_site_is_named() {
        let foreign = |public_url, origin: &str| foreign_page(public_url, &[origin.to_owned()]).is_some();
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
