//! Everything the simulator remembers: codes, grants, tokens, and what it received.

mod global_tokens;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::{
    api::Errcode,
    cgi::component::Authorization,
    identifiers::Identifiers,
    knobs::{Fault, Knobs, Scripted, Snapshot},
    ledger::Entry,
    qr::{QrCode, quick},
    settings::{App, AppKind, Component, Person, Settings},
};

pub(crate) use global_tokens::GlobalTokens;

/// The state behind the simulator's lock.
pub(crate) struct World {
    pub(crate) settings: Settings,
    pub(crate) knobs: Knobs,
    /// What each knob is as long as nobody turned it.
    pub(crate) default_knobs: Knobs,
    pub(crate) ledger: Vec<Entry>,
    pub(crate) identifiers: Identifiers,
    pub(crate) codes: HashMap<String, Code>,
    pub(crate) grants: BTreeMap<u64, Grant>,
    pub(crate) access_tokens: HashMap<String, AccessToken>,
    /// Which grant a refresh token belongs to.
    pub(crate) refresh_tokens: HashMap<String, u64>,
    pub(crate) global_tokens: GlobalTokens,
    /// What the owners of accounts are asked by third-party platforms, by the code that stands for it.
    pub(crate) authorizations: HashMap<String, Authorization>,
    /// The QR codes shown, oldest first.
    pub(crate) qr_codes: Vec<QrCode>,
    /// The logins that a desktop's WeChat was asked about, by `authorize_uuid`.
    pub(crate) quick_logins: HashMap<String, quick::Asked>,
    /// The calls of an app to an endpoint, on the day of the latest.
    calls: HashMap<(String, String), (u64, u64)>,
    sequence: u64,
    /// The latest silent code of a person, app and scope, and when it was issued.
    silent_codes: HashMap<(String, String, String), (String, u64)>,
    /// Who (person, appid) has exchanged a code of a scope that shows the profile, and when last.
    profile_grants: BTreeMap<(String, String), u64>,
    /// Who (person, appid) has been to a snapshot page whose flag was missing.
    unflagged: BTreeSet<(String, String)>,
}

/// A person as one app knows them.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) person: String,
    pub(crate) openid: String,
    /// Who openid and unionid are derived from: the person, or somebody made up for a snapshot page.
    pub(crate) known_as: String,
    /// Somebody who exists on a snapshot page only.
    pub(crate) snapshot: bool,
}

/// A code handed out by the authorize page.
#[derive(Clone, Debug)]
pub(crate) struct Code {
    pub(crate) appid: String,
    pub(crate) identity: Identity,
    pub(crate) scope: String,
    /// The third-party platform it was issued to.
    pub(crate) component: Option<String>,
    pub(crate) issued_at: u64,
    pub(crate) used: bool,
}

/// What a code is issued for.
#[derive(Clone, Copy, Default)]
pub(crate) struct Wanted<'a> {
    pub(crate) appid: &'a str,
    pub(crate) scope: &'a str,
    /// The third-party platform that asks for the app.
    pub(crate) component: Option<&'a str>,
    /// Nobody was asked.
    pub(crate) silent: bool,
    /// Of somebody who exists on a snapshot page only.
    pub(crate) snapshot: bool,
}

/// What an exchange granted; it outlives its access tokens.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) appid: String,
    pub(crate) identity: Identity,
    pub(crate) scope: String,
    /// The third-party platform it was granted to.
    pub(crate) component: Option<String>,
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
    pub(crate) refresh_expires_at: u64,
    pub(crate) revoked: bool,
    /// Everything of this grant died with the old password (42007).
    pub(crate) password_changed: bool,
}

/// An access token of a person, the `sns` kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AccessToken {
    pub(crate) grant: u64,
    pub(crate) expires_at: u64,
}

