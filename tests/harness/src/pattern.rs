//! The filter patterns of CloudWatch Logs, as far as the template uses them, evaluated as CloudWatch does.
//!
//! ```text
//!   { ($.outcome = "denied") || ($.level = "ERROR") && ($.errcode > 0) }
//! ```
//!
//! A comparison is true only of a field that is there and of its type; `&&` binds closer than `||`.
//! Whatever else a pattern may be is no pattern here, so that none is misread.

use serde_json::Value;

use crate::{Failure, Result};

/// A pattern.
#[derive(Debug)]
pub enum Pattern {
    /// One of them.
    Any(Vec<Pattern>),
    /// Each of them.
    All(Vec<Pattern>),
    /// A field against a value.
    Compare(String, String, Value),
}

impl Pattern {
    /// Reads a pattern.
    pub fn read(text: &str) -> Result<Self> {
        let inner = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let inner = inner.ok_or_else(|| Failure::new(format!("no braces around {text}")))?;
        let mut tokens = tokens(inner)?;
        tokens.reverse();
        let pattern = any(&mut tokens).map_err(|failure| failure.during(text))?;
        match tokens.pop() {
            None => Ok(pattern),
            Some(token) => Err(Failure::new(format!("{text}: {token} is left over"))),
        }
    }

    /// Whether a line of the log matches.
    pub fn matches(&self, line: &Value) -> bool {
        match self {
            Self::Any(patterns) => patterns.iter().any(|pattern| pattern.matches(line)),
            Self::All(patterns) => patterns.iter().all(|pattern| pattern.matches(line)),
            Self::Compare(field, operator, value) => {
                let found = line.get(field);
                if let (Some(found), Some(value)) = (found.and_then(Value::as_str), value.as_str()) {
                    return match operator.as_str() {
                        "=" => found == value,
                        "!=" => found != value,
                        _ => false,
                    };
                }
                let (Some(found), Some(value)) = (found.and_then(Value::as_f64), value.as_f64()) else {
                    return false;
                };
                match operator.as_str() {
                    ">=" => found >= value,
                    "<=" => found <= value,
                    ">" => found > value,
                    "<" => found < value,
                    _ => false,
                }
            }
        }
    }

    /// Every field that is compared, with what.
    pub fn comparisons(&self) -> Vec<(&str, &Value)> {
        match self {
            Self::Any(patterns) | Self::All(patterns) => {
                patterns.iter().flat_map(Self::comparisons).collect()
            }
            Self::Compare(field, _, value) => vec![(field, value)],
        }
    }
}

impl Pattern {
    /// The texts that a field may equal, in the order of the pattern.
    pub fn equals(&self, field: &str) -> Vec<&str> {
        self.texts(field, "=")
    }

    /// The texts that a field may not equal.
    pub fn differs_from(&self, field: &str) -> Vec<&str> {
        self.texts(field, "!=")
    }

    fn texts(&self, field: &str, operator: &str) -> Vec<&str> {
        match self {
            Self::Any(patterns) | Self::All(patterns) => {
                patterns.iter().flat_map(|pattern| pattern.texts(field, operator)).collect()
            }
            Self::Compare(name, compared, value) if name == field && compared == operator => {
                value.as_str().into_iter().collect()
            }
            Self::Compare(..) => Vec::new(),
        }
    }
}

fn tokens(mut text: &str) -> Result<Vec<String>> {
    let mut tokens = Vec::new();
    loop {
        text = text.trim_start();
        let Some(first) = text.chars().next() else { return Ok(tokens) };
        let fixed = ["&&", "||", "!=", ">=", "<=", "(", ")", "=", ">", "<"];
        let length = if let Some(token) = fixed.iter().find(|token| text.starts_with(**token)) {
            token.len()
        } else if first == '"' {
            let end = text.chars().skip(1).position(|letter| letter == '"');
            end.ok_or_else(|| Failure::new(format!("an open text: {text}")))? + 2
        } else {
            let end = text.find(|letter: char| !letter.is_ascii_alphanumeric() && !"$._-".contains(letter));
            end.unwrap_or(text.len())
        };
        let (token, rest) = text.split_at(length);
        if token.is_empty() {
            return Err(Failure::new(format!("what is {text}?")));
        }
        tokens.push(token.to_owned());
        text = rest;
    }
}

