//! The commands of the repository that are no program of Rust: a script, and recipes of the Makefile.

#![expect(clippy::unwrap_used, reason = "the helpers of these tests fail as the tests do")]

mod deployment;

use std::{
    fs,
    process::{Command, Output},
};

use ::doctor::finding::Severity;
use harness::binaries::workspace;
use serde_json::json;

/// What a shell makes of these words, in this folder.
fn shell(script: &str, words: &[&str], folder: &std::path::Path) -> Output {
    let mut command = Command::new("bash");
    command.arg("-c").arg(script).arg("bash").args(words).current_dir(folder).env("LC_ALL", "C");
    command.output().unwrap()
}

/// Whoever runs `make doctor` in a script goes on if nothing is wrong; an answer that is none is told from a bad one.
#[test]
fn the_doctor_s_script_ends_as_the_answer_says() {
    let script = workspace().join("doctor.sh");
    let run = |options: &str, answer: &str| {
        // In place of what invokes the function: it has the answer, and is handed the event.
        let invoker = r#"printf '%s' "$1" >event; printf '%s' "$0""#;
        let folder = tempfile::tempdir().unwrap();
        let line = format!("\"$1\" {options} --invoker bash -c \"$2\" \"$3\"");
        let output = shell(&line, &[script.to_str().unwrap(), invoker, answer], folder.path());
        let event = fs::read_to_string(folder.path().join("event")).unwrap_or_default();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), event)
    };
    for (severity, expected) in [(Severity::Ok, 0), (Severity::Note, 0), (Severity::Wrong, 1)] {
        let page = "a \"page\"\nin two lines";
        let answer = json!({ "text": page, "worst": severity.as_str() }).to_string();
        let (code, said, event) = run("--language en", &answer);
        assert_eq!((code, &*said), (Some(expected), &*format!("{page}\n")), "{answer}");
        assert_eq!(event, r#"{"as":"text","language":"en"}"#);
        let answer = json!({ "findings": [], "worst": severity.as_str() }).to_string();
        let (code, said, event) = run("--json", &answer);
        assert_eq!((code, said, &*event), (Some(expected), format!("{answer}\n"), "{}"), "{answer}");
    }
    for answer in ["", "{}", r#"{"errorMessage":"x"}"#, r#"{"text":"x","worst":"fine"}"#] {
        assert_eq!(run("", answer).0, Some(2), "{answer}");
    }
}

/// What pip installed names its folder: an environment that came along with a checkout is made anew, wherever it is.
#[test]
fn an_environment_of_another_folder_is_made_anew() {
    let makefile = fs::read_to_string(workspace().join("Makefile")).unwrap();
    let rules = makefile.lines().filter_map(|line| line.split_once("/installed: "));
    let rules: Vec<_> = rules.filter(|(folder, _)| folder.starts_with(".venv")).collect();
    assert!(rules.len() > 5, "{rules:?}");
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().canonicalize().unwrap();
    fs::write(here.join("Makefile"), &makefile).unwrap();
    for (environment, requirements) in &rules {
        for path in [here.join(environment), here.join(requirements).parent().unwrap().to_owned()] {
            fs::create_dir_all(path).unwrap();
        }
        fs::write(here.join(requirements), "").unwrap();
    }
    // Before the stamp said so, and where the checkout was copied from; then the folder itself.
    let own = format!("{}\n", here.display());
    for (stamp, is_good) in [("", false), ("/home/lin/login\n", false), (&own, true)] {
        for (environment, _) in &rules {
            let target = format!("{environment}/installed");
            fs::write(here.join(&target), stamp).unwrap();
            let output = shell("exec make --question --no-print-directory \"$@\"", &[&target], &here);
            assert_eq!(output.status.code(), Some(i32::from(!is_good)), "{target} of {stamp:?}");
        }
    }
}

/// What `make sam-build` would run with these settings.
fn recipe(settings: &[&str]) -> String {
    let output = shell("exec make --dry-run --no-print-directory sam-build \"$@\"", settings, workspace());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What lies in `.aws-sam/build` is deployed, and with one function alone the others would have no executable.
#[test]
fn one_function_is_not_built_where_a_deployment_looks() {
    for settings in [&["FUNCTION=SiteFunction"][..], &["FUNCTION=SiteFunction", "ARCHITECTURE=x86_64"]] {
        let recipe = recipe(settings);
        assert!(recipe.contains("sam build SiteFunction --build-dir target/sam"), "{recipe}");
        assert!(!recipe.contains(".aws-sam"), "{recipe}");
    }
    let whole = recipe(&["ARCHITECTURE=x86_64"]);
    assert!(!whole.contains("--build-dir") && whole.contains("cd .aws-sam/build"), "{whole}");
}

/// A plain `sam deploy` has the default of the template that was built.
#[test]
fn what_was_built_for_intel_says_so() {
    // As it is written, and as `sam build` writes it.
    let source = fs::read_to_string(workspace().join("template.yaml")).unwrap();
    let flow = "    AllowedValues: [arm64, x86_64]\n";
    assert!(source.contains(flow));
    let built = source.replace(flow, "    AllowedValues:\n    - arm64\n    - x86_64\n");
    for text in [source, built] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".aws-sam/build");
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("template.yaml"), &text).unwrap();
        let recipe = recipe(&["ARCHITECTURE=x86_64"]);
        let (_, own) = recipe.split_once("cd .aws-sam/build").unwrap();
        let script = format!("if true; then cd .aws-sam/build{own}");
        let output = shell(&script, &[], folder.path());
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        let changed = fs::read_to_string(path.join("template.yaml")).unwrap();
        assert_eq!(changed, text.replace("    Default: arm64\n", "    Default: x86_64\n"));
        assert_ne!(changed, text);
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
    }
}
