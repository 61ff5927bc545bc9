//! What a cold start costs: start time, size and memory of every function beside the floor.
//!
//! `make bench` builds the binaries that are deployed and runs this. The floor (`tests/bench/floor`) makes
//! the clients that the functions make and does nothing with them. It is measured in the same run, in
//! turn with the functions, so that whatever else the machine is doing falls on all of them alike. The
//! aims are of its figures, and the table only says whether they are met: a busy machine fails nothing.
//!
//! A start is timed from the creation of the process to its first
//! `GET /2018-06-01/runtime/invocation/next`. One event follows, so that the memory a working function
//! takes is seen too, and the process is killed when it asks for another.

#![expect(clippy::print_stdout, reason = "the table is the purpose")]
#![expect(clippy::disallowed_methods, reason = "what is measured is real time, in an environment of its own")]

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use harness::{
    Failure, Result,
    binaries::Binaries,
    browser::WECHAT_USER_AGENT,
    database::Database,
    deployment::{Deployment, Places, app_secrets},
    event::Arrival,
    functions::lambda_environment,
    runtime_api::{Invocation, RuntimeApi, Stage},
    secrets_manager::{ARN, SecretsManager},
    stack::{PAGE_ORIGIN, PUBLIC_URL},
    template::Template,
    time,
};
use http::Request;
use serde_json::Value;
use simulator::{Settings, Simulator};
use tokio::process::Command;

/// How often each binary is started; an argument replaces it.
const RUNS: usize = 100;

/// The largest part of the floor's start time, size and memory that a function is to take.
const START_AIM: f64 = 1.25;
const SIZE_AIM: f64 = 1.2;
const MEMORY_AIM: f64 = 1.3;

/// How long a process may take over its start or its event.
const PATIENCE: Duration = Duration::from_secs(10);

/// 32 bytes in hexadecimal digits, as the browser's secret and a state are written.
const TOKEN: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// A binary, the one event that it is given, and the status of the answer it must give.
struct Subject {
    name: &'static str,
    binary: PathBuf,
    size: u64,
    event: Value,
    status: u64,
    runs: Vec<Run>,
}

/// One process's figures.
struct Run {
    start: Duration,
    /// The processor time in it, which other work on the machine hardly changes.
    cpu: Duration,
    /// Peak memory at the end of the start, in kB.
    memory: u64,
    /// Peak memory after one event, in kB.
    memory_after: u64,
}

#[tokio::main]
async fn main() -> Result<()> {
    // Cargo's own argument is `--bench`.
    let runs = env::args().skip(1).find(|argument| argument != "--bench");
    let runs = match runs {
        Some(runs) => runs.parse().map_err(|_| Failure::new(format!("{runs} is no number of starts")))?,
        None => RUNS,
    };

    let database = Database::in_memory().await?;
    let secrets = SecretsManager::start().await?;
    let lambda = RuntimeApi::start().await?;
    let environment = environment(&database, &secrets)?;
    let mut subjects = subjects(&Binaries::in_directory(&release_directory()?)?)?;

    // The first start of each finds its binary on disk, the others in memory; only those count.
    let mut number = 0;
    for _ in 0..=runs.max(1) {
        for subject in &mut subjects {
            number += 1;
            let run = start(&lambda, number, subject, &environment).await;
            subject.runs.push(run.map_err(|failure| failure.during(subject.name))?);
        }
    }
    for subject in &mut subjects {
        subject.runs.remove(0);
    }
    print(&subjects);
    Ok(())
}

/// Where `cargo build --release` puts its binaries: beside the directory of this one.
fn release_directory() -> Result<PathBuf> {
    let executable = env::current_exe()?;
    let target = executable.ancestors().nth(3);
    target
        .map(|target| target.join("release"))
        .ok_or_else(|| Failure::new(format!("{} is not in a target directory", executable.display())))
}

