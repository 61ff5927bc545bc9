//! One visit: somebody logs in, or asks who they are, while WeChat says what a script says. What is seen of
//! it is held against the table.

use futures_util::future::try_join_all;
use harness::{
    Answer, Failure, Result, Stack, Visitor,
    database::attribute,
    places::{
        AUTH, COMPONENT_EXCHANGE, COMPONENT_REFRESH, EXCHANGE, FOLLOWER, PROFILE, REFRESH, STABLE_TOKEN,
        USERINFO,
    },
    stack::PAGE_ORIGIN,
};
use serde_json::Value;
use simulator::{Fault, Knobs, Scripted};

use crate::{model::words::Word, row::Run};

use super::{
    bodies,
    scripts::{Endpoint, Meaning, Script, Sent},
    table::{Calls, End, Expected, expect, status_of, tells_the_id},
    variation::{Scope, Variation},
};

/// Who the visit is about, and who was logged in before. The first follows the Official Account.
const PERSON: &str = "lin";
const EARLIER_PERSON: &str = "zhou";

/// One visit to a stack that nobody else visits.
pub struct Visit<'a> {
    run: &'a Run,
    pub stack: &'a Stack,
    script: &'a Script,
    pub variation: &'a Variation,
    /// Who the visit is about.
    pub visitor: Visitor,
}

impl<'a> Visit<'a> {
    /// A visit that is still to be made.
    pub fn new(run: &'a Run, stack: &'a Stack, script: &'a Script, variation: &'a Variation) -> Self {
        let visitor = stack.visitor(PERSON);
        let visitor = if variation.scope == Scope::Login { visitor.at_a_computer() } else { visitor };
        Self { run, stack, script, variation, visitor }
    }

    /// The visit; everything in which it is not as the table says is a violation.
    pub async fn make(&self) -> Result<()> {
        self.stack.forget_everything()?;
        self.stack.simulator().knobs(|knobs| {
            *knobs = Knobs {
                suffix_style: self.variation.suffix_style,
                errcode_as_string: self.variation.errcode_as_string,
                strict_param_order: true,
                ..Knobs::default()
            };
        });
        let expected = expect(self.script.endpoint, self.script.meaning, self.variation);
        if self.script.endpoint.is_of_the_login() {
            self.log_in(&expected).await
        } else {
            self.ask(&expected).await
        }
    }

    /// Records what is not as the table says, if it is not.
    pub fn require(&self, is_right: bool, wrong: impl FnOnce() -> String) {
        let Script { name, endpoint, .. } = self.script;
        self.run.require(is_right, || format!("{name} at {endpoint:?}: {}; {:?}", wrong(), self.variation));
    }

    /// Makes WeChat say what the script says, from now on.
    fn script(&self) {
        let path = self.script.endpoint.as_str();
        let times = if self.variation.persists { 3 } else { 1 };
        let simulator = self.stack.simulator();
        simulator.clear_ledger();
        let (scripted, goes_on) = match &self.script.sent {
            Sent::Errcode(errcode) => {
                let fault = Fault::Errcode { errcode: *errcode, errmsg: None };
                (Scripted { times, ..fault.into() }, false)
            }
            Sent::Fault(fault) => (Scripted { times, ..fault.clone().into() }, false),
            Sent::Body { text, is_latin1 } => {
                let goes_on = self.script.meaning == Meaning::Good;
                (Scripted { times, ..self.raw(text, *is_latin1).into() }, goes_on)
            }
            Sent::Late => (Scripted { delay_milliseconds: 6000, ..Fault::None.into() }, false),
            Sent::Nowhere { .. } => return,
        };
        // WeChat knows nothing of the tokens of a made-up body: what is asked with them is made up too.
        let next = if goes_on { self.asked_next() } else { Vec::new() };
        let bodies: Vec<_> = next
            .into_iter()
            .map(|endpoint| (endpoint.as_str(), self.raw(bodies::good(endpoint), false)))
            .collect();
        simulator.knobs(|knobs| {
            if let Endpoint::Refresh | Endpoint::PlatformRefresh = self.script.endpoint {
                // What `/userinfo` asks before it refreshes.
                let first = if self.variation.verifies { AUTH } else { PROFILE };
                knobs.script(first, Fault::Errcode { errcode: 42001, errmsg: None });
            }
            knobs.script(path, scripted);
            for (path, body) in bodies {
                knobs.script(path, body);
            }
        });
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
        let openid = self.visitor.openid_at(scope.appid());
        Fault::Raw {
            status: 200,
            content_type: "text/plain".to_owned(),
            body: text.replace("{OPENID}", &openid).replace("{SCOPE}", scope.as_str()),
            latin1,
        }
    }

