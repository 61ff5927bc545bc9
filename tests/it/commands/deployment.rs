//! What `deploy.sh` says and does where AWS answers otherwise than on the straight way; that way is the rehearsal's,
//! on an emulated AWS.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::PathBuf,
    process::{Command, Stdio},
};

use harness::{binaries::workspace, stack::OFFICIAL_ACCOUNT};
use serde_json::Value;
use tempfile::TempDir;

/// A secret as WeChat shows it.
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// The folder of who deploys, and an account at AWS beside it.
struct Deployer {
    folder: TempDir,
}

impl Deployer {
    /// With the template of this project, in which one function stands for all that would be built.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for name in ["account", "bin", "work", "release/One"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        symlink(workspace().join("tests/it/commands/aws"), at("bin/aws")).unwrap();
        fs::copy(workspace().join("deploy.sh"), at("release/deploy.sh")).unwrap();
        let template = fs::read_to_string(workspace().join("template.yaml")).unwrap();
        let (parameters, _) = template.split_once("\nResources:\n").unwrap();
        let function = "  One:\n    Type: AWS::Serverless::Function\n    Properties:\n      CodeUri: One\n";
        fs::write(at("release/template.yaml"), format!("{parameters}\nResources:\n{function}")).unwrap();
        let executable = [b"\x7fELF".as_slice(), &[0; 14], b"\xb7\0"].concat();
        fs::write(at("release/One/bootstrap"), executable).unwrap();
        fs::set_permissions(at("release/One/bootstrap"), fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder }
    }

    /// With a stack that stands.
    fn with_a_stack() -> Self {
        let deployer = Self::new();
        let arn = "arn:aws:acm:us-east-1:123456789012:certificate/first";
        deployer.account("status", "UPDATE_COMPLETE\n");
        deployer.account(
            "parameters",
            &format!(
                "DomainName\tauth.example.com\nAllowedOrigins\thttps://www.example.com\nCertificateArn\t{arn}\n\
                 OfficialAccountAppId\t{OFFICIAL_ACCOUNT}\nHostedZoneId\t\nAppSecretsArn\t\nArchitecture\tarm64\n"
            ),
        );
        deployer.account(
            "outputs",
            "AppSecretsArn\tarn:aws:secretsmanager:us-east-1:123456789012:secret:AppSecrets-a-AbCdEf\n",
        );
        deployer.account("secret", &format!("{{\"{OFFICIAL_ACCOUNT}\":\"{SECRET}\"}}"));
        deployer
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a file into the account.
    fn account(&self, name: &str, text: &str) {
        fs::write(self.path("account").join(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// What it said, and its exit status.
    fn deploy(&self, arguments: &[&str]) -> (String, Option<i32>) {
        // A run sees its own calls and its own change.
        for name in ["calls", "change-set", "executed"] {
            fs::write(self.path("account").join(name), "").unwrap();
        }
        fs::remove_file(self.path("account/executed")).unwrap();
        let mut command = Command::new("bash");
        command.args(["-c", "PATH=$0:$PATH exec bash \"$@\""]).arg(self.path("bin"));
        command.arg(self.path("release/deploy.sh")).arg("--template").arg(self.path("release/template.yaml"));
        command.arg("--yes").args(arguments).current_dir(self.path("work")).stdin(Stdio::null());
        for name in ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "LC_MESSAGES"] {
            command.env_remove(name);
        }
        command.env("ACCOUNT", self.path("account")).env("LC_ALL", "C").env("CHECK_CONFIG", "true");
        command.env("DEPLOY_POLL_SECONDS", "0").env("TMPDIR", self.folder.path());
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (String::from_utf8(said).unwrap(), output.status.code())
    }
}

/// What it says to run next reaches the same stack, from whichever shell it is run.
#[test]
fn what_is_to_be_run_next_is_said_with_all_that_names_the_stack() {
    let deployer = Deployer::with_a_stack();
    let template = deployer.path("release/template.yaml");
    let template = template.to_str().unwrap();
    let (said, status) = deployer.deploy(&["--region", "us-east-1"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(
        said.contains(&format!("run bash deploy.sh --region us-east-1 --template {template} once more")),
        "{said}"
    );
    assert!(said.contains("bash doctor.sh --region us-east-1 --stack-name wechat-login\n"), "{said}");
    let named = [
        "--region",
        "eu-west-1",
        "--stack-name",
        "wechat-login-two",
        "--profile",
        "Lin's $own",
        "--bucket",
        "b-1",
    ];
    let (said, status) = deployer.deploy(&named);
    assert_eq!(status, Some(0), "{said}");
    let words = r"--region eu-west-1 --stack-name wechat-login-two --profile 'Lin'\''s $own'";
    assert!(
        said.contains(&format!("run bash deploy.sh {words} --bucket b-1 --template {template} once more")),
        "{said}"
    );
    assert!(said.contains(&format!("bash doctor.sh {words}\n")), "{said}");

    // In a checkout `make` and a shell read it: what they make of it is the same.
    let makefile = "deploy doctor:\n\t@printf '<%s>' $(ARGS) $(STACK)\n";
    fs::write(deployer.path("release/Makefile"), makefile).unwrap();
    let (said, _) = deployer.deploy(&named);
    for (target, words) in [
        (
            "deploy",
            ["--region", "eu-west-1", "--stack-name", "wechat-login-two", "--profile", "Lin's $own"]
                .as_slice(),
        ),
        ("doctor", &["--region", "eu-west-1", "--profile", "Lin's $own", "wechat-login-two"]),
    ] {
        let (_, line) = said.split_once(&format!("make {target} ")).unwrap();
        let line = line.lines().next().unwrap().split(" once more").next().unwrap();
        let output = super::shell(
            &format!("make --no-print-directory {target} {line}"),
            &[],
            &deployer.path("release"),
        );
        let read = String::from_utf8(output.stdout).unwrap();
        let expected = format!("<{}>", words.join("><"));
        assert!(read.starts_with(&expected), "{line}: {read}, not {expected}");
    }
    let (said, _) = deployer.deploy(&["--region", "us-east-1"]);
    assert!(said.contains("ARGS=\"--region us-east-1 --template "), "{said}");
}

/// A move to another domain takes a record of the person's in between: run again with nothing, it goes on.
#[test]
fn a_move_to_another_domain_goes_on_where_it_was() {
    let deployer = Deployer::with_a_stack();
    let region = ["--region", "us-east-1"];
    let moved = [
        &region[..],
        &["DomainName=auth.example.net", "AllowedOrigins=https://www.example.net", "HostedZoneId="],
    ]
    .concat();
    let (said, status) = deployer.deploy(&moved);
    assert_eq!(status, Some(3), "{said}");
    let waiting = deployer.path("work/.deploy/wechat-login.us-east-1");
    assert!(waiting.exists(), "{said}");
    let (said, status) = deployer.deploy(&region);
    assert_eq!(status, Some(3), "{said}");
    assert!(
        said.contains("Going on with the move to auth.example.net")
            && said.contains("_y.acm-validations.aws"),
        "{said}"
    );
    // Secrets are rotated in between, and whoever names the domain that there is stays at it.
    let (said, status) = deployer.deploy(&["--region", "us-east-1", "--new-secrets"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(waiting.exists() && !said.contains("move"), "{said}");
    let kept = fs::read(&waiting).unwrap();
    let (said, status) = deployer.deploy(&["--region", "us-east-1", "DomainName=auth.example.com"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(!waiting.exists() && !said.contains("Moved"), "{said}");
    assert!(!deployer.read("account/change-set").contains("example.net"));

    fs::create_dir_all(waiting.parent().unwrap()).unwrap();
    fs::write(&waiting, kept).unwrap();
    let arn = "arn:aws:acm:us-east-1:123456789012:certificate/second";
    deployer.account("acm.list-certificates", &format!("printf '{arn}\\tISSUED\\tauth.example.net\\t\\n'"));
    let (said, status) = deployer.deploy(&region);
    assert_eq!(status, Some(0), "{said}");
    let asked: Value = serde_json::from_str(&deployer.read("account/change-set")).unwrap();
    let asked: BTreeMap<_, _> = asked
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| Some((one["ParameterKey"].as_str()?, one["ParameterValue"].as_str()?)))
        .collect();
    assert_eq!(
        asked,
        BTreeMap::from([
            ("AllowedOrigins", "https://www.example.net"),
            ("CertificateArn", arn),
            ("DomainName", "auth.example.net"),
            ("HostedZoneId", ""),
        ])
    );
    assert!(said.contains("Moved from auth.example.com to auth.example.net"), "{said}");
    assert!(!waiting.exists());

    // What was left of a move that another machine has finished, or gone on from, is not begun again.
    fs::create_dir_all(waiting.parent().unwrap()).unwrap();
    fs::write(&waiting, "from=auth.example.org\nDomainName=auth.example.net\n").unwrap();
    let (said, status) = deployer.deploy(&region);
    assert_eq!(status, Some(0), "{said}");
    assert!(!deployer.read("account/change-set").contains("example.net"), "{said}");
}

/// The team's own secret is the one that is looked at, as it is said now; that there is none is said before anything is
/// made, and that it may not be read stops nobody who changes nothing in it.
#[test]
fn the_team_s_own_secret_is_judged_as_it_is_said_now() {
    const OWN: &str = "AppSecretsArn=arn:aws:secretsmanager:us-east-1:123456789012:secret:of-the-team-AbCdEf";
    let deployer = Deployer::with_a_stack();
    let own = ["--region", "us-east-1", OWN];
    let denied = "refuse AccessDeniedException 'not authorized to perform: secretsmanager:GetSecretValue'";
    // The stack's own secret may be read; the other one is what counts.
    let at = |arn: &str, answer: &str| {
        format!("case \"$*\" in *{arn}*) {answer} ;; *) cat \"$ACCOUNT/secret\" ;; esac")
    };
    let missing = "refuse ResourceNotFoundException \"Secrets Manager can't find the specified secret.\"";
    deployer.account("secretsmanager.get-secret-value", &at("of-the-team", missing));
    let (said, status) = deployer.deploy(&own);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("There is no secret") && said.contains("of-the-team"), "{said}");
    assert!(!deployer.read("account/calls").contains("s3api"), "{said}");

    let no_value = "refuse ResourceNotFoundException \"Secrets Manager can't find the specified secret value for staging label: AWSCURRENT\"";
    deployer.account("secretsmanager.get-secret-value", &at("of-the-team", no_value));
    let (said, status) = deployer.deploy(&own);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains(&format!("App secrets: those of {OFFICIAL_ACCOUNT} are missing")), "{said}");

    deployer.account("secretsmanager.get-secret-value", &at("of-the-team", denied));
    let (said, status) = deployer.deploy(&own);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("You may not read the secret") && !said.contains("are missing"), "{said}");
    assert!(deployer.read("account/change-set").contains("of-the-team"), "{said}");

    // What has to be read, to be written or because the stack made it, is not gone past.
    deployer.account("secretsmanager.get-secret-value", denied);
    for arguments in [["--region", "us-east-1"].as_slice(), &["--region", "us-east-1", "--new-secrets"]] {
        let (said, status) = deployer.deploy(arguments);
        assert_eq!(status, Some(1), "{said}");
        assert!(said.contains("could not be read"), "{said}");
    }
}

/// Who is logged out of AWS meanwhile is told so, and that the deployment goes on.
#[test]
fn a_deployment_that_cannot_be_followed_any_more_ends_with_what_to_do() {
    let deployer = Deployer::with_a_stack();
    let expired = "refuse ExpiredTokenException 'The security token included in the request is expired'";
    let status = "case \"$query\" in *Parameters*) cat \"$ACCOUNT/parameters\" ;; *AppSecretsArn*) echo arn ;; *) cat \"$ACCOUNT/status\" ;; esac";
    let after = format!("if [ -f \"$ACCOUNT/executed\" ]; then {expired}; fi");
    // As the change begins, and once it is under way.
    for events in [
        format!("{after}; echo before"),
        "if [ -f \"$ACCOUNT/executed\" ]; then echo after; else echo before; fi".to_owned(),
    ] {
        deployer.account("cloudformation.describe-stack-events", &events);
        deployer.account("cloudformation.describe-stacks", &format!("{after}\n{status}"));
        let (said, code) = deployer.deploy(&["--region", "us-east-1"]);
        assert_eq!(code, Some(1), "{said}");
        assert!(
            said.contains("goes on at AWS") && said.contains("expired") && said.contains("log in again"),
            "{said}"
        );
        assert!(!said.contains("Deployed"), "{said}");
    }
}

/// A key that cannot sign, or that is not there, would take the whole set of keys with it.
#[test]
fn a_signing_key_that_cannot_work_is_refused_by_its_name() {
    let deployer = Deployer::with_a_stack();
    let key = |region: &str, id: &str| format!("arn:aws:kms:{region}:123456789012:key/{id}");
    let describe = "case \"$*\" in
        *good*) printf 'Enabled\\tSIGN_VERIFY\\tRSA_2048\\n' ;;
        *larger*) printf 'Enabled\\tSIGN_VERIFY\\tRSA_4096\\n' ;;
        *symmetric*) printf 'Enabled\\tENCRYPT_DECRYPT\\tSYMMETRIC_DEFAULT\\n' ;;
        *encrypting*) printf 'Enabled\\tENCRYPT_DECRYPT\\tRSA_2048\\n' ;;
        *curve*) printf 'Enabled\\tSIGN_VERIFY\\tECC_NIST_P256\\n' ;;
        *disabled*) printf 'Disabled\\tSIGN_VERIFY\\tRSA_2048\\n' ;;
        *deleted*) printf 'PendingDeletion\\tSIGN_VERIFY\\tRSA_2048\\n' ;;
        *unseen*) refuse AccessDeniedException 'not authorized to perform: kms:DescribeKey' ;;
        *) refuse NotFoundException 'no such key' ;;
    esac";
    deployer.account("kms.describe-key", describe);
    let deploy = |keys: &[String]| {
        let keys = format!("SigningKeys={}", keys.join(","));
        deployer.deploy(&["--region", "us-east-1", "OpenidConnect={\"subject\":\"openid\"}", &keys])
    };
    let good = key("us-east-1", "good");
    for bad in ["symmetric", "encrypting", "curve", "disabled", "deleted", "absent"] {
        let bad = key("us-east-1", bad);
        let (said, status) = deploy(&[good.clone(), bad.clone()]);
        assert_eq!(status, Some(1), "{said}");
        assert!(said.contains(&format!("SigningKeys: {bad}")), "{said}");
        assert!(!deployer.read("account/calls").contains("s3api"), "{said}");
    }
    let foreign = key("eu-west-1", "good");
    let (said, status) = deploy(&[good.clone(), foreign.clone()]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains(&format!("{foreign} is not in the region us-east-1")), "{said}");
    let (said, status) = deploy(&[good.clone(), key("us-east-1", "larger"), good.clone()]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("SigningKeys"), "{said}");
    assert!(said.contains("twice"), "{said}");
    // Whoever may not look is told that nobody has; keys in a secret are no keys of KMS's.
    let unseen = key("us-east-1", "unseen");
    let (said, status) = deploy(&[good, key("us-east-1", "larger"), unseen.clone()]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains(&format!("you may not look at {unseen}")), "{said}");
    let (said, status) =
        deploy(&["arn:aws:secretsmanager:us-east-1:123456789012:secret:keys-AbCdEf".to_owned()]);
    assert_eq!(status, Some(0), "{said}");
    assert!(!deployer.read("account/calls").contains("kms "), "{said}");
}
