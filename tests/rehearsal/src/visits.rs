//! What people do with the deployed login, by its domain, as the README promises it.

use std::time::Duration;

use harness::{
    Answer, Failure, Result, Visitor,
    browser::Visit,
    emulated_aws::EmulatedAws,
    hand_off::{Waiting, form, scan, tap},
    places::{AUTHORIZE, AUTHORIZE_PROFILE, EXCHANGE, USERINFO, callback},
    stack::{DEFAULT_RETURN_TO, PAGE_ORIGIN, PUBLIC_URL, WEBSITE_APP},
    visitor::callback_of,
};
use http::Method;
use simulator::{Action, Consent, Denial, Fault, Scripted};
use tokio::time::sleep;

use crate::wechat::Visitors;

/// WeChat's file, as the parameter `SiteVerification` takes it.
pub const VERIFICATION: (&str, &str) = ("MP_verify_0a1B2c3D.txt", "0a1B2c3D");
/// Longer than a function takes to answer that there was no time, 8.5 seconds, and shorter than Lambda lets it run, 10:
/// what hands out the events hangs with everything else, and must take the answer.
const TOO_LONG: Duration = Duration::from_millis(8800);

pub fn require(holds: bool, otherwise: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(Failure::new(otherwise())) }
}

pub fn told(answer: &Answer) -> String {
    format!("{} {} {}", answer.url, answer.status, answer.text())
}

async fn require_logged_in(visitor: &Visitor, openid: &str) -> Result<()> {
    let known = visitor.logged_in_as().await?;
    require(known.as_deref() == Some(openid), || format!("logged in as {known:?}, not {openid}"))
}

async fn require_logged_out(visitor: &Visitor) -> Result<()> {
    let known = visitor.logged_in_as().await?;
    require(known.is_none(), || format!("still logged in as {known:?}"))
}

/// Everything that works.
pub async fn everything(visitors: &Visitors) -> Result<()> {
    silent(visitors).await.map_err(|failure| failure.during("a silent login"))?;
    consent(visitors).await.map_err(|failure| failure.during("a login with consent"))?;
    qr(visitors).await.map_err(|failure| failure.during("a login by QR code"))?;
    by_a_phone(visitors).await.map_err(|failure| failure.during("a login by a phone"))?;
    duplicate(visitors).await.map_err(|failure| failure.during("a duplicate callback"))?;
    other_pages(visitors).await.map_err(|failure| failure.during("another page's script"))?;
    leaving(visitors).await.map_err(|failure| failure.during("leaving"))?;
    paths(visitors).await.map_err(|failure| failure.during("a path"))
}

/// A silent login.
pub async fn silent(visitors: &Visitors) -> Result<()> {
    let visitor = visitors.visitor("lin").logged_in().await?;
    require_logged_in(&visitor, &visitor.openid()).await
}

async fn consent(visitors: &Visitors) -> Result<()> {
    let visitor = visitors.visitor("zhou").logged_in_with_profile().await?;
    let shown = visitor.shown().await?;
    require(shown["nickname"].is_string(), || format!("no nickname in {shown}"))
}

async fn qr(visitors: &Visitors) -> Result<()> {
    let visitor = visitors.visitor("lin").at_a_computer();
    visitor.log_in().await?;
    require_logged_in(&visitor, &visitor.openid_at(WEBSITE_APP)).await
}

/// A computer, by the code that a phone scans.
async fn by_a_phone(visitors: &Visitors) -> Result<()> {
    let computer = Waiting::begin(visitors.visitor("lin").at_a_computer(), "via=handoff").await?;
    let phone = visitors.visitor("zhou").logged_in().await?;
    let asked = form(&scan(&phone, &computer.code).await?)?;
    tap(&phone, &asked, Some(computer.number().await?)).await?;
    let end = computer.open(None).await?;
    require(end.status == 303, || told(&end))?;
    require_logged_in(&computer.visitor, &phone.openid()).await
}

