//! The template allows each function exactly what it does. Every path that calls DynamoDB runs here, and
//! what was called is held against the roles, both ways.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use harness::{
    Stack,
    binaries::workspace,
    places::{AUTHORIZE, AUTHORIZE_PROFILE, EXCHANGE, REFRESH, STABLE_TOKEN, parameter},
    proxy::{Call, Item, Kind},
    stack::{OFFICIAL_ACCOUNT, PUBLIC_URL, errcode},
    template::Template,
};
use serde_json::{Value, json};
use simulator::Action;
use url::Url;

use super::counted;
use crate::{
    handoff,
    openid::{self, code_flow},
};

/// An action, and the table it is about.
type Permission = (String, String);

/// The statements of a function's role.
fn statements(template: &Template, binary: &str) -> Vec<Value> {
    let function = template.functions().into_iter().find(|function| function.binary == binary).unwrap();
    let properties = resource(template, "AWS::Serverless::Function", &function.logical_id);
    assert!(properties["Policies"].is_null(), "{binary} has policies beside its role");
    let name = properties["Role"]["Fn::GetAtt"].as_str().unwrap().strip_suffix(".Arn").unwrap();
    let role = resource(template, "AWS::IAM::Role", name);
    assert!(role["ManagedPolicyArns"].is_null(), "{binary} has policies that are not in the template");
    let put_on = template.resources("AWS::IAM::Policy").map(|(_, policy)| policy);
    let put_on = put_on.filter(|policy| list(&policy["Roles"]).into_iter().any(|role| role["Ref"] == name));
    let policies = list(&role["Policies"]).into_iter().chain(put_on);
    let statements = policies.flat_map(|policy| list(&policy["PolicyDocument"]["Statement"]));
    // What a parameter switches on counts as switched on.
    statements
        .map(|statement| list(&statement["Fn::If"]).get(1).copied().unwrap_or(statement).clone())
        .collect()
}

/// What the template allows a function to do with DynamoDB, and to keys of which forms; none is any.
fn allowed(template: &Template, binary: &str) -> BTreeMap<Permission, Vec<String>> {
    let mut allowed = BTreeMap::new();
    for statement in statements(template, binary) {
        if statement["Effect"] != "Allow" {
            continue;
        }
        for action in list(&statement["Action"]) {
            let Some(action) = action.as_str().unwrap().strip_prefix("dynamodb:") else { continue };
            for table in list(&statement["Resource"]) {
                let keys = &statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
                let permission = (action.to_owned(), table_of(table));
                let forms = list(keys).into_iter().filter_map(Value::as_str).map(str::to_owned);
                allowed.insert(permission, forms.collect());
            }
        }
    }
    allowed
}

/// The keys of a table, by their beginnings, that a function may not do this to whatever else it may; `*` is anything.
fn denied(template: &Template, binary: &str, table: &str, action: &str) -> Vec<String> {
    let is_of_table =
        |statement: &Value| list(&statement["Resource"]).into_iter().any(|found| table_of(found) == table);
    let is_meant = |statement: &Value| {
        let denied = list(&statement["Action"]).into_iter();
        let mut denied = denied.map(|denied| denied.as_str().unwrap().strip_prefix("dynamodb:").unwrap());
        denied.any(|denied| denied == "*" || denied == action)
    };
    let statements = statements(template, binary).into_iter();
    let denials = statements.filter(|statement| statement["Effect"] == "Deny" && is_of_table(statement));
    denials
        .filter(is_meant)
        .flat_map(|denial| {
            let keys = &denial["Condition"]["ForAnyValue:StringLike"]["dynamodb:LeadingKeys"];
            let prefix = |key: &Value| key.as_str().unwrap().strip_suffix('*').unwrap().to_owned();
            list(keys).into_iter().map(prefix).collect::<Vec<_>>()
        })
        .collect()
}

fn table_of(resource: &Value) -> String {
    resource["Fn::GetAtt"].as_str().or(resource.as_str()).unwrap().trim_end_matches(".Arn").to_owned()
}

