//! What is to be kept, looked for in everything that leaves a function and everything that is stored.
//!
//! A stack that is [watched](crate::Options::watched) shows every line that a process prints, and every
//! answer as the process gave it, to its [`Watch`]; when it has stopped, the tables are shown as well.
//! Nothing of that is kept, so a watch may last for as many requests as one likes.
//!
//! Two kinds of values are looked for. What WeChat issues holds the simulator's
//! [marker](simulator::MARKER), and its secrets and people have names that are known in advance: those
//! are found at once, however they are encoded (`search`). Our own tokens are random, and are collected
//! from the answers that hand them out; whatever else looked like one is compared with them in the end
//! (`windows`).
//!
//! Each value has exactly one place where it may stand (`answer`): a browser secret in the one
//! `Set-Cookie` of `/authorize`, a session token in that of `/callback`, a state in the `Location` that
//! leads to WeChat, and a person's openid, unionid, nickname and avatar in the body of that person's own
//! `/userinfo`. A code of ours may stand in the `Location` that leads to a registered client, our tokens in the answer
//! of `token` that gives them, and a request's handle in the address that a login comes back to. A client's secret may
//! stand nowhere. Anywhere else is a [`Hit`].

mod answer;
mod finding;
mod search;
mod windows;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use simulator::{MARKER, Simulator};

use crate::{lock, logs::Line};
pub use finding::{Found, Hit, Kind};
use search::Search;

/// Watches one stack; clones are the same watch.
#[derive(Clone)]
pub struct Watch(Arc<Watched>);

struct Watched {
    simulator: Simulator,
    /// What the address of WeChat's pages begins with.
    wechat: String,
    search: RwLock<Search>,
    own: Mutex<Own>,
    hits: Mutex<HashSet<Hit>>,
    answers: AtomicU64,
    lines: AtomicU64,
    items: AtomicU64,
}

/// What is known of our own tokens.
#[derive(Default)]
struct Own {
    /// The numbers of the tokens that were handed out or made by a test.
    tokens: HashMap<u64, Kind>,
    /// The numbers of what looks like one, and where it was first seen.
    seen: HashMap<u64, String>,
    /// How many different tokens there are.
    counts: BTreeMap<Kind, u64>,
    /// Whom a session may show: everybody whose code was brought for it.
    sessions: HashMap<String, HashSet<String>>,
    /// What may be shown of a person.
    people: HashMap<String, Arc<Shown>>,
    /// Where this deployment is, as far as browsers know.
    public_url: String,
    /// Where its clients take answers.
    redirect_uris: Vec<String>,
}

/// What a person's own `/userinfo` may hold.
#[derive(Default)]
struct Shown {
    /// Openids and unionids, as they are.
    ids: Vec<String>,
    /// Nickname and avatar.
    texts: Vec<String>,
}

impl Watch {
    /// Watches for what this simulator issues and knows. WeChat's pages are below `wechat_open_url`.
    #[must_use]
    pub fn new(simulator: Simulator, wechat_open_url: &str) -> Self {
        let watch = Self(Arc::new(Watched {
            simulator,
            wechat: format!("{wechat_open_url}/connect/"),
            search: RwLock::new(Search::new()),
            own: Mutex::default(),
            hits: Mutex::default(),
            answers: AtomicU64::new(0),
            lines: AtomicU64::new(0),
            items: AtomicU64::new(0),
        }));
        watch.plant(Kind::Planted, MARKER);
        watch.learn();
        watch
    }

    /// Looks for this text too, from now on; says whether it did not before.
    pub fn plant(&self, kind: Kind, text: &str) -> bool {
        self.0.search.write().unwrap_or_else(PoisonError::into_inner).add(text, kind)
    }

    /// A deployment that is an OpenID Provider: its address, and its clients as the configuration has them.
    pub fn provider(&self, public_url: &str, openid_connect: &str) {
        let configuration: Value = serde_json::from_str(openid_connect).unwrap_or_default();
        let clients = configuration["clients"].as_object().into_iter().flatten().map(|(_, client)| client);
        let uris = clients.flat_map(|client| client["redirect_uris"].as_array().into_iter().flatten());
        let uris = uris.filter_map(Value::as_str).map(str::to_owned).collect();
        let mut own = lock(&self.0.own);
        (own.public_url, own.redirect_uris) = (public_url.to_owned(), uris);
    }

    /// Looks for this secret of a client too, from the first request that brings it.
    fn client_secret(&self, secret: &str) {
        if self.plant(Kind::ClientSecret, secret) {
            *lock(&self.0.own).counts.entry(Kind::ClientSecret).or_default() += 1;
        }
    }

