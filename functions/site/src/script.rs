//! `login.js` and its types: what a page of the team loads.
//!
//! The source is read as it stands, and served without its comments, which are two fifths of it, and compressed for who
//! takes gzip: API Gateway compresses nothing. Both are made by `build.rs`. Every browser asks again at most once an
//! hour, and is told by 304 that nothing changed. A page that names the version it was made for (`?v=0.2.0`) never asks
//! again, as long as that version runs.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{StatusCode, header};
use ring::digest::{SHA256, digest};
use web::query::Query;
use web::request::Request;
use web::response::{Response, empty, file, in_base64, public, with_header};

/// A file that is the same for everybody.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    kind: &'static str,
    text: &'static str,
    /// The same in gzip, as base64.
    compressed: &'static str,
    /// The digest of the text.
    digest: String,
    /// The version that runs.
    version: &'static str,
}

impl Script {
    /// The module, `login.js`.
    pub(crate) fn module() -> Self {
        Self::new(
            "text/javascript; charset=utf-8",
            include_str!(concat!(env!("OUT_DIR"), "/login.js")),
            include_str!(concat!(env!("OUT_DIR"), "/login.js.gz.base64")),
        )
    }

    /// Its types, `login.d.ts`, for an editor: with their comments.
    pub(crate) fn types() -> Self {
        Self::new(
            "application/typescript; charset=utf-8",
            include_str!(concat!(env!("OUT_DIR"), "/login.d.ts")),
            include_str!(concat!(env!("OUT_DIR"), "/login.d.ts.gz.base64")),
        )
    }

    fn new(kind: &'static str, text: &'static str, compressed: &'static str) -> Self {
        let digest = URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()));
        Self { kind, text, compressed, digest, version: env!("CARGO_PKG_VERSION") }
    }

    /// The file, or that the browser has it.
    pub(crate) fn answer(&self, request: &Request) -> Response {
        let is_compressed = takes_gzip(request);
        let etag = self.etag(is_compressed);
        let response = if is_known(request, &etag) {
            empty(StatusCode::NOT_MODIFIED)
        } else if is_compressed {
            let response = in_base64(file(self.kind, self.compressed.to_owned()));
            with_header(response, header::CONTENT_ENCODING, "gzip")
        } else {
            file(self.kind, self.text.to_owned())
        };
        let response = with_header(public(response), header::ETAG, &etag);
        let response = with_header(response, header::VARY, "Accept-Encoding");
        let version = Query::of(request).one("v").ok().flatten();
        if version.is_some_and(|version| is_for_ever(&version, self.version)) {
            with_header(response, header::CACHE_CONTROL, "public, max-age=31536000, immutable")
        } else {
            response
        }
    }

    /// A strong validator, with its quotes: each representation has its own
    /// ([RFC 9110 §8.8.3.3](https://www.rfc-editor.org/rfc/rfc9110#section-8.8.3.3)).
    fn etag(&self, is_compressed: bool) -> String {
        format!("\"{}{}\"", self.digest, if is_compressed { "-gzip" } else { "" })
    }
}

/// Whether what a page asks for by its version is the same for ever: it is the release that runs. Two builds between
/// releases have one version, and differ.
fn is_for_ever(asked: &str, running: &str) -> bool {
    asked == running && !running.contains('-')
}

/// Whether `Accept-Encoding` names gzip, and not with a weight of zero
/// ([RFC 9110 §12.5.3](https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3)).
fn takes_gzip(request: &Request) -> bool {
    let values = request.headers().get_all(header::ACCEPT_ENCODING).iter();
    values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().get(2..).unwrap_or("1");
        name.trim().eq_ignore_ascii_case("gzip") && !weight.bytes().all(|byte| b"0. ".contains(&byte))
    })
}

