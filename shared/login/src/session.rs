//! A session: who is logged in, sealed so that only the browser's cookie opens it.
//!
//! ```text
//!   browser secret B (cookie)     state (URL)     code (URL, once)
//!            └──────────── HMAC-SHA256 ────────────────┘
//!                      │
//!               session token ───── sha256 ────► key of the item
//!                      │
//!                     HKDF ────► AES-256-GCM key ────► openid, unionid, tokens, profile
//! ```
//!
//! The token is *derived*, so a duplicate callback from the same browser, with the same code, computes the
//! same token and can be answered again without anything having been stored that could be replayed. B and
//! state alone do not give it: both can be read off an open page on a shared computer, or planted. The code is
//! what only the browser sees that WeChat sends it to, so who shares B, or chose it, still has no session.
//! The table holds the digest of the token and the sealed blob: a copy of it opens nothing. The item's key
//! is the seal's associated data, so a blob moved to another item does not open either.
//!
//! What remains: whoever *opened* a QR page can ask WeChat for the code that somebody else's scan brings, and
//! whoever shares B can plant a login of his own in that browser. Neither is ever given a session that was
//! there before.

use std::ops::Not;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use settings::{Settings, Wrong};

use crate::pending::{BrowserSecret, LoginId, State};
use crate::seal::{self, NonceBytes, Sealed};
use crate::secret::{Digest, hmac, random_secret};
use crate::time::Timestamp;
use wechat::body::UserInfo;
use wechat::errcode::Errcode;
use wechat::{AccessToken, AppId, AuthorizationCode, GrantedScope, Lang, OpenId, RefreshToken, UnionId};

const INFO: &str = "seal of a session";

/// The longest session: browsers keep no cookie for more than 400 days
/// ([RFC 6265bis §5.5](https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis#section-5.5)).
const LONGEST_SESSION: Duration = Duration::from_hours(400 * 24);

settings::declare! {
    SESSION_LIFETIME_SECONDS, "a number of seconds from 60 to 34560000", "`86400`", ["`604800`", "`604800`"], ["How long a person stays logged in; from 60 to 34560000, the 400 days after which browsers drop any cookie", "登录保持多久，60 到 34560000（400 天，浏览器保存 Cookie 的上限）"];
}

/// Reads how long a session lasts.
///
/// # Errors
///
/// [`Wrong`] if it is wrong, which is noted.
pub fn lifetime(settings: &mut Settings<'_>) -> Result<Duration, Wrong> {
    let read = |text: &str| settings::seconds(text, 60).filter(|lifetime| *lifetime <= LONGEST_SESSION);
    Ok(settings.optional(&SESSION_LIFETIME_SECONDS, read)?.unwrap_or(Duration::from_hours(7 * 24)))
}

random_secret! {
    /// What the session cookie holds: it names the session and opens its seal.
    SessionToken
}

impl SessionToken {
    /// The token of the one session that `state` and `code` can lead to in the browser that holds `browser`.
    #[must_use]
    pub fn derive(browser: &BrowserSecret, state: &State, code: &AuthorizationCode) -> Self {
        Self(hmac(browser.bytes(), &[b"session\0", state.bytes(), code.expose().as_bytes()]))
    }

    /// The key under which the session is stored.
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        SessionId(Digest::of(self.expose().as_bytes()).as_str().to_owned())
    }
}

random_secret! {
    /// What, beside a code or a token, opens the grants that came from a session. It lies open in the session's item
    /// and goes with it: then nothing opens them any more, though nobody could list them.
    Pepper
}

impl Pepper {
    /// The 32 bytes, for the table and for the key of a seal.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The key of a stored session: the digest of its token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionId(String);

impl SessionId {
    /// Takes a key that was read back from a table.
    #[must_use]
    pub const fn stored(id: String) -> Self {
        Self(id)
    }

