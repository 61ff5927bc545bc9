//! Hand-off: a phone's WeChat logs in the browser beside it.
//!
//! Who owns an Official Account and no website app has no QR code of WeChat's to show. So this stack shows one of its
//! own: a person scans it with WeChat, is logged in on the phone as always, says there that the other device is to be
//! logged in too, and the browser that waits is in.
//!
//! ```text
//!   waiting browser                  this stack                         phone, in WeChat
//!      │ /authorize                     │                                     │
//!      │◄─ state, browser secret B ─────┤ login                               │
//!      ├─ wait ────────────────────────►│ ticket = HMAC(B, state): 3 minutes  │
//!      │◄─ the ticket, as a QR code ────┤                                     │
//!      │                                │◄──────────── GET, with a session ───┤
//!      │                                │ scanned: three numbers, for good ──►│
//!      ├─ wait ────────────────────────►│ given, once: which number is right, │
//!      │◄─ number, pick-up secret ──────┤ and what picks the login up         │
//!      │                                │◄──────────────────── POST, a tap ───┤
//!      │                                │ approved: who it is, sealed under the ticket
//!      ├─ wait, with that secret ──────►│ picked up: a session; the seal goes │
//!      │◄─ session cookie ──────────────┤                                     │
//! ```
//!
//! The known attack on such a flow is a stranger's QR code in a chat: his browser waits, and the victim's phone
//! approves ([Cross-Device Flows: Security Best Current
//! Practice](https://datatracker.ietf.org/doc/draft-ietf-oauth-cross-device-security/), [RFC 8628
//! §5](https://www.rfc-editor.org/rfc/rfc8628#section-5)). So the phone names the other device, and the person must tap
//! the number that its screen shows: one wrong tap ends the ticket, and nothing is ever drawn anew.
//!
//! B and state are never enough, here as in a login: both can be read off a shared computer, or planted. What they show
//! is the QR code. Once a phone has scanned it, *one* browser is given the number and a **pick-up secret**, by one
//! conditional write; whoever asks second ends the ticket. So somebody who waits at home with what he read off a screen
//! either comes second, or is found out when the right browser does.
//!
//! Whoever said yes by mistake can take it back until the other browser has picked it up, by another conditional write.
//!
//! The pick-up secret is derived from a number that the page's script chooses after it saw that the code was scanned,
//! so that the same script is answered again if the answer was lost, and nobody who did not see that number.

use std::time::Duration;

use crate::pending::{BrowserSecret, LoginId, RequestedScope, State};
use crate::seal::{self, NonceBytes, Sealed};
use crate::secret::{Digest, from_hex, hmac, random_secret, to_hex};
use crate::session::{Refusals, Session, SessionId, SessionToken};
use crate::time::Timestamp;
use wechat::AppId;

/// How long a ticket can be scanned and approved.
pub const TICKET_LIFETIME: Duration = Duration::from_mins(3);

/// How long an approved login waits to be picked up: a browser that asks every few seconds, and one page load that is
/// lost.
pub const PICK_UP_LIFETIME: Duration = Duration::from_mins(1);

/// How long a browser that was given the number is given it again for the same choice of its script.
const REPETITION: Duration = Duration::from_secs(30);

/// Where a browser waits; `?state=`.
pub const WAIT: &str = "/handoff/wait";

/// Where a phone comes to; `?ticket=`.
pub const HAND_OFF: &str = "/handoff";

const INFO: &str = "seal of a hand-off";
const INFO_ON_THE_WAY: &str = "seal of a ticket on the way through a login";

random_secret! {
    /// What the QR code says: it names one hand-off, and opens what the phone hands over.
    Ticket
}

random_secret! {
    /// What a waiting page's script chooses once it saw that its code was scanned.
    ScriptChoice
}

random_secret! {
    /// What picks the login up: given to one browser, in a cookie of its own.
    PickUpSecret
}

