//! `GET /`, `GET /error` and `GET /MP_verify_*.txt`.

use std::io::Read;

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::read::GzDecoder;
use form_urlencoded::Serializer;
use harness::{
    Answer, Options, Stack, Visitor,
    browser::Visit,
    places::LOGOUT,
    stack::{PAGE_ORIGIN, PUBLIC_URL},
};
use login::Digest;
use web::language::Language;
use web::reason::Reason;
use web::request::CorrelationId;
use web::words::{Button, Labels};

use crate::support::{LABELS, assert_secured, button, logged_in, read, stack, visited};

const HOME: &str = "https://login.example.com/";
const ERROR: &str = "https://login.example.com/error";
/// A correlation id as Lambda makes them.
const ID: &str = "6a5145a9-0000-4000-8000-00000000002a";
/// Two files of WeChat's console.
const SITE_VERIFICATION: &str =
    "MP_verify_0123456789abcdef.txt=0123456789abcdef,MP_verify_a1B2c3D4e5F6g7H8.txt=a1B2c3D4e5F6g7H8";

fn error_url(parameters: &[(&str, &str)]) -> String {
    format!("{ERROR}?{}", Serializer::new(String::new()).extend_pairs(parameters).finish())
}

/// A page's policy allows exactly the style that is in it, and nothing on the page is a script.
fn assert_page(answer: &Answer) {
    assert_secured(&answer.headers, answer.url.as_str());
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    let page = answer.text();
    let (_, rest) = page.split_once("<style>").unwrap_or_default();
    let (style, _) = rest.split_once("</style>").unwrap_or_default();
    let digest = Digest::of(style.as_bytes());
    let bytes: Vec<u8> = (0..32)
        .filter_map(|index| u8::from_str_radix(digest.as_str().get(index * 2..index * 2 + 2)?, 16).ok())
        .collect();
    let allowed = format!("style-src 'sha256-{}'; ", STANDARD.encode(bytes));
    let policy = answer.header("content-security-policy").unwrap_or_default();
    assert!(policy.contains(&allowed), "{policy} does not have {allowed}");
    assert!(!policy.contains("script-src") && !policy.contains("unsafe"), "{policy}");
    let lower = page.to_lowercase();
    for forbidden in
        ["<script", "javascript:", " onclick", " onerror", " onload", "<iframe", "style=", "http://"]
    {
        assert!(!lower.contains(forbidden), "{forbidden} in {page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_front_page_links_to_the_login() {
    let stack = stack().await.unwrap();
    for language in [Language::Chinese, Language::English] {
        let (labels, tag) = (Labels::of(language), language.tag());
        let title = format!("<h1>{}</h1>", labels.log_in);
        let answer = stack.visitor("lin").reading(tag).open(HOME).await.unwrap();
        assert_eq!(answer.status, 200);
        assert_page(&answer);
        let page = answer.text();
        assert!(page.contains(&title) && page.contains(&format!("<html lang=\"{tag}\">")), "{page}");
        assert!(page.contains("href=\"/authorize\""), "{page}");
        for part in ["href=\"/authorize?scope=snsapi_userinfo\"", labels.consent_purpose] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
        assert!(!page.contains("/logout"), "{page}");
        assert!(answer.set_cookies().is_empty());
    }
}

/// The figure in the documentation, in bytes.
const SMALLEST_COMPRESSED: usize = 5000;

#[tokio::test(flavor = "multi_thread")]
async fn the_script_is_small_and_the_same_for_everybody() {
    let (_stack, visitor) = logged_in().await.unwrap();
    let url = &format!("{PUBLIC_URL}/login.js");
    let script = visitor.open(url).await.unwrap();
    let compressed = visitor.send(Visit::open(url).header("accept-encoding", "gzip, br")).await.unwrap();
    assert_eq!(
        (script.header("content-encoding"), compressed.header("content-encoding")),
        (None, Some("gzip"))
    );
    let size = compressed.body.len();
    assert!(size < SMALLEST_COMPRESSED, "{size} bytes");
    let mut text = String::new();
    GzDecoder::new(&*compressed.body).read_to_string(&mut text).unwrap();
    assert_eq!(text, script.text());
    assert!(script.set_cookies().is_empty());
    // Who is logged in, and in which language, makes no difference.
    let stranger = Visitor::clone(&visitor).reading("en");
    assert_eq!(stranger.open(url).await.unwrap().text(), script.text());
    let known = Visit::open(url).header("if-none-match", script.header("etag").unwrap());
    let answer = visitor.send(known).await.unwrap();
    assert_eq!((answer.status, answer.body.len()), (304, 0));
    let types = visitor.open(&format!("{PUBLIC_URL}/login.d.ts")).await.unwrap();
    assert!(types.text().contains("export declare function user("), "{}", types.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_front_page_offers_the_way_out_to_who_has_logged_in() {
    let (_stack, visitor) = logged_in().await.unwrap();
    let answer = visitor.open(HOME).await.unwrap();
    assert_page(&answer);
    let page = answer.text();
    assert!(
        page.contains("href=\"/userinfo\"") && page.contains("<form method=\"post\" action=\"/logout\">")
    );
    // The profile page knows of which account the session is, and whether a profile is missing; this one does not.
    assert!(!page.contains("snsapi_userinfo"), "{page}");
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.contains("form-action 'self'"), "{policy}");
    // Without it the browser would send `Origin: null` along with the form, and the logout refuse it.
    assert_eq!(answer.header("referrer-policy"), Some("same-origin"));
    // The form does what it says.
    let out = visitor.browser.post_form(LOGOUT, PUBLIC_URL).await.unwrap();
    assert_eq!((out.status, out.location()), (303, Some(HOME)));
    assert_eq!(visitor.session(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_front_page_says_that_the_visitor_declined() {
    let stack = stack().await.unwrap();
    for (query, is_noted) in [
        ("?error=access_denied", true),
        ("", false),
        ("?error=server_error", false),
        ("?error=access_denied&error=access_denied", false),
        ("?error=<b>", false),
    ] {
        let answer = stack.visitor("lin").open(&format!("{HOME}{query}")).await.unwrap();
        assert_eq!(answer.status, 200, "{query}");
        assert_eq!(answer.text().contains(LABELS.declined), is_noted, "{query}");
        assert_page(&answer);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reason_has_its_page_in_both_languages() {
    let stack = stack().await.unwrap();
    for (language, accepted) in [(Language::Chinese, "zh-CN"), (Language::English, "en")] {
        let visitor = stack.visitor("lin").reading(accepted);
        for &reason in Reason::ALL {
            let url = error_url(&[("reason", reason.as_str()), ("id", ID)]);
            let answer = visitor.open(&url).await.unwrap();
            // Whoever opens the page is no failure of this service, and sets off no alarm.
            assert_eq!(answer.status, 200, "{url}");
            assert_page(&answer);
            let (page, words) = (read(&answer.text()), reason.words(language));
            let next = match (reason.button(), reason) {
                (Some(Button::Home), _) => "href=\"/\"",
                (_, Reason::AlreadyLoggedIn) => "href=\"https://www.example.com/me#\"",
                // A page that does not say how often it has waited does not wait for ever.
                (_, Reason::CodeRepeated) => "href=\"/authorize?waits=3\"",
                _ => "href=\"/authorize\"",
            };
            let class = if reason.button() == Some(Button::TryAgain) { "button plain" } else { "button" };
            let button = words
                .button
                .map(|button| button.label(language))
                .map(|label| format!("<a class=\"{class}\" {next} target=\"_top\">{label}</a>"));
            assert_eq!(page.contains("<a "), button.is_some(), "{page}");
            let reference = reason.reference(language, &CorrelationId::parse(ID).unwrap());
            assert_eq!(page.contains(ID), reference.is_some(), "{page}");
            for part in [
                format!("<html lang=\"{accepted}\">"),
                format!("<h1>{}</h1>", words.title),
                format!("<p>{}</p>", words.happened),
                format!("<p>{}</p>", words.next),
                button.unwrap_or_default(),
                reference.unwrap_or_default(),
            ] {
                assert!(page.contains(&part), "{part} is not in {page}");
            }
            assert_eq!(page.contains("http-equiv"), reason == Reason::CodeRepeated, "{url}");
        }
    }
}

/// WeChat wants to see what the name and the photo are for before they are asked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_button_that_asks_for_the_profile_says_what_for() {
    let stack =
        Stack::start(Options::default().with("CONSENT_PURPOSE", "For the guest book.")).await.unwrap();
    let visitor = stack.visitor("lin");
    for reason in Reason::ALL {
        for (scope, asks) in [("snsapi_userinfo", true), ("snsapi_base", false), ("auto", false), ("", false)]
        {
            let answer =
                visitor.open(&error_url(&[("reason", reason.as_str()), ("scope", scope)])).await.unwrap();
            let page = answer.text();
            let begins_one = button(&answer).is_some_and(|(_, href)| href.starts_with("/authorize"));
            assert_eq!(
                page.contains("For the guest book."),
                asks && begins_one,
                "{reason:?} {scope}: {page}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_button_leads_back_to_the_same_login() {
    let (_stack, visitor) = visited().await.unwrap();
    for (return_to, href) in [
        (
            "https://www.example.com/#/orders/7?a=1&b=2",
            "/authorize?return_to=https%3A%2F%2Fwww.example.com%2F%23%2Forders%2F7%3Fa%3D1%26b%3D2",
        ),
        ("/shop", "/authorize?return_to=https%3A%2F%2Flogin.example.com%2Fshop"),
        // What may not be returned to is not mentioned either.
        ("https://evil.example/", "/authorize"),
        ("javascript:alert(1)", "/authorize"),
        ("//evil.example", "/authorize"),
        ("\" onclick=\"alert(1)", "/authorize"),
        ("/callback", "/authorize"),
    ] {
        let url = error_url(&[("reason", "login_expired"), ("id", ID), ("return_to", return_to)]);
        let answer = visitor.open(&url).await.unwrap();
        assert_page(&answer);
        let button = format!("<a class=\"button\" href=\"{href}\" target=\"_top\">");
        assert!(answer.text().contains(&button), "{button} is not in {}", answer.text());
        assert!(!answer.text().contains("evil"), "{}", answer.text());
        // And that is a link that works.
        let next = visitor.open(&format!("https://login.example.com{href}")).await.unwrap();
        assert_eq!(next.status, 302, "{href}: {}", next.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_query_says_is_never_repeated() {
    let (_stack, visitor) = visited().await.unwrap();
    let hostile = "\"><script>alert(1)</script>evil";
    for parameters in [
        &[("reason", hostile), ("id", ID)][..],
        &[("reason", "login_expired"), ("id", hostile)],
        &[("reason", "login_expired"), ("id", "")],
        &[("reason", "login_expired"), ("id", "evil_evil")],
        &[("reason", "login_expired"), ("id", "请拨打电话evil")],
        &[("reason", "login_expired"), ("error_description", hostile)],
        &[("reason", "login_expired"), ("reason", "evil")],
        &[],
    ] {
        let answer = visitor.open(&error_url(parameters)).await.unwrap();
        let is_known = parameters.iter().filter(|(name, _)| *name == "reason").collect::<Vec<_>>();
        let is_known = is_known == [&("reason", "login_expired")];
        assert_eq!(answer.status, if is_known { 200 } else { 400 }, "{parameters:?}");
        assert_page(&answer);
        assert!(!answer.text().contains("evil"), "{parameters:?}: {}", answer.text());
        // Whose id is not to be shown is given one that is in the log.
        let id = answer.header("x-correlation-id").unwrap();
        assert_ne!(id, ID);
        let shows_given = parameters.contains(&("id", ID));
        assert!(answer.text().contains(if shows_given { ID } else { id }), "{}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wechats_console_finds_its_files_and_nothing_else() {
    let options = Options::default().with("SITE_VERIFICATION", SITE_VERIFICATION);
    let stack = Stack::start(options).await.unwrap();
    let visitor = stack.visitor("lin");
    for content in ["0123456789abcdef", "a1B2c3D4e5F6g7H8"] {
        let answer = visitor.open(&format!("{HOME}MP_verify_{content}.txt")).await.unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (200, content));
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
        assert_secured(&answer.headers, content);
    }
    for file in [
        "MP_verify_0123456789abcdef.tx",
        "MP_verify_0123456789abcdef.txt.bak",
        "MP_verify_0123456789ABCDEF.txt",
        "MP_verify_.txt",
        "favicon.ico",
        "robots.txt",
        "index.html",
        "error.txt",
        "%E4%BD%A0",
    ] {
        let answer = visitor.open(&format!("{HOME}{file}")).await.unwrap();
        assert_eq!(answer.status, 404, "{file}");
        assert_page(&answer);
        assert!(answer.text().contains("href=\"/\"") && !answer.text().contains("0123"), "{file}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_site_touches_nothing() {
    let (stack, visitor) = visited().await.unwrap();
    for url in [HOME.to_owned(), error_url(&[("reason", "snapshot")]), format!("{HOME}favicon.ico")] {
        visitor.open(&url).await.unwrap();
        visitor.browser.fetch(&url, PAGE_ORIGIN).await.unwrap();
    }
    assert!(visitor.browser.cookies().is_empty());
    assert!(stack.simulator().ledger().is_empty());
    assert!(stack.database().dump().unwrap().values().all(Vec::is_empty));
}
