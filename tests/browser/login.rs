//! Logging in inside WeChat, and out again.

use harness::{Options, Result, Stack, stack::OFFICIAL_ACCOUNT};
use serde_json::json;
use simulator::{Consent, Denial, ProfileEra};
use web::{language::Language, reason::Reason, words::Labels};

use chromium::{Chromium, Reader};

/// The picture of a person, which names that lead nowhere keep away.
pub const NO_AVATAR: &str = "qlogo.cn";

/// What stands on the pages of who reads Chinese.
pub const LABELS: Labels = Labels::of(Language::Chinese);

/// The usual stack, as a browser on this machine reaches it.
pub async fn stack() -> Result<Stack> {
    Stack::start(Options::default().on_this_machine()).await
}

/// Somebody in WeChat, on the front page.
async fn in_wechat(stack: &Stack) -> Result<Option<Chromium>> {
    let Some(chromium) = Chromium::start(Reader::IN_WECHAT).await? else { return Ok(None) };
    chromium.open(stack.public_url()).await?;
    assert_eq!(chromium.text("main > p").await?, LABELS.not_logged_in);
    Ok(Some(chromium))
}

/// Presses the button that asks for the profile, and answers WeChat's question.
async fn consent(chromium: &Chromium, person: &str, decision: &str) -> Result<()> {
    chromium.press(LABELS.log_in_with_profile).await?;
    chromium.arrive("获取你的昵称、头像").await?;
    chromium.element(&format!("input[value={person}]")).await?.click().await?;
    chromium.press(decision).await
}

#[tokio::test]
async fn logs_in_silently_inside_wechat() -> Result<()> {
    let stack = stack().await?;
    let Some(chromium) = in_wechat(&stack).await? else { return Ok(()) };
    chromium.look("home-logged-out").await?;
    chromium.press(LABELS.log_in).await?;
    chromium.until_at(&format!("{}/", stack.public_url())).await?;
    assert_eq!(chromium.text("main > p").await?, LABELS.has_logged_in);
    assert_eq!(chromium.cookie_names().await?, ["wechat-login-browser", "wechat-login-session"]);
    chromium.look("home-logged-in").await?;

    chromium.press(LABELS.view_profile).await?;
    chromium.arrive(LABELS.nameless).await?;
    let openid = stack.simulator().openid("lin", OFFICIAL_ACCOUNT);
    assert_eq!(chromium.text("dd.id").await?, openid);
    chromium.look("profile-silent").await?;
    // From here the person can go on to a profile.
    chromium.press(LABELS.add_profile).await?;
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
    chromium.press(LABELS.view_profile).await?;
    let nickname = nickname(&stack, "lin");
    chromium.arrive(&nickname).await?;
    chromium.look("profile").await?;
    chromium.leave(&[NO_AVATAR]).await
}

/// With all that WeChat told of a person before 2021.
#[tokio::test]
async fn shows_a_profile_in_words_of_the_readers_language() -> Result<()> {
    let stack = stack().await?;
    stack.simulator().knobs(|knobs| {
        knobs.user_profile_era = ProfileEra::Legacy;
        knobs.consent = Consent::Allow;
    });
    for (languages, lang, language) in
        [("zh-CN,zh", "zh_CN", Language::Chinese), ("en-US,en", "en", Language::English)]
    {
        let Some(chromium) = Chromium::start(Reader::IN_WECHAT.reading(languages)).await? else {
            return Ok(());
        };
        let link = format!("{}/authorize?scope=snsapi_userinfo&lang={lang}", stack.public_url());
        chromium.open(&link).await?;
        chromium.look(&format!("home-in-wechat-{}", language.tag())).await?;
        let labels = Labels::of(language);
        chromium.press(labels.view_profile).await?;
        chromium.arrive(&nickname(&stack, "lin")).await?;
        let read =
            chromium.run("return [...document.querySelectorAll('dt')].map((dt) => dt.innerText)", Vec::new());
        let expected = [
            labels.nickname,
            labels.gender,
            labels.region,
            labels.openid,
            labels.unionid,
            labels.logged_in_until,
        ];
        assert_eq!(read.await?, json!(expected));
        chromium.look(&format!("profile-{}", language.tag())).await?;
        chromium.press(labels.go_home).await?;
        chromium.arrive(labels.log_in).await?;
        chromium.leave(&[NO_AVATAR]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn shows_a_hostile_nickname_as_text() -> Result<()> {
    let stack = stack().await?;
    let Some(chromium) = in_wechat(&stack).await? else { return Ok(()) };
    consent(&chromium, "mallory", "允许").await?;
    chromium.until_at(&format!("{}/", stack.public_url())).await?;
    chromium.press(LABELS.view_profile).await?;
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
    chromium.arrive(LABELS.log_in).await?;
    assert_eq!(chromium.text(".note").await?, LABELS.declined);
    assert_eq!(chromium.cookie_names().await?, ["wechat-login-browser"]);
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
        chromium.press(LABELS.log_in).await?;
        chromium.until_at(&front_page).await?;
        assert_eq!(chromium.text("main > p").await?, LABELS.has_logged_in);
        chromium.open(page).await?;
        chromium.press(LABELS.log_out).await?;
        chromium.until_at(&front_page).await?;
        assert_eq!(chromium.text("main > p").await?, LABELS.not_logged_in);
        assert_eq!(chromium.cookie_names().await?, ["wechat-login-browser"]);
        assert_eq!(stack.database().items(stack.table("SessionsTable")?)?.len(), 0);
    }
    chromium.open(&profile).await?;
    chromium.arrive(Reason::NotLoggedIn.words(Language::Chinese).title).await?;
    chromium.leave(&["status of 401"]).await
}

/// The nickname that WeChat knows of a person.
fn nickname(stack: &Stack, id: &str) -> String {
    let found = |settings: &mut simulator::Settings| {
        settings.people.iter().find(|person| person.id == id).map(|person| person.nickname.clone())
    };
    stack.simulator().settings(found).unwrap_or_default()
}
