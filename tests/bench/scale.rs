//! How a request fares among many: what it asks of DynamoDB, what that is charged, and how long it takes with a
//! thousand sessions and as many logins under way, and with a million.
//!
//! DynamoDB finds an item by the hash of its key, so nothing should depend on how many there are. That it does not is
//! partly the product's doing: it never scans, has no index, and no item that grows. Here the tables are those of the
//! template in a file of the embedded DynamoDB, where a key is found in a B-tree, which is deeper for a million. The
//! other items are copies of a real session and of a real login, each under a key of its own.
//!
//! The calls and the units are counted on the wire, by what DynamoDB says that it charged; they must be the same. The
//! times are of warm processes, in turn at both sizes, with the database at hand: of a round trip on AWS there is
//! nothing in them.

use std::fmt::Write as _;

use fastrand::Rng;
use harness::{
    Failure, Result, Stack, Visitor,
    binaries::workspace,
    browser::Visit,
    database::{Database, attribute},
    places::{AUTHORIZE, USERINFO},
    proxy::Call,
    relying_party,
    stack::PAGE_ORIGIN,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::{
    figures::{Series, Table, milliseconds},
    login::{asked_by, called_back, header},
    process::{Process, Program},
    tokens::redemptions,
    world::{World, page, question},
};

/// How many items are in each of the tables.
const SIZES: [usize; 2] = [1_000, 1_000_000];
/// What is asked, in this order.
const ROUTES: [&str; 4] = ["/authorize", "/callback", "/userinfo", "/oauth2/token"];

/// A login service with so many items.
struct Scene {
    stack: Stack,
    _directory: TempDir,
    /// The size of its file, in bytes.
    bytes: u64,
    /// By route: the calls of a request, and the units that they are charged.
    calls: Vec<Vec<(String, f64)>>,
    processes: Vec<Process>,
    /// By route, in milliseconds.
    times: Vec<Vec<f64>>,
}

/// Asks each route so often at both sizes; the table of it, and where calls or units differ.
pub async fn measure(world: &World, rounds: usize) -> Result<(String, Vec<String>)> {
    let mut scenes = Vec::new();
    for size in SIZES {
        scenes.push(Scene::set(world, size).await?);
    }
    // The first round makes connections.
    for round in 0..=rounds {
        // Neither of them is always the one behind.
        scenes.reverse();
        for scene in &mut scenes {
            let times = scene.log_in().await?;
            if round > 0 {
                scene.times.iter_mut().zip(times).for_each(|(all, time)| all.push(time));
            }
        }
    }
    scenes.sort_by_key(|scene| scene.bytes);
    let [small, large] = scenes.as_slice() else { return Err(Failure::new("there are two sizes")) };
    let mut table = Table::new([
        "",
        "calls",
        "write units",
        "read units",
        "many beside few",
        "ms among 1,000",
        "among 1,000,000",
        "median, ms",
        "among 1,000,000",
    ]);
    let mut complaints = Vec::new();
    for (at, route) in ROUTES.iter().enumerate() {
        let [few, many] = [small, large].map(|scene| scene.calls.get(at).cloned().unwrap_or_default());
        if few != many {
            complaints.push(format!("{route} asks {few:?} among few, and {many:?} among many"));
        }
        let units = |is_write: bool| -> f64 {
            let of = few.iter().filter(|(name, _)| name.starts_with("Get") != is_write);
            of.fold(0.0, |sum, (_, units)| sum + units)
        };
        let [few_times, many_times] = [small, large]
            .map(|scene| scene.times.get(at).into_iter().flatten().copied().collect::<Series>());
        table.row([
            format!("`{route}`"),
            few.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", "),
            format!("{}", units(true)),
            format!("{}", units(false)),
            format!("{:.2}", many_times.least() / few_times.least()),
            format!("{:.2}", few_times.least()),
            format!("{:.2}", many_times.least()),
            format!("{:.1}", few_times.median()),
            format!("{:.1}", many_times.median()),
        ]);
    }
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{rounds} requests to each route at each size, in turn: the least time, of which the ratio is, and the median, which on a \
         busy machine is also that of its other work. The file of the tables has {} kB and {} MB.\n",
        small.bytes / 1000,
        large.bytes / 1_000_000,
    );
    Ok((text + &table.text(), complaints))
}

