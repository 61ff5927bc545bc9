//! F1: hostile input.
//!
//! What is tried and what must hold is in package `fuzz`, one target each for `return_to`, cookies,
//! events, WeChat's bodies, queries, and of the provider its configuration, authorization requests, forms at the token
//! endpoint, HTTP Basic and redirect URIs. The sample tries the seeds and random changes of them; the full
//! run has libFuzzer look for input that gets further. Either is a process of its own for each target,
//! so that even an abort is only a violation, and two run at a time.

use std::{cell::RefCell, collections::VecDeque, process::Stdio};

use harness::{Failure, Result, binaries};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

use crate::{oracle::side_by_side, row::Run};

/// One target: how much of it is tried.
struct Target {
    name: &'static str,
    sample: usize,
    full: usize,
    /// The longest input that libFuzzer makes, in bytes.
    longest: usize,
}

/// All of them, those that take longest first.
const TARGETS: [Target; 10] = [
    Target { name: "events", sample: 1_500, full: 1_000_000, longest: 8192 },
    Target { name: "return_to", sample: 50_000, full: 5_000_000, longest: 1100 },
    Target { name: "bodies", sample: 20_000, full: 2_000_000, longest: 1024 },
    Target { name: "cookies", sample: 30_000, full: 10_000_000, longest: 512 },
    Target { name: "query", sample: 50_000, full: 10_000_000, longest: 256 },
    Target { name: "openid_connect", sample: 20_000, full: 2_000_000, longest: 4096 },
    Target { name: "authorization_request", sample: 30_000, full: 5_000_000, longest: 1024 },
    Target { name: "token_form", sample: 30_000, full: 5_000_000, longest: 256 },
    Target { name: "redirect_uri", sample: 50_000, full: 10_000_000, longest: 256 },
    Target { name: "basic", sample: 50_000, full: 10_000_000, longest: 128 },
];

/// What the functions are told of AWS: everything but a place where somebody answers.
const NOWHERE: [(&str, &str); 5] = [
    ("AWS_ACCESS_KEY_ID", "none"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
    ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9"),
    ("AWS_REGION", "us-east-1"),
    ("AWS_SECRET_ACCESS_KEY", "none"),
];

/// How many lines of a process are kept to tell what went wrong.
const MOST_KEPT: usize = 12;

/// F1: every target, two at a time.
pub async fn hostile_input(run: &Run) -> Result<String> {
    let size = |target: &Target| run.size(target.sample, target.full);
    let tried = RefCell::new([0; TARGETS.len()]);
    let attacks = TARGETS.iter().enumerate().map(async |(number, target)| {
        let told = |so_far: usize| {
            let mut tried = tried.borrow_mut();
            if let Some(tried) = tried.get_mut(number) {
                *tried = so_far;
            }
            run.progress(tried.iter().sum(), TARGETS.iter().map(size).sum());
        };
        attack(run, number, target, size(target), told).await.map_err(|failure| failure.during(target.name))
    });
    side_by_side(2, attacks).await?;
    let tried = tried.into_inner();
    let sizes =
        TARGETS.iter().zip(tried).map(|(target, tried)| format!("{} {}", target.name, in_words(tried)));
    Ok(sizes.collect::<Vec<_>>().join(", "))
}

/// Tries one target, and says how many inputs it has been given so far.
async fn attack(run: &Run, number: usize, target: &Target, runs: usize, told: impl Fn(usize)) -> Result<()> {
    let seed = run.random(u64::try_from(number)?).u32(1..);
    let corpus = tempfile::tempdir()?;
    let mut command = if run.is_full() {
        let mut command = std::process::Command::new("make");
        command.current_dir(binaries::workspace()).env_remove("MAKEFLAGS").arg("fuzz");
        command.arg(format!("TARGET={}", target.name)).arg(format!("CORPUS={}", corpus.path().display()));
        command.arg(format!("ARGS=-runs={runs} -seed={seed} -max_len={}", target.longest));
        for name in binaries::package_variables() {
            command.env_remove(name);
        }
        command
    } else {
        let mut command = binaries::cargo();
        // Not by its package: another selection would compile the dependencies once more, with other features.
        command.args(["run", "--quiet", "--bin", "fuzz", "--", target.name]);
        command.args([runs.to_string(), seed.to_string()]);
        command
    };
    command.envs(NOWHERE).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut process = Command::from(command).kill_on_drop(true).spawn()?;
    let output = process.stderr.take().ok_or_else(|| Failure::new("a process without an output"))?;
    let mut lines = BufReader::new(output).split(b'\n');
    let (mut last, mut tried) = (VecDeque::new(), 0);
    while let Some(line) = lines.next_segment().await? {
        let line = String::from_utf8_lossy(&line).into_owned();
        if let Some(so_far) = executed(&line) {
            tried = so_far;
            told(tried);
        } else {
            last.push_back(line);
            if last.len() > MOST_KEPT {
                last.pop_front();
            }
        }
    }
    let ended = process.wait().await?;
    let name = target.name;
    run.require(ended.success(), || format!("{name}, seed {seed}: {ended}\n{}", Vec::from(last).join("\n")));
    run.require(tried >= runs, || format!("{name} was given {tried} inputs and not {runs}"));
    Ok(())
}

/// How many inputs were tried, if a line of libFuzzer's says it: `#1024 pulse …` on the way, and a
/// statistic in the end.
fn executed(line: &str) -> Option<usize> {
    let number = line.strip_prefix('#').or_else(|| line.strip_prefix("stat::number_of_executed_units:"))?;
    number.split_whitespace().next()?.parse().ok()
}

/// A number as it is said: `5 M`, `20 k`, `1500`.
fn in_words(number: usize) -> String {
    match number {
        1_000_000.. if number.is_multiple_of(1_000_000) => format!("{} M", number / 1_000_000),
        1_000.. if number.is_multiple_of(1_000) => format!("{} k", number / 1_000),
        _ => number.to_string(),
    }
}
