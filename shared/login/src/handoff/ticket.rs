//! A ticket: what is known of it, and what a waiting browser is answered by that.

use std::time::Duration;

use super::{Numbers, PickUpSalt, PickUpSecret};
use crate::pending::LoginRequest;
use crate::seal::Sealed;
use crate::secret::Digest;
use crate::session::SessionId;
use crate::time::Timestamp;
use wechat::AppId;

/// How long a browser that was given the number is given it again for the same choice of its script.
const REPETITION: Duration = Duration::from_secs(30);

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
#[derive(Debug, Clone)]
pub struct Given {
    /// The digest of its pick-up secret.
    pub pick_up: Digest,
    /// What was added to its script's choice; gone once the login was picked up, or ended.
    pub salt: Option<PickUpSalt>,
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
    pub request: LoginRequest,
    /// What kind of browser waits, as text: it is for the words of a page, and judged there.
    pub device: String,
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
        request: LoginRequest,
        device: String,
        made_at: Timestamp,
        expires_at: Timestamp,
    ) -> Self {
        Self {
            app,
            request,
            device,
            made_at,
            expires_at,
            scan: None,
            given: None,
            approved: None,
            ended: None,
        }
    }

    /// Whether its time is over.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at <= now
    }
}

/// What has happened so far, for the script of the waiting page: when it is another stage than the page was made for,
/// the page is opened again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Nobody has scanned the code.
    Waiting,
    /// A phone has.
    Scanned,
    /// One browser was given the number.
    Given,
    /// The person said yes.
    Approved,
    /// The ticket ended before its time.
    Ended,
    /// Its time is over.
    Over,
}

impl Stage {
    /// Its name for the script.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Scanned => "scanned",
            Self::Given => "given",
            Self::Approved => "approved",
            Self::Ended => "ended",
            Self::Over => "over",
        }
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

    /// What has happened so far.
    #[must_use]
    pub fn stage(&self, now: Timestamp) -> Stage {
        match (self.ended, &self.scan, &self.given, &self.approved) {
            (Some(_), ..) => Stage::Ended,
            _ if self.is_over(now) => Stage::Over,
            (_, _, _, Some(_)) => Stage::Approved,
            (_, _, Some(_), _) => Stage::Given,
            (_, Some(_), _, _) => Stage::Scanned,
            _ => Stage::Waiting,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handoff::{ScriptChoice, TICKET_LIFETIME};
    use crate::pending::{BrowserSecret, State};

    const NOW: Timestamp = Timestamp::from_epoch_seconds(1_700_000_000);

    fn later(seconds: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(seconds))
    }

    fn secret(choice: u8) -> PickUpSecret {
        let (browser, state) = (BrowserSecret::new(NOW, [1; 32]), State::new([2; 32]));
        PickUpSecret::derive(&browser, &state, &ScriptChoice::new([choice; 32]), &PickUpSalt::new([5; 32]))
    }

    fn ticket() -> StoredTicket {
        let app = AppId::parse("wx0000000000000aaa").unwrap();
        let until = NOW.plus(TICKET_LIFETIME);
        StoredTicket::new(app, LoginRequest::default(), String::new(), NOW, until)
    }

    fn given(choice: u8) -> StoredTicket {
        let scan = Scan { session: SessionId::stored("phone".to_owned()), numbers: Numbers::draw([0; 8]) };
        let salt = Some(PickUpSalt::new([5; 32]));
        let given = Given { pick_up: secret(choice).digest(), salt, at: NOW };
        StoredTicket { scan: Some(scan), given: Some(given), ..ticket() }
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