fn resource(template: &Template, of_type: &str, logical_id: &str) -> Value {
    let (_, properties) = template.resources(of_type).find(|(name, _)| name == logical_id).unwrap();
    properties.clone()
}

/// A value that CloudFormation takes alone or as a list.
fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(values) => values.iter().collect(),
        value => vec![value],
    }
}

/// Everything that makes a function call DynamoDB.
async fn every_path(stack: &Stack) {
    let token = format!("app-token#{OFFICIAL_ACCOUNT}");

    // The app's token: it cannot be had, then it can.
    let visitor = stack.visitor("lin");
    stack.script(STABLE_TOKEN, errcode(40164), 1);
    visitor.log_in().await.unwrap();
    stack.database().delete(stack.table("SessionsTable").unwrap(), &token).unwrap();
    visitor.log_in().await.unwrap();

    // In place of the old session, with a profile; the same once more; who is it.
    let callback = visitor.come_back(AUTHORIZE_PROFILE).await.unwrap();
    visitor.open(&callback).await.unwrap();
    visitor.open(&callback).await.unwrap();
    assert_eq!(visitor.userinfo().await.unwrap().status, 200);
    assert_eq!(openid::ask(&visitor, "").await.status, 200);

    // A code that WeChat refuses; an owner, a foreigner with cookie and one without; a denial.
    stack.script(EXCHANGE, errcode(40029), 1);
    visitor.log_in().await.unwrap();
    let callback = visitor.come_back(AUTHORIZE).await.unwrap();
    let foreigner = stack.visitor("lin");
    foreigner.come_back(AUTHORIZE).await.unwrap();
    foreigner.open(&callback).await.unwrap();
    stack.visitor("lin").open(&callback).await.unwrap();
    visitor.open(&callback.replace("code=", "code=authdeny&was=")).await.unwrap();

    // A grant that is gone, and is so ten minutes later.
    visitor.log_in_with_profile().await.unwrap();
    stack.simulator().act(&Action::ExpireAccessTokens);
    stack.script(REFRESH, errcode(40030), 1);
    assert_eq!(visitor.userinfo().await.unwrap().status, 401);
    for mut item in stack.sessions().unwrap() {
        if item["refused_at"]["N"].is_string() {
            item["refused_at"]["N"] = "1700000000".into();
            stack.database().put(stack.table("SessionsTable").unwrap(), &item).unwrap();
        }
    }
    assert_eq!(visitor.userinfo().await.unwrap().status, 401);

    logs_in_at_a_client(stack).await;
    handoff::every_step(stack).await.unwrap();

    // Both ends of a session.
    visitor.log_out().await.unwrap();
    visitor.log_in_with_profile().await.unwrap();
    let erased = visitor.erase().await.unwrap();
    assert_eq!(erased.status, 204);
    visitor.browser.follow("https://login.example.com/").await.unwrap();

    // Whoever looks after it all.
    stack.functions().invoke("doctor", &json!({})).await.unwrap();
}