    /// Looks for this token of ours too, wherever it has been written already. One that is neither in
    /// hexadecimal nor in base64 is none.
    pub fn token(&self, kind: Kind, token: &str) {
        let Some(keys) = windows::keys_of(token) else { return };
        let mut own = lock(&self.0.own);
        if own.tokens.insert(keys[0], kind).is_none() {
            *own.counts.entry(kind).or_default() += 1;
        }
        own.tokens.insert(keys[1], kind);
    }

    /// Looks for these private keys too, in PEM, line by line.
    pub fn signing_keys(&self, pem: &str) {
        let is_label = |line: &str| line.starts_with("-----");
        let keys = pem.lines().filter(|line| line.starts_with("-----BEGIN ")).count();
        for line in pem.lines().filter(|line| !is_label(line)) {
            self.plant(Kind::SigningKey, line);
        }
        *lock(&self.0.own).counts.entry(Kind::SigningKey).or_default() += keys as u64;
    }

    /// Takes in the secrets and people of the simulator, and says whether there are new ones.
    fn learn(&self) -> bool {
        let (secrets, people) = self.0.simulator.settings(|settings| {
            let secrets = settings.apps.iter().map(|app| app.secret.clone());
            let tokens = settings.components.iter().map(|component| component.access_token.clone());
            (secrets.chain(tokens).collect::<Vec<_>>(), settings.people.clone())
        });
        let mut is_new = false;
        for secret in secrets {
            is_new |= self.plant(Kind::AppSecret, &secret);
        }
        for person in people {
            is_new |= self.plant(Kind::Nickname, telling(&person.nickname));
            is_new |= person.avatar.is_some_and(|avatar| self.plant(Kind::Avatar, &avatar));
        }
        is_new
    }

    /// Searches a line of a log.
    pub fn line(&self, line: &Line) {
        let number = self.0.lines.fetch_add(1, Ordering::Relaxed) + 1;
        self.search(line.text.as_bytes(), &|| place_of(number, line));
    }

    /// Searches a whole log for the secrets and people that a test has added since the beginning.
    pub fn catch_up(&self, lines: &[Line]) {
        if !self.learn() {
            return;
        }
        for (number, line) in (1..).zip(lines) {
            self.known(line.text.as_bytes(), &|| place_of(number, line));
        }
    }

    /// Searches a stored item.
    pub fn item(&self, table: &str, item: &Value) {
        self.0.items.fetch_add(1, Ordering::Relaxed);
        let place = || format!("the item {} of {table}", item["id"]["S"].as_str().unwrap_or_default());
        // A login knows where it comes back to; without the browser's secret the handle there opens nothing.
        let is_back = |text: &Value| text["S"].as_str().is_some_and(|text| answer::handles(text).len() == 1);
        match item.as_object().filter(|item| item.get("return_to").is_some_and(is_back)) {
            Some(item) => {
                let rest = item.iter().filter(|(name, _)| *name != "return_to");
                let rest = rest.map(|(name, value)| (name.clone(), value.clone()));
                self.stored(&Value::Object(rest.collect()), &place);
            }
            None => self.stored(item, &place),
        }
    }