/// The floor first, then the functions in the order of a login.
fn subjects(binaries: &Binaries) -> Result<Vec<Subject>> {
    let callback = format!("/callback?code=0f1e2d3c4b5a69788796a5b4c3d2e1f0&state={TOKEN}");
    let cookie = format!("__Host-browser={TOKEN}");
    let page = |path: &str| Request::get(path).header("User-Agent", WECHAT_USER_AGENT);
    let logout = Request::post("/logout").header("Origin", PAGE_ORIGIN);
    [
        ("floor", page("/"), 200),
        ("authorize", page("/authorize"), 302),
        // Of a login that nobody began: it is looked up and refused, by way of a fresh one.
        ("callback", page(&callback).header("Cookie", cookie), 303),
        ("userinfo", page("/userinfo").header("Origin", PAGE_ORIGIN), 401),
        ("logout", logout, 204),
        ("site", page("/"), 200),
    ]
    .into_iter()
    .map(|(name, request, status)| {
        let binary = binaries.path(name)?.to_owned();
        let size = fs::metadata(&binary)?.len();
        Ok(Subject { name, binary, size, event: event(request)?, status, runs: Vec::new() })
    })
    .collect()
}

/// The event of a request without a body.
fn event(request: http::request::Builder) -> Result<Value> {
    let host = PUBLIC_URL.trim_start_matches("https://");
    let (parts, ()) = request.header("Host", host).body(())?.into_parts();
    let route_key = format!("{} {}", parts.method, parts.uri.path());
    let arrival = Arrival {
        parts: &parts,
        body: &axum::body::Bytes::new(),
        path: parts.uri.path(),
        route_key: &route_key,
        path_parameters: &[],
        source: ([203, 0, 113, 7], 50_000).into(),
        time: time::now(),
        request_id: "ATfSmjLgPHcESJw=",
    };
    Ok(arrival.to_event())
}

/// One environment for all: that of `callback`, which is the largest, and of this machine; WeChat, which nothing
/// here asks, is where it really is.
fn environment(database: &Database, secrets: &SecretsManager) -> Result<BTreeMap<String, String>> {
    let template = Template::of_the_project()?;
    let simulator = Simulator::new(Settings::example());
    secrets.put(app_secrets(&simulator));
    let changes = [
        ("APP_SECRETS", None),
        ("APP_SECRETS_ARN", Some(ARN.to_owned())),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", Some(secrets.url())),
        ("WECHAT_OPEN_URL", None),
        ("WECHAT_API_URL", None),
    ];
    let tables = database.create_tables(&template)?;
    let nowhere = ([127, 0, 0, 1], 1).into();
    let deployment =
        Deployment::new(&Places::on_the_internet(), &simulator, nowhere, &database.url(), &tables)?
            .with(changes.map(|(name, value)| (name.to_owned(), value)).into());
    let callback = template.functions().into_iter().find(|function| function.binary == "callback");
    let callback = callback.ok_or_else(|| Failure::new("the template has no callback"))?;
    let mut environment = deployment.environment(&callback);
    // Lambda's certificates are one file; Debian's are that file and a directory of every single one,
    // and reading both would hide what the functions' own code costs.
    let bundle = "/etc/ssl/certs/ca-certificates.crt";
    if Path::new(bundle).exists() {
        environment.insert("SSL_CERT_FILE".to_owned(), bundle.to_owned());
    }
    Ok(environment)
}

