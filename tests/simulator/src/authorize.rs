//! `GET /connect/oauth2/authorize`
//! ([网页授权](https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html#0)): where a
//! browser is sent to log in.
//!
//! A page error is shown by WeChat and never reaches the callback. The consent page itself is a simulator's: WeChat
//! asks in a dialog of its client. Its answer comes back as a GET that carries the whole question again, so nothing is
//! remembered between the two.

use axum::http::header;

use crate::{
    callback::{Fit, before_fragment, fit, with_query_doubled},
    knobs::{Consent, DuplicateCallback},
    pages::{self, Page, PageError},
    receive::{CHOSEN_PERSON, Received},
    settings::{App, AppKind, Component},
    wire::Answer,
    words,
    world::{Wanted, World},
};

/// Where the consent page sends its answer.
pub(crate) const REPLY: &str = "/connect/oauth2/authorize_reply";

/// The parameters in the documented order; whatever else there is comes after them.
const DOCUMENTED_ORDER: [&str; 5] = ["appid", "redirect_uri", "response_type", "scope", "state"];

/// What WeChat's client adds to every address it opens, after everything else.
const OF_THE_CLIENT: [&str; 3] = ["uin", "key", "pass_ticket"];

/// A question that WeChat puts to the person.
pub(crate) struct Asked {
    pub(crate) appid: String,
    pub(crate) redirect_uri: String,
    pub(crate) scope: String,
    /// Comes back as it is, empty or not at all.
    pub(crate) state: Option<String>,
    /// The third-party platform that asks for the account.
    component: Option<String>,
    force_popup: bool,
    force_snapshot: bool,
}

pub(crate) fn answer(world: &mut World, received: &Received) -> Page {
    let asked = check(world, received)?;
    ask(world, received, &asked)
}

/// The answer of the consent page.
pub(crate) fn reply(world: &mut World, received: &Received) -> Page {
    let asked = check(world, received)?;
    let person = received.parameter("person").unwrap_or_default();
    if world.person(person).is_none() {
        return Err(PageError::Text(words::UNREACHABLE_LINK));
    }
    let person = person.to_owned();
    let mut answer = if received.parameter("decision") == Some("allow") {
        allow(world, &asked, &person, Allowed::ByConsent)
    } else {
        deny(world, &asked, &person)
    };
    answer.header(header::SET_COOKIE, &format!("{CHOSEN_PERSON}={person}; Path=/; HttpOnly; SameSite=Lax"));
    Ok(answer)
}

/// What WeChat refuses, in the order it looks.
fn check(world: &World, received: &Received) -> Result<Asked, PageError> {
    if world.knobs.check_user_agent && !is_wechat(received.user_agent.as_deref()) {
        return Err(PageError::Text(words::NOT_IN_WECHAT));
    }
    if received.method != "GET" || (world.knobs.strict_param_order && !is_documented_order(received)) {
        return Err(PageError::Text(words::UNREACHABLE_LINK));
    }
    let required = |name, error| {
        let value = received.parameter(name).filter(|value| !value.is_empty());
        value.map(str::to_owned).ok_or(error)
    };
    let appid = required("appid", PageError::Number(10012))?;
    let redirect_uri = required("redirect_uri", PageError::Number(10011))?;
    let scope = required("scope", PageError::Number(10010))?;
    let state = received.parameter("state").map(str::to_owned);
    let said = state.as_deref().unwrap_or_default();
    if said.is_empty() && world.knobs.state_required {
        return Err(PageError::Number(10013));
    }
    if said.len() > 128 {
        return Err(PageError::Text(words::STATE_TOO_LONG));
    }
    if received.parameter("response_type") != Some("code") {
        return Err(PageError::Text(words::UNREACHABLE_LINK));
    }
    let app = world.app(&appid).ok_or(PageError::Text(words::UNKNOWN_APPID))?;
    if app.kind == AppKind::Website {
        return Err(PageError::Number(10016));
    }
    if world.knobs.banned_apps.contains(&appid) {
        return Err(PageError::Number(10004));
    }
    let component = component(world, received, app)?;
    let of_component = component.map(|component| fit(&component.callback_domains, &redirect_uri));
    match of_component.max(Some(fit(&app.callback_domains, &redirect_uri))) {
        Some(Fit::Own) => {}
        Some(Fit::OtherScheme) => return Err(PageError::Number(10039)),
        _ => return Err(PageError::Number(10003)),
    }
    if !app.scopes.contains(&scope) {
        return Err(PageError::Number(10005));
    }
    if let Some(limit) = world.knobs.authorize_per_minute {
        let person = visitor(world, received);
        let same = |entry: &crate::Entry| {
            entry.appid.as_ref() == Some(&appid)
                && entry.person.as_ref().is_none_or(|earlier| *earlier == person)
        };
        if world.within_minute(&received.path, same) > limit {
            return Err(PageError::Number(10009));
        }
    }
    let component = component.map(|component| component.appid.clone());
    let is_on = |name| received.parameter(name) == Some("true");
    let (force_popup, force_snapshot) = (is_on("forcePopup"), is_on("forceSnapShot"));
    Ok(Asked { appid, redirect_uri, scope, state, component, force_popup, force_snapshot })
}

/// The third-party platform that asks, which the account must have authorized.
fn component<'a>(
    world: &'a World,
    received: &Received,
    app: &App,
) -> Result<Option<&'a Component>, PageError> {
    let Some(appid) = received.parameter("component_appid") else {
        return Ok(None);
    };
    let component = world.component(appid).ok_or(PageError::Number(10015))?;
    let authorized = component.authorizers.contains(&app.appid);
    if authorized { Ok(Some(component)) } else { Err(PageError::Number(10015)) }
}

