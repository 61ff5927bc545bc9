//! `template.yaml`, read as the deployment reads it.
//!
//! The file is the only description of tables, routes and environments. It is turned into
//! CloudFormation's JSON form first (`!Ref X` becomes `{"Ref": "X"}`), so that no tag can break
//! the parse, and then asked: which tables, which functions, which routes, and what of them a deployment makes.

#![expect(
    clippy::missing_errors_doc,
    reason = "a template that cannot be read is the one failure, and says why"
)]
#![expect(clippy::must_use_candidate, reason = "tests look at what they ask for")]
#![expect(clippy::indexing_slicing, reason = "only JSON is indexed, where what is missing reads as null")]

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use saphyr::{LoadableYamlNode, ScalarOwned, YamlOwned};
use serde_json::{Map, Value, json};

pub mod failure;
pub mod workspace;

pub use failure::{Failure, Result};
use workspace::workspace;

/// Lambda's own limit on a function that the template does not give one.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// A parsed template.
#[derive(Clone, Debug)]
pub struct Template(Value);

/// An `AWS::DynamoDB::Table`.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Its name in the template, such as `LoginsTable`.
    pub logical_id: String,
    /// What `CreateTable` is to be called with.
    pub definition: Value,
    /// The attribute that holds an item's end of life, in epoch seconds.
    pub time_to_live: Option<String>,
}

/// An `AWS::Serverless::Function`.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// Its name in the template, such as `AuthorizeFunction`.
    pub logical_id: String,
    /// The binary that Cargo builds for it.
    pub binary: String,
    /// When Lambda kills an invocation.
    pub timeout: Duration,
    /// Its environment; `None` where the value is known only to a deployment.
    pub environment: BTreeMap<String, Option<String>>,
}

/// One route of the HTTP API.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Route {
    /// An HTTP method, or `ANY`.
    pub method: String,
    /// Such as `/callback` or `/{file}`.
    pub path: String,
    /// The binary of the function that answers.
    pub binary: String,
}

impl Template {
    /// The template that is deployed.
    pub fn of_the_project() -> Result<Self> {
        Self::read(&workspace().join("template.yaml"))
    }

