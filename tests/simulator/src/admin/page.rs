//! The page for people: the last requests, and every knob as a form.

use axum::{
    body::Body,
    extract::State,
    http::{Request, Response, StatusCode},
    response::{IntoResponse, Redirect},
};
use serde_json::{Map, Value};

use super::{Mistake, answer, body_of, patch};
use crate::{
    App, Component, Entry, Knobs, QrCode, Simulator, pages, words,
    words::knobs::{DESCRIPTIONS, Description, Input},
};

#[derive(askama::Template)]
#[template(path = "admin.html")]
struct AdminPage {
    knobs: Vec<Field>,
    people: Vec<(String, String)>,
    apps: Vec<App>,
    components: Vec<Component>,
    /// The latest first.
    qr_codes: Vec<QrCode>,
    entries: Vec<Line>,
    error: String,
    now: u64,
}

/// A knob on the page.
struct Field {
    name: &'static str,
    chinese: &'static str,
    english: &'static str,
    value: String,
    /// The words to choose among; none for an input.
    choices: Vec<&'static str>,
    changed: bool,
}

/// An entry of the ledger on the page.
struct Line {
    entry: Entry,
    query: String,
    outcome: String,
}

pub(super) async fn show(State(simulator): State<Simulator>) -> Response<Body> {
    render(&simulator, StatusCode::OK, String::new())
}

fn render(simulator: &Simulator, status: StatusCode, error: String) -> Response<Body> {
    let knobs = simulator.knobs(|knobs| serde_json::to_value(&*knobs).unwrap_or_default());
    let defaults = serde_json::to_value(Knobs::default()).unwrap_or_default();
    let settings = simulator.settings(|settings| settings.clone());
    let field = |(name, input, chinese, english): &'static Description| {
        let value = knobs.get(name).cloned().unwrap_or_default();
        Field {
            name,
            chinese,
            english,
            changed: defaults.get(name) != Some(&value),
            value: match value {
                Value::Null => String::new(),
                Value::String(text) => text,
                other => other.to_string(),
            },
            choices: match input {
                Input::Switch => vec!["true", "false"],
                Input::Choice(choices) => choices.to_vec(),
                Input::Number | Input::Text | Input::Json => Vec::new(),
            },
        }
    };
    let entries = simulator.ledger().into_iter().rev().take(50);
    let page = AdminPage {
        knobs: DESCRIPTIONS.iter().map(field).collect(),
        people: settings.people.into_iter().map(|person| (person.id, person.name)).collect(),
        apps: settings.apps,
        components: settings.components,
        qr_codes: simulator.qr_codes().into_iter().rev().take(10).collect(),
        entries: entries.map(Line::of).collect(),
        error,
        now: simulator.now(),
    };
    let body = pages::render(&page);
    answer(status, "text/html; charset=utf-8", body)
}

impl Line {
    fn of(entry: Entry) -> Self {
        let query = entry.query.iter().chain(&entry.body).map(|(name, value)| format!("{name}={value}"));
        Self {
            query: query.collect::<Vec<_>>().join("\n"),
            outcome: serde_json::to_string(&entry.outcome).unwrap_or_default(),
            entry,
        }
    }
}

/// The page's form: every knob as text.
pub(super) async fn submit(State(simulator): State<Simulator>, request: Request<Body>) -> Response<Body> {
    let body = match body_of(request).await {
        Ok(body) => body,
        Err(Mistake(status, error)) => return render(&simulator, status, error),
    };
    let mut changes = Map::new();
    for (name, text) in form_urlencoded::parse(&body) {
        let Some((name, input, ..)) = DESCRIPTIONS.iter().find(|description| description.0 == name) else {
            continue;
        };
        let text = text.trim();
        let value = match input {
            Input::Text | Input::Number | Input::Json if text.is_empty() => Value::Null,
            Input::Text | Input::Choice(_) => Value::String(text.to_owned()),
            Input::Switch | Input::Number | Input::Json => match serde_json::from_str(text) {
                Ok(value) => value,
                Err(cause) => {
                    return render(&simulator, StatusCode::BAD_REQUEST, format!("{name}: {cause}"));
                }
            },
        };
        changes.insert((*name).to_owned(), value);
    }
    match patch(&simulator, changes) {
        Ok(()) => Redirect::to("/_simulator/").into_response(),
        Err(Mistake(status, error)) => render(&simulator, status, error),
    }
}
