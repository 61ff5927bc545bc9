//! What can be switched while the simulator runs.
//!
//! Two kinds share one structure, because a test sets them in one breath: what WeChat is documented or observed to do
//! in more than one way (the default is the current, strictest one), and what goes wrong on the way.

mod choice;
mod fault;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

pub use choice::{
    AuthError, Consent, Denial, DirtyJson, DuplicateCallback, NonFollower, OpenidMismatch, ProfileEra,
    QrFragment, Snapshot, SuffixStyle, UnionidInExchange,
};
pub use fault::{Fault, Scripted};

/// The switches, by the names the admin interface uses.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own, not a state of one machine")]
pub struct Knobs {
    /// The time in Unix seconds at which the clock stands still. None: the clock runs.
    pub clock: Option<u64>,
    /// Added to the running clock, in seconds.
    pub clock_offset: i64,

    /// The authorize page wants its parameters in the documented order.
    pub strict_param_order: bool,
    /// The authorize page wants WeChat's own user agent.
    pub check_user_agent: bool,
    /// Who is logged in to every browser, by [`Person::id`](crate::Person::id), whatever was chosen there.
    pub current_person: Option<String>,
    /// Whether the consent page asks.
    pub consent: Consent,
    /// What follows a refusal.
    pub denial: Denial,
    /// A follower comes from the account's own menu: no consent page.
    pub entry_from_menu: bool,
    /// The browser visits the callback twice.
    pub duplicate_callback: DuplicateCallback,
    /// Within so many seconds the same person silently gets the same code again, spent or not. 0: never.
    pub reissue_code_seconds: u64,
    /// More authorizations of one person and app within a minute end on page 10009.
    pub authorize_per_minute: Option<u64>,
    /// Visitors of `snsapi_userinfo` get a snapshot page: a silent code of a virtual person.
    pub snapshot: Snapshot,
    /// `forceSnapShot=true` has its effect. Developers could not always reproduce it.
    pub force_snapshot_works: bool,
    /// Within so many seconds of a real login, nobody gets a snapshot page for `forceSnapShot=true`.
    pub snapshot_exemption_seconds: u64,
    /// Who granted `snsapi_userinfo` before is not asked again, unless `forcePopup=true`.
    pub consent_remembered: bool,
    /// Accounts (appids) that are banned: page 10004, and 50004 instead of a global token.
    pub banned_apps: BTreeSet<String>,

    /// Seconds a QR code lives.
    pub qr_lifetime: u64,
    /// Milliseconds after which a poll of a QR code that waits is answered 408.
    pub qr_poll_milliseconds: u64,
    /// Where a QR page puts the code into a callback that has a fragment.
    pub qr_fragment: QrFragment,

    /// How an error ends.
    pub suffix_style: SuffixStyle,
    /// `errcode` as a string.
    pub errcode_as_string: bool,
    /// Non-ASCII characters of a body as `\u` escapes.
    pub unicode_escapes: bool,
    /// More calls to one API endpoint within a minute answer 45011.
    pub quota_per_minute: Option<u64>,
    /// More calls of one app to an endpoint (path) within a day, of China, answer 45009.
    pub quota_per_day: BTreeMap<String, u64>,
    /// Which part of the calls to the API ends in a web server's error page, between 0 and 1. Half of those have
    /// their effect all the same.
    pub http_5xx_rate: f64,

    /// Seconds a code of an Official Account lives.
    pub code_lifetime_official_account: u64,
    /// Seconds a code of a website app lives.
    pub code_lifetime_website: u64,
    /// Seconds an access token lives.
    pub access_token_lifetime: u64,
    /// Seconds a refresh token lives.
    pub refresh_token_lifetime: u64,
    /// What an expired code answers: 40029 as seen live, or 42003 as documented.
    pub expired_code_errcode: i64,
    /// What a spent code answers: 40163, or 40029 as until 2016.
    pub used_code_errcode: i64,
    /// What an expired refresh token answers: 40030 as seen live, or 42002 as documented.
    pub expired_refresh_token_errcode: i64,
    /// A scripted -1 spends the code all the same.
    pub burn_code_on_system_error: bool,
    /// A new exchange makes the person's earlier access tokens invalid.
    pub sns_single_live_token: bool,
    /// A refresh replaces the refresh token too.
    pub refresh_rotates_refresh_token: bool,
    /// The exchange answers with `scope`.
    pub scope_in_exchange: bool,
    /// When an exchange of `snsapi_userinfo` carries the unionid.
    pub unionid_in_userinfo_exchange: UnionidInExchange,
    /// An exchange of `snsapi_base` carries the unionid of a person who granted `snsapi_userinfo` before.
    pub base_exchange_unionid_after_prior_grant: bool,
    /// `unionid` stands before `is_snapshotuser`.
    pub unionid_before_snapshot_flag: bool,
    /// The exchange of a third-party platform answers with `is_snapshotuser` too.
    pub component_snapshot_flag: bool,

    /// What profiles look like.
    pub user_profile_era: ProfileEra,
    /// Bytes in a profile that no JSON may hold.
    pub dirty_json: DirtyJson,
    /// `sex` as a string.
    pub sex_as_string: bool,
    /// `/sns/userinfo` refuses the token of a snapshot page with 48001, as in August 2022.
    pub snapshot_userinfo_unauthorized: bool,
    /// What `/sns/userinfo` says to the openid of another person.
    pub userinfo_openid_mismatch: OpenidMismatch,
    /// `/sns/userinfo` answers with the openid of somebody else.
    pub userinfo_answers_other_openid: bool,
    /// What `/sns/auth` says to a token or openid that is not right.
    pub auth_error: AuthError,

