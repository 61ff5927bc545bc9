"""Rehearses `deploy.sh`: at a terminal, against the emulated AWS, up to a login by the domain.

    python tests/rehearsal/deploy.py --build .aws-sam/build --simulator target/debug/simulator
    python tests/rehearsal/deploy.py --make arm64

Needs the packages of tests/rehearsal/requirements.txt and the built template; starts its own emulated AWS and simulated
WeChat. `--step NAME` runs one step and those before it. With `--make` it is `make deploy` in this checkout instead, which
builds: into .aws-sam/build. The oracle is what the AWS CLI says afterwards, what stood on
the terminal, and the process table: no secret is ever in a command line, an environment or a file.
"""

import argparse
import contextlib
import importlib.machinery
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import pexpect

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
OFFICIAL_ACCOUNT, WEBSITE = "wx0000000000000aaa", "wx0000000000000bbb"
SECRETS = {OFFICIAL_ACCOUNT: "5ec2e7aaaaaaaaaaaaaaaaaaaaaaaaaa", WEBSITE: "5ec2e7bbbbbbbbbbbbbbbbbbbbbbbbbb"}
DOMAIN, PAGES = "auth.example.com", "https://www.example.com"
WECHAT = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Mobile Safari/537.36 MicroMessenger/8.0.49.2600 Language/zh_CN"
# What is imported from a checkout leaves nothing in it.
sys.dont_write_bytecode = True
# Longer than anything takes on a busy machine; nothing waits for so long unless it is broken.
PATIENCE = 600
# The same for what builds all functions, from nothing.
PATIENCE_WITH_A_BUILD = 3600
# The stack that `make deploy` makes here: whoever works in this checkout has a file of answers for one of their own.
MADE = "wechat-login-rehearsed"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def process(command, port, environment, log):
    """A server, once it listens on its port."""
    with open(log, "wb") as output:
        child = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                 start_new_session=True)
    try:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            if child.poll() is not None:
                raise AssertionError(f"{command[0]} ended: {Path(log).read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGTERM)
        child.wait()


class Watcher(threading.Thread):
    """Looks for a secret in the command line and the environment of every process of this rehearsal, as `ps` would."""

    def __init__(self, secrets, directory):
        super().__init__(daemon=True)
        # What this rehearsal started has its directory in the environment; another one may run beside it.
        self.own = str(directory).encode()
        self.secrets = [secret.encode() for secret in secrets]
        self.found, self.looked, self.ended = set(), 0, threading.Event()

    def run(self):
        # Often enough to meet every AWS CLI, which takes half a second to start, and not a processor of its own.
        while not self.ended.wait(0.05):
            for entry in os.scandir("/proc"):
                with contextlib.suppress(OSError):
                    environment = Path(entry.path, "environ").read_bytes() if entry.name.isdigit() else b""
                    if self.own not in environment or entry.name == str(os.getpid()):
                        continue
                    line = Path(entry.path, "cmdline").read_bytes()
                    self.looked += 1
                    if any(secret in line + environment for secret in self.secrets):
                        self.found.add(line.replace(b"\0", b" ").decode(errors="replace"))


class Rehearsal:
    """An account, a directory in which a person works, and what happened in it."""

    def __init__(self, arguments, directory):
        self.build, self.directory = Path(directory) / "build", Path(directory)
        # What is run of deploy.sh, and with which further options.
        self.script, self.options = ROOT / "deploy.sh", ()
        self.make = arguments.make
        if not self.make:
            shutil.copytree(arguments.build, self.build)
            # As a build under a strict umask is: Lambda's user may not run it.
            for executable in self.build.glob("*/bootstrap"):
                executable.chmod(0o700)
        self.work = self.directory / "work"
        self.work.mkdir()
        self.temporary = self.directory / "tmp"
        self.temporary.mkdir()
        self.aws_port, self.wechat_port = free_port(), free_port()
        self.deployer = {}
        programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        self.environment = {
            "PATH": programs, "HOME": str(self.directory), "TMPDIR": str(self.temporary), "LANG": "en_US.UTF-8",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.aws_port}", "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1",
            "CHECK_CONFIG": str(Path(arguments.check_config).resolve()), "DEPLOY_POLL_SECONDS": "1",
        }

    def deploy_under(self, policy):
        """From here on deploy.sh has this policy and no other; the oracle keeps seeing everything."""
        self.aws("iam", "create-user", "--user-name", "deployer")
        self.aws("iam", "put-user-policy", "--user-name", "deployer", "--policy-name", "deploy",
                 "--policy-document", policy.read_text())
        key = self.aws("iam", "create-access-key", "--user-name", "deployer")["AccessKey"]
        self.deployer = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}

    # ---------------------------------------------------------------- what a person and an operator do

    def spawn(self, *arguments, language="en_US.UTF-8"):
        """deploy.sh at a terminal."""
        environment = {**self.environment, **self.deployer, "LANG": language}
        return pexpect.spawn(str(self.script), ["--template", str(self.build / "template.yaml"), *arguments],
                             cwd=self.work, env=environment, encoding="utf-8", timeout=PATIENCE, dimensions=(50, 200))

    def spawn_make(self):
        """`make deploy` at a terminal, as in a checkout of one's own: with one's own tools, and no AWS but the emulated one."""
        # What `make` hands down to its recipes is meant for this rehearsal.
        handed = re.compile("AWS_|MAKE|MFLAGS|(ARCHITECTURE|ARGS|BUILD|FUNCTION|STACK)$")
        own = {name: value for name, value in os.environ.items() if not handed.match(name)}
        emulated = {name: value for name, value in self.environment.items() if name not in ("PATH", "HOME", "CHECK_CONFIG")}
        environment = {**own, **emulated, **self.deployer,
                       "AWS_CONFIG_FILE": str(self.directory / "none"), "AWS_SHARED_CREDENTIALS_FILE": str(self.directory / "none")}
        # arm64 is what it builds if nothing is said.
        processor = [] if self.make == "arm64" else [f"ARCHITECTURE={self.make}"]
        return pexpect.spawn("make", ["deploy", f"STACK={MADE}", *processor], cwd=ROOT, env=environment, encoding="utf-8",
                             timeout=PATIENCE, dimensions=(50, 200))

    def answer(self, child, *pairs, patience=PATIENCE):
        """Answers questions in their order; what stood on the terminal until the end, and the exit status."""
        text = ""
        for question, reply in pairs:
            if child.expect([question, pexpect.EOF]) == 1:
                raise AssertionError(f"it did not ask {question!r}:\n{text}{child.before}")
            text += child.before + child.after
            if reply is not None:
                child.sendline(reply)
        child.expect(pexpect.EOF, timeout=patience)
        child.close()
        return text + child.before, child.exitstatus

    def deploy(self, *arguments, standard_input="", template=None, language="en_US.UTF-8"):
        """deploy.sh in a script; what it said, and its exit status."""
        template = template or self.build / "template.yaml"
        command = [str(self.script), "--template", str(template), "--yes", *self.options, *arguments]
        environment = {**self.environment, **self.deployer, "LANG": language}
        done = subprocess.run(command, cwd=self.work, env=environment, input=standard_input, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE, check=False)
        return done.stdout, done.returncode

    @contextlib.contextmanager
    def without_the_parser(self):
        """As on a machine that has neither Cargo nor an executable of the release."""
        whole = self.environment
        programs = os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"])
        self.environment = {name: value for name, value in whole.items() if name != "CHECK_CONFIG"} | {"PATH": programs}
        try:
            yield
        finally:
            self.environment = whole

    def aws(self, *arguments):
        done = subprocess.run(["aws", "--output", "json", *arguments], env=self.environment, capture_output=True,
                              text=True, check=False)
        assert done.returncode == 0, f"aws {' '.join(arguments[:2])}: {done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    def domain_of(self, certificate):
        return self.aws("acm", "describe-certificate", "--certificate-arn", certificate)["Certificate"]["DomainName"]

    def zones(self):
        """The hosted zones' ids by their names."""
        zones = self.aws("route53", "list-hosted-zones")["HostedZones"]
        return {zone["Name"]: zone["Id"].rsplit("/", 1)[-1] for zone in zones}

    def stack(self, name="wechat-login"):
        [stack] = self.aws("cloudformation", "describe-stacks", "--stack-name", name)["Stacks"]
        return stack

    def parameters(self, name="wechat-login"):
        return {one["ParameterKey"]: one["ParameterValue"] for one in self.stack(name)["Parameters"]}

    def secrets(self, name="wechat-login"):
        outputs = {one["OutputKey"]: one["OutputValue"] for one in self.stack(name)["Outputs"]}
        answer = self.aws("secretsmanager", "get-secret-value", "--secret-id", outputs["AppSecretsArn"])
        return json.loads(answer["SecretString"])

    def modes(self):
        """The permissions of every executable that was uploaded."""
        [bucket] = [one["Name"] for one in self.aws("s3api", "list-buckets")["Buckets"]]
        found = []
        for one in self.aws("s3api", "list-objects-v2", "--bucket", bucket)["Contents"]:
            local = self.directory / "object"
            self.aws("s3api", "get-object", "--bucket", bucket, "--key", one["Key"], str(local))
            if zipfile.is_zipfile(local):
                with zipfile.ZipFile(local) as archive:
                    found += [entry.external_attr >> 16 & 0o777 for entry in archive.infolist()]
        return found

    def nothing_was_made(self):
        assert self.aws("cloudformation", "list-stacks")["StackSummaries"] == [], "a stack was made"
        assert self.aws("s3api", "list-buckets").get("Buckets", []) == [], "a bucket was made"
        assert self.aws("acm", "list-certificates")["CertificateSummaryList"] == [], "a certificate was requested"

    def get(self, url, cookies="", host=None, accept="text/html"):
        """One request of a browser inside WeChat, which follows no redirect: status, headers, text."""

        class Stay(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, *_):
                return None

        headers = {"User-Agent": WECHAT, "Accept": accept, "Cookie": cookies}
        if host:
            headers["Host"] = host
        request = urllib.request.Request(url, headers={name: value for name, value in headers.items() if value})
        try:
            response = urllib.request.build_opener(Stay).open(request, timeout=60)
        except urllib.error.HTTPError as error:
            response = error
        with response:
            return response.status, response.headers, response.read().decode()

    def visit(self, path, **options):
        """A request to the login by its domain."""
        return self.get(f"http://127.0.0.1:{self.aws_port}{path}", host=DOMAIN, **options)

    def log_in(self):
        """Somebody logs in inside WeChat, up to who it is."""
        status, headers, _ = self.visit("/authorize?return_to=" + PAGES + "/me")
        assert status == 302, status
        browser = "; ".join(cookie.split(";")[0] for cookie in headers.get_all("Set-Cookie"))
        location = headers["Location"].replace("https://open.weixin.qq.com", f"http://127.0.0.1:{self.wechat_port}")
        status, headers, text = self.get(location)
        assert status == 302, text
        callback = headers["Location"]
        assert callback.startswith(f"https://{DOMAIN}/callback?"), callback
        status, headers, _ = self.visit(callback.removeprefix(f"https://{DOMAIN}"), cookies=browser)
        # A bare "#" keeps a fragment of WeChat's from following.
        assert (status, headers["Location"].removesuffix("#")) == (303, PAGES + "/me"), (status, headers["Location"])
        session = "; ".join(cookie.split(";")[0] for cookie in headers.get_all("Set-Cookie"))
        status, _, text = self.visit("/userinfo", cookies=f"{browser}; {session}", accept="application/json")
        assert status == 200 and json.loads(text)["openid"], text


