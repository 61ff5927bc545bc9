//! The development pages of the documentation name the test that holds each guard and each fault. Those tests
//! exist.

use std::{collections::BTreeSet, fs};

use harness::{Result, binaries::workspace};

/// The tests that a page names, as `file::function`, between backticks.
fn named(page: &str) -> Result<BTreeSet<String>> {
    let text = fs::read_to_string(workspace().join("docs/development").join(page))?;
    let codes = text.split('`').skip(1).step_by(2);
    Ok(codes.filter(|code| code.contains(".rs::")).map(str::to_owned).collect())
}

#[test]
fn every_test_that_the_documentation_names_exists() {
    let tests = &named("tests.md").unwrap() | &named("battery.md").unwrap();
    assert!(tests.len() > 80, "{}", tests.len());
    for test in tests {
        let (path, function) = test.split_once("::").unwrap();
        let function = function.rsplit("::").next().unwrap();
        let folder = if path.starts_with("shared/") || path.starts_with("tests/") { "" } else { "tests/it" };
        let source = fs::read_to_string(workspace().join(folder).join(path));
        let source = source.unwrap_or_else(|error| panic!("{test}: {error}"));
        let is_test = source.split("#[").any(|item| {
            (item.starts_with("test]") || item.starts_with("tokio::test"))
                && item.contains(&format!("fn {function}("))
        });
        assert!(is_test, "there is no test {test}");
    }
}
