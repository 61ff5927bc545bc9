//! One visit: somebody logs in, or asks who they are, while WeChat says what a script says. What is seen of
//! it is held against the table.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use harness::{
    Answer, Failure, Result, Stack, Visitor,
    database::attribute,
    places::{
        AUTH, AUTHORIZE, COMPONENT_EXCHANGE, COMPONENT_REFRESH, EXCHANGE, FOLLOWER, PROFILE, REFRESH,
        STABLE_TOKEN, USERINFO,
    },
    stack::PAGE_ORIGIN,
};
use serde_json::Value;
use simulator::{Fault, Knobs, Scripted};

use super::{
    bodies,
    scripts::{Endpoint, Meaning, Script, Sent},
    table::{Calls, Circumstances, End, Expected, expect, status_of},
    variation::{Scope, Variation},
};

/// Who the visit is about, and who was logged in before. The first follows the Official Account.
const PERSON: &str = "lin";
const EARLIER_PERSON: &str = "zhou";

/// One visit to a stack that nobody else visits.
pub struct Visit<'a> {
    pub stack: &'a Stack,
    pub script: &'a Script,
    pub variation: &'a Variation,
    /// Who the visit is about.
    pub visitor: Visitor,
    /// Whether the deployment asks for the unionid of silent logins.
    asks_for_unionid: bool,
}

impl<'a> Visit<'a> {
    /// A visit that is still to be made.
    pub fn new(
        stack: &'a Stack,
        script: &'a Script,
        variation: &'a Variation,
        asks_for_unionid: bool,
    ) -> Self {
        let visitor = stack.visitor(PERSON);
        let visitor = if variation.scope == Scope::Login { visitor.at_a_computer() } else { visitor };
        Self { stack, script, variation, visitor, asks_for_unionid }
    }

    /// The visit, and everything in which it was not as the table says.
    pub async fn make(&self) -> Result<Vec<String>> {
        self.stack.forget_everything()?;
        self.stack.simulator().knobs(|knobs| {
            *knobs = Knobs {
                suffix_style: self.variation.suffix_style,
                errcode_as_string: self.variation.errcode_as_string,
                ..Knobs::default()
            };
        });
        let circumstances = Circumstances {
            has_profile: self.variation.scope.has_profile(),
            persists: self.variation.persists,
            verifies: self.variation.verifies,
            asks_for_unionid: self.asks_for_unionid,
        };
        let expected = expect(self.script.endpoint, self.script.meaning, circumstances);
        if self.script.endpoint.is_of_the_login() {
            self.log_in(&expected).await
        } else {
            self.ask(&expected).await
        }
    }

    /// Makes WeChat say what the script says, from now on.
    fn script(&self) {
        let path = self.script.endpoint.path();
        let times = if self.variation.persists { 3 } else { 1 };
        let simulator = self.stack.simulator();
        simulator.clear_ledger();
        let (scripted, goes_on) = match &self.script.sent {
            Sent::Errcode(errcode) => {
                let fault = Fault::Errcode { errcode: *errcode, errmsg: None };
                (Scripted { times, ..fault.into() }, false)
            }
            Sent::Fault(fault) => (Scripted { times, ..fault.clone().into() }, false),
            Sent::Body { text, is_latin1 } => (
                Scripted { times, ..self.raw(text, *is_latin1).into() },
                self.script.meaning == Meaning::Good,
            ),
            Sent::Late => (Scripted { delay_milliseconds: 6000, ..Fault::None.into() }, false),
            Sent::Nowhere { .. } => return,
        };
        // WeChat knows nothing of the tokens of a made-up body: what is asked with them is made up too.
        let next = if goes_on { self.asked_next() } else { Vec::new() };
        let next: Vec<_> = next
            .into_iter()
            .map(|endpoint| (endpoint.path(), self.raw(bodies::good(endpoint), false)))
            .collect();
        simulator.knobs(|knobs| {
            if let Endpoint::Refresh | Endpoint::PlatformRefresh = self.script.endpoint {
                let dead = Fault::Errcode { errcode: 42001, errmsg: None };
                knobs.script(self.asked_first().path(), dead);
            }
            knobs.script(path, scripted);
            for (path, fault) in next {
                knobs.script(path, fault);
            }
        });
    }

    /// What `/userinfo` asks before it refreshes.
    const fn asked_first(&self) -> Endpoint {
        if self.variation.verifies { Endpoint::Verification } else { Endpoint::ProfileLater }
    }

