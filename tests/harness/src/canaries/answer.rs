//! What may stand in an answer, and where: the exceptions, and the whole list of them.

use std::{collections::HashSet, sync::Arc, sync::atomic::Ordering};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::hmac;
use serde_json::Value;

use super::{Kind, Shown, Watch};
use crate::lock;

/// The digits of a token of ours.
const DIGITS: usize = 64;
/// The letters of a request's handle.
const HANDLE: usize = 43;
/// The shortest secret of a client that is looked for, in bytes.
const LEAST_SECRET: usize = 16;

impl Watch {
    /// Searches an answer, or the error that a function reported instead of one, as it left the process.
    pub fn answer(&self, function: &str, event: &[u8], answer: &Value) {
        let number = self.0.answers.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(ticket) = tapped(event).filter(|_| function == "handoff") {
            self.may_show(&ticket, event);
        }
        for secret in secrets_brought(event) {
            self.client_secret(&secret);
        }
        let status = &answer["statusCode"];
        let place = |part: &str| format!("{part} of answer {number}, a {status} of {function}");
        let is_page =
            answer["headers"]["content-type"].as_str().is_some_and(|kind| kind.starts_with("text/html"));
        let Some(fields) = answer.as_object() else {
            self.texts(answer, &|| place("the whole"));
            return;
        };
        for (name, value) in fields {
            match (name.as_str(), value) {
                ("headers", Value::Object(headers)) => {
                    for (name, value) in headers {
                        let place = || place(&format!("the header {name}"));
                        self.search(name.as_bytes(), &place);
                        match value.as_str() {
                            Some(location) if function == "authorize" && name == "location" => {
                                if self.is_own(location) {
                                    self.search(self.without_handles(location, false).as_bytes(), &place);
                                } else {
                                    self.location(location, &place);
                                }
                            }
                            Some(location) if function == "openid" && name == "location" => {
                                let rest = self.to_client(location, event);
                                self.search(self.without_handles(&rest, true).as_bytes(), &place);
                            }
                            // Back to the provider after a login, or on to a page that leads there.
                            Some(location) if name == "location" && self.is_own(location) => {
                                self.search(self.without_handles(location, false).as_bytes(), &place);
                            }
                            _ => self.texts(value, &place),
                        }
                    }
                }
                ("cookies", Value::Array(cookies)) => {
                    let mut set = HashSet::new();
                    for cookie in cookies.iter().filter_map(Value::as_str) {
                        self.cookie(function, event, cookie, &mut set, &|| place("a cookie"));
                    }
                }
                ("body", Value::String(body)) => {
                    let decoded = (answer["isBase64Encoded"] == true)
                        .then(|| STANDARD.decode(body).unwrap_or_default());
                    let body = decoded.as_deref().unwrap_or(body.as_bytes());
                    let shown = if function == "userinfo" && *status == 200 {
                        self.whose(event)
                    } else {
                        Arc::default()
                    };
                    let tokens = tokens(function, status, body);
                    if !tokens.is_empty() {
                        let mut rest = String::from_utf8_lossy(body).into_owned();
                        for (kind, token) in tokens {
                            self.may_show(&token, event);
                            rest = rest.replace(&token, "");
                            if kind == Kind::ClientRefreshToken {
                                self.token(kind, token.trim_start_matches("r."));
                            } else {
                                self.signed(kind, &token, event, &|| place("the token"));
                            }
                        }
                        self.search(rest.as_bytes(), &|| place("the body"));
                        continue;
                    }
                    // The button of a page leads back to the client's request.
                    let page = is_page
                        .then(|| self.without_handles(&String::from_utf8_lossy(body), function == "openid"));
                    let body = page.as_deref().map_or(body, str::as_bytes);
                    self.known_but(body, &|| place("the body"), &shown);
                    self.remember(body, &|| place("the body"));
                }
                _ => self.texts(value, &|| place(name)),
            }
        }
    }

