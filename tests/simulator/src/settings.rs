//! Who exists in this WeChat: apps, people, and the seed from which every identifier is drawn.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The world a simulator starts with.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Every openid, unionid, code, token and request id is derived from it.
    #[serde(default = "one")]
    pub seed: u64,
    /// The apps registered with WeChat.
    pub apps: Vec<App>,
    /// The people who can log in. The first one is who a browser belongs to until another is chosen.
    pub people: Vec<Person>,
    /// The third-party platforms (第三方平台) that act for Official Accounts.
    #[serde(default)]
    pub components: Vec<Component>,
}

fn one() -> u64 {
    1
}

/// An app registered on one of WeChat's two platforms.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// `wx` and 16 hexadecimal digits.
    pub appid: String,
    /// The `AppSecret`.
    pub secret: String,
    /// On which platform it is registered.
    pub kind: AppKind,
    /// The name a consent page shows.
    pub name: String,
    /// 网页授权域名 or 授权回调域: `host` or `host/path`, compared exactly. Plain `localhost` accepts every port;
    /// `localhost:9000` only that one. `https://host` accepts that scheme only, and others meet page 10039.
    pub callback_domains: Vec<String>,
    /// The scopes the app owns.
    pub scopes: Vec<String>,
    /// The Open Platform account it is bound to. Without one nobody has a unionid.
    pub open_account: Option<String>,
    /// A test account (测试号): only its followers may log in.
    #[serde(default)]
    pub test_account: bool,
}

/// A third-party platform, which logs people in on behalf of Official Accounts
/// ([代公众号发起网页授权](https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/Before_Develop/Official_Accounts/official_account_website_authorization.html)).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// The `component_appid`.
    pub appid: String,
    /// A `component_access_token` that is good for ever, for whoever does not fetch one.
    pub access_token: String,
    /// The `component_appsecret`. Without one, no token can be fetched.
    #[serde(default)]
    pub secret: String,
    /// The `component_verify_ticket`, which WeChat pushes to a platform and the simulator does not.
    #[serde(default)]
    pub verify_ticket: String,
    /// The appids of the Official Accounts that authorized it.
    pub authorizers: Vec<String>,
    /// Domains of its own to which callbacks may go, besides those of the account.
    #[serde(default)]
    pub callback_domains: Vec<String>,
}

/// On which of WeChat's platforms an app is registered.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AppKind {
    /// 服务号: login inside WeChat
    /// ([网页授权](https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html)), codes
    /// live 5 minutes.
    OfficialAccount,
    /// 网站应用: login by QR code on any browser
    /// ([微信登录](https://developers.weixin.qq.com/doc/oplatform/Website_App/WeChat_Login/Wechat_Login.html)), codes live
    /// 10 minutes.
    Website,
}

/// Someone with a WeChat account.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// A short key, used by the browser's cookie, the admin interface and the tests.
    pub id: String,
    /// What the consent page calls the person.
    pub name: String,
    /// The nickname WeChat reports.
    pub nickname: String,
    /// The path segment of the avatar's address, or none.
    pub avatar: Option<String>,
    /// The appids of the Official Accounts the person follows.
    #[serde(default)]
    pub follows: Vec<String>,
    /// Whether the account was deleted (注销).
    #[serde(default)]
    pub deleted: bool,
    /// 1 male, 2 female, 0 unknown; reported in the legacy era only.
    #[serde(default)]
    pub sex: u8,
    /// Reported in the legacy era only.
    #[serde(default = "simplified_chinese")]
    pub language: String,
    /// Where the person lives, as reported in the legacy era.
    #[serde(default)]
    pub region: Region,
}

fn simplified_chinese() -> String {
    "zh_CN".to_owned()
}

/// A place, in the languages of `lang`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// Country, province, city in English, which is also what no `lang` at all gives.
    pub en: [String; 3],
    /// The same in simplified Chinese.
    pub zh_cn: [String; 3],
    /// The same in traditional Chinese.
    pub zh_tw: [String; 3],
}

impl Region {
    /// In the language of a `lang`.
    pub(crate) fn in_language(&self, lang: Option<&str>) -> &[String; 3] {
        match lang {
            Some("zh_CN") => &self.zh_cn,
            Some("zh_TW") => &self.zh_tw,
            _ => &self.en,
        }
    }
}

impl Settings {
    /// Reads settings written as JSON, and looks whether they can be.
    pub fn from_json(json: &str) -> Result<Self, String> {
        let settings: Self = serde_json::from_str(json).map_err(|cause| cause.to_string())?;
        settings.check()?;
        Ok(settings)
    }

    /// Whether everything that is named has one name and is there.
    pub fn check(&self) -> Result<(), String> {
        if self.people.is_empty() {
            return Err("there has to be somebody in \"people\"".to_owned());
        }
        let mut ids = BTreeSet::new();
        let appids = self.apps.iter().map(|app| &app.appid);
        let components = self.components.iter().map(|component| &component.appid);
        let people = self.people.iter().map(|person| &person.id);
        if let Some(twice) = appids.chain(components).chain(people).find(|id| !ids.insert(*id)) {
            return Err(format!("{twice:?} stands for two"));
        }
        let accounts: BTreeSet<_> = self
            .apps
            .iter()
            .filter(|app| app.kind == AppKind::OfficialAccount)
            .map(|app| &app.appid)
            .collect();
        let follows = self.people.iter().flat_map(|person| &person.follows);
        let authorizers = self.components.iter().flat_map(|component| &component.authorizers);
        match follows.chain(authorizers).find(|appid| !accounts.contains(appid)) {
            Some(stranger) => Err(format!("no Official Account has the appid {stranger:?}")),
            None => Ok(()),
        }
    }

