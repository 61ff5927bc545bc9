//! A visitor's Chromium: one process, one empty profile, one test.
//!
//! Whatever waits fails after ten seconds, and says what it waited for and what the page showed instead. A page that
//! breaks a rule which every page keeps fails where it is looked at.

#![expect(clippy::missing_errors_doc, clippy::missing_panics_doc, reason = "said above, once for all")]

use std::{
    env,
    fs::File,
    io::{self, Write},
    ops::Deref,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use harness::{
    Failure, Result,
    binaries::{search, variable},
    browser::WECHAT_USER_AGENT,
};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::{
    By, ChromeCapabilities, ChromiumLikeCapabilities, LoggingPrefsLogLevel, WebDriver, WebElement,
    prelude::WebDriverResult,
};
pub use thirtyfour::{Key, WindowHandle};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::{interval, timeout},
};

/// Without them it does not run as root and in a container, speaks to its maker, or is told by the
/// machine how to reach others. Names lead nowhere: an avatar is never fetched from where it really is.
const ARGUMENTS: [&str; 12] = [
    "--headless",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
];

/// The two widths at which pages are looked at: what it is called, width and height. No phone is narrower.
const SIZES: [(&str, u32, u32); 2] = [("phone", 360, 780), ("desktop", 1280, 800)];

/// Browsers of a phone, as they call themselves.
const PHONE_USER_AGENT: &str = "Mozilla/5.0 (Linux; Android 14; V2309A) AppleWebKit/537.36 (KHTML, like Gecko) \
     Chrome/142.0.0.0 Mobile Safari/537.36";
const WECOM_USER_AGENT: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, \
     like Gecko) Mobile/15E148 wxwork/4.1.30 MicroMessenger/7.0.1";

/// How long anything may take that a page waits for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked whether it is there.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What the server of `WebDriver` is called, wherever it comes from, and how Chromium may be.
const CHROMEDRIVER: &str = "chromedriver";
const CHROMIUM: [&str; 5] =
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

/// What installs both, on Debian and Ubuntu.
const INSTALL: &str = "apt-get install chromium chromium-driver fonts-noto-cjk";

/// How often `chromedriver` is started: it takes a port that is free at one family of addresses, and ends if
/// another program has the same one at the other.
const MOST_STARTS: usize = 5;

/// Who sits in front of the browser.
#[derive(Clone, Copy)]
pub struct Reader {
    user_agent: Option<&'static str>,
    languages: &'static str,
    keeps_cookies: bool,
}

impl Reader {
    /// Somebody at a computer, who reads Chinese.
    pub const AT_A_COMPUTER: Self = Self { user_agent: None, languages: "zh-CN,zh", keeps_cookies: true };
    /// Somebody who opened the page in WeChat, on a phone.
    pub const IN_WECHAT: Self = Self { user_agent: Some(WECHAT_USER_AGENT), ..Self::AT_A_COMPUTER };

    /// Somebody on a phone, in a browser of its own.
    pub const ON_A_PHONE: Self = Self { user_agent: Some(PHONE_USER_AGENT), ..Self::AT_A_COMPUTER };
    /// Somebody in 企业微信, on a phone.
    pub const IN_WECOM: Self = Self { user_agent: Some(WECOM_USER_AGENT), ..Self::AT_A_COMPUTER };

    /// The same, reading other languages.
    #[must_use]
    pub const fn reading(self, languages: &'static str) -> Self {
        Self { languages, ..self }
    }

    /// The same, with a browser that is set to keep no cookies.
    #[must_use]
    pub const fn without_cookies(self) -> Self {
        Self { keeps_cookies: false, ..self }
    }

    /// Which languages this one reads.
    #[must_use]
    pub const fn languages(self) -> &'static str {
        self.languages
    }
}

/// The browser. All of it ends when this is dropped, however the test went: the processes first, so
/// that the session, which would take its leave, finds nobody to wait for.
pub struct Chromium {
    _driver: Driver,
    session: WebDriver,
    _profile: TempDir,
}

/// `chromedriver`, which starts Chromium as a process of its own group.
pub struct Driver {
    child: Child,
    port: u16,
    _output: Lines<BufReader<ChildStdout>>,
}

