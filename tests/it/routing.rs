//! One link for every browser: which app logs a person in, what a browser sees that no app serves, and
//! the switches that WeChat's address carries.

#![expect(clippy::unwrap_used, clippy::panic, reason = "the helpers of these tests fail as the tests do")]

use harness::{
    Answer, Options, Stack, Visitor,
    browser::{DESKTOP_USER_AGENT, WECHAT_USER_AGENT},
    database::attribute,
    places::{AUTHORIZE, CONSENT_PAGE, EXCHANGE, QR_PAGE},
    stack::{OFFICIAL_ACCOUNT, WEBSITE_APP},
};
use simulator::Outcome;

use crate::desktop::{arrive, desktop};
use web::{language::Language, reason::Reason, words::Labels};

use crate::support::{LABELS, allow, assert_secured, stack, title};

pub const DESKTOP_WECHAT: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like \
    Gecko) Chrome/132.0.0.0 Safari/537.36 NetType/WIFI MicroMessenger/7.0.20.1781(0x6700143B) \
    WindowsWechat(0x63090c37) XWEB/14315 Flue";
pub const MAC_WECHAT: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like \
    Gecko) Chrome/132.0.0.0 Safari/537.36 MicroMessenger/7.0.20.1781(0x6700143B) MacWechat/3.8.7(0x13080712) \
    XWEB/16816";
const WECOM: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like \
    Gecko) Mobile/15E148 wxwork/4.1.36 MicroMessenger/7.0.1 Language/zh";

/// Whose browser, and whether it is WeChat's own.
const AGENTS: [(&str, Agent); 12] = [
    (WECHAT_USER_AGENT, Agent::WechatOnPhone),
    (
        "Mozilla/5.0 (Linux; Android 9; 小辣椒 G2; wv) Mobile Safari/537.36 MicroMessenger/8.0.48",
        Agent::WechatOnPhone,
    ),
    (DESKTOP_WECHAT, Agent::WechatOnDesktop),
    (MAC_WECHAT, Agent::WechatOnDesktop),
    (WECOM, Agent::Phone),
    (SAFARI_ON_PHONE, Agent::Phone),
    (
        "Mozilla/5.0 (Linux; Android 14; 小米 14) AppleWebKit/537.36 Chrome/130.0.0.0 Mobile Safari/537.36",
        Agent::Phone,
    ),
    // A tablet can be scanned.
    ("Mozilla/5.0 (iPad; CPU OS 17_6 like Mac OS X) Version/17.6 Mobile/15E148 Safari/604.1", Agent::Desktop),
    ("Mozilla/5.0 (Linux; Android 14; Pixel Tablet) Chrome/130.0.0.0 Safari/537.36", Agent::Desktop),
    (DESKTOP_USER_AGENT, Agent::Desktop),
    ("curl/8.9.0", Agent::Desktop),
    ("", Agent::Desktop),
];

const SAFARI_ON_PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 \
    (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1";

/// What a user agent is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Agent {
    WechatOnPhone,
    WechatOnDesktop,
    Phone,
    Desktop,
}

/// Where a link leads.
#[derive(Debug, PartialEq)]
enum Way {
    Account,
    QrCode,
    HandOff,
    OpenOnComputer,
    Refused,
}

use Way::{Account, HandOff, OpenOnComputer, QrCode, Refused};

