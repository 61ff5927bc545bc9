//! Logging in at an app on the same device, and out again by a link: the two pages that only a client leads to.

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
    let phone = json!({"redirect_uris": ["http://127.0.0.1/cb", "http://[::1]/cb"]});
    let provider = json!({"subject": "openid", "clients": {"phone": phone}});
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

/// What a cookie is for. A browser's first request has one of its own, named after that request.
fn kinds(names: &[String]) -> Vec<&str> {
    names.iter().map(|name| name.split('-').next().unwrap_or_default()).collect()
}

#[tokio::test]
async fn an_app_is_named_and_a_logout_is_asked_for_in_chinese() -> Result<()> {
    goes_there_and_back(Reader::IN_WECHAT, Language::Chinese).await
}

#[tokio::test]
async fn an_app_is_named_and_a_logout_is_asked_for_in_english() -> Result<()> {
    goes_there_and_back(Reader::IN_WECHAT.reading("en-US,en"), Language::English).await
}
