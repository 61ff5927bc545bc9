//! WeChat's page with the QR code, inside of a page of the team's own, as `wxLogin.js` puts it there; and quick login.

use chromium::{Chromium, Reader};
use form_urlencoded::byte_serialize;
use harness::{Failure, Result, Stack, stack::WEBSITE_APP};
use serde_json::{Value, json};
use simulator::{Action, Entry, QuickLogin};

use crate::{login::stack, team_page::TeamPage};

const PAGE: &str = r#"<!doctype html>
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>A team's page</title>
<h1>Ours</h1>
<div id="here"></div>"#;

/// Loads `wxLogin.js` and shows the QR code by it, with more options; returns when it is ready.
const SHOW: &str = r#"
    const [script, options] = arguments;
    return new Promise((resolve, reject) => {
        const element = Object.assign(document.createElement("script"), { src: script, onerror: reject });
        element.onload = () => new WxLogin({ ...options, id: "here", scope: "snsapi_login", onReady: resolve });
        document.head.append(element);
    });
"#;

/// A team's page with the QR code on it.
async fn shown(stack: &Stack, chromium: &Chromium, page: &TeamPage, more: Value) -> Result<()> {
    chromium.open(&page.cross_site()).await?;
    let redirect_uri: String = byte_serialize(page.same_site().as_bytes()).collect();
    let mut options = json!({ "appid": WEBSITE_APP, "redirect_uri": redirect_uri, "state": "abc" });
    if let (Some(options), Value::Object(more)) = (options.as_object_mut(), more) {
        options.extend(more);
    }
    let script = format!("{}/connect/zh_CN/htmledition/js/wxLogin.js", stack.simulator_url());
    assert_eq!(chromium.run(SHOW, vec![script.into(), options]).await?, true);
    Ok(())
}

/// Scans the QR code and confirms; the callback with the code.
fn scan(stack: &Stack, page: &TeamPage) -> Result<String> {
    let simulator = stack.simulator();
    let scan = Action::Scan { uuid: None, person: Some("zhou".to_owned()) };
    simulator.attempt(&scan).map_err(Failure::new)?;
    simulator.attempt(&Action::Confirm { uuid: None }).map_err(Failure::new)?;
    let code = simulator.qr_codes().pop().map(|shown| shown.progress);
    let Some(simulator::QrProgress::Confirmed { code, .. }) = code else {
        return Err(Failure::new("nobody confirmed"));
    };
    Ok(format!("{}/?code={code}&state=abc", page.same_site()))
}

/// A scan is no gesture in the page that shows the code.
#[tokio::test]
async fn sends_the_page_to_the_callback_only_where_the_frame_may() -> Result<()> {
    let stack = stack().await?;
    let page = TeamPage::serve(PAGE).await?;
    let Some(chromium) = Chromium::start(Reader::AT_A_COMPUTER).await? else { return Ok(()) };
    shown(&stack, &chromium, &page, json!({})).await?;
    let here = chromium.current_url().await?;
    scan(&stack, &page)?;
    chromium.enter_frame(0).await?;
    chromium.element("[data-state='405']").await?;
    chromium.enter_default_frame().await?;
    assert_eq!(chromium.current_url().await?, here);

    stack.simulator().knobs(|knobs| knobs.wx_login_sandbox = true);
    shown(&stack, &chromium, &page, json!({})).await?;
    let callback = scan(&stack, &page)?;
    chromium.until_at(&callback).await?;
    chromium.leave(&["nor has it received a user gesture", "DOMException"]).await
}

#[tokio::test]
async fn goes_to_the_callback_within_the_frame_and_looks_as_the_team_wants() -> Result<()> {
    let stack = stack().await?;
    let page = TeamPage::serve(PAGE).await?;
    let Some(chromium) = Chromium::start(Reader::AT_A_COMPUTER).await? else { return Ok(()) };
    // `.impowerBox .title{color:red}`
    let href = "data:text/css;base64,LmltcG93ZXJCb3ggLnRpdGxle2NvbG9yOnJlZH0";
    let color = "return getComputedStyle(document.querySelector('.title')).color";
    for (lite, expected) in [(0, "rgb(255, 0, 0)"), (1, "rgb(25, 25, 25)")] {
        let more = json!({ "self_redirect": true, "href": href, "stylelite": lite, "style": "black" });
        shown(&stack, &chromium, &page, more).await?;
        chromium.enter_frame(0).await?;
        chromium.arrive("微信登录").await?;
        assert_eq!(chromium.run(color, Vec::new()).await?, expected);
        chromium.enter_default_frame().await?;
    }
    scan(&stack, &page)?;
    chromium.enter_frame(0).await?;
    chromium.arrive("Ours").await?;
    chromium.enter_default_frame().await?;
    chromium.leave(&[]).await
}

#[tokio::test]
async fn logs_in_without_a_scan_where_wechat_runs_on_the_computer() -> Result<()> {
    let stack = stack().await?;
    let page = TeamPage::serve(PAGE).await?;
    let Some(chromium) = Chromium::start(Reader::AT_A_COMPUTER).await? else { return Ok(()) };
    let simulator = stack.simulator();
    simulator.knobs(|knobs| knobs.quick_login = QuickLogin::Deny);
    shown(&stack, &chromium, &page, json!({ "stylelite": 1 })).await?;
    chromium.enter_frame(0).await?;
    assert_eq!(chromium.text("#quick .name").await?, "小满🌾");
    chromium.press("微信快速登录").await?;
    assert!(chromium.text("#states").await?.starts_with("你已取消此次登录"));

    // Pressing the button is a gesture, and needs no sandbox.
    simulator.knobs(|knobs| knobs.quick_login = QuickLogin::Allow);
    chromium.press("微信快速登录").await?;
    chromium.enter_default_frame().await?;
    let told = |entry: &Entry| entry.path == "/api/authorize" && entry.code.is_some();
    simulator.until(|entries| entries.iter().any(told)).await;
    let code = simulator.ledger().into_iter().find(told).and_then(|entry| entry.code).unwrap_or_default();
    chromium.until_at(&format!("{}/?code={code}&state=abc", page.same_site())).await?;
    chromium.leave(&[]).await
}
