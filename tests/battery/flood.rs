//! A1: a flood, of logins that nobody finishes, of callbacks that nobody began, of whatever an OpenID Provider may be
//! asked, and of waits and phones that guess (`flood/hand_off.rs`).
//!
//! What a flood may cost is one small write for each login that is begun, and no write at all for a
//! forged callback: the exception is a callback that names a living login, which may mark three codes as
//! spent and no more. A part of the flood passes the proxy, where every call to DynamoDB is counted; the
//! whole is judged by the items that are there in the end, measured as DynamoDB measures them. No code
//! of the flood reaches WeChat. The processes are measured as well, after the first tenth and at the
//! end: whatever a request leaves behind in memory would show after so many.
//!
//! Of the provider, a request that a registered client could have sent is one write, of up to six kilobytes; any other
//! one is none, and nothing of a stranger's is signed. Who guesses at a hand-off writes nothing. And whatever the flood
//! is of, it sets off no alarm but those on floods: each line is held against every filter that an alarm is made of.
//!
//! The events are API Gateway's ([`Arrival`]), handed to the functions without the gateway in between:
//! it would add nothing but time.

mod hand_off;

use std::collections::BTreeMap;

use axum::body::Bytes;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use fastrand::Rng;
use harness::{
    Failure, Options, Result, Stack,
    browser::{DESKTOP_USER_AGENT, WECHAT_USER_AGENT},
    database::{attribute, size_of},
    event::Arrival,
    kms::Kms,
    pattern::Pattern,
    places::{AUTHORIZE, BROWSER_COOKIE, SESSION_COOKIE, parameter},
    relying_party, signing_key,
    stack::PAGE_ORIGIN,
    template::Template,
    time,
};
use http::{Request, request::Builder};
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
/// The longest request of a client that is stored, in bytes.
const LONGEST_REQUEST: usize = 6 * UNIT;
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
    no_alarm(run, &stack).await?;
    run.end(stack).await?;
    let (asked, long) = of_provider(run, run.size(600, 50_000)).await?;
    let guesses = hand_off::of_waits_and_phones(run, run.size(640, 64_000)).await?;
    Ok(format!(
        "{logins} logins ({longest} of them of three write units), {callbacks} forged callbacks, {asked} requests of an \
         OpenID Provider ({long} of them of six write units), {guesses} guesses at a hand-off"
    ))
}

/// A flood of what an OpenID Provider is asked; how many requests, and how many of them were stored and long.
async fn of_provider(run: &Run, requests: usize) -> Result<(usize, usize)> {
    let kms = Kms::start(&[signing_key::of_this_process()?]).await?;
    let stack = run.stack(relying_party::options("openid")?.kms(kms).proxied()).await?;
    // Somebody is logged in at a client, and stays so.
    let visitor = relying_party::visitor(&stack, "lin");
    let tokens =
        relying_party::redeem(&stack, &relying_party::code(&visitor, &[]).await?, &[]).await?.json()?;
    stack.kms()?.calls();
    stack.proxy()?.forget();
    let before = stack.sessions()?;
    let random = run.random(3);
    let requests_of = requests as u64 / 2;
    let (stored, long) = ask_to_authorize(run, &stack, requests_of, &random).await?;
    let sizes: Vec<_> = items(&stack)?
        .iter()
        .filter(|(id, _)| id.starts_with("request#"))
        .map(|(_, item)| size_of(item))
        .collect();
    // The visitor's own one is among them.
    run.require(sizes.len() == stored + 1, || format!("{stored} requests made {} items", sizes.len() - 1));
    let most = sizes.iter().max().copied().unwrap_or_default();
    let large = sizes.iter().filter(|size| **size > 2 * UNIT).count();
    run.require(most <= LONGEST_REQUEST, || format!("a request takes {most} bytes"));
    run.require(large == long, || format!("{large} requests are long, not {long}"));
    let writes = stack.proxy()?.calls().iter().filter(|call| call.is_write() && call.is_applied).count();
    run.require(writes == stored, || format!("{stored} requests wrote {writes} times"));
    stack.proxy()?.forget();
    guess_at_tokens(run, &stack, requests_of, &random, &relying_party::text(&tokens, "access_token")).await?;
    let writes = stack.proxy()?.calls().iter().filter(|call| call.is_write()).count();
    run.require(writes == 0, || format!("guesses wrote {writes} times"));
    let signed = stack.kms()?.calls().len();
    run.require(signed == 0, || format!("KMS was asked {signed} times for nobody"));
    run.require(stack.sessions()? == before, || "the flood changed sessions or grants".to_owned());
    let renewed = relying_party::refresh(&stack, &relying_party::text(&tokens, "refresh_token")).await?;
    run.require(renewed.status == 200, || format!("the client's token is answered {}", renewed.status));
    no_alarm(run, &stack).await?;
    run.end(stack).await?;
    Ok((requests, long))
}

