//! A ticket of the hand-off, and all that can happen to it, as a model of its own.
//!
//! Two browsers wait, the one that a person sits in front of and a rival who has its secret and its state; two phones
//! scan. Each reads the ticket and sends *one* conditional write of what the ticket's table says
//! (`StoredTicket::step`), which is applied at any time from then on; its answer may be lost, whoever sent it may open
//! the page again meanwhile, and the write comes all the same. The three minutes may pass at any time; so may the half
//! minute for which the choice of a page's script repeats the answer, and then the rival may have read that choice off
//! the screen. A page without a script makes another choice each time, so that a lost answer is not repeated.
//!
//! ```text
//!   browser: opens ── reads ──► shows | picks up again        phone: opens ── reads ──► is asked ──► taps
//!                        └─► a write: give, end for two, pick up        └─► a write: scan          └─► a write: approve, end, take back
//! ```
//!
//! Persons tap the right number once the browser in front of them shows it, a wrong one, or no; and, where they may
//! guess, any one before that. Left out: what is sealed beyond whom it names, and the numbers themselves.

use crate::walk::{Explored, walk};

/// The browser in front of the person, whose script makes one choice.
const OWN: usize = 0;
/// Who has its secret and state.
const RIVAL: usize = 1;

/// A write that is on its way.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Write {
    Give,
    EndForTwo,
    PickUp,
    Scan,
    Approve,
    End,
    TakeBack,
}

/// Why a ticket ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum End {
    Refused,
    ForTwo,
    TakenBack,
}

/// The ticket as it is stored.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
struct Ticket {
    scanned_by: Option<u8>,
    given_to: Option<u8>,
    approved_by: Option<u8>,
    is_sealed: bool,
    is_picked_up: bool,
    ended: Option<End>,
}

#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
struct Browser {
    /// Whether it was ever opened.
    has_opened: bool,
    /// Whether it holds the pick-up secret, and has seen the number.
    holds: bool,
    sees: bool,
    /// Whose session it has.
    session: Option<u8>,
    flight: Option<Write>,
    stray: Option<Write>,
}

#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
struct Phone {
    is_asked: bool,
    has_tapped: bool,
    /// Whether it was told that its yes is taken back.
    is_told: bool,
    flight: Option<Write>,
    stray: Option<Write>,
}

/// The whole world at one moment.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
struct State {
    ticket: Ticket,
    is_over: bool,
    /// Whether the half minute is over, for which a choice is good.
    is_late: bool,
    /// Whether the rival has read the choice of the browser's script since then.
    is_choice_read: bool,
    sessions: u8,
    session_of: Option<u8>,
    browsers: [Browser; 2],
    phones: [Phone; 2],
    world: World,
}

/// A promise.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Promise {
    /// One ticket gives at most one session.
    OneSession,
    /// It is the session of the person whose phone scanned and approved.
    OfWhoApproved,
    /// The phone that scanned first stays the one.
    TheFirstPhone,
    /// At most one browser sees the number.
    OneNumber,
    /// Who only shares secret and state gets nothing, if persons tap what the browser in front of them shows.
    NothingForTheRival,
    /// Nothing is approved that no browser was given.
    ApprovedWhenShown,
    /// What ended is not approved, and nothing is picked up of it.
    TheEndIsFinal,
    /// Nothing is picked up when the time is over.
    NothingAfterItsTime,
    /// What names the person is gone once it was picked up, or ended.
    TheSealGoes,
    /// Of what a phone was told that it is taken back, nothing is picked up, before or after.
    TakenBackIsTakenBack,
    /// Lost answers and reloads end no ticket for which one browser alone waits: for half a minute if its script makes
    /// the same choice again, and for as long as it lives in a browser that the answer reached.
    NobodyEndsHisOwn,
}

impl Promise {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::OneSession,
        Self::OfWhoApproved,
        Self::TheFirstPhone,
        Self::OneNumber,
        Self::NothingForTheRival,
        Self::ApprovedWhenShown,
        Self::TheEndIsFinal,
        Self::NothingAfterItsTime,
        Self::TheSealGoes,
        Self::TakenBackIsTakenBack,
        Self::NobodyEndsHisOwn,
    ];
}

