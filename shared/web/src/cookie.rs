//! The cookies, read byte by byte and written with every attribute.
//!
//! * the **browser cookie** holds the [`BrowserSecret`]: it ties a login to the browser that began it;
//! * the **session cookie** holds the [`SessionToken`]: it is the session;
//! * a **hand-off cookie** holds the [`PickUpSecret`] of a browser that a phone is about to log in, for some minutes.
//!   Each login has its own, named after its state: two tabs that wait do not know of each other;
//! * a **request cookie** does for a client's request what the browser cookie does otherwise, where the request is what
//!   a browser came with first. Two tabs may come first at once, and of two browser cookies the browser keeps the last.
//!
//! On the deployed domain all carry the `__Host-` prefix ([RFC 6265bis §4.1.3.2]), so that no sibling
//! domain and no plain-HTTP page can plant them. The prefix protects only if it is compared exactly:
//! a parser that trims Unicode spaces or percent-decodes names accepts look-alikes that the browser
//! let a sibling set. Therefore names and values are compared as they stand, but for the one
//! space that a browser writes behind a semicolon, and a cookie that stands twice counts as absent.
//!
//! On `http://localhost`, where the prefix cannot be, the names begin with this login's own instead: cookies are of a
//! host whatever its port ([RFC 6265 §8.5](https://www.rfc-editor.org/rfc/rfc6265#section-8.5)), and the team's own
//! site runs on the next one, with a framework whose cookie is called `session`.
//!
//! [RFC 6265bis §4.1.3.2]: https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis#section-4.1.3.2

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};

use login::Digest;
use login::handoff::{PICK_UP_LIFETIME, PickUpSecret, TICKET_LIFETIME};
use login::origin::Origin;
use login::pending::{BrowserSecret, State};
use login::session::SessionToken;
use login::time::Timestamp;

/// What the names begin with where no cookie may be `Secure`.
const WITHOUT_TLS: &str = "wechat-login-";

/// The names and attributes of the cookies for one deployment.
#[derive(Debug, Clone, Copy)]
pub struct Cookies {
    /// Whether the public URL is `https`; only then may a cookie be `Secure` and `__Host-`.
    secure: bool,
}

impl Cookies {
    /// Cookies for a stack that is reached under this origin.
    #[must_use]
    pub fn of(public_url: &Origin) -> Self {
        Self { secure: public_url.is_secure() }
    }

    /// The browser secret the request came with, if exactly one well-formed cookie holds it.
    #[must_use]
    pub fn browser(self, headers: &HeaderMap) -> Option<BrowserSecret> {
        BrowserSecret::parse(&one(headers, &self.name("browser"))?)
    }

    /// The browser secret that a login may begin with: the request's own, or a new one of these random bytes if it came
    /// with none or its day is nearly over. One secret a browser, not one a login: tabs that log in side by side must
    /// not break each other.
    #[must_use]
    pub fn browser_to_begin(self, headers: &HeaderMap, now: Timestamp, random: [u8; 32]) -> BrowserSecret {
        self.known_browser(headers, now).unwrap_or_else(|| BrowserSecret::new(now, random))
    }

    /// The request's own browser secret, if a login may begin with it.
    #[must_use]
    pub fn known_browser(self, headers: &HeaderMap, now: Timestamp) -> Option<BrowserSecret> {
        self.browser(headers).filter(|browser| browser.may_begin_a_login(now))
    }

    /// The session token the request came with, if exactly one well-formed cookie holds it.
    #[must_use]
    pub fn session(self, headers: &HeaderMap) -> Option<SessionToken> {
        SessionToken::parse(&one(headers, &self.name("session"))?)
    }

    /// The pick-up secret that the request came with for the login that `state` names, if exactly one well-formed
    /// cookie holds it.
    #[must_use]
    pub fn pick_up(self, headers: &HeaderMap, state: &State) -> Option<PickUpSecret> {
        PickUpSecret::parse(&one(headers, &self.pick_up_name(state))?)
    }

    /// `Set-Cookie` for the pick-up secret of that login, for as long as its ticket can last.
    #[must_use]
    pub fn set_pick_up(self, secret: &PickUpSecret, state: &State) -> String {
        self.set(&self.pick_up_name(state), &secret.expose(), TICKET_LIFETIME + PICK_UP_LIFETIME)
    }

    /// The secret that the request came with for the client's request of this digest, if exactly one well-formed cookie
    /// holds it.
    #[must_use]
    pub fn request(self, headers: &HeaderMap, of: &Digest) -> Option<BrowserSecret> {
        BrowserSecret::parse(&one(headers, &self.named("request", of))?)
    }

    /// `Set-Cookie` for the secret of a client's request that is a browser's first, for as long as the request waits.
    #[must_use]
    pub fn set_request(self, secret: &BrowserSecret, of: &Digest, lifetime: Duration) -> String {
        self.set(&self.named("request", of), &secret.expose(), lifetime)
    }

