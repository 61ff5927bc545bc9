//! How a session is kept up to date with WeChat: when the profile is read again, when a token is
//! renewed, and what becomes of two requests that do so at the same time.

use std::collections::BTreeSet;

use harness::{
    Answer, Options, Result, Stack, Visitor,
    database::number,
    places::{AUTH, AUTHORIZE, EXCHANGE, PROFILE, REFRESH, USERINFO},
    proxy::{Fault as DynamoFault, Kind, Rule, Throttle},
    stack::{PAGE_ORIGIN, errcode, raw},
};
use simulator::{Action, AuthError, Fault, ProfileEra, Scripted};

use crate::aged::aged;
use crate::support::{alarm, assert_problem, end_grant, only_session, stack_that_reads_again, visited};

/// A stack whose profiles last, or are read again on every occasion, and somebody who has logged in with the
/// profile; there is nothing in the ledger yet.
async fn kept(lifetime: &str) -> Result<(Stack, Visitor)> {
    let stack = Stack::start(Options::default().with("PROFILE_LIFETIME_SECONDS", lifetime)).await?;
    let visitor = stack.visitor("lin").logged_in_with_profile().await?;
    stack.simulator().clear_ledger();
    Ok((stack, visitor))
}

async fn fresh() -> Result<(Stack, Visitor)> {
    kept("600").await
}

async fn stale() -> Result<(Stack, Visitor)> {
    kept("0").await
}

/// Somebody who has logged in silently where WeChat may be asked as often as one likes.
async fn silent() -> Result<(Stack, Visitor)> {
    silent_for("0").await
}

async fn silent_for(lifetime: &str) -> Result<(Stack, Visitor)> {
    let stack = Stack::start(Options::default().with("PROFILE_LIFETIME_SECONDS", lifetime)).await?;
    let visitor = stack.visitor("lin").logged_in().await?;
    stack.simulator().clear_ledger();
    Ok((stack, visitor))
}

async fn ask(visitor: &Visitor, query: &str) -> Result<Answer> {
    visitor.browser.fetch(&format!("{USERINFO}?{query}"), PAGE_ORIGIN).await
}

/// So many seconds pass for the only session, which is this visitor's.
fn pass(stack: &Stack, visitor: &Visitor, seconds: u64) -> Result<()> {
    let item = aged(only_session(stack)?, &visitor.session().unwrap_or_default(), seconds)?;
    stack.database().put(stack.table("SessionsTable")?, &item)
}

fn version(stack: &Stack) -> Result<u64> {
    number(&only_session(stack)?, "version")
}

/// How often each endpoint was called: profile, refresh, auth.
fn calls(stack: &Stack) -> [usize; 3] {
    [PROFILE, REFRESH, AUTH].map(|path| stack.requests(path).len())
}

