//! O2: `kill -9` at every await point of `openid`, `token` and the provider's part of `userinfo`.
//!
//! The points are found as in [`kills`](crate::kills): two for each call to DynamoDB, its request sent and never
//! carried out, and carried out and never answered; one for the answer of the function itself. A call of KMS is one
//! point: a signature that nobody got is as good as none. `token` starts afresh for each visit, so that it fetches its
//! key.
//!
//! Whoever lost a process asks again, as browsers and libraries do, and half of them lose the second one too. Then:
//!
//! * what was not spent is good: the same request brings what it would have brought;
//! * what was spent is refused in the words of its specification, and the client's next request brings the person in,
//!   without WeChat: no session is lost, and a refresh token that gave way leads to the one that took its place;
//! * no code brings tokens twice, and what was ended stays ended.
//!
//! That the list is complete is checked: each visit is made once without a death, and makes the calls that it is said
//! to make.

use fastrand::Rng;
use harness::{
    Answer, Browser, Failure, Result, Stack, Visitor,
    browser::Visit as Request,
    kms::{Fault, Trouble},
    proxy::{Kind, Proxy},
    relying_party::{
        APP, REDIRECT_URI, SECRET, asked, brought, code, error_of, form, parameter, redeem, refresh, text,
        userinfo, visitor,
    },
    stack::{PAGE_ORIGIN, PUBLIC_URL},
};
use http::Method;
use serde_json::Value;
use std::pin::pin;

use crate::{
    kills::{
        points::{Awaited, Point},
        promises, trap,
    },
    oracle::{exchanges, is_stored},
    row::Run,
};

/// What is asked when the process is killed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Visit {
    /// A client sends a browser without a session.
    Begin,
    /// The browser comes back from the login.
    Back,
    /// The way back is opened without a login.
    Straight,
    /// A client sends a browser with a session.
    Known,
    /// The same, and names whom it expects.
    Hinted,
    /// An app on the device sends a browser with a session: the page that names it.
    Named,
    /// The button of that page.
    Tapped,
    /// A client sends a browser to log out.
    Logout,
    /// A client redeems a code.
    Redeem,
    /// It redeems it once more.
    Reuse,
    /// A public client renews its tokens.
    Renew,
    /// A client with a secret does.
    Keep,
    /// A client gives a token back.
    Revoke,
    /// A client asks who it is.
    Show,
    /// The script of a page asks for a token.
    Page,
    /// Anybody asks for the keys.
    Keys,
}

/// What a process waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wait {
    /// DynamoDB, called by this function of the store.
    Table(Kind),
    /// KMS: the operation, and how many of it come before.
    Key(&'static str, usize),
    /// The Runtime API, which takes the answer.
    Answer,
}

/// Where a process is killed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Death {
    wait: Wait,
    is_applied: bool,
}

use Wait::{Answer as Answered, Key, Table};

/// Every visit, the function that it is about, and all that is awaited there, in order.
const VISITS: [(Visit, &str, &[Wait]); 16] = [
    (Visit::Begin, "openid", &[Table(Kind::PutRequest), Answered]),
    (Visit::Back, "openid", COME_BACK),
    (
        Visit::Straight,
        "openid",
        &[Table(Kind::Request), Table(Kind::SendOnOnce), Table(Kind::PutRequest), Answered],
    ),
    (Visit::Known, "openid", &[Table(Kind::Session), Table(Kind::PutGrant), Answered]),
    (Visit::Hinted, "openid", &[Table(Kind::Session), Table(Kind::Grant), Table(Kind::PutGrant), Answered]),
    (Visit::Named, "openid", &[Table(Kind::Session), Table(Kind::PutRequest), Answered]),
    (Visit::Tapped, "openid", COME_BACK),
    (Visit::Logout, "openid", &[Table(Kind::Grant), Table(Kind::DeleteSession), Answered]),
    (Visit::Redeem, "token", &with_tokens(Kind::Redeem)),
    (Visit::Reuse, "token", &[Table(Kind::Grant), Table(Kind::RevokeGrant), Answered]),
    (Visit::Renew, "token", &with_tokens(Kind::Renew)),
    (Visit::Keep, "token", &with_tokens(Kind::Renew)),
    (Visit::Revoke, "token", &[Table(Kind::Grant), Table(Kind::RevokeGrant), Answered]),
    (Visit::Show, "userinfo", &[Table(Kind::Grant), Table(Kind::Session), Answered]),
    (Visit::Page, "token", &[Table(Kind::Session), Key("GetPublicKey", 0), Key("Sign", 0), Answered]),
    (Visit::Keys, "token", &[Key("GetPublicKey", 0), Answered]),
];

