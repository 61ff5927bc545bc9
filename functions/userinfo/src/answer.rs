//! Who is logged in, as a script is told. What a person is told is [`web::profile`].

use http::StatusCode;
use login::session::Session;
use login::time::Timestamp;
use serde::Serialize;
use web::response::{self, Response};
use wechat::UnionId;

/// The JSON answer: WeChat's own names, and some of ours.
#[derive(Serialize)]
struct Answer<'a> {
    openid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    unionid: Option<&'a str>,
    #[serde(flatten)]
    profile: Option<ProfileFields<'a>>,
    /// What the person granted, separated by commas.
    scope: &'a str,
    /// When the session is over, in seconds since the Unix epoch.
    expires_at: u64,
    /// Whether the person followed the Official Account, and when WeChat said so, in seconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    subscribe: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscribe_read_at: Option<u64>,
    /// Where the person can add the profile; only after `scope=auto`, and only if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    upgrade_url: Option<&'a str>,
    /// What name and photo would be for then, where the site says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    consent_purpose: Option<&'a str>,
}

#[derive(Serialize)]
struct ProfileFields<'a> {
    nickname: &'a str,
    sex: i64,
    province: &'a str,
    city: &'a str,
    country: &'a str,
    headimgurl: &'a str,
    privilege: &'a [String],
}

/// Who is logged in, for a script.
pub fn json(
    session: &Session,
    expires_at: Timestamp,
    upgrade_url: Option<&str>,
    consent_purpose: Option<&str>,
) -> Response {
    let user_info = session.profile.as_ref().map(|profile| &profile.user_info);
    let answer = Answer {
        openid: session.openid.expose(),
        unionid: session.unionid.as_ref().map(UnionId::expose),
        profile: user_info.map(|user_info| ProfileFields {
            nickname: &user_info.nickname,
            sex: user_info.sex,
            province: &user_info.province,
            city: &user_info.city,
            country: &user_info.country,
            headimgurl: &user_info.headimgurl,
            privilege: &user_info.privilege,
        }),
        scope: session.scope.as_str(),
        expires_at: expires_at.epoch_seconds(),
        subscribe: session.subscription.map(|subscription| subscription.subscribe),
        subscribe_read_at: session.subscription.map(|subscription| subscription.read_at.epoch_seconds()),
        upgrade_url,
        consent_purpose: upgrade_url.and(consent_purpose),
    };
    response::json(StatusCode::OK, &answer)
}
