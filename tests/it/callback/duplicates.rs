//! A callback that arrives again: the same answer for the same browser, and never a second exchange.

use std::time::Duration;

use harness::{
    Options, Stack,
    database::attribute,
    places::{
        ARRIVAL, AUTHORIZE, BROWSER_COOKIE, ERROR_PAGE, EXCHANGE, FRESH_LOGIN, SESSION_COOKIE, parameter,
    },
    proxy::{Fault, Kind, Rule, Throttle},
    stack::{OFFICIAL_ACCOUNT, PUBLIC_URL, WEBSITE_APP, errcode},
};
use simulator::Action;

use super::{arrive, begin, begun, exchanged, guards, location, openid, sessions};

use crate::support::{stack, visited};

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_is_answered_alike() {
    let (stack, visitor, callback) = begun("").await;
    let first = visitor.open(&callback).await.unwrap();
    let second = visitor.open(&callback).await.unwrap();
    assert_eq!(location(&first), ARRIVAL);
    assert_eq!(location(&second), ARRIVAL);
    assert_eq!(first.set_cookies(), second.set_cookies());
    assert_eq!((exchanged(&stack).len(), sessions(&stack).len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_code_for_the_same_state_is_given_nothing_new() {
    let (stack, visitor, callback) = begun("").await;
    visitor.open(&callback).await.unwrap();
    let code = stack.simulator().issue_code("zhou", OFFICIAL_ACCOUNT, "snsapi_base").unwrap();
    let second = with_code(&callback, &code);
    // Who holds the session already is sent on, with the cookie that he has.
    let answer = visitor.open(&second).await.unwrap();
    assert_eq!((location(&answer).as_str(), answer.set_cookies()), (ARRIVAL, vec![]));
    assert_eq!(exchanged(&stack).len(), 1);
    assert_eq!(openid(&visitor).await, Some(stack.simulator().openid("lin", OFFICIAL_ACCOUNT)));
    // The code is spent: no other login can use it either.
    assert_eq!(outcome(&stack, &code).as_deref(), Some("failed"));

    // Who shares the browser's secret, state and all, but not the session: B and the state are no session.
    let thief = visitor.elsewhere();
    thief.browser.insert_cookie(
        visitor.browser.cookies().into_iter().find(|cookie| cookie.name == BROWSER_COOKIE).unwrap(),
    );
    for code in [code, "0forged".to_owned()] {
        let answer = thief.open(&with_code(&callback, &code)).await.unwrap();
        assert_eq!((location(&answer).as_str(), answer.set_cookies()), (FRESH_LOGIN, vec![]), "{code}");
    }
    assert_eq!(openid(&thief).await, None);
    assert_eq!((exchanged(&stack).len(), sessions(&stack).len()), (1, 1));
}

/// The second scan of one QR page is another person's: nobody is made the first one, whoever holds the cookie.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_person_who_scans_the_same_page_is_never_the_first() {
    for keeps_session in [true, false] {
        let stack = stack().await.unwrap();
        let visitor = stack.visitor("lin").at_a_computer();
        let page = visitor.begin(AUTHORIZE).await.unwrap();
        let first = visitor.agree(&page).await.unwrap();
        arrive(&visitor, &first).await;
        let second =
            with_code(&first, &stack.simulator().issue_code("zhou", WEBSITE_APP, "snsapi_login").unwrap());
        if !keeps_session {
            visitor.browser.forget_cookie(SESSION_COOKIE);
        }
        let answer = visitor.open(&second).await.unwrap();
        let reason = if keeps_session { "already_logged_in" } else { "login_expired" };
        let page = location(&answer);
        assert!(page.starts_with(&format!("{ERROR_PAGE}{reason}&id=")), "{page}");
        assert!(answer.set_cookies().is_empty());
        let lin = stack.simulator().openid("lin", WEBSITE_APP);
        assert_eq!(openid(&visitor).await, keeps_session.then_some(lin));
        assert_eq!(exchanged(&stack).len(), 1);
        // The page of who is logged in leads on, the other to a login of one's own.
        let text = visitor.open(&page).await.unwrap().text();
        let link = if keeps_session { "href=\"https://www.example.com/me#\"" } else { "href=\"/authorize\"" };
        assert!(text.contains(link), "{text}");
        assert_eq!(text.contains("<form "), keeps_session, "{text}");
    }
}

/// The page that tells the second person to log the first one out has the button for it. It leads to the login that was
/// asked for; one whose target is too long to be said twice, to the usual one.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_the_one_logged_in_here_logs_out_first() {
    let long = format!("return_to=%2Fcart%3F{}&lang=en", "%2525".repeat(500));
    for (asked, begun_again) in [
        (
            "return_to=%2Fcart%3Fa%3D1&app=website",
            "/authorize?return_to=https%3A%2F%2Flogin.example.com%2Fcart%3Fa%3D1&#38;app=website",
        ),
        ("", "/authorize"),
        (&long, "/authorize"),
    ] {
        let stack = stack().await.unwrap();
        let visitor = stack.visitor("lin").at_a_computer();
        let first =
            visitor.agree(&visitor.begin(&format!("{AUTHORIZE}?{asked}")).await.unwrap()).await.unwrap();
        arrive(&visitor, &first).await;
        let code = stack.simulator().issue_code("zhou", WEBSITE_APP, "snsapi_login").unwrap();
        let told = location(&visitor.open(&with_code(&first, &code)).await.unwrap());
        let page = visitor.open(&told).await.unwrap();
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("form-action 'self'"), "{policy}");
        // Without it the browser would send `Origin: null` along with the form, and the logout refuse it.
        assert_eq!(page.header("referrer-policy"), Some("same-origin"));
        let text = page.text();
        let form =
            text.split("<form method=\"post\" action=\"").nth(1).and_then(|rest| rest.split('"').next());
        let action = format!("{PUBLIC_URL}{}", form.unwrap().replace("&#38;", "&"));
        // Of another site's page it does nothing.
        let foreign = visitor.browser.post_form(&action, "https://evil.example").await.unwrap();
        assert_eq!(foreign.status, 403, "{}", foreign.text());
        assert_eq!(sessions(&stack).len(), 1);
        let out = visitor.browser.post_form(&action, PUBLIC_URL).await.unwrap();
        assert_eq!(out.status, 303, "{}", out.text());
        assert_eq!((sessions(&stack).len(), visitor.session()), (0, None));
        let home = visitor.open(out.location().unwrap()).await.unwrap().text();
        assert!(home.contains(&format!("<a class=\"button\" href=\"{begun_again}\">")), "{home}");
    }
}

