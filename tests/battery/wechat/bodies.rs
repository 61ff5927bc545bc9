//! Bodies: those that can be read all the same, and those that cannot.
//!
//! A name that ends in "(bytes)" says that every character of the text is one byte.

use std::borrow::Cow;

use super::{
    scripts::{Endpoint, Meaning},
    table::Kind,
};

/// A body, what it is, and what it means.
type Body = (&'static str, Meaning, Cow<'static, str>);

/// What WeChat would answer.
pub const fn good(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Exchange | Endpoint::PlatformExchange => {
            r#"{"access_token":"90_RawAccess","expires_in":7200,"refresh_token":"90_RawRefresh","openid":"{OPENID}","scope":"{SCOPE}"}"#
        }
        Endpoint::Refresh | Endpoint::PlatformRefresh => {
            r#"{"openid":"{OPENID}","access_token":"90_RawAccess","expires_in":7200,"refresh_token":"90_RawRefresh","scope":"{SCOPE},"}"#
        }
        Endpoint::ProfileAtLogin | Endpoint::ProfileLater => PROFILE,
        Endpoint::Verification => r#"{"errcode":0,"errmsg":"ok"}"#,
        Endpoint::GlobalToken => r#"{"access_token":"90_RawGlobal","expires_in":7200}"#,
        Endpoint::Follower => {
            r#"{"subscribe":1,"openid":"{OPENID}","nickname":"","sex":0,"language":"zh_CN","city":"","province":"","country":"","headimgurl":"","subscribe_time":1600000000,"unionid":"oRawUnionid","remark":"","groupid":0,"tagid_list":[],"subscribe_scene":"ADD_SCENE_SEARCH","qr_scene":0,"qr_scene_str":""}"#
        }
    }
}

const PROFILE: &str = r#"{"openid":"{OPENID}","nickname":"小满","sex":0,"language":"","city":"","province":"","country":"","headimgurl":"https:\/\/thirdwx.qlogo.cn\/mmopen\/vi_32\/X\/132","privilege":[]}"#;

