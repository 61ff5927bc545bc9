//! The floor of a login's work: the same calls to DynamoDB, Secrets Manager and WeChat as the functions make, of items
//! of the same size, by the bare SDK. Nothing else: nothing is looked at, sealed or compared, no page is made, no line
//! logged.

use std::collections::HashMap;
use std::env;

use aws_sdk_dynamodb::operation::transact_write_items::builders::TransactWriteItemsFluentBuilder;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::builders::TransactWriteItemBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use http_body_util::BodyExt as _;
use lambda_http::{Body, Error, Request, RequestExt as _, Response, service_fn};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::Value;
use tokio::sync::OnceCell;

/// A SHA-256 digest in hexadecimal digits.
const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
/// What a person's sealed session is, in bytes.
const SEALED: usize = 400;

struct Floor {
    dynamodb: aws_sdk_dynamodb::Client,
    secrets: aws_sdk_secretsmanager::Client,
    wechat: floor::Wechat,
    secret: OnceCell<String>,
    logins: String,
    sessions: String,
    api: String,
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "the environment comes in here and nowhere else")]
async fn main() -> Result<(), Error> {
    let aws = floor::aws().await;
    let floor = Floor {
        dynamodb: floor::dynamodb(&aws),
        secrets: floor::secrets(&aws),
        wechat: floor::wechat()?,
        secret: OnceCell::new(),
        logins: env::var("LOGINS_TABLE")?,
        sessions: env::var("SESSIONS_TABLE")?,
        api: env::var("WECHAT_API_URL")?,
    };
    lambda_http::run(service_fn(async |request| floor.answer(request).await)).await
}

impl Floor {
    async fn answer(&self, request: Request) -> Result<Response<Body>, Error> {
        match request.uri().path() {
            "/authorize" => self.authorize().await,
            "/callback" => self.callback(&request).await,
            _ => self.userinfo(&request).await,
        }
    }

    async fn authorize(&self) -> Result<Response<Body>, Error> {
        let (secret, state) = (random()?, random()?);
        let item = [
            ("id", text(&format!("login#{state}"))),
            ("browser", text(DIGEST)),
            ("app", text("wx0000000000000aaa")),
            ("scope", text("snsapi_base")),
            ("asked", text("snsapi_base")),
            ("return_to", text("https://www.example.com/me")),
            ("attempt", number(1)),
            ("expires_at", number(2_000_000_000)),
        ];
        let put = self.dynamodb.put_item().table_name(&self.logins).set_item(Some(named(item)));
        put.condition_expression("attribute_not_exists(id)").send().await?;
        let location = format!(
            "https://open.weixin.qq.com/connect/oauth2/authorize?appid=wx0000000000000aaa\
             &redirect_uri=https%3A%2F%2Flogin.example.com%2Fcallback&response_type=code&scope=snsapi_base\
             &state={state}&connect_redirect=1#wechat_redirect"
        );
        Ok(found(&location, &format!("__Host-browser={secret}; Path=/; Secure; HttpOnly; SameSite=Lax"))?)
    }

