//! What DynamoDB charges for a login, call by call, as it says itself on the wire; and that the page on speed says the
//! same, with what each unit buys.
//!
//! A transaction that is cancelled is charged too, but an error does not say what; so a duplicate is counted by what it
//! reads.

use std::{collections::BTreeMap, fs};

use harness::{
    Options, Stack,
    binaries::workspace,
    database::{attribute, size_of},
    hand_off::{Waiting, form, scan, tap},
    places::{AUTHORIZE, AUTHORIZE_PROFILE},
    proxy::Call,
    relying_party::{asked, code, options, redeem, refresh, text, userinfo, visitor},
};

use super::counted;

/// A row of the page: the request, the call by the name of the store's function, and what it is charged.
type Row = (String, String, Charge);

/// Write units and read units.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Charge {
    write: f64,
    read: f64,
}

/// The calls since the last time, as rows of one request.
fn rows(stack: &Stack, request: &str) -> Vec<Row> {
    let proxy = stack.proxy().unwrap();
    let mut calls = proxy.calls();
    proxy.forget();
    // Two that are made side by side arrive in either order.
    calls.sort_by_key(|call| call.kind);
    let charge = |call: &Call| {
        let [write, read] = if call.is_write() { [call.units, 0.0] } else { [0.0, call.units] };
        Charge { write, read }
    };
    calls.iter().map(|call| (request.to_owned(), call.kind.as_str().to_owned(), charge(call))).collect()
}

fn sum(rows: &[Row]) -> Charge {
    rows.iter().fold(Charge::default(), |sum, (_, _, charge)| Charge {
        write: sum.write + charge.write,
        read: sum.read + charge.read,
    })
}

