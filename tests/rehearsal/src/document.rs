//! What AWS would say of the transformed template and the emulator does not.
//!
//! The document is what CloudFormation works on: the SAM transform's, not the template's. Each [`Check`] judges it, and
//! knows how to put back the mistake that it is there to find: a check that does not find it then finds nothing.

use std::collections::{BTreeMap, BTreeSet};

use harness::{Failure, Result};
use serde_json::{Value, json};

/// How many metric filters may be ready at once. CloudWatch Logs takes [five PutMetricFilter a
/// second](https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html), and CloudFormation
/// does not ask again.
const MOST_FILTERS_AT_ONCE: usize = 4;

/// What must hold of the document.
pub struct Check {
    /// In the affirmative.
    pub name: &'static str,
    /// Everything that speaks against it.
    judge: fn(&Value) -> Vec<String>,
    /// Makes the document wrong in this respect.
    put_back: fn(&mut Value),
}

/// Every check.
pub const CHECKS: [Check; 8] = [
    Check {
        name: "no API fails on the warnings that SAM's own document causes",
        judge: fails_on_warnings,
        put_back: |document| {
            for_each(document, "AWS::ApiGatewayV2::Api", |api| {
                api["Properties"]["FailOnWarnings"] = true.into();
            });
        },
    },
    Check {
        name: "never more than four metric filters are ready at once",
        judge: filters_at_once,
        put_back: |document| {
            for_each(document, "AWS::Logs::MetricFilter", |filter| filter["DependsOn"] = Value::Null);
        },
    },
    Check {
        name: "a rollback of the creation leaves nothing behind",
        judge: left_by_a_rollback,
        put_back: |document| {
            for_each(document, "AWS::DynamoDB::Table", |table| {
                table["Properties"]["DeletionProtectionEnabled"] = true.into();
            });
        },
    },
    Check {
        name: "a function moves into the network when the way out is there",
        judge: in_a_network_without_a_way_out,
        put_back: |document| {
            for_each(document, "AWS::Lambda::Function", |function| {
                if let Some(network) = function["Properties"].get_mut("VpcConfig") {
                    *network = json!({ "SubnetIds": [{ "Ref": "PrivateSubnet" }] });
                }
            });
        },
    },
    Check {
        name: "what lets Lambda leave a network goes after the network",
        judge: cannot_leave_the_network,
        put_back: |document| {
            let policies = resources(document, "AWS::IAM::Policy").map(|(_, policy)| &policy["Properties"]);
            let policies: Vec<_> = policies.cloned().collect();
            for_each(document, "AWS::IAM::Policy", |policy| policy["Type"] = "Gone".into());
            for_each(document, "AWS::IAM::Role", |role| {
                if let Some(own) = role["Properties"]["Policies"].as_array_mut() {
                    own.extend(policies.clone());
                }
            });
        },
    },
    Check {
        name: "a stage has settings only of routes that no parameter takes away",
        judge: settings_of_what_goes,
        put_back: |document| {
            for_each(document, "AWS::ApiGatewayV2::Stage", |stage| {
                stage["Properties"]["RouteSettings"]["POST /access-token"] =
                    json!({ "ThrottlingRateLimit": 1 });
            });
        },
    },
    Check {
        name: "every letter is one that CloudFormation gives back",
        judge: beyond_ascii,
        put_back: |document| document["Outputs"]["WeChatDomain"]["Description"] = "网页授权域名".into(),
    },
    Check {
        name: "no ARN names a partition",
        judge: partitions,
        put_back: |document| {
            for_each(document, "AWS::IAM::Role", |role| {
                role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"][0]["Resource"] =
                    "arn:aws:dynamodb:*:*:table/*".into();
            });
        },
    },
];

impl Check {
    /// Fails if the document is wrong, or if the check would not notice.
    pub fn hold(&self, document: &Value) -> Result<()> {
        let found = (self.judge)(document);
        if !found.is_empty() {
            return Err(Failure::new(format!("{}? Not with {}", self.name, found.join("; "))));
        }
        let mut wrong = document.clone();
        (self.put_back)(&mut wrong);
        if (self.judge)(&wrong).is_empty() {
            return Err(Failure::new(format!("nobody would notice if it did not hold that {}", self.name)));
        }
        Ok(())
    }
}

fn resources<'a>(document: &'a Value, kind: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    document["Resources"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(move |(_, resource)| resource["Type"] == kind)
}

fn for_each(document: &mut Value, kind: &str, change: impl Fn(&mut Value)) {
    let resources = document["Resources"].as_object_mut().into_iter().flatten();
    resources.filter(|(_, resource)| resource["Type"] == kind).for_each(|(_, resource)| change(resource));
}

