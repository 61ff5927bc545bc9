//! The parameters of the template: their defaults and limits stand there. Of one that becomes a setting, the setting
//! says what it is; what is to be said of others, or to whoever deploys besides, stands here.

use harness::{Failure, Result, template::Template};
use serde_json::Value;

use crate::{
    Language, settings,
    tables::{head, row},
};

/// The words of a parameter, in English and in Chinese.
type Words = (&'static str, [&'static str; 2]);

/// Of parameters that are no setting of a function, or another value than it.
#[rustfmt::skip]
const OWN: &[Words] = &[
    ("DomainName",
        ["The host of the login, without `https://`; on the site of your pages", "登录用的域名，不带 `https://`，与你的网页同站"]),
    ("SessionLifetimeSeconds",
        ["How long a person stays logged in", "登录保持多久，单位为秒"]),
    ("AlarmTopicArn",
        ["An SNS topic of yours that is told of [alarms](alarms.md)", "接收[告警](alarms.md)的自有 SNS 主题"]),
    ("CertificateArn",
        ["The certificate of the domain, in AWS Certificate Manager of the same region", "域名的证书，在同一区域的 AWS Certificate Manager 里"]),
    ("HostedZoneId",
        ["A Route 53 zone; the stack then makes the DNS records itself", "Route 53 托管区域；填了就由堆栈建立 DNS 记录"]),
    ("FixedAddress",
        ["`true`: `callback` has one fixed address, the output `EgressAddress` unless `EgressAllocationId` is given", "`true`：`callback` 有一个固定的出口 IP，见输出 `EgressAddress`（填了 `EgressAllocationId` 则没有这个输出）"]),
    ("EgressAllocationId",
        ["The allocation id of an Elastic IP of yours for `FixedAddress`; otherwise the stack makes one", "`FixedAddress` 使用的自有弹性 IP 的分配 ID（allocation id）；不填则由堆栈建立一个"]),
    ("Architecture",
        ["The processor, as built", "处理器，与编译时一致"]),
    ("LogRetentionDays",
        ["How long logs are kept", "日志保留天数"]),
    ("AlarmEmail",
        ["An address that is told of [alarms](alarms.md); AWS asks it for its consent", "接收[告警](alarms.md)的电子邮箱（AWS 会先请收件人确认）"]),
    ("LoginsPerSecond",
        ["[Capacity](cost.md#capacity)", "[容量](cost.md#容量)"]),
    ("ReserveConcurrency",
        ["`true`: each function has a share of the account's quota of concurrent executions for itself, and no more than that. A new account's quota of 10 does not allow it, and 100 must remain for other functions: raise the quota first", "`true`：每个函数独占 AWS 账户并发配额中的一份，也不会超过这一份。新的 AWS 账户配额只有 10，不允许这样做；另外必须给其他函数留下 100。请先提高配额"]),
];