/// Everything that a client does.
async fn logs_in_at_a_client(stack: &Stack) {
    // Who comes back without having logged in is sent on once more.
    let visitor = code_flow::visitor(stack, "lin");
    let sent_on = visitor.open(&code_flow::asked(&[])).await.unwrap();
    let back = parameter(sent_on.redirect().unwrap().unwrap().as_str(), "return_to");
    let back = Url::parse(PUBLIC_URL).unwrap().join(&back).unwrap();
    assert_eq!(visitor.open(back.as_str()).await.unwrap().status, 302);
    // By a login, and with the session that is there then.
    for times in [1, 2] {
        let code = code_flow::code(&visitor, &[]).await.unwrap();
        let tokens = code_flow::redeem(stack, &code, &[]).await.unwrap().json().unwrap();
        let token = |name: &str| code_flow::text(&tokens, name);
        assert_eq!(code_flow::userinfo(stack, &token("access_token")).await.unwrap().status, 200);
        assert_eq!(code_flow::refresh(stack, &token("refresh_token")).await.unwrap().status, 200);
        if times == 1 {
            // A second time.
            assert_eq!(code_flow::redeem(stack, &code, &[]).await.unwrap().status, 400);
            continue;
        }
        let hint = token("id_token");
        let logout = format!("{PUBLIC_URL}/oauth2/logout?{}", code_flow::form(&[("id_token_hint", &hint)]));
        assert_eq!(visitor.open(&logout).await.unwrap().status, 303);
    }
    // A way back without a login, which is sent on once.
    let to_login = visitor.open(&code_flow::asked(&[])).await.unwrap().redirect().unwrap().unwrap();
    let back = code_flow::parameter(&to_login, "return_to").unwrap();
    assert_eq!(visitor.open(&back).await.unwrap().status, 302);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_function_may_do_what_it_does_and_nothing_else() {
    let provider = code_flow::options("openid").unwrap();
    let stack = counted(provider.with("SILENT_UNIONID", "true").with("PROFILE_LIFETIME_SECONDS", "0")).await;
    every_path(&stack).await;

    let calls = stack.proxy().unwrap().calls();
    let kinds: BTreeSet<_> = calls.iter().map(|call| call.kind).collect();
    assert_eq!(kinds, BTreeSet::from(Kind::ALL), "every call of the store, and no unknown one");

    let text = fs::read_to_string(workspace().join("template.yaml")).unwrap();
    assert_eq!(differences(&text, &calls), Vec::<String>::new());

    // And each way of being wrong is seen.
    for (right, wrong, difference) in [
        (
            "Action: dynamodb:PutItem\n",
            "Action: [dynamodb:PutItem, dynamodb:Query]\n",
            "authorize may Query LoginsTable",
        ),
        (
            "Allow\n                Action: dynamodb:DeleteItem\n",
            "Allow\n                Action: dynamodb:GetItem\n",
            "logout does DeleteItem SessionsTable",
        ),
        ("\"login#*\"", "\"code#*\"", "authorize does PutItem LoginsTable of login#"),
        (
            "Action: [dynamodb:UpdateItem, dynamodb:DeleteItem]\n",
            "Action: dynamodb:UpdateItem\n",
            "userinfo may DeleteItem SessionsTable of grant#",
        ),
        (
            "\"dynamodb:LeadingKeys\": [\"login#*\", \"code#*\"]",
            "\"dynamodb:LeadingKeys\": [\"login#*\", \"code#*\", \"ticket#*\"]",
            "callback may GetItem LoginsTable of ticket#",
        ),
        ("\"dynamodb:LeadingKeys\": \"grant#*\"", "\"dynamodb:LeadingKeys\": \"*\"", "callback does "),
        ("Resource: !GetAtt LoginsTable.Arn", "Resource: \"*\"", "authorize may PutItem *"),
        (
            "Allow\n                Action: dynamodb:DeleteItem\n",
            "Allow\n                Action: \"dynamodb:*\"\n",
            "logout may * SessionsTable",
        ),
        (
            "      Role: !GetAtt SiteRole.Arn\n",
            "      Role: !GetAtt LogoutRole.Arn\n",
            "site may DeleteItem SessionsTable",
        ),
    ] {
        let changed = text.replacen(right, wrong, 1);
        assert_ne!(changed, text, "the template has no {right:?}");
        let found = differences(&changed, &calls);
        assert!(found.iter().any(|found| found.starts_with(difference)), "{difference}: {found:?}");
    }
}

/// What lies in a table, by the beginnings of its keys: a session's has none.
fn contents(table: &str) -> &'static [&'static str] {
    match table {
        "LoginsTable" => &["login#", "code#", "handoff#", "ticket#", "request#"],
        "SessionsTable" => &["", "app-token#", "grant#"],
        _ => &[],
    }
}

/// The beginning of a key, with its mark.
fn form(id: &str) -> &str {
    id.find('#').map_or("", |at| &id[..=at])
}

