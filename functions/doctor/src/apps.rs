//! The apps, asked about where only WeChat knows: is the secret right, does the address pass, does the page accept.
//!
//! **The secret** is tried by an exchange of a made-up code. What WeChat says then depends on the order in which it
//! checks, and only from the outside is known that the code comes last: an answer about the code (40029) is taken for
//! "accepted". Nothing is spent by it.
//!
//! **The global token** is asked for as the callback does it (`POST /cgi-bin/stable_token` in its normal mode), which
//! gives the live token once more and ends none. It is neither kept nor shown.
//!
//! **The pages** are opened as WeChat's browser would, without anybody in it; what they say to that is not documented,
//! and often nothing ([`PageAnswer::Nothing`]).

use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use futures_util::future::{join, join_all};
use login::account::Accounts;
use login::origin::Origin;
use login::random;
use login::time::Timestamp;
use secrets::{AppSecrets, ComponentTokens, Secrets, SecretsError};
use url::Url;
use wechat::authorize_url::{OfficialAccount, Switches, WebsiteApp};
use wechat::errcode::{Errcode, Reaction};
use wechat::error::Error;
use wechat::page::{Page, PageAnswer};
use wechat::{AppId, AppSecret, AuthorizationCode, Scope};
use wechat_api::{Client, Credentials};

use crate::finding::{Finding, Found};

/// How far two clocks may be apart: a login lives minutes, and a token is renewed minutes before it ends.
const CLOCKS_APART: Duration = Duration::from_mins(1);

/// An app, and how it is exchanged for.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) id: AppId,
    /// Whether it logs people in by QR code; otherwise inside WeChat.
    pub(crate) is_website: bool,
    /// The third-party platform that acts for it.
    pub(crate) component: Option<AppId>,
}

/// Every app of a deployment.
pub(crate) fn all(accounts: &Accounts) -> Vec<App> {
    let apps = accounts.iter().flat_map(|account| {
        let official = account.official_account.as_ref().map(|id| (id, false, account.component.as_ref()));
        [official, account.website.as_ref().map(|id| (id, true, None))]
    });
    let app = |(id, is_website, component): (&AppId, bool, Option<&AppId>)| App {
        id: id.clone(),
        is_website,
        component: component.cloned(),
    };
    apps.flatten().map(app).collect()
}

/// What is said of `SilentUnionid` where it is set. The callback asks for the unionid of a silent login, with the app's
/// secret: a website app has no silent login, and where a platform acts there is no secret.
pub(crate) fn silent_unionid(apps: &[App]) -> Option<Found> {
    let has_use = apps.iter().any(|app| !app.is_website && app.component.is_none());
    (!has_use).then(|| Finding::SilentUnionidIdle.of("SilentUnionid"))
}

/// What the API says of every app with its secret, or with its platform's token.
pub(crate) async fn secrets(
    apps: &[App],
    wechat: &Client,
    secrets: &Secrets<AppSecrets>,
    component_tokens: Option<&Secrets<ComponentTokens>>,
    asks_for_global_tokens: bool,
    now: Timestamp,
) -> Vec<Found> {
    let (own, components): (Vec<_>, Vec<_>) = apps.iter().partition(|app| app.component.is_none());
    let mut found = Vec::new();
    if !own.is_empty() {
        match secrets.read(now).await {
            Err(error) => found.push(unreadable("AppSecrets", &error)),
            Ok(kept) => {
                let each = own.iter().map(|app| secret(app, wechat, &kept, asks_for_global_tokens));
                found.extend(join_all(each).await.into_iter().flatten());
            }
        }
    }
    // That there is no place for a platform's token, the settings have said.
    if let (false, Some(tokens)) = (components.is_empty(), component_tokens) {
        match tokens.read(now).await {
            Err(error) => found.push(unreadable("ComponentTokens", &error)),
            Ok(tokens) => {
                let each = components.iter().map(|app| component(app, wechat, &tokens));
                found.extend(join_all(each).await);
            }
        }
    }
    found
}

fn unreadable(subject: &str, error: &SecretsError) -> Found {
    match error {
        SecretsError::Unavailable(code) => Finding::SecretsUnreadable.of(subject).with(code),
        SecretsError::Malformed => Finding::SecretsMalformed.of(subject),
        SecretsError::Missing | SecretsError::NoComponentToken => Finding::SecretMissing.of(subject),
    }
}

