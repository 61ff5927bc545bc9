//! Alarms, the dashboard, throttles and shares: that what they name exists, and that nobody was forgotten.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use harness::{binaries::workspace, template::Template};
use serde_json::{Value, json};
use settings::Settings;
use web::imprint::Imprint;
use wechat::AppId;

use super::{FIELDS, alarmed, filters, filters_on, namespace, outcomes, template};

/// How long before Lambda's deadline a function answers by itself (`shared/lambda/src/lib.rs`).
const DEADLINE_MARGIN: Duration = Duration::from_millis(1500);

/// The one dashboard, with what stands for the names of resources taken out; and those names.
fn dashboard(template: &Template) -> (Value, BTreeSet<String>) {
    let (_, properties) = template.resources("AWS::CloudWatch::Dashboard").next().unwrap();
    let text = &properties["DashboardBody"]["Fn::Sub"];
    let mut body = text[0].as_str().unwrap().to_owned();
    // What only some deployments show is shown.
    for (name, value) in text[1].as_object().unwrap() {
        assert_eq!(value["Fn::If"][2], "", "{name}");
        body = body.replace(&format!("${{{name}}}"), value["Fn::If"][1]["Fn::Sub"].as_str().unwrap());
    }
    let mut named = BTreeSet::new();
    while let Some((before, rest)) = body.split_once("${") {
        let (name, after) = rest.split_once('}').unwrap();
        named.insert(name.to_owned());
        body = format!("{before}<{name}>{after}");
    }
    (serde_json::from_str(&body).unwrap(), named)
}

fn widgets<'a>(dashboard: &'a Value, kind: &str) -> Vec<&'a Value> {
    let widgets = dashboard["widgets"].as_array().unwrap().iter();
    widgets.filter(|widget| widget["type"] == kind).map(|widget| &widget["properties"]).collect()
}

