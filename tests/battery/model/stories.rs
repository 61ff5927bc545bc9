//! Beginnings of sequences that chance alone would seldom draw.

use proptest::{prelude::*, sample::select};

use super::{
    links::Link,
    steps::{BROWSERS, From, MADE_UP, Question, Step, Way, WhichCode, Who, browser, link, word},
    words::{App, Asked, Brings, Consent, Has, Lost, Occasion, Person, Twist, Whose},
    world::{Action, UNIT},
};

/// One story, or none.
pub fn any() -> impl Strategy<Value = Vec<Step>> {
    prop_oneof![
        2 => Just(Vec::new()),
        2 => duplicate(),
        4 => meeting(),
        2 => second_scan(),
        2 => sharing(),
        1 => repeated_code(),
        1 => renewal(),
        1 => carried(),
    ]
}

/// A browser begins a login.
const fn begin(browser: usize, link: Link) -> Step {
    Step::Do(Action::Authorize { browser, link, has_empty: false })
}

/// WeChat's page of the login that was begun last is answered.
const fn agree(person: Person) -> Step {
    Step::Wechat { login: 0, person, consent: Consent::Given }
}

/// A callback comes.
const fn come(who: Who, arrival: usize, code: WhichCode) -> Step {
    Step::Callback { who, arrival, code, twist: Twist::None, copies: 1 }
}

/// The latest callback comes to its owner.
const BACK: Step = come(Who::Owner, 0, WhichCode::Own);

/// Who is logged in is asked.
const fn ask(browser: usize) -> Step {
    let question = Question { verify: false, lang: None, from: From::Script };
    Step::Do(Action::Userinfo { browser, question })
}

const fn log_out(browser: usize) -> Step {
    Step::Do(Action::Leave { browser, way: Way::Logout(From::Person) })
}

const fn pass(units: u64) -> Step {
    Step::Do(Action::Pass { seconds: units * UNIT })
}

/// Somebody else.
const fn other_than(person: Person) -> Person {
    match person {
        Person::Lin => Person::Zhou,
        Person::Zhou => Person::Mallory,
        Person::Mallory => Person::Lin,
    }
}

/// A link to each kind of login: silent, with consent, by QR code.
fn kind_of_login() -> impl Strategy<Value = Link> {
    select(&[
        Link::PLAIN,
        Link { asked: Asked::Profile, ..Link::PLAIN },
        Link { app: Some(App::Website), ..Link::PLAIN },
    ])
}

/// A callback that was answered comes once more: at once, later, too late, after a logout or after another login. The
/// browser then goes on.
fn duplicate() -> impl Strategy<Value = Vec<Step>> {
    (browser(), link(), word(), word()).prop_map(|(browser, link, person, occasion)| {
        let again = [begin(browser, link), agree(person), BACK];
        let (between, arrival) = match occasion {
            Occasion::AtOnce => (Vec::new(), 0),
            Occasion::Moment => (vec![Step::Do(Action::Pass { seconds: 1 })], 0),
            Occasion::HalfMinute => (vec![Step::Do(Action::Pass { seconds: 30 })], 0),
            Occasion::Minutes => (vec![pass(1)], 0),
            Occasion::TooLate => (vec![pass(8)], 0),
            Occasion::Removed => (vec![pass(8), Step::Do(Action::Remove)], 0),
            Occasion::LoggedOut => (vec![log_out(browser)], 0),
            Occasion::Replaced => (again.to_vec(), 1),
        };
        let mut steps = again.to_vec();
        steps.extend(between);
        steps.extend([
            come(Who::Owner, arrival, WhichCode::Own),
            ask(browser),
            Step::Follow { browser },
            agree(person),
            BACK,
            ask(browser),
        ]);
        steps
    })
}

/// Another browser comes with a living login, before its owner or after.
fn meeting() -> impl Strategy<Value = Vec<Step>> {
    let browsers = select(&[(0, 1), (1, 0), (0, 2), (2, 0)][..]);
    let drawn = (browsers, word(), word(), any_bool(), word(), word());
    drawn.prop_map(|((owner, foreigner), person, other, is_first, has, brings)| {
        let mut steps = vec![begin(owner, Link::PLAIN), agree(person)];
        if has == Has::Session {
            steps.extend([begin(foreigner, Link::PLAIN), agree(other), BACK]);
        }
        match (brings, has) {
            (Brings::Own, _) => steps.extend([begin(foreigner, Link::PLAIN), agree(other)]),
            (Brings::Owners, Has::Secret) => steps.push(begin(foreigner, Link::PLAIN)),
            (Brings::Owners, _) => {}
        }
        if has == Has::Nothing {
            steps.push(Step::Do(Action::Lose { browser: foreigner, what: Lost::Both }));
        }
        let arrival = usize::from(has == Has::Session) + usize::from(brings == Brings::Own);
        let code = if brings == Brings::Own { WhichCode::OfAnother(0) } else { WhichCode::Own };
        let mut comings =
            [come(Who::Browser(foreigner), arrival, code), come(Who::Owner, arrival, WhichCode::Own)];
        if !is_first {
            comings.reverse();
        }
        steps.extend(comings);
        if is_first && has != Has::Nothing && brings == Brings::Owners {
            steps.extend([Step::Follow { browser: owner }, agree(person), BACK]);
        }
        steps.extend([ask(owner), ask(foreigner)]);
        steps
    })
}

