//! S1: a soak, which is mixed logins for a long time against one set of processes.
//!
//! The other rows ask what a promise is worth in one moment. Here the question is what is left behind when nothing
//! special happens, for an hour: memory, descriptors, items, words in the log that nobody knows. So the functions run
//! as they are deployed, and people come as they do (`soak/visits.rs`): silently, with their profile, by QR code, by
//! another phone, through a client of the OpenID Provider; twice at once, or with a refusal; and floods of forged
//! requests between them. Now and then a process is killed, at its answer or in the middle.
//!
//! The time is cut into **rounds**, of a minute in a long run. At the end of a round everybody has arrived, so nobody
//! is at work: then the processes are measured, and what was logged is looked at and forgotten (`soak/round.rs`).
//! Nothing fails by a time. What is required are counts:
//!
//! * every visit ends as it should: who is logged in is who scanned, and after a logout nobody is;
//! * no code is sent to WeChat twice, and none that was forged;
//! * every request has its line in the log, with an outcome that the reference tables know for that function;
//! * an answer of 500 and above is an answer that a kill explains, one for each process that was killed at most, and so
//!   is a visit that had to be made once more;
//! * a process that lives on does not grow by [`MOST_GROWTH`] after the first tenth, and has at most
//!   [`MOST_DESCRIPTORS`] descriptors more than it had then.
//!
//! Whoever comes waits a moment before the next visit, so the load is the same at all times: if a request takes longer
//! in the end than in the beginning, it is not because there are more of them.

mod picture;
mod round;
mod visits;

use std::{
    cell::Cell,
    collections::{BTreeMap, HashSet},
    fmt::Write as _,
    fs,
    sync::LazyLock,
    time::{Duration, Instant},
};

use futures_util::future::{join_all, try_join};
use harness::{Result, Stack, binaries::workspace, relying_party, template::Template};
use simulator::{Denial, Person};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::{
    machine, page,
    row::{Run, clock},
};
use round::Round;
use visits::{Kind, Lane};

/// How many people come at the same time.
const LANES: usize = 4;
/// How long each of them waits from one visit to the next, at least.
const PACE: Duration = Duration::from_millis(400);
/// Of how many rounds one has a kill.
const KILL_EVERY: usize = 3;
/// How often a visit is made anew that lost a process.
const MOST_TRIES: usize = 3;
/// By how many bytes a process may grow after the first tenth.
const MOST_GROWTH: u64 = 2 * 1024 * 1024;
/// By how many descriptors: calls side by side leave a second connection to DynamoDB, which is kept for the next ones.
const MOST_DESCRIPTORS: u64 = 2;
/// The rounds of a run shorter than ten minutes.
const FEWEST_ROUNDS: u32 = 10;
/// Where the picture goes.
const PICTURE: &str = "docs/development/soak.svg";

/// The functions that answer requests here, and may be killed.
pub static FUNCTIONS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let template = Template::of_the_project();
    let answering = template.map(|template| template.answering()).unwrap_or_default();
    answering.into_iter().map(|function| function.binary).collect()
});

/// What is counted while it goes on.
struct Soak<'a> {
    run: &'a Run,
    stack: &'a Stack,
    /// Processes that were killed, or are to be at their next answer.
    kills: Cell<u64>,
    /// Visits that lost a process and were made once more.
    disturbed: Cell<u64>,
    visits: Cell<u64>,
    by_kind: [Cell<u64>; Kind::ALL.len()],
}

