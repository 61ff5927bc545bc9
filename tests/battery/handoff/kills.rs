//! H3: `kill -9` at every await point of `handoff`.
//!
//! Whoever lost a process opens the same page again, or taps again, as people do; half of them lose the second one,
//! too. Then the login comes to the end that it would have had: the person of the phone is logged in, in one session,
//! or nobody is.

use harness::{
    Answer, Failure, Result, Stack, Visitor,
    browser::Visit,
    hand_off::{CHOICE, Form, form, number},
    places::AUTHORIZE,
    proxy::{Kind, Proxy},
    stack::PUBLIC_URL,
};

use crate::{
    kills::{
        points::{Awaited, Point},
        promises, trap,
    },
    row::Run,
};

use Awaited::{Answer as Answered, Table};

/// What is done when the process is killed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Step {
    /// The browser opens the page with the code.
    Show,
    /// The phone opens the code's address.
    Scan,
    /// The browser's script asks how far it is.
    Stage,
    /// The browser opens its page again, and is given the number.
    Give,
    /// The phone taps it.
    Tap,
    /// Or says no.
    Refuse,
    /// It takes its yes back.
    TakeBack,
    /// The browser opens its page again, and picks the login up, or is told that it ended.
    PickUp,
    /// It does so once more.
    Again,
}

/// Every step of a login, and all kinds of what is awaited there.
const STEPS: [(Step, &[Awaited]); 7] = [
    (Step::Show, &[Table(Kind::Ticket), Table(Kind::Login), Table(Kind::PutTicket), Answered]),
    (Step::Scan, &[Table(Kind::Ticket), Table(Kind::Session), Table(Kind::Scan), Answered]),
    (Step::Stage, &[Table(Kind::Ticket), Answered]),
    (Step::Give, &[Table(Kind::Ticket), Table(Kind::Give), Table(Kind::Login), Answered]),
    (Step::Tap, &[Table(Kind::Ticket), Table(Kind::Session), Table(Kind::Approve), Answered]),
    (Step::PickUp, &[Table(Kind::Ticket), Table(Kind::Login), Table(Kind::PickUp), Answered]),
    (Step::Again, &[Table(Kind::Ticket), Table(Kind::Login), Table(Kind::Session), Answered]),
];

/// The same of one that is refused, where it differs.
const REFUSED: [(Step, &[Awaited]); 2] = [
    (Step::Refuse, &[Table(Kind::Ticket), Table(Kind::Session), Table(Kind::Refuse), Answered]),
    (Step::PickUp, &[Table(Kind::Ticket), Table(Kind::Login), Answered]),
];

/// The same of one whose yes is taken back.
const TAKEN_BACK: [(Step, &[Awaited]); 2] = [
    (Step::TakeBack, &[Table(Kind::Ticket), Table(Kind::Session), Table(Kind::TakeBack), Answered]),
    (Step::PickUp, &[Table(Kind::Ticket), Table(Kind::Login), Answered]),
];

/// What the phone says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Says {
    Yes,
    No,
    YesAndNo,
}

impl Says {
    const ALL: [Self; 3] = [Self::Yes, Self::No, Self::YesAndNo];

    /// The steps that are of this alone.
    const fn own_steps(self) -> &'static [(Step, &'static [Awaited])] {
        match self {
            Self::Yes => &STEPS,
            Self::No => &REFUSED,
            Self::YesAndNo => &TAKEN_BACK,
        }
    }

    const fn said(self) -> &'static [Step] {
        match self {
            Self::Yes => &[Step::Tap],
            Self::No => &[Step::Refuse],
            Self::YesAndNo => &[Step::Tap, Step::TakeBack],
        }
    }
}

/// Where a login loses a process: in which one, at which step, how often.
#[derive(Clone, Copy, Debug)]
struct Plan {
    says: Says,
    death: Option<(Step, Point)>,
    times: usize,
}

/// H3.
pub async fn everywhere(run: &Run, open: impl AsyncFn() -> Result<Stack>) -> Result<String> {
    let mut random = run.random(0);
    let mut plans: Vec<_> = Says::ALL.map(|says| Plan { says, death: None, times: 0 }).into();
    let of = |says: Says| {
        let steps = says.own_steps().iter();
        steps.flat_map(move |(step, awaited)| awaited.iter().map(move |one| (says, *step, *one)))
    };
    for (says, step, awaited) in Says::ALL.into_iter().flat_map(of) {
        for is_applied in if awaited == Answered { &[true][..] } else { &[false, true] } {
            let point = Point { function: "handoff", awaited, is_applied: *is_applied };
            for _ in 0..run.size(1, 20) {
                plans.push(Plan { says, death: Some((step, point)), times: random.usize(1..=2) });
            }
        }
    }
    random.shuffle(&mut plans);
    let kills: usize = plans.iter().map(|plan| plan.times).sum();
    run.share(run.size(4, 8), open, plans, async |stack, _, plan| {
        let broken = match login(stack, plan).await {
            Ok(broken) => broken,
            Err(failure) => vec![failure.to_string()],
        };
        stack.proxy().into_iter().for_each(Proxy::heal);
        for broken in broken {
            run.violated(format!("{plan:?}: {broken}"));
        }
        Ok(())
    })
    .await?;
    Ok(format!("{kills} kills"))
}