    /// Every text within a value.
    fn texts(&self, value: &Value, place: &dyn Fn() -> String) {
        match value {
            Value::String(text) => self.search(text.as_bytes(), place),
            Value::Array(values) => values.iter().for_each(|value| self.texts(value, place)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    self.search(name.as_bytes(), place);
                    self.texts(value, place);
                }
            }
            _ => {}
        }
    }

    /// The way to WeChat holds the state, once.
    fn location(&self, location: &str, place: &dyn Fn() -> String) {
        let state = location
            .strip_prefix(&self.0.wechat)
            .and_then(|rest| rest.split_once("state="))
            .and_then(|(_, rest)| rest.get(..DIGITS))
            .filter(|state| is_token(state));
        let Some(state) = state else {
            self.search(location.as_bytes(), place);
            return;
        };
        self.token(Kind::State, state);
        for part in location.splitn(2, state) {
            self.search(part.as_bytes(), place);
        }
    }

    /// The one `Set-Cookie` of its name holds its token, in an answer of the function whose cookie it is.
    fn cookie(
        &self,
        function: &str,
        event: &[u8],
        cookie: &str,
        set: &mut HashSet<Kind>,
        place: &dyn Fn() -> String,
    ) {
        let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (kind, owner) = match kind_of(name) {
            // Whoever ends a session gives the browser a new secret.
            "browser" => (Kind::BrowserSecret, &["authorize", "handoff", "logout", "openid", "userinfo"][..]),
            "session" => (Kind::SessionToken, &["callback", "handoff"][..]),
            // Each login by a phone has one of its own.
            name if name.starts_with("handoff-") => (Kind::PickUpSecret, &["handoff"][..]),
            // And so does a client's request, if it is what a browser comes with first.
            name if name.starts_with("request-") => (Kind::RequestSecret, &["openid"][..]),
            _ => (Kind::Planted, &[][..]),
        };
        // A browser's secret stands behind its birth.
        let value = value.split_once('.').map_or(value, |(_, secret)| secret);
        if !owner.is_empty() && is_token(value) {
            self.token(kind, value);
        }
        if owner.contains(&function) && is_token(value) && set.insert(kind) {
            self.search(attributes.as_bytes(), place);
        } else {
            self.search(cookie.as_bytes(), place);
        }
        if kind == Kind::SessionToken && is_token(value) {
            let code = query_of(event).and_then(|query| {
                form_urlencoded::parse(query.as_bytes())
                    .find(|(name, _)| name == "code")
                    .map(|(_, code)| code.into_owned())
            });
            let person = code.and_then(|code| self.0.simulator.whose(&code));
            let mut own = lock(&self.0.own);
            // Or everybody whose phone tapped for the ticket that this browser waits for.
            let handed = ticket_of(event).and_then(|ticket| own.sessions.get(&ticket).cloned());
            let people = person.into_iter().chain(handed.unwrap_or_default());
            own.sessions.entry(value.to_owned()).or_default().extend(people);
        }
    }

    /// A token for an API may name whom its session shows, and nobody may find its signature again.
    fn signed(&self, kind: Kind, token: &str, event: &[u8], place: &dyn Fn() -> String) {
        let mut parts = token.split('.');
        let decoded =
            |part: Option<&str>| URL_SAFE_NO_PAD.decode(part.unwrap_or_default()).unwrap_or_default();
        self.search(&decoded(parts.next()), place);
        let claims = decoded(parts.next());
        self.known_but(&claims, place, &self.whose(event));
        self.remember(&claims, place);
        if let Some(signature) = parts.next() {
            self.token(kind, signature);
        }
    }

    /// A code of ours stands in the address of a registered client, and leads to tokens that name whom its session
    /// shows. A form that is repeated as a link stands there too. What is left of the address.
    fn to_client(&self, location: &str, event: &[u8]) -> String {
        let form = body_of(event);
        let form = String::from_utf8_lossy(&form);
        if self.is_own(location)
            && let Some(address) = location.strip_suffix(&*form).filter(|_| !form.is_empty())
        {
            return address.to_owned();
        }
        let is_client = lock(&self.0.own).redirect_uris.iter().any(|uri| location.starts_with(uri.as_str()));
        let query = location.split_once('?').map_or("", |(_, query)| query);
        let code =
            form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "code").map(|(_, code)| code);
        match code {
            Some(code) if is_client => {
                self.token(Kind::ClientCode, &code);
                self.may_show(&code, event);
                location.replacen(&*code, "", 1)
            }
            _ => location.to_owned(),
        }
    }

    /// Whether an address is this deployment's own.
    fn is_own(&self, location: &str) -> bool {
        let own = lock(&self.0.own);
        let rest = location.strip_prefix(&own.public_url).filter(|_| !own.public_url.is_empty());
        rest.is_some_and(|rest| rest.starts_with('/'))
            || location.starts_with('/') && !location.starts_with("//")
    }

    /// A text without the handles of requests, where each stands in the address that it is for; `are_new` if the text
    /// is of the function that makes them.
    fn without_handles(&self, text: &str, are_new: bool) -> String {
        let mut rest = text.to_owned();
        for handle in handles(text) {
            if are_new {
                self.token(Kind::RequestHandle, &handle);
            }
            rest = rest.replace(&handle, "");
        }
        rest
    }

    /// Whoever brings this may be shown what the event that it came from may.
    fn may_show(&self, token: &str, event: &[u8]) {
        let mut own = lock(&self.0.own);
        let people: HashSet<String> =
            brought(event).iter().filter_map(|token| own.sessions.get(token)).flatten().cloned().collect();
        own.sessions.entry(token.to_owned()).or_default().extend(people);
    }

    /// What may be shown to the session, the code or the token that an event brings.
    fn whose(&self, event: &[u8]) -> Arc<Shown> {
        let mut own = lock(&self.0.own);
        let people: HashSet<String> =
            brought(event).iter().filter_map(|token| own.sessions.get(token)).flatten().cloned().collect();
        // Mostly one; two when two codes came for one state.
        let mut all = Shown::default();
        for person in people {
            let shown = own.people.entry(person.clone()).or_insert_with(|| Arc::new(self.of_person(&person)));
            all.ids.extend(shown.ids.iter().cloned());
            all.texts.extend(shown.texts.iter().cloned());
        }
        Arc::new(all)
    }

    fn of_person(&self, id: &str) -> Shown {
        let simulator = &self.0.simulator;
        let (apps, person) = simulator.settings(|settings| {
            let apps: Vec<_> = settings.apps.iter().map(|app| app.appid.clone()).collect();
            (apps, settings.people.iter().find(|person| person.id == id).cloned())
        });
        let openids = apps.iter().map(|app| simulator.openid(id, app));
        let unionids = apps.iter().filter_map(|app| simulator.unionid(id, app));
        let texts = person.into_iter().flat_map(|person| {
            // Who has left WeChat is called that.
            let nickname = if person.deleted { "用户已经注销".to_owned() } else { person.nickname };
            [Some(nickname), person.avatar].into_iter().flatten()
        });
        Shown { ids: openids.chain(unionids).collect(), texts: texts.collect() }
    }
}