/// S1.
pub async fn over_time(run: &Run) -> Result<String> {
    let length = run.minutes().map_or(Duration::from_secs(run.size(10, 60) as u64), |minutes| {
        Duration::from_mins(u64::from(minutes))
    });
    let rounds = run.minutes().unwrap_or_default().max(FEWEST_ROUNDS);
    let stack = Stack::start(relying_party::options("openid")?).await?;
    stack.simulator().knobs(|knobs| knobs.denial = Denial::StateOnly);
    // WeChat knows as many people as come at once, so that nobody is given a code of somebody else's visit.
    let people: Vec<String> = (1..=LANES).map(|lane| format!("person-{lane}")).collect();
    stack.simulator().settings(|settings| {
        settings.people.extend(people.iter().map(|id| Person::new(id, id, id)));
    });
    let soak = Soak {
        run,
        stack: &stack,
        kills: Cell::default(),
        disturbed: Cell::default(),
        visits: Cell::default(),
        by_kind: Default::default(),
    };
    let mut lanes = Vec::new();
    for (person, number) in people.iter().zip(1..) {
        lanes.push(Lane::new(&stack, person, run.random(number)).await?);
    }
    let mut seen = Vec::new();
    let (mut totals, mut codes) = (round::Totals::default(), HashSet::new());
    for number in 1..=rounds as usize {
        let began = clock();
        let until = began + length / rounds;
        let people = join_all(lanes.iter_mut().map(|lane| soak.come(lane, until)));
        try_join(async { Ok(people.await) }, soak.kill(number, length / rounds, until)).await?;
        let round = Round::look(&soak, began.elapsed(), &mut totals, &mut codes).await?;
        seen.push(round);
        run.progress(number, rounds as usize);
        if run.minutes().is_some() {
            // What is there, should the rest not come.
            fs::create_dir_all(workspace().join("target/soak"))?;
            fs::write(workspace().join("target/soak/soak.svg"), picture::draw(&seen))?;
            fs::write(workspace().join("target/soak/rounds.tsv"), round::table(&seen))?;
        }
    }
    stack.stop().await;
    totals.add(run, &stack.logs().take());
    soak.judge(&seen, &totals);
    let text = soak.told(&seen, &totals, length);
    println!("{text}");
    if run.minutes().is_some() {
        fs::write(workspace().join(PICTURE), picture::draw(&seen))?;
        page::write("soak", &text)?;
    }
    Ok(format!("{} visits, {} requests in {} rounds", soak.visits.get(), totals.requests, seen.len()))
}