# ---------------------------------------------------------------- the steps, in their order


def refuses_what_it_does_not_know(rehearsal):
    text, status = rehearsal.deploy("--frobnicate")
    assert status == 1 and "--frobnicate" in text, text
    text, status = rehearsal.deploy("DomianName=auth.example.com")
    assert status == 1 and "no parameter DomianName" in text, text
    text, status = rehearsal.deploy("OfficialAccountAppId=" + OFFICIAL_ACCOUNT)
    assert status == 1 and "DomainName=… is missing" in text, text
    for language, word in (("en_US.UTF-8", "Usage"), ("zh_CN.UTF-8", "用法")):
        done = subprocess.run([str(ROOT / "deploy.sh"), "--help"], env={**rehearsal.environment, "LANG": language},
                              capture_output=True, text=True, check=True)
        assert word in done.stdout and "--site-verification" in done.stdout, done.stdout
    rehearsal.nothing_was_made()


def refuses_a_partial_build(rehearsal):
    partial = rehearsal.directory / "partial"
    # As `sam build AuthorizeFunction` leaves it: the other functions inherit the folder of the sources.
    shutil.copytree(rehearsal.build, partial, dirs_exist_ok=True)
    text = (partial / "template.yaml").read_text()
    (partial / "template.yaml").write_text(re.sub(r"\n      CodeUri: SiteFunction\n", "\n", text))
    said, status = rehearsal.deploy(*GOOD, template=partial / "template.yaml")
    assert status == 1 and "SiteFunction has no executable" in said, said
    (partial / "template.yaml").write_text(text)
    (partial / "SiteFunction" / "bootstrap").unlink()
    said, status = rehearsal.deploy(*GOOD, template=partial / "template.yaml")
    assert status == 1 and "SiteFunction has no executable" in said, said
    # And one function alone is built elsewhere than where `make deploy` and `sam deploy` look.
    told = subprocess.run(["make", "--dry-run", "sam-build", "FUNCTION=SiteFunction"], cwd=ROOT, capture_output=True,
                          text=True, check=True).stdout
    assert "sam build SiteFunction --build-dir target/sam" in told, told
    rehearsal.nothing_was_made()


