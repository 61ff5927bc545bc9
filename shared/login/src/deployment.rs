//! What a deployment is set to, as far as it says who logs in and where a login may end.
//!
//! The plain settings describe the first account, which is never missing and has no name; `ACCOUNTS` adds
//! named ones. Targets are judged against origins that are right themselves, so a wrong origin is named alone.

use serde::Deserialize;
use settings::named::Named;
use settings::{Settings, Wrong};

use crate::account::{Account, AccountName, Accounts};
use crate::origin::Origin;
use crate::return_to::Targets;
use wechat::AppId;

settings::declare! {
    PUBLIC_URL, "an https origin without a path, such as https://auth.example.com (http only for localhost)", "`https://auth.example.com`", ["", ""], ["The origin of the stack, and the only source of absolute URLs. `http` for `localhost` only; the cookies then lose `Secure` and `__Host-`", "本服务的源（origin），也是所有绝对网址的唯一依据。只有 `localhost` 可以用 `http`，此时 Cookie 不带 `Secure` 和 `__Host-`"];
    ALLOWED_ORIGINS, "origins separated by commas, each such as https://www.example.com, without a trailing slash", "`https://www.example.com,https://shop.example.com`", ["its own origin only", "仅自身"], ["Where a login may end, and whose scripts may ask `/userinfo` and `/logout`. Exact, without a trailing slash", "登录可以返回到哪里，哪些网页的脚本可以访问 `/userinfo` 和 `/logout`。逐字节比较，末尾不带斜杠"];
    DEFAULT_RETURN_TO, "a path, or a URL on one of ALLOWED_ORIGINS, in canonical form", "`https://www.example.com/me`", ["", ""], ["Where a login ends whose link has no `return_to`; the rules are those of `return_to`", "链接里没有 `return_to` 时返回到哪里，规则与 `return_to` 相同"];
    OFFICIAL_ACCOUNT_APP_ID, APP_ID, "`wx0123456789abcdef`", ["none: QR login only", "无：只能扫码登录"], ["The Official Account's appid. It or `WEBSITE_APP_ID` must be there", "服务号的 AppID。它和 `WEBSITE_APP_ID` 至少要有一个"];
    WEBSITE_APP_ID, APP_ID, "`wxfedcba9876543210`", ["none: a phone logs a desktop in", "无：由手机登录电脑"], ["The website app's appid, for QR login in other browsers on a desktop", "网站应用的 AppID，供电脑上的其他浏览器扫码登录"];
    COMPONENT_APP_ID, APP_ID, "`wx00112233445566ff`", ["none", "无"], ["The [third-party platform](accounts.md#third-party-platform) that acts for the Official Account", "代服务号调用接口的[第三方平台](accounts.md#第三方平台)"];
    ACCOUNTS, r#"a JSON object of accounts by name, such as {"shop":{"official_account":"wx…","website":"wx…"}}"#, "`{\"shop\":{\"website\":\"wx…\"}}`", ["none", "无"], ["Further accounts, JSON: [several accounts](accounts.md#several-accounts)", "其他账号，JSON：[多个账号](accounts.md#多个账号)"];
}

const APP_ID: &str = "an appid, such as wx0123456789abcdef";

/// Under which origin this stack is reached, and who logs people in there.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// `PUBLIC_URL`: the only source of absolute URLs.
    pub public_url: Origin,
    /// Every account, the first one first.
    pub accounts: Accounts,
}

