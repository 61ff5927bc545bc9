//! What a person is shown of what the tools and the functions say: how each login ended, what went wrong, and whatever
//! is not known here, such as a compiler's complaint. The rest is noise to somebody who looks at a login for the first
//! time; all of it is in a file.

use serde_json::Value;

/// How lines begin that say only that all goes on as it should: of `cargo lambda`, of Cargo, and of the functions'
/// runtime.
const USUAL: [&str; 6] = [
    "INFO ",
    // Two Cargos that wait write into each other's line.
    "Blocking ",
    "waiting for file lock",
    "Finished `",
    "Running `",
    "AWS_LAMBDA_MAX_CONCURRENCY is set",
];

/// What ends a login that a phone is to approve, as the phone or the browser that waits brings it about.
const ENDS_OF_A_HAND_OFF: [&str; 6] = [
    "handoff_logged_in",
    "handoff_refused",
    "handoff_taken_back",
    "handoff_wrong_number",
    "handoff_waited_for_by_two",
    "handoff_over",
];

/// What is shown of a line, if anything is.
pub(crate) fn shown(line: &str) -> Option<String> {
    match serde_json::from_str(line) {
        Ok(Value::Object(fields)) if fields.contains_key("function") => of_a_function(&Value::Object(fields)),
        _ if USUAL.iter().any(|usual| line.trim_start().starts_with(usual)) => None,
        _ => Some(line.to_owned()),
    }
}

/// The same of the line that a function writes for a request.
fn of_a_function(line: &Value) -> Option<String> {
    let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default();
    let (function, outcome) = (text("function"), text("outcome"));
    let is_error = text("level") == "ERROR";
    let is_request = text("message") == "request";
    let status = line.get("status").and_then(Value::as_u64).unwrap_or_default();
    let is_of_a_login = match function {
        "callback" => is_request,
        "authorize" | "openid" => status >= 400,
        // A page that asks for a token before anybody is logged in is none.
        "token" => status >= 400 && !["no_cookie", "no_session"].contains(&outcome),
        "handoff" => ENDS_OF_A_HAND_OFF.contains(&outcome),
        _ => false,
    };
    let what = match (is_of_a_login, is_error) {
        (true, _) => "登录 · Login",
        (false, true) => "错误 · Error",
        (false, false) => return None,
    };
    let errcode = line.get("errcode").map(|errcode| format!(", errcode {errcode}")).unwrap_or_default();
    let said = if is_request { text("cause") } else { text("message") };
    let because = if said.is_empty() { String::new() } else { format!(": {said}") };
    let remedy = if is_error { remedy(function, outcome) } else { String::new() };
    Some(format!("  {what}  {function} {outcome}{errcode}{because}{remedy}"))
}

/// What to do about an outcome, in both languages, a line each.
fn remedy(function: &str, outcome: &str) -> String {
    let outcomes = reference::outcomes();
    let of_function = outcomes.into_iter().filter(|(name, _)| *name == function);
    let found = of_function.flat_map(|(_, outcomes)| outcomes).find(|known| known.name == outcome);
    let [english, chinese] = found.map(|outcome| outcome.remedy).unwrap_or_default();
    if english.is_empty() { String::new() } else { format!("\n    {}\n    {}", bare(chinese), bare(english)) }
}

