//! Where the checkout is that a process belongs to.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    sync::OnceLock,
};

/// The root of the workspace: where Cargo runs this process, or else where it was started. It is not the checkout that
/// this was compiled in: that may have been copied or moved since, and a program that is given to others would name it.
pub fn workspace() -> &'static Path {
    static WORKSPACE: OnceLock<PathBuf> = OnceLock::new();
    WORKSPACE.get_or_init(|| {
        let package = variable("CARGO_MANIFEST_DIR").map(PathBuf::from);
        root_of(package, env::current_dir().ok())
    })
}

/// The root that the package lies in which Cargo runs, or else the directory that the process was started in; where
/// neither does, that directory itself.
fn root_of(package: Option<PathBuf>, current: Option<PathBuf>) -> PathBuf {
    let mut starts = package.into_iter().chain(current);
    starts.find_map(|start| root_above(&start)).unwrap_or_else(|| PathBuf::from("."))
}

/// The nearest directory from here upwards that is the root of such a workspace.
fn root_above(start: &Path) -> Option<PathBuf> {
    let is_root = |directory: &&Path| {
        directory.join("template.yaml").is_file() && directory.join("Cargo.lock").is_file()
    };
    start.ancestors().find(is_root).map(Path::to_path_buf)
}

/// A variable of this process's own environment.
#[expect(
    clippy::disallowed_methods,
    reason = "Cargo and the person who runs the tests speak to the harness by the environment"
)]
pub fn variable(name: &str) -> Option<OsString> {
    env::var_os(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_a_checkout_is_a_workspace_of_its_own() {
        let copy = tempfile::tempdir().unwrap();
        let inside = copy.path().join("tests/local/src");
        std::fs::create_dir_all(&inside).unwrap();
        assert_eq!(root_above(&inside), None);
        for file in ["template.yaml", "Cargo.lock"] {
            std::fs::write(copy.path().join(file), "").unwrap();
        }
        assert_eq!(root_above(&inside).as_deref(), Some(copy.path()));
        // Wherever it was compiled, the process belongs to where it runs.
        let elsewhere = tempfile::tempdir().unwrap();
        let [inside, nowhere] = [inside, elsewhere.path().to_owned()];
        for (package, current) in
            [(Some(&inside), &nowhere), (None, &inside), (Some(&nowhere), &inside), (Some(&inside), &inside)]
        {
            let found = root_of(package.cloned(), Some(current.clone()));
            assert_eq!(found, copy.path(), "{package:?} {current:?}");
        }
        assert_eq!(root_of(None, Some(nowhere)), Path::new("."));
        assert_eq!(root_above(&workspace().join("tests/harness")).as_deref(), Some(workspace()));
    }
}
