//! What can happen, and how a sequence of it is drawn.
//!
//! A step names what it acts on by how long ago that appeared, so every step means something in every
//! world, and a sequence from which some steps are taken away is still one: that is how a failing
//! sequence is shortened.

use proptest::{collection, option, prelude::*, sample::select};

use super::{
    words::{Asked, Brings, Consent, Has, Lang, Link, Lost, Occasion, Person, Target, Twist, Word},
    world::{Action, UNIT},
};

/// How many browsers there are; the last one is not WeChat's.
pub const BROWSERS: usize = 3;

/// How many codes are made up.
pub const MADE_UP: u8 = 3;

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

/// Sequences. One step in a thousand is left out, and any may be when a sequence is shortened. Some begin
/// with a story that chance alone would seldom tell.
pub fn sequences() -> impl Strategy<Value = Vec<Step>> {
    let story = prop_oneof![1 => Just(Vec::new()), 1 => duplicate(), 2 => meeting()];
    let steps = collection::vec(option::weighted(0.999, step()), LENGTH);
    (story, steps).prop_map(|(story, steps)| story.into_iter().chain(steps.into_iter().flatten()).collect())
}

/// From WeChat's page to the end of the login that was begun last.
fn arrive(person: Person) -> [Step; 2] {
    let callback =
        Step::Callback { who: Who::Owner, arrival: 0, code: WhichCode::Own, twist: Twist::None, copies: 1 };
    [Step::Wechat { login: 0, person, consent: Consent::Given }, callback]
}

/// Who is logged in is asked.
const fn ask(browser: usize) -> Step {
    let question = Question { verify: false, lang: None, from: From::Script };
    Step::Do(Action::Userinfo { browser, question })
}

/// A callback that was answered comes once more: at once, later, too late, or after a logout. The browser then
/// goes on.
fn duplicate() -> impl Strategy<Value = Vec<Step>> {
    (browser(), link(), word(), word()).prop_map(|(browser, link, person, occasion)| {
        let [consent, callback] = arrive(person);
        let units = |units| vec![Step::Do(Action::Pass { seconds: units * UNIT })];
        let between = match occasion {
            Occasion::AtOnce => Vec::new(),
            Occasion::Moment => vec![Step::Do(Action::Pass { seconds: 1 })],
            Occasion::HalfMinute => vec![Step::Do(Action::Pass { seconds: 30 })],
            Occasion::Minutes => units(1),
            Occasion::TooLate => units(3),
            Occasion::Removed => [units(3), vec![Step::Do(Action::Remove)]].concat(),
            Occasion::LoggedOut => vec![Step::Do(Action::Leave { browser, way: Way::Logout(From::Person) })],
        };
        let mut steps =
            vec![Step::Do(Action::Authorize { browser, link }), consent.clone(), callback.clone()];
        steps.extend(between);
        steps.extend([
            callback.clone(),
            ask(browser),
            Step::Follow { browser },
            consent,
            callback,
            ask(browser),
        ]);
        steps
    })
}

