//! What people come for, and how each visit must end. A visit fails if it does not end so.

use fastrand::Rng;
use futures_util::future::try_join_all;
use harness::{
    Answer, Failure, Result, Stack, Visitor,
    browser::Visit,
    hand_off::{CHOICE, Waiting, form, scan, tap},
    places::{AUTHORIZE, AUTHORIZE_PROFILE, LOGOUT, SESSION_COOKIE, USERINFO, callback},
    relying_party::{self, asked, code, redeem, refresh, text, userinfo},
    stack::{OFFICIAL_ACCOUNT, PAGE_ORIGIN, PUBLIC_URL, WEBSITE_APP},
};
use http::Method;

use crate::oracle::{session_tokens, side_by_side};

/// What a forged code begins with; none of them reaches WeChat.
pub const FORGED: &str = "forged";
/// How often the same callback comes at once.
const COPIES: usize = 3;
/// How many forged requests come in one flood, and how many of them at once.
const FORGERIES: u64 = 24;
const AT_ONCE: usize = 4;
/// How often a page asks who is there, at most.
const MOST_POLLS: usize = 8;

/// What somebody comes for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The first visit of a round: a session and a client's tokens that live for the whole run.
    Stay,
    /// A silent login, and a page that asks who is there.
    Silent,
    /// A login with the profile.
    Profile,
    /// A login by QR code.
    Qr,
    /// A browser that a phone logs in.
    HandOff,
    /// A login at a client of the OpenID Provider, and its tokens.
    Client,
    /// A callback several times at once.
    Duplicates,
    /// WeChat's question is answered with no.
    Denial,
    /// Forged requests.
    Flood,
}

impl Kind {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::Stay,
        Self::Silent,
        Self::Profile,
        Self::Qr,
        Self::HandOff,
        Self::Client,
        Self::Duplicates,
        Self::Denial,
        Self::Flood,
    ];

    /// How many came for it, in words behind the number.
    pub fn told(self) -> &'static str {
        match self {
            Self::Stay => "of sessions and refresh tokens as old as the run",
            Self::Silent => "silent logins",
            Self::Profile => "with the profile",
            Self::Qr => "by QR code",
            Self::HandOff => "by another phone",
            Self::Client => "at a client",
            Self::Duplicates => "callbacks three times at once",
            Self::Denial => "denials",
            Self::Flood => "floods of 24 forged requests",
        }
    }
}

/// Somebody who comes again and again; two of them never use the same name at WeChat.
pub struct Lane {
    person: String,
    random: Rng,
    /// A browser that stays logged in, and the refresh token of a client at which it was.
    stays: Visitor,
    token: String,
}

impl Lane {
    /// Somebody who is there already.
    pub async fn new(stack: &Stack, person: &str, random: Rng) -> Result<Self> {
        let stays = relying_party::visitor(stack, person).logged_in().await?;
        let tokens = good(redeem(stack, &code(&stays, &[]).await?, &[]).await?)?.json()?;
        let token = text(&tokens, "refresh_token");
        Ok(Self { person: person.to_owned(), random, stays, token })
    }

    /// What they come for next: logins most of the time.
    pub fn draw(&mut self) -> Kind {
        match self.random.u32(..100) {
            0..30 => Kind::Silent,
            30..45 => Kind::Profile,
            45..55 => Kind::Qr,
            55..63 => Kind::HandOff,
            63..80 => Kind::Client,
            80..88 => Kind::Duplicates,
            88..93 => Kind::Denial,
            _ => Kind::Flood,
        }
    }