    /// One Official Account, one website app bound to the same Open Platform account, a third-party platform, and
    /// four people.
    #[must_use]
    pub fn example() -> Self {
        Self {
            seed: 1,
            apps: vec![
                App {
                    appid: "wx0000000000000aaa".to_owned(),
                    secret: "5ec2e7aaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
                    kind: AppKind::OfficialAccount,
                    name: "青禾书店".to_owned(),
                    callback_domains: vec!["auth.example.com".to_owned(), "localhost".to_owned()],
                    scopes: vec!["snsapi_base".to_owned(), "snsapi_userinfo".to_owned()],
                    open_account: Some("qinghe".to_owned()),
                    test_account: false,
                },
                App {
                    appid: "wx0000000000000bbb".to_owned(),
                    secret: "5ec2e7bbbbbbbbbbbbbbbbbbbbbbbbbb".to_owned(),
                    kind: AppKind::Website,
                    name: "青禾书店网站".to_owned(),
                    callback_domains: vec!["auth.example.com".to_owned(), "localhost".to_owned()],
                    scopes: vec!["snsapi_login".to_owned()],
                    open_account: Some("qinghe".to_owned()),
                    test_account: false,
                },
            ],
            people: vec![
                Person {
                    avatar: Some("Q0j4TwGTfTLinXiaoMan".to_owned()),
                    follows: vec!["wx0000000000000aaa".to_owned()],
                    sex: 2,
                    ..Person::new("lin", "林小满", "小满🌾")
                },
                Person {
                    avatar: Some("DYAIOgq83eoZhouYuan".to_owned()),
                    sex: 1,
                    ..Person::new("zhou", "周远（未关注）", "周远")
                },
                Person {
                    avatar: Some("PiajxSqBRaEMallory".to_owned()),
                    follows: vec!["wx0000000000000aaa".to_owned()],
                    ..Person::new("mallory", "马洛（昵称有恶意）", r#"<script>alert("马洛")</script>'"&\"#)
                },
                Person { deleted: true, ..Person::new("gone", "已注销的用户", "用户已经注销") },
            ],
            components: vec![Component {
                appid: "wx0000000000000ddd".to_owned(),
                access_token: "90_component0000000000000000000000000000".to_owned(),
                secret: "5ec2e7dddddddddddddddddddddddddd".to_owned(),
                verify_ticket: "ticket@@@0000000000000ddd".to_owned(),
                authorizers: vec!["wx0000000000000aaa".to_owned()],
                callback_domains: Vec::new(),
            }],
        }
    }
}

impl Person {
    /// Someone in Shenzhen without an avatar who follows nobody.
    #[must_use]
    pub fn new(id: &str, name: &str, nickname: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            nickname: nickname.to_owned(),
            avatar: None,
            follows: Vec::new(),
            deleted: false,
            sex: 0,
            language: simplified_chinese(),
            region: Region {
                en: ["CN", "Guangdong", "Shenzhen"].map(str::to_owned),
                zh_cn: ["中国", "广东", "深圳"].map(str::to_owned),
                zh_tw: ["中國", "廣東", "深圳"].map(str::to_owned),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Settings;

    #[test]
    fn what_is_printed_can_be_read() {
        let printed = serde_json::to_string_pretty(&Settings::example()).unwrap();
        let read = Settings::from_json(&printed).unwrap();
        assert_eq!(serde_json::to_string_pretty(&read).unwrap(), printed);
    }

    #[test]
    fn little_has_to_be_said() {
        let json = r#"{
            "apps": [{ "appid": "wx1", "secret": "s", "kind": "website", "name": "A",
                       "callback_domains": ["a.example"], "scopes": ["snsapi_login"] }],
            "people": [{ "id": "an", "name": "安", "nickname": "安安" }]
        }"#;
        let settings = Settings::from_json(json).unwrap();
        assert_eq!((settings.seed, settings.components.len()), (1, 0));
        assert_eq!(settings.people[0].language, "zh_CN");
    }

    #[test]
    fn says_what_contradicts_itself() {
        let example = Settings::example;
        let mut nobody = example();
        nobody.people.clear();
        assert_eq!(nobody.check().unwrap_err(), "there has to be somebody in \"people\"");
        let mut twice = example();
        twice.apps[1].appid = twice.apps[0].appid.clone();
        assert_eq!(twice.check().unwrap_err(), "\"wx0000000000000aaa\" stands for two");
        let mut stranger = example();
        stranger.people[1].follows.push("wx0000000000000bbb".to_owned());
        assert_eq!(stranger.check().unwrap_err(), "no Official Account has the appid \"wx0000000000000bbb\"");
        assert!(
            Settings::from_json(r#"{"apps":[],"people":[],"peeple":[]}"#).unwrap_err().contains("peeple")
        );
    }
}
