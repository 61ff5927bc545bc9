//! What a visitor does while DynamoDB has a fault, and afterwards.

use std::cell::{Cell, RefCell};

use fastrand::Rng;
use futures_util::future::try_join_all;
use harness::{
    Answer, Failure, Result, Stack, Visitor,
    places::{AUTHORIZE, AUTHORIZE_PROFILE, CALLBACK, EXCHANGE, LOGOUT, PEOPLE, parameter},
    proxy::{Fault, Kind},
    stack::{PAGE_ORIGIN, PUBLIC_URL},
    visitor::wait_of,
};
use simulator::Fault as WechatFault;

use super::{
    case::{Case, Companion},
    oracle,
};
use crate::oracle::{button, exchanges, is_stored};

/// A login takes four hops, and one automatic fresh one three more.
const MOST_HOPS: usize = 8;
/// What a spent code adds to them: the page that waits, and a login.
const HOPS_OF_A_WAIT: usize = 4;
/// How often a login begins again for another code of WeChat's at most.
const MOST_WAITS: usize = 3;

/// One flow.
pub struct Flow<'a> {
    pub stack: &'a Stack,
    pub case: &'a Case,
    visitor: Visitor,
    random: RefCell<Rng>,
    /// The promises that were broken.
    pub violations: RefCell<Vec<String>>,
    /// The callback that the companion repeats, once there is one.
    callback: RefCell<Option<String>>,
    /// Whether the companion is still to come.
    awaits_companion: Cell<bool>,
    /// How many logins this browser had begun when the fault began.
    pub begun_before: Cell<usize>,
    /// How many times a login began again since because its code was spent.
    pub waits: Cell<usize>,
    /// How often codes had been sent to WeChat when the fault ended.
    sent_meanwhile: Cell<usize>,
    /// Answers of this visitor's that were no success.
    errors: RefCell<Vec<String>>,
    /// Session cookies that were set while no session of theirs was stored, and by which answers. Another
    /// tab may just have replaced that session, which is known when every call is answered.
    pub unstored: RefCell<Vec<(String, String)>>,
}

impl<'a> Flow<'a> {
    /// A flow that has not begun.
    pub fn new(stack: &'a Stack, case: &'a Case) -> Self {
        Self {
            stack,
            case,
            visitor: stack.visitor(PEOPLE[0]),
            random: RefCell::new(Rng::with_seed(case.seed)),
            violations: RefCell::default(),
            callback: RefCell::default(),
            awaits_companion: Cell::new(false),
            begun_before: Cell::default(),
            waits: Cell::default(),
            sent_meanwhile: Cell::default(),
            errors: RefCell::default(),
            unstored: RefCell::default(),
        }
    }

    /// Records a broken promise.
    pub fn violated(&self, what: impl Into<String>) {
        self.violations.borrow_mut().push(what.into());
    }

    /// Records a broken promise, if it was.
    pub fn require(&self, is_kept: bool, broken: impl FnOnce() -> String) {
        if !is_kept {
            self.violated(broken());
        }
    }

    /// The whole of it.
    pub async fn run(&self) -> Result<()> {
        let proxy = self.stack.proxy()?;
        let reissue_code_seconds = if self.case.reissues { 10 } else { 0 };
        self.stack.simulator().knobs(|knobs| knobs.reissue_code_seconds = reissue_code_seconds);
        let is_in_session = matches!(self.case.call, Kind::Session | Kind::SaveSession | Kind::DeleteSession);
        if self.case.was_logged_in || is_in_session {
            let ended = self.open(self.case.authorize).await?;
            self.require(self.is_in(&ended), || format!("no login to begin with: {}", told(&ended)));
        }
        if self.case.call == Kind::FailCode {
            self.break_exchange();
        }
        if !is_in_session || self.case.fault == Fault::OldRead {
            // The next login has a code of its own, or it would end before it came to the call.
            self.stack.simulator().advance(10);
        }
        self.begun_before.set(proxy.count(Kind::PutLogin));
        let injection = proxy.inject(self.case.rule());
        self.errors.borrow_mut().clear();
        match self.case.call {
            Kind::DeleteSession => self.log_out().await?,
            _ if is_in_session && self.case.fault != Fault::OldRead => self.look().await?,
            _ => self.log_in().await?,
        }
        // A code that a foreign browser spent first leads to no call but the claim's.
        let is_met = injection.struck() > 0 || oracle::is_code_spent(self.stack)?;
        self.require(is_met, || "the fault never struck".to_owned());
        self.come_back().await?;
        // What is late arrives before it is looked at what is left.
        proxy.until(|calls| calls.iter().all(|call| call.answered.is_some())).await?;
        oracle::afterwards(self)?;
        Ok(())
    }

