//! `<wechat-login>` on the pages of a deployment with settings that most have not: its own words of what the profile is
//! for, and more than one account.

use chromium::{Chromium, Reader};
use harness::{Options, Result, Stack, stack::OFFICIAL_ACCOUNT};
use serde_json::json;
use simulator::{App, AppKind, Settings, Simulator};
use web::{language::Language, words::Labels};

use crate::{
    login::LABELS,
    login_js::{NOBODY, html},
    team_page::TeamPage,
};

const KIOSK: &str = "wx0000000000000aa3";

#[tokio::test]
async fn says_what_name_and_photo_are_for_below_whatever_asks_for_them() -> Result<()> {
    let page = TeamPage::serve("").await?;
    let own = "用于在留言板显示。For the guest book.";
    for (setting, attribute) in [(Some(own), ""), (None, ""), (Some(own), r#"purpose="For the wall.""#)] {
        let mut options = Options::default().on_this_machine().with("ALLOWED_ORIGINS", &page.same_site());
        if let Some(own) = setting {
            options = options.with("CONSENT_PURPOSE", own);
        }
        let stack = Stack::start(options).await?;
        for language in [Language::Chinese, Language::English] {
            let Some(chromium) = Chromium::start(Reader::IN_WECHAT).await? else { return Ok(()) };
            let labels = Labels::of(language);
            let usual = setting.unwrap_or(labels.consent_purpose);
            let said = if attribute.is_empty() { usual } else { "For the wall." };
            page.show(&html(&stack, language.tag(), &format!("scope=snsapi_userinfo {attribute}")), "");
            chromium.open(&page.same_site()).await?;
            chromium.part("button", labels.log_in).await?;
            chromium.part("note", said).await?;
            chromium.look(&format!("tag-purpose-{}-{}", setting.is_some(), language.tag())).await?;
            page.show(&html(&stack, language.tag(), &format!("scope=auto {attribute}")), "");
            chromium.open(&page.same_site()).await?;
            // A login that asks for nothing says nothing, until the menu offers to ask.
            chromium.press_part("button", labels.log_in).await?;
            chromium.press_part("user", labels.nameless).await?;
            chromium.part("note", said).await?;
            chromium.leave(&[NOBODY]).await?;
        }
    }
    Ok(())
}

/// For the pages of one account, whom another one logged in is nobody: the button logs in to the page's own.
#[tokio::test]
async fn whom_another_account_logged_in_can_log_in_to_the_page_s() -> Result<()> {
    let page = TeamPage::serve("").await?;
    let mut settings = Settings::example();
    settings.apps.push(App {
        appid: KIOSK.to_owned(),
        secret: "5ec2e7aa3".to_owned(),
        kind: AppKind::OfficialAccount,
        name: "青禾".to_owned(),
        callback_domains: Vec::new(),
        scopes: vec!["snsapi_base".to_owned(), "snsapi_userinfo".to_owned()],
        open_account: None,
        test_account: false,
    });
    let accounts = json!({ "kiosk": { "official_account": KIOSK, "allowed_origins": [page.same_site()] } });
    let options = Options::default().on_this_machine().with("ACCOUNTS", &accounts.to_string());
    let stack = Stack::start(options.simulator(Simulator::new(settings))).await?;
    let Some(chromium) = Chromium::start(Reader::IN_WECHAT).await? else { return Ok(()) };
    chromium.open(&format!("{}/authorize", stack.public_url())).await?;
    chromium.until_at(&format!("{}/", stack.public_url())).await?;
    page.show(&html(&stack, "zh-CN", ""), "");
    chromium.open(&page.same_site()).await?;
    chromium.press_part("button", LABELS.log_in).await?;
    chromium.part("user", LABELS.nameless).await?;
    let shown = "return import(arguments[0]).then(async ({ user }) => (await user()).openid)";
    let openid = chromium.run(shown, vec![json!(format!("{}/login.js", stack.public_url()))]).await?;
    assert_eq!(openid, stack.simulator().openid("lin", KIOSK));
    assert_ne!(openid, stack.simulator().openid("lin", OFFICIAL_ACCOUNT));
    chromium.leave(&[NOBODY]).await
}
