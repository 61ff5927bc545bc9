//! Pages speak the visitor's language.

use chromium::{Chromium, Reader};
use harness::{Options, Result, Stack};
use web::language::Language;
use web::reason::Reason;
use web::request::CorrelationId;
use web::words::{Labels, elsewhere};

use crate::login::{LABELS, stack};

const ID: &str = "6a5145a9-0000-4000-8000-00000000002a";

/// Reads every page in one language.
async fn read(languages: &'static str, language: Language) -> Result<()> {
    let stack = stack().await?;
    let Some(chromium) = Chromium::start(Reader::AT_A_COMPUTER.reading(languages)).await? else {
        return Ok(());
    };
    let tag = language.tag();
    for &reason in Reason::ALL {
        let name = reason.as_str();
        chromium.open(&format!("{}/error?reason={name}&id={ID}", stack.public_url())).await?;
        let words = reason.words(language);
        chromium.arrive(words.title).await?;
        assert_eq!(chromium.title().await?, words.title);
        assert_eq!(chromium.element("html").await?.attr("lang").await?.as_deref(), Some(tag));
        let text = chromium.text("main").await?;
        let paragraphs: Vec<_> = text.lines().filter(|line| !line.is_empty()).collect();
        let reference = CorrelationId::parse(ID).and_then(|id| reason.reference(language, &id));
        let log_out = (reason == Reason::AlreadyLoggedIn).then_some(Labels::of(language).log_out);
        let buttons = words.button.map(|button| button.label(language)).into_iter().chain(log_out);
        let more = buttons.chain(reference.as_deref());
        let expected: Vec<_> = [words.title, words.happened, words.next].into_iter().chain(more).collect();
        assert_eq!(paragraphs, expected, "{name}");
        chromium.look(&format!("error-{name}-{tag}")).await?;
    }
    // The pages that say the same where it happens.
    for (path, reason) in [("/userinfo", Reason::NotLoggedIn), ("/no-such-page", Reason::NotFound)] {
        chromium.open(&format!("{}{path}", stack.public_url())).await?;
        chromium.arrive(reason.words(language).title).await?;
    }
    chromium.press(Labels::of(language).go_home).await?;
    chromium.arrive(Labels::of(language).log_in).await?;
    chromium.look(&format!("home-{tag}")).await?;
    // Where nobody was logging in, no login is offered; and where one asks for the profile, it is said what for.
    chromium.open(&format!("{}/userinfo?verify=maybe", stack.public_url())).await?;
    let words = elsewhere::words(language, Reason::InvalidRequest, true);
    chromium.arrive(words.title).await?;
    chromium.look(&format!("elsewhere-{tag}")).await?;
    chromium.press(Labels::of(language).go_home).await?;
    chromium.arrive(Labels::of(language).log_in).await?;
    let declined = "error=access_denied&scope=snsapi_userinfo";
    for (path, name) in [
        (format!("/?{declined}"), "home-declined"),
        (format!("/error?reason=login_expired&id={ID}&{declined}"), "purpose"),
    ] {
        chromium.open(&format!("{}{path}", stack.public_url())).await?;
        let text = chromium.text("main").await?;
        assert!(text.contains(Labels::of(language).consent_purpose), "{text}");
        chromium.look(&format!("{name}-{tag}")).await?;
    }
    chromium.leave(&["status of 400", "status of 401", "status of 404"]).await
}

#[tokio::test]
async fn says_why_there_is_no_login_in_chinese() -> Result<()> {
    read("zh-CN,zh", Language::Chinese).await
}

#[tokio::test]
async fn says_why_there_is_no_login_in_english() -> Result<()> {
    read("en-US,en", Language::English).await
}

/// The longest texts that a site can have itself shown by.
#[tokio::test]
async fn names_the_site_and_leads_to_its_privacy_policy() -> Result<()> {
    let (name, purpose) = ("青禾书店与四季花园".repeat(4), "昵称和头像只显示在你的书评旁边。".repeat(5));
    let options = Options::default()
        .on_this_machine()
        .with("SITE_NAME", &name)
        .with("PRIVACY_URL", "https://www.example.com/privacy")
        .with("CONSENT_PURPOSE", &purpose);
    let stack = Stack::start(options).await?;
    let Some(chromium) = Chromium::start(Reader::IN_WECHAT).await? else { return Ok(()) };
    for (path, picture) in [
        ("/", "site-home"),
        ("/error?reason=misconfigured&id=x", "site-error"),
        ("/no-such-page", "site-not-found"),
    ] {
        chromium.open(&format!("{}{path}", stack.public_url())).await?;
        assert_eq!(chromium.text(".site").await?, name);
        assert!(chromium.title().await?.ends_with(&name));
        let privacy = chromium.element("footer a").await?;
        assert_eq!(privacy.text().await?, LABELS.privacy);
        assert_eq!(privacy.attr("href").await?.as_deref(), Some("https://www.example.com/privacy"));
        chromium.look(picture).await?;
    }
    chromium.open(stack.public_url()).await?;
    assert_eq!(chromium.text(".soft").await?, purpose);
    chromium.press(LABELS.log_in).await?;
    chromium.arrive(LABELS.log_in).await?;
    chromium.press(LABELS.view_profile).await?;
    chromium.arrive(LABELS.nameless).await?;
    assert_eq!(chromium.text(".site").await?, name);
    chromium.look("site-profile").await?;
    // Who is logged in and declined finds the way to WeChat once more.
    chromium.open(&format!("{}/?error=access_denied&scope=snsapi_userinfo", stack.public_url())).await?;
    assert_eq!(chromium.text(".note").await?, LABELS.cancelled);
    assert_eq!(chromium.text(".soft").await?, purpose);
    chromium.look("site-home-cancelled").await?;
    chromium.leave(&["status of 404"]).await
}
