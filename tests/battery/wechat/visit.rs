//! One visit: somebody logs in (`login.rs`), or asks who they are (`question.rs`), while WeChat says what a script
//! says, once or three times in a row. What is seen of it is held against the table.

use std::{
    cell::{Cell, RefCell},
    time::{Duration, Instant},
};

use harness::{
    Result, Stack, Visitor,
    places::{
        AUTH, COMPONENT_EXCHANGE, COMPONENT_REFRESH, EXCHANGE, FOLLOWER, PROFILE, REFRESH, STABLE_TOKEN,
    },
};
use serde_json::Value;
use simulator::{Fault, Knobs, Scripted};

use crate::{model::words::Word, row::clock};

use super::{
    bodies,
    scripts::{Endpoint, Meaning, Script, Sent},
    table::{Calls, expect},
    variation::{Scope, Variation},
};

/// Who the visit is about, and who was logged in before. The first follows the Official Account.
pub const PERSON: &str = "lin";
pub const EARLIER_PERSON: &str = "zhou";

/// How long all may take that one request asks WeChat, where something else can be shown, and a login for what it can
/// do without.
pub const BUDGET: Duration = Duration::from_secs(2);

/// What a machine that is busy with other visits takes longer for everything.
const SLACK: Duration = Duration::from_millis(1500);

/// One visit to a stack that nobody else visits.
pub struct Visit<'a> {
    pub stack: &'a Stack,
    pub script: &'a Script,
    pub variation: &'a Variation,
    /// Who the visit is about.
    pub visitor: Visitor,
    /// What is not as the table says.
    pub violations: RefCell<Vec<String>>,
    /// Whether something lasted so long that the machine must be too busy for the visit to mean anything.
    pub is_disturbed: Cell<bool>,
}

impl<'a> Visit<'a> {
    /// A visit that is still to be made.
    pub fn new(stack: &'a Stack, script: &'a Script, variation: &'a Variation) -> Self {
        let visitor = stack.visitor(PERSON);
        let visitor = if variation.scope == Scope::Login { visitor.at_a_computer() } else { visitor };
        let (violations, is_disturbed) = (RefCell::default(), Cell::new(false));
        Self { stack, script, variation, visitor, violations, is_disturbed }
    }

    /// The visit; everything in which it is not as the table says is a violation.
    pub async fn make(&self) {
        if let Err(failure) = self.go().await {
            self.require(false, || failure.to_string());
        }
    }

    async fn go(&self) -> Result<()> {
        self.stack.forget_everything()?;
        self.stack.simulator().knobs(|knobs| {
            *knobs = Knobs {
                suffix_style: self.variation.suffix_style,
                errcode_as_string: self.variation.errcode_as_string,
                strict_param_order: true,
                api_requires_https: false,
                reissue_code_seconds: self.variation.reissues,
                // Links that ask for it are no other scripts' snapshot pages.
                force_snapshot_works: false,
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
        if !is_right {
            self.violations.borrow_mut().push(wrong());
        }
    }

    /// Whether it began when this was the time and has lasted no longer than its route may.
    pub fn require_in_time(&self, began: Instant, longest: Duration) {
        let lasted = began.elapsed();
        self.is_disturbed
            .set(self.is_disturbed.get() || self.script.meaning != Meaning::Late && lasted >= BUDGET);
        self.require(lasted < longest + SLACK, || format!("it lasted {lasted:?}, and may {longest:?}"));
    }

    /// Makes WeChat say what the script says, from now on; the moment that this is.
    pub fn begin(&self) -> Instant {
        self.script();
        clock()
    }

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
    pub fn require_calls(&self, expected: Calls) {
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
        self.require_sent_once();
        self.stack.simulator().knobs(|knobs| knobs.next.clear());
    }

    /// No code was sent twice since the script began.
    pub fn require_sent_once(&self) {
        let ledger = self.stack.simulator().ledger();
        let exchanges = ledger.iter().filter(|entry| [EXCHANGE, COMPONENT_EXCHANGE].contains(&&*entry.path));
        let mut codes: Vec<_> = exchanges.filter_map(|entry| entry.code.as_ref()).collect();
        codes.sort_unstable();
        let sent = codes.len();
        codes.dedup();
        self.require(codes.len() == sent, || "a code was sent twice".to_owned());
    }

    /// The nickname must be the one that the script's body gives, if it gives one.
    pub fn require_nickname(&self, shown: &Value) {
        let Some(should) = self.script.nickname else { return };
        let text = |name: &str| shown.get(name).and_then(Value::as_str).unwrap_or_default();
        let (is_right, picture) = (shown.get("nickname") == Some(&should.into()), text("headimgurl"));
        self.require(is_right, || format!("the nickname is {:?}, not {should:?}", text("nickname")));
        let is_ours = picture.is_empty() || picture.starts_with("https://thirdwx.qlogo.cn/");
        self.require(is_ours, || format!("the picture is at {picture}"));
    }
}
