//! What WeChat's API answers, read from the bytes.
//!
//! The header says `text/plain` without a charset, the body is JSON in UTF-8, and sometimes it is
//! neither: nicknames bring raw control characters, broken UTF-8 and half surrogate pairs. So the
//! header is ignored, and a body that does not parse is repaired once and parsed again. Numbers come
//! as strings, keys come and go, and unknown keys are ignored (`lenient.rs`). What is never tolerated is ambiguity: a
//! key that stands twice makes the body unreadable.

mod lenient;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::errcode::Errcode;
use super::{AccessToken, GlobalToken, GrantedScope, OpenId, RefreshToken, Scope, UnionId, identifier};

/// Why a body gave no answer.
///
/// WeChat refuses inside an HTTP 200, with [`errcode` and `errmsg`]; that is its error response, where
/// [RFC 6749 §5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2) would have a status 400 and `error`.
///
/// [`errcode` and `errmsg`]: https://developers.weixin.qq.com/doc/offiaccount/Getting_Started/Global_Return_Code.html
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BodyError {
    /// WeChat says no.
    #[error("WeChat answered errcode {}", .0.errcode)]
    Refused(ErrorAnswer),
    /// Not a body WeChat is known to send. Nothing of it is kept: it may hold tokens.
    #[error("WeChat's answer is not readable")]
    Unreadable,
}

/// What is kept of a refusal, of which WeChat says [`errcode` and `errmsg`].
///
/// [`errcode` and `errmsg`]: https://developers.weixin.qq.com/doc/offiaccount/Getting_Started/Global_Return_Code.html
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorAnswer {
    /// The number that decides what happens next.
    pub errcode: Errcode,
    /// WeChat's name for the request, good for its support, if the message has one.
    pub rid: Option<String>,
    /// The address the call came from, if the refusal is about that and names it.
    pub address: Option<IpAddr>,
}

/// A successful answer of `/sns/oauth2/access_token`:
/// [网页授权, step 2](https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html#1).
/// It is the access token response of [RFC 6749 §5.1](https://www.rfc-editor.org/rfc/rfc6749#section-5.1).
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The person's token.
    pub access_token: AccessToken,
    /// What renews it. WeChat has left it out where nothing is to be renewed, and no login needs it.
    pub refresh_token: Option<RefreshToken>,
    /// How long the access token lives, in seconds.
    pub expires_in: u64,
    /// The person within this app.
    pub openid: OpenId,
    /// The person across apps; not for every scope and not for every app.
    pub unionid: Option<UnionId>,
    /// What was granted; what was asked for, where WeChat does not say.
    pub scope: GrantedScope,
    /// Whether this is a visitor of a snapshot page, who looks like a person and is not one.
    pub is_snapshotuser: bool,
}

/// A successful answer of `/sns/oauth2/refresh_token`:
/// [网页授权, step 3](https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html#2),
/// the refresh of [RFC 6749 §6](https://www.rfc-editor.org/rfc/rfc6749#section-6).
#[derive(Debug, Clone)]
pub struct Refresh {
    /// The same or a new access token.
    pub access_token: AccessToken,
    /// The same or a new refresh token; the one that was sent, if there is none.
    pub refresh_token: Option<RefreshToken>,
    /// How long the access token lives, in seconds.
    pub expires_in: u64,
    /// Whose token it is.
    pub openid: OpenId,
}

/// A person's profile, with WeChat's field names; an answer of `/sns/userinfo`:
/// [网页授权, step 4](https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html#3).
#[derive(Clone, Serialize, Deserialize)]
pub struct UserInfo {
    /// The person within one app.
    #[serde(with = "identifier::openid")]
    pub openid: OpenId,
    /// What the person is called. Anything can stand here.
    #[serde(default)]
    pub nickname: String,
    /// 1 male, 2 female, 0 unknown; always 0 since October 2021.
    #[serde(default, deserialize_with = "lenient::integer")]
    pub sex: i64,
    /// Empty since October 2021.
    #[serde(default)]
    pub province: String,
    /// Empty since October 2021.
    #[serde(default)]
    pub city: String,
    /// Empty since October 2021.
    #[serde(default)]
    pub country: String,
    /// The address of the avatar, empty if there is none. Dies when the person changes the picture.
    #[serde(default)]
    pub headimgurl: String,
    /// WeChat's `privilege`, usually empty.
    #[serde(default)]
    pub privilege: Vec<String>,
    /// The person across apps, if the app is bound to an Open Platform account.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "identifier::unionid")]
    pub unionid: Option<UnionId>,
}