/// What the functions of this template may do and did not, and what they did and may not.
fn differences(template: &str, calls: &[Call]) -> Vec<String> {
    let template = Template::parse(template).unwrap();
    let mut differences = Vec::new();
    let mut functions = BTreeSet::new();
    for function in template.functions() {
        let name = function.binary;
        let mut allowed = allowed(&template, &name);
        let made: BTreeSet<&Item> =
            calls.iter().filter(|call| call.function == name).flat_map(|call| &call.items).collect();
        let mut used = BTreeSet::new();
        for Item { action, table, id } in made {
            let permission = (action.clone(), table.clone());
            let kind = id.as_deref().map(form);
            assert!(kind.is_none_or(|kind| contents(table).contains(&kind)), "{table} holds {id:?}");
            let id = id.as_deref().unwrap_or_default();
            let is_denied =
                denied(&template, &name, table, action).iter().any(|prefix| id.starts_with(prefix.as_str()));
            match allowed.get(&permission).filter(|_| !is_denied) {
                Some(forms)
                    if forms.is_empty()
                        || forms.iter().any(|form| id.starts_with(form.trim_end_matches('*'))) =>
                {
                    used.insert((permission, kind));
                }
                Some(_) => differences.push(format!("{name} does {action} {table} of {id}")),
                None => differences.push(format!("{name} does {action} {table}")),
            }
        }
        // Of what it may touch in a table, it touches something of each kind.
        for ((action, table), forms) in &allowed {
            let denied = denied(&template, &name, table, action);
            let is_used = |kind| used.contains(&((action.clone(), table.clone()), Some(kind)));
            let may = |kind: &&str| {
                (forms.is_empty() || forms.iter().any(|form| form.trim_end_matches('*') == *kind))
                    && !denied.iter().any(|prefix| prefix == kind)
            };
            let kinds = contents(table).iter().copied();
            if kinds.clone().any(is_used) {
                let more = kinds.filter(may).filter(|kind| !is_used(kind));
                differences.extend(more.map(|kind| format!("{name} may {action} {table} of {kind}")));
            }
        }
        allowed.retain(|permission, _| !used.iter().any(|(used, _)| used == permission));
        differences.extend(allowed.keys().map(|(action, table)| format!("{name} may {action} {table}")));
        functions.insert(name);
    }
    let strangers = calls.iter().filter(|call| !functions.contains(&call.function));
    differences.extend(strangers.map(|call| format!("nobody knows who does {call}")));
    differences
}

/// The table of sessions holds what is no session: who shows or ends one touches nothing else.
#[test]
fn who_shows_or_ends_a_session_touches_nothing_else() {
    let template = Template::of_the_project().unwrap();
    assert_eq!(denied(&template, "userinfo", "SessionsTable", "*"), ["app-token#"]);
    assert_eq!(denied(&template, "token", "SessionsTable", "*"), ["app-token#"]);
    assert_eq!(denied(&template, "logout", "SessionsTable", "*"), ["app-token#", "grant#"]);
    assert_eq!(denied(&template, "handoff", "SessionsTable", "*"), ["app-token#", "grant#"]);
    // It makes grants and looks at them, and ends sessions alone.
    assert_eq!(denied(&template, "openid", "SessionsTable", "GetItem"), ["app-token#"]);
    assert_eq!(denied(&template, "openid", "SessionsTable", "DeleteItem"), ["app-token#", "grant#"]);
    assert_eq!(denied(&template, "userinfo", "SessionsTable", "DeleteItem"), ["app-token#", "grant#"]);
    assert_eq!(denied(&template, "userinfo", "SessionsTable", "UpdateItem"), ["app-token#", "grant#"]);
    assert_eq!(denied(&template, "callback", "SessionsTable", "GetItem"), ["grant#"]);
    assert_eq!(denied(&template, "callback", "SessionsTable", "DeleteItem"), ["app-token#", "grant#"]);
    // The way out of the callback's network leads to the two tables alone.
    let endpoint = resource(&template, "AWS::EC2::VPCEndpoint", "TablesEndpoint");
    let tables: Vec<_> =
        list(&endpoint["PolicyDocument"]["Statement"][0]["Resource"]).into_iter().map(table_of).collect();
    assert_eq!(tables, ["LoginsTable", "SessionsTable"]);
}

