//! The bytes that the page on cost reckons with, measured: what the functions print, what API Gateway writes by the
//! template's format, and what goes to the browser.

use std::fs;

use harness::{binaries::workspace, browser::Answer, stack::PUBLIC_URL};

use super::*;

/// What CloudWatch Logs adds to each event
/// ([PutLogEvents](https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html)).
const EVENT: usize = 26;

/// What API Gateway answers beside what the function does: the status line, the date, the length, its own id.
const OF_THE_GATEWAY: &str = "HTTP/1.1 303 See Other\r\nDate: Thu, 26 Nov 2026 23:58:10 GMT\r\nContent-Length: 1024\r\n\
                              Connection: keep-alive\r\nApigw-Requestid: JKJaXmPLvHcESHA=\r\n\r\n";

/// A line of the access log as it is in Lambda's and API Gateway's lengths.
fn access_line(template: &Template, route: &str, status: u16) -> String {
    let (_, api) = template.resources("AWS::Serverless::HttpApi").next().unwrap();
    let format = api["AccessLogSettings"]["Format"].as_str().unwrap();
    let status = status.to_string();
    // The longer names first, which begin like shorter ones.
    [
        ("$context.integration.requestId", "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"),
        ("$context.requestId", "JKJaXmPLvHcESHA="),
        ("$context.requestTimeEpoch", "1764201490123"),
        ("$context.routeKey", route),
        ("$context.integration.integrationStatus", "200"),
        ("$context.integration.status", &status),
        ("$context.integration.latency", "123"),
        ("$context.status", &status),
        ("$context.responseLatency", "125"),
        ("$context.responseLength", "1024"),
        ("$context.error.responseType", "-"),
    ]
    .iter()
    .fold(format.to_owned(), |line, (name, value)| line.replace(name, value))
}

/// The bytes of an answer as HTTP/1.1 has them.
fn bytes(answer: &Answer) -> usize {
    let own = answer.headers.iter().filter(|(name, _)| !["date", "content-length"].contains(&name.as_str()));
    let headers: usize = own.map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len()).sum();
    OF_THE_GATEWAY.len() + headers + answer.body.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_on_cost_reckons_with_what_was_measured() {
    let stack = stack().await.unwrap();
    allow(&stack);
    let visitor = stack.visitor("lin");
    let hops = visitor.log_in_with_profile().await.unwrap();
    let of = |path: &str| {
        let url = format!("{PUBLIC_URL}{path}");
        hops.iter().find(|hop| hop.url.as_str().starts_with(&url)).unwrap()
    };
    let (authorize, callback) = (bytes(of("/authorize")), bytes(of("/callback")));
    let userinfo = bytes(&visitor.userinfo().await.unwrap());
    let lines = stack.stop().await;
    let template = template();
    let logged = |function: &str, route: &str, status: u16| {
        let line = lines
            .lines()
            .into_iter()
            .find(|line| line.function == function && line.text.contains("\"message\":\"request\""));
        let access = access_line(&template, route, status);
        assert!(!access.contains("$context"), "{access}");
        line.unwrap().text.trim_end().len() + access.len() + 2 * EVENT
    };
    let [from_authorize, from_callback, from_userinfo] = [
        logged("authorize", "GET /authorize", 302),
        logged("callback", "GET /callback", 303),
        logged("userinfo", "GET /userinfo", 200),
    ];
    let measured = [1, 20].map(|reads| {
        let logs = (from_authorize + from_callback + reads * from_userinfo) / (2 + reads);
        [logs, (authorize + callback + reads * userinfo) / (2 + reads)]
    });
    for (language, rows) in
        [("en", ["CloudWatch Logs: ", "data out: "]), ("zh-CN", ["CloudWatch Logs：", "流出的数据："])]
    {
        let page = workspace().join(format!("docs/{language}/reference/cost.md"));
        let table = Bill::read(&fs::read_to_string(page).unwrap());
        for (index, row) in rows.iter().enumerate() {
            let (said, price, dollars) = table.row(row);
            for (column, requests) in [3.0, 22.0].into_iter().enumerate() {
                let (said, found) =
                    (said[column], f64::from(u32::try_from(measured[column][index]).unwrap()));
                assert!((said - found).abs() <= found / 20.0, "{language}, {row}{said}: {found}");
                let gigabytes = said * requests / 1000.0;
                assert!((gigabytes * price - dollars[column]).abs() < 0.006, "{language}, {row}{gigabytes}");
            }
        }
        for (column, together) in table.together.into_iter().enumerate() {
            let sum: f64 = table.rows.iter().map(|row| row.2[column]).sum();
            assert!((sum - together).abs() < 0.006, "{language}: {sum}, not {together}");
        }
    }
}