def refuses_the_other_processor(rehearsal):
    built = (rehearsal.build / "SiteFunction" / "bootstrap").read_bytes()[18:20]
    ours, other = ("x86_64", "arm64") if built == b"\x3e\x00" else ("arm64", "x86_64")
    said, status = rehearsal.deploy(*GOOD, f"Architecture={other}")
    assert status == 1 and f"is built for {ours}, but {other} is to be deployed" in said, said
    # One of five for the other processor.
    mixed = rehearsal.directory / "mixed"
    shutil.copytree(rehearsal.build, mixed, dirs_exist_ok=True)
    executable = bytearray((mixed / "SiteFunction" / "bootstrap").read_bytes())
    executable[18:20] = b"\xb7\x00" if ours == "x86_64" else b"\x3e\x00"
    (mixed / "SiteFunction" / "bootstrap").write_bytes(executable)
    said, status = rehearsal.deploy(*GOOD, template=mixed / "template.yaml")
    assert status == 1 and "SiteFunction is built for" in said, said
    rehearsal.nothing_was_made()


def refuses_what_the_functions_refuse(rehearsal):
    for name, value in (
        ("DefaultReturnTo", "https://www.example.org/me"),
        ("AllowedOrigins", "https://www.example.com:443"),
        ("AllowedOrigins", "https://-"),
        ("AllowedOrigins", "https://www.example.org"),
        ("AllowedOrigins", "http://www.example.com"),
        ("Accounts", '{"shop":{}}'),
        ("Accounts", f'{{"shop":{{"website":"{WEBSITE}"}}}}'),
        ("WebsiteAppId", OFFICIAL_ACCOUNT),
        ("WebsiteAppId", "wx123"),
        ("DomainName", "auth_example"),
    ):
        said, status = rehearsal.deploy(*GOOD, f"{name}={value}")
        assert status == 1 and f"{name} is wrong" in said, f"{name}={value}: {status}: {said}"
    said, status = rehearsal.deploy(*GOOD, "Accounts={\"shop\":{}}", "AlarmEmail=nobody", language="zh_CN.UTF-8")
    assert status == 1 and "Accounts 有误：" in said and "AlarmEmail 有误：" in said and "must be" not in said, said
    # Where in the JSON it is wrong is said in English.
    for value in (
        '{"apis":{"https://api.example.com":{"origins":["https://www.example.com"]}}}',
        '{"subject":"openid","apis":{"https://api.example.com":{"origins":["https://www.example.org"]}}}',
    ):
        for language, words in (("en_US.UTF-8", "OpenidConnect is wrong"), ("zh_CN.UTF-8", "OpenidConnect 有误：")):
            said, status = rehearsal.deploy(*GOOD, f"OpenidConnect={value}", language=language)
            assert status == 1 and words in said, f"{value}: {status}: {said}"
    # What CloudFormation alone would refuse, after everything has been built.
    for pair in ("LoginsPerSecond=77", "EgressAllocationId=eipalloc-12345678"):
        said, status = rehearsal.deploy(*GOOD, pair)
        assert status == 1 and pair.split("=")[0] in said, said
    # Without the functions' parser the template's own patterns are left.
    with rehearsal.without_the_parser():
        said, status = rehearsal.deploy(*GOOD, "AlarmEmail=nobody")
    assert status == 1 and "AlarmEmail is wrong: An e-mail address" in said, said
    rehearsal.nothing_was_made()


