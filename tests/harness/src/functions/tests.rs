use serde_json::json;

use super::*;
use crate::{Browser, binaries::workspace, gateway::Gateway, template::Route, time};

const TIMEOUT: Duration = Duration::from_secs(10);

/// Functions named `stub`, which do what an event says, started with a variable of their own.
async fn functions_with(start: &str, timeout: Duration) -> Functions {
    let specification = Specification {
        binary: workspace().join("tests/harness/src/functions/stub.py"),
        environment: BTreeMap::from([
            ("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned()),
            ("START".to_owned(), start.to_owned()),
        ]),
        timeout,
    };
    let specifications = BTreeMap::from([("stub".to_owned(), specification)]);
    Functions::new(specifications).await.unwrap()
}

async fn functions() -> Functions {
    functions_with("", TIMEOUT).await
}

#[tokio::test]
async fn hands_a_process_lambdas_environment_and_headers_and_uses_it_again() {
    let functions = functions().await;
    let describe = json!({ "do": "describe" });
    let first = functions.invoke("stub", &describe).await.unwrap();
    let second = functions.invoke("stub", &describe).await.unwrap();
    assert_eq!(first["process"], second["process"]);
    assert_eq!(functions.cold_starts("stub"), 1);
    assert_eq!(first["environment"]["AWS_LAMBDA_FUNCTION_NAME"], "stub");
    assert!(first["environment"].get("HOME").is_none());
    let id = "lambda-runtime-aws-request-id";
    let headers = first["headers"].as_object().unwrap();
    assert_ne!(headers[id], second["headers"][id]);
    let deadline: u64 = headers["lambda-runtime-deadline-ms"].as_str().unwrap().parse().unwrap();
    assert!(deadline > time::milliseconds(time::now()));
    assert!(headers.contains_key("lambda-runtime-invoked-function-arn"));
    assert!(headers.contains_key("lambda-runtime-trace-id"));
}

#[tokio::test]
async fn gives_each_concurrent_event_a_process_of_its_own() {
    let functions = functions().await;
    let place = tempfile::tempdir().unwrap();
    let meet = json!({ "do": "meet", "place": place.path(), "count": 3 });
    let (first, second, third) = tokio::join!(
        functions.invoke("stub", &meet),
        functions.invoke("stub", &meet),
        functions.invoke("stub", &meet),
    );
    let mut processes = [first, second, third].map(|answer| answer.unwrap()["process"].as_u64());
    processes.sort_unstable();
    assert!(processes[0] < processes[1] && processes[1] < processes[2], "{processes:?}");
    assert_eq!(functions.cold_starts("stub"), 3);
    assert_eq!(functions.busy("stub"), 0);
}

#[tokio::test]
async fn reports_a_process_that_cannot_start_with_what_it_printed() {
    let functions = functions_with("exit", TIMEOUT).await;
    let error = functions.invoke("stub", &json!({})).await.unwrap_err().to_string();
    assert!(error.contains("PUBLIC_URL is missing"), "{error}");
    assert!(error.contains("exit status: 3"), "{error}");

    let error = functions.warm("stub").await.unwrap_err().to_string();
    assert!(error.contains("PUBLIC_URL is missing"), "{error}");

    let functions = functions_with("error", TIMEOUT).await;
    let error = functions.invoke("stub", &json!({})).await.unwrap_err().to_string();
    assert!(error.contains("Configuration"), "{error}");
}

#[tokio::test]
async fn kills_a_process_at_its_answer() {
    let functions = functions().await;
    let place = tempfile::tempdir().unwrap();
    functions.kill_at_answer("stub");
    let meet = json!({ "do": "meet", "place": place.path(), "count": 1 });
    let error = functions.invoke("stub", &meet).await.unwrap_err();
    assert!(matches!(&error, InvocationError::Ended(status) if status.contains("signal: 9")), "{error}");
    // It had done its work, and only this one is killed.
    assert_eq!(place.path().read_dir().unwrap().count(), 1);
    functions.invoke("stub", &meet).await.unwrap();
    assert_eq!((functions.cold_starts("stub"), functions.busy("stub")), (2, 0));
    functions.kill_at_answer("stub");
    functions.spare_at_answer("stub");
    functions.invoke("stub", &meet).await.unwrap();
}

#[tokio::test]
async fn passes_a_reported_error_on_and_keeps_the_process() {
    let functions = functions().await;
    let error = functions.invoke("stub", &json!({ "do": "report" })).await.unwrap_err();
    assert!(matches!(&error, InvocationError::Reported(error) if error["errorType"] == "Refused"));
    functions.invoke("stub", &json!({})).await.unwrap();
    assert_eq!(functions.cold_starts("stub"), 1);
    let unknown = functions.invoke("nobody", &json!({})).await.unwrap_err();
    assert!(matches!(unknown, InvocationError::Unknown(_)));
}

#[tokio::test]
async fn tells_a_process_that_ends_from_one_that_takes_too_long() {
    let functions = functions_with("", Duration::from_secs(1)).await;
    let error = functions.invoke("stub", &json!({ "do": "exit" })).await.unwrap_err();
    assert!(matches!(&error, InvocationError::Ended(status) if status == "exit status: 7"), "{error}");
    assert!(functions.logs().text().contains("going"));
    let error = functions.invoke("stub", &json!({ "do": "hang" })).await.unwrap_err();
    assert!(matches!(error, InvocationError::TimedOut(_)), "{error}");
    functions.invoke("stub", &json!({})).await.unwrap();
    assert_eq!(functions.cold_starts("stub"), 3);
}

#[tokio::test]
async fn kills_a_process_in_the_middle_of_its_work() {
    let functions = functions().await;
    let working = {
        let functions = functions.clone();
        tokio::spawn(async move { functions.invoke("stub", &json!({ "do": "hang" })).await })
    };
    functions.logs().wait_for("hanging").await.unwrap();
    assert_eq!(functions.busy("stub"), 1);
    assert_eq!(functions.kill_busy("stub").await, 1);
    let error = working.await.unwrap().unwrap_err();
    assert!(matches!(&error, InvocationError::Ended(status) if status.contains('9')), "{error}");
    assert_eq!(functions.busy("stub"), 0);
}

#[tokio::test]
async fn starts_another_process_when_an_idle_one_has_ended() {
    let functions = functions().await;
    for _ in 0..3 {
        let event = json!({ "do": "answer and exit" });
        functions.invoke("stub", &event).await.unwrap();
    }
    assert_eq!(functions.cold_starts("stub"), 3);
    functions.invoke("stub", &json!({})).await.unwrap();
    assert_eq!(functions.cold_starts("stub"), 4);
}

#[tokio::test]
async fn meets_a_warm_process_and_after_a_kill_a_cold_one() {
    let functions = functions().await;
    functions.warm("stub").await.unwrap();
    functions.invoke("stub", &json!({})).await.unwrap();
    assert_eq!(functions.cold_starts("stub"), 1);
    assert_eq!(functions.kill_all("stub").await, 1);
    functions.invoke("stub", &json!({})).await.unwrap();
    assert_eq!(functions.cold_starts("stub"), 2);
}

#[tokio::test]
async fn logs_the_request_of_a_browser_that_goes_away() {
    let functions = functions().await;
    let route = Route { method: "GET".to_owned(), path: "/".to_owned(), binary: "stub".to_owned() };
    let gateway = Gateway::start(vec![route], functions.clone()).await.unwrap();
    let browser = Browser::new().unwrap().with_origin("https://login.example.com", gateway.address());
    let logs = functions.logs();
    tokio::select! {
        answer = browser.get("https://login.example.com/?do=hang") => panic!("{answer:?}"),
        waited = logs.wait_for("hanging") => drop(waited.unwrap()),
    }
    assert_eq!((gateway.under_way(), gateway.take_access_log().len()), (1, 0));
    assert_eq!(functions.kill_busy("stub").await, 1);
    while gateway.under_way() > 0 {
        tokio::task::yield_now().await;
    }
    let log = gateway.take_access_log();
    assert_eq!(log.iter().map(|access| access.status).collect::<Vec<_>>(), [500]);
    assert_eq!(gateway.unanswered(), 1);
}

#[tokio::test]
async fn answers_a_browser_through_the_gateway() {
    let functions = functions().await;
    let route = |method: &str, path: &str| Route {
        method: method.to_owned(),
        path: path.to_owned(),
        binary: "stub".to_owned(),
    };
    let routes = vec![route("GET", "/{file}"), route("POST", "/logout")];
    let gateway = Gateway::start(routes, functions).await.unwrap();
    let browser = Browser::new().unwrap().with_origin("https://login.example.com", gateway.address());

    let answer = browser.get("https://login.example.com/a?x=1&x=%2F").await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.set_cookies(), ["a=1; Path=/", "b=2; Path=/"]);
    let event = answer.json().unwrap();
    assert_eq!(event["routeKey"], "GET /{file}");
    assert_eq!(event["rawQueryString"], "x=1&x=%2F");
    assert_eq!(event["headers"]["host"], "login.example.com");
    assert_eq!(event["headers"]["sec-fetch-mode"], "navigate");
    assert_eq!(event["requestContext"]["domainName"], "login.example.com");

    let answer =
        browser.post_form("https://login.example.com/logout", "https://login.example.com").await.unwrap();
    let event = answer.json().unwrap();
    assert_eq!(event["cookies"], json!(["a=1", "b=2"]));
    assert_eq!(event["headers"]["origin"], "https://login.example.com");

    let answer = browser.get("https://login.example.com/a/b").await.unwrap();
    assert_eq!((answer.status, answer.text()), (404, r#"{"message":"Not Found"}"#.to_owned()));
    let answer = browser.get("https://login.example.com/%25x").await.unwrap();
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn answers_a_500_when_the_function_does_not() {
    let functions = functions_with("exit", TIMEOUT).await;
    let route = Route { method: "ANY".to_owned(), path: "/".to_owned(), binary: "stub".to_owned() };
    let gateway = Gateway::start(vec![route], functions.clone()).await.unwrap();
    let browser = Browser::new().unwrap();
    let answer = browser.get(&format!("http://{}/", gateway.address())).await.unwrap();
    let body = r#"{"message":"Internal Server Error"}"#;
    assert_eq!((answer.status, answer.text()), (500, body.to_owned()));
    assert!(functions.logs().text().contains("did not start"));
}
