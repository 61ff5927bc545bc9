//! The app secrets in Secrets Manager, over the real SDK.

#![expect(clippy::unwrap_used, reason = "the helpers of these tests fail as the tests do")]

use harness::{
    Options, Stack,
    deployment::app_secrets,
    places::{AUTHORIZE, EXCHANGE},
    secrets_manager::{ARN, SecretsManager},
    stack::OFFICIAL_ACCOUNT,
    visitor::{Visitor, callback_of},
};
use login::time::Timestamp;
use secrets::{Secrets, SecretsError, SecretsSource};
use serde_json::json;
use simulator::{Settings, Simulator};
use wechat::AppId;

use crate::support::{alarm, aws};

async fn stack(secrets: &SecretsManager) -> Stack {
    Stack::start(secrets.hold(Options::default(), "APP_SECRETS")).await.unwrap()
}

fn right() -> String {
    app_secrets(&Simulator::new(Settings::example()))
}

/// Where a login that fails leads, without the correlation id.
async fn fail(visitor: &Visitor) -> String {
    let hops = visitor.follow(AUTHORIZE).await.unwrap();
    let last = hops.last().unwrap();
    assert!(last.header("x-correlation-id").is_some_and(|id| !id.is_empty()));
    callback_of(&hops).unwrap();
    format!("{} {} {}", last.status, last.url.path(), last.url.query().unwrap().split('&').next().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_without_its_secrets_starts_and_asks_again() {
    let secrets = SecretsManager::start().await.unwrap();
    let stack = stack(&secrets).await;
    let visitor = stack.visitor("lin");
    assert_eq!(fail(&visitor).await, "200 /error reason=service_unavailable");
    // The page offers the login that was asked for.
    let page = visitor.follow(&format!("{AUTHORIZE}?return_to=%2Fcart")).await.unwrap().pop().unwrap();
    assert!(page.text().contains("href=\"/authorize?return_to=https%3A%2F%2Flogin.example.com%2Fcart\""));
    // The login can still be finished: nothing was claimed, nothing sent.
    assert!(stack.requests(EXCHANGE).is_empty());
    let asked = secrets.reads();
    secrets.put(right());
    visitor.log_in().await.unwrap();
    assert_eq!(secrets.reads(), asked + 1);
    assert_eq!(stack.functions().cold_starts("callback"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_without_the_permission_is_named_in_the_log() {
    let secrets = SecretsManager::start().await.unwrap();
    secrets.put(right());
    secrets.deny();
    let stack = stack(&secrets).await;
    assert_eq!(fail(&stack.visitor("lin")).await, "200 /error reason=service_unavailable");
    let log = stack.stop().await.text();
    let line = log.lines().find(|line| line.contains(r#""outcome":"secrets_unavailable""#)).unwrap();
    assert!(line.contains(r#""cause":"the secret could not be read: AccessDeniedException""#), "{line}");
    assert!(line.contains(r#""level":"ERROR""#), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_read_once_and_kept() {
    let secrets = SecretsManager::start().await.unwrap();
    secrets.put(right());
    let stack = stack(&secrets).await;
    for _ in 0..3 {
        stack.visitor("lin").log_in().await.unwrap();
    }
    assert_eq!(secrets.reads(), 1);
    // What is kept needs nobody.
    secrets.go_away();
    stack.visitor("lin").log_in().await.unwrap();
    assert_eq!(secrets.reads(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_was_rotated_is_read_again_and_costs_one_round() {
    let secrets = SecretsManager::start().await.unwrap();
    secrets.put(json!({ OFFICIAL_ACCOUNT: "of yesterday" }).to_string());
    let stack = stack(&secrets).await;
    let visitor = stack.visitor("lin");
    assert_eq!(fail(&visitor).await, "200 /error reason=misconfigured");
    let asked = secrets.reads();
    secrets.put(right());
    visitor.log_in().await.unwrap();
    assert_eq!(secrets.reads(), asked + 1);
    assert_eq!(stack.sessions().unwrap().len(), 1);
    assert!(stack.stop().await.text().contains(r#""outcome":"credentials_rotated""#));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_object_of_secrets_is_a_wrong_configuration() {
    let secrets = SecretsManager::start().await.unwrap();
    let stack = stack(&secrets).await;
    for text in ["", "secret", "[]", r#"{"wx0000000000000aaa":7}"#, "{}"] {
        secrets.put(text);
        assert_eq!(fail(&stack.visitor("lin")).await, "200 /error reason=misconfigured", "{text}");
    }
    assert!(stack.requests(EXCHANGE).is_empty());
    secrets.put(right());
    stack.visitor("lin").log_in().await.unwrap();
}

/// It costs two seconds to wait for nothing; whoever comes within some seconds is told at once, with a copy and
/// without.
#[tokio::test]
async fn a_secrets_manager_that_hangs_is_waited_for_once() {
    let service = SecretsManager::start().await.unwrap();
    service.put(right());
    let secrets = Secrets::of_apps(SecretsSource::SecretsManager(ARN.to_owned()), &aws(&service.url()).await);
    let at = |second: u64| Timestamp::from_epoch_seconds(1_800_000_000 + second);
    service.hang(true);
    let silence = secrets.get(at(0)).await.unwrap_err();
    assert_eq!(silence, SecretsError::Unavailable("Timeout".to_owned()));
    let asked = service.reads();
    service.hang(false);
    assert_eq!(secrets.get(at(4)).await.unwrap_err(), silence);
    assert_eq!(secrets.read(at(4)).await.unwrap_err(), silence);
    assert_eq!(service.reads(), asked);
    secrets.get(at(5)).await.unwrap();
    // What WeChat refuses is looked for again, which is not worth waiting for twice either.
    service.hang(true);
    assert_eq!(secrets.read(at(6)).await.unwrap_err(), silence);
    let asked = service.reads();
    assert_eq!(secrets.read(at(10)).await.unwrap_err(), silence);
    secrets.get(at(10)).await.unwrap();
    assert_eq!(service.reads(), asked);
    service.hang(false);
    secrets.read(at(11)).await.unwrap();
}

/// Nobody is sent to a login that cannot end; the function says so in time, and whose session is stored is served.
#[tokio::test(flavor = "multi_thread")]
async fn while_secrets_manager_hangs_a_callback_says_so_in_time() {
    let secrets = SecretsManager::start().await.unwrap();
    secrets.put(right());
    secrets.hang(true);
    let stack = stack(&secrets).await;
    let page =
        stack.visitor("lin").follow(&format!("{AUTHORIZE}?return_to=%2Fcart")).await.unwrap().pop().unwrap();
    let query = page.url.query().unwrap();
    assert!(query.starts_with("reason=service_unavailable&id="), "{query}");
    assert!(query.ends_with("&return_to=https%3A%2F%2Flogin.example.com%2Fcart"), "{query}");
    let line = alarm(&stack, r#""outcome":"secrets_unavailable""#).await.unwrap().text;
    assert!(line.contains("Timeout"), "{line}");
    assert!(stack.requests(EXCHANGE).is_empty());
}

/// By the clock that the secrets are given: a quarter of an hour is not waited for.
#[tokio::test]
async fn a_copy_is_read_again_after_its_time_and_used_on_while_it_cannot_be() {
    let service = SecretsManager::start().await.unwrap();
    let app = AppId::parse(OFFICIAL_ACCOUNT).unwrap();
    let at = |minute: u64| Timestamp::from_epoch_seconds(1_800_000_000 + 60 * minute);
    let secrets = Secrets::of_apps(SecretsSource::SecretsManager(ARN.to_owned()), &aws(&service.url()).await);
    let read = async |minute| {
        let read = secrets.get(at(minute)).await?;
        read.of(&app).map(|secret| secret.expose().to_owned())
    };
    let missing = read(0).await.unwrap_err();
    assert_eq!(missing, SecretsError::Unavailable("ResourceNotFoundException".to_owned()));
    service.put(json!({ OFFICIAL_ACCOUNT: "first" }).to_string());
    assert_eq!(read(0).await.unwrap(), "first");
    service.put(json!({ OFFICIAL_ACCOUNT: "second" }).to_string());
    assert_eq!(read(14).await.unwrap(), "first");
    service.go_away();
    assert_eq!((read(14).await.unwrap().as_str(), secrets.unread()), ("first", None));
    assert_eq!(read(16).await.unwrap(), "first");
    // Whoever uses it says why it is old.
    let error = secrets.unread().unwrap();
    assert!(matches!(error, SecretsError::Unavailable(_)), "{error}");
    let asked = service.reads();
    service.put("not JSON");
    // For half a minute it is not asked again: each question would cost a login two seconds.
    assert_eq!((read(16).await.unwrap().as_str(), service.reads()), ("first", asked));
    assert_eq!(read(17).await, Err(SecretsError::Malformed));
    service.put(json!({ OFFICIAL_ACCOUNT: "second" }).to_string());
    assert_eq!((read(17).await.unwrap().as_str(), secrets.unread()), ("second", None));
}
