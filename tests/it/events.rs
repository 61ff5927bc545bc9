//! Every file of `events/`, through the real binaries.
//!
//! The files are requests as API Gateway hands them on. Each has a row below that says how it is
//! answered; a file without a row and a row without a file both fail. The stack knows no login and no
//! session, so whatever the files claim about themselves is a lie, and only a login that begins may
//! leave anything behind.

use std::collections::BTreeSet;

use harness::{
    Failure, Options, Result, Stack,
    database::attribute,
    event::to_response,
    events::Event,
    places::{EXCHANGE, FRESH_LOGIN, SESSION_CLEARED},
    stack::raw,
};
use serde_json::Value;
use web::{language::Language, reason::Reason, words::Labels};

use crate::{
    openid,
    support::{LABELS, assert_secured_but, read, text, title, title_elsewhere, title_unregistered},
};

use Answer::{
    Client, Document, Empty, Framed, Fresh, Json, Page, QrCode, Redirect, Script, Stage, Text, Waits, Wechat,
};

/// What the file `site-verification-file.json` asks for.
const SITE_VERIFICATION: &str = "MP_verify_0123456789abcdef.txt=0123456789abcdef";
/// What `callback-unknown-state.json` brings.
const STATE: &str = "5eed00005eed00005eed00005eed00005eed00005eed00005eed00005eed0000";
const BROWSER: &str = "b0b0cafeb0b0cafeb0b0cafeb0b0cafeb0b0cafeb0b0cafeb0b0cafeb0b0cafe";