    /// Leaves the stack as if nothing had happened; whether the flow went undisturbed.
    pub async fn clear_up(&self) -> Result<bool> {
        let proxy = self.stack.proxy()?;
        proxy.heal();
        proxy.until(|calls| calls.iter().all(|call| call.answered.is_some())).await?;
        let is_disturbed = oracle::is_disturbed(&proxy.calls());
        oracle::leave_nothing(self.stack)?;
        Ok(!is_disturbed)
    }

    /// Lets the next exchange fail in a way that gives the visitor a fresh login by itself.
    fn break_exchange(&self) {
        let fault = match self.random.borrow_mut().u8(0..3) {
            0 => WechatFault::Errcode { errcode: 40029, errmsg: None },
            1 => WechatFault::DropAfter,
            _ => WechatFault::Html { status: 502 },
        };
        self.stack.simulator().knobs(|knobs| knobs.script(EXCHANGE, fault));
    }

    /// The fault strikes while the visitor logs in, perhaps by two tabs; it ends before the visitor
    /// presses what the page offers.
    async fn log_in(&self) -> Result<()> {
        let companion = self.case.companion != Companion::None;
        self.awaits_companion.set(companion);
        let mut tabs = try_join_all((0..self.tabs()).map(|_| self.open(self.case.authorize))).await?;
        if self.case.companion == Companion::Later {
            tabs.extend(self.repeat().await?);
        }
        self.unnoticed("the login")?;
        self.sent_meanwhile.set(exchanges(self.stack).len());
        self.stack.proxy()?.heal();
        if self.case.is_never_claimed() && self.case.companion != Companion::Foreign {
            tabs = self.claim_after_all().await?;
        }
        if self.case.companion == Companion::MuchLater {
            tabs.extend(self.repeat().await?);
        }
        for tab in tabs {
            self.persevere(tab).await?;
        }
        Ok(())
    }

    /// Nothing was decided, so nothing was sent, and the same callback is as good as new.
    async fn claim_after_all(&self) -> Result<Vec<Answer>> {
        let (sent, claims) = (self.sent_meanwhile.get(), self.begun_before.get());
        self.require(sent <= claims, || "a code was sent that nobody had claimed".to_owned());
        let ended = self.repeat().await?;
        let is_in = ended.as_ref().is_some_and(|ended| self.is_in(ended));
        self.require(is_in, || format!("an undecided claim cost the login: {:?}", ended.as_ref().map(told)));
        Ok(ended.into_iter().collect())
    }

    fn tabs(&self) -> usize {
        if self.case.has_second_tab { 2 } else { 1 }
    }

    /// The fault strikes while a page asks who is logged in.
    async fn look(&self) -> Result<()> {
        for answer in try_join_all((0..self.tabs()).map(|_| self.userinfo())).await? {
            self.require(matches!(answer.status, 200 | 503), || {
                format!("the session is lost: {}", told(&answer))
            });
        }
        if self.case.companion != Companion::None
            && let Some(repeated) = self.repeat().await?
        {
            self.unnoticed("the session")?;
            self.stack.proxy()?.heal();
            self.persevere(repeated).await?;
        }
        self.unnoticed("the session")?;
        self.stack.proxy()?.heal();
        Ok(())
    }

    /// The fault strikes while the visitor logs out, who then tries again until it is done.
    async fn log_out(&self) -> Result<()> {
        let cookie = self.visitor.session();
        let mut answer = self.post_logout().await?;
        self.unnoticed("the logout")?;
        let is_done = |answer: &Answer| matches!(answer.status, 204 | 303);
        self.require(is_done(&answer) || answer.status == 503, || format!("the logout: {}", told(&answer)));
        self.stack.proxy()?.heal();
        if !is_done(&answer) {
            answer = self.post_logout().await?;
            self.require(is_done(&answer), || format!("no second logout: {}", told(&answer)));
        }
        let still_stored = cookie.map_or(Ok(false), |cookie| is_stored(self.stack, &cookie))?;
        self.require(!still_stored, || "the session is stored after the logout".to_owned());
        self.require(self.visitor.session().is_none(), || "the cookie stays".to_owned());
        let callback = self.callback.borrow().clone();
        if self.case.companion != Companion::None
            && let Some(callback) = callback
        {
            let repeated = self.get(&callback).await?;
            self.require(repeated.set_cookies().is_empty(), || "a duplicate undid the logout".to_owned());
        }
        let ended = self.open(self.case.authorize).await?;
        self.persevere(ended).await
    }

