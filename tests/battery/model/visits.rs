//! What a visitor does besides logging in.

use harness::{
    Browser,
    browser::Visit,
    cookies::{Cookie, SameSite},
    places::{BROWSER_COOKIE, LOGOUT, SESSION_COOKIE, USERINFO},
    stack::PAGE_ORIGIN,
};
use http::Method;

use super::{
    steps::{From, Lost, Question, Way},
    words::Word,
};

const STRANGER: &str = "https://evil.example";

/// A cookie's value that is none of ours.
pub const SPOILED: &str = "spoiled";

/// A cookie of this browser goes, or goes bad.
pub fn lose(browser: &Browser, what: Lost) {
    let spoil = |name: &str| {
        browser.insert_cookie(Cookie {
            name: name.to_owned(),
            value: SPOILED.to_owned(),
            domain: "login.example.com".to_owned(),
            subdomains: false,
            path: "/".to_owned(),
            secure: true,
            http_only: true,
            same_site: SameSite::Lax,
            expires: None,
        });
    };
    match what {
        Lost::Browser => browser.forget_cookie(BROWSER_COOKIE),
        Lost::Session => browser.forget_cookie(SESSION_COOKIE),
        Lost::Both => browser.forget_cookies(),
        Lost::BrowserSpoiled => spoil(BROWSER_COOKIE),
        Lost::SessionSpoiled => spoil(SESSION_COOKIE),
    }
}

/// The question who is logged in.
pub fn asking(question: Question) -> Visit {
    let mut url = format!("{USERINFO}?verify={}", question.verify);
    if let Some(lang) = question.lang.map(Word::as_str) {
        url = format!("{url}&lang={lang}");
    }
    match question.from {
        From::Script => Visit::fetch(Method::GET, &url, PAGE_ORIGIN),
        From::Person => Visit::open(&url),
        From::Stranger => Visit::fetch(Method::GET, &url, STRANGER),
    }
}

/// The wish to be no longer.
pub fn leaving(way: Way) -> Visit {
    match way {
        Way::Logout(From::Script) => Visit::fetch(Method::POST, LOGOUT, PAGE_ORIGIN),
        Way::Logout(From::Person) => Visit::form(LOGOUT, PAGE_ORIGIN, &[]),
        Way::Logout(From::Stranger) => Visit::fetch(Method::POST, LOGOUT, STRANGER),
        Way::Erase(From::Script | From::Person) => Visit::fetch(Method::DELETE, USERINFO, PAGE_ORIGIN),
        Way::Erase(From::Stranger) => Visit::fetch(Method::DELETE, USERINFO, STRANGER),
    }
}