    /// Every text of an item, and every binary attribute as the bytes that it is.
    fn stored(&self, value: &Value, place: &dyn Fn() -> String) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    self.known(name.as_bytes(), place);
                    match value.as_str().filter(|_| name == "B") {
                        Some(encoded) => {
                            let bytes = STANDARD.decode(encoded).unwrap_or_default();
                            self.known(&bytes, place);
                            self.match_tokens(place, |each| {
                                windows::of_bytes(&bytes, &mut *each);
                                windows::of_text(&bytes, each);
                            });
                        }
                        None => self.stored(value, place),
                    }
                }
            }
            Value::Array(values) => values.iter().for_each(|value| self.stored(value, place)),
            Value::String(text) => {
                self.known(text.as_bytes(), place);
                self.match_tokens(place, |each| windows::of_text(text.as_bytes(), each));
            }
            _ => {}
        }
    }

    /// Compares with the tokens known by now, which in a dump at the end are all.
    fn match_tokens(&self, place: &dyn Fn() -> String, windows: impl FnOnce(&mut dyn FnMut(u64))) {
        let own = lock(&self.0.own);
        windows(&mut |key| {
            if let Some(kind) = own.tokens.get(&key) {
                self.hit(*kind, place(), format!("{:08x}…", key >> 32));
            }
        });
    }

    /// Searches a text in which nothing may stand.
    fn search(&self, text: &[u8], place: &dyn Fn() -> String) {
        self.known(text, place);
        self.remember(text, place);
    }

    /// Searches for what is known in advance.
    fn known(&self, text: &[u8], place: &dyn Fn() -> String) {
        self.known_but(text, place, &Shown::default());
    }

    /// The same, but for what is this person's own.
    fn known_but(&self, text: &[u8], place: &dyn Fn() -> String, shown: &Shown) {
        let search = self.0.search.read().unwrap_or_else(PoisonError::into_inner);
        search.find(text, |at, pattern| {
            let is_marker = pattern.text == MARKER;
            let value = if is_marker { word_around(text, at) } else { pattern.text.clone() };
            let is_own = if is_marker {
                shown.ids.contains(&value)
            } else {
                matches!(pattern.kind, Kind::Nickname | Kind::Avatar)
                    && shown.texts.iter().any(|own| own.contains(&value))
            };
            if is_own {
                return;
            }
            let kind = match pattern.encoding {
                "as it is" if is_marker => Kind::of_letter(text.get(at + MARKER.len()).copied()),
                _ => pattern.kind,
            };
            let start: String = value.chars().take(14).collect();
            self.hit(kind, place(), format!("{start}… {}", pattern.encoding));
        });
    }

    /// Keeps what looks like a token of ours until all of them are known.
    fn remember(&self, text: &[u8], place: &dyn Fn() -> String) {
        windows::of_text(text, |key| {
            lock(&self.0.own).seen.entry(key).or_insert_with(place);
        });
    }

    fn hit(&self, kind: Kind, place: String, shown: String) {
        lock(&self.0.hits).insert(Hit { kind, place, shown });
    }

    /// What has been found by now. Complete once the stack has stopped and every item has been shown.
    pub fn found(&self) -> Found {
        let mut canaries = self.issued();
        let own = lock(&self.0.own);
        for (key, place) in &own.seen {
            if let Some(kind) = own.tokens.get(key) {
                self.hit(*kind, place.clone(), format!("{:08x}…", key >> 32));
            }
        }
        canaries.extend(own.counts.iter().map(|(kind, count)| (*kind, *count)));
        let mut hits: Vec<_> = lock(&self.0.hits).iter().cloned().collect();
        hits.sort();
        Found {
            answers: self.0.answers.load(Ordering::Relaxed),
            lines: self.0.lines.load(Ordering::Relaxed),
            items: self.0.items.load(Ordering::Relaxed),
            canaries,
            hits,
        }
    }

    /// How many values that can be found went over the wire to or from WeChat, as far as its ledger says.
    fn issued(&self) -> BTreeMap<Kind, u64> {
        let mut values: BTreeMap<Kind, HashSet<String>> = BTreeMap::new();
        let mut add = |value: &str| {
            let at = value.find(MARKER);
            let kind = at.map(|at| Kind::of_letter(value.as_bytes().get(at + MARKER.len()).copied()));
            if let Some(kind) = kind {
                values.entry(kind).or_default().insert(value.to_owned());
            }
        };
        let mut secrets = HashSet::new();
        let mut people = HashSet::new();
        for entry in self.0.simulator.ledger() {
            for (name, value) in entry.query.iter().chain(&entry.body) {
                add(value);
                if name == "secret" {
                    secrets.insert(value.clone());
                }
            }
            entry.code.iter().chain(&entry.openid).for_each(|value| add(value));
            if entry.path == "/sns/userinfo" {
                people.extend(entry.person);
            }
        }
        let count = |kind, values: usize| {
            let values = u64::try_from(values).unwrap_or(u64::MAX);
            (kind, values)
        };
        let mut counts: BTreeMap<_, _> =
            values.into_iter().map(|(kind, values)| count(kind, values.len())).collect();
        let shown = |kind: fn(&simulator::Person) -> bool| {
            self.0.simulator.settings(|settings| {
                settings.people.iter().filter(|person| people.contains(&person.id) && kind(person)).count()
            })
        };
        counts.extend([
            count(Kind::AppSecret, secrets.len()),
            count(Kind::Nickname, shown(|_| true)),
            count(Kind::Avatar, shown(|person| person.avatar.is_some())),
            count(Kind::UnionId, people.len()),
        ]);
        counts
    }
}

fn place_of(number: u64, line: &Line) -> String {
    format!("line {number} or so of the log, by {}[{}]", line.function, line.worker)
}

/// The part of a nickname by which it is looked for: the longest that no encoding of text changes.
fn telling(nickname: &str) -> &str {
    let words =
        |keep: fn(char) -> bool| nickname.split(move |letter| !keep(letter)).max_by_key(|word| word.len());
    let foreign = words(|letter| !letter.is_ascii()).filter(|word| !word.is_empty());
    // A short English word may stand anywhere.
    let plain = || words(|letter| letter.is_ascii_alphanumeric()).filter(|word| word.len() >= 10);
    foreign.or_else(plain).unwrap_or_default()
}

/// The identifier of which the marker at this place is a part.
fn word_around(text: &[u8], at: usize) -> String {
    let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    let before = text.get(..at).unwrap_or_default().iter().rev().take_while(is_part).count();
    let after = text.get(at..).unwrap_or_default().iter().take_while(is_part).count();
    String::from_utf8_lossy(text.get(at - before..at + after).unwrap_or_default()).into_owned()
}