    /// `Set-Cookie` for the browser secret, for what is left of its day.
    #[must_use]
    pub fn set_browser(self, browser: &BrowserSecret, now: Timestamp) -> String {
        self.set(&self.name("browser"), &browser.expose(), browser.time_left(now))
    }

    /// `Set-Cookie` for the session token.
    #[must_use]
    pub fn set_session(self, session: &SessionToken, lifetime: Duration) -> String {
        self.set(&self.name("session"), &session.expose(), lifetime)
    }

    /// `Set-Cookie` that removes the session cookie; same attributes, or the browser would keep it.
    #[must_use]
    pub fn clear_session(self) -> String {
        self.set(&self.name("session"), "", Duration::ZERO)
    }

    fn name(self, kind: &str) -> String {
        let prefix = if self.secure { "__Host-" } else { WITHOUT_TLS };
        format!("{prefix}{kind}")
    }

    fn pick_up_name(self, state: &State) -> String {
        self.named("handoff", &Digest::of(state.expose().as_bytes()))
    }

    /// The name of a cookie that is there for one thing.
    fn named(self, kind: &str, of: &Digest) -> String {
        self.name(&format!("{kind}-{}", of.as_str().get(..8).unwrap_or_default()))
    }

    fn set(self, name: &str, value: &str, lifetime: Duration) -> String {
        let secure = if self.secure { "Secure; " } else { "" };
        let lifetime = lifetime.as_secs();
        format!("{name}={value}; Path=/; Max-Age={lifetime}; {secure}HttpOnly; SameSite=Lax")
    }
}

/// The value of the cookie `name`, if it stands exactly once.
fn one(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut values = headers.get_all(header::COOKIE).iter().flat_map(pairs).filter_map(|pair| {
        let position = pair.iter().position(|byte| *byte == b'=')?;
        let (key, value) = pair.split_at(position);
        (key == name.as_bytes()).then(|| value.get(1..).unwrap_or_default())
    });
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    std::str::from_utf8(value).ok().map(str::to_owned)
}