impl Ticket {
    /// The ticket of the login that `state` names, in the browser that holds `browser`.
    #[must_use]
    pub fn derive(browser: &BrowserSecret, state: &State) -> Self {
        Self(hmac(browser.bytes(), &[b"ticket\0", state.bytes()]))
    }

    /// The key under which it is stored.
    #[must_use]
    pub fn id(&self) -> TicketId {
        TicketId(format!("ticket#{}", Digest::of(self.expose().as_bytes()).as_str()))
    }

    /// Seals who is logged in on the phone, and nothing that WeChat would take: two sessions would fight over one
    /// refresh token.
    ///
    /// `None` only if the session cannot be encoded, which no value of it can cause.
    #[must_use]
    pub fn seal(&self, session: &Session, nonce: NonceBytes) -> Option<Sealed> {
        let handed = Session {
            access_token: None,
            refresh_token: None,
            confirmed_at: None,
            refusals: Refusals::default(),
            ..session.clone()
        };
        seal::seal(&self.0, INFO, self.id().as_str(), nonce, &handed.to_text()?)
    }

    /// Opens what [`seal`](Self::seal) made under the same ticket.
    #[must_use]
    pub fn open(&self, sealed: &Sealed) -> Option<Session> {
        Session::from_text(&seal::open(&self.0, INFO, self.id().as_str(), sealed)?)
    }

    /// The ticket for the way through the phone's own login, whose target is stored as text: only the phone's browser
    /// reads it.
    #[must_use]
    pub fn hide(&self, phone: &BrowserSecret, nonce: NonceBytes) -> Option<HiddenTicket> {
        seal::seal(phone.bytes(), INFO_ON_THE_WAY, "", nonce, &self.0).map(HiddenTicket)
    }
}

/// A ticket that one phone's browser reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HiddenTicket(Sealed);

impl HiddenTicket {
    /// Reads one: 122 lowercase hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        from_hex::<61>(text).map(|bytes| Self(Sealed::stored(bytes.to_vec())))
    }

    /// The hex digits.
    #[must_use]
    pub fn expose(&self) -> String {
        to_hex(self.0.as_bytes())
    }

    /// The ticket, in the browser that it was hidden for.
    #[must_use]
    pub fn open(&self, phone: &BrowserSecret) -> Option<Ticket> {
        let ticket = seal::open(phone.bytes(), INFO_ON_THE_WAY, "", &self.0)?;
        ticket.try_into().ok().map(Ticket)
    }
}

impl PickUpSecret {
    /// The secret of the login that `state` names, in the browser that holds `browser`, for one choice of its script.
    #[must_use]
    pub fn derive(browser: &BrowserSecret, state: &State, choice: &ScriptChoice) -> Self {
        Self(hmac(browser.bytes(), &[b"pick-up\0", state.bytes(), &choice.0]))
    }

    /// What the table knows of it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.expose().as_bytes())
    }

    /// The token of the one session that it picks up.
    #[must_use]
    pub fn session_token(&self, browser: &BrowserSecret, state: &State) -> SessionToken {
        SessionToken::new(hmac(browser.bytes(), &[b"hand-off session\0", state.bytes(), &self.0]))
    }
}

impl State {
    /// The key of a login that waits for a phone. No callback finds it, whoever knows its state.
    #[must_use]
    pub fn handoff_id(&self) -> LoginId {
        LoginId::stored(format!("handoff#{}", Digest::of(self.expose().as_bytes()).as_str()))
    }
}

/// The key of a stored ticket: `ticket#` and the digest of the ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketId(String);

impl TicketId {
    /// The key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Three different two-digit numbers, of which one is shown on the other screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    shown: [u8; 3],
    right: u8,
}