/// WeChat's own browser. That of 企业微信 says so too, but has a login of its own.
fn is_wechat(user_agent: Option<&str>) -> bool {
    user_agent.is_some_and(|text| text.contains("MicroMessenger") && !text.contains("wxwork"))
}

/// Whether what is there of the documented parameters stands in their order, once each, before everything else, and
/// `component_appid` after everything else.
fn is_documented_order(received: &Received) -> bool {
    let positions = received.query.iter().map(|(name, _)| {
        let position = DOCUMENTED_ORDER.iter().position(|documented| documented == name);
        (position.is_some(), position.unwrap_or(DOCUMENTED_ORDER.len()))
    });
    let last = received.query.iter().position(|(name, _)| name == "component_appid");
    let after_last = received.query.iter().skip(last.map_or(usize::MAX, |last| last + 1));
    after_last.into_iter().all(|(name, _)| OF_THE_CLIENT.contains(&name.as_str()))
        && positions.is_sorted_by(|(_, before), (documented, after)| {
            before < after || (!documented && before == after)
        })
}

/// Who it is: the first of these that exists, or the first person of all.
pub(crate) fn who<'a>(world: &World, candidates: impl IntoIterator<Item = Option<&'a str>>) -> String {
    let first = world.settings.people.first().map(|person| person.id.as_str());
    let known = candidates.into_iter().flatten().find(|id| world.person(id).is_some());
    known.or(first).unwrap_or_default().to_owned()
}

/// Who is logged in to the browser that asks.
pub(crate) fn visitor(world: &World, received: &Received) -> String {
    let knob = world.knobs.current_person.as_deref();
    who(world, [received.person.as_deref(), knob, received.chosen.as_deref()])
}

fn ask(world: &mut World, received: &Received, asked: &Asked) -> Page {
    let person = visitor(world, received);
    let follows = world.follows(&person, &asked.appid);
    if world.app(&asked.appid).is_some_and(|app| app.test_account) && !follows {
        return Err(PageError::Number(10006));
    }
    let from_menu = world.knobs.entry_from_menu && follows;
    if asked.scope == "snsapi_base" {
        return Ok(allow(world, asked, &person, Allowed::Silently));
    }
    if meets_snapshot(world, asked, &person, from_menu) {
        return Ok(allow(world, asked, &person, Allowed::OnSnapshotPage));
    }
    let remembered = world.knobs.consent_remembered
        && !asked.force_popup
        && world.granted_profile_at(&person, &asked.appid).is_some();
    if from_menu || remembered {
        return Ok(allow(world, asked, &person, Allowed::Silently));
    }
    let consent = match received.consent.as_deref() {
        Some("allow") => Consent::Allow,
        Some("deny") => Consent::Deny,
        _ => world.knobs.consent,
    };
    Ok(match consent {
        Consent::Ask => pages::consent(world, received, asked, &person),
        Consent::Allow => allow(world, asked, &person, Allowed::ByConsent),
        Consent::Deny => deny(world, asked, &person),
    })
}

/// Whether a snapshot page stands between the person and the callback. `forcePopup` does not prevent it.
fn meets_snapshot(world: &World, asked: &Asked, person: &str, from_menu: bool) -> bool {
    if world.shows_snapshots(&asked.scope) {
        return true;
    }
    let exempt = world
        .granted_profile_at(person, &asked.appid)
        .is_some_and(|time| world.now() < time.saturating_add(world.knobs.snapshot_exemption_seconds));
    asked.force_snapshot && world.knobs.force_snapshot_works && !from_menu && !exempt
}

/// How a code came to be issued.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Allowed {
    /// The person was asked.
    ByConsent,
    /// Nobody was asked.
    Silently,
    /// Nobody was asked, and nobody real logs in.
    OnSnapshotPage,
}

fn allow(world: &mut World, asked: &Asked, person: &str, allowed: Allowed) -> Answer {
    let wanted = Wanted {
        appid: &asked.appid,
        scope: &asked.scope,
        component: asked.component.as_deref(),
        silent: allowed != Allowed::ByConsent,
        snapshot: allowed == Allowed::OnSnapshotPage,
    };
    let code = world.issue_code(person, wanted);
    let mut parameters = vec![("code", code.as_str())];
    parameters.extend(asked.state.as_deref().map(|state| ("state", state)));
    if asked.component.is_some() {
        parameters.push(("appid", &asked.appid));
    }
    let location = before_fragment(&asked.redirect_uri, &parameters);
    let mut answer = go(world, &location);
    answer.about = world.codes.get(&code).map(|issued| (person.to_owned(), issued.identity.openid.clone()));
    answer.code = Some(code);
    answer
}

fn deny(world: &World, asked: &Asked, person: &str) -> Answer {
    let mut answer = match world.knobs.denial.parameters(asked.state.as_deref()) {
        None => pages::left(),
        Some(parameters) => go(world, &before_fragment(&asked.redirect_uri, &parameters)),
    };
    answer.about = Some((person.to_owned(), world.openid(person, &asked.appid)));
    answer
}

/// Sends the browser to the callback, once or twice, with what becomes of the address on the way.
fn go(world: &World, callback: &str) -> Answer {
    let location = before_fragment(callback, &world.knobs.callback_additions.parameters());
    let location = if world.knobs.callback_query_doubled { with_query_doubled(&location) } else { location };
    match world.knobs.duplicate_callback {
        DuplicateCallback::Off => Answer::redirect(location),
        again => pages::twice(location, again),
    }
}
