//! Nothing secret and nothing personal is written down where it must not be: not in a log line, however
//! much is asked of the log, not in an answer, and not in a copy of the tables. The search itself, and
//! the few places where a value may stand, are the harness's ([`harness::canaries`]).

use harness::{
    Answer, Result, Stack,
    browser::Visit,
    canaries::{Kind, Watch},
    events::Event,
    places::{AUTHORIZE, EXCHANGE, PROFILE, REFRESH, USERINFO},
    stack::PAGE_ORIGIN,
};
use serde_json::Value;
use simulator::{Action, Consent, Denial, Fault};

use crate::openid;

/// What WeChat is made to say in its messages and bodies, which are not ours to repeat either.
const TALE: &str = "CanaryInWechatsWords";
/// What a visitor puts where it makes the conversion of the event panic.
const RAW: &str = "CanaryInTheQuery";

/// A stack whose functions are asked to log all they can.
async fn stack() -> Result<Stack> {
    Stack::start(
        openid::provider(&openid::one_api())
            .with("RUST_LOG", "trace")
            .with("AWS_LAMBDA_LOG_LEVEL", "TRACE")
            .with("RUST_BACKTRACE", "full")
            .with("PROFILE_LIFETIME_SECONDS", "0")
            .watched(),
    )
    .await
}

/// Shows the tables to the watch, as they are now.
fn look_into_the_tables(stack: &Stack, watch: &Watch) -> Result<()> {
    for (table, items) in stack.database().dump()? {
        for item in &items {
            watch.item(&table, item);
        }
    }
    Ok(())
}

fn consent(stack: &Stack, consent: Consent) {
    stack.simulator().knobs(|knobs| {
        knobs.consent = consent;
        knobs.denial = Denial::Authdeny;
    });
}

/// Whole logins that succeed, are shown, renewed, verified and ended.
async fn succeed(stack: &Stack) -> Result<Vec<Answer>> {
    let mut answers = Vec::new();
    consent(stack, Consent::Allow);
    for person in ["lin", "zhou", "mallory"] {
        let visitor = stack.visitor(person);
        answers.extend(visitor.log_in().await?);
        answers.extend(visitor.log_in_with_profile().await?);
        answers.push(visitor.userinfo().await?);
        answers.push(visitor.userinfo_page().await?);
        answers.push(openid::ask(&visitor, "").await);
        answers.push(visitor.open(openid::JWKS).await?);
        stack.simulator().act(&Action::ExpireAccessTokens);
        answers.push(visitor.browser.fetch(&format!("{USERINFO}?lang=en&verify=true"), PAGE_ORIGIN).await?);
        answers.push(visitor.open("https://login.example.com/").await?);
        if person == "lin" {
            answers.push(visitor.log_out().await?);
        }
    }
    Ok(answers)
}

/// Logins that are declined, refused, or fail in WeChat's hands.
async fn fail(stack: &Stack) -> Result<Vec<Answer>> {
    let mut answers = Vec::new();
    let declined = stack.visitor("lin");
    consent(stack, Consent::Deny);
    answers.extend(declined.browser.follow(&format!("{AUTHORIZE}?scope=snsapi_userinfo")).await?);
    consent(stack, Consent::Allow);

    // Another browser, no cookie, a second time, a logout in between, mangled.
    let visitor = stack.visitor("lin");
    let callback = visitor.come_back(AUTHORIZE).await?;
    answers.extend(stack.visitor("lin").browser.follow(&callback).await?);
    let stranger = stack.visitor("lin").logged_in().await?;
    answers.push(stranger.open(&callback).await?);
    answers.push(visitor.open(&format!("{callback}&state=x")).await?);
    answers.push(visitor.open(&callback).await?);
    answers.push(visitor.open(&callback).await?);
    visitor.log_out().await?;
    answers.push(visitor.open(&callback).await?);

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
        let visitor = stack.visitor("lin");
        let callback = visitor.come_back(AUTHORIZE).await?;
        stack.script(EXCHANGE, fault, 1);
        answers.push(visitor.open(&callback).await?);
    }

    // A profile of somebody else at the login, a dead token and a withdrawn grant later.
    let visitor = stack.visitor("lin");
    stack.simulator().knobs(|knobs| knobs.userinfo_answers_other_openid = true);
    answers.extend(visitor.browser.follow(&format!("{AUTHORIZE}?scope=snsapi_userinfo")).await?);
    stack.simulator().knobs(|knobs| knobs.userinfo_answers_other_openid = false);
    visitor.log_in_with_profile().await?;
    for (path, fault) in [(PROFILE, refusal(40003)), (PROFILE, refusal(40001)), (REFRESH, refusal(40030))] {
        stack.script(path, fault, 1);
    }
    answers.push(visitor.userinfo().await?);
    answers.push(visitor.userinfo().await?);
    // Nobody's token, for one reason after another.
    answers.push(openid::ask(&visitor, "").await);
    answers.push(openid::ask(&stranger, &format!("?resource={RAW}")).await);
    answers.push(openid::ask(&stranger, "?resource=a&resource=b").await);
    answers.push(visitor.send(openid::request("", "https://evil.example")).await?);
    Ok(answers)
}

