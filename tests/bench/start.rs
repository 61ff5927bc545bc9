//! What a cold start costs: start time, size and memory of every function beside its floor.
//!
//! The floors (`tests/bench/floor`) make the clients that a function makes and do nothing with them. They are measured
//! in the same run, in turn with the functions, so that whatever else the machine is doing falls on all of them alike.
//!
//! A start is timed from the creation of the process to its first `GET /2018-06-01/runtime/invocation/next`. One event
//! follows, so that the memory a working function takes is seen too, and the process is killed when it asks for
//! another.

use std::{fmt::Write as _, fs, time::Duration};

use harness::{
    Failure, Result,
    relying_party::{self, VERIFIER, form},
    stack::{PAGE_ORIGIN, PUBLIC_URL},
    template::Template,
};
use http::Request;

use crate::{
    figures::{Series, Table, judged, milliseconds, number},
    process::{Process, Program, Question},
    world::{World, page, posted, question},
};

/// The largest part of its floor's start time, size and memory that a function is to take.
const START_AIM: f64 = 1.25;
const SIZE_AIM: f64 = 1.2;
const MEMORY_AIM: f64 = 1.3;

/// 32 bytes in hexadecimal digits, as the browser's secret and a state are written.
const TOKEN: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// A binary and the one event that it is given.
struct Subject {
    name: &'static str,
    /// The name of its floor; a floor's own name is its own.
    floor: &'static str,
    program: Program,
    question: Question,
    size: u64,
    runs: Vec<Run>,
}

/// One process's figures.
struct Run {
    start: Duration,
    processor: Duration,
    /// Peak memory at the end of the start, in kB.
    memory: u64,
    /// Peak memory after one event, in kB.
    memory_after: u64,
}

/// Starts every binary so often, and the table of what it took.
pub async fn measure(world: &World, runs: usize) -> Result<String> {
    let mut subjects = subjects(world)?;
    let mut answering = Template::of_the_project()?.answering().into_iter().map(|function| function.binary);
    if let Some(missing) = answering.find(|name| subjects.iter().all(|subject| subject.name != name)) {
        return Err(Failure::new(format!("{missing} is not started here")));
    }
    // The first start of each finds its binary on disk, the others in memory; only those count.
    for _ in 0..=runs {
        for subject in &mut subjects {
            let run = start(world, subject).await.map_err(|failure| failure.during(subject.name))?;
            subject.runs.push(run);
        }
    }
    for subject in &mut subjects {
        subject.runs.remove(0);
    }
    Ok(written(&subjects, runs))
}

/// The floors first, then the functions in the order of a login.
fn subjects(world: &World) -> Result<Vec<Subject>> {
    let callback = format!("/callback?code=0f1e2d3c4b5a69788796a5b4c3d2e1f0&state={TOKEN}");
    let (cookie, ticket) = (format!("__Host-browser={TOKEN}"), format!("/handoff?ticket={TOKEN}"));
    let authorize = relying_party::asked(&[]);
    let never_issued = [
        ("grant_type", "authorization_code"),
        ("code", "AAAA".repeat(16).leak()),
        ("redirect_uri", relying_party::REDIRECT_URI),
        ("client_id", "web"),
        ("code_verifier", VERIFIER),
    ];
    let logout = Request::post("/logout").header("Origin", PAGE_ORIGIN);
    [
        ("floor-bare", "floor-bare", page("/"), "", 200),
        ("floor", "floor", page("/"), "", 200),
        ("floor-dynamodb", "floor-dynamodb", page("/"), "", 200),
        ("floor-secrets", "floor-secrets", page("/"), "", 200),
        ("floor-kms", "floor-kms", page("/"), "", 200),
        ("authorize", "floor-dynamodb", page("/authorize"), "", 302),
        // Of a login that nobody began: it is looked up and refused, by way of a fresh one.
        ("callback", "floor-secrets", page(&callback).header("Cookie", cookie), "", 303),
        ("userinfo", "floor", page("/userinfo").header("Origin", PAGE_ORIGIN), "", 401),
        ("logout", "floor-dynamodb", logout, "", 204),
        // Of a ticket that nobody has: it is looked up.
        ("handoff", "floor-dynamodb", page(&ticket), "", 400),
        ("site", "floor-bare", page("/"), "", 200),
        // Of nobody who is logged in: the request is stored, and a login begins.
        ("openid", "floor-dynamodb", page(authorize.trim_start_matches(PUBLIC_URL)), "", 302),
        // Of a code that was never issued: it is looked up and refused.
        ("token", "floor-kms", posted("/oauth2/token"), &form(&never_issued), 400),
    ]
    .into_iter()
    .map(|(name, floor, request, body, status)| {
        let program = if name == floor { world.floor(name)? } else { world.with_kms(world.function(name)?) };
        let program = world.at_hand(program);
        let size = fs::metadata(&program.binary)?.len();
        let question = question(request, body, status)?;
        Ok(Subject { name, floor, program, question, size, runs: Vec::new() })
    })
    .collect()
}

async fn start(world: &World, subject: &Subject) -> Result<Run> {
    let mut process = Process::start(&world.lambda, &subject.program, None).await?;
    let (processor, memory) = (process.processor()?, process.peak_memory()?);
    process.ask(&subject.question).await?;
    let run = Run { start: process.start, processor, memory, memory_after: process.peak_memory()? };
    process.end().await?;
    Ok(run)
}

/// What the table says of a binary.
struct Figures {
    start: Series,
    processor: f64,
    size: f64,
    memory: f64,
    memory_after: f64,
}

impl Figures {
    fn of(subject: &Subject) -> Self {
        let series = |figure: fn(&Run) -> f64| subject.runs.iter().map(figure).collect::<Series>();
        Self {
            start: series(|run| milliseconds(run.start)),
            processor: series(|run| milliseconds(run.processor)).median(),
            size: number(subject.size),
            memory: series(|run| number(run.memory)).median(),
            memory_after: series(|run| number(run.memory_after)).median(),
        }
    }
}

fn written(subjects: &[Subject], runs: usize) -> String {
    let mut table = Table::new([
        "",
        "floor",
        "start",
        "processor",
        "size",
        "memory",
        "after an event",
        "start, ms",
        "median",
        "processor, ms",
        "bytes",
        "memory, kB",
        "after an event",
    ]);
    for subject in subjects {
        let figures = Figures::of(subject);
        let floor = subjects.iter().find(|floor| floor.name == subject.floor).unwrap_or(subject);
        let floor = Figures::of(floor);
        let is_floor = subject.name == subject.floor;
        let multiple = |text: String| if is_floor { String::new() } else { text };
        let start = figures.start.least() / floor.start.least();
        table.row([
            format!("`{}`", subject.name),
            multiple(format!("`{}`", subject.floor)),
            multiple(judged(start, START_AIM)),
            multiple(format!("{:.2}", figures.processor / floor.processor)),
            multiple(judged(figures.size / floor.size, SIZE_AIM)),
            multiple(judged(figures.memory / floor.memory, MEMORY_AIM)),
            multiple(judged(figures.memory_after / floor.memory_after, MEMORY_AIM)),
            format!("{:.2}", figures.start.least()),
            format!("{:.2}", figures.start.median()),
            format!("{:.2}", figures.processor),
            format!("{}", figures.size),
            format!("{}", figures.memory),
            format!("{}", figures.memory_after),
        ]);
    }
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{runs} starts of each. The multiples of the floor come first, of the start by the least; the aims are {START_AIM} of \
         the start, {SIZE_AIM} of the size and {MEMORY_AIM} of the memory. Peak memory and processor time are medians.\n",
    );
    text + &table.text()
}
