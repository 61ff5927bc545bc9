//! The real WeChat in place of the simulated one: what the functions are told then.

use std::{collections::BTreeMap, fs, path::Path};

use harness::{Failure, Result};
use serde_json::Value;

use crate::arguments::Arguments;
use crate::surroundings::openid_connect;

/// Turns the environment of a simulated deployment into that of one with these apps, which WeChat knows.
///
/// # Errors
///
/// When the file of secrets cannot be read, or lacks one of the apps.
pub(crate) fn face(arguments: &Arguments, variables: &mut BTreeMap<String, String>) -> Result<()> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let (official_account, website) = (text(&arguments.official_account), text(&arguments.website_app));
    let path = arguments.secrets.as_deref().unwrap_or(Path::new(""));
    let secrets = read_secrets(path, &[&official_account, &website])?;
    // Without these, the functions go to WeChat's own hosts.
    for name in ["WECHAT_OPEN_URL", "WECHAT_API_URL", "SITE_VERIFICATION"] {
        variables.insert(name.to_owned(), String::new());
    }
    for (name, value) in
        [("OFFICIAL_ACCOUNT_APP_ID", official_account), ("WEBSITE_APP_ID", website), ("APP_SECRETS", secrets)]
    {
        variables.insert(name.to_owned(), value);
    }
    if let Some(public_url) = &arguments.public_url {
        // An address that was copied from a browser ends with a slash.
        let public_url = public_url.trim_end_matches('/');
        variables.insert("PUBLIC_URL".to_owned(), public_url.to_owned());
        variables.insert("ALLOWED_ORIGINS".to_owned(), public_url.to_owned());
        let provider = openid_connect(public_url, &arguments.allow_origins);
        variables.insert("OPENID_CONNECT".to_owned(), provider);
    }
    Ok(())
}

/// The secrets of these apps, as one line of JSON; nothing of them is ever printed.
fn read_secrets(path: &Path, apps: &[&str]) -> Result<String> {
    let wrong = |problem: &str| {
        let path = path.display();
        Failure::new(format!(
            "AppSecret 文件 {path} 有误，应为 JSON：{{\"AppID\":\"AppSecret\"}}。\n{path}: {problem}; it must be {{\"appid\":\"app secret\"}}"
        ))
    };
    let text = fs::read_to_string(path).map_err(|error| {
        let path = path.display();
        Failure::new(format!("读取 AppSecret 文件 {path} 失败：{error}。\n{path} could not be read: {error}"))
    })?;
    // Some editors put a byte order mark before it.
    let mut json: Value =
        serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|_| wrong("this is not JSON"))?;
    // What was pasted with a line break is right for the functions too, and cannot stand in their environment.
    for secret in json.as_object_mut().into_iter().flat_map(serde_json::Map::values_mut) {
        if let Some(pasted) = secret.as_str() {
            *secret = pasted.trim().into();
        }
    }
    for app in apps.iter().filter(|app| !app.is_empty()) {
        let secret = json.get(*app).and_then(Value::as_str).unwrap_or_default();
        if secret.trim().is_empty() {
            return Err(wrong(&format!("it has no secret for {app}")));
        }
    }
    Ok(json.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(line: &str) -> Arguments {
        Arguments::read(line.split_whitespace().map(str::to_owned)).unwrap()
    }

    #[test]
    fn the_functions_are_told_of_the_real_apps_and_of_no_simulator() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "\u{feff}{ \"wx0123456789abcdef\": \" canary\\n\" }").unwrap();
        let line = format!(
            "--public-url https://example.trycloudflare.com/ --official-account wx0123456789abcdef --secrets {}",
            file.path().display()
        );
        let simulated = ["WECHAT_OPEN_URL", "WECHAT_API_URL", "WEBSITE_APP_ID", "PUBLIC_URL"];
        let mut variables: BTreeMap<_, _> =
            simulated.iter().map(|name| ((*name).to_owned(), "simulated".to_owned())).collect();
        face(&arguments(&line), &mut variables).unwrap();
        assert!(variables.values().all(|value| value != "simulated"), "{variables:?}");
        assert_eq!(variables["PUBLIC_URL"], "https://example.trycloudflare.com");
        // The provider's API takes this deployment's pages, as its parser demands.
        let provider: Value = serde_json::from_str(&variables["OPENID_CONNECT"]).unwrap();
        let origins = &provider["apis"]["https://api.example.com"]["origins"];
        assert_eq!(*origins, serde_json::json!(["https://example.trycloudflare.com"]));
        assert_eq!(variables["APP_SECRETS"], r#"{"wx0123456789abcdef":"canary"}"#);
        assert_eq!((&*variables["WEBSITE_APP_ID"], &*variables["WECHAT_API_URL"]), ("", ""));

        let missing = line.replace("--secrets ", "--secrets /nowhere");
        let failure = face(&arguments(&missing), &mut variables).unwrap_err().to_string();
        assert!(failure.contains("could not be read") && failure.contains("读取"), "{failure}");
        for (text, problem) in [("", "not JSON"), ("{}", "no secret for wx0123456789abcdef")] {
            fs::write(file.path(), text).unwrap();
            let failure = face(&arguments(&line), &mut variables).unwrap_err().to_string();
            assert!(failure.contains(problem) && !failure.contains("canary"), "{failure}");
        }
    }
}
