//! One visitor: what he came for, whom he loses on the way, and how he goes on.

#![expect(clippy::indexing_slicing, reason = "only JSON is indexed, where what is missing reads as null")]

use fastrand::Rng;
use harness::{
    Answer, Browser, Failure, Result, Stack,
    browser::Visit as Request,
    proxy::Proxy,
    stack::{OFFICIAL_ACCOUNT, PAGE_ORIGIN, PUBLIC_URL},
};
use http::Method;
use simulator::{Action, Entry, Fault, Scripted};

use super::{
    points::{EXCHANGE, Made, Plan, Point, STABLE_TOKEN, Visit},
    promises::{self, Remains, SESSION_COOKIE},
    trap,
};

const LINK: &str = "https://login.example.com/authorize?scope=snsapi_userinfo";
const SILENT_LINK: &str = "https://login.example.com/authorize";
const USERINFO: &str = "https://login.example.com/userinfo";
const VERIFY: &str = "https://login.example.com/userinfo?verify=true";
const LOGOUT: &str = "https://login.example.com/logout";
/// How often a visitor comes back until a process dies under him for the second time.
const MOST_VISITS: usize = 3;

/// A visitor who is to come.
pub struct Job {
    /// What is to happen to him.
    pub plan: Plan,
    /// What he leaves to chance.
    pub random: Rng,
}

/// What became of him.
pub struct Report {
    /// Every promise that was broken.
    pub broken: Vec<String>,
    /// Every call that the functions made meanwhile.
    pub made: Vec<Made>,
}

impl Job {
    /// Does it, in a stack that nobody else visits at the time.
    pub async fn run(self, stack: &Stack) -> Report {
        let Self { plan, mut random } = self;
        let mut visitor = Visitor {
            stack,
            browser: stack.browser(),
            person: random.choice(["lin", "zhou", "mallory"]).unwrap_or("lin"),
            random,
            remains: Vec::new(),
            broken: Vec::new(),
        };
        let requests = stack.simulator().ledger().len();
        let made = visitor.all_of(&plan, requests).await.unwrap_or_else(|failure| {
            visitor.broken.push(failure.to_string());
            // The next one finds everything as it should be.
            stack.simulator().act(&Action::Release);
            stack.proxy().into_iter().for_each(Proxy::heal);
            Vec::new()
        });
        let deaths: Vec<_> = plan.deaths.iter().map(ToString::to_string).collect();
        let about = format!("{:?} ({})", plan.visit, deaths.join(", then "));
        let broken = visitor.broken.into_iter().map(|broken| format!("{about}: {broken}")).collect();
        Report { broken, made }
    }
}

struct Visitor<'a> {
    stack: &'a Stack,
    browser: Browser,
    person: &'static str,
    random: Rng,
    remains: Vec<Remains>,
    broken: Vec<String>,
}

