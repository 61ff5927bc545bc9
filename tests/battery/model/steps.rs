//! What can happen, and how a sequence of it is drawn.
//!
//! A step names what it acts on by how long ago that appeared, so every step means something in every
//! world, and a sequence from which some steps are taken away is still one: that is how a failing
//! sequence is shortened.

use proptest::{collection, option, prelude::*, sample::select};

use super::{
    links::{Link, Switches},
    stories,
    words::{Asked, Consent, Lang, Person, Target, Twist, Word},
    world::{Action, Code, MOST_MOMENTS, UNIT, World},
};

/// How many browsers there are; the last one is not WeChat's.
pub const BROWSERS: usize = 3;

/// How many codes are made up: more than a login may mark as spent.
pub const MADE_UP: u8 = 5;

/// How many steps a sequence has.
pub const LENGTH: usize = 20;

/// Something that appeared, counted back from the latest.
pub type Ago = usize;

/// One step.
#[derive(Clone, Debug)]
pub enum Step {
    /// A browser goes on to the fresh login to which it was sent last.
    Follow { browser: usize },
    /// WeChat's page is opened for a login, by whichever person.
    Wechat { login: Ago, person: Person, consent: Consent },
    /// A callback is opened, by so many tabs at once.
    Callback { who: Who, arrival: Ago, code: WhichCode, twist: Twist, copies: usize },
    /// A browser makes itself the session of a login that WeChat sent somebody back to, with a code or without.
    Forge { browser: usize, arrival: Ago, code: Option<WhichCode> },
    /// Anything that acts on what is there from the beginning.
    Do(Action),
}

/// Which browser opens a callback.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Who {
    /// The one that began the login.
    Owner,
    Browser(usize),
}

/// With which code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WhichCode {
    Own,
    OfAnother(Ago),
    MadeUp(u8),
}

/// How it is asked who is logged in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Question {
    pub verify: bool,
    pub lang: Option<Lang>,
    pub from: From,
}

/// From where a request comes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum From {
    /// A script of an allowed page.
    Script,
    /// A person, who gets a page.
    Person,
    /// A script of any other page.
    Stranger,
}

/// How a session is ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    Logout(From),
    /// `DELETE /userinfo`.
    Erase(From),
}

/// Sequences. One step in a thousand is left out, and any may be when a sequence is shortened. Most begin with
/// a story that chance alone would seldom tell.
pub fn sequences() -> impl Strategy<Value = Vec<Step>> {
    let steps = collection::vec(option::weighted(0.999, step()), LENGTH);
    (stories::any(), steps)
        .prop_map(|(story, steps)| story.into_iter().chain(steps.into_iter().flatten()).collect())
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => callback(),
        8 => (ago(), word(), consent())
            .prop_map(|(login, person, consent)| Step::Wechat { login, person, consent }),
        8 => (browser(), link(), any::<bool>()).prop_map(|(browser, link, has_empty)| {
            Step::Do(Action::Authorize { browser, link, has_empty })
        }),
        6 => (browser(), question()).prop_map(|(browser, question)| Step::Do(Action::Userinfo { browser, question })),
        4 => browser().prop_map(|browser| Step::Follow { browser }),
        3 => seconds().prop_map(|seconds| Step::Do(Action::Pass { seconds })),
        1 => Just(Step::Do(Action::Remove)),
        2 => (browser(), way()).prop_map(|(browser, way)| Step::Do(Action::Leave { browser, way })),
        2 => (browser(), word()).prop_map(|(browser, what)| Step::Do(Action::Lose { browser, what })),
        1 => (browser(), browser()).prop_map(|(from, to)| Step::Do(Action::Borrow { from, to })),
        1 => (browser(), browser()).prop_map(|(from, to)| Step::Do(Action::Share { from, to })),
        1 => (browser(), ago(), option::of(which_code()))
            .prop_map(|(browser, arrival, code)| Step::Forge { browser, arrival, code }),
        1 => (browser(), word()).prop_map(|(browser, wrong)| Step::Do(Action::Refused { browser, wrong })),
    ]
}

fn callback() -> impl Strategy<Value = Step> {
    let who = prop_oneof![5 => Just(Who::Owner), 2 => browser().prop_map(Who::Browser)];
    let twist = prop_oneof![7 => Just(Twist::None), 1 => word()];
    let copies = prop_oneof![5 => Just(1_usize), 1 => Just(2)];
    (who, ago(), which_code(), twist, copies).prop_map(|(who, arrival, code, twist, copies)| Step::Callback {
        who,
        arrival,
        code,
        twist,
        copies,
    })
}

fn which_code() -> impl Strategy<Value = WhichCode> {
    prop_oneof![
        8 => Just(WhichCode::Own),
        2 => ago().prop_map(WhichCode::OfAnother),
        1 => (0..MADE_UP).prop_map(WhichCode::MadeUp),
    ]
}

pub fn browser() -> impl Strategy<Value = usize> {
    prop_oneof![3 => Just(0), 2 => Just(1), 2 => Just(BROWSERS - 1)]
}

fn ago() -> impl Strategy<Value = Ago> {
    prop_oneof![6 => Just(0_usize), 3 => Just(1), 2 => Just(2), 1 => 3_usize..8]
}

pub fn word<W: Word>() -> impl Strategy<Value = W> {
    select(W::ALL)
}

