//! The page of the documentation that holds what was measured.

use std::fs;

use harness::{Failure, Result, binaries::workspace};

/// Where the tables stand.
const PAGE: &str = "docs/development/speed.md";

/// Puts a text between its marks.
pub fn write(part: &str, text: &str) -> Result<()> {
    let path = workspace().join(PAGE);
    let page = fs::read_to_string(&path)?;
    let mark = format!("<!-- measured: {part} -->\n");
    let none = || Failure::new(format!("{PAGE} has no place for {part}"));
    let (before, rest) = page.split_once(&mark).ok_or_else(none)?;
    let (_, after) = rest.split_once("<!-- end -->").ok_or_else(none)?;
    Ok(fs::write(&path, format!("{before}{mark}\n{text}\n<!-- end -->{after}"))?)
}