# What deploy.sh finds out before anything is made, and what it would look like without: put back, the step that is about
# it must fail.
FAULTS = (
    ("a partial build deploys", refuses_a_partial_build, "check_build() {\n", "check_build() {\n    return 0\n"),
    ("the other processor deploys", refuses_the_other_processor, '[ "$found" = "$architecture" ] || fail', "true || fail"),
    ("what the functions refuse deploys", refuses_what_the_functions_refuse, "parsed() {\n", "parsed() {\n    return 0\n"),
)


def notices_what_is_put_back(rehearsal):
    whole = rehearsal.script.read_text()
    faulty = rehearsal.directory / "faulty"
    faulty.mkdir()
    for name, step, text, instead in FAULTS:
        assert whole.count(text) == 1, f"deploy.sh has no {text!r}"
        rehearsal.script = faulty / "deploy.sh"
        rehearsal.script.write_text(whole.replace(text, instead))
        rehearsal.script.chmod(0o755)
        # It ends where it would begin to make something.
        rehearsal.options = ("--check",)
        try:
            step(rehearsal)
        except AssertionError as noticed:
            print(f"    {name}: {str(noticed).strip().splitlines()[-1]}")
        else:
            raise AssertionError(f"nobody would notice if {name}")
        finally:
            rehearsal.script, rehearsal.options = ROOT / "deploy.sh", ()
    rehearsal.nothing_was_made()


def ends_with_a_record_where_there_is_no_zone(rehearsal):
    """Without a hosted zone it is the person's turn; run again it asks nothing and goes on."""
    child = rehearsal.spawn("--stack-name", "wechat-login-elsewhere")
    said, status = rehearsal.answer(child, *answers("auth.example.net", "https://www.example.net"))
    assert status == 3 and "CNAME" in said and "auth.example.net" in said and "run this again" in said, said
    [certificate] = rehearsal.aws("acm", "list-certificates")["CertificateSummaryList"]
    assert "wx" not in json.dumps(certificate)
    said, status = rehearsal.deploy("--stack-name", "wechat-login-elsewhere")
    assert status == 3 and "Taking the answers" in said, said
    assert len(rehearsal.aws("acm", "list-certificates")["CertificateSummaryList"]) == 1, "a second certificate"
    assert rehearsal.aws("cloudformation", "list-stacks")["StackSummaries"] == []