/// SAM writes `servers` without a `url` where the endpoint is switched off, and API Gateway warns of it
/// ([serverless-application-model#2424](https://github.com/aws/serverless-application-model/issues/2424)).
fn fails_on_warnings(document: &Value) -> Vec<String> {
    let warned = |api: &Value| {
        let servers = api["Properties"]["Body"]["servers"].as_array();
        servers.into_iter().flatten().any(|server| server.get("url").is_none())
    };
    resources(document, "AWS::ApiGatewayV2::Api")
        .filter(|(_, api)| api["Properties"]["FailOnWarnings"] == true && warned(api))
        .map(|(id, _)| format!("FailOnWarnings of {id}, whose execute-api endpoint is disabled"))
        .collect()
}

fn filters_at_once(document: &Value) -> Vec<String> {
    let filters: Vec<_> = resources(document, "AWS::Logs::MetricFilter").map(|(id, _)| id.as_str()).collect();
    let graph = dependencies(document);
    let before: BTreeMap<_, _> = filters.iter().map(|id| (*id, closure(&graph, id))).collect();
    let width = width(&filters, &|one, other| before.get(one).is_some_and(|ids| ids.contains(other)));
    if width <= MOST_FILTERS_AT_ONCE { Vec::new() } else { vec![format!("{width} of {}", filters.len())] }
}

/// The most of them of which none waits for another. By [Dilworth's theorem](https://doi.org/10.2307/1969503) this is
/// the fewest rows that all of them can be put into, each waiting for the next; a row fewer for each pair that can be
/// matched.
fn width(ids: &[&str], waits_for: &impl Fn(&str, &str) -> bool) -> usize {
    fn place<'a>(
        id: &'a str,
        ids: &[&'a str],
        waits_for: &impl Fn(&str, &str) -> bool,
        tried: &mut BTreeSet<&'a str>,
        next_of: &mut BTreeMap<&'a str, &'a str>,
    ) -> bool {
        for other in ids {
            if waits_for(id, other) && tried.insert(other) {
                let moves = match next_of.get(other).copied() {
                    None => true,
                    Some(holder) => place(holder, ids, waits_for, tried, next_of),
                };
                if moves {
                    next_of.insert(other, id);
                    return true;
                }
            }
        }
        false
    }
    let mut next_of = BTreeMap::new();
    let matched = ids.iter().filter(|id| place(id, ids, waits_for, &mut BTreeSet::new(), &mut next_of));
    let matched = matched.count();
    ids.len() - matched
}

/// What a resource waits for: whatever it refers to, and its `DependsOn`.
fn dependencies(document: &Value) -> BTreeMap<&str, BTreeSet<&str>> {
    let resources = document["Resources"].as_object();
    let ids: BTreeSet<&str> = resources.into_iter().flatten().map(|(id, _)| id.as_str()).collect();
    let mut graph = BTreeMap::new();
    for (id, resource) in resources.into_iter().flatten() {
        let mut named = BTreeSet::new();
        references(resource, &mut named);
        match &resource["DependsOn"] {
            Value::String(one) => named.extend([one.as_str()]),
            Value::Array(several) => named.extend(several.iter().filter_map(Value::as_str)),
            _ => {}
        }
        named.retain(|name| ids.contains(name));
        graph.insert(id.as_str(), named);
    }
    graph
}

/// Every name in `Ref`, `Fn::GetAtt` and `Fn::Sub`; those that are no resources are the caller's to leave out.
fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Object(entries) => {
            for (key, inner) in entries {
                let text = match (key.as_str(), inner) {
                    ("Ref" | "Fn::GetAtt", Value::String(name)) => name.split('.').next(),
                    ("Fn::GetAtt", Value::Array(parts)) => parts.first().and_then(Value::as_str),
                    _ => None,
                };
                found.extend(text);
                if key == "Fn::Sub" {
                    let text = inner.as_str().or_else(|| inner[0].as_str()).unwrap_or_default();
                    let names = text.split("${").skip(1).filter_map(|rest| rest.split(['}', '.']).next());
                    found.extend(names);
                }
                references(inner, found);
            }
        }
        _ => {}
    }
}

fn closure<'a>(graph: &BTreeMap<&'a str, BTreeSet<&'a str>>, start: &str) -> BTreeSet<&'a str> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![start]);
    while let Some(id) = next.pop() {
        for &other in graph.get(id).into_iter().flatten() {
            if reached.insert(other) {
                next.push(other);
            }
        }
    }
    reached
}

