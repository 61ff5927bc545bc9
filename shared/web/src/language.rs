//! The language of a page, from `Accept-Language` (RFC 9110 §12.5.4).

use http::{HeaderMap, HeaderValue, header};

/// A language that pages are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Simplified Chinese; also for whoever names neither: the visitors come from WeChat.
    Chinese,
    /// English.
    English,
}

impl Language {
    /// The one of the two that the visitor prefers.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let accepted = headers.get(header::ACCEPT_LANGUAGE).map(HeaderValue::as_bytes).unwrap_or_default();
        let accepted = String::from_utf8_lossy(accepted);
        let mut best = (Self::Chinese, 0);
        for range in accepted.split(',') {
            let (tag, parameter) = range.split_once(';').unwrap_or((range, ""));
            let language = match tag.trim().get(..2).map(str::to_ascii_lowercase).as_deref() {
                Some("zh") => Self::Chinese,
                Some("en") => Self::English,
                _ => continue,
            };
            let quality = quality(parameter);
            if quality > best.1 {
                best = (language, quality);
            }
        }
        best.0
    }

    /// The language tag, for the page's `lang` attribute.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Chinese => "zh-CN",
            Self::English => "en",
        }
    }
}

/// A quality value in thousandths; 1000 where none is given, 0 where it is not readable.
fn quality(parameter: &str) -> u16 {
    let Some(text) = parameter.trim().strip_prefix("q=") else {
        return 1000;
    };
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    match whole {
        "1" => 1000,
        "0" => format!("{fraction:0<3}").get(..3).and_then(|digits| digits.parse().ok()).unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_language_is_chosen() {
        for (accepted, language) in [
            ("", Language::Chinese),
            ("zh-CN,zh;q=0.9,en;q=0.8", Language::Chinese),
            ("en-US,en;q=0.9", Language::English),
            ("zh;q=0.5, en;q=0.75", Language::English),
            ("en;q=0, zh;q=0.1", Language::Chinese),
            ("fr, en;q=0.3", Language::English),
            ("fr", Language::Chinese),
            ("en;q=x", Language::Chinese),
            ("中文, en;q=0.3", Language::English),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_bytes(accepted.as_bytes()).unwrap());
            assert_eq!(Language::of(&headers), language, "{accepted}");
        }
    }
}