impl Numbers {
    /// Draws them from 8 random bytes.
    #[must_use]
    pub fn draw(bytes: [u8; 8]) -> Self {
        let mut pairs = bytes.chunks_exact(2).map(|pair| match pair {
            [high, low] => usize::from(u16::from_be_bytes([*high, *low])),
            _ => 0,
        });
        let mut below = |many: usize| pairs.next().unwrap_or_default() % many;
        // Each is one of those that are left.
        let mut left: Vec<u8> = (10..=99).collect();
        let shown = [(); 3].map(|()| left.swap_remove(below(left.len())));
        let right = shown.get(below(3)).copied().unwrap_or_default();
        Self { shown, right }
    }

    /// Takes numbers that were read back from a table; `None` if they are none.
    #[must_use]
    pub fn stored(text: &str) -> Option<Self> {
        let numbers: Vec<u8> = text.split(' ').map(|number| number.parse().ok()).collect::<Option<_>>()?;
        match numbers[..] {
            [first, second, third, right] => Some(Self { shown: [first, second, third], right }),
            _ => None,
        }
    }

    /// The text for the table: the three, and the right one once more.
    #[must_use]
    pub fn to_text(self) -> String {
        let [first, second, third] = self.shown;
        format!("{first} {second} {third} {}", self.right)
    }

    /// The three, in their order.
    #[must_use]
    pub const fn shown(self) -> [u8; 3] {
        self.shown
    }

    /// The one that the other screen shows.
    #[must_use]
    pub const fn right(self) -> u8 {
        self.right
    }
}

/// What kind of browser waits, as far as its user agent says; for the words of a page, never for a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Device {
    /// A browser's name; empty if it is none of the known ones.
    pub browser: &'static str,
    /// A system's name, likewise.
    pub system: &'static str,
}

impl Device {
    /// The browsers that are known, by what their user agents say; the first that fits is it. Nearly all of them also
    /// say what another one says: those made in China and Samsung's say `Chrome/` or `Safari/` too, and WeChat's
    /// `MQQBrowser/`.
    pub const BROWSERS: &[(&'static str, &'static str)] = &[
        ("wxwork/", "WeCom"),
        ("MicroMessenger/", "WeChat"),
        (" QQ/", "QQ"),
        ("QQBrowser/", "QQ Browser"),
        ("UCBrowser/", "UC Browser"),
        ("Quark/", "Quark"),
        ("baiduboxapp/", "Baidu"),
        ("HuaweiBrowser/", "Huawei Browser"),
        ("MiuiBrowser/", "Mi Browser"),
        ("VivoBrowser/", "vivo Browser"),
        ("HeyTapBrowser/", "OPPO Browser"),
        ("SamsungBrowser/", "Samsung Internet"),
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("CriOS/", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];

    /// The systems, likewise.
    pub const SYSTEMS: &[(&'static str, &'static str)] = &[
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("OpenHarmony", "HarmonyOS"),
        ("HarmonyOS", "HarmonyOS"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Macintosh", "Mac"),
        ("CrOS", "Chromebook"),
        ("Linux", "Linux"),
    ];

    /// Reads it back from a table.
    #[must_use]
    pub fn stored(text: &str) -> Self {
        let (browser, system) = text.split_once('/').unwrap_or_default();
        let known = |names: &[(&'static str, &'static str)], text: &str| {
            names.iter().map(|(_, name)| *name).find(|name| *name == text).unwrap_or_default()
        };
        Self { browser: known(Self::BROWSERS, browser), system: known(Self::SYSTEMS, system) }
    }

    /// The text for the table.
    #[must_use]
    pub fn to_text(self) -> String {
        format!("{}/{}", self.browser, self.system)
    }
}

/// Why a ticket ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The person said no.
    Refused,
    /// The person tapped a number that the other screen does not show.
    WrongNumber,
    /// Two browsers waited for it.
    WaitedForByTwo,
    /// The person said yes, and took it back before the other device picked it up.
    TakenBack,
}

impl End {
    /// Every way.
    pub const ALL: [Self; 4] = [Self::Refused, Self::WrongNumber, Self::WaitedForByTwo, Self::TakenBack];

    /// Its name in the table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::WrongNumber => "wrong_number",
            Self::WaitedForByTwo => "waited_for_by_two",
            Self::TakenBack => "taken_back",
        }
    }
}

