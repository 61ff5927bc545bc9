//! WeChat's error codes, and the one decision of how to react to each.
//!
//! WeChat reports failure inside HTTP 200, as `errcode` and `errmsg`. The number decides; the message
//! is never parsed for logic, and only its request id (`rid`) is kept, for WeChat's support.
//!
//! [`KNOWN`] is the decision: it drives the client, the functions and the pages, and the tables of the
//! documentation are written from it. Where a number comes from stands above its rows:
//!
//! * *global*: WeChat's list for [Official
//!   Accounts](https://developers.weixin.qq.com/doc/offiaccount/Getting_Started/Global_Return_Code.html);
//! * *platform*: its list for the [Open
//!   Platform](https://developers.weixin.qq.com/doc/oplatform/developers/errCode/errCode.html);
//! * *token*: the pages of the calls that give an app its token,
//!   [getAccessToken](https://developers.weixin.qq.com/doc/offiaccount/Basic_Information/Get_access_token.html) and
//!   [getStableAccessToken](https://developers.weixin.qq.com/doc/offiaccount/Basic_Information/getStableAccessToken.html);
//! * *mini program*: the page of another login,
//!   [code2Session](https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/user-login/code2Session.html);
//! * *reported*: no page of WeChat's, but clients that met it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// WeChat's [`errcode`](https://developers.weixin.qq.com/doc/offiaccount/Getting_Started/Global_Return_Code.html); 0 is
/// success and never becomes one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Errcode(i64);

/// What to do about a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    /// WeChat is busy: ask again, if the request may be repeated at all.
    Retry,
    /// The code is of no use any more: start the login anew.
    FreshLogin,
    /// The access token is of no use any more: renew it.
    Refresh,
    /// The grant is gone: only the person can give a new one.
    LoginAgain,
    /// Something this deployment is set to is wrong: an operator must mend it.
    Configuration,
    /// WeChat does not let this person in.
    User,
}

/// What is known of one error code.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// WeChat's number.
    pub errcode: Errcode,
    /// How to react.
    pub reaction: Reaction,
    /// WeChat's own text, without what it adds behind, so that who searches for it finds the row.
    pub says: &'static str,
    /// What it means and what to do, in English.
    pub english: &'static str,
    /// What it means and what to do, in Chinese.
    pub chinese: &'static str,
}

const fn known(
    errcode: i64,
    reaction: Reaction,
    says: &'static str,
    english: &'static str,
    chinese: &'static str,
) -> Known {
    Known { errcode: Errcode(errcode), reaction, says, english, chinese }
}