impl Driver {
    /// Starts this program on a free port; its files, and those of Chromium, go to `home`.
    pub async fn start(program: &str, home: &Path) -> Result<Self> {
        let mut said = Vec::new();
        for _ in 0..MOST_STARTS {
            match Self::listen(program, home).await? {
                Ok(driver) => return Ok(driver),
                Err(output) => said.push(output),
            }
        }
        let said = said.join("\n");
        Err(Failure::new(format!(
            "{program} ended {MOST_STARTS} times before it listened, and said:\n{said}"
        )))
    }

    /// Starts it once; what it said if it ended before it listened.
    async fn listen(program: &str, home: &Path) -> Result<Result<Self, String>> {
        let errors = home.join("chromedriver.log");
        let mut child = Command::new(program)
            .arg("--port=0")
            .env("HOME", home)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&errors)?)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| missing(&Failure::from(error).during(program)))?;
        let stdout = child.stdout.take().ok_or_else(|| Failure::new("chromedriver has no output"))?;
        let mut output = BufReader::new(stdout).lines();
        let mut said = String::new();
        while let Some(line) = output.next_line().await? {
            let port = line.rsplit_once("successfully on port ").map(|(_, port)| port.trim_end_matches('.'));
            if let Some(port) = port.and_then(|port| port.parse().ok()) {
                return Ok(Ok(Self { child, port, _output: output }));
            }
            said.extend([line.as_str(), "\n"]);
        }
        let status = child.wait().await?;
        Ok(Err(format!("{said}{}{status}", std::fs::read_to_string(errors)?)))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(group) = id {
            // An error means that nobody is left.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// A browser that is not there, and how to get one.
fn missing(failure: &Failure) -> Failure {
    Failure::new(format!(
        "{failure}\nNo browser to test in. `make browser` installs Chromium and chromedriver: {INSTALL}"
    ))
}

/// Which of the programs that these tests need is not there.
fn absent(search: impl Fn(&str) -> bool) -> Option<&'static str> {
    match (search(CHROMEDRIVER), CHROMIUM.into_iter().any(search)) {
        (true, true) => None,
        (true, false) => Some("Chromium"),
        (false, _) => Some(CHROMEDRIVER),
    }
}

/// Whether there is a browser to test in. A test that has none is skipped, and says so past the capture of its
/// output; with `REQUIRE_BROWSER=1` it fails.
fn is_there(search: impl Fn(&str) -> bool, is_required: bool, mut out: impl Write) -> Result<bool> {
    let Some(program) = absent(search) else { return Ok(true) };
    let failure = missing(&Failure::new(format!("there is no {program}")));
    if is_required {
        return Err(failure);
    }
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    writeln!(out, "\nSKIPPED {test}: {failure}")?;
    Ok(false)
}

impl Chromium {
    /// Starts a browser that has never been anywhere; `None` if there is no browser, and the test is to be skipped.
    pub async fn start(reader: Reader) -> Result<Option<Self>> {
        Self::start_with(reader, &[]).await
    }

    /// Starts one that finds these hosts where the rules say, whatever certificate they have there.
    pub async fn start_among(reader: Reader, rules: &[String]) -> Result<Option<Self>> {
        let rules = format!("--host-resolver-rules={}, MAP * ~NOTFOUND", rules.join(", "));
        Self::start_with(reader, &[rules, "--ignore-certificate-errors".to_owned()]).await
    }

