//! Logging in on a computer, with the phone in the other hand.

use chromium::{Chromium, Reader, WindowHandle};
use harness::{Options, Result, Stack, stack::WEBSITE_APP};
use web::{language::Language, words::Labels};

use crate::login::{LABELS, NO_AVATAR, stack};

/// A login begun at a computer, from the front page: on WeChat's page with the QR code.
async fn at_the_code(stack: &Stack) -> Result<Option<Chromium>> {
    let Some(chromium) = Chromium::start(Reader::AT_A_COMPUTER).await? else { return Ok(None) };
    chromium.open(stack.public_url()).await?;
    chromium.press(LABELS.log_in).await?;
    assert_eq!(chromium.text("#states").await?, "使用微信扫一扫登录\n“青禾书店网站”");
    Ok(Some(chromium))
}

/// Scans the code with a person's phone, in another tab; the first one, which is returned, says so.
async fn scan(chromium: &Chromium, person: &str) -> Result<WindowHandle> {
    chromium.press("模拟：用虚拟手机扫码").await?;
    let computer = chromium.other_tab().await?;
    let phone = chromium.window().await?;
    chromium.arrive("用谁的微信扫码？").await?;
    chromium.element(&format!("input[value={person}]")).await?.click().await?;
    chromium.press("扫码").await?;
    chromium.arrive("使用你的微信账号登录").await?;
    chromium.switch_to_window(computer.clone()).await?;
    chromium.element("[data-state='404']").await?;
    assert_eq!(chromium.text("#states").await?, "扫描成功\n在微信中轻触允许即可登录");
    chromium.switch_to_window(phone).await?;
    Ok(computer)
}

#[tokio::test]
async fn logs_in_by_qr_code() -> Result<()> {
    let stack = stack().await?;
    let Some(chromium) = at_the_code(&stack).await? else { return Ok(()) };
    chromium.look("wechat-qr").await?;
    let computer = scan(&chromium, "zhou").await?;
    chromium.look("wechat-phone").await?;
    chromium.press("确认登录").await?;
    chromium.arrive("已确认登录").await?;
    chromium.close_window().await?;
    chromium.switch_to_window(computer).await?;

    chromium.until_at(&format!("{}/", stack.public_url())).await?;
    chromium.press(LABELS.view_profile).await?;
    assert_eq!(chromium.text("dd.id").await?, stack.simulator().openid("zhou", WEBSITE_APP));
    chromium.look("profile-qr").await?;
    // Behind the front page is the code again, and it can be scanned.
    chromium.back().await?;
    chromium.back().await?;
    chromium.says("#states", "使用微信扫一扫登录\n“青禾书店网站”").await?;
    chromium.leave(&[NO_AVATAR]).await
}

#[tokio::test]
async fn says_where_the_code_is_that_the_phone_cancelled() -> Result<()> {
    let stack = stack().await?;
    let Some(chromium) = at_the_code(&stack).await? else { return Ok(()) };
    let computer = scan(&chromium, "zhou").await?;
    chromium.press("取消").await?;
    chromium.arrive("已取消登录").await?;
    chromium.close_window().await?;
    chromium.switch_to_window(computer).await?;
    chromium.element("[data-state='403']").await?;
    assert_eq!(chromium.text("#states").await?, "你已取消此次登录\n你可再次登录，或关闭窗口");
    chromium.look("wechat-qr-cancelled").await?;

    chromium.open(stack.public_url()).await?;
    assert_eq!(chromium.text("main > p").await?, LABELS.not_logged_in);
    assert_eq!(chromium.cookie_names().await?, ["wechat-login-browser"]);
    chromium.leave(&[]).await
}

/// Who has the QR code on another screen can have it all the same; where only a QR code logs people in, a phone is told
/// so.
#[tokio::test]
async fn offers_a_phone_the_code_for_another_screen() -> Result<()> {
    for (without, reader, labels, title, picture) in [
        ("", Reader::ON_A_PHONE, LABELS, LABELS.open_in_wechat, "phone-with-both-apps-zh"),
        (
            "",
            Reader::ON_A_PHONE.reading("en-US,en"),
            Labels::of(Language::English),
            Labels::of(Language::English).open_in_wechat,
            "phone-with-both-apps-en",
        ),
        (
            "OFFICIAL_ACCOUNT_APP_ID",
            Reader::IN_WECHAT,
            LABELS,
            LABELS.open_on_computer,
            "wechat-with-website-app-zh",
        ),
        (
            "OFFICIAL_ACCOUNT_APP_ID",
            Reader::ON_A_PHONE.reading("en-US,en"),
            Labels::of(Language::English),
            Labels::of(Language::English).open_on_computer,
            "phone-with-website-app-en",
        ),
    ] {
        let stack = Stack::start(Options::default().on_this_machine().without(without)).await?;
        let Some(chromium) = Chromium::start(reader).await? else { return Ok(()) };
        chromium.open(&format!("{}/authorize", stack.public_url())).await?;
        chromium.arrive(title).await?;
        chromium.look(picture).await?;
        chromium.press(labels.show_code).await?;
        chromium.element(".js_qrcode_img").await?;
        chromium.leave(&[]).await?;
    }
    Ok(())
}