/// A month of a metric that an alarm watches, and at most of one that a filter makes
/// ([CloudWatch's prices](https://aws.amazon.com/cloudwatch/pricing/)), in cents.
const WATCHED: usize = 10;
const MADE: usize = 30;

/// How many metrics the alarms of a deployment watch.
fn watched(template: &Template) -> usize {
    let alarms = template.resources("AWS::CloudWatch::Alarm").filter(|(id, _)| template.makes(id));
    let of = |alarm: &Value| {
        let Some(metrics) = alarm["Metrics"].as_array() else { return 1 };
        let there = metrics.iter().filter(|metric| {
            let only_if = metric["Fn::If"][0].as_str().unwrap_or_default();
            !metric["MetricStat"].is_null()
                || only_if == "HasOpenidConnect" && template.makes("OpenidFunction")
        });
        there.count()
    };
    alarms.map(|(_, alarm)| of(alarm)).sum()
}

/// What the alarms and the metrics cost whether or not anybody logs in is counted in the template.
#[test]
fn the_page_on_cost_counts_every_metric() {
    let without = template();
    let with = without.clone().with("OpenidConnect", "{}");
    let made = |template: &Template| {
        template.resources("AWS::Logs::MetricFilter").filter(|(id, _)| template.makes(id)).count()
    };
    let dollars = |cents: usize| format!("{}.{:02}", cents / 100, cents % 100);
    let alarms = dollars(watched(&without) * WATCHED);
    let more = dollars((watched(&with) - watched(&without)) * WATCHED);
    let [metrics, with_provider] = [&without, &with].map(|template| dollars(made(template) * MADE));
    for (language, texts) in [
        (
            "en",
            [
                format!("alarms {alarms} ("),
                format!("{more} more with"),
                format!("metrics at most {metrics}, with `OpenidConnect` {with_provider} ("),
            ],
        ),
        (
            "zh-CN",
            [
                format!("告警 {alarms}（"),
                format!("另加 {more}）"),
                format!("指标最多 {metrics}，设置 `OpenidConnect` 时 {with_provider}（"),
            ],
        ),
    ] {
        let page =
            fs::read_to_string(workspace().join(format!("docs/{language}/reference/cost.md"))).unwrap();
        for text in texts {
            assert!(page.contains(&text), "{language} does not say {text}");
        }
    }
}

/// Requests in a million of logins above which API Gateway is cheaper, and its price from there on.
const CHEAPER_ABOVE: (f64, f64) = (300.0, 0.90);
/// Per GB and month; and what DynamoDB adds to an item, in bytes.
const STORAGE: (f64, f64) = (0.25, 100.0);
/// How long an item is there after it is over, in days: DynamoDB says "within a few days".
const DELETED_AFTER: f64 = 2.0;