    async fn start_with(reader: Reader, arguments: &[String]) -> Result<Option<Self>> {
        let is_required = variable("REQUIRE_BROWSER").is_some_and(|value| value == "1");
        if !is_there(|program| search(program).is_some(), is_required, io::stderr())? {
            return Ok(None);
        }
        let home = tempfile::tempdir()?;
        let driver = Driver::start(CHROMEDRIVER, home.path()).await?;
        let mut capabilities = ChromeCapabilities::new();
        for argument in ARGUMENTS {
            capabilities.add_arg(argument)?;
        }
        // Of two that say the same, the last one counts.
        for argument in arguments {
            capabilities.add_arg(argument)?;
        }
        capabilities.add_arg(&format!("--user-data-dir={}", home.path().join("profile").display()))?;
        if let Some(user_agent) = reader.user_agent {
            capabilities.add_arg(&format!("--user-agent={user_agent}"))?;
        }
        // 1 allows, 2 blocks.
        let cookies = if reader.keeps_cookies { 1 } else { 2 };
        capabilities.add_experimental_option(
            "prefs",
            json!({
                "intl.accept_languages": reader.languages,
                "profile.default_content_setting_values.cookies": cookies,
            }),
        )?;
        capabilities.set_browser_log_level(LoggingPrefsLogLevel::All)?;
        // A dialog stays open until a test looks at it.
        capabilities.as_mut().set("unhandledPromptBehavior", "ignore")?;

        // An error means that the process has a provider already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // No connection is kept: a session that is dropped speaks on a runtime of its own while this
        // one, which would have to serve a kept connection, stands still.
        let client =
            reqwest::Client::builder().tls_certs_only([]).no_proxy().pool_max_idle_per_host(0).build()?;
        let session = WebDriver::builder(format!("http://127.0.0.1:{}", driver.port), capabilities)
            .client(client)
            .await
            .map_err(|error| Failure::from(error).during("chromedriver starts Chromium"))?;
        Ok(Some(Self { session, _driver: driver, _profile: home }))
    }

    /// Opens an address and waits until it has loaded.
    pub async fn open(&self, url: &str) -> Result<()> {
        self.goto(url).await.map_err(|error| Failure::from(error).during(url))
    }

    /// Presses the button, or follows the link, with this label.
    pub async fn press(&self, label: &str) -> Result<()> {
        let labelled = format!("//*[self::a or self::button][normalize-space()='{label}']");
        Ok(self.shown(label, By::XPath(labelled)).await?.click().await?)
    }

    /// Waits for a page with this heading.
    pub async fn arrive(&self, heading: &str) -> Result<()> {
        self.until(heading, async || {
            let text = self.find(By::Css("h1")).await?.text().await?;
            Ok((text == heading).then_some(()))
        })
        .await
    }

    /// The first element that a selector finds, once it can be seen.
    pub async fn element(&self, selector: &str) -> Result<WebElement> {
        self.shown(selector, By::Css(selector.to_owned())).await
    }

    /// A part of the page's `<wechat-login>`, once it can be seen: the one of that name with that text in it.
    pub async fn part(&self, name: &str, text: &str) -> Result<WebElement> {
        self.until(&format!("{name} {text:?}"), async || self.part_now(name, text).await).await
    }

    /// Presses such a part, which may be drawn anew before it is pressed.
    pub async fn press_part(&self, name: &str, text: &str) -> Result<()> {
        self.until(&format!("{name} {text:?}"), async || match self.part_now(name, text).await? {
            Some(part) => part.click().await.map(Some),
            None => Ok(None),
        })
        .await
    }

    async fn part_now(&self, name: &str, text: &str) -> WebDriverResult<Option<WebElement>> {
        let script = r#"
            const root = document.querySelector("wechat-login").shadowRoot;
            const parts = [...root.querySelectorAll(`[part=${arguments[0]}]`)];
            return parts.find((part) => part.textContent.includes(arguments[1]));
        "#;
        let part = self.execute(script, vec![name.into(), text.into()]).await?.element()?;
        Ok(part.is_displayed().await?.then_some(part))
    }

    async fn shown(&self, what: &str, by: By) -> Result<WebElement> {
        self.until(what, async || {
            let element = self.find(by.clone()).await?;
            Ok(element.is_displayed().await?.then_some(element))
        })
        .await
    }

    /// The text that can be read in it.
    pub async fn text(&self, selector: &str) -> Result<String> {
        self.until(selector, async || {
            let element = self.find(By::Css(selector.to_owned())).await?;
            Ok(if element.is_displayed().await? { Some(element.text().await?) } else { None })
        })
        .await
    }

