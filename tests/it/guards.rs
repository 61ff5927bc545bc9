//! The development pages of the documentation name the test that holds each guard and each fault: those tests exist.
//! They name every folder too, and what each function uses.

#![expect(clippy::panic, clippy::unwrap_used, reason = "the helpers of these tests fail as the tests do")]

use std::{collections::BTreeSet, fs};

use harness::{Result, binaries::workspace, template::Template};

/// The tests that a page names, as `file::function`, between backticks.
fn named(page: &str) -> Result<BTreeSet<String>> {
    let text = fs::read_to_string(workspace().join("docs/development").join(page))?;
    let codes = text.split('`').skip(1).step_by(2);
    Ok(codes.filter(|code| code.contains(".rs::")).map(str::to_owned).collect())
}

/// The rows of the table with this heading on the page on the architecture, their cells without backticks.
fn rows(heading: &str) -> Vec<Vec<String>> {
    let page = fs::read_to_string(workspace().join("docs/development/architecture.md")).unwrap();
    let (_, table) =
        page.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no table {heading}"));
    let lines = table.lines().take_while(|line| line.starts_with('|')).skip(1);
    let cells =
        |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect();
    lines.map(cells).collect()
}

/// The packages of a folder, or whatever has a folder there.
fn folders(parent: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(workspace().join(parent)).unwrap().map(|entry| entry.unwrap().path());
    let folders = entries.filter(|path| path.is_dir());
    folders.map(|path| format!("{parent}/{}", path.file_name().unwrap().to_str().unwrap())).collect()
}

#[test]
fn the_architecture_names_every_folder() {
    let named =
        |heading: &str| -> BTreeSet<String> { rows(heading).into_iter().map(|row| row[0].clone()).collect() };
    // The doctor answers no request, and is described below that table.
    let functions = named("| Folder | Does | May touch |");
    let doctor = BTreeSet::from(["functions/doctor".to_owned()]);
    assert_eq!(&functions | &doctor, folders("functions"));
    assert_eq!(named("| Crate | Content | Touches |"), folders("shared"));
    let tests = named("| Folder | Content | Touches |");
    assert_eq!(tests, &folders("tests") | &BTreeSet::from(["events".to_owned()]));
}

/// What a function uses of ours: the ticks of the table are its manifest's.
#[test]
fn the_architecture_ticks_what_the_manifests_name() {
    let crates = ["login", "web", "store", "wechat", "wechat-api", "secrets", "openid-connect", "signer"];
    let heading = format!("| | `{}` |", crates.join("` | `"));
    let mut seen = BTreeSet::new();
    for row in rows(&heading) {
        let ticked: Vec<_> = crates.iter().zip(&row[1..]).filter(|(_, tick)| *tick == "✓").collect();
        let ticked: BTreeSet<_> = ticked.into_iter().map(|(name, _)| *name).collect();
        for function in row[0].split(", ") {
            let manifest =
                fs::read_to_string(workspace().join(format!("functions/{function}/Cargo.toml"))).unwrap();
            let (_, own) = manifest.split_once("\n[dependencies]\n").unwrap();
            let own = own.split("\n[").next().unwrap();
            let used =
                crates.iter().filter(|name| own.lines().any(|line| line.starts_with(&format!("{name}."))));
            assert_eq!(ticked, used.copied().collect(), "{function}");
            seen.insert(format!("functions/{function}"));
        }
    }
    assert_eq!(seen, folders("functions"));
}

/// Which alarms anybody can set off is said to whoever runs a deployment, in both languages, and to whoever tests it.
#[test]
fn three_pages_name_the_same_alarms_that_strangers_set_off() {
    let alarms = |page: &str, row: &str| -> BTreeSet<String> {
        let text = fs::read_to_string(workspace().join("docs").join(page)).unwrap();
        let row = text.lines().find(|line| line.starts_with(row)).unwrap_or_else(|| panic!("{page}: {row}"));
        let codes = row.split('`').skip(1).step_by(2);
        codes.filter(|code| code.ends_with("Alarm")).map(str::to_owned).collect()
    };
    let named = alarms("development/tests.md", "| Alarms that strangers can set off");
    assert_eq!(alarms("en/security/guards.md", "| Alarms that strangers can set off"), named);
    assert_eq!(alarms("zh-CN/security/guards.md", "| 陌生人就能触发的告警"), named);
    let template = Template::of_the_project().unwrap();
    let known: BTreeSet<String> = template.resources("AWS::CloudWatch::Alarm").map(|(id, _)| id).collect();
    assert!(named.len() == 7 && named.is_subset(&known), "{named:?}");
}

#[test]
fn every_test_that_the_documentation_names_exists() {
    let pages = ["tests.md", "battery.md", "handoff.md"].map(|page| named(page).unwrap());
    let tests: BTreeSet<_> = pages.into_iter().flatten().collect();
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