    /// In the end, and without any fault, the visitor is logged in.
    ///
    /// Two tabs that log in at once, one of them with a callback that comes twice, can leave the browser
    /// with the cookie that came last and not with the one of the session that did: no server can order the
    /// answers of a browser. It is one more login then, and no more.
    async fn come_back(&self) -> Result<()> {
        let mut answer = self.userinfo().await?;
        if answer.status == 401
            && let Some(cookie) = self.visitor.session()
        {
            self.stack.proxy()?.until(|calls| calls.iter().all(|call| call.answered.is_some())).await?;
            if oracle::is_replaced(self, &cookie)? {
                self.open(self.case.authorize).await?;
                answer = self.userinfo().await?;
            }
        }
        let shown = answer.json().ok().and_then(|shown| shown.get("openid").cloned());
        let is_right = answer.status == 200 && shown == Some(self.visitor.openid().into());
        self.require(is_right, || format!("nobody is logged in at the end: {}", told(&answer)));
        Ok(())
    }

    /// Opens a link and goes where it leads, as far as it goes by itself.
    async fn open(&self, link: &str) -> Result<Answer> {
        let (mut link, mut hops, mut waits) = (link.to_owned(), 0, 0);
        while hops < MOST_HOPS + waits * HOPS_OF_A_WAIT {
            hops += 1;
            let is_callback = link.starts_with(&format!("{CALLBACK}?"));
            let is_accompanied = is_callback && self.awaits_companion.take();
            if is_accompanied || is_callback && !self.case.has_second_tab {
                self.callback.replace(Some(link.clone()));
            }
            let answer =
                if is_accompanied { self.accompanied(&link).await? } else { self.get(&link).await? };
            link = match (answer.redirect()?, wait_of(&answer)?) {
                (Some(next), _) => next.into(),
                (None, Some((seconds, next))) => {
                    self.stack.simulator().advance(seconds);
                    next.into()
                }
                (None, None) => return Ok(answer),
            };
            // A code that was spent here costs no try, with a page that waits or, if a foreigner spent it, without.
            if let Ok(all) = parameter(&link, "waits").parse::<usize>()
                && link.starts_with(AUTHORIZE)
                && all > waits
            {
                self.waits.update(|before| before + all - waits);
                waits = all;
                self.require(waits <= MOST_WAITS, || format!("it begins again for the {waits}th time"));
            }
        }
        Err(Failure::new(format!("more than {MOST_HOPS} hops, the last to {link}")))
    }

    /// A callback with its companion, if that comes at the same time.
    async fn accompanied(&self, callback: &str) -> Result<Answer> {
        match self.case.companion {
            Companion::AtOnce(copies) => {
                let mut answers = try_join_all([self.get(callback), self.get(callback)]).await?;
                if copies > 1 {
                    answers.push(self.get(callback).await?);
                }
                if self.case.fault == Fault::OldRead && self.case.is_unnoticed() {
                    for answer in &answers {
                        let is_there =
                            answer.location().is_some_and(|target| target.starts_with(PAGE_ORIGIN));
                        self.require(is_there, || format!("an old read was believed: {}", told(answer)));
                    }
                }
                let seen = self.random.borrow_mut().usize(..answers.len());
                Ok(answers.swap_remove(seen))
            }
            Companion::Foreign => {
                let foreigner = self.visitor.elsewhere();
                if self.case.call == Kind::SpendCode || self.random.borrow_mut().bool() {
                    // With a browser cookie of their own.
                    self.check(&foreigner.browser.get(self.case.authorize).await?, true)?;
                }
                let (ours, theirs) = tokio::join!(self.get(callback), foreigner.browser.get(callback));
                let theirs = theirs?;
                self.check(&theirs, true)?;
                self.require(foreigner.session().is_none(), || {
                    format!("a foreigner got a session: {}", told(&theirs))
                });
                ours
            }
            Companion::None | Companion::Later | Companion::MuchLater => self.get(callback).await,
        }
    }

