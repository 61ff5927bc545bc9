//! The pages a person sees. Everything that comes from outside is escaped by the templates; the
//! policy allows the one stylesheet, by its hash. The profile page, which allows more, is [`profile`](crate::profile).

use askama::Template;
use http::header;
use login::pending::{LoginRequest, RequestedScope};

use crate::link::{self, LoginLink};
use crate::policy::{Policy, SELF, inline};
use crate::reason::Reason;
use crate::request::{self, Request};
use crate::response::{self, Response};
use crate::visit::Visit;
use crate::words::{self, Button, Labels, Words, elsewhere};

pub(crate) const STYLE: &str = include_str!("../templates/style.css");
/// What is said on the console where a page asks for a QR code that there is none of.
const NO_CODE: &str = include_str!("../templates/no_code.js");

/// The home page.
const HOME: &str = "/";
/// The page itself, by an empty reference ([RFC 3986 §4.4](https://www.rfc-editor.org/rfc/rfc3986#section-4.4)): its
/// address may hold what no page repeats, such as an `id_token_hint`.
const THIS_PAGE: &str = "";

/// The page that says why there was no login, and offers to begin one at `link` where that helps.
#[must_use]
pub fn notice(visit: &Visit, reason: Reason, link: &str) -> Response {
    notice_of(visit, reason, reason.words(visit.language), link, More::default())
}

/// The page of who is logged in and came to log in, with the way on at `link`, and the button that logs out by a post
/// to `log_out`.
#[must_use]
pub fn already_logged_in(visit: &Visit, link: &str, log_out: &str) -> Response {
    let reason = Reason::AlreadyLoggedIn;
    let more = More { log_out: Some(log_out), ..More::default() };
    notice_of(visit, reason, reason.words(visit.language), link, more)
}

/// The page that says in a frame that there is no QR code for it, and to whoever made the page around it, on the
/// console, why.
#[must_use]
pub fn no_code(visit: &Visit, link: &str) -> Response {
    let reason = Reason::NotAPage;
    let more = More { script: Some(NO_CODE), ..More::default() };
    notice_of(visit, reason, reason.words(visit.language), link, more)
}

/// The page that says that a login may not end where its link says, for want of registration.
#[must_use]
pub fn unregistered(visit: &Visit, link: &str) -> Response {
    notice_of(visit, Reason::ReturnToRefused, words::unregistered(visit.language), link, More::default())
}

/// The same of something other than a login.
#[must_use]
pub fn unregistered_elsewhere(request: &Request) -> Response {
    let visit = &Visit::of(request);
    notice_of(visit, Reason::ReturnToRefused, elsewhere::unregistered(visit.language), HOME, More::default())
}

/// The page that says why something other than a login did not go through. It offers no login, for that is not what
/// failed: what was opened can be opened once more, and where a form was posted the home page has its button.
#[must_use]
pub fn notice_elsewhere(request: &Request, reason: Reason) -> Response {
    notice_at_address(request, reason, request.method().is_safe())
}

/// [`notice_elsewhere`], where the function knows better than the method tells whether the address alone says what was
/// asked for, and so can be opened once more.
#[must_use]
pub fn notice_at_address(request: &Request, reason: Reason, may_open_again: bool) -> Response {
    let visit = &Visit::of(request);
    let words = elsewhere::words(visit.language, reason, may_open_again);
    notice_of(visit, reason, words, if may_open_again { THIS_PAGE } else { HOME }, More::default())
}

/// The page that waits some `seconds`, and then begins a login at `link` by itself.
#[must_use]
pub fn wait(visit: &Visit, seconds: u64, link: &str) -> Response {
    let reason = Reason::CodeRepeated;
    let more = More { wait_seconds: Some(seconds), ..More::default() };
    notice_of(visit, reason, reason.words(visit.language), link, more)
}

/// What few pages of a reason have.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct More<'a> {
    /// After how many seconds the page opens its link by itself.
    wait_seconds: Option<u64>,
    /// Where its second button posts to, which logs out.
    log_out: Option<&'a str>,
    /// What it runs.
    script: Option<&'static str>,
}

