//! What the deployment logged: every line is JSON, and every metric filter that stands there has seen a line it counts.

use std::collections::BTreeMap;

use harness::{Failure, Result, pattern::Pattern, template::Template};
use serde_json::Value;

use crate::account::Account;

/// The lines of a stack's log groups, by the name of the group.
pub struct Logs(BTreeMap<String, Vec<Value>>);

impl Logs {
    /// Reads everything that a stack has logged.
    ///
    /// # Errors
    ///
    /// When a line is not JSON.
    pub async fn read(account: &Account<'_>, stack: &str) -> Result<Self> {
        let mut groups = BTreeMap::new();
        for group in account.resources(stack, Some("AWS::Logs::LogGroup")).await?.into_values() {
            let events = account.look(&["logs", "filter-log-events", "--log-group-name", &group]).await?;
            let mut lines = Vec::new();
            for event in events["events"].as_array().into_iter().flatten() {
                let message = event["message"].as_str().unwrap_or_default();
                if is_the_emulators(message) {
                    continue;
                }
                let line = serde_json::from_str(message)
                    .map_err(|_| Failure::new(format!("a line of {group} is not JSON: {message}")))?;
                lines.push(line);
            }
            groups.insert(group, lines);
        }
        Ok(Self(groups))
    }

    /// How many lines there are.
    pub fn count(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// Holds every metric filter of the stack against the lines of its group; the names of the metrics, with how many
    /// lines each counts.
    ///
    /// # Errors
    ///
    /// When one counts none, or one of the template's does not stand there.
    pub async fn feed_every_filter(
        &self,
        account: &Account<'_>,
        stack: &str,
    ) -> Result<BTreeMap<String, usize>> {
        let access = access_lines(account, stack).await?;
        let described = account.look(&["logs", "describe-metric-filters"]).await?;
        let (mut counts, mut starving) = (BTreeMap::new(), Vec::new());
        for filter in described["metricFilters"].as_array().into_iter().flatten() {
            let text = |name: &str| filter[name].as_str().unwrap_or_default();
            let (name, group) = (text("filterName").to_owned(), text("logGroupName"));
            let Some(lines) = self.0.get(group) else { continue };
            let pattern = Pattern::read(text("filterPattern"))?;
            let refused = access.iter().filter(|(of, _)| of == group).map(|(_, line)| line);
            let count = lines.iter().chain(refused).filter(|line| pattern.matches(line)).count();
            if count == 0 {
                starving.push(name.clone());
            }
            counts.insert(name, count);
        }
        let template = Template::of_the_project()?;
        let named = template.resources("AWS::Logs::MetricFilter");
        let named = named.filter_map(|(_, filter)| filter["FilterName"].as_str().map(str::to_owned));
        let absent: Vec<_> = named.filter(|name| !counts.contains_key(name)).collect();
        if counts.is_empty() || !absent.is_empty() {
            return Err(Failure::new(format!("the stack has no metric filter {}", absent.join(", "))));
        }
        if starving.is_empty() {
            return Ok(counts);
        }
        Err(Failure::new(format!("no line of the log feeds {}", starving.join(", "))))
    }
}

/// The emulator frames an invocation by three lines of text where Lambda, told to log JSON, writes JSON of its own.
fn is_the_emulators(line: &str) -> bool {
    ["START RequestId: ", "END RequestId: ", "REPORT RequestId: "].iter().any(|start| line.starts_with(start))
}

/// The line of the access log for a request that API Gateway refuses as one too many, by the group that it goes to: the
/// emulator writes no access log and refuses nobody, but the format of the line is the stack's own.
async fn access_lines(account: &Account<'_>, stack: &str) -> Result<Vec<(String, Value)>> {
    let mut lines = Vec::new();
    for api in account.resources(stack, Some("AWS::ApiGatewayV2::Api")).await?.into_values() {
        let stages = account.look(&["apigatewayv2", "get-stages", "--api-id", &api]).await?;
        for stage in stages["Items"].as_array().into_iter().flatten() {
            let settings = &stage["AccessLogSettings"];
            let text = |name: &str| settings[name].as_str().unwrap_or_default();
            let format = text("Format").replace("$context.status", "429");
            let line = serde_json::from_str(&format)
                .map_err(|_| Failure::new(format!("the access log is not JSON: {format}")))?;
            let group = text("DestinationArn").trim_end_matches(":*").rsplit(':').next().unwrap_or_default();
            lines.push((group.to_owned(), line));
        }
    }
    Ok(lines)
}