/// The rows of the table below a heading of the page.
fn told(heading: &str) -> Vec<Row> {
    let page = fs::read_to_string(workspace().join("docs/development/speed.md")).unwrap();
    let (_, section) = page.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = section.split("\n#").next().unwrap();
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect();
    let lines: Vec<Vec<String>> = section.lines().filter(|line| line.starts_with('|')).map(cells).collect();
    let units = |cell: &str| if cell.is_empty() { 0.0 } else { cell.parse().unwrap() };
    lines
        .iter()
        .skip(2)
        .map(|row| (row[1].clone(), row[2].clone(), Charge { write: units(&row[3]), read: units(&row[4]) }))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_says_what_each_call_is_charged() {
    let stack = counted(options("openid").unwrap()).await;
    stack.proxy().unwrap().count_units();
    let visitor = visitor(&stack, "lin");
    let mut all = Vec::new();

    let callback = visitor.come_back(AUTHORIZE).await.unwrap();
    all.extend(rows(&stack, "/authorize"));
    visitor.call_back(&callback).await.unwrap();
    all.extend(rows(&stack, "/callback"));
    visitor.userinfo().await.unwrap();
    all.extend(rows(&stack, "/userinfo"));
    assert_eq!(sum(&all), Charge { write: 9.0, read: 2.0 }, "a silent login, shown once: {all:?}");

    visitor.call_back(&callback).await.unwrap();
    all.extend(rows(&stack, "/callback, a duplicate"));
    let callback = visitor.come_back(AUTHORIZE).await.unwrap();
    rows(&stack, "");
    visitor.call_back(&callback).await.unwrap();
    all.extend(rows(&stack, "/callback, in place of a session"));
    visitor.log_out().await.unwrap();
    all.extend(rows(&stack, "/logout"));

    let callback = visitor.come_back(AUTHORIZE_PROFILE).await.unwrap();
    let began = rows(&stack, "/authorize");
    assert_eq!(sum(&began), Charge { write: 1.0, read: 0.0 }, "with the profile: {began:?}");
    visitor.call_back(&callback).await.unwrap();
    all.extend(rows(&stack, "/callback, with the profile"));
    visitor.userinfo().await.unwrap();
    assert_eq!(sum(&rows(&stack, "")), Charge { write: 0.0, read: 1.0 }, "with the profile");
    visitor.log_out().await.unwrap();
    all.extend(rows(&stack, "/logout, with the profile"));

    let to_login = visitor.open(&asked(&[])).await.unwrap().redirect().unwrap().unwrap();
    all.extend(rows(&stack, "/oauth2/authorize"));
    let callback = visitor.come_back(to_login.as_str()).await.unwrap();
    let back = visitor.call_back(&callback).await.unwrap();
    rows(&stack, "");
    visitor.go_on(&back).await.unwrap();
    all.extend(rows(&stack, "/oauth2/continue"));
    let code = code(&visitor, &[]).await.unwrap();
    all.extend(rows(&stack, "/oauth2/authorize, logged in"));
    let tokens = redeem(&stack, &code, &[]).await.unwrap().json().unwrap();
    all.extend(rows(&stack, "/oauth2/token, a code"));
    userinfo(&stack, &text(&tokens, "access_token")).await.unwrap();
    all.extend(rows(&stack, "/oauth2/userinfo"));
    refresh(&stack, &text(&tokens, "refresh_token")).await.unwrap();
    all.extend(rows(&stack, "/oauth2/token, a refresh token"));

    // The phone is logged in already, so that what is counted is the hand-off alone.
    let phone = stack.visitor("zhou");
    phone.log_in().await.unwrap();
    rows(&stack, "");
    let computer = Waiting::begin(stack.visitor("lin").at_a_computer(), "via=handoff").await.unwrap();
    all.extend(rows(&stack, "/authorize, for a phone"));
    assert_eq!(computer.stage().await.unwrap(), "waiting");
    all.extend(rows(&stack, "/handoff/wait"));
    let form = form(&scan(&phone, &computer.code).await.unwrap()).unwrap();
    all.extend(rows(&stack, "/handoff"));
    let number = computer.number().await.unwrap();
    all.extend(rows(&stack, "/handoff/wait, scanned"));
    tap(&phone, &form, Some(number)).await.unwrap();
    all.extend(rows(&stack, "/handoff, the tap"));
    assert_eq!(computer.open(None).await.unwrap().status, 303);
    all.extend(rows(&stack, "/handoff/wait, approved"));

    let told = told("What each unit buys");
    assert_eq!(told, all, "as rows:\n{}", table(&all));
    // No item has outgrown the first unit of its kind, but the two that a client's values are in.
    let largest = all.iter().fold(BTreeMap::<&str, f64>::new(), |mut most, (_, call, charge)| {
        let units = most.entry(call).or_default();
        *units = units.max(charge.read);
        most
    });
    assert!(largest.values().all(|read| *read <= 1.0), "{largest:?}");
}

/// As the page has it, but for what it buys.
fn table(rows: &[Row]) -> String {
    let cell = |units: f64| if units == 0.0 { String::new() } else { units.to_string() };
    let line = |(request, call, charge): &Row| {
        format!("| `{request}` | `{call}` | {} | {} | |\n", cell(charge.write), cell(charge.read))
    };
    rows.iter().map(line).collect()
}

/// The sizes that the pages on cost reckon the storage with: of a login that has ended, of its code's guard and of its
/// session.
#[tokio::test(flavor = "multi_thread")]
async fn the_pages_on_cost_say_how_large_an_item_is() {
    for (link, row) in [(AUTHORIZE, 1), (AUTHORIZE_PROFILE, 2)] {
        let stack = counted(Options::default()).await;
        stack.visitor("lin").log_in_at(link).await.unwrap();
        let logins = stack.logins().unwrap();
        let of = |prefix: &str| logins.iter().find(|item| attribute(item, "id").starts_with(prefix)).unwrap();
        let sessions = stack.sessions().unwrap();
        let sizes = [of("login#"), of("code#"), &sessions[0]].map(size_of);
        for (language, heading) in [("en", "## What is stored"), ("zh-CN", "## 存储的数据")] {
            let page = workspace().join(format!("docs/{language}/reference/cost.md"));
            let page = fs::read_to_string(page).unwrap();
            let (_, section) = page.split_once(heading).unwrap();
            let line = section.lines().filter(|line| line.starts_with('|')).nth(1 + row).unwrap();
            let told: Vec<usize> = line
                .split('|')
                .skip(2)
                .take(3)
                .map(|cell| cell.trim().replace(',', "").parse().unwrap())
                .collect();
            let is_near = |(told, found): (&usize, &usize)| told.abs_diff(*found) * 20 <= *found;
            assert!(told.iter().zip(&sizes).all(is_near), "{language}, {link}: {told:?}, not {sizes:?}");
        }
    }
}
