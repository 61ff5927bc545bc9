//! The environment of the functions as a file that `cargo lambda watch` can read.
//!
//! Its grammar is narrow: an unquoted value may hold neither a space nor a second `=` nor JSON, and
//! no quoted value may hold its own quote. Single quotes carry everything that is needed here.

use std::{collections::BTreeMap, fmt::Write};

use harness::{Failure, Result};

/// The text of a file with these variables.
pub fn env_file(variables: &BTreeMap<String, String>) -> Result<String> {
    let mut text = "# Written by `make run`, at every start.\n".to_owned();
    for (name, value) in variables {
        if value.contains(['\'', '\n', '\\']) {
            return Err(Failure::new(format!("{name} cannot be quoted: {value}")));
        }
        writeln!(text, "{name}='{value}'")?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_every_value() {
        let file = |value: &str| env_file(&BTreeMap::from([("APP_SECRETS".to_owned(), value.to_owned())]));
        let text = file(r#"{"wx0":"s"}"#).unwrap();
        assert!(text.contains("\nAPP_SECRETS='{\"wx0\":\"s\"}'\n"), "{text}");
        assert!(file("it's").is_err());
    }
}