/// How a browser is answered that comes back.
const COME_BACK: &[Wait] = &[Table(Kind::Request), Table(Kind::Session), Table(Kind::PutGrant), Answered];

/// How tokens are made: signed first, and stored last.
const fn with_tokens(stored: Kind) -> [Wait; 7] {
    [
        Table(Kind::Grant),
        Table(Kind::Session),
        Key("GetPublicKey", 0),
        Key("Sign", 0),
        Key("Sign", 1),
        Table(stored),
        Answered,
    ]
}

impl Visit {
    fn of(self) -> (&'static str, &'static [Wait]) {
        let found = VISITS.iter().find(|(visit, ..)| *visit == self);
        found.map_or(("", &[]), |(_, function, waits)| (function, waits))
    }

    /// Every point at which the process can die.
    fn deaths(self) -> Vec<Death> {
        let sides = |wait: &Wait| if matches!(wait, Table(_)) { &[false, true][..] } else { &[true] };
        let waits = self.of().1.iter();
        waits
            .flat_map(|wait| {
                sides(wait).iter().map(|is_applied| Death { wait: *wait, is_applied: *is_applied })
            })
            .collect()
    }

    /// Whether a death leaves behind what can be done only once: a code redeemed, a login sent on.
    fn is_spent_by(self, death: Death) -> bool {
        let once = match self {
            Self::Redeem => Table(Kind::Redeem),
            Self::Straight => Table(Kind::SendOnOnce),
            _ => return false,
        };
        let place = |wait: Wait| self.of().1.iter().position(|known| *known == wait);
        place(death.wait) > place(once) || death.wait == once && death.is_applied
    }
}

/// O2.
pub async fn everywhere(run: &Run, open: impl AsyncFn() -> Result<Stack>) -> Result<String> {
    let times = run.size(1, 20);
    let mut plans = Vec::new();
    let mut points = 0;
    for (visit, ..) in VISITS {
        plans.push((visit, Vec::new()));
        let deaths = visit.deaths();
        points += deaths.len();
        for death in deaths.iter().cycle().take(deaths.len() * times) {
            plans.push((visit, vec![*death]));
        }
    }
    let mut random = run.random(0);
    for (visit, deaths) in &mut plans {
        let all = visit.deaths();
        if random.bool() && !deaths.is_empty() {
            deaths.extend(random.choice(&all));
        }
    }
    random.shuffle(&mut plans);
    let kills: usize = plans.iter().map(|(_, deaths)| deaths.len()).sum();
    let jobs: Vec<_> = plans.into_iter().zip(1..).collect();
    run.share(run.size(6, 12), open, jobs, async |stack, _, ((visit, deaths), number)| {
        let broken = match Story::begin(stack, visit, run.random(number)).await {
            Ok(story) => story.through(&deaths).await,
            Err(failure) => vec![failure.to_string()],
        };
        // The next one finds everything as it should be.
        stack.proxy().into_iter().for_each(Proxy::heal);
        stack.kms()?.heal();
        for broken in broken {
            run.violated(format!("{visit:?} {deaths:?}: {broken}"));
        }
        Ok(())
    })
    .await?;
    Ok(format!("{points} points × {times}, {kills} kills"))
}

