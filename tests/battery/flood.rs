//! A1: a flood, of logins that nobody finishes and of callbacks that nobody began.
//!
//! What a flood may cost is one small write for each login that is begun, and no write at all for a
//! forged callback: the exception is a callback that names a living login, which may mark three codes as
//! spent and no more. A part of the flood passes the proxy, where every call to DynamoDB is counted; the
//! whole is judged by the items that are there in the end, measured as DynamoDB measures them. No code
//! of the flood reaches WeChat. The processes are measured as well, after the first tenth and at the
//! end: whatever a request leaves behind in memory would show after so many.
//!
//! The events are API Gateway's ([`Arrival`]), handed to the functions without the gateway in between:
//! it would add nothing but time.

use std::collections::BTreeMap;

use axum::body::Bytes;
use base64::{Engine, engine::general_purpose::STANDARD};
use fastrand::Rng;
use harness::{
    Failure, Options, Result, Stack,
    browser::{DESKTOP_USER_AGENT, WECHAT_USER_AGENT},
    database::attribute,
    event::Arrival,
    places::{AUTHORIZE, BROWSER_COOKIE, SESSION_COOKIE, parameter},
    time,
};
use http::Request;
use serde_json::Value;
use simulator::MARKER;

use crate::{
    oracle::{exchanges, side_by_side},
    row::Run,
};

/// How many requests are under way at once, each in a process of its own.
const AT_ONCE: usize = 4;
/// Of how many logins one has the longest target.
const LONGEST_OF: u64 = 50;
/// The longest target, in bytes behind its origin.
const LONGEST_TARGET: usize = 2048;
/// What one write unit writes, in bytes.
const UNIT: usize = 1024;
/// By how many bytes a process may have grown in nine tenths of the flood: two megabytes are less than
/// 200 bytes a request of one process.
const MOST_GROWTH: u64 = 2 * 1024 * 1024;
/// How many codes a login may mark as spent.
const MOST_MARKS: usize = 3;

/// A1.
pub async fn of_requests(run: &Run) -> Result<String> {
    let (logins, callbacks) = (run.size(300, 50_000), run.size(600, 100_000));
    counted(run).await?;

    let stack = run.stack(Options::default()).await?;
    let longest = begin_logins(run, &stack, logins as u64).await?;
    let items = items(&stack)?;
    run.require(items.len() == logins, || format!("{logins} logins made {} items", items.len()));
    let sizes: Vec<_> = items.values().map(size_of).collect();
    let (most, large) =
        (sizes.iter().max().copied().unwrap_or_default(), sizes.iter().filter(|size| **size > UNIT).count());
    // A target of two kilobytes and the rest of the item are a little more than two units.
    run.require(most <= 3 * UNIT, || format!("a login takes {most} bytes"));
    run.require(large == longest, || {
        format!("{large} logins take more than a unit, and {longest} have long targets")
    });

    let visitor = stack.visitor("lin");
    let owners = visitor.come_back(AUTHORIZE).await?;
    let before = self::items(&stack)?;
    forge_callbacks(run, &stack, &owners, callbacks as u64).await?;
    let after = self::items(&stack)?;
    let marks = after.len().saturating_sub(before.len());
    let changed = before.iter().filter(|(id, item)| after.get(*id) != Some(*item)).count();
    run.require(marks == MOST_MARKS && changed <= 1, || {
        format!("the forged callbacks added {marks} items and changed {changed}")
    });
    let exchanged = exchanges(&stack).len();
    run.require(exchanged == 0, || format!("{exchanged} forged codes reached WeChat"));
    let sessions = stack.sessions()?.len();
    run.require(sessions == 0, || format!("{sessions} sessions came of it"));
    // The one login that was aimed at is still its owner's; on a slow machine it is over by now, and begins
    // afresh by itself.
    visitor.follow(&owners).await?;
    let somebody = visitor.logged_in_as().await?;
    run.require(somebody == Some(visitor.openid()), || format!("the owner is {somebody:?} in the end"));
    run.end(stack).await?;
    Ok(format!("{logins} logins ({longest} of them of three write units), {callbacks} forged callbacks"))
}

/// A small flood whose calls to DynamoDB are counted one by one.
async fn counted(run: &Run) -> Result<()> {
    let stack = run.stack(Options::default().proxied()).await?;
    let proxy = stack.proxy()?;
    begin_logins(run, &stack, 100).await?;
    let calls = proxy.calls();
    let writes = calls.iter().filter(|call| call.operation == "PutItem" && call.is_applied).count();
    run.require(calls.len() == 100 && writes == 100, || {
        format!("100 logins made {} calls, of which {writes} are writes", calls.len())
    });
    let visitor = stack.visitor("lin");
    let owners = visitor.come_back(AUTHORIZE).await?;
    proxy.forget();
    forge_callbacks(run, &stack, &owners, 200).await?;
    let written = proxy.calls().iter().filter(|call| call.is_write() && call.is_applied).count();
    run.require(written == MOST_MARKS, || format!("200 forged callbacks wrote {written} times"));
    run.end(stack).await
}

/// So many logins that nobody finishes; how many of them have the longest target.
async fn begin_logins(run: &Run, stack: &Stack, logins: u64) -> Result<usize> {
    let random = run.random(1);
    let make = move |number: u64| {
        let mut random = Rng::with_seed(random.clone().u64(..) ^ number);
        let target = if number.is_multiple_of(LONGEST_OF) {
            format!("/{}", "a".repeat(LONGEST_TARGET - 1))
        } else {
            format!("/orders/{}", random.u32(..))
        };
        let scope = random.choice(["snsapi_base", "snsapi_userinfo"]).unwrap_or_default();
        let browser = if random.bool() { WECHAT_USER_AGENT } else { DESKTOP_USER_AGENT };
        let cookie = random.bool().then(|| format!("{BROWSER_COOKIE}={}", token(&mut random)));
        event("/authorize", &format!("return_to={target}&scope={scope}"), browser, cookie.as_deref())
    };
    let is_right = |answer: &Value| answer["statusCode"] == 302;
    flood(run, stack, "authorize", logins, make, is_right).await?;
    Ok(usize::try_from(logins.div_ceil(LONGEST_OF))?)
}