async fn secret(app: &App, wechat: &Client, kept: &AppSecrets, asks_for_global_token: bool) -> Vec<Found> {
    let subject = app.id.as_str();
    let Ok(secret) = kept.of(&app.id) else { return vec![Finding::SecretMissing.of(subject)] };
    if !is_well_formed(&secret) {
        return vec![Finding::SecretMisshapen.of(subject)];
    }
    let exchange = async {
        let credentials = Credentials::App(secret.clone());
        let answer = wechat.conversation().exchange(&app.id, &credentials, &made_up_code(), scope(app)).await;
        judge(subject, &answer.map(drop), Finding::SecretAccepted)
    };
    // Only the Official Account has followers, and so a global token that is of use.
    if app.is_website || !asks_for_global_token {
        return vec![exchange.await];
    }
    let global = async {
        let token = wechat.conversation().stable_token(&app.id, &secret).await.map(drop);
        judge(&format!("{subject} stable_token"), &token, Finding::GlobalTokenGiven)
    };
    let (exchange, global) = join(exchange, global).await;
    vec![exchange, global]
}

/// An app secret is 32 hexadecimal digits in lower case; anything else is something else that was pasted, which WeChat
/// need not see.
fn is_well_formed(secret: &AppSecret) -> bool {
    let text = secret.expose();
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

async fn component(app: &App, wechat: &Client, tokens: &ComponentTokens) -> Found {
    let subject = app.id.as_str();
    let Some(component) = &app.component else { return Finding::ComponentTokenMissing.of(subject) };
    let Ok(token) = tokens.of(component) else {
        return Finding::ComponentTokenMissing.of(component.as_str());
    };
    let credentials = Credentials::Component { component: component.clone(), token };
    let answer =
        wechat.conversation().exchange(&app.id, &credentials, &made_up_code(), scope(app)).await.map(drop);
    match &answer {
        Err(error) if credentials.are_refused_by(error) => Finding::ComponentTokenRefused
            .of(component.as_str())
            .with(error.errcode().map_or(0, Errcode::get)),
        answer => judge(subject, answer, Finding::ComponentAccepted),
    }
}

const fn scope(app: &App) -> Scope {
    if app.is_website { Scope::Login } else { Scope::Base }
}

/// A code of the form of WeChat's own that WeChat never gave.
fn made_up_code() -> AuthorizationCode {
    AuthorizationCode::new(digits())
}

/// 32 random hexadecimal digits.
fn digits() -> String {
    format!("{:032x}", u128::from_be_bytes(random::bytes()))
}

/// What an answer says of an app. That only the code is refused, or nothing, is `good`.
fn judge(subject: &str, answer: &Result<(), Error>, good: Finding) -> Found {
    let error = match answer {
        Ok(()) => return good.of(subject),
        Err(error) => error,
    };
    let refused = match error {
        Error::Refused(refused) => refused,
        Error::NotSent(_) => return Finding::WechatUnreachable.of(subject),
        Error::InDoubt(doubt) => return Finding::WechatSilent.of(subject).with(doubt),
    };
    match refused.errcode {
        errcode if errcode.reaction() == Reaction::FreshLogin => good.of(subject),
        Errcode::INVALID_APPID => Finding::AppUnknown.of(subject),
        errcode @ (Errcode::INVALID_APP_SECRET | Errcode::INVALID_CREDENTIAL) => {
            Finding::SecretWrong.of(subject).with(errcode)
        }
        Errcode::SECRET_FROZEN => Finding::SecretFrozen.of(subject),
        Errcode::NOT_AUTHORISED => Finding::ComponentUnauthorized.of(subject),
        errcode if errcode.is_about_the_address() => {
            let address =
                refused.address.map_or_else(|| format!("errcode {errcode}"), |address| address.to_string());
            Finding::AddressRefused.of(subject).with(address)
        }
        errcode if errcode.reaction() == Reaction::Retry || errcode.is_too_often() => {
            Finding::WechatSilent.of(subject).with(format_args!("errcode {errcode}"))
        }
        errcode => Finding::WechatRefuses.of(subject).with(errcode),
    }
}

/// What WeChat's pages say of every app, and of the clock.
pub(crate) async fn pages(
    apps: &[App],
    wechat: &Client,
    open_url: &Url,
    public_url: &Origin,
    clock: fn() -> SystemTime,
) -> Vec<Found> {
    let asked = join_all(apps.iter().map(|app| page(app, wechat, open_url, public_url, clock))).await;
    let mut found = Vec::new();
    let mut apart = None;
    for (page, measured) in asked {
        found.push(page);
        apart = apart.or(measured);
    }
    found.push(match apart {
        None => Finding::ClockUnknown.of("WeChat"),
        Some(apart) if apart > CLOCKS_APART => Finding::ClockOff.of("WeChat").with(apart.as_secs()),
        Some(_) => Finding::ClockRight.of("WeChat"),
    });
    found
}

/// What WeChat's page says of an app, and how far its clock is from this one's.
async fn page(
    app: &App,
    wechat: &Client,
    open_url: &Url,
    public_url: &Origin,
    clock: fn() -> SystemTime,
) -> (Found, Option<Duration>) {
    let redirect_uri = format!("{}/callback", public_url.as_str());
    let state = digits();
    let official = |scope| {
        let component = app.component.as_ref();
        let switches = Switches::default();
        let (app, redirect_uri, state) = (&app.id, &*redirect_uri, &*state);
        OfficialAccount { app, redirect_uri, scope, state, switches, component }.on(open_url)
    };
    let links = if app.is_website {
        let (app, redirect_uri, state) = (&app.id, &redirect_uri[..], &state[..]);
        vec![WebsiteApp { app, redirect_uri, state, lang: None, embedded: false }.on(open_url)]
    } else {
        // An account may own the one scope and not the other. For the second WeChat asks a person, or says nothing.
        vec![official(Scope::Base), official(Scope::UserInfo)]
    };
    let subject = app.id.as_str();
    let pages = join_all(links.into_iter().map(|link| wechat.page(link))).await;
    let apart = pages.iter().flatten().find_map(|page| apart(page, clock()));
    let judged = pages.iter().map(|page| match page {
        Ok(page) => judge_page(subject, page.answer(&redirect_uri)),
        Err(Error::NotSent(_)) => Finding::WechatUnreachable.of(subject),
        Err(error) => Finding::WechatSilent.of(subject).with(error),
    });
    // An error of either is one; a page that accepts is worth more than one that says nothing.
    let rank = |found: &Found| match found.finding {
        Finding::PageAccepts => 1,
        Finding::PageUnclear => 0,
        _ => 2,
    };
    let found = judged.max_by_key(rank).unwrap_or_else(|| Finding::PageUnclear.of(subject));
    (found, apart)
}

fn judge_page(subject: &str, answer: PageAnswer) -> Found {
    match answer {
        PageAnswer::ComesBack | PageAnswer::QrCode => Finding::PageAccepts.of(subject),
        PageAnswer::AppUnknown => Finding::AppUnknown.of(subject),
        PageAnswer::ScopeRefused => Finding::PageScope.of(subject).with("Scope 参数错误"),
        PageAnswer::RedirectUriRefused => Finding::PageDomain.of(subject).with("redirect_uri 参数错误"),
        PageAnswer::Numbered(10003) => Finding::PageDomain.of(subject).with(10003),
        PageAnswer::Numbered(10004) => Finding::PageBanned.of(subject),
        PageAnswer::Numbered(10005) => Finding::PageScope.of(subject).with(10005),
        PageAnswer::Numbered(10006) => Finding::PageFollowers.of(subject),
        PageAnswer::Numbered(10015) => Finding::ComponentUnauthorized.of(subject),
        PageAnswer::Numbered(10016) => Finding::PageAppKind.of(subject),
        PageAnswer::Numbered(10039) => Finding::PageScheme.of(subject),
        PageAnswer::Numbered(number) => Finding::PageRefuses.of(subject).with(number),
        PageAnswer::Nothing => Finding::PageUnclear.of(subject),
    }
}

/// How far the clock of a page is from this one, if it brought its time.
fn apart(page: &Page, now: SystemTime) -> Option<Duration> {
    let date = DateTime::from_str(page.date.as_deref()?, Format::HttpDate).ok()?;
    let theirs = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(date.secs()).ok()?);
    Some(now.duration_since(theirs).unwrap_or_else(|ahead| ahead.duration()))
}
