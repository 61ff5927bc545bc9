//! What a function is given: an HTTP request, and the name it goes by in the log.

mod device;

use http::{HeaderMap, HeaderValue, header};
use login::account::Browser;

pub use device::Device;

/// A request. Its body, which hardly any route reads, is a [`Form`] in its extensions.
pub type Request = http::Request<()>;

/// The longest form that is read, in bytes.
pub const LONGEST_FORM: usize = 16 * 1024;

/// The body of a request, as a function has it that reads forms. It may hold secrets.
#[derive(Clone)]
pub struct Form(String);

impl Form {
    /// Takes a body; `None` if it is too long, or no text.
    #[must_use]
    pub fn new(body: &[u8]) -> Option<Self> {
        let text = str::from_utf8(body).ok().filter(|text| text.len() <= LONGEST_FORM)?;
        Some(Self(text.to_owned()))
    }

    /// The body of a request that says it is an HTML form
    /// ([URL Standard §5](https://url.spec.whatwg.org/#application/x-www-form-urlencoded)).
    #[must_use]
    pub fn of(request: &Request) -> Option<&str> {
        let kind = request.headers().get(header::CONTENT_TYPE)?.as_bytes();
        let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let is_form = kind.eq_ignore_ascii_case(b"application/x-www-form-urlencoded");
        request.extensions().get::<Self>().filter(|_| is_form).map(|form| form.0.as_str())
    }
}

impl std::fmt::Debug for Form {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Form([redacted])")
    }
}

/// The name of one request, in the log and on the page a visitor sees; Lambda's request id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorrelationId(String);

impl CorrelationId {
    /// Reads an id: up to 64 letters, digits and `-`, so that it is safe in a page, a URL and a log.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        ((1..=64).contains(&text.len()) && text.bytes().all(is_plain)).then(|| Self(text.to_owned()))
    }

    /// The plain characters of Lambda's own id, which are all of it.
    #[must_use]
    pub fn sanitized(text: &str) -> Self {
        Self(
            text.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-').take(64).collect(),
        )
    }

    /// The id of a request; empty for one that did not come through the runtime.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        request.extensions().get::<Self>().cloned().unwrap_or_else(|| Self(String::new()))
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

settings::declare! {
    PAGE_LOADS_ONLY, "true or false", "`false`", ["`true`", "`true`"], ["Whether a login is refused that a browser says it opens in a frame, an image or by prefetch. To be switched off if a version of WeChat says so of a page", "浏览器声明在 iframe、图片或预取中打开时，是否拒绝登录。如果某个版本的微信对普通页面也这样声明，可以关闭"];
}

/// Whether the browser opens this address as a page of its own, as far as it says.
///
/// Fetch metadata tells a page from a picture, a frame, a script's request or a prefetch. A foreign
/// site could otherwise start a silent login from an `<img>`. Browsers that send no such headers, old
/// webviews among them, are let through: the state and the browser cookie hold the login either way.
#[must_use]
pub fn is_page_load(headers: &HeaderMap) -> bool {
    let is = |name: &str, expected: &str| headers.get(name).is_none_or(|value| value == expected);
    is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document") && !is_prefetch(headers)
}

/// Whether the browser says that it opens this address in a frame of a page of the same site.
///
/// What is answered then may stand in that frame, so nothing is taken for granted here: a browser that says nothing, or
/// says it twice, is no frame of ours.
#[must_use]
pub fn is_frame_of_same_site(headers: &HeaderMap) -> bool {
    let is = |name: &str, allowed: &[&str]| {
        let mut values = headers.get_all(name).iter();
        let value = values.next().filter(|_| values.next().is_none());
        value.is_some_and(|value| allowed.iter().any(|allowed| value == allowed))
    };
    is("sec-fetch-mode", &["navigate"])
        && is("sec-fetch-dest", &["iframe"])
        && is("sec-fetch-site", &["same-site", "same-origin"])
        && !is_prefetch(headers)
}

fn is_prefetch(headers: &HeaderMap) -> bool {
    ["sec-purpose", "purpose"]
        .iter()
        .any(|name| headers.get(*name).is_some_and(|value| value.as_bytes().starts_with(b"prefetch")))
}

