//! What can be switched while the simulator runs.
//!
//! Two kinds share one structure, because a test sets them in one breath: what WeChat is documented or observed to do
//! in more than one way (the default is the current, strictest one), and what goes wrong on the way.

mod choice;
mod fault;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

pub use choice::{
    AuthError, CallbackAdditions, Consent, Denial, DirtyJson, DuplicateCallback, NonFollower, OpenidMismatch,
    ProfileEra, QrFragment, QuickLogin, Snapshot, SuffixStyle, UnionidInExchange,
};
pub use fault::{Fault, Scripted};

/// The knobs, each with its meaning, its type and what it is by default.
macro_rules! knobs {
    ($($(#[$meaning:meta])* $name:ident: $kind:ty = $default:expr,)+) => {
        /// The switches, by the names the admin interface uses.
        #[derive(Clone, Debug, Deserialize, Serialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Knobs { $($(#[$meaning])* pub $name: $kind,)+ }

        impl Default for Knobs {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }
    };
}

/// How often an app may call an endpoint in a day, as documented.
const QUOTAS: [(&str, u64); 3] =
    [("/cgi-bin/token", 2_000), ("/cgi-bin/stable_token", 500_000), ("/cgi-bin/user/info", 5_000_000)];

knobs! {
    /// The time in Unix seconds at which the clock stands still. None: the clock runs.
    clock: Option<u64> = None,
    /// Added to the running clock, in seconds.
    clock_offset: i64 = 0,

    /// The authorize page wants its parameters in the documented order, as documented until 2022.
    strict_param_order: bool = false,
    /// A `state` that is absent or empty is page 10013, as documented.
    state_required: bool = false,
    /// The authorize page wants WeChat's own user agent.
    check_user_agent: bool = true,
    /// Who is logged in to every browser, by [`Person::id`](crate::Person::id), whatever was chosen there.
    current_person: Option<String> = None,
    /// Whether the consent page asks.
    consent: Consent = Consent::Ask,
    /// What follows a refusal.
    denial: Denial = Denial::None,
    /// A follower comes from the account's own menu: no consent page.
    entry_from_menu: bool = false,
    /// What the client adds to the address of the callback.
    callback_additions: CallbackAdditions = CallbackAdditions::None,
    /// A relay on the way to the callback sends its query twice over.
    callback_query_doubled: bool = false,
    /// The browser visits the callback twice.
    duplicate_callback: DuplicateCallback = DuplicateCallback::Off,
    /// Within so many seconds the same person silently gets the same code again, spent or not. 0: never.
    reissue_code_seconds: u64 = 0,
    /// More authorizations of one person and app within a minute end on page 10009.
    authorize_per_minute: Option<u64> = None,
    /// Visitors of `snsapi_userinfo` get a snapshot page: a silent code of a virtual person.
    snapshot: Snapshot = Snapshot::Off,
    /// `forceSnapShot=true` has its effect. Developers could not always reproduce it.
    force_snapshot_works: bool = true,
    /// Within so many seconds of a real login, nobody gets a snapshot page for `forceSnapShot=true`.
    snapshot_exemption_seconds: u64 = 0,
    /// Who granted `snsapi_userinfo` before is not asked again, unless `forcePopup=true`.
    consent_remembered: bool = false,
    /// Accounts (appids) that are banned: page 10004, and 50004 instead of a global token.
    banned_apps: BTreeSet<String> = BTreeSet::new(),

    /// Seconds a QR code lives.
    qr_lifetime: u64 = 300,
    /// Milliseconds after which a poll of a QR code that waits is answered 408.
    qr_poll_milliseconds: u64 = 25_000,
    /// Where a QR page puts the code into a callback that has a fragment.
    qr_fragment: QrFragment = QrFragment::Within,
    /// `wxLogin.js` gives its frame a sandbox in which it may send the page around it to the callback.
    wx_login_sandbox: bool = false,
    /// What the WeChat on the visitor's computer says to a login that is not scanned.
    quick_login: QuickLogin = QuickLogin::None,

    /// The API answers 43003 to plain HTTP, as WeChat does. Whoever serves plain HTTP alone switches it off.
    api_requires_https: bool = true,
    /// How an error ends.
    suffix_style: SuffixStyle = SuffixStyle::Rid,
    /// `errcode` as a string.
    errcode_as_string: bool = false,
    /// Non-ASCII characters of a body as `\u` escapes.
    unicode_escapes: bool = false,
    /// More calls to one API endpoint within a minute answer 45011.
    quota_per_minute: Option<u64> = None,
    /// More calls of one app to an endpoint (path) within a day, of China, answer 45009.
    quota_per_day: BTreeMap<String, u64> = BTreeMap::from(QUOTAS.map(|(path, quota)| (path.to_owned(), quota))),
    /// Which part of the calls to the API ends in a web server's error page, between 0 and 1. Half of those have
    /// their effect all the same.
    http_5xx_rate: f64 = 0.0,

    /// Seconds a code of an Official Account lives.
    code_lifetime_official_account: u64 = 300,
    /// Seconds a code of a website app lives.
    code_lifetime_website: u64 = 600,
    /// Seconds an access token lives.
    access_token_lifetime: u64 = 7200,
    /// Seconds a refresh token lives.
    refresh_token_lifetime: u64 = 30 * 24 * 3600,
    /// What an expired code answers: 40029 as seen live, or 42003 as documented.
    expired_code_errcode: i64 = 40029,
    /// What a spent code answers: 40163, or 40029 as until 2016.
    used_code_errcode: i64 = 40163,
    /// What an expired refresh token answers: 40030 as seen live, or 42002 as documented.
    expired_refresh_token_errcode: i64 = 40030,
    /// A scripted -1 spends the code all the same.
    burn_code_on_system_error: bool = true,
    /// A new exchange makes the person's earlier access tokens invalid.
    sns_single_live_token: bool = false,
    /// A refresh replaces the refresh token too.
    refresh_rotates_refresh_token: bool = false,
    /// The exchange answers with `scope`.
    scope_in_exchange: bool = true,
    /// When an exchange of `snsapi_userinfo` carries the unionid.
    unionid_in_userinfo_exchange: UnionidInExchange = UnionidInExchange::Always,
    /// An exchange of `snsapi_base` carries the unionid of a person who granted `snsapi_userinfo` before.
    base_exchange_unionid_after_prior_grant: bool = false,
    /// `unionid` stands before `is_snapshotuser`.
    unionid_before_snapshot_flag: bool = false,
    /// The exchange of a third-party platform answers with `is_snapshotuser` too.
    component_snapshot_flag: bool = true,

    /// What profiles look like.
    user_profile_era: ProfileEra = ProfileEra::Current,
    /// Bytes in a profile that no JSON may hold.
    dirty_json: DirtyJson = DirtyJson::Off,
    /// `sex` as a string.
    sex_as_string: bool = false,
    /// `/sns/userinfo` refuses the token of a snapshot page with 48001, as in August 2022.
    snapshot_userinfo_unauthorized: bool = false,
    /// What `/sns/userinfo` says to the openid of another person.
    userinfo_openid_mismatch: OpenidMismatch = OpenidMismatch::Refuse,
    /// `/sns/userinfo` answers with the openid of somebody else.
    userinfo_answers_other_openid: bool = false,
    /// What `/sns/auth` says to a token or openid that is not right.
    auth_error: AuthError = AuthError::ByCause,

    /// The addresses from which Official Accounts may fetch global tokens. None: all.
    ip_allow_list: Option<Vec<String>> = None,
    /// What another address answers: 40164 as seen live, 61004 or 45035 as documented, 89503 while the administrator
    /// has not confirmed it.
    unlisted_ip_errcode: i64 = 40164,
    /// Seconds a global token lives.
    global_token_lifetime: u64 = 7200,
    /// Seconds a token of `cgi-bin/token` lives on after a newer one was given.
    token_grace_seconds: u64 = 300,
    /// What a global token that nobody knows answers: 40001 or 40014.
    unknown_global_token_errcode: i64 = 40001,
    /// `cgi-bin/stable_token` answers 41002 unless `force_refresh` is said.
    stable_token_wants_force_refresh: bool = false,
    /// `cgi-bin/user/info` tells the unionid of people who do not follow.
    unionid_for_non_follower: bool = false,
    /// What `cgi-bin/user/info` answers for people who do not follow.
    non_follower_body: NonFollower = NonFollower::Blank,

    /// Milliseconds by which the answers of an endpoint (its path, or `*` for all) are late.
    delay_milliseconds: BTreeMap<String, u64> = BTreeMap::new(),
    /// Endpoints (paths) whose answers are kept back while they stand here.
    hold: BTreeSet<String> = BTreeSet::new(),
    /// What the next calls of an endpoint (its path) answer, first to last.
    next: BTreeMap<String, VecDeque<Scripted>> = BTreeMap::new(),
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
