//! The binaries of the functions, built once per process of the tests.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use serde_json::Value;

pub use template::workspace::{variable, workspace};

use crate::{Failure, Result, template::Template};

/// Where the executables of the functions are.
#[derive(Clone, Debug)]
pub struct Binaries(BTreeMap<String, PathBuf>);

impl Binaries {
    /// The executables of the functions that `template.yaml` deploys; a failure to compile is in the words of
    /// the compiler.
    ///
    /// Builds them with the profile that this process was built with, unless the environment
    /// variable `FUNCTIONS_BIN_DIR` names a directory where they are ready. The answer of the first
    /// call is kept.
    pub async fn build() -> Result<&'static Self> {
        static BUILT: OnceLock<Result<Binaries, String>> = OnceLock::new();
        let built = tokio::task::spawn_blocking(|| {
            BUILT.get_or_init(|| {
                let found = match variable("FUNCTIONS_BIN_DIR") {
                    Some(directory) => Self::in_directory(Path::new(&directory)),
                    None => Self::compile(),
                };
                found.map_err(|failure| failure.to_string())
            })
        });
        built.await?.as_ref().map_err(Failure::new)
    }

    /// Executables that exist already, by their file names.
    pub fn in_directory(directory: &Path) -> Result<Self> {
        let entries =
            directory.read_dir().map_err(|error| Failure::from(error).during(directory.display()))?;
        let mut binaries = BTreeMap::new();
        for entry in entries {
            let path = entry?.path();
            if let Some(name) = path.file_name().and_then(|name| name.to_str())
                && path.is_file()
            {
                binaries.insert(name.to_owned(), path.clone());
            }
        }
        Ok(Self(binaries))
    }

    fn compile() -> Result<Self> {
        let output = build_functions()?
            .args(["--message-format", "json-render-diagnostics"])
            .args(["--profile", &profile()?])
            .output()
            .map_err(|error| Failure::from(error).during("cargo build"))?;
        if !output.status.success() {
            let diagnostics = String::from_utf8_lossy(&output.stderr);
            return Err(Failure::new(format!("cargo build failed:\n{diagnostics}")));
        }
        let messages = String::from_utf8_lossy(&output.stdout);
        let executables = messages.lines().filter_map(|line| {
            let message: Value = serde_json::from_str(line).ok()?;
            let name = message["target"]["name"].as_str()?.to_owned();
            Some((name, message["executable"].as_str()?.into()))
        });
        Ok(Self(executables.collect()))
    }

    /// The executable of a function.
    pub fn path(&self, name: &str) -> Result<&Path> {
        self.0.get(name).map(PathBuf::as_path).ok_or_else(|| {
            let names: Vec<_> = self.0.keys().map(String::as_str).collect();
            Failure::new(format!("no binary {name} among {}", names.join(", ")))
        })
    }
}

/// Cargo, in the workspace, as if no other Cargo had started this process.
///
/// What `cargo run` and `cargo test` tell a process about its package would make build scripts
/// that watch those variables (ring's does) run again, and half the workspace compile twice.
pub fn cargo() -> Command {
    let program = variable("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(workspace());
    for name in package_variables() {
        command.env_remove(name);
    }
    command
}

/// Cargo, about to build the functions that `template.yaml` deploys.
///
/// The whole workspace is selected and its binaries are named, as `cargo lambda watch` does it: what is selected
/// decides the features of the dependencies, and another selection would compile all of them once more.
///
/// # Errors
///
/// When the template cannot be read.
pub fn build_functions() -> Result<Command> {
    let mut command = cargo();
    command.arg("build");
    for function in Template::of_the_project()?.function_names() {
        command.args(["--bin", &function]);
    }
    Ok(command)
}

/// The variables of this process's environment that describe its own package.
#[expect(clippy::disallowed_methods, reason = "the environment that Cargo makes is what this is about")]
pub fn package_variables() -> Vec<OsString> {
    env::vars_os()
        .map(|(name, _)| name)
        .filter(|name| {
            let name = name.to_string_lossy();
            ["CARGO_PKG_", "CARGO_BIN_", "CARGO_MANIFEST_"].iter().any(|prefix| name.starts_with(prefix))
                || ["CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "CARGO_TARGET_TMPDIR", "OUT_DIR"]
                    .contains(&&*name)
        })
        .collect()
}

/// The name of the profile that this process was built with.
fn profile() -> Result<String> {
    let executable = env::current_exe()?;
    let directory = executable
        .ancestors()
        .skip(1)
        .find(|directory| directory.file_name().is_some_and(|name| name != "deps" && name != "examples"));
    match directory.and_then(Path::file_name).and_then(|name| name.to_str()) {
        Some("debug") => Ok("dev".to_owned()),
        Some(profile) => Ok(profile.to_owned()),
        None => Err(Failure::new(format!("no profile in {}", executable.display()))),
    }
}

/// A program on `PATH`.
pub fn search(program: &str) -> Option<PathBuf> {
    let path = variable("PATH")?;
    env::split_paths(&path).map(|directory| directory.join(program)).find(|candidate| candidate.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `make run` does not read the template for its routes, but the manifest of the workspace.
    #[test]
    fn cargo_lambda_leads_every_route_to_the_same_function() {
        let metadata = cargo().args(["metadata", "--no-deps", "--format-version", "1"]).output().unwrap();
        let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
        let watched = metadata["metadata"]["lambda"]["watch"]["router"].as_object().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mut led: Vec<_> = watched
            .iter()
            .flat_map(|(path, all)| all.as_array().unwrap().iter().map(move |one| (path, one)))
            .map(|(path, one)| (path.clone(), text(&one["method"]), text(&one["function"])))
            .collect();
        let routes = Template::of_the_project().unwrap().routes().into_iter();
        let mut routes: Vec<_> = routes.map(|route| (route.path, route.method, route.binary)).collect();
        led.sort();
        routes.sort();
        assert_eq!(led, routes);
    }
}
