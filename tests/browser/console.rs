//! The console is watched: what these tests promise about it would otherwise mean nothing.

use chromium::{Chromium, Reader};
use harness::Result;

use crate::team_page::TeamPage;

const FAULTY: &str = r#"<!doctype html>
<meta http-equiv="content-security-policy" content="default-src 'none'; script-src 'unsafe-inline'">
<h1>Faulty</h1>
<img src="/picture" alt="">
<script>console.error("spoken"); nothing.is.there();</script>"#;

#[tokio::test]
async fn a_page_that_breaks_its_policy_or_its_script_is_noticed() -> Result<()> {
    let page = TeamPage::serve(FAULTY).await?;
    let Some(chromium) = Chromium::start(Reader::AT_A_COMPUTER).await? else { return Ok(()) };
    chromium.open(&page.same_site()).await?;
    chromium.leave(&["spoken", "nothing is not defined", "Content Security Policy"]).await
}

#[tokio::test]
async fn a_dialog_is_noticed() -> Result<()> {
    let page = TeamPage::serve("<!doctype html><script>setTimeout(() => alert('here'))</script>").await?;
    let Some(chromium) = Chromium::start(Reader::AT_A_COMPUTER).await? else { return Ok(()) };
    chromium.open(&page.same_site()).await?;
    assert_eq!(chromium.get_alert_text().await?, "here");
    chromium.dismiss_alert().await?;
    chromium.leave(&[]).await
}
