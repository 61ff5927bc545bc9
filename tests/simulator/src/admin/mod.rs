//! `/_simulator/`: the simulator's own interface, JSON for programs and a page for people.
//!
//! Nothing under this path enters the ledger.

mod page;

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Path, RawQuery, State},
    http::{Request, Response, StatusCode, header},
    response::IntoResponse,
    routing::{any, get, post},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use crate::{Action, Knobs, Scripted, Settings, Simulator, qr::phone};

pub(crate) fn router() -> Router<Simulator> {
    Router::new()
        // What browsers ask for of their own accord would only clutter the ledger.
        .route("/favicon.ico", get(|| async { StatusCode::NO_CONTENT }))
        .route("/_simulator", get(page::show))
        .route("/_simulator/", get(page::show).post(page::submit))
        .route("/_simulator/ledger", get(ledger).delete(clear_ledger))
        .route("/_simulator/knobs", get(knobs).put(put_knobs).patch(patch_knobs))
        .route("/_simulator/clock", get(clock).post(set_clock))
        .route("/_simulator/actions", post(act))
        .route("/_simulator/code", post(issue_code))
        .route("/_simulator/next", post(script))
        .route("/_simulator/settings", get(settings).put(put_settings))
        .route("/_simulator/qrcodes", get(qr_codes))
        .route("/_simulator/phone", get(phone::show).post(phone::tap))
        .route("/_simulator/{*path}", any(unknown))
}

/// What an administrator did wrong.
pub(crate) struct Mistake(pub(crate) StatusCode, pub(crate) String);

type Reply = Result<Response<Body>, Mistake>;

impl IntoResponse for Mistake {
    fn into_response(self) -> Response<Body> {
        answer(self.0, "application/json", json!({ "error": self.1 }).to_string())
    }
}

pub(crate) fn answer(status: StatusCode, content_type: &'static str, body: String) -> Response<Body> {
    (status, [(header::CONTENT_TYPE, content_type)], body).into_response()
}

fn json_of(value: &impl Serialize) -> Reply {
    let body = serde_json::to_string_pretty(value).map_err(|cause| mistake(&cause))?;
    Ok(answer(StatusCode::OK, "application/json", body))
}

fn mistake(cause: &impl ToString) -> Mistake {
    Mistake(StatusCode::BAD_REQUEST, cause.to_string())
}

pub(crate) async fn body_of(request: Request<Body>) -> Result<Vec<u8>, Mistake> {
    let limit = 16 * 1024 * 1024;
    let body = to_bytes(request.into_body(), limit).await;
    body.map(Vec::from).map_err(|cause| mistake(&cause))
}

async fn read<T: DeserializeOwned>(request: Request<Body>) -> Result<T, Mistake> {
    let body = body_of(request).await?;
    serde_json::from_slice(&body).map_err(|cause| mistake(&cause))
}

async fn unknown(Path(path): Path<String>) -> Mistake {
    Mistake(StatusCode::NOT_FOUND, format!("there is no /_simulator/{path}"))
}

/// `GET /_simulator/ledger`, narrowed by `path`, `appid`, `code`, `person` and `after` (a sequence number).
async fn ledger(State(simulator): State<Simulator>, RawQuery(query): RawQuery) -> Reply {
    let mut entries = simulator.ledger();
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let same = |text: &Option<String>| text.as_deref() == Some(&*value);
        match &*name {
            "path" => entries.retain(|entry| entry.path == *value),
            "appid" => entries.retain(|entry| same(&entry.appid)),
            "code" => entries.retain(|entry| same(&entry.code)),
            "person" => entries.retain(|entry| same(&entry.person)),
            "after" => {
                let after: u64 = value.parse().map_err(|cause| mistake(&cause))?;
                entries.retain(|entry| entry.sequence > after);
            }
            _ => {
                return Err(Mistake(StatusCode::BAD_REQUEST, format!("no filter is called {name:?}")));
            }
        }
    }
    json_of(&entries)
}

async fn clear_ledger(State(simulator): State<Simulator>) -> StatusCode {
    simulator.clear_ledger();
    StatusCode::NO_CONTENT
}

