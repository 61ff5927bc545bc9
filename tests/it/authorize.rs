//! `GET /authorize`.

use std::collections::BTreeSet;

use harness::{
    Answer, Failure, Options, Result, Stack, Visitor,
    browser::Visit,
    database::{attribute, number},
    hand_off::Waiting,
    places::{AUTHORIZE, authorize_to},
    stack::{DEFAULT_RETURN_TO, OFFICIAL_ACCOUNT, PAGE_ORIGIN},
    template::Template,
    time,
};
use login::Digest;
use serde_json::{Value, json};
use web::{language::Language, reason::Reason};

use crate::openid::code_flow;
use crate::support::{
    assert_secured, is_browser_secret, read, stack, title, title_unregistered, visited, without_tables,
};

/// `/authorize` on WeChat's page host, in the documented order.
const LOCATION: &str = "https://open.weixin.qq.com/connect/oauth2/authorize?appid=wx0000000000000aaa\
    &redirect_uri=https%3A%2F%2Flogin.example.com%2Fcallback&response_type=code&scope=[SCOPE]\
    &state=[STATE]&connect_redirect=1#wechat_redirect";
/// Ten minutes.
const LOGIN_LIFETIME: u64 = 600;
/// A browser secret as it looks on the wire.
const SECRET: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// The state that this answer sends along.
fn state(answer: &Answer) -> Result<String> {
    let url = answer.redirect()?.ok_or_else(|| Failure::new(format!("{} is no redirect", answer.status)))?;
    let state = url.query_pairs().find(|(name, _)| name == "state").map(|(_, state)| state.into_owned());
    state.ok_or_else(|| Failure::new(format!("no state in {url}")))
}

