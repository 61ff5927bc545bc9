//! A flood of what `/handoff` and `/handoff/wait` may be asked by people who began nothing.

use std::time::Duration;

use fastrand::Rng;
use harness::{
    Options, Result, Stack,
    browser::{DESKTOP_USER_AGENT, WECHAT_USER_AGENT},
    database::{attribute, with},
    hand_off::{Waiting, form, scan, tap},
    places::{BROWSER_COOKIE, SESSION_COOKIE, parameter},
    proxy::Kind,
    stack::PUBLIC_URL,
    time,
};
use http::Request;
use serde_json::{Value, json};

use super::{arrived, event, flood, no_alarm, token};
use crate::row::Run;

/// Longer than any flood lasts.
const LONG: Duration = Duration::from_hours(24);

/// What one request of the flood may cost, and what it is answered.
struct Promise {
    status: u16,
    /// Of a ticket, of a login, of a session; nothing is ever written.
    reads: [usize; 3],
}

/// What everybody may know who sees the two screens of somebody else, but for the cookies: a code that waits to be
/// scanned, and one that was scanned.
struct Seen {
    states: [String; 2],
    /// The names of their cookies.
    cookies: [String; 2],
    tickets: [String; 2],
}

/// So many requests of people who began nothing; how many.
pub(super) async fn of_waits_and_phones(run: &Run, requests: usize) -> Result<usize> {
    let stack = run.stack(Options::default().without("WEBSITE_APP_ID").proxied()).await?;
    // Two who wait, and the phones that are to log them in: one has scanned already.
    let computers = [
        Waiting::begin(stack.visitor("lin").at_a_computer(), "").await?,
        Waiting::begin(stack.visitor("lin").at_a_computer(), "").await?,
    ];
    let phone = stack.visitor("zhou").logged_in().await?;
    scan(&phone, &computers[1].code).await?;
    last(&stack)?;
    let (logins, sessions) = (stack.logins()?, stack.sessions()?);
    let seen = Seen {
        states: computers.each_ref().map(|computer| parameter(&computer.url, "state")),
        cookies: [computers[0].cookie()?, computers[1].cookie()?],
        tickets: computers.each_ref().map(|computer| parameter(&computer.code, "ticket")),
    };
    stack.proxy()?.forget();

    let random = run.random(4);
    let count = requests as u64;
    let make = |number| asked(number, &seen, &random);
    let is_right = |number, answer: &Value| answer["statusCode"] == promise(number).status;
    flood(run, &stack, "handoff", count, make, is_right).await?;

    let calls = stack.proxy()?.calls();
    let writes = calls.iter().filter(|call| call.is_write()).count();
    run.require(writes == 0, || format!("people who began nothing wrote {writes} times"));
    for (at, kind) in [Kind::Ticket, Kind::Login, Kind::Session].into_iter().enumerate() {
        let promised: usize = (0..count).filter_map(|number| promise(number).reads.get(at).copied()).sum();
        let reads = calls.iter().filter(|call| call.kind == kind).count();
        run.require(reads == promised, || format!("{reads} reads of a {kind}, not {promised}"));
    }
    run.require(stack.logins()? == logins, || "the flood changed a ticket or a login".to_owned());
    run.require(stack.sessions()? == sessions, || "the flood made or changed a session".to_owned());
    // Both are still their owners'.
    for computer in &computers {
        let asked = form(&scan(&phone, &computer.code).await?)?;
        tap(&phone, &asked, Some(computer.number().await?)).await?;
        computer.open(None).await?;
        let somebody = computer.visitor.logged_in_as().await?;
        run.require(somebody == Some(phone.openid()), || format!("the owner is {somebody:?} in the end"));
    }
    no_alarm(run, &stack).await?;
    run.end(stack).await?;
    Ok(requests)
}

/// Makes what waits outlast the flood.
fn last(stack: &Stack) -> Result<()> {
    let table = stack.table("LoginsTable")?.to_owned();
    let until = json!({ "N": time::now_seconds().saturating_add(LONG.as_secs()).to_string() });
    for item in stack.logins()? {
        if ["handoff#", "ticket#"].iter().any(|kind| attribute(&item, "id").starts_with(kind)) {
            stack.database().put(&table, &with(item, "expires_at", until.clone()))?;
        }
    }
    Ok(())
}

