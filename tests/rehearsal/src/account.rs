//! The account: who deploys in it, and the real `sam` and `aws` at work in it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use harness::{
    Failure, Result,
    binaries::workspace,
    emulated_aws::{Credentials, EmulatedAws, root},
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The policy that the deployer has, and nothing beside it.
const POLICY: &str = "tests/rehearsal/deployer.json";

/// A region of the account, and who deploys there.
pub struct Account<'a> {
    /// The AWS that it is in.
    pub aws: &'a EmulatedAws,
    /// The region.
    pub region: &'a str,
    deployer: Credentials,
    sam: PathBuf,
    directory: TempDir,
}

/// A stack that stands.
pub struct Stack {
    /// Its outputs, by name.
    pub outputs: BTreeMap<String, String>,
}

impl<'a> Account<'a> {
    /// The account as this deployer sees it in a region.
    pub fn new(aws: &'a EmulatedAws, region: &'a str, deployer: Credentials, sam: PathBuf) -> Result<Self> {
        Ok(Self { aws, region, deployer, sam, directory: tempfile::tempdir()? })
    }

    /// A user with the deployer's policy, less an action that is taken from them.
    pub async fn deployer(
        aws: &EmulatedAws,
        region: &str,
        name: &str,
        without: Option<&str>,
    ) -> Result<Credentials> {
        let mut policy: Value = serde_json::from_str(&fs::read_to_string(workspace().join(POLICY))?)?;
        if let (Some(action), Some(statements)) = (without, policy["Statement"].as_array_mut()) {
            statements.push(json!({ "Effect": "Deny", "Action": action, "Resource": "*" }));
        }
        Self::user(aws, region, name, &policy).await
    }

    /// A user with this one policy.
    pub async fn user(aws: &EmulatedAws, region: &str, name: &str, policy: &Value) -> Result<Credentials> {
        let policy = policy.to_string();
        let user = ["--user-name", name];
        let iam = async |action: &str, rest: &[&str]| {
            aws.cli(&root(), region, &[&["iam", action], &user[..], rest].concat()).await
        };
        iam("create-user", &[]).await?;
        iam("put-user-policy", &["--policy-name", "all", "--policy-document", &policy]).await?;
        let made = iam("create-access-key", &[]).await?;
        let text = |name: &str| made["AccessKey"][name].as_str().unwrap_or_default().to_owned();
        Ok(Credentials { access_key_id: text("AccessKeyId"), secret_access_key: text("SecretAccessKey") })
    }

    /// What the AWS CLI answers the deployer.
    pub async fn cli(&self, arguments: &[&str]) -> Result<Value> {
        self.aws.cli(&self.deployer, self.region, arguments).await
    }

    /// What the AWS CLI answers whoever may look at anything: what the rehearsal itself wants to know.
    pub async fn look(&self, arguments: &[&str]) -> Result<Value> {
        self.aws.cli(&root(), self.region, arguments).await
    }

    /// Runs `sam`; what it printed, whether it did as told or not.
    async fn sam(&self, arguments: &[&str]) -> Result<String> {
        // Away from the project, whose samconfig.toml would answer for whoever deploys.
        let mut command = self.aws.command(&self.sam, &self.deployer, self.region);
        let output = command.args(arguments).current_dir(self.directory.path()).output().await?;
        let printed = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        let printed = printed.join("\n");
        if output.status.success() { Ok(printed) } else { Err(Failure::new(printed)) }
    }

    /// `sam deploy` of what lies in a directory of `sam build`: makes or updates the stack of this name.
    pub async fn deploy(
        &self,
        build: &Path,
        name: &str,
        parameters: &BTreeMap<&str, String>,
    ) -> Result<Stack> {
        self.deploy_template(&build.join("template.yaml"), name, parameters).await
    }

    /// `sam deploy` of a template that needs no build.
    pub async fn deploy_template(
        &self,
        template: &Path,
        name: &str,
        parameters: &BTreeMap<&str, String>,
    ) -> Result<Stack> {
        let template = template.to_string_lossy();
        let mut arguments = vec!["deploy", "--template-file", &template, "--stack-name", name];
        arguments.extend(["--region", self.region, "--capabilities", "CAPABILITY_IAM", "--resolve-s3"]);
        arguments.extend(["--no-confirm-changeset", "--no-progressbar", "--parameter-overrides"]);
        let parameters: Vec<_> = parameters
            .iter()
            // As the docs spell it for JSON.
            .map(|(key, value)| format!("{key}=\"{}\"", value.replace('"', "\\\"")))
            .collect();
        arguments.extend(parameters.iter().map(String::as_str));
        if let Err(failure) = self.sam(&arguments).await {
            let reasons = self.reasons(name).await.unwrap_or_default();
            // What `sam` prints is cut into columns; the reasons stand in the stack's events.
            let told = failure.to_string();
            let last = told.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
            return Err(Failure::new(format!("{last}\n{}", reasons.join("\n"))));
        }
        self.stack(name).await
    }

