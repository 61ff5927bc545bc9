//! What happens to every request that WeChat would have received.
//!
//! Received, entered in the ledger, handled; then whatever is scripted to go wrong with the answer. The lock is held
//! for the first three and never while waiting, so that a held answer keeps nobody else waiting.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::{Duration, SystemTime},
};

use axum::{
    body::{Body, to_bytes},
    extract::{ConnectInfo, State},
    http::{HeaderMap, Request, Response, StatusCode, header},
};
use serde_json::Value;

use crate::{
    Simulator,
    api::{self, Dialect},
    broken::Broken,
    connection::Peer,
    endpoint::Endpoint,
    knobs::{Fault, Scripted},
    ledger::{Entry, Outcome},
    pages, qr,
    wire::Answer,
    world::World,
};

/// The most a body may hold; nothing WeChat is sent comes near.
const BODY_LIMIT: usize = 1024 * 1024;

/// The parts of a request that matter here.
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) path: String,
    /// The query as it was sent.
    pub(crate) raw_query: String,
    pub(crate) query: Vec<(String, String)>,
    /// The body as it was sent.
    pub(crate) body: Vec<u8>,
    /// The fields of a form.
    form: Vec<(String, String)>,
    /// The scheme, host and port the browser used.
    pub(crate) origin: String,
    /// Where it comes from: the connection's address, or what the test says (`x-simulator-address`).
    pub(crate) address: IpAddr,
    pub(crate) user_agent: Option<String>,
    /// Who logs in, as the test says (`x-simulator-person`).
    pub(crate) person: Option<String>,
    /// What the person answers, as the test says (`x-simulator-consent`).
    pub(crate) consent: Option<String>,
    /// Who logs in, as last chosen in this browser.
    pub(crate) chosen: Option<String>,
}

/// The cookie that remembers who was chosen in a browser.
pub(crate) const CHOSEN_PERSON: &str = "simulator_person";

impl Received {
    async fn read(request: Request<Body>, peer: Option<&Peer>) -> Self {
        let (head, body) = request.into_parts();
        // A body that breaks off or is too large is no body.
        let body = to_bytes(body, BODY_LIMIT).await.map(Vec::from).unwrap_or_default();
        let header = |name: &str| text_of(&head.headers, name);
        let cookies = header("cookie").unwrap_or_default();
        let mut cookies = cookies.split(';').filter_map(|cookie| cookie.trim().split_once('='));
        let raw_query = head.uri.query().unwrap_or_default().to_owned();
        let pairs = |text: &[u8]| form_urlencoded::parse(text).into_owned().collect();
        let is_form = header("content-type")
            .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded"));
        let address = header("x-simulator-address").and_then(|address| address.parse().ok());
        Self {
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            query: pairs(raw_query.as_bytes()),
            raw_query,
            form: if is_form { pairs(&body) } else { Vec::new() },
            body,
            origin: origin(header("host"), peer),
            address: address
                .or_else(|| Some(peer?.address()?.ip()))
                .unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            user_agent: header("user-agent"),
            person: header("x-simulator-person"),
            consent: header("x-simulator-consent"),
            chosen: cookies.find(|(name, _)| *name == CHOSEN_PERSON).map(|(_, value)| value.to_owned()),
        }
    }

    /// The first parameter of that name, in the query or else in a form.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let mut pairs = self.query.iter().chain(&self.form);
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether the WeChat that asks is set to English.
    pub(crate) fn is_english(&self) -> bool {
        let says_so = |text: &String| text.contains("Language/en");
        self.parameter("lang") == Some("en") || self.user_agent.as_ref().is_some_and(says_so)
    }

    /// Whether it came over HTTPS.
    fn is_encrypted(&self) -> bool {
        self.origin.starts_with("https:")
    }

    /// The first parameter of that name in the query.
    pub(crate) fn query_parameter(&self, name: &str) -> Option<&str> {
        let mut pairs = self.query.iter();
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// What the body says, for the ledger.
    fn said(&self) -> Vec<(String, String)> {
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(members)) => members
                .into_iter()
                .map(|(name, value)| match value {
                    Value::String(text) => (name, text),
                    other => (name, other.to_string()),
                })
                .collect(),
            _ => self.form.clone(),
        }
    }

    fn entry(&self, time: u64) -> Entry {
        let mut entry = Entry {
            sequence: 0,
            time,
            method: self.method.clone(),
            path: self.path.clone(),
            query: self.query.clone(),
            body: self.said(),
            address: self.address,
            user_agent: self.user_agent.clone(),
            appid: None,
            code: None,
            person: None,
            openid: None,
            outcome: Outcome::Pending,
            processed: false,
            answered: false,
        };
        entry.appid = entry.parameter("appid").map(str::to_owned);
        entry.code = entry.parameter("code").map(str::to_owned);
        entry
    }
}

fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(String::from_utf8_lossy(headers.get(name)?.as_bytes()).into_owned())
}

/// The origin that a browser used, as far as its `Host` can be one.
fn origin(host: Option<String>, peer: Option<&Peer>) -> String {
    let scheme = if peer.is_some_and(Peer::is_encrypted) { "https" } else { "http" };
    let is_host = |host: &String| {
        host.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b':' | b'-' | b'[' | b']'))
    };
    let host = host.filter(is_host).unwrap_or_else(|| "localhost".to_owned());
    format!("{scheme}://{host}")
}

/// The last second of the year 9999, after which HTTP can write no date.
const END_OF_HTTP_DATES: u64 = 253_402_300_799;

/// Handles one request.
pub(crate) async fn receive(State(simulator): State<Simulator>, request: Request<Body>) -> Response<Body> {
    let peer = request.extensions().get::<ConnectInfo<Peer>>().map(|ConnectInfo(peer)| peer.clone());
    let received = Received::read(request, peer.as_ref()).await;

    // The one request that is made to be waited for. It is in the ledger meanwhile.
    let waited = if received.path == qr::POLL {
        let sequence = simulator.world().receive(&received);
        simulator.changed();
        simulator.polled(&received).await;
        Some(sequence)
    } else {
        None
    };
    let (sequence, answer, scripted, delay) = {
        let mut world = simulator.world();
        let sequence = waited.unwrap_or_else(|| world.receive(&received));
        let scripted = world.script_of(&received);
        let (mut answer, processed) = decide(&mut world, &received, &scripted);
        // What is simulated is WeChat's clock too.
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(world.now().min(END_OF_HTTP_DATES));
        answer.header(header::DATE, &httpdate::fmt_http_date(now));
        let delay = scripted.delay_milliseconds.saturating_add(world.knobs.delay(&received.path));
        if let Some(entry) = world.entry(sequence) {
            entry.outcome = answer.outcome.clone();
            entry.processed = processed;
            if answer.code.is_some() {
                entry.code.clone_from(&answer.code);
            }
            if let Some((person, openid)) = &answer.about {
                entry.person = Some(person.clone());
                entry.openid = Some(openid.clone());
            }
        }
        (sequence, answer, scripted, delay)
    };
    simulator.changed();

    simulator.delayed(delay).await;
    simulator.held(&received.path).await;
    if let Some(entry) = simulator.world().entry(sequence) {
        entry.answered = true;
    }
    simulator.changed();
    send(answer, &scripted.fault, peer.as_ref())
}

impl World {
    /// Adds a request to the ledger.
    fn receive(&mut self, received: &Received) -> u64 {
        let now = self.now();
        self.enter(received.entry(now))
    }

    /// What goes wrong with the answer: what is scripted, or what chance brings.
    fn script_of(&mut self, received: &Received) -> Scripted {
        let scripted = self.knobs.take_scripted(&received.path);
        let scripted = scripted.or_else(|| Dialect::of(&received.path).and_then(|_| self.chance()));
        scripted.unwrap_or_else(|| Fault::None.into())
    }
}