const fn promise(number: u64) -> Promise {
    let (status, reads) = match number % 16 {
        // No cookie; none that is one; a form or an image of another page's: nothing is looked up.
        0 | 5 | 6 | 7 | 13 | 14 => (400, [0, 0, 0]),
        12 | 15 => (403, [0, 0, 0]),
        // A script that asks for a browser's ticket, and of that browser there is none.
        1 | 2 => (200, [1, 0, 0]),
        // The page: it could be its first load, so the login is looked for as well.
        3 | 4 => (400, [1, 1, 0]),
        8 | 10 => (400, [1, 0, 0]),
        // A living ticket, and nobody is logged in there: on to the login of that phone, or back to the page.
        9 => (302, [1, 0, 1]),
        _ => (303, [1, 0, 1]),
    };
    Promise { status, reads }
}

/// One request; its kinds are those of [`promise`].
fn asked(number: u64, seen: &Seen, random: &Rng) -> Result<Value> {
    let mut random = Rng::with_seed(random.clone().u64(..) ^ number);
    let which = usize::from(random.bool());
    let [state, ticket, cookie] =
        [&seen.states, &seen.tickets, &seen.cookies].map(|one| one.get(which).cloned().unwrap_or_default());
    let (guess, choice) = (token(&mut random), token(&mut random));
    let browser = format!("{BROWSER_COOKIE}={}", token(&mut random));
    let pick_up = format!("{browser}; {cookie}={}", token(&mut random));
    let session = token(&mut random);
    let own = format!("{browser}; {SESSION_COOKIE}={session}");
    let wait = |query: &str, cookie| event("/handoff/wait", query, DESKTOP_USER_AGENT, cookie);
    let phone = |query: &str, cookie| event("/handoff", query, WECHAT_USER_AGENT, cookie);
    match number % 16 {
        0 => wait(&format!("state={guess}"), None),
        1 => poll(&guess, &browser),
        2 => poll(&state, &pick_up),
        3 => wait(&format!("state={guess}"), Some(&browser)),
        4 => wait(&format!("state={state}&choice={choice}"), Some(&pick_up)),
        5 => wait(&format!("state={}", state.to_uppercase()), Some(&browser)),
        6 => wait(&format!("state={state}&choice={}", "c".repeat(4096)), Some(&pick_up)),
        7 => phone(&format!("ticket={}", guess.to_uppercase()), Some(&own)),
        8 => phone(&format!("ticket={guess}"), Some(&own)),
        9 => phone(&format!("ticket={ticket}"), Some(&own)),
        10 => tapped(PUBLIC_URL, &guess, &session, &mut random),
        11 => tapped(PUBLIC_URL, &ticket, &session, &mut random),
        12 => tapped("https://evil.example", &ticket, &session, &mut random),
        13 => phone(&format!("hidden={}", guess.repeat(2).get(..122).unwrap_or_default()), Some(&own)),
        14 => phone(&format!("hidden={ticket}"), None),
        _ => {
            let request = Request::get(format!("/handoff?ticket={ticket}")).header("cookie", own);
            arrived("/handoff", request.header("sec-fetch-dest", "image"), "")
        }
    }
}

/// The event of a waiting page's script.
fn poll(state: &str, cookie: &str) -> Result<Value> {
    let request = Request::get(format!("/handoff/wait?state={state}"));
    arrived("/handoff/wait", request.header("accept", "application/json").header("cookie", cookie), "")
}

/// The event of a tap, by somebody with a guessed session.
fn tapped(origin: &str, ticket: &str, session: &str, random: &mut Rng) -> Result<Value> {
    let number = random.u8(10..=99);
    let request = Request::post("/handoff")
        .header("origin", origin)
        .header("cookie", format!("{SESSION_COOKIE}={session}"))
        .header("content-type", "application/x-www-form-urlencoded");
    arrived("/handoff", request, &format!("ticket={ticket}&session={session}&number={number}"))
}
