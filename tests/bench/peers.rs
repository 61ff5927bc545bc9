//! A login beside what people would pick instead: functions in Python and in JavaScript with AWS's own SDKs and
//! runtimes (`tests/bench/peers`), written as a careful team would, with the guards that matter. They answer the same
//! three requests, and speak to the same services over the same lines.
//!
//! A peer that lets a code be exchanged twice, or shows a person to a foreign page, does less work than is compared. So
//! each proves first that it does neither.
//!
//! The multiples are of the *better* peer, figure by figure.

use std::{fmt::Write as _, path::Path, time::Duration};

use harness::{
    Failure, Result,
    binaries::{search, workspace},
    places::{self, EXCHANGE, SESSION_COOKIE, parameter},
};
use serde_json::Value;
use tokio::process::Command;

use crate::{
    figures::{Table, judged},
    login::{
        FIRST_AND_WARM, Figures, LOGINS, REQUESTS, SILENT, Side, asked_by, called_back, cookie, header,
        shown_as,
    },
    process::{Process, Program},
    share::{MEMORY, Share},
    world::{TO_WECHAT, World, page, question, target_directory},
};

/// The largest parts of the better peer's start, processor time and memory that a login is to take.
const START_AIM: f64 = 0.1;
const PROCESSOR_AIM: f64 = 0.4;
const MEMORY_AIM: f64 = 0.2;

/// How long a round trip to WeChat takes from far away.
const SLOW: Duration = Duration::from_millis(120);
/// How many processes are started in the share and on the slow line, at most. Each is warm for nine of its logins.
const IN_SHARE: usize = 5;
const ON_SLOW_LINE: usize = 2;

/// A login that asks for the profile: the one in which each side proves itself.
const WITH_PROFILE: &str = "/authorize?scope=snsapi_userinfo";

/// A login in another language.
struct Peer {
    name: &'static str,
    /// Of its interpreter, as that says it.
    version: String,
    programs: [Program; 3],
}

/// Logs in so often by each side, at a whole processor, in the share of a function, and with WeChat far away.
pub async fn measure(world: &World, rounds: usize) -> Result<String> {
    let peers = peers(world).await?;
    if peers.is_empty() {
        return Ok("Not measured: no peer is installed. `make bench` does that.\n".to_owned());
    }
    for peer in &peers {
        progress(&format!("{} proves its guards", peer.name));
        prove(world, peer).await.map_err(|failure| failure.during(peer.name))?;
    }
    let processes = rounds.div_ceil(LOGINS);

    let mut text = String::new();
    let whole = sides(world, &peers, processes, None, "a whole processor").await?;
    let _ = writeln!(
        text,
        "{processes} processes of each function on each side, and {LOGINS} logins by each. Medians; the multiples come first, \
         each of the better peer's figure, and the aims are {START_AIM} of its start, {PROCESSOR_AIM} of its processor time and \
         {MEMORY_AIM} of its memory. The memory is the peak after all {LOGINS}. WeChat is {} ms away. {}.\n",
        TO_WECHAT.as_millis(),
        peers.iter().map(|peer| format!("{} is {}", peer.name, peer.version)).collect::<Vec<_>>().join(", "),
    );
    let _ = writeln!(
        text,
        "From the creation of a process to its first request for an event:\n\n{}",
        starts(&whole)
    );
    let _ = writeln!(text, "The requests:\n\n{}", requests(&whole));
    let _ = writeln!(text, "Round trips, to AWS's services and to WeChat:\n\n{}", round_trips(&whole));

    match Share::of_memory(MEMORY) {
        Ok(share) => {
            let processes = processes.min(IN_SHARE);
            let in_share = sides(world, &peers, processes, Some(&share), "a share").await?;
            let _ = writeln!(
                text,
                "In the share of a processor that Lambda gives a function of {MEMORY} MB, {processes} processes of each, the \
                 starts:\n\n{}\nAnd the requests:\n\n{}",
                starts(&in_share),
                requests(&in_share),
            );
        }
        Err(error) => {
            let _ = writeln!(
                text,
                "Not measured in a share of a processor: no control group can be made here ({error}).\n"
            );
        }
    }

    world.set_way_to_wechat(SLOW);
    let processes = processes.min(ON_SLOW_LINE);
    let slow = sides(world, &peers, processes, None, "a slow line").await;
    world.set_way_to_wechat(TO_WECHAT);
    let _ = writeln!(
        text,
        "At a whole processor, with WeChat {} ms away, {processes} processes of each:\n\n{}",
        SLOW.as_millis(),
        requests(&slow?),
    );
    Ok(text.trim_end().to_owned() + "\n")
}

