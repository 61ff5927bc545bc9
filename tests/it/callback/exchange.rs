//! What WeChat may answer to an exchange, and what follows. A code is sent at most once, whatever
//! happens to it.

use harness::{
    Options, Stack,
    places::{ARRIVAL, AUTHORIZE, CONSENT_PAGE, EXCHANGE, FRESH_LOGIN},
    stack::{errcode, raw},
};
use simulator::{Fault, Snapshot};
use web::reason::Reason;

use super::{arrive, begin, begun, exchanged, guards, openid, sessions};

use crate::support::{stack, title, visited};

/// One login whose exchange goes wrong as scripted; where its callback leads.
async fn login_with(fault: Fault) -> (Stack, String) {
    let (stack, visitor, callback) = begun("").await;
    stack.script(EXCHANGE, fault, 1);
    let location = arrive(&visitor, &callback).await;
    assert_eq!(exchanged(&stack).len(), 1);
    assert_eq!(guards(&stack)[0]["outcome"]["S"], "failed");
    assert!(sessions(&stack).is_empty());
    assert_eq!(visitor.session(), None);
    (stack, location)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_wechat_refuses_costs_one_fresh_login() {
    for code in [40029, 40163, 42003] {
        let (stack, location) = login_with(errcode(code)).await;
        assert_eq!(location, FRESH_LOGIN, "{code}");
        assert!(stack.stop().await.text().contains(&format!(r#""errcode":{code}"#)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_wechat_refuses_twice_ends_on_a_page() {
    let (stack, visitor) = visited().await.unwrap();
    for _ in ["the login", "the fresh one"] {
        stack.script(EXCHANGE, errcode(40029), 1);
    }
    let hops = visitor.browser.follow(&format!("{AUTHORIZE}?return_to=%2Fcart")).await.unwrap();
    let last = hops.last().unwrap();
    assert_eq!((last.status, last.url.path()), (200, "/error"), "{}", last.text());
    assert!(last.text().contains("/authorize?return_to=https%3A%2F%2Flogin.example.com%2Fcart"));
    assert_eq!(exchanged(&stack).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_in_doubt_is_never_repeated() {
    for fault in [
        errcode(-1),
        Fault::Truncated,
        Fault::Oversize { bytes: 70_000 },
        Fault::DuplicateKeys,
        Fault::DropBefore,
        Fault::DropAfter,
        Fault::DropHalfWay,
        Fault::Html { status: 502 },
        Fault::Html { status: 200 },
        Fault::Redirect { location: "https://evil.com/".to_owned() },
        raw(500, "{}"),
        raw(200, ""),
        raw(200, "{}"),
    ] {
        let (_, location) = login_with(fault.clone()).await;
        assert_eq!(location, FRESH_LOGIN, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_of_wechats_is_not_followed() {
    let (stack, location) = login_with(Fault::Redirect { location: "/sns/userinfo".to_owned() }).await;
    assert_eq!(location, FRESH_LOGIN);
    let asked: Vec<_> = stack.simulator().ledger().into_iter().map(|entry| entry.path).collect();
    assert_eq!(asked, [CONSENT_PAGE, EXCHANGE]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_is_an_exchange_in_doubt() {
    let (stack, visitor, callback) = begun("").await;
    stack.simulator().knobs(|knobs| knobs.hold.insert(EXCHANGE.to_owned()));
    assert_eq!(arrive(&visitor, &callback).await, FRESH_LOGIN);
    assert_eq!(exchanged(&stack).len(), 1);
    assert!(stack.stop().await.text().contains("timeout"));
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_mistakes_end_on_a_page_and_raise_an_alarm() {
    // 40001 at the exchange is what WeChat documents for a wrong app secret.
    for code in [40001, 40013, 40125, 41002, 41004, 48001, 99999] {
        let (stack, location) = login_with(errcode(code)).await;
        assert!(location.starts_with("https://login.example.com/error?reason=misconfigured&id="), "{code}");
        assert_eq!(stack.visitor("lin").open(&location).await.unwrap().status, 200);
        let log = stack.stop().await.text();
        let line = log.lines().find(|line| line.contains(r#""outcome":"misconfigured""#)).unwrap();
        assert!(
            line.contains(r#""level":"ERROR""#) && line.contains(&format!(r#""errcode":{code}"#)),
            "{line}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_whom_wechat_restricts_is_told_so() {
    let (_, location) = login_with(errcode(50002)).await;
    assert!(location.starts_with("https://login.example.com/error?reason=user_refused&id="), "{location}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_visitor_never_gets_a_session() {
    let stack = stack().await.unwrap();
    stack.simulator().knobs(|knobs| knobs.snapshot = Snapshot::On);
    let visitor = stack.visitor("lin");
    let callback = begin(&visitor, "scope=snsapi_userinfo").await;
    let page = arrive(&visitor, &callback).await;
    assert!(page.starts_with("https://login.example.com/error?reason=snapshot&id="), "{page}");
    assert!(visitor.open(&page).await.unwrap().text().contains(title(Reason::Snapshot)));
    // WeChat may call back twice: to begin afresh would lead to the snapshot again.
    let again = arrive(&visitor, &callback).await;
    assert!(again.starts_with("https://login.example.com/error?reason=snapshot&id="), "{again}");
    assert_eq!(stack.requests(EXCHANGE).len(), 1);
    assert!(sessions(&stack).is_empty());
    assert_eq!(openid(&visitor).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_wechat_writes_differently_is_understood() {
    let stack = stack().await.unwrap();
    stack.simulator().knobs(|knobs| knobs.scope_in_exchange = false);
    let visitor = stack.visitor("lin");
    let callback = begin(&visitor, "").await;
    assert_eq!(arrive(&visitor, &callback).await, ARRIVAL);
    stack.simulator().knobs(|knobs| {
        knobs.errcode_as_string = true;
        knobs.script(EXCHANGE, errcode(40029));
    });
    let callback = begin(&visitor, "").await;
    assert_eq!(arrive(&visitor, &callback).await, FRESH_LOGIN);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_was_not_sent_may_go_to_the_backup_host() {
    let nowhere = "http://127.0.0.1:9";
    let simulator = simulator::Simulator::new(simulator::Settings::example());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let backup = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn({
        let simulator = simulator.clone();
        async move { simulator.serve(listener, std::future::pending()).await }
    });
    let options = Options::default().with("WECHAT_API_URL", nowhere).with("WECHAT_API_BACKUP_URL", &backup);
    let stack = Stack::start(options.simulator(simulator)).await.unwrap();
    let visitor = stack.visitor("lin");
    let callback = begin(&visitor, "").await;
    assert_eq!(arrive(&visitor, &callback).await, ARRIVAL);
    assert_eq!(exchanged(&stack).len(), 1);
    serving.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_connection_to_wechat_there_is_a_page() {
    let stack = Stack::start(Options::default().with("WECHAT_API_URL", "http://127.0.0.1:9")).await.unwrap();
    let visitor = stack.visitor("lin");
    let callback = begin(&visitor, "").await;
    let page = arrive(&visitor, &callback).await;
    assert!(page.starts_with("https://login.example.com/error?reason=wechat_unavailable&id="), "{page}");
    assert_eq!(visitor.open(&page).await.unwrap().status, 200);
    assert!(exchanged(&stack).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_app_secret_claims_nothing_it_could_not_use() {
    let stack = Stack::start(Options::default().with("APP_SECRETS", "{}")).await.unwrap();
    let visitor = stack.visitor("lin");
    let callback = begin(&visitor, "").await;
    let page = arrive(&visitor, &callback).await;
    assert!(page.starts_with("https://login.example.com/error?reason=misconfigured&id="), "{page}");
    assert!(exchanged(&stack).is_empty());
}
