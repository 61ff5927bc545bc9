//! What is rehearsed, in this order, in two regions one after the other: a domain leads to one of them at a time.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use harness::{
    Failure, Result,
    emulated_aws::{EmulatedAws, root},
    stack::{DEFAULT_RETURN_TO, OFFICIAL_ACCOUNT, PAGE_ORIGIN, PUBLIC_URL, WEBSITE_APP},
};
use serde_json::Value;

use crate::{
    account::{Account, Stack},
    broken,
    built::Architecture,
    load_balancer,
    logs::Logs,
    pool,
    progress::Progress,
    provider, visits,
    wechat::{Visitors, Wechat},
};

/// The name of the stack, as `samconfig.toml` has it.
const STACK: &str = "wechat-login";
/// Where everything is looked at.
const FIRST_REGION: &str = "us-east-1";
/// A region of another partition, with everything that can be switched on, after everything that can go wrong.
const SECOND_REGION: &str = "cn-northwest-1";
/// A deployer who lacks one permission, of the resource that is made last.
const HINDERED: (&str, &str) = ("hindered", "cloudwatch:PutDashboard");
/// What all functions take for a wrong value and the template cannot: a page of an origin that is not allowed.
const FOREIGN_PAGE: &str = "https://www.example.org/me";

/// The parameters of a deployment.
type Parameters = BTreeMap<&'static str, String>;

/// Everything that a rehearsal needs.
pub struct Plan<'a> {
    pub aws: &'a EmulatedAws,
    pub wechat: &'a Wechat,
    pub build: &'a Path,
    pub architecture: Architecture,
    pub sam: &'a PathBuf,
}

