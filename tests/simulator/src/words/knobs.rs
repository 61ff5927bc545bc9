//! The knobs in words.

use Input::{Choice, Json, Number, Switch, Text};

use crate::knobs::{
    AuthError, CallbackAdditions, Consent, Denial, DirtyJson, DuplicateCallback, NonFollower, OpenidMismatch,
    ProfileEra, QrFragment, QuickLogin, Snapshot, SuffixStyle, UnionidInExchange,
};

/// How a knob is set on the page.
pub(crate) enum Input {
    /// On or off.
    Switch,
    /// One of some words.
    Choice(&'static [&'static str]),
    /// A number; empty is none.
    Number,
    /// Text; empty is none.
    Text,
    /// JSON.
    Json,
}

/// A knob's name, input, and what it does, in Chinese and English.
pub(crate) type Description = (&'static str, Input, &'static str, &'static str);

/// Every knob, in the order of the page.
#[rustfmt::skip]
pub(crate) const DESCRIPTIONS: &[Description] = &[
    ("check_user_agent", Switch, "授权页只允许微信客户端打开", "Authorize page wants WeChat's user agent"),
    ("strict_param_order", Switch, "授权链接参数须按文档顺序", "Authorize parameters in the documented order"),
    ("state_required", Switch, "state 不能为空（10013）", "A state may not be empty (10013)"),
    ("current_person", Text, "所有浏览器的登录者（人物 id）", "Who is logged in to every browser (person id)"),
    ("consent", Choice(Consent::WORDS), "授权弹窗：询问、自动允许、自动拒绝", "Consent page: ask, allow, deny"),
    ("denial", Choice(Denial::WORDS), "拒绝授权之后", "What follows a refusal"),
    ("entry_from_menu", Switch, "关注者从服务号菜单进入（不弹窗）", "Followers come from the account's menu: no consent page"),
    ("callback_additions", Choice(CallbackAdditions::WORDS), "微信客户端给回调网址附加的参数", "What the client adds to the callback's address"),
    ("callback_query_doubled", Switch, "回调网址的参数重复一遍（中转页）", "A relay doubles the callback's query"),
    ("duplicate_callback", Choice(DuplicateCallback::WORDS), "回调网址被访问两次", "The callback is visited twice"),
    ("reissue_code_seconds", Number, "多少秒内静默授权得到同一个 code", "Seconds in which the same code is issued again"),
    ("authorize_per_minute", Number, "每分钟授权次数上限（10009）", "Authorizations per minute, then 10009"),
    ("snapshot", Choice(Snapshot::WORDS), "网页快照页", "Snapshot pages"),
    ("force_snapshot_works", Switch, "forceSnapShot=true 有效", "forceSnapShot=true has its effect"),
    ("snapshot_exemption_seconds", Number, "真实登录后多少秒内 forceSnapShot 无效", "Seconds after a real login without forced snapshot pages"),
    ("consent_remembered", Switch, "曾经授权者不再弹窗（forcePopup=true 除外）", "Who granted before is not asked again, unless forcePopup=true"),
    ("banned_apps", Json, "被封禁的服务号：[\"wx…\"]", "Banned accounts: [\"wx…\"]"),
    ("qr_lifetime", Number, "二维码有效期（秒）", "Lifetime of a QR code (seconds)"),
    ("qr_poll_milliseconds", Number, "扫码轮询多久后返回 408（毫秒）", "A waiting poll answers 408 after (milliseconds)"),
    ("qr_fragment", Choice(QrFragment::WORDS), "回调网址有 # 时扫码的 code 放在哪里", "Where a scan puts the code if the callback has a fragment"),
    ("wx_login_sandbox", Switch, "wxLogin.js 的 iframe 带 sandbox（允许跳转顶层页面）", "wxLogin.js gives its frame a sandbox that may navigate the page"),
    ("quick_login", Choice(QuickLogin::WORDS), "电脑微信对快速登录的回应", "What the WeChat on the computer says to quick login"),
    ("clock", Number, "固定时间（Unix 秒），空为真实时间", "Frozen time (Unix seconds), empty: it runs"),
    ("clock_offset", Number, "时间偏移（秒）", "Added to the running clock (seconds)"),
    ("api_requires_https", Switch, "接口只接受 HTTPS（否则 43003）", "The API wants HTTPS (else 43003)"),
    ("suffix_style", Choice(SuffixStyle::WORDS), "errmsg 的后缀", "How errmsg ends"),
    ("errcode_as_string", Switch, "errcode 为字符串", "errcode as a string"),
    ("unicode_escapes", Switch, "中文以 \\u 转义", "Non-ASCII as \\u escapes"),
    ("quota_per_minute", Number, "每分钟接口调用上限（45011）", "Calls per minute and endpoint, then 45011"),
    ("quota_per_day", Json, "每日接口调用上限（45009）", "Calls per day, app and endpoint, then 45009"),
    ("http_5xx_rate", Number, "返回 5xx 的比例（0 到 1）", "Part of the API calls that end in a 5xx (0 to 1)"),
    ("code_lifetime_official_account", Number, "服务号 code 有效期（秒）", "Lifetime of an Official Account's code (seconds)"),
    ("code_lifetime_website", Number, "网站应用 code 有效期（秒）", "Lifetime of a website app's code (seconds)"),
    ("access_token_lifetime", Number, "access_token 有效期（秒）", "Lifetime of an access token (seconds)"),
    ("refresh_token_lifetime", Number, "refresh_token 有效期（秒）", "Lifetime of a refresh token (seconds)"),
    ("expired_code_errcode", Number, "code 过期的错误码：40029 或 42003", "Expired code answers 40029 or 42003"),
    ("used_code_errcode", Number, "code 已用的错误码：40163 或 40029", "Spent code answers 40163 or 40029"),
    ("expired_refresh_token_errcode", Number, "refresh_token 过期的错误码：40030 或 42002", "Expired refresh token answers 40030 or 42002"),
    ("burn_code_on_system_error", Switch, "返回 -1 时 code 也作废", "A scripted -1 spends the code"),
    ("sns_single_live_token", Switch, "新 access_token 使旧的失效", "A new exchange ends earlier access tokens"),
    ("refresh_rotates_refresh_token", Switch, "刷新时更换 refresh_token", "A refresh replaces the refresh token"),
    ("scope_in_exchange", Switch, "换取结果带 scope", "The exchange answers with scope"),
    ("unionid_in_userinfo_exchange", Choice(UnionidInExchange::WORDS), "snsapi_userinfo 换取结果何时带 unionid", "When a userinfo exchange has a unionid"),
    ("base_exchange_unionid_after_prior_grant", Switch, "曾经授权者静默授权也带 unionid", "A base exchange has a unionid after an earlier grant"),
    ("unionid_before_snapshot_flag", Switch, "unionid 在 is_snapshotuser 之前", "unionid before is_snapshotuser"),
    ("component_snapshot_flag", Switch, "第三方平台换取结果带 is_snapshotuser", "is_snapshotuser for third-party platforms too"),
    ("user_profile_era", Choice(ProfileEra::WORDS), "用户资料：2021 年 10 月之后或之前", "Profiles since or before October 2021"),
    ("dirty_json", Choice(DirtyJson::WORDS), "资料含非法字节", "Profiles with illegal bytes"),
    ("sex_as_string", Switch, "sex 为字符串", "sex as a string"),
    ("snapshot_userinfo_unauthorized", Switch, "快照页用户取资料返回 48001", "userinfo refuses snapshot tokens with 48001"),
    ("userinfo_openid_mismatch", Choice(OpenidMismatch::WORDS), "userinfo 的 openid 不符时", "userinfo asked with another openid"),
    ("userinfo_answers_other_openid", Switch, "userinfo 返回别人的 openid", "userinfo answers another openid"),
    ("auth_error", Choice(AuthError::WORDS), "/sns/auth 的错误", "Errors of /sns/auth"),
    ("ip_allow_list", Json, "IP 白名单：[\"203.0.113.9\"]，空为不限", "IP allow-list: [\"203.0.113.9\"], empty: everybody"),
    ("unlisted_ip_errcode", Number, "不在白名单：40164、61004、45035 或 89503", "Not on the list: 40164, 61004, 45035 or 89503"),
    ("global_token_lifetime", Number, "全局 access_token 有效期（秒）", "Lifetime of a global token (seconds)"),
    ("token_grace_seconds", Number, "新 token 签发后旧的还可用多少秒", "Seconds a superseded token lives on"),
    ("unknown_global_token_errcode", Number, "未知的全局 token：40001 或 40014", "Unknown global token answers 40001 or 40014"),
    ("stable_token_wants_force_refresh", Switch, "stable_token 必须带 force_refresh（否则 41002）", "stable_token wants force_refresh (else 41002)"),
    ("unionid_for_non_follower", Switch, "未关注者也返回 unionid", "user/info tells the unionid of people who do not follow"),
    ("non_follower_body", Choice(NonFollower::WORDS), "未关注者的返回内容", "What user/info answers for people who do not follow"),
    ("delay_milliseconds", Json, "接口延迟（毫秒），* 为全部：{\"/sns/userinfo\": 3000}", "Delay of an endpoint, or * for all (milliseconds): {\"/sns/userinfo\": 3000}"),
    ("hold", Json, "挂起的接口：[\"/sns/userinfo\"]", "Endpoints whose answers are kept back: [\"/sns/userinfo\"]"),
    ("next", Json, "指定接口后续返回：{\"/sns/userinfo\": [{\"answer\": \"errcode\", \"errcode\": 45011}]}",
        "What an endpoint answers next: {\"/sns/userinfo\": [{\"answer\": \"errcode\", \"errcode\": 45011}]}"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::DESCRIPTIONS;
    use crate::Knobs;

    #[test]
    fn every_knob_is_described_once() {
        let knobs = serde_json::to_value(Knobs::default()).unwrap();
        let knobs: BTreeSet<_> = knobs.as_object().unwrap().keys().map(String::as_str).collect();
        let described: BTreeSet<_> = DESCRIPTIONS.iter().map(|description| description.0).collect();
        assert_eq!(knobs, described);
        assert_eq!(DESCRIPTIONS.len(), described.len());
    }

    #[test]
    fn every_knob_has_a_place_in_the_readme() {
        let readme = include_str!("../../README.md");
        let (english, chinese) = readme.split_once("## 中文").unwrap();
        for (name, ..) in DESCRIPTIONS {
            let row = |line: &str| line.starts_with("| `") && line.contains(&format!("`{name}`"));
            assert!(english.lines().any(row) && chinese.lines().any(row), "{name}");
        }
    }
}
