//! The conformance vectors under their own names, those that differ in one value as one table; and the interface of the
//! simulator itself.

mod admin;
mod authorize;
mod cgi;
mod client;
mod component;
mod embedded;
mod exchange;
mod faults;
mod pages;
mod qr;
mod quick_login;
mod served;
mod tokens;
mod userinfo;

use std::fmt::Display;

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode},
};
use tower::ServiceExt;

use crate::{Entry, Knobs, Outcome, Settings, Simulator};

/// The Official Account and the website app of the example settings.
const APPID: &str = "wx0000000000000aaa";
const SECRET: &str = "5ec2e7aaaaaaaaaaaaaaaaaaaaaaaaaa";
const WEBSITE_APPID: &str = "wx0000000000000bbb";
const WEBSITE_SECRET: &str = "5ec2e7bbbbbbbbbbbbbbbbbbbbbbbbbb";
/// When every test begins.
const NOW: u64 = 0x6553_f100;
const USER_AGENT: &str =
    "Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 MicroMessenger/8.0.50(0x18003234) NetType/WIFI Language/zh_CN";
const CALLBACK: &str = "https://login.example.com/callback";
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
    simulator.knobs(|knobs| (knobs.clock, knobs.api_requires_https) = (Some(NOW), false));
    simulator
}

/// The same with a knob turned.
fn wechat_with<R>(turn: impl FnOnce(&mut Knobs) -> R) -> Simulator {
    let simulator = wechat();
    simulator.knobs(turn);
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

/// The same by a person.
async fn get_as(simulator: &Simulator, path_and_query: &str, person: &str) -> Reply {
    get_with(simulator, path_and_query, &[("x-simulator-person", person)]).await
}

async fn post(simulator: &Simulator, path: &str, body: &str) -> Reply {
    send(simulator, Request::post(path).body(Body::from(body.to_owned())).unwrap()).await
}

/// A POST that says in a form what the address says in its query.
async fn post_form(simulator: &Simulator, url: &str) -> Reply {
    let (path, form) = url.split_once('?').unwrap();
    let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    send(simulator, request.body(Body::from(form.to_owned())).unwrap()).await
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

/// V3.
fn qr_url(appid: &str) -> String {
    let redirect_uri = encode(CALLBACK);
    format!(
        "/connect/qrconnect?appid={appid}&redirect_uri={redirect_uri}&response_type=code&scope=snsapi_login&state=abc123"
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

/// What the tokens of an exchange ask for a profile.
fn profile_url(tokens: &Reply) -> String {
    userinfo_url(&tokens.string("access_token"), &tokens.string("openid"))
}

/// What the first person's fresh tokens of a scope ask for a profile.
async fn fresh_profile(simulator: &Simulator, scope: &str) -> String {
    profile_url(&tokens(simulator, scope).await)
}

/// An address with the website app in the place of the Official Account.
fn of_website(url: &str) -> String {
    url.replace(APPID, WEBSITE_APPID).replace(SECRET, WEBSITE_SECRET)
}

/// The exchange of a fresh code of the first person.
fn fresh_exchange(simulator: &Simulator, scope: &str) -> String {
    exchange_url(&simulator.issue_code("lin", APPID, scope).unwrap())
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
    get(simulator, &profile_url(&tokens)).await
}

/// An error of the API: its number, and its text up to the request id.
type Failure = (i64, &'static str);

/// An error of `sns`.
fn assert_error(reply: &Reply, failure: (impl Display, &str)) {
    assert_failed(reply, "text/plain", failure);
}

/// An error's status, content type, and whole body, with the request id checked and given back.
fn assert_failed<'a>(reply: &'a Reply, content_type: &str, failure: (impl Display, &str)) -> &'a str {
    let (errcode, errmsg) = failure;
    assert_eq!((reply.status, reply.header("content-type")), (StatusCode::OK, content_type));
    let body = reply.text();
    let rid = body.split_once("rid: ").map_or("", |(_, rid)| rid.trim_end_matches("\"}"));
    let is_group =
        |group: &str| group.len() == 8 && group.bytes().all(|byte| b"0123456789abcdef".contains(&byte));
    assert!(rid.split('-').count() == 3 && rid.split('-').all(is_group), "{body}");
    assert_eq!(body, format!(r#"{{"errcode":{errcode},"errmsg":"{errmsg} rid: {rid}"}}"#));
    rid
}

/// An error page: what it says, and that it is in the ledger by its number, or else by its text.
fn assert_page(simulator: &Simulator, reply: &Reply, text: &str) {
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(reply.header("location"), "");
    assert!(reply.text().contains(text), "{text}: {}", reply.text());
    let numbered = text.rsplit_once("错误码").or_else(|| text.rsplit_once("Error code"));
    let error = numbered.map_or(text, |(_, number)| number.trim_start_matches(['：', ':', ' ']));
    assert_eq!(last(simulator).outcome, Outcome::Page { error: error.to_owned() });
}

/// What WeChat answers with that error page.
async fn refuses(simulator: &Simulator, url: &str, text: &str) {
    assert_page(simulator, &get(simulator, url).await, text);
}

fn last(simulator: &Simulator) -> Entry {
    simulator.ledger().pop().unwrap()
}
