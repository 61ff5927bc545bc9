//! Logging in at an app on the same device, and out again by a link: the two pages that only a client leads to. And a
//! request that a site of another's posts.

use std::net::Ipv6Addr;

use harness::{Options, Result, Stack, signing_key};
use serde_json::json;
use web::{language::Language, words::Labels};

use chromium::{Chromium, Reader};

use crate::team_page::TeamPage;

/// RFC 7636, appendix B.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A stack whose client is an app on the device, which takes the answer at a loopback address.
async fn stack() -> Result<Stack> {
    stack_of("phone", &["http://127.0.0.1/cb", "http://[::1]/cb"]).await
}

/// A stack with a client that takes answers there.
async fn stack_of(client: &str, redirect_uris: &[&str]) -> Result<Stack> {
    let provider = json!({"subject": "openid", "clients": {client: {"redirect_uris": redirect_uris}}});
    let options = Options::default().on_this_machine().with("OPENID_CONNECT", &provider.to_string());
    Stack::start(options.with("SIGNING_KEYS", signing_key::of_this_process()?)).await
}

/// Logs in at the app at this address: by way of the page that names it, whose policy lets its form lead there.
async fn go_to_the_app(chromium: &Chromium, stack: &Stack, app: &str, language: Language) -> Result<()> {
    let labels = Labels::of(language);
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("response_type", "code"),
            ("client_id", "phone"),
            ("redirect_uri", app),
            ("scope", "openid"),
            ("state", "of the app"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ])
        .finish();
    chromium.open(&format!("{}/oauth2/authorize?{query}", stack.public_url())).await?;
    chromium.arrive(labels.back_to_app).await?;
    assert_eq!(chromium.text("p.id").await?, "phone");
    chromium.look(&format!("app-asks-{}", language.tag())).await?;
    chromium.press(labels.go_on).await?;
    chromium.until_left(app).await?;
    let here = chromium.current_url().await?;
    let answer: Vec<_> = here.query_pairs().into_owned().collect();
    let names: Vec<_> = answer.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["code", "state", "iss"]);
    Ok(())
}

async fn goes_there_and_back(reader: Reader, language: Language) -> Result<()> {
    let stack = stack().await?;
    let Some(chromium) = Chromium::start(reader).await? else { return Ok(()) };
    let (labels, tag) = (Labels::of(language), language.tag());
    // Whatever answers there: it is the address that counts.
    go_to_the_app(&chromium, &stack, &format!("{}/cb", stack.simulator_url()), language).await?;

    // A link alone logs nobody out.
    chromium.open(&format!("{}/oauth2/logout", stack.public_url())).await?;
    chromium.arrive(labels.ask_log_out).await?;
    chromium.look(&format!("log-out-asked-{tag}")).await?;
    assert_eq!(kinds(&chromium.cookie_names().await?), ["browser", "request", "session"]);
    chromium.press(labels.log_out).await?;
    chromium.arrive(labels.log_in).await?;
    assert_eq!(kinds(&chromium.cookie_names().await?), ["browser", "request"]);
    chromium.leave(&["status of 404"]).await
}

/// A policy has no word for such an address, and a browser leaves out what it cannot read.
#[tokio::test]
async fn an_app_at_an_address_of_ipv6_is_gone_back_to() -> Result<()> {
    // A machine without IPv6 has no such app.
    let Ok(app) = TeamPage::serve_at("<title>the app</title>", Ipv6Addr::LOCALHOST.into()).await else {
        return Ok(());
    };
    let stack = stack().await?;
    let Some(chromium) = Chromium::start(Reader::IN_WECHAT).await? else { return Ok(()) };
    let app = format!("{}/cb", app.cross_site());
    go_to_the_app(&chromium, &stack, &app, Language::Chinese).await?;
    chromium.leave(&[]).await
}

/// A form that a page of another site posts comes without our cookies, for they are `Lax`; the page that it is sent on
/// to has them. So whoever is logged in gets his code at once
/// ([OpenID Connect Core §3.1.2.1](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest)).
#[tokio::test]
async fn a_form_of_another_site_is_answered_by_the_session() -> Result<()> {
    let app = TeamPage::serve("<title>the app</title>").await?;
    let callback = format!("{}/cb", app.same_site());
    let stack = stack_of("shop", &[&callback]).await?;
    let Some(chromium) = Chromium::start(Reader::IN_WECHAT).await? else { return Ok(()) };
    let parameters = [
        ("response_type", "code"),
        ("client_id", "shop"),
        ("redirect_uri", &*callback),
        ("scope", "openid"),
        ("state", "of the form"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let authorize = format!("{}/oauth2/authorize", stack.public_url());
    let fields = parameters.map(|(name, value)| format!("<input type=hidden name={name} value=\"{value}\">"));
    let form =
        format!("<form method=post action=\"{authorize}\">{}<button>Log in</button></form>", fields.concat());
    app.show(&form, "");
    for is_logged_in in [false, true] {
        let asked_before = stack.requests("/connect/oauth2/authorize").len();
        chromium.open(&app.cross_site()).await?;
        chromium.press("Log in").await?;
        chromium.until_left(&callback).await?;
        let here = chromium.current_url().await?;
        let state = here.query_pairs().find(|(name, _)| name == "state").map(|(_, value)| value.into_owned());
        assert_eq!(state.as_deref(), Some("of the form"), "{here}");
        assert!(here.query_pairs().any(|(name, _)| name == "code"), "{here}");
        let is_asked = stack.requests("/connect/oauth2/authorize").len() > asked_before;
        assert_eq!(is_asked, !is_logged_in, "{here}");
    }
    chromium.leave(&[]).await
}

/// What a cookie is for. A browser's first request has one of its own, named after that request.
fn kinds(names: &[String]) -> Vec<&str> {
    let own = names.iter().map(|name| name.trim_start_matches("wechat-login-"));
    own.map(|name| name.split('-').next().unwrap_or_default()).collect()
}

#[tokio::test]
async fn an_app_is_named_and_a_logout_is_asked_for_in_chinese() -> Result<()> {
    goes_there_and_back(Reader::IN_WECHAT, Language::Chinese).await
}

#[tokio::test]
async fn an_app_is_named_and_a_logout_is_asked_for_in_english() -> Result<()> {
    goes_there_and_back(Reader::IN_WECHAT.reading("en-US,en"), Language::English).await
}