    /// Reads a template from a file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|error| Failure::from(error).during(path.display()))?;
        Self::parse(&text).map_err(|failure| failure.during(path.display()))
    }

    /// Reads a template from its text.
    pub fn parse(text: &str) -> Result<Self> {
        let mut documents = YamlOwned::load_from_str(text)?.into_iter();
        match (documents.next(), documents.next()) {
            (Some(document), None) => Ok(Self(to_json(document))),
            _ => Err(Failure::new("a template is exactly one YAML document")),
        }
    }

    /// Every table, in the order of their logical ids.
    pub fn tables(&self) -> Vec<Table> {
        self.resources("AWS::DynamoDB::Table")
            .map(|(logical_id, properties)| {
                let mut definition = Map::from_iter([("TableName".to_owned(), json!(logical_id))]);
                for name in ["KeySchema", "AttributeDefinitions", "BillingMode"] {
                    if let Some(value) = properties.get(name) {
                        definition.insert(name.to_owned(), value.clone());
                    }
                }
                let time_to_live = &properties["TimeToLiveSpecification"];
                Table {
                    logical_id,
                    definition: definition.into(),
                    time_to_live: (time_to_live["Enabled"] == true)
                        .then(|| time_to_live["AttributeName"].as_str().map(str::to_owned))
                        .flatten(),
                }
            })
            .collect()
    }

    /// Every function built by Cargo, in the order of their logical ids.
    pub fn functions(&self) -> Vec<Function> {
        let globals = self.function_defaults();
        self.resources("AWS::Serverless::Function")
            .filter_map(|(logical_id, properties)| {
                let metadata = &self.0["Resources"][&logical_id]["Metadata"];
                let binary = metadata["BuildProperties"]["Binary"].as_str()?.to_owned();
                let timeout = [&properties["Timeout"], &globals["Timeout"]]
                    .into_iter()
                    .find_map(Value::as_u64)
                    .map_or(DEFAULT_TIMEOUT, Duration::from_secs);
                let mut environment = BTreeMap::new();
                for variables in [globals, properties].map(|of| &of["Environment"]["Variables"]) {
                    for (name, value) in variables.as_object().into_iter().flatten() {
                        environment.insert(name.clone(), self.resolve(value));
                    }
                }
                Some(Function { logical_id, binary, timeout, environment })
            })
            .collect()
    }

    /// The properties that every function has unless it says otherwise.
    pub fn function_defaults(&self) -> &Value {
        &self.0["Globals"]["Function"]
    }

    /// The functions that answer requests: those with a route.
    pub fn answering(&self) -> Vec<Function> {
        let routes = self.routes();
        let has_route = |function: &Function| routes.iter().any(|route| route.binary == function.binary);
        self.functions().into_iter().filter(has_route).collect()
    }

    /// A resource or an output.
    fn part(&self, logical_id: &str) -> Option<&Value> {
        ["Resources", "Outputs"].iter().find_map(|section| self.0[section].get(logical_id))
    }

    /// The condition under which a resource is made, or an output given, if there is one.
    pub fn condition(&self, logical_id: &str) -> Option<&str> {
        self.part(logical_id)?["Condition"].as_str()
    }

    /// Whether a deployment with the default parameters makes this resource, or gives this output.
    pub fn makes(&self, logical_id: &str) -> bool {
        self.part(logical_id).is_some() && self.condition(logical_id).is_none_or(|name| self.is_so(name))
    }

    /// The names of the binaries of all functions.
    pub fn function_names(&self) -> Vec<String> {
        self.functions().into_iter().map(|function| function.binary).collect()
    }

    /// Every route of the HTTP API, in the order of logical ids and event names.
    pub fn routes(&self) -> Vec<Route> {
        let mut routes = Vec::new();
        for function in self.functions() {
            let properties = &self.0["Resources"][&function.logical_id]["Properties"];
            for event in properties["Events"].as_object().into_iter().flatten() {
                let (_, event) = event;
                let properties = &event["Properties"];
                if event["Type"] == "HttpApi"
                    && let Some(path) = properties["Path"].as_str()
                    && let Some(method) = properties["Method"].as_str()
                {
                    routes.push(Route {
                        method: method.to_uppercase(),
                        path: path.to_owned(),
                        binary: function.binary.clone(),
                    });
                }
            }
        }
        routes
    }

    /// The resources of a type, by logical id, with their properties.
    pub fn resources(&self, of_type: &str) -> impl Iterator<Item = (String, &Value)> {
        self.0["Resources"]
            .as_object()
            .into_iter()
            .flatten()
            .filter(move |(_, resource)| resource["Type"] == of_type)
            .map(|(logical_id, resource)| (logical_id.clone(), &resource["Properties"]))
    }

    /// The outputs, by name.
    pub fn outputs(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0["Outputs"].as_object().into_iter().flatten()
    }

    /// What it says of itself to the Serverless Application Repository.
    pub fn application(&self) -> &Value {
        &self.0["Metadata"]["AWS::ServerlessRepo::Application"]
    }

    /// The parameters, by name.
    pub fn parameters(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0["Parameters"].as_object().into_iter().flatten()
    }

    /// The names of the parameters, in the order in which CloudFormation's console asks for them.
    pub fn parameters_in_order(&self) -> Vec<&str> {
        let groups = self.0["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"].as_array();
        let names = groups.into_iter().flatten().filter_map(|group| group["Parameters"].as_array());
        names.flatten().filter_map(Value::as_str).collect()
    }

    /// This template with another default of a parameter, which is what a deployment with that value has.
    #[must_use]
    pub fn with(mut self, parameter: &str, value: impl Into<Value>) -> Self {
        self.0["Parameters"][parameter]["Default"] = value.into();
        self
    }

    /// The parameter that a variable of the functions' environments is made of, if it is made of one.
    pub fn parameter_of(&self, variable: &str) -> Option<String> {
        let functions = self.resources("AWS::Serverless::Function").map(|(_, properties)| properties);
        let places = functions.chain([self.function_defaults()]);
        let mut values = places.filter_map(|of| of["Environment"]["Variables"].get(variable));
        values.find_map(|value| self.parameter_in(value))
    }

    /// The first parameter that a value names.
    fn parameter_in(&self, value: &Value) -> Option<String> {
        let known = |name: &str| self.0["Parameters"].get(name).map(|_| name.to_owned());
        match value {
            Value::Object(functions) => functions.iter().find_map(|(function, of)| match (&**function, of) {
                ("Ref", Value::String(name)) => known(name),
                ("Fn::Sub", Value::String(text)) => placeholders(text).find_map(known),
                _ => self.parameter_in(of),
            }),
            Value::Array(items) => items.iter().find_map(|item| self.parameter_in(item)),
            _ => None,
        }
    }

    /// What the rules say of parameters that do not go together, in their own words.
    pub fn broken_rules(&self) -> Vec<&str> {
        let rules = self.0["Rules"].as_object().into_iter().flatten().map(|(_, rule)| rule);
        let applies = |rule: &&Value| self.holds(&rule["RuleCondition"]) != Some(false);
        rules
            .filter(applies)
            .flat_map(|rule| rule["Assertions"].as_array().into_iter().flatten())
            .filter(|assertion| self.holds(&assertion["Assert"]) == Some(false))
            .filter_map(|assertion| assertion["AssertDescription"].as_str())
            .collect()
    }

    /// Whether a condition holds that has a name. What only a deployment knows equals nothing.
    fn is_so(&self, name: &str) -> bool {
        self.holds(&self.0["Conditions"][name]) == Some(true)
    }

    /// Whether [a
    /// condition](https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-conditions.html)
    /// holds, if this file alone tells.
    fn holds(&self, condition: &Value) -> Option<bool> {
        let (function, of) = condition.as_object()?.iter().next()?;
        if function == "Condition" {
            return self.holds(&self.0["Conditions"][of.as_str()?]);
        }
        let of = of.as_array()?;
        let mut each = of.iter().map(|condition| self.holds(condition));
        match &**function {
            "Fn::Equals" => Some(self.resolve(of.first()?)? == self.resolve(of.get(1)?)?),
            "Fn::Not" => each.next()?.map(|holds| !holds),
            "Fn::And" => each.try_fold(true, |all, holds| Some(all && holds?)),
            "Fn::Or" => each.try_fold(false, |any, holds| Some(any || holds?)),
            _ => None,
        }
    }

    /// A value as a deployment with default parameters has it, if this file alone tells.
    #[must_use]
    pub fn resolve(&self, value: &Value) -> Option<String> {
        let parameter = |name: &str| self.resolve(&self.0["Parameters"][name]["Default"]);
        match value {
            Value::Object(reference) => match reference.iter().next()? {
                (name, of) if name == "Ref" => parameter(of.as_str()?),
                (name, text) if name == "Fn::Sub" => {
                    let text = text.as_str()?;
                    let mut resolved = text.to_owned();
                    for name in placeholders(text) {
                        resolved = resolved.replace(&format!("${{{name}}}"), &parameter(name)?);
                    }
                    Some(resolved)
                }
                (name, keys) if name == "Fn::FindInMap" => {
                    let [mapping, row, column] =
                        [0, 1, 2].map(|place| keys.get(place).and_then(|key| self.resolve(key)));
                    self.resolve(&self.0["Mappings"][mapping?][row?][column?])
                }
                (name, branches) if name == "Fn::If" => {
                    let is_so = self.is_so(branches[0].as_str()?);
                    self.resolve(&branches[if is_so { 1 } else { 2 }])
                }
                _ => None,
            },
            Value::Null | Value::Array(_) => None,
            Value::String(text) => Some(text.clone()),
            scalar => Some(scalar.to_string()),
        }
    }
}