/// So many callbacks that nobody began, and some that name a login whose owner is still on the way.
async fn forge_callbacks(run: &Run, stack: &Stack, owners: &str, callbacks: u64) -> Result<()> {
    let random = run.random(2);
    let living = parameter(owners, "state");
    let make = move |number: u64| {
        let mut random = Rng::with_seed(random.clone().u64(..) ^ number);
        let code: String = std::iter::repeat_with(|| random.alphanumeric()).take(24).collect();
        let (code, state) = (format!("0{MARKER}c{code}"), token(&mut random));
        let own = format!("{BROWSER_COOKIE}={}", token(&mut random));
        let session = format!("{SESSION_COOKIE}={}", token(&mut random));
        let (query, cookie) = match number % 10 {
            0 | 1 => (format!("code={code}&state={state}"), None),
            2 | 3 => (format!("code={code}&state={state}"), Some(own)),
            4 => (format!("code={code}&state={state}"), Some(format!("{own}; {session}"))),
            // Those who know the state of a living login, but are not its browser.
            5 => (format!("code={code}&state={living}"), Some(own)),
            6 => (format!("code={code}&state={living}"), None),
            7 => (format!("code={code}&state={}", state.to_uppercase()), Some(own)),
            8 => (format!("code={code}&code={code}&state={state}"), Some(own)),
            _ => (format!("state={state}"), Some(own)),
        };
        event("/callback", &query, WECHAT_USER_AGENT, cookie.as_deref())
    };
    let is_right = |answer: &Value| {
        answer["statusCode"] == 303 && answer["cookies"].as_array().is_none_or(Vec::is_empty)
    };
    flood(run, stack, "callback", callbacks, make, is_right).await
}

/// Sends events, and measures the processes after the first tenth and at the end.
async fn flood(
    run: &Run,
    stack: &Stack,
    function: &str,
    events: u64,
    make: impl Fn(u64) -> Result<Value>,
    is_right: fn(&Value) -> bool,
) -> Result<()> {
    let mut early = BTreeMap::new();
    for (from, to) in [(0, events / 10), (events / 10, events)] {
        let (functions, make) = (stack.functions(), &make);
        let answers = (from..to).map(async |number| {
            Ok(match functions.invoke(function, &make(number)?).await {
                Ok(answer) if is_right(&answer) => None,
                Ok(answer) => Some(answer.to_string()),
                Err(error) => Some(error.to_string()),
            })
        });
        let wrong: Vec<_> = side_by_side(AT_ONCE, answers).await?.into_iter().flatten().collect();
        let first = wrong.first();
        run.require(first.is_none(), || format!("{} wrong answers, as {first:?}", wrong.len()));
        if early.is_empty() {
            early = stack.functions().memory(function);
        }
        run.progress(usize::try_from(to)?, usize::try_from(events)?);
    }
    let late = stack.functions().memory(function);
    run.require(!late.is_empty(), || format!("no process of {function} was measured"));
    for (process, late) in late {
        let early = early.get(&process).copied().unwrap_or(late);
        run.require(late.saturating_sub(early) < MOST_GROWTH, || {
            format!("a process of {function} grew from {early} to {late} bytes")
        });
    }
    Ok(())
}

/// API Gateway's event of a request.
fn event(path: &str, query: &str, browser: &str, cookie: Option<&str>) -> Result<Value> {
    let mut request = Request::get(format!("{path}?{query}"))
        .header("host", "login.example.com")
        .header("user-agent", browser)
        .header("accept", "text/html")
        .header("sec-fetch-site", "none")
        .header("sec-fetch-mode", "navigate")
        .header("sec-fetch-dest", "document");
    if let Some(cookie) = cookie {
        request = request.header("cookie", cookie);
    }
    let (parts, ()) = request.body(()).map_err(|error| Failure::new(error.to_string()))?.into_parts();
    let arrival = Arrival {
        parts: &parts,
        body: &Bytes::new(),
        path,
        route_key: &format!("GET {path}"),
        path_parameters: &[],
        source: ([203, 0, 113, 7], 50_000).into(),
        time: time::now(),
        request_id: "ATfSmjLgPHcESJw=",
    };
    Ok(arrival.to_event())
}

/// What looks like a token of ours.
fn token(random: &mut Rng) -> String {
    format!("{:032x}{:032x}", random.u128(..), random.u128(..))
}

/// The items of the table of logins, by their keys.
fn items(stack: &Stack) -> Result<BTreeMap<String, Value>> {
    Ok(stack.logins()?.into_iter().map(|item| (attribute(&item, "id").to_owned(), item)).collect())
}

/// What DynamoDB counts for an item: names and values, a number by its digits.
fn size_of(item: &Value) -> usize {
    let attributes = item.as_object().into_iter().flatten();
    attributes
        .map(|(name, value)| {
            let text = |kind: &str| value[kind].as_str();
            let number = text("N").map(|digits| digits.len().div_ceil(2) + 1);
            let bytes = text("B").map(|encoded| STANDARD.decode(encoded).map_or(0, |bytes| bytes.len()));
            name.len() + text("S").map(str::len).or(number).or(bytes).unwrap_or_default()
        })
        .sum()
}
