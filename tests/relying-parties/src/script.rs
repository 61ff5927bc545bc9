//! The scripts: how they are started, and at which version the libraries are.

use std::{
    env,
    path::{Path, PathBuf},
    process::Stdio,
};

use harness::{Failure, Result, binaries::workspace};
use serde_json::Value;
use tokio::process::Command;

use crate::deployment::Deployment;

/// What starts a script, which trusts this deployment's certificate and nobody else's.
pub fn command(deployment: &Deployment, directory: &str, script: &str) -> Result<Command> {
    let path = of_the_project(directory).join(script);
    let mut command = if is_python(script) { Command::new(python()?) } else { Command::new("node") };
    let proxies = env::vars_os().filter(|(name, _)| !name.to_string_lossy().to_lowercase().contains("proxy"));
    command.env_clear().envs(proxies).env("NODE_NO_WARNINGS", "1").env("PYTHONDONTWRITEBYTECODE", "1");
    for name in ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"] {
        command.env(name, deployment.authority());
    }
    command.arg(path).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    Ok(command)
}

/// The version of a library that a script uses, as it is pinned.
pub fn version(library: &str, script: &str) -> Result<String> {
    let pinned = |file: &str| std::fs::read_to_string(of_the_project(file));
    let version = if is_python(script) {
        let requirements = pinned("requirements.txt")?;
        requirements
            .lines()
            .find_map(|line| line.strip_prefix(library)?.strip_prefix("==").map(str::to_owned))
    } else {
        let package: Value = serde_json::from_str(&pinned("package.json")?)?;
        package["dependencies"][library].as_str().map(str::to_owned)
    };
    version.ok_or_else(|| Failure::new(format!("{library} is not pinned")))
}

fn of_the_project(path: &str) -> PathBuf {
    workspace().join("tests/relying-parties").join(path)
}

fn is_python(script: &str) -> bool {
    Path::new(script).extension().is_some_and(|kind| kind == "py")
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
