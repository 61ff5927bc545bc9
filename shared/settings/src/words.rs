//! What is wrong with a setting, in Chinese.
//!
//! The functions say it in English, for it stands in their log. Who deploys is told by `check-config` and by the
//! doctor, and in Chinese if they read that. A row is a sentence or a part of one; `{}` is whatever stands there, which
//! is looked up in turn. What no row fits is said in English. A test of `check-config` sees to it that every sentence
//! of theirs has its row.

/// In English and in Chinese. What begins with Latin letters or digits brings the blank that sets it apart from Han.
const ROWS: &[[&str; 2]] = &[
    ["{} is missing; it must be {}", "缺少 {}：应为{}"],
    ["{} is wrong; it must be {}", "{} 有误：应为{}"],
    ["{} and {} are missing; one of them is needed", "{} 和 {} 都没有填：至少要有一个"],
    ["{} and {} are both set; only one of them may be", "{} 和 {} 只能填一个"],
    [
        "{} is wrong; {} is of another site than {}, so browsers send no cookie from there",
        "{} 有误：{} 与 {} 不同站，浏览器不会从那里发送 Cookie",
    ],
    ["{} is wrong; an appid stands in two places", "{} 有误：同一个 AppID 出现了两次"],
    [
        "{} is wrong; a third-party platform acts for an Official Account, and there is none",
        "{} 有误：第三方平台是代服务号调用接口的，这里却没有服务号",
    ],
    ["{} is an address for {}, which is false.", "{} 只用于 {}，而后者是 false。"],
    [
        "{} is missing; without its component_access_token a third-party platform exchanges no code",
        "缺少 {}：没有其中的 component_access_token，第三方平台就无法用 code 换取 access_token",
    ],
    ["{} is missing: {}", "缺少 {}：{}"],
    ["{} is wrong: {}", "{} 有误：{}"],
    ["{} is wrong; {}", "{} 有误：{}"],
    ["{} is missing; an OpenID Provider signs what it says", "缺少 {}：OpenID Provider 必须有签名密钥"],
    // Where in a JSON object, and what.
    ["{}: {}", "{}：{}"],
    ["it cannot be read, at line {} column {}", "无法解析，第 {} 行第 {} 列"],
    [
        "unknown field {}, expected one of {} at line {} column {}",
        "没有 {} 这个名称，可用的有 {}（第 {} 行第 {} 列）",
    ],
    ["duplicate field {} at line {} column {}", "{} 出现了两次（第 {} 行第 {} 列）"],
    ["duplicate name at line {} column {}", "同一个名称出现了两次（第 {} 行第 {} 列）"],
    ["clients and apis", "clients 与 apis"],
    ["there is none, so nobody would get a token", "一个也没有，谁也得不到 access_token"],
    ["there is none, so no answer could go anywhere", "一个也没有，结果无处可发"],
    ["it stands there twice", "出现了两次"],
    ["a key stands there twice", "同一个密钥出现了两次"],
    [
        "it must be \"unionid\" (a person is the same inside WeChat and by QR code; the apps must be bound to one Open \
         Platform account) or \"openid\" (right for one app)",
        "应为 \"unionid\"（微信内与扫码登录是同一个用户；各应用须绑定到同一个微信开放平台账号）或 \"openid\"（只有一个应用时用）",
    ],
    [
        "it must be one of AllowedOrigins, or of an account's, exactly as it stands there",
        "应为 AllowedOrigins 或某个账号的源（origin）之一，写法完全相同",
    ],
    ["it must be an origin, such as {}", "应为源（origin），例如 {}"],
    [
        "a client with a secret has none, for no page's script can keep it",
        "有密码的客户端不能设置它：网页的脚本无法保守密码",
    ],
    [
        "it must be as a browser writes it, without a fragment and without a *: https, or for an app on a device a scheme \
         with a dot (com.example.app:/callback), http://127.0.0.1 or http://localhost",
        "写法应与浏览器地址栏一致，不带 # 部分，也不能用 * 通配：以 https:// 开头；设备上的应用可用带点的协议（com.example.app:/callback）、http://127.0.0.1 或 http://localhost",
    ],
    [
        "it must be sha256: and the 64 lowercase hexadecimal digits of a secret's SHA-256; `make client` makes both",
        "应为 sha256: 加客户端密码的 SHA-256（64 位小写十六进制）；`make client` 会生成两者",
    ],
    [
        "it is the SHA-256 of nothing; the secret was empty when it was made",
        "这是空内容的 SHA-256：生成时密码是空的",
    ],
    [
        "the login itself answers there; it must be an address of the client's own",
        "这是登录服务自己的网址：应填客户端自己的网址",
    ],
    ["its name must be 1 to 64 letters, digits, _, . or -", "名称应为 1 至 64 个字母、数字、_、. 或 -"],
    [
        "it must be a name of ACCOUNTS; without it, the first account",
        "应为 ACCOUNTS 中的名称；不写则为第一个账号",
    ],
    ["it must be \"ask\", or not there", "应为 \"ask\"，或不写"],
    [
        "its name must be an absolute URI without a fragment, such as {}",
        "名称应为完整的 URI，不带 # 部分，例如 {}",
    ],
    ["its name must be another one than this provider's", "名称不能与本服务的 PUBLIC_URL 相同"],
    [
        "it has neither clients nor origins, so nobody would get a token for it",
        "clients 与 origins 都没有，谁也得不到它的 access_token",
    ],
    ["it must be \"at+jwt\" or \"JWT\"", "应为 \"at+jwt\" 或 \"JWT\""],
    ["it must be a number of seconds from {} to {}", "应为 {} 到 {} 之间的秒数"],
    ["it must be the name of a client", "应为 clients 中的名称"],
    [
        "it must be a word of its own, without blanks and quotes",
        "应为一个词，不含空格和引号，也不能是 openid 或 profile",
    ],
    [
        "it must be wechat_openid, wechat_unionid or wechat_appid",
        "应为 wechat_openid、wechat_unionid 或 wechat_appid",
    ],
    ["A JSON object; or nothing.", "应为 JSON 对象，或不填。"],
    [
        "One to three ARNs of KMS keys separated by commas, the whole ARN of a secret, or nothing.",
        "应为 1 至 3 个 KMS 密钥的 ARN，用逗号分隔，或一个 Secrets Manager 密钥完整的 ARN；也可以不填。",
    ],
    ["A JSON object of accounts by name; or nothing.", "应为以名称为键的 JSON 对象，或不填。"],
    [
        "A URL that starts with https:// and a host in lower case, or nothing.",
        "应以 https:// 和小写域名开头，或不填。",
    ],
    [
        "A domain name in lower case, without https:// and without a path.",
        "域名用小写，不带 https:// 和路径。",
    ],
    [
        "A path that starts with a slash, or a URL that starts with https://.",
        "应为 / 开头的路径，或 https:// 开头的网址。",
    ],
    [
        "An allocation id is eipalloc- and hexadecimal digits; or nothing.",
        "应为 eipalloc- 加十六进制数字，或不填。",
    ],
    [
        "An appid is wx and 16 hexadecimal digits in lower case; or nothing.",
        "AppID 是 wx 加 16 位小写十六进制数字；也可以不填。",
    ],
    ["An e-mail address, or nothing.", "应为电子邮箱，或不填。"],
    [
        "MP_verify_xxx.txt=xxx, several separated by commas; or nothing.",
        "写作 MP_verify_xxx.txt=xxx，多个用逗号分隔；也可以不填。",
    ],
    [
        "Origins with https and without a path, separated by commas, without spaces.",
        "源（origin）以 https:// 开头，不带路径，多个用逗号分隔，不留空格。",
    ],
    ["The ARN of a certificate in AWS Certificate Manager.", "应为 AWS Certificate Manager 证书的 ARN。"],
    ["The ARN of an SNS topic, or nothing.", "应为 SNS 主题的 ARN，或不填。"],
    ["The id of a Route 53 hosted zone, or nothing.", "应为 Route 53 托管区域的 ID，或不填。"],
    [
        "The whole ARN of a secret, its six random characters included; or nothing.",
        "应为 Secrets Manager 密钥完整的 ARN，包括末尾 6 个随机字符；也可以不填。",
    ],
    // What a value must be.
    [
        "ARNs of KMS keys separated by commas, the ARN of a Secrets Manager secret, or RSA private keys in PEM; at most \
         three keys",
        " KMS 密钥的 ARN（逗号分隔）、Secrets Manager 密钥的 ARN，或 PEM 格式的 RSA 私钥，最多 3 个",
    ],
    [
        "a JSON object, see the OpenID Provider's page of the documentation",
        " JSON 对象，见文档中 OpenID Provider 一页",
    ],
    ["a JSON object of accounts by name, such as {}", "以名称为键的 JSON 对象，例如 {}"],
    ["a JSON object of secrets by appid", "以 AppID 为键的 JSON 对象，例如 {\"wx0123456789abcdef\":\"…\"}"],
    [
        "a name of at most 40 characters, as it is or percent-encoded",
        "最多 40 个字符的名称，原样或百分号编码",
    ],
    ["a number from {} to {}", " {} 到 {} 之间的数"],
    ["a number of seconds", "秒数"],
    ["a number of seconds from {} to {}", " {} 到 {} 之间的秒数"],
    ["a path, or a URL on one of {}, in canonical form", "路径，或属于 {} 之一的网址，写法要规范"],
    [
        "a sentence of at most 80 characters, as it is or percent-encoded",
        "最多 80 个字符的一句话，原样或百分号编码",
    ],
    ["an appid, such as {}", " AppID，例如 {}"],
    ["an https URL", "以 https:// 开头的网址"],
    [
        "an https origin (http only for a loopback address)",
        "以 https:// 开头的源（origin）；只有本机（回环 IP）可以用 http",
    ],
    [
        "an https origin without a path, such as {} (http only for localhost)",
        "以 https:// 开头、不带路径的源（origin），例如 {}；只有 localhost 可以用 http",
    ],
    ["another table than {}", "与 {} 不同的表"],
    ["at most {} characters", "最多 {} 个字符"],
    ["file=content pairs separated by commas, such as {}", "“文件名=内容”，多个用逗号分隔，例如 {}"],
    ["one of {}", "其中之一：{}"],
    [
        "origins separated by commas, each such as {}, without a trailing slash",
        "源（origin），多个用逗号分隔，末尾不带斜杠，例如 {}",
    ],
    ["the ARN of a Secrets Manager secret", "Secrets Manager 密钥的 ARN"],
    ["the ARN of an SNS topic", "SNS 主题的 ARN"],
    ["the name of a DynamoDB table", " DynamoDB 表的名称"],
    ["true or false", " true 或 false"],
];