fn way(answer: &Answer) -> Way {
    match answer.redirect().unwrap().map(|url| url.path().to_owned()).as_deref() {
        Some(CONSENT_PAGE) => Account,
        Some(QR_PAGE) => QrCode,
        Some("/handoff/wait") => HandOff,
        Some(path) => panic!("{path}"),
        None if answer.text().contains(LABELS.open_on_computer) => OpenOnComputer,
        None => {
            assert_eq!(answer.status, 400, "{}", answer.text());
            assert!(
                answer.text().contains(&format!("<h1>{}</h1>", title(Reason::InvalidRequest))),
                "{}",
                answer.text()
            );
            Refused
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_the_apps_and_the_wish_decide_the_way() {
    let both = stack().await.unwrap();
    let account_only = Stack::start(Options::default().without("WEBSITE_APP_ID")).await.unwrap();
    let website_only = Stack::start(Options::default().without("OFFICIAL_ACCOUNT_APP_ID")).await.unwrap();
    for (agent, kind) in AGENTS {
        let of_both = || match kind {
            Agent::WechatOnPhone | Agent::WechatOnDesktop => Account,
            Agent::Phone => HandOff,
            Agent::Desktop => QrCode,
        };
        for (stack, wish, expected) in [
            (&both, "", of_both()),
            (&both, "?app=official_account", Account),
            (&both, "?via=handoff", if of_both() == Account { Account } else { HandOff }),
            (
                &both,
                "?via=handoff&app=official_account",
                if of_both() == Account { Account } else { HandOff },
            ),
            (&both, "?via=handoff&app=website", QrCode),
            (&both, "?via=phone", Refused),
            (&both, "?app=website", QrCode),
            (&both, "?app=unknown", Refused),
            (&both, "?app=", of_both()),
            (&both, "?app=website&app=website", Refused),
            (&account_only, "", if of_both() == Account { Account } else { HandOff }),
            (&account_only, "?app=official_account", Account),
            (&account_only, "?app=website", Refused),
            (&account_only, "?app=unknown", Refused),
            // A phone cannot scan its own screen, inside WeChat or outside.
            (
                &website_only,
                "",
                if matches!(kind, Agent::WechatOnPhone | Agent::Phone) { OpenOnComputer } else { QrCode },
            ),
            (&website_only, "?app=website", QrCode),
            (&website_only, "?app=official_account", Refused),
        ] {
            let told = format!("{agent:?} {wish}");
            let before = stack.logins().unwrap().len();
            let visitor = stack.visitor("lin").with_user_agent(agent);
            let answer = visitor.open(&format!("{AUTHORIZE}{wish}")).await.unwrap();
            assert_secured(&answer.headers, &told);
            // Who has the QR code on another screen can have it.
            let has_code_link = answer.text().contains("href=\"/authorize?app=website\"");
            assert_eq!(has_code_link, expected == OpenOnComputer, "{told}");
            assert_eq!(way(&answer), expected, "{told}");
            // A login is stored, and tied to the browser, only if somebody was sent to WeChat, or waits for a phone.
            let begun = usize::from(matches!(expected, Account | QrCode | HandOff));
            assert_eq!(stack.logins().unwrap().len() - before, begun, "{told}");
            assert_eq!(answer.set_cookies().len(), begun, "{told}");
        }
    }
    let apps = |stack: &Stack| {
        let mut apps: Vec<_> =
            stack.logins().unwrap().iter().map(|login| attribute(login, "app").to_owned()).collect();
        apps.sort();
        apps.dedup();
        apps
    };
    assert_eq!(apps(&both), [OFFICIAL_ACCOUNT, WEBSITE_APP]);
    assert_eq!(apps(&account_only), [OFFICIAL_ACCOUNT]);
    assert_eq!(apps(&website_only), [WEBSITE_APP]);
}

#[tokio::test(flavor = "multi_thread")]
async fn desktop_wechat_logs_in_silently_as_a_phone_does() {
    let stack = stack().await.unwrap();
    for agent in [DESKTOP_WECHAT, MAC_WECHAT] {
        let visitor = stack.visitor("lin").with_user_agent(agent);
        visitor.log_in().await.unwrap();
        assert_eq!(visitor.logged_in_as().await.unwrap(), Some(visitor.openid()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_pretends_to_be_wechat_meets_wechats_own_refusal() {
    let stack = stack().await.unwrap();
    let visitor = desktop(&stack);
    let hops = visitor.browser.follow(&format!("{AUTHORIZE}?app=official_account")).await.unwrap();
    let last = hops.last().unwrap();
    assert_eq!(last.url.path(), CONSENT_PAGE);
    assert!(last.text().contains("请在微信客户端打开链接"), "{}", last.text());
    assert!(stack.requests(EXCHANGE).is_empty());
}

/// A phone cannot scan what it shows itself, and who is in 企业微信 believes to be in WeChat.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_says_what_to_do_on_the_device_it_is_on() {
    const PHONE: &str = "Mozilla/5.0 (Linux; Android 14) Chrome/142.0.0.0 Mobile Safari/537.36";
    const WECOM: &str = "Mozilla/5.0 (iPhone) Mobile/15E148 wxwork/4.1.30 MicroMessenger/7.0.1";
    const WECOM_DESKTOP: &str = "Mozilla/5.0 (Windows NT 10.0) wxwork/4.1.30 MicroMessenger/7.0.1";
    let both = stack().await.unwrap();
    let account_only = Stack::start(Options::default().without("WEBSITE_APP_ID")).await.unwrap();
    for (stack, has_website) in [(&both, true), (&account_only, false)] {
        for (agent, is_on_phone, is_wecom) in
            [(PHONE, true, false), (WECOM, true, true), (WECOM_DESKTOP, false, true)]
        {
            for language in [Language::Chinese, Language::English] {
                let labels = Labels::of(language);
                let title = if is_on_phone { labels.open_in_wechat } else { labels.scan_to_log_in };
                let visitor = stack.visitor("lin").with_user_agent(agent).reading(language.tag());
                let link = format!(
                    "{AUTHORIZE}?via=handoff&return_to=https%3A%2F%2Fwww.example.com%2F%3Fq%3D%2522%253E%253Cscript%253E"
                );
                let page = visitor.browser.follow(&link).await.unwrap().pop().unwrap().text();
                assert!(page.contains(&format!("<h1>{title}</h1>")), "{agent}: {page}");
                assert!(page.contains("<img src=\"data:image/png;base64,"), "{agent}: {page}");
                assert_eq!(page.contains(labels.copy), is_on_phone, "{agent}: {page}");
                assert_eq!(page.contains(labels.wecom), is_wecom, "{agent}: {page}");
                // Who has WeChat's own QR code on another screen can have it.
                let code_link = "href=\"/authorize?return_to=https%3A%2F%2Fwww.example.com%2F%3Fq%3D%2522%253E%253Cscript%253E&#38;app=website\"";
                assert_eq!(page.contains(code_link), has_website, "{agent}: {page}");
                assert_eq!(page.matches("<script").count(), 1, "{agent}: {page}");
            }
        }
    }
}

/// What stands behind the state in the address that this link leads to.
async fn switches(visitor: &Visitor, query: &str) -> String {
    let answer = visitor.open(&format!("{AUTHORIZE}?{query}")).await.unwrap();
    assert_eq!(answer.status, 302, "{query}: {}", answer.text());
    let location = answer.location().unwrap();
    let (_, rest) = location.split_once("&state=").unwrap();
    rest.get(64..).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_switches_stand_behind_the_state_in_the_documented_order() {
    let usual = stack().await.unwrap();
    let plain = Stack::start(Options::default().with("CONNECT_REDIRECT", "false")).await.unwrap();
    for (query, expected) in [
        ("", ""),
        ("forcePopup=true", "&forcePopup=true"),
        ("forceSnapShot=true", "&forceSnapShot=true"),
        ("forceSnapShot=true&forcePopup=true", "&forcePopup=true&forceSnapShot=true"),
        ("forcePopup=false&forceSnapShot=false", ""),
    ] {
        let phone = usual.visitor("lin");
        assert_eq!(
            switches(&phone, query).await,
            format!("{expected}&connect_redirect=1#wechat_redirect"),
            "{query}"
        );
        assert_eq!(
            switches(&plain.visitor("lin"), query).await,
            format!("{expected}#wechat_redirect"),
            "{query}"
        );
        // WeChat takes them there, and logs in.
        phone.log_in_at(&format!("{AUTHORIZE}?{query}")).await.unwrap();
        // They are an Official Account's; the page with the QR code knows none.
        assert_eq!(switches(&desktop(&usual), query).await, "#wechat_redirect", "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_is_true_or_false_and_set_once() {
    let stack = stack().await.unwrap();
    for name in ["forcePopup", "forceSnapShot"] {
        for query in [format!("{name}=1"), format!("{name}=TRUE"), format!("{name}=true&{name}=true")] {
            for visitor in [stack.visitor("lin"), desktop(&stack)] {
                let answer = visitor.open(&format!("{AUTHORIZE}?{query}")).await.unwrap();
                assert_eq!(way(&answer), Refused, "{query}");
            }
        }
    }
    assert!(stack.logins().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_has_its_effect_at_wechat() {
    let stack = stack().await.unwrap();
    stack.simulator().knobs(|knobs| knobs.consent_remembered = true);
    let visitor = stack.visitor("lin");
    allow(&stack);
    let consent = format!("{AUTHORIZE}?scope=snsapi_userinfo");
    visitor.log_in_at(&consent).await.unwrap();
    // Whoever agreed before is asked again only on request.
    stack.simulator().knobs(|knobs| knobs.consent = simulator::Consent::Ask);
    visitor.log_in_at(&consent).await.unwrap();
    visitor.browser.follow(&format!("{consent}&forcePopup=true")).await.unwrap();
    assert_eq!(stack.simulator().ledger().last().unwrap().outcome, Outcome::Consent);
    // And the snapshot page can be tried out; it logs nobody in.
    let visitor = stack.visitor("lin");
    let hops = visitor.browser.follow(&format!("{consent}&forceSnapShot=true")).await.unwrap();
    let last = hops.last().unwrap();
    assert_eq!((last.status, last.url.path()), (200, "/error"), "{}", last.text());
    assert!(last.text().contains(title(Reason::Snapshot)) && visitor.session().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_link_logs_the_same_person_in_everywhere_with_one_unionid() {
    let stack = stack().await.unwrap();
    allow(&stack);
    let link = format!("{AUTHORIZE}?scope=snsapi_userinfo&return_to=https%3A%2F%2Fwww.example.com%2Forders");
    let orders = "https://www.example.com/orders";
    let (phone, windows, mac, chrome) = (
        stack.visitor("lin"),
        stack.visitor("lin").with_user_agent(DESKTOP_WECHAT),
        stack.visitor("lin").with_user_agent(MAC_WECHAT),
        desktop(&stack),
    );
    for visitor in [&phone, &windows, &mac] {
        let hops = visitor.log_in_at(&link).await.unwrap();
        assert!(hops.last().unwrap().url.as_str().starts_with(orders));
    }
    let callback = chrome.come_back(&link).await.unwrap();
    let hops = arrive(&chrome, &callback).await.unwrap();
    assert!(hops.last().unwrap().url.as_str().starts_with(orders));

    let simulator = stack.simulator();
    let unionid = simulator.unionid("lin", OFFICIAL_ACCOUNT).unwrap();
    let by_account = simulator.openid("lin", OFFICIAL_ACCOUNT);
    let by_website = simulator.openid("lin", WEBSITE_APP);
    assert_ne!(by_account, by_website);
    for (visitor, openid) in
        [(&phone, &by_account), (&windows, &by_account), (&mac, &by_account), (&chrome, &by_website)]
    {
        let shown = visitor.shown().await.unwrap();
        assert_eq!(shown["unionid"], unionid);
        assert_eq!((&shown["openid"], &shown["nickname"]), (&(*openid).clone().into(), &"小满🌾".into()));
    }
}
