//! A key gives way to another one, and no receiver notices: all keys are published, the first one signs.

use std::collections::BTreeMap;

use harness::{Options, Stack, Visitor, signing_key};
use serde_json::Value;

use super::{ask, one_api, published, verify};

/// How long a receiver keeps the keys, in half-hours: two hours, as API Gateway's HTTP APIs do.
const KEPT: u32 = 4;
/// The longest life of a token, in half-hours.
const LIFE: u32 = 2;

/// Who receives tokens, and asks for the keys only when those it has are too old: not even for a key that it does not
/// know.
struct Receiver {
    fetched: Option<(u32, Value)>,
    /// When it asks first, so that not all do at the same time.
    since: u32,
}

impl Receiver {
    /// Whether it takes a token at an time.
    async fn takes(&mut self, stack: &Stack, time: u32, token: &str) -> bool {
        let is_old = |fetched: &(u32, Value)| time >= fetched.0 + KEPT;
        if self.fetched.as_ref().is_none_or(is_old) {
            self.fetched = Some((time, published(stack).await));
        }
        verify(&self.fetched.as_ref().unwrap().1, token).is_ok()
    }
}

/// A deployment with these keys, and somebody who is logged in there.
async fn deployed(keys: &[&str]) -> (Stack, Visitor) {
    let options = Options::default()
        .with("OPENID_CONNECT", &one_api().to_string())
        .with("SIGNING_KEYS", &keys.concat());
    let stack = Stack::start(options).await.unwrap();
    let visitor = stack.visitor("lin").logged_in().await.unwrap();
    (stack, visitor)
}

/// The times at which some receiver refuses a good token, if these keys follow one another, each for so many times.
async fn refused(keys: &BTreeMap<char, String>, steps: &[(&str, u32)]) -> Vec<u32> {
    let mut receivers: Vec<_> = (0..KEPT).map(|since| Receiver { fetched: None, since }).collect();
    let (mut issued, mut refused, mut time) = (Vec::<(u32, String)>::new(), Vec::new(), 0);
    for (step, times) in steps {
        let keys: Vec<&str> = step.chars().map(|name| keys[&name].as_str()).collect();
        let (stack, visitor) = deployed(&keys).await;
        for _ in 0..*times {
            let answer = ask(&visitor, "").await.json().unwrap();
            issued.push((time, answer["access_token"].as_str().unwrap().to_owned()));
            issued.retain(|(at, _)| at + LIFE >= time);
            for receiver in receivers.iter_mut().filter(|receiver| receiver.since <= time) {
                for (_, token) in &issued {
                    if !receiver.takes(&stack, time, token).await {
                        refused.push(time);
                    }
                }
            }
            time += 1;
        }
    }
    refused.dedup();
    refused
}

#[tokio::test(flavor = "multi_thread")]
async fn no_receiver_refuses_a_token_while_a_key_gives_way() {
    let keys =
        [('A', signing_key::of_this_process().unwrap().to_owned()), ('B', signing_key::generate().unwrap())];
    let keys = BTreeMap::from(keys);
    // The steps of the documentation, which takes a day for each.
    assert_eq!(refused(&keys, &[("A", 4), ("AB", 4), ("BA", 6), ("B", 4)]).await, Vec::<u32>::new());
    // Every step is needed, and the time that the new key waits for the oldest copies to go.
    assert_eq!(refused(&keys, &[("A", 4), ("BA", 6)]).await, [4, 5, 6]);
    assert_eq!(refused(&keys, &[("A", 4), ("AB", 2), ("BA", 6)]).await, [6]);
    assert_eq!(refused(&keys, &[("A", 4), ("AB", 4), ("B", 6)]).await, [8, 9]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_key_signs_and_all_are_published() {
    let [one, two] = [signing_key::of_this_process().unwrap().to_owned(), signing_key::generate().unwrap()];
    let mut names = Vec::new();
    for keys in [[&*one, &*two], [&*two, &*one]] {
        let (stack, visitor) = deployed(&keys).await;
        let published = published(&stack).await;
        let answer = ask(&visitor, "").await.json().unwrap();
        let token = verify(&published, answer["access_token"].as_str().unwrap()).unwrap();
        let kids: Vec<_> =
            published["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect();
        assert_eq!((kids.len(), &token.header["kid"]), (2, &kids[0]));
        names.push(kids);
    }
    names[1].reverse();
    assert_eq!(names[0], names[1], "a key is called the same wherever it stands");
}
