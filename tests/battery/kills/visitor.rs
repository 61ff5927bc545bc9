//! One visitor: what they came for, which processes they lose on the way, and how they go on.

use fastrand::Rng;
use harness::{
    Answer, Failure, Result, Stack, Visitor,
    browser::Visit as Request,
    database::attribute,
    places::{AUTHORIZE, AUTHORIZE_PROFILE, EXCHANGE, LOGOUT, PEOPLE, STABLE_TOKEN, USERINFO, VERIFY},
    proxy::Proxy,
    stack::{PAGE_ORIGIN, PUBLIC_URL},
    visitor::callback_of,
};
use http::Method;
use serde_json::json;
use simulator::{Action, Fault};

use super::{
    points::{Made, Plan, Point, Visit},
    promises::{self, Remains},
    trap,
};
use crate::oracle::{button, digest, is_stored};

/// How often a visitor comes back until a process dies under them for the second time.
const MOST_VISITS: usize = 3;

/// What became of a visitor.
pub struct Report {
    /// Every promise that was broken.
    pub broken: Vec<String>,
    /// Every call that the functions made meanwhile.
    pub made: Vec<Made>,
}

/// Lets a visitor come, to a stack that nobody else visits at the time.
pub async fn visit(stack: &Stack, plan: Plan, mut random: Rng) -> Report {
    let person = random.choice(PEOPLE).unwrap_or("lin");
    let visitor = stack.visitor(person);
    let mut story = Story { stack, visitor, random, remains: Vec::new(), broken: Vec::new() };
    let requests = stack.simulator().ledger().len();
    let made = story.all_of(&plan, requests).await.unwrap_or_else(|failure| {
        story.broken.push(failure.to_string());
        // The next one finds everything as it should be.
        stack.simulator().act(&Action::Release);
        stack.proxy().into_iter().for_each(Proxy::heal);
        Vec::new()
    });
    let deaths: Vec<_> = plan.deaths.iter().map(ToString::to_string).collect();
    let about = format!("{:?} ({})", plan.visit, deaths.join(", then "));
    let broken = story.broken.into_iter().map(|broken| format!("{about}: {broken}")).collect();
    Report { broken, made }
}

/// What happens to one visitor.
struct Story<'a> {
    stack: &'a Stack,
    visitor: Visitor,
    /// What is left to chance.
    random: Rng,
    remains: Vec<Remains>,
    broken: Vec<String>,
}