    /// Comes, and goes again.
    pub async fn visit(&mut self, stack: &Stack, kind: Kind) -> Result<()> {
        let visitor = relying_party::visitor(stack, &self.person);
        match kind {
            Kind::Stay => self.stay(stack).await,
            Kind::Silent => {
                visitor.log_in().await?;
                self.be_there(&visitor, &visitor.openid()).await
            }
            Kind::Profile => {
                visitor.log_in_with_profile().await?;
                self.be_there(&visitor, &visitor.openid()).await
            }
            Kind::Qr => {
                let visitor = visitor.at_a_computer();
                visitor.log_in().await?;
                self.be_there(&visitor, &visitor.openid_at(WEBSITE_APP)).await
            }
            Kind::HandOff => self.hand_off(stack, visitor).await,
            Kind::Client => self.be_a_client(stack, &visitor).await,
            Kind::Duplicates => {
                let callback = visitor.come_back(AUTHORIZE).await?;
                let answers = try_join_all((0..COPIES).map(|_| visitor.call_back(&callback))).await?;
                let seen = |answer: &Answer| (answer.location().map(str::to_owned), session_tokens(answer));
                let mut seen: Vec<_> = answers.iter().map(seen).collect();
                seen.dedup();
                require(seen.len() == 1, || format!("one callback was answered {seen:?}"))?;
                self.be_there(&visitor, &visitor.openid()).await
            }
            Kind::Denial => {
                let page = visitor.begin(AUTHORIZE_PROFILE).await?;
                let callback = visitor.decide(&page, "deny").await?;
                let answer = visitor.call_back(&callback).await?;
                let hops = visitor.go_on(&answer).await?;
                let status = hops.last().map_or(answer.status, |last| last.status);
                require(status < 500 && visitor.session().is_none(), || {
                    format!("a denial ends at {status}, with a session or without")
                })?;
                is_there(&visitor, None).await
            }
            Kind::Flood => self.flood(&visitor).await,
        }
    }

    /// Is still who they were, and renews the client's tokens.
    async fn stay(&mut self, stack: &Stack) -> Result<()> {
        is_there(&self.stays, Some(&self.stays.openid())).await?;
        let tokens = good(refresh(stack, &self.token).await?)?.json()?;
        self.token = text(&tokens, "refresh_token");
        shows(stack, &text(&tokens, "access_token"), &self.stays).await
    }

    /// Lets a page ask now and then, and leaves in one of three ways.
    async fn be_there(&mut self, visitor: &Visitor, openid: &str) -> Result<()> {
        for _ in 0..=self.random.usize(..MOST_POLLS) {
            is_there(visitor, Some(openid)).await?;
        }
        let left = match self.random.u32(..4) {
            0 => visitor.log_out().await?,
            1 => visitor.erase().await?,
            // Most people just go.
            _ => return Ok(()),
        };
        require(left.status < 400, || format!("nobody may leave: {} {}", left.status, left.text()))?;
        is_there(visitor, None).await
    }

    /// A phone logs a computer in, and the two are the same person.
    async fn hand_off(&mut self, stack: &Stack, phone: Visitor) -> Result<()> {
        phone.log_in().await?;
        let somebody = relying_party::visitor(stack, &self.person).at_a_computer();
        let computer = Waiting::begin(somebody, "via=handoff").await?;
        let form = form(&scan(&phone, &computer.code).await?)?;
        let number = harness::hand_off::number(&computer.open(Some(CHOICE)).await?)?;
        let is_refused = self.random.u32(..5) == 0;
        tap(&phone, &form, Some(number).filter(|_| !is_refused)).await?;
        computer.open(None).await?;
        if is_refused {
            return is_there(&computer.visitor, None).await;
        }
        self.be_there(&computer.visitor, &phone.openid()).await
    }

    /// Logs in at a client, which shows its tokens and renews them.
    async fn be_a_client(&mut self, stack: &Stack, visitor: &Visitor) -> Result<()> {
        let code = code(visitor, &[]).await?;
        let mut tokens = good(redeem(stack, &code, &[]).await?)?.json()?;
        for _ in 0..self.random.usize(..3) {
            shows(stack, &text(&tokens, "access_token"), visitor).await?;
            tokens = good(refresh(stack, &text(&tokens, "refresh_token")).await?)?.json()?;
        }
        shows(stack, &text(&tokens, "access_token"), visitor).await?;
        let page = Visit::fetch(Method::POST, &format!("{PUBLIC_URL}/access-token"), PAGE_ORIGIN);
        good(visitor.send(page).await?)?;
        self.be_there(visitor, &visitor.openid()).await
    }