/// So many requests to authorize, half of which a client could have sent; how many those were, and how many of them
/// long.
async fn ask_to_authorize(run: &Run, stack: &Stack, requests: u64, random: &Rng) -> Result<(usize, usize)> {
    let random = random.clone();
    let make = move |number: u64| {
        let mut random = Rng::with_seed(random.clone().u64(..) ^ number);
        let state = if number.is_multiple_of(LONGEST_OF) { "s".repeat(4096) } else { token(&mut random) };
        let nonce = if number.is_multiple_of(LONGEST_OF) { "n".repeat(512) } else { token(&mut random) };
        let (name, value) = match number % 10 {
            1 => ("client_id", "nobody".to_owned()),
            3 => ("redirect_uri", format!("https://evil.example/{}", token(&mut random))),
            5 => ("response_type", "token".to_owned()),
            7 => ("prompt", "none".to_owned()),
            9 => ("id_token_hint", "\u{1}".repeat(1024)),
            _ => ("ui_locales", "zh".to_owned()),
        };
        let address = relying_party::asked(&[("state", &*state), ("nonce", &*nonce), (name, &*value)]);
        let query = address.split_once('?').map_or("", |(_, query)| query);
        let cookie = random.bool().then(|| format!("{BROWSER_COOKIE}={}", token(&mut random)));
        event("/oauth2/authorize", query, WECHAT_USER_AGENT, cookie.as_deref())
    };
    let is_right = |_, answer: &Value| [302, 303, 400].iter().any(|status| answer["statusCode"] == *status);
    flood(run, stack, "openid", requests, make, is_right).await?;
    Ok((usize::try_from(requests / 2)?, usize::try_from(requests.div_ceil(LONGEST_OF))?))
}

/// So many guesses at codes, tokens, secrets and sessions, and links of nobody's.
async fn guess_at_tokens(run: &Run, stack: &Stack, requests: u64, random: &Rng, known: &str) -> Result<()> {
    let function_of = |number: u64| match number % 10 {
        0..=5 => "token",
        6 | 7 => "userinfo",
        _ => "openid",
    };
    // What every API knows of a token: its claims, with the name of its grant, and not its signature.
    let known = known.rsplit_once('.').map_or("", |(known, _)| known).to_owned();
    for function in ["token", "userinfo", "openid"] {
        let (random, known) = (random.clone(), known.clone());
        let numbers: Vec<u64> = (0..requests).filter(|number| function_of(*number) == function).collect();
        let count = numbers.len() as u64;
        let make = move |at: u64| {
            let number = usize::try_from(at).ok().and_then(|at| numbers.get(at)).copied().unwrap_or_default();
            let mut random = Rng::with_seed(random.clone().u64(..) ^ number);
            let guess = URL_SAFE_NO_PAD.encode([(); 48].map(|()| random.u8(..)));
            let session = format!("{SESSION_COOKIE}={}", token(&mut random));
            let posted = |parameters: &[(&str, &str)]| relying_party::form(parameters);
            let grant = [("grant_type", "authorization_code"), ("redirect_uri", relying_party::REDIRECT_URI)];
            let verifier = ("code_verifier", relying_party::VERIFIER);
            match number % 10 {
                0 => post(
                    "/oauth2/token",
                    &posted(&[grant[0], grant[1], verifier, ("code", &guess), ("client_id", "web")]),
                ),
                1 => post(
                    "/oauth2/token",
                    &posted(&[
                        ("grant_type", "refresh_token"),
                        ("refresh_token", &format!("r.{guess}")),
                        ("client_id", "web"),
                    ]),
                ),
                2 => post(
                    "/oauth2/token",
                    &posted(&[
                        grant[0],
                        grant[1],
                        ("code", &guess),
                        ("client_id", "admin"),
                        ("client_secret", &guess),
                    ]),
                ),
                3 => post(
                    "/oauth2/revoke",
                    &posted(&[("token", &format!("{known}.{guess}")), ("client_id", "web")]),
                ),
                4 => post("/oauth2/token", &guess),
                5 => page_token(&session),
                6 | 7 => bearer(&format!("{known}.{guess}")),
                8 => event(
                    "/oauth2/continue",
                    &format!("request={}", guess.get(..43).unwrap_or_default()),
                    WECHAT_USER_AGENT,
                    Some(&session),
                ),
                _ => event(
                    "/oauth2/logout",
                    &format!("id_token_hint={known}.{guess}"),
                    WECHAT_USER_AGENT,
                    Some(&session),
                ),
            }
        };
        let is_right =
            |_, answer: &Value| [200, 400, 401, 403].iter().any(|status| answer["statusCode"] == *status);
        flood(run, stack, function, count, make, is_right).await?;
    }
    Ok(())
}

