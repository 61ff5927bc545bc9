//! What must follow from what WeChat says: the tables of the design, written down again.
//!
//! Nothing here is the product's. The kind of each number is from WeChat's documents and from what people
//! report of them; what follows from a kind, a body and an endpoint is from the tables of `/callback` and
//! `/userinfo`. Where the two disagree with the product, one of them is wrong.

use super::{
    scripts::{Endpoint, Meaning},
    variation::Variation,
};
use crate::model::words::Word;

/// What a number of WeChat's means for the login.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Passes by itself.
    Retry,
    /// The code is of no use any more.
    FreshLogin,
    /// The access token is of no use any more.
    Refresh,
    /// The grant is gone.
    LoginAgain,
    /// An operator must mend it.
    Configuration,
    /// WeChat does not let this person in.
    User,
}

use Endpoint::{
    Exchange, Follower, GlobalToken, PlatformExchange, PlatformRefresh, ProfileAtLogin, ProfileLater,
    Refresh, Verification,
};

/// Every endpoint that takes a person's token.
const TOKEN: &[Endpoint] = &[ProfileAtLogin, ProfileLater, Verification];
/// Every endpoint that an app shows its secret to, or its appid.
const APP: &[Endpoint] = &[Exchange, Refresh, GlobalToken];
const PLATFORM: &[Endpoint] = &[PlatformExchange, PlatformRefresh];
const CODE: &[Endpoint] = &[Exchange, PlatformExchange];
const GRANT: &[Endpoint] = &[Refresh, PlatformRefresh];

/// Every number that may come to a web login: what it means, and where it may come. The last ones are
/// numbers that no list has.
pub const ERRCODES: &[(i64, Kind, &[&[Endpoint]])] = &[
    (-1, Kind::Retry, &[Endpoint::ALL]),
    (40001, Kind::Refresh, &[TOKEN, &[Refresh, Follower], PLATFORM]),
    // Where a code is exchanged, WeChat documents this as a wrong AppSecret.
    (40001, Kind::Configuration, &[&[Exchange]]),
    (40002, Kind::Configuration, &[APP, PLATFORM]),
    (40003, Kind::Configuration, &[&[ProfileAtLogin, ProfileLater, Follower, Refresh]]),
    // What others say of a dead token by 40001 or
    // 40014, `/sns/auth` is documented to say by this.
    (40003, Kind::Refresh, &[&[Verification]]),
    (40013, Kind::Configuration, &[Endpoint::ALL]),
    (40014, Kind::Refresh, &[TOKEN, &[Follower], PLATFORM]),
    (40029, Kind::FreshLogin, &[CODE, GRANT]),
    (40030, Kind::LoginAgain, &[GRANT]),
    (40125, Kind::Configuration, &[&[Exchange, GlobalToken]]),
    (40163, Kind::FreshLogin, &[CODE]),
    (40164, Kind::Configuration, &[&[GlobalToken, Exchange]]),
    (40226, Kind::User, &[CODE, TOKEN]),
    (40243, Kind::Configuration, &[&[Exchange, GlobalToken]]),
    (41001, Kind::Configuration, &[TOKEN, &[Follower]]),
    (41002, Kind::Configuration, &[APP]),
    (41003, Kind::Configuration, &[GRANT]),
    (41004, Kind::Configuration, &[&[Exchange, GlobalToken]]),
    (41008, Kind::Configuration, &[CODE]),
    (41009, Kind::Configuration, &[TOKEN, &[Follower]]),
    (41021, Kind::Configuration, &[PLATFORM]),
    (42001, Kind::Refresh, &[TOKEN, &[Follower], PLATFORM]),
    (42002, Kind::LoginAgain, &[GRANT]),
    (42003, Kind::FreshLogin, &[CODE]),
    (42007, Kind::LoginAgain, &[&[Exchange, Refresh], TOKEN]),
    (43002, Kind::Configuration, &[&[GlobalToken]]),
    (43003, Kind::Configuration, &[&[Exchange]]),
    (45009, Kind::Configuration, &[&[Exchange, ProfileAtLogin, GlobalToken, Follower]]),
    (45011, Kind::Retry, &[Endpoint::ALL]),
    (45035, Kind::Configuration, &[&[GlobalToken]]),
    (46004, Kind::User, &[&[Follower, ProfileAtLogin, ProfileLater]]),
    (48001, Kind::Configuration, &[TOKEN, &[Exchange, Follower]]),
    (48004, Kind::Configuration, &[&[Exchange, ProfileAtLogin, Follower]]),
    (50001, Kind::LoginAgain, &[TOKEN, &[Exchange]]),
    (50002, Kind::User, &[TOKEN, &[Exchange, Refresh, Follower]]),
    (50004, Kind::Configuration, &[&[GlobalToken]]),
    (50005, Kind::User, &[&[Follower]]),
    (50007, Kind::Configuration, &[&[Exchange, GlobalToken]]),
    (61003, Kind::Configuration, &[PLATFORM]),
    (61004, Kind::Configuration, &[&[GlobalToken], PLATFORM]),
    (61005, Kind::Configuration, &[PLATFORM]),
    (61006, Kind::Configuration, &[PLATFORM]),
    (61007, Kind::Configuration, &[PLATFORM]),
    (61009, Kind::FreshLogin, &[&[PlatformExchange]]),
    (61010, Kind::FreshLogin, &[&[PlatformExchange]]),
    (61011, Kind::Configuration, &[PLATFORM]),
    (61014, Kind::Configuration, &[PLATFORM]),
    (61023, Kind::Configuration, &[&[PlatformRefresh]]),
    (89503, Kind::Configuration, &[&[GlobalToken]]),
    // Of the same interfaces, and in no table of ours: an operator should see them.
    (43004, Kind::Configuration, &[&[Follower]]),
    (61000, Kind::Configuration, &[&[PlatformExchange]]),
    (89507, Kind::Configuration, &[&[GlobalToken]]),
    (-2, Kind::Configuration, &[&[Exchange]]),
    (1, Kind::Configuration, &[&[Exchange, ProfileAtLogin, ProfileLater, Verification]]),
    (99_999, Kind::Configuration, &[Endpoint::ALL]),
    (9_223_372_036_854_775_807, Kind::Configuration, &[&[Exchange, ProfileLater]]),
];

