use reqwest::StatusCode;
use serde_json::{Value, json};

use super::*;
use crate::{database::Database, template::Template};

const TABLE: &str = "Resources:
  Items:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]";

async fn database() -> (Database, Proxy) {
    let database = Database::in_memory().await.unwrap();
    database.create_tables(&Template::parse(TABLE).unwrap()).unwrap();
    let proxy = Proxy::before(&database.url()).await.unwrap();
    (database, proxy)
}

async fn call(
    proxy: &Proxy,
    operation: &str,
    body: Value,
) -> std::result::Result<(StatusCode, Value), reqwest::Error> {
    let client = reqwest::Client::builder().tls_certs_only([]).no_proxy().build()?;
    let answer = client
        .post(proxy.url())
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
        .header("x-amz-date", "20260101T000000Z")
        .header(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=callback/20260101/us-east-1/dynamodb/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature=00",
        )
        .body(body.to_string())
        .send()
        .await?;
    let status = answer.status();
    let text = answer.text().await?;
    Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
}

fn put(id: &str) -> Value {
    json!({ "TableName": "Items", "Item": { "id": { "S": id } } })
}

fn transaction() -> Value {
    let update = json!({
        "TableName": "Items", "Key": { "id": { "S": "login#1" } },
        "UpdateExpression": "SET claimed_code = :code",
        "ExpressionAttributeValues": { ":code": { "S": "code#1" } },
    });
    json!({
        "TransactItems": [{ "Update": update }, { "Put": put("code#1") }],
        "ClientRequestToken": "once",
    })
}

fn is_there(database: &Database, id: &str) -> bool {
    database.items("Items").unwrap().iter().any(|item| item["id"]["S"] == id)
}

#[tokio::test]
async fn takes_every_call_down_and_lets_it_pass() {
    let (database, proxy) = database().await;
    assert_eq!(call(&proxy, "PutItem", put("login#1")).await.unwrap().0, StatusCode::OK);
    assert_eq!(call(&proxy, "TransactWriteItems", transaction()).await.unwrap().0, StatusCode::OK);
    let refused = json!({
        "TableName": "Items", "Item": { "id": { "S": "login#1" } },
        "ConditionExpression": "attribute_not_exists(id)",
    });
    let (status, answer) = call(&proxy, "PutItem", refused).await.unwrap();
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(answer["__type"].as_str().unwrap().ends_with("#ConditionalCheckFailedException"), "{answer}");
    assert!(is_there(&database, "code#1"));

    let calls = proxy.calls();
    let seen: Vec<_> = calls.iter().map(|call| (call.kind, call.is_applied, call.status)).collect();
    assert_eq!(
        seen,
        [
            (Kind::PutLogin, true, Some(200)),
            (Kind::Claim, true, Some(200)),
            (Kind::PutLogin, false, Some(400)),
        ]
    );
    assert!(calls.iter().all(|call| call.function == "callback" && call.fault.is_none()));
    assert!(calls.iter().all(|call| !call.is_abandoned));
    assert!(calls.windows(2).all(|pair| pair[0].answered.unwrap() < pair[1].arrived));
    let claim = &calls[1];
    assert_eq!(claim.token.as_deref(), Some("once"));
    assert_eq!(
        claim.items.iter().map(|item| (item.action.as_str(), item.id.as_deref())).collect::<Vec<_>>(),
        [("UpdateItem", Some("login#1")), ("PutItem", Some("code#1"))]
    );
    assert!(claim.is_write() && claim.touches("code#1") && !claim.touches("code#2"));
    proxy.forget();
    assert_eq!((proxy.calls().len(), proxy.count(Kind::Claim)), (0, 0));
}

#[tokio::test]
async fn drops_a_call_before_or_after_it_is_carried_out() {
    let (database, proxy) = database().await;
    for (fault, id, applied) in [
        (Fault::DropBefore, "login#before", false),
        (Fault::DropAfter, "login#after", true),
        (Fault::Truncate, "login#half", true),
    ] {
        let injection = proxy.inject(Rule::at(Kind::PutLogin, fault).times(1));
        assert!(call(&proxy, "PutItem", put(id)).await.is_err(), "{fault:?} brought an answer");
        assert_eq!(injection.struck(), 1);
        assert_eq!(is_there(&database, id), applied, "{fault:?}");
        assert_eq!(proxy.calls().last().unwrap().is_applied, applied);
        assert_eq!(call(&proxy, "PutItem", put(id)).await.unwrap().0, StatusCode::OK);
    }
}

