//! What is stored of a person, where, and for how long: the tables of whole logins, read past the
//! product.
//!
//! Everything that says who somebody is lies in the sealed blob of a session, and goes with it. All else
//! is digests and words of ours, of these names only, and everything ends by itself.

#![expect(
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the helpers of these tests fail as the tests do, and only JSON is indexed"
)]

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use harness::{
    Options, Result, Stack,
    browser::Visit,
    database::{attribute, number},
    places::{AUTHORIZE, USERINFO},
    stack::{DEFAULT_RETURN_TO, OFFICIAL_ACCOUNT, PAGE_ORIGIN, WEBSITE_APP},
    time,
    visitor::callback_of,
};
use http::Method;
use serde_json::Value;
use simulator::Action;

use crate::desktop::desktop;
use crate::openid::code_flow;
use crate::support::only_session;

/// How an attribute's value reads.
#[derive(Clone, Copy)]
enum Kind {
    /// A SHA-256, or random digits, in lower-case hexadecimal; after the kind of the item if it has one.
    Digest,
    /// Bytes that only the right key opens.
    Sealed,
    /// 32 random bytes, which open nothing by themselves.
    Random,
    /// One of a few words of ours or of WeChat's protocol.
    Word,
    /// An appid.
    App,
    /// Where the page that asked for the login wants it to end.
    Target,
    /// A count, or a time in seconds since 1970.
    Number,
    /// There, or not.
    Switch,
    /// What a grant remembers of its tokens: lists of digests, sealed bytes and numbers, and nothing else.
    Tokens,
    /// A random name, in base64.
    Name,
}

use Kind::{App, Digest, Name, Number, Random, Sealed, Switch, Target, Tokens, Word};

/// Every attribute of every item, by how the item's key begins. The page on privacy says the same.
const STORED: [(&str, &[(&str, Kind)]); 6] = [
    (
        "login#",
        &[
            ("id", Digest),
            ("browser", Digest),
            ("claimed_code", Digest),
            ("app", App),
            ("asked_app", Word),
            ("scope", Word),
            ("asked", Word),
            ("lang", Word),
            ("return_to", Target),
            ("attempt", Number),
            ("waits", Number),
            ("force_popup", Switch),
            ("force_snap_shot", Switch),
            ("spent_codes", Number),
            ("expires_at", Number),
        ],
    ),
    (
        "code#",
        &[
            ("id", Digest),
            ("login", Digest),
            ("browser", Digest),
            ("attempt_id", Digest),
            ("outcome", Word),
            ("expires_at", Number),
        ],
    ),
    (
        "app-token#",
        &[
            ("id", App),
            ("sealed", Sealed),
            ("lease", Number),
            ("failed_lease", Number),
            ("expires_at", Number),
        ],
    ),
    (
        "grant#",
        &[
            ("id", Digest),
            ("client", Word),
            ("session", Digest),
            ("claims", Sealed),
            ("code", Digest),
            ("code_key", Sealed),
            ("access", Tokens),
            ("id_tokens", Tokens),
            ("refresh", Tokens),
            ("redeemed_by", Name),
            ("redeemed_at", Number),
            ("revoked_at", Number),
            ("created_at", Number),
            ("version", Number),
            ("expires_at", Number),
        ],
    ),
    ("request#", &[("id", Digest), ("sealed", Sealed), ("sent_on", Number), ("expires_at", Number)]),
    (
        "",
        &[
            ("id", Digest),
            ("sealed", Sealed),
            ("login", Digest),
            ("created_at", Number),
            ("refreshed_at", Number),
            ("version", Number),
            ("refused_at", Number),
            ("pepper", Random),
            ("expires_at", Number),
        ],
    ),
];

/// The words there are.
const WORDS: [&str; 14] = [
    "snsapi_base",
    "snsapi_userinfo",
    "snsapi_login",
    "auto",
    "zh_CN",
    "zh_TW",
    "en",
    "claimed",
    "done",
    "failed",
    "official_account",
    "website",
    "shop",
    "web",
];