    /// What was asked of WeChat since the script began must be this. A code is sent once.
    fn require_calls(&self, expected: Calls) {
        let asked = |paths: &[&str]| paths.iter().map(|path| self.stack.requests(path).len()).sum();
        let calls = Calls {
            exchange: asked(&[EXCHANGE, COMPONENT_EXCHANGE]),
            profile: asked(&[PROFILE]),
            refresh: asked(&[REFRESH, COMPONENT_REFRESH]),
            verification: asked(&[AUTH]),
            global_token: asked(&[STABLE_TOKEN]),
            follower: asked(&[FOLLOWER]),
        };
        let ledger = self.stack.simulator().ledger();
        let is_known = |path: &str| Endpoint::ALL.iter().any(|endpoint| endpoint.as_str() == path);
        let is_right = calls == expected && ledger.iter().all(|entry| is_known(&entry.path));
        self.require(is_right, || {
            let paths: Vec<_> = ledger.iter().map(|entry| &entry.path).collect();
            format!("WeChat was asked {paths:?}, not {expected:?}")
        });
        let mut codes: Vec<_> = ledger.iter().filter_map(|entry| entry.code.as_ref()).collect();
        codes.sort_unstable();
        let sent = codes.len();
        codes.dedup();
        self.require(codes.len() == sent, || "a code was sent twice".to_owned());
        self.stack.simulator().knobs(|knobs| knobs.next.clear());
    }

    /// A login whose callback meets the script.
    async fn log_in(&self, expected: &Expected) -> Result<()> {
        let visitor = &self.visitor;
        if self.variation.has_session && !matches!(self.script.sent, Sent::Nowhere { has_backup: false }) {
            visitor.hand_to(EARLIER_PERSON).log_in().await?;
            // The token that this login may have left, so that the next one has to ask for it.
            self.stack.forget_app_tokens()?;
        }
        let earlier = visitor.session();
        let callback = visitor.come_back(&self.variation.link(self.variation.attempt)).await?;
        self.script();
        let arrivals = if self.variation.arrives_twice { 2 } else { 1 };
        let answers = try_join_all((0..arrivals).map(|_| visitor.call_back(&callback))).await?;
        self.require_calls(expected.calls);
        // Which of two came first is not known; the other one found a login that was over, or finished.
        let (mut refused, mut first) = (Vec::new(), None);
        for (number, answer) in answers.iter().enumerate() {
            let mut against: Vec<_> = self.leads_as(answer, expected.end).err().into_iter().collect();
            against.extend(self.logged(answer, "callback", expected).await?);
            if against.is_empty() {
                first = Some((number, answer));
            }
            refused.extend(against);
            self.look_at_page_of(answer).await?;
        }
        let Some((first, answer)) = first else {
            self.require(false, || refused.join("; "));
            return Ok(());
        };
        for (_, answer) in answers.iter().enumerate().filter(|(number, _)| *number != first) {
            let end = match expected.end {
                End::LoggedIn => End::LoggedIn,
                _ => End::FreshLogin("login_expired"),
            };
            self.require_end(answer, end);
        }
        self.look_what_is_left(earlier.as_ref(), expected).await?;
        // A fresh login is followed to its end: WeChat has nothing more to say against it.
        let goes_on = matches!(expected.end, End::FreshLogin(_)) && self.variation.attempt == 1;
        if goes_on && !matches!(self.script.sent, Sent::Nowhere { .. }) {
            let callback = visitor.come_back(answer.location().unwrap_or_default()).await?;
            self.require_end(&visitor.call_back(&callback).await?, End::LoggedIn);
        }
        Ok(())
    }

    fn require_end(&self, answer: &Answer, end: End) {
        let wrong = self.leads_as(answer, end).err();
        self.require(wrong.is_none(), || wrong.unwrap_or_default());
    }

