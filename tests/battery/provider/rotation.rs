//! O4: a signing key gives way to another one, under load, and no receiver refuses a good token.
//!
//! A key is changed by deployments, `[A] → [A, B] → [B, A] → [B]`, in the middle of logins, renewals and the tokens of
//! pages; for a while processes of both versions answer side by side, as they do on Lambda. Those who receive the
//! tokens ask for the keys every two hours and not before, not even for a key that they do not know: so does API
//! Gateway. Their clock goes in half-hours, one for each load; what is signed by the functions is signed in real time,
//! which nobody looks at here.
//!
//! The same with a step left out, or made too early, is seen: otherwise nothing would be looked at.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use futures_util::future::try_join_all;
use harness::{
    Answer, Failure, Result, Stack, Visitor,
    browser::Visit,
    relying_party::{code, options, redeem, refresh, text, visitor},
    signing_key,
    stack::{PAGE_ORIGIN, PUBLIC_URL},
    tokens::verify,
};
use http::Method;
use serde_json::Value;

use crate::row::Run;

/// How long a receiver keeps the keys, in half-hours.
const KEPT: u32 = 4;
/// The longest life of a token, in half-hours.
const LIFE: u32 = 2;

/// Who receives tokens.
struct Receiver {
    fetched: Option<(u32, Value)>,
    /// When it asks first, so that not all do at the same time.
    since: u32,
}

/// O4.
pub async fn under_load(run: &Run) -> Result<String> {
    let keys = [('A', signing_key::of_this_process()?.to_owned()), ('B', signing_key::generate()?)];
    let keys = BTreeMap::from(keys);
    let mut tokens = 0;
    for _ in 0..run.size(1, 10) {
        let seen = rotate(run, &keys, &[("A", 3), ("AB", 5), ("BA", 4), ("B", 3)]).await?;
        tokens += seen.tokens;
        run.require(seen.refused.is_empty(), || format!("good tokens were refused: {:?}", seen.refused));
        run.require(seen.keys.len() == 2, || format!("{} keys signed", seen.keys.len()));
    }
    for wrong in [&[("A", 4), ("BA", 5)][..], &[("A", 4), ("AB", 5), ("B", 3)], &[("A", 4), ("B", 3)]] {
        let seen = rotate(run, &keys, wrong).await?;
        tokens += seen.tokens;
        run.require(!seen.refused.is_empty(), || format!("{wrong:?} was not seen"));
    }
    Ok(format!("{tokens} tokens, each shown to {KEPT} receivers"))
}

/// What was seen of a change of keys.
#[derive(Default)]
struct Seen {
    tokens: usize,
    /// The names of the keys that tokens were signed with.
    keys: BTreeSet<String>,
    /// When a good token was refused, and why.
    refused: Vec<String>,
}

/// Deploys these keys one after another, each for so many half-hours.
async fn rotate(run: &Run, keys: &BTreeMap<char, String>, steps: &[(&str, u32)]) -> Result<Seen> {
    let pem =
        |step: &str| step.chars().filter_map(|name| keys.get(&name)).map(String::as_str).collect::<String>();
    let first = steps.first().map_or_else(String::new, |(step, _)| pem(step));
    let stack = run.stack(options("openid")?.with("SIGNING_KEYS", &first)).await?;
    let visitors: Vec<_> = (0..run.size(3, 12)).map(|_| visitor(&stack, "lin")).collect();
    try_join_all(visitors.iter().map(Visitor::log_in)).await?;
    let mut receivers: Vec<_> = (0..KEPT).map(|since| Receiver { fetched: None, since }).collect();
    let (mut issued, mut seen, mut time) = (Vec::<(u32, String)>::new(), Seen::default(), 0);
    let renewals = RefCell::new(vec![String::new(); visitors.len()]);
    for (step, times) in steps {
        // New processes find these keys. The old ones go one by one, between the requests of the first load.
        stack.functions().deploy("token", "SIGNING_KEYS", &pem(step));
        for load in 0..*times {
            let visits = visitors.iter().enumerate();
            let visits = visits.map(|(lane, visitor)| come(run, &stack, visitor, lane, &renewals, load == 0));
            let brought = try_join_all(visits).await?.concat();
            while load == 0 && stack.functions().retire("token").await {}
            seen.tokens += brought.len();
            issued.extend(brought.into_iter().map(|token| (time, token)));
            issued.retain(|(at, _)| at + LIFE >= time);
            for receiver in receivers.iter_mut().filter(|receiver| receiver.since <= time) {
                receiver.look(&stack, time, &issued, &mut seen).await?;
            }
            time += 1;
        }
    }
    run.end(stack).await?;
    Ok(seen)
}

/// Logs in at a client, renews what it had before, and asks for a token for a page; all tokens that came of it.
async fn come(
    run: &Run,
    stack: &Stack,
    visitor: &Visitor,
    lane: usize,
    renewals: &RefCell<Vec<String>>,
    is_changing: bool,
) -> Result<Vec<String>> {
    let before = renewals.borrow().get(lane).cloned().unwrap_or_default();
    let mut answers = vec![redeem(stack, &code(visitor, &[]).await?, &[]).await?];
    if is_changing {
        stack.functions().retire("token").await;
    }
    if !before.is_empty() {
        answers.push(refresh(stack, &before).await?);
    }
    let page = Visit::fetch(Method::POST, &format!("{PUBLIC_URL}/access-token"), PAGE_ORIGIN);
    answers.push(visitor.send(page).await?);
    let mut tokens = Vec::new();
    for answer in &answers {
        run.require(answer.status == 200, || format!("no tokens: {} {}", answer.status, answer.text()));
        let answer = answer.json()?;
        tokens.extend(["access_token", "id_token"].map(|name| text(&answer, name)));
        let renewal = text(&answer, "refresh_token");
        if let Some(kept) = renewals.borrow_mut().get_mut(lane).filter(|_| !renewal.is_empty()) {
            *kept = renewal;
        }
    }
    tokens.retain(|token| !token.is_empty());
    Ok(tokens)
}

impl Receiver {
    /// Looks at every token, with the keys that it has.
    async fn look(
        &mut self,
        stack: &Stack,
        time: u32,
        tokens: &[(u32, String)],
        seen: &mut Seen,
    ) -> Result<()> {
        if self.fetched.as_ref().is_none_or(|(at, _)| time >= at + KEPT) {
            self.fetched = Some((time, keys(stack).await?));
        }
        let Some((at, keys)) = &self.fetched else { return Ok(()) };
        for (issued, token) in tokens {
            match verify(keys, token) {
                Ok(token) => seen.keys.extend(token.key().map(str::to_owned)),
                Err(why) => {
                    seen.refused.push(format!("of {issued}, at {time}, with the keys of {at}: {why}"));
                }
            }
        }
        Ok(())
    }
}

/// The keys as anybody gets them.
async fn keys(stack: &Stack) -> Result<Value> {
    let answer: Answer = stack.browser().get(&format!("{PUBLIC_URL}/.well-known/jwks.json")).await?;
    if answer.status == 200 {
        answer.json()
    } else {
        Err(Failure::new(format!("no keys: {}", answer.status)))
    }
}
