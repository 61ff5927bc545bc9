//! The alarms: what they watch and at how much stands in the template, what they say stands here. Which outcomes a
//! metric counts, its filter says.

use harness::{Failure, Result, pattern::Pattern, template::Template};
use serde_json::Value;

use crate::{
    Language,
    tables::{head, row},
};

/// Stands in the words of an alarm for the outcomes of its metric.
const OUTCOMES: &str = "{outcomes}";

/// The words of an alarm.
struct Words {
    /// Its name in the template.
    alarm: &'static str,
    /// What it says, in English and in Chinese; [`OUTCOMES`] stands for those that its metric counts.
    says: [&'static str; 2],
    /// What to look at first, in English and in Chinese.
    look_at: [&'static str; 2],
}

const fn words(alarm: &'static str, says: [&'static str; 2], look_at: [&'static str; 2]) -> Words {
    Words { alarm, says, look_at }
}

#[rustfmt::skip]
const WORDS: &[Words] = &[
    words("InvariantViolationsAlarm",
        ["{outcomes}: what must never happen", "{outcomes}：绝不该发生的事"],
        ["the line, and `place` in the one before it", "那一行，以及它前一行的 `place`"]),
    words("ConfigurationErrorsAlarm",
        ["an `errcode` of *configuration* (40013, 40125, 40164, 48001 and [others](errcodes.md), unknown ones too), {outcomes}", "类别为*检查配置*的 `errcode`（40013、40125、40164、48001 [等等](errcodes.md)，未知的也算），{outcomes}"],
        ["`errcode` and `cause`; what was changed last, here or in WeChat's consoles", "`errcode` 与 `cause`；最近在这里或微信各平台改过什么"]),
    words("ServiceErrorsAlarm",
        ["{outcomes}", "{outcomes}"],
        ["`cause`; the AWS Health Dashboard", "`cause`；AWS Health Dashboard"]),
    words("LoginsFailAlarm",
        ["of 100 logins that came back with a code, so many did not finish; counted from 20 in a span. A callback that is opened again counts no more. A login by a phone that is logged in already has no code of its own", "每 100 次带 code 回来的登录中，没有完成的次数；一段时间内满 20 次才计算。再次打开同一个回调不计入。由已登录的手机完成的登录没有自己的 code，不计入"],
        ["refusals by reason, on the dashboard, of the outcomes that count as failed: nothing but `code_refused` with 40029 may be somebody who makes codes up, nothing but `login_not_a_page` somebody who opens a login of their own in a frame; what was changed last", "仪表板上的“拒绝原因”，只看计入“未完成”的结果：如果只有 `code_refused` 和 40029，可能是有人在编造 code；如果只有 `login_not_a_page`，可能是有人在 iframe 里打开自己的登录；最近改过什么"]),
    words("GrantsGoneAlarm",
        ["{outcomes} with an `errcode`: sessions whose grant WeChat calls gone; one by one nobody's mistake", "带 `errcode` 的 {outcomes}：微信称授权已失效的会话；零星出现属于正常"],
        ["`errcode`; whether the app secret or the account was changed", "`errcode`；AppSecret 或账号是否有变动"]),
    words("TokensReusedAlarm",
        ["{outcomes}: codes or refresh tokens that come to two; only with `OpenidConnect`", "{outcomes}：同一个 code 或 refresh_token 被两方使用；仅在设置了 `OpenidConnect` 时"],
        ["`client`: a library that redeems twice, or several people use one copy of a token; otherwise a stolen one. Of a public client, whoever logs in there can do it on purpose; each grant counts once", "`client`：该客户端的库是否重复换取，或多处共用同一份 refresh_token；否则可能已泄露。公开客户端（没有 `client_secret`）的任何用户都可以故意这样做；每次授权只计一次"]),
    words("WechatTroubleAlarm",
        ["{outcomes}", "{outcomes}"],
        ["the [slowest calls](logs.md#queries); does WeChat itself work?", "查询[“最慢的微信调用”](logs.md#查询)；微信本身是否正常"]),
    words("SlowRequestsAlarm",
        ["a request of 7 s or more; at 8.5 s a function gives up by itself, at 10 s Lambda ends it", "有请求用了 7 秒以上；到 8.5 秒函数自行放弃，到 10 秒由 Lambda 终止"],
        ["`wechat_ms` beside `duration_ms`: WeChat, or DynamoDB", "比较 `wechat_ms` 与 `duration_ms`：是微信，还是 DynamoDB"]),
    words("FloodAlarm",
        ["logins begun ({outcomes}): half of what the throttle of `/authorize` lets through", "开始的登录（{outcomes}）达到 `/authorize` 限流值的一半"],
        ["API Gateway's access log by route; if it goes on, [what can stand in front](../guide/deploy.md#what-is-not-served)", "API Gateway 访问日志，按路由；若持续不断，见[可以放在前面的服务](../guide/deploy.md#不支持的方式)"]),
    words("RequestsThrottledAlarm",
        ["API Gateway answered 429: more requests a second than `LoginsPerSecond` allows, or than the account's quota", "API Gateway 返回了 429：每秒的请求超过 `LoginsPerSecond`，或超过 AWS 账户的配额"],
        ["the access log by route; before a campaign, [what to raise](cost.md#capacity)", "API Gateway 访问日志，按路由；大型活动之前，见[要调高什么](cost.md#容量)"]),
    words("FunctionErrorsAlarm",
        ["Lambda: a function crashed, ran out of memory, or did not run at all", "Lambda：函数崩溃、内存不足，或根本没有运行"],
        ["Lambda's own lines in `/<stack>/functions`, and `panic`", "`/<堆栈名>/functions` 中 Lambda 自己的日志行，以及 `panic`"]),
    words("FunctionThrottlesAlarm",
        ["Lambda: more requests at a time than the quota, or a function's share, allows", "Lambda：同时的请求超过 AWS 账户的配额，或函数的份额"],
        ["the dashboard: which function; its share, or the account's quota", "仪表板：是哪个函数；它的份额，或 AWS 账户的配额"]),
    words("TableThrottlesAlarm",
        ["DynamoDB holds back reads or writes", "DynamoDB 限制了读或写"],
        ["whether a flood is on; DynamoDB's limits per table", "是否有大量请求；DynamoDB 每张表的上限"]),
    words("ApiErrorsAlarm",
        ["API Gateway answered 5xx; answers and pages with status 503 are among them, but `/error`, which answers 200, is not", "API Gateway 返回了 5xx；HTTP 状态码为 503 的响应和页面也在内，返回 200 的 `/error` 不在内"],
        ["`ServiceErrorsAlarm` and `WechatTroubleAlarm`; without them, the field `errorType` of `/aws/vendedlogs/<stack>/access`", "`ServiceErrorsAlarm` 与 `WechatTroubleAlarm`；两者都没有时，看 `/aws/vendedlogs/<堆栈名>/access` 的字段 `errorType`"]),
];

/// The table, one row for each alarm of the template.
pub(crate) fn table(language: Language, template: &Template) -> Result<String> {
    let alarms: Vec<(String, Value)> =
        template.resources("AWS::CloudWatch::Alarm").map(|(id, alarm)| (id, alarm.clone())).collect();
    if let Some((id, _)) = alarms.iter().find(|(id, _)| WORDS.iter().all(|words| words.alarm != id)) {
        return Err(Failure::new(format!("{id} of the template has no words here")));
    }
    let mut table = head(
        &language
            .of([["Alarm", "Goes off at", "Says", "Look first at"], ["告警", "阈值", "含义", "排查入口"]]),
    );
    for words in WORDS {
        let alarm = alarms.iter().find(|(id, _)| id == words.alarm);
        let (_, alarm) = alarm.ok_or_else(|| Failure::new(format!("the template has no {}", words.alarm)))?;
        let name = format!("`{}`", words.alarm);
        table += &row(&[
            &name,
            &threshold(language, template, alarm)?,
            &says(language, template, words, alarm)?,
            language.of(words.look_at),
        ]);
    }
    Ok(table)
}

/// What an alarm says. The outcomes that its metric counts stand in it, if it counts outcomes.
fn says(language: Language, template: &Template, words: &Words, alarm: &Value) -> Result<String> {
    let metric = alarm.get("MetricName").and_then(Value::as_str);
    let filter = metric.map(|metric| filter(template, metric)).transpose()?;
    let counted = filter.as_ref().map_or_else(Vec::new, |filter| filter.equals("outcome"));
    let text = language.of(words.says);
    if text.contains(OUTCOMES) == counted.is_empty() {
        return Err(Failure::new(format!("{} counts {counted:?}, but says: {text}", words.alarm)));
    }
    Ok(text.replace(OUTCOMES, &listed(language, &counted)))
}

/// The pattern of the filter that makes a metric.
fn filter(template: &Template, metric: &str) -> Result<Pattern> {
    let mut filters = template.resources("AWS::Logs::MetricFilter");
    let filter = filters.find(|(id, _)| *id == format!("{metric}Metric")).map(|(_, filter)| filter);
    let text = filter.and_then(|filter| filter.get("FilterPattern")?.as_str());
    Pattern::read(text.ok_or_else(|| Failure::new(format!("nothing counts {metric}")))?)
}

fn listed(language: Language, names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(language.of([", ", "、"]))
}

/// What the dashboard calls the metrics of a login.
#[rustfmt::skip]
const COUNTED: [(&str, [&str; 2]); 7] = [
    ("LoginsStarted", ["started", "开始"]),
    ("LoginsFinished", ["finished", "完成"]),
    ("LoginsByPhone", ["finished by a phone", "由手机完成"]),
    ("LoginsDuplicated", ["duplicated", "重复"]),
    ("LoginsDenied", ["denied", "拒绝"]),
    ("LoginsRefused", ["refused", "失败"]),
    ("LoginsFailed", ["failed: of the refused, those that had come back to their own browser with a code, the first time that it came", "未完成：“失败”之中，首次带着这个 code 回到原浏览器的登录"]),
];

/// As what the outcomes of a login are counted.
pub(crate) fn counted(language: Language, template: &Template) -> Result<String> {
    let mut table = head(&language.of([["Counted as", "Outcomes"], ["计入", "结果"]]));
    for (metric, name) in COUNTED {
        let filter = filter(template, metric)?;
        let names = filter.equals("outcome");
        let outcomes = if names.is_empty() && !filter.differs_from("outcome").is_empty() {
            language.of(["any other of a callback", "回调的其余结果"]).to_owned()
        } else {
            listed(language, &names)
        };
        table += &row(&[language.of(name), &outcomes]);
    }
    Ok(table)
}

/// How much it takes: the threshold, and how many spans of how many, if it is not one of one.
fn threshold(language: Language, template: &Template, alarm: &Value) -> Result<String> {
    let number = |name: &str| template.resolve(alarm.get(name)?)?.parse().ok();
    let threshold = number("Threshold").ok_or_else(|| Failure::new("an alarm without a threshold"))?;
    let threshold = grouped(threshold);
    let spans = number("EvaluationPeriods").unwrap_or(1);
    let of_them = number("DatapointsToAlarm").unwrap_or(spans);
    Ok(match (of_them, spans, language) {
        (1, 1, _) => threshold,
        (_, _, Language::English) => format!("{threshold}, in {of_them} of {spans} spans"),
        (_, _, Language::Chinese) => format!("{threshold}，{spans} 段中有 {of_them} 段"),
    })
}

/// A number with a comma at every thousand.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever sees a figure or an alarm finds on the page what was counted, whichever filter counts it.
    #[test]
    fn every_outcome_that_is_counted_stands_on_the_page() {
        let template = crate::template().unwrap();
        let mut count = 0;
        for language in Language::ALL {
            let page = table(language, &template).unwrap() + &counted(language, &template).unwrap();
            for (id, properties) in template.resources("AWS::Logs::MetricFilter") {
                let pattern = Pattern::read(properties["FilterPattern"].as_str().unwrap()).unwrap();
                for outcome in [pattern.equals("outcome"), pattern.differs_from("outcome")].concat() {
                    assert!(page.contains(&format!("`{outcome}`")), "{language:?}: {id} counts {outcome}");
                    count += 1;
                }
            }
        }
        assert!(count > 100, "{count}");
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in
            [(1, "1"), (999, "999"), (1000, "1,000"), (15_000, "15,000"), (1_234_567, "1,234,567")]
        {
            assert_eq!(grouped(number), text);
        }
    }
}