/// Every code that WeChat's login is known to answer, in the order of their numbers.
#[rustfmt::skip]
pub const KNOWN: &[Known] = {
    use Reaction::{Configuration, FreshLogin, LoginAgain, Refresh, Retry, User};
    &[
        // Global.
        known(-1, Retry, "system error", "WeChat is busy; this passes", "微信系统繁忙；会自行恢复"),
        known(40001, Refresh, "invalid credential, access_token is invalid or not latest", "The access token is no longer valid; it is refreshed once", "access_token 无效或已被新的取代；会自动刷新一次"),
        known(40002, Configuration, "invalid grant_type", "Wrong grant_type; a defect of this project, please report it", "grant_type 错误；本项目的缺陷，请反馈"),
        known(40003, Configuration, "invalid openid", "The openid is another app's; check which app the session is from", "openid 与该 AppID 不匹配；请检查会话属于哪个应用"),
        known(40013, Configuration, "invalid appid", "Invalid appid; check the template's parameters", "AppID 无效；请检查模板参数"),
        known(40014, Refresh, "invalid access_token", "The access token is no longer valid; it is refreshed once", "access_token 无效或已被新的取代；会自动刷新一次"),
        known(40029, FreshLogin, "invalid code", "The code is unknown, expired or another app's; a fresh login follows", "code 无效、已过期或属于别的应用；会自动重新登录"),
        known(40030, LoginAgain, "invalid refresh_token", "The refresh token is no longer valid; the person logs in again", "refresh_token 已失效；用户需要重新登录"),
        known(40125, Configuration, "invalid appsecret", "Wrong app secret; put the current one into Secrets Manager", "AppSecret 错误；请把当前的 AppSecret 写入 Secrets Manager（重置后旧的立即失效）"),
        known(40163, FreshLogin, "code been used", "The code was used before; a fresh login follows", "code 已被使用；会自动重新登录"),
        known(40164, Configuration, "invalid ip, not in whitelist", "The caller's IP is not in the API IP allow-list (API IP 白名单); add the one that the log names, [in the console](../guide/consoles.md)", "出口 IP 不在 API IP 白名单；请把日志中的 IP 加进去，位置见[微信各平台的设置](../guide/consoles.md)"),
        // Mini program.
        known(40226, User, "code blocked", "WeChat blocks this person as high risk", "微信判定为高风险用户，已拦截登录"),
        // Token.
        known(40243, Configuration, "appsecret has been frozen", "The app secret is frozen; unfreeze it on the developer platform (10 minutes)", "AppSecret 已冻结；请在微信开发者平台解冻，约 10 分钟后生效"),
        // Global.
        known(41001, Configuration, "access_token missing", "access_token missing; a defect of this project, please report it", "缺少 access_token；本项目的缺陷，请反馈"),
        known(41002, Configuration, "appid missing", "appid missing; check the appid in the template's parameters", "缺少 appid；请检查模板参数里的 AppID"),
        known(41003, Configuration, "refresh_token missing", "refresh_token missing; a defect of this project, please report it", "缺少 refresh_token；本项目的缺陷，请反馈"),
        known(41004, Configuration, "appsecret missing", "The app secret is missing; put it into Secrets Manager", "缺少 AppSecret；请写入 Secrets Manager"),
        known(41008, Configuration, "missing code", "The code is missing; something between WeChat and this stack strips the query", "缺少 code；微信与本服务之间有代理去掉了查询参数"),
        known(41009, Configuration, "missing openid", "openid missing; a defect of this project, please report it", "缺少 openid；本项目的缺陷，请反馈"),
        // Platform.
        known(41021, Configuration, "component_access_token missing", "The third-party platform's token is missing; check the secret it is read from", "缺少或不是 component_access_token；请检查保存它的 Secrets Manager 密钥"),
        // Global.
        known(42001, Refresh, "access_token expired", "The access token is no longer valid; it is refreshed once", "access_token 无效或已被新的取代；会自动刷新一次"),
        known(42002, LoginAgain, "refresh_token expired", "The refresh token has expired; the person logs in again", "refresh_token 已过期；用户需要重新登录"),
        known(42003, FreshLogin, "code expired", "The code has expired; a fresh login follows", "code 已过期；会自动重新登录"),
        known(42007, LoginAgain, "access_token and refresh_token exception", "The person changed the WeChat password; the person logs in again", "用户修改了微信密码，授权已失效；需要重新登录"),
        known(43002, Configuration, "require POST method", "WeChat wants POST; a defect of this project, please report it", "需要 POST 请求；本项目的缺陷，请反馈"),
        known(43003, Configuration, "require https", "WeChat wants HTTPS; check WECHAT_API_URL", "需要 HTTPS；请检查 WECHAT_API_URL"),
        known(45009, Configuration, "reach max api daily quota limit", "The daily quota is used up; it resets the next day, or clear it under 接口权限与额度", "超过每日调用额度；次日恢复，或在“接口权限与额度”里清零"),
        known(45011, Retry, "api minute-quota reach limit mustslower retry next minute", "Too many calls this minute; this passes", "调用太频繁（每分钟上限）；稍后自动恢复"),
        // Platform.
        known(45035, Configuration, "access clientip is not registered", "The caller's IP is not in the API IP allow-list (API IP 白名单); add the one that the log names, [in the console](../guide/consoles.md)", "出口 IP 不在 API IP 白名单；请把日志中的 IP 加进去，位置见[微信各平台的设置](../guide/consoles.md)"),
        // Global.
        known(46004, User, "user not exist", "WeChat knows no such person", "微信中没有这个用户"),
        known(48001, Configuration, "api unauthorized", "The account lacks this interface; it must be a verified service account", "账号没有该接口（scope）权限；需要已认证的服务号"),
        known(48004, Configuration, "api forbidden for irregularities", "The interface is banned for violations; look at the notices of the account", "接口因违规被封禁；请查看公众平台的通知"),
        known(50001, LoginAgain, "user unauthorized", "The person has not granted this; the person logs in again", "用户没有授权该接口；需要重新登录"),
        known(50002, User, "user limited", "This person, or the app itself, is restricted; if many people see it, look at the notices of the account", "用户受限，或接口因违规被封禁；若许多人都遇到，请查看公众平台的通知"),
        // Token.
        known(50004, Configuration, "forbid to use token interface", "The account may not use this interface; look at the notices of the account", "账号被禁止使用该接口；请查看公众平台的通知"),
        // Global.
        known(50005, User, "user is unsubscribed", "The person does not follow the account; there is no unionid then", "用户未关注该服务号；因此没有 unionid"),
        // Token.
        known(50007, Configuration, "account frozen", "The account is frozen; look at the notices of the account", "账号已被冻结；请查看公众平台的通知"),
        // Platform.
        known(61003, Configuration, "component is not authorized by this account", "The Official Account has not authorised the third-party platform", "服务号未授权给第三方平台；请重新授权"),
        known(61004, Configuration, "access clientip is not registered", "The caller's IP is not in the third-party platform's allow-list, [another list](../guide/consoles.md) than 40164's", "出口 IP 不在第三方平台的白名单；位置见[微信各平台的设置](../guide/consoles.md)"),
        known(61005, Configuration, "component ticket is expired", "The third-party platform's ticket has expired; see the system that keeps its token", "component_verify_ticket 已过期；请检查接收票据的系统"),
        known(61006, Configuration, "component ticket is invalid", "The third-party platform's ticket is wrong; see the system that keeps its token", "component_verify_ticket 无效；请检查接收票据的系统"),
        known(61007, Configuration, "api is unauthorized to component", "The interface was not granted to the third-party platform; authorise it again", "该接口没有授权给第三方平台；请重新授权"),
        known(61009, FreshLogin, "code is invalid", "The code is not valid; a fresh login follows", "code 无效；会自动重新登录"),
        known(61010, FreshLogin, "code is expired", "The code has expired; a fresh login follows", "code 已过期；会自动重新登录"),
        known(61011, Configuration, "invalid component", "Unknown third-party platform; check its appid", "第三方平台不存在；请检查 AppID"),
        known(61014, Configuration, "must use component token for component api", "A third-party platform's token is wanted; check the secret it is read from", "缺少或不是 component_access_token；请检查保存它的 Secrets Manager 密钥"),
        known(61023, Configuration, "refresh_token is invalid", "The refresh token that the third-party platform keeps for the account is no longer valid; authorise it again", "第三方平台保存的 refresh_token 已失效；请重新授权"),
        // Token.
        known(89503, Configuration, "this ip has to be confirmed by the administrator", "An administrator must confirm this IP in WeChat; or allow-list it", "此 IP 需管理员在微信里确认；确认后重试，或加入 API IP 白名单"),
    ]
};