/// The second table is the first one, times a hundred, with storage and with the one price that changes.
#[test]
fn a_hundred_million_logins_are_reckoned_from_one() {
    for (language, headings) in [
        ("en", ["What is stored", "A hundred million logins a month"]),
        ("zh-CN", ["存储的数据", "每月一亿次登录的费用"]),
    ] {
        let page = workspace().join(format!("docs/{language}/reference/cost.md"));
        let page = fs::read_to_string(page).unwrap();
        let bill = Bill::read(&page);
        let rows = |heading: &str| -> Vec<Vec<f64>> {
            let (_, section) = page.split_once(&format!("\n## {heading}\n")).unwrap();
            let lines = section.split("\n## ").next().unwrap().lines().filter(|line| line.starts_with('|'));
            let cells = lines.skip(2).map(|line| line.split('|').skip(2).flat_map(numbers).collect());
            cells.collect()
        };
        let [items, many] = headings.map(rows);
        let silent = &items[0];
        let days = [DELETED_AFTER, 1.0 + DELETED_AFTER, 7.0 + DELETED_AFTER];
        let bytes: f64 = silent.iter().zip(days).map(|(bytes, days)| (bytes + STORAGE.1) * days).sum();
        let stored = 1e6 / 30.0 * bytes / 1e9 * STORAGE.0;
        let mut sums = [0.0; 4];
        for (at, row) in many.iter().enumerate() {
            let [one, twenty] = match bill.rows.get(at) {
                Some((_, _, dollars)) => *dollars,
                None => [stored, stored],
            };
            let mut found = [one, twenty, one * 100.0, twenty * 100.0];
            if at == 0 {
                for (found, requests) in found.iter_mut().skip(2).zip([300.0, 2200.0]) {
                    let (above, price) = CHEAPER_ABOVE;
                    *found = f64::min(requests, above) + f64::max(requests - above, 0.0) * price;
                }
            }
            if at == many.len() - 1 {
                found = sums;
            }
            for (column, (said, found)) in row.iter().zip(found).enumerate() {
                // Cents, then whole dollars of a sum that the first table has rounded to cents.
                let most = if column < 2 { 0.011 } else { 1.0 + found / 500.0 };
                assert!(
                    (said - found).abs() <= most,
                    "{language}, row {at}, column {column}: {said}, not {found}"
                );
            }
            sums.iter_mut().zip(found).for_each(|(sum, found)| *sum += found);
        }
        assert_eq!(many.len(), bill.rows.len() + 2, "{language}");
    }
}

/// The table of a million logins: what a row begins with and its numbers, its price, and its dollars in both columns.
struct Bill {
    rows: Vec<(String, f64, [f64; 2])>,
    together: [f64; 2],
}

impl Bill {
    fn read(page: &str) -> Self {
        let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
        // Of the tables of the page the one with two columns of dollars and a price.
        let lines: Vec<_> = page.lines().map(cells).filter(|cells| cells.len() == 6).collect();
        let dollars = |cells: &[String]| -> Option<[f64; 2]> {
            let [one, other] = [&cells[3], &cells[4]].map(|cell| cell.trim_matches('*'));
            // Dollars have cents.
            (one.contains('.') && other.contains('.')).then_some(())?;
            Some([one.parse().ok()?, other.parse().ok()?])
        };
        let priced: Vec<_> = lines.iter().filter_map(|cells| Some((cells, dollars(cells)?))).collect();
        let (last, rows) = priced.split_last().unwrap();
        assert!(last.0[1].starts_with("**") && rows.len() == 6, "{priced:?}");
        let rows = rows.iter().map(|(cells, dollars)| {
            (cells[1].clone(), numbers(&cells[2]).last().copied().unwrap_or_default(), *dollars)
        });
        Self { rows: rows.collect(), together: last.1 }
    }

    fn row(&self, start: &str) -> ([f64; 2], f64, [f64; 2]) {
        let (said, price, dollars) = self.rows.iter().find(|row| row.0.starts_with(start)).unwrap();
        let said = numbers(said);
        assert_eq!(said.len(), 2, "{start}");
        ([said[0], said[1]], *price, *dollars)
    }
}

/// The numbers in a text.
fn numbers(text: &str) -> Vec<f64> {
    let text = text.replace(',', "");
    text.split(|letter: char| !letter.is_ascii_digit() && letter != '.')
        .filter_map(|run| run.parse().ok())
        .collect()
}