impl Visitor<'_> {
    /// The visit, and what is left of it: every call that was made.
    async fn all_of(&mut self, plan: &Plan, requests: usize) -> Result<Vec<Made>> {
        self.stack.proxy()?.forget();
        let came = self.come_and_go(plan).await;
        self.broken.extend(promises::broken(self.stack, &self.remains)?);
        came?;
        promises::made(self.stack, requests)
    }

    async fn come_and_go(&mut self, plan: &Plan) -> Result<()> {
        let wechat = self.stack.simulator();
        let rotates = self.random.bool();
        wechat.knobs(|knobs| {
            knobs.current_person = Some(self.person.to_owned());
            knobs.refresh_rotates_refresh_token = rotates;
            knobs.next.clear();
        });
        // Half of them have been here before, so that there is a session to be replaced.
        let is_known = matches!(plan.visit, Visit::Show | Visit::Verify | Visit::Logout | Visit::Erase);
        if self.random.bool() || is_known {
            self.log_in(LINK).await?;
        }
        match plan.visit {
            Visit::Login => self.lose_and_log_in(plan, LINK, LINK).await,
            Visit::Refused => {
                let callback = self.begin(LINK).await?;
                self.script(EXCHANGE, 40029);
                self.lose_and_log_in(plan, &callback, LINK).await
            }
            Visit::Silent => {
                self.forget_app_token()?;
                let callback = self.begin(SILENT_LINK).await?;
                self.lose_and_log_in(plan, &callback, SILENT_LINK).await
            }
            Visit::Tokenless => {
                self.forget_app_token()?;
                let callback = self.begin(SILENT_LINK).await?;
                self.script(STABLE_TOKEN, 40164);
                self.lose_and_log_in(plan, &callback, SILENT_LINK).await
            }
            Visit::Again => {
                let answers = self.log_in(LINK).await?;
                let callback = answers.iter().find(|answer| answer.url.path() == "/callback");
                let callback = callback.ok_or_else(|| Failure::new("nobody called back"))?.url.to_string();
                self.lose_and_log_in(plan, &callback, LINK).await
            }
            Visit::Foreign => self.lose_a_foreigner(plan).await,
            Visit::Show => {
                wechat.act(&Action::ExpireAccessTokens);
                self.lose_and_ask(plan, USERINFO, rotates).await
            }
            Visit::Verify => self.lose_and_ask(plan, VERIFY, false).await,
            Visit::Logout => self.lose_and_leave(plan, Request::form(LOGOUT, PAGE_ORIGIN, &[])).await,
            Visit::Erase => {
                let request = Request::fetch(Method::DELETE, USERINFO, PAGE_ORIGIN);
                self.lose_and_leave(plan, request).await
            }
        }
    }

    /// Loses a process, perhaps two, and is logged in all the same.
    async fn lose_and_log_in(&mut self, plan: &Plan, address: &str, link: &str) -> Result<()> {
        let browser = self.browser.clone();
        let visit = async {
            if address == link {
                browser.follow(address).await
            } else {
                Ok(vec![browser.get(address).await?])
            }
        };
        let Some(answers) = self.lose_first(plan, visit).await? else { return Ok(()) };
        // A process that died before it asked WeChat was not refused; a refusal would be a second misfortune.
        self.stack.simulator().knobs(|knobs| knobs.next.clear());
        let mut dead = last_address(&answers);
        let mut was_fresh = promises::fresh_logins(&answers) > 0;
        for second in plan.deaths.iter().skip(1) {
            let mut visits = 0..MOST_VISITS;
            loop {
                visits.next().ok_or_else(|| Failure::new("no process came to the second point"))?;
                let again = if self.random.bool() { dead.clone() } else { link.to_owned() };
                let answers = trap::kill(self.stack, *second, browser.follow(&again)).await?;
                self.look(&answers)?;
                if promises::has_died(&answers) {
                    dead = last_address(&answers);
                    was_fresh = promises::fresh_logins(&answers) > 0;
                    break;
                }
                // A login that was finished before its process died needs no second one; the next does.
                self.require_login(&answers, usize::from(again != link)).await?;
                link.clone_into(&mut dead);
            }
        }
        self.go_on(&dead, link, was_fresh).await
    }

    /// Comes again after the last death: reloads the page, or begins anew at the link.
    async fn go_on(&mut self, dead: &str, link: &str, was_fresh: bool) -> Result<()> {
        let is_reload = self.random.bool();
        let answers = self.walk(if is_reload { dead } else { link }).await?;
        let page = answers.last().filter(|last| last.url.path() == "/error").map(Answer::text);
        if let Some(page) = page.filter(|_| is_reload && was_fresh) {
            // The login that died was the automatic one; the page that follows has a button.
            let button =
                button(&page).ok_or_else(|| Failure::new(format!("a page without a way on: {page}")))?;
            self.log_in(&format!("{PUBLIC_URL}{button}")).await?;
            return Ok(());
        }
        self.require_login(&answers, usize::from(is_reload)).await
    }

    /// Another visitor opens the callback of this one, and loses the process.
    async fn lose_a_foreigner(&mut self, plan: &Plan) -> Result<()> {
        let callback = self.begin(LINK).await?;
        let foreigner = self.browser.another();
        foreigner.get(LINK).await?;
        let exchanges = |ledger: Vec<Entry>| ledger.iter().filter(|entry| entry.path == EXCHANGE).count();
        let before = exchanges(self.stack.simulator().ledger());
        let visit = async { Ok(vec![foreigner.get(&callback).await?]) };
        let died = self.lose_first(plan, visit).await?.is_some();
        if exchanges(self.stack.simulator().ledger()) != before {
            self.broken.push("the code of another browser's login was exchanged".to_owned());
        }
        if foreigner.cookie(SESSION_COOKIE).is_some() {
            self.broken.push("a foreigner was logged in".to_owned());
        }
        if died { self.go_on(&callback, LINK, false).await } else { Ok(()) }
    }

    /// Loses a process while he asks who he is, and asks again.
    async fn lose_and_ask(&mut self, plan: &Plan, address: &str, rotates: bool) -> Result<()> {
        let browser = self.browser.clone();
        let visit = async { Ok(vec![browser.fetch(address, PAGE_ORIGIN).await?]) };
        if self.lose_first(plan, visit).await?.is_none() {
            return Ok(());
        }
        let answer = self.browser.fetch(address, PAGE_ORIGIN).await?;
        if rotates && answer.status == 401 && plan.deaths.first().is_some_and(Point::loses_refresh_token) {
            // WeChat had replaced the refresh token, and nobody lives who knows the new one.
            return self.log_in(LINK).await.map(drop);
        }
        self.require_shown(&answer)
    }

    /// Loses a process while he logs out, and logs out again.
    async fn lose_and_leave(&mut self, plan: &Plan, request: Request) -> Result<()> {
        let token = self.browser.cookie(SESSION_COOKIE).unwrap_or_default();
        let browser = self.browser.clone();
        let visit = async { Ok(vec![browser.send(request.clone()).await?]) };
        if self.lose_first(plan, visit).await?.is_none() {
            return Ok(());
        }
        let answers = self.browser.walk(request).await?;
        self.look(&answers)?;
        if self.browser.cookie(SESSION_COOKIE).is_some() || promises::is_stored(self.stack, &token)? {
            self.broken.push(format!("he could not leave: {}", promises::places(&answers)));
        }
        Ok(())
    }

    /// The visit under which the first process is killed; `None` if none is to be. Then it has made the
    /// calls that it is said to make, and no others.
    async fn lose_first(
        &mut self,
        plan: &Plan,
        visit: impl Future<Output = Result<Vec<Answer>>>,
    ) -> Result<Option<Vec<Answer>>> {
        let Some(first) = plan.deaths.first() else {
            let requests = self.stack.simulator().ledger().len();
            self.stack.proxy()?.forget();
            let answers = visit.await?;
            self.look(&answers)?;
            let (made, calls) = (promises::made(self.stack, requests)?, plan.visit.calls());
            if made != calls {
                self.broken.push(format!("the calls were {made:?}, not {calls:?}"));
            }
            return Ok(None);
        };
        let answers = trap::kill(self.stack, *first, visit).await?;
        self.look(&answers)?;
        if promises::has_died(&answers) {
            return Ok(Some(answers));
        }
        Err(Failure::new(format!("no process came to the point: {}", promises::places(&answers))))
    }

    /// Begins a login and comes back from WeChat: the address of the callback, not opened yet.
    async fn begin(&mut self, link: &str) -> Result<String> {
        let began = self.browser.get(link).await?;
        let wechat = began.redirect()?.ok_or_else(|| Failure::new("no login begins"))?;
        let back = self.browser.get(wechat.as_str()).await?;
        Ok(back.redirect()?.ok_or_else(|| Failure::new("WeChat does not call back"))?.into())
    }

    async fn walk(&mut self, address: &str) -> Result<Vec<Answer>> {
        let answers = self.browser.follow(address).await?;
        self.look(&answers)?;
        Ok(answers)
    }

    /// A login that nobody disturbs.
    async fn log_in(&mut self, link: &str) -> Result<Vec<Answer>> {
        let answers = self.walk(link).await?;
        self.require_login(&answers, 0).await?;
        Ok(answers)
    }

    /// Holds what the visitor saw against the promises; what a dead process left is kept for later.
    fn look(&mut self, answers: &[Answer]) -> Result<()> {
        if promises::has_died(answers) {
            self.remains.push(Remains::of(self.stack)?);
        }
        self.broken.extend(promises::broken_by(self.stack, answers)?);
        Ok(())
    }

    /// Logged in as who he is, after no more than so many fresh logins.
    async fn require_login(&mut self, answers: &[Answer], fresh_logins: usize) -> Result<()> {
        let begun = promises::fresh_logins(answers);
        if !promises::has_arrived(answers) || begun > fresh_logins {
            return Err(Failure::new(format!(
                "not logged in after {fresh_logins} fresh logins: {}",
                promises::places(answers)
            )));
        }
        let token = self.browser.cookie(SESSION_COOKIE).unwrap_or_default();
        if !promises::is_stored(self.stack, &token)? {
            self.broken.push(format!("logged in without a session: {}", promises::places(answers)));
        }
        let shown = self.browser.fetch(USERINFO, PAGE_ORIGIN).await?;
        self.require_shown(&shown)
    }

    fn require_shown(&mut self, answer: &Answer) -> Result<()> {
        let openid = self.stack.simulator().openid(self.person, OFFICIAL_ACCOUNT);
        if answer.status != 200 || answer.json()?["openid"] != openid {
            return Err(Failure::new(format!("{} for who is logged in: {}", answer.status, answer.text())));
        }
        Ok(())
    }

    /// WeChat refuses the next call of this endpoint.
    fn script(&self, path: &str, errcode: i64) {
        let refusal = Scripted::from(Fault::Errcode { errcode, errmsg: None });
        self.stack.simulator().knobs(|knobs| knobs.next.insert(path.to_owned(), [refusal].into()));
    }

    /// Removes the app's global token, and the lease of whoever died over it.
    fn forget_app_token(&self) -> Result<()> {
        let (database, table) = (self.stack.database(), self.stack.table("SessionsTable")?);
        for item in database.items(table)? {
            if let Some(id) = item["id"]["S"].as_str().filter(|id| id.starts_with("app-token#")) {
                database.delete(table, id)?;
            }
        }
        Ok(())
    }
}

fn last_address(answers: &[Answer]) -> String {
    answers.last().map(|last| last.url.to_string()).unwrap_or_default()
}

/// Where the button of a page leads, on our own origin.
fn button(page: &str) -> Option<String> {
    let (_, rest) = page.split_once("class=\"button\" href=\"")?;
    let (address, _) = rest.split_once('"')?;
    address.starts_with("/authorize").then(|| address.replace("&#38;", "&").replace("&amp;", "&"))
}
