//! The words a knob can be set to.

use serde::{Deserialize, Serialize};

/// Enumerations, each with the words by which the admin interface calls its variants.
macro_rules! choices {
    ($($(#[$about:meta])* $name:ident { $($(#[$meaning:meta])* $variant:ident = $word:literal,)+ })+) => { $(
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
        pub enum $name { $($(#[$meaning])* #[serde(rename = $word)] $variant,)+ }

        impl $name {
            pub(crate) const WORDS: &'static [&'static str] = &[$($word),+];
        }
    )+ };
}

impl Denial {
    /// What the callback of a login is told, if it is called.
    pub(crate) fn parameters(self, state: Option<&str>) -> Option<Vec<(&'static str, &str)>> {
        let state = state.map(|state| ("state", state));
        match self {
            Self::None => None,
            Self::StateOnly => Some(state.into_iter().collect()),
            Self::Authdeny => Some([("code", "authdeny")].into_iter().chain(state).collect()),
        }
    }
}

impl CallbackAdditions {
    /// The parameters, as the client writes them.
    pub(crate) fn parameters(self) -> Vec<(&'static str, &'static str)> {
        const SHARE: [(&str, &str); 2] = [("from", "singlemessage"), ("isappinstalled", "0")];
        const CLIENT: [(&str, &str); 3] = [
            ("uin", "MjE0NzQ4MzY0Nw=="),
            ("key", "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f6071"),
            ("pass_ticket", "pT0+/abcDEF123=="),
        ];
        match self {
            Self::None => Vec::new(),
            Self::Share => SHARE.to_vec(),
            Self::Client => CLIENT.to_vec(),
            Self::All => SHARE.into_iter().chain(CLIENT).collect(),
        }
    }
}

choices! {
    /// Whether the consent page
    /// ([网页授权](https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html)) asks. A
    /// request header `x-simulator-consent: allow | deny` answers for one request.
    Consent {
        /// It is shown.
        Ask = "ask",
        /// Everybody allows at once.
        Allow = "allow",
        /// Everybody refuses at once.
        Deny = "deny",
    }

    /// What follows a refusal.
    Denial {
        /// Nothing: the person leaves, the callback is not called.
        None = "none",
        /// The callback is called with `state` only.
        StateOnly = "state_only",
        /// The callback is called with `code=authdeny` and `state`.
        Authdeny = "authdeny",
    }

    /// What WeChat's client adds to the address of the callback.
    CallbackAdditions {
        /// Nothing.
        None = "none",
        /// `from=singlemessage&isappinstalled=0`, as to every link that was shared.
        Share = "share",
        /// `uin`, `key` and `pass_ticket`, as to every address that it opens for somebody who is logged in.
        Client = "client",
        /// All of them.
        All = "all",
    }

    /// How the browser visits the callback.
    DuplicateCallback {
        /// Once.
        Off = "off",
        /// A page visits it twice, one after the other.
        Sequential = "sequential",
        /// A page visits it twice at the same time.
        Parallel = "parallel",
        /// A page visits it without the cookies of this browser first, as a second client would.
        OtherClient = "other_client",
    }

    /// Snapshot pages (网页快照页).
    Snapshot {
        /// None.
        Off = "off",
        /// Every visitor of `snsapi_userinfo`.
        On = "on",
        /// The same, and each person's first exchange lacks the flag.
        FlagMissingFirst = "flag_missing_first",
    }

    /// How an error of the API ends.
    SuffixStyle {
        /// `invalid code`
        Bare = "bare",
        /// Until 2020: `invalid code, hints: [ req_id: AbCdEa0123th45 ]`, and `invalid appid hint: [AbCdEa0123th45]`.
        Hints = "hints",
        /// In 2021: `invalid code rid: …`, and `invalid appid hint: [AbCdEa0123th45] rid: …`.
        Transition = "transition",
        /// `invalid code, rid: 65c17d8c-5cf05990-781aabe9`, `invalid appid rid: …` from an endpoint that hands out
        /// tokens, and `invalid openid hint: [AbCdEa0123th45] rid: …` from the rest of `cgi-bin`.
        Rid = "rid",
    }

    /// When an exchange of `snsapi_userinfo` carries the unionid
    /// ([网页授权](https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html#1)).
    UnionidInExchange {
        /// Whenever the app is bound.
        Always = "always",
        /// For followers of the account.
        FollowersOnly = "followers_only",
    }

    /// What profiles look like
    /// ([拉取用户信息](https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html#3)).
    ProfileEra {
        /// Since October 2021: no sex, no region, `https` avatars.
        Current = "current",
        /// Before.
        Legacy = "legacy",
    }

    /// Bytes in a profile that no JSON may hold.
    DirtyJson {
        /// None.
        Off = "off",
        /// A raw 0x14 in `nickname`.
        ControlByte = "control_byte",
        /// Broken UTF-8 in `province`.
        InvalidUtf8 = "invalid_utf8",
        /// Both.
        Both = "both",
    }

    /// What `/sns/userinfo` says to the openid of another person.
    OpenidMismatch {
        /// 40003.
        Refuse = "refuse",
        /// Answers for the token's own person.
        Ignore = "ignore",
    }

    /// What `/sns/auth`
    /// ([检验授权凭证](https://developers.weixin.qq.com/doc/oplatform/Website_App/WeChat_Login/Authorized_Interface_Calling_UnionID.html))
    /// says to a token or openid that is not right.
    AuthError {
        /// 40014 to a token, 40003 to an openid.
        ByCause = "by_cause",
        /// Always 40003, as documented.
        InvalidOpenid = "invalid_openid",
        /// Always 40014.
        InvalidAccessToken = "invalid_access_token",
    }

    /// What `/cgi-bin/user/info`
    /// ([获取用户基本信息](https://developers.weixin.qq.com/doc/offiaccount/User_Management/Get_users_basic_information_UnionID.html))
    /// answers for somebody who does not follow.
    NonFollower {
        /// Since 2022: all fields, blank.
        Blank = "blank",
        /// 2016 to 2019: `subscribe`, `openid` and `tagid_list`.
        TagList = "tag_list",
        /// 2014: `subscribe` and `openid`.
        Bare = "bare",
    }

    /// Quick login (微信快速登录): what the WeChat that runs on the same computer as the browser answers.
    QuickLogin {
        /// None runs, or nobody is logged in to it.
        None = "none",
        /// The person confirms.
        Allow = "allow",
        /// The person refuses: 10050.
        Deny = "deny",
        /// This login has to be scanned: 10057.
        ScanOnly = "scan_only",
    }

    /// Where a QR page puts the code into a callback that has a fragment.
    QrFragment {
        /// At the very end, within the fragment: a scanned QR code.
        Within = "within",
        /// Before the fragment: quick login (快速登录).
        Before = "before",
    }
}
