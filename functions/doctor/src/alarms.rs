//! Who hears the alarms: the subscriptions of their topic.
//!
//! Of an e-mail subscription the address is shown, since whoever deploys has to know whose confirmation is missing. Of
//! every other one only the protocol is: the address of a web hook often holds a key.

use aws_config::SdkConfig;
use aws_sdk_sns::Client;
use aws_sdk_sns::types::Subscription;
use futures_util::future::join_all;

use crate::finding::{Finding, Found};

/// What stands for the ARN of a subscription that nobody has confirmed.
const UNCONFIRMED: &str = "PendingConfirmation";

/// Who is subscribed to the topics of the alarms.
pub(crate) async fn subscriptions(aws: &SdkConfig, topics: &[String]) -> Vec<Found> {
    if topics.is_empty() {
        return vec![Finding::AlarmsNone.of("AlarmEmail")];
    }
    let client = Client::new(aws);
    join_all(topics.iter().map(|topic| subscriptions_of(&client, topic)))
        .await
        .into_iter()
        .flatten()
        .collect()
}

async fn subscriptions_of(client: &Client, topic: &str) -> Vec<Found> {
    let answer = client.list_subscriptions_by_topic().topic_arn(topic).send().await;
    let subscriptions = match answer {
        Ok(answer) => answer.subscriptions.unwrap_or_default(),
        Err(error) => {
            return vec![Finding::AlarmsUnseen.of(topic).with(aws_error::code(&error))];
        }
    };
    let (waiting, heard): (Vec<_>, Vec<_>) =
        subscriptions.iter().partition(|subscription| subscription.subscription_arn() == Some(UNCONFIRMED));
    let mut found: Vec<_> =
        waiting.into_iter().map(|one| Finding::AlarmsUnconfirmed.of(topic).with(reader(one))).collect();
    if !heard.is_empty() {
        let readers: Vec<_> = heard.into_iter().map(reader).collect();
        found.push(Finding::AlarmsHeard.of(topic).with(readers.join(", ")));
    }
    if found.is_empty() {
        found.push(Finding::AlarmsUnheard.of(topic));
    }
    found
}

fn reader(subscription: &Subscription) -> String {
    match (subscription.protocol(), subscription.endpoint()) {
        (Some(protocol @ ("email" | "email-json")), Some(address)) => format!("{protocol} {address}"),
        (Some(protocol), _) => protocol.to_owned(),
        (None, _) => "?".to_owned(),
    }
}
