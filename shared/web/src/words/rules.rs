//! What holds of every word that a visitor reads, as far as a program can tell. The words of which none may occur
//! are in the glossary of `tests/reference`.

use std::collections::BTreeSet;

use super::*;

const BOTH: [Language; 2] = [Language::Chinese, Language::English];

/// The labels that stand in a heading, and those that stand on a button.
const TITLES: [&str; 9] = [
    "log_in",
    "open_in_wechat",
    "scan_to_log_in",
    "confirm_on_phone",
    "confirm_in_wechat",
    "log_in_other_device",
    "profile",
    "back_to_app",
    "ask_log_out",
];
const BUTTONS: [&str; 11] = [
    "new_code",
    "refuse",
    "log_in",
    "log_in_again",
    "try_again",
    "open_login",
    "go_home",
    "view_profile",
    "log_in_with_profile",
    "add_profile",
    "log_out",
];

/// Room on a phone 360 pixels wide, in Han.
const TITLE: usize = 12;
const SENTENCE: usize = 26;
const BUTTON: usize = 11;

/// How wide a text is, in Han: a letter of ours is half as wide.
fn width(text: &str) -> usize {
    text.chars().map(|letter| if letter.is_ascii() { 1_usize } else { 2 }).sum::<usize>().div_ceil(2)
}

/// Every page of a heading, what happened and what to do, with what it is.
fn pages(language: Language) -> Vec<(&'static str, [&'static str; 3])> {
    let reasons = Reason::ALL.iter().map(|reason| {
        let words = reason.words(language);
        (reason.as_str(), [words.title, words.happened, words.next])
    });
    let elsewhere = Reason::ALL.iter().flat_map(|reason| {
        [true, false].map(|may_open_again| {
            let words = elsewhere::words(language, *reason, may_open_again);
            (reason.as_str(), [words.title, words.happened, words.next])
        })
    });
    let unregistered = [unregistered(language), elsewhere::unregistered(language)];
    let unregistered = unregistered.map(|words| ("unregistered", [words.title, words.happened, words.next]));
    let pages = reasons.chain(elsewhere).chain(unregistered);
    pages.chain(handoff::pages(language).into_iter().map(|page| ("hand-off", page))).collect()
}

/// Every text in one language, with what it is.
fn texts(language: Language) -> Vec<(&'static str, String)> {
    let labels = Labels::all(language).iter().map(|(name, label)| (*name, (*label).to_owned()));
    let pages = pages(language).into_iter();
    let pages = pages.flat_map(|(name, page)| page.map(|text| (name, text.to_owned())));
    let devices = handoff::devices(language).into_iter().map(|text| ("device", text));
    labels.chain(pages).chain(devices).collect()
}

fn label(name: &str) -> &'static str {
    Labels::all(Language::Chinese).iter().find(|(known, _)| *known == name).unwrap().1
}

#[test]
fn every_text_has_room_on_a_phone() {
    let titles = TITLES.map(label).into_iter();
    for title in titles.chain(pages(Language::Chinese).iter().map(|(_, [title, ..])| *title)) {
        assert!(width(title) <= TITLE, "{title} is {} wide", width(title));
    }
    for button in BUTTONS.map(label) {
        assert!(width(button) <= BUTTON, "{button} is {} wide", width(button));
    }
    for (name, text) in texts(Language::Chinese) {
        for sentence in text.split_inclusive(['。', '？']) {
            assert!(width(sentence) <= SENTENCE, "{name}: {sentence} is {} wide", width(sentence));
        }
    }
}

/// Full-width marks; a blank between Han and Latin letters or digits, and none beside a mark.
#[test]
fn chinese_is_set_as_chinese() {
    let is_han = |letter: char| ('\u{4e00}'..='\u{9fff}').contains(&letter);
    let is_mark = |letter: char| "，。：；？！（）“”".contains(letter);
    for (name, text) in texts(Language::Chinese) {
        assert!(!text.contains([',', ';', ':', '?', '!', '(', ')', '"', '\'']), "{name}: {text}");
        let letters: Vec<char> = text.chars().collect();
        for pair in letters.windows(2) {
            let &[one, other] = pair else { continue };
            let is_close = |one: char, other: char| is_han(one) && other.is_ascii_alphanumeric();
            assert!(!is_close(one, other) && !is_close(other, one), "{name} wants a blank: {text}");
            let is_loose = |one: char, other: char| is_mark(one) && other == ' ';
            assert!(!is_loose(one, other) && !is_loose(other, one), "{name} has a blank too many: {text}");
        }
    }
}

/// 你 and never 您; and nobody is asked more than once.
#[test]
fn a_page_asks_once_and_politely() {
    for (_, page) in pages(Language::Chinese) {
        let page = page.concat();
        assert!(page.matches('请').count() <= 1, "{page}");
        assert!(!page.contains('您'), "{page}");
    }
}

#[test]
fn one_act_has_one_label() {
    for language in BOTH {
        let labels: BTreeSet<_> = Labels::all(language).iter().map(|(_, label)| label).collect();
        assert_eq!(labels.len(), Labels::all(language).len(), "{language:?}");
    }
}