async fn duplicate(visitors: &Visitors) -> Result<()> {
    let visitor = visitors.visitor("zhou");
    let callback = callback_of(&visitor.log_in().await?)?;
    let session = visitor.session();
    let again = visitor.call_back(&callback).await?;
    let leads_to_the_page = again.location().is_some_and(|target| target.starts_with(DEFAULT_RETURN_TO));
    require(again.status == 303 && leads_to_the_page, || told(&again))?;
    require(visitor.session() == session, || "another session".to_owned())?;
    // In another browser it is nobody's login.
    let stranger = visitors.visitor("mallory");
    let refused = stranger.call_back(&callback).await?;
    require(stranger.session().is_none(), || told(&refused))
}

async fn other_pages(visitors: &Visitors) -> Result<()> {
    let visitor = visitors.visitor("lin").logged_in().await?;
    let answer = visitor.userinfo().await?;
    let allowed = ["access-control-allow-origin", "access-control-allow-credentials"];
    let allowed = allowed.map(|name| answer.header(name));
    require(allowed == [Some(PAGE_ORIGIN), Some("true")], || format!("{allowed:?}"))?;
    let preflight = |origin: &str| {
        Visit::fetch(Method::OPTIONS, USERINFO, origin).header("access-control-request-method", "DELETE")
    };
    let ours = visitor.send(preflight(PAGE_ORIGIN)).await?;
    let methods = ours.header("access-control-allow-methods").unwrap_or_default();
    require(ours.status == 204 && methods.contains("DELETE"), || format!("preflight: {}", told(&ours)))?;
    let foreign = visitor.send(preflight("https://evil.example")).await?;
    let is_allowed = foreign.header("access-control-allow-origin").is_some();
    require(!is_allowed, || format!("a foreign page may ask: {}", told(&foreign)))
}

async fn leaving(visitors: &Visitors) -> Result<()> {
    for erases in [false, true] {
        let visitor = visitors.visitor("lin").logged_in_with_profile().await?;
        let thief = visitor.thief();
        let left = if erases { visitor.erase().await? } else { visitor.log_out().await? };
        require(left.status == 204 || left.status == 303, || told(&left))?;
        require(visitor.session().is_none(), || "the cookie stays".to_owned())?;
        require_logged_out(&thief).await?;
    }
    Ok(())
}