/// How a request of the visitor's ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// To where the login ends, with a session.
    LoggedIn,
    /// To one automatic fresh login where that is silent; otherwise, and if it was one already, to the page of this
    /// reason.
    FreshLogin(&'static str),
    /// The code was spent here before: to the page that waits for another one, where a login is silent and has not
    /// waited three times.
    Waits,
    /// The code gave the session that the browser has: to where the login ends, without a cookie.
    Joins,
    /// To the page of this reason.
    Page(&'static str),
    /// Who it is, as WeChat says it now.
    Shown,
    /// Who it is, as WeChat said it before.
    ShownStale,
    /// A problem of this reason.
    Problem(&'static str),
}

/// How often each endpoint is asked.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Calls {
    pub exchange: usize,
    pub profile: usize,
    pub refresh: usize,
    pub verification: usize,
    pub global_token: usize,
    pub follower: usize,
}

/// What must follow.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    pub end: End,
    pub calls: Calls,
    /// The word in the log.
    pub outcome: &'static str,
    /// The number in the log.
    pub errcode: Option<i64>,
    /// Whether the line is of level ERROR.
    pub is_alarm: bool,
    /// Whether a login has brought the profile, or the unionid that was silently asked for.
    pub brought: bool,
}

/// The status of the problem of a reason, and of its page at `/userinfo`.
pub fn status_of(reason: &str) -> u16 {
    match reason {
        "not_logged_in" => 401,
        "user_refused" | "login_failed" => 403,
        _ => 503,
    }
}

/// Whether the page of a reason tells the id: where nothing is broken it does not.
pub fn tells_the_id(reason: &str) -> bool {
    !["not_logged_in", "snapshot", "code_repeated"].contains(&reason)
}

/// What must follow from what WeChat says at an endpoint.
pub fn expect(endpoint: Endpoint, meaning: Meaning, variation: &Variation) -> Expected {
    match endpoint {
        Exchange | PlatformExchange => after_exchange(endpoint, meaning, variation),
        ProfileAtLogin => after_profile_at_login(meaning, variation),
        ProfileLater | Verification => after_question(meaning, variation),
        Refresh | PlatformRefresh => after_refresh(endpoint, meaning, variation),
        GlobalToken => after_global_token(meaning),
        Follower => after_follower(meaning, variation),
    }
}

fn expected(end: End, calls: Calls, outcome: &'static str) -> Expected {
    Expected { end, calls, outcome, errcode: None, is_alarm: false, brought: false }
}

fn said(errcode: i64, is_alarm: bool, expected: Expected) -> Expected {
    Expected { errcode: Some(errcode), is_alarm, ..expected }
}

fn logged_in(calls: Calls) -> Expected {
    expected(End::LoggedIn, calls, "logged_in")
}

fn with_profile(calls: Calls) -> Expected {
    Expected { brought: true, ..logged_in(calls) }
}

fn user_refused(errcode: i64, end: End, calls: Calls) -> Expected {
    said(errcode, false, expected(end, calls, "user_refused"))
}

fn foreign_profile(end: End, calls: Calls) -> Expected {
    Expected { is_alarm: true, ..expected(end, calls, "foreign_profile") }
}

