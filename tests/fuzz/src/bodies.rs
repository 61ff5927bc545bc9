//! Bodies of WeChat's API: read as a second reader reads them, and never in two ways.
//!
//! Every body goes through all six readers, whatever it was sent for. The reference ([`json`]) parses
//! and repairs in one pass of its own, keeps keys that stand twice, and takes the fields from there by
//! the rules that stand in the documentation of the product's readers. On top of that holds, whatever
//! the reference thinks: a body that one reader takes for a refusal is the same refusal to all.

pub mod json;

use wechat::body::{self, BodyError};
use wechat::{GrantedScope, OpenId, Scope};

use json::Json;

/// What an input may be made of.
pub const WORDS: &[&str] = &[
    "{\"openid\":\"o\",\"access_token\":\"A\",\"refresh_token\":\"R\"}",
    "\"access_token\":",
    "\"expires_in\":",
    "\"refresh_token\":",
    "\"openid\":",
    "\"scope\":",
    "\"unionid\":",
    "\"is_snapshotuser\":",
    "\"subscribe\":",
    "1",
    "../",
    "\"errcode\":",
    "\"errmsg\":",
    "\"nickname\":",
    "\"sex\":",
    "\"headimgurl\":",
    "\"privilege\":",
    "\"err\\u0063ode\":",
    "40029",
    "\"40029\"",
    "0",
    "\"0\"",
    "-1",
    "1.0",
    "true",
    "null",
    "[]",
    "{}",
    "\"o\"",
    ",",
    "\\ud83d",
    "\\ude00",
    "\\u0000",
    "\\\\",
    "\\\"",
    "\u{1}",
    "\n",
    "\u{fffd}",
    "http:\\/\\/thirdwx.qlogo.cn\\/x",
    "rid: 65c17d8c-5cf05990-781aabe9",
];

/// Whose unionid is asked for.
const OPENID: &str = "o";
/// The scope of the login.
const ASKED: Scope = Scope::UserInfo;

/// What a reader made of a body, in a form that can be compared.
type Read<T> = Result<T, Failure>;

/// Why it made nothing of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Failure {
    Refused(i64),
    Unreadable,
}

/// What the token endpoints answer: `access_token`, `refresh_token`, `openid`, `expires_in`.
type Tokens = (String, Option<String>, String, u64);
/// A profile: `openid`, `nickname`, `sex`, `province`, `city`, `country`, `headimgurl`, `privilege`, `unionid`.
type Profile = (String, String, i64, String, String, String, String, Vec<String>, Option<String>);

/// What the six readers made of one body.
#[derive(Debug, PartialEq)]
struct Readings {
    exchange: Read<(Tokens, Option<String>, String, bool)>,
    refresh: Read<Tokens>,
    profile: Read<Profile>,
    auth: Read<()>,
    stable_token: Read<(String, u64)>,
    follower: Read<(Option<String>, Option<bool>)>,
}

/// Tries one body.
///
/// # Panics
///
/// When the product reads it otherwise than the reference, or in two ways.
pub fn run(input: &[u8]) {
    let product = product(input);
    let refusals = [
        product.exchange.as_ref().err(),
        product.refresh.as_ref().err(),
        product.profile.as_ref().err(),
        product.auth.as_ref().err(),
        product.stable_token.as_ref().err(),
        product.follower.as_ref().err(),
    ];
    if let Some(refusal @ Failure::Refused(_)) =
        refusals.iter().flatten().find(|failure| ***failure != Failure::Unreadable)
    {
        assert!(refusals.iter().all(|other| *other == Some(refusal)), "a refusal and not: {product:?}");
    }
    // What no answer of WeChat's holds and the two parsers rightly treat apart is not compared.
    if let Some(document) = json::read(input) {
        assert_eq!(product, reference(document.as_ref()), "of {}", input.escape_ascii());
    }
}