    /// The callback once more; where it ends.
    async fn repeat(&self) -> Result<Option<Answer>> {
        let callback = self.callback.borrow().clone();
        let Some(callback) = callback else { return Ok(None) };
        self.open(&callback).await.map(Some)
    }

    /// Goes on from where a tab has ended, now without a fault, until the visitor is logged in.
    async fn persevere(&self, ended: Answer) -> Result<()> {
        if self.is_in(&ended) {
            return Ok(());
        }
        let Some(button) = button(&ended) else {
            self.violated(format!("no way on from {}", told(&ended)));
            return Ok(());
        };
        let mut again = self.open(ended.url.join(&button)?.as_str()).await?;
        // Where no login came back before, the foreign browser shows the code of this one first, and it takes another.
        if !self.is_in(&again)
            && self.case.companion == Companion::Foreign
            && let Some(button) = crate::oracle::button(&again)
        {
            again = self.open(again.url.join(&button)?.as_str()).await?;
        }
        self.require(self.is_in(&again), || format!("no login in the end: {}", told(&again)));
        Ok(())
    }

    /// Whether this is the page that the login was for, in a browser that is logged in.
    fn is_in(&self, ended: &Answer) -> bool {
        ended.url.as_str().starts_with(PAGE_ORIGIN)
            && !ended.url.query_pairs().any(|(name, _)| name == "error")
            && self.visitor.session().is_some()
    }

    /// A fault that the SDK's repetitions overcome has cost the visitor nothing so far.
    ///
    /// Where the exchange is broken, where two tabs are in each other's way, or where another browser showed the code
    /// first, that is a reason of its own for a page.
    fn unnoticed(&self, what: &str) -> Result<()> {
        let is_profile = self.case.authorize == AUTHORIZE_PROFILE;
        let is_broken = self.case.call == Kind::FailCode && is_profile;
        // Of two tabs with codes that are repeated, each may spend what the other waits for; and one tab's session may
        // be replaced by the other's before its duplicate looks for it.
        let is_contested = self.case.call == Kind::FailCode && self.case.reissues;
        let is_repeated = matches!(self.case.companion, Companion::AtOnce(_) | Companion::Later);
        let are_expired = self.errors.borrow().iter().all(|error| error.contains("reason=login_expired"));
        let is_outdone =
            self.case.has_second_tab && are_expired && (is_contested || is_profile && is_repeated);
        // The second of two first tabs has another cookie, with which the first tab's callback may come.
        let is_renewed = self.case.has_second_tab && self.stack.proxy()?.count(Kind::SpendCode) > 0;
        let has_reason = is_broken || is_outdone || is_renewed || oracle::is_code_spent(self.stack)?;
        let errors = self.errors.borrow().join(", ");
        self.require(errors.is_empty() || !self.case.is_unnoticed() || has_reason, || {
            format!("errors during {what}, though the fault was a short one: {errors}")
        });
        Ok(())
    }

    async fn get(&self, url: &str) -> Result<Answer> {
        self.answered(self.visitor.browser.get(url).await?)
    }

    /// Asks who is logged in: a person sometimes, whose page is looked at for errors only; then a script.
    async fn userinfo(&self) -> Result<Answer> {
        let is_a_person = self.random.borrow_mut().u8(..) < 64;
        if is_a_person {
            let page = self.answered(self.visitor.userinfo_page().await?)?;
            if page.status != 200 {
                return Ok(page);
            }
        }
        self.answered(self.visitor.userinfo().await?)
    }

    async fn post_logout(&self) -> Result<Answer> {
        self.answered(self.visitor.browser.post_form(LOGOUT, PUBLIC_URL).await?)
    }

    fn answered(&self, answer: Answer) -> Result<Answer> {
        self.check(&answer, false)?;
        if answer.status >= 400 || answer.url.path() == "/error" && wait_of(&answer)?.is_none() {
            self.errors.borrow_mut().push(told(&answer));
        }
        Ok(answer)
    }

    fn check(&self, answer: &Answer, is_foreign: bool) -> Result<()> {
        let is_ours = answer.url.origin().ascii_serialization() == PUBLIC_URL;
        if is_ours { oracle::answer(self, answer, is_foreign) } else { Ok(()) }
    }
}

/// An answer in a line.
pub fn told(answer: &Answer) -> String {
    let Answer { url, status, .. } = answer;
    format!("{status} from {url} to {:?}", answer.location())
}