/// The callback with another code.
fn with_code(callback: &str, code: &str) -> String {
    let (address, state) = callback.split_once("&state=").unwrap();
    let (address, _) = address.split_once("code=").unwrap();
    format!("{address}code={code}&state={state}")
}

/// What the guard of a code says, if there is one.
fn outcome(stack: &Stack, code: &str) -> Option<String> {
    let id = format!("code#{}", login::Digest::of(code.as_bytes()).as_str());
    let guard = guards(stack).into_iter().find(|guard| attribute(guard, "id") == id)?;
    Some(attribute(&guard, "outcome").to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_waits_for_the_one_at_work() {
    let (stack, visitor, callback) = begun("").await;
    stack.simulator().knobs(|knobs| knobs.hold.insert(EXCHANGE.to_owned()));
    let (winner, duplicate) = tokio::join!(async { visitor.open(&callback).await.unwrap() }, async {
        // The first one holds the claim as soon as WeChat has been asked.
        stack.until_wechat(|ledger| ledger.iter().any(|entry| entry.path == EXCHANGE)).await.unwrap();
        let waiting = tokio::spawn({
            let (visitor, callback) = (visitor.clone(), callback.clone());
            async move { visitor.open(&callback).await.unwrap() }
        });
        while stack.functions().busy("callback") < 2 {
            tokio::task::yield_now().await;
        }
        stack.simulator().act(&Action::Release);
        waiting.await.unwrap()
    });
    assert_eq!((location(&winner), location(&duplicate)), (ARRIVAL.to_owned(), ARRIVAL.to_owned()));
    assert_eq!(winner.set_cookies(), duplicate.set_cookies());
    assert_eq!((exchanged(&stack).len(), sessions(&stack).len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_whose_owner_died_is_never_taken_over() {
    let (stack, visitor, callback) = begun("return_to=%2Fcart").await;
    stack.simulator().knobs(|knobs| knobs.hold.insert(EXCHANGE.to_owned()));
    let (winner, ()) = tokio::join!(visitor.open(&callback), async {
        stack.until_wechat(|ledger| ledger.iter().any(|entry| entry.path == EXCHANGE)).await.unwrap();
        assert_eq!(stack.functions().kill_busy("callback").await, 1);
    });
    assert_eq!(winner.unwrap().status, 500);
    assert_eq!(guards(&stack)[0]["outcome"]["S"], "claimed");
    stack.simulator().act(&Action::Release);

    // Waits in vain, then begins anew; the fresh login succeeds with a code of its own.
    let fresh = arrive(&visitor, &callback).await;
    assert_eq!(fresh, format!("{AUTHORIZE}?return_to=https%3A%2F%2Flogin.example.com%2Fcart&attempt=2"));
    let hops = visitor.browser.follow(&fresh).await.unwrap();
    assert_eq!(hops.last().unwrap().url.path(), "/cart");
    assert!(openid(&visitor).await.is_some());
    let mut codes = exchanged(&stack);
    codes.dedup();
    assert_eq!((codes.len(), exchanged(&stack).len()), (2, 2));
}

/// The wait is five seconds of the visitor's time, and not so many looks: slow ones would take it to the end
/// of the function's own time, and a page without a way on.
#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_does_not_wait_longer_because_the_table_is_slow() {
    let stack = Stack::start(Options::default().proxied()).await.unwrap();
    let visitor = stack.visitor("lin");
    let callback = begin(&visitor, "").await;
    stack.simulator().knobs(|knobs| knobs.hold.insert(EXCHANGE.to_owned()));
    let (winner, ()) = tokio::join!(visitor.open(&callback), async {
        stack.until_wechat(|ledger| ledger.iter().any(|entry| entry.path == EXCHANGE)).await.unwrap();
        assert_eq!(stack.functions().kill_busy("callback").await, 1);
    });
    assert_eq!(winner.unwrap().status, 500);
    let slow = Fault::Delay(Duration::from_millis(700));
    let looks = stack.proxy().unwrap().inject(Rule::at(Kind::CodeOutcome, slow));
    assert_eq!(arrive(&visitor, &callback).await, FRESH_LOGIN);
    assert!((3..=8).contains(&looks.struck()), "{} looks", looks.struck());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_of_a_failed_callback_begins_anew_at_once() {
    let (stack, visitor, callback) = begun("").await;
    stack.script(EXCHANGE, simulator::Fault::DropAfter, 1);
    let fresh = FRESH_LOGIN;
    assert_eq!(arrive(&visitor, &callback).await, fresh);
    assert_eq!(guards(&stack)[0]["outcome"]["S"], "failed");
    assert_eq!(arrive(&visitor, &callback).await, fresh);
    assert_eq!(exchanged(&stack).len(), 1);
}

/// Of two callbacks of one navigation the browser shows the second answer: it says why, as the first did.
#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_of_a_failed_callback_is_told_what_the_first_was() {
    for (fault, query, reason) in [
        (errcode(50002), "", "user_refused"),
        (errcode(50002), "scope=snsapi_userinfo", "user_refused"),
        (errcode(40125), "", "misconfigured"),
        (errcode(40125), "scope=snsapi_userinfo", "misconfigured"),
        // A silent login begins anew without a page.
        (simulator::Fault::DropAfter, "scope=snsapi_userinfo", "wechat_unavailable"),
        (errcode(40029), "scope=snsapi_userinfo", "login_expired"),
    ] {
        let (stack, visitor, callback) = begun(query).await;
        stack.script(EXCHANGE, fault, 1);
        for _ in 0..3 {
            let page = arrive(&visitor, &callback).await;
            assert!(page.starts_with(&format!("{ERROR_PAGE}{reason}&id=")), "{query}: {page}");
        }
        assert_eq!(exchanged(&stack).len(), 1);
    }
}

/// So are those of a claim beside which the login could not be read.
#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_of_a_claim_without_its_login_is_told_what_the_first_was() {
    for query in ["", "scope=snsapi_userinfo"] {
        let stack = Stack::start(Options::default().proxied()).await.unwrap();
        let visitor = stack.visitor("lin");
        let callback = begin(&visitor, query).await;
        let throttle = Fault::Throttle(Throttle::RequestLimitExceeded);
        let throttled = stack.proxy().unwrap().inject(Rule::at(Kind::Login, throttle));
        let mut pages = vec![arrive(&visitor, &callback).await];
        throttled.remove();
        for _ in 0..2 {
            pages.push(arrive(&visitor, &callback).await);
        }
        for page in pages {
            assert!(page.starts_with(&format!("{ERROR_PAGE}service_unavailable&id=")), "{query}: {page}");
        }
        assert_eq!(exchanged(&stack).len(), 0);
    }
}

/// What a version before this one recorded of a code says only that it failed.
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_without_a_reason_leads_to_a_fresh_login() {
    let (stack, visitor, callback) = begun("").await;
    stack.script(EXCHANGE, errcode(50002), 1);
    arrive(&visitor, &callback).await;
    for reason in [None, Some("what_no_page_says")] {
        stack
            .change_logins("outcome", |guard| {
                let fields = guard.as_object_mut().unwrap();
                fields.remove("reason");
                fields.extend(reason.map(|reason| ("reason".to_owned(), serde_json::json!({ "S": reason }))));
            })
            .unwrap();
        assert_eq!(arrive(&visitor, &callback).await, FRESH_LOGIN, "{reason:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_code_for_two_logins_is_used_once() {
    let stack = stack().await.unwrap();
    stack.simulator().knobs(|knobs| knobs.reissue_code_seconds = 60);
    let visitor = stack.visitor("lin");
    let one = begin(&visitor, "return_to=%2Fone").await;
    let other = begin(&visitor, "return_to=%2Fother").await;
    assert_eq!(arrive(&visitor, &one).await, "https://login.example.com/one#");
    // The other login has the same code; the session it led to is at hand.
    let answer = visitor.open(&other).await.unwrap();
    assert_eq!(location(&answer), "https://login.example.com/other#");
    assert!(answer.set_cookies().is_empty());
    assert_eq!((exchanged(&stack).len(), sessions(&stack).len()), (1, 1));

    // Without it, there is nothing to go by: the login waits for a new code, at no round's cost.
    visitor.browser.forget_cookie(SESSION_COOKIE);
    let page = arrive(&visitor, &other).await;
    assert!(page.starts_with(&format!("{ERROR_PAGE}code_repeated&id=")), "{page}");
    assert!(page.ends_with("&return_to=https%3A%2F%2Flogin.example.com%2Fother&waits=1"), "{page}");
    assert_eq!(exchanged(&stack).len(), 1);
}

/// WeChat gives the same code to whoever comes back within seconds. A login that gets one which was spent here waits
/// by itself, three, six and twelve seconds, and never exchanges it; then there is a button.
#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_code_costs_waits_and_no_round() {
    for (seconds, waits, is_logged_in) in [(2, 1, true), (8, 2, true), (20, 3, true), (60, 3, false)] {
        let stack = stack().await.unwrap();
        // Of time passes only what a page waits.
        let now = stack.simulator().now();
        stack.simulator().knobs(|knobs| (knobs.reissue_code_seconds, knobs.clock) = (seconds, Some(now)));
        let visitor = stack.visitor("lin").logged_in().await.unwrap();
        visitor.log_out().await.unwrap();
        stack.simulator().clear_ledger();
        let hops = visitor.follow(&format!("{AUTHORIZE}?return_to=%2Fcart&lang=en")).await.unwrap();
        let told: Vec<_> = hops.iter().map(|hop| format!("{} {}", hop.status, hop.url)).collect();
        let waited = hops.iter().filter(|hop| parameter(hop.url.as_str(), "reason") == "code_repeated");
        assert_eq!(waited.count(), waits, "{told:?}");
        let last = hops.last().unwrap();
        if is_logged_in {
            assert_eq!(last.url.path(), "/cart", "{told:?}");
            assert!(openid(&visitor).await.is_some());
        } else {
            assert_eq!(parameter(last.url.as_str(), "reason"), "login_expired", "{told:?}");
            let link = "href=\"/authorize?return_to=https%3A%2F%2Flogin.example.com%2Fcart&#38;lang=en\"";
            assert!(last.text().contains(link), "{}", last.text());
        }
        let mut codes = exchanged(&stack);
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), usize::from(is_logged_in), "{told:?}");
    }
}

/// Two reads are of two moments: the guard may be seen as the transaction left it, the session as it was before.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_seen_late_is_looked_for_again() {
    for (missed, expected) in [(1, ARRIVAL), (2, ARRIVAL), (3, FRESH_LOGIN)] {
        let stack = Stack::start(Options::default().proxied()).await.unwrap();
        let visitor = stack.visitor("lin");
        let callback = begin(&visitor, "").await;
        arrive(&visitor, &callback).await;
        visitor.browser.forget_cookie(SESSION_COOKIE);
        stack.proxy().unwrap().inject(Rule::at(Kind::Session, Fault::OldRead).times(missed));
        assert_eq!(arrive(&visitor, &callback).await, expected, "{missed}");
    }
}

/// Another tab has replaced the session of a login whose callback comes again: this browser's is as good.
#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_whose_session_another_tab_replaced_is_sent_on() {
    let (stack, visitor, callback) = begun("").await;
    arrive(&visitor, &callback).await;
    visitor.log_in().await.unwrap();
    let session = visitor.session();
    let answer = visitor.open(&callback).await.unwrap();
    assert_eq!((location(&answer).as_str(), answer.set_cookies()), (ARRIVAL, vec![]));
    assert_eq!((visitor.session(), sessions(&stack).len(), exchanged(&stack).len()), (session, 1, 2));
}