/// Requests that nothing can be made of.
async fn confuse(stack: &Stack) -> Result<()> {
    let event = Event::all()?.into_iter().find(|event| event.name == "callback-raw-quote");
    let payload = event.map(|event| event.payload).unwrap_or_default();
    for function in stack.gateway().answering() {
        for query in [format!("code=\"{RAW}"), format!("state={RAW}<"), format!("{RAW} {RAW}")] {
            let mut event = payload.clone();
            if let Some(fields) = event.as_object_mut() {
                fields.insert("rawQueryString".to_owned(), query.into());
            }
            stack.gateway().invoke(function, &event).await?;
        }
        stack.gateway().invoke(function, &Value::from(RAW)).await?;
    }
    let visitor = stack.visitor("lin");
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
        visitor.send(visit).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_to_be_kept_is_written_down() {
    let stack = stack().await.unwrap();
    let watch = stack.watch().unwrap().clone();
    watch.plant(Kind::Planted, TALE);
    let mut answers = succeed(&stack).await.unwrap();
    look_into_the_tables(&stack, &watch).unwrap();
    answers.extend(fail(&stack).await.unwrap());
    confuse(&stack).await.unwrap();
    let lines = stack.stop().await.lines();
    watch.catch_up(&lines);
    look_into_the_tables(&stack, &watch).unwrap();

    let found = watch.found();
    assert!(found.hits.is_empty(), "{:#?}", found.hits);
    // The search would find nothing in nothing.
    for (kind, least) in [
        (Kind::Code, 20),
        (Kind::State, 20),
        (Kind::BrowserSecret, 20),
        (Kind::SessionToken, 8),
        (Kind::AccessToken, 6),
        (Kind::RefreshToken, 3),
        (Kind::AppSecret, 1),
        (Kind::OpenId, 3),
        (Kind::UnionId, 3),
        (Kind::Nickname, 3),
        (Kind::Avatar, 3),
        (Kind::SignedToken, 3),
        (Kind::SigningKey, 1),
    ] {
        let count = found.canaries.get(&kind).copied().unwrap_or_default();
        assert!(count >= least, "{count} times {kind:?}");
    }
    let requests = answers.iter().filter(|answer| answer.header("x-correlation-id").is_some()).count();
    let told = lines.iter().filter(|line| line.text.contains("\"correlation_id\"")).count();
    assert!(told >= requests && requests > 50, "{told} lines for {requests} requests");
    // What a visitor puts into a query may stand in an answer to that visitor, and nowhere else.
    let repeated = lines.iter().find(|line| line.text.contains(RAW));
    assert!(repeated.is_none(), "{repeated:?}");
    let stored = serde_json::to_string(&stack.database().dump().unwrap()).unwrap();
    assert!(!stored.contains(RAW), "{stored}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_line_holds_these_fields_and_no_others() {
    let stack = stack().await.unwrap();
    succeed(&stack).await.unwrap();
    fail(&stack).await.unwrap();
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
        "wechat_ms",
        "place",
        "version",
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
