//! What a login takes: each of its three requests, beside a floor that makes the same calls with the bare SDK and does
//! nothing else (`floor-calls`). WeChat's page, between the first two, is the simulator's.
//!
//! Everything is behind TLS and as far away as it is. A round is one login of each; the processes are kept, so that all but
//! the first are warm.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use harness::{
    Failure, Result, Visitor,
    places::{BROWSER_COOKIE, SESSION_COOKIE},
    stack::{PAGE_ORIGIN, PUBLIC_URL},
};
use serde_json::Value;

use crate::{
    figures::{Series, Table, judged, milliseconds, number},
    line::Count,
    process::{Process, Program},
    world::{World, page, question},
};

/// The requests, in their order, which are also the functions.
const REQUESTS: [&str; 3] = ["authorize", "callback", "userinfo"];
/// Where the figures of warm processes are, after those of first requests.
const WARM: usize = 1;
/// How many logins each process works at.
const LOGINS: usize = 10;
/// The largest part of the floor's processor time that a login is to take.
const AIM: f64 = 1.25;

/// One of the requests, on one of the sides.
struct Step {
    program: Program,
    /// The status when all goes well.
    status: u64,
    /// By processes that met their first request, and by those that did not.
    runs: [Vec<Run>; 2],
    /// Peak memory of every process, in kB.
    memory: Vec<u64>,
}

/// One request's figures.
struct Run {
    processor: Duration,
    wall: Duration,
    /// To AWS's services, and to WeChat.
    counts: [Count; 2],
}

/// What a row tells of a step.
#[derive(Clone, Copy, Default)]
struct Figures {
    processor: f64,
    wall: f64,
    memory: f64,
    round_trips: [f64; 2],
    kilobytes: f64,
}

/// Logs in so often; the tables of what it took, and where a warm function makes more round trips than its calls do.
pub async fn measure(world: &World, rounds: usize) -> Result<(String, Vec<String>)> {
    let mut complaints = Vec::new();
    let floor = world.floor("floor-calls")?;
    let mut ours = Vec::new();
    for (request, status) in REQUESTS.into_iter().zip([302, 303, 200]) {
        ours.push(Step::new(world.function(request)?, status));
    }
    let mut floor = [302, 302, 200].map(|status| Step::new(floor.clone(), status));
    let processes = rounds.div_ceil(LOGINS);
    for process in 0..=processes {
        for side in [ours.as_mut_slice(), &mut floor] {
            logins(world, side).await?;
            if process == 0 {
                // Found on disk, and not counted.
                side.iter_mut().for_each(Step::forget);
            }
        }
    }

    let mut table = Table::new([
        "",
        "processor",
        "wall",
        "memory",
        "processor, ms",
        "of the floor",
        "wall, ms",
        "of the floor",
        "memory, kB",
        "of the floor",
    ]);
    let mut counts = Table::new([
        "",
        "round trips to AWS",
        "of the floor",
        "to WeChat",
        "of the floor",
        "kB, encrypted",
        "of the floor",
    ]);
    for (at, name) in ["first", "warm"].into_iter().enumerate() {
        let figures = |side: &[Step]| -> Vec<Figures> { side.iter().map(|step| step.figures(at)).collect() };
        let (ours, floor) = (figures(&ours), figures(&floor));
        let names = REQUESTS.iter().map(|request| format!("`{request}`, {name}"));
        let requests = names.zip(ours.iter().copied().zip(floor.iter().copied()));
        for (name, (ours, floor)) in
            requests.chain([(format!("the login, {name}"), (sum(&ours), sum(&floor)))])
        {
            table.row(row(&name, ours, floor));
            let [trips, of_floor] = [ours, floor].map(|figures| figures.round_trips.iter().sum::<f64>());
            if at == WARM && trips > of_floor {
                complaints.push(format!("{name}: {trips} round trips, where its calls make {of_floor}"));
            }
            counts.row(counted(name, ours, floor));
        }
    }
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{processes} processes of each function, and {LOGINS} logins by each: its first, and those it was warm for. Medians; \
         the multiples of the floor come first, and the aim is {AIM} of its processor time. The memory is the peak after all \
         {LOGINS}; of a login, that of the largest function.\n",
    );
    let _ = writeln!(
        text,
        "{}\nHow often a process waits for the other end of a connection: once for the connection itself, then for each answer, a \
         handshake's too. Two connections side by side count twice. Medians again.\n",
        table.text(),
    );
    Ok((text + &counts.text(), complaints))
}

fn row(name: &str, ours: Figures, floor: Figures) -> [String; 10] {
    [
        name.to_owned(),
        judged(ours.processor / floor.processor, AIM),
        format!("{:.2}", ours.wall / floor.wall),
        format!("{:.2}", ours.memory / floor.memory),
        format!("{:.2}", ours.processor),
        format!("{:.2}", floor.processor),
        format!("{:.1}", ours.wall),
        format!("{:.1}", floor.wall),
        format!("{}", ours.memory),
        format!("{}", floor.memory),
    ]
}

