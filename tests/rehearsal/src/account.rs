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
use serde_json::Value;
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
    name: String,
    /// Its outputs, by name.
    pub outputs: BTreeMap<String, String>,
}

impl<'a> Account<'a> {
    /// The account as this deployer sees it in a region.
    pub fn new(aws: &'a EmulatedAws, region: &'a str, deployer: Credentials, sam: PathBuf) -> Result<Self> {
        Ok(Self { aws, region, deployer, sam, directory: tempfile::tempdir()? })
    }

    /// A user with the deployer's policy alone.
    pub async fn deployer(aws: &EmulatedAws, region: &str) -> Result<Credentials> {
        let policy = fs::read_to_string(workspace().join(POLICY))?;
        let call = |arguments: Vec<String>| async move {
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            aws.cli(&root(), region, &arguments).await
        };
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        call(words("iam create-user --user-name deployer")).await?;
        let mut put = words("iam put-user-policy --user-name deployer --policy-name deploy --policy-document");
        put.push(policy);
        call(put).await?;
        let made = call(words("iam create-access-key --user-name deployer")).await?;
        let text = |name: &str| made["AccessKey"][name].as_str().unwrap_or_default().to_owned();
        Ok(Credentials {
            access_key_id: text("AccessKeyId"),
            secret_access_key: text("SecretAccessKey"),
        })
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
    pub async fn deploy(&self, build: &Path, name: &str, parameters: &BTreeMap<&str, String>) -> Result<Stack> {
        let template = build.join("template.yaml");
        let template = template.to_string_lossy();
        let mut arguments = vec!["deploy", "--template-file", &template, "--stack-name", name];
        arguments.extend(["--region", self.region, "--capabilities", "CAPABILITY_IAM", "--resolve-s3"]);
        arguments.extend(["--no-confirm-changeset", "--no-progressbar", "--parameter-overrides"]);
        let parameters: Vec<_> =
            parameters.iter().map(|(key, value)| format!("ParameterKey={key},ParameterValue={value}")).collect();
        arguments.extend(parameters.iter().map(String::as_str));
        let deployed = self.sam(&arguments).await;
        deployed.map_err(|failure| failure.during(format!("sam deploy in {}", self.region)))?;
        self.stack(name).await
    }

    /// A stack that stands.
    async fn stack(&self, name: &str) -> Result<Stack> {
        let described = self.cli(&["cloudformation", "describe-stacks", "--stack-name", name]).await?;
        let mut outputs = BTreeMap::new();
        for output in described["Stacks"][0]["Outputs"].as_array().into_iter().flatten() {
            let text = |name: &str| output[name].as_str().unwrap_or_default().to_owned();
            outputs.insert(text("OutputKey"), text("OutputValue"));
        }
        Ok(Stack { name: name.to_owned(), outputs })
    }

    /// Deletes a stack as its docs say.
    pub async fn delete(&self, stack: &Stack) -> Result<()> {
        let arguments = ["delete", "--stack-name", &stack.name, "--region", self.region, "--no-prompts"];
        self.sam(&arguments).await.map(drop)
    }

    /// The resources of a type that a stack has, by logical id, with their names.
    pub async fn resources(&self, stack: &str, kind: &str) -> Result<BTreeMap<String, String>> {
        let listed = self.look(&["cloudformation", "describe-stack-resources", "--stack-name", stack]).await?;
        let resources = listed["StackResources"].as_array().into_iter().flatten();
        let resources = resources.filter(|resource| resource["ResourceType"] == kind);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(resources
            .map(|resource| (text(&resource["LogicalResourceId"]), text(&resource["PhysicalResourceId"])))
            .collect())
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
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// An output that it must have.
    pub fn output(&self, name: &str) -> Result<&str> {
        let value = self.outputs.get(name).map(String::as_str);
        value.ok_or_else(|| Failure::new(format!("the stack has no output {name}")))
    }
}
