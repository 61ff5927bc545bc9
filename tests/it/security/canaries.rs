//! Nothing secret and nothing personal is written down: not in a log line, however much is asked of
//! the log, and not in a copy of the tables.
//!
//! The values to look for are not planted but collected, from the simulator's ledger, which keeps
//! everything in the clear, and from the browsers.

use std::collections::BTreeSet;

use ::tests::{
    Answer, Browser, Options, Result, Stack,
    browser::Visit,
    events::Event,
    stack::{OFFICIAL_ACCOUNT, PAGE_ORIGIN},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use simulator::{Action, Consent, Denial, Fault};

use crate::support::{
    AUTHORIZE, EXCHANGE, LOGOUT, PROFILE, REFRESH, USERINFO, log_in, log_in_with_profile, userinfo,
};

/// What WeChat is made to say in its messages and bodies, which are not ours to repeat either.
const TALE: &str = "CanaryInWechatsWords";
/// What a visitor puts where it makes the conversion of the event panic.
const RAW: &str = "CanaryInTheQuery";

/// Everything that must not be found, by what it is.
#[derive(Default)]
struct Canaries(BTreeSet<(String, &'static str)>);

impl Canaries {
    fn add(&mut self, value: impl Into<String>, what: &'static str) {
        let value = value.into();
        if value.chars().count() > 1 {
            self.0.insert((value, what));
        }
    }

    /// What WeChat was told, and whom it told us about.
    fn collect(&mut self, stack: &Stack) {
        for entry in stack.simulator().ledger() {
            for (name, value) in entry.query {
                match name.as_str() {
                    "code" => self.add(value, "a code"),
                    "state" => self.add(value, "a state"),
                    "secret" => self.add(value, "an app secret"),
                    "access_token" => self.add(value, "an access token"),
                    "refresh_token" => self.add(value, "a refresh token"),
                    "openid" => self.add(value, "an openid"),
                    _ => {}
                }
            }
            entry.code.into_iter().for_each(|code| self.add(code, "a code"));
            entry.openid.into_iter().for_each(|openid| self.add(openid, "an openid"));
        }
        stack.simulator().settings(|settings| {
            for app in &settings.apps {
                self.add(&app.secret, "an app secret");
            }
            for person in &settings.people {
                self.add(&person.nickname, "a nickname");
                self.add(person.avatar.clone().unwrap_or_default(), "an avatar");
            }
        });
        // As it would stand in JSON or in a page, whatever was escaped.
        self.add("马洛", "a part of a nickname");
        for person in ["lin", "zhou", "mallory"] {
            self.add(stack.simulator().openid(person, OFFICIAL_ACCOUNT), "an openid");
            self.add(stack.simulator().unionid(person, OFFICIAL_ACCOUNT).unwrap_or_default(), "a unionid");
        }
        self.add(TALE, "WeChat's words");
        self.add(RAW, "a query");
    }

    fn collect_cookies(&mut self, browser: &Browser) {
        for cookie in browser.cookies() {
            match cookie.name.as_str() {
                "__Host-browser" => self.add(cookie.value, "a browser secret"),
                "__Host-session" => self.add(cookie.value, "a session token"),
                _ => {}
            }
        }
    }

    fn assert_absent(&self, text: &str, place: &str) {
        for (value, what) in &self.0 {
            assert!(!text.contains(value.as_str()), "{what}, {value}, is in {place}:\n{text}");
        }
    }

    fn count(&self, kind: &str) -> usize {
        self.0.iter().filter(|(_, what)| *what == kind).count()
    }
}

/// Every text and every byte that is stored, as one text.
fn readable(value: &Value, text: &mut String) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| readable(value, text)),
        Value::Object(fields) => {
            for (name, value) in fields {
                text.push_str(name);
                text.push(' ');
                match value.as_str() {
                    // A binary attribute: what it says to whoever reads the bytes.
                    Some(encoded) if name == "B" => {
                        let bytes = STANDARD.decode(encoded).unwrap_or_default();
                        text.push_str(&String::from_utf8_lossy(&bytes));
                    }
                    _ => readable(value, text),
                }
            }
        }
        other => text.push_str(&other.to_string()),
    }
    text.push('\n');
}

fn dump(stack: &Stack) -> Result<String> {
    let mut text = String::new();
    readable(&serde_json::to_value(stack.database().dump()?)?, &mut text);
    Ok(text)
}

/// A stack whose functions are asked to log all they can.
async fn stack() -> Result<Stack> {
    Stack::start(
        Options::default()
            .with("RUST_LOG", "trace")
            .with("AWS_LAMBDA_LOG_LEVEL", "TRACE")
            .with("RUST_BACKTRACE", "full")
            .with("PROFILE_LIFETIME_SECONDS", "0"),
    )
    .await
}

/// A callback that has not been opened.
async fn begin(browser: &Browser) -> Result<String> {
    let began = browser.get(AUTHORIZE).await?;
    let wechat = browser.get(began.redirect()?.map(String::from).unwrap_or_default().as_str()).await?;
    Ok(wechat.redirect()?.map(String::from).unwrap_or_default())
}

