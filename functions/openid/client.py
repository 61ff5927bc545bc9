#!/usr/bin/env python3
"""Makes a client of the OpenID Provider: a name, a secret, and what goes where.

    client.py --name web --redirect https://app.example.org/callback
    client.py --name web --redirect https://app.example.org/callback --public
    client.py --name web --redirect https://app.example.org/callback --json

The secret is shown once and kept nowhere: the stack gets its SHA-256. A public client, such as a page or an app, has none
and proves itself by PKCE. With --json only the text for OpenidConnect is printed, and the secret on the standard error.
"""

import argparse
import hashlib
import json
import re
import secrets
import sys
from urllib.parse import urlsplit


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", default="", help="client_id")
    parser.add_argument("--redirect", default=[], action="append", help="redirect_uri")
    parser.add_argument("--issuer", default="https://…")
    parser.add_argument("--public", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", arguments.name):
        parser.error("名称（--name，make 用 NAME=）由 1 到 64 个字母、数字、_ . - 组成 · a name (--name, NAME= of make) is 1 to 64 letters, digits, _, . or -")
    if not arguments.redirect:
        parser.error("缺少 redirect_uri：--redirect，make 用 REDIRECT= · a redirect_uri is missing: --redirect, REDIRECT= of make")
    for uri in arguments.redirect:
        # The functions judge the rest, at the start.
        if not may_be_answered_at(uri):
            parser.error(f"redirect_uri 须为 https，或本机的 http，或应用自己的协议；且没有“#”和“*” · "
                         f"a redirect_uri is https, http of this device, or of an app's own scheme, and has no # and no *: {uri}")
        if is_of_the_login(uri, arguments.issuer):
            parser.error(f"redirect_uri 是登录服务自己的网址，应填客户端自己的 · "
                         f"a redirect_uri is an address of the client's own, and here the login itself answers: {uri}")
    client = {"redirect_uris": arguments.redirect}
    secret = None
    if not arguments.public:
        secret = secrets.token_urlsafe(32)
        client["secrets"] = ["sha256:" + hashlib.sha256(secret.encode()).hexdigest()]
    text = json.dumps({arguments.name: client}, separators=(",", ":"), ensure_ascii=False)
    if arguments.json:
        print(text)
        if secret:
            print(secret, file=sys.stderr)
        return 0
    print(f"""
给本堆栈：放进参数 OpenidConnect 的 clients 里 · For this stack, among the clients of OpenidConnect:

  {text[1:-1]}

给客户端 · For the client:

  issuer          {arguments.issuer}
  client_id       {arguments.name}
  client_secret   {secret or "无，使用 PKCE · none; it uses PKCE"}
  redirect_uri    {", ".join(arguments.redirect)}
  scope           openid profile
""")
    if secret:
        print("密码只显示这一次。\nThe secret is shown this once.")
    return 0


def may_be_answered_at(uri):
    """Whether an answer may go there, by the plainest of the parser's rules."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    is_here = parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
    is_one = "#" not in uri and "*" not in uri
    return is_one and (parts.scheme == "https" and bool(parts.hostname) or is_here or "." in parts.scheme)


def is_of_the_login(uri, issuer):
    """Whether the login itself answers there, by the routes that somebody takes for the client's."""
    parts, own = urlsplit(uri), urlsplit(issuer)
    first = parts.path.split("/")[1:2] or [""]
    return (parts.scheme, parts.netloc) == (own.scheme, own.netloc) and first[0] in ("", "authorize", "callback", "oauth2")


if __name__ == "__main__":
    sys.exit(main())