/// The page of a reason, in these words.
pub(crate) fn notice_of(visit: &Visit, reason: Reason, words: Words, link: &str, more: More<'_>) -> Response {
    #[derive(Template)]
    #[template(path = "notice.html")]
    struct Notice<'a> {
        style: &'static str,
        visit: &'a Visit,
        labels: Labels,
        words: Words,
        button: Option<&'static str>,
        href: &'a str,
        is_plain: bool,
        /// What the name and the photo are for, where the button leads to a login that asks for them.
        purpose: Option<&'a str>,
        reference: Option<String>,
        more: More<'a>,
    }
    let (language, button) = (visit.language, words.button);
    let href = if button == Some(Button::Home) { HOME } else { link };
    let page = Notice {
        style: STYLE,
        visit,
        labels: Labels::of(language),
        words,
        button: button.map(|button| button.label(language)),
        href,
        // What the page asks for is a screenshot.
        is_plain: reason == Reason::Misconfigured,
        purpose: (button.is_some() && link::asks_for_profile(href)).then(|| visit.purpose()),
        reference: reason.reference(language, &visit.id),
        more,
    };
    let policy = Policy {
        script: more.script.map(inline).unwrap_or_default(),
        form_action: more.log_out.map(|_| SELF.to_owned()).unwrap_or_default(),
        // Any page may have it in a frame: it says why it must not, and its button leaves the frame.
        frame_ancestors: if reason == Reason::NotAPage { "*".to_owned() } else { String::new() },
        ..Policy::default()
    };
    respond(reason.status(), &page, policy)
}

/// The page for a phone where only a QR code of WeChat's logs people in: the same link, as text, for a computer. It is
/// no link, since here it leads to this very page. `code_link` leads to WeChat's QR code, for whoever has it on another
/// screen.
#[must_use]
pub fn open_on_computer(request: &Request, link: &str, code_link: &str) -> Response {
    #[derive(Template)]
    #[template(path = "open_on_computer.html")]
    struct OpenOnComputer<'a> {
        style: &'static str,
        visit: &'a Visit,
        labels: Labels,
        link: &'a str,
        code_link: &'a str,
    }
    let visit = &Visit::of(request);
    let labels = Labels::of(visit.language);
    respond(
        http::StatusCode::OK,
        &OpenOnComputer { style: STYLE, visit, labels, link, code_link },
        Policy::default(),
    )
}

/// The page that stands in a frame of these `origins` for as long as WeChat's page with the QR code, at `href`, takes
/// to come. What a redirect says of frames binds nobody, so it is a page.
#[must_use]
pub fn code<'a>(visit: &Visit, href: &str, origins: impl Iterator<Item = &'a str>) -> Response {
    #[derive(Template)]
    #[template(path = "code.html")]
    struct Code<'a> {
        style: &'static str,
        visit: &'a Visit,
        labels: Labels,
        href: &'a str,
    }
    let page = Code { style: STYLE, visit, labels: Labels::of(visit.language), href };
    in_frames_of(respond(http::StatusCode::OK, &page, Policy::default()), origins)
}

/// Lets a page stand inside pages of these origins, if not inside any.
#[must_use]
pub fn in_frames_of<'a>(mut response: Response, origins: impl Iterator<Item = &'a str>) -> Response {
    let policy: &mut Policy = response.extensions_mut().get_or_insert_default();
    if policy.frame_ancestors.is_empty() {
        policy.frame_ancestors = origins.collect::<Vec<_>>().join(" ");
    }
    response
}

/// The home page, with the login that `login` asks for. Only inside WeChat does it offer to share the profile:
/// elsewhere a QR code brings it anyway.
#[must_use]
pub fn home(request: &Request, has_session: bool, was_denied: bool, login: &LoginLink) -> Response {
    #[derive(Template)]
    #[template(path = "home.html")]
    struct Home<'a> {
        style: &'static str,
        visit: &'a Visit,
        labels: Labels,
        purpose: &'a str,
        has_session: bool,
        was_denied: bool,
        link: String,
        asks_for_profile: bool,
        /// The same login with the profile, where it can be offered.
        profile_link: Option<String>,
    }
    let visit = &Visit::of(request);
    let asks_for_profile = login.request.scope == RequestedScope::Profile;
    let with_profile = LoginLink {
        request: LoginRequest { scope: RequestedScope::Profile, ..login.request.clone() },
        ..login.clone()
    };
    let page = Home {
        style: STYLE,
        visit,
        labels: Labels::of(visit.language),
        purpose: visit.purpose(),
        has_session,
        was_denied,
        link: login.on(""),
        asks_for_profile,
        profile_link: (request::is_wechat(request.headers()) && !asks_for_profile)
            .then(|| with_profile.on("")),
    };
    let policy = Policy { form_action: SELF.to_owned(), ..Policy::default() };
    response::alone(respond(http::StatusCode::OK, &page, policy))
}

/// The page that names a client whose address proves nobody, with the button that goes on to `action`. The answer
/// leaves for `redirect_uri`, which the browser lets a form do only if the page says so.
#[must_use]
pub fn confirm(visit: &Visit, client: &str, action: &str, redirect_uri: &str) -> Response {
    #[derive(Template)]
    #[template(path = "confirm.html")]
    struct Confirm<'a> {
        style: &'static str,
        visit: &'a Visit,
        labels: Labels,
        client: &'a str,
        action: &'a str,
    }
    let page = Confirm { style: STYLE, visit, labels: Labels::of(visit.language), client, action };
    respond(http::StatusCode::OK, &page, leading_to(Some(redirect_uri)))
}

