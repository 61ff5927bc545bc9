//! A script as it is served; for `build.rs`.

/// The script without what only its readers need: comments that are a line of their own, or stand between `/**` and
/// `*/`, and blanks at the beginning of lines. `login.js` has neither in a string.
pub(crate) fn without_comments(source: &str) -> String {
    let mut parts = source.split("/**");
    let code = parts.next().unwrap_or_default().to_owned();
    let code = parts.fold(code, |code, part| code + part.split_once("*/").map_or("", |(_, rest)| rest));
    let lines = code.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    lines.flat_map(|line| [line, "\n"]).collect()
}
