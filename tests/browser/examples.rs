//! The examples of the documentation, as they stand there but for the addresses.

use std::{path::Path, process::Stdio};

use chromium::{Chromium, Reader};
use harness::{
    Failure, Result, Stack,
    binaries::{variable, workspace},
};
use tokio::{io::AsyncWriteExt, process::Command};

use crate::{
    login::LABELS,
    login_js::{API, NOBODY, with_page},
    team_page::TeamPage,
};

/// What the bundler is installed by.
const MAKE: &str = "make tests/pages/node_modules/installed";

/// An example with the addresses of this stack and this page.
fn example(name: &str, stack: &Stack, page: &TeamPage) -> Result<String> {
    let text = std::fs::read_to_string(workspace().join("docs/examples").join(name))?;
    let (auth, orders) = ("https://auth.example.com", format!("{API}/orders"));
    assert!(text.contains(auth) && text.contains(&orders), "{name}");
    Ok(text.replace(auth, stack.public_url()).replace(&orders, &format!("{}/orders", page.same_site())))
}

/// What the bundler makes of it; `None` if it is not installed, and the test is to be skipped.
async fn bundled(loader: &str, source: &str) -> Result<Option<String>> {
    let folder = workspace().join("tests/pages");
    if !folder.join("node_modules/.bin/esbuild").exists() {
        let is_required = variable("REQUIRE_BROWSER").is_some_and(|value| value == "1");
        let failure = Failure::new(format!("the examples are bundled by esbuild: `{MAKE}` installs it"));
        return if is_required { Err(failure) } else { skip(&failure) };
    }
    let mut child = Command::new(folder.join("build.sh"))
        .arg(loader)
        .current_dir(Path::new("/"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    // It is closed when it is dropped, which is the end of the source.
    let mut stdin = child.stdin.take().ok_or_else(|| Failure::new("esbuild has no input"))?;
    stdin.write_all(source.as_bytes()).await?;
    drop(stdin);
    let output = child.wait_with_output().await?;
    if !output.status.success() {
        return Err(Failure::new(format!("esbuild: {}", output.status)));
    }
    Ok(Some(String::from_utf8_lossy(&output.stdout).into_owned()))
}

fn skip(failure: &Failure) -> Result<Option<String>> {
    use std::io::Write;
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    writeln!(std::io::stderr(), "\nSKIPPED {test}: {failure}")?;
    Ok(None)
}

/// A page that remembers what it has asked the API, and does not reach it while it is `cut` off or the API is `down`.
fn remembering(html: &str) -> String {
    const SCRIPT: &str = r#"<script>
        const ask = fetch;
        const reach = (address, options) => {
            const state = address.endsWith("/orders") ? sessionStorage.getItem("orders") : null;
            if (state === "cut") return Promise.reject(new TypeError("cut off"));
            return state === "down" ? Promise.resolve(Response.json({ title: "down" }, { status: 503 })) : ask(address, options);
        };
        window.fetch = (address, options) => {
            const answer = reach(address, options);
            const whole = answer.then((answer) => answer.clone().text()).catch(() => {});
            if (address.endsWith("/orders")) window.asked = [...(window.asked ?? []), whole];
            return answer;
        };
    </script><title>"#;
    html.replacen("<title>", SCRIPT, 1)
}

/// Waits until it has asked once more than that often.
const ASKED: &str = r"
    return new Promise((resolve) => {
        const isThere = () => (window.asked ?? []).length > arguments[0];
        const end = setInterval(() => { if (isThere()) { clearInterval(end); resolve(true); } }, 10);
    });
";

/// Tells the other tabs that somebody logged in, as a popup does.
const TELL: &str = r#"new BroadcastChannel("wechat-login").postMessage("");"#;

/// Waits until it has made something of that answer: it was read whole, and then a page.
const ANSWERED: &str = r#"
    return Promise.allSettled([asked[arguments[0]]]).then(() => fetch("/")).then((answer) => answer.text());
"#;

/// Logs in on the page, sees what the API has, and logs out.
async fn goes_there_and_back(stack: &Stack, page: &TeamPage, picture: &str) -> Result<()> {
    let Some(chromium) = Chromium::start(Reader::IN_WECHAT).await? else { return Ok(()) };
    chromium.open(&page.same_site()).await?;
    chromium.arrive("我的订单").await?;
    chromium.part("button", LABELS.log_in).await?;
    assert_eq!(chromium.text("#orders").await?, "登录后可以查看订单。");
    // A hand that presses twice logs in once.
    let button = chromium.part("button", LABELS.log_in).await?;
    chromium.action_chain().double_click_element(&button).perform().await?;
    chromium.press_part("user", LABELS.nameless).await?;
    chromium.says("#orders", "2 个订单").await?;
    assert_eq!(stack.sessions()?.len(), 1);
    chromium.look(picture).await?;
    chromium.press_part("item", LABELS.log_out).await?;
    chromium.says("#orders", "登录后可以查看订单。").await?;
    assert!(stack.sessions()?.is_empty());

    // What the API answers after the logout is not shown to whoever sits there then.
    page.keep_orders_back();
    chromium.press_part("button", LABELS.log_in).await?;
    chromium.press_part("user", LABELS.nameless).await?;
    chromium.run(ASKED, vec![0.into()]).await?;
    chromium.press_part("item", LABELS.log_out).await?;
    // Nor to who logs in next, in another tab, and whose own answer is not there yet.
    let first = chromium.window().await?;
    let second = chromium.new_tab().await?;
    chromium.switch_to_window(second).await?;
    chromium.open(&page.same_site()).await?;
    chromium.press_part("button", LABELS.log_in).await?;
    chromium.part("user", LABELS.nameless).await?;
    chromium.run(TELL, Vec::new()).await?;
    chromium.switch_to_window(first).await?;
    chromium.run(ASKED, vec![1.into()]).await?;
    page.give_orders_once();
    chromium.run(ANSWERED, vec![0.into()]).await?;
    assert_ne!(chromium.text("#orders").await?, "2 个订单");
    page.give_orders();
    chromium.says("#orders", "2 个订单").await?;
    chromium.press_part("user", LABELS.nameless).await?;
    chromium.press_part("item", LABELS.log_out).await?;
    chromium.says("#orders", "登录后可以查看订单。").await?;

    // Who is logged in is not told to log in, where it is the API that does not answer.
    for state in ["cut", "down"] {
        chromium.run("sessionStorage.setItem('orders', arguments[0])", vec![state.into()]).await?;
        chromium.press_part("button", LABELS.log_in).await?;
        chromium.part("user", LABELS.nameless).await?;
        chromium.says("#orders", "暂时看不到订单，请稍后再试。").await?;
        chromium.look(&format!("{picture}-{state}")).await?;
        chromium.press_part("user", LABELS.nameless).await?;
        chromium.press_part("item", LABELS.log_out).await?;
        chromium.says("#orders", "登录后可以查看订单。").await?;
    }
    chromium.leave(&[NOBODY, "cut off", "orders: 503"]).await
}

#[tokio::test]
async fn the_plain_page_runs() -> Result<()> {
    let (stack, page) = with_page().await?;
    page.show(&remembering(&example("plain.html", &stack, &page)?), "");
    goes_there_and_back(&stack, &page, "example-plain").await
}

#[tokio::test]
async fn the_pages_of_react_and_vue_run() -> Result<()> {
    for (name, loader) in [("react.jsx", "jsx"), ("vue.js", "js")] {
        let (stack, page) = with_page().await?;
        let Some(script) = bundled(loader, &example(name, &stack, &page)?).await? else { return Ok(()) };
        let html = format!(
            r#"<!doctype html><html lang="zh-CN"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Ours</title>
<div id="app"></div><script type="module">{script}</script>"#
        );
        page.show(&remembering(&html), "");
        goes_there_and_back(&stack, &page, &format!("example-{loader}")).await?;
    }
    Ok(())
}