/// The same in Chinese; in English still, if there is no Chinese for it.
#[must_use]
pub fn in_chinese(text: &str) -> String {
    // Of two that fit, the one with more words of its own.
    let fits =
        ROWS.iter().filter_map(|[english, chinese]| Some((english.len(), chinese, holes(english, text)?)));
    let Some((_, chinese, holes)) = fits.max_by_key(|(length, ..)| *length) else { return text.to_owned() };
    let holes = holes.into_iter().map(in_chinese).chain(std::iter::once(String::new()));
    chinese.split("{}").zip(holes).flat_map(|(part, hole)| [part.to_owned(), hole]).collect()
}

/// What stands in a text where a row has `{}`.
fn holes<'a>(row: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let mut parts = row.split("{}");
    let mut rest = text.strip_prefix(parts.next()?)?;
    let mut holes = Vec::new();
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        // The last part is what the text ends with; nothing behind the last `{}` takes all.
        let (hole, after) =
            if parts.peek().is_none() { (rest.strip_suffix(part)?, "") } else { rest.split_once(part)? };
        holes.push(hole);
        rest = after;
    }
    rest.is_empty().then_some(holes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_said_in_chinese_with_what_stands_in_it() {
        for (english, chinese) in [
            ("A is wrong; it must be true or false", "A 有误：应为 true 或 false"),
            (
                "A is missing; it must be a number of seconds from 60 to 99",
                "缺少 A：应为 60 到 99 之间的秒数",
            ),
            ("A and B are both set; only one of them may be", "A 和 B 只能填一个"),
            (
                "A is wrong; https://a.com is of another site than https://b.com, so browsers send no cookie from there",
                "A 有误：https://a.com 与 https://b.com 不同站，浏览器不会从那里发送 Cookie",
            ),
            ("A is wrong; it must be something new", "A 有误：应为something new"),
            ("something new", "something new"),
            ("", ""),
        ] {
            assert_eq!(in_chinese(english), chinese);
        }
    }

    #[test]
    fn every_row_has_as_many_places_in_either_language() {
        for [english, chinese] in ROWS {
            assert_eq!(english.matches("{}").count(), chinese.matches("{}").count(), "{english}");
            assert_eq!(ROWS.iter().filter(|[other, _]| other == english).count(), 1, "{english}");
        }
    }
}
