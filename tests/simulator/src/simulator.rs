//! The simulator as a program holds it.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::Router;
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

use crate::{
    admin,
    connection::{Cuttable, Peer},
    knobs::Knobs,
    ledger::Entry,
    qr::{self, QrCode},
    receive::{Received, receive},
    settings::Settings,
    world::{GlobalTokens, Wanted, World},
};

/// WeChat, offline. Clones are the same simulator.
#[derive(Clone)]
pub struct Simulator {
    inner: Arc<Inner>,
}

struct Inner {
    world: Mutex<World>,
    /// Counts what happened, to wake those who wait for it.
    changes: watch::Sender<u64>,
    /// Whether answers still due are let go at once, because the server stops.
    stopping: AtomicBool,
}

/// Something that happens to people and tokens, as opposed to a [knob](Knobs) that stays.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Every access token is past its life: 42001.
    ExpireAccessTokens,
    /// Every access token is unknown, as if a newer one had been issued: 40001.
    ForgetAccessTokens,
    /// Every refresh token is past its life.
    ExpireRefreshTokens,
    /// Every refresh token is withdrawn: 40030.
    RevokeRefreshTokens,
    /// Every global token is past its life: 42001.
    ExpireGlobalTokens,
    /// Every global token is unknown, as if somebody else had fetched one long ago: 40001.
    ForgetGlobalTokens,
    /// The person changed the password of WeChat, and every token died with the old one: 42007.
    ChangePassword {
        /// Who, by [`Person::id`](crate::Person::id).
        person: String,
    },
    /// Somebody scans a QR code.
    Scan {
        /// Which QR code; by default the latest.
        uuid: Option<String>,
        /// Who, by [`Person::id`](crate::Person::id); by default who is logged in to every browser, or the first.
        person: Option<String>,
    },
    /// Whoever scanned a QR code logs in.
    Confirm {
        /// Which QR code; by default the latest.
        uuid: Option<String>,
    },
    /// Whoever scanned a QR code does not log in.
    Cancel {
        /// Which QR code; by default the latest.
        uuid: Option<String>,
    },
    /// Every QR code that waits for somebody is too old.
    ExpireQrCodes,
    /// Every held answer is let go, and no endpoint is held any more.
    Release,
    /// Codes, grants, tokens and the ledger are forgotten. The knobs stay.
    Reset,
}