/// What WeChat's own pages say instead of calling back, which this stack never sees: number, WeChat's text if one is
/// known, what it means and what to do, in English and in Chinese. Most stand in [网页授权, step 1].
///
/// [网页授权, step 1]: https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html#0
#[rustfmt::skip]
pub const PAGE_ERRORS: &[(u16, &str, &str, &str)] = &[
    // [网页授权, step 1].
    (10003, "redirect_uri域名与后台配置不一致", "The callback is not on the registered domain; put this service's domain into 网页授权域名", "回调的域名与登记的不一致；请把本服务的域名填进“网页授权域名”"),
    (10004, "此公众号被封禁", "The account is banned; look at the notices of the account", "账号已被封禁；请查看公众平台的通知"),
    (10005, "此公众号并没有这些scope的权限", "The account lacks this scope; it must be a verified service account", "账号没有该接口（scope）权限；需要已认证的服务号"),
    (10006, "必须关注此测试号", "The person must first follow the test account", "必须关注此测试号；请先用登录的微信扫码关注"),
    (10009, "操作太频繁了，请稍后重试", "Too many logins in a short time; wait", "操作太频繁；请稍候"),
    (10010, "scope不能为空", "scope is missing; a defect of this project, please report it", "缺少 scope；本项目的缺陷，请反馈"),
    (10011, "redirect_uri不能为空", "redirect_uri is missing; a defect of this project, please report it", "缺少 redirect_uri；本项目的缺陷，请反馈"),
    (10012, "appid不能为空", "appid is missing; check the appid in the template's parameters", "缺少 appid；请检查模板参数里的 AppID"),
    (10013, "state不能为空", "state is missing; a defect of this project, please report it", "缺少 state；本项目的缺陷，请反馈"),
    (10015, "公众号未授权第三方平台，请检查授权状态", "The Official Account has not authorised the third-party platform", "服务号未授权给第三方平台；请重新授权"),
    (10016, "不支持微信开放平台的Appid，请使用公众号Appid", "The website app's appid stands where the Official Account's belongs", "填成了网站应用的 AppID；微信内登录要用服务号的 AppID"),
    // Reported.
    (10039, "redirect_uri协议与后台配置不一致", "The callback's scheme differs from the one that is configured; PUBLIC_URL must begin with https://", "回调的协议与登记的不一致；PUBLIC_URL 必须以 https:// 开头"),
    (10050, "", "Quick login on a desktop failed; scan the QR code instead", "电脑微信快捷登录失败；请改用扫码登录"),
    (10057, "", "Quick login on a desktop failed; scan the QR code instead", "电脑微信快捷登录失败；请改用扫码登录"),
];