/// The protocol, broken on purpose.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mutant {
    /// A second scan takes the ticket over.
    AnyScan,
    /// A second browser is given the number, too.
    AnyGive,
    /// Secret and state are enough: whoever waits is taken for the one.
    AnyBrowser,
    /// Any phone approves.
    AnyPhone,
    /// It is approved before a browser was given the number.
    NotIfGiven,
    /// It is approved though it ended.
    ApproveIfEnded,
    /// It is picked up though it ended.
    PickUpIfEnded,
    /// It is picked up again, for another session.
    PickUpTwice,
    /// No condition looks at the time.
    NoExpiry,
    /// The seal stays when it is picked up.
    SealStaysPickedUp,
    /// The seal stays when it ended.
    SealStaysEnded,
    /// It is taken back though it was picked up.
    TakeBackIfPickedUp,
    /// The choice of the script is not looked at: a lost answer makes a second browser.
    NoChoice,
    /// The choice of the script is good for ever.
    ChoiceForEver,
    /// The pick-up secret is not looked at, and the choice alone is.
    NoSecret,
    /// Nothing is added to the choice: whoever read it computes the pick-up secret, and is given nothing.
    NoSalt,
}

impl Mutant {
    /// Each of them, and the promise that it breaks.
    pub const HARMFUL: [(Self, Promise); 16] = [
        (Self::AnyScan, Promise::TheFirstPhone),
        (Self::AnyGive, Promise::OneNumber),
        (Self::AnyBrowser, Promise::NothingForTheRival),
        (Self::AnyPhone, Promise::OfWhoApproved),
        (Self::NotIfGiven, Promise::ApprovedWhenShown),
        (Self::ApproveIfEnded, Promise::TheEndIsFinal),
        (Self::PickUpIfEnded, Promise::TheEndIsFinal),
        (Self::PickUpTwice, Promise::OneSession),
        (Self::NoExpiry, Promise::NothingAfterItsTime),
        (Self::SealStaysPickedUp, Promise::TheSealGoes),
        (Self::SealStaysEnded, Promise::TheSealGoes),
        (Self::TakeBackIfPickedUp, Promise::TakenBackIsTakenBack),
        (Self::NoChoice, Promise::NobodyEndsHisOwn),
        (Self::ChoiceForEver, Promise::NothingForTheRival),
        (Self::NoSecret, Promise::NobodyEndsHisOwn),
        (Self::NoSalt, Promise::NothingForTheRival),
    ];
}

/// The world of a search.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct World {
    /// How many answers are still lost, or writes late.
    pub faults: u8,
    /// Whether persons tap numbers that they have not seen.
    pub may_guess: bool,
    /// Whether the page in front of the person runs a script. The rival's always does.
    pub has_script: bool,
}

/// Looks at every state, breadth first; at every promise, or at one alone.
#[must_use]
pub fn explore(world: World, mutant: Option<Mutant>, alone: Option<Promise>) -> Explored<Promise> {
    let start = State { world, ..State::default() };
    walk(start, &Promise::ALL, alone, |state| steps(state, mutant), is_kept)
}

