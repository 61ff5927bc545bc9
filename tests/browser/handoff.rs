//! A browser that a phone's WeChat logs in, and the phone: two browsers with a profile each.

use chromium::{Chromium, Reader};
use harness::{
    Options, Result, Stack,
    browser::Visit,
    hand_off::{CHOICE, form, scan},
};
use login::{
    handoff::Ticket,
    pending::{BrowserSecret, State},
};
use serde_json::json;
use simulator::{Consent, Snapshot};
use web::{language::Language, reason::Reason, words::Labels};

use crate::login::LABELS;

/// What the QR code of a waiting page says, which no program here can scan: who has the page's address and its
/// browser's secret can tell.
pub async fn code(stack: &Stack, waiting: &Chromium) -> Result<String> {
    let address = waiting.run("return location.search", Vec::new()).await?;
    let state = address.as_str().and_then(|query| State::parse(query.strip_prefix("?state=")?.get(..64)?));
    let browser = BrowserSecret::parse(&waiting.cookie("wechat-login-browser").await?);
    let (browser, state) = browser.zip(state).ok_or_else(|| harness::Failure::new("no waiting page"))?;
    Ok(format!("{}/handoff?ticket={}", stack.public_url(), Ticket::derive(&browser, &state).expose()))
}

/// What readers read, and how the names of pictures say that.
const LANGUAGES: [(Language, &str); 2] = [(Language::Chinese, "zh"), (Language::English, "en")];

/// What the browser of such a reader asks for.
const fn preferred(language: Language) -> &'static str {
    match language {
        Language::Chinese => "zh-CN,zh",
        Language::English => "en-US,en",
    }
}

async fn account_only() -> Result<Stack> {
    Stack::start(Options::default().on_this_machine().without("WEBSITE_APP_ID")).await
}

/// Begins a login that a phone is to make, and waits under this title; what the code says.
async fn begin(stack: &Stack, browser: &Chromium, link: &str, title: &str) -> Result<String> {
    browser.open(&format!("{}{link}", stack.public_url())).await?;
    browser.arrive(title).await?;
    code(stack, browser).await
}

/// A computer, and the WeChat of a phone that is to log it in; both read the same language.
struct Pair<'a> {
    stack: &'a Stack,
    labels: Labels,
    computer: Chromium,
    phone: Chromium,
}

impl<'a> Pair<'a> {
    /// `None` where there is no browser to test in.
    async fn start(stack: &'a Stack, language: Language) -> Result<Option<Self>> {
        let (languages, labels) = (preferred(language), Labels::of(language));
        let computer = Chromium::start(Reader::AT_A_COMPUTER.reading(languages)).await?;
        let phone = Chromium::start(Reader::IN_WECHAT.reading(languages)).await?;
        Ok(computer.zip(phone).map(|(computer, phone)| Self { stack, labels, computer, phone }))
    }

    /// The computer waits; what its code says.
    async fn begin(&self, link: &str) -> Result<String> {
        begin(self.stack, &self.computer, link, self.labels.scan_to_log_in).await
    }

    /// The phone opens what the code says, and is asked; the number that the computer shows then, by itself.
    async fn scan(&self, code: &str) -> Result<String> {
        self.phone.open(code).await?;
        self.phone.arrive(self.labels.log_in_other_device).await?;
        self.computer.arrive(self.labels.confirm_on_phone).await?;
        self.computer.text(".number").await
    }

    /// Both are closed; the console of the phone said this and nothing else, that of the computer nothing.
    async fn leave(self, expected_of_phone: &[&str]) -> Result<()> {
        self.computer.leave(&[]).await?;
        self.phone.leave(expected_of_phone).await
    }
}