/// Those that are installed.
async fn peers(world: &World) -> Result<Vec<Peer>> {
    let environment = world.environment_of_peers()?;
    let mut peers = Vec::new();
    let directory = workspace().join("tests/bench/peers/python");
    let python = workspace().join(".venv-peers/bin/python");
    if python.is_file() {
        let programs = REQUESTS.map(|request| Program {
            binary: python.clone(),
            arguments: ["-m", "awslambdaric", &format!("{request}.handler")].map(str::to_owned).into(),
            environment: environment.clone(),
            copies: None,
            own_scheme: "http://",
        });
        let path = Some(directory.display().to_string());
        let programs = programs.map(|program| program.with([("PYTHONPATH", path.clone())]));
        peers.push(Peer { name: "Python", version: version(&python).await?, programs });
    }
    let bundles = target_directory()?.join("peers");
    if let Some(node) = search("node").filter(|_| bundles.is_dir()) {
        let quiet = ("AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED", Some("true".to_owned()));
        let programs = REQUESTS.map(|request| Program {
            binary: node.clone(),
            // As Lambda's own runtime starts it, which leaves a tenth of the memory to young objects.
            arguments: vec![
                format!("--max-semi-space-size={}", MEMORY / 20),
                format!("--max-old-space-size={}", MEMORY - MEMORY / 10),
                bundles.join(format!("{request}.mjs")).display().to_string(),
            ],
            environment: environment.clone(),
            copies: None,
            own_scheme: "http://",
        });
        let programs = programs.map(|program| program.with([quiet.clone()]));
        peers.push(Peer { name: "Node", version: version(&node).await?, programs });
    }
    Ok(peers)
}

/// What an interpreter says that it is.
async fn version(interpreter: &Path) -> Result<String> {
    let output = Command::new(interpreter).arg("--version").output().await?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().trim_start_matches("Python ").to_owned())
}

/// Of two copies of a callback, one is exchanged; none of another browser is, and no code for a second login; and
/// nobody else is shown who logged in.
async fn prove(world: &World, peer: &Peer) -> Result<()> {
    let [authorize, callback, userinfo] = &peer.programs;
    let start = |program| Process::start(&world.lambda, program, None);
    let (mut authorize, mut userinfo) = (start(authorize).await?, start(userinfo).await?);
    let (mut callback, mut another) = (start(callback).await?, start(callback).await?);
    let exchanges = || world.stack.requests(EXCHANGE).len();
    let visitor = world.stack.visitor("lin");

    let framed = page(WITH_PROFILE).header("Sec-Fetch-Dest", "iframe");
    authorize.ask(&question(framed, "", 403)?).await?;
    authorize.ask(&question(page("/authorize?return_to=https://evil.example/"), "", 400)?).await?;
    let (_, began) = authorize.ask(&question(page(WITH_PROFILE), "", 302)?).await?;
    let (_, elsewhere) = authorize.ask(&question(page(WITH_PROFILE), "", 302)?).await?;
    let back = visitor.agree(header(&began, "location")?).await?;

    let before = exchanges();
    let foreign = question(called_back(&back, &elsewhere)?, "", 303)?;
    let (_, foreign) = callback.ask(&foreign).await?;
    require("another browser's callback is exchanged", exchanges() == before)?;
    require("another browser is logged in", cookie(&foreign, SESSION_COOKIE).is_err())?;

    let ours = question(called_back(&back, &began)?, "", 303)?;
    let (one, other) = tokio::join!(callback.ask(&ours), another.ask(&ours));
    let ((_, one), (_, other)) = (one?, other?);
    require("of two copies not one is exchanged", exchanges() == before + 1)?;
    let arrived: Vec<Value> =
        [one, other].into_iter().filter(|answer| cookie(answer, SESSION_COOKIE).is_ok()).collect();
    let [arrived] = arrived.as_slice() else {
        return Err(Failure::new("of two copies not one is logged in"));
    };

    let state = parameter(header(&elsewhere, "location")?, "state");
    let twice = called_back(&places::callback(&parameter(&back, "code"), &state), &elsewhere)?;
    callback.ask(&question(twice, "", 303)?).await?;
    require("a code is exchanged for a second login", exchanges() == before + 1)?;

    let (_, shown) = userinfo.ask(&question(asked_by(arrived)?, "", 200)?).await?;
    let nickname = world.stack.simulator().settings(|settings| {
        let person = settings.people.iter().find(|person| person.id == "lin");
        person.map(|person| person.nickname.clone()).unwrap_or_default()
    });
    require("/userinfo shows somebody else", shown_as(&shown, "openid")? == visitor.openid())?;
    require("/userinfo shows another name", shown_as(&shown, "nickname")? == nickname)?;
    let forged = format!("{SESSION_COOKIE}={}", "0".repeat(64));
    userinfo.ask(&question(page("/userinfo").header("Cookie", forged), "", 401)?).await?;
    userinfo.ask(&question(page("/userinfo").header("Origin", "https://evil.example"), "", 403)?).await?;
    for process in [authorize, callback, another, userinfo] {
        process.end().await?;
    }
    Ok(())
}

fn require(otherwise: &str, holds: bool) -> Result<()> {
    if holds { Ok(()) } else { Err(Failure::new(otherwise)) }
}

