//! A login whose callback meets the script: once, or one login after the other, each going on from what the one
//! before offers.

use std::{collections::HashSet, time::Duration};

use futures_util::future::try_join_all;
use harness::{
    Answer, Failure, Result,
    database::attribute,
    places::{AUTH, PROFILE, USERINFO, parameter},
    stack::PAGE_ORIGIN,
};
use serde_json::Value;

use super::{
    scripts::{Meaning, Sent},
    table::{End, Expected},
    variation::Turn,
    visit::{EARLIER_PERSON, PERSON, Visit},
};

/// How long a callback may take, so that nothing outside of it answers in its stead.
const LONGEST: Duration = Duration::from_millis(8500);

/// A login goes so often through WeChat at most before it has a code that was not there before: an end on a page, three
/// waits, another end on a page, and three waits again.
const MOST_REPETITIONS: usize = 9;

/// Where a visitor stands who has a callback with a new code.
struct Arrived {
    callback: String,
    turn: Turn,
}

impl Visit<'_> {
    /// The logins.
    pub async fn log_in(&self, expected: &Expected) -> Result<()> {
        let is_unreachable = matches!(self.script.sent, Sent::Nowhere { has_backup: false });
        if self.variation.has_session && !is_unreachable {
            self.visitor.hand_to(EARLIER_PERSON).log_in().await?;
        }
        let (mut known, mut is_in) = (HashSet::new(), false);
        let turn = Turn { attempt: self.variation.attempt, ..Turn::FIRST };
        let mut next = (self.variation.link(turn), turn);
        for _ in 0..self.variation.rounds {
            let Some(arrived) = self.arrive(next, &mut known, is_in).await? else { return Ok(()) };
            let earlier = self.visitor.session();
            let Some(answer) = self.come_back(&arrived, expected).await? else { return Ok(()) };
            self.look_what_is_left(earlier.as_ref(), expected, is_in).await?;
            is_in = expected.end == End::LoggedIn;
            next = if is_in {
                (self.variation.link(Turn::FIRST), Turn::FIRST)
            } else if let Some(next) = self.go_on(&answer, arrived.turn).await? {
                next
            } else {
                return Ok(());
            };
        }
        if is_unreachable {
            return Ok(());
        }
        if is_in {
            return self.ask_often(expected).await;
        }
        // Whatever it was, when WeChat has nothing more to say against it, the visitor is logged in.
        if let Some(Arrived { callback, turn }) = self.arrive(next, &mut known, false).await? {
            self.require_end(&self.visitor.call_back(&callback).await?, End::LoggedIn, turn);
        }
        Ok(())
    }

    /// Goes through WeChat until it gives a code that was not here before. One that was is never sent to WeChat again:
    /// whoever is logged in by it goes on, and whoever is not waits. `None` if there is nothing more to do.
    async fn arrive(
        &self,
        (mut link, mut turn): (String, Turn),
        known: &mut HashSet<String>,
        is_in: bool,
    ) -> Result<Option<Arrived>> {
        for _ in 0..MOST_REPETITIONS {
            let callback = self.visitor.come_back(&link).await?;
            if known.insert(parameter(&callback, "code")) {
                return Ok(Some(Arrived { callback, turn }));
            }
            let answer = self.visitor.call_back(&callback).await?;
            self.require_sent_once();
            if is_in {
                self.require_end(&answer, End::Joins, turn);
                return Ok(None);
            }
            self.require_end(&answer, End::Waits, turn);
            match self.go_on(&answer, turn).await? {
                Some(next) => (link, turn) = next,
                None => return Ok(None),
            }
        }
        Err(Failure::new(format!("WeChat repeats its code for ever; {:?}", self.variation)))
    }

    /// One callback, or two of them, and what the first of the two was answered; `None` if that was wrong.
    async fn come_back(&self, arrived: &Arrived, expected: &Expected) -> Result<Option<Answer>> {
        let Arrived { callback, turn } = arrived;
        // The token that a login may have left, so that this one has to ask for it.
        self.stack.forget_app_tokens()?;
        let began = self.begin();
        let arrivals = if self.variation.arrives_twice { 2 } else { 1 };
        let mut answers = try_join_all((0..arrivals).map(|_| self.visitor.call_back(callback))).await?;
        self.require_in_time(began, LONGEST);
        self.require_calls(expected.calls);
        // Which of two came first is not known; the other one is told the same, and the log what it was.
        let (mut refused, mut first) = (Vec::new(), None);
        for (number, answer) in answers.iter().enumerate() {
            let mut against: Vec<_> = self.leads_as(answer, expected.end, *turn).err().into_iter().collect();
            against.extend(self.logged(answer, "callback", expected).await?);
            if against.is_empty() {
                first = Some(number);
            }
            refused.extend(against);
        }
        let Some(first) = first else {
            self.require(false, || refused.join("; "));
            return Ok(None);
        };
        let answer = answers.swap_remove(first);
        let ends = match self.script.meaning {
            // The other one may give up waiting for the first before that is told that there is no answer.
            Meaning::Late => vec![expected.end, End::FreshLogin("wechat_unavailable")],
            _ => vec![expected.end],
        };
        for other in answers {
            let wrong: Vec<_> =
                ends.iter().filter_map(|end| self.leads_as(&other, *end, *turn).err()).collect();
            self.require(wrong.len() < ends.len(), || wrong.join("; "));
            if expected.end != End::LoggedIn {
                self.look_only(&other, *turn).await?;
            }
        }
        Ok(Some(answer))
    }

    /// Looks at what a duplicate was answered, and goes nowhere.
    async fn look_only(&self, answer: &Answer, turn: Turn) -> Result<()> {
        self.go_on(answer, turn).await.map(drop)
    }

    fn require_end(&self, answer: &Answer, end: End, turn: Turn) {
        let wrong = self.leads_as(answer, end, turn).err();
        self.require(wrong.is_none(), || wrong.unwrap_or_default());
    }

    /// Which sessions there are after a login, and whose this browser's is.
    async fn look_what_is_left(
        &self,
        earlier: Option<&String>,
        expected: &Expected,
        was_in: bool,
    ) -> Result<()> {
        let is_logged_in = expected.end == End::LoggedIn;
        let is_session = |item: &&Value| !attribute(item, "id").starts_with("app-token#");
        let sessions = self.stack.sessions()?.iter().filter(is_session).count();
        let should = usize::from(is_logged_in || earlier.is_some());
        self.require(sessions == should, || format!("{sessions} sessions are stored, not {should}"));
        let is_another = self.visitor.session().as_ref() != earlier;
        self.require(is_another == is_logged_in, || {
            "the browser's session is not the one it should be".to_owned()
        });
        let earlier_person = if was_in { PERSON } else { EARLIER_PERSON };
        let person = if is_logged_in { Some(PERSON) } else { earlier.map(|_| earlier_person) };
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

    /// Pages that ask for one language and then another, or to verify, cost one question a minute, and not one each.
    async fn ask_often(&self, expected: &Expected) -> Result<()> {
        // WeChat knows nothing of the tokens of a made-up body.
        if matches!(self.script.sent, Sent::Body { .. }) {
            return Ok(());
        }
        self.stack.simulator().clear_ledger();
        for query in ["lang=en", "lang=zh_TW", "verify=true", "lang=zh_CN", "verify=true"] {
            let answer = self.visitor.browser.fetch(&format!("{USERINFO}?{query}"), PAGE_ORIGIN).await?;
            self.require(answer.status == 200, || format!("{query}: {} {}", answer.status, answer.text()));
        }
        let asked = self.stack.requests(PROFILE).len() + self.stack.requests(AUTH).len();
        // A profile that the login did not bring was just read, unless it was carried over from the login before.
        let is_first = self.variation.rounds == 1;
        let was_read = is_first && self.variation.scope.has_profile() && !expected.brought;
        let should = usize::from(!was_read);
        self.require(asked == should, || format!("five questions in a minute ask WeChat {asked} times"));
        Ok(())
    }
}
