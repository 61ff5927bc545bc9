//! The pages a person sees. Everything that comes from outside is escaped by the templates; the
//! policy allows the one stylesheet, by its hash, and on the profile page WeChat's avatar hosts.

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use fast_qr::convert::Builder as _;
use fast_qr::convert::svg::SvgBuilder;
use fast_qr::{ECL, QRBuilder};
use http::header;
use ring::digest::{SHA256, digest};

use crate::language::Language;
use crate::reason::Reason;
use crate::request::CorrelationId;
use crate::response::{self, Response};
use crate::words::{Labels, Words};
use wechat::body::{UserInfo, is_avatar};

const STYLE: &str = include_str!("../templates/style.css");

/// The page that says why there was no login, and offers to begin one at `link`.
#[must_use]
pub fn notice(reason: Reason, language: Language, correlation_id: &CorrelationId, link: &str) -> Response {
    notice_of(reason, language, correlation_id, link, None)
}

/// The page that waits some `seconds`, and then begins a login at `link` by itself.
#[must_use]
pub fn wait(seconds: u64, language: Language, correlation_id: &CorrelationId, link: &str) -> Response {
    notice_of(Reason::CodeRepeated, language, correlation_id, link, Some(seconds))
}

fn notice_of(
    reason: Reason,
    language: Language,
    correlation_id: &CorrelationId,
    link: &str,
    wait_seconds: Option<u64>,
) -> Response {
    #[derive(Template)]
    #[template(path = "notice.html")]
    struct Notice<'a> {
        style: &'static str,
        language: Language,
        labels: Labels,
        words: Words,
        href: &'a str,
        leaves_frame: bool,
        correlation_id: &'a str,
        wait_seconds: Option<u64>,
    }
    let href = if reason == Reason::NotFound { "/" } else { link };
    let page = Notice {
        style: STYLE,
        language,
        labels: Labels::of(language),
        words: reason.words(language),
        href,
        leaves_frame: reason == Reason::NotAPage,
        correlation_id: correlation_id.as_str(),
        wait_seconds,
    };
    let response = respond(reason.status(), &page, "");
    if reason == Reason::NotAPage { with_frames(response) } else { response }
}

/// The page for a browser that is not WeChat's, where no website app is configured: the same link, as a
/// QR code and as text. A link too long for a QR code is shown as text alone.
#[must_use]
pub fn open_in_wechat(language: Language, link: &str) -> Response {
    #[derive(Template)]
    #[template(path = "open_in_wechat.html")]
    struct OpenInWechat<'a> {
        style: &'static str,
        language: Language,
        labels: Labels,
        code: Option<String>,
        link: &'a str,
    }
    let page =
        OpenInWechat { style: STYLE, language, labels: Labels::of(language), code: qr_code(link), link };
    respond(http::StatusCode::OK, &page, "")
}

/// A QR code as an SVG element that scales with its surroundings.
fn qr_code(text: &str) -> Option<String> {
    let code = QRBuilder::new(text).ecl(ECL::M).build().ok()?;
    Some(SvgBuilder::default().margin(1).to_str(&code))
}

/// The front page.
#[must_use]
pub fn home(language: Language, has_session: bool, was_denied: bool) -> Response {
    #[derive(Template)]
    #[template(path = "home.html")]
    struct Home {
        style: &'static str,
        language: Language,
        labels: Labels,
        has_session: bool,
        was_denied: bool,
    }
    let page = Home { style: STYLE, language, labels: Labels::of(language), has_session, was_denied };
    with_form(respond(http::StatusCode::OK, &page, ""))
}

/// The profile page: who is logged in, and where to add a profile that is missing.
#[must_use]
pub fn profile(
    language: Language,
    user_info: Option<&UserInfo>,
    fields: Vec<(&'static str, String)>,
    consent_link: &str,
) -> Response {
    #[derive(Template)]
    #[template(path = "profile.html")]
    struct Page<'a> {
        style: &'static str,
        language: Language,
        labels: Labels,
        name: &'a str,
        initial: String,
        avatar: Option<&'a str>,
        fields: Vec<(&'static str, String)>,
        consent_link: Option<&'a str>,
    }
    let name = user_info.map_or("", |user_info| user_info.nickname.as_str());
    let page = Page {
        style: STYLE,
        language,
        labels: Labels::of(language),
        name,
        initial: name.chars().next().unwrap_or('微').to_string(),
        avatar: user_info.map(|user_info| user_info.headimgurl.as_str()).filter(|address| is_avatar(address)),
        fields,
        consent_link: user_info.is_none().then_some(consent_link),
    };
    with_form(respond(http::StatusCode::OK, &page, "img-src https://*.qlogo.cn https://*.qpic.cn; "))
}

fn respond(status: http::StatusCode, page: &impl Template, also: &str) -> Response {
    match page.render() {
        Ok(body) => {
            let hash = BASE64.encode(digest(&SHA256, STYLE.as_bytes()));
            let policy = format!(
                "default-src 'none'; style-src 'sha256-{hash}'; {also}base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            );
            let response = response::html(status, body);
            response::with_header(response, header::CONTENT_SECURITY_POLICY, &policy)
        }
        // A template renders into a `String`, which cannot fail.
        Err(_) => response::empty(Reason::Unexpected.status()),
    }
}

/// Lets a page stand inside another one: it says why it must not, and its button leaves the frame.
fn with_frames(response: Response) -> Response {
    loosen(response, "frame-ancestors 'none'", "frame-ancestors *")
}

/// Lets a page post its logout form. `no-referrer` would also blank the `Origin` that `/logout`
/// insists on; `same-origin` keeps it and still tells other origins nothing.
fn with_form(response: Response) -> Response {
    let response = loosen(response, "form-action 'none'", "form-action 'self'");
    response::with_header(response, header::REFERRER_POLICY, "same-origin")
}

/// Replaces one directive of a page's policy.
fn loosen(response: Response, directive: &str, looser: &str) -> Response {
    let policy =
        response.headers().get(header::CONTENT_SECURITY_POLICY).and_then(|policy| policy.to_str().ok());
    let policy = policy.map(|policy| policy.replace(directive, looser)).unwrap_or_default();
    response::with_header(response, header::CONTENT_SECURITY_POLICY, &policy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_profile_stays_text() {
        let profile: UserInfo = serde_json::from_str(
            r#"{"openid":"o","nickname":"<script>alert(1)</script>","headimgurl":"https://evil.com/\" onerror=\"x"}"#,
        )
        .unwrap();
        let page =
            super::profile(Language::Chinese, Some(&profile), vec![("openid", "\"><img>".to_owned())], "");
        assert!(
            !page.body().contains("<script")
                && !page.body().contains("<img")
                && !page.body().contains("evil.com"),
            "{}",
            page.body()
        );
    }

    #[test]
    fn a_notice_offers_a_way_on() {
        let id = CorrelationId::parse("id-1").unwrap();
        let page =
            notice(Reason::LoginExpired, Language::English, &id, "/authorize?return_to=%2F&app=\"shop");
        assert_eq!(page.status(), 400);
        assert!(
            page.body().contains(r#"href="/authorize?return_to=%2F&#38;app=&#34;shop""#),
            "{}",
            page.body()
        );
        assert!(page.body().contains("id-1"));
    }
}