/// The names in a text of `Fn::Sub`.
fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    text.split("${").skip(1).filter_map(|rest| Some(rest.split_once('}')?.0))
}

/// YAML as CloudFormation's JSON.
fn to_json(node: YamlOwned) -> Value {
    match node {
        YamlOwned::Value(scalar) => match scalar {
            ScalarOwned::Null => Value::Null,
            ScalarOwned::Boolean(value) => value.into(),
            ScalarOwned::Integer(value) => value.into(),
            ScalarOwned::FloatingPoint(value) => value.into_inner().into(),
            ScalarOwned::String(value) => value.into(),
        },
        YamlOwned::Representation(text, ..) => text.into(),
        YamlOwned::Sequence(items) => items.into_iter().map(to_json).collect(),
        YamlOwned::Mapping(entries) => entries
            .into_iter()
            .map(|(key, value)| (key_text(key), to_json(value)))
            .collect::<Map<_, _>>()
            .into(),
        YamlOwned::Tagged(tag, inner) => {
            let name = match tag.suffix.as_str() {
                short @ ("Ref" | "Condition") => short.to_owned(),
                function => format!("Fn::{function}"),
            };
            json!({ name: to_json(*inner) })
        }
        YamlOwned::Alias(_) | YamlOwned::BadValue => Value::Null,
    }
}