/// A code is sent once, whatever is answered.
fn after_exchange(endpoint: Endpoint, meaning: Meaning, variation: &Variation) -> Expected {
    let once = Calls { exchange: 1, ..Calls::default() };
    match meaning {
        Meaning::Said(errcode, kind) => {
            let is_about_the_platform = kind == Kind::Refresh || errcode == 61014;
            let (end, outcome) = match kind {
                _ if endpoint == PlatformExchange && is_about_the_platform => {
                    (End::Page("misconfigured"), "misconfigured")
                }
                Kind::Retry => (End::FreshLogin("wechat_unavailable"), "wechat_busy"),
                Kind::FreshLogin | Kind::Refresh | Kind::LoginAgain => {
                    (End::FreshLogin("login_expired"), "code_refused")
                }
                Kind::Configuration => (End::Page("misconfigured"), "misconfigured"),
                Kind::User => (End::Page("user_refused"), "user_refused"),
            };
            said(errcode, outcome == "misconfigured", expected(end, once, outcome))
        }
        Meaning::InDoubt | Meaning::Late => {
            expected(End::FreshLogin("wechat_unavailable"), once, "exchange_in_doubt")
        }
        Meaning::Snapshot => expected(End::Page("snapshot"), once, "snapshot"),
        Meaning::SomebodyElse | Meaning::Good => {
            let brought = variation.scope.has_profile();
            Expected { brought, ..logged_in(Calls { profile: usize::from(brought), ..once }) }
        }
        Meaning::NoConnection => {
            expected(End::Page("wechat_unavailable"), Calls::default(), "wechat_unreachable")
        }
    }
}

/// A profile costs no login, unless it is another person's, or WeChat does not let this one in.
fn after_profile_at_login(meaning: Meaning, variation: &Variation) -> Expected {
    let calls = |profile| Calls { exchange: 1, profile, ..Calls::default() };
    match meaning {
        // A login waits 2 s for it, and says in the log why it has none.
        Meaning::Said(errcode, Kind::Retry) if variation.persists => {
            said(errcode, false, logged_in(calls(3)))
        }
        Meaning::InDoubt if variation.persists => logged_in(calls(3)),
        Meaning::Said(_, Kind::Retry) | Meaning::InDoubt => with_profile(calls(2)),
        Meaning::Said(errcode, Kind::FreshLogin | Kind::Refresh | Kind::LoginAgain) => {
            said(errcode, false, logged_in(calls(1)))
        }
        Meaning::Late => logged_in(calls(1)),
        // It is about the app, and openid and unionid are known.
        Meaning::Said(errcode, Kind::Configuration) => said(errcode, true, logged_in(calls(1))),
        Meaning::Said(errcode, Kind::User) => user_refused(errcode, End::Page("user_refused"), calls(1)),
        Meaning::SomebodyElse => foreign_profile(End::Page("login_failed"), calls(1)),
        Meaning::NoConnection => logged_in(calls(0)),
        Meaning::Snapshot | Meaning::Good => with_profile(calls(1)),
    }
}

/// A question of `/userinfo`, to `/sns/userinfo` or to `/sns/auth`.
fn after_question(meaning: Meaning, variation: &Variation) -> Expected {
    let (has_profile, &Variation { persists, verifies, .. }) = (variation.scope.has_profile(), variation);
    let asked = |times: usize, is_shown: bool| {
        // Who is verified is shown, with the profile of that moment.
        let after = usize::from(verifies && is_shown && has_profile);
        if verifies {
            Calls { verification: times, profile: after, ..Calls::default() }
        } else {
            Calls { profile: times, ..Calls::default() }
        }
    };
    let shown = |times| expected(End::Shown, asked(times, true), "shown");
    let in_vain = |times| {
        if verifies {
            expected(End::Problem("wechat_unavailable"), asked(times, false), "unverified")
        } else {
            expected(End::ShownStale, asked(times, false), "shown_stale")
        }
    };
    let gone = |times| expected(End::Problem("not_logged_in"), asked(times, false), "grant_gone");
    let renewed = |expected: Expected| Expected { calls: Calls { refresh: 1, ..expected.calls }, ..expected };
    match meaning {
        // All that it asks fits into one budget.
        Meaning::Late => in_vain(1),
        Meaning::Said(_, Kind::Retry) | Meaning::InDoubt if !persists => shown(2),
        Meaning::Said(errcode, Kind::Retry) => said(errcode, false, in_vain(3)),
        Meaning::InDoubt | Meaning::NoConnection => in_vain(3),
        Meaning::Said(_, Kind::Refresh) if !persists => renewed(shown(2)),
        Meaning::Said(errcode, Kind::Refresh) => said(errcode, false, renewed(gone(2))),
        Meaning::Said(errcode, Kind::FreshLogin | Kind::LoginAgain) => said(errcode, false, gone(1)),
        Meaning::Said(errcode, Kind::Configuration) => said(errcode, true, in_vain(1)),
        Meaning::Said(errcode, Kind::User) => {
            user_refused(errcode, End::Problem("user_refused"), asked(1, false))
        }
        Meaning::SomebodyElse => foreign_profile(End::Problem("login_failed"), asked(1, false)),
        Meaning::Snapshot | Meaning::Good => shown(1),
    }
}