/// One visit to a stack that nobody else visits at the time.
struct Story<'a> {
    stack: &'a Stack,
    visit: Visit,
    visitor: Visitor,
    /// Who asks, and what.
    browser: Browser,
    request: Request,
    /// What the client has: the answer that brought its last tokens, if it got any.
    tokens: Value,
    code: String,
    /// How many codes had reached WeChat when it was asked.
    exchanged: usize,
    broken: Vec<String>,
}

impl<'a> Story<'a> {
    /// Everything up to the request.
    async fn begin(stack: &'a Stack, visit: Visit, mut random: Rng) -> Result<Self> {
        let person = random.choice(harness::places::PEOPLE).unwrap_or("lin");
        let visitor = visitor(stack, person);
        let mut story = Self {
            stack,
            visit,
            browser: visitor.browser.clone(),
            request: Request::open(&asked(&[])),
            visitor,
            tokens: Value::Null,
            code: String::new(),
            exchanged: 0,
            broken: Vec::new(),
        };
        story.request = story.prepare().await?;
        story.exchanged = exchanges(stack).len();
        Ok(story)
    }

    async fn prepare(&mut self) -> Result<Request> {
        let program = self.stack.browser();
        let posted =
            |path: &str, body: &[(&str, &str)]| Request::posted(&format!("{PUBLIC_URL}{path}"), &form(body));
        match self.visit {
            Visit::Begin => return Ok(Request::open(&asked(&[]))),
            Visit::Back => {
                let callback = self.visitor.come_back(&self.sent_on(&asked(&[])).await?).await?;
                let back = self.visitor.call_back(&callback).await?;
                return target_of(&back).map(|url| Request::open(&url));
            }
            Visit::Straight => {
                let login = self.sent_on(&asked(&[])).await?;
                let back = harness::places::parameter(&login, "return_to");
                return Ok(Request::open(&back));
            }
            _ => {}
        }
        // From here on, the person is logged in.
        self.code = code(&self.visitor, &[]).await?;
        if matches!(self.visit, Visit::Known) {
            return Ok(Request::open(&asked(&[])));
        }
        if matches!(self.visit, Visit::Named | Visit::Tapped) {
            let link = asked(&[("client_id", "phone"), ("redirect_uri", DEVICE)]);
            if self.visit == Visit::Named {
                return Ok(Request::open(&link));
            }
            let page = self.visitor.open(&link).await?;
            return Ok(Request::form(&action(&page)?, PUBLIC_URL, &[]));
        }
        if self.visit == Visit::Page {
            return Ok(Request::fetch(Method::POST, &format!("{PUBLIC_URL}/access-token"), PAGE_ORIGIN));
        }
        self.browser = program;
        let redemption = [
            ("grant_type", "authorization_code"),
            ("code", &*self.code.clone()),
            ("redirect_uri", REDIRECT_URI),
            ("client_id", "web"),
            ("code_verifier", harness::relying_party::VERIFIER),
        ]
        .map(|(name, value)| (name, value.to_owned()));
        let redemption: Vec<_> = redemption.iter().map(|(name, value)| (*name, value.as_str())).collect();
        if self.visit == Visit::Redeem {
            return Ok(posted("/oauth2/token", &redemption));
        }
        if self.visit == Visit::Keep {
            let code = code(&self.visitor, &[("client_id", "admin")]).await?;
            let secret = [("client_id", "admin"), ("client_secret", SECRET)];
            self.tokens = redeem(self.stack, &code, &secret).await?.json()?;
            let renewal =
                [("grant_type", "refresh_token"), ("refresh_token", &*text(&self.tokens, "refresh_token"))];
            return Ok(posted("/oauth2/token", &[&renewal[..], &secret].concat()));
        }
        self.tokens = redeem(self.stack, &self.code, &[]).await?.json()?;
        let token = |name| text(&self.tokens, name);
        Ok(match self.visit {
            Visit::Reuse => posted("/oauth2/token", &redemption),
            Visit::Renew => posted(
                "/oauth2/token",
                &[
                    ("grant_type", "refresh_token"),
                    ("refresh_token", &token("refresh_token")),
                    ("client_id", "web"),
                ],
            ),
            Visit::Revoke => {
                posted("/oauth2/revoke", &[("token", &token("refresh_token")), ("client_id", "web")])
            }
            Visit::Show => {
                let request = Request::open(&format!("{PUBLIC_URL}/oauth2/userinfo"));
                request.header("authorization", &format!("Bearer {}", token("access_token")))
            }
            Visit::Keys => Request::open(&format!("{PUBLIC_URL}/.well-known/jwks.json")),
            Visit::Hinted => {
                self.browser = self.visitor.browser.clone();
                Request::open(&asked(&[("prompt", "none"), ("id_token_hint", &token("id_token"))]))
            }
            _ => {
                self.browser = self.visitor.browser.clone();
                let parameters = [("id_token_hint", &*token("id_token")), ("post_logout_redirect_uri", BYE)];
                Request::open(&format!("{PUBLIC_URL}/oauth2/logout?{}", form(&parameters)))
            }
        })
    }

