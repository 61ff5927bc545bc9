//! Sites that log people in by the code flow, with libraries that others wrote: the driver is the browser.

use std::{net::SocketAddr, time::Duration};

use harness::{Failure, Result, Visitor, stack::WECHAT_OPEN_URL};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Child,
    time::timeout,
};

use crate::{
    chromium::{self, Chromium},
    deployment::{Deployment, SECRET},
    script,
};

/// Where every site is, as far as browsers know; only one is there at a time.
pub const ORIGIN: &str = "https://app.example.org";
/// The client that sites are; the one without a secret, which is a page; and the one on a device.
pub const CLIENT_ID: &str = "site";
pub const PUBLIC_CLIENT_ID: &str = "page";
pub const NATIVE_CLIENT_ID: &str = "app";
/// What is done with a site, in order. A login is fresh through WeChat, and then again by the session alone.
pub const STEPS: [&str; 6] = ["fresh login", "session", "refresh", "userinfo", "revoke", "logout"];

/// Where a logout may end: the site as some libraries call it, without a slash; a page for it; a broker's own.
pub const LOGGED_OUT: [&str; 3] = ["", "/bye", "/portal/?logout=1"];

/// How long a site may take to be there.
const PATIENCE: Duration = Duration::from_mins(1);

/// What follows the name of a library, if what is done with it is done in a real browser.
pub const IN_CHROMIUM: &str = ", in Chromium";

/// A library, and the site that is made with it.
pub struct Site {
    /// The library's, and [`IN_CHROMIUM`].
    pub name: &'static str,
    pub script: &'static str,
    /// Where its logins come back.
    pub callback: &'static str,
    /// The steps for which the library has nothing.
    pub lacks: &'static [&'static str],
}

/// Who logs people in.
pub const SITES: [Site; 17] = [
    Site { name: "openid-client", script: "with-openid-client.mjs", callback: "/callback", lacks: &[] },
    Site { name: "oauth4webapi", script: "with-oauth4webapi.mjs", callback: "/callback", lacks: &[] },
    Site {
        name: "@auth/core",
        script: "with-auth-core.mjs",
        callback: "/auth/callback/wechat",
        lacks: &["refresh", "userinfo", "revoke", "logout"],
    },
    Site {
        name: "next-auth",
        script: "with-next-auth.mjs",
        callback: "/api/auth/callback/wechat",
        lacks: &["refresh", "userinfo", "revoke", "logout"],
    },
    Site {
        name: "express-openid-connect",
        script: "with-express-openid-connect.mjs",
        callback: "/callback",
        lacks: &["revoke"],
    },
    Site { name: "oidc-client-ts", script: "with-oidc-client-ts.mjs", callback: "/callback", lacks: &[] },
    Site {
        name: "oidc-client-ts, in Chromium",
        script: "with-oidc-client-ts-on-a-page.mjs",
        callback: "/callback",
        lacks: &[],
    },
    Site {
        name: "@openid/appauth, in Chromium",
        script: "with-appauth.mjs",
        callback: "/callback",
        lacks: &["logout"],
    },
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
    Site {
        name: "lemonldap-ng",
        script: "with-lemonldap-ng.pl",
        callback: "/portal/?openidconnectcallback=1",
        lacks: &["refresh", "revoke"],
    },
    Site {
        name: "a double of ALB, in Chromium",
        script: "double_of_alb.py",
        callback: "/oauth2/idpresponse",
        lacks: &["revoke"],
    },
    Site {
        name: "a double of Cognito",
        script: "double_of_cognito.py",
        callback: "/oauth2/idpresponse",
        lacks: &["refresh", "revoke", "logout"],
    },
];

/// What the name of a double begins with: of what is no library and cannot run here, written from its documentation.
pub const A_DOUBLE: &str = "a double of ";

impl Site {
    /// The library, without the browser.
    pub fn library(&self) -> &'static str {
        self.name.trim_end_matches(IN_CHROMIUM)
    }

    fn is_in_chromium(&self) -> bool {
        self.name.ends_with(IN_CHROMIUM)
    }

    /// What has to be installed or built first, if something is not there.
    pub fn missing(&self) -> Option<String> {
        let browser = if self.is_in_chromium() { chromium::missing().map(str::to_owned) } else { None };
        browser.or_else(|| script::missing(self.library(), self.script))
    }
}

/// A page that a browser came by.
pub struct Hop {
    pub status: u64,
    pub url: String,
}

/// A way that somebody went.
pub struct Way {
    pub hops: Vec<Hop>,
    /// What stood at its end.
    pub text: String,
    /// Whether the browser has a session of the login now.
    pub is_logged_in: bool,
}

/// What came of one step: nothing to say, or what is wrong. `None` if the library has nothing for it.
pub type Outcome = Option<Result<()>>;