/// What is answered, and whether the request had its effect.
fn decide(world: &mut World, received: &Received, scripted: &Scripted) -> (Answer, bool) {
    let dialect = Dialect::of(&received.path);
    if let Some(dialect) = dialect.filter(|_| world.knobs.api_requires_https && !received.is_encrypted()) {
        return (api::error(world, dialect, 43003), false);
    }
    let Some(endpoint) = Endpoint::of(&received.path) else {
        if let Some(dialect) = dialect {
            return (api::error(world, dialect, 40066), false);
        }
        let body = b"404 page not found".to_vec();
        return (Answer::new(StatusCode::NOT_FOUND, "text/plain", body, Outcome::NotFound), false);
    };
    if let Some(quota) = world.knobs.quota_per_minute
        && let Some(dialect) = dialect
        && world.within_minute(&received.path, |_| true) > quota
    {
        return (api::error(world, dialect, 45011), false);
    }
    let processed = scripted.processed.unwrap_or(match &scripted.fault {
        Fault::Errcode { errcode: -1, .. } => world.knobs.burn_code_on_system_error,
        Fault::None
        | Fault::Truncated
        | Fault::Oversize { .. }
        | Fault::DuplicateKeys
        | Fault::DropAfter
        | Fault::DropHalfWay => true,
        Fault::Errcode { .. }
        | Fault::Raw { .. }
        | Fault::Html { .. }
        | Fault::Redirect { .. }
        | Fault::DropBefore => false,
    });
    let truth = processed.then(|| endpoint.answer(world, received));
    let wrong = match &scripted.fault {
        Fault::None => None,
        Fault::Errcode { errcode, .. } if received.path == qr::POLL => Some(qr::poll::script(*errcode, "")),
        Fault::Errcode { errcode, errmsg } => Some(match (dialect, errmsg) {
            (None, errmsg) => pages::error(*errcode, errmsg.as_deref(), received),
            (Some(dialect), None) => api::error(world, dialect, *errcode),
            (Some(dialect), Some(errmsg)) => api::error_with(world, dialect, *errcode, errmsg),
        }),
        fault => Some(bend(fault, dialect.unwrap_or(Dialect::Sns), truth.as_ref())),
    };
    match (wrong, truth) {
        (Some(mut wrong), truth) => {
            if let Some(truth) = truth {
                wrong.code = truth.code;
                wrong.about = truth.about;
            }
            (wrong, processed)
        }
        (None, Some(truth)) => (truth, processed),
        // Nothing is scripted but that nothing is done.
        (None, None) => (api::error(world, dialect.unwrap_or(Dialect::Sns), -1), processed),
    }
}

/// An answer that no endpoint gives.
fn bend(fault: &Fault, dialect: Dialect, truth: Option<&Answer>) -> Answer {
    let outcome = Outcome::Fault { fault: fault.name() };
    let body = truth.map(|truth| truth.body.as_slice()).unwrap_or_default();
    let api = |body| Answer::api(dialect, body, outcome.clone());
    match fault {
        Fault::Raw { status, content_type, body, latin1 } => {
            let narrow = |character| u8::try_from(u32::from(character)).unwrap_or(b'?');
            let body = if *latin1 { body.chars().map(narrow).collect() } else { body.clone().into_bytes() };
            Answer::new(status_of(*status), content_type, body, outcome)
        }
        Fault::Html { status } => {
            let status = status_of(*status);
            let body = format!(
                "<html>\r\n<head><title>{status}</title></head>\r\n<body>\r\n<center><h1>{status}</h1></center>\r\n\
                 <hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
            );
            Answer::new(status, "text/html", body.into_bytes(), outcome)
        }
        Fault::Redirect { location } => {
            let mut answer = Answer::redirect(location.clone());
            answer.outcome = outcome;
            answer
        }
        Fault::Truncated => api(body.split_at(body.len() / 2).0.to_vec()),
        Fault::Oversize { bytes } => {
            let padding = format!("{{\"padding\":\"{}\",", "x".repeat(*bytes));
            api(after_brace(body, &padding))
        }
        Fault::DuplicateKeys => {
            let others =
                r#"{"openid":"oDUPLICATEDUPLICATEDUPLICAT1","openid":"oDUPLICATEDUPLICATEDUPLICAT2","#;
            api(after_brace(body, others))
        }
        Fault::None | Fault::Errcode { .. } | Fault::DropBefore | Fault::DropAfter | Fault::DropHalfWay => {
            api(body.to_vec())
        }
    }
}

/// The body of an object with something else in the place of its opening brace.
fn after_brace(body: &[u8], instead: &str) -> Vec<u8> {
    let rest = body.strip_prefix(b"{").unwrap_or(b"\"\":0}");
    [instead.as_bytes(), rest].concat()
}

fn status_of(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn send(answer: Answer, fault: &Fault, peer: Option<&Peer>) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status;
    for (name, value) in answer.headers {
        response.headers_mut().append(name, value);
    }
    match (fault, peer) {
        (Fault::DropBefore | Fault::DropAfter, Some(peer)) => {
            peer.cut();
            response
        }
        (Fault::DropBefore | Fault::DropAfter, None) => {
            response.headers_mut().remove(header::CONTENT_TYPE);
            response.map(|_| Broken::nothing())
        }
        (Fault::DropHalfWay, _) => response.map(|_| Broken::half_of(&answer.body.into())),
        _ => response.map(|_| Body::from(answer.body)),
    }
}
