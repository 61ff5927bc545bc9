//! A client of the Rust registry, as its own documentation says that it is used. Nothing of it is changed; what it
//! leaves open, who carries its requests, is reqwest.
//!
//! Reads a request a line from standard input and answers with a line: `{"client": …, "step": …}`, and what came of it.

use std::{error::Error, io::BufRead};

use async_trait::async_trait;
use oauth2_signin::{
    oauth2_client::{
        authorization_code_grant::FlowBuildAuthorizationUrlConfiguration,
        re_exports::{
            Body, Client, Request, Response,
            http::{HeaderName, HeaderValue},
        },
    },
    web_app::{SigninFlow, SigninFlowHandleCallbackByQueryConfiguration, SigninFlowHandleCallbackRet},
};
use oauth2_wechat::{WechatProviderWithWebApplication, WechatScope, extensions::WechatExtensionsBuilder};
use serde_json::{Value, json};

const IN_WECHAT: &str = "oauth2-wechat, in WeChat";
const QR_CODE: &str = "oauth2-wechat, QR code";
const STATE: &str = "abc";

/// Carries the requests.
#[derive(Clone, Debug)]
struct Carrier(reqwest::Client);

#[async_trait]
impl Client for Carrier {
    type RespondError = reqwest::Error;

    async fn respond(&self, request: Request<Body>) -> Result<Response<Body>, Self::RespondError> {
        let (head, body) = request.into_parts();
        let method = reqwest::Method::from_bytes(head.method.as_str().as_bytes()).unwrap_or_default();
        let mut request = self.0.request(method, head.uri.to_string()).body(body);
        for (name, value) in &head.headers {
            request = request.header(name.as_str(), value.as_bytes());
        }
        let answer = request.send().await?;
        let mut response = Response::new(Body::new());
        if let Ok(status) = answer.status().as_u16().try_into() {
            *response.status_mut() = status;
        }
        for (name, value) in answer.headers() {
            let name = HeaderName::from_bytes(name.as_str().as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
                response.headers_mut().append(name, value);
            }
        }
        *response.body_mut() = answer.bytes().await?.to_vec();
        Ok(response)
    }
}

fn flow(client: &str) -> Result<SigninFlow<Carrier>, Box<dyn Error>> {
    let (appid, secret, scope) = if client == QR_CODE {
        ("wx0000000000000bbb", "5ec2e7bbbbbbbbbbbbbbbbbbbbbbbbbb", WechatScope::SnsapiLogin)
    } else {
        let scope = WechatScope::Other("snsapi_userinfo".to_owned());
        ("wx0000000000000aaa", "5ec2e7aaaaaaaaaaaaaaaaaaaaaaaaaa", scope)
    };
    let redirect_uri = "https://site.example/callback".parse()?;
    let provider = WechatProviderWithWebApplication::new(appid.to_owned(), secret.to_owned(), redirect_uri)?;
    let carrier = Carrier(reqwest::Client::new());
    Ok(SigninFlow::new(carrier, provider, vec![scope], WechatExtensionsBuilder))
}

async fn step(asked: &Value) -> Result<Value, Box<dyn Error>> {
    let flow = flow(asked["client"].as_str().unwrap_or_default())?;
    match asked["step"].as_str() {
        Some("begin") => {
            let mut with_state = FlowBuildAuthorizationUrlConfiguration::new();
            with_state.set_state(STATE.to_owned());
            let url = flow.build_authorization_url(Some(with_state)).map_err(|error| format!("{error:?}"))?;
            Ok(json!({ "result": url.as_str() }))
        }
        Some("finish") => {
            let callback = asked["callback"].as_str().unwrap_or_default();
            let (_, query) = callback.split_once('?').unwrap_or_default();
            let mut with_state = SigninFlowHandleCallbackByQueryConfiguration::new();
            with_state.set_state(STATE.to_owned());
            match flow.handle_callback_by_query(query, Some(with_state)).await {
                SigninFlowHandleCallbackRet::Ok((_, person)) => Ok(json!({ "result": {
                    "openid": person.uid, "nickname": person.name, "unionid": person.raw.get("unionid"),
                } })),
                other => Err(format!("{other:?}").into()),
            }
        }
        _ => Ok(json!({ "absent": true })),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().any(|argument| argument == "--list") {
        println!("{IN_WECHAT}\n{QR_CODE}");
        return Ok(());
    }
    for line in std::io::stdin().lock().lines() {
        let asked = serde_json::from_str(&line?)?;
        let said = step(&asked).await.unwrap_or_else(|error| json!({ "error": error.to_string() }));
        println!("{said}");
    }
    Ok(())
}