impl Scene {
    /// A service in whose tables so many sessions and logins are.
    async fn set(world: &World, size: usize) -> Result<Self> {
        let directory = TempDir::new_in(workspace().join("target"))?;
        let file = directory.path().join("scale.db");
        let database = Database::in_file(&file, TcpListener::bind("127.0.0.1:0").await?)?;
        let url = database.url();
        let options =
            relying_party::options("openid")?.binaries(world.binaries()).database(database).proxied();
        let stack = Stack::start(options).await?;
        relying_party::visitor(&stack, "lin").log_in().await?;
        let mut random = Rng::with_seed(size as u64);
        for (table, items) in [("SessionsTable", stack.sessions()?), ("LoginsTable", stack.logins()?)] {
            let prefix = if table == "LoginsTable" { "login#" } else { "" };
            let real = items.iter().find(|item| {
                let id = attribute(item, "id");
                id.starts_with(prefix) && (!prefix.is_empty() || !id.contains('#'))
            });
            let real = real.ok_or_else(|| Failure::new(format!("a login left nothing in {table}")))?;
            let ids = (0..size).map(|_| format!("{prefix}{:032x}{:032x}", random.u128(..), random.u128(..)));
            if attribute(real, "id").len() != prefix.len() + 64 {
                return Err(Failure::new(format!("a key of {table} is not a digest: {real}")));
            }
            stack.database().copy(stack.table(table)?, real, ids)?;
        }
        let bytes = std::fs::read_dir(directory.path())?
            .map(|entry| Ok(entry?.metadata()?.len()))
            .sum::<std::io::Result<u64>>()?;
        let calls = count(&stack).await?;
        let mut processes = Vec::new();
        for function in ["authorize", "callback", "userinfo", "token"] {
            let specification = stack.functions().specification(function)?;
            let program = Program {
                binary: specification.binary,
                arguments: Vec::new(),
                environment: specification.environment,
                copies: None,
                own_scheme: "",
            };
            let program = program.with([("AWS_ENDPOINT_URL_DYNAMODB", Some(url.clone()))]);
            processes.push(Process::start(&world.lambda, &program, None).await?);
        }
        let times = vec![Vec::new(); ROUTES.len()];
        Ok(Self { stack, _directory: directory, bytes, calls, processes, times })
    }

    /// One login, asked by one of its pages, and its tokens at a client; how long each answer took.
    async fn log_in(&mut self) -> Result<[f64; 4]> {
        let visitor = relying_party::visitor(&self.stack, "lin");
        let [authorize, callback, userinfo, token] = self.processes.as_mut_slice() else {
            return Err(Failure::new("a login and its tokens have four functions"));
        };
        let (began, first) = ask(authorize, page("/authorize"), 302).await?;
        let back = visitor.agree(header(&began, "location")?).await?;
        let (arrived, second) = ask(callback, called_back(&back, &began)?, 303).await?;
        let (_, third) = ask(userinfo, asked_by(&arrived)?, 200).await?;
        let redemption = redemptions(&visitor, 1).await?;
        let redemption = redemption.first().ok_or_else(|| Failure::new("no code"))?;
        let (fourth, _) = token.ask(redemption).await?;
        Ok([first, second, third, milliseconds(fourth)])
    }
}

async fn ask(process: &mut Process, request: http::request::Builder, status: u64) -> Result<(Value, f64)> {
    let (took, answer) = process.ask(&question(request, "", status)?).await?;
    Ok((answer, milliseconds(took)))
}

/// The calls of one request to each route, and what they are charged.
async fn count(stack: &Stack) -> Result<Vec<Vec<(String, f64)>>> {
    let proxy = stack.proxy()?;
    proxy.count_units();
    let take = || {
        let mut calls: Vec<Call> = proxy.calls();
        proxy.forget();
        // Two that are made side by side arrive in either order.
        calls.sort_by_key(|call| call.kind);
        calls.iter().map(|call| (call.operation.clone(), call.units)).collect::<Vec<_>>()
    };
    let visitor: Visitor = relying_party::visitor(stack, "lin");
    proxy.forget();
    let callback = visitor.come_back(AUTHORIZE).await?;
    let mut counted = vec![take()];
    visitor.call_back(&callback).await?;
    counted.push(take());
    visitor.send(Visit::fetch(http::Method::GET, USERINFO, PAGE_ORIGIN)).await?;
    counted.push(take());
    let code = relying_party::code(&visitor, &[]).await?;
    proxy.forget();
    relying_party::redeem(stack, &code, &[]).await?;
    counted.push(take());
    Ok(counted)
}