impl std::fmt::Debug for UserInfo {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("UserInfo([redacted])")
    }
}

/// Reads an exchange. `requested` is the scope of the login, for answers that do not name one.
///
/// # Errors
///
/// [`BodyError::Refused`] if WeChat refuses, [`BodyError::Unreadable`] if an essential field is missing.
pub fn exchange(body: &[u8], requested: Scope) -> Result<Exchange, BodyError> {
    let wire: TokenWire = read(body)?;
    Ok(Exchange {
        access_token: wire.access_token.map(AccessToken::new).ok_or(BodyError::Unreadable)?,
        refresh_token: wire.refresh_token.map(RefreshToken::new),
        expires_in: wire.expires_in,
        openid: wire.openid.and_then(OpenId::parse).ok_or(BodyError::Unreadable)?,
        unionid: wire.unionid.and_then(UnionId::parse),
        scope: GrantedScope::new(wire.scope.as_deref().unwrap_or_else(|| requested.as_str())),
        is_snapshotuser: wire.is_snapshotuser,
    })
}

/// Reads a refresh.
///
/// # Errors
///
/// As [`exchange`].
pub fn refresh(body: &[u8]) -> Result<Refresh, BodyError> {
    let wire: TokenWire = read(body)?;
    Ok(Refresh {
        access_token: wire.access_token.map(AccessToken::new).ok_or(BodyError::Unreadable)?,
        refresh_token: wire.refresh_token.map(RefreshToken::new),
        expires_in: wire.expires_in,
        openid: wire.openid.and_then(OpenId::parse).ok_or(BodyError::Unreadable)?,
    })
}

/// Reads a profile. Avatars on WeChat's hosts become `https`, any other address is left out: pages put it into an
/// `<img>` without looking. What is not of a unionid's form is no unionid.
///
/// # Errors
///
/// As [`exchange`].
pub fn user_info(body: &[u8]) -> Result<UserInfo, BodyError> {
    let mut profile: UserInfo = read(body)?;
    if let Some(rest) = profile.headimgurl.strip_prefix("http://") {
        profile.headimgurl = format!("https://{rest}");
    }
    if !is_avatar(&profile.headimgurl) {
        profile.headimgurl.clear();
    }
    Ok(profile)
}

/// Whether an address is an avatar of WeChat's: `https`, one of the hosts of its pictures on the usual port, and
/// nothing that would have to be escaped.
#[must_use]
pub fn is_avatar(address: &str) -> bool {
    let Some((host, path)) = address.strip_prefix("https://").and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    (host.ends_with(".qlogo.cn") || host.ends_with(".qpic.cn"))
        && host.bytes().all(is_plain)
        && path.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\'))
}

/// Reads the answer of `/sns/auth`: `errcode` 0 and nothing else is success.
///
/// # Errors
///
/// As [`exchange`].
pub fn auth(body: &[u8]) -> Result<(), BodyError> {
    let wire: AuthWire = read(body)?;
    // `read` has already turned any other number into an error.
    if wire.errcode.is_some() { Ok(()) } else { Err(BodyError::Unreadable) }
}

/// A successful answer of `/cgi-bin/stable_token`:
/// [getStableAccessToken](https://developers.weixin.qq.com/doc/offiaccount/Basic_Information/getStableAccessToken.html).
#[derive(Debug, Clone)]
pub struct StableToken {
    /// The app's token.
    pub global_token: GlobalToken,
    /// How long it still lives, in seconds.
    pub expires_in: u64,
}

