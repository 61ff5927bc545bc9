//! The reference tables of the documentation, from the code that decides.
//!
//! `make docs-reference` writes them into the pages of `docs/`, between the lines `<!-- generated: NAME -->` and
//! `<!-- end -->`. A test compares, so a table that says something else than the code does not pass.

mod alarms;
#[cfg(test)]
mod glossary;
mod parameters;
#[cfg(test)]
mod said;
mod tables;

use harness::template::Template;
use lambda::Function;
use lambda::invoked::Invoked as _;
use settings::{Need, Setting, Settings};
use web::outcome::Outcome;

pub use tables::{Table, rewrite};

/// A language of the documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// `docs/en`.
    English,
    /// `docs/zh-CN`.
    Chinese,
}

impl Language {
    /// Both.
    pub const ALL: [Self; 2] = [Self::English, Self::Chinese];

    /// Its folder below `docs/`.
    #[must_use]
    pub const fn folder(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-CN",
        }
    }

    /// The one of two texts, which are in English and in Chinese.
    #[must_use]
    pub const fn of<T: Copy>(self, [english, chinese]: [T; 2]) -> T {
        match self {
            Self::English => english,
            Self::Chinese => chinese,
        }
    }
}

/// The outcomes that each function can log, without the ones that any can ([`lambda::OUTCOMES`]).
#[must_use]
pub fn outcomes() -> [(&'static str, Vec<&'static Outcome>); 9] {
    let of = |tables: &[&[&'static Outcome]]| tables.concat();
    [
        (authorize::Authorize::NAME, of(&[authorize::OUTCOMES])),
        (callback::Callback::NAME, of(&[callback::OUTCOMES])),
        (userinfo::Userinfo::NAME, of(&[userinfo::OUTCOMES, web::cors::OUTCOMES])),
        (logout::Logout::NAME, of(&[logout::OUTCOMES, web::cors::OUTCOMES, web::end_session::OUTCOMES])),
        (handoff::Handoff::NAME, of(&[handoff::OUTCOMES])),
        (site::Site::NAME, of(&[site::OUTCOMES])),
        (openid::Openid::NAME, of(&[openid::OUTCOMES])),
        (token::Token::NAME, of(&[token::OUTCOMES, web::cors::OUTCOMES])),
        (doctor::Doctor::NAME, of(&[doctor::OUTCOMES])),
    ]
}

/// How many functions answer requests. The doctor answers none, and reads whatever they do.
pub const ANSWERING: usize = 8;

/// Every setting, in the order it is first asked for, and who asks for it; the doctor only for what nobody else does.
#[must_use]
pub fn settings() -> Vec<(&'static Setting, Vec<(&'static str, Need)>)> {
    let mut all: Vec<(&'static Setting, Vec<(&'static str, Need)>)> = Vec::new();
    for (function, asked) in [
        asked_by::<authorize::Authorize>(),
        asked_by::<callback::Callback>(),
        asked_by::<userinfo::Userinfo>(),
        asked_by::<logout::Logout>(),
        asked_by::<handoff::Handoff>(),
        asked_by::<site::Site>(),
        asked_by::<openid::Openid>(),
        asked_by::<token::Token>(),
        asked_by_the_doctor(),
    ] {
        for (setting, need) in asked {
            match all.iter_mut().find(|(known, _)| known.name == setting.name) {
                Some((_, readers)) => readers.push((function, need)),
                None => all.push((setting, vec![(function, need)])),
            }
        }
    }
    all
}

/// What a function asks for; a setting is asked for even if nothing is set.
fn asked_by<F: Function>() -> (&'static str, Vec<(&'static Setting, Need)>) {
    // One that is right, so that what is asked only then is asked too.
    let variable = |name: &str| (name == "OFFICIAL_ACCOUNT_APP_ID").then(|| "wx0123456789abcdef".to_owned());
    let variable = |name: &str| match name {
        "PUBLIC_URL" => Some("https://auth.example.com".to_owned()),
        "DEFAULT_RETURN_TO" => Some("/".to_owned()),
        name => variable(name),
    };
    let mut settings = Settings::new(&variable);
    // Whether the rest is wrong is not of interest.
    let _ = lambda::configure::<F>(&mut settings);
    (F::NAME, settings.asked().to_vec())
}

fn asked_by_the_doctor() -> (&'static str, Vec<(&'static Setting, Need)>) {
    let mut settings = Settings::new(&|_| None);
    let _ = doctor::configure(&mut settings);
    (doctor::Doctor::NAME, settings.asked().to_vec())
}

/// The project's template.
///
/// # Errors
///
/// When it cannot be read.
pub fn template() -> harness::Result<Template> {
    Template::read(&harness::binaries::workspace().join("template.yaml"))
}
