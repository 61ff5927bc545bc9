//! What was promised, looked for in an answer, and in what a flow leaves behind.

#![expect(clippy::indexing_slicing, reason = "only JSON is indexed, where what is missing reads as null")]

use std::collections::{BTreeMap, BTreeSet};

use harness::{
    Answer, Result, Stack,
    database::attribute,
    places::ALWAYS,
    proxy::{Call, Fault, Kind, Throttle},
};
use login::pending::{LoginId, State};
use serde_json::Value;

use super::{
    case::Companion,
    flow::{Flow, told},
};
use crate::oracle::{button, digest, exchanges, is_stored, session_tokens};

/// How often the SDK makes a call in all.
const ATTEMPTS: usize = 4;

/// Holds one of our own answers against what holds for all of them.
pub fn answer(flow: &Flow<'_>, answer: &Answer, is_foreign: bool) -> Result<()> {
    let is_sound = answer.status < 500 || answer.status == 503;
    flow.require(is_sound, || format!("a bare error: {}: {}", told(answer), answer.text()));
    for (name, value) in ALWAYS {
        flow.require(answer.header(name) == Some(value), || format!("{name} of {}", told(answer)));
    }
    for name in ["content-security-policy", "referrer-policy"] {
        flow.require(answer.header(name).is_some(), || format!("no {name}: {}", told(answer)));
    }
    let id = answer.header("x-correlation-id").unwrap_or_default();
    flow.require(id.len() == 36, || format!("the correlation id {id:?} of {}", told(answer)));
    if answer.status == 503 {
        let seconds = answer.header("retry-after").and_then(|seconds| seconds.parse::<u32>().ok());
        flow.require(seconds.is_some(), || format!("no Retry-After: {}", told(answer)));
    }
    let is_page = answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
    if is_page && (answer.status >= 400 || answer.url.path() == "/error") {
        flow.require(button(answer).is_some(), || format!("no button: {}", told(answer)));
    }
    let target = answer.redirect()?;
    if let Some(target) = target.filter(|target| target.host_str() == Some("open.weixin.qq.com")) {
        let state = target.query_pairs().find(|(name, _)| name == "state");
        let login = state.and_then(|(_, state)| State::parse(&state)).map(|state| state.login_id());
        let id = login.as_ref().map(LoginId::as_str);
        let is_stored = flow.stack.logins()?.iter().any(|item| Some(attribute(item, "id")) == id);
        flow.require(is_stored, || format!("to WeChat without a stored login: {}", told(answer)));
    }
    for token in session_tokens(answer) {
        flow.require(!is_foreign, || format!("a session for a foreigner: {}", told(answer)));
        if !is_stored(flow.stack, &token)? {
            flow.unstored.borrow_mut().push((token, told(answer)));
        }
    }
    Ok(())
}

/// Whether the session of a cookie was stored until another tab replaced it. No call may be under way: it
/// could be the one.
pub fn is_replaced(flow: &Flow<'_>, cookie: &str) -> Result<bool> {
    let id = digest(cookie);
    let calls = flow.stack.proxy()?.calls();
    let did = |action: &str| {
        calls
            .iter()
            .filter(|call| call.is_applied)
            .flat_map(|call| &call.items)
            .any(|item| item.action == action && item.id.as_deref() == Some(id.as_str()))
    };
    Ok(flow.case.has_second_tab && did("PutItem") && did("DeleteItem"))
}

/// Whether a code was marked as spent because another browser showed it first.
pub fn is_code_spent(stack: &Stack) -> Result<bool> {
    Ok(stack.proxy()?.calls().iter().any(|call| call.kind == Kind::SpendCode && call.is_applied))
}

