//! `make relying-parties`: libraries that others wrote, unmodified, against the running login over HTTPS.
//!
//! A relying party is a script that uses a library as its own documentation says. It is told the issuer and finds the
//! rest by itself. Those in `verifiers/` are shown tokens; the run fails if one believes what is forged, or does not
//! believe what is not. Those in `sites/` log a person in, and do what else the library can; the run fails if that is
//! somebody else, or if a step fails. Where a browser decides what a library may do, the browser is Chromium. Doubles
//! of what runs at AWS alone are told from libraries by their names.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it speaks to the person who started it")]

mod chromium;
mod deployment;
mod script;
mod sites;
mod tokens;
mod verifiers;

use std::{io::Write as _, process::ExitCode};

use harness::{Failure, Result};

use deployment::Deployment;
use sites::{SITES, STEPS, Site};
use verifiers::{Party, VERIFIERS};

const HELP: &str = "Usage: relying-parties [--only NAME]...
Shows our tokens, and forged ones, to libraries that others wrote, and logs people in with them.
  --only NAME  relying parties whose name contains this; may be repeated";

#[tokio::main]
async fn main() -> ExitCode {
    let only = match arguments() {
        Ok(Some(only)) => only,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("{error}\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match run(&only).await {
        Ok(wrong) if wrong.is_empty() => ExitCode::SUCCESS,
        Ok(wrong) => {
            eprintln!("\nNot expected:\n  {}", wrong.join("\n  "));
            ExitCode::FAILURE
        }
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// The names that are wanted; `None` if it is only asked what can be wanted.
fn arguments() -> std::result::Result<Option<Vec<String>>, lexopt::Error> {
    use lexopt::prelude::{Long, ValueExt as _};

    let mut only = Vec::new();
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("only") => only.push(parser.value()?.string()?),
            Long("help") => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(only))
}

/// What was otherwise than it should be.
async fn run(only: &[String]) -> Result<Vec<String>> {
    let is_wanted = |name: &str| only.is_empty() || only.iter().any(|part| name.contains(part.as_str()));
    let verifiers: Vec<_> = VERIFIERS.iter().filter(|party| is_wanted(party.name)).collect();
    let mut sites: Vec<_> = SITES.iter().filter(|site| is_wanted(site.name)).collect();
    for (site, missing) in sites.clone().into_iter().filter_map(|site| Some((site, site.missing()?))) {
        if only.iter().any(|part| part == site.name) {
            return Err(Failure::new(format!("{} is not here. {missing}", site.name)));
        }
        println!("SKIPPED: {}. {missing}\n", site.name);
        sites.retain(|wanted| wanted.name != site.name);
    }
    if verifiers.is_empty() && sites.is_empty() {
        return Err(Failure::new(format!("nobody is called {}", only.join(" or "))));
    }
    let deployment = Deployment::start().await?;
    let mut wrong = Vec::new();
    if !verifiers.is_empty() {
        wrong.extend(show_tokens(&deployment, &verifiers).await?);
    }
    if !sites.is_empty() {
        wrong.extend(log_in(&deployment, &sites).await?);
    }
    Ok(wrong)
}

/// Verifier × token.
async fn show_tokens(deployment: &Deployment, verifiers: &[&Party]) -> Result<Vec<String>> {
    let tokens = tokens::gather(deployment).await?;
    let mut table = Table::new(tokens.all.iter().map(|given| given.name));
    let mut wrong = Vec::new();
    for party in verifiers {
        table.begin(party.name, &script::version(party.name, party.script)?);
        let answer = verifiers::ask(deployment, party, &tokens).await?;
        for given in &tokens.all {
            let told = answer.get(given.name).cloned().unwrap_or_default();
            let fault = verifiers::fault(party, given, &tokens.subject, &told);
            table.cell(match (&fault, told.get("sub")) {
                (Some(_), _) => "FAILS",
                (None, Some(_)) => "believed",
                (None, None) => "refused",
            });
            wrong.extend(fault.map(|fault| format!("{}, {}: {fault}", party.name, given.name)));
        }
    }
    println!("\n");
    Ok(wrong)
}

/// Site × step.
async fn log_in(deployment: &Deployment, sites: &[&Site]) -> Result<Vec<String>> {
    let mut table = Table::new(STEPS.into_iter());
    let mut wrong = Vec::new();
    for site in sites {
        table.begin(site.name, &script::version(site.library(), site.script)?);
        for (step, outcome) in STEPS.iter().zip(sites::go_through(deployment, site).await) {
            table.cell(match &outcome {
                None => "-",
                Some(Ok(())) => "ok",
                Some(Err(_)) => "FAILS",
            });
            if let Some(Err(failure)) = outcome {
                wrong.push(format!("{}, {step}: {failure}", site.name));
            }
        }
    }
    println!("\n");
    Ok(wrong)
}

/// A table that is printed while it is made.
struct Table {
    widths: Vec<usize>,
    column: usize,
}

impl Table {
    fn new(columns: impl Iterator<Item = &'static str>) -> Self {
        let mut table = Self { widths: Vec::new(), column: 0 };
        print!("{:50}", "");
        for name in columns {
            let width = name.len().max(8) + 2;
            print!("{name:width$}");
            table.widths.push(width);
        }
        table
    }

    fn begin(&mut self, name: &str, version: &str) {
        self.column = 0;
        print!("\n{name:29}{version:21}");
    }

    fn cell(&mut self, text: &str) {
        let width = self.widths.get(self.column).copied().unwrap_or_default();
        self.column += 1;
        print!("{text:width$}");
        // A row takes seconds; whoever waits sees where it is.
        let _ = std::io::stdout().flush();
    }
}
