use axum::{Router, extract::Request, response::IntoResponse, routing::any};
use tokio::net::TcpListener;

use super::*;

const LOGIN: &str = "https://login.example.com";

/// A browser before a server that sends back every header it got, and redirects as it is told.
async fn browser() -> Browser {
    async fn echo(request: Request) -> impl IntoResponse {
        let query = request.uri().query().unwrap_or_default();
        let mut headers = HeaderMap::new();
        let status = match query.split_once("to=") {
            Some((status, to)) => {
                headers.insert("location", to.parse().unwrap());
                status.parse().unwrap()
            }
            None => 200,
        };
        headers.insert("set-cookie", "session=1; Secure; Path=/".parse().unwrap());
        let lines: Vec<_> = request
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        let status = http::StatusCode::from_u16(status).unwrap();
        (status, headers, format!("{}\n{}", request.method(), lines.join("\n")))
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let application = Router::new().fallback(any(echo));
    tokio::spawn(async move { axum::serve(listener, application).await });
    Browser::new()
        .unwrap()
        .with_origin(LOGIN, address)
        .with_origin("https://www.example.com", address)
        .with_origin("https://open.weixin.qq.com", address)
        .with_elsewhere("https://other.test")
}

#[tokio::test]
async fn follows_redirects_hop_by_hop_with_cookies_of_their_own() {
    let browser = browser().await;
    let start = format!("{LOGIN}/a?302to=https://open.weixin.qq.com/b?303to=https://other.test/me");
    let answers = browser.follow(&format!("{start}#top")).await.unwrap();
    let places: Vec<_> = answers.iter().map(|answer| (answer.status, answer.url.as_str())).collect();
    assert_eq!(
        places,
        [
            (302, format!("{start}#top").as_str()),
            (303, "https://open.weixin.qq.com/b?303to=https://other.test/me#top"),
            (200, "https://other.test/me#top"),
        ]
    );
    let domains: Vec<_> = browser.cookies().into_iter().map(|cookie| cookie.domain).collect();
    assert_eq!(domains, ["login.example.com", "open.weixin.qq.com"]);
    let again = browser.get(LOGIN).await.unwrap();
    assert!(again.text().contains("cookie: session=1"), "{}", again.text());
    let other = browser.another().get(LOGIN).await.unwrap();
    assert!(!other.text().contains("cookie:"), "{}", other.text());
}

#[tokio::test]
async fn gives_up_on_a_loop_and_on_an_unknown_origin() {
    let browser = browser().await;
    let failure = browser.follow(&format!("{LOGIN}/?302to=/?302to=x")).await;
    assert!(failure.is_err() || failure.unwrap().len() < MOST_HOPS);
    let failure = browser.follow(&format!("{LOGIN}/?302to=?302to=?302to=")).await;
    assert!(failure.is_err());
    let failure = browser.get("https://nowhere.example.com/").await.unwrap_err();
    assert!(failure.to_string().contains("https://nowhere.example.com"));
}

#[tokio::test]
async fn names_the_situation_as_a_browser_does() {
    let browser = browser().await;
    for (visit, expected, unexpected) in [
        (
            Visit::open(LOGIN),
            vec!["sec-fetch-site: none", "sec-fetch-mode: navigate", "sec-fetch-dest: document"],
            vec!["origin:"],
        ),
        (
            Visit::link(LOGIN, "https://open.weixin.qq.com"),
            vec!["sec-fetch-site: cross-site"],
            vec!["origin:"],
        ),
        (
            Visit::fetch(Method::GET, LOGIN, "https://www.example.com"),
            vec!["sec-fetch-site: same-site", "sec-fetch-mode: cors", "origin: https://www.example.com"],
            vec!["sec-fetch-user"],
        ),
        (Visit::fetch(Method::GET, LOGIN, LOGIN), vec!["sec-fetch-site: same-origin"], vec!["origin:"]),
        (
            Visit::form(LOGIN, LOGIN, &[("a", "b c")]),
            vec!["POST", "origin: https://login.example.com", "x-www-form-urlencoded"],
            vec![],
        ),
        (
            Visit::open(LOGIN).header("sec-fetch-dest", "iframe"),
            vec!["sec-fetch-dest: iframe", "MicroMessenger", "accept-language: zh-CN"],
            vec!["sec-fetch-dest: document"],
        ),
    ] {
        let text = browser.send(visit).await.unwrap().text();
        for part in expected {
            assert!(text.contains(part), "{part} not in {text}");
        }
        for part in unexpected {
            assert!(!text.contains(part), "{part} in {text}");
        }
    }
}

#[tokio::test]
async fn a_post_becomes_a_get_behind_a_303() {
    let browser = browser().await;
    let form = Visit::form(&format!("{LOGIN}/?303to=/"), LOGIN, &[("a", "b")]);
    let answers = browser.walk(form).await.unwrap();
    assert!(answers[0].text().starts_with("POST"));
    assert!(answers[1].text().starts_with("GET"));
    assert!(!answers[1].text().contains("content-type"));
    let form = Visit::form(&format!("{LOGIN}/?307to=/"), LOGIN, &[("a", "b")]);
    let answers = browser.walk(form).await.unwrap();
    assert!(answers[1].text().starts_with("POST"));
}