/// A login is finished, and another code comes for it, in the same browser: a second person has scanned the same page,
/// or the same one again. The browser may have lost its session by then.
fn second_scan() -> impl Strategy<Value = Vec<Step>> {
    let drawn = (browser(), kind_of_login(), word(), word(), any_bool());
    drawn.prop_map(|(browser, link, person, whose, keeps_session)| {
        let mut steps = vec![begin(browser, link), agree(person), BACK];
        if !keeps_session {
            steps.push(Step::Do(Action::Lose { browser, what: Lost::Session }));
        }
        let second = match whose {
            Whose::Same => person,
            Whose::Another | Whose::Nobodys => other_than(person),
        };
        let comes = if whose == Whose::Nobodys {
            come(Who::Owner, 0, WhichCode::MadeUp(0))
        } else {
            steps.push(agree(second));
            BACK
        };
        steps.extend([comes.clone(), ask(browser), comes, ask(browser)]);
        // The second person goes on by what he was shown; the first one's callback may come again, too.
        steps.extend([Step::Follow { browser }, agree(second), BACK, ask(browser)]);
        steps.extend([
            come(Who::Owner, usize::from(whose != Whose::Nobodys) + 1, WhichCode::Own),
            ask(browser),
        ]);
        steps
    })
}

/// Somebody shares a browser's secret, and knows the state: he read them off an open page, or planted the secret. He
/// comes before the owner or after, with whatever code he can have, and makes himself what session he can.
fn sharing() -> impl Strategy<Value = Vec<Step>> {
    let browsers = select(&[(0, 1), (1, 0), (0, 2), (2, 0)][..]);
    let brings = select(&[None, Some(Whose::Another), Some(Whose::Nobodys)][..]);
    let drawn = (browsers, kind_of_login(), word(), any_bool(), brings);
    drawn.prop_map(|((owner, sharer), link, person, is_first, brings)| {
        let share = Step::Do(Action::Share { from: owner, to: sharer });
        let mut steps = vec![begin(owner, link), share, agree(person)];
        if !is_first {
            steps.push(BACK);
        }
        let forge = |arrival, code| [Step::Forge { browser: sharer, arrival, code }, ask(sharer)];
        steps.extend(forge(0, None));
        let arrival = usize::from(brings == Some(Whose::Another));
        match brings {
            None | Some(Whose::Same) => steps.push(come(Who::Browser(sharer), 0, WhichCode::Own)),
            Some(Whose::Another) => {
                steps.extend([agree(other_than(person)), come(Who::Browser(sharer), 0, WhichCode::Own)]);
                steps.extend(forge(0, Some(WhichCode::Own)));
            }
            Some(Whose::Nobodys) => {
                let codes = (0..MADE_UP).map(WhichCode::MadeUp);
                steps.extend(codes.map(|code| come(Who::Browser(sharer), 0, code)));
                steps.extend(forge(0, Some(WhichCode::MadeUp(0))));
            }
        }
        steps.push(ask(sharer));
        steps.push(come(Who::Owner, arrival, WhichCode::Own));
        steps.extend(forge(arrival, None));
        // With the code he has all that the owner has: that is what the code is for.
        steps.extend(forge(arrival, Some(WhichCode::Own)));
        steps.extend([ask(owner), ask(sharer)]);
        steps
    })
}

/// WeChat gives whoever logs out and in again the code that was spent, a few times.
fn repeated_code() -> impl Strategy<Value = Vec<Step>> {
    let drawn = (browser(), word(), 1_usize..=4, any_bool());
    drawn.prop_map(|(browser, person, times, is_left)| {
        let link = Link { app: Some(App::OfficialAccount), ..Link::PLAIN };
        let mut steps = vec![begin(browser, link), agree(person), BACK];
        steps.push(if is_left {
            log_out(browser)
        } else {
            Step::Do(Action::Lose { browser, what: Lost::Session })
        });
        steps.push(begin(browser, link));
        for _ in 0..times {
            let given_again = Step::Wechat { login: 0, person, consent: Consent::GivenAgain };
            steps.extend([given_again, BACK, Step::Follow { browser }]);
        }
        steps.extend([agree(person), BACK, ask(browser)]);
        steps
    })
}

/// The browser has a new secret when a callback comes: by a logout, or because the old one's day is nearly over.
fn renewal() -> impl Strategy<Value = Vec<Step>> {
    (0..BROWSERS, kind_of_login(), word(), any_bool()).prop_map(|(browser, link, person, by_logout)| {
        let mut steps = vec![begin(browser, link)];
        if by_logout {
            steps.extend([agree(person), log_out(browser)]);
        } else {
            // The second one begins with the old secret, which is good for it; the third one does not.
            steps.extend([pass(352), begin(browser, link), agree(person), pass(1), begin(browser, link)]);
        }
        steps.extend([BACK, ask(browser), Step::Follow { browser }, agree(person), BACK, ask(browser)]);
        steps
    })
}

/// A silent login comes after one with consent, of the same person or of another one.
fn carried() -> impl Strategy<Value = Vec<Step>> {
    (0..BROWSERS, word(), any_bool()).prop_map(|(browser, person, is_same)| {
        let app = Some(App::OfficialAccount);
        let asked = Link { app, asked: Asked::Profile, ..Link::PLAIN };
        let silent = Link { app, asked: Asked::Auto, ..Link::PLAIN };
        let next = if is_same { person } else { other_than(person) };
        vec![
            begin(browser, asked),
            agree(person),
            BACK,
            ask(browser),
            begin(browser, silent),
            agree(next),
            BACK,
            ask(browser),
        ]
    })
}

fn any_bool() -> impl Strategy<Value = bool> {
    proptest::bool::ANY
}