/// The kind of an item, as its key begins.
fn kind_of(item: &Value) -> (&'static str, &'static [(&'static str, Kind)]) {
    let id = attribute(item, "id");
    let found = STORED.into_iter().find(|(prefix, _)| id.starts_with(prefix));
    found.unwrap_or_else(|| panic!("an item of no known kind: {item}"))
}

/// Holds an item against what may be stored in the clear, and against its end.
fn assert_nothing_personal(item: &Value) {
    let (_, attributes) = kind_of(item);
    for name in item.as_object().into_iter().flatten().map(|(name, _)| name) {
        let known = attributes.iter().find(|(known, _)| known == name);
        let Some((_, kind)) = known else { panic!("{name} is not known: {item}") };
        let value = attribute(item, name);
        // After the kind of the item that it names.
        let bare = value.rsplit('#').next().unwrap_or_default();
        let is_right = match kind {
            Digest => {
                matches!(bare.len(), 32 | 64)
                    && bare.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
            }
            Sealed => item[name].get("B").is_some(),
            Random => STANDARD.decode(value_of_bytes(item, name)).is_ok_and(|bytes| bytes.len() == 32),
            Word => WORDS.contains(&value),
            App => [OFFICIAL_ACCOUNT, WEBSITE_APP].contains(&bare),
            // The last leads to a request that only the browser's own secret opens.
            Target => {
                [DEFAULT_RETURN_TO, "https://www.example.com/orders"].contains(&value)
                    || value.starts_with("https://login.example.com/oauth2/continue?request=")
            }
            Switch => item.get(name).is_some_and(|value| value.get("BOOL") == Some(&Value::Bool(true))),
            Tokens => are_tokens(&item[name]),
            Name => {
                value.len() == 22
                    && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            }
            Number => item[name].get("N").is_some() && value.parse::<u64>().is_ok(),
        };
        assert!(is_right, "{name} reads {value}: {item}");
    }
}

/// Whether a value is made of digests, sealed bytes and numbers alone.
fn are_tokens(value: &Value) -> bool {
    value.as_object().into_iter().flatten().all(|(kind, value)| match kind.as_str() {
        "L" => value.as_array().into_iter().flatten().all(are_tokens),
        "M" => value.as_object().into_iter().flatten().all(|(_, value)| are_tokens(value)),
        "S" => value
            .as_str()
            .is_some_and(|text| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())),
        kind => ["B", "N"].contains(&kind),
    })
}

/// The text of a binary attribute.
fn value_of_bytes<'a>(item: &'a Value, name: &str) -> &'a str {
    item[name]["B"].as_str().unwrap_or_default()
}

/// When an item ends, in seconds from now; fails if it does not, or if these are not seconds.
fn ends_in(item: &Value) -> u64 {
    let expires_at = number(item, "expires_at").unwrap_or_else(|failure| panic!("{failure}: {item}"));
    let seconds = expires_at.checked_sub(time::now_seconds());
    // In milliseconds it would end in more than fifty thousand years.
    seconds
        .filter(|seconds| *seconds <= 30 * 24 * 60 * 60)
        .unwrap_or_else(|| panic!("{expires_at} is no end: {item}"))
}

fn stored(stack: &Stack) -> Result<Vec<Value>> {
    let mut items = stack.logins()?;
    items.extend(stack.sessions()?);
    Ok(items)
}

