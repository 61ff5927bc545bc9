//! What comes of a state when nothing goes wrong any more.

use crate::{
    protocol::Protocol,
    state::{BROWSERS, CALLBACKS, Callback, Guard, Login, NOBODY, Outcome, Session, State, VISITOR},
    step::{Price, Step},
};

impl Protocol {
    /// Whether a login of the visitor gives a session, in a state where nothing else happens any more.
    ///
    /// The code is a new one. So is the login if it is `fresh`; that it takes the place of an old one
    /// changes nothing, for nothing of the new one was stored before.
    pub fn gets_in(self, settled: &State, login: u8, is_fresh: bool) -> bool {
        let (mut state, number, code) = (*settled, 0, 0);
        state.callbacks = [Callback::AWAY; CALLBACKS];
        state.guards[usize::from(code)] = Guard { outcome: Outcome::Absent, attempt: NOBODY };
        state.taken[usize::from(code)] = false;
        if is_fresh {
            state.is_late = false;
            state.logins[usize::from(login)] = Login { owner: VISITOR, claimed: None, marks: 0 };
            state.sessions[usize::from(login)] = [Session::Never; BROWSERS];
        }
        let browser = state.logins[usize::from(login)].owner;
        let mut step = Some(Step::Arrives { callback: number, login, code, browser });
        while let Some(next) = step.take() {
            state = self.after(&state, next);
            self.steps(&state, |next, price| {
                if price == Price::Calm {
                    step.get_or_insert(next);
                }
            });
        }
        state.cookies[usize::from(browser)] == Some(login)
            && state.sessions[usize::from(login)][usize::from(browser)] == Session::Stored
    }
}
