//! `GET /callback`: every row of the table of answers, and the races between two of them.
//!
//! The oracle is outside: the ledger of what WeChat received, a dump of the tables, and the cookies
//! that each browser holds.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the helpers of these tests fail as the tests do"
)]

mod carried;
mod duplicates;
mod exchange;
mod faults;
mod profile;
mod races;
mod refused;

use harness::{
    Answer, Stack, Visitor,
    browser::Visit,
    database::attribute,
    places::{ARRIVAL, AUTHORIZE, CONSENT_PAGE, EXCHANGE, PROFILE, USERINFO},
    stack::PAGE_ORIGIN,
};
use serde_json::Value;
use url::Url;

use crate::support::{stack, visited};

/// The usual stack, and somebody who has come back from WeChat; the callback's address, not opened yet.
pub async fn begun(query: &str) -> (Stack, Visitor, String) {
    let (stack, visitor) = visited().await.unwrap();
    let callback = begin(&visitor, query).await;
    (stack, visitor, callback)
}

/// Begins a login and goes through WeChat, silently or with consent; the callback's address, not opened yet.
pub async fn begin(visitor: &Visitor, query: &str) -> String {
    visitor.come_back(&format!("{AUTHORIZE}?{query}")).await.unwrap()
}

/// Checks what every answer of the callback is: a 303 to an address without code and state.
pub fn location(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{}", answer.text());
    assert!(answer.header("x-correlation-id").is_some_and(|id| !id.is_empty()));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let location = answer.location().unwrap().to_owned();
    let url = Url::parse(&location).unwrap();
    assert!(url.query_pairs().all(|(name, _)| name != "code" && name != "state"), "{location}");
    location
}

/// Opens a callback and says where it leads.
pub async fn arrive(visitor: &Visitor, callback: &str) -> String {
    location(&visitor.open(callback).await.unwrap())
}

/// The codes that WeChat was asked to exchange, in order.
pub fn exchanged(stack: &Stack) -> Vec<String> {
    stack.requests(EXCHANGE).into_iter().filter_map(|entry| entry.code).collect()
}

pub fn sessions(stack: &Stack) -> Vec<Value> {
    stack.sessions().unwrap()
}

/// The items of the table of logins whose keys begin so: logins themselves, or guards of codes.
fn items(stack: &Stack, prefix: &str) -> Vec<Value> {
    let items = stack.logins().unwrap();
    items.into_iter().filter(|item| attribute(item, "id").starts_with(prefix)).collect()
}

pub fn logins(stack: &Stack) -> Vec<Value> {
    items(stack, "login#")
}

pub fn guards(stack: &Stack) -> Vec<Value> {
    items(stack, "code#")
}

/// Changes the one stored login.
pub fn change_login(stack: &Stack, change: impl FnOnce(&mut Value)) {
    let [login] = logins(stack).try_into().unwrap();
    let mut login: Value = login;
    change(&mut login);
    stack.database().put(stack.table("LoginsTable").unwrap(), &login).unwrap();
}

/// As whom the login knows this visitor, if as anybody.
pub async fn openid(visitor: &Visitor) -> Option<String> {
    visitor.logged_in_as().await.unwrap()
}