/// Every step that could come next, and what it leads to.
fn steps(state: State, mutant: Option<Mutant>) -> Vec<(String, State)> {
    let mut found = Vec::new();
    if !state.is_over {
        found.push(("three minutes pass".to_owned(), State { is_over: true, ..state }));
    }
    if state.ticket.given_to.is_some() && !state.is_late {
        found.push(("half a minute passes".to_owned(), State { is_late: true, ..state }));
    }
    let is_choice_known = state.world.has_script && state.ticket.given_to == Some(0);
    if state.is_late && is_choice_known && !state.is_choice_read {
        found.push(("the rival reads the choice".to_owned(), State { is_choice_read: true, ..state }));
    }
    for number in [OWN, RIVAL] {
        let browser = state.browsers[number];
        let name = ["the browser", "the rival"][number];
        let with = |change: &dyn Fn(&mut Browser), mut after: State| {
            change(&mut after.browsers[number]);
            after
        };
        let mut step = |what: &str, after| found.push((format!("{name} {what}"), after));
        if browser.flight.is_none() {
            let opened = with(&|browser| browser.has_opened = true, state);
            step("opens its page", open(opened, number, mutant));
        }
        if let Some(write) = browser.flight {
            let (applied, is_first) = apply(state, number, write, mutant);
            let answered = with(
                &|browser| {
                    browser.flight = None;
                    match write {
                        Write::Give if is_first => (browser.holds, browser.sees) = (true, true),
                        Write::PickUp if is_first => browser.session = applied.session_of,
                        _ => {}
                    }
                },
                applied,
            );
            step(&format!("is answered: {write:?} {is_first}"), answered);
            if state.world.faults > 0 {
                let mut lost = with(&|browser| browser.flight = None, applied);
                lost.world.faults -= 1;
                step(&format!("loses the answer to {write:?}"), lost);
                if browser.stray.is_none() {
                    let mut late = with(
                        &|browser| {
                            browser.stray = browser.flight.take();
                        },
                        state,
                    );
                    late.world.faults -= 1;
                    step(&format!("gives up waiting for {write:?}"), late);
                }
            }
        }
        if let Some(write) = browser.stray {
            let (applied, _) = apply(state, number, write, mutant);
            step(
                &format!("wrote {write:?}, which comes late"),
                with(&|browser| browser.stray = None, applied),
            );
        }
    }
    for number in 0..2 {
        phone_steps(state, number, mutant, &mut found);
    }
    found
}

fn phone_steps(state: State, number: usize, mutant: Option<Mutant>, found: &mut Vec<(String, State)>) {
    let phone = state.phones[number];
    let id = u8::try_from(number).unwrap_or_default();
    let with = |change: &dyn Fn(&mut Phone), mut after: State| {
        change(&mut after.phones[number]);
        after
    };
    let mut step = |what: &str, after| found.push((format!("phone {number} {what}"), after));
    let is_open = state.ticket.ended.is_none() && !state.is_over;
    if phone.flight.is_none() && is_open {
        if state.ticket.scanned_by == Some(id) {
            step("is asked", with(&|phone| phone.is_asked = true, state));
        } else if state.ticket.scanned_by.is_none() || mutant == Some(Mutant::AnyScan) {
            step("scans", with(&|phone| phone.flight = Some(Write::Scan), state));
        }
    }
    // A form that was shown once can be sent at any time, and by whoever has it.
    let has_form = phone.is_asked || mutant == Some(Mutant::AnyPhone) && state.ticket.scanned_by.is_some();
    if has_form && phone.flight.is_none() && !phone.has_tapped {
        if state.browsers[OWN].sees || state.world.may_guess {
            let tap = |phone: &mut Phone| {
                phone.flight = Some(Write::Approve);
                phone.has_tapped = true;
            };
            step("taps the right number", with(&tap, state));
        }
        let refuse = |phone: &mut Phone| {
            phone.flight = Some(Write::End);
            phone.has_tapped = true;
        };
        step("taps a wrong number, or no", with(&refuse, state));
    }
    // Its page offers so once the yes is there, and as long as nobody picked it up; the form is good later, too.
    if phone.flight.is_none() && state.ticket.approved_by == Some(id) && !phone.is_told {
        step("takes it back", with(&|phone| phone.flight = Some(Write::TakeBack), state));
    }
    if let Some(write) = phone.flight {
        let (applied, is_first) = apply(state, number, write, mutant);
        let answered = |phone: &mut Phone| {
            phone.flight = None;
            phone.is_told |= write == Write::TakeBack && is_first;
        };
        step(&format!("is answered: {write:?}"), with(&answered, applied));
        if state.world.faults > 0 && phone.stray.is_none() {
            let mut late = with(&|phone| phone.stray = phone.flight.take(), state);
            late.world.faults -= 1;
            late.phones[number].has_tapped = false;
            step(&format!("gives up waiting for {write:?}, and may tap again"), late);
        }
    }
    if let Some(write) = phone.stray {
        let (applied, _) = apply(state, number, write, mutant);
        step(&format!("wrote {write:?}, which comes late"), with(&|phone| phone.stray = None, applied));
    }
}

