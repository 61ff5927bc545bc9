//! `/cgi-bin/user/info` and `/cgi-bin/user/info/batchget`
//! ([获取用户基本信息](https://developers.weixin.qq.com/doc/offiaccount/User_Management/Get_users_basic_information_UnionID.html)):
//! what an Official Account knows of those who follow it, and how little of those who do not.

use serde_json::Value;

use super::{json, token_owner};
use crate::{
    api::{Errcode, Found, require_method, required},
    knobs::{NonFollower, ProfileEra},
    receive::Received,
    settings::{AppKind, Person},
    wire::Object,
    world::{Identity, World},
};

/// The most people one batch may name.
const BATCH: usize = 100;

/// When everybody began to follow.
const FOLLOWING_SINCE: i64 = 1_596_240_000;

pub(crate) fn one(world: &mut World, received: &Received) -> Found {
    require_method(received, &["GET"])?;
    let appid = account(world, received)?;
    let openid = required(received, "openid", 41009)?;
    let (body, identity) = describe(world, &appid, openid, received.parameter("lang"))?;
    Ok((body, Some(identity)))
}

pub(crate) fn many(world: &mut World, received: &Received) -> Found {
    let asked = json(received)?;
    let appid = account(world, received)?;
    let list = asked.get("user_list").and_then(Value::as_array).ok_or(47001)?;
    if list.is_empty() || list.len() > BATCH {
        return Err(40032.into());
    }
    let mut described = Vec::with_capacity(list.len());
    for item in list {
        let text = |name| item.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let openid = text("openid").ok_or(41009)?;
        described.push(describe(world, &appid, openid, text("lang"))?.0);
    }
    Ok((Object::new(world.knobs.unicode_escapes).array("user_info_list", &described).finish(), None))
}

/// The Official Account that asks. Nobody follows a website app.
fn account(world: &mut World, received: &Received) -> Result<String, Errcode> {
    let appid = token_owner(world, received)?;
    match world.app(&appid).map(|app| app.kind) {
        Some(AppKind::OfficialAccount) => Ok(appid),
        _ => Err(48001),
    }
}

fn describe(
    world: &World,
    appid: &str,
    openid: &str,
    lang: Option<&str>,
) -> Result<(Vec<u8>, Identity), Errcode> {
    let person = world.person_of(openid, appid).ok_or(40003)?;
    // A test account (测试号) learns no unionid.
    let bound = world.app(appid).is_some_and(|app| !app.test_account);
    let unionid = world.unionid(&person.id, appid).filter(|_| bound);
    let body = if world.follows(&person.id, appid) && !person.deleted {
        follower(world, person, openid, unionid.as_deref(), lang)
    } else {
        stranger(world, openid, unionid.as_deref(), lang)
    };
    let identity = Identity {
        person: person.id.clone(),
        openid: openid.to_owned(),
        known_as: person.id.clone(),
        snapshot: false,
    };
    Ok((body, identity))
}

fn follower(
    world: &World,
    person: &Person,
    openid: &str,
    unionid: Option<&str>,
    lang: Option<&str>,
) -> Vec<u8> {
    let legacy = world.knobs.user_profile_era == ProfileEra::Legacy;
    let object = Object::new(world.knobs.unicode_escapes).number("subscribe", 1).string("openid", openid);
    let object = if legacy {
        let [country, province, city] = person.region.in_language(lang);
        let headimgurl = person
            .avatar
            .as_deref()
            .map_or_else(String::new, |avatar| format!("http://thirdwx.qlogo.cn/mmopen/{avatar}/0"));
        object
            .string("nickname", &person.nickname)
            .number("sex", i64::from(person.sex))
            .string("language", lang.unwrap_or(&person.language))
            .string("city", city)
            .string("province", province)
            .string("country", country)
            .string("headimgurl", &headimgurl)
    } else {
        blank_profile(object, lang)
    };
    object
        .number("subscribe_time", FOLLOWING_SINCE)
        .optional_string("unionid", unionid)
        .string("remark", "")
        .number("groupid", 0)
        .empty_array("tagid_list")
        .string("subscribe_scene", "ADD_SCENE_QR_CODE")
        .number("qr_scene", 0)
        .string("qr_scene_str", "")
        .finish()
}

/// Somebody who does not follow. Three generations of this body were seen.
fn stranger(world: &World, openid: &str, unionid: Option<&str>, lang: Option<&str>) -> Vec<u8> {
    let unionid = unionid.filter(|_| world.knobs.unionid_for_non_follower);
    let object = Object::new(world.knobs.unicode_escapes).number("subscribe", 0).string("openid", openid);
    let object = match world.knobs.non_follower_body {
        NonFollower::Blank => blank_profile(object, lang),
        NonFollower::TagList | NonFollower::Bare => object,
    };
    let object = object.optional_string("unionid", unionid);
    match world.knobs.non_follower_body {
        NonFollower::Blank | NonFollower::TagList => object.empty_array("tagid_list").finish(),
        NonFollower::Bare => object.finish(),
    }
}

/// What is left of a profile since December 2021.
fn blank_profile(object: Object, lang: Option<&str>) -> Object {
    object
        .string("nickname", "")
        .number("sex", 0)
        .string("language", lang.unwrap_or("zh_CN"))
        .string("city", "")
        .string("province", "")
        .string("country", "")
        .string("headimgurl", "")
}