/// The whole way, by reading and pressing: the page that waits goes on by itself, by its script and by opening itself
/// anew.
#[tokio::test]
async fn logs_a_computer_in_by_a_phone() -> Result<()> {
    let stack = account_only().await?;
    for (language, name) in LANGUAGES {
        let Some(pair) = Pair::start(&stack, language).await? else { return Ok(()) };
        let Pair { labels, computer, phone, .. } = &pair;
        let code = pair.begin("/authorize").await?;
        let picture = computer.element(".code img").await?.rect().await?;
        assert!(picture.width >= 200.0 && (picture.width - picture.height).abs() < 1.0, "{picture:?}");
        computer.look(&format!("handoff-waiting-{name}")).await?;

        let Some(camera) = Chromium::start(Reader::ON_A_PHONE.reading(preferred(language))).await? else {
            return Ok(());
        };
        camera.open(&code).await?;
        let heading =
            if language == Language::Chinese { "需要在微信里打开" } else { "Open this in WeChat" };
        camera.arrive(heading).await?;
        camera.look(&format!("handoff-outside-wechat-{name}")).await?;

        let number = pair.scan(&code).await?;
        phone.look(&format!("handoff-asked-{name}")).await?;
        computer.look(&format!("handoff-number-{name}")).await?;
        phone.press(&number).await?;
        phone.arrive(if language == Language::Chinese { "已确认" } else { "Confirmed" }).await?;
        phone.look(&format!("handoff-done-{name}")).await?;
        computer.until_at(&format!("{}/", stack.public_url())).await?;
        assert_eq!(computer.text("main > p").await?, labels.has_logged_in);
        // There is nothing to take back any more, and the phone says so by itself.
        let done = if language == Language::Chinese {
            "另一台设备已登录"
        } else {
            "The other device is logged in"
        };
        phone.arrive(done).await?;
        phone.look(&format!("handoff-picked-up-{name}")).await?;
        assert_eq!(phone.run("return document.querySelectorAll('button').length", vec![]).await?, 0);
        pair.leave(&[]).await?;
    }
    Ok(())
}

/// One wrong number: both say so, and the computer offers a new code.
#[tokio::test]
async fn says_on_both_screens_that_the_number_was_wrong() -> Result<()> {
    let stack = account_only().await?;
    let Some(pair) = Pair::start(&stack, Language::Chinese).await? else { return Ok(()) };
    let Pair { computer, phone, .. } = &pair;
    let right = pair.scan(&pair.begin("/authorize").await?).await?;
    let wrong = phone.run(
        "return [...document.querySelectorAll('.numbers button')].map((one) => one.innerText).find((one) => one !== arguments[0])",
        vec![right.into()],
    );
    let wrong = wrong.await?;
    phone.press(wrong.as_str().unwrap_or_default()).await?;
    for screen in [phone, computer] {
        screen.arrive("数字不对，没有登录").await?;
    }
    computer.look("handoff-wrong-number").await?;
    // Who goes back to the numbers, which a browser may show as they were, reads the same.
    phone.back().await?;
    phone.arrive("数字不对，没有登录").await?;
    phone.look("handoff-wrong-number-back").await?;
    computer.press(LABELS.new_code).await?;
    computer.arrive(LABELS.scan_to_log_in).await?;
    pair.leave(&[]).await
}

/// A browser in which no page runs a script: the page that waits opens itself anew, shows the number, and is in at the
/// end. An answer that is lost on the way is lost, and takes a new code.
#[tokio::test]
async fn waits_without_a_script() -> Result<()> {
    let stack = account_only().await?;
    for (language, _) in LANGUAGES {
        waits_without_a_script_in(&stack, language).await?;
    }
    Ok(())
}