#[tokio::test]
async fn carries_a_late_call_out_though_nobody_waits_any_more() {
    let (database, proxy) = database().await;
    let delay = Duration::from_millis(50);
    let late = proxy.inject(Rule::at(Kind::PutLogin, Fault::Delay(delay)));
    let sender = proxy.clone();
    let caller = tokio::spawn(async move { call(&sender, "PutItem", put("login#1")).await });
    late.until_struck(1).await.unwrap();
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    proxy.until(|calls| calls.iter().any(|call| call.is_applied)).await.unwrap();
    assert!(is_there(&database, "login#1"));
    proxy.until(|calls| calls.iter().all(|call| call.answered.is_some())).await.unwrap();
    assert!(proxy.calls()[0].is_abandoned);
}

#[tokio::test]
async fn refuses_in_the_words_of_dynamodb() {
    let (database, proxy) = database().await;
    let throttles = Throttle::ALL.map(Fault::Throttle);
    for fault in
        throttles.into_iter().chain([Fault::Conflict, Fault::InternalServerError, Fault::Unavailable])
    {
        let injection = proxy.inject(Rule::when(fault, |_| true));
        let (status, answer) = call(&proxy, "PutItem", put("login#1")).await.unwrap();
        let kind = answer["__type"].as_str().unwrap_or_default().to_owned();
        let (expected, name) = match fault {
            Fault::Throttle(Throttle::ProvisionedThroughputExceeded) => {
                (400, "#ProvisionedThroughputExceededException")
            }
            Fault::Throttle(Throttle::RequestLimitExceeded) => (400, "#RequestLimitExceeded"),
            Fault::Throttle(_) => (400, "#ThrottlingException"),
            Fault::Conflict => (400, "#TransactionConflictException"),
            Fault::InternalServerError => (500, "#InternalServerError"),
            _ => (503, ""),
        };
        assert_eq!(status, expected, "{fault:?}");
        assert!(kind.ends_with(name), "{fault:?}: {kind}");

        let (_, answer) = call(&proxy, "TransactWriteItems", transaction()).await.unwrap();
        let codes: Vec<_> = answer["CancellationReasons"].as_array().into_iter().flatten().collect();
        let codes: Vec<_> = codes.iter().map(|reason| reason["Code"].as_str().unwrap()).collect();
        let expected: &[&str] = match fault {
            Fault::Conflict => &["TransactionConflict", "None"],
            Fault::Throttle(Throttle::Cancelled) => &["ThrottlingError", "None"],
            _ => &[],
        };
        assert_eq!(codes, expected, "{fault:?}");
        injection.remove();
    }
    assert!(database.items("Items").unwrap().is_empty());

    let lie = proxy.inject(Rule::when(Fault::Lie, |_| true));
    assert_eq!(call(&proxy, "PutItem", put("login#1")).await.unwrap(), (StatusCode::OK, json!({})));
    assert!(database.items("Items").unwrap().is_empty() && !proxy.calls().last().unwrap().is_applied);
    lie.remove();

    // No transaction keeps anybody from reading.
    proxy.inject(Rule::when(Fault::Conflict, |_| true));
    let get = json!({ "TableName": "Items", "Key": { "id": { "S": "login#1" } } });
    assert_eq!(call(&proxy, "GetItem", get).await.unwrap().0, StatusCode::OK);
    assert_eq!(proxy.calls().last().unwrap().kind, Kind::Login);
}

#[tokio::test]
async fn strikes_the_calls_it_is_told_to_and_no_others() {
    let (_database, proxy) = database().await;
    let rule = Rule::when(Fault::DropBefore, |call| call.touches("a") && call.function == "callback");
    let injection = proxy.inject(rule.after(1).times(2));
    let mut fates = Vec::new();
    for id in ["a", "b", "a", "b", "a", "a"] {
        fates.push(call(&proxy, "PutItem", put(id)).await.is_ok());
    }
    assert_eq!(fates, [true, true, false, true, false, true]);
    assert_eq!(injection.struck(), 2);
    let (first, second) = (
        proxy.inject(Rule::when(Fault::Unavailable, |_| true)),
        proxy.inject(Rule::when(Fault::Conflict, |_| true)),
    );
    assert_eq!(call(&proxy, "PutItem", put("a")).await.unwrap().0, 503);
    first.remove();
    assert_eq!(call(&proxy, "PutItem", put("a")).await.unwrap().0, 400);
    proxy.heal();
    assert_eq!(call(&proxy, "PutItem", put("a")).await.unwrap().0, 200);
    assert_eq!((first.struck(), second.struck()), (1, 1));
}