fn is_secret(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Opens the link with these parameters and asserts that it is refused, with nothing stored.
async fn assert_refused(stack: &Stack, visitor: &Visitor, url: &str, title: &str) -> Result<()> {
    let answer = visitor.open(url).await?;
    assert_eq!((answer.status, answer.location()), (400, None), "{url}");
    assert!(answer.text().contains(&format!("<h1>{title}</h1>")), "{url}: {}", answer.text());
    assert!(answer.set_cookies().is_empty(), "{url}");
    assert_secured(&answer.headers, url);
    assert!(stack.logins()?.is_empty(), "{url}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_is_sent_to_wechat_in_the_documented_order() {
    let stack = stack().await.unwrap();
    for (query, scope) in [
        ("", "snsapi_base"),
        ("?scope=snsapi_base", "snsapi_base"),
        ("?scope=snsapi_userinfo&lang=en", "snsapi_userinfo"),
        ("?attempt=1", "snsapi_base"),
        ("?attempt=2", "snsapi_base"),
        ("?waits=3", "snsapi_base"),
        // A parameter without a value counts as omitted (RFC 6749 §3.1).
        ("?return_to=&scope=&lang=&app=&attempt=&waits=&forcePopup=", "snsapi_base"),
    ] {
        let answer = stack.visitor("lin").open(&format!("{AUTHORIZE}{query}")).await.unwrap();
        assert_eq!(answer.status, 302, "{query}");
        let state = state(&answer).unwrap();
        assert!(is_secret(&state), "{state}");
        let location = LOCATION.replace("[SCOPE]", scope).replace("[STATE]", &state);
        assert_eq!(answer.location(), Some(location.as_str()));
        assert_eq!(answer.text(), "");
        assert_secured(&answer.headers, query);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_cookie_carries_every_attribute() {
    let (_stack, visitor) = visited().await.unwrap();
    let answer = visitor.open(AUTHORIZE).await.unwrap();
    let secret = visitor.secret().unwrap();
    assert!(is_browser_secret(&secret), "{secret}");
    assert_ne!(secret, state(&answer).unwrap());
    assert_eq!(
        answer.set_cookies(),
        [format!("__Host-browser={secret}; Path=/; Max-Age=86400; Secure; HttpOnly; SameSite=Lax")]
    );
    assert!(visitor.browser.rejected_cookies().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn on_localhost_the_cookies_lose_what_needs_tls() {
    let options = Options::default()
        .with("PUBLIC_URL", "http://localhost:9000")
        .with("ALLOWED_ORIGINS", "")
        .with("DEFAULT_RETURN_TO", "/me");
    let stack = Stack::start(options).await.unwrap();
    let visitor = stack.visitor("lin");
    let hops = visitor.browser.follow("http://localhost:9000/authorize").await.unwrap();
    assert_eq!(hops[hops.len() - 2].location(), Some("http://localhost:9000/me#"));
    let names: Vec<_> = visitor.browser.cookies().into_iter().map(|cookie| cookie.name).collect();
    // A framework on another port has a `session` of its own.
    assert_eq!(names, ["wechat-login-browser", "wechat-login-session"]);
    let cookies: Vec<_> = hops.iter().flat_map(Answer::set_cookies).collect();
    assert!(cookies.iter().all(|cookie| !cookie.contains("Secure") && !cookie.contains("__Host-")));
    assert!(visitor.browser.rejected_cookies().is_empty());
    let answer = visitor.open("http://localhost:9000/userinfo").await.unwrap();
    assert_eq!(answer.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_cookie_is_kept_while_it_is_well_formed() {
    let (stack, visitor) = visited().await.unwrap();
    let mut states = BTreeSet::new();
    let mut cookies = BTreeSet::new();
    for _ in 0..3 {
        let answer = visitor.open(AUTHORIZE).await.unwrap();
        states.insert(state(&answer).unwrap());
        // The same secret, for what is left of its day.
        cookies.extend(answer.set_cookies().iter().map(|cookie| cookie.split(';').next().map(str::to_owned)));
    }
    assert_eq!((states.len(), cookies.len()), (3, 1));
    let browsers: BTreeSet<_> =
        stack.logins().unwrap().iter().map(|login| attribute(login, "browser").to_owned()).collect();
    let secret = visitor.secret().unwrap();
    assert_eq!(browsers, [Digest::of(secret.as_bytes()).as_str().to_owned()].into());
    // Another browser gets another one.
    let other = stack.visitor("lin");
    other.open(AUTHORIZE).await.unwrap();
    assert_ne!(other.secret().unwrap(), secret);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_cookie_that_is_not_exactly_ours_is_replaced() {
    let stack = stack().await.unwrap();
    for cookie in [
        format!("__Host-browser={}", SECRET.to_uppercase()),
        format!("__Host-browser=\"{SECRET}\""),
        format!("__Host-browser={SECRET}0"),
        format!("__Host-browser={}", &SECRET[1..]),
        "__Host-browser=".to_owned(),
        format!("__Host-browser={SECRET}; __Host-browser={SECRET}"),
        format!("__host-browser={SECRET}"),
        format!("__Host%2Dbrowser={SECRET}"),
        format!("__Secure-browser={SECRET}"),
        format!("browser={SECRET}"),
    ] {
        let visitor = stack.visitor("lin");
        let answer = visitor.send(Visit::open(AUTHORIZE).header("cookie", &cookie)).await.unwrap();
        assert_eq!(answer.status, 302, "{cookie}");
        let fresh = visitor.secret().unwrap();
        assert!(is_browser_secret(&fresh) && !fresh.contains(&SECRET[1..]), "{cookie} gave {fresh}");
    }
}

/// A browser's secret lives a day, whatever happens. One that was learnt on a shared computer, or planted in an old
/// webview, is soon worth nothing: no login puts its end off, and its last hour begins none.
#[tokio::test(flavor = "multi_thread")]
async fn a_browser_secret_is_kept_for_its_day_and_no_longer() {
    let stack = stack().await.unwrap();
    let now = i64::try_from(time::now_seconds()).unwrap();
    for (age, is_kept) in [
        (0, true),
        (3600, true),
        (22 * 3600, true),
        (23 * 3600 + 60, false),
        (30 * 24 * 3600, false),
        // Made in the future, it would be kept for longer than a day.
        (-3600, false),
    ] {
        let visitor = stack.visitor("lin");
        let secret = format!("{}.{SECRET}", now - age);
        let cookie = format!("a=b; __Host-browser={secret}; __Host-browserx=1");
        let answer = visitor.send(Visit::open(AUTHORIZE).header("cookie", &cookie)).await.unwrap();
        let kept = visitor.secret().unwrap();
        assert_eq!(kept == secret, is_kept, "{age}: {kept}");
        let cookies = answer.set_cookies();
        let left: i64 =
            cookies[0].split("Max-Age=").nth(1).unwrap().split(';').next().unwrap().parse().unwrap();
        let expected = if is_kept { 24 * 3600 - age } else { 24 * 3600 };
        assert!((expected - 10..=expected).contains(&left), "{age}: {left}");
    }
    // What version 0.1.0 gave has no birth.
    let visitor = stack.visitor("lin");
    let old = format!("__Host-browser={SECRET}");
    visitor.send(Visit::open(AUTHORIZE).header("cookie", &old)).await.unwrap();
    assert!(is_browser_secret(&visitor.secret().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_one_small_item_of_digests() {
    let (stack, visitor) = visited().await.unwrap();
    let before = time::now_seconds();
    let target = "https://www.example.com/orders/7?from=wechat";
    let url = format!("{}&scope=snsapi_userinfo&lang=zh_TW", authorize_to(target));
    let answer = visitor.open(&url).await.unwrap();
    let after = time::now_seconds();
    let (state, secret) = (state(&answer).unwrap(), visitor.secret().unwrap());

    let stored = stack.logins().unwrap();
    let expires_at = number(&stored[0], "expires_at").unwrap();
    assert!((before + LOGIN_LIFETIME..=after + LOGIN_LIFETIME).contains(&expires_at), "{expires_at}");
    assert_eq!(
        Value::from(stored),
        json!([{
            "id": { "S": format!("login#{}", Digest::of(state.as_bytes()).as_str()) },
            "browser": { "S": Digest::of(secret.as_bytes()).as_str() },
            "app": { "S": OFFICIAL_ACCOUNT },
            "scope": { "S": "snsapi_userinfo" },
            "asked": { "S": "snsapi_userinfo" },
            "lang": { "S": "zh_TW" },
            "return_to": { "S": target },
            "attempt": { "N": "1" },
            "expires_at": { "N": expires_at.to_string() },
        }])
    );
    let dump = serde_json::to_string(&stack.database().dump().unwrap()).unwrap();
    assert!(!dump.contains(&state) && !dump.contains(&secret), "{dump}");
    assert!(dump.len() < 1024, "{} bytes", dump.len());
    assert!(stack.sessions().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_names_no_target_ends_at_the_default() {
    let stack = stack().await.unwrap();
    stack.visitor("lin").open(AUTHORIZE).await.unwrap();
    assert_eq!(attribute(&stack.logins().unwrap()[0], "return_to"), DEFAULT_RETURN_TO);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_ends_exactly_where_it_was_told_to() {
    let stack = stack().await.unwrap();
    let long = format!("https://www.example.com/{}", "a".repeat(2047));
    for target in [
        "https://www.example.com/",
        "https://www.example.com/me/",
        "https://www.example.com/#/orders/7?from=wechat",
        "https://www.example.com/me?tab=1#top",
        "https://www.example.com/go?next=https%3A%2F%2Fwww.example.com%2Fa%3Fb%3Dc%26d",
        "https://www.example.com/go?next=https://evil.example/",
        "https://www.example.com/%E4%BD%A0%E5%A5%BD?q=%E4%BD%A0",
        "https://www.example.com/a;b=1/c.d/..e",
        "https://www.example.com/100%25",
        "https://www.example.com/p?q=100%",
        "https://www.example.com/p?q=%zz%0d%0aSet-Cookie:%20a=b#%00",
        "https://www.example.com/p?q=\\`|{}^#\\|{}^'",
        "https://www.example.com/callback",
        long.as_str(),
    ] {
        let hops = stack.visitor("lin").log_in_at(&authorize_to(target)).await.unwrap();
        // An empty fragment keeps the browser from inheriting WeChat's `#wechat_redirect`.
        let end = if target.contains('#') { target.to_owned() } else { format!("{target}#") };
        assert_eq!(hops[hops.len() - 2].location(), Some(end.as_str()));
    }
    for (target, url) in [
        ("/", "https://login.example.com/#"),
        ("/shop?a=%2F#b", "https://login.example.com/shop?a=%2F#b"),
        ("https://login.example.com/shop", "https://login.example.com/shop#"),
    ] {
        let hops = stack.visitor("lin").browser.follow(&authorize_to(target)).await.unwrap();
        assert_eq!(hops[hops.len() - 2].location(), Some(url));
    }
    let hops = stack.visitor("lin").browser.follow(&authorize_to(PAGE_ORIGIN)).await.unwrap();
    assert_eq!(hops[hops.len() - 2].location(), Some("https://www.example.com/#"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_could_lead_elsewhere_is_refused() {
    let (stack, visitor) = visited().await.unwrap();
    let long = format!("https://www.example.com/{}", "a".repeat(2048));
    for target in [
        "https://evil.example/",
        "https://www.example.com.evil.example/",
        "https://www.example.com@evil.example/",
        "https://user@www.example.com/",
        "https://www.example.com:443/",
        "https://WWW.example.com/",
        "http://www.example.com/",
        "https://sub.www.example.com/",
        "https:/www.example.com/",
        "https:www.example.com/",
        "HTTPS://www.example.com/",
        "https://login.example.com/callback?code=1",
        "javascript:alert(1)",
        "data:text/html,x",
        "www.example.com",
        "me",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/.//evil.example",
        "/a//b",
        "/a/../b",
        "/a/%2e%2E/b",
        "/..;/b",
        "/%2fevil.example",
        "/%5cevil.example",
        "/%252fevil.example",
        "/%25252Fevil.example",
        "/a b",
        " /a",
        "/a\tb",
        "/a\r\nSet-Cookie: a=b",
        "/a%0d%0aSet-Cookie:%20a=b",
        "/a%00",
        "/a%",
        "/a%4",
        "/a%zz?b",
        "/你好",
        "/<script>",
        "/a?b='c'",
        "/a{b}",
        "/authorize",
        "/authorize?return_to=/",
        "/callback?code=1",
        "/%63allback",
        "/LOGOUT",
        "/error;x",
        "/userinfo/x",
        long.as_str(),
    ] {
        // What is on no origin of the site is not registered; with the rest something else is wrong.
        let is_on_the_site = target.starts_with(['/', ' '])
            || target.starts_with("https://login.example.com/")
            || target.starts_with("https://www.example.com/");
        let title = if is_on_the_site { title(Reason::ReturnToRefused) } else { title_unregistered() };
        assert_refused(&stack, &visitor, &authorize_to(target), title).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_that_is_wrong_or_doubled_is_refused() {
    let (stack, visitor) = visited().await.unwrap();
    for query in [
        "return_to=%2Fa&return_to=%2Fb",
        "return_to=%2Fa&return_to=%2Fa",
        "return_to=%2Fa&return%5Fto=%2Fb",
        "return_to=%2Fa&return_to",
        "return_to=%2",
        "return_to=%ff",
        "scope=snsapi_login",
        "scope=SNSAPI_BASE",
        "scope=snsapi_base%20",
        "scope=snsapi_base,snsapi_userinfo",
        "scope=snsapi_base&scope=snsapi_userinfo",
        "lang=zh-CN",
        "lang=de",
        "lang=en&lang=en",
        "attempt=0",
        "attempt=3",
        "attempt=9",
        "attempt=-1",
        "attempt=1.5",
        "attempt=99999999999999999999999",
        "attempt=1&attempt=2",
        "attempt=&attempt=2",
        "waits=4",
        "waits=-1",
    ] {
        let url = format!("{AUTHORIZE}?{query}");
        assert_refused(&stack, &visitor, &url, title(Reason::InvalidRequest)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_page_of_its_own_begins_a_login() {
    let (stack, visitor) = visited().await.unwrap();
    for (header, value) in [
        ("sec-fetch-dest", "image"),
        ("sec-fetch-dest", "iframe"),
        ("sec-fetch-dest", "frame"),
        ("sec-fetch-dest", "script"),
        ("sec-fetch-dest", "empty"),
        ("sec-fetch-mode", "no-cors"),
        ("sec-fetch-mode", "cors"),
        ("sec-purpose", "prefetch"),
        ("sec-purpose", "prefetch;prerender"),
        ("purpose", "prefetch"),
    ] {
        let answer = visitor.send(Visit::open(AUTHORIZE).header(header, value)).await.unwrap();
        assert_eq!((answer.status, answer.location()), (403, None), "{header}: {value}");
        assert!(answer.set_cookies().is_empty(), "{header}: {value}");
        assert_secured(&answer.headers, value);
    }
    assert!(stack.logins().unwrap().is_empty());
    // A link on a foreign page does: it logs the visitor in as nobody but himself.
    let answer = visitor.send(Visit::link(AUTHORIZE, "https://evil.example")).await.unwrap();
    assert_eq!(answer.status, 302);
}

/// A version of WeChat that nobody has foreseen may say something else of a page; a switch lets it in.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_browser_says_of_a_page_can_be_left_out_of_account() {
    let provider = code_flow::options("openid").unwrap();
    let stack = Stack::start(provider.with("PAGE_LOADS_ONLY", "false")).await.unwrap();
    let visitor = stack.visitor("lin");
    let unforeseen =
        |url: &str| Visit::open(url).header("sec-fetch-dest", "webview").header("sec-fetch-mode", "embed");
    let answer = visitor.send(unforeseen(AUTHORIZE)).await.unwrap();
    assert_eq!(answer.status, 302);
    let callback = visitor.agree(answer.location().unwrap()).await.unwrap();
    assert_eq!(visitor.send(unforeseen(&callback)).await.unwrap().location(), Some(harness::places::ARRIVAL));
    // Both sides of a login by a phone.
    let computer = Waiting::begin(stack.visitor("lin").at_a_computer(), "via=handoff").await.unwrap();
    let phone = stack.visitor("zhou").logged_in().await.unwrap();
    for (visitor, url) in [(&computer.visitor, &computer.url), (&phone, &computer.code)] {
        let answer = visitor.send(unforeseen(url)).await.unwrap();
        assert_eq!(answer.status, 200, "{url}: {}", answer.text());
    }
    // And what a client asks.
    let client = code_flow::visitor(&stack, "lin");
    assert_eq!(client.send(unforeseen(&code_flow::asked(&[]))).await.unwrap().status, 302);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_in_the_visitors_language() {
    let stack = stack().await.unwrap();
    for (accepted, tag, title) in [
        ("", "zh-CN", title(Reason::ReturnToRefused)),
        ("fr-FR,fr;q=0.9", "zh-CN", title(Reason::ReturnToRefused)),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN", title(Reason::ReturnToRefused)),
        ("en", "en", Reason::ReturnToRefused.words(Language::English).title),
        ("en-GB,en;q=0.9,zh;q=0.8", "en", Reason::ReturnToRefused.words(Language::English).title),
    ] {
        let visitor = stack.visitor("lin").reading(accepted);
        let answer = visitor.open(&authorize_to("//evil.example")).await.unwrap();
        let page = read(&answer.text());
        assert!(page.contains(&format!("<html lang=\"{tag}\">")), "{accepted}: {page}");
        assert!(page.contains(&format!("<h1>{title}</h1>")), "{accepted}: {page}");
        // A way to go on, and a name for the request.
        assert!(page.contains("href=\"/authorize\""), "{page}");
        assert!(page.contains(answer.header("x-correlation-id").unwrap()), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_of_a_request_decides_nothing() {
    let stack = stack().await.unwrap();
    let visit = Visit::open(AUTHORIZE)
        .header("host", "evil.example")
        .header("x-forwarded-host", "evil.example")
        .header("forwarded", "host=evil.example;proto=http");
    let answer = stack.visitor("lin").send(visit).await.unwrap();
    let location = LOCATION.replace("[SCOPE]", "snsapi_base").replace("[STATE]", &state(&answer).unwrap());
    assert_eq!(answer.location(), Some(location.as_str()));
    assert!(!answer.headers.values().any(|value| value.as_bytes().windows(4).any(|part| part == b"evil")));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_stored_login_nobody_is_sent_to_wechat() {
    let stack = Stack::start(without_tables(Options::default())).await.unwrap();
    let visitor = stack.visitor("lin");
    let answer = visitor.open(AUTHORIZE).await.unwrap();
    assert_eq!((answer.status, answer.location()), (503, None));
    assert_eq!(answer.header("retry-after"), Some("10"));
    assert_secured(&answer.headers, "503");
    assert!(
        answer.text().contains(&format!("<h1>{}</h1>", title(Reason::ServiceUnavailable))),
        "{}",
        answer.text()
    );
    assert!(answer.text().contains("href=\"/authorize\""), "{}", answer.text());
    assert!(visitor.browser.cookies().is_empty());
    let logs = stack.stop().await.lines();
    let line = logs.iter().find(|line| line.text.contains("store_unavailable")).unwrap();
    assert!(line.text.contains("\"level\":\"ERROR\""), "{}", line.text);
    assert!(line.text.contains(answer.header("x-correlation-id").unwrap()), "{}", line.text);
}

/// A login that ends on a route of the login would run in circles, so no target is one, whatever the template has.
#[tokio::test(flavor = "multi_thread")]
async fn no_login_ends_on_a_route_of_the_login() {
    let stack = stack().await.unwrap();
    let template = Template::of_the_project().unwrap();
    let routes: BTreeSet<_> = template.routes().into_iter().map(|route| route.path).collect();
    let mut refused = 0;
    for path in routes.iter().filter(|path| *path != "/" && !path.contains('{')) {
        let segment = path.split('/').nth(1).unwrap();
        for target in [path.clone(), format!("/{segment}"), format!("/{segment}/more?a=1")] {
            let answer = stack.visitor("lin").open(&authorize_to(&target)).await.unwrap();
            assert_eq!(answer.status, 400, "{target}");
            refused += 1;
        }
    }
    assert!(refused > 40, "{refused}");
    assert!(stack.logins().unwrap().is_empty());
}