async fn knobs(State(simulator): State<Simulator>) -> Reply {
    json_of(&simulator.knobs(|knobs| knobs.clone()))
}

/// `PUT /_simulator/knobs`: these, and the default for all others.
async fn put_knobs(State(simulator): State<Simulator>, request: Request<Body>) -> Reply {
    let changes = read(request).await?;
    let defaults = simulator.world().default_knobs.clone();
    let new = patched(&defaults, changes)?;
    simulator.knobs(|knobs| *knobs = new);
    knobs(State(simulator)).await
}

/// `PATCH /_simulator/knobs`: these, and all others as they are.
async fn patch_knobs(State(simulator): State<Simulator>, request: Request<Body>) -> Reply {
    let changes: Map<String, Value> = read(request).await?;
    patch(&simulator, changes)?;
    knobs(State(simulator)).await
}

fn patch(simulator: &Simulator, changes: Map<String, Value>) -> Result<(), Mistake> {
    simulator.knobs(|knobs| {
        *knobs = patched(knobs, changes)?;
        Ok(())
    })
}

fn patched(knobs: &Knobs, changes: Map<String, Value>) -> Result<Knobs, Mistake> {
    let mut values = match serde_json::to_value(knobs) {
        Ok(Value::Object(values)) => values,
        Ok(_) => Map::new(),
        Err(cause) => return Err(mistake(&cause)),
    };
    values.extend(changes);
    serde_json::from_value(Value::Object(values)).map_err(|cause| mistake(&cause))
}

/// One of `{"set": 1700000000}`, `{"advance": 301}`, `{"run": true}`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Clock {
    Set(u64),
    Advance(u64),
    Run(bool),
}

async fn clock(State(simulator): State<Simulator>) -> Reply {
    json_of(&json!({ "now": simulator.now() }))
}

async fn set_clock(State(simulator): State<Simulator>, request: Request<Body>) -> Reply {
    match read(request).await? {
        Clock::Set(time) => simulator.knobs(|knobs| knobs.clock = Some(time)),
        Clock::Advance(seconds) => simulator.advance(seconds),
        Clock::Run(run) => {
            let now = simulator.now();
            simulator.knobs(|knobs| {
                knobs.clock = (!run).then_some(now);
                knobs.clock_offset = 0;
            });
        }
    }
    clock(State(simulator)).await
}

async fn act(State(simulator): State<Simulator>, request: Request<Body>) -> Reply {
    let action: Action = read(request).await?;
    simulator.attempt(&action).map_err(|cause| mistake(&cause))?;
    json_of(&action)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodeRequest {
    person: String,
    appid: String,
    scope: String,
}

async fn issue_code(State(simulator): State<Simulator>, request: Request<Body>) -> Reply {
    let CodeRequest { person, appid, scope } = read(request).await?;
    let code = simulator.issue_code(&person, &appid, &scope).map_err(|cause| mistake(&cause))?;
    json_of(&json!({ "code": code, "openid": simulator.openid(&person, &appid) }))
}

/// An answer to append to those scripted for an endpoint.
#[derive(Deserialize)]
struct Script {
    path: String,
    #[serde(flatten)]
    scripted: Scripted,
}

async fn script(State(simulator): State<Simulator>, request: Request<Body>) -> Reply {
    let Script { path, scripted } = read(request).await?;
    simulator.knobs(|knobs| knobs.script(&path, scripted));
    json_of(&simulator.knobs(|knobs| knobs.next.clone()))
}

async fn settings(State(simulator): State<Simulator>) -> Reply {
    json_of(&simulator.settings(|settings| settings.clone()))
}

/// `PUT /_simulator/settings`: other apps and people. What was issued stays, and so does the seed.
async fn put_settings(State(simulator): State<Simulator>, request: Request<Body>) -> Reply {
    let new: Settings = read(request).await?;
    new.check().map_err(|cause| mistake(&cause))?;
    simulator.settings(|old| *old = new);
    settings(State(simulator)).await
}

async fn qr_codes(State(simulator): State<Simulator>) -> Reply {
    json_of(&simulator.qr_codes())
}
