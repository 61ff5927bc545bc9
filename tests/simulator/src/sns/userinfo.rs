//! `GET /sns/userinfo`: the profile of whom the token belongs to.

use crate::{
    api::{Found, require_method, required},
    knobs::{DirtyJson, OpenidMismatch, ProfileEra},
    receive::Received,
    settings::Person,
    wire::Object,
    world::{Grant, World},
};

pub(crate) fn profile(world: &mut World, received: &Received) -> Found {
    require_method(received, &["GET"])?;
    let access_token = required(received, "access_token", 41001)?;
    let openid = required(received, "openid", 41009)?;
    let token = world.access_tokens.get(access_token).ok_or(40001)?;
    let grant = world.grants.get(&token.grant).ok_or(40001)?;
    if grant.password_changed {
        return Err(42007.into());
    }
    if world.now() >= token.expires_at {
        return Err(42001.into());
    }
    if grant.identity.openid != openid && world.knobs.userinfo_openid_mismatch == OpenidMismatch::Refuse {
        return Err(40003.into());
    }
    if grant.scope == "snsapi_base" || (grant.identity.snapshot && world.knobs.snapshot_userinfo_unauthorized)
    {
        return Err(48001.into());
    }
    let virtual_person;
    let person = if grant.identity.snapshot {
        virtual_person = snapshot_person();
        &virtual_person
    } else {
        // Somebody who was taken out of the settings since.
        world.person(&grant.identity.person).ok_or(40003)?
    };
    let body = body(world, grant, person, received.parameter("lang"));
    Ok((body, Some(grant.identity.clone())))
}

/// Who a snapshot page shows instead of its visitor.
fn snapshot_person() -> Person {
    Person { avatar: Some("snapshot".to_owned()), ..Person::new("snapshot", "微信用户", "微信用户") }
}

fn body(world: &World, grant: &Grant, person: &Person, lang: Option<&str>) -> Vec<u8> {
    let knobs = &world.knobs;
    let other = world.identifiers.openid("somebody else", &grant.appid);
    let openid = if knobs.userinfo_answers_other_openid { &other } else { &grant.identity.openid };
    let legacy = knobs.user_profile_era == ProfileEra::Legacy;
    let [country, province, city] =
        if legacy { person.region.in_language(lang) } else { &Default::default() };
    let sex = if legacy { person.sex } else { 0 };
    let language = if legacy { person.language.as_str() } else { "" };
    let avatar = person.avatar.as_deref().filter(|_| !person.deleted);
    let headimgurl = avatar.map_or_else(String::new, |avatar| match knobs.user_profile_era {
        ProfileEra::Current => format!("https://thirdwx.qlogo.cn/mmopen/vi_32/{avatar}/132"),
        ProfileEra::Legacy => format!("http://thirdwx.qlogo.cn/mmopen/{avatar}/0"),
    });
    let nickname = if person.deleted { "用户已经注销" } else { person.nickname.as_str() };

    let object = Object::new(knobs.unicode_escapes).string("openid", openid);
    let object = match knobs.dirty_json {
        // The rest of the nickname keeps its own escapes, but for this byte.
        DirtyJson::ControlByte | DirtyJson::Both => {
            object.raw_string("nickname", &with_control_byte(nickname))
        }
        DirtyJson::Off | DirtyJson::InvalidUtf8 => object.string("nickname", nickname),
    };
    let object = if knobs.sex_as_string {
        object.string("sex", &sex.to_string())
    } else {
        object.number("sex", i64::from(sex))
    };
    let object = object.string("language", language).string("city", city);
    let object = match knobs.dirty_json {
        DirtyJson::InvalidUtf8 | DirtyJson::Both => {
            object.raw_string("province", b"\xe5\xb9\xbf\xff\xc3\x28")
        }
        DirtyJson::Off | DirtyJson::ControlByte => object.string("province", province),
    };
    let unionid = world.unionid_of(&grant.identity, &grant.appid);
    object
        .string("country", country)
        .string("headimgurl", &headimgurl)
        .empty_array("privilege")
        .optional_string("unionid", unionid.as_deref())
        .finish()
}

/// A nickname, ready to stand between quotes, with a raw 0x14 after its first character.
fn with_control_byte(nickname: &str) -> Vec<u8> {
    let mut written = Vec::new();
    for (index, character) in nickname.chars().enumerate() {
        if matches!(character, '"' | '\\' | '/') {
            written.push(b'\\');
        }
        written.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        if index == 0 {
            written.push(0x14);
        }
    }
    written
}