/// No line of the flood is one that an alarm counts, but of those that count floods.
async fn no_alarm(run: &Run, stack: &Stack) -> Result<()> {
    let template = Template::of_the_project()?;
    let alarms: Vec<String> =
        template.resources("AWS::CloudWatch::Alarm").map(|(_, alarm)| alarm.to_string()).collect();
    let lines: Vec<Value> =
        stack.stop().await.lines().iter().filter_map(|line| serde_json::from_str(&line.text).ok()).collect();
    run.require(!lines.is_empty(), || "nothing was written down".to_owned());
    let mut filters = 0;
    for (id, filter) in template.resources("AWS::Logs::MetricFilter") {
        let metric = filter["FilterName"].as_str().unwrap_or_default();
        let is_of_a_flood = ["LoginsStarted", "LoginsFinished", "LoginsDuplicated"].contains(&metric);
        let is_alarmed = alarms.iter().any(|alarm| alarm.contains(&format!("\"MetricName\":\"{metric}\"")));
        let is_of_functions =
            filter.pointer("/LogGroupName/Ref").is_some_and(|group| group == "FunctionLogs");
        if is_of_a_flood || !is_alarmed || !is_of_functions {
            continue;
        }
        filters += 1;
        let pattern = Pattern::read(filter["FilterPattern"].as_str().unwrap_or_default())?;
        let counted: Vec<_> = lines.iter().filter(|line| pattern.matches(line)).collect();
        run.require(counted.is_empty(), || {
            format!("{id} counts {} lines, as {:?}", counted.len(), counted.first())
        });
    }
    run.require(filters >= 6, || format!("only {filters} filters were looked at"));
    Ok(())
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
    let is_right = |_, answer: &Value| answer["statusCode"] == 302;
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
    let is_right = |_, answer: &Value| {
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
    is_right: impl Fn(u64, &Value) -> bool,
) -> Result<()> {
    let mut early = BTreeMap::new();
    for (from, to) in [(0, events / 10), (events / 10, events)] {
        let (functions, make, is_right) = (stack.functions(), &make, &is_right);
        let answers = (from..to).map(async |number| {
            Ok(match functions.invoke(function, &make(number)?).await {
                Ok(answer) if is_right(number, &answer) => None,
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

/// API Gateway's event of a page that a browser opens.
fn event(path: &str, query: &str, browser: &str, cookie: Option<&str>) -> Result<Value> {
    let mut request = Request::get(format!("{path}?{query}"))
        .header("user-agent", browser)
        .header("accept", "text/html")
        .header("sec-fetch-site", "none")
        .header("sec-fetch-mode", "navigate")
        .header("sec-fetch-dest", "document");
    if let Some(cookie) = cookie {
        request = request.header("cookie", cookie);
    }
    arrived(path, request, "")
}

/// The event of a form that a program sends.
fn post(path: &str, form: &str) -> Result<Value> {
    arrived(path, Request::post(path).header("content-type", "application/x-www-form-urlencoded"), form)
}

/// The event of a program that shows an access token.
fn bearer(token: &str) -> Result<Value> {
    let path = "/oauth2/userinfo";
    arrived(path, Request::get(path).header("authorization", format!("Bearer {token}")), "")
}

/// The event of a page's script that asks for a token.
fn page_token(cookie: &str) -> Result<Value> {
    let path = "/access-token";
    arrived(path, Request::post(path).header("origin", PAGE_ORIGIN).header("cookie", cookie), "")
}

/// API Gateway's event of a request.
fn arrived(path: &str, request: Builder, body: &str) -> Result<Value> {
    let request = request.header("host", "login.example.com").body(());
    let (parts, ()) = request.map_err(|error| Failure::new(error.to_string()))?.into_parts();
    let arrival = Arrival {
        route_key: &format!("{} {path}", parts.method),
        parts: &parts,
        body: &Bytes::from(body.to_owned()),
        path,
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
