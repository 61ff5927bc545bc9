//! The scripts: how they are started, and at which version the libraries are.

use std::{
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
    for name in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env_remove(name);
    }
    command.env("NODE_NO_WARNINGS", "1").env("PYTHONDONTWRITEBYTECODE", "1");
    for name in ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"] {
        command.env(name, deployment.authority());
    }
    command.arg(path).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    Ok(command)
}

/// Apache's module, the one library that is a package of the system. `make` installs none of those.
const APACHE: (&str, &str) = ("mod_auth_openidc", "libapache2-mod-auth-openidc");

/// What has to be installed first, if a library is not there.
pub fn missing(library: &str) -> Option<String> {
    (library == APACHE.0 && debian_version(APACHE.1).is_none()).then(|| {
        format!("On Debian and Ubuntu: apt-get install --no-install-recommends {} apache2-bin", APACHE.1)
    })
}

fn debian_version(package: &str) -> Option<String> {
    let mut command = std::process::Command::new("dpkg-query");
    let output =
        command.args(["--show", "--showformat", "${db:Status-Status} ${Version}", package]).output().ok()?;
    String::from_utf8_lossy(&output.stdout).strip_prefix("installed ").map(str::to_owned)
}

/// The version of a library that a script uses, as it is pinned.
pub fn version(library: &str, script: &str) -> Result<String> {
    if library == APACHE.0 {
        return debian_version(APACHE.1).ok_or_else(|| Failure::new(format!("{library} is not installed")));
    }
    let pinned = |file: &str| std::fs::read_to_string(of_the_project(file));
    let version = if is_python(script) {
        let requirements = pinned("requirements.txt")?;
        requirements
            .lines()
            .find_map(|line| line.strip_prefix(library)?.strip_prefix("==").map(str::to_owned))
    } else {
        let package: Value = serde_json::from_str(&pinned("package.json")?)?;
        package.get("dependencies").and_then(|pins| pins.get(library)?.as_str().map(str::to_owned))
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
