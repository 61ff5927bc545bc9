//! The glossary: what a thing is called in Chinese, and what it is never called.
//!
//! One thing has one name, the one that WeChat's and AWS's own consoles print. Of the names that are wrong, or those
//! of another thing, none may occur in a text that people read: `docs/zh-CN`, README.zh-CN, the pages, and what
//! `make run` says. The tables of outcomes, settings, error codes and alarms are in `docs/zh-CN` too.

/// A name that is never used, what it is called instead, and the phrases that it may stand in: another thing's name,
/// or a quotation.
type Never = (&'static str, &'static str, &'static [&'static str]);

/// In all texts.
const NEVER: &[Never] = &[
    (
        "公众号",
        "服务号",
        &[
            "政府、媒体类公众号",
            "即现在的“公众号”",
            // What WeChat's own pages say.
            "`此公众号被封禁`",
            "`此公众号并没有这些scope的权限`",
            "`公众号未授权第三方平台，请检查授权状态`",
            "`不支持微信开放平台的Appid，请使用公众号Appid`",
        ],
    ),
    ("帐号", "账号", &[]),
    ("您", "你", &[]),
    ("网页应用", "网站应用", &[]),
    ("web 应用", "网站应用", &[]),
    ("开发平台", "微信开放平台", &[]),
    ("微信后台", "微信公众平台, 微信开发者平台", &[]),
    ("回调域名", "网页授权域名", &[]),
    ("安全域名", "网页授权域名", &[]),
    ("地址白名单", "API IP 白名单", &[]),
    ("允许列表", "API IP 白名单", &[]),
    ("第三方应用", "第三方平台", &[]),
    ("门票", "component_verify_ticket（验证票据）", &[]),
    ("票据", "component_verify_ticket（验证票据）", &["（验证票据）", "接收票据的系统"]),
    ("应用编号", "AppID", &[]),
    ("APPID", "AppID", &[]),
    ("应用密钥", "AppSecret", &[]),
    (
        "密钥",
        "AppSecret, Secrets Manager 密钥, 加密密钥, 签名密钥",
        &["Secrets Manager 密钥", "加密密钥", "签名密钥", "浏览器密钥值"],
    ),
    ("钥匙", "加密密钥", &[]),
    ("密值", "浏览器密钥值", &[]),
    (
        "OpenID",
        "openid",
        &["OpenID Connect", "OpenID Provider", "OpenIDConnect, Same", "OpenIDConnectConfig"],
    ),
    (
        "令牌",
        "网页授权 access_token, API 令牌",
        &["刷新令牌", "会话令牌", "客户端请求令牌", "姓名和令牌", "API 令牌"],
    ),
    ("换新", "刷新", &[]),
    ("续期", "刷新", &[]),
    ("兑换", "用 code 换取 access_token", &[]),
    ("静默登录", "静默授权", &[]),
    ("同意页", "授权页", &[]),
    // The word of the law, for which 允许 is no other name.
    ("同意", "允许", &["单独同意"]),
    ("快照网页", "网页快照页", &[]),
    ("预览页", "网页快照页", &[]),
    ("完整服务按钮", "“使用完整服务”", &[]),
    ("登陆", "登录", &[]),
    ("登出", "退出登录", &[]),
    // Of an account at WeChat, which is deleted.
    ("注销", "退出登录", &["（已注销）"]),
    ("扫描登录", "扫码", &[]),
    ("档案", "资料", &[]),
    ("名字", "昵称, 名称", &[]),
    ("访客", "用户", &[]),
    ("访问者", "用户", &[]),
    ("占用", "认领", &["端口被占用", "已被占用（", "占用它的程序"]),
    ("守卫", "code 使用记录", &[]),
    ("密封", "加密", &[]),
    ("应答", "响应", &[]),
    ("答复", "响应", &[]),
    ("来源", "源（origin）", &[]),
    ("框架", "iframe", &[]),
    ("地址", "网址, IP", &[]),
    ("栈", "堆栈", &["堆栈"]),
    ("全套试验", "完整压测", &[]),
    ("金丝雀", "标记值", &[]),
    ("洪水", "大量请求", &[]),
    ("地板", "基线", &[]),
    ("恐慌", "程序崩溃（panic）", &[]),
    ("联系网站", "网站客服", &["联系网站客服"]),
    ("告诉网站", "发给网站客服", &[]),
    ("缺陷", "程序错误（bug）", &["本项目的缺陷，请反馈"]),
];

/// On the pages: what only developers and operators speak of.
const NEVER_TO_VISITORS: &[Never] = &[
    ("请求", "操作", &[]),
    ("会话", "登录", &[]),
    ("配置", "设置", &[]),
    ("Cookie", "nothing", &["禁用了 Cookie，"]),
    ("客户端", "微信", &[]),
    ("图片", "头像", &[]),
    ("用户", "你", &["微信用户", "用户标识"]),
    ("管理员", "网站客服", &[]),
];

/// What stands in a text and must not, each with what to say instead.
fn found(text: &str, never: &[Never]) -> Vec<String> {
    let stands = |(word, instead, phrases): &Never| {
        let left = phrases.iter().fold(text.to_owned(), |left, phrase| left.replace(phrase, ""));
        left.contains(word).then(|| format!("{word} (say {instead})"))
    };
    never.iter().filter_map(stands).collect()
}

/// The text of a page of the documentation without code and the targets of links, which are no prose.
fn prose(page: &str) -> String {
    let mut prose = String::new();
    let mut is_code = false;
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            let spans = line.split('`').enumerate();
            let text: String = spans.map(|(index, span)| if index % 2 == 0 { span } else { "`" }).collect();
            let mut parts = text.split("](");
            prose += parts.next().unwrap_or_default();
            for part in parts {
                prose += part.split_once(')').map_or("", |(_, after)| after);
            }
            prose.push('\n');
        }
    }
    prose
}