    /// Asks, loses processes, asks again; everything that was wrong with it.
    async fn through(mut self, deaths: &[Death]) -> Vec<String> {
        if let Err(failure) = self.ask(deaths).await {
            self.broken.push(failure.to_string());
        }
        self.broken
    }

    async fn ask(&mut self, deaths: &[Death]) -> Result<()> {
        let (function, waits) = self.visit.of();
        if function == "token" {
            self.stack.functions().kill_all("token").await;
        }
        let (mut answer, mut is_spent) = (None, false);
        for (number, death) in deaths.iter().enumerate() {
            let one = self.lose(function, *death).await?;
            if promises::has_died(std::slice::from_ref(&one)) {
                is_spent |= self.visit.is_spent_by(*death);
            } else if number == 0 {
                return Err(Failure::new(format!(
                    "no process came to the point: {} {}",
                    one.status,
                    one.text()
                )));
            } else {
                // What was spent before is answered before it comes there.
                answer = Some(one);
                break;
            }
        }
        let answer = match answer {
            Some(answer) => answer,
            None => {
                self.stack.proxy()?.forget();
                self.stack.kms()?.calls();
                let answer = self.browser.send(self.request.clone()).await?;
                if deaths.is_empty() {
                    self.require_calls(function, waits)?;
                }
                answer
            }
        };
        self.broken.extend(promises::broken_by(self.stack, std::slice::from_ref(&answer))?);
        self.judge(&answer, is_spent).await?;
        self.go_on().await?;
        self.broken.extend(promises::broken(self.stack, &[])?);
        Ok(())
    }

    /// Asks, and kills the process that comes to the point.
    async fn lose(&self, function: &'static str, death: Death) -> Result<Answer> {
        let ask = async { Ok(vec![self.browser.send(self.request.clone()).await?]) };
        let at = |awaited| Point { function, awaited, is_applied: death.is_applied };
        let answers = match death.wait {
            Table(kind) => trap::kill(self.stack, at(Awaited::Table(kind)), ask).await?,
            Answered => trap::kill(self.stack, at(Awaited::Answer), ask).await?,
            Key(operation, after) => {
                let kms = self.stack.kms()?;
                kms.inject(Fault { operation, after, times: usize::MAX, trouble: Trouble::Silence });
                let mut ask = pin!(ask);
                let answers = tokio::select! {
                    biased;
                    answers = &mut ask => answers,
                    met = kms.until_struck() => {
                        met?;
                        let killed = self.stack.functions().kill_busy(function).await;
                        kms.heal();
                        if killed != 1 {
                            return Err(Failure::new(format!("{killed} processes were at work")));
                        }
                        ask.await
                    }
                };
                kms.heal();
                answers?
            }
        };
        answers.into_iter().next_back().ok_or_else(|| Failure::new("no answer"))
    }