/// Every way to log in, and what follows a login; the kinds of items that were seen.
async fn live(stack: &Stack) -> Result<BTreeSet<&'static str>> {
    let mut kinds = BTreeSet::new();
    let mut look = || -> Result<()> {
        for item in stored(stack)? {
            assert_nothing_personal(&item);
            ends_in(&item);
            kinds.insert(kind_of(&item).0);
        }
        Ok(())
    };
    let visitor = stack.visitor("lin");
    visitor.open(&format!("{AUTHORIZE}?lang=zh_TW&scope=auto&return_to={PAGE_ORIGIN}/orders")).await?;
    look()?;
    let hops = visitor.log_in().await?;
    look()?;
    // Once more, and by somebody else.
    visitor.open(&callback_of(&hops)?).await?;
    stack.visitor("lin").open(&callback_of(&hops)?).await?;
    look()?;
    visitor.log_in_with_profile().await?;
    look()?;
    stack.simulator().act(&Action::ExpireAccessTokens);
    visitor.userinfo().await?;
    look()?;
    // A client logs somebody in, renews its tokens, and somebody else begins to.
    let client = code_flow::visitor(stack, "zhou");
    let code = code_flow::code(&client, &[("prompt", "consent")]).await?;
    look()?;
    let tokens = code_flow::redeem(stack, &code, &[]).await?.json()?;
    look()?;
    code_flow::refresh(stack, &code_flow::text(&tokens, "refresh_token")).await?;
    code_flow::visitor(stack, "mallory").open(&code_flow::asked(&[])).await?;
    look()?;
    let visitor = desktop(stack);
    visitor.log_in_at(&format!("{AUTHORIZE}?app=website")).await?;
    look()?;
    Ok(kinds)
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_stored_is_sealed_or_says_nothing_of_a_person_and_ends_by_itself() {
    let options = code_flow::options("openid").unwrap();
    let options = options.with("SILENT_UNIONID", "true").with("PROFILE_LIFETIME_SECONDS", "0");
    let stack = Stack::start(options).await.unwrap();
    let kinds = live(&stack).await.unwrap();
    assert_eq!(kinds, BTreeSet::from(["", "app-token#", "code#", "grant#", "login#", "request#"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_person_outlives_the_session() {
    const MINUTE: u64 = 60;
    let options = Options::default().with("SESSION_LIFETIME_SECONDS", "3600");
    let stack = Stack::start(options.with("PROFILE_LIFETIME_SECONDS", "0")).await.unwrap();
    let visitor = stack.visitor("lin").logged_in_with_profile().await.unwrap();
    let before = only_session(&stack).unwrap();
    assert_eq!(
        number(&before, "expires_at").unwrap() - number(&before, "created_at").unwrap(),
        60 * MINUTE,
        "{before}"
    );
    // Neither a use nor a renewal of its tokens puts its end off.
    stack.simulator().act(&Action::ExpireAccessTokens);
    assert_eq!(visitor.userinfo().await.unwrap().status, 200);
    let after = only_session(&stack).unwrap();
    assert!(number(&after, "version").unwrap() > number(&before, "version").unwrap(), "{after}");
    assert_eq!(after["expires_at"], before["expires_at"]);

    for item in stored(&stack).unwrap() {
        let (kind, attributes) = kind_of(&item);
        let holds_a_person = attributes.iter().any(|(_, kind)| matches!(kind, Sealed));
        // A minute for slow machines; the README names these three.
        let longest = match kind {
            "login#" => 10 * MINUTE,
            "code#" => 24 * 60 * MINUTE,
            _ => 60 * MINUTE,
        };
        let ends_in = ends_in(&item);
        assert!((longest - MINUTE..=longest).contains(&ends_in), "{ends_in} s: {item}");
        assert!(!holds_a_person || ends_in <= 60 * MINUTE, "{item}");
    }

    // At its owner's wish it ends now, and leaves digests.
    let visit = Visit::fetch(Method::DELETE, USERINFO, PAGE_ORIGIN);
    assert_eq!(visitor.send(visit).await.unwrap().status, 204);
    let left = stored(&stack).unwrap();
    assert_eq!(left.len(), 2);
    for item in left {
        assert!(item.get("sealed").is_none(), "{item}");
        assert_nothing_personal(&item);
    }
}
