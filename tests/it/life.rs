//! The life of a person's token and profile, from a login of either app to its end.

#![expect(clippy::unwrap_used, reason = "the helpers of these tests fail as the tests do")]

use harness::{
    Result, Stack, Visitor,
    places::{AUTH, AUTHORIZE, AUTHORIZE_PROFILE, PROFILE, REFRESH, USERINFO},
    stack::{OFFICIAL_ACCOUNT, PAGE_ORIGIN, WEBSITE_APP},
};
use serde_json::{Value, json};
use simulator::{Action, ProfileEra};

use crate::support::{end_grant, stack_that_reads_again};

/// A stack with today's profiles read again on every occasion, and everybody willing.
async fn stack() -> Stack {
    stack_that_reads_again().await.unwrap()
}

async fn legacy() -> Stack {
    let stack = stack().await;
    stack.simulator().knobs(|knobs| knobs.user_profile_era = ProfileEra::Legacy);
    stack
}

/// Logs somebody in by either app, with the profile.
async fn log_in_by(stack: &Stack, app: &str, query: &str, person: &str) -> Result<Visitor> {
    let visitor = stack.visitor(person);
    let visitor = if app == WEBSITE_APP { visitor.at_a_computer() } else { visitor };
    visitor.log_in_at(&format!("{AUTHORIZE_PROFILE}{query}")).await?;
    Ok(visitor)
}

/// The languages that profiles were asked for in, in order.
fn langs(stack: &Stack) -> Vec<Option<String>> {
    let entries = stack.requests(PROFILE);
    entries.iter().map(|entry| entry.parameter("lang").map(str::to_owned)).collect()
}

const BOTH: [&str; 2] = [OFFICIAL_ACCOUNT, WEBSITE_APP];

