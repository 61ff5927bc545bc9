//! B7: WeChat says everything it has ever been seen to say, and everything it might.
//!
//! A script (`wechat/scripts.rs`) is one thing that WeChat says at one endpoint: an errcode, a body
//! (`wechat/bodies.rs`), a connection that breaks. Each is tried in every scope that asks that endpoint, at
//! the first attempt and at the automatic fresh one, with and without a session of before, once and with a
//! duplicate at the same time, once and three times in a row, where WeChat repeats its codes and where it does not
//! (`wechat/visit.rs`). What must follow stands in a table of its own (`wechat/table.rs`).

mod bodies;
mod login;
mod question;
mod scripts;
mod seen;
mod table;
mod variation;
mod visit;

use std::{cell::RefCell, io};

use harness::{Options, Result};
use simulator::{Settings, Simulator};
use tokio::{net::TcpListener, task::JoinSet};

use crate::row::Run;
use scripts::{Script, Sent};
use variation::Variation;
use visit::Visit;

/// How many stacks of one deployment are visited at a time. Most of a visit is waiting, for WeChat that
/// says nothing and for the pauses before it is asked again.
const WORKERS: usize = 8;

/// How many visits are worth another stack.
const VISITS_WORTH_A_STACK: usize = 15;

/// How often a script is tried.
const VARIATIONS: usize = 20;

/// How many scripts are tried in a sample, once each, beside those in which WeChat is late.
const SAMPLE: usize = 120;

/// How often a visit is made anew because the machine was too busy for it: the functions wait for WeChat as long as
/// they do when deployed.
const MOST_TRIES: usize = 3;

/// One visit to be made.
type Job<'a> = (&'a Script, Variation);

/// B7: every script, in many variations.
pub async fn scripts(run: &Run) -> Result<String> {
    let scripts = scripts::all();
    let jobs = jobs(run, &scripts);
    for deployment in scripts::DEPLOYMENTS {
        let here: Vec<_> = jobs.iter().filter(|(script, _)| script.deployment() == deployment).collect();
        let stacks = WORKERS.min(here.len().div_ceil(VISITS_WORTH_A_STACK));
        // The backup hosts stand until these are dropped.
        let backups = RefCell::new(Vec::new());
        let open = async || {
            let simulator = Simulator::new(Settings::example());
            let mut options = Options::default().simulator(simulator.clone());
            for (name, value) in deployment {
                options = options.with(name, value);
            }
            if deployment == scripts::BACKUP {
                let (backup, serving) = serve(simulator).await?;
                backups.borrow_mut().push(serving);
                options = options.with("WECHAT_API_BACKUP_URL", &backup);
            }
            run.stack(options).await
        };
        run.share(stacks, open, here, async |stack, _, (script, variation)| {
            let mut violations = Vec::new();
            for _ in 0..MOST_TRIES {
                let visit = Visit::new(stack, script, variation);
                visit.make().await;
                violations = visit.violations.take();
                if violations.is_empty() || !visit.is_disturbed.get() {
                    break;
                }
            }
            for violation in violations {
                let Script { name, endpoint, .. } = script;
                run.violated(format!("{name} at {endpoint:?}: {violation}; {variation:?}"));
            }
            Ok(())
        })
        .await?;
    }
    Ok(format!("{} scripts, {} visits", scripts.len(), jobs.len()))
}

/// The visits to be made: each script in every variation, or, in a sample, some scripts in one each.
fn jobs<'a>(run: &Run, scripts: &'a [Script]) -> Vec<Job<'a>> {
    let draw = |number: usize, variation: usize| {
        let mut random = run.random((number * VARIATIONS + variation) as u64);
        let script = scripts.get(number)?;
        Some((script, Variation::draw(script, variation, &mut random)))
    };
    if run.is_full() {
        let all = (0..scripts.len()).flat_map(|number| (0..VARIATIONS).map(move |it| (number, it)));
        return all.filter_map(|(number, variation)| draw(number, variation)).collect();
    }
    let mut random = run.random(u64::MAX);
    let mut chosen: Vec<_> = (0..scripts.len()).collect();
    random.shuffle(&mut chosen);
    let jobs = chosen.into_iter().filter_map(|number| draw(number, random.usize(..VARIATIONS)));
    let (late, others): (Vec<_>, Vec<_>) = jobs.partition(|(script, _)| matches!(script.sent, Sent::Late));
    // Those that take long come first, so that nobody waits for them in the end.
    late.into_iter().chain(others.into_iter().take(SAMPLE)).collect()
}

/// Another host of WeChat's, and what stops it when it is dropped.
async fn serve(simulator: Simulator) -> Result<(String, JoinSet<io::Result<()>>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    let serving = async move { simulator.serve(listener, std::future::pending()).await };
    Ok((address, JoinSet::from_iter([serving])))
}
