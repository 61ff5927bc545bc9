//! One round: what the access log, the log, WeChat's ledger and the processes show at its end, when nobody is at work.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt::Write as _,
    time::Duration,
};

use harness::{Result, gateway::Access, logs::Line, places::EXCHANGE};
use serde_json::Value;

use super::{FUNCTIONS, Soak, visits::FORGED};
use crate::row::Run;

/// How long the requests to one route took.
#[derive(Clone, Copy, Default)]
pub struct Latency {
    /// How many there were.
    pub requests: usize,
    /// The middle one, in milliseconds.
    pub median: f64,
    /// The one that 99 of 100 do not exceed.
    pub percentile_99: f64,
}

/// A process at rest.
#[derive(Clone)]
pub struct Process {
    /// The function's name.
    pub function: String,
    /// Resident memory, in bytes.
    pub memory: u64,
    /// Open descriptors.
    pub descriptors: u64,
}

/// What was seen of a round.
pub struct Round {
    /// How long it took until the last visit had ended.
    pub took: Duration,
    /// The routes that were asked.
    pub routes: BTreeMap<String, Latency>,
    /// The processes that are there at its end, by their numbers.
    pub processes: BTreeMap<u64, Process>,
    /// How many answers of 500 and above there were.
    pub failed: u64,
}

/// What was counted over all rounds.
#[derive(Default)]
pub struct Totals {
    /// Requests that reached a function.
    pub requests: u64,
    /// Those answered 500 or above.
    pub failed: u64,
    /// Lines of requests.
    pub lines: u64,
    /// Codes that WeChat was asked to exchange.
    pub exchanges: u64,
    /// How often a function ended in an outcome.
    pub outcomes: BTreeMap<(String, String), u64>,
}

impl Totals {
    /// Looks at lines of the log, each of which must have an outcome that is known.
    pub fn add(&mut self, run: &Run, lines: &[Line]) {
        let known: BTreeMap<&str, BTreeSet<&str>> = reference::outcomes()
            .into_iter()
            .map(|(function, own)| {
                let all = own.into_iter().chain(lambda::OUTCOMES.iter().copied());
                (function, all.map(|outcome| outcome.name).collect())
            })
            .collect();
        // The harness's own remarks are about answers that are counted.
        for line in lines.iter().filter(|line| line.worker != 0) {
            let told: Value = serde_json::from_str(&line.text).unwrap_or_default();
            let outcome = told.get("outcome").and_then(Value::as_str).unwrap_or_default();
            let is_known = known.get(&*line.function).is_some_and(|known| known.contains(outcome));
            run.require(is_known, || format!("{} printed {}", line.function, line.text));
            let is_alarm = told.get("level").and_then(Value::as_str) != Some("INFO");
            run.require(!is_alarm, || format!("{} is alarmed: {}", line.function, line.text));
            if told.get("message").and_then(Value::as_str) == Some("request") {
                self.lines += 1;
                *self.outcomes.entry((line.function.clone(), outcome.to_owned())).or_default() += 1;
            }
        }
    }
}

impl Round {
    /// Looks at what there is at the end of a round, and forgets it.
    pub async fn look(
        soak: &Soak<'_>,
        took: Duration,
        totals: &mut Totals,
        codes: &mut HashSet<String>,
    ) -> Result<Self> {
        let (run, stack) = (soak.run, soak.stack);
        let functions = stack.functions();
        for function in &*FUNCTIONS {
            functions.spare_at_answer(function);
        }
        // Who is still at work is so for somebody who no longer waits.
        while stack.gateway().under_way() > 0 || FUNCTIONS.iter().any(|function| functions.busy(function) > 0)
        {
            tokio::task::yield_now().await;
        }
        let mut routes: BTreeMap<String, Vec<Access>> = BTreeMap::new();
        let mut failed = 0;
        for access in stack.gateway().take_access_log() {
            totals.requests += 1;
            failed += u64::from(access.status >= 500);
            routes.entry(access.route_key.clone()).or_default().push(access);
        }
        totals.failed += failed;
        totals.add(run, &stack.logs().take());
        for entry in stack.requests(EXCHANGE) {
            let code = entry.code.unwrap_or_default();
            totals.exchanges += 1;
            run.require(!code.starts_with(FORGED), || "a forged code reached WeChat".to_owned());
            run.require(codes.insert(code), || "a code was exchanged twice".to_owned());
        }
        stack.simulator().clear_ledger();
        let mut processes = BTreeMap::new();
        for function in &*FUNCTIONS {
            let descriptors = functions.descriptors(function);
            for (worker, memory) in functions.memory(function) {
                let descriptors = descriptors.get(&worker).copied().unwrap_or_default();
                processes.insert(worker, Process { function: function.to_owned(), memory, descriptors });
            }
        }
        let routes = routes.into_iter().map(|(route, requests)| (route, Latency::of(&requests))).collect();
        Ok(Self { took, routes, processes, failed })
    }

