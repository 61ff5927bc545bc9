//! What a person sees.

use askama::Template;

use crate::{
    authorize::{Asked, REPLY},
    knobs::DuplicateCallback,
    ledger::Outcome,
    receive::Received,
    settings::Person,
    wire::Answer,
    world::World,
};

/// Why the authorize page shows an error instead of calling the callback.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PageError {
    RedirectUriOfAnotherDomain,
    Banned,
    ScopeNotOwned,
    FollowTestAccount,
    TooFrequent,
    ScopeEmpty,
    RedirectUriEmpty,
    AppidEmpty,
    StateEmpty,
    NotAuthorized,
    OpenPlatformAppid,
    StateTooLong,
    UnknownAppid,
    UnreachableLink,
    NotInWeChat,
    WrongScope,
    WrongRedirectUri,
}

impl PageError {
    /// WeChat's number, for those that have one.
    fn number(self) -> Option<i64> {
        Some(match self {
            Self::RedirectUriOfAnotherDomain => 10003,
            Self::Banned => 10004,
            Self::ScopeNotOwned => 10005,
            Self::FollowTestAccount => 10006,
            Self::TooFrequent => 10009,
            Self::ScopeEmpty => 10010,
            Self::RedirectUriEmpty => 10011,
            Self::AppidEmpty => 10012,
            Self::StateEmpty => 10013,
            Self::NotAuthorized => 10015,
            Self::OpenPlatformAppid => 10016,
            Self::StateTooLong
            | Self::UnknownAppid
            | Self::UnreachableLink
            | Self::NotInWeChat
            | Self::WrongScope
            | Self::WrongRedirectUri => return None,
        })
    }

    /// WeChat's text, for those that have no number.
    fn text(self) -> &'static str {
        match self {
            Self::StateTooLong => "state 参数过长",
            Self::UnknownAppid => "AppID 参数错误",
            Self::NotInWeChat => "请在微信客户端打开链接",
            Self::WrongScope => "Scope 参数错误或没有 Scope 权限",
            Self::WrongRedirectUri => "redirect_uri 参数错误",
            _ => "该链接无法访问",
        }
    }
}

/// WeChat's text for an error page with a number.
fn text_of(number: i64) -> &'static str {
    match number {
        10003 => "redirect_uri 域名与后台配置不一致",
        10004 => "此公众号被封禁",
        10005 => "此公众号并没有这些 scope 的权限",
        10006 => "必须关注此测试号",
        10009 => "操作太频繁了，请稍后重试",
        10010 => "scope 不能为空",
        10011 => "redirect_uri 不能为空",
        10012 => "appid 不能为空",
        10013 => "state 不能为空",
        10015 => "公众号未授权第三方平台，请检查授权状态",
        10016 => "不支持微信开放平台的 Appid，请使用公众号 Appid",
        _ => "该链接无法访问",
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    text: &'a str,
    number: Option<i64>,
}

/// Refuses to log anybody in.
pub(crate) fn refuse(error: PageError) -> Answer {
    match error.number() {
        Some(number) => self::error(number, None),
        None => page(
            &ErrorPage { text: error.text(), number: None },
            Outcome::Page { error: error.text().to_owned() },
        ),
    }
}

/// An error page by its number.
pub(crate) fn error(number: i64, text: Option<&str>) -> Answer {
    page(
        &ErrorPage { text: text.unwrap_or_else(|| text_of(number)), number: Some(number) },
        Outcome::Page { error: number.to_string() },
    )
}

#[derive(Template)]
#[template(path = "left.html")]
struct LeftPage;

/// The person refused and stays with WeChat.
pub(crate) fn left() -> Answer {
    page(&LeftPage, Outcome::Left)
}

#[derive(Template)]
#[template(path = "twice.html")]
struct TwicePage<'a> {
    location: &'a str,
    parallel: bool,
    credentials: &'static str,
}

/// Visits the callback twice.
pub(crate) fn twice(location: String, again: DuplicateCallback) -> Answer {
    let template = TwicePage {
        location: &location,
        parallel: again == DuplicateCallback::Parallel,
        credentials: if again == DuplicateCallback::OtherClient { "omit" } else { "include" },
    };
    let page = page(&template, Outcome::Pending);
    Answer { outcome: Outcome::Redirect { location }, ..page }
}

#[derive(Template)]
#[template(path = "consent.html")]
struct ConsentPage<'a> {
    app_name: &'a str,
    app_initial: String,
    reply: &'static str,
    /// The question, to be asked again with the answer.
    question: Vec<&'a (String, String)>,
    people: Vec<Choice<'a>>,
}

/// Somebody a page offers.
pub(crate) struct Choice<'a> {
    pub(crate) person: &'a Person,
    pub(crate) initial: String,
    pub(crate) chosen: bool,
}

impl<'a> Choice<'a> {
    /// Everybody, one of them chosen.
    pub(crate) fn of(people: &'a [Person], chosen: &str) -> Vec<Self> {
        let choice =
            |person: &'a Person| Self { person, initial: initial(&person.name), chosen: person.id == chosen };
        people.iter().map(choice).collect()
    }
}

/// Asks the person.
pub(crate) fn consent<'a>(world: &'a World, received: &'a Received, asked: &Asked, person: &str) -> Answer {
    let name = world.app(&asked.appid).map_or("", |app| app.name.as_str());
    let is_question = |(name, _): &&(String, String)| name != "person" && name != "decision";
    let page = page(
        &ConsentPage {
            app_name: name,
            app_initial: initial(name),
            reply: REPLY,
            question: received.query.iter().filter(is_question).collect(),
            people: Choice::of(&world.settings.people, person),
        },
        Outcome::Consent,
    );
    Answer { about: Some((person.to_owned(), world.openid(person, &asked.appid))), ..page }
}

/// What stands in the place of a picture.
pub(crate) fn initial(name: &str) -> String {
    name.chars().take(1).collect()
}

/// A page as an answer.
fn page(template: &impl Template, outcome: Outcome) -> Answer {
    Answer::html(render(template), outcome)
}

/// A page as text.
pub(crate) fn render(template: &impl Template) -> String {
    // A template over plain data does not fail; if one does, its cause is the page.
    template.render().unwrap_or_else(|cause| cause.to_string())
}