pub fn link() -> impl Strategy<Value = Link> {
    let target = prop_oneof![2 => Just(Target::Default), 1 => Just(Target::Cart), 1 => Just(Target::Page)];
    let asked = prop_oneof![3 => Just(Asked::Identity), 2 => Just(Asked::Profile), 1 => Just(Asked::Auto)];
    let app = prop_oneof![6 => Just(None), 1 => word().prop_map(Some)];
    let switches = prop_oneof![6 => Just((false, false)), 1 => any::<(bool, bool)>()]
        .prop_map(|(popup, snapshot)| Switches { popup, snapshot });
    let turn = prop_oneof![6 => Just((1_u64, 0_u64)), 1 => (1_u64..=2, 0_u64..=3)];
    (target, asked, lang(), app, switches, turn).prop_map(
        |(target, asked, lang, app, switches, (attempt, waits))| Link {
            target,
            asked,
            lang,
            app,
            switches,
            attempt,
            waits,
        },
    )
}

fn lang() -> impl Strategy<Value = Option<Lang>> {
    prop_oneof![3 => Just(None), 1 => word().prop_map(Some)]
}

fn consent() -> impl Strategy<Value = Consent> {
    prop_oneof![
        6 => Just(Consent::Given),
        2 => Just(Consent::GivenAgain),
        1 => Just(Consent::Refused),
        1 => Just(Consent::RefusedInWords),
    ]
}

/// A code of an Official Account dies at the second unit, its login, a website's code and what is fresh of a
/// profile at the third, a website's login at the eighth, an access token at the 31st, the browser cookie and
/// the guard of a code at the 368th, in whose last hour no login begins, from the 353rd on; a session at the
/// 2574th.
fn seconds() -> impl Strategy<Value = u64> {
    let units = prop_oneof![
        4 => Just(1_u64), 3 => Just(2), 3 => Just(3), 1 => Just(8), 2 => Just(31),
        1 => select(&[352_u64, 353, 368][..]), 1 => Just(2574),
    ];
    prop_oneof![6 => units.prop_map(|units| units * UNIT), 1 => select(&[1_u64, 30][..])]
}

fn question() -> impl Strategy<Value = Question> {
    let verify = prop_oneof![3 => Just(false), 1 => Just(true)];
    (verify, lang(), from()).prop_map(|(verify, lang, from)| Question { verify, lang, from })
}

fn from() -> impl Strategy<Value = From> {
    prop_oneof![6 => Just(From::Script), 2 => Just(From::Person), 1 => Just(From::Stranger)]
}

fn way() -> impl Strategy<Value = Way> {
    prop_oneof![2 => from().prop_map(Way::Logout), 1 => from().prop_map(Way::Erase)]
}

impl World {
    /// What a step acts on. A callback before there is any goes to WeChat first, and whoever wants to go to
    /// WeChat begins a login first.
    pub fn resolve(&self, step: &Step) -> Option<Action> {
        let begin = |browser| Action::Authorize { browser, link: Link::PLAIN, has_empty: false };
        let consent = |login, person, consent| Action::Wechat { login, person, consent };
        Some(match *step {
            Step::Follow { browser } => {
                let link = self.browsers.get(browser)?.fresh;
                Action::Authorize { browser, link: link.unwrap_or(Link::PLAIN), has_empty: false }
            }
            Step::Wechat { login, person, consent: answer } => match back(self.logins.len(), login) {
                Some(login) => consent(login, person, answer),
                None => begin(0),
            },
            Step::Do(Action::Pass { seconds }) if seconds < UNIT => {
                Action::Pass { seconds: seconds.min(MOST_MOMENTS - self.moments) }
            }
            Step::Do(action) => action,
            Step::Callback { who, arrival, code, twist, copies } => {
                let Some(number) = back(self.arrivals.len(), arrival) else {
                    let browser = if let Who::Browser(browser) = who { browser } else { 0 };
                    let login = back(self.logins.len(), arrival);
                    return Some(login.map_or_else(
                        || begin(browser),
                        |login| consent(login, Person::Lin, Consent::Given),
                    ));
                };
                let (login, own) = *self.arrivals.get(number)?;
                let browser = match who {
                    Who::Owner => self.owner_of(login)?,
                    Who::Browser(browser) => browser,
                };
                Action::Callback { browser, login, code: self.which(code, own), twist, copies }
            }
            Step::Forge { browser, arrival, code } => {
                let (login, own) = *self.arrivals.get(back(self.arrivals.len(), arrival)?)?;
                Action::Forge { browser, login, code: code.and_then(|code| self.which(code, own)) }
            }
        })
    }

    /// Which code is meant, where one came along.
    fn which(&self, code: WhichCode, own: Option<usize>) -> Option<Code> {
        match code {
            WhichCode::Own => own.map(Code::Issued),
            WhichCode::OfAnother(ago) => back(self.codes.len(), ago).map(Code::Issued),
            WhichCode::MadeUp(number) => Some(Code::MadeUp(number)),
        }
    }

    /// The browser whose login it is: the one in which it was begun, unless only another one has its secret.
    fn owner_of(&self, login: usize) -> Option<usize> {
        let login = self.logins.get(login)?;
        let has_it = |browser: &usize| self.secret_of(*browser) == Some(login.secret);
        let owner = [login.begun_in].into_iter().chain(0..BROWSERS).find(has_it);
        Some(owner.unwrap_or(login.begun_in))
    }
}

/// What appeared so long ago, of so many.
fn back(many: usize, ago: Ago) -> Option<usize> {
    (many > 0).then(|| many - 1 - ago % many)
}