fn counted(name: String, ours: Figures, floor: Figures) -> [String; 7] {
    [
        name,
        format!("{}", ours.round_trips[0]),
        format!("{}", floor.round_trips[0]),
        format!("{}", ours.round_trips[1]),
        format!("{}", floor.round_trips[1]),
        format!("{:.1}", ours.kilobytes),
        format!("{:.1}", floor.kilobytes),
    ]
}

fn sum(steps: &[Figures]) -> Figures {
    steps.iter().fold(Figures::default(), |sum, step| Figures {
        processor: sum.processor + step.processor,
        wall: sum.wall + step.wall,
        memory: sum.memory.max(step.memory),
        round_trips: [sum.round_trips[0] + step.round_trips[0], sum.round_trips[1] + step.round_trips[1]],
        kilobytes: sum.kilobytes + step.kilobytes,
    })
}

impl Step {
    fn new(program: Program, status: u64) -> Self {
        Self { program, status, runs: Default::default(), memory: Vec::new() }
    }

    fn forget(&mut self) {
        (self.runs, self.memory) = Default::default();
    }

    /// Of the first requests, or of the warm ones.
    fn figures(&self, at: usize) -> Figures {
        let median = |figure: &dyn Fn(&Run) -> f64| {
            self.runs.iter().skip(at).take(1).flatten().map(figure).collect::<Series>().median()
        };
        Figures {
            processor: median(&|run| milliseconds(run.processor)),
            wall: median(&|run| milliseconds(run.wall)),
            round_trips: [0, 1].map(|service| {
                median(&|run| run.counts.get(service).map_or(0.0, |count| number(count.round_trips)))
            }),
            kilobytes: median(&|run| {
                run.counts.iter().map(|count| number(count.bytes)).sum::<f64>() / 1024.0
            }),
            memory: self.memory.iter().copied().map(number).collect::<Series>().median(),
        }
    }

    /// Asks the function, and keeps what it took.
    async fn ask(
        &mut self,
        world: &World,
        process: &mut Process,
        request: http::request::Builder,
    ) -> Result<Value> {
        let question = question(request, "", self.status)?;
        let is_warm = process.has_answered();
        let (before, counted) = (process.processor()?, world.counts());
        let (wall, answer) = process.ask(&question).await?;
        let processor = process.processor()?.saturating_sub(before);
        let [aws, wechat] = world.counts();
        let counts = [aws.since(counted[0]), wechat.since(counted[1])];
        let [first, warm] = &mut self.runs;
        (if is_warm { warm } else { first }).push(Run { processor, wall, counts });
        Ok(answer)
    }
}

/// New processes, and logins by them.
async fn logins(world: &World, side: &mut [Step]) -> Result<()> {
    let [authorize, callback, userinfo] = side else {
        return Err(Failure::new("a login has three requests"));
    };
    let mut processes = Vec::new();
    for step in [&*authorize, &*callback, &*userinfo] {
        processes.push(Process::start(&world.lambda, &step.program, None).await?);
    }
    let [first, second, third] = processes.as_mut_slice() else {
        return Err(Failure::new("a login has three functions"));
    };
    for _ in 0..LOGINS {
        let visitor: Visitor = world.stack.visitor("lin");
        let began = authorize.ask(world, first, page("/authorize")).await?;
        let back = visitor.agree(header(&began, "location")?).await?;
        let back = page(back.trim_start_matches(PUBLIC_URL));
        let back = back.header("Cookie", format!("{BROWSER_COOKIE}={}", cookie(&began, BROWSER_COOKIE)?));
        let arrived = callback.ask(world, second, back).await?;
        let shown = page("/userinfo").header("Origin", PAGE_ORIGIN);
        let shown = shown.header("Cookie", format!("{SESSION_COOKIE}={}", cookie(&arrived, SESSION_COOKIE)?));
        userinfo.ask(world, third, shown).await?;
    }
    for (process, step) in processes.into_iter().zip([authorize, callback, userinfo]) {
        step.memory.push(process.peak_memory()?);
        process.end().await?;
    }
    Ok(())
}

/// A header of an answer.
fn header<'a>(answer: &'a Value, name: &str) -> Result<&'a str> {
    let headers: BTreeMap<_, _> = answer["headers"].as_object().into_iter().flatten().collect();
    let header = headers.get(&name.to_owned()).and_then(|value| value.as_str());
    header.ok_or_else(|| Failure::new(format!("no {name} in {answer}")))
}

/// The value of a cookie that an answer sets.
fn cookie<'a>(answer: &'a Value, name: &str) -> Result<&'a str> {
    let mut cookies = answer["cookies"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let value = cookies.find_map(|cookie| cookie.strip_prefix(name)?.strip_prefix('=')?.split(';').next());
    value.ok_or_else(|| Failure::new(format!("no {name} in {answer}")))
}