    /// The key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A session as it is stored: what may be read without the cookie, and the sealed rest.
#[derive(Debug, Clone)]
pub struct StoredSession {
    /// The sealed [`Session`].
    pub sealed: Sealed,
    /// The login it came from.
    pub login: LoginId,
    /// When it began.
    pub created_at: Timestamp,
    /// When its content last changed.
    pub refreshed_at: Timestamp,
    /// Counts the changes; a change is saved only over the version it was made from.
    pub version: u64,
    /// When WeChat said that the person's grant is gone, if it did. Nothing is asked of WeChat from then on.
    pub refused_at: Option<Timestamp>,
    /// When it is over.
    pub expires_at: Timestamp,
    /// What opens its grants; `None` of a session from before there were any.
    pub pepper: Option<Pepper>,
}

impl StoredSession {
    /// One that begins now. `pepper` must be fresh random bytes each time.
    #[must_use]
    pub fn new(sealed: Sealed, login: LoginId, pepper: Pepper, now: Timestamp, lifetime: Duration) -> Self {
        Self {
            sealed,
            login,
            created_at: now,
            refreshed_at: now,
            version: 1,
            refused_at: None,
            expires_at: now.plus(lifetime),
            pepper: Some(pepper),
        }
    }
}

/// Who is logged in, and with which tokens.
#[derive(Debug, Clone)]
pub struct Session {
    /// The app the person logged in with.
    pub app: AppId,
    /// The person within that app.
    pub openid: OpenId,
    /// The person across apps, as far as WeChat said.
    pub unionid: Option<UnionId>,
    /// What the person granted.
    pub scope: GrantedScope,
    /// The person's token; none of a session that another one [handed over](crate::handoff).
    pub access_token: Option<AccessToken>,
    /// What renews it, if WeChat gave it.
    pub refresh_token: Option<RefreshToken>,
    /// The profile as it was last read, if it was.
    pub profile: Option<Profile>,
    /// Whether the page would like the profile, though the login was a silent one.
    pub wants_profile: bool,
    /// Whether the person followed the Official Account at the login, if WeChat said so.
    pub subscription: Option<Subscription>,
    /// When WeChat last said since the login that the grant stands, so that it is not asked all the time.
    pub confirmed_at: Option<Timestamp>,
    /// What WeChat last refused since then, for the same reason.
    pub refusals: Refusals,
}

/// What WeChat refused to say of a session, by what it was asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusals {
    /// The profile.
    pub profile: Option<RefusedBefore>,
    /// Whether the grant stands.
    pub grant: Option<RefusedBefore>,
}

impl Refusals {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedBefore {
    /// WeChat's `errcode`.
    pub errcode: Errcode,
    /// What it was about.
    pub about: RefusedAbout,
    /// When WeChat said so.
    pub at: Timestamp,
}

/// What WeChat refused, where its number alone does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusedAbout {
    /// What was asked.
    Question,
    /// The access token that was asked with, though it was renewed, or nothing renews it.
    Token,
    /// The third-party platform.
    Platform,
}

/// Whether a person follows the Official Account, as WeChat last said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// `subscribe`.
    pub subscribe: bool,
    /// When WeChat said so.
    pub read_at: Timestamp,
}

/// A profile, and what is needed to judge whether it is still good.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Profile {
    /// What WeChat said.
    pub user_info: UserInfo,
    /// The language it was asked for in.
    pub lang: Option<Lang>,
    /// When it was read.
    pub read_at: Timestamp,
    /// Whether that was after the login, which asks in a language that need not be the page's.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub is_read_again: bool,
}

/// What is inside a seal. The only place where a person's tokens are written down.
#[derive(Serialize, Deserialize)]
struct Unsealed {
    app: String,
    openid: String,
    unionid: Option<String>,
    scope: String,
    /// Empty if there is none, as below: version 0.1.0, which may read this while a deployment is under way, knows no
    /// other way to say so.
    access_token: String,
    refresh_token: String,
    profile: Option<Profile>,
    // Whatever is as by default is left out: a session of more than 1,024 bytes costs another unit at each write.
    #[serde(default, skip_serializing_if = "Not::not")]
    wants_profile: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subscription: Option<Subscription>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confirmed_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Refusals::is_empty")]
    refusals: Refusals,
}

impl Session {
    /// Seals the session for the holder of `token`. `nonce` must be fresh random bytes each time.
    ///
    /// `None` only if the session cannot be encoded, which no value of it can cause.
    #[must_use]
    pub fn seal(&self, token: &SessionToken, nonce: NonceBytes) -> Option<Sealed> {
        seal::seal(&token.0, INFO, token.session_id().as_str(), nonce, &self.to_text()?)
    }

    /// Whether a phone handed it over: what it hands over has none of WeChat's tokens.
    #[must_use]
    pub const fn is_handed_over(&self) -> bool {
        self.access_token.is_none()
    }

