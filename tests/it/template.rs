//! What the template watches, held against what the functions log.
//!
//! A metric filter that names an outcome which no longer exists counts nothing and says nothing. So the
//! filters are evaluated here, by an interpreter of their language ([`harness::pattern`]), over the lines of real
//! logins, and every name in a filter or in a query must be one of the log's ([`outcomes`]). What the
//! template makes of the metrics is in [`operation`].

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "the helpers of these tests fail as the tests do; what is missing in JSON reads as null"
)]

mod cost;
mod expression;
mod operation;
pub mod outcomes;

use std::collections::{BTreeMap, BTreeSet};

use harness::{
    Options, Stack, Visitor,
    binaries::workspace,
    events::Event,
    logs::Logs,
    pattern::Pattern,
    places::{AUTH, AUTHORIZE, BROWSER_COOKIE, EXCHANGE, PROFILE, REFRESH, USERINFO, callback, parameter},
    stack::{PAGE_ORIGIN, errcode, raw},
    template::Template,
    visitor::callback_of,
};
use serde_json::{Value, json};
use simulator::{Action, Consent, Denial, Entry, Fault, Snapshot};
use tokio::net::TcpListener;
use wechat::errcode::{KNOWN, Reaction};

use crate::openid::code_flow;
use crate::support::{allow, stack, stack_that_reads_again};
use outcomes::{Level, functions};

/// Every field of a line.
const FIELDS: [&str; 15] = [
    "cause",
    "client",
    "correlation_id",
    "duration_ms",
    "errcode",
    "function",
    "level",
    "message",
    "outcome",
    "place",
    "rid",
    "status",
    "timestamp",
    "version",
    "wechat_ms",
];

/// The metrics that say what a callback came to; exactly one for each.
const ENDS: [&str; 4] = ["LoginsFinished", "LoginsDuplicated", "LoginsDenied", "LoginsRefused"];

/// A metric filter on the log of the functions.
struct Filter {
    metric: String,
    value: Value,
    pattern: Pattern,
    text: String,
}

fn template() -> Template {
    Template::read(&workspace().join("template.yaml")).unwrap()
}

/// The metric filters on a log group.
fn filters_on(template: &Template, group: &str) -> Vec<Filter> {
    template
        .resources("AWS::Logs::MetricFilter")
        .filter(|(_, properties)| properties["LogGroupName"]["Ref"] == group)
        .map(|(id, properties)| {
            let text = properties["FilterPattern"].as_str().unwrap().to_owned();
            let transformations = properties["MetricTransformations"].as_array().unwrap();
            assert_eq!(transformations.len(), 1, "{id}");
            let metric = transformations[0]["MetricName"].as_str().unwrap().to_owned();
            assert_eq!(properties["FilterName"], metric, "{id}");
            assert_eq!(id, format!("{metric}Metric"));
            assert!(text.len() <= 1024, "CloudWatch takes no longer pattern: {id}");
            Filter {
                metric,
                value: transformations[0]["MetricValue"].clone(),
                pattern: Pattern::read(&text).unwrap(),
                text,
            }
        })
        .collect()
}

fn filters(template: &Template) -> Vec<Filter> {
    filters_on(template, "FunctionLogs")
}

/// The lines that a stack printed, by function.
fn lines(logs: &Logs) -> Vec<(String, Value)> {
    let lines = logs.lines().into_iter().filter(|line| line.worker > 0);
    lines.filter_map(|line| Some((line.function, serde_json::from_str(&line.text).ok()?))).collect()
}

/// How often a metric would have counted.
fn count(filters: &[Filter], metric: &str, lines: &[(String, Value)]) -> usize {
    let filter = filters.iter().find(|filter| filter.metric == metric);
    let filter = filter.unwrap_or_else(|| unreachable!("nothing counts {metric}"));
    lines.iter().filter(|(_, line)| filter.pattern.matches(line)).count()
}

/// The metrics that an alarm watches, by alarm; of the ones that the filters make.
fn alarmed(template: &Template) -> BTreeMap<String, String> {
    let alarms = template.resources("AWS::CloudWatch::Alarm");
    alarms
        .filter(|(_, alarm)| alarm["Namespace"] == namespace())
        .map(|(id, alarm)| (id, alarm["MetricName"].as_str().unwrap().to_owned()))
        .collect()
}

