//! Every outcome there is, and what the documentation says of it. The tables of outcomes are the code's own
//! (`reference`); that the pages repeat them is tested there.

use std::{collections::BTreeSet, fs};

use harness::{Result, binaries::workspace};
pub use web::outcome::Level;

/// The functions, by name.
pub fn functions() -> Vec<&'static str> {
    reference::outcomes().into_iter().map(|(function, _)| function).collect()
}

/// What a function may log.
pub fn of(function: &str) -> Vec<(&'static str, Level)> {
    let own = reference::outcomes().into_iter().filter(|(name, _)| *name == function);
    let own = own.flat_map(|(_, outcomes)| outcomes);
    own.chain(lambda::OUTCOMES.iter().copied()).map(|outcome| (outcome.name, outcome.level)).collect()
}

/// A page of the documentation, in English and in Chinese.
fn pages(name: &str) -> Result<[(String, String); 2]> {
    let page = |folder: &str| {
        let path = workspace().join("docs").join(folder).join("reference").join(name);
        Ok::<_, harness::Failure>((path.display().to_string(), fs::read_to_string(path)?))
    };
    Ok([page("en")?, page("zh-CN")?])
}

#[test]
fn an_outcome_is_declared_only_to_be_used() {
    for (function, outcomes) in reference::outcomes() {
        let mut sources = String::new();
        for folder in [format!("functions/{function}/src"), "shared/web/src".to_owned()] {
            let paths = fs::read_dir(workspace().join(folder)).unwrap().map(|entry| entry.unwrap().path());
            for path in paths.filter(|path| path.is_file()) {
                sources += &fs::read_to_string(path).unwrap();
            }
        }
        for outcome in outcomes {
            // `NAME = Info "name"` is where it is declared.
            let name = format!("\"{}\" [", outcome.name);
            let declared = sources.lines().find(|line| line.contains(&name) && line.starts_with("    "));
            let constant = declared.and_then(|line| line.trim().split(" = ").next());
            let constant = constant.unwrap_or_else(|| unreachable!("{} is not declared", outcome.name));
            let uses = sources.matches(constant).count();
            assert!(uses > 1, "{function} never ends as {constant}");
        }
    }
    assert!(functions().into_iter().flat_map(of).map(|(name, _)| name).collect::<BTreeSet<_>>().len() > 40);
}

#[test]
fn both_languages_name_every_field_of_the_log() {
    for (path, page) in pages("logs.md").unwrap() {
        for field in super::FIELDS {
            assert!(page.contains(&format!("`{field}`")), "{path} says nothing of {field}");
        }
    }
}

#[test]
fn every_query_of_the_documentation_asks_for_what_is_logged() {
    let everything: BTreeSet<_> = functions().into_iter().flat_map(of).map(|(name, _)| name).collect();
    for (path, page) in pages("logs.md").unwrap() {
        let queries: Vec<_> =
            page.split("```text\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert_eq!(queries.len(), 7, "{path}");
        for query in queries {
            let (mut words, mut texts) = (query.to_owned(), Vec::new());
            while let Some((before, (text, after))) =
                words.split_once('"').and_then(|(before, rest)| Some((before, rest.split_once('"')?)))
            {
                texts.push(text.to_owned());
                words = format!("{before}{after}");
            }
            for word in words.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_') {
                // The query language, its field of the time, what AWS's access log calls its own, and our names.
                let known = "filter fields sort stats limit count as by bin 1h in not and or desc ispresent latest \
                             timestamp functionRequestId routeKey requests example 20";
                let is_known = word.is_empty() || known.split_whitespace().any(|known| known == word);
                assert!(is_known || super::FIELDS.contains(&word), "{path}: {word} in {query}");
            }
            for text in texts {
                let is_known = everything.contains(text.as_str())
                    || functions().contains(&text.as_str())
                    || ["request", "ERROR", "8f5e6a0c-0000-4000-8000-000000000000"].contains(&text.as_str());
                assert!(is_known, "{path}: {text} in {query}");
            }
        }
    }
}
