//! API Gateway's HTTP API: a listener, the template's routes, and the functions behind them.

use std::{
    collections::BTreeSet,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{ConnectInfo, Request, State},
    http::{Response, StatusCode},
    response::IntoResponse,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};

use crate::{
    Result,
    event::{Arrival, decoded_path, to_response},
    functions::{Functions, InvocationError},
    lock,
    template::Route,
    time,
};

/// API Gateway's limit on a request's body.
const LARGEST_BODY: usize = 10 * 1024 * 1024;

/// A running gateway; it stops when it is dropped.
pub struct Gateway {
    address: SocketAddr,
    functions: Functions,
    answering: BTreeSet<String>,
    served: Arc<Served>,
    _serving: JoinSet<io::Result<()>>,
}

/// A request that a function was asked, as the access log has it.
#[derive(Clone, Debug)]
pub struct Access {
    /// Its method and the pattern of its path, such as `GET /userinfo`.
    pub route_key: String,
    /// What it was answered.
    pub status: u16,
    /// From its arrival to its answer.
    pub latency: Duration,
}

struct Served {
    routes: Vec<Route>,
    functions: Functions,
    requests: AtomicU64,
    under_way: AtomicU64,
    unanswered: AtomicU64,
    access_log: Mutex<Vec<Access>>,
}

impl Gateway {
    /// Opens a gateway with these routes on a free port.
    pub async fn start(routes: Vec<Route>, functions: Functions) -> Result<Self> {
        Self::serve(TcpListener::bind("127.0.0.1:0").await?, routes, functions)
    }

    /// Opens a gateway with these routes on a port that is open already, so that the functions could
    /// be told of it.
    pub fn serve(listener: TcpListener, routes: Vec<Route>, functions: Functions) -> Result<Self> {
        let address = listener.local_addr()?;
        let answering = routes.iter().map(|route| route.binary.clone()).collect();
        let served = Arc::new(Served {
            routes,
            functions: functions.clone(),
            requests: AtomicU64::new(0),
            under_way: AtomicU64::new(0),
            unanswered: AtomicU64::new(0),
            access_log: Mutex::default(),
        });
        let application = Router::new().fallback(answer).with_state(Arc::clone(&served));
        let service = application.into_make_service_with_connect_info::<SocketAddr>();
        let serving = JoinSet::from_iter([async move { axum::serve(listener, service).await }]);
        Ok(Self { address, functions, answering, served, _serving: serving })
    }

    /// Where it listens, for plain HTTP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The names of the functions that a route leads to.
    pub fn answering(&self) -> &BTreeSet<String> {
        &self.answering
    }

    /// The access log since the last time.
    pub fn take_access_log(&self) -> Vec<Access> {
        std::mem::take(&mut *lock(&self.served.access_log))
    }

    /// How many requests a function was asked that are not in the access log yet; some of them may be of somebody who
    /// no longer waits.
    pub fn under_way(&self) -> u64 {
        self.served.under_way.load(Ordering::SeqCst)
    }

    /// How many requests it has answered itself, because no function did.
    pub fn unanswered(&self) -> u64 {
        self.served.unanswered.load(Ordering::SeqCst)
    }

    /// Hands an event to a function directly, as `aws lambda invoke` does.
    pub async fn invoke(&self, function: &str, event: &Value) -> Result<Value, InvocationError> {
        self.functions.invoke(function, event).await
    }
}

async fn answer(
    State(served): State<Arc<Served>>,
    ConnectInfo(source): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response<Body> {
    let number = served.requests.fetch_add(1, Ordering::SeqCst) + 1;
    let request_id = format!("{number:015}=");
    let (parts, body) = request.into_parts();
    let Some(path) = decoded_path(parts.uri.path()) else {
        return message(StatusCode::BAD_REQUEST, "Bad Request");
    };
    let Some((route, path_parameters)) = find(&served.routes, parts.method.as_str(), &path) else {
        return message(StatusCode::NOT_FOUND, "Not Found");
    };
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
    };
    let route_key = format!("{} {}", route.method, route.path);
    let arrived = time::now();
    let event = Arrival {
        parts: &parts,
        body: &body,
        path: &path,
        route_key: &route_key,
        path_parameters: &path_parameters,
        source,
        time: arrived,
        request_id: &request_id,
    }
    .to_event();
    let binary = route.binary.clone();
    served.under_way.fetch_add(1, Ordering::SeqCst);
    // A task of its own: who goes away before the answer has still asked, and is in the access log.
    let answered = tokio::spawn(async move {
        let response = served.ask(&binary, &event).await;
        let (status, latency) = (response.status().as_u16(), time::now().saturating_sub(arrived));
        lock(&served.access_log).push(Access { route_key, status, latency });
        served.under_way.fetch_sub(1, Ordering::SeqCst);
        response
    });
    let mut response = answered.await.unwrap_or_else(|_| internal_server_error());
    if let Ok(value) = request_id.parse() {
        response.headers_mut().insert("apigw-requestid", value);
    }
    response
}

