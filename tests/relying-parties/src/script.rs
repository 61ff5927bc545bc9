//! The scripts: how they are started, and at which version the libraries are.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use harness::{Failure, Result, binaries::workspace};
use serde_json::Value;
use tokio::process::Command;

use crate::{deployment::Deployment, sites::A_DOUBLE};

/// What starts a script, which trusts this deployment's certificate and nobody else's.
pub fn command(deployment: &Deployment, directory: &str, script: &str) -> Result<Command> {
    let path = of_the_project(directory).join(script);
    let mut command = match kind(script) {
        Kind::Node => Command::new("node"),
        Kind::Perl => Command::new("perl"),
        Kind::Python => Command::new(python()?),
        Kind::Rust => Command::new(built(script)),
    };
    if kind(script) != Kind::Rust {
        command.arg(path);
    }
    for name in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env_remove(name);
    }
    command.env("NODE_NO_WARNINGS", "1").env("PYTHONDONTWRITEBYTECODE", "1");
    // What it leaves behind when it is killed goes with the deployment.
    command.env("TMPDIR", deployment.directory());
    for name in ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"] {
        command.env(name, deployment.authority());
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    Ok(command)
}

/// What a script is written in.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    Node,
    Perl,
    Python,
    Rust,
}

fn kind(script: &str) -> Kind {
    match Path::new(script).extension().and_then(|kind| kind.to_str()) {
        Some("pl") => Kind::Perl,
        Some("py") => Kind::Python,
        Some("rs") => Kind::Rust,
        _ => Kind::Node,
    }
}

/// The libraries that are packages of the system, which `make` does not install: how Debian calls them, and what more
/// is installed with them.
const OF_THE_SYSTEM: [(&str, &str, &str); 2] = [
    ("mod_auth_openidc", "libapache2-mod-auth-openidc", "apache2-bin"),
    ("lemonldap-ng", "liblemonldap-ng-portal-perl", "libgd-securityimage-perl libimage-magick-perl"),
];

/// What has to be installed or built first, if a library is not there.
pub fn missing(library: &str, script: &str) -> Option<String> {
    if let Some((_, package, more)) = OF_THE_SYSTEM.iter().find(|(name, ..)| *name == library) {
        let way = format!("On Debian and Ubuntu: apt-get install --no-install-recommends {package} {more}");
        return debian_version(package).is_none().then_some(way);
    }
    let is_there = kind(script) != Kind::Rust || built(script).exists();
    (!is_there).then(|| format!("`make relying-parties ONLY={library}` builds it."))
}

fn debian_version(package: &str) -> Option<String> {
    let mut command = std::process::Command::new("dpkg-query");
    let output =
        command.args(["--show", "--showformat", "${db:Status-Status} ${Version}", package]).output().ok()?;
    String::from_utf8_lossy(&output.stdout).strip_prefix("installed ").map(str::to_owned)
}

/// The version of a library that a script uses, as it is pinned; a double has none.
pub fn version(library: &str, script: &str) -> Result<String> {
    if library.starts_with(A_DOUBLE) {
        return Ok(String::new());
    }
    if let Some((_, package, _)) = OF_THE_SYSTEM.iter().find(|(name, ..)| *name == library) {
        return debian_version(package).ok_or_else(|| Failure::new(format!("{library} is not installed")));
    }
    let pinned = |file: &str| std::fs::read_to_string(of_the_project(file));
    // `{library}=={version}` of pip, `{library} = { version = "={version}"` of Cargo.
    let after = |pins: &str, between: &str| {
        pins.lines().find_map(|line| {
            let version = line.strip_prefix(library)?.strip_prefix(between)?;
            version.split('"').next().map(str::to_owned)
        })
    };
    let version = match kind(script) {
        Kind::Python => after(&pinned("requirements.txt")?, "=="),
        Kind::Rust => after(&pinned("rust/Cargo.toml")?, " = { version = \"="),
        Kind::Perl => None,
        Kind::Node => {
            let package: Value = serde_json::from_str(&pinned("package.json")?)?;
            package.get("dependencies").and_then(|pins| pins.get(library)?.as_str().map(str::to_owned))
        }
    };
    version.ok_or_else(|| Failure::new(format!("{library} is not pinned")))
}

fn of_the_project(path: &str) -> PathBuf {
    workspace().join("tests/relying-parties").join(path)
}

/// Where Cargo leaves what it makes of a script in Rust, which is none of the workspace.
fn built(script: &str) -> PathBuf {
    workspace().join("target/relying-parties/debug").join(script).with_extension("")
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