/// What a deployment adds to what the setting says.
#[rustfmt::skip]
const BESIDES: &[Words] = &[
    ("Accounts",
        [r#"For `deploy.sh` `'Accounts={"club":{"website":"wx3333333333333333"}}'`, for `make deploy` `ARGS="'Accounts={\"club\":{\"website\":\"wx3333333333333333\"}}'"`, for `sam` `'Accounts="{\"club\":{\"website\":\"wx3333333333333333\"}}"'`"#,
         r#"`deploy.sh` 写作 `'Accounts={"club":{"website":"wx3333333333333333"}}'`，`make deploy` 写作 `ARGS="'Accounts={\"club\":{\"website\":\"wx3333333333333333\"}}'"`，`sam` 写作 `'Accounts="{\"club\":{\"website\":\"wx3333333333333333\"}}"'`"#]),
    ("AppSecretsArn",
        ["Without it the stack creates one", "不填则由堆栈创建一个"]),
    ("SiteVerification",
        ["`make deploy` fills it from [the file](../guide/deploy.md#1-the-appids-the-app-secrets-wechats-file)", "由 `make deploy` 按[校验文件](../guide/deploy.md#1-appidappsecret-与校验文件)填写"]),
    ("AllowedOrigins",
        ["`https`, and on the site of `DomainName`. The functions know only the commonest of the suffixes below which sites are registered; `make deploy`, with or without `--check`, knows them all", "用 `https`，与 `DomainName` 同站。函数只认得最常见的几种公共后缀；`make deploy`（加不加 `--check` 都一样）认得全部"]),
    ("OpenidConnect",
        ["A backend can believe its tokens, such as [an API behind API Gateway](../guide/recipes/api-gateway.md). On the command line as `Accounts`", "签发的 API 令牌后端可以校验，例如用于 [API Gateway 后面的 API](../guide/recipes/api-gateway.md)。命令行写法同 `Accounts`"]),
    ("SigningKeys",
        ["ARNs of KMS keys, or of one secret with keys in PEM; otherwise the stack makes a KMS key", "KMS 签名密钥的 ARN，或 PEM 格式签名密钥所在的 Secrets Manager 密钥的 ARN；不填则由堆栈在 KMS 建立"]),
];

/// The table, one row for each parameter of the template.
pub(crate) fn table(language: Language, template: &Template) -> Result<String> {
    let declared: Vec<(&String, &Value)> = template.parameters().collect();
    let names = template.parameters_in_order();
    if let Some((name, _)) = declared.iter().find(|(name, _)| !names.contains(&name.as_str())) {
        return Err(Failure::new(format!("{name} is in no group of the template's parameters")));
    }
    let mut table = head(&language.of([
        ["Parameter", "Default", "Values", "Setting", "Description"],
        ["参数", "默认值", "取值", "环境变量", "说明"],
    ]));
    for name in names {
        let parameter = declared.iter().find(|(known, _)| *known == name).map(|(_, parameter)| *parameter);
        let parameter = parameter.ok_or_else(|| Failure::new(format!("there is no parameter {name}")))?;
        let (variable, description) = described(language, template, name)?;
        table += &row(&[
            &format!("`{name}`"),
            &default(language, parameter),
            &values(language, parameter),
            &variable.map_or_else(String::new, |variable| format!("`{variable}`")),
            &description,
        ]);
    }
    Ok(table)
}

/// The setting that a parameter becomes, and what is said of the parameter.
fn described(language: Language, template: &Template, name: &str) -> Result<(Option<&'static str>, String)> {
    let words = |table: &[Words]| {
        table.iter().find(|(known, _)| *known == name).map(|(_, words)| language.of(*words).to_owned())
    };
    let setting = settings().into_iter().map(|(setting, _)| setting);
    let setting =
        setting.into_iter().find(|setting| template.parameter_of(setting.name).as_deref() == Some(name));
    match (setting, words(OWN), words(BESIDES)) {
        (setting, Some(own), None) => Ok((setting.map(|setting| setting.name), own)),
        (Some(setting), None, None) => Ok((Some(setting.name), language.of(setting.meaning).to_owned())),
        (Some(setting), None, Some(besides)) => {
            let description = [language.of(setting.meaning), &besides].join(language.of([". ", "。"]));
            Ok((Some(setting.name), description))
        }
        (_, Some(_), Some(_)) | (None, None, _) => {
            Err(Failure::new(format!("{name} is no setting and has no words here, or has them twice")))
        }
    }
}

/// Nothing, where a value has to be given.
fn default(language: Language, parameter: &Value) -> String {
    match parameter.get("Default") {
        None => String::new(),
        Some(Value::String(text)) if text.is_empty() => language.of(["none", "无"]).to_owned(),
        Some(Value::String(text)) => format!("`{text}`"),
        Some(number) => format!("`{number}`"),
    }
}

/// What it may be, if the template limits it.
fn values(language: Language, parameter: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if let Some(allowed) = parameter.get("AllowedValues").and_then(Value::as_array) {
        let allowed: Vec<_> = allowed.iter().map(|value| format!("`{}`", text(value))).collect();
        return allowed.join(language.of([", ", "、"]));
    }
    match (parameter.get("MinValue"), parameter.get("MaxValue")) {
        (Some(least), Some(most)) => format!("{least}{}{most}", language.of([" to ", " 至 "])),
        _ => String::new(),
    }
}