    /// What is asked with the tokens that the scripted body brings.
    fn asked_next(&self) -> Vec<Endpoint> {
        let profile = self.variation.scope.has_profile().then_some(Endpoint::ProfileLater);
        match self.script.endpoint {
            Endpoint::Refresh | Endpoint::PlatformRefresh if self.variation.verifies => {
                [Endpoint::Verification].into_iter().chain(profile).collect()
            }
            Endpoint::Exchange
            | Endpoint::PlatformExchange
            | Endpoint::Refresh
            | Endpoint::PlatformRefresh => profile.into_iter().collect(),
            Endpoint::GlobalToken => vec![Endpoint::Follower],
            _ => Vec::new(),
        }
    }

    /// A body of the script's, with what only this visit knows.
    fn raw(&self, text: &str, latin1: bool) -> Fault {
        let scope = self.variation.scope;
        let openid = self.stack.simulator().openid(PERSON, scope.appid());
        Fault::Raw {
            status: 200,
            content_type: "text/plain".to_owned(),
            body: text.replace("{OPENID}", &openid).replace("{SCOPE}", scope.as_str()),
            latin1,
        }
    }

    /// What was asked of WeChat since the script began.
    fn calls(&self) -> Result<Calls> {
        let mut calls = Calls::default();
        let mut codes = BTreeMap::<String, usize>::new();
        for entry in self.stack.simulator().ledger() {
            match entry.path.as_str() {
                EXCHANGE | COMPONENT_EXCHANGE => {
                    calls.exchange += 1;
                    *codes.entry(entry.code.unwrap_or_default()).or_default() += 1;
                }
                PROFILE => calls.profile += 1,
                REFRESH | COMPONENT_REFRESH => calls.refresh += 1,
                AUTH => calls.verification += 1,
                STABLE_TOKEN => calls.global_token += 1,
                FOLLOWER => calls.follower += 1,
                other => return Err(Failure::new(format!("WeChat was asked for {other}"))),
            }
        }
        match codes.into_values().max() {
            Some(times) if times > 1 => Err(Failure::new(format!("a code was sent {times} times"))),
            _ => Ok(calls),
        }
    }

    /// A login whose callback meets the script.
    async fn log_in(&self, expected: &Expected) -> Result<Vec<String>> {
        let (visitor, mut wrong) = (&self.visitor, Vec::new());
        if self.variation.has_session && !matches!(self.script.sent, Sent::Nowhere { has_backup: false }) {
            visitor.hand_to(EARLIER_PERSON).log_in_at(AUTHORIZE).await?;
            // The token that this login may have left, so that the next one has to ask for it.
            self.stack.forget_app_tokens()?;
        }
        let earlier = visitor.session();
        let callback = visitor.come_back(&self.variation.link(self.variation.attempt)).await?;
        self.script();
        let arrivals = if self.variation.arrives_twice { 2 } else { 1 };
        let answers = try_join_all((0..arrivals).map(|_| visitor.call_back(&callback))).await?;
        let calls = self.calls()?;
        self.stack.simulator().knobs(|knobs| knobs.next.clear());
        if calls != expected.calls {
            wrong.push(format!("WeChat was asked {calls:?}, not {:?}", expected.calls));
        }
        // Which of two came first is not known; the other one found a login that was over, or finished.
        let mut refused = Vec::new();
        let mut first = None;
        for (number, answer) in answers.iter().enumerate() {
            let mut against: Vec<_> = self.leads_as(answer, expected.end).err().into_iter().collect();
            against.extend(self.logged(answer, "callback", expected).await?);
            if against.is_empty() {
                first = Some((number, answer));
            } else {
                refused.extend(against);
            }
            wrong.extend(self.page_of(answer).await?);
        }
        let Some((first, answer)) = first else {
            wrong.extend(refused);
            return Ok(wrong);
        };
        for (number, answer) in answers.iter().enumerate() {
            let end = match expected.end {
                _ if number == first => continue,
                End::LoggedIn => End::LoggedIn,
                _ => End::FreshLogin("login_expired"),
            };
            wrong.extend(self.leads_as(answer, end).err());
        }
        wrong.extend(self.left_behind(earlier.as_ref(), expected).await?);
        if let End::FreshLogin(_) = expected.end
            && self.variation.attempt == 1
        {
            wrong.extend(self.go_on(answer).await?);
        }
        Ok(wrong)
    }

