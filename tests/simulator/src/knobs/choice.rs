//! The words a knob can be set to.

use serde::{Deserialize, Serialize};

/// Whether the consent page asks. A request header `x-simulator-consent: allow | deny` answers for one request.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    /// It is shown.
    Ask,
    /// Everybody allows at once.
    Allow,
    /// Everybody refuses at once.
    Deny,
}

/// What follows a refusal.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Denial {
    /// Nothing: the person leaves, the callback is not called.
    None,
    /// The callback is called with `state` only.
    StateOnly,
    /// The callback is called with `code=authdeny` and `state`.
    Authdeny,
}

/// How the browser visits the callback.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DuplicateCallback {
    /// Once.
    Off,
    /// A page visits it twice, one after the other.
    Sequential,
    /// A page visits it twice at the same time.
    Parallel,
    /// A page visits it without the cookies of this browser first, as a second client would.
    OtherClient,
}

/// Snapshot pages (网页快照页).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Snapshot {
    /// None.
    Off,
    /// Every visitor of `snsapi_userinfo`.
    On,
    /// The same, and each person's first exchange lacks the flag.
    FlagMissingFirst,
}

/// How an error of the API ends.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SuffixStyle {
    /// `invalid code`
    Bare,
    /// Until 2020: `invalid code, hints: [ req_id: AbCdEa0123th45 ]`, and `invalid appid hint: [AbCdEa0123th45]`.
    Hints,
    /// In 2021: `invalid code rid: …`, and `invalid appid hint: [AbCdEa0123th45] rid: …`.
    Transition,
    /// `invalid code, rid: 65c17d8c-5cf05990-781aabe9`, and `invalid appid rid: …`.
    Rid,
}

/// When an exchange of `snsapi_userinfo` carries the unionid.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UnionidInExchange {
    /// Whenever the app is bound.
    Always,
    /// For followers of the account.
    FollowersOnly,
}

/// What profiles look like.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProfileEra {
    /// Since October 2021: no sex, no region, `https` avatars.
    Current,
    /// Before.
    Legacy,
}

/// Bytes in a profile that no JSON may hold.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DirtyJson {
    /// None.
    Off,
    /// A raw 0x14 in `nickname`.
    ControlByte,
    /// Broken UTF-8 in `province`.
    InvalidUtf8,
    /// Both.
    Both,
}

/// What `/sns/userinfo` says to the openid of another person.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenidMismatch {
    /// 40003.
    Refuse,
    /// Answers for the token's own person.
    Ignore,
}

/// What `/sns/auth` says to a token or openid that is not right.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthError {
    /// 40014 to a token, 40003 to an openid.
    ByCause,
    /// Always 40003, as documented.
    InvalidOpenid,
    /// Always 40014.
    InvalidAccessToken,
}

/// What `/cgi-bin/user/info` answers for somebody who does not follow.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NonFollower {
    /// Since 2022: all fields, blank.
    Blank,
    /// 2016 to 2019: `subscribe`, `openid` and `tagid_list`.
    TagList,
    /// 2014: `subscribe` and `openid`.
    Bare,
}

/// Where a QR page puts the code into a callback that has a fragment.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum QrFragment {
    /// At the very end, within the fragment: a scanned QR code.
    Within,
    /// Before the fragment: quick login (快速登录).
    Before,
}
