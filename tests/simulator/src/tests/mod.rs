//! The conformance vectors, one test each, under their own names; and the interface of the simulator itself.

mod admin;
mod authorize;
mod cgi;
mod component;
mod exchange;
mod faults;
mod qr;
mod served;
mod tokens;
mod userinfo;

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode},
};
use tower::ServiceExt;

use crate::{Entry, Settings, Simulator};

/// The Official Account and the website app of the example settings.
const APPID: &str = "wx0000000000000aaa";
const SECRET: &str = "5ec2e7aaaaaaaaaaaaaaaaaaaaaaaaaa";
const WEBSITE_APPID: &str = "wx0000000000000bbb";
const WEBSITE_SECRET: &str = "5ec2e7bbbbbbbbbbbbbbbbbbbbbbbbbb";
/// When every test begins.
const NOW: u64 = 0x6553_f100;
const USER_AGENT: &str =
    "Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 MicroMessenger/8.0.50(0x18003234) NetType/WIFI Language/zh_CN";
const AUTHORIZE: &str = "/connect/oauth2/authorize";
const EXCHANGE: &str = "/sns/oauth2/access_token";
const REFRESH: &str = "/sns/oauth2/refresh_token";
const USERINFO: &str = "/sns/userinfo";
const AUTH: &str = "/sns/auth";

/// The vectors' own callback, on hosts registered for both apps, at a time that stands still.
fn wechat() -> Simulator {
    let mut settings = Settings::example();
    for app in &mut settings.apps {
        app.callback_domains = vec!["login.example.com".to_owned(), "h".to_owned()];
    }
    let simulator = Simulator::new(settings);
    simulator.knobs(|knobs| knobs.clock = Some(NOW));
    simulator
}

struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Reply {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn string(&self, key: &str) -> String {
        self.json()[key].as_str().unwrap().to_owned()
    }

    /// The code in the callback the browser is sent to.
    fn code(&self) -> String {
        let callback = url::Url::parse(self.header("location")).unwrap();
        let mut pairs = callback.query_pairs();
        let (_, code) = pairs.find(|(name, _)| name == "code").unwrap();
        code.into_owned()
    }
}

async fn send(simulator: &Simulator, request: Request<Body>) -> Reply {
    let response = simulator.router().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
    Reply { status: head.status, headers: head.headers, body }
}

/// A GET from within WeChat.
async fn get(simulator: &Simulator, path_and_query: &str) -> Reply {
    get_with(simulator, path_and_query, &[]).await
}

async fn get_with(simulator: &Simulator, path_and_query: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = Request::get(path_and_query).header("user-agent", USER_AGENT);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(simulator, request.body(Body::empty()).unwrap()).await
}

async fn post(simulator: &Simulator, path: &str, body: &str) -> Reply {
    send(simulator, Request::post(path).body(Body::from(body.to_owned())).unwrap()).await
}

fn encode(value: &str) -> String {
    form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

/// V1, for any scope.
fn authorize_url(redirect_uri: &str, scope: &str, state: &str) -> String {
    let redirect_uri = encode(redirect_uri);
    format!(
        "{AUTHORIZE}?appid={APPID}&redirect_uri={redirect_uri}&response_type=code&scope={scope}&state={state}"
    )
}

fn exchange_url(code: &str) -> String {
    format!("{EXCHANGE}?appid={APPID}&secret={SECRET}&code={code}&grant_type=authorization_code")
}

fn refresh_url(refresh_token: &str) -> String {
    format!("{REFRESH}?appid={APPID}&grant_type=refresh_token&refresh_token={refresh_token}")
}

fn userinfo_url(access_token: &str, openid: &str) -> String {
    format!("{USERINFO}?access_token={access_token}&openid={openid}&lang=zh_CN")
}

/// The tokens of the first person.
async fn tokens(simulator: &Simulator, scope: &str) -> Reply {
    tokens_of(simulator, "lin", scope).await
}

async fn tokens_of(simulator: &Simulator, person: &str, scope: &str) -> Reply {
    let code = simulator.issue_code(person, APPID, scope).unwrap();
    get(simulator, &exchange_url(&code)).await
}

/// The profile of a person under the current knobs.
async fn profile_of(simulator: &Simulator, person: &str) -> Reply {
    let tokens = tokens_of(simulator, person, "snsapi_userinfo").await;
    get(simulator, &userinfo_url(&tokens.string("access_token"), &tokens.string("openid"))).await
}

/// An error of `sns`: its status, its content type, and its body with the request id checked and written as `R`.
fn assert_error(reply: &Reply, expected: &str) {
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.header("content-type"), "text/plain");
    let text = reply.text();
    let (before, rid) = text.split_once("rid: ").unwrap_or((text, ""));
    let rid = rid.trim_end_matches("\"}");
    let groups: Vec<&str> = rid.split('-').collect();
    assert_eq!(groups.len(), 3, "{text}");
    assert!(
        groups
            .iter()
            .all(|group| group.len() == 8
                && group.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))),
        "{text}"
    );
    assert_eq!(format!("{before}rid: R\"}}"), expected);
}

fn last(simulator: &Simulator) -> Entry {
    simulator.ledger().pop().unwrap()
}