/// Reads an app's global token.
///
/// # Errors
///
/// As [`exchange`].
pub fn stable_token(body: &[u8]) -> Result<StableToken, BodyError> {
    let wire: TokenWire = read(body)?;
    let global_token = wire.access_token.map(GlobalToken::new).ok_or(BodyError::Unreadable)?;
    Ok(StableToken { global_token, expires_in: wire.expires_in })
}

/// What `/cgi-bin/user/info` says of a person:
/// [用户基本信息](https://developers.weixin.qq.com/doc/offiaccount/User_Management/Get_users_basic_information_UnionID.html).
#[derive(Debug, Clone)]
pub struct Follower {
    /// `subscribe`: whether the person follows the account, if WeChat says so.
    pub subscribe: Option<bool>,
    /// The person across apps; absent for most who do not follow.
    pub unionid: Option<UnionId>,
}

/// Reads an answer of `/cgi-bin/user/info`.
///
/// # Errors
///
/// As [`exchange`]; also if the answer is about somebody else than `openid`.
pub fn follower(body: &[u8], openid: &OpenId) -> Result<Follower, BodyError> {
    let wire: FollowerWire = read(body)?;
    match wire.openid {
        Some(answered) if answered == openid.expose() => Ok(Follower {
            subscribe: match wire.subscribe {
                Some(0) => Some(false),
                Some(1) => Some(true),
                _ => None,
            },
            unionid: wire.unionid.and_then(UnionId::parse),
        }),
        _ => Err(BodyError::Unreadable),
    }
}

#[derive(Deserialize)]
struct FollowerWire {
    #[serde(default, deserialize_with = "lenient::filled")]
    openid: Option<String>,
    #[serde(default, deserialize_with = "lenient::filled")]
    unionid: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_integer")]
    subscribe: Option<i64>,
}

/// The keys of the token endpoints. Every one is optional here, so that a missing one is *our*
/// finding and an empty string counts as missing.
#[derive(Deserialize)]
struct TokenWire {
    #[serde(default, deserialize_with = "lenient::filled")]
    access_token: Option<String>,
    #[serde(default = "lenient::two_hours", deserialize_with = "lenient::seconds")]
    expires_in: u64,
    #[serde(default, deserialize_with = "lenient::filled")]
    refresh_token: Option<String>,
    #[serde(default, deserialize_with = "lenient::filled")]
    openid: Option<String>,
    #[serde(default, deserialize_with = "lenient::filled")]
    scope: Option<String>,
    #[serde(default, deserialize_with = "lenient::filled")]
    unionid: Option<String>,
    #[serde(default, deserialize_with = "lenient::unless_denied")]
    is_snapshotuser: bool,
}

#[derive(Deserialize)]
struct AuthWire {
    #[serde(default, deserialize_with = "lenient::errcode")]
    errcode: Option<i64>,
}

/// What every answer may be instead of the answer.
#[derive(Deserialize)]
struct ErrorWire {
    #[serde(default, deserialize_with = "lenient::errcode")]
    errcode: Option<i64>,
    #[serde(default)]
    errmsg: Option<String>,
}

/// Parses a body, as it stands or else repaired; an `errcode` other than 0 wins over everything.
fn read<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, BodyError> {
    let text = lenient::text(body);
    // A derived reader would also take a list, by the order of its fields.
    if !text.trim_start().starts_with('{') {
        return Err(BodyError::Unreadable);
    }
    let error: ErrorWire = serde_json::from_str(&text).map_err(|_| BodyError::Unreadable)?;
    match error.errcode {
        Some(errcode) if errcode != 0 => {
            let errcode = Errcode::new(errcode);
            let errmsg = error.errmsg.unwrap_or_default();
            let address = errcode.is_about_the_address().then(|| address(&errmsg)).flatten();
            Err(BodyError::Refused(ErrorAnswer { errcode, rid: rid(&errmsg), address }))
        }
        _ => serde_json::from_str(&text).map_err(|_| BodyError::Unreadable),
    }
}