async fn waits_without_a_script_in(stack: &Stack, language: Language) -> Result<()> {
    let (labels, tag) = (Labels::of(language), language.tag());
    let two = if language == Language::Chinese {
        "有两个浏览器在等待"
    } else {
        "Two browsers were waiting"
    };
    let Some(computer) = Chromium::start(Reader::AT_A_COMPUTER.reading(preferred(language))).await? else {
        return Ok(());
    };
    computer.cdp().send_raw("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await?;
    let phone = stack.visitor("zhou");
    // No script of a page runs here, those of the test excepted.
    computer
        .open("data:text/html,<h1>off</h1><script>document.querySelector('h1').textContent='on'</script>")
        .await?;
    computer.arrive("off").await?;
    computer.open(&format!("{}/authorize", stack.public_url())).await?;
    for is_lost in [true, false] {
        computer.arrive(labels.scan_to_log_in).await?;
        let page = scan(&phone, &code(stack, &computer).await?).await?;
        computer.arrive(labels.confirm_on_phone).await?;
        computer.look(&format!("handoff-no-script-number-{tag}")).await?;
        let number = computer.text(".number").await?;
        let names = computer.cookie_names().await?;
        let pick_ups: Vec<_> =
            names.iter().filter(|name| name.starts_with("wechat-login-handoff-")).collect();
        if is_lost {
            for name in pick_ups {
                computer.delete_cookie(name.as_str()).await?;
            }
            computer.arrive(two).await?;
            computer.look(&format!("handoff-no-script-lost-{tag}")).await?;
            computer.press(labels.new_code).await?;
        } else {
            assert_eq!(pick_ups.len(), 1, "{names:?}");
            let form = form(&page)?;
            let fields = [("ticket", &*form.ticket), ("session", &*form.session), ("number", &*number)];
            let address = format!("{}/handoff", stack.public_url());
            let tapped = phone.send(Visit::form(&address, stack.public_url(), &fields)).await?;
            assert_eq!(tapped.status, 303, "{}", tapped.text());
        }
    }
    computer.until_at(&format!("{}/", stack.public_url())).await?;
    assert_eq!(computer.text("main > p").await?, labels.has_logged_in);
    computer.leave(&[]).await
}

/// The phone of somebody who is shown a snapshot of the page, which is nobody's: it says what to press, and scans
/// nothing.
#[tokio::test]
async fn says_to_a_snapshot_page_how_to_go_on() -> Result<()> {
    let stack = account_only().await?;
    for (language, name) in LANGUAGES {
        let Some(pair) = Pair::start(&stack, language).await? else { return Ok(()) };
        let Pair { labels, computer, phone, .. } = &pair;
        stack.simulator().knobs(|knobs| knobs.snapshot = Snapshot::On);
        let code = pair.begin("/authorize?scope=snsapi_userinfo").await?;
        phone.open(&code).await?;
        phone.arrive(Reason::Snapshot.words(language).title).await?;
        phone.look(&format!("handoff-phone-snapshot-{name}")).await?;
        computer.arrive(labels.scan_to_log_in).await?;
        // The whole page, with the person's consent: the same code is as good as before.
        stack.simulator().knobs(|knobs| {
            knobs.snapshot = Snapshot::Off;
            knobs.consent = Consent::Allow;
        });
        phone.press(&pair.scan(&code).await?).await?;
        computer.until_at(&format!("{}/", stack.public_url())).await?;
        pair.leave(&[]).await?;
    }
    Ok(())
}

/// The browser of the phone that confirms stands still while the person is in WeChat: it shows the number when the
/// person is back, as both pages say, and logs in when the person is back once more.
#[tokio::test]
async fn logs_the_browser_of_the_same_phone_in() -> Result<()> {
    const NOTE: &str = "
        document.addEventListener('freeze', () => {
            sessionStorage.frozen = (sessionStorage.frozen || '') + document.querySelector('h1').innerText + '.';
        });
    ";
    let stack = account_only().await?;
    for (language, name) in LANGUAGES {
        let (languages, labels) = (preferred(language), Labels::of(language));
        let Some(browser) = Chromium::start(Reader::ON_A_PHONE.reading(languages)).await? else {
            return Ok(());
        };
        let Some(wechat) = Chromium::start(Reader::IN_WECHAT.reading(languages)).await? else {
            return Ok(());
        };
        let leave = async || -> Result<()> {
            browser.run(NOTE, Vec::new()).await?;
            browser.cdp().send_raw("Page.setWebLifecycleState", json!({ "state": "frozen" })).await?;
            Ok(())
        };
        let come_back = async || -> Result<()> {
            browser.cdp().send_raw("Page.setWebLifecycleState", json!({ "state": "active" })).await?;
            browser.cdp().send_raw("Page.bringToFront", json!({})).await?;
            Ok(())
        };
        let code = begin(&stack, &browser, "/authorize", labels.open_in_wechat).await?;
        assert_eq!(browser.text("ol li:last-child").await?, labels.come_back);

        leave().await?;
        wechat.open(&code).await?;
        wechat.arrive(labels.log_in_other_device).await?;
        assert_eq!(wechat.text("form + .soft").await?, labels.no_number_yet);
        come_back().await?;
        browser.arrive(labels.confirm_in_wechat).await?;
        let number = browser.text(".number").await?;
        browser.look(&format!("handoff-phone-number-{name}")).await?;

        leave().await?;
        wechat.press(&number).await?;
        wechat.arrive(if language == Language::Chinese { "已确认" } else { "Confirmed" }).await?;
        come_back().await?;
        browser.until_at(&format!("{}/", stack.public_url())).await?;
        assert_eq!(browser.text("main > p").await?, labels.has_logged_in);
        let frozen = browser.run("return sessionStorage.frozen", Vec::new()).await?;
        assert_eq!(frozen, format!("{}.{}.", labels.open_in_wechat, labels.confirm_in_wechat));
        browser.leave(&[]).await?;
        wechat.leave(&[]).await?;
    }
    Ok(())
}

/// To who does not see them the numbers are a group, which says what they are; and the number to tap stands in the name
/// of the page that it comes with, which is what is read when a page has loaded.
#[tokio::test]
async fn the_numbers_have_a_name() -> Result<()> {
    let stack = account_only().await?;
    let Some(pair) = Pair::start(&stack, Language::Chinese).await? else { return Ok(()) };
    let Pair { computer, phone, .. } = &pair;
    let number = pair.scan(&pair.begin("/authorize").await?).await?;
    let tree = phone.cdp().send_raw("Accessibility.getFullAXTree", json!({})).await?;
    let nodes = tree["nodes"].as_array().cloned().unwrap_or_default();
    let group = nodes.iter().find(|node| node["role"]["value"] == "group");
    let name = group.map(|group| group["name"]["value"].clone()).unwrap_or_default();
    assert_eq!(name, LABELS.which_number);
    let tree = computer.cdp().send_raw("Accessibility.getFullAXTree", json!({})).await?;
    let page =
        tree["nodes"].as_array().into_iter().flatten().find(|node| node["role"]["value"] == "RootWebArea");
    let name = page.and_then(|page| page["name"]["value"].as_str()).unwrap_or_default();
    assert_eq!(name, format!("{number} · {}", LABELS.confirm_on_phone));
    pair.leave(&[]).await
}

/// Every page of a phone for which nothing is confirmed sends the person back to the other device, and offers no login
/// here.
#[tokio::test]
async fn says_to_a_phone_why_nothing_was_confirmed() -> Result<()> {
    let stack = account_only().await?;
    for (language, name) in LANGUAGES {
        let Some(pair) = Pair::start(&stack, language).await? else { return Ok(()) };
        let Pair { labels, computer, phone, .. } = &pair;
        let told = async |title: &str, picture: &str| {
            phone.arrive(title).await?;
            assert_eq!(phone.run("return document.querySelectorAll('a, button').length", vec![]).await?, 0);
            phone.look(&format!("handoff-{picture}-{name}")).await
        };
        let in_words = |chinese, english| if language == Language::Chinese { chinese } else { english };
        let handoff = format!("{}/handoff", stack.public_url());
        phone.open(&format!("{handoff}?ticket=x")).await?;
        told(Reason::InvalidRequest.words(language).title, "phone-invalid").await?;
        phone.open(&format!("{handoff}?ticket={CHOICE}")).await?;
        told(in_words("二维码已过期", "The code has expired"), "phone-gone").await?;

        // Refused, and taken back before the computer, which looks at something else, has picked it up.
        for is_refused in [true, false] {
            let number = pair.scan(&pair.begin("/authorize").await?).await?;
            let waiting = computer.current_url().await?;
            if is_refused {
                phone.press(labels.refuse).await?;
                told(in_words("已拒绝", "Refused"), "phone-refused").await?;
            } else {
                computer.open("about:blank").await?;
                phone.press(&number).await?;
                phone.press(labels.take_back).await?;
                told(in_words("已撤回", "Taken back"), "phone-taken-back").await?;
                computer.open(waiting.as_str()).await?;
            }
            computer.arrive(in_words("没有登录", "Not logged in")).await?;
            computer
                .look(&format!("handoff-{}-{name}", if is_refused { "refused" } else { "taken-back" }))
                .await?;
        }

        // Another phone was first, and confirms.
        computer.press(labels.new_code).await?;
        computer.arrive(labels.scan_to_log_in).await?;
        let code = code(&stack, computer).await?;
        scan(&stack.visitor("lin"), &code).await?;
        phone.open(&code).await?;
        told(in_words("二维码已被扫过", "This code was scanned already"), "phone-second").await?;
        pair.leave(&["status of 400"]).await?;
    }
    Ok(())
}

/// A page whose questions are throttled, refused, lost or answered by somebody else waits on, and asks less often.
#[tokio::test]
async fn waits_on_while_it_is_not_answered() -> Result<()> {
    // It asks sooner, once it has asked for the first time; an answer has all the time that it has elsewhere.
    const TROUBLE: &str = r#"
        const answers = [
            () => new Response('{"message":"Too Many Requests"}', { status: 429 }),
            () => new Response('{"message":"Service Unavailable"}', { status: 503 }),
            () => Promise.reject(new TypeError("offline")),
            () => new Response("<title>a hotel's page</title>"),
            () => Response.json({ message: "nothing of ours" }),
        ];
        const [ask, wait] = [fetch, setTimeout];
        window.fetch = async (...asked) => {
            const answer = answers.shift();
            return answer ? answer() : ask(...asked);
        };
        window.setTimeout = (run, pause) => {
            if (run.name !== "ask") return wait(run, pause);
            sessionStorage.pauses = (sessionStorage.pauses || "") + pause + " ";
            return wait(run, pause / 60);
        };
    "#;
    let stack = account_only().await?;
    let Some(computer) = Chromium::start(Reader::AT_A_COMPUTER).await? else { return Ok(()) };
    let phone = stack.visitor("zhou");
    computer.open(&format!("{}/authorize", stack.public_url())).await?;
    computer.arrive(LABELS.scan_to_log_in).await?;
    computer.run(TROUBLE, Vec::new()).await?;
    scan(&phone, &code(&stack, &computer).await?).await?;
    computer.arrive(LABELS.confirm_on_phone).await?;
    let pauses = computer.run("return sessionStorage.pauses", Vec::new()).await?;
    let pauses = pauses.as_str().unwrap_or_default();
    let then = pauses.strip_prefix("6000 12000 12000 12000 12000 ");
    // If the phone was slower than that, it is asked as often as before.
    assert!(then.is_some_and(|then| then.split_whitespace().all(|pause| pause == "3000")), "{pauses}");
    computer.leave(&[]).await
}

/// On a phone there is a link that one tap selects as a whole, and the code as a picture to keep.
#[tokio::test]
async fn lets_a_phone_take_the_link_to_wechat() -> Result<()> {
    let stack = account_only().await?;
    for (reader, labels, picture) in [
        (Reader::ON_A_PHONE, LABELS, "handoff-phone-zh"),
        (Reader::ON_A_PHONE.reading("en-US,en"), Labels::of(Language::English), "handoff-phone-en"),
        (Reader::IN_WECOM, LABELS, "handoff-wecom-zh"),
        (Reader::IN_WECOM.reading("en-US,en"), Labels::of(Language::English), "handoff-wecom-en"),
    ] {
        let Some(chromium) = Chromium::start(reader).await? else { return Ok(()) };
        let code = begin(&stack, &chromium, "/authorize", labels.open_in_wechat).await?;
        chromium.element(".link").await?.click().await?;
        assert_eq!(chromium.run("return getSelection().toString()", Vec::new()).await?, code.as_str());
        let kept =
            chromium.run("return document.querySelector('.code img').naturalWidth", Vec::new()).await?;
        assert!(kept.as_u64() >= Some(300), "{kept}");
        chromium.look(picture).await?;
        chromium.leave(&[]).await?;
    }
    Ok(())
}
