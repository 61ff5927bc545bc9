//! Where logins end: every address that a page can have, as the browser itself writes it.

use chromium::{Chromium, Reader};
use harness::{Options, Result, Stack};
use serde_json::{Value, json};

use crate::team_page::TeamPage;

const PAGE: &str = "<!doctype html><title>A team's page</title><h1>Ours</h1>";

/// Paths, queries and fragments as people, routers and scripts write them; the browser makes of each what it shows as
/// `location.href`. Left out is what leads elsewhere somewhere: `//`, an encoded slash, a backslash in the path.
const PATHS: [&str; 24] = [
    "/",
    "/me",
    "/me/",
    "/a/b.html",
    "/你好",
    "/a b",
    "/a;b=1",
    "/a'b",
    "/a(b)",
    "/100%25",
    "/%E4%BD%A0",
    "/a|b",
    "/a[b]",
    "/a@b",
    "/a:b",
    "/~lin",
    "/a+b",
    "/a,b",
    "/a^b",
    "/a`b",
    "/a{b}",
    "/a\"b",
    "/a<b>",
    "/a&b=$c!*",
];
const QUERIES: [&str; 25] = [
    "?",
    "?q",
    "?q=",
    "?q=1&r=2",
    "?q=a b",
    "?q=你好",
    "?q='x'",
    "?q=\"x\"",
    "?q=<x>",
    "?q=100%",
    "?q=%zz",
    "?q=%0d%0a",
    "?q=%00",
    "?q=a\\b",
    "?q=`x`",
    "?q={x}",
    "?q[]=x",
    "?q=a|b",
    "?q=a^b",
    "?q=a;b",
    "?q=+%2B",
    "?next=//evil.example",
    "?next=https://evil.example/a?b=c",
    "?q=a/../b",
    "?return_to=%2Fcallback",
];
const FRAGMENTS: [&str; 16] = [
    "#",
    "#top",
    "#/orders/7?x=1",
    "#!hash",
    "#a b",
    "#你好",
    "#100%",
    "#%zz%00",
    "#<x>",
    "#\"x\"",
    "#`x`",
    "#{x}",
    "#a\\b",
    "#a^b|c",
    "#//evil.example",
    "#?q=1#2",
];

/// `encodeURIComponent(location.href)` is right, wherever the page is.
#[tokio::test]
async fn every_address_of_a_page_is_where_a_login_can_end() -> Result<()> {
    let page = TeamPage::serve(PAGE).await?;
    let options = Options::default().on_this_machine().with("ALLOWED_ORIGINS", &page.same_site());
    let stack = Stack::start(options).await?;
    let Some(chromium) = Chromium::start(Reader::IN_WECHAT).await? else { return Ok(()) };
    let mut addresses: Vec<String> = PATHS.map(str::to_owned).to_vec();
    addresses.extend(QUERIES.map(|query| format!("/p{query}")));
    addresses.extend(FRAGMENTS.map(|fragment| format!("/p{fragment}")));
    addresses.push(format!("/{}?{}#{}", "a".repeat(900), "q=1&".repeat(250), "x".repeat(100)));
    assert!(addresses.len() >= 60);
    chromium.open(&page.same_site()).await?;
    for address in addresses {
        let script = "history.replaceState(null, '', arguments[0]); return [location.href, encodeURIComponent(location.href)]";
        let shown = chromium.run(script, vec![Value::from(address.as_str())]).await?;
        let (href, encoded) = (shown[0].as_str().unwrap_or_default(), shown[1].as_str().unwrap_or_default());
        chromium.open(&format!("{}/authorize?return_to={encoded}", stack.public_url())).await?;
        let end = chromium.run("return location.href", Vec::new()).await?;
        // Where the address has no fragment, an empty one keeps WeChat's away.
        let end = end.as_str().unwrap_or_default();
        assert_eq!(end.trim_end_matches('#'), href.trim_end_matches('#'), "{address}");
    }
    assert_eq!(chromium.cookie_names().await?, ["wechat-login-browser", "wechat-login-session"]);
    chromium.leave(&[]).await
}

/// A login in a window of its own: the page that opened it waits for a word from it, or for its end.
#[tokio::test]
async fn a_login_in_a_popup_stays_in_touch_with_its_page() -> Result<()> {
    const OPENER: &str = r#"<!doctype html><title>A team's page</title><h1>Ours</h1><button>Log in</button><script>
        if (location.pathname === "/done") {
            opener.postMessage("logged in", location.origin);
        } else {
            const link = new URLSearchParams(location.search).get("login");
            document.querySelector("button").addEventListener("click", () => {
                const popup = window.open(`${link}?return_to=${encodeURIComponent(location.origin + "/done")}`);
                const closed = [];
                setInterval(() => closed.push(popup.closed), 5);
                window.addEventListener("message", (message) => {
                    const isWhole = message.source === popup && !closed.includes(true);
                    document.querySelector("h1").textContent = isWhole ? message.data : "cut off";
                });
            });
        }
    </script>"#;
    let page = TeamPage::serve(OPENER).await?;
    let options = Options::default().on_this_machine().with("ALLOWED_ORIGINS", &page.same_site());
    let stack = Stack::start(options).await?;
    let Some(chromium) = Chromium::start(Reader::IN_WECHAT).await? else { return Ok(()) };
    chromium.open(&format!("{}/?login={}/authorize", page.same_site(), stack.public_url())).await?;
    chromium.press("Log in").await?;
    chromium.arrive("logged in").await?;
    let ask = "return fetch(arguments[0], { credentials: 'include' }).then((answer) => answer.status)";
    let status = chromium.run(ask, vec![format!("{}/userinfo", stack.public_url()).into()]).await?;
    assert_eq!(status, json!(200));
    chromium.leave(&[]).await
}
