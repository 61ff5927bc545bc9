use std::os::unix::fs::symlink;

use serde_json::json;

use super::*;

/// A stack whose functions do what an event says.
async fn stack(options: Options) -> Stack {
    let directory = tempfile::tempdir().unwrap();
    let stub = crate::binaries::workspace().join("tests/harness/src/functions/stub.py");
    for name in Template::of_the_project().unwrap().function_names() {
        symlink(&stub, directory.path().join(name)).unwrap();
    }
    let options = options
        .binaries(Binaries::in_directory(directory.path()).unwrap())
        .with("PATH", "/usr/local/bin:/usr/bin:/bin");
    let stack = Stack::start(options).await.unwrap();
    // The processes start later, so the links stay until this process ends.
    let _ = directory.keep();
    stack
}

async fn environment(stack: &Stack, function: &str) -> Value {
    let describe = json!({ "do": "describe" });
    let answer = stack.gateway().invoke(function, &describe).await.unwrap();
    answer["environment"].clone()
}

#[tokio::test]
async fn gives_each_function_what_the_template_gives_it() {
    let stack = stack(Options::default().with("DEFAULT_RETURN_TO", "/userinfo")).await;
    let callback = environment(&stack, "callback").await;
    assert_eq!(callback["PUBLIC_URL"], PUBLIC_URL);
    assert_eq!(callback["LOGINS_TABLE"], stack.table("LoginsTable").unwrap());
    assert_eq!(callback["DEFAULT_RETURN_TO"], "/userinfo");
    assert_eq!(callback["WECHAT_API_URL"], stack.simulator_url());
    let secrets: Value = serde_json::from_str(callback["APP_SECRETS"].as_str().unwrap()).unwrap();
    assert!(secrets[OFFICIAL_ACCOUNT].is_string());
    let authorize = environment(&stack, "authorize").await;
    assert_eq!(authorize["OFFICIAL_ACCOUNT_APP_ID"], OFFICIAL_ACCOUNT);
    for secret in ["APP_SECRETS", "APP_SECRETS_ARN"] {
        assert!(authorize.get(secret).is_none(), "{secret}");
    }
}

#[tokio::test]
async fn takes_an_environment_variable_away() {
    let stack = stack(Options::default().without("WEBSITE_APP_ID")).await;
    let authorize = environment(&stack, "authorize").await;
    assert!(authorize.get("WEBSITE_APP_ID").is_none());
}

#[tokio::test]
async fn leads_a_browser_to_the_login_to_wechat_and_to_the_page() {
    let stack = stack(Options::default()).await;
    let browser = stack.browser();
    let login = browser.get(&format!("{PUBLIC_URL}/authorize")).await.unwrap();
    assert_eq!(login.json().unwrap()["routeKey"], "GET /authorize");
    browser.get(DEFAULT_RETURN_TO).await.unwrap();
    browser.get(&format!("{WECHAT_OPEN_URL}/connect/oauth2/authorize")).await.unwrap();
    assert_eq!(stack.simulator().ledger().len(), 1);
    assert_eq!(stack.database().dump().unwrap().len(), 2);
    assert!(stack.stop().await.text().is_empty());
}
