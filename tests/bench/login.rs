//! What a login takes: each of its three requests, beside a floor that makes the same calls with the bare SDK and does
//! nothing else (`floor-calls`). WeChat's page, between the first two, is the simulator's.
//!
//! Everything is behind TLS and as far away as it is. A round is one login of each; the processes are kept, so that all
//! but the first are warm. A [`Side`] is whoever logs people in: the functions, their floor, or a peer in another
//! language.

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
    share::Share,
    world::{World, page, question},
};

/// The requests, in their order, which are also the functions.
pub const REQUESTS: [&str; 3] = ["authorize", "callback", "userinfo"];
/// Whether a process meets its first request: the places of the figures, and what the rows call them.
pub const FIRST_AND_WARM: [&str; 2] = ["first", "warm"];
/// How many logins each process works at.
pub const LOGINS: usize = 10;
/// The largest part of the floor's processor time that a login is to take.
const AIM: f64 = 1.25;
/// The largest part of the floor's bytes that a request may put on the wire.
const MOST_BYTES: f64 = 1.1;
/// A login that ends where one ends that does not say, without the profile.
pub const SILENT: &str = "/authorize";

/// Who logs people in: a program for each of the requests.
pub struct Side {
    steps: [Step; 3],
    /// The floor answers with a text that it always has.
    knows_who: bool,
}

/// One of the requests, on one of the sides.
struct Step {
    program: Program,
    /// The status when all goes well.
    status: u64,
    /// By processes that met their first request, and by those that did not.
    runs: [Vec<Run>; 2],
    /// Of every process.
    starts: Vec<Start>,
    /// Peak memory of every process, in kB.
    memory: Vec<u64>,
}

/// One process's start.
struct Start {
    wall: Duration,
    processor: Duration,
}

/// One request's figures.
struct Run {
    processor: Duration,
    wall: Duration,
    /// To AWS's services, and to WeChat.
    counts: [Count; 2],
}

/// What a row tells of a step: medians, in milliseconds and kB.
#[derive(Clone, Copy, Default)]
pub struct Figures {
    /// Processor time.
    pub processor: f64,
    /// How long the answer took.
    pub wall: f64,
    /// The peak of the process.
    pub memory: f64,
    /// To AWS's services, and to WeChat.
    pub round_trips: [f64; 2],
    /// On the wire, both ways.
    pub kilobytes: f64,
    /// From the creation of the process to its first request for an event.
    pub start: f64,
    /// Processor time until then.
    pub start_processor: f64,
}