impl Errcode {
    /// Takes WeChat's number.
    #[must_use]
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// WeChat's number.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// `invalid openid`: the openid is not the token's. Where a token alone is in question, a dead token.
    pub const INVALID_OPENID: Self = Self(40003);

    /// `invalid appsecret`: the app secret was rotated, or is wrong.
    pub const INVALID_APP_SECRET: Self = Self(40125);

    /// `invalid credential`: where a code is exchanged, WeChat documents it as a wrong app secret.
    pub const INVALID_CREDENTIAL: Self = Self(40001);

    /// A third-party platform's token is wanted: the one at hand is none, or no longer.
    pub const COMPONENT_TOKEN_WANTED: Self = Self(61014);

    /// There is no app with this appid.
    pub const INVALID_APPID: Self = Self(40013);

    /// The app secret is frozen.
    pub const SECRET_FROZEN: Self = Self(40243);

    /// The Official Account has not authorised the third-party platform.
    pub const NOT_AUTHORISED: Self = Self(61003);

    /// How to react. A code that is not [`KNOWN`] is a configuration error: whatever it means, neither
    /// the visitor nor a repetition mends it, and an operator should see it.
    #[must_use]
    pub fn reaction(self) -> Reaction {
        let known = KNOWN.iter().find(|known| known.errcode == self);
        known.map_or(Reaction::Configuration, |known| known.reaction)
    }

    /// Whether WeChat says that it is asked too often, which asking again makes no better.
    #[must_use]
    pub const fn is_too_often(self) -> bool {
        matches!(self.0, 45009 | 45011)
    }

    /// Whether WeChat refuses the address the call came from.
    #[must_use]
    pub const fn is_about_the_address(self) -> bool {
        matches!(self.0, 40164 | 45035 | 61004 | 89503)
    }
}

impl Reaction {
    /// The reaction's name in the tables of the documentation, in English and in Chinese.
    #[must_use]
    pub const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Retry => ("retry", "稍后重试"),
            Self::FreshLogin => ("fresh login", "自动重新登录"),
            Self::Refresh => ("refresh", "刷新令牌"),
            Self::LoginAgain => ("log in again", "需用户登录"),
            Self::Configuration => ("configuration", "检查配置"),
            Self::User => ("user", "提示用户"),
        }
    }
}

impl fmt::Display for Errcode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_code_has_its_reaction() {
        // From WeChat's documents and from what clients report, not from the table above.
        for (reaction, codes) in [
            (Reaction::Retry, &[-1, 45011][..]),
            (Reaction::FreshLogin, &[40029, 40163, 42003]),
            (Reaction::Refresh, &[40001, 40014, 42001]),
            (Reaction::LoginAgain, &[40030, 42002, 42007, 50001]),
            (Reaction::User, &[40226, 50002]),
            (
                Reaction::Configuration,
                &[
                    40002, 40003, 40013, 40125, 40164, 41002, 41004, 41008, 43002, 45009, 48001, 48004,
                    61004, 61023, 99999,
                ],
            ),
        ] {
            for code in codes {
                assert_eq!(Errcode(*code).reaction(), reaction, "{code}");
            }
        }
    }

    /// What WeChat's pages say, from what clients report: of the address and the scope, of a callback's scheme, of
    /// quick login.
    #[test]
    fn every_page_that_clients_report_is_explained() {
        for number in [10003, 10004, 10005, 10006, 10009, 10015, 10016, 10039, 10050, 10057] {
            assert!(PAGE_ERRORS.iter().any(|(known, ..)| *known == number), "{number}");
        }
    }

    /// Who has WeChat's text searches for it. The texts are those that clients report.
    #[test]
    fn every_row_has_what_wechat_says() {
        assert!(KNOWN.iter().all(|known| !known.says.is_empty()));
        for (code, says) in [
            (40029, "invalid code"),
            (40163, "code been used"),
            (48001, "api unauthorized"),
            (40125, "invalid appsecret"),
            (50002, "user limited"),
        ] {
            assert!(KNOWN.iter().any(|known| known.errcode == Errcode(code) && known.says == says), "{code}");
        }
        let page = PAGE_ERRORS.iter().find(|(number, ..)| *number == 10003).unwrap();
        assert_eq!(page.1, "redirect_uri域名与后台配置不一致");
    }

    #[test]
    fn the_tables_are_in_order_and_name_no_code_twice() {
        assert!(KNOWN.is_sorted_by(|one, other| one.errcode < other.errcode));
        assert!(PAGE_ERRORS.is_sorted_by(|one, other| one.0 < other.0));
    }
}
