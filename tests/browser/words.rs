//! Pages speak the visitor's language.

use harness::Result;
use web::language::Language;
use web::reason::Reason;
use web::words::Labels;

use crate::{
    chromium::{Chromium, Reader},
    login::stack,
};

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
        let reference = Labels::of(language).reference;
        let reference = format!("{reference}{ID}");
        assert_eq!(paragraphs, [words.title, words.happened, words.next, words.button, &reference], "{name}");
        chromium.look(&format!("error-{name}-{tag}")).await?;
    }
    // The pages that say the same where it happens.
    for (path, reason) in [("/userinfo", Reason::NotLoggedIn), ("/no-such-page", Reason::NotFound)] {
        chromium.open(&format!("{}{path}", stack.public_url())).await?;
        chromium.arrive(reason.words(language).title).await?;
    }
    chromium.press(Reason::NotFound.words(language).button).await?;
    chromium.arrive(Labels::of(language).home).await?;
    chromium.look(&format!("home-{tag}")).await?;
    chromium
        .leave(&["status of 400", "status of 401", "status of 403", "status of 404", "status of 50"])
        .await
}

#[tokio::test]
async fn says_why_there_is_no_login_in_chinese() -> Result<()> {
    read("zh-CN,zh", Language::Chinese).await
}

#[tokio::test]
async fn says_why_there_is_no_login_in_english() -> Result<()> {
    read("en-US,en", Language::English).await
}