impl World {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            identifiers: Identifiers::new(settings.seed),
            settings,
            knobs: Knobs::default(),
            default_knobs: Knobs::default(),
            ledger: Vec::new(),
            codes: HashMap::new(),
            grants: BTreeMap::new(),
            access_tokens: HashMap::new(),
            refresh_tokens: HashMap::new(),
            global_tokens: GlobalTokens::default(),
            authorizations: HashMap::new(),
            qr_codes: Vec::new(),
            quick_logins: HashMap::new(),
            calls: HashMap::new(),
            sequence: 0,
            silent_codes: HashMap::new(),
            profile_grants: BTreeMap::new(),
            unflagged: BTreeSet::new(),
        }
    }

    /// Forgets what happened. Numbers and draws go on, so that nothing is issued twice.
    pub(crate) fn forget(&mut self) {
        let fresh = Self::new(self.settings.clone());
        let before = std::mem::replace(self, fresh);
        (self.knobs, self.default_knobs) = (before.knobs, before.default_knobs);
        (self.identifiers, self.sequence) = (before.identifiers, before.sequence);
    }

    /// The simulated time, in Unix seconds.
    pub(crate) fn now(&self) -> u64 {
        self.knobs.clock.unwrap_or_else(|| real_time().saturating_add_signed(self.knobs.clock_offset))
    }

    pub(crate) fn advance(&mut self, seconds: u64) {
        match &mut self.knobs.clock {
            Some(clock) => *clock = clock.saturating_add(seconds),
            None => {
                self.knobs.clock_offset = self.knobs.clock_offset.saturating_add_unsigned(seconds);
            }
        }
    }

    pub(crate) fn app(&self, appid: &str) -> Option<&App> {
        self.settings.apps.iter().find(|app| app.appid == appid)
    }

    pub(crate) fn person(&self, id: &str) -> Option<&Person> {
        self.settings.people.iter().find(|person| person.id == id)
    }

    pub(crate) fn component(&self, appid: &str) -> Option<&Component> {
        self.settings.components.iter().find(|component| component.appid == appid)
    }

    /// Whose openid it is at an app.
    pub(crate) fn person_of(&self, openid: &str, appid: &str) -> Option<&Person> {
        self.settings.people.iter().find(|person| self.openid(&person.id, appid) == openid)
    }

    /// Whether the person follows the Official Account.
    pub(crate) fn follows(&self, person: &str, appid: &str) -> bool {
        self.person(person).is_some_and(|person| person.follows.iter().any(|followed| followed == appid))
    }

    pub(crate) fn openid(&self, person: &str, appid: &str) -> String {
        self.identifiers.openid(person, appid)
    }

    pub(crate) fn unionid(&self, person: &str, appid: &str) -> Option<String> {
        let open_account = self.app(appid)?.open_account.as_deref()?;
        Some(self.identifiers.unionid(person, open_account))
    }

    /// The unionid of somebody whom an app knows already. Asked for each time: the app may be bound to an Open Platform
    /// account while people are logged in, and then their older tokens show it, too.
    pub(crate) fn unionid_of(&self, identity: &Identity, appid: &str) -> Option<String> {
        self.unionid(&identity.known_as, appid)
    }

    /// Adds to the ledger and numbers the entry.
    pub(crate) fn enter(&mut self, entry: Entry) -> u64 {
        self.sequence += 1;
        self.ledger.push(Entry { sequence: self.sequence, ..entry });
        self.sequence
    }

    /// The entry of that number, unless the ledger was cleared meanwhile.
    pub(crate) fn entry(&mut self, sequence: u64) -> Option<&mut Entry> {
        let mut entries = self.ledger.iter_mut().rev();
        entries.find(|entry| entry.sequence == sequence)
    }

    /// How many requests to a path arrived within the current minute, this one included.
    pub(crate) fn within_minute(&self, path: &str, matches: impl Fn(&Entry) -> bool) -> u64 {
        let minute = self.now() / 60;
        let mut count = 0;
        for entry in self.ledger.iter().rev().take_while(|entry| entry.time / 60 == minute) {
            count += u64::from(entry.path == path && matches(entry));
        }
        count
    }

    /// Counts a call of an app, and refuses those over the quota of the day.
    pub(crate) fn count(&mut self, appid: &str, path: &str) -> Result<(), Errcode> {
        let today = Self::day(self.now());
        let quota = self.knobs.quota_per_day.get(path).copied();
        let (day, calls) = self.calls.entry((appid.to_owned(), path.to_owned())).or_default();
        if *day != today {
            (*day, *calls) = (today, 0);
        }
        *calls += 1;
        if quota.is_some_and(|quota| *calls > quota) { Err(45009) } else { Ok(()) }
    }

    /// The day of a time in China, where WeChat's quotas begin anew.
    pub(crate) fn day(time: u64) -> u64 {
        time.saturating_add(8 * 3600) / (24 * 3600)
    }

    /// What goes wrong by chance.
    pub(crate) fn chance(&mut self) -> Option<Scripted> {
        let rate = self.knobs.http_5xx_rate;
        let now = self.now();
        if rate <= 0.0 || self.identifiers.draw_chance(now) >= rate {
            return None;
        }
        let processed = Some(self.identifiers.draw_chance(now) < 0.5);
        Some(Scripted { processed, ..Fault::Html { status: 502 }.into() })
    }

    /// Whether a login of that scope meets a snapshot page whoever asks.
    pub(crate) fn shows_snapshots(&self, scope: &str) -> bool {
        scope == "snsapi_userinfo" && self.knobs.snapshot != Snapshot::Off
    }

    /// Issues a code. A silent one may be the same as a moment ago.
    pub(crate) fn issue_code(&mut self, person: &str, wanted: Wanted<'_>) -> String {
        let Wanted { appid, scope, component, silent, snapshot } = wanted;
        let now = self.now();
        let key = (person.to_owned(), appid.to_owned(), scope.to_owned());
        if silent
            && let Some((code, issued_at)) = self.silent_codes.get(&key)
            && self.knobs.reissue_code_seconds > 0
            && now < issued_at.saturating_add(self.knobs.reissue_code_seconds)
        {
            return code.clone();
        }
        let known_as = if snapshot { self.identifiers.draw_virtual_person(now) } else { person.to_owned() };
        let identity =
            Identity { person: person.to_owned(), openid: self.openid(&known_as, appid), known_as, snapshot };
        let code = self.identifiers.draw_code(now);
        if silent {
            self.silent_codes.insert(key, (code.clone(), now));
        }
        let issued = Code {
            appid: appid.to_owned(),
            identity,
            scope: scope.to_owned(),
            component: component.map(str::to_owned),
            issued_at: now,
            used: false,
        };
        self.codes.insert(code.clone(), issued);
        code
    }

    /// Whether a code is past its life, which depends on the platform of its app.
    pub(crate) fn is_expired(&self, code: &Code) -> bool {
        let lifetime = match self.app(&code.appid).map(|app| app.kind) {
            Some(AppKind::Website) => self.knobs.code_lifetime_website,
            _ => self.knobs.code_lifetime_official_account,
        };
        self.now() > code.issued_at.saturating_add(lifetime)
    }

    /// Turns a code into a grant with its first tokens.
    pub(crate) fn grant(&mut self, code: &Code) -> Grant {
        let now = self.now();
        let identity = &code.identity;
        if self.knobs.sns_single_live_token {
            let grants = &self.grants;
            self.access_tokens.retain(|_, token| {
                grants
                    .get(&token.grant)
                    .is_none_or(|grant| grant.appid != code.appid || grant.identity.openid != identity.openid)
            });
        }
        if code.scope != "snsapi_base" && !identity.snapshot {
            self.profile_grants.insert((identity.person.clone(), code.appid.clone()), now);
        }
        let grant = Grant {
            appid: code.appid.clone(),
            identity: identity.clone(),
            scope: code.scope.clone(),
            component: code.component.clone(),
            access_token: self.identifiers.draw_token(now, "access_token"),
            refresh_token: self.identifiers.draw_token(now, "refresh_token"),
            refresh_expires_at: self.now().saturating_add(self.knobs.refresh_token_lifetime),
            revoked: false,
            password_changed: false,
        };
        let id = self.grants.last_key_value().map_or(1, |(last, _)| last + 1);
        let expires_at = self.access_token_expiry();
        self.access_tokens.insert(grant.access_token.clone(), AccessToken { grant: id, expires_at });
        self.refresh_tokens.insert(grant.refresh_token.clone(), id);
        self.grants.insert(id, grant.clone());
        grant
    }

    /// When an access token issued or prolonged now expires.
    pub(crate) fn access_token_expiry(&self) -> u64 {
        self.now().saturating_add(self.knobs.access_token_lifetime)
    }

    /// When the person last showed their profile to the app.
    pub(crate) fn granted_profile_at(&self, person: &str, appid: &str) -> Option<u64> {
        self.profile_grants.get(&(person.to_owned(), appid.to_owned())).copied()
    }

    /// Whether the exchange of a snapshot page says so.
    pub(crate) fn flags_snapshot(&mut self, identity: &Identity, appid: &str) -> bool {
        if !identity.snapshot {
            return false;
        }
        if self.knobs.snapshot != Snapshot::FlagMissingFirst {
            return true;
        }
        // `insert` is true the first time, and the first time lacks the flag.
        !self.unflagged.insert((identity.person.clone(), appid.to_owned()))
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where the simulated clock meets the real one")]
fn real_time() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |duration| duration.as_secs())
}