    /// What was called is what the list says.
    fn require_calls(&mut self, function: &str, waits: &[Wait]) -> Result<()> {
        let calls = self.stack.proxy()?.calls();
        let tables = calls.iter().filter(|call| call.function == function).map(|call| Table(call.kind));
        let keys: Vec<_> = self.stack.kms()?.calls().into_iter().map(|(operation, _)| operation).collect();
        let (tables, listed): (Vec<_>, Vec<_>) =
            (tables.collect(), waits.iter().filter(|wait| matches!(wait, Table(_))).copied().collect());
        self.require(tables == listed, || format!("the calls were {tables:?}, not {listed:?}"));
        let listed: Vec<_> = waits
            .iter()
            .filter_map(|wait| if let Key(operation, _) = wait { Some(*operation) } else { None })
            .collect();
        self.require(keys == listed, || format!("KMS's calls were {keys:?}, not {listed:?}"));
        Ok(())
    }

    /// The answer that somebody got in the end is what it would have been, or a clean refusal of what was spent.
    async fn judge(&mut self, answer: &Answer, is_spent: bool) -> Result<()> {
        match self.visit {
            Visit::Straight if is_spent => {
                let location = target_of(answer)?;
                let error = harness::places::parameter(&location, "error");
                self.require(location.starts_with(APP) && error == "login_required", || {
                    format!("a login that was sent on before: {location}")
                });
            }
            Visit::Begin | Visit::Straight => {
                let hops = self.visitor.go_on(answer).await?;
                self.gets_in(brought(&hops)?.as_str()).await?;
            }
            Visit::Back | Visit::Known | Visit::Hinted => self.gets_in(&target_of(answer)?).await?,
            Visit::Named => {
                let tapped = Request::form(&action(answer)?, PUBLIC_URL, &[]);
                let answer = self.visitor.send(tapped).await?;
                self.gets_in_on_device(&answer).await?;
            }
            Visit::Tapped => self.gets_in_on_device(answer).await?,
            Visit::Logout => {
                let location = target_of(answer)?;
                let is_there = is_stored(self.stack, &self.visitor.session().unwrap_or_default())?;
                self.require(location == BYE && !is_there && self.visitor.session().is_none(), || {
                    format!("not logged out: {location}, stored: {is_there}")
                });
                self.is_worth(401).await?;
            }
            Visit::Redeem if is_spent => self.is_refused(answer)?,
            Visit::Redeem => {
                self.takes(answer)?;
                self.is_worth(200).await?;
                let again = redeem(self.stack, &self.code, &[]).await?;
                self.is_refused(&again)?;
            }
            Visit::Reuse => {
                self.is_refused(answer)?;
                self.is_worth(401).await?;
                let renewed = refresh(self.stack, &text(&self.tokens, "refresh_token")).await?;
                self.is_refused(&renewed)?;
            }
            Visit::Renew => {
                self.takes(answer)?;
                self.is_worth(200).await?;
                // The token that took the place of the first one is good.
                let renewed = refresh(self.stack, &text(&self.tokens, "refresh_token")).await?;
                self.takes(&renewed)?;
                self.is_worth(200).await?;
            }
            Visit::Keep => {
                let before = text(&self.tokens, "refresh_token");
                self.takes(answer)?;
                let after = text(&self.tokens, "refresh_token");
                self.require(before == after, || "a client with a secret was given another token".to_owned());
                self.is_worth(200).await?;
            }
            Visit::Revoke => {
                self.require(answer.status == 200, || format!("{} for a token given back", answer.status));
                self.is_worth(401).await?;
            }
            Visit::Show => {
                let is_shown = answer.status == 200 && !text(&answer.json()?, "sub").is_empty();
                self.require(is_shown, || format!("{} {}", answer.status, answer.text()));
            }
            Visit::Page => {
                let is_there = answer.status == 200 && !text(&answer.json()?, "access_token").is_empty();
                self.require(is_there, || format!("{} {}", answer.status, answer.text()));
            }
            Visit::Keys => {
                let keys = answer.json()?.get("keys").and_then(Value::as_array).map(Vec::len);
                self.require(answer.status == 200 && keys == Some(1), || answer.text());
            }
        }
        Ok(())
    }

