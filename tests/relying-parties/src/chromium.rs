//! A person in front of a real browser: Chromium, driven by `chromium.mjs`, which answers a line with a line.

use std::{net::SocketAddr, path::PathBuf};

use harness::{
    Failure, Result,
    binaries::{search, workspace},
    browser::WECHAT_USER_AGENT,
    stack::WECHAT_OPEN_URL,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout},
};

use crate::{
    deployment::{Deployment, PERSON, Tls},
    script,
    sites::{Hop, ORIGIN, Way},
};

/// How Chromium may be called.
const NAMES: [&str; 5] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

/// A browser that has never been anywhere; it ends when this is dropped.
pub struct Chromium {
    _child: Child,
    _tls: [Tls; 2],
    asks: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

/// Where it is, if it is anywhere.
fn program() -> Option<PathBuf> {
    NAMES.into_iter().find_map(search)
}

/// What has to be installed first, if it is not there.
pub fn missing() -> Option<&'static str> {
    program().is_none().then_some("`make browser` installs Chromium.")
}

impl Chromium {
    /// Starts it in front of a site, which it believes to be at [`ORIGIN`].
    pub async fn start(deployment: &Deployment, site: SocketAddr) -> Result<Self> {
        let program = program().ok_or_else(|| Failure::new("there is no Chromium"))?;
        let tls = [deployment.tls(site).await?, deployment.tls(deployment.wechat()?).await?];
        let names = [ORIGIN, WECHAT_OPEN_URL]
            .iter()
            .zip(&tls)
            .map(|(origin, tls)| format!("MAP {} {}", origin.trim_start_matches("https://"), tls.address()));
        let pictures = workspace().join("target/screenshots");
        std::fs::create_dir_all(&pictures)?;
        let mut command = script::command(deployment, "", "chromium.mjs")?;
        command
            .env("CHROMIUM", program)
            .env("NAMES", names.collect::<Vec<_>>().join(","))
            .env("ISSUER", deployment.issuer())
            .env("ORIGIN", ORIGIN)
            .env("WECHAT", WECHAT_OPEN_URL)
            .env("USER_AGENT", WECHAT_USER_AGENT)
            .env("PERSON", PERSON)
            .env("SCREENSHOTS", pictures);
        let mut child = command.spawn().map_err(|error| Failure::from(error).during("chromium.mjs"))?;
        let (Some(asks), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Failure::new("nobody speaks to Chromium"));
        };
        Ok(Self { _child: child, _tls: tls, asks, answers: BufReader::new(answers).lines() })
    }

    /// Goes there, and on as a person does, until a page tells something.
    pub async fn follow(&mut self, url: &str) -> Result<Way> {
        self.asks.write_all(format!("{}\n", json!({ "open": url })).as_bytes()).await?;
        let line = self.answers.next_line().await?.ok_or_else(|| Failure::new("Chromium has ended"))?;
        let answer: Value = serde_json::from_str(&line)?;
        let members = |name: &str| answer.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        let text = |of: &Value, name: &str| of.get(name).and_then(Value::as_str).map(str::to_owned);
        if let Some(error) = text(&answer, "error") {
            return Err(Failure::new(error));
        }
        let hops = members("hops").into_iter().map(|hop| {
            let status = hop.get("status").and_then(Value::as_u64).unwrap_or_default();
            Ok(Hop { status, url: text(&hop, "url").unwrap_or_default() })
        });
        Ok(Way {
            hops: hops.collect::<Result<_>>()?,
            text: text(&answer, "text").unwrap_or_default(),
            is_logged_in: members("cookies").iter().any(|name| name == "__Host-session"),
        })
    }
}