    /// Waits until this text, and nothing else, can be read in it.
    pub async fn says(&self, selector: &str, text: &str) -> Result<()> {
        self.until(text, async || {
            let shown = self.find(By::Css(selector.to_owned())).await?.text().await?;
            Ok((shown == text).then_some(()))
        })
        .await
    }

    /// Waits until the address is this one, whatever fragment it has.
    pub async fn until_at(&self, url: &str) -> Result<()> {
        self.until(url, async || {
            let mut here = self.current_url().await?;
            here.set_fragment(None);
            Ok((here.as_str() == url).then_some(()))
        })
        .await
    }

    /// Waits until the address begins so, whatever its query is.
    pub async fn until_left(&self, address: &str) -> Result<()> {
        self.until(address, async || {
            Ok(self.current_url().await?.as_str().starts_with(address).then_some(()))
        })
        .await
    }

    /// Waits for another tab than this, goes there, and returns the way back.
    pub async fn other_tab(&self) -> Result<WindowHandle> {
        let here = self.window().await?;
        let other = self
            .until("a second tab", async || {
                Ok(self.windows().await?.into_iter().find(|window| *window != here))
            })
            .await?;
        self.switch_to_window(other).await?;
        Ok(here)
    }

    /// Waits until there is something. An error is no reason to give up: a page that goes away under a
    /// question answers with one.
    async fn until<T>(
        &self,
        what: &str,
        mut look: impl AsyncFnMut() -> WebDriverResult<Option<T>>,
    ) -> Result<T> {
        let wait = async {
            let mut ticks = interval(LOOK_AGAIN);
            loop {
                if let Ok(Some(found)) = look().await {
                    return found;
                }
                ticks.tick().await;
            }
        };
        match timeout(PATIENCE, wait).await {
            Ok(found) => Ok(found),
            Err(_) => Err(self.lost(what).await),
        }
    }

    /// What a script of the page makes of `arguments`; it may return a promise.
    pub async fn run(&self, script: &str, arguments: Vec<Value>) -> Result<Value> {
        Ok(self.execute(script, arguments).await?.json().clone())
    }

    /// The names of the cookies that this page's requests carry.
    pub async fn cookie_names(&self) -> Result<Vec<String>> {
        let mut names: Vec<_> = self.get_all_cookies().await?.into_iter().map(|cookie| cookie.name).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// What a cookie holds.
    pub async fn cookie(&self, name: &str) -> Result<String> {
        Ok(self.get_named_cookie(name).await?.value)
    }

    /// Takes pictures of the page at both widths, and finds nothing that reaches over the edge.
    pub async fn look(&self, name: &str) -> Result<()> {
        let directory = pictures()?;
        std::fs::create_dir_all(&directory)?;
        for (size, width, height) in SIZES {
            let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == "phone" });
            self.cdp().send_raw("Emulation.setDeviceMetricsOverride", metrics).await?;
            self.screenshot(&directory.join(format!("{name}-{size}.png"))).await?;
            let [content, room] = [self.width_of("scrollWidth").await?, self.width_of("clientWidth").await?];
            assert_eq!(content, room, "{name} is as wide as a {size}");
            // A page that is longer than a desktop has a bar at its side, which takes some of the room.
            let width = u64::from(width);
            let is_whole = room == width || size == "desktop" && (width - 20..width).contains(&room);
            assert!(is_whole, "{name} has {room} of a {size}");
        }
        self.cdp().send_raw("Emulation.clearDeviceMetricsOverride", json!({})).await?;
        Ok(())
    }

    /// A width of the whole page, in pixels.
    async fn width_of(&self, which: &str) -> Result<u64> {
        let width = self.run(&format!("return document.documentElement.{which}"), Vec::new()).await?;
        Ok(width.as_u64().unwrap_or_default())
    }

    /// What stands in the console since it was last asked for.
    pub async fn console(&self) -> Result<Vec<String>> {
        let entries = self.browser_log().await?;
        Ok(entries.into_iter().map(|entry| format!("{}: {}", entry.level, entry.message)).collect())
    }

    /// Waits until this text stands in the console; what was said until then, since it was last asked for.
    pub async fn until_told(&self, text: &str) -> Result<Vec<String>> {
        let mut said = Vec::new();
        self.until(text, async || {
            said.extend(
                self.browser_log()
                    .await?
                    .into_iter()
                    .map(|entry| format!("{}: {}", entry.level, entry.message)),
            );
            Ok(said.iter().any(|line: &String| line.contains(text)).then_some(()))
        })
        .await?;
        Ok(said)
    }

    /// Ends the visit: no dialog is open, and in the console stands what was `expected` and nothing else.
    pub async fn leave(self, expected: &[&str]) -> Result<()> {
        assert!(self.get_alert_text().await.is_err(), "a dialog is open");
        let lines = self.console().await?;
        let unexpected: Vec<_> =
            lines.iter().filter(|line| !expected.iter().any(|part| line.contains(part))).collect();
        assert!(unexpected.is_empty(), "in the console: {unexpected:#?}");
        let absent: Vec<_> =
            expected.iter().filter(|part| !lines.iter().any(|line| line.contains(**part))).collect();
        assert!(absent.is_empty(), "not in the console: {absent:?} in {lines:#?}");
        Ok(self.session.quit().await?)
    }

    /// What is there instead of what a test looked for.
    async fn lost(&self, what: &str) -> Failure {
        let url = self.current_url().await.map(String::from).unwrap_or_default();
        let script = "return document.body ? document.body.innerText : null";
        let text = self.run(script, Vec::new()).await.unwrap_or_default();
        Failure::new(format!("no {what:?} at {url}, but {text}"))
    }
}

