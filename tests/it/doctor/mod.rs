//! The doctor, each finding of it: something is broken on purpose, and the doctor has to say that and nothing else.
//!
//! The patient is a whole stack on an `https` address of this machine, with a certificate of an authority of this
//! test's own, a verification file, an allowed page and a subscribed topic: in health there is nothing to note.

#![expect(clippy::unwrap_used, reason = "the helpers of these tests fail as the tests do")]

mod cases;
mod patient;

use std::collections::BTreeSet;

use ::doctor::finding::{Finding, Severity};
use futures_util::{StreamExt as _, stream};
use harness::{
    places::{CONSENT_PAGE, EXCHANGE, QR_PAGE, STABLE_TOKEN},
    stack::OFFICIAL_ACCOUNT,
    template::Template,
};
use serde_json::{Value, json};

use self::patient::Patient;

/// How many stacks run at a time.
const AT_A_TIME: usize = 4;

/// The findings of an answer, by name.
fn names(answer: &Value) -> Vec<&str> {
    let findings = answer["findings"].as_array().unwrap();
    findings.iter().map(|found| found["finding"].as_str().unwrap()).collect()
}

/// Every finding there is has been provoked, and none came uncalled.
#[tokio::test(flavor = "multi_thread")]
async fn every_finding_is_provoked_and_named_alone() {
    let cases = cases::all();
    let count = cases.len();
    let examined = stream::iter(cases).map(|(what, patient, expected)| async move {
        let (answer, log) = patient.examined().await;
        let seen: BTreeSet<String> = names(&answer).into_iter().map(str::to_owned).collect();
        let found = answer["findings"].as_array().unwrap().iter();
        let troubles: BTreeSet<&str> = found
            .filter(|found| found["severity"] != "ok")
            .map(|found| found["finding"].as_str().unwrap())
            .collect();
        let expected: BTreeSet<&str> = expected.iter().map(|finding| finding.row().name).collect();
        let shown = answer["findings"].as_array().unwrap().iter().filter(|found| found["severity"] != "ok");
        let shown: Vec<String> =
            shown.map(|found| format!("{}: {}", found["subject"], found["en"]["saw"])).collect();
        let is_wrong = troubles != expected;
        let wrong =
            is_wrong.then(|| format!("{what}: {troubles:?}, not {expected:?}:\n  {}", shown.join("\n  ")));
        let worst = Finding::ALL.iter().map(|finding| finding.row());
        let worst = worst.filter(|row| seen.contains(row.name)).map(|row| row.severity).max().unwrap();
        assert_eq!(answer["worst"], worst.as_str(), "{what}");
        for text in [answer.to_string(), log] {
            for secret in ["5ec2e7", "90_", "canary", "PRIVATE KEY", "eyJ"] {
                assert!(!text.contains(secret), "{what}: {secret} in {text}");
            }
        }
        (seen, wrong)
    });
    let examined: Vec<(BTreeSet<String>, Option<String>)> =
        examined.buffer_unordered(AT_A_TIME).collect().await;
    assert!(count > 20, "{count}");
    let (seen, wrong): (Vec<_>, Vec<_>) = examined.into_iter().unzip();
    let wrong: Vec<String> = wrong.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    let seen: BTreeSet<String> = seen.into_iter().flatten().collect();
    let missing: Vec<_> =
        Finding::ALL.iter().map(|finding| finding.row().name).filter(|name| !seen.contains(*name)).collect();
    assert!(missing.is_empty(), "never provoked: {missing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_well_is_told_so_in_the_language_that_was_asked_for() {
    let patient = Patient::new().with("SILENT_UNIONID", "true").started().await;
    let doctor = |event| {
        let functions = patient.stack.functions().clone();
        async move { functions.invoke("doctor", &event).await.unwrap() }
    };
    let answer = doctor(json!({})).await;
    assert_eq!((&answer["worst"], &answer["version"]), (&json!("ok"), &json!(env!("CARGO_PKG_VERSION"))));
    for found in answer["findings"].as_array().unwrap() {
        for language in ["zh-CN", "en"] {
            assert!(!found[language]["saw"].as_str().unwrap().is_empty(), "{found}");
        }
    }
    let english = doctor(json!({ "language": "en" })).await;
    let found = &english["findings"][0];
    assert!(found["en"].is_object() && found["zh-CN"].is_null(), "{found}");
    let page = doctor(json!({ "as": "text", "language": "zh-CN" })).await;
    assert_eq!((&page["worst"], &page["findings"]), (&json!("ok"), &Value::Null));
    let page = page["text"].as_str().unwrap();
    assert!(page.contains("✓ 正常") && !page.contains(" · ok"), "{page}");
    for found in answer["findings"].as_array().unwrap() {
        assert!(page.contains(found["zh-CN"]["saw"].as_str().unwrap()), "{found}: {page}");
    }
    // Whatever else comes in is as good as nothing.
    for event in [Value::Null, json!("en"), json!({ "language": "tlh" }), json!({ "language": 1 })] {
        assert_eq!(names(&doctor(event).await), names(&answer));
    }
    let log = patient.stack.stop().await.text();
    let line = log.lines().find(|line| line.contains("\"outcome\":\"examined\"")).unwrap();
    assert!(line.contains("\"function\":\"doctor\"") && line.contains("0 note, 0 wrong"), "{line}");
}

/// Every function that is deployed says what it thinks of its settings; here they all lack the same one.
#[tokio::test(flavor = "multi_thread")]
async fn each_function_is_asked_about_its_settings() {
    let (answer, _) = Patient::new().with("PUBLIC_URL", "").examined().await;
    let found = answer["findings"].as_array().unwrap().iter();
    let named = found.filter(|found| found["en"]["saw"].as_str().unwrap().contains("PUBLIC_URL is missing"));
    let asked: BTreeSet<&str> =
        named.flat_map(|found| found["subject"].as_str().unwrap().split(", ")).collect();
    let deployed = Template::of_the_project().unwrap().functions();
    let deployed: BTreeSet<_> = deployed.iter().map(|function| &*function.binary).collect();
    assert_eq!(asked, deployed.into_iter().filter(|name| *name != "doctor").collect(), "{answer}");
}

/// What the doctor asks changes nothing: no item, no code that is spent, and the live global token is left alive.
#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_leaves_everything_as_it_was() {
    let patient = Patient::new().with("SILENT_UNIONID", "true").started().await;
    let stack = &patient.stack;
    let doctor = || async { stack.functions().invoke("doctor", &json!({})).await.unwrap() };
    doctor().await;
    doctor().await;
    assert!(stack.sessions().unwrap().is_empty() && stack.logins().unwrap().is_empty());
    let tokens = stack.requests(STABLE_TOKEN);
    assert_eq!(tokens.len(), 2);
    assert!(tokens.iter().all(|asked| asked.parameter("force_refresh") == Some("false")), "{tokens:?}");
    // A code of the form of WeChat's, another one each time, and nobody's.
    let exchanges = stack.requests(EXCHANGE);
    let codes: BTreeSet<_> = exchanges.iter().map(|asked| asked.parameter("code").unwrap()).collect();
    assert_eq!((exchanges.len(), codes.len()), (4, 4));
    assert!(codes.iter().all(|code| code.len() == 32), "{codes:?}");
    for page in [CONSENT_PAGE, QR_PAGE] {
        assert!(stack.requests(page).iter().all(|asked| asked.method == "GET"), "{page}");
    }
    // It touched what it says it touches, and nothing else.
    let paths: BTreeSet<String> = stack.simulator().ledger().into_iter().map(|entry| entry.path).collect();
    assert_eq!(paths, BTreeSet::from([CONSENT_PAGE, QR_PAGE, EXCHANGE, STABLE_TOKEN].map(str::to_owned)));
}

/// Whoever reads the answer finds the app and the number in it.
#[tokio::test(flavor = "multi_thread")]
async fn a_finding_says_of_what_and_how_to_put_it_right() {
    let patient = Patient::new().wechat(|simulator| {
        simulator.settings(|settings| settings.apps[0].secret = "0".repeat(32));
    });
    let (answer, _) = patient.examined().await;
    let found = answer["findings"].as_array().unwrap().iter();
    let found = found.clone().find(|found| found["severity"] == Severity::Wrong.as_str()).unwrap();
    assert_eq!((&found["finding"], &found["subject"]), (&json!("secret_wrong"), &json!(OFFICIAL_ACCOUNT)));
    assert!(found["zh-CN"]["saw"].as_str().unwrap().contains("40125"), "{found}");
    assert!(found["en"]["remedy"].as_str().unwrap().contains("Secrets Manager"), "{found}");
}