    /// Forged requests of every kind; none of them gives a session.
    async fn flood(&mut self, visitor: &Visitor) -> Result<()> {
        let requests: Vec<_> = (0..FORGERIES).map(|number| self.forgery(number)).collect();
        let answers = requests.into_iter().map(async |visit| {
            // A browser of its own, as a stranger's.
            let answer = visitor.elsewhere().send(visit).await?;
            require(answer.status < 500 && session_tokens(&answer).is_empty(), || {
                format!("a forged request is answered {} {}", answer.status, answer.text())
            })
        });
        side_by_side(AT_ONCE, answers).await.map(drop)
    }

    fn forgery(&mut self, number: u64) -> Visit {
        let guess = format!("{:032x}{:032x}", self.random.u128(..), self.random.u128(..));
        let token_endpoint = format!("{PUBLIC_URL}/oauth2/token");
        let session = format!("{SESSION_COOKIE}={guess}");
        match number % 12 {
            0 => Visit::open(&callback(&format!("{FORGED}{guess}"), &guess)),
            1 => Visit::open(&callback(&format!("{FORGED}{guess}"), "")),
            2 => Visit::open(&format!("{AUTHORIZE}?return_to=%2Forders%2F{guess}")),
            3 => Visit::fetch(Method::GET, USERINFO, PAGE_ORIGIN).header("cookie", &session),
            4 => Visit::posted(
                &token_endpoint,
                &relying_party::form(&[
                    ("grant_type", "authorization_code"),
                    ("code", &guess),
                    ("redirect_uri", relying_party::REDIRECT_URI),
                    ("client_id", "web"),
                    ("code_verifier", relying_party::VERIFIER),
                ]),
            ),
            5 => Visit::posted(
                &token_endpoint,
                &relying_party::form(&[
                    ("grant_type", "refresh_token"),
                    ("refresh_token", &guess),
                    ("client_id", "web"),
                ]),
            ),
            6 => Visit::open(&format!("{PUBLIC_URL}/oauth2/userinfo"))
                .header("authorization", &format!("Bearer {guess}")),
            7 => Visit::open(&asked(&[("client_id", "nobody"), ("state", &guess)])),
            8 => Visit::open(&asked(&[("redirect_uri", "https://evil.example/"), ("state", &guess)])),
            9 => Visit::form(LOGOUT, "https://evil.example", &[]).header("cookie", &session),
            10 => Visit::open(&format!("{PUBLIC_URL}/handoff?ticket={guess}")),
            _ => Visit::open(&format!("{PUBLIC_URL}/error?reason={guess}")),
        }
    }
}

/// Fails unless this person is logged in, or nobody.
async fn is_there(visitor: &Visitor, openid: Option<&str>) -> Result<()> {
    let somebody = visitor.logged_in_as().await?;
    require(somebody.as_deref() == openid, || format!("{somebody:?} is there instead of {openid:?}"))
}

/// Fails unless an access token is that of this person.
async fn shows(stack: &Stack, token: &str, visitor: &Visitor) -> Result<()> {
    let sub = text(&good(userinfo(stack, token).await?)?.json()?, "sub");
    require(sub == format!("{OFFICIAL_ACCOUNT}.{}", visitor.openid()), || format!("a token is of {sub:?}"))
}

/// Fails unless it is what was asked for.
fn good(answer: Answer) -> Result<Answer> {
    require(answer.status == 200, || format!("answered {} {}", answer.status, answer.text()))?;
    Ok(answer)
}

fn require(is_right: bool, wrong: impl FnOnce() -> String) -> Result<()> {
    if is_right { Ok(()) } else { Err(Failure::new(wrong())) }
}