    /// Why resources of a stack failed, as its events say.
    async fn reasons(&self, stack: &str) -> Result<Vec<String>> {
        let events = self.look(&["cloudformation", "describe-stack-events", "--stack-name", stack]).await?;
        let events = events["StackEvents"].as_array().into_iter().flatten();
        let failed = events.filter(|event| {
            event["ResourceStatus"].as_str().is_some_and(|status| status.ends_with("_FAILED"))
        });
        Ok(failed
            .map(|event| format!("{}: {}", event["LogicalResourceId"], event["ResourceStatusReason"]))
            .collect())
    }

    /// A stack that stands.
    async fn stack(&self, name: &str) -> Result<Stack> {
        let described = self.cli(&["cloudformation", "describe-stacks", "--stack-name", name]).await?;
        let mut outputs = BTreeMap::new();
        for output in described["Stacks"][0]["Outputs"].as_array().into_iter().flatten() {
            let text = |name: &str| output[name].as_str().unwrap_or_default().to_owned();
            outputs.insert(text("OutputKey"), text("OutputValue"));
        }
        Ok(Stack { outputs })
    }

    /// Fails if such a deployment is not refused before there is a stack; why it is.
    pub async fn refused(
        &self,
        build: &Path,
        name: &str,
        parameters: &BTreeMap<&str, String>,
    ) -> Result<String> {
        let Err(refusal) = self.deploy(build, name, parameters).await else {
            return Err(Failure::new(format!("taken: {parameters:?}")));
        };
        if !refusal.to_string().contains("(ValidationError) when calling the CreateChangeSet operation") {
            return Err(refusal.during("refused for another reason"));
        }
        // A change set that was refused leaves a stack in review at most, with nothing in it.
        match self.resources(name, None).await {
            Ok(resources) if !resources.is_empty() => {
                Err(Failure::new(format!("refused, after {resources:?} were made: {refusal}")))
            }
            _ => Ok(refusal.to_string()),
        }
    }

    /// Deletes a stack as the docs say.
    pub async fn delete(&self, name: &str) -> Result<()> {
        let arguments = ["delete", "--stack-name", name, "--region", self.region, "--no-prompts"];
        self.sam(&arguments).await.map(drop)
    }

    /// The resources that a stack has, of a type or of any, by logical id, with their names.
    pub async fn resources(&self, stack: &str, kind: Option<&str>) -> Result<BTreeMap<String, String>> {
        let listed =
            self.look(&["cloudformation", "describe-stack-resources", "--stack-name", stack]).await?;
        let resources = listed["StackResources"].as_array().into_iter().flatten().filter(|resource| {
            resource["ResourceStatus"] != "DELETE_COMPLETE"
                && kind.is_none_or(|kind| resource["ResourceType"] == kind)
        });
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(resources
            .map(|resource| (text(&resource["LogicalResourceId"]), text(&resource["PhysicalResourceId"])))
            .collect())
    }

    /// What costs money or has to be tidied up by hand, whoever made it: tables, secrets, log groups, keys.
    pub async fn left(&self) -> Result<Vec<String>> {
        let mut left = Vec::new();
        for (call, list, name) in [
            (["dynamodb", "list-tables"], "TableNames", None),
            (["secretsmanager", "list-secrets"], "SecretList", Some("Name")),
            (["logs", "describe-log-groups"], "logGroups", Some("logGroupName")),
        ] {
            let listed = self.look(&call).await?;
            let items = listed[list].as_array().into_iter().flatten();
            left.extend(items.map(|item| name.map_or(item, |name| &item[name]).to_string()));
        }
        let keys = self.look(&["kms", "list-keys"]).await?;
        for key in keys["Keys"].as_array().into_iter().flatten().filter_map(|key| key["KeyArn"].as_str()) {
            let described = self.look(&["kms", "describe-key", "--key-id", key]).await?;
            // One that is to be deleted waits for a month.
            if described["KeyMetadata"]["KeyState"] != "PendingDeletion" {
                left.push(key.to_owned());
            }
        }
        Ok(left)
    }

    /// Runs a command as a person pastes it into a shell, beside a file of this name with this text.
    pub async fn paste(&self, line: &str, file: (&str, &str)) -> Result<()> {
        let directory = tempfile::tempdir()?;
        fs::write(directory.path().join(file.0), file.1)?;
        let mut shell = self.aws.command("/bin/sh", &self.deployer, self.region);
        let output = shell.args(["-c", line]).current_dir(directory.path()).output().await?;
        if output.status.success() {
            return Ok(());
        }
        Err(Failure::new(format!("{line}\n{}", String::from_utf8_lossy(&output.stderr))))
    }
}

impl Stack {
    /// An output that it must have.
    pub fn output(&self, name: &str) -> Result<&str> {
        let value = self.outputs.get(name).map(String::as_str);
        value.ok_or_else(|| Failure::new(format!("the stack has no output {name}")))
    }
}