impl Soak<'_> {
    /// One person after another comes, for as long as the round lasts.
    async fn come(&self, lane: &mut Lane, until: Instant) {
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_first = true;
        while clock() < until {
            pace.tick().await;
            let kind = if is_first { Kind::Stay } else { lane.draw() };
            is_first = false;
            self.make(lane, kind).await;
        }
    }

    /// Makes a visit, and makes it once more if a process was lost meanwhile.
    async fn make(&self, lane: &mut Lane, kind: Kind) {
        for attempt in 1..=MOST_TRIES {
            let before = self.stack.gateway().unanswered();
            match lane.visit(self.stack, kind).await {
                Ok(()) => break,
                Err(_) if attempt < MOST_TRIES && self.stack.gateway().unanswered() > before => {
                    self.disturbed.update(|disturbed| disturbed + 1);
                }
                Err(failure) => {
                    // Not the whole page.
                    let told: String = failure.to_string().chars().take(400).collect();
                    self.run.violated(format!("{kind:?}: {told}"));
                    break;
                }
            }
        }
        self.visits.update(|visits| visits + 1);
        if let Some(count) = self.by_kind.get(kind as usize) {
            count.update(|count| count + 1);
        }
    }

    /// In every third round, kills a process in its middle: at its answer, or while it is at work.
    async fn kill(&self, round: usize, length: Duration, until: Instant) -> Result<()> {
        if !round.is_multiple_of(KILL_EVERY) {
            return Ok(());
        }
        let mut random = self.run.random(1000 + round as u64);
        sleep(length / 2).await;
        let functions = self.stack.functions();
        let function = random.choice(FUNCTIONS.iter()).map_or("callback", String::as_str);
        if random.bool() {
            self.kills.update(|kills| kills + 1);
            functions.kill_at_answer(function);
            return Ok(());
        }
        while clock() < until {
            let killed = functions.kill_busy(function).await as u64;
            if killed > 0 {
                self.kills.update(|kills| kills + killed);
                break;
            }
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Holds what was seen against what is promised.
    fn judge(&self, rounds: &[Round], totals: &round::Totals) {
        let run = self.run;
        let (kills, failed) = (self.kills.get(), totals.failed);
        run.require(failed <= kills, || format!("{failed} answers of 500 and above, and {kills} kills"));
        let unanswered = self.stack.gateway().unanswered();
        run.require(failed == unanswered, || format!("{failed} failed, and {unanswered} had no answer"));
        let disturbed = self.disturbed.get();
        run.require(disturbed <= kills, || format!("{disturbed} visits made once more, and {kills} kills"));
        // Who is killed in the middle may not have got as far as its line.
        let (told, requests) = (totals.lines, totals.requests);
        run.require(told <= requests && told + failed >= requests, || {
            format!("{told} lines of {requests} requests, of which {failed} lost their process")
        });
        let lives = round::lives(rounds);
        run.require(lives.iter().any(|life| life.rounds == rounds.len()), || {
            "no process lived from the first round to the last".to_owned()
        });
        for life in lives {
            let round::Life { function, worker, growth, descriptors, .. } = &life;
            run.require(*growth < MOST_GROWTH, || {
                format!("process {worker}, {function}, grew by {growth} bytes")
            });
            run.require(*descriptors <= MOST_DESCRIPTORS, || {
                format!("process {worker}, {function}, has {descriptors} descriptors more")
            });
        }
        for kind in Kind::ALL {
            let count = self.by_kind.get(kind as usize).map_or(0, Cell::get);
            run.require(count > 0, || format!("nobody came for {kind:?}"));
        }
    }

    /// What there is to say of the run.
    fn told(&self, rounds: &[Round], totals: &round::Totals, length: Duration) -> String {
        let mut text = machine::description();
        let lives = round::lives(rounds);
        let whole: Vec<_> = lives.iter().filter(|life| life.rounds == rounds.len()).collect();
        let most = whole.iter().map(|life| life.growth).max().unwrap_or_default();
        let more = lives.iter().map(|life| life.descriptors).max().unwrap_or_default();
        let _ = writeln!(
            text,
            "\n{} minutes: {} visits, {} requests, {} kills, {} answers lost by them, {} visits made once more. {} processes \
             lived through all of it, and grew by at most {} kB after the first tenth; no process had more than {more} \
             descriptors more than then. Codes exchanged: {}, each once.\n",
            length.as_secs() / 60,
            self.visits.get(),
            totals.requests,
            self.kills.get(),
            totals.failed,
            self.disturbed.get(),
            whole.len(),
            most / 1024,
            totals.exchanges,
        );
        let kinds = Kind::ALL.iter().zip(&self.by_kind);
        let kinds: Vec<_> = kinds.map(|(kind, count)| format!("{} {}", count.get(), kind.told())).collect();
        let _ = writeln!(text, "The visits: {}.\n", kinds.join(", "));
        text += "| Function | Processes | Longest life, minutes | Largest, first tenth, MB | Largest, at the end, MB | Outcomes |\n";
        text += "|---|---:|---:|---:|---:|---|\n";
        let minutes = |count: usize| length.as_secs_f64() / 60.0 * ratio(count, rounds.len());
        for function in &*FUNCTIONS {
            let own: Vec<_> = lives.iter().filter(|life| life.function == *function).collect();
            let longest = own.iter().map(|life| life.rounds).max().unwrap_or_default();
            let [early, late] = [rounds.get(rounds.len() / 10), rounds.last()].map(|round| {
                round
                    .and_then(|round| round.largest(function))
                    .map_or_else(String::new, |bytes| format!("{:.1}", round::megabytes(bytes)))
            });
            let outcomes: BTreeMap<_, _> =
                totals.outcomes.iter().filter(|((name, _), _)| name == function).collect();
            let outcomes: Vec<_> =
                outcomes.iter().map(|((_, outcome), count)| format!("`{outcome}` {count}")).collect();
            let _ = writeln!(
                text,
                "| `{function}` | {} | {:.0} | {early} | {late} | {} |",
                self.stack.functions().cold_starts(function),
                minutes(longest),
                outcomes.join(", "),
            );
        }
        text
    }
}

#[expect(clippy::cast_precision_loss, reason = "a table does not show what is lost")]
fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}
