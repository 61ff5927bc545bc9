//! `make relying-parties`: libraries that others wrote, unmodified, against the running login over HTTPS.
//!
//! A relying party is a script in `verifiers/` that uses a library as its own documentation says. It is told the issuer and
//! finds the rest by itself. What came of it is printed as relying party × token; the run fails if anybody believes what is
//! forged, or does not believe what is not.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it speaks to the person who started it")]

mod deployment;
mod tokens;

use std::{
    env,
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
};

use harness::{Failure, Result, binaries::workspace};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt as _, process::Command};

use deployment::Deployment;
use tokens::{Given, Tokens};

const HELP: &str = "Usage: relying-parties [--only NAME]...
Shows our tokens, and forged ones, to libraries that others wrote.
  --only NAME  relying parties whose name contains this; may be repeated";

/// A library, and the script that uses it.
struct Party {
    name: &'static str,
    script: &'static str,
    /// Whether it takes nothing but what RFC 9068 calls an access token: no `typ` of `JWT`.
    wants_access_tokens: bool,
}

/// Who verifies tokens.
const VERIFIERS: [Party; 6] = [
    Party { name: "jose", script: "with-jose.mjs", wants_access_tokens: false },
    Party { name: "aws-jwt-verify", script: "with-aws-jwt-verify.mjs", wants_access_tokens: false },
    Party { name: "oauth4webapi", script: "with-oauth4webapi.mjs", wants_access_tokens: true },
    Party { name: "PyJWT", script: "with_pyjwt.py", wants_access_tokens: false },
    Party { name: "joserfc", script: "with_joserfc.py", wants_access_tokens: false },
    Party { name: "Authlib", script: "with_authlib.py", wants_access_tokens: true },
];

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
    let is_wanted =
        |party: &&Party| only.is_empty() || only.iter().any(|name| party.name.contains(name.as_str()));
    let wanted: Vec<_> = VERIFIERS.iter().filter(is_wanted).collect();
    if wanted.is_empty() {
        return Err(Failure::new(format!("nobody is called {}", only.join(" or "))));
    }
    let deployment = Deployment::start().await?;
    let tokens = tokens::gather(&deployment).await?;
    let columns: Vec<_> =
        tokens.all.iter().map(|given| (given.name, given.name.len().max("believed".len()) + 2)).collect();
    print!("{:18}", "");
    for (name, width) in &columns {
        print!("{name:width$}");
    }
    println!();
    let mut wrong = Vec::new();
    for party in wanted {
        let answer = ask(&deployment, party, &tokens).await?;
        print!("{:18}", party.name);
        for (given, (_, width)) in tokens.all.iter().zip(&columns) {
            let told = answer.get(given.name).cloned().unwrap_or_default();
            let fault = fault(party, given, &tokens.subject, &told);
            let word = if told.get("sub").is_some() { "believed" } else { "refused" };
            print!("{:width$}", if fault.is_some() { "FAILS" } else { word });
            wrong.extend(fault.map(|fault| format!("{}, {}: {fault}", party.name, given.name)));
        }
        println!();
    }
    Ok(wrong)
}

/// What is wrong with what a relying party made of a token, if anything is.
fn fault(party: &Party, given: &Given, subject: &str, told: &Value) -> Option<String> {
    let is_good = given.is_good && (given.is_access_token || !party.wants_access_tokens);
    match (told.get("sub"), told.get("refused")) {
        (Some(sub), _) if is_good && sub == subject => None,
        (None, Some(refused)) if !is_good && refused.is_string() => None,
        _ => Some(format!(
            "it should be {}, and the answer was {told}",
            if is_good { "believed" } else { "refused" }
        )),
    }
}

/// What a relying party makes of the tokens, by their names.
#[expect(
    clippy::disallowed_methods,
    reason = "a program of others runs in this one's environment, but for its proxies"
)]
async fn ask(deployment: &Deployment, party: &Party, tokens: &Tokens) -> Result<Value> {
    let directory = workspace().join("tests/relying-parties/verifiers");
    let mut command = if Path::new(party.script).extension().is_some_and(|kind| kind == "py") {
        Command::new(python()?)
    } else {
        Command::new("node")
    };
    let proxies = env::vars_os().filter(|(name, _)| !name.to_string_lossy().to_lowercase().contains("proxy"));
    command.env_clear().envs(proxies).env("NODE_NO_WARNINGS", "1");
    for name in ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"] {
        command.env(name, deployment.authority());
    }
    command.arg(directory.join(party.script)).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let started = command.spawn().map_err(|error| Failure::from(error).during(party.script));
    let mut child = started?;
    let named = tokens.all.iter().map(|given| (given.name.to_owned(), given.token.clone().into()));
    let asked = json!({
        "issuer": deployment.issuer(),
        "audience": tokens::API,
        "tokens": named.collect::<serde_json::Map<_, _>>(),
    });
    if let Some(mut input) = child.stdin.take() {
        input.write_all(asked.to_string().as_bytes()).await?;
    }
    let output = child.wait_with_output().await?;
    serde_json::from_slice(&output.stdout).map_err(|error| Failure::from(error).during(party.script))
}

/// The Python that `make` installed the libraries for.
fn python() -> Result<PathBuf> {
    let python = workspace().join(".venv-relying-parties/bin/python");
    if python.exists() {
        Ok(python)
    } else {
        Err(Failure::new("`make relying-parties` installs what is missing"))
    }
}
