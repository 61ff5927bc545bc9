//! The page of who is logged in, in words of every day. WeChat's own names are for scripts, which get them as JSON.

use askama::Template;

use crate::date;
use crate::language::Language;
use crate::page::{STYLE, respond};
use crate::policy::{Policy, SELF};
use crate::response::{Response, alone};
use crate::visit::Visit;
use crate::words::Labels;
use login::session::Session;
use login::time::Timestamp;
use wechat::UnionId;
use wechat::body::{UserInfo, is_avatar};

/// One thing that is known of a person.
struct Field {
    label: &'static str,
    value: String,
    /// Whether it is read letter by letter.
    is_id: bool,
}

/// The profile page: who is logged in until when, and where to add a profile that is missing.
#[must_use]
pub fn page(visit: &Visit, session: &Session, expires_at: Timestamp, consent_link: &str) -> Response {
    #[derive(Template)]
    #[template(path = "profile.html")]
    struct Page<'a> {
        style: &'static str,
        visit: &'a Visit,
        labels: Labels,
        purpose: &'a str,
        name: &'a str,
        initial: String,
        avatar: Option<&'a str>,
        fields: Vec<Field>,
        consent_link: Option<&'a str>,
    }
    let user_info = session.profile.as_ref().map(|profile| &profile.user_info);
    let labels = Labels::of(visit.language);
    let nickname = user_info.map_or("", |user_info| user_info.nickname.as_str());
    let name = if nickname.is_empty() { labels.nameless } else { nickname };
    let page = Page {
        style: STYLE,
        visit,
        labels,
        purpose: visit.purpose(),
        name,
        initial: name.chars().take(1).collect(),
        avatar: user_info.map(|user_info| user_info.headimgurl.as_str()).filter(|address| is_avatar(address)),
        fields: fields(visit.language, session, expires_at),
        consent_link: user_info.is_none().then_some(consent_link),
    };
    let policy = Policy {
        images: "https://*.qlogo.cn https://*.qpic.cn",
        form_action: SELF.to_owned(),
        ..Policy::default()
    };
    alone(respond(http::StatusCode::OK, &page, policy))
}

/// What is known, and nothing that is not: WeChat leaves most of a profile empty.
fn fields(language: Language, session: &Session, expires_at: Timestamp) -> Vec<Field> {
    let labels = Labels::of(language);
    let text = |label, value| Field { label, value, is_id: false };
    let id = |label, value: &str| Field { label, value: value.to_owned(), is_id: true };
    let mut fields = Vec::new();
    if let Some(profile) = &session.profile {
        let user_info = &profile.user_info;
        let nickname = Some(user_info.nickname.clone()).filter(|nickname| !nickname.is_empty());
        fields.extend(nickname.map(|nickname| text(labels.nickname, nickname)));
        fields.extend(gender(&labels, user_info.sex).map(|gender| text(labels.gender, gender.to_owned())));
        fields.extend(region(language, user_info).map(|region| text(labels.region, region)));
    }
    fields.push(id(labels.openid, session.openid.expose()));
    fields.extend(session.unionid.as_ref().map(UnionId::expose).map(|unionid| id(labels.unionid, unionid)));
    fields.push(text(labels.logged_in_until, date::written(expires_at, language)));
    fields
}

/// WeChat's number for a gender; 0 is not known.
const fn gender(labels: &Labels, sex: i64) -> Option<&'static str> {
    match sex {
        1 => Some(labels.male),
        2 => Some(labels.female),
        _ => None,
    }
}

/// Where a person is from: in Chinese the largest place comes first, in English the smallest.
fn region(language: Language, user_info: &UserInfo) -> Option<String> {
    let places = [&user_info.country, &user_info.province, &user_info.city];
    let mut places: Vec<_> =
        places.into_iter().map(String::as_str).filter(|place| !place.is_empty()).collect();
    let region = match language {
        Language::Chinese => places.join(" "),
        Language::English => {
            places.reverse();
            places.join(", ")
        }
    };
    (!region.is_empty()).then_some(region)
}

#[cfg(test)]
mod tests {
    use login::session::{Profile, Refusals};
    use wechat::{AppId, GrantedScope, OpenId};

    use super::*;
    use crate::request::Request;