/// A mapping's key as text: CloudFormation's keys are strings, even where YAML sees a date.
fn key_text(key: YamlOwned) -> String {
    match to_json(key) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = r#"
AWSTemplateFormatVersion: 2010-09-09
Parameters:
  SiteVerification: { Type: String, Default: "" }
  Domain: { Type: String }
Globals:
  Function:
    Timeout: 8
    Environment:
      Variables:
        PUBLIC_URL: !Sub https://${Domain}
        PROFILE_LIFETIME_SECONDS: 600
Resources:
  LoginsTable:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
      TimeToLiveSpecification: { AttributeName: expires_at, Enabled: true }
      SSESpecification: { SSEEnabled: !If [Encrypted, true, false] }
  SiteFunction:
    Type: AWS::Serverless::Function
    Metadata: { BuildMethod: rust-cargolambda, BuildProperties: { Binary: site } }
    Properties:
      Timeout: 3
      Environment:
        Variables:
          SITE_VERIFICATION: !Ref SiteVerification
          LOGINS_TABLE: !Ref LoginsTable
      Events:
        File: { Type: HttpApi, Properties: { ApiId: !Ref Api, Method: get, Path: "/{file}" } }
        Schedule: { Type: Schedule, Properties: { Schedule: rate(1 hour) } }
"#;

    #[test]
    fn finds_tables_functions_and_routes_between_tags() {
        let template = Template::parse(TEMPLATE).unwrap();
        let tables = template.tables();
        assert_eq!(
            tables,
            [Table {
                logical_id: "LoginsTable".to_owned(),
                definition: json!({
                    "TableName": "LoginsTable",
                    "BillingMode": "PAY_PER_REQUEST",
                    "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
                    "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
                }),
                time_to_live: Some("expires_at".to_owned()),
            }]
        );
        let functions = template.functions();
        assert_eq!(functions.len(), 1);
        assert_eq!(functions[0].binary, "site");
        assert_eq!(functions[0].timeout, Duration::from_secs(3));
        assert_eq!(
            functions[0].environment,
            BTreeMap::from([
                ("LOGINS_TABLE".to_owned(), None),
                ("PROFILE_LIFETIME_SECONDS".to_owned(), Some("600".to_owned())),
                ("PUBLIC_URL".to_owned(), None),
                ("SITE_VERIFICATION".to_owned(), Some(String::new())),
            ])
        );
        let given = template.clone().with("Domain", "auth.example.com").functions().remove(0).environment;
        assert_eq!(given["PUBLIC_URL"].as_deref(), Some("https://auth.example.com"));
        assert_eq!(template.parameter_of("PUBLIC_URL").as_deref(), Some("Domain"));
        assert_eq!(template.parameter_of("LOGINS_TABLE"), None);
        assert_eq!(
            template.routes(),
            [Route { method: "GET".to_owned(), path: "/{file}".to_owned(), binary: "site".to_owned() }]
        );
    }

    #[test]
    fn knows_what_a_deployment_makes() {
        let template = Template::parse(
            r#"
Parameters: { Provider: { Type: String, Default: "" }, Keys: { Type: String, Default: "" } }
Conditions:
  HasProvider: !Not [!Equals [!Ref Provider, ""]]
  MakesKey: !And [!Condition HasProvider, !Equals [!Ref Keys, ""]]
  HasEither: !Or [!Condition HasProvider, !Not [!Equals [!Ref Keys, ""]]]
  HasRegion: !Equals [!Ref "AWS::Region", ""]
Resources:
  Api: { Type: A }
  Key: { Type: B, Condition: MakesKey }
  Both: { Type: B, Condition: HasEither }
  Here: { Type: B, Condition: HasRegion }
Outputs:
  Issuer: { Condition: HasProvider, Value: !If [MakesKey, !GetAtt Key.Arn, !Ref Keys] }
"#,
        )
        .unwrap();
        let made = |template: &Template| {
            ["Api", "Key", "Both", "Here", "Issuer", "Nothing"].map(|id| template.makes(id))
        };
        assert_eq!(made(&template), [true, false, false, false, false, false]);
        let provider = template.with("Provider", "{}");
        assert_eq!(made(&provider), [true, true, true, false, true, false]);
        let value = |template: &Template| {
            let (_, output) = template.outputs().next().unwrap();
            template.resolve(&output["Value"])
        };
        assert_eq!(value(&provider), None, "the ARN of a key that the stack makes");
        let given = provider.with("Keys", "arn:aws:kms:us-east-1:123456789012:key/1");
        assert_eq!(made(&given), [true, false, true, false, true, false]);
        assert_eq!(value(&given).as_deref(), Some("arn:aws:kms:us-east-1:123456789012:key/1"));
    }

    #[test]
    fn keeps_tags_as_intrinsic_functions() {
        let Template(value) = Template::parse("a: !GetAtt B.Arn\nc: !Join [',', [!Ref D]]").unwrap();
        assert_eq!(
            value,
            json!({ "a": { "Fn::GetAtt": "B.Arn" }, "c": { "Fn::Join": [",", [{ "Ref": "D" }]] } })
        );
    }

    #[test]
    fn refuses_what_is_no_template() {
        assert!(Template::parse("a: [").is_err());
        assert!(Template::parse("").is_err());
    }
}
