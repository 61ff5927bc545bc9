//! What a person sees.

use askama::Template;

use crate::{
    authorize::{Asked, REPLY},
    knobs::DuplicateCallback,
    ledger::Outcome,
    receive::Received,
    settings::Person,
    wire::Answer,
    words,
    world::World,
};

/// Why WeChat shows an error page instead of calling the callback.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PageError {
    /// An error that WeChat numbers.
    Number(i64),
    /// One that it only puts into words.
    Text(&'static str),
}

/// What a page is, or why it is an error page instead.
pub(crate) type Page = Result<Answer, PageError>;

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    text: &'a str,
    english: bool,
}

/// Refuses to log anybody in.
pub(crate) fn refuse(error: PageError, received: &Received) -> Answer {
    match error {
        PageError::Number(number) => self::error(number, None, received),
        PageError::Text(text) => {
            page(&ErrorPage { text, english: false }, Outcome::Page { error: text.to_owned() })
        }
    }
}

/// An error page by its number, in the language of the WeChat that shows it.
pub(crate) fn error(number: i64, text: Option<&str>, received: &Received) -> Answer {
    let english = received.is_english();
    let text = words::page_error(number, text, english);
    page(&ErrorPage { text: &text, english }, Outcome::Page { error: number.to_string() })
}

#[derive(Template)]
#[template(path = "left.html")]
struct LeftPage;

/// The person refused and stays with WeChat.
pub(crate) fn left() -> Answer {
    page(&LeftPage, Outcome::Left)
}

#[derive(Template)]
#[template(path = "twice.html")]
struct TwicePage<'a> {
    location: &'a str,
    parallel: bool,
    credentials: &'static str,
}

/// Visits the callback twice.
pub(crate) fn twice(location: String, again: DuplicateCallback) -> Answer {
    let template = TwicePage {
        location: &location,
        parallel: again == DuplicateCallback::Parallel,
        credentials: if again == DuplicateCallback::OtherClient { "omit" } else { "include" },
    };
    let page = page(&template, Outcome::Pending);
    Answer { outcome: Outcome::Redirect { location }, ..page }
}

#[derive(Template)]
#[template(path = "consent.html")]
struct ConsentPage<'a> {
    app_name: &'a str,
    app_initial: String,
    reply: &'static str,
    /// The question, to be asked again with the answer.
    question: Vec<&'a (String, String)>,
    people: Vec<Choice<'a>>,
}

/// Somebody a page offers.
pub(crate) struct Choice<'a> {
    pub(crate) person: &'a Person,
    pub(crate) initial: String,
    pub(crate) chosen: bool,
}

impl<'a> Choice<'a> {
    /// Everybody, one of them chosen.
    pub(crate) fn of(people: &'a [Person], chosen: &str) -> Vec<Self> {
        let choice =
            |person: &'a Person| Self { person, initial: initial(&person.name), chosen: person.id == chosen };
        people.iter().map(choice).collect()
    }
}

/// Asks the person.
pub(crate) fn consent<'a>(world: &'a World, received: &'a Received, asked: &Asked, person: &str) -> Answer {
    let name = world.app(&asked.appid).map_or("", |app| app.name.as_str());
    let is_question = |(name, _): &&(String, String)| name != "person" && name != "decision";
    let page = page(
        &ConsentPage {
            app_name: name,
            app_initial: initial(name),
            reply: REPLY,
            question: received.query.iter().filter(is_question).collect(),
            people: Choice::of(&world.settings.people, person),
        },
        Outcome::Consent,
    );
    Answer { about: Some((person.to_owned(), world.openid(person, &asked.appid))), ..page }
}

/// What stands in the place of a picture.
pub(crate) fn initial(name: &str) -> String {
    name.chars().take(1).collect()
}

/// A page as an answer.
fn page(template: &impl Template, outcome: Outcome) -> Answer {
    Answer::html(render(template), outcome)
}

/// A page as text.
pub(crate) fn render(template: &impl Template) -> String {
    // A template over plain data does not fail; if one does, its cause is the page.
    template.render().unwrap_or_else(|cause| cause.to_string())
}