fn product(input: &[u8]) -> Readings {
    fn read<T, U>(read: Result<T, BodyError>, take: impl FnOnce(T) -> U) -> Read<U> {
        read.map(take).map_err(|error| match error {
            BodyError::Refused(refused) => {
                let is_plain =
                    |rid: &String| rid.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
                assert!(refused.rid.as_ref().is_none_or(is_plain), "a request id is plain");
                Failure::Refused(refused.errcode.get())
            }
            BodyError::Unreadable => Failure::Unreadable,
        })
    }
    let exposed = |unionid: wechat::UnionId| unionid.expose().to_owned();
    Readings {
        exchange: read(body::exchange(input, ASKED), |answer| {
            let access = answer.access_token.expose().to_owned();
            let refresh = answer.refresh_token.map(|token| token.expose().to_owned());
            let tokens = (access, refresh, answer.openid.expose().to_owned(), answer.expires_in);
            (tokens, answer.unionid.map(exposed), answer.scope.as_str().to_owned(), answer.is_snapshotuser)
        }),
        refresh: read(body::refresh(input), |answer| {
            let access = answer.access_token.expose().to_owned();
            let refresh = answer.refresh_token.map(|token| token.expose().to_owned());
            (access, refresh, answer.openid.expose().to_owned(), answer.expires_in)
        }),
        profile: read(body::user_info(input), |user| {
            (
                user.openid.expose().to_owned(),
                user.nickname,
                user.sex,
                user.province,
                user.city,
                user.country,
                user.headimgurl,
                user.privilege,
                user.unionid.map(exposed),
            )
        }),
        auth: read(body::auth(input), |()| ()),
        stable_token: read(body::stable_token(input), |answer| {
            (answer.global_token.expose().to_owned(), answer.expires_in)
        }),
        follower: read(body::follower(input, &OpenId::new(OPENID.to_owned())), |follower| {
            (follower.unionid.map(exposed), follower.subscribe)
        }),
    }
}

fn reference(document: Option<&Json>) -> Readings {
    let object = document.and_then(Json::object).ok_or(Failure::Unreadable);
    let checked = object.and_then(|fields| refuse(fields).map(|errcode| (Fields(fields), errcode)));
    Readings {
        exchange: checked.and_then(|(fields, _)| {
            let wire = fields.tokens()?;
            let scope = wire.scope.unwrap_or_else(|| ASKED.as_str().to_owned());
            let tokens = (
                needed(wire.access_token)?,
                wire.refresh_token,
                needed(identifier(wire.openid))?,
                wire.expires_in,
            );
            Ok((
                tokens,
                identifier(wire.unionid),
                GrantedScope::new(&scope).as_str().to_owned(),
                wire.is_snapshotuser,
            ))
        }),
        refresh: checked.and_then(|(fields, _)| {
            let wire = fields.tokens()?;
            Ok((
                needed(wire.access_token)?,
                wire.refresh_token,
                needed(identifier(wire.openid))?,
                wire.expires_in,
            ))
        }),
        profile: checked.and_then(|(fields, _)| fields.profile()),
        auth: checked.and_then(|(_, errcode)| needed(errcode)),
        stable_token: checked.and_then(|(fields, _)| {
            let wire = fields.tokens()?;
            Ok((needed(wire.access_token)?, wire.expires_in))
        }),
        follower: checked.and_then(|(fields, _)| {
            let (openid, unionid) = (fields.filled("openid")?, fields.filled("unionid")?);
            let subscribe = match fields.one("subscribe")?.and_then(Json::integer) {
                Some(0) => Some(false),
                Some(1) => Some(true),
                _ => None,
            };
            let is_the_persons = openid.as_deref() == Some(OPENID);
            if is_the_persons { Ok((identifier(unionid), subscribe)) } else { Err(Failure::Unreadable) }
        }),
    }
}

/// `Some` if there is an `errcode`, which then is 0; any other is the refusal.
fn refuse(fields: &[(String, Json)]) -> Read<Option<()>> {
    let fields = Fields(fields);
    fields.text_or_null("errmsg")?;
    match fields.one("errcode")? {
        None => Ok(None),
        Some(json) => match json.integer() {
            Some(0) => Ok(Some(())),
            Some(errcode) => Err(Failure::Refused(errcode)),
            None => Err(Failure::Unreadable),
        },
    }
}

fn needed<T>(value: Option<T>) -> Read<T> {
    value.ok_or(Failure::Unreadable)
}