impl Plan<'_> {
    /// Goes through with it.
    pub async fn run(&self, progress: &mut Progress) -> Result<()> {
        let visitors = self.wechat.visitors(self.aws.address())?;
        self.in_the_first_region(&visitors, progress).await?;
        self.in_the_second_region(&visitors, progress).await?;
        progress.step("No call was denied", async { self.no_denials() }).await
    }

    /// A deployment, everything that people do, an update, and what is logged of it.
    async fn in_the_first_region(&self, visitors: &Visitors, progress: &mut Progress) -> Result<()> {
        let deployer = Account::deployer(self.aws, FIRST_REGION, "deployer", None).await?;
        let account = Account::new(self.aws, FIRST_REGION, deployer, self.sam.clone())?;
        let parameters = self.parameters(&account).await?;
        let refused = self.wrong_values(&account, &parameters);
        progress.step("Wrong values", refused).await?;
        let stack = progress.step("sam deploy", account.deploy(self.build, STACK, &parameters)).await?;
        progress.step("A login without a secret", visits::in_vain(visitors, "misconfigured")).await?;
        let secrets = self.wechat.app_secrets();
        let put = account.paste(stack.output("PutAppSecrets")?, ("app-secrets.json", &secrets));
        progress.step("The command PutAppSecrets", put).await?;
        progress.step("People", visits::everything(visitors)).await?;
        progress.step("The doctor", self.doctor(&account, &stack)).await?;
        let lasting = visits::lasting(visitors).await?;
        let mut changed = parameters.clone();
        changed.insert("LogRetentionDays", "60".to_owned());
        let updated = account.deploy(self.build, STACK, &changed);
        progress.step("sam deploy, with one parameter changed", updated).await?;
        progress.step("The session is still there", visits::still_there(&lasting)).await?;
        let key = self.becomes_a_provider(&account, &changed, visitors, progress).await?;
        progress.step("What goes wrong on the way", visits::misfortunes(visitors)).await?;
        progress.step("A region that hangs", visits::while_aws_hangs(visitors, self.aws)).await?;
        // All of them stand now, also the one that is a provider's.
        let logs = progress.step("Every line of the log is JSON", Logs::read(&account, STACK)).await?;
        println!("    {} lines", logs.count());
        let counts = logs.feed_every_filter(&account, STACK);
        let counts = progress.step("Every metric filter counts a line", counts).await?;
        println!("    {counts:?}");
        self.is_none_again(&account, &changed, &key, visitors, progress).await?;
        progress.step("The session is there after all of that", visits::still_there(&lasting)).await?;
        let broken = broken::in_a_stack_that_works(&account, STACK, self.build, visitors);
        progress.step("Builds that nobody refused are seen", broken).await?;
        progress.step("sam delete", account.delete(STACK)).await?;
        println!("    it leaves {}", account.left().await?.join(", "));
        Ok(())
    }

    /// A stack that becomes an OpenID Provider, and whoever believes it: an API in another stack, a user pool, a load
    /// balancer. The id of its key.
    async fn becomes_a_provider(
        &self,
        account: &Account<'_>,
        parameters: &Parameters,
        visitors: &Visitors,
        progress: &mut Progress,
    ) -> Result<String> {
        progress.step("It is no OpenID Provider", provider::is_none(visitors)).await?;
        let mut provides = parameters.clone();
        provides.insert("OpenidConnect", provider::parameter());
        let updated = account.deploy(self.build, STACK, &provides);
        let stack = progress.step("sam deploy, as an OpenID Provider", updated).await?;
        progress.step("Discovery, keys and a token", provider::serves(visitors)).await?;
        progress.step("The doctor of a provider", self.doctor(account, &stack)).await?;
        let key = provider::signing_key(account, STACK).await?;
        progress.step("Who signs", provider::who_signs(account, STACK, &key)).await?;
        let other_team = Account::new(self.aws, FIRST_REGION, root(), self.sam.clone())?;
        let recipe = provider::recipe(&other_team, &stack, visitors, &key);
        progress.step("An API behind API Gateway, in a stack of its own", recipe).await?;
        let pool = pool::recipe(&other_team, &stack, visitors);
        progress.step("A user pool of Cognito whose provider it is", pool).await?;
        let balancer = load_balancer::recipe(&other_team, &stack, visitors);
        progress.step("A load balancer that logs people in by it", balancer).await?;
        progress.step("What is used twice", provider::what_is_used_twice(visitors)).await?;
        Ok(key)
    }

    /// The way back.
    async fn is_none_again(
        &self,
        account: &Account<'_>,
        parameters: &Parameters,
        key: &str,
        visitors: &Visitors,
        progress: &mut Progress,
    ) -> Result<()> {
        let mut parameters = parameters.clone();
        // What is not said stays as it is.
        parameters.insert("OpenidConnect", String::new());
        let updated = account.deploy(self.build, STACK, &parameters);
        progress.step("sam deploy, as none again", updated).await?;
        progress.step("It is no OpenID Provider any more", provider::is_none(visitors)).await?;
        progress.step("Its key is kept", provider::is_kept(account, key)).await
    }

    /// A rollback, a deployment whose values the functions refuse, and one with everything switched on.
    async fn in_the_second_region(&self, visitors: &Visitors, progress: &mut Progress) -> Result<()> {
        let (name, action) = HINDERED;
        let hindered = Account::deployer(self.aws, SECOND_REGION, name, Some(action)).await?;
        let hindered = Account::new(self.aws, SECOND_REGION, hindered, self.sam.clone())?;
        let parameters = self.parameters(&hindered).await?;
        let mut everything = parameters.clone();
        everything.insert("OpenidConnect", provider::parameter());
        progress.step("A rollback", self.rollback(&hindered, &everything)).await?;
        progress.step("sam delete, of what was rolled back", hindered.delete(STACK)).await?;

        let deployer = Account::deployer(self.aws, SECOND_REGION, "deployer-in-china", None).await?;
        let account = Account::new(self.aws, SECOND_REGION, deployer, self.sam.clone())?;
        let mut foreign = parameters.clone();
        foreign.insert("DefaultReturnTo", FOREIGN_PAGE.to_owned());
        let made = account.deploy(self.build, STACK, &foreign);
        progress.step("sam deploy in China, with a value that only functions refuse", made).await?;
        let page = visits::only_the_page(visitors, "misconfigured");
        progress.step("Every route answers with the page", page).await?;
        let broken = broken::with_a_wrong_value(&account, STACK, self.build, visitors);
        progress.step("A function that ends at a wrong value is seen", broken).await?;

        everything.insert("FixedAddress", "true".to_owned());
        everything.insert("HostedZoneId", self.hosted_zone(&account).await?);
        everything.insert("AlarmEmail", "operator@example.com".to_owned());
        everything.insert("ReserveConcurrency", "true".to_owned());
        let updated = account.deploy(self.build, STACK, &everything);
        let stack = progress.step("sam deploy in China, with everything switched on", updated).await?;
        let secrets = self.wechat.app_secrets();
        account.paste(stack.output("PutAppSecrets")?, ("app-secrets.json", &secrets)).await?;
        progress.step("People, in China", visits::everything(visitors)).await?;
        progress.step("Discovery, keys and a token, in China", provider::serves(visitors)).await?;
        progress.step("The doctor, in China", self.doctor(&account, &stack)).await?;
        let logs =
            progress.step("Every line of the log in China is JSON", Logs::read(&account, STACK)).await?;
        println!("    {} lines", logs.count());
        progress.step("sam delete, in China", account.delete(STACK)).await
    }

    /// What the doctor finds with the role that the template gives it. Of the domain, which no DNS leads to here, it
    /// may say what it likes.
    async fn doctor(&self, account: &Account<'_>, stack: &Stack) -> Result<()> {
        let directory = tempfile::tempdir()?;
        let file = directory.path().join("answer.json");
        let name = stack.output("DoctorFunctionName")?;
        account.look(&["lambda", "invoke", "--function-name", name, &file.to_string_lossy()]).await?;
        let answer: Value = serde_json::from_str(&fs::read_to_string(&file)?)?;
        let findings: Vec<_> = answer["findings"].as_array().into_iter().flatten().collect();
        // The emulator forgets what the template says of time to live; that the table was seen is what counts here.
        let tables: &[&str] = &["table_right", "table_keeps_everything"];
        for (expected, times) in [(&["configuration_right"][..], 1), (&["secret_accepted"], 2), (tables, 2)] {
            let is_expected = |found: &&&Value| expected.iter().any(|name| found["finding"] == *name);
            if findings.iter().filter(is_expected).count() != times {
                return Err(Failure::new(format!("not {times} times {expected:?}: {answer:#}")));
            }
        }
        Ok(())
    }

    /// What the parameters of a deployment are here.
    async fn parameters(&self, account: &Account<'_>) -> Result<Parameters> {
        let domain = PUBLIC_URL.trim_start_matches("https://");
        let requested = ["acm", "request-certificate", "--validation-method", "DNS", "--domain-name", domain];
        let certificate = account.look(&requested).await?;
        Ok(Parameters::from([
            ("DomainName", domain.to_owned()),
            ("CertificateArn", certificate["CertificateArn"].as_str().unwrap_or_default().to_owned()),
            ("OfficialAccountAppId", OFFICIAL_ACCOUNT.to_owned()),
            ("WebsiteAppId", WEBSITE_APP.to_owned()),
            ("AllowedOrigins", PAGE_ORIGIN.to_owned()),
            ("DefaultReturnTo", DEFAULT_RETURN_TO.to_owned()),
            ("SiteVerification", format!("{}={}", visits::VERIFICATION.0, visits::VERIFICATION.1)),
            ("Architecture", self.architecture.to_string()),
        ]))
    }

    /// A zone that the login's domain lies in; its id.
    async fn hosted_zone(&self, account: &Account<'_>) -> Result<String> {
        let made =
            ["route53", "create-hosted-zone", "--name", "example.com", "--caller-reference", "rehearsal"];
        let made = account.look(&made).await?;
        let id = made["HostedZone"]["Id"].as_str().and_then(|id| id.rsplit('/').next());
        id.map(str::to_owned).ok_or_else(|| Failure::new(format!("no hosted zone: {made}")))
    }

    /// What the template can refuse, by a parameter's pattern or a rule, is refused before anything is made.
    async fn wrong_values(&self, account: &Account<'_>, right: &Parameters) -> Result<()> {
        // One by its pattern, one by a rule.
        for (what, name, value) in [
            ("an origin with a path", "AllowedOrigins", "https://www.example.com/"),
            ("one appid for both apps", "WebsiteAppId", OFFICIAL_ACCOUNT),
        ] {
            let mut parameters = right.clone();
            parameters.insert(name, value.to_owned());
            let refusal = account.refused(self.build, STACK, &parameters).await;
            let refusal = refusal.map_err(|failure| failure.during(what))?;
            println!("    {what}: {}", refusal.lines().next().unwrap_or_default());
        }
        Ok(())
    }

    /// A creation that fails at its end takes away all that it made.
    async fn rollback(&self, hindered: &Account<'_>, parameters: &Parameters) -> Result<()> {
        let Err(failure) = hindered.deploy(self.build, STACK, parameters).await else {
            return Err(Failure::new("deployed without the permission to"));
        };
        println!("    {}", failure.to_string().lines().last().unwrap_or_default());
        let left = hindered.left().await?;
        println!("    it leaves {}", if left.is_empty() { "nothing".to_owned() } else { left.join(", ") });
        if left.is_empty() {
            Ok(())
        } else {
            Err(Failure::new(format!("a rollback leaves {}", left.join(", "))))
        }
    }

    /// Nobody was refused a call but the one who was to be.
    fn no_denials(&self) -> Result<()> {
        let denials = self.aws.denials()?;
        let (mut expected, mut signatures) = (0, 0);
        let mut strange = Vec::new();
        for denial in denials {
            let denied: Value = serde_json::from_str(&denial)?;
            let principal = denied["principal"].as_str().unwrap_or_default();
            let is_hindered =
                principal.ends_with(&format!("user/{}", HINDERED.0)) && denied["action"] == HINDERED.1;
            if is_hindered {
                expected += 1;
            } else if principal.contains(&format!("user/{}", provider::STAND_INS))
                && denied["action"] == "kms:Sign"
            {
                signatures += 1;
            } else {
                strange.push(denial);
            }
        }
        if expected == 0 || signatures == 0 {
            return Err(Failure::new("not even the calls were denied that were to be"));
        }
        if strange.is_empty() {
            Ok(())
        } else {
            Err(Failure::new(format!("IAM refused:\n{}", strange.join("\n"))))
        }
    }
}