/// The home page knows that somebody has logged in here, and neither when nor how often: the first login of all may
/// have ended on it a moment ago.
#[test]
fn the_first_login_is_greeted_as_truly_as_any_other() {
    for (language, of_later_ones) in [
        (Language::Chinese, &["回来", "之前", "上次", "再次", "又"][..]),
        (Language::English, &["back", "before", "again", "last time"]),
    ] {
        let greeting = Labels::of(language).has_logged_in;
        assert!(of_later_ones.iter().all(|word| !greeting.contains(word)), "{greeting}");
    }
}

#[test]
fn a_button_repeats_what_the_page_asks_for() {
    for reason in Reason::ALL {
        let (words, button) = (reason.words(Language::Chinese), reason.button());
        if words.next.contains("重新登录") {
            assert_eq!(button, Some(Button::LogInAgain), "{reason:?}");
        }
        if words.next.contains("从首页") {
            assert_eq!(button, Some(Button::Home), "{reason:?}");
        }
        if words.next.contains("下面的按钮") {
            assert!(button.is_some(), "{reason:?}");
        }
    }
    // Where nothing was begun, where a login has failed, where it does not help, where nothing can be pressed.
    for (reason, button) in [
        (Reason::NotLoggedIn, Some(Button::LogIn)),
        (Reason::InvalidRequest, Some(Button::LogIn)),
        (Reason::AccessDenied, Some(Button::LogInAgain)),
        (Reason::LoginExpired, Some(Button::LogInAgain)),
        (Reason::OriginRefused, Some(Button::Home)),
        (Reason::NotFound, Some(Button::Home)),
        (Reason::Snapshot, None),
    ] {
        assert_eq!(reason.button(), button, "{reason:?}");
        assert_eq!(reason.words(Language::English).button, button, "{reason:?}");
    }
}

/// Who looks at a profile, or logs out, was not logging in: no page says that a login failed, and none offers one but
/// to whoever is not logged in.
#[test]
fn elsewhere_no_login_fails_and_none_is_offered() {
    // What a login alone can come to, and the three that say by themselves what to do.
    let of_logins = [
        Reason::AccessDenied,
        Reason::LoginExpired,
        Reason::CodeRepeated,
        Reason::AlreadyLoggedIn,
        Reason::CookieMissing,
        Reason::Snapshot,
        Reason::NoSubject,
        Reason::InvalidTarget,
        Reason::NotLoggedIn,
        Reason::NotFound,
        Reason::OriginRefused,
    ];
    for reason in Reason::ALL.iter().filter(|reason| !of_logins.contains(reason)) {
        for (language, of_a_login) in [
            (Language::Chinese, &["重新登录", "登录没有", "登录页", "无法登录", "微信登录", "这次登录"][..]),
            (Language::English, &["Log in", "Login failed", "login page", "this login"]),
        ] {
            for may_open_again in [true, false] {
                let words = elsewhere::words(language, *reason, may_open_again);
                let said = [words.title, words.happened, words.next].concat();
                assert!(of_a_login.iter().all(|words| !said.contains(words)), "{reason:?}: {said}");
                let opens_again = [Some(Button::TryAgain), Some(Button::GoOn)].contains(&words.button);
                assert!(opens_again || words.button == Some(Button::Home), "{reason:?}");
                assert!(may_open_again || !opens_again, "{reason:?}");
                let is_home = said.contains("首页") || said.contains("home page");
                assert!(!is_home || words.button == Some(Button::Home), "{reason:?}: {said}");
            }
        }
    }
}

#[test]
fn only_a_fault_has_a_reference() {
    let id = CorrelationId::parse("id-1").unwrap();
    for language in BOTH {
        for &reason in Reason::ALL {
            let is_everyday = [
                Reason::NotLoggedIn,
                Reason::AccessDenied,
                Reason::Snapshot,
                Reason::NotFound,
                Reason::CodeRepeated,
                Reason::AlreadyLoggedIn,
            ];
            let reference = reason.reference(language, &id);
            assert_eq!(reference.is_none(), is_everyday.contains(&reason), "{reason:?}");
            assert!(reference.is_none_or(|text| text.contains("id-1") && text.contains(reason.as_str())));
        }
    }
    assert_eq!(Reason::Unexpected.reference(Language::English, &CorrelationId::sanitized("")), None);
}

/// Whoever is asked for a screenshot finds something on the page that helps.
#[test]
fn a_screenshot_shows_a_reference() {
    let id = CorrelationId::parse("id-1").unwrap();
    for reason in Reason::ALL {
        for (language, screenshot) in [(Language::Chinese, "截图"), (Language::English, "screenshot")] {
            if reason.words(language).next.contains(screenshot) {
                assert!(reason.reference(language, &id).is_some(), "{reason:?}");
            }
        }
    }
}

#[test]
fn english_is_spoken() {
    for (name, text) in texts(Language::English) {
        let lower = text.to_lowercase();
        for stiff in [
            "mend",
            "stays so",
            "there is no telling",
            "front page",
            " cannot ",
            " is not ",
            "do not",
            "picture",
            "goes on",
            "by itself",
        ] {
            // A page of its own is what this one asks for.
            let is_meant = stiff == "by itself" && text == Reason::NotAPage.words(Language::English).title;
            assert!(!lower.contains(stiff) || is_meant, "{name}: {stiff} in {text}");
        }
    }
}