/// A text that can name a person.
fn identifier(text: Option<String>) -> Option<String> {
    text.filter(|text| {
        text.len() <= 128
            && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-')
    })
}

/// An address that can be an avatar's, else none: `http` on WeChat's hosts is `https` by now.
fn avatar(address: String) -> String {
    let address = address.strip_prefix("http://").map(|rest| format!("https://{rest}")).unwrap_or(address);
    let parts: Vec<&str> = address.splitn(4, '/').collect();
    let &["https:", "", host, path] = parts.as_slice() else { return String::new() };
    let labels: Vec<&str> = host.split('.').collect();
    let is_wechats =
        labels.len() > 2 && (labels.ends_with(&["qlogo", "cn"]) || labels.ends_with(&["qpic", "cn"]));
    let is_plain = labels
        .iter()
        .all(|label| label.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-'));
    let is_quiet = path.chars().all(|letter| ('!'..='~').contains(&letter) && !"\"<>\\".contains(letter));
    if is_wechats && is_plain && is_quiet { address } else { String::new() }
}

/// What the token endpoints may answer.
struct Wire {
    access_token: Option<String>,
    refresh_token: Option<String>,
    openid: Option<String>,
    expires_in: u64,
    scope: Option<String>,
    unionid: Option<String>,
    is_snapshotuser: bool,
}

/// The keys and values of a body.
#[derive(Clone, Copy)]
struct Fields<'a>(&'a [(String, Json)]);

impl<'a> Fields<'a> {
    /// The value of a key, which may be absent but may not stand twice.
    fn one(self, key: &str) -> Read<Option<&'a Json>> {
        let mut values = self.0.iter().filter(|(name, _)| name == key).map(|(_, value)| value);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(Failure::Unreadable),
        }
    }

    /// A text; null counts as absent.
    fn text_or_null(self, key: &str) -> Read<Option<String>> {
        match self.one(key)? {
            None | Some(Json::Null) => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text.clone())),
            Some(_) => Err(Failure::Unreadable),
        }
    }

    /// A text; null and an empty one count as absent.
    fn filled(self, key: &str) -> Read<Option<String>> {
        Ok(self.text_or_null(key)?.filter(|text| !text.is_empty()))
    }

    /// A text, empty if it is absent.
    fn text(self, key: &str) -> Read<String> {
        match self.one(key)? {
            None => Ok(String::new()),
            Some(Json::Text(text)) => Ok(text.clone()),
            Some(_) => Err(Failure::Unreadable),
        }
    }

    /// An integer for which anything else is 0.
    fn number(self, key: &str) -> Read<Option<i64>> {
        Ok(self.one(key)?.map(|value| value.integer().unwrap_or_default()))
    }

    fn tokens(self) -> Read<Wire> {
        Ok(Wire {
            access_token: self.filled("access_token")?,
            refresh_token: self.filled("refresh_token")?,
            openid: self.filled("openid")?,
            expires_in: self
                .number("expires_in")?
                .map_or(7200, |seconds| u64::try_from(seconds).unwrap_or(7200)),
            scope: self.filled("scope")?,
            unionid: self.filled("unionid")?,
            // Only what clearly says no is a no: a snapshot visitor must never get a session.
            is_snapshotuser: match self.one("is_snapshotuser")? {
                None | Some(Json::Null | Json::False) => false,
                Some(value) => value.integer() != Some(0),
            },
        })
    }

    fn profile(self) -> Read<Profile> {
        let openid = needed(identifier(self.filled("openid")?))?;
        let privilege = match self.one("privilege")? {
            None => Vec::new(),
            Some(Json::List(items)) => {
                let texts = items.iter().map(|item| match item {
                    Json::Text(text) => Ok(text.clone()),
                    _ => Err(Failure::Unreadable),
                });
                texts.collect::<Read<_>>()?
            }
            Some(_) => return Err(Failure::Unreadable),
        };
        Ok((
            openid,
            self.text("nickname")?,
            self.number("sex")?.unwrap_or_default(),
            self.text("province")?,
            self.text("city")?,
            self.text("country")?,
            avatar(self.text("headimgurl")?),
            privilege,
            identifier(self.filled("unionid")?),
        ))
    }
}