/// The words of a query outside of its texts, and the texts.
fn words(query: &str) -> (BTreeSet<&str>, BTreeSet<&str>) {
    let parts: Vec<_> = query.split('\'').collect();
    let texts = parts.iter().skip(1).step_by(2).copied().collect();
    let outside = parts.iter().step_by(2);
    let words =
        outside.flat_map(|part| part.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_'));
    (words.filter(|word| !word.is_empty()).collect(), texts)
}

/// Every metric that a filter makes.
fn metrics(template: &Template) -> BTreeSet<String> {
    let groups = ["FunctionLogs", "AccessLogs"];
    groups.iter().flat_map(|group| filters_on(template, group)).map(|filter| filter.metric).collect()
}

#[test]
fn every_alarm_watches_something_and_tells_somebody() {
    let template = template();
    let metrics = metrics(&template);
    let actions = json!([
        { "Fn::If": ["HasAlarmEmail", { "Ref": "AlarmTopic" }, { "Ref": "AWS::NoValue" }] },
        { "Fn::If": ["HasAlarmTopic", { "Ref": "AlarmTopicArn" }, { "Ref": "AWS::NoValue" }] },
    ]);
    for (id, alarm) in template.resources("AWS::CloudWatch::Alarm") {
        assert_eq!(alarm["AlarmActions"], actions, "{id}");
        assert_eq!(alarm["TreatMissingData"], "notBreaching", "{id}");
        assert!(alarm["AlarmDescription"].as_str().is_some_and(|text| text.len() > 20), "{id}");
        assert_eq!(alarm["ComparisonOperator"], "GreaterThanOrEqualToThreshold", "{id}");
    }
    for (id, metric) in alarmed(&template) {
        assert!(metrics.contains(&metric), "{id} watches {metric}, which nothing counts");
    }
    // A metric of ours in our namespace, or none that we make at all.
    for (id, filter) in template.resources("AWS::Logs::MetricFilter") {
        assert_eq!(filter["MetricTransformations"][0]["MetricNamespace"], namespace(), "{id}");
    }
}

#[test]
fn the_alarms_on_aws_watch_every_function_and_table() {
    let template = template();
    let watched = |metric: &str| -> BTreeSet<String> {
        let alarms = template.resources("AWS::CloudWatch::Alarm");
        alarms
            .flat_map(|(_, alarm)| alarm["Metrics"].as_array().cloned().unwrap_or_default())
            .map(|entry| {
                let [condition, switched, otherwise] = [0, 1, 2].map(|place| &entry["Fn::If"][place]);
                let watched = if condition.is_null() { &entry } else { switched };
                let id = &watched["MetricStat"]["Metric"]["Dimensions"][0]["Value"]["Ref"];
                // What a condition makes is watched under that condition.
                let made = id.as_str().and_then(|id| template.condition(id));
                assert_eq!(made, condition.as_str(), "{id}");
                assert!(condition.is_null() || otherwise["Ref"] == "AWS::NoValue", "{id}");
                watched["MetricStat"]["Metric"].clone()
            })
            .filter(|watched| watched["MetricName"] == metric)
            .map(|watched| watched["Dimensions"][0]["Value"]["Ref"].as_str().unwrap().to_owned())
            .collect()
    };
    // Whoever invokes the doctor sees for himself how that ends.
    let functions: BTreeSet<_> =
        template.answering().into_iter().map(|function| function.logical_id).collect();
    let tables: BTreeSet<_> = template.tables().into_iter().map(|table| table.logical_id).collect();
    for (metric, all) in [
        ("Errors", &functions),
        ("Throttles", &functions),
        ("ReadThrottleEvents", &tables),
        ("WriteThrottleEvents", &tables),
        ("5xx", &BTreeSet::from(["HttpApi".to_owned()])),
    ] {
        assert_eq!(watched(metric), *all, "{metric}");
    }
}

#[test]
fn the_dashboard_shows_what_there_is() {
    let template = template();
    let (dashboard, named) = dashboard(&template);
    let of_type = |kind: &str| template.resources(kind).map(|(id, _)| id).collect::<BTreeSet<_>>();
    let mut known: BTreeSet<_> = of_type("AWS::Serverless::Function");
    known.extend(of_type("AWS::Logs::LogGroup"));
    known.extend(of_type("AWS::Serverless::HttpApi"));
    known.extend(of_type("AWS::CloudWatch::Alarm").into_iter().map(|id| format!("{id}.Arn")));
    known.extend(["AWS::Region", "AWS::StackName"].map(str::to_owned));
    let strange: Vec<_> = named.difference(&known).collect();
    assert!(strange.is_empty(), "{strange:?}");

    // Every metric that a filter makes is shown, and no other of our namespace.
    let made = metrics(&template);
    let mut shown = BTreeSet::new();
    for properties in widgets(&dashboard, "metric") {
        for metric in properties["metrics"].as_array().unwrap() {
            if metric[0] == "WeChatLogin/<AWS::StackName>" {
                shown.insert(metric[1].as_str().unwrap().to_owned());
            }
        }
    }
    assert_eq!(shown, made);
    // Every function that answers is seen at work.
    let at_work = template.answering().into_iter().map(|function| function.logical_id);
    let missing: Vec<_> = at_work.filter(|id| !named.contains(id)).collect();
    assert!(missing.is_empty(), "{missing:?}");

    let alarms = widgets(&dashboard, "alarm");
    let alarms: BTreeSet<_> = alarms[0]["alarms"].as_array().unwrap().iter().map(Value::to_string).collect();
    let all = of_type("AWS::CloudWatch::Alarm");
    assert_eq!(alarms, all.iter().map(|id| format!("\"<{id}.Arn>\"")).collect());
}

#[test]
fn every_query_of_the_dashboard_names_what_is_logged() {
    const LANGUAGE: [&str; 14] = [
        "SOURCE",
        "filter",
        "and",
        "not",
        "in",
        "stats",
        "count",
        "as",
        "by",
        "sort",
        "desc",
        "ispresent",
        "requests",
        "outcome",
    ];
    let template = template();
    let (dashboard, _) = dashboard(&template);
    let groups: BTreeSet<_> = template.resources("AWS::Logs::LogGroup").map(|(id, _)| id).collect();
    let everything: BTreeSet<_> =
        outcomes::functions().into_iter().flat_map(outcomes::of).map(|(name, _)| name).collect();
    let queries = widgets(&dashboard, "log");
    assert_eq!(queries.len(), 2);
    for properties in queries {
        let query = properties["query"].as_str().unwrap();
        let (words, texts) = words(query);
        for word in words {
            assert!(LANGUAGE.contains(&word) || FIELDS.contains(&word), "{word}: {query}");
        }
        for text in texts {
            let group = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
            let is_known = group.map_or(
                text == "request" || outcomes::functions().contains(&text) || everything.contains(text),
                |group| groups.contains(group),
            );
            assert!(is_known, "{text}: {query}");
        }
    }
}

#[test]
fn a_slow_request_is_told_of_before_it_is_given_up() {
    let template = template();
    let slow = filters(&template).into_iter().find(|filter| filter.metric == "SlowRequests").unwrap();
    let comparisons = slow.pattern.comparisons();
    let milliseconds = comparisons[0].1.as_u64().unwrap();
    for function in template.answering() {
        let given_up = function.timeout.saturating_sub(DEADLINE_MARGIN);
        let told = Duration::from_millis(milliseconds);
        assert!(told < given_up && told * 2 > given_up, "{}: {told:?}", function.binary);
    }
}

/// Settings of a route that is gone would stop the update that takes it away
/// ([serverless-application-model#1939](https://github.com/aws/serverless-application-model/issues/1939)), so a route
/// that goes with a parameter has the default ones.
#[test]
fn every_route_that_stays_has_a_throttle_of_its_own() {
    let template = template();
    let (_, api) = template.resources("AWS::Serverless::HttpApi").next().unwrap();
    let throttles = api["RouteSettings"].as_object().unwrap();
    let functions = template.functions().into_iter();
    let staying = functions.filter(|function| template.condition(&function.logical_id).is_none());
    let staying: Vec<_> = staying.map(|function| function.binary).collect();
    let routes = template.routes().into_iter().filter(|route| staying.contains(&route.binary));
    let routes: BTreeSet<_> = routes.map(|route| format!("{} {}", route.method, route.path)).collect();
    assert_eq!(throttles.keys().cloned().collect::<BTreeSet<_>>(), routes);
    let flood = template.resources("AWS::CloudWatch::Alarm").find(|(id, _)| id == "FloodAlarm").unwrap().1;
    let period = flood["Period"].as_u64().unwrap();
    let (_, parameter) = template.parameters().find(|(name, _)| *name == "LoginsPerSecond").unwrap();
    let default = parameter["Default"].as_u64().unwrap();
    for logins in choices(&template) {
        let template = template.clone().with("LoginsPerSecond", logins);
        let number =
            |value: &Value| template.resolve(value).and_then(|text| text.parse::<u64>().ok()).unwrap();
        let rates = |throttle: &Value| {
            let [rate, burst] =
                ["ThrottlingRateLimit", "ThrottlingBurstLimit"].map(|name| number(&throttle[name]));
            // API Gateway lets no account do 10,000 a second, or burst above 5,000; in [a dozen
            // regions](https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html) the burst ends at
            // 1,250, and who says nothing can deploy there too.
            let most = if logins == default { 1250 } else { 5000 };
            assert!(rate <= burst && burst <= most, "{logins}: {throttle}");
            rate
        };
        assert_eq!(rates(&api["DefaultRouteSettings"]), logins);
        for (route, throttle) in throttles {
            let (rate, of_a_login) =
                (rates(throttle), route.contains("/authorize") || route.contains("/logout"));
            // Whoever waits for a phone asks every three seconds, half a minute long.
            let most = if route == "GET /handoff/wait" { logins * 10 } else { logins * 5 };
            assert!(rate * 2 >= logins && rate <= most, "{logins}: {route}");
            assert!(!of_a_login || rate == logins, "{logins}: {route}");
        }
        // WeChat may call back twice.
        assert_eq!(rates(&throttles["GET /callback"]), logins * 2);
        assert_eq!(rates(&throttles["GET /handoff/wait"]), (logins * 10).min(5000));
        // Somebody who fills half of the throttle is noticed.
        assert_eq!(number(&flood["Threshold"]) * 2, logins * period);
    }
}

/// The values that `LoginsPerSecond` can have.
fn choices(template: &Template) -> Vec<u64> {
    let parameter = template.parameters().find(|(name, _)| *name == "LoginsPerSecond").unwrap().1;
    let choices: Vec<_> =
        parameter["AllowedValues"].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
    assert!(choices.len() > 3 && choices.contains(&parameter["Default"].as_u64().unwrap()));
    choices
}

/// Without the parameter there is nothing of an OpenID Provider: no function, role or key, nothing that a route of it
/// leads to, no output, and the dashboard and the alarms are what they were.
#[test]
fn a_deployment_without_a_provider_has_nothing_of_it() {
    let without = template();
    let with = without.clone().with("OpenidConnect", "{}");
    let given = with.clone().with("SigningKeys", "arn:aws:kms:us-east-1:123456789012:key/1");
    let functions = ["OpenidFunction", "TokenFunction"];
    let outputs = ["Issuer", "AuthorizationEndpoint", "TokenEndpoint", "UserInfoEndpoint", "JwksUri"];
    let watched = ["TokensReusedMetric", "TokensReusedAlarm"];
    let parts = [&functions[..], &["OpenidRole", "TokenRole"], &watched, &outputs].concat();
    for id in &parts {
        assert_eq!([&without, &with, &given].map(|template| template.makes(id)), [false, true, true], "{id}");
    }
    assert_eq!([&without, &with, &given].map(|template| template.makes("SigningKey")), [false, true, false]);
    // Every other function is there in any case.
    let made = without.functions().into_iter().filter(|function| without.makes(&function.logical_id));
    assert_eq!(made.count(), without.functions().len() - functions.len());
}

/// What runs can be told from outside: the stack, the home page and the log say the version of the workspace. So does
/// the Serverless Application Repository.
#[test]
fn the_stack_says_its_version() {
    let template = template();
    assert_eq!(template.application()["SemanticVersion"], env!("CARGO_PKG_VERSION"));
    let version = template.outputs().find(|(name, _)| *name == "Version").unwrap().1;
    assert_eq!(template.resolve(&version["Value"]).as_deref(), Some(env!("CARGO_PKG_VERSION")));
}

/// Between two releases the version is the next one's, with `-dev`: what is deployed then is not taken for a release.
#[test]
fn only_a_release_is_called_one() {
    let version = env!("CARGO_PKG_VERSION");
    let number = version.strip_suffix("-dev").unwrap_or(version);
    let changes = std::fs::read_to_string(workspace().join("CHANGELOG.md")).unwrap();
    let is_described = changes.lines().any(|line| line == format!("## {number}"));
    let is_golden = workspace().join(format!("tests/golden/{number}.json")).is_file();
    assert_eq!([is_described, is_golden], [version == number; 2], "{version}");
}

/// `sam deploy --guided` asks for each parameter and nine things of its own: counted in a terminal.
#[test]
fn the_guide_says_how_much_guided_asks() {
    let questions = template().parameters().count() + 9;
    for (language, words) in
        [("en", format!("asks {questions} questions")), ("zh-CN", format!("问 {questions} 个问题"))]
    {
        let page = workspace().join(format!("docs/{language}/guide/deploy.md"));
        let text = std::fs::read_to_string(page).unwrap();
        assert!(text.contains(&words), "{language}: {words}");
    }
}

/// What does not go together is refused before a resource is touched, and what goes together is not.
#[test]
fn the_rules_refuse_what_does_not_go_together() {
    const ADDRESS: &str = "eipalloc-0123456789abcdef0";
    const TOKENS: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:tokens-AbCdEf";
    let (account, website, platform) = ("wx0123456789abcdef", "wxfedcba9876543210", "wx00112233445566ff");
    for (parameters, refused) in [
        (&[("OfficialAccountAppId", account)][..], None),
        (&[("WebsiteAppId", website)], None),
        (&[("OfficialAccountAppId", account), ("WebsiteAppId", website)], None),
        (&[], Some("Nobody can log in without an app")),
        (&[("OfficialAccountAppId", account), ("WebsiteAppId", account)], Some("are the same")),
        (&[("WebsiteAppId", website), ("FixedAddress", "true")], None),
        (&[("WebsiteAppId", website), ("FixedAddress", "true"), ("EgressAllocationId", ADDRESS)], None),
        (
            &[("WebsiteAppId", website), ("EgressAllocationId", ADDRESS)],
            Some("EgressAllocationId is an address for FixedAddress"),
        ),
        (
            &[
                ("OfficialAccountAppId", account),
                ("ComponentAppId", platform),
                ("ComponentTokensArn", TOKENS),
            ],
            None,
        ),
        (
            &[("OfficialAccountAppId", account), ("ComponentAppId", platform)],
            Some("ComponentTokensArn is missing"),
        ),
        (
            &[("OfficialAccountAppId", account), ("ComponentAppId", account), ("ComponentTokensArn", TOKENS)],
            Some("ComponentAppId is wrong"),
        ),
        (
            &[
                ("OfficialAccountAppId", account),
                ("WebsiteAppId", website),
                ("ComponentAppId", website),
                ("ComponentTokensArn", TOKENS),
            ],
            Some("ComponentAppId is wrong"),
        ),
    ] {
        let template =
            parameters.iter().fold(template(), |template, (name, value)| template.with(name, *value));
        let broken = template.broken_rules();
        assert_eq!(broken.len(), usize::from(refused.is_some()), "{parameters:?}: {broken:?}");
        assert!(refused.is_none_or(|words| broken[0].contains(words)), "{parameters:?}: {broken:?}");
    }
}

/// Lambda's own lines of every invocation would be 44 % of the log, which is a fifth of the bill; what a failure leaves
/// is kept. A function with a configuration of its own would have the default again.
#[test]
fn of_lambdas_own_lines_only_those_of_a_failure_are_kept() {
    let template = template();
    let logging =
        json!({ "LogFormat": "JSON", "SystemLogLevel": "WARN", "LogGroup": { "Ref": "FunctionLogs" } });
    assert_eq!(template.function_defaults()["LoggingConfig"], logging);
    for (id, function) in template.resources("AWS::Serverless::Function") {
        assert_eq!(function["LoggingConfig"], Value::Null, "{id}");
    }
}

/// IAM takes [6,144 characters](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html) of a policy
/// that can be attached, white space aside; in China each ARN has three more, and a stack may have a longer name.
#[test]
fn the_deployers_policy_is_one_that_iam_takes() {
    let policy = std::fs::read_to_string(workspace().join("tests/rehearsal/deployer.json")).unwrap();
    let policy = policy.replace("arn:aws:", "arn:aws-cn:").replace("wechat-login", "wechat-login-of-a-shop");
    let length = policy.chars().filter(|letter| !letter.is_whitespace()).count();
    assert!(length <= 6144, "{length}");
}

/// What a deployment with other values would pass here and in an emulated AWS, and only a real account would show.
#[test]
fn what_only_a_real_account_would_show_stays_as_it_is() {
    let template = template();
    let resource = |kind: &str, id: &str| {
        let found = template.resources(kind).find(|(name, _)| name == id);
        found.unwrap_or_else(|| unreachable!("there is no {id}")).1
    };
    // API Gateway writes each group with another prefix into one policy, which gets too long.
    let group = &resource("AWS::Logs::LogGroup", "AccessLogs")["LogGroupName"];
    assert!(group["Fn::Sub"].as_str().unwrap().starts_with("/aws/vendedlogs/"), "{group}");
    // No function may decrypt with a key of one's own.
    for name in ["AppSecretsArn", "ComponentTokensArn"] {
        let (_, parameter) = template.parameters().find(|(known, _)| *known == name).unwrap();
        let said = parameter["Description"].as_str().unwrap();
        assert!(said.contains("encrypted with the key aws/secretsmanager"), "{name}: {said}");
    }
    // One slow request in five minutes is a hiccup of the line.
    assert_eq!(resource("AWS::CloudWatch::Alarm", "SlowRequestsAlarm")["Threshold"], 3);
    // An alarm on a metric of DynamoDB stays as it is while there is no data. On others the newest figure would be held
    // back.
    for (id, alarm) in template.resources("AWS::CloudWatch::Alarm") {
        let Some(total) = alarm["Metrics"][0]["Expression"].as_str().filter(|text| text.starts_with("SUM("))
        else {
            continue;
        };
        assert_eq!(total.contains("FILL("), id == "TableThrottlesAlarm", "{id}: {total}");
    }
    // `SSEEnabled` is a key of KMS, which costs something for each request; a backup would keep what is over for 35
    // days.
    let tables: Vec<_> = template.resources("AWS::DynamoDB::Table").collect();
    assert_eq!(tables.len(), 2);
    for (id, table) in tables {
        assert_eq!(table["SSESpecification"], Value::Null, "{id}");
        assert_eq!(table["PointInTimeRecoverySpecification"], Value::Null, "{id}");
    }
    // Of a secret, `!Ref` is its ARN at AWS and its name elsewhere.
    let text = std::fs::read_to_string(workspace().join("template.yaml")).unwrap();
    assert!(text.contains("!GetAtt AppSecrets.Id") && !text.contains("!Ref AppSecrets]"), "AppSecrets");
    assert!(!text.contains("!Ref AppSecrets\n") && !text.contains("!Ref AppSecrets,"), "AppSecrets");
}

/// An output names steps of the guide, which speaks of consoles there in both languages.
#[test]
fn the_steps_that_an_output_names_are_those_of_the_consoles() {
    let template = template();
    let (_, output) = template.outputs().find(|(name, _)| *name == "WeChatDomain").unwrap();
    let said = output["Description"].as_str().unwrap();
    assert!(said.ends_with("steps 4 and 5 of docs/en/guide/deploy.md."), "{said}");
    for (language, headings) in [
        ("en", ["\n## 4. The Official Account's console\n", "\n## 5. The website app's console\n"]),
        ("zh-CN", ["\n## 4. 网页授权域名\n", "\n## 5. 授权回调域\n"]),
    ] {
        let page = workspace().join(format!("docs/{language}/guide/deploy.md"));
        let page = std::fs::read_to_string(page).unwrap();
        assert!(headings.iter().all(|heading| page.contains(heading)), "{language}: {headings:?}");
    }
}

/// Visitors who are turned away by API Gateway meet no function, and so no line of ours.
#[test]
fn a_request_that_is_turned_away_is_counted() {
    let template = template();
    let (_, api) = template.resources("AWS::Serverless::HttpApi").next().unwrap();
    let format = api["AccessLogSettings"]["Format"].as_str().unwrap();
    let filters = filters_on(&template, "AccessLogs");
    let counted = |status: &str| {
        let line = format.replace("$context.status", status);
        let line: Value = serde_json::from_str(&line).unwrap();
        filters.iter().filter(|filter| filter.pattern.matches(&line)).count()
    };
    assert_eq!(["200", "403", "429", "503"].map(counted), [0, 0, 1, 0]);
    assert!(alarmed(&template).values().any(|metric| metric == "RequestsThrottled"));
}

/// The document that SAM makes of the API has warnings, whatever the template says (its `servers` has no `url`).
#[test]
fn no_warning_about_the_api_fails_a_deployment() {
    let template = template();
    let apis = ["AWS::Serverless::HttpApi", "AWS::ApiGatewayV2::Api"];
    let apis: Vec<_> = apis.iter().flat_map(|kind| template.resources(kind)).collect();
    assert_eq!(apis.len(), 1);
    for (id, api) in apis {
        assert_eq!(api["FailOnWarnings"], Value::Null, "{id}");
        assert_eq!(api["Auth"], json!({ "EnableIamAuthorizer": false }), "{id}");
    }
}

/// CloudFormation gives every other letter of a description, or of an output, back as a question mark.
#[test]
fn the_template_is_in_ascii() {
    let text = std::fs::read_to_string(workspace().join("template.yaml")).unwrap();
    let beyond: Vec<_> = text.lines().filter(|line| !line.is_ascii()).collect();
    assert!(beyond.is_empty(), "{beyond:?}");
}

/// A Chinese name percent-encoded is as long as a text can get that a function takes.
#[test]
fn the_longest_texts_of_a_site_fit_into_the_template() {
    let template = template();
    for (parameter, setting, characters) in
        [("SiteName", "SITE_NAME", 40), ("ConsentPurpose", "CONSENT_PURPOSE", 80)]
    {
        let declared = template.parameters().find(|(name, _)| *name == parameter).unwrap().1;
        assert_eq!(declared["MaxLength"], characters * "%E9%9D%92".len(), "{parameter}");
        let variable = |name: &str| (name == setting).then(|| "%E9%9D%92".repeat(characters));
        let mut settings = Settings::new(&variable);
        let read = Imprint::read(&mut settings);
        assert!(settings.checked(read).is_ok(), "{setting}");
    }
}

/// A value that the template takes and a function refuses would deploy, and log nobody in.
#[test]
fn an_appid_is_the_same_to_the_template_and_to_the_functions() {
    let template = template();
    let appids = template.parameters().filter(|(name, _)| name.ends_with("AppId"));
    let patterns: BTreeSet<_> =
        appids.map(|(_, parameter)| parameter["AllowedPattern"].as_str().unwrap()).collect();
    assert_eq!(patterns, BTreeSet::from(["^(wx[0-9a-f]{16})?$"]));
    for (text, is_one) in [
        ("wx0123456789abcdef", true),
        ("wx0123456789abcdeg", false),
        ("wx0123456789ABCDEF", false),
        ("wx0", false),
    ] {
        assert_eq!(AppId::parse(text).is_some(), is_one, "{text}");
    }
}

#[test]
fn every_function_can_have_a_share_and_a_log_that_ends() {
    let template = template();
    for logins in choices(&template) {
        let template = template.clone().with("LoginsPerSecond", logins);
        let mut shares = BTreeMap::new();
        let answering: Vec<_> =
            template.answering().into_iter().map(|function| function.logical_id).collect();
        for (id, function) in template.resources("AWS::Serverless::Function") {
            if !answering.contains(&id) {
                continue;
            }
            let share = &function["ReservedConcurrentExecutions"]["Fn::If"];
            assert_eq!(
                (&share[0], &share[2]),
                (&json!("ReservesConcurrency"), &json!({ "Ref": "AWS::NoValue" })),
                "{id}"
            );
            let number: u64 = template.resolve(&share[1]).unwrap().parse().unwrap();
            shares.insert(share[1]["Fn::FindInMap"][2].as_str().unwrap().to_owned(), number);
        }
        assert_eq!(shares.len(), answering.len(), "{shares:?}");
        // What the description of ReserveConcurrency says.
        let together: u64 = shares.values().sum();
        assert_eq!(together * 10, logins * 23, "{shares:?}");
    }
    let mut logs = 0;
    for (id, group) in template.resources("AWS::Logs::LogGroup") {
        assert_eq!(group["RetentionInDays"], json!({ "Ref": "LogRetentionDays" }), "{id}");
        logs += 1;
    }
    assert_eq!(logs, 2, "one for the functions, one for API Gateway");
}