/// Holds what a flow has left behind against what was promised.
pub fn afterwards(flow: &Flow<'_>) -> Result<()> {
    let stack = flow.stack;
    let sent = exchanges(stack);
    flow.require(sent.values().all(|times| *times == 1), || format!("codes reached WeChat {sent:?} times"));

    for (cookie, answer) in flow.unstored.borrow().iter() {
        flow.require(is_replaced(flow, cookie)?, || format!("a cookie without a stored session: {answer}"));
    }

    let calls = stack.proxy()?.calls();
    repeated_with_their_tokens(flow, &calls);
    undecided_is_tried_again(flow, &calls);
    // An old read costs a fresh login at most; so does each of several logins that were seen too early.
    let old = calls.iter().filter(|call| call.kind == Kind::Login && call.fault.is_some()).count();
    let begun = calls.iter().filter(|call| call.kind == Kind::PutLogin).count();
    let begun = begun.saturating_sub(flow.begun_before.get() + flow.waits.get());
    let is_foreign = flow.case.companion == Companion::Foreign;
    // Whoever comes once more, later, begins one of his own where the first one failed.
    let later = usize::from(matches!(flow.case.companion, Companion::Later | Companion::MuchLater));
    flow.require(flow.case.fault != Fault::OldRead || is_foreign || begun <= 1 + old.max(1) + later, || {
        format!("an old read cost {begun} logins")
    });
    let mut sessions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for call in calls.iter().filter(|call| call.kind == Kind::Finish && call.is_applied) {
        let session = &call.request["TransactItems"][0]["Put"]["Item"];
        sessions.entry(attribute(session, "login")).or_default().insert(attribute(session, "id"));
    }
    flow.require(sessions.values().all(|of_one| of_one.len() == 1), || {
        format!("one state gave several sessions: {sessions:?}")
    });

    let logins = stack.logins()?;
    for call in calls.iter().filter(|call| call.kind == Kind::Claim && call.is_applied) {
        let claimed = call.items.first().and_then(|item| item.id.as_deref());
        let login = logins.iter().find(|login| Some(attribute(login, "id")) == claimed);
        let is_claimed = login.is_some_and(|login| !attribute(login, "claimed_code").is_empty());
        flow.require(is_claimed, || format!("the claim of {claimed:?} was undone: {login:?}"));
    }
    Ok(())
}

/// Leaves the stack as if nothing had happened; what was stored is shown to whoever looks for what must
/// not be there.
pub fn leave_nothing(stack: &Stack) -> Result<()> {
    for (table, items) in stack.database().dump()? {
        for item in items {
            if let Some(watch) = stack.watch() {
                watch.item(&table, &item);
            }
            stack.database().delete(&table, attribute(&item, "id"))?;
        }
    }
    stack.simulator().clear_ledger();
    stack.simulator().knobs(|knobs| knobs.next.clear());
    stack.proxy()?.forget();
    Ok(())
}

/// A transaction is repeated as it was, under the same token, or DynamoDB could not know it again.
fn repeated_with_their_tokens(flow: &Flow<'_>, calls: &[Call]) {
    let mut transactions: BTreeMap<&str, &Value> = BTreeMap::new();
    for call in calls.iter().filter(|call| call.operation == "TransactWriteItems") {
        let token = call.token.as_deref().unwrap_or_default();
        flow.require(!token.is_empty(), || format!("a transaction without a token: {call}"));
        let first = transactions.entry(token).or_insert(&call.request);
        flow.require(**first == call.request, || format!("one token, two transactions: {call}"));
    }
}

/// A mixture of reasons decides nothing: the transaction is made again, five times before it is given up.
fn undecided_is_tried_again(flow: &Flow<'_>, calls: &[Call]) {
    let mut tries: BTreeMap<&str, Vec<&Call>> = BTreeMap::new();
    for call in calls.iter().filter(|call| call.operation == "TransactWriteItems") {
        tries.entry(call.token.as_deref().unwrap_or_default()).or_default().push(call);
    }
    for (token, tries) in tries {
        let mixed = tries.iter().filter(|call| matches!(call.fault, Some(Fault::Mixture(_)))).count();
        let is_given_up = mixed == tries.len();
        flow.require(!is_given_up || (5..=6).contains(&mixed), || {
            format!("a mixture decided the transaction {token} after {mixed} tries")
        });
    }
}

/// Whether the machine was too busy for the flow to mean anything: a function ran out of patience where no
/// fault was to blame.
pub fn is_disturbed(calls: &[Call]) -> bool {
    let mut invocations: BTreeMap<&str, Vec<&Call>> = BTreeMap::new();
    for call in calls {
        invocations.entry(&call.invocation).or_default().push(call);
    }
    invocations.values().any(|attempts| {
        let struck = attempts.iter().filter(|call| call.fault.is_some()).count();
        let last = attempts.iter().map(|call| call.attempt).max().unwrap_or_default() as usize;
        // A call that nothing struck was given up, or made again; or there was no time for all attempts.
        let is_given_up = attempts.iter().any(|call| call.fault.is_none() && call.is_abandoned);
        let is_repeated = last > struck + 1;
        let is_cut_short = struck == last && last < ATTEMPTS && attempts.iter().all(|call| is_brief(call));
        is_given_up || is_repeated || is_cut_short
    })
}

/// Whether a call was struck by a fault that takes no time, and after which the SDK makes it again.
fn is_brief(call: &Call) -> bool {
    !matches!(
        call.fault,
        None | Some(
            Fault::Delay(_)
                | Fault::Conflict
                | Fault::Throttle(Throttle::Cancelled)
                | Fault::Lie
                | Fault::OldRead
                | Fault::Mixture(_)
        )
    )
}