/// A text of the documentation without the addresses of its links, which lead nowhere from a terminal.
fn bare(text: &str) -> String {
    let mut parts = text.split("](");
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts.map(|part| part.split_once(')').map_or(part, |(_, after)| after));
    rest.fold(first, |text, after| text + after).replace('[', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(level: &str, message: &str, more: &str) -> String {
        format!(
            r#"{{"timestamp":"2026-11-27T19:13:51.379242Z","level":"{level}","message":"{message}",{more}}}"#
        )
    }

    #[test]
    fn a_remedy_has_no_address_that_leads_nowhere() {
        let text = "`errcode`, and [the list](errcodes.md); or [deploying](../guide/deploy.md) again";
        assert_eq!(bare(text), "`errcode`, and the list; or deploying again");
        assert_eq!(bare("查看 `cause`"), "查看 `cause`");
    }

    #[test]
    fn what_a_login_came_to_is_shown_and_nothing_of_what_goes_on_as_it_should() {
        for (said, told) in [
            (
                line("INFO", "request", r#""function":"callback","status":303,"outcome":"logged_in""#),
                Some("callback logged_in"),
            ),
            (
                line("INFO", "request", r#""function":"handoff","status":303,"outcome":"handoff_logged_in""#),
                Some("handoff handoff_logged_in"),
            ),
            (
                line(
                    "INFO",
                    "request",
                    r#""function":"authorize","status":400,"outcome":"invalid_request","cause":"scope""#,
                ),
                Some("authorize invalid_request: scope"),
            ),
            (line("INFO", "request", r#""function":"authorize","status":302,"outcome":"login_begun""#), None),
            (
                line(
                    "INFO",
                    "request",
                    r#""function":"openid","status":400,"outcome":"redirect_refused","cause":"b""#,
                ),
                Some("openid redirect_refused: b"),
            ),
            (
                line("INFO", "request", r#""function":"token","status":401,"outcome":"client_refused""#),
                Some("token client_refused"),
            ),
            (line("INFO", "request", r#""function":"token","status":401,"outcome":"no_cookie""#), None),
            (
                line("INFO", "request", r#""function":"handoff","status":200,"outcome":"handoff_waiting""#),
                None,
            ),
            (
                line("INFO", "request", r#""function":"userinfo","status":401,"outcome":"not_logged_in""#),
                None,
            ),
            (line("INFO", "the function has started", r#""function":"callback","outcome":"started""#), None),
        ] {
            assert_eq!(shown(&said), told.map(|told| format!("  登录 · Login  {told}")), "{said}");
        }
        for usual in [
            r#" INFO starting lambda function instance function="site" instance_id=3bb9ca9a"#,
            "    Blocking waiting for file lock on package cache",
            "    Blocking    Blocking waiting for file lock on artifact directory",
            " waiting for file lock on artifact directory",
            "    Finished `dev` profile [unoptimized + debuginfo] target(s) in 1.00s",
            "     Running `target/debug/site`",
            "AWS_LAMBDA_MAX_CONCURRENCY is set to '1', but the concurrency-tokio feature is not enabled; running sequentially",
        ] {
            assert_eq!(shown(usual), None, "{usual}");
        }
    }

    #[test]
    fn what_went_wrong_is_shown_with_what_to_do() {
        let refused = r#""function":"callback","status":303,"outcome":"misconfigured","errcode":40164"#;
        let told = shown(&line("ERROR", "request", refused)).unwrap();
        assert!(told.starts_with("  登录 · Login  callback misconfigured, errcode 40164\n"), "{told}");
        assert_eq!(told.lines().count(), 3, "{told}");
        let broken = r#""function":"userinfo","status":503,"outcome":"store_unavailable","cause":"GetItem""#;
        let told = shown(&line("ERROR", "request", broken)).unwrap();
        assert!(told.starts_with("  错误 · Error  userinfo store_unavailable: GetItem"), "{told}");
        let defect = r#""function":"site","outcome":"panic","place":"src/lib.rs:1:1""#;
        let told = shown(&line("ERROR", "a defect", defect)).unwrap();
        assert_eq!(told, "  错误 · Error  site panic: a defect");
    }

    /// Whoever changes a source reads what the compiler says of it.
    #[test]
    fn what_is_not_known_is_shown_as_it_is() {
        for said in [
            "error[E0425]: cannot find value `x` in this scope",
            "  --> functions/site/src/lib.rs:7:5",
            "",
            "{}",
            "7",
        ] {
            assert_eq!(shown(said).as_deref(), Some(said));
        }
    }

    /// Outcomes are named here as they are logged.
    #[test]
    fn the_ends_of_a_hand_off_are_outcomes() {
        let outcomes = reference::outcomes();
        let known: Vec<_> =
            outcomes.iter().flat_map(|(_, outcomes)| outcomes).map(|outcome| outcome.name).collect();
        for end in ENDS_OF_A_HAND_OFF {
            assert!(known.contains(&end), "{end}");
        }
    }
}
