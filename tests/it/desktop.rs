//! Login by QR code, in any browser but WeChat's: `snsapi_login` with the website app.

use harness::{
    Answer, Failure, Options, Result, Stack, Visitor,
    browser::Visit,
    database::attribute,
    places::{ARRIVAL, AUTHORIZE, ERROR_PAGE, EXCHANGE, FRESH_LOGIN, PROFILE, QR_PAGE, callback, parameter},
    stack::{OFFICIAL_ACCOUNT, PAGE_ORIGIN, WEBSITE_APP, WECHAT_OPEN_URL},
};
use simulator::{Action, QrCode, QrProgress};
use web::{language::Language, reason::Reason};

use crate::support::{NOT_A_PAGE_FRAMES, assert_secured, stack};

/// WeChat's page with a QR code, in the documented order.
const LOCATION: &str = "https://open.weixin.qq.com/connect/qrconnect?appid=wx0000000000000bbb\
    &redirect_uri=https%3A%2F%2Flogin.example.com%2Fcallback&response_type=code&scope=snsapi_login\
    &state=[STATE][LANG]#wechat_redirect";

/// Somebody with a browser on a desktop.
pub fn desktop(stack: &Stack) -> Visitor {
    stack.visitor("lin").at_a_computer()
}

/// Opens a link as far as the page with the QR code.
pub async fn show(stack: &Stack, visitor: &Visitor, link: &str) -> Result<QrCode> {
    let hops = visitor.browser.follow(link).await?;
    let page = hops.last().ok_or_else(|| Failure::new("no answer"))?;
    if page.url.path() != QR_PAGE || page.status != 200 {
        return Err(Failure::new(format!("no QR code: {} {}", page.status, page.url)));
    }
    let state = parameter(page.url.as_str(), "state");
    let shown = stack.simulator().qr_codes().into_iter().find(|code| code.state.as_ref() == Some(&state));
    shown.ok_or_else(|| Failure::new(format!("no QR code: {}", page.text())))
}

/// How far a QR code is.
fn progress(stack: &Stack, code: &QrCode) -> Result<QrProgress> {
    let found = stack.simulator().qr_codes().into_iter().find(|found| found.uuid == code.uuid);
    found.map(|found| found.progress).ok_or_else(|| Failure::new("the QR code is gone"))
}

fn act(stack: &Stack, action: &Action) -> Result<()> {
    stack.simulator().attempt(action).map_err(Failure::new)
}

fn scanned_by(stack: &Stack, code: &QrCode, person: &str) -> Result<()> {
    act(stack, &Action::Scan { uuid: Some(code.uuid.clone()), person: Some(person.to_owned()) })
}

/// WeChat's page goes to a callback, as its script does; the answers, hop by hop.
pub async fn arrive(visitor: &Visitor, callback: &str) -> Result<Vec<Answer>> {
    visitor.browser.walk(Visit::link(callback, WECHAT_OPEN_URL)).await
}