impl Deref for Chromium {
    type Target = WebDriver;

    fn deref(&self) -> &WebDriver {
        &self.session
    }
}

/// Where the pictures go: to `target`, in which this process is `debug/deps/browser`.
fn pictures() -> Result<PathBuf> {
    let program = env::current_exe()?;
    let target = program.ancestors().nth(3).unwrap_or(Path::new("target"));
    Ok(target.join("screenshots"))
}

#[cfg(test)]
mod tests {
    use harness::binaries::workspace;

    use super::*;

    #[tokio::test]
    async fn a_browser_that_is_missing_fails_the_test_and_says_what_to_do() {
        let home = tempfile::tempdir().unwrap();
        let failure = Driver::start("chromedriver-of-nobody", home.path()).await.err().unwrap();
        assert!(failure.to_string().contains("`make browser`"), "{failure}");
    }

    #[test]
    fn without_a_browser_a_test_is_skipped_loudly_unless_one_is_required() {
        for (there, program) in [(&["chromium"][..], "chromedriver"), (&["chromedriver"], "Chromium")] {
            let search = |name: &str| there.contains(&name);
            let mut said = Vec::new();
            assert!(!is_there(search, false, &mut said).unwrap());
            let said = String::from_utf8(said).unwrap();
            assert!(said.contains("SKIPPED") && said.contains(program) && said.contains(INSTALL), "{said}");
            let failure = is_there(search, true, Vec::new()).unwrap_err().to_string();
            assert!(failure.contains(program) && failure.contains(INSTALL), "{failure}");
        }
        let mut said = Vec::new();
        assert!(is_there(|name| ["chromedriver", "google-chrome"].contains(&name), true, &mut said).unwrap());
        assert!(said.is_empty());
    }

    /// Starts a program that plays `chromedriver` and ends the first times.
    async fn start_after(ends: usize) -> Result<Driver> {
        let home = tempfile::tempdir()?;
        std::fs::write(home.path().join("ends"), ends.to_string())?;
        let program = workspace().join("tests/chromium/driver.sh");
        Driver::start(&program.display().to_string(), home.path()).await
    }

    #[tokio::test]
    async fn a_driver_whose_port_is_taken_is_started_again() {
        assert_eq!(start_after(MOST_STARTS - 1).await.unwrap().port, 7);
    }

    #[tokio::test]
    async fn a_driver_that_never_starts_says_what_happened() {
        let failure = start_after(MOST_STARTS).await.err().unwrap().to_string();
        for part in ["IPv6 port not available", "said to stderr", "exit status: 1"] {
            assert!(failure.contains(part), "{failure}");
        }
        assert!(!failure.contains("No browser"), "{failure}");
    }
}
