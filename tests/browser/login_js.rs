//! `login.js` and `<wechat-login>`, on a page of the team's that allows nothing else.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chromium::{Chromium, Key, Reader};
use harness::{
    Failure, Options, Result, Stack,
    gateway::Gateway,
    signing_key,
    stack::{OFFICIAL_ACCOUNT, PAGE_ORIGIN, PUBLIC_URL, WEBSITE_APP, WECHAT_OPEN_URL},
    template::Template,
};
use serde_json::{Value, json};
use simulator::{Action, Consent};
use web::{language::Language, reason::Reason, words::Labels};

use crate::{
    handoff,
    login::{LABELS, NO_AVATAR},
    team_page::TeamPage,
    tls::Https,
};

/// What Chromium says in the console of every question that is answered "nobody".
pub const NOBODY: &str = "status of 401";
/// An API of the team's.
pub const API: &str = "https://api.example.com";

/// What a page has to allow for the tag, and nothing else.
fn policy(stack: &Stack) -> String {
    policy_for(stack.public_url(), &stack.simulator_url())
}

fn policy_for(auth: &str, wechat: &str) -> String {
    format!(
        "default-src 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; \
         script-src {auth}; connect-src {auth} 'self'; img-src https://*.qlogo.cn https://*.qpic.cn; frame-src {auth} {wechat}"
    )
}

/// Somebody at a computer, who reads Chinese, and somebody who reads English.
const LANGUAGES: [(Language, Reader); 2] = [
    (Language::Chinese, Reader::AT_A_COMPUTER),
    (Language::English, Reader::AT_A_COMPUTER.reading("en-US,en")),
];

/// A page with the tag.
pub fn html(stack: &Stack, lang: &str, attributes: &str) -> String {
    let auth = stack.public_url();
    format!(
        r#"<!doctype html>
<html lang="{lang}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>A team's page</title>
<h1>Ours</h1>
<script type="module" src="{auth}/login.js"></script>
<wechat-login {attributes}><a href="{auth}/authorize">plain</a></wechat-login>"#
    )
}

/// A stack, and a page that may use it and has a token for the API.
pub async fn with_page() -> Result<(Stack, TeamPage)> {
    let page = TeamPage::serve("").await?;
    let apis = json!({ API: { "origins": [page.same_site()] } });
    let options = Options::default()
        .on_this_machine()
        .with("ALLOWED_ORIGINS", &page.same_site())
        .with("OPENID_CONNECT", &json!({ "subject": "openid", "apis": apis }).to_string())
        .with("SIGNING_KEYS", signing_key::of_this_process()?);
    Ok((Stack::start(options).await?, page))
}

/// The nickname that WeChat knows of a person.
pub fn nickname(stack: &Stack, id: &str) -> String {
    let found = |settings: &mut simulator::Settings| {
        settings.people.iter().find(|person| person.id == id).map(|person| person.nickname.clone())
    };
    stack.simulator().settings(found).unwrap_or_default()
}

/// Somebody scans the latest QR code, and confirms.
pub fn scan(stack: &Stack, person: &str) -> Result<()> {
    let simulator = stack.simulator();
    let scan = Action::Scan { uuid: None, person: Some(person.to_owned()) };
    simulator.attempt(&scan).map_err(Failure::new)?;
    simulator.attempt(&Action::Confirm { uuid: None }).map_err(Failure::new)
}