async fn paths(visitors: &Visitors) -> Result<()> {
    let visitor = visitors.visitor("lin");
    let at = |path: &str| format!("{PUBLIC_URL}{path}");
    let file = visitor.open(&at(&format!("/{}", VERIFICATION.0))).await?;
    require(file.status == 200 && file.text() == VERIFICATION.1, || told(&file))?;
    let home = visitor.open(&at("/")).await?;
    require(home.status == 200, || told(&home))?;
    let unknown = visitor.open(&at("/nothing")).await?;
    require(unknown.status == 404 && unknown.text().contains("<html"), || told(&unknown))?;
    // No route takes two segments: this is API Gateway's own answer.
    let beyond = visitor.open(&at("/no/thing")).await?;
    require(beyond.status == 404 && beyond.text() == r#"{"message":"Not Found"}"#, || told(&beyond))
}

/// A session that stays for a later look, with the openid that it is of.
pub async fn lasting(visitors: &Visitors) -> Result<(Visitor, String)> {
    let visitor = visitors.visitor("zhou").logged_in_with_profile().await?;
    let openid = visitor.openid();
    Ok((visitor, openid))
}

/// Whether that session is still there.
pub async fn still_there((visitor, openid): &(Visitor, String)) -> Result<()> {
    require_logged_in(visitor, openid).await
}

/// Every route answers with a page of ours whose reason this is, and never with API Gateway's own 500.
pub async fn only_the_page(visitors: &Visitors, reason: &str) -> Result<()> {
    let visitor = visitors.visitor("lin");
    for path in ["/", "/authorize", "/callback?code=x&state=y", "/userinfo", "/nothing"] {
        let answer = visitor.open(&format!("{PUBLIC_URL}{path}")).await?;
        let is_the_page = answer.status == 503 && answer.text().contains(reason);
        require(is_the_page, || format!("not the page `{reason}`: {}", told(&answer)))?;
    }
    // A script is told so in JSON.
    let problem = visitor.userinfo().await?;
    let is_told = problem.status == 503 && problem.json()?["type"] == format!("urn:wechat-login:{reason}");
    require(is_told, || format!("not the problem `{reason}`: {}", told(&problem)))
}

/// A login that comes to nothing, whatever the reason.
pub async fn in_vain(visitors: &Visitors, reason: &str) -> Result<()> {
    let visitor = visitors.visitor("lin");
    let hops = visitor.follow(AUTHORIZE).await?;
    require(visitor.session().is_none(), || "a login without a secret".to_owned())?;
    let last = hops.last().ok_or_else(|| Failure::new("no answer"))?;
    require(last.text().contains(reason), || format!("not `{reason}`: {}", told(last)))
}

/// What goes wrong on the way, so that there is a line of each kind in the log.
pub async fn misfortunes(visitors: &Visitors) -> Result<()> {
    let wechat = &visitors.simulator;
    let script = |path: &str, fault: Fault, times: u32| {
        wechat.knobs(|knobs| knobs.script(path, Scripted { times, ..fault.into() }));
    };
    // Declined.
    wechat.knobs(|knobs| {
        knobs.consent = Consent::Deny;
        knobs.denial = Denial::Authdeny;
    });
    let decliner = visitors.visitor("mallory");
    let page = decliner.begin(AUTHORIZE_PROFILE).await?;
    let callback_without_code = decliner.decide(&page, "deny").await?;
    decliner.call_back(&callback_without_code).await?;
    wechat.knobs(|knobs| knobs.consent = Consent::Allow);
    // A callback that nobody asked for.
    visitors.visitor("mallory").call_back(&callback("made-up", "made-up")).await?;
    // WeChat at a bad time, and with a secret that it no longer takes.
    for errcode in [-1, 40125] {
        script(EXCHANGE, Fault::Errcode { errcode, errmsg: None }, 1);
        let unlucky = visitors.visitor("lin");
        unlucky.call_back(&unlucky.come_back(AUTHORIZE).await?).await?;
    }
    // Another person's profile.
    wechat.knobs(|knobs| knobs.userinfo_answers_other_openid = true);
    let mistaken = visitors.visitor("lin");
    mistaken.call_back(&mistaken.come_back(AUTHORIZE_PROFILE).await?).await?;
    wechat.knobs(|knobs| knobs.userinfo_answers_other_openid = false);
    // A person who takes the permission back.
    let gone = visitors.visitor("zhou").logged_in_with_profile().await?;
    wechat.act(&Action::ForgetAccessTokens);
    wechat.act(&Action::RevokeRefreshTokens);
    gone.verify().await?;
    Ok(())
}

/// A login in whose midst nothing of AWS answers any more. The function answers in time and says so in its log.
pub async fn while_aws_hangs(visitors: &Visitors, aws: &EmulatedAws) -> Result<()> {
    let visitor = visitors.visitor("lin");
    let callback = visitor.come_back(AUTHORIZE).await?;
    let wechat = &visitors.simulator;
    // While WeChat thinks, the region stops.
    wechat.knobs(|knobs| {
        knobs.delay_milliseconds.insert(EXCHANGE.to_owned(), 4700);
    });
    let before = wechat.ledger().len();
    let stop = async {
        wechat.until(|ledger| ledger.iter().skip(before).any(|entry| entry.path == EXCHANGE)).await;
        aws.pause()?;
        sleep(TOO_LONG).await;
        aws.go_on()
    };
    let (answer, stopped) = tokio::join!(visitor.call_back(&callback), stop);
    wechat.knobs(|knobs| knobs.delay_milliseconds.clear());
    stopped?;
    let answer = answer?;
    require(visitor.session().is_none(), || format!("a session: {}", told(&answer)))
}