    /// Which sessions there are after a login, and whose this browser's is.
    async fn look_what_is_left(&self, earlier: Option<&String>, expected: &Expected) -> Result<()> {
        let is_logged_in = expected.end == End::LoggedIn;
        let is_session = |item: &&Value| !attribute(item, "id").starts_with("app-token#");
        let sessions = self.stack.sessions()?.iter().filter(is_session).count();
        let should = usize::from(is_logged_in || earlier.is_some());
        self.require(sessions == should, || format!("{sessions} sessions are stored, not {should}"));
        let is_another = self.visitor.session().as_ref() != earlier;
        self.require(is_another == is_logged_in, || {
            "the browser's session is not the one it should be".to_owned()
        });
        let person = if is_logged_in { Some(PERSON) } else { earlier.map(|_| EARLIER_PERSON) };
        let answer = self.visitor.userinfo().await?;
        let shown = if answer.status == 200 { answer.json()? } else { Value::Null };
        let appid = self.variation.scope.appid();
        let should = person.map(|person| self.stack.simulator().openid(person, appid));
        self.require(shown.get("openid").and_then(Value::as_str) == should.as_deref(), || {
            format!("{} {shown} is shown, not {person:?}", answer.status)
        });
        if is_logged_in {
            let brought = ["nickname", "unionid"].iter().any(|name| shown.get(name).is_some());
            self.require(brought == expected.brought || self.variation.scope.has_profile(), || {
                format!("{shown} has a unionid, or none, and should not")
            });
            self.require_nickname(&shown);
        }
        Ok(())
    }

    /// The nickname must be the one that the script's body gives, if it gives one.
    fn require_nickname(&self, shown: &Value) {
        let Some(should) = self.script.nickname else { return };
        let text = |name: &str| shown.get(name).and_then(Value::as_str).unwrap_or_default();
        let (is_right, picture) = (shown.get("nickname") == Some(&should.into()), text("headimgurl"));
        self.require(is_right, || format!("the nickname is {:?}, not {should:?}", text("nickname")));
        self.require(!picture.starts_with("http:"), || format!("the picture is at {picture}"));
    }

    /// A question of `/userinfo` that meets the script.
    async fn ask(&self, expected: &Expected) -> Result<()> {
        let browser = &self.visitor.browser;
        let callback = self.visitor.come_back(&self.variation.link(1)).await?;
        let answer = self.visitor.call_back(&callback).await?;
        if self.visitor.session().is_none() {
            return Err(Failure::new(format!("{PERSON} is not logged in: {:?}", answer.location())));
        }
        self.script();
        let url = format!("{USERINFO}?verify={}", self.variation.verifies);
        let as_page = self.variation.as_page;
        let answer =
            if as_page { browser.get(&url).await? } else { browser.fetch(&url, PAGE_ORIGIN).await? };
        self.require_calls(expected.calls);
        let logged = self.logged(&answer, "userinfo", expected).await?;
        self.require(logged.is_none(), || logged.unwrap_or_default());
        let (status, reason) = match expected.end {
            End::Problem(reason) => (status_of(reason), Some(reason)),
            _ => (200, None),
        };
        if answer.status != status {
            self.require(false, || format!("{}, not {status}: {}", answer.status, answer.text()));
            return Ok(());
        }
        let cookies = answer.set_cookies();
        self.require(cookies.is_empty(), || format!("cookies: {cookies:?}"));
        let says_when = status != 503 || answer.header("retry-after").is_some();
        self.require(says_when, || "it does not say when to come back".to_owned());
        let id = answer.header("x-correlation-id").unwrap_or_default();
        match reason {
            Some(reason) if as_page => {
                let is_told = answer.text().contains(id);
                let is_right = is_told == tells_the_id(reason);
                self.require(is_right, || format!("the page of {reason} tells the id {id:?}, or not"));
            }
            Some(reason) => {
                let problem = answer.json()?;
                let text = |name: &str| problem.get(name).and_then(Value::as_str);
                let is_right = text("type") == Some(format!("urn:wechat-login:{reason}").as_str())
                    && text("correlation_id") == Some(id)
                    && (reason != "not_logged_in" || text("authorize_url").is_some());
                self.require(is_right, || format!("{problem}, not {reason}"));
            }
            None => {
                let openid = self.visitor.openid_at(self.variation.scope.appid());
                let shown = answer.text();
                self.require(shown.contains(&openid), || format!("not {PERSON}: {shown}"));
                if !as_page {
                    self.require_nickname(&answer.json()?);
                }
            }
        }
        Ok(())
    }
}
