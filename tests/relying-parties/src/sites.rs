//! Sites that log people in by the code flow, with libraries that others wrote: the driver is the browser.

use std::{net::SocketAddr, time::Duration};

use harness::{Answer, Failure, Result, Visitor, stack::WECHAT_OPEN_URL};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Child,
    time::timeout,
};

use crate::{
    deployment::{Deployment, SECRET},
    script,
};

/// Where every site is, as far as browsers know; only one is there at a time.
pub const ORIGIN: &str = "https://app.example.org";
/// The client that sites are, and the one without a secret, which is a page.
pub const CLIENT_ID: &str = "site";
pub const PUBLIC_CLIENT_ID: &str = "page";
/// What is done with a site, in order. A login is fresh through WeChat, and then again by the session alone.
pub const STEPS: [&str; 6] = ["fresh login", "session", "refresh", "userinfo", "revoke", "logout"];

/// How long a site may take to be there.
const PATIENCE: Duration = Duration::from_mins(1);

/// A library, and the site that is made with it.
pub struct Site {
    pub name: &'static str,
    pub script: &'static str,
    /// Where its logins come back.
    pub callback: &'static str,
    /// The steps for which the library has nothing.
    pub lacks: &'static [&'static str],
}

/// Who logs people in.
pub const SITES: [Site; 11] = [
    Site { name: "openid-client", script: "with-openid-client.mjs", callback: "/callback", lacks: &[] },
    Site { name: "oauth4webapi", script: "with-oauth4webapi.mjs", callback: "/callback", lacks: &[] },
    Site {
        name: "@auth/core",
        script: "with-auth-core.mjs",
        callback: "/auth/callback/wechat",
        lacks: &["refresh", "userinfo", "revoke", "logout"],
    },
    Site {
        name: "express-openid-connect",
        script: "with-express-openid-connect.mjs",
        callback: "/callback",
        lacks: &["revoke"],
    },
    Site { name: "oidc-client-ts", script: "with-oidc-client-ts.mjs", callback: "/callback", lacks: &[] },
    Site { name: "Authlib", script: "with_authlib.py", callback: "/callback", lacks: &["revoke"] },
    Site {
        name: "mozilla-django-oidc",
        script: "with_mozilla_django_oidc.py",
        callback: "/callback",
        lacks: &["revoke"],
    },
    Site {
        name: "social-auth-core",
        script: "with_social_auth_core.py",
        callback: "/complete/oidc/",
        lacks: &["revoke", "logout"],
    },
    Site { name: "idpyoidc", script: "with_idpyoidc.py", callback: "/callback", lacks: &["revoke"] },
    Site { name: "openidconnect", script: "with-openidconnect.rs", callback: "/callback", lacks: &[] },
    Site {
        name: "mod_auth_openidc",
        script: "with_mod_auth_openidc.py",
        callback: "/callback",
        lacks: &["revoke"],
    },
];

/// What came of one step: nothing to say, or what is wrong. `None` if the library has nothing for it.
pub type Outcome = Option<Result<()>>;

/// Goes through a site, as far as it holds.
pub async fn go_through(deployment: &Deployment, site: &Site) -> Vec<Outcome> {
    let (_child, address) = match start(deployment, site).await {
        Ok(started) => started,
        Err(failure) => return vec![Some(Err(failure))],
    };
    let mut visitor = deployment.person();
    visitor.browser = visitor.browser.with_origin(ORIGIN, address);
    let mut guest = Guest { visitor, subject: deployment.subject(), nickname: deployment.nickname() };
    let mut outcomes = Vec::new();
    for step in STEPS {
        if site.lacks.contains(&step) {
            outcomes.push(None);
            continue;
        }
        let outcome = guest.take(step).await;
        let is_over = outcome.is_err();
        outcomes.push(Some(outcome));
        if is_over {
            break;
        }
    }
    outcomes
}

