//! The query string, read once and from its raw bytes.
//!
//! API Gateway also offers the query as a map, in which duplicates are joined by commas; a second
//! `state` would then look like a strange first one. So the raw string is split here, by the rules of
//! `application/x-www-form-urlencoded`, and a parameter that decides anything must stand exactly once.

use percent_encoding::percent_decode_str;
use thiserror::Error;

/// A query string that has been split, not yet decoded.
#[derive(Clone, Copy)]
pub struct Query<'a>(&'a str);

/// Why a parameter could not be read. Carries the parameter's name, never its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum QueryError {
    /// The parameter stands more than once, and nothing says which one counts.
    #[error("the parameter {0} stands more than once")]
    Duplicate(&'static str),
    /// The value has a broken percent-encoding or is not UTF-8.
    #[error("the parameter {0} is not encoded correctly")]
    Encoding(&'static str),
}

impl<'a> Query<'a> {
    /// The query of a request, empty if it has none.
    #[must_use]
    pub fn of<T>(request: &'a http::Request<T>) -> Self {
        Self(request.uri().query().unwrap_or_default())
    }

    /// A form, which is written as a query is.
    #[must_use]
    pub const fn of_form(body: &'a str) -> Self {
        Self(body)
    }

    /// The decoded value of `name`, `None` if it is absent or empty: a parameter without a value counts as
    /// omitted ([RFC 6749 §3.1](https://www.rfc-editor.org/rfc/rfc6749#section-3.1)).
    ///
    /// Parameters nobody asks for are never decoded: WeChat and its users' browsers append their own,
    /// and a broken one must not cost a login.
    ///
    /// # Errors
    ///
    /// [`QueryError::Duplicate`] if it stands twice, [`QueryError::Encoding`] if it cannot be decoded.
    pub fn one(self, name: &'static str) -> Result<Option<String>, QueryError> {
        let mut values = self.0.split('&').filter_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key).as_deref() == Some(name)).then_some(value)
        });
        let Some(value) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() {
            return Err(QueryError::Duplicate(name));
        }
        let value = decode(value).ok_or(QueryError::Encoding(name))?;
        Ok(Some(value).filter(|value| !value.is_empty()))
    }
}

/// Decodes once and strictly: `+` is a space, every `%` needs two hex digits, the result is UTF-8.
#[must_use]
pub fn decode(text: &str) -> Option<String> {
    let is_encoding = |after: &str| after.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    if !text.split('%').skip(1).all(is_encoding) {
        return None;
    }
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_decoded_once() {
        let query = Query("return_to=%2Fa%3Fb%3D%2525+c&x=%zz&state=");
        assert_eq!(query.one("return_to"), Ok(Some("/a?b=%25 c".to_owned())));
        assert_eq!(query.one("state"), Ok(None));
        assert_eq!(query.one("code"), Ok(None));
    }

    #[test]
    fn a_duplicate_is_refused_in_every_spelling_of_its_name() {
        for raw in ["state=a&state=b", "state=a&st%61te=b", "state&state=a", "state=a&x=1&state=a"] {
            assert_eq!(Query(raw).one("state"), Err(QueryError::Duplicate("state")), "{raw}");
        }
    }

    #[test]
    fn a_broken_encoding_is_refused_where_it_matters() {
        for raw in ["code=%", "code=%4", "code=%4g", "code=%+1", "code=%ff", "code=%c0%af", "code=%ed%a0%80"]
        {
            assert_eq!(Query(raw).one("code"), Err(QueryError::Encoding("code")), "{raw}");
        }
    }
}