/// Goes through a site, as far as it holds.
pub async fn go_through(deployment: &Deployment, site: &Site) -> Vec<Outcome> {
    let (_child, mut guest) = match arrive(deployment, site).await {
        Ok(arrived) => arrived,
        Err(failure) => return vec![Some(Err(failure))],
    };
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

/// A site, and somebody who has not been there.
async fn arrive(deployment: &Deployment, site: &Site) -> Result<(Child, Guest)> {
    let (child, address) = start(deployment, site).await?;
    let browser = if site.is_in_chromium() {
        Browser::Chromium(Box::new(Chromium::start(deployment, address).await?))
    } else {
        let mut visitor = deployment.person();
        visitor.browser = visitor.browser.with_origin(ORIGIN, address);
        Browser::Driver(visitor)
    };
    Ok((child, Guest { browser, subject: deployment.subject(), nickname: deployment.nickname() }))
}
/// A site that is there, until the process is dropped.
async fn start(deployment: &Deployment, site: &Site) -> Result<(Child, SocketAddr)> {
    let mut command = script::command(deployment, "sites", site.script)?;
    command.env("ISSUER", deployment.issuer()).env("ORIGIN", ORIGIN);
    command.env("CLIENT_ID", CLIENT_ID).env("CLIENT_SECRET", SECRET);
    command.env("PUBLIC_CLIENT_ID", PUBLIC_CLIENT_ID).env("NATIVE_CLIENT_ID", NATIVE_CLIENT_ID);
    let mut child = command.spawn().map_err(|error| Failure::from(error).during(site.script))?;
    let output = child.stdout.take().ok_or_else(|| Failure::new("the site says nothing"))?;
    let mut lines = BufReader::new(output).lines();
    let told = timeout(PATIENCE, lines.next_line()).await.map_err(|_| Failure::new("the site never came"));
    let port: u16 =
        told??.unwrap_or_default().parse().map_err(|error| Failure::from(error).during(site.script))?;
    Ok((child, ([127, 0, 0, 1], port).into()))
}

/// What the person sits in front of.
enum Browser {
    Driver(Visitor),
    Chromium(Box<Chromium>),
}

impl Browser {
    async fn follow(&mut self, url: &str) -> Result<Way> {
        let visitor = match self {
            Self::Driver(visitor) => visitor,
            Self::Chromium(chromium) => return chromium.follow(url).await,
        };
        let hops = visitor.follow(url).await?;
        let text = hops.last().map(harness::Answer::text).unwrap_or_default();
        let hops =
            hops.iter().map(|hop| Hop { status: hop.status.into(), url: hop.url.to_string() }).collect();
        Ok(Way { hops, text, is_logged_in: visitor.session().is_some() })
    }
}

/// The person at the site, and who that is.
struct Guest {
    browser: Browser,
    subject: String,
    nickname: String,
}

impl Guest {
    async fn take(&mut self, step: &str) -> Result<()> {
        match step {
            "fresh login" => self.log_in(true).await,
            "session" => self.log_in(false).await,
            "refresh" => {
                let before = self.go("/").await?.told()?;
                let way = self.go("/refresh").await?;
                way.require(!way.is_through_wechat(), "a refresh asked WeChat")?;
                let after = self.recognized(&way)?;
                way.require(before.get("access_token") != after.get("access_token"), "no new access token")
            }
            "userinfo" => {
                let way = self.go("/userinfo").await?;
                self.recognized(&way).map(drop)
            }
            "revoke" => {
                let way = self.go("/revoke").await?;
                way.require(says(&way.told()?, "refused", "invalid_grant"), "a revoked token was renewed")
            }
            _ => {
                let way = self.go("/logout").await?;
                let end = way.hops.last().and_then(|hop| hop.url.strip_prefix(ORIGIN)).unwrap_or_default();
                let is_back = LOGGED_OUT.iter().any(|place| match *place {
                    "" => end == "/",
                    place => end.starts_with(place),
                });
                way.require(is_back && !way.is_logged_in, "no logout")?;
                self.log_in(true).await
            }
        }
    }

    async fn go(&mut self, path: &str) -> Result<Way> {
        self.browser.follow(&format!("{ORIGIN}{path}")).await
    }

    async fn log_in(&mut self, is_fresh: bool) -> Result<()> {
        let way = self.go("/login").await?;
        let wrong = if is_fresh { "WeChat was not asked" } else { "WeChat was asked again" };
        way.require(way.is_through_wechat() == is_fresh, wrong)?;
        self.recognized(&way).map(drop)
    }

    /// What the site says at the end, if it knows who this is.
    fn recognized(&self, way: &Way) -> Result<Value> {
        let told = way.told()?;
        way.require(says(&told, "sub", &self.subject), "somebody else, or nobody")?;
        way.require(says(&told, "name", &self.nickname), "not by name")?;
        Ok(told)
    }
}

impl Way {
    fn require(&self, holds: bool, otherwise: &str) -> Result<()> {
        if holds { Ok(()) } else { Err(Failure::new(format!("{otherwise}\n{}", self.written()))) }
    }

    fn is_through_wechat(&self) -> bool {
        self.hops.iter().any(|hop| hop.url.starts_with(WECHAT_OPEN_URL))
    }

    /// What the site says at the end.
    fn told(&self) -> Result<Value> {
        let is_there = self.hops.last().is_some_and(|hop| hop.status == 200 && hop.url.starts_with(ORIGIN));
        self.require(is_there, "the site says nothing")?;
        serde_json::from_str(&self.text).map_err(|error| Failure::new(format!("{error}\n{}", self.written())))
    }

    fn written(&self) -> String {
        let places = self.hops.iter().map(|hop| format!("    {} {}\n", hop.status, hop.url));
        format!("{}    {}", places.collect::<String>(), self.text)
    }
}

fn says(told: &Value, name: &str, value: &str) -> bool {
    told.get(name).is_some_and(|said| said == value)
}