/// Every side with its figures: ours, the floor, and the peers.
async fn sides(
    world: &World,
    peers: &[Peer],
    processes: usize,
    share: Option<&Share>,
    setting: &str,
) -> Result<Vec<(&'static str, Side)>> {
    let mut sides = vec![("ours", Side::ours(world)?), ("the floor", Side::floor(world)?)];
    sides.extend(peers.iter().map(|peer| (peer.name, Side::of(peer.programs.clone()))));
    for process in 0..=processes {
        for (name, side) in &mut sides {
            progress(&format!("{setting}, process {process} of {processes}: {name}"));
            side.log_in(world, SILENT, share).await.map_err(|failure| failure.during(*name))?;
            if process == 0 {
                // Found on disk, and not counted.
                side.forget();
            }
        }
    }
    Ok(sides)
}

/// Where it stands, for whoever waits; the tables come at the end.
#[expect(clippy::print_stderr, reason = "it is no part of the tables")]
fn progress(text: &str) {
    eprintln!("{text}");
}

/// The rows of every side, side by side: `[ours, the floor, the first peer, …]` for each name.
fn beside(sides: &[(&'static str, Side)], at: usize) -> Vec<(String, Vec<Figures>)> {
    let name = FIRST_AND_WARM.get(at).copied().unwrap_or_default();
    let mut rows: Vec<(String, Vec<Figures>)> = Vec::new();
    for (_, side) in sides {
        for (number, (name, figures)) in side.rows(at, name).into_iter().enumerate() {
            match rows.get_mut(number) {
                Some((_, row)) => row.push(figures),
                None => rows.push((name, vec![figures])),
            }
        }
    }
    rows
}

/// A figure of ours as a multiple of the better peer's.
fn multiple(row: &[Figures], figure: fn(&Figures) -> f64) -> f64 {
    let best = row.iter().skip(2).map(figure).fold(f64::INFINITY, f64::min);
    row.first().map_or(f64::NAN, figure) / best
}

/// The heads of a figure's columns, one for each side from this one on.
fn heads(sides: &[(&'static str, Side)], of: &str, from: usize) -> Vec<String> {
    let others = sides.iter().skip(from).map(|(name, _)| (*name).to_owned());
    [of.to_owned()].into_iter().chain(others).collect()
}

fn starts(sides: &[(&'static str, Side)]) -> String {
    let mut columns = ["", "start", "processor", "memory"].map(str::to_owned).to_vec();
    for of in ["start, ms", "processor, ms", "memory, MB"] {
        columns.extend(heads(sides, of, 2));
    }
    let mut table = Table::of(columns);
    let rows = beside(sides, 0);
    for (row, request) in rows.iter().map(|(_, row)| row).zip(REQUESTS) {
        let figures: [fn(&Figures) -> f64; 3] =
            [|of| of.start, |of| of.start_processor, |of| of.memory / 1024.0];
        let mut cells = vec![
            format!("`{request}`"),
            judged(multiple(row, |figures| figures.start), START_AIM),
            format!("{:.2}", multiple(row, |figures| figures.start_processor)),
            judged(multiple(row, |figures| figures.memory), MEMORY_AIM),
        ];
        for figure in figures {
            let without_floor = row.iter().enumerate().filter(|(side, _)| *side != 1);
            cells.extend(without_floor.map(|(_, of)| format!("{:.1}", figure(of))));
        }
        table.line(cells);
    }
    table.text()
}

fn requests(sides: &[(&'static str, Side)]) -> String {
    let mut columns = ["", "processor", "wall"].map(str::to_owned).to_vec();
    for of in ["processor, ms", "wall, ms"] {
        columns.extend(heads(sides, of, 1));
    }
    let mut table = Table::of(columns);
    for (name, row) in [0, 1].into_iter().flat_map(|at| beside(sides, at)) {
        let mut cells = vec![
            name,
            judged(multiple(&row, |figures| figures.processor), PROCESSOR_AIM),
            format!("{:.2}", multiple(&row, |figures| figures.wall)),
        ];
        cells.extend(row.iter().map(|of| format!("{:.2}", of.processor)));
        cells.extend(row.iter().map(|of| format!("{:.0}", of.wall)));
        table.line(cells);
    }
    table.text()
}

fn round_trips(sides: &[(&'static str, Side)]) -> String {
    let mut columns = vec![String::new()];
    columns.extend(heads(sides, "to AWS", 1));
    columns.extend(heads(sides, "to WeChat", 1));
    let mut table = Table::of(columns);
    for (name, row) in [0, 1].into_iter().flat_map(|at| beside(sides, at)) {
        let mut cells = vec![name];
        cells.extend(row.iter().map(|of| format!("{}", of.round_trips[0])));
        cells.extend(row.iter().map(|of| format!("{}", of.round_trips[1])));
        table.line(cells);
    }
    table.text()
}