impl Simulator {
    /// A simulator of these apps and people.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let (changes, _) = watch::channel(0);
        Self {
            inner: Arc::new(Inner {
                world: Mutex::new(World::new(settings)),
                changes,
                stopping: AtomicBool::new(false),
            }),
        }
    }

    /// All endpoints: WeChat's browser pages and API on one host, and the admin interface under `/_simulator/`.
    pub fn router(&self) -> Router {
        admin::router().fallback(receive).with_state(self.clone())
    }

    /// Serves the endpoints until `shutdown` completes. Answers still held or
    /// delayed are let go then.
    pub async fn serve(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        self.serve_on(listener, None, shutdown).await
    }

    /// The same over HTTPS, with the [certificate](crate::tls_config) of whatever name the callers use.
    pub async fn serve_tls(
        &self,
        listener: TcpListener,
        tls: Arc<ServerConfig>,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        self.serve_on(listener, Some(TlsAcceptor::from(tls)), shutdown).await
    }

    async fn serve_on(
        &self,
        listener: TcpListener,
        acceptor: Option<TlsAcceptor>,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let listener = Cuttable { listener, acceptor, greeting: JoinSet::new() };
        let service = self.router().into_make_service_with_connect_info::<Peer>();
        let simulator = self.clone();
        self.inner.stopping.store(false, Ordering::SeqCst);
        axum::serve(listener, service)
            .with_graceful_shutdown(async move {
                shutdown.await;
                simulator.inner.stopping.store(true, Ordering::SeqCst);
                simulator.changed();
            })
            .await
    }

    /// What was received so far.
    #[must_use]
    pub fn ledger(&self) -> Vec<Entry> {
        self.world().ledger.clone()
    }

    /// Empties the ledger. The numbers of later entries go on.
    pub fn clear_ledger(&self) {
        self.world().ledger.clear();
        self.changed();
    }

    /// Waits until the ledger satisfies a condition: that a request has arrived, for one.
    pub async fn until(&self, satisfied: impl Fn(&[Entry]) -> bool) {
        let mut changes = self.inner.changes.subscribe();
        while !satisfied(&self.world().ledger) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Says what the knobs are by default here, and turns all of them there: `PUT /_simulator/knobs` goes back to it.
    pub fn default_knobs(&self, change: impl FnOnce(&mut Knobs)) {
        {
            let world = &mut *self.world();
            change(&mut world.default_knobs);
            world.knobs = world.default_knobs.clone();
        }
        self.changed();
    }

    /// Reads or changes the knobs.
    pub fn knobs<R>(&self, change: impl FnOnce(&mut Knobs) -> R) -> R {
        let result = change(&mut self.world().knobs);
        self.changed();
        result
    }

    /// Reads or changes the apps and people. The seed is read at the start only.
    pub fn settings<R>(&self, change: impl FnOnce(&mut Settings) -> R) -> R {
        change(&mut self.world().settings)
    }

    /// The simulated time, in Unix seconds.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.world().now()
    }

    /// Moves the clock forward, whether it stands or runs.
    pub fn advance(&self, seconds: u64) {
        self.world().advance(seconds);
        self.changed();
    }

    /// Lets something happen. What cannot happen does not; see [`attempt`](Self::attempt).
    pub fn act(&self, action: &Action) {
        // Whoever wants to know asks `attempt`.
        let _ = self.attempt(action);
    }

    /// Lets something happen, or says why it cannot.
    pub fn attempt(&self, action: &Action) -> Result<(), String> {
        let done = self.world().act(action);
        self.changed();
        done
    }

    /// The QR codes shown so far, oldest first.
    #[must_use]
    pub fn qr_codes(&self) -> Vec<QrCode> {
        self.world().qr_codes.clone()
    }

    /// Issues a code without a browser, or says whom or what nobody knows.
    pub fn issue_code(&self, person: &str, appid: &str, scope: &str) -> Result<String, String> {
        let mut world = self.world();
        if world.person(person).is_none() {
            return Err(format!("there is no person {person:?}"));
        }
        if world.app(appid).is_none() {
            return Err(format!("there is no app {appid:?}"));
        }
        let snapshot = world.shows_snapshots(scope);
        let wanted = Wanted { appid, scope, snapshot, ..Wanted::default() };
        Ok(world.issue_code(person, wanted))
    }

    /// Whom a code logs in, by [`Person::id`](crate::Person::id), for as long as the code is remembered.
    #[must_use]
    pub fn whose(&self, code: &str) -> Option<String> {
        self.world().codes.get(code).map(|code| code.identity.person.clone())
    }

    /// The person as an app knows them.
    #[must_use]
    pub fn openid(&self, person: &str, appid: &str) -> String {
        self.world().openid(person, appid)
    }

    /// The person across all apps of the same Open Platform account, if the app is bound to one.
    #[must_use]
    pub fn unionid(&self, person: &str, appid: &str) -> Option<String> {
        self.world().unionid(person, appid)
    }

    /// Waits as long as an answer is late.
    pub(crate) async fn delayed(&self, milliseconds: u64) {
        if milliseconds > 0 {
            let stopping = self.while_running(|_| true);
            // Whichever is first: the time, or the end of the server.
            let _ = tokio::time::timeout(Duration::from_millis(milliseconds), stopping).await;
        }
    }

    /// Waits while an endpoint is held.
    pub(crate) async fn held(&self, path: &str) {
        self.while_running(|world| world.knobs.hold.contains(path)).await;
    }

    /// Waits until there is news of a QR code, or the time for that is over.
    pub(crate) async fn polled(&self, received: &Received) {
        let time = Duration::from_millis(self.world().knobs.qr_poll_milliseconds);
        let waiting = self.while_running(|world| qr::poll::waits(world, received));
        let _ = tokio::time::timeout(time, waiting).await;
    }

    /// Waits while the state says so and the server is not to stop.
    async fn while_running(&self, waiting: impl Fn(&World) -> bool) {
        let mut changes = self.inner.changes.subscribe();
        while waiting(&self.world()) && !self.inner.stopping.load(Ordering::SeqCst) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// The state, for a moment. A panic elsewhere leaves it as usable as before.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.inner.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes those who wait for a change.
    pub(crate) fn changed(&self) {
        self.inner.changes.send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl World {
    fn act(&mut self, action: &Action) -> Result<(), String> {
        match action {
            Action::ExpireAccessTokens => {
                for token in self.access_tokens.values_mut() {
                    token.expires_at = 0;
                }
            }
            Action::ForgetAccessTokens => self.access_tokens.clear(),
            Action::ExpireRefreshTokens => {
                for grant in self.grants.values_mut() {
                    grant.refresh_expires_at = 0;
                }
            }
            Action::RevokeRefreshTokens => {
                for grant in self.grants.values_mut() {
                    grant.revoked = true;
                }
            }
            Action::ExpireGlobalTokens => self.global_tokens.expire(),
            Action::ForgetGlobalTokens => self.global_tokens = GlobalTokens::default(),
            Action::Scan { uuid, person } => return self.scan(uuid.as_deref(), person.as_deref()),
            Action::Confirm { uuid } => return self.confirm(uuid.as_deref()),
            Action::Cancel { uuid } => return self.cancel(uuid.as_deref()),
            Action::ExpireQrCodes => {
                for code in &mut self.qr_codes {
                    code.shown_at = 0;
                }
            }
            Action::ChangePassword { person } => {
                if self.person(person).is_none() {
                    return Err(format!("there is no person {person:?}"));
                }
                for grant in self.grants.values_mut() {
                    grant.password_changed |= grant.identity.person == *person;
                }
            }
            Action::Release => self.knobs.hold.clear(),
            Action::Reset => self.forget(),
        }
        Ok(())
    }
}
