//! Duplicates that arrive at once, each in a process of its own, as Lambda would run them.

use harness::places::ARRIVAL;
use std::collections::HashSet;

use super::{begin, exchanged, guards, location, openid, sessions};

use crate::support::stack;

const LOGINS: usize = 50;
const DUPLICATES: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_duplicates_make_one_exchange_and_one_session() {
    let _alone = crate::support::CROWD.lock().await;
    let stack = stack().await.unwrap();
    for login in 1..=LOGINS {
        let visitor = stack.visitor("lin");
        let callback = begin(&visitor, "").await;
        let duplicates: Vec<_> = (0..DUPLICATES)
            .map(|_| {
                let (visitor, callback) = (visitor.clone(), callback.clone());
                tokio::spawn(async move { visitor.open(&callback).await.unwrap() })
            })
            .collect();
        let mut answers = HashSet::new();
        for duplicate in duplicates {
            let answer = duplicate.await.unwrap();
            answers.insert((location(&answer), answer.set_cookies()));
        }
        assert_eq!(answers.len(), 1, "login {login}: {answers:?}");
        let (location, cookies) = answers.into_iter().next().unwrap();
        assert_eq!((location.as_str(), cookies.len()), (ARRIVAL, 1), "login {login}");
        assert_eq!(exchanged(&stack).len(), login, "exchanges after login {login}");
        assert_eq!(sessions(&stack).len(), login, "sessions after login {login}");
        assert!(openid(&visitor).await.is_some());
    }
    assert!(guards(&stack).iter().all(|guard| guard["outcome"]["S"] == "done"));
    // The races were real: as many processes as duplicates.
    assert!(stack.functions().cold_starts("callback") >= DUPLICATES as u64);
}
