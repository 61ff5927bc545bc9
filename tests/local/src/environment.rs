//! The environment of the functions as a file that `cargo lambda watch` can read.
//!
//! Its grammar is narrow: an unquoted value may hold neither a space nor a second `=` nor JSON, and
//! no quoted value may hold its own quote. A value may be a secret, so no message repeats one.

use std::{collections::BTreeMap, fmt::Write};

use harness::{Failure, Result};

/// The text of a file with these variables.
pub fn env_file(variables: &BTreeMap<String, String>) -> Result<String> {
    let mut text = "# Written by `make run`, at every start.\n".to_owned();
    for (name, value) in variables {
        let quote = ['\'', '"'].into_iter().find(|quote| !value.contains(*quote));
        let Some(quote) = quote.filter(|_| !value.contains(['\n', '\r', '\\'])) else {
            return Err(Failure::new(format!(
                "{name} 的值不能包含换行或反斜杠，也不能同时包含单引号和双引号。\n{name} can hold neither a line break nor a backslash, nor both kinds of quotes"
            )));
        };
        writeln!(text, "{name}={quote}{value}{quote}")?;
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
        let text = file("it's").unwrap();
        assert!(text.contains("\nAPP_SECRETS=\"it's\"\n"), "{text}");
        for value in ["canary'\"", "canary\n", "canary\r", r#"{"wx0":"canary\"}"#] {
            let failure = file(value).unwrap_err().to_string();
            assert!(failure.contains("APP_SECRETS") && !failure.contains("canary"), "{failure}");
        }
    }
}