#[tokio::test]
async fn one_tag_logs_in_adds_the_profile_calls_an_api_and_logs_out() -> Result<()> {
    let (stack, page) = with_page().await?;
    for (language, reader) in
        [(Language::Chinese, Reader::IN_WECHAT), (Language::English, Reader::IN_WECHAT.reading("en-US,en"))]
    {
        let (labels, tag) = (Labels::of(language), language.tag());
        page.show(&html(&stack, tag, "scope=auto"), &policy(&stack));
        let Some(chromium) = Chromium::start(reader).await? else { return Ok(()) };
        let here = format!("{}/me?tab=1%25", page.same_site());
        chromium.open(&format!("{here}#/orders")).await?;
        let button = chromium.part("button", labels.log_in).await?;
        chromium.look(&format!("tag-logged-out-{tag}")).await?;
        button.click().await?;
        chromium.until_at(&here).await?;
        let user = chromium.part("user", labels.nameless).await?;
        assert!(chromium.current_url().await?.as_str().ends_with("#/orders"));

        user.click().await?;
        chromium.part("note", labels.consent_purpose).await?;
        chromium.look(&format!("tag-menu-{tag}")).await?;
        stack.simulator().knobs(|knobs| knobs.consent = Consent::Allow);
        chromium.press_part("item", labels.add_profile).await?;
        let user = chromium.part("user", &nickname(&stack, "lin")).await?;

        // By a script of another world than the page's: the page's policy lets no script of ours in.
        let call = format!(
            r#"return import("{}/login.js").then(async ({{ accessToken }}) => {{
                const [token, again] = [await accessToken(), await accessToken()];
                const answer = await fetch("/orders", {{ headers: {{ authorization: `Bearer ${{token}}` }} }});
                return [token === again, (await answer.json())[1]];
            }})"#,
            stack.public_url()
        );
        let told = chromium.run(&call, Vec::new()).await?;
        let claims = told[1].as_str().and_then(|token| token.split('.').nth(1)).unwrap_or_default();
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap_or_default())?;
        let openid = stack.simulator().openid("lin", OFFICIAL_ACCOUNT);
        assert_eq!(claims["sub"], format!("{OFFICIAL_ACCOUNT}.{openid}"), "{told}");
        assert_eq!((&claims["aud"], &told[0]), (&json!(API), &json!(true)));

        user.click().await?;
        chromium.look(&format!("tag-menu-profile-{tag}")).await?;
        chromium.press_part("item", labels.log_out).await?;
        chromium.part("button", labels.log_in).await?;
        assert_eq!(stack.sessions()?.len(), 0);
        assert_eq!(chromium.cookie_names().await?, ["wechat-login-browser"]);
        stack.simulator().knobs(|knobs| knobs.consent = Consent::Ask);
        chromium.leave(&[NOBODY, NO_AVATAR]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn logs_in_by_a_popup_which_closes_itself() -> Result<()> {
    let (stack, page) = with_page().await?;
    for (language, reader) in LANGUAGES {
        let (labels, tag) = (Labels::of(language), language.tag());
        page.show(&html(&stack, tag, "mode=popup"), &policy(&stack));
        let Some(chromium) = Chromium::start(reader).await? else { return Ok(()) };
        chromium.open(&page.same_site()).await?;
        chromium.part("button", labels.log_in).await?;
        assert_eq!(read_out(&chromium).await?, "");
        chromium.press_part("button", labels.log_in).await?;
        let here = chromium.other_tab().await?;
        chromium.element(".js_qrcode_img").await?;
        chromium.look(&format!("popup-code-{tag}")).await?;
        scan(&stack, "zhou")?;
        chromium.switch_to_window(here).await?;
        let nickname = nickname(&stack, "zhou");
        chromium.part("user", &nickname).await?;
        // Who does not see it is told, and is told once: not by a page that was opened so.
        let told = if language == Language::Chinese { "已登录：" } else { "Logged in: " };
        assert_eq!(read_out(&chromium).await?, format!("{told}{nickname}"));
        chromium.look(&format!("popup-done-{tag}")).await?;
        assert_eq!(chromium.windows().await?.len(), 1);
        assert_eq!(chromium.current_url().await?.as_str(), format!("{}/", page.same_site()));
        chromium.refresh().await?;
        chromium.part("user", &nickname).await?;
        assert_eq!(read_out(&chromium).await?, "");
        chromium.leave(&[NOBODY, NO_AVATAR]).await?;
    }
    Ok(())
}

/// What a screen reader says by itself when it changes: all text in the parts of the page that have the role for it.
async fn read_out(chromium: &Chromium) -> Result<String> {
    let tree = chromium.cdp().send_raw("Accessibility.getFullAXTree", json!({})).await?;
    let list = |of: &Value, name| of.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |of: &Value, name: &str| {
        of.pointer(&format!("/{name}/value")).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let nodes = list(&tree, "nodes");
    let live = nodes.iter().filter(|node| text(node, "role") == "status");
    let mut inside: Vec<Value> = live.flat_map(|node| list(node, "childIds")).collect();
    let mut said = String::new();
    while let Some(id) = inside.pop() {
        let Some(node) = nodes.iter().find(|node| node.get("nodeId") == Some(&id)) else { continue };
        if text(node, "role") == "StaticText" {
            said.push_str(&text(node, "name"));
        }
        inside.extend(list(node, "childIds"));
    }
    Ok(said)
}

#[tokio::test]
async fn shows_wechats_qr_code_inside_the_page() -> Result<()> {
    let (stack, page) = with_page().await?;
    for (language, reader) in LANGUAGES {
        let (labels, tag) = (Labels::of(language), language.tag());
        page.show(&html(&stack, tag, "mode=embedded"), &policy(&stack));
        let Some(chromium) = Chromium::start(reader).await? else { return Ok(()) };
        let here = format!("{}/in?a=1", page.same_site());
        chromium.open(&here).await?;
        let frame = chromium.part("frame", "").await?;
        frame.enter_frame().await?;
        chromium.element(".js_qrcode_img").await?;
        chromium.enter_default_frame().await?;
        chromium.part("open", labels.open_login).await?;
        chromium.look(&format!("tag-embedded-{tag}")).await?;
        assert_eq!(chromium.current_url().await?.as_str(), here);
        scan(&stack, "zhou")?;
        let user = chromium.part("user", &nickname(&stack, "zhou")).await?;
        chromium.until_at(&here).await?;
        user.click().await?;
        chromium.look(&format!("tag-menu-qr-{tag}")).await?;
        let openid = chromium.run(&format!(
            r#"return import("{}/login.js").then(({{ user }}) => user()).then((user) => user.openid)"#,
            stack.public_url()
        ), Vec::new()).await?;
        assert_eq!(openid, stack.simulator().openid("zhou", WEBSITE_APP));
        chromium.leave(&[NOBODY, NO_AVATAR]).await?;
    }
    Ok(())
}

/// The person scans the code that the computer shows, and taps the number.
async fn by_phone(stack: &Stack, computer: &Chromium, phone: &Chromium, labels: &Labels) -> Result<()> {
    phone.open(&handoff::code(stack, computer).await?).await?;
    phone.arrive(labels.log_in_other_device).await?;
    computer.arrive(labels.confirm_on_phone).await?;
    phone.press(&computer.text(".number").await?).await
}

/// With an Official Account alone the window shows a code of ours: the page that waits there is not cut off from its
/// opener.
#[tokio::test]
async fn a_popup_that_waits_for_a_phone_closes_itself() -> Result<()> {
    let page = TeamPage::serve("").await?;
    let options = Options::default().on_this_machine().with("ALLOWED_ORIGINS", &page.same_site());
    let stack = Stack::start(options.without("WEBSITE_APP_ID")).await?;
    for (language, reader) in LANGUAGES {
        let (labels, tag) = (Labels::of(language), language.tag());
        page.show(&html(&stack, tag, "mode=popup"), &policy(&stack));
        let Some(computer) = Chromium::start(reader).await? else { return Ok(()) };
        let reader = Reader::IN_WECHAT.reading(reader.languages());
        let Some(phone) = Chromium::start(reader).await? else { return Ok(()) };
        computer.open(&page.same_site()).await?;
        computer.press_part("button", labels.log_in).await?;
        let here = computer.other_tab().await?;
        computer.arrive(labels.scan_to_log_in).await?;
        computer.look(&format!("popup-handoff-{tag}")).await?;
        by_phone(&stack, &computer, &phone, &labels).await?;
        computer.switch_to_window(here).await?;
        computer.part("user", labels.nameless).await?;
        computer.look(&format!("popup-handoff-done-{tag}")).await?;
        assert_eq!(computer.windows().await?.len(), 1);
        phone.leave(&[]).await?;
        computer.leave(&[NOBODY]).await?;
    }
    Ok(())
}

/// Though there is a website app: the tag asks for a phone, and the person comes back to the page that it is on.
#[tokio::test]
async fn logs_in_by_the_phone_beside_it() -> Result<()> {
    let (stack, page) = with_page().await?;
    for (language, reader) in LANGUAGES {
        let (labels, tag) = (Labels::of(language), language.tag());
        page.show(&html(&stack, tag, "mode=handoff"), &policy(&stack));
        let Some(computer) = Chromium::start(reader).await? else { return Ok(()) };
        let reader = Reader::IN_WECHAT.reading(reader.languages());
        let Some(phone) = Chromium::start(reader).await? else { return Ok(()) };
        let here = format!("{}/me?tab=1", page.same_site());
        computer.open(&here).await?;
        computer.press_part("button", labels.log_in).await?;
        computer.arrive(labels.scan_to_log_in).await?;
        computer.look(&format!("tag-handoff-{tag}")).await?;
        by_phone(&stack, &computer, &phone, &labels).await?;
        computer.until_at(&here).await?;
        computer.part("user", labels.nameless).await?;
        computer.look(&format!("tag-handoff-done-{tag}")).await?;
        phone.leave(&[]).await?;
        computer.leave(&[NOBODY]).await?;
    }
    Ok(())
}

/// A page on a host of its own, before a login and WeChat on theirs, all by HTTPS; and where a browser finds them.
async fn among_hosts(page: &TeamPage, stack: &Stack) -> Result<([Https; 3], [String; 3])> {
    let wechat = stack.simulator_url().trim_start_matches("http://").parse().map_err(Failure::from)?;
    let login = Https::before(stack.gateway().address()).await?;
    let fronts = [login, Https::before(page.address()).await?, Https::before(wechat).await?];
    let [login, page, wechat] = &fronts;
    let rules =
        [login.rule("login.example.com"), page.rule("www.example.com"), wechat.rule("open.weixin.qq.com")];
    Ok((fronts, rules))
}

/// What a page forgot to allow for the frame is named: this stack, or WeChat's page behind it. A frame of the page's
/// own is the page's own matter.
#[tokio::test]
async fn a_page_that_does_not_allow_the_frame_is_told_which_directive() -> Result<()> {
    // Returns once this frame was blocked, and whoever listened before has heard of it.
    const FRAME: &str = r#"
        const src = arguments[0];
        return new Promise((resolve) => {
            document.addEventListener("securitypolicyviolation", ({ blockedURI }) => {
                if (src.startsWith(blockedURI)) resolve(blockedURI);
            });
            document.body.append(Object.assign(document.createElement("iframe"), { src }));
        });
    "#;
    let page = TeamPage::serve("").await?;
    let stack = Stack::start(Options::default()).await?;
    let (_fronts, rules) = among_hosts(&page, &stack).await?;
    for (allowed, missing) in [("https://other.example.com", PUBLIC_URL), (PUBLIC_URL, WECHAT_OPEN_URL)] {
        let both = format!("frame-src {PUBLIC_URL} {WECHAT_OPEN_URL}");
        let policy = policy_for(PUBLIC_URL, WECHAT_OPEN_URL).replace(&both, &format!("frame-src {allowed}"));
        page.show(&html(&stack, "zh-CN", "mode=embedded"), &policy);
        let Some(chromium) = Chromium::start_among(Reader::AT_A_COMPUTER, &rules).await? else {
            return Ok(());
        };
        chromium.open(PAGE_ORIGIN).await?;
        chromium.part("frame", "").await?;
        let told = format!(
            "wechat-login: add {missing} to this page's frame-src. See docs/en/reference/login-js.md"
        );
        let said = chromium.until_told(&told).await?;
        assert_eq!(said.iter().filter(|line| line.contains("wechat-login:")).count(), 1, "{said:#?}");
        let video = "https://v.qq.com";
        assert_eq!(chromium.run(FRAME, vec![format!("{video}/x/page.html").into()]).await?, video);
        let said = chromium.until_told(video).await?;
        assert!(!said.iter().any(|line| line.contains("wechat-login:")), "{said:#?}");
    }
    Ok(())
}

/// As on the internet: HTTPS, a host for the page, one for the login, and WeChat's own.
#[tokio::test]
async fn works_among_hosts_of_one_site() -> Result<()> {
    let page = TeamPage::serve("").await?;
    let stack = Stack::start(Options::default()).await?;
    page.show(&html(&stack, "zh-CN", "mode=embedded"), &policy_for(PUBLIC_URL, WECHAT_OPEN_URL));
    let (_fronts, rules) = among_hosts(&page, &stack).await?;
    let Some(chromium) = Chromium::start_among(Reader::AT_A_COMPUTER, &rules).await? else { return Ok(()) };
    let here = format!("{PAGE_ORIGIN}/me?tab=1");
    chromium.open(&here).await?;
    chromium.part("frame", "").await?.enter_frame().await?;
    chromium.element(".js_qrcode_img").await?;
    chromium.enter_default_frame().await?;
    scan(&stack, "zhou")?;
    chromium.press_part("user", &nickname(&stack, "zhou")).await?;
    chromium.until_at(&here).await?;
    // The cookies are the login's, and the page has none of them.
    assert!(chromium.cookie_names().await?.is_empty());
    chromium.press_part("item", LABELS.log_out).await?;
    chromium.part("frame", "").await?;
    assert!(stack.sessions()?.is_empty());
    chromium.leave(&[NOBODY, NO_AVATAR]).await
}

/// The login behind a code in a page ends after half an hour. A page that is open for longer shows a new code in time.
#[tokio::test]
async fn a_code_inside_the_page_does_not_outlive_its_login() -> Result<()> {
    // The page's clock can be put on, and it looks at it more often.
    const CLOCK: &str = r"<script>
        const [every, now] = [setInterval, Date.now];
        window.ahead = window.looks = 0;
        window.setInterval = (run) => every(() => { run(); looks += 1; }, 50);
        Date.now = () => now() + ahead * 60_000;
    </script>";
    const LATER: &str = r"
        ahead = arguments[0];
        const before = looks;
        return new Promise((resolve) => {
            const end = every(() => { if (looks > before + 2) { clearInterval(end); resolve(looks); } }, 10);
        });
    ";
    let (stack, page) = with_page().await?;
    page.show(&format!("{CLOCK}{}", html(&stack, "zh-CN", "mode=embedded")), "");
    let Some(chromium) = Chromium::start(Reader::AT_A_COMPUTER).await? else { return Ok(()) };
    chromium.open(&page.same_site()).await?;
    let codes = async || -> Result<usize> {
        let frame = chromium.part("frame", "").await?;
        frame.enter_frame().await?;
        chromium.element(".js_qrcode_img").await?;
        chromium.enter_default_frame().await?;
        Ok(stack.simulator().qr_codes().len())
    };
    assert_eq!(codes().await?, 1);
    chromium.run(LATER, vec![24.into()]).await?;
    assert_eq!(codes().await?, 1);
    chromium.run(LATER, vec![26.into()]).await?;
    stack
        .simulator()
        .until(|entries| entries.iter().filter(|entry| entry.path == "/connect/qrconnect").count() == 2)
        .await;
    assert_eq!(codes().await?, 2);
    // The one that went counts no more: there is one clock, of the code that is shown.
    chromium.run(LATER, vec![40.into()]).await?;
    assert_eq!(codes().await?, 2);
    scan(&stack, "zhou")?;
    chromium.part("user", &nickname(&stack, "zhou")).await?;
    chromium.leave(&[NOBODY, NO_AVATAR]).await
}

/// Where there is no QR code that could be scanned, the button is there instead.
#[tokio::test]
async fn a_phone_gets_the_button_for_a_code() -> Result<()> {
    let (stack, page) = with_page().await?;
    page.show(&html(&stack, "zh-CN", "mode=embedded"), &policy(&stack));
    let Some(chromium) = Chromium::start(Reader::IN_WECHAT).await? else { return Ok(()) };
    chromium.open(&page.same_site()).await?;
    chromium.press_part("button", LABELS.log_in).await?;
    chromium.part("user", LABELS.nameless).await?;
    chromium.leave(&[NOBODY]).await
}

/// With an Official Account alone there is no QR code of WeChat's: the frame offers the login, and the console says
/// what is missing.
#[tokio::test]
async fn a_page_that_embeds_a_code_that_there_is_none_of_is_told_so() -> Result<()> {
    let page = TeamPage::serve("").await?;
    let options = Options::default().on_this_machine().with("ALLOWED_ORIGINS", &page.same_site());
    let stack = Stack::start(options.without("WEBSITE_APP_ID")).await?;
    for (language, reader) in LANGUAGES {
        let tag = language.tag();
        page.show(&html(&stack, tag, "mode=embedded"), &policy(&stack));
        let Some(chromium) = Chromium::start(reader).await? else { return Ok(()) };
        chromium.open(&page.same_site()).await?;
        chromium.part("frame", "").await?.enter_frame().await?;
        chromium.arrive(Reason::NotAPage.words(language).title).await?;
        chromium.enter_default_frame().await?;
        let said = chromium.until_told("docs/en/reference/login-js.md#embedded").await?;
        let ours: Vec<_> = said.iter().filter(|line| line.contains("wechat-login:")).collect();
        assert_eq!(ours.len(), 1, "{said:#?}");
        assert!(!said.iter().any(|line| line.contains("Content Security Policy")), "{said:#?}");
        chromium.look(&format!("tag-embedded-no-code-{tag}")).await?;
    }
    Ok(())
}

/// The frame of a page that may not have one: what is seen in it.
async fn framed(chromium: &Chromium, page: &str, stack: &Stack, query: &str) -> Result<Value> {
    chromium.open(page).await?;
    let script = r#"
        const frame = Object.assign(document.createElement("iframe"), { src: arguments[0] });
        return new Promise((resolve) => { frame.onload = () => resolve(true); document.body.append(frame); });
    "#;
    let address = format!("{}/authorize?display=embedded&{query}", stack.public_url());
    chromium.run(script, vec![address.into()]).await?;
    chromium.enter_frame(0).await?;
    let title =
        chromium.run("return document.querySelector('main h1')?.textContent ?? null", Vec::new()).await?;
    chromium.enter_default_frame().await?;
    Ok(title)
}

#[tokio::test]
async fn no_other_page_has_the_code_in_a_frame() -> Result<()> {
    let (stack, ours) = with_page().await?;
    let theirs = TeamPage::serve("<!doctype html><h1>Theirs</h1>").await?;
    ours.show("<!doctype html><h1>Ours</h1>", "");
    let Some(chromium) = Chromium::start(Reader::AT_A_COMPUTER).await? else { return Ok(()) };
    let notice = json!(Reason::NotAPage.words(Language::Chinese).title);
    // Of another site: it is told so, and nothing is stored.
    assert_eq!(framed(&chromium, &theirs.cross_site(), &stack, "").await?, notice);
    assert_eq!(framed(&chromium, &ours.cross_site(), &stack, "").await?, notice);
    assert_eq!(stack.logins()?.len(), 0);
    // Of this site, but not one of the account's: the browser shows nothing.
    assert_eq!(framed(&chromium, &theirs.same_site(), &stack, "").await?, json!(null));
    assert!(stack.simulator().qr_codes().is_empty());
    // The account's own page reads what is wrong.
    let refused = json!(Reason::InvalidRequest.words(Language::Chinese).title);
    assert_eq!(framed(&chromium, &ours.same_site(), &stack, "lang=x").await?, refused);
    assert_eq!(framed(&chromium, &ours.same_site(), &stack, "").await?, json!("微信登录"));
    assert_eq!(stack.simulator().qr_codes().len(), 1);
    chromium.leave(&["frame-ancestors", "status of 400"]).await
}

/// Each mistake is named once, in a sentence, with its place in the documentation.
#[tokio::test]
async fn a_page_that_is_set_up_wrongly_is_told_so() -> Result<()> {
    let (stack, ours) = with_page().await?;
    let theirs = TeamPage::serve("").await?;
    let tag = html(&stack, "zh-CN", "");
    theirs.show(&tag, "");
    let closed = format!("script-src {}; connect-src 'self'", stack.public_url());
    for (page, policy, topic) in [
        (theirs.same_site(), "", "#origin"),
        (ours.cross_site(), "", "#another-site"),
        (ours.same_site(), &*closed, "#content-security-policy"),
    ] {
        ours.show(&tag, policy);
        let Some(chromium) = Chromium::start(Reader::AT_A_COMPUTER).await? else { return Ok(()) };
        chromium.open(&page).await?;
        // The way to log in is there all the same.
        let href = chromium.part("button", LABELS.log_in).await?.prop("href").await?.unwrap_or_default();
        assert!(href.starts_with(&format!("{}/authorize?return_to=", stack.public_url())), "{href}");
        let said = chromium.until_told(topic).await?;
        let ours: Vec<_> = said.iter().filter(|line| line.contains("wechat-login:")).collect();
        assert!(ours.iter().all(|line| line.contains("docs/en/reference/login-js.md#")), "{said:#?}");
        assert_eq!(ours.iter().filter(|line| line.contains(topic)).count(), 1, "{said:#?}");
    }
    Ok(())
}

/// A page of this site is told nothing about anybody where a page of another one has it in a frame.
#[tokio::test]
async fn a_page_in_a_frame_of_another_site_is_told_so() -> Result<()> {
    // What a frame of another site's says, the console of the page around it does not have.
    const KEEP: &str = "<script>window.said = []; console.error = (line) => said.push(line);</script><title>";
    let (stack, ours) = with_page().await?;
    ours.show(&html(&stack, "zh-CN", "").replace("<title>", KEEP), "");
    let around = TeamPage::serve("").await?;
    around
        .show(&format!(r#"<!doctype html><h1>Around</h1><iframe src="{}"></iframe>"#, ours.same_site()), "");
    for (address, is_told) in [(around.cross_site(), true), (around.same_site(), false)] {
        let Some(chromium) = Chromium::start(Reader::AT_A_COMPUTER).await? else { return Ok(()) };
        chromium.open(&address).await?;
        chromium.enter_frame(0).await?;
        chromium.part("button", LABELS.log_in).await?;
        let said = chromium.run("return said", Vec::new()).await?;
        let said: Vec<_> = said.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        assert_eq!(said.len(), usize::from(is_told), "{said:#?}");
        assert!(
            said.iter().all(|line| line.ends_with("docs/en/reference/login-js.md#another-site")),
            "{said:#?}"
        );
    }
    Ok(())
}

/// A script cannot tell an API Gateway that has no such route, or throttles it, from a stack that does not allow its
/// page: the console names all of it, and the place that is about tokens.
#[tokio::test]
async fn a_token_that_there_is_none_of_is_explained() -> Result<()> {
    const ASK: &str = r#"
        return import(arguments[0]).then(({ accessToken }) => accessToken({ resource: arguments[1] }))
            .catch((error) => error.problem?.title ?? "unreadable");
    "#;
    let (stack, page) = with_page().await?;
    let functions = stack.functions().clone();
    let routes = Template::of_the_project()?.routes().into_iter();
    let without_provider =
        Gateway::start(routes.filter(|route| route.path != "/access-token").collect(), functions).await?;
    let without_provider = format!("http://localhost:{}", without_provider.address().port());
    let wrong = "this page is not in the origins of such an API of OpenidConnect.";
    let unknown = "this page is not in AllowedOrigins, or the route is missing, throttled or failing.";
    for (auth, resource, told) in
        [(stack.public_url(), "https://other.example.com", wrong), (&*without_provider, API, unknown)]
    {
        page.show("<!doctype html><h1>Ours</h1>", "");
        let Some(chromium) = Chromium::start(Reader::IN_WECHAT).await? else { return Ok(()) };
        chromium.open(&page.same_site()).await?;
        let module = format!("{auth}/login.js");
        for _ in 0..2 {
            let answer = chromium.run(ASK, vec![module.clone().into(), resource.into()]).await?;
            assert_eq!(answer == "unreadable", told == unknown, "{answer}");
        }
        let said = chromium.console().await?;
        let ours: Vec<_> = said.iter().filter(|line| line.contains("wechat-login:")).collect();
        let [line] = &ours[..] else { return Err(Failure::new(format!("{said:#?}"))) };
        for part in
            [told, &page.same_site(), &format!("{auth}/access-token?"), "docs/en/reference/login-js.md#token"]
        {
            assert!(line.contains(part), "{part} is not in {line}");
        }
    }
    Ok(())
}

/// A relative address in the tag is one of the page's, as that of any link on it.
#[tokio::test]
async fn a_login_ends_where_the_page_says() -> Result<()> {
    let (stack, page) = with_page().await?;
    let Some(chromium) = Chromium::start(Reader::IN_WECHAT).await? else { return Ok(()) };
    for (return_to, end) in [("../me?tab=1", "/shop/me?tab=1"), ("/", "/"), ("?b=2", "/shop/cart/?b=2")] {
        page.show(&html(&stack, "zh-CN", &format!(r#"scope=auto return-to="{return_to}""#)), &policy(&stack));
        chromium.open(&format!("{}/shop/cart/?a=1", page.same_site())).await?;
        chromium.press_part("button", LABELS.log_in).await?;
        chromium.until_at(&format!("{}{end}", page.same_site())).await?;
        chromium.press_part("user", LABELS.nameless).await?;
        // So is that of the way to add the profile.
        let upgrade =
            chromium.part("item", LABELS.add_profile).await?.prop("href").await?.unwrap_or_default();
        let here = url::Url::parse(&format!("{}{end}", page.same_site()))?.join(return_to)?;
        assert!(harness::places::parameter(&upgrade, "return_to") == here.as_str(), "{upgrade}");
        chromium.press_part("item", LABELS.log_out).await?;
        chromium.part("button", LABELS.log_in).await?;
    }
    chromium.leave(&[NOBODY]).await
}

/// The profile that was added in another tab is there when the person comes back, and the way to add it is not.
#[tokio::test]
async fn the_way_to_add_the_profile_goes_when_it_came() -> Result<()> {
    let (stack, page) = with_page().await?;
    stack.simulator().knobs(|knobs| knobs.consent = Consent::Allow);
    page.show(&html(&stack, "zh-CN", "scope=auto"), &policy(&stack));
    let Some(chromium) = Chromium::start(Reader::IN_WECHAT).await? else { return Ok(()) };
    chromium.open(&page.same_site()).await?;
    chromium.press_part("button", LABELS.log_in).await?;
    chromium.press_part("user", LABELS.nameless).await?;
    let item = chromium.part("item", LABELS.add_profile).await?;
    let chain = chromium.action_chain().key_down(Key::Control);
    chain.click_element(&item).key_up(Key::Control).perform().await?;
    let here = chromium.other_tab().await?;
    chromium.part("user", &nickname(&stack, "lin")).await?;
    chromium.switch_to_window(here).await?;
    chromium.run("dispatchEvent(new Event('focus'))", Vec::new()).await?;
    chromium.press_part("user", &nickname(&stack, "lin")).await?;
    let items =
        "return document.querySelector('wechat-login').shadowRoot.querySelectorAll('[part=item]').length";
    assert_eq!(chromium.run(items, Vec::new()).await?, 1);
    chromium.leave(&[NOBODY, NO_AVATAR]).await
}

/// An answer that was asked for before the logout, and comes after it, says nothing any more.
#[tokio::test]
async fn an_answer_that_comes_after_the_logout_is_not_believed() -> Result<()> {
    const LATE: &str = r#"
        const ask = fetch;
        const { promise, resolve } = Promise.withResolvers();
        let isFirst = true;
        window.fetch = async (address, options) => {
            const isLate = isFirst && address.endsWith("/userinfo");
            isFirst &&= !isLate;
            const answer = await ask(address, options);
            if (isLate) await promise;
            return answer;
        };
        return import(arguments[0]).then(async ({ login, logout, user }) => {
            const late = user({ fresh: true });
            await logout();
            resolve();
            return [await late, await user()];
        });
    "#;
    let (stack, page) = with_page().await?;
    page.show(&html(&stack, "zh-CN", ""), "");
    let Some(chromium) = Chromium::start(Reader::IN_WECHAT).await? else { return Ok(()) };
    chromium.open(&page.same_site()).await?;
    let button = chromium.part("button", LABELS.log_in).await?;
    // Whoever presses twice is logged in once.
    chromium.action_chain().double_click_element(&button).perform().await?;
    chromium.part("user", LABELS.nameless).await?;
    assert_eq!(stack.sessions()?.len(), 1);
    let told = chromium.run(LATE, vec![format!("{}/login.js", stack.public_url()).into()]).await?;
    assert_eq!(told, json!([null, null]));
    chromium.part("button", LABELS.log_in).await?;
    chromium.leave(&[NOBODY]).await
}

#[tokio::test]
async fn a_browser_without_cookies_is_named() -> Result<()> {
    // Firefox that is set so gives a page no channel either.
    const NO_CHANNEL: &str = r#"<script>
        window.BroadcastChannel = class { constructor() { throw new DOMException("insecure", "SecurityError"); } };
    </script>"#;
    let (stack, page) = with_page().await?;
    let blocked = Reader::AT_A_COMPUTER.without_cookies();
    let kept = [NOBODY].as_slice();
    let not_kept = [NOBODY, "docs/en/reference/login-js.md#cookies"].as_slice();
    for (reader, before, cookie, said) in [
        (blocked, "", "", not_kept),
        (blocked, NO_CHANNEL, "", not_kept),
        (Reader::AT_A_COMPUTER, NO_CHANNEL, "a=1", kept),
    ] {
        page.show(&format!("{before}{}", html(&stack, "zh-CN", "")), "");
        let Some(chromium) = Chromium::start(reader).await? else { return Ok(()) };
        chromium.open(&page.same_site()).await?;
        chromium.part("button", LABELS.log_in).await?;
        let set = chromium.run("document.cookie = 'a=1'; return document.cookie", Vec::new()).await?;
        assert_eq!(set, cookie);
        chromium.leave(said).await?;
    }
    Ok(())
}

/// What is of use at a computer is of none on a touch screen, or is blocked: the login goes on in this page.
#[tokio::test]
async fn goes_on_in_the_page_where_no_window_is_of_use() -> Result<()> {
    const BLOCKED: &str = "<script>window.open = () => null</script>";
    let (stack, page) = with_page().await?;
    for (mode, has_touch, before) in [("popup", true, ""), ("embedded", true, ""), ("popup", false, BLOCKED)]
    {
        page.show(&format!("{before}{}", html(&stack, "zh-CN", &format!("mode={mode}"))), "");
        let Some(chromium) = Chromium::start(Reader::AT_A_COMPUTER).await? else { return Ok(()) };
        if has_touch {
            let screen = json!({ "width": 360, "height": 780, "deviceScaleFactor": 1, "mobile": true });
            chromium.cdp().send_raw("Emulation.setDeviceMetricsOverride", screen).await?;
            chromium.cdp().send_raw("Emulation.setTouchEmulationEnabled", json!({ "enabled": true })).await?;
        }
        let here = format!("{}/me?tab=1", page.same_site());
        chromium.open(&here).await?;
        // Before anybody knows who is logged in, the button is there in any mode.
        let nobody = r"return import(arguments[0]).then(({ user }) => user())";
        let module = format!("{}/login.js", stack.public_url());
        assert_eq!(chromium.run(nobody, vec![module.into()]).await?, Value::Null);
        chromium.press_part("button", LABELS.log_in).await?;
        chromium.element(".js_qrcode_img").await?;
        assert_eq!(chromium.windows().await?.len(), 1, "{mode}");
        scan(&stack, "zhou")?;
        chromium.until_at(&here).await?;
        chromium.part("user", &nickname(&stack, "zhou")).await?;
        chromium.leave(&[NOBODY, NO_AVATAR]).await?;
    }
    Ok(())
}

/// To WeChat's QR code and back, by the tag as it is without attributes. A logout that fails is said, and nobody is
/// gone.
#[tokio::test]
async fn goes_to_wechats_qr_code_and_comes_back() -> Result<()> {
    const FAIL: &str = r#"
        window.whole = fetch;
        window.fetch = async (address, options) =>
            address.endsWith("/logout") ? Response.json({ title: "busy" }, { status: 503 }) : whole(address, options);
    "#;
    let (stack, page) = with_page().await?;
    for (language, reader) in LANGUAGES {
        let (labels, tag) = (Labels::of(language), language.tag());
        page.show(&html(&stack, tag, ""), &policy(&stack));
        let Some(chromium) = Chromium::start(reader).await? else { return Ok(()) };
        let here = format!("{}/me?tab=1", page.same_site());
        chromium.open(&here).await?;
        chromium.press_part("button", labels.log_in).await?;
        chromium.element(".js_qrcode_img").await?;
        scan(&stack, "zhou")?;
        chromium.until_at(&here).await?;
        chromium.press_part("user", &nickname(&stack, "zhou")).await?;
        chromium.run(FAIL, Vec::new()).await?;
        chromium.press_part("item", labels.log_out).await?;
        let failed = chromium.part("note", "").await?;
        assert_eq!(failed.attr("role").await?.as_deref(), Some("alert"));
        chromium.look(&format!("tag-logout-failed-{tag}")).await?;
        assert_eq!(stack.sessions()?.len(), 1);
        chromium.run("window.fetch = whole", Vec::new()).await?;
        chromium.press_part("item", labels.log_out).await?;
        chromium.part("button", labels.log_in).await?;
        assert!(stack.sessions()?.is_empty());
        chromium.leave(&[NOBODY, NO_AVATAR]).await?;
    }
    Ok(())
}

/// A page that cuts itself off from the windows that it opens: the window cannot tell it that the login is over, and
/// shows the page itself. The first page sees who is logged in when the person comes back to it.
#[tokio::test]
async fn a_popup_that_is_cut_off_is_believed_when_the_person_comes_back() -> Result<()> {
    let (stack, page) = with_page().await?;
    page.show(&html(&stack, "zh-CN", "mode=popup"), &policy(&stack));
    for opener in ["same-origin", "same-origin-allow-popups"] {
        let Some(chromium) = Chromium::start(Reader::AT_A_COMPUTER).await? else { return Ok(()) };
        let address = format!("{}/?opener={opener}", page.same_site());
        chromium.open(&address).await?;
        chromium.press_part("button", LABELS.log_in).await?;
        let here = chromium.other_tab().await?;
        chromium.element(".js_qrcode_img").await?;
        scan(&stack, "zhou")?;
        chromium.until_at(&address).await?;
        let nickname = nickname(&stack, "zhou");
        chromium.part("user", &nickname).await?;
        assert_eq!(chromium.windows().await?.len(), 2);
        chromium.switch_to_window(here).await?;
        chromium.part("button", LABELS.log_in).await?;
        chromium.run("dispatchEvent(new Event('focus'))", Vec::new()).await?;
        chromium.part("user", &nickname).await?;
        chromium.leave(&[NOBODY, NO_AVATAR]).await?;
    }
    Ok(())
}

/// Which part of the element has the focus, and whether it can be seen that it has.
const FOCUSED: &str = r#"
    const focused = document.querySelector("wechat-login").shadowRoot.activeElement;
    return focused && getComputedStyle(focused).outlineStyle === "solid" ? focused.part.value : null;
"#;

#[tokio::test]
async fn all_of_it_can_be_reached_by_keyboard() -> Result<()> {
    let (stack, page) = with_page().await?;
    // At the right edge, where a menu that begins at the left would not fit.
    let html = html(&stack, "zh-CN", "scope=auto").replace("<h1>", r#"<body style="text-align:right"><h1>"#);
    page.show(&html, "");
    let Some(chromium) = Chromium::start(Reader::IN_WECHAT).await? else { return Ok(()) };
    chromium.open(&page.same_site()).await?;
    chromium.part("button", LABELS.log_in).await?;
    let press = async |key: Key| chromium.action_chain().send_keys(key).perform().await;
    let focused = async || chromium.run(FOCUSED, Vec::new()).await;
    press(Key::Tab).await?;
    assert_eq!(focused().await?, "button");
    press(Key::Enter).await?;
    chromium.part("user", LABELS.nameless).await?;
    press(Key::Tab).await?;
    assert_eq!(focused().await?, "user");
    press(Key::Enter).await?;
    chromium.part("item", LABELS.add_profile).await?;
    chromium.look("tag-menu-at-the-edge").await?;
    press(Key::Tab).await?;
    press(Key::Tab).await?;
    assert_eq!(focused().await?, "item");
    press(Key::Escape).await?;
    assert_eq!(focused().await?, "user");
    let open = "return document.querySelector('wechat-login').shadowRoot.querySelector('details').open";
    assert_eq!(chromium.run(open, Vec::new()).await?, false);
    for key in [Key::Enter, Key::Tab, Key::Tab, Key::Enter] {
        press(key).await?;
    }
    // Where the focus was, the way back in is now.
    chromium.part("button", LABELS.log_in).await?;
    assert_eq!(focused().await?, "button");
    assert!(stack.sessions()?.is_empty());
    chromium.leave(&[NOBODY]).await
}

/// The ring around what has the focus is of two colors, of which one is seen on any page: one that is dark says so to
/// nobody.
#[tokio::test]
async fn the_focus_is_seen_on_pages_of_any_color() -> Result<()> {
    const RING: &str = r#"
        const { outline, boxShadow } = getComputedStyle(document.querySelector("wechat-login").shadowRoot.activeElement);
        return [outline, boxShadow];
    "#;
    let (stack, page) = with_page().await?;
    let Some(chromium) = Chromium::start(Reader::AT_A_COMPUTER).await? else { return Ok(()) };
    for (paper, name) in [("#000", "dark"), ("#fff", "light"), ("#067d3f", "green")] {
        let style = format!("<style>body{{background:{paper};color:gray}}</style><h1>");
        page.show(&html(&stack, "zh-CN", "").replace("<h1>", &style), "");
        chromium.open(&page.same_site()).await?;
        chromium.part("button", LABELS.log_in).await?;
        chromium.action_chain().send_keys(Key::Tab).perform().await?;
        let ring = chromium.run(RING, Vec::new()).await?;
        assert_eq!(ring, json!(["rgb(255, 255, 255) solid 3px", "rgb(0, 0, 0) 0px 0px 0px 6px"]));
        chromium.look(&format!("tag-focus-{name}")).await?;
    }
    chromium.leave(&[NOBODY]).await
}

/// In a component of the page's own, whose tree hides what has the focus from the page.
#[tokio::test]
async fn the_focus_stays_when_it_is_drawn_anew_inside_of_another_component() -> Result<()> {
    const DRAW: &str = r#"
        return import(arguments[0]).then(async ({ user }) => {
            const around = document.body.appendChild(document.createElement("div")).attachShadow({ mode: "open" });
            const tag = around.appendChild(document.createElement("wechat-login"));
            await user();
            await new Promise((resolve) => setTimeout(resolve));
            const focused = () => tag.shadowRoot.activeElement?.textContent ?? null;
            const before = focused();
            tag.lang = "zh-CN";
            const without = focused();
            tag.shadowRoot.querySelector("a").focus();
            const first = focused();
            tag.lang = "en";
            return [before, without, first, focused()];
        });
    "#;
    let (stack, page) = with_page().await?;
    page.show(&html(&stack, "zh-CN", ""), "");
    let Some(chromium) = Chromium::start(Reader::AT_A_COMPUTER).await? else { return Ok(()) };
    chromium.open(&page.same_site()).await?;
    chromium.part("button", LABELS.log_in).await?;
    let focused = chromium.run(DRAW, vec![format!("{}/login.js", stack.public_url()).into()]).await?;
    let english = Labels::of(Language::English).log_in;
    // It takes the focus from nobody, and keeps what it has.
    assert_eq!(focused, json!([null, null, LABELS.log_in, english]));
    chromium.leave(&[NOBODY]).await
}

/// What a tab does, the other tabs of the origin know.
#[tokio::test]
async fn the_other_tabs_follow() -> Result<()> {
    let (stack, page) = with_page().await?;
    page.show(&html(&stack, "zh-CN", "mode=popup"), &policy(&stack));
    let Some(chromium) = Chromium::start(Reader::AT_A_COMPUTER).await? else { return Ok(()) };
    chromium.open(&page.same_site()).await?;
    chromium.part("button", LABELS.log_in).await?;
    let first = chromium.window().await?;
    let second = chromium.new_tab().await?;
    chromium.switch_to_window(second.clone()).await?;
    chromium.open(&page.same_site()).await?;
    chromium.press_part("button", LABELS.log_in).await?;
    stack.simulator().until(|entries| entries.iter().any(|entry| entry.path == "/connect/qrconnect")).await;
    scan(&stack, "zhou")?;
    let nickname = nickname(&stack, "zhou");
    for tab in [&first, &second] {
        chromium.switch_to_window(tab.clone()).await?;
        chromium.part("user", &nickname).await?;
    }
    chromium.press_part("user", &nickname).await?;
    chromium.press_part("item", LABELS.log_out).await?;
    chromium.switch_to_window(first).await?;
    chromium.part("button", LABELS.log_in).await?;
    chromium.leave(&[NOBODY, NO_AVATAR]).await
}

/// Without the script, be it blocked or old, the link inside of the tag is there.
#[tokio::test]
async fn the_plain_link_works_without_the_script() -> Result<()> {
    let (stack, page) = with_page().await?;
    page.show(&html(&stack, "zh-CN", ""), "script-src 'none'");
    let Some(chromium) = Chromium::start(Reader::IN_WECHAT).await? else { return Ok(()) };
    chromium.open(&page.same_site()).await?;
    chromium.press("plain").await?;
    chromium.until_at(&format!("{}/", stack.public_url())).await?;
    chromium.leave(&["Content Security Policy"]).await
}
