//! What an answer lets a browser do with it: its `Content-Security-Policy`.
//!
//! An answer says what it needs beyond nothing, and takes that with it; [`secure`](crate::response::secure) writes it,
//! on the way out and nowhere else. So nobody looks into a policy that is written to change it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderValue;
use ring::digest::{SHA256, digest};

/// What an answer needs, each time the sources as a policy writes them. Empty is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Policy {
    /// The stylesheet that applies.
    pub style: String,
    /// The script that runs.
    pub script: String,
    /// What that script asks.
    pub connect: &'static str,
    /// Where pictures are from.
    pub images: &'static str,
    /// Where a form leads.
    pub form_action: String,
    /// In whose pages it stands.
    pub frame_ancestors: String,
}

/// This stack's own origin.
pub(crate) const SELF: &str = "'self'";

/// One text that stands in the page, by its hash.
pub(crate) fn inline(text: &str) -> String {
    format!("'sha256-{}'", BASE64.encode(digest(&SHA256, text.as_bytes())))
}

fn or_none(sources: &str) -> &str {
    if sources.is_empty() { "'none'" } else { sources }
}

impl Policy {
    /// The header's value; `None` if a source is none that a header can hold.
    pub(crate) fn to_header(&self) -> Option<HeaderValue> {
        HeaderValue::try_from(self.to_text()).ok()
    }

    fn to_text(&self) -> String {
        [
            ("default-src", "'none'"),
            ("style-src", &self.style),
            ("script-src", &self.script),
            ("connect-src", self.connect),
            ("img-src", self.images),
            // Of these `default-src` says nothing (https://www.w3.org/TR/CSP3/#directive-default-src).
            ("base-uri", "'none'"),
            ("form-action", or_none(&self.form_action)),
            ("frame-ancestors", or_none(&self.frame_ancestors)),
        ]
        .into_iter()
        .filter(|(_, sources)| !sources.is_empty())
        .map(|(directive, sources)| format!("{directive} {sources}"))
        .collect::<Vec<_>>()
        .join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_allowed_but_what_is_named() {
        let nothing = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
        assert_eq!(Policy::default().to_text(), nothing);
        let everything = Policy {
            // printf '' | openssl dgst -sha256 -binary | base64
            style: inline(""),
            script: "b".to_owned(),
            connect: "c",
            images: "d e",
            form_action: SELF.to_owned(),
            frame_ancestors: "f g".to_owned(),
        };
        assert_eq!(
            everything.to_text(),
            "default-src 'none'; style-src 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='; script-src b; \
             connect-src c; img-src d e; base-uri 'none'; form-action 'self'; frame-ancestors f g"
        );
    }
}