fn consent(stack: &Stack, consent: Consent) {
    stack.simulator().knobs(|knobs| {
        knobs.consent = consent;
        knobs.denial = Denial::Authdeny;
    });
}

/// Whole logins that succeed, are shown, renewed, verified and ended.
async fn succeed(stack: &Stack, canaries: &mut Canaries) -> Result<Vec<Answer>> {
    let mut answers = Vec::new();
    consent(stack, Consent::Allow);
    for person in ["lin", "zhou", "mallory"] {
        stack.simulator().knobs(|knobs| knobs.current_person = Some(person.to_owned()));
        let browser = stack.browser();
        answers.extend(log_in(&browser).await?);
        canaries.collect_cookies(&browser);
        answers.extend(log_in_with_profile(&browser).await?);
        canaries.collect_cookies(&browser);
        answers.push(userinfo(&browser).await?);
        answers.push(browser.get(USERINFO).await?);
        stack.simulator().act(&Action::ExpireAccessTokens);
        answers.push(browser.fetch(&format!("{USERINFO}?lang=en&verify=true"), PAGE_ORIGIN).await?);
        answers.push(browser.get("https://login.example.com/").await?);
        if person == "lin" {
            answers.push(browser.post_form(LOGOUT, PAGE_ORIGIN).await?);
        }
    }
    stack.simulator().knobs(|knobs| knobs.current_person = None);
    Ok(answers)
}