/// A login from its link to its end, and all that was wrong with it.
async fn login(stack: &Stack, plan: Plan) -> Result<Vec<String>> {
    let phone = stack.visitor("zhou").logged_in().await?;
    let visitor = stack.visitor("lin").at_a_computer();
    let begun = visitor.open(AUTHORIZE).await?;
    let url = begun.redirect()?.map(String::from).ok_or_else(|| Failure::new(begun.text()))?;
    let mut side = Sides { stack, plan, visitor, phone, url, code: String::new(), asked: None, number: None };
    let mut broken = Vec::new();
    let before = [Step::Show, Step::Scan, Step::Stage, Step::Give];
    for step in before.iter().chain(plan.says.said()).chain(&[Step::PickUp, Step::Again]) {
        broken.extend(side.go(*step).await?);
    }
    let person = side.visitor.logged_in_as().await?;
    let should = (plan.says == Says::Yes).then(|| side.phone.openid());
    if person != should {
        broken.push(format!("{person:?} instead of {should:?}"));
    }
    broken.extend(promises::broken(stack, &[])?);
    Ok(broken)
}

struct Sides<'a> {
    stack: &'a Stack,
    plan: Plan,
    visitor: Visitor,
    phone: Visitor,
    url: String,
    code: String,
    asked: Option<Form>,
    number: Option<u8>,
}

impl Sides<'_> {
    /// Makes a step, after the deaths that are planned for it.
    async fn go(&mut self, step: Step) -> Result<Vec<String>> {
        let mut broken = Vec::new();
        if let Some((at, point)) = self.plan.death
            && at == step
        {
            for time in 0..self.plan.times {
                let lost = trap::kill(self.stack, point, async { Ok(vec![self.ask(step).await?]) }).await?;
                // What was carried out is not done again, so there may be no second death at that point.
                if time == 0 && !promises::has_died(&lost) {
                    broken.push(format!("no process came to {point}"));
                }
            }
        }
        self.stack.proxy()?.forget();
        let answer = self.ask(step).await?;
        if self.plan.death.is_none() {
            broken.extend(self.unlisted(step)?);
        }
        broken.extend(promises::broken_by(self.stack, std::slice::from_ref(&answer))?);
        match step {
            Step::Show => {
                let text = answer.text();
                let code = text.split("<p class=\"link\">").nth(1).and_then(|rest| rest.split('<').next());
                self.code = code.map(str::to_owned).ok_or_else(|| Failure::new(text.clone()))?;
            }
            Step::Scan => self.asked = Some(form(&answer)?),
            Step::Give => self.number = Some(number(&answer)?),
            Step::Stage | Step::Tap | Step::Refuse | Step::TakeBack | Step::PickUp | Step::Again => {}
        }
        Ok(broken)
    }

    async fn ask(&self, step: Step) -> Result<Answer> {
        let number = self.number.map(|number| number.to_string());
        let tap = |field: Option<(&'static str, &str)>| {
            let asked = self.asked.as_ref();
            let mut fields: Vec<_> = asked
                .into_iter()
                .flat_map(|form| [("ticket", form.ticket.as_str()), ("session", form.session.as_str())])
                .collect();
            fields.extend(field);
            Visit::form(&format!("{PUBLIC_URL}/handoff"), PUBLIC_URL, &fields)
        };
        match step {
            Step::Show | Step::PickUp | Step::Again => self.visitor.open(&self.url).await,
            Step::Scan => self.phone.open(&self.code).await,
            Step::Stage => {
                let ask = Visit::fetch(http::Method::GET, &self.url, PUBLIC_URL);
                self.visitor.send(ask.header("accept", "application/json")).await
            }
            Step::Give => self.visitor.open(&format!("{}&choice={CHOICE}", self.url)).await,
            Step::Tap => self.phone.send(tap(number.as_deref().map(|number| ("number", number)))).await,
            Step::Refuse => self.phone.send(tap(None)).await,
            Step::TakeBack => self.phone.send(tap(Some(("undo", "1")))).await,
        }
    }

    /// The calls of a step that the list does not have, and those that were not made.
    fn unlisted(&self, step: Step) -> Result<Vec<String>> {
        let listed = self
            .plan
            .says
            .own_steps()
            .iter()
            .chain(&STEPS)
            .find(|(known, _)| *known == step)
            .map_or(&[][..], |(_, all)| all);
        let listed: Vec<_> = listed.iter().filter(|awaited| **awaited != Answered).copied().collect();
        let calls = self.stack.proxy()?.calls();
        let calls: Vec<_> = calls.iter().filter(|call| call.function == "handoff").collect();
        let made: Vec<_> = calls.iter().map(|call| Table(call.kind)).collect();
        let wrong =
            made.iter().any(|call| !listed.contains(call)) || listed.iter().any(|one| !made.contains(one));
        // The second pick-up of a login that was refused is told the same.
        let is_known = step == Step::Again && self.plan.says != Says::Yes;
        Ok(if wrong && !is_known {
            vec![format!("{step:?} calls {made:?}, not {listed:?}")]
        } else {
            Vec::new()
        })
    }
}