/// How an event is answered.
enum Answer {
    /// A login begins: 302 to WeChat, and it will end here.
    Wechat(&'static str),
    /// A login begins by QR code: 302 to WeChat, and it will end here.
    QrCode(&'static str),
    /// A login begins by QR code, in a frame, and it will end here.
    Framed(&'static str),
    /// 303 to a fresh login.
    Fresh(&'static str),
    /// 303 to an address that begins so.
    Redirect(&'static str),
    /// On to the page that waits for a phone.
    Waits,
    /// How far that is, for its script.
    Stage(&'static str),
    /// A page with this status and this text.
    Page(u16, &'static str),
    /// A problem document with this status, of this type.
    Json(u16, &'static str),
    /// A plain text.
    Text(&'static str),
    /// What a client is told, with this status and error.
    Client(u16, &'static str),
    /// A public document in JSON that holds this.
    Document(&'static str),
    /// A public file of this type, or none if the browser has it.
    Script(u16, Option<&'static str>),
    /// Nothing but this status.
    Empty(u16),
}

const ME: &str = "https://www.example.com/me";
const EXPIRED: &str = "https://login.example.com/error?reason=login_expired&id=";
const INVALID: &str = "https://login.example.com/error?reason=invalid_request&id=";
const DENIED: &str = "https://login.example.com/error?reason=access_denied&id=";
const NOT_A_PAGE: &str = "https://login.example.com/error?reason=not_a_page&id=";

const ROWS: [(&str, Answer); 200] = [
    ("authorize-app-hostile", Page(400, title(Reason::InvalidRequest))),
    ("authorize-app-official-account", Wechat(ME)),
    ("authorize-app-unknown", Page(400, title(Reason::InvalidRequest))),
    ("authorize-app-website", QrCode(ME)),
    ("authorize-auto", Wechat("https://www.example.com/me?tab=1")),
    ("authorize-broken-cookie-byte", Wechat(ME)),
    ("authorize-broken-encoding", Page(400, title(Reason::InvalidRequest))),
    ("authorize-consent", Wechat("https://www.example.com/orders/7?from=wechat")),
    ("authorize-cookie-beyond-ascii", Wechat(ME)),
    ("authorize-desktop", QrCode(ME)),
    ("authorize-desktop-wechat", Wechat(ME)),
    ("authorize-desktop-wechat-mac", Wechat(ME)),
    ("authorize-double-slash-return-to", Page(400, title(Reason::ReturnToRefused))),
    ("authorize-embedded", Framed(ME)),
    ("authorize-embedded-as-a-page", Page(403, title(Reason::NotAPage))),
    ("authorize-embedded-cross-site", Page(403, title(Reason::NotAPage))),
    ("authorize-embedded-no-fetch-metadata", Page(403, title(Reason::NotAPage))),
    ("authorize-foreign-host", Wechat(ME)),
    ("authorize-foreign-return-to", Page(400, title_unregistered())),
    ("authorize-hash-route", Wechat("https://www.example.com/#/orders/7?from=wechat")),
    ("authorize-iframe", Page(403, title(Reason::NotAPage))),
    ("authorize-image", Page(403, title(Reason::NotAPage))),
    ("authorize-look-alike-return-to", Page(400, title_unregistered())),
    ("authorize-malformed-cookie", Wechat(ME)),
    ("authorize-malformed-host", Page(400, title(Reason::InvalidRequest))),
    (
        "authorize-nested-query",
        Wechat("https://www.example.com/go?next=https%3A%2F%2Fwww.example.com%2Fa%3Fb%3Dc%26d"),
    ),
    ("authorize-ninth-attempt", Page(400, title(Reason::InvalidRequest))),
    ("authorize-no-fetch-metadata", Wechat(ME)),
    ("authorize-no-user-agent", QrCode(ME)),
    ("authorize-own-path", Wechat("https://login.example.com/userinfo-help?tab=1#top")),
    ("authorize-own-route-return-to", Page(400, title(Reason::ReturnToRefused))),
    ("authorize-prefetch", Page(403, title(Reason::NotAPage))),
    ("authorize-raw-angle-brackets", Page(400, title(Reason::InvalidRequest))),
    ("authorize-raw-control-byte", Page(400, title(Reason::InvalidRequest))),
    ("authorize-raw-letters", Page(400, title(Reason::ReturnToRefused))),
    ("authorize-raw-quote", Page(400, title(Reason::InvalidRequest))),
    ("authorize-raw-space", Page(400, title(Reason::InvalidRequest))),
    ("authorize-second-attempt", Wechat("https://www.example.com/")),
    ("authorize-silent", Wechat(ME)),
    ("authorize-switch-neither-true-nor-false", Page(400, title(Reason::InvalidRequest))),
    ("authorize-switches", Wechat(ME)),
    ("authorize-trailing-parameters-of-wechat", Wechat(ME)),
    ("authorize-two-apps", Page(400, title(Reason::InvalidRequest))),
    ("authorize-two-browser-cookies", Wechat(ME)),
    ("authorize-two-return-to", Page(400, title(Reason::InvalidRequest))),
    ("authorize-two-scopes", Page(400, title(Reason::InvalidRequest))),
    ("authorize-unknown-lang", Page(400, title(Reason::InvalidRequest))),
    ("authorize-unknown-scope", Page(400, title(Reason::InvalidRequest))),
    ("authorize-wecom", Waits),
    ("callback-broken-encoding", Redirect(INVALID)),
    ("callback-code-too-long", Redirect(INVALID)),
    ("callback-denied-authdeny", Redirect(DENIED)),
    ("callback-denied-empty-code", Redirect(DENIED)),
    ("callback-denied-no-code", Redirect(DENIED)),
    ("callback-denied-no-cookie", Redirect(DENIED)),
    ("callback-desktop", Redirect(EXPIRED)),
    ("callback-desktop-iframe", Redirect(NOT_A_PAGE)),
    ("callback-empty-state", Redirect(INVALID)),
    ("callback-iframe", Redirect(NOT_A_PAGE)),
    ("callback-image", Redirect(NOT_A_PAGE)),
    ("callback-look-alike-cookie", Fresh(FRESH_LOGIN)),
    ("callback-malformed-code", Redirect(INVALID)),
    ("callback-malformed-cookie", Fresh(FRESH_LOGIN)),
    ("callback-malformed-state", Redirect(INVALID)),
    ("callback-missing-state", Redirect(INVALID)),
    ("callback-no-cookie", Fresh(FRESH_LOGIN)),
    ("callback-no-query", Redirect(INVALID)),
    ("callback-of-a-platform", Fresh(FRESH_LOGIN)),
    ("callback-raw-quote", Page(400, title(Reason::InvalidRequest))),
    ("callback-state-too-long", Redirect(INVALID)),
    ("callback-trailing-parameters-of-wechat", Fresh(FRESH_LOGIN)),
    ("callback-two-browser-cookies", Fresh(FRESH_LOGIN)),
    ("callback-two-codes", Redirect(INVALID)),
    ("callback-two-states", Redirect(INVALID)),
    ("callback-two-states-one-encoded", Redirect(INVALID)),
    ("callback-unknown-state", Fresh(FRESH_LOGIN)),
    ("callback-unknown-state-with-session", Fresh(FRESH_LOGIN)),
    ("handoff-hidden-of-another-browser", Page(400, title(Reason::CookieMissing))),
    ("handoff-hidden-without-a-cookie", Page(400, title(Reason::CookieMissing))),
    ("handoff-iframe", Page(403, title(Reason::NotAPage))),
    ("handoff-malformed-ticket", Page(400, title(Reason::InvalidRequest))),
    ("handoff-no-ticket", Page(400, title(Reason::InvalidRequest))),
    ("handoff-tap-foreign-origin", Page(403, title(Reason::OriginRefused))),
    ("handoff-tap-malformed-number", Page(400, title(Reason::InvalidRequest))),
    ("handoff-tap-no-form", Page(400, title(Reason::InvalidRequest))),
    ("handoff-tap-no-origin", Page(403, title(Reason::OriginRefused))),
    ("handoff-tap-null-origin", Page(403, title(Reason::OriginRefused))),
    ("handoff-tap-unknown-ticket", Page(400, "二维码已过期")),
    ("handoff-two-tickets", Page(400, title(Reason::InvalidRequest))),
    ("handoff-unknown-ticket", Page(400, "二维码已过期")),
    ("handoff-wait-iframe", Page(403, title(Reason::NotAPage))),
    ("handoff-wait-malformed-choice", Page(400, title(Reason::InvalidRequest))),
    ("handoff-wait-no-cookie", Page(400, title(Reason::CookieMissing))),
    ("handoff-wait-no-state", Page(400, title(Reason::InvalidRequest))),
    ("handoff-wait-script", Stage("over")),
    ("handoff-wait-unknown", Page(400, title(Reason::LoginExpired))),
    ("logout-foreign-origin", Json(403, "origin_refused")),
    ("logout-form", Redirect("https://login.example.com/")),
    ("logout-form-foreign-origin", Page(403, title(Reason::OriginRefused))),
    ("logout-form-of-the-page", Redirect("https://login.example.com/")),
    ("logout-malformed-session", Empty(204)),
    ("logout-no-origin", Json(403, "origin_refused")),
    ("logout-null-origin", Json(403, "origin_refused")),
    ("logout-preflight", Empty(204)),
    ("logout-preflight-foreign-origin", Json(403, "origin_refused")),
    ("logout-script", Empty(204)),
    ("logout-script-no-cookie", Empty(204)),
    ("logout-with-a-body", Empty(204)),
    (
        "openid-authorize-form",
        Redirect("https://login.example.com/oauth2/authorize?response_type=code&client_id=web&"),
    ),
    ("openid-authorize-form-hostile", Page(400, title(Reason::InvalidRequest))),
    ("openid-authorize-iframe", Page(403, title_elsewhere(Reason::NotAPage))),
    ("openid-authorize-no-client", Page(400, title(Reason::InvalidRequest))),
    ("openid-authorize-two-clients", Page(400, title(Reason::InvalidRequest))),
    ("openid-authorize-unknown-client", Page(400, title(Reason::InvalidRequest))),
    ("openid-continue-no-request", Page(400, title(Reason::LoginExpired))),
    ("openid-continue-unknown", Page(400, title(Reason::LoginExpired))),
    ("openid-logout", Page(200, LABELS.log_out)),
    ("openid-logout-two-hints", Page(400, title(Reason::InvalidRequest))),
    ("site-discovery", Document("\"issuer\":\"https://login.example.com\"")),
    ("site-discovery-foreign-host", Document("\"issuer\":\"https://login.example.com\"")),
    ("site-discovery-oauth", Document("\"issuer\":\"https://login.example.com\"")),
    ("site-error-access-denied", Page(200, title(Reason::AccessDenied))),
    ("site-error-cookie-missing", Page(200, title(Reason::CookieMissing))),
    ("site-error-hostile-id", Page(200, title(Reason::LoginExpired))),
    ("site-error-hostile-reason", Page(400, title(Reason::InvalidRequest))),
    ("site-error-hostile-return-to", Page(200, title(Reason::LoginExpired))),
    ("site-error-login-expired", Page(200, title(Reason::LoginExpired))),
    ("site-error-login-failed", Page(200, title(Reason::LoginFailed))),
    ("site-error-misconfigured", Page(200, title(Reason::Misconfigured))),
    ("site-error-no-reason", Page(400, title(Reason::InvalidRequest))),
    ("site-error-not-a-page-iframe", Page(200, title(Reason::NotAPage))),
    ("site-error-raw-angle-brackets", Page(400, title(Reason::InvalidRequest))),
    ("site-error-snapshot", Page(200, title(Reason::Snapshot))),
    ("site-error-snapshot-english", Page(200, Reason::Snapshot.words(Language::English).title)),
    ("site-error-two-reasons", Page(400, title(Reason::InvalidRequest))),
    ("site-error-unexpected", Page(200, title(Reason::Unexpected))),
    ("site-error-wechat-unavailable", Page(200, title(Reason::WechatUnavailable))),
    ("site-home", Page(200, LABELS.not_logged_in)),
    ("site-home-denied", Page(200, LABELS.declined)),
    ("site-home-english", Page(200, Labels::of(Language::English).not_logged_in)),
    ("site-home-unknown-error", Page(200, LABELS.not_logged_in)),
    ("site-home-with-session", Page(200, LABELS.view_profile)),
    ("site-script", Script(200, Some("text/javascript; charset=utf-8"))),
    ("site-script-foreign-origin", Script(200, Some("text/javascript; charset=utf-8"))),
    ("site-script-known", Script(304, None)),
    ("site-script-types", Script(200, Some("application/typescript; charset=utf-8"))),
    ("site-unknown-file", Page(404, title(Reason::NotFound))),
    ("site-verification-file", Text("0123456789abcdef")),
    ("site-verification-file-in-other-case", Page(404, title(Reason::NotFound))),
    ("site-verification-file-of-another-site", Page(404, title(Reason::NotFound))),
    ("token-broken-encoding", Json(400, "invalid_target")),
    ("token-code-basic", Client(401, "invalid_client")),
    ("token-code-json", Client(400, "invalid_request")),
    ("token-code-no-client", Client(400, "invalid_request")),
    ("token-code-unknown-client", Client(401, "invalid_client")),
    ("token-foreign-origin", Json(403, "origin_refused")),
    ("token-keys", Document("\"kty\":\"RSA\"")),
    ("token-keys-foreign-host", Document("\"kty\":\"RSA\"")),
    ("token-malformed-session", Json(401, "not_logged_in")),
    ("token-no-cookie", Json(401, "not_logged_in")),
    ("token-no-origin", Json(403, "origin_refused")),
    ("token-null-origin", Json(403, "origin_refused")),
    ("token-of-an-api", Json(401, "not_logged_in")),
    ("token-of-an-unknown-api", Json(400, "invalid_target")),
    ("token-preflight", Empty(204)),
    ("token-preflight-foreign-origin", Json(403, "origin_refused")),
    ("token-raw-quote", Page(400, title(Reason::InvalidRequest))),
    ("token-revoke-unknown-client", Client(401, "invalid_client")),
    ("token-two-origins", Json(403, "origin_refused")),
    ("token-two-resources", Json(400, "invalid_target")),
    ("token-two-sessions", Json(401, "not_logged_in")),
    ("token-unknown-session", Json(401, "not_logged_in")),
    ("token-with-a-body", Json(401, "not_logged_in")),
    ("userinfo-bearer-none", Empty(401)),
    ("userinfo-bearer-unknown", Empty(401)),
    ("userinfo-delete", Empty(204)),
    ("userinfo-delete-foreign-origin", Json(403, "origin_refused")),
    ("userinfo-delete-malformed-session", Empty(204)),
    ("userinfo-delete-no-cookie", Empty(204)),
    ("userinfo-delete-no-origin", Json(403, "origin_refused")),
    ("userinfo-delete-null-origin", Json(403, "origin_refused")),
    ("userinfo-delete-preflight", Empty(204)),
    ("userinfo-foreign-origin", Json(403, "origin_refused")),
    ("userinfo-malformed-session", Json(401, "not_logged_in")),
    ("userinfo-no-cookie", Json(401, "not_logged_in")),
    ("userinfo-no-cookie-page", Page(401, title(Reason::NotLoggedIn))),
    ("userinfo-no-cookie-page-english", Page(401, Reason::NotLoggedIn.words(Language::English).title)),
    ("userinfo-no-origin", Json(401, "not_logged_in")),
    ("userinfo-null-origin", Json(403, "origin_refused")),
    ("userinfo-preflight", Empty(204)),
    ("userinfo-preflight-foreign-origin", Json(403, "origin_refused")),
    ("userinfo-preflight-no-origin", Json(403, "origin_refused")),
    ("userinfo-raw-quote", Page(400, title(Reason::InvalidRequest))),
    ("userinfo-two-langs", Json(400, "invalid_request")),
    ("userinfo-two-origins", Json(403, "origin_refused")),
    ("userinfo-two-sessions", Json(401, "not_logged_in")),
    ("userinfo-unknown-lang", Json(400, "invalid_request")),
    ("userinfo-unknown-session", Json(401, "not_logged_in")),
    ("userinfo-unknown-session-page", Page(401, title(Reason::NotLoggedIn))),
    ("userinfo-unknown-verify", Json(400, "invalid_request")),
];

async fn stack() -> Result<Stack> {
    let provider = openid::provider(&openid::one_api());
    Stack::start(provider.with("SITE_VERIFICATION", SITE_VERIFICATION)).await
}

/// Holds an answer against its row.
fn assert_answered(name: &str, answer: &Value, expected: &Answer) -> Result<()> {
    let response = to_response(answer)?;
    let headers = response.headers();
    let is_public = matches!(expected, Document(_) | Script(..));
    let freed: &[&str] = if is_public { &["cache-control", "cross-origin-resource-policy"] } else { &[] };
    assert_secured_but(headers, freed, name);
    let status = response.status().as_u16();
    let body = answer.get("body").and_then(Value::as_str).unwrap_or_default();
    let (location, kind) = (text(headers, "location"), text(headers, "content-type"));
    let told = format!("{name}: {status} {location:?} {kind:?} {body}");
    assert_eq!(headers.contains_key("retry-after"), status == 503, "{told}");
    match *expected {
        Wechat(_) | QrCode(_) => {
            assert_eq!((status, body), (302, ""), "{told}");
            let page = match expected {
                QrCode(_) => "qrconnect?appid=wx0000000000000bbb",
                _ => "oauth2/authorize?appid=wx0000000000000aaa",
            };
            let wechat = format!(
                "https://open.weixin.qq.com/connect/{page}\
                 &redirect_uri=https%3A%2F%2Flogin.example.com%2Fcallback&response_type=code&scope=snsapi_"
            );
            let location = location.unwrap_or_default();
            assert!(location.starts_with(&wechat) && location.ends_with("#wechat_redirect"), "{told}");
        }
        Fresh(expected) => {
            assert_eq!((status, location, body), (303, Some(expected), ""), "{told}");
        }
        Redirect(prefix) => {
            assert_eq!((status, body), (303, ""), "{told}");
            assert!(location.is_some_and(|location| location.starts_with(prefix)), "{told}");
            // WeChat's code and the state stay behind, whatever the query held.
            assert!(!told.contains("code=") && !told.contains("state="), "{told}");
        }
        Waits => {
            assert_eq!((status, body), (302, ""), "{told}");
            let waits = "https://login.example.com/handoff/wait?state=";
            assert!(location.is_some_and(|location| location.starts_with(waits)), "{told}");
        }
        Stage(stage) => {
            assert_eq!((status, kind), (200, Some("application/json; charset=utf-8")), "{told}");
            assert_eq!(body, format!("{{\"stage\":\"{stage}\"}}"), "{told}");
        }
        Page(expected, fragment) => {
            assert_eq!((status, location), (expected, None), "{told}");
            assert_eq!(kind, Some("text/html; charset=utf-8"), "{told}");
            assert!(read(body).contains(fragment), "{told}");
            assert!(!body.contains("<script") && !body.contains("javascript:"), "{told}");
        }
        Json(expected, reason) => {
            assert_eq!((status, location), (expected, None), "{told}");
            assert_eq!(kind, Some("application/problem+json; charset=utf-8"), "{told}");
            let problem: Value = serde_json::from_str(body)?;
            let is = |name: &str| problem.get(name).cloned().unwrap_or_default();
            assert_eq!(is("type"), format!("urn:wechat-login:{reason}"), "{told}");
            assert_eq!(is("status"), status, "{told}");
            assert_eq!(is("correlation_id").as_str(), text(headers, "x-correlation-id"), "{told}");
            assert_eq!(problem.get("authorize_url").is_some(), expected == 401, "{told}");
        }
        Text(expected) => {
            assert_eq!((status, kind, body), (200, Some("text/plain; charset=utf-8"), expected), "{told}");
        }
        Client(expected, error) => {
            assert_eq!((status, kind), (expected, Some("application/json; charset=utf-8")), "{told}");
            let told_client: Value = serde_json::from_str(body)?;
            assert_eq!(told_client.get("error").and_then(Value::as_str), Some(error), "{told}");
        }
        Document(fragment) => {
            assert_eq!((status, kind), (200, Some("application/json; charset=utf-8")), "{told}");
            assert_eq!(text(headers, "cache-control"), Some("public, max-age=3600"), "{told}");
            assert!(body.contains(fragment) && !body.contains("evil"), "{told}");
        }
        Script(expected, expected_kind) => {
            assert_eq!((status, kind), (expected, expected_kind), "{told}");
            assert_eq!(text(headers, "cache-control"), Some("public, max-age=3600"), "{told}");
            assert_eq!(text(headers, "access-control-allow-origin"), Some("*"), "{told}");
            assert!(!headers.contains_key("access-control-allow-credentials"), "{told}");
            assert_eq!(body.is_empty(), status == 304, "{told}");
        }
        Framed(_) => {
            assert_eq!((status, kind), (200, Some("text/html; charset=utf-8")), "{told}");
            let on =
                "content=\"0;url=https://open.weixin.qq.com/connect/qrconnect?appid=wx0000000000000bbb&#38;";
            assert!(body.contains(on) && !body.contains("<script"), "{told}");
        }
        Empty(expected) => {
            assert_eq!((status, location, kind, body), (expected, None, None, ""), "{told}");
        }
    }
    Ok(())
}

#[test]
fn every_file_has_a_row_and_every_row_a_file() {
    let files: BTreeSet<_> = Event::all().unwrap().into_iter().map(|event| event.name).collect();
    let rows: BTreeSet<_> = ROWS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let difference: Vec<_> = files.symmetric_difference(&rows).collect();
    assert!(difference.is_empty(), "{difference:?}");
    assert_eq!(rows.len(), ROWS.len(), "a row stands twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_answered_as_its_row_says() {
    let stack = stack().await.unwrap();
    let mut begun = BTreeSet::new();
    for event in Event::all().unwrap() {
        let Some((_, expected)) = ROWS.iter().find(|(name, _)| *name == event.name) else {
            // The other test says so.
            continue;
        };
        let answer = stack.gateway().invoke(event.function, &event.payload).await.unwrap();
        assert_answered(&event.name, &answer, expected).unwrap();
        event.check(&answer).unwrap();

        // A login that begins leaves one item and the cookie; everything else leaves nothing.
        let stored = stack.logins().unwrap();
        let fresh: Vec<_> =
            stored.iter().filter(|item| !begun.contains(attribute(item, "id"))).cloned().collect();
        let cookies = answer["cookies"].as_array().cloned().unwrap_or_default();
        match expected {
            Wechat(target) | QrCode(target) | Framed(target) => {
                assert_eq!(fresh.len(), 1, "{}", event.name);
                assert_eq!(attribute(&fresh[0], "return_to"), *target, "{}", event.name);
                assert_eq!(cookies.len(), 1, "{}", event.name);
                begun.insert(attribute(&fresh[0], "id").to_owned());
            }
            Waits => {
                assert_eq!((fresh.len(), cookies.len()), (1, 1), "{}", event.name);
                assert_eq!(attribute(&fresh[0], "return_to"), ME, "{}", event.name);
                begun.insert(attribute(&fresh[0], "id").to_owned());
            }
            Empty(204) | Redirect("https://login.example.com/")
                if (event.function == "logout" || event.name.starts_with("userinfo-delete"))
                    && !event.name.contains("preflight") =>
            {
                assert_eq!((cookies.len(), &cookies[0]), (2, &SESSION_CLEARED.into()), "{}", event.name);
                assert!(fresh.is_empty(), "{}", event.name);
            }
            _ => assert!(fresh.is_empty() && cookies.is_empty(), "{}: {answer}", event.name),
        }
        assert!(stack.sessions().unwrap().is_empty(), "{}", event.name);
    }
    assert!(stack.simulator().ledger().is_empty());
    assert!(stack.gateway().answering().iter().all(|name| stack.functions().cold_starts(name) == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_cookie_does_not_cost_the_others() {
    let stack = stack().await.unwrap();
    for name in ["authorize-broken-cookie-byte", "authorize-cookie-beyond-ascii"] {
        let event = Event::all().unwrap().into_iter().find(|event| event.name == name).unwrap();
        let secret = format!("{}.{BROWSER}", harness::time::now_seconds());
        let payload = event.payload.to_string().replace(BROWSER, &secret);
        let payload = serde_json::from_str(&payload).unwrap();
        let answer = stack.gateway().invoke("authorize", &payload).await.unwrap();
        let cookie = answer["cookies"][0].as_str().unwrap();
        assert!(cookie.starts_with(&format!("__Host-browser={secret};")), "{name}: {cookie}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_callback_events_that_are_well_formed_log_in_once_their_login_is_stored() {
    for name in ["callback-unknown-state", "callback-trailing-parameters-of-wechat"] {
        let stack = stack().await.unwrap();
        let state = login::pending::State::parse(STATE).unwrap();
        let login = serde_json::json!({
            "id": { "S": state.login_id().as_str() },
            "browser": { "S": login::Digest::of(BROWSER.as_bytes()).as_str() },
            "app": { "S": harness::stack::OFFICIAL_ACCOUNT },
            "scope": { "S": "snsapi_base" },
            "return_to": { "S": "https://www.example.com/#/orders/7" },
            "attempt": { "N": "1" },
            "expires_at": { "N": (harness::time::now_seconds() + 60).to_string() },
        });
        stack.database().put(stack.table("LoginsTable").unwrap(), &login).unwrap();
        let body = r#"{"access_token":"90_a","expires_in":7200,"refresh_token":"90_r","openid":"oA","scope":"snsapi_base"}"#;
        stack.script(EXCHANGE, raw(200, body), 1);
        let event = Event::all().unwrap().into_iter().find(|event| event.name == name).unwrap();
        let answer = stack.gateway().invoke("callback", &event.payload).await.unwrap();
        assert_eq!(answer["statusCode"], 303, "{answer}");
        assert_eq!(answer["headers"]["location"], "https://www.example.com/#/orders/7", "{answer}");
        assert!(answer["cookies"][0].as_str().unwrap().starts_with("__Host-session="), "{answer}");
        assert_eq!(stack.requests(EXCHANGE).len(), 1);
        assert_eq!(stack.sessions().unwrap().len(), 1);
    }
}

/// A request as a REST API hands it on (payload 1.0), which is not served.
fn event_of_a_rest_api() -> Value {
    let headers = serde_json::json!({ "Host": "login.example.com", "Accept": "text/html" });
    serde_json::json!({
        "resource": "/authorize",
        "path": "/authorize",
        "httpMethod": "GET",
        "headers": headers,
        "multiValueHeaders": { "Host": ["login.example.com"], "Accept": ["text/html"] },
        "queryStringParameters": { "scope": "snsapi_base" },
        "multiValueQueryStringParameters": { "scope": ["snsapi_base"] },
        "pathParameters": null,
        "stageVariables": null,
        "requestContext": {
            "accountId": "123456789012", "apiId": "a1b2c3d4e5", "domainName": "login.example.com",
            "httpMethod": "GET", "path": "/prod/authorize", "protocol": "HTTP/1.1", "requestId": "c6af9ac6",
            "requestTimeEpoch": 1_700_000_000_000_u64, "resourcePath": "/authorize", "stage": "prod",
            "identity": { "sourceIp": "203.0.113.9", "userAgent": "MicroMessenger" },
        },
        "body": null,
        "isBase64Encoded": false,
    })
}

/// The same as a load balancer does.
fn event_of_a_load_balancer() -> Value {
    serde_json::json!({
        "requestContext": { "elb": {
            "targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/login/0123456789abcdef",
        } },
        "httpMethod": "GET",
        "path": "/authorize",
        "queryStringParameters": { "scope": "snsapi_base" },
        "headers": { "host": "login.example.com", "accept": "text/html", "x-forwarded-for": "203.0.113.9" },
        "body": "",
        "isBase64Encoded": false,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_none_is_answered_all_the_same() {
    let stack = Stack::start(Options::default().with("SITE_NAME", "青禾书店")).await.unwrap();
    for function in stack.gateway().answering() {
        for event in [
            Value::Null,
            Value::from("GET /"),
            Value::from(1),
            serde_json::json!({}),
            serde_json::json!([]),
            serde_json::json!({ "version": "1.0", "path": "/", "httpMethod": "GET" }),
            event_of_a_rest_api(),
            event_of_a_load_balancer(),
            serde_json::json!({ "version": "2.0", "cookies": [1, null], "requestContext": {} }),
        ] {
            let answer = stack.gateway().invoke(function, &event).await;
            let answer =
                answer.map_err(|error| Failure::new(format!("{function} {event}: {error}"))).unwrap();
            assert_eq!(answer["statusCode"], 400, "{function} {event}: {answer}");
            crate::support::assert_secured(to_response(&answer).unwrap().headers(), function);
            // Whose page it is, even this one says.
            assert!(answer["body"].as_str().unwrap().contains("青禾书店"), "{function}: {answer}");
        }
        assert_eq!(stack.functions().cold_starts(function), 1, "{function} died of an event");
    }
}