/// WeChat's request id at the end of an `errmsg`: three groups of eight hex digits.
fn rid(errmsg: &str) -> Option<String> {
    let (_, after) = errmsg.rsplit_once("rid: ")?;
    let id = after.trim();
    let is_id = id.len() == 26 && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    is_id.then(|| id.to_owned())
}

/// The address in an `errmsg` such as `invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist`.
fn address(errmsg: &str) -> Option<IpAddr> {
    errmsg.split([' ', ',']).find_map(|word| word.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = r#"{"access_token":"90_A","expires_in":7200,"refresh_token":"90_R","openid":"oA1","scope":"snsapi_base"}"#;

    fn refused(errcode: i64) -> BodyError {
        BodyError::Refused(ErrorAnswer { errcode: Errcode::new(errcode), rid: None, address: None })
    }

    #[test]
    fn an_exchange_is_read_whole() {
        let answer = exchange(BASE.as_bytes(), Scope::UserInfo).unwrap();
        assert_eq!(
            (answer.access_token.expose(), answer.refresh_token.as_ref().unwrap().expose()),
            ("90_A", "90_R")
        );
        assert_eq!(
            (answer.openid.expose(), answer.expires_in, answer.scope.as_str()),
            ("oA1", 7200, "snsapi_base")
        );
        assert!(answer.unionid.is_none() && !answer.is_snapshotuser);
    }

    #[test]
    fn a_missing_scope_is_the_one_asked_for() {
        let body = br#"{"access_token":"A","expires_in":"7200","refresh_token":"R","openid":"o","unionid":"","future":{"a":[1]}}"#;
        let answer = exchange(body, Scope::UserInfo).unwrap();
        assert_eq!((answer.scope.as_str(), answer.expires_in), ("snsapi_userinfo", 7200));
        assert!(answer.unionid.is_none());
    }

    #[test]
    fn a_snapshot_is_seen_wherever_the_flag_stands() {
        for flag in ["1", "\"1\"", "2", "true", "\"yes\"", "1.0", "[]"] {
            let body = format!(
                r#"{{"is_snapshotuser":{flag},"access_token":"A","refresh_token":"R","openid":"o","scope":"snsapi_userinfo"}}"#
            );
            assert!(exchange(body.as_bytes(), Scope::UserInfo).unwrap().is_snapshotuser, "{flag}");
        }
        for flag in ["0", "\"0\"", "false", "null"] {
            let body = BASE.replacen('{', &format!("{{\"is_snapshotuser\":{flag},"), 1);
            assert!(!exchange(body.as_bytes(), Scope::UserInfo).unwrap().is_snapshotuser, "{flag}");
        }
    }

    #[test]
    fn a_number_of_little_weight_costs_no_login() {
        for number in ["7200.5", "true", "null", "[]", "{}", "99999999999999999999", "\"soon\""] {
            let body = BASE.replace("7200", number);
            assert_eq!(exchange(body.as_bytes(), Scope::Base).unwrap().expires_in, 0, "{number}");
            let body = format!(r#"{{"openid":"oA1","sex":{number}}}"#);
            assert_eq!(user_info(body.as_bytes()).unwrap().sex, 0, "{number}");
        }
    }

    #[test]
    fn a_list_is_no_answer() {
        assert_eq!(auth(b"[0]"), Err(BodyError::Unreadable));
        assert_eq!(user_info(br#"["0"]"#).unwrap_err(), BodyError::Unreadable);
        assert_eq!(stable_token(br#" ["0"]"#).unwrap_err(), BodyError::Unreadable);
        assert_eq!(exchange(br#"["40029"]"#, Scope::Base).unwrap_err(), BodyError::Unreadable);
    }

    #[test]
    fn an_errcode_wins_whatever_else_stands_there() {
        for body in [
            r#"{"errcode":40029,"errmsg":"invalid code"}"#,
            r#"{"errcode":"40029","errmsg":"invalid code, hints: [ req_id: AbCdEa0123th45 ]"}"#,
            r#"{"access_token":"A","refresh_token":"R","openid":"o","errcode":40029}"#,
            "\u{b}{\"errcode\":40029,\"errmsg\":\"in\u{7}valid\"}",
        ] {
            assert_eq!(exchange(body.as_bytes(), Scope::Base).unwrap_err(), refused(40029), "{body}");
        }
    }

    #[test]
    fn the_request_id_is_kept_and_nothing_else_of_the_message() {
        for errmsg in
            ["invalid code, rid: 65c17d8c-5cf05990-781aabe9", "invalid code rid: 65c17d8c-5cf05990-781aabe9"]
        {
            let body = format!(r#"{{"errcode":40029,"errmsg":"{errmsg}"}}"#);
            let rid = Some("65c17d8c-5cf05990-781aabe9".to_owned());
            assert_eq!(
                refresh(body.as_bytes()).unwrap_err(),
                BodyError::Refused(ErrorAnswer { errcode: Errcode::new(40029), rid, address: None })
            );
        }
        let hostile = br#"{"errcode":40029,"errmsg":"rid: <script>alert(1)</script>"}"#;
        assert_eq!(refresh(hostile).unwrap_err(), refused(40029));
    }

    #[test]
    fn a_refused_address_is_named() {
        for (errmsg, expected) in [
            ("invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist rid: R", Some("203.0.113.9")),
            ("invalid ip 2001:db8::9, not in whitelist hint: [x]", Some("2001:db8::9")),
            ("invalid ip <script>", None),
        ] {
            let body = format!(r#"{{"errcode":40164,"errmsg":"{errmsg}"}}"#);
            let Err(BodyError::Refused(refused)) = stable_token(body.as_bytes()) else { panic!("{errmsg}") };
            assert_eq!(refused.address, expected.map(|address| address.parse().unwrap()));
        }
    }

    #[test]
    fn a_unionid_is_taken_from_whom_it_was_asked_for() {
        let openid = OpenId::new("oA1".to_owned());
        let follower = |body: &str| {
            let found = follower(body.as_bytes(), &openid)?;
            Ok((found.subscribe, found.unionid.map(|unionid| unionid.expose().to_owned())))
        };
        for (body, expected) in [
            (r#"{"subscribe":1,"openid":"oA1","unionid":"u"}"#, Ok((Some(true), Some("u".to_owned())))),
            (r#"{"subscribe":"0","openid":"oA1","tagid_list":[]}"#, Ok((Some(false), None))),
            (r#"{"subscribe":null,"openid":"oA1"}"#, Ok((None, None))),
            (r#"{"subscribe":2,"openid":"oA1","unionid":"../u"}"#, Ok((None, None))),
            (r#"{"subscribe":1,"openid":"oB2","unionid":"u"}"#, Err(BodyError::Unreadable)),
        ] {
            assert_eq!(follower(body), expected, "{body}");
        }
    }

    #[test]
    fn what_names_a_person_has_the_form_of_a_name() {
        let token = |openid: &str, unionid: &str| {
            let body = format!(r#"{{"access_token":"A","openid":"{openid}","unionid":"{unionid}"}}"#);
            let answer = exchange(body.as_bytes(), Scope::Base)?;
            Ok((answer.openid.expose().to_owned(), answer.unionid.map(|unionid| unionid.expose().to_owned())))
        };
        // Without a refresh token: no login needs one.
        assert_eq!(token("oA_1-z", "u"), Ok(("oA_1-z".to_owned(), Some("u".to_owned()))));
        for wrong in ["o\\u0000", "../o", "o o", "微信", &"o".repeat(129)] {
            assert_eq!(token(wrong, "u"), Err(BodyError::Unreadable), "{wrong}");
            assert_eq!(token("o", wrong), Ok(("o".to_owned(), None)), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_answer_is_unreadable() {
        let duplicate = BASE.replace("\"scope\"", "\"openid\":\"oEvil\",\"scope\"");
        for body in [
            "",
            "{",
            "null",
            "[]",
            "{}",
            "<html>502</html>",
            r#"{"errcode":0}"#,
            r#"{"errcode":"soon"}"#,
            r#"{"access_token":"","refresh_token":"R","openid":"o"}"#,
            r#"{"access_token":1,"refresh_token":"R","openid":"o"}"#,
            &BASE[..BASE.len() - 9],
            &duplicate,
            &format!("{BASE}{BASE}"),
        ] {
            assert_eq!(exchange(body.as_bytes(), Scope::Base).unwrap_err(), BodyError::Unreadable, "{body}");
        }
    }

    #[test]
    fn a_hostile_nickname_costs_no_login() {
        for (nickname, repaired) in [
            (b"a\x14b".as_slice(), "a b"),
            (b"a\nb", "a b"),
            (b"\xff\xfe", "\u{fffd}\u{fffd}"),
            (br"\ud83d\ude00", "\u{1f600}"),
            (br"a\ud83db", "a\u{fffd}b"),
            (br"\ude00\ud83d", "\u{fffd}\u{fffd}"),
            (br"\\ud83d", r"\ud83d"),
        ] {
            let body =
                [br#"{"openid":"oA1","nickname":""#.as_slice(), nickname, br#"","sex":"1","headimgurl":""}"#]
                    .concat();
            let profile = user_info(&body).unwrap();
            assert_eq!(
                (profile.nickname.as_str(), profile.sex),
                (repaired, 1),
                "{}",
                nickname.escape_ascii()
            );
        }
    }

    #[test]
    fn an_avatar_becomes_https_on_wechats_hosts_only() {
        for (from, to) in [
            (r"http:\/\/thirdwx.qlogo.cn\/mmopen\/x\/132", "https://thirdwx.qlogo.cn/mmopen/x/132"),
            (r"https:\/\/wx.qlogo.cn\/x\/0", "https://wx.qlogo.cn/x/0"),
            (r"http:\/\/qlogo.cn.evil.com\/x", ""),
            (r"javascript:alert(1)", ""),
            ("", ""),
        ] {
            let body = format!(r#"{{"openid":"oA1","headimgurl":"{from}","unionid":""}}"#);
            let profile = user_info(body.as_bytes()).unwrap();
            assert_eq!((profile.headimgurl.as_str(), profile.unionid.is_none()), (to, true));
        }
    }

    #[test]
    fn an_auth_answer_is_zero_or_a_refusal() {
        assert_eq!(auth(br#"{"errcode":0,"errmsg":"ok"}"#), Ok(()));
        assert_eq!(auth(br#"{"errcode":40003,"errmsg":"invalid openid"}"#), Err(refused(40003)));
        assert_eq!(auth(b"{}"), Err(BodyError::Unreadable));
    }

    #[test]
    fn nothing_of_a_person_is_printed() {
        let answer = exchange(BASE.as_bytes(), Scope::Base).unwrap();
        let profile = user_info(br#"{"openid":"oA1","nickname":"canary"}"#).unwrap();
        let printed = format!("{answer:?} {profile:?}");
        for canary in ["90_A", "90_R", "oA1", "canary"] {
            assert!(!printed.contains(canary), "{printed}");
        }
    }

    #[test]
    fn only_wechats_pictures_are_shown() {
        for address in ["https://thirdwx.qlogo.cn/mmopen/x/132", "https://mmbiz.qpic.cn/x"] {
            assert!(is_avatar(address), "{address}");
        }
        for address in [
            "",
            "http://thirdwx.qlogo.cn/x",
            "https://qlogo.cn.evil.com/",
            "https://evilqlogo.cn/",
            "javascript:alert(1)",
            "https://x.qlogo.cn:444/",
            "https://user@x.qlogo.cn/",
            "//x.qlogo.cn/",
        ] {
            assert!(!is_avatar(address), "{address}");
        }
    }
}