/// A phone has scanned the code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// The session that the phone came with.
    pub session: SessionId,
    /// What was drawn for it.
    pub numbers: Numbers,
}

/// One browser was given the number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The digest of its pick-up secret.
    pub pick_up: Digest,
    /// When.
    pub at: Timestamp,
}

impl Given {
    /// Whether the browser that holds this secret is the one.
    #[must_use]
    pub fn is_to(&self, secret: &PickUpSecret) -> bool {
        self.pick_up == secret.digest()
    }

    /// Whether it may be told again, by the choice of its script alone.
    #[must_use]
    pub fn may_be_repeated(&self, now: Timestamp) -> bool {
        now < self.at.plus(REPETITION)
    }
}

/// A ticket as it is stored. Nothing in it names a person but what is sealed.
#[derive(Debug, Clone)]
pub struct StoredTicket {
    /// The Official Account whose people may approve it.
    pub app: AppId,
    /// What the waiting page asked for.
    pub scope: RequestedScope,
    /// What kind of browser waits.
    pub device: Device,
    /// When its code was made.
    pub made_at: Timestamp,
    /// When it is over.
    pub expires_at: Timestamp,
    /// Set once, by the phone.
    pub scan: Option<Scan>,
    /// Set once, for one waiting browser.
    pub given: Option<Given>,
    /// Set once, by the phone's tap: who it is, until it is picked up.
    pub approved: Option<Approved>,
    /// Why it ended, if it did.
    pub ended: Option<End>,
}

/// The person said yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approved {
    /// Who it is, sealed under the ticket.
    Sealed(Sealed),
    /// It was picked up, and the seal is gone.
    PickedUp,
}

impl StoredTicket {
    /// A ticket that nobody has scanned.
    #[must_use]
    pub const fn new(
        app: AppId,
        scope: RequestedScope,
        device: Device,
        made_at: Timestamp,
        expires_at: Timestamp,
    ) -> Self {
        Self { app, scope, device, made_at, expires_at, scan: None, given: None, approved: None, ended: None }
    }

    /// Whether its time is over.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at <= now
    }
}

/// What a waiting browser is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nobody has scanned the code.
    Wait,
    /// A phone has, and no browser was given the number: this one is to be.
    Give,
    /// This browser is the one, and sees the number; `anew` if it is to be given its pick-up secret once more.
    Show {
        /// The number to tap.
        number: u8,
        /// Whether the answer that brought the secret was lost.
        anew: bool,
    },
    /// It is approved: this browser picks up who it is.
    PickUp(Sealed),
    /// It did so before; it is given the same session again.
    PickUpAgain,
    /// Another browser was given the number: two wait, and the ticket ends.
    EndForTwo,
    /// Another browser has picked it up.
    PickedUpByAnother,
    /// The ticket ended.
    Ended(End),
    /// Its time is over.
    Over,
}

impl StoredTicket {
    /// What the browser is answered that derived the ticket, which came with the secret `held` in its cookie, or with
    /// the one that its script's choice leads to.
    #[must_use]
    pub fn step(&self, held: Option<&PickUpSecret>, chosen: Option<&PickUpSecret>, now: Timestamp) -> Step {
        let is_to =
            |secret: Option<&PickUpSecret>, given: &Given| secret.is_some_and(|held| given.is_to(held));
        let is_one = self.given.as_ref().is_some_and(|given| is_to(held, given));
        if let Some(end) = self.ended {
            return Step::Ended(end);
        }
        if self.is_over(now) {
            return Step::Over;
        }
        let (Some(scan), Some(given)) = (&self.scan, &self.given) else {
            return if self.scan.is_some() { Step::Give } else { Step::Wait };
        };
        let is_repetition = is_to(chosen, given) && given.may_be_repeated(now);
        match &self.approved {
            Some(Approved::PickedUp) if is_one => Step::PickUpAgain,
            Some(Approved::PickedUp) => Step::PickedUpByAnother,
            _ if !is_one && !is_repetition => Step::EndForTwo,
            Some(Approved::Sealed(sealed)) if is_one => Step::PickUp(sealed.clone()),
            _ => Step::Show { number: scan.numbers.right(), anew: !is_one },
        }
    }

