//! Bodies as WeChat writes them: keys in a fixed order, every `/` escaped, and bytes that need not be valid.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};

use crate::{api::Dialect, ledger::Outcome};

/// An answer, before anything goes wrong with it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Vec<u8>,
    pub(crate) outcome: Outcome,
    /// The code it hands out.
    pub(crate) code: Option<String>,
    /// Whom it is about: the person's id and openid.
    pub(crate) about: Option<(String, String)>,
}

impl Answer {
    pub(crate) fn new(status: StatusCode, content_type: &str, body: Vec<u8>, outcome: Outcome) -> Self {
        let mut answer = Self::bare(status, body, outcome);
        answer.header(header::CONTENT_TYPE, content_type);
        answer
    }

    fn bare(status: StatusCode, body: Vec<u8>, outcome: Outcome) -> Self {
        Self { status, headers: Vec::new(), body, outcome, code: None, about: None }
    }

    /// What the API sends: UTF-8 JSON under a content type that does not say so.
    pub(crate) fn api(dialect: Dialect, body: Vec<u8>, outcome: Outcome) -> Self {
        Self::new(StatusCode::OK, dialect.content_type(), body, outcome)
    }

    /// A page.
    pub(crate) fn html(body: String, outcome: Outcome) -> Self {
        Self::new(StatusCode::OK, "text/html; charset=utf-8", body.into_bytes(), outcome)
    }

    /// Sends the browser on.
    pub(crate) fn redirect(location: String) -> Self {
        let mut answer = Self::bare(StatusCode::FOUND, Vec::new(), Outcome::Pending);
        answer.header(header::LOCATION, &location);
        answer.outcome = Outcome::Redirect { location };
        answer
    }

    /// Adds a header, unless HTTP cannot carry the value.
    pub(crate) fn header(&mut self, name: HeaderName, value: &str) {
        self.headers.extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
    }
}

/// A JSON object in the making.
pub(crate) struct Object {
    bytes: Vec<u8>,
    unicode_escapes: bool,
}

impl Object {
    pub(crate) fn new(unicode_escapes: bool) -> Self {
        Self { bytes: vec![b'{'], unicode_escapes }
    }

    pub(crate) fn string(mut self, key: &str, value: &str) -> Self {
        self.key(key);
        self.text(value, true);
        self
    }

    /// A string with its slashes as they are, which is how `errmsg` is written.
    pub(crate) fn message(mut self, key: &str, value: &str) -> Self {
        self.key(key);
        self.text(value, false);
        self
    }

    /// A string of any bytes, put between the quotes as they are.
    pub(crate) fn raw_string(mut self, key: &str, value: &[u8]) -> Self {
        self.key(key);
        self.bytes.push(b'"');
        self.bytes.extend_from_slice(value);
        self.bytes.push(b'"');
        self
    }

    pub(crate) fn number(mut self, key: &str, value: i64) -> Self {
        self.key(key);
        self.bytes.extend_from_slice(value.to_string().as_bytes());
        self
    }

    pub(crate) fn empty_array(self, key: &str) -> Self {
        self.array(key, &[])
    }

    pub(crate) fn optional_string(self, key: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.string(key, value),
            None => self,
        }
    }

    /// Objects, each written already.
    pub(crate) fn array(mut self, key: &str, items: &[Vec<u8>]) -> Self {
        self.key(key);
        self.bytes.push(b'[');
        self.bytes.extend_from_slice(&items.join(&b','));
        self.bytes.push(b']');
        self
    }

    /// An object, written already.
    pub(crate) fn raw(mut self, key: &str, object: &[u8]) -> Self {
        self.key(key);
        self.bytes.extend_from_slice(object);
        self
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.bytes.push(b'}');
        self.bytes
    }

    fn key(&mut self, key: &str) {
        if self.bytes.len() > 1 {
            self.bytes.push(b',');
        }
        self.text(key, false);
        self.bytes.push(b':');
    }

    fn text(&mut self, text: &str, escape_slashes: bool) {
        self.bytes.push(b'"');
        for character in text.chars() {
            match character {
                '"' => self.bytes.extend_from_slice(br#"\""#),
                '\\' => self.bytes.extend_from_slice(br"\\"),
                '/' if escape_slashes => self.bytes.extend_from_slice(br"\/"),
                '\0'..='\x1f' => self.escape(character),
                '\u{80}'.. if self.unicode_escapes => self.escape(character),
                _ => self.bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        self.bytes.push(b'"');
    }

    fn escape(&mut self, character: char) {
        for unit in character.encode_utf16(&mut [0; 2]) {
            self.bytes.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Object;

    #[test]
    fn slashes_quotes_and_controls_are_escaped() {
        let body = Object::new(false).string("a", "</x>\"\\\n🌾").empty_array("b").number("c", -1).finish();
        assert_eq!(String::from_utf8(body).unwrap(), r#"{"a":"<\/x>\"\\\u000a🌾","b":[],"c":-1}"#);
    }

    #[test]
    fn unicode_escapes_are_surrogate_pairs() {
        let body = Object::new(true).string("a", "满🌾").finish();
        assert_eq!(String::from_utf8(body).unwrap(), r#"{"a":"\u6ee1\ud83c\udf3e"}"#);
    }
}