/// The handles in a text, each in the address that leads back to its request.
pub(super) fn handles(text: &str) -> Vec<String> {
    let is_digit = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    let addresses = ["/oauth2/continue?request=", "%2Foauth2%2Fcontinue%3Frequest%3D"];
    let behind = addresses.iter().flat_map(|address| text.split(address).skip(1));
    let handles =
        behind.map(|rest| rest.split(|letter| !is_digit(letter)).next().unwrap_or_default().to_owned());
    handles.filter(|handle| handle.len() == HANDLE).collect()
}

/// The tokens in an answer that gives some.
fn tokens(function: &str, status: &Value, body: &[u8]) -> Vec<(Kind, String)> {
    let gives = function == "token" && *status == 200;
    let answer: Value = if gives { serde_json::from_slice(body).unwrap_or_default() } else { Value::Null };
    let kinds = [
        ("access_token", Kind::SignedToken),
        ("id_token", Kind::IdToken),
        ("refresh_token", Kind::ClientRefreshToken),
    ];
    kinds.iter().filter_map(|(name, kind)| Some((*kind, answer[*name].as_str()?.to_owned()))).collect()
}

/// The secrets that a client shows in an event, in its form or by HTTP Basic.
fn secrets_brought(event: &[u8]) -> Vec<String> {
    let form = body_of(event);
    let event: Value = serde_json::from_slice(event).unwrap_or_default();
    let basic = event["headers"]["authorization"].as_str().and_then(|text| text.strip_prefix("Basic "));
    let basic = basic.and_then(|text| String::from_utf8(STANDARD.decode(text).ok()?).ok());
    let encoded = basic.as_deref().and_then(|pair| pair.split_once(':')).map(|(_, secret)| secret);
    let encoded = encoded.map(|secret| format!("client_secret={secret}")).unwrap_or_default();
    let fields = form_urlencoded::parse(&form).chain(form_urlencoded::parse(encoded.as_bytes()));
    // A shorter one is a test's guess, and may stand anywhere.
    let is_secret = |name: &str, value: &str| name == "client_secret" && value.len() >= LEAST_SECRET;
    fields.filter(|(name, value)| is_secret(name, value)).map(|(_, value)| value.into_owned()).collect()
}