#[tokio::test(flavor = "multi_thread")]
async fn a_login_s_language_is_its_profile_s() {
    let stack = legacy().await;
    for app in BOTH {
        for (lang, places) in [
            ("zh_CN", ["中国", "广东", "深圳"]),
            ("zh_TW", ["中國", "廣東", "深圳"]),
            ("en", ["CN", "Guangdong", "Shenzhen"]),
        ] {
            stack.simulator().clear_ledger();
            let visitor = log_in_by(&stack, app, &format!("&lang={lang}"), "lin").await.unwrap();
            let profile = visitor.shown().await.unwrap();
            let told = [&profile["country"], &profile["province"], &profile["city"]];
            assert_eq!(told, places.map(Value::from).each_ref(), "{app} {lang}");
            // At the callback and when the page asked.
            assert_eq!(langs(&stack), [Some(lang.to_owned()), Some(lang.to_owned())], "{app}");
        }
        stack.simulator().clear_ledger();
        let visitor = log_in_by(&stack, app, "", "lin").await.unwrap();
        let english = visitor.browser.fetch(&format!("{USERINFO}?lang=en"), PAGE_ORIGIN).await.unwrap();
        assert_eq!(english.json().unwrap()["province"], "Guangdong");
        assert_eq!(langs(&stack), [None, Some("en".to_owned())], "{app}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shape_of_a_profile_is_read() {
    for app in BOTH {
        for (era, sex_as_string, unicode_escapes) in [
            (ProfileEra::Current, false, false),
            (ProfileEra::Current, true, true),
            (ProfileEra::Legacy, false, true),
            (ProfileEra::Legacy, true, false),
        ] {
            let stack = stack().await;
            stack.simulator().knobs(|knobs| {
                knobs.user_profile_era = era;
                knobs.sex_as_string = sex_as_string;
                knobs.unicode_escapes = unicode_escapes;
            });
            let visitor = log_in_by(&stack, app, "&lang=zh_CN", "lin").await.unwrap();
            let profile = visitor.shown().await.unwrap();
            let is_legacy = era == ProfileEra::Legacy;
            let told = format!("{app} {era:?} {sex_as_string}");
            assert_eq!(profile["nickname"], "小满🌾", "{told}");
            assert_eq!(profile["sex"], if is_legacy { 2 } else { 0 }, "{told}");
            assert_eq!(profile["city"], if is_legacy { "深圳" } else { "" }, "{told}");
            assert_eq!(profile["privilege"], json!([]), "{told}");
            // Never without TLS, whatever WeChat says.
            let avatar = profile["headimgurl"].as_str().unwrap();
            assert!(avatar.starts_with("https://thirdwx.qlogo.cn/mmopen/"), "{told}: {avatar}");
            assert!(avatar.ends_with(if is_legacy { "/0" } else { "/132" }), "{told}: {avatar}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_picture_and_who_has_gone_are_people_all_the_same() {
    let stack = stack().await;
    stack.simulator().settings(|settings| settings.people[1].avatar = None);
    for app in BOTH {
        for era in [ProfileEra::Current, ProfileEra::Legacy] {
            stack.simulator().knobs(|knobs| knobs.user_profile_era = era);
            for (person, nickname) in [("zhou", "周远"), ("gone", "用户已经注销")] {
                let visitor = log_in_by(&stack, app, "", person).await.unwrap();
                let profile = visitor.shown().await.unwrap();
                assert_eq!((&profile["nickname"], &profile["headimgurl"]), (&nickname.into(), &"".into()));
                assert_eq!(profile["openid"], stack.simulator().openid(person, app));
                let page = visitor.userinfo_page().await.unwrap().text();
                assert!(page.contains(nickname) && !page.contains("<img"), "{page}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_follows_the_person_who_changes_it() {
    let stack = stack().await;
    let visitor = log_in_by(&stack, WEBSITE_APP, "", "lin").await.unwrap();
    assert_eq!(visitor.shown().await.unwrap()["nickname"], "小满🌾");
    stack.simulator().settings(|settings| {
        let person = &mut settings.people[0];
        (person.nickname, person.avatar) = ("小满".to_owned(), None);
    });
    let after = visitor.shown().await.unwrap();
    assert_eq!((&after["nickname"], &after["headimgurl"]), (&"小满".into(), &"".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_either_app_is_renewed_with_its_own_appid() {
    for (app, scope) in [(OFFICIAL_ACCOUNT, "snsapi_userinfo"), (WEBSITE_APP, "snsapi_login")] {
        for rotates in [false, true] {
            let stack = stack().await;
            stack.simulator().knobs(|knobs| knobs.refresh_rotates_refresh_token = rotates);
            let visitor = log_in_by(&stack, app, "", "lin").await.unwrap();
            for renewed in 1..=2 {
                stack.simulator().act(&Action::ExpireAccessTokens);
                let profile = visitor.shown().await.unwrap();
                // WeChat lists the scopes with a comma at the end; the session's is what was granted.
                assert_eq!((&profile["nickname"], &profile["scope"]), (&"小满🌾".into(), &scope.into()));
                let refreshes = stack.requests(REFRESH);
                assert_eq!(refreshes.len(), renewed, "{app}");
                let names: Vec<_> = refreshes[0].query.iter().map(|(name, _)| name.as_str()).collect();
                assert_eq!(names, ["appid", "grant_type", "refresh_token"], "no secret, for {app}");
                assert!(refreshes.iter().all(|entry| entry.appid.as_deref() == Some(app)), "{app}");
            }
            // And the renewed one stands.
            let verified = visitor.verify().await.unwrap();
            assert_eq!((verified.status, stack.requests(AUTH).len()), (200, 1), "{app}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_of_a_scan_ends_as_any_other() {
    for cause in [40030, 42002, 42007] {
        let stack = stack().await;
        let visitor = log_in_by(&stack, WEBSITE_APP, "", "lin").await.unwrap();
        stack.simulator().act(&Action::ExpireAccessTokens);
        end_grant(&stack, cause);
        let answer = visitor.userinfo().await.unwrap();
        assert_eq!(answer.status, 401, "{cause}: {}", answer.text());
        assert_eq!(answer.json().unwrap()["authorize_url"], AUTHORIZE);
        // The link leads back to a session.
        visitor.log_in_at(AUTHORIZE).await.unwrap();
        assert_eq!(visitor.shown().await.unwrap()["nickname"], "小满🌾", "{cause}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_login_elsewhere_ends_no_session() {
    // One living token a person: not documented, and reported.
    let stack = stack().await;
    stack.simulator().knobs(|knobs| knobs.sns_single_live_token = true);
    let (one, other) = (stack.visitor("lin"), stack.visitor("lin"));
    one.log_in_with_profile().await.unwrap();
    other.log_in_with_profile().await.unwrap();
    for visitor in [&one, &other, &one] {
        assert_eq!(visitor.shown().await.unwrap()["nickname"], "小满🌾");
    }
}