/// Logs in so often; the tables of what it took, and where a function makes more round trips than its calls do, or puts
/// more on the wire.
pub async fn measure(world: &World, rounds: usize) -> Result<(String, Vec<String>)> {
    let mut complaints = Vec::new();
    let (mut ours, mut floor) = (Side::ours(world)?, Side::floor(world)?);
    let processes = rounds.div_ceil(LOGINS);
    for process in 0..=processes {
        for side in [&mut ours, &mut floor] {
            side.log_in(world, SILENT, None).await?;
            if process == 0 {
                // Found on disk, and not counted.
                side.forget();
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
    for (at, name) in FIRST_AND_WARM.into_iter().enumerate() {
        for ((name, ours), (_, floor)) in ours.rows(at, name).into_iter().zip(floor.rows(at, name)) {
            table.row(row(&name, ours, floor));
            let [trips, of_floor] = [ours, floor].map(|figures| figures.round_trips.iter().sum::<f64>());
            if trips > of_floor {
                complaints.push(format!("{name}: {trips} round trips, where its calls make {of_floor}"));
            }
            if ours.kilobytes > floor.kilobytes * MOST_BYTES {
                let [kilobytes, of_floor] = [ours, floor].map(|figures| figures.kilobytes);
                complaints.push(format!("{name}: {kilobytes:.1} kB, where its calls take {of_floor:.1}"));
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
        start: sum.start + step.start,
        start_processor: sum.start_processor + step.start_processor,
    })
}

impl Side {
    /// The functions as they are deployed.
    pub fn ours(world: &World) -> Result<Self> {
        let [authorize, callback, userinfo] = REQUESTS.map(|request| world.function(request));
        Ok(Self::of([authorize?, callback?, userinfo?]))
    }

    /// The same calls with the bare SDK.
    pub fn floor(world: &World) -> Result<Self> {
        let program = world.floor("floor-calls")?;
        let steps = [302, 302, 200].map(|status| Step::new(program.clone(), status));
        Ok(Self { steps, knows_who: false })
    }

    /// Programs that answer as the functions do.
    pub fn of(programs: [Program; 3]) -> Self {
        let [authorize, callback, userinfo] = programs;
        let steps = [Step::new(authorize, 302), Step::new(callback, 303), Step::new(userinfo, 200)];
        Self { steps, knows_who: true }
    }

    /// The same with each program replaced by what becomes of it, by the name of its request.
    #[must_use]
    pub fn run_by(mut self, replace: impl Fn(&str, Program) -> Program) -> Self {
        for (request, step) in REQUESTS.into_iter().zip(&mut self.steps) {
            step.program = replace(request, step.program.clone());
        }
        self
    }

    /// Counts nothing that was so far.
    pub fn forget(&mut self) {
        self.steps.iter_mut().for_each(Step::forget);
    }

    /// A row for each of the requests, and one for the whole login: of the first requests, or of the warm ones.
    pub fn rows(&self, at: usize, name: &str) -> Vec<(String, Figures)> {
        let steps: Vec<Figures> = self.steps.iter().map(|step| step.figures(at)).collect();
        let whole = sum(&steps);
        let names = REQUESTS.iter().map(|request| format!("`{request}`, {name}"));
        names.zip(steps).chain([(format!("the login, {name}"), whole)]).collect()
    }

    /// New processes, in a share of a processor if they are given one, and logins by them, which begin at this path.
    pub async fn log_in(&mut self, world: &World, path: &str, share: Option<&Share>) -> Result<()> {
        let mut processes = Vec::new();
        for step in &mut self.steps {
            let process = Process::start(&world.lambda, &step.program, share).await?;
            step.starts.push(Start { wall: process.start, processor: process.processor()? });
            processes.push(process);
        }
        self.by(world, &mut processes, path, LOGINS).await?;
        for (process, step) in processes.into_iter().zip(&mut self.steps) {
            step.memory.push(process.peak_memory()?);
            process.end().await?;
        }
        Ok(())
    }

    /// So many logins by new processes, which are then told to end and may still write what they have to say.
    pub async fn work(&mut self, world: &World, path: &str, logins: usize) -> Result<()> {
        let mut processes = Vec::new();
        for step in &self.steps {
            processes.push(Process::start(&world.lambda, &step.program, None).await?);
        }
        self.by(world, &mut processes, path, logins).await?;
        for process in processes {
            process.terminate().await?;
        }
        Ok(())
    }

    /// So many logins by these processes.
    async fn by(
        &mut self,
        world: &World,
        processes: &mut [Process],
        path: &str,
        logins: usize,
    ) -> Result<()> {
        let [first, second, third] = processes else {
            return Err(Failure::new("a login has three functions"));
        };
        let [authorize, callback, userinfo] = &mut self.steps;
        for _ in 0..logins {
            let visitor: Visitor = world.stack.visitor("lin");
            let began = authorize.ask(world, first, page(path)).await?;
            let back = visitor.agree(header(&began, "location")?).await?;
            let arrived = callback.ask(world, second, called_back(&back, &began)?).await?;
            let shown = userinfo.ask(world, third, asked_by(&arrived)?).await?;
            if self.knows_who {
                let openid = shown_as(&shown, "openid")?;
                if openid != visitor.openid() {
                    return Err(Failure::new(format!("/userinfo shows {openid}, who did not log in")));
                }
            }
        }
        Ok(())
    }
}

impl Step {
    fn new(program: Program, status: u64) -> Self {
        Self { program, status, runs: Default::default(), starts: Vec::new(), memory: Vec::new() }
    }

    fn forget(&mut self) {
        (self.runs, self.starts, self.memory) = Default::default();
    }

    /// Of the first requests, or of the warm ones.
    fn figures(&self, at: usize) -> Figures {
        let median = |figure: &dyn Fn(&Run) -> f64| {
            self.runs.iter().skip(at).take(1).flatten().map(figure).collect::<Series>().median()
        };
        let starts = |figure: fn(&Start) -> Duration| {
            self.starts.iter().map(|start| milliseconds(figure(start))).collect::<Series>().median()
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
            start: starts(|start| start.wall),
            start_processor: starts(|start| start.processor),
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

/// What the browser asks that began here, when WeChat sends it back.
pub fn called_back(back: &str, began: &Value) -> Result<http::request::Builder> {
    let cookie = format!("{BROWSER_COOKIE}={}", cookie(began, BROWSER_COOKIE)?);
    Ok(page(back.trim_start_matches(PUBLIC_URL)).header("Cookie", cookie))
}

/// What a page asks for the browser that arrived here.
pub fn asked_by(arrived: &Value) -> Result<http::request::Builder> {
    let cookie = format!("{SESSION_COOKIE}={}", cookie(arrived, SESSION_COOKIE)?);
    Ok(page("/userinfo").header("Origin", PAGE_ORIGIN).header("Cookie", cookie))
}

/// A member of the JSON that an answer shows.
pub fn shown_as(answer: &Value, name: &str) -> Result<String> {
    let body = answer.get("body").and_then(Value::as_str).unwrap_or_default();
    let body: Value = serde_json::from_str(body)?;
    let member = body.get(name).and_then(Value::as_str);
    member.map(str::to_owned).ok_or_else(|| Failure::new(format!("no {name} in {body}")))
}

/// A header of an answer.
pub fn header<'a>(answer: &'a Value, name: &str) -> Result<&'a str> {
    let headers: BTreeMap<_, _> = answer["headers"].as_object().into_iter().flatten().collect();
    let header = headers.get(&name.to_owned()).and_then(|value| value.as_str());
    header.ok_or_else(|| Failure::new(format!("no {name} in {answer}")))
}

/// The value of a cookie that an answer sets.
pub fn cookie<'a>(answer: &'a Value, name: &str) -> Result<&'a str> {
    let mut cookies = answer["cookies"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let value = cookies.find_map(|cookie| cookie.strip_prefix(name)?.strip_prefix('=')?.split(';').next());
    value.ok_or_else(|| Failure::new(format!("no {name} in {answer}")))
}