    /// The memory of the largest process of a function.
    pub fn largest(&self, function: &str) -> Option<u64> {
        let own = self.processes.values().filter(|process| process.function == function);
        own.map(|process| process.memory).max()
    }

    /// Requests a second.
    #[expect(clippy::cast_precision_loss, reason = "a picture does not show what is lost")]
    pub fn rate(&self) -> f64 {
        let requests: usize = self.routes.values().map(|latency| latency.requests).sum();
        requests as f64 / self.took.as_secs_f64()
    }
}

impl Latency {
    fn of(requests: &[Access]) -> Self {
        let mut sorted: Vec<_> =
            requests.iter().map(|access| access.latency.as_secs_f64() * 1000.0).collect();
        sorted.sort_by(f64::total_cmp);
        let at = |rank: usize| sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default();
        Self {
            requests: sorted.len(),
            median: at(sorted.len().div_ceil(2)),
            percentile_99: at((sorted.len() * 99).div_ceil(100)),
        }
    }
}

/// What became of a process in its life.
pub struct Life {
    /// The function's name.
    pub function: String,
    /// Its number.
    pub worker: u64,
    /// At the ends of how many rounds it was there.
    pub rounds: usize,
    /// By how much it was larger at the end than after the first tenth of the run in its life, in bytes.
    pub growth: u64,
    /// How many descriptors it had more, at most.
    pub descriptors: u64,
}

/// The lives of all processes.
pub fn lives(rounds: &[Round]) -> Vec<Life> {
    let mut lives: BTreeMap<u64, Vec<&Process>> = BTreeMap::new();
    for round in rounds {
        for (worker, process) in &round.processes {
            lives.entry(*worker).or_default().push(process);
        }
    }
    let tenth = rounds.len().div_ceil(10);
    let life = |(worker, seen): (u64, Vec<&Process>)| {
        let (first, last) = (seen.first()?, seen.last()?);
        let later = seen.get(tenth.saturating_sub(1)..).unwrap_or_default();
        let (early, most) =
            (later.first().unwrap_or(last), later.iter().map(|process| process.descriptors).max());
        Some(Life {
            function: first.function.clone(),
            worker,
            rounds: seen.len(),
            growth: last.memory.saturating_sub(early.memory),
            descriptors: most.unwrap_or_default().saturating_sub(early.descriptors),
        })
    };
    lives.into_iter().filter_map(life).collect()
}

/// Everything, one line for each round and route or process, for who wants to look closer.
pub fn table(rounds: &[Round]) -> String {
    let mut table =
        "round\twhat\tname\trequests\tmedian ms\t99th percentile ms\tmemory\tdescriptors\n".to_owned();
    for (number, round) in (1..).zip(rounds) {
        let _ = writeln!(table, "{number}\tround\tfailed {}\t\t{:.1}\t\t\t", round.failed, round.rate());
        for (route, Latency { requests, median, percentile_99 }) in &round.routes {
            let _ =
                writeln!(table, "{number}\troute\t{route}\t{requests}\t{median:.1}\t{percentile_99:.1}\t\t");
        }
        for (worker, Process { function, memory, descriptors }) in &round.processes {
            let _ = writeln!(table, "{number}\tprocess\t{function} {worker}\t\t\t\t{memory}\t{descriptors}");
        }
    }
    table
}

/// Bytes, in millions.
#[expect(clippy::cast_precision_loss, reason = "a picture does not show what is lost")]
pub fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
