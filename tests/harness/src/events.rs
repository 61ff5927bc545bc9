//! The files of `events/`: one request each, as API Gateway would hand it to a function.
//!
//! A file is named `<function>-<case>.json`. Where the case ends in three digits, such as
//! `callback-secrets-missing-503.json`, they are the status of the answer; any other file only
//! promises that the answer is none of the server's own failures.

use std::{fs, path::PathBuf, sync::OnceLock};

use serde_json::Value;

use crate::{Failure, Result, binaries::workspace, template::Template};

/// One file of `events/`.
#[derive(Clone, Debug)]
pub struct Event {
    /// The function that it is for.
    pub function: &'static str,
    /// Such as `authorize-silent`.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// What the function is handed.
    pub payload: Value,
    /// The status that its name promises.
    pub status: Option<u16>,
}

impl Event {
    /// Every file of `events/`, in the order of their names.
    pub fn all() -> Result<Vec<Self>> {
        let directory = workspace().join("events");
        let functions = functions()?;
        let mut events = Vec::new();
        for entry in directory.read_dir()? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                events.push(Self::read(path, functions)?);
            }
        }
        events.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(events)
    }

    fn read(path: PathBuf, functions: &'static [String]) -> Result<Self> {
        let name = path.file_stem().and_then(|stem| stem.to_str());
        let name = name.unwrap_or_default().to_owned();
        let (function, status) = read_name(&name, functions)
            .ok_or_else(|| Failure::new(format!("{} names no function", path.display())))?;
        let text = fs::read_to_string(&path)?;
        let payload =
            serde_json::from_str(&text).map_err(|error| Failure::from(error).during(path.display()))?;
        Ok(Self { function, name, path, payload, status })
    }

    /// Holds an answer against what the name of the file promises, and says its status.
    pub fn check(&self, answer: &Value) -> Result<u16> {
        let status = answer["statusCode"]
            .as_u64()
            .and_then(|status| u16::try_from(status).ok())
            .filter(|status| (200..600).contains(status))
            .ok_or_else(|| Failure::new(format!("{answer} has no status code")))?;
        let is_right = match self.status {
            Some(promised) => status == promised,
            None => status < 500,
        };
        if is_right { Ok(status) } else { Err(Failure::new(format!("{status}: {answer}"))) }
    }
}

/// The functions that an event can be for.
fn functions() -> Result<&'static [String]> {
    static FUNCTIONS: OnceLock<Vec<String>> = OnceLock::new();
    if FUNCTIONS.get().is_none() {
        // Whoever was faster read the same.
        let _ = FUNCTIONS.set(Template::of_the_project()?.function_names());
    }
    Ok(FUNCTIONS.get().map_or(&[], Vec::as_slice))
}

/// The function and the status in a name.
fn read_name(name: &str, functions: &'static [String]) -> Option<(&'static str, Option<u16>)> {
    let (function, case) = name.split_once('-')?;
    let function = functions.iter().find(|known| *known == function)?;
    let last = case.rsplit('-').next()?;
    let is_status = last.len() == 3 && last.bytes().all(|byte| byte.is_ascii_digit());
    Some((function, is_status.then(|| last.parse().ok()).flatten()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_the_function_and_the_status_in_a_name() {
        let read_name = |name| read_name(name, functions().unwrap());
        assert_eq!(read_name("authorize-silent"), Some(("authorize", None)));
        assert_eq!(read_name("callback-denied-303"), Some(("callback", Some(303))));
        assert_eq!(read_name("site-MP_verify-2000"), Some(("site", None)));
        assert_eq!(read_name("authorize"), None);
        assert_eq!(read_name("nobody-silent"), None);
    }

    #[test]
    fn holds_an_answer_against_its_name() {
        let event = |status| Event {
            function: "site",
            name: String::new(),
            path: PathBuf::new(),
            payload: Value::Null,
            status,
        };
        let answer = |status: u16| json!({ "statusCode": status });
        assert_eq!(event(None).check(&answer(404)).unwrap(), 404);
        assert_eq!(event(Some(503)).check(&answer(503)).unwrap(), 503);
        assert!(event(None).check(&answer(500)).is_err());
        assert!(event(Some(303)).check(&answer(302)).is_err());
        assert!(event(None).check(&json!({ "errorType": "x" })).is_err());
        assert!(event(None).check(&answer(99)).is_err());
    }
}