impl Story<'_> {
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
        let (rotates, repeats) = (self.random.bool(), self.random.bool());
        wechat.knobs(|knobs| {
            knobs.refresh_rotates_refresh_token = rotates;
            // WeChat gives a code again to whoever comes back within seconds, as those do who lost a process.
            knobs.reissue_code_seconds = if repeats { 10 } else { 0 };
            knobs.next.clear();
        });
        // The code of whoever came before is not given again.
        wechat.advance(10);
        // Half of those who lose a process have been here before, so that there is a session to be replaced.
        let is_known = matches!(
            plan.visit,
            Visit::Known
                | Visit::Show
                | Visit::Verify
                | Visit::Gone
                | Visit::LongGone
                | Visit::Logout
                | Visit::Erase
        );
        if self.random.bool() && !plan.deaths.is_empty() || is_known {
            self.log_in(AUTHORIZE_PROFILE).await?;
        }
        match plan.visit {
            Visit::Known => {
                let callback = self.visitor.come_back(AUTHORIZE_PROFILE).await?;
                self.lose_and_log_in(plan, &callback, AUTHORIZE_PROFILE).await
            }
            Visit::Login => self.lose_and_log_in(plan, AUTHORIZE_PROFILE, AUTHORIZE_PROFILE).await,
            Visit::Refused => {
                let callback = self.visitor.come_back(AUTHORIZE_PROFILE).await?;
                self.script(EXCHANGE, 40029);
                self.lose_and_log_in(plan, &callback, AUTHORIZE_PROFILE).await
            }
            Visit::Silent => {
                self.stack.forget_app_tokens()?;
                let callback = self.visitor.come_back(AUTHORIZE).await?;
                self.lose_and_log_in(plan, &callback, AUTHORIZE).await
            }
            Visit::Tokenless => {
                self.stack.forget_app_tokens()?;
                let callback = self.visitor.come_back(AUTHORIZE).await?;
                self.script(STABLE_TOKEN, 40164);
                self.lose_and_log_in(plan, &callback, AUTHORIZE).await
            }
            Visit::Again => {
                let callback = callback_of(&self.log_in(AUTHORIZE_PROFILE).await?)?;
                self.lose_and_log_in(plan, &callback, AUTHORIZE_PROFILE).await
            }
            Visit::Foreign => self.lose_a_foreigner(plan).await,
            Visit::Show => {
                wechat.act(&Action::ExpireAccessTokens);
                self.lose_and_ask(plan, USERINFO, rotates).await
            }
            Visit::Verify => self.lose_and_ask(plan, VERIFY, false).await,
            Visit::Gone => {
                wechat.act(&Action::ExpireAccessTokens);
                wechat.act(&Action::RevokeRefreshTokens);
                self.lose_and_be_refused(plan).await
            }
            Visit::LongGone => {
                self.refuse_long_ago()?;
                self.lose_and_be_refused(plan).await
            }
            Visit::Logout => self.lose_and_leave(plan, Request::form(LOGOUT, PAGE_ORIGIN, &[])).await,
            Visit::Erase => {
                let request = Request::fetch(Method::DELETE, USERINFO, PAGE_ORIGIN);
                self.lose_and_leave(plan, request).await
            }
        }
    }

    /// Loses a process, perhaps two, and is logged in all the same.
    async fn lose_and_log_in(&mut self, plan: &Plan, address: &str, link: &str) -> Result<()> {
        let visitor = self.visitor.clone();
        let visit = async {
            let is_callback = address != link;
            if is_callback {
                Ok(vec![visitor.browser.get(address).await?])
            } else {
                visitor.follow(address).await
            }
        };
        let Some(answers) = self.lose_first(plan, visit).await? else { return Ok(()) };
        // A process that died before it asked WeChat was not refused; a refusal would be a second misfortune.
        self.stack.simulator().knobs(|knobs| knobs.next.clear());
        let (mut dead, mut was_fresh) = promises::death(&answers);
        for second in plan.deaths.iter().skip(1) {
            let mut visits = 0..MOST_VISITS;
            loop {
                visits.next().ok_or_else(|| Failure::new("no process came to the second point"))?;
                let again = if self.random.bool() { dead.clone() } else { link.to_owned() };
                let answers = trap::kill(self.stack, *second, visitor.follow(&again)).await?;
                self.look(&answers)?;
                if promises::has_died(&answers) {
                    (dead, was_fresh) = promises::death(&answers);
                    break;
                }
                // A login that was finished before its process died needs no second one; the next does.
                self.arrive(&answers, again != link, link).await?;
                link.clone_into(&mut dead);
            }
        }
        self.go_on(&dead, link, was_fresh).await
    }

    /// Comes again after the last death: reloads the page, or begins anew at the link.
    async fn go_on(&mut self, dead: &str, link: &str, was_fresh: bool) -> Result<()> {
        let is_reload = self.random.bool();
        let answers = self.visitor.follow(if is_reload { dead } else { link }).await?;
        self.look(&answers)?;
        if was_fresh && is_reload {
            // The login that died was the automatic one.
            return self.arrive(&answers, true, AUTHORIZE_PROFILE).await;
        }
        self.arrive(&answers, is_reload, link).await
    }

    /// Is logged in at the end of these answers. Who reloaded may have had one automatic fresh login; where that would
    /// cost a tap, or was had before, there is a page with a button instead, and a login behind it.
    async fn arrive(&mut self, answers: &[Answer], is_reload: bool, link: &str) -> Result<()> {
        let page = answers.last().filter(|last| last.url.path() == "/error");
        let Some(page) = page.filter(|_| is_reload && link == AUTHORIZE_PROFILE) else {
            return self.require_login(answers, usize::from(is_reload)).await;
        };
        let button = button(page).filter(|button| button.starts_with("/authorize"));
        let button =
            button.ok_or_else(|| Failure::new(format!("a page without a way on: {}", page.text())))?;
        self.log_in(&format!("{PUBLIC_URL}{button}")).await.map(drop)
    }

    /// The item of this visitor's session says that WeChat called the grant gone, longer ago than it is kept.
    fn refuse_long_ago(&self) -> Result<()> {
        let id = digest(&self.visitor.session().unwrap_or_default());
        for item in self.stack.sessions()? {
            if attribute(&item, "id") == id {
                let then = harness::time::now_seconds() - 601;
                let item = harness::database::with(item, "refused_at", json!({ "N": then.to_string() }));
                self.stack.database().put(self.stack.table("SessionsTable")?, &item)?;
            }
        }
        Ok(())
    }

    /// Loses a process over the news that the grant is gone, asks again, is told so, and logs in anew.
    async fn lose_and_be_refused(&mut self, plan: &Plan) -> Result<()> {
        let browser = self.visitor.browser.clone();
        let visit = async { Ok(vec![browser.fetch(USERINFO, PAGE_ORIGIN).await?]) };
        self.lose_first(plan, visit).await?;
        let answer = self.visitor.browser.fetch(USERINFO, PAGE_ORIGIN).await?;
        self.require(answer.status == 401, || format!("{} for a grant that is gone", answer.status));
        self.log_in(AUTHORIZE_PROFILE).await.map(drop)
    }

    /// Another visitor opens the callback of this one, and loses the process.
    async fn lose_a_foreigner(&mut self, plan: &Plan) -> Result<()> {
        let callback = self.visitor.come_back(AUTHORIZE_PROFILE).await?;
        let foreigner = self.visitor.elsewhere();
        foreigner.browser.get(AUTHORIZE_PROFILE).await?;
        let before = self.stack.requests(EXCHANGE).len();
        let visit = async { Ok(vec![foreigner.browser.get(&callback).await?]) };
        let died = self.lose_first(plan, visit).await?.is_some();
        let after = self.stack.requests(EXCHANGE).len();
        self.require(after == before, || "the code of another browser's login was exchanged".to_owned());
        self.require(foreigner.session().is_none(), || "a foreigner was logged in".to_owned());
        if died { self.go_on(&callback, AUTHORIZE_PROFILE, false).await } else { Ok(()) }
    }

    /// Loses a process over the question who is logged in, and asks again.
    async fn lose_and_ask(&mut self, plan: &Plan, address: &str, rotates: bool) -> Result<()> {
        let browser = self.visitor.browser.clone();
        let visit = async { Ok(vec![browser.fetch(address, PAGE_ORIGIN).await?]) };
        if self.lose_first(plan, visit).await?.is_none() {
            return Ok(());
        }
        let answer = self.visitor.browser.fetch(address, PAGE_ORIGIN).await?;
        if rotates && answer.status == 401 && plan.deaths.first().is_some_and(Point::loses_refresh_token) {
            // WeChat had replaced the refresh token, and nobody lives who knows the new one.
            return self.log_in(AUTHORIZE_PROFILE).await.map(drop);
        }
        self.require_shown(&answer)
    }

    /// Loses a process over a logout, and logs out again.
    async fn lose_and_leave(&mut self, plan: &Plan, request: Request) -> Result<()> {
        let token = self.visitor.session().unwrap_or_default();
        let browser = self.visitor.browser.clone();
        let visit = async { Ok(vec![browser.send(request.clone()).await?]) };
        if self.lose_first(plan, visit).await?.is_none() {
            return Ok(());
        }
        let answers = self.visitor.browser.walk(request).await?;
        self.look(&answers)?;
        let is_gone = self.visitor.session().is_none() && !is_stored(self.stack, &token)?;
        self.require(is_gone, || format!("the visitor could not leave: {}", promises::places(&answers)));
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
            self.require(made == calls, || format!("the calls were {made:?}, not {calls:?}"));
            return Ok(None);
        };
        let answers = trap::kill(self.stack, *first, visit).await?;
        self.look(&answers)?;
        if promises::has_died(&answers) {
            return Ok(Some(answers));
        }
        Err(Failure::new(format!("no process came to the point: {}", promises::places(&answers))))
    }

    /// A login that nobody disturbs.
    async fn log_in(&mut self, link: &str) -> Result<Vec<Answer>> {
        let answers = self.visitor.follow(link).await?;
        self.look(&answers)?;
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

    /// Logged in as who they are, after no more than so many fresh logins.
    async fn require_login(&mut self, answers: &[Answer], fresh_logins: usize) -> Result<()> {
        let begun = promises::fresh_logins(answers);
        if !promises::has_arrived(answers) || begun > fresh_logins {
            return Err(Failure::new(format!(
                "not logged in after {fresh_logins} fresh logins: {}",
                promises::places(answers)
            )));
        }
        let token = self.visitor.session().unwrap_or_default();
        let is_stored = is_stored(self.stack, &token)?;
        self.require(is_stored, || format!("logged in without a session: {}", promises::places(answers)));
        let shown = self.visitor.userinfo().await?;
        self.require_shown(&shown)
    }

    fn require_shown(&mut self, answer: &Answer) -> Result<()> {
        if answer.status != 200 || answer.json()?.get("openid") != Some(&self.visitor.openid().into()) {
            return Err(Failure::new(format!("{} for who is logged in: {}", answer.status, answer.text())));
        }
        Ok(())
    }

    fn require(&mut self, is_kept: bool, broken: impl FnOnce() -> String) {
        self.broken.extend((!is_kept).then(broken));
    }

    /// WeChat refuses the next call of this endpoint.
    fn script(&self, path: &str, errcode: i64) {
        self.stack.simulator().knobs(|knobs| knobs.script(path, Fault::Errcode { errcode, errmsg: None }));
    }
}
