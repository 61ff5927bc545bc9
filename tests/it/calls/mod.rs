//! What the functions ask of DynamoDB: how many calls a route takes (here), how they are repeated when
//! they go wrong ([`repeated`]), what they are charged ([`units`]), and that no function may do more than it does
//! ([`permissions`]).

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the helpers of these tests fail as the tests do"
)]

mod permissions;
mod repeated;
mod units;

use harness::{
    Answer, Options, Result, Stack, Visitor,
    browser::Visit,
    places::{AUTHORIZE, AUTHORIZE_PROFILE, EXCHANGE, LOGOUT, PROFILE, USERINFO},
    proxy::{Call, Fault, Kind, Rule},
    stack::{PAGE_ORIGIN, PUBLIC_URL},
};
use http::Method;

use crate::{openid, support::allow};

/// A stack whose calls are counted, and whose people agree without being asked.
async fn counted(options: Options) -> Stack {
    let stack = Stack::start(options.proxied()).await.unwrap();
    allow(&stack);
    stack
}

/// A variable for some other program's good, or a stranger's, sends no secret to a proxy.
#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_of_the_environment_is_not_used() {
    let proxy = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let names = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
    let options = names.iter().fold(Options::default(), |options, name| options.with(name, &address));
    let stack = Stack::start(options).await.unwrap();
    stack.visitor("lin").log_in().await.unwrap();
    assert_eq!(stack.requests(EXCHANGE).len(), 1);
}

/// The kinds of the calls since the last time, in the order of their names.
fn kinds(stack: &Stack) -> Vec<Kind> {
    let proxy = stack.proxy().unwrap();
    let mut kinds: Vec<_> = proxy.calls().iter().map(|call| call.kind).collect();
    proxy.forget();
    kinds.sort_unstable();
    kinds
}

/// How many of these calls come one after the other: each arrives when the one before was answered.
fn in_sequence(calls: &[Call]) -> usize {
    let mut count = 0;
    let mut answered = 0;
    for call in calls {
        if call.arrived > answered {
            count += 1;
            answered = call.answered.unwrap_or(u64::MAX);
        } else {
            answered = answered.min(call.answered.unwrap_or(u64::MAX));
        }
    }
    count
}

