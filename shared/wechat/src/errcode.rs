//! WeChat's error codes, and the one decision of how to react to each.
//!
//! WeChat reports failure inside HTTP 200, as `errcode` and `errmsg`. The number decides; the message
//! is never parsed for logic, and only its request id (`rid`) is kept, for WeChat's support.
//!
//! [`KNOWN`] is the decision: it drives the client, the functions and the pages, and the tables of
//! both READMEs are held against it by a test.

use std::fmt;

/// WeChat's `errcode`; 0 is success and never becomes one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Errcode(pub i64);

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
    pub errcode: i64,
    /// How to react.
    pub reaction: Reaction,
    /// What it means and what mends it, in English.
    pub english: &'static str,
    /// What it means and what mends it, in Chinese.
    pub chinese: &'static str,
}

const fn known(errcode: i64, reaction: Reaction, english: &'static str, chinese: &'static str) -> Known {
    Known { errcode, reaction, english, chinese }
}

/// Every code that WeChat's login is known to answer, in the order of their numbers.
#[rustfmt::skip]
pub const KNOWN: &[Known] = {
    use Reaction::{Configuration, FreshLogin, LoginAgain, Refresh, Retry, User};
    &[
        known(-1, Retry, "WeChat is busy; passes by itself", "微信系统繁忙；会自行恢复"),
        known(40001, Refresh, "The token was superseded; it is renewed once", "令牌已被取代；会自动换新一次"),
        known(40002, Configuration, "Wrong grant_type; a defect of this stack", "grant_type 错误；属于本程序的缺陷"),
        known(40003, Configuration, "The openid is another app's; check which app the session is from", "openid 不属于这个应用；请检查会话来自哪个应用"),
        known(40013, Configuration, "Unknown appid; check the appid in the template's parameters", "appid 不存在；请检查模板参数里的 appid"),
        known(40014, Refresh, "The token is not valid; it is renewed once", "令牌无效；会自动换新一次"),
        known(40029, FreshLogin, "The code is unknown, expired or another app's; a fresh login follows", "code 不存在、已过期或属于别的应用；会自动重新登录"),
        known(40030, LoginAgain, "The refresh token is no longer valid; the person logs in again", "refresh_token 已失效；用户需要重新登录"),
        known(40125, Configuration, "Wrong app secret; put the current one into Secrets Manager", "AppSecret 错误；请把当前的 AppSecret 写入 Secrets Manager"),
        known(40163, FreshLogin, "The code was used before; a fresh login follows", "code 已被使用；会自动重新登录"),
        known(40164, Configuration, "The address is not in the IP allow-list; add the address that the log names", "出口 IP 不在白名单；请把日志里的地址加入 IP 白名单"),
        known(40226, User, "WeChat blocks this person as a high risk", "微信认为该用户风险高，已拦截"),
        known(40243, Configuration, "The app secret is frozen; unfreeze it in WeChat's console", "AppSecret 已被冻结；请在微信后台解冻"),
        known(41001, Configuration, "access_token missing; a defect of this stack", "缺少 access_token；属于本程序的缺陷"),
        known(41002, Configuration, "appid missing; check the appid in the template's parameters", "缺少 appid；请检查模板参数里的 appid"),
        known(41003, Configuration, "refresh_token missing; a defect of this stack", "缺少 refresh_token；属于本程序的缺陷"),
        known(41004, Configuration, "The app secret is missing; put it into Secrets Manager", "缺少 AppSecret；请写入 Secrets Manager"),
        known(41008, Configuration, "The code is missing; something between WeChat and this stack strips the query", "缺少 code；微信与本服务之间有代理去掉了查询参数"),
        known(41009, Configuration, "openid missing; a defect of this stack", "缺少 openid；属于本程序的缺陷"),
        known(41021, Configuration, "The third-party platform's token is missing; check the secret it is read from", "缺少第三方平台令牌；请检查保存它的密钥"),
        known(42001, Refresh, "The token has expired; it is renewed once", "令牌已过期；会自动换新一次"),
        known(42002, LoginAgain, "The refresh token has expired; the person logs in again", "refresh_token 已过期；用户需要重新登录"),
        known(42003, FreshLogin, "The code has expired; a fresh login follows", "code 已过期；会自动重新登录"),
        known(42007, LoginAgain, "The person changed the WeChat password; the person logs in again", "用户修改了微信密码；需要重新登录"),
        known(43002, Configuration, "WeChat wants POST; a defect of this stack", "需要 POST 请求；属于本程序的缺陷"),
        known(43003, Configuration, "WeChat wants HTTPS; check WECHAT_API_URL", "需要 HTTPS；请检查 WECHAT_API_URL"),
        known(45009, Configuration, "The daily quota is used up; wait, or clear it in WeChat's console", "每日配额已用完；请等待，或在微信后台清零"),
        known(45011, Retry, "The quota of this minute is used up; passes by itself", "本分钟配额已用完；会自行恢复"),
        known(45035, Configuration, "The address is not registered; add the address that the log names", "出口 IP 未登记；请加入日志里的地址"),
        known(46004, User, "WeChat knows no such person", "微信中没有这个用户"),
        known(48001, Configuration, "The account lacks this interface; it must be a verified service account", "帐号没有该接口权限；必须是已认证的服务号"),
        known(48004, Configuration, "The interface is banned for violations; see WeChat's console", "接口因违规被封禁；请查看微信后台"),
        known(50001, LoginAgain, "The person has not granted this; the person logs in again", "用户没有授权该接口；需要重新登录"),
        known(50002, User, "WeChat restricts this person's account", "该用户的微信帐号受限"),
        known(50004, Configuration, "The account may not use tokens; see WeChat's console", "帐号被禁止使用令牌接口；请查看微信后台"),
        known(50005, User, "The person does not follow the account; there is no unionid then", "用户没有关注公众号；因此没有 unionid"),
        known(50007, Configuration, "The account is frozen; see WeChat's console", "帐号已被冻结；请查看微信后台"),
        known(61003, Configuration, "The Official Account has not authorised the third-party platform", "公众号没有授权给第三方平台；请重新授权"),
        known(61004, Configuration, "The address is not in the IP allow-list; add the address that the log names", "出口 IP 不在白名单；请把日志里的地址加入 IP 白名单"),
        known(61005, Configuration, "The third-party platform's ticket has expired; see the system that keeps its token", "第三方平台票据已过期；请检查维护令牌的系统"),
        known(61006, Configuration, "The third-party platform's ticket is wrong; see the system that keeps its token", "第三方平台票据无效；请检查维护令牌的系统"),
        known(61007, Configuration, "The interface was not granted to the third-party platform; authorise it again", "该接口没有授权给第三方平台；请重新授权"),
        known(61009, FreshLogin, "The code is not valid; a fresh login follows", "code 无效；会自动重新登录"),
        known(61010, FreshLogin, "The code has expired; a fresh login follows", "code 已过期；会自动重新登录"),
        known(61011, Configuration, "Unknown third-party platform; check its appid", "第三方平台不存在；请检查它的 appid"),
        known(61014, Configuration, "A third-party platform's token is wanted; check the secret it is read from", "需要第三方平台令牌；请检查保存它的密钥"),
        known(61023, LoginAgain, "The refresh token is no longer valid; the person logs in again", "refresh_token 已失效；用户需要重新登录"),
        known(89503, Configuration, "WeChat wants an administrator to confirm this address; set an IP allow-list", "微信要求管理员确认这个 IP；请设置 IP 白名单"),
    ]
};

