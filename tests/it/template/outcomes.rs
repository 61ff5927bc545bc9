//! Every outcome there is. Whoever adds or renames one meets this list, the metric filters and both
//! READMEs.

use std::{collections::BTreeSet, fs};

use harness::{Failure, Result, binaries::workspace};

/// At which level an outcome comes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Level {
    /// All is well, or nobody but the visitor can do anything about it.
    Info,
    /// An operator should look at it.
    Error,
    /// Of level ERROR if WeChat's error code says that something is to be set right.
    Either,
}

use Level::{Either, Error, Info};

/// The outcomes that any function may log.
pub const ANY: [(&str, Level); 5] = [
    ("answered", Info),
    ("deadline", Error),
    ("event_unreadable", Info),
    ("panic", Error),
    ("wrong_configuration", Error),
];

/// The outcomes of each function.
pub const OUTCOMES: [(&str, &[(&str, Level)]); 5] = [
    (
        "authorize",
        &[
            ("invalid_request", Info),
            ("login_begun", Info),
            ("not_a_page", Info),
            ("open_in_wechat", Info),
            ("return_to_refused", Info),
            ("store_unavailable", Error),
        ],
    ),
    (
        "callback",
        &[
            ("code_refused", Info),
            ("code_used_elsewhere", Info),
            ("cookie_missing", Info),
            ("credentials_rotated", Info),
            ("denied", Info),
            ("denied_elsewhere", Info),
            ("exchange_in_doubt", Info),
            ("foreign_browser", Info),
            ("foreign_profile", Error),
            ("invalid_request", Info),
            ("logged_in", Either),
            ("logged_in_elsewhere", Info),
            ("login_expired", Info),
            ("login_unknown", Info),
            ("misconfigured", Error),
            ("not_a_page", Info),
            ("repeated", Info),
            ("secrets_unavailable", Error),
            ("secrets_wrong", Error),
            ("session_gone", Info),
            ("snapshot", Info),
            ("store_unavailable", Error),
            ("unsealable", Error),
            ("user_refused", Info),
            ("wechat_busy", Info),
            ("wechat_unreachable", Info),
            ("winner_failed", Info),
            ("winner_silent", Info),
        ],
    ),
    (
        "logout",
        &[("foreign_origin", Info), ("logged_out", Info), ("preflight", Info), ("store_unavailable", Error)],
    ),
    ("site", &[("error_page", Info), ("home", Info), ("not_found", Info), ("site_verification", Info)]),
    (
        "userinfo",
        &[
            ("erased", Info),
            ("foreign_account", Info),
            ("foreign_origin", Info),
            ("foreign_profile", Error),
            ("grant_gone", Info),
            ("invalid_request", Info),
            ("no_cookie", Info),
            ("no_session", Info),
            ("preflight", Info),
            ("secrets_unavailable", Error),
            ("shown", Info),
            ("shown_stale", Either),
            ("store_unavailable", Error),
            ("unsealable", Error),
            ("unverified", Either),
            ("user_refused", Info),
        ],
    ),
];

/// What a function may log.
pub fn of(function: &str) -> Vec<(&'static str, Level)> {
    let own = OUTCOMES.iter().filter(|(name, _)| *name == function).flat_map(|(_, outcomes)| *outcomes);
    own.copied().chain(ANY).collect()
}

/// The outcomes that the sources of a folder name: what stands where only the name of an outcome can.
fn named_in(folder: &str) -> Result<BTreeSet<String>> {
    const BEFORE: [&str; 3] = ["Outcome::new(", "Outcome::alarm(", "outcome: "];
    const AFTER: [&str; 4] = [", Reason::", ", Page(", ", FreshLogin(", ", Back)"];
    let mut found = BTreeSet::new();
    let mut folders = vec![workspace().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir()? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path)?;
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            let parts: Vec<_> = text.split('"').collect();
            for window in parts.windows(3) {
                let [before, name, after] = window else { continue };
                let is_name =
                    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
                let stands_alone = BEFORE.iter().any(|known| before.ends_with(known));
                let stands_in_a_table =
                    before.ends_with('(') && AFTER.iter().any(|known| after.starts_with(known));
                if is_name && (stands_alone || stands_in_a_table) {
                    found.insert((*name).to_owned());
                }
            }
        }
    }
    Ok(found)
}

