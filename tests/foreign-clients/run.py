"""Runs clients that others wrote, unmodified and over HTTPS, against the simulator; prints client × step.

The oracle is the simulator's ledger and what the simulator itself tells of the person, never the client alone.
"""

import argparse
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import unicodedata
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import private_authority
from way import HOSTS, Way

HERE = Path(__file__).resolve().parent
PERSON = "lin"
WECHAT = "Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 MicroMessenger/8.0.50(0x18003234) NetType/WIFI Language/zh_CN"
STEPS = ("page", "callback", "tokens", "openid", "profile", "unionid", "refresh", "spent code")

# What is known to fail because WeChat does not take it either, and why.
KNOWN = {
    ("@auth/core, in WeChat", "page"): "its state has more than 128 bytes",
    ("social-auth-core, in WeChat", "refresh"): "it has no address of its own for this and asks the exchange",
    ("social-auth-core, QR code", "refresh"): "it has no address of its own for this and asks the exchange",
    ("oauth2-wechat, QR code", "page"): "it goes to the page of Official Accounts, whatever the app is",
    ("python-weixin, in WeChat", "refresh"): "it sends the refresh token to the exchange, as a js_code",
    ("python-weixin, QR code", "refresh"): "it sends the refresh token to the exchange, as a js_code",
}


class Wechat:
    """The simulator, seen from outside."""

    def __init__(self, program, directory):
        private_authority.make(directory, HOSTS)
        self.authority = directory / "authority.pem"
        command = [program, "--listen", "127.0.0.1:0", "--allow-domain", "site.example"]
        command += ["--tls-cert", directory / "server.pem", "--tls-key", directory / "server.key"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.port = int(re.search(r"127\.0\.0\.1:(\d+)", line)[1])
        self.way = Way(("127.0.0.1", self.port))
        secure = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=self.authority))
        proxy = urllib.request.ProxyHandler({"https": self.way.url})
        self.opener = urllib.request.build_opener(proxy, secure, StayingHere)
        person = next(each for each in self.ask("GET", "settings")["people"] if each["id"] == PERSON)
        self.nickname = person["nickname"]

    def get(self, address, **headers):
        """An answer's status, Location and text."""
        request = urllib.request.Request(address, headers={"user-agent": WECHAT, **headers})
        try:
            answer = self.opener.open(request)
        except urllib.error.HTTPError as answered:
            answer = answered
        with answer:
            return answer.status, answer.headers.get("location"), answer.read().decode()

    def ask(self, method, path, body=None):
        """The simulator's own interface."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"https://{HOSTS[0]}/_simulator/{path}", data, method=method)
        with self.opener.open(request) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def identity(self, appid):
        """Who the person is to an app, by an exchange of the runner's own."""
        scope = "snsapi_login" if appid.endswith("bbb") else "snsapi_userinfo"
        settings = self.ask("GET", "settings")
        secret = next(app["secret"] for app in settings["apps"] if app["appid"] == appid)
        code = self.ask("POST", "code", {"person": PERSON, "appid": appid, "scope": scope})["code"]
        query = f"appid={appid}&secret={secret}&code={code}&grant_type=authorization_code"
        return json.loads(self.get(f"https://{HOSTS[1]}/sns/oauth2/access_token?{query}")[2])

    def callback(self, page):
        """Where the person's browser ends up, after consent or a scan; or the error page's text."""
        status, location, text = self.get(page.split("#")[0], **{"x-simulator-consent": "allow"})
        if status == 302:
            return location
        shown = re.search(r'class="js_qrcode_img web_qrcode_img" src="/connect/qrcode/([\w-]+)"', text)
        if not shown:
            raise Refused(re.search(r"<h1>(.*?)</h1>", text)[1])
        for action in ({"action": "scan", "person": PERSON}, {"action": "confirm"}):
            self.ask("POST", "actions", {**action, "uuid": shown[1]})
        told = self.get(f"https://{HOSTS[0]}/connect/l/qrconnect?uuid={shown[1]}&last=404")[2]
        code = re.search(r"wx_errcode=405;window\.wx_code='(\w+)'", told)[1]
        codes = self.ask("GET", "qrcodes")
        location = next(each["progress"]["location"] for each in codes if each["uuid"] == shown[1])
        if f"code={code}" not in location:
            raise Refused(f"the poll told {code}")
        return location


class Refused(Exception):
    """WeChat showed an error page."""


class StayingHere(urllib.request.HTTPRedirectHandler):
    """Looks at redirects and follows none."""

    def redirect_request(self, *_):
        return None


class Language:
    """The clients of one language, in a process of their own."""

    def __init__(self, command, environment):
        self.command, self.environment = command, environment
        listed = subprocess.run([*command, "--list"], env=environment, check=True, stdout=subprocess.PIPE, text=True)
        self.clients = listed.stdout.split("\n")[:-1]
        self.process = None

    def ask(self, **asked):
        if self.process is None:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
            self.process = subprocess.Popen(self.command, env=self.environment, text=True, **pipes)
        print(json.dumps(asked), file=self.process.stdin, flush=True)
        answer = json.loads(self.process.stdout.readline() or '{"error": "the process ended"}')
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer


def languages(wechat, wanted, rust):
    """Each with what its clients read to find and to trust the simulator."""
    common = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    authority = str(wechat.authority)
    proxied = {"HTTPS_PROXY": wechat.way.url}
    known = {
        "python": (
            [sys.executable, HERE / "clients.py"],
            {**proxied, "REQUESTS_CA_BUNDLE": authority, "PYTHONIOENCODING": "utf-8"},
        ),
        "node": (
            ["node", "--require", HERE / "way.cjs", HERE / "clients.mjs"],
            {"NODE_EXTRA_CA_CERTS": authority, "NODE_NO_WARNINGS": "1", "SIMULATOR_PORT": str(wechat.port)},
        ),
        "rust": ([rust], {**proxied, "SSL_CERT_FILE": authority}),
    }
    for language in wanted:
        command, environment = known[language]
        yield Language([str(word) for word in command], {**common, **environment})


def login(wechat, language, client):
    """Every step of one client's login, as `ok`, `-` for what it does not have, or what went wrong."""
    result = dict.fromkeys(STEPS, "")

    def step(name, does):
        try:
            result[name] = does() or "ok"
        except Exception as error:
            result[name] = f"{error}"
        return result[name] == "ok"

    kept = {}

    def page():
        kept["page"] = language.ask(client=client, step="begin")["result"]
        kept["callback"] = wechat.callback(kept["page"])

    def callback():
        asked, told = (parse_qs(urlsplit(kept[name]).query, keep_blank_values=True) for name in ("page", "callback"))
        kept["code"], kept["appid"] = told["code"][0], asked["appid"][0]
        return None if asked.get("state") == told.get("state") else "another state"

    def exchanges():
        entries = wechat.ask("GET", f"ledger?path=/sns/oauth2/access_token&code={kept['code']}")
        return [entry["outcome"] for entry in entries]

    def tokens():
        kept["person"] = language.ask(client=client, step="finish", callback=kept["callback"])["result"]
        return None if exchanges() == [{"kind": "ok"}] else f"{exchanges()}"

    def same(name, expected):
        told = kept["person"].get(name)
        return "-" if told is None else None if told == expected else f"{told!r}"

    def refresh():
        answer = language.ask(client=client, step="refresh")
        if "absent" in answer:
            return "-"
        query = f"access_token={answer['result']}&openid={identity['openid']}"
        return None if '"ok"' in wechat.get(f"https://{HOSTS[1]}/sns/auth?{query}")[2] else "a dead token"

    def spent():
        try:
            language.ask(client=client, step="finish", callback=kept["callback"])
        except RuntimeError:
            # Refused by the client itself, or by WeChat.
            later = exchanges()[1:]
            return None if later in ([], [{"kind": "errcode", "errcode": 40163}]) else f"{later}"
        return "taken"

    if step("page", page) and step("callback", callback) and step("tokens", tokens):
        identity = wechat.identity(kept["appid"])
        step("openid", lambda: same("openid", identity["openid"]))
        step("profile", lambda: same("nickname", wechat.nickname))
        step("unionid", lambda: same("unionid", identity["unionid"]))
        step("refresh", refresh)
        step("spent code", spent)
    return result


def wide(text, width):
    """Filled up to a width in columns, of which a Han character takes two."""
    return text + " " * (width - sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--simulator", type=Path, required=True, help="the program")
    parser.add_argument("--languages", default="python node rust", help="whose clients")
    parser.add_argument("--rust", type=Path, help="the program with the clients in Rust")
    parser.add_argument("--only", action="append", default=[], help="clients whose name contains this; may be repeated")
    arguments = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="foreign-clients-"))
    unexpected, noted, wechat = [], [], None
    try:
        wechat = Wechat(arguments.simulator, directory)
        print(wide("", 40) + "".join(wide(name, 12) for name in STEPS))
        for language in languages(wechat, arguments.languages.split(), arguments.rust):
            for client in language.clients:
                if arguments.only and not any(only in client for only in arguments.only):
                    continue
                result = login(wechat, language, client)
                cells = []
                for name in STEPS:
                    value = result[name]
                    known = KNOWN.get((client, name))
                    if value in ("ok", "-", ""):
                        cells.append(value)
                        if known and value == "ok":
                            unexpected.append(f"{client}: {name} is known to fail ({known}), and does not")
                    elif known:
                        cells.append("known")
                        noted.append(f"{client}: {name}: {value} ({known})")
                    else:
                        cells.append("FAILS")
                        unexpected.append(f"{client}: {name}: {value}")
                print(wide(client, 40) + "".join(wide(cell, 12) for cell in cells), flush=True)
        unexpected += [f"somebody wanted to go to {target}" for target in wechat.way.refused]
    finally:
        if wechat:
            wechat.process.kill()
            wechat.process.wait()
        shutil.rmtree(directory, ignore_errors=True)
    for lines, title in ((noted, "Known:"), (unexpected, "Not expected:")):
        if lines:
            print(f"\n{title}\n  " + "\n  ".join(lines))
    sys.exit(1 if unexpected else 0)


if __name__ == "__main__":
    main()