/// What WeChat's own pages say instead of calling back, which this stack never sees: number, what it
/// means and what mends it, in English and in Chinese.
#[rustfmt::skip]
pub const PAGE_ERRORS: &[(u16, &str, &str)] = &[
    (10003, "The callback's domain is not the registered one; set 网页授权域名", "回调域名与登记的不一致；请设置网页授权域名"),
    (10004, "The account is banned; see WeChat's console", "帐号已被封禁；请查看微信后台"),
    (10005, "The account lacks this scope; it must be a verified service account", "帐号没有该 scope 权限；必须是已认证的服务号"),
    (10006, "The tester must follow the test account first", "请先关注测试号"),
    (10009, "Too many logins in a short time; wait", "操作太频繁；请稍候"),
    (10010, "scope is missing; a defect of this stack", "缺少 scope；属于本程序的缺陷"),
    (10011, "redirect_uri is missing; a defect of this stack", "缺少 redirect_uri；属于本程序的缺陷"),
    (10012, "appid is missing; check the appid in the template's parameters", "缺少 appid；请检查模板参数里的 appid"),
    (10013, "state is missing; a defect of this stack", "缺少 state；属于本程序的缺陷"),
    (10015, "The Official Account has not authorised the third-party platform", "公众号没有授权给第三方平台；请重新授权"),
    (10016, "A website's appid was used for an Official Account; they were mixed up", "把网站应用的 appid 用作了公众号的；两者弄混了"),
];