/// What a browser that opens its page does: the table of `StoredTicket::step`.
fn open(state: State, number: usize, mutant: Option<Mutant>) -> State {
    let is = |broken| mutant == Some(broken);
    let (ticket, mut after) = (state.ticket, state);
    let browser = &mut after.browsers[number];
    // Its own secret is the one that was given, or the other's is, to which a choice led it.
    let is_given_to_it = ticket.given_to == u8::try_from(number).ok();
    let is_led_to_it = is_given_to_it || number == RIVAL && state.is_choice_read;
    let is_computed = is(Mutant::NoSalt) && number == RIVAL && state.is_choice_read;
    let is_one = is_led_to_it && (browser.holds || is_computed) && !is(Mutant::NoSecret)
        || is(Mutant::AnyBrowser) && ticket.given_to.is_some();
    if ticket.ended.is_some() && !is(Mutant::PickUpIfEnded) || state.is_over && !is(Mutant::NoExpiry) {
        return after;
    }
    if ticket.scanned_by.is_none() {
        return after;
    }
    if ticket.given_to.is_none() || is(Mutant::AnyGive) && !is_one && !ticket.is_picked_up {
        browser.flight = Some(Write::Give);
        return after;
    }
    // Its script makes the same choice again, which leads to the same secret.
    let is_choice = is_led_to_it && (state.world.has_script || number == RIVAL) && !is(Mutant::NoChoice);
    let is_repetition = is_choice && (!state.is_late || is(Mutant::ChoiceForEver));
    if ticket.is_picked_up {
        if is_one && !is(Mutant::PickUpTwice) {
            browser.session = state.session_of;
        } else if is_one {
            browser.flight = Some(Write::PickUp);
        }
    } else if !is_one && !is_repetition {
        browser.flight = Some(Write::EndForTwo);
    } else if ticket.approved_by.is_some() && is_one {
        browser.flight = Some(Write::PickUp);
    } else {
        (browser.holds, browser.sees) = (true, true);
    }
    after
}

/// A conditional write, and whether it was the first of its kind.
fn apply(state: State, number: usize, write: Write, mutant: Option<Mutant>) -> (State, bool) {
    let is = |broken| mutant == Some(broken);
    let id = u8::try_from(number).ok();
    let mut after = state;
    let ticket = &mut after.ticket;
    let in_time = !state.is_over || is(Mutant::NoExpiry);
    let is_open = ticket.ended.is_none() && in_time;
    let is_good = match write {
        Write::Scan => is_open && (ticket.scanned_by.is_none() || is(Mutant::AnyScan)),
        Write::Give => {
            is_open && ticket.scanned_by.is_some() && (ticket.given_to.is_none() || is(Mutant::AnyGive))
        }
        Write::EndForTwo => is_open && !ticket.is_picked_up,
        Write::End => is_open && ticket.scanned_by == id && ticket.approved_by.is_none(),
        Write::TakeBack => {
            is_open
                && ticket.scanned_by == id
                && ticket.approved_by.is_some()
                && (!ticket.is_picked_up || is(Mutant::TakeBackIfPickedUp))
        }
        Write::Approve => {
            (is_open || is(Mutant::ApproveIfEnded) && in_time)
                && (ticket.scanned_by == id || is(Mutant::AnyPhone))
                && (ticket.given_to.is_some() || is(Mutant::NotIfGiven))
                && ticket.approved_by.is_none()
        }
        Write::PickUp => {
            (is_open || is(Mutant::PickUpIfEnded) && in_time)
                && (ticket.given_to == id
                    || number == RIVAL && state.is_choice_read
                    || is(Mutant::AnyBrowser))
                && ticket.approved_by.is_some()
                && (!ticket.is_picked_up || is(Mutant::PickUpTwice))
        }
    };
    if !is_good {
        return (state, false);
    }
    match write {
        Write::Scan => ticket.scanned_by = id,
        Write::Give => ticket.given_to = id,
        Write::EndForTwo | Write::End | Write::TakeBack => {
            ticket.ended = Some(match write {
                Write::End => End::Refused,
                Write::TakeBack => End::TakenBack,
                _ => End::ForTwo,
            });
            ticket.is_sealed &= is(Mutant::SealStaysEnded);
        }
        Write::Approve => (ticket.approved_by, ticket.is_sealed) = (id, true),
        Write::PickUp => {
            ticket.is_picked_up = true;
            ticket.is_sealed &= is(Mutant::SealStaysPickedUp);
            after.session_of = ticket.approved_by;
            after.sessions += 1;
        }
    }
    (after, true)
}