impl Deployment {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// [`Wrong`] if a setting is missing or wrong; each is noted.
    pub fn read(settings: &mut Settings<'_>) -> Result<Self, Wrong> {
        let public_url = settings.required(&PUBLIC_URL, Origin::parse_public);
        let allowed = settings.optional(&ALLOWED_ORIGINS, origins);
        let official_account = settings.optional(&OFFICIAL_ACCOUNT_APP_ID, AppId::parse);
        let website = settings.optional(&WEBSITE_APP_ID, AppId::parse);
        let is_nobody = matches!((&official_account, &website), (Ok(None), Ok(None)));
        let apps = if is_nobody {
            Err(settings.wrong(
                "OFFICIAL_ACCOUNT_APP_ID and WEBSITE_APP_ID are missing; one of them is needed".to_owned(),
            ))
        } else {
            Ok(())
        };
        let component = settings.optional(&COMPONENT_APP_ID, AppId::parse);
        let allowed = of_one_site(settings, &public_url, "ALLOWED_ORIGINS", allowed);
        let targets = public_url.clone().and_then(|own| Ok(Targets::new(own, allowed?.unwrap_or_default())));
        let default_return_to = match &targets {
            Ok(targets) => settings.required(&DEFAULT_RETURN_TO, |text| targets.check(text).ok()),
            // Whether it is there can be said all the same.
            Err(Wrong) => settings.required(&DEFAULT_RETURN_TO, |_| Some(())).and(Err(Wrong)),
        };
        let first = || {
            Ok(Account {
                name: None,
                official_account: apps.and(official_account)?,
                website: website?,
                component: component?,
                targets: targets?,
                default_return_to: default_return_to?,
            })
        };
        let accounts = first().and_then(|first| accounts(settings, first, &public_url));
        Ok(Self { public_url: public_url?, accounts: accounts? })
    }
}

/// Whose scripts may ask anything at all: all that a function needs that logs nobody in.
#[derive(Debug, Clone)]
pub struct TrustedOrigins {
    /// `PUBLIC_URL`: the stack's own.
    pub public_url: Origin,
    others: Vec<Origin>,
}

impl TrustedOrigins {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// [`Wrong`] if a setting is missing or wrong; each is noted.
    pub fn read(settings: &mut Settings<'_>) -> Result<Self, Wrong> {
        let public_url = settings.required(&PUBLIC_URL, Origin::parse_public);
        let allowed = settings.optional(&ALLOWED_ORIGINS, origins);
        let allowed = of_one_site(settings, &public_url, "ALLOWED_ORIGINS", allowed);
        let named = settings.optional(&ACCOUNTS, |text| {
            let named = named_accounts(text)?.into_iter().map(|(_, account)| account);
            let origins: Result<Vec<_>, Wrong> = named.map(|account| account.origins()).collect();
            Some(origins.ok()?.into_iter().flatten().flatten().collect::<Vec<_>>())
        });
        let named = of_one_site(settings, &public_url, "ACCOUNTS", named);
        let others = [allowed?.unwrap_or_default(), named?.unwrap_or_default()].concat();
        Ok(Self { public_url: public_url?, others })
    }

    /// Where a form on one of their pages may lead.
    #[must_use]
    pub fn targets(&self) -> Targets {
        Targets::new(self.public_url.clone(), self.others.clone())
    }

    /// Whether `origin`, as an `Origin` header spells it, is one of them.
    #[must_use]
    pub fn trust(&self, origin: &str) -> bool {
        std::iter::once(&self.public_url).chain(&self.others).any(|trusted| trusted.as_str() == origin)
    }
}

fn origins(text: &str) -> Option<Vec<Origin>> {
    text.split(',').map(str::trim).map(Origin::parse).collect()
}

/// Origins whose pages can have the stack's cookies: a login would come back to any other, and `/userinfo` would say
/// for ever that nobody is logged in.
fn of_one_site(
    settings: &mut Settings<'_>,
    public_url: &Result<Origin, Wrong>,
    setting: &str,
    origins: Result<Option<Vec<Origin>>, Wrong>,
) -> Result<Option<Vec<Origin>>, Wrong> {
    let (Ok(public_url), Ok(Some(found))) = (public_url, &origins) else { return origins };
    match found.iter().find(|origin| !origin.is_same_site(public_url)) {
        None => origins,
        Some(foreign) => Err(settings.wrong(format!(
            "{setting} is wrong; {} is of another site than {}, so browsers send no cookie from there",
            foreign.as_str(),
            public_url.as_str()
        ))),
    }
}