/// The page that asks whether to log out, with the button that does it by a post to `action`, from where the browser
/// goes on to `target` if that is an address elsewhere. An empty `action` is the address of the page itself.
#[must_use]
pub fn log_out(visit: &Visit, action: &str, target: Option<&str>) -> Response {
    #[derive(Template)]
    #[template(path = "log_out.html")]
    struct LogOut<'a> {
        style: &'static str,
        visit: &'a Visit,
        labels: Labels,
        action: &'a str,
    }
    let page = LogOut { style: STYLE, visit, labels: Labels::of(visit.language), action };
    respond(http::StatusCode::OK, &page, leading_to(target))
}

/// The policy of a page whose form is posted to this stack, and whose answer leaves for `target`: browsers let a form
/// be redirected only to where the page says ([CSP3](https://www.w3.org/TR/CSP3/#directive-form-action)).
fn leading_to(target: Option<&str>) -> Policy {
    let place = target.map(|target| match target.split_once("://") {
        // The page there may lead on elsewhere, and browsers hold each of the redirects to this.
        Some(("https", _)) => "https:".to_owned(),
        // A policy has no word for an IPv6 address: browsers ignore what they cannot read, and the button would do
        // nothing (https://www.w3.org/TR/CSP3/#grammardef-host-part).
        Some(("http", rest)) if rest.starts_with('[') => "http:".to_owned(),
        Some(("http", rest)) => {
            format!("http://{}", rest.split(['/', '?', '#']).next().unwrap_or_default())
        }
        // The scheme of an app.
        _ => format!("{}:", target.split(':').next().unwrap_or_default()),
    });
    let form_action = place.map_or_else(|| SELF.to_owned(), |place| format!("{SELF} {place}"));
    Policy { form_action, ..Policy::default() }
}