/// Whether the visitor is a browser that asks for a page, rather than a script that asks for data.
#[must_use]
pub fn wants_page(headers: &HeaderMap) -> bool {
    headers.get_all(header::ACCEPT).iter().any(|accept| {
        accept.as_bytes().split(|byte| *byte == b',').any(|range| {
            let kind = range.split(|byte| *byte == b';').next().unwrap_or_default();
            kind.trim_ascii().eq_ignore_ascii_case(b"text/html")
        })
    })
}

/// Whether the browser is WeChat's own: `MicroMessenger`, but not `wxwork`, which is 企业微信's and cannot
/// use an Official Account. Desktop WeChat says `MicroMessenger` too. A hint for routing and no more:
/// whoever pretends only meets WeChat's own refusal.
#[must_use]
pub fn is_wechat(headers: &HeaderMap) -> bool {
    names(headers, b"MicroMessenger") && !is_wecom(headers)
}

/// The browser, as far as it decides which app logs its visitor in.
#[must_use]
pub fn browser(headers: &HeaderMap) -> Browser {
    Browser { is_wechat: is_wechat(headers), is_phone: is_phone(headers) }
}

/// Whether the browser is 企业微信's, to whose users it is WeChat as well. A hint for the words of a page.
#[must_use]
pub fn is_wecom(headers: &HeaderMap) -> bool {
    names(headers, b"wxwork")
}

/// Whether the browser is on a phone, which cannot scan what it shows itself. A hint, as above; a tablet is none.
#[must_use]
pub fn is_phone(headers: &HeaderMap) -> bool {
    (names(headers, b"Mobi") || names(headers, b"iPhone")) && !names(headers, b"iPad")
}