/// A callback whose claim and reading of the login are let go only when both have come.
async fn callback_in_step(stack: &Stack, visitor: &Visitor, callback: &str) -> Result<Answer> {
    let proxy = stack.proxy()?;
    let claim = proxy.inject(Rule::at(Kind::Claim, Fault::HoldBefore));
    let login = proxy.inject(Rule::at(Kind::Login, Fault::HoldBefore));
    let release = async {
        let held = (claim.held().await?, login.held().await?);
        held.0.release();
        held.1.release();
        Result::Ok(())
    };
    let (answer, released) = tokio::join!(visitor.open(callback), release);
    proxy.heal();
    released.and(answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_takes_one_call_to_begin_and_two_in_sequence_to_finish() {
    let stack = counted(Options::default()).await;
    for (link, of_wechat) in [(AUTHORIZE, 1), (AUTHORIZE_PROFILE, 2)] {
        let visitor = stack.visitor("lin");
        stack.simulator().clear_ledger();
        let callback = visitor.come_back(link).await.unwrap();
        assert_eq!(kinds(&stack), [Kind::PutLogin]);

        let answer = callback_in_step(&stack, &visitor, &callback).await.unwrap();
        assert!(answer.location().unwrap().starts_with(PAGE_ORIGIN));
        assert_eq!(in_sequence(&stack.proxy().unwrap().calls()), 2);
        assert_eq!(kinds(&stack), [Kind::Login, Kind::Claim, Kind::Finish]);
        assert_eq!(stack.requests(EXCHANGE).len() + stack.requests(PROFILE).len(), of_wechat);

        assert_eq!(visitor.userinfo().await.unwrap().status, 200);
        assert_eq!(kinds(&stack), [Kind::Session]);
        visitor.log_out().await.unwrap();
        assert_eq!(kinds(&stack), [Kind::DeleteSession]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_takes_one_call() {
    let stack = counted(openid::provider(&openid::one_api())).await;
    let visitor = stack.visitor("lin").logged_in().await.unwrap();
    kinds(&stack);
    assert_eq!(openid::ask(&visitor, "").await.status, 200);
    assert_eq!(kinds(&stack), [Kind::Session]);
    // What is refused at the door, or public, takes none.
    for visit in [
        openid::request("", "https://evil.example"),
        openid::request("?resource=x", PAGE_ORIGIN),
        openid::request("", PAGE_ORIGIN).header("cookie", "__Host-session=x"),
        Visit::fetch(Method::OPTIONS, openid::ACCESS_TOKEN, PAGE_ORIGIN),
        Visit::open(openid::JWKS),
    ] {
        visitor.send(visit).await.unwrap();
    }
    assert_eq!(kinds(&stack), []);
    assert!(stack.requests(PROFILE).is_empty() && stack.requests(EXCHANGE).len() == 1);
}

/// What a client's login costs, call by call, one after the other: nothing here could run side by side.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_at_a_client_takes_few_calls() {
    use harness::relying_party::{
        asked, brought, form, options, parameter, redeem, refresh, text, userinfo, visitor,
    };

    let stack = counted(options("openid").unwrap()).await;
    let visitor = visitor(&stack, "lin");
    let to_login = visitor.open(&asked(&[])).await.unwrap().redirect().unwrap().unwrap();
    assert_eq!(kinds(&stack), [Kind::PutRequest], "without a session");
    let callback = visitor.come_back(to_login.as_str()).await.unwrap();
    let back = visitor.call_back(&callback).await.unwrap();
    kinds(&stack);
    visitor.go_on(&back).await.unwrap();
    assert_eq!(in_sequence(&stack.proxy().unwrap().calls()), 3);
    assert_eq!(kinds(&stack), [Kind::Session, Kind::Request, Kind::PutGrant], "after the login");

    let answer = brought(&visitor.follow(&asked(&[])).await.unwrap()).unwrap();
    assert_eq!(kinds(&stack), [Kind::Session, Kind::PutGrant], "with a session");
    let tokens = redeem(&stack, &parameter(&answer, "code").unwrap(), &[]).await.unwrap().json().unwrap();
    assert_eq!(in_sequence(&stack.proxy().unwrap().calls()), 3);
    assert_eq!(kinds(&stack), [Kind::Session, Kind::Grant, Kind::Redeem]);
    userinfo(&stack, &text(&tokens, "access_token")).await.unwrap();
    assert_eq!(kinds(&stack), [Kind::Session, Kind::Grant]);
    refresh(&stack, &text(&tokens, "refresh_token")).await.unwrap();
    assert_eq!(kinds(&stack), [Kind::Session, Kind::Grant, Kind::Renew]);
    let hint = form(&[("id_token_hint", &text(&tokens, "id_token"))]);
    visitor.open(&format!("{PUBLIC_URL}/oauth2/logout?{hint}")).await.unwrap();
    assert_eq!(kinds(&stack), [Kind::DeleteSession, Kind::Grant]);

    // An address that is none of the client's costs nothing.
    visitor.open(&asked(&[("redirect_uri", "https://evil.example/")])).await.unwrap();
    assert_eq!(kinds(&stack), []);
}

/// Before a client has shown who it is no table is read, whatever good code or token it brings; and what stands in the
/// address shows nothing, for addresses lie in logs.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_has_not_shown_who_it_is_costs_nothing() {
    use harness::relying_party::{
        REDIRECT_URI, SECRET, VERIFIER, basic, code, error_of, form, options, post, redeem, refused, renew,
        revoke, text, visitor,
    };

    let stack = counted(options("openid").unwrap()).await;
    let visitor = visitor(&stack, "lin");
    let admin = [("client_id", "admin"), ("client_secret", SECRET)];
    let used = code(&visitor, &admin[..1]).await.unwrap();
    let tokens = redeem(&stack, &used, &admin).await.unwrap().json().unwrap();
    let token = text(&tokens, "refresh_token");
    let live = code(&visitor, &admin[..1]).await.unwrap();
    kinds(&stack);
    for secret in ["", "canary"] {
        let shown = [("client_id", "admin"), ("client_secret", secret)];
        for answer in [
            redeem(&stack, &live, &shown).await.unwrap(),
            renew(&stack, &token, &shown).await.unwrap(),
            revoke(&stack, &token, &shown).await.unwrap(),
        ] {
            assert_eq!(error_of(&answer).unwrap(), refused("invalid_client"), "{secret:?} {}", answer.url);
        }
    }
    let rest = [
        ("grant_type", "authorization_code"),
        ("code", &*live),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
    ];
    let by_basic = post(&stack, &form(&rest), Some(&basic("admin", "canary"))).await.unwrap();
    assert_eq!(error_of(&by_basic).unwrap(), refused("invalid_client"));
    let in_the_address = format!("{PUBLIC_URL}/oauth2/token?{}", form(&admin));
    let visit = Visit::posted(&in_the_address, &form(&rest));
    let answer = stack.browser().send(visit).await.unwrap();
    assert_eq!(error_of(&answer).unwrap(), refused("invalid_request"));
    assert_eq!(kinds(&stack), []);
    // It was good all the time.
    assert_eq!(redeem(&stack, &live, &admin).await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_unionid_of_a_silent_login_takes_one_more_or_three_if_the_token_is_fetched() {
    let stack = counted(Options::default().with("SILENT_UNIONID", "true")).await;
    let fetched: &[_] = &[Kind::AppToken, Kind::LeaseAppToken, Kind::PutAppToken];
    for (of_the_token, sequence, of_wechat) in [(fetched, 5, 3), (&[Kind::AppToken], 3, 2)] {
        let visitor = stack.visitor("lin");
        let callback = visitor.come_back(AUTHORIZE).await.unwrap();
        kinds(&stack);
        stack.simulator().clear_ledger();
        callback_in_step(&stack, &visitor, &callback).await.unwrap();
        assert_eq!(in_sequence(&stack.proxy().unwrap().calls()), sequence);
        let expected = [&[Kind::Login, Kind::Claim, Kind::Finish], of_the_token].concat();
        assert_eq!(kinds(&stack), expected);
        assert_eq!(stack.simulator().ledger().len(), of_wechat);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_that_is_no_login_takes_few_calls() {
    let stack = counted(Options::default()).await;
    let visitor = stack.visitor("lin");
    let callback = visitor.come_back(AUTHORIZE).await.unwrap();
    visitor.open(&callback).await.unwrap();
    kinds(&stack);

    visitor.open(&callback).await.unwrap();
    assert_eq!(kinds(&stack), [Kind::Login, Kind::Claim, Kind::CodeOutcome, Kind::Session], "a duplicate");
    stack.visitor("lin").open(&callback).await.unwrap();
    assert_eq!(kinds(&stack), [Kind::Login], "without the browser cookie");
    let (foreigner, owner) = (stack.visitor("lin"), stack.visitor("lin"));
    foreigner.come_back(AUTHORIZE).await.unwrap();
    let callback = owner.come_back(AUTHORIZE).await.unwrap();
    kinds(&stack);
    foreigner.open(&callback).await.unwrap();
    assert_eq!(kinds(&stack), [Kind::Login, Kind::Claim, Kind::SpendCode], "another browser's");
    let (denied, _) = callback.split_once("code=").unwrap();
    let (_, state) = callback.split_once("&state=").unwrap();
    owner.open(&format!("{denied}state={state}")).await.unwrap();
    assert_eq!(kinds(&stack), [Kind::Login], "a denial");
    owner.open("https://login.example.com/callback?code=1&state=1").await.unwrap();
    assert_eq!(kinds(&stack), [], "a forged one");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_at_the_door_takes_none() {
    let stack = counted(Options::default()).await;
    let visitor = stack.visitor("lin");
    for link in [
        "https://login.example.com/",
        "https://login.example.com/error?reason=login_expired",
        "https://login.example.com/authorize?return_to=https%3A%2F%2Fevil.example",
        "https://login.example.com/authorize?scope=everything",
        USERINFO,
    ] {
        visitor.open(link).await.unwrap();
    }
    for visit in [
        Visit::fetch(Method::GET, USERINFO, "https://evil.example"),
        Visit::fetch(Method::OPTIONS, USERINFO, PAGE_ORIGIN),
        Visit::form(LOGOUT, "https://evil.example", &[]),
        Visit::form(LOGOUT, PAGE_ORIGIN, &[]),
    ] {
        visitor.send(visit).await.unwrap();
    }
    assert_eq!(kinds(&stack), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_is_read_again_is_one_write_more() {
    let stack = counted(Options::default().with("PROFILE_LIFETIME_SECONDS", "0")).await;
    let visitor = stack.visitor("lin").logged_in().await.unwrap();
    kinds(&stack);
    visitor.userinfo().await.unwrap();
    assert_eq!(kinds(&stack), [Kind::Session], "no profile was granted");
    visitor.log_in_with_profile().await.unwrap();
    kinds(&stack);
    visitor.userinfo().await.unwrap();
    assert_eq!(kinds(&stack), [Kind::Session, Kind::SaveSession]);
}