/// Bodies that mean the same whoever is asked.
pub fn of_any() -> Vec<Body> {
    let expired = Meaning::Said(42007, Kind::LoginAgain);
    let busy = Meaning::Said(-1, Kind::Retry);
    let long = format!(r#"{{"errcode":42007,"errmsg":"{}"}}"#, "x".repeat(60_000));
    let deep = format!(r#"{{"errcode":42007,"x":{}{}}}"#, "[".repeat(400), "]".repeat(400));
    let mut bodies: Vec<Body> = [
        ("nothing", ""),
        ("white space", " \r\n\t "),
        ("an empty object", "{}"),
        ("an array", "[]"),
        ("an error in an array", r#"[42007,"access_token and refresh_token exception"]"#),
        ("null", "null"),
        ("a string", r#""ok""#),
        ("a number", "42007"),
        ("a script", r#"callback({"errcode":42007})"#),
        ("something behind it", r#"{"errcode":42007}x"#),
        ("two of them", r#"{"errcode":42007}{"errcode":42007}"#),
        ("a byte order mark", "\u{feff}{\"errcode\":42007}"),
        ("single quotes", "{'errcode':42007}"),
        ("errcode null", r#"{"errcode":null,"errmsg":"system error"}"#),
        ("errcode a fraction", r#"{"errcode":42007.5}"#),
        ("errcode true", r#"{"errcode":true}"#),
        ("errcode an array", r#"{"errcode":[42007]}"#),
        ("errcode an object", r#"{"errcode":{"errcode":42007}}"#),
        ("errcode an empty string", r#"{"errcode":""}"#),
        ("errcode a word", r#"{"errcode":"busy"}"#),
        ("errcode beyond all numbers", r#"{"errcode":99999999999999999999}"#),
        ("errcode twice", r#"{"errcode":0,"errcode":42007}"#),
        ("zero bytes (bytes)", "\0\0\0\0"),
        ("UTF-16 (bytes)", "{\u{0}\"\u{0}e\u{0}r\u{0}r\u{0}c\u{0}o\u{0}d\u{0}e\u{0}\"\u{0}:\u{0}4\u{0}2\u{0}0\u{0}0\u{0}7\u{0}}\u{0}"),
        ("compressed (bytes)", "\u{1f}\u{8b}\u{8}\0\0\0\0\0\0\u{3}\u{ab}V\u{ca}"),
    ]
    .map(|(name, text)| (name, Meaning::InDoubt, text.into()))
    .into();
    bodies.extend(
        [
            ("errcode a string", expired, r#"{"errcode":"42007","errmsg":"x"}"#),
            ("errcode a string with blanks", expired, r#"{"errcode":" 42007 ","errmsg":"x"}"#),
            ("errcode -1 a string", busy, r#"{"errcode":"-1","errmsg":"system error"}"#),
            ("errcode alone", expired, r#"{"errcode":42007}"#),
            ("errmsg null", expired, r#"{"errcode":42007,"errmsg":null}"#),
            ("errmsg with a control byte", expired, "{\"errcode\":42007,\"errmsg\":\"a\u{14}b\"}"),
            ("errmsg in broken UTF-8 (bytes)", expired, "{\"errcode\":42007,\"errmsg\":\"a\u{ff}b\"}"),
            ("errmsg with half a pair", expired, r#"{"errcode":42007,"errmsg":"\ud83d"}"#),
            ("errmsg with a zero", expired, r#"{"errcode":42007,"errmsg":"\u0000"}"#),
            (
                "an error beside an answer",
                expired,
                r#"{"access_token":"90_A","refresh_token":"90_R","openid":"{OPENID}","scope":"{SCOPE}","errcode":42007}"#,
            ),
            ("an error with keys of its own", expired, r#"{"a":{"b":[1,null]},"errcode":42007,"c":1.5e3}"#),
            ("an error over many lines", expired, "\r\n{\r\n  \"errcode\" : 42007\r\n}\r\n"),
        ]
        .map(|(name, meaning, text)| (name, meaning, text.into())),
    );
    bodies.push(("errmsg of 60,000 letters", expired, long.into()));
    bodies.push(("an error 400 brackets deep", expired, deep.into()));
    bodies
}

/// Bodies that mean something to whoever asks this.
pub fn of(endpoint: Endpoint) -> Vec<Body> {
    use Meaning::{Good, InDoubt, Snapshot, SomebodyElse};
    let (truth, long) = (good(endpoint), "o".repeat(4096));
    let tokens: &[(&str, &str, &str, Meaning)] = &[
        ("no access_token", r#""access_token":"90_RawAccess","#, "", InDoubt),
        ("access_token empty", r#""90_RawAccess""#, r#""""#, InDoubt),
        ("access_token null", r#""90_RawAccess""#, "null", InDoubt),
        ("access_token a number", r#""90_RawAccess""#, "90", InDoubt),
        // Without one nothing can be renewed, or the one at hand goes on.
        ("no refresh_token", r#""refresh_token":"90_RawRefresh","#, "", Good),
        ("refresh_token empty", r#""90_RawRefresh""#, r#""""#, Good),
        ("openid empty", r#""{OPENID}""#, r#""""#, InDoubt),
        ("openid a number", r#""{OPENID}""#, "1", InDoubt),
        ("openid with a blank behind", "{OPENID}", "{OPENID} ", InDoubt),
        ("openid with a zero", "{OPENID}", r"{OPENID}\u0000", InDoubt),
        ("openid a path", "{OPENID}", r"..\/..\/{OPENID}", InDoubt),
        ("openid of 4,096 letters", "{OPENID}", &long, InDoubt),
        ("openid twice", r#""openid":"#, r#""openid":"oOther","openid":"#, InDoubt),
        ("expires_in a string", "7200", r#""7200""#, Good),
        ("expires_in null", "7200", "null", Good),
        ("no expires_in", r#""expires_in":7200,"#, "", Good),
        ("errcode 0", "{\"", r#"{"errcode":0,"errmsg":"ok",""#, Good),
        ("errcode 0 a string", "{\"", r#"{"errcode":"0",""#, Good),
        ("a key of its own", "{\"", r#"{"is_new":{"a":[1,2.5,null]},""#, Good),
        ("a key of its own with a control byte", "{\"", "{\"remark\":\"a\u{7}b\",\"", Good),
        ("a key of its own in broken UTF-8 (bytes)", "{\"", "{\"remark\":\"\u{c3}\u{28}\u{ff}\",\"", Good),
        ("a key of its own with half a pair", "{\"", r#"{"remark":"\udc3e",""#, Good),
        ("unionid empty", "{\"", r#"{"unionid":"",""#, Good),
        ("unionid null", "{\"", r#"{"unionid":null,""#, Good),
        ("unionid with a blank", "{\"", r#"{"unionid":"o ",""#, Good),
        ("an escaped openid", "\"openid\"", r#""\u006fpenid""#, Good),
    ];
    let exchanges: &[(&str, &str, &str, Meaning)] = &[
        ("no scope", r#","scope":"{SCOPE}""#, "", Good),
        ("scope empty", r#""{SCOPE}""#, r#""""#, Good),
        ("scope null", r#""{SCOPE}""#, "null", Good),
        ("scope with a comma behind", r#""{SCOPE}""#, r#""{SCOPE},""#, Good),
        ("is_snapshotuser 0", "{\"", r#"{"is_snapshotuser":0,""#, Good),
        ("is_snapshotuser 0 a string", "{\"", r#"{"is_snapshotuser":"0",""#, Good),
        ("is_snapshotuser false", "{\"", r#"{"is_snapshotuser":false,""#, Good),
        ("is_snapshotuser null", "{\"", r#"{"is_snapshotuser":null,""#, Good),
        ("is_snapshotuser 1", "{\"", r#"{"is_snapshotuser":1,""#, Snapshot),
        ("is_snapshotuser 1 behind a unionid", "{\"", r#"{"unionid":"o","is_snapshotuser":1,""#, Snapshot),
        ("is_snapshotuser 1 a string", "{\"", r#"{"is_snapshotuser":"1",""#, Snapshot),
        // What it might be spelled like some day: whatever is not no is yes.
        ("is_snapshotuser 2", "{\"", r#"{"is_snapshotuser":2,""#, Snapshot),
        ("is_snapshotuser 1.0", "{\"", r#"{"is_snapshotuser":1.0,""#, Snapshot),
        ("is_snapshotuser true", "{\"", r#"{"is_snapshotuser":true,""#, Snapshot),
        ("is_snapshotuser true a string", "{\"", r#"{"is_snapshotuser":"true",""#, Snapshot),
    ];
    let refreshes: &[(&str, &str, &str, Meaning)] =
        &[("openid of somebody else", "{OPENID}", "oSomebodyElseSomebodyElse123", SomebodyElse)];
    let profiles: &[(&str, &str, &str, Meaning)] = &[
        ("no openid", r#""openid":"{OPENID}","#, "", InDoubt),
        ("openid empty", r#""{OPENID}""#, r#""""#, InDoubt),
        ("openid of somebody else", "{OPENID}", "oSomebodyElseSomebodyElse123", SomebodyElse),
        ("openid with a blank behind", "{OPENID}", "{OPENID} ", InDoubt),
        ("openid with a zero", "{OPENID}", r"{OPENID}\u0000", InDoubt),
        ("openid a path", "{OPENID}", r"..\/..\/{OPENID}", InDoubt),
        ("openid of 4,096 letters", "{OPENID}", &long, InDoubt),
        ("openid twice", r#""openid":"#, r#""openid":"oOther","openid":"#, InDoubt),
    ];
    let verifications: &[(&str, &str, &str, Meaning)] = &[
        ("no errcode", r#""errcode":0,"#, "", InDoubt),
        ("errcode 0 a string", ":0", r#":"0""#, Good),
        ("no errmsg", r#","errmsg":"ok""#, "", Good),
        ("a key of its own", "{\"", r#"{"a":[null],""#, Good),
        ("success in an array", r#"{"errcode":0,"errmsg":"ok"}"#, r#"[0,"ok"]"#, InDoubt),
    ];
    let global_tokens: &[(&str, &str, &str, Meaning)] = &[
        ("no access_token", r#""access_token":"90_RawGlobal","#, "", InDoubt),
        ("access_token empty", "90_RawGlobal", "", InDoubt),
        ("access_token twice", "{\"", r#"{"access_token":"a",""#, InDoubt),
        ("expires_in a string", "7200", r#""7200""#, Good),
        ("errcode 0", "{\"", r#"{"errcode":0,"errmsg":"ok",""#, Good),
        ("almost over", "7200", "1", Good),
    ];
    let followers: &[(&str, &str, &str, Meaning)] = &[
        ("no openid", r#""openid":"{OPENID}","#, "", InDoubt),
        ("openid of somebody else", "{OPENID}", "oSomebodyElseSomebodyElse123", SomebodyElse),
        ("unionid twice", "{\"", r#"{"unionid":"o",""#, InDoubt),
        ("a remark with a control byte", r#""remark":"""#, "\"remark\":\"\u{14}\"", Good),
        ("a remark in broken UTF-8 (bytes)", r#""remark":"""#, "\"remark\":\"\u{ff}\"", Good),
        ("errcode 0", "{\"", r#"{"errcode":0,""#, Good),
    ];
    let lists = match endpoint {
        Endpoint::Exchange | Endpoint::PlatformExchange => vec![tokens, exchanges],
        Endpoint::Refresh | Endpoint::PlatformRefresh => vec![tokens, refreshes],
        Endpoint::ProfileAtLogin | Endpoint::ProfileLater => vec![profiles],
        Endpoint::Verification => vec![verifications],
        Endpoint::GlobalToken => vec![global_tokens],
        Endpoint::Follower => vec![followers],
    };
    let all = lists.into_iter().flatten();
    all.map(|(name, from, to, meaning)| (*name, *meaning, truth.replacen(from, to, 1).into())).collect()
}

/// Profiles that can be read, and the nickname that is then shown.
pub fn profiles() -> Vec<(&'static str, &'static str, String)> {
    let nickname = r#""小满""#;
    [
        ("a plain profile", "小满", nickname, nickname),
        ("a nickname with a control byte", "小 满", nickname, "\"小\u{14}满\""),
        ("a nickname with a line break", "小 满", nickname, "\"小\n满\""),
        ("a nickname of escapes", "小满🌾", nickname, r#""\u5c0f\u6ee1\ud83c\udf3e""#),
        ("a nickname with half a pair", "小\u{fffd}", nickname, r#""小\ud83c""#),
        ("a nickname with the other half", "\u{fffd}满", nickname, r#""\udf3e满""#),
        ("a nickname with a zero", "a\0b", nickname, r#""a\u0000b""#),
        ("a nickname that looks like an escape", r"\ud83c", nickname, r#""\\ud83c""#),
        ("an empty nickname", "", nickname, r#""""#),
        ("no nickname", "", r#""nickname":"小满","#, ""),
        ("a hostile nickname", "<script>'\"&\\", nickname, r#""<script>'\"&\\""#),
        ("sex a string", "小满", r#""sex":0"#, r#""sex":"1""#),
        ("sex null", "小满", r#""sex":0"#, r#""sex":null"#),
        ("sex an empty string", "小满", r#""sex":0"#, r#""sex":"""#),
        ("no sex", "小满", r#""sex":0,"#, ""),
        ("no privilege", "小满", r#","privilege":[]"#, ""),
        ("errcode 0 in a profile", "小满", "{\"", r#"{"errcode":0,""#),
        ("keys nobody knows", "小满", "{\"", r#"{"level":{"a":[1.5]},"nickname_2":null,""#),
        ("an empty unionid", "小满", "{\"", r#"{"unionid":"",""#),
        ("a picture without TLS", "小满", "https:", "http:"),
        ("a picture elsewhere", "小满", r"https:\/\/thirdwx.qlogo.cn", r"javascript:alert(1)\/\/"),
        (
            "latin1 (bytes)",
            "caf\u{fffd}",
            PROFILE,
            r#"{"openid":"{OPENID}","nickname":"café","sex":1,"province":"Zürich"}"#,
        ),
        (
            "a province in broken UTF-8 (bytes)",
            "Lin",
            PROFILE,
            "{\"openid\":\"{OPENID}\",\"nickname\":\"Lin\",\"province\":\"\u{e5}\u{b9}\u{ff}\u{c3}(\"}",
        ),
    ]
    .map(|(name, shown, from, to)| (name, shown, PROFILE.replacen(from, to, 1)))
    .into()
}