def make_deploy_ends_in_a_login(rehearsal):
    """`make deploy` as the guide has it: four answers and two secrets, what it builds, and a login by the domain."""
    rehearsal.aws("route53", "create-hosted-zone", "--name", "example.com", "--caller-reference", "1")
    kept = ROOT / ".deploy" / f"{MADE}.us-east-1"
    kept.unlink(missing_ok=True)
    try:
        child = rehearsal.spawn_make()
        child.logfile_read = sys.stdout
        secrets = tuple((f"App secret of {app}.*: ", secret) for app, secret in SECRETS.items())
        said, status = rehearsal.answer(child, *answers(DOMAIN, PAGES), *secrets, ("Building for AWS Lambda", None),
                                        patience=PATIENCE_WITH_A_BUILD)
        assert status == 0 and "Deployed (CREATE_COMPLETE)" in said, said
        assert not any(secret in said for secret in SECRETS.values()), "a secret was shown"
        assert not kept.exists(), "the answers are kept beside the stack"
    finally:
        kept.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            kept.parent.rmdir()
    assert rehearsal.secrets(MADE) == SECRETS
    rehearsal.log_in()


def four_answers_end_in_a_login(rehearsal):
    rehearsal.aws("route53", "create-hosted-zone", "--name", "example.com", "--caller-reference", "1")
    rehearsal.aws("route53", "create-hosted-zone", "--name", "com", "--caller-reference", "2")
    watcher = Watcher(SECRETS.values(), rehearsal.directory)
    watcher.start()
    child = rehearsal.spawn()
    said, status = rehearsal.answer(
        child,
        # As it is copied from a browser.
        ("domain of the login.*: ", f"https://{DOMAIN}/"),
        ("Official Account.*: ", OFFICIAL_ACCOUNT),
        ("website app.*: ", WEBSITE),
        (r"origins of your pages.* \[https://www.example.com\]: ", ""),
        (f"App secret of {OFFICIAL_ACCOUNT}.*: ", SECRETS[OFFICIAL_ACCOUNT][:-1]),
        (f"App secret of {OFFICIAL_ACCOUNT}.*: ", SECRETS[OFFICIAL_ACCOUNT]),
        (f"App secret of {WEBSITE}.*: ", SECRETS[WEBSITE]),
    )
    watcher.ended.set()
    watcher.join()
    assert status == 0 and "Deployed (CREATE_COMPLETE)" in said, said
    assert watcher.looked > 20 and not watcher.found, watcher.found
    for secret in SECRETS.values():
        assert secret[:-1] not in said, "a secret stood on the terminal"
    for path in rehearsal.directory.rglob("*"):
        if path.is_file() and path.is_relative_to(rehearsal.work):
            assert not any(secret in path.read_text(errors="replace") for secret in SECRETS.values()), path
    assert list(rehearsal.temporary.iterdir()) == [], "something was left in the temporary directory"
    for text in (DOMAIN, "网页授权域名", "授权回调域", f"https://{DOMAIN}/authorize", OFFICIAL_ACCOUNT, WEBSITE):
        assert text in said, f"{text} is not told:\n{said}"
    assert rehearsal.secrets() == SECRETS
    assert rehearsal.modes() == [0o755] * len(list(rehearsal.build.glob("*/bootstrap"))), "Lambda's user may not run it"
    parameters = rehearsal.parameters()
    assert parameters["DomainName"] == DOMAIN and parameters["AllowedOrigins"] == PAGES, parameters
    zones = rehearsal.zones()
    assert parameters["HostedZoneId"] == zones["example.com."], (parameters, zones)
    # The stack is the memory of the answers now; those of another one are still waiting.
    assert [path.name for path in (rehearsal.work / ".deploy").iterdir()] == ["wechat-login-elsewhere.us-east-1"]

    rehearsal.log_in()