    /// What is sealed.
    pub(crate) fn to_text(&self) -> Option<Vec<u8>> {
        let exposed = |token: Option<&str>| token.unwrap_or_default().to_owned();
        let unsealed = Unsealed {
            app: self.app.as_str().to_owned(),
            openid: self.openid.expose().to_owned(),
            unionid: self.unionid.as_ref().map(|unionid| unionid.expose().to_owned()),
            scope: self.scope.as_str().to_owned(),
            access_token: exposed(self.access_token.as_ref().map(AccessToken::expose)),
            refresh_token: exposed(self.refresh_token.as_ref().map(RefreshToken::expose)),
            profile: self.profile.clone(),
            wants_profile: self.wants_profile,
            subscription: self.subscription,
            confirmed_at: self.confirmed_at,
            refusals: self.refusals,
        };
        serde_json::to_vec(&unsealed).ok()
    }

    /// Opens a seal with the token it was made for; `None` if it is another's, altered or unknown.
    #[must_use]
    pub fn unseal(token: &SessionToken, sealed: &Sealed) -> Option<Self> {
        Self::from_text(&seal::open(&token.0, INFO, token.session_id().as_str(), sealed)?)
    }

    /// Reads what was sealed.
    pub(crate) fn from_text(text: &[u8]) -> Option<Self> {
        let unsealed: Unsealed = serde_json::from_slice(text).ok()?;
        Some(Self {
            app: AppId::parse(&unsealed.app)?,
            openid: OpenId::new(unsealed.openid),
            unionid: unsealed.unionid.map(UnionId::new),
            scope: GrantedScope::new(&unsealed.scope),
            access_token: Some(unsealed.access_token).filter(|token| !token.is_empty()).map(AccessToken::new),
            refresh_token: Some(unsealed.refresh_token)
                .filter(|token| !token.is_empty())
                .map(RefreshToken::new),
            profile: unsealed.profile,
            wants_profile: unsealed.wants_profile,
            subscription: unsealed.subscription,
            confirmed_at: unsealed.confirmed_at,
            refusals: unsealed.refusals,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session {
            app: AppId::parse("wx0000000000000aaa").unwrap(),
            openid: OpenId::new("oCanaryOpenId".to_owned()),
            unionid: Some(UnionId::new("oCanaryUnionId".to_owned())),
            scope: GrantedScope::new("snsapi_userinfo"),
            access_token: Some(AccessToken::new("CanaryAccess".to_owned())),
            refresh_token: Some(RefreshToken::new("CanaryRefresh".to_owned())),
            profile: None,
            wants_profile: false,
            subscription: None,
            confirmed_at: None,
            refusals: Refusals::default(),
        }
    }

    fn derive(browser: u8, state: u8, code: &str) -> SessionToken {
        let browser = BrowserSecret::new(Timestamp::from_epoch_seconds(1_700_000_000), [browser; 32]);
        let code = AuthorizationCode::parse(code.to_owned()).unwrap();
        SessionToken::derive(&browser, &State::new([state; 32]), &code)
    }

    #[test]
    fn a_token_is_the_hmac_of_browser_state_and_code() {
        // printf 'session\0\2\2…\2' (32 times) '0canarycode' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0101…01
        let token = derive(1, 2, "0canarycode");
        assert_eq!(token.expose(), "f8d7811d6c94fe860df8c7cde87b731698851a6145e8ce7da6d2b00560f8812c");
        // The table knows the digest of what the cookie says, and nothing that would open the session.
        assert_eq!(token.session_id().as_str(), Digest::of(token.expose().as_bytes()).as_str());
    }

    #[test]
    fn only_the_same_browser_state_and_code_derive_the_same_token() {
        let derive = |browser, state, code| derive(browser, state, code).expose();
        assert_eq!(derive(1, 2, "a"), derive(1, 2, "a"));
        assert_ne!(derive(1, 2, "a"), derive(2, 2, "a"));
        assert_ne!(derive(1, 2, "a"), derive(1, 3, "a"));
        assert_ne!(derive(1, 2, "a"), derive(1, 2, "b"));
    }

    #[test]
    fn a_session_without_a_refresh_token_is_sealed_as_version_0_1_0_could_read_it() {
        let token = SessionToken::new([7; 32]);
        let sealed = Session { refresh_token: None, ..session() }.seal(&token, [9; 12]).unwrap();
        assert!(Session::unseal(&token, &sealed).unwrap().refresh_token.is_none());
        let text = seal::open(&token.0, INFO, token.session_id().as_str(), &sealed).unwrap();
        let text: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(text["refresh_token"], "");
        // What is not there takes no room.
        assert!(text.get("refusals").is_none());
    }

    #[test]
    fn a_session_lasts_from_a_minute_to_400_days() {
        let read = |text: Option<&str>| {
            let variable = |_: &str| text.map(str::to_owned);
            lifetime(&mut Settings::new(&variable)).ok().map(|lifetime| lifetime.as_secs())
        };
        assert_eq!(read(None), Some(604_800));
        assert_eq!([read(Some("60")), read(Some("34560000"))], [Some(60), Some(34_560_000)]);
        assert_eq!([read(Some("59")), read(Some("34560001"))], [None, None]);
    }

    #[test]
    fn a_refusal_is_sealed_and_what_was_handed_over_has_no_token() {
        let token = SessionToken::new([7; 32]);
        let at = Timestamp::from_epoch_seconds(1_700_000_000);
        let refused = RefusedBefore { errcode: Errcode::new(48001), about: RefusedAbout::Question, at };
        let refusals = Refusals { profile: None, grant: Some(refused) };
        let handed_over = Session { access_token: None, refusals, ..session() };
        for (session, is_handed_over) in [(session(), false), (handed_over, true)] {
            let opened = Session::unseal(&token, &session.seal(&token, [9; 12]).unwrap()).unwrap();
            assert_eq!((opened.refusals, opened.is_handed_over()), (session.refusals, is_handed_over));
        }
    }

    /// Another version may have sealed any of them: a name that this one does not know would cost the session.
    #[test]
    fn what_was_refused_is_sealed_by_its_name() {
        let names = [RefusedAbout::Question, RefusedAbout::Token, RefusedAbout::Platform]
            .map(|about| serde_json::to_value(about).unwrap());
        assert_eq!(names, ["Question", "Token", "Platform"]);
    }

    #[test]
    fn a_seal_opens_for_its_token_only() {
        let token = SessionToken::new([7; 32]);
        let sealed = session().seal(&token, [9; 12]).unwrap();
        assert_eq!(Session::unseal(&token, &sealed).unwrap().openid.expose(), "oCanaryOpenId");
        assert!(Session::unseal(&SessionToken::new([8; 32]), &sealed).is_none());
        assert!(!sealed.as_bytes().windows(6).any(|window| window == b"Canary"));
    }

    /// Made with Node's `crypto`: HKDF-SHA256 of 32 bytes of 7 with an empty salt and [`INFO`], AES-256-GCM
    /// under a nonce of 9s, the session's id as associated data, over the JSON of a version that knew neither
    /// `wants_profile` nor most of a profile, but had something that this one does not know.
    #[test]
    fn what_another_version_sealed_opens() {
        let sealed = "\
            01090909090909090909090909ef32b6080f7a2c79d8494a1e7bc8f210496a4fd14a34790e94765f17d10e4c\
            af27902473691e70f85d03f83873ee6ab2e4d343386f9ce78221d7244c5ca50ff02bf2f805203803f4b9c40e\
            35717b286a4803fd4f3d2af23e65f41e8077f7d474aecceeb8abf9a28c10849be0e07cf19e5de3bd3ddd06fa\
            dea0fa3ef266673dc2856667368b8e1701d4d3e9a0ec8f0c8434aa3a51ef30a7edccdf6519a396a10bfec3b3\
            931321c5222dfc446c2f5b5bcfcc9729c40fd9e782bc9548dbe9211b6dc3339cfbc731d79f886d617e5aa7b7\
            c325a1e8b7224d1b5bd651cf8a753aa205f8ef5553490317310123d5458404fd0d9c3448c6f7dd3b6fb80f24\
            872c9968099b860b88d211e78554933f89fd18290e60580c1415f79cb2869ef8";
        let sealed: Vec<u8> = (0..sealed.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&sealed[at..at + 2], 16).unwrap())
            .collect();
        let session = Session::unseal(&SessionToken::new([7; 32]), &Sealed::stored(sealed)).unwrap();
        assert_eq!(session.app.as_str(), "wx0000000000000aaa");
        assert_eq!(session.openid.expose(), "oCanaryOpenId");
        assert!(session.unionid.is_none() && !session.wants_profile && session.confirmed_at.is_none());
        assert!(session.scope.includes_profile());
        assert_eq!(session.access_token.unwrap().expose(), "CanaryAccess");
        assert_eq!(session.refresh_token.unwrap().expose(), "CanaryRefresh");
        let profile = session.profile.unwrap();
        assert_eq!(profile.user_info.nickname, "Lin");
        assert_eq!(
            (profile.lang, profile.read_at),
            (Some(Lang::En), Timestamp::from_epoch_seconds(1_700_000_000))
        );
    }
}