/// The tokens that an endpoint was called with, in order.
fn tokens(stack: &Stack, path: &str, name: &str) -> Vec<String> {
    let entries = stack.requests(path);
    entries.iter().filter_map(|entry| entry.parameter(name)).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_profile_comes_out_of_the_session() {
    let (stack, visitor) = fresh().await.unwrap();
    for _ in 0..3 {
        assert_eq!(visitor.shown().await.unwrap()["nickname"], "小满🌾");
    }
    visitor.userinfo_page().await.unwrap();
    assert!(stack.simulator().ledger().is_empty());
    assert_eq!(version(&stack).unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_profile_is_read_again_and_kept() {
    let (stack, visitor) = stale().await.unwrap();
    stack.simulator().settings(|settings| settings.people[0].nickname = "大满".to_owned());
    assert_eq!(visitor.shown().await.unwrap()["nickname"], "大满");
    assert_eq!((calls(&stack), version(&stack).unwrap()), ([1, 0, 0], 2));
    // The new one is what is stored: WeChat being away, it is served.
    stack.script(PROFILE, Fault::Html { status: 502 }, 3);
    assert_eq!(visitor.shown().await.unwrap()["nickname"], "大满");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_login_never_asks_for_a_profile() {
    let stack = stack_that_reads_again().await.unwrap();
    let visitor = stack.visitor("lin").logged_in().await.unwrap();
    assert_eq!(ask(&visitor, "lang=en").await.unwrap().status, 200);
    assert_eq!((calls(&stack), version(&stack).unwrap()), ([0, 0, 0], 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_read_in_the_language_that_is_asked_for() {
    let (stack, visitor) = stale().await.unwrap();
    stack.simulator().knobs(|knobs| knobs.user_profile_era = ProfileEra::Legacy);
    for (query, country) in [
        ("lang=zh_CN", "中国"),
        // Who names no language gets the one at hand; an empty one is none.
        ("", "中国"),
        ("lang=", "中国"),
        ("lang=zh_TW", "中國"),
        ("lang=en", "CN"),
    ] {
        assert_eq!(ask(&visitor, query).await.unwrap().json().unwrap()["country"], country, "{query}");
    }
    assert_eq!(tokens(&stack, PROFILE, "lang"), ["zh_CN", "zh_CN", "zh_CN", "zh_TW", "en"]);
}

/// A page that asks for one language and then another, or whether the grant still stands, does not make it a call of
/// WeChat's and a write each time: one a minute.
#[tokio::test(flavor = "multi_thread")]
async fn wechat_is_asked_once_a_minute_for_a_session() {
    let (stack, visitor) = visited().await.unwrap();
    stack.simulator().knobs(|knobs| knobs.user_profile_era = ProfileEra::Legacy);
    visitor.log_in_with_profile().await.unwrap();
    stack.simulator().clear_ledger();
    for (query, country) in [
        ("", "CN"),
        ("lang=zh_CN", "中国"),
        ("lang=en", "中国"),
        ("lang=zh_TW", "中国"),
        ("verify=true", "中国"),
        ("lang=en&verify=true", "中国"),
    ] {
        assert_eq!(ask(&visitor, query).await.unwrap().json().unwrap()["country"], country, "{query}");
    }
    assert_eq!((calls(&stack), version(&stack).unwrap()), ([1, 0, 0], 2));

    let (stack, visitor) = fresh().await.unwrap();
    for _ in 0..3 {
        assert_eq!(ask(&visitor, "verify=true").await.unwrap().status, 200);
    }
    assert_eq!((calls(&stack), version(&stack).unwrap()), ([0, 0, 1], 2));
}

/// That the grant stands is no profile. A page that asks for it each time sees a new name all the same, and has its
/// language; and each of the two questions is asked once a minute.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_always_verifies_has_the_profile_read_again() {
    let (stack, visitor) = fresh().await.unwrap();
    stack.simulator().settings(|settings| settings.people[0].nickname = "大满".to_owned());
    let nickname = async || ask(&visitor, "verify=true").await.unwrap().json().unwrap()["nickname"].clone();
    // While the profile lasts, it is what it was, each minute.
    for minute in 1..=9 {
        assert_eq!((nickname().await, calls(&stack)), ("小满🌾".into(), [0, 0, minute]));
        pass(&stack, &visitor, 61).unwrap();
    }
    pass(&stack, &visitor, 61).unwrap();
    for _ in 0..3 {
        assert_eq!((nickname().await, calls(&stack)), ("大满".into(), [1, 0, 10]));
    }

    let (stack, visitor) = fresh().await.unwrap();
    stack.simulator().knobs(|knobs| knobs.user_profile_era = ProfileEra::Legacy);
    for (seconds, lang, country, times) in [
        (0, "zh_CN", "中国", 1),
        (0, "en", "中国", 1),
        (0, "zh_TW", "中国", 1),
        (61, "en", "CN", 2),
        (0, "zh_CN", "CN", 2),
    ] {
        pass(&stack, &visitor, seconds).unwrap();
        let answer = ask(&visitor, &format!("verify=true&lang={lang}")).await.unwrap();
        assert_eq!((&answer.json().unwrap()["country"], calls(&stack)), (&country.into(), [times, 0, times]));
    }

    // A profile that cannot be had is asked for no more often.
    let (stack, visitor) = fresh().await.unwrap();
    stack.script(PROFILE, errcode(48001), 9);
    for _ in 0..3 {
        assert_eq!(ask(&visitor, "verify=true&lang=en").await.unwrap().status, 200);
        assert_eq!(calls(&stack), [1, 0, 1]);
    }
}

/// What WeChat refuses, and will refuse again, is no more asked about than what it answers; each interface by itself.
#[tokio::test(flavor = "multi_thread")]
async fn wechat_is_asked_once_a_minute_for_what_it_refuses() {
    // By errcode: the status of a request for the profile and of one with `verify=true`, and how often each asks
    // WeChat.
    for (number, shown, verified, times) in [
        (48001, 200, 503, 1),
        (45009, 200, 503, 1),
        // Too often: asking again makes it no better.
        (45011, 200, 503, 3),
        (50002, 403, 403, 1),
        (99999, 200, 503, 1),
    ] {
        let (stack, visitor) = fresh().await.unwrap();
        stack.script(PROFILE, errcode(number), 9);
        stack.script(AUTH, errcode(number), 9);
        for _ in 0..3 {
            assert_eq!(ask(&visitor, "lang=zh_TW").await.unwrap().status, shown, "{number}");
            assert_eq!(ask(&visitor, "lang=en").await.unwrap().status, shown, "{number}");
            assert_eq!(ask(&visitor, "verify=true").await.unwrap().status, verified, "{number}");
        }
        assert_eq!((calls(&stack), version(&stack).unwrap()), ([times, 0, times], 3), "{number}");
        // The errcode is in the log each time: the alarm tells what is, and not what was asked.
        let log = stack.stop().await.text();
        assert_eq!(log.matches(&format!(r#""errcode":{number}"#)).count(), 9, "{number}");
    }
}

/// A token that stays dead though it was renewed is not renewed by every request.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_stays_dead_is_renewed_once_a_minute() {
    let (stack, visitor) = silent_for("600").await.unwrap();
    stack.script(AUTH, errcode(40003), 9);
    for _ in 0..3 {
        assert_eq!(ask(&visitor, "verify=true").await.unwrap().status, 401);
    }
    assert_eq!(calls(&stack), [0, 1, 2]);
    // The same number where the token is renewed says nothing of the grant.
    let (stack, visitor) = silent_for("600").await.unwrap();
    stack.script(AUTH, errcode(40001), 1);
    stack.script(REFRESH, errcode(40003), 9);
    for _ in 0..3 {
        assert_eq!(ask(&visitor, "verify=true").await.unwrap().status, 503);
    }
    assert_eq!(calls(&stack), [0, 1, 1]);
}

/// WeChat refuses good tokens now and then: nobody is logged out for it, and what does not ask WeChat is shown
/// meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_refused_for_a_moment_ends_no_session() {
    for number in [40001, 40014, 42001] {
        let (stack, visitor) = fresh().await.unwrap();
        stack.script(PROFILE, errcode(number), 2);
        for _ in 0..3 {
            assert_eq!(ask(&visitor, "lang=en").await.unwrap().status, 401, "{number}");
        }
        assert_eq!(calls(&stack), [2, 1, 0], "{number}");
        assert!(only_session(&stack).unwrap().get("refused_at").is_none(), "{number}");
        pass(&stack, &visitor, 61).unwrap();
        assert_eq!(ask(&visitor, "lang=en").await.unwrap().status, 200, "{number}");
        // It is counted once.
        let log = stack.stop().await.text();
        assert_eq!(log.matches(&format!(r#""errcode":{number}"#)).count(), 1, "{log}");
    }

    // Nothing renews it.
    let stack = Stack::start(Options::default()).await.unwrap();
    let answer = r#"{"access_token": "over", "expires_in": 7200, "openid": "oLin", "scope": "snsapi_base"}"#;
    stack.script(EXCHANGE, raw(200, answer), 1);
    let visitor = stack.visitor("lin").logged_in().await.unwrap();
    stack.script(AUTH, errcode(42001), 9);
    for (query, status) in [("verify=true", 401), ("", 200), ("verify=true", 401), ("lang=en", 200)] {
        assert_eq!(ask(&visitor, query).await.unwrap().status, status, "{query}");
    }
}

/// While WeChat is busy, it is asked for a session once in some seconds, and not three times by every request; each
/// interface by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_busy_wechat_is_left_alone_for_some_seconds() {
    let (stack, visitor) = fresh().await.unwrap();
    stack.script(PROFILE, errcode(-1), 9);
    stack.script(AUTH, errcode(-1), 9);
    for _ in 0..3 {
        assert_eq!(ask(&visitor, "lang=zh_TW").await.unwrap().status, 200);
        assert_eq!(ask(&visitor, "verify=true").await.unwrap().status, 503);
    }
    assert_eq!(calls(&stack), [3, 0, 3]);
    // What was refused is forgotten with the next answer.
    for number in [-1, 48001] {
        let (stack, visitor) = silent().await.unwrap();
        stack.script(AUTH, errcode(number), if number == -1 { 3 } else { 1 });
        assert_eq!(ask(&visitor, "verify=true").await.unwrap().status, 503, "{number}");
        assert_eq!(ask(&visitor, "verify=true").await.unwrap().status, 200, "{number}");
    }
}

/// A WeChat that breaks off each attempt after a while costs one request that while, and the next one nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_wechat_that_fails_slowly_is_not_asked_by_the_next_request() {
    for fault in [Fault::Html { status: 502 }, Fault::DropAfter] {
        let (stack, visitor) = stale().await.unwrap();
        stack.simulator().knobs(|knobs| knobs.delay_milliseconds.insert(PROFILE.to_owned(), 400));
        stack.script(PROFILE, fault, 9);
        for _ in 0..3 {
            assert_eq!(visitor.shown().await.unwrap()["nickname"], "小满🌾");
        }
        assert_eq!(calls(&stack), [3, 0, 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wechat_is_asked_whether_the_grant_stands_on_demand() {
    let (stack, visitor) = silent().await.unwrap();
    for (query, asked) in [("", 0), ("verify=false", 0), ("verify=true", 1), ("verify=true", 2)] {
        assert_eq!(ask(&visitor, query).await.unwrap().status, 200, "{query}");
        assert_eq!(calls(&stack), [0, 0, asked], "{query}");
    }
    // A dead token is renewed once, and asked about once more.
    stack.simulator().act(&Action::ForgetAccessTokens);
    assert_eq!(ask(&visitor, "verify=true").await.unwrap().status, 200);
    assert_eq!((calls(&stack), version(&stack).unwrap()), ([0, 1, 4], 5));
    // And a grant that is gone is gone. Until WeChat is asked, nobody knows.
    stack.simulator().act(&Action::ForgetAccessTokens);
    stack.simulator().act(&Action::RevokeRefreshTokens);
    assert_eq!(visitor.userinfo().await.unwrap().status, 200);
    assert_eq!(ask(&visitor, "verify=true").await.unwrap().status, 401);
    assert_eq!(visitor.userinfo().await.unwrap().status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_token_is_renewed_whichever_number_says_so() {
    let (stack, visitor) = silent().await.unwrap();
    stack.simulator().knobs(|knobs| knobs.auth_error = AuthError::InvalidOpenid);
    stack.simulator().act(&Action::ExpireAccessTokens);
    assert_eq!(ask(&visitor, "verify=true").await.unwrap().status, 200);
    assert_eq!(calls(&stack), [0, 1, 2]);
    // A token that is not taken even when it is new will not get better.
    stack.script(AUTH, errcode(40003), 2);
    assert_eq!(ask(&visitor, "verify=true").await.unwrap().status, 401);
    let log = stack.stop().await.text();
    let line = log.lines().find(|line| line.contains(r#""outcome":"grant_gone""#)).unwrap();
    assert!(line.contains(r#""errcode":40003"#) && line.contains(r#""level":"INFO""#), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_cannot_be_verified_is_not_called_verified() {
    let (stack, visitor) = fresh().await.unwrap();
    for fault in [Fault::Html { status: 502 }, Fault::DropAfter, errcode(-1)] {
        stack.script(AUTH, fault, 3);
        let answer = ask(&visitor, "verify=true").await.unwrap();
        assert_problem(&answer, 503, "wechat_unavailable");
    }
    assert_eq!(calls(&stack), [0, 0, 9]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_token_is_renewed_once_and_saved() {
    for (cause, rotates) in [(42001, false), (40001, false), (40014, false), (42001, true)] {
        let (stack, visitor) = stale().await.unwrap();
        stack.simulator().knobs(|knobs| knobs.refresh_rotates_refresh_token = rotates);
        match cause {
            42001 => stack.simulator().act(&Action::ExpireAccessTokens),
            40001 => stack.simulator().act(&Action::ForgetAccessTokens),
            _ => stack.script(PROFILE, errcode(cause), 1),
        }
        assert_eq!(visitor.shown().await.unwrap()["nickname"], "小满🌾", "{cause}");
        // The token was renewed and saved, then the profile read and saved.
        assert_eq!((calls(&stack), version(&stack).unwrap()), ([2, 1, 0], 3), "{cause}");
        let used = tokens(&stack, PROFILE, "access_token");
        assert_eq!(used[0] == used[1], cause == 40014, "{cause}");

        // The saved one is what is used from now on, and can be renewed again.
        assert_eq!(visitor.userinfo().await.unwrap().status, 200, "{cause}");
        assert_eq!(calls(&stack), [3, 1, 0], "{cause}");
        assert_eq!(tokens(&stack, PROFILE, "access_token")[2], used[1], "{cause}");
        stack.simulator().act(&Action::ExpireAccessTokens);
        assert_eq!(visitor.userinfo().await.unwrap().status, 200, "{cause}");
        let renewed_with: BTreeSet<_> = tokens(&stack, REFRESH, "refresh_token").into_iter().collect();
        assert_eq!(renewed_with.len(), if rotates { 2 } else { 1 }, "{cause}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_stays_dead_is_not_renewed_for_ever() {
    let (stack, visitor) = stale().await.unwrap();
    stack.script(PROFILE, errcode(40001), 5);
    assert_eq!(visitor.userinfo().await.unwrap().status, 401);
    assert_eq!(calls(&stack), [2, 1, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_renews_at_most_once() {
    let (stack, visitor) = stale().await.unwrap();
    // Refused on verifying, renewed, verified; then refused on reading the profile.
    stack.script(AUTH, errcode(40014), 1);
    stack.script(PROFILE, errcode(40001), 1);
    assert_eq!(ask(&visitor, "verify=true").await.unwrap().status, 401);
    assert_eq!(calls(&stack), [1, 1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_is_gone_leads_to_the_login() {
    for cause in [40030, 42002, 42007, 50001] {
        let (stack, visitor) = stale().await.unwrap();
        stack.simulator().act(&Action::ExpireAccessTokens);
        end_grant(&stack, cause);
        let answer = visitor.userinfo().await.unwrap();
        assert_problem(&answer, 401, "not_logged_in");
        assert_eq!(answer.json().unwrap()["authorize_url"], AUTHORIZE, "{cause}");
        let line = stack.logs().wait_for("\"grant_gone\"").await.unwrap().text;
        assert!(line.contains(&format!("\"errcode\":{cause}")), "{line}");

        // It is remembered: nothing more is asked, of WeChat or of anybody.
        let asked = calls(&stack);
        let mut item = only_session(&stack).unwrap();
        assert_eq!((version(&stack).unwrap(), item["refused_at"]["N"].is_string()), (1, true), "{cause}");
        for query in ["", "verify=true", "lang=en"] {
            assert_problem(&ask(&visitor, query).await.unwrap(), 401, "not_logged_in");
        }
        assert_eq!((calls(&stack), version(&stack).unwrap()), (asked, 1), "{cause}");
        // Ten minutes later it is deleted. The cookie stays: a slow answer must not clear a new one.
        item["refused_at"]["N"] = (harness::time::now_seconds() - 601).to_string().into();
        stack.database().put(stack.table("SessionsTable").unwrap(), &item).unwrap();
        let answer = visitor.userinfo().await.unwrap();
        assert_problem(&answer, 401, "not_logged_in");
        assert!(stack.sessions().unwrap().is_empty(), "{cause}");
        assert!(answer.set_cookies().is_empty() && visitor.session().is_some(), "{cause}");

        // A login mends it.
        visitor.log_in_with_profile().await.unwrap();
        assert_eq!(visitor.userinfo().await.unwrap().status, 200, "{cause}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_wechat_is_away_the_last_profile_is_served() {
    let (stack, visitor) = stale().await.unwrap();
    let before = visitor.shown().await.unwrap();
    stack.simulator().clear_ledger();
    // A question that changes nothing is asked three times.
    for fault in [
        Fault::Html { status: 502 },
        Fault::DropBefore,
        Fault::DropHalfWay,
        Fault::Truncated,
        Fault::DuplicateKeys,
        Fault::Oversize { bytes: 100_000 },
        Fault::Redirect { location: "https://evil.example/".to_owned() },
        errcode(-1),
        errcode(45011),
    ] {
        let name = format!("{fault:?}");
        stack.script(PROFILE, fault, 3);
        stack.simulator().clear_ledger();
        let answer = visitor.userinfo().await.unwrap();
        assert_eq!((answer.status, answer.json().unwrap()), (200, before.clone()), "{name}");
        assert_eq!(calls(&stack), [3, 0, 0], "{name}");
    }
    // What an operator has to mend is served stale too, and is an alarm.
    stack.script(PROFILE, errcode(48001), 1);
    assert_eq!(visitor.shown().await.unwrap(), before);
    let logs = stack.stop().await.lines();
    let stale: Vec<_> = logs.iter().filter(|line| line.text.contains("\"shown_stale\"")).collect();
    assert_eq!(stale.len(), 10);
    let alarms: Vec<_> = logs.iter().filter(|line| line.text.contains("\"level\":\"ERROR\"")).collect();
    assert_eq!(alarms.len(), 1);
    assert!(alarms[0].text.contains("\"errcode\":48001"), "{}", alarms[0].text);
}

/// DynamoDB takes no more for the moment: what was just read is at hand, and is shown.
#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_cannot_be_saved_is_shown_all_the_same() {
    let options = Options::default().with("PROFILE_LIFETIME_SECONDS", "0").proxied();
    let stack = Stack::start(options).await.unwrap();
    let visitor = stack.visitor("lin").logged_in_with_profile().await.unwrap();
    stack.simulator().settings(|settings| settings.people[0].nickname = "大满".to_owned());
    let throttled = DynamoFault::Throttle(Throttle::ProvisionedThroughputExceeded);
    let fault = stack.proxy().unwrap().inject(Rule::at(Kind::SaveSession, throttled));
    assert_eq!(visitor.shown().await.unwrap()["nickname"], "大满");
    // With new tokens too, which are lost to the next request and not to this one.
    stack.simulator().act(&Action::ExpireAccessTokens);
    assert_eq!(visitor.shown().await.unwrap()["nickname"], "大满");
    let line = alarm(&stack, "\"shown_unsaved\"").await.unwrap().text;
    assert!(line.contains("ProvisionedThroughputExceeded"), "{line}");
    fault.remove();
    assert_eq!(visitor.shown().await.unwrap()["nickname"], "大满");
}

/// Another request stores its change first, and what it stored cannot be read: what was read from WeChat is at hand.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_cannot_be_read_again_is_shown_as_it_was_read() {
    let options = Options::default().with("PROFILE_LIFETIME_SECONDS", "0").proxied();
    let stack = Stack::start(options).await.unwrap();
    let visitor = stack.visitor("lin").logged_in_with_profile().await.unwrap();
    stack.simulator().settings(|settings| settings.people[0].nickname = "大满".to_owned());
    let proxy = stack.proxy().unwrap();
    let save = proxy.inject(Rule::at(Kind::SaveSession, DynamoFault::HoldBefore).times(1));
    let meanwhile = async {
        let held = save.held().await.unwrap();
        let mut item = only_session(&stack).unwrap();
        item["version"]["N"] = "7".into();
        stack.database().put(stack.table("SessionsTable").unwrap(), &item).unwrap();
        let read = proxy.inject(Rule::at(Kind::Session, DynamoFault::InternalServerError));
        held.release();
        read
    };
    let (shown, read) = tokio::join!(visitor.shown(), meanwhile);
    assert_eq!(shown.unwrap()["nickname"], "大满");
    alarm(&stack, "\"shown_unsaved\"").await.unwrap();
    read.remove();
}

/// The session whose grant is gone is to be deleted, and DynamoDB takes no more: who asks is told the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_without_its_grant_that_cannot_be_deleted_is_refused_all_the_same() {
    let stack = Stack::start(Options::default().proxied()).await.unwrap();
    let visitor = stack.visitor("lin").logged_in().await.unwrap();
    let mut item = only_session(&stack).unwrap();
    item["refused_at"] = serde_json::json!({ "N": (harness::time::now_seconds() - 601).to_string() });
    stack.database().put(stack.table("SessionsTable").unwrap(), &item).unwrap();
    let throttled = DynamoFault::Throttle(Throttle::ProvisionedThroughputExceeded);
    let fault = stack.proxy().unwrap().inject(Rule::at(Kind::DeleteVersion, throttled));
    assert_problem(&visitor.userinfo().await.unwrap(), 401, "not_logged_in");
    let line = stack.logs().wait_for(r#""outcome":"grant_gone""#).await.unwrap().text;
    assert!(line.contains("the session could not be deleted"), "{line}");
    fault.remove();
    assert_problem(&visitor.userinfo().await.unwrap(), 401, "not_logged_in");
    assert!(stack.sessions().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_passes_costs_nothing() {
    let (stack, visitor) = stale().await.unwrap();
    stack.script(PROFILE, Fault::DropAfter, 2);
    assert_eq!(visitor.userinfo().await.unwrap().status, 200);
    assert_eq!((calls(&stack), version(&stack).unwrap()), ([3, 0, 0], 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_is_sent_at_most_once() {
    let (stack, visitor) = stale().await.unwrap();
    stack.simulator().act(&Action::ExpireAccessTokens);
    for fault in [Fault::DropAfter, Fault::Html { status: 500 }, errcode(-1)] {
        stack.simulator().clear_ledger();
        stack.script(REFRESH, fault, 1);
        // In doubt, what was read before is served; the next request tries again.
        let answer = visitor.userinfo().await.unwrap();
        assert_eq!(answer.json().unwrap()["nickname"], "小满🌾");
        assert_eq!(stack.requests(REFRESH).len(), 1);
        stack.simulator().act(&Action::ExpireAccessTokens);
    }
    assert_eq!(visitor.userinfo().await.unwrap().status, 200);
    // That WeChat was busy was stored, then the new tokens, then the profile.
    assert_eq!(version(&stack).unwrap(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_of_somebody_else_is_never_shown() {
    let (stack, visitor) = stale().await.unwrap();
    stack.simulator().knobs(|knobs| knobs.userinfo_answers_other_openid = true);
    let answer = visitor.userinfo().await.unwrap();
    assert_problem(&answer, 403, "login_failed");
    assert!(!answer.text().contains("小满") && !answer.text().contains("openid"), "{}", answer.text());
    assert_eq!(version(&stack).unwrap(), 1);
    let page = visitor.userinfo_page().await.unwrap();
    assert!(page.status == 403 && !page.text().contains("小满"), "{}", page.text());
    alarm(&stack, "\"foreign_profile\"").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_somebody_else_are_not_kept() {
    let (stack, visitor) = stale().await.unwrap();
    stack.simulator().act(&Action::ExpireAccessTokens);
    let theirs = r#"{"access_token": "theirs", "expires_in": 7200, "refresh_token": "theirs", "openid": "oSomebodyElse"}"#;
    stack.script(REFRESH, raw(200, theirs), 1);
    let answer = visitor.userinfo().await.unwrap();
    assert_problem(&answer, 403, "login_failed");
    assert_eq!((calls(&stack), version(&stack).unwrap()), ([1, 1, 0], 1));
    alarm(&stack, "\"foreign_profile\"").await.unwrap();
    // The tokens that the session has are still the person's own.
    assert_eq!(visitor.userinfo().await.unwrap().status, 200);
    assert!(!tokens(&stack, PROFILE, "access_token").contains(&"theirs".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_whom_wechat_restricts_is_told_so() {
    let (stack, visitor) = stale().await.unwrap();
    stack.script(PROFILE, errcode(50002), 1);
    let answer = visitor.userinfo().await.unwrap();
    assert_problem(&answer, 403, "user_refused");
}

/// Two requests open the same version, and both are told that the token is dead. The second one asks
/// for its refresh while the first one's is under way; both save, and one of them is first.
#[tokio::test(flavor = "multi_thread")]
async fn two_refreshes_at_once_do_not_overwrite_each_other() {
    let (stack, visitor) = stale().await.unwrap();
    stack.simulator().act(&Action::ExpireAccessTokens);
    stack.simulator().knobs(|knobs| knobs.hold.insert(REFRESH.to_owned()));
    let (one, other, ()) = tokio::join!(visitor.userinfo(), visitor.userinfo(), async {
        let both =
            |ledger: &[simulator::Entry]| ledger.iter().filter(|entry| entry.path == REFRESH).count() == 2;
        stack.until_wechat(both).await.unwrap();
        stack.simulator().act(&Action::Release);
    });
    for answer in [one.unwrap(), other.unwrap()] {
        assert_eq!(answer.json().unwrap()["nickname"], "小满🌾");
    }
    assert_eq!(calls(&stack)[1], 2);
    // What is stored works.
    assert_eq!(visitor.userinfo().await.unwrap().status, 200);
    assert_eq!(calls(&stack)[1], 2);
}

/// A request that was overtaken between its question and its refresh holds a token that is dead, or
/// replaced. It goes on with what the other one has saved.
#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_that_was_overtaken_goes_on_with_what_was_saved() {
    for rotates in [false, true] {
        let (stack, visitor) = fresh().await.unwrap();
        stack.simulator().knobs(|knobs| {
            knobs.refresh_rotates_refresh_token = rotates;
            knobs.hold.insert(PROFILE.to_owned());
        });
        stack.simulator().act(&Action::ExpireAccessTokens);
        let (slow, ()) = tokio::join!(ask(&visitor, "lang=en"), async {
            // The slow one has opened version 1 and waits to hear that its token is dead.
            stack.until_wechat(|ledger| ledger.iter().any(|entry| entry.path == PROFILE)).await.unwrap();
            // Meanwhile this one has it renewed; its profile is fresh, so it is not held up.
            assert_eq!(ask(&visitor, "verify=true").await.unwrap().status, 200);
            assert_eq!(version(&stack).unwrap(), 3);
            stack.simulator().act(&Action::Release);
        });
        assert_eq!(slow.unwrap().status, 200, "rotates: {rotates}");
        assert_eq!(stack.requests(REFRESH).len(), 2, "rotates: {rotates}");
        assert_eq!(version(&stack).unwrap(), 4, "rotates: {rotates}");
        // Neither has cost the other its tokens: what the one saved is what the other read the profile with.
        let [verified, read] =
            [AUTH, PROFILE].map(|path| tokens(&stack, path, "access_token").pop().unwrap());
        assert_eq!(verified, read, "rotates: {rotates}");
    }
}

/// The session is ended while its profile is being read: what was read is not stored again.
#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_that_was_overtaken_waits_for_what_the_other_saves() {
    let (stack, visitor) = stale().await.unwrap();
    stack.simulator().knobs(|knobs| {
        knobs.refresh_rotates_refresh_token = true;
        // The first refresh is done at once and its answer is late.
        knobs.script(REFRESH, Scripted { delay_milliseconds: 500, ..Fault::None.into() });
    });
    stack.simulator().act(&Action::ExpireAccessTokens);
    let (one, other) = tokio::join!(visitor.userinfo(), visitor.userinfo());
    assert_eq!((one.unwrap().status, other.unwrap().status), (200, 200));
}