fn pairs(header: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    header.as_bytes().split(|byte| *byte == b';').map(|pair| pair.strip_prefix(b" ").unwrap_or(pair))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookies(secure: bool) -> Cookies {
        Cookies { secure }
    }

    #[test]
    fn cookies_are_secure_where_the_stack_is() {
        let of = |origin| Cookies::of(&Origin::parse_public(origin).unwrap()).secure;
        assert!(of("https://auth.example.com") && !of("http://localhost:9000"));
    }

    const SECRET: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    const NOW: Timestamp = Timestamp::from_epoch_seconds(1_700_000_060);

    fn browser(headers: &[&[u8]]) -> Option<String> {
        let mut map = HeaderMap::new();
        for header in headers {
            map.append(header::COOKIE, HeaderValue::from_bytes(header).unwrap());
        }
        cookies(true).browser(&map).map(|secret| secret.expose())
    }

    #[test]
    fn the_browser_cookie_is_read_among_others() {
        let cookie = format!("a=b; __Host-browser={SECRET}; __Host-browserx=1; c");
        assert_eq!(browser(&[cookie.as_bytes()]).as_deref(), Some(SECRET));
        let alone = format!("__Host-browser={SECRET}");
        assert_eq!(browser(&[b"a=b", alone.as_bytes()]).as_deref(), Some(SECRET));
    }

    #[test]
    fn each_cookie_is_read_by_its_own_name() {
        let other = SECRET.replace('0', "e");
        for (cookies, prefix) in [(cookies(true), "__Host-"), (cookies(false), WITHOUT_TLS)] {
            let cookie = format!("{prefix}session={SECRET};{prefix}browser={other}");
            let headers = HeaderMap::from_iter([(header::COOKIE, cookie.parse().unwrap())]);
            assert_eq!(cookies.session(&headers).map(|token| token.expose()).as_deref(), Some(SECRET));
            assert_eq!(cookies.browser(&headers).map(|secret| secret.expose()), Some(other.clone()));
        }
    }

    #[test]
    fn each_login_by_a_phone_has_a_cookie_of_its_own() {
        let states = [State::new([1; 32]), State::new([2; 32])];
        for (cookies, prefix) in [(cookies(true), "__Host-"), (cookies(false), WITHOUT_TLS)] {
            let secrets = [PickUpSecret::new([3; 32]), PickUpSecret::new([4; 32])];
            let set = [0, 1].map(|at| cookies.set_pick_up(&secrets[at], &states[at]));
            // printf 0101…01 | sha256sum | head -c 8
            assert!(set[0].starts_with(&format!("{prefix}handoff-58badd9b=0303")), "{set:?}");
            assert!(set[0].contains("; Max-Age=240;"), "{set:?}");
            let carried = set.iter().filter_map(|set| set.split(';').next()).collect::<Vec<_>>().join("; ");
            let headers = HeaderMap::from_iter([(header::COOKIE, carried.parse().unwrap())]);
            for (secret, state) in secrets.iter().zip(&states) {
                let held = cookies.pick_up(&headers, state).map(|secret| secret.expose());
                assert_eq!(held, Some(secret.expose()));
            }
            assert!(cookies.pick_up(&headers, &State::new([5; 32])).is_none());
        }
    }

    #[test]
    fn the_first_requests_of_a_browser_have_a_cookie_each() {
        let of = [Digest::of(b"first"), Digest::of(b"second")];
        for (cookies, prefix) in [(cookies(true), "__Host-"), (cookies(false), WITHOUT_TLS)] {
            let secrets = [1, 2].map(|byte| BrowserSecret::new(NOW, [byte; 32]));
            let set = [0, 1].map(|at| cookies.set_request(&secrets[at], &of[at], Duration::from_mins(10)));
            // printf first | sha256sum | head -c 8
            assert!(set[0].starts_with(&format!("{prefix}request-a7937b64=1700000060.0101")), "{set:?}");
            assert!(set[0].contains("; Max-Age=600;"), "{set:?}");
            let carried = set.iter().filter_map(|set| set.split(';').next()).collect::<Vec<_>>().join("; ");
            let headers = HeaderMap::from_iter([(header::COOKIE, carried.parse().unwrap())]);
            for (secret, of) in secrets.iter().zip(&of) {
                let held = cookies.request(&headers, of).map(|secret| secret.expose());
                assert_eq!(held, Some(secret.expose()));
            }
            assert!(cookies.request(&headers, &Digest::of(b"third")).is_none());
        }
    }

    #[test]
    fn a_browser_is_known_while_its_secret_may_begin_a_login() {
        let secret = BrowserSecret::new(NOW, [1; 32]);
        let carried = format!("__Host-browser={}", secret.expose());
        let headers = HeaderMap::from_iter([(header::COOKIE, carried.parse().unwrap())]);
        let known = |hours| cookies(true).known_browser(&headers, NOW.plus(Duration::from_hours(hours)));
        assert_eq!(known(0).map(|browser| browser.expose()), Some(secret.expose()));
        assert!(known(24).is_none());
    }

    #[test]
    fn a_cookie_that_stands_twice_counts_as_absent() {
        let twice = format!("__Host-browser={SECRET}; __Host-browser={SECRET}");
        assert_eq!(browser(&[twice.as_bytes()]), None);
        let once = format!("__Host-browser={SECRET}");
        assert_eq!(browser(&[once.as_bytes(), once.as_bytes()]), None);
    }

    #[test]
    fn a_look_alike_of_the_prefix_is_another_cookie() {
        for name in [
            "__host-browser",
            "__Host%2Dbrowser",
            "\u{2000}__Host-browser",
            "\u{a0}__Host-browser",
            " \t__Host-browser",
            "  __Host-browser",
            "__Host-browser ",
            "__Host-browser\t",
            "browser",
            "__Secure-browser",
        ] {
            let cookie = format!("{name}={SECRET}");
            assert_eq!(browser(&[cookie.as_bytes()]), None, "{name}");
        }
        assert_eq!(browser(&[&[b"\x85__Host-browser=".as_slice(), SECRET.as_bytes()].concat()]), None);
    }

    #[test]
    fn a_malformed_value_counts_as_absent() {
        for value in [
            "",
            "x",
            &SECRET.to_uppercase(),
            &format!("\"{SECRET}\""),
            &format!("{SECRET}0"),
            &format!("{SECRET}="),
            &format!("{SECRET} "),
            &format!("\t{SECRET}"),
        ] {
            let cookie = format!("__Host-browser={value}");
            assert_eq!(browser(&[cookie.as_bytes()]), None, "{value}");
        }
    }

    #[test]
    fn cookies_carry_every_attribute() {
        let secret = BrowserSecret::parse(&format!("1700000000.{SECRET}")).unwrap();
        // A minute of its day is over: no login puts the end off.
        assert_eq!(
            cookies(true).set_browser(&secret, NOW),
            format!(
                "__Host-browser=1700000000.{SECRET}; Path=/; Max-Age=86340; Secure; HttpOnly; SameSite=Lax"
            )
        );
        let token = SessionToken::parse(SECRET).unwrap();
        assert_eq!(
            cookies(true).set_session(&token, Duration::from_mins(1)),
            format!("__Host-session={SECRET}; Path=/; Max-Age=60; Secure; HttpOnly; SameSite=Lax")
        );
        assert_eq!(
            cookies(true).clear_session(),
            "__Host-session=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"
        );
        assert_eq!(
            cookies(false).clear_session(),
            "wechat-login-session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
        );
    }
}