/// The first account and the named ones.
fn accounts(
    settings: &mut Settings<'_>,
    first: Account,
    public_url: &Result<Origin, Wrong>,
) -> Result<Accounts, Wrong> {
    let mut origins = Vec::new();
    let parse = |text: &str| {
        let named = named_accounts(text)?.into_iter();
        let read = |(name, account): (String, NamedAccount)| {
            origins.extend(account.origins().ok()?.unwrap_or_default());
            account.read(AccountName::parse(&name)?, &first)
        };
        named.map(read).collect::<Option<Vec<_>>>()
    };
    let named = settings.optional(&ACCOUNTS, parse)?.unwrap_or_default();
    of_one_site(settings, public_url, "ACCOUNTS", Ok(Some(origins)))?;
    let accounts = Accounts { first, named };
    if accounts.iter().any(|account| account.component.is_some() && account.official_account.is_none()) {
        let problem = "COMPONENT_APP_ID is wrong; a third-party platform acts for an Official Account, and there is none";
        return Err(settings.wrong(problem.to_owned()));
    }
    let ids = accounts.iter().flat_map(|account| [&account.official_account, &account.website]).flatten();
    let mut apps: Vec<&str> = ids.map(AppId::as_str).collect();
    let count = apps.len();
    apps.sort_unstable();
    apps.dedup();
    // A platform may act for several accounts, but it is none of their apps.
    let is_app = |component: &AppId| apps.contains(&component.as_str());
    let in_two_places = if accounts.first.component.as_ref().is_some_and(is_app) {
        Some("COMPONENT_APP_ID")
    } else if apps.len() < count
        || accounts.named.iter().filter_map(|named| named.component.as_ref()).any(is_app)
    {
        Some("ACCOUNTS")
    } else {
        None
    };
    match in_two_places {
        Some(setting) => Err(settings.wrong(format!("{setting} is wrong; an appid stands in two places"))),
        None => Ok(accounts),
    }
}

/// By their names: of a page that belongs to several accounts, the first one is meant.
fn named_accounts(text: &str) -> Option<Vec<(String, NamedAccount)>> {
    let Named(mut named) = serde_json::from_str(text).ok()?;
    named.sort_by(|(one, _), (other, _)| one.cmp(other));
    Some(named)
}

/// An account as `ACCOUNTS` writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedAccount {
    official_account: Option<String>,
    website: Option<String>,
    component: Option<String>,
    allowed_origins: Option<Vec<String>>,
    default_return_to: Option<String>,
}

impl NamedAccount {
    /// Its own origins, if it names any.
    fn origins(&self) -> Result<Option<Vec<Origin>>, Wrong> {
        let parse = |text: &String| Origin::parse(text).ok_or(Wrong);
        self.allowed_origins.as_ref().map(|origins| origins.iter().map(parse).collect()).transpose()
    }