    fn session(user_info: Option<&str>) -> Session {
        let read = |json| Profile {
            user_info: serde_json::from_str(json).unwrap(),
            lang: None,
            read_at: Timestamp::from_epoch_seconds(0),
            is_read_again: false,
        };
        Session {
            app: AppId::parse("wx0000000000000aaa").unwrap(),
            openid: OpenId::new("oLin".to_owned()),
            unionid: None,
            scope: GrantedScope::new("snsapi_userinfo"),
            access_token: None,
            refresh_token: None,
            profile: user_info.map(read),
            wants_profile: false,
            subscription: None,
            confirmed_at: None,
            refusals: Refusals::default(),
        }
    }

    fn shown(session: &Session, language: Language) -> Vec<(&'static str, String)> {
        let fields = fields(language, session, Timestamp::from_epoch_seconds(1_795_755_900));
        fields.into_iter().map(|field| (field.label, field.value)).collect()
    }

    #[test]
    fn what_is_known_is_shown_in_words() {
        let json = r#"{"openid":"oLin","nickname":"Lin","sex":2,"country":"CN","province":"Guangdong","city":"Shenzhen",
            "privilege":["chinaunicom"]}"#;
        let session = Session { unionid: Some(UnionId::new("uLin".to_owned())), ..session(Some(json)) };
        for language in [Language::Chinese, Language::English] {
            let labels = Labels::of(language);
            let region = match language {
                Language::Chinese => "CN Guangdong Shenzhen",
                Language::English => "Shenzhen, Guangdong, CN",
            };
            assert_eq!(
                shown(&session, language),
                [
                    (labels.nickname, "Lin".to_owned()),
                    (labels.gender, labels.female.to_owned()),
                    (labels.region, region.to_owned()),
                    (labels.openid, "oLin".to_owned()),
                    (labels.unionid, "uLin".to_owned()),
                    (
                        labels.logged_in_until,
                        date::written(Timestamp::from_epoch_seconds(1_795_755_900), language)
                    ),
                ]
            );
        }
    }

    #[test]
    fn what_is_not_known_is_not_shown() {
        let labels = Labels::of(Language::Chinese);
        for user_info in [None, Some(r#"{"openid":"oLin","sex":0}"#), Some(r#"{"openid":"oLin","sex":9}"#)] {
            let shown: Vec<_> =
                shown(&session(user_info), Language::Chinese).into_iter().map(|(label, _)| label).collect();
            assert_eq!(shown, [labels.openid, labels.logged_in_until]);
        }
    }

    #[test]
    fn a_hostile_profile_stays_text() {
        let json = r#"{"openid":"oLin","nickname":"<script>alert(1)</script>","headimgurl":"https://evil.com/\" onerror=\"x"}"#;
        let session = Session { openid: OpenId::new("\"><img>".to_owned()), ..session(Some(json)) };
        let visit = Visit::of(&Request::default());
        let page = page(&visit, &session, Timestamp::from_epoch_seconds(0), "").into_body();
        assert!(!page.contains("<script") && !page.contains("<img") && !page.contains("evil.com"), "{page}");
    }

    /// The letter in place of a photo is of the name above the page, whoever has none included.
    #[test]
    fn the_initial_is_that_of_the_name_which_is_shown() {
        for language in [Language::Chinese, Language::English] {
            let visit = Visit { language, ..Visit::of(&Request::default()) };
            for (user_info, name) in [
                (None, Labels::of(language).nameless),
                (Some(r#"{"openid":"oLin","nickname":""}"#), Labels::of(language).nameless),
                (Some(r#"{"openid":"oLin","nickname":"Lin"}"#), "Lin"),
            ] {
                let page =
                    page(&visit, &session(user_info), Timestamp::from_epoch_seconds(0), "").into_body();
                let initial: String = name.chars().take(1).collect();
                assert!(page.contains(&format!("<div class=\"avatar\">{initial}</div>")), "{page}");
                assert!(page.contains(&format!("<h1>{name}</h1>")), "{page}");
            }
        }
    }

    #[test]
    fn who_has_no_profile_reads_what_it_would_be_for() {
        let visit = Visit::of(&Request::default());
        let labels = Labels::of(visit.language);
        for (user_info, is_offered) in [(None, true), (Some(r#"{"openid":"oLin"}"#), false)] {
            let page =
                page(&visit, &session(user_info), Timestamp::from_epoch_seconds(0), "/authorize").into_body();
            for part in [labels.add_profile, labels.consent_purpose, "href=\"/authorize\""] {
                assert_eq!(page.contains(part), is_offered, "{part} in {page}");
            }
            assert!(page.contains(&format!("href=\"/\">{}</a>", labels.go_home)), "{page}");
        }
    }
}