/// Whether a step from `before` to `after` keeps a promise.
fn is_kept(promise: Promise, before: &State, after: &State) -> bool {
    let (old, new) = (&before.ticket, &after.ticket);
    let is_picked_up_now = after.sessions > before.sessions;
    let is_approved_now = old.approved_by.is_none() && new.approved_by.is_some();
    match promise {
        Promise::OneSession => after.sessions <= 1,
        Promise::OfWhoApproved => after.session_of.is_none_or(|person| new.scanned_by == Some(person)),
        Promise::TheFirstPhone => old.scanned_by.is_none() || old.scanned_by == new.scanned_by,
        Promise::OneNumber => !after.browsers.iter().all(|browser| browser.sees),
        Promise::NothingForTheRival => before.world.may_guess || after.browsers[RIVAL].session.is_none(),
        Promise::ApprovedWhenShown => !is_approved_now || new.given_to.is_some(),
        Promise::TheEndIsFinal => old.ended.is_none() || !is_picked_up_now && !is_approved_now,
        Promise::NothingAfterItsTime => !before.is_over || !is_picked_up_now,
        Promise::TheSealGoes => !new.is_sealed || !new.is_picked_up && new.ended.is_none(),
        Promise::TakenBackIsTakenBack => {
            after.sessions == 0 || !after.phones.iter().any(|phone| phone.is_told)
        }
        Promise::NobodyEndsHisOwn => {
            let is_alone = !after.browsers[RIVAL].has_opened;
            let is_known = before.browsers[OWN].holds || before.world.has_script && !before.is_late;
            !is_alone || !is_known || old.ended == new.ended || new.ended != Some(End::ForTwo)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_promise_is_kept() {
        for (may_guess, has_script) in [(false, true), (true, true), (false, false), (true, false)] {
            let explored = explore(World { faults: 2, may_guess, has_script }, None, None);
            assert!(explored.broken.is_none(), "{:#?}", explored.broken);
            assert!(explored.states > 10_000, "{}", explored.states);
        }
    }

    /// What is lost on the way to a page without a script takes a new code, and so does what is lost for longer than
    /// half a minute. That the model knows both, a promise shows that would be too much.
    #[test]
    fn an_answer_that_is_lost_for_good_ends_the_ticket() {
        let ends = |has_script| {
            let world = World { faults: 1, may_guess: false, has_script };
            let start = State { world, ..State::default() };
            let is_kept = |(): (), _: &State, after: &State| {
                after.browsers[RIVAL].has_opened || after.ticket.ended != Some(End::ForTwo)
            };
            walk(start, &[()], None, |state| steps(state, None), is_kept).broken.map(|((), way)| way)
        };
        let passes = |way: &[String]| way.iter().any(|step| step == "half a minute passes");
        assert!(ends(true).is_some_and(|way| passes(&way)));
        assert!(ends(false).is_some_and(|way| !passes(&way)));
    }

    #[test]
    fn every_mutant_breaks_its_promise() {
        for (mutant, promise) in Mutant::HARMFUL {
            // Who taps only what is shown approves nothing before.
            let may_guess = promise == Promise::ApprovedWhenShown;
            let world = World { faults: 1, may_guess, has_script: mutant != Mutant::NoSecret };
            let explored = explore(world, Some(mutant), Some(promise));
            assert!(explored.broken.is_some_and(|(broken, _)| broken == promise), "{mutant:?}");
        }
    }
}