    fn read(self, name: AccountName, first: &Account) -> Option<Account> {
        let app = |text: &Option<String>| match text {
            Some(text) => AppId::parse(text).map(Some),
            None => Some(None),
        };
        let (official_account, website) = (app(&self.official_account)?, app(&self.website)?);
        let targets = match self.origins().ok()? {
            Some(origins) => first.targets.with_origins(origins),
            None => first.targets.clone(),
        };
        let default_return_to = match &self.default_return_to {
            Some(text) => targets.check(text).ok()?,
            // The first account's, unless it is not this one's to return to.
            None => targets.check(first.default_return_to.as_str()).or_else(|_| targets.check("/")).ok()?,
        };
        let component = app(&self.component)?;
        (official_account.is_some() || website.is_some()).then_some(Account {
            name: Some(name),
            official_account,
            website,
            component,
            targets,
            default_return_to,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const RIGHT: [(&str, &str); 4] = [
        ("PUBLIC_URL", "https://auth.example.com"),
        ("ALLOWED_ORIGINS", "https://www.example.com, https://shop.example.com:8443"),
        ("DEFAULT_RETURN_TO", "https://www.example.com/me"),
        ("OFFICIAL_ACCOUNT_APP_ID", "wx0000000000000aaa"),
    ];

    fn read_with<T>(
        changes: &[(&str, &str)],
        read: impl FnOnce(&mut Settings<'_>) -> Result<T, Wrong>,
    ) -> Result<T, String> {
        let variables: HashMap<&str, &str> = RIGHT.iter().chain(changes).copied().collect();
        let variable = |name: &str| variables.get(name).map(|value| (*value).to_owned());
        let mut settings = Settings::new(&variable);
        let read = read(&mut settings);
        settings.checked(read).map_err(|error| error.to_string())
    }

    fn read(changes: &[(&str, &str)]) -> Result<Deployment, String> {
        read_with(changes, Deployment::read)
    }

    #[test]
    fn fail_naming_every_wrong_variable() {
        let error = read(&[
            ("PUBLIC_URL", "http://auth.example.com"),
            ("ALLOWED_ORIGINS", "https://www.example.com/"),
            ("DEFAULT_RETURN_TO", ""),
            ("OFFICIAL_ACCOUNT_APP_ID", "WX1"),
        ])
        .unwrap_err();
        for problem in [
            "PUBLIC_URL is wrong",
            "ALLOWED_ORIGINS is wrong",
            "DEFAULT_RETURN_TO is missing",
            "OFFICIAL_ACCOUNT_APP_ID is wrong",
        ] {
            assert!(error.contains(problem), "{problem} in {error}");
        }
    }

    #[test]
    fn fail_on_public_urls_that_are_not_an_https_origin() {
        for url in [
            "https://auth.example.com/",
            // The cookies belong to a whole host, so a login on a part of one cannot be.
            "https://www.example.com/login",
            "https://www.example.com/login/",
            "https://auth.example.com:443",
            "https://Auth.example.com",
            "https://u@auth.example.com",
            "auth.example.com",
            "http://127.0.0.1:9000",
        ] {
            assert!(read(&[("PUBLIC_URL", url)]).is_err(), "{url}");
        }
        let local =
            [("PUBLIC_URL", "http://localhost:9000"), ("ALLOWED_ORIGINS", ""), ("DEFAULT_RETURN_TO", "/")];
        assert!(read(&local).is_ok());
    }

    #[test]
    fn one_app_is_enough_whichever_it_is() {
        let (account, website) = ("OFFICIAL_ACCOUNT_APP_ID", "WEBSITE_APP_ID");
        assert!(read(&[]).is_ok());
        assert!(read(&[(account, ""), (website, "wx0000000000000bbb")]).is_ok());
        let error = read(&[(account, "")]).unwrap_err();
        assert!(error.contains(account) && error.contains(website), "{error}");
        // A platform acts for an Official Account alone.
        let alone =
            [(account, ""), (website, "wx0000000000000bbb"), ("COMPONENT_APP_ID", "wx0000000000000ccc")];
        assert!(read(&alone).unwrap_err().contains("COMPONENT_APP_ID is wrong"));
    }

    #[test]
    fn a_platform_is_none_of_the_apps_and_may_act_for_several_accounts() {
        let (app, platform) = ("wx0000000000000aaa", "wx0000000000000ccc");
        let shop = |component: &str| {
            format!(r#"{{"shop":{{"official_account":"wx0000000000000ddd","component":"{component}"}}}}"#)
        };
        let first = ("COMPONENT_APP_ID", platform);
        assert!(read(&[first, ("ACCOUNTS", &shop(platform))]).is_ok());
        for (changes, setting) in [
            (&[("COMPONENT_APP_ID", app)][..], "COMPONENT_APP_ID"),
            (
                &[("COMPONENT_APP_ID", "wx0000000000000ddd"), ("ACCOUNTS", &shop(platform))],
                "COMPONENT_APP_ID",
            ),
            (&[first, ("ACCOUNTS", &shop(app))], "ACCOUNTS"),
            (&[("ACCOUNTS", &shop("wx0000000000000ddd"))], "ACCOUNTS"),
        ] {
            let error = read(changes).unwrap_err();
            let problem = format!("{setting} is wrong; an appid stands in two places");
            assert!(error.contains(&problem), "{changes:?}: {error}");
        }
    }

    #[test]
    fn fail_on_pages_that_can_never_have_the_cookie() {
        for (setting, origin, value) in [
            ("ALLOWED_ORIGINS", "https://www.other.org", "https://www.example.com,https://www.other.org"),
            ("ALLOWED_ORIGINS", "http://www.example.com", "https://www.example.com,http://www.example.com"),
            (
                "ACCOUNTS",
                "https://shop.other.org",
                r#"{"shop":{"website":"wx0000000000000eee","allowed_origins":["https://shop.other.org"]}}"#,
            ),
        ] {
            let error = read(&[(setting, value)]).unwrap_err();
            assert!(error.contains(&format!("{setting} is wrong; {origin} is of another site")), "{error}");
        }
    }

    #[test]
    fn fail_on_a_default_target_that_is_not_allowed() {
        let error = read(&[("DEFAULT_RETURN_TO", "https://evil.com/")]).unwrap_err();
        assert!(error.contains("DEFAULT_RETURN_TO is wrong"), "{error}");
    }

    #[test]
    fn a_named_account_has_apps_and_origins_of_its_own() {
        let shop = r#"{"shop":{"official_account":"wx0000000000000ddd","website":"wx0000000000000eee",
            "allowed_origins":["https://shop.example.com:8443"]},"club":{"website":"wx0000000000000fff"}}"#;
        let accounts =
            read(&[("ACCOUNTS", shop), ("WEBSITE_APP_ID", "wx0000000000000bbb")]).unwrap().accounts;
        let names: Vec<_> =
            accounts.iter().map(|account| account.name.as_ref().map(AccountName::as_str)).collect();
        assert_eq!(names, [None, Some("club"), Some("shop")]);
        let account = |app| accounts.of(&AppId::parse(app).unwrap()).unwrap();
        assert_eq!(account("wx0000000000000eee").default_return_to.as_str(), "https://auth.example.com/");
        assert_eq!(account("wx0000000000000fff").default_return_to.as_str(), "https://www.example.com/me");
        assert!(account("wx0000000000000eee").targets.check("https://www.example.com/").is_err());
        assert!(accounts.trust("https://shop.example.com:8443"));
    }

    #[test]
    fn fail_on_accounts_that_are_not_right() {
        for accounts in [
            "[]",
            r#"{"shop":{}}"#,
            r#"{"shop":{"website":"wx0000000000000eee"},"shop":{"website":"wx0000000000000fff"}}"#,
            r#"{"shop":{"website":"wx0000000000000eee","allowed_origins":["https://*.example.com"]}}"#,
            r#"{"Shop":{"website":"wx0000000000000eee"}}"#,
            r#"{"website":{"website":"wx0000000000000eee"}}"#,
            r#"{"shop":{"website":"eee"}}"#,
            r#"{"shop":{"website":"wx0000000000000eee","secret":"x"}}"#,
            r#"{"shop":{"website":"wx0000000000000aaa"}}"#,
            r#"{"shop":{"website":"wx0000000000000eee","allowed_origins":["https://shop.example.com/"]}}"#,
            r#"{"shop":{"website":"wx0000000000000eee","default_return_to":"https://evil.com/"}}"#,
        ] {
            assert!(read(&[("ACCOUNTS", accounts)]).is_err(), "{accounts}");
        }
    }

    #[test]
    fn who_logs_nobody_in_reads_origins_and_nothing_else() {
        let shop =
            r#"{"shop":{"website":"wx0000000000000eee","allowed_origins":["https://club.example.com"]}}"#;
        let changes = [("ACCOUNTS", shop), ("OFFICIAL_ACCOUNT_APP_ID", ""), ("DEFAULT_RETURN_TO", "")];
        let trusted = read_with(&changes, TrustedOrigins::read).unwrap();
        let whole = read(&[("ACCOUNTS", shop)]).unwrap();
        for origin in [
            "https://auth.example.com",
            "https://www.example.com",
            "https://shop.example.com:8443",
            "https://club.example.com",
        ] {
            assert!(trusted.trust(origin) && whole.accounts.trust(origin), "{origin}");
        }
        for origin in ["https://evil.com", "null", "", "https://www.example.com/"] {
            assert!(!trusted.trust(origin) && !whole.accounts.trust(origin), "{origin}");
        }
        for accounts in ["[]", r#"{"shop":{"allowed_origins":["https://shop.example.com/"]}}"#] {
            let error = read_with(&[("ACCOUNTS", accounts)], TrustedOrigins::read).unwrap_err();
            assert!(error.contains("ACCOUNTS is wrong"), "{error}");
        }
        // A page that no cookie comes from could not log anybody out.
        let foreign = r#"{"shop":{"allowed_origins":["https://shop.example.net"]}}"#;
        for (setting, value) in [("ALLOWED_ORIGINS", "https://www.example.net"), ("ACCOUNTS", foreign)] {
            let error = read_with(&[(setting, value)], TrustedOrigins::read).unwrap_err();
            assert!(error.contains(setting) && error.contains("is of another site"), "{error}");
        }
    }
}
