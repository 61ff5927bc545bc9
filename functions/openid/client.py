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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", required=True)
    parser.add_argument("--redirect", required=True, action="append")
    parser.add_argument("--issuer", default="https://…")
    parser.add_argument("--public", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", arguments.name):
        parser.error("名称由 1 到 64 个字母、数字、_ . - 组成 · a name is 1 to 64 letters, digits, _, . or -")
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


if __name__ == "__main__":
    sys.exit(main())