/// A site that is there, until the process is dropped.
async fn start(deployment: &Deployment, site: &Site) -> Result<(Child, SocketAddr)> {
    let mut command = script::command(deployment, "sites", site.script)?;
    command.env("ISSUER", deployment.issuer()).env("ORIGIN", ORIGIN);
    command.env("CLIENT_ID", CLIENT_ID).env("CLIENT_SECRET", SECRET);
    command.env("PUBLIC_CLIENT_ID", PUBLIC_CLIENT_ID);
    let mut child = command.spawn().map_err(|error| Failure::from(error).during(site.script))?;
    let output = child.stdout.take().ok_or_else(|| Failure::new("the site says nothing"))?;
    let mut lines = BufReader::new(output).lines();
    let told = timeout(PATIENCE, lines.next_line()).await.map_err(|_| Failure::new("the site never came"));
    let port: u16 =
        told??.unwrap_or_default().parse().map_err(|error| Failure::from(error).during(site.script))?;
    Ok((child, ([127, 0, 0, 1], port).into()))
}

/// The person at the site, and who that is.
struct Guest {
    visitor: Visitor,
    subject: String,
    nickname: String,
}

impl Guest {
    async fn take(&mut self, step: &str) -> Result<()> {
        match step {
            "fresh login" => self.log_in(true).await.map(drop),
            "session" => self.log_in(false).await.map(drop),
            "refresh" => {
                let before = told(&self.visitor.follow(&format!("{ORIGIN}/")).await?)?;
                let hops = self.visitor.follow(&format!("{ORIGIN}/refresh")).await?;
                require(!through_wechat(&hops), "a refresh asked WeChat", &hops)?;
                let after = self.recognized(&hops)?;
                require(before.get("access_token") != after.get("access_token"), "no new access token", &hops)
            }
            "userinfo" => {
                self.recognized(&self.visitor.follow(&format!("{ORIGIN}/userinfo")).await?).map(drop)
            }
            "revoke" => {
                let hops = self.visitor.follow(&format!("{ORIGIN}/revoke")).await?;
                require(says(&told(&hops)?, "refused", "invalid_grant"), "a revoked token was renewed", &hops)
            }
            _ => {
                let hops = self.visitor.follow(&format!("{ORIGIN}/logout")).await?;
                let is_back = hops.last().is_some_and(|hop| hop.url.path() == "/bye");
                require(is_back && self.visitor.session().is_none(), "no logout", &hops)?;
                self.log_in(true).await.map(drop)
            }
        }
    }

    async fn log_in(&self, is_fresh: bool) -> Result<Value> {
        let hops = self.visitor.follow(&format!("{ORIGIN}/login")).await?;
        let wrong = if is_fresh { "WeChat was not asked" } else { "WeChat was asked again" };
        require(through_wechat(&hops) == is_fresh, wrong, &hops)?;
        self.recognized(&hops)
    }

    /// What the site says at the end, if it knows who this is.
    fn recognized(&self, hops: &[Answer]) -> Result<Value> {
        let told = told(hops)?;
        require(says(&told, "sub", &self.subject), "somebody else, or nobody", hops)?;
        require(says(&told, "name", &self.nickname), "not by name", hops)?;
        Ok(told)
    }
}

fn require(holds: bool, otherwise: &str, hops: &[Answer]) -> Result<()> {
    if holds { Ok(()) } else { Err(Failure::new(format!("{otherwise}\n{}", written(hops)))) }
}

fn says(told: &Value, name: &str, value: &str) -> bool {
    told.get(name).is_some_and(|said| said == value)
}

fn through_wechat(hops: &[Answer]) -> bool {
    hops.iter().any(|hop| hop.url.as_str().starts_with(WECHAT_OPEN_URL))
}

/// What the site says at the end.
fn told(hops: &[Answer]) -> Result<Value> {
    let last = hops.last().filter(|hop| hop.status == 200 && hop.url.as_str().starts_with(ORIGIN));
    last.ok_or_else(|| Failure::new(written(hops)))?.json()
}

/// The way somebody went, and what stood at its end.
fn written(hops: &[Answer]) -> String {
    let places = hops.iter().map(|hop| format!("    {} {}\n", hop.status, hop.url));
    format!("{}    {}", places.collect::<String>(), hops.last().map(Answer::text).unwrap_or_default())
}