/// What must follow when it is asked again at once: nothing is asked any more where that is remembered; and that the
/// person is logged in no more is told with the number once.
pub fn asked_again(expected: &Expected, meaning: Meaning) -> Expected {
    let is_gone = expected.outcome == "grant_gone";
    let is_remembered =
        is_gone && matches!(meaning, Meaning::Said(_, Kind::LoginAgain)) || meaning == Meaning::Late;
    let untold = if is_gone { Expected { errcode: None, ..*expected } } else { *expected };
    if is_remembered {
        Expected { calls: Calls::default(), errcode: None, is_alarm: false, ..untold }
    } else {
        untold
    }
}

/// A refresh token is sent once: WeChat may have replaced it.
fn after_refresh(endpoint: Endpoint, meaning: Meaning, variation: &Variation) -> Expected {
    let (has_profile, verifies) = (variation.scope.has_profile(), variation.verifies);
    let asked = |times: usize, after: usize| {
        let calls = Calls { refresh: 1, ..Calls::default() };
        if verifies {
            Calls { verification: times, profile: after, ..calls }
        } else {
            Calls { profile: times, ..calls }
        }
    };
    let in_vain = if verifies {
        expected(End::Problem("wechat_unavailable"), asked(1, 0), "unverified")
    } else {
        expected(End::ShownStale, asked(1, 0), "shown_stale")
    };
    let gone = expected(End::Problem("not_logged_in"), asked(1, 0), "grant_gone");
    match meaning {
        Meaning::Said(errcode, kind) => {
            let is_about_the_platform = kind == Kind::Refresh || errcode == 61014;
            match kind {
                // It says nothing of the person, and an operator must mend it.
                _ if endpoint == PlatformRefresh && is_about_the_platform => said(errcode, true, in_vain),
                Kind::Retry => said(errcode, false, in_vain),
                Kind::Configuration => said(errcode, true, in_vain),
                Kind::FreshLogin | Kind::Refresh | Kind::LoginAgain => said(errcode, false, gone),
                Kind::User => user_refused(errcode, End::Problem("user_refused"), asked(1, 0)),
            }
        }
        Meaning::InDoubt | Meaning::Late | Meaning::NoConnection => in_vain,
        Meaning::SomebodyElse => foreign_profile(End::Problem("login_failed"), asked(1, 0)),
        Meaning::Snapshot | Meaning::Good => {
            expected(End::Shown, asked(2, usize::from(has_profile)), "shown")
        }
    }
}

/// A token of the app's own costs no login.
fn after_global_token(meaning: Meaning) -> Expected {
    let calls = |follower| Calls { exchange: 1, global_token: 1, follower, ..Calls::default() };
    match meaning {
        Meaning::Said(errcode, kind) => said(errcode, kind == Kind::Configuration, logged_in(calls(0))),
        Meaning::InDoubt | Meaning::Late | Meaning::NoConnection => logged_in(calls(0)),
        Meaning::SomebodyElse | Meaning::Snapshot | Meaning::Good => with_profile(calls(1)),
    }
}

/// Nor does a unionid. A token that WeChat refuses is asked for once more.
fn after_follower(meaning: Meaning, variation: &Variation) -> Expected {
    let calls = |global_token, follower| Calls { exchange: 1, global_token, follower, ..Calls::default() };
    match meaning {
        Meaning::Said(_, Kind::Retry) | Meaning::InDoubt | Meaning::SomebodyElse if !variation.persists => {
            with_profile(calls(1, 2))
        }
        Meaning::Said(errcode, Kind::Retry) => said(errcode, false, logged_in(calls(1, 3))),
        Meaning::InDoubt | Meaning::SomebodyElse | Meaning::NoConnection => logged_in(calls(1, 3)),
        Meaning::Late => logged_in(calls(1, 1)),
        Meaning::Said(_, Kind::Refresh) if !variation.persists => with_profile(calls(2, 2)),
        Meaning::Said(errcode, Kind::Refresh) => said(errcode, false, logged_in(calls(2, 2))),
        Meaning::Said(errcode, kind) => said(errcode, kind == Kind::Configuration, logged_in(calls(1, 1))),
        Meaning::Snapshot | Meaning::Good => with_profile(calls(1, 1)),
    }
}
