//! `/_simulator/phone`: the phone of a fictional person, on which a QR code is scanned, confirmed or cancelled.

use askama::Template;
use axum::{
    body::Body,
    extract::{RawQuery, State},
    http::{Request, Response, StatusCode},
    response::{IntoResponse, Redirect},
};

use super::QrProgress;
use crate::{
    Action, Simulator,
    admin::{Mistake, answer, body_of},
    pages::{Choice, initial, render},
    words,
    world::World,
};

#[derive(Template)]
#[template(path = "phone.html")]
struct PhonePage<'a> {
    app_name: &'a str,
    app_initial: String,
    uuid: &'a str,
    step: &'static str,
    people: Vec<Choice<'a>>,
    /// Who holds the phone.
    person: &'a str,
    error: String,
}

/// `GET /_simulator/phone?uuid=`. Looking does nothing yet.
pub(crate) async fn show(State(simulator): State<Simulator>, RawQuery(query): RawQuery) -> Response<Body> {
    let query = query.unwrap_or_default();
    let uuid = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "uuid");
    let uuid = uuid.map(|(_, uuid)| uuid.into_owned());
    page(&simulator.world(), uuid.as_deref(), String::new())
}

/// What the buttons send: `step`, `uuid` and `person`.
pub(crate) async fn tap(State(simulator): State<Simulator>, request: Request<Body>) -> Response<Body> {
    let body = match body_of(request).await {
        Ok(body) => body,
        Err(Mistake(status, error)) => return answer(status, "text/plain; charset=utf-8", error),
    };
    let field = |wanted: &str| {
        let found = form_urlencoded::parse(&body).find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.into_owned())
    };
    let uuid = field("uuid");
    let action = match field("step").as_deref() {
        Some("scan") => Action::Scan { uuid: uuid.clone(), person: field("person") },
        Some("confirm") => Action::Confirm { uuid: uuid.clone() },
        _ => Action::Cancel { uuid: uuid.clone() },
    };
    if let Err(error) = simulator.attempt(&action) {
        return page(&simulator.world(), uuid.as_deref(), error);
    }
    let query: String = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(uuid.map(|uuid| ("uuid", uuid)))
        .finish();
    Redirect::to(&format!("/_simulator/phone?{query}")).into_response()
}

fn page(world: &World, uuid: Option<&str>, error: String) -> Response<Body> {
    let code = world.qr_code(uuid).ok();
    let (step, person) = match code.map(|code| (code.is_expired(world), &code.progress)) {
        None => ("unknown", ""),
        Some((true, _)) => ("expired", ""),
        Some((_, QrProgress::Waiting)) => ("waiting", ""),
        Some((_, QrProgress::Scanned { person })) => ("scanned", person.as_str()),
        Some((_, QrProgress::Confirmed { person, .. })) => ("confirmed", person.as_str()),
        Some((_, QrProgress::Cancelled { person })) => ("cancelled", person.as_str()),
    };
    let app_name = code.and_then(|code| world.app(&code.appid)).map_or("", |app| app.name.as_str());
    let chosen = crate::authorize::who(world, [world.knobs.current_person.as_deref()]);
    let template = PhonePage {
        app_name,
        app_initial: initial(app_name),
        uuid: code.map_or("", |code| code.uuid.as_str()),
        step,
        people: Choice::of(&world.settings.people, &chosen),
        person: world.person(person).map_or("", |person| person.name.as_str()),
        error,
    };
    let status = if template.error.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    answer(status, "text/html; charset=utf-8", render(&template))
}
