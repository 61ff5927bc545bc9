//! Our pages inside somebody else's.

use chromium::{Chromium, Reader};
use form_urlencoded::Serializer;
use harness::{Result, stack::WEBSITE_APP};
use serde_json::Value;
use simulator::Action;
use web::{language::Language, reason::Reason};

use crate::{
    login::{LABELS, stack},
    team_page::TeamPage,
};

const PAGE: &str = r#"<!doctype html>
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>A team's page</title>
<h1>Ours</h1>"#;

/// Puts an address into a frame of the page, and looks into it.
async fn frame(chromium: &Chromium, address: &str) -> Result<()> {
    let script = r#"
        const frame = Object.assign(document.createElement("iframe"), { src: arguments[0], width: 320, height: 480 });
        document.body.append(frame);
    "#;
    chromium.run(script, vec![Value::from(address)]).await?;
    Ok(chromium.enter_frame(0).await?)
}

/// WeChat's QR code may be embedded in a page, and then calls back in the frame, where a login is refused.
#[tokio::test]
async fn says_in_the_frame_why_a_callback_there_is_refused() -> Result<()> {
    let stack = stack().await?;
    let page = TeamPage::serve(PAGE).await?;
    let Some(chromium) = Chromium::start(Reader::AT_A_COMPUTER).await? else { return Ok(()) };
    // Of the same site, so that the cookies come along and the console of the frame is that of the page.
    chromium.open(&page.same_site()).await?;
    let query = Serializer::new(String::new())
        .extend_pairs([
            ("appid", WEBSITE_APP),
            ("redirect_uri", &format!("{}/callback", stack.public_url())),
            ("response_type", "code"),
            ("scope", "snsapi_login"),
            ("state", &"0f".repeat(32)),
            ("login_type", "jssdk"),
            ("self_redirect", "true"),
        ])
        .finish();
    frame(&chromium, &format!("{}/connect/qrconnect?{query}", stack.simulator_url())).await?;
    chromium.arrive("微信登录").await?;
    let words = Reason::NotAPage.words(Language::Chinese);
    let simulator = stack.simulator();
    simulator
        .attempt(&Action::Scan { uuid: None, person: Some("zhou".to_owned()) })
        .map_err(harness::Failure::new)?;
    simulator.attempt(&Action::Confirm { uuid: None }).map_err(harness::Failure::new)?;

    chromium.arrive(words.title).await?;
    chromium.enter_default_frame().await?;
    chromium.look("frame-refused").await?;
    chromium.enter_frame(0).await?;
    // The button leaves the frame: the login begins as a page of its own.
    chromium.press(LABELS.open_login).await?;
    chromium.enter_default_frame().await?;
    chromium.element("#states").await?;
    chromium.leave(&[]).await
}

#[tokio::test]
async fn no_other_page_of_ours_stands_in_a_frame() -> Result<()> {
    let stack = stack().await?;
    let page = TeamPage::serve(PAGE).await?;
    let Some(chromium) = Chromium::start(Reader::AT_A_COMPUTER).await? else { return Ok(()) };
    for path in ["/", "/userinfo", "/error?reason=login_expired"] {
        chromium.open(&page.cross_site()).await?;
        frame(&chromium, &format!("{}{path}", stack.public_url())).await?;
        let found = chromium.run("return document.querySelectorAll('main').length", Vec::new()).await?;
        assert_eq!(found, 0, "{path}");
    }
    chromium.leave(&["frame-ancestors"]).await
}