/// `Retain` holds in the rollback of a creation too, and a table that is protected lets the rollback itself fail.
fn left_by_a_rollback(document: &Value) -> Vec<String> {
    let resources = document["Resources"].as_object().into_iter().flatten();
    resources
        .filter_map(|(id, resource)| {
            let properties = &resource["Properties"];
            let is_protected = properties["DeletionProtectionEnabled"] == true;
            if is_protected {
                Some(format!("{id}, which is protected from deletion"))
            } else if resource["DeletionPolicy"] == "Retain" {
                Some(format!("{id}, which is retained; RetainExceptOnCreate keeps it as well"))
            } else {
                None
            }
        })
        .collect()
}

/// A function with a network of the stack's must wait for the NAT gateway, the route to it, what ties the route to the
/// subnet, and the endpoint of DynamoDB: otherwise an update switches it over minutes before it can call anybody.
fn in_a_network_without_a_way_out(document: &Value) -> Vec<String> {
    let graph = dependencies(document);
    let way_out: Vec<_> = [
        "AWS::EC2::NatGateway",
        "AWS::EC2::Route",
        "AWS::EC2::SubnetRouteTableAssociation",
        "AWS::EC2::VPCEndpoint",
    ]
    .into_iter()
    .flat_map(|kind| resources(document, kind))
    .map(|(id, _)| id.as_str())
    .collect();
    let mut missing = Vec::new();
    for (id, function) in resources(document, "AWS::Lambda::Function") {
        if function["Properties"].get("VpcConfig").is_some() {
            let before = closure(&graph, id);
            let absent: Vec<_> = way_out.iter().filter(|way| !before.contains(*way)).copied().collect();
            if way_out.len() < 4 || !absent.is_empty() {
                missing.push(format!("{id}, which does not wait for {}", absent.join(", ")));
            }
        }
    }
    missing
}

/// Lambda deletes a function's interfaces with the permissions of its role, and some minutes after the function has
/// left; until then neither their subnet nor their security group can be deleted. CloudFormation changes a role before
/// the function that has it, and deletes nothing before what depends on it: so the permission stands in a policy of its
/// own, on which both depend ([aws-cdk#34400](https://github.com/aws/aws-cdk/issues/34400)).
fn cannot_leave_the_network(document: &Value) -> Vec<String> {
    let graph = dependencies(document);
    let mut held = Vec::new();
    for (id, function) in resources(document, "AWS::Lambda::Function") {
        let (mut network, mut role) = (BTreeSet::new(), BTreeSet::new());
        references(&function["Properties"]["VpcConfig"], &mut network);
        references(&function["Properties"]["Role"], &mut role);
        let policies: BTreeSet<_> = resources(document, "AWS::IAM::Policy")
            .filter(|(_, policy)| {
                let mut put_on = BTreeSet::new();
                references(&policy["Properties"]["Roles"], &mut put_on);
                let text = policy["Properties"]["PolicyDocument"].to_string();
                !role.is_disjoint(&put_on) && text.contains("\"ec2:DeleteNetworkInterface\"")
            })
            .map(|(policy, _)| policy.as_str())
            .collect();
        let kinds = ["AWS::EC2::SecurityGroup", "AWS::EC2::Subnet"];
        let parts =
            kinds.into_iter().flat_map(|kind| resources(document, kind)).map(|(part, _)| part.as_str());
        let parts = parts.filter(|part| network.contains(part));
        let held_by = parts.filter(|part| closure(&graph, part).is_disjoint(&policies));
        held.extend(held_by.map(|part| format!("{part}, which {id} leaves without a permission")));
    }
    held
}

/// The route goes before its settings do, and then the stage cannot be updated
/// ([serverless-application-model#1939](https://github.com/aws/serverless-application-model/issues/1939)).
fn settings_of_what_goes(document: &Value) -> Vec<String> {
    let mut staying = BTreeSet::new();
    for (_, api) in resources(document, "AWS::ApiGatewayV2::Api") {
        for (path, operations) in api["Properties"]["Body"]["paths"].as_object().into_iter().flatten() {
            // SAM puts what is conditional into `Fn::If`, the path as well as each method.
            let methods = operations.as_object().into_iter().flatten();
            let methods = methods
                .filter(|(method, operation)| *method != "Fn::If" && operation.get("Fn::If").is_none());
            staying.extend(methods.map(|(method, _)| format!("{} {path}", method.to_uppercase())));
        }
    }
    let stages = resources(document, "AWS::ApiGatewayV2::Stage");
    let settings = stages.filter_map(|(_, stage)| stage["Properties"]["RouteSettings"].as_object()).flatten();
    settings.map(|(key, _)| key).filter(|key| !staying.contains(*key)).cloned().collect()
}

/// [CloudFormation gives back question
/// marks](https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1220).
fn beyond_ascii(document: &Value) -> Vec<String> {
    let text = document.to_string();
    let words = text.split(['"', ' ']).filter(|word| !word.is_ascii());
    words.map(str::to_owned).collect()
}