def again_it_asks_nothing(rehearsal):
    child = rehearsal.spawn(language="zh_CN.UTF-8")
    said, status = rehearsal.answer(child)
    assert status == 0 and "还要做的事" in said and "网页授权域名" in said, said
    assert rehearsal.secrets() == SECRETS
    # The file of WeChat's console, where it was downloaded to.
    (rehearsal.work / "MP_verify_a1B2.txt").write_text("a1B2\n")
    said, status = rehearsal.answer(rehearsal.spawn())
    assert status == 0 and f"Open https://{DOMAIN}/MP_verify_a1B2.txt first" in said, said
    status, _, text = rehearsal.visit("/MP_verify_a1B2.txt")
    assert (status, text.strip()) == (200, "a1B2"), (status, text)
    said, status = rehearsal.deploy("SiteName=Example")
    assert status == 0 and "UPDATE_COMPLETE" in said, said
    parameters = rehearsal.parameters()
    assert parameters["SiteName"] == "Example" and parameters["SiteVerification"] == "MP_verify_a1B2.txt=a1B2", parameters
    assert parameters["DomainName"] == DOMAIN
    # Whoever deploys may make the key, and what they typed arrives as it was.
    provider = '{"subject":"openid","apis":{"https://api.example.com":{"origins":["%s"],"scopes":["a","b"]}}}' % PAGES
    said, status = rehearsal.deploy(f"OpenidConnect={provider}")
    assert status == 0 and "UPDATE_COMPLETE" in said and "SigningKey" in said, said
    assert rehearsal.parameters()["OpenidConnect"] == provider, rehearsal.parameters()
    status, _, text = rehearsal.visit("/.well-known/jwks.json")
    assert status == 200 and json.loads(text)["keys"][0]["alg"] == "RS256", (status, text)
    # And that they do not say it again changes nothing; that they say it is to be none does.
    said, status = rehearsal.deploy("SiteName=Example")
    assert status == 0 and rehearsal.parameters()["OpenidConnect"] == provider, said
    said, status = rehearsal.deploy("OpenidConnect=")
    # Of what goes, the emulator's change set says nothing; that it went, what answers there does.
    assert status == 0 and "UPDATE_COMPLETE" in said, said
    status, _, _ = rehearsal.visit("/.well-known/jwks.json")
    assert status == 404, status


def asks_again_for_what_the_functions_refuse(rehearsal):
    """What a stack was given without the check is asked again, and the answer is what the stack has afterwards."""
    with rehearsal.without_the_parser():
        said, status = rehearsal.deploy("AllowedOrigins=https://www.example.org")
    assert status == 0 and "UPDATE_COMPLETE" in said and "parser does not run" in said, said
    assert rehearsal.parameters()["AllowedOrigins"] == "https://www.example.org"
    said, status = rehearsal.answer(rehearsal.spawn(), (r"origins of your pages.*: ", PAGES))
    assert status == 0 and "AllowedOrigins is wrong" in said and "UPDATE_COMPLETE" in said, said
    assert rehearsal.parameters()["AllowedOrigins"] == PAGES, rehearsal.parameters()
    rehearsal.log_in()


def may_do_what_it_tells(rehearsal):
    """What deploy.sh tells people to run at CloudFormation, whoever has the policy may run."""
    told = set(re.findall(r"aws (cloudformation [a-z-]+) --region \$region --stack-name \$stack", rehearsal.script.read_text()))
    assert told == {"cloudformation continue-update-rollback"}, told
    for command in told:
        done = subprocess.run(["aws", *command.split(), "--stack-name", "wechat-login"], capture_output=True, text=True,
                              env={**rehearsal.environment, **rehearsal.deployer}, check=False)
        # There is nothing to roll back here.
        assert "cannot be called from current stack status" in done.stderr, done.stderr


def rotates_a_secret_and_keeps_the_others(rehearsal):
    child = rehearsal.spawn("--new-secrets")
    new = "0123456789abcdef0123456789abcdef"
    said, status = rehearsal.answer(child, (f"App secret of {OFFICIAL_ACCOUNT}.*keeps.*: ", ""),
                                    (f"App secret of {WEBSITE}.*keeps.*: ", new))
    assert status == 0 and new not in said and "Uploading" not in said, said
    assert rehearsal.secrets() == {**SECRETS, WEBSITE: new}
    said, status = rehearsal.deploy("--new-secrets", "--secrets-from-stdin",
                                    standard_input=json.dumps({WEBSITE: SECRETS[WEBSITE]}, indent=2))
    assert status == 0, said
    assert rehearsal.secrets() == SECRETS
    said, status = rehearsal.deploy("--secrets-from-stdin", standard_input=json.dumps({WEBSITE: "short"}))
    assert status == 1 and "short" not in said and rehearsal.secrets() == SECRETS, said


