//! `POST /logout` and `DELETE /userinfo`: a session ends at once, at the wish of an allowed page and of no other.
//!
//! Both are held to the same; what only one of them does comes last.

use harness::{
    Answer, Options, Result, Stack, Visitor,
    browser::Visit,
    places::{EXCHANGE, LOGOUT, ONCE_MORE, PROFILE, SESSION_COOKIE, USERINFO},
    stack::{PAGE_ORIGIN, PUBLIC_URL},
    visitor::callback_of,
};
use http::Method;
use simulator::Action;
use web::{language::Language, reason::Reason, words::elsewhere};

use crate::support::{
    FOREIGN_ORIGINS, LABELS, allowances, assert_left, assert_problem, assert_secured, button,
    event_without_origin, forged, logged_in, logged_in_with_profile, only_session, stack,
    stack_that_reads_again, title, without_tables,
};

/// A way to leave.
struct Way {
    /// The function that is asked.
    function: &'static str,
    method: Method,
    url: &'static str,
    /// What the log calls it.
    outcome: &'static str,
}

const WAYS: [Way; 2] = [
    Way { function: "logout", method: Method::POST, url: LOGOUT, outcome: "logged_out" },
    Way { function: "userinfo", method: Method::DELETE, url: USERINFO, outcome: "erased" },
];

impl Way {
    /// What a script of this origin sends.
    fn from(&self, origin: &str) -> Visit {
        Visit::fetch(self.method.clone(), self.url, origin)
    }

