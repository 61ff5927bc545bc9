//! `make rehearse`: a deployment on an emulated AWS, as it would go at AWS.
//!
//! The functions are the binaries that would be deployed, `sam` and `aws` are the real programs, and they run under the
//! policy that the docs give to whoever deploys. What the emulator does not know of AWS is looked for in the
//! transformed template first ([`document`]); what it does otherwise than AWS is written down in
//! `docs/development/rehearsal.md`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it speaks to the person who started it")]
#![expect(clippy::indexing_slicing, reason = "only JSON is indexed, where what is missing reads as null")]

mod account;
mod arguments;
mod broken;
mod built;
mod document;
mod load_balancer;
mod logs;
mod plan;
mod pool;
mod progress;
mod provider;
mod visits;
mod wechat;

use std::{collections::BTreeMap, env, process::ExitCode};

use harness::{
    Failure, Result,
    binaries::workspace,
    emulated_aws::{EmulatedAws, root, tool},
};
use serde_json::Value;
use tokio::{
    process::Command,
    signal::unix::{SignalKind, signal},
};

use crate::{arguments::Arguments, document::CHECKS, plan::Plan, progress::Progress, wechat::Wechat};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match Arguments::read(env::args_os().skip(1)) {
        Ok(arguments) => arguments,
        Err(failure) => return report(&failure),
    };
    if arguments.help {
        println!("{}", arguments::HELP);
        return ExitCode::SUCCESS;
    }
    let work = async {
        if arguments.command.is_empty() { rehearse(&arguments).await } else { lend(&arguments).await }
    };
    let done = tokio::select! {
        done = work => done,
        // What was started ends as its owner is dropped.
        stopped = told_to_stop() => Err(stopped),
    };
    done.unwrap_or_else(|failure| report(&failure))
}

async fn told_to_stop() -> Failure {
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    let (Ok(mut interrupt), Ok(mut terminate)) = signals else {
        return Failure::new("no signal can be heard here");
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Failure::new("told to stop")
}

fn report(failure: &Failure) -> ExitCode {
    eprintln!("\nerror: {failure}");
    ExitCode::FAILURE
}

/// Starts an emulated AWS for another program.
async fn lend(arguments: &Arguments) -> Result<ExitCode> {
    let aws = EmulatedAws::start(&BTreeMap::new(), !arguments.without_iam).await?;
    let (program, rest) = arguments.command.split_first().ok_or_else(|| Failure::new("which command?"))?;
    let status = Command::new(program)
        .args(rest)
        .envs(aws.environment(&root(), "us-east-1").into_iter().filter(|(name, _)| name != "HOME"))
        .kill_on_drop(true)
        .status()
        .await
        .map_err(|error| Failure::from(error).during(program.to_string_lossy()))?;
    aws.stop().await?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

async fn rehearse(arguments: &Arguments) -> Result<ExitCode> {
    let mut progress = Progress::default();
    let rehearsed = run(arguments, &mut progress).await;
    println!("\n{}", progress.table());
    rehearsed?;
    Ok(ExitCode::SUCCESS)
}

async fn run(arguments: &Arguments, progress: &mut Progress) -> Result<()> {
    let checked = progress.step("The transformed template", checks()).await;
    if arguments.checks {
        checked?;
        return Ok(());
    }
    let build = arguments.build.clone().unwrap_or_else(|| workspace().join(".aws-sam/build"));
    let build = build.canonicalize().map_err(|error| Failure::from(error).during(build.display()))?;
    let architecture = built::architecture(&build)?;
    println!("The functions are built for {architecture}.");
    progress.step("Builds that are not whole", async { built::refuse_what_is_not_whole(&build) }).await?;
    let sam = arguments.sam.clone().unwrap_or_else(|| workspace().join(".venv-lint/bin/sam"));

    let wechat = Wechat::start().await?;
    let environment = BTreeMap::from([("WECHAT_API_URL".to_owned(), wechat.url())]);
    let aws = progress.step("The emulated AWS starts", EmulatedAws::start(&environment, true)).await?;
    let plan = Plan { aws: &aws, wechat: &wechat, build: &build, architecture, sam: &sam };
    let rehearsed = plan.run(progress).await;
    if rehearsed.is_err() {
        let log = aws.log()?;
        let tail: Vec<_> = log.lines().rev().take(30).collect();
        eprintln!("\nThe last that the emulated AWS said:");
        tail.iter().rev().for_each(|line| eprintln!("    {line}"));
    }
    aws.stop().await?;
    rehearsed
}

/// The document that the SAM transform makes of the template.
async fn transformed() -> Result<Value> {
    let root = workspace();
    let output = Command::new(tool("python")?)
        .arg(root.join("tests/rehearsal/transform.py"))
        .arg(root.join("template.yaml"))
        .output()
        .await?;
    if !output.status.success() {
        return Err(Failure::new(String::from_utf8_lossy(&output.stderr)));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

async fn checks() -> Result<()> {
    let document = transformed().await?;
    let mut wrong = Vec::new();
    for check in &CHECKS {
        match check.hold(&document) {
            Ok(()) => println!("    {}", check.name),
            Err(failure) => wrong.push(failure.to_string()),
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Failure::new(wrong.join("\n"))) }
}