#[tokio::test]
async fn holds_a_call_until_it_is_released_or_dropped() {
    let (database, proxy) = database().await;
    for (fault, is_there_while_held, is_released) in [
        (Fault::HoldBefore, false, true),
        (Fault::HoldBefore, false, false),
        (Fault::HoldAfter, true, true),
        (Fault::HoldAfter, true, false),
    ] {
        let injection = proxy.inject(Rule::at(Kind::PutLogin, fault));
        let sender = proxy.clone();
        let caller = tokio::spawn(async move { call(&sender, "PutItem", put("login#1")).await });
        let held = injection.held().await.unwrap();
        assert_eq!(held.call().kind, Kind::PutLogin);
        assert_eq!(held.call().is_applied, is_there_while_held);
        assert_eq!(is_there(&database, "login#1"), is_there_while_held);
        assert!(!caller.is_finished());
        if is_released {
            held.release();
        } else {
            drop(held);
        }
        assert_eq!(caller.await.unwrap().is_ok(), is_released, "{fault:?}");
        assert_eq!(is_there(&database, "login#1"), is_there_while_held || is_released, "{fault:?}");
        injection.remove();
        database.delete("Items", "login#1").unwrap();
    }
}

#[test]
fn knows_what_each_call_means() {
    for (operation, id, kind) in [
        ("PutItem", "login#1", Kind::PutLogin),
        ("GetItem", "login#1", Kind::Login),
        ("GetItem", "code#1", Kind::CodeOutcome),
        ("UpdateItem", "code#1", Kind::FailCode),
        ("GetItem", "0a", Kind::Session),
        ("UpdateItem", "0a", Kind::SaveSession),
        ("DeleteItem", "0a", Kind::DeleteSession),
        ("GetItem", "app-token#wx", Kind::AppToken),
        ("UpdateItem", "app-token#wx", Kind::LeaseAppToken),
        ("PutItem", "app-token#wx", Kind::PutAppToken),
        ("DeleteItem", "login#1", Kind::Other),
    ] {
        let part = if operation == "PutItem" { "Item" } else { "Key" };
        let body = json!({ "TableName": "Items", part: { "id": { "S": id } } });
        let call = read(operation, &body);
        assert_eq!(call.kind, kind, "{operation} of {id}");
    }
    let finish = json!({ "TransactItems": [
        { "Put": put("0a") },
        { "Update": { "TableName": "Items", "Key": { "id": { "S": "code#1" } } } },
        { "Delete": { "TableName": "Items", "Key": { "id": { "S": "0b" } } } },
        { "ConditionCheck": { "TableName": "Items", "Key": { "id": { "S": "0c" } } } },
    ]});
    let finish = read("TransactWriteItems", &finish);
    assert_eq!(finish.kind, Kind::Finish);
    let actions: Vec<_> = finish.items.iter().map(|item| item.action.as_str()).collect();
    assert_eq!(actions, ["PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem"]);
    let mut transaction = transaction();
    assert_eq!(read("TransactWriteItems", &transaction).kind, Kind::Claim);
    transaction["TransactItems"][0]["Update"]["UpdateExpression"] = json!("ADD spent_codes :one");
    assert_eq!(read("TransactWriteItems", &transaction).kind, Kind::SpendCode);
    let failed = json!({
        "TableName": "Items", "Key": { "id": { "S": "app-token#wx" } },
        "UpdateExpression": "SET failed_lease = :lease",
    });
    assert_eq!(read("UpdateItem", &failed).kind, Kind::FailAppToken);
    let scan = read("Scan", &json!({ "TableName": "Items" }));
    assert_eq!((scan.kind, scan.items[0].id.as_ref(), scan.is_write()), (Kind::Other, None, false));
}

fn read(operation: &str, body: &Value) -> Call {
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-target", format!("DynamoDB_20120810.{operation}").parse().unwrap());
    Call::read(&headers, body.to_string().as_bytes())
}