impl Errcode {
    /// `invalid openid`: the openid is not the token's. Where a token alone is in question, a dead token.
    pub const INVALID_OPENID: Self = Self(40003);

    /// `invalid appsecret`: the app secret was rotated, or is wrong.
    pub const INVALID_APP_SECRET: Self = Self(40125);

    /// A third-party platform's token is wanted: the one at hand is none, or no longer.
    pub const COMPONENT_TOKEN_WANTED: Self = Self(61014);

    /// How to react. A code that is not [`KNOWN`] is a configuration error: whatever it means, neither
    /// the visitor nor a repetition mends it, and an operator should see it.
    #[must_use]
    pub fn reaction(self) -> Reaction {
        let known = KNOWN.iter().find(|known| known.errcode == self.0);
        known.map_or(Reaction::Configuration, |known| known.reaction)
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
            Self::Retry => ("retry", "重试"),
            Self::FreshLogin => ("fresh login", "重新登录一次"),
            Self::Refresh => ("refresh", "换新令牌"),
            Self::LoginAgain => ("log in again", "用户重新登录"),
            Self::Configuration => ("configuration", "检查配置"),
            Self::User => ("user", "告知用户"),
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
                    61004, 99999,
                ],
            ),
        ] {
            for code in codes {
                assert_eq!(Errcode(*code).reaction(), reaction, "{code}");
            }
        }
    }

    #[test]
    fn the_tables_are_in_order_and_name_no_code_twice() {
        assert!(KNOWN.is_sorted_by(|one, other| one.errcode < other.errcode));
        assert!(PAGE_ERRORS.is_sorted_by(|one, other| one.0 < other.0));
    }

    #[test]
    fn both_readmes_say_what_the_code_does() {
        for (readme, is_chinese) in [("README.md", false), ("README.zh-CN.md", true)] {
            let path = format!("{}/../../{readme}", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(&path).unwrap();
            let choose =
                |english: &'static str, chinese: &'static str| if is_chinese { chinese } else { english };
            let rows = KNOWN.iter().map(|known| {
                let (english, chinese) = known.reaction.names();
                let (reaction, meaning) = (choose(english, chinese), choose(known.english, known.chinese));
                format!("| {} | {reaction} | {meaning} |", known.errcode)
            });
            let pages = PAGE_ERRORS.iter().map(|(number, english, chinese)| {
                let page = choose("WeChat's page", "微信页面");
                format!("| {number} | {page} | {} |", choose(english, chinese))
            });
            let missing: Vec<_> = rows.chain(pages).filter(|row| !text.contains(row)).collect();
            assert!(missing.is_empty(), "{readme} lacks these rows:\n{}", missing.join("\n"));
        }
    }
}