/// Another browser comes with a living login, before its owner or after.
fn meeting() -> impl Strategy<Value = Vec<Step>> {
    let browsers = select(&[(0, 1), (1, 0), (0, 2), (2, 0)][..]);
    let drawn = (browsers, word(), word(), any::<bool>(), word(), word());
    drawn.prop_map(|((owner, foreigner), person, other, is_first, has, brings)| {
        let begin = |browser| Step::Do(Action::Authorize { browser, link: Link::PLAIN });
        let [consent, arrival] = arrive(person);
        let mut steps = vec![begin(owner), consent.clone()];
        if has == Has::Session {
            steps.push(begin(foreigner));
            steps.extend(arrive(other));
        }
        let [others, _] = arrive(other);
        match (brings, has) {
            (Brings::Own, _) => steps.extend([begin(foreigner), others]),
            (Brings::Owners, Has::Secret) => steps.push(begin(foreigner)),
            (Brings::Owners, _) => {}
        }
        if has == Has::Nothing {
            steps.push(Step::Do(Action::Lose { browser: foreigner, what: Lost::Both }));
        }
        let comes = |who, code| Step::Callback {
            who,
            arrival: usize::from(has == Has::Session) + usize::from(brings == Brings::Own),
            code,
            twist: Twist::None,
            copies: 1,
        };
        let code = if brings == Brings::Own { WhichCode::OfAnother(0) } else { WhichCode::Own };
        let mut comings = [comes(Who::Browser(foreigner), code), comes(Who::Owner, WhichCode::Own)];
        if !is_first {
            comings.reverse();
        }
        steps.extend(comings);
        if is_first && has != Has::Nothing && brings == Brings::Owners {
            steps.extend([Step::Follow { browser: owner }, consent, arrival]);
        }
        steps.extend([ask(owner), ask(foreigner)]);
        steps
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => callback(),
        8 => (ago(), word(), consent())
            .prop_map(|(login, person, consent)| Step::Wechat { login, person, consent }),
        8 => (browser(), link()).prop_map(|(browser, link)| Step::Do(Action::Authorize { browser, link })),
        6 => (browser(), question()).prop_map(|(browser, question)| Step::Do(Action::Userinfo { browser, question })),
        4 => browser().prop_map(|browser| Step::Follow { browser }),
        3 => seconds().prop_map(|seconds| Step::Do(Action::Pass { seconds })),
        1 => Just(Step::Do(Action::Remove)),
        2 => (browser(), way()).prop_map(|(browser, way)| Step::Do(Action::Leave { browser, way })),
        2 => (browser(), word()).prop_map(|(browser, what)| Step::Do(Action::Lose { browser, what })),
        1 => (browser(), browser()).prop_map(|(from, to)| Step::Do(Action::Borrow { from, to })),
        1 => (browser(), word()).prop_map(|(browser, wrong)| Step::Do(Action::Refused { browser, wrong })),
    ]
}

fn callback() -> impl Strategy<Value = Step> {
    let who = prop_oneof![5 => Just(Who::Owner), 2 => browser().prop_map(Who::Browser)];
    let code = prop_oneof![
        8 => Just(WhichCode::Own),
        2 => ago().prop_map(WhichCode::OfAnother),
        1 => (0..MADE_UP).prop_map(WhichCode::MadeUp),
    ];
    let twist = prop_oneof![7 => Just(Twist::None), 1 => word()];
    let copies = prop_oneof![5 => Just(1_usize), 1 => Just(2)];
    (who, ago(), code, twist, copies).prop_map(|(who, arrival, code, twist, copies)| Step::Callback {
        who,
        arrival,
        code,
        twist,
        copies,
    })
}

fn browser() -> impl Strategy<Value = usize> {
    prop_oneof![3 => Just(0), 2 => Just(1), 2 => Just(BROWSERS - 1)]
}

fn ago() -> impl Strategy<Value = Ago> {
    prop_oneof![6 => Just(0_usize), 3 => Just(1), 2 => Just(2), 1 => 3_usize..8]
}

fn word<W: Word>() -> impl Strategy<Value = W> {
    select(W::ALL)
}

fn link() -> impl Strategy<Value = Link> {
    let target = prop_oneof![2 => Just(Target::Default), 1 => Just(Target::Cart), 1 => Just(Target::Page)];
    let asked = prop_oneof![3 => Just(Asked::Identity), 2 => Just(Asked::Profile), 1 => Just(Asked::Auto)];
    let app = prop_oneof![6 => Just(None), 1 => word().prop_map(Some)];
    let attempt = prop_oneof![6 => Just(1_u64), 1 => Just(2)];
    (target, asked, lang(), app, attempt).prop_map(|(target, asked, lang, app, attempt)| Link {
        target,
        asked,
        lang,
        app,
        attempt,
    })
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

/// A code of an Official Account dies at the second unit, a login and a website's code at the third, an
/// access token at the 32nd, the browser cookie and the guard of a code at the 376th, a session at the
/// 2630th.
fn seconds() -> impl Strategy<Value = u64> {
    let units = prop_oneof![4 => Just(1_u64), 3 => Just(2), 3 => Just(3), 2 => Just(32), 1 => Just(376), 1 => Just(2630)];
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