mod whole {
    use harness::stack::OFFICIAL_ACCOUNT;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_silent_login_takes_one_exchange_and_leaves_one_session() {
        let (stack, visitor) = visited().await.unwrap();
        let hops = visitor.browser.follow(AUTHORIZE).await.unwrap();
        let places: Vec<_> = hops.iter().map(|hop| (hop.status, hop.url.path())).collect();
        assert_eq!(places, [(302, "/authorize"), (302, CONSENT_PAGE), (303, "/callback"), (200, "/me")]);
        assert_eq!(openid(&visitor).await, Some(stack.simulator().openid("lin", OFFICIAL_ACCOUNT)));
        assert_eq!((exchanged(&stack).len(), sessions(&stack).len()), (1, 1));
        assert_eq!(guards(&stack)[0]["outcome"]["S"], "done");
        assert!(visitor.browser.rejected_cookies().is_empty(), "{:?}", visitor.browser.rejected_cookies());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_login_with_consent_brings_the_profile() {
        let (stack, visitor) = visited().await.unwrap();
        let target = "https://www.example.com/#/orders/7";
        let callback =
            begin(&visitor, &format!("scope=snsapi_userinfo&lang=en&return_to={}", encode(target))).await;
        assert_eq!(arrive(&visitor, &callback).await, target);
        let profile = visitor.shown().await.unwrap();
        let nickname =
            stack.simulator().settings(|settings| settings.people.first().unwrap().nickname.clone());
        assert_eq!(profile["nickname"], nickname);
        assert_eq!(profile["unionid"], stack.simulator().unionid("lin", OFFICIAL_ACCOUNT).unwrap());
        let asked: Vec<_> = stack.simulator().ledger().into_iter().map(|entry| entry.path).collect();
        assert_eq!(asked, [CONSENT_PAGE, EXCHANGE, PROFILE]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_new_login_ends_the_session_the_browser_came_with() {
        let (stack, visitor) = visited().await.unwrap();
        visitor.browser.follow(AUTHORIZE).await.unwrap();
        let before = visitor.session().unwrap();
        visitor.browser.follow(AUTHORIZE).await.unwrap();
        let after = visitor.session().unwrap();
        assert_ne!(before, after);
        assert_eq!(sessions(&stack).len(), 1);

        let thief = stack.visitor("lin");
        let stolen = format!("__Host-session={before}");
        let visit = Visit::fetch(http::Method::GET, USERINFO, PAGE_ORIGIN).header("cookie", &stolen);
        assert_eq!(thief.send(visit).await.unwrap().status, 401);
    }

    /// The functions' clocks are Amazon's, but two machines are two clocks: whoever began the login may be
    /// five minutes ahead of whoever finishes it, or behind.
    #[tokio::test(flavor = "multi_thread")]
    async fn clocks_that_are_five_minutes_apart_cost_no_login() {
        for offset in [-300, 300] {
            let stack = stack().await.unwrap();
            let shift = |table: &str, mut item: Value| {
                for name in ["expires_at", "created_at", "refreshed_at"] {
                    if let Some(time) = item[name]["N"].as_str() {
                        let time: i64 = time.parse().unwrap();
                        item[name]["N"] = (time + offset).to_string().into();
                    }
                }
                stack.database().put(stack.table(table).unwrap(), &item).unwrap();
            };
            let visitor = stack.visitor("lin");
            let callback = begin(&visitor, "").await;
            for login in logins(&stack) {
                shift("LoginsTable", login);
            }
            assert_eq!(arrive(&visitor, &callback).await, ARRIVAL, "{offset}");
            for guard in guards(&stack) {
                shift("LoginsTable", guard);
            }
            for session in sessions(&stack) {
                shift("SessionsTable", session);
            }
            assert_eq!(arrive(&visitor, &callback).await, ARRIVAL, "{offset}");
            assert!(openid(&visitor).await.is_some(), "{offset}");
        }
    }

    /// A deployment in the middle of a login: the item is of the version before, or of the one after.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_another_version_stored_is_read() {
        let (stack, visitor) = visited().await.unwrap();
        let put = |table: &str, mut item: Value| {
            item["later"]["S"] = "what only a later version knows".into();
            stack.database().put(stack.table(table).unwrap(), &item).unwrap();
        };
        let callback = begin(&visitor, "scope=snsapi_userinfo").await;
        for mut login in logins(&stack) {
            for name in ["asked", "asked_app", "lang"] {
                login.as_object_mut().unwrap().remove(name);
            }
            put("LoginsTable", login);
        }
        assert_eq!(arrive(&visitor, &callback).await, ARRIVAL);
        for guard in guards(&stack) {
            put("LoginsTable", guard);
        }
        for session in sessions(&stack) {
            put("SessionsTable", session);
        }
        assert_eq!(arrive(&visitor, &callback).await, ARRIVAL);
        let profile = visitor.shown().await.unwrap();
        assert!(profile["nickname"].is_string(), "{profile}");
        assert_eq!(exchanged(&stack).len(), 1);
    }

    /// The first visit of all, in several tabs at once: each begins with a secret of its own, and the browser keeps the
    /// last. The others' codes are spent, and their logins begin once more, at the cost of no try.
    #[tokio::test(flavor = "multi_thread")]
    async fn the_first_tabs_of_a_browser_all_arrive() {
        let (stack, visitor) = visited().await.unwrap();
        stack.simulator().knobs(|knobs| knobs.reissue_code_seconds = 10);
        let mut callbacks = Vec::new();
        for target in ["%2Fone", "%2Ftwo", "%2Fthree"] {
            visitor.browser.forget_cookies();
            callbacks.push((target, begin(&visitor, &format!("return_to={target}")).await));
        }
        for (target, callback) in &callbacks {
            let hops = visitor.follow(callback).await.unwrap();
            let told: Vec<_> = hops.iter().map(|hop| format!("{} {}", hop.status, hop.url)).collect();
            assert_eq!(hops.last().unwrap().url.path(), target.replace("%2F", "/"), "{told:?}");
            assert!(told.iter().all(|hop| !hop.contains("attempt=")), "{told:?}");
        }
        assert!(openid(&visitor).await.is_some());
        let mut codes = exchanged(&stack);
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn tabs_that_log_in_side_by_side_do_not_break_each_other() {
        let (_stack, visitor) = visited().await.unwrap();
        let one = begin(&visitor, "return_to=%2Fone").await;
        let other = begin(&visitor, "return_to=%2Fother").await;
        assert_eq!(arrive(&visitor, &other).await, "https://login.example.com/other#");
        assert_eq!(arrive(&visitor, &one).await, "https://login.example.com/one#");
        assert!(openid(&visitor).await.is_some());
    }
}

/// A value as it stands in a query.
pub fn encode(value: &str) -> String {
    form_urlencoded::byte_serialize(value.as_bytes()).collect()
}