/// Makes an answer of a page: its stylesheet applies, and beyond that what `policy` names.
pub(crate) fn respond(status: http::StatusCode, page: &impl Template, policy: Policy) -> Response {
    let Ok(body) = page.render() else {
        // A template renders into a `String`, which cannot fail.
        return response::empty(Reason::Unexpected.status());
    };
    let mut response = response::html(status, body);
    if !policy.form_action.is_empty() {
        // `no-referrer` would also blank the `Origin` that whoever takes the form insists on; `same-origin` keeps it and
        // still tells other origins nothing.
        response = response::with_header(response, header::REFERRER_POLICY, "same-origin");
    }
    response.extensions_mut().insert(Policy { style: inline(STYLE), ..policy });
    response
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::imprint::Imprint;
    use crate::language::Language;
    use crate::link::AUTHORIZE;
    use crate::request::CorrelationId;

    use super::*;

    fn visit(imprint: Imprint) -> Visit {
        let id = CorrelationId::parse("id-1").unwrap();
        Visit { language: Language::English, imprint: Arc::new(imprint), id }
    }

    #[test]
    fn the_page_that_names_a_client_lets_its_form_lead_to_it() {
        for (redirect_uri, place) in [
            ("http://127.0.0.1:49152/cb?a=1", "http://127.0.0.1:49152"),
            ("http://[::1]:49152/cb", "http:"),
            ("http://localhost:3000?a=/", "http://localhost:3000"),
            ("https://www.example.com/bye", "https:"),
            ("http://localhost:3000/cb", "http://localhost:3000"),
            ("com.example.app:/cb", "com.example.app:"),
            ("com.example.app://host/cb", "com.example.app:"),
        ] {
            let page = confirm(&visit(Imprint::default()), "phone", "/oauth2/continue", redirect_uri);
            let policy: &Policy = page.extensions().get().unwrap();
            assert_eq!(policy.form_action, format!("'self' {place}"), "{redirect_uri}");
        }
    }

    #[test]
    fn the_page_that_asks_whether_to_log_out_leads_on_if_it_has_where_to() {
        for (target, form_action, form) in [
            (None, "'self'", "<form method=\"post\" action=\"/logout\">"),
            (Some("https://app.example.org?state=s"), "'self' https:", "<form method=\"post\">"),
            (Some("http://127.0.0.1:8443/bye"), "'self' http://127.0.0.1:8443", "<form method=\"post\">"),
            (Some("http://[::1]/bye"), "'self' http:", "<form method=\"post\">"),
            (Some("com.example.app:/bye"), "'self' com.example.app:", "<form method=\"post\">"),
        ] {
            let action = if target.is_some() { "" } else { "/logout" };
            let page = log_out(&visit(Imprint::default()), action, target);
            let policy: &Policy = page.extensions().get().unwrap();
            assert_eq!(policy.form_action, form_action, "{target:?}");
            assert!(page.body().contains(form), "{target:?}");
        }
    }

    /// As `login.js` says what a page did wrong: a line that begins so, and ends with its place in the documentation.
    #[test]
    fn what_the_console_says_of_a_code_is_documented() {
        let place =
            NO_CODE.split_once("docs/en/reference/login-js.md#").unwrap().1.split('"').next().unwrap();
        assert!(
            NO_CODE.starts_with("console.error(\"wechat-login: ") && NO_CODE.ends_with("\");\n"),
            "{NO_CODE}"
        );
        for page in [
            include_str!("../../../docs/en/reference/login-js.md"),
            include_str!("../../../docs/zh-CN/reference/login-js.md"),
        ] {
            assert!(page.lines().any(|line| line == format!("### {place}")), "{place}");
        }
    }

    #[test]
    fn a_notice_offers_a_way_on() {
        let page =
            notice(&visit(Imprint::default()), Reason::LoginExpired, "/authorize?return_to=%2F&app=\"shop");
        assert_eq!(page.status(), 400);
        assert!(
            page.body().contains(r#"href="/authorize?return_to=%2F&#38;app=&#34;shop""#),
            "{}",
            page.body()
        );
        assert!(page.body().contains("id-1 (login_expired)"));
    }

    #[test]
    fn who_has_to_be_asked_by_wechat_reads_what_for() {
        let imprint =
            Imprint { consent_purpose: Some("For the guest book.".to_owned()), ..Imprint::default() };
        for (link, asks) in [
            ("https://login.example.com/authorize?return_to=%2F&scope=snsapi_userinfo", true),
            ("/authorize?scope=snsapi_userinfo&attempt=2", true),
            ("/authorize?scope=auto", false),
            ("/authorize?return_to=%2F%3Fscope%3Dsnsapi_userinfo", false),
            ("/oauth2/authorize?scope=snsapi_userinfo", false),
            ("/authorize", false),
        ] {
            for page in [
                notice(&visit(imprint.clone()), Reason::NoSubject, link),
                wait(&visit(imprint.clone()), 3, link),
            ] {
                assert_eq!(page.body().contains("For the guest book."), asks, "{link}");
            }
        }
    }

    #[test]
    fn a_button_does_what_it_says() {
        for &reason in Reason::ALL {
            let page = notice(&visit(Imprint::default()), reason, "/authorize").into_body();
            let hrefs: Vec<_> =
                page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
            let expected: &[&str] = match reason.button() {
                None => &[],
                Some(Button::Home) => &["/"],
                Some(_) => &["/authorize"],
            };
            assert_eq!(hrefs, expected, "{reason:?}");
            let label = reason.button().map(|button| button.label(Language::English));
            assert_eq!(page.contains("class=\"button"), label.is_some(), "{reason:?}");
            assert!(label.is_none_or(|label| page.contains(&format!(">{label}</a>"))), "{page}");
        }
    }

    #[test]
    fn every_page_names_the_site_and_its_privacy_policy() {
        let imprint = Imprint {
            name: Some("Lin & Co <b>".to_owned()),
            privacy_url: Some("https://www.example.com/privacy".to_owned()),
            consent_purpose: Some("For the guest book.".to_owned()),
        };
        let mut request = Request::default();
        request.headers_mut().insert(header::ACCEPT_LANGUAGE, http::HeaderValue::from_static("en"));
        request.headers_mut().insert(header::USER_AGENT, http::HeaderValue::from_static("MicroMessenger"));
        request.extensions_mut().insert(Arc::new(imprint.clone()));
        let label = Labels::of(Language::English).privacy;
        for page in [
            notice(&visit(imprint), Reason::NotLoggedIn, AUTHORIZE),
            open_on_computer(&request, "https://login.example.com/authorize", "/"),
            home(&request, false, false, &LoginLink::default()),
            home(&request, true, false, &LoginLink::default()),
        ] {
            let page = page.into_body();
            assert!(page.contains(r#"<p class="site">Lin &#38; Co &#60;b&#62;</p>"#), "{page}");
            assert!(page.contains(" · Lin &#38; Co &#60;b&#62;</title>"), "{page}");
            assert!(
                page.contains(&format!(
                    r#"href="https://www.example.com/privacy" target="_top">{label}</a>"#
                ))
            );
            assert_eq!(page.contains("For the guest book."), page.contains("snsapi_userinfo"), "{page}");
        }
        let bare = notice(&visit(Imprint::default()), Reason::NotLoggedIn, AUTHORIZE).into_body();
        assert!(!bare.contains("class=\"site\"") && !bare.contains(label), "{bare}");
    }
}