    async fn callback(&self, request: &Request) -> Result<Response<Body>, Error> {
        let query = request.query_string_parameters();
        let (code, state) = (query.first("code").ok_or("no code")?, query.first("state").ok_or("no state")?);
        let (login, guard) = (format!("login#{state}"), format!("code#{DIGEST}{code}"));
        let claim_id = state.get(..32).ok_or("a short state")?;
        let claim = Update::builder()
            .table_name(&self.logins)
            .key("id", text(&login))
            .update_expression("SET claimed_code = :code")
            .condition_expression(
                "attribute_exists(id) AND browser = :browser AND expires_at > :now AND attribute_not_exists(claimed_code)",
            )
            .expression_attribute_values(":code", text(&guard))
            .expression_attribute_values(":browser", text(DIGEST))
            .expression_attribute_values(":now", number(1_800_000_000))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()?;
        let item = [
            ("id", text(&guard)),
            ("login", text(&login)),
            ("browser", text(DIGEST)),
            ("outcome", text("claimed")),
            ("attempt_id", text(claim_id)),
            ("expires_at", number(2_000_000_000)),
        ];
        let put = Put::builder()
            .table_name(&self.logins)
            .set_item(Some(named(item)))
            .condition_expression("attribute_not_exists(id)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()?;
        let claimed = self.transact(
            claim_id,
            [TransactWriteItem::builder().update(claim), TransactWriteItem::builder().put(put)],
        );
        let (claimed, login_read) = tokio::join!(claimed.send(), self.get(&self.logins, &login));
        claimed?;
        login_read?;

        let secret = self.secret.get_or_try_init(|| self.read_secret()).await?;
        let address = format!(
            "{}/sns/oauth2/access_token?appid=wx0000000000000aaa&secret={secret}&code={code}&grant_type=authorization_code",
            self.api
        );
        let answer = self.wechat.get(address.parse()?).await?;
        let answer: Value = serde_json::from_slice(&answer.into_body().collect().await?.to_bytes())?;
        answer.get("openid").ok_or("WeChat says no")?;

        let item = [
            ("id", text(&format!("session#{state}"))),
            ("sealed", AttributeValue::B(Blob::new([0; SEALED]))),
            ("login", text(&login)),
            ("created_at", number(1_800_000_000)),
            ("refreshed_at", number(1_800_000_000)),
            ("version", number(1)),
            ("expires_at", number(2_000_000_000)),
            ("pepper", AttributeValue::B(Blob::new([0; 32]))),
        ];
        let session = Put::builder()
            .table_name(&self.sessions)
            .set_item(Some(named(item)))
            .condition_expression("attribute_not_exists(id)")
            .build()?;
        let done = Update::builder()
            .table_name(&self.logins)
            .key("id", text(&guard))
            .update_expression("SET outcome = :done")
            .condition_expression("outcome = :claimed AND attempt_id = :claim_id")
            .expression_attribute_values(":done", text("done"))
            .expression_attribute_values(":claimed", text("claimed"))
            .expression_attribute_values(":claim_id", text(claim_id))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()?;
        let token = format!("{claim_id}done");
        self.transact(
            &token,
            [TransactWriteItem::builder().put(session), TransactWriteItem::builder().update(done)],
        )
        .send()
        .await?;
        Ok(found(
            "https://www.example.com/me",
            &format!("__Host-session={state}; Path=/; Secure; HttpOnly; SameSite=Lax"),
        )?)
    }

    async fn userinfo(&self, request: &Request) -> Result<Response<Body>, Error> {
        let cookies =
            request.headers().get("cookie").and_then(|cookies| cookies.to_str().ok()).unwrap_or_default();
        let state = cookies.split("__Host-session=").nth(1).ok_or("no cookie")?;
        self.get(&self.sessions, &format!("session#{state}")).await?;
        let body =
            r#"{"openid":"o6_bmjrPTlm6_2sgVt7hMZOPfL2M","appid":"wx0000000000000aaa","scope":"snsapi_base"}"#;
        Ok(Response::builder().header("content-type", "application/json").body(body.into())?)
    }

    async fn get(&self, table: &str, id: &str) -> Result<(), Error> {
        let item = self
            .dynamodb
            .get_item()
            .table_name(table)
            .key("id", text(id))
            .consistent_read(true)
            .send()
            .await?;
        item.item.ok_or("no item")?;
        Ok(())
    }

    fn transact<const N: usize>(
        &self,
        token: &str,
        items: [TransactWriteItemBuilder; N],
    ) -> TransactWriteItemsFluentBuilder {
        let items = items.map(TransactWriteItemBuilder::build).into();
        self.dynamodb.transact_write_items().set_transact_items(Some(items)).client_request_token(token)
    }

    async fn read_secret(&self) -> Result<String, Error> {
        let id = "arn:aws:secretsmanager:us-east-1:123456789012:secret:wechat";
        let answer = self.secrets.get_secret_value().secret_id(id).send().await?;
        let secrets: HashMap<String, String> =
            serde_json::from_str(answer.secret_string().unwrap_or_default())?;
        Ok(secrets.get("wx0000000000000aaa").ok_or("no secret")?.clone())
    }
}

fn found(location: &str, cookie: &str) -> Result<Response<Body>, lambda_http::http::Error> {
    Response::builder()
        .status(302)
        .header("location", location)
        .header("set-cookie", cookie)
        .body(Body::Empty)
}

fn named<const N: usize>(attributes: [(&str, AttributeValue); N]) -> HashMap<String, AttributeValue> {
    attributes.map(|(name, value)| (name.to_owned(), value)).into()
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// 32 random bytes, in hexadecimal digits.
fn random() -> Result<String, Error> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| "no random bytes")?;
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]);
    Ok(digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect())
}