/// Logins that are declined, refused, or fail in WeChat's hands.
async fn fail(stack: &Stack, canaries: &mut Canaries) -> Result<Vec<Answer>> {
    let mut answers = Vec::new();
    let declined = stack.browser();
    consent(stack, Consent::Deny);
    answers.extend(declined.follow(&format!("{AUTHORIZE}?scope=snsapi_userinfo")).await?);
    consent(stack, Consent::Allow);
    canaries.collect_cookies(&declined);

    // Another browser, no cookie, a second time, a logout in between, mangled.
    let browser = stack.browser();
    let callback = begin(&browser).await?;
    answers.extend(stack.browser().follow(&callback).await?);
    let stranger = stack.browser();
    log_in(&stranger).await?;
    canaries.collect_cookies(&stranger);
    answers.push(stranger.get(&callback).await?);
    answers.push(browser.get(&format!("{callback}&state=x")).await?);
    answers.push(browser.get(&callback).await?);
    answers.push(browser.get(&callback).await?);
    canaries.collect_cookies(&browser);
    browser.post_form(LOGOUT, PAGE_ORIGIN).await?;
    answers.push(browser.get(&callback).await?);

    let refusal = |errcode| Fault::Errcode { errcode, errmsg: Some(format!("{TALE}, rid: {TALE}")) };
    let raw = |body: &str| Fault::Raw {
        status: 200,
        content_type: "text/plain".to_owned(),
        body: body.replace("TALE", TALE),
        latin1: false,
    };
    for fault in [
        refusal(40029),
        refusal(40163),
        refusal(40125),
        refusal(40013),
        refusal(40226),
        refusal(-1),
        raw("TALE"),
        raw(r#"{"access_token":"TALE","openid":"TALE","refresh_token":7}"#),
        raw(r#"{"errcode":"TALE","errmsg":"TALE"}"#),
        Fault::Html { status: 502 },
        Fault::Redirect { location: format!("https://evil.example/{TALE}") },
        Fault::Truncated,
        Fault::DuplicateKeys,
        Fault::DropAfter,
        Fault::DropHalfWay,
    ] {
        let browser = stack.browser();
        let callback = begin(&browser).await?;
        stack.simulator().knobs(|knobs| knobs.script(EXCHANGE, fault));
        answers.push(browser.get(&callback).await?);
        canaries.collect_cookies(&browser);
    }

    // A profile of somebody else at the login, a dead token and a withdrawn grant later.
    let browser = stack.browser();
    stack.simulator().knobs(|knobs| knobs.userinfo_answers_other_openid = true);
    answers.extend(browser.follow(&format!("{AUTHORIZE}?scope=snsapi_userinfo")).await?);
    stack.simulator().knobs(|knobs| knobs.userinfo_answers_other_openid = false);
    log_in_with_profile(&browser).await?;
    canaries.collect_cookies(&browser);
    for (path, fault) in [(PROFILE, refusal(40003)), (PROFILE, refusal(40001)), (REFRESH, refusal(40030))] {
        stack.simulator().knobs(|knobs| knobs.script(path, fault));
    }
    answers.push(userinfo(&browser).await?);
    answers.push(userinfo(&browser).await?);
    Ok(answers)
}

/// Requests that nothing can be made of.
async fn confuse(stack: &Stack) -> Result<()> {
    let event = Event::all()?.into_iter().find(|event| event.name == "callback-raw-quote");
    let payload = event.map(|event| event.payload).unwrap_or_default();
    for function in ["authorize", "callback", "userinfo", "logout", "site"] {
        for query in [format!("code=\"{RAW}"), format!("state={RAW}<"), format!("{RAW} {RAW}")] {
            let mut event = payload.clone();
            if let Some(fields) = event.as_object_mut() {
                fields.insert("rawQueryString".to_owned(), query.into());
            }
            stack.gateway().invoke(function, &event).await?;
        }
        stack.gateway().invoke(function, &Value::from(RAW)).await?;
    }
    let browser = stack.browser();
    for url in [
        format!("{AUTHORIZE}?return_to=https://evil.example/{RAW}"),
        format!("{AUTHORIZE}?scope={RAW}"),
        format!("https://login.example.com/error?reason={RAW}&id={RAW}_"),
        format!("https://login.example.com/callback?code={RAW}&state={RAW}"),
        format!("{USERINFO}?lang={RAW}"),
        format!("https://login.example.com/{RAW}.txt"),
    ] {
        let visit =
            Visit::open(&url).header("cookie", &format!("__Host-session={RAW}")).header("referer", RAW);
        browser.send(visit).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_to_be_kept_is_written_down() {
    let stack = stack().await.unwrap();
    let mut canaries = Canaries::default();
    let mut answers = succeed(&stack, &mut canaries).await.unwrap();
    let stored = dump(&stack).unwrap();
    answers.extend(fail(&stack, &mut canaries).await.unwrap());
    confuse(&stack).await.unwrap();
    canaries.collect(&stack);
    // The search would find nothing in nothing.
    for (kind, least) in [
        ("a code", 20),
        ("a state", 20),
        ("a browser secret", 20),
        ("a session token", 8),
        ("an access token", 6),
        ("a refresh token", 3),
        ("an app secret", 2),
        ("an openid", 3),
        ("a unionid", 3),
        ("a nickname", 4),
    ] {
        assert!(canaries.count(kind) >= least, "{} times {kind}", canaries.count(kind));
    }

    let logs = stack.stop().await;
    let requests = answers.iter().filter(|answer| answer.header("x-correlation-id").is_some()).count();
    let lines = logs.lines();
    let told = lines.iter().filter(|line| line.text.contains("\"correlation_id\"")).count();
    assert!(told >= requests && requests > 50, "{told} lines for {requests} requests");
    canaries.assert_absent(&logs.text(), "the log");
    canaries.assert_absent(&stored, "the tables after the logins");
    canaries.assert_absent(&dump(&stack).unwrap(), "the tables");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_line_holds_these_fields_and_no_others() {
    let stack = stack().await.unwrap();
    let mut canaries = Canaries::default();
    succeed(&stack, &mut canaries).await.unwrap();
    fail(&stack, &mut canaries).await.unwrap();
    confuse(&stack).await.unwrap();
    let known = [
        "timestamp",
        "level",
        "message",
        "function",
        "correlation_id",
        "status",
        "outcome",
        "errcode",
        "rid",
        "cause",
        "duration_ms",
        "place",
    ];
    let mut panics = 0;
    for line in stack.stop().await.lines() {
        let fields: Value = serde_json::from_str(&line.text).unwrap_or_else(|_| panic!("{}", line.text));
        for name in fields.as_object().unwrap().keys() {
            assert!(known.contains(&name.as_str()), "{}", line.text);
        }
        // Where a panic was, not what it said: its words may hold what it stumbled over.
        if let Some(place) = fields["place"].as_str() {
            let numbers = place.rsplit(':').take(2).all(|number| number.parse::<u32>().is_ok());
            assert!(numbers && place.contains(".rs:") && !place.contains(char::is_whitespace), "{place}");
            panics += 1;
        }
        // Lambda takes a line without a time for one of level INFO.
        let time = fields["timestamp"].as_str().unwrap();
        assert!(time.len() == 27 && time.ends_with('Z') && time.as_bytes()[10] == b'T', "{time}");
        assert!(matches!(fields["level"].as_str(), Some("INFO" | "ERROR")), "{}", line.text);
    }
    assert!(panics > 0, "no event made the conversion panic");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_holds_a_token_or_a_secret_of_wechats() {
    let stack = stack().await.unwrap();
    let mut canaries = Canaries::default();
    let mut answers = succeed(&stack, &mut canaries).await.unwrap();
    answers.extend(fail(&stack, &mut canaries).await.unwrap());
    canaries.collect(&stack);
    canaries.0.retain(|(_, what)| {
        matches!(*what, "an access token" | "a refresh token" | "an app secret" | "a code" | "WeChat's words")
    });
    for answer in answers.iter().filter(|answer| answer.header("x-correlation-id").is_some()) {
        let place = format!("the answer of {}", answer.url.path());
        canaries.assert_absent(&answer.text(), &place);
        canaries.assert_absent(&format!("{:?}", answer.headers), &place);
    }
}