/// Where a line of Chinese is not set as Chinese: a blank between Han and Latin letters or digits, but in a date;
/// full-width marks behind Han.
fn badly_set(line: &str) -> Option<String> {
    let is_han = |letter: char| ('\u{4e00}'..='\u{9fff}').contains(&letter);
    let is_date = |letter: char| "年月日".contains(letter);
    let letters: Vec<char> = line.chars().collect();
    let wrong = letters.windows(2).find(|pair| {
        let &&[one, other] = pair else { return false };
        let is_close = |han: char, latin: char| {
            is_han(han) && latin.is_ascii_alphanumeric() && !(is_date(han) && latin.is_ascii_digit())
        };
        is_close(one, other) || is_close(other, one) || (is_han(one) && ",;:?!()".contains(other))
    });
    wrong.map(|pair| pair.iter().collect())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use harness::binaries::workspace;
    use web::language::Language;
    use web::reason::Reason;
    use web::words::{self, Labels, elsewhere, handoff};

    use super::*;

    /// Every file below a folder whose name ends so, with its text.
    fn files(folder: &Path, end: &str) -> Vec<(String, String)> {
        let mut files = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files.extend(self::files(&path, end));
            } else if path.to_string_lossy().ends_with(end) {
                files.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
            }
        }
        files
    }

    fn documentation() -> Vec<(String, String)> {
        let root = workspace();
        let readme = root.join("README.zh-CN.md");
        let mut files = files(&root.join("docs/zh-CN"), ".md");
        files.push((readme.display().to_string(), fs::read_to_string(readme).unwrap()));
        files
    }

    #[test]
    fn the_documentation_keeps_to_the_glossary() {
        let mut wrong = Vec::new();
        for (path, text) in documentation() {
            for (number, line) in text.lines().enumerate() {
                let found = found(line, NEVER);
                wrong.extend(
                    (!found.is_empty()).then(|| format!("{path}:{}: {}", number + 1, found.join(", "))),
                );
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn the_documentation_is_set_as_chinese() {
        let mut wrong = Vec::new();
        for (path, text) in documentation() {
            wrong.extend(prose(&text).lines().filter_map(badly_set).map(|pair| format!("{path}: {pair}")));
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// What a deployment says at the terminal, and what stands beside the simulator.
    #[test]
    fn the_scripts_and_the_simulator_keep_to_the_glossary() {
        let root = workspace();
        let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
        let simulator = read("tests/simulator/README.md");
        let (_, chinese) = simulator.split_once("## 中文").unwrap();
        for (path, text) in [
            ("tests/simulator/README.md", prose(chinese)),
            ("tests/simulator/src/words/knobs.rs", read("tests/simulator/src/words/knobs.rs")),
            ("deploy.sh", read("deploy.sh")),
            ("doctor.sh", read("doctor.sh")),
        ] {
            for line in text.lines() {
                assert_eq!(found(line, NEVER), Vec::<String>::new(), "{path}: {line}");
            }
        }
    }

    #[test]
    fn what_make_run_says_keeps_to_the_glossary() {
        for (path, text) in files(&workspace().join("tests/local/src"), ".rs") {
            assert_eq!(found(&text, NEVER), Vec::<String>::new(), "{path}");
        }
    }

    #[test]
    fn the_pages_keep_to_the_glossary_and_to_words_of_every_day() {
        let labels = Labels::all(Language::Chinese).iter().map(|(_, label)| *label);
        let reasons = Reason::ALL.iter().flat_map(|reason| {
            let elsewhere = |may_open_again| elsewhere::words(Language::Chinese, *reason, may_open_again);
            [reason.words(Language::Chinese), elsewhere(true), elsewhere(false)]
        });
        let unregistered =
            [words::unregistered(Language::Chinese), elsewhere::unregistered(Language::Chinese)];
        let reasons = reasons.chain(unregistered).flat_map(|words| [words.title, words.happened, words.next]);
        let texts = labels.chain(reasons).chain(handoff::pages(Language::Chinese).into_iter().flatten());
        for text in texts.map(str::to_owned).chain(handoff::devices(Language::Chinese)) {
            for never in [NEVER, NEVER_TO_VISITORS] {
                assert_eq!(found(&text, never), Vec::<String>::new(), "{text}");
            }
        }
    }

    #[test]
    fn a_wrong_name_is_found_where_it_stands_alone() {
        assert_eq!(found("请写入 Secrets Manager 密钥", NEVER), Vec::<String>::new());
        assert_eq!(
            found("请写入密钥", NEVER),
            ["密钥 (say AppSecret, Secrets Manager 密钥, 加密密钥, 签名密钥)"]
        );
        assert_eq!(found("堆栈里有一个栈", NEVER), ["栈 (say 堆栈)"]);
    }

    #[test]
    fn bad_setting_is_found_in_prose_and_not_in_code() {
        for line in ["用code换取", "返回503", "第6步", "你好,世界", "看这里(那里)"] {
            assert!(badly_set(line).is_some(), "{line}");
        }
        for line in ["用 code 换取", "2025年12月", "“使用完整服务”，再点", "返回 503，页面"]
        {
            assert_eq!(badly_set(line), None, "{line}");
        }
        assert_eq!(prose("见[页面](a.md#第1步)和`值x`。\n```sh\n用code\n```\n"), "见[页面和`。\n");
    }
}
