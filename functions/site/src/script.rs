//! `login.js` and its types: what a page of the team loads.
//!
//! The source is read as it stands, and served without its comments, which are two fifths of it: API Gateway compresses
//! nothing. Every browser asks again at most once an hour, and is told by 304 that nothing changed. A page that names the
//! version it was made for (`?v=0.1.0`) never asks again, as long as that version runs.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{StatusCode, header};
use ring::digest::{SHA256, digest};
use web::query::Query;
use web::request::Request;
use web::response::{Response, empty, file, public, with_header};

/// A file that is the same for everybody.
#[derive(Debug)]
pub(crate) struct Script {
    kind: &'static str,
    text: String,
    /// A strong validator ([RFC 9110 §8.8.3](https://www.rfc-editor.org/rfc/rfc9110#section-8.8.3)), with its quotes.
    etag: String,
}

impl Script {
    /// The module, `login.js`.
    pub(crate) fn module() -> Self {
        Self::new("text/javascript; charset=utf-8", without_comments(include_str!("../login.js")))
    }

    /// Its types, `login.d.ts`, for an editor: with their comments.
    pub(crate) fn types() -> Self {
        Self::new("application/typescript; charset=utf-8", include_str!("../login.d.ts").to_owned())
    }

    fn new(kind: &'static str, text: String) -> Self {
        let digest = digest(&SHA256, text.as_bytes());
        let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(digest));
        Self { kind, text, etag }
    }

    /// The file, or that the browser has it.
    pub(crate) fn answer(&self, request: &Request) -> Response {
        let response = if self.is_known(request) {
            empty(StatusCode::NOT_MODIFIED)
        } else {
            file(self.kind, self.text.clone())
        };
        let response = with_header(public(response), header::ETAG, &self.etag);
        let version = Query::of(request).one("v").ok().flatten();
        if version.as_deref() == Some(env!("CARGO_PKG_VERSION")) {
            with_header(response, header::CACHE_CONTROL, "public, max-age=31536000, immutable")
        } else {
            response
        }
    }

    /// Whether `If-None-Match` names it, by weak comparison
    /// ([RFC 9110 §13.1.2](https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2)).
    fn is_known(&self, request: &Request) -> bool {
        request.headers().get_all(header::IF_NONE_MATCH).iter().any(|value| {
            value.as_bytes().split(|byte| *byte == b',').any(|tag| {
                let tag = tag.trim_ascii();
                let tag = tag.strip_prefix(b"W/").unwrap_or(tag);
                tag == self.etag.as_bytes() || tag == b"*"
            })
        })
    }
}