/// Whether the user agent has `word` in it, whatever else is. Android puts the model's name there, and a name need not
/// be ASCII: a header that is looked at for one word is searched byte by byte, and never thrown away for another one.
fn names(headers: &HeaderMap, word: &[u8]) -> bool {
    let agent = headers.get(header::USER_AGENT).map(HeaderValue::as_bytes).unwrap_or_default();
    agent.windows(word.len()).any(|window| window == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_a_body_that_says_so_of_16_kib_at_the_most() {
        let posted = |kind: &str| {
            let mut request = Request::new(());
            request.extensions_mut().insert(Form::new(b"code=canary").unwrap());
            request.headers_mut().insert(header::CONTENT_TYPE, kind.parse().unwrap());
            request
        };
        for kind in ["application/x-www-form-urlencoded", "Application/X-WWW-Form-Urlencoded ; charset=utf-8"]
        {
            assert_eq!(Form::of(&posted(kind)), Some("code=canary"), "{kind}");
        }
        for kind in ["application/json", "text/plain;application/x-www-form-urlencoded"] {
            assert_eq!(Form::of(&posted(kind)), None, "{kind}");
        }
        assert_eq!(Form::of(&Request::new(())), None);
        assert!(Form::new(&[b'a'; 16_384]).is_some());
        assert!(Form::new(&vec![b'a'; 16_385]).is_none() && Form::new(b"a=\xff").is_none());
        assert_eq!(format!("{:?}", Form::new(b"code=canary").unwrap()), "Form([redacted])");
    }

    #[test]
    fn wechat_is_told_from_wecom_and_from_the_rest() {
        for (agent, expected) in [
            ("Mozilla/5.0 MicroMessenger/8.0.64(0x18004034) NetType/WIFI Language/zh_CN", true),
            (
                "Mozilla/5.0 MicroMessenger/7.0.20.1781(0x6700143B) WindowsWechat(0x63090c37) XWEB/14315 Flue",
                true,
            ),
            ("Mozilla/5.0 MicroMessenger/6.8.0 MacWechat/3.8.7(0x13080712)", true),
            ("Mozilla/5.0 wxwork/3.1.16 MicroMessenger/7.0.1 Language/zh", false),
            ("Mozilla/5.0 Chrome/142.0.0.0 Safari/537.36", false),
            ("", false),
            ("Mozilla/5.0 (Linux; Android 9; 小辣椒 G2; wv) MicroMessenger/8.0.48", true),
            ("Mozilla/5.0 (小辣椒 G2) wxwork/4.1 MicroMessenger/8.0.48", false),
        ] {
            let agent = HeaderValue::from_bytes(agent.as_bytes()).unwrap();
            let headers = HeaderMap::from_iter([(header::USER_AGENT, agent)]);
            assert_eq!(is_wechat(&headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn a_phone_is_told_from_a_desktop() {
        for (agent, expected) in [
            ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148 Safari/604.1", true),
            ("Mozilla/5.0 (Linux; Android 14) Chrome/142.0.0.0 Mobile Safari/537.36", true),
            ("Mozilla/5.0 (Phone; OpenHarmony 5.0) ArkWeb/4.1 Mobile", true),
            ("Mozilla/5.0 (iPhone) Mobile/15E148 wxwork/4.1.30 MicroMessenger/7.0.1", true),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) wxwork/4.1.30 MicroMessenger/7.0.1 WindowsWechat",
                false,
            ),
            ("Mozilla/5.0 (X11; Linux x86_64) Chrome/142.0.0.0 Safari/537.36", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::USER_AGENT, agent.parse().unwrap())]);
            assert_eq!(is_phone(&headers), expected, "{agent}");
            assert_eq!(is_wecom(&headers), agent.contains("wxwork"), "{agent}");
        }
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn only_a_page_of_its_own_is_a_page_load() {
        assert!(is_page_load(&HeaderMap::new()));
        assert!(is_page_load(&headers(&[
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
            ("sec-fetch-site", "cross-site")
        ])));
        for refused in [
            &[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")][..],
            &[("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")],
            &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")],
            &[("sec-fetch-dest", "frame")],
            &[("sec-purpose", "prefetch;prerender")],
            &[("purpose", "prefetch")],
        ] {
            assert!(!is_page_load(&headers(refused)), "{refused:?}");
        }
    }

    #[test]
    fn only_a_page_of_the_same_site_has_a_frame_of_ours() {
        let frame = |site, dest, mode| {
            headers(&[("sec-fetch-site", site), ("sec-fetch-dest", dest), ("sec-fetch-mode", mode)])
        };
        assert!(is_frame_of_same_site(&frame("same-site", "iframe", "navigate")));
        assert!(is_frame_of_same_site(&frame("same-origin", "iframe", "navigate")));
        for (site, dest, mode) in [
            ("cross-site", "iframe", "navigate"),
            ("none", "iframe", "navigate"),
            ("", "iframe", "navigate"),
            ("same-site", "document", "navigate"),
            ("same-site", "frame", "navigate"),
            ("same-site", "embed", "navigate"),
            ("same-site", "iframe", "no-cors"),
        ] {
            assert!(!is_frame_of_same_site(&frame(site, dest, mode)), "{site} {dest} {mode}");
        }
        for missing in ["sec-fetch-site", "sec-fetch-dest", "sec-fetch-mode"] {
            let mut headers = frame("same-site", "iframe", "navigate");
            headers.remove(missing);
            assert!(!is_frame_of_same_site(&headers), "{missing}");
        }
        let mut twice = frame("same-site", "iframe", "navigate");
        twice.append("sec-fetch-site", HeaderValue::from_static("cross-site"));
        assert!(!is_frame_of_same_site(&twice));
        let mut prefetch = frame("same-site", "iframe", "navigate");
        prefetch.append("sec-purpose", HeaderValue::from_static("prefetch"));
        assert!(!is_frame_of_same_site(&prefetch));
    }

    #[test]
    fn a_script_is_told_from_a_browser() {
        assert!(wants_page(&headers(&[("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")])));
        let beyond_ascii = HeaderValue::from_bytes("应用; q=1, Text/HTML ;q=0.9".as_bytes()).unwrap();
        assert!(wants_page(&HeaderMap::from_iter([(header::ACCEPT, beyond_ascii)])));
        for accept in ["*/*", "application/json", "application/json, text/plain, */*"] {
            assert!(!wants_page(&headers(&[("accept", accept)])), "{accept}");
        }
    }

    #[test]
    fn a_correlation_id_is_plain() {
        assert!(CorrelationId::parse("8f5e6a0c-0000-4000-8000-000000000000").is_some());
        for text in ["", "<b>", "a b", &"a".repeat(65)] {
            assert!(CorrelationId::parse(text).is_none(), "{text}");
        }
        let sanitized = |text: &str| CorrelationId::sanitized(text).as_str().to_owned();
        assert_eq!(sanitized("8f5e6a0c-0000-4000"), "8f5e6a0c-0000-4000");
        assert_eq!(sanitized("-<b>\"1 é/\n2%"), "-b12");
        assert_eq!(sanitized(&"a".repeat(65)), "a".repeat(64));
    }
}
