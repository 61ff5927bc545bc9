//! Logging in inside WeChat, and out again.

use harness::{Options, Result, Stack, stack::OFFICIAL_ACCOUNT};
use simulator::Denial;

use crate::chromium::{Chromium, Reader};

/// The picture of a person, which names that lead nowhere keep away.
pub const NO_AVATAR: &str = "qlogo.cn";

/// The front page without a session, and with one.
pub const LOGGED_OUT: &str = "你还没有登录。";
pub const LOGGED_IN: &str = "你在这个浏览器里登录过。";

/// The usual stack, as a browser on this machine reaches it.
pub async fn stack() -> Result<Stack> {
    Stack::start(Options::default().on_this_machine()).await
}

/// Somebody in WeChat, on the front page.
async fn in_wechat(stack: &Stack) -> Result<Option<Chromium>> {
    let Some(chromium) = Chromium::start(Reader::IN_WECHAT).await? else { return Ok(None) };
    chromium.open(stack.public_url()).await?;
    assert_eq!(chromium.text("main > p").await?, LOGGED_OUT);
    Ok(Some(chromium))
}

/// Presses the button that asks for the profile, and answers WeChat's question.
async fn consent(chromium: &Chromium, person: &str, decision: &str) -> Result<()> {
    chromium.press("登录并提供昵称和头像").await?;
    chromium.arrive("获取你的昵称、头像").await?;
    chromium.element(&format!("input[value={person}]")).await?.click().await?;
    chromium.press(decision).await
}

#[tokio::test]
async fn logs_in_silently_inside_wechat() -> Result<()> {
    let stack = stack().await?;
    let Some(chromium) = in_wechat(&stack).await? else { return Ok(()) };
    chromium.look("home-logged-out").await?;
    chromium.press("用微信登录").await?;
    chromium.until_at(&format!("{}/", stack.public_url())).await?;
    assert_eq!(chromium.text("main > p").await?, LOGGED_IN);
    assert_eq!(chromium.cookie_names().await?, ["browser", "session"]);
    chromium.look("home-logged-in").await?;

    chromium.press("查看我的资料").await?;
    chromium.arrive("微信用户").await?;
    let openid = stack.simulator().openid("lin", OFFICIAL_ACCOUNT);
    assert_eq!(chromium.text("dd").await?, openid);
    chromium.look("profile-silent").await?;
    // From here the person can go on to a profile.
    chromium.press("提供昵称和头像").await?;
    chromium.arrive("获取你的昵称、头像").await?;
    chromium.look("wechat-consent").await?;
    chromium.leave(&[]).await
}

#[tokio::test]
async fn shows_the_profile_of_who_consented() -> Result<()> {
    let stack = stack().await?;
    let Some(chromium) = in_wechat(&stack).await? else { return Ok(()) };
    consent(&chromium, "lin", "允许").await?;
    chromium.until_at(&format!("{}/", stack.public_url())).await?;
    chromium.press("查看我的资料").await?;
    let nickname = nickname(&stack, "lin");
    chromium.arrive(&nickname).await?;
    chromium.look("profile").await?;
    chromium.leave(&[NO_AVATAR]).await
}

#[tokio::test]
async fn shows_a_hostile_nickname_as_text() -> Result<()> {
    let stack = stack().await?;
    let Some(chromium) = in_wechat(&stack).await? else { return Ok(()) };
    consent(&chromium, "mallory", "允许").await?;
    chromium.until_at(&format!("{}/", stack.public_url())).await?;
    chromium.press("查看我的资料").await?;
    let nickname = nickname(&stack, "mallory");
    assert!(nickname.contains("<script>"), "{nickname} is hostile");
    chromium.arrive(&nickname).await?;
    let scripts = chromium.run("return document.scripts.length", Vec::new()).await?;
    assert_eq!(scripts, 0);
    chromium.look("profile-hostile").await?;
    chromium.leave(&[NO_AVATAR]).await
}

#[tokio::test]
async fn says_on_the_front_page_that_consent_was_refused() -> Result<()> {
    let stack = stack().await?;
    stack.simulator().knobs(|knobs| knobs.denial = Denial::StateOnly);
    let Some(chromium) = in_wechat(&stack).await? else { return Ok(()) };
    consent(&chromium, "lin", "拒绝").await?;
    chromium.arrive("微信登录").await?;
    assert_eq!(chromium.text(".note").await?, "你没有同意授权，所以没有登录。");
    assert_eq!(chromium.cookie_names().await?, ["browser"]);
    chromium.look("home-denied").await?;
    chromium.leave(&[]).await
}

#[tokio::test]
async fn logs_out_by_the_button() -> Result<()> {
    let stack = stack().await?;
    let front_page = format!("{}/", stack.public_url());
    let profile = format!("{front_page}userinfo");
    let Some(chromium) = in_wechat(&stack).await? else { return Ok(()) };
    // From either page that has the button.
    for page in [&front_page, &profile] {
        chromium.open(&front_page).await?;
        chromium.press("用微信登录").await?;
        chromium.until_at(&front_page).await?;
        assert_eq!(chromium.text("main > p").await?, LOGGED_IN);
        chromium.open(page).await?;
        chromium.press("退出登录").await?;
        chromium.until_at(&front_page).await?;
        assert_eq!(chromium.text("main > p").await?, LOGGED_OUT);
        assert_eq!(chromium.cookie_names().await?, ["browser"]);
        assert_eq!(stack.database().items(stack.table("SessionsTable")?)?.len(), 0);
    }
    chromium.open(&profile).await?;
    chromium.arrive("你还没有登录").await?;
    chromium.leave(&["status of 401"]).await
}

/// The nickname that WeChat knows of a person.
fn nickname(stack: &Stack, id: &str) -> String {
    let found = |settings: &mut simulator::Settings| {
        settings.people.iter().find(|person| person.id == id).map(|person| person.nickname.clone())
    };
    stack.simulator().settings(found).unwrap_or_default()
}