/// Whether `If-None-Match` names this validator, by weak comparison
/// ([RFC 9110 §13.1.2](https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2)).
fn is_known(request: &Request, etag: &str) -> bool {
    request.headers().get_all(header::IF_NONE_MATCH).iter().any(|value| {
        value.as_bytes().split(|byte| *byte == b',').any(|tag| {
            let tag = tag.trim_ascii();
            let tag = tag.strip_prefix(b"W/").unwrap_or(tag);
            tag == etag.as_bytes() || tag == b"*"
        })
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use base64::engine::general_purpose::STANDARD;
    use flate2::read::GzDecoder;
    use web::language::Language;
    use web::response::InBase64;
    use web::words::Labels;

    use super::*;
    use crate::without_comments::without_comments;

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
                ("etag", &script.etag(false)),
                ("vary", "Accept-Encoding"),
                ("content-encoding", ""),
            ] {
                assert_eq!(header(&response, name), value, "{name}");
            }
            assert_eq!(header(&response, "access-control-allow-credentials"), "");
            assert_eq!(response.body(), script.text);
        }
        assert_ne!(Script::module().digest, Script::types().digest);
    }

    #[test]
    fn who_takes_gzip_is_given_the_same_in_gzip() {
        for script in [Script::module(), Script::types()] {
            for (accepted, is_compressed) in [
                ("gzip", true),
                ("gzip, deflate, br, zstd", true),
                ("br;q=1.0, GZip;q=0.8, *;q=0.1", true),
                ("deflate, br", false),
                ("gzip;q=0, br", false),
                ("gzip; q=0.000", false),
                ("xgzip", false),
                ("", false),
            ] {
                let mut request = request("/login.js", None);
                request.headers_mut().insert(header::ACCEPT_ENCODING, accepted.parse().unwrap());
                let response = script.answer(&request);
                assert_eq!(header(&response, "vary"), "Accept-Encoding", "{accepted}");
                assert_eq!(header(&response, "etag"), script.etag(is_compressed), "{accepted}");
                assert_eq!(response.extensions().get::<InBase64>().is_some(), is_compressed, "{accepted}");
                let encoding = if is_compressed { "gzip" } else { "" };
                assert_eq!(header(&response, "content-encoding"), encoding, "{accepted}");
                if is_compressed {
                    let bytes = STANDARD.decode(response.body()).unwrap();
                    // No time, no name, the same system everywhere: the same sources give the same bytes.
                    assert_eq!(bytes[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3]);
                    let mut text = String::new();
                    GzDecoder::new(&*bytes).read_to_string(&mut text).unwrap();
                    assert_eq!(text, script.text);
                }
                // One representation is not known by the other's validator.
                for other in [true, false] {
                    let tag = script.etag(other).parse().unwrap();
                    request.headers_mut().insert(header::IF_NONE_MATCH, tag);
                    let response = script.answer(&request);
                    let is_known = other == is_compressed;
                    assert_eq!(response.status(), if is_known { 304 } else { 200 }, "{accepted}");
                    assert_eq!(header(&response, "vary"), "Accept-Encoding");
                    assert!(!is_known || header(&response, "content-encoding").is_empty());
                }
            }
        }
    }

    #[test]
    fn a_browser_that_has_it_is_told_so() {
        let script = Script::module();
        let etag = &script.etag(false);
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
    fn only_the_release_that_runs_is_kept_for_ever() {
        assert!(is_for_ever("0.2.0", "0.2.0"));
        assert!(!is_for_ever("0.2.0", "0.2.1") && !is_for_ever("", "0.2.0"));
        // Two builds between releases have one version and differ.
        assert!(!is_for_ever("0.2.1-dev", "0.2.1-dev"));
        for script in [Script::module(), Script::types()] {
            assert_eq!(script.version, env!("CARGO_PKG_VERSION"));
            let etag = script.etag(false);
            for (running, query, is_kept) in [
                ("0.2.0", "?v=0.2.0", true),
                ("0.2.1", "?v=0.2.0", false),
                ("0.2.0", "?v=0.2.0-dev", false),
                ("0.2.0-dev", "?v=0.2.0-dev", false),
                ("0.2.0", "?v=0.2.0&v=0.2.0", false),
                ("0.2.0", "?v=", false),
                ("0.2.0", "", false),
            ] {
                let script = Script { version: running, ..script.clone() };
                for (known, status) in [(None, 200), (Some(&*etag), 304)] {
                    let response = script.answer(&request(&format!("/login.js{query}"), known));
                    assert_eq!(response.status(), status);
                    let kept =
                        if is_kept { "public, max-age=31536000, immutable" } else { "public, max-age=3600" };
                    assert_eq!(header(&response, "cache-control"), kept, "{running} {query} {status}");
                }
            }
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
        let topics = [names(source, "say(\""), names(source, "? \"token\" : \"")].concat();
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