fn namespace() -> Value {
    json!({ "Fn::Sub": "WeChatLogin/${AWS::StackName}" })
}

fn refuse_with(stack: &Stack, errcode: i64) {
    stack.simulator().knobs(|knobs| knobs.script(EXCHANGE, Fault::Errcode { errcode, errmsg: None }));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_filters_count_what_happened() {
    let stack = stack().await.unwrap();
    allow(&stack);
    // Three logins, of which one is repeated and one opened by a stranger.
    let visitor = stack.visitor("lin");
    let callback = callback_of(&visitor.log_in().await.unwrap()).unwrap();
    visitor.log_in_with_profile().await.unwrap();
    let other = stack.visitor("lin");
    let repeated = callback_of(&other.log_in().await.unwrap()).unwrap();
    assert_eq!(other.call_back(&repeated).await.unwrap().status, 303);
    stack.visitor("lin").call_back(&callback).await.unwrap();
    // One is declined.
    stack.simulator().knobs(|knobs| {
        knobs.consent = Consent::Deny;
        knobs.denial = Denial::Authdeny;
    });
    stack.browser().follow(&format!("{AUTHORIZE}?scope=snsapi_userinfo")).await.unwrap();
    // One is of an app whose secret is wrong, one meets WeChat at a bad time.
    refuse_with(&stack, 40013);
    stack.browser().follow(AUTHORIZE).await.unwrap();
    refuse_with(&stack, -1);
    let unlucky = stack.visitor("lin");
    unlucky.call_back(&unlucky.come_back(AUTHORIZE).await.unwrap()).await.unwrap();
    // Who is logged in is asked, and what nobody can read is sent.
    visitor.userinfo().await.unwrap();
    for event in Event::all().unwrap() {
        if event.name.ends_with("-raw-quote") {
            stack.gateway().invoke(event.function, &event.payload).await.unwrap();
        }
    }

    let template = template();
    let (filters, lines) = (filters(&template), lines(&stack.stop().await));
    for (metric, expected) in [
        ("LoginsStarted", 6),
        ("LoginsFinished", 3),
        ("LoginsDuplicated", 1),
        ("LoginsDenied", 1),
        // The stranger, the wrong secret, the bad time, and the callback that nobody can read.
        ("LoginsRefused", 4),
        ("ConfigurationErrors", 1),
        ("WechatTrouble", 1),
        ("InvariantViolations", 0),
        ("ServiceErrors", 0),
        ("SlowRequests", 0),
        // The three logins and the two that WeChat refused. The profile that was asked for is at hand.
        ("WechatMilliseconds", 5),
    ] {
        assert_eq!(count(&filters, metric, &lines), expected, "{metric}: {lines:#?}");
    }
    assert_eq!(stack.requests(EXCHANGE).len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_says_how_long_wechat_took_if_it_was_asked() {
    let stack = stack().await.unwrap();
    stack.simulator().knobs(|knobs| knobs.delay_milliseconds.insert(EXCHANGE.to_owned(), 300));
    stack.visitor("lin").log_in().await.unwrap();
    let lines = lines(&stack.stop().await);
    let of = |function: &str| {
        let found = lines.iter().find(|(name, line)| name == function && line["message"] == "request");
        found.unwrap_or_else(|| unreachable!("{function} logged nothing")).1.clone()
    };
    assert_eq!(of("authorize").get("wechat_ms"), None);
    let callback = of("callback");
    let (waited, took) = (callback["wechat_ms"].as_u64().unwrap(), callback["duration_ms"].as_u64().unwrap());
    assert!((300..5000).contains(&waited) && waited <= took, "{callback}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_errcode_that_is_a_matter_of_configuration_sets_off_the_alarm() {
    let stack = stack().await.unwrap();
    let codes: Vec<_> = KNOWN
        .iter()
        .map(|known| (known.errcode.get(), known.reaction))
        .chain([(98765, Reaction::Configuration)])
        .collect();
    let mut expected = 0;
    for (errcode, reaction) in codes {
        refuse_with(&stack, errcode);
        let visitor = stack.visitor("lin");
        visitor.call_back(&visitor.come_back(AUTHORIZE).await.unwrap()).await.unwrap();
        // 40001, which elsewhere says that a token is dead, says of an exchange that the secret is wrong.
        expected += usize::from(reaction == Reaction::Configuration || errcode == 40001);
    }
    assert!(expected > 20, "{expected}");
    let template = template();
    let (filters, lines) = (filters(&template), lines(&stack.stop().await));
    assert_eq!(count(&filters, "ConfigurationErrors", &lines), expected);
    assert!(alarmed(&template).values().any(|metric| metric == "ConfigurationErrors"));
    for errcode in [40125, 40013, 40164, 48001] {
        let is_known = KNOWN
            .iter()
            .any(|known| known.errcode.get() == errcode && known.reaction == Reaction::Configuration);
        assert!(is_known, "{errcode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_logged_is_listed_at_its_level() {
    let options = code_flow::options("openid").unwrap().with("PROFILE_LIFETIME_SECONDS", "0");
    let usual = Stack::start(options).await.unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let without_tables =
        Stack::start(Options::default().with("AWS_ENDPOINT_URL_DYNAMODB", &format!("http://{closed}")))
            .await
            .unwrap();
    let without_secret =
        Stack::start(Options::default().with("APP_SECRETS", r#"{"wx0000000000000bbb":"x"}"#)).await.unwrap();
    for event in Event::all().unwrap() {
        usual.gateway().invoke(event.function, &event.payload).await.unwrap();
        let needs_a_table =
            ["authorize-silent", "callback-unknown-state", "userinfo-unknown-session", "logout-script"];
        if needs_a_table.contains(&event.name.as_str()) {
            without_tables.gateway().invoke(event.function, &event.payload).await.unwrap();
        }
    }
    without_secret.browser().follow(AUTHORIZE).await.unwrap();

    allow(&usual);
    for errcode in [40029, 40125, 40226, -1] {
        refuse_with(&usual, errcode);
        usual.browser().follow(AUTHORIZE).await.unwrap();
    }
    let visitor = usual.visitor("lin");
    let callback = callback_of(&visitor.log_in_with_profile().await.unwrap()).unwrap();
    visitor.call_back(&callback).await.unwrap();
    visitor.userinfo().await.unwrap();
    usual.simulator().knobs(|knobs| knobs.userinfo_answers_other_openid = true);
    visitor.userinfo().await.unwrap();
    usual.browser().follow(&format!("{AUTHORIZE}?scope=snsapi_userinfo")).await.unwrap();
    visitor.erase().await.unwrap();
    visitor.call_back(&callback).await.unwrap();
    usual.visitor("lin").log_out().await.unwrap();
    usual.simulator().knobs(|knobs| knobs.userinfo_answers_other_openid = false);
    let client = code_flow::visitor(&usual, "zhou");
    let code = code_flow::code(&client, &[]).await.unwrap();
    for _ in 0..2 {
        code_flow::redeem(&usual, &code, &[]).await.unwrap();
    }

    let mut seen = BTreeSet::new();
    for stack in [&usual, &without_tables, &without_secret] {
        for (function, line) in lines(&stack.stop().await) {
            let name = line["outcome"].as_str().unwrap().to_owned();
            let listed = outcomes::of(&function).into_iter().find(|(outcome, _)| *outcome == name);
            let Some((_, level)) = listed else { unreachable!("not listed: {line}") };
            let is_error = line["level"] == "ERROR";
            let errcode = line["errcode"].as_i64().is_some_and(|errcode| errcode > 0);
            let is_right = match level {
                Level::Info => !is_error,
                Level::Error => is_error,
                Level::ByErrcode => !is_error || errcode,
            };
            assert!(is_right, "{level:?}: {line}");
            for field in line.as_object().unwrap().keys() {
                assert!(FIELDS.contains(&field.as_str()), "{field}: {line}");
            }
            seen.insert((function, name));
        }
    }
    let own = reference::outcomes().into_iter().map(|(_, outcomes)| outcomes.len());
    let listed: usize = own.sum();
    assert!(seen.len() * 2 > listed, "only {} of {listed}: {seen:?}", seen.len());
}

#[test]
fn every_callback_is_counted_once_and_every_error_sets_off_an_alarm() {
    let template = template();
    let (filters, alarmed) = (filters(&template), alarmed(&template));
    for function in functions() {
        for (outcome, level) in outcomes::of(function) {
            let line = |level: &str, errcode: Option<i64>| {
                let mut line = json!({
                    "message": "request", "function": function, "level": level, "outcome": outcome,
                });
                if let Some(errcode) = errcode {
                    line["errcode"] = errcode.into();
                }
                vec![(function.to_owned(), line)]
            };
            if function == "callback" {
                let ends = ENDS.iter().filter(|metric| count(&filters, metric, &line("INFO", None)) == 1);
                assert_eq!(ends.count(), 1, "{outcome}");
            }
            let alarms = |lines: &[(String, Value)]| {
                let errors = ["InvariantViolations", "ConfigurationErrors", "ServiceErrors"];
                let metrics = alarmed.values().filter(|metric| errors.contains(&metric.as_str()));
                metrics.filter(|metric| count(&filters, metric, lines) == 1).count()
            };
            match level {
                Level::Error => assert_eq!(alarms(&line("ERROR", None)), 1, "{function}: {outcome}"),
                Level::Info => assert_eq!(alarms(&line("INFO", Some(40029))), 0, "{function}: {outcome}"),
                Level::ByErrcode => {
                    assert_eq!(alarms(&line("ERROR", Some(40013))), 1, "{function}: {outcome}");
                    assert_eq!(alarms(&line("INFO", Some(-1))), 0, "{function}: {outcome}");
                }
            }
        }
    }
}

/// The alarm on logins that do not finish sees every one that came back to its own browser with a code, and no other;
/// and each once, when the code comes first. A stranger who wants to set it off has to begin logins himself, as often
/// as the throttle lets him.
#[test]
fn a_login_that_does_not_finish_is_counted_whatever_the_cause() {
    let template = template();
    let filters = filters(&template);
    let finished = ["logged_in", "repeated", "logged_in_before", "logged_in_elsewhere"];
    // Without a code, without the login's own browser, or of a login that was not to finish.
    let of_nobody = [
        "denied",
        "denied_elsewhere",
        "invalid_request",
        "cookie_missing",
        "login_unknown",
        "login_expired",
        "foreign_browser",
        "browser_renewed",
        "another_code",
        "not_a_page",
    ];
    // What only repeats what was counted when the code came first, without a question to WeChat.
    let repeats = ["winner_failed", "winner_silent", "session_gone", "code_used_elsewhere"];
    let own = reference::outcomes().into_iter().find(|(function, _)| *function == "callback").unwrap().1;
    for outcome in own.iter().map(|outcome| outcome.name) {
        let line = vec![(
            "callback".to_owned(),
            json!({ "message": "request", "function": "callback", "level": "INFO", "outcome": outcome }),
        )];
        let counted = ["LoginsFailed", "LoginsFinished", "LoginsDuplicated"]
            .map(|metric| count(&filters, metric, &line));
        let is_failed = ![&finished[..], &of_nobody, &repeats].iter().any(|list| list.contains(&outcome));
        assert_eq!(counted[0] == 1, is_failed, "{outcome}");
        assert_eq!(counted[1] + counted[2] == 1, finished.contains(&outcome), "{outcome}");
    }
}

/// A login of one's own, whatever it came to, makes one failure, or none: to open its callback again decides nothing,
/// and asks WeChat nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_callback_that_is_opened_again_is_no_failed_login() {
    const TIMES: usize = 25;
    let stack = stack().await.unwrap();
    let wechat = stack.simulator();
    let visitor = stack.visitor("lin");
    let opened = async |callback: &str| {
        for _ in 0..TIMES {
            assert_eq!(visitor.open(callback).await.unwrap().status, 303);
        }
    };
    // A code that is made up; and the same with another login.
    let begun = visitor.come_back(AUTHORIZE).await.unwrap();
    let made_up = callback("0madeup", &parameter(&begun, "state"));
    opened(&made_up).await;
    let begun = visitor.come_back(AUTHORIZE).await.unwrap();
    opened(&callback("0madeup", &parameter(&begun, "state"))).await;
    // A snapshot page.
    wechat.knobs(|knobs| knobs.snapshot = Snapshot::On);
    opened(&visitor.come_back(&format!("{AUTHORIZE}?scope=snsapi_userinfo")).await.unwrap()).await;
    wechat.knobs(|knobs| knobs.snapshot = Snapshot::Off);
    // A login that was finished, and whose session is gone.
    let finished = visitor.come_back(AUTHORIZE).await.unwrap();
    visitor.open(&finished).await.unwrap();
    let secret = visitor.browser.cookies().into_iter().find(|cookie| cookie.name == BROWSER_COOKIE).unwrap();
    visitor.log_out().await.unwrap();
    visitor.browser.insert_cookie(secret);
    opened(&finished).await;

    let asked = stack.requests(EXCHANGE).len();
    let template = template();
    let (filters, lines) = (filters(&template), lines(&stack.stop().await));
    let came_to = |outcome: &str| lines.iter().filter(|(_, line)| line["outcome"] == outcome).count();
    let ends =
        ["code_refused", "winner_failed", "code_used_elsewhere", "snapshot", "session_gone"].map(came_to);
    assert_eq!((ends, asked), ([1, 2 * (TIMES - 1), TIMES, 1, TIMES], 3), "{lines:#?}");
    // The made-up code and the snapshot.
    assert_eq!(count(&filters, "LoginsFailed", &lines), 2);
}

/// The alarm's own arithmetic, over the lines that its metrics count. What comes through no callback says nothing of
/// callbacks.
#[test]
fn the_alarm_on_logins_that_fail_rings_at_seventy_of_a_hundred() {
    let template = template();
    let filters = filters(&template);
    let alarms = template.resources("AWS::CloudWatch::Alarm");
    let alarm = alarms.into_iter().find(|(id, _)| id == "LoginsFailAlarm").unwrap().1;
    let threshold: f64 = template.resolve(&alarm["Threshold"]).unwrap().parse().unwrap();
    let rings = |ends: &[(&str, &str, usize)]| {
        let lines: Vec<_> = ends
            .iter()
            .flat_map(|&(function, outcome, times)| {
                let line = json!({ "message": "request", "function": function, "level": "INFO", "outcome": outcome });
                std::iter::repeat_n((function.to_owned(), line), times)
            })
            .collect();
        // In a span without a line a metric has no value, and is not 0.
        let sum = |metric: &str| Some(count(&filters, metric, &lines)).filter(|sum| *sum > 0);
        expression::of(alarm, &|metric| sum(metric).map(|sum| f64::from(u32::try_from(sum).unwrap())))
            >= threshold
    };
    let failed = |times| ("callback", "code_refused", times);
    for (ends, expected) in [
        (&[failed(14), ("callback", "logged_in", 6)][..], true),
        (&[failed(13), ("callback", "logged_in", 7)], false),
        // A callback that is opened again neither makes it nor hides it.
        (&[failed(14), ("callback", "logged_in", 6), ("callback", "repeated", 1000)], true),
        (&[failed(14), ("callback", "repeated", 6)], false),
        (&[failed(13), ("callback", "logged_in", 7), ("callback", "winner_failed", 1000)], false),
        (&[failed(1), ("callback", "winner_failed", 1000), ("callback", "session_gone", 1000)], false),
        // Nobody finishes at all; and too few to tell.
        (&[failed(20)], true),
        (&[failed(19)], false),
        // Who declines, and whose phone was logged in before, neither hides it nor makes it.
        (&[failed(20), ("handoff", "handoff_logged_in", 1000), ("callback", "denied", 1000)], true),
        (&[failed(19), ("handoff", "handoff_logged_in", 1), ("callback", "denied", 1)], false),
        (&[("callback", "logged_in", 1000)], false),
        (&[], false),
    ] {
        assert_eq!(rings(ends), expected, "{ends:?}");
    }
    assert_eq!((&alarm["DatapointsToAlarm"], &alarm["EvaluationPeriods"]), (&json!(2), &json!(3)));
}

/// A grant counts once, when WeChat calls it gone, whichever way; the requests that come after it, and those that hear
/// it at the same time, say so without an errcode.
#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_is_gone_is_counted_once() {
    let stack = stack_that_reads_again().await.unwrap();
    let wechat = stack.simulator();
    let asked_by = async |visitor: &Visitor| {
        for _ in 0..4 {
            let answer =
                visitor.browser.fetch(&format!("{USERINFO}?verify=true"), PAGE_ORIGIN).await.unwrap();
            assert_eq!(answer.status, 401);
        }
    };
    let asked_twice_at_once_by = async |visitor: &Visitor| {
        wechat.knobs(|knobs| knobs.hold.insert(REFRESH.to_owned()));
        wechat.clear_ledger();
        let (one, other, ()) = tokio::join!(visitor.userinfo(), visitor.userinfo(), async {
            let both = |ledger: &[Entry]| ledger.iter().filter(|entry| entry.path == REFRESH).count() == 2;
            stack.until_wechat(both).await.unwrap();
            wechat.act(&Action::Release);
        });
        assert_eq!((one.unwrap().status, other.unwrap().status), (401, 401));
    };

    // The refresh token is refused.
    let withdrawn = stack.visitor("lin").logged_in_with_profile().await.unwrap();
    wechat.act(&Action::ExpireAccessTokens);
    wechat.act(&Action::RevokeRefreshTokens);
    asked_by(&withdrawn).await;

    // Two requests hear it at the same time.
    let twice = stack.visitor("zhou").logged_in_with_profile().await.unwrap();
    wechat.act(&Action::ExpireAccessTokens);
    wechat.act(&Action::RevokeRefreshTokens);
    asked_twice_at_once_by(&twice).await;

    // A token stays dead though it was renewed: to the one interface, to the other, and to two requests at once.
    let dead = stack.visitor("lin").logged_in().await.unwrap();
    stack.script(AUTH, errcode(40003), 8);
    asked_by(&dead).await;
    let unread = stack.visitor("lin").logged_in_with_profile().await.unwrap();
    stack.script(PROFILE, errcode(40001), 8);
    asked_by(&unread).await;
    let unread_twice = stack.visitor("lin").logged_in_with_profile().await.unwrap();
    stack.script(PROFILE, errcode(40001), 4);
    asked_twice_at_once_by(&unread_twice).await;

    // There is nothing to renew it with.
    let answer = r#"{"access_token": "over", "expires_in": 7200, "openid": "oLin", "scope": "snsapi_base"}"#;
    stack.script(EXCHANGE, raw(200, answer), 1);
    let over = stack.visitor("lin").logged_in().await.unwrap();
    stack.script(AUTH, errcode(42001), 4);
    asked_by(&over).await;

    let template = template();
    let (filters, lines) = (filters(&template), lines(&stack.stop().await));
    let gone = lines.iter().filter(|(_, line)| line["outcome"] == "grant_gone").count();
    assert_eq!((gone, count(&filters, "GrantsGone", &lines)), (4 + 2 + 4 + 4 + 2 + 4, 6), "{lines:#?}");
    assert_eq!(alarmed(&template).get("GrantsGoneAlarm").map(String::as_str), Some("GrantsGone"));
}

#[test]
fn every_name_in_a_filter_is_one_of_the_logs() {
    let template = template();
    let everything: BTreeSet<_> =
        functions().into_iter().flat_map(outcomes::of).map(|(name, _)| name).collect();
    for filter in filters(&template) {
        for (field, value) in filter.pattern.comparisons() {
            assert!(FIELDS.contains(&field), "{}: {field}", filter.text);
            let is_known = match (field, value.as_str()) {
                ("outcome", Some(name)) => everything.contains(name),
                ("function", Some(name)) => functions().contains(&name),
                ("level", Some(level)) => ["INFO", "ERROR"].contains(&level),
                ("message", Some(message)) => message == "request",
                ("errcode" | "duration_ms" | "wechat_ms", None) => true,
                _ => false,
            };
            assert!(is_known, "{}: {field} {value}", filter.metric);
        }
        let is_the_field = filter.value.as_str().and_then(|value| value.strip_prefix("$."));
        assert!(is_the_field.map_or(filter.value == "1", |field| FIELDS.contains(&field)), "{}", filter.text);
    }
}