fn any(tokens: &mut Vec<String>) -> Result<Pattern> {
    let mut patterns = vec![all(tokens)?];
    while tokens.pop_if(|token| token == "||").is_some() {
        patterns.push(all(tokens)?);
    }
    Ok(Pattern::Any(patterns))
}

fn all(tokens: &mut Vec<String>) -> Result<Pattern> {
    let mut patterns = vec![one(tokens)?];
    while tokens.pop_if(|token| token == "&&").is_some() {
        patterns.push(one(tokens)?);
    }
    Ok(Pattern::All(patterns))
}

fn one(tokens: &mut Vec<String>) -> Result<Pattern> {
    let mut next = || tokens.pop().ok_or_else(|| Failure::new("it ends too early"));
    let first = next()?;
    if first == "(" {
        let pattern = any(tokens)?;
        return match tokens.pop().as_deref() {
            Some(")") => Ok(pattern),
            other => Err(Failure::new(format!("{other:?} instead of a bracket"))),
        };
    }
    let field = first.strip_prefix("$.").filter(|field| !field.contains('.'));
    let field = field.ok_or_else(|| Failure::new(format!("{first} is no field")))?.to_owned();
    let (operator, value) = (next()?, next()?);
    let is_about_text = matches!(operator.as_str(), "=" | "!=");
    let is_about_numbers = matches!(operator.as_str(), ">=" | "<=" | ">" | "<");
    let value: Value = serde_json::from_str(&value)?;
    if is_about_text && value.is_string() || is_about_numbers && value.is_number() {
        Ok(Pattern::Compare(field, operator, value))
    } else {
        Err(Failure::new(format!("{field} {operator} {value}")))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn matches(pattern: &str, line: &Value) -> bool {
        Pattern::read(pattern).unwrap().matches(line)
    }

    #[test]
    fn a_pattern_matches_as_cloudwatch_says() {
        let line = json!({ "outcome": "denied", "level": "INFO", "errcode": 40013 });
        for (pattern, expected) in [
            (r#"{ $.outcome = "denied" }"#, true),
            (r#"{ $.outcome = "deni" }"#, false),
            (r#"{ $.outcome != "denied" }"#, false),
            (r#"{ $.absent = "denied" }"#, false),
            (r#"{ $.absent != "denied" }"#, false),
            (r"{ $.errcode > 40012 }", true),
            (r"{ $.errcode >= 40014 }", false),
            (r"{ $.outcome > 0 }", false),
            (r#"{ ($.outcome = "x") || ($.level = "INFO") && ($.errcode < 0) }"#, false),
            (r#"{ (($.outcome = "denied") || ($.level = "x")) && ($.errcode > 0) }"#, true),
            (r#"{ $.outcome = "denied" || $.level = "x" && $.errcode < 0 }"#, true),
        ] {
            assert_eq!(matches(pattern, &line), expected, "{pattern}");
        }
        for pattern in [
            r"",
            r"{ }",
            r#"{ $.outcome = "denied""#,
            r"{ $.outcome = denied }",
            r#"{ $.outcome = "den*" || }"#,
            r#"{ $.a.b = "x" }"#,
            r#"{ outcome = "x" }"#,
            r"{ $.errcode = 40013 }",
            r"{ $.errcode IS NULL }",
            r#"{ ($.outcome = "x" }"#,
            r#"{ $.outcome = "x") }"#,
        ] {
            assert!(Pattern::read(pattern).is_err(), "{pattern}");
        }
    }
}