/// The script without what only its readers need: comments that are a line of their own, or stand between `/**` and `*/`,
/// and blanks at the beginning of lines. `login.js` has neither in a string.
fn without_comments(source: &str) -> String {
    let mut parts = source.split("/**");
    let code = parts.next().unwrap_or_default().to_owned();
    let code = parts.fold(code, |code, part| code + part.split_once("*/").map_or("", |(_, rest)| rest));
    let lines = code.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use web::language::Language;
    use web::words::Labels;

    use super::*;

    fn request(target: &str, known: Option<&str>) -> Request {
        let request = http::Request::builder().uri(target);
        let request = match known {
            Some(tag) => request.header(header::IF_NONE_MATCH, tag),
            None => request,
        };
        request.body(()).unwrap()
    }

    fn header(response: &Response, name: &str) -> String {
        response.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    #[test]
    fn anybody_may_load_it_and_keep_it_for_an_hour() {
        for (script, kind) in [
            (Script::module(), "text/javascript; charset=utf-8"),
            (Script::types(), "application/typescript; charset=utf-8"),
        ] {
            let response = script.answer(&request("/login.js", None));
            assert_eq!(response.status(), 200);
            for (name, value) in [
                ("content-type", kind),
                ("cache-control", "public, max-age=3600"),
                ("access-control-allow-origin", "*"),
                ("cross-origin-resource-policy", "cross-origin"),
                ("etag", &script.etag),
            ] {
                assert_eq!(header(&response, name), value, "{name}");
            }
            assert_eq!(header(&response, "access-control-allow-credentials"), "");
            assert_eq!(response.body(), &script.text);
        }
        assert_ne!(Script::module().etag, Script::types().etag);
    }

    #[test]
    fn a_browser_that_has_it_is_told_so() {
        let script = Script::module();
        let etag = &script.etag;
        for (known, is_known) in [
            (etag.clone(), true),
            (format!("W/{etag}"), true),
            (format!("\"other\", {etag}"), true),
            ("*".to_owned(), true),
            ("\"other\"".to_owned(), false),
            (etag.trim_matches('"').to_owned(), false),
        ] {
            let response = script.answer(&request("/login.js", Some(&known)));
            assert_eq!(response.status(), if is_known { 304 } else { 200 }, "{known}");
            assert_eq!(response.body().is_empty(), is_known, "{known}");
            // What a cache keeps of the answer that it has (RFC 9110 §15.4.5).
            assert_eq!(&header(&response, "etag"), etag);
            assert_eq!(header(&response, "cache-control"), "public, max-age=3600");
            assert_eq!(header(&response, "access-control-allow-origin"), "*");
        }
    }

    #[test]
    fn only_the_version_that_runs_is_kept_for_ever() {
        let version = env!("CARGO_PKG_VERSION");
        for (query, expected) in [
            (format!("?v={version}"), "public, max-age=31536000, immutable"),
            ("?v=0.0.0".to_owned(), "public, max-age=3600"),
            ("?v=".to_owned(), "public, max-age=3600"),
            (format!("?v={version}&v={version}"), "public, max-age=3600"),
        ] {
            let response = Script::module().answer(&request(&format!("/login.js{query}"), None));
            assert_eq!(header(&response, "cache-control"), expected, "{query}");
        }
    }

    #[test]
    fn the_element_speaks_as_the_pages_do() {
        let text = Script::module().text;
        for labels in [Labels::of(Language::Chinese), Labels::of(Language::English)] {
            for label in [
                labels.log_in,
                labels.log_out,
                labels.open_login,
                labels.nameless,
                labels.add_profile,
                labels.consent_purpose,
            ] {
                assert!(text.contains(&format!("\"{label}\"")), "{label}");
            }
        }
    }

    /// What stands between `before` and the next quotation mark, bracket or comma, wherever that is.
    fn names<'a>(source: &'a str, before: &str) -> Vec<&'a str> {
        let rest = source.split(before).skip(1);
        rest.filter_map(|rest| rest.split(['"', ',', ']', ')', ' ']).next()).collect()
    }

    #[test]
    fn the_documentation_names_all_of_it() {
        let source = include_str!("../login.js");
        let attributes = source.split_once("observedAttributes = [").unwrap().1.split_once(']').unwrap().0;
        let attributes: Vec<_> = attributes.split(", ").map(|name| name.trim_matches('"')).collect();
        let functions = names(source, "export const ");
        let topics = names(source, "say(\"");
        assert_eq!((attributes.len(), functions.len(), topics.len()), (6, 5, 5));
        for page in [
            include_str!("../../../docs/en/reference/login-js.md"),
            include_str!("../../../docs/zh-CN/reference/login-js.md"),
        ] {
            for name in names(source, "part: \"").into_iter().chain(attributes.iter().copied()) {
                assert!(page.contains(&format!("`{name}`")), "{name}");
            }
            for name in names(source, "var(--") {
                assert!(page.contains(&format!("`--{name}`")), "{name}");
            }
            for name in &functions {
                assert!(page.contains(&format!("{name}(")), "{name}");
            }
            for topic in &topics {
                let heading = |line: &str| line.trim_start_matches('#').trim().to_lowercase() == *topic;
                assert!(page.lines().filter(|line| line.starts_with("##")).any(heading), "{topic}");
            }
        }
    }

    #[test]
    fn comments_stay_at_home_and_nothing_else() {
        let source = "// one\n/** two */\nconst a = `\n  b`; // kept\n\n  /**\n   * three\n   */\n  f(/** @type {x} */ (c));\n";
        assert_eq!(without_comments(source), "const a = `\nb`; // kept\nf( (c));\n");
        let text = Script::module().text;
        assert!(!text.contains("/**") && !text.contains("*/"), "{text}");
        assert!(text.contains("export const user") && text.contains("customElements.define"));
    }
}