    /// The name of what has happened so far, for the script of the waiting page: when it is another one than the page
    /// was made for, the page is opened again.
    #[must_use]
    pub fn stage(&self, now: Timestamp) -> &'static str {
        match (self.ended, &self.scan, &self.given, &self.approved) {
            (Some(_), ..) => "ended",
            _ if self.is_over(now) => "over",
            (_, _, _, Some(_)) => "approved",
            (_, _, Some(_), _) => "given",
            (_, Some(_), _, _) => "scanned",
            _ => "waiting",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_epoch_seconds(1_700_000_000);

    fn later(seconds: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(seconds))
    }

    fn browser(byte: u8) -> BrowserSecret {
        BrowserSecret::new(NOW, [byte; 32])
    }

    fn secret(choice: u8) -> PickUpSecret {
        PickUpSecret::derive(&browser(1), &State::new([2; 32]), &ScriptChoice::new([choice; 32]))
    }

    fn ticket() -> StoredTicket {
        let app = AppId::parse("wx0000000000000aaa").unwrap();
        let until = NOW.plus(TICKET_LIFETIME);
        StoredTicket::new(app, RequestedScope::Identity, Device::default(), NOW, until)
    }

    fn given(choice: u8) -> StoredTicket {
        let scan = Scan { session: SessionId::stored("phone".to_owned()), numbers: Numbers::draw([0; 8]) };
        let given = Given { pick_up: secret(choice).digest(), at: NOW };
        StoredTicket { scan: Some(scan), given: Some(given), ..ticket() }
    }

    #[test]
    fn what_is_derived_is_hmac_sha256() {
        // printf 'ticket\0' + 32 bytes of 2 | openssl dgst -sha256 -mac HMAC -macopt hexkey:0101…01; the other two
        // likewise.
        let ticket = Ticket::derive(&browser(1), &State::new([2; 32]));
        assert_eq!(ticket.expose(), TICKET);
        assert_eq!(secret(3).expose(), PICK_UP);
        let token = PickUpSecret::new([4; 32]).session_token(&browser(1), &State::new([2; 32]));
        assert_eq!(token.expose(), SESSION);
        for other in [
            Ticket::derive(&browser(3), &State::new([2; 32])),
            Ticket::derive(&browser(1), &State::new([3; 32])),
        ] {
            assert_ne!(other.expose(), ticket.expose());
        }
    }

    const TICKET: &str = "53e1fd11daa5cb4e856ad47df106537878a5f2812e75ce0dc9b410800aca8305";
    const PICK_UP: &str = "69b7bfb075d3b100dd284716eaa83080a003728a66ddc3f9b36345f23b706fff";
    const SESSION: &str = "2b6f3c42fc825a0bcdb1b0233943708187f4c991ec1cc9bf5b9038974c9cabf0";