/// The form that an event brings.
fn body_of(event: &[u8]) -> Vec<u8> {
    let event: Value = serde_json::from_slice(event).unwrap_or_default();
    let body = event["body"].as_str().unwrap_or_default();
    if event["isBase64Encoded"] == true {
        STANDARD.decode(body).unwrap_or_default()
    } else {
        body.as_bytes().to_vec()
    }
}

/// The fields of an event's form.
fn form_of(event: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(&body_of(event)).into_owned().collect()
}

/// The ticket that a phone taps for.
fn tapped(event: &[u8]) -> Option<String> {
    form_of(event).into_iter().find(|(name, _)| name == "ticket").map(|(_, ticket)| ticket)
}

/// What a cookie is for: its name without what stands before it with TLS, and without.
fn kind_of(name: &str) -> &str {
    let kind = name.strip_prefix("__Host-").or_else(|| name.strip_prefix("wechat-login-"));
    kind.unwrap_or_default()
}

/// The ticket that a browser waits for.
fn ticket_of(event: &[u8]) -> Option<String> {
    let query = query_of(event)?;
    let state = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "state")?.1.into_owned();
    let event: Value = serde_json::from_slice(event).ok()?;
    let cookies = event["cookies"].as_array()?.iter().filter_map(Value::as_str);
    let mut pairs = cookies.filter_map(|cookie| cookie.split_once('='));
    let (_, secret) = pairs.find(|(name, _)| kind_of(name) == "browser")?;
    let secret = secret.split_once('.').map_or(secret, |(_, secret)| secret);
    let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes(secret)?);
    let ticket = hmac::sign(&key, &[b"ticket\0", &*bytes(&state)?].concat());
    let digits = ticket.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// The bytes that hex digits stand for.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks_exact(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// What an event brings by which somebody is known: a session, an access token, a code or a refresh token.
fn brought(event: &[u8]) -> Vec<String> {
    let fields = form_of(event).into_iter();
    let event: Value = serde_json::from_slice(event).unwrap_or_default();
    let cookies = event["cookies"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let pairs = cookies.filter_map(|cookie| cookie.split_once('='));
    let is_session = |name: &str| kind_of(name) == "session";
    let sessions = pairs.filter(|(name, _)| is_session(name)).map(|(_, token)| token.to_owned());
    let bearer = event["headers"]["authorization"].as_str().and_then(|text| text.strip_prefix("Bearer "));
    let fields = fields.filter(|(name, _)| name == "code" || name == "refresh_token");
    sessions.chain(bearer.map(str::to_owned)).chain(fields.map(|(_, value)| value)).collect()
}

fn query_of(event: &[u8]) -> Option<String> {
    let event: Value = serde_json::from_slice(event).ok()?;
    event["rawQueryString"].as_str().map(str::to_owned)
}

fn is_token(text: &str) -> bool {
    text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