/// Patterns of parameters, which take any partition, say `arn:aws[a-z-]*:`.
fn partitions(document: &Value) -> Vec<String> {
    let text = document.to_string();
    let found = text.split('"').filter(|part| part.contains("arn:aws:") || part.contains("arn:aws-"));
    found.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filters(waits: &[(&str, &[&str])]) -> Value {
        let resources = waits.iter().map(|(id, waits_for)| {
            let resource = json!({
                "Type": "AWS::Logs::MetricFilter",
                "DependsOn": waits_for,
                "Properties": { "LogGroupName": { "Ref": "Logs" } },
            });
            ((*id).to_owned(), resource)
        });
        json!({ "Resources": resources.collect::<serde_json::Map<_, _>>() })
    }

    fn widest(waits: &[(&str, &[&str])]) -> usize {
        let document = filters(waits);
        let graph = dependencies(&document);
        let ids: Vec<_> = waits.iter().map(|(id, _)| *id).collect();
        width(&ids, &|one, other| closure(&graph, one).contains(other))
    }

    #[test]
    fn those_that_nothing_holds_apart_are_counted() {
        assert_eq!(widest(&[]), 0);
        assert_eq!(widest(&[("A", &[]), ("B", &[]), ("C", &[])]), 3);
        assert_eq!(widest(&[("A", &[]), ("B", &["A"]), ("C", &["B"])]), 1);
        // Two rows that cross.
        assert_eq!(widest(&[("A", &[]), ("B", &[]), ("C", &["A", "B"]), ("D", &["B"])]), 2);
        // One before four: the four are ready at once.
        assert_eq!(widest(&[("A", &[]), ("B", &["A"]), ("C", &["A"]), ("D", &["A"]), ("E", &["A"])]), 4);
    }

    #[test]
    fn who_may_leave_a_network_stays_longer_than_it() {
        let statement =
            json!({ "Effect": "Allow", "Action": ["ec2:DeleteNetworkInterface"], "Resource": "*" });
        let policy = json!({ "PolicyDocument": { "Statement": [statement] }, "Roles": [{ "Ref": "Role" }] });
        let document = json!({ "Resources": {
            "Function": { "Type": "AWS::Lambda::Function", "Properties": {
                "Role": { "Fn::GetAtt": ["Role", "Arn"] },
                "VpcConfig": { "Fn::If": ["Fixed", { "SubnetIds": [{ "Ref": "Subnet" }], "SecurityGroupIds": [{ "Ref": "Group" }] }, { "Ref": "AWS::NoValue" }] },
            } },
            "Role": { "Type": "AWS::IAM::Role", "Properties": { "Policies": [] } },
            "Policy": { "Type": "AWS::IAM::Policy", "Properties": policy },
            "Subnet": { "Type": "AWS::EC2::Subnet", "DependsOn": "Policy" },
            "Group": { "Type": "AWS::EC2::SecurityGroup", "DependsOn": ["Policy"] },
            "Public": { "Type": "AWS::EC2::Subnet" },
        }});
        assert_eq!(cannot_leave_the_network(&document), Vec::<String>::new());
        let held = |change: fn(&mut Value)| {
            let mut document = document.clone();
            change(&mut document["Resources"]);
            cannot_leave_the_network(&document).len()
        };
        assert_eq!(held(|resources| resources["Group"]["DependsOn"] = Value::Null), 1);
        assert_eq!(held(|resources| resources["Policy"]["Properties"]["Roles"] = json!(["Other"])), 2);
        // In the role itself it is gone before the function is.
        assert_eq!(
            held(|resources| {
                resources["Role"]["Properties"]["Policies"] =
                    json!([resources["Policy"]["Properties"].take()]);
            }),
            2
        );
    }

    #[test]
    fn whatever_is_named_is_waited_for() {
        let document = json!({ "Resources": {
            "A": { "Type": "X", "Properties": { "One": { "Fn::GetAtt": ["B", "Arn"] }, "Two": { "Fn::Sub": "x${C.Arn}${AWS::Region}" } } },
            "B": { "Type": "X", "Properties": { "One": { "Fn::If": ["Yes", { "Ref": "D" }, { "Fn::GetAtt": "E.Arn" }] } } },
            "C": { "Type": "X" }, "D": { "Type": "X", "DependsOn": "F" }, "E": { "Type": "X" }, "F": { "Type": "X" },
        }});
        let all = closure(&dependencies(&document), "A");
        assert_eq!(all.into_iter().collect::<Vec<_>>(), ["B", "C", "D", "E", "F"]);
    }
}
