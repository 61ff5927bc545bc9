//! `--check`: every file of `events/` through `cargo lambda invoke`.

use std::path::Path;

use harness::{Failure, Result, binaries::workspace, events::Event};
use tokio::process::Command;

/// A wrong answer is shown up to here; pages are long.
const LONGEST_REASON: usize = 300;

/// Invokes the running functions with every event and prints a line for each.
///
/// The failure, if there is one, comes after the last line.
pub async fn check(cargo_lambda: &Path, port: u16) -> Result<()> {
    let events = Event::all()?;
    let mut wrong = 0;
    for event in &events {
        match invoke(cargo_lambda, port, event).await {
            Ok(status) => println!("  {status}  {}", event.name),
            Err(failure) => {
                wrong += 1;
                let reason: String = failure.to_string().chars().take(LONGEST_REASON).collect();
                println!("  !!!  {}: {reason}", event.name);
            }
        }
    }
    let count = events.len();
    match (count, wrong) {
        (0, _) => Err(Failure::new("events/ 里没有文件。\nthere is no file in events/")),
        (_, 0) => {
            println!("{count} 个请求，响应都符合预期 · {count} events, all answered as their names promise");
            Ok(())
        }
        _ => Err(Failure::new(format!(
            "{count} 个请求中有 {wrong} 个的响应不符合预期。\n{wrong} of {count} events were answered wrongly"
        ))),
    }
}

async fn invoke(cargo_lambda: &Path, port: u16, event: &Event) -> Result<u16> {
    let output = Command::new(cargo_lambda)
        .args(["lambda", "invoke", event.function, "--invoke-address", "127.0.0.1"])
        .args(["--invoke-port", &port.to_string(), "--data-file"])
        .arg(&event.path)
        .current_dir(workspace())
        .kill_on_drop(true)
        .output()
        .await?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Failure::new(message));
    }
    let answer = serde_json::from_slice(&output.stdout).map_err(|error| {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Failure::from(error).during(text)
    })?;
    event.check(&answer)
}