def mends_a_creation_that_failed(rehearsal):
    """Another stack with a domain that is taken is rolled back; deleted and made again it stands."""
    arguments = ("--stack-name", "wechat-login-second", f"OfficialAccountAppId={OFFICIAL_ACCOUNT}", "HostedZoneId=",
                 "CertificateArn=arn:aws:acm:us-east-1:000000000000:certificate/none")
    said, status = rehearsal.deploy(*arguments, f"DomainName={DOMAIN}", f"AllowedOrigins={PAGES}")
    assert status == 1 and "rolled it back (ROLLBACK_COMPLETE)" in said and "CustomDomain" in said, said
    child = rehearsal.spawn(*arguments, "DomainName=login.example.com", f"AllowedOrigins={PAGES}")
    said, status = rehearsal.answer(child, (r"Delete it now\? \[Y/n\] ", "n"))
    assert status == 1 and rehearsal.stack("wechat-login-second")["StackStatus"] == "ROLLBACK_COMPLETE", said
    said, status = rehearsal.deploy(*arguments, "DomainName=login.example.com", f"AllowedOrigins={PAGES}")
    assert status == 0 and "Deleted." in said and "CREATE_COMPLETE" in said, said


def another_domain_has_a_certificate_and_a_zone_of_its_own(rehearsal):
    """What was found for the domain before is not taken along to another one, unless it is given."""
    name = ("--stack-name", "wechat-login-second")
    said, status = rehearsal.deploy(*name, "DomainName=signin.example.com")
    assert status == 0 and "UPDATE_COMPLETE" in said, said
    parameters, zones = rehearsal.parameters(name[1]), rehearsal.zones()
    assert rehearsal.domain_of(parameters["CertificateArn"]) == "signin.example.com", parameters
    assert parameters["HostedZoneId"] == zones["example.com."], (parameters, zones)
    # Where the account has no zone it ends with the record, and nothing is changed.
    elsewhere = ("DomainName=signin.example.net", "AllowedOrigins=https://www.example.net")
    said, status = rehearsal.deploy(*name, *elsewhere)
    assert status == 3 and "CNAME" in said and "signin.example.net" in said, said
    assert rehearsal.parameters(name[1]) == parameters
    # Run again with nothing, it goes on with the move.
    said, status = rehearsal.deploy(*name)
    assert status == 3 and "Going on with the move to signin.example.net" in said, said
    # What is given is taken.
    certificate = parameters["CertificateArn"]
    said, status = rehearsal.deploy(*name, *elsewhere, f"CertificateArn={certificate}")
    assert status == 0 and "UPDATE_COMPLETE" in said, said
    moved = rehearsal.parameters(name[1])
    assert (moved["CertificateArn"], moved["HostedZoneId"]) == (certificate, ""), moved
    assert "Name   signin.example.net" in said, said
    # The answers of a deployment that has not come to an end are no better a memory.
    [waiting] = (rehearsal.work / ".deploy").iterdir()
    with waiting.open("a") as file:
        file.write(f"CertificateArn={certificate}\nHostedZoneId={zones['com.']}\n")
    said, status = rehearsal.deploy("--stack-name", "wechat-login-elsewhere", "DomainName=signin.example.net")
    assert status == 3 and "CNAME" in said and "signin.example.net" in said, said
    assert certificate not in waiting.read_text() and zones["com."] not in waiting.read_text()