/// WeChat has called the grant gone: that session is given to nobody again.
#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_whose_session_wechat_ended_begins_anew() {
    let (stack, visitor, callback) = begun("").await;
    arrive(&visitor, &callback).await;
    stack.change_sessions("pepper", |session| session["refused_at"] = session["created_at"].clone()).unwrap();
    let answer = visitor.open(&callback).await.unwrap();
    assert_eq!((location(&answer).as_str(), answer.set_cookies()), (FRESH_LOGIN, vec![]));
    visitor.browser.follow(FRESH_LOGIN).await.unwrap();
    assert_eq!(openid(&visitor).await, Some(stack.simulator().openid("lin", OFFICIAL_ACCOUNT)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_session_does_not_stand_in_for_a_login_that_failed() {
    let (stack, visitor) = visited().await.unwrap();
    visitor.browser.follow(AUTHORIZE).await.unwrap();
    stack.simulator().knobs(|knobs| {
        knobs.reissue_code_seconds = 60;
        knobs.script(EXCHANGE, simulator::Fault::DropAfter);
    });
    // The first login's code is not given out again.
    stack.simulator().advance(120);
    // One code for both; the login it was used for gave no session.
    let one = begin(&visitor, "return_to=%2Fone").await;
    let other = begin(&visitor, "return_to=%2Fother").await;
    let fresh = format!("{AUTHORIZE}?return_to=https%3A%2F%2Flogin.example.com%2Fone&attempt=2");
    assert_eq!(arrive(&visitor, &one).await, fresh);
    let page = arrive(&visitor, &other).await;
    assert!(page.starts_with(&format!("{ERROR_PAGE}code_repeated&id=")), "{page}");
    assert_eq!((exchanged(&stack).len(), sessions(&stack).len()), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_code_in_two_browsers_gives_the_second_nothing() {
    let stack = stack().await.unwrap();
    stack.simulator().knobs(|knobs| knobs.reissue_code_seconds = 60);
    let (victim, attacker) = (stack.visitor("lin"), stack.visitor("lin"));
    let callback = begin(&victim, "").await;
    let own = begin(&attacker, "").await;
    arrive(&victim, &callback).await;
    // The attacker's own state, the victim's code.
    let answer = attacker.open(&own).await.unwrap();
    let page = location(&answer);
    assert!(page.starts_with(&format!("{ERROR_PAGE}code_repeated&id=")), "{page}");
    assert!(answer.set_cookies().is_empty());
    assert_eq!((exchanged(&stack).len(), sessions(&stack).len()), (1, 1));
    assert_eq!(openid(&attacker).await, None);
}