/// The lines of a README between the heading of its chapter on logs and the next chapter.
fn chapter_on_logs(readme: &str, heading: &str) -> Result<String> {
    let text = fs::read_to_string(workspace().join(readme))?;
    let chapter = text.split(&format!("\n## {heading}\n")).nth(1);
    let chapter = chapter.and_then(|rest| rest.split("\n## ").next());
    Ok(chapter.ok_or_else(|| Failure::new(format!("{readme} has no chapter {heading}")))?.to_owned())
}

#[test]
fn the_list_is_what_the_sources_name() {
    let shared = named_in("shared/src").unwrap();
    let mut everywhere = shared.clone();
    for (function, outcomes) in OUTCOMES {
        let own = named_in(&format!("functions/{function}/src")).unwrap();
        let listed: BTreeSet<_> = outcomes.iter().map(|(name, _)| (*name).to_owned()).collect();
        let strange: Vec<_> = own.difference(&listed).collect();
        assert!(strange.is_empty(), "{function} has outcomes that are not listed: {strange:?}");
        let gone: Vec<_> =
            listed.iter().filter(|name| !own.contains(*name) && !shared.contains(*name)).collect();
        assert!(gone.is_empty(), "{function} has no such outcomes any more: {gone:?}");
        everywhere.extend(listed);
    }
    let listed: BTreeSet<_> = ANY.iter().map(|(name, _)| (*name).to_owned()).collect();
    let gone: Vec<_> = listed.difference(&shared).collect();
    assert!(gone.is_empty(), "no such outcomes any more: {gone:?}");
    everywhere.extend(listed);
    let all: BTreeSet<_> = ["authorize", "callback", "logout", "site", "userinfo"]
        .into_iter()
        .flat_map(of)
        .map(|(name, _)| name.to_owned())
        .collect();
    assert_eq!(everywhere, all, "what shared/src names is not listed");
    assert!(all.len() > 40, "{} outcomes are too few to have been found", all.len());
}

#[test]
fn both_readmes_name_every_outcome_of_every_function() {
    for (readme, heading) in [("README.md", "Logs"), ("README.zh-CN.md", "日志")] {
        let chapter = chapter_on_logs(readme, heading).unwrap();
        for (function, _) in OUTCOMES {
            for (outcome, _) in of(function) {
                assert!(chapter.contains(&format!("`{outcome}`")), "{readme} says nothing of {outcome}");
            }
        }
        for field in super::FIELDS {
            assert!(chapter.contains(&format!("`{field}`")), "{readme} says nothing of {field}");
        }
    }
}

#[test]
fn both_readmes_explain_every_alarm_and_query_what_is_logged() {
    let template = super::template();
    let everything: BTreeSet<_> =
        OUTCOMES.iter().flat_map(|(name, _)| of(name)).map(|(name, _)| name).collect();
    for (readme, heading) in [("README.md", "Logs"), ("README.zh-CN.md", "日志")] {
        let chapter = chapter_on_logs(readme, heading).unwrap();
        for (alarm, _) in template.resources("AWS::CloudWatch::Alarm") {
            assert!(chapter.contains(&format!("\n| `{alarm}` |")), "{readme} does not explain {alarm}");
        }
        let named = chapter.split("\n| `").skip(1).filter_map(|row| row.split('`').next());
        for alarm in named.filter(|name| name.ends_with("Alarm")) {
            let is_there = template.resources("AWS::CloudWatch::Alarm").any(|(id, _)| id == alarm);
            assert!(is_there, "{readme} explains {alarm}");
        }
        let queries: Vec<_> =
            chapter.split("```text\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert_eq!(queries.len(), 7, "{readme}");
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
                assert!(is_known || super::FIELDS.contains(&word), "{readme}: {word} in {query}");
            }
            for text in texts {
                let is_known = everything.contains(text.as_str())
                    || ["request", "ERROR", "8f5e6a0c-0000-4000-8000-000000000000"].contains(&text.as_str());
                assert!(is_known, "{readme}: {text} in {query}");
            }
        }
    }
}