    #[test]
    fn three_different_numbers_of_two_digits_are_drawn() {
        let mut places = [0; 3];
        for seed in 0..3000_u64 {
            let drawn = Numbers::draw((seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_be_bytes());
            let [one, two, three] = drawn.shown();
            assert!(one != two && two != three && one != three, "{seed}");
            assert!(drawn.shown().iter().all(|number| (10..=99).contains(number)), "{seed}");
            let place = drawn.shown().iter().position(|number| *number == drawn.right()).unwrap();
            places[place] += 1;
            assert_eq!(Numbers::stored(&drawn.to_text()), Some(drawn));
        }
        // The right one stands everywhere.
        assert!(places.iter().all(|place| *place > 800), "{places:?}");
    }

    #[test]
    fn a_device_is_read_back_as_it_was_stored() {
        for &(_, browser) in Device::BROWSERS {
            for &(_, system) in Device::SYSTEMS {
                let device = Device { browser, system };
                assert_eq!(Device::stored(&device.to_text()), device);
            }
        }
        for (text, device) in [
            ("/", Device::default()),
            ("", Device::default()),
            ("A stranger's/Mac", Device { browser: "", system: "Mac" }),
            ("Chrome/<b>", Device { browser: "Chrome", system: "" }),
        ] {
            assert_eq!(Device::stored(text), device, "{text}");
        }
    }

    /// A word that stands in another one's comes after it, or the other one is never found.
    #[test]
    fn every_word_of_a_user_agent_can_be_found() {
        for known in [Device::BROWSERS, Device::SYSTEMS] {
            for (index, (word, _)) in known.iter().enumerate() {
                let mut before = known.iter().take(index);
                assert!(before.all(|(earlier, _)| !word.contains(*earlier)), "{word}");
            }
        }
    }

    #[test]
    fn a_ticket_on_the_way_opens_in_its_browser_only() {
        let ticket = Ticket::new([7; 32]);
        let hidden = ticket.hide(&browser(1), [9; 12]).unwrap();
        let read = HiddenTicket::parse(&hidden.expose()).unwrap();
        assert_eq!(read.open(&browser(1)).unwrap().expose(), ticket.expose());
        assert!(read.open(&browser(2)).is_none());
        assert!(!hidden.expose().contains(&ticket.expose()));
        assert!(HiddenTicket::parse(&hidden.expose().to_uppercase()).is_none());
    }

    /// By what is known of the ticket: the answer to the browser that was given the number, to one that its script's
    /// choice names, and to one that has only the state and the browser's secret.
    #[test]
    fn the_table_of_a_waiting_browser() {
        let scanned = StoredTicket { given: None, ..given(3) };
        let sealed = Sealed::stored(vec![1]);
        let approved = StoredTicket { approved: Some(Approved::Sealed(sealed.clone())), ..given(3) };
        let picked_up = StoredTicket { approved: Some(Approved::PickedUp), ..given(3) };
        let ended = StoredTicket { ended: Some(End::Refused), ..given(3) };
        let number = given(3).scan.unwrap().numbers.right();
        let (show, again) = (Step::Show { number, anew: false }, Step::Show { number, anew: true });
        let (one, other) = (secret(3), secret(4));
        let over = StoredTicket { expires_at: NOW, ..ticket() };
        for (ticket, held, chosen, neither) in [
            (&ticket(), Step::Wait, Step::Wait, Step::Wait),
            (&scanned, Step::Give, Step::Give, Step::Give),
            (&given(3), show, again.clone(), Step::EndForTwo),
            (&approved, Step::PickUp(sealed), again, Step::EndForTwo),
            (&picked_up, Step::PickUpAgain, Step::PickedUpByAnother, Step::PickedUpByAnother),
            (&ended, Step::Ended(End::Refused), Step::Ended(End::Refused), Step::Ended(End::Refused)),
            (&over, Step::Over, Step::Over, Step::Over),
        ] {
            assert_eq!(ticket.step(Some(&one), None, later(1)), held, "{ticket:?}");
            assert_eq!(ticket.step(Some(&other), Some(&one), later(1)), chosen, "{ticket:?}");
            assert_eq!(ticket.step(None, None, later(1)), neither, "{ticket:?}");
            assert_eq!(ticket.step(Some(&other), Some(&other), later(1)), neither, "{ticket:?}");
        }
        // The choice alone is worth something for half a minute, the secret for as long as the ticket.
        assert_eq!(given(3).step(None, Some(&one), later(29)), Step::Show { number, anew: true });
        assert_eq!(given(3).step(None, Some(&one), later(30)), Step::EndForTwo);
        assert_eq!(given(3).step(Some(&one), None, later(179)), Step::Show { number, anew: false });
        assert_eq!(given(3).step(Some(&one), None, later(180)), Step::Over);
    }
}