/// Nobody signs but the token function, nor reads the public half of a key, nor the secret that keys may lie in; and it
/// signs only as a token is signed.
#[test]
fn who_signs_signs_tokens() {
    let template = Template::of_the_project().unwrap();
    let mut signing = BTreeSet::new();
    for function in template.functions() {
        for statement in statements(&template, &function.binary) {
            // Whatever is about the keys is one of these two, or the secret that they may lie in.
            let is_about_keys = statement.to_string().contains("SigningKey");
            let reads_secret = statement["Action"] == "secretsmanager:GetSecretValue" && is_about_keys;
            assert!(!reads_secret || function.binary == "token", "{}: {statement}", function.binary);
            let actions = list(&statement["Action"]);
            let Some(action) = actions.iter().find(|action| action.as_str().unwrap().starts_with("kms:"))
            else {
                assert!(!is_about_keys || reads_secret, "{}: {statement}", function.binary);
                continue;
            };
            assert_eq!(actions.len(), 1, "{statement}");
            let signs = *action == "kms:Sign";
            assert!(signs || *action == "kms:GetPublicKey", "{statement}");
            let only = json!({"kms:SigningAlgorithm": "RSASSA_PKCS1_V1_5_SHA_256", "kms:MessageType": "RAW"});
            let condition = if signs { json!({ "StringEquals": only }) } else { Value::Null };
            assert_eq!(statement["Condition"], condition, "{statement}");
            let keys = json!(["HasSigningKeys", {"Fn::Split": [",", {"Ref": "SigningKeys"}]}, {"Fn::GetAtt": "SigningKey.Arn"}]);
            assert_eq!(statement["Resource"]["Fn::If"], keys, "{statement}");
            signing.insert((function.binary.clone(), signs));
        }
    }
    assert_eq!(signing, BTreeSet::from([false, true].map(|signs| ("token".to_owned(), signs))));
    // Nor does a role of anything else, and nobody else is told where the keys are.
    let text = fs::read_to_string(workspace().join("template.yaml")).unwrap();
    assert_eq!(text.matches("kms:Sign\n").count(), 1);
    let told = template.functions().into_iter();
    let told = told.filter(|function| function.environment.contains_key("SIGNING_KEYS"));
    assert_eq!(told.map(|function| function.binary).collect::<Vec<_>>(), ["token"]);
    // The key itself lets nobody sign; it leaves that to the roles.
    let key = resource(&template, "AWS::KMS::Key", "SigningKey");
    let policy = key["KeyPolicy"]["Statement"].as_array().unwrap();
    let account = json!({"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}});
    assert_eq!((policy.len(), &policy[0]["Principal"]), (1, &account));
    assert_eq!((&key["KeySpec"], &key["KeyUsage"]), (&json!("RSA_2048"), &json!("SIGN_VERIFY")));
}

/// Lambda puts the functions with a network into it by the permissions of their roles. Their own code has the same role
/// and may use none of these; every other function has none of them.
#[test]
fn who_is_in_a_network_cannot_change_it() {
    let template = Template::of_the_project().unwrap();
    for function in template.functions() {
        let properties = resource(&template, "AWS::Serverless::Function", &function.logical_id);
        let statements = statements(&template, &function.binary).into_iter();
        let of_the_network: Vec<_> = statements
            .filter(|statement| {
                let actions = list(&statement["Action"]);
                actions.iter().any(|action| action.as_str().unwrap().starts_with("ec2:"))
            })
            .collect();
        let effects: Vec<_> = of_the_network.iter().map(|statement| statement["Effect"].as_str()).collect();
        if properties["VpcConfig"].is_null() {
            assert!(effects.is_empty(), "{}", function.binary);
            continue;
        }
        assert_eq!(effects, [Some("Allow"), Some("Deny")], "{}", function.binary);
        let denied = &of_the_network[1];
        assert_eq!((&denied["Action"], &denied["Resource"]), (&json!("ec2:*"), &json!("*")));
        let condition = denied["Condition"].as_object().unwrap();
        assert_eq!(condition.keys().collect::<Vec<_>>(), ["ArnLike"]);
        let code = &condition["ArnLike"]["lambda:SourceFunctionArn"]["Fn::Sub"];
        assert!(code.as_str().is_some_and(|arn| arn.ends_with(":function:*")), "{code}");
    }
}

/// Whatever the doctor may do, it may only look.
#[test]
fn who_looks_after_it_all_only_reads() {
    let template = Template::of_the_project().unwrap();
    let statements = statements(&template, "doctor").into_iter();
    let allowed = statements.filter(|statement| statement["Effect"] == "Allow");
    let actions: BTreeSet<String> = allowed
        .flat_map(|statement| list(&statement["Action"]).into_iter().cloned().collect::<Vec<_>>())
        .map(|action| action.as_str().unwrap().to_owned())
        .collect();
    // Of the network, Lambda itself uses what this role may; the code may not.
    let others: Vec<_> = actions.iter().filter(|action| !action.starts_with("ec2:")).collect();
    assert_eq!(
        others,
        [
            "dynamodb:DescribeTable",
            "dynamodb:DescribeTimeToLive",
            "logs:CreateLogStream",
            "logs:PutLogEvents",
            "secretsmanager:GetSecretValue",
            "sns:ListSubscriptionsByTopic"
        ]
    );
}

/// What the doctor judges is what the functions are set to: it has every variable of each, with the same value; but not
/// where the signing keys are.
#[test]
fn who_looks_after_it_all_is_set_to_what_the_others_are() {
    let template = Template::of_the_project().unwrap();
    let variables = |function: &str| {
        let function = template.functions().into_iter().find(|known| known.binary == function).unwrap();
        let properties = resource(&template, "AWS::Serverless::Function", &function.logical_id);
        properties["Environment"]["Variables"].as_object().cloned().unwrap_or_default()
    };
    let own = variables("doctor");
    for function in template.answering() {
        for (name, value) in variables(&function.binary) {
            let expected = (name != "SIGNING_KEYS").then_some(&value);
            assert_eq!(own.get(&name), expected, "{name} of {}", function.binary);
        }
    }
    let network = |id: &str| resource(&template, "AWS::Serverless::Function", id)["VpcConfig"].clone();
    assert_eq!(network("DoctorFunction"), network("CallbackFunction"), "WeChat is to see one address");
}

#[test]
fn permissions_are_read_as_iam_reads_them() {
    let template = Template::parse(
        "Resources:
  OneFunction:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: one } }
    Properties: { Role: !GetAtt OneRole.Arn }
  OneRole:
    Type: AWS::IAM::Role
    Properties:
      Policies:
        - PolicyDocument:
            Statement:
              - Effect: Allow
                Action: dynamodb:PutItem
                Resource: [!GetAtt A.Arn, !GetAtt B.Arn]
                Condition: { ForAllValues:StringLike: { dynamodb:LeadingKeys: [login#*, request#*] } }
              - !If
                - Switched
                - { Effect: Allow, Action: [dynamodb:GetItem, logs:PutLogEvents], Resource: !GetAtt A.Arn }
                - !Ref AWS::NoValue
              - { Effect: Deny, Action: dynamodb:DeleteItem, Resource: !GetAtt A.Arn }
  OnePolicy:
    Type: AWS::IAM::Policy
    Properties:
      Roles: [!Ref OneRole]
      PolicyDocument: { Statement: { Effect: Allow, Action: dynamodb:Query, Resource: !GetAtt C.Arn } }
  OtherPolicy:
    Type: AWS::IAM::Policy
    Properties:
      Roles: [!Ref OtherRole]
      PolicyDocument: { Statement: { Effect: Allow, Action: dynamodb:Scan, Resource: !GetAtt C.Arn } }",
    )
    .unwrap();
    let allowed = allowed(&template, "one");
    let read: Vec<_> = allowed.iter().map(|((action, table), keys)| json!([action, table, keys])).collect();
    assert_eq!(
        read,
        [
            json!(["GetItem", "A", []]),
            json!(["PutItem", "A", ["login#*", "request#*"]]),
            json!(["PutItem", "B", ["login#*", "request#*"]]),
            json!(["Query", "C", []])
        ]
    );
}