    /// The addresses from which Official Accounts may fetch global tokens. None: all.
    pub ip_allow_list: Option<Vec<String>>,
    /// What another address answers: 40164 as seen live, 61004 or 45035 as documented, 89503 while the administrator
    /// has not confirmed it.
    pub unlisted_ip_errcode: i64,
    /// Seconds a global token lives.
    pub global_token_lifetime: u64,
    /// Seconds a token of `cgi-bin/token` lives on after a newer one was given.
    pub token_grace_seconds: u64,
    /// What a global token that nobody knows answers: 40001 or 40014.
    pub unknown_global_token_errcode: i64,
    /// `cgi-bin/stable_token` answers 41002 unless `force_refresh` is said.
    pub stable_token_wants_force_refresh: bool,
    /// `cgi-bin/user/info` tells the unionid of people who do not follow.
    pub unionid_for_non_follower: bool,
    /// What `cgi-bin/user/info` answers for people who do not follow.
    pub non_follower_body: NonFollower,

    /// Milliseconds by which the answers of an endpoint (its path, or `*` for all) are late.
    pub delay_milliseconds: BTreeMap<String, u64>,
    /// Endpoints (paths) whose answers are kept back while they stand here.
    pub hold: BTreeSet<String>,
    /// What the next calls of an endpoint (its path) answer, first to last.
    pub next: BTreeMap<String, VecDeque<Scripted>>,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            clock: None,
            clock_offset: 0,
            strict_param_order: true,
            check_user_agent: true,
            current_person: None,
            consent: Consent::Ask,
            denial: Denial::None,
            entry_from_menu: false,
            duplicate_callback: DuplicateCallback::Off,
            reissue_code_seconds: 0,
            authorize_per_minute: None,
            snapshot: Snapshot::Off,
            force_snapshot_works: true,
            snapshot_exemption_seconds: 0,
            consent_remembered: false,
            banned_apps: BTreeSet::new(),
            qr_lifetime: 300,
            qr_poll_milliseconds: 25_000,
            qr_fragment: QrFragment::Within,
            suffix_style: SuffixStyle::Rid,
            errcode_as_string: false,
            unicode_escapes: false,
            quota_per_minute: None,
            quota_per_day: [
                ("/cgi-bin/token", 2_000),
                ("/cgi-bin/stable_token", 500_000),
                ("/cgi-bin/user/info", 5_000_000),
            ]
            .map(|(path, quota)| (path.to_owned(), quota))
            .into(),
            http_5xx_rate: 0.0,
            code_lifetime_official_account: 300,
            code_lifetime_website: 600,
            access_token_lifetime: 7200,
            refresh_token_lifetime: 30 * 24 * 3600,
            expired_code_errcode: 40029,
            used_code_errcode: 40163,
            expired_refresh_token_errcode: 40030,
            burn_code_on_system_error: true,
            sns_single_live_token: false,
            refresh_rotates_refresh_token: false,
            scope_in_exchange: true,
            unionid_in_userinfo_exchange: UnionidInExchange::Always,
            base_exchange_unionid_after_prior_grant: false,
            unionid_before_snapshot_flag: false,
            component_snapshot_flag: true,
            user_profile_era: ProfileEra::Current,
            dirty_json: DirtyJson::Off,
            sex_as_string: false,
            snapshot_userinfo_unauthorized: false,
            userinfo_openid_mismatch: OpenidMismatch::Refuse,
            userinfo_answers_other_openid: false,
            auth_error: AuthError::ByCause,
            ip_allow_list: None,
            unlisted_ip_errcode: 40164,
            global_token_lifetime: 7200,
            token_grace_seconds: 300,
            unknown_global_token_errcode: 40001,
            stable_token_wants_force_refresh: false,
            unionid_for_non_follower: false,
            non_follower_body: NonFollower::Blank,
            delay_milliseconds: BTreeMap::new(),
            hold: BTreeSet::new(),
            next: BTreeMap::new(),
        }
    }
}

impl Knobs {
    /// Appends to what the next calls of an endpoint answer.
    pub fn script(&mut self, path: &str, scripted: impl Into<Scripted>) {
        self.next.entry(path.to_owned()).or_default().push_back(scripted.into());
    }

    /// By how many milliseconds the answers of an endpoint are late.
    pub(crate) fn delay(&self, path: &str) -> u64 {
        let late = |path| self.delay_milliseconds.get(path).copied().unwrap_or(0);
        late(path).saturating_add(late("*"))
    }

    /// Takes what the next call of an endpoint answers.
    pub(crate) fn take_scripted(&mut self, path: &str) -> Option<Scripted> {
        let queue = self.next.get_mut(path)?;
        let mut scripted = queue.pop_front();
        if let Some(first) = &mut scripted
            && first.times > 1
        {
            queue.push_front(Scripted { times: first.times - 1, ..first.clone() });
        }
        if queue.is_empty() {
            self.next.remove(path);
        }
        scripted
    }
}
