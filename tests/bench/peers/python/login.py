"""What the functions of this login share: settings, cookies, answers, and DynamoDB's client, made once a process."""

import hashlib
import json
import os
import re
import secrets
import time

import boto3
from botocore.config import Config

PUBLIC_URL = os.environ["PUBLIC_URL"]
ALLOWED_ORIGINS = frozenset(os.environ["ALLOWED_ORIGINS"].split(","))
DEFAULT_RETURN_TO = os.environ["DEFAULT_RETURN_TO"]
APP_ID = os.environ["OFFICIAL_ACCOUNT_APP_ID"]
LOGINS_TABLE = os.environ["LOGINS_TABLE"]
SESSIONS_TABLE = os.environ["SESSIONS_TABLE"]

LOGIN_LIFETIME = 10 * 60
SESSION_LIFETIME = 7 * 24 * 60 * 60
BROWSER_COOKIE = "__Host-browser"
SESSION_COOKIE = "__Host-session"

ALWAYS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=63072000",
    "x-content-type-options": "nosniff",
}

AWS = Config(connect_timeout=1, read_timeout=1, retries={"mode": "standard", "total_max_attempts": 4})
dynamodb = boto3.client("dynamodb", config=AWS)


def now():
    """In seconds since 1970."""
    return int(time.time())


def random():
    return secrets.token_hex(32)


def is_random(value):
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


def digest(kind, secret):
    """The key under which something is stored that only its owner is to know."""
    return f"{kind}#{hashlib.sha256(secret.encode()).hexdigest()}"


def cookie(event, name):
    """The cookie's value, if it is one of ours and there is one of that name."""
    values = [text.partition("=") for text in event.get("cookies", [])]
    values = [value for known, _, value in values if known == name]
    return values[0] if len(values) == 1 and is_random(values[0]) else None


def set_cookie(name, value, lifetime):
    return f"{name}={value}; Path=/; Max-Age={lifetime}; Secure; HttpOnly; SameSite=Lax"


def get(table, key):
    """An item that has not expired."""
    item = dynamodb.get_item(TableName=table, Key={"id": {"S": key}}, ConsistentRead=True).get("Item")
    return item if item and int(item["expires_at"]["N"]) > now() else None


def redirect(status, location, *cookies):
    return {"statusCode": status, "headers": {**ALWAYS, "location": location}, "cookies": list(cookies)}


def answer(status, body, **headers):
    headers = {**ALWAYS, "content-type": "application/json", **headers}
    return {"statusCode": status, "headers": headers, "body": json.dumps(body, ensure_ascii=False)}


def log(context, outcome, began, **more):
    """One line a request, without anything that is a secret."""
    milliseconds = round((time.monotonic() - began) * 1000)
    print(json.dumps({"outcome": outcome, "request_id": context.aws_request_id, "duration_ms": milliseconds, **more}))
