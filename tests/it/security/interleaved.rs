//! Many visitors in one process: what a process keeps between two requests is of no visitor.
//!
//! On Lambda one process serves whoever comes next. Here all logins go through one process of each
//! function, one step at a time and in a random order, so that between any two steps of one visitor lie
//! steps of others; and every visitor sees himself, then and in the end.

use std::mem;

use fastrand::Rng;
use harness::{Failure, Options, Result, Stack, Visitor, places::AUTHORIZE_PROFILE, stack::OFFICIAL_ACCOUNT};
use serde_json::Value;
use simulator::{Person, Settings, Simulator};

const VISITORS: usize = 64;

/// Somebody on the way through a login, and what they do next.
struct Guest {
    person: Person,
    visitor: Visitor,
    next: Step,
}

enum Step {
    /// Opens the link.
    Begin,
    /// Goes where the link led, to WeChat.
    Ask(String),
    /// Goes where WeChat led.
    Return(String),
    /// Asks who is logged in, so many times more.
    Look(u32),
    /// Nothing.
    Rest,
}

impl Guest {
    async fn step(&mut self, stack: &Stack) -> Result<()> {
        self.next = match mem::replace(&mut self.next, Step::Rest) {
            Step::Begin => {
                let link = format!("{AUTHORIZE_PROFILE}&return_to=%2F{}", self.person.id);
                Step::Ask(self.visitor.begin(&link).await?)
            }
            Step::Ask(url) => Step::Return(self.visitor.agree(&url).await?),
            Step::Return(url) => {
                let answer = self.visitor.open(&url).await?;
                let end = answer.location().unwrap_or_default();
                self.require(end.trim_end_matches('#').ends_with(&format!("/{}", self.person.id)), end)?;
                Step::Look(2)
            }
            Step::Look(times) => {
                let answer = self.visitor.userinfo().await?;
                self.require(self.is_shown(stack, &answer.json()?), &answer.text())?;
                if times > 1 { Step::Look(times - 1) } else { Step::Rest }
            }
            Step::Rest => Step::Rest,
        };
        Ok(())
    }

    fn is_shown(&self, stack: &Stack, shown: &Value) -> bool {
        let (person, simulator) = (&self.person, stack.simulator());
        let avatar = person.avatar.as_deref().unwrap_or_default();
        shown["openid"] == simulator.openid(&person.id, OFFICIAL_ACCOUNT).as_str()
            && shown["unionid"].as_str() == simulator.unionid(&person.id, OFFICIAL_ACCOUNT).as_deref()
            && shown["nickname"] == person.nickname.as_str()
            && shown["headimgurl"].as_str().is_some_and(|url| url.contains(avatar))
    }

    fn require(&self, is_right: bool, seen: &str) -> Result<()> {
        if is_right { Ok(()) } else { Err(Failure::new(format!("{} sees {seen}", self.person.id))) }
    }
}

/// People of different names, openids and pictures.
fn people() -> Vec<Person> {
    let person = |number| {
        let id = format!("guest{number:02}");
        let nickname = format!("客人 {number:02}");
        Person { avatar: Some(format!("Picture{number:02}")), ..Person::new(&id, &nickname, &nickname) }
    };
    (1..=VISITORS).map(person).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_sees_himself_however_the_steps_of_all_interleave() {
    let seed = fastrand::u64(..);
    let mut random = Rng::with_seed(seed);
    let simulator = Simulator::new(Settings { people: people(), ..Settings::example() });
    // Now from the session, now from WeChat.
    let lifetime = random.choice(["0", "600"]).unwrap();
    let options = Options::default().simulator(simulator).with("PROFILE_LIFETIME_SECONDS", lifetime);
    let stack = Stack::start(options).await.unwrap();
    let mut waiting: Vec<_> = people()
        .into_iter()
        .map(|person| Guest { visitor: stack.visitor(&person.id), person, next: Step::Begin })
        .collect();
    let mut done = Vec::new();
    while !waiting.is_empty() {
        let index = random.usize(..waiting.len());
        let guest = &mut waiting[index];
        guest.step(&stack).await.unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
        if matches!(guest.next, Step::Rest) {
            done.push(waiting.swap_remove(index));
        }
    }

    random.shuffle(&mut done);
    let mut sessions = Vec::new();
    for guest in &mut done {
        guest.next = Step::Look(1);
        guest.step(&stack).await.unwrap_or_else(|failure| panic!("seed {seed}, at last: {failure}"));
        sessions.push(guest.visitor.session().unwrap());
    }
    sessions.sort();
    sessions.dedup();
    assert_eq!(sessions.len(), VISITORS, "seed {seed}");
    // One process of each served them all; otherwise nothing was shown.
    for function in ["authorize", "callback", "userinfo"] {
        assert_eq!(stack.functions().cold_starts(function), 1, "{function}");
    }
}