impl Served {
    /// What a function answers, or the gateway itself where no function does.
    async fn ask(&self, binary: &str, event: &Value) -> Response<Body> {
        let response = match self.functions.invoke(binary, event).await {
            Ok(answer) => to_response(&answer).map_err(|failure| failure.to_string()),
            Err(error) => Err(error.to_string()),
        };
        response.unwrap_or_else(|reason| {
            // The visitor learns nothing, as on AWS; the person at the test does.
            self.functions.logs().note(binary, &reason);
            self.unanswered.fetch_add(1, Ordering::SeqCst);
            internal_server_error()
        })
    }
}

fn internal_server_error() -> Response<Body> {
    message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
}

/// The gateway's own answers.
fn message(status: StatusCode, text: &str) -> Response<Body> {
    (status, Json(json!({ "message": text }))).into_response()
}

/// The route of a request: one that names its path before one with a parameter, one that names
/// its method before `ANY`.
fn find<'a>(routes: &'a [Route], method: &str, path: &str) -> Option<(&'a Route, Vec<(String, String)>)> {
    routes
        .iter()
        .filter(|route| route.method == method || route.method == "ANY")
        .filter_map(|route| Some((route, match_path(&route.path, path)?)))
        .min_by_key(|(route, parameters)| (parameters.len(), route.method == "ANY"))
}

/// What a pattern's parameters stand for, if the path suits it.
fn match_path(pattern: &str, path: &str) -> Option<Vec<(String, String)>> {
    let (mut patterns, mut segments) = (pattern.split('/'), path.split('/'));
    let mut parameters = Vec::new();
    loop {
        match (patterns.next(), segments.next()) {
            (None, None) => return Some(parameters),
            (Some(pattern), Some(segment)) => {
                let name = pattern.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
                match name {
                    Some(name) if !segment.is_empty() => {
                        parameters.push((name.to_owned(), segment.to_owned()));
                    }
                    None if pattern == segment => {}
                    _ => return None,
                }
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_most_exact_route() {
        let routes: Vec<_> = [
            ("GET", "/{file}", "site"),
            ("GET", "/", "site"),
            ("GET", "/callback", "callback"),
            ("ANY", "/logout", "other"),
            ("POST", "/logout", "logout"),
        ]
        .map(|(method, path, binary)| Route {
            method: method.to_owned(),
            path: path.to_owned(),
            binary: binary.to_owned(),
        })
        .into();
        let found = |method, path| {
            find(&routes, method, path).map(|(route, _)| (route.path.as_str(), route.binary.as_str()))
        };
        assert_eq!(found("GET", "/callback"), Some(("/callback", "callback")));
        assert_eq!(found("GET", "/callbacks"), Some(("/{file}", "site")));
        assert_eq!(found("GET", "/"), Some(("/", "site")));
        assert_eq!(found("POST", "/logout"), Some(("/logout", "logout")));
        assert_eq!(found("PUT", "/logout"), Some(("/logout", "other")));
        for (method, path) in [
            ("POST", "/callback"),
            ("HEAD", "/callback"),
            ("GET", "/callback/"),
            ("GET", "/a/b"),
            ("GET", ""),
        ] {
            assert_eq!(found(method, path), None, "{method} {path}");
        }
        let (_, parameters) = find(&routes, "GET", "/MP_verify_0.txt").unwrap();
        assert_eq!(parameters, [("file".to_owned(), "MP_verify_0.txt".to_owned())]);
    }
}