/// Where the callback leads, opened as WeChat's page does.
async fn leads_to(visitor: &Visitor, callback: &str) -> Result<String> {
    let answer = visitor.call_back(callback).await?;
    if answer.status != 303 {
        return Err(Failure::new(format!("{}: {}", answer.status, answer.text())));
    }
    Ok(answer.location().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_desktop_is_sent_to_the_qr_code_in_the_documented_order() {
    let stack = stack().await.unwrap();
    for (query, lang) in [
        ("", ""),
        ("?scope=snsapi_base", ""),
        ("?scope=snsapi_userinfo", ""),
        ("?lang=zh_CN", "&lang=cn"),
        ("?lang=zh_TW", "&lang=cn"),
        ("?lang=en", "&lang=en"),
    ] {
        let answer = desktop(&stack).open(&format!("{AUTHORIZE}{query}")).await.unwrap();
        assert_eq!(answer.status, 302, "{query}");
        let state = parameter(answer.location().unwrap(), "state");
        let expected = LOCATION.replace("[STATE]", &state).replace("[LANG]", lang);
        assert_eq!(answer.location(), Some(expected.as_str()), "{query}");
        assert_secured(&answer.headers, query);
    }
    for login in stack.logins().unwrap() {
        assert_eq!((attribute(&login, "app"), attribute(&login, "scope")), (WEBSITE_APP, "snsapi_login"));
    }
    let page = desktop(&stack).browser.follow(&format!("{AUTHORIZE}?lang=en")).await.unwrap().pop().unwrap();
    assert!(page.text().contains("<html lang=\"en\""), "{}", page.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_scans_and_confirms_is_logged_in_with_profile_and_unionid() {
    let stack = stack().await.unwrap();
    let visitor = desktop(&stack);
    let callback = visitor.hand_to("zhou").come_back(AUTHORIZE).await.unwrap();
    let hops = arrive(&visitor, &callback).await.unwrap();
    let places: Vec<_> = hops.iter().map(|hop| (hop.status, hop.url.path())).collect();
    assert_eq!(places, [(303, "/callback"), (200, "/me")]);
    assert_eq!(hops[0].location(), Some(ARRIVAL));

    let shown = visitor.shown().await.unwrap();
    let simulator = stack.simulator();
    assert_eq!(shown["openid"], simulator.openid("zhou", WEBSITE_APP));
    assert_eq!(shown["unionid"], simulator.unionid("zhou", WEBSITE_APP).unwrap());
    assert_eq!((&shown["nickname"], &shown["scope"]), (&"周远".into(), &"snsapi_login".into()));

    let asked: Vec<_> = simulator.ledger().into_iter().map(|entry| entry.path).collect();
    assert_eq!(asked, [QR_PAGE, EXCHANGE, PROFILE]);
    assert_eq!(stack.requests(EXCHANGE)[0].appid.as_deref(), Some(WEBSITE_APP));
    assert_eq!(stack.sessions().unwrap().len(), 1);
    assert!(visitor.browser.rejected_cookies().is_empty(), "{:?}", visitor.browser.rejected_cookies());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_scans_decides_and_not_whoever_looks() {
    let stack = stack().await.unwrap();
    let (one, other) = (desktop(&stack), desktop(&stack));
    let callback = one.come_back(AUTHORIZE).await.unwrap();
    // The link with the code, in another browser: nobody is logged in there, and the code is worth nothing
    // to anybody any more. The login is; it is scanned once more.
    show(&stack, &other, AUTHORIZE).await.unwrap();
    let why = format!("{ERROR_PAGE}login_expired&id=");
    assert!(leads_to(&other, &callback).await.unwrap().starts_with(&why));
    assert!(stack.requests(EXCHANGE).is_empty() && stack.sessions().unwrap().is_empty());
    assert!(leads_to(&one, &callback).await.unwrap().starts_with(&why));
    let again = one.come_back(AUTHORIZE).await.unwrap();
    arrive(&one, &again).await.unwrap();
    let shown = one.shown().await.unwrap();
    assert_eq!(shown["openid"], stack.simulator().openid("lin", WEBSITE_APP));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_cancels_or_waits_too_long_is_not_called_back() {
    let stack = stack().await.unwrap();
    let visitor = desktop(&stack);
    let cancelled = show(&stack, &visitor, AUTHORIZE).await.unwrap();
    scanned_by(&stack, &cancelled, "lin").unwrap();
    act(&stack, &Action::Cancel { uuid: Some(cancelled.uuid.clone()) }).unwrap();
    assert!(matches!(progress(&stack, &cancelled).unwrap(), QrProgress::Cancelled { .. }));

    let expired = show(&stack, &visitor, AUTHORIZE).await.unwrap();
    act(&stack, &Action::ExpireQrCodes).unwrap();
    assert!(scanned_by(&stack, &expired, "lin").is_err());

    assert!(stack.requests(EXCHANGE).is_empty());
    assert!(stack.sessions().unwrap().is_empty() && visitor.session().is_none());
    assert!(stack.logins().unwrap().iter().all(|login| login.get("claimed_code").is_none()));
    // The same browser logs in all the same.
    visitor.log_in_at(AUTHORIZE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_that_calls_back_returns_to_the_page() {
    let stack = stack().await.unwrap();
    let visitor = desktop(&stack);
    for denial in ["", "code=&", "code=authdeny&"] {
        let code = show(&stack, &visitor, AUTHORIZE).await.unwrap();
        let callback = format!("{}?{denial}state={}", code.redirect_uri, code.state.unwrap_or_default());
        let denied = "https://www.example.com/me?error=access_denied#";
        assert_eq!(leads_to(&visitor, &callback).await.unwrap(), denied, "{denial}");
    }
    assert!(stack.requests(EXCHANGE).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_of_the_website_app_lives_ten_minutes() {
    let stack = stack().await.unwrap();
    let why = format!("{ERROR_PAGE}login_expired&id=");
    for (age, expected) in [(599, ARRIVAL), (601, why.as_str())] {
        let visitor = desktop(&stack);
        let callback = visitor.come_back(AUTHORIZE).await.unwrap();
        stack.simulator().advance(age);
        let place = leads_to(&visitor, &callback).await.unwrap();
        assert!(place.starts_with(expected), "{age}: {place}");
    }
}

/// A QR code stands on a screen until somebody has found the phone.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_by_qr_code_lasts_half_an_hour() {
    let stack = stack().await.unwrap();
    let before = harness::time::now_seconds();
    desktop(&stack).begin(AUTHORIZE).await.unwrap();
    let [login] = stack.logins().unwrap().try_into().unwrap();
    let left = harness::database::number(&login, "expires_at").unwrap() - before;
    assert!((1800..1810).contains(&left), "{left}");
}

/// The first visit of all in two tabs, of which the first one's code is scanned: nobody waited too long, and the page
/// does not say so. A fresh login would be another QR code, so it has to be asked for.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_of_two_first_tabs_is_told_why_its_scan_was_for_nothing() {
    let stack = stack().await.unwrap();
    let visitor = desktop(&stack);
    let callback = visitor.come_back(&format!("{AUTHORIZE}?return_to=%2Fone")).await.unwrap();
    visitor.browser.forget_cookies();
    show(&stack, &visitor, &format!("{AUTHORIZE}?return_to=%2Ftwo")).await.unwrap();
    let page = leads_to(&visitor, &callback).await.unwrap();
    assert!(page.starts_with(&format!("{ERROR_PAGE}login_expired&id=")), "{page}");
    let shown = visitor.open(&page).await.unwrap();
    assert!(
        shown.text().contains(Reason::LoginExpired.words(Language::Chinese).happened),
        "{}",
        shown.text()
    );
    assert!(stack.requests(EXCHANGE).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_in_a_frame_says_so_and_the_button_leaves_the_frame() {
    const LINK: &str = "/authorize?return_to=https%3A%2F%2Flogin.example.com%2Fcart&lang=en&app=website";
    let stack = stack().await.unwrap();
    let visitor = desktop(&stack);
    let callback = visitor.come_back(&format!("https://login.example.com{LINK}")).await.unwrap();
    for kind in ["iframe", "frame"] {
        let framed = |url: &str| Visit::link(url, WECHAT_OPEN_URL).header("sec-fetch-dest", kind);
        let answer = visitor.send(framed(&callback)).await.unwrap();
        let location = answer.location().unwrap().to_owned();
        assert_eq!(answer.status, 303);
        assert!(location.starts_with("https://login.example.com/error?reason=not_a_page&id="), "{location}");

        let page = visitor.send(framed(&location)).await.unwrap();
        assert_eq!(page.status, 200, "{}", page.text());
        assert_secured(&page.headers, kind);
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains(NOT_A_PAGE_FRAMES), "{policy}");
        assert_eq!(page.header("x-frame-options"), None);
        let href = format!("href=\"{}\" target=\"_top\"", LINK.replace('&', "&#38;"));
        assert!(page.text().contains(&href), "{href} in {}", page.text());
        // So does the login itself, opened in a frame.
        let page = visitor.send(framed(&format!("https://login.example.com{LINK}"))).await.unwrap();
        assert!(page.text().contains(&href), "{href} in {}", page.text());
    }
    assert!(stack.requests(EXCHANGE).is_empty() && stack.sessions().unwrap().is_empty());
    // Nothing was claimed: as a page of its own, the callback is as good as before.
    assert_eq!(leads_to(&visitor, &callback).await.unwrap(), "https://login.example.com/cart#");
    // Any other page of ours stays out of frames.
    let other = visitor.open("https://login.example.com/error?reason=login_expired").await.unwrap();
    assert!(other.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"));
}

/// A page of the team's puts the QR code into a frame.
fn in_a_frame(url: &str) -> Visit {
    Visit::link(url, PAGE_ORIGIN).header("sec-fetch-dest", "iframe")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_qr_code_in_a_frame_ends_in_a_login_of_the_page_around_it() {
    let stack = stack().await.unwrap();
    let visitor = desktop(&stack).hand_to("zhou");
    let page = visitor.send(in_a_frame(&format!("{AUTHORIZE}?display=embedded&lang=en"))).await.unwrap();
    assert_eq!((page.status, page.location()), (200, None), "{}", page.text());
    assert_secured(&page.headers, "embedded");
    // What a redirect says of frames binds nobody: it is a page, and only of the account's pages.
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.ends_with("; frame-ancestors https://login.example.com https://www.example.com"),
        "{policy}"
    );
    let text = page.text();
    let (_, refresh) = text.split_once(r#"<meta http-equiv="refresh" content="0;url="#).unwrap();
    let link = refresh.split('"').next().unwrap().replace("&#38;", "&");
    let state = parameter(&link, "state");
    let in_frame = "&lang=en&login_type=jssdk&self_redirect=false";
    assert_eq!(link, LOCATION.replace("[STATE]", &state).replace("[LANG]", in_frame));

    let callback = visitor.agree(&link).await.unwrap();
    let hops = arrive(&visitor, &callback).await.unwrap();
    assert_eq!(hops[0].location(), Some(ARRIVAL));
    assert_eq!(visitor.shown().await.unwrap()["openid"], stack.simulator().openid("zhou", WEBSITE_APP));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_browser_is_shown_the_qr_code_that_does_not_say_it_is_in_a_frame_of_the_same_site() {
    let url = &format!("{AUTHORIZE}?display=embedded&lang=en");
    // Whatever a setting lets in that says nothing of itself.
    let stack = Stack::start(Options::default().with("PAGE_LOADS_ONLY", "false")).await.unwrap();
    let visitor = desktop(&stack);
    let elsewhere = Visit::link(url, "https://evil.example").header("sec-fetch-dest", "iframe");
    for visit in [
        elsewhere.clone(),
        elsewhere.header("sec-fetch-site", "none"),
        in_a_frame(url).header("sec-fetch-site", ""),
        in_a_frame(url).header("sec-fetch-mode", ""),
        in_a_frame(url).header("sec-fetch-dest", "document"),
        in_a_frame(url).header("sec-fetch-dest", "frame"),
        in_a_frame(url).header("sec-purpose", "prefetch"),
        Visit::open(url),
    ] {
        let answer = visitor.send(visit).await.unwrap();
        assert_eq!((answer.status, answer.location()), (403, None));
        assert!(answer.set_cookies().is_empty());
        // The notice, whose button leaves the frame for the login that a page of its own would be.
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains(NOT_A_PAGE_FRAMES), "{policy}");
        assert!(answer.text().contains("href=\"/authorize?lang=en\" target=\"_top\""), "{}", answer.text());
        assert!(!answer.text().contains("<script"), "{}", answer.text());
    }
    // In a frame of the same site, but without a code that could be scanned.
    let phone = stack.visitor("lin");
    for url in [url.clone(), format!("{url}&app=official_account")] {
        let visitor = if url == *url { &phone } else { &visitor };
        let answer = visitor.send(in_a_frame(&url)).await.unwrap();
        assert_eq!((answer.status, answer.set_cookies().len()), (403, 0), "{url}");
        // Whoever made the page around it reads on the console what is missing.
        let page = answer.text();
        assert!(page.contains("<script>console.error(\"wechat-login: "), "{page}");
        assert!(answer.header("content-security-policy").unwrap().contains("script-src 'sha256-"), "{url}");
    }
    // What is wrong with the link can be read in the frame of the account's pages, and in no other.
    let wrong = visitor.send(in_a_frame(&format!("{url}&return_to=//evil.example"))).await.unwrap();
    let policy = wrong.header("content-security-policy").unwrap();
    assert_eq!(wrong.status, 400);
    assert!(
        policy.ends_with("; frame-ancestors https://login.example.com https://www.example.com"),
        "{policy}"
    );
    let wrong = visitor.open(&format!("{AUTHORIZE}?display=page")).await.unwrap();
    assert_eq!(wrong.status, 400);
    assert!(wrong.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"));
    assert!(stack.logins().unwrap().is_empty());
}

/// Whether a login that came back in a frame is its own browser's with a code, which counts as a login that did not
/// finish, or what any page can send here as often as it likes.
#[tokio::test(flavor = "multi_thread")]
async fn what_any_page_can_send_is_told_from_a_login_in_a_frame() {
    let stack = stack().await.unwrap();
    let visitor = desktop(&stack);
    let callback = visitor.come_back(AUTHORIZE).await.unwrap();
    let framed = |url: &str| Visit::link(url, WECHAT_OPEN_URL).header("sec-fetch-dest", "iframe");
    let without_code = callback.replace("code=", "no_code=");
    let forged = callback.replace("&state=", "&state=0");
    for (browser, url, outcome) in [
        (&visitor, &callback, "login_not_a_page"),
        (&visitor, &without_code, "not_a_page"),
        (&visitor, &forged, "not_a_page"),
        (&desktop(&stack), &callback, "not_a_page"),
    ] {
        let answer = browser.send(framed(url)).await.unwrap();
        let id = answer.header("x-correlation-id").unwrap().to_owned();
        let line = stack.logs().wait_for(&id).await.unwrap().text;
        assert!(line.contains(&format!("\"outcome\":\"{outcome}\"")), "{url}: {line}");
    }
}

/// A browser with a login of each app under way, and the callback of each.
async fn two_logins(stack: &Stack) -> Result<(Visitor, [String; 2])> {
    let phone = stack.visitor("lin");
    let of_account = phone.come_back(AUTHORIZE).await?;
    let desk = phone.at_a_computer();
    let of_website = desk.come_back(AUTHORIZE).await?;
    Ok((desk, [of_account, of_website]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_of_one_app_never_meets_the_secret_of_the_other() {
    let secrets = [
        (OFFICIAL_ACCOUNT, "5ec2e7aaaaaaaaaaaaaaaaaaaaaaaaaa"),
        (WEBSITE_APP, "5ec2e7bbbbbbbbbbbbbbbbbbbbbbbbbb"),
    ];
    // The login that the callback claims to be of, whose code it brings, and what it says of the app.
    for (login, code) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        for claimed in ["", "&appid=wx0000000000000aaa", "&appid=wx0000000000000bbb"] {
            let stack = stack().await.unwrap();
            let (visitor, callbacks) = two_logins(&stack).await.unwrap();
            let (state, bearer) =
                (parameter(&callbacks[login], "state"), parameter(&callbacks[code], "code"));
            let callback = format!("{}{claimed}", callback(&bearer, &state));
            let told = format!("login {login}, code {code}, {claimed:?}");
            // A code of the other app is refused; where the login took a scan, a page says so.
            let why = format!("{ERROR_PAGE}login_expired&id=");
            let expected = match (login == code, login) {
                (true, _) => ARRIVAL,
                (false, 0) => FRESH_LOGIN,
                (false, _) => why.as_str(),
            };
            let place = leads_to(&visitor, &callback).await.unwrap();
            assert!(place.starts_with(expected), "{told}: {place}");
            assert_eq!(stack.sessions().unwrap().len(), usize::from(login == code), "{told}");

            // The stored login decides, and the app goes with its own secret.
            let exchanges = stack.requests(EXCHANGE);
            assert_eq!(exchanges.len(), 1, "{told}");
            let sent = exchanges[0].appid.as_deref().unwrap();
            assert_eq!((sent, exchanges[0].parameter("secret").unwrap()), secrets[login], "{told}");
            assert_eq!(exchanges[0].code.as_deref(), Some(bearer.as_str()), "{told}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stored_login_decides_even_when_the_link_would_go_another_way() {
    // Begun by QR code; the browser says it is WeChat's by the time it is called back, and the other way.
    let stack = stack().await.unwrap();
    let (desk, [of_account, of_website]) = two_logins(&stack).await.unwrap();
    let phone = desk.clone().with_user_agent(harness::browser::WECHAT_USER_AGENT);
    assert_eq!(leads_to(&phone, &of_website).await.unwrap(), ARRIVAL);
    assert_eq!(leads_to(&desk, &of_account).await.unwrap(), ARRIVAL);
    let apps: Vec<_> = stack.requests(EXCHANGE).into_iter().filter_map(|entry| entry.appid).collect();
    assert_eq!(apps, [WEBSITE_APP, OFFICIAL_ACCOUNT]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_secret_of_the_website_app_costs_no_login_in_wechat() {
    let secrets = r#"{"wx0000000000000aaa":"5ec2e7aaaaaaaaaaaaaaaaaaaaaaaaaa"}"#;
    let stack = Stack::start(Options::default().with("APP_SECRETS", secrets)).await.unwrap();
    let visitor = desktop(&stack);
    let callback = visitor.come_back(AUTHORIZE).await.unwrap();
    let page = leads_to(&visitor, &callback).await.unwrap();
    assert!(page.starts_with("https://login.example.com/error?reason=misconfigured&id="), "{page}");
    assert!(stack.requests(EXCHANGE).is_empty());
    stack.visitor("lin").log_in().await.unwrap();
}