/// Starts a process, gives it its event, and kills it.
async fn start(
    lambda: &RuntimeApi,
    number: u64,
    subject: &Subject,
    environment: &BTreeMap<String, String>,
) -> Result<Run> {
    let mut desk = lambda.open(number);
    let mut command = Command::new(&subject.binary);
    command
        .env_clear()
        .envs(environment)
        .envs(lambda_environment("bench", number, lambda.url_for(number)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    let (invocation, answered) = Invocation::of("bench", number, PATIENCE, subject.event.to_string().into());
    let began = Instant::now();
    let mut process = command.spawn()?;
    let id = process.id().ok_or_else(|| Failure::new("it ended at once"))?;
    let work = async {
        if let Stage::InitError(error) = &*desk.stage.wait_for(|stage| *stage != Stage::Starting).await? {
            return Err(Failure::new(format!("it reported {error}")));
        }
        let start = began.elapsed();
        let (cpu, memory) = (cpu(id)?, peak_memory(id)?);
        let _ = desk.invocations.send(invocation);
        let answer = answered.await?.map_err(|error| Failure::new(format!("it reported {error}")))?;
        let answer: Value = serde_json::from_slice(&answer)?;
        if answer.get("statusCode").and_then(Value::as_u64) != Some(subject.status) {
            return Err(Failure::new(format!("not a {}: {answer}", subject.status)));
        }
        desk.stage.wait_for(|stage| *stage == Stage::Started(2)).await?;
        Ok(Run { start, cpu, memory, memory_after: peak_memory(id)? })
    };
    let run = tokio::select! {
        run = work => run?,
        status = process.wait() => return Err(Failure::new(format!("it ended: {}", status?))),
        () = tokio::time::sleep(PATIENCE) => return Err(Failure::new(format!("not done in {PATIENCE:?}"))),
    };
    process.kill().await?;
    Ok(run)
}

/// The largest memory that a process has had, in kB.
fn peak_memory(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or_else(|| Failure::new("the kernel does not say VmHWM"))?.parse()?)
}

/// The processor time of all threads of a process.
fn cpu(process: u32) -> Result<Duration> {
    let mut sum = Duration::ZERO;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let statistics = fs::read_to_string(thread?.path().join("schedstat"))?;
        let running = statistics.split_whitespace().next().unwrap_or_default();
        sum += Duration::from_nanos(running.parse()?);
    }
    Ok(sum)
}

/// The table, a line for each binary.
///
/// Start times are compared by the least: on a machine that does other work as well, the others say
/// more of that work.
fn print(subjects: &[Subject]) {
    let Some((floor, _)) = subjects.split_first() else {
        return;
    };
    let (base, runs) = (Figures::of(floor), floor.runs.len());
    println!("\n{runs} starts of each. In brackets, the multiple of the floor, for which the aims are:");
    println!(
        "{START_AIM} of its start (by the least), {SIZE_AIM} of its size, {MEMORY_AIM} of its memory.\n"
    );
    println!(
        "{:<10}{:>21}{:>15}{:>16}{:>25}{:>22}{:>22}",
        "", "start, ms", "", "processor, ms", "size, bytes", "peak memory, kB", "after an event"
    );
    println!("{:<10}{:>7}{:>7}{:>7}{:>15}{:>9}", "", "least", "median", "most", "", "median");
    for subject in subjects {
        let figures = Figures::of(subject);
        println!(
            "{:<10}{:>7.2}{:>7.2}{:>7.2} {:<14}{:>9.2} {:<6}{:>10} {:<14}{:>7} {:<14}{:>7} {:<14}",
            subject.name,
            figures.least,
            figures.median,
            figures.most,
            judged(figures.least, base.least, START_AIM),
            figures.cpu,
            format!("({:.2})", figures.cpu / base.cpu),
            figures.size,
            judged(figures.size, base.size, SIZE_AIM),
            figures.memory,
            judged(figures.memory, base.memory, MEMORY_AIM),
            figures.memory_after,
            judged(figures.memory_after, base.memory_after, MEMORY_AIM),
        );
    }
}

/// What the table says of a binary.
struct Figures {
    least: f64,
    median: f64,
    most: f64,
    cpu: f64,
    size: f64,
    memory: f64,
    memory_after: f64,
}

impl Figures {
    fn of(subject: &Subject) -> Self {
        let start = sorted(subject, |run| milliseconds(run.start));
        Self {
            least: start.first().copied().unwrap_or_default(),
            median: median(&start),
            most: start.last().copied().unwrap_or_default(),
            cpu: median(&sorted(subject, |run| milliseconds(run.cpu))),
            size: number(subject.size),
            memory: median(&sorted(subject, |run| number(run.memory))),
            memory_after: median(&sorted(subject, |run| number(run.memory_after))),
        }
    }
}

fn judged(figure: f64, base: f64, aim: f64) -> String {
    let multiple = figure / base;
    format!("({multiple:.2}, {})", if multiple <= aim { "within" } else { "over" })
}

fn sorted(subject: &Subject, figure: impl Fn(&Run) -> f64) -> Vec<f64> {
    let mut figures: Vec<_> = subject.runs.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures
}

fn median(figures: &[f64]) -> f64 {
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "a table does not show what is lost")]
fn number(number: u64) -> f64 {
    number as f64
}