    /// Leaves as a person does on the team's page.
    async fn leave(&self, visitor: &Visitor) -> Result<Answer> {
        if self.method == Method::POST { visitor.log_out().await } else { visitor.erase().await }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allowed_page_ends_the_session_at_once() {
    for way in &WAYS {
        let stack = stack().await.unwrap();
        for origin in [PAGE_ORIGIN, PUBLIC_URL] {
            let visitor = stack.visitor("lin").logged_in_with_profile().await.unwrap();
            assert_eq!(stack.sessions().unwrap().len(), 1);
            let secret = visitor.secret();

            let answer = visitor.send(way.from(origin)).await.unwrap();
            assert_eq!((answer.status, answer.text().as_str()), (204, ""));
            assert_secured(&answer.headers, origin);
            assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
            assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
            assert_eq!(answer.header("vary"), Some("Origin, Accept, Accept-Language"));
            assert_left(&answer);
            // Whoever knew the browser's secret knows nothing of the next person's.
            assert_eq!(visitor.session(), None);
            assert!(visitor.secret().is_some() && visitor.secret() != secret);
            assert!(visitor.browser.rejected_cookies().is_empty());
            assert!(stack.sessions().unwrap().is_empty());
            assert_eq!(visitor.userinfo().await.unwrap().status, 401);
        }
        let outcome = format!("\"outcome\":\"{}\"", way.outcome);
        assert!(stack.stop().await.text().contains(&outcome), "{outcome}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_cookie_opens_nothing_afterwards() {
    for way in &WAYS {
        let (_stack, visitor) = logged_in().await.unwrap();
        let thief = visitor.thief();
        assert_eq!(thief.userinfo().await.unwrap().status, 200);
        way.leave(&visitor).await.unwrap();
        assert_eq!(thief.userinfo().await.unwrap().status, 401, "{}", way.url);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_foreign_page_ends_anybodys_session() {
    for way in &WAYS {
        let (stack, visitor) = logged_in().await.unwrap();
        for origin in FOREIGN_ORIGINS {
            for accept in ["*/*", "text/html"] {
                let visit = forged(&visitor, way.from(PUBLIC_URL), origin).header("accept", accept);
                let answer = visitor.send(visit).await.unwrap();
                if accept == "text/html" && origin == "null" && way.method == Method::POST {
                    // It may be an allowed page that hides: the person is asked.
                    assert_eq!(answer.status, 200);
                    assert!(answer.text().contains(LABELS.ask_log_out), "{}", answer.text());
                } else if accept == "text/html" {
                    assert_eq!(answer.status, 403);
                    assert!(answer.text().contains(title(Reason::OriginRefused)), "{}", answer.text());
                } else {
                    assert_problem(&answer, 403, "origin_refused");
                }
                assert_eq!((allowances(&answer), answer.set_cookies()), (vec![], vec![]), "{origin}");
                assert_secured(&answer.headers, origin);
            }
        }
        // No `Origin` at all, which no browser leaves out that was told to send this.
        let path = way.url.trim_start_matches(PUBLIC_URL);
        let event = event_without_origin(&visitor.browser, way.method.as_str(), path);
        let answer = stack.gateway().invoke(way.function, &event).await.unwrap();
        assert_eq!((&answer["statusCode"], &answer["cookies"]), (&403.into(), &serde_json::json!([])));
        // A `GET` may do without.
        let visit = Visit::open(USERINFO).header("accept", "*/*");
        assert_eq!(visitor.send(visit).await.unwrap().status, 200);
        assert_eq!(visitor.userinfo().await.unwrap().status, 200);
        only_session(&stack).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_logged_in_may_leave() {
    for way in &WAYS {
        let stack = stack().await.unwrap();
        let visitor = stack.visitor("lin");
        for cookie in ["", "__Host-session=", "__Host-session=1234", "__Host-session=%22", "session=x"] {
            let answer = visitor.send(way.from(PAGE_ORIGIN).header("cookie", cookie)).await.unwrap();
            assert_eq!(answer.status, 204, "{cookie}");
            assert_left(&answer);
        }
        assert!(stack.database().dump().unwrap().values().all(Vec::is_empty));

        visitor.log_in().await.unwrap();
        let cookie = format!("{SESSION_COOKIE}={}", visitor.session().unwrap());
        for _ in 0..3 {
            let visit = way.from(PAGE_ORIGIN).header("cookie", &cookie);
            assert_eq!(visitor.send(visit).await.unwrap().status, 204);
            assert!(stack.sessions().unwrap().is_empty());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_browsers_session_stays() {
    for way in &WAYS {
        let (stack, one) = logged_in().await.unwrap();
        let other = one.elsewhere();
        other.log_in().await.unwrap();
        let cookie = format!("{SESSION_COOKIE}={}", other.session().unwrap());
        way.leave(&one).await.unwrap();
        assert_eq!(one.userinfo().await.unwrap().status, 401);
        assert_eq!(other.userinfo().await.unwrap().status, 200);
        only_session(&stack).unwrap();
        // Two session cookies name nobody, so nobody's session ends.
        let visit = forged(&one, way.from(PUBLIC_URL), PAGE_ORIGIN);
        let visit = visit.header("cookie", &format!("{cookie}; {cookie}"));
        assert_eq!(one.send(visit).await.unwrap().status, 204);
        only_session(&stack).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_callback_does_not_bring_the_session_back() {
    for way in &WAYS {
        let stack = stack().await.unwrap();
        let visitor = stack.visitor("lin");
        let callback = callback_of(&visitor.log_in().await.unwrap()).unwrap();
        let before = only_session(&stack).unwrap();
        way.leave(&visitor).await.unwrap();

        let answer = visitor.open(&callback).await.unwrap();
        assert_eq!((answer.status, answer.location()), (303, Some(ONCE_MORE)));
        assert!(answer.set_cookies().is_empty());
        assert!(stack.sessions().unwrap().is_empty());
        assert_eq!(stack.requests(EXCHANGE).len(), 1);

        // The fresh login is another one, with a code and a session of its own.
        visitor.follow(&callback).await.unwrap();
        assert_ne!(only_session(&stack).unwrap()["id"], before["id"]);
        let exchanges = stack.requests(EXCHANGE);
        assert_eq!(exchanges.len(), 2);
        assert_ne!(exchanges[0].code, exchanges[1].code);
        assert_eq!(visitor.userinfo().await.unwrap().status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_is_being_read_is_not_stored_again() {
    for way in &WAYS {
        let stack = stack_that_reads_again().await.unwrap();
        let visitor = stack.visitor("lin").logged_in_with_profile().await.unwrap();
        let read = stack.requests(PROFILE).len();
        // The reading is held at WeChat until the session has ended.
        stack.simulator().knobs(|knobs| knobs.hold.insert(PROFILE.to_owned()));
        let (slow, ()) = tokio::join!(visitor.userinfo(), async {
            stack
                .until_wechat(|ledger| ledger.iter().filter(|entry| entry.path == PROFILE).count() > read)
                .await
                .unwrap();
            assert!(matches!(way.leave(&visitor).await.unwrap().status, 204 | 303));
            stack.simulator().act(&Action::Release);
        });
        assert_eq!(slow.unwrap().status, 401, "{}", way.url);
        assert!(stack.sessions().unwrap().is_empty(), "{}", way.url);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_cannot_be_ended_keeps_its_cookie() {
    let stack = Stack::start(without_tables(Options::default())).await.unwrap();
    let cookie = format!("{SESSION_COOKIE}={}", "5e5510fa".repeat(8));
    for way in &WAYS {
        let visit = way.from(PAGE_ORIGIN).header("cookie", &cookie);
        let answer = stack.visitor("lin").send(visit).await.unwrap();
        assert_problem(&answer, 503, "service_unavailable");
        assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE_ORIGIN));
        assert!(answer.set_cookies().is_empty());
        // A person reads where the button is that was pressed; no login failed, and none would help.
        let visit = way.from(PUBLIC_URL).header("cookie", &cookie).header("accept", "text/html");
        let page = stack.visitor("lin").send(visit).await.unwrap();
        let words = elsewhere::words(Language::Chinese, Reason::ServiceUnavailable, false);
        assert!(page.text().contains(words.next), "{}", page.text());
        assert_eq!(button(&page), Some((LABELS.go_home, "/".to_owned())));
    }
    let lines = stack.stop().await.lines();
    for way in &WAYS {
        let mut alarms = lines.iter().filter(|line| line.text.contains("\"level\":\"ERROR\""));
        assert!(alarms.any(|line| line.function == way.function), "{}", way.function);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_logs_out_is_sent_on_to_the_front_page() {
    let stack = stack().await.unwrap();
    for origin in [PUBLIC_URL, PAGE_ORIGIN] {
        let visitor = stack.visitor("lin").logged_in().await.unwrap();
        let answer = visitor.browser.post_form(LOGOUT, origin).await.unwrap();
        assert_eq!((answer.status, answer.location()), (303, Some("https://login.example.com/")));
        assert_left(&answer);
        assert_secured(&answer.headers, origin);
        let home = visitor.open("https://login.example.com/").await.unwrap();
        assert!(home.text().contains(LABELS.not_logged_in), "{}", home.text());
    }
    assert!(stack.sessions().unwrap().is_empty());
}

/// The page whose form it is says where to go on, by the rules of a login's own `return_to`.
#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_logs_out_may_say_where_to_go_on() {
    let stack = stack().await.unwrap();
    for (return_to, location) in [
        ("https%3A%2F%2Fwww.example.com%2Fbye%3Fq%3D100%25", "https://www.example.com/bye?q=100%#"),
        ("%2Fbye", "https://login.example.com/bye#"),
        ("", "https://login.example.com/"),
    ] {
        let visitor = stack.visitor("lin").logged_in().await.unwrap();
        let url = format!("{LOGOUT}?return_to={return_to}");
        let answer = visitor.browser.post_form(&url, PAGE_ORIGIN).await.unwrap();
        assert_eq!((answer.status, answer.location()), (303, Some(location)));
        assert_left(&answer);
    }
    for return_to in
        ["https%3A%2F%2Fevil.example%2F", "%2F%2Fevil.example", "%2Fcallback", "%2Fa&return_to=%2Fb", "%zz"]
    {
        let visitor = stack.visitor("lin").logged_in().await.unwrap();
        let url = format!("{LOGOUT}?return_to={return_to}");
        let answer = visitor.browser.post_form(&url, PAGE_ORIGIN).await.unwrap();
        assert_eq!((answer.status, answer.location()), (400, None), "{return_to}");
        assert!(answer.text().contains(title(Reason::ReturnToRefused)), "{}", answer.text());
        // Why, where it is for want of registration.
        let unregistered = elsewhere::unregistered(Language::Chinese).happened;
        assert_eq!(answer.text().contains(unregistered), return_to.starts_with("https"), "{return_to}");
        assert_eq!(button(&answer), Some((LABELS.go_home, "/".to_owned())));
        // Nobody is logged out on the way to nowhere.
        assert!(answer.set_cookies().is_empty());
        assert_eq!(visitor.userinfo().await.unwrap().status, 200);
    }
    assert!(stack.stop().await.text().contains("\"outcome\":\"return_to_refused\""));
}

/// A form that does not say where it stands, as on each page of a site that hides it from other origins, asks first;
/// the button then does what the form was to do. What may not be gone on to is refused at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_hides_its_page_asks_the_person_first() {
    let stack = stack().await.unwrap();
    for (query, location) in [
        (
            "?return_to=https%3A%2F%2Fwww.example.com%2Fbye%3Fq%3D1%26r%3D2",
            "https://www.example.com/bye?q=1&r=2#",
        ),
        ("", "https://login.example.com/"),
    ] {
        let visitor = stack.visitor("lin").logged_in().await.unwrap();
        let asked = hidden(&visitor, &format!("{LOGOUT}{query}")).await.unwrap();
        assert_eq!((asked.status, asked.set_cookies()), (200, vec![]));
        assert_secured(&asked.headers, query);
        assert_eq!(visitor.userinfo().await.unwrap().status, 200);

        let action = form_action(&asked).unwrap();
        let left = visitor.browser.post_form(&format!("{PUBLIC_URL}{action}"), PUBLIC_URL).await.unwrap();
        assert_eq!((left.status, left.location()), (303, Some(location)));
        assert_left(&left);
    }
    // Where nobody is logged in there is nothing to ask, and nothing changes.
    let nobody =
        Visit::form(&format!("{LOGOUT}?return_to=%2Fbye"), PAGE_ORIGIN, &[]).header("origin", "null");
    let left = stack.visitor("lin").send(nobody).await.unwrap();
    assert_eq!((left.status, left.location()), (303, Some("https://login.example.com/bye#")));
    assert!(left.set_cookies().is_empty());
    let visitor = stack.visitor("lin").logged_in().await.unwrap();
    let refused = format!("{LOGOUT}?return_to=https%3A%2F%2Fevil.example%2F");
    assert_eq!(hidden(&visitor, &refused).await.unwrap().status, 400);
    // A browser that sends no `Origin` at all would come to the same page again, however often the button is pressed.
    let mut event = event_without_origin(&visitor.browser, "POST", "/logout");
    event["headers"]["accept"] = "text/html".into();
    let answer = stack.gateway().invoke("logout", &event).await.unwrap();
    assert_eq!((&answer["statusCode"], &answer["cookies"]), (&403.into(), &serde_json::json!([])));
    assert_eq!(visitor.userinfo().await.unwrap().status, 200);
    assert!(stack.stop().await.text().contains("\"outcome\":\"logout_asked\""));
}

/// A form of a page that hides where it is.
async fn hidden(visitor: &Visitor, url: &str) -> Result<Answer> {
    visitor.send(forged(visitor, Visit::form(url, PAGE_ORIGIN, &[]), "null")).await
}

/// Where the form of a page posts to.
fn form_action(page: &Answer) -> Option<String> {
    let text = page.text();
    let (_, rest) = text.split_once("<form method=\"post\" action=\"")?;
    Some(rest.split_once('"')?.0.replace("&#38;", "&"))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_method_logs_anybody_out() {
    let (_stack, visitor) = logged_in_with_profile().await.unwrap();
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::PATCH] {
        let answer = visitor.send(Visit::fetch(method.clone(), LOGOUT, PAGE_ORIGIN)).await.unwrap();
        assert_eq!(answer.status, 404, "{method}");
    }
    visitor.open(LOGOUT).await.unwrap();
    visitor.send(Visit::fetch(Method::OPTIONS, LOGOUT, PAGE_ORIGIN)).await.unwrap();
    assert_eq!(visitor.userinfo().await.unwrap().status, 200);
}