    /// Which sessions there are after a login, and whose this browser's is.
    async fn left_behind(&self, earlier: Option<&String>, expected: &Expected) -> Result<Vec<String>> {
        let mut wrong = Vec::new();
        let is_logged_in = expected.end == End::LoggedIn;
        let is_session = |item: &&Value| !attribute(item, "id").starts_with("app-token#");
        let sessions = self.stack.sessions()?.iter().filter(is_session).count();
        let should = usize::from(is_logged_in || earlier.is_some());
        if sessions != should {
            wrong.push(format!("{sessions} sessions are stored, not {should}"));
        }
        let cookie = self.visitor.session();
        if (cookie.as_ref() == earlier) == is_logged_in {
            wrong.push("the browser's session is not the one it should be".to_owned());
        }
        let person = if is_logged_in { Some(PERSON) } else { earlier.map(|_| EARLIER_PERSON) };
        let answer = self.visitor.userinfo().await?;
        let shown = if answer.status == 200 { answer.json()? } else { Value::Null };
        let appid = self.variation.scope.appid();
        let should = person.map(|person| self.stack.simulator().openid(person, appid));
        if shown.get("openid").and_then(Value::as_str) != should.as_deref() {
            wrong.push(format!("{} {shown} is shown, not {person:?}", answer.status));
        }
        if is_logged_in {
            let brought = ["nickname", "unionid"].iter().any(|name| shown.get(name).is_some());
            if brought != expected.brought && !self.variation.scope.has_profile() {
                wrong.push(format!("{shown} has a unionid, or none, and should not"));
            }
            wrong.extend(self.nickname(&shown));
        }
        Ok(wrong)
    }

    /// Whether the nickname is the one that the script's body gives, if it gives one.
    fn nickname(&self, shown: &Value) -> Option<String> {
        let should = self.script.nickname?;
        let nickname = shown.get("nickname").and_then(Value::as_str);
        let picture = shown.get("headimgurl").and_then(Value::as_str).unwrap_or_default();
        if nickname != Some(should) {
            return Some(format!("the nickname is {nickname:?}, not {should:?}"));
        }
        picture.starts_with("http:").then(|| format!("the picture is at {picture}"))
    }

    /// Follows a fresh login to its end: WeChat has nothing more to say against it.
    async fn go_on(&self, answer: &Answer) -> Result<Vec<String>> {
        if let Sent::Nowhere { .. } = self.script.sent {
            return Ok(Vec::new());
        }
        let callback = self.visitor.come_back(answer.location().unwrap_or_default()).await?;
        let answer = self.visitor.call_back(&callback).await?;
        Ok(self.leads_as(&answer, End::LoggedIn).err().into_iter().collect())
    }

    /// A question of `/userinfo` that meets the script.
    async fn ask(&self, expected: &Expected) -> Result<Vec<String>> {
        let (browser, mut wrong) = (&self.visitor.browser, Vec::new());
        let callback = self.visitor.come_back(&self.variation.link(1)).await?;
        let answer = self.visitor.call_back(&callback).await?;
        if self.visitor.session().is_none() {
            return Err(Failure::new(format!("{PERSON} is not logged in: {:?}", answer.location())));
        }
        self.script();
        let verifies = self.variation.verifies || self.script.endpoint == Endpoint::Verification;
        let url = format!("{USERINFO}?verify={verifies}");
        let as_page = self.variation.as_page;
        let answer =
            if as_page { browser.get(&url).await? } else { browser.fetch(&url, PAGE_ORIGIN).await? };
        let calls = self.calls()?;
        self.stack.simulator().knobs(|knobs| knobs.next.clear());
        if calls != expected.calls {
            wrong.push(format!("WeChat was asked {calls:?}, not {:?}", expected.calls));
        }
        wrong.extend(self.logged(&answer, "userinfo", expected).await?);
        let (status, reason) = match expected.end {
            End::Problem(reason) => (status_of(reason), Some(reason)),
            _ => (200, None),
        };
        if answer.status != status {
            wrong.push(format!("{}, not {status}: {}", answer.status, answer.text()));
            return Ok(wrong);
        }
        if !answer.set_cookies().is_empty() {
            wrong.push(format!("cookies: {:?}", answer.set_cookies()));
        }
        if status == 503 && answer.header("retry-after").is_none() {
            wrong.push("it does not say when to come back".to_owned());
        }
        let id = answer.header("x-correlation-id").unwrap_or_default();
        match reason {
            Some(_) if as_page => {
                if !answer.text().contains(id) {
                    wrong.push(format!("the page does not tell the id {id:?}"));
                }
            }
            Some(reason) => {
                let problem = answer.json()?;
                let text = |name: &str| problem.get(name).and_then(Value::as_str);
                let is_right = text("type") == Some(format!("urn:wechat-login:{reason}").as_str())
                    && text("correlation_id") == Some(id)
                    && (reason != "not_logged_in" || text("authorize_url").is_some());
                if !is_right {
                    wrong.push(format!("{problem}, not {reason}"));
                }
            }
            None => {
                let openid = self.stack.simulator().openid(PERSON, self.variation.scope.appid());
                if !answer.text().contains(&openid) {
                    wrong.push(format!("not {PERSON}: {}", answer.text()));
                }
                if !as_page {
                    wrong.extend(self.nickname(&answer.json()?));
                }
            }
        }
        Ok(wrong)
    }
}