    /// The session is still there: another request is answered without WeChat, and leads to tokens.
    async fn go_on(&mut self) -> Result<()> {
        if self.visit == Visit::Logout {
            let answer = brought(&self.visitor.follow(&asked(&[("prompt", "none")])).await?)?;
            let error = parameter(&answer, "error");
            self.require(error.as_deref() == Some("login_required"), || format!("logged out, and {answer}"));
            return Ok(());
        }
        if self.visit == Visit::Straight {
            self.gets_in(brought(&self.visitor.follow(&asked(&[])).await?)?.as_str()).await?;
        }
        let answer = brought(&self.visitor.follow(&asked(&[("prompt", "none")])).await?)?;
        self.gets_in(answer.as_str()).await?;
        // Whoever had no session got one by one login.
        let logins = usize::from(matches!(self.visit, Visit::Begin | Visit::Straight));
        let exchanged = exchanges(self.stack).len() - self.exchanged;
        self.require(exchanged == logins, || format!("{exchanged} codes went to WeChat, not {logins}"));
        Ok(())
    }

    /// The code in an address brings tokens, once.
    async fn gets_in(&mut self, address: &str) -> Result<()> {
        let code = harness::places::parameter(address, "code");
        let state = harness::places::parameter(address, "state");
        self.require(address.starts_with(APP) && state == "a b&c=\u{5b57}", || {
            format!("not the client's: {address}")
        });
        let answer = redeem(self.stack, &code, &[]).await?;
        self.takes(&answer)?;
        self.is_worth(200).await
    }

    async fn gets_in_on_device(&mut self, answer: &Answer) -> Result<()> {
        let location = answer.location().unwrap_or_default().to_owned();
        self.require(location.starts_with(DEVICE), || format!("not the app's: {} {location}", answer.status));
        let changes = [("client_id", "phone"), ("redirect_uri", DEVICE)];
        let code = harness::places::parameter(&location, "code");
        let answer = redeem(self.stack, &code, &changes).await?;
        self.takes(&answer)
    }

    /// The client got tokens.
    fn takes(&mut self, answer: &Answer) -> Result<()> {
        if answer.status != 200 {
            return Err(Failure::new(format!("no tokens: {} {}", answer.status, answer.text())));
        }
        self.tokens = answer.json()?;
        Ok(())
    }

    /// What the client's access token is answered.
    async fn is_worth(&mut self, status: u16) -> Result<()> {
        let answer = userinfo(self.stack, &text(&self.tokens, "access_token")).await?;
        self.require(answer.status == status, || format!("{} for the token, not {status}", answer.status));
        Ok(())
    }

    fn is_refused(&mut self, answer: &Answer) -> Result<()> {
        let told = error_of(answer)?;
        self.require(told == (400, "invalid_grant".to_owned()), || format!("not refused: {told:?}"));
        Ok(())
    }

    fn require(&mut self, is_kept: bool, broken: impl FnOnce() -> String) {
        self.broken.extend((!is_kept).then(broken));
    }

    /// A client sends the browser here, and is sent on to this login.
    async fn sent_on(&self, link: &str) -> Result<String> {
        target_of(&self.visitor.open(link).await?)
    }
}

/// Where the app on the device takes answers.
const DEVICE: &str = "com.example.app:/cb";
/// Where a logout ends.
const BYE: &str = "https://app.example.org/bye";

/// Where an answer leads.
fn target_of(answer: &Answer) -> Result<String> {
    let target = answer.redirect()?.map(String::from);
    target.ok_or_else(|| {
        Failure::new(format!("an answer that leads nowhere: {} {}", answer.status, answer.text()))
    })
}

/// Where the form of a page leads.
fn action(page: &Answer) -> Result<String> {
    let text = page.text();
    let action = text.split("action=\"").nth(1).and_then(|rest| rest.split('"').next());
    action
        .map(|action| format!("{PUBLIC_URL}{action}"))
        .ok_or_else(|| Failure::new(format!("a page without a form: {} {text}", page.status)))
}