def a_release_deploys(rehearsal):
    """The folder that `make dist` leaves, with the executables of this build: its own scripts, and no Rust."""
    dist = importlib.machinery.SourceFileLoader("dist", str(ROOT / ".ci" / "dist")).load_module()
    release = rehearsal.directory / "release"
    release.mkdir()
    built = (rehearsal.build / "SiteFunction" / "bootstrap").read_bytes()[18:20]
    architecture = "x86_64" if built == b"\x3e\x00" else "arm64"
    source = (ROOT / "template.yaml").read_text()
    (release / f"template-{architecture}.yaml").write_text(dist.released_template(source, architecture))
    for binary, logical_id in dist.functions(source).items():
        dist.write_zip(release / f"{binary}-{architecture}.zip", rehearsal.build / logical_id / "bootstrap")
    for name in dist.SCRIPTS:
        shutil.copy(ROOT / name, release)
    shutil.copy(ROOT / "SERVERLESS-REPO.md", release / "README.md")
    shutil.copy(ROOT / "LICENSE-MIT", release)
    (release / "SHA256SUMS").write_text(dist.sums({path.name: path for path in release.iterdir()}))

    def run(script, *arguments, language="en_US.UTF-8"):
        done = subprocess.run([str(release / script), "--stack-name", "wechat-login-release", *arguments], cwd=release,
                              env={**rehearsal.environment, **rehearsal.deployer, "LANG": language}, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.stdout, done.returncode

    def deploy(*arguments):
        return run("deploy.sh", "--yes", *arguments)

    arguments = (f"Architecture={architecture}", "DomainName=release.example.com", f"AllowedOrigins={PAGES}",
                 f"OfficialAccountAppId={OFFICIAL_ACCOUNT}")
    archive = release / f"site-{architecture}.zip"
    whole = archive.read_bytes()
    archive.write_bytes(whole[:-1] + b"x")
    said, status = deploy(*arguments)
    assert status == 1 and "is not the file that SHA256SUMS names" in said, said
    archive.write_bytes(whole)
    said, status = deploy(*arguments)
    assert status == 0 and "CREATE_COMPLETE" in said and "make deploy" not in said, said
    status, _, text = rehearsal.get(f"http://127.0.0.1:{rehearsal.aws_port}/", host="release.example.com")
    assert status == 200, text

    # Its doctor, with the AWS CLI alone: nobody has put a secret, and there is no HTTPS here.
    assert "bash doctor.sh --region us-east-1 --stack-name wechat-login-release" in deploy()[0]
    said, status = run("doctor.sh")
    assert status == 1 and f"✗ wrong   {OFFICIAL_ACCOUNT}   secret_missing" in said, said
    assert "There is no secret for this appid" in said and "\\" not in said, said
    said, status = run("doctor.sh", language="zh_CN.UTF-8")
    assert status == 1 and "没有这个 AppID 的 AppSecret" in said and "There is" not in said, said
    said, status = run("doctor.sh", "--json")
    assert status == 1 and json.loads(said)["worst"] == "wrong", said
    for arguments in (("--stack-name", "wechat-login-nowhere"), ("--frobnicate",), ("--region",)):
        said, status = run("doctor.sh", *arguments)
        assert status == 2 and len(said) > 20, said


GOOD = (f"DomainName={DOMAIN}", f"OfficialAccountAppId={OFFICIAL_ACCOUNT}", f"WebsiteAppId={WEBSITE}", f"AllowedOrigins={PAGES}")


def answers(domain, pages):
    return (("domain of the login.*: ", domain), ("Official Account.*: ", OFFICIAL_ACCOUNT),
            ("website app.*: ", WEBSITE), ("origins of your pages.*: ", pages))


STEPS = [
    refuses_what_it_does_not_know,
    refuses_a_partial_build,
    refuses_the_other_processor,
    refuses_what_the_functions_refuse,
    notices_what_is_put_back,
    ends_with_a_record_where_there_is_no_zone,
    four_answers_end_in_a_login,
    again_it_asks_nothing,
    asks_again_for_what_the_functions_refuse,
    may_do_what_it_tells,
    rotates_a_secret_and_keeps_the_others,
    mends_a_creation_that_failed,
    another_domain_has_a_certificate_and_a_zone_of_its_own,
    a_release_deploys,
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--build", default=ROOT / ".aws-sam" / "build")
    parser.add_argument("--make", choices=["arm64", "x86_64"], help="`make deploy` in this checkout, for this processor")
    parser.add_argument("--simulator", default=ROOT / "target" / "debug" / "simulator")
    parser.add_argument("--check-config", default=ROOT / "target" / "debug" / "check-config")
    parser.add_argument("--emulator", default=HERE / "emulator.py")
    parser.add_argument("--policy", type=Path, default=HERE / "deployer.json", help="what deploy.sh may do at AWS")
    parser.add_argument("--step", choices=[step.__name__ for step in STEPS])
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as servers:
        rehearsal = Rehearsal(arguments, directory)
        logs = Path(directory)
        servers.enter_context(process(
            [str(arguments.simulator), "--listen", f"127.0.0.1:{rehearsal.wechat_port}", "--allow-domain", DOMAIN],
            rehearsal.wechat_port, os.environ, logs / "simulator.log"))
        emulator = servers.enter_context(process(
            [sys.executable, str(HERE / "certificates.py"), str(arguments.emulator)], rehearsal.aws_port,
            {**rehearsal.environment, "AUTH": "true", "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(rehearsal.aws_port),
             "S3_DATA_DIR": str(logs / "s3"), "TMPDIR": str(logs), "IOT_MTLS_ENABLED": "0",
             # Reaches the functions.
             "WECHAT_API_URL": f"http://127.0.0.1:{rehearsal.wechat_port}"},
            logs / "emulator.log"))
        rehearsal.deploy_under(arguments.policy)
        for step in [make_deploy_ends_in_a_login] if arguments.make else STEPS:
            began = time.monotonic()
            try:
                step(rehearsal)
            except BaseException:
                print(f"  {step.__name__}: FAILED", flush=True)
                tail = (logs / "emulator.log").read_text(errors="replace").splitlines()[-15:]
                print("\n".join(["The last that the emulated AWS said:", *tail]), file=sys.stderr)
                raise
            assert emulator.poll() is None, "the emulated AWS ended"
            print(f"  {step.__name__}: ok after {time.monotonic() - began:.0f} s", flush=True)
            if step.__name__ == arguments.step:
                break
        # Each function called with its own role, and deploy.sh with the policy: what was not allowed was written down.
        denied = [line for line in (logs / "emulator.log").read_text(errors="replace").splitlines()
                  if line.startswith("DENIED ")]
        assert not denied, "calls were denied:\n" + "\n".join(denied)


if __name__ == "__main__":
    main()
